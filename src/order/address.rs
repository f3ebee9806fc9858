//! Addresses as orders give them (embossing-file 3.4): limits and countries; what is missing is held at the claim (R86).

use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::instant::parse_day;
use super::text::{Form, TextRule};
use crate::card::country::is_country;
use crate::card::{Address, TemporaryAddress};

const LINE: TextRule = TextRule::free(1, 255);
const ZIP_CODE: TextRule = TextRule::free(1, 32);
const REGION: TextRule = TextRule::free(1, 32);
const COUNTRY: TextRule =
    TextRule { min: 1, max: 3, form: Form::Listed(is_country, "a country of ISO 3166-1 alpha-3, QZZ or ROM") };

/// The address object in `field`.
///
/// # Errors
/// The first field that is not as it must be.
pub fn read_address(from: &mut Fields, field: &str) -> Result<Option<Address>, Refusal> {
    let Some(mut fields) = from.object(field)? else { return Ok(None) };
    let address = read_lines(&mut fields)?;
    fields.end()?;
    Ok(Some(address))
}

/// The temporary address in `field`: an address with `validFrom` and `validTo`, days inclusive (R84).
///
/// # Errors
/// The first field that is not as it must be, and a period that ends before it begins.
pub fn read_temporary_address(from: &mut Fields, field: &str) -> Result<Option<TemporaryAddress>, Refusal> {
    let Some(mut fields) = from.object(field)? else { return Ok(None) };
    let address = read_lines(&mut fields)?;
    let valid_from = read_day(&mut fields, "validFrom")?;
    let valid_to = read_day(&mut fields, "validTo")?;
    if valid_from.zip(valid_to).is_some_and(|(from, to)| to < from) {
        return fields.refuse("validTo", ErrorCode::FieldValue, "is before validFrom");
    }
    fields.end()?;
    Ok(Some(TemporaryAddress { address, valid_from, valid_to }))
}

/// A day, `YYYY-MM-DD`.
///
/// # Errors
/// FIELD_TYPE or FIELD_PATTERN.
pub fn read_day(from: &mut Fields, field: &str) -> Result<Option<chrono::NaiveDate>, Refusal> {
    let Some(text) = from.string(field)? else { return Ok(None) };
    match parse_day(&text) {
        Some(day) => Ok(Some(day)),
        None => from.refuse(field, ErrorCode::FieldPattern, "must be a day, YYYY-MM-DD"),
    }
}

fn read_lines(fields: &mut Fields) -> Result<Address, Refusal> {
    let zip_code = fields.string_or_number("zipCode")?;
    Ok(Address {
        address1: fields.text("address1", &LINE)?,
        address2: fields.text("address2", &LINE)?,
        address3: fields.text("address3", &LINE)?,
        address4: fields.text("address4", &LINE)?,
        city: fields.text("city", &LINE)?,
        zip_code: zip_code.map(|text| ZIP_CODE.check(&fields.name("zipCode"), &text)).transpose()?,
        country: fields.text("country", &COUNTRY)?,
        region: fields.text("region", &REGION)?,
    })
}
