//! Card cryptography by a Thales payShield: host commands over TCP or TLS (`card-secrets.md` 3).
//!
//! Invariants: a clear PIN is never here; an answer belongs to the command whose header it repeats, or the connection it
//! came from is destroyed with it.
//!
//! What each command carries is in [`asking`], what each answer must look like in [`reply`]; both are pure. The maker
//! gives its manuals to customers only, so the layouts were put together from what is public: the commands' field tables
//! of the older models; the examples in both LMK dialects of the npm package `ut-codec-payshield` (BU, CC, JE, JG);
//! the message descriptions of `iso8583tools` (all but the newest fields; the PIN under an AES LMK); and a payShield
//! test utility that runs JA, JG, BE, CC, DG, EC and CW against devices with either LMK. What only one of them tells,
//! or is told without an example, says so beside it. `emboss check` proves a device before the first night.

pub mod address;
pub mod asking;
pub mod command;
mod connection;
pub mod device;
mod fault;
pub mod field;
pub mod frame;
pub mod header;
pub mod key;
mod pace;
pub mod pool;
pub mod proof;
pub mod provider;
mod refusal;
pub mod reply;
mod roster;
pub mod tls;
