//! What the orders of a card's later life are read as; their limits are in the checklist.

use super::checklist::full;
use super::*;
use crate::card::{Embossing, Expiry, PinBlockFormat, PinStatus};
use crate::order::{OrderPhysical, ReissueCard, ReplaceCard, SetPin};

fn replaced(line: &Value) -> ReplaceCard {
    match operation(line) {
        Operation::ReplaceCard(order) => *order,
        other => panic!("{other:?}"),
    }
}

fn set(line: &Value) -> SetPin {
    match operation(line) {
        Operation::SetPin(order) => order,
        other => panic!("{other:?}"),
    }
}

/// The body left out, empty, and null.
fn bodiless(name: &str) -> [Value; 3] {
    let line = full(name);
    [with(line.clone(), "body", json!(null)), with(line.clone(), "body", json!({})), {
        let mut line = line;
        line.as_object_mut().unwrap().remove("body");
        line
    }]
}

#[test]
fn an_empty_reissue_leaves_the_pin_status() {
    let card_id = "3001".parse().unwrap();
    let plastic_id = "5001".parse().ok();
    for line in bodiless("reissueCard") {
        let expected = ReissueCard { card_id, plastic_id, pin_status: None };
        assert_eq!(operation(&line), Operation::ReissueCard(expected), "{line}");
    }
    let expected = ReissueCard { card_id, plastic_id, pin_status: Some(PinStatus::Waiting) };
    assert_eq!(operation(&full("reissueCard")), Operation::ReissueCard(expected));
}

#[test]
fn r33_r38_the_pin_status_of_a_replacement_is_the_orders_or_d() {
    for line in bodiless("replaceCard") {
        let order = replaced(&line);
        assert_eq!((order.pin_status, order.embossing, order.expiration), (PinStatus::Default, None, None), "{line}");
        assert_eq!((order.card_id.get(), order.new_card_id), (3001, None));
    }
    let order = replaced(&full("replaceCard"));
    assert_eq!((order.pin_status, order.expiration), (PinStatus::Waiting, Expiry::new(2029, 12)));
    assert_eq!(order.new_card_id.unwrap().get(), 3002);
}

#[test]
fn r90_the_names_of_a_replacement_have_26_together_with_those_that_stay() {
    let line = |first: usize| with(full("replaceCard"), "body.embossing.firstName", json!("a".repeat(first)));
    let both = |first| with(line(first), "body.embossing.lastName", json!("b".repeat(13)));
    assert!(read(&both(13)).is_ok());
    assert_eq!(read(&both(14)).unwrap_err().code, ErrorCode::NameTooLong);
    let was = Embossing { last_name: Some("b".repeat(13)), ..Embossing::default() };
    let applied =
        |first| replaced(&with(line(first), "body.embossing.lastName", json!(null))).embossing.unwrap().apply(&was);
    assert!(applied(13).is_ok());
    assert_eq!(applied(14).unwrap_err().code, ErrorCode::NameTooLong);
}

#[test]
fn orders_without_a_body_say_everything_in_their_envelope() {
    let card_id = "3001".parse().unwrap();
    for line in bodiless("reorderPin") {
        assert_eq!(operation(&line), Operation::ReorderPin(card_id), "{line}");
    }
    for line in bodiless("orderPhysical") {
        let expected = OrderPhysical { card_id, plastic_id: "5001".parse().ok() };
        assert_eq!(operation(&line), Operation::OrderPhysical(expected), "{line}");
    }
}

#[test]
fn a_pin_block_is_as_long_as_its_format_has_it() {
    let line = |format: &str, digits: usize| {
        let line = with(full("setPin"), "body.format", json!(format));
        with(line, "body.pinBlock", json!("0123456789abcdef0".repeat(2)[..digits]))
    };
    for (format, digits, taken) in [
        ("ISO_0", 15, false),
        ("ISO_0", 16, true),
        ("ISO_0", 17, false),
        ("ISO_3", 16, true),
        ("ISO_3", 32, false),
        ("ISO_4", 16, false),
        ("ISO_4", 31, false),
        ("ISO_4", 32, true),
        ("ISO_4", 33, false),
    ] {
        let code = read(&line(format, digits)).err().map(|refusal| refusal.code);
        assert_eq!(code, (!taken).then_some(ErrorCode::FieldPattern), "{format} {digits}");
    }
    let order = set(&line("ISO_4", 32));
    assert_eq!((order.format, order.block.expose().len()), (PinBlockFormat::Iso4, 32));
    assert_eq!(order.block.expose(), "0123456789ABCDEF00123456789ABCDE", "in capitals");
}

#[test]
fn r39_r138_no_refusal_and_no_debug_repeats_a_pin_block() {
    let block = "1A2B3C4D5E6F7081";
    let line = with(full("setPin"), "body.pinBlock", json!(block));
    assert!(!format!("{:?}", operation(&line)).contains(block));
    for (path, value) in [
        ("body.format", json!(block)),
        ("body.pinBlock", json!(format!("{block}0"))),
        ("body.pinBlock", json!(format!("{block}G"))),
        ("body.keyId", json!(block.repeat(5))),
        ("cardId", json!(block)),
        ("body.1A2B3C4D5E6F7081", json!(1)),
        (block, json!(1)),
    ] {
        let refusal = read(&with(line.clone(), path, value)).unwrap_err();
        assert!(!refusal.reason.contains("1A2B"), "{path}: {refusal}");
    }
}

#[test]
fn a_replacement_does_not_print_what_it_embosses() {
    let line = with(full("replaceCard"), "body.embossing.firstName", json!("Monica"));
    assert!(!format!("{:?}", operation(&line)).contains("Monica"));
}
