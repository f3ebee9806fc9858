//! The store's contract on PostgreSQL, and what only PostgreSQL has.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

mod support;

use support::postgres::Cluster;

#[test]
fn smoke() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let schema = std::fs::read_to_string("schemas/sql/postgres.sql").unwrap();
    let started = std::time::Instant::now();
    database.psql_as("emboss", &schema).unwrap();
    eprintln!("schema {:?}", started.elapsed());
    assert_eq!(database.psql("SHOW fsync"), "on");
    eprintln!("{}", database.psql("SELECT datcollate, datlocprovider, daticulocale FROM pg_database"));
    cluster.stop();
    cluster.start();
    cluster.crash();
    cluster.start();
    assert_eq!(database.psql("SELECT count(*) FROM meta"), "0");
    if std::env::var("HANG").is_ok() {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
