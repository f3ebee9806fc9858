//! A key under the LMK of a payment HSM: what the device protects is taken as it is, with what a person says of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use clap::Parser;

use super::*;
use crate::ambient::Random;
use crate::cli::{Arguments, Surroundings};
use crate::trial::lay_out;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    import: ImportArguments,
}

const NOW: &str = "2026-06-12T03:00:00Z";
/// A double-length key under a variant LMK.
const UNDER_LMK: &str = "U0123456789ABCDEFFEDCBA9876543210";

/// A trial whose card keys are in a payment HSM.
fn with_a_device() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    lay_out(&folder.path().join("trial"), &Random::seeded(3), NOW.parse().unwrap()).unwrap();
    let path = folder.path().join("trial/emboss.toml");
    let mut text = fs::read_to_string(&path).unwrap().replace("provider = \"software\"", "provider = \"payshield\"");
    for (id, usage) in [("cvk-1", "C0"), ("cvk2-1", "C0"), ("pvk-1", "V2"), ("zpk-x-1", "P0"), ("zpk-bank-1", "P0")] {
        let own = format!("block_file = \"keys/{id}.tr31\"\nkbpk = \"main\"");
        let lmk =
            format!("block_file = \"keys/{id}.tr31\"\nlmk = {{ usage = \"{usage}\", algorithm = \"TDES_2KEY\" }}");
        assert!(text.contains(&own), "{id}");
        text = text.replace(&own, &lmk);
        fs::write(folder.path().join(format!("trial/keys/{id}.tr31")), UNDER_LMK).unwrap();
    }
    text += "\n[vault.payshield]\nlmk = \"variant\"\nlmk_check_value = \"2686047500000000\"\ndevices = [\"127.0.0.1:1500\"]\n";
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("block"), format!("{UNDER_LMK}\n")).unwrap();
    folder
}

fn checked(folder: &Path, more: &[&str]) -> Result<Addition, Failure> {
    let block = folder.join("block").display().to_string();
    let who = ["import", "--id", "zpk-x-2", "--by", "anna", "--reason", "why", "--block", &block];
    let line = Line::try_parse_from([&who[..], more].concat()).expect("a command line");
    let arguments = Arguments::try_parse_from(["emboss", "status"]).expect("a command line");
    let surroundings =
        Surroundings { config: None, credentials_directory: None, holder: String::new(), terminal: false };
    let home = Home { arguments: &arguments, surroundings: &surroundings };
    let edit = Edit::begin(&folder.join("trial/emboss.toml")).unwrap();
    let authority = line.import.author.authority()?;
    Addition::checked(&line.import, &edit, &home, &authority, NOW.parse().unwrap())
}

#[test]
fn a_key_under_the_lmk_is_taken_with_what_a_person_says_of_it() {
    let folder = with_a_device();
    let lmk = ["--lmk-usage", "P0", "--lmk-algorithm", "TDES_2KEY", "--kcv", "1a2b3c"];
    let addition = checked(folder.path(), &lmk).map_err(|failure| failure.text).unwrap();
    let expected = "[[key]]\nid = \"zpk-x-2\"\nblock_file = \"keys/zpk-x-2.tr31\"\n\
                    lmk = { usage = \"P0\", algorithm = \"TDES_2KEY\" }\nkcv = \"1A2B3C\"\n";
    assert!(addition.text.ends_with(expected), "{}", addition.text);
    assert_eq!((addition.protected_by.as_str(), addition.block.as_str()), ("LMK", UNDER_LMK));
    assert_eq!(addition.trace().to_string(), r#"{"id":"zpk-x-2","usage":"P0","kcv":"1A2B3C"}"#);
    assert!(!folder.path().join("trial/keys/zpk-x-2.tr31").exists(), "checking writes nothing");
}

#[test]
fn a_key_under_the_lmk_is_of_a_usage_the_device_has() {
    let folder = with_a_device();
    for usage in ["D0", "M7"] {
        let lmk = ["--lmk-usage", usage, "--lmk-algorithm", "TDES_2KEY", "--kcv", "1A2B3C"];
        let refused = checked(folder.path(), &lmk).err().expect("refused").text;
        assert!(refused.contains(&format!("lmk says usage {usage}, which this program computes itself")), "{refused}");
    }
    fs::write(folder.path().join("block"), &UNDER_LMK[1..]).unwrap();
    let lmk = ["--lmk-usage", "P0", "--lmk-algorithm", "TDES_2KEY", "--kcv", "1A2B3C"];
    let refused = checked(folder.path(), &lmk).err().expect("refused").text;
    assert!(refused.contains("key zpk-x-2 under the LMK"), "{refused}");
    assert!(!refused.contains(&UNDER_LMK[1..]), "{refused}");
    let mode = folder.path().join("trial/emboss.toml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn what_is_still_to_be_done_with_a_new_key_of_the_audit() {
    let info = KeyInfo {
        id: "aud-2".to_owned(),
        usage: KeyUsage::Hmac,
        algorithm: KeyAlgorithm::Hmac,
        kcv: "1A2B3C4D5E".to_owned(),
        window: KeyWindow::default(),
    };
    let [naming, _] = still_to_do(&info);
    assert!(naming.starts_with("Name aud-2 as audit_key in [vault] and leave the old key in"), "{naming}");
    assert!(naming.contains("As pan_index_key only where there is no database yet"), "{naming}");
}
