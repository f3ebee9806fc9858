//! Opens the database that `[database]` names.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{read_public, secret_text, told};
use crate::ambient::{Clock, Random};
use crate::chain::ChainKey;
use crate::config::Config;
use crate::store::settings::{DatabaseAddress, PostgresAddress};
use crate::store::{PostgresAccess, SqlStore, Store, StoreError};

/// Opens the database; with `create`, makes it where it is not there. `clock` is the time of a SQLite database; a
/// server has its own. Without `audit_key` nothing can be written that the audit has to tell of.
///
/// # Errors
/// [`StoreError`], which names the database or the key that is at fault.
pub async fn open_store(
    config: &Config,
    create: bool,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    audit_key: Option<ChainKey>,
) -> Result<Arc<dyn Store>, StoreError> {
    let busy_timeout = Duration::from_secs(config.database.busy_timeout_s);
    let address = config.database.address();
    let store = match address.map_err(|fault| settings("url", format!("it {fault}: {}", fault.action())))? {
        DatabaseAddress::Sqlite(path) => SqlStore::sqlite(&path, busy_timeout, clock, random, create).await?,
        DatabaseAddress::Postgres(address) => {
            SqlStore::postgres(access(config, address)?, busy_timeout, None, create).await?
        }
    };
    Ok(Arc::new(match audit_key {
        Some(key) => store.with_audit_key(key),
        None => store,
    }))
}

/// Reads what opens the server.
fn access(config: &Config, address: PostgresAddress) -> Result<PostgresAccess, StoreError> {
    let database = &config.database;
    let password = database.password_file.as_deref().map(|file| password(config, file)).transpose();
    let root_certificate = database.root_certificate_file.as_deref().map(read_public).transpose();
    Ok(PostgresAccess {
        tls: address.tls(database.tls),
        root_certificate: root_certificate.map_err(|error| settings("root_certificate_file", told(&error)))?,
        password: password.map_err(|reason| settings("password_file", reason))?,
        address,
    })
}

/// One line: what else a file holds, no server takes, and the driver says so in words that help nobody.
fn password(config: &Config, file: &str) -> Result<Zeroizing<String>, String> {
    let password = secret_text(config, file)?;
    if password.chars().any(char::is_control) {
        return Err(format!("{file} holds more than one line, or control characters: put the password alone there"));
    }
    Ok(password)
}

fn settings(key: &'static str, reason: String) -> StoreError {
    StoreError::Settings { key, reason }
}
