//! Whom files are encrypted to: certificates pinned by full fingerprint, each checked for the instant of sealing.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use openpgp::cert::amalgamation::ValidAmalgamation;
use openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use openpgp::cert::{Preferences, ValidCert};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::stream::Recipient;
use openpgp::types::{Features, RevocationStatus};
use sequoia_openpgp as openpgp;

use super::{SealError, pinned};
use crate::agreement::OpenPgp;

/// A recipient's certificate as configured.
#[derive(Debug, Clone, Copy)]
pub struct RecipientCertificate<'a> {
    /// The certificate, armored or binary.
    pub bytes: &'a [u8],
    /// 40 or 64 hexadecimal digits, spaces allowed.
    pub fingerprint: &'a str,
    /// Whose it is, for messages: the house's code.
    pub name: &'a str,
}

/// When a key ends, for the warnings 60, 30 and 7 days ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyExpiry {
    /// Whose key.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// From then on nothing can be encrypted to it; `None` = never.
    pub at: Option<DateTime<Utc>>,
}

/// Every recipient of a house, checked.
#[derive(Debug, Clone)]
pub struct Recipients(Vec<Checked>);

#[derive(Debug, Clone)]
struct Checked {
    cert: openpgp::Cert,
    keys: Vec<Key<PublicParts, UnspecifiedRole>>,
    features: Features,
    expiry: KeyExpiry,
}

impl Recipients {
    /// Checks every certificate at `at`; all findings at once.
    ///
    /// # Errors
    /// One [`SealError`] per unusable certificate (R135), or [`SealError::NoRecipients`].
    pub fn load(certificates: &[RecipientCertificate<'_>], at: DateTime<Utc>) -> Result<Self, Vec<SealError>> {
        let mut checked = Vec::new();
        let mut findings = Vec::new();
        for certificate in certificates {
            match check(certificate, at) {
                Ok(recipient) => checked.push(recipient),
                Err(finding) => findings.push(finding),
            }
        }
        if certificates.is_empty() {
            findings.push(SealError::NoRecipients);
        }
        if findings.is_empty() { Ok(Self(checked)) } else { Err(findings) }
    }

    /// When each recipient's key ends.
    pub fn expiries(&self) -> Vec<KeyExpiry> {
        self.0.iter().map(|recipient| recipient.expiry.clone()).collect()
    }

    /// Their fingerprints, in the order of the configuration.
    pub fn fingerprints(&self) -> Vec<String> {
        self.0.iter().map(|recipient| recipient.expiry.fingerprint.clone()).collect()
    }

    pub(super) fn certs(&self) -> impl Iterator<Item = &openpgp::Cert> {
        self.0.iter().map(|recipient| &recipient.cert)
    }

    /// What the encryptor takes. With [`OpenPgp::Seipd1`] a certificate's wish for SEIPDv2 is not heard: GnuPG 2.2
    /// cannot read it, and houses use what they have.
    pub(super) fn addressed(&self, openpgp: OpenPgp) -> Vec<Recipient<'_>> {
        let old = Features::empty().set_seipdv1();
        // One recipient without SEIPDv2 makes the whole message SEIPDv1, so they go together.
        let all_newer = self.0.iter().all(|recipient| recipient.features.supports_seipdv2());
        let newest = openpgp == OpenPgp::Newest && all_newer;
        let of = |recipient: &Checked| if newest { recipient.features.clone() } else { old.clone() };
        self.0
            .iter()
            .flat_map(|recipient| recipient.keys.iter().map(move |key| (recipient, key)))
            .map(|(recipient, key)| match newest {
                true => Recipient::new(of(recipient), openpgp::KeyHandle::from(key.fingerprint()), key),
                false => Recipient::new(of(recipient), openpgp::KeyHandle::from(key.keyid()), key),
            })
            .collect()
    }
}

fn check(certificate: &RecipientCertificate<'_>, at: DateTime<Utc>) -> Result<Checked, SealError> {
    let cert = pinned(certificate.bytes, certificate.fingerprint, certificate.name)?;
    let policy = StandardPolicy::at(SystemTime::from(at));
    let valid = usable(&cert, certificate.name, at, &policy)?;
    let keys: Vec<_> = encryption_keys(&valid).filter(|key| is_live(key)).collect();
    if keys.is_empty() {
        return Err(SealError::NoUsableKey {
            name: certificate.name.to_owned(),
            fingerprint: cert.fingerprint().to_hex(),
            purpose: "encrypt to",
            reason: why_no_encryption(&valid),
        });
    }
    let expiry = KeyExpiry {
        name: certificate.name.to_owned(),
        fingerprint: cert.fingerprint().to_hex(),
        at: earlier(primary_expiry(&valid), latest(keys.iter().map(expiry_of))),
    };
    let features = valid.features().unwrap_or_else(Features::empty);
    let keys = keys.iter().map(|key| key.key().clone().role_into_unspecified()).collect();
    Ok(Checked { keys, features, expiry, cert: cert.clone() })
}

/// The certificate as it stands at `at`: its primary key neither revoked, nor over, nor from the future.
/// An expired certificate still has a valid self-signature, so its liveness is asked for by itself.
pub(super) fn usable<'a>(
    cert: &'a openpgp::Cert,
    name: &str,
    at: DateTime<Utc>,
    policy: &'a StandardPolicy<'a>,
) -> Result<ValidCert<'a>, SealError> {
    let (name, fingerprint) = (name.to_owned(), cert.fingerprint().to_hex());
    let instant = SystemTime::from(at);
    if let RevocationStatus::Revoked(by) = cert.revocation_status(policy, instant) {
        return Err(SealError::Revoked { name, fingerprint, reason: revocation_reason(&by) });
    }
    let made = cert.primary_key().key().creation_time();
    if made > instant {
        return Err(SealError::NotYetValid { name, fingerprint, from: made.into() });
    }
    let valid = cert.with_policy(policy, instant).map_err(|error| SealError::Unacceptable {
        name: name.clone(),
        fingerprint: fingerprint.clone(),
        reason: error.to_string(),
    })?;
    match (valid.alive(), primary_expiry(&valid)) {
        (Ok(()), _) => Ok(valid),
        (Err(_), Some(over)) => Err(SealError::Expired { name, fingerprint, at: over }),
        (Err(error), None) => Err(SealError::Unacceptable { name, fingerprint, reason: error.to_string() }),
    }
}

fn revocation_reason(by: &[&openpgp::packet::Signature]) -> String {
    let reasons = by.iter().filter_map(|signature| signature.reason_for_revocation());
    let mut written: Vec<String> =
        reasons.map(|(code, text)| format!("{code} {}", String::from_utf8_lossy(text)).trim_end().to_owned()).collect();
    written.dedup();
    if written.is_empty() { "no reason given".to_owned() } else { written.join("; ") }
}

fn encryption_keys<'a>(
    valid: &ValidCert<'a>,
) -> impl Iterator<Item = ValidErasedKeyAmalgamation<'a, PublicParts>> + use<'a> {
    valid.keys().for_transport_encryption().for_storage_encryption()
}

fn is_live(key: &ValidErasedKeyAmalgamation<'_, PublicParts>) -> bool {
    key.alive().is_ok()
        && !matches!(key.revocation_status(), RevocationStatus::Revoked(_))
        && key.key().pk_algo().is_supported()
}

fn why_no_encryption(valid: &ValidCert<'_>) -> String {
    let reasons: Vec<String> = encryption_keys(valid)
        .map(|key| {
            let id = key.key().keyid();
            match (key.revocation_status(), expiry_of(&key)) {
                (RevocationStatus::Revoked(_), _) => format!("subkey {id} is revoked"),
                (_, Some(over)) if key.alive().is_err() => format!("subkey {id} expired on {over}"),
                _ if key.alive().is_err() => format!("subkey {id} is not yet valid"),
                _ => format!("subkey {id} has the unsupported algorithm {}", key.key().pk_algo()),
            }
        })
        .collect();
    match reasons.is_empty() {
        true => "it can only sign or certify; get a certificate with an encryption subkey".to_owned(),
        false => format!("{}; get a renewed certificate", reasons.join(", ")),
    }
}

pub(super) fn primary_expiry(valid: &ValidCert<'_>) -> Option<DateTime<Utc>> {
    valid.primary_key().key_expiration_time().map(DateTime::from)
}

pub(super) fn expiry_of<P: openpgp::packet::key::KeyParts>(
    key: &ValidErasedKeyAmalgamation<'_, P>,
) -> Option<DateTime<Utc>> {
    key.key_expiration_time().map(DateTime::from)
}

pub(super) fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    one.into_iter().chain(other).min()
}

/// `None` is never, and never is latest.
fn latest(expiries: impl Iterator<Item = Option<DateTime<Utc>>>) -> Option<DateTime<Utc>> {
    expiries.collect::<Option<Vec<_>>>().and_then(|known| known.into_iter().max())
}
