//! The closed lists of the card API that describe a card's kind.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of its source.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands in orders, files and the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::card::product::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(crate::card::product::UnknownWord {
                        what: stringify!($name),
                        allowed: concat!($($word, " "),+).trim_ascii_end(),
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

/// A word that is not in its closed list. The word is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be one of: {allowed}")]
pub struct UnknownWord {
    /// The list.
    pub what: &'static str,
    /// Its words, separated by spaces.
    pub allowed: &'static str,
}

words!(
    /// The card's role on its account; information only (R9) (S0).
    CardRole {
        /// The account holder's own card.
        Main = "MAIN",
        /// A card of somebody else on the account.
        Supplementary = "SUPPLEMENTARY",
    }
);

words!(
    /// The payment scheme.
    Scheme {
        /// Mastercard.
        Mastercard = "MASTERCARD",
        /// Visa.
        Visa = "VISA",
    }
);

words!(
    /// Exported unchanged, changes nothing else (R10) (S0).
    Segment {
        /// Segment A.
        A = "SEGMENT_A",
        /// Segment B.
        B = "SEGMENT_B",
        /// Segment C.
        C = "SEGMENT_C",
        /// Segment D.
        D = "SEGMENT_D",
        /// Segment E.
        E = "SEGMENT_E",
        /// Segment F.
        F = "SEGMENT_F",
    }
);

words!(
    /// PIN block formats we write (ISO 9564-1). Format 1 is refused for output (PCI PIN 3-3).
    PinBlockFormat {
        /// Format 0: TDES, PAN-bound.
        Iso0 = "ISO_0",
        /// Format 3: TDES, PAN-bound, random fill.
        Iso3 = "ISO_3",
        /// Format 4: AES, PAN-bound, random fill; file version 2 only.
        Iso4 = "ISO_4",
    }
);

words!(
    /// The status a plastic gets when its file is settled (R62).
    ProducedAs {
        /// Usable at once.
        Active = "active",
        /// To be activated by the cardholder.
        Locked = "locked",
    }
);

impl ProducedAs {
    /// R62: the status of a produced plastic.
    pub fn status(self) -> super::PlasticStatus {
        match self {
            Self::Active => super::PlasticStatus::Active,
            Self::Locked => super::PlasticStatus::Locked,
        }
    }
}
