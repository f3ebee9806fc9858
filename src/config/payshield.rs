//! What `[vault.payshield]` must say, and the keys under its LMK (its settings belong to the vault).
//!
//! Whether a device is what it should be is found by `emboss check`, not here: nothing is connected to.

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::document::Environment;
use crate::vault::KeyUsage;
use crate::vault::payshield::address::Address;
use crate::vault::payshield::header;
use crate::vault::settings::{HsmTlsSettings, KeySettings, LmkDialect, PayShieldSettings, Provider};

const SECTION: &str = "[vault.payshield]";

/// Adds the faults of the section, and of keys that do not go with the provider.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    let vault = &config.vault;
    let uses_devices = vault.provider == Provider::PayShield;
    Findings::of("[vault]", found).require(
        uses_devices == vault.payshield.is_some(),
        "payshield",
        if uses_devices { "is missing, and the provider is payshield" } else { "is set, and the provider is software" },
        if uses_devices {
            "add [vault.payshield] with its devices"
        } else {
            "write provider = \"payshield\", or remove [vault.payshield]"
        },
    );
    if let Some(payshield) = &vault.payshield {
        validate_devices(payshield, found);
        payshield.tls.iter().for_each(|tls| validate_tls(tls, found));
    }
    for key in &config.keys {
        validate_key(config, key, found);
    }
    if uses_devices {
        validate_uses(config, found);
    }
}

fn validate_devices(payshield: &PayShieldSettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of(SECTION, found);
    findings.require(!payshield.devices.is_empty(), "devices", "names none", "write HOST:PORT of one or more");
    let mut addresses: Vec<Address> = Vec::new();
    for device in &payshield.devices {
        match device.parse() {
            Ok(address) => addresses.push(address),
            Err(should) => findings.add("devices", format!("names {device:?}"), format!("each {should}")),
        }
    }
    for address in repeated(addresses) {
        findings.add("devices", format!("names {address} twice"), "name each device once");
    }
    let digits = &payshield.lmk_check_value;
    findings.require(
        (6..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "lmk_check_value",
        "is not the check value of an LMK",
        "write the 16 hexadecimal digits that NC shows, or as many of them, 6 or more, as the console does",
    );
    findings.range("connections", payshield.connections.into(), 1, 64);
    findings.range("timeout_ms", payshield.timeout_ms.into(), 100, 60_000);
    findings.range("attempts", payshield.attempts.into(), 1, 10);
    findings.range("header_length", payshield.header_length.into(), 1, 255);
    payshield.commands_per_s.iter().for_each(|cap| findings.range("commands_per_s", (*cap).into(), 1, 100_000));
    let in_flight = u64::from(payshield.connections) * payshield.devices.len() as u64;
    findings.require(
        payshield.header_length == 0 || in_flight <= header::different(payshield.header_length),
        "header_length",
        format!("gives too few headers for {in_flight} requests at once"),
        "lower connections, or set a longer header here and on the devices",
    );
}

fn validate_tls(tls: &HsmTlsSettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of("[vault.payshield.tls]", found);
    findings.path("ca_file", &tls.ca_file);
    findings.path("certificate_file", &tls.certificate_file);
    findings.path("key_file", &tls.key_file);
    tls.server_name.iter().for_each(|name| findings.length("server_name", name, 253));
}

fn validate_key(config: &Config, key: &KeySettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of(format!("[[key]] {}", key.id), found);
    findings.require(
        key.check_cvv.is_none() || key.lmk.is_some_and(|told| told.usage == KeyUsage::CardVerification),
        "check_cvv",
        "is set, and this is no C0 key under an LMK",
        "remove it",
    );
    let Some(told) = key.lmk else { return };
    let payshield = config.vault.payshield.as_ref();
    findings.require(
        config.vault.provider == Provider::PayShield,
        "lmk",
        "is set, and software cannot use what a payment HSM protects",
        "write provider = \"payshield\" in [vault], or the block of another key with its kbpk",
    );
    findings.require(
        told.usage.is_of_cards(),
        "lmk",
        format!("says usage {}, which this program computes itself", told.usage),
        "keep the key under a kbpk",
    );
    findings.require(
        !told.algorithm.is_aes() || payshield.is_none_or(|payshield| payshield.lmk == LmkDialect::KeyBlock),
        "lmk",
        format!("says {}, and a variant LMK holds TDES keys only", told.algorithm),
        "use a device with a key-block LMK, or a TDES key",
    );
    let of_three = |cvv: &String| cvv.len() == 3 && cvv.bytes().all(|byte| byte.is_ascii_digit());
    findings.require(
        key.check_cvv.as_ref().is_none_or(of_three),
        "check_cvv",
        "is not a CVV",
        "write the three digits that the device made of the test card, in quotes, or leave it out",
    );
    findings.require(
        key.kcv.is_some(),
        "kcv",
        "is missing, and no one but the payment HSM can tell it",
        "write the check value that the device shows",
    );
}

/// Keys of cards belong to the devices, the vault's own to this program.
fn validate_uses(config: &Config, found: &mut Vec<Finding>) {
    let of_products = config.products.iter().flat_map(|product| {
        let pvv_key = product.pin.as_ref().map(|pin| &pin.pvv_key);
        [Some(&product.cvv2_key), product.cvv_key.as_ref(), pvv_key].into_iter().flatten()
    });
    let zones = config.manufacturers.iter().flat_map(|house| &house.pin_keys);
    let issuers = config.institutions.iter().flat_map(|institution| &institution.set_pin_keys);
    let of_cards: Vec<&String> = of_products.chain(zones).chain(issuers).collect();
    let vault = &config.vault;
    let own = [&vault.data_key, &vault.pan_index_key, &vault.audit_key];
    for key in &config.keys {
        let mut findings = Findings::of(format!("[[key]] {}", key.id), found);
        findings.require(
            key.lmk.is_some() || !of_cards.contains(&&key.id),
            "lmk",
            "is missing, and CVVs and PINs are the payment HSM's",
            "export the key from it under its LMK, and write lmk in the place of kbpk",
        );
        findings.require(
            key.lmk.is_none() || !own.contains(&&key.id),
            "lmk",
            "is set, and the key is one that this program uses itself",
            "keep it under a kbpk",
        );
    }
}

/// What works and is still no good idea: what others could read or pretend to be.
pub fn warnings(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(payshield) = &config.vault.payshield else { return found };
    if config.environment == Environment::Live && payshield.tls.is_none() {
        let mut findings = Findings::of(SECTION, &mut found);
        let elsewhere =
            payshield.devices.iter().filter(|device| device.parse().is_ok_and(|at: Address| !at.is_local()));
        for device in elsewhere {
            findings.add(
                "tls",
                format!(
                    "is missing: the network reads card numbers on their way to {device}, and may answer in its place"
                ),
                "add [vault.payshield.tls]",
            );
        }
    }
    found
}

#[cfg(test)]
mod tests;
