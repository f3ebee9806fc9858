//! The host commands: how each is read, and what the device answers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::blocks::{self, Unsound};
use super::ciphers::{self, Clear};
use super::lmk::{Dialect, Lmk, Use};

/// A PIN that the device made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The account number in the command, twelve digits.
    pub account: String,
    /// The PIN, in the clear: no real device would say.
    pub pin: String,
}

/// The inside of the device.
#[derive(Debug)]
pub struct Inside {
    /// Its LMK.
    pub lmk: Lmk,
    /// Which kind.
    pub dialect: Dialect,
    /// The check value that NC shows.
    pub check_value: Mutex<String>,
    /// What makes its PINs differ from those of another device with the same LMK.
    pub unit: u64,
    /// PINs and fills drawn for each account.
    pub drawn: Mutex<BTreeMap<String, u64>>,
}

/// What a command was about, and its answer without header and letters.
#[derive(Debug)]
pub struct Done {
    /// The account number, twelve digits.
    pub account: Option<String>,
    /// Error code and fields.
    pub answer: String,
    /// The PIN that was made.
    pub made: Option<Made>,
}

/// The fields of a command, read from the left.
struct Fields<'a> {
    inside: &'a Inside,
    rest: &'a [u8],
    /// The account number, once it is read.
    account: Option<String>,
    made: Option<Made>,
}

type Answer = Result<String, &'static str>;

impl Inside {
    /// Does what a command says; `fields` is what follows the two letters.
    pub fn perform(&self, code: &str, fields: &[u8]) -> Done {
        let mut fields = Fields { inside: self, rest: without_trailer(fields), account: None, made: None };
        let answer = match code {
            "NC" => fields.diagnostics(),
            "NO" => fields.status(),
            "JA" => fields.random_pin(),
            "DG" => fields.make_pvv(),
            "JG" => fields.pin_to_zpk(),
            "JE" => fields.pin_from_zpk(),
            "CC" => fields.pin_between_zpks(),
            "CW" => fields.make_cvv(),
            "EC" => fields.verify_pvv(),
            "BE" => fields.compare(),
            "BU" => fields.check_value(),
            _ => Err("67"),
        };
        let answer = answer.map_or_else(str::to_owned, |fields| format!("00{fields}"));
        Done { account: fields.account, answer, made: fields.made }
    }

    /// Eight bytes for an account: the same device draws the same for it whatever it does for others meanwhile.
    fn draw(&self, account: &str) -> [u8; 8] {
        let mut drawn = self.drawn.lock().expect("not poisoned");
        let count = drawn.entry(account.to_owned()).or_default();
        *count += 1;
        self.lmk.drawn(&format!("{}/{account}", self.unit), *count)
    }
}

/// End message delimiter and trailer, and the identifier of an LMK, say nothing here.
fn without_trailer(fields: &[u8]) -> &[u8] {
    let end = fields.iter().position(|byte| *byte == 0x19).unwrap_or(fields.len());
    match &fields[..end] {
        [fields @ .., b'%', b'0'..=b'9', b'0'..=b'9'] => fields,
        fields => fields,
    }
}

impl Fields<'_> {
    fn text(&mut self, length: usize) -> Result<String, &'static str> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("15")?;
        self.rest = rest;
        Ok(std::str::from_utf8(taken).map_err(|_| "15")?.to_owned())
    }

    fn digits(&mut self, length: usize) -> Result<String, &'static str> {
        let text = self.text(length)?;
        if text.bytes().all(|digit| digit.is_ascii_digit()) { Ok(text) } else { Err("15") }
    }

    fn up_to(&mut self, delimiter: u8) -> Result<String, &'static str> {
        let length = self.rest.iter().position(|byte| *byte == delimiter).ok_or("15")?;
        let text = self.digits(length)?;
        self.text(1)?;
        Ok(text)
    }

    fn end(&self) -> Result<(), &'static str> {
        if self.rest.is_empty() { Ok(()) } else { Err("15") }
    }

    fn wrapped_key(&mut self) -> Result<String, &'static str> {
        // A key of the other kind of LMK.
        let length = self.inside.lmk.key_length(self.rest).ok_or("A1")?;
        self.text(length)
    }

    fn key(&mut self, what_for: Use) -> Result<Clear, &'static str> {
        let wrapped = self.wrapped_key()?;
        self.inside.lmk.opened(&wrapped, what_for)
    }

    /// A key of two parts, which a PVK and a CVK must be.
    fn pair(&mut self, what_for: Use) -> Result<Clear, &'static str> {
        match self.key(what_for)? {
            Clear::Tdes(key) if key.len() == 16 => Ok(Clear::Tdes(key)),
            Clear::Tdes(_) => Err("27"),
            Clear::Aes(_) => Err("A7"),
        }
    }

    fn account(&mut self) -> Result<String, &'static str> {
        let account = self.digits(12)?;
        self.account = Some(account.clone());
        Ok(account)
    }

    /// Format code, and the account number as that format needs it: the whole number and a delimiter for format 4.
    fn format_and_account(&mut self) -> Result<(u8, String), &'static str> {
        let format = self.format()?;
        Ok((format, self.account_for(format)?))
    }

    fn format(&mut self) -> Result<u8, &'static str> {
        match self.digits(2)?.as_str() {
            "01" => Ok(0),
            "47" => Ok(3),
            "48" => Ok(4),
            _ => Err("23"),
        }
    }

    fn account_for(&mut self, format: u8) -> Result<String, &'static str> {
        if format != 4 {
            return self.account();
        }
        let pan = self.up_to(b';')?;
        if !(12..=19).contains(&pan.len()) {
            return Err("15");
        }
        self.account = Some(super::account_of(&pan));
        Ok(pan)
    }

    /// A PIN under the LMK, of the account that was read.
    fn pin(&mut self, length: usize) -> Result<String, &'static str> {
        self.text(length)
    }

    fn clear(&self, pin: &str) -> Result<String, &'static str> {
        let account = self.account.as_deref().ok_or("15")?;
        self.inside.lmk.clear_pin(account, pin).ok_or("14")
    }

    /// The key must be of the algorithm that the format wants.
    fn zpk_for(format: u8, key: Clear) -> Result<Clear, &'static str> {
        match (&key, format) {
            (Clear::Aes(_), 4) | (Clear::Tdes(_), 0 | 3) => Ok(key),
            _ => Err("A7"),
        }
    }

    fn block(&mut self, key: &Clear) -> Result<Vec<u8>, &'static str> {
        let text = self.text(2 * key.block_length())?;
        hex::decode(text).map_err(|_| "15")
    }

    fn opened(format: u8, key: &Clear, account: &str, block: &[u8]) -> Result<String, &'static str> {
        blocks::opened(format, key, account, block).map_err(|unsound| match unsound {
            Unsound::Content => "20",
            Unsound::Length => "24",
        })
    }

    fn diagnostics(&mut self) -> Answer {
        self.end()?;
        Ok(format!("{}1500-0023", self.inside.check_value.lock().expect("not poisoned")))
    }

    /// Buffer size, Ethernet type, sockets, firmware, and two reserved fields.
    fn status(&mut self) -> Answer {
        match self.digits(2)?.as_str() {
            "00" => Ok("31641500-002300000".to_owned()),
            _ => Err("15"),
        }
    }

    fn random_pin(&mut self) -> Answer {
        let account = self.account()?;
        let length: usize = self.digits(2)?.parse().map_err(|_| "15")?;
        self.end()?;
        if !(4..=12).contains(&length) {
            return Err("24");
        }
        let number = u64::from_be_bytes(self.inside.draw(&account)) % 10_u64.pow(u32::try_from(length).expect("short"));
        let pin = format!("{number:0length$}");
        let sealed = self.inside.lmk.pin(&account, &pin);
        self.made = Some(Made { account, pin });
        Ok(sealed)
    }

    fn make_pvv(&mut self) -> Answer {
        let pvk = self.pair(Use::Pvk)?;
        let pin = self.pin(self.inside.lmk.pin_length())?;
        let account = self.account()?;
        let pvki = self.digits(1)?;
        self.end()?;
        Ok(ciphers::pvv(&pvk, &account, &pvki, &self.clear(&pin)?))
    }

    fn pin_to_zpk(&mut self) -> Answer {
        let zpk = self.key(Use::Zpk)?;
        let (format, account) = self.format_and_account()?;
        let zpk = Self::zpk_for(format, zpk)?;
        let pin = self.pin(self.rest.len())?;
        let clear = self.clear(&pin)?;
        let random = self.inside.draw(&format!("fill of {account}"));
        Ok(hex::encode_upper(blocks::sealed(format, &zpk, &account, &clear, random)))
    }

    fn pin_from_zpk(&mut self) -> Answer {
        let zpk = self.key(Use::Zpk)?;
        let block = self.block(&zpk)?;
        let (format, account) = self.format_and_account()?;
        let zpk = Self::zpk_for(format, zpk)?;
        self.end()?;
        let pin = Self::opened(format, &zpk, &account, &block)?;
        let account = self.account.clone().expect("was read");
        if pin.len() >= self.inside.lmk.pin_length() { Err("24") } else { Ok(self.inside.lmk.pin(&account, &pin)) }
    }

    /// From one ZPK and format to another; the answer tells how long the PIN is.
    fn pin_between_zpks(&mut self) -> Answer {
        let source = self.key(Use::Zpk)?;
        let destination = self.key(Use::Zpk).map_err(|code| if code == "10" { "11" } else { code })?;
        if self.digits(2)? != "12" {
            return Err("15");
        }
        let block = self.block(&source)?;
        let (from, to) = (self.format()?, self.format()?);
        let account = self.account_for(from.max(to))?;
        let twelve = self.account.clone().expect("was read");
        let of = |format: u8| if format == 4 { &account } else { &twelve };
        let (source, destination) = (Self::zpk_for(from, source)?, Self::zpk_for(to, destination)?);
        self.end()?;
        let pin = Self::opened(from, &source, of(from), &block)?;
        let random = self.inside.draw(&format!("fill of {account}"));
        let made = blocks::sealed(to, &destination, of(to), &pin, random);
        let code = ["01", "", "", "47", "48"][usize::from(to)];
        Ok(format!("{:02}{}{code}", pin.len(), hex::encode_upper(made)))
    }

    fn make_cvv(&mut self) -> Answer {
        let cvk = self.pair(Use::Cvk)?;
        let pan = self.up_to(b';')?;
        if !(12..=19).contains(&pan.len()) {
            return Err("15");
        }
        self.account = Some(super::account_of(&pan));
        let (expiry, service_code) = (self.digits(4)?, self.digits(3)?);
        self.end()?;
        Ok(ciphers::cvv(&cvk, &pan, &expiry, &service_code))
    }

    fn verify_pvv(&mut self) -> Answer {
        let zpk = self.key(Use::Zpk)?;
        let pvk = self.pair(Use::Pvk).map_err(|code| if code == "10" { "11" } else { code })?;
        let block = self.block(&zpk)?;
        let (format, account) = self.format_and_account()?;
        let zpk = Self::zpk_for(format, zpk)?;
        let (pvki, pvv) = (self.digits(1)?, self.digits(4)?);
        self.end()?;
        let pin = Self::opened(format, &zpk, &account, &block)?;
        let account = self.account.as_deref().expect("was read");
        if ciphers::pvv(&pvk, account, &pvki, &pin) == pvv { Ok(String::new()) } else { Err("01") }
    }

    fn compare(&mut self) -> Answer {
        let zpk = self.key(Use::Zpk)?;
        let block = self.block(&zpk)?;
        let (format, account) = self.format_and_account()?;
        let zpk = Self::zpk_for(format, zpk)?;
        let stored = self.pin(self.rest.len())?;
        let stored = self.clear(&stored)?;
        let pin = Self::opened(format, &zpk, &account, &block)?;
        if pin == stored { Ok(String::new()) } else { Err("01") }
    }

    /// Type code, length flag and key; behind a delimiter the type in three digits where the code is FF; behind another
    /// two reserved digits and the kind of check value: 0 for sixteen digits, 1 for six.
    fn check_value(&mut self) -> Answer {
        let (code, flag) = (self.text(2)?, self.text(1)?);
        let wrapped = self.wrapped_key()?;
        let mut parts = std::str::from_utf8(self.rest).map_err(|_| "15")?.split(';').skip(1);
        let kind = if code == "FF" { parts.next().ok_or("15")?.to_owned() } else { code };
        let usage = match self.inside.dialect {
            // The block says itself what it is.
            Dialect::KeyBlock => Lmk::usage_of(&wrapped).ok_or("A6")?,
            Dialect::Variant => match kind.as_str() {
                "402" | "42" => Use::Cvk,
                "002" | "02" => Use::Pvk,
                "001" | "01" => Use::Zpk,
                _ => return Err("04"),
            },
        };
        let key = self.inside.lmk.opened(&wrapped, usage)?;
        let expected = match (self.inside.dialect, key.bytes().len()) {
            (Dialect::KeyBlock, _) => "F",
            (Dialect::Variant, 16) => "1",
            (Dialect::Variant, _) => "2",
        };
        if flag != expected {
            return Err("05");
        }
        let short = parts.next().is_some_and(|options| options == "001");
        let value = key.check_value();
        Ok(value[..if short { 6 } else { 16 }].to_owned())
    }
}
