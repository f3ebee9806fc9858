//! The run lock on PostgreSQL: a session's advisory lock, on a connection of its own (R133).
//!
//! Invariants: the lock ends with its session, so a crash frees it, and a host that died does so as soon as the server
//! misses its answers (a minute); the row of `run_lock` only says who holds it, so what stands there after a crash locks
//! nobody out.
//!
//! A holder is not told when its connection breaks, and need not be: whoever comes next begins a later epoch, and every
//! statement of a run is guarded by its own. A run that lost its lock can commit nothing from there on.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::postgres::{LOCK_SPACE, PostgresAccess, RUN_LOCK};
use crate::store::{RunLock, StoreError};

/// The session that holds the lock. Dropping it closes the connection, which frees the lock.
struct SessionLock(#[expect(dead_code, reason = "held for its session, which closing it ends")] PgConnection);

impl std::fmt::Debug for SessionLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionLock")
    }
}

impl RunLock for SessionLock {}

/// Long enough for a server to notice that the holder before us has gone.
const PATIENCE: &str = "SET lock_timeout = '1s'";

const TAKE: &str = "-- TAKE_RUN_LOCK
SELECT pg_advisory_lock($1, $2)";

// Where a pooler stands between that gives each statement another session, the lock is not this session's.
const WRITE_HOLDER: &str = "-- WRITE_HOLDER
INSERT INTO run_lock (one, holder, since, backend)
SELECT 1, $3, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT), pg_backend_pid()
 WHERE EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
                  AND classid = CAST($1 AS BIGINT)::oid AND objid = CAST($2 AS BIGINT)::oid AND objsubid = 2)
    ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, since = excluded.since, backend = excluded.backend";

const HOLDER: &str = "-- HOLDER
SELECT run_lock.holder, pg_locks.pid, host(pg_stat_activity.client_addr)
  FROM pg_locks
  LEFT JOIN run_lock ON run_lock.backend = pg_locks.pid
  LEFT JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
 WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted
   AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND pg_locks.classid = CAST($1 AS BIGINT)::oid AND pg_locks.objid = CAST($2 AS BIGINT)::oid AND pg_locks.objsubid = 2";

/// Takes the lock, or names who has it.
pub(super) async fn take(access: &PostgresAccess, holder: &str) -> Result<Box<dyn RunLock>, StoreError> {
    let failed = |error: sqlx::Error| access.failed(&error);
    let mut session = access.connect().await?;
    sqlx::raw_sql(PATIENCE).execute(&mut session).await.map_err(failed)?;
    let taken = sqlx::query(TAKE).bind(LOCK_SPACE).bind(RUN_LOCK).execute(&mut session).await;
    match taken {
        Ok(_) => {}
        Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            return Err(StoreError::Locked { holder: holder_of(&mut session).await.map_err(failed)? });
        }
        Err(error) => return Err(failed(error)),
    }
    let call = sqlx::query(WRITE_HOLDER).bind(i64::from(LOCK_SPACE)).bind(i64::from(RUN_LOCK)).bind(holder);
    match call.execute(&mut session).await.map_err(failed)?.rows_affected() {
        1 => Ok(Box::new(SessionLock(session))),
        _ => Err(access.unavailable(
            "a pooler stands between that gives a session away after each transaction: name the server itself, or a \
             pool of whole sessions",
        )),
    }
}

/// SQLSTATE of a lock that was not free in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

async fn holder_of(session: &mut PgConnection) -> Result<String, sqlx::Error> {
    let call = sqlx::query(HOLDER).bind(i64::from(LOCK_SPACE)).bind(i64::from(RUN_LOCK));
    let Some(row) = call.fetch_optional(session).await? else {
        return Ok("it ended this moment, start again".to_owned());
    };
    let name: Option<String> = row.try_get(0)?;
    let process: i32 = row.try_get(1)?;
    let address: Option<String> = row.try_get(2)?;
    let name = name.unwrap_or_else(|| "it has not written its name yet".to_owned());
    // Only its own sessions, and those it may watch, are shown to a role.
    let from = address.map_or_else(String::new, |address| format!(" from {address}"));
    Ok(format!("{name} (server process {process}{from})"))
}
