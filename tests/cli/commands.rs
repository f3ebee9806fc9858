//! Every command does what its line in the help says, with every option it has.

use std::fs;

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::trial::{Outcome, Trial, card, clear_card_numbers, customer, emboss, names, orders, rows};

fn texts<'a>(lines: &'a [Value], key: &str) -> Vec<&'a str> {
    lines.iter().map(|line| line[key].as_str().unwrap_or_default()).collect()
}

// demo ---------------------------------------------------------------------------------------------------------

#[test]
fn demo_tells_a_night_in_fifty_lines() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("night");
    let outcome = Outcome::of(emboss().arg("demo").arg(&folder)).exits(0);
    assert!(outcome.stdout.lines().count() <= 50, "{} lines", outcome.stdout.lines().count());
    assert_eq!(outcome.stderr, "");
    let told = outcome.says(&[
        "10 orders taken, 0 known already, 1 refused",
        "o-10 NAME_TOO_LONG",
        "HELD_PIN_WAIT",
        "CARD_BLOCKED",
        "4 selected = 2 delivered + 2 held + 0 excluded + 0 closed: adds up.",
        "400000******",
        "card 3001 plastic 1 NCRD: INACTIVE -> ACTIVE",
        "card 3003 plastic 1 NCRD: INACTIVE -> INACTIVE, HELD_PIN_WAIT",
        "marked after the cut-off: tomorrow",
    ]);
    assert_eq!(names(&folder.join("out")).len(), 1);
    // The command it tells shows all of the same file, for this is a TEST file.
    let command = told.stdout.lines().find_map(|line| line.trim().strip_prefix("All of it: emboss ")).unwrap();
    assert!(command.ends_with(" --unmask"), "{command}");
    Outcome::unmasked(emboss().args(command.split(' '))).exits(0).says(&["The file is sound."]);
}

#[test]
fn demo_refuses_a_folder_that_is_not_empty_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    for command in ["demo", "init"] {
        let outcome = Outcome::of(emboss().arg(command).arg(folder.path())).exits(2);
        assert_eq!(outcome.stdout, "");
        outcome.says(&[&folder.path().display().to_string(), "is not empty", "Name an empty folder"]);
        assert_eq!(names(folder.path()), ["mine.txt"]);
    }
}

#[test]
fn demo_without_a_folder_makes_one_and_names_it() {
    let temporary = tempfile::tempdir().unwrap();
    let outcome = Outcome::of(emboss().args(["demo", "--json"]).env("TMPDIR", temporary.path())).exits(0);
    let made = names(temporary.path());
    let [made] = &made[..] else { panic!("{made:?}") };
    let folder = temporary.path().join(made);
    assert_eq!(outcome.object()["folder"], json!(folder.display().to_string()));
    assert_eq!(names(&folder.join("out")).len(), 1, "it is kept");
}

#[test]
fn demo_as_json_is_one_object_and_its_story_goes_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = Outcome::of(emboss().args(["--json", "demo"]).arg(folder.path())).exits(0);
    let object = outcome.object();
    assert_eq!(object["command"], "demo");
    assert_eq!(object["exitCode"], 0);
    assert!(outcome.stderr.starts_with("A night of emboss, in "), "{}", outcome.stderr);
}

// init ---------------------------------------------------------------------------------------------------------

#[test]
fn every_command_works_on_what_init_made() {
    let trial = Trial::new();
    trial.run(&["check"]).exits(0).says(&["Nothing stands in the way of a night."]);
    let file = trial.order_file("orders.jsonl", &orders());
    trial.run(&["import", &file]).exits(0).says(&["5 orders taken, 0 known already, 0 refused"]);
    trial.run(&["plan"]).exits(0).says(&["2 to produce, 1 held, 0 excluded", "HELD_PIN_WAIT"]);
    trial.run(&["run", "--now"]).exits(0).says(&["DELIVERED", "SETTLED, 2 records", "adds up."]);
    trial.run(&["status"]).exits(0).says(&["ON_DEMAND", "with exit 0", "SETTLED", "held, HELD_PIN_WAIT"]);
    trial.inspect(&trial.delivered_file(), &[]).exits(0).says(&["2 records (2 cards, 0 PIN only)", "is sound"]);
}

#[test]
fn init_makes_a_folder_of_its_own_name_where_none_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = Outcome::of(emboss().args(["init", "--json"]).current_dir(folder.path())).exits(0);
    assert_eq!(outcome.object(), json!({ "command": "init", "config": "emboss-trial/emboss.toml", "exitCode": 0 }));
    let made = names(&folder.path().join("emboss-trial"));
    assert!(
        ["emboss.db", "emboss.toml", "keys", "out"].iter().all(|name| made.iter().any(|it| it == name)),
        "{made:?}"
    );
    // What it tells to try next is what works.
    Outcome::of(emboss().args(["--config", "emboss-trial/emboss.toml", "check"]).current_dir(folder.path())).exits(0);
}

#[test]
fn the_configuration_is_found_by_option_environment_and_folder() {
    let trial = Trial::new();
    let elsewhere = tempfile::tempdir().unwrap();
    Outcome::of(emboss().arg("status").current_dir(trial.home())).exits(0);
    let by_environment = |value| {
        let mut command = emboss();
        command.arg("status").env("EMBOSS_CONFIG", value).current_dir(elsewhere.path());
        command
    };
    Outcome::of(&mut by_environment(trial.path("emboss.toml"))).exits(0);
    // The option wins over the environment, and may stand before or behind the command.
    let config = trial.path("emboss.toml").display().to_string();
    for arguments in [["--config", &config, "status"], ["status", "--config", &config]] {
        Outcome::of(emboss().args(arguments).env("EMBOSS_CONFIG", "/nowhere.toml")).exits(0);
    }
    Outcome::of(&mut by_environment("/nowhere.toml".into())).exits(2).says(&["/nowhere.toml", "--config"]);
}

// import -------------------------------------------------------------------------------------------------------

#[test]
fn import_answers_every_line_in_order_over_several_files() {
    let trial = Trial::new();
    let all = orders();
    let first = trial.order_file("first.jsonl", &all[..2]);
    let second = trial.order_file("second.jsonl", &all[2..]);
    let outcome = trial.run(&["import", &first, &second]).exits(0);
    let lines = outcome.lines();
    assert_eq!(texts(&lines, "orderId"), ["o-1", "o-2", "o-3", "o-4", "o-5"]);
    let numbers: Vec<_> = lines.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 1, 2, 3], "the place in its own file");
    assert_eq!(outcome.stderr, "5 orders taken, 0 known already, 0 refused\n");
    for answer in &lines[2..] {
        assert_eq!(answer["plasticIds"].as_array().unwrap().len(), 1, "{answer}");
    }
}

#[test]
fn import_counts_blank_lines_and_reads_standard_input() {
    let trial = Trial::new();
    let input = format!("\n  \n{}\r\n{}", orders()[0], orders()[1]);
    let outcome = Outcome::fed(&mut trial.command(&["import", "-"]), input.as_bytes()).exits(0);
    let numbers: Vec<_> = outcome.lines().iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 4], "the last line needs no line break");
    Outcome::fed(&mut trial.command(&["import", "-"]), b"").exits(0).says(&["0 orders taken"]);
}

#[test]
fn import_twice_answers_the_same_and_does_nothing() {
    let trial = Trial::new();
    let file = trial.order_file("orders.jsonl", &orders());
    let first = trial.run(&["import", &file]).exits(0);
    let state = trial.state();
    let second = trial.run(&["import", &file]).exits(0);
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(second.stderr, "0 orders taken, 5 known already, 0 refused\n");
    // It was asked again, and that is all.
    assert_eq!(trial.state().besides_the_run(), state.besides_the_run());
    let audit = rows(&trial.path("emboss.db"))["audit"].len();
    assert_eq!(audit, 4, "begun and ended, twice");
}

#[test]
fn import_takes_the_lines_around_a_refused_one_and_exits_1() {
    let trial = Trial::new();
    let mut lines = orders();
    lines.insert(3, card("o-bad", "3009", &json!({ "productCode": "NO_SUCH" })));
    let outcome = trial.import(&lines).exits(1);
    let answers = outcome.lines();
    assert_eq!(texts(&answers, "orderId"), ["o-1", "o-2", "o-3", "o-bad", "o-4", "o-5"]);
    assert_eq!(texts(&answers, "errorCode"), ["", "", "", "PRODUCT_UNKNOWN", "", ""]);
    assert_eq!(outcome.stderr, "5 orders taken, 0 known already, 1 refused\n");
    // A refusal is not stored: judged anew, and other content under a used id is refused.
    trial.import(&lines).exits(1).says(&["0 orders taken, 5 known already, 1 refused"]);
    let reused = trial.import(&[customer("o-1", "1001", "Another", "Strandgatan 1")]).exits(1);
    assert_eq!(texts(&reused.lines(), "errorCode"), ["ORDER_ID_REUSED"]);
    assert_eq!(texts(&reused.lines(), "code"), ["409"]);
}

#[test]
fn import_makes_the_database_where_there_is_none() {
    let trial = Trial::new();
    for name in names(&trial.home()).iter().filter(|name| name.starts_with("emboss.db")) {
        fs::remove_file(trial.path(name)).unwrap();
    }
    trial.import(&orders()).exits(0);
    trial.run(&["plan"]).exits(0).says(&["2 to produce"]);
}

// plan and run -------------------------------------------------------------------------------------------------

fn date(days_from_today: i64) -> String {
    (Utc::now() + TimeDelta::days(days_from_today)).date_naive().to_string()
}

#[test]
fn plan_shows_any_date_and_writes_nothing() {
    let trial = Trial::with_orders();
    let state = trial.state();
    trial.run(&["plan", "--date", &date(400)]).exits(0).says(&[&date(400), "2 to produce, 1 held"]);
    trial.run(&["plan", "--date", "2020-01-01"]).exits(0).says(&["2020-01-01", "0 to produce, 0 held"]);
    trial.run(&["plan", "--institution", "246001", "--manufacturer", "FACTORY_X"]).exits(0).says(&["2 to produce"]);
    trial
        .run(&["plan", "--institution", "999999"])
        .exits(2)
        .says(&["--institution 999999 is not in the configuration"]);
    trial.run(&["plan", "--manufacturer", "FACTORY_Y"]).exits(2).says(&["--manufacturer FACTORY_Y is not"]);
    assert_eq!(trial.state(), state);
}

#[test]
fn run_of_a_date_takes_what_was_due_then_and_only_once() {
    let trial = Trial::with_orders();
    let three_ago = date(-3);
    let outcome = trial.run(&["run", "--date", &three_ago]).exits(0);
    outcome.says(&[&three_ago, "NOTHING_DUE", "0 selected"]);
    assert_eq!(trial.delivered(), [""; 0]);
    // The nights between were missed, which a person should know: once.
    let night = trial.run(&["run"]).exits(1).says(&["DELIVERED", "SETTLED, 2 records", "MISSED_RUN: 2 nights"]);
    let name = trial.delivered_file().file_name().unwrap().to_string_lossy().into_owned();
    let sealed = fs::read(trial.delivered_file()).unwrap();
    // The same date again: exit 0, the same name and digest, nothing new.
    let again = trial.run(&["run"]).exits(0).says(&["ALREADY_DELIVERED", &name]);
    let digest = |text: &str| text.split("sha256 ").nth(1).unwrap()[..64].to_owned();
    assert_eq!(digest(&again.stdout), digest(&night.stdout));
    assert_eq!(fs::read(trial.delivered_file()).unwrap(), sealed);
    trial
        .run(&["plan", "--date", &night.stdout.split(" for ").nth(1).unwrap()[..10]])
        .exits(0)
        .says(&["already delivered for this date"]);
}

#[test]
fn run_keeps_to_its_filters() {
    let trial = Trial::with_orders();
    trial.run(&["run", "--institution", "999999"]).exits(2).says(&["--institution 999999 is not", "correct the name"]);
    trial.run(&["run", "--manufacturer", "FACTORY_Y"]).exits(2).says(&["--manufacturer FACTORY_Y is not"]);
    trial.run(&["run", "--institution", "246001", "--institution", "999999"]).exits(2);
    trial.configure_more(&format!(
        "[[manufacturer]]\ncode = \"FACTORY_Y\"\ndestination = \"local\"\npin_keys = [\"zpk-x-1\"]\n\
         recipients = [{{ certificate_file = \"keys/factory-x.asc\", fingerprint = \"{}\" }}]\n",
        trial.recipient_fingerprint()
    ));
    trial.run(&["run", "--manufacturer", "FACTORY_Y"]).exits(0);
    assert_eq!(trial.delivered(), [""; 0]);
    trial.run(&["run", "--institution", "246001", "--manufacturer", "FACTORY_X"]).exits(0);
    assert_eq!(trial.delivered().len(), 1);
}

#[test]
fn run_now_takes_named_cards_and_the_night_does_not_repeat_them() {
    let trial = Trial::with_orders();
    let first = trial.run(&["run", "--now", "--card", "3001", "--json"]).exits(0).object();
    assert_eq!((&first["kind"], &first["selected"], &first["delivered"]), (&json!("ON_DEMAND"), &json!(1), &json!(1)));
    let night = trial.run(&["run", "--json"]).exits(0).object();
    assert_eq!((&night["kind"], &night["delivered"], &night["held"]["total"]), (&json!("NIGHT"), &json!(1), &json!(1)));
    let second = trial.run(&["run", "--now", "--card", "3001", "--card", "3002", "--json"]).exits(0).object();
    assert_eq!(second["selected"], 0);
    assert_eq!(trial.delivered().len(), 2);
    assert_ne!(first["runId"], second["runId"], "an identity of its own");
}

// status -------------------------------------------------------------------------------------------------------

#[test]
fn status_shows_runs_files_and_what_is_held() {
    let trial = Trial::new();
    trial.run(&["status"]).exits(0).says(&["No runs yet.", "No files yet.", "0 to produce, 0 held, 0 excluded"]);
    trial.import(&orders()).exits(0);
    trial.run(&["status"]).exits(0).says(&["2 to produce, 1 held", "card 3003: held, HELD_PIN_WAIT"]);
    let report = trial.run(&["run", "--json"]).exits(0).object();
    let business_date = report["businessDate"].as_str().unwrap();
    let shown = trial.run(&["status", "--date", business_date, "--json"]).exits(0).object();
    assert_eq!(shown["runs"][0]["runId"], report["runId"]);
    assert_eq!(shown["files"][0]["sha256"], report["agreements"][0]["files"][0]["sha256"]);
    assert_eq!(shown["held"][0]["cardId"], "3003");
    assert!((1..=2).contains(&shown["held"][0]["sinceDays"].as_i64().unwrap()), "{shown}");
    let other = trial.run(&["status", "--date", "2020-01-01", "--json"]).exits(0).object();
    assert_eq!((&other["runs"], &other["files"]), (&json!([]), &json!([])));
}

/// R31: how many wait, how long, and past which of `pin_wait_days`; a card with two requests waits once.
#[test]
fn r31_status_tells_how_long_cards_wait_for_their_pin_and_never_ends_it() {
    let trial = Trial::new();
    let none = trial.run(&["status", "--json"]).exits(0).object()["waitingForPin"].clone();
    let empty = json!({"cards": 0, "longestDays": 0, "warningAgeDays": null, "cardsByWarningAge": {}});
    assert_eq!(none, empty);
    trial.import(&orders()[..2]).exits(0);
    let waiting = |card_id: &str, days: i64| {
        let at = Utc::now() - TimeDelta::days(days) - TimeDelta::hours(1);
        let mut order = card(&format!("w-{card_id}"), card_id, &json!({ "pinStatus": "W" }));
        order["at"] = json!(at.to_rfc3339_opts(SecondsFormat::Millis, true));
        order
    };
    trial.import(&[waiting("4001", 1)]).exits(0);
    let outcome = trial.run(&["status"]).exits(0).says(&["Waiting for a PIN: 1 card for 1 day.\n"]);
    assert!(!outcome.stderr.contains("warning: PIN_WAIT"), "{}", outcome.stderr);

    trial.import(&[waiting("4002", 6), waiting("4003", 7), waiting("4004", 29), waiting("4005", 30)]).exits(0);
    let expected = "Waiting for a PIN: 5 cards, the longest for 30 days, past the warning age of 30 days.\n";
    trial.run(&["status"]).exits(0).says(&[expected, "PIN_WAIT_OVER_7_DAYS 2", "PIN_WAIT_OVER_30_DAYS 1"]);
    trial.import(&[waiting("4006", 400)]).exits(0);
    let status = trial.run(&["status", "--json"]).exits(0).object();
    let expected = json!({"cards": 6, "longestDays": 400, "warningAgeDays": 90,
        "cardsByWarningAge": {"7": 2, "30": 1, "90": 1}});
    assert_eq!(status["waitingForPin"], expected);
    let held: Vec<_> =
        status["held"].as_array().unwrap().iter().map(|held| held["sinceDays"].as_i64().unwrap()).collect();
    assert_eq!(held, [1, 6, 7, 29, 30, 400]);

    // No night ends it: nothing is made, and tomorrow it is the same.
    let report = trial.run(&["run", "--now", "--json"]).exits(0).object();
    assert_eq!((&report["delivered"], &report["held"]["byReason"]["HELD_PIN_WAIT"]), (&json!(0), &json!(6)));
    assert_eq!(
        report["warnings"],
        json!({"PIN_WAIT_OVER_7_DAYS": 2, "PIN_WAIT_OVER_30_DAYS": 1, "PIN_WAIT_OVER_90_DAYS": 1})
    );
    assert_eq!(trial.run(&["status", "--json"]).exits(0).object()["waitingForPin"], expected);
    trial.configure("spool = \"spool\"", "spool = \"spool\"\n[warnings]\npin_wait_days = [10, 500]");
    trial.run(&["status"]).exits(0).says(&["6 cards, the longest for 400 days, past the warning age of 10 days."]);
}

// check --------------------------------------------------------------------------------------------------------

/// A key of PIN blocks that would be refused is told before an order is.
#[test]
fn check_tells_which_keys_take_no_pins_in() {
    for (keys, told) in [
        ("[\"cvk-1\"]", "[[institution]] 246001 set_pin_keys: key cvk-1 has usage C0; it must not be used as P0"),
        ("[\"zpk-bank-1\", \"pvk-1\"]", "key pvk-1 has usage V2"),
        ("[\"zpk-bank-9\"]", "zpk-bank-9"),
    ] {
        let trial = Trial::new();
        trial.configure("[\"zpk-bank-1\"]", keys);
        let outcome = trial.run(&["check"]);
        assert_ne!(outcome.code, Some(0), "{keys}");
        outcome.says(&[told]);
    }
}

#[test]
fn check_changes_nothing_and_tells_everything_at_once() {
    let trial = Trial::with_orders();
    let state = trial.state();
    let sound = trial.run(&["check", "--json"]).exits(0);
    assert_eq!(sound.object(), json!({ "findings": [], "exitCode": 0 }));
    trial.set_mode("keys/dek-1.tr31", 0o640);
    trial.set_mode("keys/signer.key", 0o644);
    fs::remove_file(trial.path("keys/factory-x.asc")).unwrap();
    fs::rename(trial.path("out"), trial.path("gone")).unwrap();
    let told = trial.run(&["check"]).exits(1).says(&[
        "keys/dek-1.tr31 has mode 0640",
        "keys/signer.key has mode 0644",
        "keys/factory-x.asc cannot be read",
        "error   destination local: refused to stat ",
        "A night would not go well.",
    ]);
    assert_eq!(told.stderr, "");
    let object = trial.run(&["check", "--json"]).exits(1).object();
    assert_eq!(object["exitCode"], 1);
    assert_eq!(object["findings"].as_array().unwrap().len(), 4, "{object}");
    fs::rename(trial.path("gone"), trial.path("out")).unwrap();
    assert_eq!(trial.state(), state);
}

#[test]
fn check_tells_of_a_spool_that_a_run_would_refuse() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let refused = |says: &str| {
        trial.run(&["check"]).exits(1).says(&["error   [run] spool: ", says, "A night would not go well."]);
        let told = trial.run(&["run"]);
        assert!(told.stderr.contains(says), "{}", told.stderr);
    };
    trial.set_mode("spool", 0o755);
    refused("must be 0700");
    trial.set_mode("spool", 0o700);
    let journal = fs::read(trial.path("spool/journal")).unwrap();
    fs::write(trial.path("spool/journal"), "nothing of ours\n").unwrap();
    refused("line 1 of the journal");
    fs::write(trial.path("spool/journal"), journal).unwrap();
    fs::rename(trial.path("spool"), trial.path("gone")).unwrap();
    refused("is not the one this database knows");
    assert!(!trial.path("spool").exists(), "check made one");
    fs::rename(trial.path("gone"), trial.path("spool")).unwrap();
    trial.run(&["check"]).exits(0).says(&["[run] spool: is the one of this database."]);
}

#[test]
fn nothing_that_is_left_behind_holds_a_card_number() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let dump: String = crate::support::trial::rows(&trial.path("emboss.db")).into_values().flatten().collect();
    assert_eq!(clear_card_numbers(&dump), [""; 0]);
    // The search can find one: the house reads two cards, each with a number and four tracks.
    let opened = String::from_utf8(trial.opened(&trial.delivered_file())).unwrap();
    assert_eq!(clear_card_numbers(&opened).len(), 10);
}
