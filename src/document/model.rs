//! The file's model, field for field in the order in which the fields are written (`schemas/` says the same).
//!
//! One model for both formats and both versions: the writers leave out what a version does not know.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::agreement::{Carrier, FileFormat, FileVersion};
use crate::card::product::words;
use crate::card::{
    AccountId, AdditionalValue, Address, AddressSource, CardDeliveryType, CardId, CardRole, CharacterSet, CustomerId,
    Cvv, Expiry, FileId, InstitutionId, ManufacturerCode, Pan, PinBlock, PinDeliveryType, PlasticId, ProductionEvent,
    Recipient, RecordUid, RunId, Scheme, Segment, Track,
};

words!(
    /// Whether the cards are for production.
    Environment {
        /// Production.
        Live = "LIVE",
        /// Test: prefix `TST_`, never to a live destination.
        Test = "TEST",
    }
);

words!(
    /// First production or a marked duplicate.
    FileType {
        /// First production.
        Normal = "NORMAL",
        /// The same records again, ordered by a person.
        Duplicate = "DUPLICATE",
    }
);

words!(
    /// What a record asks for.
    RecordType {
        /// A card, perhaps with its PIN letter.
        Card = "CARD",
        /// A PIN letter only.
        PinOnly = "PIN_ONLY",
    }
);

/// A zone PIN key announced in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinKeyRef {
    /// Its id.
    pub key_id: String,
    /// TDES_2KEY, TDES_3KEY, AES_128 or AES_256.
    pub algorithm: String,
    /// Key check value, six hexadecimal digits.
    pub kcv: String,
}

/// The issuer as the header names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstitutionRef {
    /// Up to six digits.
    pub id: InstitutionId,
    /// Up to 64 characters.
    pub name: Option<String>,
}

/// The header (3.2). Everything in it is fixed when composing starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// XML or JSON; not a field, it decides the name's ending.
    pub format: FileFormat,
    /// 1 or 2.
    pub version: FileVersion,
    /// LIVE or TEST.
    pub environment: Environment,
    /// The file.
    pub file_id: FileId,
    /// The name without `.pgp`.
    pub file_name: String,
    /// 1 and up, without gaps per agreement (R131).
    pub sequence_number: u64,
    /// The file before it.
    pub previous_file_id: Option<FileId>,
    /// NORMAL or DUPLICATE.
    pub file_type: FileType,
    /// The file a duplicate repeats.
    pub resend_of_file_id: Option<FileId>,
    /// The run that claimed it.
    pub run_id: RunId,
    /// Database time of the claim, whole seconds: both `createdAt` and `dataAsOf`.
    pub data_as_of: DateTime<Utc>,
    /// T0, whole seconds.
    pub cut_off: DateTime<Utc>,
    /// The issuer.
    pub institution: InstitutionRef,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// Announced zone PIN keys; empty where no record carries a PIN block.
    pub pin_keys: Vec<PinKeyRef>,
    /// Copy of the trailer's count, so that a truncated file is seen early.
    pub number_of_records: u64,
}

/// The chip's data. Never logged: it holds the cardholder's name.
#[derive(Clone, PartialEq, Eq)]
pub struct ChipData {
    /// Track 1 equivalent, up to 76.
    pub track1: Track,
    /// Track 2 equivalent (tag 57), up to 38, even.
    pub track2: Track,
    /// Cardholder name, equal to the track 1 name.
    pub name: String,
}

/// What is put on the plastic.
#[derive(Clone, PartialEq, Eq)]
pub struct EmbossingLines {
    /// Absent on layouts without a name (R92).
    pub first_name: Option<String>,
    /// Likewise.
    pub last_name: Option<String>,
    /// First and last name joined by a space, as it shall appear.
    pub name_line: Option<String>,
    /// Second name line.
    pub additional_embossing_name: Option<String>,
    /// Company.
    pub company_name: Option<String>,
    /// Additional fields 1 to 5.
    pub additional_fields: [Option<String>; 5],
    /// The set the lines keep to.
    pub character_set: CharacterSet,
}

/// Where the card goes.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryBlock {
    /// How.
    pub kind: CardDeliveryType,
    /// To whom.
    pub recipient: Option<Recipient>,
    /// Where.
    pub address: Address,
    /// Why there; `None` in version 1.
    pub address_source: Option<AddressSource>,
    /// `+` and digits; version 2 only.
    pub phone: Option<String>,
}

/// The PIN letter.
#[derive(Clone, PartialEq, Eq)]
pub struct PinMailerBlock {
    /// How.
    pub delivery_type: PinDeliveryType,
    /// To whom.
    pub recipient: Option<Recipient>,
    /// Where.
    pub address: Address,
    /// Why there; `None` in version 1.
    pub address_source: Option<AddressSource>,
    /// The PIN under the zone PIN key.
    pub pin_block: PinBlock,
}

crate::card::secret::masked_debug!(ChipData, EmbossingLines, DeliveryBlock, PinMailerBlock);

/// One record (3.3), fields in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// 1 .. n, dense.
    pub record_number: u64,
    /// The production request, stable over resends.
    pub record_uid: RecordUid,
    /// CARD or PIN_ONLY.
    pub record_type: RecordType,
    /// Why.
    pub production_event: ProductionEvent,
    /// A second production of the same plastic.
    pub reproduction: bool,
    /// The card.
    pub card_id: CardId,
    /// The plastic.
    pub plastic_id: PlasticId,
    /// The cardholder.
    pub customer_id: Option<CustomerId>,
    /// The account.
    pub account_id: Option<AccountId>,
    /// The issuer's own number; version 2 only.
    pub customer_number: Option<String>,
    /// Information only.
    pub card_role: CardRole,
    /// The product.
    pub product_code: Option<String>,
    /// The scheme.
    pub scheme: Scheme,
    /// 16 digits.
    pub pan: Pan,
    /// As printed on the PIN letter.
    pub pan_masked: String,
    /// 1 ..= 99.
    pub sequence_number: u8,
    /// Last month of validity.
    pub expiry: Expiry,
    /// First month of validity, where a product has one.
    pub valid_from: Option<Expiry>,
    /// CARD only.
    pub service_code: Option<String>,
    /// CARD only.
    pub cvv2: Option<Cvv>,
    /// Magnetic stripe, track 1.
    pub track1: Option<Track>,
    /// Magnetic stripe, track 2.
    pub track2: Option<Track>,
    /// Chip.
    pub chip: Option<ChipData>,
    /// CARD only.
    pub embossing: Option<EmbossingLines>,
    /// Which plastic layout.
    pub external_layout_code: Option<String>,
    /// Exported unchanged.
    pub segment: Option<Segment>,
    /// Version 2 only.
    pub additional_values: Vec<AdditionalValue>,
    /// CARD only.
    pub card_delivery: Option<DeliveryBlock>,
    /// The cardholder's language and country.
    pub locale: String,
    /// Bulk shipment; version 2 only.
    pub bulk_code: Option<String>,
    /// Carrier; version 2 only.
    pub carrier: Option<Carrier>,
    /// The PIN for the chip, where it verifies the PIN itself.
    pub chip_pin: Option<PinBlock>,
    /// The PIN letter.
    pub pin_mailer: Option<PinMailerBlock>,
}

/// Control totals (3.5). `Debug` leaves the hash total out: for a file of one card it shows nine digits.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Trailer {
    /// All records.
    pub number_of_records: u64,
    /// Records of type CARD.
    pub number_of_cards: u64,
    /// Records of type PIN_ONLY.
    pub number_of_pin_only: u64,
    /// Records with a PIN letter.
    pub number_of_pin_mailers: u64,
    /// Shipping destinations: CARD records without bulk code + distinct bulk codes.
    pub number_of_carriers: u64,
    /// Distinct layout codes.
    pub number_of_layouts: u64,
    /// Records per event.
    pub by_production_event: BTreeMap<String, u64>,
    /// Records per layout code.
    pub by_layout: BTreeMap<String, u64>,
    /// Records per card delivery type.
    pub by_card_delivery_type: BTreeMap<String, u64>,
    /// Sum of the PANs' digits 7 to 15 as numbers, modulo 10^12, twelve digits. Never logged.
    pub pan_hash_total: String,
    /// SHA-256 over the records as they stand in the file, lower-case hexadecimal.
    pub records_sha256: String,
}

impl std::fmt::Debug for Trailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trailer")
            .field("number_of_records", &self.number_of_records)
            .field("by_production_event", &self.by_production_event)
            .field("records_sha256", &self.records_sha256)
            .finish_non_exhaustive()
    }
}
