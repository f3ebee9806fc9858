//! The checklist: every field of every operation, with what it takes at its limits and refuses past them.
//!
//! Nothing can be forgotten: a field that the lines of [`lines`] have and the tables below do not is a failure, and so
//! is one in the place where another operation has it.

mod lines;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::order::envelope::OperationName;
use lines::LINES;
pub(super) use lines::full;
use values::Values;

/// One field of an operation.
struct Row {
    path: String,
    needed: bool,
    values: Values,
}

fn needed(path: &str, values: Values) -> Row {
    Row { path: path.to_owned(), needed: true, values }
}

fn optional(path: &str, values: Values) -> Row {
    Row { path: path.to_owned(), needed: false, values }
}

const SEGMENTS: [&str; 6] = ["SEGMENT_A", "SEGMENT_B", "SEGMENT_C", "SEGMENT_D", "SEGMENT_E", "SEGMENT_F"];
const WAYS: [&str; 7] = ["MAIL", "COURIER", "CUSTOM_1", "CUSTOM_2", "CUSTOM_3", "CUSTOM_4", "CUSTOM_5"];
const STATUSES: [&str; 8] = [
    "CARD_OK",
    "CARD_BLOCKED",
    "SUSPECTED_FRAUD",
    "CARD_CLOSED_DUE_TO_FRAUD",
    "CARD_NO_RENEWAL",
    "CARD_LOST",
    "CARD_STOLEN",
    "CARD_CLOSED",
];
const REGIONS: [&str; 8] = ["ecomm", "africa", "asia", "europe", "home", "northAmerica", "oceania", "southAmerica"];

fn rows(line: &str) -> Vec<Row> {
    let mut rows = envelope(line);
    match line {
        "createCustomer" => rows.extend(customer(needed)),
        "updateCustomer" => rows.extend(customer(optional)),
        "createAccount" | "updateAccount" => rows.extend(address("body.address", optional)),
        "createCard" => rows.extend(card_only().into_iter().chain(card_both())),
        "updateCard" => rows.extend(update_only().into_iter().chain(card_both())),
        "setPin" => rows.extend([
            needed("body.pinBlock", values::short_block()),
            needed("body.format", values::words(&["ISO_0", "ISO_3"])),
            needed("body.keyId", values::free(1, 64)),
        ]),
        "reissueCard" => rows.push(optional("body.pinStatus", values::words(&["D", "W", "S"]))),
        "replaceCard" => {
            rows.push(optional("body.pinStatus", values::words(&["D", "W", "S"])));
            rows.push(optional("body.newCardId", values::id()));
            rows.extend(expiration().into_iter().chain(embossing()));
        }
        "updatePlastic" | "updatePlastic by number" => {
            rows.push(needed("body.action", values::words(&["CANCEL", "ACTIVATE"])));
        }
        "reorderPin" | "orderPhysical" => {}
        other => panic!("{other} has no rows"),
    }
    rows
}

/// What every line has, and the ids around its body.
fn envelope(line: &str) -> Vec<Row> {
    let ids: &[(&str, bool)] = match line {
        "createCustomer" => &[("customerId", false)],
        "updateCustomer" => &[("customerId", true)],
        "createAccount" => &[("accountId", false), ("customerId", true)],
        "updateAccount" => &[("accountId", true)],
        "createCard" => &[("customerId", true), ("accountId", true), ("cardId", false), ("plasticId", false)],
        "updateCard" | "setPin" | "reorderPin" | "updatePlastic by number" => &[("cardId", true)],
        "reissueCard" | "replaceCard" | "orderPhysical" => &[("cardId", true), ("plasticId", false)],
        "updatePlastic" => &[("plasticId", true)],
        other => panic!("{other} has no ids"),
    };
    let mut rows = vec![
        needed("orderId", values::order_id()),
        needed("op", values::operation()),
        needed("institutionId", values::institution_id()),
        optional("at", values::made_at()),
        needed("auditUser", values::free(1, 255)),
    ];
    let bodiless = ["createAccount", "reissueCard", "replaceCard", "reorderPin", "orderPhysical"];
    rows.push(Row { path: "body".into(), needed: !bodiless.contains(&line), values: values::object() });
    rows.extend(ids.iter().map(|(name, needed)| Row { path: (*name).into(), needed: *needed, values: values::id() }));
    if line == "createCard" {
        rows.push(needed("cardRole", values::words(&["MAIN", "SUPPLEMENTARY"])));
        rows.push(optional("scheme", values::words(&["VISA", "MASTERCARD"])));
    }
    if line == "updatePlastic by number" {
        rows.push(needed("sequenceNumber", values::whole(1, 99)));
    }
    rows
}

/// S3; `must` is what its required fields are.
fn customer(must: fn(&str, Values) -> Row) -> Vec<Row> {
    let mut rows = vec![
        must("body.customerNumber", values::class(1, 32, &["Ab1"], &["a-1", "a b", "ä", "a_"])),
        must("body.locale", values::locale()),
        must("body.regNo", values::free(1, 255)),
        optional("body.salutation", values::free(1, 255)),
        must("body.firstName", values::free(1, 255)),
        optional("body.middleName", values::free(1, 255)),
        must("body.lastName", values::free(1, 255)),
        optional("body.phoneNumber", values::phone()),
        optional("body.mobileNumber", values::phone()),
        optional("body.email", values::email()),
        optional("body.dateOfBirth", values::day(&["0001-01-01", "1980-02-29", "9999-12-31"])),
        optional("body.nationality", values::list(&json!("FIN"), 300)),
        optional("body.screening", values::object()),
        optional("body.temporaryAddress.validFrom", values::day(&["0001-01-01", "2026-12-31"])),
        optional("body.temporaryAddress.validTo", values::day(&["2026-11-01", "9999-12-31"])),
    ];
    rows.extend(address("body.address", must));
    rows.extend(address("body.temporaryAddress", optional));
    rows
}

/// Embossing-file 3.4: what a whole address needs is decided at the claim (R86).
fn address(path: &str, itself: fn(&str, Values) -> Row) -> Vec<Row> {
    let field = |name: &str, values| optional(&format!("{path}.{name}"), values);
    let lines = ["address1", "address2", "address3", "address4", "city"];
    let mut rows: Vec<Row> = lines.into_iter().map(|name| field(name, values::free(1, 255))).collect();
    rows.push(field("zipCode", values::zip_code()));
    rows.push(field("country", values::country()));
    rows.push(field("region", values::free(1, 32)));
    rows.push(itself(path, values::object()));
    rows
}

/// S2: the embossing object.
fn embossing() -> Vec<Row> {
    let field = |name: &str, values| optional(&format!("body.embossing.{name}"), values);
    let names = ["firstName", "lastName", "additionalEmbossingName", "companyName"];
    let mut rows: Vec<Row> = names.into_iter().map(|name| field(name, values::embossed(26))).collect();
    rows.extend((1..=5).map(|number| field(&format!("additionalField{number}"), values::embossed(32))));
    rows.push(field("externalLayoutCode", values::free(0, 32)));
    // T4: its pattern is held to at the claim.
    rows.push(field("manufacturer", values::free(0, 255)));
    rows.push(field("physical", values::switch()));
    rows.push(optional("body.embossing", values::object()));
    rows
}

/// S2.
fn expiration() -> Vec<Row> {
    vec![
        optional("body.expiration", values::object()),
        needed("body.expiration.year", values::whole(2000, 2099)),
        needed("body.expiration.month", values::whole(1, 12)),
    ]
}

/// S0, S2: what only a new card has.
fn card_only() -> Vec<Row> {
    let (code, mark) = (format!("V{}", "_".repeat(64)), "a|_ +.'-é");
    let mut rows = vec![
        optional(
            "body.productCode",
            values::of("V", 2, 65).patterned(&["V1", &code], &["1V", "_V", "Visa", "V V", "VÄ"]),
        ),
        optional("body.digitalLayoutCode", values::class(1, 32, &["Ab1"], &["a-b", "a b", "ä"])),
        optional("body.scheduledClosing", values::object()),
        needed("body.scheduledClosing.type", values::words(&["TIMEBASED"])),
        needed("body.scheduledClosing.time", values::instant(&["9999-12-31T23:59:59.999999Z"])),
        optional("body.additionalValues", values::list(&json!({"key": "k", "value": "v"}), 10)),
        needed("body.additionalValues.0.key", values::class(1, 8, &["a-_ 9"], &["a.b", "é", "a|", "a+"])),
        needed(
            "body.additionalValues.0.value",
            values::class(
                1,
                50,
                &[mark, &"Ọ".repeat(50), &"e\u{301}".repeat(50)],
                &["a&b", "a,b", "a/b", "a\u{2019}", "日"],
            ),
        ),
        optional("body.encryptedData", values::free(1, 4096)),
    ];
    rows.extend(expiration());
    rows
}

/// S0, S1: what a new card and an update have alike.
fn card_both() -> Vec<Row> {
    let pin_ways: Vec<&str> = WAYS.into_iter().chain(["EPIN"]).collect();
    let mut rows = vec![
        optional("body.segment", values::words(&SEGMENTS)),
        optional("body.pinStatus", values::words(&["D", "W", "S"])),
        optional("body.cardDeliveryType", values::words(&WAYS)),
        optional("body.pinDeliveryType", values::words(&pin_ways)),
    ];
    rows.extend(embossing());
    rows.extend(address("body.cardAddress", optional));
    rows.extend(address("body.pinAddress", optional));
    rows
}

/// S1: what only an update has.
fn update_only() -> Vec<Row> {
    let value = json!({"code": "ATM"});
    let mut rows = vec![
        optional("body.customerId", values::id()),
        optional("body.accountId", values::id()),
        optional("body.status", values::words(&STATUSES)),
        optional("body.reason", values::free(0, 32)),
        optional("body.usageLimits", values::list(&json!({"code": "24H"}), 100)),
        needed("body.usageLimits.0.code", values::free(1, 32)),
        optional("body.usageLimits.0.values", values::list(&value, 100)),
        needed("body.usageLimits.0.values.0.code", values::free(1, 32)),
        optional("body.usageLimits.0.values.0.reset", values::switch()),
        optional("body.usageLimits.0.values.0.singleAmount", values::amount()),
        optional("body.usageLimits.0.values.0.count", values::whole(0, i64::from(i32::MAX))),
        optional("body.usageLimits.0.values.0.sumAmount", values::amount()),
        optional("body.regionAndEcommBlocking", values::object()),
    ];
    rows.extend(REGIONS.map(|region| optional(&format!("body.regionAndEcommBlocking.{region}"), values::switch())));
    rows
}

/// Every object of a line by its path, with the names of its members. What stands in `screening` is nobody's business.
fn objects(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) if !path.ends_with("screening") => {
            found.insert(path.to_owned(), members.keys().cloned().collect());
            members.iter().for_each(|(name, value)| objects(value, &inside(name), found));
        }
        Value::Array(values) => values.iter().take(1).for_each(|value| objects(value, &inside("0"), found)),
        _ => {}
    }
}

fn objects_of(line: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    objects(&full(line), "", &mut found);
    found
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

#[test]
fn every_operation_has_a_line_that_is_taken() {
    let named: BTreeSet<&str> = LINES.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let known: BTreeSet<&str> = OperationName::ALL.iter().map(|name| name.as_str()).collect();
    assert_eq!(named, known);
    for line in LINES {
        assert!(read(&full(line)).is_ok(), "{line}: {:?}", read(&full(line)));
    }
}

#[test]
fn every_field_of_every_operation_has_one_row() {
    for line in LINES {
        let there: Vec<String> = objects_of(line)
            .iter()
            .flat_map(|(parent, names)| names.iter().map(|name| joined(parent, name)).collect::<Vec<_>>())
            .collect();
        let mut listed: Vec<String> = rows(line).into_iter().map(|row| row.path).collect();
        let mut there: Vec<String> = there;
        there.sort();
        listed.sort();
        assert_eq!(listed, there, "{line}");
    }
}

#[test]
fn r87_r91_r99_r100_r117_every_field_is_taken_at_its_limit_and_refused_one_past_it() {
    for line in LINES {
        for Row { path, values, .. } in rows(line) {
            let taken = values.taken.into_iter().map(|value| (value, None));
            let refused = values.refused.into_iter().map(|(value, code)| (value, Some(code)));
            let cases: Vec<_> = taken.chain(refused).collect();
            each(&full(line), &path, &cases);
        }
    }
}

#[test]
fn every_field_is_needed_or_may_be_absent_and_null_is_absent() {
    for line in LINES {
        for Row { path, needed, .. } in rows(line) {
            let missing = needed.then_some(ErrorCode::FieldMissing);
            each(&full(line), &path, &[(Value::Null, missing)]);
            let got = read(&without(full(line), &path));
            assert_eq!(got.as_ref().err().map(|refusal| refusal.code), missing, "{line} without {path}: {got:?}");
        }
    }
}

fn without(mut line: Value, path: &str) -> Value {
    let pointer = format!("/{}", path.replace('.', "/"));
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    line.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    line
}

#[test]
fn no_operation_takes_a_field_of_another_or_one_that_nobody_has() {
    let mut elsewhere: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (parent, names) in LINES.iter().flat_map(|line| objects_of(line)) {
        elsewhere.entry(parent).or_insert_with(|| BTreeSet::from(["colour".to_owned()])).extend(names);
    }
    for line in LINES {
        for (parent, own) in objects_of(line) {
            for name in elsewhere[&parent].difference(&own) {
                let got = read(&with(full(line), &joined(&parent, name), json!("1")));
                let code = got.as_ref().err().map(|refusal| refusal.code);
                assert_eq!(code, Some(ErrorCode::FieldUnknown), "{line} with {parent} {name}: {got:?}");
            }
        }
    }
}
