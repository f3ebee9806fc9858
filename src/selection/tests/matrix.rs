//! R30-R36, R41, R42 as one table: event x pinStatus x PIN on record.

use super::*;

/// What comes of a cell: the verdict, and for a record its PIN and whether a letter goes with it.
fn cell(event: ProductionEvent, status: PinStatus, on_record: bool) -> String {
    let mut dossier = dossier_of(event);
    dossier.card.pin_status = status;
    dossier.pin_version = on_record.then_some(1);
    match verdict(&dossier, &terms()) {
        Verdict::Produce(production) => {
            let letter = if production.pin_mailer.is_some() { " letter" } else { "" };
            format!("{}{letter}", production.pin.as_str())
        }
        other => told(&other),
    }
}

#[test]
fn r34_r35_r36_every_cell_of_event_and_pin_status() {
    const WAIT: &str = "HOLD HELD_PIN_WAIT";
    const NONE: &str = "HOLD PIN_NOT_AVAILABLE";
    const NEW: &str = "GENERATE letter";
    //  event, D without PIN, D with PIN, S without, S with, W without, W with
    let table = [
        ("NCRD", [NEW, NEW, NONE, "STORED", WAIT, WAIT]),
        ("NLOST", [NEW, NEW, NONE, "STORED", WAIT, WAIT]),
        ("RALLRE", [NEW, NEW, NONE, "STORED", WAIT, WAIT]),
        ("RALLNLOST", [NEW, NEW, NONE, "STORED", WAIT, WAIT]),
        ("RPL", [NEW, "STORED", NONE, "STORED", WAIT, WAIT]),
        ("RPLRE", [NEW, "STORED", NONE, "STORED", WAIT, WAIT]),
        ("ROPIN", [NONE, "STORED letter", NONE, "STORED letter", WAIT, WAIT]),
    ];
    for (event, expected) in table {
        let event = event.parse().unwrap();
        let found: Vec<String> = [PinStatus::Default, PinStatus::Set, PinStatus::Waiting]
            .into_iter()
            .flat_map(|status| [false, true].map(|on_record| cell(event, status, on_record)))
            .collect();
        assert_eq!(found, expected, "{event}");
    }
}

#[test]
fn r5_the_virtual_rows_of_the_matrix_are_never_made() {
    for event in [ProductionEvent::Nvrt, ProductionEvent::Nlostvrt, ProductionEvent::Rvrt] {
        for status in [PinStatus::Default, PinStatus::Set, PinStatus::Waiting] {
            for on_record in [false, true] {
                assert_eq!(cell(event, status, on_record), "EXCLUDE VIRTUAL_EVENT !", "{event} {status}");
            }
        }
    }
}
