//! What a night will do, as a value: `plan` prints it, `run` decides the same and applies it.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::ambient::rfc3339;
use crate::card::product::words;
use crate::card::{InstitutionId, ManufacturerCode};
use crate::renewal::RenewalTally;
use crate::selection::{Finding, Standing, Tally};
use crate::settlement::RunKind;

words!(
    /// What a plan expects of an agreement.
    Expectation {
        /// A file will be made.
        Due = "DUE",
        /// Nothing is due.
        NothingDue = "NOTHING_DUE",
        /// The date is done already.
        AlreadyDelivered = "ALREADY_DELIVERED",
        /// It cannot be claimed, a key or destination is unusable.
        Stopped = "STOPPED",
        /// Files of an earlier try are still on their way.
        Unfinished = "UNFINISHED",
    }
);

/// How many findings a plan keeps: enough to act on, however many cards are held.
pub const MOST_FINDINGS: usize = 1_000;

/// What a night will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Night or on demand.
    pub kind: RunKind,
    /// The date.
    pub business_date: NaiveDate,
    /// T0.
    pub cut_off: DateTime<Utc>,
    /// Who computes card secrets.
    pub crypto: &'static str,
    /// Cards that would be renewed first, by institution; their plastics are not among the verdicts, which are on what is
    /// marked now. Empty where no institution renews.
    pub renewals: Vec<RenewalTally>,
    /// The agreements, in configuration order.
    pub agreements: Vec<PlannedAgreement>,
    /// Cards no agreement takes, by institution.
    pub unrouted: Vec<(InstitutionId, Tally)>,
    /// The first [`MOST_FINDINGS`] requests that will not become records.
    pub findings: Vec<Finding>,
}

/// One agreement of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAgreement {
    /// The issuer.
    pub institution: InstitutionId,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// What to expect.
    pub expectation: Expectation,
    /// Why it stops.
    pub reason: Option<String>,
    /// The verdicts.
    pub tally: Tally,
}

impl Plan {
    /// All verdicts together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for agreement in &self.agreements {
            total.absorb(&agreement.tally);
        }
        for (_, tally) in &self.unrouted {
            total.absorb(tally);
        }
        total
    }

    /// The `--json` object of `plan`: that of `run` without ids and times, and the findings.
    /// `delivered` is what would be.
    pub fn to_json(&self) -> Value {
        let total = self.total();
        let sum = total.producing() + total.holding() + total.excluding() + total.closing();
        let alerts = self.findings.iter().filter(|finding| finding.alert);
        let mut plan = json!({
            "command": "plan",
            "kind": self.kind,
            "businessDate": self.business_date.to_string(),
            "cutOff": rfc3339(self.cut_off),
            "crypto": self.crypto,
            "selected": total.selected,
            "produce": { "total": total.producing(), "byProductionEvent": total.produced },
            "delivered": total.producing(),
            "undelivered": { "byState": {} },
            "held": { "total": total.holding(), "byReason": total.held },
            "excluded": { "total": total.excluding(), "byReason": total.excluded },
            "closed": total.closing(),
            "warnings": total.warnings,
            "addsUp": total.selected == sum,
            "agreements": self.agreements.iter().map(PlannedAgreement::to_json).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(finding_json).collect::<Vec<_>>(),
            "alerts": alerts.map(|finding| json!({ "code": finding.code, "text": FindingLine(finding).to_string() }))
                .collect::<Vec<_>>(),
            "exitCode": 0,
        });
        if !self.renewals.is_empty() {
            plan["renewals"] = self.renewals.iter().map(RenewalTally::to_json).collect();
        }
        plan
    }
}

impl PlannedAgreement {
    fn to_json(&self) -> Value {
        json!({
            "institution": self.institution,
            "manufacturer": self.manufacturer,
            "outcome": self.expectation,
            "reason": self.reason,
            "selected": self.tally.selected,
            "produce": self.tally.producing(),
            "held": self.tally.holding(),
            "excluded": self.tally.excluding(),
            "files": [],
        })
    }
}

/// One finding as plans and `status` write it.
pub fn finding_json(finding: &Finding) -> Value {
    json!({
        "plasticId": finding.plastic_id,
        "cardId": finding.card_id,
        "verdict": finding.standing,
        "reason": finding.code,
        "detail": finding.detail,
        "markedAt": rfc3339(finding.marked_at),
        "ageDays": finding.age_days,
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        writeln!(f, "Plan for {} (everything marked until {}):", self.business_date, rfc3339(self.cut_off))?;
        for renewals in &self.renewals {
            writeln!(f, "  to be renewed first for {renewals}")?;
        }
        for agreement in &self.agreements {
            writeln!(f, "  {agreement}")?;
        }
        for (institution, tally) in &self.unrouted {
            writeln!(f, "  {institution}: {} cards that no agreement takes", tally.selected)?;
        }
        writeln!(
            f,
            "{} selected = {} to produce + {} held + {} excluded + {} closed without a record",
            total.selected,
            total.producing(),
            total.holding(),
            total.excluding(),
            total.closing()
        )?;
        for finding in &self.findings {
            writeln!(f, "  {}", FindingLine(finding))?;
        }
        if self.findings.len() == MOST_FINDINGS {
            writeln!(f, "  (the first {MOST_FINDINGS} are shown)")?;
        }
        Ok(())
    }
}

impl fmt::Display for PlannedAgreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}: ", self.institution, self.manufacturer)?;
        match (&self.expectation, &self.reason) {
            (Expectation::AlreadyDelivered, _) => f.write_str("already delivered for this date"),
            (Expectation::Stopped, reason) => {
                write!(f, "stopped, {}", reason.as_deref().unwrap_or("see emboss check"))
            }
            (Expectation::Unfinished, _) => f.write_str("a file of an earlier try is still on its way"),
            (Expectation::Due | Expectation::NothingDue, _) => write!(
                f,
                "{} to produce, {} held, {} excluded",
                self.tally.producing(),
                self.tally.holding(),
                self.tally.excluding()
            ),
        }
    }
}

/// A finding as one line for people.
#[derive(Debug)]
pub struct FindingLine<'a>(pub &'a Finding);

impl fmt::Display for FindingLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { plastic_id, card_id, standing, code, detail, age_days, .. } = self.0;
        let verdict = match standing {
            Standing::Produce => "goes",
            Standing::Hold => "held",
            Standing::Exclude => "excluded",
            Standing::Close => "closed",
        };
        write!(f, "plastic {plastic_id} of card {card_id}: {verdict}, {code}")?;
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        match age_days {
            0 => f.write_str(", marked today"),
            1 => f.write_str(", marked 1 day ago"),
            days => write!(f, ", marked {days} days ago"),
        }
    }
}
