//! The embossing file: one model, written as XML or JSON, in versions 1 and 2, and read back strictly.
//!
//! Invariants: a record is written as one line whose bytes go into `recordsSha256`; the header's counts are known
//! before the first record, so nothing is held back and memory stays flat; the fields are walked in one place
//! ([`walk`](self)) for every format and version, so that two formats cannot drift apart.
//!
//! A new format is one file beside `xml.rs` and `json.rs`, one arm in [`writer`], a schema and a fixture case.

mod json;
pub mod legal;
pub mod mask;
pub mod model;
pub mod name;
pub mod reader;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod samples;
pub mod totals;
mod tree;
mod walk;
pub mod writer;
mod xml;

pub use mask::{masked_json, plain_json};
pub use model::{
    ChipData, DeliveryBlock, EmbossingLines, Environment, FileType, Header, InstitutionRef, PinKeyRef, PinMailerBlock,
    Record, RecordType, Trailer,
};
pub use name::{FileName, FileNameError};
pub use reader::{Finding, Part, ReadError, read};
pub use totals::Totals;
pub use writer::{DocumentError, DocumentWriter};
