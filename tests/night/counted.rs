//! What a resumed run counts, cards that fall out behind the claim, tries that are told, nights that were missed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::agreement::Terms;
use emboss::delivery::{DeliveryError, Remote, Step};
use emboss::night::{Outbound, Patience, RunOrder};
use emboss::report::Outcome;
use emboss::seal::Sealer;
use emboss::selection::Reason;
use emboss::settlement::FileState;
use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{DATE, ISSUER, NEXT, ORDERED, Site, card, night_of, of, only, only_file, sha256, update_card, with};
use crate::tripwire::{Tripwire, When};

async fn die(site: &Site, date: &str, step: &str, when: When) {
    let mut night = site.open_for(date).await;
    night.store = Tripwire::at(night.store, step, when);
    site.run_fails(&night, date).await;
}

/// contracts.md, Selected: OPEN when the run begins, or in an unfinished file of this date. 3002 was held by the try
/// that died; 3003 was imported since, with a mark of before the cut-off.
#[tokio::test]
async fn r143_a_resumed_run_counts_what_was_held_and_what_came_since() {
    let site = Site::with_cards(&[3001]).await;
    site.take(ORDERED, &[with(card(3002, 1001), json!({"body": {"pinStatus": "W"}}))]).await;
    die(&site, DATE, "complete", When::Before).await;
    site.take(ORDERED, &[card(3003, 1001)]).await;
    let report = site.run(DATE).await;
    let sum = report.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.held, sum.adds_up()), (3, 1, 2, true), "{report}");
    let held = report.total().held;
    assert_eq!((held.get("HELD_PIN_WAIT"), held.get("WAITING_FOR_NEXT_NIGHT")), (Some(&1), Some(&1)), "{report}");
    assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{report}");
    let next = site.run(NEXT).await;
    assert_eq!((next.arithmetic().delivered, site.delivered()[1].cards()), (1, vec![3003]), "{next}");
}

/// The same with two agreements, files of two, a card that falls out, and one file settled by the try that died.
#[tokio::test]
async fn r143_a_resumed_run_adds_up_over_agreements_files_and_fallouts() {
    let mut site = Site::with_cards(&[3001, 3002, 3003, 3004, 3005]).await;
    site.one_at_a_time();
    site.edit("include_phone = true", "include_phone = true\nmax_records_per_file = 2");
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3006, 1001), to_y)]).await;
    die(&site, DATE, "settle", When::After).await;
    let settled = site.states().await.iter().filter(|state| *state == "SETTLED").count();
    assert_eq!(settled, 1, "the first of three files");
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id = 3006").await;
    let report = site.run(DATE).await;
    let sum = report.arithmetic();
    // 3003, 3004 and 3005 of the first agreement's files that were left, 3006 of the second, which falls out.
    assert_eq!((sum.selected, sum.delivered, sum.held, sum.adds_up()), (4, 3, 1, true), "{report}");
    assert_eq!(of(&report, ISSUER, "FACTORY_X").files.len(), 2);
    assert_eq!(of(&report, ISSUER, "FACTORY_Y").outcome, Outcome::Delivered);
}

/// A file of an earlier date whose card falls out stands beside this date's arithmetic.
#[tokio::test]
async fn r143_what_falls_out_of_an_earlier_dates_file_is_not_in_this_dates_sum() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.run(NEXT).await;
    site.take("2026-11-22T10:00:00Z", &[card(3003, 1001), card(3004, 1001)]).await;
    let now = "2026-11-22T12:00:00Z";
    let mut night = site.open(now).await;
    night.store = Tripwire::at(night.store, "claim", When::After);
    night.run(&crate::site::on_demand(now, &[])).await.expect_err("it dies");
    drop(night);
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id = 3004").await;
    let report = site.open("2026-11-22T13:00:00Z").await.run(&night_of(NEXT)).await.unwrap();
    assert_eq!((report.resumed.len(), report.resumed[0].records), (1, 1), "{report}");
    assert!(report.arithmetic().adds_up(), "{report}");
}

/// Fault 26 behind the claim: with more bad cards than the agreement allows none leaves the file, and it does not go.
#[tokio::test]
async fn fault_26_too_many_cards_that_cannot_be_made_keep_their_file_back() {
    let site = Site::with_cards(&[3001, 3002, 3003, 3004, 3005]).await;
    site.edit("include_phone = true", "include_phone = true\nmax_bad_records = 1");
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id IN (3002, 3004)").await;
    let report = site.run(DATE).await;
    let why = only(&report).reason.as_deref().unwrap();
    assert!(why.contains("TOO_MANY_BAD_RECORDS") && why.contains("2 of 5"), "{report}");
    assert_eq!((only_file(&report).state, only(&report).outcome), (FileState::Claimed, Outcome::Unfinished));
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
    assert_eq!(report.to_json()["undelivered"], json!({"byState": {"CLAIMED": 5}}), "nobody left it");
    assert!(site.names_in("out").is_empty() && site.events("item.released").await.is_empty());
    // Mended, the same date sends all of them.
    site.sql("UPDATE plastic SET cvv_key = 'cvk-1'").await;
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), site.delivered()[0].cards().len()), (0, 5), "{report}");
}

/// What had fallen out when the run died still counts: else each try could let a fifth of the rest go.
#[tokio::test]
async fn fault_26_what_fell_out_before_a_crash_still_counts() {
    let cards: Vec<u32> = (3001..=3010).collect();
    let site = Site::with_cards(&cards).await;
    site.edit("include_phone = true", "include_phone = true\nmax_bad_records = 1");
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id IN (3001, 3002)").await;
    die(&site, DATE, "release", When::After).await;
    assert_eq!(site.events("item.released").await.len(), 2, "2 of 10 are not more than a fifth");
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id = 3003").await;
    let report = site.run(DATE).await;
    let why = only(&report).reason.as_deref().unwrap();
    assert!(why.contains("3 of 10"), "{report}");
    assert_eq!((only_file(&report).state, site.names_in("out").len()), (FileState::Claimed, 0));
    assert!(report.arithmetic().adds_up(), "{report}");
}

/// One alert for each reason and file, with the number and the first five.
#[tokio::test]
async fn cards_that_fall_out_for_one_reason_are_one_alert() {
    let cards: Vec<u32> = (3001..=3008).collect();
    let site = Site::with_cards(&cards).await;
    site.sql("UPDATE plastic SET cvv_key = 'gone' WHERE card_id < 3008").await;
    let report = site.run(DATE).await;
    let [alert] = &report.alerts[..] else { panic!("{report}") };
    assert!(alert.code == "CRYPTO_UNAVAILABLE" && alert.text.starts_with("7 cards fell out of file"), "{report}");
    assert!(alert.text.contains("and 2 more"), "{report}");
    assert_eq!(site.delivered()[0].cards(), [3008]);
}

/// The lines of the journal as a program without facts, or one that died before the line, left them.
fn rewrite_journal(site: &Site, line: impl Fn(&str) -> Option<String>) {
    let path = site.path("spool/journal");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: String = text.lines().filter_map(line).map(|line| line + "\n").collect();
    std::fs::write(path, kept).unwrap();
}

async fn spooled(site: &Site) -> String {
    let name = site.names_in("spool").into_iter().find(|name| name.ends_with(".pgp")).expect("sealed");
    sha256(&std::fs::read(site.path("spool").join(name)).unwrap())
}

/// Fault 3: with the line the bytes are taken; without it, or where it says nothing of them, they are made again.
#[tokio::test]
async fn fault_3_the_line_decides_whether_sealed_bytes_are_taken() {
    for (case, taken) in [("facts", true), ("old line", false), ("no line", false), ("changed", false)] {
        let site = Site::with_cards(&[3001, 3002]).await;
        die(&site, DATE, "seal", When::Before).await;
        assert_eq!(site.states().await, ["CLAIMED"]);
        let bytes = spooled(&site).await;
        match case {
            "old line" => {
                rewrite_journal(&site, |line| Some(line.split(' ').take(5).collect::<Vec<_>>().join(" ")));
            }
            "no line" => rewrite_journal(&site, |_| None),
            "changed" => {
                let name = site.names_in("spool").into_iter().find(|name| name.ends_with(".pgp")).unwrap();
                std::fs::write(site.path("spool").join(name), b"other bytes").unwrap();
            }
            _ => {}
        }
        // What was sealed needs no key any more; what is made again does.
        if taken {
            site.write_key("keys/factory-x.asc", b"no key at all");
        }
        let report = site.run(DATE).await;
        assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{case}: {report}");
        let file = &site.delivered()[0];
        assert_eq!(sha256(&file.sealed) == bytes, taken, "{case}");
        assert_eq!((file.cards(), only_file(&report).records, only_file(&report).cards), (vec![3001, 3002], 2, 2));
        assert_eq!(only_file(&report).by_production_event, [("NCRD".to_owned(), 2)].into(), "{case}");
        let fingerprints = "SELECT COUNT(*) FROM file WHERE json_array_length(key_fingerprints) = 2";
        assert_eq!(site.number(fingerprints).await, 1, "{case}");
        let left = site.names_in("spool").iter().filter(|name| name.ends_with(".pgp")).count();
        assert_eq!(left, 1, "{case}: no orphan stays");
    }
}

/// Claimed again for a later night, the file is another one although its id and its number of cards are the same.
#[tokio::test]
async fn fault_3_bytes_of_an_earlier_claim_are_not_taken_for_a_later_one() {
    let site = Site::with_cards(&[3001, 3002]).await;
    die(&site, DATE, "seal", When::Before).await;
    site.take("2026-11-21T10:00:00Z", &[card(3003, 1001), update_card(3002, json!({"status": "CARD_STOLEN"}))]).await;
    die(&site, NEXT, "claim", When::After).await;
    let report = site.run(NEXT).await;
    assert_eq!(site.delivered()[0].cards(), [3001, 3003], "{report}");
    assert_eq!((site.status(3002).await, site.status(3003).await), ("INACTIVE".into(), "ACTIVE".into()));
}

/// R136: every failed try is an event, also one that came no further than the connection.
#[tokio::test]
async fn r136_failed_tries_are_events_with_attempt_phase_and_class() {
    for (step, attempts, phase) in [(Step::Connect, [0, 0], "connect"), (Step::Write, [1, 2], "write")] {
        let site = Site::with_cards(&[3001]).await;
        let mut night = site.open_for(DATE).await;
        Rigged::into(&mut night, Trick::Lose(step, 2), None, &site.path("out"));
        assert_eq!(night.run(&night_of(DATE)).await.unwrap().exit_code(), 0);
        let told = site.events("delivery.failed").await;
        let told: Vec<_> = told
            .iter()
            .map(|event| {
                (event["try"].as_u64(), event["attempt"].as_u64(), event["phase"].clone(), event["class"].clone())
            })
            .collect();
        let expected =
            [1, 2].map(|tried| (Some(tried), Some(attempts[tried as usize - 1]), json!(phase), json!("RETRY")));
        assert_eq!(told, expected, "{step}");
    }
}

/// A house with the patience of no time at all.
#[derive(Debug)]
struct NoTime(Arc<dyn Outbound>);

impl Outbound for NoTime {
    fn sealer(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Arc<Sealer>, Reason> {
        self.0.sealer(terms, at)
    }

    fn connect(&self, terms: &Terms) -> Result<Box<dyn Remote>, DeliveryError> {
        self.0.connect(terms)
    }

    fn patience(&self, terms: &Terms) -> Patience {
        Patience { whole: Duration::ZERO, ..self.0.patience(terms) }
    }
}

/// R136: once the time of all tries is over no other one begins, however many are left.
#[tokio::test]
async fn r136_no_try_begins_behind_the_budget_of_the_night() {
    let site = Site::with_cards(&[3001]).await;
    let mut night = site.open_for(DATE).await;
    let rigged = Rigged::into(&mut night, Trick::Lose(Step::Connect, 99), None, &site.path("out"));
    night.outbound = Arc::new(NoTime(Arc::clone(&night.outbound)));
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!((rigged.calls(), report.exit_code()), (vec!["connect".to_owned()], 1), "{report}");
}

/// R134: a night that was not run is told by the next one, however that was started; once.
#[tokio::test]
async fn r134_a_missed_night_is_an_alert_of_the_next() {
    let site = Site::with_cards(&[3001]).await;
    assert!(site.run("2026-11-20").await.alerts.is_empty(), "a first night has missed nothing");
    // Neither a run on demand nor one of some institutions is the night of its date.
    site.run_now("2026-11-21T12:00:00Z", &[]).await;
    let filtered = RunOrder { institutions: vec![ISSUER.parse().unwrap()], ..night_of(DATE) };
    let report = site.open_for(DATE).await.run(&filtered).await.unwrap();
    assert_eq!((report.alerts.len(), report.to_json()["filtered"].clone()), (0, json!(true)), "{report}");
    let report = site.run(NEXT).await;
    let [alert] = &report.alerts[..] else { panic!("{report}") };
    let text = "The night of 2026-11-21 was not run; its cards go with that of 2026-11-22.";
    assert_eq!((alert.code.as_str(), alert.text.as_str(), report.exit_code()), ("MISSED_RUN", text, 1));
    assert_eq!(site.run(NEXT).await.exit_code(), 0, "told once");
    assert!(site.run("2026-11-23").await.alerts.is_empty());
    assert!(site.run(DATE).await.alerts.is_empty(), "made up for, an earlier date has nothing to tell");
    let report = site.run("2026-11-27").await;
    assert!(report.alerts[0].text.starts_with("3 nights from 2026-11-24 to 2026-11-26 were not run"), "{report}");
}

/// Dates without a night by the configured expression are not missed. 2026-11-20 is a Friday.
#[tokio::test]
async fn r134_weekends_are_not_missed_where_there_is_no_night() {
    let site = Site::with_cards(&[3001]).await;
    site.add("[schedule]\ncron = \"0 3 * * 1-5\"");
    site.run("2026-11-20").await;
    assert!(site.run("2026-11-23").await.alerts.is_empty());
}
