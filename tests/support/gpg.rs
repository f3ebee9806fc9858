//! A GnuPG of our own: its home is a temporary folder, its agent ends with it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::program;

/// A key ring that nobody else sees.
#[derive(Debug)]
pub struct Gpg {
    home: tempfile::TempDir,
}

/// What GnuPG made of a message.
#[derive(Debug)]
pub struct Decrypted {
    /// The content.
    pub content: Vec<u8>,
    /// The lines of `--status-fd`, without their prefix.
    pub status: Vec<String>,
}

impl Decrypted {
    /// Whether a status line starts with `words`.
    pub fn says(&self, words: &str) -> bool {
        self.status.iter().any(|line| line.starts_with(words))
    }
}

impl Gpg {
    /// An empty key ring.
    pub fn new() -> Self {
        // The agent's socket stands in it, and a socket's path is short.
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").expect("a temporary folder");
        Self { home }
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Makes a primary key at the faked time `at` (`20260101T000000`) and returns its fingerprint.
    /// `usage` is `cert,sign` or `default`; `expire` is `never`, `2y`, `30d`.
    pub fn generate(&self, user_id: &str, algorithm: &str, usage: &str, expire: &str, at: &str) -> String {
        let time = faked(at);
        let output = self.run(&["--status-fd=1", &time, "--quick-gen-key", user_id, algorithm, usage, expire], b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let created = text.lines().find(|line| line.contains("KEY_CREATED")).expect("KEY_CREATED");
        created.split_whitespace().last().expect("a fingerprint").to_owned()
    }

    /// Makes a signing key that is locked with a passphrase.
    pub fn generate_locked(&self, user_id: &str, passphrase: &str) -> String {
        let passphrase = format!("--passphrase={passphrase}");
        let time = faked("20260101T000000");
        self.run(&[&passphrase, &time, "--quick-gen-key", user_id, "ed25519", "cert,sign", "never"], b"");
        let listed = self.run(&["--with-colons", "--list-keys"], b"").stdout;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).expect("a fingerprint");
        line.split(':').nth(9).expect("field 10").to_owned()
    }

    /// The secret key, locked as it is.
    pub fn export_secret_locked(&self, fingerprint: &str, passphrase: &str) -> Vec<u8> {
        self.run(&[&format!("--passphrase={passphrase}"), "--export-secret-keys", fingerprint], b"").stdout
    }

    /// Adds a subkey, for example `cv25519` with `encr`.
    pub fn add_subkey(&self, fingerprint: &str, algorithm: &str, usage: &str, expire: &str, at: &str) {
        self.run(&[&faked(at), "--quick-add-key", fingerprint, algorithm, usage, expire], b"");
    }

    /// Revokes a primary key with the certificate that GnuPG made with it.
    pub fn revoke(&self, fingerprint: &str) {
        let path = self.home().join("openpgp-revocs.d").join(format!("{fingerprint}.rev"));
        let disarmed = std::fs::read_to_string(path).expect("a revocation certificate");
        // GnuPG puts a colon before the armor, so that nobody imports it by mistake.
        self.run(&["--import"], disarmed.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    }

    /// The public certificate, binary.
    pub fn export(&self, fingerprint: &str) -> Vec<u8> {
        self.run(&["--export", fingerprint], b"").stdout
    }

    /// The secret key, binary.
    pub fn export_secret(&self, fingerprint: &str) -> Vec<u8> {
        self.run(&["--export-secret-keys", fingerprint], b"").stdout
    }

    /// Takes keys in.
    pub fn import(&self, keys: &[u8]) {
        self.run(&["--import"], keys);
    }

    /// Decrypts and verifies.
    ///
    /// # Panics
    /// Where GnuPG refuses.
    pub fn decrypt(&self, sealed: &[u8]) -> Decrypted {
        let (output, status) = self.try_decrypt(sealed);
        assert!(output.status.success(), "gpg: {}", String::from_utf8_lossy(&output.stderr));
        Decrypted { content: output.stdout, status }
    }

    /// Decrypts and verifies at the faked time `at` (`20260101T000000`): fixtures have a clock of their own.
    pub fn decrypt_at(&self, sealed: &[u8], at: &str) -> Decrypted {
        let output = self.run(&["--status-fd=2", &faked(at), "--decrypt"], sealed);
        let status = String::from_utf8_lossy(&output.stderr).into_owned();
        let status = status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")).map(str::to_owned).collect();
        Decrypted { content: output.stdout, status }
    }

    /// Decrypts and verifies; GnuPG may refuse.
    pub fn try_decrypt(&self, sealed: &[u8]) -> (Output, Vec<String>) {
        let output = self.attempt(&["--status-fd=2", "--decrypt"], sealed);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines = told.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")).map(str::to_owned).collect();
        (output, lines)
    }

    /// The packets of a message as GnuPG lists them.
    pub fn list_packets(&self, sealed: &[u8]) -> String {
        String::from_utf8_lossy(&self.attempt(&["--list-packets"], sealed).stdout).into_owned()
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let output = self.attempt(arguments, input);
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn attempt(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(program("gpg", "gnupg"))
            .arg("--homedir")
            .arg(self.home())
            .args(["--batch", "--yes", "--no-tty", "--pinentry-mode=loopback", "--passphrase="])
            .args(["--trust-model=always", "--no-auto-check-trustdb"])
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("gpg starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // In a thread of its own: gpg writes while it reads. It may close early where it refuses.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("gpg ends");
        feeder.join().expect("fed");
        output
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let killed = Command::new(program("gpgconf", "gpgconf"))
            .arg("--homedir")
            .arg(self.home())
            .args(["--kill", "all"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        drop(killed);
    }
}

fn faked(at: &str) -> String {
    format!("--faked-system-time={at}!")
}
