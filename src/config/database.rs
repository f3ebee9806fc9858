//! What `[database]` must say (its settings belong to the store).

use super::finding::{Finding, Findings};
use crate::store::settings::{DatabaseAddress, DatabaseSettings, PostgresAddress, PostgresHost, Tls};

const SECTION: &str = "[database]";

/// Adds the faults of `[database]`.
pub(super) fn validate(database: &DatabaseSettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of(SECTION, found);
    match database.address() {
        // The URL is never repeated: it may hold a password.
        Err(fault) => findings.add("url", fault.to_string(), fault.action()),
        Ok(DatabaseAddress::Sqlite(_)) => validate_file(database, &mut findings),
        Ok(DatabaseAddress::Postgres(address)) => validate_server(database, &address, &mut findings),
    }
    for (key, file) in
        [("password_file", &database.password_file), ("root_certificate_file", &database.root_certificate_file)]
    {
        if let Some(file) = file {
            findings.path(key, file);
        }
    }
    findings.range("busy_timeout_s", database.busy_timeout_s, 1, 3600);
}

/// SQLite is a file: nothing of a server applies to it.
fn validate_file(database: &DatabaseSettings, findings: &mut Findings<'_>) {
    findings.require(
        database.password_file.is_none(),
        "password_file",
        "is set for SQLite, which knows no password",
        "remove it",
    );
    findings.require(database.tls.is_none(), "tls", "is set for SQLite, which is a file of this host", "remove it");
    findings.require(
        database.root_certificate_file.is_none(),
        "root_certificate_file",
        "is set for SQLite, which shows no certificate",
        "remove it",
    );
}

fn validate_server(database: &DatabaseSettings, address: &PostgresAddress, findings: &mut Findings<'_>) {
    let tls = address.tls(database.tls);
    findings.require(
        tls == Tls::Off || matches!(address.host, PostgresHost::Tcp(_)),
        "tls",
        "is set for a Unix socket, which knows no TLS",
        "remove it",
    );
    findings.require(
        tls == Tls::Verify || database.root_certificate_file.is_none(),
        "root_certificate_file",
        "is set, and no certificate is checked",
        "write tls = \"verify\", or remove it",
    );
}

/// What works and is still no good idea: what others could read or pretend to be.
pub fn warnings(database: &DatabaseSettings) -> Vec<Finding> {
    let mut found = Vec::new();
    let Ok(DatabaseAddress::Postgres(address)) = database.address() else { return found };
    let mut findings = Findings::of(SECTION, &mut found);
    let verify = "write tls = \"verify\"";
    match address.tls(database.tls) {
        _ if address.is_local() => {}
        Tls::Verify => {}
        Tls::Encrypt => findings.add("tls", "lets any host that answers pass for the database server", verify),
        Tls::Off => findings.add("tls", "lets the network read names, addresses and card data", verify),
    }
    found
}
