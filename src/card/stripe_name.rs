//! The cardholder name as magnetic stripe and chip carry it (R98).
//!
//! Invariants: 2 to 26 characters of `A-Z`, `0-9`, space, hyphen and full stop with exactly one `/`, last name first;
//! track 1 and chip carry the same. Elsewhere a name is never shortened; here it must be, because ISO/IEC 7813 gives
//! it 26 characters and a transliterated letter may be two.

use std::fmt::Write as _;

use deunicode::deunicode_char;

use super::characters::nfc;
use super::secret::masked_debug;

/// Longest name field of track 1 (ISO/IEC 7813).
const LONGEST: usize = 26;

/// A name for track 1 and chip. Never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct StripeName {
    /// `LAST/FIRST`, 2 to 26 characters.
    pub name: String,
    /// Whether the first name became an initial or the last name was cut (`TRACK1_NAME_SHORTENED`).
    pub shortened: bool,
}

masked_debug!(StripeName);

/// Nothing that a stripe can carry is left of the names (held, NAME_MISSING).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no character for the magnetic stripe is left of name, company and additional field 1")]
pub struct TooShort;

/// Makes the name from what the card carries: the names; where they give nothing, the company, else additional
/// field 1, then with ` /` behind it. A name alone stands before the `/`.
///
/// # Errors
/// [`TooShort`] where nothing is left of any of them.
pub fn stripe_name(
    first: Option<&str>,
    last: Option<&str>,
    company: Option<&str>,
    additional_field1: Option<&str>,
) -> Result<StripeName, TooShort> {
    match (plain(last), plain(first)) {
        (Some(last), Some(first)) => Ok(joined(last, &first)),
        (Some(name), None) | (None, Some(name)) => Ok(alone(name, "/")),
        (None, None) => {
            let name = plain(company).or_else(|| plain(additional_field1)).ok_or(TooShort)?;
            Ok(alone(name, " /"))
        }
    }
}

fn joined(mut last: String, first: &str) -> StripeName {
    if last.len() + 1 + first.len() <= LONGEST {
        let _ = write!(last, "/{first}");
        return StripeName { name: last, shortened: false };
    }
    let initial = first.chars().find(char::is_ascii_alphanumeric).or(first.chars().next()).unwrap_or_default();
    cut(&mut last, LONGEST - 2);
    let _ = write!(last, "/{initial}");
    StripeName { name: last, shortened: true }
}

fn alone(mut name: String, end: &str) -> StripeName {
    let shortened = name.len() + end.len() > LONGEST;
    if shortened {
        cut(&mut name, LONGEST - end.len());
    }
    name.push_str(end);
    StripeName { name, shortened }
}

/// Cuts ASCII text, and the space a cut may leave at its end.
fn cut(name: &mut String, longest: usize) {
    name.truncate(longest);
    name.truncate(name.trim_end().len());
}

/// The text in the stripe's characters, spaces collapsed; `None` where nothing but spaces is left.
fn plain(text: Option<&str>) -> Option<String> {
    let text = nfc(text?);
    let mut plain = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        let letters = deunicode_char(c).unwrap_or_default();
        letters.bytes().for_each(|letter| keep(&mut plain, letter));
    }
    plain.truncate(plain.trim_end().len());
    (!plain.is_empty()).then_some(plain)
}

/// Appends the character if a stripe can carry it. A space only behind something else.
fn keep(plain: &mut String, letter: u8) {
    match letter {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => plain.push(char::from(letter.to_ascii_uppercase())),
        b' ' if !plain.is_empty() && !plain.ends_with(' ') => plain.push(' '),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
