//! The database: one trait, the same statements for every database behind it.
//!
//! Invariants: customer, account and card rows are append-only versions (R120); a file's transition is one UPDATE
//! guarded by its previous state and its epoch and hits exactly one row; whatever a claim or a settlement does, it
//! does in one transaction. Ids are apart per institution. Times are UTC microseconds.

mod audits;
mod error;
pub mod intake;
pub mod probes;
mod route;
pub mod rows;
pub mod sealed;
pub mod settings;
mod sql;
pub mod stories;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::card::{CardId, Expiry, FileId, InstitutionId, ManufacturerCode, PlasticId, RecordUid, RunId};
use crate::renewal::{Renewable, Renewal};
use crate::selection::{Dossier, PinAction, ReasonCode, Standing};
use crate::settlement::{Authority, FileEvent};

pub use audits::{AuditVerdict, Audits, RowFault};
pub use error::StoreError;
pub use intake::{IdKind, IntakeWork, NewCard, OrderSubject, StoredAnswer, StoredCard};
pub use probes::{ProbeRow, Probes};
pub use route::Route;
pub use rows::{
    AgreementNight, AuditRow, EventRow, FileRow, ItemCounts, ItemPin, NewPin, NightKey, NightState, PinToIssue,
    PinnedItem, PlasticRow, RunKind, RunRow, SettleMismatch, SettleOutcome,
};
pub use sealed::{KeyUse, Resealed, Sealed, SealedKind, SealedPlace, SealedRow, UsedFor};
pub use sql::{PostgresAccess, SqlStore};
pub use stories::{CardStory, Stories, Subject};

/// Which due requests: those of one agreement, or those no agreement takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The issuer.
    pub institution: InstitutionId,
    /// Which of its cards.
    pub route: Route,
    /// T0: `marked_at <= T0`.
    pub cut_off: DateTime<Utc>,
    /// Only these cards; empty = all.
    pub cards: Vec<CardId>,
}

/// A page of renewals.
#[derive(Debug, Clone)]
pub struct RenewalOrder<'a> {
    /// The issuer.
    pub institution: &'a InstitutionId,
    /// The run that renews.
    pub run_id: RunId,
    /// Its epoch.
    pub epoch: i64,
    /// T0.
    pub marked_at: DateTime<Utc>,
    /// What to make; the recordUid is for what a house makes.
    pub renewals: &'a [(RecordUid, Renewal)],
}

/// A record the claim freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// The request.
    pub record_uid: RecordUid,
    /// Place in the file.
    pub sort_key: String,
    /// What to do about the PIN.
    pub pin: PinAction,
    /// Whether a PIN letter goes with it: at settlement it supersedes waiting PIN requests (R28).
    pub prints_pin: bool,
    /// What settlement makes of the plastic: ACTIVE or LOCKED; `None` for PIN_ONLY and reproductions (R67).
    pub settles_to: Option<crate::card::PlasticStatus>,
}

/// What the claim does with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Freeze it as an item.
    Produce(NewItem),
    /// Close it without a record.
    Close(RecordUid, ReasonCode),
    /// It stays OPEN; for the log of what stood in its way, which no decision reads (R54).
    Stay(Stay),
}

/// A request that does not go tonight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The request.
    pub record_uid: RecordUid,
    /// HOLD or EXCLUDE.
    pub standing: Standing,
    /// Why.
    pub code: ReasonCode,
}

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Commit it.
    Commit {
        /// Make a file even where there are no items.
        even_empty: bool,
    },
    /// Roll everything back and mark the agreement STOPPED for this night.
    Stop {
        /// The reason's code.
        code: ReasonCode,
        /// Its detail.
        detail: String,
    },
}

/// A file the claim makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its id.
    pub file_id: FileId,
    /// Its 32-byte fill seed, wrapped by the vault.
    pub fill_seed: Vec<u8>,
}

/// Decides during a claim. The store calls it inside the claim's transaction; where the database makes the
/// transaction start over, [`restart`](Decide::restart) comes first and everything decided before is forgotten.
pub trait Decide: Send {
    /// Forget what was decided so far.
    fn restart(&mut self);
    /// The decisions on one card's requests; requests without a decision stay OPEN.
    fn decide(&mut self, dossier: &Dossier) -> Vec<Decision>;
    /// Called once after the last dossier.
    fn conclude(&mut self) -> Conclusion;
    /// Called for each file that is made and not re-used.
    fn new_file(&mut self) -> NewFile;
}

/// What to claim.
#[derive(Debug, Clone)]
pub struct ClaimOrder {
    /// The night, or the on-demand run.
    pub night: NightKey,
    /// The run that claims.
    pub run_id: RunId,
    /// Its epoch.
    pub epoch: i64,
    /// The house (the institution is in `due`).
    pub manufacturer: ManufacturerCode,
    /// What is due.
    pub due: Due,
    /// `xml` or `json`.
    pub format: crate::agreement::FileFormat,
    /// File version.
    pub version: crate::agreement::FileVersion,
    /// 0 = no limit.
    pub max_records_per_file: u32,
}

/// What a claim made.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Database time of the claim's first statement, whole seconds.
    pub data_as_of: DateTime<Utc>,
    /// The files, in sequence order; empty where nothing was due.
    pub files: Vec<FileRow>,
    /// Set where the agreement was STOPPED instead.
    pub stopped: Option<(ReasonCode, String)>,
}

/// What a transition writes beside the state.
#[derive(Debug, Clone)]
pub enum FileChange {
    /// [`FileEvent::Seal`].
    Seal {
        /// Final name, with `.pgp`.
        file_name: String,
        /// SHA-256 of the sealed bytes, lower-case hexadecimal.
        sha256: String,
        /// Their number.
        size_bytes: u64,
        /// Records in the file; must equal the live items.
        records: u64,
        /// CARD records.
        cards: u64,
        /// PIN_ONLY records.
        pin_only: u64,
        /// Records per event, JSON object.
        by_production_event: String,
        /// Fingerprints of the recipients and the signer, JSON array.
        key_fingerprints: String,
    },
    /// [`FileEvent::Send`]: a new attempt.
    Send {
        /// Attempt number, 1 and up.
        attempt: u32,
        /// Name of this attempt's temporary file.
        temporary_name: String,
        /// Destination identity: host key, user, real path of both folders.
        identity: String,
    },
    /// [`FileEvent::Complete`].
    Complete,
    /// [`FileEvent::Rename`].
    Rename {
        /// Which try of the rename, 1 and up.
        rename_attempt: u32,
    },
    /// [`FileEvent::Publish`].
    Publish {
        /// Database time.
        at: DateTime<Utc>,
    },
    /// [`FileEvent::Refuse`], [`FileEvent::Doubt`], and a [`FileEvent::Withdraw`] that nobody ordered: why, for people.
    Because(String),
    /// [`FileEvent::Abandon`], [`FileEvent::ResolveDelivered`], [`FileEvent::ResolveNotDelivered`],
    /// [`FileEvent::Resend`], [`FileEvent::Withdraw`]: a person's order. Its audit row is written with the transition.
    Ordered(Authority),
    /// [`FileEvent::LoseSpool`]: nothing else.
    Nothing,
}

/// Held while a run is at work; released when dropped or when the process dies (R133).
pub trait RunLock: Send + Sync + std::fmt::Debug {}

/// The store.
#[async_trait]
pub trait Store: Audits + Probes + Sealed + Stories + Send + Sync + std::fmt::Debug {
    /// The database's time.
    async fn now(&self) -> Result<DateTime<Utc>, StoreError>;

    /// Takes the run lock.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the holder.
    async fn lock(&self, holder: &str) -> Result<Box<dyn RunLock>, StoreError>;

    /// Writes the run's row and gives it the next epoch.
    async fn begin_run(&self, run: &RunRow) -> Result<i64, StoreError>;

    /// The next epoch, for what a person orders outside a run: it goes beyond whatever run is asleep.
    async fn begin_action(&self) -> Result<i64, StoreError>;

    /// Writes the run's end, its exit code and its report (JSON), and the event that tells of it (R143).
    async fn end_run(&self, run_id: RunId, at: DateTime<Utc>, exit_code: i32, report: &str) -> Result<(), StoreError>;

    /// The runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError>;

    /// A marker of this installation, kept in the database: `None` until [`set_marker`](Store::set_marker).
    async fn marker(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes a marker once; writing another value over it is refused as corrupt.
    async fn set_marker(&self, name: &str, value: &str) -> Result<(), StoreError>;

    /// Institutions with OPEN requests marked until `cut_off`, with their number.
    async fn due_institutions(&self, cut_off: DateTime<Utc>) -> Result<Vec<(InstitutionId, u64)>, StoreError>;

    /// Dossiers with due requests, by card id, after `after`, at most `limit`: for plans, holds and leftovers.
    async fn dossiers(&self, due: &Due, after: Option<CardId>, limit: u32) -> Result<Vec<Dossier>, StoreError>;

    /// Cards of an institution whose newest plastic is in use and ends in a month, by the id of that plastic, after `after`,
    /// at most `limit`.
    async fn renewable(
        &self,
        of: &InstitutionId,
        expiry: Expiry,
        after: Option<PlasticId>,
        limit: u32,
    ) -> Result<Vec<Renewable>, StoreError>;

    /// Makes the plastics of renewals, marks them, closes what they replace and tells of it, in one transaction (R112).
    /// Gives the cards that got their plastic: a card that has changed since it was read is left out.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] where a later run has begun.
    async fn renew(&self, order: &RenewalOrder<'_>) -> Result<Vec<CardId>, StoreError>;

    /// Claims what is due for one agreement, in one transaction; see [`Decide`]. Files of this agreement that stand
    /// in CLAIMED with an earlier cut-off are claimed again under their ids and numbers.
    async fn claim(&self, order: &ClaimOrder, decide: &mut dyn Decide) -> Result<Claimed, StoreError>;

    /// Writes down what stays outside any claim, because no agreement takes it. `night` is the date of T0.
    async fn note_stays(&self, epoch: i64, night: NaiveDate, stays: &[Stay]) -> Result<(), StoreError>;

    /// Marks an agreement STOPPED (before claiming).
    async fn stop(&self, night: &AgreementNight, epoch: i64) -> Result<(), StoreError>;

    /// Where an agreement stands for a night.
    async fn night(
        &self,
        night: &NightKey,
        institution: &InstitutionId,
        manufacturer: &ManufacturerCode,
    ) -> Result<Option<AgreementNight>, StoreError>;

    /// Files that are not settled or are being sent again, by agreement and sequence number: those a run has to finish,
    /// and the UNCERTAIN ones, which it may only tell of.
    async fn unfinished(&self) -> Result<Vec<FileRow>, StoreError>;

    /// One file.
    async fn file(&self, file_id: FileId) -> Result<Option<FileRow>, StoreError>;

    /// The newest file of a final name (with or without `.pgp`), or the file of an id.
    async fn file_named(&self, name: &str) -> Result<Option<FileRow>, StoreError>;

    /// The files of a night.
    async fn files(&self, night: &NightKey) -> Result<Vec<FileRow>, StoreError>;

    /// Takes an unfinished file over into our epoch; guarded by the epoch it had.
    async fn adopt(&self, file: &FileRow, epoch: i64) -> Result<FileRow, StoreError>;

    /// Live items that need a PIN while none was made for their recordUid (R40), by sort key, after `after`, at most
    /// `limit`.
    async fn pins_to_issue(
        &self,
        file_id: FileId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PinToIssue>, StoreError>;

    /// Persists issued PINs; how many. The first one per recordUid wins (R40), and the first one per card and version.
    async fn save_pins(&self, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<u64, StoreError>;

    /// Takes items out of a CLAIMED file, each with its reason, in one transaction: their requests are OPEN again.
    async fn release(&self, file_id: FileId, epoch: i64, fallen: &[(RecordUid, ReasonCode)]) -> Result<(), StoreError>;

    /// The file's live items, by sort key, after `after`, at most `limit`.
    async fn items(&self, file_id: FileId, after: Option<&str>, limit: u32) -> Result<Vec<PinnedItem>, StoreError>;

    /// Counts of the file's live items.
    async fn item_counts(&self, file_id: FileId) -> Result<ItemCounts, StoreError>;

    /// One transition of a file, guarded by state and epoch; writes an event row with it.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::Stale`].
    async fn advance(
        &self,
        file: &FileRow,
        event: FileEvent,
        epoch: i64,
        change: FileChange,
    ) -> Result<FileRow, StoreError>;

    /// PUBLISHED -> SETTLED with everything that belongs to it, in one transaction (R60-R70).
    async fn settle(&self, file: &FileRow, epoch: i64) -> Result<SettleOutcome, StoreError>;

    /// Counts of files by state, and the newest files, for `status`.
    async fn newest_files(&self, limit: u32) -> Result<Vec<FileRow>, StoreError>;

    /// Every plastic by institution, card and sequence number: for the demo and golden files.
    async fn plastics(&self, after: Option<(InstitutionId, i64)>, limit: u32) -> Result<Vec<PlasticRow>, StoreError>;

    /// Events after a number.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<EventRow>, StoreError>;

    /// Makes a DUPLICATE of a settled file, CLAIMED under the agreement's next number, with every item that was
    /// delivered in it; audited. It moves nothing when it is settled.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where the original is not settled.
    async fn duplicate(
        &self,
        original: &FileRow,
        new: &NewFile,
        epoch: i64,
        authority: &Authority,
    ) -> Result<FileRow, StoreError>;

    /// Writes an entry of the audit, and the event of the same kind, of what no transition brings along: for example that a LIVE
    /// file was opened.
    async fn note_audited(
        &self,
        action: &str,
        institution: Option<&InstitutionId>,
        subject: &str,
        authority: &Authority,
        data: &serde_json::Value,
    ) -> Result<(), StoreError>;

    /// Writes an event that no transition brings along and no person is behind.
    async fn note_event(
        &self,
        kind: &str,
        institution: Option<&InstitutionId>,
        data: &serde_json::Value,
    ) -> Result<(), StoreError>;

    /// Begins a unit of intake work: a transaction that may write.
    async fn intake(&self) -> Result<Box<dyn IntakeWork>, StoreError>;

    /// Closes it. Nothing is lost without; but what was written may then stand in more files than one.
    async fn close(&self) {}
}
