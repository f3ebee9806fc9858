//! What happened in a run, for people and as JSON: the arithmetic, the files, the alerts.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::ambient::rfc3339;
use crate::card::product::words;
use crate::card::{FileId, InstitutionId, ManufacturerCode, RunId};
use crate::chain::Head;
use crate::document::FileType;
use crate::renewal::RenewalTally;
use crate::selection::{Finding, Tally};
use crate::settlement::{FileState, RunKind};

mod action;
mod arithmetic;

pub use action::ActionReport;
pub use arithmetic::Arithmetic;

words!(
    /// How an agreement came out of a run.
    Outcome {
        /// Its files are settled.
        Delivered = "DELIVERED",
        /// Nothing was due.
        NothingDue = "NOTHING_DUE",
        /// The date was done before.
        AlreadyDelivered = "ALREADY_DELIVERED",
        /// It was not claimed: a key, a destination or its data.
        Stopped = "STOPPED",
        /// A file is still on its way.
        Unfinished = "UNFINISHED",
    }
);

/// A run's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `run` or `demo`.
    pub command: &'static str,
    /// The run.
    pub run_id: RunId,
    /// Night or on demand.
    pub kind: RunKind,
    /// The date.
    pub business_date: NaiveDate,
    /// T0.
    pub cut_off: DateTime<Utc>,
    /// Whether it left out some institutions or houses: then it was not the night of its date.
    pub filtered: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Who computed card secrets.
    pub crypto: &'static str,
    /// Cards renewed before anything was claimed, by institution; empty where none renews.
    pub renewals: Vec<RenewalTally>,
    /// The agreements, in configuration order.
    pub agreements: Vec<AgreementReport>,
    /// Verdicts on cards that no agreement takes.
    pub unrouted: Tally,
    /// Files of earlier dates that were resumed, resends and duplicates; apart from the arithmetic.
    pub resumed: Vec<FileReport>,
    /// What a person must look at.
    pub alerts: Vec<Alert>,
    /// The head of the audit chain behind the run's end; `None` before that.
    pub audit_head: Option<Head>,
}

/// One agreement of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementReport {
    /// The issuer.
    pub institution: InstitutionId,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// How it came out.
    pub outcome: Outcome,
    /// Why it stopped or did not finish.
    pub reason: Option<String>,
    /// The verdicts, after what fell out later.
    pub tally: Tally,
    /// Items of files of this date that an earlier try had claimed already.
    pub resumed_items: u64,
    /// Its files of this date.
    pub files: Vec<FileReport>,
}

/// One file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its id.
    pub file_id: FileId,
    /// Its name with `.pgp`, once sealed.
    pub file_name: Option<String>,
    /// Its number.
    pub sequence_number: u64,
    /// Where it stands.
    pub state: FileState,
    /// Live items.
    pub records: u64,
    /// CARD records.
    pub cards: u64,
    /// PIN_ONLY records.
    pub pin_only: u64,
    /// Records per event.
    pub by_production_event: BTreeMap<String, u64>,
    /// SHA-256 of the sealed bytes.
    pub sha256: Option<String>,
    /// Their number.
    pub size_bytes: Option<u64>,
    /// Milliseconds per stage.
    pub durations_ms: BTreeMap<&'static str, i64>,
    /// NORMAL, or DUPLICATE of `resend_of`.
    pub file_type: FileType,
    /// The file a duplicate repeats.
    pub resend_of: Option<FileId>,
    /// How many times it was, or is being, delivered.
    pub delivery_number: u32,
    /// Whether a person took its cards out.
    pub abandoned: bool,
    /// The last thing that went wrong, for people.
    pub trouble: Option<String>,
}

/// Something a person must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// A stable code.
    pub code: String,
    /// A sentence with the ids in it.
    pub text: String,
    /// Whether the run before did not know it yet: only then does it set exit 1.
    pub is_new: bool,
}

impl Alert {
    /// What a finding raises; without its age, so that tomorrow's is not a new one.
    pub fn of(finding: &Finding) -> Self {
        let Finding { plastic_id, card_id, code, detail, .. } = finding;
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        Self::new(code.as_str(), format!("Plastic {plastic_id} of card {card_id}: {code}{detail}."))
    }

    /// An alert.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), is_new: true }
    }
}

impl Report {
    /// All verdicts together.
    pub fn total(&self) -> Tally {
        let mut total = self.unrouted.clone();
        for agreement in &self.agreements {
            total.absorb(&agreement.tally);
        }
        total
    }

    /// The arithmetic: the verdicts on one side, the items that the database holds on the other.
    pub fn arithmetic(&self) -> Arithmetic {
        let total = self.total();
        let mut delivered = 0;
        let mut undelivered: BTreeMap<&'static str, u64> = BTreeMap::new();
        let counted = |agreement: &&AgreementReport| agreement.outcome != Outcome::AlreadyDelivered;
        for file in self.agreements.iter().filter(counted).flat_map(|agreement| &agreement.files) {
            if matches!(file.state, FileState::Published | FileState::Settled) {
                delivered += file.records;
            } else if file.records > 0 {
                *undelivered.entry(file.state.as_str()).or_default() += file.records;
            }
        }
        let resumed: u64 = self.agreements.iter().filter(counted).map(|agreement| agreement.resumed_items).sum();
        Arithmetic {
            selected: total.selected + resumed,
            delivered,
            undelivered,
            held: total.holding(),
            excluded: total.excluding(),
            closed: total.closing(),
        }
    }

    /// 0 all settled, 1 something needs a person.
    pub fn exit_code(&self) -> i32 {
        let finished = self
            .agreements
            .iter()
            .all(|agreement| !matches!(agreement.outcome, Outcome::Stopped | Outcome::Unfinished));
        let resumed = self.resumed.iter().all(|file| file.state == FileState::Settled);
        i32::from(
            !(finished && resumed && !self.alerts.iter().any(|alert| alert.is_new) && self.arithmetic().adds_up()),
        )
    }

    /// The `--json` object.
    pub fn to_json(&self) -> Value {
        let mut report = self.to_stored_json();
        report["auditHead"] = json!(self.audit_head.map(|head| head.to_string()));
        report
    }

    /// The same as the database keeps it: the audit's entry of the run's end has its digest, and the head is made with
    /// that entry.
    pub fn to_stored_json(&self) -> Value {
        let total = self.total();
        let sum = self.arithmetic();
        let mut report = json!({
            "command": self.command,
            "runId": self.run_id,
            "kind": self.kind,
            "businessDate": self.business_date.to_string(),
            "cutOff": rfc3339(self.cut_off),
            "startedAt": rfc3339(self.started_at),
            "endedAt": rfc3339(self.ended_at),
            "crypto": self.crypto,
            "selected": sum.selected,
            "delivered": sum.delivered,
            "undelivered": { "byState": sum.undelivered },
            "held": { "total": sum.held, "byReason": total.held },
            "excluded": { "total": sum.excluded, "byReason": total.excluded },
            "closed": sum.closed,
            "warnings": total.warnings,
            "addsUp": sum.adds_up(),
            "agreements": self.agreements.iter().map(AgreementReport::to_json).collect::<Vec<_>>(),
            "resumed": self.resumed.iter().map(FileReport::to_json).collect::<Vec<_>>(),
            "alerts": self.alerts.iter().map(|a| json!({ "code": a.code, "text": a.text })).collect::<Vec<_>>(),
            "exitCode": self.exit_code(),
        });
        if !self.renewals.is_empty() {
            report["renewals"] = self.renewals.iter().map(RenewalTally::to_json).collect();
        }
        if self.filtered {
            report["filtered"] = json!(true);
        }
        report
    }
}

impl AgreementReport {
    fn to_json(&self) -> Value {
        json!({
            "institution": self.institution,
            "manufacturer": self.manufacturer,
            "outcome": self.outcome,
            "reason": self.reason,
            "selected": self.tally.selected + self.resumed_items,
            "held": self.tally.holding(),
            "excluded": self.tally.excluding(),
            "files": self.files.iter().map(FileReport::to_json).collect::<Vec<_>>(),
        })
    }
}

impl FileReport {
    /// One file as reports write it.
    pub fn to_json(&self) -> Value {
        json!({
            "fileId": self.file_id,
            "fileName": self.file_name,
            "sequenceNumber": self.sequence_number,
            "state": self.state,
            "records": self.records,
            "cards": self.cards,
            "pinOnly": self.pin_only,
            "byProductionEvent": self.by_production_event,
            "sha256": self.sha256,
            "sizeBytes": self.size_bytes,
            "durationsMs": self.durations_ms,
        })
    }
}

impl FileReport {
    /// One file as `status` and persons' orders write it: with what was done to it beside a night's work.
    pub fn to_whole_json(&self) -> Value {
        let mut whole = self.to_json();
        whole["fileType"] = json!(self.file_type);
        whole["resendOfFileId"] = json!(self.resend_of);
        whole["deliveryNumber"] = json!(self.delivery_number);
        whole["abandoned"] = json!(self.abandoned);
        whole["trouble"] = json!(self.trouble);
        whole
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Run {} for {}, cut-off {}, card secrets by {}.",
            self.run_id,
            self.business_date,
            rfc3339(self.cut_off),
            self.crypto
        )?;
        for renewed in &self.renewals {
            writeln!(f, "  renewed for {renewed}")?;
        }
        for agreement in &self.agreements {
            writeln!(f, "  {agreement}")?;
            for file in &agreement.files {
                writeln!(f, "    {file}")?;
            }
        }
        for file in &self.resumed {
            writeln!(f, "  beside this date: {file}")?;
        }
        writeln!(f, "{}", self.arithmetic())?;
        let total = self.total();
        for (what, counts) in [("held", &total.held), ("excluded", &total.excluded)] {
            for (code, count) in counts {
                writeln!(f, "  {what}: {code} {count}")?;
            }
        }
        for (code, count) in &total.warnings {
            writeln!(f, "  warning: {code} {count}")?;
        }
        for alert in &self.alerts {
            writeln!(f, "ALERT {}: {}", alert.code, alert.text)?;
        }
        write_head(f, self.audit_head.as_ref())
    }
}

impl fmt::Display for AgreementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}: {}", self.institution, self.manufacturer, self.outcome)?;
        if let Some(reason) = &self.reason {
            write!(f, ", {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file_name {
            Some(name) => write!(f, "{name}")?,
            None => write!(f, "file {} (number {})", self.file_id, self.sequence_number)?,
        }
        write!(f, ": {}, {} records", self.state, self.records)?;
        if let (Some(sha256), Some(size_bytes)) = (&self.sha256, self.size_bytes) {
            write!(f, ", {size_bytes} bytes, sha256 {sha256}")?;
        }
        if let Some(original) = self.resend_of {
            write!(f, ", duplicate of file {original}")?;
        }
        if self.delivery_number > 1 {
            write!(f, ", delivery {}", self.delivery_number)?;
        }
        if self.abandoned {
            f.write_str(", abandoned: its cards are not in it")?;
        }
        Ok(())
    }
}

/// The line that whoever reads a report may keep, for `emboss audit verify --head`.
fn write_head(f: &mut fmt::Formatter<'_>, head: Option<&Head>) -> fmt::Result {
    match head {
        Some(head) => writeln!(f, "Audit head {head}"),
        None => Ok(()),
    }
}

/// An error with its sources, as one line for people: what a report, a log and the command line print.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
