//! R143: the arithmetic of a run, and what makes it a matter for a person.

use super::*;
use crate::card::FileId;

const SHA256: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn counts(of: &[(&'static str, u64)]) -> BTreeMap<&'static str, u64> {
    of.iter().copied().collect()
}

fn file(number: u64, state: FileState, records: u64) -> FileReport {
    FileReport {
        file_id: FileId(uuid::Uuid::from_u128(number.into())),
        file_name: Some(format!("EMB_246001_HOUSE_20261121T030000Z_{number:06}_{records}_V2.xml.pgp")),
        sequence_number: number,
        state,
        records,
        cards: records,
        pin_only: 0,
        by_production_event: [("NCRD".to_owned(), records)].into(),
        sha256: Some(SHA256.into()),
        size_bytes: Some(2000),
        durations_ms: [("deliver", 12)].into(),
        file_type: FileType::Normal,
        resend_of: None,
        delivery_number: 1,
        abandoned: false,
        trouble: None,
    }
}

fn agreement(house: &str, outcome: Outcome, tally: Tally, files: Vec<FileReport>) -> AgreementReport {
    AgreementReport {
        institution: "246001".parse().unwrap(),
        manufacturer: house.parse().unwrap(),
        outcome,
        reason: None,
        tally,
        resumed_items: 0,
        files,
    }
}

/// Ten selected: four produced, two held, three excluded, one closed.
fn tally() -> Tally {
    Tally {
        selected: 10,
        produced: counts(&[("NCRD", 4)]),
        held: counts(&[("HELD_PIN_WAIT", 2)]),
        excluded: counts(&[("CARD_STATUS_FINAL", 1), ("PHYSICAL_FALSE", 2)]),
        closed: counts(&[("NOTHING_TO_PRINT", 1)]),
        ..Tally::default()
    }
}

fn report(agreements: Vec<AgreementReport>) -> Report {
    Report {
        command: "run",
        run_id: RunId(uuid::Uuid::from_u128(7)),
        kind: RunKind::Night,
        business_date: "2026-11-21".parse().unwrap(),
        cut_off: at("2026-11-21T03:00:00Z"),
        filtered: false,
        started_at: at("2026-11-21T03:00:01Z"),
        ended_at: at("2026-11-21T03:00:09Z"),
        crypto: "software",
        renewals: Vec::new(),
        agreements,
        unrouted: Tally::default(),
        resumed: Vec::new(),
        alerts: Vec::new(),
        audit_head: None,
    }
}

fn settled() -> Report {
    report(vec![agreement("HOUSE", Outcome::Delivered, tally(), vec![file(1, FileState::Settled, 4)])])
}

#[test]
fn r143_selected_is_delivered_undelivered_held_excluded_and_closed() {
    let mut report = settled();
    assert_eq!((report.arithmetic().adds_up(), report.exit_code()), (true, 0));
    // Cards that no agreement takes are part of the sum.
    report.unrouted = Tally { selected: 3, held: counts(&[("MANUFACTURER_UNKNOWN", 3)]), ..Tally::default() };
    let arithmetic = report.arithmetic();
    assert_eq!((arithmetic.selected, arithmetic.held), (13, 5));
    assert_eq!(arithmetic.to_string(), "13 selected = 4 delivered + 5 held + 3 excluded + 1 closed: adds up.");
}

#[test]
fn r143_a_record_too_few_or_too_many_is_told_and_ends_with_1() {
    for records in [3, 5] {
        let mut report = settled();
        report.agreements[0].files[0].records = records;
        assert_eq!((report.arithmetic().adds_up(), report.exit_code()), (false, 1), "{records}");
        assert_eq!(report.to_json()["addsUp"], false);
        assert!(report.to_string().contains("DOES NOT ADD UP"), "{report}");
    }
}

#[test]
fn r143_what_has_not_reached_the_house_is_counted_by_state() {
    let files = vec![file(1, FileState::Published, 1), file(2, FileState::Ready, 2), file(3, FileState::Uncertain, 1)];
    let report = report(vec![agreement("HOUSE", Outcome::Unfinished, tally(), files)]);
    let arithmetic = report.arithmetic();
    assert_eq!((arithmetic.delivered, arithmetic.undelivered.clone()), (1, counts(&[("READY", 2), ("UNCERTAIN", 1)])));
    assert_eq!((arithmetic.adds_up(), report.exit_code()), (true, 1), "a file that is on its way is no finished night");
}

#[test]
fn r143_an_earlier_trys_records_count_and_those_of_a_night_done_before_do_not() {
    let mut resumed = agreement("HOUSE", Outcome::Delivered, tally(), vec![file(1, FileState::Settled, 9)]);
    resumed.resumed_items = 5;
    let before =
        agreement("OTHER", Outcome::AlreadyDelivered, Tally::default(), vec![file(8, FileState::Settled, 100)]);
    let report = report(vec![resumed, before]);
    let arithmetic = report.arithmetic();
    assert_eq!((arithmetic.selected, arithmetic.delivered, arithmetic.adds_up()), (15, 9, true));
}

#[test]
fn r143_r13_an_alert_ends_with_1_on_the_run_that_learns_of_it_only() {
    let mut report = settled();
    report.alerts = vec![Alert::new("DUPLICATE_MARKED", "card 3001 has two marked plastics")];
    assert_eq!(report.exit_code(), 1);
    report.alerts[0].is_new = false;
    assert_eq!(report.exit_code(), 0);
    assert_eq!(report.to_json()["alerts"][0]["code"], "DUPLICATE_MARKED");
}

#[test]
fn r143_the_summary_has_run_files_counts_reasons_and_digest() {
    let json = settled().to_json();
    assert_eq!(json["runId"], "00000000-0000-0000-0000-000000000007");
    assert_eq!((&json["cutOff"], &json["kind"]), (&"2026-11-21T03:00:00Z".into(), &"NIGHT".into()));
    assert_eq!(json["held"], json!({ "total": 2, "byReason": { "HELD_PIN_WAIT": 2 } }));
    assert_eq!(json["excluded"]["byReason"], json!({ "CARD_STATUS_FINAL": 1, "PHYSICAL_FALSE": 2 }));
    let file = &json["agreements"][0]["files"][0];
    assert_eq!(file["fileName"], "EMB_246001_HOUSE_20261121T030000Z_000001_4_V2.xml.pgp");
    assert_eq!((&file["sequenceNumber"], &file["sha256"]), (&1.into(), &SHA256.into()));
    assert_eq!(
        (&file["byProductionEvent"], &file["fileId"]),
        (&json!({ "NCRD": 4 }), &json!("00000000-0000-0000-0000-000000000001"))
    );
    assert_eq!(file["durationsMs"], json!({ "deliver": 12 }));
}
