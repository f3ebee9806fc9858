//! The last net under everything that is told: card numbers in a text, masked.
//!
//! Why a net: no message holds one on purpose, but a library's error, or a name that somebody chose, might.

use super::{Pan, PanMask};

/// Masks every run of 13 to 19 digits whose check digit is right and that has no hexadecimal letter beside it, so
/// that digests stay readable.
pub fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = at + length;
        let beside = |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_hexdigit);
        if (13..=19).contains(&length)
            && !beside(at.checked_sub(1))
            && !beside(Some(end))
            && let Ok(pan) = Pan::parse(&text[at..end])
        {
            masked.push_str(&text[copied..at]);
            masked.push_str(&pan.masked(PanMask::SixFour));
            copied = end;
        }
        at = end.max(at + 1);
    }
    masked.push_str(&text[copied..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn card_numbers_are_masked_and_digests_stay() {
        assert_eq!(mask("card 4000001234567899 held"), "card 400000******7899 held");
        assert_eq!(mask("4000001234567899"), "400000******7899");
        assert_eq!(mask("sha256 a4000001234567899b"), "sha256 a4000001234567899b");
        assert_eq!(mask("id 4000001234567890"), "id 4000001234567890");
        assert_eq!(mask("ä4000001234567899ö"), "ä400000******7899ö");
        assert_eq!(mask("a-4000001234567899-b"), "a-400000******7899-b");
        let uuid = "01920000-1111-7000-8000-000000000018";
        assert_eq!(mask(uuid), uuid, "twelve digits are too few");
    }
}
