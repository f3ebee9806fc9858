//! The configuration of a trial installation, changed into the benchmark's: more institutions, other servers.

use std::fs;
use std::path::{Path, PathBuf};

use emboss::delivery::settings::SftpSettings;
use toml::{Table, Value};

use crate::Outcome;

/// The first institution's id; the others follow.
const FIRST_INSTITUTION: u64 = 246_001;
/// The one product that the benchmark issues.
const PRODUCT: &str = "VISA_CARD";

/// The institution of a card, person or account of this number: they take turns.
pub(crate) fn institution_of(number: u64, institutions: u64) -> String {
    institution(number % institutions)
}

fn institution(place: u64) -> String {
    (FIRST_INSTITUTION + place).to_string()
}

/// Where an institution's card numbers begin; the first one's is the trial's own.
pub(crate) fn pan_prefix(number: u64, institutions: u64) -> String {
    format!("4000{:04}", 12 + number % institutions)
}

/// A configuration as a tree.
#[derive(Debug)]
pub(crate) struct Settings(Table);

impl Settings {
    pub(crate) fn read(installation: &Path) -> Outcome<Self> {
        Ok(Self(fs::read_to_string(path(installation))?.parse()?))
    }

    pub(crate) fn write(&self, installation: &Path) -> Outcome<()> {
        Ok(fs::write(path(installation), self.0.to_string())?)
    }

    /// So many institutions, each with the product and with an agreement with the one house.
    pub(crate) fn set_institutions(&mut self, institutions: u64) -> Outcome<()> {
        let mut all = [Vec::new(), Vec::new(), Vec::new()];
        for place in 0..institutions {
            let id = Value::from(institution(place));
            let mut issuer = self.template("institution", |_| true)?;
            issuer.insert("id".to_owned(), id.clone());
            let mut product = self.template("product", |product| product["code"].as_str() == Some(PRODUCT))?;
            product.insert("institution".to_owned(), id.clone());
            product.insert("pan_prefixes".to_owned(), vec![pan_prefix(place, institutions)].into());
            let mut agreement = self.template("agreement", |_| true)?;
            agreement.insert("institution".to_owned(), id);
            [issuer, product, agreement].into_iter().zip(&mut all).for_each(|(one, all)| all.push(Value::Table(one)));
        }
        for (section, tables) in ["institution", "product", "agreement"].into_iter().zip(all) {
            self.0.insert(section.to_owned(), Value::Array(tables));
        }
        Ok(())
    }

    /// The first of a section's tables that fits.
    fn template(&self, section: &str, fits: impl Fn(&Table) -> bool) -> Outcome<Table> {
        let tables = self.0.get(section).and_then(Value::as_array).into_iter().flatten();
        let found = tables.filter_map(Value::as_table).find(|table| fits(table));
        Ok(found
            .ok_or_else(|| format!("the trial configuration no longer has the {section} that is looked for"))?
            .clone())
    }

    /// Format and version of every agreement's files.
    pub(crate) fn set_format(&mut self, format: &str, version: u8) {
        for agreement in self.0.get_mut("agreement").and_then(Value::as_array_mut).into_iter().flatten() {
            agreement["format"] = Value::from(format);
            agreement["version"] = Value::from(i64::from(version));
        }
    }

    /// A database on a server.
    pub(crate) fn set_database(&mut self, url: &str, password_file: &str) {
        let keys = [("url", url), ("password_file", password_file)];
        let section = keys.map(|(key, text)| (key.to_owned(), Value::from(text)));
        self.0.insert("database".to_owned(), Value::Table(section.into_iter().collect()));
    }

    /// The one destination becomes a server that `key` opens.
    pub(crate) fn set_destination(&mut self, server: &SftpSettings, key: &Path) -> Outcome<()> {
        let name = self.template("destination", |_| true)?["name"].clone();
        let mut table = Table::new();
        let text = |text: &str| Value::from(text);
        table.insert("name".to_owned(), name);
        table.insert("kind".to_owned(), text("sftp"));
        table.insert("environment".to_owned(), text("test"));
        table.insert("host".to_owned(), text(&server.host));
        table.insert("port".to_owned(), Value::from(i64::from(server.port)));
        table.insert("user".to_owned(), text(&server.user));
        table.insert("key_file".to_owned(), text(&key.display().to_string()));
        table.insert("host_keys".to_owned(), server.host_keys.clone().into());
        table.insert("directory".to_owned(), text(&server.directory));
        self.0.insert("destination".to_owned(), Value::Array(vec![Value::Table(table)]));
        Ok(())
    }

    /// Fingerprints of our OpenPGP key and of the house's.
    pub(crate) fn fingerprints(&self) -> Outcome<(String, String)> {
        let house = self.template("manufacturer", |_| true)?;
        let recipient = house["recipients"][0]["fingerprint"].as_str().ok_or("no recipient")?.to_owned();
        let signer = self.0["signer"]["fingerprint"].as_str().ok_or("no signer")?.to_owned();
        Ok((signer, recipient))
    }

    /// The folder files arrive in.
    pub(crate) fn delivered(&self, installation: &Path) -> Outcome<PathBuf> {
        let destination = self.template("destination", |_| true)?;
        Ok(installation.join(destination["directory"].as_str().ok_or("no directory")?))
    }
}

fn path(installation: &Path) -> PathBuf {
    installation.join("emboss.toml")
}
