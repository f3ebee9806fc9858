//! `emboss keys import` with the real program: what stands there afterwards, and that a refusal leaves everything as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use cmac::{Cmac, KeyInit, Mac};
use des::TdesEde3;
use des::cipher::BlockCipherEncrypt;
use emboss::ambient::Random;
use emboss::vault::kbpk::Kbpk;
use emboss::vault::tr31::{self, BlockTerms};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::trial::{Outcome, State, Trial, rows};

/// A key of 16 bytes nobody has published: 0x21 to 0x30.
pub(crate) fn some_key() -> Vec<u8> {
    (0x21..0x31).collect()
}

/// The check value of a TDES key of 16 bytes or an AES key of 32, from their definitions: the first three bytes of a block
/// of zeros encrypted, and of its CMAC.
pub(crate) fn kcv(key: &[u8]) -> String {
    if key.len() == 32 {
        let mut mac = Cmac::<aes::Aes256>::new_from_slice(key).unwrap();
        mac.update(&[0; 16]);
        return hex::encode_upper(&mac.finalize().into_bytes()[..3]);
    }
    let triple = [key, &key[..24 - key.len()]].concat();
    let mut block = [0; 8];
    TdesEde3::new_from_slice(&triple).unwrap().encrypt_block((&mut block).into());
    hex::encode_upper(&block[..3])
}

/// The protection key of a trial.
pub(crate) fn kbpk_of(trial: &Trial) -> Kbpk {
    let component = |number| fs::read_to_string(trial.path(&format!("keys/kbpk-{number}.hex"))).unwrap();
    Kbpk::join(&[component(1), component(2)], &[], None).unwrap()
}

fn block(kbpk: &Kbpk, usage: &'static str, mode: char, key: &[u8]) -> String {
    let algorithm = if key.len() == 32 { 'A' } else { 'T' };
    tr31::make(kbpk, BlockTerms { usage, algorithm, mode }, key, &Random::seeded(5)).unwrap()
}

/// Writes a file beside the installation and gives its path.
fn given(trial: &Trial, name: &str, text: &str) -> String {
    let path = trial.home().parent().unwrap().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A block of a zone PIN key, as a house would send it.
pub(crate) fn zone_block(trial: &Trial) -> String {
    given(trial, "received.txt", &format!("{}\r\n", block(&kbpk_of(trial), "P0", 'E', &some_key())))
}

pub(crate) fn import(trial: &Trial, id: &str, block: &str, more: &[&str]) -> Outcome {
    let who = ["--by", "anna", "--reason", "the zone's new key"];
    trial.run(&[&["keys", "import", "--id", id, "--block", block], more, &who[..]].concat())
}

/// Everything an import may change, besides the database.
#[derive(PartialEq, Eq)]
struct Home {
    state: State,
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

fn home(trial: &Trial) -> Home {
    let mut files = BTreeMap::new();
    for folder in ["", "keys"] {
        for entry in fs::read_dir(trial.path(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_file() && !name.contains("emboss.db") {
                files.insert(name, (path.metadata().unwrap().permissions().mode(), fs::read(&path).unwrap()));
            }
        }
    }
    Home { state: trial.state(), files }
}

/// The import is refused as configuration, with these words, and everything is as before; the output tells no secret.
#[track_caller]
fn refused(trial: &Trial, id: &str, block: &str, more: &[&str], says: &[&str]) {
    let before = home(trial);
    let outcome = import(trial, id, block, more).exits(2).says(says).says(&["Nothing was changed."]);
    let secret = hex::encode_upper(some_key());
    assert!(!outcome.both().to_uppercase().contains(&secret), "the key itself: {}", outcome.both());
    let after = home(trial);
    after.state.is_still(&before.state, says[0]);
    let names = |home: &Home| home.files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{says:?}");
    assert!(after.files == before.files, "a file changed: {says:?}");
}

#[test]
fn a_zone_key_comes_in_and_everything_else_stays() {
    let trial = Trial::with_orders();
    let before = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let file = zone_block(&trial);
    let (key, kcv) = (some_key(), kcv(&some_key()));
    let lower = kcv.to_lowercase();
    let windows = ["--not-before", "2030-01-01T00:00:00Z", "--not-after", "2033-01-01T00:00:00Z"];
    let more = [&["--kbpk", "main", "--kcv", &lower, "--json"], &windows[..]].concat();
    let outcome = import(&trial, "zpk-x-2", &file, &more).exits(0);
    let mut object = outcome.object();
    let next = object["next"].take();
    assert_eq!(
        object,
        json!({
            "command": "keys import", "id": "zpk-x-2", "usage": "P0", "algorithm": "TDES_2KEY", "kcv": kcv,
            "protectedBy": "main", "blockFile": "keys/zpk-x-2.tr31", "state": "NOT_YET",
            "notBefore": "2030-01-01T00:00:00Z", "notAfter": "2033-01-01T00:00:00Z", "retireAt": null,
            "next": null, "exitCode": 0,
        })
    );
    for part in ["zpk-x-2", "pin_keys", "2030-01-01T00:00:00Z", "set_pin_keys"] {
        assert!(next[0].as_str().unwrap().contains(part), "{part}: {next}");
    }

    let after = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let added = after.strip_prefix(&before).expect("what stood there stays as it was");
    let (comment, section) = added.trim_start().split_once('\n').unwrap();
    assert!(comment.starts_with("# 20") && comment.ends_with(" anna (the zone's new key)"), "{comment}");
    assert_eq!(
        section,
        format!(
            "[[key]]\nid = \"zpk-x-2\"\nblock_file = \"keys/zpk-x-2.tr31\"\nkbpk = \"main\"\nkcv = \"{kcv}\"\n\
             not_before = 2030-01-01T00:00:00Z\nnot_after = 2033-01-01T00:00:00Z\n"
        )
    );
    let placed = trial.path("keys/zpk-x-2.tr31");
    assert_eq!(placed.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(&placed).unwrap().trim(), fs::read_to_string(&file).unwrap().trim());
    assert_eq!(trial.path("emboss.toml").metadata().unwrap().permissions().mode() & 0o7777, 0o600);

    let mut audit = rows(&trial.path("emboss.db"))["audit"].clone();
    audit.retain(|row| row.contains("'key.imported'"));
    assert_eq!(audit.len(), 1);
    for part in ["'anna'", "'key.imported'", "'the zone''s new key'", "'zpk-x-2'", "\"P0\"", &kcv] {
        assert!(audit[0].contains(part), "{part}: {}", audit[0]);
    }
    let told = format!("{}{}{after}", outcome.both(), audit[0]).to_uppercase();
    assert!(!told.contains(&hex::encode_upper(key)) && !told.contains(fs::read_to_string(&file).unwrap().trim()));
    trial.run(&["check"]).exits(0);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_key_for_every_usage_from_a_pipe_with_what_is_still_to_be_done() {
    let trial = Trial::new();
    for (usage, mode, length, says) in [
        ("P0", 'B', 16, "Name key-P0 in pin_keys of its [[manufacturer]]: the first of the list"),
        ("C0", 'C', 16, "as cvv_key or cvv2_key of its products"),
        ("V2", 'C', 16, "as pvv_key of its products"),
        ("D0", 'B', 32, "`emboss keys rotate` seal anew"),
    ] {
        let key: Vec<u8> = (0..length).map(|byte| byte * 3 + 7).collect();
        let line = block(&kbpk_of(&trial), usage, mode, &key);
        let id = format!("key-{usage}");
        let who = ["--by", "anna", "--reason", "ceremony 7"];
        let arguments = [&["keys", "import", "--id", &id, "--kbpk", "main", "--block", "-"], &who[..]].concat();
        let outcome = Outcome::fed(&mut trial.command(&arguments), line.as_bytes()).exits(0);
        outcome.says(&[&format!("Key {id} is in the configuration: {usage}, "), &kcv(&key), says, "emboss check"]);
    }
    trial.run(&["check"]).exits(0);
}

/// Version B under a TDES protection key that is new, too: its components are named, not copied.
#[test]
fn a_new_protection_key_comes_with_its_first_key() {
    let trial = Trial::new();
    let (first, second): (Vec<u8>, Vec<u8>) = ((1..25).collect(), (101..125).map(|byte| byte ^ 0x55).collect());
    let whole: Vec<u8> = first.iter().zip(&second).map(|(one, other)| one ^ other).collect();
    let files = [("a.hex", &first), ("b.hex", &second)].map(|(name, part)| {
        let path = given(&trial, name, &format!("{}\n", hex::encode_upper(part)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        path
    });
    let kbpk = Kbpk::join(&[hex::encode(&first), hex::encode(&second)], &[], Some(&kcv(&whole))).unwrap();
    let line = block(&kbpk, "P0", 'E', &some_key());
    assert!(line.starts_with('B'));
    let line = given(&trial, "received.txt", &line);
    let (kcvs, whole_kcv) = ([kcv(&first), kcv(&second)], kcv(&whole));
    let new = ["--kbpk", "house-x", "--component", &files[0], "--component", &files[1]];
    let values = ["--component-kcv", &kcvs[0], "--component-kcv", &kcvs[1], "--kbpk-kcv", &whole_kcv];
    let all = [new, values].concat();

    import(&trial, "zpk-x-2", &line, &new).exits(2).says(&["--component-kcv", "--kbpk-kcv"]);
    let swapped = ["--component-kcv", &kcvs[1], "--component-kcv", &kcvs[0], "--kbpk-kcv", &whole_kcv];
    refused(&trial, "zpk-x-2", &line, &[new, swapped].concat(), &["component 1 does not have the check value"]);
    let other = ["--component-kcv", &kcvs[0], "--component-kcv", &kcvs[1], "--kbpk-kcv", "123456"];
    refused(&trial, "zpk-x-2", &line, &[new, other].concat(), &["the joined key does not have the check value"]);
    let one = ["--kbpk", "house-x", "--component", &files[0], "--component-kcv", &kcvs[0], "--kbpk-kcv", &kcvs[0]];
    refused(&trial, "zpk-x-2", &line, &one, &["names 1: name two or more components"]);
    let twice = ["--component", &files[0], "--component-kcv", &kcvs[0]];
    let twice = [&one[..], &twice].concat();
    refused(&trial, "zpk-x-2", &line, &twice, &["name each component once"]);
    let main = [&["--kbpk", "main"], &all[2..]].concat();
    refused(&trial, "zpk-x-2", &line, &main, &["protection key main is in the configuration already"]);
    let odd = [&["--kbpk", "house x"], &all[2..]].concat();
    refused(&trial, "zpk-x-2", &line, &odd, &["--kbpk must be letters"]);
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o640)).unwrap();
    refused(&trial, "zpk-x-2", &line, &all, &["has mode 0640", "chmod 0600"]);
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o600)).unwrap();

    import(&trial, "zpk-x-2", &line, &all).exits(0).says(&["Key zpk-x-2 is in the configuration"]);
    let text = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let section = format!(
        "[vault.kbpk.house-x]\ncomponent_files = [\"{}\", \"{}\"]\ncomponent_kcvs = [\"{}\", \"{}\"]\nkcv = \"{whole_kcv}\"\n",
        files[0], files[1], kcvs[0], kcvs[1]
    );
    assert!(text.contains(&section), "{text}");
    assert!(!trial.path("keys/a.hex").exists(), "components stay where they are");
    // The next key comes under it without its components.
    let more = given(&trial, "more.txt", &block(&kbpk, "C0", 'C', &[some_key()[8..].to_vec(), vec![7; 8]].concat()));
    import(&trial, "cvk-2", &more, &["--kbpk", "house-x"]).exits(0);
    trial.run(&["check"]).exits(0);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let trial = Trial::with_orders();
    let kbpk = kbpk_of(&trial);
    let file = zone_block(&trial);
    let main = ["--kbpk", "main"];
    let with = |more: &[&'static str]| [&main[..], more].concat();
    refused(&trial, "zpk-x-1", &file, &main, &["key zpk-x-1 is in the configuration already"]);
    for id in ["../zpk", "a b", "a/b"] {
        refused(&trial, id, &file, &main, &["an id has 1 to 64 letters, digits"]);
    }
    refused(&trial, "zpk-x-2", &file, &["--kbpk", "other"], &["protection key other is not in the configuration"]);
    refused(&trial, "zpk-x-2", &file, &with(&["--kcv", "000000"]), &["has check value", "says another"]);
    refused(&trial, "zpk-x-2", &file, &with(&["--kcv", "zz"]), &["is not a key check value"]);
    let reversed = ["--not-before", "2030-01-01T00:00:00Z", "--not-after", "2029-01-01T00:00:00Z"];
    refused(&trial, "zpk-x-2", &file, &with(&reversed), &["not_after is not after not_before"]);
    let retired = ["--not-after", "2030-01-01T00:00:00Z", "--retire-at", "2031-01-01T00:00:00Z"];
    refused(&trial, "zpk-x-2", &file, &with(&retired), &["retire_at belongs to card verification keys"]);
    let lmk = ["--lmk-usage", "P0", "--lmk-algorithm", "TDES_2KEY", "--kcv", "1A2B3C"];
    refused(&trial, "zpk-x-2", &file, &lmk, &["write provider = \"payshield\" in [vault]"]);
    refused(&trial, "zpk-x-2", "/nowhere/block", &main, &["/nowhere/block cannot be read"]);
    refused(&trial, "zpk-x-2", &file, &with(&["--into", "/nowhere"]), &["/nowhere cannot be used"]);

    let double = [&some_key()[..8], &some_key()[..8]].concat();
    let foreign = Kbpk::whole(Zeroizing::new(vec![9; 32])).unwrap();
    let good = block(&kbpk, "P0", 'E', &some_key());
    let altered = good.replacen("P0", "C0", 1);
    for (text, says) in [
        (hex::encode(some_key()), "is neither version B nor version D"),
        (String::new(), "is empty"),
        (" \n".to_owned(), "one line with a key block is expected"),
        (format!("{good}\n{good}"), "one line with a key block is expected"),
        (altered, "the MAC of its key block is wrong"),
        (block(&foreign, "P0", 'E', &some_key()), "the MAC of its key block is wrong"),
        (block(&kbpk, "K0", 'E', &some_key()), "has TR-31 usage K0"),
        (block(&kbpk, "P0", 'C', &some_key()), "has mode of use C"),
        (block(&kbpk, "P0", 'E', &double), "equal parts"),
        (block(&kbpk, "C0", 'C', &[7; 32]), "must be a TDES key of 16 bytes"),
    ] {
        refused(&trial, "zpk-x-2", &given(&trial, "bad.txt", &text), &main, &[says]);
    }
}

#[test]
fn usage_that_does_not_go_together() {
    let trial = Trial::new();
    let file = zone_block(&trial);
    let lmk = ["--lmk-usage", "P0", "--lmk-algorithm", "TDES_2KEY"];
    for (more, says) in [
        (vec![], "--kbpk"),
        (lmk.to_vec(), "--kcv"),
        ([&lmk[..], &["--kcv", "1A2B3C", "--kbpk", "main"]].concat(), "cannot be used with"),
        (vec!["--lmk-usage", "P0", "--kcv", "1A2B3C"], "--lmk-algorithm"),
        (vec!["--kbpk", "main", "--retire-at", "2031-01-01T00:00:00Z"], "--not-after"),
        (vec!["--kbpk", "main", "--not-before", "tomorrow"], "--not-before"),
        (vec!["--kbpk", "main", "--kbpk-kcv", "1A2B3C"], "--component"),
    ] {
        import(&trial, "zpk-x-2", &file, &more).exits(2).says(&[says]);
    }
    let arguments = ["keys", "import", "--id", "zpk-x-2", "--kbpk", "main", "--block", &file];
    trial.run(&arguments).exits(2).says(&["--by", "--reason"]);
    let number = "4000001200000008";
    trial.run(&[&arguments[..], &["--by", "anna", "--reason", number]].concat()).exits(2);
    assert!(!trial.path("keys/zpk-x-2.tr31").exists());
}

/// Without any check value nobody can say that the components are those of the ceremony.
#[test]
fn nothing_is_imported_under_a_protection_key_nobody_can_check() {
    let trial = Trial::new();
    let file = zone_block(&trial);
    let text = fs::read_to_string(trial.path("emboss.toml")).unwrap();
    let without = |text: &str, starts: &str| -> String {
        let (before, after) = text.split_once("[vault.kbpk.main]").unwrap();
        let mut lines: Vec<&str> = after.split('\n').collect();
        let place = lines.iter().position(|line| line.starts_with(starts)).unwrap();
        lines.remove(place);
        format!("{before}[vault.kbpk.main]{}", lines.join("\n"))
    };
    let unchecked = without(&without(&text, "component_kcvs"), "kcv");
    fs::write(trial.path("emboss.toml"), unchecked).unwrap();
    let says = ["protection key main has no check value", "component_kcvs and kcv of [vault.kbpk.main]"];
    refused(&trial, "zpk-x-2", &file, &["--kbpk", "main"], &says);
    fs::write(trial.path("emboss.toml"), without(&text, "component_kcvs")).unwrap();
    import(&trial, "zpk-x-2", &file, &["--kbpk", "main"]).exits(0);
}

#[test]
fn a_live_installation_takes_no_published_test_key() {
    let trial = Trial::new();
    trial.go_live();
    let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let key = hex::decode(vectors["keys"]["ZPK_TDES_2KEY"]["hex"].as_str().unwrap()).unwrap();
    let published = given(&trial, "published.txt", &block(&kbpk_of(&trial), "P0", 'E', &key));
    refused(&trial, "zpk-x-2", &published, &["--kbpk", "main"], &["the check value of a published test key"]);
    import(&trial, "zpk-x-2", &zone_block(&trial), &["--kbpk", "main"]).exits(0);
}

/// Another import, or an editor that locks, is at work; an editor that does not is seen before anything is replaced.
#[test]
fn only_one_change_is_made_at_a_time() {
    use rustix::fs::{FlockOperation, flock};
    let trial = Trial::new();
    let file = zone_block(&trial);
    let config = fs::File::open(trial.path("emboss.toml")).unwrap();
    flock(&config, FlockOperation::LockExclusive).unwrap();
    refused(&trial, "zpk-x-2", &file, &["--kbpk", "main"], &["is being changed by somebody else"]);
    drop(config);
    import(&trial, "zpk-x-2", &file, &["--kbpk", "main"]).exits(0);
}

/// What an import left that was killed between block and configuration is taken up; another key's block is not.
/// What may not be written is known before anything is entered: no entry tells of a key that did not come in.
#[test]
fn a_configuration_that_cannot_be_written_leaves_no_entry() {
    let trial = Trial::with_orders();
    let file = zone_block(&trial);
    fs::create_dir(trial.path(".emboss.toml.new")).unwrap();
    refused(&trial, "zpk-2", &file, &["--kbpk", "main"], &["emboss.toml cannot be written"]);
    fs::remove_dir(trial.path(".emboss.toml.new")).unwrap();
    import(&trial, "zpk-2", &file, &["--kbpk", "main"]).exits(0);
}

#[test]
fn a_block_that_lies_there_already() {
    let trial = Trial::new();
    let file = zone_block(&trial);
    let placed = trial.path("keys/zpk-x-2.tr31");
    fs::write(&placed, "another key's block\n").unwrap();
    refused(&trial, "zpk-x-2", &file, &["--kbpk", "main"], &["keys/zpk-x-2.tr31 exists and holds another key"]);
    fs::write(&placed, fs::read(&file).unwrap()).unwrap();
    fs::write(trial.path(".emboss.toml.new"), "half a conf").unwrap();
    import(&trial, "zpk-x-2", &file, &["--kbpk", "main"]).exits(0);
    assert_eq!(placed.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(!trial.path(".emboss.toml.new").exists());
    trial.run(&["check"]).exits(0);
}

#[test]
fn a_linked_configuration_stays_a_link_and_keeps_its_mode() {
    let trial = Trial::new();
    let real = trial.path("real.toml");
    fs::rename(trial.path("emboss.toml"), &real).unwrap();
    std::os::unix::fs::symlink("real.toml", trial.path("emboss.toml")).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    import(&trial, "zpk-x-2", &zone_block(&trial), &["--kbpk", "main"]).exits(0);
    assert!(trial.path("emboss.toml").symlink_metadata().unwrap().is_symlink());
    assert_eq!(real.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(fs::read_to_string(&real).unwrap().contains("id = \"zpk-x-2\""));
}

/// A configuration that is at fault itself is not added to.
#[test]
fn a_faulty_configuration_is_mended_first() {
    let trial = Trial::new();
    let file = zone_block(&trial);
    trial.set_mode("keys/dek-1.tr31", 0o640);
    let before = home(&trial);
    import(&trial, "zpk-x-2", &file, &["--kbpk", "main"]).exits(2).says(&["keys/dek-1.tr31 has mode 0640"]);
    assert!(home(&trial).files == before.files);
    trial.set_mode("keys/dek-1.tr31", 0o600);
    // A key under a protection key that cannot be put together says why.
    trial.set_mode("keys/kbpk-1.hex", 0o640);
    refused(&trial, "zpk-x-2", &file, &["--kbpk", "main"], &["keys/kbpk-1.hex has mode 0640"]);
    trial.set_mode("keys/kbpk-1.hex", 0o600);
    // A faulty zone key keeps nobody out: this may be its successor.
    fs::write(trial.path("keys/zpk-x-1.tr31"), "no block").unwrap();
    import(&trial, "zpk-x-2", &file, &["--kbpk", "main"]).exits(0);
    trial.configure("months = 36", "months = 0");
    let before = home(&trial);
    import(&trial, "zpk-x-3", &file, &["--kbpk", "main"]).exits(2).says(&["months"]);
    assert!(home(&trial).files == before.files);
}
