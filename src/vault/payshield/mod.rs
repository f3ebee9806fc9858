//! Card cryptography by a Thales payShield: host commands over TCP or TLS (`card-secrets.md` 3).
//!
//! Invariants: a clear PIN is never here; an answer belongs to the command whose header it repeats, or the connection it
//! came from is destroyed with it.

pub mod address;
pub mod command;
mod connection;
pub mod device;
mod fault;
pub mod frame;
pub mod header;
pub mod key;
mod pace;
pub mod pool;
mod roster;
pub mod tls;
