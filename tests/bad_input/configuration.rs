//! What is wrong in the text of the configuration: exit 2, before anything is opened.

use std::fs;

use crate::refused;
use crate::support::trial::{Outcome, Trial, emboss, names};

/// What is written, what is written instead, and what must be said.
const FAULTS: &[(&str, &str, &str, &[&str])] = &[
    (
        "a key that does not exist",
        "spool = \"spool\"",
        "spool = \"spool\"\nspol = \"x\"",
        &["emboss.toml, line", "spol"],
    ),
    ("a section that does not exist", "[run]", "[frob]\nx = 1\n\n[run]", &["emboss.toml, line", "frob"]),
    ("no TOML at all", "[database]", "[database", &["emboss.toml, line"]),
    ("a value of another kind", "months = 36", "months = \"36\"", &["emboss.toml, line", "invalid type"]),
    ("a word of no list", "format = \"xml\"", "format = \"csv\"", &["emboss.toml, line", "csv"]),
    (
        "another environment",
        "environment = \"test\"   ",
        "environment = \"production\"   ",
        &["emboss.toml, line", "live or test"],
    ),
    ("a database nobody opens", "sqlite:emboss.db", "mysql:emboss", &["[database] url", "write sqlite:PATH"]),
    (
        "a house that is not there",
        "default_manufacturer = \"FACTORY_X\"",
        "default_manufacturer = \"FACTORY_Z\"",
        &["FACTORY_Z"],
    ),
    (
        "a key that is not there",
        "pan_index_key = \"pix-1\"",
        "pan_index_key = \"pix-9\"",
        &["[vault] pan_index_key names pix-9, which no [[key]] has"],
    ),
    ("a destination that is not there", "destination = \"local\"", "destination = \"remote\"", &["remote"]),
    (
        "a test destination for live files",
        "environment = \"test\"   ",
        "environment = \"live\"   ",
        &["[[agreement]] 246001/FACTORY_X destination local is TEST", "of the same environment", "allow_software_pin"],
    ),
    (
        "an institution without an agreement's house",
        "manufacturer = \"FACTORY_X\"\nformat",
        "manufacturer = \"FACTORY_Q\"\nformat",
        &["FACTORY_Q"],
    ),
    (
        "a product of nobody",
        "institution = \"246001\"\ncode = \"VISA_CARD\"",
        "institution = \"246009\"\ncode = \"VISA_CARD\"",
        &["246009"],
    ),
    (
        "a short fingerprint",
        "[signer]                                   # our OpenPGP key: the house checks files against it\nkey_file = \"keys/signer.key\"\nfingerprint = \"",
        "[signer]\nkey_file = \"keys/signer.key\"\nfingerprint = \"AB",
        &["[signer] fingerprint", "40"],
    ),
    (
        "a mode for everybody",
        "directory = \"out\"",
        "directory = \"out\"\nfile_mode = \"0666\"",
        &["[[destination]] local file_mode", "0640"],
    ),
    (
        "one destination for files and spool",
        "directory = \"out\"",
        "directory = \"spool\"",
        &["is the spool", "deliver to another folder"],
    ),
    (
        "a key in one component",
        "[\"keys/kbpk-1.hex\", \"keys/kbpk-2.hex\"]",
        "[\"keys/kbpk-1.hex\"]",
        &["[vault.kbpk.main] component_files names 1", "two or more"],
    ),
];

#[test]
fn each_fault_is_one_sentence_and_exit_2() {
    for (what, from, to, says) in FAULTS {
        let trial = Trial::with_orders();
        trial.configure(from, to);
        for command in ["run", "plan", "status", "schedule"] {
            let outcome = refused(&trial, &[command], 2, says);
            assert!(outcome.stderr.contains("emboss.toml"), "{what}: {}", outcome.stderr);
        }
    }
}

#[test]
fn several_faults_are_told_at_once() {
    let trial = Trial::with_orders();
    trial.configure("months = 36", "months = 0");
    trial.configure("spool = \"spool\"", "spool = \"spool\"\nclock_skew_max_s = 999999");
    trial.configure("service_code = \"201\"", "service_code = \"20\"");
    trial.configure("data_key = \"dek-1\"", "data_key = \"dek-9\"");
    let all = [
        "clock_skew_max_s",
        "dek-9",
        "246001/VISA_CARD months",
        "246001/VISA_CARD service_code",
        "246001/VISA_INSTANT months",
    ];
    let outcome = refused(&trial, &["run"], 2, &all);
    assert_eq!(outcome.stderr.lines().filter(|line| line.starts_with("- ")).count(), 6, "{}", outcome.stderr);
    // `check` has a line for each, and its own exit code.
    let checked = trial.run(&["check"]).exits(1).says(&all);
    assert_eq!(checked.stdout.lines().filter(|line| line.starts_with("error ")).count(), 6, "{}", checked.stdout);
}

#[test]
fn a_secret_of_the_configuration_is_not_repeated() {
    let trial = Trial::new();
    trial.configure("sqlite:emboss.db", "postgres://emboss:hunter2@db.example/emboss");
    let outcome = refused(&trial, &["run"], 2, &["[database] url"]);
    assert!(!outcome.both().contains("hunter2"), "{}", outcome.both());
}

#[test]
fn a_configuration_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["run", "plan", "status", "check", "schedule"] {
        let outcome = Outcome::of(emboss().arg(command).current_dir(folder.path())).exits(2);
        outcome.says(&["emboss.toml cannot be read", "--config", "emboss init"]);
    }
    Outcome::of(emboss().args(["import", "-"]).current_dir(folder.path())).exits(2).says(&["emboss.toml"]);
    assert_eq!(names(folder.path()), [""; 0], "nothing was made");
}

#[test]
fn a_configuration_that_is_no_text() {
    let trial = Trial::new();
    fs::write(trial.path("emboss.toml"), [0xff, 0xfe, 0x00]).unwrap();
    refused(&trial, &["run"], 2, &["emboss.toml cannot be read"]);
    fs::remove_file(trial.path("emboss.toml")).unwrap();
    fs::create_dir(trial.path("emboss.toml")).unwrap();
    refused(&trial, &["run"], 2, &["emboss.toml cannot be read"]);
}
