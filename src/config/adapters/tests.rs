//! An installation on a disk, sound and with one thing wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use std::sync::Arc;

use super::*;
use crate::ambient::{Clock, FixedClock, Random};
use crate::seal::{GeneratedKey, generate_key};
use crate::store::StoreError;
use crate::vault::KeyAlgorithm;
use crate::vault::Vault;
use crate::vault::key_set::{KeySet, make_test_keys};

const MINIMAL: &str = include_str!("../../../deploy/emboss.minimal.toml");

fn now() -> DateTime<Utc> {
    "2026-06-12T03:00:00Z".parse().unwrap()
}

/// A folder with the minimal sample, real keys, and two zone PIN keys for its house.
struct Installation {
    folder: tempfile::TempDir,
    keys: KeySet,
    signer: GeneratedKey,
    text: String,
}

impl Installation {
    fn new() -> Self {
        let random = Random::seeded(7);
        let zones = [("zpk-1", KeyAlgorithm::Tdes2Key), ("zpk-2", KeyAlgorithm::Aes128)];
        let keys = make_test_keys(&random, &zones).unwrap();
        let signer = generate_key("signer", now()).unwrap();
        let house = generate_key("house", now()).unwrap();
        let mut text = MINIMAL
            .replace("/var/lib/emboss/", "")
            .replace(&"0".repeat(40), &signer.fingerprint)
            .replace(&"1".repeat(40), &house.fingerprint)
            .replace("destination = \"outbox\"", "destination = \"outbox\"\npin_keys = [\"zpk-1\"]");
        for zone in ["zpk-1", "zpk-2"] {
            text += &format!("\n[[key]]\nid = \"{zone}\"\nblock_file = \"keys/{zone}.tr31\"\nkbpk = \"main\"\n");
        }
        let installation = Self { folder: tempfile::tempdir().unwrap(), keys, signer, text };
        for folder in ["keys", "credentials"] {
            fs::create_dir(installation.folder.path().join(folder)).unwrap();
        }
        for key in &installation.keys.keys {
            installation.write(&format!("keys/{}.tr31", key.id), 0o600, format!("{}\n", key.block).as_bytes());
        }
        for (name, component) in ["kbpk-1", "kbpk-2"].iter().zip(&installation.keys.components) {
            installation.write(&format!("credentials/{name}"), 0o440, format!("{}\n", **component).as_bytes());
        }
        installation.write("credentials/signer", 0o400, &installation.signer.secret_key);
        installation.write("keys/house-a.asc", 0o644, &house.certificate);
        installation
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, mode: u32, bytes: &[u8]) {
        let _ = fs::remove_file(self.path(name));
        fs::write(self.path(name), bytes).unwrap();
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Config {
        self.write("emboss.toml", 0o644, self.text.as_bytes());
        Config::load(&self.path("emboss.toml"), Some(&self.path("credentials"))).unwrap()
    }

    fn vault(&self) -> Result<Vault, Vec<String>> {
        open_vault(&self.load(), Arc::new(Random::seeded(1))).map_err(|found| sentences(&found))
    }

    fn sealer(&self) -> Result<Sealer, Vec<String>> {
        let config = self.load();
        open_sealer(&config, &config.agreements[0], now()).map_err(|found| sentences(&found))
    }

    fn unusable_keys(&self) -> Vec<String> {
        let config = self.load();
        let terms = terms(&config, &config.agreements[0]).unwrap();
        sentences(&unusable_keys(&terms, &self.vault().unwrap(), now()))
    }
}

fn sentences(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_installation_opens() {
    let installation = Installation::new();
    assert!(installation.vault().unwrap().key("zpk-1").is_some());
    assert_eq!(installation.sealer().unwrap().fingerprints()[1], installation.signer.fingerprint);
    assert_eq!(installation.unusable_keys(), [""; 0]);
    assert!(signer_certificate(&installation.load(), now()).unwrap().len() > 100);
}

#[tokio::test]
async fn the_database_is_made_only_where_that_is_asked_for() {
    let config = Installation::new();
    let (config, _folder) = (config.load(), config.folder);
    let clock: Arc<dyn Clock> = Arc::new(FixedClock(now()));
    let random = Arc::new(Random::seeded(1));
    let refused = open_store(&config, false, Arc::clone(&clock), Arc::clone(&random), None).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })));
    open_store(&config, true, Arc::clone(&clock), Arc::clone(&random), None).await.unwrap();
    open_store(&config, false, clock, random, None).await.unwrap();
}

#[test]
fn every_unreadable_secret_is_told_at_once() {
    let installation = Installation::new();
    installation.write("keys/dek-1.tr31", 0o640, b"x");
    fs::remove_file(installation.path("credentials/kbpk-2")).unwrap();
    let found = installation.vault().unwrap_err();
    let here = installation.folder.path().display();
    assert_eq!(
        found,
        [
            format!(
                "[vault.kbpk.main] component_files: {here}/credentials/kbpk-2 cannot be read: \
                 check that it exists and that this user owns it (No such file or directory (os error 2))"
            ),
            format!(
                "[[key]] dek-1 block_file: {here}/keys/dek-1.tr31 has mode 0640, so that others may use this secret: \
                 run `chmod 0600 {here}/keys/dek-1.tr31`"
            ),
        ]
    );
}

#[test]
fn r11_a_faulty_zone_key_stops_only_its_agreement() {
    for (mode, block) in [(0o644, "unreadable"), (0o600, "D0112P0AE00E0000 not a block")] {
        let installation = Installation::new();
        installation.write("keys/zpk-1.tr31", mode, block.as_bytes());
        let vault = installation.vault().unwrap();
        assert!(vault.key("zpk-1").is_none() && vault.key("zpk-2").is_some() && vault.key("dek-1").is_some());
        let found = installation.unusable_keys();
        let expected =
            "[[manufacturer]] HOUSE_A pin_keys: key zpk-1 could not be opened: run `emboss check` to see why";
        assert_eq!(found, [expected]);
        let (_, left_out) = open_vault_telling(&installation.load(), Arc::new(Random::seeded(1))).unwrap();
        assert_eq!(left_out.len(), 1);
        assert!(left_out[0].to_string().contains("zpk-1"), "{}", left_out[0]);
    }
}

#[test]
fn a_faulty_shared_key_stops_everything() {
    let installation = Installation::new();
    installation.write("keys/zpk-1.tr31", 0o600, b"no block");
    installation.write("keys/cvk2-1.tr31", 0o600, b"no block");
    let found = installation.vault().unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("cvk2-1") && !found[0].contains("zpk-1"), "{found:?}");
}

#[test]
fn a_key_of_an_issuers_pin_blocks_must_be_a_zone_key_in_force_that_may_decrypt() {
    let mut installation = Installation::new();
    let base = installation.text.clone();
    let told = |installation: &Installation| {
        let config = installation.load();
        sentences(&unusable_issuer_keys(&config.institutions[0], &installation.vault().unwrap(), now()))
    };
    assert_eq!(told(&installation), [""; 0]);
    for (keys, expected) in [
        ("[\"zpk-1\", \"zpk-2\"]", vec![]),
        ("[\"cvk2-1\"]", vec!["key cvk2-1 has usage C0; it must not be used as P0"]),
        ("[\"zpk-1\", \"dek-1\"]", vec!["key dek-1 has usage D0; it must not be used as P0"]),
    ] {
        let of_institution = format!("[[institution]]\nset_pin_keys = {keys}");
        installation.text = base.replace("[[institution]]", &of_institution);
        let expected: Vec<String> =
            expected.iter().map(|text| format!("[[institution]] 100001 set_pin_keys: {text}")).collect();
        assert_eq!(told(&installation), expected, "{keys}");
        assert_eq!(installation.unusable_keys(), [""; 0], "it stops no night");
    }
    let ended = "kbpk = \"main\"\nnot_after = 2026-06-12T02:59:59Z";
    let zone_2 = "block_file = \"keys/zpk-2.tr31\"\nkbpk = \"main\"";
    installation.text = base
        .replace("[[institution]]", "[[institution]]\nset_pin_keys = [\"zpk-2\"]")
        .replace(zone_2, &format!("block_file = \"keys/zpk-2.tr31\"\n{ended}"));
    assert!(told(&installation)[0].contains("zpk-2"), "{:?}", told(&installation));
    installation.text = installation.text.replace(ended, "kbpk = \"main\"");
    installation.write("keys/zpk-2.tr31", 0o600, b"no block");
    let not_opened =
        "[[institution]] 100001 set_pin_keys: key zpk-2 could not be opened: run `emboss check` to see why";
    assert_eq!(told(&installation), [not_opened]);
}

#[test]
fn a_zone_key_fits_the_pin_block_format() {
    let mut installation = Installation::new();
    let base = installation.text.clone();
    for (format, key, expected) in [
        ("ISO_0", "zpk-1", None),
        ("ISO_3", "zpk-1", None),
        ("ISO_4", "zpk-2", None),
        ("ISO_0", "zpk-2", Some("key zpk-2 is AES_128, but ISO_0 needs a TDES key")),
        ("ISO_3", "zpk-2", Some("key zpk-2 is AES_128, but ISO_3 needs a TDES key")),
        ("ISO_4", "zpk-1", Some("key zpk-1 is TDES_2KEY, but ISO_4 needs an AES key")),
    ] {
        let pins = format!("pin_keys = [\"{key}\"]\npin_block_format = \"{format}\"");
        installation.text = base.replace("pin_keys = [\"zpk-1\"]", &pins);
        let expected: Vec<String> =
            expected.iter().map(|text| format!("[[manufacturer]] HOUSE_A pin_keys: {text}")).collect();
        assert_eq!(installation.unusable_keys(), expected, "{format} {key}");
    }
}

#[test]
fn a_key_serves_its_own_usage_only() {
    let mut installation = Installation::new();
    let base = installation.text.clone();
    installation.text = base.replace("pin_keys = [\"zpk-1\"]", "pin_keys = [\"zpk-1\", \"cvk2-1\"]");
    assert_eq!(installation.unusable_keys(), ["[[manufacturer]] HOUSE_A pin_keys: key cvk2-1 has usage C0, not P0"]);
    installation.text = base.replace("cvv2_key = \"cvk2-1\"", "cvv2_key = \"zpk-2\"");
    assert_eq!(installation.unusable_keys(), ["[[product]] 100001/GIFT_CARD cvv2_key: key zpk-2 has usage P0, not C0"]);
}

/// Both zone PIN keys TDES, as the format of the house needs them; the list as given, with these windows.
fn two_zone_keys(list: &str, first: &str, second: &str) -> Installation {
    let mut installation = Installation::new();
    let zones = [("zpk-1", KeyAlgorithm::Tdes2Key), ("zpk-2", KeyAlgorithm::Tdes2Key)];
    installation.keys = make_test_keys(&Random::seeded(9), &zones).unwrap();
    for key in &installation.keys.keys {
        installation.write(&format!("keys/{}.tr31", key.id), 0o600, key.block.as_bytes());
    }
    for (name, component) in ["kbpk-1", "kbpk-2"].iter().zip(&installation.keys.components) {
        installation.write(&format!("credentials/{name}"), 0o440, component.as_bytes());
    }
    let text = installation.text.replace("pin_keys = [\"zpk-1\"]", &format!("pin_keys = {list}"));
    let text = text.replace("id = \"zpk-1\"", &format!("id = \"zpk-1\"\n{first}"));
    installation.text = text.replace("id = \"zpk-2\"", &format!("id = \"zpk-2\"\n{second}"));
    installation
}

/// `now()` is 2026-06-12T03:00:00Z.
#[test]
fn an_ended_zone_key_or_one_that_has_not_begun_stops_nothing_while_another_is_in_force() {
    let (begins, ended) = ("not_before = 2026-06-12T03:00:01Z", "not_after = 2026-06-12T02:59:59Z");
    for (list, first, second) in [
        (r#"["zpk-1", "zpk-2"]"#, "", begins),
        (r#"["zpk-2", "zpk-1"]"#, "", begins),
        (r#"["zpk-1", "zpk-2"]"#, ended, "not_before = 2026-06-12T03:00:00Z"),
        (r#"["zpk-1", "zpk-2"]"#, "not_after = 2026-06-12T03:00:00Z", begins),
    ] {
        assert_eq!(two_zone_keys(list, first, second).unusable_keys(), [""; 0], "{list} {first} {second}");
    }
    let subject = "[[manufacturer]] HOUSE_A pin_keys: key";
    let too_early = |id| format!("{subject} {id} must not be used before 2026-06-12 03:00:01 UTC");
    assert_eq!(two_zone_keys(r#"["zpk-1"]"#, begins, "").unusable_keys(), [too_early("zpk-1")]);
    let of_the_gap = two_zone_keys(r#"["zpk-1", "zpk-2"]"#, ended, begins).unusable_keys();
    let over =
        format!("{subject} zpk-1 must not be used after 2026-06-12 02:59:59 UTC; a new key is needed in its place");
    assert_eq!(of_the_gap, [over, too_early("zpk-2")]);
}

#[test]
fn a_rollover_of_an_issuers_zone_key_is_no_finding_while_one_is_in_force() {
    let told = |first: &str, second: &str| {
        let mut installation = two_zone_keys(r#"["zpk-1"]"#, first, second);
        let named = "set_pin_keys = [\"zpk-1\", \"zpk-2\"]\n[[product]]";
        installation.text = installation.text.replacen("[[product]]", named, 1);
        let config = installation.load();
        sentences(&unusable_issuer_keys(&config.institutions[0], &installation.vault().unwrap(), now()))
    };
    let (begins, ended) = ("not_before = 2026-06-12T03:00:01Z", "not_after = 2026-06-12T02:59:59Z");
    assert_eq!(told("", begins), [""; 0]);
    assert_eq!(told(ended, ""), [""; 0]);
    assert_eq!(told(ended, begins).len(), 2);
}

/// The data key seals fill seeds and PINs, the storage key PINs: without one in force nothing new may be sealed.
#[test]
fn the_keys_of_the_vault_are_in_force() {
    let ended = |id: &str| {
        let mut installation = Installation::new();
        installation.text = installation
            .text
            .replace(&format!("id = \"{id}\""), &format!("id = \"{id}\"\nnot_after = 2026-06-12T02:59:59Z"));
        installation
    };
    let after = "must not be used after 2026-06-12 02:59:59 UTC; a new key is needed in its place";
    assert_eq!(ended("dek-1").unusable_keys(), [format!("[vault] data_key: key dek-1 {after}")]);
    let mut installation = ended("pin-1");
    assert_eq!(installation.unusable_keys(), [""; 0], "no product has a PIN");
    installation.text = installation
        .text
        .replace("cvv2_key = \"cvk2-1\"", "cvv2_key = \"cvk2-1\"\npin = { pvv_key = \"pvk-1\", pvki = \"1\" }")
        + "\n[[key]]\nid = \"pvk-1\"\nblock_file = \"keys/pvk-1.tr31\"\nkbpk = \"main\"\n";
    assert_eq!(installation.unusable_keys(), [format!("[vault] pin_storage_key: key pin-1 {after}")]);
}

#[test]
fn r135_nothing_is_sealed_to_another_key() {
    let installation = Installation::new();
    installation.write("keys/house-a.asc", 0o644, &generate_key("other", now()).unwrap().certificate);
    let found = installation.sealer().unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("[[manufacturer]] HOUSE_A recipients: the OpenPGP key of HOUSE_A is not the pinned one")
    );
}

#[test]
fn recipients_and_signer_are_both_told() {
    let installation = Installation::new();
    fs::remove_file(installation.path("keys/house-a.asc")).unwrap();
    installation.write("credentials/signer", 0o644, &installation.signer.secret_key);
    let found = installation.sealer().unwrap_err();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("[signer] key_file: ") && found[0].contains("chmod 0600"), "{found:?}");
    assert!(found[1].starts_with("[[manufacturer]] HOUSE_A recipients: ") && found[1].contains("cannot be read"));
}

#[test]
fn an_inactive_house_has_no_terms() {
    let mut installation = Installation::new();
    installation.text = installation.text.replace("code = \"HOUSE_A\"", "code = \"HOUSE_A\"\nactive = false");
    let config = installation.load();
    assert_eq!(terms(&config, &config.agreements[0]), None);
}

#[test]
fn the_keys_of_orders_are_read_like_every_secret() {
    let mut installation = Installation::new();
    installation.text += "\n[[intake.jwe]]\ncertificate_file = \"keys/jwe.crt\"\nprivate_key_file = \"keys/jwe.key\"\n";
    let found = sentences(&read_jwe(&installation.load()).unwrap_err());
    assert_eq!(found.len(), 2, "{found:?}");
    installation.write("keys/jwe.crt", 0o644, b"certificate");
    installation.write("keys/jwe.key", 0o600, b"key");
    let pairs = read_jwe(&installation.load()).unwrap();
    assert_eq!((&*pairs[0].certificate, &**pairs[0].private_key), (&b"certificate"[..], &b"key"[..]));
    assert_eq!(format!("{pairs:?}"), "[JwePair(***)]");
}

#[test]
fn a_destination_comes_with_its_secrets() {
    let mut installation = Installation::new();
    installation.text = installation.text.replace(
        "kind = \"directory\"\nenvironment = \"test\"\ndirectory = \"out\"",
        &format!(
            "kind = \"sftp\"\nenvironment = \"test\"\ndirectory = \"/in\"\nhost = \"h\"\nuser = \"u\"\n\
             key_file = \"credential:sftp\"\npassphrase_file = \"keys/passphrase\"\nhost_keys = [\"SHA256:{}\"]",
            "A".repeat(43)
        ),
    );
    let config = installation.load();
    let told = |installation: &Installation| {
        let config = installation.load();
        destination(&config, &config.agreements[0]).unwrap_err().to_string()
    };
    assert!(told(&installation).starts_with("destination outbox: "), "{}", told(&installation));
    installation.write("credentials/sftp", 0o440, b"PRIVATE\nKEY\n");
    installation.write("keys/passphrase", 0o644, b"open sesame\n");
    assert!(told(&installation).contains("keys/passphrase has mode 0644"), "{}", told(&installation));
    installation.write("keys/passphrase", 0o600, b"open sesame\n");
    let (settings, secrets) = destination(&config, &config.agreements[0]).unwrap();
    assert_eq!(settings.name(), "outbox");
    assert_eq!(
        (&**secrets.private_key, secrets.passphrase.as_ref().map(|text| &***text)),
        ("PRIVATE\nKEY\n", Some("open sesame"))
    );
}

#[test]
fn a_folder_needs_no_secret() {
    let installation = Installation::new();
    let config = installation.load();
    let (_, secrets) = destination(&config, &config.agreements[0]).unwrap();
    assert!(secrets.private_key.is_empty() && secrets.passphrase.is_none());
}

#[test]
fn a_pin_verification_key_is_in_force() {
    let mut installation = Installation::new();
    let pvk = "\n[[key]]\nid = \"pvk-1\"\nblock_file = \"keys/pvk-1.tr31\"\nkbpk = \"main\"\n";
    let base = installation.text.clone() + pvk;
    let base =
        base.replace("cvv2_key = \"cvk2-1\"", "cvv2_key = \"cvk2-1\"\npin = { pvv_key = \"pvk-1\", pvki = \"1\" }");
    installation.text = base.clone();
    assert_eq!(installation.unusable_keys(), [""; 0]);
    installation.text = base.replace("id = \"pvk-1\"", "id = \"pvk-1\"\nnot_after = 2026-06-12T02:59:59Z");
    let found = installation.unusable_keys();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("[[product]] 100001/GIFT_CARD pin.pvv_key: key pvk-1 must not be used after"),
        "{found:?}"
    );
}
