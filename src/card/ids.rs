//! Identifiers, each its own type so that none can stand where another belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an identifier. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must match {pattern}")]
pub struct IdError {
    /// Which identifier was asked for, for example `cardId`.
    pub what: &'static str,
    /// The pattern it must match.
    pub pattern: &'static str,
}

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(i64);

        impl $name {
            /// From the database's form; `None` outside 1 ..= 10^18 - 1.
            pub fn new(value: i64) -> Option<Self> {
                (1..1_000_000_000_000_000_000).contains(&value).then_some(Self(value))
            }

            /// The number, for the database.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { what: $field, pattern: "[1-9][0-9]{0,17}" };
                let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
                let number = if digits { text.parse().ok() } else { None };
                number.and_then(Self::new).ok_or(error)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

numeric_id!(
    /// The cardholder or account holder (S0, S2); unique within an institution.
    CustomerId, "customerId"
);
numeric_id!(
    /// The account a card belongs to (S0); unique within an institution.
    AccountId, "accountId"
);
numeric_id!(
    /// The card: one PAN (S4 "only one card entity per card number"); unique within an institution.
    CardId, "cardId"
);
numeric_id!(
    /// One physical or virtual manifestation of a card; unique within an institution.
    PlasticId, "plasticId"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal, $pattern:literal, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(u8) -> bool = $allowed;
                if (1..=$max).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { what: $field, pattern: $pattern })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

text_id!(
    /// The issuer: up to six digits (S4 "per institution").
    InstitutionId, "institutionId", "[0-9]{1,6}", 6, |b| b.is_ascii_digit()
);
text_id!(
    /// The embossing house's code, anchored as trap T4 asks (S2).
    ManufacturerCode, "manufacturer", "[A-Z0-9_-]{1,32}", 32,
    |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b'-'
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// A production request, for ever: stable over resends, duplicates and re-composed files.
    RecordUid
);
uuid_id!(
    /// One embossing file.
    FileId
);
uuid_id!(
    /// One run of the night, or one on-demand run.
    RunId
);
