//! An embossing house's drop box: a real SFTP server or a folder, and a sealed file to send to it.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use emboss::card::FileId;
use emboss::delivery::probe::{Probed, probe};
use emboss::delivery::settings::{DestinationSettings, DirectorySettings, View};
use emboss::delivery::{
    DeliveryError, DestinationSecrets, Identity, Outcome, Place, Remote, RenameOrder, Seen, Step, Uploaded, connect,
    rename, upload,
};
use emboss::document::Environment;
use emboss::spool::{SealedFile, Spool};

use super::sshd::{Options, Sshd};

/// Its final name in every test.
pub const NAME: &str = "TST_246001_FACTORY_X_2_000001_20260302030000.xml.pgp";

/// What the names of a probe begin with in every test.
pub const TEST_NAMES: &str = "agreed-test";

/// Longest upload in tests.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A destination and what stands behind it.
#[derive(Debug)]
pub struct House {
    /// How to get there.
    pub settings: DestinationSettings,
    /// With which key.
    pub secrets: DestinationSecrets,
    /// The folder of final names, seen from inside.
    pub incoming: PathBuf,
    /// Its server, if it has one.
    pub sshd: Option<Sshd>,
    /// Its folder, if it is one on this host.
    pub folder: Option<tempfile::TempDir>,
}

impl House {
    /// One of each kind: the delivery contract holds for all.
    pub fn of_every_kind() -> [Self; 2] {
        [Self::sftp(Options::default()), Self::directory()]
    }

    /// An SFTP server.
    pub fn sftp(options: Options) -> Self {
        let sshd = Sshd::with(options);
        let (settings, secrets, incoming) = (sshd.destination(), sshd.secrets(), sshd.incoming());
        Self { settings, secrets, incoming, sshd: Some(sshd), folder: None }
    }

    /// A folder on this host.
    pub fn directory() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let incoming = folder.path().join("incoming");
        std::fs::create_dir(&incoming).expect("a folder");
        let settings = DestinationSettings::Directory(DirectorySettings {
            name: "factory-x".to_owned(),
            environment: Environment::Test,
            directory: incoming.display().to_string(),
            temporary_directory: None,
            file_mode: "0640".to_owned(),
            rename_proves_publication: false,
        });
        Self { settings, secrets: DestinationSecrets::default(), incoming, sshd: None, folder: Some(folder) }
    }

    /// The same destination once more; what stands behind it ends with the first one.
    pub fn seen_again(&self) -> Self {
        let (settings, secrets, incoming) = (self.settings.clone(), self.secrets.clone(), self.incoming.clone());
        Self { settings, secrets, incoming, sshd: None, folder: None }
    }

    /// Publishes in another folder beside `incoming`, which stays that of temporary names.
    pub fn publish_in(&mut self, folder: &str) -> PathBuf {
        let (temporary, published) = (self.incoming.clone(), self.incoming.with_file_name(folder));
        let (directory, temporary_directory) = match &mut self.settings {
            DestinationSettings::Sftp(sftp) => (&mut sftp.directory, &mut sftp.temporary_directory),
            DestinationSettings::Directory(own) => (&mut own.directory, &mut own.temporary_directory),
        };
        *directory = published.display().to_string();
        *temporary_directory = Some(temporary.display().to_string());
        published
    }

    /// A new connection.
    pub fn connect(&self) -> Box<dyn Remote> {
        connect(&self.settings, &self.secrets).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A probe of it; `around` may change a connection.
    pub fn probe(&self, mut around: impl FnMut(View, Box<dyn Remote>) -> Box<dyn Remote>) -> Probed {
        probe(&mut |view| Ok(around(view, connect(&self.settings.seen(view), &self.secrets)?)), TEST_NAMES)
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.incoming).expect("listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Uploads attempt 1.
    pub fn uploaded(&self, sealed: &Sealed) -> Box<dyn Remote> {
        let mut remote = self.connect();
        send(&mut *remote, sealed, 1).unwrap_or_else(|error| panic!("{error}"));
        remote
    }
}

/// The temporary name of an attempt.
pub fn temporary(attempt: u32) -> String {
    format!("{NAME}.{attempt}.part")
}

/// Uploads under an attempt's name, after removing the attempts before it.
pub fn send(remote: &mut dyn Remote, sealed: &Sealed, attempt: u32) -> Result<Uploaded, DeliveryError> {
    let older: Vec<String> = (1..attempt).map(temporary).collect();
    upload(remote, &sealed.file, &temporary(attempt), &older, DEADLINE, &mut |_| ControlFlow::Continue(()))
}

/// The n-th rename of attempt 1.
pub fn order(sealed: &Sealed, n: u32) -> RenameOrder<'static> {
    RenameOrder {
        temporary_name: Box::leak(temporary(1).into_boxed_str()),
        final_name: NAME,
        size_bytes: sealed.file.size_bytes(),
        rename_attempt: n,
        proves_publication: false,
        same_identity: true,
    }
}

/// Renames attempt 1.
pub fn publish(remote: &mut dyn Remote, sealed: &Sealed, n: u32) -> Outcome {
    rename(remote, &order(sealed, n))
}

/// A sealed file in a spool of its own.
#[derive(Debug)]
pub struct Sealed {
    /// The file.
    pub file: SealedFile,
    /// Its bytes.
    pub bytes: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Sealed {
    /// Of this length; the content is no OpenPGP, which delivery does not look into.
    pub fn of(size: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spool = Spool::open(folder.path().join("spool"), "marker").expect("a spool");
        let file_id: FileId = "3b1f6c1e-8a52-4f0e-9c6d-0d9a4a5b6c7d".parse().expect("an id");
        let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n * 31 % 251).expect("a byte")).collect();
        let mut draft = spool.create(file_id, 1).expect("a draft");
        draft.write_all(&bytes).expect("written");
        Self { file: draft.commit().expect("committed"), bytes, _folder: folder }
    }
}

/// What of a rename is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loses {
    /// It does not arrive.
    Request,
    /// It is done, the answer does not arrive.
    Answer,
    /// What stood under the final name: it overwrites.
    TakenName,
    /// The refusal: it says yes whatever happened.
    Refusal,
}

/// A real destination whose rename is not what it should be.
#[derive(Debug)]
pub struct Lossy {
    /// The real one.
    pub inner: Box<dyn Remote>,
    /// Which half.
    pub loses: Loses,
}

impl Remote for Lossy {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }
    fn path(&self, place: Place<'_>) -> String {
        self.inner.path(place)
    }
    fn stat(&mut self, place: Place<'_>) -> Result<Seen, DeliveryError> {
        self.inner.stat(place)
    }
    fn allow(&mut self, deadline: Duration) {
        self.inner.allow(deadline);
    }
    fn create(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.inner.create(temporary_name)
    }
    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        self.inner.write(bytes)
    }
    fn close(&mut self) -> Result<(), DeliveryError> {
        self.inner.close()
    }
    fn set_mode(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.inner.set_mode(temporary_name)
    }
    fn rename(&mut self, temporary_name: &str, final_name: &str) -> Result<(), DeliveryError> {
        match self.loses {
            Loses::Request => {}
            Loses::Answer => self.inner.rename(temporary_name, final_name)?,
            Loses::TakenName => {
                // Seen from inside, as the folder's server would do it.
                drop(std::fs::remove_file(self.inner.path(Place::Final(final_name))));
                return self.inner.rename(temporary_name, final_name);
            }
            Loses::Refusal => {
                drop(self.inner.rename(temporary_name, final_name));
                return Ok(());
            }
        }
        self.inner.cut();
        Err(DeliveryError::Lost {
            destination: self.inner.name().to_owned(),
            step: Step::Rename,
            subject: final_name.to_owned(),
            reason: "the connection broke".to_owned(),
        })
    }
    fn unlink(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.inner.unlink(temporary_name)
    }
    fn mode(&mut self, temporary_name: &str) -> Result<Option<u32>, DeliveryError> {
        self.inner.mode(temporary_name)
    }
    fn free_bytes(&mut self) -> Result<Option<u64>, DeliveryError> {
        self.inner.free_bytes()
    }
    fn cut(&mut self) {
        self.inner.cut();
    }
}
