//! One line of an orders file: taken as a valid order or refused with a reason that repeats nothing of it.

use chrono::{DateTime, Utc};
use emboss::order::{Envelope, MAX_LINE_BYTES, Refusal};

use super::{card_numbers, is_a_sentence};

pub fn holds(line: &[u8]) {
    let envelope = match Envelope::read(line) {
        Ok(envelope) => envelope,
        Err(unreadable) => return refused(&unreadable.refusal),
    };
    assert!(line.len() <= MAX_LINE_BYTES);
    let canonical = envelope.canonical().to_owned();
    let again = Envelope::read(canonical.as_bytes()).expect("the canonical form is read as the line is");
    assert_eq!(again.canonical(), canonical, "it is its own canonical form");
    assert_eq!((&again.order_id, &again.institution), (&envelope.order_id, &envelope.institution));
    let (order, again) = (envelope.order(now()), again.order(now()));
    assert_eq!(order, again, "the canonical form means the same");
    match order {
        Err(refusal) => refused(&refusal),
        Ok(order) => assert!(order.at <= now() + chrono::TimeDelta::minutes(5)),
    }
}

fn refused(refusal: &Refusal) {
    is_a_sentence(&refusal.reason);
    assert!(card_numbers(&format!("{refusal:?}")).is_empty());
}

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}
