//! `emboss keys list`, and what `emboss check` tells of keys that end.

use std::fs;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::key_import::{import, kcv, some_key, zone_block};
use crate::support::trial::{Trial, execute};

fn list(trial: &Trial, code: i32) -> Vec<Value> {
    let object = trial.run(&["keys", "list", "--json"]).exits(code).object();
    assert_eq!((&object["command"], &object["exitCode"]), (&json!("keys list"), &json!(code)));
    object["keys"].as_array().unwrap().clone()
}

fn of<'a>(keys: &'a [Value], id: &str) -> &'a Value {
    keys.iter().find(|key| key["id"] == id).unwrap_or_else(|| panic!("{id} is not listed"))
}

fn in_days(days: i64) -> String {
    // An hour more, so that the days are whole when the program looks.
    instant(Utc::now() + TimeDelta::days(days) + TimeDelta::hours(1))
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Three cards of the trial's orders; one file went, with two records.
#[test]
fn every_key_is_told_with_what_uses_it() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    let window = ["--kbpk", "main", "--not-before", "2098-01-01T00:00:00Z"];
    import(&trial, "zpk-x-2", &zone_block(&trial), &window).exits(0);
    let keys = list(&trial, 0);
    let ids: Vec<&str> = keys.iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        ["dek-1", "pix-1", "aud-1", "pin-1", "cvk-1", "cvk2-1", "pvk-1", "zpk-x-1", "zpk-bank-1", "zpk-x-2"],
        "in the order of the configuration"
    );
    assert_eq!(
        *of(&keys, "zpk-x-2"),
        json!({
            "id": "zpk-x-2", "usage": "P0", "algorithm": "TDES_2KEY", "kcv": kcv(&some_key()), "protectedBy": "main",
            "state": "NOT_YET", "notBefore": "2098-01-01T00:00:00Z", "notAfter": null, "retireAt": null,
            "places": [], "rows": {}, "faults": [],
        })
    );
    assert_eq!(of(&keys, "zpk-x-1")["places"], json!(["[[manufacturer]] FACTORY_X pin_keys 1"]));
    assert_eq!(of(&keys, "zpk-bank-1")["places"], json!(["[[institution]] 246001 set_pin_keys 1"]));
    assert_eq!(of(&keys, "aud-1")["places"], json!(["[vault] audit_key"]));
    // The beginning and end of an import and of a run, the seven steps of a file, and the key that came in.
    assert_eq!(of(&keys, "aud-1")["rows"], json!({ "auditEntries": 12 }));
    let dek = of(&keys, "dek-1");
    assert_eq!(dek["places"], json!(["[vault] data_key"]));
    assert_eq!((&dek["rows"]["pan"], &dek["rows"]["fillSeed"], &dek["rows"]["pin"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!(of(&keys, "cvk2-1")["rows"], json!({ "cvv2Pinned": 3 }));
    assert_eq!(of(&keys, "cvk-1")["rows"], json!({ "cvvPinned": 3 }));
    assert_eq!(of(&keys, "pvk-1")["rows"], json!({ "pvvMade": 2 }));
    let of_products = of(&keys, "cvk-1")["places"].as_array().unwrap().clone();
    assert!(of_products.contains(&json!("[[product]] 246001/VISA_CARD cvv_key")), "{of_products:?}");
    trial.run(&["keys", "list"]).exits(0).says(&[
        &format!("zpk-x-2: P0, TDES_2KEY, check value {}, under main; not yet in force, from 2098", kcv(&some_key())),
        "nothing uses it",
        "named by [[manufacturer]] FACTORY_X pin_keys 1",
        "3 plastics with their CVV2 by it",
    ]);
}

#[test]
fn a_key_that_cannot_be_used_and_one_that_is_gone_are_told() {
    let trial = Trial::with_orders();
    fs::write(trial.path("keys/zpk-x-1.tr31"), "no block").unwrap();
    execute(&trial.path("emboss.db"), "UPDATE plastic SET cvv2_key = 'cvk2-0' WHERE card_id = 3001");
    let keys = list(&trial, 1);
    let broken = of(&keys, "zpk-x-1");
    assert_eq!((&broken["usage"], &broken["kcv"]), (&Value::Null, &Value::Null));
    assert!(broken["faults"][0].as_str().unwrap().contains("does not open under main"), "{broken}");
    let gone = of(&keys, "cvk2-0");
    assert_eq!((&gone["rows"], &gone["state"]), (&json!({ "cvv2Pinned": 1 }), &Value::Null));
    assert!(gone["faults"][0].as_str().unwrap().contains("put it back"), "{gone}");
    assert_eq!(of(&keys, "dek-1")["faults"], json!([]), "the others are told all the same");
}

/// The window of a key of the trial.
fn limit(trial: &Trial, id: &str, limits: &[(&str, &str)]) {
    let limits: String = limits.iter().map(|(name, at)| format!("\n{name} = {at}")).collect();
    trial.configure(&format!("id = \"{id}\"\nblock"), &format!("id = \"{id}\"{limits}\nblock"));
}

/// What `check` tells of keys: level, subject and text.
fn findings(trial: &Trial, code: i32) -> Vec<(String, String)> {
    let object = trial.run(&["check", "--json"]).exits(code).object();
    let findings = object["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let of_keys = findings.filter(|finding| !text(finding, "subject").starts_with("[database]"));
    of_keys
        .map(|finding| {
            let told = format!("{} {} {}", text(finding, "subject"), text(finding, "text"), text(finding, "action"));
            (text(finding, "level"), told)
        })
        .collect()
}

/// R135 for keys of cards: 60 days ahead, never 61.
#[test]
fn r135_a_key_that_ends_within_sixty_days_is_told_whatever_it_is_for() {
    for id in ["dek-1", "pin-1", "pix-1", "aud-1", "pvk-1", "cvk-1", "zpk-x-1", "zpk-bank-1"] {
        let trial = Trial::new();
        limit(&trial, id, &[("not_after", &in_days(61))]);
        assert_eq!(findings(&trial, 0), [], "{id}");
        trial.configure(&in_days(61)[..10], &in_days(60)[..10]);
        let found = findings(&trial, 0);
        let day = &in_days(60)[..10];
        let told = format!("key {id} ends on {day}, in 60 days. Prepare its successor.");
        assert_eq!(found, [("warning".to_owned(), told)], "{id}");
    }
}

#[test]
fn r135_a_key_that_has_ended_is_an_error() {
    for (id, subject) in [
        ("dek-1", "[vault] data_key"),
        ("pin-1", "[vault] pin_storage_key"),
        ("pvk-1", "[[product]] 246001/VISA_CARD pin.pvv_key"),
        ("zpk-x-1", "[[manufacturer]] FACTORY_X pin_keys"),
        ("zpk-bank-1", "[[institution]] 246001 set_pin_keys"),
        ("cvk-1", "key cvk-1 ended on"),
        ("pix-1", "key pix-1 ended on"),
    ] {
        let trial = Trial::new();
        limit(&trial, id, &[("not_after", &in_days(-2))]);
        let found = findings(&trial, 1);
        assert!(found.iter().any(|(level, told)| level == "error" && told.contains(subject)), "{id}: {found:?}");
        assert!(found.iter().all(|(_, told)| told.contains(id)), "{id}: {found:?}");
    }
}

/// A rollover that is prepared is no finding, one that leaves a gap is told by the key before it.
#[test]
fn a_zone_key_with_its_successor_in_the_list_is_no_finding() {
    let rolled = |ends: i64, begins: i64| {
        let trial = Trial::new();
        limit(&trial, "zpk-x-1", &[("not_after", &in_days(ends))]);
        let begins = in_days(begins);
        import(&trial, "zpk-x-2", &zone_block(&trial), &["--kbpk", "main", "--not-before", &begins]).exits(0);
        trial.configure("pin_keys = [\"zpk-x-1\"]", "pin_keys = [\"zpk-x-1\", \"zpk-x-2\"]");
        trial
    };
    assert_eq!(findings(&rolled(30, 10), 0), [], "they overlap");
    assert_eq!(findings(&rolled(-10, -20), 0), [], "the old one has ended");
    let gap = findings(&rolled(20, 22), 0);
    assert_eq!(gap.len(), 1, "{gap:?}");
    assert!(gap[0].1.starts_with("key zpk-x-1 ends on") && gap[0].1.contains("in 20 days"), "{gap:?}");
    let nobody = findings(&rolled(-1, 3), 1);
    assert!(nobody.iter().all(|(level, _)| level == "error") && nobody.len() == 2, "{nobody:?}");
}

#[test]
fn a_card_verification_key_retires_in_good_time() {
    let trial = Trial::new();
    limit(&trial, "cvk-1", &[("not_after", &in_days(400)), ("retire_at", &in_days(500))]);
    assert_eq!(findings(&trial, 0), []);
    let trial = Trial::new();
    limit(&trial, "cvk2-1", &[("not_after", &in_days(10)), ("retire_at", &in_days(20))]);
    let found = findings(&trial, 0);
    assert!(found[0].1.contains("key cvk2-1 ends on") && found[0].1.contains("in 10 days"), "{found:?}");
    assert!(found[1].1.contains("key cvk2-1 retires on") && found[1].1.contains("in 20 days"), "{found:?}");
    assert!(found[1].1.contains("cannot be made again"), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
    let trial = Trial::new();
    limit(&trial, "cvk2-1", &[("not_before", &in_days(3))]);
    assert!(findings(&trial, 1)[0].1.contains("must not be used before"));
}
