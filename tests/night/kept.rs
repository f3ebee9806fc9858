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
    assert_eq!(ended[0]["report"], report.to_json());
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
