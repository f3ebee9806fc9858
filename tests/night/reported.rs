//! What a run says: the arithmetic, the report's shape, alerts, and when it refuses to begin.

use std::sync::Arc;

use emboss::ambient::FixedClock;
use emboss::night::NightError;
use emboss::report::Outcome;
use serde_json::json;

use crate::site::{DATE, NEXT, ORDERED, Site, at, card, night_of, only, update_card, with};
use crate::tripwire::{Tripwire, When};

/// One of each: a record, a hold, bad data, an exclusion, a request closed without a record.
async fn mixed() -> Site {
    let site = Site::with_cards(&[]).await;
    let electronic = json!({"body": {"pinDeliveryType": "EPIN"}});
    site.take("2026-11-19T10:00:00Z", &[with(card(3004, 1001), electronic)]).await;
    site.run("2026-11-20").await;
    site.take(
        ORDERED,
        &[
            card(3001, 1001),
            with(card(3002, 1001), json!({"body": {"pinStatus": "W"}})),
            card(3003, 1001),
            update_card(3003, json!({"status": "CARD_CLOSED"})),
            with(card(3005, 1001), json!({"body": {"embossing": {"firstName": "Šárka"}}})),
        ],
    )
    .await;
    site.reorder_pin(3004, ORDERED).await;
    site
}

#[tokio::test]
async fn r143_selected_is_delivered_and_undelivered_and_held_and_excluded_and_closed() {
    let site = mixed().await;
    let report = site.run(DATE).await;
    let sum = report.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.held, sum.excluded, sum.closed), (5, 1, 2, 1, 1), "{report}");
    assert!(sum.adds_up() && sum.undelivered.is_empty());
    assert!(report.to_string().contains("5 selected = 1 delivered + 2 held + 1 excluded + 1 closed: adds up."));
    assert_eq!(report.exit_code(), 0, "a held or excluded card alone is exit 0");
    let closed = site.texts("SELECT reason FROM production_request WHERE state = 'CLOSED'").await;
    assert_eq!(closed, ["NOTHING_TO_PRINT"], "R27");
    // Held and excluded ones come again, closed ones do not (R54).
    let sum = site.run(NEXT).await.arithmetic();
    assert_eq!((sum.selected, sum.held, sum.excluded, sum.closed), (3, 2, 1, 0));
}

#[tokio::test]
async fn r143_the_report_has_the_shape_of_the_contract() {
    let site = mixed().await;
    let report = site.run(DATE).await.to_json();
    let file = &site.delivered()[1];
    let run_id = site.texts("SELECT run_id FROM run ORDER BY epoch DESC LIMIT 1").await.remove(0);
    let said = |pointer: &str| report.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing: {report:#}"));
    for (pointer, expected) in [
        ("/command", json!("run")),
        ("/runId", json!(run_id)),
        ("/kind", json!("NIGHT")),
        ("/businessDate", json!(DATE)),
        ("/cutOff", json!("2026-11-21T03:00:00Z")),
        ("/startedAt", json!("2026-11-21T03:00:04Z")),
        ("/endedAt", json!("2026-11-21T03:00:04Z")),
        ("/crypto", json!("software")),
        ("/selected", json!(5)),
        ("/delivered", json!(1)),
        ("/undelivered", json!({"byState": {}})),
        ("/held", json!({"total": 2, "byReason": {"HELD_PIN_WAIT": 1, "CHARSET": 1}})),
        ("/excluded", json!({"total": 1, "byReason": {"CARD_STATUS_FINAL": 1}})),
        ("/closed", json!(1)),
        ("/addsUp", json!(true)),
        ("/agreements/0/institution", json!("246001")),
        ("/agreements/0/manufacturer", json!("FACTORY_X")),
        ("/agreements/0/outcome", json!("DELIVERED")),
        ("/agreements/0/reason", json!(null)),
        ("/agreements/0/selected", json!(5)),
        ("/agreements/0/held", json!(2)),
        ("/agreements/0/excluded", json!(1)),
        ("/agreements/0/files/0/fileId", json!(file.header.file_id.to_string())),
        ("/agreements/0/files/0/fileName", json!(file.name)),
        ("/agreements/0/files/0/sequenceNumber", json!(2)),
        ("/agreements/0/files/0/state", json!("SETTLED")),
        ("/agreements/0/files/0/records", json!(1)),
        ("/agreements/0/files/0/cards", json!(1)),
        ("/agreements/0/files/0/pinOnly", json!(0)),
        ("/agreements/0/files/0/byProductionEvent", json!({"NCRD": 1})),
        ("/agreements/0/files/0/sha256", json!(crate::site::sha256(&file.sealed))),
        ("/agreements/0/files/0/sizeBytes", json!(file.sealed.len())),
        ("/alerts", json!([])),
        ("/exitCode", json!(0)),
    ] {
        assert_eq!(said(pointer), &expected, "{pointer}");
    }
    let durations = said("/agreements/0/files/0/durationsMs").as_object().unwrap();
    assert_eq!(durations.keys().collect::<Vec<_>>(), ["claim", "deliver", "pins", "seal", "settle"]);
    let kept = site.texts("SELECT report FROM run ORDER BY epoch DESC LIMIT 1").await.remove(0);
    let mut kept = serde_json::from_str::<serde_json::Value>(&kept).unwrap();
    assert_eq!(kept.get("auditHead"), None, "the entry with its digest is older than the head");
    kept["auditHead"] = said("/auditHead").clone();
    assert_eq!(kept, report, "and it is kept as it was said");
}

#[tokio::test]
async fn r133_a_second_run_exits_4_names_the_holder_and_does_nothing() {
    let site = Site::with_cards(&[3001]).await;
    let first = site.open_for(DATE).await;
    let lock = first.store.lock("host-9 process 4711").await.unwrap();
    let rows = site.row_counts().await;
    let second = site.open_for(DATE).await;
    let error = site.run_fails(&second, DATE).await;
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("host-9 process 4711"), "{error}");
    assert_eq!(site.row_counts().await, rows, "no side effect");
    assert!(site.names_in("out").is_empty());
    drop(lock);
    assert_eq!(second.run(&night_of(DATE)).await.unwrap().exit_code(), 0);
}

/// Fault 24: five minutes are allowed, a second more is not, in either direction.
#[tokio::test]
async fn fault_24_clocks_that_differ_by_more_than_five_minutes_are_refused() {
    for (host, refused) in [
        ("2026-11-21T03:05:04Z", false),
        ("2026-11-21T03:05:05Z", true),
        ("2026-11-21T02:55:04Z", false),
        ("2026-11-21T02:55:03Z", true),
    ] {
        let site = Site::with_cards(&[3001]).await;
        let mut night = site.open_for(DATE).await;
        night.clock = Arc::new(FixedClock(at(host)));
        if refused {
            let error = site.run_fails(&night, DATE).await;
            assert!(matches!(error, NightError::ClockSkew { seconds: 301, most_seconds: 300 }), "{host}: {error}");
            assert_eq!((error.exit_code(), site.files().await.len()), (3, 0));
            assert_eq!(site.number("SELECT COUNT(*) FROM run").await, 0);
        } else {
            assert_eq!(night.run(&night_of(DATE)).await.unwrap().exit_code(), 0, "{host}");
        }
    }
}

/// A virtual plastic that was marked by mistake (R5): an alert every night, but it needs a person only once.
#[tokio::test]
async fn r5_a_new_alert_sets_exit_1_and_the_same_one_the_night_after_does_not() {
    let site = Site::with_cards(&[3001]).await;
    site.mark_plastic(3001, "NVRT", ORDERED).await;
    let codes = |report: &emboss::report::Report| {
        report.alerts.iter().map(|alert| (alert.code.clone(), alert.is_new)).collect::<Vec<_>>()
    };
    let first = site.run(DATE).await;
    assert_eq!((codes(&first), first.exit_code()), (vec![("VIRTUAL_EVENT".to_owned(), true)], 1), "{first}");
    assert_eq!(site.delivered()[0].cards(), [3001], "the physical one goes all the same");
    // Neither looking at a date that is done, nor an on-demand run, nor a run that died makes it new again.
    assert_eq!(site.run(DATE).await.exit_code(), 0);
    site.take("2026-11-21T10:00:00Z", &[card(3002, 1001)]).await;
    assert_eq!(site.run_now("2026-11-21T12:00:00Z", &[3002]).await.exit_code(), 0);
    let mut dying = site.open_for(NEXT).await;
    dying.store = Tripwire::at(dying.store, "claim", When::Before);
    site.run_fails(&dying, NEXT).await;
    drop(dying);
    let second = site.run(NEXT).await;
    assert_eq!((codes(&second), second.exit_code()), (vec![("VIRTUAL_EVENT".to_owned(), false)], 0), "{second}");

    site.take("2026-11-22T10:00:00Z", &[card(3003, 1001)]).await;
    site.mark_plastic(3003, "NVRT", "2026-11-22T10:00:00Z").await;
    let third = site.run("2026-11-23").await;
    assert_eq!((third.exit_code(), third.alerts.len()), (1, 2), "another card's is new: {third}");
}

/// Fault 25 and R2: nights were missed; the next run takes everything that is due.
#[tokio::test]
async fn fault_25_the_next_run_takes_what_missed_nights_left() {
    let site = Site::with_cards(&[3001]).await;
    site.take("2026-11-22T10:00:00Z", &[card(3002, 1001)]).await;
    let report = site.run("2026-11-24").await;
    assert_eq!((report.exit_code(), site.delivered()[0].cards()), (0, vec![3001, 3002]));
    let missed = site.run(DATE).await;
    assert_eq!((only(&missed).outcome, missed.exit_code()), (Outcome::NothingDue, 0), "{missed}");
}
