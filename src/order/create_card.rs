//! createCard (S0, S2): one body, the union of both, plus the delivery types of S1.

use chrono::{DateTime, Utc};

use super::address::read_address;
use super::embossing::EmbossingChange;
use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::instant::{INSTANT, parse_instant};
use super::text::{Form, TextRule};
use crate::card::characters::{key_allowed, value_allowed};
use crate::card::product::words;
use crate::card::secret::masked_debug;
use crate::card::{
    AccountId, AdditionalValue, Address, CardDeliveryType, CardId, CardRole, CustomerId, Embossing, Expiry,
    PinDeliveryType, PinStatus, PlasticId, Scheme, Segment,
};

/// createCard. What needs the configuration or the database (product, PAN, ids) is intake's.
#[derive(Clone, PartialEq, Eq)]
pub struct CreateCard {
    /// What the envelope says.
    pub parties: CardParties,
    /// The product; the institution's default where absent.
    pub product_code: Option<String>,
    /// Overrides the product's months (R117).
    pub expiration: Option<Expiry>,
    /// Exported unchanged (R10).
    pub segment: Option<Segment>,
    /// D where the order names none (R33).
    pub pin_status: PinStatus,
    /// Wallet artwork; never in a file.
    pub digital_layout_code: Option<String>,
    /// When the card closes (R14).
    pub scheduled_closing: Option<DateTime<Utc>>,
    /// Up to ten pairs (R99).
    pub additional_values: Vec<AdditionalValue>,
    /// JWE with the card number, compact.
    pub encrypted_data: Option<String>,
    /// `None` where the order has no embossing object, which only virtual products may do (S0).
    pub embossing: Option<Embossing>,
    /// Where the PIN goes.
    pub pin_address: Option<Address>,
    /// Where the card goes.
    pub card_address: Option<Address>,
    /// How the card goes.
    pub card_delivery_type: Option<CardDeliveryType>,
    /// How the PIN goes.
    pub pin_delivery_type: Option<PinDeliveryType>,
}

/// The envelope's part of createCard: the API has these in its path (S0, S2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardParties {
    /// The id the card platform gave the card; assigned where absent.
    pub card_id: Option<CardId>,
    /// The id of the plastic to be produced, or of the only one; assigned where absent.
    pub plastic_id: Option<PlasticId>,
    /// The cardholder.
    pub customer_id: CustomerId,
    /// The account.
    pub account_id: AccountId,
    /// MAIN or SUPPLEMENTARY.
    pub role: CardRole,
    /// Must be the product's, where given.
    pub scheme: Option<Scheme>,
}

words!(
    /// The kinds of scheduled closing (S2).
    ClosingType {
        /// At a given time.
        TimeBased = "TIMEBASED",
    }
);

masked_debug!(CreateCard);

const PRODUCT_CODE: TextRule =
    TextRule { min: 2, max: 65, form: Form::Pattern(is_product_code, "[A-Z][A-Z_0-9]{1,64}") };
const DIGITAL_LAYOUT: TextRule = TextRule::class(1, 32, |c| c.is_ascii_alphanumeric(), "[a-zA-Z0-9]");
const KEY: TextRule = TextRule::class(1, 8, key_allowed, "[a-zA-Z0-9-_ ]");
const VALUE: TextRule = TextRule::class(1, 50, value_allowed, "the API's set for additional values");
const MAX_ADDITIONAL_VALUES: usize = 10;
/// A 4096-bit key makes about 1,000 characters; more is no card number.
const ENCRYPTED_DATA: TextRule = TextRule::free(1, 4096);

fn is_product_code(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

impl CreateCard {
    /// Reads the body.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(parties: CardParties, mut body: Fields) -> Result<Self, Refusal> {
        let embossing = EmbossingChange::read(&mut body)?;
        let order = Self {
            parties,
            product_code: body.text("productCode", &PRODUCT_CODE)?,
            expiration: read_expiration(&mut body)?,
            segment: body.word("segment")?,
            pin_status: body.word("pinStatus")?.unwrap_or(PinStatus::Default),
            digital_layout_code: body.text("digitalLayoutCode", &DIGITAL_LAYOUT)?,
            scheduled_closing: read_scheduled_closing(&mut body)?,
            additional_values: read_additional_values(&mut body)?,
            encrypted_data: body.text("encryptedData", &ENCRYPTED_DATA)?,
            embossing: embossing.map(|change| change.apply(&Embossing::default())).transpose()?,
            pin_address: read_address(&mut body, "pinAddress")?,
            card_address: read_address(&mut body, "cardAddress")?,
            card_delivery_type: body.word("cardDeliveryType")?,
            pin_delivery_type: body.word("pinDeliveryType")?,
        };
        body.end()?;
        Ok(order)
    }
}

/// Reads `expiration` (S2).
pub(super) fn read_expiration(body: &mut Fields) -> Result<Option<Expiry>, Refusal> {
    let Some(mut fields) = body.object("expiration")? else { return Ok(None) };
    let year = fields.whole("year", 2000..=2099)?;
    let month = fields.whole("month", 1..=12)?;
    let number = fields.required("year", year)? * 100 + fields.required("month", month)?;
    fields.end()?;
    Ok(Expiry::from_number(number))
}

fn read_scheduled_closing(body: &mut Fields) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(mut fields) = body.object("scheduledClosing")? else { return Ok(None) };
    let kind = fields.word::<ClosingType>("type")?;
    fields.required("type", kind)?;
    let text = fields.string("time")?;
    let text = fields.required("time", text)?;
    let Some(time) = parse_instant(&text) else {
        return fields.refuse("time", ErrorCode::FieldPattern, &format!("must be {INSTANT}"));
    };
    fields.end()?;
    Ok(Some(time))
}

fn read_additional_values(body: &mut Fields) -> Result<Vec<AdditionalValue>, Refusal> {
    let pairs = body.objects("additionalValues", MAX_ADDITIONAL_VALUES)?.unwrap_or_default();
    pairs.into_iter().map(read_pair).collect()
}

fn read_pair(mut pair: Fields) -> Result<AdditionalValue, Refusal> {
    let key = pair.text("key", &KEY)?;
    let value = pair.text("value", &VALUE)?;
    let read = AdditionalValue { key: pair.required("key", key)?, value: pair.required("value", value)? };
    pair.end()?;
    Ok(read)
}
