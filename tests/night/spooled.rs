//! Sealed files that were left in the spool: frozen, lost, changed, and no longer in need of a key.

use emboss::report::Outcome;
use emboss::settlement::FileState;
use serde_json::json;

use crate::site::{DATE, ISSUER, ORDERED, Site, card, of, only, only_file, sha256, with};
use crate::tripwire::{Tripwire, When};

/// SPOOL_LOST: the sealed bytes are gone. Before any rename the file is sealed again under its id and
/// number; after one nobody can say what the house has.
#[tokio::test]
async fn r125_lost_sealed_bytes_are_sealed_again_before_a_rename_and_uncertain_after_one() {
    for (step, expected) in
        [("seal", FileState::Settled), ("complete", FileState::Settled), ("rename", FileState::Uncertain)]
    {
        let site = Site::with_cards(&[3001, 3002]).await;
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, step, When::After);
        site.run_fails(&night, DATE).await;
        drop(night);
        let before = site.files().await;
        for name in site.names_in("spool").iter().filter(|name| name.ends_with(".pgp")) {
            std::fs::remove_file(site.path("spool").join(name)).unwrap();
        }
        let report = site.run(DATE).await;
        assert_eq!(only_file(&report).state, expected, "lost after {step}: {report}");
        assert!(report.arithmetic().adds_up());
        let after = site.files().await;
        assert_eq!((&before[0].file_id, before[0].sequence_number), (&after[0].file_id, after[0].sequence_number));
        if expected == FileState::Settled {
            assert_eq!(site.delivered()[0].cards(), [3001, 3002]);
            assert_eq!(after[0].sha256.as_deref(), Some(&*sha256(&site.delivered()[0].sealed)));
            assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 2);
        } else {
            assert_eq!((site.status(3001).await, report.exit_code()), ("INACTIVE".into(), 1));
        }
    }
}

/// Lost while it was uploaded a second time, after a rename that is known to have failed: the house may have seen the
/// first bytes, so they are not replaced by others; the other agreements go on.
#[tokio::test]
async fn r125_r11_bytes_lost_after_an_earlier_rename_stop_their_agreement_only() {
    let mut site = Site::with_cards(&[3001]).await;
    site.one_at_a_time();
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y)]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "send", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    site.sql("UPDATE file SET rename_attempted = 1").await;
    for name in site.names_in("spool").iter().filter(|name| name.ends_with(".pgp")) {
        std::fs::remove_file(site.path("spool").join(name)).unwrap();
    }
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
    assert_eq!(of(&report, ISSUER, "FACTORY_X").outcome, Outcome::Unfinished);
    assert_eq!(of(&report, ISSUER, "FACTORY_Y").outcome, Outcome::Delivered);
    assert!(site.names_in("out").is_empty());
}

/// Changed bytes in the spool are never sent.
#[tokio::test]
async fn r125_changed_sealed_bytes_are_not_sent() {
    let site = Site::with_cards(&[3001]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "seal", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    let name = site.names_in("spool").into_iter().find(|name| name.ends_with(".pgp")).unwrap();
    let path = site.path("spool").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let report = site.run(DATE).await;
    let wrong: Vec<_> = site.delivered().iter().map(|file| sha256(&file.sealed)).collect();
    assert!(wrong.iter().all(|sent| Some(sent) == site_sha(&report).as_ref()), "what was sent is what the ledger says");
    assert!(report.arithmetic().adds_up(), "{report}");
}

fn site_sha(report: &emboss::report::Report) -> Option<String> {
    only_file(report).sha256.clone()
}

/// A key that goes bad after sealing keeps no sealed file from its house, and no delivered one from being settled.
#[tokio::test]
async fn r135_a_file_that_is_sealed_needs_no_key_any_more() {
    for step in ["seal", "publish"] {
        let site = Site::with_cards(&[3001]).await;
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, step, When::After);
        site.run_fails(&night, DATE).await;
        drop(night);
        site.write_key("keys/factory-x.asc", b"no key at all");
        let report = site.run(DATE).await;
        assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{step}: {report}");
        assert_eq!(site.status(3001).await, "ACTIVE");
        let again = site.run(DATE).await;
        assert_eq!((again.exit_code(), only(&again).outcome), (0, Outcome::AlreadyDelivered), "{again}");
    }
}

/// ... but a claimed one does; the arithmetic holds all the same.
#[tokio::test]
async fn r135_a_claimed_file_waits_for_the_key() {
    let site = Site::with_cards(&[3001]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "claim", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    let right = std::fs::read(site.path("keys/factory-x.asc")).unwrap();
    site.write_key("keys/factory-x.asc", b"no key at all");
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
    assert_eq!(report.to_json()["undelivered"], json!({"byState": {"CLAIMED": 1}}));
    assert!(only(&report).reason.as_deref().unwrap().contains("KEY_UNUSABLE"));
    assert!(site.names_in("out").is_empty() && site.names_in("spool").iter().all(|name| !name.ends_with(".pgp")));
    site.write_key("keys/factory-x.asc", &right);
    assert_eq!(site.run(DATE).await.exit_code(), 0);
}
