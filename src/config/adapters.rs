//! Opens what the configuration names: database, vault, OpenPGP keys, destinations.
//!
//! Invariants: shared keys are all sound or nothing opens; what only one agreement points to (its recipients, zone PIN
//! keys, destination) may be at fault without stopping another (R11). Findings come all at once and hold no secret.
//!
//! This is the only place where settings become open files: the edges take bytes, and so are tested without a disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::files::{FileError, read_public, read_secret};
use super::{Config, Finding, JweSettings};
use crate::agreement::{Agreement, Terms};
use crate::ambient::{Clock, Random};
use crate::card::PinBlockFormat;
use crate::delivery::settings::DestinationSettings;
use crate::delivery::{DeliveryError, DestinationSecrets};
use crate::document::Environment;
use crate::seal::{RecipientCertificate, Recipients, Sealer, Signer};
use crate::store::{SqliteStore, Store, StoreError};
use crate::vault::settings::{KbpkSettings, KeySettings};
use crate::vault::{KbpkComponents, KeyUsage, KeyWindow, Vault, VaultFinding, VaultKeys, WrappedKey};

/// Opens the database; with `create`, makes it where it is not there.
///
/// # Errors
/// [`StoreError`], which names the database.
pub async fn open_store(
    config: &Config,
    create: bool,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
) -> Result<Arc<dyn Store>, StoreError> {
    let url = &config.database.url;
    let path = Path::new(url.strip_prefix("sqlite:").unwrap_or(url));
    let busy_timeout = Duration::from_secs(config.database.busy_timeout_s);
    Ok(Arc::new(SqliteStore::open(path, busy_timeout, clock, random, create).await?))
}

/// The pure rules' view of an agreement; `None` where its house is inactive (R8) or one of the two is not configured.
pub fn terms(config: &Config, agreement: &Agreement) -> Option<Terms> {
    let products = config.products.iter().filter(|product| product.institution == agreement.institution);
    Some(Terms {
        institution: config.institution(&agreement.institution)?.clone(),
        manufacturer: config.manufacturer(&agreement.manufacturer).filter(|house| house.active)?.clone(),
        agreement: agreement.clone(),
        products: products.map(|product| (product.code.clone(), product.clone())).collect(),
    })
}

/// Opens the vault with every key. A faulty zone PIN key is left out: it stops only the agreements that need it, which
/// [`unusable_keys`] tells.
///
/// # Errors
/// Every finding about every other key at once (exit 2).
pub fn open_vault(config: &Config, random: Arc<Random>) -> Result<Vault, Vec<Finding>> {
    let zone_keys = zone_keys(config);
    let stops_everything = |(id, _): &(String, Finding)| !zone_keys.contains(id.as_str());
    let (keys, unread) = vault_keys(config, &BTreeSet::new());
    if unread.iter().any(stops_everything) {
        return Err(unread.into_iter().filter(stops_everything).map(|(_, finding)| finding).collect());
    }
    let faults = match Vault::open(keys, Arc::clone(&random)) {
        Ok(vault) => return Ok(vault),
        Err(found) => by_key(found),
    };
    if faults.iter().any(stops_everything) {
        return Err(faults.into_iter().filter(stops_everything).map(|(_, finding)| finding).collect());
    }
    let left_out = faults.into_iter().map(|(id, _)| id).collect();
    Vault::open(vault_keys(config, &left_out).0, random)
        .map_err(|found| by_key(found).into_iter().map(|(_, finding)| finding).collect())
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
    let houses = config.manufacturers.iter().flat_map(|house| &house.pin_keys);
    let issuers = config.institutions.iter().flat_map(|institution| &institution.set_pin_keys);
    let mut zone: BTreeSet<&str> = houses.chain(issuers).map(String::as_str).collect();
    let vault = &config.vault;
    let own = [&vault.data_key, &vault.pan_index_key, &vault.pin_storage_key];
    let of_products = config.products.iter().flat_map(|product| {
        let pvv_key = product.pin.as_ref().map(|pin| &pin.pvv_key);
        [Some(&product.cvv2_key), product.cvv_key.as_ref(), pvv_key].into_iter().flatten()
    });
    for shared in own.into_iter().chain(of_products) {
        zone.remove(shared.as_str());
    }
    zone
}

/// What the vault opens from, and the files that could not be read, by the id they belong to.
fn vault_keys(config: &Config, left_out: &BTreeSet<String>) -> (VaultKeys, Vec<(String, Finding)>) {
    let mut faults = Vec::new();
    let kbpks = config.vault.kbpk.iter().map(|(name, kbpk)| kbpk_components(config, name, kbpk, &mut faults)).collect();
    let wanted = config.keys.iter().filter(|key| !left_out.contains(&key.id));
    let keys = wanted.filter_map(|key| wrapped_key(config, key, &mut faults)).collect();
    let keys = VaultKeys {
        kbpks,
        keys,
        data_key: config.vault.data_key.clone(),
        pan_index_key: config.vault.pan_index_key.clone(),
        pin_storage_key: config.vault.pin_storage_key.clone(),
        live: config.environment == Environment::Live,
        allow_software_pin: config.vault.allow_software_pin,
    };
    (keys, faults)
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

fn wrapped_key(config: &Config, key: &KeySettings, faults: &mut Vec<(String, Finding)>) -> Option<WrappedKey> {
    let window = KeyWindow { not_before: key.not_before, not_after: key.not_after, retire_at: key.retire_at };
    match secret_text(config, &key.block_file) {
        Ok(block) => Some(WrappedKey {
            id: key.id.clone(),
            block: block.as_str().to_owned(),
            kbpk: key.kbpk.clone(),
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

/// Why the agreement cannot be produced at `at` with the vault's keys: zone PIN keys of another usage, of an algorithm
/// that does not fit the PIN block format, or not in force; card keys of another usage. Empty where it can.
pub fn unusable_keys(terms: &Terms, vault: &Vault, at: DateTime<Utc>) -> Vec<Finding> {
    let mut found = Vec::new();
    let house = &terms.manufacturer;
    let subject = format!("[[manufacturer]] {} pin_keys", house.code);
    for (place, id) in house.pin_keys.iter().enumerate() {
        // The first is used; the others are announced for a rollover and need not be in force yet.
        let checked = if place == 0 { vault.live(id, KeyUsage::PinEncryption, at).map(drop) } else { Ok(()) };
        match (checked, vault.key(id)) {
            (Err(reason), _) => found.push(Finding::sentence(&subject, &reason)),
            (Ok(()), None) => found.push(Finding::sentence(&subject, &format!("key {id} could not be opened"))),
            (Ok(()), Some(key)) => {
                let aes = house.pin_block_format == PinBlockFormat::Iso4;
                if key.usage != KeyUsage::PinEncryption {
                    found.push(Finding::sentence(&subject, &format!("key {id} has usage {}, not P0", key.usage)));
                } else if key.algorithm.is_aes() != aes {
                    let needed = if aes { "an AES" } else { "a TDES" };
                    let text =
                        format!("key {id} is {}, but {} needs {needed} key", key.algorithm, house.pin_block_format);
                    found.push(Finding::sentence(&subject, &text));
                }
            }
        }
    }
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

/// Opens our signing key, which every agreement shares.
///
/// # Errors
/// Why it cannot sign at `at`.
pub fn open_signer(config: &Config, at: DateTime<Utc>) -> Result<Signer, Vec<Finding>> {
    let settings = &config.signer;
    let fault = |key: &str, reason: String| vec![Finding::sentence(format!("[signer] {key}"), &reason)];
    let key = secret(config, &settings.key_file).map_err(|error| fault("key_file", told(&error)))?;
    let passphrase = settings.passphrase_file.as_ref().map(|file| secret_text(config, file)).transpose();
    let passphrase = passphrase.map_err(|reason| fault("passphrase_file", reason))?;
    Signer::load(&key, passphrase.as_deref().map(String::as_str), &settings.fingerprint, at)
        .map_err(|error| fault("key_file", error.to_string()))
}

/// Our certificate, binary: what signatures are checked against.
///
/// # Errors
/// As [`open_signer`].
pub fn signer_certificate(config: &Config, at: DateTime<Utc>) -> Result<Vec<u8>, Vec<Finding>> {
    let signer = open_signer(config, at)?;
    signer.certificate().map_err(|error| vec![Finding::sentence("[signer] key_file", &error)])
}

/// Opens what files of the agreement are sealed with, every recipient checked for `at` (R135).
///
/// # Errors
/// Every reason why nothing can be sealed.
pub fn open_sealer(config: &Config, agreement: &Agreement, at: DateTime<Utc>) -> Result<Sealer, Vec<Finding>> {
    let recipients = open_recipients(config, agreement, at);
    match (open_signer(config, at), recipients) {
        (Ok(signer), Ok(recipients)) => {
            Ok(Sealer { signer, recipients, openpgp: agreement.openpgp, compression: agreement.compression })
        }
        (signer, recipients) => Err([signer.err(), recipients.err()].into_iter().flatten().flatten().collect()),
    }
}

fn open_recipients(config: &Config, agreement: &Agreement, at: DateTime<Utc>) -> Result<Recipients, Vec<Finding>> {
    let code = agreement.manufacturer.as_str();
    let subject = format!("[[manufacturer]] {code} recipients");
    let configured = config.manufacturer(&agreement.manufacturer).map_or(&[][..], |house| &house.recipients);
    let mut read = Vec::new();
    let mut found = Vec::new();
    for recipient in configured {
        match read_public(&recipient.certificate_file) {
            Ok(bytes) => read.push((bytes, &recipient.fingerprint)),
            Err(error) => found.push(Finding::sentence(&subject, &told(&error))),
        }
    }
    let certificates: Vec<_> =
        read.iter().map(|(bytes, fingerprint)| RecipientCertificate { bytes, fingerprint, name: code }).collect();
    // Nothing read is already told; that nobody is left is no finding of its own.
    let checked =
        if certificates.is_empty() && !found.is_empty() { None } else { Some(Recipients::load(&certificates, at)) };
    match checked {
        Some(Ok(recipients)) if found.is_empty() => Ok(recipients),
        Some(Err(errors)) => {
            found.extend(errors.iter().map(|error| Finding::sentence(&subject, error)));
            Err(found)
        }
        _ => Err(found),
    }
}

/// Where files of the agreement go.
pub fn destination_settings<'a>(config: &'a Config, agreement: &Agreement) -> Option<&'a DestinationSettings> {
    config.destination_of(agreement)
}

/// Where files of the agreement go, with what opens it.
///
/// # Errors
/// [`DeliveryError::Settings`] where a secret cannot be read.
pub fn destination<'a>(
    config: &'a Config,
    agreement: &Agreement,
) -> Result<(&'a DestinationSettings, DestinationSecrets), DeliveryError> {
    let settings = destination_settings(config, agreement).ok_or_else(|| DeliveryError::Settings {
        destination: agreement.destination.clone().unwrap_or_else(|| agreement.manufacturer.to_string()),
        reason: "it is not configured".to_owned(),
    })?;
    Ok((settings, destination_secrets(config, settings)?))
}

/// What opens a destination; nothing for a folder.
///
/// # Errors
/// [`DeliveryError::Settings`] where a secret cannot be read.
pub fn destination_secrets(
    config: &Config,
    settings: &DestinationSettings,
) -> Result<DestinationSecrets, DeliveryError> {
    let DestinationSettings::Sftp(sftp) = settings else {
        return Ok(DestinationSecrets { private_key: Zeroizing::default(), passphrase: None });
    };
    let fault = |reason| DeliveryError::Settings { destination: sftp.name.clone(), reason };
    let bytes = secret(config, &sftp.key_file).map_err(|error| fault(told(&error)))?;
    let private_key = std::str::from_utf8(&bytes)
        .map_err(|_| fault(format!("{} is not an OpenSSH or PEM private key", sftp.key_file)))?;
    let passphrase = sftp.passphrase_file.as_ref().map(|file| secret_text(config, file)).transpose();
    Ok(DestinationSecrets {
        private_key: Zeroizing::new(private_key.to_owned()),
        passphrase: passphrase.map_err(fault)?,
    })
}

/// One pair of `[[intake.jwe]]`, as read.
#[derive(Clone)]
pub struct JwePair {
    /// PEM certificate.
    pub certificate: Vec<u8>,
    /// PEM private key.
    pub private_key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for JwePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwePair(***)")
    }
}

/// Reads the keys issuers encrypt card data to.
///
/// # Errors
/// Every file that cannot be read.
pub fn read_jwe(config: &Config) -> Result<Vec<JwePair>, Vec<Finding>> {
    let mut found = Vec::new();
    let pairs: Vec<JwePair> = config.intake.jwe.iter().filter_map(|pair| jwe_pair(config, pair, &mut found)).collect();
    if found.is_empty() { Ok(pairs) } else { Err(found) }
}

fn jwe_pair(config: &Config, pair: &JweSettings, found: &mut Vec<Finding>) -> Option<JwePair> {
    let mut tell = |key: &str, error: &FileError| {
        found.push(Finding::sentence(format!("[[intake.jwe]] {key}"), &told(error)));
    };
    let certificate = read_public(&pair.certificate_file).map_err(|error| tell("certificate_file", &error)).ok();
    let private_key = secret(config, &pair.private_key_file).map_err(|error| tell("private_key_file", &error)).ok();
    Some(JwePair { certificate: certificate?, private_key: private_key? })
}

fn secret(config: &Config, file: &str) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read_secret(file, config.credentials_directory.as_deref())
}

/// A secret of one line, without its line break.
fn secret_text(config: &Config, file: &str) -> Result<Zeroizing<String>, String> {
    let bytes = secret(config, file).map_err(|error| told(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{file} is not text: name another file"))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// An error with what the system said.
fn told(error: &FileError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error} ({source})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
