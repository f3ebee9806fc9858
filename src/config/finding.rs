//! What is wrong with a configuration: where it stands, what it says, what to do.
//!
//! Every section adds its findings to one list, so that a person sees all of them at once and repairs them at once.

use std::fmt;

/// One fault of the configuration, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Section and key, for example `[[product]] 246001/VISA_CARD service_code`.
    pub subject: String,
    /// What is wrong there.
    pub text: String,
    /// What to do; empty where the text says it.
    pub action: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.action.is_empty() {
            return write!(f, "{}: {}", self.subject, self.text);
        }
        write!(f, "{} {}: {}", self.subject, self.text, self.action)
    }
}

/// Names as a person wrote them, on one line: a control character is shown as Rust and TOML write it.
pub(super) fn on_one_line(text: impl Into<String>) -> String {
    let text = text.into();
    if !text.contains(char::is_control) {
        return text;
    }
    let shown = |letter: char| if letter.is_control() { letter.escape_default().collect() } else { letter.to_string() };
    text.chars().map(shown).collect()
}

impl Finding {
    /// A finding whose text is a sentence that already says what to do.
    pub(in crate::config) fn sentence(subject: impl Into<String>, text: &impl fmt::Display) -> Self {
        Self { subject: on_one_line(subject), text: on_one_line(text.to_string()), action: String::new() }
    }
}

/// The findings of one section, gathered under its name.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    section: String,
    found: &'a mut Vec<Finding>,
}

impl<'a> Findings<'a> {
    /// Findings of `section` go to `found`.
    pub(super) fn of(section: impl Into<String>, found: &'a mut Vec<Finding>) -> Self {
        Self { section: section.into(), found }
    }

    /// Unless `sound`, `key` has a fault.
    pub(super) fn require(&mut self, sound: bool, key: &str, text: impl Into<String>, action: impl Into<String>) {
        if !sound {
            self.add(key, text, action);
        }
    }

    /// `key` has a fault.
    pub(super) fn add(&mut self, key: &str, text: impl Into<String>, action: impl Into<String>) {
        let subject = format!("{} {key}", self.section);
        self.found.push(Finding {
            subject: on_one_line(subject.trim_end()),
            text: on_one_line(text),
            action: on_one_line(action),
        });
    }

    /// A number outside `from ..= to`.
    pub(super) fn range(&mut self, key: &str, value: u64, from: u64, to: u64) {
        self.require((from..=to).contains(&value), key, format!("is {value}"), format!("write {from} to {to}"));
    }

    /// A text that is empty or longer than `max` characters.
    pub(super) fn length(&mut self, key: &str, text: &str, max: usize) {
        let length = text.chars().count();
        self.require(
            (1..=max).contains(&length),
            key,
            format!("has {length} characters"),
            format!("write 1 to {max} characters"),
        );
    }

    /// A path or `credential:NAME` that says nothing.
    pub(super) fn path(&mut self, key: &str, path: &str) {
        match path.strip_prefix(super::paths::CREDENTIAL) {
            Some(name) => self.require(
                super::paths::is_credential_name(name),
                key,
                "names a credential that cannot exist",
                "write credential:NAME, NAME being letters, digits, dots, hyphens and underscores",
            ),
            None => self.require(!path.is_empty(), key, "is empty", "name the file"),
        }
    }

    /// A reference to something of another section that is not there.
    pub(super) fn refers(&mut self, exists: bool, key: &str, target: &str, section: &str) {
        self.require(
            exists,
            key,
            format!("names {target}, which no {section} has"),
            format!("add that {section}, or correct the name"),
        );
    }

    /// 40 or 64 hexadecimal digits (R135).
    pub(super) fn fingerprint(&mut self, key: &str, fingerprint: &str) {
        let hex = fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.require(
            hex && matches!(fingerprint.len(), 40 | 64),
            key,
            "is not a whole OpenPGP fingerprint",
            "write all 40 (version 4) or 64 (version 6) hexadecimal digits without spaces",
        );
    }

    /// Six hexadecimal digits, or all ten of an AES or HMAC key.
    pub(super) fn kcv(&mut self, key: &str, kcv: &str) {
        let hex = kcv.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.require(
            hex && matches!(kcv.len(), 6 | 10),
            key,
            "is not a key check value",
            "write its six hexadecimal digits (or all ten of an AES key), or leave it out",
        );
    }
}

/// The entries that occur more than once, each once, in their order.
pub(super) fn repeated<T: PartialEq + Clone>(entries: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    let mut twice = Vec::new();
    for entry in entries {
        if !seen.contains(&entry) {
            seen.push(entry);
        } else if !twice.contains(&entry) {
            twice.push(entry);
        }
    }
    twice
}
