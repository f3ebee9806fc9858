//! An installation of the real program: configuration, database, orders taken, and a real `sshd` as the house's server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use emboss::config::Config;
use emboss::fault::ORDER;
use rustix::process::Signal;
use serde_json::Value;

use crate::books::Books;
use crate::house::{House, names};
use crate::orders::{DATE, PRODUCED, orders};
use crate::process::Running;
use crate::support::fixtures::{copy_keys, folder, make_folder};
use crate::support::postgres::{self, Cluster};
use crate::support::sshd::{Options, Sshd};
use crate::support::trial::{Outcome, emboss, started};

/// Where the books are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// One server for all tests of this process; it ends with it.
fn cluster() -> &'static Arc<Cluster> {
    static CLUSTER: OnceLock<Arc<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::shared)
}

/// A copy of a database.
#[derive(Debug)]
pub(crate) enum Backup {
    /// Its files, by name; those that were not there are none.
    Sqlite([(&'static str, Option<Vec<u8>>); 2]),
    /// What `pg_dump` wrote.
    Postgres(Vec<u8>),
}

/// Where a test's databases are.
#[derive(Debug, Clone)]
pub(crate) struct Servers(Option<Arc<Cluster>>);

impl Servers {
    /// The server that all tests share.
    pub(crate) fn shared(database: Database) -> Self {
        Self((database == Database::Postgres).then(|| Arc::clone(cluster())))
    }

    /// A server of the test's own, which it may stop.
    pub(crate) fn own(database: Database) -> Self {
        Self((database == Database::Postgres).then(|| Cluster::start_with(&[])))
    }

    /// A new, empty database; none where it is a file of the installation.
    pub(crate) fn make(&self) -> Option<postgres::Database> {
        self.0.as_ref().map(Cluster::database)
    }

    /// What they are.
    pub(crate) fn database(&self) -> Database {
        if self.0.is_some() { Database::Postgres } else { Database::Sqlite }
    }
}

/// What is special about an installation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Special {
    /// Arguments of the house's SFTP server.
    pub(crate) sftp: &'static str,
    /// `profile = "write-only"`.
    pub(crate) write_only: bool,
    /// `rename_proves_publication`.
    pub(crate) rename_proves_publication: bool,
    /// More cards, and no compression: a file that takes more than one write.
    pub(crate) crowd: u32,
}

/// The installation.
#[derive(Debug)]
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) sshd: Sshd,
    pub(crate) house: House,
    pub(crate) database: Database,
    server: Option<postgres::Database>,
    /// How many records its file must have.
    pub(crate) due: u64,
}

impl Site {
    /// A house with the normal profile.
    pub(crate) fn new(database: Database) -> Self {
        Self::with(database, Special::default())
    }

    pub(crate) fn with(database: Database, special: Special) -> Self {
        Self::on(&Servers::shared(database), special)
    }

    /// One whose database is on this server.
    pub(crate) fn on(servers: &Servers, special: Special) -> Self {
        let folder = tempfile::Builder::new().prefix("faults").tempdir().expect("a temporary folder");
        let sshd = Sshd::with(Options { sftp: special.sftp, ..Options::default() });
        let house = House::at(sshd.incoming());
        let due = PRODUCED.len() as u64 + u64::from(special.crowd);
        let (database, server) = (servers.database(), servers.make());
        let site = Self { folder, sshd, house, database, server, due };
        copy_keys(&site.path("keys"));
        make_folder(&site.path("spool"));
        fs::write(site.path("keys/sftp.key"), site.sshd.secrets().private_key.as_bytes()).expect("written");
        fs::set_permissions(site.path("keys/sftp.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("set");
        fs::write(site.path("emboss.toml"), site.configuration(special)).expect("written");
        Outcome::fed(&mut site.emboss(&["import", "-"]), orders(special.crowd).as_bytes()).exits(0);
        site
    }

    /// The configuration of the first fixture, with another product and another destination.
    fn configuration(&self, special: Special) -> String {
        let text = fs::read_to_string(folder().join("a-first-night/emboss.toml")).expect("read");
        let (text, _) = text.split_once("[[destination]]").expect("a destination");
        // A PIN block format with a fill: two tries at composing must give the same one.
        let text = text.replace("\"ISO_0\"", "\"ISO_3\"");
        let mut text = text.replace("destination = \"local\"", "destination = \"factory-x\"");
        if let Some(server) = &self.server {
            let (url, password) = (server.url(), server.password_file());
            text = text.replace("\"sqlite:emboss.db\"", &format!("{url:?}\npassword_file = {password:?}"));
        }
        if special.crowd > 0 {
            text = text.replace("include_phone = true", "include_phone = true\ncompression = \"none\"");
        }
        let settings = self.sshd.settings();
        format!(
            "{text}
[[destination]]
name = \"factory-x\"
kind = \"sftp\"
environment = \"test\"
host = \"{}\"
port = {}
user = \"{}\"
key_file = \"keys/sftp.key\"
host_keys = {:?}
directory = \"{}\"
profile = \"{}\"
rename_proves_publication = {}
attempts = 2
backoff_s = {{ first = 1, max = 1 }}

[[product]]
institution = \"246001\"
code = \"VISA_NO_PIN\"
scheme = \"VISA\"
form = \"physical\"
pan_prefixes = [\"40000023\"]
months = 36
service_code = \"201\"
cvv_key = \"cvk-1\"
cvv2_key = \"cvk2-1\"
stripe = {{ track1 = \"00000{{cvv}}\", track2 = \"00000{{cvv}}\" }}
",
            settings.host,
            settings.port,
            settings.user,
            settings.host_keys,
            settings.directory,
            if special.write_only { "write-only" } else { "normal" },
            special.rename_proves_publication,
        )
    }

    /// A path of the installation.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, with this installation's configuration.
    pub(crate) fn emboss(&self, arguments: &[&str]) -> Command {
        let mut command = emboss();
        command.arg("--config").arg(self.path("emboss.toml")).args(arguments).env_remove(ORDER);
        command
    }

    /// Starts the night, with an order to itself: `stop@renaming`.
    pub(crate) fn start(&self, fault: &str) -> Running {
        let mut command = self.emboss(&["run", "--date", DATE, "--json"]);
        Running::of(started(command.env(ORDER, fault)))
    }

    /// Starts the night and lets it die at a point.
    #[track_caller]
    pub(crate) fn dies_at(&self, point: &str) {
        self.start(&format!("kill@{point}")).dies_by(Signal::KILL);
        self.audit_is_sound(point);
    }

    /// Runs the night to its end.
    pub(crate) fn run(&self) -> Outcome {
        Outcome::of(&mut self.emboss(&["run", "--date", DATE, "--json"]))
    }

    /// Runs the night, which must end well; its report.
    #[track_caller]
    pub(crate) fn resumes(&self) -> Value {
        self.run().exits(0).object()
    }

    /// Lets another run begin although one holds the lock, as a person on another host could.
    pub(crate) fn take_the_lock_away(&self) {
        match &self.server {
            // The lock is on the file and not on its name.
            None => fs::remove_file(self.path("emboss.db.lock")).expect("removed"),
            // The lock is its session's.
            Some(server) => {
                let ended = server.psql("SELECT pg_terminate_backend(CAST(backend AS INT), 10000) FROM run_lock");
                assert_eq!(ended, "t", "the session that holds the lock");
            }
        }
    }

    /// The database on the server.
    pub(crate) fn server(&self) -> &postgres::Database {
        self.server.as_ref().expect("PostgreSQL")
    }

    /// Changes the configuration; the text to be replaced must be there.
    #[track_caller]
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("emboss.toml")).expect("read");
        assert!(text.contains(from), "{from:?} does not stand in the configuration");
        fs::write(self.path("emboss.toml"), text.replace(from, to)).expect("written");
    }

    /// How many PINs there are, whoever they are of.
    fn pins(&self) -> i64 {
        let query = "SELECT COUNT(*) FROM pin";
        match &self.server {
            None => crate::books::number(&self.path("emboss.db"), query),
            Some(server) => server.psql(query).parse().expect("a number"),
        }
    }

    /// Everything the database holds, also while a run stands still.
    pub(crate) fn back_up(&self) -> Backup {
        match self.database {
            Database::Sqlite => {
                let read = |name: &str| fs::read(self.path(name)).ok();
                Backup::Sqlite(["emboss.db", "emboss.db-wal"].map(|name| (name, read(name))))
            }
            Database::Postgres => Backup::Postgres(self.server().dump()),
        }
    }

    /// Puts an older database in the place of this one.
    pub(crate) fn restore(&self, backup: &Backup) {
        match backup {
            Backup::Sqlite(files) => {
                for name in ["emboss.db", "emboss.db-wal", "emboss.db-shm"] {
                    let _ = fs::remove_file(self.path(name));
                }
                for (name, bytes) in files {
                    bytes.iter().for_each(|bytes| fs::write(self.path(name), bytes).expect("written"));
                }
            }
            Backup::Postgres(dump) => self.server().restore(dump),
        }
    }

    /// Its configuration as the program reads it.
    pub(crate) fn config(&self) -> Config {
        Config::load(&self.path("emboss.toml"), None).expect("a good configuration")
    }

    /// What the database says.
    pub(crate) fn books(&self) -> Books {
        Books::read(&self.config(), self.pins())
    }

    /// Whatever happened: what the database holds is what the audit tells of it, to the head that the journal keeps.
    #[track_caller]
    pub(crate) fn audit_is_sound(&self, what: &str) {
        let verdict = Books::audit(&self.config(), &self.path("spool/journal"));
        assert!(verdict.is_sound(), "{what}: {verdict:?}");
    }

    /// The events behind a number, as a reader of the feed asks for them.
    pub(crate) fn events_after(&self, number: i64) -> Vec<Value> {
        Outcome::of(&mut self.emboss(&["events", "--after", &number.to_string()])).exits(0).lines()
    }

    /// A person who looked at the house says that it has the only file.
    pub(crate) fn resolve_as_delivered(&self) {
        let name = self.books().file().file_name.clone().expect("a name");
        let told = ["--delivered", "--by", "anna", "--reason", "the house confirmed it"];
        Outcome::of(self.emboss(&["resolve", "--file", &name]).args(told)).exits(0);
    }

    /// The names of sealed bytes in the spool.
    pub(crate) fn spooled(&self) -> Vec<String> {
        names(&self.path("spool"))
            .into_iter()
            .filter(|name| name.ends_with(".pgp") || name.ends_with(".part"))
            .collect()
    }

    /// The lines of the spool's journal, without file and agreement and what else they hold: `SEALED 1`.
    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("spool/journal")).unwrap_or_default();
        let entry = |line: &str| {
            let words: Vec<&str> = line.split(' ').skip(3).collect();
            let shown = if words[0] == "PUBLISHED" { 1 } else { 2 };
            words[..shown].join(" ")
        };
        // A head of the audit is of no file.
        text.lines().filter(|line| !line.starts_with("AUDIT ")).map(entry).collect()
    }
}
