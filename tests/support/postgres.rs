//! A real PostgreSQL server on 127.0.0.1, made by `initdb` in a folder of its own; it ends with its last holder.
//!
//! Invariants: the server never runs as root; it is as durable as a production server, so nothing about durability
//! has to be pretended; neither it nor its folder outlives the test process, however that ends.
//!
//! Its locale is a linguistic one (ICU), in which words sort otherwise than their bytes: a statement that forgets
//! `COLLATE "C"` fails here and not at the first customer.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::program;
use super::sshd::free_port;
use super::trial::Trial;

/// No server takes longer to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Password of the superuser `postgres` and of every role the tests make.
pub const PASSWORD: &str = "a password of the tests";

/// The role that owns the databases of [`Cluster::database`].
pub const OWNER: &str = "emboss";

/// Kills the server and removes the folder as soon as the test process is gone: its end of the pipe closes with it.
const WATCHER: &str = r#"
cat >/dev/null
pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$0/data" ]; then
    kill -QUIT "$pid"
    waited=0
    while [ -d "/proc/$pid" ] && [ "$waited" -lt 100 ]; do sleep 0.1; waited=$((waited + 1)); done
fi
rm -rf "$0"
"#;

/// A server with its folder.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    user: User,
    port: u16,
    server: Mutex<Option<Child>>,
    watcher: Child,
    databases: AtomicU32,
}

/// Who the server runs as: `None` is whoever runs the tests.
#[derive(Debug, Clone)]
struct User(Option<(String, u32, u32)>);

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Cluster {
    /// The server all tests of this process share; the first one starts it.
    pub fn shared() -> Arc<Self> {
        // A test that failed while it held the lock has broken nothing in it.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Self::start_with(&[]);
        *shared = Arc::downgrade(&started);
        started
    }

    /// A server of one's own, for tests that stop it or change its settings (lines of postgresql.conf).
    ///
    /// # Panics
    /// Where PostgreSQL is missing or does not start.
    pub fn start_with(settings: &[&str]) -> Arc<Self> {
        Self::start_in(&place(), settings)
    }

    /// The same, whatever it waits for: for measurements.
    ///
    /// # Panics
    /// As [`start_with`](Self::start_with).
    pub fn start_on_disk(settings: &[&str]) -> Arc<Self> {
        Self::start_in(&std::env::temp_dir(), settings)
    }

    fn start_in(place: &Path, settings: &[&str]) -> Arc<Self> {
        let programs = programs();
        let user = User::of_the_server();
        let folder = tempfile::Builder::new().prefix("emboss-postgres-").tempdir_in(place);
        let folder = folder.expect("a temporary folder").keep();
        user.give(&folder);
        let watcher = watch(&folder);
        let cluster =
            Self { folder, programs, user, port: 0, server: Mutex::new(None), watcher, databases: AtomicU32::new(0) };
        cluster.make(settings);
        cluster.first_start()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate authority that signed the server's certificate, PEM.
    pub fn root_certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A new, empty database that [`OWNER`] owns.
    pub fn database(self: &Arc<Self>) -> Database {
        let name = format!("emboss_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0"));
        self.database_named(&name)
    }

    /// A database that is there.
    pub fn database_named(self: &Arc<Self>, name: &str) -> Database {
        Database { cluster: Arc::clone(self), name: name.to_owned() }
    }

    /// Runs SQL as the superuser; what it printed, columns separated by `|`.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.psql_as("postgres", database, sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"))
    }

    /// Runs SQL as a role; what it printed, or why not.
    pub fn psql_as(&self, role: &str, database: &str, sql: &str) -> Result<String, String> {
        self.run_psql(role, database, &["--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", sql])
    }

    /// Runs a file of SQL as the superuser, with variables `NAME=VALUE`; what it printed, or why not.
    pub fn psql_file(&self, database: &str, file: &str, variables: &[&str]) -> Result<String, String> {
        let mut arguments = vec!["--file", file];
        variables.iter().for_each(|variable| arguments.extend(["--set", variable]));
        self.run_psql("postgres", database, &arguments)
    }

    fn run_psql(&self, role: &str, database: &str, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--host=127.0.0.1", &format!("--port={}", self.port)])
            .args(["--username", role, "--dbname", database])
            .args(arguments)
            .env("PGPASSWORD", PASSWORD)
            .env("PGCONNECT_TIMEOUT", "20")
            .stdin(Stdio::null())
            .output()
            .expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Stops it in good order, every session with it.
    pub fn stop(&self) {
        self.end(Signal::INT);
    }

    /// Stops it at once, as a crash of its host would: the next start recovers from the write-ahead log.
    pub fn crash(&self) {
        self.end(Signal::QUIT);
    }

    /// Starts it again on the same port.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn start(&self) {
        assert!(self.launch(self.port), "PostgreSQL does not start again: {}", self.log());
    }

    /// Makes a standby of it that waits for a primary server; it is started again.
    pub fn make_standby(&self) {
        self.stop();
        std::fs::write(self.folder.join("data/standby.signal"), "").expect("written");
        self.user.give(&self.folder.join("data/standby.signal"));
        self.start();
    }

    fn make(&self, settings: &[&str]) {
        write_secret(&self.folder.join("password"), &format!("{PASSWORD}\n"));
        write_secret(&self.folder.join("superuser"), PASSWORD);
        self.user.give(&self.folder.join("superuser"));
        self.run(
            Command::new(self.programs.join("initdb"))
                // Of initdb's own files only: the server's own `fsync` stays on.
                .args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"])
                .args(["--username=postgres", "--auth=scram-sha-256"])
                .arg(format!("--pwfile={}", self.folder.join("superuser").display()))
                .arg(format!("--pgdata={}", self.folder.join("data").display())),
        );
        self.make_certificates();
        let mut lines = vec![
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("unix_socket_directories = '{}'", self.folder.display()),
            "max_connections = 200".to_owned(),
            "max_wal_size = 256MB".to_owned(),
            "ssl = on".to_owned(),
            format!("ssl_cert_file = '{}'", self.folder.join("server.crt").display()),
            format!("ssl_key_file = '{}'", self.folder.join("server.key").display()),
        ];
        lines.extend(settings.iter().map(ToString::to_string));
        let path = self.folder.join("data/postgresql.auto.conf");
        std::fs::write(path, lines.join("\n") + "\n").expect("written");
    }

    /// A certificate authority of its own, and the server's certificate for 127.0.0.1 and localhost.
    fn make_certificates(&self) {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"];
        let openssl = || Command::new(program("openssl", "openssl"));
        let mut authority = openssl();
        authority.args(["req", "-x509"]).args(key).args(["-subj", "/CN=Authority of the tests"]);
        self.run(authority.args(["-keyout", &at("ca.key"), "-out", &at("ca.crt")]));
        let mut server = openssl();
        server.args(["req", "-x509"]).args(key).args(["-subj", "/CN=localhost"]);
        server.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        server.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        server.args(["-CA", &at("ca.crt"), "-CAkey", &at("ca.key")]);
        self.run(server.args(["-keyout", &at("server.key"), "-out", &at("server.crt")]));
    }

    fn first_start(mut self) -> Arc<Self> {
        for _ in 0..5 {
            self.port = free_port();
            if self.launch(self.port) {
                self.psql("postgres", &format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'"));
                return Arc::new(self);
            }
        }
        panic!("PostgreSQL does not start: {}", self.log());
    }

    /// Whether it answers on `port`.
    fn launch(&self, port: u16) -> bool {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.folder.join("log"));
        let mut server = self
            .user
            .command(&self.programs.join("postgres"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg(format!("--port={port}"))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("postgres starts");
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if server.try_wait().expect("asked").is_some() {
                return false;
            }
            if self.answers(port) {
                *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        finish(&mut server, Signal::QUIT);
        false
    }

    fn answers(&self, port: u16) -> bool {
        let mut asked = Command::new(self.programs.join("pg_isready"));
        asked.args(["--quiet", "--host=127.0.0.1", &format!("--port={port}"), "--timeout=20"]);
        asked.status().is_ok_and(|status| status.success())
    }

    fn end(&self, signal: Signal) {
        if let Some(mut server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            finish(&mut server, signal);
        }
    }

    /// Runs a program as the server's user.
    fn run(&self, command: &mut Command) {
        let mut command = self.user.wrap(command);
        let output = command.current_dir("/").stdin(Stdio::null()).output().expect("it runs");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Signal::INT);
        // The watcher removes the folder when the pipe closes.
        drop(self.watcher.stdin.take());
        drop(self.watcher.wait());
    }
}

/// One empty database of a server.
#[derive(Debug)]
pub struct Database {
    cluster: Arc<Cluster>,
    name: String,
}

impl Database {
    /// The server.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, for its owner; without the password.
    pub fn url(&self) -> String {
        self.url_of(OWNER)
    }

    /// The same for another role.
    pub fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{}", self.cluster.port, self.name)
    }

    /// The same through a proxy on another port.
    pub fn url_through(&self, port: u16) -> String {
        format!("postgres://{OWNER}@127.0.0.1:{port}/{}", self.name)
    }

    /// A file with the password of every role, mode 0600.
    pub fn password_file(&self) -> PathBuf {
        self.cluster.folder.join("password")
    }

    /// The line of `[database]` that names it.
    pub fn password_setting(&self) -> String {
        format!("password_file = \"{}\"", self.password_file().display())
    }

    /// Runs SQL as the superuser; what it printed.
    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }

    /// Runs SQL as a role; what it printed, or why not.
    pub fn psql_as(&self, role: &str, sql: &str) -> Result<String, String> {
        self.cluster.psql_as(role, &self.name, sql)
    }

    /// Everything in it as `pg_dump` writes it, while others work with it.
    pub fn dump(&self) -> Vec<u8> {
        let mut dump = self.client("pg_dump");
        let output = dump.arg("--no-owner").output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Puts a dump in the place of what is in it.
    pub fn restore(&self, dump: &[u8]) {
        let Self { cluster, name } = self;
        cluster.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        cluster.psql("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0"));
        let mut psql = self.client("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut psql = psql.spawn().expect("psql runs");
        psql.stdin.take().expect("a pipe").write_all(dump).expect("fed");
        assert!(psql.wait().expect("psql ends").success(), "restored");
    }

    /// A client program that works with it as its owner.
    fn client(&self, name: &str) -> Command {
        let mut client = Command::new(self.cluster.programs.join(name));
        client
            .args(["--host=127.0.0.1", &format!("--port={}", self.cluster.port), "--username", OWNER])
            .args(["--dbname", &self.name])
            .env("PGPASSWORD", PASSWORD)
            .env("PGCONNECT_TIMEOUT", "20")
            .stdin(Stdio::null());
        client
    }

    /// Breaks every connection to it; how many there were.
    pub fn kill_connections(&self) -> usize {
        let killed = self.psql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        killed.lines().filter(|line| *line == "t").count()
    }
}

impl Trial {
    /// A new installation on a database server; its first import makes the tables.
    #[track_caller]
    pub fn on(database: &Database) -> Self {
        let trial = Self::new();
        trial.use_database(&database.url(), &database.password_setting());
        trial
    }

    /// The same, of another URL and with further settings, whole lines, in the place of SQLite's.
    #[track_caller]
    pub fn use_database(&self, url: &str, settings: &str) {
        self.configure("url = \"sqlite:emboss.db\"", &format!("url = \"{url}\"\n{settings}"));
        std::fs::remove_file(self.path("emboss.db")).expect("removed");
    }
}

/// Sends the signal and waits; one that does not end in time is killed.
fn finish(server: &mut Child, signal: Signal) {
    let pid = Pid::from_child(server);
    let _ended_already = kill_process(pid, signal);
    let asked = Instant::now();
    while asked.elapsed() < PATIENCE {
        if server.try_wait().expect("asked").is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(server.kill());
    drop(server.wait());
}

fn watch(folder: &Path) -> Child {
    Command::new("/bin/sh")
        .args(["-c", WATCHER])
        .arg(folder)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a watcher starts")
}

fn write_secret(path: &Path, text: &str) {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
}

/// A folder in memory where there is one with room: the server synchronises as it would on a disk, and waits for none.
fn place() -> PathBuf {
    const ROOM: u64 = 4 << 30;
    let memory = PathBuf::from("/dev/shm");
    let room = rustix::fs::statvfs(&memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    if room >= ROOM { memory } else { std::env::temp_dir() }
}

/// The newest server of Debian's package, 15 or newer.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = installed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let servers =
        versions.filter(|version| *version >= 15).filter(|version| folder_of(*version).join("initdb").is_file());
    let newest = servers.max();
    folder_of(newest.unwrap_or_else(|| {
        panic!("PostgreSQL 15 or newer is not installed; on Debian: apt-get install postgresql postgresql-client")
    }))
}

fn folder_of(version: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))
}

impl User {
    /// PostgreSQL refuses to run as root.
    fn of_the_server() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let known = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Some((name.to_owned(), id("-u", name)?, id("-g", name)?)));
        Self(Some(known.expect("a user postgres or nobody")))
    }

    fn give(&self, path: &Path) {
        if let Self(Some((_, user, group))) = self {
            std::os::unix::fs::chown(path, Some(*user), Some(*group)).expect("given away");
        }
        let mode = if path.is_dir() { 0o755 } else { 0o600 };
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("set");
    }

    fn command(&self, program_path: &Path) -> Command {
        self.wrap(&Command::new(program_path))
    }

    /// The same command, run as this user.
    fn wrap(&self, command: &Command) -> Command {
        let mut wrapped = match self {
            Self(None) => Command::new(command.get_program()),
            Self(Some((_, user, group))) => {
                let mut wrapped = Command::new(program("setpriv", "util-linux"));
                wrapped.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
                wrapped.arg("--").arg(command.get_program());
                wrapped
            }
        };
        wrapped.args(command.get_args());
        wrapped
    }
}

fn id(what: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([what, name]).output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
