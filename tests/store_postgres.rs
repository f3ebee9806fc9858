//! The store's contract on PostgreSQL, and what only PostgreSQL has.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

mod support;

use support::postgres::{Cluster, OWNER};

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
