//! Faults of `[vault.payshield]` and of keys under an LMK, each with its sentence.

#[path = "../../../tests/support/payment_hsms.rs"]
mod payment_hsms;

use super::super::tests::{FULL, faults, load};
use super::*;
use payment_hsms::with_payment_hsms;

fn changed(from: &str, to: &str) -> String {
    let full = with_payment_hsms(FULL);
    assert!(full.contains(from), "the sample has no {from}");
    full.replacen(from, to, 1)
}

#[track_caller]
fn one_fault(from: &str, to: &str, expected: &str) {
    assert_eq!(faults(&changed(from, to)), [expected], "{from} -> {to}");
}

#[test]
fn the_sample_with_payment_hsms_is_sound_and_what_is_absent_has_the_values_it_calls_default() {
    let absent = ["connections = 4", "commands_per_s = 250", "timeout_ms = 5000", "attempts = 3", "header_length = 4"];
    let mut text = with_payment_hsms(FULL);
    let full = load(&text).unwrap().vault.payshield.unwrap();
    for line in absent {
        text = text.replacen(line, "# ", 1);
    }
    let minimal = load(&text).unwrap().vault.payshield.unwrap();
    assert_eq!(minimal, PayShieldSettings { commands_per_s: None, tls: minimal.tls.clone(), ..full });
    let tls = minimal.tls.unwrap();
    assert_eq!(tls.key_file, "/run/credentials/emboss.service/hsm");
    assert!(tls.ca_file.starts_with('/') && tls.ca_file.ends_with("/keys/hsm-ca.pem"), "{}", tls.ca_file);
}

#[test]
fn provider_and_section_go_together() {
    let text = changed("provider = \"payshield\"", "provider = \"software\"");
    assert_eq!(
        faults(&text)[0],
        "[vault] payshield is set, and the provider is software: \
         write provider = \"payshield\", or remove [vault.payshield]"
    );
    assert_eq!(
        faults(&text)[1],
        "[[key]] cvv-1 lmk is set, and software cannot use what a payment HSM protects: \
         write provider = \"payshield\" in [vault], or the block of another key with its kbpk"
    );
    assert_eq!(faults(&text).len(), 6, "the section, and each of five keys");
    let text = FULL.replace("provider = \"software\"", "provider = \"payshield\"");
    let found = faults(&text);
    assert_eq!(
        found[0],
        "[vault] payshield is missing, and the provider is payshield: add [vault.payshield] with its devices"
    );
    assert_eq!(
        found[1],
        "[[key]] cvv-1 lmk is missing, and CVVs and PINs are the payment HSM's: \
         export the key from it under its LMK, and write lmk in the place of kbpk"
    );
    assert_eq!(found.len(), 6, "the section, and each of five keys");
}

#[test]
fn devices_are_places_and_each_is_there_once() {
    let devices = "devices = [\"hsm1.bank.example:1500\", \"hsm2.bank.example:1500\"]";
    one_fault(devices, "devices = []", "[vault.payshield] devices names none: write HOST:PORT of one or more");
    one_fault(
        devices,
        "devices = [\"hsm1\"]",
        "[vault.payshield] devices names \"hsm1\": \
         each must be HOST:PORT, for example hsm1.bank.example:1500 or [2001:db8::1]:1500",
    );
    one_fault(
        devices,
        "devices = [\"hsm1:1500\", \"HSM1:1500\", \"hsm1:1501\"]",
        "[vault.payshield] devices names hsm1:1500 twice: name each device once",
    );
}

#[test]
fn a_check_value_has_six_digits_or_more() {
    for (digits, sound) in [
        ("9D04A", false),
        ("9d04a0", true),
        ("9D04A00000000000", true),
        ("9D04A000000000000", false),
        ("9D04AG", false),
    ] {
        let found = faults(&changed("\"9D04A00000000000\"", &format!("\"{digits}\"")));
        let fault = "[vault.payshield] lmk_check_value is not the check value of an LMK: write the 16 hexadecimal \
                     digits that NC shows, or as many of them, 6 or more, as the console does";
        assert_eq!(found, if sound { vec![] } else { vec![fault] }, "{digits}");
    }
}

#[test]
fn numbers_end_where_the_sample_says() {
    for (key, value, from, to) in [
        ("connections", "4", 1, 64),
        ("commands_per_s", "250", 1, 100_000),
        ("timeout_ms", "5000", 100, 60_000),
        ("attempts", "3", 1, 10),
        ("header_length", "4", 1, 255),
    ] {
        let written = format!("{key} = {value} ");
        for (number, sound) in [(from, true), (to, true), (from - 1, false), (to + 1, false)] {
            let found = faults(&changed(&written, &format!("{key} = {number} ")));
            let expected = format!("[vault.payshield] {key} is {number}: write {from} to {to}");
            assert_eq!(found, if sound { vec![] } else { vec![expected] }, "{key} = {number}");
        }
    }
}

#[test]
fn there_are_headers_for_all_that_is_in_flight() {
    let text = changed("header_length = 4 ", "header_length = 1 ");
    assert_eq!(faults(&text.replace("connections = 4 ", "connections = 18 ")), [""; 0], "two devices, 36 headers");
    assert_eq!(
        faults(&text.replace("connections = 4 ", "connections = 19 ")),
        ["[vault.payshield] header_length gives too few headers for 38 requests at once: \
          lower connections, or set a longer header here and on the devices"]
    );
}

#[test]
fn keys_of_cards_are_the_devices_and_others_are_not() {
    let own = "block_file = \"keys/data-1.tr31\"\nkbpk = \"main\"";
    let found =
        faults(&changed(own, &own.replace("kbpk = \"main\"", "lmk = { usage = \"D0\", algorithm = \"AES_256\" }")));
    assert_eq!(
        found,
        [
            "[[key]] data-1 lmk says usage D0, which this program computes itself: keep the key under a kbpk",
            "[[key]] data-1 lmk says AES_256, and a variant LMK holds TDES keys only: \
             use a device with a key-block LMK, or a TDES key",
            "[[key]] data-1 lmk is set, and the key is one that this program uses itself: keep it under a kbpk",
        ]
    );
    let zone = "lmk = { usage = \"P0\", algorithm = \"TDES_2KEY\" }\nkcv = \"D4574E\"";
    one_fault(
        zone,
        "lmk = { usage = \"P0\", algorithm = \"TDES_2KEY\" }",
        "[[key]] zone-north-1 kcv is missing, and no one but the payment HSM can tell it: \
         write the check value that the device shows",
    );
    let aes = zone.replace("TDES_2KEY", "AES_128");
    assert_eq!(faults(&changed(zone, &aes)).len(), 1, "AES under a variant LMK");
    let text = changed(zone, &aes).replace("lmk = \"variant\"", "lmk = \"keyblock\"");
    assert_eq!(faults(&text), [""; 0]);
    for key in ["zone-north-1", "zone-issuer-1", "pvv-1", "cvv-1", "cvv2-1"] {
        let text = with_payment_hsms(FULL);
        let (before, after) = text.split_once(&format!("block_file = \"keys/{key}.tr31\"\nlmk = ")).unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let found = faults(&format!("{before}block_file = \"k\"\nkbpk = \"main\"\n{after}"));
        let expected = format!("[[key]] {key} lmk is missing, and CVVs and PINs are the payment HSM's: ");
        assert!(found.iter().any(|fault| fault.starts_with(&expected)), "{key}: {found:?}");
    }
}

#[test]
fn a_checked_cvv_has_three_digits_and_is_of_a_cvv_key_under_the_lmk() {
    one_fault(
        "check_cvv = \"123\"",
        "check_cvv = \"12\"",
        "[[key]] cvv2-1 check_cvv is not a CVV: \
         write the three digits that the device made of the test card, in quotes, or leave it out",
    );
    for key in ["data-1", "pvv-1"] {
        let id = format!("id = \"{key}\"\n");
        let fault = format!("[[key]] {key} check_cvv is set, and this is no C0 key under an LMK: remove it");
        one_fault(&id, &format!("{id}check_cvv = \"123\"\n"), &fault);
    }
}

#[test]
fn plain_tcp_to_another_host_is_warned_of_where_cards_are_real() {
    let text = with_payment_hsms(FULL);
    let (before, tls) = text.split_once("[vault.payshield.tls]").unwrap();
    let (_, after) = tls.split_once("[[key]]").unwrap();
    let plain = format!("{before}[[key]]{after}").replace("hsm2.bank.example:1500", "127.0.0.1:1500");
    let live = |text: &str| text.replace("environment = \"test\"", "environment = \"live\"");
    let warned = |text: &str| warnings(&load(text).unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(warned(&plain), [""; 0]);
    assert_eq!(
        warned(&live(&plain)),
        ["[vault.payshield] tls is missing: the network reads card numbers on their way to hsm1.bank.example:1500, \
          and may answer in its place: add [vault.payshield.tls]"]
    );
    assert_eq!(warned(&live(&text)), [""; 0]);
}
