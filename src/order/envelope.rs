//! The line of an order: its envelope, its operation, its canonical form.

use std::str::FromStr;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::account::{CreateAccount, UpdateAccount, read_address_only};
use super::create_card::{CardParties, CreateCard};
use super::customer::{CreateCustomer, UpdateCustomer};
use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::instant::{INSTANT, parse_instant};
use super::json::{canonical, parse_object};
use super::later::{OrderPhysical, ReissueCard, ReplaceCard, SetPin, read_no_fields};
use super::plastic::{PlasticReference, UpdatePlastic};
use super::text::TextRule;
use super::update_card::UpdateCard;
use crate::card::ids::IdError;
use crate::card::product::words;
use crate::card::{CardId, InstitutionId};

/// The longest line, in bytes without its line break.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// How far `at` may lie ahead of the clock.
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);

const ID: &str = "[1-9][0-9]{0,17}";
const ORDER_ID: &str = "[A-Za-z0-9._:-]{1,64}";
const INSTITUTION_ID: &str = "[0-9]{1,6}";
const AUDIT_USER: TextRule = TextRule::free(1, 255);

/// The idempotency key of an order, unique within an institution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderId(String);

impl OrderId {
    /// The text, as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrderId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError { what: "orderId", pattern: ORDER_ID })
        }
    }
}

words!(
    /// The operations of the API.
    OperationName {
        /// S3.
        CreateCustomer = "createCustomer",
        /// S4.
        UpdateCustomer = "updateCustomer",
        /// S4.
        CreateAccount = "createAccount",
        /// S4.
        UpdateAccount = "updateAccount",
        /// S0, S2.
        CreateCard = "createCard",
        /// S1.
        UpdateCard = "updateCard",
        /// S4.
        SetPin = "setPin",
        /// S4.
        ReissueCard = "reissueCard",
        /// S4.
        ReplaceCard = "replaceCard",
        /// S4.
        ReorderPin = "reorderPin",
        /// S4.
        OrderPhysical = "orderPhysical",
        /// S4.
        UpdatePlastic = "updatePlastic",
    }
);

/// What an order asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Makes a customer.
    CreateCustomer(Box<CreateCustomer>),
    /// Changes a customer.
    UpdateCustomer(Box<UpdateCustomer>),
    /// Makes an account.
    CreateAccount(CreateAccount),
    /// Changes an account.
    UpdateAccount(UpdateAccount),
    /// Makes a card and its plastics.
    CreateCard(Box<CreateCard>),
    /// Changes a card.
    UpdateCard(Box<UpdateCard>),
    /// Sets the customer's own PIN.
    SetPin(SetPin),
    /// Makes another plastic for the same card number.
    ReissueCard(ReissueCard),
    /// Makes a new card in place of a lost one.
    ReplaceCard(Box<ReplaceCard>),
    /// Mails the PIN again.
    ReorderPin(CardId),
    /// Makes the physical form of a virtual card.
    OrderPhysical(OrderPhysical),
    /// Cancels or activates a plastic.
    UpdatePlastic(UpdatePlastic),
}

/// A valid order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its idempotency key.
    pub order_id: OrderId,
    /// The issuer.
    pub institution: InstitutionId,
    /// When it was made, microseconds; becomes `marked_at` of what it marks.
    pub at: DateTime<Utc>,
    /// What it asks for.
    pub operation: Operation,
}

/// A line read as far as its identity: enough to see whether it was answered before.
#[derive(Debug)]
pub struct Envelope {
    /// The idempotency key.
    pub order_id: OrderId,
    /// The issuer.
    pub institution: InstitutionId,
    canonical: String,
    fields: Fields,
}

/// A line without a usable identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The order id, where that at least could be read.
    pub order_id: Option<OrderId>,
    /// Why the line is refused.
    pub refusal: Refusal,
}

impl From<Refusal> for Unreadable {
    fn from(refusal: Refusal) -> Self {
        Self { order_id: None, refusal }
    }
}

impl Envelope {
    /// Reads a line's JSON and its identity; the rest is [`Envelope::order`]'s.
    ///
    /// # Errors
    /// [`Unreadable`] for a line that is too long, not UTF-8, not one strict JSON object, or without identity.
    pub fn read(line: &[u8]) -> Result<Self, Unreadable> {
        if line.len() > MAX_LINE_BYTES {
            return Err(too_long().into());
        }
        let text = std::str::from_utf8(line)
            .map_err(|error| ErrorCode::NotUtf8.because(format!("byte {} is not UTF-8", error.valid_up_to() + 1)))?;
        if text.starts_with('\u{FEFF}') {
            let what = "the line begins with a byte order mark (U+FEFF): write the file without one";
            return Err(ErrorCode::NotJson.because(what).into());
        }
        let members = parse_object(text)?;
        let canonical = canonical(&members);
        let mut fields = Fields::new("", members);
        let order_id = fields.parsed::<OrderId>("orderId", ORDER_ID)?;
        let order_id = fields.required("orderId", order_id)?;
        let institution = fields.parsed("institutionId", INSTITUTION_ID);
        match institution.and_then(|institution| fields.required("institutionId", institution)) {
            Ok(institution) => Ok(Self { order_id, institution, canonical, fields }),
            Err(refusal) => Err(Unreadable { order_id: Some(order_id), refusal }),
        }
    }

    /// The line as the MAC takes it: keys sorted, no white space, no nulls, no `at` that was not given.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Reads the rest. `now` is the present time: the default of `at`, and the limit it may not pass by much.
    ///
    /// # Errors
    /// The first field that is missing or not as it must be.
    pub fn order(self, now: DateTime<Utc>) -> Result<Order, Refusal> {
        let mut fields = self.fields;
        let name = fields.word::<OperationName>("op").map_err(unknown_operation)?;
        let name = fields.required("op", name)?;
        let audit_user = fields.text("auditUser", &AUDIT_USER)?;
        fields.required("auditUser", audit_user)?;
        let at = read_at(&mut fields, now)?;
        let body = fields.object("body")?;
        let operation = read_operation(name, &mut fields, body)?;
        fields.end()?;
        Ok(Order { order_id: self.order_id, institution: self.institution, at, operation })
    }
}

/// The refusal of a line over [`MAX_LINE_BYTES`].
pub fn too_long() -> Refusal {
    ErrorCode::LineTooLong.because(format!("the line is over {MAX_LINE_BYTES} bytes"))
}

fn unknown_operation(refusal: Refusal) -> Refusal {
    match refusal.code {
        ErrorCode::FieldValue => ErrorCode::OperationUnknown.because(refusal.reason),
        _ => refusal,
    }
}

fn read_at(fields: &mut Fields, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let now = now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now);
    let Some(text) = fields.string("at")? else { return Ok(now) };
    match parse_instant(&text) {
        None => fields.refuse("at", ErrorCode::FieldPattern, &format!("must be {INSTANT}")),
        Some(at) if at > now + MAX_AHEAD => {
            fields.refuse("at", ErrorCode::OrderInFuture, "is more than 5 minutes ahead of this system's clock")
        }
        Some(at) => Ok(at),
    }
}

fn read_operation(name: OperationName, fields: &mut Fields, body: Option<Fields>) -> Result<Operation, Refusal> {
    use OperationName as N;
    Ok(match name {
        N::CreateCustomer => {
            let customer_id = fields.parsed("customerId", ID)?;
            Operation::CreateCustomer(Box::new(CreateCustomer::read(customer_id, fields.required("body", body)?)?))
        }
        N::UpdateCustomer => {
            let customer_id = required_id(fields, "customerId")?;
            Operation::UpdateCustomer(Box::new(UpdateCustomer::read(customer_id, fields.required("body", body)?)?))
        }
        N::CreateAccount => Operation::CreateAccount(CreateAccount {
            account_id: fields.parsed("accountId", ID)?,
            customer_id: required_id(fields, "customerId")?,
            address: read_address_only(body)?,
        }),
        N::UpdateAccount => {
            let account_id = required_id(fields, "accountId")?;
            let address = read_address_only(Some(fields.required("body", body)?))?;
            Operation::UpdateAccount(UpdateAccount { account_id, address })
        }
        N::CreateCard => {
            let parties = read_parties(fields)?;
            Operation::CreateCard(Box::new(CreateCard::read(parties, fields.required("body", body)?)?))
        }
        N::UpdateCard => {
            let card_id = required_id(fields, "cardId")?;
            Operation::UpdateCard(Box::new(UpdateCard::read(card_id, fields.required("body", body)?)?))
        }
        N::UpdatePlastic => {
            let plastic = read_plastic(fields)?;
            Operation::UpdatePlastic(UpdatePlastic::read(plastic, fields.required("body", body)?)?)
        }
        N::SetPin => {
            let card_id = required_id(fields, "cardId")?;
            Operation::SetPin(SetPin::read(card_id, fields.required("body", body)?)?)
        }
        N::ReissueCard => {
            let card_id = required_id(fields, "cardId")?;
            Operation::ReissueCard(ReissueCard::read(card_id, fields.parsed("plasticId", ID)?, body)?)
        }
        N::ReplaceCard => {
            let card_id = required_id(fields, "cardId")?;
            Operation::ReplaceCard(Box::new(ReplaceCard::read(card_id, fields.parsed("plasticId", ID)?, body)?))
        }
        N::ReorderPin => {
            read_no_fields(body)?;
            Operation::ReorderPin(required_id(fields, "cardId")?)
        }
        N::OrderPhysical => {
            read_no_fields(body)?;
            let card_id = required_id(fields, "cardId")?;
            Operation::OrderPhysical(OrderPhysical { card_id, plastic_id: fields.parsed("plasticId", ID)? })
        }
    })
}

fn required_id<T: FromStr>(fields: &mut Fields, field: &str) -> Result<T, Refusal> {
    let id = fields.parsed(field, ID)?;
    fields.required(field, id)
}

fn read_parties(fields: &mut Fields) -> Result<CardParties, Refusal> {
    let role = fields.word("cardRole")?;
    Ok(CardParties {
        card_id: fields.parsed("cardId", ID)?,
        plastic_id: fields.parsed("plasticId", ID)?,
        customer_id: required_id(fields, "customerId")?,
        account_id: required_id(fields, "accountId")?,
        role: fields.required("cardRole", role)?,
        scheme: fields.word("scheme")?,
    })
}

fn read_plastic(fields: &mut Fields) -> Result<PlasticReference, Refusal> {
    if let Some(plastic_id) = fields.parsed("plasticId", ID)? {
        return Ok(PlasticReference::Id(plastic_id));
    }
    let Some(card_id) = fields.parsed("cardId", ID)? else {
        return Err(ErrorCode::FieldMissing.because("plasticId is missing, or cardId and sequenceNumber in its place"));
    };
    let number = fields.whole("sequenceNumber", 1..=99)?;
    let number = fields.required("sequenceNumber", number)?;
    // Safe because: bounded to 1 ..= 99.
    Ok(PlasticReference::Number(card_id, number as u8))
}
