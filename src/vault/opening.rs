//! The vault: opened from key blocks, it seals secrets for the database and computes card secrets.
//!
//! Invariants: it opens with every key right or not at all, and says everything that is wrong at once; the three keys of
//! its own (data, PAN index, PIN storage) are there, of the right kind, and three different ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroizing;

use super::at_rest::is_key_id;
use super::kbpk::{Kbpk, same_kcv};
use super::keys::{Key, KeyUsage};
use super::published::is_published;
use super::ring::KeyRing;
use super::{KeyWindow, tr31};

/// Everything a vault is opened from, already read from its files.
#[derive(Debug)]
pub struct VaultKeys {
    /// The key block protection keys.
    pub kbpks: Vec<KbpkComponents>,
    /// The keys.
    pub keys: Vec<WrappedKey>,
    /// Key (D0, AES_256) of PAN, PVV, stored PIN and fill seed at rest.
    pub data_key: String,
    /// Key (M7) of the PAN index.
    pub pan_index_key: String,
    /// Key (D0) of the stored PIN.
    pub pin_storage_key: String,
    /// `environment = "live"`: published test keys are refused, and PINs unless `allow_software_pin`.
    pub live: bool,
    /// Whether PINs may be handled in this process in a live environment.
    pub allow_software_pin: bool,
}

/// One key block protection key, in components.
pub struct KbpkComponents {
    /// The name key blocks use.
    pub name: String,
    /// One hexadecimal line each.
    pub components: Vec<Zeroizing<String>>,
    /// Check values of the components in the same order, or none.
    pub component_kcvs: Vec<String>,
    /// Check value of the whole.
    pub kcv: Option<String>,
}

impl fmt::Debug for KbpkComponents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KbpkComponents({}, {} components)", self.name, self.components.len())
    }
}

/// One key in its block.
#[derive(Clone)]
pub struct WrappedKey {
    /// The name other sections use.
    pub id: String,
    /// The TR-31 block, one line.
    pub block: String,
    /// Name of its protection key.
    pub kbpk: String,
    /// Its check value.
    pub kcv: Option<String>,
    /// When it may be used.
    pub window: KeyWindow,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} under {})", self.id, self.kbpk)
    }
}

/// One reason why the vault does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFinding {
    /// The key's id, or the protection key's name.
    pub subject: String,
    /// A sentence with the id in it; never key material.
    pub text: String,
}

impl fmt::Display for VaultFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Opens every key and checks the three of the vault's own.
///
/// # Errors
/// Every finding at once, protection keys first, in the order of the configuration.
pub(super) fn opened_ring(keys: &VaultKeys) -> Result<KeyRing, Vec<VaultFinding>> {
    let mut opening =
        Opening { live: keys.live, findings: Vec::new(), ring: KeyRing::default(), seen: BTreeSet::new() };
    let mut kbpks = BTreeMap::new();
    for components in &keys.kbpks {
        let joined = opening.joined(components);
        if kbpks.insert(components.name.as_str(), joined).is_some() {
            opening.find(
                &components.name,
                format!("protection key {} stands twice in the configuration", components.name),
            );
        }
    }
    for key in &keys.keys {
        opening.open(key, &kbpks);
    }
    opening.own_keys(keys);
    if opening.findings.is_empty() { Ok(opening.ring) } else { Err(opening.findings) }
}

struct Opening {
    live: bool,
    findings: Vec<VaultFinding>,
    ring: KeyRing,
    seen: BTreeSet<String>,
}

impl Opening {
    fn find(&mut self, subject: &str, text: String) {
        self.findings.push(VaultFinding { subject: subject.to_owned(), text });
    }

    fn joined(&mut self, from: &KbpkComponents) -> Option<Kbpk> {
        match Kbpk::join(&from.components, &from.component_kcvs, from.kcv.as_deref()) {
            Ok(kbpk) => {
                if self.live && kbpk.kcvs().iter().any(|kcv| is_published(kcv)) {
                    self.find(&from.name, published(&format!("protection key {}", from.name)));
                }
                Some(kbpk)
            }
            Err(error) => {
                self.find(&from.name, format!("protection key {} cannot be joined: {error}", from.name));
                None
            }
        }
    }

    fn open(&mut self, key: &WrappedKey, kbpks: &BTreeMap<&str, Option<Kbpk>>) {
        let id = key.id.as_str();
        if !is_key_id(id) {
            return self.find(
                id,
                format!("key {id:?}: an id has 1 to 64 letters, digits, full stops, hyphens or underscores"),
            );
        }
        if !self.seen.insert(key.id.clone()) {
            return self.find(id, format!("key {id} stands twice in the configuration"));
        }
        match kbpks.get(key.kbpk.as_str()) {
            None => {
                self.find(id, format!("key {id} is protected by {}, which the configuration does not have", key.kbpk));
            }
            // Its own finding says why it could not be joined.
            Some(None) => {}
            Some(Some(kbpk)) => match tr31::open(key.block.trim(), kbpk) {
                Ok(block) => self.admit(key, &block),
                Err(error) => self.find(id, format!("key {id} does not open under {}: {error}", key.kbpk)),
            },
        }
    }

    fn admit(&mut self, key: &WrappedKey, block: &tr31::OpenedBlock) {
        let id = key.id.as_str();
        let admitted = match Key::admit(id, block, key.window) {
            Ok(admitted) => admitted,
            Err(error) => return self.find(id, error.to_string()),
        };
        let info = &admitted.info;
        if key.kcv.as_deref().is_some_and(|kcv| !same_kcv(&info.kcv, kcv)) {
            self.find(id, format!("key {id} has check value {}, the configuration says another", info.shown_kcv()));
        }
        if self.live && is_published(&info.kcv) {
            self.find(id, published(&format!("key {id}")));
        }
        if let Some(fault) = window_fault(info.usage, key.window) {
            self.find(id, format!("key {id}: {fault}"));
        }
        self.ring.add(admitted);
    }

    fn own_keys(&mut self, keys: &VaultKeys) {
        let roles = [
            ("data_key", keys.data_key.as_str()),
            ("pan_index_key", keys.pan_index_key.as_str()),
            ("pin_storage_key", keys.pin_storage_key.as_str()),
        ];
        for (at, (role, id)) in roles.iter().enumerate() {
            if let Some((first, _)) = roles[..at].iter().find(|(_, earlier)| earlier == id) {
                self.find(id, format!("key {id} is both {first} and {role}; each needs a key of its own"));
            }
            // A key that is configured and did not open has its finding already.
            if self.seen.contains(*id) && self.ring.info(id).is_none() {
                continue;
            }
            let fit = match *role {
                "data_key" => self.ring.data(id).map(|_| ()),
                "pan_index_key" => self.ring.index(id).map(|_| ()),
                _ => self.ring.pin_storage(id).map(|_| ()),
            };
            if let Err(error) = fit {
                self.find(id, format!("{role}: {error}"));
            }
        }
    }
}

fn published(what: &str) -> String {
    format!("{what} has the check value of a published test key; a live environment needs keys nobody else knows")
}

fn window_fault(usage: KeyUsage, window: KeyWindow) -> Option<&'static str> {
    let reversed = |from, until| matches!((from, until), (Some(from), Some(until)) if from >= until);
    if window.retire_at.is_some() && usage != KeyUsage::CardVerification {
        Some("retire_at belongs to card verification keys (C0) only")
    } else if reversed(window.not_before, window.not_after) {
        Some("not_after must be later than not_before")
    } else if reversed(window.not_after, window.retire_at) || reversed(window.not_before, window.retire_at) {
        Some("retire_at must be later than not_after and not_before")
    } else {
        None
    }
}
