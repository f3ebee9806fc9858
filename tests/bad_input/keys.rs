//! Keys that are not as they must be: of everybody, exit 2 and nothing starts; of one house, its agreement stops.

use std::fs;

use chrono::Utc;
use serde_json::json;

use crate::support::gpg::Gpg;
use crate::support::trial::{Trial, orders};
use crate::{checked, refused, stopped};

/// Key files that every agreement needs.
const SHARED: [&str; 3] = ["keys/kbpk-1.hex", "keys/dek-1.tr31", "keys/cvk-1.tr31"];

#[test]
fn a_key_file_that_others_may_read() {
    for file in SHARED {
        for mode in [0o640, 0o644, 0o604, 0o660] {
            let trial = Trial::with_orders();
            trial.set_mode(file, mode);
            let says = [&*format!("{file} has mode {mode:04o}"), "run `chmod 0600 "];
            refused(&trial, &["run"], 2, &says);
            refused(&trial, &["plan"], 2, &says);
            checked(&trial, &says);
            // What it says to do helps.
            trial.set_mode(file, 0o600);
            trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
        }
    }
}

#[test]
fn a_key_file_that_cannot_be_read() {
    for file in SHARED {
        let trial = Trial::with_orders();
        let path = trial.path(file);
        let key = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        refused(&trial, &["run"], 2, &[&format!("{file} cannot be read: check that it exists")]);
        fs::create_dir(&path).unwrap();
        refused(&trial, &["run"], 2, &[&format!("{file} is not a regular file")]);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        trial.set_mode(file, 0o600);
        refused(&trial, &["run"], 2, &[&format!("{file} is empty")]);
        fs::write(&path, &key[..key.len() - 2]).unwrap();
        let outcome = refused(&trial, &["run"], 2, &["[vault]"]);
        let told = String::from_utf8(key).unwrap();
        assert!(!outcome.both().contains(&told[..20]), "the key itself is told: {}", outcome.both());
    }
}

#[test]
fn a_key_of_another_check_value() {
    let trial = Trial::with_orders();
    let kcv = trial.configured("kcv");
    trial.configure(&format!("kcv = \"{kcv}\""), "kcv = \"000000\"");
    let says = ["[vault]", "key main cannot be joined", "check value given", "are all components there"];
    refused(&trial, &["run"], 2, &says);
    checked(&trial, &says);
}

#[test]
fn no_database_is_made_where_a_key_is_at_fault() {
    let trial = Trial::new();
    for name in ["emboss.db", "emboss.db-wal", "emboss.db-shm"] {
        let _ = fs::remove_file(trial.path(name));
    }
    trial.set_mode("keys/dek-1.tr31", 0o640);
    trial.import(&orders()).exits(2).says(&["keys/dek-1.tr31 has mode 0640"]);
    assert!(!trial.path("emboss.db").exists());
}

#[test]
fn every_faulty_key_is_told_at_once() {
    let trial = Trial::with_orders();
    trial.set_mode("keys/dek-1.tr31", 0o640);
    trial.set_mode("keys/pix-1.tr31", 0o604);
    fs::remove_file(trial.path("keys/pvk-1.tr31")).unwrap();
    let all = ["keys/dek-1.tr31 has mode 0640", "keys/pix-1.tr31 has mode 0604", "keys/pvk-1.tr31 cannot be read"];
    refused(&trial, &["run"], 2, &all);
    checked(&trial, &all);
}

// Of one house ---------------------------------------------------------------------------------------------------

/// Exchanges the house's certificate.
fn use_certificate(trial: &Trial, certificate: &[u8], fingerprint: &str) {
    fs::write(trial.path("keys/factory-x.asc"), certificate).unwrap();
    trial.configure(&trial.recipient_fingerprint(), fingerprint);
}

#[test]
fn an_expired_recipient() {
    let trial = Trial::with_orders();
    let gpg = Gpg::new();
    let fingerprint = gpg.generate("Factory X", "ed25519", "cert,sign", "30d", "20200101T000000");
    gpg.add_subkey(&fingerprint, "cv25519", "encr", "30d", "20200101T000000");
    use_certificate(&trial, &gpg.export(&fingerprint), &fingerprint);
    let says = [&*fingerprint, "expired on 2020-01-31", "get its renewed certificate"];
    stopped(&trial, &says).says(&["KEY_UNUSABLE", "3 selected = 0 delivered + 3 held"]);
    trial.run(&["plan"]).exits(0).says(&["stopped, KEY_UNUSABLE"]).says(&says);
    // The plan counts as the run does.
    let plan = trial.run(&["plan", "--json"]).exits(0).object();
    assert_eq!(plan["held"], json!({ "total": 3, "byReason": { "KEY_UNUSABLE": 3 } }));
    assert_eq!((&plan["delivered"], &plan["addsUp"]), (&json!(0), &json!(true)));
    checked(&trial, &says);
}

#[test]
fn r135_a_recipient_that_ends_soon_is_a_warning_and_no_error() {
    // From the warning days of the default: 60, 30 and 7.
    for (days, warned) in [(62, false), (59, true), (2, true)] {
        let trial = Trial::with_orders();
        let gpg = Gpg::new();
        let (expire, at) = (format!("{days}d"), Utc::now().format("%Y%m%dT%H%M%S").to_string());
        let fingerprint = gpg.generate("Factory X", "ed25519", "cert,sign", "never", &at);
        gpg.add_subkey(&fingerprint, "cv25519", "encr", &expire, &at);
        use_certificate(&trial, &gpg.export(&fingerprint), &fingerprint);
        let outcome = trial.run(&["check", "--json"]).exits(0);
        let findings = outcome.object()["findings"].clone();
        let levels: Vec<&str> =
            findings.as_array().unwrap().iter().map(|finding| finding["level"].as_str().unwrap()).collect();
        assert_eq!(levels, if warned { vec!["warning"] } else { vec![] }, "{days}: {findings}");
        if warned {
            outcome.says(&[&fingerprint, "Prepare its successor", "Nothing stands in the way of a night."]);
        }
        trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
    }
}

#[test]
fn a_revoked_recipient() {
    let trial = Trial::with_orders();
    let gpg = Gpg::new();
    let fingerprint = gpg.generate("Factory X", "ed25519", "cert,sign", "never", "20200101T000000");
    gpg.add_subkey(&fingerprint, "cv25519", "encr", "never", "20200101T000000");
    gpg.revoke(&fingerprint);
    use_certificate(&trial, &gpg.export(&fingerprint), &fingerprint);
    let says = [&*fingerprint, "is revoked", "get its new certificate"];
    stopped(&trial, &says);
    checked(&trial, &says);
}

#[test]
fn a_recipient_of_another_fingerprint() {
    let trial = Trial::with_orders();
    let own = trial.recipient_fingerprint();
    let other = "0123456789ABCDEF0123456789ABCDEF01234567";
    trial.configure(&own, other);
    let says = [&*own, other, "is not the pinned one", "by telephone"];
    stopped(&trial, &says);
    checked(&trial, &says);
    trial.configure(other, &own);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_recipient_that_cannot_be_read() {
    let trial = Trial::with_orders();
    fs::remove_file(trial.path("keys/factory-x.asc")).unwrap();
    stopped(&trial, &["keys/factory-x.asc cannot be read"]);
    fs::write(trial.path("keys/factory-x.asc"), "a letter").unwrap();
    stopped(&trial, &["FACTORY_X", "cannot be read"]);
}

#[test]
fn a_signer_that_others_may_read() {
    let trial = Trial::with_orders();
    trial.set_mode("keys/signer.key", 0o640);
    let says = ["[signer] key_file", "keys/signer.key has mode 0640", "chmod 0600"];
    refused(&trial, &["run"], 2, &says);
    refused(&trial, &["schedule"], 2, &says);
    trial.run(&["plan"]).exits(0).says(&["stopped, KEY_UNUSABLE"]).says(&says);
    checked(&trial, &says);
    trial.set_mode("keys/signer.key", 0o600);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_signer_of_another_fingerprint() {
    let trial = Trial::with_orders();
    let text = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let own = text.split("[signer]").nth(1).unwrap().split("fingerprint = \"").nth(1).unwrap()[..40].to_owned();
    trial.configure(&own, &trial.recipient_fingerprint());
    let says = ["[signer] key_file", &*own, "is not the pinned one"];
    refused(&trial, &["run"], 2, &says);
    checked(&trial, &says);
}

#[test]
fn a_zone_key_of_another_check_value_stops_its_agreement_only() {
    let trial = Trial::with_orders();
    let text = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let kcv = text.split("id = \"zpk-x-1\"").nth(1).unwrap().split("kcv = \"").nth(1).unwrap()[..6].to_owned();
    trial.configure(&kcv, "000000");
    stopped(&trial, &["zpk-x-1"]);
    checked(&trial, &["zpk-x-1"]);
}

#[test]
fn what_agreements_share_is_told_once() {
    let trial = Trial::new();
    trial.configure_more("[[institution]]\nid = \"246002\"\n\n[[agreement]]\ninstitution = \"246002\"\nmanufacturer = \"FACTORY_X\"\nformat = \"json\"\nversion = 1");
    trial.run(&["check"]).exits(0);
    trial.set_mode("keys/signer.key", 0o640);
    fs::remove_file(trial.path("keys/factory-x.asc")).unwrap();
    let findings = trial.run(&["check", "--json"]).exits(1).object()["findings"].clone();
    let subjects: Vec<&str> =
        findings.as_array().unwrap().iter().map(|finding| finding["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["[signer] key_file", "[[manufacturer]] FACTORY_X recipients"]);
}
