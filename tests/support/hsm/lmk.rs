//! The local master key: how keys and PINs look outside of the device. Every real one does this in a way of its own, so
//! does this one.
//!
//! Invariants: what is sealed under another LMK, for another use, or for another account opens as an error or as
//! something else, never as itself.

use super::ciphers::{Clear, xor};

/// Which kind of LMK the device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Keys as a scheme letter and a cryptogram under a variant of the LMK.
    Variant,
    /// Keys as key blocks.
    KeyBlock,
}

/// What a key is for, as TR-31 and key blocks write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Card verification (C0).
    Cvk,
    /// PIN verification by PVV (V2).
    Pvk,
    /// PIN blocks (P0).
    Zpk,
}

impl Use {
    /// Its two characters in a key block.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cvk => "C0",
            Self::Pvk => "V2",
            Self::Zpk => "P0",
        }
    }
}

/// The form of a PIN under the LMK: a security setting of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinForm {
    /// So many decimal digits.
    Digits(usize),
    /// So many hexadecimal digits.
    Hex(usize),
    /// A letter J and so many hexadecimal digits.
    Block(usize),
}

impl PinForm {
    /// Characters of a PIN in this form.
    pub fn length(self) -> usize {
        match self {
            Self::Digits(length) | Self::Hex(length) => length,
            Self::Block(length) => length + 1,
        }
    }

    fn symbols(self) -> usize {
        let (Self::Digits(length) | Self::Hex(length) | Self::Block(length)) = self;
        length
    }

    fn radix(self) -> u8 {
        if matches!(self, Self::Digits(_)) { 10 } else { 16 }
    }
}

/// A local master key.
#[derive(Debug, Clone)]
pub struct Lmk {
    dialect: Dialect,
    form: PinForm,
    master: Clear,
}

impl Lmk {
    /// One whose every byte comes from the seed.
    pub fn seeded(seed: u64, dialect: Dialect, form: PinForm) -> Self {
        let root = Clear::Aes([seed.to_be_bytes(), *b"test LMK"].concat());
        let master = [root.seal(&[1; 16]), root.seal(&[2; 16])].concat();
        Self { dialect, form, master: Clear::Aes(master) }
    }

    /// What NC shows of it.
    pub fn check_value(&self) -> String {
        self.master.check_value()[..16].to_owned()
    }

    /// Characters of a PIN under it.
    pub fn pin_length(&self) -> usize {
        self.form.length()
    }

    /// Eight bytes that nobody can foretell who does not know the LMK.
    pub fn drawn(&self, about: &str, count: u64) -> [u8; 8] {
        let about = self.mac(format!("{about}/{count}").as_bytes());
        about[..8].try_into().expect("eight")
    }

    /// A key as commands carry it.
    ///
    /// # Panics
    /// For an AES key under a variant LMK, which has no form for it.
    pub fn wrapped(&self, key: &Clear, what_for: Use) -> String {
        match (self.dialect, key) {
            (Dialect::KeyBlock, _) => self.block(key, what_for),
            (Dialect::Variant, Clear::Tdes(bytes)) => {
                let cryptogram: Vec<u8> = bytes.chunks(8).flat_map(|part| self.variant(what_for).seal(part)).collect();
                format!("{}{}", if bytes.len() == 16 { 'U' } else { 'T' }, hex::encode_upper(cryptogram))
            }
            (Dialect::Variant, Clear::Aes(_)) => panic!("a variant LMK has no AES keys"),
        }
    }

    /// How many characters of a message are the key that it begins with.
    pub fn key_length(&self, message: &[u8]) -> Option<usize> {
        match (self.dialect, message.first()?) {
            (Dialect::Variant, b'U') => Some(33),
            (Dialect::Variant, b'T') => Some(49),
            (Dialect::KeyBlock, b'S') => Some(1 + std::str::from_utf8(message.get(2..6)?).ok()?.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The key in a wrapped one, or an error code.
    pub fn opened(&self, wrapped: &str, what_for: Use) -> Result<Clear, &'static str> {
        match self.dialect {
            Dialect::Variant => {
                let cryptogram = hex::decode(&wrapped[1..]).map_err(|_| "15")?;
                let key: Vec<u8> = cryptogram.chunks(8).flat_map(|part| self.variant(what_for).open(part)).collect();
                // A key under another LMK or of another kind is found by its parity only, as in the real device.
                let odd = key.iter().all(|byte| byte.count_ones() % 2 == 1);
                if odd { Ok(Clear::Tdes(key)) } else { Err("10") }
            }
            Dialect::KeyBlock => self.unwrapped_block(wrapped, what_for),
        }
    }

    fn variant(&self, what_for: Use) -> Clear {
        let mut key = self.mac(what_for.code().as_bytes());
        key.extend(self.mac(&key));
        Clear::Tdes(key[..24].to_vec())
    }

    fn block(&self, key: &Clear, what_for: Use) -> String {
        let bytes = key.bytes();
        let mut clear = u16::try_from(bytes.len() * 8).expect("a key").to_be_bytes().to_vec();
        clear.extend(bytes);
        clear.resize(48, 0);
        let letter = if matches!(key, Clear::Tdes(_)) { 'T' } else { 'A' };
        let mode = if what_for == Use::Zpk { 'B' } else { 'C' };
        let header = format!("1{:04}{}{letter}{mode}00E0000", 16 + 96 + 16, what_for.code());
        let sealed = hex::encode_upper(xor(&clear, &self.stream(&header, 3)));
        let mac = hex::encode_upper(&self.mac(format!("{header}{sealed}").as_bytes())[..8]);
        format!("S{header}{sealed}{mac}")
    }

    fn unwrapped_block(&self, wrapped: &str, what_for: Use) -> Result<Clear, &'static str> {
        let (told, mac) = wrapped[1..].split_at_checked(16 + 96).ok_or("15")?;
        if mac != hex::encode_upper(&self.mac(told.as_bytes())[..8]) {
            return Err("A4");
        }
        let (header, sealed) = told.split_at(16);
        if &header[5..7] != what_for.code() {
            return Err("A6");
        }
        let sealed = hex::decode(sealed).map_err(|_| "15")?;
        let clear = xor(&sealed, &self.stream(header, 3));
        let length = usize::from(u16::from_be_bytes([clear[0], clear[1]])) / 8;
        let key = clear[2..2 + length].to_vec();
        Ok(if &header[7..8] == "T" { Clear::Tdes(key) } else { Clear::Aes(key) })
    }

    /// The usage that a key block says it has.
    pub fn usage_of(wrapped: &str) -> Option<Use> {
        [Use::Cvk, Use::Pvk, Use::Zpk].into_iter().find(|usage| wrapped.get(6..8) == Some(usage.code()))
    }

    fn stream(&self, about: &str, blocks: u8) -> Vec<u8> {
        (0..blocks).flat_map(|block| self.mac(format!("{about}#{block}").as_bytes())).collect()
    }

    /// A code over a text: CBC with its length in front.
    fn mac(&self, text: &[u8]) -> Vec<u8> {
        let mut chain = self.master.seal(&(text.len() as u128).to_be_bytes());
        for part in text.chunks(16) {
            let mut block = part.to_vec();
            block.resize(16, 0);
            chain = self.master.seal(&xor(&chain, &block));
        }
        chain
    }

    /// A PIN of an account of twelve digits, as it leaves the device.
    pub fn pin(&self, account: &str, pin: &str) -> String {
        let fill = self.form.radix() - 1;
        let mut symbols = vec![u8::try_from(pin.len() - 4).expect("short")];
        symbols.extend(pin.bytes().map(|digit| digit - b'0'));
        assert!(symbols.len() <= self.form.symbols(), "the PIN form of this device is too short for that PIN");
        symbols.resize(self.form.symbols(), fill);
        for round in 0..8 {
            self.mix(account, round, &mut symbols, |symbol, key, radix| (symbol + key) % radix);
        }
        let text: String = symbols.iter().map(|symbol| format!("{symbol:X}")).collect();
        if matches!(self.form, PinForm::Block(_)) { format!("J{text}") } else { text }
    }

    /// The PIN in it; `None` where it is not one of this account under this LMK (in a short form some are not found out).
    pub fn clear_pin(&self, account: &str, sealed: &str) -> Option<String> {
        let text = if matches!(self.form, PinForm::Block(_)) { sealed.strip_prefix('J')? } else { sealed };
        let radix = self.form.radix();
        let symbols: Option<Vec<u8>> = text
            .chars()
            .map(|symbol| symbol.to_digit(radix.into()))
            .map(|symbol| symbol.map(|symbol| symbol as u8))
            .collect();
        let mut symbols = symbols.filter(|symbols| symbols.len() == self.form.symbols())?;
        for round in (0..8).rev() {
            self.mix(account, round, &mut symbols, |symbol, key, radix| (symbol + radix - key) % radix);
        }
        let length = usize::from(symbols[0]) + 4;
        let (pin, fill) = symbols[1..].split_at_checked(length)?;
        let sound = pin.iter().all(|digit| *digit < 10) && fill.iter().all(|symbol| *symbol == radix - 1);
        sound.then(|| pin.iter().map(|digit| char::from(b'0' + digit)).collect())
    }

    /// One round of a Feistel network over symbols: one half is changed by the other.
    fn mix(&self, account: &str, round: u8, symbols: &mut [u8], change: impl Fn(u8, u8, u8) -> u8) {
        let (left, right) = symbols.split_at_mut(self.form.symbols() / 2);
        let (from, to) = if round.is_multiple_of(2) { (left, right) } else { (right, left) };
        let stream = self.stream(&format!("PIN/{account}/{round}/{from:?}"), 2);
        let radix = self.form.radix();
        for (symbol, key) in to.iter_mut().zip(stream) {
            *symbol = change(*symbol, key % radix, radix);
        }
    }
}
