//! Addresses and how things are delivered (S0, S1, S3).

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::product::words;
use super::secret::masked_debug;

/// One address object: taken whole from one level, never merged across levels (R82). Never logged.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// First line, 1 ..= 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address1: Option<String>,
    /// Second line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address2: Option<String>,
    /// Third line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address3: Option<String>,
    /// Fourth line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address4: Option<String>,
    /// City, 1 ..= 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Postal code, 1 ..= 32 characters; text, because a leading zero must survive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip_code: Option<String>,
    /// ISO 3166-1 alpha-3, or QZZ or ROM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Region, up to 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl Address {
    /// The lines with the names they carry in orders and files, in the file's order; absent ones left out.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("address1", &self.address1),
            ("address2", &self.address2),
            ("address3", &self.address3),
            ("address4", &self.address4),
            ("city", &self.city),
            ("zipCode", &self.zip_code),
            ("country", &self.country),
            ("region", &self.region),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
    }

    /// R86: the first mandatory line that is missing, by its name.
    pub fn first_missing(&self) -> Option<&'static str> {
        [("address1", &self.address1), ("city", &self.city), ("zipCode", &self.zip_code), ("country", &self.country)]
            .into_iter()
            .find(|(_, value)| value.is_none())
            .map(|(name, _)| name)
    }
}

/// An address that replaces all others for a limited time (S3, R84).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemporaryAddress {
    /// The address.
    pub address: Address,
    /// First day in force, inclusive, UTC; absent = since ever.
    pub valid_from: Option<NaiveDate>,
    /// Last day in force, inclusive, UTC; absent = open, with a warning.
    pub valid_to: Option<NaiveDate>,
}

impl TemporaryAddress {
    /// R84: in force on `day`, both ends inclusive.
    pub fn in_force(&self, day: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }
}

masked_debug!(Address, TemporaryAddress);

words!(
    /// The level an address was taken from; answers "why there?" in version 2 files.
    AddressSource {
        /// The customer's temporary address, in force at T0.
        Temporary = "TEMPORARY",
        /// The card's own address.
        Card = "CARD",
        /// The account's address.
        Account = "ACCOUNT",
        /// The customer's address.
        Customer = "CUSTOMER",
    }
);

words!(
    /// How a card is delivered (S1). EPIN is not one of them (R87).
    CardDeliveryType {
        /// By agreement.
        Custom1 = "CUSTOM_1",
        /// By agreement.
        Custom2 = "CUSTOM_2",
        /// By agreement.
        Custom3 = "CUSTOM_3",
        /// By agreement.
        Custom4 = "CUSTOM_4",
        /// By agreement.
        Custom5 = "CUSTOM_5",
        /// Letter.
        Mail = "MAIL",
        /// Courier.
        Courier = "COURIER",
    }
);

words!(
    /// How a PIN is delivered (S1); EPIN is electronic and prints no letter (R41).
    PinDeliveryType {
        /// By agreement.
        Custom1 = "CUSTOM_1",
        /// By agreement.
        Custom2 = "CUSTOM_2",
        /// By agreement.
        Custom3 = "CUSTOM_3",
        /// By agreement.
        Custom4 = "CUSTOM_4",
        /// By agreement.
        Custom5 = "CUSTOM_5",
        /// Letter.
        Mail = "MAIL",
        /// Courier.
        Courier = "COURIER",
        /// Electronic: never a letter.
        Epin = "EPIN",
    }
);
