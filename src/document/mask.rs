//! A part of a file as JSON for people: masked unless somebody may see everything.
//!
//! Masked (R138): the PAN keeps its first six and last four digits, also where an agreement prints eight; CVV2,
//! tracks, PIN blocks and the trailer's hash total become `***`. Names and addresses stay: whoever inspects a file
//! looks for them. Neither form is ever logged.

use serde_json::Value;

use super::model::{Header, Record, Trailer};
use super::tree::{Fields, Grow, Node};
use super::walk;
use crate::agreement::FileVersion;
use crate::card::PanMask;

const HIDDEN: &str = "***";

/// The record as a file of that version holds it, masked.
pub fn masked_json(record: &Record, version: FileVersion) -> Value {
    value(&masked(record, version))
}

/// The record as a file of that version holds it, with every secret.
pub fn plain_json(record: &Record, version: FileVersion) -> Value {
    value(&tree(record, version))
}

/// [`masked_json`] indented, with the fields in the file's order.
pub fn masked_text(record: &Record, version: FileVersion) -> String {
    text(&masked(record, version))
}

/// [`plain_json`] indented, with the fields in the file's order.
pub fn plain_text(record: &Record, version: FileVersion) -> String {
    text(&tree(record, version))
}

/// The header; it holds no secret.
pub fn header_json(header: &Header) -> Value {
    let mut grow = Grow::default();
    walk::header(&mut grow, header);
    value(&grow.tree())
}

/// The trailer without its hash total.
pub fn trailer_json(trailer: &Trailer) -> Value {
    let mut grow = Grow::default();
    walk::trailer(&mut grow, trailer);
    let mut node = grow.tree();
    if let Node::Object(fields) = &mut node {
        hide(fields, &["panHashTotal"]);
    }
    value(&node)
}

fn tree(record: &Record, version: FileVersion) -> Node {
    let mut grow = Grow::default();
    walk::record(&mut grow, record, version);
    grow.tree()
}

fn masked(record: &Record, version: FileVersion) -> Node {
    let mut node = tree(record, version);
    let shown = record.pan.masked(PanMask::SixFour);
    if let Node::Object(fields) = &mut node {
        for (name, value) in fields.iter_mut() {
            match (name.as_str(), value) {
                ("pan" | "panMasked", value) => *value = Node::text(shown.as_str()),
                ("chip", Node::Object(chip)) => hide(chip, &["track1", "track2"]),
                ("chipPin" | "pinMailer", Node::Object(block)) => hide_pin_block(block),
                _ => {}
            }
        }
        hide(fields, &["cvv2", "track1", "track2"]);
    }
    node
}

fn hide_pin_block(fields: &mut Fields) {
    for (name, value) in fields {
        if let ("pinBlock", Node::Object(block)) = (name.as_str(), value) {
            hide(block, &["value"]);
        }
    }
}

fn hide(fields: &mut Fields, names: &[&str]) {
    for (_, value) in fields.iter_mut().filter(|(name, _)| names.contains(&name.as_str())) {
        *value = Node::text(HIDDEN);
    }
}

#[expect(clippy::expect_used, reason = "Safe because: a tree has text keys and plain values only")]
fn value(node: &Node) -> Value {
    serde_json::to_value(node).expect("a tree is JSON")
}

#[expect(clippy::expect_used, reason = "Safe because: a tree has text keys and plain values only")]
fn text(node: &Node) -> String {
    serde_json::to_string_pretty(node).expect("a tree is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::PinBlockFormat;
    use crate::document::samples;

    #[test]
    fn r138_masked_text_holds_no_secret_and_keeps_the_rest() {
        let mut record = samples::card_record();
        record.pan_masked = record.pan.masked(PanMask::EightFour);
        let shown = masked_text(&record, FileVersion::V2);
        for secret in ["4000001234567899", "40000012", "137", "8484633", "8484278", "311D385594D0906A"] {
            assert!(!shown.contains(secret), "{secret}");
        }
        for open in ["400000******7899", "LIIKAMAA/MONICA", "Monica Liikamaa", "Kings street 12", "zpk-x-1", "12|3"] {
            assert!(shown.contains(open), "{open}");
        }
        assert!(shown.starts_with("{\n  \"recordNumber\": 1,\n  \"recordUid\": "));
        assert_eq!(masked_json(&record, FileVersion::V2)["pinMailer"]["pinBlock"]["value"], "***");
    }

    #[test]
    fn unmasked_is_the_record_as_the_file_holds_it() {
        let record = samples::card_record();
        let file = include_str!("../../tests/samples/v2.json");
        let line = file.lines().nth(2).unwrap().trim_end_matches(',');
        assert_eq!(plain_json(&record, FileVersion::V2), serde_json::from_str::<Value>(line).unwrap());
        let indented: Value = serde_json::from_str(&plain_text(&record, FileVersion::V2)).unwrap();
        assert_eq!(indented, plain_json(&record, FileVersion::V2));
        assert_eq!(record.chip_pin.unwrap().format, PinBlockFormat::Iso0);
    }

    #[test]
    fn the_trailer_is_shown_without_its_hash_total() {
        let shown = trailer_json(&samples::trailer("61e5"));
        assert_eq!((&shown["panHashTotal"], &shown["numberOfRecords"]), (&Value::from("***"), &Value::from(2)));
    }
}
