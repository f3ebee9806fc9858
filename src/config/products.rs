//! What `[[product]]` must say.
//!
//! No institution's card number range may begin inside another's: both would make the same card numbers.

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::agreement::{Product, ProductForm};

/// Longest discretionary data of track 1: 76 characters less B, 16 digits, two carets, a name of 26, expiry and
/// service code (ISO/IEC 7813).
const TRACK1_TEMPLATE_MAX: usize = 24;
/// Longest discretionary data of track 2: 37 characters less 16 digits, the separator, expiry and service code.
const TRACK2_TEMPLATE_MAX: usize = 13;

/// Adds the faults of every `[[product]]`.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    for product in &config.products {
        validate_identity(config, product, found);
        validate_form(product, found);
        validate_tracks(product, found);
        validate_keys(config, product, found);
    }
    for (institution, code) in repeated(config.products.iter().map(|product| (&product.institution, &product.code))) {
        let mut findings = Findings::of(section(institution.as_str(), code), found);
        findings.add("code", "is used twice", "give each product of an institution its own code");
    }
    validate_ranges(config, found);
}

fn section(institution: &str, code: &str) -> String {
    format!("[[product]] {institution}/{code}")
}

fn findings_of<'a>(product: &Product, found: &'a mut Vec<Finding>) -> Findings<'a> {
    Findings::of(section(product.institution.as_str(), &product.code), found)
}

fn is_code(code: &str) -> bool {
    let mut bytes = code.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && (1..=64).contains(&bytes.len())
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn validate_identity(config: &Config, product: &Product, found: &mut Vec<Finding>) {
    let mut findings = findings_of(product, found);
    let institution = &product.institution;
    let exists = config.institution(institution).is_some();
    findings.refers(exists, "institution", institution.as_str(), "[[institution]]");
    findings.require(
        is_code(&product.code),
        "code",
        "is not a product code",
        "write a capital letter and 1 to 64 capital letters, digits or underscores",
    );
    findings.require(!product.pan_prefixes.is_empty(), "pan_prefixes", "is empty", "name at least one range");
    for prefix in &product.pan_prefixes {
        findings.require(is_digits(prefix, 6..=10), "pan_prefixes", format!("has {prefix}"), "write 6 to 10 digits");
    }
    for prefix in repeated(&product.pan_prefixes) {
        findings.add("pan_prefixes", format!("names {prefix} twice"), "name each range once");
    }
    findings.range("months", product.months.into(), 1, 240);
}

fn validate_form(product: &Product, found: &mut Vec<Finding>) {
    let mut findings = findings_of(product, found);
    let refused = [
        ("stripe", product.stripe.is_some()),
        ("chip", product.chip.is_some()),
        ("pin", product.pin.is_some()),
        ("instant_issuing", product.instant_issuing),
    ];
    for (key, set) in refused {
        findings.require(
            !set || product.form == ProductForm::Physical,
            key,
            "is set, but the product is virtual",
            "remove it, or make the product physical",
        );
    }
    findings.require(
        product.chip.as_ref().is_none_or(|chip| !chip.offline_pin) || product.pin.is_some(),
        "chip.offline_pin",
        "is true, but the product has no PIN",
        "add a pin table, or set it to false",
    );
}

fn validate_tracks(product: &Product, found: &mut Vec<Finding>) {
    let mut findings = findings_of(product, found);
    let stripe = product.stripe.iter().flat_map(|stripe| {
        [("stripe.track1", &stripe.track1, TRACK1_TEMPLATE_MAX), ("stripe.track2", &stripe.track2, TRACK2_TEMPLATE_MAX)]
    });
    let chip = product.chip.iter().flat_map(|chip| {
        [("chip.track1", &chip.track1, TRACK1_TEMPLATE_MAX), ("chip.track2", &chip.track2, TRACK2_TEMPLATE_MAX)]
    });
    for (key, template, max) in stripe.chain(chip) {
        let Some(length) = template_length(template) else {
            findings.add(
                key,
                "holds something else than digits and the marks {pvki}, {pvv}, {cvv}",
                "write digits and those marks only",
            );
            continue;
        };
        findings.require(length <= max, key, format!("makes {length} digits"), format!("make at most {max}"));
        findings.require(
            product.pin.is_some() || !(template.contains("{pvki}") || template.contains("{pvv}")),
            key,
            "asks for {pvki} or {pvv}, but the product has no PIN",
            "add a pin table, or write digits in their place",
        );
    }
}

/// Digits a template becomes: `{pvki}` one, `{pvv}` four, `{cvv}` three; `None` where it holds anything else.
fn template_length(template: &str) -> Option<usize> {
    let marks = template.replace("{pvki}", "0").replace("{pvv}", "0000").replace("{cvv}", "000");
    is_digits(&marks, 0..=usize::MAX).then_some(marks.len())
}

fn validate_keys(config: &Config, product: &Product, found: &mut Vec<Finding>) {
    let mut findings = findings_of(product, found);
    let tracks = product.stripe.is_some() || product.chip.is_some();
    findings.require(
        product.cvv_key.is_some() || !tracks,
        "cvv_key",
        "is absent, but the product has a stripe or chip",
        "add it: tracks cannot be written without",
    );
    findings.require(
        product.service_code.is_some() || product.form == ProductForm::Virtual,
        "service_code",
        "is absent, but the product is physical",
        "add it: every card record carries one",
    );
    if let Some(code) = &product.service_code {
        findings.require(is_digits(code, 3..=3), "service_code", "is not a service code", "write three digits");
    }
    let pvv_key = product.pin.as_ref().map(|pin| &pin.pvv_key);
    let keys = [("cvv_key", product.cvv_key.as_ref()), ("cvv2_key", Some(&product.cvv2_key)), ("pin.pvv_key", pvv_key)];
    for (key, id) in keys.into_iter().filter_map(|(key, id)| id.map(|id| (key, id))) {
        findings.refers(config.key(id).is_some(), key, id, "[[key]]");
    }
    if let Some(pin) = &product.pin {
        findings.require(is_digits(&pin.pvki, 1..=1), "pin.pvki", "is not one digit", "write one digit");
    }
}

fn validate_ranges(config: &Config, found: &mut Vec<Finding>) {
    for (place, product) in config.products.iter().enumerate() {
        for other in config.products.iter().skip(place + 1).filter(|other| other.institution != product.institution) {
            let shared = product.pan_prefixes.iter().find(|prefix| {
                other.pan_prefixes.iter().any(|theirs| prefix.starts_with(&**theirs) || theirs.starts_with(&**prefix))
            });
            if let Some(prefix) = shared {
                findings_of(other, found).add(
                    "pan_prefixes",
                    format!("shares {prefix} with {}/{}", product.institution, product.code),
                    "give two institutions separate ranges: they would make the same card numbers",
                );
            }
        }
    }
}
