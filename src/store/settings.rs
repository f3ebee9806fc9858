//! The `[database]` section of the configuration, and what its URL says.
//!
//! Invariants: a URL holds no password, so it can be shown; a server that is not on this host is reached over TLS with
//! its certificate verified, unless the configuration says otherwise in so many words.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite:PATH`, relative to the configuration file, or `postgres://USER@HOST:PORT/NAME`.
    pub url: String,
    /// Password of the database server's user, never inline.
    #[serde(default)]
    pub password_file: Option<String>,
    /// How the way to the server is protected; absent: see [`PostgresAddress::tls`].
    #[serde(default)]
    pub tls: Option<Tls>,
    /// PEM certificate of the authority that signed the server's; trusted beside those of the system.
    #[serde(default)]
    pub root_certificate_file: Option<String>,
    /// How long one waits: a SQLite writer for another, PostgreSQL for a free connection.
    #[serde(default = "thirty")]
    pub busy_timeout_s: u64,
}

fn thirty() -> u64 {
    30
}

impl DatabaseSettings {
    /// What the URL says.
    ///
    /// # Errors
    /// [`AddressFault`], which repeats nothing of the URL.
    pub fn address(&self) -> Result<DatabaseAddress, AddressFault> {
        DatabaseAddress::parse(&self.url)
    }
}

/// How the way to a database server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Encrypted, and the certificate must be of a known authority and for this host.
    Verify,
    /// Encrypted; whoever answers is taken for the server.
    Encrypt,
    /// In the clear.
    Off,
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAddress {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresAddress),
}

/// A database on a PostgreSQL server, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// Whose rights.
    pub user: String,
    /// Where.
    pub host: PostgresHost,
    /// Of TCP, and part of a Unix socket's name.
    pub port: u16,
    /// Name of the database.
    pub database: String,
}

/// Where a PostgreSQL server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresHost {
    /// A name or an address, IPv6 without brackets.
    Tcp(String),
    /// The folder of a Unix socket, absolute.
    Socket(PathBuf),
}

/// Why a URL is none. The sentences go on from `url`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Another scheme.
    #[error("is not a database this version opens")]
    Scheme,
    /// `sqlite:` alone.
    #[error("names no file")]
    NoFile,
    /// It says who enters, and with what.
    #[error("holds a password, and whoever reads the configuration knows it now")]
    Password,
    /// `?sslmode=...` and the like.
    #[error("has options behind a ? or a #")]
    Options,
    /// No user, host or database, or one that cannot be.
    #[error("does not say user, host and database")]
    Incomplete,
}

impl AddressFault {
    /// What to do about it.
    pub fn action(self) -> &'static str {
        match self {
            Self::Scheme => "write sqlite:PATH or postgres://USER@HOST:PORT/NAME",
            Self::NoFile => "write sqlite:PATH",
            Self::Password => "change that password, put the new one into a file and name that in password_file",
            Self::Options => "leave them out: what can be set has a key of its own in [database]",
            Self::Incomplete => {
                "write postgres://USER@HOST:PORT/NAME, or the folder of a Unix socket as HOST with %2F for each /"
            }
        }
    }
}

impl DatabaseAddress {
    fn parse(url: &str) -> Result<Self, AddressFault> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return if path.is_empty() { Err(AddressFault::NoFile) } else { Ok(Self::Sqlite(path.into())) };
        }
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        PostgresAddress::parse(rest.ok_or(AddressFault::Scheme)?).map(Self::Postgres)
    }
}

impl PostgresAddress {
    /// PostgreSQL's own.
    const PORT: u16 = 5432;

    fn parse(rest: &str) -> Result<Self, AddressFault> {
        // The last one: a password may hold an @ or a / of its own.
        let (user, place) = rest.rsplit_once('@').ok_or(AddressFault::Incomplete)?;
        if user.contains(':') {
            return Err(AddressFault::Password);
        }
        if place.contains(['?', '#']) {
            return Err(AddressFault::Options);
        }
        let (host, database) = place.split_once('/').ok_or(AddressFault::Incomplete)?;
        let (host, port) = split_port(host)?;
        let (user, database) = (decoded(user)?, decoded(database)?);
        if [&user, &database].into_iter().any(|name| name.is_empty() || name.contains(['\0', '/'])) {
            return Err(AddressFault::Incomplete);
        }
        Ok(Self { user, host: PostgresHost::parse(host)?, port, database })
    }

    /// What applies where the configuration says nothing: nothing leaves this host, or everything is verified.
    pub fn tls(&self, set: Option<Tls>) -> Tls {
        set.unwrap_or(if self.is_local() { Tls::Off } else { Tls::Verify })
    }

    /// Whether what is sent stays on this host.
    pub fn is_local(&self) -> bool {
        match &self.host {
            PostgresHost::Socket(_) => true,
            PostgresHost::Tcp(host) => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl PostgresHost {
    fn parse(written: &str) -> Result<Self, AddressFault> {
        let host = decoded(written)?;
        if host.starts_with('/') {
            return Ok(Self::Socket(Path::new(&host).to_owned()));
        }
        let named = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if named || host.parse::<IpAddr>().is_ok() { Ok(Self::Tcp(host)) } else { Err(AddressFault::Incomplete) }
    }
}

impl fmt::Display for PostgresHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) if host.contains(':') => write!(f, "[{host}]"),
            Self::Tcp(host) => f.write_str(host),
            Self::Socket(folder) => f.write_str(&folder.to_string_lossy().replace('/', "%2F")),
        }
    }
}

/// Host and port of `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn split_port(written: &str) -> Result<(&str, u16), AddressFault> {
    let (host, port) = match written.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(AddressFault::Incomplete)?,
        None => written.split_at(written.find(':').unwrap_or(written.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None if port.is_empty() => Some(PostgresAddress::PORT),
        None => None,
    };
    Ok((host, port.ok_or(AddressFault::Incomplete)?))
}

/// Percent-encoding taken back.
fn decoded(written: &str) -> Result<String, AddressFault> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
                let mut decoded = [0];
                hex::decode_to_slice(digits, &mut decoded).map_err(|_| AddressFault::Incomplete)?;
                decoded[0]
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| AddressFault::Incomplete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(url: &str) -> PostgresAddress {
        match DatabaseAddress::parse(url) {
            Ok(DatabaseAddress::Postgres(address)) => address,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn a_url_says_who_where_and_what() {
        for (url, shown, local) in [
            ("postgres://emboss@db.bank.example/cards", "postgres://emboss@db.bank.example:5432/cards", false),
            ("postgresql://emboss@10.1.2.3:6432/cards", "postgres://emboss@10.1.2.3:6432/cards", false),
            ("postgres://emboss@localhost/cards", "postgres://emboss@localhost:5432/cards", true),
            ("postgres://emboss@127.0.0.1:5433/cards", "postgres://emboss@127.0.0.1:5433/cards", true),
            ("postgres://emboss@[::1]:5433/cards", "postgres://emboss@[::1]:5433/cards", true),
            ("postgres://emboss@[2001:db8::7]/cards", "postgres://emboss@[2001:db8::7]:5432/cards", false),
            ("postgres://emboss@%2Frun%2Fpostgresql/cards", "postgres://emboss@%2Frun%2Fpostgresql:5432/cards", true),
        ] {
            let address = postgres(url);
            assert_eq!((&*address.to_string(), address.is_local()), (shown, local), "{url}");
            assert_eq!(postgres(shown), address, "what is shown can be written");
        }
        assert_eq!(postgres("postgres://night%40shift@db/ca%20rds").user, "night@shift");
        assert_eq!(postgres("postgres://emboss@%2Frun%2Fpg/c").host, PostgresHost::Socket("/run/pg".into()));
    }

    #[test]
    fn a_url_with_a_password_is_refused_however_odd_the_password() {
        for url in [
            "postgres://emboss:hunter2@db/cards",
            "postgres://emboss:@db/cards",
            "postgres://emboss:hun/ter2@db/cards",
            "postgres://emboss:hun@ter2@db/cards",
            "postgres://emboss:hun?ter2@db/cards",
            "postgres://:hunter2@db/cards",
        ] {
            let fault = DatabaseAddress::parse(url).unwrap_err();
            assert_eq!(fault, AddressFault::Password, "{url}");
            assert!(!format!("{fault} {}", fault.action()).contains("ter2"));
        }
    }

    #[test]
    fn a_url_that_leaves_something_open_is_refused() {
        for url in [
            "postgres://",
            "postgres://db/cards",
            "postgres://emboss@db",
            "postgres://emboss@db/",
            "postgres://@db/cards",
            "postgres://emboss@/cards",
            "postgres://emboss@db:0/cards",
            "postgres://emboss@db:x/cards",
            "postgres://emboss@db:70000/cards",
            "postgres://emboss@db/a/b",
            "postgres://emboss@d b/cards",
            "postgres://emboss@[::1/cards",
            "postgres://emboss@[::1]5432/cards",
            "postgres://emboss@::1/cards",
            "postgres://emboss@db/ca%2",
            "postgres://emboss@db/%ff",
            "postgres://emboss@db/%00",
        ] {
            assert_eq!(DatabaseAddress::parse(url), Err(AddressFault::Incomplete), "{url}");
        }
        for url in ["postgres://emboss@db/cards?sslmode=disable", "postgres://emboss@db/cards#x"] {
            assert_eq!(DatabaseAddress::parse(url), Err(AddressFault::Options), "{url}");
        }
        for url in ["", "emboss.db", "mysql://emboss@db/cards", "POSTGRES://emboss@db/cards"] {
            assert_eq!(DatabaseAddress::parse(url), Err(AddressFault::Scheme), "{url}");
        }
        assert_eq!(DatabaseAddress::parse("sqlite:"), Err(AddressFault::NoFile));
    }

    #[test]
    fn only_what_stays_on_the_host_goes_in_the_clear_unasked() {
        let (near, far) = (postgres("postgres://e@127.0.0.1/c"), postgres("postgres://e@db/c"));
        assert_eq!((near.tls(None), far.tls(None)), (Tls::Off, Tls::Verify));
        for set in [Tls::Verify, Tls::Encrypt, Tls::Off] {
            assert_eq!((near.tls(Some(set)), far.tls(Some(set))), (set, set));
        }
    }
}
