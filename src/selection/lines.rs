//! What is put on the plastic and stored beside it: R90-R93, R96, R98-R100, layouts.
//!
//! Invariants: a line is judged as it will be written, after NFC and, where agreed, upper-casing (R96), and it is
//! never cut or abbreviated (R90); lengths are scalar values (R100). Reasons name field, position and code point,
//! never a value (R93).

use std::borrow::Cow;
use std::fmt;

use super::{Reason, ReasonCode, Warning, WarningCode};
use crate::agreement::{FileVersion, Product, Terms};
use crate::card::characters::{code_point, first_not, key_allowed, length, nfc, upper_case, value_allowed, xml_legal};
use crate::card::stripe_name::stripe_name;
use crate::card::{AdditionalValue, Card, Customer};

/// Longest name, company and second name line (R90, R91).
const NAME_MAX: usize = 26;
/// Longest additional field and layout code (R91).
const FIELD_MAX: usize = 32;
/// The line an additional field fits on where no layout says otherwise (A7).
const LINE_DEFAULT: usize = 26;

/// The embossed lines as the record carries them. Never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Lines<'a> {
    /// Absent on layouts without a name (R92).
    pub first_name: Option<Cow<'a, str>>,
    /// Likewise.
    pub last_name: Option<Cow<'a, str>>,
    /// Second name line.
    pub additional_embossing_name: Option<Cow<'a, str>>,
    /// Company.
    pub company_name: Option<Cow<'a, str>>,
    /// Additional fields 1 to 5.
    pub additional_fields: [Option<Cow<'a, str>>; 5],
    /// Which plastic layout; a code, so its case is kept.
    pub external_layout_code: Option<Cow<'a, str>>,
    /// Whether the layout puts a name on the plastic.
    named: bool,
}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines(***)")
    }
}

impl Lines<'_> {
    /// First and last name joined by a space; `None` on layouts without a name.
    pub fn name_line(&self) -> Option<String> {
        Some(format!("{} {}", self.first_name.as_deref()?, self.last_name.as_deref()?))
    }
}

/// The lines of a card after NFC and, where agreed, upper-casing; empty ones are absent. Checks nothing.
pub fn embossing_lines<'a>(card: &'a Card, terms: &Terms) -> Lines<'a> {
    let embossing = &card.embossing;
    let upper = terms.agreement.upper_case;
    let line =
        |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(|text| cased(text, upper));
    let external_layout_code = embossing.external_layout_code.as_deref().filter(|code| !code.is_empty()).map(nfc);
    let named = terms.layout(external_layout_code.as_deref()).is_none_or(|layout| layout.name);
    let name = |text: &'a Option<String>| if named { line(text) } else { None };
    Lines {
        first_name: name(&embossing.first_name),
        last_name: name(&embossing.last_name),
        additional_embossing_name: line(&embossing.additional_embossing_name),
        company_name: line(&embossing.company_name),
        additional_fields: [
            line(&embossing.additional_field1),
            line(&embossing.additional_field2),
            line(&embossing.additional_field3),
            line(&embossing.additional_field4),
            line(&embossing.additional_field5),
        ],
        external_layout_code,
        named,
    }
}

fn cased(text: &str, upper: bool) -> Cow<'_, str> {
    match nfc(text) {
        normal if !upper => normal,
        Cow::Borrowed(text) => upper_case(text),
        Cow::Owned(text) => Cow::Owned(upper_case(&text).into_owned()),
    }
}

/// R144, R90-R93: whether the lines may go onto a plastic; what merely looks odd becomes a warning.
pub(super) fn check(card: &Card, lines: &Lines<'_>, terms: &Terms, warnings: &mut Vec<Warning>) -> Result<(), Reason> {
    layout_known(lines, terms, warnings)?;
    name_present(card, lines)?;
    name_fits(lines, terms)?;
    let names = [
        ("firstName", &lines.first_name),
        ("lastName", &lines.last_name),
        ("additionalEmbossingName", &lines.additional_embossing_name),
        ("companyName", &lines.company_name),
    ];
    for (field, line) in names {
        line_fits(field, line.as_deref(), NAME_MAX, terms)?;
    }
    let layout = terms.layout(lines.external_layout_code.as_deref());
    let on_layout = layout.map_or(LINE_DEFAULT, |layout| layout.field_max);
    for (field, line) in ADDITIONAL_FIELDS.into_iter().zip(&lines.additional_fields) {
        let found = line_fits(field, line.as_deref(), FIELD_MAX, terms)?;
        if found > on_layout {
            let detail = format!("{field}: {found} characters, the layout's line has {on_layout}");
            warnings.push(Warning { code: WarningCode::FieldOverLayout, detail });
        }
    }
    Ok(())
}

const ADDITIONAL_FIELDS: [&str; 5] =
    ["additionalField1", "additionalField2", "additionalField3", "additionalField4", "additionalField5"];

/// R144 (LAYOUT_UNKNOWN), R91, and EN's pattern as a warning. A card without a code is not of an unknown layout.
fn layout_known(lines: &Lines<'_>, terms: &Terms, warnings: &mut Vec<Warning>) -> Result<(), Reason> {
    let Some(code) = lines.external_layout_code.as_deref() else { return Ok(()) };
    let found = length(code);
    if found > FIELD_MAX {
        return Err(too_long(ReasonCode::FieldTooLong, "externalLayoutCode", found, FIELD_MAX));
    }
    if let Some((position, c)) = first_not(code, xml_legal) {
        return Err(outside("externalLayoutCode", position, c));
    }
    if !terms.agreement.layouts.is_empty() && terms.layout(Some(code)).is_none() {
        return Err(ReasonCode::LayoutUnknown.because("externalLayoutCode: not a layout of the agreement"));
    }
    if let Some((position, c)) = first_not(code, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        let detail = format!("externalLayoutCode: position {position}, {}", code_point(c));
        warnings.push(Warning { code: WarningCode::LayoutCodePattern, detail });
    }
    Ok(())
}

/// R92: first and last name; on a layout without a name an additional field may carry the text instead.
fn name_present(card: &Card, lines: &Lines<'_>) -> Result<(), Reason> {
    let embossing = &card.embossing;
    let blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let missing = match (blank(&embossing.first_name), blank(&embossing.last_name)) {
        (false, false) => return Ok(()),
        _ if !lines.named && lines.additional_fields.iter().any(Option::is_some) => return Ok(()),
        (true, true) => "firstName and lastName",
        (true, false) => "firstName",
        (false, true) => "lastName",
    };
    Err(ReasonCode::NameMissing.because(format!("{missing}: missing")))
}

/// R90: each name, and both together, counted without the joining space unless the house counts it (A12).
fn name_fits(lines: &Lines<'_>, terms: &Terms) -> Result<(), Reason> {
    let count = |line: &Option<Cow<'_, str>>| line.as_deref().map_or(0, length);
    let (first, last) = (count(&lines.first_name), count(&lines.last_name));
    for (field, found) in [("firstName", first), ("lastName", last)] {
        if found > NAME_MAX {
            return Err(too_long(ReasonCode::NameTooLong, field, found, NAME_MAX));
        }
    }
    let counts_space = terms.manufacturer.count_name_space && lines.first_name.is_some() && lines.last_name.is_some();
    let (together, field) = if counts_space {
        (first + 1 + last, "firstName, space and lastName")
    } else {
        (first + last, "firstName and lastName")
    };
    if together > NAME_MAX {
        return Err(too_long(ReasonCode::NameTooLong, field, together, NAME_MAX));
    }
    Ok(())
}

/// R91 and R93 for one line; its length.
fn line_fits(field: &str, line: Option<&str>, most: usize, terms: &Terms) -> Result<usize, Reason> {
    let Some(line) = line else { return Ok(0) };
    let found = length(line);
    if found > most {
        return Err(too_long(ReasonCode::FieldTooLong, field, found, most));
    }
    match terms.agreement.character_set.first_outside(line) {
        None => Ok(found),
        Some((position, c)) => Err(outside(field, position, c)),
    }
}

fn too_long(code: ReasonCode, field: &str, found: usize, most: usize) -> Reason {
    code.because(format!("{field}: {found} characters, at most {most}"))
}

fn outside(field: &str, position: usize, c: char) -> Reason {
    ReasonCode::Charset.because(format!("{field}: position {position}, {}", code_point(c)))
}

/// R98: a product with a stripe or chip needs a name for it.
pub(super) fn check_stripe(card: &Card, product: &Product, warnings: &mut Vec<Warning>) -> Result<(), Reason> {
    if product.stripe.is_none() && product.chip.is_none() {
        return Ok(());
    }
    let embossing = &card.embossing;
    let name = stripe_name(
        embossing.first_name.as_deref(),
        embossing.last_name.as_deref(),
        embossing.company_name.as_deref(),
        embossing.additional_field1.as_deref(),
    );
    match name {
        Err(error) => Err(ReasonCode::NameMissing.because(error.to_string())),
        Ok(name) => {
            if name.shortened {
                warnings.push(Warning { code: WarningCode::Track1NameShortened, detail: String::new() });
            }
            Ok(())
        }
    }
}

/// R99: the pairs a version 2 record carries, NFC, in order; none in version 1.
pub fn additional_values(card: &Card, terms: &Terms) -> Vec<AdditionalValue> {
    carried(card, terms)
        .iter()
        .map(|pair| AdditionalValue { key: nfc(&pair.key).into_owned(), value: nfc(&pair.value).into_owned() })
        .collect()
}

fn carried<'a>(card: &'a Card, terms: &Terms) -> &'a [AdditionalValue] {
    match terms.agreement.version {
        FileVersion::V1 => &[],
        FileVersion::V2 => &card.additional_values,
    }
}

/// R99: at most 10 pairs, keys of 1 to 8 and values of 1 to 50 characters of their sets.
pub(super) fn check_values(card: &Card, terms: &Terms, warnings: &mut Vec<Warning>) -> Result<(), Reason> {
    let pairs = carried(card, terms);
    if pairs.len() > 10 {
        let detail = format!("additionalValues: {} pairs, at most 10", pairs.len());
        return Err(ReasonCode::AdditionalValueInvalid.because(detail));
    }
    for (index, pair) in pairs.iter().enumerate() {
        let number = index + 1;
        part_fits(number, "key", &pair.key, 8, key_allowed)?;
        part_fits(number, "value", &pair.value, 50, value_allowed)?;
        if pairs[..index].iter().any(|earlier| earlier.key == pair.key) {
            let detail = format!("pair {number} repeats a key");
            warnings.push(Warning { code: WarningCode::AdditionalValueDuplicate, detail });
        }
    }
    Ok(())
}

fn part_fits(number: usize, part: &str, text: &str, most: usize, allowed: fn(char) -> bool) -> Result<(), Reason> {
    let text = nfc(text);
    let found = length(&text);
    let wrong = if (1..=most).contains(&found) {
        first_not(&text, allowed).map(|(position, c)| format!("position {position}, {}", code_point(c)))
    } else {
        Some(format!("{found} characters, 1 to {most}"))
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(ReasonCode::AdditionalValueInvalid.because(format!("pair {number}, {part}: {wrong}"))),
    }
}

/// Fault 27: what else of the customer's stands in a record must be writable; version 1 carries none of it.
pub(super) fn check_customer(customer: &Customer, terms: &Terms) -> Result<(), Reason> {
    let version_2 = terms.agreement.version == FileVersion::V2;
    let phone = if terms.agreement.include_phone { customer.mobile_number.as_deref() } else { None };
    for (field, text) in [("customerNumber", Some(customer.customer_number.as_str())), ("phone", phone)] {
        if let Some((position, c)) = text.filter(|_| version_2).and_then(|text| first_not(text, xml_legal)) {
            return Err(outside(field, position, c));
        }
    }
    Ok(())
}
