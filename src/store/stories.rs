//! What the database knows of one card, from the orders that made it to the files it went in.
//!
//! Invariants: nothing here is a card number beyond first six and last four, a name, an address or a secret, and no column
//! that holds one is read, so that a role that may not see them can ask; all of it is one state of the database.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::StoreError;
use super::rows::{AuditRow, EventRow, NightKey};
use crate::card::{
    AccountId, CardId, CardStatus, CustomerId, FileId, InstitutionId, ManufacturerCode, PinStatus, Plastic, PlasticId,
    ProductionEvent, RecordUid,
};
use crate::document::FileType;
use crate::selection::{ReasonCode, Standing};
use crate::settlement::FileState;

/// What somebody asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A card.
    Card(CardId),
    /// One of its plastics.
    Plastic(PlasticId),
}

/// When a version was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionNote {
    /// 1 and up.
    pub version: i64,
    /// Since when it counts: the time of its order.
    pub made_at: DateTime<Utc>,
}

/// One version of the card, without what stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardVersionNote {
    /// Number and time.
    pub note: VersionNote,
    /// The product's code.
    pub product_code: String,
    /// The scheme.
    pub scheme: String,
    /// The card's status.
    pub status: CardStatus,
    /// Since when it has that status.
    pub status_since: DateTime<Utc>,
    /// Where its PIN comes from.
    pub pin_status: PinStatus,
    /// Whether a plastic is made at all; absent: the product says so.
    pub physical: Option<bool>,
    /// When the card closes by schedule.
    pub scheduled_closing: Option<DateTime<Utc>>,
    /// The lost card this one replaces.
    pub replaces: Option<CardId>,
    /// The card made in place of this one.
    pub replaced_by: Option<CardId>,
}

/// A PIN: that it is there, nothing else of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinNote {
    /// Number and time.
    pub note: VersionNote,
    /// The request it was made for; `None` where the customer set it.
    pub record_uid: Option<RecordUid>,
    /// Whether it is what reissues, renewals and PIN orders use: not where its request has not gone out, or it is void.
    pub on_record: bool,
}

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderNote {
    /// Its id.
    pub order_id: String,
    /// Its operation.
    pub op: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The answer, JSON.
    pub answer: String,
}

/// A production request, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestNote {
    /// Its identity.
    pub record_uid: RecordUid,
    /// The plastic.
    pub plastic_id: PlasticId,
    /// Why.
    pub event: ProductionEvent,
    /// A second production.
    pub reproduction: bool,
    /// When it was marked.
    pub marked_at: DateTime<Utc>,
    /// OPEN, CLAIMED, SENT or CLOSED.
    pub state: String,
    /// Why it was closed, or what was wrong with it when it was settled.
    pub reason: Option<String>,
    /// The file it is in.
    pub file_id: Option<FileId>,
}

/// What stood in a request's way, and on which nights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingNote {
    /// The request.
    pub record_uid: RecordUid,
    /// HOLD or EXCLUDE.
    pub standing: Standing,
    /// Why.
    pub code: ReasonCode,
    /// The first night, a date of T0.
    pub first_night: NaiveDate,
    /// The last one.
    pub last_night: NaiveDate,
    /// How many nights.
    pub times: u64,
}

/// A night on which an agreement of the issuer stood still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopNote {
    /// The night.
    pub night: NightKey,
    /// Its T0.
    pub cut_off: DateTime<Utc>,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// Why.
    pub code: ReasonCode,
}

/// A file of the issuer that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedNote {
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// Final name, or the id before there is one.
    pub name: String,
    /// Where it stands.
    pub state: FileState,
}

/// A request's place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemNote {
    /// The request.
    pub record_uid: RecordUid,
    /// The plastic.
    pub plastic_id: PlasticId,
    /// Which record of the file it is, 1 and up; `None` where it was taken out again.
    pub record_number: Option<u64>,
    /// Why it was taken out.
    pub reason: Option<String>,
}

/// One time a file was brought to its house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryNote {
    /// 1: the night's own; then one per resend.
    pub delivery_number: u64,
    /// Where it stands.
    pub state: String,
    /// The newest attempt; numbered over all deliveries of the file.
    pub attempt: u64,
    /// Which server, user and folders it was: the receipt. Empty before an attempt has begun.
    pub identity: String,
    /// When that attempt began.
    pub started_at: DateTime<Utc>,
    /// When the file got its final name there.
    pub published_at: Option<DateTime<Utc>>,
}

/// A file that has, or had, a record of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNote {
    /// Its id.
    pub file_id: FileId,
    /// The night.
    pub night: NightKey,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// Its number.
    pub sequence_number: u64,
    /// NORMAL or DUPLICATE.
    pub file_type: FileType,
    /// The file a duplicate repeats.
    pub resend_of: Option<FileId>,
    /// Where its row stands.
    pub state: String,
    /// T0.
    pub cut_off: DateTime<Utc>,
    /// Database time of the claim.
    pub data_as_of: DateTime<Utc>,
    /// Final name, once sealed.
    pub file_name: Option<String>,
    /// Digest of the sealed bytes.
    pub sha256: Option<String>,
    /// Records, once sealed.
    pub records: Option<u64>,
    /// Whether a person took its cards out.
    pub abandoned: bool,
    /// The last thing that went wrong.
    pub trouble: Option<String>,
    /// When it was published first.
    pub published_at: Option<DateTime<Utc>>,
    /// When its plastics were moved.
    pub settled_at: Option<DateTime<Utc>>,
    /// The card's places in it.
    pub items: Vec<ItemNote>,
    /// Its deliveries, in order.
    pub deliveries: Vec<DeliveryNote>,
}

/// Everything known of a card. Lists are in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardStory {
    /// The issuer.
    pub institution: InstitutionId,
    /// The card.
    pub card_id: CardId,
    /// First six digits.
    pub bin: String,
    /// Last four.
    pub last4: String,
    /// The cardholder.
    pub customer_id: CustomerId,
    /// The account.
    pub account_id: AccountId,
    /// The house the card names: as ordered, so perhaps no code.
    pub manufacturer: Option<String>,
    /// The card's versions; at least one.
    pub versions: Vec<CardVersionNote>,
    /// The cardholder's.
    pub customer_versions: Vec<VersionNote>,
    /// The account's.
    pub account_versions: Vec<VersionNote>,
    /// Its PINs.
    pub pins: Vec<PinNote>,
    /// Its plastics by sequence number, cancelled ones too.
    pub plastics: Vec<Plastic>,
    /// Orders that named or made it.
    pub orders: Vec<OrderNote>,
    /// Its production requests.
    pub requests: Vec<RequestNote>,
    /// What stood in their way.
    pub standings: Vec<StandingNote>,
    /// Nights on which agreements of the issuer stood still, of all houses.
    pub stops: Vec<StopNote>,
    /// Files of the issuer that are not settled, of all houses.
    pub unfinished: Vec<UnfinishedNote>,
    /// Files with a record of it.
    pub files: Vec<FileNote>,
    /// What persons did to those files.
    pub audit: Vec<AuditRow>,
    /// Events that tell of it.
    pub events: Vec<EventRow>,
}

/// Stories of cards.
#[async_trait]
pub trait Stories {
    /// Which institutions know the card or the plastic, and the card it is.
    async fn bearers(&self, subject: Subject) -> Result<Vec<(InstitutionId, CardId)>, StoreError>;

    /// Everything known of a card, as one state of the database; waits for nobody and writes nothing.
    async fn story(&self, of: &InstitutionId, card_id: CardId) -> Result<Option<CardStory>, StoreError>;
}
