//! The card API's operations as typed, validated documents; the error object of the API.
//!
//! Invariants: a line of input is hostile until it is an [`Order`]; what a rule calls held is not refused here but
//! decided at the claim; no refusal repeats a value of the line. Why apart from intake: what an order may say does
//! not depend on what the database holds, so every limit can be tested without one.

pub mod account;
pub mod address;
pub mod create_card;
pub mod customer;
pub mod embossing;
pub mod envelope;
pub mod error;
pub mod fields;
pub mod instant;
pub mod json;
pub mod jwe;
pub mod later;
pub mod limits;
pub mod plastic;
mod subject;
pub mod text;
pub mod update_card;

pub use account::{CreateAccount, UpdateAccount};
pub use create_card::CreateCard;
pub use customer::{CreateCustomer, UpdateCustomer};
pub use embossing::EmbossingChange;
pub use envelope::{Envelope, MAX_LINE_BYTES, Operation, Order, OrderId, Unreadable};
pub use error::{ApiError, ErrorCode, ErrorType, Refusal};
pub use jwe::{JweKeyError, JweKeys};
pub use later::{OrderPhysical, ReissueCard, ReplaceCard, SetPin};
pub use plastic::{PlasticAction, PlasticReference, UpdatePlastic};
pub use update_card::UpdateCard;

#[cfg(test)]
mod tests;
