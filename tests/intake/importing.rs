use std::io::{self, Write};

use emboss::card::{CustomerId, InstitutionId};
use emboss::intake::{ImportSummary, IntakeError};
use emboss::store::Store;
use serde_json::{Value, json};

use crate::desk::*;

fn id_of(answer: &Value) -> &str {
    answer["id"].as_str().unwrap()
}

#[tokio::test]
async fn every_line_is_answered_in_order_and_a_bad_one_stops_nothing() {
    let desk = Desk::open().await;
    let mut input = Vec::new();
    let first = with(customer("1"), "orderId", json!("first"));
    input.extend_from_slice(format!("\n{first}\n   \n").as_bytes());
    input.extend_from_slice(b"{\"orderId\":\"o\xFF\"}\n");
    input.extend_from_slice(&[b'x'; 65_537]);
    input.extend_from_slice(b"\nnot JSON\n");
    let second = with(customer("0"), "orderId", json!("second"));
    let third = with(customer("3"), "orderId", json!("third"));
    input.extend_from_slice(format!("{second}\r\n{third}").as_bytes());
    let (answers, summary) = desk.bytes(&input).await;
    let shown: Vec<_> = answers
        .iter()
        .map(|answer| (answer["line"].as_u64().unwrap(), answer["orderId"].as_str(), answer["errorCode"].as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (2, Some("first"), None),
            (4, None, Some("NOT_UTF8")),
            (5, None, Some("LINE_TOO_LONG")),
            (6, None, Some("NOT_JSON")),
            (7, Some("second"), Some("FIELD_PATTERN")),
            (8, Some("third"), None),
        ]
    );
    assert_eq!(summary, ImportSummary { taken: 2, repeated: 0, refused: 4 });
    assert_eq!(answers[1].get("orderId"), Some(&Value::Null), "an unreadable order id is null");
}

#[tokio::test]
async fn the_answer_is_the_api_response_and_the_refusal_its_error_object() {
    let desk = Desk::open().await;
    let line = with(customer("1001"), "orderId", json!("o-c"));
    let mut output = Vec::new();
    let twice = format!("{line}\n{}\n", with(customer("1001"), "orderId", json!("o-d")));
    desk.importer().import(twice.as_bytes(), &mut output, &mut |_| {}).await.unwrap();
    let text = String::from_utf8(output).unwrap();
    let (answer, refusal) = text.split_once('\n').unwrap();
    assert_eq!(answer, r#"{"line":1,"orderId":"o-c","description":"Customer created","id":"1001"}"#);
    let refusal: Value = serde_json::from_str(refusal).unwrap();
    uuid::Uuid::parse_str(id_of(&refusal)).unwrap();
    let mut refusal = refusal.as_object().unwrap().clone();
    refusal.remove("id");
    let expected = json!({"line": 2, "orderId": "o-d", "code": "409", "message": "The order is not possible now",
        "errorCode": "ID_IN_USE", "errorType": "DYNAMIC_VALIDATION_ERROR",
        "errorReason": "customer 1001 is there already", "timestamp": "2026-11-20T12:00:00.000Z"});
    assert_eq!(Value::from(refusal), expected);
}

#[tokio::test]
async fn the_same_order_is_answered_the_same_and_changes_nothing() {
    let desk = Desk::with_customers().await;
    let line = with(new_card("3001", json!({"embossing": {}})), "cardId", Value::Null);
    let first = desk.take(&line).await;
    let rewritten =
        line.to_string().replace("\":", "\" : ").replace("\"embossing\" : {}", "\"embossing\":{\"firstName\":null}");
    let (again, summary) = desk.bytes(format!("{rewritten}\n{line}\n").as_bytes()).await;
    assert_eq!(summary, ImportSummary { taken: 0, repeated: 2, refused: 0 });
    assert_eq!(again[0], first, "white space and nulls are not content");
    assert_eq!(with(again[1].clone(), "line", json!(1)), first);
    assert_eq!(desk.plastics(first["cardId"].as_str().unwrap()).await.len(), 1);
}

#[tokio::test]
async fn other_content_under_the_same_order_id_is_refused() {
    let desk = Desk::open().await;
    let line = customer("1");
    desk.take(&line).await;
    let (code, kind, _) = desk.refuse(&with(line.clone(), "customerId", json!("2"))).await;
    assert_eq!((code.as_str(), kind.as_str()), ("ORDER_ID_REUSED", "DYNAMIC_VALIDATION_ERROR"));
    let (code, ..) = desk.refuse(&with(line, "at", Value::Null)).await;
    assert_eq!(code, "ORDER_ID_REUSED", "a time that was given is content");
}

#[tokio::test]
async fn a_defaulted_time_is_no_content() {
    let mut desk = Desk::open().await;
    let line = with(customer("1"), "at", Value::Null);
    desk.take(&line).await;
    desk.clock = emboss::ambient::FixedClock(at("2027-01-01T00:00:00Z"));
    let (_, summary) = desk.bytes(line.to_string().as_bytes()).await;
    assert_eq!(summary.repeated, 1);
}

#[tokio::test]
async fn a_refusal_is_not_stored_and_the_line_judged_anew() {
    let desk = Desk::open().await;
    let line = account("2001", "1001");
    assert_eq!(desk.refuse(&line).await.0, "CUSTOMER_UNKNOWN");
    desk.take(&customer("1001")).await;
    desk.take(&line).await;
}

#[tokio::test]
async fn institutions_are_strictly_apart() {
    let desk = Desk::with_customers().await;
    let other: InstitutionId = "246002".parse().unwrap();
    let id = CustomerId::new(1001).unwrap();
    assert_eq!(desk.store.intake().await.unwrap().customer(&other, id).await.unwrap(), None);
    let line = with(account("2001", "1001"), "institutionId", json!("246002"));
    assert_eq!(desk.refuse(&line).await.0, "CUSTOMER_UNKNOWN");
    // The same order id is another order there.
    let line = with(customer("1001"), "orderId", json!("shared"));
    desk.take(&with(with(line.clone(), "customerId", json!("7")), "institutionId", json!("246001"))).await;
    desk.take(&with(line, "institutionId", json!("246002"))).await;
}

#[tokio::test]
async fn an_institution_that_is_not_configured_is_unknown() {
    let desk = Desk::open().await;
    let (code, kind, reason) = desk.refuse(&with(customer("1"), "institutionId", json!("999999"))).await;
    assert_eq!((code.as_str(), kind.as_str()), ("INSTITUTION_UNKNOWN", "DYNAMIC_VALIDATION_ERROR"));
    assert_eq!(reason, "institution 999999 is not in the configuration");
}

#[tokio::test]
async fn ids_that_are_not_given_are_assigned_past_those_in_use() {
    let desk = Desk::open().await;
    desk.take(&customer("1")).await;
    let line = with(customer("1"), "customerId", Value::Null);
    assert_eq!(id_of(&desk.take(&line).await), "2");
    let line = with(account("9", "2"), "accountId", Value::Null);
    assert_eq!(id_of(&desk.take(&line).await), "1");
    assert_eq!(desk.refuse(&account("1", "2")).await.0, "ID_IN_USE");
}

#[tokio::test]
async fn a_long_file_is_taken_in_batches_with_progress() {
    let desk = Desk::open().await;
    let text: String = (1..=1200).map(|id| format!("{}\n\n", customer(&id.to_string()))).collect();
    let (mut output, mut seen) = (Vec::new(), Vec::new());
    let summary = desk.importer().import(text.as_bytes(), &mut output, &mut |line| seen.push(line)).await.unwrap();
    assert_eq!(summary.taken, 1200);
    assert_eq!(seen, [999, 1999, 2399], "the last line of each 500, blank lines counted");
    let answers = String::from_utf8(output).unwrap();
    let lines: Vec<u64> =
        answers.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (0..1200).map(|index| index * 2 + 1).collect::<Vec<_>>());
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("closed"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_was_committed_before_an_interruption_is_answered_again() {
    let desk = Desk::open().await;
    let text: String = (1..=700).map(|id| format!("{}\n", customer(&id.to_string()))).collect();
    let stopped = desk.importer().import(text.as_bytes(), &mut Closed, &mut |_| {}).await.unwrap_err();
    assert!(matches!(stopped, IntakeError::Write(_)), "{stopped}");
    let (answers, summary) = desk.bytes(text.as_bytes()).await;
    assert_eq!(summary, ImportSummary { taken: 200, repeated: 500, refused: 0 }, "the first batch was durable");
    assert_eq!(answers.len(), 700);
}

#[tokio::test]
async fn a_database_that_fails_stops_the_import_without_answers() {
    let desk = Desk::open().await;
    desk.execute("CREATE TRIGGER full BEFORE INSERT ON order_answer WHEN NEW.order_id = 'x' BEGIN SELECT RAISE(ABORT, 'full'); END")
        .await;
    let text = format!("{}\n{}\n", customer("1"), with(customer("2"), "orderId", json!("x")));
    let mut output = Vec::new();
    let stopped = desk.importer().import(text.as_bytes(), &mut output, &mut |_| {}).await.unwrap_err();
    assert!(matches!(stopped, IntakeError::Store { line: 2, .. }), "{stopped}");
    assert_eq!(output, b"", "nothing is answered that was not kept");
    let kept = desk.store.intake().await.unwrap().customer(&issuer(), CustomerId::new(1).unwrap()).await.unwrap();
    assert_eq!(kept, None);
}

#[tokio::test]
async fn times_at_the_ends_of_the_calendar_are_kept_as_they_are() {
    let desk = Desk::with_customers().await;
    let mut line = customer("1003");
    line["at"] = json!("0000-01-01T00:00:00Z");
    line["body"]["temporaryAddress"] =
        json!({"address1": "Anywhere", "validFrom": "0000-01-01", "validTo": "9999-12-31"});
    desk.take(&line).await;
    let closing = "9999-12-31T23:59:59.999999Z";
    let body = json!({"embossing": {}, "scheduledClosing": {"type": "TIMEBASED", "time": closing}});
    desk.take(&new_card("3001", body)).await;
    assert_eq!(desk.card("3001").await.unwrap().card.scheduled_closing, Some(at(closing)));
    let first = "0000-01-01T00:00:00Z";
    let line = for_card_with("updateCard", "3001", json!({"status": "CARD_BLOCKED"}));
    desk.take(&with(line, "at", json!(first))).await;
    assert_eq!(desk.card("3001").await.unwrap().card.status_since, at(first));
    let line = with(new_card("3002", json!({"embossing": {}})), "at", json!(first));
    assert_eq!(desk.refuse(&line).await.0, "EXPIRY_OUT_OF_RANGE");
}
