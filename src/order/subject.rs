//! What an order is about: its operation's name, and the card it names.

use super::PlasticReference;
use super::envelope::{Operation, OperationName};
use crate::card::CardId;

impl Operation {
    /// The name in the envelope's `op`.
    pub fn name(&self) -> OperationName {
        use OperationName as N;
        match self {
            Self::CreateCustomer(_) => N::CreateCustomer,
            Self::UpdateCustomer(_) => N::UpdateCustomer,
            Self::CreateAccount(_) => N::CreateAccount,
            Self::UpdateAccount(_) => N::UpdateAccount,
            Self::CreateCard(_) => N::CreateCard,
            Self::UpdateCard(_) => N::UpdateCard,
            Self::SetPin(_) => N::SetPin,
            Self::ReissueCard(_) => N::ReissueCard,
            Self::ReplaceCard(_) => N::ReplaceCard,
            Self::ReorderPin(_) => N::ReorderPin,
            Self::OrderPhysical(_) => N::OrderPhysical,
            Self::UpdatePlastic(_) => N::UpdatePlastic,
        }
    }

    /// The card it names, which is there already; `None` for a customer, an account, a card that it makes, and a plastic
    /// that is named by its id alone.
    pub fn named_card(&self) -> Option<CardId> {
        match self {
            Self::UpdateCard(body) => Some(body.card_id),
            Self::SetPin(body) => Some(body.card_id),
            Self::ReissueCard(body) => Some(body.card_id),
            Self::ReplaceCard(body) => Some(body.card_id),
            Self::ReorderPin(card_id) => Some(*card_id),
            Self::OrderPhysical(body) => Some(body.card_id),
            Self::UpdatePlastic(body) => match body.plastic {
                PlasticReference::Number(card_id, _) => Some(card_id),
                PlasticReference::Id(_) => None,
            },
            Self::CreateCustomer(_)
            | Self::UpdateCustomer(_)
            | Self::CreateAccount(_)
            | Self::UpdateAccount(_)
            | Self::CreateCard(_) => None,
        }
    }
}
