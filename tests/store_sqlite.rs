//! The store's contract on SQLite, and what only SQLite has.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

#[path = "support/store_contract.rs"]
mod store_contract;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::ambient::{Clock, Random};
use emboss::store::{SqlStore, Store, StoreError};
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

async fn open(folder: &TempDir, create: bool) -> Result<SqlStore, StoreError> {
    let random = Arc::new(Random::seeded(1));
    SqlStore::sqlite(&folder.path().join("night.db"), Duration::from_secs(30), Arc::new(clock()), random, create).await
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
    claims {
        a_claim_freezes_what_was_decided,
        r12_nothing_due_makes_no_file_and_takes_no_number,
        r131_numbers_have_no_gaps,
        a_stopped_claim_leaves_only_its_reason,
        an_agreement_is_claimed_once_a_night,
        an_agreement_stops_before_claiming,
        a_claim_closes_what_needs_no_record,
        a_decision_on_a_request_that_is_not_due_is_refused,
        more_records_than_fit_go_into_several_files_by_sort_key,
        a_file_holds_exactly_as_many_records_as_agreed,
        a_claim_of_many_pages_misses_nothing,
        r120_an_update_after_the_claim_is_not_in_the_file,
        a_later_cut_off_claims_the_same_file_again,
        a_file_taken_back_goes_out_even_empty,
        a_run_that_was_superseded_claims_nothing,
        a_released_item_is_due_again,
        r40_the_first_pin_of_a_request_wins,
        r35_a_stored_pin_is_pinned_as_it_was_decided_on,
        two_pins_for_one_card_get_two_versions,
        an_on_demand_run_narrows_to_cards,
    }
    files {
        epochs_grow_and_runs_are_kept,
        a_marker_is_written_once,
        a_probe_is_kept_until_the_next_one,
        an_event_can_be_noted_on_its_own,
        a_file_goes_its_way_and_tells_every_step,
        a_transition_out_of_the_table_is_illegal,
        fault_22_a_stale_epoch_or_state_moves_nothing,
        sealing_counts_the_items,
        a_change_of_another_transition_is_refused,
        a_new_attempt_has_a_new_number_and_renames_from_one,
        a_lost_spool_is_sealed_again_before_any_rename,
        after_a_rename_nothing_is_sealed_again,
        an_abandoned_file_goes_out_empty,
        a_doubtful_file_waits_for_a_person,
    }
    settlements {
        r60_nothing_moves_before_the_settlement_and_all_with_it,
        r63_an_active_plastic_closes_the_older_ones_of_its_card,
        r64_r65_a_locked_plastic_leaves_the_older_ones_alone,
        r67_pin_orders_and_reproductions_move_nothing,
        r69_a_plastic_that_is_not_inactive_is_told_and_the_others_move,
        r70_one_event_per_plastic_with_its_record,
        r37_a_night_never_changes_the_pin_status,
        r28_a_letter_with_the_card_supersedes_the_waiting_pin_order,
        r28_without_a_letter_the_pin_order_goes_on_waiting,
        r125_cards_closed_after_the_claim_are_counted,
        fault_8_a_settlement_asked_for_again_tells_the_same,
        a_night_is_done_with_its_last_file,
        r7_institutions_are_apart,
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
