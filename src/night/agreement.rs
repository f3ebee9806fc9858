//! One agreement's share of a run: finish what was left, claim what is due, take every file to settlement.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fallout::BadLimit;
use super::observe::{Laps, Stage};
use super::passing::{Kind, Passed, is_past};
use super::{Night, NightError, Run, alerts, belongs, people};
use crate::agreement::Terms;
use crate::report::{AgreementReport, Alert, FileReport, Outcome, chain};
use crate::seal::Sealer;
use crate::selection::{Reason, ReasonCode, Tally};
use crate::settlement::FileState;
use crate::store::{FileRow, NightState, StoreError};

/// What seals an agreement's files, or why nothing can.
pub(super) type Usable = Result<Arc<Sealer>, Reason>;

/// An agreement at work: its terms, and what is to be reported of it.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) terms: Arc<Terms>,
    pub(super) report: AgreementReport,
    /// Files of earlier dates.
    pub(super) resumed: Vec<FileReport>,
    pub(super) alerts: Vec<Alert>,
    /// Set by a file that is still on its way: nothing is published behind it (R136).
    pub(super) blocked: bool,
}

impl Share {
    fn new(terms: Arc<Terms>) -> Self {
        let report = AgreementReport {
            institution: terms.institution.id.clone(),
            manufacturer: terms.manufacturer.code.clone(),
            outcome: Outcome::NothingDue,
            reason: None,
            tally: Tally::default(),
            resumed_items: 0,
            files: Vec::new(),
        };
        Self { terms, report, resumed: Vec::new(), alerts: Vec::new(), blocked: false }
    }

    /// Outcome and reason; what was told before is not written over.
    pub(super) fn end(&mut self, outcome: Outcome, why: &str) {
        self.report.outcome = outcome;
        match &mut self.report.reason {
            Some(known) if known.contains(why) => {}
            Some(known) => *known = format!("{known}; {why}"),
            none => *none = Some(why.to_owned()),
        }
    }
}

impl Night {
    /// Runs one agreement; what goes wrong with it alone is in its report.
    pub(super) async fn agreement(
        &self,
        run: &Arc<Run>,
        terms: Arc<Terms>,
        left_over: Vec<FileRow>,
    ) -> Result<Share, NightError> {
        let mut share = Share::new(terms);
        match self.work(run, &mut share, left_over).await {
            // A row that cannot be read is this agreement's; the others have theirs.
            Err(NightError::Store(error @ StoreError::Corrupt { .. })) => {
                let why = chain(&error);
                tracing::error!(agreement = share.terms.subject(), "{why}");
                share.end(Outcome::Stopped, &why);
            }
            ended => ended?,
        }
        Ok(share)
    }

    async fn work(&self, run: &Arc<Run>, share: &mut Share, left_over: Vec<FileRow>) -> Result<(), NightError> {
        let terms = Arc::clone(&share.terms);
        let known = self.store.night(&run.night, &terms.institution.id, &terms.manufacturer.code).await?;
        let state = known.map_or(NightState::Pending, |night| night.state);
        let to_claim = matches!(state, NightState::Pending | NightState::Stopped);
        let sealer = self.prepare(&terms).await;
        if !to_claim && left_over.iter().any(|file| is_counted(run, file)) {
            self.count_waiting(run, share).await?;
        }
        let (doubtful, left_over): (Vec<FileRow>, Vec<FileRow>) =
            left_over.into_iter().partition(|file| file.state == FileState::Uncertain);
        for file in doubtful {
            self.tell_doubtful(run, share, &file).await?;
        }
        // A file that was claimed for an earlier T0 is claimed again with what is due now: cards may have been
        // stolen or set to W since.
        let refilled = |file: &FileRow| file.state == FileState::Claimed && !file.is_apart() && !file.abandoned;
        let stale = |file: &FileRow| to_claim && refilled(file) && file.cut_off < run.order.cut_off;
        let (stale, left_over): (Vec<FileRow>, Vec<FileRow>) = left_over.into_iter().partition(stale);
        self.finish_left_over(run, share, left_over, &sealer).await?;
        match (to_claim, sealer) {
            (true, Err(reason)) => self.stop_agreement(run, share, &stale, reason).await,
            (true, Ok(_)) if share.blocked || takes_too_few(run, &stale) => self.wait_behind(run, share, &stale).await,
            (true, sealer @ Ok(_)) => self.claim_and_finish(run, share, &sealer).await,
            (false, _) if share.report.files.is_empty() => self.tell_delivered(run, share).await,
            (false, _) => Ok(()),
        }
    }

    /// Keys, recipients and randomness of the agreement, before anything is claimed (R135). A file that is sealed
    /// already needs none of them.
    pub(super) async fn prepare(&self, terms: &Terms) -> Usable {
        let sealer = self.usable_sealer(terms)?;
        let health = self.vault.crypto().health().await;
        health.map_err(|error| ReasonCode::CryptoUnavailable.because(error.to_string()))?;
        Ok(sealer)
    }

    /// Files that an earlier try left: taken over into our epoch and brought to their end.
    async fn finish_left_over(
        &self,
        run: &Arc<Run>,
        share: &mut Share,
        left_over: Vec<FileRow>,
        sealer: &Usable,
    ) -> Result<(), NightError> {
        if left_over.is_empty() {
            return Ok(());
        }
        let mut files = Vec::with_capacity(left_over.len());
        let terms = Arc::clone(&share.terms);
        let mut limit = BadLimit::after(&terms, &share.report.tally);
        for file in left_over {
            let file = self.adopt(run, &file).await?;
            let file = self.catch_up(run, file).await?;
            let counts = self.store.item_counts(file.file_id).await?;
            if is_counted(run, &file) {
                share.report.resumed_items += counts.records;
            }
            // What fell out of a file of this date is OPEN again, and counted with what waits.
            limit.resume(counts, is_counted(run, &file));
            files.push((file, Laps::begin(&self.clock)));
        }
        self.pass(run, share, files, sealer, &mut limit).await
    }

    async fn claim_and_finish(&self, run: &Arc<Run>, share: &mut Share, sealer: &Usable) -> Result<(), NightError> {
        self.may_go_on(run)?;
        let mut laps = Laps::begin(&self.clock);
        let Some(files) = self.claim(run, share).await? else { return Ok(()) };
        laps.lap(Stage::Claim);
        let mut laps = std::iter::once(laps);
        let begun = |file| (file, laps.next().unwrap_or_else(|| Laps::begin(&self.clock)));
        let files = files.into_iter().map(begun).collect();
        let terms = Arc::clone(&share.terms);
        let mut limit = BadLimit::after(&terms, &share.report.tally);
        self.pass(run, share, files, sealer, &mut limit).await
    }

    /// A file only a person can decide: told by every run until then, touched by none.
    async fn tell_doubtful(&self, run: &Run, share: &mut Share, file: &FileRow) -> Result<(), NightError> {
        if is_counted(run, file) {
            share.end(Outcome::Unfinished, file.trouble.as_deref().unwrap_or("UNCERTAIN"));
            share.report.resumed_items += self.store.item_counts(file.file_id).await?.records;
        }
        share.alerts.push(people::decide(file));
        self.put_file(run, share, file, file.is_apart(), BTreeMap::new()).await
    }

    /// The date was done before: names and digests again, nothing counted.
    async fn tell_delivered(&self, run: &Run, share: &mut Share) -> Result<(), NightError> {
        share.report.outcome = Outcome::AlreadyDelivered;
        for file in self.store.files(&run.night).await? {
            if belongs(&file, &share.terms) {
                self.put_file(run, share, &file, false, BTreeMap::new()).await?;
            }
        }
        Ok(())
    }

    /// Puts files at the end of their way into the report.
    pub(super) async fn put_all(&self, run: &Run, share: &mut Share, passed: Vec<Passed>) -> Result<(), NightError> {
        for Passed { file, kind, durations_ms, fallouts, alerts, why } in passed {
            let is_apart = kind != Kind::Nights;
            // Files of earlier dates are beside the arithmetic; what falls out of a duplicate was counted with its original.
            if file.night == run.night && !is_apart {
                fallouts.count_into(&mut share.report.tally);
            }
            share.alerts.extend(alerts);
            share.blocked |= kind != Kind::Resend && !is_past(file.state);
            let outcome = &mut share.report.outcome;
            match why {
                Some(why) => share.end(Outcome::Unfinished, &why),
                None if file.state != FileState::Settled => *outcome = Outcome::Unfinished,
                None if *outcome == Outcome::NothingDue && !is_apart => *outcome = Outcome::Delivered,
                None => {}
            }
            self.put_file(run, share, &file, is_apart, durations_ms).await?;
        }
        Ok(())
    }

    /// What is sent again stands with the files of earlier dates, beside the night's arithmetic.
    pub(super) async fn put_file(
        &self,
        run: &Run,
        share: &mut Share,
        file: &FileRow,
        is_apart: bool,
        durations_ms: BTreeMap<&'static str, i64>,
    ) -> Result<(), NightError> {
        let records = self.store.item_counts(file.file_id).await?.records;
        let entry = alerts::file_report(file, records, durations_ms);
        if file.night == run.night && !is_apart {
            share.report.files.push(entry);
        } else {
            share.resumed.push(entry);
        }
        Ok(())
    }
}

/// Whether the file's items are in this run's arithmetic.
fn is_counted(run: &Run, file: &FileRow) -> bool {
    file.night == run.night && !file.is_apart()
}

/// Whether this run was asked for too few cards to claim again what an earlier night claimed.
fn takes_too_few(run: &Run, stale: &[FileRow]) -> bool {
    !run.order.cards.is_empty() && !stale.is_empty()
}
