//! Our own OpenPGP key, which signs every file.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use openpgp::crypto::{KeyPair, Password};
use openpgp::packet::Key;
use openpgp::packet::key::{SecretParts, UnspecifiedRole};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use sequoia_openpgp as openpgp;

use super::recipients::{earlier, expiry_of, primary_expiry, usable};
use super::{KeyExpiry, SealError, pinned};

const OURS: &str = "[signer]";

/// Our signing key, unlocked.
#[derive(Clone)]
pub struct Signer {
    cert: openpgp::Cert,
    pair: KeyPair,
    expiry: KeyExpiry,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.expiry.fingerprint)
    }
}

impl Signer {
    /// Takes the secret key in `key` (armored or binary) that is pinned by `fingerprint`, checked at `at`.
    ///
    /// # Errors
    /// [`SealError::Locked`] where the passphrase does not fit, else as for recipients.
    pub fn load(key: &[u8], passphrase: Option<&str>, fingerprint: &str, at: DateTime<Utc>) -> Result<Self, SealError> {
        let cert = pinned(key, fingerprint, OURS)?;
        let policy = StandardPolicy::at(SystemTime::from(at));
        let valid = usable(&cert, OURS, at, &policy)?;
        let signing = valid.keys().secret().alive().revoked(false).for_signing().supported();
        let Some(chosen) = signing.max_by_key(|key| key.key().creation_time()) else {
            return Err(no_signing_key(&cert));
        };
        let expiry = KeyExpiry {
            name: OURS.to_owned(),
            fingerprint: cert.fingerprint().to_hex(),
            at: earlier(primary_expiry(&valid), expiry_of(&chosen)),
        };
        let pair = unlock(&chosen, passphrase, &expiry.fingerprint)?;
        Ok(Self { pair, expiry, cert: cert.clone().strip_secret_key_material() })
    }

    /// 40 or 64 hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.expiry.fingerprint
    }

    /// When it ends.
    pub fn expiry(&self) -> &KeyExpiry {
        &self.expiry
    }

    /// The public certificate, binary: what houses verify with.
    ///
    /// # Errors
    /// [`SealError::Write`].
    pub fn certificate(&self) -> Result<Vec<u8>, SealError> {
        self.cert.to_vec().map_err(|error| SealError::Write(error.into()))
    }

    pub(super) fn pair(&self) -> KeyPair {
        self.pair.clone()
    }
}

fn no_signing_key(cert: &openpgp::Cert) -> SealError {
    let reason = match cert.is_tsk() {
        true => "none is secret, live, unrevoked and flagged for signing",
        false => "the file holds the public certificate only; key_file must name the secret key",
    };
    SealError::NoUsableKey {
        name: OURS.to_owned(),
        fingerprint: cert.fingerprint().to_hex(),
        purpose: "sign with",
        reason: reason.to_owned(),
    }
}

fn unlock(
    chosen: &ValidErasedKeyAmalgamation<'_, SecretParts>,
    passphrase: Option<&str>,
    fingerprint: &str,
) -> Result<KeyPair, SealError> {
    unlocked(chosen.key().clone().role_into_unspecified(), passphrase)
        .ok_or_else(|| SealError::Locked { fingerprint: fingerprint.to_owned() })
}

/// The key with its secret in the clear; `None` where the passphrase is missing or wrong.
pub(super) fn unlocked(key: Key<SecretParts, UnspecifiedRole>, passphrase: Option<&str>) -> Option<KeyPair> {
    let key = match passphrase {
        Some(passphrase) if !key.has_unencrypted_secret() => key.decrypt_secret(&Password::from(passphrase)).ok()?,
        _ => key,
    };
    key.into_keypair().ok()
}
