//! The orders of a card's later life (S4): reissueCard, replaceCard, orderPhysical, reorderPin, setPin.

use super::create_card::read_expiration;
use super::embossing::EmbossingChange;
use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::json::Object;
use super::text::TextRule;
use crate::card::secret::masked_debug;
use crate::card::{CardId, Expiry, PinBlockFormat, PinStatus, PlasticId, SecretHex};

/// reissueCard: another plastic for the same card number (R114, R115).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReissueCard {
    /// Which.
    pub card_id: CardId,
    /// The id of the plastic to be produced; assigned where absent.
    pub plastic_id: Option<PlasticId>,
    /// The card's new PIN status; absent = it stays.
    pub pin_status: Option<PinStatus>,
}

/// replaceCard: a new card number in place of a lost one (R116).
#[derive(Clone, PartialEq, Eq)]
pub struct ReplaceCard {
    /// The card that is lost.
    pub card_id: CardId,
    /// The id of the plastic of the new card that is produced, or of its only one; assigned where absent.
    pub plastic_id: Option<PlasticId>,
    /// The id of the new card; assigned where absent.
    pub new_card_id: Option<CardId>,
    /// The new card's PIN status: D where the order names none, whatever the lost card's is (R33, R38).
    pub pin_status: PinStatus,
    /// Lines that differ from the lost card's.
    pub embossing: Option<EmbossingChange>,
    /// Overrides the product's months (R117).
    pub expiration: Option<Expiry>,
}

/// orderPhysical: the physical form of a card that so far is virtual (RALLRE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderPhysical {
    /// Which.
    pub card_id: CardId,
    /// The id of the plastic to be produced; assigned where absent.
    pub plastic_id: Option<PlasticId>,
}

/// setPin: the customer's own PIN, encrypted (R32, R36, R39).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPin {
    /// Which card.
    pub card_id: CardId,
    /// The PIN block: 16 hexadecimal digits for formats 0 and 3, 32 for format 4.
    pub block: SecretHex,
    /// Its ISO 9564-1 format.
    pub format: PinBlockFormat,
    /// The zone PIN key it is under, one that was agreed with the institution.
    pub key_id: String,
}

masked_debug!(ReplaceCard);

const ID: &str = "[1-9][0-9]{0,17}";
const KEY_ID: TextRule = TextRule::free(1, 64);

impl ReissueCard {
    /// Reads the body; no body is an empty one.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(card_id: CardId, plastic_id: Option<PlasticId>, body: Option<Fields>) -> Result<Self, Refusal> {
        let Some(mut body) = body else { return Ok(Self { card_id, plastic_id, pin_status: None }) };
        let order = Self { card_id, plastic_id, pin_status: body.word("pinStatus")? };
        body.end()?;
        Ok(order)
    }
}

impl ReplaceCard {
    /// Reads the body; no body is an empty one.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(card_id: CardId, plastic_id: Option<PlasticId>, body: Option<Fields>) -> Result<Self, Refusal> {
        let mut body = body.unwrap_or_else(|| Fields::new("body", Object::new()));
        let order = Self {
            card_id,
            plastic_id,
            new_card_id: body.parsed("newCardId", ID)?,
            pin_status: body.word("pinStatus")?.unwrap_or(PinStatus::Default),
            embossing: EmbossingChange::read(&mut body)?,
            expiration: read_expiration(&mut body)?,
        };
        body.end()?;
        Ok(order)
    }
}

impl SetPin {
    /// Reads the body.
    ///
    /// # Errors
    /// The first field that is missing or not as it must be; the block itself is never repeated.
    pub fn read(card_id: CardId, mut body: Fields) -> Result<Self, Refusal> {
        let format = body.word("format")?;
        let format: PinBlockFormat = body.required("format", format)?;
        let block = body.string("pinBlock")?.map(SecretHex::new);
        let block = body.required("pinBlock", block)?;
        let digits = block_digits(format);
        if block.expose().len() != digits || !block.expose().bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let reason = format!("must be {digits} hexadecimal digits, as format {format} has them");
            return body.refuse("pinBlock", ErrorCode::FieldPattern, &reason);
        }
        let key_id = body.text("keyId", &KEY_ID)?;
        let key_id = body.required("keyId", key_id)?;
        body.end()?;
        Ok(Self { card_id, block: SecretHex::new(block.expose().to_ascii_uppercase()), format, key_id })
    }
}

/// Hexadecimal digits of a PIN block: 8 bytes under TDES, 16 under AES (ISO 9564-1).
fn block_digits(format: PinBlockFormat) -> usize {
    match format {
        PinBlockFormat::Iso0 | PinBlockFormat::Iso3 => 16,
        PinBlockFormat::Iso4 => 32,
    }
}

/// Holds a body to having no fields: orderPhysical and reorderPin say everything in their envelope.
///
/// # Errors
/// FIELD_UNKNOWN.
pub fn read_no_fields(body: Option<Fields>) -> Result<(), Refusal> {
    body.map_or(Ok(()), Fields::end)
}
