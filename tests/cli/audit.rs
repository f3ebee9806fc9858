//! `emboss audit` with the real program: heads in reports and journal, what verification finds, entries as JSON Lines.

use std::fs;

use serde_json::{Value, json};

use crate::support::trial::{Outcome, Trial, execute};

/// A trial after its first night.
fn after_a_night() -> Trial {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    trial
}

fn verified(trial: &Trial, more: &[&str], code: i32) -> Value {
    trial.run(&[&["--json", "audit", "verify"], more].concat()).exits(code).object()
}

/// Kind and number of every finding.
fn findings(trial: &Trial, more: &[&str]) -> Vec<(String, i64)> {
    let object = verified(trial, more, 1);
    let found = object["findings"].as_array().unwrap().iter();
    found.map(|it| (it["kind"].as_str().unwrap().to_owned(), it["number"].as_i64().unwrap_or_default())).collect()
}

fn newest_of_journal(trial: &Trial) -> String {
    let journal = fs::read_to_string(trial.path("spool/journal")).unwrap();
    journal.lines().rev().find_map(|line| line.strip_prefix("AUDIT ")).unwrap().to_owned()
}

/// As somebody who may do anything with the database.
fn tamper(trial: &Trial, statement: &'static str) {
    for trigger in ["DROP TRIGGER IF EXISTS audit_never_changes", "DROP TRIGGER IF EXISTS audit_is_never_emptied"] {
        execute(&trial.path("emboss.db"), trigger);
    }
    execute(&trial.path("emboss.db"), statement);
}

#[test]
fn the_head_stands_in_the_report_the_journal_the_log_and_the_verification() {
    let trial = Trial::with_orders();
    let run = trial.run(&["--json", "run"]).exits(0);
    let head = run.object()["auditHead"].as_str().unwrap().to_owned();
    assert!(run.stderr.contains(&format!("Audit head {head}")), "{}", run.stderr);
    assert_eq!(newest_of_journal(&trial), head);
    let sound = verified(&trial, &["--head", &head], 0);
    assert_eq!(
        (&sound["sound"], &sound["auditHead"], &sound["journalHead"]),
        (&json!(true), &json!(head), &json!(head))
    );
    assert_eq!((&sound["findings"], &sound["files"], &sound["runs"]), (&json!([]), &json!(1), &json!(1)));
    let text = trial.run(&["audit", "verify"]).exits(0).says(&["The audit is sound", &format!("Audit head {head}")]);
    assert!(!text.stdout.contains("TAMPERED"), "{}", text.stdout);
    // What a person orders has a head of its own.
    let name = trial.delivered()[0].clone();
    fs::remove_file(trial.path("out").join(&name)).unwrap();
    let person = ["--json", "resend", "--file", &name, "--by", "anna", "--reason", "they lost it"];
    let resent = trial.run(&person).exits(0).object()["auditHead"].as_str().unwrap().to_owned();
    assert_ne!(resent, head);
    assert_eq!(newest_of_journal(&trial), resent);
    verified(&trial, &["--head", &head, "--head", &resent], 0);
}

#[test]
fn every_entry_is_printed_with_its_mac_in_order() {
    let trial = after_a_night();
    let lines = trial.run(&["audit", "export"]).exits(0).lines();
    let actions: Vec<&str> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    let night = ["import.begun", "import.ended", "run.begun", "file.claimed", "file.sealed", "file.sending"];
    assert_eq!(actions[..6], night);
    assert_eq!(actions[6..], ["file.ready", "file.renaming", "file.published", "file.settled", "run.ended"]);
    let numbers: Vec<i64> = lines.iter().map(|line| line["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    let imported: Value = serde_json::from_str(lines[1]["data"].as_str().unwrap()).unwrap();
    assert_eq!((&imported["taken"], &imported["refused"]), (&json!(5), &json!(0)));
    let last = lines.last().unwrap();
    assert_eq!((&last["actor"], &last["reason"], &last["keyId"]), (&json!("emboss"), &json!(""), &json!("aud-1")));
    assert_eq!(newest_of_journal(&trial), format!("11:{}", last["mac"].as_str().unwrap()));
    let rest = trial.run(&["audit", "export", "--after", "9"]).exits(0).lines();
    assert_eq!(rest, lines[9..]);
}

#[test]
fn tampering_ends_with_1_and_the_number_of_the_entry() {
    let trial = after_a_night();
    tamper(&trial, "CREATE TABLE kept AS SELECT * FROM audit");
    tamper(&trial, "UPDATE audit SET reason = 'ordered by the board' WHERE number = 4");
    assert_eq!(findings(&trial, &[]), [("CHANGED".to_owned(), 4)]);
    let text = trial.run(&["audit", "verify"]).exits(1);
    let text =
        text.says(&["TAMPERED: entry 4 is not what was written there", "The audit was tampered with: 11 entries"]);
    assert!(text.stdout.contains("Audit head 11:"), "{}", text.stdout);
    tamper(&trial, "DELETE FROM audit WHERE number = 4");
    assert_eq!(findings(&trial, &[]), [("REMOVED".to_owned(), 4)]);
    tamper(&trial, "INSERT INTO audit SELECT * FROM kept WHERE number = 4");
    verified(&trial, &[], 0);
    tamper(&trial, "UPDATE file_item SET card_version = 7 WHERE sort_key = (SELECT MIN(sort_key) FROM file_item)");
    assert_eq!(findings(&trial, &[]), [("ITEMS_CHANGED".to_owned(), 10)]);
}

#[test]
fn a_cut_tail_is_found_by_the_journal_alone_and_by_a_head_without_it() {
    let trial = after_a_night();
    let head = newest_of_journal(&trial);
    // Everything of the run, with the rows that would tell of it.
    tamper(&trial, "DELETE FROM audit WHERE number > 2");
    for table in ["DELETE FROM file_item", "DELETE FROM production_request", "DELETE FROM delivery", "DELETE FROM file"]
    {
        tamper(&trial, table);
    }
    tamper(&trial, "DELETE FROM agreement_night");
    tamper(&trial, "DELETE FROM run");
    assert_eq!(findings(&trial, &[]), [("CUT_OFF".to_owned(), 3)]);
    fs::remove_dir_all(trial.path("spool")).unwrap();
    let without = trial.run(&["audit", "verify"]).exits(0);
    without.says(&["The journal of the spool was not read", "The audit is sound: 2 entries"]);
    assert_eq!(findings(&trial, &["--head", &head]), [("CUT_OFF".to_owned(), 3)]);
}

/// The journal's newest head is then one of the entries that took the place of the lost ones.
#[test]
fn a_restored_database_is_found_also_after_it_was_used_again() {
    let trial = after_a_night();
    let (database, kept) = (trial.path("emboss.db"), trial.path("kept.db"));
    fs::copy(&database, &kept).unwrap();
    trial.run(&["run", "--now"]).exits(0);
    let lost: i64 = newest_of_journal(&trial).split_once(':').unwrap().0.parse().unwrap();
    for file in ["emboss.db-wal", "emboss.db-shm"] {
        let _ = fs::remove_file(trial.path(file));
    }
    fs::copy(&kept, &database).unwrap();
    trial.run(&["run", "--now"]).exits(0);
    assert_eq!(findings(&trial, &[]), [("OTHER_HEAD".to_owned(), lost)]);
    let head = newest_of_journal(&trial);
    assert_eq!(verified(&trial, &[], 1)["journalHead"], json!(head));
}

/// A reader that has enough closes the pipe; a full disk is something else.
#[test]
fn what_cannot_be_printed_is_exit_3() {
    let trial = after_a_night();
    for command in [["audit", "export"], ["events", "--after=0"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(trial.command(&command).stdout(full).status().unwrap().code(), Some(3), "{command:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(trial.command(&command).stdout(writer).status().unwrap().code(), Some(0), "{command:?}");
    }
}

#[test]
fn an_import_notes_its_head_so_that_its_entries_cannot_be_cut_off_unseen() {
    let trial = Trial::with_orders();
    let head = newest_of_journal(&trial);
    assert!(head.starts_with("2:"), "begun and ended: {head}");
    tamper(&trial, "DELETE FROM audit WHERE number = 2");
    assert_eq!(findings(&trial, &[]), [("CUT_OFF".to_owned(), 2)]);
}

#[test]
fn exit_2_for_usage_and_for_another_key() {
    let trial = after_a_night();
    for wrong in ["", "12", "12:ab", &format!("0:{}", "ab".repeat(32))] {
        trial.run(&["audit", "verify", "--head", wrong]).exits(2);
    }
    trial.run(&["audit", "export", "--after", "-1"]).exits(2);
    trial.run(&["audit"]).exits(2);
    tamper(&trial, "UPDATE audit SET key_id = 'audit-0'");
    let refused = trial.run(&["audit", "verify"]).exits(2);
    let text = refused.both();
    assert!(text.contains("was begun under key audit-0, which is not configured"), "{text}");
    tamper(&trial, "UPDATE audit SET key_id = 'aud-1', reason = 'x'");
    trial.run(&["audit", "verify"]).exits(1).says(&["No entry fits its key at all"]);
}

#[test]
fn exit_3_without_a_database_and_nothing_is_made() {
    let trial = Trial::new();
    let before = Outcome::of(&mut trial.command(&["status"]));
    fs::remove_file(trial.path("emboss.db")).unwrap();
    trial.run(&["audit", "verify"]).exits(3);
    trial.run(&["audit", "export"]).exits(3);
    assert!(!trial.path("emboss.db").exists() && !before.both().contains("audit"));
}

#[test]
fn verification_writes_nothing() {
    let trial = after_a_night();
    let before = trial.state();
    verified(&trial, &[], 0);
    trial.run(&["audit", "export"]).exits(0);
    trial.state().is_still(&before, "audit");
}
