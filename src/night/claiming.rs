//! The claim of an agreement, and the counting of what is not claimed: nothing that is due goes unmentioned.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::agreement::Share;
use super::judge::{ClaimJudge, Judge};
use super::observe::Stage;
use super::{Night, NightError, Run, RunOrder};
use crate::agreement::Terms;
use crate::report::{Alert, Outcome};
use crate::selection::{Reason, ReasonCode, Tally};
use crate::store::{AgreementNight, ClaimOrder, Due, FileRow, NightState, Route};

impl Night {
    /// Claims what is due; `None` where the agreement was stopped instead.
    pub(super) async fn claim(&self, run: &Run, share: &mut Share) -> Result<Option<Vec<FileRow>>, NightError> {
        let terms = Arc::clone(&share.terms);
        let order = ClaimOrder {
            night: run.night.clone(),
            run_id: run.run_id,
            epoch: run.epoch,
            manufacturer: terms.manufacturer.code.clone(),
            due: due_of(&terms, &run.order),
            format: terms.agreement.format,
            version: terms.agreement.version,
            max_records_per_file: terms.agreement.max_records_per_file,
        };
        let judge = Judge::new(&terms, run.order.cut_off, &self.settings);
        let mut judge = ClaimJudge { judge, vault: &self.vault, random: &self.random };
        let claimed = self.claim_once(&order, &mut judge).await?;
        self.observer.finished(&terms.subject(), Stage::Claim);
        share.alerts.extend(judge.judge.findings.iter().filter(|finding| finding.alert).map(Alert::of));
        share.report.tally = judge.judge.tally;
        let Some((code, detail)) = claimed.stopped else { return Ok(Some(claimed.files)) };
        let selected = share.report.tally.selected;
        share.end(Outcome::Stopped, &format!("{code}: {detail}"));
        share.report.tally = Tally { selected, ..Tally::default() };
        share.report.tally.held.insert(code.as_str(), selected);
        Ok(None)
    }

    /// STOPPED before claiming: its due requests are held with its reason.
    pub(super) async fn stop_agreement(
        &self,
        run: &Run,
        share: &mut Share,
        stale: &[FileRow],
        reason: Reason,
    ) -> Result<(), NightError> {
        share.end(Outcome::Stopped, &format!("{}: {}", reason.code, reason.detail));
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
        self.stop_for(run, &night).await?;
        self.hold_all(&due_of(&share.terms, &run.order), reason.code, &mut share.report.tally).await
    }

    /// R136: nothing is claimed behind a file that is still on its way; what is due waits, and is counted.
    pub(super) async fn wait_behind(&self, run: &Run, share: &mut Share, stale: &[FileRow]) -> Result<(), NightError> {
        for file in stale {
            self.put_file(run, share, file, file.is_apart(), BTreeMap::new()).await?;
        }
        let code = ReasonCode::WaitingForEarlierFile;
        if share.report.outcome == Outcome::NothingDue {
            share.end(
                Outcome::Unfinished,
                &format!("{code}: a file with more than these cards is claimed; run the night"),
            );
        }
        self.hold_all(&due_of(&share.terms, &run.order), code, &mut share.report.tally).await
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

    /// A date that an earlier try claimed: what is still OPEN and due was held then, or has come since. It is counted
    /// with its reason; what could go now waits for the next night, because a date is claimed once.
    pub(super) async fn count_waiting(&self, run: &Run, share: &mut Share) -> Result<(), NightError> {
        let terms = Arc::clone(&share.terms);
        let Judge { mut tally, findings, .. } = self.judge_all(&run.order, &terms).await?;
        let late: u64 = tally.producing() + tally.closing();
        if late > 0 {
            *tally.held.entry(ReasonCode::WaitingForNextNight.as_str()).or_default() += late;
        }
        tally.produced.clear();
        tally.closed.clear();
        tally.warnings.clear();
        share.alerts.extend(findings.iter().filter(|finding| finding.alert).map(Alert::of));
        share.report.tally = tally;
        Ok(())
    }
}

/// What is due for an agreement.
pub(super) fn due_of(terms: &Terms, order: &RunOrder) -> Due {
    Due {
        institution: terms.institution.id.clone(),
        route: Route::of(terms),
        cut_off: order.cut_off,
        cards: order.cards.clone(),
    }
}
