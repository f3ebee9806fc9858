//! Keyed digests: the PAN index, the MAC over an order, the key of the audit chain, and the fill of PIN blocks.
//!
//! Invariants: equal PANs have equal indices and nothing else can be told from one without the key; the order MAC has
//! a key of its own, derived, so that no order can be made whose MAC is the index of a PAN.

use hkdf::Hkdf;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::card::RecordUid;
use crate::chain::ChainKey;

type HmacSha256 = Hmac<Sha256>;

/// What the order MAC's key is derived for.
const ORDER_LABEL: &[u8] = b"emboss/order-mac/1";
/// What the audit chain's key is derived for.
const CHAIN_LABEL: &[u8] = b"emboss/audit-chain/1";

/// What an HMAC key is for: the PAN index and its two digests, ready to be fed, or the audit chain.
pub(super) struct Index {
    pan: HmacSha256,
    order: HmacSha256,
    chain: Zeroizing<[u8; 32]>,
}

impl Index {
    /// `None` where the key has no length HMAC knows.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let derived = |label| {
            let mut derived = Zeroizing::new([0; 32]);
            Hkdf::<Sha256>::new(None, key).expand(label, &mut *derived).ok().map(|()| derived)
        };
        let keyed = |key: &[u8]| <HmacSha256 as KeyInit>::new_from_slice(key).ok();
        Some(Self { pan: keyed(key)?, order: keyed(&*derived(ORDER_LABEL)?)?, chain: derived(CHAIN_LABEL)? })
    }

    /// HMAC-SHA-256 of the PAN's digits.
    pub(super) fn pan(&self, pan: &str) -> [u8; 32] {
        self.pan.clone().chain_update(pan).finalize().into_bytes().into()
    }

    /// The key of an audit chain.
    pub(super) fn chain(&self, id: &str) -> ChainKey {
        ChainKey::new(id, self.chain.clone())
    }

    /// HMAC-SHA-256 of an order's canonical bytes, under the derived key.
    pub(super) fn order(&self, order: &[u8]) -> [u8; 32] {
        self.order.clone().chain_update(order).finalize().into_bytes().into()
    }
}

/// The fill of a record's PIN block: HKDF-SHA-256 of the file's seed for the record, so that composing
/// a file again gives the same bytes.
pub fn fill(seed: &[u8; 32], record_uid: RecordUid) -> [u8; 8] {
    let mut fill = [0; 8];
    #[expect(clippy::expect_used, reason = "Safe because: HKDF-SHA-256 gives up to 8,160 bytes and this asks for 8")]
    Hkdf::<Sha256>::new(None, seed).expand(record_uid.0.as_bytes(), &mut fill).expect("8 bytes are given");
    fill
}
