//! The real programs that tests work with: OpenSSH and GnuPG. A missing one fails the test and names its package.
#![allow(dead_code, reason = "every test file uses another part of this")]
#![allow(clippy::expect_used, reason = "a broken harness fails the test and says where")]
#![allow(unreachable_pub, reason = "shared between test files")]

pub mod fixtures;
pub mod gpg;
pub mod house;
pub mod postgres;
pub mod proxy;
pub mod sshd;
pub mod trial;

use std::path::PathBuf;

/// The absolute path of a program.
///
/// # Panics
/// Where it is not installed, with the name of its Debian package.
pub fn program(name: &str, debian_package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(extra)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; on Debian: apt-get install {debian_package}"))
}
