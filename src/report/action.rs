//! What came of a person's order, for people and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::{Alert, FileReport, write_head};
use crate::chain::Head;
use crate::settlement::{Authority, FileState};

/// What came of a person's order about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionReport {
    /// `resolve`, `abandon` or `resend`.
    pub command: &'static str,
    /// What was ordered, in the words of the command line, for example `resolve --delivered`.
    pub order: &'static str,
    /// By whom and why.
    pub authority: Authority,
    /// Where the file stood before.
    pub from: FileState,
    /// The file as it stands now: the one named, or the duplicate made of it.
    pub file: FileReport,
    /// What was done, a sentence.
    pub done: String,
    /// What is not done yet and who goes on; `None` where all is settled.
    pub left: Option<String>,
    /// What a person must look at besides.
    pub alerts: Vec<Alert>,
    /// The head of the audit chain behind it.
    pub audit_head: Option<Head>,
}

impl ActionReport {
    /// 0 done and settled, 1 something still needs a person or a run.
    pub fn exit_code(&self) -> i32 {
        i32::from(!(self.file.state == FileState::Settled && self.left.is_none() && self.alerts.is_empty()))
    }

    /// The `--json` object.
    pub fn to_json(&self) -> Value {
        json!({
            "command": self.command,
            "order": self.order,
            "by": self.authority.by(),
            "reason": self.authority.reason(),
            "from": self.from,
            "file": self.file.to_whole_json(),
            "done": self.done,
            "left": self.left,
            "alerts": self.alerts.iter().map(|a| json!({ "code": a.code, "text": a.text })).collect::<Vec<_>>(),
            "exitCode": self.exit_code(),
            "auditHead": self.audit_head.map(|head| head.to_string()),
        })
    }
}

impl fmt::Display for ActionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.done)?;
        writeln!(f, "  {}", self.file)?;
        if let Some(left) = &self.left {
            writeln!(f, "Not finished: {left}")?;
        }
        for alert in &self.alerts {
            writeln!(f, "ALERT {}: {}", alert.code, alert.text)?;
        }
        write_head(f, self.audit_head.as_ref())
    }
}
