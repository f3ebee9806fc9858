//! The tables of the file (3.2-3.5) as values: which field stands where, from which version on, and in what form.
//!
//! Invariants: a table's order is the file's order; what two fields must have to do with each other is not here but
//! in `rules.rs`. The published schemas say the same in two more languages; a test keeps the three in agreement.

use crate::card::characters::{key_allowed, length, value_allowed};
use crate::card::locale::is_locale;
use crate::card::product::UnknownWord;
use crate::card::{
    AddressSource, CardDeliveryType, CardRole, CharacterSet, PinBlockFormat, ProductionEvent, ProductionReason, Scheme,
    Segment,
};
use crate::document::model::{Environment, FileType, RecordType};

/// One row of a table.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// The first version that has it.
    pub(super) since: u8,
    pub(super) must: bool,
    pub(super) kind: Kind,
}

/// What stands in a field.
pub(super) enum Kind {
    Text(Form),
    /// At least this number.
    Number(u64),
    Flag,
    Object(&'static [Field]),
    /// At most so many objects.
    List(usize, &'static [Field]),
    /// Counts by key.
    Counts(Form),
}

/// What a text looks like.
pub(super) enum Form {
    /// 1 up to so many Unicode scalar values (R100).
    Chars(usize),
    /// A pattern, and how it is called in a finding.
    Like(fn(&str) -> bool, &'static str),
    /// One word of a closed list.
    Word(fn(&str) -> Result<(), UnknownWord>),
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, since: 1, must: true, kind }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, since: 1, must: false, kind }
}

/// From version 2 on.
const fn newer(field: Field) -> Field {
    Field { since: 2, ..field }
}

const fn chars(max: usize) -> Kind {
    Kind::Text(Form::Chars(max))
}

const fn like(test: fn(&str) -> bool, name: &'static str) -> Kind {
    Kind::Text(Form::Like(test, name))
}

const fn word<T: std::str::FromStr<Err = UnknownWord>>() -> Kind {
    Kind::Text(Form::Word(is_word::<T>))
}

const ANY_LENGTH: usize = usize::MAX;
const UUID: Kind = like(is_uuid, "a UUID in lower case");
const INSTANT: Kind = like(is_instant, "an instant YYYY-MM-DDTHH:MM:SSZ");
const ID: Kind = like(|text| digits(text, 1, 18), "[0-9]{1,18}");
const MONTH: Kind = like(is_month, "a month YYYY-MM");
const NAME: Kind = chars(26);
const LINE: Kind = chars(255);

pub(super) const HEADER: &[Field] = &[
    must("formatVersion", like(|text| text == "1" || text == "2", "1 or 2")),
    must("environment", word::<Environment>()),
    must("fileId", UUID),
    must("fileName", chars(ANY_LENGTH)),
    must("sequenceNumber", Kind::Number(1)),
    may("previousFileId", UUID),
    must("fileType", word::<FileType>()),
    may("resendOfFileId", UUID),
    must("runId", UUID),
    must("createdAt", INSTANT),
    must("dataAsOf", INSTANT),
    must("cutOff", INSTANT),
    must("institution", Kind::Object(INSTITUTION)),
    must("manufacturer", like(is_manufacturer, "[A-Z0-9_-]{1,32}")),
    may("pinKeys", Kind::List(ANY_LENGTH, PIN_KEY)),
    must("totals", Kind::Object(&[must("numberOfRecords", Kind::Number(0))])),
];

const INSTITUTION: &[Field] = &[must("id", like(|text| digits(text, 1, 6), "[0-9]{1,6}")), may("name", chars(64))];

const PIN_KEY: &[Field] = &[
    must("keyId", chars(ANY_LENGTH)),
    must("algorithm", like(is_algorithm, "TDES_2KEY, TDES_3KEY, AES_128 or AES_256")),
    must("kcv", like(|text| hexadecimal(text, &[6]), "six upper-case hexadecimal digits")),
];

pub(super) const RECORD: &[Field] = &[
    must("recordNumber", Kind::Number(1)),
    must("recordUid", UUID),
    must("recordType", word::<RecordType>()),
    must("productionEvent", like(is_physical_event, "NCRD, NLOST, RALLNLOST, RALLRE, RPL, RPLRE or ROPIN")),
    newer(must("productionReason", word::<ProductionReason>())),
    must("reproduction", Kind::Flag),
    must("cardId", ID),
    must("plasticId", ID),
    may("customerId", ID),
    may("accountId", ID),
    newer(may("customerNumber", like(is_customer_number, "up to 32 letters and digits"))),
    must("cardRole", word::<CardRole>()),
    may("productCode", like(is_product_code, "[A-Z][A-Z_0-9]{1,64}")),
    must("scheme", word::<Scheme>()),
    must("pan", like(|text| digits(text, 16, 16), "16 digits")),
    must("panMasked", like(is_masked_pan, "first 6 or 8 digits, stars, last 4")),
    must("sequenceNumber", like(|text| digits(text, 2, 2) && text != "00", "01 to 99")),
    must("expiry", MONTH),
    may("validFrom", MONTH),
    may("serviceCode", like(|text| digits(text, 3, 3), "three digits")),
    may("cvv2", like(|text| digits(text, 3, 3), "three digits")),
    may("track1", like(is_track1, "track 1 of ISO/IEC 7813 without sentinels")),
    may("track2", like(is_track2, "track 2 of ISO/IEC 7813 without sentinels")),
    may("chip", Kind::Object(CHIP)),
    may("embossing", Kind::Object(EMBOSSING)),
    may("externalLayoutCode", chars(32)),
    may("segment", word::<Segment>()),
    newer(may("additionalValues", Kind::List(10, ADDITIONAL_VALUE))),
    may("cardDelivery", Kind::Object(CARD_DELIVERY)),
    must("locale", like(is_locale, "a locale of the card API")),
    newer(may("bulk", Kind::Object(&[must("code", chars(36))]))),
    newer(may("carrier", Kind::Object(&[may("type", chars(30)), may("logo", chars(20))]))),
    may("chipPin", Kind::Object(&[must("pinBlock", Kind::Object(PIN_BLOCK))])),
    may("pinMailer", Kind::Object(PIN_MAILER)),
];

const CHIP: &[Field] = &[
    must("track1", like(is_track1, "a track 1 equivalent")),
    must("track2", like(is_chip_track2, "a track 2 equivalent of even length")),
    must("name", like(is_stripe_name, "2 to 26 of A-Z, 0-9, space, full stop, hyphen and slash")),
];

const EMBOSSING: &[Field] = &[
    may("firstName", NAME),
    may("lastName", NAME),
    may("nameLine", chars(27)),
    may("additionalEmbossingName", NAME),
    may("companyName", NAME),
    may("additionalField1", chars(32)),
    may("additionalField2", chars(32)),
    may("additionalField3", chars(32)),
    may("additionalField4", chars(32)),
    may("additionalField5", chars(32)),
    must("characterSet", word::<CharacterSet>()),
];

const ADDITIONAL_VALUE: &[Field] = &[
    must("key", like(is_value_key, "1 to 8 of letters, digits, hyphen, underscore and space")),
    must("value", like(is_value, "1 to 50 characters of the value set")),
];

const CARD_DELIVERY: &[Field] = &[
    must("type", word::<CardDeliveryType>()),
    may("recipient", Kind::Object(RECIPIENT)),
    must("address", Kind::Object(ADDRESS)),
    newer(must("addressSource", word::<AddressSource>())),
    newer(may("phone", like(is_phone, "+ and up to 15 digits"))),
];

const PIN_MAILER: &[Field] = &[
    // The card's list and the letter's are the same: EPIN, the one word more, prints no letter (R41).
    must("deliveryType", word::<CardDeliveryType>()),
    may("recipient", Kind::Object(RECIPIENT)),
    must("address", Kind::Object(ADDRESS)),
    newer(must("addressSource", word::<AddressSource>())),
    must("pinBlock", Kind::Object(PIN_BLOCK)),
];

const RECIPIENT: &[Field] = &[
    may("salutation", chars(ANY_LENGTH)),
    must("firstName", chars(ANY_LENGTH)),
    may("middleName", chars(ANY_LENGTH)),
    must("lastName", chars(ANY_LENGTH)),
];

const ADDRESS: &[Field] = &[
    must("address1", LINE),
    may("address2", LINE),
    may("address3", LINE),
    may("address4", LINE),
    must("city", LINE),
    must("zipCode", chars(32)),
    must("country", like(|text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()), "[A-Z]{3}")),
    may("region", chars(32)),
];

const PIN_BLOCK: &[Field] = &[
    must("format", word::<PinBlockFormat>()),
    must("keyId", chars(ANY_LENGTH)),
    must("value", like(|text| hexadecimal(text, &[16, 32]), "16 or 32 upper-case hexadecimal digits")),
];

pub(super) const TRAILER: &[Field] = &[
    must("numberOfRecords", Kind::Number(0)),
    must("numberOfCards", Kind::Number(0)),
    must("numberOfPinOnly", Kind::Number(0)),
    must("numberOfPinMailers", Kind::Number(0)),
    must("numberOfCarriers", Kind::Number(0)),
    must("numberOfLayouts", Kind::Number(0)),
    may("byProductionEvent", Kind::Counts(Form::Like(is_physical_event, "a production event"))),
    may("byLayout", Kind::Counts(Form::Chars(32))),
    may("byCardDeliveryType", Kind::Counts(Form::Word(is_word::<CardDeliveryType>))),
    must("panHashTotal", like(|text| digits(text, 12, 12), "twelve digits")),
    must("recordsSha256", like(is_digest, "64 lower-case hexadecimal digits")),
];

fn is_word<T: std::str::FromStr<Err = UnknownWord>>(text: &str) -> Result<(), UnknownWord> {
    text.parse::<T>().map(|_| ())
}

fn digits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn hexadecimal(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A shape such as `0000-00`: a zero stands for any digit, everything else for itself.
fn shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, sign)| match sign {
            b'0' => byte.is_ascii_digit(),
            _ => byte == sign,
        })
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn is_instant(text: &str) -> bool {
    shaped(text, "0000-00-00T00:00:00Z") && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

fn is_month(text: &str) -> bool {
    shaped(text, "0000-00") && ("01"..="12").contains(&&text[5..])
}

fn is_manufacturer(text: &str) -> bool {
    text.parse::<crate::card::ManufacturerCode>().is_ok()
}

fn is_algorithm(text: &str) -> bool {
    matches!(text, "TDES_2KEY" | "TDES_3KEY" | "AES_128" | "AES_256")
}

fn is_physical_event(text: &str) -> bool {
    text.parse::<ProductionEvent>().is_ok_and(|event| !event.is_virtual())
}

fn is_customer_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_product_code(text: &str) -> bool {
    (2..=65).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_masked_pan(text: &str) -> bool {
    shaped(text, "000000******0000") || shaped(text, "00000000****0000")
}

/// `B`, PAN, `^`, name, `^`, expiry and service code, discretionary data.
fn is_track1(text: &str) -> bool {
    let parts: Vec<&str> = text.split('^').collect();
    let [start, name, rest] = parts[..] else { return false };
    let discretionary = rest.get(7..).is_some_and(|data| data.bytes().all(is_track1_sign));
    text.len() <= 76
        && shaped(start, "B0000000000000000")
        && is_stripe_name(name)
        && discretionary
        && rest.as_bytes()[..7].iter().all(u8::is_ascii_digit)
}

/// ISO/IEC 7813's 64 signs without both sentinels and the separator.
fn is_track1_sign(byte: u8) -> bool {
    matches!(byte, b' '..=b'_') && !matches!(byte, b'%' | b'?' | b'^')
}

fn is_stripe_name(text: &str) -> bool {
    let sign = |byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'.' | b'-' | b'/');
    (2..=26).contains(&text.len()) && text.bytes().all(sign)
}

/// PAN, `=`, expiry and service code, discretionary digits.
fn is_track2(text: &str) -> bool {
    text.split_once('=').is_some_and(|(pan, rest)| digits(pan, 16, 16) && digits(rest, 7, 20))
}

/// The same with `D`, up to 38 and padded with `F` to an even length.
fn is_chip_track2(text: &str) -> bool {
    let data = text.strip_suffix('F').unwrap_or(text);
    text.len().is_multiple_of(2)
        && data.split_once('D').is_some_and(|(pan, rest)| digits(pan, 16, 16) && digits(rest, 7, 21))
}

fn is_value_key(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.chars().all(key_allowed)
}

fn is_value(text: &str) -> bool {
    (1..=50).contains(&length(text)) && text.chars().all(value_allowed)
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|number| digits(number, 1, 15))
}
