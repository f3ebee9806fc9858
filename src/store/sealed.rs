//! What stands sealed in the database, and which keys its rows need.
//!
//! Invariant: a value is replaced only where it is still the one that was read, so that sealing anew loses no change that
//! somebody else makes at the same time, and may be done twice.

use async_trait::async_trait;

use super::StoreError;
use crate::card::product::words;
use crate::card::{CardId, FileId, InstitutionId};

words!(
    /// What is kept sealed under the data key.
    SealedKind {
        /// The PAN of a card.
        Pan = "pan",
        /// The stored PIN.
        Pin = "pin",
        /// The PVV of a PIN.
        Pvv = "pvv",
        /// The fill seed of a file.
        FillSeed = "fillSeed",
    }
);

/// What a row needs a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsedFor {
    /// It holds a value sealed under that key.
    Sealed(SealedKind),
    /// A plastic whose CVV1 and iCVV are computed with it.
    Cvv,
    /// A plastic whose CVV2 is computed with it.
    Cvv2,
    /// A PIN whose PVV was made with it.
    Pvv,
    /// An entry of the audit whose MAC was made with it.
    Audit,
}

impl UsedFor {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed(kind) => kind.as_str(),
            Self::Cvv => "cvvPinned",
            Self::Cvv2 => "cvv2Pinned",
            Self::Pvv => "pvvMade",
            Self::Audit => "auditEntries",
        }
    }
}

/// How many rows use one key for one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key; `None` for sealed values that do not begin as this program writes them.
    pub key_id: Option<String>,
    /// What for.
    pub used_for: UsedFor,
    /// Rows, 1 and up.
    pub rows: u64,
}

/// Where a sealed value stands: what its owner and purpose are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedPlace {
    /// The PAN of a card.
    Pan {
        /// The issuer.
        institution: InstitutionId,
        /// The card.
        card_id: CardId,
    },
    /// A card's stored PIN.
    Pin {
        /// The issuer.
        institution: InstitutionId,
        /// The card.
        card_id: CardId,
        /// PIN version of the card.
        version: i64,
    },
    /// The PVV of that PIN.
    Pvv {
        /// The issuer.
        institution: InstitutionId,
        /// The card.
        card_id: CardId,
        /// PIN version of the card.
        version: i64,
    },
    /// The fill seed of a file.
    FillSeed {
        /// The issuer.
        institution: InstitutionId,
        /// The file.
        file_id: FileId,
    },
}

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Where it stands.
    pub place: SealedPlace,
    /// The value, wrapped by the vault.
    pub sealed: Vec<u8>,
}

/// A value sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// What was read.
    pub row: SealedRow,
    /// What stands there afterwards.
    pub anew: Vec<u8>,
}

/// Counts and replaces what stands sealed.
#[async_trait]
pub trait Sealed {
    /// How many rows need which key, by what for and key: counted by the database, as one state of it.
    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError>;

    /// Sealed values of a kind by primary key, after `after`, at most `limit`; whatever key they stand under.
    async fn sealed(
        &self,
        kind: SealedKind,
        after: Option<&SealedPlace>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError>;

    /// Replaces values of one kind, in one transaction; how many. One that is not what was read any more, or that another
    /// transaction is writing to at this moment, is passed over: nobody is waited for, so that nobody is in anybody's way.
    async fn reseal(&self, kind: SealedKind, rows: &[Resealed]) -> Result<u64, StoreError>;
}
