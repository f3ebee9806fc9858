//! From document bytes to OpenPGP: encrypted to every active recipient of the house, signed with our key.

pub mod settings;
