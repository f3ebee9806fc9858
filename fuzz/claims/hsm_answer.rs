//! What a payment HSM sends back: the answer to what was asked, or refused without a word of what is in it.
//!
//! The first byte chooses whether the rest is bytes off the wire, or an error code and fields in a frame that is right.

use emboss::vault::payshield::command::Command;
use emboss::vault::payshield::frame;
use emboss::vault::payshield::reply;

use super::is_a_sentence;

const HEADER: &str = "0002";

pub fn holds(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let command = Command::new(*b"JA", "00012345678904");
    if choice & 1 == 0 { off_the_wire(rest, &command) } else { in_a_frame(rest, &command) }
}

fn off_the_wire(received: &[u8], command: &Command) {
    match frame::answer(received, HEADER, command) {
        Err(error) => is_a_sentence(&error.to_string()),
        Ok(None) => {}
        Ok(Some(answer)) => {
            for end in 0..received.len() {
                let part = frame::answer(&received[..end], HEADER, command);
                assert!(matches!(part, Ok(None)), "{end} of {} bytes are no answer", received.len());
            }
            read_by_all(&answer.error, &answer.fields);
        }
    }
}

fn in_a_frame(content: &[u8], command: &Command) {
    if content.len() < 2 || content.len() > 1_000 {
        return;
    }
    let message = [HEADER.as_bytes(), &command.answer_code(), content].concat();
    let length = u16::try_from(message.len()).expect("short").to_be_bytes();
    let received = [&length[..], &message].concat();
    match frame::answer(&received, HEADER, command) {
        Ok(Some(answer)) => {
            assert_eq!((answer.error.as_bytes(), &**answer.fields), content.split_at(2));
            off_the_wire(&received, command);
        }
        Ok(None) => panic!("it is whole"),
        Err(error) => assert_eq!(error, frame::FrameError::ErrorCode),
    }
}

/// A refusal tells the error code at most: no four characters in a row of the fields.
fn read_by_all(error: &str, fields: &[u8]) {
    for said in reply::read_by_all(&[error.as_bytes(), fields].concat()) {
        is_a_sentence(&said);
        let told = said.as_bytes();
        let numbers = fields.windows(4).filter(|part| part.iter().all(u8::is_ascii_digit));
        for part in numbers {
            assert!(!told.windows(4).any(|window| window == part), "the answer is repeated: {said}");
        }
    }
}
