//! Why a card has no embossing house: R8.
//!
//! A card that no agreement takes is never dropped in silence: it is held, and the reason says what to configure or
//! correct.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::decide::standing;
use super::{Candidate, Dossier, Reason, ReasonCode, Verdict};
use crate::agreement::{Institution, Manufacturer, Product};
use crate::card::ManufacturerCode;

/// R8: the reason why none of the institution's agreements takes the card.
pub fn unrouted(dossier: &Dossier, institution: &Institution, manufacturers: &[Manufacturer]) -> Reason {
    match &dossier.card.embossing.manufacturer {
        None => match &institution.default_manufacturer {
            None => ReasonCode::ManufacturerMissing.because("the institution has no default_manufacturer"),
            Some(code) => unknown(code, " (the default)", manufacturers),
        },
        Some(text) => match text.parse::<ManufacturerCode>() {
            Ok(code) => unknown(&code, "", manufacturers),
            Err(error) => ReasonCode::ManufacturerInvalid.because(error.to_string()),
        },
    }
}

fn unknown(code: &ManufacturerCode, which: &str, manufacturers: &[Manufacturer]) -> Reason {
    let why = match manufacturers.iter().find(|manufacturer| manufacturer.code == *code) {
        None => "is not configured",
        Some(manufacturer) if !manufacturer.active => "is not active",
        Some(_) => "has no agreement with the institution",
    };
    ReasonCode::ManufacturerUnknown.because(format!("{code}{which} {why}"))
}

/// The verdict on a request of an unrouted card: what excludes it in any case comes first, as in
/// [`select`](super::select), so that a marked virtual plastic is not mistaken for a question of routing.
pub fn select_unrouted(
    candidate: &Candidate<'_>,
    institution: &Institution,
    products: &BTreeMap<String, Product>,
    manufacturers: &[Manufacturer],
    cut_off: DateTime<Utc>,
) -> Verdict {
    let product = products.get(&candidate.dossier.card.product_code);
    match standing(candidate, product, cut_off) {
        Err(verdict) => verdict,
        Ok(_) => Verdict::Hold(unrouted(candidate.dossier, institution, manufacturers)),
    }
}
