//! `emboss keys import`: a key from a ceremony, as a block.
//!
//! Invariants: everything is checked before anything is written; the configuration with the new key is valid as a whole
//! before it stands in the place of the old one; no clear key comes in or out, and none is written.

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::errors::chain;
use super::super::open::Home;
use super::super::output::Output;
use super::super::person::Author;
use super::sections::{NewKey, instant, kbpk_section, path_from};
use crate::ambient::{Clock, SystemClock};
use crate::config::adapters::{self, GivenBlock};
use crate::config::edit::{Edit, EditError, PlacedFile};
use crate::config::paths::CREDENTIAL;
use crate::config::{Config, ConfigError, files};
use crate::settlement::Authority;
use crate::vault::settings::{KbpkSettings, LmkKeySettings};
use crate::vault::{KeyAlgorithm, KeyInfo, KeyUsage, KeyWindow};

/// No key block is longer (TR-31: four digits of length).
const BLOCK_MAX: u64 = 9_999;

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// What the key is to be called; products, houses and institutions name it so.
    #[arg(long, value_name = "ID")]
    id: String,
    /// The file with its TR-31 block of version B or D, or with the key under the LMK; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    block: String,
    /// The protection key of the block, as [vault.kbpk.NAME] in the configuration; with --component a new one.
    #[arg(long, value_name = "NAME", required_unless_present = "lmk_usage")]
    kbpk: Option<String>,
    /// Of a key under the LMK of the payment HSM: its TR-31 usage, C0, V2 or P0.
    #[arg(long, value_name = "USAGE", conflicts_with = "kbpk", requires_all = ["lmk_algorithm", "kcv"])]
    lmk_usage: Option<KeyUsage>,
    /// Of a key under the LMK: its algorithm, for example TDES_2KEY.
    #[arg(long, value_name = "ALGORITHM", requires = "lmk_usage")]
    lmk_algorithm: Option<KeyAlgorithm>,
    /// The check value that came with the key; a key with another is refused.
    #[arg(long, value_name = "XXXXXX")]
    kcv: Option<String>,
    /// The key must not be used before.
    #[arg(long, value_name = "INSTANT")]
    not_before: Option<DateTime<Utc>>,
    /// The key must not be used after; a card verification key then makes no new cards.
    #[arg(long, value_name = "INSTANT")]
    not_after: Option<DateTime<Utc>>,
    /// Of a card verification key: no reissue after.
    #[arg(long, value_name = "INSTANT", requires = "not_after")]
    retire_at: Option<DateTime<Utc>>,
    /// Of a new protection key: the file of a component, or credential:NAME; two or more, each kept by another person.
    #[arg(long, value_name = "FILE", requires_all = ["kbpk", "kbpk_kcv", "component_kcv"])]
    component: Vec<String>,
    /// The check value of each component, in their order.
    #[arg(long, value_name = "XXXXXX", requires = "component")]
    component_kcv: Vec<String>,
    /// The check value of the new protection key.
    #[arg(long, value_name = "XXXXXX", requires = "component")]
    kbpk_kcv: Option<String>,
    /// The folder for the block; without it that of the other blocks.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    #[command(flatten)]
    author: Author,
}

pub(super) async fn import(arguments: &ImportArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let authority = arguments.author.authority()?;
    let now = SystemClock.now();
    let edit = Edit::begin(&home.config_path()).map_err(unchanged)?;
    let addition = Addition::checked(arguments, &edit, home, &authority, now)?;
    let placed = PlacedFile::place(&addition.file, &addition.block, edit.path()).map_err(unchanged)?;
    let draft = edit.prepare(&addition.text).map_err(unchanged)?;
    let opened = home.open(output, false).await?;
    // First the trace, then the deed: no key is in use that nobody wrote down.
    let (subject, data) = (&addition.info.id, addition.trace());
    opened.night.store.note_audited("key.imported", None, subject, &authority, &data).await?;
    opened.night.note_head().await;
    opened.night.store.close().await;
    let folder = edit.path().parent().map(Path::to_owned).unwrap_or_default();
    draft.place().map_err(unchanged)?;
    placed.keep();
    addition.tell(&folder, now, output);
    Ok(0)
}

/// A key that may be added, and the configuration with it.
struct Addition {
    info: KeyInfo,
    protected_by: String,
    block: String,
    file: PathBuf,
    text: String,
}

impl Addition {
    /// Checks everything that can be checked before something is written.
    fn checked(
        arguments: &ImportArguments,
        edit: &Edit,
        home: &Home<'_>,
        authority: &Authority,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let credentials = home.surroundings.credentials_directory.as_deref();
        let parsed = |text: &str| Config::parse(text, edit.path(), credentials);
        let known = parsed(edit.text()).map_err(|error| Failure::configuration(chain(&error)))?;
        let id = arguments.id.as_str();
        if known.key(id).is_some() {
            return Err(refusal(format!("key {id} is in the configuration already: choose another --id")));
        }
        arguments.check_protection(&known)?;
        let block = block_of(&arguments.block)?;
        let folder = arguments.folder(&known)?;
        let file = folder.join(format!("{id}.tr31"));
        let config_folder = edit.path().parent().unwrap_or(Path::new("/"));
        let kcv = arguments.kcv.as_deref().map(str::to_ascii_uppercase);
        let mut key = NewKey {
            id,
            block_file: path_from(config_folder, &file),
            kbpk: arguments.kbpk.as_deref(),
            lmk: arguments.lmk(),
            kcv: kcv.as_deref(),
            window: arguments.window(),
        };
        let sections = |key: &NewKey<'_>| {
            arguments.kbpk_section(config_folder).map(|kbpk| edit.with(&(kbpk + &key.section(authority, now))))
        };
        let info = admitted(&known, parsed(&sections(&key)?), GivenBlock { id, block: &block })?;
        // The check value is written down even where none was given: the file cannot be exchanged unseen.
        key.kcv = Some(info.shown_kcv());
        let text = sections(&key)?;
        parsed(&text).map_err(|error| refusal(chain(&error)))?;
        let protected_by = key.kbpk.unwrap_or("LMK").to_owned();
        Ok(Self { info, protected_by, block, file, text })
    }

    /// What the audit keeps.
    fn trace(&self) -> Value {
        json!({ "id": self.info.id, "usage": self.info.usage, "kcv": self.info.shown_kcv() })
    }

    fn tell(&self, folder: &Path, now: DateTime<Utc>, output: &Output) {
        let KeyInfo { id, usage, algorithm, window, .. } = &self.info;
        let (kcv, file) = (self.info.shown_kcv(), path_from(folder, &self.file));
        let next = still_to_do(&self.info);
        output.say(format!(
            "Key {id} is in the configuration: {usage}, {algorithm}, check value {kcv}, block in {file}."
        ));
        next.iter().for_each(|step| output.say(format!("- {step}")));
        output.object(&json!({
            "command": "keys import", "id": id, "usage": usage, "algorithm": algorithm, "kcv": kcv,
            "protectedBy": self.protected_by, "blockFile": file, "state": window.state(now),
            "notBefore": window.not_before.map(instant), "notAfter": window.not_after.map(instant),
            "retireAt": window.retire_at.map(instant), "next": next, "exitCode": 0,
        }));
    }
}

impl ImportArguments {
    fn window(&self) -> KeyWindow {
        KeyWindow { not_before: self.not_before, not_after: self.not_after, retire_at: self.retire_at }
    }

    fn lmk(&self) -> Option<LmkKeySettings> {
        self.lmk_usage.zip(self.lmk_algorithm).map(|(usage, algorithm)| LmkKeySettings { usage, algorithm })
    }

    /// A protection key nobody can check says nothing about what it protects.
    fn check_protection(&self, known: &Config) -> Result<(), Failure> {
        let Some(name) = &self.kbpk else { return Ok(()) };
        match known.vault.kbpk.get(name) {
            Some(_) if !self.component.is_empty() => Err(refusal(format!(
                "protection key {name} is in the configuration already: leave --component out, or choose another --kbpk"
            ))),
            Some(kbpk) if kbpk.component_kcvs.is_empty() && kbpk.kcv.is_none() => Err(refusal(format!(
                "protection key {name} has no check value in the configuration: write component_kcvs and kcv of [vault.kbpk.{name}] from the protocol of its ceremony"
            ))),
            None if self.component.is_empty() => Err(refusal(format!(
                "protection key {name} is not in the configuration: correct --kbpk, or name its components with --component"
            ))),
            None if !is_bare(name) => {
                Err(refusal("--kbpk must be letters, digits, hyphens and underscores: choose another name".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// `[vault.kbpk.NAME]` where it is new, else nothing.
    fn kbpk_section(&self, folder: &Path) -> Result<String, Failure> {
        let Some(name) = self.kbpk.as_deref().filter(|_| !self.component.is_empty()) else {
            return Ok(String::new());
        };
        let absolute = |file: &String| {
            if file.starts_with(CREDENTIAL) {
                return Ok(file.clone());
            }
            std::fs::canonicalize(file)
                .map(|path| path_from(folder, &path))
                .map_err(|error| refusal(format!("component {file} cannot be read: {error}")))
        };
        let kbpk = KbpkSettings {
            component_files: self.component.iter().map(absolute).collect::<Result<_, _>>()?,
            component_kcvs: self.component_kcv.iter().map(|kcv| kcv.to_ascii_uppercase()).collect(),
            kcv: self.kbpk_kcv.as_deref().map(str::to_ascii_uppercase),
        };
        Ok(kbpk_section(name, &kbpk))
    }

    /// Where the block goes.
    fn folder(&self, known: &Config) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.into {
            return std::fs::canonicalize(folder)
                .map_err(|error| refusal(format!("{} cannot be used: {error}", folder.display())));
        }
        let is_credential = |file: &str| {
            let of_systemd =
                known.credentials_directory.as_ref().is_some_and(|folder| Path::new(file).starts_with(folder));
            of_systemd || file.starts_with(CREDENTIAL)
        };
        let mut files = known.keys.iter().rev().map(|key| key.block_file.as_str());
        let beside = files.find(|file| !is_credential(file)).and_then(|file| Path::new(file).parent());
        beside.map(Path::to_owned).ok_or_else(|| {
            refusal(
                "no key lies in a folder, all of them are systemd credentials: say with --into where the block goes"
                    .to_owned(),
            )
        })
    }
}

/// The key, once the configuration with it is valid and finds no fault that was not there before.
fn admitted(known: &Config, with_it: Result<Config, ConfigError>, given: GivenBlock<'_>) -> Result<KeyInfo, Failure> {
    let id = given.id;
    let with_it = with_it.map_err(|error| match error {
        ConfigError::Invalid { findings, .. } => {
            refusal(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        error => refusal(chain(&error)),
    })?;
    let told = |config: &Config, given| {
        let (ring, faults) = adapters::look_at_keys(config, given);
        let faults: Vec<String> = faults.into_iter().map(|(_, finding)| finding.to_string()).collect();
        (ring.info(id).cloned(), faults)
    };
    let (info, faults) = told(&with_it, Some(given));
    // What was wrong before is `check`'s to tell: a faulty zone key of one house does not keep its successor out.
    let before = told(known, None).1;
    match info {
        Some(info) if faults.iter().all(|fault| before.contains(fault)) => Ok(info),
        _ => Err(refusal(faults.join("\n"))),
    }
}

/// The block: one line, without what surrounds it.
fn block_of(path: &str) -> Result<String, Failure> {
    let unreadable = |reason: String| refusal(format!("--block {path} cannot be read: {reason}"));
    let mut text = Vec::new();
    if path == "-" {
        let read = std::io::stdin().lock().take(BLOCK_MAX + 3).read_to_end(&mut text);
        read.map_err(|error| unreadable(error.to_string()))?;
    } else {
        text = files::read_public(path).map_err(|error| refusal(chain(&error)))?;
    }
    let line = text.trim_ascii();
    if line.is_empty() || line.len() as u64 > BLOCK_MAX || !line.iter().all(u8::is_ascii_graphic) {
        return Err(unreadable("one line with a key block is expected".to_owned()));
    }
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// What a person still has to do before the key is used.
fn still_to_do(info: &KeyInfo) -> [String; 2] {
    let id = &info.id;
    let naming = match (info.usage, info.window.not_before) {
        (KeyUsage::PinEncryption, None) => format!(
            "Name {id} in pin_keys of its [[manufacturer]]: the first of the list that has no not_before is used at once. For PINs from an issuer: in set_pin_keys of its [[institution]]."
        ),
        (KeyUsage::PinEncryption, Some(from)) => format!(
            "Name {id} in pin_keys of its [[manufacturer]] beside the key of today: files are made under it from {} on. For PINs from an issuer: in set_pin_keys of its [[institution]].",
            instant(from)
        ),
        (KeyUsage::CardVerification, _) => format!(
            "Name {id} as cvv_key or cvv2_key of its products: new cards and new expiry dates take it, cards that exist keep the key they have."
        ),
        (KeyUsage::PinVerification, _) => {
            format!("Name {id} as pvv_key of its products: PINs that are issued from then on have their PVV under it.")
        }
        (KeyUsage::DataEncryption, _) => format!(
            "Name {id} as data_key in [vault], leave the old key in the configuration, and let `emboss keys rotate` seal anew what stands under the old one."
        ),
        (KeyUsage::Hmac, _) => format!(
            "Name {id} as audit_key in [vault] and leave the old key in the configuration, for its entries are verified with it. As pan_index_key only where there is no database yet: card numbers cannot be found under another key."
        ),
    };
    let then = "Run `emboss check`; restart `emboss schedule` where it stays, because it reads the configuration once.";
    [naming, then.to_owned()]
}

fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What is refused leaves everything as it was, and says so.
fn refusal(text: String) -> Failure {
    Failure::configuration(format!("{text}\nNothing was changed."))
}

fn unchanged(error: EditError) -> Failure {
    refusal(chain(&error))
}
