//! The configuration: every section in one value, valid as a whole.
//!
//! Invariants: a [`Config`] exists only without findings, so that nothing starts on a faulty one; its paths are
//! absolute, except credentials that nobody provides; it holds names of key files, never a key.
//!
//! Each edge owns the settings it understands, and this module composes them: it sits above the edges, so that no
//! edge needs to know the others. Loading opens no other file. What only an opened file can tell (a key's usage, a
//! certificate's expiry) is found in [`adapters`], and stops only what depends on it.

pub mod adapters;
mod agreements;
pub mod database;
mod destinations;
pub mod edit;
pub mod files;
mod finding;
mod institutions;
pub mod intake;
mod key_places;
mod keys;
pub mod log;
mod manufacturers;
pub mod paths;
pub mod payshield;
mod products;
pub mod run;
pub mod schedule;
#[cfg(test)]
mod tests;
pub mod warnings;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::agreement::{Agreement, Institution, Manufacturer, Product};
use crate::card::masking::mask;
use crate::card::{InstitutionId, ManufacturerCode};
use crate::delivery::settings::DestinationSettings;
use crate::document::Environment;
use crate::seal::settings::SignerSettings;
use crate::store::settings::DatabaseSettings;
use crate::vault::settings::{KeySettings, VaultSettings};

use finding::on_one_line;

pub use finding::Finding;
pub use intake::{IntakeSettings, JweSettings};
pub use key_places::KeyPlace;
pub use log::{LogFormat, LogLevel, LogSettings};
pub use run::RunSettings;
pub use schedule::ScheduleSettings;
pub use warnings::WarningSettings;

/// A whole configuration without faults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether the cards are for production; every destination in use says the same.
    #[serde(deserialize_with = "environment")]
    pub environment: Environment,
    /// `[database]`.
    pub database: DatabaseSettings,
    /// `[run]`.
    #[serde(default)]
    pub run: RunSettings,
    /// `[schedule]`.
    #[serde(default)]
    pub schedule: ScheduleSettings,
    /// `[log]`.
    #[serde(default)]
    pub log: LogSettings,
    /// `[warnings]`.
    #[serde(default)]
    pub warnings: WarningSettings,
    /// `[intake]`.
    #[serde(default)]
    pub intake: IntakeSettings,
    /// `[vault]`.
    pub vault: VaultSettings,
    /// `[[key]]`.
    #[serde(default, rename = "key")]
    pub keys: Vec<KeySettings>,
    /// `[signer]`.
    pub signer: SignerSettings,
    /// `[[institution]]`.
    #[serde(default, rename = "institution")]
    pub institutions: Vec<Institution>,
    /// `[[product]]`.
    #[serde(default, rename = "product")]
    pub products: Vec<Product>,
    /// `[[manufacturer]]`.
    #[serde(default, rename = "manufacturer")]
    pub manufacturers: Vec<Manufacturer>,
    /// `[[agreement]]`.
    #[serde(default, rename = "agreement")]
    pub agreements: Vec<Agreement>,
    /// `[[destination]]`.
    #[serde(default, rename = "destination")]
    pub destinations: Vec<DestinationSettings>,
    /// Where `credential:NAME` leads, if anywhere: argument of [`Config::load`].
    #[serde(skip)]
    pub credentials_directory: Option<PathBuf>,
}

/// Why there is no configuration (exit 2).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "the configuration {path} cannot be read: name an existing file with --config, or make one with `emboss init`"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{path}, line {line}, column {column}: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// It can be read, and says what cannot be.
    #[error("{path} has {} {}:\n{}", findings.len(), if findings.len() == 1 { "fault" } else { "faults" }, list(findings))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Every fault, in the order of the sections.
        findings: Vec<Finding>,
    },
}

fn list(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(|finding| format!("- {finding}")).collect();
    lines.join("\n")
}

impl Config {
    /// Reads and validates `path`. `credentials_directory` is what `credential:NAME` means, systemd's
    /// `$CREDENTIALS_DIRECTORY`; without it such files are refused when they are opened.
    ///
    /// # Errors
    /// [`ConfigError`], with every finding at once where the file can be read.
    pub fn load(path: &Path, credentials_directory: Option<&Path>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path, credentials_directory)
    }

    /// As [`Config::load`], of a text that stands in `path`, or is about to.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path, credentials_directory: Option<&Path>) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let file = std::path::absolute(path).map_err(unreadable)?;
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = place(text, error.span().map_or(0, |span| span.start));
            let reason = mask(&on_one_line(without_values(error.message())));
            ConfigError::Syntax { path: path.to_owned(), line, column, reason }
        })?;
        paths::resolve(&mut config, file.parent().unwrap_or(Path::new("/")), credentials_directory);
        config.credentials_directory = credentials_directory.map(Path::to_owned);
        let findings = config.validate();
        if findings.is_empty() { Ok(config) } else { Err(ConfigError::Invalid { path: path.to_owned(), findings }) }
    }

    /// Everything that is wrong, in the order of the sections.
    pub fn validate(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        database::validate(&self.database, &mut found);
        self.run.validate(&mut found);
        self.schedule.validate(&mut found);
        self.warnings.validate(&mut found);
        self.intake.validate(&mut found);
        keys::validate(self, &mut found);
        payshield::validate(self, &mut found);
        institutions::validate(self, &mut found);
        products::validate(self, &mut found);
        manufacturers::validate(self, &mut found);
        agreements::validate(self, &mut found);
        destinations::validate(self, &mut found);
        found
    }

    /// The institution of that id.
    pub fn institution(&self, id: &InstitutionId) -> Option<&Institution> {
        self.institutions.iter().find(|institution| institution.id == *id)
    }

    /// The product of that institution and code.
    pub fn product(&self, institution: &InstitutionId, code: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.institution == *institution && product.code == code)
    }

    /// The house of that code, active or not.
    pub fn manufacturer(&self, code: &ManufacturerCode) -> Option<&Manufacturer> {
        self.manufacturers.iter().find(|manufacturer| manufacturer.code == *code)
    }

    /// The agreement between the two, whether or not the house is active.
    pub fn agreement(&self, institution: &InstitutionId, manufacturer: &ManufacturerCode) -> Option<&Agreement> {
        self.agreements
            .iter()
            .find(|agreement| agreement.institution == *institution && agreement.manufacturer == *manufacturer)
    }

    /// The `[[key]]` of that id.
    pub fn key(&self, id: &str) -> Option<&KeySettings> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The `[[destination]]` of that name.
    pub fn destination(&self, name: &str) -> Option<&DestinationSettings> {
        self.destinations.iter().find(|destination| destination.name() == name)
    }

    /// Where an agreement's files go: its own destination, else the house's.
    pub fn destination_of(&self, agreement: &Agreement) -> Option<&DestinationSettings> {
        let of_house = || self.manufacturer(&agreement.manufacturer).map(|manufacturer| &*manufacturer.destination);
        self.destination(agreement.destination.as_deref().or_else(of_house)?)
    }
}

/// Line and column of a byte of `text`, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// A fault without the text that stands there: it may be a secret that somebody wrote in place of its file.
fn without_values(reason: &str) -> String {
    match reason.split_once(": string \"").map(|(what, rest)| (what, rest.rsplit_once("\", expected "))) {
        Some((what, Some((_, expected)))) => format!("{what}: string, expected {expected}"),
        Some((what, None)) => what.to_owned(),
        None => reason.to_owned(),
    }
}

fn environment<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Environment, D::Error> {
    match String::deserialize(from)?.as_str() {
        "live" => Ok(Environment::Live),
        "test" => Ok(Environment::Test),
        _ => Err(serde::de::Error::custom("environment must be live or test")),
    }
}
