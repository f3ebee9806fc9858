//! The card itself: everything a version of its row holds beside the PAN, which the vault keeps.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::product::words;
use super::secret::masked_debug;
use super::{AccountId, Address, CardDeliveryType, CardRole, CustomerId, PinDeliveryType, Scheme, Segment};

words!(
    /// Card statuses (S4), with the names S1 uses.
    CardStatus {
        /// 00: open.
        Ok = "CARD_OK",
        /// 05: temporary block.
        Blocked = "CARD_BLOCKED",
        /// 205: temporary block, suspected fraud.
        SuspectedFraud = "SUSPECTED_FRAUD",
        /// 04: closed, known fraud; final.
        ClosedDueToFraud = "CARD_CLOSED_DUE_TO_FRAUD",
        /// 50: not to be renewed, otherwise open.
        NoRenewal = "CARD_NO_RENEWAL",
        /// 41: lost; final.
        Lost = "CARD_LOST",
        /// 43: stolen; final.
        Stolen = "CARD_STOLEN",
        /// 105: closed by request.
        Closed = "CARD_CLOSED",
        /// 14: final closure, blocks clearing too.
        Invalid = "CARD_INVALID",
    }
);

impl CardStatus {
    /// Closed for good (R52): nothing is made for the card any more.
    pub fn is_final(self) -> bool {
        match self {
            Self::ClosedDueToFraud | Self::Lost | Self::Stolen | Self::Closed | Self::Invalid => true,
            Self::Ok | Self::Blocked | Self::SuspectedFraud | Self::NoRenewal => false,
        }
    }

    /// The numeric code of S4.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "00",
            Self::Blocked => "05",
            Self::SuspectedFraud => "205",
            Self::ClosedDueToFraud => "04",
            Self::NoRenewal => "50",
            Self::Lost => "41",
            Self::Stolen => "43",
            Self::Closed => "105",
            Self::Invalid => "14",
        }
    }
}

words!(
    /// Where the PIN of a card comes from (S0).
    PinStatus {
        /// Default: the night makes a random PIN where the event calls for a new one (A4).
        Default = "D",
        /// Waiting for the customer to set it: nothing is embossed (R30).
        Waiting = "W",
        /// Set by the customer.
        Set = "S",
    }
);

/// What is put on the plastic, as the issuer gave it (S2). Never logged.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Embossing {
    /// Up to 26 characters; with the last name together up to 26 (R90).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Up to 26 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Second name line by agreement with the house, up to 26.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_embossing_name: Option<String>,
    /// Up to 26.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    /// Additional line 1, up to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_field1: Option<String>,
    /// Additional line 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_field2: Option<String>,
    /// Additional line 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_field3: Option<String>,
    /// Additional line 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_field4: Option<String>,
    /// Additional line 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_field5: Option<String>,
    /// Which plastic layout, up to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_layout_code: Option<String>,
    /// The embossing house's code; text, because a wrong one is held at the claim, not refused (R8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Whether a plastic is made at all (R4); absent is decided by the product's form (A23).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical: Option<bool>,
}

impl Embossing {
    /// The lines that are put on the plastic, with their names, in the file's order; absent ones left out.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("firstName", &self.first_name),
            ("lastName", &self.last_name),
            ("additionalEmbossingName", &self.additional_embossing_name),
            ("companyName", &self.company_name),
            ("additionalField1", &self.additional_field1),
            ("additionalField2", &self.additional_field2),
            ("additionalField3", &self.additional_field3),
            ("additionalField4", &self.additional_field4),
            ("additionalField5", &self.additional_field5),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
    }
}

/// A key-value pair the issuer attached (S0, S2); in version 2 files only (R99).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdditionalValue {
    /// 1 ..= 8 characters of `[a-zA-Z0-9-_ ]`.
    pub key: String,
    /// 1 ..= 50 characters of the value set (T2).
    pub value: String,
}

/// One version of a card's row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The cardholder (R83).
    pub customer_id: CustomerId,
    /// The account.
    pub account_id: AccountId,
    /// Information only (R9).
    pub role: CardRole,
    /// The product's code.
    pub product_code: String,
    /// The scheme.
    pub scheme: Scheme,
    /// The card's status.
    pub status: CardStatus,
    /// Since when it has that status.
    pub status_since: DateTime<Utc>,
    /// Where its PIN comes from.
    pub pin_status: PinStatus,
    /// What goes onto the plastic.
    pub embossing: Embossing,
    /// Exported unchanged (R10).
    pub segment: Option<Segment>,
    /// Up to 10 pairs, in order (R99).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_values: Vec<AdditionalValue>,
    /// Wallet artwork; never in a file.
    pub digital_layout_code: Option<String>,
    /// When the card closes by schedule (R14).
    pub scheduled_closing: Option<DateTime<Utc>>,
    /// Where the card goes.
    pub card_address: Option<Address>,
    /// Where the PIN goes.
    pub pin_address: Option<Address>,
    /// How the card goes; absent = the agreement's default (R87).
    pub card_delivery_type: Option<CardDeliveryType>,
    /// How the PIN goes.
    pub pin_delivery_type: Option<PinDeliveryType>,
    /// The lost card this one replaces (R116).
    pub replaces: Option<super::CardId>,
    /// The card made in place of this one: from then on CARD_LOST may become stolen or closed due to fraud (R116).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<super::CardId>,
}

masked_debug!(Embossing, AdditionalValue, Card);
