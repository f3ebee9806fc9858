//! The character sets that may be put on a card (S2), the letter sets of printers, and normalisation.
//!
//! Invariants: the tables are those of S2 and of nothing else, because the copies in S0 and S1 are damaged (trap T1);
//! every look-up is a handful of comparisons, since a night asks for each character of each line; positions count
//! Unicode scalar values from 1 (R100), so that a person can find the character without being shown the value.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::product::words;

words!(
    /// Which characters an agreement lets onto a card (R93).
    #[derive(Default)]
    CharacterSet {
        /// The 98 characters for stamped cards.
        #[default]
        EmbossedDefault = "EMBOSSED_DEFAULT",
        /// The 279 characters for printed cards.
        Printed = "PRINTED",
    }
);

words!(
    /// The letters a house's printers know for addresses (R88).
    #[derive(Default)]
    LetterSet {
        /// No limit beside what XML allows.
        #[default]
        Any = "any",
        /// Latin script: Basic Latin, Latin-1, Latin Extended-A, -B and Additional.
        Latin = "latin",
        /// ISO 8859-1.
        Latin1 = "latin1",
        /// Printable ASCII.
        Ascii = "ascii",
    }
);

impl CharacterSet {
    /// Whether `c` may be put on a card. The text it stands in must be NFC.
    pub fn contains(self, c: char) -> bool {
        match self {
            Self::EmbossedDefault => {
                if c.is_ascii() {
                    is_embossed_ascii(c)
                } else {
                    is_embossed_accent(c)
                }
            }
            Self::Printed => {
                if c.is_ascii() {
                    is_embossed_ascii(c)
                } else {
                    is_printed_letter(c)
                }
            }
        }
    }

    /// The first character of `text` (NFC) outside the set, and its position from 1.
    pub fn first_outside(self, text: &str) -> Option<(usize, char)> {
        first_not(text, |c| self.contains(c))
    }
}

impl LetterSet {
    /// Whether the printers know `c`. Control characters and what XML cannot hold are in no set.
    pub fn contains(self, c: char) -> bool {
        match self {
            Self::Any => xml_legal(c),
            Self::Latin => matches!(c, ' '..='~' | '\u{A0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}'),
            Self::Latin1 => matches!(c, ' '..='~' | '\u{A0}'..='\u{FF}'),
            Self::Ascii => matches!(c, ' '..='~'),
        }
    }

    /// The first character of `text` (NFC) the printers do not know, and its position from 1.
    pub fn first_outside(self, text: &str) -> Option<(usize, char)> {
        first_not(text, |c| self.contains(c))
    }
}

/// Letters, digits, space and `-/.,&+'`: the ASCII part of both sets.
fn is_embossed_ascii(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | ' ' | '0'..='9' | '-' | '/' | '.' | ',' | '&' | '+' | '\'')
}

/// The fourteen accented pairs of the default set.
fn is_embossed_accent(c: char) -> bool {
    matches!(
        c,
        'Á' | 'á'
            | 'Ä'
            | 'ä'
            | 'Å'
            | 'å'
            | 'Æ'
            | 'æ'
            | 'É'
            | 'é'
            | 'Í'
            | 'í'
            | 'Ð'
            | 'ð'
            | 'Ó'
            | 'ó'
            | 'Ö'
            | 'ö'
            | 'Ø'
            | 'ø'
            | 'Ú'
            | 'ú'
            | 'Ü'
            | 'ü'
            | 'Ý'
            | 'ý'
            | 'Þ'
            | 'þ'
    )
}

/// The letters beyond ASCII of the printed set: Latin-1's without the signs of multiplication and division, the
/// whole of Latin Extended-A, and a few of Extended-B and Additional.
fn is_printed_letter(c: char) -> bool {
    matches!(
        c,
        '\u{C0}'..='\u{D6}'
            | '\u{D8}'..='\u{F6}'
            | '\u{F8}'..='\u{17F}'
            | '\u{1EA}'..='\u{1EB}'
            | '\u{218}'..='\u{21B}'
            | '\u{22A}'..='\u{22B}'
            | '\u{22E}'..='\u{22F}'
            | '\u{232}'..='\u{233}'
            | '\u{1E10}'..='\u{1E11}'
            | '\u{1E62}'..='\u{1E63}'
            | '\u{1E9E}'
            | '\u{1ECC}'..='\u{1ECD}'
    )
}

/// Whether `c` may stand in the value of an additional pair (T2): the printed set without `&`, `,` and `/`, with
/// `|` and `_`.
pub fn value_allowed(c: char) -> bool {
    if c.is_ascii() {
        matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '|' | '-' | '_' | ' ' | '+' | '.' | '\'')
    } else {
        is_printed_letter(c)
    }
}

/// Whether `c` may stand in the key of an additional pair (R99): `[a-zA-Z0-9\-_ ]`.
pub fn key_allowed(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' | ' ')
}

/// Whether a field of a file may hold `c`: the Char production of XML 1.0 without any control character. Tab and
/// line breaks are legal XML, but no field has a use for them and attributes would change them; XML writers pass
/// the others unseen (fault 27).
pub fn xml_legal(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

/// The first character of `text` that is not `allowed`, and its position from 1.
pub fn first_not(text: &str, allowed: impl Fn(char) -> bool) -> Option<(usize, char)> {
    text.chars().enumerate().find(|(_, c)| !allowed(*c)).map(|(index, c)| (index + 1, c))
}

/// `text` in normal form C. Never KC: that would fold U+0132, U+0149 and U+017F, which S2 lists by themselves (T2).
pub fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Length as every limit counts it (R100): Unicode scalar values. The text must be NFC.
pub fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// `text` upper-cased by the full Unicode table (R96), NFC again: sharp s becomes SS and so longer, dotless i becomes
/// I, U+0149 leaves every set. So what comes back must be checked anew.
pub fn upper_case(text: &str) -> Cow<'_, str> {
    if !text.chars().any(changes_in_upper_case) {
        return Cow::Borrowed(text);
    }
    let upper = text.to_uppercase();
    match nfc(&upper) {
        Cow::Borrowed(_) => Cow::Owned(upper),
        Cow::Owned(normal) => Cow::Owned(normal),
    }
}

fn changes_in_upper_case(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { !c.to_uppercase().eq([c]) }
}

/// `U+00E9`: how a reason names a character.
pub fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

#[cfg(test)]
mod tests;
