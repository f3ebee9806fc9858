//! The open vault: what other rooms call.
//!
//! Invariant: secrets go in and out as their own types only, and always with the row they belong to.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::at_rest::{AtRest, VaultError, append, next_part};
use super::index;
use super::keys::{CvkUse, KeyError, KeyInfo, KeyUsage};
use super::opening::{ProviderKeys, VaultFinding, VaultKeys, opened_ring};
use super::payshield::proof::{Devices, Proof, ProofKeys};
use super::ring::KeyRing;
use super::software::Software;
use super::{CardCrypto, Owner, Purpose, Pvv, StoredPin, Wrapped};
use crate::agreement::Product;
use crate::ambient::Random;
use crate::card::{Cvv, FileId, InstitutionId, Pan, RecordUid};
use crate::chain::{ChainKey, ChainKeys};

/// Keys, encryption at rest and card cryptography of one program.
#[derive(Debug, Clone)]
pub struct Vault {
    ring: Arc<KeyRing>,
    at_rest: Arc<AtRest>,
    pan_index_key: String,
    audit_key: String,
    /// Of stored PINs, where this process keeps them.
    pin_storage_key: Option<String>,
    crypto: Arc<dyn CardCrypto>,
    devices: Option<Arc<Devices>>,
}

impl Vault {
    /// Opens every key and checks it.
    ///
    /// # Errors
    /// Every finding at once: wrong components, blocks, usages, check values, windows, missing own keys, and in a live
    /// environment published test keys.
    pub fn open(keys: VaultKeys, random: Arc<Random>) -> Result<Self, Vec<VaultFinding>> {
        let ring = Arc::new(opened_ring(&keys)?);
        let pin_storage_key = match &keys.provider {
            ProviderKeys::Software { pin_storage_key, .. } => Some(pin_storage_key.clone()),
            ProviderKeys::PayShield { .. } => None,
        };
        let (crypto, devices): (Arc<dyn CardCrypto>, _) = match keys.provider {
            ProviderKeys::Software { pin_storage_key, allow_software_pin } => {
                let pins_allowed = !keys.live || allow_software_pin;
                let random = Arc::clone(&random);
                (Arc::new(Software::new(Arc::clone(&ring), pin_storage_key, pins_allowed, random)), None)
            }
            ProviderKeys::PayShield { settings, tls } => {
                let random = Arc::clone(&random);
                let devices = Devices { ring: Arc::clone(&ring), settings: *settings, tls, random };
                let (provider, _) = devices.provider().map_err(VaultFinding::of_provider)?;
                (Arc::new(provider), Some(Arc::new(devices)))
            }
        };
        let at_rest = AtRest { ring: Arc::clone(&ring), data_key: keys.data_key, random };
        let at_rest = Arc::new(at_rest);
        let (pan_index_key, audit_key) = (keys.pan_index_key, keys.audit_key);
        Ok(Self { ring, at_rest, pan_index_key, audit_key, pin_storage_key, crypto, devices })
    }

    /// The same vault drawing from another source: one for each of the agreements that are at work at once.
    pub fn with_random(&self, random: &Arc<Random>) -> Self {
        let at_rest = self.at_rest.with_random(random);
        let crypto = self.crypto.with_random(random).unwrap_or_else(|| Arc::clone(&self.crypto));
        Self { at_rest: Arc::new(at_rest), crypto, ..self.clone() }
    }

    /// The same vault with card cryptography by another provider, which must have the same keys.
    pub fn with_crypto(&self, crypto: Arc<dyn CardCrypto>) -> Self {
        Self { crypto, ..self.clone() }
    }

    /// Who computes CVVs, PINs and PIN blocks.
    pub fn crypto(&self) -> &Arc<dyn CardCrypto> {
        &self.crypto
    }

    /// Proves every payment HSM, one after another; nothing where there is none.
    pub async fn prove_devices(&self, keys: &ProofKeys) -> Vec<Proof> {
        match &self.devices {
            Some(devices) => devices.prove(keys).await,
            None => Vec::new(),
        }
    }

    /// What is known about a key; `None` where no key has this id.
    pub fn key(&self, id: &str) -> Option<&KeyInfo> {
        self.ring.info(id)
    }

    /// What is known about every key, by id.
    pub fn keys(&self) -> impl Iterator<Item = &KeyInfo> {
        self.ring.infos()
    }

    /// Whether a key may be used as `usage` at an instant. A CVK is asked as for new cards.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage, too early, ended or retired.
    pub fn live(&self, id: &str, usage: KeyUsage, at: DateTime<Utc>) -> Result<&KeyInfo, KeyError> {
        self.ring.live(id, usage, at)
    }

    /// Whether a card verification key may be used for new cards, or for reissues, at an instant.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage, too early, ended or retired.
    pub fn live_cvk(&self, id: &str, wanted: CvkUse, at: DateTime<Utc>) -> Result<&KeyInfo, KeyError> {
        self.ring.live_cvk(id, wanted, at)
    }

    /// Whether an issuer's PIN blocks may be taken in under a key at an instant: a zone PIN key that may decrypt.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage or mode of use, too early or ended.
    pub fn live_for_issuer(&self, id: &str, at: DateTime<Utc>) -> Result<&KeyInfo, KeyError> {
        self.ring.live_for_issuer(id, at)
    }

    /// The keys that a night seals new secrets under and that are not in force at an instant, by their setting: the data
    /// key, and with `pins` that of stored PINs.
    pub fn own_keys_not_in_force(&self, pins: bool, at: DateTime<Utc>) -> Vec<(&'static str, KeyError)> {
        let data = Some(("data_key", &self.at_rest.data_key));
        let stored_pins = self.pin_storage_key.as_ref().filter(|_| pins).map(|id| ("pin_storage_key", id));
        let fault = |(role, id): (_, &String)| Some((role, self.live(id, KeyUsage::DataEncryption, at).err()?));
        data.into_iter().chain(stored_pins).filter_map(fault).collect()
    }

    /// As [`KeyRing::zone_keys`].
    pub fn zone_keys(&self, ids: &[String], at: DateTime<Utc>) -> Vec<&KeyInfo> {
        self.ring.zone_keys(ids, at)
    }

    /// As [`KeyRing::zone_key`].
    pub fn zone_key(&self, ids: &[String], at: DateTime<Utc>) -> Option<&KeyInfo> {
        self.ring.zone_key(ids, at)
    }

    /// As [`KeyRing::encrypts_for_house`].
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage, or a mode of use that forbids it.
    pub fn encrypts_for_house(&self, id: &str) -> Result<&KeyInfo, KeyError> {
        self.ring.encrypts_for_house(id)
    }

    /// Whether the keys that a new plastic of a product pins may be used for new cards at an instant.
    ///
    /// # Errors
    /// [`KeyError`] of the first key that may not.
    pub fn live_for_new(&self, product: &Product, at: DateTime<Utc>) -> Result<(), KeyError> {
        let mut keys = product.pinned_cvv_key().into_iter().chain([product.cvv2_key.as_str()]);
        keys.try_for_each(|key| self.live_cvk(key, CvkUse::New, at).map(drop))
    }

    /// Seals a card's PAN.
    pub fn seal_pan(&self, owner: &Owner, pan: &Pan) -> Wrapped {
        self.at_rest.seal(owner, &Purpose::Pan, pan.expose().as_bytes())
    }

    /// Opens a card's PAN.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_pan(&self, owner: &Owner, wrapped: &Wrapped) -> Result<Pan, VaultError> {
        self.opened(owner, &Purpose::Pan, wrapped, |clear| Pan::parse(std::str::from_utf8(clear).ok()?).ok())
    }

    /// Seals a card's stored PIN of a version.
    pub fn seal_pin(&self, owner: &Owner, version: i64, pin: &StoredPin) -> Wrapped {
        let mut clear = Zeroizing::new(Vec::with_capacity(1 + pin.scheme.len() + pin.bytes.len()));
        append(&mut clear, pin.scheme.as_bytes());
        clear.extend_from_slice(&pin.bytes);
        self.at_rest.seal(owner, &Purpose::Pin { version }, &clear)
    }

    /// Opens a card's stored PIN of a version.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_pin(&self, owner: &Owner, version: i64, wrapped: &Wrapped) -> Result<StoredPin, VaultError> {
        self.opened(owner, &Purpose::Pin { version }, wrapped, |clear| {
            let (scheme, bytes) = next_part(clear)?;
            let scheme = std::str::from_utf8(scheme).ok()?.to_owned();
            Some(StoredPin { scheme, bytes: Zeroizing::new(bytes.to_vec()) })
        })
    }

    /// Seals the PVV of a card's PIN of a version.
    pub fn seal_pvv(&self, owner: &Owner, version: i64, pvv: &Pvv) -> Wrapped {
        let parts = [pvv.value.expose(), &pvv.pvki, &pvv.key_id];
        let mut clear = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| 1 + part.len()).sum()));
        for part in parts {
            append(&mut clear, part.as_bytes());
        }
        self.at_rest.seal(owner, &Purpose::Pvv { version }, &clear)
    }

    /// Opens the PVV of a card's PIN of a version.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_pvv(&self, owner: &Owner, version: i64, wrapped: &Wrapped) -> Result<Pvv, VaultError> {
        self.opened(owner, &Purpose::Pvv { version }, wrapped, |clear| {
            let (value, rest) = next_part(clear)?;
            let (pvki, rest) = next_part(rest)?;
            let (key_id, rest) = next_part(rest)?;
            let text = |part| std::str::from_utf8(part).ok();
            let pvv = Pvv { value: Cvv::new(text(value)?), pvki: text(pvki)?.into(), key_id: text(key_id)?.into() };
            rest.is_empty().then_some(pvv)
        })
    }

    /// Seals the fill seed of a file of an institution.
    pub fn seal_fill_seed(&self, institution: &InstitutionId, file_id: FileId, seed: &[u8; 32]) -> Wrapped {
        self.at_rest.seal(&file_owner(institution), &Purpose::FillSeed { file_id }, seed)
    }

    /// Opens the fill seed of a file of an institution.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_fill_seed(
        &self,
        institution: &InstitutionId,
        file_id: FileId,
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        self.opened(&file_owner(institution), &Purpose::FillSeed { file_id }, wrapped, |clear| {
            clear.try_into().ok().map(Zeroizing::new)
        })
    }

    /// The id of the key that new values are sealed under.
    pub fn data_key(&self) -> &str {
        &self.at_rest.data_key
    }

    /// A value of its owner and purpose, opened and sealed anew under the data key; `None` where it is sealed under that
    /// already, which is told from its head alone.
    ///
    /// # Errors
    /// [`VaultError`] where it does not open.
    pub fn resealed(&self, owner: &Owner, purpose: &Purpose, wrapped: &Wrapped) -> Result<Option<Wrapped>, VaultError> {
        if wrapped.key_id() == Some(self.data_key()) {
            return Ok(None);
        }
        let clear = self.at_rest.open(owner, purpose, wrapped)?;
        Ok(Some(self.at_rest.seal(owner, purpose, &clear)))
    }

    /// The index of a PAN: the same for the same PAN, telling nothing else.
    pub fn pan_index(&self, pan: &Pan) -> [u8; 32] {
        self.index().pan(pan.expose())
    }

    /// The MAC over an order's canonical bytes, which may hold secrets and so must not be stored as a plain digest.
    pub fn order_mac(&self, order: &[u8]) -> [u8; 32] {
        self.index().order(order)
    }

    /// The key that entries of the audit chain are made under.
    pub fn audit_key(&self) -> ChainKey {
        #[expect(clippy::expect_used, reason = "Safe because: open refuses an audit key that is not an M7 key")]
        self.ring.index(&self.audit_key).expect("the audit key is in the ring").chain(&self.audit_key)
    }

    /// The keys that entries of the audit chain may have been made under: this one, and those before it that are still
    /// configured.
    pub fn audit_keys(&self) -> ChainKeys {
        let others = self.ring.infos().filter(|key| key.usage == KeyUsage::Hmac && key.id != self.pan_index_key);
        others.filter_map(|key| Some(self.ring.index(&key.id).ok()?.chain(&key.id))).collect()
    }

    /// The fill of a record's PIN block, from its file's seed.
    pub fn fill(&self, seed: &[u8; 32], record_uid: RecordUid) -> [u8; 8] {
        index::fill(seed, record_uid)
    }

    fn index(&self) -> &index::Index {
        #[expect(clippy::expect_used, reason = "Safe because: open refuses a PAN index key that is not an M7 key")]
        self.ring.index(&self.pan_index_key).expect("the PAN index key is in the ring")
    }

    fn opened<T>(
        &self,
        owner: &Owner,
        purpose: &Purpose,
        wrapped: &Wrapped,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, VaultError> {
        let clear = self.at_rest.open(owner, purpose, wrapped)?;
        read(&clear).ok_or_else(|| VaultError::content(owner, purpose))
    }
}

fn file_owner(institution: &InstitutionId) -> Owner {
    Owner { institution: institution.clone(), card_id: None }
}
