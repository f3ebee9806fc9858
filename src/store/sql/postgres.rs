//! PostgreSQL: what only a database server has. How it is reached, how durable it is, whether its tables are ours.
//!
//! Invariants: what durability rests on is asked of the server and read back from the session, and refused where it
//! differs; nothing of the environment (`PGPASSWORD`, `PGOPTIONS` ...) decides where we connect, as whom, or how durably;
//! the password stands in no error.

use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgPool, Row};
use zeroize::Zeroizing;

use super::sqlite::SCHEMA_VERSION;
use crate::store::StoreError;
use crate::store::settings::{PostgresAddress, PostgresHost, Tls};

const SCHEMA: &str = include_str!("../../../schemas/sql/postgres.sql");
/// The oldest server whose statements and settings we know.
const OLDEST_SERVER: i64 = 150_000;

/// First half of the keys of our advisory locks (`events.rs` has one too); the server keeps those of its databases apart.
pub(super) const LOCK_SPACE: i32 = i32::from_be_bytes(*b"embo");
/// Second half: the run lock.
pub(super) const RUN_LOCK: i32 = 1;
/// Who makes the tables; 2 is who writes events next.
const SCHEMA_TURN: i32 = 3;

/// To connect and to authenticate; a server in trouble takes connections and then says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longer than any statement takes and waits. A server whose host died in the middle of one never says another word,
/// and the driver knows no limit of its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Connections at once: agreements work side by side, each with a writer and a reader at most.
const CONNECTIONS: u32 = 16;

/// Everything that leads into a database server.
pub struct PostgresAccess {
    /// Where it is.
    pub address: PostgresAddress,
    /// How the way there is protected.
    pub tls: Tls,
    /// PEM certificate of an authority, beside those of the system.
    pub root_certificate: Option<Vec<u8>>,
    /// What the server asks for.
    pub password: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for PostgresAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresAccess({}, {:?})", self.address, self.tls)
    }
}

impl PostgresAccess {
    /// The driver's form of it. Its `Debug` shows the password: it goes nowhere but into a connection.
    fn options(&self) -> PgConnectOptions {
        let PostgresAddress { user, host, port, database } = &self.address;
        // Every field that the driver would take from the environment is set, also those that are empty.
        let options = PgConnectOptions::new_without_pgpass()
            .port(*port)
            .username(user)
            .password(self.password.as_ref().map_or("", |password| password.as_str()))
            .database(database)
            .application_name("emboss")
            .statement_cache_capacity(200)
            // Its texts are long and help nobody who runs a night.
            .disable_statement_logging()
            .ssl_mode(match self.tls {
                Tls::Verify => PgSslMode::VerifyFull,
                Tls::Encrypt => PgSslMode::Require,
                Tls::Off => PgSslMode::Disable,
            });
        let options = match host {
            PostgresHost::Tcp(host) => options.host(host),
            PostgresHost::Socket(folder) => options.socket(folder),
        };
        match &self.root_certificate {
            Some(pem) => options.ssl_root_cert_from_pem(pem.clone()),
            None => options,
        }
    }

    /// An error of this database.
    pub(super) fn unavailable(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Unavailable { database: self.address.to_string(), reason: reason.into() }
    }

    /// The same, of what the driver said.
    pub(super) fn failed(&self, error: &sqlx::Error) -> StoreError {
        self.unavailable(told(error))
    }

    /// A connection with our settings; what it says where there is none.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let options = self.options();
        let connecting = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            set_session(&mut connection).await?;
            Ok(connection)
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(|error| self.failed(&error)),
            Err(_) => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                Err(self.unavailable(format!("it did not answer within {seconds} s; is it a PostgreSQL server?")))
            }
        }
    }
}

/// What was said, in one sentence: the driver's own words only repeat that it was a database.
fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS failed: {error}"),
        sqlx::Error::Database(refusal) => refusal.message().to_owned(),
        other => other.to_string(),
    }
}

/// Opens the database; with `create`, makes the tables where there are none and the role may. The second pool has one
/// connection, which is made when it is first needed.
///
/// # Errors
/// [`StoreError::Unavailable`] where it cannot be reached or is not durable, [`StoreError::Schema`] where its tables
/// are not this version's.
pub(super) async fn open(
    access: &PostgresAccess,
    busy_timeout: Duration,
    create: bool,
) -> Result<(PgPool, PgPool), StoreError> {
    // On a connection of its own: a pool tries again what is refused, until its patience ends, and keeps the reason.
    let mut connection = access.connect().await?;
    check_server(access, &mut connection).await?;
    prepare_tables(access, &mut connection, create).await?;
    drop(connection.close().await);
    let options = PoolOptions::new()
        .min_connections(0)
        .acquire_timeout(busy_timeout.max(CONNECT_TIMEOUT))
        .idle_timeout(None)
        .max_lifetime(None)
        // A server that was started again meanwhile costs a connection then, not a night.
        .test_before_acquire(true)
        .after_connect(|connection, _| Box::pin(set_session(connection)));
    let pool = |connections| options.clone().max_connections(connections).connect_lazy_with(access.options());
    Ok((pool(CONNECTIONS), pool(1)))
}

/// Settings of our sessions, where the server knows them (`transaction_timeout` is of version 17).
///
/// Nothing ends a claim or a settlement half-way but what is wrong, such as a session that keeps a row for 10 minutes; a
/// client whose host died is found out within a minute, and with it what it had locked. A server that waits for its
/// standbys to apply a commit goes on doing so.
/// Compiling a statement costs more than it brings where each page is one; so does looking for a better order of eight
/// joins than the one that is written, which is along the file or the requests, everything else by its key.
const SET_SESSION: &str = "-- SET_SESSION
SELECT set_config(name, CASE WHEN name = 'synchronous_commit' AND setting = 'remote_apply' THEN setting ELSE wanted END,
           false)
  FROM (VALUES ('synchronous_commit', 'on'), ('statement_timeout', '0'), ('lock_timeout', '10min'),
               ('transaction_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
               ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'),
               ('tcp_keepalives_count', '3'), ('jit', 'off'),
               ('join_collapse_limit', '1'), ('enable_seqscan', 'off')) AS ours (name, wanted)
  JOIN pg_settings USING (name)";

/// Sets our settings, and reads back the one a night rests on.
async fn set_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SET_SESSION).execute(&mut *connection).await?;
    let found: String = sqlx::query("SHOW synchronous_commit").fetch_one(connection).await?.try_get(0)?;
    if matches!(&*found, "on" | "remote_apply") {
        return Ok(());
    }
    Err(sqlx::Error::Configuration(
        format!("synchronous_commit is {found} although it was set, a night needs on").into(),
    ))
}

const SERVER: &str = "-- SERVER
SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'), current_setting('fsync'),
       current_setting('full_page_writes'), pg_is_in_recovery()";

/// Refuses a server on which a committed transaction could be lost, or that cannot hold what we write.
async fn check_server(access: &PostgresAccess, connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = sqlx::query(SERVER).fetch_one(connection).await.map_err(|error| access.failed(&error))?;
    let text = |index: usize| row.try_get::<String, _>(index).map_err(|error| access.failed(&error));
    let version: i64 = row.try_get(0).map_err(|error| access.failed(&error))?;
    if version < OLDEST_SERVER {
        return Err(
            access.unavailable(format!("its server is version {}, a night needs 15 or newer", version / 10_000))
        );
    }
    for (index, setting, wanted) in [(1, "server_encoding", "UTF8"), (2, "fsync", "on"), (3, "full_page_writes", "on")]
    {
        let found = text(index)?;
        if found != wanted {
            return Err(access.unavailable(format!("{setting} is {found}, a night needs {wanted}")));
        }
    }
    if row.try_get(4).map_err(|error| access.failed(&error))? {
        return Err(access.unavailable("it is a standby, which cannot be written to: name the primary server"));
    }
    Ok(())
}

const TABLES: &str = "-- TABLES
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND relkind IN ('r', 'p')),
       to_regclass('meta') IS NOT NULL,
       COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)";

/// Which tables there are.
struct Tables {
    number: i64,
    has_meta: bool,
    may_create: bool,
}

async fn tables(access: &PostgresAccess, connection: &mut PgConnection) -> Result<Tables, StoreError> {
    let row = sqlx::query(TABLES).fetch_one(connection).await.map_err(|error| access.failed(&error))?;
    let read = || Ok(Tables { number: row.try_get(0)?, has_meta: row.try_get(1)?, may_create: row.try_get(2)? });
    read().map_err(|error| access.failed(&error))
}

async fn prepare_tables(
    access: &PostgresAccess,
    connection: &mut PgConnection,
    create: bool,
) -> Result<(), StoreError> {
    let found = tables(access, connection).await?;
    if found.number == 0 {
        if !create {
            return Err(access.unavailable("it has no tables yet; the first emboss import makes them"));
        }
        if !found.may_create {
            return Err(access.unavailable(format!(
                "it has no tables, and {} may not make any: let their owner load schemas/sql/postgres.sql and \
                 deploy/postgres-roles.sql",
                access.address.user
            )));
        }
        make_tables(access, connection).await?;
    } else if !found.has_meta {
        return Err(schema_of(access, "of another program"));
    }
    check_schema(access, connection).await
}

async fn make_tables(access: &PostgresAccess, connection: &mut PgConnection) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| access.failed(&error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    let turn = sqlx::query("SELECT pg_advisory_xact_lock($1, $2)").bind(LOCK_SPACE).bind(SCHEMA_TURN);
    turn.execute(&mut *transaction).await.map_err(failed)?;
    // Asked again: another process may have had its turn.
    if tables(access, &mut transaction).await?.number == 0 {
        let made = sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await;
        made.map_err(|source| StoreError::Statement { statement: "schemas/sql/postgres.sql", source })?;
    }
    transaction.commit().await.map_err(failed)
}

async fn check_schema(access: &PostgresAccess, connection: &mut PgConnection) -> Result<(), StoreError> {
    let found = sqlx::query("SELECT schema_version FROM meta WHERE one = 1").fetch_optional(connection).await;
    let found: Option<i64> = match found {
        Ok(row) => row.map(|row| row.try_get(0)).transpose().map_err(|error| access.failed(&error))?,
        Err(error) => return Err(access.failed(&error)),
    };
    match found {
        Some(SCHEMA_VERSION) => Ok(()),
        Some(other) => Err(schema_of(access, &other.to_string())),
        None => Err(schema_of(access, "unknown")),
    }
}

fn schema_of(access: &PostgresAccess, found: &str) -> StoreError {
    StoreError::Schema { database: access.address.to_string(), found: found.to_owned(), needed: SCHEMA_VERSION }
}

/// What the server answered, or that it did not.
pub(super) async fn answered<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    answered_within(ANSWER_TIMEOUT, asked).await
}

async fn answered_within<T>(
    timeout: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(timeout, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_says_nothing_more_is_not_waited_for_without_end() {
        let silent = std::future::pending::<Result<(), sqlx::Error>>();
        let answer = answered_within(Duration::from_millis(1), silent).await;
        assert!(matches!(answer, Err(sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut));
    }
}
