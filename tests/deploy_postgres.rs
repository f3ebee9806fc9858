//! The role script: the program can do its work with what it is given, and nothing else; who looks sees no secret.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

#[path = "support/store_contract.rs"]
mod store_contract;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use emboss::ambient::{Clock, FixedClock};
use emboss::store::settings::{DatabaseAddress, DatabaseSettings};
use emboss::store::{PostgresAccess, SqlStore};
use store_contract::seed::{at, audit_key};
use support::postgres::{Cluster, Database, PASSWORD};
use support::trial::{Trial, orders};

/// How many databases there are.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A database as an administrator leaves it behind.
fn deployed() -> Database {
    let cluster = Cluster::shared();
    let name = format!("deployed_{}", MADE.fetch_add(1, Ordering::Relaxed));
    load(&cluster, &name);
    cluster.database_named(&name)
}

fn load(cluster: &Cluster, name: &str) {
    // Roles belong to all databases: two administrators at once would be in each other's way.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let told = cluster.psql_file("postgres", "deploy/postgres-roles.sql", &[&format!("database={name}")]);
    assert_eq!(told.unwrap(), "");
    cluster.psql("postgres", &format!("ALTER ROLE emboss PASSWORD '{PASSWORD}'"));
}

async fn opened() -> (SqlStore, Database) {
    let database = deployed();
    let settings: DatabaseSettings = toml::from_str(&format!("url = \"{}\"", database.url())).unwrap();
    let DatabaseAddress::Postgres(address) = settings.address().unwrap() else { panic!("{}", settings.url) };
    let tls = address.tls(None);
    let access = PostgresAccess { address, tls, root_certificate: None, password: Some(PASSWORD.to_owned().into()) };
    let clock: Arc<dyn Clock> = Arc::new(FixedClock(at("2026-11-20T03:00:12.345678Z")));
    let store = SqlStore::postgres(access, Duration::from_secs(30), Some(clock), false).await.unwrap();
    (store.with_audit_key(audit_key()), database)
}

// Every statement of the store, with the rights of the program alone.
store_contract::contract!(opened);

#[test]
fn the_program_runs_whole_nights_with_what_it_is_given() {
    let database = deployed();
    let trial = Trial::on(&database);
    trial.run(&["check"]).exits(0).says(&["Nothing stands in the way of a night."]);
    trial.import(&orders()).exits(0);
    trial.run(&["run", "--now", "--card", "3001"]).exits(0).says(&["SETTLED, 1 records"]);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 1 records", "adds up."]);
    trial.run(&["status"]).exits(0).says(&["SETTLED"]);
    assert_eq!(database.psql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"), "emboss_owner");
}

#[test]
fn the_script_may_be_run_again() {
    let cluster = Cluster::shared();
    let _roles = deployed();
    let named = "named otherwise";
    for _ in 0..2 {
        load(&cluster, named);
    }
    assert_eq!(cluster.psql_as("emboss", named, "SELECT epoch FROM meta").unwrap(), "0");
}

/// Which columns of which table a role may do something with.
fn granted(database: &Database, role: &str, what: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = database.psql(&format!(
        "SELECT table_name, column_name FROM information_schema.column_privileges
          WHERE table_schema = 'public' AND grantee = '{role}' AND privilege_type = '{what}'"
    ));
    columns_by_table(rows.lines().map(|row| row.split_once('|').unwrap()))
}

fn columns_by_table<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, column) in pairs {
        found.entry(table.to_owned()).or_default().insert(column.to_owned());
    }
    found
}

/// Table and column of every assignment in the store's SQL texts. What a macro writes for each of its tables is read for
/// each of them.
fn assigned() -> BTreeMap<String, BTreeSet<String>> {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir("src/store/sql").unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for table in ["customer", "account"] {
            pairs.extend(assigned_in(&text.replace("\", $table, \"", table)));
        }
    }
    columns_by_table(pairs.iter().map(|(table, column)| (&**table, &**column)))
}

fn assigned_in(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let (mut table, mut setting) = (String::new(), false);
    let words: Vec<&str> = text.split([' ', '\n', '"', '(']).filter(|word| !word.is_empty()).collect();
    for pair in words.windows(2) {
        match pair {
            ["INTO", name] => table = (*name).to_owned(),
            ["UPDATE", name] if *name != "SET" && *name != "OF" => table = (*name).to_owned(),
            ["SET", _] => setting = true,
            ["WHERE" | "FROM" | "RETURNING" | "statement!", _] => setting = false,
            _ => {}
        }
        // `column = value`, first behind SET or behind a comma.
        let is_column = pair[0].bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if setting && pair[1] == "=" && is_column && !table.is_empty() {
            pairs.push((table.clone(), pair[0].to_owned()));
        }
    }
    pairs
}

#[test]
fn the_program_may_change_exactly_the_columns_that_its_statements_change() {
    let assigned = assigned();
    assert_eq!(assigned["plastic"], BTreeSet::from(["status".to_owned(), "embossing_date".to_owned()]));
    assert_eq!(granted(&deployed(), "emboss", "UPDATE"), assigned);
}

#[test]
fn the_program_deletes_nothing_and_changes_no_history() {
    let database = deployed();
    let tables = database.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
    assert_eq!(tables.lines().count(), 23, "{tables}");
    let mut refused = Vec::new();
    for table in tables.lines() {
        refused.extend([format!("DELETE FROM {table}"), format!("TRUNCATE {table}"), format!("DROP TABLE {table}")]);
        refused.push(format!("ALTER TABLE {table} ADD COLUMN more TEXT"));
    }
    for table in ["order_answer", "customer_version", "account_version", "card_version", "pin", "event", "audit"] {
        let column = database.psql(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY 1 LIMIT 1"
        ));
        refused.push(format!("UPDATE {table} SET {column} = {column}"));
    }
    refused.extend(
        [
            "UPDATE card SET pan_index = ''",
            "UPDATE card SET last4 = ''",
            "UPDATE plastic SET expiry = 209912",
            "UPDATE production_request SET record_uid = ''",
            "UPDATE file SET sequence_number = 1",
            "UPDATE pin SET pvv_key = ''",
            "UPDATE file_item SET record_uid = ''",
            "UPDATE standing SET first_night = ''",
            "INSERT INTO meta VALUES (1, 2, '', 0)",
            "UPDATE meta SET schema_version = 1",
            "CREATE TABLE more (text TEXT)",
            "CREATE TEMP TABLE more (text TEXT)",
            "CREATE ROLE more",
            "SET ROLE emboss_owner",
            "ALTER TABLE audit DISABLE TRIGGER ALL",
        ]
        .map(str::to_owned),
    );
    for statement in refused {
        let refusal = database.psql_as("emboss", &statement).unwrap_err();
        let told = ["permission denied", "must be owner of"].iter().any(|told| refusal.contains(told));
        assert!(told, "{statement}: {refusal}");
    }
}

#[test]
fn who_looks_sees_no_secret_and_changes_nothing() {
    let database = deployed();
    database.psql(&format!("CREATE ROLE anna LOGIN PASSWORD '{PASSWORD}'; GRANT emboss_reader TO anna"));
    let ask = |sql: &str| database.psql_as("anna", sql);
    for sql in [
        "SELECT file_name, state, records, sha256 FROM file",
        "SELECT bin, last4 FROM card",
        "SELECT number, at, kind, data FROM event",
        "SELECT actor, action, reason FROM audit",
        "SELECT holder FROM run_lock",
        "SELECT status, pin_status FROM card_history",
        "SELECT order_id, op, at, card_id, answer FROM order_answer",
        "SELECT record_uid, code, first_night, last_night, times FROM standing",
    ] {
        ask(sql).unwrap();
    }
    for (table, column) in [
        ("card", "pan"),
        ("card", "pan_index"),
        ("pin", "stored"),
        ("pin", "pvv"),
        ("file", "fill_seed"),
        ("customer_version", "data"),
        ("account_version", "data"),
        ("card_version", "data"),
        ("order_answer", "content_mac"),
    ] {
        let refusal = ask(&format!("SELECT {column} FROM {table}")).unwrap_err();
        assert!(refusal.contains("permission denied"), "{table}.{column}: {refusal}");
    }
    for what in ["INSERT", "UPDATE"] {
        assert_eq!(granted(&database, "emboss_reader", what), BTreeMap::new());
    }
    assert!(ask("DELETE FROM audit").unwrap_err().contains("permission denied"));
}

/// The whole of a card's story but the verdict, which names and addresses decide too.
#[test]
fn who_looks_is_told_the_story_of_a_card_too() {
    let database = deployed();
    let trial = Trial::on(&database);
    trial.import(&orders()).exits(0);
    trial.run(&["run"]).exits(0);
    let all = |card: &str| trial.run(&["explain", "--card", card, "--json"]).exits(0).object();
    let (sent, held) = (all("3001"), all("3003"));
    assert_eq!(held["next"]["requests"][0]["verdict"], "HOLD");
    database.psql(&format!("CREATE ROLE carla LOGIN PASSWORD '{PASSWORD}'; GRANT emboss_reader TO carla"));
    trial.configure(&database.url(), &database.url_of("carla"));
    assert_eq!(all("3001"), sent, "nothing is hidden that was not open before");
    let mut told = all("3003");
    assert_eq!(told["next"]["requests"][0]["verdict"], "NOT_JUDGED");
    assert_eq!(told["standings"][0]["reason"], "HELD_PIN_WAIT");
    told["next"] = held["next"].clone();
    assert_eq!(told, held);
    let text = trial.run(&["explain", "--card", "3003"]).exits(0).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("the database role may not read names and addresses; held on the night of"), "{text}");
}

/// What needs more than a reader may see is refused, and nothing is left behind.
#[test]
fn of_the_commands_a_reader_has_events_explain_and_audit_alone() {
    let database = deployed();
    database.psql(&format!("CREATE ROLE berta LOGIN PASSWORD '{PASSWORD}'; GRANT emboss_reader TO berta"));
    let trial = Trial::on(&database);
    trial.import(&orders()).exits(0);
    trial.run(&["run"]).exits(0);
    let told = trial.run(&["events"]).exits(0).stdout;
    let story = trial.run(&["explain", "--card", "3001"]).exits(0).stdout;
    let entries = trial.run(&["audit", "export"]).exits(0).stdout;
    trial.configure("postgres://emboss@", "postgres://berta@");
    assert_eq!(trial.run(&["audit", "export"]).exits(0).stdout, entries);
    // With the key, but without the journal, whose marker is not for readers.
    let verified = trial.run(&["audit", "verify"]).exits(0);
    verified.says(&["The audit is sound", "The journal of the spool was not read", "Audit head"]);
    assert_eq!(trial.run(&["events"]).exits(0).stdout, told);
    assert_eq!(trial.run(&["explain", "--card", "3001"]).exits(0).stdout, story);
    for command in ["status", "plan", "run"] {
        trial.run(&[command]).exits(3).says(&["permission denied"]);
    }
    assert_eq!(trial.delivered().len(), 1);
}

#[test]
fn a_stranger_does_not_even_get_in() {
    let database = deployed();
    database.psql(&format!("CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'"));
    let refusal = database.psql_as("stranger", "SELECT 1").unwrap_err();
    assert!(refusal.contains("permission denied for database"), "{refusal}");
}
