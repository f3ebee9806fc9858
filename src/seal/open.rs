//! Opening a sealed file again: for `inspect` and `demo`.
//!
//! Invariant: the verdict exists only after the last byte was read. Until then the content is what somebody sent:
//! it streams so that memory stays flat, and must not be acted on before [`Opened::verdict`].

use std::fmt;
use std::io::{self, Read};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use openpgp::crypto::{KeyPair, SessionKey};
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::{
    DecryptionHelper, Decryptor, DecryptorBuilder, MessageLayer, MessageStructure, VerificationError,
    VerificationHelper, VerificationResult,
};
use openpgp::policy::StandardPolicy;
use openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp as openpgp;

use super::signer::unlocked;
use super::{SealError, certificates};

static POLICY: StandardPolicy<'static> = StandardPolicy::new();

/// How much is verified before it is given out; small, so that memory stays flat.
const BUFFER: usize = 1024 * 1024;

/// A recipient's secret key, unlocked.
#[derive(Clone)]
pub struct OpeningKey {
    cert: openpgp::Cert,
    pairs: Vec<KeyPair>,
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({})", self.cert.fingerprint())
    }
}

impl OpeningKey {
    /// The first secret key in `key`, armored or binary.
    ///
    /// # Errors
    /// [`SealError::Unreadable`], [`SealError::Locked`].
    pub fn load(key: &[u8], passphrase: Option<&str>) -> Result<Self, SealError> {
        let unreadable = |reason: String| SealError::Unreadable { name: "the recipient".to_owned(), reason };
        let found = certificates(key).map_err(unreadable)?;
        let cert = found
            .into_iter()
            .find(openpgp::Cert::is_tsk)
            .ok_or_else(|| unreadable("it holds no secret key".to_owned()))?;
        let keys = cert.keys().secret().map(|key| key.key().clone().role_into_unspecified());
        let pairs: Vec<KeyPair> = keys.filter_map(|key| unlocked(key, passphrase)).collect();
        if pairs.is_empty() {
            return Err(SealError::Locked { fingerprint: cert.fingerprint().to_hex() });
        }
        Ok(Self { pairs, cert: cert.strip_secret_key_material() })
    }
}

/// What the end of the message proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Whole, and signed by the expected key.
    Good {
        /// Fingerprint of the signer's certificate.
        signer: String,
        /// When the signature was made.
        made_at: Option<DateTime<Utc>>,
    },
    /// Whole, yet without a good signature of the expected key: why.
    Bad(String),
    /// The end was not reached: nothing is known.
    Unread,
}

/// An opened message: reads the document's bytes.
pub struct Opened<'a>(Decryptor<'a, Helper<'a>>);

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

impl Opened<'_> {
    /// What the message proved. Read to the end first; an error while reading means it was cut or changed.
    pub fn verdict(self) -> Verdict {
        self.0.into_helper().verdict
    }
}

impl Read for Opened<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

/// Opens a sealed file with a recipient's key. `signer_certificate` is who should have signed it; `at` is the time
/// at which the signature must be valid.
///
/// # Errors
/// [`SealError::Open`] where it is not for this key or not OpenPGP, [`SealError::Unreadable`].
pub fn open<'a>(
    sealed: impl Read + Send + Sync + 'a,
    key: &'a OpeningKey,
    signer_certificate: &[u8],
    at: DateTime<Utc>,
) -> Result<Opened<'a>, SealError> {
    let signers = certificates(signer_certificate)
        .map_err(|reason| SealError::Unreadable { name: "the signer".to_owned(), reason })?;
    let helper = Helper { key, signers, verdict: Verdict::Unread };
    DecryptorBuilder::from_reader(sealed)
        .and_then(|builder| builder.buffer_size(BUFFER).with_policy(&POLICY, SystemTime::from(at), helper))
        .map(Opened)
        .map_err(|error| SealError::Open(error.into()))
}

struct Helper<'a> {
    key: &'a OpeningKey,
    signers: Vec<openpgp::Cert>,
    verdict: Verdict,
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<openpgp::Cert>> {
        for pkesk in pkesks {
            let is_for =
                |pair: &&KeyPair| pkesk.recipient().is_none_or(|handle| handle.aliases(pair.public().key_handle()));
            for pair in self.key.pairs.iter().filter(is_for) {
                let mut pair = pair.clone();
                if pkesk.decrypt(&mut pair, algorithm).is_some_and(|(algorithm, session)| decrypt(algorithm, &session))
                {
                    return Ok(Some(self.key.cert.clone()));
                }
            }
        }
        Err(openpgp::Error::InvalidOperation("the message is not encrypted to this key".to_owned()).into())
    }
}

impl VerificationHelper for Helper<'_> {
    fn get_certs(&mut self, _: &[openpgp::KeyHandle]) -> openpgp::Result<Vec<openpgp::Cert>> {
        Ok(self.signers.clone())
    }

    /// Never an error: a bad signature is a verdict, not a reason to stop reading.
    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.verdict = Verdict::Bad("it is not signed".to_owned());
        for layer in structure {
            if let MessageLayer::SignatureGroup { results } = layer {
                self.verdict = judge(&results);
            }
        }
        Ok(())
    }
}

fn judge(results: &[VerificationResult<'_>]) -> Verdict {
    let mut why = "it is not signed".to_owned();
    for result in results {
        match result {
            Ok(good) => {
                return Verdict::Good {
                    signer: good.ka.cert().fingerprint().to_hex(),
                    made_at: good.sig.signature_creation_time().map(DateTime::from),
                };
            }
            Err(VerificationError::MissingKey { sig }) => {
                let issuers: Vec<String> = sig.get_issuers().iter().map(openpgp::KeyHandle::to_hex).collect();
                why = format!("it is signed by another key than ours: {}", issuers.join(", "));
            }
            Err(other) => why = other.to_string(),
        }
    }
    Verdict::Bad(why)
}
