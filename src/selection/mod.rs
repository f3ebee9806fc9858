//! Which requests go into tonight's file: one pure function from a candidate to a verdict, rules R1-R42, R50-R55
//! and R80-R100 of `docs/RULES.md`.
//!
//! A candidate is one production request together with everything known of its card at the claim. The verdict is
//! decided against T0, the run's cut-off, and the agreement's terms; nothing is remembered between runs (R54).

mod address;
mod decide;
mod events;
mod lines;
mod pin;
mod route;
mod sort_key;
mod status;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

use chrono::{DateTime, Utc};

pub use address::{card_delivery, pin_delivery, pin_delivery_type, recipient};
pub use decide::select;
pub use events::{is_due, plastic_in_use};
pub use lines::{Lines, additional_values, embossing_lines};
pub use pin::{days_waiting, warning_age};
pub use route::{select_unrouted, unrouted};
pub use sort_key::sort_key;
pub use tally::{Finding, PinWait, Standing, Tally};

use crate::card::product::words;
use crate::card::{
    Account, AddressSource, Card, CardDeliveryType, CardId, Customer, InstitutionId, PinDeliveryType, Plastic,
    PlasticId, ProductionEvent, RecordUid,
};

/// A production request: what a marked plastic, a reordered PIN or a reproduction becomes (one `recordUid` for ever).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identity.
    pub record_uid: RecordUid,
    /// The plastic to be made, or for ROPIN the plastic in use.
    pub plastic_id: PlasticId,
    /// Why.
    pub event: ProductionEvent,
    /// A second production of the same plastic, ordered by a person.
    pub reproduction: bool,
    /// When it was marked.
    pub marked_at: DateTime<Utc>,
}

/// Everything known of one card with at least one due request, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// The issuer.
    pub institution: InstitutionId,
    /// The card.
    pub card_id: CardId,
    /// Its newest version, by number and content.
    pub card_version: i64,
    /// The card.
    pub card: Card,
    /// Version of the cardholder's row.
    pub customer_version: i64,
    /// The cardholder (R83).
    pub customer: Customer,
    /// Version of the account's row.
    pub account_version: i64,
    /// The account.
    pub account: Account,
    /// Every plastic of the card that was not cancelled, by sequence number.
    pub plastics: Vec<Plastic>,
    /// Version of the newest PIN on record, if any, leaving out PINs that were issued for one of this card's OPEN
    /// requests: such a PIN is found again by its recordUid (R40) and its letter is still owed (R41).
    pub pin_version: Option<i64>,
    /// The card's OPEN requests with `marked_at <= T0`.
    pub requests: Vec<Request>,
}

/// One request and its card.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The card.
    pub dossier: &'a Dossier,
    /// The request, one of the dossier's.
    pub request: &'a Request,
}

/// What is to be done about the PIN when the record is made (R34-R36, R41).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinAction {
    /// The product has no PIN.
    None,
    /// A new random PIN, persisted before the record is built; keyed by recordUid (R40).
    Generate,
    /// The PIN on record.
    Stored,
}

impl PinAction {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Generate => "GENERATE",
            Self::Stored => "STORED",
        }
    }
}

/// What the claim fixes for a record that will be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Production {
    /// What to do about the PIN.
    pub pin: PinAction,
    /// How the card goes; `None` for PIN_ONLY records.
    pub card_delivery: Option<CardDelivery>,
    /// The PIN letter; `None` where none is printed.
    pub pin_mailer: Option<PinMailer>,
    /// Where the record stands in its file ([`sort_key()`]).
    pub sort_key: String,
    /// What a person may want to know; nothing is held by these.
    pub warnings: Vec<Warning>,
}

/// Card delivery as decided by R80-R87.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardDelivery {
    /// The type, after the agreement's default.
    pub kind: CardDeliveryType,
    /// The whole address object of one level.
    pub address: crate::card::Address,
    /// That level.
    pub source: AddressSource,
}

/// PIN letter as decided by R41, R42, R81.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinMailer {
    /// The type; never EPIN.
    pub kind: PinDeliveryType,
    /// The whole address object of one level.
    pub address: crate::card::Address,
    /// That level.
    pub source: AddressSource,
}

/// The verdict on one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Goes into the file.
    Produce(Box<Production>),
    /// Stays marked, looked at again next run.
    Hold(Reason),
    /// Will not go without a new order or an operator; recomputed each run.
    Exclude(Reason),
    /// Closed without a record (R27).
    Close(Reason),
}

/// Why a request did not become a record: a stable code and what a person needs, never a secret or a value of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// A sentence's worth of detail: field, position, code point, days; empty where the code says it all.
    pub detail: String,
    /// Whether it is worth an alert (R5, R13, R52).
    pub alert: bool,
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self { code, detail: String::new(), alert: false }
    }
}

impl ReasonCode {
    /// The reason with detail.
    pub fn because(self, detail: impl Into<String>) -> Reason {
        Reason { code: self, detail: detail.into(), alert: false }
    }

    /// The reason with detail, worth an alert.
    pub fn alert(self, detail: impl Into<String>) -> Reason {
        Reason { code: self, detail: detail.into(), alert: true }
    }
}

words!(
    /// The stable reason codes (R144).
    ReasonCode {
        /// R30: the customer has yet to set the PIN.
        HeldPinWait = "HELD_PIN_WAIT",
        /// R34: the device refused this card.
        PinGenerationFailed = "PIN_GENERATION_FAILED",
        /// R26, R36: no PIN on record.
        PinNotAvailable = "PIN_NOT_AVAILABLE",
        /// R51: temporary block.
        CardBlocked = "CARD_BLOCKED",
        /// R52: closed for good.
        CardStatusFinal = "CARD_STATUS_FINAL",
        /// R50: renewal of a card not to be renewed.
        RenewalStopped = "RENEWAL_STOPPED",
        /// R14: closes before production.
        CardClosedBySchedule = "CARD_CLOSED_BY_SCHEDULE",
        /// R15: past its expiry.
        PlasticExpired = "PLASTIC_EXPIRED",
        /// R4: no plastic wanted.
        PhysicalFalse = "PHYSICAL_FALSE",
        /// R5: a virtual event was marked.
        VirtualEvent = "VIRTUAL_EVENT",
        /// R21, R22: event and sequence number do not fit.
        EventSequenceMismatch = "EVENT_SEQUENCE_MISMATCH",
        /// R13: two marked plastics.
        DuplicateMarked = "DUPLICATE_MARKED",
        /// R8: no house named, no default.
        ManufacturerMissing = "MANUFACTURER_MISSING",
        /// R8: no active agreement with that house.
        ManufacturerUnknown = "MANUFACTURER_UNKNOWN",
        /// R8: not a code.
        ManufacturerInvalid = "MANUFACTURER_INVALID",
        /// R86: no address at any level.
        AddressMissing = "ADDRESS_MISSING",
        /// R86: a mandatory line is missing.
        AddressIncomplete = "ADDRESS_INCOMPLETE",
        /// R88: a letter the house does not know.
        AddressCharset = "ADDRESS_CHARSET",
        /// A line longer than the house's.
        AddressTooLong = "ADDRESS_TOO_LONG",
        /// R92: no name.
        NameMissing = "NAME_MISSING",
        /// R90: first and last name are too long together.
        NameTooLong = "NAME_TOO_LONG",
        /// R93: a character outside the agreed set.
        Charset = "CHARSET",
        /// R91: a line is too long.
        FieldTooLong = "FIELD_TOO_LONG",
        /// R99: a pair is not as agreed.
        AdditionalValueInvalid = "ADDITIONAL_VALUE_INVALID",
        /// R144: the agreement lists layouts and this is not one.
        LayoutUnknown = "LAYOUT_UNKNOWN",
        /// The institution is no longer configured.
        InstitutionUnknown = "INSTITUTION_UNKNOWN",
        /// R135: the agreement stands still, a key is unusable.
        KeyUnusable = "KEY_UNUSABLE",
        /// The vault cannot open the card number.
        CardDataUnavailable = "CARD_DATA_UNAVAILABLE",
        /// CVV or track cannot be computed.
        CryptoUnavailable = "CRYPTO_UNAVAILABLE",
        /// R27: the PIN is delivered electronically.
        NothingToPrint = "NOTHING_TO_PRINT",
        /// R28: the card's letter carried the PIN.
        Superseded = "SUPERSEDED",
        /// R28: waits for the file with the card.
        WaitingForCardFile = "WAITING_FOR_CARD_FILE",
        /// R69: the plastic was not where it should be.
        SettleMismatch = "SETTLE_MISMATCH",
        /// The sealed bytes are gone.
        SpoolLost = "SPOOL_LOST",
        /// R125: became final after sealing.
        ClosedAfterSealing = "CLOSED_AFTER_SEALING",
        /// The order was cancelled (R122).
        Cancelled = "CANCELLED",
        /// The agreement stopped: too many bad records (fault 26).
        TooManyBadRecords = "TOO_MANY_BAD_RECORDS",
        /// The agreement stopped: its destination cannot be used.
        DestinationUnusable = "DESTINATION_UNUSABLE",
        /// An earlier file of the agreement is still on its way (R136).
        WaitingForEarlierFile = "WAITING_FOR_EARLIER_FILE",
        /// Its date was claimed before it could go: it goes with the next night.
        WaitingForNextNight = "WAITING_FOR_NEXT_NIGHT",
        /// The product of the card is no longer configured.
        ProductUnknown = "PRODUCT_UNKNOWN",
    }
);

impl ReasonCode {
    /// Whether the record's data are at fault (counted by fault 26), not a wait, a block or a configuration.
    pub fn is_bad_data(self) -> bool {
        matches!(
            self,
            Self::PinGenerationFailed
                | Self::PinNotAvailable
                | Self::EventSequenceMismatch
                | Self::DuplicateMarked
                | Self::ManufacturerInvalid
                | Self::AddressMissing
                | Self::AddressIncomplete
                | Self::AddressCharset
                | Self::AddressTooLong
                | Self::NameMissing
                | Self::NameTooLong
                | Self::Charset
                | Self::FieldTooLong
                | Self::AdditionalValueInvalid
                | Self::LayoutUnknown
                | Self::CardDataUnavailable
                | Self::CryptoUnavailable
        )
    }
}

words!(
    /// Warnings that go with a produced record.
    WarningCode {
        /// R14: the card closes soon after.
        ClosingSoon = "CLOSING_SOON",
        /// R84: a temporary address without an end.
        TempAddressOpenEnded = "TEMP_ADDRESS_OPEN_ENDED",
        /// A7: an additional field longer than the layout's line.
        FieldOverLayout = "FIELD_OVER_LAYOUT",
        /// The layout code is not of EN's pattern.
        LayoutCodePattern = "LAYOUT_CODE_PATTERN",
        /// R99: the same key twice.
        AdditionalValueDuplicate = "ADDITIONAL_VALUE_DUPLICATE",
        /// R98: the stripe's name was shortened.
        Track1NameShortened = "TRACK1_NAME_SHORTENED",
    }
);

/// A warning with its detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The stable code.
    pub code: WarningCode,
    /// Field or days; empty where the code says it all.
    pub detail: String,
}
