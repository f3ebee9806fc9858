//! Does the request fit its plastic and the card's other plastics: R1, R3-R6, R13, R21, R22.
//!
//! Invariant: nothing here reads names, addresses or PINs; it is about numbers and statuses only.

use chrono::{DateTime, Utc};

use super::{Candidate, Dossier, ReasonCode, Request, Verdict};
use crate::agreement::Product;
use crate::card::{Card, Plastic, PlasticStatus, ProductionEvent};

/// R6: due is what was marked at T0 or before, to the microsecond.
pub fn is_due(request: &Request, cut_off: DateTime<Utc>) -> bool {
    request.marked_at <= cut_off
}

/// The plastic the request is about: for ROPIN the one in use, for all others the one it names.
///
/// A reordered PIN may have waited so long that the plastic it was ordered for has been superseded; what counts for
/// R26 and R15 is the plastic the customer now holds.
pub(super) fn plastic<'a>(candidate: &Candidate<'a>) -> Result<&'a Plastic, Verdict> {
    let dossier = candidate.dossier;
    let in_use =
        if candidate.request.event == ProductionEvent::Ropin { plastic_in_use(&dossier.plastics) } else { None };
    in_use
        .or_else(|| dossier.plastics.iter().find(|plastic| plastic.plastic_id == candidate.request.plastic_id))
        // R124: a cancelled plastic is in no dossier; a request that outlived it makes nothing.
        .ok_or_else(|| Verdict::Exclude(ReasonCode::Cancelled.because("the plastic is no longer there")))
}

/// The newest physical plastic of the card that a customer holds (R26).
pub fn plastic_in_use(plastics: &[Plastic]) -> Option<&Plastic> {
    plastics
        .iter()
        .filter(|plastic| !plastic.event.is_virtual() && plastic.status.is_in_use())
        .max_by_key(|plastic| plastic.sequence_number)
}

/// R5: virtual events are in no file, even where one was marked by mistake.
pub(super) fn not_virtual(request: &Request, plastic: &Plastic) -> Result<(), Verdict> {
    let makes_plastic = request.event != ProductionEvent::Ropin;
    if request.event.is_virtual() || (makes_plastic && plastic.event.is_virtual()) {
        return Err(Verdict::Exclude(ReasonCode::VirtualEvent.alert(format!("event {}", plastic.event))));
    }
    Ok(())
}

/// R4 with A23.
pub(super) fn physical(card: &Card, product: Option<&Product>) -> Result<(), Verdict> {
    match Product::no_plastic(product, card.embossing.physical) {
        Some(why) => Err(Verdict::Exclude(ReasonCode::PhysicalFalse.because(why))),
        None => Ok(()),
    }
}

/// R1, R3: a first production needs an INACTIVE plastic, a reproduction one that was produced. No code of its own is
/// listed for this; that event and plastic do not fit is what EVENT_SEQUENCE_MISMATCH says.
pub(super) fn status_fits(request: &Request, plastic: &Plastic) -> Result<(), Verdict> {
    let (fits, needed) = match (request.event, request.reproduction) {
        (ProductionEvent::Ropin, _) => return Ok(()),
        (_, false) => (plastic.status == PlasticStatus::Inactive, "a first production needs INACTIVE"),
        (_, true) => (plastic.status.is_in_use(), "a reproduction needs ACTIVE or LOCKED"),
    };
    if fits {
        return Ok(());
    }
    let detail = format!("the plastic is {}, {needed}", plastic.status);
    Err(Verdict::Hold(ReasonCode::EventSequenceMismatch.because(detail)))
}

/// R13: one plastic at a time. Virtual ones marked by mistake are no rivals, they will never be made (R5).
pub(super) fn alone(candidate: &Candidate<'_>, cut_off: DateTime<Utc>) -> Result<(), Verdict> {
    if !makes_new_plastic(candidate.request) {
        return Ok(());
    }
    let dossier = candidate.dossier;
    let rivals = |request: &&Request| makes_new_plastic(request) && is_due(request, cut_off);
    let waiting = dossier.plastics.iter().filter(|plastic| {
        plastic.status == PlasticStatus::Inactive
            && !plastic.event.is_virtual()
            && dossier.requests.iter().filter(rivals).any(|request| request.plastic_id == plastic.plastic_id)
    });
    match waiting.count() {
        0 | 1 => Ok(()),
        many => Err(Verdict::Hold(ReasonCode::DuplicateMarked.alert(format!("{many} INACTIVE plastics are marked")))),
    }
}

fn makes_new_plastic(request: &Request) -> bool {
    request.event != ProductionEvent::Ropin && !request.reproduction
}

/// R21 and R22: which place in the card's row of plastics an event may have.
pub(super) fn sequence_fits(dossier: &Dossier, request: &Request, plastic: &Plastic) -> Result<(), Verdict> {
    let number = plastic.sequence_number;
    let mismatch = |what: &str| ReasonCode::EventSequenceMismatch.because(format!("{what} on sequence {number}"));
    match request.event {
        ProductionEvent::Ncrd if number > 1 => Err(Verdict::Exclude(mismatch("NCRD"))),
        ProductionEvent::Rallre | ProductionEvent::Rallnlost
            if !dossier.plastics.iter().any(|other| other.sequence_number < number) =>
        {
            Err(Verdict::Hold(mismatch(&format!("{} without an earlier plastic", request.event))))
        }
        _ => Ok(()),
    }
}
