//! What a house finds in the files of one run, against what the rules say must be in them, and against all files before.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chrono::{DateTime, Utc};
use emboss::card::{PinBlock, SecretHex};
use emboss::seal::{self, OpeningKey, Verdict};
use emboss::vault::{Owner, Wrapped};

use crate::bank::Bank;
use crate::lossless;
use crate::nights::{Forecast, NOT_KNOWN_YET, Pin, Record};
use crate::products::HOUSES;
use crate::recount::recount;
use crate::tree::{Document, Tree};

/// What must be the same, or never again, in all files of a history.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    pub(crate) record_uids: BTreeSet<String>,
    /// Card and number of every plastic that was made.
    made: BTreeSet<(u32, u8)>,
    plastic_ids: BTreeMap<(u32, u8), String>,
    pans: BTreeMap<u32, String>,
    cvv2: BTreeMap<(u32, String), String>,
    /// The number of each house's newest file.
    pub(crate) numbers: BTreeMap<String, u64>,
}

/// A document, and the PINs of its records by plastic id.
struct Opened {
    name: String,
    document: Document,
    pins: BTreeMap<String, String>,
}

fn text<'a>(record: &'a Tree, path: &str) -> &'a str {
    record.get(path).unwrap_or_default()
}

fn key_of(record: &Tree) -> (u32, u8) {
    (text(record, "cardId").parse().unwrap(), text(record, "sequenceNumber").parse().unwrap())
}

impl Archive {
    /// Takes in the files of a run; the PIN of each card that has one in them.
    pub(crate) fn take(&mut self, bank: &mut Bank, arriving: &[Forecast], at: DateTime<Utc>) -> BTreeMap<u32, String> {
        let arrived = bank.arrived();
        let files: Vec<Opened> = arrived.iter().map(|(name, sealed)| open(bank, name, sealed, at)).collect();
        let mut expected: Vec<(&str, Vec<Record>)> =
            arriving.iter().flat_map(|forecast| forecast.records.clone()).collect();
        let mut pins = BTreeMap::new();
        for file in &files {
            let house = text(&file.document.header, "manufacturer").to_owned();
            self.number(&file.document, &house);
            let place = expected.iter().position(|(code, _)| *code == house);
            compare(file, place.map_or_else(Vec::new, |place| expected.remove(place).1), &mut pins);
            for record in &file.document.cards {
                self.remember(record, &file.name);
            }
            blocks_are_on_record(bank, file);
        }
        assert!(expected.is_empty(), "these records are in no file: {expected:?}");
        pins
    }

    /// R131.
    fn number(&mut self, document: &Document, house: &str) {
        let last = self.numbers.entry(house.to_owned()).or_default();
        *last += 1;
        assert_eq!(text(&document.header, "sequenceNumber"), last.to_string(), "R131: {house}");
    }

    fn remember(&mut self, record: &Tree, name: &str) {
        let key = key_of(record);
        let (uid, plastic_id) = (text(record, "recordUid").to_owned(), text(record, "plasticId").to_owned());
        assert!(self.record_uids.insert(uid), "R130: {name}: a recordUid a second time: {key:?}");
        let known = self.plastic_ids.entry(key).or_insert_with(|| plastic_id.clone());
        assert_eq!(*known, plastic_id, "{name}: {key:?} is one plastic");
        let pan = text(record, "pan").to_owned();
        let known = self.pans.entry(key.0).or_insert_with(|| pan.clone());
        assert!(*known == pan, "R24: {name}: another card number on card {}", key.0);
        let numbers: BTreeSet<&String> = self.pans.values().collect();
        assert_eq!(numbers.len(), self.pans.len(), "R116: {name}: one card number on two cards");
        if text(record, "recordType") == "PIN_ONLY" {
            return;
        }
        assert!(self.made.insert(key), "R3: {name}: plastic {key:?} a second time");
        let cvv2 = text(record, "cvv2").to_owned();
        let known = self.cvv2.entry((key.0, text(record, "expiry").to_owned())).or_insert_with(|| cvv2.clone());
        assert!(*known == cvv2, "R115: {name}: {key:?} has another CVV2 with the same expiry");
    }
}

fn open(bank: &Bank, name: &str, sealed: &[u8], at: DateTime<Utc>) -> Opened {
    let key = if name.contains(HOUSES[0]) { "factory-x.key" } else { "factory-y.key" };
    let read = |name: &str| std::fs::read(bank.path("keys").join(name)).unwrap();
    let key = OpeningKey::load(&read(key), None).unwrap();
    // Signed at the database's time, which is a server's own.
    let mut opened = seal::open(sealed, &key, &read("signer.asc"), at.max(Utc::now())).unwrap();
    let mut document = String::new();
    opened.read_to_string(&mut document).unwrap();
    assert!(matches!(opened.verdict(), Verdict::Good { .. }), "{name}: not signed by us");
    lossless::check(&document, name);
    let document = Document::read(&document, name);
    let mut complaints = Vec::new();
    let pins = recount(&document, name, &mut complaints);
    assert_eq!(complaints, [""; 0]);
    Opened { name: name.to_owned(), document, pins }
}

/// Exactly the records that the rules demand, each as they demand it.
fn compare(file: &Opened, mut expected: Vec<Record>, pins: &mut BTreeMap<u32, String>) {
    for record in &file.document.cards {
        let (card, number) = key_of(record);
        let pin_only = text(record, "recordType") == "PIN_ONLY";
        let place = expected
            .iter()
            .position(|it| (it.card, it.number, it.made.is_none()) == (card, number, pin_only))
            .unwrap_or_else(|| panic!("{}: nobody expected {card}/{number}: {expected:?}", file.name));
        let demanded = expected.remove(place);
        let pin = file.pins.get(text(record, "plasticId"));
        let found = Record {
            card,
            number,
            event: demanded.event,
            expiry: demanded.expiry,
            pin: match (&demanded.pin, pin) {
                (Pin::New, Some(_)) => Pin::New,
                (Pin::OnRecord(hidden), Some(pin)) if hidden == NOT_KNOWN_YET => {
                    assert!(pins.get(&card).is_none_or(|known| known == pin), "{}: another PIN", file.name);
                    demanded.pin.clone()
                }
                (_, pin) => pin.cloned().map_or(Pin::None, Pin::OnRecord),
            },
            letter: demanded.letter.as_ref().map(|(how, _)| *how).zip(line_of(record, "pinMailer")),
            made: demanded.made.as_ref().map(|(name, _)| *name).zip(line_of(record, "cardDelivery")),
        };
        assert_eq!(found, demanded, "{}", file.name);
        let words = ["productionEvent", "expiry"].map(|field| text(record, field));
        assert_eq!(words, [demanded.event, &demanded.expiry.text()], "{}: {card}/{number}", file.name);
        let words = [record.get("pinMailer.deliveryType"), record.get("embossing.firstName")];
        let demanded = [demanded.letter.map(|(how, _)| how), demanded.made.map(|(name, _)| name)];
        assert_eq!(words, demanded, "{}: {card}/{number}", file.name);
        pins.extend(pin.map(|pin| (card, pin.clone())));
    }
    assert!(expected.is_empty(), "{} lacks {expected:?}", file.name);
}

fn line_of(record: &Tree, block: &str) -> Option<String> {
    record.get(&format!("{block}.address.address1")).map(str::to_owned)
}

/// Every PIN block of the file holds the PIN that its item in the database has.
fn blocks_are_on_record(bank: &Bank, file: &Opened) {
    let file_id = text(&file.document.header, "fileId").parse().unwrap();
    let items = bank.wait(bank.night.store.items(file_id, None, u32::MAX)).unwrap();
    assert_eq!(items.len(), file.document.cards.len(), "{}", file.name);
    for item in items {
        let uid = item.record_uid.to_string();
        let record = file.document.cards.iter().find(|record| text(record, "recordUid") == uid);
        let record = record.unwrap_or_else(|| panic!("{}: no record of item {uid}", file.name));
        for block in ["chipPin.pinBlock", "pinMailer.pinBlock"] {
            if record.find(block).is_none() {
                continue;
            }
            let part = |name: &str| text(record, &format!("{block}.{name}")).to_owned();
            let format = part("format").parse().unwrap();
            let block = PinBlock { format, key_id: part("keyId"), value: SecretHex::new(part("value")) };
            let owner = Owner { institution: Bank::issuer(), card_id: Some(item.card_id) };
            let pin = item.pin.as_ref().unwrap_or_else(|| panic!("card {} has no PIN on record", item.card_id));
            let (vault, wrapped) = (&bank.night.vault, Wrapped(pin.stored.clone()));
            let stored = vault.open_pin(&owner, pin.version, &wrapped).unwrap();
            let pan = vault.open_pan(&owner, &Wrapped(item.pan.clone())).unwrap();
            let same = bank.wait(vault.crypto().verify_block(&pan, &stored, &block)).unwrap();
            assert!(same, "{}: the block of card {} is not of the PIN on record", file.name, item.card_id);
        }
    }
}
