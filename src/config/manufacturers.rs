//! What `[[manufacturer]]` must say.

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::agreement::{FileVersion, Manufacturer};
use crate::card::PinBlockFormat;

/// Adds the faults of every `[[manufacturer]]`.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    for manufacturer in &config.manufacturers {
        let mut findings = Findings::of(format!("[[manufacturer]] {}", manufacturer.code), found);
        validate_recipients(manufacturer, &mut findings);
        validate_pin_keys(config, manufacturer, &mut findings);
        let exists = config.destination(&manufacturer.destination).is_some();
        findings.refers(exists, "destination", &manufacturer.destination, "[[destination]]");
        if let Some(max) = manufacturer.address_line_max {
            findings.range("address_line_max", max as u64, 1, 255);
        }
    }
    for code in repeated(config.manufacturers.iter().map(|manufacturer| &manufacturer.code)) {
        Findings::of("[[manufacturer]]", found).add("code", format!("{code} is used twice"), "merge the two");
    }
}

fn validate_recipients(manufacturer: &Manufacturer, findings: &mut Findings<'_>) {
    findings.require(
        !manufacturer.recipients.is_empty(),
        "recipients",
        "is empty",
        "name the certificate files are encrypted to, with its fingerprint",
    );
    for recipient in &manufacturer.recipients {
        findings.path("recipients.certificate_file", &recipient.certificate_file);
        findings.fingerprint("recipients.fingerprint", &recipient.fingerprint);
    }
    let fingerprints = manufacturer.recipients.iter().map(|recipient| recipient.fingerprint.to_ascii_uppercase());
    for fingerprint in repeated(fingerprints) {
        findings.add("recipients.fingerprint", format!("{fingerprint} is named twice"), "name each recipient once");
    }
}

fn validate_pin_keys(config: &Config, manufacturer: &Manufacturer, findings: &mut Findings<'_>) {
    for key in &manufacturer.pin_keys {
        findings.refers(config.key(key).is_some(), "pin_keys", key, "[[key]]");
    }
    for key in repeated(&manufacturer.pin_keys) {
        findings.add("pin_keys", format!("names {key} twice"), "name each key once");
    }
    if manufacturer.pin_block_format == PinBlockFormat::Iso4 {
        let agreements = config.agreements.iter().filter(|agreement| agreement.manufacturer == manufacturer.code);
        for agreement in agreements.filter(|agreement| agreement.version != FileVersion::V2) {
            findings.add(
                "pin_block_format",
                format!("is ISO_4, but its agreement with institution {} has version 1", agreement.institution),
                "set version = 2 there, or ISO_0 or ISO_3 here",
            );
        }
    }
}
