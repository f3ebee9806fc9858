//! Whom a night works for and with: institutions, products, embossing houses and the agreements between them.
//!
//! Plain values, read from the configuration and nowhere else; a new institution, house or product is a change
//! of configuration only. Key ids are names of `[[key]]` entries; the vault holds the keys.

use serde::Deserialize;

use crate::card::product::words;
use crate::card::{
    CardDeliveryType, CharacterSet, InstitutionId, LetterSet, ManufacturerCode, PanMask, PinBlockFormat,
    PinDeliveryType, ProducedAs, Scheme,
};

/// An issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Institution {
    /// Its id, up to six digits.
    pub id: InstitutionId,
    /// Its name in the header, up to 64 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// The product of an order that names none.
    #[serde(default)]
    pub default_product: Option<String>,
    /// The house of a card that names none (R8).
    #[serde(default)]
    pub default_manufacturer: Option<ManufacturerCode>,
    /// R51: produce cards in status 05 (never 205).
    #[serde(default)]
    pub produce_blocked: bool,
    /// R110-R113: whether the night renews cards.
    #[serde(default)]
    pub renewal: bool,
    /// R110: days before the end of the expiry month.
    #[serde(default = "forty_five")]
    pub renewal_days: u32,
    /// R41: a letter also for a PIN the customer set.
    #[serde(default)]
    pub mailer_for_set_pin: bool,
    /// R42: a letter also for an unchanged PIN at reissue and renewal.
    #[serde(default)]
    pub mailer_for_reissue: bool,
    /// R81: PIN letters go to the card's address where the card has no PIN address.
    #[serde(default)]
    pub pin_address_falls_back_to_card: bool,
    /// Zone keys under which this institution may send PIN blocks.
    #[serde(default)]
    pub set_pin_keys: Vec<String>,
}

fn forty_five() -> u32 {
    45
}

words!(
    /// What a product is made as.
    ProductForm {
        /// A plastic.
        Physical = "physical",
        /// Card data only.
        Virtual = "virtual",
    }
);

words!(
    /// The digit order of the expiry inside CVV2 (Visa: YYMM; some Mastercard hosts: MMYY).
    Cvv2Expiry {
        /// Year first.
        Yymm = "YYMM",
        /// Month first.
        Mmyy = "MMYY",
    }
);

/// A card product of one institution.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The institution it belongs to.
    pub institution: InstitutionId,
    /// Its code, `^[A-Z][A-Z_0-9]{1,64}$`.
    pub code: String,
    /// The scheme.
    pub scheme: Scheme,
    /// Plastic or virtual.
    pub form: ProductForm,
    /// Whether a virtual plastic 1 is usable before the physical plastic 2 exists.
    #[serde(default)]
    pub instant_issuing: bool,
    /// Prefixes of the card numbers, 6 to 10 digits each.
    pub pan_prefixes: Vec<String>,
    /// Validity in months from the creation month (R117).
    pub months: u32,
    /// Status after production.
    #[serde(default = "active")]
    pub produced: ProducedAs,
    /// ISO/IEC 7813 service code; needed where there is a stripe or chip.
    #[serde(default)]
    pub service_code: Option<String>,
    /// Key of CVV1 and iCVV; needed where there is a stripe or chip.
    #[serde(default)]
    pub cvv_key: Option<String>,
    /// Key of CVV2.
    pub cvv2_key: String,
    /// Digit order of CVV2's expiry.
    #[serde(default = "yymm")]
    pub cvv2_expiry: Cvv2Expiry,
    /// Discretionary data of the magnetic stripe; absent = no stripe.
    #[serde(default)]
    pub stripe: Option<Stripe>,
    /// Discretionary data of the chip's track equivalents; absent = no chip.
    #[serde(default)]
    pub chip: Option<Chip>,
    /// PIN verification; absent = a product without a PIN (R34-R36 do not apply).
    #[serde(default)]
    pub pin: Option<PinTerms>,
}

impl Product {
    /// The key of CVV1 and iCVV that a plastic made now is pinned to; these stand on stripe and chip only.
    pub fn pinned_cvv_key(&self) -> Option<&str> {
        let carried = self.stripe.is_some() || self.chip.is_some();
        self.cvv_key.as_deref().filter(|_| carried)
    }

    /// R4 with A23: why a card gets no plastic, where it gets none. Where the order did not say (`wanted`), the product's
    /// form does. A virtual product without a service code cannot make one whatever the order says: a record must carry it.
    pub fn no_plastic(product: Option<&Self>, wanted: Option<bool>) -> Option<&'static str> {
        let virtual_product = product.filter(|product| product.form == ProductForm::Virtual);
        match (wanted, virtual_product) {
            (Some(false), _) => Some("physical is false"),
            (None, Some(_)) => Some("the product is virtual"),
            (Some(true), Some(product)) if product.service_code.is_none() => {
                Some("the product is virtual, without service code")
            }
            _ => None,
        }
    }
}

fn active() -> ProducedAs {
    ProducedAs::Active
}

fn yymm() -> Cvv2Expiry {
    Cvv2Expiry::Yymm
}

/// Templates of the discretionary data: digits and the marks `{pvki}`, `{pvv}`, `{cvv}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stripe {
    /// Behind the service code on track 1.
    pub track1: String,
    /// Behind the service code on track 2.
    pub track2: String,
}

/// The same for the chip, where `{cvv}` is the iCVV.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Track 1 equivalent.
    pub track1: String,
    /// Track 2 equivalent (tag 57).
    pub track2: String,
    /// Whether the chip verifies the PIN itself: the record then carries `chipPin`.
    #[serde(default)]
    pub offline_pin: bool,
}

/// How the product's PIN is verified by the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinTerms {
    /// Key of the PVV.
    pub pvv_key: String,
    /// PIN verification key indicator, one digit.
    pub pvki: String,
}

/// An OpenPGP recipient, pinned by its full fingerprint (R135).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientKey {
    /// The certificate's file.
    pub certificate_file: String,
    /// 40 (v4) or 64 (v6) hexadecimal digits.
    pub fingerprint: String,
}

/// An embossing house.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manufacturer {
    /// Its code.
    pub code: ManufacturerCode,
    /// An inactive house takes nothing: its cards are held (R8).
    #[serde(default = "yes")]
    pub active: bool,
    /// Whom files are encrypted to; all of them.
    pub recipients: Vec<RecipientKey>,
    /// Zone PIN keys: a file's blocks are made under the one that began last of those in force at its claim, of equals
    /// under the first.
    #[serde(default)]
    pub pin_keys: Vec<String>,
    /// The format of PIN blocks.
    #[serde(default = "iso0")]
    pub pin_block_format: PinBlockFormat,
    /// Longest address line in characters; longer ones are held (ADDRESS_TOO_LONG).
    #[serde(default)]
    pub address_line_max: Option<usize>,
    /// Letters its printers know (R88).
    #[serde(default)]
    pub address_characters: LetterSet,
    /// A12: count the space between first and last name against the 26.
    #[serde(default)]
    pub count_name_space: bool,
    /// The `[[destination]]` files go to.
    pub destination: String,
}

fn yes() -> bool {
    true
}

fn iso0() -> PinBlockFormat {
    PinBlockFormat::Iso0
}

words!(
    /// How a file is written.
    FileFormat {
        /// XML 1.0.
        Xml = "xml",
        /// JSON.
        Json = "json",
    }
);

/// Published versions of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "i64")]
pub enum FileVersion {
    /// Version 1: no additional values, no address sources.
    V1,
    /// Version 2.
    V2,
}

impl FileVersion {
    /// 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl TryFrom<i64> for FileVersion {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            _ => Err("a file version is 1 or 2"),
        }
    }
}

words!(
    /// Which OpenPGP encryption container is written.
    OpenPgp {
        /// SEIPDv1, which every OpenPGP program reads.
        Seipd1 = "seipd1",
        /// The newest the recipients advertise.
        Newest = "newest",
    }
);

words!(
    /// Compression inside the encryption.
    Compression {
        /// Deflate, fastest level.
        Fast = "fast",
        /// Deflate, default level.
        Default = "default",
        /// None.
        None = "none",
    }
);

/// A plastic layout the house knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The `externalLayoutCode`.
    pub code: String,
    /// Whether a name is put on it (R92).
    #[serde(default = "yes")]
    pub name: bool,
    /// Longest additional field that fits; longer ones only warn (A7).
    #[serde(default = "twenty_six")]
    pub field_max: usize,
    /// The carrier it is mounted on.
    #[serde(default)]
    pub carrier: Option<Carrier>,
}

fn twenty_six() -> usize {
    26
}

/// The paper a card is mounted on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// Up to 30 characters.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Up to 20 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
}

/// One institution with one embossing house.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The issuer.
    pub institution: InstitutionId,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// XML or JSON.
    pub format: FileFormat,
    /// 1 or 2.
    pub version: FileVersion,
    /// Which characters may be embossed (R93).
    #[serde(default)]
    pub character_set: CharacterSet,
    /// R12: an empty file where nothing is due.
    #[serde(default)]
    pub emit_empty: bool,
    /// R96: upper-case the embossed lines.
    #[serde(default)]
    pub upper_case: bool,
    /// How `panMasked` is written.
    #[serde(default)]
    pub pan_mask: PanMask,
    /// R87: where the card names none.
    #[serde(default = "mail")]
    pub card_delivery_type: CardDeliveryType,
    /// Likewise for the PIN.
    #[serde(default = "pin_mail")]
    pub pin_delivery_type: PinDeliveryType,
    /// Whether `cardDelivery.phone` is written.
    #[serde(default)]
    pub include_phone: bool,
    /// 0 = no limit.
    #[serde(default)]
    pub max_records_per_file: u32,
    /// Fault 26: more bad records than this and than the share stop the agreement.
    #[serde(default = "hundred")]
    pub max_bad_records: u64,
    /// Fault 26: the share, 0 to 1, in thousandths.
    #[serde(default = "fifth", deserialize_with = "share")]
    pub max_bad_share: Thousandths,
    /// Longest time for one upload.
    #[serde(default = "thirty")]
    pub deadline_minutes: u64,
    /// Encryption container.
    #[serde(default = "seipd1")]
    pub openpgp: OpenPgp,
    /// Compression inside the encryption.
    #[serde(default = "fast")]
    pub compression: Compression,
    /// Overrides the house's destination.
    #[serde(default)]
    pub destination: Option<String>,
    /// Layouts the house knows; none listed = any code.
    #[serde(default, rename = "layout")]
    pub layouts: Vec<Layout>,
    /// From the card's delivery type to `bulk.code`.
    #[serde(default)]
    pub bulk: std::collections::BTreeMap<CardDeliveryType, String>,
}

/// A share in thousandths, so that agreements stay comparable values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thousandths(pub u32);

fn share<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Thousandths, D::Error> {
    let share = f64::deserialize(from)?;
    if !(0.0..=1.0).contains(&share) {
        return Err(serde::de::Error::custom("a share is 0.0 to 1.0"));
    }
    // Safe because: bounded to 0 ..= 1000.
    Ok(Thousandths((share * 1000.0).round() as u32))
}

fn mail() -> CardDeliveryType {
    CardDeliveryType::Mail
}

fn pin_mail() -> PinDeliveryType {
    PinDeliveryType::Mail
}

fn hundred() -> u64 {
    100
}

fn fifth() -> Thousandths {
    Thousandths(200)
}

fn thirty() -> u64 {
    30
}

fn seipd1() -> OpenPgp {
    OpenPgp::Seipd1
}

fn fast() -> Compression {
    Compression::Fast
}

/// Everything the pure rules need to know about one agreement, looked up once per run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The issuer.
    pub institution: Institution,
    /// The house.
    pub manufacturer: Manufacturer,
    /// The agreement between the two.
    pub agreement: Agreement,
    /// The institution's products, by code.
    pub products: std::collections::BTreeMap<String, Product>,
}

impl Terms {
    /// `246001 with FACTORY_X`, for people.
    pub fn subject(&self) -> String {
        format!("{} with {}", self.institution.id, self.manufacturer.code)
    }

    /// The layout a code names: the agreement's entry, or `None` where the agreement lists none or not this one.
    pub fn layout(&self, code: Option<&str>) -> Option<&Layout> {
        code.and_then(|code| self.agreement.layouts.iter().find(|layout| layout.code == code))
    }
}
