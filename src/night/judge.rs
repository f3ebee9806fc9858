//! The judge of a claim: asks selection for verdicts, counts them, and hands the store what to freeze.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::NightSettings;
use crate::agreement::{Agreement, Terms};
use crate::ambient::Random;
use crate::card::{FileId, InstitutionId, ProductionEvent};
use crate::plan::MOST_FINDINGS;
use crate::selection::{self, Candidate, Dossier, Finding, Production, ReasonCode, Request, Standing, Tally, Verdict};
use crate::store::{Conclusion, Decide, Decision, NewFile, NewItem, Stay};
use crate::vault::Vault;

/// Verdicts of one agreement, gathered while dossiers pass.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    terms: &'a Terms,
    cut_off: DateTime<Utc>,
    settings: &'a NightSettings,
    /// The counts.
    pub(super) tally: Tally,
    /// The first findings; and all that are worth an alert.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(terms: &'a Terms, cut_off: DateTime<Utc>, settings: &'a NightSettings) -> Self {
        Self { terms, cut_off, settings, tally: Tally::default(), findings: Vec::new() }
    }

    /// Judges every due request of one card.
    pub(super) fn judge<'d>(&mut self, dossier: &'d Dossier) -> Vec<(&'d Request, Verdict)> {
        let mut verdicts = Vec::with_capacity(dossier.requests.len());
        let mut waiting_days = None;
        for request in &dossier.requests {
            let candidate = Candidate { dossier, request };
            let verdict = selection::select(&candidate, self.terms, self.cut_off, self.settings.closing_soon_days);
            waiting_days = waiting_days.max(self.count(&candidate, &verdict));
            verdicts.push((request, verdict));
        }
        if let Some(days) = waiting_days {
            self.tally.pin_wait.add(days, &self.settings.pin_wait_days);
        }
        verdicts
    }

    /// Counts a verdict; whole days where the request waits for its card's PIN.
    fn count(&mut self, candidate: &Candidate<'_>, verdict: &Verdict) -> Option<i64> {
        let finding = self.tally.add(candidate, verdict, self.cut_off)?;
        let waiting_days = (finding.code == ReasonCode::HeldPinWait).then_some(finding.age_days);
        if waiting_days.is_some()
            && let Some(days) = selection::warning_age(finding.age_days, &self.settings.pin_wait_days)
        {
            *self.tally.warnings.entry(format!("PIN_WAIT_OVER_{days}_DAYS")).or_default() += 1;
        }
        if finding.alert || self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
        waiting_days
    }
}

/// Fault 26: too many requests with bad data, by number and by share; the sentence that says so.
pub(super) fn too_many_bad(agreement: &Agreement, bad: u64, selected: u64) -> Option<String> {
    let over = bad > agreement.max_bad_records && bad * 1000 > selected * u64::from(agreement.max_bad_share.0);
    over.then(|| {
        format!(
            "{bad} of {selected} requests have bad data, more than max_bad_records {} and max_bad_share {}; mend the data or raise the limits, then run the date again",
            agreement.max_bad_records,
            f64::from(agreement.max_bad_share.0) / 1000.0
        )
    })
}

/// What the claim freezes for a production.
fn new_item(request: &Request, dossier: &Dossier, terms: &Terms, production: Production) -> NewItem {
    let moves = request.event != ProductionEvent::Ropin && !request.reproduction;
    let produced = terms.products.get(&dossier.card.product_code).map(|product| product.produced.status());
    NewItem {
        record_uid: request.record_uid,
        sort_key: production.sort_key,
        pin: production.pin,
        prints_pin: production.pin_mailer.is_some(),
        settles_to: if moves { produced } else { None },
    }
}

/// What is written of a request that does not go.
pub(super) fn stay(request: &Request, standing: Standing, code: ReasonCode) -> Stay {
    Stay { record_uid: request.record_uid, standing, code }
}

/// A judge at the claim: what it decides is written.
pub(super) struct ClaimJudge<'a> {
    pub(super) judge: Judge<'a>,
    pub(super) vault: &'a Vault,
    pub(super) random: &'a Arc<Random>,
}

impl Decide for ClaimJudge<'_> {
    fn restart(&mut self) {
        self.judge.tally = Tally::default();
        self.judge.findings.clear();
    }

    fn decide(&mut self, dossier: &Dossier) -> Vec<Decision> {
        let terms = self.judge.terms;
        self.judge
            .judge(dossier)
            .into_iter()
            .map(|(request, verdict)| match verdict {
                Verdict::Produce(production) => Decision::Produce(new_item(request, dossier, terms, *production)),
                Verdict::Close(reason) => Decision::Close(request.record_uid, reason.code),
                Verdict::Hold(reason) => Decision::Stay(stay(request, Standing::Hold, reason.code)),
                Verdict::Exclude(reason) => Decision::Stay(stay(request, Standing::Exclude, reason.code)),
            })
            .collect()
    }

    fn conclude(&mut self) -> Conclusion {
        let Tally { bad, selected, .. } = self.judge.tally;
        match too_many_bad(&self.judge.terms.agreement, bad, selected) {
            Some(detail) => Conclusion::Stop { code: ReasonCode::TooManyBadRecords, detail },
            None => Conclusion::Commit { even_empty: self.judge.terms.agreement.emit_empty },
        }
    }

    fn new_file(&mut self) -> NewFile {
        let file_id = FileId(self.random.uuid());
        let institution: &InstitutionId = &self.judge.terms.institution.id;
        let seed = zeroize::Zeroizing::new(self.random.bytes::<32>());
        NewFile { file_id, fill_seed: self.vault.seal_fill_seed(institution, file_id, &seed).0 }
    }
}
