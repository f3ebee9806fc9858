//! A delivered document counted again: totals, digest, order, and every value that follows from others.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::cards;
use super::tree::{Document, Tree};

/// Version 2 only: never in a version 1 file.
pub const V2_ONLY: &[&str] = &[
    "productionReason",
    "customerNumber",
    "additionalValues",
    "cardDelivery.addressSource",
    "cardDelivery.phone",
    "bulk",
    "carrier",
    "pinMailer.addressSource",
];

/// Every complaint about a document; and the PIN of each record, by plastic id.
pub fn recount(document: &Document, name: &str, complaints: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut say = |what: String| complaints.push(format!("{name}: {what}"));
    totals(document, &mut say);
    header(document, name, &mut say);
    order(document, &mut say);
    let mut pins = BTreeMap::new();
    for card in &document.cards {
        let plastic = text(card, "plasticId");
        if let Some(pin) = record(card, &mut |what| say(format!("plastic {plastic}: {what}"))) {
            pins.insert(plastic.clone(), pin);
        }
        if document.header.get("formatVersion") == Some("1") {
            for path in V2_ONLY.iter().filter(|path| card.get(path).is_some()) {
                say(format!("plastic {plastic}: {path} in a version 1 file"));
            }
        }
    }
    pins
}

fn text(tree: &Tree, path: &str) -> String {
    tree.get(path).unwrap_or_default().to_owned()
}

fn totals(document: &Document, say: &mut impl FnMut(String)) {
    let cards = &document.cards;
    let count = |path: &str, value: &str| cards.iter().filter(|card| card.get(path) == Some(value)).count();
    let bulk_codes: BTreeSet<&str> = cards.iter().filter_map(|card| card.get("bulk.code")).collect();
    let single = |card: &&Tree| card.get("recordType") == Some("CARD") && card.get("bulk.code").is_none();
    let carriers = cards.iter().filter(single).count() + bulk_codes.len();
    let layouts = by(cards, "externalLayoutCode");
    let pan_sum: u64 = cards.iter().filter_map(|card| card.get("pan")?.get(6..15)?.parse::<u64>().ok()).sum();
    let digest = hex::encode(Sha256::digest(document.raw_records.concat()));
    for (field, counted) in [
        ("numberOfRecords", cards.len().to_string()),
        ("numberOfCards", count("recordType", "CARD").to_string()),
        ("numberOfPinOnly", count("recordType", "PIN_ONLY").to_string()),
        ("numberOfPinMailers", cards.iter().filter(|card| card.find("pinMailer").is_some()).count().to_string()),
        ("numberOfCarriers", carriers.to_string()),
        ("numberOfLayouts", layouts.len().to_string()),
        ("panHashTotal", format!("{:012}", pan_sum % 1_000_000_000_000)),
        ("recordsSha256", digest),
    ] {
        if document.trailer.get(field) != Some(counted.as_str()) {
            say(format!("{field} is {:?}, counted {counted}", document.trailer.get(field)));
        }
    }
    for (field, counted) in [
        ("byProductionEvent", by(cards, "productionEvent")),
        ("byLayout", layouts),
        ("byCardDeliveryType", by(cards, "cardDelivery.type")),
    ] {
        if document.trailer.entries(field) != counted {
            say(format!("{field} is {:?}, counted {counted:?}", document.trailer.entries(field)));
        }
    }
    if document.raw_records.len() != cards.len() {
        say("not every record stands on a line of its own".to_owned());
    }
}

/// Counts by value, sorted by value.
fn by(cards: &[Tree], path: &str) -> Vec<(String, String)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for value in cards.iter().filter_map(|card| card.get(path)) {
        *counts.entry(value.to_owned()).or_default() += 1;
    }
    counts.into_iter().map(|(value, count)| (value, count.to_string())).collect()
}

fn header(document: &Document, name: &str, say: &mut impl FnMut(String)) {
    let header = &document.header;
    let plain = name.strip_suffix(".pgp").unwrap_or(name);
    let stamp = text(header, "cutOff").replace(['-', ':'], "");
    let ending = if plain.ends_with(".xml") { "xml" } else { "json" };
    let expected = format!(
        "{}_{}_{}_{stamp}_{:0>6}_{}_V{}.{ending}",
        if header.get("environment") == Some("TEST") { "TST" } else { "EMB" },
        text(header, "institution.id"),
        text(header, "manufacturer"),
        text(header, "sequenceNumber"),
        document.cards.len(),
        text(header, "formatVersion"),
    );
    if plain != expected || header.get("fileName") != Some(plain) {
        say(format!("named {plain}, inside {:?}, by its content {expected}", header.get("fileName")));
    }
    if header.get("totals.numberOfRecords") != document.trailer.get("numberOfRecords") {
        say("the header's count is not the trailer's".to_owned());
    }
    if header.get("createdAt") != header.get("dataAsOf") {
        say("createdAt is not dataAsOf".to_owned());
    }
    let has_block = |card: &Tree| card.find("chipPin").is_some() || card.find("pinMailer").is_some();
    if document.cards.iter().any(has_block) != header.find("pinKeys").is_some() {
        say("pinKeys stands there iff a record carries a PIN block".to_owned());
    }
}

fn order(document: &Document, say: &mut impl FnMut(String)) {
    let key = |card: &Tree| {
        let plastic: u64 = text(card, "plasticId").parse().unwrap_or_default();
        let pin_only = card.get("recordType") == Some("PIN_ONLY");
        let field = |path: &str| card.get(path).map(str::to_owned);
        (pin_only, field("externalLayoutCode"), field("cardDelivery.type"), field("bulk.code"), plastic)
    };
    if !document.cards.is_sorted_by_key(key) {
        say("the records are not in order".to_owned());
    }
    let numbers = document.cards.iter().map(|card| text(card, "recordNumber"));
    if !numbers.eq((1..=document.cards.len()).map(|number| number.to_string())) {
        say("recordNumber is not 1, 2, 3 ...".to_owned());
    }
    let uids: BTreeSet<String> = document.cards.iter().map(|card| text(card, "recordUid")).collect();
    if uids.len() != document.cards.len() {
        say("two records have one recordUid".to_owned());
    }
}

/// What follows from other fields of the same record. Gives the PIN.
fn record(card: &Tree, say: &mut impl FnMut(String)) -> Option<String> {
    let pan = text(card, "pan");
    if pan.len() != 16 || !cards::luhn(&pan) {
        say("the PAN has not 16 digits, or its check digit is wrong".to_owned());
        return None;
    }
    let mut must = |field: &str, expected: String| {
        if card.get(field) != Some(expected.as_str()) {
            say(format!("{field} is {:?}, not {expected:?}", card.get(field)));
        }
    };
    must("panMasked", format!("{}******{}", &pan[..6], &pan[12..]));
    let pin = one_pin(card, &pan, &mut must);
    if card.get("recordType") == Some("CARD") {
        let expiry = text(card, "expiry");
        let (year, month) = (&expiry[2..4], &expiry[5..7]);
        let in_cvv2 = if card.get("productCode") == Some("VISA_MMYY") { [month, year] } else { [year, month] };
        must("cvv2", cards::cvv("CVK2_A_B", &pan, &in_cvv2.concat(), "000"));
        tracks(card, &pan, &format!("{year}{month}"), pin.as_deref(), &mut must);
    }
    pin
}

fn one_pin(card: &Tree, pan: &str, must: &mut impl FnMut(&str, String)) -> Option<String> {
    let path = ["chipPin.pinBlock", "pinMailer.pinBlock"].into_iter().find(|path| card.find(path).is_some())?;
    if card.find("chipPin").is_some() && card.find("pinMailer").is_some() {
        must("pinMailer.pinBlock.value", text(card, "chipPin.pinBlock.value"));
    }
    let part = |name: &str| text(card, &format!("{path}.{name}"));
    Some(cards::pin(&part("format"), &part("keyId"), &part("value"), pan))
}

/// Both tracks of stripe and chip, made again from their parts. Where the PIN is not in the record, the PVV is taken
/// from the track.
fn tracks(card: &Tree, pan: &str, yymm: &str, pin: Option<&str>, must: &mut impl FnMut(&str, String)) {
    let service_code = text(card, "serviceCode");
    for (path, code, cut) in [("track2", service_code.as_str(), "="), ("chip.track2", "999", "D")] {
        let Some(found) = card.get(path) else { continue };
        let lead = format!("{pan}{cut}{yymm}{service_code}");
        let found_rest = found.strip_prefix(lead.as_str()).unwrap_or_default().trim_end_matches('F').to_owned();
        let cvv = cards::cvv("CVK_A_B", pan, yymm, code);
        let pvki_pvv = match pin {
            Some(pin) => format!("1{}", cards::pvv(pan, '1', pin)),
            None => found_rest.get(..5).unwrap_or_default().to_owned(),
        };
        let rest = format!("{pvki_pvv}{cvv}");
        let mut track2 = format!("{lead}{rest}");
        if cut == "D" && !track2.len().is_multiple_of(2) {
            track2.push('F');
        }
        must(path, track2);
        let track1 = path.replace("track2", "track1");
        // A product without a chip has no chip.name: the name then is what stands between the carets.
        let name = match card.get("chip.name") {
            Some(name) => name.to_owned(),
            None => card.get(&track1).and_then(|track| track.split('^').nth(1)).unwrap_or_default().to_owned(),
        };
        must(&track1, format!("B{pan}^{name}^{yymm}{service_code}{rest}"));
    }
}
