//! The audit chain: what an entry's MAC is made over, what a head is, and what a walk along the entries finds.
//!
//! Invariants: an entry's MAC covers its number, everything it says, the key's id and the MAC before it, each with its
//! length, so that no two entries have the same bytes; the key is not in the database, so that who may write there can
//! make no entry and change none unseen. Why a head besides: a chain from which the newest entries were cut is a sound
//! chain, and only who kept a later head knows better (card-secrets.md 4).

mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use walk::{ChainFault, Walk, Walked};

/// HMAC-SHA-256 of an entry.
pub type Mac = [u8; 32];

/// What stands before the first entry.
pub const NOTHING_BEFORE: Mac = [0; 32];

/// First of an entry's bytes; another layout gets another one.
const LAYOUT: &[u8] = b"emboss audit entry 1";

/// What one entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// 1 and up, without gaps.
    pub number: i64,
    /// When: microseconds since 1970-01-01T00:00:00Z.
    pub at_us: i64,
    /// Who: the person of `--by`, or `emboss` for what a command did by itself.
    pub actor: &'a str,
    /// What, in the word of the event that tells of it.
    pub action: &'a str,
    /// About what: the id of a file, of a run, of a key.
    pub subject: &'a str,
    /// Why; empty where no person ordered it.
    pub reason: &'a str,
    /// The rest, a JSON object without secrets, exactly as it is stored.
    pub data: &'a str,
}

impl Entry<'_> {
    /// The bytes the MAC is made over: every part behind its length (4 bytes, the highest first); numbers are 8 bytes.
    fn bytes(&self, key_id: &str, before: &Mac) -> Vec<u8> {
        let parts: [&[u8]; 10] = [
            LAYOUT,
            &self.number.to_be_bytes(),
            &self.at_us.to_be_bytes(),
            self.actor.as_bytes(),
            self.action.as_bytes(),
            self.subject.as_bytes(),
            self.reason.as_bytes(),
            self.data.as_bytes(),
            key_id.as_bytes(),
            before,
        ];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
        for part in parts {
            // Longer parts do not exist: a row of either database is shorter than 2 GiB.
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// The key of a chain. It is wiped when dropped and shows its id only.
#[derive(Clone)]
pub struct ChainKey {
    id: String,
    secret: Zeroizing<[u8; 32]>,
}

impl ChainKey {
    /// A key; each entry names it by its id.
    pub fn new(id: impl Into<String>, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { id: id.into(), secret }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The MAC of an entry behind another one.
    pub fn mac(&self, entry: &Entry<'_>, before: &Mac) -> Mac {
        #[expect(clippy::expect_used, reason = "Safe because: HMAC takes a key of any length")]
        let hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.secret).expect("32 bytes are a key");
        hmac.chain_update(entry.bytes(&self.id, before)).finalize().into_bytes().into()
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainKey({}, ***)", self.id)
    }
}

/// The keys entries may be made under, by id: the one in use, and those before it that are still configured.
#[derive(Debug, Clone, Default)]
pub struct ChainKeys(BTreeMap<String, ChainKey>);

impl ChainKeys {
    /// The key of an id.
    pub fn get(&self, id: &str) -> Option<&ChainKey> {
        self.0.get(id)
    }
}

impl FromIterator<ChainKey> for ChainKeys {
    fn from_iter<T: IntoIterator<Item = ChainKey>>(keys: T) -> Self {
        Self(keys.into_iter().map(|key| (key.id.clone(), key)).collect())
    }
}

/// The newest entry's number and MAC: whoever keeps them can tell later that nothing up to there is gone or changed. As
/// text `NUMBER:MAC`, the MAC as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest entry.
    pub number: i64,
    /// Its MAC.
    pub mac: Mac,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex::encode(self.mac))
    }
}

/// A text that is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is no head of the audit: give it as a report shows it, the entry's number, a colon and 64 hexadecimal digits"
)]
pub struct HeadError;

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (number, mac) = text.split_once(':').ok_or(HeadError)?;
        let mut read = Self { number: number.parse().map_err(|_| HeadError)?, mac: NOTHING_BEFORE };
        hex::decode_to_slice(mac, &mut read.mac).map_err(|_| HeadError)?;
        // One head has one text.
        if read.number >= 1 && read.to_string() == text { Ok(read) } else { Err(HeadError) }
    }
}

#[cfg(test)]
mod tests;
