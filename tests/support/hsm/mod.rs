//! A test HSM: it speaks the host commands of a payShield on 127.0.0.1, and fails as it is told.
//!
//! Invariants: it shares the block ciphers' crates with the program and not one line of code, so that both being wrong in
//! the same way is no coincidence of one place; a PIN leaves it only under its LMK or in a PIN block; and it keeps a
//! journal of every command.
//!
//! A test starts one ([`Hsm::start`]), wraps the keys it needs ([`Hsm::wrapped`]), and gives the program its address. It
//! lives in threads of the test, so that a started program reaches it as well.

pub mod authority;
pub mod blocks;
pub mod ciphers;
mod commands;
pub mod configured;
pub mod faults;
mod journal;
pub mod lmk;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use ciphers::Clear;
use commands::Inside;
pub use commands::Made;
use faults::{Act, When};
pub use journal::Journal;
use lmk::{Dialect, Lmk, PinForm, Use};
use openssl::ssl::SslAcceptor;
use server::Device;

/// How a device is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Which kind of LMK it has.
    pub dialect: Dialect,
    /// How long a PIN under the LMK is.
    pub pin_form: PinForm,
    /// What LMK, PINs and fills come from. Devices with one seed have one LMK.
    pub seed: u64,
    /// What makes the PINs of two devices of one seed differ.
    pub unit: u64,
    /// Characters of the message header.
    pub header_length: usize,
}

impl Setup {
    /// A device with an LMK of this kind, and a PIN form as such devices have.
    pub fn new(dialect: Dialect) -> Self {
        let pin_form = if dialect == Dialect::Variant { PinForm::Hex(16) } else { PinForm::Block(32) };
        Self { dialect, pin_form, seed: 1, unit: 0, header_length: 4 }
    }
}

/// A running device; it ends with the value.
#[derive(Debug)]
pub struct Hsm {
    device: Arc<Device>,
    port: u16,
    dialect: Dialect,
}

impl Drop for Hsm {
    fn drop(&mut self) {
        self.device.end();
    }
}

impl Hsm {
    /// Starts one.
    pub fn start(setup: &Setup) -> Self {
        Self::started(setup, None)
    }

    /// Starts one that speaks TLS only.
    pub fn start_tls(setup: &Setup, acceptor: SslAcceptor) -> Self {
        Self::started(setup, Some(acceptor))
    }

    fn started(setup: &Setup, tls: Option<SslAcceptor>) -> Self {
        let lmk = Lmk::seeded(setup.seed, setup.dialect, setup.pin_form);
        let inside = Inside {
            check_value: Mutex::new(lmk.check_value()),
            lmk,
            dialect: setup.dialect,
            unit: setup.unit,
            drawn: Mutex::default(),
        };
        let device = Arc::new(Device::new(inside, setup.header_length, tls));
        let port = device.listen(0);
        let serving = Arc::clone(&device);
        std::thread::spawn(move || serving.serve());
        Self { device, port, dialect: setup.dialect }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The check value of its LMK, 16 digits.
    pub fn check_value(&self) -> String {
        self.device.inside.lmk.check_value()
    }

    /// A key under its LMK, as commands carry it.
    pub fn wrapped(&self, key: &Clear, what_for: Use) -> String {
        self.device.inside.lmk.wrapped(key, what_for)
    }

    /// Which kind of LMK it has.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What came in.
    pub fn journal(&self) -> &Journal {
        &self.device.journal
    }

    /// Makes something go wrong.
    pub fn fail(&self, when: When, act: Act) {
        self.device.faults.add(when, act);
    }

    /// Makes things go wrong by chance: of a thousand commands so many each.
    pub fn fail_by_chance(&self, seed: u64, acts: &[(u32, Act)]) {
        self.device.faults.by_chance(seed, acts);
    }

    /// Answers more than so many commands in a second with an error code.
    pub fn limit(&self, commands_per_s: usize, code: &'static str) {
        self.device.faults.limit(commands_per_s, code);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.device.faults.clear();
        self.device.live();
        let own = self.check_value();
        self.show_check_value(&own);
    }

    /// NC shows another check value from now on.
    pub fn show_check_value(&self, value: &str) {
        value.clone_into(&mut self.device.inside.check_value.lock().expect("not poisoned"));
    }

    /// Refuses connections and closes those that are open.
    pub fn die(&self) {
        self.device.die();
    }

    /// Answers so many commands more, and dies.
    pub fn die_after(&self, commands: u64) {
        self.device.die_after(commands);
    }

    /// Listens again, on the same port.
    pub fn come_back(&self) {
        self.device.live();
        self.device.listen(self.port);
    }

    /// Closes every open connection and goes on listening.
    pub fn hang_up(&self) {
        self.device.hang_up();
    }

    /// Every PIN it made, in the order they were made.
    pub fn made(&self) -> Vec<Made> {
        self.device.made.lock().expect("not poisoned").clone()
    }

    /// The PINs it made, by account.
    pub fn made_by_account(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut by_account: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for made in self.made() {
            by_account.entry(made.account).or_default().insert(made.pin);
        }
        by_account
    }

    /// The clear PIN under its LMK for a card number; `None` where it is not a PIN of that card.
    pub fn clear_pin(&self, pan: &str, sealed: &[u8]) -> Option<String> {
        self.device.inside.lmk.clear_pin(&account_of(pan), std::str::from_utf8(sealed).ok()?)
    }
}

/// The twelve rightmost digits of a card number without its check digit.
pub fn account_of(pan: &str) -> String {
    let digits = &pan[..pan.len() - 1];
    format!("{:0>12}", &digits[digits.len().saturating_sub(12)..])
}

/// A key of `vectors.json` by its label.
pub fn vector_key(label: &str) -> Clear {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../vectors.json")).expect("vectors.json");
    let key = &vectors["keys"][label];
    let bytes = hex::decode(key["hex"].as_str().expect("a key")).expect("hexadecimal");
    if key["alg"] == "TDES" { Clear::Tdes(bytes) } else { Clear::Aes(bytes) }
}
