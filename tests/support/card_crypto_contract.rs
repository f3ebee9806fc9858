//! What every provider of card cryptography must do, whichever machine does it.
//!
//! A provider is given with the keys of `vectors.json` loaded. PINs are opaque, so they are followed through what
//! may leave a provider: PVVs and PIN blocks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;

use emboss::agreement::Cvv2Expiry;
use emboss::card::{Expiry, Pan, PinBlock, PinBlockFormat, SecretHex};
use emboss::vault::{CardCrypto, CryptoError, CvvSpec, PvvSpec, StoredPin};
use serde_json::Value;

/// A provider, and the ids under which it has the vectors' keys.
pub(crate) struct Provider {
    /// The provider.
    pub(crate) crypto: Arc<dyn CardCrypto>,
    /// `CVK_A_B`.
    pub(crate) cvk: &'static str,
    /// `CVK2_A_B`.
    pub(crate) cvk2: &'static str,
    /// `PVK_1`.
    pub(crate) pvk: &'static str,
    /// `ZPK_TDES_2KEY`.
    pub(crate) zpk: &'static str,
    /// `ZPK_TDES_3KEY`.
    pub(crate) zpk_3key: &'static str,
    /// `ZPK_AES_128`; `None` where the provider cannot hold AES keys, and so makes no format 4.
    pub(crate) zpk_aes: Option<&'static str>,
    /// Whether it takes the fill it is given, so that the same call gives the same block.
    pub(crate) takes_fill: bool,
}

const PAN: &str = "4000001234567899";
const OTHER_PAN: &str = "2223001234567894";

/// Runs the whole contract.
pub(crate) async fn keeps_the_contract(provider: &Provider) {
    it_says_who_it_is(provider).await;
    keys_have_their_check_values(provider).await;
    cvvs_are_the_vectors(provider).await;
    pvvs_are_the_vectors(provider).await;
    blocks_are_the_vectors(provider).await;
    r39_only_four_digits_are_taken_in(provider).await;
    an_issued_pin_goes_through_every_format(provider).await;
    r39_issued_pins_differ_and_are_opaque(provider).await;
    a_pin_belongs_to_its_card(provider).await;
    a_key_serves_its_own_usage_only(provider).await;
    bad_input_is_refused_by_class(provider).await;
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

fn list(name: &str) -> Vec<Value> {
    vectors()[name].as_array().unwrap().clone()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().unwrap()
}

fn pan(digits: &str) -> Pan {
    Pan::parse(digits).unwrap()
}

fn december() -> Expiry {
    Expiry::new(2029, 12).unwrap()
}

impl Provider {
    fn pvv_spec(&self) -> PvvSpec {
        PvvSpec { key_id: self.pvk.to_owned(), pvki: "1".to_owned() }
    }

    /// The zone key for a format; `None` where the provider does not make that format.
    fn zone_key(&self, format: PinBlockFormat) -> Option<&'static str> {
        if format == PinBlockFormat::Iso4 { self.zpk_aes } else { Some(self.zpk) }
    }

    async fn imported(&self, card: &str, block: &str, zpk: &str, format: PinBlockFormat) -> StoredPin {
        self.crypto.import_pin(&pan(card), &SecretHex::new(block), zpk, format).await.unwrap()
    }

    /// A stored PIN 1234 of [`PAN`].
    async fn stored_1234(&self) -> StoredPin {
        let entry = &list("pin_blocks")[1];
        assert_eq!((text(entry, "pan"), text(entry, "pin")), (PAN, "1234"));
        self.imported(PAN, text(entry, "enc_ZPK_TDES_2KEY"), self.zpk, PinBlockFormat::Iso0).await
    }
}

async fn it_says_who_it_is(provider: &Provider) {
    assert!(["software", "payshield"].contains(&provider.crypto.name()));
    assert_eq!(provider.crypto.health().await, Ok(()));
}

async fn keys_have_their_check_values(provider: &Provider) {
    for (id, label) in [
        (Some(provider.cvk), "CVK_A_B"),
        (Some(provider.cvk2), "CVK2_A_B"),
        (Some(provider.pvk), "PVK_1"),
        (Some(provider.zpk), "ZPK_TDES_2KEY"),
        (Some(provider.zpk_3key), "ZPK_TDES_3KEY"),
        (provider.zpk_aes, "ZPK_AES_128"),
    ] {
        let Some(id) = id else { continue };
        let kcv = provider.crypto.kcv(id).await.unwrap();
        assert_eq!(kcv, text(&vectors()["keys"][label], "kcv")[..6], "{label}");
    }
}

async fn cvvs_are_the_vectors(provider: &Provider) {
    for entry in list("cvv").into_iter().chain(list("cvv_second_pass")) {
        assert_eq!(text(&entry, "expiry_yymm"), "2912");
        let key_id = if text(&entry, "key") == "CVK_A_B" { provider.cvk } else { provider.cvk2 };
        let service_code = text(&entry, "service_code");
        let spec = CvvSpec { key_id, expiry: december(), order: Cvv2Expiry::Yymm, service_code };
        let value = provider.crypto.cvv(&pan(text(&entry, "pan")), &spec).await.unwrap();
        assert_eq!(value.expose(), text(&entry, "value"), "{}", text(&entry, "kind"));
    }
    let order = vectors()["cvv2_expiry_order"].clone();
    for (order_of, field) in [(Cvv2Expiry::Yymm, "YYMM_2912_value"), (Cvv2Expiry::Mmyy, "MMYY_1229_value")] {
        let spec = CvvSpec { key_id: provider.cvk2, expiry: december(), order: order_of, service_code: "000" };
        let value = provider.crypto.cvv(&pan(text(&order, "pan")), &spec).await.unwrap();
        assert_eq!(value.expose(), text(&order, field), "{order_of}");
    }
}

async fn pvvs_are_the_vectors(provider: &Provider) {
    let pvvs = list("pvv");
    let mut compared = 0;
    for entry in list("pin_blocks").iter().filter(|entry| entry["format"] == 0) {
        let (card, pin) = (text(entry, "pan"), text(entry, "pin"));
        let block = text(entry, "enc_ZPK_TDES_2KEY");
        let stored = provider.imported(card, block, provider.zpk, PinBlockFormat::Iso0).await;
        let expected = pvvs.iter().find(|pvv| text(pvv, "pan") == card && text(pvv, "pin") == pin).unwrap();
        let pvv = provider.crypto.pvv(&pan(card), &stored, &provider.pvv_spec()).await.unwrap();
        assert_eq!(pvv.value.expose(), text(expected, "pvv"));
        assert_eq!((pvv.pvki.as_str(), pvv.key_id.as_str()), ("1", provider.pvk));
        compared += 1;
    }
    assert_eq!(compared, 2);
}

async fn blocks_are_the_vectors(provider: &Provider) {
    for entry in list("pin_blocks") {
        if entry["format"] != 0 {
            continue;
        }
        let (card, block) = (pan(text(&entry, "pan")), text(&entry, "enc_ZPK_TDES_2KEY"));
        let stored = provider.imported(card.expose(), block, provider.zpk, PinBlockFormat::Iso0).await;
        for (zpk, field) in [(provider.zpk, "enc_ZPK_TDES_2KEY"), (provider.zpk_3key, "enc_ZPK_TDES_3KEY")] {
            let made = provider.crypto.pin_block(&card, &stored, zpk, PinBlockFormat::Iso0, [9; 8]).await.unwrap();
            assert_eq!(made.value.expose(), text(&entry, field));
            assert_eq!((made.format, made.key_id.as_str()), (PinBlockFormat::Iso0, zpk));
        }
    }
    // The PIN 1234 of the vectors, in formats 3 and 4, is the PIN 1234 of format 0.
    let reference = provider.stored_1234().await;
    for (at, format, field) in [(2, PinBlockFormat::Iso3, "enc_ZPK_TDES_2KEY"), (4, PinBlockFormat::Iso4, "encrypted")]
    {
        let entry = &list("pin_blocks")[at];
        assert_eq!(text(entry, "pin"), "1234");
        let Some(zpk) = provider.zone_key(format) else { continue };
        let value = SecretHex::new(text(entry, field));
        let block = PinBlock { format, key_id: zpk.to_owned(), value };
        assert_eq!(provider.crypto.verify_block(&pan(PAN), &reference, &block).await, Ok(true), "{format}");
        if provider.takes_fill && format == PinBlockFormat::Iso4 {
            let fill = [1, 2, 3, 4, 5, 6, 7, 8];
            let made = provider.crypto.pin_block(&pan(PAN), &reference, zpk, format, fill).await.unwrap();
            assert_eq!(made.value.expose(), text(entry, field));
        }
    }
}

async fn r39_only_four_digits_are_taken_in(provider: &Provider) {
    for (at, format, field) in [(3, PinBlockFormat::Iso3, "enc_ZPK_TDES_2KEY"), (5, PinBlockFormat::Iso4, "encrypted")]
    {
        let entry = &list("pin_blocks")[at];
        assert_ne!(text(entry, "pin").len(), 4);
        let Some(zpk) = provider.zone_key(format) else { continue };
        let block = SecretHex::new(text(entry, field));
        let refused = provider.crypto.import_pin(&pan(text(entry, "pan")), &block, zpk, format).await;
        assert!(matches!(refused, Err(CryptoError::Card(_))), "{refused:?}");
    }
}

async fn an_issued_pin_goes_through_every_format(provider: &Provider) {
    let card = pan(PAN);
    let issued = provider.crypto.issue_pin(&card, Some(&provider.pvv_spec())).await.unwrap();
    let pvv = issued.pvv.unwrap();
    assert_eq!(provider.crypto.pvv(&card, &issued.stored, &provider.pvv_spec()).await.unwrap(), pvv);
    for (format, digits) in [(PinBlockFormat::Iso0, 16), (PinBlockFormat::Iso3, 16), (PinBlockFormat::Iso4, 32)] {
        let Some(zpk) = provider.zone_key(format) else { continue };
        let made = |fill| provider.crypto.pin_block(&card, &issued.stored, zpk, format, fill);
        let block = made([0x35; 8]).await.unwrap();
        assert_eq!(block.value.expose().len(), digits, "{format}");
        assert!(block.value.expose().bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
        assert_eq!(provider.crypto.verify_block(&card, &issued.stored, &block).await, Ok(true), "{format}");
        let again = provider.imported(PAN, block.value.expose(), zpk, format).await;
        assert_eq!(provider.crypto.pvv(&card, &again, &provider.pvv_spec()).await.unwrap(), pvv, "{format}");
        if provider.takes_fill {
            assert_eq!(made([0x35; 8]).await.unwrap(), block, "{format}");
            assert_eq!(made([0x36; 8]).await.unwrap() == block, format == PinBlockFormat::Iso0, "{format}");
        }
    }
    assert_eq!(provider.crypto.issue_pin(&card, None).await.unwrap().pvv, None);
}

async fn r39_issued_pins_differ_and_are_opaque(provider: &Provider) {
    let card = pan(PAN);
    let mut pvvs = BTreeSet::new();
    for _ in 0..50 {
        let issued = provider.crypto.issue_pin(&card, Some(&provider.pvv_spec())).await.unwrap();
        let shown = format!("{issued:?}");
        let value = issued.pvv.unwrap().value.expose().to_owned();
        assert!(!shown.contains(&value), "{shown}");
        assert!(!shown.contains(&format!("{:?}", &*issued.stored.bytes)), "{shown}");
        pvvs.insert(value);
    }
    // Fifty of 10,000 values: seven or more meetings would come less than once in ten million runs.
    assert!(pvvs.len() > 43, "{} of 50 PVVs differ", pvvs.len());
}

async fn a_pin_belongs_to_its_card(provider: &Provider) {
    let (card, other) = (pan(PAN), pan(OTHER_PAN));
    let first = provider.stored_1234().await;
    for format in [PinBlockFormat::Iso0, PinBlockFormat::Iso3, PinBlockFormat::Iso4] {
        let Some(zpk) = provider.zone_key(format) else { continue };
        let block = provider.crypto.pin_block(&card, &first, zpk, format, [0x35; 8]).await.unwrap();
        let zeros = provider.imported(PAN, "BC71E93B1C1F99D5", provider.zpk, PinBlockFormat::Iso0).await;
        assert_eq!(provider.crypto.verify_block(&card, &zeros, &block).await, Ok(false), "{format}: another PIN");
    }
    // Twelve digits are not always enough to tell two cards apart; the whole number is.
    let Some(zpk_aes) = provider.zpk_aes else { return };
    let entry = &list("pin_blocks")[4];
    let block = SecretHex::new(text(entry, "encrypted"));
    let taken = provider.crypto.import_pin(&other, &block, zpk_aes, PinBlockFormat::Iso4).await;
    assert!(matches!(taken, Err(CryptoError::Card(_))), "{taken:?}");
}

async fn a_key_serves_its_own_usage_only(provider: &Provider) {
    let (card, crypto) = (pan(PAN), &provider.crypto);
    let stored = provider.stored_1234().await;
    for id in [provider.pvk, provider.zpk].into_iter().chain(provider.zpk_aes).chain(["no-such-key"]) {
        let spec = CvvSpec { key_id: id, expiry: december(), order: Cvv2Expiry::Yymm, service_code: "201" };
        stops(crypto.cvv(&card, &spec).await, id);
    }
    for id in [provider.cvk, provider.zpk, "no-such-key"] {
        let spec = PvvSpec { key_id: id.to_owned(), pvki: "1".to_owned() };
        stops(crypto.pvv(&card, &stored, &spec).await, id);
        stops(crypto.issue_pin(&card, Some(&spec)).await, id);
    }
    for id in [provider.cvk, provider.pvk].into_iter().chain(provider.zpk_aes).chain(["no-such-key"]) {
        stops(crypto.pin_block(&card, &stored, id, PinBlockFormat::Iso0, [0; 8]).await, id);
        stops(crypto.pin_block(&card, &stored, id, PinBlockFormat::Iso3, [0; 8]).await, id);
        let block = SecretHex::new("311D385594D0906A");
        stops(crypto.import_pin(&card, &block, id, PinBlockFormat::Iso0).await, id);
    }
    for id in [provider.cvk, provider.pvk, provider.zpk, "no-such-key"] {
        stops(crypto.pin_block(&card, &stored, id, PinBlockFormat::Iso4, [0; 8]).await, id);
    }
    stops(crypto.kcv("no-such-key").await, "no-such-key");
}

/// A wrong key is the configuration's fault, and the error names it.
fn stops<T: std::fmt::Debug>(outcome: Result<T, CryptoError>, id: &str) {
    let Err(CryptoError::Configuration(text)) = outcome else { panic!("{id}: {outcome:?}") };
    assert!(text.contains(id), "{id}: {text}");
}

async fn bad_input_is_refused_by_class(provider: &Provider) {
    let (card, crypto) = (pan(PAN), &provider.crypto);
    let stored = provider.stored_1234().await;
    for block in ["", "311D385594D0906", "311D385594D0906A00", "not hexadecimal!", "FFFFFFFFFFFFFFFF"] {
        let block = SecretHex::new(block);
        let refused = crypto.import_pin(&card, &block, provider.zpk, PinBlockFormat::Iso0).await;
        assert!(matches!(refused, Err(CryptoError::Card(_))), "{refused:?}");
    }
    for pvki in ["", "12", "x"] {
        let spec = PvvSpec { key_id: provider.pvk.to_owned(), pvki: pvki.to_owned() };
        let refused = crypto.pvv(&card, &stored, &spec).await;
        assert!(matches!(refused, Err(CryptoError::Configuration(_))), "{refused:?}");
    }
    for service_code in ["", "20", "2011", "2x1"] {
        let spec = CvvSpec { key_id: provider.cvk, expiry: december(), order: Cvv2Expiry::Yymm, service_code };
        let refused = crypto.cvv(&card, &spec).await;
        assert!(matches!(refused, Err(CryptoError::Configuration(_))), "{refused:?}");
    }
    let foreign = StoredPin { scheme: "elsewhere/1".to_owned(), bytes: stored.bytes.clone() };
    let refused = crypto.pvv(&card, &foreign, &provider.pvv_spec()).await;
    assert!(matches!(refused, Err(CryptoError::Configuration(_))), "{refused:?}");
    for bytes in [vec![], vec![0; 16], stored.bytes[..stored.bytes.len() - 1].to_vec()] {
        let broken = StoredPin { scheme: stored.scheme.clone(), bytes: bytes.into() };
        let refused = crypto.pvv(&card, &broken, &provider.pvv_spec()).await;
        assert!(matches!(refused, Err(CryptoError::Card(_))), "{refused:?}");
    }
}
