//! `emboss keys rotate` with the real program: killed, stopped, beside an import, with a row that was meddled with; and
//! what a file says before and after.

use std::fs;

use emboss::ambient::Random;
use emboss::vault::kbpk::Kbpk;
use emboss::vault::tr31::{self, BlockTerms};
use rustix::process::Signal;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::process::Running;
use crate::support::postgres::{Cluster, Database};
use crate::support::trial::{Outcome, Trial, card, execute, orders, started};

const ORDERED: [&str; 6] = ["keys", "rotate", "--by", "anna", "--reason", "once a year"];

/// More cards than a page has.
const CROWD: u32 = 520;

fn crowd() -> Vec<Value> {
    let cards = (0..CROWD).map(|number| card(&format!("c-{number}"), &format!("{}", 4001 + number), &json!({})));
    orders().into_iter().chain(cards).collect()
}

/// Puts the key dek-2 beside the others and makes it the data key.
fn bring_dek_2(trial: &Trial) {
    let part = |name: &str| Zeroizing::new(fs::read_to_string(trial.path(name)).unwrap().trim().to_owned());
    let kbpk = Kbpk::join(&[part("keys/kbpk-1.hex"), part("keys/kbpk-2.hex")], &[], None).unwrap();
    let terms = BlockTerms { usage: "D0", algorithm: 'A', mode: 'B' };
    let block = tr31::make(&kbpk, terms, &[0x5A; 32], &Random::system()).unwrap();
    fs::write(trial.path("keys/dek-2.tr31"), block).unwrap();
    trial.set_mode("keys/dek-2.tr31", 0o600);
    trial.configure_more("[[key]]\nid = \"dek-2\"\nblock_file = \"keys/dek-2.tr31\"\nkbpk = \"main\"");
    trial.run(&["check"]).exits(0).says(&["sealed values: stand under the data key dek-1."]);
    trial.configure("data_key = \"dek-1\"", "data_key = \"dek-2\"");
}

/// Takes the section of dek-1 and its file away.
fn retire_dek_1(trial: &Trial) {
    let kcv = {
        let text = fs::read_to_string(trial.path("emboss.toml")).unwrap();
        text.split("keys/dek-1.tr31\"\nkbpk = \"main\"\nkcv = \"").nth(1).unwrap()[..6].to_owned()
    };
    let section =
        format!("[[key]]\nid = \"dek-1\"\nblock_file = \"keys/dek-1.tr31\"\nkbpk = \"main\"\nkcv = \"{kcv}\"\n");
    trial.configure(&section, "");
    fs::remove_file(trial.path("keys/dek-1.tr31")).unwrap();
}

/// Rotates, dying or stopping where a test says.
fn faulty(trial: &Trial, order: &str) -> std::process::Command {
    let mut command = trial.command(&ORDERED);
    command.env(emboss::fault::ORDER, order);
    command
}

/// Values of every kind under a key: card numbers, PINs, PVVs, fill seeds.
fn under(trial: &Trial, key: &str) -> [u64; 4] {
    let counted = trial.run(&["keys", "rotate", "--dry-run", "--json"]).exits(0).object();
    let row = counted["keys"].as_array().unwrap().iter().find(|row| row["id"] == key);
    row.map_or([0; 4], |row| ["pan", "pin", "pvv", "fillSeed"].map(|kind| row["of"][kind].as_u64().unwrap()))
}

/// What the house reads of cards and trailer in the newest file.
fn records(trial: &Trial) -> String {
    let file = trial.path("out").join(trial.delivered().last().unwrap());
    let text = String::from_utf8(trial.opened(&file)).unwrap();
    text.split_once("<Cards>").unwrap().1.split_once("</Cards>").unwrap().0.to_owned()
}

fn sum(counts: [u64; 4]) -> u64 {
    counts.iter().sum()
}

/// A whole rotation that dies twice on its way.
fn rotate_through_crashes(trial: &Trial) {
    // Format 3 has a fill, which comes of the file's fill seed.
    trial.configure("pin_block_format = \"ISO_0\"", "pin_block_format = \"ISO_3\"");
    trial.import(&crowd()).exits(0);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 522 records"]);
    let before = records(trial);
    assert!(before.contains("PinBlock"), "{}", &before[..2_000]);
    bring_dek_2(trial);
    trial.run(&["check"]).exits(0).says(&[
        "warning key dek-1: is not the data key any more, and 523 card numbers, 522 PINs, 522 PVVs and 1 fill seed stand under it.",
        "emboss keys rotate",
    ]);
    let all = [523, 522, 522, 1];
    assert_eq!((under(trial, "dek-1"), under(trial, "dek-2")), (all, [0; 4]));
    for (fault, done) in
        [("kill@reseal-uncommitted", 0), ("kill@reseal-committed", 500), ("kill@reseal-uncommitted#3", 1_023)]
    {
        assert_eq!(Outcome::of(&mut faulty(trial, fault)).code, None, "{fault}");
        let (old, new) = (under(trial, "dek-1"), under(trial, "dek-2"));
        assert_eq!((sum(old), sum(new)), (sum(all) - done, done), "{fault}: {old:?} {new:?}");
        assert_eq!(old.iter().zip(new).map(|(old, new)| old + new).collect::<Vec<_>>(), all, "{fault}");
    }
    let told = trial.run(&ORDERED).exits(0);
    told.says(&[
        "Sealed anew under dek-2: 22 PINs, 522 PVVs and 1 fill seed.",
        "key dek-2, the data key: 523 card numbers, 522 PINs, 522 PVVs and 1 fill seed.",
        "key dek-1: 0 uses; remove its [[key]] section and retire it, unless it is yet to come.",
    ]);
    assert_eq!((under(trial, "dek-1"), under(trial, "dek-2")), ([0; 4], all));
    retire_dek_1(trial);
    trial
        .run(&["check"])
        .exits(0)
        .says(&["sealed values: stand under the data key dek-2.", "Nothing stands in the way"]);
    let name = trial.delivered()[0].clone();
    let again = ["resend", "--duplicate", "--file", &*name, "--by", "anna", "--reason", "lost by the house"];
    trial.run(&again).exits(0);
    assert_eq!(trial.delivered().len(), 2);
    assert!(records(trial) == before, "the records differ");
    told_in_audit(trial);
}

/// Each call says that it began, and one that was not killed how it ended.
fn told_in_audit(trial: &Trial) {
    let events = trial.run(&["events", "--limit", "100000"]).exits(0).lines();
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
    let (begun, ended) = (of("key.rotation_begun"), of("key.rotation_ended"));
    assert_eq!((begun.len(), ended.len()), (4, 1));
    assert_eq!(begun[0]["data"]["keys"][1]["uses"], 1_568);
    let data = &ended[0]["data"];
    assert_eq!((&data["by"], &data["reason"]), (&json!("anna"), &json!("once a year")));
    assert_eq!(data["resealed"], json!({ "pan": 0, "pin": 22, "pvv": 522, "fillSeed": 1 }));
    assert_eq!((&data["unreadable"], &data["stopped"]), (&json!(0), &json!(false)));
    assert_eq!(
        data["keys"][1],
        json!({
            "id": "dek-1", "is": "earlier", "uses": 0, "of": { "pan": 0, "pin": 0, "pvv": 0, "fillSeed": 0 }
        })
    );
}

#[test]
fn a_rotation_that_is_killed_goes_on_and_the_old_key_is_needed_no_more() {
    rotate_through_crashes(&Trial::new());
}

#[test]
fn a_rotation_that_is_killed_goes_on_on_postgres_too() {
    let database: Database = Cluster::shared().database();
    rotate_through_crashes(&Trial::on(&database));
}

#[test]
fn counting_writes_nothing_and_an_order_says_who_and_why() {
    let trial = Trial::with_orders();
    bring_dek_2(&trial);
    let before = trial.state();
    trial.run(&["keys", "rotate", "--dry-run"]).exits(0).says(&[
        "3 values stand under another key than dek-2.",
        "key dek-1: 3 uses; 3 card numbers still to be sealed anew.",
    ]);
    trial.configure("id = \"dek-2\"", "id = \"dek-2\"\nnot_after = 2026-01-01T00:00:00Z");
    trial.run(&ORDERED).exits(2).says(&["[vault] data_key: key dek-2 must not be used after 2026-01-01"]);
    trial.run(&["keys", "rotate"]).exits(2).says(&["--by", "--reason"]);
    trial.run(&["keys", "rotate", "--by", "anna"]).exits(2).says(&["--reason"]);
    let secret = ["keys", "rotate", "--by", "anna", "--reason", "card 4000 0012 3456 7899"];
    assert!(!Outcome::unmasked(&mut trial.command(&secret)).exits(2).both().contains("4000 0012"));
    trial.state().is_still(&before, "counted only");
}

#[test]
fn a_rotation_hears_sigterm_between_two_pages() {
    let trial = Trial::new();
    trial.import(&crowd()).exits(0);
    bring_dek_2(&trial);
    let mut running = Running::of(started(&mut faulty(&trial, "stop@reseal-committed")));
    running.wait_until_stopped();
    running.send(Signal::TERM);
    running.send(Signal::CONT);
    running
        .ends()
        .exits(3)
        .says(&["Sealed anew under dek-2: 500 card numbers.", "Stopped by a signal. Nothing is lost"]);
    let rest = trial.run(&[&ORDERED[..], &["--json"]].concat()).exits(0).object();
    assert_eq!((&rest["resealed"]["pan"], &rest["stopped"]), (&json!(23), &json!(false)));
}

#[test]
fn an_import_and_a_night_beside_a_rotation_lose_nothing() {
    let trial = Trial::new();
    trial.import(&orders()).exits(0);
    bring_dek_2(&trial);
    let path = trial.order_file("more.jsonl", &crowd()[5..]);
    let mut imported = Running::of(started(&mut trial.command(&["import", &path])));
    let mut rotations = 0;
    while !imported.is_over() {
        trial.run(&ORDERED).exits(0);
        trial.run(&["run", "--now"]).exits(0);
        rotations += 1;
    }
    imported.ends().exits(0);
    assert!(rotations > 0);
    trial.run(&["run", "--now"]).exits(0);
    trial.run(&ORDERED).exits(0).says(&["key dek-1: 0 uses"]);
    retire_dek_1(&trial);
    trial.run(&["check"]).exits(0);
    assert_eq!(under(&trial, "dek-2")[..3], [523, 522, 522]);
}

#[test]
fn what_does_not_open_is_told_and_left_and_ends_with_1() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    execute(
        &trial.path("emboss.db"),
        "UPDATE card SET pan = (SELECT pan FROM card AS other WHERE card_id = 3002) WHERE card_id = 3001",
    );
    bring_dek_2(&trial);
    let told = "the card number of card 3001 of institution 246001 does not open under key dek-1";
    let first = trial.run(&ORDERED).exits(1);
    first.says(&[told, "It stays as it is.", "key dek-1: 1 uses; 1 card number, 1 of which do not open."]);
    let before = trial.state().database.remove("card");
    let object = trial.run(&[&ORDERED[..], &["--json"]].concat()).exits(1).object();
    assert_eq!((&object["unreadable"], &object["exitCode"]), (&json!(1), &json!(1)));
    assert!(object["findings"][0].as_str().unwrap().starts_with(told), "{object}");
    assert_eq!(object["resealed"], json!({ "pan": 0, "pin": 0, "pvv": 0, "fillSeed": 0 }));
    assert_eq!(trial.state().database.remove("card"), before);
}

#[test]
fn a_key_that_was_taken_away_too_early_is_an_error_and_putting_it_back_mends_it() {
    let trial = Trial::with_orders();
    trial.run(&["run"]).exits(0);
    bring_dek_2(&trial);
    let (config, block) = (trial.path("emboss.toml"), trial.path("keys/dek-1.tr31"));
    let (sections, key) = (fs::read_to_string(&config).unwrap(), fs::read(&block).unwrap());
    retire_dek_1(&trial);
    trial.run(&["check"]).exits(1).says(&[
        "error   key dek-1: is not configured as an AES_256 key of usage D0, and 3 card numbers, 2 PINs, 2 PVVs and 1 fill seed",
        "Put its [[key]] section back.",
    ]);
    trial.run(&ORDERED).exits(1).says(&[
        "the PIN (version 1) of card 3001 of institution 246001 is sealed under key dek-1, which is not there",
        "key dek-1: 8 uses; 3 card numbers, 2 PINs, 2 PVVs and 1 fill seed; put its [[key]] section back, or they are lost.",
    ]);
    fs::write(&config, sections).unwrap();
    fs::write(&block, key).unwrap();
    trial.set_mode("keys/dek-1.tr31", 0o600);
    trial.run(&ORDERED).exits(0).says(&["key dek-1: 0 uses; remove"]);
}
