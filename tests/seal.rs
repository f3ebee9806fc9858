//! What we seal, read by GnuPG; and certificates made by GnuPG that must be refused (R135).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};

use chrono::{DateTime, Utc};
use emboss::agreement::{Compression, OpenPgp};
use emboss::seal::{
    GeneratedKey, OpeningKey, RecipientCertificate, Recipients, SealError, Sealer, Signer, Verdict, generate_key, open,
};
use support::gpg::Gpg;

const MADE: &str = "20260101T000000";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn night() -> DateTime<Utc> {
    at("2026-03-02T03:00:00Z")
}

fn ours(name: &str) -> GeneratedKey {
    generate_key(name, at("2026-01-01T00:00:00Z")).unwrap()
}

fn signer(key: &GeneratedKey) -> Signer {
    Signer::load(&key.secret_key, None, &key.fingerprint, night()).unwrap()
}

fn recipients(keys: &[(&[u8], &str)], at: DateTime<Utc>) -> Result<Recipients, Vec<SealError>> {
    let certificates: Vec<_> = keys
        .iter()
        .map(|(bytes, fingerprint)| RecipientCertificate { bytes, fingerprint, name: "FACTORY_X" })
        .collect();
    Recipients::load(&certificates, at)
}

fn sealer(signer: Signer, keys: &[(&[u8], &str)]) -> Sealer {
    let recipients = recipients(keys, night()).unwrap();
    Sealer { signer, recipients, openpgp: OpenPgp::Seipd1, compression: Compression::Fast }
}

fn seal(sealer: &Sealer, content: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    let mut writer = sealer.writer(&mut sealed, night()).unwrap();
    for part in content.chunks(1400) {
        writer.write_all(part).unwrap();
    }
    writer.finish().unwrap();
    sealed
}

fn document() -> Vec<u8> {
    (0..200_000_u32).flat_map(|n| format!("<Card recordNumber=\"{n}\"/>\n").into_bytes()).collect()
}

/// A GnuPG key with an encryption subkey.
fn house(gpg: &Gpg, algorithm: &str, subkey: &str) -> String {
    let fingerprint = gpg.generate("Factory X <keys@factory-x.example>", algorithm, "cert,sign", "never", MADE);
    gpg.add_subkey(&fingerprint, subkey, "encr", "never", MADE);
    fingerprint
}

fn refusal(certificate: &[u8], fingerprint: &str, at: DateTime<Utc>) -> SealError {
    let mut findings = recipients(&[(certificate, fingerprint)], at).unwrap_err();
    assert_eq!(findings.len(), 1);
    findings.remove(0)
}

#[test]
fn gpg_opens_and_verifies_what_we_seal_to_its_own_key() {
    let gpg = Gpg::new();
    let (key, house) = (ours("Emboss <night@bank.example>"), house(&gpg, "ed25519", "cv25519"));
    gpg.import(&key.certificate);
    let certificate = gpg.export(&house);
    let sealed = seal(&sealer(signer(&key), &[(&certificate, &house)]), &document());
    let opened = gpg.decrypt(&sealed);
    assert!(opened.content == document());
    // VALIDSIG: fingerprint, date, then the time of signing in seconds (2026-03-02T03:00:00Z).
    assert!(opened.says(&format!("VALIDSIG {} 2026-03-02 1772420400", key.fingerprint)), "{:?}", opened.status);
    assert!(opened.says("GOODMDC") && opened.says("DECRYPTION_OKAY"), "{:?}", opened.status);
}

#[test]
fn gpg_opens_what_we_seal_to_an_rsa_key_signed_with_a_gpg_key() {
    let gpg = Gpg::new();
    let house = house(&gpg, "rsa2048", "rsa2048");
    let bank = gpg.generate("Bank", "rsa2048", "cert,sign", "never", MADE);
    let signer = Signer::load(&gpg.export_secret(&bank), None, &bank, night()).unwrap();
    let certificate = gpg.export(&house);
    let opened = gpg.decrypt(&seal(&sealer(signer, &[(&certificate, &house)]), b"content"));
    assert_eq!(opened.content, b"content");
    assert!(opened.says(&format!("VALIDSIG {bank}")), "{:?}", opened.status);
}

#[test]
fn each_of_two_recipients_opens_the_same_bytes_with_our_keys_in_gpg() {
    let (key, old, new) = (ours("Bank"), ours("House old"), ours("House new"));
    let two: [(&[u8], &str); 2] = [(&old.certificate, &old.fingerprint), (&new.certificate, &new.fingerprint)];
    let sealed = seal(&sealer(signer(&key), &two), b"content");
    for house in [&old, &new] {
        let gpg = Gpg::new();
        gpg.import(&house.secret_key);
        gpg.import(&key.certificate);
        let opened = gpg.decrypt(&sealed);
        assert_eq!(opened.content, b"content");
        assert!(opened.says(&format!("VALIDSIG {}", key.fingerprint)), "{:?}", opened.status);
    }
}

#[test]
fn the_container_is_seipd_1_compressed_binary_and_flat() {
    let gpg = Gpg::new();
    let (key, house) = (ours("Bank"), ours("House"));
    gpg.import(&house.secret_key);
    let mut sealer = sealer(signer(&key), &[(&house.certificate, &house.fingerprint)]);
    let sealed = seal(&sealer, &document());
    assert!(!sealed.starts_with(b"-----"));
    assert!(sealed.len() < document().len() / 4, "deflate makes it smaller: {}", sealed.len());
    let packets = gpg.list_packets(&sealed);
    assert!(packets.contains("mdc_method: 2"), "{packets}");
    assert!(packets.contains(":compressed packet: algo=1"), "{packets}");
    // The same certificate advertises SEIPDv2, which the agreement may ask for; GnuPG 2.2 cannot open that.
    sealer.openpgp = OpenPgp::Newest;
    let newest = seal(&sealer, &document());
    assert!(!gpg.list_packets(&newest).contains("mdc_method: 2"));
    assert!(read_back(&newest, &house, &key.certificate).0.unwrap() == document());
    sealer.openpgp = OpenPgp::Seipd1;
    sealer.compression = Compression::None;
    let plain = seal(&sealer, &document());
    assert!(plain.len() > document().len());
    assert!(!gpg.list_packets(&plain).contains(":compressed packet"));
}

#[test]
fn gpg_refuses_a_message_without_its_end() {
    let gpg = Gpg::new();
    let (key, house) = (ours("Bank"), ours("House"));
    gpg.import(&house.secret_key);
    gpg.import(&key.certificate);
    let sealed = seal(&sealer(signer(&key), &[(&house.certificate, &house.fingerprint)]), &document());
    let (output, _) = gpg.try_decrypt(&sealed[..sealed.len() - 40]);
    assert!(!output.status.success());
}

#[test]
fn r135_a_fingerprint_that_is_not_in_the_file_is_refused() {
    let (right, wrong) = (ours("House"), ours("Other"));
    let told = refusal(&right.certificate, &wrong.fingerprint, night());
    assert!(matches!(told, SealError::Fingerprint { .. }));
    let text = told.to_string();
    assert!(text.contains(&right.fingerprint) && text.contains(&wrong.fingerprint), "{text}");
    let short = &right.fingerprint[24..];
    assert!(matches!(refusal(&right.certificate, short, night()), SealError::Fingerprint { .. }), "a key id is no pin");
}

#[test]
fn r135_a_fingerprint_may_be_written_with_spaces_and_in_lower_case() {
    let house = ours("House");
    let spaced = format!("{} {}", &house.fingerprint[..20].to_lowercase(), &house.fingerprint[20..]);
    recipients(&[(&house.certificate, &spaced)], night()).unwrap();
}

#[test]
fn r135_a_file_that_is_no_certificate_is_refused() {
    let told = refusal(b"not a key", "0123456789ABCDEF0123456789ABCDEF01234567", night());
    assert!(matches!(told, SealError::Unreadable { .. } | SealError::Fingerprint { .. }), "{told}");
}

#[test]
fn r135_an_expired_primary_key_is_refused_although_its_subkey_never_expires() {
    let gpg = Gpg::new();
    let house = gpg.generate("House", "ed25519", "cert,sign", "30d", MADE);
    gpg.add_subkey(&house, "cv25519", "encr", "never", MADE);
    let certificate = gpg.export(&house);
    // 30 days after 2026-01-01T00:00:00Z.
    let end = at("2026-01-31T00:00:00Z");
    let checked = recipients(&[(&certificate, &house)], end - chrono::TimeDelta::seconds(1)).unwrap();
    assert_eq!(checked.expiries()[0].at, Some(end));
    let told = refusal(&certificate, &house, end);
    assert!(matches!(told, SealError::Expired { at, .. } if at == end), "{told}");
    assert!(told.to_string().contains(&house), "{told}");
}

#[test]
fn r135_an_expired_subkey_is_refused_and_a_renewed_one_taken() {
    let gpg = Gpg::new();
    let house = gpg.generate("House", "ed25519", "cert,sign", "never", MADE);
    gpg.add_subkey(&house, "cv25519", "encr", "30d", MADE);
    let told = refusal(&gpg.export(&house), &house, night());
    assert!(matches!(told, SealError::NoUsableKey { .. }), "{told}");
    assert!(told.to_string().contains("expired on 2026-01-31"), "{told}");
    gpg.add_subkey(&house, "cv25519", "encr", "1y", "20260201T000000");
    let renewed = recipients(&[(&gpg.export(&house), &house)], night()).unwrap();
    assert_eq!(renewed.expiries()[0].at, Some(at("2027-02-01T00:00:00Z")));
}

#[test]
fn r135_a_revoked_certificate_is_refused() {
    let gpg = Gpg::new();
    let house = house(&gpg, "ed25519", "cv25519");
    gpg.revoke(&house);
    let told = refusal(&gpg.export(&house), &house, Utc::now());
    assert!(matches!(told, SealError::Revoked { .. }), "{told}");
}

#[test]
fn r135_a_certificate_that_can_only_sign_is_refused() {
    let gpg = Gpg::new();
    let house = gpg.generate("House", "ed25519", "cert,sign", "never", MADE);
    let told = refusal(&gpg.export(&house), &house, night());
    assert!(told.to_string().contains("only sign"), "{told}");
}

#[test]
fn r135_a_certificate_from_the_future_is_refused() {
    let house = ours("House");
    let told = refusal(&house.certificate, &house.fingerprint, at("2025-12-31T23:59:59Z"));
    assert!(matches!(told, SealError::NotYetValid { .. }), "{told}");
}

#[test]
fn r135_one_bad_recipient_of_two_is_enough_and_all_findings_come_at_once() {
    let (good, other) = (ours("House"), ours("Other"));
    let pairs: [(&[u8], &str); 3] = [
        (&good.certificate, &good.fingerprint),
        (&good.certificate, &other.fingerprint),
        (b"nothing", &other.fingerprint),
    ];
    assert_eq!(recipients(&pairs, night()).unwrap_err().len(), 2);
    assert!(matches!(recipients(&[], night()).unwrap_err()[..], [SealError::NoRecipients]));
}

#[test]
fn a_locked_signing_key_needs_its_passphrase() {
    let gpg = Gpg::new();
    let bank = gpg.generate_locked("Bank", "correct horse");
    let secret = gpg.export_secret_locked(&bank, "correct horse");
    Signer::load(&secret, Some("correct horse"), &bank, night()).unwrap();
    for wrong in [None, Some("wrong")] {
        let told = Signer::load(&secret, wrong, &bank, night()).unwrap_err();
        assert!(matches!(told, SealError::Locked { .. }), "{told}");
    }
}

#[test]
fn the_signer_must_be_secret_live_and_pinned() {
    let (key, other) = (ours("Bank"), ours("Other"));
    let told = Signer::load(&key.certificate, None, &key.fingerprint, night()).unwrap_err();
    assert!(told.to_string().contains("public certificate only"), "{told}");
    let told = Signer::load(&key.secret_key, None, &other.fingerprint, night()).unwrap_err();
    assert!(matches!(told, SealError::Fingerprint { .. }), "{told}");
    let gpg = Gpg::new();
    let bank = gpg.generate("Bank", "ed25519", "cert,sign", "30d", MADE);
    let told = Signer::load(&gpg.export_secret(&bank), None, &bank, night()).unwrap_err();
    assert!(matches!(told, SealError::Expired { .. }), "{told}");
}

fn read_back(sealed: &[u8], house: &GeneratedKey, signer: &[u8]) -> (std::io::Result<Vec<u8>>, Verdict) {
    let key = OpeningKey::load(&house.secret_key, None).unwrap();
    let mut opened = open(sealed, &key, signer, night()).unwrap();
    let mut content = Vec::new();
    let read = opened.read_to_end(&mut content).map(|_| content);
    (read, opened.verdict())
}

#[test]
fn we_open_what_we_sealed_and_tell_who_signed() {
    let (key, house, other) = (ours("Bank"), ours("House"), ours("Other"));
    let sealed = seal(&sealer(signer(&key), &[(&house.certificate, &house.fingerprint)]), &document());
    let (content, verdict) = read_back(&sealed, &house, &key.certificate);
    assert!(content.unwrap() == document());
    assert_eq!(verdict, Verdict::Good { signer: key.fingerprint.clone(), made_at: Some(night()) });
    let (_, verdict) = read_back(&sealed, &house, &other.certificate);
    assert!(matches!(verdict, Verdict::Bad(ref why) if why.contains("another key")), "{verdict:?}");
}

#[test]
fn a_cut_or_changed_message_has_no_good_verdict() {
    let (key, house) = (ours("Bank"), ours("House"));
    let sealed = seal(&sealer(signer(&key), &[(&house.certificate, &house.fingerprint)]), &document());
    let mut changed = sealed.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    for bad in [&sealed[..sealed.len() - 1], &changed] {
        let (content, verdict) = read_back(bad, &house, &key.certificate);
        assert!(content.is_err());
        assert!(!matches!(verdict, Verdict::Good { .. }), "{verdict:?}");
    }
}

#[test]
fn another_house_cannot_open_it() {
    let (key, house, other) = (ours("Bank"), ours("House"), ours("Other"));
    let sealed = seal(&sealer(signer(&key), &[(&house.certificate, &house.fingerprint)]), b"content");
    let key = OpeningKey::load(&other.secret_key, None).unwrap();
    assert!(matches!(open(&sealed[..], &key, &house.certificate, night()).unwrap_err(), SealError::Open(_)));
}

#[test]
fn a_sink_that_fails_makes_the_writer_fail() {
    let (key, house) = (ours("Bank"), ours("House"));
    let sealer = sealer(signer(&key), &[(&house.certificate, &house.fingerprint)]);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let failed = || -> Result<(), Box<dyn std::error::Error>> {
        let mut writer = sealer.writer(full(), night())?;
        writer.write_all(&document())?;
        Ok(writer.finish()?)
    };
    let error = failed().unwrap_err();
    let told = format!("{error}: {:?}", error.source().map(ToString::to_string));
    assert!(told.contains("No space left"), "{told}");
}
