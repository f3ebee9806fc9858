//! What `[vault]`, `[vault.kbpk.NAME]`, `[[key]]` and `[signer]` must say (their settings belong to the edges).
//!
//! Whether a key has the right usage and algorithm is seen when it is unwrapped, not here.

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::document::Environment;
use crate::vault::settings::{KbpkSettings, KeySettings, Provider};

/// Adds the faults of every key section.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    validate_vault(config, found);
    for (name, kbpk) in &config.vault.kbpk {
        validate_kbpk(name, kbpk, found);
    }
    for key in &config.keys {
        validate_key(config, key, found);
    }
    for id in repeated(config.keys.iter().map(|key| &key.id)) {
        Findings::of("[[key]]", found).add("id", format!("{id} is used twice"), "give each key its own id");
    }
    let mut signer = Findings::of("[signer]", found);
    signer.path("key_file", &config.signer.key_file);
    config.signer.passphrase_file.iter().for_each(|file| signer.path("passphrase_file", file));
    signer.fingerprint("fingerprint", &config.signer.fingerprint);
}

fn validate_vault(config: &Config, found: &mut Vec<Finding>) {
    let vault = &config.vault;
    let mut findings = Findings::of("[vault]", found);
    let mut named =
        vec![("data_key", &vault.data_key), ("pan_index_key", &vault.pan_index_key), ("audit_key", &vault.audit_key)];
    named.extend(vault.pin_storage_key.iter().map(|id| ("pin_storage_key", id)));
    for (place, id) in &named {
        findings.refers(config.key(id).is_some(), place, id, "[[key]]");
    }
    for id in repeated(named.iter().map(|(_, id)| *id)) {
        findings.add("", format!("uses {id} for two purposes"), "give each purpose a key of its own");
    }
    let software = vault.provider == Provider::Software;
    findings.require(
        !software || vault.pin_storage_key.is_some(),
        "pin_storage_key",
        "is missing, and software stores PINs under it",
        "name a [[key]] of usage D0",
    );
    let pins = config.products.iter().any(|product| product.pin.is_some());
    findings.require(
        !software || config.environment == Environment::Test || vault.allow_software_pin || !pins,
        "allow_software_pin",
        "is false, the environment is live and there are products with a PIN",
        "set it to true if PINs in the memory of this host are acceptable, else remove the pin tables",
    );
}

fn validate_kbpk(name: &str, kbpk: &KbpkSettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of(format!("[vault.kbpk.{name}]"), found);
    let components = kbpk.component_files.len();
    findings.require(
        components >= 2,
        "component_files",
        format!("names {components}"),
        "name two or more components, each kept by another person",
    );
    for file in &kbpk.component_files {
        findings.path("component_files", file);
    }
    for file in repeated(&kbpk.component_files) {
        findings.add("component_files", format!("names {file} twice"), "name each component once");
    }
    let values = kbpk.component_kcvs.len();
    findings.require(
        values == 0 || values == components,
        "component_kcvs",
        format!("has {values} check values for {components} components"),
        "write one per component, in their order, or none",
    );
    kbpk.component_kcvs.iter().for_each(|kcv| findings.kcv("component_kcvs", kcv));
    kbpk.kcv.iter().for_each(|kcv| findings.kcv("kcv", kcv));
}

fn validate_key(config: &Config, key: &KeySettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of(format!("[[key]] {}", key.id), found);
    findings.length("id", &key.id, 64);
    findings.path("block_file", &key.block_file);
    if let Some(kbpk) = &key.kbpk {
        findings.refers(config.vault.kbpk.contains_key(kbpk), "kbpk", kbpk, "[vault.kbpk]");
    }
    findings.require(
        key.kbpk.is_some() != key.lmk.is_some(),
        "kbpk",
        if key.lmk.is_some() { "stands beside lmk" } else { "is missing" },
        "say either which key protects the block, or with lmk what the payment HSM protects",
    );
    key.kcv.iter().for_each(|kcv| findings.kcv("kcv", kcv));
    let limits = [("not_before", key.not_before), ("not_after", key.not_after), ("retire_at", key.retire_at)];
    let set: Vec<_> = limits.into_iter().filter_map(|(name, at)| at.map(|at| (name, at))).collect();
    for pair in set.windows(2) {
        let [(earlier, from), (later, to)] = pair else { continue };
        findings.require(from < to, later, format!("is not after {earlier}"), "correct one of the two");
    }
    findings.require(
        key.retire_at.is_none() || key.not_after.is_some(),
        "retire_at",
        "stands without not_after",
        "say with not_after when the key takes its last new card",
    );
}
