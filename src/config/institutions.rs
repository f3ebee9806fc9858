//! What `[[institution]]` must say.

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::agreement::Institution;

/// Adds the faults of every `[[institution]]`.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    for institution in &config.institutions {
        validate_one(config, institution, found);
    }
    for id in repeated(config.institutions.iter().map(|institution| &institution.id)) {
        Findings::of("[[institution]]", found).add("id", format!("{id} is used twice"), "merge the two");
    }
}

fn validate_one(config: &Config, institution: &Institution, found: &mut Vec<Finding>) {
    let id = &institution.id;
    let mut findings = Findings::of(format!("[[institution]] {id}"), found);
    institution.name.iter().for_each(|name| findings.length("name", name, 64));
    if let Some(code) = &institution.default_product {
        let section = format!("[[product]] of institution {id}");
        findings.refers(config.product(id, code).is_some(), "default_product", code, &section);
    }
    if let Some(code) = &institution.default_manufacturer {
        let exists = config.manufacturer(code).is_some();
        findings.refers(exists, "default_manufacturer", code.as_str(), "[[manufacturer]]");
    }
    findings.range("renewal_days", institution.renewal_days.into(), 1, 365);
    let short = config.products.iter().filter(|product| product.institution == *id && institution.renewal);
    for product in short.filter(|product| product.months * 28 <= institution.renewal_days) {
        // Else a renewed plastic would itself be due on the day it is made.
        let text = format!("is {}, as long as product {} is valid", institution.renewal_days, product.code);
        findings.add("renewal_days", text, "write fewer days, or more months for the product");
    }
    for key in &institution.set_pin_keys {
        findings.refers(config.key(key).is_some(), "set_pin_keys", key, "[[key]]");
    }
    for key in repeated(&institution.set_pin_keys) {
        findings.add("set_pin_keys", format!("names {key} twice"), "name each key once");
    }
}
