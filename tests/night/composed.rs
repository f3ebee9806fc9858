//! Cards that fall out while their file is being made, files without cards, and a run that was overtaken.

use emboss::report::Outcome;
use emboss::settlement::FileState;
use serde_json::json;

use crate::site::{DATE, NEXT, ORDERED, Site, card, only, only_file, update_card};
use crate::tripwire::{Tripwire, When};

/// A key that is not there fails one card's verification values while its file is composed.
#[tokio::test]
async fn r11_r40_r41_a_card_that_fails_while_composing_falls_out_and_keeps_its_pin_and_letter() {
    let site = Site::with_cards(&[3001, 3002, 3003]).await;
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id = 3002").await;
    let report = site.run(DATE).await;
    let sum = report.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.held, sum.adds_up()), (3, 2, 1, true), "{report}");
    assert_eq!(report.total().held.get("CRYPTO_UNAVAILABLE"), Some(&1));
    let file = &site.delivered()[0];
    assert_eq!((file.cards(), file.header.number_of_records), (vec![3001, 3003], 2));
    assert_eq!(file.name, "TST_246001_FACTORY_X_20261121T030000Z_000001_2_V2.xml.pgp", "the name counts what is in it");
    assert_eq!((site.status(3002).await, site.status(3003).await), ("INACTIVE".into(), "ACTIVE".into()));
    let open = site.texts("SELECT record_uid FROM production_request WHERE state = 'OPEN' AND card_id = 3002").await;
    let pin = site.texts("SELECT hex(stored) FROM pin WHERE card_id = 3002").await;

    site.sql("UPDATE plastic SET cvv_key = 'cvk-1' WHERE card_id = 3002").await;
    let report = site.run(NEXT).await;
    assert_eq!(report.arithmetic().delivered, 1, "{report}");
    let record = &site.delivered()[1].records[0];
    assert_eq!(record.record_uid.to_string(), open[0], "the request keeps its recordUid");
    assert!(record.pin_mailer.is_some(), "R41: its letter is still owed");
    assert_eq!(site.texts("SELECT hex(stored) FROM pin WHERE card_id = 3002").await, pin, "R40: no second PIN");
}

#[tokio::test]
async fn r131_if_every_card_falls_out_the_file_goes_empty_and_the_numbers_have_no_gap() {
    let site = Site::with_cards(&[3001]).await;
    site.sql("UPDATE plastic SET cvv_key = 'gone'").await;
    let report = site.run(DATE).await;
    assert_eq!((only_file(&report).state, only_file(&report).records), (FileState::Settled, 0), "{report}");
    assert!(report.arithmetic().adds_up());
    assert_eq!((site.delivered()[0].records.len(), site.delivered()[0].header.sequence_number), (0, 1));
    site.sql("UPDATE plastic SET cvv_key = 'cvk-1'").await;
    site.run(NEXT).await;
    assert_eq!((site.delivered()[1].cards(), site.delivered()[1].header.sequence_number), (vec![3001], 2));
}

#[tokio::test]
async fn r12_an_empty_file_is_resumed_like_any_other() {
    for step in ["claim", "seal", "complete", "rename", "publish"] {
        let site = Site::with_cards(&[]).await;
        site.edit("include_phone = true", "include_phone = true\nemit_empty = true");
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, step, When::After);
        site.run_fails(&night, DATE).await;
        drop(night);
        let report = site.run(DATE).await;
        assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{step}: {report}");
        assert_eq!(site.delivered().len(), 1, "{step}");
    }
}

/// Fault 22: another run has taken the file over while this one was paused; it can commit nothing and publishes nothing.
#[tokio::test]
async fn fault_22_a_run_that_was_overtaken_commits_nothing_afterwards() {
    for (state, seen) in
        [("SENDING", "SENDING"), ("READY", "READY"), ("RENAMING", "RENAMING"), ("PUBLISHED", "PUBLISHED")]
    {
        let site = Site::with_cards(&[3001]).await;
        site.sql(&format!(
            "CREATE TRIGGER overtaken AFTER UPDATE OF state ON file WHEN NEW.state = '{state}'
             BEGIN UPDATE file SET epoch = NEW.epoch + 1 WHERE file_id = NEW.file_id;
                   UPDATE meta SET epoch = epoch + 1; END"
        ))
        .await;
        let night = site.open_for(DATE).await;
        let error = site.run_fails(&night, DATE).await;
        assert_eq!((error.exit_code(), site.states().await), (3, vec![seen.to_owned()]), "{state}: {error}");
        assert_eq!(site.status(3001).await, "INACTIVE", "{state}");
        drop(night);
        site.sql("DROP TRIGGER overtaken").await;
        let report = site.run(DATE).await;
        assert_eq!((report.exit_code(), site.names_in("out").len()), (0, 1), "{state}: {report}");
        assert_eq!(site.status(3001).await, "ACTIVE");
    }
}

/// R120: the cardholder's row is pinned like the card's.
#[tokio::test]
async fn r120_an_address_changed_before_the_claim_is_in_the_file_one_changed_after_it_is_not() {
    let moves_to = |street: &str| {
        let address = json!({"address1": street, "city": "Lemland", "zipCode": "22610", "country": "FIN"});
        json!({"op": "updateCustomer", "customerId": "1001", "body": {"address": address}})
    };
    let site = Site::with_cards(&[3001]).await;
    site.take("2026-11-21T03:00:02Z", &[moves_to("Before 1")]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "claim", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    site.take("2026-11-21T03:00:06Z", &[moves_to("After 2"), update_card(3001, json!({"segment": "SEGMENT_B"}))]).await;
    site.run(DATE).await;
    let record = &site.delivered()[0].records[0];
    let (letter, parcel) = (record.pin_mailer.as_ref().unwrap(), record.card_delivery.as_ref().unwrap());
    assert_eq!(parcel.address.address1.as_deref(), Some("Before 1"));
    assert_eq!(letter.address.address1.as_deref(), Some("Before 1"));
    assert!(record.segment.is_none(), "the order came after the claim");
    // A card ordered meanwhile carries the newest.
    site.take(ORDERED, &[card(3002, 1001)]).await;
    site.run(NEXT).await;
    let parcel = site.delivered()[1].records[0].card_delivery.clone().unwrap();
    assert_eq!(parcel.address.address1.as_deref(), Some("After 2"));
}
