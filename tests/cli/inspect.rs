//! `emboss inspect`: sound, unsound or unreadable; masked, except where a TEST file's secrets are asked for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::trial::{Outcome, Trial, card, clear_card_numbers, emboss, orders, rows};

/// A trial with one delivered file of this format and version.
fn night(format: &str, version: &str) -> (Trial, PathBuf) {
    let trial = Trial::new();
    trial.configure("format = \"xml\"\nversion = 2", &format!("format = \"{format}\"\nversion = {version}"));
    deliver(trial)
}

fn deliver(trial: Trial) -> (Trial, PathBuf) {
    trial.import(&orders()).exits(0);
    trial.run(&["run"]).exits(0);
    let file = trial.delivered_file();
    (trial, file)
}

/// The plain document beside its sealed file, under its own name.
fn plain(trial: &Trial, sealed: &Path) -> PathBuf {
    let path = trial.path(sealed.file_stem().unwrap().to_str().unwrap());
    fs::write(&path, trial.opened(sealed)).unwrap();
    path
}

fn bare(file: &Path, arguments: &[&str]) -> Outcome {
    Outcome::of(emboss().arg("inspect").arg(file).args(arguments).current_dir("/"))
}

#[test]
fn every_format_is_sound_sealed_and_plain() {
    for (format, version) in [("xml", "1"), ("xml", "2"), ("json", "1"), ("json", "2")] {
        let (trial, sealed) = night(format, version);
        let name = sealed.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.ends_with(&format!("_V{version}.{format}.pgp")), "{name}");
        let shown = trial.inspect(&sealed, &[]).exits(0);
        shown.says(&["The file is sound.", "signature: good, by ", "\"pan\": \"400000******", "\"cvv2\": \"***\""]);
        let plain = plain(&trial, &sealed);
        // A plain document needs neither key nor configuration.
        bare(&plain, &[]).exits(0).says(&["The file is sound.", "signature: a plain document, not signed"]);
        let sealed = trial.inspect(&sealed, &["--json"]).exits(0).object();
        let plain = bare(&plain, &["--json"]).exits(0).object();
        for key in ["header", "totals", "records", "findings"] {
            assert_eq!(sealed[key], plain[key], "{format} {version}: {key}");
        }
    }
}

#[test]
fn the_samples_of_the_design_are_sound() {
    for sample in ["v1.xml", "v2.xml", "v1.json", "v2.json"] {
        let text = fs::read_to_string(Path::new("tests/samples").join(sample)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (version, format) = (&sample[1..2], &sample[3..]);
        let path = folder.path().join(format!("EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V{version}.{format}"));
        fs::write(&path, text).unwrap();
        // A LIVE file is written down where its embossing house is configured.
        let trial = Trial::new();
        let known = ["--by", "ops", "--reason", "a sample"];
        let outcome = Outcome::of(trial.command(&["inspect"]).arg(&path).args(known)).exits(0);
        outcome.says(&["LIVE", "2 records (1 cards, 1 PIN only)", "The file is sound."]);
    }
}

#[test]
fn secrets_of_a_test_file_are_shown_only_on_request() {
    let (trial, file) = night("xml", "2");
    // The masked forms are searched by the harness.
    trial.inspect(&file, &[]).exits(0);
    trial.inspect(&file, &["--json"]).exits(0);
    for more in [&["--unmask"][..], &["--unmask", "--json"]] {
        let outcome = Outcome::unmasked(&mut trial.inspecting(&file, more)).exits(0);
        assert!(!clear_card_numbers(&outcome.stdout).is_empty(), "{more:?}");
        for secret in ["cvv2", "value", "track1"] {
            let hidden = [format!("\"{secret}\":\"***\""), format!("\"{secret}\": \"***\"")];
            assert!(!hidden.iter().any(|hidden| outcome.stdout.contains(hidden)), "{more:?}: {secret} is hidden");
        }
        assert_eq!(clear_card_numbers(&outcome.stderr), [""; 0]);
    }
}

#[test]
fn people_see_three_records_and_scripts_all() {
    let trial = Trial::new();
    let mut lines = orders();
    for number in 0..4 {
        lines.push(card(&format!("more-{number}"), &format!("400{number}"), &Value::Null));
    }
    trial.import(&lines).exits(0);
    trial.run(&["run"]).exits(0);
    let file = trial.delivered_file();
    let shown = trial.inspect(&file, &[]).exits(0).says(&["(3 more records)"]);
    assert_eq!(shown.stdout.matches("\"recordUid\"").count(), 3);
    assert_eq!(trial.inspect(&file, &["--json"]).exits(0).object()["records"].as_array().unwrap().len(), 6);
}

// LIVE ---------------------------------------------------------------------------------------------------------

fn live() -> (Trial, PathBuf) {
    let trial = Trial::new();
    trial.go_live();
    deliver(trial)
}

/// The events that say who looked into a file.
fn looks(trial: &Trial) -> Vec<String> {
    let events = &rows(&trial.path("emboss.db"))["event"];
    events.iter().filter(|event| event.contains("'file.inspected'")).cloned().collect()
}

#[test]
fn a_live_file_is_refused_without_who_and_why() {
    let (trial, file) = live();
    let plain = plain(&trial, &file);
    for more in [&[][..], &["--json"], &["--unmask"], &["--unmask", "--by", "ops", "--reason", "a complaint"]] {
        for outcome in [trial.inspect(&file, more), trial.inspect(&plain, more)] {
            let outcome = outcome.exits(2).says(&["LIVE file", "--by and --reason"]);
            assert!(!outcome.both().contains("Liikamaa"), "{more:?}: {}", outcome.both());
        }
    }
    assert_eq!(looks(&trial), [""; 0]);
}

#[test]
fn a_live_file_is_opened_masked_and_written_down() {
    let (trial, file) = live();
    let known = ["--by", "ops.anna", "--reason", "complaint 17"];
    trial.inspect(&file, &known).exits(0).says(&["LIVE", "is sound", "400000******", "\"cvv2\": \"***\""]);
    let written = looks(&trial);
    let [look] = &written[..] else { panic!("{written:?}") };
    let name = file.file_stem().unwrap().to_str().unwrap();
    for part in ["ops.anna", "complaint 17", name] {
        assert!(look.contains(part), "{part} is missing in {look}");
    }
}

#[test]
fn a_live_file_that_cannot_be_written_down_is_not_shown() {
    let (trial, file) = live();
    for name in ["emboss.db", "emboss.db-wal", "emboss.db-shm"] {
        let _ = fs::remove_file(trial.path(name));
    }
    for more in [&[][..], &["--json"]] {
        let mut command = trial.inspecting(&file, &["--by", "ops", "--reason", "a complaint"]);
        let outcome = Outcome::of(command.args(more)).exits(3).says(&["emboss.db"]);
        assert!(!outcome.both().contains("Liikamaa"), "{}", outcome.both());
    }
}

// Unsound and unreadable -----------------------------------------------------------------------------------------

#[test]
fn a_changed_byte_anywhere_is_told() {
    let (trial, file) = night("xml", "2");
    let sealed = fs::read(&file).unwrap();
    let changed = trial.path(file.file_name().unwrap().to_str().unwrap());
    // Its packets' head, the encrypted session key, the middle, and what guards the end.
    for place in [0, 20, sealed.len() / 2, sealed.len() - 1] {
        let mut bytes = sealed.clone();
        bytes[place] ^= 0x01;
        fs::write(&changed, &bytes).unwrap();
        let outcome = trial.inspect(&changed, &["--json"]);
        assert!(matches!(outcome.code, Some(1 | 2)), "byte {place}: {outcome:?}");
        assert!(!outcome.stderr.contains("is sound"), "byte {place}: {outcome:?}");
        assert_eq!(outcome.object()["exitCode"], outcome.code.unwrap());
        assert!(!outcome.stderr.contains("panicked"), "byte {place}: {outcome:?}");
    }
    fs::write(&changed, &sealed[..sealed.len() - 30]).unwrap();
    let cut = trial.inspect(&changed, &[]);
    assert!(matches!(cut.code, Some(1 | 2)), "{cut:?}");
}

#[test]
fn a_changed_document_is_unsound() {
    let (trial, file) = night("xml", "2");
    let plain = plain(&trial, &file);
    let text = fs::read_to_string(&plain).unwrap();
    for (from, to, names) in [
        ("<City>Mariehamn</City>", "<City>Maarianhamina</City>", "recordsSha256"),
        ("<NumberOfCards>2<", "<NumberOfCards>3<", "numberOfCards"),
        ("<Expiry>", "<Frob>1</Frob><Expiry>", "record 1"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&plain, text.replacen(from, to, 1)).unwrap();
        bare(&plain, &[]).exits(1).says(&[names, "The file is NOT sound."]);
        let object = bare(&plain, &["--json"]).exits(1).object();
        assert!(!object["findings"].as_array().unwrap().is_empty(), "{object}");
    }
}

#[test]
fn a_renamed_file_is_unsound() {
    let (trial, file) = night("json", "2");
    let other = trial.path("another-name.json.pgp");
    fs::copy(&file, &other).unwrap();
    trial
        .inspect(&other, &[])
        .exits(1)
        .says(&["finding: file has another name than the one in its header", "NOT sound"]);
    let object = trial.inspect(&other, &["--json"]).exits(1).object();
    assert_eq!(object["fileName"], "another-name.json.pgp");
    assert_eq!(object["findings"].as_array().unwrap().len(), 1, "{object}");
}

#[test]
fn a_file_of_another_signer_is_unsound() {
    let (trial, file) = night("xml", "2");
    let other = Trial::new();
    let signer = other.path("keys/signer.asc").display().to_string();
    trial.inspect(&file, &["--signer", &signer]).exits(1).says(&["signature: NOT good", "The file is NOT sound."]);
    let own = trial.path("keys/signer.asc").display().to_string();
    // With the signer named no configuration is needed.
    let key = trial.path("keys/factory-x.key").display().to_string();
    bare(&file, &["--key", &key, "--signer", &own]).exits(0).says(&["signature: good"]);
}

#[test]
fn what_cannot_be_read_says_why_and_exits_2() {
    let (trial, file) = night("xml", "2");
    let other = Trial::new();
    let key = |trial: &Trial| trial.path("keys/factory-x.key").display().to_string();
    trial.run(&["inspect", "absent.pgp"]).exits(2).says(&["absent.pgp cannot be read"]);
    let sealed = file.display().to_string();
    trial.run(&["inspect", &sealed]).exits(2).says(&[&sealed, "is sealed: name the recipient's key with --key"]);
    trial.run(&["inspect", &sealed, "--key", &key(&other)]).exits(2).says(&["cannot be opened"]);
    trial.run(&["inspect", &sealed, "--key", "/nowhere.key"]).exits(2).says(&["/nowhere.key cannot be read"]);
    bare(&file, &["--key", &key(&trial)]).exits(2).says(&["--signer", "--config"]);
    trial.set_mode("keys/factory-x.key", 0o640);
    trial.inspect(&file, &[]).exits(2).says(&["keys/factory-x.key has mode 0640", "chmod 0600"]);
    trial.set_mode("keys/factory-x.key", 0o600);
    for (name, content) in
        [("empty.xml", ""), ("letter.txt", "Dear house"), ("half.xml", "<EmbossingFile"), ("other.json", "{\"a\":1}")]
    {
        let path = trial.path(name);
        fs::write(&path, content).unwrap();
        trial.inspect(&path, &[]).exits(2).says(&[name]);
    }
}
