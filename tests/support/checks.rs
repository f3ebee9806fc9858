//! Plays a scenario in every variant and complains about everything that is not as expected, all at once.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::across;
use super::expected::{Expected, normalised, pretty};
use super::player::{Delivered, Played, Stage, Variant};
use super::recount::{V2_ONLY, recount};
use super::scenario::{Expect, ExpectedFile, Fields, Kind, Scenario, fixtures, matches};
use super::support::{gpg::Gpg, program};
use super::tree::{Document, Tree};

/// After every signature of the fixtures, before every expiry.
const AFTER_ALL: &str = "20270601T000000";

type Complaints = Vec<String>;

/// Documents of one variant by name without format and version, and the PINs in them.
#[derive(Default)]
struct Outcome {
    documents: BTreeMap<String, (Document, u8)>,
    pins: BTreeMap<String, String>,
    /// Every record as `NAME cardId/sequence`, its PIN among its fields.
    records: BTreeMap<String, Tree>,
}

/// Plays the scenario.
///
/// # Panics
/// With every complaint.
pub fn play(name: &str) {
    let scenario = Scenario::read(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("tokio");
    let gpg = key_ring();
    let mut complaints = Vec::new();
    let mut expected = Expected::of(name);
    let mut outcomes = Vec::new();
    for variant in scenario.variants() {
        let mut of_variant = Vec::new();
        let outcome = runtime.block_on(play_variant(name, &scenario, variant, &gpg, &mut expected, &mut of_variant));
        let label = variant.map_or_else(String::new, |(format, version)| format!("{format} {version}: "));
        complaints.extend(of_variant.into_iter().map(|complaint| format!("{label}{complaint}")));
        outcomes.push(outcome);
    }
    agree(&outcomes, &mut complaints);
    expected.settle(&mut complaints);
    assert!(complaints.is_empty(), "{name} ({}):\n- {}", scenario.title, complaints.join("\n- "));
}

async fn play_variant(
    name: &str,
    scenario: &Scenario,
    variant: Variant,
    gpg: &Gpg,
    expected: &mut Expected,
    complaints: &mut Complaints,
) -> Outcome {
    let mut stage = Stage::open(name, scenario, variant).await;
    let mut outcome = Outcome::default();
    let (mut imports, mut nights) = (0, 0);
    let mut plastics = Vec::new();
    for (number, step) in scenario.step.iter().enumerate() {
        let played = stage.play(step).await;
        let mut of_step = Vec::new();
        if step.kind == Kind::Import {
            imports += 1;
            expected.keep(&format!("answers-{imports}.jsonl"), played.answers.clone().into_bytes(), &mut of_step);
            answers(&played.answers, &step.expect, &mut of_step);
        } else {
            nights += 1;
            for (what, value) in [("plan", &played.plan), ("report", &played.report)] {
                if let Some(value) = value {
                    expected.keep(&format!("{what}-{nights}.json"), pretty(&normalised(value)), &mut of_step);
                }
            }
            let version = variant.map_or(2, |(_, version)| version);
            night(&played, &step.expect, version, &mut of_step);
        }
        for (file, delivered) in &played.files {
            let plain = file.strip_suffix(".pgp").unwrap_or(file);
            expected.keep(&format!("files/{plain}"), delivered.document.clone().into_bytes(), &mut of_step);
            real_programs(gpg, plain, delivered, &mut of_step);
        }
        files(&played, &step.expect, &mut outcome, &mut of_step);
        after(&played, &step.expect, &mut of_step);
        cards(&played, &step.expect, &mut of_step);
        plastics = played.plastics;
        complaints.extend(of_step.into_iter().map(|complaint| format!("step {}: {complaint}", number + 1)));
    }
    across::compare(&scenario.same, &scenario.differ, &outcome.records, complaints);
    expected.keep("plastics.json", pretty(&Value::Array(plastics)), complaints);
    outcome
}

fn answers(answers: &str, expect: &Expect, complaints: &mut Complaints) {
    let lines: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect();
    let refused = lines.iter().filter(|answer| !answer["errorCode"].is_null());
    let found: Vec<String> = refused
        .map(|answer| {
            let code = answer["errorCode"].as_str().unwrap_or_default();
            match answer["orderId"].as_str() {
                Some(order) => format!("{order} {code}"),
                None => format!("#{} {code}", answer["line"]),
            }
        })
        .collect();
    same("refused", &expect.refused, &found, complaints);
    let warned: Vec<String> = lines
        .iter()
        .flat_map(|answer| answer["warnings"].as_array().into_iter().flatten().map(move |warning| (answer, warning)))
        .map(|(answer, warning)| {
            [&answer["orderId"], &warning["code"]].map(|text| text.as_str().unwrap_or("?")).join(" ")
        })
        .collect();
    same("warned", &expect.warned, &warned, complaints);
}

fn night(played: &Played, expect: &Expect, version: u8, complaints: &mut Complaints) {
    let plan = played.plan.as_ref().expect("a plan");
    for (verdict, listed) in [("HOLD", &expect.held), ("EXCLUDE", &expect.excluded), ("CLOSE", &expect.closed)] {
        let findings = plan["findings"].as_array().expect("findings").iter();
        let of_verdict = findings.filter(|finding| finding["verdict"] == verdict);
        let mut found: Vec<String> = of_verdict
            .map(|finding| {
                let text = |field: &str| finding[field].as_str().unwrap_or_default();
                format!("{} {} {}", finding["cardId"].to_string().trim_matches('"'), text("reason"), finding["ageDays"])
            })
            .collect();
        found.sort();
        let mut listed = listed.clone();
        listed.sort();
        same(&format!("{verdict} in the plan"), &listed, &found, complaints);
    }
    let mut warnings = expect.warnings.clone();
    if version == 2 {
        warnings.extend(expect.warnings_v2.clone());
    }
    for value in [Some(plan), played.report.as_ref()].into_iter().flatten() {
        let command = value["command"].as_str().unwrap_or_default();
        let by_code: BTreeMap<String, u64> = serde_json::from_value(value["warnings"].clone()).expect("warnings");
        same(&format!("warnings of {command}"), &warnings, &by_code, complaints);
        let is_plan = command == "plan";
        let at_once = if is_plan { &[][..] } else { &expect.held_at_once };
        let held = [&expect.held, at_once].concat();
        for (verdict, listed) in [("held", &held), ("excluded", &expect.excluded)] {
            let found: BTreeMap<String, u64> =
                serde_json::from_value(value[verdict]["byReason"].clone()).expect("counts");
            same(&format!("{verdict} of {command}"), &by_reason(listed), &found, complaints);
        }
        let closed = value["closed"].as_u64();
        same(&format!("closed of {command}"), &Some(expect.closed.len() as u64), &closed, complaints);
        let selected = expect.planned.filter(|_| is_plan).or(expect.selected);
        same(&format!("selected of {command}"), &selected, &value["selected"].as_u64(), complaints);
        same(&format!("renewals of {command}"), &expect.renewed, &renewals(&value["renewals"]), complaints);
    }
    if let Some(report) = &played.report {
        same("exit code", &expect.exit, &report["exitCode"].as_i64(), complaints);
        same("addsUp", &Some(true), &report["addsUp"].as_bool(), complaints);
        let list = |field: &str, line: &dyn Fn(&Value) -> String| -> Vec<String> {
            report[field].as_array().expect("a list").iter().map(line).collect()
        };
        let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let agreements = list("agreements", &|value| {
            [text(value, "institution"), text(value, "manufacturer"), text(value, "outcome")].join(" ")
        });
        same("agreements", &expect.agreements, &agreements, complaints);
        same("alerts", &expect.alerts, &list("alerts", &|value| text(value, "code")), complaints);
    }
}

/// `institution EVENT count` and `institution REASON count`, as far as there are any.
fn renewals(tallies: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for tally in tallies.as_array().into_iter().flatten() {
        for counts in [&tally["renewed"], &tally["skipped"]["byReason"]] {
            let counts = counts.as_object().into_iter().flatten().filter(|(_, count)| **count != 0);
            found.extend(
                counts.map(|(what, count)| format!("{} {what} {count}", tally["institution"].as_str().unwrap_or("?"))),
            );
        }
    }
    found
}

fn by_reason(listed: &[String]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in listed {
        *counts.entry(line.split(' ').nth(1).expect("a reason").to_owned()).or_default() += 1;
    }
    counts
}

fn files(played: &Played, expect: &Expect, outcome: &mut Outcome, complaints: &mut Complaints) {
    let stem = |name: &str| name.rsplit_once("_V").expect("a version").0.to_owned();
    let mut listed: Vec<String> = expect.file.iter().map(|file| file.name.clone()).collect();
    listed.sort();
    let found: Vec<String> = played.files.keys().map(|name| stem(name)).collect();
    same("files", &listed, &found, complaints);
    let ids = plastic_ids(&played.plastics);
    for (name, delivered) in &played.files {
        let document = Document::read(&delivered.document, name);
        let version = if name.contains("_V1.") { 1 } else { 2 };
        let pins = recount(&document, name, complaints);
        let records = records(&document, &pins, &ids);
        outcome.pins.extend(pins.into_iter().map(|(plastic, pin)| (format!("{} {plastic}", stem(name)), pin)));
        if let Some(file) = expect.file.iter().find(|file| file.name == stem(name)) {
            content(&document, &records, file, version, name, complaints);
        }
        outcome.records.extend(records.into_iter().map(|(label, card)| (format!("{} {label}", stem(name)), card)));
        outcome.documents.insert(stem(name), (document, version));
    }
}

/// `institution:plasticId` to `cardId/sequence`.
fn plastic_ids(plastics: &[Value]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
    let line = |plastic: &Value| {
        let id = format!("{}:{}", text(&plastic["institution"]), text(&plastic["plasticId"]));
        (id, format!("{}/{}", text(&plastic["cardId"]), plastic["sequenceNumber"]))
    };
    plastics.iter().map(line).collect()
}

/// The records by `cardId/sequence`, in the file's order, their PINs added.
fn records(
    document: &Document,
    pins: &BTreeMap<String, String>,
    ids: &BTreeMap<String, String>,
) -> Vec<(String, Tree)> {
    let institution = document.header.get("institution.id").unwrap_or_default();
    let labelled = |card: &Tree| {
        let plastic = card.get("plasticId").unwrap_or_default();
        let id = format!("{institution}:{plastic}");
        let pin = pins.get(plastic).map(|pin| ("pin".to_owned(), Tree::Text(pin.clone())));
        let Tree::Object(fields) = card.clone() else { panic!("{id} is no object") };
        (ids.get(&id).cloned().unwrap_or(id), Tree::Object(fields.into_iter().chain(pin).collect()))
    };
    document.cards.iter().map(labelled).collect()
}

fn content(
    document: &Document,
    records: &[(String, Tree)],
    file: &ExpectedFile,
    version: u8,
    name: &str,
    complaints: &mut Complaints,
) {
    let found: Vec<String> = records.iter().map(|(label, _)| label.clone()).collect();
    same(&format!("{name}: records"), &file.records, &found, complaints);
    fields(&document.header, &file.header, &format!("{name}: header"), complaints);
    fields(&document.trailer, &file.trailer, &format!("{name}: trailer"), complaints);
    let (trailer, of_version) =
        if version == 1 { (&file.trailer_v1, &file.record_v1) } else { (&file.trailer_v2, &file.record_v2) };
    fields(&document.trailer, trailer, &format!("{name}: trailer"), complaints);
    for (record, expected) in file.record.iter().chain(of_version) {
        match records.iter().find(|(label, _)| label == record) {
            Some((_, card)) => fields(card, expected, &format!("{name}: {record}"), complaints),
            None => complaints.push(format!("{name}: there is no record {record}")),
        }
    }
}

fn fields(tree: &Tree, expected: &Fields, place: &str, complaints: &mut Complaints) {
    for (path, value) in expected {
        if !matches(value, tree.get(path)) {
            complaints.push(format!("{place}: {path} is {:?}, by the rules {value:?}", tree.get(path)));
        }
    }
}

fn after(played: &Played, expect: &Expect, complaints: &mut Complaints) {
    let Some(expected) = &expect.after else { return };
    let mut found = Fields::new();
    for plastic in &played.plastics {
        let text = |field: &str| plastic[field].to_string().trim_matches('"').to_owned();
        let own = if text("institution") == "246001" { String::new() } else { text("institution") + ":" };
        let label = format!("{own}{}/{}", text("cardId"), text("sequenceNumber"));
        let words = [text("status"), text("event"), text("expiry")];
        let wanted = expected.get(&label).map_or(1, |line| line.split(' ').count());
        found.insert(label, words[..wanted].join(" "));
    }
    same("plastics afterwards", expected, &found, complaints);
}

fn cards(played: &Played, expect: &Expect, complaints: &mut Complaints) {
    let Some(expected) = &expect.cards else { return };
    let mut found = Fields::new();
    for (label, line) in &played.cards {
        let label = label.strip_prefix("246001:").unwrap_or(label);
        let wanted = expected.get(label).map_or(3, |line| line.split(' ').count());
        let words: Vec<&str> = line.split(' ').take(wanted).collect();
        found.insert(label.to_owned(), words.join(" "));
    }
    same("cards afterwards", expected, &found, complaints);
}

/// The variants say the same: XML as JSON, and version 1 as version 2 without what only version 2 has.
fn agree(outcomes: &[Outcome], complaints: &mut Complaints) {
    let Some((first, others)) = outcomes.split_first() else { return };
    for other in others {
        same("PINs in two variants", &first.pins, &other.pins, complaints);
        for (name, (document, version)) in &first.documents {
            let Some((twin, twin_version)) = other.documents.get(name) else { continue };
            let dropped = if version == twin_version { &[][..] } else { V2_ONLY };
            let header = |document: &Document| {
                let differs = if dropped.is_empty() { &["fileName"][..] } else { &["fileName", "formatVersion"] };
                document.header.without(differs)
            };
            let cards = |document: &Document| -> Vec<Tree> {
                document.cards.iter().map(|card| card.without(dropped)).collect()
            };
            let trailer = |document: &Document| {
                let differs =
                    if dropped.is_empty() { &["recordsSha256"][..] } else { &["recordsSha256", "numberOfCarriers"] };
                document.trailer.without(differs)
            };
            same(&format!("header of {name} in two variants"), &header(document), &header(twin), complaints);
            same(&format!("records of {name} in two variants"), &cards(document), &cards(twin), complaints);
            same(&format!("trailer of {name} in two variants"), &trailer(document), &trailer(twin), complaints);
        }
    }
}

/// GnuPG opens it to the same bytes and finds the signature good; `xmllint` or the JSON Schema find it valid.
fn real_programs(gpg: &Gpg, name: &str, delivered: &Delivered, complaints: &mut Complaints) {
    let opened = gpg.decrypt_at(&delivered.sealed, AFTER_ALL);
    if opened.content != delivered.document.as_bytes() {
        complaints.push(format!("{name}: gpg finds other content, key {}", delivered.house_key));
    }
    if !opened.says("GOODSIG") || !opened.says(&format!("VALIDSIG {}", delivered.signer)) {
        complaints.push(format!("{name}: gpg says {:?}", opened.status));
    }
    let version = if name.contains("_V1.") { 1 } else { 2 };
    let schemas = fixtures().join("../schemas");
    if name.ends_with(".xml") {
        complaints.extend(xmllint(&schemas.join(format!("embossing-v{version}.xsd")), &delivered.document));
    } else {
        let path = schemas.join(format!("embossing-v{version}.schema.json"));
        let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("a schema")).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let document: Value = serde_json::from_str(&delivered.document).expect("JSON");
        complaints.extend(validator.iter_errors(&document).map(|error| format!("{name}: {error}")));
    }
}

fn xmllint(schema: &std::path::Path, document: &str) -> Option<String> {
    let mut child = Command::new(program("xmllint", "libxml2-utils"))
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint starts");
    child.stdin.take().expect("a pipe").write_all(document.as_bytes()).expect("xmllint reads");
    let output = child.wait_with_output().expect("xmllint ends");
    (!output.status.success()).then(|| format!("xmllint: {}", String::from_utf8_lossy(&output.stderr)))
}

fn key_ring() -> Gpg {
    let gpg = Gpg::new();
    for name in ["signer.asc", "factory-x.key", "factory-y.key"] {
        gpg.import(&std::fs::read(fixtures().join("keys").join(name)).expect("a key"));
    }
    gpg
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T, complaints: &mut Complaints) {
    if expected != found {
        complaints.push(format!("{what}:\n    expected {expected:?}\n    found    {found:?}"));
    }
}
