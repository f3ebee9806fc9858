//! Keys that change while nights go on: zone PIN keys of a house, card verification keys of a product, and keys that end.
//!
//! Instants are to the second: a night of these tests claims its file at 03:00:04.

use des::cipher::{BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde3};
use emboss::ambient::Random;
use emboss::document::Record;
use emboss::report::Outcome;
use emboss::vault::kbpk::Kbpk;
use emboss::vault::tr31::{self, BlockTerms};
use serde_json::json;

use crate::pin_blocks::opened;
use crate::site::{DATE, Delivered, NEXT, ORDERED, Site, at, card, for_card, night_of, only, person, with};
use crate::tripwire::{Tripwire, When};

/// The night after [`NEXT`].
const AFTERWARDS: &str = "2026-11-23";

/// Adds a key of 16 bytes that begin with `first`, and its section with these limits.
fn add_key(site: &Site, id: &str, usage: &'static str, first: u8, limits: &str) -> Vec<u8> {
    let key: Vec<u8> = (0..16).map(|place| first.wrapping_add(place * 13)).collect();
    let component = |number| std::fs::read_to_string(site.path(&format!("keys/kbpk-{number}.hex"))).unwrap();
    let kbpk = Kbpk::join(&[component(1), component(2)], &[], None).unwrap();
    let mode = if usage == "P0" { 'E' } else { 'C' };
    let terms = BlockTerms { usage, algorithm: 'T', mode };
    let block = tr31::make(&kbpk, terms, &key, &Random::seeded(first.into())).unwrap();
    site.write_key(&format!("keys/{id}.tr31"), block.as_bytes());
    site.add(&format!("[[key]]\nid = \"{id}\"\nblock_file = \"keys/{id}.tr31\"\nkbpk = \"main\"\n{limits}"));
    key
}

fn limit(site: &Site, id: &str, limits: &str) {
    site.edit(&format!("id = \"{id}\"\n"), &format!("id = \"{id}\"\n{limits}\n"));
}

/// The house announces `zpk-x-2`: used from `begins`, the old key up to `ends`.
fn announce(site: &Site, begins: &str, ends: &str) {
    add_key(site, "zpk-x-2", "P0", 3, &format!("not_before = {begins}\n"));
    limit(site, "zpk-x-1", &format!("not_after = {ends}"));
    site.edit("pin_keys = [\"zpk-x-1\"]", "pin_keys = [\"zpk-x-1\", \"zpk-x-2\"]");
}

/// The key of the letter's PIN block, its PIN as the house reads it, and the keys of the header.
fn letter(site: &Site, file: &Delivered, record: usize) -> (String, String, Vec<String>) {
    let record = &file.records[record];
    let block = &record.pin_mailer.as_ref().expect("a letter").pin_block;
    let pin = opened("ISO_0", &site.zone_key(&block.key_id), record.pan.expose(), block.value.expose());
    (block.key_id.clone(), pin, file.header.pin_keys.iter().map(|key| key.key_id.clone()).collect())
}

/// The old key in the first night, both in the second, the new one alone in the third; the card has the same PIN in all.
#[tokio::test]
async fn a_zone_key_rolls_over_between_two_nights_and_nobody_edits_anything() {
    let site = Site::with_cards(&[3001]).await;
    announce(&site, "2026-11-22T03:00:04Z", "2026-11-22T03:00:04Z");
    for (night, key, header) in [
        (DATE, "zpk-x-1", vec!["zpk-x-1"]),
        (NEXT, "zpk-x-2", vec!["zpk-x-1", "zpk-x-2"]),
        (AFTERWARDS, "zpk-x-2", vec!["zpk-x-2"]),
    ] {
        let report = site.run(night).await;
        assert_eq!((report.arithmetic().delivered, report.exit_code()), (1, 0), "{night}: {report}");
        let files = site.delivered();
        let (used, pin, announced) = letter(&site, files.last().unwrap(), 0);
        assert_eq!((used.as_str(), &announced), (key, &header.iter().map(ToString::to_string).collect()), "{night}");
        assert_eq!(pin, letter(&site, &files[0], 0).1, "{night}: the PIN stays");
        site.reorder_pin(3001, &format!("{night}T10:00:00Z")).await;
    }
    let kcvs: Vec<String> = site.delivered()[1].header.pin_keys.iter().map(|key| key.kcv.clone()).collect();
    assert_eq!(kcvs.len(), 2);
    for (kcv, id) in kcvs.iter().zip(["zpk-x-1", "zpk-x-2"]) {
        let mut zeros = [0; 8];
        triple(&site.zone_key(id)).encrypt_block((&mut zeros).into());
        assert_eq!(*kcv, hex::encode_upper(&zeros[..3]), "{id}");
    }
}

#[tokio::test]
async fn the_key_of_a_file_is_decided_to_the_second() {
    let site = Site::with_cards(&[3001, 3002, 3003, 3004, 3005]).await;
    announce(&site, "2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z");
    for (now, number, key, header) in [
        ("2026-11-20T11:59:59Z", 3001, "zpk-x-1", 1),
        ("2026-11-20T12:00:00Z", 3002, "zpk-x-2", 2),
        ("2026-11-20T12:00:01Z", 3003, "zpk-x-2", 2),
        ("2026-11-20T12:00:02Z", 3004, "zpk-x-2", 1),
    ] {
        site.run_now(now, &[number]).await;
        let files = site.delivered();
        let file = files.iter().find(|file| file.cards() == [i64::from(number)]).unwrap();
        assert_eq!(file.header.data_as_of, at(now));
        let (used, _, announced) = letter(&site, file, 0);
        assert_eq!((used.as_str(), announced.len()), (key, header), "{now}");
    }
}

/// Claimed under the old key, and composed two hours later, behind the rollover: with the key that was in force then.
#[tokio::test]
async fn a_file_that_is_resumed_behind_a_rollover_keeps_the_key_of_its_claim() {
    let site = Site::with_cards(&[3001]).await;
    announce(&site, "2026-11-21T04:00:00Z", "2026-11-21T04:00:00Z");
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "claim", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    // Whoever takes the old key away too early is told what the file needs.
    let list = "pin_keys = [\"zpk-x-1\", \"zpk-x-2\"]";
    site.edit(list, "pin_keys = [\"zpk-x-2\"]");
    let again = async || site.open("2026-11-21T05:00:00Z").await.run(&night_of(DATE)).await.expect("the run ends");
    let report = again().await;
    let told = report.to_string();
    for part in ["KEY_UNUSABLE", "zpk-x-2", "2026-11-21 03:00:04", "put the one that was back"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!((report.exit_code(), site.states().await), (1, vec!["CLAIMED".to_owned()]));
    site.edit("pin_keys = [\"zpk-x-2\"]", list);
    let report = again().await;
    assert_eq!(report.exit_code(), 0, "{report}");
    site.take("2026-11-21T10:00:00Z", &[card(3002, 1001)]).await;
    site.run(NEXT).await;
    let files = site.delivered();
    let keys: Vec<_> = files.iter().map(|file| (file.cards(), letter(&site, file, 0).0)).collect();
    assert_eq!(keys, [(vec![3001], "zpk-x-1".to_owned()), (vec![3002], "zpk-x-2".to_owned())]);
    assert_eq!(letter(&site, &files[0], 0).2, ["zpk-x-1"], "the header is that of the claim, too");
}

/// Between two keys of a house there is none: nothing is claimed, nothing is made.
#[tokio::test]
async fn r11_a_gap_between_two_zone_keys_stops_the_agreement() {
    let site = Site::with_cards(&[3001]).await;
    announce(&site, "2026-11-21T03:00:05Z", "2026-11-21T03:00:03Z");
    let report = site.run(DATE).await;
    let agreement = only(&report);
    assert_eq!((agreement.outcome, report.exit_code()), (Outcome::Stopped, 1), "{report}");
    let reason = agreement.reason.as_deref().unwrap();
    for part in ["KEY_UNUSABLE", "zpk-x-1 must not be used after", "zpk-x-2 must not be used before"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!((site.files().await.len(), site.number("SELECT COUNT(*) FROM pin").await), (0, 0));
    assert_eq!(site.run(NEXT).await.exit_code(), 0);
}

/// One for each usage: in its last second it serves, a second later its agreement stops and nothing is claimed.
#[tokio::test]
async fn r11_a_key_that_has_ended_stops_its_agreement_whatever_it_is_for() {
    for (id, place) in [
        ("zpk-x-1", "[[manufacturer]] FACTORY_X pin_keys"),
        ("pvk-1", "[[product]] 246001/VISA_CARD pin.pvv_key"),
        ("dek-1", "[vault] data_key"),
        ("pin-1", "[vault] pin_storage_key"),
    ] {
        let site = Site::with_cards(&[3001]).await;
        limit(&site, id, "not_after = 2026-11-21T03:00:03Z");
        let report = site.run(DATE).await;
        let agreement = only(&report);
        assert_eq!((agreement.outcome, report.exit_code()), (Outcome::Stopped, 1), "{id}: {report}");
        let reason = agreement.reason.as_deref().unwrap();
        assert!(reason.starts_with("KEY_UNUSABLE") && reason.contains(place) && reason.contains(id), "{reason}");
        assert_eq!((site.files().await.len(), site.number("SELECT COUNT(*) FROM pin").await), (0, 0), "{id}");
        site.edit("not_after = 2026-11-21T03:00:03Z", "not_after = 2026-11-21T03:00:04Z");
        assert_eq!(site.run(DATE).await.exit_code(), 0, "{id}: in its last second");
        assert_eq!(site.delivered().len(), 1, "{id}");
    }
}

// Card verification keys ---------------------------------------------------------------------------------------------

fn triple(key: &[u8]) -> TdesEde3 {
    TdesEde3::new_from_slice(&[key, &key[..8]].concat()).unwrap()
}

/// The card verification value of section 2 of the design, with the second pass of its decimals: PAN, expiry and service
/// code, filled with zeros to two blocks.
fn cvv(key: &[u8], record: &Record, service_code: &str) -> String {
    let expiry = record.expiry.to_string();
    let text = format!("{}{}{}{service_code}", record.pan.expose(), &expiry[2..4], &expiry[5..7]);
    let blocks = hex::decode(format!("{text:0<32}")).unwrap();
    let mut block: [u8; 8] = blocks[..8].try_into().unwrap();
    Des::new_from_slice(&key[..8]).unwrap().encrypt_block((&mut block).into());
    block.iter_mut().zip(&blocks[8..]).for_each(|(byte, other)| *byte ^= other);
    triple(key).encrypt_block((&mut block).into());
    let hex = hex::encode(block);
    let first = hex.chars().filter(char::is_ascii_digit);
    let second = hex.chars().filter_map(|digit| "abcdef".find(digit)).map(|place| char::from(b'0' + place as u8));
    first.chain(second).take(3).collect()
}

/// The CVV2 of a record, and whether the stripe's discretionary data end with the CVV1 of a key.
fn codes(record: &Record, cvk: &[u8]) -> (String, bool) {
    let track2 = record.track2.as_ref().unwrap().expose();
    (record.cvv2.as_ref().unwrap().expose().to_owned(), track2.ends_with(&cvv(cvk, record, "201")))
}

fn record_of(site: &Site, number: i64) -> Record {
    let files = site.delivered();
    let mut records = files.into_iter().flat_map(|file| file.records).filter(|record| record.card_id.get() == number);
    records.next_back().expect("a record of the card")
}

/// The product goes over to new keys: what exists keeps its own, what is new takes them.
#[tokio::test]
async fn r115_a_card_keeps_the_keys_it_was_made_with_until_its_expiry_is_new() {
    let site = Site::with_cards(&[]).await;
    let old = site.zone_key("cvk-1");
    let ends_soon = with(card(3002, 1001), json!({"body": {"expiration": {"year": 2026, "month": 12}}}));
    site.take(ORDERED, &[card(3001, 1001), ends_soon]).await;
    site.run(DATE).await;
    let (before, before_soon) = (record_of(&site, 3001), record_of(&site, 3002));
    assert!(codes(&before, &old).1, "the CVV of this test is that of the program");

    let (cvk, cvk2) = (add_key(&site, "cvk-2", "C0", 31, ""), add_key(&site, "cvk2-2", "C0", 77, ""));
    for (setting, id) in [("cvv_key", "cvk"), ("cvv2_key", "cvk2")] {
        let text = site.config_text().replace(&format!("{setting} = \"{id}-1\""), &format!("{setting} = \"{id}-2\""));
        std::fs::write(site.path("emboss.toml"), text).unwrap();
        limit(&site, &format!("{id}-1"), "not_after = 2026-11-21T12:00:00Z\nretire_at = 2026-12-10T12:00:00Z");
    }
    // Two months are left of the one card, and less of the other (R115).
    site.take("2026-11-30T13:00:00Z", &[for_card("reissueCard", 3001), for_card("reissueCard", 3002)]).await;
    site.take("2026-11-30T13:00:00Z", &person(1002)).await;
    site.take("2026-11-30T13:00:00Z", &[card(3003, 1002)]).await;
    let report = site.run("2026-12-01").await;
    assert_eq!(report.arithmetic().delivered, 3, "{report}");
    let again = record_of(&site, 3001);
    assert_eq!(codes(&again, &old), (codes(&before, &old).0, true), "S4: a reissue keeps its CVV2, and its keys");
    for number in [3002, 3003] {
        let record = record_of(&site, number);
        assert_eq!(codes(&record, &cvk), (cvv(&cvk2, &record, "000"), true), "card {number}");
    }
    assert_ne!(record_of(&site, 3002).expiry, before_soon.expiry);
    let pinned = "SELECT card_id || ' ' || sequence_number || ' ' || cvv_key || ' ' || cvv2_key FROM plastic
                  ORDER BY card_id, sequence_number";
    assert_eq!(
        site.texts(pinned).await,
        [
            "3001 1 cvk-1 cvk2-1",
            "3001 2 cvk-1 cvk2-1",
            "3002 1 cvk-1 cvk2-1",
            "3002 2 cvk-2 cvk2-2",
            "3003 1 cvk-2 cvk2-2"
        ]
    );
}

/// Until the last second of `retire_at` a reissue goes; a second later the card is held, and nothing else is.
#[tokio::test]
async fn after_the_retirement_of_its_key_a_reissue_is_held() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.run(DATE).await;
    add_key(&site, "cvk2-2", "C0", 77, "");
    let text = site.config_text().replace("cvv2_key = \"cvk2-1\"", "cvv2_key = \"cvk2-2\"");
    std::fs::write(site.path("emboss.toml"), text).unwrap();
    limit(&site, "cvk2-1", "not_after = 2026-11-21T12:00:00Z\nretire_at = 2026-11-22T12:00:00Z");
    site.take("2026-11-21T13:00:00Z", &[for_card("reissueCard", 3001), for_card("reissueCard", 3002)]).await;
    site.take("2026-11-21T13:00:00Z", &[card(3003, 1001)]).await;
    let report = site.run_now("2026-11-22T12:00:00Z", &[3001]).await;
    assert_eq!(report.arithmetic().delivered, 1, "{report}");
    let report = site.run_now("2026-11-22T12:00:01Z", &[3002, 3003]).await;
    let sum = report.arithmetic();
    assert_eq!((sum.delivered, sum.held, report.exit_code()), (1, 1, 1), "{report}");
    assert_eq!(report.total().held.get("CRYPTO_UNAVAILABLE"), Some(&1));
    let told = &report.alerts[0].text;
    assert!(told.contains("key cvk2-1 was retired at 2026-11-22 12:00:00 UTC"), "{told}");
}
