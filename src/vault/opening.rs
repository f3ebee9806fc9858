//! The vault: opened from key blocks, it seals secrets for the database and computes card secrets.
//!
//! Invariants: it opens with every key right or not at all, and says everything that is wrong at once; the keys of its
//! own (data, PAN index, audit, and the stored PIN in software) are there, of the right kind, and all different.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroizing;

use super::at_rest::is_key_id;
use super::kbpk::{Kbpk, same_kcv};
use super::keys::{Key, KeyError, KeyInfo, KeyUsage};
use super::payshield::key::LmkKey;
use super::payshield::tls::TlsFiles;
use super::published::is_published;
use super::ring::KeyRing;
use super::settings::{LmkDialect, LmkKeySettings, PayShieldSettings};
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
    /// Key (M7) of the audit chain.
    pub audit_key: String,
    /// Who computes card secrets.
    pub provider: ProviderKeys,
    /// `environment = "live"`: published test keys are refused, and PINs in software unless they are allowed.
    pub live: bool,
}

/// What the provider of card cryptography is opened from.
#[derive(Debug)]
pub enum ProviderKeys {
    /// This process.
    Software {
        /// Key (D0) of the stored PIN.
        pin_storage_key: String,
        /// Whether PINs may be handled in this process in a live environment.
        allow_software_pin: bool,
    },
    /// Payment HSMs.
    PayShield {
        /// Where they are, and how they are spoken to.
        settings: Box<PayShieldSettings>,
        /// What its TLS files hold; `None` where there is no TLS.
        tls: Option<TlsFiles>,
    },
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
    /// The TR-31 block, or the key under the LMK, one line.
    pub block: String,
    /// What protects it.
    pub protection: Protection,
    /// Its check value.
    pub kcv: Option<String>,
    /// When it may be used.
    pub window: KeyWindow,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} under {:?})", self.id, self.protection)
    }
}

/// What protects a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// The protection key of that name.
    Kbpk(String),
    /// The LMK of a payment HSM.
    Lmk(LmkKeySettings),
}

/// One reason why the vault does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFinding {
    /// The key's id, or the protection key's name.
    pub subject: String,
    /// A sentence with the id in it; never key material.
    pub text: String,
}

impl VaultFinding {
    /// Sentences about the provider of card cryptography.
    pub(super) fn of_provider(texts: Vec<String>) -> Vec<Self> {
        texts.into_iter().map(|text| Self { subject: "provider".to_owned(), text }).collect()
    }
}

impl fmt::Display for VaultFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Opens every key and checks those of the vault's own.
///
/// # Errors
/// Every finding at once, protection keys first, in the order of the configuration.
pub(super) fn opened_ring(keys: &VaultKeys) -> Result<KeyRing, Vec<VaultFinding>> {
    let (ring, findings) = look_at(keys);
    if findings.is_empty() { Ok(ring) } else { Err(findings) }
}

/// The keys that open, and everything that is wrong, protection keys first; no device is asked. For who looks at keys
/// and computes nothing with them.
pub fn look_at(keys: &VaultKeys) -> (KeyRing, Vec<VaultFinding>) {
    let dialect = match &keys.provider {
        ProviderKeys::PayShield { settings, .. } => Some(settings.lmk),
        ProviderKeys::Software { .. } => None,
    };
    let mut opening =
        Opening { live: keys.live, dialect, findings: Vec::new(), ring: KeyRing::default(), seen: BTreeSet::new() };
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
    (opening.ring, opening.findings)
}

struct Opening {
    live: bool,
    /// Of the payment HSM, where there is one.
    dialect: Option<LmkDialect>,
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
        let kbpk = match &key.protection {
            Protection::Lmk(told) => return self.open_under_lmk(key, *told),
            Protection::Kbpk(name) => name,
        };
        match kbpks.get(kbpk.as_str()) {
            None => {
                self.find(id, format!("key {id} is protected by {kbpk}, which the configuration does not have"));
            }
            // Its own finding says why it could not be joined.
            Some(None) => {}
            Some(Some(opener)) => match tr31::open(key.block.trim(), opener) {
                Ok(block) => self.admit(key, Key::admit(id, &block, key.window)),
                Err(error) => self.find(id, format!("key {id} does not open under {kbpk}: {error}")),
            },
        }
    }

    fn open_under_lmk(&mut self, key: &WrappedKey, told: LmkKeySettings) {
        let id = key.id.as_str();
        let (Some(dialect), Some(kcv)) = (self.dialect, &key.kcv) else {
            let needed = if self.dialect.is_none() { "provider \"payshield\"" } else { "its kcv beside it" };
            return self.find(id, format!("key {id} is under the LMK of a payment HSM, which needs {needed}"));
        };
        match LmkKey::parse(&key.block, dialect, told.algorithm) {
            Ok(lmk_key) => self.admit(key, Key::under_lmk(id, lmk_key, told, kcv, key.window)),
            Err(reason) => self.find(id, format!("key {id} under the LMK {reason}")),
        }
    }

    fn admit(&mut self, key: &WrappedKey, admitted: Result<Key, KeyError>) {
        let id = key.id.as_str();
        let admitted = match admitted {
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
        if self.dialect.is_some() && info.usage.is_of_cards() && !matches!(key.protection, Protection::Lmk(_)) {
            self.find(id, clear_beside_an_hsm(info));
        }
        self.ring.add(admitted);
    }

    fn own_keys(&mut self, keys: &VaultKeys) {
        let mut roles = vec![
            ("data_key", keys.data_key.as_str()),
            ("pan_index_key", keys.pan_index_key.as_str()),
            ("audit_key", keys.audit_key.as_str()),
        ];
        if let ProviderKeys::Software { pin_storage_key, .. } = &keys.provider {
            roles.push(("pin_storage_key", pin_storage_key));
        }
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
                "pan_index_key" | "audit_key" => self.ring.index(id).map(|_| ()),
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

fn clear_beside_an_hsm(key: &KeyInfo) -> String {
    format!(
        "key {} of usage {} is not under the LMK, and would be clear in the memory of this host; export it from the payment HSM, and write lmk in its [[key]]",
        key.id, key.usage
    )
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
