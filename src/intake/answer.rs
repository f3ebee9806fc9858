//! The answer to an order that was taken: the API's response, and what the API would show on a later request.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::card::product::words;
use crate::card::{CardId, PlasticId};
use crate::order::OrderId;

/// The answer line of an order that was taken, without its line number: what is stored under the order's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The order.
    pub order_id: String,
    /// Short description of the result (S0).
    pub description: String,
    /// Id of what was made or changed (S0).
    pub id: String,
    /// The card that was made, or that something was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_id: Option<CardId>,
    /// The plastics that were made, in sequence order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plastic_ids: Vec<PlasticId>,
    /// What a person may want to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Notice>,
}

/// A warning in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The stable code.
    pub code: NoticeCode,
    /// The sentence.
    pub text: String,
}

words!(
    /// Warnings of intake.
    NoticeCode {
        /// S is set, but there is no PIN on record: the night will hold the card (R36).
        PinNotAvailable = "PIN_NOT_AVAILABLE",
        /// The change comes too late for a plastic that a file already holds (R32).
        InProduction = "IN_PRODUCTION",
    }
);

impl Answer {
    pub(super) fn new(order_id: &OrderId, description: &str, id: impl fmt::Display) -> Self {
        Self {
            order_id: order_id.as_str().to_owned(),
            description: description.to_owned(),
            id: id.to_string(),
            card_id: None,
            plastic_ids: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Tells which card an order was about, and which plastics it made.
    pub(super) fn made(&mut self, card_id: CardId, plastic_ids: Vec<PlasticId>) {
        self.card_id = Some(card_id);
        self.plastic_ids = plastic_ids;
    }

    pub(super) fn warn(&mut self, code: NoticeCode, text: impl Into<String>) {
        self.warnings.push(Notice { code, text: text.into() });
    }
}

/// What stands on one line of output.
#[derive(Serialize)]
pub(super) struct Numbered<'a, T> {
    pub(super) line: u64,
    #[serde(flatten)]
    pub(super) answer: &'a T,
}
