//! A TR-31 key block: opens only as it was made, and says nothing of the key where it does not.
//!
//! The first byte chooses the protection key and what is tried: a block as it came (even), or a block made of the
//! input's key and then altered in one place (odd), which an invented text would never be right enough for.

use emboss::ambient::Random;
use emboss::vault::kbpk::Kbpk;
use emboss::vault::tr31::{self, BlockTerms, OpenedBlock, Tr31Error};
use zeroize::Zeroizing;

use super::is_a_sentence;

/// Test keys of tests/vectors.json: known to everybody.
const TDES: &str = "38D0BC7A402664946BC497C810E63B02B338836E791A25CB";
const AES: &str = "C6232F9E1DFB6CE27F4B6E9C9E6DCAB0BBB09F3DB94E007372811939874B89B6";
const USAGES: [&str; 6] = ["C0", "V2", "P0", "D0", "M7", "K0"];

pub fn holds(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let kbpk = protection(if choice & 2 == 0 { AES } else { TDES });
    if choice & 1 == 0 { as_it_came(rest, &kbpk) } else { made_and_altered(rest, &kbpk) }
}

fn protection(hex_digits: &str) -> Kbpk {
    Kbpk::whole(Zeroizing::new(hex::decode(hex_digits).expect("hexadecimal"))).expect("a key")
}

fn as_it_came(block: &[u8], kbpk: &Kbpk) {
    let Ok(block) = std::str::from_utf8(block) else { return };
    match tr31::open(block, kbpk) {
        Err(error) => said(&error),
        Ok(opened) => made_again(&opened, kbpk),
    }
}

/// A key that came out of a block goes into one, and comes out the same.
fn made_again(opened: &OpenedBlock, kbpk: &Kbpk) {
    let Some(usage) = USAGES.into_iter().find(|usage| *usage == opened.usage) else { return };
    let terms = BlockTerms { usage, algorithm: opened.algorithm, mode: opened.mode };
    let block = tr31::make(kbpk, terms, &opened.key, &Random::seeded(1)).expect("what was in a block fits into one");
    let again = tr31::open(&block, kbpk).expect("what we make opens");
    assert_eq!((again.key, again.usage, again.algorithm, again.mode), {
        (opened.key.clone(), opened.usage.clone(), opened.algorithm, opened.mode)
    });
}

/// Terms, a place, what to put there, and the key.
fn made_and_altered(input: &[u8], kbpk: &Kbpk) {
    let Some(([usage, algorithm, mode, high, low, letter], key)) = input.split_first_chunk::<6>() else { return };
    let usage = USAGES[usize::from(*usage) % USAGES.len()];
    let algorithm = char::from(b"TAH"[usize::from(*algorithm) % 3]);
    let mode = char::from(b"BCDEGNSVX"[usize::from(*mode) % 9]);
    let block = match tr31::make(kbpk, BlockTerms { usage, algorithm, mode }, key, &Random::seeded(1)) {
        Err(error) => return said(&error),
        Ok(block) => block,
    };
    let opened = tr31::open(&block, kbpk).expect("what we make opens");
    assert_eq!((opened.usage.as_str(), opened.algorithm, opened.mode), (usage, algorithm, mode));
    assert_eq!(*opened.key, key);
    let place = usize::from(u16::from_be_bytes([*high, *low])) % block.len();
    let mut altered = block.clone().into_bytes();
    altered[place] = 0x20 + letter % 0x5F;
    let altered = String::from_utf8(altered).expect("ASCII");
    // Hexadecimal digits mean the same in both cases.
    if !altered.eq_ignore_ascii_case(&block) {
        said(&tr31::open(&altered, kbpk).expect_err("an altered block does not open"));
    }
}

fn said(error: &Tr31Error) {
    is_a_sentence(&error.to_string());
}
