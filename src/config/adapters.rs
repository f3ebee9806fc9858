//! Opens what the configuration names: database, vault, OpenPGP keys, destinations.
//!
//! Invariants: shared keys are all sound or nothing opens; what only one agreement points to (its recipients, zone PIN
//! keys, destination) may be at fault without stopping another (R11). Findings come all at once and hold no secret.
//!
//! This is the only place where settings become open files: the edges take bytes, and so are tested without a disk.

mod database;
mod keys;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::files::{FileError, read_public, read_secret};
use super::{Config, Finding, JweSettings};
use crate::agreement::{Agreement, Terms};
use crate::delivery::settings::DestinationSettings;
use crate::delivery::{DeliveryError, DestinationSecrets};
use crate::seal::{RecipientCertificate, Recipients, Sealer, Signer};

pub use database::open_store;
pub use keys::{GivenBlock, look_at_keys, open_vault, open_vault_telling, unusable_issuer_keys, unusable_keys};

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
