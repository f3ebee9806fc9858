//! The head of the audit as a person types it: read as it is written, or not at all.

use emboss::chain::Head;

use super::is_a_sentence;

pub fn holds(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match text.parse::<Head>() {
        Ok(head) => {
            assert_eq!(head.to_string(), text, "one head has one text");
            assert!(head.number >= 1);
        }
        Err(error) => is_a_sentence(&error.to_string()),
    }
}
