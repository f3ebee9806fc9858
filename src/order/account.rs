//! createAccount and updateAccount (S4; S3 "account level" address).

use super::address::read_address;
use super::error::Refusal;
use super::fields::Fields;
use crate::card::secret::masked_debug;
use crate::card::{AccountId, Address, CustomerId};

/// createAccount.
#[derive(Clone, PartialEq, Eq)]
pub struct CreateAccount {
    /// The id the card platform gave it; assigned where absent.
    pub account_id: Option<AccountId>,
    /// The account holder.
    pub customer_id: CustomerId,
    /// Account level address.
    pub address: Option<Address>,
}

/// updateAccount.
#[derive(Clone, PartialEq, Eq)]
pub struct UpdateAccount {
    /// Which.
    pub account_id: AccountId,
    /// The new address; `None` leaves the old one.
    pub address: Option<Address>,
}

masked_debug!(CreateAccount, UpdateAccount);

/// Reads a body that holds an address and nothing else; no body is an empty one.
///
/// # Errors
/// The first field that is not as it must be.
pub fn read_address_only(body: Option<Fields>) -> Result<Option<Address>, Refusal> {
    let Some(mut body) = body else { return Ok(None) };
    let address = read_address(&mut body, "address")?;
    body.end()?;
    Ok(address)
}
