//! R30-R36, R41, R42 as one table: event x pinStatus x PIN on record, and what changes the letter.

use std::collections::BTreeSet;

use super::*;
use crate::agreement::Terms;
use crate::card::PinDeliveryType;

const TABLE: &str = include_str!("../../../tests/pin_matrix.txt");

/// The terms of each letter column: as they are by default, and with one thing configured.
fn columns() -> [Terms; 4] {
    let change = |change: fn(&mut Terms)| {
        let mut terms = terms();
        change(&mut terms);
        terms
    };
    [
        terms(),
        change(|terms| terms.agreement.pin_delivery_type = PinDeliveryType::Epin),
        change(|terms| terms.institution.mailer_for_set_pin = true),
        change(|terms| terms.institution.mailer_for_reissue = true),
    ]
}

/// What comes of a cell: the PIN and whether a letter goes, or the reason why not.
fn cell(event: ProductionEvent, status: PinStatus, on_record: bool, terms: &Terms) -> (String, String) {
    let mut dossier = dossier_of(event);
    dossier.card.pin_status = status;
    dossier.pin_version = on_record.then_some(1);
    match verdict(&dossier, terms) {
        Verdict::Produce(production) => {
            let pin = match production.pin {
                PinAction::Generate => "new",
                PinAction::Stored => "kept",
                PinAction::None => "no PIN",
            };
            (pin.into(), if production.pin_mailer.is_some() { "yes" } else { "no" }.into())
        }
        Verdict::Hold(reason) | Verdict::Exclude(reason) | Verdict::Close(reason) => {
            (reason.code.to_string(), ".".into())
        }
    }
}

/// What a letter column of the table demands.
fn demanded(pin: &str, letter: &str) -> (String, String) {
    match letter {
        "yes" | "no" | "." => (pin.into(), letter.into()),
        another_reason => (another_reason.into(), ".".into()),
    }
}

#[test]
fn r20_r34_r35_r36_r41_r42_every_cell_of_event_pin_status_and_pin_on_record() {
    let columns = columns();
    let mut seen = BTreeSet::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [event, status, record, pin, letters @ ..] = &words[..] else { panic!("{line}") };
        assert!(seen.insert((*event, *status, *record)), "twice: {line}");
        assert_eq!(letters.len(), columns.len(), "{line}");
        let on_record = matches!(*record, "made" | "set");
        assert!(on_record || *record == "none", "{line}");
        for (terms, letter) in columns.iter().zip(letters) {
            let found = cell(event.parse().unwrap(), status.parse().unwrap(), on_record, terms);
            assert_eq!(found, demanded(pin, letter), "{line}");
        }
    }
    assert_eq!(seen.len(), ProductionEvent::ALL.len() * PinStatus::ALL.len() * 3, "every cell stands in the table");
    assert_eq!(seen.len(), 90);
}

#[test]
fn r5_the_virtual_rows_of_the_matrix_are_never_made() {
    for event in [ProductionEvent::Nvrt, ProductionEvent::Nlostvrt, ProductionEvent::Rvrt] {
        assert_eq!(told_of(&dossier_of(event)), "EXCLUDE VIRTUAL_EVENT !", "{event}");
    }
}
