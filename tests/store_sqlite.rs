//! The store's contract on SQLite, and what only SQLite has.

#[path = "support/store_contract.rs"]
mod store_contract;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::ambient::{Clock, Random};
use emboss::store::{SqliteStore, StoreError};
use store_contract::seed::at;
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

async fn open(folder: &TempDir, create: bool) -> Result<SqliteStore, StoreError> {
    let random = Arc::new(Random::seeded(1));
    SqliteStore::open(&folder.path().join("night.db"), Duration::from_secs(30), Arc::new(clock()), random, create).await
}

macro_rules! contract {
    ($($module:ident { $($promise:ident),+ $(,)? })+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::open(&folder, true).await.unwrap();
                super::store_contract::$module::$promise(&store).await;
            })+
        })+
    };
}

contract! {
    intake {
        what_intake_writes_it_reads_back,
        a_dropped_unit_of_work_leaves_nothing,
        versions_follow_each_other,
        next_id_skips_ids_in_use,
        a_card_number_exists_once_over_all_institutions,
        r130_one_normal_request_per_plastic_and_event,
        a_status_moves_only_from_where_it_was_read,
        a_dossier_holds_the_whole_card,
        r6_due_is_marked_until_the_cut_off_inclusive,
        r8_every_card_has_one_route,
        dossiers_come_in_pages_by_card,
    }
}

#[tokio::test]
async fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await.unwrap();
    let mut seed = store_contract::seed::Seed::begin(&store).await;
    seed.marked_card(1, None).await;
    seed.commit().await;
    for name in ["night.db", "night.db-wal", "night.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
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
    sqlx::query("UPDATE meta SET schema_version = 2").execute(&mut newer).await.unwrap();
    let refusal = open(&folder, false).await.unwrap_err();
    assert_eq!(refusal.to_string(), "the database has schema version 2, this program needs 1");
}
