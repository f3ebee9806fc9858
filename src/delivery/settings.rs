//! The `[[destination]]` sections of the configuration.

use serde::Deserialize;

use crate::card::product::words;
use crate::document::Environment;

/// One `[[destination]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DestinationSettings {
    /// An SFTP server.
    Sftp(SftpSettings),
    /// A folder on this host.
    Directory(DirectorySettings),
}

/// A folder on this host, with the same guarantees.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorySettings {
    /// The name agreements use.
    pub name: String,
    /// Must equal the configuration's.
    #[serde(deserialize_with = "environment")]
    pub environment: Environment,
    /// The folder; relative to the configuration file.
    pub directory: String,
    /// Where temporary files stand; default: the same folder.
    #[serde(default)]
    pub temporary_directory: Option<String>,
    /// Mode of delivered files, octal.
    #[serde(default = "file_mode")]
    pub file_mode: String,
    /// A person's word that nobody else removes temporary files.
    #[serde(default)]
    pub rename_proves_publication: bool,
}

/// An SFTP server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftpSettings {
    /// The name agreements use.
    pub name: String,
    /// Must equal the configuration's.
    #[serde(deserialize_with = "environment")]
    pub environment: Environment,
    /// Host name or address.
    pub host: String,
    /// Port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// User.
    pub user: String,
    /// OpenSSH or PEM private key.
    pub key_file: String,
    /// Passphrase of that key.
    #[serde(default)]
    pub passphrase_file: Option<String>,
    /// One or two pinned host keys, `SHA256:...` as ssh-keygen prints them.
    pub host_keys: Vec<String>,
    /// Folder files are published in.
    pub directory: String,
    /// Where temporary files stand, same file system; default: the same folder.
    #[serde(default)]
    pub temporary_directory: Option<String>,
    /// What the server lets us see.
    #[serde(default)]
    pub profile: Profile,
    /// A person's word after a trial with the house; also that the house sweeps no temporary files.
    #[serde(default)]
    pub rename_proves_publication: bool,
    /// Mode of delivered files, octal.
    #[serde(default = "file_mode")]
    pub file_mode: String,
    /// Until the handshake is done.
    #[serde(default = "twenty")]
    pub connect_timeout_s: u64,
    /// Without a byte moving.
    #[serde(default = "sixty")]
    pub inactivity_timeout_s: u64,
    /// Tries per file and night.
    #[serde(default = "eight")]
    pub attempts: u32,
    /// Pauses between them.
    #[serde(default)]
    pub backoff_s: Backoff,
}

words!(
    /// What a server lets us see.
    #[derive(Default)]
    Profile {
        /// Stat works.
        #[default]
        Normal = "normal",
        /// Stat is denied.
        WriteOnly = "write-only",
    }
);

/// `backoff_s`: the first pause, doubled up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// Seconds before the second try.
    pub first: u64,
    /// Longest pause in seconds.
    pub max: u64,
}

impl Backoff {
    /// Most seconds that the pauses between so many tries take, each with up to half of it again as jitter.
    pub fn pauses_s(self, attempts: u32) -> u64 {
        let pauses = std::iter::successors(Some(self.first), |pause| Some(pause.saturating_mul(2)));
        let tries = pauses.map(|pause| pause.min(self.max)).take(attempts.saturating_sub(1) as usize);
        let sum = tries.fold(0, u64::saturating_add);
        sum.saturating_add(sum / 2)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: 5, max: 300 }
    }
}

impl DestinationSettings {
    /// The name agreements use.
    pub fn name(&self) -> &str {
        match self {
            Self::Sftp(sftp) => &sftp.name,
            Self::Directory(directory) => &directory.name,
        }
    }

    /// LIVE or TEST.
    pub fn environment(&self) -> Environment {
        match self {
            Self::Sftp(sftp) => sftp.environment,
            Self::Directory(directory) => directory.environment,
        }
    }
}

impl DestinationSettings {
    /// A person's word that "no such file" at a repeated rename proves publication.
    pub fn rename_proves_publication(&self) -> bool {
        match self {
            Self::Sftp(sftp) => sftp.rename_proves_publication,
            Self::Directory(directory) => directory.rename_proves_publication,
        }
    }

    /// `file_mode`, as written.
    pub fn file_mode(&self) -> &str {
        match self {
            Self::Sftp(sftp) => &sftp.file_mode,
            Self::Directory(directory) => &directory.file_mode,
        }
    }

    /// The same destination with its two folders as a probe looks at them.
    pub fn seen(&self, view: View) -> Self {
        let mut settings = self.clone();
        let (directory, temporary) = match &mut settings {
            Self::Sftp(sftp) => (&mut sftp.directory, &mut sftp.temporary_directory),
            Self::Directory(folder) => (&mut folder.directory, &mut folder.temporary_directory),
        };
        match view {
            View::Configured => {}
            View::TemporaryFolder => *directory = temporary.take().unwrap_or_else(|| directory.clone()),
            View::FinalFolder => *temporary = None,
        }
        settings
    }
}

/// Which of a destination's folders a connection works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Temporary names in the one, final names in the other, as configured.
    Configured,
    /// Both in the folder of temporary names, where no house looks.
    TemporaryFolder,
    /// Both in the folder of final names.
    FinalFolder,
}

fn environment<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Environment, D::Error> {
    match String::deserialize(from)?.as_str() {
        "live" => Ok(Environment::Live),
        "test" => Ok(Environment::Test),
        _ => Err(serde::de::Error::custom("must be live or test")),
    }
}

fn file_mode() -> String {
    "0640".to_owned()
}

fn ssh_port() -> u16 {
    22
}

fn twenty() -> u64 {
    20
}

fn sixty() -> u64 {
    60
}

fn eight() -> u32 {
    8
}
