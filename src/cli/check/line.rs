//! What `emboss check` tells: one line for each thing a person should know.

use serde_json::{Value, json};

use crate::config::Finding;

/// One thing a person should know.
#[derive(PartialEq, Eq)]
pub(super) struct Line {
    pub(super) level: &'static str,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) action: String,
}

impl Line {
    pub(super) fn error(subject: impl Into<String>, text: impl Into<String>, action: impl Into<String>) -> Self {
        Self { level: "error", subject: subject.into(), text: text.into(), action: action.into() }
    }

    pub(super) fn warning(subject: impl Into<String>, text: impl Into<String>, action: impl Into<String>) -> Self {
        Self { level: "warning", subject: subject.into(), text: text.into(), action: action.into() }
    }

    /// An answer that was asked for.
    pub(super) fn told(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: "info", subject: subject.into(), text: text.into(), action: String::new() }
    }

    /// What is as it should be: for people, not in the JSON object.
    pub(super) fn good(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: "ok", subject: subject.into(), text: text.into(), action: String::new() }
    }

    /// As `--json` shows it.
    pub(super) fn to_json(&self) -> Value {
        json!({ "level": self.level, "subject": self.subject, "text": self.text, "action": self.action })
    }
}

impl From<Finding> for Line {
    fn from(finding: Finding) -> Self {
        Self::error(finding.subject, finding.text, finding.action)
    }
}

impl std::fmt::Display for Line {
    /// A text that is no whole sentence goes on from its subject, as findings of the configuration do.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { level, subject, text, action } = self;
        if action.is_empty() {
            write!(f, "{level:7} {subject}: {text}")
        } else if text.ends_with('.') {
            write!(f, "{level:7} {subject}: {text} {action}")
        } else {
            write!(f, "{level:7} {subject} {text}: {action}")
        }
    }
}
