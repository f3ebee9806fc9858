//! What a person orders about a file: it arrived, it did not, its cards come out, it goes once more.
//!
//! Invariants: an order holds the run lock and works in an epoch of its own, so that it meets no run and outlives one
//! that is asleep; what it changes is one transition with its audit row; where nothing may be changed, nothing is. Why one
//! try at the house only: a person waits, and the night must not find the lock held.

mod house;
mod orders;
mod possible;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Trouble;
use super::{Night, NightError, Run, RunOrder, belongs, file_report};
use crate::agreement::Terms;
use crate::card::RunId;
use crate::report::{ActionReport, Alert};
use crate::settlement::{Authority, FileState};
use crate::spool::SpoolError;
use crate::store::{FileRow, StoreError};

pub(super) use possible::decide;
pub use possible::ways_on;

/// What a person may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `resolve --delivered`: the house has it.
    ResolveDelivered,
    /// `resolve --not-delivered`: it does not.
    ResolveNotDelivered,
    /// `abandon`: its cards come out, or a resend is given up.
    Abandon,
    /// `resend`: the same bytes once more.
    Resend,
    /// `resend --duplicate`: a new file with the same records.
    Duplicate,
}

impl Action {
    /// The command.
    pub fn command(self) -> &'static str {
        match self {
            Self::ResolveDelivered | Self::ResolveNotDelivered => "resolve",
            Self::Abandon => "abandon",
            Self::Resend | Self::Duplicate => "resend",
        }
    }

    /// The command with what tells it from the others.
    pub fn words(self) -> &'static str {
        match self {
            Self::ResolveDelivered => "resolve --delivered",
            Self::ResolveNotDelivered => "resolve --not-delivered",
            Self::Abandon => "abandon",
            Self::Resend => "resend",
            Self::Duplicate => "resend --duplicate",
        }
    }
}

/// A person's order.
#[derive(Debug, Clone)]
pub struct PersonsOrder {
    /// What is to be done.
    pub action: Action,
    /// To which file: its final name, with or without `.pgp`, or its id.
    pub file: String,
    /// By whom and why.
    pub authority: Authority,
    /// Host and process id, for whoever meets the lock.
    pub holder: String,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The database, the spool, the clocks, or another run.
    #[error(transparent)]
    Night(#[from] NightError),
    /// Usage: there is no such file. What was given is not repeated: it may be anything.
    #[error("no file has that name or id: emboss status lists the newest files, emboss status --date those of a date")]
    Unknown,
    /// The file stands where this cannot be done, or the house speaks against it. Nothing was changed.
    #[error("{0}")]
    Refused(String),
}

impl From<StoreError> for ActionError {
    fn from(error: StoreError) -> Self {
        Self::Night(error.into())
    }
}

impl From<SpoolError> for ActionError {
    fn from(error: SpoolError) -> Self {
        Self::Night(error.into())
    }
}

impl ActionError {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// Exit codes: 2 no such file, 1 refused, else as for a run.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Night(error) => error.exit_code(),
            Self::Unknown => 2,
            Self::Refused(_) => 1,
        }
    }
}

/// What an order has done so far.
struct Done {
    file: FileRow,
    /// What was done, a sentence.
    text: String,
    /// What is not done yet, and who goes on.
    left: Option<String>,
}

/// An order being carried out.
struct Errand<'a> {
    order: &'a PersonsOrder,
    run: Run,
    alerts: Vec<Alert>,
    /// The file's agreement, where it is still configured.
    terms: Option<&'a Terms>,
}

impl Errand<'_> {
    fn authority(&self) -> Authority {
        self.order.authority.clone()
    }
}

impl Night {
    /// Carries out a person's order.
    ///
    /// # Errors
    /// [`ActionError`]: nothing was changed, or what was changed is resumed by the next run.
    pub async fn carry_out(&self, order: &PersonsOrder) -> Result<ActionReport, ActionError> {
        let now = self.agreed_time().await?;
        let _lock = self.store.lock(&order.holder).await?;
        let ahead = self.journal_ahead().await?;
        let named = self.store.file_named(&order.file).await?;
        let file = named.ok_or(ActionError::Unknown)?;
        possible::admit(order.action, &file, ahead.get(&file.file_id))?;
        let run_order = RunOrder::on_demand(order.action.command(), now, &order.holder);
        let run_id = RunId(self.random.uuid());
        let mut errand = Errand {
            order,
            run: self.begun(&run_order, run_id, ahead),
            alerts: Vec::new(),
            terms: self.terms.iter().find(|terms| belongs(&file, terms)),
        };
        let from = file.state;
        let done = match order.action {
            Action::ResolveDelivered => self.resolve_delivered(&mut errand, file).await?,
            Action::ResolveNotDelivered => self.resolve_not_delivered(&mut errand, file).await?,
            Action::Abandon => self.abandon(&mut errand, file).await?,
            Action::Resend => self.resend(&mut errand, file).await?,
            Action::Duplicate => self.duplicate(&mut errand, &file).await?,
        };
        self.report(errand, from, done).await
    }

    async fn report(&self, errand: Errand<'_>, from: FileState, done: Done) -> Result<ActionReport, ActionError> {
        let Errand { order, alerts, .. } = errand;
        let file = self.store.file(done.file.file_id).await?.unwrap_or(done.file);
        let records = self.store.item_counts(file.file_id).await?.records;
        Ok(ActionReport {
            command: order.action.command(),
            order: order.action.words(),
            authority: order.authority.clone(),
            from,
            file: file_report(&file, records, BTreeMap::new()),
            done: done.text,
            left: done.left,
            alerts,
            audit_head: self.tell_head().await,
        })
    }

    /// Begins to write: the next epoch, and the file in it.
    async fn take_over(&self, errand: &mut Errand<'_>, file: &FileRow) -> Result<FileRow, ActionError> {
        errand.run.epoch = self.store.begin_action().await?;
        Ok(self.adopt(&errand.run, file).await?)
    }

    /// Takes the file as far as one try takes it. What is left is left to the next run, and told.
    async fn go_on(&self, errand: &mut Errand<'_>, file: &mut FileRow) -> Result<Option<String>, ActionError> {
        let Some(terms) = errand.terms else {
            return Ok(Some(format!(
                "{} with {} is no longer configured; configured again, the next emboss run goes on with the file",
                file.institution, file.manufacturer
            )));
        };
        if let Some(first) = self.earlier(file).await? {
            return Ok(Some(format!("{} goes first; emboss run goes on with both", possible::name_of(&first))));
        }
        let once = Self { outbound: Arc::new(house::OneTry(Arc::clone(&self.outbound))), ..self.clone() };
        let sealer = once.prepare(terms).await;
        let Errand { run, alerts, .. } = errand;
        match once.finish_alone(run, terms, file, &sealer, alerts).await {
            Ok(()) => Ok(None),
            Err(Trouble::Uncertain(why)) => {
                let now = self.store.file(file.file_id).await?;
                alerts.push(decide(now.as_ref().unwrap_or(file)));
                Ok(Some(why))
            }
            Err(trouble) => Ok(Some(format!("{}; the next emboss run goes on with it", trouble.local()?))),
        }
    }

    /// R136: the unfinished file of the agreement that has to be published before this one.
    async fn earlier(&self, file: &FileRow) -> Result<Option<FileRow>, ActionError> {
        if file.is_resend() {
            return Ok(None);
        }
        let unfinished = self.store.unfinished().await?;
        let goes_first = |other: &FileRow| {
            other.institution == file.institution
                && other.manufacturer == file.manufacturer
                && other.sequence_number < file.sequence_number
                && !other.is_resend()
                && other.state.is_unfinished()
                && other.state != FileState::Published
        };
        Ok(unfinished.into_iter().find(goes_first))
    }
}

/// Nothing is taken from the night's own alerts: an order has its own.
fn part_left(alerts: &mut Vec<Alert>, file: &FileRow, why: &str) {
    let name = possible::name_of(file);
    let text = format!("Our part of {name} may still lie at the house ({why}); ask the house to remove {name}.*.part.");
    alerts.push(Alert::new("PART_LEFT", text));
}
