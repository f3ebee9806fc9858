//! A database that is not to be had for a while, as long as a value lives.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::books::runtime;
use crate::site::{Database, Site};
use crate::support::postgres::Cluster;

/// Nobody waits longer than this for a database: set before the run that is to meet an outage.
pub(crate) fn set_impatience(site: &Site) {
    let path = site.path("emboss.toml");
    let text = fs::read_to_string(&path).expect("read");
    fs::write(path, text.replacen("[database]", "[database]\nbusy_timeout_s = 1", 1)).expect("written");
}

/// Ends with the value.
#[derive(Debug)]
pub(crate) enum Outage {
    /// Somebody else's transaction on a SQLite file; none where the run itself is writing.
    Busy(Option<SqliteConnection>),
    /// A server that died as its host would.
    Crashed(Arc<Cluster>),
}

impl Outage {
    /// A server is crashed with all its databases: it must be the test's own.
    pub(crate) fn begin(site: &Site) -> Self {
        match site.database {
            Database::Sqlite => Self::Busy(runtime().block_on(keep_busy(site))),
            Database::Postgres => {
                site.server().cluster().crash();
                Self::Crashed(Arc::clone(site.server().cluster()))
            }
        }
    }

    /// Whether the database is away.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self, Self::Busy(None))
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        if let Self::Crashed(cluster) = self {
            cluster.start();
        }
    }
}

async fn keep_busy(site: &Site) -> Option<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(site.path("emboss.db")).busy_timeout(Duration::ZERO);
    let mut connection = options.connect().await.expect("it opens");
    match sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await {
        Ok(_) => Some(connection),
        Err(_) => connection.close().await.map(|()| None).expect("closed"),
    }
}
