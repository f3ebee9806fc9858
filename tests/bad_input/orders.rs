//! Order lines that are not as they must be: each is answered with an error object, changes nothing and stops nothing.

use serde_json::{Value, json};

use crate::support::trial::{Outcome, Trial, card, customer, order, orders};

/// What the API limits a line to.
const LINE_MAX_BYTES: usize = 64 * 1024;

/// One refused line: its bytes, the code and a part of the reason.
struct Refused {
    what: &'static str,
    line: Vec<u8>,
    code: &'static str,
    names: &'static str,
}

fn refused(what: &'static str, line: impl Into<Vec<u8>>, code: &'static str, names: &'static str) -> Refused {
    Refused { what, line: line.into(), code, names }
}

fn replaced(value: &Value, from: &str, to: &str) -> String {
    let text = value.to_string();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// What no writer of orders means to send.
fn odd_lines() -> Vec<Refused> {
    let good = customer("x-1", "1009", "Anna", "Kings street 12");
    vec![
        refused("a byte order mark", format!("\u{feff}{good}"), "NOT_JSON", "byte order mark"),
        refused("a zero byte behind it", format!("{good}\0"), "NOT_JSON", "JSON"),
        refused(
            "half of a character",
            replaced(&good, "Anna", "An\u{0}na").replace('\0', "\\ude00"),
            "NOT_JSON",
            "column",
        ),
        refused("more than any number", replaced(&good, "\"Anna\"", "1e400"), "NOT_JSON", "column"),
        refused("minus nothing", replaced(&good, "\"Anna\"", "-0"), "FIELD_TYPE", "firstName"),
        refused("lists in lists", "[".repeat(LINE_MAX_BYTES), "NOT_JSON", "column"),
        refused(
            "objects in objects",
            replaced(&good, "\"Anna\"", &format!("{}1{}", "{\"a\":".repeat(9000), "}".repeat(9000))),
            "NOT_JSON",
            "column",
        ),
        refused(
            "an id without end",
            replaced(&good, "\"1009\"", &format!("\"{}\"", "1".repeat(60_000))),
            "FIELD_PATTERN",
            "customerId",
        ),
        refused("a name of nothing", replaced(&good, "\"Anna\"", "\"\""), "FIELD_TOO_SHORT", "firstName"),
    ]
}

fn broken_lines() -> Vec<Refused> {
    let good = customer("x-1", "1009", "Anna", "Kings street 12");
    let mut long = good.to_string();
    long.push_str(&" ".repeat(LINE_MAX_BYTES + 1 - long.len()));
    let mut not_utf8 = replaced(&good, "Anna", "An?na").into_bytes();
    let place = not_utf8.windows(5).position(|five| five == b"An?na").unwrap();
    not_utf8[place + 2] = 0xe4;
    let mut lines = vec![
        refused("half a line", &good.to_string().as_bytes()[..40], "NOT_JSON", "JSON"),
        refused("a word", "hello", "NOT_JSON", "JSON"),
        refused("a list", "[1, 2]", "NOT_JSON", "object"),
        refused("two objects", format!("{good}{good}"), "NOT_JSON", "JSON"),
        refused("a line that is too long", long, "LINE_TOO_LONG", "65536"),
        refused("a byte that is no UTF-8", not_utf8, "NOT_UTF8", "UTF-8"),
        refused("a key twice", replaced(&good, "{", "{\"orderId\":\"x-2\","), "DUPLICATE_KEY", "orderId"),
        refused(
            "a key twice inside",
            replaced(&good, "\"city\":", "\"city\":\"A\",\"city\":"),
            "DUPLICATE_KEY",
            "city",
        ),
        refused(
            "a control character in a name",
            replaced(&good, "Anna", "An\\u0001na"),
            "CHARACTER_ILLEGAL",
            "firstName",
        ),
        refused("U+FFFE in a name", replaced(&good, "Anna", "An\\uFFFEna"), "CHARACTER_ILLEGAL", "firstName"),
        refused(
            "a control character in an address",
            replaced(&good, "Kings", "Ki\\u0001ngs"),
            "CHARACTER_ILLEGAL",
            "address1",
        ),
        refused("U+FFFE in an address", replaced(&good, "Kings", "Ki\\uFFFEngs"), "CHARACTER_ILLEGAL", "address1"),
        refused("U+FFFF, as written", replaced(&good, "Kings", "Ki\u{ffff}ngs"), "CHARACTER_ILLEGAL", "address1"),
        refused("half a surrogate pair", replaced(&good, "Kings", "Ki\\uD800ngs"), "", ""),
        refused("an unknown institution", replaced(&good, "246001", "999999"), "INSTITUTION_UNKNOWN", "999999"),
        refused("an unknown operation", replaced(&good, "createCustomer", "eraseCustomer"), "OPERATION_UNKNOWN", "op"),
        refused(
            "a field too much",
            replaced(&good, "\"body\":{", "\"body\":{\"nickName\":\"A\","),
            "FIELD_UNKNOWN",
            "nickName",
        ),
        refused("a field too little", replaced(&good, "\"op\":", "\"opp\":"), "", "op"),
        refused("another type", replaced(&good, "\"Anna\"", "17"), "FIELD_TYPE", "firstName"),
        refused(
            "an unknown product",
            card("x-3", "3009", &json!({ "productCode": "GOLD" })).to_string(),
            "PRODUCT_UNKNOWN",
            "246001",
        ),
        refused(
            "an unknown customer",
            replaced(&card("x-4", "3009", &json!({})), "\"1001\"", "\"7777\""),
            "CUSTOMER_UNKNOWN",
            "7777",
        ),
        refused(
            "an unknown card",
            order("x-5", "updateCard", json!({ "cardId": "7777" }), json!({ "status": "CARD_BLOCKED", "reason": "x" }))
                .to_string(),
            "CARD_UNKNOWN",
            "7777",
        ),
    ];
    lines.extend(odd_lines());
    lines
}

fn feed(trial: &Trial, lines: &[&[u8]]) -> Outcome {
    let input = [lines.join(&b'\n'), vec![b'\n']].concat();
    Outcome::fed(&mut trial.command(&["import", "-"]), &input)
}

#[test]
fn each_is_answered_with_its_code_and_what_is_wrong() {
    let trial = Trial::with_orders();
    let state = trial.state();
    let lines = broken_lines();
    let all: Vec<&[u8]> = lines.iter().map(|line| &*line.line).collect();
    let outcome = feed(&trial, &all).exits(1);
    let answers = outcome.lines();
    assert_eq!(answers.len(), lines.len());
    for ((answer, line), number) in answers.iter().zip(&lines).zip(1..) {
        let Refused { what, code, names, .. } = line;
        assert_eq!(answer["line"], number, "{what}");
        let (found, reason) = (answer["errorCode"].as_str().unwrap(), answer["errorReason"].as_str().unwrap());
        assert!(code.is_empty() || found == *code, "{what}: {answer}");
        assert!(reason.contains(names), "{what}: {answer}");
        assert!(reason.len() > 10 && !reason.contains("Liikamaa") && !reason.contains("street"), "{what}: {answer}");
    }
    assert_eq!(outcome.stderr, format!("0 orders taken, 0 known already, {} refused\n", lines.len()));
    assert_eq!(trial.state().besides_the_run(), state.besides_the_run(), "nothing of them was kept");
}

#[test]
fn each_alone_stops_nothing_around_it() {
    let good = orders();
    for line in broken_lines() {
        let trial = Trial::new();
        let (first, last) = (good[0].to_string(), good[1].to_string());
        let outcome = feed(&trial, &[first.as_bytes(), &line.line, last.as_bytes()]).exits(1);
        outcome.clone().says(&["2 orders taken, 0 known already, 1 refused"]);
        let ids: Vec<_> = outcome.lines().iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
        assert_eq!(ids, [1, 2, 3], "{}", line.what);
        let rows = trial.state().database;
        assert_eq!((rows["customer"].len(), rows["account"].len()), (1, 1), "{}", line.what);
    }
}

#[test]
fn a_line_at_the_limit_is_taken() {
    let trial = Trial::new();
    let mut line = orders()[0].to_string();
    line.push_str(&" ".repeat(LINE_MAX_BYTES - line.len()));
    feed(&trial, &[line.as_bytes()]).exits(0);
}

#[test]
fn a_card_number_in_a_wrong_place_is_not_repeated() {
    let trial = Trial::with_orders();
    // It has a right check digit: the harness fails where any output holds it.
    let number = "4000001200000008";
    let mut unknown_field = json!({});
    unknown_field[number] = json!(1);
    let long_name = json!({ "embossing": { "firstName": number, "lastName": number } });
    for line in [
        card("x-1", "3009", &json!({ "productCode": number })),
        card("x-2", "3009", &json!({ "cardNumber": number })),
        card("x-3", "3009", &unknown_field),
        card("x-4", "3009", &long_name),
        order("x-5", number, json!({}), json!({})),
        order("x-6", "createCustomer", json!({ "institutionId": number }), json!({})),
        order("x-7", "updateCard", json!({ "cardId": "3001" }), json!({ "status": number, "reason": number })),
        json!({ "orderId": format!("x 8 {number}"), "op": "createCustomer" }),
        json!(number),
    ] {
        let refused = trial.import(&[line]).exits(1).lines();
        assert!(!refused[0]["errorCode"].is_null(), "{}", refused[0]);
    }
}

#[test]
fn a_file_of_orders_that_is_not_there() {
    let trial = Trial::with_orders();
    let good = trial.order_file("good.jsonl", &orders()[..1]);
    let state = trial.state();
    let outcome = trial.run(&["import", "/nowhere/orders.jsonl", &good]).exits(2);
    outcome.says(&["/nowhere/orders.jsonl cannot be read"]);
    assert_eq!(trial.state(), state);
    let folder = trial.home().display().to_string();
    trial.run(&["import", &folder]).says(&[&folder]);
}
