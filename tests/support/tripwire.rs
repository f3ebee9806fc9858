//! A database that goes away at a chosen step and stays away, as for a process that dies there: nothing of that run is
//! written any more. What stands in the real database, the spool and at the house is what a crash leaves behind.
#![allow(dead_code, reason = "every test file uses another part of this")]
#![allow(unreachable_pub, reason = "shared between test files")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use emboss::card::{CardId, Expiry, FileId, InstitutionId, ManufacturerCode, PlasticId, RecordUid, RunId};
use emboss::chain::{ChainKeys, Head};
use emboss::renewal::Renewable;
use emboss::selection::{Dossier, ReasonCode};
use emboss::settlement::{Authority, FileEvent};
use emboss::store::{
    AgreementNight, AuditRow, AuditVerdict, Audits, CardStory, ClaimOrder, Claimed, Decide, Due, EventRow, FileChange,
    FileRow, IntakeWork, ItemCounts, KeyUse, NewFile, NewPin, NightKey, PinToIssue, PinnedItem, PlasticRow, ProbeRow,
    Probes, RenewalOrder, Resealed, RunLock, RunRow, Sealed, SealedKind, SealedPlace, SealedRow, SettleOutcome, Stay,
    Store, StoreError, Stories, Subject,
};

/// Whether the step itself still happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It does not.
    Before,
    /// It does, and its answer is lost.
    After,
    /// It does, its COMMIT is not answered, and the database is there again at once (fault 8).
    UnansweredAfter,
    /// The same where it did not happen.
    UnansweredBefore,
    /// It happens behind the first look at the night: the server was still writing.
    UnansweredLate,
}

#[derive(Debug, Default)]
struct State {
    steps: Vec<String>,
    gone: bool,
    tripped: bool,
    late: bool,
}

/// The store around the real one.
#[derive(Debug)]
pub struct Tripwire {
    inner: Arc<dyn Store>,
    at: Option<(String, When)>,
    number: Option<(usize, When)>,
    state: Mutex<State>,
}

impl Tripwire {
    /// Never trips, only lists the writing steps.
    pub fn listing(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, at: None, number: None, state: Mutex::default() })
    }

    /// Trips at the first step of that name: `claim`, `save_pins`, `settle`, `end_run`, or a file's transition:
    /// `seal`, `send`, `complete`, `rename`, `publish`.
    pub fn at(inner: Arc<dyn Store>, step: &str, when: When) -> Arc<Self> {
        Arc::new(Self { inner, at: Some((step.to_owned(), when)), number: None, state: Mutex::default() })
    }

    /// Trips at a step by its number, 0 and up.
    pub fn number(inner: Arc<dyn Store>, number: usize, when: When) -> Arc<Self> {
        Arc::new(Self { inner, at: None, number: Some((number, when)), state: Mutex::default() })
    }

    /// The writing steps so far.
    pub fn steps(&self) -> Vec<String> {
        self.state.lock().expect("not poisoned").steps.clone()
    }

    fn here(&self) -> Result<(), StoreError> {
        if self.state.lock().expect("not poisoned").gone { Err(gone()) } else { Ok(()) }
    }

    async fn step<T>(&self, name: &str, doing: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.here()?;
        let number = {
            let mut state = self.state.lock().expect("not poisoned");
            state.steps.push(name.to_owned());
            state.steps.len() - 1
        };
        let named = self.at.as_ref().filter(|(step, _)| step == name).map(|(_, when)| *when);
        let numbered = self.number.filter(|(step, _)| *step == number).map(|(_, when)| when);
        let tripped = |state: &mut State| std::mem::replace(&mut state.tripped, true);
        let trips = named.or(numbered).filter(|_| !tripped(&mut self.state.lock().expect("not poisoned")));
        if trips == Some(When::Before) {
            self.state.lock().expect("not poisoned").gone = true;
            return Err(gone());
        }
        if trips == Some(When::UnansweredBefore) {
            return Err(unanswered());
        }
        let done = doing.await;
        if let Some(when @ (When::UnansweredAfter | When::UnansweredLate)) = trips {
            self.state.lock().expect("not poisoned").late = when == When::UnansweredLate;
            return Err(unanswered());
        }
        if trips == Some(When::After) {
            self.state.lock().expect("not poisoned").gone = true;
            return Err(gone());
        }
        done
    }
}

fn unanswered() -> StoreError {
    StoreError::Unanswered { reason: "the connection broke".into() }
}

fn gone() -> StoreError {
    StoreError::Unavailable { database: "of the test".into(), reason: "it went away".into() }
}

#[async_trait]
impl Probes for Tripwire {
    async fn save_probe(&self, probe: &ProbeRow) -> Result<(), StoreError> {
        self.step("save_probe", self.inner.save_probe(probe)).await
    }

    async fn probe(&self, destination: &str) -> Result<Option<ProbeRow>, StoreError> {
        self.here()?;
        self.inner.probe(destination).await
    }
}

#[async_trait]
impl Sealed for Tripwire {
    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.here()?;
        self.inner.key_uses().await
    }

    async fn sealed(
        &self,
        kind: SealedKind,
        after: Option<&SealedPlace>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        self.here()?;
        self.inner.sealed(kind, after, limit).await
    }

    async fn reseal(&self, kind: SealedKind, rows: &[Resealed]) -> Result<u64, StoreError> {
        self.step("reseal", self.inner.reseal(kind, rows)).await
    }
}

#[async_trait]
impl Audits for Tripwire {
    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.here()?;
        self.inner.audit(after, limit).await
    }

    async fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        self.here()?;
        self.inner.audit_head().await
    }

    async fn enter(&self, action: &'static str, subject: &str, data: &serde_json::Value) -> Result<(), StoreError> {
        self.step("enter", self.inner.enter(action, subject, data)).await
    }

    async fn verify_audit(&self, keys: &ChainKeys, kept: &[Head]) -> Result<AuditVerdict, StoreError> {
        self.here()?;
        self.inner.verify_audit(keys, kept).await
    }
}

#[async_trait]
impl Stories for Tripwire {
    async fn bearers(&self, subject: Subject) -> Result<Vec<(InstitutionId, CardId)>, StoreError> {
        self.here()?;
        self.inner.bearers(subject).await
    }

    async fn story(&self, of: &InstitutionId, card_id: CardId) -> Result<Option<CardStory>, StoreError> {
        self.here()?;
        self.inner.story(of, card_id).await
    }
}

#[async_trait]
impl Store for Tripwire {
    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.here()?;
        self.inner.now().await
    }

    async fn lock(&self, holder: &str) -> Result<Box<dyn RunLock>, StoreError> {
        self.here()?;
        self.inner.lock(holder).await
    }

    async fn begin_run(&self, run: &RunRow) -> Result<i64, StoreError> {
        self.step("begin_run", self.inner.begin_run(run)).await
    }

    async fn begin_action(&self) -> Result<i64, StoreError> {
        self.step("begin_action", self.inner.begin_action()).await
    }

    async fn file_named(&self, name: &str) -> Result<Option<FileRow>, StoreError> {
        self.here()?;
        self.inner.file_named(name).await
    }

    async fn end_run(&self, run_id: RunId, at: DateTime<Utc>, exit_code: i32, report: &str) -> Result<(), StoreError> {
        self.step("end_run", self.inner.end_run(run_id, at, exit_code, report)).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        self.here()?;
        self.inner.runs(limit).await
    }

    async fn marker(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.here()?;
        self.inner.marker(name).await
    }

    async fn set_marker(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.step("set_marker", self.inner.set_marker(name, value)).await
    }

    async fn due_institutions(&self, cut_off: DateTime<Utc>) -> Result<Vec<(InstitutionId, u64)>, StoreError> {
        self.here()?;
        self.inner.due_institutions(cut_off).await
    }

    async fn dossiers(&self, due: &Due, after: Option<CardId>, limit: u32) -> Result<Vec<Dossier>, StoreError> {
        self.here()?;
        self.inner.dossiers(due, after, limit).await
    }

    async fn renewable(
        &self,
        of: &InstitutionId,
        expiry: Expiry,
        after: Option<PlasticId>,
        limit: u32,
    ) -> Result<Vec<Renewable>, StoreError> {
        self.here()?;
        self.inner.renewable(of, expiry, after, limit).await
    }

    async fn renew(&self, order: &RenewalOrder<'_>) -> Result<Vec<CardId>, StoreError> {
        self.step("renew", self.inner.renew(order)).await
    }

    async fn claim(&self, order: &ClaimOrder, decide: &mut dyn Decide) -> Result<Claimed, StoreError> {
        self.step("claim", self.inner.claim(order, decide)).await
    }

    async fn note_stays(&self, epoch: i64, night: NaiveDate, stays: &[Stay]) -> Result<(), StoreError> {
        self.step("note_stays", self.inner.note_stays(epoch, night, stays)).await
    }

    async fn stop(&self, night: &AgreementNight, epoch: i64) -> Result<(), StoreError> {
        self.step("stop", self.inner.stop(night, epoch)).await
    }

    async fn night(
        &self,
        night: &NightKey,
        institution: &InstitutionId,
        manufacturer: &ManufacturerCode,
    ) -> Result<Option<AgreementNight>, StoreError> {
        self.here()?;
        if std::mem::take(&mut self.state.lock().expect("not poisoned").late) {
            return Ok(None);
        }
        self.inner.night(night, institution, manufacturer).await
    }

    async fn unfinished(&self) -> Result<Vec<FileRow>, StoreError> {
        self.here()?;
        self.inner.unfinished().await
    }

    async fn file(&self, file_id: FileId) -> Result<Option<FileRow>, StoreError> {
        self.here()?;
        self.inner.file(file_id).await
    }

    async fn files(&self, night: &NightKey) -> Result<Vec<FileRow>, StoreError> {
        self.here()?;
        self.inner.files(night).await
    }

    async fn adopt(&self, file: &FileRow, epoch: i64) -> Result<FileRow, StoreError> {
        self.step("adopt", self.inner.adopt(file, epoch)).await
    }

    async fn pins_to_issue(
        &self,
        file_id: FileId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PinToIssue>, StoreError> {
        self.here()?;
        self.inner.pins_to_issue(file_id, after, limit).await
    }

    async fn save_pins(&self, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<u64, StoreError> {
        self.step("save_pins", self.inner.save_pins(file_id, epoch, pins)).await
    }

    async fn release(&self, file_id: FileId, epoch: i64, fallen: &[(RecordUid, ReasonCode)]) -> Result<(), StoreError> {
        self.step("release", self.inner.release(file_id, epoch, fallen)).await
    }

    async fn items(&self, file_id: FileId, after: Option<&str>, limit: u32) -> Result<Vec<PinnedItem>, StoreError> {
        self.here()?;
        self.inner.items(file_id, after, limit).await
    }

    async fn item_counts(&self, file_id: FileId) -> Result<ItemCounts, StoreError> {
        self.here()?;
        self.inner.item_counts(file_id).await
    }

    async fn advance(
        &self,
        file: &FileRow,
        event: FileEvent,
        epoch: i64,
        change: FileChange,
    ) -> Result<FileRow, StoreError> {
        self.step(event.as_str(), self.inner.advance(file, event, epoch, change)).await
    }

    async fn settle(&self, file: &FileRow, epoch: i64) -> Result<SettleOutcome, StoreError> {
        self.step("settle", self.inner.settle(file, epoch)).await
    }

    async fn newest_files(&self, limit: u32) -> Result<Vec<FileRow>, StoreError> {
        self.here()?;
        self.inner.newest_files(limit).await
    }

    async fn plastics(&self, after: Option<(InstitutionId, i64)>, limit: u32) -> Result<Vec<PlasticRow>, StoreError> {
        self.here()?;
        self.inner.plastics(after, limit).await
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.here()?;
        self.inner.events(after, limit).await
    }

    async fn duplicate(
        &self,
        original: &FileRow,
        new: &NewFile,
        epoch: i64,
        authority: &Authority,
    ) -> Result<FileRow, StoreError> {
        self.step("duplicate", self.inner.duplicate(original, new, epoch, authority)).await
    }

    async fn note_audited(
        &self,
        action: &str,
        institution: Option<&InstitutionId>,
        subject: &str,
        authority: &Authority,
        data: &serde_json::Value,
    ) -> Result<(), StoreError> {
        self.step("note_audited", self.inner.note_audited(action, institution, subject, authority, data)).await
    }

    async fn note_event(
        &self,
        kind: &str,
        institution: Option<&InstitutionId>,
        data: &serde_json::Value,
    ) -> Result<(), StoreError> {
        self.step("note_event", self.inner.note_event(kind, institution, data)).await
    }

    async fn intake(&self) -> Result<Box<dyn IntakeWork>, StoreError> {
        self.here()?;
        self.inner.intake().await
    }
}
