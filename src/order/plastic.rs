//! updatePlastic (S4): CANCEL and ACTIVATE.

use super::error::Refusal;
use super::fields::Fields;
use crate::card::product::words;
use crate::card::{CardId, PlasticId};

/// updatePlastic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdatePlastic {
    /// Which.
    pub plastic: PlasticReference,
    /// What to do.
    pub action: PlasticAction,
}

/// How an order names a plastic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlasticReference {
    /// By its id.
    Id(PlasticId),
    /// By its number within a card.
    Number(CardId, u8),
}

words!(
    /// What can be done to a plastic by order.
    PlasticAction {
        /// Take back the order of a plastic that is not claimed yet (R122).
        Cancel = "CANCEL",
        /// Make a LOCKED plastic usable (R64, R68).
        Activate = "ACTIVATE",
    }
);

impl UpdatePlastic {
    /// Reads the body.
    ///
    /// # Errors
    /// The first field that is missing or not as it must be.
    pub fn read(plastic: PlasticReference, mut body: Fields) -> Result<Self, Refusal> {
        let action = body.word("action")?;
        let action = body.required("action", action)?;
        body.end()?;
        Ok(Self { plastic, action })
    }
}
