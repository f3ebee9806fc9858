//! Due cards that no agreement takes: held with the reason, never silently dropped (R8).

use std::collections::BTreeMap;

use super::judge::stay;
use super::{Night, NightError, Run, RunOrder};

use crate::agreement::{Institution, Product};
use crate::card::InstitutionId;
use crate::report::Alert;
use crate::selection::{self, Candidate, Finding, ReasonCode, Tally, Verdict};
use crate::store::{Due, Route};

static NO_PRODUCTS: BTreeMap<String, Product> = BTreeMap::new();

impl Night {
    /// Counts what no agreement takes, and writes it down; a filter on houses asks for agreements only.
    pub(super) async fn unrouted(&self, run: &Run, alerts: &mut Vec<Alert>) -> Result<Tally, NightError> {
        let (order, mut total) = (&run.order, Tally::default());
        if !order.manufacturers.is_empty() {
            return Ok(total);
        }
        for (institution, tally, findings) in self.left_out(order, Some(run.epoch)).await? {
            tracing::debug!(%institution, held = tally.holding(), "cards that no agreement takes");
            alerts.extend(findings.iter().filter(|finding| finding.alert).map(Alert::of));
            total.absorb(&tally);
        }
        Ok(total)
    }

    /// The verdicts on cards that no agreement takes, by institution; written down where there is an epoch to do it in.
    pub(super) async fn left_out(
        &self,
        order: &RunOrder,
        epoch: Option<i64>,
    ) -> Result<Vec<(InstitutionId, Tally, Vec<Finding>)>, NightError> {
        let mut left_out = Vec::new();
        for (institution, _) in self.store.due_institutions(order.cut_off).await? {
            if !order.institutions.is_empty() && !order.institutions.contains(&institution) {
                continue;
            }
            let configured = self.institutions.iter().find(|known| known.id == institution);
            let due = Due {
                institution: institution.clone(),
                route: Route::elsewhere(&self.terms, configured),
                cut_off: order.cut_off,
                cards: order.cards.clone(),
            };
            let (tally, findings) = self.hold_elsewhere(&due, configured, epoch).await?;
            if tally.selected > 0 {
                left_out.push((institution, tally, findings));
            }
        }
        Ok(left_out)
    }

    async fn hold_elsewhere(
        &self,
        due: &Due,
        configured: Option<&Institution>,
        epoch: Option<i64>,
    ) -> Result<(Tally, Vec<Finding>), NightError> {
        let (mut tally, mut findings, mut after) = (Tally::default(), Vec::new(), None);
        loop {
            let dossiers = self.store.dossiers(due, after, super::PAGE).await?;
            let Some(last) = dossiers.last() else { return Ok((tally, findings)) };
            after = Some(last.card_id);
            let mut stays = Vec::new();
            for dossier in &dossiers {
                for request in &dossier.requests {
                    let candidate = Candidate { dossier, request };
                    let verdict = self.verdict(&candidate, configured, due);
                    let finding = tally.add(&candidate, &verdict, due.cut_off);
                    stays.extend(finding.as_ref().map(|finding| stay(request, finding.standing, finding.code)));
                    findings.extend(finding.filter(|_| findings.len() < crate::plan::MOST_FINDINGS));
                }
            }
            if let Some(epoch) = epoch.filter(|_| !stays.is_empty()) {
                self.store.note_stays(epoch, due.cut_off.date_naive(), &stays).await?;
            }
        }
    }

    fn verdict(&self, candidate: &Candidate<'_>, configured: Option<&Institution>, due: &Due) -> Verdict {
        match configured {
            Some(institution) => {
                let products = self.products.get(&institution.id).unwrap_or(&NO_PRODUCTS);
                selection::select_unrouted(candidate, institution, products, &self.manufacturers, due.cut_off)
            }
            None => Verdict::Hold(
                ReasonCode::InstitutionUnknown.because(format!("institution {} is not configured", due.institution)),
            ),
        }
    }
}
