//! The customer who holds a card and the account it belongs to. Rows are versioned: an update is a new value.

use serde::{Deserialize, Serialize};

use super::secret::masked_debug;
use super::{Address, CustomerId, TemporaryAddress};

/// A private customer as far as files need it (S3); what never reaches a file is not kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// The issuer's own number, up to 32 letters and digits.
    pub customer_number: String,
    /// Language and country, from S3's list, for example `fi_FI`.
    pub locale: String,
    /// Names on carrier and PIN letter.
    pub name: Recipient,
    /// Address used where account and card have none.
    pub address: Address,
    /// Address that for a limited time stands before all others.
    pub temporary_address: Option<TemporaryAddress>,
    /// Land line, `+` and digits.
    pub phone_number: Option<String>,
    /// Mobile, `+` and digits; the file's `phone`.
    pub mobile_number: Option<String>,
}

/// The names a letter is addressed to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// Salutation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salutation: Option<String>,
    /// First name.
    pub first_name: String,
    /// Middle name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Last name.
    pub last_name: String,
}

/// The account a card belongs to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The account holder, who may differ from the cardholder (R83).
    pub customer_id: CustomerId,
    /// Account level address (S3).
    pub address: Option<Address>,
}

masked_debug!(Customer, Recipient, Account);
