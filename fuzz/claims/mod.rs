//! What must hold of every input, whoever wrote it: one function for each parser, which panics where it does not.
//!
//! `fuzz/fuzz_targets/` feeds them what libFuzzer invents, `tests/fuzzed.rs` what is kept in `fuzz/corpus/` and
//! `fuzz/findings/`.

pub mod chain_head;
pub mod configuration;
pub mod hsm_answer;
pub mod intake_line;
pub mod journal_line;
pub mod key_block;
pub mod mask;

use emboss::card::Pan;

/// Panics where it does not hold of an input.
pub type Claim = fn(&[u8]);

/// Every claim, under the name of its target.
pub const ALL: &[(&str, Claim)] = &[
    ("chain_head", chain_head::holds),
    ("configuration", configuration::holds),
    ("hsm_answer", hsm_answer::holds),
    ("intake_line", intake_line::holds),
    ("journal_line", journal_line::holds),
    ("key_block", key_block::holds),
    ("mask", mask::holds),
];

/// Runs of digits that may be a card number: 13 to 19 with a right check digit, and no hexadecimal letter beside them,
/// which would make them part of a digest.
pub fn card_numbers(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_hexdigit());
    words.filter(|word| Pan::parse(word).is_ok()).collect()
}

/// What is said is one sentence to a person: something, on one line, without a control character or card number.
#[track_caller]
pub fn is_a_sentence(said: &str) {
    is_one_line(said);
    assert!(card_numbers(said).is_empty(), "a card number: {said:?}");
}

/// The same of what repeats names that a person chose.
#[track_caller]
pub fn is_one_line(said: &str) {
    assert!(said.contains(' '), "nothing is said: {said:?}");
    assert!(!said.chars().any(char::is_control), "a control character: {said:?}");
}
