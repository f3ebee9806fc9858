//! The whole provider: the contract of every provider in both LMK dialects, and what errors mean for a card.

use std::sync::Arc;

use emboss::agreement::Cvv2Expiry;
use emboss::card::{Expiry, PinBlockFormat, SecretHex};
use emboss::vault::key_set::{CVV_KEY, CVV2_KEY, PVV_KEY};
use emboss::vault::settings::PayShieldSettings;
use emboss::vault::{CryptoError, CvvSpec, StoredPin};

use crate::card_crypto_contract::{Provider, keeps_the_contract};
use crate::client::{behaved, card, pvv_spec, settings, vault, within};
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::{Dialect, PinForm};
use crate::hsm::{Hsm, Setup, account_of, vector_key};

#[tokio::test]
async fn payshield_keeps_the_contract_with_either_lmk_and_any_pin_length() {
    for (dialect, pin_form) in [
        (Dialect::Variant, PinForm::Digits(5)),
        (Dialect::Variant, PinForm::Hex(13)),
        (Dialect::KeyBlock, PinForm::Block(32)),
        (Dialect::KeyBlock, PinForm::Digits(13)),
    ] {
        let hsm = Hsm::start(&Setup { pin_form, ..Setup::new(dialect) });
        let provider = Provider {
            crypto: Arc::clone(vault(&hsm, settings(&[&hsm])).crypto()),
            cvk: CVV_KEY,
            cvk2: CVV2_KEY,
            pvk: PVV_KEY,
            zpk: "zpk-x-1",
            zpk_3key: "zpk-x-2",
            zpk_aes: (dialect == Dialect::KeyBlock).then_some("zpk-x-3"),
            takes_fill: false,
        };
        within(keeps_the_contract(&provider)).await;
        behaved(&[&hsm]);
        assert_eq!(hsm.journal().connections(), 1, "one after the other needs one connection");
    }
}

#[tokio::test]
async fn issuing_is_ja_and_dg_and_a_file_takes_jg_and_cw() {
    let hsm = Hsm::start(&Setup::new(Dialect::KeyBlock));
    let vault = vault(&hsm, settings(&[&hsm]));
    let (crypto, pan) = (vault.crypto(), card(7));
    let issued = crypto.issue_pin(&pan, Some(&pvv_spec())).await.unwrap();
    assert_eq!(hsm.journal().codes(), ["NC", "JA", "DG"]);
    assert_eq!(issued.stored.scheme, format!("payshield/lmk-{}", &hsm.check_value()[..6]));
    let clear = hsm.clear_pin(pan.expose(), &issued.stored.bytes).unwrap();
    assert_eq!(clear, hsm.made()[0].pin);
    let expected = crate::hsm::ciphers::pvv(&vector_key("PVK_1"), &account_of(pan.expose()), "1", &clear);
    assert_eq!(issued.pvv.unwrap().value.expose(), expected);
    let block = crypto.pin_block(&pan, &issued.stored, "zpk-x-3", PinBlockFormat::Iso4, [1; 8]).await.unwrap();
    let opened = hex::decode(block.value.expose()).unwrap();
    let opened = crate::hsm::blocks::opened(4, &vector_key("ZPK_AES_128"), pan.expose(), &opened);
    assert_eq!(opened, Ok(clear));
    let expiry = Expiry::new(2029, 12).unwrap();
    let spec = CvvSpec { key_id: CVV_KEY, expiry, order: Cvv2Expiry::Yymm, service_code: "201" };
    let made = crypto.cvv(&pan, &spec).await.unwrap();
    assert_eq!(made.expose(), crate::hsm::ciphers::cvv(&vector_key("CVK_A_B"), pan.expose(), "2912", "201"));
    assert_eq!(hsm.journal().codes(), ["NC", "JA", "DG", "JG", "CW"]);
    let again = crypto.pin_block(&pan, &issued.stored, "zpk-x-3", PinBlockFormat::Iso4, [1; 8]).await.unwrap();
    assert_ne!(block, again, "the device draws its own fill");
}

#[tokio::test]
async fn each_class_of_error_is_what_must_happen_next() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    let vault = vault(&hsm, PayShieldSettings { attempts: 2, ..settings(&[&hsm]) });
    let crypto = vault.crypto();
    let expiry = Expiry::new(2029, 12).unwrap();
    let spec = CvvSpec { key_id: CVV_KEY, expiry, order: Cvv2Expiry::Yymm, service_code: "201" };
    for (number, (code, class)) in (0_u32..).zip([
        ("14", "card"),
        ("15", "card"),
        ("20", "card"),
        ("22", "card"),
        ("24", "card"),
        ("81", "card"),
        ("86", "card"),
        ("10", "configuration"),
        ("13", "configuration"),
        ("27", "configuration"),
        ("68", "configuration"),
        ("A4", "configuration"),
        ("B5", "configuration"),
        ("Q7", "configuration"),
        ("41", "transient"),
        ("42", "transient"),
    ]) {
        let pan = card(number);
        hsm.fail(When::always().for_account(&account_of(pan.expose())), Act::Error(code));
        let stored = StoredPin {
            scheme: format!("payshield/lmk-{}", &hsm.check_value()[..6]),
            bytes: b"0123456789ABCDEF".to_vec().into(),
        };
        let block = SecretHex::new("311D385594D0906A");
        let refusals = [
            crypto.issue_pin(&pan, Some(&pvv_spec())).await.unwrap_err(),
            crypto.pvv(&pan, &stored, &pvv_spec()).await.unwrap_err(),
            crypto.pin_block(&pan, &stored, "zpk-x-1", PinBlockFormat::Iso0, [0; 8]).await.unwrap_err(),
            crypto.import_pin(&pan, &block, "zpk-x-1", PinBlockFormat::Iso0).await.unwrap_err(),
            crypto.cvv(&pan, &spec).await.unwrap_err(),
        ];
        for refusal in refusals {
            let found = match &refusal {
                CryptoError::Card(_) => "card",
                CryptoError::Configuration(_) => "configuration",
                CryptoError::Transient(_) => "transient",
            };
            assert_eq!(found, class, "{code}: {refusal}");
            assert!(refusal.to_string().contains(code), "{refusal}");
            assert!(!refusal.to_string().contains(pan.expose()), "{refusal}");
        }
    }
}

#[tokio::test]
async fn a_pin_of_another_lmk_and_a_key_of_another_lmk_are_told() {
    let (hsm, other) =
        (Hsm::start(&Setup::new(Dialect::KeyBlock)), Hsm::start(&Setup { seed: 5, ..Setup::new(Dialect::KeyBlock) }));
    let (own, foreign) = (vault(&hsm, settings(&[&hsm])), vault(&other, settings(&[&other])));
    let pan = card(1);
    let issued = foreign.crypto().issue_pin(&pan, None).await.unwrap();
    let refused = own.crypto().pvv(&pan, &issued.stored, &pvv_spec()).await.unwrap_err();
    let CryptoError::Configuration(text) = &refused else { panic!("{refused:?}") };
    assert!(text.contains(&other.check_value()[..6]), "{text}");
    assert_eq!(hsm.journal().count(), 0, "and no device was asked");
    let mixed = vault(&other, settings(&[&hsm]));
    let refused = mixed.crypto().issue_pin(&pan, Some(&pvv_spec())).await.unwrap_err();
    assert!(matches!(refused, CryptoError::Configuration(_)), "{refused:?}");
    let refused = mixed.crypto().kcv(PVV_KEY).await.unwrap_err();
    assert!(matches!(refused, CryptoError::Configuration(_)), "{refused:?}");
}
