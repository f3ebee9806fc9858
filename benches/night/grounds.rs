//! What a night needs around it: a database server, a house's server, and a place for files.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use emboss::delivery::settings::SftpSettings;
use tempfile::TempDir;

use crate::Outcome;
use crate::cluster::Server;
use crate::configured::Settings;
use crate::options::{Database, Destination, Options};
use crate::support::proxy::{Line, Proxy};
use crate::support::sshd::Sshd;

/// The servers run until this is dropped.
#[derive(Debug)]
pub(crate) struct Grounds {
    // In this order: the servers end before their files go.
    pub(crate) cluster: Option<Server>,
    pub(crate) house: Option<House>,
    /// Where installations stand.
    pub(crate) folder: PathBuf,
    _temporary: Option<TempDir>,
}

/// An embossing house's server, perhaps at the end of a long line.
#[derive(Debug)]
pub(crate) struct House {
    sshd: Sshd,
    line: Option<Proxy>,
}

impl Grounds {
    /// Starts what the options ask for.
    pub(crate) fn open(options: &Options) -> Outcome<Self> {
        let temporary = if options.keep.is_some() { None } else { Some(tempfile::tempdir()?) };
        let folder = match (&options.keep, &temporary) {
            (Some(kept), _) => kept.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => return Err("no folder".into()),
        };
        fs::create_dir_all(&folder)?;
        let folder = fs::canonicalize(folder)?;
        let cluster = match options.database {
            Database::Postgres => Some(Server::start(options.statements)?),
            Database::Sqlite => None,
        };
        let house = match options.destination {
            Destination::Sshd => Some(House::start(options.latency_ms)),
            Destination::Directory => None,
        };
        Ok(Self { cluster, house, folder, _temporary: temporary })
    }

    /// The database server's processor time so far, in seconds.
    pub(crate) fn database_processor_s(&self) -> Option<f64> {
        self.cluster.as_ref().and_then(Server::processor_s)
    }

    /// Makes an installation deliver to these servers and work in this database of theirs.
    pub(crate) fn settle_in(&self, installation: &Path, database: &str) -> Outcome<()> {
        let mut settings = Settings::read(installation)?;
        if let Some(cluster) = &self.cluster {
            settings.set_database(&cluster.url(database), &cluster.password_file());
        }
        if let Some(house) = &self.house {
            let key = installation.join("keys/sftp");
            house.write_key(&key)?;
            settings.set_destination(&house.settings(database)?, &key)?;
        }
        settings.write(installation)
    }
}

impl House {
    fn start(latency_ms: u64) -> Self {
        let sshd = Sshd::start();
        let line = match latency_ms {
            0 => None,
            _ => Some(Proxy::over(sshd.port(), Line::slow(Duration::from_millis(latency_ms) / 2, Duration::ZERO))),
        };
        Self { sshd, line }
    }

    /// How to get there, to a folder of its own that is made where it is not there.
    pub(crate) fn settings(&self, folder: &str) -> Outcome<SftpSettings> {
        let directory = self.sshd.incoming().join(folder);
        fs::create_dir_all(&directory)?;
        let port = self.line.as_ref().map_or(self.sshd.port(), Proxy::port);
        Ok(SftpSettings { port, directory: directory.display().to_string(), ..self.sshd.settings() })
    }

    /// The private key that opens it, as a file.
    pub(crate) fn write_key(&self, path: &Path) -> Outcome<()> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(std::io::Write::write_all(&mut file, self.sshd.secrets().private_key.as_bytes())?)
    }

    /// The same in memory.
    pub(crate) fn secrets(&self) -> emboss::delivery::DestinationSecrets {
        self.sshd.secrets()
    }
}
