//! A real OpenSSH server on 127.0.0.1, with keys and a folder of its own; it ends with the value.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emboss::delivery::DestinationSecrets;
use emboss::delivery::settings::{Backoff, DestinationSettings, Profile, SftpSettings};
use emboss::document::Environment;

use super::program;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Kinds of host key, as `ssh-keygen -t` names them.
    pub host_keys: Vec<&'static str>,
    /// Arguments of `internal-sftp`: `-R` is read-only, `-P stat,lstat` denies requests.
    pub sftp: &'static str,
    /// Whether each session tells what it did to files: opened, closed, renamed, removed ([`Sshd::told`]).
    pub tells: bool,
    /// Longest file the server can write, in KiB; its writes then fail as on a full disk.
    pub file_limit_kib: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { host_keys: vec!["ed25519"], sftp: "", tells: false, file_limit_kib: None }
    }
}

/// Requests a write-only drop box denies.
pub const WRITE_ONLY: &str = "-P stat,lstat,fstat,setstat,fsetstat,fsync,opendir,readdir,read";

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    options: Options,
}

impl Sshd {
    /// Starts one with a single Ed25519 host key and everything allowed.
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// Starts one.
    ///
    /// # Panics
    /// Where OpenSSH is missing or does not start.
    pub fn with(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("sshd").tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("incoming")).expect("a folder");
        for kind in &options.host_keys {
            keygen(&folder.path().join(format!("host_{kind}")), kind, "");
        }
        keygen(&folder.path().join("user"), "ed25519", "");
        std::fs::copy(folder.path().join("user.pub"), folder.path().join("authorized_keys")).expect("copied");
        make_privilege_separation_folder();
        for _ in 0..5 {
            let port = free_port();
            let mut child = launch(folder.path(), port, &options);
            if answers(port, &mut child) {
                return Self { child, port, folder, options };
            }
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder files are published in.
    pub fn incoming(&self) -> PathBuf {
        self.folder.path().join("incoming")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What its sessions did to files, one line for each: `open`, `close`, `forced close`, `rename`, `remove`. Only
    /// where it [`tells`](Options::tells).
    pub fn told(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("sftp")).unwrap_or_default();
        let words = ["open ", "close ", "forced close ", "rename ", "remove "];
        let is_told = |line: &&str| words.iter().any(|word| line.starts_with(word));
        log.lines().map(str::trim).filter(is_told).map(str::to_owned).collect()
    }

    /// The same, once there is such a line.
    pub fn told_until(&self, word: &str) -> Vec<String> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            let told = self.told();
            if told.iter().any(|line| line.starts_with(word)) {
                return told;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no line begins with {word}: {:?}", self.told());
    }

    /// The fingerprint of a host key, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self, kind: &str) -> String {
        let output = Command::new(program("ssh-keygen", "openssh-client"))
            .args(["-l", "-E", "sha256", "-f"])
            .arg(self.folder.path().join(format!("host_{kind}.pub")))
            .output()
            .expect("ssh-keygen runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().nth(1).expect("a fingerprint").to_owned()
    }

    /// Lets another key in; returns the private one.
    pub fn admit(&self, name: &str, kind: &str, passphrase: &str) -> String {
        let private = self.key(name, kind, passphrase);
        let public = std::fs::read(self.folder.path().join(format!("{name}.pub"))).expect("read");
        let path = self.folder.path().join("authorized_keys");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("opened");
        file.write_all(&public).expect("appended");
        private
    }

    /// Makes a key the server does not know.
    pub fn key(&self, name: &str, kind: &str, passphrase: &str) -> String {
        let path = self.folder.path().join(name);
        keygen(&path, kind, passphrase);
        std::fs::read_to_string(path).expect("read")
    }

    /// Settings that fit.
    pub fn settings(&self) -> SftpSettings {
        SftpSettings {
            name: "factory-x".to_owned(),
            environment: Environment::Test,
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: user(),
            key_file: "unused".to_owned(),
            passphrase_file: None,
            host_keys: vec![self.fingerprint(self.options.host_keys[0])],
            directory: self.incoming().display().to_string(),
            temporary_directory: None,
            profile: Profile::Normal,
            rename_proves_publication: false,
            file_mode: "0640".to_owned(),
            connect_timeout_s: 10,
            inactivity_timeout_s: 10,
            attempts: 8,
            backoff_s: Backoff::default(),
        }
    }

    /// Settings as a destination.
    pub fn destination(&self) -> DestinationSettings {
        DestinationSettings::Sftp(self.settings())
    }

    /// Secrets that fit.
    pub fn secrets(&self) -> DestinationSecrets {
        let private_key = std::fs::read_to_string(self.folder.path().join("user")).expect("read");
        DestinationSecrets { private_key: private_key.into(), passphrase: None }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // The listener only; sessions end with their connections.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let made = Command::new(program("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", kind, "-C", "test", "-N", passphrase, "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen runs");
    assert!(made.success(), "ssh-keygen -t {kind}");
}

/// sshd as root wants this folder, which an init script makes elsewhere.
fn make_privilege_separation_folder() {
    if is_root() {
        std::fs::create_dir_all("/run/sshd").expect("/run/sshd");
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn launch(folder: &Path, port: u16, options: &Options) -> Child {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut config = format!(
        "ListenAddress 127.0.0.1:{port}\nPidFile none\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         LogLevel VERBOSE\nMaxStartups 100\nSubsystem sftp {}\n",
        at("authorized_keys"),
        subsystem(options, &at("sftp")),
    );
    for kind in &options.host_keys {
        config.push_str(&format!("HostKey {}\n", at(&format!("host_{kind}"))));
    }
    std::fs::write(folder.join("config"), config).expect("written");
    let log = std::fs::File::create(folder.join("log")).expect("created");
    let limit = options.file_limit_kib.map_or(String::new(), |kib| {
        // Ignored, the signal becomes an error of the write.
        format!("trap '' XFSZ; ulimit -f {}; ", kib * 2)
    });
    Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{limit}exec \"$0\" -D -e -f \"$1\""))
        .arg(program("sshd", "openssh-server"))
        .arg(folder.join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("sshd starts")
}

/// What serves SFTP. The server within sshd logs to syslog only; the program of its own says it on its standard error.
fn subsystem(options: &Options, log: &str) -> String {
    if options.tells {
        let server = Path::new("/usr/lib/openssh/sftp-server");
        assert!(server.is_file(), "{} is missing; on Debian: apt-get install openssh-sftp-server", server.display());
        // Where the line is cut while it answers, it must live to tell.
        format!("env --ignore-signal=PIPE {} -e -l INFO {} 2>>{log}", server.display(), options.sftp)
    } else {
        format!("internal-sftp {}", options.sftp)
    }
}

fn answers(port: u16, child: &mut Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if child.try_wait().expect("asked").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
    false
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Who runs the tests.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
