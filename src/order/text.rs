//! What a text field may hold: lengths in Unicode scalar values after NFC (R100), patterns, character sets.

use super::error::{ErrorCode, Refusal};
use crate::card::CharacterSet;
use crate::card::characters::{code_point, first_not, length, nfc};

/// The limits of one field.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
    /// Which characters.
    pub form: Form,
}

/// Which characters a field may hold, beside that none is a control character.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Any.
    Free,
    /// The wider of the two embossing sets; which one applies is decided at the claim (R93).
    Embossed,
    /// A character class, with the pattern that people are told.
    Class(fn(char) -> bool, &'static str),
    /// A whole pattern.
    Pattern(fn(&str) -> bool, &'static str),
    /// A word of a list too long to be shown, with what the list is.
    Listed(fn(&str) -> bool, &'static str),
}

impl TextRule {
    /// Any characters.
    pub const fn free(min: usize, max: usize) -> Self {
        Self { min, max, form: Form::Free }
    }

    /// A line that is put on the card; empty is allowed, because the source sets no minimum.
    pub const fn embossed(max: usize) -> Self {
        Self { min: 0, max, form: Form::Embossed }
    }

    /// Characters of one class only.
    pub const fn class(min: usize, max: usize, class: fn(char) -> bool, pattern: &'static str) -> Self {
        Self { min, max, form: Form::Class(class, pattern) }
    }

    /// The text in NFC, if it keeps the rule. `name` is the field's path.
    ///
    /// # Errors
    /// FIELD_TOO_SHORT, FIELD_TOO_LONG, FIELD_PATTERN, FIELD_VALUE or CHARSET; the text is not repeated.
    pub fn check(&self, name: &str, text: &str) -> Result<String, Refusal> {
        let text = nfc(text);
        let length = length(&text);
        if length < self.min {
            let min = self.min;
            return Err(
                ErrorCode::FieldTooShort.because(format!("{name} has {length} characters, at least {min} are needed"))
            );
        }
        if length > self.max {
            let max = self.max;
            return Err(
                ErrorCode::FieldTooLong.because(format!("{name} has {length} characters, at most {max} are allowed"))
            );
        }
        self.form.check(name, &text)?;
        Ok(text.into_owned())
    }
}

impl Form {
    fn check(self, name: &str, text: &str) -> Result<(), Refusal> {
        match self {
            Self::Free => Ok(()),
            // R95 is decided at the claim: agreements change.
            Self::Embossed => match CharacterSet::Printed.first_outside(text) {
                None => Ok(()),
                Some((position, character)) => Err(ErrorCode::Charset.because(outside(name, position, character))),
            },
            Self::Class(class, pattern) => match first_not(text, class) {
                None => Ok(()),
                Some((position, character)) => {
                    let what = outside(name, position, character);
                    Err(ErrorCode::FieldPattern.because(format!("{what}; allowed is {pattern}")))
                }
            },
            Self::Pattern(matches, pattern) if !matches(text) => {
                Err(ErrorCode::FieldPattern.because(format!("{name} must match {pattern}")))
            }
            Self::Listed(contains, what) if !contains(text) => {
                Err(ErrorCode::FieldValue.because(format!("{name} must be {what}")))
            }
            Self::Pattern(..) | Self::Listed(..) => Ok(()),
        }
    }
}

/// Field, position from 1 and code point, never the value (R93).
fn outside(name: &str, position: usize, character: char) -> String {
    format!("{name} holds {} at position {position}, which is not allowed there", code_point(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r100_lengths_count_scalar_values_after_nfc() {
        let rule = TextRule::embossed(26);
        assert!(rule.check("x", &"\u{1ECC}".repeat(26)).is_ok(), "78 bytes, 26 characters");
        assert_eq!(rule.check("x", &"\u{1ECC}".repeat(27)).unwrap_err().code, ErrorCode::FieldTooLong);
        let decomposed = "e\u{301}".repeat(26);
        assert_eq!(rule.check("x", &decomposed).unwrap(), "é".repeat(26));
        // NFC never composes this letter again: it becomes two characters.
        let grows = TextRule::free(1, 26);
        assert!(grows.check("x", &"\u{958}".repeat(13)).is_ok());
        assert_eq!(grows.check("x", &"\u{958}".repeat(14)).unwrap_err().code, ErrorCode::FieldTooLong);
    }

    #[test]
    fn r93_a_character_outside_is_named_by_position_and_code_point_only() {
        let refusal = TextRule::embossed(26).check("body.embossing.firstName", "Ab\u{2019}c").unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Charset);
        assert_eq!(refusal.reason, "body.embossing.firstName holds U+2019 at position 3, which is not allowed there");
    }

    #[test]
    fn t1_damaged_characters_are_refused_and_the_folded_ones_taken() {
        let rule = TextRule::embossed(26);
        for wrong in ["\u{3979}", "\u{2BC}", "\u{A0}", "\u{2013}"] {
            assert_eq!(rule.check("x", wrong).unwrap_err().code, ErrorCode::Charset, "{wrong:?}");
        }
        for right in ["\u{103}", "\u{104}", "\u{105}", "\u{132}", "\u{133}", "\u{149}"] {
            assert!(rule.check("x", right).is_ok(), "{right:?}");
        }
    }

    #[test]
    fn r93_r95_of_all_of_unicode_281_code_points_are_taken_and_every_other_is_named() {
        let rule = TextRule::embossed(26);
        let mut taken = 0;
        for c in '\0'..=char::MAX {
            match rule.check("x", &c.to_string()) {
                Ok(text) => {
                    assert_eq!(CharacterSet::Printed.first_outside(&text), None, "{}", code_point(c));
                    taken += 1;
                }
                Err(refusal) => {
                    let first = nfc(&c.to_string()).chars().find(|c| !CharacterSet::Printed.contains(*c)).unwrap();
                    assert_eq!(refusal.code, ErrorCode::Charset);
                    assert!(refusal.reason.starts_with(&format!("x holds {} at ", code_point(first))), "{refusal}");
                }
            }
        }
        // The printed set, and the two signs that NFC makes K and \u{C5} of.
        assert_eq!(taken, 279 + 2);
    }

    #[test]
    fn classes_and_patterns_say_what_they_allow() {
        let class = TextRule::class(1, 3, |c| c.is_ascii_digit(), "[0-9]");
        assert_eq!(
            class.check("x", "1a").unwrap_err().reason,
            "x holds U+0061 at position 2, which is not allowed there; allowed is [0-9]"
        );
        assert_eq!(class.check("x", "").unwrap_err().code, ErrorCode::FieldTooShort);
        let pattern = TextRule { min: 1, max: 9, form: Form::Pattern(|text| text.starts_with('+'), "[+].*") };
        assert_eq!(pattern.check("x", "1").unwrap_err().reason, "x must match [+].*");
    }
}
