//! What `[[destination]]` must say (its settings belong to delivery).

use super::Config;
use super::finding::{Finding, Findings, repeated};
use crate::delivery::settings::{DestinationSettings, DirectorySettings, SftpSettings};

/// Adds the faults of every `[[destination]]`.
pub(super) fn validate(config: &Config, found: &mut Vec<Finding>) {
    for destination in &config.destinations {
        let mut findings = Findings::of(format!("[[destination]] {}", destination.name()), found);
        findings.length("name", destination.name(), 64);
        match destination {
            DestinationSettings::Sftp(sftp) => validate_sftp(sftp, &mut findings),
            DestinationSettings::Directory(directory) => validate_directory(config, directory, &mut findings),
        }
    }
    for name in repeated(config.destinations.iter().map(DestinationSettings::name)) {
        let mut findings = Findings::of("[[destination]]", found);
        findings.add("name", format!("{name} is used twice"), "give each destination its own name");
    }
}

fn validate_directory(config: &Config, directory: &DirectorySettings, findings: &mut Findings<'_>) {
    validate_folders(&directory.directory, directory.temporary_directory.as_deref(), findings);
    findings.require(
        directory.directory != config.run.spool,
        "directory",
        "is the spool",
        "deliver to another folder: the spool is ours alone",
    );
    validate_mode(&directory.file_mode, findings);
}

fn validate_folders(directory: &str, temporary: Option<&str>, findings: &mut Findings<'_>) {
    for (key, folder) in [("directory", Some(directory)), ("temporary_directory", temporary)] {
        findings.require(folder != Some(""), key, "is empty", "name a folder");
    }
}

fn validate_sftp(sftp: &SftpSettings, findings: &mut Findings<'_>) {
    findings.length("host", &sftp.host, 253);
    findings.range("port", sftp.port.into(), 1, 65_535);
    findings.length("user", &sftp.user, 64);
    findings.path("key_file", &sftp.key_file);
    sftp.passphrase_file.iter().for_each(|file| findings.path("passphrase_file", file));
    validate_host_keys(&sftp.host_keys, findings);
    validate_folders(&sftp.directory, sftp.temporary_directory.as_deref(), findings);
    validate_mode(&sftp.file_mode, findings);
    findings.range("connect_timeout_s", sftp.connect_timeout_s, 1, 600);
    findings.range("inactivity_timeout_s", sftp.inactivity_timeout_s, 1, 3600);
    findings.range("attempts", sftp.attempts.into(), 1, 20);
    findings.range("backoff_s.first", sftp.backoff_s.first, 1, 3600);
    findings.range("backoff_s.max", sftp.backoff_s.max, sftp.backoff_s.first, 7200);
    validate_patience(sftp, findings);
}

/// R136: a night tries a file for two hours.
fn validate_patience(sftp: &SftpSettings, findings: &mut Findings<'_>) {
    let minutes = sftp.backoff_s.pauses_s(sftp.attempts.min(20)).div_ceil(60);
    findings.require(
        minutes <= 120,
        "attempts",
        format!("is {}, and the pauses of backoff_s between them take up to {minutes} minutes", sftp.attempts),
        "keep them within 120 minutes, in which a file is tried in one night, by fewer attempts or shorter pauses",
    );
}

fn validate_host_keys(host_keys: &[String], findings: &mut Findings<'_>) {
    let pinned = host_keys.len();
    findings.require(
        matches!(pinned, 1 | 2),
        "host_keys",
        format!("pins {pinned} keys"),
        "pin the server's key as ssh-keygen -lf prints it, and during a rotation the next one too",
    );
    for key in host_keys {
        findings.require(is_host_key(key), "host_keys", format!("has {key}"), "write SHA256: and 43 characters");
    }
    for key in repeated(host_keys) {
        findings.add("host_keys", format!("pins {key} twice"), "pin each key once");
    }
}

/// `SHA256:` and 32 bytes in base64 without padding.
fn is_host_key(key: &str) -> bool {
    key.strip_prefix("SHA256:").is_some_and(|digest| {
        digest.len() == 43 && digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
    })
}

fn validate_mode(mode: &str, findings: &mut Findings<'_>) {
    let octal = matches!(mode.len(), 3 | 4) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let value = u32::from_str_radix(mode, 8).ok().filter(|_| octal);
    findings.require(
        value.is_some_and(|value| value & !0o664 == 0 && value & 0o600 == 0o600),
        "file_mode",
        "is not a mode a delivered file may have",
        "write it in octal, readable and writable by its owner, not executable, not writable by all: \"0640\"",
    );
}
