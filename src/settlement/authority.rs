//! Who orders something that only a person may, and why: what the audit keeps of it.
//!
//! Invariant: neither holds what could be a card number, so that what is written down for ever, shown in reports and
//! read by others is never a secret. The refusal does not repeat what was given.

use std::fmt;

/// Most characters of the name.
const BY_MAX: usize = 64;
/// Most characters of the reason.
const REASON_MAX: usize = 200;
/// So many digits in a row may be a card number.
const DIGITS_MIN: usize = 12;

/// Somebody's order, with their name and their reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    by: String,
    reason: String,
}

/// A name or a reason that is not written down. What was given is not repeated: it may be a card number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Too short or too long.
    #[error("{option} must have 1 to {most} characters, spaces at its ends not counted")]
    Length {
        /// `--by` or `--reason`.
        option: &'static str,
        /// Its limit.
        most: usize,
    },
    /// A line break, a tabulator or the like.
    #[error("{option} must be one line without control characters")]
    Control {
        /// `--by` or `--reason`.
        option: &'static str,
    },
    /// It may hold a card number.
    #[error("{option} has {DIGITS_MIN} or more digits in a row, which could be a card number: name the card by its id")]
    Digits {
        /// `--by` or `--reason`.
        option: &'static str,
    },
}

impl Authority {
    /// Takes a name of 1 to 64 characters and a reason of 1 to 200, each one line.
    ///
    /// ```
    /// use emboss::settlement::Authority;
    ///
    /// let authority = Authority::new("anna", "the house confirmed by telephone").unwrap();
    /// assert_eq!(authority.by(), "anna");
    /// assert!(Authority::new("anna", "card 4000 0012 3456 7899").is_err());
    /// ```
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn new(by: &str, reason: &str) -> Result<Self, AuthorityError> {
        Ok(Self { by: checked("--by", by, BY_MAX)?, reason: checked("--reason", reason, REASON_MAX)? })
    }

    /// Who.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.by, self.reason)
    }
}

fn checked(option: &'static str, text: &str, most: usize) -> Result<String, AuthorityError> {
    let text = text.trim();
    if text.chars().any(is_control) {
        return Err(AuthorityError::Control { option });
    }
    if !(1..=most).contains(&text.chars().count()) {
        return Err(AuthorityError::Length { option, most });
    }
    if longest_number(text) >= DIGITS_MIN {
        return Err(AuthorityError::Digits { option });
    }
    Ok(text.to_owned())
}

/// Beside control characters the two line separators, which break lines as well, and what turns the direction of writing
/// round, so that a line reads as something else than it says.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Digits in a row, as people write card numbers, or as they come out of a document: spaces and hyphens of any kind,
/// slashes, and what cannot be seen may stand between them. What parts lists and times does not, nor does a letter.
fn longest_number(text: &str) -> usize {
    let (mut longest, mut digits) = (0, 0);
    for letter in text.chars() {
        match letter {
            _ if letter.is_numeric() => digits += 1,
            ',' | ';' | ':' => digits = 0,
            _ if letter.is_alphabetic() => digits = 0,
            _ => {}
        }
        longest = longest.max(digits);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_up_to_64_characters_and_a_reason_up_to_200() {
        let letters = |count| "ä".repeat(count);
        assert!(Authority::new(&letters(64), &letters(200)).is_ok());
        let length = |option, most| Err(AuthorityError::Length { option, most });
        for by in ["", "   ", &letters(65)] {
            assert_eq!(Authority::new(by, "why"), length("--by", 64));
        }
        for reason in ["", " ", &letters(201)] {
            assert_eq!(Authority::new("who", reason), length("--reason", 200));
        }
        assert_eq!(Authority::new(" anna ", "why").unwrap().by(), "anna");
    }

    #[test]
    fn neither_breaks_a_line() {
        for reason in ["two\nlines", "a\ttab", "a\u{0}", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", "\u{1b}[31mred"] {
            assert_eq!(
                Authority::new("who", reason),
                Err(AuthorityError::Control { option: "--reason" }),
                "{reason:?}"
            );
            assert_eq!(Authority::new(reason, "why"), Err(AuthorityError::Control { option: "--by" }), "{reason:?}");
        }
    }

    #[test]
    fn neither_turns_the_direction_of_writing_round() {
        for mark in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202d}\u{202e}\u{2066}\u{2069}".chars() {
            let reason = format!("told by {mark}anna");
            assert_eq!(
                Authority::new("who", &reason),
                Err(AuthorityError::Control { option: "--reason" }),
                "{reason:?}"
            );
        }
        assert!(Authority::new("אנה", "طلب").is_ok(), "letters that are written from right to left");
    }

    #[test]
    fn r138_neither_holds_what_could_be_a_card_number() {
        for number in [
            "400000123456",
            "card 4000001234567899",
            "4000 0012 3456 7899",
            "4000-0012-3456-7899",
            "4000.0012.3456.7899",
            "4000  0012  3456  7899",
            "4000\u{a0}0012\u{a0}3456\u{a0}7899",
            "4000\u{2011}0012\u{2013}3456\u{2014}7899",
            "4000/0012/3456/7899",
            "4000_0012_3456_7899",
            "4000\u{200b}0012\u{200b}3456\u{200b}7899",
            "٤٠٠٠٠٠١٢٣٤٥٦",
        ] {
            let refusal = Authority::new("who", number).unwrap_err();
            assert_eq!(refusal, AuthorityError::Digits { option: "--reason" }, "{number}");
            assert!(!refusal.to_string().contains("4000"), "{refusal}");
            assert!(Authority::new(number, "why").is_err(), "{number}");
        }
        for harmless in [
            "ticket 40000012345",
            "on 2026-11-21, at 03:00",
            "2026-11-21 08:10:12",
            "plastics 50001, 50002; 50003",
            "EMB_246001_X_000001",
        ] {
            assert!(Authority::new("who", harmless).is_ok(), "{harmless}");
        }
    }
}
