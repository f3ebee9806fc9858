//! The last net under the log: no card number is left in a text, and nothing else is changed.

use emboss::card::Pan;
use emboss::card::masking::mask;

pub fn holds(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let masked = mask(&text);
    assert_eq!(masked.len(), text.len(), "a star for a digit");
    assert_eq!(mask(&masked), masked, "once is enough");
    for (before, after) in text.bytes().zip(masked.bytes()) {
        assert!(before == after || (before.is_ascii_digit() && after == b'*'), "{masked:?}");
    }
    let bytes = masked.as_bytes();
    let mut from = 0;
    while from < bytes.len() {
        let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let to = from + length;
        let hex_beside = |place: Option<usize>| place.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_hexdigit);
        if Pan::parse(&masked[from..to.max(from)]).is_ok() {
            assert!(hex_beside(from.checked_sub(1)) || hex_beside(Some(to)), "a card number in {masked:?}");
        }
        from = to.max(from + 1);
        while !masked.is_char_boundary(from) {
            from += 1;
        }
    }
}
