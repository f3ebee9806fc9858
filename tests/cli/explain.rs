//! `emboss explain` with the real program: the story of cards over several nights, and what it must never tell.

use std::fs;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::trial::{Trial, card, customer, execute, order, orders, two_days_ago};

/// A card of the configured range that names a house nobody knows.
const NOWHERE: &str = "3005";

fn update(order_id: &str, card_id: &str, body: Value) -> Value {
    order(order_id, "updateCard", json!({ "cardId": card_id }), body)
}

/// The date of the last night, as `run` without a date takes it.
fn last_night() -> NaiveDate {
    (Utc::now() + TimeDelta::minutes(5) - TimeDelta::hours(3)).date_naive()
}

fn day_before(date: NaiveDate) -> NaiveDate {
    date - Days::new(1)
}

/// 3001 and 3002 go, 3003 waits for its PIN, 3004 is blocked, 3005 has no house, 3006 is cancelled.
fn ordered() -> Trial {
    let trial = Trial::new();
    let mut lines = orders();
    lines.push(card("o-6", "3004", &json!({})));
    lines.push(update("o-7", "3004", json!({ "status": "CARD_BLOCKED", "reason": "telephone" })));
    let nowhere = json!({ "embossing": { "firstName": "Monica", "lastName": "Liikamaa", "manufacturer": "NOWHERE" } });
    lines.push(card("o-8", NOWHERE, &nowhere));
    lines.push(card("o-9", "3006", &json!({})));
    let ids = json!({ "cardId": "3006", "sequenceNumber": 1 });
    lines.push(order("o-10", "updatePlastic", ids, json!({ "action": "CANCEL" })));
    trial.import(&lines).exits(0);
    trial
}

fn explained(trial: &Trial, card: &str) -> Value {
    trial.run(&["explain", "--card", card, "--json"]).exits(0).object()
}

/// Verdict, reason, first night, last night, nights.
fn standings(story: &Value) -> Vec<Value> {
    let one = |found: &Value| ["verdict", "reason", "firstNight", "lastNight", "nights"].map(|key| found[key].clone());
    story["standings"].as_array().unwrap().iter().map(|found| json!(one(found))).collect()
}

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Verdict, reason and rule of each request.
fn expected(story: &Value) -> Vec<Value> {
    let one = |found: &Value| ["verdict", "reason", "rule"].map(|key| found[key].clone());
    story["next"]["requests"].as_array().unwrap().iter().map(|found| json!(one(found))).collect()
}

#[test]
fn what_is_held_is_told_with_its_nights_and_what_to_do() {
    let trial = ordered();
    let (second, first) = (last_night(), day_before(last_night()));
    trial.run(&["run", "--date", &first.to_string()]).exits(0);
    trial.run(&["run"]).exits(0);
    // The same date once more is the same night.
    trial.run(&["run"]).exits(0);
    for (card, reason, rule) in
        [("3003", "HELD_PIN_WAIT", "R30"), ("3004", "CARD_BLOCKED", "R51"), (NOWHERE, "MANUFACTURER_UNKNOWN", "R8")]
    {
        let story = explained(&trial, card);
        assert_eq!(standings(&story), [json!(["HOLD", reason, first.to_string(), second.to_string(), 2])], "{card}");
        assert_eq!(expected(&story), [json!(["HOLD", reason, rule])], "{card}");
        assert_eq!((&story["files"], &story["requests"][0]["state"]), (&json!([]), &json!("OPEN")), "{card}");
        let text = trial.run(&["explain", "--card", card]).exits(0);
        let nights = format!("held on 2 nights from {first} to {second}: {reason}");
        text.says(&[&nights, &format!("is held because of {reason} ({rule})"), "What to do: "]);
    }
    // Lifted: R54, what was written of earlier nights decides nothing.
    trial.import(&[update("o-20", "3004", json!({ "status": "CARD_OK", "reason": "found again" }))]).exits(0);
    let story = explained(&trial, "3004");
    assert_eq!(expected(&story), [json!(["PRODUCE", null, null])]);
    assert_eq!(standings(&story).len(), 1);
    let ops: Vec<&Value> = story["orders"].as_array().unwrap().iter().map(|order| &order["op"]).collect();
    assert_eq!(ops, ["createCard", "updateCard", "updateCard"]);
    assert_eq!(story["card"]["versions"].as_array().unwrap().len(), 3);
    trial.run(&["explain", "--card", "3004"]).exits(0).says(&["would go to FACTORY_X."]);
}

#[test]
fn what_was_cancelled_is_told_with_its_order() {
    let trial = ordered();
    trial.run(&["run"]).exits(0);
    let story = explained(&trial, "3006");
    assert_eq!(story["plastics"][0]["status"], "CANCELLED");
    let request = &story["requests"][0];
    assert_eq!((&request["state"], &request["reason"]), (&json!("CLOSED"), &json!("CANCELLED")));
    let orders = story["orders"].as_array().unwrap();
    let told: Vec<_> = orders.iter().map(|order| (&order["orderId"], &order["description"])).collect();
    assert_eq!(told[1], (&json!("o-10"), &json!("Plastic cancelled")));
    let event = &story["events"][0];
    assert_eq!((&event["kind"], &event["data"]["to"]), (&json!("plastic.moved"), &json!("CANCELLED")));
    assert_eq!((standings(&story).len(), expected(&story).len()), (0, 0));
    trial.run(&["explain", "--card", "3006"]).exits(0).says(&["nothing goes, nothing is held"]);
}

#[test]
fn what_was_sent_is_told_with_file_receipt_and_what_persons_did() {
    let trial = ordered();
    trial.run(&["run"]).exits(0);
    let (name, file) = (trial.delivered()[0].clone(), trial.delivered_file());
    fs::remove_file(&file).unwrap();
    let who = ["--file", &name, "--by", "anna", "--reason", "they lost it"];
    trial.run(&[&["resend"], &who[..]].concat()).exits(0);
    trial.run(&[&["resend", "--duplicate"], &who[..]].concat()).exits(0);
    let story = explained(&trial, "3002");
    let [original, duplicate] = &story["files"].as_array().unwrap()[..] else { panic!("{}", story["files"]) };
    assert_eq!((&original["fileName"], &original["state"]), (&json!(name), &json!("SETTLED")));
    assert_eq!((&original["records"], &original["night"]), (&json!(2), &json!(last_night().to_string())));
    assert_eq!(duplicate["resendOfFileId"], original["fileId"]);
    // The house reads the record's number in the document.
    let shown = trial.inspect(&trial.path("out").join(&name), &["--json"]).exits(0).object();
    let records = shown["records"].as_array().unwrap();
    let place = records.iter().position(|record| record["cardId"] == "3002").unwrap() + 1;
    assert_eq!(shown["header"]["fileId"], original["fileId"]);
    for file in [original, duplicate] {
        assert_eq!(file["places"][0]["recordNumber"], json!(place));
        assert_eq!(file["places"][0]["recordUid"], records[place - 1]["recordUid"]);
    }
    let deliveries = original["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 2);
    for delivery in deliveries {
        let receipt = delivery["receipt"].as_str().unwrap();
        assert!(receipt.contains(&trial.path("out").display().to_string()), "{receipt}");
        assert!(delivery["publishedAt"].is_string());
    }
    let audit: Vec<_> = story["audit"].as_array().unwrap().iter().map(|row| (&row["action"], &row["by"])).collect();
    assert_eq!(audit, [(&json!("file.resend_ordered"), &json!("anna")), (&json!("file.duplicated"), &json!("anna"))]);
    let events = story["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "the other card's are not ours: {events:?}");
    assert_eq!((&events[0]["data"]["to"], &events[0]["data"]["cardId"]), (&json!("ACTIVE"), &json!("3002")));
    assert_eq!(story["card"]["pins"].as_array().unwrap().len(), 1);
    let text = trial.run(&["explain", "--card", "3002"]).exits(0);
    text.says(&[&name, &format!("record {place}: "), "receipt: ", "by anna: they lost it", "duplicate of"]);
}

/// R112: a card of which nothing is marked may be renewed all the same, as the first thing the night does.
#[test]
fn r112_what_the_next_night_renews_is_told() {
    let trial = Trial::new();
    let next = last_night() + Days::new(1);
    let ends = json!({ "expiration": { "year": next.year(), "month": next.month() } });
    trial.import(&[orders()[..2].to_vec(), vec![card("o-3", "3001", &ends)]].concat()).exits(0);
    trial.run(&["run"]).exits(0);
    let told = || trial.run(&["explain", "--card", "3001"]).exits(0);
    assert_eq!(explained(&trial, "3001")["next"]["renewal"], Value::Null, "switched off");
    told().says(&["nothing goes, nothing is held"]);

    trial.configure("default_manufacturer = \"FACTORY_X\"", "default_manufacturer = \"FACTORY_X\"\nrenewal = true");
    let story = explained(&trial, "3001");
    let plastic = &story["plastics"][0]["plasticId"];
    let expiry = format!("{}-{:02}", next.year() + 3, next.month());
    let expected = json!({"predecessorId": plastic, "productionEvent": "RPL", "sequenceNumber": 2, "expiry": expiry,
        "obstacle": null});
    assert_eq!(story["next"]["renewal"], expected);
    let text = words(&told().stdout);
    assert!(text.contains("is renewed first (R112): RPL, number 2, ") && !text.contains("nothing goes"), "{text}");
    let own = trial.run(&["explain", "--plastic", plastic.as_str().unwrap(), "--json"]).exits(0).object();
    assert_eq!(own["next"]["renewal"], expected);

    trial.import(&[update("o-4", "3001", json!({ "embossing": { "physical": false } }))]).exits(0);
    assert_eq!(explained(&trial, "3001")["next"]["renewal"], json!({ "obstacle": "PHYSICAL_FALSE" }));
    told().says(&["ends soon and is not renewed: PHYSICAL_FALSE"]);
    trial.import(&[update("o-5", "3001", json!({ "status": "CARD_BLOCKED" }))]).exits(0);
    assert_eq!(explained(&trial, "3001")["next"]["renewal"], Value::Null, "R111");
}

/// A file that did not arrive is told as one that is on its way.
#[test]
fn what_is_on_its_way_is_told() {
    let trial = ordered();
    fs::rename(trial.path("out"), trial.path("gone")).unwrap();
    trial.run(&["run"]).exits(1);
    let story = explained(&trial, "3001");
    assert_eq!(expected(&story), [json!(["IN_FILE", null, null])]);
    assert_eq!(story["files"][0]["settledAt"], Value::Null);
    let held = explained(&trial, "3003");
    assert_eq!(held["unfinished"].as_array().unwrap().len(), 1, "the next run goes on with it first");
    let told = words(&trial.run(&["explain", "--card", "3001"]).exits(0).stdout);
    assert!(told.contains(".xml.pgp, which is on its way."), "{told}");
}

#[test]
fn a_plastic_has_a_story_of_its_own() {
    let trial = ordered();
    trial.run(&["run"]).exits(0);
    let story = explained(&trial, "3001");
    let plastic = story["plastics"][0]["plasticId"].as_str().unwrap();
    let own = trial.run(&["explain", "--plastic", plastic, "--json"]).exits(0).object();
    assert_eq!((&own["plasticId"], &own["cardId"]), (&json!(plastic), &json!("3001")));
    for part in ["card", "plastics", "orders", "requests", "files", "events"] {
        assert_eq!(own[part], story[part], "{part}");
    }
    // Of a card with two, only what is its own.
    execute(
        &trial.path("emboss.db"),
        "INSERT INTO plastic (institution, plastic_id, card_id, sequence_number, event, status, expiry, cvv2_key)
         VALUES ('246001', 777, 3001, 2, 'RVRT', 'ACTIVE', 203001, 'cvk2-1')",
    );
    let other = trial.run(&["explain", "--plastic", "777", "--json"]).exits(0).object();
    assert_eq!(other["plastics"].as_array().unwrap().len(), 1);
    for part in ["requests", "files", "audit", "events", "standings"] {
        assert_eq!(other[part], json!([]), "{part}");
    }
    assert_eq!(explained(&trial, "3001")["plastics"].as_array().unwrap().len(), 2);
}

#[test]
fn exit_2_for_what_nobody_knows_and_for_what_several_know() {
    let trial = ordered();
    for arguments in [&["--card", "9999"][..], &["--plastic", "9999"], &["--card", "3001", "--institution", "246999"]] {
        trial.run(&[&["explain"], arguments].concat()).exits(2).says(&["look the id up again"]);
    }
    for arguments in [&[][..], &["--card", "3001", "--plastic", "1"], &["--card", "x"], &["--card", "0"]] {
        trial.run(&[&["explain"], arguments].concat()).exits(2).says(&["--card"]);
    }
    trial.configure_more(
        "[[institution]]\nid = \"246002\"\ndefault_product = \"VISA_CARD\"\n[[product]]\ninstitution = \"246002\"\n\
         code = \"VISA_CARD\"\nscheme = \"VISA\"\nform = \"physical\"\npan_prefixes = [\"40000056\"]\nmonths = 36\n\
         service_code = \"201\"\ncvv_key = \"cvk-1\"\ncvv2_key = \"cvk2-1\"\n\
         stripe = { track1 = \"{pvki}{pvv}{cvv}\", track2 = \"{pvki}{pvv}{cvv}\" }\n\
         pin = { pvv_key = \"pvk-1\", pvki = \"1\" }\n",
    );
    let mut lines = orders()[..3].to_vec();
    for line in &mut lines {
        line["institutionId"] = json!("246002");
    }
    trial.import(&lines).exits(0);
    let several = trial.run(&["explain", "--card", "3001"]).exits(2);
    several.says(&["--institution 246001 or --institution 246002"]);
    for id in ["246001", "246002"] {
        let story = trial.run(&["explain", "--card", "3001", "--institution", id, "--json"]).exits(0).object();
        assert_eq!(story["institution"], id);
    }
    assert_eq!(explained(&trial, "3002")["institution"], "246001", "one that only one knows needs no name");
}

/// Read-only: no lock, no waiting, nothing written, and no key or spool is opened.
#[test]
fn a_run_that_holds_the_lock_is_not_in_the_way() {
    use rustix::fs::{FlockOperation, flock};
    let trial = ordered();
    trial.run(&["run"]).exits(0);
    let lock = fs::File::options().read(true).write(true).open(trial.path("emboss.db.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    fs::rename(trial.path("keys"), trial.path("locked-away")).unwrap();
    fs::rename(trial.path("spool"), trial.path("elsewhere")).unwrap();
    let before = trial.state();
    let story = explained(&trial, "3003");
    assert_eq!(expected(&story), [json!(["HOLD", "HELD_PIN_WAIT", "R30"])]);
    trial.run(&["explain", "--card", "3001"]).exits(0);
    trial.state().is_still(&before, "explained");
}

/// R138: the harness looks for card numbers in every output; here for names, addresses, telephone numbers and PIN blocks.
#[test]
fn r138_a_story_tells_no_name_address_or_secret() {
    let trial = ordered();
    let known = customer("o-30", "1002", "Canaria-Quux", "Canary lane 77");
    trial.import(&[known]).exits(0);
    let line =
        update("o-31", "3003", json!({ "customerId": "1001", "embossing": { "additionalField1": "Secret line" } }));
    trial.import(&[line]).exits(0);
    trial.run(&["run"]).exits(0);
    let document = String::from_utf8(trial.opened(&trial.delivered_file())).unwrap();
    let blocks: Vec<&str> = document.split("<Value>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert!(blocks.iter().any(|block| block.len() == 16), "PIN blocks were found: {blocks:?}");
    let people = ["Monica", "Liikamaa", "MONICA", "Strandgatan", "Mariehamn", "22100", "+358401234567", "Secret line"];
    for card in ["3001", "3002", "3003", "3004", NOWHERE, "3006"] {
        for more in [&[][..], &["--json"]] {
            let told = trial.run(&[&["explain", "--card", card], more].concat()).exits(0).both();
            let found = people.iter().chain(&blocks).find(|secret| told.contains(**secret));
            assert_eq!(found, None, "{card} {more:?}");
            assert!(told.contains("400000******"), "the number is there, masked: {told}");
        }
    }
}

/// What a card-operations person reads on a screen of 100 columns.
#[test]
fn lines_are_no_wider_than_a_screen() {
    let trial = ordered();
    trial.run(&["run"]).exits(0);
    for card in ["3001", "3003", NOWHERE, "3006"] {
        let told = trial.run(&["explain", "--card", card]).exits(0).stdout;
        for line in told.lines() {
            let word = line.split_whitespace().map(str::len).max().unwrap_or(0);
            assert!(line.len() <= 100 || word > 70, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}

/// The order of the parts, and what stands in each, word for word.
#[test]
fn the_story_of_a_waiting_card_word_for_word() {
    let trial = ordered();
    let (second, first) = (last_night(), day_before(last_night()));
    trial.run(&["run", "--date", &first.to_string()]).exits(0);
    trial.run(&["run"]).exits(0);
    let told = trial.run(&["explain", "--card", "3003"]).exits(0).stdout;
    let story = explained(&trial, "3003");
    let marked: DateTime<Utc> = story["requests"][0]["markedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(marked.timestamp_millis(), two_days_ago().timestamp_millis());
    let at = marked.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (night, cut_off) = (text(&story["next"]["businessDate"]), text(&story["next"]["cutOff"]));
    let days = story["next"]["requests"][0]["ageDays"].as_i64().unwrap();
    let plastic = text(&story["plastics"][0]["plasticId"]);
    let expected = format!(
        "Card 3003 of 246001: {}
  VISA VISA_CARD, status 00 CARD_OK since {at}, pinStatus W, house FACTORY_X
      (the default)
  versions of the card: 1 of {at}
  of customer 1001: 1 of {at}
  of account 2001: 1 of {at}
  no PIN on record

Plastics
  no  plastic             event      status     expiry   marked at             embossed
   1  {plastic:<18}  NCRD       INACTIVE   {}  {at}  -

Orders
  {at} createCard o-5: Card created

Production requests
  NCRD of plastic {plastic}, marked {at}: OPEN
      recordUid {}
      held on 2 nights from {first} to {second}: HELD_PIN_WAIT

Files: none

What persons did to these files: none

Events: none

As things stand now, for the night of {night} (marked until {cut_off})
  plastic {plastic} (NCRD) is held because of HELD_PIN_WAIT (R30), waiting for {days} days, marked {days} days ago.
      What to do: Wait for the customer's PIN (setPin), or set pinStatus D with updateCard.
",
        text(&story["card"]["cardNumber"]),
        text(&story["plastics"][0]["expiry"]),
        text(&story["requests"][0]["recordUid"]),
    );
    assert_eq!(words(&told), words(&expected));
    let heads = |text: &str| text.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(heads(&told), heads(&expected));
}
