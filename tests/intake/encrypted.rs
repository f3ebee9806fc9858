//! Card numbers that arrive as JWE, made as an issuer would make them.

use std::fs;

use emboss::intake::{JweKeyError, JweKeys};
use emboss::order::ErrorCode;
use josekit::jwe::{JweHeader, RSA_OAEP, RSA_OAEP_256, serialize_compact};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Builder, X509Name};
use serde_json::json;

use crate::desk::*;

const NUMBER: &str = "4000001234567899";

/// A certificate with its key.
struct Pair {
    certificate: X509,
    key: PKey<Private>,
}

impl Pair {
    fn new() -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_text("CN", "intake test").unwrap();
        let name = name.build();
        let mut builder = X509Builder::new().unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    fn pem(&self) -> (Vec<u8>, Vec<u8>) {
        (self.certificate.to_pem().unwrap(), self.key.private_key_to_pem_pkcs8().unwrap())
    }

    fn keys(&self) -> JweKeys {
        let (certificate, key) = self.pem();
        let mut keys = JweKeys::default();
        keys.add(&certificate, &key).unwrap();
        keys
    }

    fn header(&self) -> JweHeader {
        let mut header = JweHeader::new();
        header.set_content_encryption("A256GCM");
        header.set_x509_certificate_sha256_thumbprint(self.certificate.digest(MessageDigest::sha256()).unwrap());
        header
    }

    fn encrypt(&self, header: &JweHeader, content: &str) -> String {
        let encrypter = RSA_OAEP_256.encrypter_from_pem(self.key.public_key_to_pem().unwrap()).unwrap();
        serialize_compact(content.as_bytes(), header, &encrypter).unwrap()
    }

    fn number(&self, number: &str) -> String {
        self.encrypt(&self.header(), &json!({"cardNumber": number}).to_string())
    }
}

#[test]
fn a_card_number_encrypted_for_our_certificate_is_read() {
    let pair = Pair::new();
    assert_eq!(pair.keys().open(&pair.number(NUMBER)).unwrap().expose(), NUMBER);
}

#[test]
fn several_certificates_serve_a_rollover() {
    let (old, new) = (Pair::new(), Pair::new());
    let mut keys = old.keys();
    let (certificate, key) = new.pem();
    keys.add(&certificate, &key).unwrap();
    assert!(keys.open(&old.number(NUMBER)).is_ok());
    assert!(keys.open(&new.number(NUMBER)).is_ok());
    let refusal = keys.open(&Pair::new().number(NUMBER)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::EncryptedDataUnreadable);
    assert_eq!(refusal.reason, "body.encryptedData is encrypted for a certificate that is not configured");
}

#[test]
fn the_header_is_judged_before_anything_is_decrypted() {
    let pair = Pair::new();
    let keys = pair.keys();
    let content = json!({"cardNumber": NUMBER}).to_string();
    let refused = |header: &JweHeader| {
        let refusal = keys.open(&pair.encrypt(header, &content)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::EncryptedDataInvalid);
        refusal.reason
    };
    let mut header = pair.header();
    header.set_content_encryption("A128GCM");
    assert_eq!(refused(&header), "body.encryptedData must have enc A256GCM in its header");
    let mut header = pair.header();
    header.set_content_encryption("A256CBC-HS512");
    assert_eq!(refused(&header), "body.encryptedData must have enc A256GCM in its header");
    let mut header = pair.header();
    header.set_compression("DEF");
    assert_eq!(refused(&header), "body.encryptedData must not have zip in its header");
    let mut header = pair.header();
    header.set_claim("crit", Some(json!(["exp"]))).unwrap();
    assert_eq!(refused(&header), "body.encryptedData must not have crit in its header");
    let mut header = JweHeader::new();
    header.set_content_encryption("A256GCM");
    assert_eq!(refused(&header), "body.encryptedData must name its certificate by x5t#S256 in its header");
    let encrypter = RSA_OAEP.encrypter_from_pem(pair.key.public_key_to_pem().unwrap()).unwrap();
    let sha1 = serialize_compact(content.as_bytes(), &pair.header(), &encrypter).unwrap();
    let refusal = keys.open(&sha1).unwrap_err();
    assert_eq!(refusal.reason, "body.encryptedData must have alg RSA-OAEP-256 in its header");
}

#[test]
fn what_is_no_jwe_or_was_changed_is_refused() {
    let pair = Pair::new();
    let keys = pair.keys();
    let good = pair.number(NUMBER);
    let parts: Vec<&str> = good.split('.').collect();
    let code = |text: &str| keys.open(text).unwrap_err().code;
    for wrong in ["", "a.b.c.d.e", "....", &parts[..4].join("."), &format!("{good}."), "e30.e30.e30.e30.e30"] {
        assert_eq!(code(wrong), ErrorCode::EncryptedDataInvalid, "{wrong}");
    }
    // The library would take a tag cut to one byte, which 256 tries forge.
    let cut = [parts[0], parts[1], parts[2], parts[3], &parts[4][..2]].join(".");
    assert_eq!(code(&cut), ErrorCode::EncryptedDataInvalid);
    let flip = |text: &str| (if text.starts_with('A') { "B" } else { "A" }).to_owned() + &text[1..];
    for place in 1..5 {
        let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        changed[place] = flip(&changed[place]);
        assert_eq!(code(&changed.join(".")), ErrorCode::EncryptedDataUnreadable, "part {place}");
    }
}

#[test]
fn the_content_is_one_card_number_of_16_digits_and_nothing_else() {
    let pair = Pair::new();
    let keys = pair.keys();
    let code = |content: &str| keys.open(&pair.encrypt(&pair.header(), content)).unwrap_err();
    for content in [
        "4000001234567899",
        "[]",
        "{}",
        r#"{"cardNumber":4000001234567899}"#,
        r#"{"cardNumber":"4000001234567899","cvv":"123"}"#,
        r#"{"cardNumber":"4000001234567899","cardNumber":"4000001234567899"}"#,
    ] {
        let refusal = code(content);
        assert_eq!(refusal.code, ErrorCode::EncryptedDataInvalid, "{content}");
        assert!(!refusal.reason.contains("400000"), "{refusal}");
    }
    for number in ["4000001234562", "4000001234567890124", "4000001234567890", "400000123456789x", ""] {
        let refusal = code(&json!({"cardNumber": number}).to_string());
        assert_eq!(refusal.code, ErrorCode::CardNumberInvalid, "{number}");
        assert!(!refusal.reason.contains("400000"), "{refusal}");
    }
}

#[test]
fn a_certificate_needs_its_own_unencrypted_key() {
    let (pair, other) = (Pair::new(), Pair::new());
    let (certificate, key) = pair.pem();
    let mut keys = JweKeys::default();
    assert!(matches!(keys.add(b"x", &key), Err(JweKeyError::Certificate)));
    assert!(matches!(keys.add(&certificate, b"x"), Err(JweKeyError::PrivateKey)));
    assert!(matches!(keys.add(&certificate, &other.pem().1), Err(JweKeyError::Pair)));
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    let locked = pair.key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap();
    assert!(matches!(keys.add(&certificate, &locked), Err(JweKeyError::PrivateKey)), "never asked for on a terminal");
    keys.add(&certificate, &key).unwrap();
    assert!(matches!(keys.add(&certificate, &key), Err(JweKeyError::Twice)));
    assert!(!format!("{keys:?}").contains("KEY"));
}

#[tokio::test]
async fn a_card_is_made_with_the_number_that_was_sent_once() {
    let pair = Pair::new();
    let mut desk = Desk::with_customers().await;
    desk.jwe = pair.keys();
    let line = new_card("3001", json!({"embossing": {}, "encryptedData": pair.number(NUMBER)}));
    desk.take(&line).await;
    assert_eq!(desk.pan("3001").await.expose(), NUMBER);
    assert_eq!(desk.take(&line).await["cardId"], "3001", "the same order is answered again");
    let (code, kind, _) =
        desk.refuse(&new_card("3002", json!({"embossing": {}, "encryptedData": pair.number(NUMBER)}))).await;
    assert_eq!((code.as_str(), kind.as_str()), ("CARD_NUMBER_IN_USE", "DYNAMIC_VALIDATION_ERROR"));
    assert_eq!(desk.card("3002").await, None);
}

#[tokio::test]
async fn a_number_must_be_in_a_range_of_the_institution() {
    let pair = Pair::new();
    let mut desk = Desk::with_customers().await;
    desk.jwe = pair.keys();
    // 40000077 is the range of another institution; 40000099 that of another product, which the rule allows.
    let outside = emboss::card::Pan::with_check_digit("400000770000000").unwrap();
    let line = new_card("1", json!({"embossing": {}, "encryptedData": pair.number(outside.expose())}));
    assert_eq!(desk.refuse(&line).await.0, "CARD_NUMBER_RANGE");
    let inside = emboss::card::Pan::with_check_digit("400000990000000").unwrap();
    desk.take(&new_card("1", json!({"embossing": {}, "encryptedData": pair.number(inside.expose())}))).await;
}

#[tokio::test]
async fn r138_no_card_number_is_left_in_database_or_answers() {
    let pair = Pair::new();
    let mut desk = Desk::with_customers().await;
    desk.jwe = pair.keys();
    let jwe = pair.number(NUMBER);
    let good = new_card("3001", json!({"embossing": {}, "encryptedData": jwe}));
    let again = new_card("3002", json!({"embossing": {}, "encryptedData": jwe}));
    let wrong = new_card("3003", json!({"embossing": {}, "encryptedData": pair.number("4000001234567890")}));
    let answers = desk.import(&[good, again, wrong]).await;
    assert_eq!(answers.len(), 3);
    let text = serde_json::to_string(&answers).unwrap();
    assert!(!text.contains("40000012345678") && !text.contains(&jwe), "{text}");
    for entry in fs::read_dir(desk.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for canary in [NUMBER, &jwe[..60], "4000001234567890"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
    }
}
