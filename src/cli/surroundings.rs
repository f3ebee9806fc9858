//! What the process brings along: environment, host, terminal. Read once, here, and passed on as values.

use std::io::IsTerminal;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};

/// The process's surroundings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `EMBOSS_CONFIG`.
    pub config: Option<PathBuf>,
    /// `CREDENTIALS_DIRECTORY`, set by systemd.
    pub credentials_directory: Option<PathBuf>,
    /// Host name and process id, for whoever meets the run lock.
    pub holder: String,
    /// Whether stderr is a terminal: only then is progress shown.
    pub terminal: bool,
}

impl Surroundings {
    /// Reads them.
    pub fn of_process() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            config: std::env::var_os("EMBOSS_CONFIG").map(PathBuf::from),
            credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            holder: format!("process {} on {host}", std::process::id()),
            terminal: std::io::stderr().is_terminal(),
        }
    }
}

/// Whether `--json` stands on the command line, also on one that cannot be read.
pub(super) fn asks_for_json() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// Before anything is read: files are private, and secrets in memory are neither dumped nor traced.
/// A refusal of the kernel is not fatal: the file modes of keys are checked again when they are read.
pub fn harden() {
    umask(Mode::from_raw_mode(0o077));
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
