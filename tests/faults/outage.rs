//! A database that is not to be had for a while, as long as a value lives.

use std::fs;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::books::runtime;
use crate::site::{Database, Site};

/// Nobody waits longer than this for a database: set before the run that is to meet an outage.
pub(crate) fn set_impatience(site: &Site) {
    let path = site.path("emboss.toml");
    let text = fs::read_to_string(&path).expect("read");
    fs::write(path, text.replacen("[database]", "[database]\nbusy_timeout_s = 1", 1)).expect("written");
}

/// Ends with the value.
#[derive(Debug)]
pub(crate) struct Outage {
    /// Somebody else's transaction on a SQLite file.
    busy: Option<SqliteConnection>,
}

impl Outage {
    /// SQLite: somebody else writes and does not end, unless the run itself is writing; whether it came to that is
    /// [`Self::is_on`].
    pub(crate) fn begin(site: &Site) -> Self {
        match site.database {
            Database::Sqlite => Self { busy: runtime().block_on(keep_busy(site)) },
        }
    }

    /// Whether the database is away.
    pub(crate) fn is_on(&self) -> bool {
        self.busy.is_some()
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
