//! Every kind of secret is a file of its own, which nobody else may read; nothing else is taken for one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::fixtures;
use crate::support::trial::{Outcome, Trial};

/// A secret: its file, and how the answer begins that refuses it.
const SECRETS: &[(&str, &str)] = &[
    ("keys/kbpk-1.hex", "[vault.kbpk.main] component_files"),
    ("keys/dek-1.tr31", "[[key]] dek-1 block_file"),
    ("keys/signer.key", "[signer] key_file"),
    ("keys/jwe.key", "[[intake.jwe]] private_key_file"),
    ("keys/sftp.key", "destination factory-x"),
    ("keys/database.password", "[database] password_file"),
];

/// Read only where the key they open was: with sound keys.
const BEHIND: &[(&str, &str)] =
    &[("keys/signer.passphrase", "[signer] passphrase_file"), ("keys/sftp.passphrase", "destination factory-x")];

/// An installation that names a file of every kind.
fn installed() -> Trial {
    let trial = Trial::new();
    for name in ["jwe.crt", "jwe.key"] {
        fs::copy(fixtures::folder().join("keys").join(name), trial.path("keys").join(name)).unwrap();
    }
    for name in ["sftp.key", "database.password", "signer.passphrase", "sftp.passphrase"] {
        fs::write(trial.path("keys").join(name), "what opens it\n").unwrap();
    }
    for (file, _) in SECRETS.iter().chain(BEHIND) {
        trial.set_mode(file, 0o600);
    }
    // Port 1: nobody listens, and nobody is asked before the secrets are read.
    let database = "password_file = \"keys/database.password\"\ntls = \"off\"";
    trial.use_database("postgres://emboss@127.0.0.1:1/emboss", database);
    trial.configure(
        "key_file = \"keys/signer.key\"",
        "key_file = \"keys/signer.key\"\npassphrase_file = \"keys/signer.passphrase\"",
    );
    trial.configure_more(&format!(
        "[[intake.jwe]]\ncertificate_file = \"keys/jwe.crt\"\nprivate_key_file = \"keys/jwe.key\"\n\n\
         [[destination]]\nname = \"factory-x\"\nkind = \"sftp\"\nenvironment = \"test\"\nhost = \"127.0.0.1\"\nport = 1\n\
         user = \"emboss\"\nkey_file = \"keys/sftp.key\"\npassphrase_file = \"keys/sftp.passphrase\"\n\
         host_keys = [\"SHA256:{}\"]\ndirectory = \"/incoming\"",
        "A".repeat(43)
    ));
    trial
}

/// Secrets of an installation with a payment HSM.
const OF_DEVICES: &[(&str, &str)] = &[
    ("keys/hsm.key", "[vault.payshield.tls] key_file"),
    ("keys/cvk-1.tr31", "[[key]] cvk-1 block_file"),
    ("keys/dek-1.tr31", "[[key]] dek-1 block_file"),
];

/// An installation whose card keys are under the LMK of a payment HSM, which is not asked before its files are read.
fn installed_with_devices() -> Trial {
    let trial = Trial::new();
    for name in ["jwe.crt", "jwe.key"] {
        fs::copy(fixtures::folder().join("keys").join(name), trial.path("keys").join(name)).unwrap();
    }
    fs::rename(trial.path("keys/jwe.key"), trial.path("keys/hsm.key")).unwrap();
    trial.configure("provider = \"software\"", "provider = \"payshield\"");
    trial.configure("pin_storage_key = \"pin-1\"\n", "");
    let text = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let under_lmk = text.split("[[key]]\n").map(|section| {
        let usage = [("\"cvk", "C0"), ("\"pvk", "V2"), ("\"zpk", "P0")];
        match usage.iter().find(|(id, _)| section.starts_with(&format!("id = {id}"))) {
            Some((_, usage)) => {
                let lmk = format!("lmk = {{ usage = \"{usage}\", algorithm = \"TDES_2KEY\" }}");
                section.replacen("kbpk = \"main\"", &lmk, 1)
            }
            None => section.to_owned(),
        }
    });
    fs::write(trial.path("emboss.toml"), under_lmk.collect::<Vec<_>>().join("[[key]]\n")).unwrap();
    for entry in fs::read_dir(trial.path("keys")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if ["cvk", "pvk", "zpk"].iter().any(|start| name.starts_with(start)) {
            fs::write(&path, "U0123456789ABCDEFFEDCBA9876543210\n").unwrap();
        }
    }
    trial.set_mode("keys/hsm.key", 0o600);
    trial.configure_more(
        "[vault.payshield]\nlmk = \"variant\"\nlmk_check_value = \"9D04A0\"\ndevices = [\"127.0.0.1:1\"]\n\
         attempts = 1\n\n[vault.payshield.tls]\nca_file = \"keys/jwe.crt\"\ncertificate_file = \"keys/jwe.crt\"\n\
         key_file = \"keys/hsm.key\"",
    );
    trial
}

/// `check` names every one of these files, with this beside it.
#[track_caller]
fn refuses(trial: &Trial, secrets: &[(&str, &str)], fault: &str) {
    let outcome = trial.run(&["check"]).exits(1);
    for (file, subject) in secrets {
        let path = trial.path(file).display().to_string();
        let told = outcome.stdout.lines().find(|line| line.contains(&path) && line.contains(fault));
        assert!(told.is_some_and(|line| line.contains(subject)), "{file} {fault}: {}", outcome.both());
    }
}

fn exchange(trial: &Trial, secrets: &[(&str, &str)], with: impl Fn(&Path, PathBuf)) {
    for (file, _) in secrets {
        let path = trial.path(file);
        let kept = path.with_added_extension("kept");
        fs::rename(&path, &kept).unwrap();
        with(&path, kept);
    }
}

fn put_back(trial: &Trial, secrets: &[(&str, &str)]) {
    for (file, _) in secrets {
        let path = trial.path(file);
        fs::remove_file(&path).unwrap();
        fs::rename(path.with_added_extension("kept"), &path).unwrap();
    }
}

#[test]
fn every_kind_of_secret_is_refused_where_others_may_read_it() {
    refuses_modes(&installed(), &[SECRETS, BEHIND]);
}

#[test]
fn what_a_payment_hsm_is_used_with_is_refused_where_others_may_read_it() {
    refuses_modes(&installed_with_devices(), &[OF_DEVICES]);
}

#[track_caller]
fn refuses_modes(trial: &Trial, groups: &[&[(&str, &str)]]) {
    let sound = trial.run(&["check"]).exits(1).says(&["configuration: is valid."]);
    assert!(!sound.both().contains("has mode"), "{}", sound.both());
    for secrets in groups {
        for mode in [0o640, 0o644, 0o604, 0o440, 0o700] {
            secrets.iter().for_each(|(file, _)| trial.set_mode(file, mode));
            refuses(trial, secrets, &format!("has mode {mode:04o}, so that others may use this secret"));
        }
        secrets.iter().for_each(|(file, _)| trial.set_mode(file, 0o600));
    }
}

#[test]
fn a_link_is_judged_by_what_it_leads_to_and_a_pipe_is_no_file() {
    for (trial, secrets) in [(installed(), SECRETS), (installed(), BEHIND), (installed_with_devices(), OF_DEVICES)] {
        exchange(&trial, secrets, |path, kept| {
            fs::set_permissions(&kept, PermissionsExt::from_mode(0o644)).unwrap();
            symlink(kept, path).unwrap();
        });
        refuses(&trial, secrets, "has mode 0644");
        put_back(&trial, secrets);
        secrets.iter().for_each(|(file, _)| trial.set_mode(file, 0o600));
        exchange(&trial, secrets, |path, _| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        });
        refuses(&trial, secrets, "is not a regular file");
        put_back(&trial, secrets);
    }
}

/// systemd gives credentials mode 0440 and no other, in a folder that nobody else may enter.
#[test]
fn a_credential_may_be_read_by_its_group_in_its_folder_only() {
    let trial = Trial::new();
    let credentials = trial.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(trial.path("keys/dek-1.tr31"), credentials.join("dek-1")).unwrap();
    trial.configure("keys/dek-1.tr31", "credential:dek-1");
    let check = |mode| {
        trial.set_mode("credentials/dek-1", mode);
        Outcome::of(trial.command(&["check"]).env("CREDENTIALS_DIRECTORY", &credentials))
    };
    check(0o440).exits(0);
    check(0o400).exits(0);
    for mode in [0o444, 0o640, 0o460, 0o644] {
        check(mode).exits(1).says(&["[[key]] dek-1 block_file", &format!("has mode {mode:04o}")]);
    }
    // The same mode beside the folder, named so that it seems to lie in it.
    fs::copy(credentials.join("dek-1"), trial.path("keys/dek-1.tr31")).unwrap();
    trial.set_mode("keys/dek-1.tr31", 0o440);
    trial.configure("credential:dek-1", "credentials/../keys/dek-1.tr31");
    check(0o440).exits(1).says(&["dek-1.tr31 has mode 0440"]);
    // And nothing leads out of it.
    trial.configure("credentials/../keys/dek-1.tr31", "credential:../keys/dek-1.tr31");
    check(0o440).exits(1).says(&["names a credential that cannot exist"]);
}

/// What looks like a secret, to be found where it should not be.
const INLINE: &str = "00112233445566778899AABBCCDDEEFF";

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    for (from, to) in [
        ("[vault]\n", format!("[vault]\nkbpk_key = \"{INLINE}\"\n")),
        ("[vault.kbpk.main]\n", format!("[vault.kbpk.main]\ncomponents = [\"{INLINE}\", \"{INLINE}\"]\n")),
        ("component_files = [\"keys/kbpk-1.hex\", \"keys/kbpk-2.hex\"]", format!("component_files = \"{INLINE}\"")),
        ("[database]\n", format!("[database]\npassword = \"{INLINE}\"\n")),
        ("key_file = \"keys/signer.key\"\n", format!("key_file = \"keys/signer.key\"\npassphrase = \"{INLINE}\"\n")),
        ("id = \"dek-1\"\n", format!("id = \"dek-1\"\nblock = \"{INLINE}\"\n")),
        ("id = \"dek-1\"\n", format!("id = \"dek-1\"\nkey = \"{INLINE}\"\n")),
    ] {
        let trial = Trial::new();
        trial.configure(from, &to);
        for command in ["check", "run"] {
            let outcome = trial.run(&[command]).exits(2).says(&["emboss.toml, line "]);
            assert!(!outcome.both().contains(&INLINE[..8]), "{to}: {}", outcome.both());
        }
    }
}

#[test]
fn a_secret_in_the_environment_is_not_read() {
    let trial = Trial::new();
    let component = fs::read_to_string(trial.path("keys/kbpk-1.hex")).unwrap();
    fs::remove_file(trial.path("keys/kbpk-1.hex")).unwrap();
    let mut command = trial.command(&["check"]);
    for name in ["KBPK_1", "EMBOSS_KBPK_1", "EMBOSS_VAULT_KBPK_MAIN", "EMBOSS_KBPK", "KEYS_KBPK_1_HEX", "kbpk-1"] {
        command.env(name, component.trim());
    }
    let outcome = Outcome::of(&mut command).exits(1).says(&["keys/kbpk-1.hex cannot be read"]);
    assert!(!outcome.both().contains(&component[..12]), "{}", outcome.both());
}
