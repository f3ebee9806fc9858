//! Whatever bytes come, a line is read or refused; nothing panics and nothing is let through unchecked.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Envelope::read(&bytes).map(|envelope| envelope.order(now()));
    }

    #[test]
    fn any_change_of_one_byte_is_read_or_refused(place in 0..400_usize, byte in any::<u8>()) {
        let mut line = customer().to_string().into_bytes();
        let place = place % line.len();
        line[place] = byte;
        let _ = Envelope::read(&line).map(|envelope| envelope.order(now()));
    }

    #[test]
    fn what_is_taken_is_within_its_limits(first in "\\PC{0,30}", last in "\\PC{0,30}") {
        let line = with(with(card(), "body.embossing.firstName", json!(first)), "body.embossing.lastName", json!(last));
        if let Ok(order) = read(&line) {
            let Operation::CreateCard(order) = order.operation else { panic!("not a card") };
            let embossing = order.embossing.unwrap();
            let characters: String = embossing.lines().map(|(_, text)| text).collect();
            prop_assert!(characters.chars().count() <= 26);
            prop_assert!(characters.chars().all(|c| crate::card::CharacterSet::Printed.contains(c)));
        }
    }

    #[test]
    fn canonical_text_reads_back_to_itself(key in "[a-z]{1,8}", text in "\\PC{0,40}", number in any::<i64>()) {
        let line = json!({"orderId": "o", "institutionId": "1", key: {"b": text, "a": number}});
        let canonical = |text: &str| Envelope::read(text.as_bytes()).map(|envelope| envelope.canonical().to_owned());
        if let Ok(once) = canonical(&line.to_string()) {
            prop_assert_eq!(canonical(&once), Ok(once.clone()));
        }
    }
}
