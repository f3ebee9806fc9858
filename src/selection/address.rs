//! Where card and PIN go, and how: R80-R88.
//!
//! Invariants: an address is the whole object of one level, never merged and never cut (R82); an incomplete one does
//! not fall through to the next level (R86); what comes out is NFC. Reasons name field, level and code point, never
//! a line's content.

use chrono::{DateTime, NaiveDate, Utc};

use super::{CardDelivery, PinMailer, Reason, ReasonCode, Warning, WarningCode};
use crate::agreement::{Manufacturer, Terms};
use crate::card::characters::{code_point, length, nfc};
use crate::card::{Account, Address, AddressSource, Card, Customer, PinDeliveryType, Recipient};

/// Where the card goes (R80) and how (R87).
///
/// # Errors
/// ADDRESS_MISSING, ADDRESS_INCOMPLETE, ADDRESS_TOO_LONG, ADDRESS_CHARSET.
pub fn card_delivery(
    card: &Card,
    customer: &Customer,
    account: &Account,
    terms: &Terms,
    cut_off: DateTime<Utc>,
) -> Result<CardDelivery, Reason> {
    let kind = card.card_delivery_type.unwrap_or(terms.agreement.card_delivery_type);
    let (source, address) = first_level(card.card_address.as_ref(), customer, account, cut_off.date_naive())?;
    let address = deliverable(address, source, &terms.manufacturer)?;
    Ok(CardDelivery { kind, address, source })
}

/// Where the PIN letter goes (R81) and how (R87); `None` where the PIN is delivered electronically. Whether a letter
/// is wanted at all (R41) is decided with the PIN.
///
/// # Errors
/// As [`card_delivery`].
pub fn pin_delivery(
    card: &Card,
    customer: &Customer,
    account: &Account,
    terms: &Terms,
    cut_off: DateTime<Utc>,
) -> Result<Option<PinMailer>, Reason> {
    let kind = pin_delivery_type(card, terms);
    if kind == PinDeliveryType::Epin {
        return Ok(None);
    }
    let fallback = if terms.institution.pin_address_falls_back_to_card { card.card_address.as_ref() } else { None };
    let own = card.pin_address.as_ref().or(fallback);
    let (source, address) = first_level(own, customer, account, cut_off.date_naive())?;
    let address = deliverable(address, source, &terms.manufacturer)?;
    Ok(Some(PinMailer { kind, address, source }))
}

/// R87: the card's own type, else the agreement's.
pub fn pin_delivery_type(card: &Card, terms: &Terms) -> PinDeliveryType {
    card.pin_delivery_type.unwrap_or(terms.agreement.pin_delivery_type)
}

/// The names on carrier and letter, NFC, blank ones left out.
pub fn recipient(customer: &Customer) -> Recipient {
    let name = &customer.name;
    let optional = |text: &Option<String>| text.as_deref().filter(|text| !text.trim().is_empty()).map(normal);
    Recipient {
        salutation: optional(&name.salutation),
        first_name: normal(&name.first_name),
        middle_name: optional(&name.middle_name),
        last_name: normal(&name.last_name),
    }
}

/// The recipient is printed with the address, by the same printers: its letters are held to the same set (R88).
pub(super) fn recipient_printable(customer: &Customer, manufacturer: &Manufacturer) -> Result<(), Reason> {
    let name = &customer.name;
    for (field, text) in [
        ("salutation", name.salutation.as_deref()),
        ("firstName", Some(name.first_name.as_str())),
        ("middleName", name.middle_name.as_deref()),
        ("lastName", Some(name.last_name.as_str())),
    ] {
        if let Some((position, c)) = text.and_then(|text| manufacturer.address_characters.first_outside(&nfc(text))) {
            let detail = format!("recipient.{field}: position {position}, {}", code_point(c));
            return Err(ReasonCode::AddressCharset.because(detail));
        }
    }
    Ok(())
}

/// R84: a temporary address without an end is in force, and worth a look.
pub(super) fn open_ended(customer: &Customer, cut_off: DateTime<Utc>) -> Option<Warning> {
    let temporary = customer.temporary_address.as_ref()?;
    (temporary.valid_to.is_none() && temporary.in_force(cut_off.date_naive()))
        .then(|| Warning { code: WarningCode::TempAddressOpenEnded, detail: String::new() })
}

/// R80, R81, R85: the first level that has an address.
fn first_level<'a>(
    own: Option<&'a Address>,
    customer: &'a Customer,
    account: &'a Account,
    day: NaiveDate,
) -> Result<(AddressSource, &'a Address), Reason> {
    let temporary = customer.temporary_address.as_ref().filter(|temporary| temporary.in_force(day));
    if let Some(temporary) = temporary {
        return Ok((AddressSource::Temporary, &temporary.address));
    }
    if let Some(address) = own {
        return Ok((AddressSource::Card, address));
    }
    if let Some(address) = &account.address {
        return Ok((AddressSource::Account, address));
    }
    if customer.address.fields().next().is_some() {
        return Ok((AddressSource::Customer, &customer.address));
    }
    Err(ReasonCode::AddressMissing.into())
}

/// R86, R88 and the house's line length: the address in NFC, if it can be printed.
fn deliverable(address: &Address, source: AddressSource, house: &Manufacturer) -> Result<Address, Reason> {
    let normal = normal_address(address);
    if let Some(field) = normal.first_missing() {
        return Err(ReasonCode::AddressIncomplete.because(format!("{field}: missing, address of {source}")));
    }
    for (field, text) in normal.fields() {
        let most = house.address_line_max.unwrap_or(usize::MAX).min(longest(field));
        if length(text) > most {
            let detail = format!("{field}: {} characters, at most {most}, address of {source}", length(text));
            return Err(ReasonCode::AddressTooLong.because(detail));
        }
        if let Some((position, c)) = house.address_characters.first_outside(text) {
            let detail = format!("{field}: position {position}, {}, address of {source}", code_point(c));
            return Err(ReasonCode::AddressCharset.because(detail));
        }
    }
    Ok(normal)
}

/// What the file itself takes (embossing-file 3.4), whatever the house prints.
fn longest(field: &str) -> usize {
    match field {
        "zipCode" | "region" => 32,
        "country" => 3,
        _ => 255,
    }
}

fn normal_address(address: &Address) -> Address {
    // Spaces alone are no line, and no city either.
    let line = |text: &Option<String>| text.as_deref().filter(|text| !text.trim().is_empty()).map(normal);
    Address {
        address1: line(&address.address1),
        address2: line(&address.address2),
        address3: line(&address.address3),
        address4: line(&address.address4),
        city: line(&address.city),
        zip_code: line(&address.zip_code),
        country: line(&address.country),
        region: line(&address.region),
    }
}

fn normal(text: &str) -> String {
    nfc(text).into_owned()
}
