//! What a vault with payment HSMs opens from, and why it does not; no device is connected to for that.

use std::sync::Arc;

use emboss::ambient::Random;
use emboss::vault::payshield::pool::Pool;
use emboss::vault::payshield::tls::TlsFiles;
use emboss::vault::settings::{HsmTlsSettings, PayShieldSettings};
use emboss::vault::{ProviderKeys, Vault, VaultKeys};
use openssl::pkey::PKey;
use openssl::symm::Cipher;

use crate::client::{keys_of, settings};
use crate::hsm::authority::Authority;
use crate::hsm::lmk::Dialect;
use crate::hsm::{Hsm, Setup};
use crate::vector_keys::vault_keys;

fn device() -> Hsm {
    Hsm::start(&Setup::new(Dialect::Variant))
}

fn payshield(settings: PayShieldSettings) -> ProviderKeys {
    ProviderKeys::PayShield { settings: Box::new(settings), tls: None }
}

fn findings(keys: VaultKeys) -> Vec<String> {
    let found = Vault::open(keys, Arc::new(Random::seeded(1))).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_is_connected_to_at_opening() {
    let hsm = device();
    assert_eq!(findings(keys_of(&hsm, settings(&[&hsm]))), [""; 0]);
    assert_eq!(hsm.journal().connections(), 0);
}

#[test]
fn a_key_of_cards_is_not_opened_in_this_process_beside_a_payment_hsm() {
    let hsm = device();
    let found = findings(VaultKeys { provider: payshield(settings(&[&hsm])), ..vault_keys() });
    let clear = |id: &str, usage: &str| {
        format!(
            "key {id} of usage {usage} is not under the LMK, and would be clear in the memory of this host; \
             export it from the payment HSM, and write lmk in its [[key]]"
        )
    };
    let keys =
        [("cvk-1", "C0"), ("cvk2-1", "C0"), ("pvk-1", "V2"), ("zpk-x-1", "P0"), ("zpk-x-2", "P0"), ("zpk-x-3", "P0")];
    assert_eq!(found, keys.map(|(id, usage)| clear(id, usage)));
}

#[test]
fn a_key_under_an_lmk_needs_a_payment_hsm_and_its_form() {
    let hsm = device();
    let mut keys = keys_of(&hsm, settings(&[&hsm]));
    keys.provider = ProviderKeys::Software { pin_storage_key: "pin-1".to_owned(), allow_software_pin: false };
    let needed = "is under the LMK of a payment HSM, which needs provider \"payshield\"";
    assert!(findings(keys).contains(&format!("key cvk-1 {needed}")));
    let mut keys = keys_of(&hsm, settings(&[&hsm]));
    for key in keys.keys.iter_mut().filter(|key| key.id == "cvk-1") {
        key.block = key.block.replacen('U', "X", 1);
    }
    let found = findings(keys);
    assert!(found.len() == 1 && found[0].starts_with("key cvk-1 under the LMK must be U and 32"), "{found:?}");
}

#[test]
fn tls_that_is_set_and_was_not_read_is_no_plain_tcp() {
    let hsm = device();
    let name = |file: &str| file.to_owned();
    let tls = HsmTlsSettings {
        ca_file: name("ca"),
        certificate_file: name("certificate"),
        key_file: name("key"),
        server_name: None,
    };
    let settings = PayShieldSettings { tls: Some(tls), ..settings(&[&hsm]) };
    assert_eq!(findings(keys_of(&hsm, settings)), ["payshield.tls is set, and its files were not read"]);
}

#[test]
fn tls_files_that_do_not_belong_together_are_told_before_anything_is_connected_to() {
    let hsm = device();
    let authority = Authority::new("devices");
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| {
        let files = authority.issue(name).files(folder.path(), &authority);
        let read = |path| std::fs::read(path).unwrap();
        TlsFiles {
            authority: read(&files.ca_file),
            certificate: read(&files.certificate_file),
            private_key: read(&files.key_file).into(),
            server_name: None,
        }
    };
    let (own, other) = (read("emboss"), read("other"));
    let told = |files: &TlsFiles| Pool::of(&settings(&[&hsm]), Some(files)).err().unwrap_or_default();
    assert_eq!(told(&own), [""; 0]);
    let stolen = TlsFiles { private_key: other.private_key, ..own.clone() };
    let expected = "payshield.tls key_file is not the key of certificate_file: name the two that belong together";
    assert_eq!(told(&stolen), [expected]);
    // A pass phrase is asked of nobody: who would answer at night?
    let key = PKey::private_key_from_pem(&own.private_key).unwrap();
    let locked = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret").unwrap();
    let locked = TlsFiles { private_key: locked.into(), ..own.clone() };
    assert_eq!(told(&locked), ["payshield.tls key_file holds no PEM private key that is not encrypted"]);
    let alone = TlsFiles { authority: b"-----BEGIN".to_vec(), ..own.clone() };
    assert_eq!(told(&alone), ["payshield.tls ca_file holds no PEM certificate"]);
    let nobody = TlsFiles { certificate: own.private_key.to_vec(), ..own };
    assert_eq!(told(&nobody), ["payshield.tls certificate_file holds no PEM certificate"]);
    assert_eq!(hsm.journal().connections(), 0);
}
