//! Paths of the configuration: relative to the folder of its file, or the name of a systemd credential.
//!
//! A credential stays as written where no credentials directory is known: `status` by hand needs no secret, and
//! whatever does need one says so when it opens the file.

use std::path::{Path, PathBuf};

use super::Config;
use crate::delivery::settings::DestinationSettings;

/// How a `*_file` names a systemd credential.
pub const CREDENTIAL: &str = "credential:";

const SQLITE: &str = "sqlite:";

/// Where paths lead from.
#[derive(Debug)]
struct Base<'a> {
    folder: &'a Path,
    credentials_directory: Option<&'a Path>,
}

impl Base<'_> {
    fn resolve(&self, path: &mut String) {
        let found: Option<PathBuf> = match path.strip_prefix(CREDENTIAL) {
            Some(name) if is_credential_name(name) => self.credentials_directory.map(|folder| folder.join(name)),
            Some(_) => None,
            None if path.is_empty() => None,
            None => Some(self.folder.join(&*path)),
        };
        if let Some(found) = found {
            *path = found.to_string_lossy().into_owned();
        }
    }

    fn resolve_all<'a>(&self, paths: impl IntoIterator<Item = &'a mut String>) {
        for path in paths {
            self.resolve(path);
        }
    }
}

/// Whether systemd could have made a credential of that name (systemd.exec(5)).
pub(super) fn is_credential_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && name != "."
        && name != ".."
}

/// Makes every path of the configuration absolute.
pub(super) fn resolve(config: &mut Config, folder: &Path, credentials_directory: Option<&Path>) {
    let base = Base { folder, credentials_directory };
    resolve_database(&base, &mut config.database.url);
    base.resolve_all(&mut config.database.password_file);
    base.resolve_all(&mut config.database.root_certificate_file);
    base.resolve(&mut config.run.spool);
    for pair in &mut config.intake.jwe {
        base.resolve_all([&mut pair.certificate_file, &mut pair.private_key_file]);
    }
    for kbpk in config.vault.kbpk.values_mut() {
        base.resolve_all(&mut kbpk.component_files);
    }
    base.resolve_all(config.keys.iter_mut().map(|key| &mut key.block_file));
    if let Some(tls) = config.vault.payshield.as_mut().and_then(|payshield| payshield.tls.as_mut()) {
        base.resolve_all([&mut tls.ca_file, &mut tls.certificate_file, &mut tls.key_file]);
    }
    base.resolve(&mut config.signer.key_file);
    base.resolve_all(&mut config.signer.passphrase_file);
    for manufacturer in &mut config.manufacturers {
        base.resolve_all(manufacturer.recipients.iter_mut().map(|recipient| &mut recipient.certificate_file));
    }
    for destination in &mut config.destinations {
        resolve_destination(&base, destination);
    }
}

fn resolve_database(base: &Base<'_>, url: &mut String) {
    if let Some(path) = url.strip_prefix(SQLITE).filter(|path| !path.is_empty()) {
        let mut path = path.to_owned();
        base.resolve(&mut path);
        *url = format!("{SQLITE}{path}");
    }
}

fn resolve_destination(base: &Base<'_>, destination: &mut DestinationSettings) {
    match destination {
        DestinationSettings::Sftp(sftp) => {
            base.resolve(&mut sftp.key_file);
            base.resolve_all(&mut sftp.passphrase_file);
        }
        DestinationSettings::Directory(directory) => {
            base.resolve(&mut directory.directory);
            base.resolve_all(&mut directory.temporary_directory);
        }
    }
}
