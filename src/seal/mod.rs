//! From document bytes to OpenPGP: encrypted to every active recipient of the house, signed with our key.
//!
//! Invariants: a recipient is pinned by its full fingerprint and is live at the instant of sealing, or nothing is
//! written (R135); plaintext goes through memory only, in a constant amount; what is made here is readable by
//! GnuPG 2.2 unless the agreement asks for newer. Why signed inside the encryption and with the intended recipients:
//! nobody else learns who signed, and a house cannot pass the file on as if it were meant for another.

mod error;
mod generate;
mod open;
mod recipients;
pub mod settings;
mod signer;
mod writer;

use sequoia_openpgp as openpgp;

pub use error::SealError;
pub use generate::{GeneratedKey, generate_key};
pub use open::{Opened, OpeningKey, Verdict, open};
pub use recipients::{KeyExpiry, RecipientCertificate, Recipients};
pub use signer::Signer;
pub use writer::{Sealer, SealingWriter};

/// The secret or public OpenPGP certificates in armored or binary bytes.
fn certificates(bytes: &[u8]) -> Result<Vec<openpgp::Cert>, String> {
    use openpgp::parse::Parse;
    openpgp::cert::CertParser::from_bytes(bytes)
        .and_then(std::iter::Iterator::collect::<openpgp::Result<Vec<_>>>)
        .map_err(|error| error.to_string())
}

/// The one certificate with this fingerprint; what else was found is told.
fn pinned(bytes: &[u8], fingerprint: &str, name: &str) -> Result<openpgp::Cert, SealError> {
    let name = || name.to_owned();
    let found = certificates(bytes).map_err(|reason| SealError::Unreadable { name: name(), reason })?;
    let known: Vec<String> = found.iter().map(|cert| cert.fingerprint().to_hex()).collect();
    let wanted = fingerprint.replace(' ', "").to_ascii_uppercase();
    found.into_iter().find(|cert| cert.fingerprint().to_hex() == wanted).ok_or_else(|| SealError::Fingerprint {
        name: name(),
        expected: fingerprint.to_owned(),
        found: if known.is_empty() { "no certificate".to_owned() } else { known.join(", ") },
    })
}
