//! What a card is: ids, the card number, its plastics, PIN status, names, addresses and character sets.
//!
//! Invariants: a value of one of these types is valid by construction; a secret has no `Display`, masks its
//! `Debug` and is wiped when dropped. Everything here is a plain value: no I/O, no clock, no randomness.

pub mod address;
pub mod characters;
pub mod country;
pub mod holder;
pub mod ids;
pub mod locale;
pub mod masking;
pub mod pan;
pub mod plastic;
pub mod product;
pub mod record;
pub mod secret;
pub mod stripe_name;

pub use address::{Address, AddressSource, CardDeliveryType, PinDeliveryType, TemporaryAddress};
pub use characters::{CharacterSet, LetterSet};
pub use holder::{Account, Customer, Recipient};
pub use ids::{AccountId, CardId, CustomerId, FileId, InstitutionId, ManufacturerCode, PlasticId, RecordUid, RunId};
pub use pan::{Pan, PanMask};
pub use plastic::{Expiry, Plastic, PlasticStatus, ProductionEvent, ProductionReason};
pub use product::{CardRole, PinBlockFormat, ProducedAs, Scheme, Segment};
pub use record::{AdditionalValue, Card, CardStatus, Embossing, PinStatus};
pub use secret::{Cvv, PinBlock, SecretHex, Track};
