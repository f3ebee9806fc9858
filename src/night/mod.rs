//! The conductor: claim, personalise, compose, seal, deliver, settle; and resume what an earlier try left.
//!
//! Invariants: intent is written before a side effect and its outcome after it; every transition carries this run's
//! epoch; one agreement's failure never stops another (R11); the arithmetic of the report is computed from what the
//! database holds, not from what the run believes. All control flow of a night lives here; the rooms below are leaves.

mod agreement;
mod alerts;
mod certain;
mod claiming;
mod compose;
mod deliver;
mod doors;
mod error;
mod fallout;
mod journal;
mod judge;
mod observe;
mod outbound;
mod passing;
mod people;
mod personalise;
mod pins;
mod planning;
mod renewing;
mod retention;
#[cfg(test)]
mod sample;
mod sealed;
mod side_by_side;
mod unrouted;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use tokio::sync::Semaphore;

use crate::agreement::{Institution, Manufacturer, Product, Terms};
use crate::ambient::{Clock, Random};
use crate::card::{CardId, FileId, InstitutionId, ManufacturerCode, RunId};
use crate::config::schedule::Expression;
use crate::document::Environment;
use crate::fault::{self, Point};
use crate::report::{Alert, Report};

use crate::settlement::RunKind;
use crate::spool::{JournalEntry, Spool};
use crate::store::{FileRow, NightKey, RunRow, Store};
use crate::vault::Vault;

use alerts::known_alerts;
use doors::Doors;

pub use alerts::{file_report, is_whole_night};
pub use error::NightError;
pub use observe::{Observer, Silent, Stage};
pub use outbound::{Configured, Outbound, Patience};
pub use people::{Action, ActionError, PersonsOrder, ways_on};

/// Dossiers read at once.
const PAGE: u32 = 2_000;

/// Everything a night works with. The adapters behind the traits are opened by the command line.
#[derive(Debug, Clone)]
pub struct Night {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Keys and card cryptography.
    pub vault: Arc<Vault>,
    /// Sealed bytes.
    pub spool: Arc<Spool>,
    /// Sealers and destinations per agreement.
    pub outbound: Arc<dyn Outbound>,
    /// The active agreements, in configuration order.
    pub terms: Vec<Terms>,
    /// The configured institutions.
    pub institutions: Vec<Institution>,
    /// Their products, by code.
    pub products: BTreeMap<InstitutionId, BTreeMap<String, Product>>,
    /// The configured houses.
    pub manufacturers: Vec<Manufacturer>,
    /// Which dates have a night.
    pub nights: Expression,
    /// The few settings that are the night's own.
    pub settings: NightSettings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<Random>,
    /// Who is told how far it is.
    pub observer: Arc<dyn Observer>,
    /// Set by SIGTERM: no new transition begins (fault 30).
    pub stop: Arc<AtomicBool>,
}

/// Settings of the night itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NightSettings {
    /// LIVE or TEST.
    pub environment: Environment,
    /// Largest difference between this host's clock and the database's.
    pub clock_skew_max: TimeDelta,
    /// Warn of cards that close within so many days (R14).
    pub closing_soon_days: i64,
    /// Ages at which a wait for a PIN is worth a warning (R31).
    pub pin_wait_days: Vec<i64>,
    /// Sealed bytes stay in the spool so many days after their file was settled.
    pub spool_retention_days: u32,
    /// Agreements at work at the same time, 1 and up.
    pub agreements_at_once: usize,
    /// Connections to one destination at the same time, 1 and up.
    pub uploads_at_once: usize,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOrder {
    /// `run` or `demo`, for the report.
    pub command: &'static str,
    /// Night or on demand.
    pub kind: RunKind,
    /// The business date.
    pub business_date: NaiveDate,
    /// T0.
    pub cut_off: DateTime<Utc>,
    /// Only these institutions; empty = all.
    pub institutions: Vec<InstitutionId>,
    /// Only these houses; empty = all.
    pub manufacturers: Vec<ManufacturerCode>,
    /// Only these cards (on demand); empty = all.
    pub cards: Vec<CardId>,
    /// Host and process id, for whoever meets the lock.
    pub holder: String,
}

impl RunOrder {
    /// The whole night of a date.
    pub fn night(command: &'static str, business_date: NaiveDate, cut_off: DateTime<Utc>, holder: &str) -> Self {
        Self {
            command,
            kind: RunKind::Night,
            business_date,
            cut_off,
            institutions: Vec::new(),
            manufacturers: Vec::new(),
            cards: Vec::new(),
            holder: holder.to_owned(),
        }
    }

    /// Everything marked until `now`, on demand; to the microsecond, as marks are kept.
    pub fn on_demand(command: &'static str, now: DateTime<Utc>, holder: &str) -> Self {
        let now = now.trunc_subsecs(6);
        Self { kind: RunKind::OnDemand, ..Self::night(command, now.date_naive(), now, holder) }
    }

    /// Whether it leaves out some institutions or houses.
    fn is_filtered(&self) -> bool {
        !self.institutions.is_empty() || !self.manufacturers.is_empty()
    }

    /// Whether the filters let an agreement through.
    fn admits(&self, institution: &InstitutionId, manufacturer: &ManufacturerCode) -> bool {
        (self.institutions.is_empty() || self.institutions.contains(institution))
            && (self.manufacturers.is_empty() || self.manufacturers.contains(manufacturer))
    }
}

/// One run at work: its identity, and what everything that works on it shares.
#[derive(Debug)]
struct Run {
    order: RunOrder,
    run_id: RunId,
    epoch: i64,
    night: NightKey,
    /// Files whose newest line of the spool's journal was not committed.
    ahead: BTreeMap<FileId, JournalEntry>,
    /// The houses' doors, by destination.
    doors: Doors,
    /// How many agreements may be at work: `run.agreements_at_once`.
    places: Arc<Semaphore>,
    /// Set where the run as a whole cannot go on: what else is at work begins no new transition.
    halted: Arc<AtomicBool>,
}

impl Run {
    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }
}

impl Night {
    /// Runs a night, or an on-demand run: resumes what is unfinished, then claims, composes, delivers and settles.
    ///
    /// # Errors
    /// [`NightError`] where the run could not start or finish as a whole; a single agreement's trouble is in the
    /// report instead.
    pub async fn run(&self, order: &RunOrder) -> Result<Report, NightError> {
        let started_at = self.agreed_time().await?;
        let _lock = self.store.lock(&order.holder).await?;
        let ahead = self.journal_ahead().await?;
        let run_id = RunId(self.random.uuid());
        let earlier = self.earlier_runs().await?;
        let known = known_alerts(&earlier);
        let epoch = self.store.begin_run(&run_row(order, run_id, started_at)).await?;
        let run = Arc::new(Run { epoch, ..self.begun(order, run_id, ahead) });
        let unfinished = self.store.unfinished().await?;
        let mut alerts: Vec<Alert> = self.missed_nights(order, &earlier).into_iter().collect();
        alerts.extend(self.orphans(&unfinished));
        let renewals = self.renew(&run, &mut alerts).await?;
        let (mut agreements, mut resumed) = (Vec::new(), Vec::new());
        for gathered in self.side_by_side(&run, &unfinished).await? {
            agreements.push(gathered.report);
            resumed.extend(gathered.resumed);
            alerts.extend(gathered.alerts);
        }
        let unrouted = self.unrouted(&run, &mut alerts).await?;
        self.expire_spool().await?;
        let mut report = Report {
            command: order.command,
            run_id,
            kind: order.kind,
            business_date: order.business_date,
            cut_off: order.cut_off,
            filtered: order.is_filtered(),
            started_at,
            ended_at: self.store.now().await?,
            crypto: self.vault.crypto().name(),
            renewals,
            agreements,
            unrouted,
            resumed,
            alerts,
            audit_head: None,
        };
        for alert in &mut report.alerts {
            alert.is_new = !known.contains(&alert.text);
        }
        if !report.arithmetic().adds_up() {
            report.alerts.push(Alert::new("ARITHMETIC", report.arithmetic().to_string()));
        }
        for alert in &report.alerts {
            tracing::warn!(alert = %alert.code, "{}", alert.text);
        }
        self.end(&report).await?;
        report.audit_head = self.tell_head().await;
        fault::reach(Point::RunEnded);
        Ok(report)
    }

    /// A run, or a person's order, before it has an epoch.
    fn begun(&self, order: &RunOrder, run_id: RunId, ahead: BTreeMap<FileId, JournalEntry>) -> Run {
        Run {
            order: order.clone(),
            run_id,
            epoch: 0,
            night: match order.kind {
                RunKind::Night => NightKey::Date(order.business_date),
                RunKind::OnDemand => NightKey::OnDemand(run_id),
            },
            ahead,
            doors: Doors::new(self.settings.uploads_at_once),
            places: Arc::new(Semaphore::new(self.settings.agreements_at_once.max(1))),
            halted: Arc::default(),
        }
    }

    /// The database's time, after checking that this host agrees with it (fault 24).
    async fn agreed_time(&self) -> Result<DateTime<Utc>, NightError> {
        let database = self.store.now().await?;
        let difference = (self.clock.now() - database).abs();
        if difference > self.settings.clock_skew_max {
            return Err(NightError::ClockSkew {
                seconds: difference.num_seconds(),
                most_seconds: self.settings.clock_skew_max.num_seconds(),
            });
        }
        Ok(database)
    }

    /// Before every transition: whether this run may go on (faults 11, 30).
    fn may_go_on(&self, run: &Run) -> Result<(), NightError> {
        if self.stops(run)() { Err(NightError::Interrupted) } else { Ok(()) }
    }

    /// The same question for another thread.
    fn stops(&self, run: &Run) -> impl Fn() -> bool + Send + 'static {
        let (stop, halted) = (Arc::clone(&self.stop), Arc::clone(&run.halted));
        move || stop.load(Ordering::Relaxed) || halted.load(Ordering::Relaxed)
    }
}

fn run_row(order: &RunOrder, run_id: RunId, started_at: DateTime<Utc>) -> RunRow {
    RunRow {
        run_id,
        kind: order.kind,
        business_date: order.business_date,
        cut_off: order.cut_off,
        started_at,
        ended_at: None,
        exit_code: None,
        holder: order.holder.clone(),
        report: None,
    }
}

fn belongs(file: &FileRow, terms: &Terms) -> bool {
    file.institution == terms.institution.id && file.manufacturer == terms.manufacturer.code
}
