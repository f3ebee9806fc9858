//! Due cards that no agreement takes: held with the reason, never silently dropped (R8).

use super::{Night, NightError, RunOrder};
use std::collections::BTreeMap;

use crate::agreement::{Institution, Product};
use crate::card::{InstitutionId, ManufacturerCode};
use crate::report::Alert;
use crate::selection::{self, Candidate, Finding, ReasonCode, Tally, Verdict};
use crate::store::{Due, Route};

static NO_PRODUCTS: BTreeMap<String, Product> = BTreeMap::new();

impl Night {
    /// Counts what no agreement takes; a filter on houses asks for agreements only.
    pub(super) async fn unrouted(&self, order: &RunOrder, alerts: &mut Vec<Alert>) -> Result<Tally, NightError> {
        let mut total = Tally::default();
        if !order.manufacturers.is_empty() {
            return Ok(total);
        }
        for (institution, tally, findings) in self.left_out(order).await? {
            tracing::debug!(%institution, held = tally.holding(), "cards that no agreement takes");
            alerts.extend(findings.iter().filter(|finding| finding.alert).map(Alert::of));
            total.absorb(&tally);
        }
        Ok(total)
    }

    /// The verdicts on cards that no agreement takes, by institution.
    pub(super) async fn left_out(
        &self,
        order: &RunOrder,
    ) -> Result<Vec<(InstitutionId, Tally, Vec<Finding>)>, NightError> {
        let mut left_out = Vec::new();
        for (institution, _) in self.store.due_institutions(order.cut_off).await? {
            if !order.institutions.is_empty() && !order.institutions.contains(&institution) {
                continue;
            }
            let configured = self.institutions.iter().find(|known| known.id == institution);
            let due = Due {
                institution: institution.clone(),
                route: self.elsewhere(configured),
                cut_off: order.cut_off,
                cards: order.cards.clone(),
            };
            let (tally, findings) = self.hold_elsewhere(&due, configured).await?;
            if tally.selected > 0 {
                left_out.push((institution, tally, findings));
            }
        }
        Ok(left_out)
    }

    fn elsewhere(&self, configured: Option<&Institution>) -> Route {
        let Some(institution) = configured else {
            return Route::Elsewhere { known: Vec::new(), has_default: false };
        };
        let known: Vec<ManufacturerCode> = self
            .terms
            .iter()
            .filter(|terms| terms.institution.id == institution.id)
            .map(|terms| terms.manufacturer.code.clone())
            .collect();
        let has_default = institution.default_manufacturer.as_ref().is_some_and(|code| known.contains(code));
        Route::Elsewhere { known, has_default }
    }

    async fn hold_elsewhere(
        &self,
        due: &Due,
        configured: Option<&Institution>,
    ) -> Result<(Tally, Vec<Finding>), NightError> {
        let (mut tally, mut findings, mut after) = (Tally::default(), Vec::new(), None);
        loop {
            let dossiers = self.store.dossiers(due, after, super::PAGE).await?;
            let Some(last) = dossiers.last() else { return Ok((tally, findings)) };
            after = Some(last.card_id);
            for dossier in &dossiers {
                for request in &dossier.requests {
                    let candidate = Candidate { dossier, request };
                    let verdict = self.verdict(&candidate, configured, due);
                    let finding = tally.add(&candidate, &verdict, due.cut_off);
                    findings.extend(finding.filter(|_| findings.len() < crate::plan::MOST_FINDINGS));
                }
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
