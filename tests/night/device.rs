//! Nights whose device for card secrets is slow, answers out of order, refuses cards, dies, or falls silent: nobody gets
//! a second PIN, no file leaves that is not whole, and running again goes on where it was lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use emboss::card::FileId;
use emboss::night::Night;
use emboss::report::{Outcome, Report};
use emboss::vault::{Owner, Wrapped};
use serde_json::json;

use crate::rigged_crypto::{Asked, End, RiggedCrypto};
use crate::set_pins::pan;
use crate::site::{DATE, ISSUER, ORDERED, Site, card, night_of, of, only, with};
use crate::tripwire::{Tripwire, When};

/// Cards from 3001 on.
fn numbered(cards: u32) -> Vec<u32> {
    (3001..3001 + cards).collect()
}

fn as_ids(cards: &[u32]) -> Vec<i64> {
    cards.iter().copied().map(i64::from).collect()
}

/// A night whose device answers so many at once.
async fn with_device(site: &Site, at_once: usize) -> (Night, RiggedCrypto) {
    let mut night = site.open_for(DATE).await;
    let device = RiggedCrypto::into(&mut night, at_once);
    (night, device)
}

/// Every PIN on record as it is stored, by its request.
async fn pins(site: &Site) -> BTreeMap<String, String> {
    let rows =
        site.texts("SELECT record_uid || ' ' || hex(stored) || ' ' || hex(pvv) || ' ' || version FROM pin").await;
    let pins: BTreeMap<_, _> = rows
        .iter()
        .map(|row| row.split_once(' ').expect("two parts"))
        .map(|(uid, pin)| (uid.into(), pin.into()))
        .collect();
    assert_eq!(pins.len(), rows.len(), "R40: a request has one PIN");
    pins
}

fn assert_kept(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    for (uid, pin) in before {
        assert_eq!(after.get(uid), Some(pin), "R40: the first persisted PIN of {uid} wins");
    }
}

/// The run could not make its file, says why, and left nothing but the claim and the PINs.
async fn assert_unmade(site: &Site, report: &Report, says: &[&str]) {
    let why = only(report).reason.as_deref().unwrap_or_default();
    assert!(says.iter().all(|text| why.contains(text)), "{why}");
    assert!(why.starts_with("CRYPTO_UNAVAILABLE: ") && only(report).outcome == Outcome::Unfinished, "{report}");
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
    assert_eq!((site.states().await, site.names_in("out").len()), (vec!["CLAIMED".to_owned()], 0), "nothing leaves");
    assert!(!site.names_in("spool").iter().any(|name| name.contains(".pgp")), "{:?}", site.names_in("spool"));
}

/// One file with these cards in this order, and in every record the PIN that is on record for its request.
async fn assert_made(site: &Site, night: &Night, report: &Report, cards: &[u32]) {
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (0, true), "{report}");
    let files = site.delivered();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].cards(), as_ids(cards), "by sort key, whatever was answered first");
    assert!(files[0].records.iter().map(|record| record.record_number).eq(1..=cards.len() as u64));
    let file_id: FileId = site.files().await[0].file_id.parse().unwrap();
    let items = night.store.items(file_id, None, 10_000).await.unwrap();
    for (item, record) in items.iter().zip(&files[0].records) {
        assert_eq!(item.record_uid, record.record_uid);
        let (owner, pin) =
            (Owner { institution: ISSUER.parse().unwrap(), card_id: Some(item.card_id) }, item.pin.as_ref().unwrap());
        let stored = night.vault.open_pin(&owner, pin.version, &Wrapped(pin.stored.clone())).unwrap();
        let block = &record.chip_pin.as_ref().unwrap();
        assert!(night.vault.crypto().verify_block(&record.pan, &stored, block).await.unwrap(), "the PIN on record");
    }
}

#[tokio::test]
async fn records_stand_by_sort_key_whatever_the_order_of_answers() {
    let cards = numbered(60);
    for at_once in [1, 2, 16] {
        let site = Site::with_cards(&cards).await;
        let (night, device) = with_device(&site, at_once).await;
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_eq!(device.most_at_once(), at_once, "as many at once as it answers, and no more");
        assert_eq!((device.asked(Asked::Issue), device.asked(Asked::Block), pins(&site).await.len()), (60, 60, 60));
        assert_made(&site, &night, &report, &cards).await;
    }
}

/// The device is lost in the middle of the PINs: those that it made are kept, and nobody gets a second one.
#[tokio::test]
async fn r34_r40_a_device_that_is_lost_half_way_through_the_pins_gives_nobody_a_second_one() {
    let cards = numbered(40);
    for (end, at_once) in [(End::Dies, 8), (End::Stalls, 8), (End::LosesItsKeys, 8), (End::Dies, 1), (End::Dies, 64)] {
        let site = Site::with_cards(&cards).await;
        let (night, device) = with_device(&site, at_once).await;
        device.ends_at(Asked::Issue, 21, end);
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_unmade(&site, &report, &["the device ", "20 of 40 PINs of file ", "run again to go on"]).await;
        assert!(device.asked(Asked::Issue) <= 20 + at_once, "{end:?}: a lost device is not asked for every card");
        let first = pins(&site).await;
        assert_eq!((first.len(), device.answered(Asked::Issue)), (20, 20), "{end:?}: all that was made is kept");

        // Lost again, further on.
        device.comes_back();
        device.ends_at(Asked::Issue, 31, end);
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_unmade(&site, &report, &["30 of 40 PINs"]).await;
        let second = pins(&site).await;
        assert_eq!(second.len(), 30);
        assert_kept(&first, &second);

        device.comes_back();
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_made(&site, &night, &report, &cards).await;
        let last = pins(&site).await;
        assert_kept(&second, &last);
        assert_eq!((last.len(), site.number("SELECT MAX(version) FROM pin").await), (40, 1), "R40: no second PIN");
        assert!(device.issued().values().all(|times| *times == 1), "{end:?}: {:?}", device.issued().values());
    }
}

/// Lost in the middle of the records: no byte leaves, the PINs stay, and the file is made whole later.
#[tokio::test]
async fn r34_r40_a_device_that_is_lost_half_way_through_the_records_leaves_the_file_claimed() {
    let cards = numbered(40);
    for (end, asked) in [(End::Dies, Asked::Block), (End::Stalls, Asked::Cvv), (End::LosesItsKeys, Asked::Cvv)] {
        let site = Site::with_cards(&cards).await;
        let (night, device) = with_device(&site, 8).await;
        device.ends_at(asked, 21, end);
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_unmade(&site, &report, &["the device ", "Nothing of this file was sent", "run again to go on"]).await;
        assert!(device.asked(asked) <= 20 + 8, "{end:?}: a lost device is not asked for every card");
        let (known, claimed) = (pins(&site).await, site.files().await);
        assert_eq!(known.len(), 40);

        device.comes_back();
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_made(&site, &night, &report, &cards).await;
        assert_eq!(pins(&site).await, known, "R40");
        assert_eq!(site.files().await[0].file_id, claimed[0].file_id);
        assert_eq!(device.asked(Asked::Issue), 40);
    }
}

/// A card the device makes no PIN for is held, wherever it stands; what a dying device says of a card is not believed.
#[tokio::test]
async fn r34_cards_without_a_pin_are_held_and_the_others_go() {
    let cards = numbered(20);
    let site = Site::with_cards(&cards).await;
    let (night, device) = with_device(&site, 6).await;
    for card in [3003, 3011] {
        device.refuses(&pan(&site, card).await);
    }
    device.ends_at(Asked::Issue, 15, End::Dies);
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_unmade(&site, &report, &["14 of 20 PINs"]).await;
    assert_eq!(site.events("item.released").await.len(), 0);
    device.comes_back();
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!(report.total().held.get("PIN_GENERATION_FAILED"), Some(&2), "{report}");
    assert_eq!((report.arithmetic().delivered, report.arithmetic().adds_up()), (18, true), "{report}");
    let expected: Vec<u32> = cards.into_iter().filter(|card| ![3003, 3011].contains(card)).collect();
    assert_eq!(site.delivered()[0].cards(), as_ids(&expected));
    assert_eq!(device.issued().values().sum::<usize>(), 18);
}

/// card-secrets.md 3: at the latest every 500 PINs are persisted. The database goes away before the second time.
#[tokio::test]
async fn r40_pins_are_persisted_every_500() {
    let cards = numbered(620);
    let site = Site::with_cards(&cards).await;
    let (mut night, device) = with_device(&site, 32).await;
    let store = Arc::clone(&night.store);
    // begin_run, claim, save_pins, save_pins.
    night.store = Tripwire::number(Arc::clone(&store), 3, When::Before);
    assert_eq!(site.run_fails(&night, DATE).await.exit_code(), 3);
    let first = pins(&site).await;
    assert_eq!((first.len(), device.answered(Asked::Issue)), (500, 620));

    // And a device that is lost behind a checkpoint.
    night.store = Arc::clone(&store);
    device.ends_at(Asked::Issue, 620 + 61, End::Dies);
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_unmade(&site, &report, &["560 of 620 PINs"]).await;
    let second = pins(&site).await;
    assert_kept(&first, &second);
    device.comes_back();
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_made(&site, &night, &report, &cards).await;
    assert_kept(&second, &pins(&site).await);
}

/// Fault 30: SIGTERM is heard between two answers; the PINs that were made until then are kept.
#[tokio::test]
async fn fault_30_sigterm_is_heard_while_a_device_works() {
    let cards = numbered(40);
    for (asked, at_most) in [(Asked::Issue, 40), (Asked::Cvv, 60)] {
        let site = Site::with_cards(&cards).await;
        let (night, device) = with_device(&site, 4).await;
        let stop = Arc::clone(&night.stop);
        device.watched_by(move |of, number| {
            if of == asked && number == 12 {
                stop.store(true, Ordering::Relaxed);
            }
        });
        assert_eq!(site.run_fails(&night, DATE).await.exit_code(), 3);
        assert!(device.asked(asked) < at_most, "{asked:?}: {} times", device.asked(asked));
        assert_eq!((site.states().await, site.names_in("out").len()), (vec!["CLAIMED".to_owned()], 0));
        let known = pins(&site).await;
        assert_eq!(known.len(), device.answered(Asked::Issue), "none that was made is lost");
        device.watched_by(|_, _| ());
        night.stop.store(false, Ordering::Relaxed);
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_made(&site, &night, &report, &cards).await;
        assert_kept(&known, &pins(&site).await);
        assert_eq!(device.answered(Asked::Issue), 40);
    }
}

/// R11, R34: a device that is not there stops an agreement before anything is claimed, and is asked once for it.
#[tokio::test]
async fn r11_r34_a_device_that_is_away_stops_the_agreement_before_the_claim() {
    let site = Site::with_cards(&numbered(5)).await;
    let (night, device) = with_device(&site, 4).await;
    device.ends_at(Asked::Health, 1, End::Dies);
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!((only(&report).outcome, report.exit_code()), (Outcome::Stopped, 1), "{report}");
    assert_eq!(report.total().held.get("CRYPTO_UNAVAILABLE"), Some(&5), "{report}");
    assert_eq!((site.files().await.len(), device.asked(Asked::Health), device.asked(Asked::Issue)), (0, 1, 0));
    device.comes_back();
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_made(&site, &night, &report, &numbered(5)).await;
}

/// Four cards at FACTORY_X, four at FACTORY_Y, twenty of a second issuer at FACTORY_X.
async fn three_agreements() -> Site {
    let mut site = Site::with_cards(&numbered(4)).await;
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    let orders: Vec<_> = (3101..=3104).map(|number| with(card(number, 1001), to_y.clone())).collect();
    site.take(ORDERED, &orders).await;
    site.add_institution("246002", "40000056");
    site.add_agreement("246002", "FACTORY_X");
    let second = crate::site::person(1001).into_iter().chain((3201..=3220).map(|number| card(number, 1001)));
    let second: Vec<_> = second.map(|order| with(order, json!({"institutionId": "246002"}))).collect();
    site.take(ORDERED, &second).await;
    site
}

const AGREEMENTS: [(&str, &str); 3] = [(ISSUER, "FACTORY_X"), (ISSUER, "FACTORY_Y"), ("246002", "FACTORY_X")];

/// R11: the cards of one issuer get no answer; the others share the device with them and are delivered.
#[tokio::test]
async fn r11_an_agreement_whose_cards_get_no_answer_starves_no_other() {
    for one_at_a_time in [false, true] {
        let site = three_agreements().await;
        if one_at_a_time {
            site.one_at_a_time();
        }
        let (night, device) = with_device(&site, 2).await;
        device.is_silent_for("40000056");
        let report = night.run(&night_of(DATE)).await.unwrap();
        let outcomes = AGREEMENTS.map(|(institution, house)| of(&report, institution, house).outcome);
        assert_eq!(outcomes, [Outcome::Delivered, Outcome::Delivered, Outcome::Unfinished], "{report}");
        let why = of(&report, "246002", "FACTORY_X").reason.clone().unwrap();
        assert!(why.contains("0 of 20 PINs") && report.arithmetic().adds_up(), "{report}");
        assert!(device.most_at_once() <= 2 * AGREEMENTS.len(), "bounded, however many share it");
        assert!(device.asked(Asked::Issue) <= 8 + 2, "{} PINs asked for", device.asked(Asked::Issue));
    }
}

/// Every agreement loses the device at the same time; each ends, says so, and is made when it is there again.
#[tokio::test]
async fn r11_r34_a_device_that_is_lost_to_all_agreements_ends_each_and_running_again_makes_all() {
    let site = three_agreements().await;
    let (night, device) = with_device(&site, 4).await;
    device.ends_at(Asked::Issue, 7, End::Stalls);
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!(
        (report.exit_code(), report.arithmetic().adds_up(), report.arithmetic().delivered),
        (1, true, 0),
        "{report}"
    );
    for (institution, house) in AGREEMENTS {
        let agreement = of(&report, institution, house);
        let why = agreement.reason.as_deref().unwrap_or_default();
        assert!(why.contains("CRYPTO_UNAVAILABLE") && why.contains("no reply in time"), "{report}");
    }
    let known = pins(&site).await;
    assert_eq!(known.len(), 6);
    device.comes_back();
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!((report.exit_code(), report.arithmetic().delivered), (0, 28), "{report}");
    let all = pins(&site).await;
    assert_kept(&known, &all);
    assert_eq!((all.len(), device.answered(Asked::Issue)), (28, 28));
}
