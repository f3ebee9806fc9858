//! The keys of `fixtures/keys`, whose values are known to `vectors.json`, put where a program can use them.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `fixtures/`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// git cannot keep modes: the keys get theirs here.
pub fn copy_keys(to: &Path) {
    make_folder(to);
    for entry in fs::read_dir(folder().join("keys")).expect("keys") {
        let entry = entry.expect("an entry");
        let path = to.join(entry.file_name());
        fs::copy(entry.path(), &path).expect("a key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
}

/// A folder for us alone.
pub fn make_folder(path: &Path) {
    fs::DirBuilder::new().mode(0o700).create(path).expect("a folder");
}
