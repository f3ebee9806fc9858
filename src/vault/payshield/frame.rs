//! Frames: a command on its way to a payShield, and the answer on its way back, as bytes.
//!
//! Invariant: an answer is one only if it is whole, repeats the header and the letters of its request, and has nothing
//! behind it. Whatever else comes is an error, after which nobody knows whose answer the next bytes are.
//!
//! A frame is two bytes of length (big-endian, themselves not counted), a header that the device repeats, two letters
//! and the fields (`card-secrets.md` 3).

use zeroize::Zeroizing;

use super::command::{Command, Reply};

/// Bytes of the length before a frame.
const LENGTH: usize = 2;
/// Letters and error code of an answer.
const SHORTEST: usize = 4;
/// Longest answer that is waited for: ours have some hundred bytes, the longest a key block.
pub const ANSWER_MAX: usize = 4096;

/// Why bytes are not the answer that was waited for; what they were is not said, for they may be somebody's PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The command does not fit into a frame.
    #[error("the command is too long for a frame")]
    CommandTooLong,
    /// A length under that of an answer without fields, or over any that is expected.
    #[error("the answer announces {0} bytes, which no answer to it has")]
    Length(usize),
    /// Another header than the request's.
    #[error("the answer has another header than its request: see that header_length is the device's")]
    Header,
    /// Another command's answer.
    #[error("the answer is one to another command")]
    Letters,
    /// An error code that is none.
    #[error("the answer has no error code of two letters or digits")]
    ErrorCode,
    /// More than the answer.
    #[error("something came behind the answer")]
    Extra,
}

/// The bytes of a command under a header.
///
/// # Errors
/// [`FrameError::CommandTooLong`].
pub fn request(header: &str, command: &Command) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let parts = [header.as_bytes(), command.code().as_bytes(), command.fields()];
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let announced = u16::try_from(length).map_err(|_| FrameError::CommandTooLong)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH + length));
    bytes.extend_from_slice(&announced.to_be_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(bytes)
}

/// The answer to a command under a header, from all that came since; `None` where more must come.
///
/// # Errors
/// [`FrameError`]: what came is not that answer and nothing else.
pub fn answer(received: &[u8], header: &str, command: &Command) -> Result<Option<Reply>, FrameError> {
    let Some((length, rest)) = received.split_first_chunk::<LENGTH>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < header.len() + SHORTEST || length > ANSWER_MAX {
        return Err(FrameError::Length(length));
    }
    let Some((message, behind)) = rest.split_at_checked(length) else { return Ok(None) };
    let message = message.strip_prefix(header.as_bytes()).ok_or(FrameError::Header)?;
    let message = message.strip_prefix(&command.answer_code()).ok_or(FrameError::Letters)?;
    let (error, fields) = message.split_at_checked(2).ok_or(FrameError::ErrorCode)?;
    if !behind.is_empty() {
        return Err(FrameError::Extra);
    }
    let error = std::str::from_utf8(error).ok().filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let error = error.ok_or(FrameError::ErrorCode)?.to_owned();
    Ok(Some(Reply { error, fields: Zeroizing::new(fields.to_vec()) }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vault::vectors;

    /// Header, command, request and answer.
    type Exchange = (String, Command, Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

    /// Those of every published frame.
    fn frames() -> Vec<Exchange> {
        let frames = vectors::list("payshield_frames_variant_lmk");
        let split = |frame: &serde_json::Value| {
            let request = vectors::text(frame, "request_ascii").as_bytes();
            let (header, [first, second, fields @ ..]) = request.split_at(4) else { panic!("a command") };
            let command = Command::new([*first, *second], fields);
            let header = String::from_utf8(header.to_vec()).unwrap();
            (header, command, vectors::hex(frame, "request"), vectors::hex(frame, "response"))
        };
        frames.iter().map(split).collect()
    }

    #[test]
    fn requests_are_those_of_the_vectors() {
        for (header, command, bytes, _) in frames() {
            assert_eq!(request(&header, &command).unwrap(), bytes, "{command:?}");
        }
    }

    #[test]
    fn answers_of_the_vectors_are_read() {
        let fields = ["9D04A000000000001500-0023", "01234", "87C832F7179E9CCE", "8156", "705"];
        for ((header, command, _, bytes), expected) in frames().into_iter().zip(fields) {
            let reply = answer(&bytes, &header, &command).unwrap().unwrap();
            assert_eq!((&*reply.error, &**reply.fields), ("00", expected.as_bytes()), "{command:?}");
        }
    }

    #[test]
    fn what_is_not_the_answer_is_told_by_what_is_wrong() {
        let command = Command::new(*b"JA", "00012345678904");
        let told = |bytes: &[u8]| answer(bytes, "0002", &command).map(|reply| reply.is_some());
        assert_eq!(told(b"\0\x0d0002JB0001234"), Ok(true));
        assert_eq!(told(b"\0\x080002JB20"), Ok(true), "no fields behind an error");
        assert_eq!(told(b"\0\x0d0001JB0001234"), Err(FrameError::Header));
        assert_eq!(told(b"\0\x0d0002JA0001234"), Err(FrameError::Letters));
        assert_eq!(told(b"\0\x0d0002DH0001234"), Err(FrameError::Letters));
        assert_eq!(told(b"\0\x0d0002JB0 01234"), Err(FrameError::ErrorCode));
        assert_eq!(told(b"\0\x0d0002JB\xc3\xa401234"), Err(FrameError::ErrorCode));
        assert_eq!(told(b"\0\x0d0002JB0001234x"), Err(FrameError::Extra));
        assert_eq!(told(b"\0\x070002JB0"), Err(FrameError::Length(7)));
        assert_eq!(told(b"\0\0"), Err(FrameError::Length(0)), "told before anything else comes");
        assert_eq!(told(b"\x10\x01"), Err(FrameError::Length(0x1001)), "told before anything else comes");
    }

    #[test]
    fn a_command_over_a_frame_is_refused() {
        let longest = usize::from(u16::MAX) - 6;
        assert!(request("0001", &Command::new(*b"NC", vec![b'0'; longest])).is_ok());
        let error = request("0001", &Command::new(*b"NC", vec![b'0'; longest + 1])).unwrap_err();
        assert_eq!(error, FrameError::CommandTooLong);
    }

    proptest! {
        #[test]
        fn an_answer_split_anywhere_is_one_only_when_it_is_whole(
            header in "[0-9A-Z]{1,12}",
            fields in proptest::collection::vec(any::<u8>(), 0..300),
            cut in any::<proptest::sample::Index>(),
            behind in proptest::collection::vec(any::<u8>(), 1..20),
        ) {
            let command = Command::new(*b"JA", "");
            let message = [header.as_bytes(), b"JB00", &fields].concat();
            let mut bytes = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
            bytes.extend_from_slice(&message);
            let begun = &bytes[..cut.index(bytes.len())];
            prop_assert!(answer(begun, &header, &command).unwrap().is_none());
            let reply = answer(&bytes, &header, &command).unwrap().unwrap();
            prop_assert_eq!(&*reply.fields, &fields);
            bytes.extend_from_slice(&behind);
            prop_assert_eq!(answer(&bytes, &header, &command).unwrap_err(), FrameError::Extra);
        }

        #[test]
        fn whatever_comes_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let reply = answer(&bytes, "0001", &Command::new(*b"JA", ""));
            prop_assert!(!matches!(reply, Ok(Some(_))) || bytes[2..].starts_with(b"0001JB"));
        }
    }
}
