//! Opens the vault, and tells which agreements its keys will not do for.
//!
//! Invariants: shared keys are all sound or nothing opens; a faulty zone PIN key is left out, so that it stops only the
//! agreements of its house (R11).

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::{secret, secret_text, told};
use crate::agreement::{Institution, Manufacturer, Terms};
use crate::ambient::Random;
use crate::card::PinBlockFormat;
use crate::config::files::{FileError, read_public};
use crate::config::{Config, Finding, KeyPlace};
use crate::document::Environment;
use crate::vault::opening::look_at;
use crate::vault::payshield::tls::TlsFiles;
use crate::vault::ring::KeyRing;
use crate::vault::settings::{HsmTlsSettings, KbpkSettings, KeySettings, Provider};
use crate::vault::{
    KbpkComponents, KeyState, KeyUsage, KeyWindow, Protection, ProviderKeys, Vault, VaultFinding, VaultKeys, WrappedKey,
};

/// Opens the vault with every key. A faulty zone PIN key is left out and logged: it stops only the agreements that need
/// it, by [`unusable_keys`].
///
/// # Errors
/// Every finding about every other key at once (exit 2).
pub fn open_vault(config: &Config, random: Arc<Random>) -> Result<Vault, Vec<Finding>> {
    let (vault, left_out) = open_vault_telling(config, random)?;
    for finding in left_out {
        tracing::warn!("zone PIN key left out: {finding}");
    }
    Ok(vault)
}

/// As [`open_vault`], with the reason for every zone PIN key that was left out.
///
/// # Errors
/// As [`open_vault`].
pub fn open_vault_telling(config: &Config, random: Arc<Random>) -> Result<(Vault, Vec<Finding>), Vec<Finding>> {
    let zone_keys = zone_keys(config);
    let shared = |faults: &[(String, Finding)]| -> Vec<Finding> {
        let shared = faults.iter().filter(|(id, _)| !zone_keys.contains(id.as_str()));
        shared.map(|(_, finding)| finding.clone()).collect()
    };
    let (keys, mut faults) = vault_keys(config, &BTreeSet::new(), None);
    let vault = match shared(&faults) {
        stopping if !stopping.is_empty() => return Err(stopping),
        _ => Vault::open(keys, Arc::clone(&random)),
    };
    let vault = match vault.map_err(by_key) {
        Ok(vault) => vault,
        Err(found) => {
            let stopping = shared(&found);
            if !stopping.is_empty() {
                return Err(stopping);
            }
            faults.extend(found);
            let left_out = faults.iter().map(|(id, _)| id.clone()).collect();
            let again = Vault::open(vault_keys(config, &left_out, None).0, random);
            again.map_err(|found| by_key(found).into_iter().map(|(_, finding)| finding).collect::<Vec<_>>())?
        }
    };
    Ok((vault, faults.into_iter().map(|(_, finding)| finding).collect()))
}

/// A key whose block is not in its file yet.
#[derive(Debug, Clone, Copy)]
pub struct GivenBlock<'a> {
    /// Its id.
    pub id: &'a str,
    /// The block, one line.
    pub block: &'a str,
}

/// The keys that open, and what is wrong with the others, by key id or the name of a protection key; no device is asked.
/// The block of `given` is taken from there and not from its file.
pub fn look_at_keys(config: &Config, given: Option<GivenBlock<'_>>) -> (KeyRing, Vec<(String, Finding)>) {
    let (keys, mut faults) = vault_keys(config, &BTreeSet::new(), given);
    let (ring, found) = look_at(&keys);
    faults.extend(by_key(found));
    (ring, faults)
}

/// What the vault found, by the key's id or the protection key's name.
fn by_key(found: Vec<VaultFinding>) -> Vec<(String, Finding)> {
    let told = |finding: VaultFinding| {
        let sentence = Finding::sentence("[vault]", &finding);
        (finding.subject, sentence)
    };
    found.into_iter().map(told).collect()
}

/// Keys nothing but zones use.
fn zone_keys(config: &Config) -> BTreeSet<&str> {
    let ids = config.keys.iter().map(|key| key.id.as_str());
    ids.filter(|id| {
        let places = config.key_places(id);
        !places.is_empty() && places.iter().all(KeyPlace::is_of_a_zone)
    })
    .collect()
}

/// What the vault opens from, and the files that could not be read, by the id they belong to.
fn vault_keys(
    config: &Config,
    left_out: &BTreeSet<String>,
    given: Option<GivenBlock<'_>>,
) -> (VaultKeys, Vec<(String, Finding)>) {
    let mut faults = Vec::new();
    let kbpks = config.vault.kbpk.iter().map(|(name, kbpk)| kbpk_components(config, name, kbpk, &mut faults)).collect();
    let provider = provider_keys(config, &mut faults);
    let wanted = config.keys.iter().filter(|key| !left_out.contains(&key.id));
    let keys = wanted.filter_map(|key| wrapped_key(config, key, given, &mut faults)).collect();
    let keys = VaultKeys {
        kbpks,
        keys,
        data_key: config.vault.data_key.clone(),
        pan_index_key: config.vault.pan_index_key.clone(),
        audit_key: config.vault.audit_key.clone(),
        provider,
        live: config.environment == Environment::Live,
    };
    (keys, faults)
}

fn provider_keys(config: &Config, faults: &mut Vec<(String, Finding)>) -> ProviderKeys {
    let vault = &config.vault;
    match (vault.provider, &vault.payshield) {
        (Provider::PayShield, Some(settings)) => {
            let tls = settings.tls.as_ref().and_then(|tls| tls_files(config, tls, faults));
            ProviderKeys::PayShield { settings: Box::new(settings.clone()), tls }
        }
        // Validation refuses payshield without its section, and software without its key.
        (Provider::PayShield, None) | (Provider::Software, _) => ProviderKeys::Software {
            pin_storage_key: vault.pin_storage_key.clone().unwrap_or_default(),
            allow_software_pin: vault.allow_software_pin,
        },
    }
}

/// `None` where one of them cannot be read; the reason is among the faults, with which nothing opens.
fn tls_files(config: &Config, tls: &HsmTlsSettings, faults: &mut Vec<(String, Finding)>) -> Option<TlsFiles> {
    let mut tell = |key: &str, error: &FileError| {
        let subject = format!("[vault.payshield.tls] {key}");
        // No id of a key, so that it stops every agreement.
        faults.push(("[vault.payshield]".to_owned(), Finding::sentence(subject, &told(error))));
    };
    let authority = read_public(&tls.ca_file).map_err(|error| tell("ca_file", &error)).ok();
    let certificate = read_public(&tls.certificate_file).map_err(|error| tell("certificate_file", &error)).ok();
    let private_key = secret(config, &tls.key_file).map_err(|error| tell("key_file", &error)).ok();
    let server_name = tls.server_name.clone();
    Some(TlsFiles { authority: authority?, certificate: certificate?, private_key: private_key?, server_name })
}

fn kbpk_components(
    config: &Config,
    name: &str,
    kbpk: &KbpkSettings,
    faults: &mut Vec<(String, Finding)>,
) -> KbpkComponents {
    let mut components = Vec::new();
    for file in &kbpk.component_files {
        match secret_text(config, file) {
            Ok(component) => components.push(component),
            Err(reason) => {
                let subject = format!("[vault.kbpk.{name}] component_files");
                faults.push((name.to_owned(), Finding::sentence(subject, &reason)));
            }
        }
    }
    KbpkComponents {
        name: name.to_owned(),
        components,
        component_kcvs: kbpk.component_kcvs.clone(),
        kcv: kbpk.kcv.clone(),
    }
}

fn wrapped_key(
    config: &Config,
    key: &KeySettings,
    given: Option<GivenBlock<'_>>,
    faults: &mut Vec<(String, Finding)>,
) -> Option<WrappedKey> {
    let window = KeyWindow { not_before: key.not_before, not_after: key.not_after, retire_at: key.retire_at };
    let protection = match (&key.lmk, &key.kbpk) {
        (Some(told), _) => Protection::Lmk(*told),
        // Validation asks for one of the two.
        (None, kbpk) => Protection::Kbpk(kbpk.clone().unwrap_or_default()),
    };
    let block = match given.filter(|given| given.id == key.id) {
        Some(given) => Ok(Zeroizing::new(given.block.to_owned())),
        None => secret_text(config, &key.block_file),
    };
    match block {
        Ok(block) => Some(WrappedKey {
            id: key.id.clone(),
            block: block.as_str().to_owned(),
            protection,
            kcv: key.kcv.clone(),
            window,
        }),
        Err(reason) => {
            let subject = format!("[[key]] {} block_file", key.id);
            faults.push((key.id.clone(), Finding::sentence(subject, &reason)));
            None
        }
    }
}

/// Why the agreement cannot be produced at `at` with the vault's keys: own keys that are not in force, zone PIN keys of
/// another usage or of an algorithm that does not fit the PIN block format, or none of them in force; card keys of
/// another usage. Empty where it can.
pub fn unusable_keys(terms: &Terms, vault: &Vault, at: DateTime<Utc>) -> Vec<Finding> {
    let house = &terms.manufacturer;
    let pins = terms.products.values().any(|product| product.pin.is_some());
    let own = vault.own_keys_not_in_force(pins, at).into_iter();
    let mut found: Vec<Finding> =
        own.map(|(role, fault)| Finding::sentence(format!("[vault] {role}"), &fault)).collect();
    let of_zone = zone_key_faults(house, vault, at).into_iter();
    found.extend(of_zone.map(|fault| Finding::sentence(format!("[[manufacturer]] {} pin_keys", house.code), &fault)));
    for product in terms.products.values() {
        let pvv_key = product.pin.as_ref().map(|pin| &pin.pvv_key);
        let wanted = [
            ("cvv_key", product.cvv_key.as_ref(), KeyUsage::CardVerification),
            ("cvv2_key", Some(&product.cvv2_key), KeyUsage::CardVerification),
            ("pin.pvv_key", pvv_key, KeyUsage::PinVerification),
        ];
        for (place, id, usage) in wanted {
            let Some(key) = id.and_then(|id| vault.key(id)) else { continue };
            let subject = format!("[[product]] {}/{} {place}", product.institution, product.code);
            if key.usage != usage {
                found.push(Finding::sentence(subject, &format!("key {} has usage {}, not {usage}", key.id, key.usage)));
            } else if usage == KeyUsage::PinVerification {
                // Whether a CVK is in force depends on the card: that is asked when its record is made.
                found.extend(vault.live(&key.id, usage, at).err().map(|reason| Finding::sentence(subject, &reason)));
            }
        }
    }
    found
}

/// Which of the institution's `set_pin_keys` cannot take its PIN blocks in at `at`. Orders are then refused; a night has
/// no use for these keys, so they stop no agreement. While one of them is in force, others may have ended or begin later.
pub fn unusable_issuer_keys(institution: &Institution, vault: &Vault, at: DateTime<Utc>) -> Vec<Finding> {
    let ids = &institution.set_pin_keys;
    let one_is_live = ids.iter().any(|id| vault.live_for_issuer(id, at).is_ok());
    let fault = |id: &String| match vault.key(id) {
        None => Some(not_opened(id)),
        Some(key) if one_is_live && key.window.state(at) != KeyState::InForce => None,
        Some(_) => vault.live_for_issuer(id, at).err().map(|error| error.to_string()),
    };
    let subject = || format!("[[institution]] {} set_pin_keys", institution.id);
    ids.iter().filter_map(fault).map(|fault| Finding::sentence(subject(), &fault)).collect()
}

fn not_opened(id: &str) -> String {
    format!("key {id} could not be opened: run `emboss check` to see why")
}

/// Every key of the list must be one for this house, whenever it begins; one of them must be in force.
fn zone_key_faults(house: &Manufacturer, vault: &Vault, at: DateTime<Utc>) -> Vec<String> {
    let ids = &house.pin_keys;
    let unfit: Vec<String> = ids.iter().filter_map(|id| unfit_zone_key(house.pin_block_format, vault, id)).collect();
    if !unfit.is_empty() || vault.zone_key(ids, at).is_some() {
        return unfit;
    }
    let not_in_force = |id: &String| vault.live(id, KeyUsage::PinEncryption, at).err();
    ids.iter().filter_map(not_in_force).map(|error| error.to_string()).collect()
}

fn unfit_zone_key(format: PinBlockFormat, vault: &Vault, id: &str) -> Option<String> {
    let Some(key) = vault.key(id) else {
        return Some(not_opened(id));
    };
    let aes = format == PinBlockFormat::Iso4;
    if key.usage != KeyUsage::PinEncryption {
        Some(format!("key {id} has usage {}, not P0", key.usage))
    } else if key.algorithm.is_aes() != aes {
        let needed = if aes { "an AES" } else { "a TDES" };
        Some(format!("key {id} is {}, but {format} needs {needed} key", key.algorithm))
    } else {
        vault.encrypts_for_house(id).err().map(|error| error.to_string())
    }
}
