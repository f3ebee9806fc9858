//! The keys of every `--json` object, frozen: scripts read them. Keys may be added here, never taken away.

use std::fs;

use serde_json::{Value, json};

use crate::support::trial::{Outcome, Trial, emboss};

/// Asserts that an object has these keys and no other.
#[track_caller]
fn has_keys(object: &Value, keys: &[&str]) {
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    let object = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    let mut found: Vec<&str> = object.keys().map(|key| &**key).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

/// What the design promises for `run`, `plan` and `demo`.
const RUN: &str = "command kind businessDate cutOff crypto selected delivered undelivered held excluded closed addsUp \
                   agreements alerts exitCode";

fn keys(design: &str, ours: &str) -> Vec<String> {
    design.split_whitespace().chain(ours.split_whitespace()).map(str::to_owned).collect()
}

#[track_caller]
fn has_all(object: &Value, design: &str, ours: &str) {
    let keys = keys(design, ours);
    has_keys(object, &keys.iter().map(|key| &**key).collect::<Vec<_>>());
}

fn counts(object: &Value) -> [&Value; 5] {
    ["selected", "delivered", "closed", "addsUp", "exitCode"].map(|key| &object[key])
}

#[track_caller]
fn is_report(report: &Value, more: &str) {
    has_all(report, RUN, &format!("runId startedAt endedAt warnings resumed {more} auditHead"));
    assert!(report["auditHead"].as_str().unwrap().parse::<emboss::chain::Head>().is_ok(), "{}", report["auditHead"]);
    has_keys(&report["undelivered"], &["byState"]);
    has_keys(&report["held"], &["total", "byReason"]);
    has_keys(&report["excluded"], &["total", "byReason"]);
    let agreement = &report["agreements"][0];
    has_keys(agreement, &["institution", "manufacturer", "outcome", "reason", "selected", "held", "excluded", "files"]);
    is_file(&agreement["files"][0]);
    for instant in ["cutOff", "startedAt", "endedAt"] {
        let written = report[instant].as_str().unwrap();
        assert!(written.ends_with('Z') && written.parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{instant}");
    }
}

const FILE: &str =
    "fileId fileName sequenceNumber state records cards pinOnly byProductionEvent sha256 sizeBytes durationsMs";

#[track_caller]
fn is_file(file: &Value) {
    has_all(file, FILE, "");
}

/// What a person's order and `status` tell of a file beside that.
const MORE_OF_A_FILE: &str = "fileType resendOfFileId deliveryNumber abandoned trouble";

#[test]
fn run() {
    let trial = Trial::with_orders();
    let outcome = trial.run(&["run", "--json"]).exits(0);
    let report = outcome.object();
    is_report(&report, "");
    assert_eq!(counts(&report), [&json!(3), &json!(2), &json!(0), &json!(true), &json!(0)]);
    assert_eq!(report["held"], json!({ "total": 1, "byReason": { "HELD_PIN_WAIT": 1 } }));
    assert_eq!(report["excluded"], json!({ "total": 0, "byReason": {} }));
    let file = &report["agreements"][0]["files"][0];
    assert_eq!((&file["state"], &file["records"]), (&json!("SETTLED"), &json!(2)));
    assert_eq!(file["byProductionEvent"], json!({ "NCRD": 2 }));
    assert_eq!(file["fileName"], json!(trial.delivered()[0]));
    assert!(outcome.stderr.contains("adds up."), "people's text: {}", outcome.stderr);
}

#[test]
fn demo() {
    let folder = tempfile::tempdir().unwrap();
    let report = Outcome::of(emboss().args(["demo", "--json"]).arg(folder.path())).exits(0).object();
    is_report(&report, "folder before after");
    for plastics in [&report["before"], &report["after"]] {
        has_keys(&plastics[0], &["cardId", "plasticId", "sequenceNumber", "productionEvent", "status"]);
    }
}

#[test]
fn plan() {
    let trial = Trial::with_orders();
    let outcome = trial.run(&["plan", "--json"]).exits(0);
    let plan = outcome.object();
    has_all(&plan, RUN, "produce warnings findings");
    assert_eq!(counts(&plan), [&json!(3), &json!(2), &json!(0), &json!(true), &json!(0)], "what a run would say");
    assert_eq!(plan["produce"], json!({ "total": 2, "byProductionEvent": { "NCRD": 2 } }));
    let agreement = &plan["agreements"][0];
    let design = "institution manufacturer outcome reason selected held excluded files";
    has_all(agreement, design, "produce");
    let finding = &plan["findings"][0];
    has_keys(finding, &["plasticId", "cardId", "verdict", "reason", "detail", "markedAt", "ageDays"]);
    assert_eq!(
        (&finding["cardId"], &finding["verdict"], &finding["reason"]),
        (&json!("3003"), &json!("HOLD"), &json!("HELD_PIN_WAIT"))
    );
    assert!(outcome.stderr.starts_with("Plan for "), "{}", outcome.stderr);
}

#[test]
fn status() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let outcome = trial.run(&["status", "--json"]).exits(0);
    let status = outcome.object();
    has_all(&status, "runs files held alerts", "excluded waitingForPin");
    has_keys(&status["runs"][0], &["runId", "kind", "businessDate", "cutOff", "startedAt", "endedAt", "exitCode"]);
    has_all(&status["files"][0], FILE, &format!("{MORE_OF_A_FILE} help"));
    assert_eq!(status["files"][0]["help"], json!([]), "a settled file needs nobody");
    has_keys(&status["held"][0], &["cardId", "plasticId", "reason", "sinceDays", "detail"]);
    assert_eq!(status["held"][0]["reason"], "HELD_PIN_WAIT");
    has_keys(&status["waitingForPin"], &["cards", "longestDays", "warningAgeDays", "cardsByWarningAge"]);
    assert!(outcome.stderr.starts_with("Runs:"), "{}", outcome.stderr);
}

#[test]
fn persons_orders() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let name = trial.delivered()[0].clone();
    fs::remove_file(trial.path("out").join(&name)).unwrap();
    let person = ["--file", &name, "--by", "anna", "--reason", "they lost it", "--json"];
    for (more, order) in [(&[][..], "resend"), (&["--duplicate"], "resend --duplicate")] {
        let outcome = trial.run(&[&["resend"], &person[..], more].concat()).exits(0);
        let object = outcome.object();
        has_keys(
            &object,
            &["command", "order", "by", "reason", "from", "file", "done", "left", "alerts", "exitCode", "auditHead"],
        );
        has_all(&object["file"], FILE, MORE_OF_A_FILE);
        let told = ["command", "order", "by", "reason", "from", "left", "alerts", "exitCode"].map(|key| &object[key]);
        let expected = json!(["resend", order, "anna", "they lost it", "SETTLED", null, [], 0]);
        assert_eq!(json!(told), expected);
        assert_eq!(object["file"]["state"], "SETTLED");
        assert!(outcome.stderr.contains(object["done"].as_str().unwrap()), "people's text: {}", outcome.stderr);
    }
    let refused = trial.run(&[&["abandon"], &person[..]].concat()).exits(1).object();
    has_keys(&refused, &["error", "exitCode"]);
}

#[test]
fn events_are_lines_with_or_without_the_option() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let plain = trial.run(&["events"]).exits(0);
    assert_eq!(trial.run(&["events", "--json"]).exits(0).stdout, plain.stdout);
    for event in plain.lines() {
        has_keys(&event, &["number", "at", "kind", "institution", "data"]);
        assert!(event["number"].is_i64() && event["data"].is_object(), "{event}");
        let at = event["at"].as_str().unwrap();
        assert!(at.ends_with('Z') && at.split_once('.').unwrap().1.len() == 7, "microseconds: {at}");
    }
}

#[test]
fn explain() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let outcome = trial.run(&["explain", "--card", "3001", "--json"]).exits(0);
    let story = outcome.object();
    let parts = "plastics orders requests standings stops files unfinished audit events next";
    has_all(&story, "command institution cardId plasticId card exitCode", parts);
    let card = "cardNumber productCode scheme status statusSince pinStatus physical scheduledClosing replaces replacedBy \
                manufacturer customerId accountId";
    has_all(&story["card"], card, "versions customerVersions accountVersions pins");
    has_keys(&story["card"]["versions"][0], &["version", "at", "status", "pinStatus"]);
    has_keys(&story["card"]["customerVersions"][0], &["version", "at"]);
    has_keys(&story["card"]["accountVersions"][0], &["version", "at"]);
    has_keys(&story["card"]["pins"][0], &["version", "at", "recordUid", "onRecord"]);
    let plastic = "plasticId sequenceNumber productionEvent status expiry markedAt embossingDate";
    has_all(&story["plastics"][0], plastic, "");
    has_keys(&story["orders"][0], &["orderId", "op", "at", "description", "warnings"]);
    let request = "recordUid plasticId productionEvent reproduction markedAt state reason fileId";
    has_all(&story["requests"][0], request, "");
    let file = "fileId fileName manufacturer sequenceNumber fileType resendOfFileId state night cutOff dataAsOf sha256 \
                records abandoned trouble publishedAt settledAt";
    has_all(&story["files"][0], file, "places deliveries");
    has_keys(&story["files"][0]["places"][0], &["recordUid", "plasticId", "recordNumber", "takenOut"]);
    let delivery = "deliveryNumber state attempt receipt startedAt publishedAt";
    has_all(&story["files"][0]["deliveries"][0], delivery, "");
    has_keys(&story["events"][0], &["number", "at", "kind", "data"]);
    has_keys(&story["next"], &["businessDate", "cutOff", "requests", "renewal"]);
    assert!(outcome.stderr.starts_with("Card 3001 of 246001: 400000******"), "{}", outcome.stderr);
    let held = trial.run(&["explain", "--card", "3003", "--json"]).exits(0).object();
    has_keys(&held["standings"][0], &["recordUid", "verdict", "reason", "firstNight", "lastNight", "nights"]);
    let expected = "recordUid plasticId productionEvent verdict manufacturer reason rule detail ageDays fileId advice";
    has_all(&held["next"]["requests"][0], expected, "");
    let name = trial.delivered()[0].clone();
    fs::remove_file(trial.delivered_file()).unwrap();
    trial.run(&["resend", "--file", &name, "--by", "anna", "--reason", "they lost it"]).exits(0);
    let story = trial.run(&["explain", "--card", "3001", "--json"]).exits(0).object();
    has_keys(&story["audit"][0], &["number", "at", "by", "action", "fileId", "reason"]);
    let unknown = trial.run(&["explain", "--card", "1", "--json"]).exits(2).object();
    has_keys(&unknown, &["error", "exitCode"]);
}

#[test]
fn check() {
    let trial = Trial::new();
    trial.set_mode("keys/signer.key", 0o640);
    let outcome = trial.run(&["check", "--json"]).exits(1);
    let object = outcome.object();
    has_keys(&object, &["findings", "exitCode"]);
    has_keys(&object["findings"][0], &["level", "subject", "text", "action"]);
    assert_eq!((&object["findings"][0]["level"], &object["exitCode"]), (&json!("error"), &json!(1)));
    assert!(outcome.stderr.contains("A night would not go well."), "{}", outcome.stderr);
}

#[test]
fn inspect() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let outcome = trial.inspect(&trial.delivered_file(), &["--json"]).exits(0);
    let object = outcome.object();
    has_all(&object, "fileName header totals signature findings records", "exitCode");
    assert_eq!(object["records"].as_array().unwrap().len(), 2);
    assert_eq!(object["findings"], json!([]));
    assert_eq!(object["totals"]["numberOfRecords"], 2);
    assert_eq!(object["header"]["environment"], "TEST");
    assert!(object["signature"].as_str().unwrap().starts_with("good, by "), "{object}");
    assert!(outcome.stderr.contains("The file is sound."), "{}", outcome.stderr);
}

#[test]
fn import_answers_are_lines_with_or_without_the_option() {
    let trial = Trial::new();
    let lines = crate::support::trial::orders();
    let plain = trial.import(&lines).exits(0);
    let file = trial.order_file("orders.jsonl", &lines);
    let outcome = trial.run(&["import", "--json", &file]).exits(0);
    assert_eq!(outcome.stdout, plain.stdout);
    let answers = outcome.lines();
    has_keys(&answers[0], &["line", "orderId", "description", "id"]);
    has_keys(&answers[2], &["line", "orderId", "description", "id", "cardId", "plasticIds"]);
    let refused = trial.import(&[json!({ "orderId": "o-9" })]).exits(1).lines();
    let design = "orderId code message id errorCode errorType errorReason timestamp";
    has_all(&refused[0], design, "line");
}

#[test]
fn a_failure_is_an_object_too() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["check", "plan", "run", "status", "schedule"] {
        let outcome = Outcome::of(emboss().args([command, "--json"]).current_dir(folder.path())).exits(2);
        let object = outcome.object();
        has_keys(&object, &["error", "exitCode"]);
        assert_eq!(object["exitCode"], 2);
        assert_eq!(outcome.stderr, format!("emboss: {}\n", object["error"].as_str().unwrap()), "{command}");
    }
}
