//! Which plastics a night takes, and into which files: R1-R12 through the whole night.

use std::collections::BTreeMap;

use emboss::night::RunOrder;
use emboss::plan::Expectation;
use emboss::report::Outcome;
use serde_json::json;

use crate::site::{
    DATE, ISSUER, NEXT, ORDERED, Site, card, night_of, of, only, only_file, person, sha256, update_card, with,
};
use crate::tripwire::{Tripwire, When};

#[tokio::test]
async fn r1_r6_marked_at_the_cut_off_goes_and_a_millisecond_later_waits() {
    let site = Site::with_cards(&[]).await;
    site.take("2026-11-21T03:00:00Z", &[card(3001, 1001)]).await;
    site.take("2026-11-21T03:00:00.001Z", &[card(3002, 1001)]).await;
    let report = site.run(DATE).await;
    assert_eq!(site.delivered()[0].cards(), [3001]);
    assert_eq!((report.arithmetic().selected, report.exit_code()), (1, 0));
    assert_eq!((site.status(3001).await, site.status(3002).await), ("ACTIVE".into(), "INACTIVE".into()));

    site.run(NEXT).await;
    assert_eq!(site.delivered()[1].cards(), [3002], "the late one goes the next night");
    assert_eq!(site.status(3002).await, "ACTIVE");
}

#[tokio::test]
async fn r2_a_card_in_w_for_40_days_goes_the_night_after_its_release() {
    let site = Site::new();
    site.take("2026-10-11T10:00:00Z", &person(1001)).await;
    site.take("2026-10-11T10:00:00Z", &[with(card(3001, 1001), json!({"body": {"pinStatus": "W"}}))]).await;
    let waiting = site.run("2026-11-20").await;
    assert_eq!(waiting.total().held.get("HELD_PIN_WAIT"), Some(&1));
    assert_eq!((waiting.exit_code(), site.status(3001).await), (0, "INACTIVE".into()), "a hold is no error (R30)");
    assert_eq!(waiting.total().warnings.get("PIN_WAIT_OVER_30_DAYS"), Some(&1), "R31: 39 whole days");

    site.take(ORDERED, &[update_card(3001, json!({"pinStatus": "D"}))]).await;
    site.run(DATE).await;
    assert_eq!(site.delivered()[0].cards(), [3001]);
    assert_eq!(site.status(3001).await, "ACTIVE");
    let kept = site.texts("SELECT data ->> 'pinStatus' FROM card_version ORDER BY version DESC LIMIT 1").await;
    assert_eq!(kept, ["D"], "R37: the night leaves the PIN status alone");
}

/// R7, R8: thirty cards thrown at two issuers and two houses; the card ids of the issuers are the same on purpose.
#[tokio::test]
async fn r7_r8_no_card_crosses_to_another_issuer_or_house() {
    for seed in [1, 2, 3] {
        let mut site = Site::new();
        site.add_institution("246002", "40000056");
        site.add_house("FACTORY_Y");
        for (institution, house) in [("246001", "FACTORY_Y"), ("246002", "FACTORY_X"), ("246002", "FACTORY_Y")] {
            site.add_agreement(institution, house);
        }
        let random = emboss::ambient::Random::seeded(seed);
        let mut expected: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
        let mut orders = Vec::new();
        for institution in ["246001", "246002"] {
            orders.extend(person(1001).into_iter().map(|order| with(order, json!({"institutionId": institution}))));
        }
        for number in 0..30_u32 {
            let [a, b] = random.bytes::<2>();
            let institution = if a % 2 == 0 { "246001" } else { "246002" };
            // Absent: the issuer's default house, FACTORY_X.
            let (named, house) =
                [(None, "FACTORY_X"), (Some("FACTORY_X"), "FACTORY_X"), (Some("FACTORY_Y"), "FACTORY_Y")]
                    [usize::from(b % 3)];
            let line = if institution == "246001" { "First Issuer" } else { "Second Issuer" };
            let body = json!({"embossing": {"companyName": line, "manufacturer": named}});
            orders.push(with(card(3001 + number, 1001), json!({"institutionId": institution, "body": body})));
            expected.entry((institution, house)).or_default().push(i64::from(3001 + number));
        }
        site.take(ORDERED, &orders).await;
        let report = site.run(DATE).await;
        assert_eq!((report.exit_code(), report.arithmetic().delivered), (0, 30), "{report}");

        let mut found = BTreeMap::new();
        for (folder, house) in [("out", "FACTORY_X"), ("out-FACTORY_Y", "FACTORY_Y")] {
            for file in site.delivered_in(folder) {
                assert_eq!(file.header.manufacturer.as_str(), house, "it lies in the house's own folder");
                let institution = if file.header.institution.id.as_str() == "246001" { "246001" } else { "246002" };
                let line = if institution == "246001" { "First Issuer" } else { "Second Issuer" };
                for record in &file.records {
                    let lines = record.embossing.as_ref().unwrap();
                    assert_eq!(lines.company_name.as_deref(), Some(line), "card {} of {institution}", record.card_id);
                }
                let mut cards = file.cards();
                cards.sort_unstable();
                assert!(found.insert((institution, house), cards).is_none(), "one file per issuer and house");
            }
        }
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn r8_unroutable_cards_are_held_with_their_reason_and_counted() {
    let mut site = Site::with_cards(&[3001]).await;
    site.add_house("FACTORY_Y");
    site.edit("code = \"FACTORY_Y\"", "code = \"FACTORY_Y\"\nactive = false");
    let named = |number, house: &str| with(card(number, 1001), json!({"body": {"embossing": {"manufacturer": house}}}));
    let orders = [named(3002, "NOBODY"), named(3003, "FACTORY_Y"), named(3004, "factory x")];
    site.take(ORDERED, &orders).await;
    let report = site.run(DATE).await;
    let held = report.total().held;
    assert_eq!(held.get("MANUFACTURER_UNKNOWN"), Some(&2), "unknown, and known but inactive: {report}");
    assert_eq!(held.get("MANUFACTURER_INVALID"), Some(&1));
    assert!(report.arithmetic().adds_up());
    assert_eq!((report.arithmetic().selected, report.arithmetic().delivered), (4, 1));
    assert_eq!(site.delivered()[0].cards(), [3001]);

    site.edit("default_manufacturer = \"FACTORY_X\"\n", "");
    site.take("2026-11-21T10:00:00Z", &[card(3005, 1001)]).await;
    let report = site.run(NEXT).await;
    assert_eq!(report.total().held.get("MANUFACTURER_MISSING"), Some(&1), "{report}");
}

#[tokio::test]
async fn r11_one_bad_record_is_held_and_the_rest_goes() {
    let site = Site::with_cards(&[3001, 3002]).await;
    // S with a caron is printable, but not in the embossed set of the agreement (R93, R95).
    site.take(ORDERED, &[with(card(3003, 1001), json!({"body": {"embossing": {"firstName": "Šárka"}}}))]).await;
    let report = site.run(DATE).await;
    assert_eq!(site.delivered()[0].cards(), [3001, 3002]);
    assert_eq!(report.total().held.get("CHARSET"), Some(&1));
    assert_eq!((report.exit_code(), site.status(3003).await), (0, "INACTIVE".into()));
}

#[tokio::test]
async fn r11_r135_a_bad_recipient_stops_its_agreement_only_and_the_same_date_runs_it_once_repaired() {
    let mut site = Site::with_cards(&[3001]).await;
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y.clone()), with(card(3003, 1001), to_y)]).await;
    let right = std::fs::read(site.path("keys/FACTORY_Y.asc")).unwrap();
    let other = std::fs::read(site.path("keys/factory-x.asc")).unwrap();
    site.write_key("keys/FACTORY_Y.asc", &other);

    let report = site.run(DATE).await;
    let stopped = of(&report, ISSUER, "FACTORY_Y");
    assert_eq!(stopped.outcome, Outcome::Stopped, "{report}");
    assert!(stopped.reason.as_deref().unwrap().starts_with("KEY_UNUSABLE"), "{report}");
    assert_eq!(report.total().held, BTreeMap::from([("KEY_UNUSABLE", 2)]));
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true));
    assert_eq!(of(&report, ISSUER, "FACTORY_X").outcome, Outcome::Delivered);
    assert_eq!(site.delivered()[0].cards(), [3001]);
    assert!(site.names_in("out-FACTORY_Y").is_empty());
    assert_eq!(site.files().await.len(), 1, "nothing was claimed for it");

    site.write_key("keys/FACTORY_Y.asc", &right);
    let report = site.run(DATE).await;
    assert_eq!(of(&report, ISSUER, "FACTORY_X").outcome, Outcome::AlreadyDelivered);
    assert_eq!(of(&report, ISSUER, "FACTORY_Y").outcome, Outcome::Delivered, "{report}");
    assert_eq!(report.exit_code(), 0);
    assert_eq!(site.delivered_in("out-FACTORY_Y")[0].cards(), [3002, 3003]);
    assert_eq!(site.delivered_in("out-FACTORY_Y")[0].header.sequence_number, 1);
    assert_eq!(site.names_in("out").len(), 1, "FACTORY_X got nothing twice");
}

#[tokio::test]
async fn r11_an_unusable_zone_key_stops_its_agreement_before_it_is_claimed() {
    let mut site = Site::with_cards(&[3001]).await;
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    site.add("[[key]]\nid = \"zpk-y-1\"\nblock_file = \"keys/zpk-y-1.tr31\"\nkbpk = \"main\"\n");
    site.edit("code = \"FACTORY_Y\"\npin_keys = [\"zpk-x-1\"]", "code = \"FACTORY_Y\"\npin_keys = [\"zpk-y-1\"]");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y)]).await;
    let plan = site.plan(DATE).await;
    let report = site.run(DATE).await;
    assert_eq!(of(&report, ISSUER, "FACTORY_X").outcome, Outcome::Delivered, "{report}");
    assert_eq!(of(&report, ISSUER, "FACTORY_Y").outcome, Outcome::Stopped, "{report}");
    assert_eq!(report.total().held, BTreeMap::from([("KEY_UNUSABLE", 1)]));
    assert_eq!((report.exit_code(), site.files().await.len()), (1, 1));
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 1, "no PIN was made for it");
    assert_eq!(plan.agreements[1].expectation, Expectation::Stopped, "the plan says so too");
}

#[tokio::test]
async fn r12_nothing_due_makes_no_file_and_uses_no_number() {
    let site = Site::with_cards(&[]).await;
    let report = site.run(DATE).await;
    assert_eq!(only(&report).outcome, Outcome::NothingDue, "the agreement is listed, with 0");
    assert_eq!((report.exit_code(), report.arithmetic().selected), (0, 0));
    assert!(site.names_in("out").is_empty() && site.files().await.is_empty());

    site.take("2026-11-21T10:00:00Z", &[card(3001, 1001)]).await;
    site.run(NEXT).await;
    assert_eq!(site.delivered()[0].header.sequence_number, 1);
}

#[tokio::test]
async fn r12_emit_empty_makes_an_empty_file_with_the_next_number() {
    let site = Site::with_cards(&[]).await;
    site.edit("include_phone = true", "include_phone = true\nemit_empty = true");
    let report = site.run(DATE).await;
    assert_eq!((only(&report).outcome, report.exit_code()), (Outcome::Delivered, 0), "{report}");
    let file = &site.delivered()[0];
    assert_eq!((file.header.sequence_number, file.header.number_of_records), (1, 0));
    assert_eq!((file.records.len(), file.trailer.number_of_records), (0, 0));
    assert_eq!(file.name, "TST_246001_FACTORY_X_20261121T030000Z_000001_0_V2.xml.pgp");
}

#[tokio::test]
async fn fault_26_more_bad_records_than_number_and_share_stop_the_agreement() {
    // 3 of 4 are bad: over 2 and over 20 %; with a limit of 3 they are not over the number.
    for (most, stops) in [(2, true), (3, false)] {
        let site = Site::with_cards(&[3001]).await;
        site.edit("include_phone = true", &format!("include_phone = true\nmax_bad_records = {most}"));
        let bad = |number| with(card(number, 1001), json!({"body": {"embossing": {"firstName": "Šárka"}}}));
        site.take(ORDERED, &[bad(3002), bad(3003), bad(3004)]).await;
        let report = site.run(DATE).await;
        assert!(report.arithmetic().adds_up() && report.arithmetic().selected == 4, "{report}");
        if stops {
            assert_eq!((only(&report).outcome, report.exit_code()), (Outcome::Stopped, 1));
            assert_eq!(report.total().held, BTreeMap::from([("TOO_MANY_BAD_RECORDS", 4)]));
            assert!(site.files().await.is_empty());
            // After the repair the same date runs it.
            site.edit("max_bad_records = 2", "max_bad_records = 100");
            let report = site.run(DATE).await;
            assert_eq!((only(&report).outcome, report.arithmetic().delivered), (Outcome::Delivered, 1), "{report}");
        } else {
            assert_eq!((only(&report).outcome, report.exit_code()), (Outcome::Delivered, 0));
            assert_eq!(site.delivered()[0].cards(), [3001]);
        }
    }
}

#[tokio::test]
async fn r139_a_plan_decides_the_same_and_writes_nothing() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.take(ORDERED, &[with(card(3003, 1001), json!({"body": {"pinStatus": "W"}}))]).await;
    let night = site.open_for(DATE).await;
    let (rows, spool) = (site.row_counts().await, site.names_in("spool"));
    let bytes = || ["emboss.db", "emboss.db-wal"].map(|name| std::fs::read(site.path(name)).unwrap_or_default());
    let database = bytes();
    let plastics = site.texts("SELECT status || plastic_id FROM plastic ORDER BY plastic_id").await;
    let plan = night.plan(&night_of(DATE)).await.unwrap();
    assert_eq!((plan.total().selected, plan.total().producing()), (3, 2));
    assert_eq!(plan.total().held, BTreeMap::from([("HELD_PIN_WAIT", 1)]));
    let finding = &plan.findings[0];
    assert_eq!((finding.card_id.get(), finding.code.as_str(), finding.age_days), (3003, "HELD_PIN_WAIT", 0));
    assert_eq!(plan.to_json()["exitCode"], 0);

    assert!(bytes() == database, "not a byte of the database has changed");
    assert_eq!(site.row_counts().await, rows, "no claim, no PIN, no number, no run");
    assert_eq!(site.texts("SELECT status || plastic_id FROM plastic ORDER BY plastic_id").await, plastics);
    assert_eq!(site.names_in("spool"), spool);
    assert!(site.names_in("out").is_empty());
    let report = site.run(DATE).await;
    assert_eq!(report.total(), plan.total(), "the run decides what the plan said");
}

#[tokio::test]
async fn r140_on_demand_by_card_and_the_night_does_not_repeat_it() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.take(ORDERED, &[with(card(3003, 1001), json!({"body": {"pinStatus": "W"}}))]).await;
    let report = site.run_now("2026-11-20T15:30:00Z", &[3001, 3003]).await;
    assert_eq!(report.to_json()["kind"], "ON_DEMAND");
    assert_eq!(report.total().held, BTreeMap::from([("HELD_PIN_WAIT", 1)]), "W holds on demand too");
    assert_eq!((report.arithmetic().selected, report.exit_code()), (2, 0), "the card that was not asked for is not");
    assert_eq!(site.delivered()[0].cards(), [3001]);
    assert_eq!(site.delivered()[0].name, "TST_246001_FACTORY_X_20261120T153000Z_000001_1_V2.xml.pgp");
    assert_eq!(site.status(3002).await, "INACTIVE");

    let report = site.run(DATE).await;
    assert_eq!((report.arithmetic().selected, report.arithmetic().delivered), (2, 1));
    assert_eq!(site.delivered()[1].cards(), [3002]);
    assert_eq!(site.delivered()[1].header.sequence_number, 2, "one row of numbers for both (A24)");
}

/// R136, R140: what an on-demand run could not deliver, the night delivers first, and once.
#[tokio::test]
async fn r140_r136_an_on_demand_file_that_was_refused_goes_before_the_nights() {
    let site = Site::with_cards(&[3001, 3002]).await;
    std::fs::rename(site.path("out"), site.path("away")).unwrap();
    let now = "2026-11-20T15:30:00Z";
    let report = site.run_now(now, &[3002]).await;
    assert_eq!((report.exit_code(), only(&report).outcome), (1, Outcome::Unfinished), "{report}");
    std::fs::rename(site.path("away"), site.path("out")).unwrap();
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), report.resumed.len()), (0, 1), "{report}");
    let sum = report.arithmetic();
    assert_eq!((sum.selected, sum.delivered), (1, 1), "the resumed file is counted apart: {report}");
    let files: Vec<_> = site.delivered().iter().map(|file| (file.header.sequence_number, file.cards())).collect();
    assert_eq!(files, [(1, vec![3002]), (2, vec![3001])]);
}

/// Filters limit what is claimed, and what is resumed.
#[tokio::test]
async fn r140_filters_limit_what_is_claimed_and_what_is_resumed() {
    let mut site = Site::with_cards(&[3001]).await;
    site.one_at_a_time();
    site.add_institution("246002", "40000056");
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    site.add_agreement("246002", "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y.clone())]).await;
    let second: Vec<_> = person(1001)
        .into_iter()
        .chain([with(card(3003, 1001), to_y)])
        .map(|order| with(order, json!({"institutionId": "246002"})))
        .collect();
    site.take(ORDERED, &second).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "seal", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    assert_eq!(site.states().await, ["SEALED"], "that of {ISSUER} with FACTORY_X");

    let filtered = |institutions: &[&str], manufacturers: &[&str]| RunOrder {
        institutions: institutions.iter().map(|id| id.parse().unwrap()).collect(),
        manufacturers: manufacturers.iter().map(|code| code.parse().unwrap()).collect(),
        ..night_of(DATE)
    };
    let night = site.open_for(DATE).await;
    let report = night.run(&filtered(&["246002"], &[])).await.unwrap();
    assert_eq!((report.agreements.len(), report.arithmetic().selected, report.exit_code()), (1, 1, 0), "{report}");
    assert_eq!((site.status(3003).await, site.status(3002).await), ("ACTIVE".into(), "INACTIVE".into()));
    let report = night.run(&filtered(&[], &["FACTORY_Y"])).await.unwrap();
    assert_eq!((report.arithmetic().selected, report.exit_code()), (1, 0), "{report}");
    assert_eq!(site.status(3002).await, "ACTIVE");
    assert!(site.names_in("out").is_empty(), "FACTORY_X's file was not resumed");
    let report = night.run(&filtered(&[], &[])).await.unwrap();
    assert_eq!((report.arithmetic().selected, report.exit_code()), (1, 0), "{report}");
    assert_eq!(site.delivered()[0].cards(), [3001]);
}

#[tokio::test]
async fn r36_s_without_a_pin_is_held_and_never_gets_a_random_one() {
    let site = Site::with_cards(&[]).await;
    site.take(ORDERED, &[card(3001, 1001), update_card(3001, json!({"pinStatus": "S"}))]).await;
    let report = site.run(DATE).await;
    assert_eq!(report.total().held, BTreeMap::from([("PIN_NOT_AVAILABLE", 1)]));
    assert_eq!((site.number("SELECT COUNT(*) FROM pin").await, site.files().await.len()), (0, 0));
}

#[tokio::test]
async fn fault_28_a_date_that_is_done_tells_its_files_again_and_takes_nothing_new() {
    let site = Site::with_cards(&[3001]).await;
    let first = site.run(DATE).await;
    // Marked before the cut-off, entered after the night.
    site.take(ORDERED, &[card(3002, 1001)]).await;
    let second = site.run(DATE).await;
    assert_eq!((only(&second).outcome, second.exit_code()), (Outcome::AlreadyDelivered, 0), "{second}");
    let (told, again) = (only_file(&first), only_file(&second));
    assert_eq!((&told.file_name, &told.sha256), (&again.file_name, &again.sha256));
    assert_eq!(again.sha256.as_deref(), Some(&*sha256(&site.delivered()[0].sealed)), "of the bytes that arrived");
    assert_eq!((site.names_in("out").len(), site.status(3002).await), (1, "INACTIVE".into()));
    site.run(NEXT).await;
    assert_eq!(site.delivered()[1].cards(), [3002]);
}
