//! The promise, counted again after a crash and one clean resume: nothing lost, nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use emboss::card::{PinBlock, SecretHex};
use emboss::settlement::FileState;
use serde_json::Value;

use crate::books::Books;
use crate::house::Arrived;
use crate::orders::{FIRST, INSTANT, PRODUCED, SECOND, WAITING, WITH_PIN, WITHOUT_PIN};
use crate::recount::recount;
use crate::site::Site;
use crate::support::fixtures;
use crate::support::gpg::Gpg;
use crate::tree::{Document, Tree};

/// Checks everything that must hold after the night was brought to its end with no person's help, and that one more run
/// changes nothing. Gives the document the house read.
pub(crate) fn check(site: &Site, report: &Value, what: &str) -> Document {
    assert_eq!((&report["addsUp"], &report["exitCode"]), (&true.into(), &0.into()), "{what}: {report}");
    let document = check_the_night(site, what);
    let (before, journal) = (site.house.arrived(), site.journal());
    let again = site.resumes();
    assert_eq!(again["agreements"][0]["outcome"], "ALREADY_DELIVERED", "{what}: {again}");
    assert_eq!((site.house.arrived(), site.journal()), (before, journal), "{what}: once more changes nothing");
    assert_eq!(site.house.standing(), [""; 0], "{what}: nothing is left at the house's");
    document
}

/// What the house has and what the database says, whoever brought it there.
pub(crate) fn check_the_night(site: &Site, what: &str) -> Document {
    let (arrived, books) = (site.house.arrived(), site.books());
    let [file] = &arrived[..] else { panic!("{what}: exactly one final file, but {arrived:?}") };
    check_file_row(&books, file, what);
    let (document, blocks) = read(file, what);
    check_records(&books, &document, what);
    check_plastics(&books, &document, what);
    check_pins(&books, &blocks, what);
    site.audit_is_sound(what);
    document
}

/// One file, number 1, SETTLED, and its digest is that of the bytes the house has.
fn check_file_row(books: &Books, arrived: &Arrived, what: &str) {
    let row = books.file();
    assert_eq!((row.state, row.sequence_number), (FileState::Settled, 1), "{what}");
    assert_eq!(
        (row.sha256.as_deref(), row.file_name.as_deref()),
        (Some(&*arrived.sha256()), Some(&*arrived.name)),
        "{what}: the bytes and the name that the database knows"
    );
}

/// What is inside: GnuPG opens it and finds our signature.
pub(crate) fn plaintext(arrived: &Arrived, what: &str) -> String {
    let gpg = Gpg::new();
    for name in ["signer.asc", "factory-x.key"] {
        gpg.import(&std::fs::read(fixtures::folder().join("keys").join(name)).expect("a key"));
    }
    let opened = gpg.decrypt(&arrived.sealed);
    assert!(opened.says("GOODSIG") && opened.says("DECRYPTION_OKAY"), "{what}: {:?}", opened.status);
    String::from_utf8(opened.content).expect("UTF-8")
}

/// The document, and the PIN blocks of its records by recordUid. Every total, digest, track and CVV of it is counted
/// again.
fn read(arrived: &Arrived, what: &str) -> (Document, BTreeMap<String, PinBlock>) {
    let document = Document::read(&plaintext(arrived, what), &arrived.name);
    let mut complaints = Vec::new();
    recount(&document, &arrived.name, &mut complaints);
    assert_eq!(complaints, [""; 0], "{what}");
    let blocks = document.cards.iter().filter_map(|card| Some((text(card, "recordUid"), block(card)?))).collect();
    (document, blocks)
}

fn text(card: &Tree, path: &str) -> String {
    card.get(path).expect("a value").to_owned()
}

fn block(card: &Tree) -> Option<PinBlock> {
    card.find("chipPin.pinBlock")?;
    let part = |name: &str| text(card, &format!("chipPin.pinBlock.{name}"));
    let format = serde_json::from_value(part("format").into()).expect("a format");
    Some(PinBlock { format, key_id: part("keyId"), value: SecretHex::new(part("value")) })
}

/// The cards of a document, in its order.
pub(crate) fn cards_of(document: &Document) -> Vec<u32> {
    document.cards.iter().map(|card| text(card, "cardId").parse().expect("a card id")).collect()
}

/// The file's records are the requests that were due, less what is held.
fn check_records(books: &Books, document: &Document, what: &str) {
    let cards = cards_of(document);
    assert_eq!(cards[..PRODUCED.len()], PRODUCED, "{what}");
    assert!(!cards.contains(&WAITING), "{what}: held");
    let records: BTreeSet<String> = document.cards.iter().map(|card| text(card, "recordUid")).collect();
    let items: BTreeSet<String> = books.items.iter().map(|item| item.record_uid.to_string()).collect();
    assert_eq!(records, items, "{what}: the file holds what the database says it holds");
    assert_eq!(document.header.get("fileId"), Some(&*books.file().file_id.to_string()), "{what}");
}

/// Every plastic of the file moved once, and no other.
fn check_plastics(books: &Books, document: &Document, what: &str) {
    let status = |card, number| books.plastics[&(card, number)].as_str();
    for (card, number, expected) in [
        (FIRST, 1, "ACTIVE"),
        (INSTANT, 1, "CLOSED"),
        (INSTANT, 2, "ACTIVE"),
        (WAITING, 1, "INACTIVE"),
        (WITHOUT_PIN, 1, "ACTIVE"),
        (SECOND, 1, "ACTIVE"),
    ] {
        assert_eq!(status(card, number), expected, "{what}: plastic {card}/{number}");
    }
    let moves = books.moves();
    assert!(moves.values().all(|times| *times == 1), "{what}: each plastic moves once: {moves:?}");
    let delivered: BTreeSet<String> = document.cards.iter().map(|card| text(card, "plasticId")).collect();
    let moved: BTreeSet<String> = moves.into_keys().collect();
    assert!(moved.is_superset(&delivered), "{what}");
    // And the virtual plastic, which the physical one replaces.
    assert_eq!(moved.len(), delivered.len() + 1, "{what}: {moved:?}");
    let settled = books.events.iter().filter(|event| event.kind == "file.settled").count();
    assert_eq!(settled, 1, "{what}");
}

/// One PIN for each record that has one, the first that was made; the blocks the house has open to it.
fn check_pins(books: &Books, blocks: &BTreeMap<String, PinBlock>, what: &str) {
    let with_pin: Vec<_> = books.items.iter().filter(|item| item.pin.is_some()).collect();
    assert_eq!(with_pin.len(), blocks.len(), "{what}");
    assert_eq!(books.pins, i64::try_from(blocks.len()).expect("few"), "{what}: one PIN row for each record");
    for card in WITH_PIN.map(crate::books::card_id) {
        assert!(with_pin.iter().any(|item| item.card_id == card), "{what}: card {card} has a PIN");
    }
    for item in with_pin {
        assert_eq!(item.pin.as_ref().map(|pin| pin.version), Some(1), "{what}: no second PIN");
        let block = &blocks[&item.record_uid.to_string()];
        assert!(books.block_is_of(item, block), "{what}: the block of {} opens to its PIN", item.record_uid);
    }
}
