//! The embossing file: one model, written as XML or JSON, in versions 1 and 2, and read back strictly.
//!
//! Invariants: a record is written as one line whose bytes go into `recordsSha256`; records come in [`order`]'s
//! order; the header's counts are known before the first record, so nothing is held back and memory stays flat.

pub mod model;

pub use model::{
    ChipData, DeliveryBlock, EmbossingLines, Environment, FileType, Header, InstitutionRef, PinKeyRef, PinMailerBlock,
    Record, RecordType, Trailer,
};
