//! Persons' orders with the real program: usage, exit codes, what is refused of who and why, status and events.

use std::fs;

use serde_json::{Value, json};

use crate::support::trial::{Outcome, Trial, execute, rows};

/// A trial whose file is settled and still lies where the house takes it, and its name.
fn settled() -> (Trial, String) {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let name = trial.delivered()[0].clone();
    (trial, name)
}

/// A trial whose file is UNCERTAIN, and its name.
fn doubtful() -> (Trial, String) {
    let trial = Trial::with_orders();
    fs::rename(trial.path("out"), trial.path("gone")).unwrap();
    trial.run(&["run"]).exits(1);
    fs::rename(trial.path("gone"), trial.path("out")).unwrap();
    let name = trial.run(&["status", "--json"]).exits(0).object()["files"][0]["fileName"].as_str().unwrap().to_owned();
    fs::write(trial.path("out").join(&name), "somebody else's").unwrap();
    trial.run(&["run"]).exits(1).says(&["ALERT UNCERTAIN", &format!("emboss resolve --file {name} --delivered")]);
    (trial, name)
}

fn person<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--file", file, "--by", "anna", "--reason", "the house telephoned"], more].concat()
}

fn ordered(trial: &Trial, command: &str, file: &str, more: &[&str]) -> Outcome {
    trial.run(&[&[command], &person(file, more)[..]].concat())
}

#[test]
fn r143_an_alert_is_a_warning_in_the_log_as_well() {
    let (trial, _) = doubtful();
    let told = trial.run(&["run"]).exits(1).stderr;
    let warned = |line: &str| line.contains("WARN") && line.contains("UNCERTAIN") && line.contains("Nobody can tell");
    assert!(told.lines().any(warned), "{told}");
}

#[test]
fn r140_the_status_of_a_date_shows_what_went_on_demand() {
    let trial = Trial::with_orders();
    trial.run(&["run", "--now"]).exits(0);
    let whole = trial.run(&["status", "--json"]).exits(0).object();
    let (date, name) = (whole["runs"][0]["businessDate"].as_str().unwrap(), trial.delivered()[0].clone());
    let of_date = trial.run(&["status", "--json", "--date", date]).exits(0).object();
    assert_eq!(of_date["files"][0]["fileName"], json!(name));
    let other = trial.run(&["status", "--json", "--date", "2026-01-01"]).exits(0).object();
    assert_eq!((&other["runs"], &other["files"]), (&json!([]), &json!([])));
}

#[test]
fn exit_2_for_usage() {
    let (trial, name) = settled();
    let before = trial.state();
    let who = ["--by", "anna", "--reason", "why"];
    let file = ["--file", &*name];
    for command in ["resolve", "abandon", "resend"] {
        let word: &[&str] = if command == "resolve" { &["--delivered"] } else { &[] };
        for (arguments, told) in [
            ([&[command], word, &who[..]].concat(), "--file"),
            ([&[command], word, &file[..], &who[2..]].concat(), "--by"),
            ([&[command], word, &file[..], &who[..2]].concat(), "--reason"),
            ([&[command], word, &["--file", "TST_NOBODY.xml.pgp"], &who[..]].concat(), "no file has that name"),
        ] {
            trial.run(&arguments).exits(2).says(&[told]);
        }
    }
    trial.run(&[&["resolve"], &file[..], &who[..]].concat()).exits(2).says(&["--delivered"]);
    let both = ["--delivered", "--not-delivered"];
    trial.run(&[&["resolve"], &file[..], &who[..], &both[..]].concat()).exits(2).says(&["--not-delivered"]);
    for arguments in [["events", "--after", "-1"], ["events", "--after", "x"], ["events", "--limit", "0"]] {
        trial.run(&arguments).exits(2);
    }
    trial.state().is_still(&before, "refused as usage");
}

/// R138: what could be a card number is not taken, not repeated and not written.
#[test]
fn r138_who_and_why_hold_no_card_number() {
    let (trial, name) = settled();
    let before = trial.state();
    let number = "4000001200000008";
    for (by, reason) in
        [(number, "why"), ("anna", number), ("anna", "card 4000 0012 0000 0008"), ("", "why"), ("a\nb", "c")]
    {
        let file = trial.path("out").join(&name).display().to_string();
        for arguments in [
            vec!["resend", "--file", &name, "--by", by, "--reason", reason],
            vec!["abandon", "--file", &name, "--by", by, "--reason", reason],
            vec!["resolve", "--file", &name, "--delivered", "--by", by, "--reason", reason],
            vec!["inspect", &file, "--by", by, "--reason", reason],
        ] {
            // The harness looks for card numbers in what is said.
            let outcome = trial.run(&arguments).exits(2);
            assert!(!outcome.both().contains("0008"), "{}", outcome.both());
        }
    }
    trial.state().is_still(&before, "refused");
}

#[test]
fn exit_1_where_the_file_stands_elsewhere_and_what_is_possible() {
    let (trial, name) = settled();
    let before = trial.state();
    ordered(&trial, "resolve", &name, &["--delivered"]).exits(1).says(&[
        "is SETTLED",
        "nothing to decide",
        "emboss resend",
    ]);
    ordered(&trial, "abandon", &name, &[]).exits(1).says(&["is SETTLED", "the house has it"]);
    ordered(&trial, "resend", &name, &[]).exits(1).says(&["has not taken it yet", &name]);
    let after = trial.state();
    after.is_still(&before, "refused");
}

#[test]
fn exit_4_while_a_run_holds_the_lock() {
    use rustix::fs::{FlockOperation, flock};
    let (trial, name) = settled();
    let lock = fs::File::options().read(true).write(true).open(trial.path("emboss.db.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    for (command, more) in
        [("resolve", &["--delivered"][..]), ("abandon", &[]), ("resend", &[]), ("resend", &["--duplicate"])]
    {
        ordered(&trial, command, &name, more).exits(4);
    }
    trial.run(&["events", "--limit", "1"]).exits(0);
    trial.run(&["status"]).exits(0);
}

#[test]
fn an_uncertain_file_is_shown_with_its_commands_and_decided() {
    let (trial, name) = doubtful();
    let status = trial.run(&["status"]).exits(0);
    let status = status.says(&[
        &format!("{name}: UNCERTAIN"),
        &format!("emboss resolve --delivered --file {name} --by WHO --reason WHY"),
        &format!("emboss resolve --not-delivered --file {name} --by WHO --reason WHY"),
    ]);
    assert!(status.stdout.contains("was there before our first rename"), "why: {}", status.stdout);
    let object = trial.run(&["status", "--json"]).exits(0).object();
    assert_eq!(object["files"][0]["help"].as_array().unwrap().len(), 2);
    assert_eq!(object["alerts"][0]["code"], "UNCERTAIN");
    ordered(&trial, "resolve", &name, &["--not-delivered"]).exits(1).says(&["is there", "--delivered"]);
    fs::remove_file(trial.path("out").join(&name)).unwrap();
    ordered(&trial, "resolve", &name, &["--not-delivered"]).exits(0).says(&["counts as not delivered", "SETTLED"]);
    assert_eq!(trial.delivered(), std::slice::from_ref(&name));
    let audit: Vec<String> = rows(&trial.path("emboss.db"))["audit"].clone();
    let audit: Vec<String> = audit.into_iter().filter(|row| row.contains("'anna'")).collect();
    assert_eq!(audit.len(), 1);
    for part in ["'anna'", "'file.resolved_not_delivered'", "'the house telephoned'", "UNCERTAIN", "SENDING"] {
        assert!(audit[0].contains(part), "{part}: {}", audit[0]);
    }
    trial.run(&["run"]).exits(0);
}

/// What an order leaves is told with its command: the house is away, the next run goes on.
#[test]
fn exit_1_where_the_order_is_done_and_the_house_is_away() {
    let (trial, name) = doubtful();
    fs::remove_file(trial.path("out").join(&name)).unwrap();
    fs::rename(trial.path("out"), trial.path("gone")).unwrap();
    let away = ordered(&trial, "resolve", &name, &["--not-delivered"]).exits(1);
    away.says(&["nothing was changed", "no such file or folder"]);
    fs::rename(trial.path("gone"), trial.path("out")).unwrap();
    // It can be looked at and takes nothing: as root no mode stops us, but the name of the next part being taken does.
    fs::create_dir(trial.path("out").join(format!("{name}.3.part"))).unwrap();
    let outcome = ordered(&trial, "resolve", &name, &["--not-delivered", "--json"]).exits(1);
    let object = outcome.object();
    assert_eq!((&object["from"], &object["file"]["state"]), (&json!("UNCERTAIN"), &json!("SENDING")), "{object}");
    assert!(object["left"].as_str().unwrap().contains("the next emboss run goes on with it"), "{object}");
    trial.run(&["status"]).exits(0).says(&[&format!("{name}: SENDING"), "emboss run", "emboss abandon"]);
    fs::remove_dir(trial.path("out").join(format!("{name}.3.part"))).unwrap();
    trial.run(&["run"]).exits(0);
    assert_eq!(trial.delivered(), [name]);
}

#[test]
fn resends_and_duplicates_are_shown_as_what_they_are() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let name = trial.delivered()[0].clone();
    let first = trial.delivered_file();
    let original = trial.inspect(&first, &["--json"]).exits(0).object();
    fs::remove_file(&first).unwrap();
    ordered(&trial, "resend", &name, &[]).exits(0).says(&["is sent again, delivery 2"]);
    let id = original["header"]["fileId"].as_str().unwrap();
    ordered(&trial, "resend", id, &["--duplicate"]).exits(0).says(&[&format!("duplicate of file {id}")]);
    trial.run(&["status"]).exits(0).says(&[", delivery 2", &format!("duplicate of file {id}")]);
    let duplicate = trial.delivered().into_iter().find(|found| *found != name).unwrap();
    let path = trial.path("out").join(duplicate);
    let object = trial.inspect(&path, &["--json"]).exits(0).object();
    assert_eq!((&object["header"]["fileType"], &object["header"]["resendOfFileId"]), (&json!("DUPLICATE"), &json!(id)));
    assert_eq!((&object["records"], &object["totals"]), (&original["records"], &original["totals"]));
}

/// The feed: oldest first, `--after` the last number gives exactly the rest, whatever the pages.
#[test]
fn fault_9_events_go_on_where_their_reader_was() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let all = trial.run(&["events"]).exits(0).lines();
    let kinds: Vec<&str> = all.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let night = [
        "file.claimed",
        "file.sealed",
        "file.sending",
        "file.ready",
        "file.renaming",
        "file.published",
        "plastic.moved",
        "plastic.moved",
        "file.settled",
        "run.ended",
    ];
    assert_eq!(kinds, night);
    let numbers: Vec<i64> = all.iter().map(|event| event["number"].as_i64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    for limit in [1, 3, 7] {
        let (mut read, mut after) = (Vec::new(), 0);
        loop {
            let (from, most) = (after.to_string(), limit.to_string());
            let page = trial.run(&["events", "--after", &from, "--limit", &most]).exits(0).lines();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = last["number"].as_i64().unwrap();
            read.extend(page);
        }
        assert_eq!(read, all, "pages of {limit}");
    }
    // What comes later comes behind, and what was read does not come again.
    let last = numbers.last().unwrap().to_string();
    assert_eq!(trial.run(&["events", "--after", &last]).exits(0).stdout, "");
    fs::remove_file(trial.delivered_file()).unwrap();
    let name = all[8]["data"]["fileName"].as_str().unwrap().to_owned();
    ordered(&trial, "resend", &name, &[]).exits(0);
    let more = trial.run(&["events", "--after", &last]).exits(0).lines();
    let kinds: Vec<&str> = more.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["file.resend_ordered", "file.sending", "file.ready", "file.renaming", "file.published"]);
    assert_eq!((&more[0]["data"]["by"], &more[0]["data"]["reason"]), (&json!("anna"), &json!("the house telephoned")));
    assert_eq!(more[0]["institution"], "246001");
}

/// More events than are read from the database at once; by default a thousand are printed.
#[test]
fn a_long_feed_comes_in_pages_of_a_thousand() {
    let trial = Trial::new();
    execute(
        &trial.path("emboss.db"),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO event (at, kind, institution, data) SELECT i, 'test.counted', NULL, json_object('i', i) FROM n",
    );
    let count = |arguments: &[&str]| {
        let lines = trial.run(&[&["events"], arguments].concat()).exits(0).lines();
        lines.iter().map(|event| event["data"]["i"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(count(&[]), (1..=1_000).collect::<Vec<_>>());
    assert_eq!(count(&["--limit", "2300"]), (1..=2_300).collect::<Vec<_>>());
    assert_eq!(count(&["--after", "1990", "--limit", "9999"]), (1_991..=2_500).collect::<Vec<_>>());
    let first: Value = trial.run(&["events", "--limit", "1"]).exits(0).lines().remove(0);
    assert_eq!((&first["at"], &first["institution"]), (&json!("1970-01-01T00:00:00.000001Z"), &Value::Null));
}
