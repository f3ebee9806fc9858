//! The answers, field by field: pure functions from what came over the wire to what was asked.
//!
//! Invariants: every field has its length and its characters, and nothing follows the last, or the answer is refused as
//! one that this program cannot read; a refusal holds nothing of an answer but its error code; no bytes make one panic.

use std::fmt;

use zeroize::Zeroizing;

use super::command::{Class, Reply};
use super::field::{PinUnderLmk, block_digits, format_code};
use super::refusal::{refused, unreadable};
use crate::card::{Cvv, PinBlockFormat, SecretHex};
use crate::vault::CryptoError;

/// What NC tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// Check value of the LMK: 16 hexadecimal digits, upper case; a device may be set to show zeros behind the sixth.
    pub lmk_check_value: String,
    /// Number of the firmware, for example `1500-0023`.
    pub firmware: String,
}

/// What NO tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Connections the device takes at once.
    pub sockets: u32,
    /// Number of the firmware.
    pub firmware: String,
}

/// The answer to NC.
///
/// # Errors
/// Those of every function here: the class of its error code, or [`CryptoError::Configuration`] where it cannot be read.
pub fn diagnostics(reply: &Reply) -> Result<Diagnostics, CryptoError> {
    let mut fields = Fields::of("NC", reply)?;
    let lmk_check_value = fields.hex(16, "the LMK's check value")?.to_ascii_uppercase();
    Ok(Diagnostics { lmk_check_value, firmware: fields.firmware()? })
}

/// The answer to NO in its first mode: buffer size, kind of network, connections, firmware, and what is reserved, which
/// is one and four characters or not there.
///
/// # Errors
/// As [`diagnostics`].
pub fn status(reply: &Reply) -> Result<Status, CryptoError> {
    let mut fields = Fields::of("NO", reply)?;
    fields.digits(2, "its first two fields")?;
    let sockets = fields.digits(2, "the number of connections")?.parse();
    let sockets = sockets.map_err(|_| fields.refuse("the number of connections is not one"))?;
    let firmware = fields.text(9, "the firmware number")?.to_owned();
    if ![0, 1, 5].contains(&fields.rest.len()) {
        return Err(fields.refuse("something follows its last field"));
    }
    Ok(Status { sockets, firmware })
}

/// The answer to JA: a random PIN.
///
/// # Errors
/// As [`diagnostics`].
pub fn random_pin(reply: &Reply) -> Result<PinUnderLmk, CryptoError> {
    Fields::of("JA", reply)?.pin()
}

/// The answer to JE: the PIN of a block.
///
/// # Errors
/// As [`diagnostics`].
pub fn pin_from_zone(reply: &Reply) -> Result<PinUnderLmk, CryptoError> {
    Fields::of("JE", reply)?.pin()
}

/// The answer to DG: four digits.
///
/// # Errors
/// As [`diagnostics`].
pub fn pvv(reply: &Reply) -> Result<Cvv, CryptoError> {
    let mut fields = Fields::of("DG", reply)?;
    let digits = fields.digits(4, "the PVV")?;
    fields.end(Cvv::new(digits))
}

/// The answer to JG: a PIN block, upper case.
///
/// # Errors
/// As [`diagnostics`].
pub fn pin_to_zone(reply: &Reply, format: PinBlockFormat) -> Result<SecretHex, CryptoError> {
    let mut fields = Fields::of("JG", reply)?;
    let digits = fields.hex(block_digits(format), "the PIN block")?;
    fields.end(SecretHex::new(digits.to_ascii_uppercase()))
}

/// The answer to CC: how many digits the PIN has. The block is the one that was asked about, and is not looked at.
///
/// # Errors
/// As [`diagnostics`].
pub fn pin_length(reply: &Reply, format: PinBlockFormat) -> Result<u8, CryptoError> {
    let mut fields = Fields::of("CC", reply)?;
    let length = fields.digits(2, "the length of the PIN")?.parse();
    let length = length.map_err(|_| fields.refuse("the length of the PIN is not one"))?;
    fields.hex(block_digits(format), "the PIN block")?;
    if fields.digits(2, "the format of the PIN block")? != format_code(format) {
        return Err(fields.refuse("the format of the PIN block is not the one asked for"));
    }
    fields.end(length)
}

/// The answer to CW: three digits.
///
/// # Errors
/// As [`diagnostics`].
pub fn cvv(reply: &Reply) -> Result<Cvv, CryptoError> {
    let mut fields = Fields::of("CW", reply)?;
    let digits = fields.digits(3, "the CVV")?;
    fields.end(Cvv::new(digits))
}

/// The answer to EC: whether the PIN has the PVV.
///
/// # Errors
/// As [`diagnostics`].
pub fn has_pvv(reply: &Reply) -> Result<bool, CryptoError> {
    yes_or_no("EC", reply)
}

/// The answer to BE: whether the block holds the PIN. A block that holds none, or one that no PIN is as long as, does
/// not hold this one.
///
/// # Errors
/// As [`diagnostics`].
pub fn holds_pin(reply: &Reply) -> Result<bool, CryptoError> {
    match reply.error.as_str() {
        "20" | "24" => Ok(false),
        _ => yes_or_no("BE", reply),
    }
}

/// The answer to BU: six hexadecimal digits, upper case. Some devices give 16, whatever they are asked for.
///
/// # Errors
/// As [`diagnostics`].
pub fn check_value(reply: &Reply) -> Result<String, CryptoError> {
    let mut fields = Fields::of("BU", reply)?;
    let value = fields.hex(6, "the check value")?.to_ascii_uppercase();
    if !fields.rest.is_empty() {
        fields.hex(10, "the check value's rest")?;
    }
    fields.end(value)
}

/// Runs every parser over the same bytes: two of an error code, then fields. For fuzzing.
///
/// Gives back the sentences of those that refused, none of which may hold anything of the fields.
pub fn read_by_all(bytes: &[u8]) -> Vec<String> {
    let (error, fields) = bytes.split_at(bytes.len().min(2));
    let reply = Reply { error: String::from_utf8_lossy(error).into_owned(), fields: Zeroizing::new(fields.to_vec()) };
    let formats = [PinBlockFormat::Iso0, PinBlockFormat::Iso3, PinBlockFormat::Iso4];
    let outcomes = [
        diagnostics(&reply).map(drop),
        status(&reply).map(drop),
        random_pin(&reply).map(drop),
        pin_from_zone(&reply).map(drop),
        pvv(&reply).map(drop),
        cvv(&reply).map(drop),
        has_pvv(&reply).map(drop),
        holds_pin(&reply).map(drop),
        check_value(&reply).map(drop),
    ];
    let blocks = formats.map(|format| pin_to_zone(&reply, format).map(drop));
    let lengths = formats.map(|format| pin_length(&reply, format).map(drop));
    let refusals = outcomes.into_iter().chain(blocks).chain(lengths).filter_map(Result::err);
    refusals.map(|error| error.to_string()).collect()
}

/// `00` is yes, `01` is no, and neither has fields.
fn yes_or_no(command: &'static str, reply: &Reply) -> Result<bool, CryptoError> {
    if reply.error == "01" { Fields::read(command, reply)?.end(false) } else { Fields::of(command, reply)?.end(true) }
}

/// What is left of an answer while it is read from left to right.
struct Fields<'a> {
    command: &'static str,
    rest: &'a str,
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({}, {} characters)", self.command, self.rest.len())
    }
}

impl<'a> Fields<'a> {
    /// Of an answer without error.
    fn of(command: &'static str, reply: &'a Reply) -> Result<Self, CryptoError> {
        if Class::of(&reply.error) != Class::Done {
            return Err(refused(command, reply));
        }
        Self::read(command, reply)
    }

    /// Whatever the error code.
    fn read(command: &'static str, reply: &'a Reply) -> Result<Self, CryptoError> {
        let printable = reply.fields.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        let text = std::str::from_utf8(&reply.fields).ok().filter(|_| printable);
        let rest = text.ok_or_else(|| unreadable(command, "it has characters that no field may have"))?;
        Ok(Self { command, rest })
    }

    fn refuse(&self, why: &str) -> CryptoError {
        unreadable(self.command, why)
    }

    fn text(&mut self, length: usize, name: &str) -> Result<&'a str, CryptoError> {
        let (field, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| self.refuse(&format!("it ends in {name}")))?;
        self.rest = rest;
        Ok(field)
    }

    fn of_kind(&mut self, length: usize, name: &str, kind: fn(&u8) -> bool) -> Result<&'a str, CryptoError> {
        let field = self.text(length, name)?;
        if field.as_bytes().iter().all(kind) {
            Ok(field)
        } else {
            Err(self.refuse(&format!("{name} has other characters")))
        }
    }

    fn digits(&mut self, length: usize, name: &str) -> Result<&'a str, CryptoError> {
        self.of_kind(length, name, u8::is_ascii_digit)
    }

    fn hex(&mut self, length: usize, name: &str) -> Result<&'a str, CryptoError> {
        self.of_kind(length, name, u8::is_ascii_hexdigit)
    }

    /// The rest, which is a PIN under the LMK of whatever length.
    fn pin(&self) -> Result<PinUnderLmk, CryptoError> {
        PinUnderLmk::read(self.rest.as_bytes())
            .ok_or_else(|| self.refuse("what should be a PIN under the LMK has not its form"))
    }

    /// The rest, which is a firmware number of up to 32 characters.
    fn firmware(&self) -> Result<String, CryptoError> {
        match self.rest.len() {
            1..=32 => Ok(self.rest.to_owned()),
            _ => Err(self.refuse("the firmware number is missing or too long")),
        }
    }

    fn end<T>(&self, read: T) -> Result<T, CryptoError> {
        if self.rest.is_empty() { Ok(read) } else { Err(self.refuse("something follows its last field")) }
    }
}

#[cfg(test)]
mod tests;
