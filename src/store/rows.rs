//! Rows as the store gives and takes them.

use chrono::{DateTime, NaiveDate, Utc};

use super::StoreError;
use crate::agreement::{FileFormat, FileVersion};
use crate::card::product::words;
use crate::card::{
    Account, Card, CardId, Customer, FileId, InstitutionId, ManufacturerCode, Plastic, PlasticId, PlasticStatus,
    ProductionEvent, RecordUid, RunId,
};
use crate::chain::Entry;
use crate::document::FileType;
use crate::selection::{PinAction, ReasonCode};
use crate::settlement::{FileEvent, FileState};

pub use crate::settlement::RunKind;

/// The identity under which an agreement is done once: a business date, or an on-demand run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NightKey {
    /// The night of this date.
    Date(NaiveDate),
    /// That on-demand run.
    OnDemand(RunId),
}

impl std::fmt::Display for NightKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{date}"),
            Self::OnDemand(run_id) => write!(f, "{run_id}"),
        }
    }
}

impl std::str::FromStr for NightKey {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        match text.parse() {
            Ok(date) => Ok(Self::Date(date)),
            Err(_) => text.parse().map(Self::OnDemand),
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run_id: RunId,
    /// Night or on demand.
    pub kind: RunKind,
    /// The business date.
    pub business_date: NaiveDate,
    /// T0.
    pub cut_off: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while at work, or after a crash.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// Host and process id.
    pub holder: String,
    /// Its report, JSON.
    pub report: Option<String>,
}

words!(
    /// Completion of an agreement for a night.
    NightState {
        /// Nothing done yet.
        Pending = "PENDING",
        /// Claimed, files on their way.
        Claimed = "CLAIMED",
        /// All its files settled, or nothing was due.
        Done = "DONE",
        /// Stopped with a reason; a repaired agreement is run again by the same date.
        Stopped = "STOPPED",
    }
);

/// Where one agreement stands for one night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementNight {
    /// The night.
    pub night: NightKey,
    /// The issuer.
    pub institution: InstitutionId,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// Completion.
    pub state: NightState,
    /// Why it stopped.
    pub reason: Option<(ReasonCode, String)>,
    /// The run that wrote this.
    pub run_id: RunId,
}

/// A file and its newest delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Its id.
    pub file_id: FileId,
    /// The night it belongs to.
    pub night: NightKey,
    /// The run that claimed it.
    pub run_id: RunId,
    /// The issuer.
    pub institution: InstitutionId,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// Per agreement, from 1, no gaps (R131).
    pub sequence_number: u64,
    /// The file before it.
    pub previous_file_id: Option<FileId>,
    /// NORMAL or DUPLICATE.
    pub file_type: FileType,
    /// The file a duplicate repeats.
    pub resend_of: Option<FileId>,
    /// XML or JSON.
    pub format: FileFormat,
    /// 1 or 2.
    pub version: FileVersion,
    /// T0.
    pub cut_off: DateTime<Utc>,
    /// Database time of the claim, whole seconds.
    pub data_as_of: DateTime<Utc>,
    /// Where it stands; of a settled file that is being sent again, where its newest delivery stands.
    pub state: FileState,
    /// The epoch that may move it.
    pub epoch: i64,
    /// The epoch in which it was sealed: part of its spool file's name.
    pub sealed_epoch: Option<i64>,
    /// Wrapped fill seed.
    pub fill_seed: Vec<u8>,
    /// SHA-256 over its live items, lower-case hexadecimal (docs/AUDIT.md).
    pub items_sha256: Option<String>,
    /// Final name with `.pgp`, once sealed.
    pub file_name: Option<String>,
    /// SHA-256 of the sealed bytes.
    pub sha256: Option<String>,
    /// Their number.
    pub size_bytes: Option<u64>,
    /// Records, once sealed.
    pub records: Option<u64>,
    /// CARD records.
    pub cards: Option<u64>,
    /// PIN_ONLY records.
    pub pin_only: Option<u64>,
    /// Records per event, JSON object.
    pub by_production_event: Option<String>,
    /// Delivery number, 1 and up; 0 before the first.
    pub delivery_number: u32,
    /// Attempt of that delivery; 0 before the first.
    pub attempt: u32,
    /// The attempt's temporary name; none while no attempt has begun, and once a person said that it did not arrive.
    pub temporary_name: Option<String>,
    /// Destination identity when the attempt began.
    pub identity: Option<String>,
    /// How many renames were attempted.
    pub rename_attempt: u32,
    /// The last thing that went wrong, for people.
    pub trouble: Option<String>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// When its plastics were moved.
    pub settled_at: Option<DateTime<Utc>>,
    /// Whether any attempt of any delivery came to a rename: then it is never sealed again.
    pub rename_attempted: bool,
    /// Whether a person took its cards out: it goes without any, and no claim fills it again.
    pub abandoned: bool,
}

impl FileRow {
    /// Whether it was settled before and is being sent again: that moves nothing and is counted nowhere.
    pub fn is_resend(&self) -> bool {
        self.settled_at.is_some() && self.state != FileState::Settled
    }

    /// Whether delivering it from here moves no plastic, so that it stands apart from the night's arithmetic: a duplicate,
    /// or a file that was settled before.
    pub fn is_apart(&self) -> bool {
        self.file_type == FileType::Duplicate || self.settled_at.is_some()
    }

    /// The state after `event`, as the table says.
    ///
    /// # Errors
    /// [`StoreError::Illegal`].
    pub fn after(&self, event: FileEvent) -> Result<FileState, StoreError> {
        self.state.next(event).map_err(|source| StoreError::Illegal { file_id: self.file_id, source })
    }
}

/// Counts of a file's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemCounts {
    /// All of them.
    pub records: u64,
    /// Those with a PIN (any action but NONE).
    pub with_pin: u64,
    /// Those whose PIN is made for them, whether it is there by now or not.
    pub new_pin: u64,
    /// Not live any more: items that fell out since the claim because of bad data (fault 26).
    pub fell_out: u64,
}

/// The PIN an item pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPin {
    /// Version within the card.
    pub version: i64,
    /// Provider and form.
    pub scheme: String,
    /// The stored PIN, wrapped.
    pub stored: Vec<u8>,
    /// Its PVV, wrapped.
    pub pvv: Option<Vec<u8>>,
    /// Indicator of the PVV's key.
    pub pvki: Option<String>,
    /// The PVV's key.
    pub pvv_key: Option<String>,
}

/// An item of a file with everything the claim pinned for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedItem {
    /// The request.
    pub record_uid: RecordUid,
    /// Why.
    pub event: ProductionEvent,
    /// A second production.
    pub reproduction: bool,
    /// Place in the file.
    pub sort_key: String,
    /// What was decided about the PIN.
    pub pin_action: PinAction,
    /// Whether a PIN letter goes with it.
    pub prints_pin: bool,
    /// The plastic (for ROPIN: the one in use).
    pub plastic: Plastic,
    /// The card.
    pub card_id: CardId,
    /// Its pinned version.
    pub card: Card,
    /// The cardholder's pinned version.
    pub customer: Customer,
    /// The account's pinned version.
    pub account: Account,
    /// The PAN, wrapped.
    pub pan: Vec<u8>,
    /// The pinned PIN.
    pub pin: Option<ItemPin>,
}

/// An item that still needs a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinToIssue {
    /// The request the PIN is made for (R40).
    pub record_uid: RecordUid,
    /// Why the record is made.
    pub event: ProductionEvent,
    /// The card.
    pub card_id: CardId,
    /// Its product, which says whether there is a PVV.
    pub product_code: String,
    /// The PAN, wrapped.
    pub pan: Vec<u8>,
    /// The version the new PIN will have.
    pub version: i64,
    /// Where the item stands in its file.
    pub sort_key: String,
}

/// A PIN to be persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPin {
    /// The request it was made for.
    pub record_uid: RecordUid,
    /// The card.
    pub card_id: CardId,
    /// The PIN as an item will read it.
    pub pin: ItemPin,
}

/// An item whose plastic was not where it should be (R69).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleMismatch {
    /// The request.
    pub record_uid: RecordUid,
    /// The plastic.
    pub plastic_id: PlasticId,
    /// What was found instead of INACTIVE.
    pub found: PlasticStatus,
}

/// What a settlement did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettleOutcome {
    /// Plastics moved to ACTIVE or LOCKED.
    pub moved: u64,
    /// Predecessors closed.
    pub closed: u64,
    /// PIN requests closed as SUPERSEDED.
    pub superseded: u64,
    /// Items that did not fit.
    pub mismatches: Vec<SettleMismatch>,
    /// Records of the file whose card was closed for good between sealing and settling (R125).
    pub closed_after_sealing: u64,
}

/// A plastic with its institution, for the demo and golden files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlasticRow {
    /// The issuer.
    pub institution: InstitutionId,
    /// The plastic.
    pub plastic: Plastic,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its number, growing.
    pub number: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What, for example `plastic.moved` or `file.published`.
    pub kind: String,
    /// The issuer, where there is one.
    pub institution: Option<InstitutionId>,
    /// The rest, a JSON object without secrets.
    pub data: String,
}

/// One entry of the audit, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, 1 and up, without gaps.
    pub number: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: a person, or `emboss` for what a command did by itself.
    pub actor: String,
    /// What, in the word of the event that tells of it.
    pub action: String,
    /// The id of a file, a run, a key ...
    pub subject: String,
    /// Why; empty where no person ordered it.
    pub reason: String,
    /// The rest, a JSON object without secrets: the states before and after, names and digests.
    pub data: String,
    /// The key of its MAC.
    pub key_id: String,
    /// Its MAC, 32 bytes.
    pub mac: Vec<u8>,
}

impl AuditRow {
    /// What its MAC is made over.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            number: self.number,
            at_us: self.at.timestamp_micros(),
            actor: &self.actor,
            action: &self.action,
            subject: &self.subject,
            reason: &self.reason,
            data: &self.data,
        }
    }

    /// Whether a person ordered what it tells.
    pub fn is_ordered(&self) -> bool {
        !self.reason.is_empty()
    }
}
