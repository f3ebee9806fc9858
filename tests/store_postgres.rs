//! The store's contract on PostgreSQL, and what only PostgreSQL has.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

#[path = "support/store_contract.rs"]
mod store_contract;
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::ambient::Clock;
use emboss::store::settings::{DatabaseAddress, DatabaseSettings};
use emboss::store::{PostgresAccess, SqlStore, StoreError};
use store_contract::seed::at;
use support::postgres::{Cluster, Database, OWNER, PASSWORD};

/// A clock the test sets.
#[derive(Debug, Clone)]
struct SetClock(Arc<Mutex<DateTime<Utc>>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

fn clock() -> SetClock {
    SetClock(Arc::new(Mutex::new(at("2026-11-20T03:00:12.345678Z"))))
}

/// What leads to `url`; `more` are further lines of `[database]`.
fn access(url: &str, more: &str) -> PostgresAccess {
    let settings: DatabaseSettings = toml::from_str(&format!("url = \"{url}\"\n{more}")).unwrap();
    let DatabaseAddress::Postgres(address) = settings.address().unwrap() else { panic!("{url}") };
    PostgresAccess {
        tls: address.tls(settings.tls),
        root_certificate: settings.root_certificate_file.map(|file| std::fs::read(file).unwrap()),
        password: Some(PASSWORD.to_owned().into()),
        address,
    }
}

async fn open(database: &Database, create: bool) -> Result<SqlStore, StoreError> {
    let clock: Arc<dyn Clock> = Arc::new(clock());
    SqlStore::postgres(access(&database.url(), ""), Duration::from_secs(30), Some(clock), create).await
}

/// A new database with tables.
async fn opened() -> (SqlStore, Database) {
    let database = Cluster::shared().database();
    (open(&database, true).await.unwrap(), database)
}

store_contract::contract!(opened);

const SCHEMA: &str = include_str!("../schemas/sql/postgres.sql");

#[test]
fn the_schema_loads_and_the_audit_only_grows() {
    let database = Cluster::shared().database();
    database.psql_as(OWNER, SCHEMA).unwrap();
    let entry =
        "INSERT INTO audit (at, actor, action, subject, reason, data) VALUES (1, 'anna', 'resolve', 'f', 'told', '{}')";
    database.psql(entry);
    for change in ["UPDATE audit SET actor = 'bert'", "DELETE FROM audit", "TRUNCATE audit"] {
        let refusal = database.psql_as("postgres", change).unwrap_err();
        assert!(refusal.contains("the audit is append-only"), "{refusal}");
    }
    assert_eq!(database.psql("SELECT number, actor FROM audit"), "1|anna");
}

#[test]
fn keys_sort_as_bytes_whatever_the_locale() {
    let database = Cluster::shared().database();
    assert_eq!(database.psql("SELECT 'a' < 'B'"), "t", "the server's locale is a linguistic one");
    database.psql_as(OWNER, SCHEMA).unwrap();
    let linguistic = database.psql(
        "SELECT table_name, column_name FROM information_schema.columns AS c
          WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS NULL
            AND EXISTS (SELECT 1 FROM pg_index AS i, unnest(i.indkey) AS k
                          JOIN pg_attribute AS a ON a.attnum = k
                         WHERE i.indrelid = a.attrelid AND i.indrelid = c.table_name::regclass AND a.attname = c.column_name)",
    );
    assert_eq!(linguistic, "", "indexed and without COLLATE \"C\"");
}

#[test]
fn a_server_of_the_tests_stops_crashes_and_starts_again() {
    let cluster = Cluster::start_with(&["application_name = 'mine'"]);
    let database = cluster.database();
    database.psql("CREATE TABLE kept (a INT); INSERT INTO kept VALUES (1)");
    for stop in [Cluster::stop, Cluster::crash] {
        stop(&cluster);
        assert!(cluster.psql_as("postgres", database.name(), "SELECT 1").is_err());
        cluster.start();
        assert_eq!(database.psql("SELECT a FROM kept"), "1");
    }
    assert_eq!(database.psql("SHOW fsync"), "on");
}
