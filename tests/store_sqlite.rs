//! The store's contract on SQLite, and what only SQLite has.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

#[path = "support/store_contract.rs"]
mod store_contract;
#[path = "support/store_tampered.rs"]
mod store_tampered;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::ambient::{Clock, Random};
use emboss::store::{Audits, SqlStore, Store, StoreError};
use store_contract::seed::{at, audit_key};
use tempfile::TempDir;

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

async fn open(folder: &TempDir, create: bool) -> Result<SqlStore, StoreError> {
    let random = Arc::new(Random::seeded(1));
    SqlStore::sqlite(&folder.path().join("night.db"), Duration::from_secs(30), Arc::new(clock()), random, create)
        .await
        .map(|store| store.with_audit_key(audit_key()))
}

/// A new database, and what it lies in.
async fn opened() -> (SqlStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(&folder, true).await.unwrap(), folder)
}

store_contract::contract!(opened);
store_tampered::tampered!(opened, tamper);

async fn tamper(folder: &TempDir, sql: &str) {
    use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
    let path = folder.path().join("night.db");
    let mut database = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let unguarded = "DROP TRIGGER IF EXISTS audit_never_changes; DROP TRIGGER IF EXISTS audit_is_never_emptied;";
    sqlx::raw_sql(unguarded).execute(&mut database).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn the_audit_only_grows() {
    use sqlx::{Connection, SqliteConnection};
    let (store, folder) = opened().await;
    store.enter("import.begun", "one", &serde_json::json!({})).await.unwrap();
    let path = folder.path().join("night.db");
    let mut database = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    for change in ["UPDATE audit SET actor = 'bert'", "DELETE FROM audit"] {
        let refusal = sqlx::raw_sql(change).execute(&mut database).await.unwrap_err().to_string();
        assert!(refusal.contains("the audit is append-only"), "{refusal}");
    }
}

#[tokio::test]
async fn without_the_key_nothing_is_done_that_has_to_be_entered() {
    use store_contract::night::run_row;
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder, true).await.unwrap());
    let random = Arc::new(Random::seeded(1));
    let path = folder.path().join("night.db");
    let reader = SqlStore::sqlite(&path, Duration::from_secs(30), Arc::new(clock()), random, false).await.unwrap();
    let refused = reader.begin_run(&run_row(emboss::card::RunId(uuid::Uuid::from_u128(1)), 20)).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoAuditKey), "{refused:?}");
    assert_eq!((reader.runs(10).await.unwrap(), reader.audit_head().await.unwrap()), (vec![], None));
}

#[tokio::test]
async fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await.unwrap();
    let mut seed = store_contract::seed::Seed::begin(&store).await;
    seed.marked_card(1, None).await;
    seed.commit().await;
    let _held = store.lock("host 1").await.unwrap();
    for name in ["night.db", "night.db-wal", "night.db-shm", "night.db.lock"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn r133_the_lock_is_for_one_and_names_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder, true).await.unwrap();
    let second = open(&folder, false).await.unwrap();
    let held = first.lock("process 17 on alpha").await.unwrap();
    match second.lock("process 18 on beta").await {
        Err(StoreError::Locked { holder }) => assert_eq!(holder, "process 17 on alpha"),
        other => panic!("{other:?}"),
    }
    drop(held);
    drop(second.lock("process 18 on beta").await.unwrap());
}

#[tokio::test]
async fn r133_what_a_crash_leaves_locks_nobody_out_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await.unwrap();
    // A crash takes the lock along and leaves the holder's name, here one that claims to be from the future.
    std::fs::write(folder.path().join("night.db.lock"), "process 17 on alpha since 2099-12-31T00:00:00Z").unwrap();
    drop(store.lock("process 18 on alpha").await.unwrap());
}

#[tokio::test]
async fn a_missing_file_is_not_made_unasked() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(open(&folder, false).await, Err(StoreError::Unavailable { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_of_another_program_or_version_is_refused() {
    use sqlx::{Connection, SqliteConnection};
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("night.db").display());
    let mut foreign = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE theirs (a)").execute(&mut foreign).await.unwrap();
    let refusal = open(&folder, true).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Schema { .. }), "{refusal:?}");

    let folder = tempfile::tempdir().unwrap();
    open(&folder, true).await.unwrap().close().await;
    let url = format!("sqlite:{}", folder.path().join("night.db").display());
    let mut newer = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("UPDATE meta SET schema_version = 3").execute(&mut newer).await.unwrap();
    let refusal = open(&folder, false).await.unwrap_err();
    assert!(refusal.to_string().contains("has schema version 3, this program needs 2"), "{refusal}");
}

#[tokio::test]
async fn the_data_are_as_of_the_whole_second_of_the_claim() {
    use store_contract::night::{Run, Script};
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await.unwrap();
    let run = Run::begin(&store, 20, 1).await;
    let claimed = run.claim(&store, &mut Script::default()).await;
    assert_eq!(claimed.data_as_of, at("2026-11-20T03:00:12Z"));
}

/// Fault 32: orders are imported through one connection while a run claims through another; both finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_32_import_and_claim_at_once_both_finish() {
    use store_contract::night::{Run, Script, plastics_in};
    use store_contract::seed::Seed;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await.unwrap();
    let mut seed = Seed::begin(&store).await;
    for number in 1..=500 {
        seed.marked_card(number, None).await;
    }
    seed.commit().await;
    let run = Run::begin(&store, 20, 1).await;
    let importer = open(&folder, false).await.unwrap();
    let import = tokio::spawn(async move {
        for batch in 0..10 {
            let mut seed = Seed::begin(&importer).await;
            for number in 0..20 {
                seed.marked_card(1_000 + batch * 20 + number, None).await;
            }
            seed.commit().await;
        }
    });
    let file = run.claim(&store, &mut Script::default()).await.files.remove(0);
    import.await.unwrap();
    // What was committed before the claim's turn is in it, what came after stays OPEN; nothing is lost or doubled.
    let claimed = plastics_in(&store, file.file_id).await.len() as u64;
    let open: u64 = store.due_institutions(at("2026-11-20T03:00:00Z")).await.unwrap().iter().map(|due| due.1).sum();
    assert_eq!(claimed + open, 700);
    assert!(claimed >= 500);
}

/// A transaction that was dropped does not hold the writer.
#[tokio::test]
async fn a_dropped_claim_leaves_the_database_free() {
    use store_contract::night::{Run, Script};
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await.unwrap();
    let old = Run::begin(&store, 20, 1).await;
    let new = Run::begin(&store, 20, 2).await;
    let refused = store.claim(&old.order("HOUSE"), &mut Script::default()).await;
    assert!(refused.is_err());
    assert!(new.claim(&store, &mut Script::default()).await.files.is_empty());
}
