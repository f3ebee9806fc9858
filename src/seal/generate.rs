//! Making OpenPGP keys, for `init` and `demo`.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use openpgp::Profile;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::serialize::SerializeInto;
use openpgp::types::KeyFlags;
use sequoia_openpgp as openpgp;
use zeroize::Zeroizing;

use super::SealError;

/// A new key.
pub struct GeneratedKey {
    /// The secret key, armored and not locked: write it 0600.
    pub secret_key: Zeroizing<Vec<u8>>,
    /// The public certificate, armored.
    pub certificate: Vec<u8>,
    /// 40 hexadecimal digits.
    pub fingerprint: String,
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeneratedKey({})", self.fingerprint)
    }
}

/// Makes a key that signs, with a subkey to encrypt to: Curve25519, version 4, readable by GnuPG 2.2, no expiry.
/// The randomness is OpenSSL's; it cannot be seeded.
///
/// # Errors
/// [`SealError::Generate`].
pub fn generate_key(user_id: &str, at: DateTime<Utc>) -> Result<GeneratedKey, SealError> {
    build(user_id, at).map_err(|error| SealError::Generate(error.into()))
}

fn build(user_id: &str, at: DateTime<Utc>) -> openpgp::Result<GeneratedKey> {
    let (cert, _revocation) = CertBuilder::new()
        .set_profile(Profile::RFC4880)?
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_creation_time(SystemTime::from(at))
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
        .add_userid(user_id)
        .add_subkey(KeyFlags::empty().set_transport_encryption().set_storage_encryption(), None, None)
        .generate()?;
    Ok(GeneratedKey {
        secret_key: Zeroizing::new(cert.as_tsk().armored().to_vec()?),
        certificate: cert.armored().to_vec()?,
        fingerprint: cert.fingerprint().to_hex(),
    })
}
