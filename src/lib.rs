//! `emboss` turns the plastics a card issuer has marked for production into encrypted embossing files at each
//! embossing house, every night at 03:00 UTC, exactly once.
//!
//! One night, one direction:
//!
//! ```text
//! orders -> intake -> store -> selection -> claim -> personalisation -> document -> sealed file -> delivery -> settlement
//! ```
//!
//! Every arrow is a function whose input type is the noun before it and whose output type is the noun after it.

pub mod agreement;
pub mod ambient;
pub mod card;
pub mod chain;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod document;
pub mod fault;
pub mod intake;
pub mod night;
pub mod order;
pub mod plan;
pub mod renewal;
pub mod report;
pub mod rotation;
pub mod schedule;
pub mod seal;
pub mod selection;
pub mod settlement;
pub mod spool;
pub mod store;
pub mod story;
pub mod trial;
pub mod vault;
