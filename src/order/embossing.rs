//! The embossing object (S2): line limits, the combined name, the wider character set.
//!
//! Not refused here but held at the claim: missing names (R92), the agreement's own character set (R93), an unknown or
//! malformed manufacturer (R8; S2's pattern is not anchored and so takes almost anything, trap T4).

use super::error::{ErrorCode, Refusal};
use super::fields::Fields;
use super::text::TextRule;
use crate::card::Embossing;
use crate::card::characters::length;
use crate::card::secret::masked_debug;

/// The longest name, first and last together, without the space between (R90).
pub const MAX_NAME: usize = 26;

const LINE_26: TextRule = TextRule::embossed(26);
const LINE_32: TextRule = TextRule::embossed(32);
const LAYOUT: TextRule = TextRule::free(0, 32);
/// Far over the 32 of the pattern: a wrong code is held, MANUFACTURER_INVALID, and must be kept for that.
const MANUFACTURER: TextRule = TextRule::free(0, 255);

/// The embossing fields an order names; an empty line removes what stood there.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EmbossingChange(Embossing);

masked_debug!(EmbossingChange);

impl EmbossingChange {
    /// Reads the `embossing` object of a body.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(body: &mut Fields) -> Result<Option<Self>, Refusal> {
        let Some(mut fields) = body.object("embossing")? else { return Ok(None) };
        let embossing = Embossing {
            first_name: fields.text("firstName", &LINE_26)?,
            last_name: fields.text("lastName", &LINE_26)?,
            additional_embossing_name: fields.text("additionalEmbossingName", &LINE_26)?,
            company_name: fields.text("companyName", &LINE_26)?,
            additional_field1: fields.text("additionalField1", &LINE_32)?,
            additional_field2: fields.text("additionalField2", &LINE_32)?,
            additional_field3: fields.text("additionalField3", &LINE_32)?,
            additional_field4: fields.text("additionalField4", &LINE_32)?,
            additional_field5: fields.text("additionalField5", &LINE_32)?,
            external_layout_code: fields.text("externalLayoutCode", &LAYOUT)?,
            manufacturer: fields.text("manufacturer", &MANUFACTURER)?,
            physical: fields.boolean("physical")?,
        };
        fields.end()?;
        check_name(&embossing)?;
        Ok(Some(Self(embossing)))
    }

    /// Whether the order asks for a plastic, or for none.
    pub fn physical(&self) -> Option<bool> {
        self.0.physical
    }

    /// The embossing object with these values in it.
    ///
    /// # Errors
    /// NAME_TOO_LONG where a new first name does not fit the last name that was there (R90), or the reverse.
    pub fn apply(&self, to: &Embossing) -> Result<Embossing, Refusal> {
        let Self(new) = self;
        let merged = Embossing {
            first_name: merge(&new.first_name, &to.first_name),
            last_name: merge(&new.last_name, &to.last_name),
            additional_embossing_name: merge(&new.additional_embossing_name, &to.additional_embossing_name),
            company_name: merge(&new.company_name, &to.company_name),
            additional_field1: merge(&new.additional_field1, &to.additional_field1),
            additional_field2: merge(&new.additional_field2, &to.additional_field2),
            additional_field3: merge(&new.additional_field3, &to.additional_field3),
            additional_field4: merge(&new.additional_field4, &to.additional_field4),
            additional_field5: merge(&new.additional_field5, &to.additional_field5),
            external_layout_code: merge(&new.external_layout_code, &to.external_layout_code),
            manufacturer: merge(&new.manufacturer, &to.manufacturer),
            physical: new.physical.or(to.physical),
        };
        check_name(&merged)?;
        Ok(merged)
    }
}

fn merge(new: &Option<String>, old: &Option<String>) -> Option<String> {
    new.as_ref().or(old.as_ref()).filter(|text| !text.is_empty()).cloned()
}

fn check_name(embossing: &Embossing) -> Result<(), Refusal> {
    let count = |name: &Option<String>| name.as_deref().map_or(0, length);
    let together = count(&embossing.first_name) + count(&embossing.last_name);
    if together <= MAX_NAME {
        return Ok(());
    }
    Err(ErrorCode::NameTooLong.because(format!(
        "body.embossing.firstName and lastName have {together} characters together, at most {MAX_NAME} are allowed"
    )))
}
