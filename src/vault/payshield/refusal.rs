//! What an error code means, and what to do about it, in a sentence for an operator.
//!
//! Invariant: a sentence holds the command, the code and words of this file; nothing else of an answer.

use super::command::{Class, Reply};
use crate::vault::CryptoError;

/// Why an answer that is no success is none, by its class.
pub(super) fn refused(command: &str, reply: &Reply) -> CryptoError {
    let code = reply.error.as_str();
    if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return unreadable(command, "its error code is not two letters or digits");
    }
    let sentence = format!("the payment HSM answered {command} with error {code}: {}", in_words(code));
    match Class::of(code) {
        Class::Card => CryptoError::Card(sentence),
        Class::Transient => CryptoError::Transient(sentence),
        // A success that is asked for its refusal is none that this program understands.
        Class::Configuration | Class::Done => CryptoError::Configuration(sentence),
    }
}

/// An answer that is not of its command's form.
pub(super) fn unreadable(command: &str, why: &str) -> CryptoError {
    CryptoError::Configuration(format!(
        "the payment HSM's answer to {command} cannot be read: {why}; compare the device's model and firmware, and \
         header_length in [vault.payshield], with what this program was made for"
    ))
}

fn in_words(code: &str) -> &'static str {
    match code {
        "14" | "15" | "20" | "22" | "24" | "81" | "86" => about_the_card(code),
        "41" => "an internal fault; if another device does not have it, take this one out and run its diagnostics",
        "42" => "its cipher failed; if another device does not have it, take this one out and run its diagnostics",
        _ if code.starts_with(['A', 'B']) => about_a_key_block(code),
        _ => about_the_device(code),
    }
}

fn about_the_card(code: &str) -> &'static str {
    match code {
        "14" => "the stored PIN is none under the device's LMK; the card needs a new PIN",
        "15" => {
            "a field is not as the device wants it; where every card has it, compare the device's PIN length and \
             PIN encryption settings with those of the device that made the stored PINs"
        }
        "20" => "the PIN block holds no PIN for this card number and key",
        "22" => "the device does not take the account number",
        "24" => "the PIN has fewer than 4 digits, or more than the device is set to take",
        "81" => "the PIN has another length than those on the device's list of excluded PINs",
        _ => "the PIN is on the device's list of excluded PINs; the card needs another",
    }
}

fn about_a_key_block(code: &str) -> &'static str {
    match code {
        "A1" => "the key is under the other kind of LMK; compare lmk in [vault.payshield]",
        "A2" | "A3" => "the keys of the command are under different LMKs; export them again under the one in use",
        "A4" => "the key block does not open under the device's LMK; export it again from a device with that LMK",
        "A5" => "the key's length is not what the command needs; compare algorithm in its [[key]]",
        "A6" => "the key block's usage is not what the command needs; compare usage in its [[key]]",
        "A7" => "the key block's algorithm is not what the command needs; compare algorithm in its [[key]]",
        "A8" => {
            "the key block's mode of use does not allow the command; export the key again with a mode that does (for \
             an issuer's zone PIN key: both directions)"
        }
        "AE" | "AF" => "the key block is before or behind its own dates; a new key is needed in its place",
        _ => "the device does not take a header field of the key block; export the key again",
    }
}

fn about_the_device(code: &str) -> &'static str {
    match code {
        "01" | "10" => "a key's parity is wrong; compare the key's file with what the device exported",
        "11" => "the second key's parity is wrong, or it is all zeros; compare its file with what the device exported",
        "02" | "05" | "27" => "a key's length is wrong; compare algorithm in its [[key]]",
        "04" | "28" => "a key's type is wrong; compare usage in its [[key]]",
        "12" => "its user storage is empty; this program does not use it, so that a key's file must be wrong",
        "13" => "no such LMK, or it is damaged; load the LMK and compare its check value",
        "17" => "its security settings forbid the command, or it is not in the state the command needs",
        "23" => "its security settings forbid this PIN block format, or it does not know it",
        "26" => "a key's scheme letter is wrong; compare lmk in [vault.payshield] with the device's LMK",
        "29" => "its security settings forbid this use of the key",
        "32" | "47" => "its licence does not have the key's algorithm (AES); order it, or use TDES keys",
        "33" | "40" => "its memory is damaged; take it out and run its diagnostics",
        "39" => "its fraud detection has stopped PIN commands; somebody must look why, and reset it at its console",
        "67" => "its licence does not have the command; order it from the maker",
        "68" => "the command is disabled; enable it at the device's console",
        "69" => "the PIN block format is disabled; enable it at the device's console",
        "75" => "a key is single-length in disguise; a new key is needed in its place",
        _ => "a code this program does not know; the device's manual tells what it means",
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn told(error: &str) -> CryptoError {
        refused("JG", &Reply { error: error.to_owned(), fields: Zeroizing::new(b"0123456".to_vec()) })
    }

    #[test]
    fn a_sentence_names_command_and_code_and_what_to_do() {
        let CryptoError::Configuration(sentence) = told("68") else { panic!("68") };
        assert_eq!(
            sentence,
            "the payment HSM answered JG with error 68: the command is disabled; enable it at the device's console"
        );
        let CryptoError::Card(sentence) = told("86") else { panic!("86") };
        assert!(sentence.starts_with("the payment HSM answered JG with error 86: "), "{sentence}");
        assert!(sentence.contains("list of excluded PINs"), "{sentence}");
        let CryptoError::Transient(sentence) = told("41") else { panic!("41") };
        assert!(sentence.contains("error 41"), "{sentence}");
    }

    #[test]
    fn every_code_of_two_letters_or_digits_has_a_class_and_a_sentence() {
        let letters = (b'0'..=b'9').chain(b'A'..=b'Z');
        let mut counted = [0; 3];
        for code in letters.clone().flat_map(|first| letters.clone().map(move |second| [first, second])) {
            let code = String::from_utf8(code.to_vec()).unwrap();
            let sentence = match (told(&code), Class::of(&code)) {
                (CryptoError::Card(text), Class::Card) => (0, text),
                (CryptoError::Transient(text), Class::Transient) => (1, text),
                (CryptoError::Configuration(text), Class::Configuration | Class::Done) => (2, text),
                other => panic!("{code}: {other:?}"),
            };
            counted[sentence.0] += 1;
            assert!(sentence.1.contains(&code) && !sentence.1.contains("0123456"), "{}", sentence.1);
        }
        // Those of card-secrets.md 3: 14 15 20 22 24 81 86, and 41 42.
        assert_eq!(counted, [7, 2, 36 * 36 - 9]);
    }

    #[test]
    fn the_codes_an_operator_can_do_something_about_have_words_of_their_own() {
        let unknown = told("ZZ").to_string().replace("ZZ", "");
        for code in
            ["01", "02", "04", "10", "11", "12", "13", "14", "15", "17", "20", "22", "23", "24", "26", "27", "29"]
                .into_iter()
                .chain(["39", "41", "42", "47", "67", "68", "69", "81", "86", "A1", "A4", "A6", "A8", "B2"])
        {
            assert_ne!(told(code).to_string().replace(code, ""), unknown, "{code}");
        }
    }

    #[test]
    fn a_code_that_is_none_is_not_repeated() {
        for error in ["", "0", "000", "\u{1b}[", "é"] {
            let CryptoError::Configuration(sentence) = told(error) else { panic!("{error:?}") };
            assert!(sentence.contains("not two letters or digits"), "{sentence}");
            assert!(sentence.is_ascii(), "{sentence}");
        }
    }
}
