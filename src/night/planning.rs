//! The plan of a night: the same verdicts as its claim, without a write (R139).

use super::judge::Judge;
use super::{Night, NightError, RunOrder};
use crate::agreement::Terms;
use crate::plan::{Expectation, MOST_FINDINGS, Plan, PlannedAgreement};
use crate::selection::{Finding, Tally};
use crate::settlement::RunKind;
use crate::store::{NightKey, NightState};

impl Night {
    /// What [`run`](Night::run) would decide now.
    ///
    /// # Errors
    /// [`NightError::Store`].
    pub async fn plan(&self, order: &RunOrder) -> Result<Plan, NightError> {
        let mut plan = Plan {
            kind: order.kind,
            business_date: order.business_date,
            cut_off: order.cut_off,
            crypto: self.vault.crypto().name(),
            renewals: self.plan_renewals(order).await?,
            agreements: Vec::new(),
            unrouted: Vec::new(),
            findings: Vec::new(),
        };
        for terms in &self.terms {
            if order.admits(&terms.institution.id, &terms.manufacturer.code) {
                let (agreement, findings) = self.plan_agreement(order, terms).await?;
                plan.agreements.push(agreement);
                plan.findings.extend(findings);
            }
        }
        if order.manufacturers.is_empty() {
            for (institution, tally, findings) in self.left_out(order, None).await? {
                plan.unrouted.push((institution, tally));
                plan.findings.extend(findings);
            }
        }
        plan.findings.truncate(MOST_FINDINGS);
        Ok(plan)
    }

    async fn plan_agreement(
        &self,
        order: &RunOrder,
        terms: &Terms,
    ) -> Result<(PlannedAgreement, Vec<Finding>), NightError> {
        let (institution, manufacturer) = (terms.institution.id.clone(), terms.manufacturer.code.clone());
        let mut agreement = PlannedAgreement {
            institution,
            manufacturer,
            expectation: Expectation::NothingDue,
            reason: None,
            tally: Tally::default(),
        };
        if order.kind == RunKind::Night {
            let night = NightKey::Date(order.business_date);
            let known = self.store.night(&night, &agreement.institution, &agreement.manufacturer).await?;
            agreement.expectation = match known.map(|night| night.state) {
                Some(NightState::Done) => Expectation::AlreadyDelivered,
                Some(NightState::Claimed) => Expectation::Unfinished,
                _ => Expectation::NothingDue,
            };
        }
        if agreement.expectation != Expectation::NothingDue {
            return Ok((agreement, Vec::new()));
        }
        let judge = self.judge_all(order, terms).await?;
        agreement.tally = judge.tally;
        if agreement.tally.producing() > 0 || terms.agreement.emit_empty {
            agreement.expectation = Expectation::Due;
        }
        if let Err(reason) = self.usable_sealer(terms) {
            agreement.expectation = Expectation::Stopped;
            agreement.reason = Some(format!("{}: {}", reason.code, reason.detail));
            // As the run counts it: what a stopped agreement would take is held with its reason.
            let Tally { selected, pin_wait, .. } = std::mem::take(&mut agreement.tally);
            agreement.tally = Tally { selected, pin_wait, ..Tally::default() };
            if selected > 0 {
                agreement.tally.held.insert(reason.code.as_str(), selected);
            }
        }
        Ok((agreement, judge.findings))
    }

    /// The verdicts on everything that is OPEN and due for an agreement.
    pub(super) async fn judge_all<'a>(&'a self, order: &RunOrder, terms: &'a Terms) -> Result<Judge<'a>, NightError> {
        let due = super::claiming::due_of(terms, order);
        let mut judge = Judge::new(terms, order.cut_off, &self.settings);
        let mut after = None;
        loop {
            let dossiers = self.store.dossiers(&due, after, super::PAGE).await?;
            let Some(last) = dossiers.last() else { return Ok(judge) };
            after = Some(last.card_id);
            for dossier in &dossiers {
                judge.judge(dossier);
            }
        }
    }
}
