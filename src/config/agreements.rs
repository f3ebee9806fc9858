//! What `[[agreement]]` must say.

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::agreement::{Agreement, Layout};

/// Adds the faults of every `[[agreement]]`.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    for agreement in &config.agreements {
        let mut findings = Findings::of(section(agreement), found);
        validate_references(config, agreement, &mut findings);
        findings.range("deadline_minutes", agreement.deadline_minutes, 1, 120);
        for layout in &agreement.layouts {
            validate_layout(layout, &mut findings);
        }
        for code in repeated(agreement.layouts.iter().map(|layout| &layout.code)) {
            findings.add("layout.code", format!("{code} is listed twice"), "list each layout once");
        }
        for (delivery, code) in &agreement.bulk {
            findings.length(&format!("bulk.{delivery}"), code, 36);
        }
    }
    let pairs = config.agreements.iter().map(|agreement| (&agreement.institution, &agreement.manufacturer));
    for (institution, manufacturer) in repeated(pairs) {
        let mut findings = Findings::of(format!("[[agreement]] {institution}/{manufacturer}"), found);
        findings.add("", "stands twice", "keep one agreement per institution and manufacturer");
    }
}

fn section(agreement: &Agreement) -> String {
    format!("[[agreement]] {}/{}", agreement.institution, agreement.manufacturer)
}

fn validate_references(config: &Config, agreement: &Agreement, findings: &mut Findings<'_>) {
    let institution = &agreement.institution;
    let known = config.institution(institution).is_some();
    findings.refers(known, "institution", institution.as_str(), "[[institution]]");
    let manufacturer = &agreement.manufacturer;
    let known = config.manufacturer(manufacturer).is_some();
    findings.refers(known, "manufacturer", manufacturer.as_str(), "[[manufacturer]]");
    if let Some(name) = &agreement.destination {
        findings.refers(config.destination(name).is_some(), "destination", name, "[[destination]]");
    }
    if let Some(destination) = config.destination_of(agreement) {
        findings.require(
            destination.environment() == config.environment,
            "destination",
            format!(
                "{} is {}, but the configuration is {}",
                destination.name(),
                destination.environment(),
                config.environment
            ),
            "send to a destination of the same environment",
        );
    }
}

fn validate_layout(layout: &Layout, findings: &mut Findings<'_>) {
    findings.length("layout.code", &layout.code, 32);
    findings.range("layout.field_max", layout.field_max as u64, 1, 32);
    let carrier = layout.carrier.as_ref();
    for (key, text, max) in [
        ("layout.carrier.type", carrier.and_then(|carrier| carrier.kind.as_ref()), 30),
        ("layout.carrier.logo", carrier.and_then(|carrier| carrier.logo.as_ref()), 20),
    ] {
        text.iter().for_each(|text| findings.length(key, text, max));
    }
}
