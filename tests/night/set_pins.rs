//! PINs that holders set, through whole nights: the file has exactly that PIN, and so has the record afterwards.

use emboss::document::Record;
use emboss::vault::{Owner, Wrapped};
use serde_json::{Value, json};

use crate::people::order;
use crate::pin_blocks::{opened, sealed};
use crate::rigged::{Rigged, Trick};
use crate::site::{DATE, ISSUER, NEXT, ORDERED, Site, at, card, night_of, person, row, update_card, with};
use emboss::delivery::{Refusal, Step};
use emboss::night::Action;

/// The night behind [`NEXT`].
const THIRD: &str = "2026-11-23";
const FOURTH: &str = "2026-11-24";
const BANK: &str = "zpk-bank-1";

pub(crate) fn set_pin(site: &Site, card: u32, pan: &str, pin: &str) -> Value {
    let block = sealed("ISO_0", &site.zone_key(BANK), pan, pin);
    json!({"op": "setPin", "cardId": card.to_string(), "body": {"pinBlock": block, "format": "ISO_0", "keyId": BANK}})
}

pub(crate) fn pin_status(card: u32, status: &str) -> Value {
    update_card(card, json!({"pinStatus": status}))
}

/// A card's number, from the database.
pub(crate) async fn pan(site: &Site, card: u32) -> String {
    let night = site.open_for(DATE).await;
    let (of, id) = (ISSUER.parse().unwrap(), card.to_string().parse().unwrap());
    let stored = night.store.intake().await.unwrap().card(&of, id).await.unwrap().unwrap();
    let owner = Owner { institution: of, card_id: Some(id) };
    night.vault.open_pan(&owner, &Wrapped(stored.pan)).unwrap().expose().to_owned()
}

/// The PIN on the chip of a record, opened as its house does, and that of its letter.
pub(crate) fn pins(site: &Site, pan: &str, record: &Record) -> (Option<String>, Option<String>) {
    let open = |block: &emboss::card::PinBlock| {
        assert_eq!(block.key_id, "zpk-x-1");
        opened("ISO_0", &site.zone_key("zpk-x-1"), pan, block.value.expose())
    };
    (record.chip_pin.as_ref().map(open), record.pin_mailer.as_ref().map(|mailer| open(&mailer.pin_block)))
}

/// The records of the newest delivered file.
pub(crate) fn newest(site: &Site) -> Vec<Record> {
    site.delivered().pop().unwrap().records
}

/// Whether the letter of a reordered PIN says what is on the chip that was delivered last.
async fn is_on_record(site: &Site, card: u32, chip: &str, night: &str) {
    site.reorder_pin(card, &format!("{night}T01:00:00Z")).await;
    let report = site.run(night).await;
    assert_eq!(report.arithmetic().delivered, 1, "{report}");
    let records = newest(site);
    let letter = pins(site, &pan(site, card).await, &records[0]);
    assert_eq!((records[0].production_event.as_str(), letter), ("ROPIN", (None, Some(chip.to_owned()))));
}

#[tokio::test]
async fn r30_r32_r36_a_card_in_w_goes_the_night_after_its_pin_was_set_with_exactly_that_pin() {
    let site = Site::with_cards(&[]).await;
    site.take(ORDERED, &[with(card(3001, 1001), json!({"body": {"pinStatus": "W"}}))]).await;
    let waiting = site.run(DATE).await;
    assert_eq!((waiting.total().held.get("HELD_PIN_WAIT"), site.names_in("out").len()), (Some(&1), 0));

    let number = pan(&site, 3001).await;
    site.take("2026-11-21T10:00:00Z", &[set_pin(&site, 3001, &number, "4711")]).await;
    let report = site.run(NEXT).await;
    assert_eq!((report.arithmetic().delivered, report.exit_code()), (1, 0), "{report}");
    let records = newest(&site);
    assert_eq!(pins(&site, &number, &records[0]), (Some("4711".into()), None), "R41: no letter for a PIN of one's own");
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE")]);
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 1, "R36: none was made at random");
    let status = site.texts("SELECT data ->> 'pinStatus' FROM card_version ORDER BY version DESC LIMIT 1").await;
    assert_eq!(status, ["S"], "R37");
    // The block of the file and the PIN on record are the same PIN to the program as well.
    let night = site.open_for(NEXT).await;
    let stored = site.texts("SELECT hex(stored) FROM pin").await;
    let owner = Owner { institution: ISSUER.parse().unwrap(), card_id: Some("3001".parse().unwrap()) };
    let stored = night.vault.open_pin(&owner, 1, &Wrapped(hex::decode(&stored[0]).unwrap())).unwrap();
    let (block, number) = (records[0].chip_pin.as_ref().unwrap(), emboss::card::Pan::parse(&number).unwrap());
    assert_eq!(night.vault.crypto().verify_block(&number, &stored, block).await, Ok(true));
}

/// R35: after setPin a reissue has the set PIN in D as well as in S, and R41: no letter.
#[tokio::test]
async fn r35_r36_a_pin_set_after_production_is_on_the_next_plastic() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.run(DATE).await;
    let mut numbers = Vec::new();
    for (card, pin) in [(3001, "0000"), (3002, "9999")] {
        numbers.push(pan(&site, card).await);
        let number = numbers.last().unwrap();
        let random = newest(&site).into_iter().find(|record| record.card_id.get() == i64::from(card)).unwrap();
        let (chip, letter) = pins(&site, number, &random);
        assert!(chip.is_some() && chip == letter, "R34, R41: the random one is on the chip and in the letter");
        site.take("2026-11-21T10:00:00Z", &[set_pin(&site, card, number, pin)]).await;
        site.mark_plastic(card, "RPLRE", "2026-11-21T11:00:00Z").await;
    }
    site.take("2026-11-21T12:00:00Z", &[pin_status(3002, "D")]).await;
    assert_eq!(site.run(NEXT).await.arithmetic().delivered, 2);
    let records = newest(&site);
    assert_eq!(pins(&site, &numbers[0], &records[0]), (Some("0000".into()), None));
    assert_eq!(pins(&site, &numbers[1], &records[1]), (Some("9999".into()), None));
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 4, "two at random, two set");
}

#[tokio::test]
async fn r32_while_its_file_is_not_through_a_card_takes_no_pin() {
    let site = Site::with_cards(&[3001]).await;
    let mut night = site.open_for(DATE).await;
    Rigged::into(&mut night, Trick::Refuse(Step::Create, Refusal::PermissionDenied), None, &site.path("out"));
    assert_eq!(night.run(&night_of(DATE)).await.unwrap().exit_code(), 1);
    drop(night);
    let number = pan(&site, 3001).await;
    let answer = site.import("2026-11-21T10:00:00Z", &[set_pin(&site, 3001, &number, "4711")]).await.remove(0);
    assert_eq!(answer["errorCode"], "PIN_IN_PRODUCTION", "{answer}");
    site.run(NEXT).await;
    let (chip, _) = pins(&site, &number, &newest(&site)[0]);
    site.take("2026-11-22T10:00:00Z", &[set_pin(&site, 3001, &number, "4711")]).await;
    is_on_record(&site, 3001, "4711", THIRD).await;
    assert_ne!(chip.as_deref(), Some("4711"), "the plastic was made with the random one");
}

/// A PIN was made, but its card fell out of the file or was taken out by a person; then the holder sets one, and then
/// the issuer wants a random one after all. What is on the plastic is what is on record.
#[tokio::test]
async fn r35_r40_the_pin_of_the_plastic_is_the_one_on_record_whatever_was_tried_before() {
    for abandoned in [false, true] {
        let site = Site::with_cards(&[3001]).await;
        falls_out(&site, abandoned).await;
        let number = pan(&site, 3001).await;
        site.take("2026-11-21T13:00:00Z", &[set_pin(&site, 3001, &number, "4711"), pin_status(3001, "D")]).await;
        assert_eq!(site.run(NEXT).await.arithmetic().delivered, 1);
        let (chip, letter) = pins(&site, &number, &newest(&site)[0]);
        assert_eq!(chip, letter, "D is a random PIN with its letter");
        // Three rows: what fell out, what was set, what went. The first is void, so that nothing ever asks for it.
        let void = site.texts("SELECT version || ' ' || void FROM pin ORDER BY version").await;
        assert_eq!(void, ["1 1", "2 0", "3 0"]);
        is_on_record(&site, 3001, &chip.unwrap(), THIRD).await;
    }
}

/// The other way round: the holder's PIN is on record, a random one is made and falls out, and S comes back.
#[tokio::test]
async fn r36_r40_back_in_s_the_plastic_and_the_record_have_the_holders_pin() {
    for abandoned in [false, true] {
        let site = Site::with_cards(&[3001]).await;
        let number = pan(&site, 3001).await;
        site.take(ORDERED, &[set_pin(&site, 3001, &number, "4711"), pin_status(3001, "D")]).await;
        falls_out(&site, abandoned).await;
        assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 2);
        site.take("2026-11-21T13:00:00Z", &[pin_status(3001, "S")]).await;
        assert_eq!(site.run(NEXT).await.arithmetic().delivered, 1);
        assert_eq!(pins(&site, &number, &newest(&site)[0]), (Some("4711".into()), None));
        is_on_record(&site, 3001, "4711", THIRD).await;
        site.mark_plastic(3001, "RPL", &format!("{FOURTH}T01:00:00Z")).await;
        site.take(&format!("{FOURTH}T02:00:00Z"), &[pin_status(3001, "D")]).await;
        site.run(FOURTH).await;
        assert_eq!(pins(&site, &number, &newest(&site)[0]), (Some("4711".into()), None), "R35");
    }
}

/// The night of [`DATE`], in which a PIN is made for card 3001, which then does not go.
async fn falls_out(site: &Site, abandoned: bool) {
    if !abandoned {
        site.sql("UPDATE plastic SET cvv_key = 'gone'").await;
        assert_eq!(site.run(DATE).await.total().held.get("CRYPTO_UNAVAILABLE"), Some(&1));
        site.sql("UPDATE plastic SET cvv_key = 'cvk-1'").await;
        return;
    }
    let mut night = site.open_for(DATE).await;
    Rigged::into(&mut night, Trick::Refuse(Step::Create, Refusal::PermissionDenied), None, &site.path("out"));
    night.run(&night_of(DATE)).await.unwrap();
    drop(night);
    let file = site.files().await.remove(0).file_id;
    order(site, Action::Abandon, &file).await.unwrap();
}

/// Orders of one import and of one instant count one after the other.
#[tokio::test]
async fn r32_the_last_word_before_the_claim_counts() {
    let site = Site::new();
    site.take(ORDERED, &person(1001)).await;
    site.take(ORDERED, &[card(3001, 1001), card(3002, 1001)]).await;
    let numbers = [pan(&site, 3001).await, pan(&site, 3002).await];
    let orders = [
        set_pin(&site, 3001, &numbers[0], "1111"),
        set_pin(&site, 3001, &numbers[0], "2222"),
        pin_status(3002, "W"),
        set_pin(&site, 3002, &numbers[1], "3333"),
        pin_status(3002, "W"),
    ];
    site.take(ORDERED, &orders).await;
    let report = site.run(DATE).await;
    assert_eq!((report.arithmetic().delivered, report.total().held.get("HELD_PIN_WAIT")), (1, Some(&1)));
    assert_eq!(pins(&site, &numbers[0], &newest(&site)[0]).0.as_deref(), Some("2222"));
    assert!(at(ORDERED) < at("2026-11-21T03:00:00Z"));
}
