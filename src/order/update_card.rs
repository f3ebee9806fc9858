//! updateCard (S1): only what is given changes.

use super::address::read_address;
use super::embossing::EmbossingChange;
use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::limits::check_limits;
use super::text::TextRule;
use crate::card::secret::masked_debug;
use crate::card::{
    AccountId, Address, CardDeliveryType, CardId, CardStatus, CustomerId, PinDeliveryType, PinStatus, Segment,
};

/// updateCard: what is `None` stays as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct UpdateCard {
    /// Which.
    pub card_id: CardId,
    /// Links the card to another cardholder.
    pub customer_id: Option<CustomerId>,
    /// Links the card to another account.
    pub account_id: Option<AccountId>,
    /// The new status, one of S1's.
    pub status: Option<CardStatus>,
    /// Where its PIN comes from.
    pub pin_status: Option<PinStatus>,
    /// Lines that change.
    pub embossing: Option<EmbossingChange>,
    /// Exported unchanged.
    pub segment: Option<Segment>,
    /// The whole new card address.
    pub card_address: Option<Address>,
    /// The whole new PIN address.
    pub pin_address: Option<Address>,
    /// How the card goes.
    pub card_delivery_type: Option<CardDeliveryType>,
    /// How the PIN goes.
    pub pin_delivery_type: Option<PinDeliveryType>,
}

masked_debug!(UpdateCard);

const REASON: TextRule = TextRule::free(0, 32);
const ID: &str = "[1-9][0-9]{0,17}";

impl UpdateCard {
    /// Reads the body; every field may be absent.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(card_id: CardId, mut body: Fields) -> Result<Self, Refusal> {
        let order = Self {
            card_id,
            customer_id: body.parsed("customerId", ID)?,
            account_id: body.parsed("accountId", ID)?,
            status: read_status(&mut body)?,
            pin_status: body.word("pinStatus")?,
            embossing: EmbossingChange::read(&mut body)?,
            segment: body.word("segment")?,
            card_address: read_address(&mut body, "cardAddress")?,
            pin_address: read_address(&mut body, "pinAddress")?,
            card_delivery_type: body.word("cardDeliveryType")?,
            pin_delivery_type: body.word("pinDeliveryType")?,
        };
        body.text("reason", &REASON)?;
        check_limits(&mut body)?;
        body.end()?;
        Ok(order)
    }
}

/// S1 lets every status be set but CARD_INVALID.
fn read_status(body: &mut Fields) -> Result<Option<CardStatus>, Refusal> {
    match body.word("status")? {
        Some(CardStatus::Invalid) => {
            body.refuse("status", ErrorCode::FieldValue, "cannot be CARD_INVALID: the API has no such change")
        }
        status => Ok(status),
    }
}
