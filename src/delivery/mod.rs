//! From a sealed file to a receipt: upload under a temporary name, check, rename.

pub mod settings;
