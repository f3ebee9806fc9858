//! The embossing house: what ever stood in its folder under a final name, whether it is still there or taken away.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::process::until;

/// A file as the house got it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) name: String,
    pub(crate) sealed: Vec<u8>,
}

impl Arrived {
    /// Of its bytes.
    pub(crate) fn sha256(&self) -> String {
        sha256(&self.sealed)
    }
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.sha256())
    }
}

/// In lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Its folder, and where it puts what it takes.
#[derive(Debug)]
pub(crate) struct House {
    incoming: PathBuf,
    taken: tempfile::TempDir,
}

impl House {
    pub(crate) fn at(incoming: PathBuf) -> Self {
        Self { incoming, taken: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Every name that stands in its folder, ours for uploads included, sorted.
    pub(crate) fn standing(&self) -> Vec<String> {
        names(&self.incoming)
    }

    /// Takes away what stands there under a final name.
    pub(crate) fn take(&self) {
        take(&self.incoming, self.taken.path());
    }

    /// Takes every file the moment it has its final name, until the value is dropped.
    pub(crate) fn greedy(&self) -> Greedy {
        let stop = Arc::new(AtomicBool::new(false));
        let (incoming, taken) = (self.incoming.clone(), self.taken.path().to_owned());
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                take(&incoming, &taken);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Greedy { stop, thread: Some(thread) }
    }

    /// Everything that ever had a final name there. A second file of one name is one more.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.take();
        let read = |name: String| Arrived {
            sealed: fs::read(self.taken.path().join(&name)).expect("read"),
            name: name.split_once('-').expect("a number").1.to_owned(),
        };
        names(self.taken.path()).into_iter().map(read).collect()
    }

    /// The same, and nothing is taken that still stands there.
    pub(crate) fn has(&self) -> Vec<Arrived> {
        let read = |folder: &Path, name: &str| fs::read(folder.join(name)).expect("read");
        let taken = names(self.taken.path()).into_iter().map(|name| Arrived {
            sealed: read(self.taken.path(), &name),
            name: name.split_once('-').expect("a number").1.to_owned(),
        });
        let standing = self.standing().into_iter().filter(|name| !name.ends_with(".part"));
        taken.chain(standing.map(|name| Arrived { sealed: read(&self.incoming, &name), name })).collect()
    }

    /// Waits until so many files have arrived and are taken.
    pub(crate) fn wait_for(&self, files: usize) {
        until("the house takes its file", || names(self.taken.path()).len() >= files);
    }
}

/// A house that does not leave anything lying about.
#[derive(Debug)]
pub(crate) struct Greedy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Greedy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the house ends");
        }
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("listed");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn take(incoming: &Path, taken: &Path) {
    for name in names(incoming).iter().filter(|name| !name.ends_with(".part")) {
        let number = names(taken).len() + 1;
        // Somebody else may have been quicker.
        let _ = fs::rename(incoming.join(name), taken.join(format!("{number:04}-{name}")));
    }
}
