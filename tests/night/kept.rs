//! What a run must not forget: files only a person can decide, files of more cards than it was asked for, its own
//! summary.

use emboss::report::Outcome;
use emboss::settlement::FileState;
use serde_json::json;

use crate::site::{DATE, NEXT, Site, card, only, only_file};
use crate::tripwire::{Tripwire, When};

/// The first of two files finds its name taken; the second goes. Every later run tells of the first, exits 1 and adds
/// up, until a person decides.
#[tokio::test]
async fn r137_every_run_tells_of_an_uncertain_file_and_adds_up() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.edit("version = 2", "version = 2\nmax_records_per_file = 1");
    let taken = "TST_246001_FACTORY_X_20261121T030000Z_000001_1_V2.xml.pgp";
    std::fs::write(site.path("out").join(taken), b"somebody else's").unwrap();
    let first = site.run(DATE).await;
    assert_eq!(site.states().await, ["UNCERTAIN", "SETTLED"], "{first}");
    let sum = first.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.adds_up(), first.exit_code()), (2, 1, true, 1), "{first}");

    let again = site.run(DATE).await;
    let sum = again.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.undelivered["UNCERTAIN"]), (1, 0, 1), "{again}");
    assert_eq!((sum.adds_up(), again.exit_code()), (true, 1), "{again}");
    assert_eq!((only(&again).outcome, only_file(&again).state), (Outcome::Unfinished, FileState::Uncertain));
    assert!(only(&again).reason.as_deref().unwrap().contains(taken), "{again}");

    site.take("2026-11-21T10:00:00Z", &[card(3003, 1001)]).await;
    let next = site.run(NEXT).await;
    assert_eq!((only(&next).outcome, next.arithmetic().delivered), (Outcome::Delivered, 1), "{next}");
    assert_eq!((next.resumed.len(), next.exit_code()), (1, 1), "a person is still needed: {next}");
    assert_eq!(next.resumed[0].state, FileState::Uncertain);
}

/// R140: a run asked for one card neither sends a night's stale file as it was decided, nor claims it again for that
/// one card and leaves the night's others for another day.
#[tokio::test]
async fn r140_a_run_of_one_card_leaves_a_claimed_night_alone() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "claim", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    site.take("2026-11-21T08:00:00Z", &[card(3003, 1001)]).await;

    let narrow = site.run_now("2026-11-21T09:00:00Z", &[3003]).await;
    assert_eq!((only(&narrow).outcome, narrow.exit_code()), (Outcome::Unfinished, 1), "{narrow}");
    assert_eq!(narrow.total().held.get("WAITING_FOR_EARLIER_FILE"), Some(&1), "{narrow}");
    assert_eq!((site.states().await, site.names_in("out").len()), (vec!["CLAIMED".to_owned()], 0));

    let night = site.run(DATE).await;
    assert_eq!((night.exit_code(), night.arithmetic().delivered), (0, 2), "{night}");
    let narrow = site.run_now("2026-11-21T09:10:00Z", &[3003]).await;
    assert_eq!((narrow.exit_code(), narrow.arithmetic().delivered), (0, 1), "{narrow}");
}

#[tokio::test]
async fn r143_the_summary_of_a_run_is_an_event() {
    let site = Site::with_cards(&[3001]).await;
    let report = site.run(DATE).await;
    let ended = site.events("run.ended").await;
    assert_eq!(ended.len(), 1);
    assert_eq!((&ended[0]["runId"], &ended[0]["exitCode"]), (&json!(report.run_id), &json!(0)));
    assert_eq!(ended[0]["report"], report.to_stored_json());
    assert_eq!(ended[0]["report"]["agreements"][0]["files"][0]["sha256"], json!(only_file(&report).sha256));
}

/// T0 of an on-demand run is kept, compared and shown to the microsecond.
#[tokio::test]
async fn an_on_demand_cut_off_is_of_microseconds() {
    let site = Site::with_cards(&[3001]).await;
    let report = site.run_now("2026-11-20T12:00:00.123456789Z", &[]).await;
    assert_eq!(report.to_json()["cutOff"], "2026-11-20T12:00:00.123456Z");
    assert_eq!(report.arithmetic().delivered, 1);
}

/// Sealed bytes stay 35 days after SETTLED, and in no other state are they removed.
#[tokio::test]
async fn sealed_bytes_leave_the_spool_35_days_after_settlement_and_never_before() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    let sealed = || site.names_in("spool").iter().filter(|name| name.ends_with(".pgp")).count();
    assert_eq!(sealed(), 1);
    // Settled on 2026-11-21 at 03:00:04Z.
    site.run_now("2026-12-26T03:00:03Z", &[]).await;
    assert_eq!(sealed(), 1, "a second before");
    site.run_now("2026-12-26T03:00:04Z", &[]).await;
    assert_eq!(sealed(), 0, "35 days after");
    assert_eq!(site.names_in("out").len(), 1, "what the house has is the house's");

    let site = Site::with_cards(&[3001]).await;
    let taken = "TST_246001_FACTORY_X_20261121T030000Z_000001_1_V2.xml.pgp";
    std::fs::write(site.path("out").join(taken), b"somebody else's").unwrap();
    site.run(DATE).await;
    site.run_now("2027-12-26T03:00:04Z", &[]).await;
    assert_eq!(site.names_in("spool").iter().filter(|name| name.ends_with(".pgp")).count(), 1, "UNCERTAIN: kept");
}

/// What a backup keeps of the database.
pub(crate) async fn back_up(site: &Site) -> Vec<u8> {
    site.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
    std::fs::read(site.path("emboss.db")).unwrap()
}

pub(crate) fn restore(site: &Site, backup: &[u8]) {
    for name in ["emboss.db-wal", "emboss.db-shm"] {
        let _ = std::fs::remove_file(site.path(name));
    }
    // Another file under the same name: what is still open of the old one cannot write into it.
    std::fs::write(site.path("restored.db"), backup).unwrap();
    std::fs::rename(site.path("restored.db"), site.path("emboss.db")).unwrap();
}

/// Fault 31: a database from before the night does not know the journal's file.
#[tokio::test]
async fn fault_31_a_restored_database_does_not_produce_a_night_twice() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let before_claim = back_up(&site).await;
    site.run(DATE).await;
    let delivered = site.names_in("out");

    restore(&site, &before_claim);
    let night = site.open_for(DATE).await;
    let error = site.run_fails(&night, DATE).await;
    drop(night);
    assert_eq!(error.exit_code(), 1, "a person must look: {error}");
    assert!(error.to_string().contains("does not know it"), "{error}");
    assert_eq!((site.files().await.len(), site.names_in("out")), (0, delivered));
    assert_eq!(site.number("SELECT COUNT(*) FROM run").await, 0, "not even begun");
}

/// How far the journal may be ahead of each state, and what a run makes of it.
#[tokio::test]
async fn fault_31_one_line_ahead_is_a_crash_and_two_are_an_older_database() {
    // The states of a night that ended in PUBLISHED, set back by a person's SQL.
    for (state, renames, goes) in [
        ("PUBLISHED", 1, true),
        ("RENAMING", 1, true),
        ("READY", 0, false),
        ("SENDING", 0, false),
        ("SEALED", 0, false),
        ("CLAIMED", 0, false),
    ] {
        let site = Site::with_cards(&[3001]).await;
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, "settle", When::Before);
        site.run_fails(&night, DATE).await;
        drop(night);
        site.sql(&format!("UPDATE file SET state = '{state}', rename_attempted = {renames}")).await;
        site.sql(&format!("UPDATE delivery SET rename_attempt = {renames}")).await;
        let night = site.open_for(DATE).await;
        let outcome = night.run(&crate::site::night_of(DATE)).await;
        assert_eq!(outcome.is_ok(), goes, "{state}: {outcome:?}");
        let expected = if goes { "SETTLED" } else { state };
        assert_eq!((site.states().await, site.names_in("out").len()), (vec![expected.to_owned()], 1), "{state}");
    }
}

/// A line PUBLISHED is the proof, whatever the house has done with the file since.
#[tokio::test]
async fn fault_7_a_line_published_that_was_not_committed_is_published() {
    let site = Site::with_cards(&[3001]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "publish", When::Before);
    site.run_fails(&night, DATE).await;
    drop(night);
    let delivered = site.names_in("out");
    std::fs::remove_file(site.path("out").join(&delivered[0])).unwrap();
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (0, FileState::Settled), "{report}");
    assert_eq!((site.names_in("out").len(), site.status(3001).await), (0, "ACTIVE".to_owned()));
}

/// A line RENAME n that was not committed counts as the n-th rename.
#[tokio::test]
async fn a_line_rename_that_was_not_committed_counts_as_attempted() {
    let site = Site::with_cards(&[3001]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "rename", When::Before);
    site.run_fails(&night, DATE).await;
    drop(night);
    assert_eq!(site.states().await, ["READY"]);
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (0, FileState::Settled), "{report}");
    let renames: Vec<String> = std::fs::read_to_string(site.path("spool/journal"))
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once("RENAME ").map(|(_, n)| n.to_owned()))
        .collect();
    assert_eq!(renames, ["1 1", "2 1"], "number and attempt");
}

/// R69: found before the file is sealed, the item is released and the others go.
#[tokio::test]
async fn r69_a_plastic_that_was_moved_before_the_seal_is_released() {
    let site = Site::with_cards(&[3001, 3002, 3003]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "claim", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    site.sql("UPDATE plastic SET status = 'ACTIVE' WHERE card_id = 3002").await;
    let report = site.run(DATE).await;
    assert_eq!(site.delivered()[0].cards(), [3001, 3003], "{report}");
    assert_eq!(report.total().held.get("SETTLE_MISMATCH"), Some(&1), "{report}");
    assert_eq!((report.arithmetic().adds_up(), report.exit_code()), (true, 1), "an alert: {report}");
    let requests = site.texts("SELECT state FROM production_request ORDER BY card_id").await;
    assert_eq!(requests, ["SENT", "OPEN", "SENT"]);
}
