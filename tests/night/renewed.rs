//! The automatic renewal as the first step of a night: R110-R113, A13, A14, and RPL and RVRT of R20.

use emboss::report::{Outcome, Report};
use serde_json::{Value, json};

use crate::site::{DATE, NEXT, ORDERED, Site, at, card, night_of, only, person, row, update_card, with};
use crate::tripwire::{Tripwire, When};

/// A site that renews, with cards that end in the months given, made and delivered in the night of [`DATE`].
async fn renewing(cards: &[(u32, u32, u32)]) -> Site {
    let site = Site::new();
    switch_on(&site);
    let mut orders = person(1001);
    orders.extend(cards.iter().map(|(number, year, month)| ending(*number, *year, *month)));
    site.take(ORDERED, &orders).await;
    let report = site.run(DATE).await;
    assert_eq!(report.exit_code(), 0, "{report}");
    site
}

fn switch_on(site: &Site) {
    site.edit("default_manufacturer = \"FACTORY_X\"", "default_manufacturer = \"FACTORY_X\"\nrenewal = true");
}

fn ending(number: u32, year: u32, month: u32) -> Value {
    with(card(number, 1001), json!({"body": {"expiration": {"year": year, "month": month}}}))
}

/// `renewals` of a report or plan, as one line.
fn told(json: &Value) -> String {
    let tallies = json["renewals"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |tally: &Value| {
        let renewed = &tally["renewed"];
        let skipped = tally["skipped"]["byReason"].as_object().expect("reasons");
        let skipped: Vec<String> = skipped.iter().map(|(code, count)| format!(" {code}={count}")).collect();
        let institution = tally["institution"].as_str().expect("an id");
        format!("{institution}: {}+{}{}", renewed["RPL"], renewed["RVRT"], skipped.concat())
    };
    tallies.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// A month of 12/2026 is due from 16 November: the night after the first one renews it, and delivers the new plastic.
#[tokio::test]
async fn r110_r112_a_card_is_renewed_and_its_new_plastic_goes_the_same_night() {
    let site = renewing(&[(3001, 2026, 12), (3002, 2027, 1)]).await;
    let first = site.delivered()[0].records[0].clone();
    let report = site.run(NEXT).await;
    assert_eq!((report.exit_code(), told(&report.to_json())), (0, "246001: 1+0".into()), "{report}");
    assert!(report.to_string().contains("renewed for 246001: RPL 1, RVRT 0"), "{report}");
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    assert_eq!(site.plastics(3002).await, [row(1, "ACTIVE")], "01/2027 is due on 17 December");

    let file = &site.delivered()[1];
    let [renewed] = &file.records[..] else { panic!("{:?}", file.cards()) };
    assert_eq!((renewed.production_event.as_str(), renewed.sequence_number), ("RPL", 2));
    assert_eq!(renewed.pan_masked, first.pan_masked, "the same number");
    assert_eq!((first.expiry.to_string(), renewed.expiry.to_string()), ("2026-12".into(), "2029-12".into()));
    assert_ne!(renewed.cvv2, first.cvv2, "R112: a new CVV2");
    assert!(renewed.pin_mailer.is_none(), "R42: the PIN stays and is not mailed again");
    assert!(renewed.chip_pin.is_some() && renewed.chip_pin == first.chip_pin, "R35: the same PIN");
    assert_eq!(site.number("SELECT COUNT(*) FROM pin WHERE card_id = 3001").await, 1);

    let events = site.events("plastic.renewed").await;
    assert_eq!(events.len(), 1);
    for (key, expected) in [
        ("plasticId", renewed.plastic_id.to_string()),
        ("predecessorId", first.plastic_id.to_string()),
        ("cardId", "3001".into()),
        ("productionEvent", "RPL".into()),
        ("status", "INACTIVE".into()),
        ("expiry", "2029-12".into()),
    ] {
        assert_eq!(events[0][key], expected, "{key}");
    }
    let marked = site.texts("SELECT CAST(marked_at AS TEXT) FROM production_request WHERE event = 'RPL'").await;
    assert_eq!(marked, [at("2026-11-22T03:00:00Z").timestamp_micros().to_string()], "at T0");
}

/// What a report says was renewed, skipped, and told as an alert.
fn of(report: &Report) -> (String, Vec<&str>) {
    (told(&report.to_json()), report.alerts.iter().map(|alert| alert.code.as_str()).collect())
}

/// A site with virtual cards that end in 12/2026, in use since they were ordered.
async fn virtual_cards(cards: std::ops::Range<u32>) -> Site {
    let site = Site::new();
    switch_on(&site);
    site.add(
        "[[product]]\ninstitution = \"246001\"\ncode = \"VISA_VIRTUAL\"\nscheme = \"VISA\"\nform = \"virtual\"\n\
         pan_prefixes = [\"40000099\"]\nmonths = 24\ncvv2_key = \"cvk2-1\"\n",
    );
    let mut orders = person(1001);
    let body = json!({"body": {"productCode": "VISA_VIRTUAL", "embossing": null}});
    let virtual_card = |number| {
        let mut order = with(ending(number, 2026, 12), body.clone());
        order["body"].as_object_mut().expect("a body").remove("embossing");
        order
    };
    orders.extend(cards.map(virtual_card));
    site.take(ORDERED, &orders).await;
    site
}

/// 01/2027 less 45 days is 17 December: the night before, on and after; another number of days; a year's end.
#[tokio::test]
async fn r110_the_night_before_on_and_after_the_renewal_date() {
    for (days, nights) in [
        (None, [("2026-12-16", 0), ("2026-12-17", 1), ("2026-12-18", 0)]),
        (Some(31), [("2026-12-30", 0), ("2026-12-31", 1), ("2027-01-01", 0)]),
        (Some(30), [("2026-12-31", 0), ("2027-01-01", 1), ("2027-01-02", 0)]),
    ] {
        let site = renewing(&[(3001, 2027, 1)]).await;
        if let Some(days) = days {
            site.edit("renewal = true", &format!("renewal = true\nrenewal_days = {days}"));
        }
        for (night, renewed) in nights {
            let report = site.run(night).await;
            assert_eq!(told(&report.to_json()), format!("246001: {renewed}+0"), "{night} with {days:?}");
        }
        assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")], "{days:?}");
    }
}

#[tokio::test]
async fn r111_a13_only_cards_in_00_and_those_that_return_to_it_before_they_expire() {
    let statuses = ["CARD_BLOCKED", "SUSPECTED_FRAUD", "CARD_NO_RENEWAL", "CARD_CLOSED", "CARD_LOST"];
    let cards: Vec<(u32, u32, u32)> = (3001..).map(|number| (number, 2026, 12)).take(statuses.len() + 1).collect();
    let site = renewing(&cards).await;
    let blocked = (3002..).zip(statuses).map(|(number, status)| update_card(number, json!({"status": status})));
    site.take("2026-11-21T10:00:00Z", &blocked.collect::<Vec<_>>()).await;
    assert_eq!(of(&site.run(NEXT).await), ("246001: 1+0".into(), vec![]), "3001 only");
    for number in 3002..=3006 {
        assert_eq!(site.plastics(number).await, [row(1, "ACTIVE")], "{number}");
    }

    let freed = |number| update_card(number, json!({"status": "CARD_OK"}));
    site.take("2026-11-22T10:00:00Z", &[freed(3002)]).await;
    assert_eq!(told(&site.run("2026-11-23").await.to_json()), "246001: 1+0", "the next night's check (A13)");
    assert_eq!(site.plastics(3002).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    // On its last day one still is, a day later another never.
    site.take("2026-12-30T10:00:00Z", &[freed(3003)]).await;
    assert_eq!(told(&site.run("2026-12-31").await.to_json()), "246001: 1+0");
    assert_eq!(site.plastics(3003).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    site.take("2026-12-31T10:00:00Z", &[freed(3004)]).await;
    assert_eq!(told(&site.run("2027-01-01").await.to_json()), "246001: 0+0");
    assert_eq!(site.plastics(3004).await, [row(1, "ACTIVE")], "it has expired");
}

/// The agreement cannot go, so that the date is open still: the check is made twice, the plastic once.
#[tokio::test]
async fn r112_two_runs_of_a_day_renew_once() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    std::fs::rename(site.path("keys/factory-x.asc"), site.path("keys/away.asc")).unwrap();
    std::fs::write(site.path("keys/factory-x.asc"), "no certificate").unwrap();
    let stopped = site.run(NEXT).await;
    assert_eq!((only(&stopped).outcome, told(&stopped.to_json())), (Outcome::Stopped, "246001: 1+0".into()));
    let again = site.run(NEXT).await;
    assert_eq!((only(&again).outcome, told(&again.to_json())), (Outcome::Stopped, "246001: 0+0".into()));
    std::fs::rename(site.path("keys/away.asc"), site.path("keys/factory-x.asc")).unwrap();
    let report = site.run(NEXT).await;
    assert_eq!((told(&report.to_json()), report.arithmetic().delivered), ("246001: 0+0".into(), 1), "{report}");
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    assert_eq!(site.number("SELECT COUNT(*) FROM production_request WHERE event = 'RPL'").await, 1);
}

/// Fault 28: a date that is done makes nothing new, although a card has come back to 00 since; the next night does.
#[tokio::test]
async fn r112_fault_28_a_date_that_is_done_renews_nothing_more() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    site.take("2026-11-21T10:00:00Z", &[update_card(3001, json!({"status": "CARD_BLOCKED"}))]).await;
    site.run(NEXT).await;
    site.take("2026-11-22T10:00:00Z", &[update_card(3001, json!({"status": "CARD_OK"}))]).await;
    let before = site.row_counts().await["plastic"];
    let report = site.run(NEXT).await;
    assert_eq!((told(&report.to_json()), site.row_counts().await["plastic"]), ("246001: 0+0".into(), before));
    assert_eq!(told(&site.run("2026-11-23").await.to_json()), "246001: 1+0");
}

#[tokio::test]
async fn r112_a_virtual_card_is_renewed_without_a_file() {
    let site = virtual_cards(3001..3002).await;
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE")]);
    let report = site.run(DATE).await;
    assert_eq!((of(&report), report.arithmetic().selected), (("246001: 0+1".into(), vec![]), 0), "{report}");
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    let made =
        "SELECT event || ' ' || expiry || ' ' || COALESCE(marked_at, '-') || ' ' || COALESCE(embossing_date, '-')
                || ' ' || cvv2_key FROM plastic WHERE sequence_number = 2";
    assert_eq!(site.texts(made).await, ["RVRT 202812 - - cvk2-1"], "24 months more, not marked");
    assert_eq!(site.number("SELECT COUNT(*) FROM production_request").await, 0);
    assert_eq!(site.names_in("out"), [""; 0]);
    let (renewed, moved) = (site.events("plastic.renewed").await, site.events("plastic.moved").await);
    assert_eq!(
        (renewed.len(), &renewed[0]["productionEvent"], &renewed[0]["status"]),
        (1, &json!("RVRT"), &json!("ACTIVE"))
    );
    assert_eq!((moved.len(), &moved[0]["from"], &moved[0]["to"]), (1, &json!("ACTIVE"), &json!("CLOSED")));
    assert_eq!(moved[0]["plasticId"], renewed[0]["predecessorId"]);
    assert_eq!(told(&site.run(NEXT).await.to_json()), "246001: 0+0");
    assert_eq!(site.plastics(3001).await.len(), 2);
}

/// More cards than are looked at together.
#[tokio::test]
async fn r112_a_renewal_of_several_pages_misses_nobody() {
    let site = virtual_cards(3001..5010).await;
    let plan = site.plan(DATE).await;
    assert_eq!(told(&plan.to_json()), "246001: 0+2009");
    assert!(plan.to_string().contains("to be renewed first for 246001: RPL 0, RVRT 2009"), "{plan}");
    assert_eq!(site.number("SELECT COUNT(*) FROM plastic").await, 2009, "R139: a plan writes nothing");
    assert_eq!(told(&site.run(DATE).await.to_json()), "246001: 0+2009");
    let active = "SELECT COUNT(DISTINCT card_id) FROM plastic WHERE status = 'ACTIVE' AND event = 'RVRT'";
    assert_eq!((site.number(active).await, site.number("SELECT COUNT(*) FROM plastic").await), (2009, 4018));
}

#[tokio::test]
async fn r112_r64_a_product_that_is_produced_locked_keeps_the_older_plastic_in_use() {
    let site = Site::new();
    switch_on(&site);
    site.edit("pan_prefixes = [\"40000012\"]", "pan_prefixes = [\"40000012\"]\nproduced = \"locked\"");
    let mut orders = person(1001);
    orders.push(ending(3001, 2026, 12));
    site.take(ORDERED, &orders).await;
    site.run(DATE).await;
    assert_eq!(site.plastics(3001).await, [row(1, "LOCKED")], "never activated");
    assert_eq!(told(&site.run(NEXT).await.to_json()), "246001: 1+0", "LOCKED is in use");
    assert_eq!(site.plastics(3001).await, [row(1, "LOCKED"), row(2, "LOCKED")]);
    assert_eq!(told(&site.run("2026-11-23").await.to_json()), "246001: 0+0");
}

/// A14: reissued in its last two months, with a new expiry: neither before that plastic is made nor afterwards.
#[tokio::test]
async fn r113_a14_a_card_with_a_later_plastic_is_not_renewed() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    site.mark_plastic(3001, "RPLRE", "2026-11-21T10:00:00Z").await;
    site.sql("UPDATE plastic SET expiry = 202912 WHERE sequence_number = 2").await;
    for night in [NEXT, "2026-11-23", "2026-12-31"] {
        assert_eq!(told(&site.run(night).await.to_json()), "246001: 0+0", "{night}");
    }
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
}

/// R42: where the institution wants one, a letter tells the PIN that stays.
#[tokio::test]
async fn r112_r42_a_letter_goes_with_a_renewal_where_it_is_configured() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    site.edit("renewal = true", "renewal = true\nmailer_for_reissue = true");
    site.run(NEXT).await;
    let files = site.delivered();
    let [first, renewed] = [0, 1].map(|place| files[place].records[0].pin_mailer.as_ref().expect("a letter"));
    assert!(first.pin_block == renewed.pin_block, "the same PIN");
}

#[tokio::test]
async fn r112_only_nights_renew_and_only_where_it_is_switched_on() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    site.add_institution("246002", "40000056");
    site.add_agreement("246002", "FACTORY_X");
    let of_the_other = |order: Value| with(order, json!({"institutionId": "246002"}));
    let mut orders: Vec<Value> = person(1001).into_iter().map(of_the_other).collect();
    orders.push(of_the_other(ending(3901, 2026, 12)));
    site.take("2026-11-20T11:00:00Z", &orders).await;
    let demand = site.run_now("2026-11-21T12:00:00Z", &[]).await;
    assert!(demand.to_json().get("renewals").is_none() && !demand.to_string().contains("renewed"), "{demand}");
    assert_eq!(
        (site.plastics(3001).await, site.plastics(3901).await),
        (vec![row(1, "ACTIVE")], vec![row(1, "ACTIVE")])
    );

    // The order is for the other institution only.
    let other = emboss::night::RunOrder { institutions: vec!["246002".parse().unwrap()], ..night_of(NEXT) };
    let report = site.open_for(NEXT).await.run(&other).await.unwrap();
    assert!(report.to_json().get("renewals").is_none(), "{report}");
    assert_eq!(told(&site.run(NEXT).await.to_json()), "246001: 1+0", "the other has it off");
    assert_eq!(site.plastics(3901).await, [row(1, "ACTIVE")]);
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
}

#[tokio::test]
async fn r110_a_key_or_product_that_cannot_be_used_is_an_alert_once() {
    let site = renewing(&[(3001, 2026, 12), (3002, 2026, 12)]).await;
    let config = site.config_text();
    site.edit("id = \"cvk2-1\"", "id = \"cvk2-1\"\nnot_after = 2026-11-21T12:00:00Z\nretire_at = 2029-01-01T00:00:00Z");
    let report = site.run(NEXT).await;
    assert_eq!(of(&report), ("246001: 0+0 KEY_UNUSABLE=2".into(), vec!["KEY_UNUSABLE"]), "{report}");
    assert_eq!(report.exit_code(), 1, "a person has something to mend");
    for part in ["VISA_CARD", "246001", "cvk2-1"] {
        assert!(report.alerts[0].text.contains(part), "{part}: {}", report.alerts[0].text);
    }
    let next = site.run("2026-11-23").await;
    assert_eq!((of(&next).1, next.exit_code()), (vec!["KEY_UNUSABLE"], 0), "told again, and not new");
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE")]);

    std::fs::write(site.path("emboss.toml"), config.replace("\"VISA_CARD\"", "\"VISA_OTHER\"")).unwrap();
    let gone = site.run("2026-11-24").await;
    assert_eq!(of(&gone), ("246001: 0+0 PRODUCT_UNKNOWN=2".into(), vec!["PRODUCT_UNKNOWN"]), "{gone}");
    std::fs::write(site.path("emboss.toml"), config).unwrap();
    assert_eq!(of(&site.run("2026-11-25").await), ("246001: 2+0".into(), vec![]), "mended");
}

#[tokio::test]
async fn r4_r110_a_card_that_wants_no_plastic_is_skipped_without_an_alert() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    site.take("2026-11-21T10:00:00Z", &[update_card(3001, json!({"embossing": {"physical": false}}))]).await;
    let report = site.run(NEXT).await;
    assert_eq!(of(&report), ("246001: 0+0 PHYSICAL_FALSE=1".into(), vec![]), "{report}");
    assert_eq!((report.exit_code(), site.plastics(3001).await), (0, vec![row(1, "ACTIVE")]));
    assert!(report.to_string().contains("not renewed: PHYSICAL_FALSE 1"), "{report}");
}

#[tokio::test]
async fn r110_a_row_that_cannot_be_read_stops_the_renewal_and_not_the_night() {
    let site = renewing(&[(3001, 2026, 12)]).await;
    site.take("2026-11-21T10:00:00Z", &[card(3002, 1001)]).await;
    site.sql("UPDATE card_version SET data = '{}' WHERE card_id = 3001").await;
    let report = site.run(NEXT).await;
    assert_eq!((of(&report).1, report.exit_code()), (vec!["RENEWAL_FAILED"], 1), "{report}");
    assert!(report.alerts[0].text.contains("card 3001"), "{}", report.alerts[0].text);
    assert_eq!((report.arithmetic().delivered, site.plastics(3002).await), (1, vec![row(1, "ACTIVE")]));
}

/// Dies before a page of renewals or after it, or never hears whether it was written: one plastic each in the end.
#[tokio::test]
async fn r112_a_renewal_that_dies_is_resumed_and_makes_one_plastic_each() {
    for when in [When::Before, When::After, When::UnansweredBefore, When::UnansweredAfter] {
        // Two months that are due, so two pages.
        let site = renewing(&[(3001, 2026, 11), (3002, 2026, 12)]).await;
        let mut night = site.open_for(NEXT).await;
        let tripwire = Tripwire::at(night.store, "renew", when);
        night.store = tripwire;
        let first = night.run(&night_of(NEXT)).await;
        drop(night);
        match when {
            When::Before | When::After => {
                assert_eq!(first.unwrap_err().exit_code(), 3, "{when:?}");
                let left = if when == When::Before { "246001: 2+0" } else { "246001: 1+0" };
                assert_eq!(told(&site.run(NEXT).await.to_json()), left, "{when:?}");
            }
            _ => assert_eq!(told(&first.unwrap().to_json()), "246001: 2+0", "{when:?}: read, not believed"),
        }
        for number in [3001, 3002] {
            assert_eq!(site.plastics(number).await, [row(1, "CLOSED"), row(2, "ACTIVE")], "{when:?} {number}");
        }
        assert_eq!(site.events("plastic.renewed").await.len(), 2, "{when:?}");
        assert_eq!(site.delivered()[1].cards(), [3001, 3002], "{when:?}");
    }
}
