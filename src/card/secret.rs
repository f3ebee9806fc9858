//! Secrets that pass through a night: no `Display`, no `Serialize`, a masking `Debug`, wiped on drop.
//! The only way out is [`expose`](Cvv::expose), which is easy to search for.

use std::fmt;

use zeroize::Zeroizing;

use super::PinBlockFormat;

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the text into keeping.
            pub fn new(text: impl Into<String>) -> Self {
                Self(Zeroizing::new(text.into()))
            }

            /// The clear text, for the document writer and nothing else.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

secret_text!(
    /// CVV2 as three digits.
    Cvv
);
secret_text!(
    /// Track 1 or track 2 data without sentinels and LRC (ISO/IEC 7813), or its chip equivalent.
    Track
);
secret_text!(
    /// Upper-case hexadecimal of secret bytes.
    SecretHex
);

/// An encrypted PIN block under a zone PIN key (ISO 9564-1). Encrypted, yet never logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinBlock {
    /// ISO 9564-1 format.
    pub format: PinBlockFormat,
    /// The zone PIN key's id, announced in the header's `pinKeys`.
    pub key_id: String,
    /// 16 hexadecimal digits (formats 0 and 3) or 32 (format 4).
    pub value: SecretHex,
}

/// Gives a type that holds names or addresses a `Debug` that shows its type only: those must never be logged.
macro_rules! masked_debug {
    ($($name:ident),+ $(,)?) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        })+
    };
}
pub(crate) use masked_debug;
