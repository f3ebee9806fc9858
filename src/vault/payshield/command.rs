//! What goes to a payShield and what comes back, without header and length.
//!
//! A command is two letters and its fields; the answer has the second letter + 1, an error code of two characters, and
//! fields. Both may hold PINs under the LMK, so both are wiped.

use std::fmt;

use zeroize::Zeroizing;

/// A command with its fields.
pub struct Command {
    code: [u8; 2],
    fields: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.code())
    }
}

impl Command {
    /// A command of two upper-case letters, with its fields as they go over the wire.
    pub fn new(code: [u8; 2], fields: impl Into<Vec<u8>>) -> Self {
        Self { code, fields: Zeroizing::new(fields.into()) }
    }

    /// Its two letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("??")
    }

    /// The two letters of its answer.
    pub fn answer_code(&self) -> [u8; 2] {
        [self.code[0], self.code[1].wrapping_add(1)]
    }

    /// Its fields.
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }
}

/// An answer to a command, its header and letters checked already.
pub struct Reply {
    /// Error code, two characters; `00` is success.
    pub error: String,
    /// What follows.
    pub fields: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.error)
    }
}

/// What must happen after an error code (`card-secrets.md` 3).
///
/// Two codes are not the same in every command. `01` is "no" in the commands that ask a question (EC, BE): their
/// parsers in [`super::reply`] take it before they ask for a class; everywhere else, BU among them, it means that a
/// key's parity is wrong, which is the configuration's fault. `02` is a warning in commands of other PIN methods that
/// this program never sends; in ours it says that a key's length does not fit, and is the configuration's fault too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `00`.
    Done,
    /// The card is held.
    Card,
    /// The agreement stops before any file leaves; also every code this program does not know.
    Configuration,
    /// Another connection may do better.
    Transient,
}

impl Class {
    /// The class of an error code.
    pub fn of(error: &str) -> Self {
        match error {
            "00" => Self::Done,
            "14" | "15" | "20" | "22" | "24" | "81" | "86" => Self::Card,
            "41" | "42" => Self::Transient,
            _ => Self::Configuration,
        }
    }
}
