//! Encryption at rest: PAN, stored PIN, PVV and fill seed under AES-256-GCM, each bound to its row.
//!
//! Form: version (1), length and text of the key id, nonce (12 random bytes), ciphertext, tag (16). The associated data
//! binds that head, the purpose and the owner, so that a value copied into another row, column or version does not open.
//! The key is found by the id inside: after a rotation old rows open with the old key. One key must not seal more
//! than 2^32 values, since nonces are random.

use std::sync::Arc;

use aes_gcm::aead::AeadInOut;
use zeroize::Zeroizing;

use super::ring::KeyRing;
use super::{Owner, Purpose, Wrapped};
use crate::ambient::Random;

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;

/// Why a wrapped secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not of the form above.
    #[error("{what} is not in a form this program writes; was the database changed by something else?")]
    Form {
        /// What was to be opened, of whom.
        what: String,
    },
    /// Its key is not configured, or may not be used for this.
    #[error("{what} is sealed under key {key_id}, which is not there as an AES_256 key of usage D0")]
    Key {
        /// What was to be opened, of whom.
        what: String,
        /// The key's id.
        key_id: String,
    },
    /// The tag is wrong.
    #[error("{what} does not open under key {key_id}: it was altered, belongs to another row, or that key is another")]
    Refused {
        /// What was to be opened, of whom.
        what: String,
        /// The key's id.
        key_id: String,
    },
    /// It opened, and is not what it should be.
    #[error("{what} opens, but does not hold one; this is a fault of the program that wrote it")]
    Content {
        /// What was to be opened, of whom.
        what: String,
    },
}

impl VaultError {
    /// What opened is not what it should be.
    pub(super) fn content(owner: &Owner, purpose: &Purpose) -> Self {
        Self::Content { what: described(owner, purpose) }
    }
}

/// Seals under one key, opens under any.
#[derive(Debug)]
pub(super) struct AtRest {
    /// All keys.
    pub(super) ring: Arc<KeyRing>,
    /// The key of new values: checked to be there when the vault was opened.
    pub(super) data_key: String,
    /// For nonces.
    pub(super) random: Arc<Random>,
}

impl AtRest {
    /// The same keys drawing nonces from another source.
    pub(super) fn with_random(&self, random: &Arc<Random>) -> Self {
        Self { ring: Arc::clone(&self.ring), data_key: self.data_key.clone(), random: Arc::clone(random) }
    }

    /// Seals `clear`.
    pub(super) fn seal(&self, owner: &Owner, purpose: &Purpose, clear: &[u8]) -> Wrapped {
        let head = head(&self.data_key);
        let nonce = self.random.bytes::<NONCE>();
        let mut sealed = Vec::with_capacity(head.len() + NONCE + clear.len() + TAG);
        sealed.extend_from_slice(&head);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(clear);
        let bound = associated(&head, owner, purpose);
        #[expect(
            clippy::expect_used,
            reason = "Safe because: Vault::open refuses a data key that is not AES_256 and D0"
        )]
        let key = self.ring.data(&self.data_key).expect("the data key is in the ring");
        let clear = &mut sealed[head.len() + NONCE..];
        #[expect(clippy::expect_used, reason = "Safe because: AES-GCM refuses only what is longer than 64 GiB")]
        let tag = key.encrypt_inout_detached(&nonce.into(), &bound, clear.into()).expect("the value is short");
        sealed.extend_from_slice(&tag);
        Wrapped(sealed)
    }

    /// Opens what [`seal`](Self::seal) made for the same owner and purpose.
    ///
    /// # Errors
    /// [`VaultError`].
    pub(super) fn open(
        &self,
        owner: &Owner,
        purpose: &Purpose,
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let what = || described(owner, purpose);
        let parts = Parts::of(&wrapped.0).ok_or_else(|| VaultError::Form { what: what() })?;
        let key_id = parts.key_id.to_owned();
        let Ok(key) = self.ring.data(parts.key_id) else {
            return Err(VaultError::Key { what: what(), key_id });
        };
        let mut clear = Zeroizing::new(parts.ciphertext.to_vec());
        let bound = associated(parts.head, owner, purpose);
        key.decrypt_inout_detached(&parts.nonce.into(), &bound, clear.as_mut_slice().into(), &parts.tag.into())
            .map_err(|_| VaultError::Refused { what: what(), key_id })?;
        Ok(clear)
    }
}

/// The key a sealed value stands under, told from its head; `None` where that is not of the form above.
pub(super) fn key_id(wrapped: &[u8]) -> Option<&str> {
    Parts::of(wrapped).map(|parts| parts.key_id)
}

struct Parts<'a> {
    head: &'a [u8],
    key_id: &'a str,
    nonce: [u8; NONCE],
    ciphertext: &'a [u8],
    tag: [u8; TAG],
}

impl<'a> Parts<'a> {
    fn of(wrapped: &'a [u8]) -> Option<Self> {
        let (version, length) = (*wrapped.first()?, usize::from(*wrapped.get(1)?));
        let (head, rest) = wrapped.split_at_checked(2 + length)?;
        let key_id = std::str::from_utf8(&head[2..]).ok()?;
        if version != VERSION || !is_key_id(key_id) {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        Some(Self { head, key_id, nonce: *nonce, ciphertext, tag: *tag })
    }
}

/// Whether a text may name a key: 1 to 64 letters, digits, full stops, hyphens and underscores.
pub(super) fn is_key_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn head(key_id: &str) -> Vec<u8> {
    let mut head = vec![VERSION];
    append(&mut head, key_id.as_bytes());
    head
}

/// Appends a part behind its length, so that no two lists of parts give the same bytes.
pub(super) fn append(bytes: &mut Vec<u8>, part: &[u8]) {
    // Safe because: parts are key ids, institutions and the fields of a PIN or PVV; all are far below 256 bytes.
    bytes.push(part.len() as u8);
    bytes.extend_from_slice(part);
}

/// The next part that [`append`] wrote, and what is left.
pub(super) fn next_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// What a value is bound to: everything that tells its row from others.
fn associated(head: &[u8], owner: &Owner, purpose: &Purpose) -> Vec<u8> {
    let mut bound = b"emboss/at-rest".to_vec();
    append(&mut bound, head);
    append(&mut bound, owner.institution.as_str().as_bytes());
    match owner.card_id {
        Some(card_id) => append(&mut bound, &card_id.get().to_be_bytes()),
        None => append(&mut bound, &[]),
    }
    let (tag, of) = match purpose {
        Purpose::Pan => (1, Vec::new()),
        Purpose::Pin { version } => (2, version.to_be_bytes().to_vec()),
        Purpose::Pvv { version } => (3, version.to_be_bytes().to_vec()),
        Purpose::FillSeed { file_id } => (4, file_id.0.as_bytes().to_vec()),
    };
    bound.push(tag);
    append(&mut bound, &of);
    bound
}

fn described(owner: &Owner, purpose: &Purpose) -> String {
    let what = match purpose {
        Purpose::Pan => "the card number".to_owned(),
        Purpose::Pin { version } => format!("the PIN (version {version})"),
        Purpose::Pvv { version } => format!("the PVV (PIN version {version})"),
        Purpose::FillSeed { file_id } => format!("the fill seed of file {file_id}"),
    };
    let card = owner.card_id.map(|card_id| format!(" of card {card_id}")).unwrap_or_default();
    format!("{what}{card} of institution {}", owner.institution)
}
