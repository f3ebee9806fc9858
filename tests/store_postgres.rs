//! The store's contract on PostgreSQL, and what only PostgreSQL has.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

#[path = "support/store_contract.rs"]
mod store_contract;
#[path = "support/store_tampered.rs"]
mod store_tampered;
mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use emboss::ambient::Clock;
use emboss::card::PlasticStatus;
use emboss::selection::Dossier;
use emboss::store::settings::{DatabaseAddress, DatabaseSettings};
use emboss::store::{
    Audits, ClaimOrder, Conclusion, Decide, Decision, NewFile, NightKey, PostgresAccess, SqlStore, Store, StoreError,
};
use store_contract::audit::{found, verdict};
use store_contract::claims::marked_cards;
use store_contract::night::{Run, Script, pin, plastics_in};
use store_contract::seed::{Seed, at, audit_key, card_id, issuer, marked, plastic_id};
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
    SqlStore::postgres(access(&database.url(), ""), Duration::from_secs(30), Some(clock), create)
        .await
        .map(|store| store.with_audit_key(audit_key()))
}

/// A new database with tables.
async fn opened() -> (SqlStore, Database) {
    let database = Cluster::shared().database();
    (open(&database, true).await.unwrap(), database)
}

store_contract::contract!(opened);
store_tampered::tampered!(opened, tamper);

async fn tamper(database: &Database, sql: &str) {
    database.psql(&format!("ALTER TABLE audit DISABLE TRIGGER USER; {sql}"));
}

const SCHEMA: &str = include_str!("../schemas/sql/postgres.sql");

#[test]
fn the_schema_loads_and_the_audit_only_grows() {
    let database = Cluster::shared().database();
    database.psql_as(OWNER, SCHEMA).unwrap();
    let entry = "INSERT INTO audit (number, at, actor, action, subject, reason, data, key_id, mac)
        VALUES (1, 1, 'anna', 'resolve', 'f', 'told', '{}', 'audit-1', decode(repeat('00', 32), 'hex'))";
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

/// A decider that has something happen elsewhere when it sees the first card, and counts how often it starts over.
struct Disturbed<'a> {
    script: Script,
    disturb: Option<Box<dyn FnOnce() + Send + 'a>>,
    restarts: u32,
}

impl<'a> Disturbed<'a> {
    fn by(disturb: impl FnOnce() + Send + 'a) -> Self {
        Self { script: Script::default(), disturb: Some(Box::new(disturb)), restarts: 0 }
    }
}

impl Decide for Disturbed<'_> {
    fn restart(&mut self) {
        self.restarts += 1;
        self.script.restart();
    }

    fn decide(&mut self, dossier: &Dossier) -> Vec<Decision> {
        if let Some(disturb) = self.disturb.take() {
            disturb();
        }
        self.script.decide(dossier)
    }

    fn conclude(&mut self) -> Conclusion {
        self.script.conclude()
    }

    fn new_file(&mut self) -> NewFile {
        self.script.new_file()
    }
}

#[tokio::test]
async fn a_claim_decides_on_one_state_of_the_database_or_starts_over() {
    let (store, database) = opened().await;
    marked_cards(&store, [1, 2, 3]).await;
    let run = Run::begin(&store, 20, 1).await;
    // Somebody cancels a card of the claim when it has been read and is not marked yet.
    let mut decide = Disturbed::by(|| {
        database
            .psql("UPDATE production_request SET state = 'CLOSED', live = 0, reason = 'CANCELLED' WHERE card_id = 2");
    });
    let claimed = store.claim(&run.order("HOUSE"), &mut decide).await.unwrap();
    assert_eq!((decide.restarts, claimed.files.len(), claimed.files[0].sequence_number), (1, 1, 1));
    assert_eq!(plastics_in(&store, claimed.files[0].file_id).await, [1, 3]);
    assert_eq!(database.psql("SELECT count(*) FROM file"), "1", "what was begun before the restart is gone");
    assert_eq!(database.psql("SELECT count(*) FROM event WHERE kind = 'file.claimed'"), "1");
}

/// What a claim sees of the database is older than the newest entry.
#[tokio::test]
async fn a_claim_enters_its_files_behind_what_was_entered_since_it_began() {
    let (store, database) = opened().await;
    marked_cards(&store, [1, 2]).await;
    let run = Run::begin(&store, 20, 1).await;
    let mut decide = Disturbed::by(|| {
        let enters = async {
            let store = open(&database, false).await.unwrap();
            store.enter("import.begun", "meanwhile", &serde_json::json!({})).await.unwrap();
        };
        std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            scope.spawn(move || runtime.block_on(enters)).join().unwrap();
        });
    });
    let order = ClaimOrder { max_records_per_file: 1, ..run.order("HOUSE") };
    store.claim(&order, &mut decide).await.unwrap();
    assert_eq!(decide.restarts, 0, "it need not start over for that");
    let actions = database.psql("SELECT string_agg(action, ' ' ORDER BY number) FROM audit");
    assert_eq!(actions, "run.begun import.begun file.claimed file.claimed");
    assert_eq!(found(&store, &[]).await, []);
}

/// Nights, on-demand runs and imports at once, in one process and in several: each with a store of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_enters_at_once_makes_one_chain() {
    const ROUNDS: u32 = 8;
    let (store, database) = opened().await;
    let store = Arc::new(store);
    marked_cards(&*store, 1..=i64::from(ROUNDS)).await;
    let mut at_work = tokio::task::JoinSet::new();
    for worker in 0..3 {
        let store = if worker == 0 { Arc::clone(&store) } else { Arc::new(open(&database, false).await.unwrap()) };
        at_work.spawn(async move {
            for round in 0..ROUNDS {
                let subject = format!("{worker}.{round}");
                store.enter("import.begun", &subject, &serde_json::json!({})).await.unwrap();
                store.note_event("seen", None, &serde_json::json!({})).await.unwrap();
                store.enter("import.ended", &subject, &serde_json::json!({})).await.unwrap();
            }
        });
    }
    let claims = Arc::clone(&store);
    at_work.spawn(async move {
        for round in 1..=ROUNDS {
            // Each goes beyond the run before it, as one that takes over does.
            let run = Run::begin(&*claims, 20, u128::from(round)).await;
            let mut order = run.order("HOUSE");
            order.night = NightKey::OnDemand(run.run_id);
            order.due.cards = vec![card_id(i64::from(round))];
            let mut script = Script { first_file: 0xF000 + u128::from(round), ..Script::default() };
            let mut file = claims.claim(&order, &mut script).await.unwrap().files.remove(0);
            run.settle(&*claims, &mut file).await;
            claims.end_run(run.run_id, marked(), 0, "{}").await.unwrap();
        }
    });
    let done = async {
        while let Some(ended) = at_work.join_next().await {
            ended.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(120), done).await.expect("they do not wait for each other for ever");
    let verdict = verdict(&*store, &[]).await;
    assert!(verdict.is_sound(), "{verdict:?}");
    // Two for each import; for each run its begin, seven steps of its file and its end.
    assert_eq!(verdict.chain.sound, u64::from(ROUNDS * (3 * 2 + 9)));
}

/// R32: the claim has read the card, and its PIN is set before the claim marks it.
#[tokio::test]
async fn r32_a_pin_that_is_set_before_a_claim_commits_makes_it_start_over() {
    let (store, database) = opened().await;
    marked_cards(&store, [1, 2]).await;
    let run = Run::begin(&store, 20, 1).await;
    let mut decide = Disturbed::by(|| {
        let sets = async {
            let store = open(&database, false).await.unwrap();
            let mut seed = Seed::begin(&store).await;
            seed.work.hold_requests(&issuer(), card_id(1)).await.unwrap();
            seed.work.new_pin(&issuer(), card_id(1), &pin(1, b"set"), marked()).await.unwrap();
            seed.commit().await;
        };
        // The claim stands still meanwhile, and with it the thread it is on.
        std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            scope.spawn(move || runtime.block_on(sets)).join().unwrap();
        });
    });
    let claimed = store.claim(&run.order("HOUSE"), &mut decide).await.unwrap();
    assert_eq!((decide.restarts, plastics_in(&store, claimed.files[0].file_id).await.len()), (1, 2));
    let seen: Vec<_> = decide.script.seen.iter().map(|dossier| dossier.pin_version).collect();
    assert_eq!(seen, [Some(1), None], "it decides on what was set");
}

#[tokio::test]
async fn an_order_that_touches_nothing_of_a_claim_does_not_make_it_start_over() {
    let (store, database) = opened().await;
    marked_cards(&store, [1, 2, 3]).await;
    let run = Run::begin(&store, 20, 1).await;
    let mut decide = Disturbed::by(|| {
        database.psql("UPDATE customer SET version = version");
    });
    let claimed = store.claim(&run.order("HOUSE"), &mut decide).await.unwrap();
    assert_eq!((decide.restarts, plastics_in(&store, claimed.files[0].file_id).await.len()), (0, 3));
}

/// Fault 22: the later run begins in the middle of the claim.
#[tokio::test]
async fn f22_a_claim_that_is_overtaken_before_it_commits_leaves_nothing() {
    let (store, database) = opened().await;
    marked_cards(&store, [1, 2, 3]).await;
    let run = Run::begin(&store, 20, 1).await;
    let mut decide = Disturbed::by(|| {
        database.psql("UPDATE meta SET epoch = epoch + 1");
    });
    let refusal = store.claim(&run.order("HOUSE"), &mut decide).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Superseded { epoch: 1, .. }), "{refusal}");
    assert_eq!(database.psql("SELECT (SELECT count(*) FROM file), (SELECT count(*) FROM file_item)"), "0|0");
    assert_eq!(database.psql("SELECT DISTINCT state FROM production_request"), "OPEN");
}

/// Fault 22: both runs read the same last number.
#[tokio::test]
async fn f22_two_claims_at_once_give_a_number_once() {
    let (store, database) = opened().await;
    marked_cards(&store, [1, 2, 3]).await;
    let run = Run::begin(&store, 20, 1).await;
    let mut decide = Disturbed::by(|| {
        database.psql(
            "INSERT INTO file (file_id, night, run_id, institution, manufacturer, sequence_number, file_type, format,
                version, cut_off, data_as_of, state, epoch, fill_seed, file_name, sha256, records)
             SELECT gen_random_uuid(), '2026-11-19', run_id, '246001', 'HOUSE', 1, 'NORMAL', 'xml', 2, 0, 0, 'SETTLED', 0,
                '', 'f', 's', 0 FROM run",
        );
    });
    let claimed = store.claim(&run.order("HOUSE"), &mut decide).await.unwrap();
    assert_eq!((decide.restarts, claimed.files[0].sequence_number), (1, 2));
}

/// Waits until a session of the database waits for the turn to write events, or `done` says that none will.
async fn wait_for_the_turn(database: &Database, sessions: u32, done: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while !done() && started.elapsed() < Duration::from_secs(30) {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        if database.psql(waiting) == sessions.to_string() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_seen_in_the_order_of_their_numbers() {
    let (store, database) = opened().await;
    let store = Arc::new(store);
    let mut seed = Seed::begin(&*store).await;
    seed.reissued_card(1, None).await;
    let plastic = seed.work.plastic(&issuer(), plastic_id(2)).await.unwrap().unwrap();
    // The first number is given, and its transaction is open.
    seed.work.move_plastic(&issuer(), &plastic, PlasticStatus::Cancelled, marked()).await.unwrap();
    let second = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.note_event("second", None, &serde_json::json!({})).await })
    };
    assert!(wait_for_the_turn(&database, 1, || second.is_finished()).await, "the second writer takes its turn");
    assert_eq!(store.events(0, 10).await.unwrap(), [], "nothing a reader would go on behind");
    seed.commit().await;
    second.await.unwrap().unwrap();
    let events = store.events(0, 10).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["plastic.moved", "second"]);
    assert!(events[0].number < events[1].number);
}

/// A claim that ends has the turn and asks for the epoch, a run that begins asks for both: in another order they would end
/// each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_begins_while_a_claim_ends_takes_its_turn_first() {
    let (store, database) = opened().await;
    let store = Arc::new(store);
    marked_cards(&*store, [1, 2]).await;
    let run = Run::begin(&*store, 20, 1).await;
    // Somebody has the turn.
    let mut seed = Seed::begin(&*store).await;
    seed.reissued_card(11, None).await;
    let plastic = seed.work.plastic(&issuer(), plastic_id(12)).await.unwrap().unwrap();
    seed.work.move_plastic(&issuer(), &plastic, PlasticStatus::Cancelled, marked()).await.unwrap();
    let claims = Arc::clone(&store);
    let claim = tokio::spawn(async move {
        let mut decide = Disturbed::by(|| ());
        let claimed = claims.claim(&run.order("HOUSE"), &mut decide).await;
        (claimed.map(|claimed| claimed.files.len()), decide.restarts)
    });
    assert!(wait_for_the_turn(&database, 1, || claim.is_finished()).await, "the claim is at its end");
    let begins = Arc::clone(&store);
    let begin = tokio::spawn(async move { Run::begin(&*begins, 20, 2).await.epoch });
    assert!(wait_for_the_turn(&database, 2, || begin.is_finished()).await, "and another run begins");
    seed.commit().await;
    let (claimed, restarts) = claim.await.unwrap();
    assert_eq!((claimed.unwrap(), restarts, begin.await.unwrap()), (1, 0, 2));
    assert_eq!(found(&*store, &[]).await, []);
}

#[tokio::test]
async fn r133_the_lock_is_for_one_and_names_its_holder() {
    let (first, database) = opened().await;
    let second = open(&database, false).await.unwrap();
    let held = first.lock("process 17 on alpha").await.unwrap();
    match second.lock("process 18 on beta").await {
        Err(StoreError::Locked { holder }) => {
            assert!(holder.starts_with("process 17 on alpha (server process "), "{holder}");
            assert!(holder.ends_with(" from 127.0.0.1)"), "{holder}");
        }
        other => panic!("{other:?}"),
    }
    drop(held);
    drop(second.lock("process 18 on beta").await.unwrap());
    let elsewhere = Cluster::shared().database();
    let third = open(&elsewhere, true).await.unwrap();
    let _held = first.lock("process 17 on alpha").await.unwrap();
    drop(third.lock("process 19 on gamma").await.unwrap());
}

#[tokio::test]
async fn r133_a_session_that_ends_frees_the_lock_whatever_its_holder_thinks() {
    let (store, database) = opened().await;
    let dead = store.lock("process 17 on alpha").await.unwrap();
    assert!(database.kill_connections() > 0);
    let held = store.lock("process 18 on beta").await.unwrap();
    drop(dead);
    match store.lock("process 19 on gamma").await {
        Err(StoreError::Locked { holder }) => assert!(holder.starts_with("process 18 on beta"), "{holder}"),
        other => panic!("{other:?}"),
    }
    drop(held);
}

#[tokio::test]
async fn r133_a_server_that_crashed_locks_nobody_out() {
    let cluster = Cluster::start_with(&[]);
    let database = cluster.database();
    let store = open(&database, true).await.unwrap();
    let _dead = store.lock("process 17 on alpha").await.unwrap();
    cluster.crash();
    assert!(matches!(store.lock("process 18 on alpha").await, Err(StoreError::Unavailable { .. })));
    cluster.start();
    drop(store.lock("process 18 on alpha").await.unwrap());
}

#[tokio::test]
async fn a_server_that_was_started_again_costs_connections_and_no_night() {
    let cluster = Cluster::start_with(&[]);
    let database = cluster.database();
    let store = open(&database, true).await.unwrap();
    store.set_marker("spool", "a").await.unwrap();
    cluster.crash();
    cluster.start();
    assert_eq!(store.marker("spool").await.unwrap().as_deref(), Some("a"));
}

/// What a session of ours is set to where a marker is written, and whoever thinks otherwise.
async fn settings_of_a_session(cluster: &Arc<Cluster>, setting: &str) -> String {
    let database = cluster.database();
    let store = open(&database, true).await.unwrap();
    let record = format!(
        "CREATE TABLE seen (setting TEXT);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO seen SELECT current_setting('{setting}'); RETURN NEW; END $$;
         CREATE TRIGGER look BEFORE INSERT ON marker FOR EACH ROW EXECUTE FUNCTION look();"
    );
    database.psql_as(OWNER, &record).unwrap();
    store.set_marker("spool", "a").await.unwrap();
    database.psql("SELECT setting FROM seen")
}

#[tokio::test]
async fn sessions_are_durable_and_nothing_ends_a_claim_half_way() {
    let cluster = Cluster::start_with(&[
        "synchronous_commit = off",
        "statement_timeout = '1h'",
        "lock_timeout = '1h'",
        "idle_session_timeout = '1h'",
        "idle_in_transaction_session_timeout = '1h'",
    ]);
    for (setting, wanted) in [
        ("synchronous_commit", "on"),
        ("statement_timeout", "0"),
        ("lock_timeout", "10min"),
        ("idle_session_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("tcp_keepalives_idle", "30"),
        ("application_name", "emboss"),
        ("client_encoding", "UTF8"),
    ] {
        assert_eq!(settings_of_a_session(&cluster, setting).await, wanted, "{setting}");
    }
}

#[tokio::test]
async fn a_server_that_waits_for_its_standbys_goes_on_doing_so() {
    let cluster = Cluster::start_with(&["synchronous_commit = remote_apply"]);
    assert_eq!(settings_of_a_session(&cluster, "synchronous_commit").await, "remote_apply");
}
