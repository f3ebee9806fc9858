//! A first trial: an installation of its own in a folder, with keys made on the spot, for `init` and `demo`.
//!
//! Nothing here touches anything outside its folder, and the keys never leave it.

pub mod demo;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::ambient::Random;
use crate::seal::{GeneratedKey, SealError, generate_key};
use crate::vault::key_set::{KeySet, make_test_keys};
use crate::vault::keys::KeyAlgorithm;
use crate::vault::tr31::Tr31Error;

/// The commented configuration, with places for what is made on the spot.
const TEMPLATE: &str = include_str!("emboss.toml");

/// Why an installation could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The folder holds something already.
    #[error("{0} is not empty. Name an empty folder or one that does not exist yet")]
    NotEmpty(PathBuf),
    /// A file or folder cannot be made.
    #[error("{path} cannot be made")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key cannot be made.
    #[error("an OpenPGP key cannot be made")]
    OpenPgp(#[from] SealError),
    /// A card key cannot be made.
    #[error("a card key cannot be made")]
    CardKey(#[from] Tr31Error),
}

/// What was laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The folder.
    pub folder: PathBuf,
}

impl Installation {
    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("emboss.toml")
    }

    /// The house's secret key, here because the house is us.
    pub fn house_key(&self) -> PathBuf {
        self.folder.join("keys/factory-x.key")
    }

    /// Our certificate, which the house checks signatures against.
    pub fn signer_certificate(&self) -> PathBuf {
        self.folder.join("keys/signer.asc")
    }

    /// Where files are delivered.
    pub fn delivered(&self) -> PathBuf {
        self.folder.join("out")
    }
}

/// Lays an installation out in `folder`, which must be empty or absent. `at` is the keys' creation time.
///
/// # Errors
/// [`TrialError`].
pub fn lay_out(folder: &Path, random: &Random, at: DateTime<Utc>) -> Result<Installation, TrialError> {
    make_empty(folder)?;
    for name in ["keys", "out"] {
        make_folder(&folder.join(name))?;
    }
    let keys = make_test_keys(random, &[("zpk-x-1", KeyAlgorithm::Tdes2Key), ("zpk-bank-1", KeyAlgorithm::Tdes3Key)])?;
    let signer = generate_key("Example Bank embossing <embossing@bank.example>", at)?;
    let house = generate_key("Factory X <incoming@factory-x.example>", at)?;
    for (number, component) in keys.components.iter().enumerate() {
        write_private(&folder.join(format!("keys/kbpk-{}.hex", number + 1)), component.as_bytes())?;
    }
    for key in &keys.keys {
        write_private(&folder.join(format!("keys/{}.tr31", key.id)), key.block.as_bytes())?;
    }
    write_private(&folder.join("keys/signer.key"), &signer.secret_key)?;
    write_private(&folder.join("keys/signer.asc"), &signer.certificate)?;
    write_private(&folder.join("keys/factory-x.key"), &house.secret_key)?;
    write_private(&folder.join("keys/factory-x.asc"), &house.certificate)?;
    write_private(&folder.join("emboss.toml"), config(&keys, &signer, &house).as_bytes())?;
    Ok(Installation { folder: folder.to_owned() })
}

fn config(keys: &KeySet, signer: &GeneratedKey, house: &GeneratedKey) -> String {
    let mut sections = String::new();
    for key in &keys.keys {
        sections.push_str(&format!(
            "[[key]]\nid = \"{id}\"\nblock_file = \"keys/{id}.tr31\"\nkbpk = \"main\"\nkcv = \"{kcv}\"\n",
            id = key.id,
            kcv = key.kcv
        ));
    }
    TEMPLATE
        .replace("{kbpk_kcv_1}", &keys.component_kcvs[0])
        .replace("{kbpk_kcv_2}", &keys.component_kcvs[1])
        .replace("{kbpk_kcv}", &keys.kcv)
        .replace("{keys}", &sections)
        .replace("{signer_fingerprint}", &signer.fingerprint)
        .replace("{recipient_fingerprint}", &house.fingerprint)
}

fn make_empty(folder: &Path) -> Result<(), TrialError> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(TrialError::NotEmpty(folder.to_owned())),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(folder),
        Err(source) => Err(TrialError::File { path: folder.to_owned(), source }),
    }
}

fn make_folder(path: &Path) -> Result<(), TrialError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| TrialError::File { path: path.to_owned(), source })
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), TrialError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(|source| TrialError::File { path: path.to_owned(), source })
}
