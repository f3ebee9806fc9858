//! The `[intake]` section: keys under which issuers may encrypt card data in their orders.

use serde::Deserialize;

use super::finding::{Finding, Findings, repeated};

/// `[intake]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeSettings {
    /// Several for a rollover; an order's `x5t#S256` chooses.
    pub jwe: Vec<JweSettings>,
}

/// `[[intake.jwe]]`: a certificate issuers encrypt to, and its private key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JweSettings {
    /// PEM certificate; its SHA-256 is what an order names.
    pub certificate_file: String,
    /// PEM private key of it.
    pub private_key_file: String,
}

impl IntakeSettings {
    pub(super) fn validate(&self, found: &mut Vec<Finding>) {
        let mut findings = Findings::of("[[intake.jwe]]", found);
        for pair in &self.jwe {
            findings.path("certificate_file", &pair.certificate_file);
            findings.path("private_key_file", &pair.private_key_file);
        }
        for file in repeated(self.jwe.iter().map(|pair| &pair.certificate_file)) {
            findings.add("certificate_file", format!("names {file} twice"), "name each certificate once");
        }
    }
}
