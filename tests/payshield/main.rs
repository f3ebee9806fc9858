//! Card cryptography by a payShield, against a test device with its own cryptography (`card-secrets.md` 3).
//!
//! The device is first held against the vectors itself; then the program's client works with it, well and badly.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the parts are shared with other tests")]

#[path = "../support/card_crypto_contract.rs"]
mod card_crypto_contract;
#[allow(dead_code, reason = "every test file uses another part of it")]
#[path = "../support/hsm/mod.rs"]
mod hsm;
#[allow(dead_code, reason = "shared with other tests, which use other parts of it")]
#[path = "../support/vector_keys.rs"]
mod vector_keys;

mod client;

mod device;
mod faults;
mod many;
mod opening;
mod provider;
mod secured;
