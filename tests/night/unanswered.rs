//! A database that does not say whether it wrote what it was given: the night reads, and does what is left to do.

use std::sync::Arc;

use emboss::report::Outcome;

use crate::site::{DATE, Site, night_of, only};
use crate::tripwire::{Tripwire, When};

/// Fault 8 at every writing step of a night, whether it was written or not: no run is lost for it, and nothing is done
/// twice. Before its epoch a run has nothing to read by: there it ends with 3.
#[tokio::test]
async fn fault_8_an_unanswered_commit_is_read_and_not_repeated() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let mut night = site.open_for(DATE).await;
    let listing = Tripwire::listing(night.store);
    night.store = Arc::clone(&listing) as _;
    night.run(&night_of(DATE)).await.unwrap();
    for (number, step) in listing.steps().iter().enumerate().skip(1) {
        for when in [When::UnansweredAfter, When::UnansweredBefore] {
            let what = format!("{step} {when:?}");
            let site = Site::with_cards(&[3001, 3002]).await;
            let mut night = site.open_for(DATE).await;
            night.store = Tripwire::number(night.store, number, when);
            let report = night.run(&night_of(DATE)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let sum = report.arithmetic();
            assert_eq!((report.exit_code(), sum.delivered, sum.adds_up()), (0, 2, true), "{what}: {report}");
            drop(night);
            assert_eq!(site.events("plastic.moved").await.len(), 2, "{what}");
            assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 2, "{what}");
            assert_eq!(site.number("SELECT COUNT(*) FROM run WHERE exit_code = 0").await, 1, "{what}");
            let again = site.run(DATE).await;
            assert_eq!((only(&again).outcome, again.exit_code()), (Outcome::AlreadyDelivered, 0), "{what}: {again}");
            assert_eq!(site.names_in("out").len(), 1, "{what}");
        }
    }
}

/// A claim whose COMMIT the server carries out behind our look: what it claimed is not taken for nothing.
#[tokio::test]
async fn fault_8_a_claim_that_is_committed_behind_the_look_is_left_to_the_next_run() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "claim", When::UnansweredLate);
    let ended = night.run(&night_of(DATE)).await;
    assert_eq!(ended.map_or_else(|error| error.exit_code(), |report| report.exit_code()), 3, "run again");
    drop(night);
    let again = site.run(DATE).await;
    assert_eq!((again.exit_code(), again.arithmetic().delivered), (0, 2), "{again}");
    assert_eq!(site.delivered()[0].cards(), [3001, 3002]);
}

/// The same for a file that an earlier try left, and for cards that fall out.
#[tokio::test]
async fn fault_8_an_unanswered_take_over_and_release() {
    for (step, when) in [
        ("adopt", When::UnansweredAfter),
        ("adopt", When::UnansweredBefore),
        ("release", When::UnansweredAfter),
        ("release", When::UnansweredBefore),
    ] {
        let site = Site::with_cards(&[3001, 3002]).await;
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, "save_pins", When::After);
        site.run_fails(&night, DATE).await;
        drop(night);
        site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id = 3002").await;
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, step, when);
        let report = night.run(&night_of(DATE)).await.unwrap_or_else(|error| panic!("{step} {when:?}: {error}"));
        assert_eq!(report.total().held.get("CRYPTO_UNAVAILABLE"), Some(&1), "{step} {when:?}: {report}");
        assert!(report.arithmetic().adds_up(), "{step} {when:?}: {report}");
        assert_eq!(site.delivered()[0].cards(), [3001], "{step} {when:?}");
        assert_eq!(site.events("item.released").await.len(), 1, "{step} {when:?}");
    }
}
