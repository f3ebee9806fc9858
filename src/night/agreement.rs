//! One agreement's share of a run: finish what was left, claim what is due, take every file to settlement.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compose::event_counts;
use super::error::Trouble;
use super::judge::{ClaimJudge, Judge};
use super::observe::{Laps, Stage};
use super::{Night, NightError, Run, people};
use crate::agreement::Terms;
use crate::fault::{self, Point};
use crate::report::{AgreementReport, Alert, FileReport, Outcome};
use crate::seal::Sealer;
use crate::selection::{Reason, ReasonCode, Tally};
use crate::settlement::FileState;
use crate::spool::SealedFile;
use crate::store::{AgreementNight, ClaimOrder, Claimed, Due, FileRow, NightState, Route, SettleOutcome};

/// What seals an agreement's files, or why nothing can.
pub(super) type Usable = Result<Arc<Sealer>, Reason>;

/// An agreement at work: its terms, its sealer and what is to be reported.
pub(super) struct Share<'a> {
    pub(super) terms: &'a Terms,
    pub(super) report: AgreementReport,
    /// Set by a file that is still on its way: nothing is published behind it (R136).
    blocked: bool,
}

impl Share<'_> {
    pub(super) fn new(terms: &Terms) -> Share<'_> {
        let report = AgreementReport {
            institution: terms.institution.id.clone(),
            manufacturer: terms.manufacturer.code.clone(),
            outcome: Outcome::NothingDue,
            reason: None,
            tally: Tally::default(),
            resumed_items: 0,
            files: Vec::new(),
        };
        Share { terms, report, blocked: false }
    }
}

impl Night {
    /// Runs one agreement; what goes wrong with it alone is in its report.
    pub(super) async fn agreement(
        &self,
        run: &mut Run<'_>,
        terms: &Terms,
        left_over: Vec<FileRow>,
    ) -> Result<AgreementReport, NightError> {
        let mut share = Share::new(terms);
        let known = self.store.night(&run.night, &terms.institution.id, &terms.manufacturer.code).await?;
        let state = known.map_or(NightState::Pending, |night| night.state);
        let to_claim = matches!(state, NightState::Pending | NightState::Stopped);
        let sealer = self.prepare(terms).await;
        let (doubtful, left_over): (Vec<FileRow>, Vec<FileRow>) =
            left_over.into_iter().partition(|file| file.state == FileState::Uncertain);
        for file in doubtful {
            self.tell_doubtful(run, &mut share, &file).await?;
        }
        // A file that was claimed for an earlier T0 is claimed again with what is due now: cards may have been
        // stolen or set to W since.
        let refilled = |file: &FileRow| file.state == FileState::Claimed && !file.is_apart() && !file.abandoned;
        let stale = |file: &FileRow| to_claim && refilled(file) && file.cut_off < run.order.cut_off;
        let (stale, left_over): (Vec<FileRow>, Vec<FileRow>) = left_over.into_iter().partition(stale);
        for file in left_over {
            self.finish_left_over(run, &mut share, &file, &sealer).await?;
        }
        match (to_claim, sealer) {
            (true, Err(reason)) => self.stop_agreement(run, &mut share, &stale, reason).await?,
            (true, Ok(_)) if share.blocked || takes_too_few(run, &stale) => {
                self.wait_behind(run, &mut share, &stale).await?;
            }
            (true, sealer @ Ok(_)) => self.claim_and_finish(run, &mut share, &sealer).await?,
            (false, _) if share.report.files.is_empty() => self.tell_delivered(run, &mut share).await?,
            (false, _) => {}
        }
        Ok(share.report)
    }

    /// Keys, recipients and randomness of the agreement, before anything is claimed (R135). A file that is sealed
    /// already needs none of them.
    pub(super) async fn prepare(&self, terms: &Terms) -> Usable {
        let sealer = self.usable_sealer(terms)?;
        let health = self.vault.crypto().health().await;
        health.map_err(|error| ReasonCode::CryptoUnavailable.because(error.to_string()))?;
        Ok(sealer)
    }

    /// STOPPED before claiming: its due requests are held with its reason.
    async fn stop_agreement(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        stale: &[FileRow],
        reason: Reason,
    ) -> Result<(), NightError> {
        share.report.outcome = Outcome::Stopped;
        share.report.reason = Some(format!("{}: {}", reason.code, reason.detail));
        for file in stale {
            self.put_file(run, share, file, file.is_apart(), BTreeMap::new()).await?;
        }
        let night = AgreementNight {
            night: run.night.clone(),
            institution: share.report.institution.clone(),
            manufacturer: share.report.manufacturer.clone(),
            state: NightState::Stopped,
            reason: Some((reason.code, reason.detail)),
            run_id: run.run_id,
        };
        self.store.stop(&night, run.epoch).await?;
        self.hold_all(&due(run, share.terms), reason.code, &mut share.report.tally).await
    }

    /// R136: nothing is claimed behind a file that is still on its way; what is due waits, and is counted.
    async fn wait_behind(&self, run: &mut Run<'_>, share: &mut Share<'_>, stale: &[FileRow]) -> Result<(), NightError> {
        for file in stale {
            self.put_file(run, share, file, file.is_apart(), BTreeMap::new()).await?;
        }
        let code = ReasonCode::WaitingForEarlierFile;
        if share.report.outcome == Outcome::NothingDue {
            share.report.outcome = Outcome::Unfinished;
            share.report.reason = Some(format!("{code}: a file with more than these cards is claimed; run the night"));
        }
        self.hold_all(&due(run, share.terms), code, &mut share.report.tally).await
    }

    /// Counts every due request as held with the reason for which none is claimed.
    async fn hold_all(&self, due: &Due, code: ReasonCode, tally: &mut Tally) -> Result<(), NightError> {
        let mut after = None;
        loop {
            let dossiers = self.store.dossiers(due, after, super::PAGE).await?;
            let Some(last) = dossiers.last() else { return Ok(()) };
            after = Some(last.card_id);
            let requests: u64 = dossiers.iter().map(|dossier| dossier.requests.len() as u64).sum();
            tally.selected += requests;
            *tally.held.entry(code.as_str()).or_default() += requests;
        }
    }

    /// A file that an earlier try left: taken over into our epoch and brought to its end.
    async fn finish_left_over(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        file: &FileRow,
        sealer: &Usable,
    ) -> Result<(), NightError> {
        let file = self.store.adopt(file, run.epoch).await?;
        let file = self.catch_up(run, file).await?;
        if file.night == run.night && !file.is_apart() {
            share.report.resumed_items += self.store.item_counts(file.file_id).await?.records;
        }
        self.bring_to_end(run, share, file, sealer, Laps::begin(&self.clock)).await
    }

    async fn claim_and_finish(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        sealer: &Usable,
    ) -> Result<(), NightError> {
        self.may_go_on()?;
        let mut laps = Laps::begin(&self.clock);
        let claimed = self.claim(run, share).await?;
        laps.lap(Stage::Claim);
        if let Some((code, detail)) = claimed.stopped {
            let selected = share.report.tally.selected;
            share.report.outcome = Outcome::Stopped;
            share.report.reason = Some(format!("{code}: {detail}"));
            share.report.tally = Tally { selected, ..Tally::default() };
            share.report.tally.held.insert(code.as_str(), selected);
            return Ok(());
        }
        for file in claimed.files {
            let mine = std::mem::replace(&mut laps, Laps::begin(&self.clock));
            self.bring_to_end(run, share, file, sealer, mine).await?;
        }
        Ok(())
    }

    async fn claim(&self, run: &mut Run<'_>, share: &mut Share<'_>) -> Result<Claimed, NightError> {
        let terms = share.terms;
        let order = ClaimOrder {
            night: run.night.clone(),
            run_id: run.run_id,
            epoch: run.epoch,
            manufacturer: terms.manufacturer.code.clone(),
            due: due(run, terms),
            format: terms.agreement.format,
            version: terms.agreement.version,
            max_records_per_file: terms.agreement.max_records_per_file,
        };
        let judge = Judge::new(terms, run.order.cut_off, &self.settings);
        let mut judge = ClaimJudge { judge, vault: &self.vault, random: &self.random };
        let claimed = self.store.claim(&order, &mut judge).await?;
        self.observer.finished(&terms.subject(), Stage::Claim);
        run.alerts.extend(judge.judge.findings.iter().filter(|finding| finding.alert).map(Alert::of));
        share.report.tally = judge.judge.tally;
        Ok(claimed)
    }

    /// From whatever state to SETTLED, or as far as it goes; the file is in the report either way.
    async fn bring_to_end(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        mut file: FileRow,
        sealer: &Usable,
        mut laps: Laps<'_>,
    ) -> Result<(), NightError> {
        let (is_apart, is_resend) = (file.is_apart(), file.settled_at.is_some());
        if !share.blocked || is_resend {
            match self.finish(run, share, &mut file, sealer, &mut laps).await {
                Ok(()) if share.report.outcome == Outcome::NothingDue && !is_apart => {
                    share.report.outcome = Outcome::Delivered;
                }
                Ok(()) => {}
                Err(trouble) => {
                    // Neither an uncertain file nor one that was delivered before holds up the ones behind it.
                    share.blocked |= !is_resend && !matches!(trouble, Trouble::Uncertain(_));
                    if matches!(trouble, Trouble::Uncertain(_)) {
                        run.alerts.push(people::decide(&file));
                    }
                    let why = trouble.local()?;
                    tracing::error!(file_id = %file.file_id, "{why}");
                    share.report.outcome = Outcome::Unfinished;
                    share.report.reason = Some(why);
                }
            }
        }
        let file = self.store.file(file.file_id).await?.unwrap_or(file);
        self.put_file(run, share, &file, is_apart, laps.into_milliseconds()).await
    }

    pub(super) async fn finish(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        file: &mut FileRow,
        sealer: &Usable,
        laps: &mut Laps<'_>,
    ) -> Result<(), Trouble> {
        let terms = share.terms;
        let is_resend = file.settled_at.is_some();
        // A resend whose last journal line was caught up with is where it should be.
        if !matches!(file.state, FileState::Published | FileState::Settled) {
            let before = if file.state == FileState::Claimed { None } else { self.sealed_before(run, file).await? };
            let sealed = match before {
                Some(sealed) => sealed,
                None => self.make_sealed(run, share, file, sealer, laps).await?,
            };
            self.deliver(run, terms, file, sealed).await?;
            laps.lap(Stage::Deliver);
        }
        if is_resend {
            return Ok(());
        }
        self.may_go_on()?;
        let outcome = self.store.settle(file, run.epoch).await?;
        fault::reach(Point::Settled);
        self.observer.finished(&terms.subject(), Stage::Settle);
        laps.lap(Stage::Settle);
        alert_settlement(run, file, &outcome);
        Ok(())
    }

    async fn make_sealed(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        file: &mut FileRow,
        sealer: &Usable,
        laps: &mut Laps<'_>,
    ) -> Result<SealedFile, Trouble> {
        let sealer =
            sealer.as_ref().map_err(|reason| Trouble::Stopped { code: reason.code, detail: reason.detail.clone() })?;
        // What falls out of a duplicate was counted with its original.
        let mut uncounted = Tally::default();
        let tally = if file.is_apart() { &mut uncounted } else { &mut share.report.tally };
        self.issue_pins(run, share.terms, file, tally).await?;
        laps.lap(Stage::Pins);
        let sealed = self.seal(run, share.terms, file, sealer, tally).await?;
        laps.lap(Stage::Seal);
        Ok(sealed)
    }

    /// A file only a person can decide: told by every run until then, touched by none.
    async fn tell_doubtful(&self, run: &mut Run<'_>, share: &mut Share<'_>, file: &FileRow) -> Result<(), NightError> {
        if file.night == run.night && !file.is_apart() {
            share.report.outcome = Outcome::Unfinished;
            share.report.reason.clone_from(&file.trouble);
            share.report.resumed_items += self.store.item_counts(file.file_id).await?.records;
        }
        run.alerts.push(people::decide(file));
        self.put_file(run, share, file, file.is_apart(), BTreeMap::new()).await
    }

    /// The date was done before: names and digests again, nothing counted.
    async fn tell_delivered(&self, run: &mut Run<'_>, share: &mut Share<'_>) -> Result<(), NightError> {
        share.report.outcome = Outcome::AlreadyDelivered;
        for file in self.store.files(&run.night).await? {
            if super::belongs(&file, share.terms) {
                self.put_file(run, share, &file, false, BTreeMap::new()).await?;
            }
        }
        Ok(())
    }

    /// What is sent again stands with the files of earlier dates, beside the night's arithmetic.
    async fn put_file(
        &self,
        run: &mut Run<'_>,
        share: &mut Share<'_>,
        file: &FileRow,
        is_apart: bool,
        durations_ms: BTreeMap<&'static str, i64>,
    ) -> Result<(), NightError> {
        let records = self.store.item_counts(file.file_id).await?.records;
        let entry = file_report(file, records, durations_ms);
        if file.night == run.night && !is_apart {
            share.report.files.push(entry);
        } else {
            run.resumed.push(entry);
        }
        Ok(())
    }
}

/// Whether this run was asked for too few cards to claim again what an earlier night claimed.
fn takes_too_few(run: &Run<'_>, stale: &[FileRow]) -> bool {
    !run.order.cards.is_empty() && !stale.is_empty()
}

fn due(run: &Run<'_>, terms: &Terms) -> Due {
    due_of(terms, run.order)
}

/// What is due for an agreement.
pub(super) fn due_of(terms: &Terms, order: &super::RunOrder) -> Due {
    let code = terms.manufacturer.code.clone();
    let is_default = terms.institution.default_manufacturer.as_ref() == Some(&code);
    Due {
        institution: terms.institution.id.clone(),
        route: Route::Manufacturer { code, is_default },
        cut_off: order.cut_off,
        cards: order.cards.clone(),
    }
}

pub(super) fn alert_settlement(run: &mut Run<'_>, file: &FileRow, outcome: &SettleOutcome) {
    for mismatch in &outcome.mismatches {
        run.alerts.push(Alert::new(
            ReasonCode::SettleMismatch.as_str(),
            format!(
                "Plastic {} of request {} was {} instead of INACTIVE when file {} was settled; it was delivered and not moved.",
                mismatch.plastic_id, mismatch.record_uid, mismatch.found, file.file_id
            ),
        ));
    }
    if outcome.closed_after_sealing > 0 {
        run.alerts.push(Alert::new(
            ReasonCode::ClosedAfterSealing.as_str(),
            format!(
                "{} cards of file {} were closed after it was sealed; tell the house to destroy them.",
                outcome.closed_after_sealing, file.file_id
            ),
        ));
    }
}

/// A file as reports show it.
pub fn file_report(file: &FileRow, records: u64, durations_ms: BTreeMap<&'static str, i64>) -> FileReport {
    FileReport {
        file_id: file.file_id,
        file_name: file.file_name.clone(),
        sequence_number: file.sequence_number,
        state: file.state,
        records,
        cards: file.cards.unwrap_or_default(),
        pin_only: file.pin_only.unwrap_or_default(),
        by_production_event: event_counts(file),
        sha256: file.sha256.clone(),
        size_bytes: file.size_bytes,
        durations_ms,
        file_type: file.file_type,
        resend_of: file.resend_of,
        delivery_number: file.delivery_number,
        abandoned: file.abandoned,
        trouble: file.trouble.clone(),
    }
}
