//! Which PIN goes with the record, and whether a letter carries it: R26, R27, R30-R42.
//!
//! Invariants: the event decides whether a PIN is new, the PIN status only how a new one comes about (A4); W is never
//! turned into D, however long it lasts (R31); S never gets a random PIN (R36).
//!
//! [`Dossier::pin_version`] leaves out a PIN that was issued for one of the dossier's own OPEN requests. Such a PIN is
//! found again by its recordUid (R40), so that deciding anew comes to the same action and the same letter (R41).

use chrono::{DateTime, Utc};

use super::{Dossier, PinAction, ReasonCode, Request, Verdict};
use crate::agreement::{Institution, Product};
use crate::card::{Card, PinStatus, ProductionEvent};

/// Whole days from the marking to T0 (R31).
pub fn days_waiting(request: &Request, cut_off: DateTime<Utc>) -> i64 {
    cut_off.signed_duration_since(request.marked_at).num_days()
}

/// R31: the highest of the configured ages that a wait has reached, for a report's warning.
pub fn warning_age(days: i64, ages: &[i64]) -> Option<i64> {
    ages.iter().copied().filter(|age| *age <= days).max()
}

/// R30: W stays out, whatever the event and however long (R31).
pub(super) fn not_waiting(card: &Card, request: &Request, cut_off: DateTime<Utc>) -> Result<(), Verdict> {
    if card.pin_status == PinStatus::Waiting {
        let days = days_waiting(request, cut_off);
        return Err(Verdict::Hold(ReasonCode::HeldPinWait.because(format!("waiting for {days} days"))));
    }
    Ok(())
}

/// R34-R36 for a record with a card. A product without a PIN has none of these.
pub(super) fn action(dossier: &Dossier, request: &Request, product: &Product) -> Result<PinAction, Verdict> {
    if product.pin.is_none() {
        return Ok(PinAction::None);
    }
    match (dossier.card.pin_status, dossier.pin_version) {
        (PinStatus::Set, Some(_)) => Ok(PinAction::Stored),
        (PinStatus::Set, None) => {
            Err(Verdict::Hold(ReasonCode::PinNotAvailable.because("pinStatus is S, no PIN on record")))
        }
        (PinStatus::Default | PinStatus::Waiting, Some(_)) if keeps_pin(request) => Ok(PinAction::Stored),
        (PinStatus::Default | PinStatus::Waiting, _) => Ok(PinAction::Generate),
    }
}

/// R35: reissue and renewal keep a PIN that is there; so does a second production of the same plastic.
fn keeps_pin(request: &Request) -> bool {
    request.reproduction || matches!(request.event, ProductionEvent::Rpl | ProductionEvent::Rplre)
}

/// R26: a PIN can be mailed again only where there is one, for a plastic the customer holds.
pub(super) fn reorderable(dossier: &Dossier, product: &Product) -> Result<PinAction, Verdict> {
    let missing = if product.pin.is_none() {
        "the product has no PIN"
    } else if dossier.pin_version.is_none() {
        "no PIN on record"
    } else if super::plastic_in_use(&dossier.plastics).is_none() {
        "no physical plastic is ACTIVE or LOCKED"
    } else {
        return Ok(PinAction::Stored);
    };
    Err(Verdict::Hold(ReasonCode::PinNotAvailable.because(missing)))
}

/// R41 and R42, without the delivery type: whether this PIN is told to the customer by letter.
pub(super) fn is_mailed(action: PinAction, card: &Card, request: &Request, institution: &Institution) -> bool {
    match action {
        PinAction::None => false,
        PinAction::Generate => true,
        PinAction::Stored => {
            request.event == ProductionEvent::Ropin
                || (card.pin_status == PinStatus::Set && institution.mailer_for_set_pin)
                || (keeps_pin(request) && institution.mailer_for_reissue)
        }
    }
}
