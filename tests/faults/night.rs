//! Nights in which something outside is not as it should be: keys, disks, clocks, data, one house of many, a date that
//! is done. The program runs as its users start it.

use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::houses::{Home, card_of, embossing};
use crate::on_each_database;
use crate::site::Database;
use crate::support::gpg::Gpg;
use crate::support::program;
use crate::support::trial::{Outcome, card, customer, emboss, names, order, orders};

on_each_database!(
    fault_20_an_unusable_recipient_stops_its_agreement_before_the_claim_and_the_same_date_runs_it_once_repaired,
    fault_21_a_disk_that_fills_while_sealing_stops_that_agreement_and_the_others_go_on,
    fault_24_a_date_that_is_not_due_ends_with_3_and_the_last_due_one_runs,
    fault_25_the_first_run_after_missed_nights_takes_everything_that_is_due,
    fault_26_one_bad_record_in_many_is_held_with_its_reason_and_the_rest_goes,
    fault_26_over_20_percent_and_100_bad_records_stop_the_agreement_alone,
    fault_27_control_characters_and_what_xml_cannot_hold_are_refused_at_intake,
    fault_27_what_stands_in_the_database_all_the_same_is_held_at_the_claim,
    fault_28_a_run_of_a_date_that_is_done_tells_names_and_hashes_and_leaves_new_marks_alone,
    fault_29_one_agreement_fails_all_others_are_delivered_and_the_summary_names_it,
);

/// One with the orders of a first trial: two cards go, one waits.
fn with_orders(database: Database) -> Home {
    let site = Home::new(database);
    site.import(&orders()).exits(0);
    site
}

/// Orders of a person with an account, and these cards.
fn with_person(cards: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut lines: Vec<Value> = orders().into_iter().take(2).collect();
    lines.extend(cards);
    lines
}

/// The due date that a run without a date is for.
fn due_date() -> String {
    emboss::schedule::due_date(Utc::now()).to_string()
}

/// The agreement of a house in a report.
#[track_caller]
fn agreement<'a>(report: &'a Value, house: &str) -> &'a Value {
    let all = report["agreements"].as_array().unwrap();
    all.iter().find(|agreement| agreement["manufacturer"] == house).unwrap_or_else(|| panic!("{house}: {report}"))
}

/// Two houses; the cards 3001 and 3002 are FACTORY_X's, 3011 and 3012 are FACTORY_Y's.
fn two_houses(database: Database) -> Home {
    let site = Home::new(database);
    site.add_house("FACTORY_Y");
    let cards = [card_of("FACTORY_X", 3001), card_of("FACTORY_X", 3002), card_of("FACTORY_Y", 3011)];
    site.import(&with_person(cards.into_iter().chain([card_of("FACTORY_Y", 3012)]))).exits(0);
    site
}

/// A certificate of FACTORY_Y that cannot be used, with its fingerprint and what is said of it.
fn unusable(what: &str, gpg: &Gpg) -> (Vec<u8>, String, &'static str) {
    let old = "20200101T000000";
    match what {
        "another one" => {
            let fingerprint = gpg.generate("Somebody", "ed25519", "cert,sign", "never", old);
            gpg.add_subkey(&fingerprint, "cv25519", "encr", "never", old);
            (gpg.export(&fingerprint), "0123456789ABCDEF0123456789ABCDEF01234567".to_owned(), "is not the pinned one")
        }
        "expired" => {
            let fingerprint = gpg.generate("Factory Y", "ed25519", "cert,sign", "30d", old);
            gpg.add_subkey(&fingerprint, "cv25519", "encr", "30d", old);
            (gpg.export(&fingerprint), fingerprint, "expired on 2020-01-31")
        }
        "revoked" => {
            let fingerprint = gpg.generate("Factory Y", "ed25519", "cert,sign", "never", old);
            gpg.add_subkey(&fingerprint, "cv25519", "encr", "never", old);
            gpg.revoke(&fingerprint);
            (gpg.export(&fingerprint), fingerprint, "is revoked")
        }
        _ => {
            let fingerprint = gpg.generate("Factory Y", "ed25519", "cert,sign", "never", old);
            (gpg.export(&fingerprint), fingerprint, "encrypt")
        }
    }
}

fn fault_20_an_unusable_recipient_stops_its_agreement_before_the_claim_and_the_same_date_runs_it_once_repaired(
    database: Database,
) {
    for what in ["another one", "expired", "revoked", "signs only"] {
        let site = two_houses(database);
        let good = fs::read(site.path("keys/FACTORY_Y.asc")).unwrap();
        let config = fs::read_to_string(site.path("emboss.toml")).unwrap();
        let pinned = config.split("FACTORY_Y.asc\", fingerprint = \"").nth(1).unwrap()[..40].to_owned();
        let (certificate, fingerprint, says) = unusable(what, &Gpg::new());
        fs::write(site.path("keys/FACTORY_Y.asc"), certificate).unwrap();
        site.configure(&pinned, &fingerprint);

        let date = due_date();
        let outcome = site.run(&["run", "--json", "--date", &date]).exits(1).says(&["KEY_UNUSABLE", says]);
        let report = outcome.object();
        assert_eq!(agreement(&report, "FACTORY_Y")["outcome"], "STOPPED", "{what}: {report}");
        assert_eq!(agreement(&report, "FACTORY_X")["outcome"], "DELIVERED", "{what}: {report}");
        assert_eq!((&report["held"]["byReason"], &report["addsUp"]), (&json!({ "KEY_UNUSABLE": 2 }), &json!(true)));
        assert_eq!((site.files_of("FACTORY_Y"), site.sent_to("FACTORY_Y").len()), (0, 0), "{what}: not claimed");
        let arrived = site.delivered();

        fs::write(site.path("keys/FACTORY_Y.asc"), good).unwrap();
        site.configure(&fingerprint, &pinned);
        let report = site.run(&["run", "--json", "--date", &date]).exits(0).object();
        assert_eq!(agreement(&report, "FACTORY_Y")["outcome"], "DELIVERED", "{what}: {report}");
        assert_eq!(agreement(&report, "FACTORY_X")["outcome"], "ALREADY_DELIVERED", "{what}: {report}");
        assert_eq!((site.delivered(), site.sent_to("FACTORY_Y").len()), (arrived, 1), "{what}: once each");
    }
}

/// A spool on a disk of 192 KiB, seen by the run alone: its mount ends with it. What is left in it is put into the
/// folder below. As another user than root the same needs a user namespace of our own.
fn run_on_a_small_disk(site: &Home) -> Outcome {
    let user = if rustix::process::geteuid().is_root() { "" } else { "--user --map-root-user" };
    let script = "set -e
        cp -a \"$1\" \"$1.kept\"
        mount -t tmpfs -o size=192k,mode=0700 none \"$1\"
        cp -a \"$1.kept/.\" \"$1/\"
        code=0; \"$0\" --config \"$2\" run --json || code=$?
        cp -a \"$1/.\" \"$1.kept/\"; df --output=used \"$1\" >&2
        exit $code";
    let outcome = Outcome::of(
        Command::new(program("unshare", "util-linux"))
            .args(user.split_whitespace().chain(["--mount", "sh", "-c", script]))
            .arg(emboss().get_program())
            .args([site.path("spool"), site.path("emboss.toml")]),
    );
    fs::remove_dir_all(site.path("spool")).unwrap();
    fs::rename(site.path("spool.kept"), site.path("spool")).unwrap();
    outcome
}

fn fault_21_a_disk_that_fills_while_sealing_stops_that_agreement_and_the_others_go_on(database: Database) {
    let site = Home::new(database);
    site.add_house("FACTORY_Y");
    site.configure("include_phone = true", "include_phone = true\ncompression = \"none\"");
    // Some 2 KiB a card: FACTORY_X's file needs more than the disk has, FACTORY_Y's fits.
    let many = (3001..3201).map(|number| card_of("FACTORY_X", number));
    site.import(&with_person(many.chain([card_of("FACTORY_Y", 4001)]))).exits(0);
    site.run(&["plan"]).exits(0);

    let outcome = run_on_a_small_disk(&site).exits(1).says(&["the disk of the spool is full", "its part is removed"]);
    let report = outcome.object();
    assert_eq!(agreement(&report, "FACTORY_X")["outcome"], "UNFINISHED", "{report}");
    assert_eq!(agreement(&report, "FACTORY_Y")["outcome"], "DELIVERED", "{report}");
    assert_eq!(
        (&report["undelivered"]["byState"], &report["addsUp"]),
        (&json!({ "CLAIMED": 200 }), &json!(true)),
        "{report}"
    );
    let left = names(&site.path("spool"));
    assert!(left.iter().all(|name| !name.ends_with(".part")), "the part is removed: {left:?}");
    assert_eq!(left.iter().filter(|name| name.ends_with(".pgp")).count(), 1, "FACTORY_Y's: {left:?}");
    assert_eq!((site.delivered().len(), site.sent_to("FACTORY_Y").len()), (0, 1));

    let claimed = agreement(&report, "FACTORY_X")["files"][0]["fileId"].clone();
    let report = site.run(&["run", "--json"]).exits(0).object();
    let file = &agreement(&report, "FACTORY_X")["files"][0];
    assert_eq!((&file["fileId"], &file["state"], &file["records"]), (&claimed, &json!("SETTLED"), &json!(200)));
    assert_eq!((site.delivered().len(), site.sent_to("FACTORY_Y").len()), (1, 1));
}

/// Fault 24, beside what `cli::run` and `tests/night` show with clocks of their own: the date decides, by UTC.
fn fault_24_a_date_that_is_not_due_ends_with_3_and_the_last_due_one_runs(database: Database) {
    let site = with_orders(database);
    let before = site.marks();
    let due: NaiveDate = due_date().parse().unwrap();
    for days in [1, 2, 30] {
        let date = due + Days::new(days);
        // Within five minutes before its cut-off it would wait.
        let begins: DateTime<Utc> = format!("{date}T02:54:00Z").parse().unwrap();
        if Utc::now() < begins {
            site.run(&["run", "--date", &date.to_string()]).exits(3).says(&["not due yet", "Nothing was done"]);
        }
    }
    assert_eq!(site.marks(), before, "refused");
    site.run(&["run", "--date", &due.to_string()]).exits(0).says(&["SETTLED, 2 records"]);
}

fn fault_25_the_first_run_after_missed_nights_takes_everything_that_is_due(database: Database) {
    let site = Home::new(database);
    let due: NaiveDate = due_date().parse().unwrap();
    let marked = |card_id: u32, days: u64| {
        let mut order = card_of("FACTORY_X", card_id);
        order["at"] = json!(format!("{}T12:00:00.000Z", due - Days::new(days)));
        order
    };
    let mut lines = with_person([marked(3001, 9), marked(3002, 5), marked(3003, 2)]);
    for line in &mut lines[..2] {
        line["at"] = json!(format!("{}T12:00:00.000Z", due - Days::new(10)));
    }
    site.import(&lines).exits(0);
    site.run(&["run", "--date", &(due - Days::new(8)).to_string()]).exits(0).says(&["SETTLED, 1 records"]);
    // Seven nights without a run.
    let report = site.run(&["run", "--json"]).exits(1).object();
    assert_eq!((&report["selected"], &report["delivered"]), (&json!(2), &json!(2)), "{report}");
    assert_eq!(site.delivered().len(), 2);
    let alert = format!("7 nights from {} to {} were not run", due - Days::new(7), due - Days::new(1));
    assert_eq!(
        (&report["alerts"][0]["code"], report["alerts"].as_array().map(Vec::len)),
        (&json!("MISSED_RUN"), Some(1))
    );
    assert!(report["alerts"][0]["text"].as_str().unwrap().starts_with(&alert), "{report}");
    // A date in between has nothing left.
    let between = (due - Days::new(4)).to_string();
    site.run(&["run", "--date", &between]).exits(0).says(&["NOTHING_DUE", "0 selected = 0 delivered"]);
    assert_eq!(site.delivered().len(), 2);
}

/// A card of FACTORY_X whose name its agreement cannot emboss (R93): good at intake, bad at the claim.
fn bad_card(number: u32) -> Value {
    card(&format!("bad-{number}"), &number.to_string(), &json!({ "embossing": embossing("FACTORY_X", "Šárka") }))
}

fn fault_26_one_bad_record_in_many_is_held_with_its_reason_and_the_rest_goes(database: Database) {
    let site = Home::new(database);
    site.import(&with_person((3001..3301).map(|n| card_of("FACTORY_X", n)).chain([bad_card(3500)]))).exits(0);
    let report = site.run(&["run", "--json"]).exits(0).object();
    assert_eq!(
        (&report["selected"], &report["delivered"], &report["addsUp"]),
        (&json!(301), &json!(300), &json!(true))
    );
    assert_eq!(report["held"], json!({ "total": 1, "byReason": { "CHARSET": 1 } }));
    let told = site.run(&["status", "--json"]).exits(0).object();
    assert_eq!((&told["held"][0]["cardId"], &told["held"][0]["reason"]), (&json!("3500"), &json!("CHARSET")), "{told}");
}

/// The defaults: over 100 and over 20 %, each with the last number that is allowed.
fn fault_26_over_20_percent_and_100_bad_records_stop_the_agreement_alone(database: Database) {
    for (bad, good, stops) in [(101, 403, true), (101, 404, false), (100, 20, false)] {
        let site = Home::new(database);
        site.add_house("FACTORY_Y");
        let cards = (3001..3001 + good).map(|number| card_of("FACTORY_X", number));
        let bad_cards = (5001..5001 + bad).map(bad_card);
        site.import(&with_person(cards.chain(bad_cards).chain([card_of("FACTORY_Y", 6001)]))).exits(0);
        let what = format!("{bad} bad and {good} good");
        let report = site.run(&["run", "--json"]).exits(i32::from(stops)).object();
        assert_eq!((&report["selected"], &report["addsUp"]), (&json!(bad + good + 1), &json!(true)), "{what}");
        assert_eq!(agreement(&report, "FACTORY_Y")["outcome"], "DELIVERED", "{what}: others go on");
        if stops {
            assert_eq!(agreement(&report, "FACTORY_X")["outcome"], "STOPPED", "{what}");
            assert_eq!(report["held"]["byReason"], json!({ "TOO_MANY_BAD_RECORDS": bad + good }), "{what}");
            assert_eq!((site.files_of("FACTORY_X"), site.delivered().len()), (0, 0), "{what}");
            site.configure("include_phone = true", "include_phone = true\nmax_bad_records = 200");
            let report = site.run(&["run", "--json"]).exits(0).object();
            assert_eq!(report["delivered"], json!(good), "{what}: once a person raised the limit");
        } else {
            assert_eq!(
                (&report["delivered"], report["held"]["byReason"]["CHARSET"].as_u64()),
                (&json!(good + 1), Some(u64::from(bad))),
                "{what}"
            );
        }
    }
}

fn fault_27_control_characters_and_what_xml_cannot_hold_are_refused_at_intake(database: Database) {
    let site = Home::new(database);
    site.import(&with_person([])).exits(0);
    let before = site.marks();
    for (letter, code) in [('\u{7}', "U+0007"), ('\u{1b}', "U+001B"), ('\u{fffe}', "U+FFFE"), ('\u{85}', "U+0085")] {
        let name = format!("Mon{letter}ica");
        let lines = [
            card("o-bad", "3001", &json!({ "embossing": { "firstName": name, "lastName": "Liikamaa" } })),
            customer("c-bad", "1002", &name, "Strandgatan 1"),
            customer("a-bad", "1002", "Monica", &format!("Strand{letter}gatan 1")),
        ];
        let outcome = site.import(&lines).exits(1);
        for answer in outcome.lines() {
            let reason = answer["errorReason"].as_str().unwrap_or_default();
            assert!(!answer["errorCode"].is_null() && reason.contains(code), "{code}: {answer}");
        }
    }
    assert_eq!(site.marks(), before, "refused orders");
}

/// What intake never lets in, put into the database by hand: a claim must not trust what it reads.
fn fault_27_what_stands_in_the_database_all_the_same_is_held_at_the_claim(database: Database) {
    let planted = [
        "UPDATE card_version SET data = replace(data, '\"Monica\"', '\"Mon\\u0007ica\"') WHERE card_id = 3001",
        "UPDATE card_version SET data = replace(data, '\"Monica\"', '\"Mon\\ufffeica\"') WHERE card_id = 3002",
        "UPDATE customer_version SET data = replace(data, 'Strandgatan', 'Strand\\u0001gatan') WHERE customer_id = 1002",
    ];
    let site = Home::new(database);
    let mut other = card_of("FACTORY_X", 3003);
    (other["customerId"], other["accountId"]) = (json!("1002"), json!("2002"));
    let lines = with_person([3001, 3002, 3004].map(|number| card_of("FACTORY_X", number)));
    let second = [
        customer("o-6", "1002", "Monica", "Strandgatan 1"),
        order("o-7", "createAccount", json!({ "accountId": "2002", "customerId": "1002" }), json!({})),
        other,
    ];
    site.import(&lines).exits(0);
    site.import(&second).exits(0);
    for statement in planted {
        let versions = "SELECT data FROM card_version UNION ALL SELECT data FROM customer_version ORDER BY 1";
        let before = site.texts(versions);
        site.execute(statement);
        assert_ne!(site.texts(versions), before, "nothing was planted: {statement}");
    }
    let report = site.run(&["run", "--json"]).exits(0).object();
    assert_eq!(
        (&report["delivered"], &report["held"]["total"], &report["addsUp"]),
        (&json!(1), &json!(3), &json!(true))
    );
    let document = String::from_utf8(site.opened(&site.delivered_file())).unwrap();
    assert_eq!((document.matches("<Card ").count(), document.matches(">3004<").count()), (1, 1), "the good one");
    assert_xml(&document, &site.path("document.xml"));
}

/// An XML parser of somebody else takes it.
fn assert_xml(document: &str, path: &Path) {
    fs::write(path, document).unwrap();
    let checked = Command::new(program("xmllint", "libxml2-utils")).arg("--noout").arg(path).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

fn fault_28_a_run_of_a_date_that_is_done_tells_names_and_hashes_and_leaves_new_marks_alone(database: Database) {
    let site = with_orders(database);
    let date = due_date();
    let first = site.run(&["run", "--json", "--date", &date]).exits(0).object();
    let file = &first["agreements"][0]["files"][0];
    let (name, hash) = (file["fileName"].as_str().unwrap(), file["sha256"].as_str().unwrap());
    let sealed = fs::read(site.delivered_file()).unwrap();
    assert_eq!(hash, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&sealed)), "of the bytes that arrived");

    // Marked before the cut-off, entered after the night.
    site.import(&[card_of("FACTORY_X", 3010)]).exits(0);
    let before = site.marks();
    let again = site.run(&["run", "--json", "--date", &date]).exits(0).object();
    assert_eq!(again["agreements"][0]["outcome"], "ALREADY_DELIVERED");
    let told = &again["agreements"][0]["files"][0];
    assert_eq!((&told["fileName"], &told["sha256"]), (&json!(name), &json!(hash)));
    assert_eq!((&again["selected"], &again["delivered"], &again["addsUp"]), (&json!(0), &json!(0), &json!(true)));
    site.run(&["run", "--date", &date]).exits(0).says(&[name, hash]);
    assert_eq!(site.marks(), before, "a date that is done");

    // They wait for the next night, or for an order of somebody.
    let demanded = site.run(&["run", "--json", "--now"]).exits(0).object();
    assert_eq!((&demanded["kind"], &demanded["delivered"]), (&json!("ON_DEMAND"), &json!(1)), "{demanded}");
    assert_eq!(site.delivered().len(), 2);
}

fn fault_29_one_agreement_fails_all_others_are_delivered_and_the_summary_names_it(database: Database) {
    let houses = ["FACTORY_X", "FACTORY_Y", "FACTORY_Z"];
    for failing in houses {
        let site = Home::new(database);
        houses[1..].iter().for_each(|house| site.add_house(house));
        let cards = (3001..).zip(houses).map(|(number, house)| card_of(house, number));
        site.import(&with_person(cards)).exits(0);
        let folder = |house: &str| if house == "FACTORY_X" { "out".to_owned() } else { format!("out-{house}") };
        fs::rename(site.path(&folder(failing)), site.path("away")).unwrap();

        let outcome = site.run(&["run", "--json"]).exits(1);
        let report = outcome.object();
        assert_eq!(
            (&report["selected"], &report["delivered"], &report["addsUp"]),
            (&json!(3), &json!(2), &json!(true))
        );
        for house in houses {
            let expected = if house == failing { "UNFINISHED" } else { "DELIVERED" };
            assert_eq!(agreement(&report, house)["outcome"], expected, "{failing} fails: {report}");
            let arrived = usize::from(house != failing);
            assert_eq!(names(&site.path(&folder(house))).len(), arrived, "{failing} fails");
        }
        let line = outcome.stderr.lines().find(|line| line.contains(failing) && line.contains("UNFINISHED"));
        assert!(line.is_some(), "the summary names {failing}: {}", outcome.stderr);
        let reason = agreement(&report, failing)["reason"].as_str().unwrap();
        assert!(reason.contains(&folder(failing)), "{reason}");

        fs::rename(site.path("away"), site.path(&folder(failing))).unwrap();
        let report = site.run(&["run", "--json"]).exits(0).object();
        assert_eq!((&report["delivered"], &report["addsUp"]), (&json!(1), &json!(true)), "{report}");
        for house in houses {
            assert_eq!(names(&site.path(&folder(house))).len(), 1, "{house} has one file");
        }
    }
}
