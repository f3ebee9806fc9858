//! createCustomer (S3) and updateCustomer (S4 "change the customer's contact details").
//!
//! What never reaches a file is validated and not kept: e-mail, regNo, dateOfBirth, nationality, screening.

use super::address::{read_address, read_day, read_temporary_address};
use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::json::Json;
use super::text::{Form, TextRule};
use crate::card::country::is_country;
use crate::card::locale::is_locale;
use crate::card::secret::masked_debug;
use crate::card::{Address, Customer, CustomerId, Recipient, TemporaryAddress};

/// createCustomer.
#[derive(Clone, PartialEq, Eq)]
pub struct CreateCustomer {
    /// The id the card platform gave it; assigned where absent.
    pub customer_id: Option<CustomerId>,
    /// Its content.
    pub customer: Customer,
}

/// updateCustomer: what is `None` stays as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct UpdateCustomer {
    /// Which.
    pub customer_id: CustomerId,
    /// The new values.
    pub change: CustomerChange,
}

/// The fields of a customer that an order names.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CustomerChange {
    customer_number: Option<String>,
    locale: Option<String>,
    salutation: Option<String>,
    first_name: Option<String>,
    middle_name: Option<String>,
    last_name: Option<String>,
    address: Option<Address>,
    temporary_address: Option<TemporaryAddress>,
    phone_number: Option<String>,
    mobile_number: Option<String>,
}

masked_debug!(CreateCustomer, UpdateCustomer, CustomerChange);

/// S3 gives names no length; this is the one of address lines.
const NAME: TextRule = TextRule::free(1, 255);
const CUSTOMER_NUMBER: TextRule = TextRule::class(1, 32, |c| c.is_ascii_alphanumeric(), "[A-Za-z0-9]");
const LOCALE: TextRule = TextRule { min: 1, max: 6, form: Form::Listed(is_locale, "a locale of the API's list") };
const PHONE: TextRule = TextRule { min: 2, max: 16, form: Form::Pattern(is_phone, "[+][0-9]{1,15}") };
const EMAIL: TextRule = TextRule { min: 3, max: 254, form: Form::Pattern(is_email, "name@domain") };
const REG_NO: TextRule = TextRule::free(1, 255);
const MAX_NATIONALITIES: usize = 300;

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_email(text: &str) -> bool {
    let halves = text.split_once('@');
    halves.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && !text.contains(char::is_whitespace)
}

impl CreateCustomer {
    /// Reads the body.
    ///
    /// # Errors
    /// The first field that is missing or not as it must be.
    pub fn read(customer_id: Option<CustomerId>, mut body: Fields) -> Result<Self, Refusal> {
        let change = CustomerChange::read(&mut body)?;
        let reg_no = body.text("regNo", &REG_NO)?;
        body.required("regNo", reg_no)?;
        let customer = Customer {
            customer_number: body.required("customerNumber", change.customer_number)?,
            locale: body.required("locale", change.locale)?,
            name: Recipient {
                salutation: change.salutation,
                first_name: body.required("firstName", change.first_name)?,
                middle_name: change.middle_name,
                last_name: body.required("lastName", change.last_name)?,
            },
            address: body.required("address", change.address)?,
            temporary_address: change.temporary_address,
            phone_number: change.phone_number,
            mobile_number: change.mobile_number,
        };
        body.end()?;
        Ok(Self { customer_id, customer })
    }
}

impl UpdateCustomer {
    /// Reads the body; every field may be absent.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(customer_id: CustomerId, mut body: Fields) -> Result<Self, Refusal> {
        let change = CustomerChange::read(&mut body)?;
        body.text("regNo", &REG_NO)?;
        body.end()?;
        Ok(Self { customer_id, change })
    }
}

impl CustomerChange {
    fn read(body: &mut Fields) -> Result<Self, Refusal> {
        let change = Self {
            customer_number: body.text("customerNumber", &CUSTOMER_NUMBER)?,
            locale: body.text("locale", &LOCALE)?,
            salutation: body.text("salutation", &NAME)?,
            first_name: body.text("firstName", &NAME)?,
            middle_name: body.text("middleName", &NAME)?,
            last_name: body.text("lastName", &NAME)?,
            address: read_address(body, "address")?,
            temporary_address: read_temporary_address(body, "temporaryAddress")?,
            phone_number: body.text("phoneNumber", &PHONE)?,
            mobile_number: body.text("mobileNumber", &PHONE)?,
        };
        check_what_is_not_kept(body)?;
        Ok(change)
    }

    /// The customer with these values; an address object replaces the whole one (R82).
    #[must_use]
    pub fn apply(&self, to: &Customer) -> Customer {
        let mut new = to.clone();
        set(&mut new.customer_number, &self.customer_number);
        set(&mut new.locale, &self.locale);
        set(&mut new.name.first_name, &self.first_name);
        set(&mut new.name.last_name, &self.last_name);
        set(&mut new.address, &self.address);
        new.name.salutation = self.salutation.clone().or(new.name.salutation);
        new.name.middle_name = self.middle_name.clone().or(new.name.middle_name);
        new.temporary_address = self.temporary_address.clone().or(new.temporary_address);
        new.phone_number = self.phone_number.clone().or(new.phone_number);
        new.mobile_number = self.mobile_number.clone().or(new.mobile_number);
        new
    }
}

fn set<T: Clone>(field: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

fn check_what_is_not_kept(body: &mut Fields) -> Result<(), Refusal> {
    body.text("email", &EMAIL)?;
    read_day(body, "dateOfBirth")?;
    // S3 does not say what stands in it, and nothing here uses it.
    body.object("screening")?;
    for nationality in body.list("nationality", MAX_NATIONALITIES)?.unwrap_or_default() {
        match nationality {
            Json::Text(code) if is_country(&code) => {}
            Json::Text(_) => {
                return body.refuse(
                    "nationality",
                    ErrorCode::FieldValue,
                    "must list countries of ISO 3166-1 alpha-3, QZZ or ROM",
                );
            }
            _ => return body.refuse("nationality", ErrorCode::FieldType, "must be a list of strings"),
        }
    }
    Ok(())
}
