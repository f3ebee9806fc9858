//! The last net under the log: no card number is left in a text, and nothing else is changed.

use emboss::card::masking::mask;

use super::card_numbers;

pub fn holds(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let masked = mask(&text);
    assert_eq!(masked.len(), text.len(), "a star for a digit");
    assert_eq!(mask(&masked), masked, "once is enough");
    for (before, after) in text.bytes().zip(masked.bytes()) {
        assert!(before == after || (before.is_ascii_digit() && after == b'*'), "{masked:?}");
    }
    assert!(card_numbers(&masked).is_empty(), "a card number in {masked:?}");
}
