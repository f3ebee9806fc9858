//! Which characters a file can carry (fault 27), and where an illegal one stands.
//!
//! XML 1.0 has no way to write most control characters, not even escaped, and its writers pass them on; a line break
//! inside a field would also break a record over two lines. JSON could carry them all, but a file must be convertible
//! into the other format. So both refuse the same: every control character (C0, DEL, C1), U+FFFE and U+FFFF.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::walk::{Body, Section};
use crate::card::characters::xml_legal;

/// Bits of [`seen`]: nothing remarkable; to be escaped in XML; perhaps illegal.
pub(crate) const MARKUP: u8 = 1;
pub(crate) const DOUBTFUL: u8 = 2;

const BITS: [u8; 256] = bits();

const fn bits() -> [u8; 256] {
    let mut bits = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        bits[byte] = DOUBTFUL;
        byte += 1;
    }
    // DEL, the lead byte of C1 controls and the lead byte of U+FFFE and U+FFFF.
    bits[0x7F] = DOUBTFUL;
    bits[0xC2] = DOUBTFUL;
    bits[0xEF] = DOUBTFUL;
    bits[b'<' as usize] = MARKUP;
    bits[b'>' as usize] = MARKUP;
    bits[b'&' as usize] = MARKUP;
    bits[b'\'' as usize] = MARKUP;
    bits[b'"' as usize] = MARKUP;
    bits
}

/// What kinds of bytes a text has, in one pass without a branch. [`DOUBTFUL`] asks for [`first_illegal`].
pub(crate) fn seen(text: &str) -> u8 {
    text.bytes().fold(0, |seen, byte| seen | BITS[usize::from(byte)])
}

/// The first character no file may carry.
pub fn first_illegal(text: &str) -> Option<char> {
    if seen(text) & DOUBTFUL == 0 { None } else { text.chars().find(|&character| !xml_legal(character)) }
}

/// Walks a record like a format, only to find where an illegal character stands; used when a format had a doubt.
#[derive(Default)]
pub(crate) struct Search {
    path: Vec<&'static str>,
    /// Field and character.
    pub(crate) found: Option<(String, char)>,
}

impl Search {
    fn look(&mut self, name: &str, text: &str) {
        if self.found.is_none()
            && let Some(character) = first_illegal(text)
        {
            let field = self.path.iter().copied().chain([name]).collect::<Vec<_>>().join(".");
            self.found = Some((field, character));
        }
    }
}

impl Body for Search {
    fn begin(&mut self, _section: Section) {}

    fn end(&mut self, _section: Section) {}

    fn open(&mut self, name: &'static str) {
        self.path.push(name);
    }

    fn close(&mut self, _name: &'static str) {
        self.path.pop();
    }

    fn open_list(&mut self, name: &'static str) {
        self.path.push(name);
    }

    fn close_list(&mut self, _name: &'static str) {
        self.path.pop();
    }

    fn open_item(&mut self, _item: &'static str) {}

    fn close_item(&mut self, _item: &'static str) {}

    fn text(&mut self, name: &'static str, value: &str) {
        self.look(name, value);
    }

    fn plain(&mut self, _name: &'static str, _value: impl Display) {}

    fn number(&mut self, _name: &'static str, _value: u64) {}

    fn flag(&mut self, _name: &'static str, _value: bool) {}

    fn counts(&mut self, name: &'static str, counts: &BTreeMap<String, u64>) {
        for key in counts.keys() {
            self.look(name, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault27_exactly_the_controls_and_two_noncharacters_are_illegal() {
        for legal in ["Åkerström", " ~", "\u{A0}", "\u{BF}", "\u{FFFD}", "\u{FEFF}", "\u{10FFFF}", "&<>'\"\\"] {
            assert_eq!(first_illegal(legal), None, "{legal:?}");
        }
        let all = ('\0'..=' ').chain('\u{7E}'..='\u{A0}').chain('\u{FFF0}'..='\u{10001}');
        let illegal: Vec<u32> = all.filter(|c| first_illegal(&format!("ab{c}d")).is_some()).map(u32::from).collect();
        let expected: Vec<u32> = (0..0x20).chain(0x7F..=0x9F).chain([0xFFFE, 0xFFFF]).collect();
        assert_eq!(illegal, expected);
    }
}
