//! Card numbers that arrive encrypted: JWE compact, RSA-OAEP-256 with A256GCM, for one of our certificates (S2).
//!
//! Invariants: the protected header is judged before anything is decrypted, because the library also accepts other
//! algorithms, compression, and a cut authentication tag; no error says more than which check failed.

use std::fmt;

use josekit::jwe::RSA_OAEP_256;
use josekit::jwe::alg::rsaes::RsaesJweDecrypter;
use openssl::base64;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::json::parse_object;
use crate::card::Pan;

/// 96 bits, as RFC 7518 5.3 asks, in base64url.
const NONCE_CHARACTERS: usize = 16;
/// 128 bits likewise: a shorter tag would be easy to forge.
const TAG_CHARACTERS: usize = 22;

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JweKeyError {
    /// Not a certificate.
    #[error("the certificate is not one X.509 certificate in PEM")]
    Certificate,
    /// Not a private key.
    #[error("the private key is not an unencrypted RSA key of 2048 bits or more in PEM")]
    PrivateKey,
    /// Not of one pair.
    #[error("the private key does not belong to the certificate")]
    Pair,
    /// There already.
    #[error("the certificate stands twice; name each certificate once")]
    Twice,
}

/// Our certificates with their private keys, found by thumbprint; several for a rollover.
#[derive(Clone, Default)]
pub struct JweKeys(Vec<(String, RsaesJweDecrypter)>);

impl fmt::Debug for JweKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(thumbprint, _)| thumbprint)).finish()
    }
}

impl JweKeys {
    /// Adds a certificate and its key, both PEM.
    ///
    /// # Errors
    /// [`JweKeyError`].
    pub fn add(&mut self, certificate: &[u8], private_key: &[u8]) -> Result<(), JweKeyError> {
        let certificate = X509::from_pem(certificate).map_err(|_| JweKeyError::Certificate)?;
        let public = certificate.public_key().map_err(|_| JweKeyError::Certificate)?;
        // The call-back answers for an encrypted key, which would otherwise ask on the terminal.
        let key = PKey::private_key_from_pem_callback(private_key, |_| Ok(0)).map_err(|_| JweKeyError::PrivateKey)?;
        if key.rsa().is_err() || key.bits() < 2048 {
            return Err(JweKeyError::PrivateKey);
        }
        if !public.public_eq(&key) {
            return Err(JweKeyError::Pair);
        }
        let digest = certificate.digest(MessageDigest::sha256()).map_err(|_| JweKeyError::Certificate)?;
        let thumbprint = base64_url(&digest);
        if self.0.iter().any(|(known, _)| *known == thumbprint) {
            return Err(JweKeyError::Twice);
        }
        let der = Zeroizing::new(key.private_key_to_pkcs8().map_err(|_| JweKeyError::PrivateKey)?);
        let decrypter = RSA_OAEP_256.decrypter_from_der(&*der).map_err(|_| JweKeyError::PrivateKey)?;
        self.0.push((thumbprint, decrypter));
        Ok(())
    }

    /// Decrypts `encryptedData` to the card number in it.
    ///
    /// # Errors
    /// ENCRYPTED_DATA_INVALID, ENCRYPTED_DATA_UNREADABLE or CARD_NUMBER_INVALID; nothing of the content is repeated.
    pub fn open(&self, compact: &str) -> Result<Pan, Refusal> {
        let parts: Vec<&str> = compact.split('.').collect();
        let [header, _, nonce, _, tag] = parts[..] else {
            return invalid("is not a JWE of five parts");
        };
        let thumbprint = judge_header(header)?;
        if nonce.len() != NONCE_CHARACTERS || tag.len() != TAG_CHARACTERS {
            return invalid("has a nonce or an authentication tag of the wrong length");
        }
        let known = self.0.iter().find(|(known, _)| *known == thumbprint);
        let (_, decrypter) =
            known.ok_or_else(|| unreadable("is encrypted for a certificate that is not configured"))?;
        let opened = josekit::jwe::deserialize_compact(compact, decrypter);
        let (clear, _) = opened.map_err(|_| unreadable("cannot be decrypted"))?;
        card_number(&Zeroizing::new(clear))
    }
}

/// Checks the raw protected header and gives back its `x5t#S256`.
fn judge_header(encoded: &str) -> Result<String, Refusal> {
    let bytes = from_base64_url(encoded);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let members = text.and_then(|text| parse_object(&text).ok());
    let Some(members) = members else { return invalid("has no readable header") };
    for forbidden in ["zip", "crit"] {
        if members.contains_key(forbidden) {
            return invalid(&format!("must not have {forbidden} in its header"));
        }
    }
    let mut fields = Fields::new("", members);
    for (name, wanted) in [("alg", "RSA-OAEP-256"), ("enc", "A256GCM")] {
        if fields.string(name).ok().flatten().as_deref() != Some(wanted) {
            return invalid(&format!("must have {name} {wanted} in its header"));
        }
    }
    match fields.string("x5t#S256") {
        Ok(Some(thumbprint)) => Ok(thumbprint),
        _ => invalid("must name its certificate by x5t#S256 in its header"),
    }
}

/// The number in `{"cardNumber": "..."}`: 16 digits (S4) with a right check digit.
fn card_number(clear: &[u8]) -> Result<Pan, Refusal> {
    let members = std::str::from_utf8(clear).ok().and_then(|text| parse_object(text).ok());
    let Some(members) = members else { return invalid("does not hold a JSON object") };
    let mut fields = Fields::new("", members);
    let number = fields.string("cardNumber").ok().flatten().map(Zeroizing::new);
    let (Some(number), true) = (number, fields.is_empty()) else {
        return invalid("must hold cardNumber as a string, and nothing else");
    };
    if number.len() != 16 {
        return Err(ErrorCode::CardNumberInvalid.because("the card number in body.encryptedData has not 16 digits"));
    }
    Pan::parse(&number).map_err(|error| ErrorCode::CardNumberInvalid.because(format!("in body.encryptedData, {error}")))
}

fn invalid<T>(what: &str) -> Result<T, Refusal> {
    Err(ErrorCode::EncryptedDataInvalid.because(format!("body.encryptedData {what}")))
}

fn unreadable(what: &str) -> Refusal {
    ErrorCode::EncryptedDataUnreadable.because(format!("body.encryptedData {what}"))
}

fn base64_url(bytes: &[u8]) -> String {
    base64::encode_block(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return None;
    }
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    base64::decode_block(&(text.replace('-', "+").replace('_', "/") + &padding)).ok()
}
