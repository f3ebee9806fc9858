//! Makes header, record and trailer from a checked tree.
//!
//! The tables have been checked before, so what can still fail is what a pattern cannot say: a check digit, a day
//! that does not exist, an id of zeros.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::checks;
use crate::agreement::{Carrier, FileFormat, FileVersion};
use crate::card::{AdditionalValue, Address, Cvv, Pan, PinBlock, Recipient, SecretHex, Track};
use crate::document::model::{
    ChipData, DeliveryBlock, EmbossingLines, Header, InstitutionRef, PinKeyRef, PinMailerBlock, Record, Trailer,
};
use crate::document::tree::{Fields, Node};

/// A field that cannot be a value of the model.
pub(super) struct Fault {
    pub(super) field: String,
    pub(super) fault: &'static str,
}

/// An object of the tree and where it lies.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    fields: &'a Fields,
    path: &'static str,
}

impl<'a> Object<'a> {
    pub(super) fn new(fields: &'a Fields) -> Self {
        Self { fields, path: "" }
    }

    fn fault(&self, name: &str, fault: &'static str) -> Fault {
        let dot = if self.path.is_empty() { "" } else { "." };
        Fault { field: format!("{}{dot}{name}", self.path), fault }
    }

    fn find(&self, name: &str) -> Option<&'a Node> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, node)| node)
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        match self.find(name)? {
            Node::Text(text) | Node::Raw(text) => Some(text),
            _ => None,
        }
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn may<T: FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        let parse = |text: &str| text.parse().map_err(|_| self.fault(name, "has no meaning in this file"));
        self.text(name).map(parse).transpose()
    }

    fn must<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        self.may(name)?.ok_or_else(|| self.fault(name, "is missing"))
    }

    fn number(&self, name: &str) -> Result<u64, Fault> {
        self.find(name).and_then(checks::number).ok_or_else(|| self.fault(name, "must be a whole number"))
    }

    fn object(&self, name: &'static str) -> Option<Object<'a>> {
        match self.find(name)? {
            Node::Object(fields) => Some(Object { fields, path: name }),
            _ => None,
        }
    }

    fn need(&self, name: &'static str) -> Result<Object<'a>, Fault> {
        self.object(name).ok_or_else(|| self.fault(name, "is missing"))
    }

    fn list(&self, name: &'static str) -> impl Iterator<Item = Object<'a>> + use<'a> {
        let items = match self.find(name) {
            Some(Node::List(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().filter_map(move |item| match item {
            Node::Object(fields) => Some(Object { fields, path: name }),
            _ => None,
        })
    }

    fn counts(&self, name: &'static str) -> BTreeMap<String, u64> {
        let Some(object) = self.object(name) else { return BTreeMap::new() };
        object.fields.iter().filter_map(|(key, count)| Some((key.clone(), checks::number(count)?))).collect()
    }
}

pub(super) fn header(from: Object<'_>, format: FileFormat, version: FileVersion) -> Result<Header, Fault> {
    let institution = from.need("institution")?;
    Ok(Header {
        format,
        version,
        environment: from.must("environment")?,
        file_id: from.must("fileId")?,
        file_name: from.must("fileName")?,
        sequence_number: from.number("sequenceNumber")?,
        previous_file_id: from.may("previousFileId")?,
        file_type: from.must("fileType")?,
        resend_of_file_id: from.may("resendOfFileId")?,
        run_id: from.must("runId")?,
        data_as_of: from.must("dataAsOf")?,
        cut_off: from.must("cutOff")?,
        institution: InstitutionRef { id: institution.must("id")?, name: institution.owned("name") },
        manufacturer: from.must("manufacturer")?,
        pin_keys: from.list("pinKeys").map(pin_key).collect::<Result<_, _>>()?,
        number_of_records: from.need("totals")?.number("numberOfRecords")?,
    })
}

fn pin_key(from: Object<'_>) -> Result<PinKeyRef, Fault> {
    Ok(PinKeyRef { key_id: from.must("keyId")?, algorithm: from.must("algorithm")?, kcv: from.must("kcv")? })
}

pub(super) fn record(from: Object<'_>) -> Result<Record, Fault> {
    let digits = from.text("pan").unwrap_or_default();
    let chip_pin = from.object("chipPin").and_then(|chip| chip.object("pinBlock"));
    Ok(Record {
        record_number: from.number("recordNumber")?,
        record_uid: from.must("recordUid")?,
        record_type: from.must("recordType")?,
        production_event: from.must("productionEvent")?,
        reproduction: from
            .find("reproduction")
            .and_then(checks::flag)
            .ok_or_else(|| from.fault("reproduction", "must be true or false"))?,
        card_id: from.must("cardId")?,
        plastic_id: from.must("plasticId")?,
        customer_id: from.may("customerId")?,
        account_id: from.may("accountId")?,
        customer_number: from.owned("customerNumber"),
        card_role: from.must("cardRole")?,
        product_code: from.owned("productCode"),
        scheme: from.must("scheme")?,
        pan: Pan::parse(digits).map_err(|_| from.fault("pan", "has a wrong check digit"))?,
        pan_masked: from.must("panMasked")?,
        sequence_number: from.must("sequenceNumber")?,
        expiry: from.must("expiry")?,
        valid_from: from.may("validFrom")?,
        service_code: from.owned("serviceCode"),
        cvv2: from.text("cvv2").map(Cvv::new),
        track1: from.text("track1").map(Track::new),
        track2: from.text("track2").map(Track::new),
        chip: from.object("chip").map(chip).transpose()?,
        embossing: from.object("embossing").map(embossing).transpose()?,
        external_layout_code: from.owned("externalLayoutCode"),
        segment: from.may("segment")?,
        additional_values: from.list("additionalValues").map(additional_value).collect::<Result<_, _>>()?,
        card_delivery: from.object("cardDelivery").map(card_delivery).transpose()?,
        locale: from.must("locale")?,
        bulk_code: from.object("bulk").and_then(|bulk| bulk.owned("code")),
        carrier: from
            .object("carrier")
            .map(|carrier| Carrier { kind: carrier.owned("type"), logo: carrier.owned("logo") }),
        chip_pin: chip_pin.map(pin_block).transpose()?,
        pin_mailer: from.object("pinMailer").map(pin_mailer).transpose()?,
    })
}

fn chip(from: Object<'_>) -> Result<ChipData, Fault> {
    let track = |name| from.text(name).map(Track::new).ok_or_else(|| from.fault(name, "is missing"));
    Ok(ChipData { track1: track("track1")?, track2: track("track2")?, name: from.must("name")? })
}

fn embossing(from: Object<'_>) -> Result<EmbossingLines, Fault> {
    Ok(EmbossingLines {
        first_name: from.owned("firstName"),
        last_name: from.owned("lastName"),
        name_line: from.owned("nameLine"),
        additional_embossing_name: from.owned("additionalEmbossingName"),
        company_name: from.owned("companyName"),
        additional_fields: [1, 2, 3, 4, 5].map(|number| from.owned(&format!("additionalField{number}"))),
        character_set: from.must("characterSet")?,
    })
}

fn additional_value(from: Object<'_>) -> Result<AdditionalValue, Fault> {
    Ok(AdditionalValue { key: from.must("key")?, value: from.must("value")? })
}

fn card_delivery(from: Object<'_>) -> Result<DeliveryBlock, Fault> {
    Ok(DeliveryBlock {
        kind: from.must("type")?,
        recipient: from.object("recipient").map(recipient).transpose()?,
        address: address(from.need("address")?),
        address_source: from.may("addressSource")?,
        phone: from.owned("phone"),
    })
}

fn pin_mailer(from: Object<'_>) -> Result<PinMailerBlock, Fault> {
    Ok(PinMailerBlock {
        delivery_type: from.must("deliveryType")?,
        recipient: from.object("recipient").map(recipient).transpose()?,
        address: address(from.need("address")?),
        address_source: from.may("addressSource")?,
        pin_block: pin_block(from.need("pinBlock")?)?,
    })
}

fn recipient(from: Object<'_>) -> Result<Recipient, Fault> {
    Ok(Recipient {
        salutation: from.owned("salutation"),
        first_name: from.must("firstName")?,
        middle_name: from.owned("middleName"),
        last_name: from.must("lastName")?,
    })
}

fn address(from: Object<'_>) -> Address {
    Address {
        address1: from.owned("address1"),
        address2: from.owned("address2"),
        address3: from.owned("address3"),
        address4: from.owned("address4"),
        city: from.owned("city"),
        zip_code: from.owned("zipCode"),
        country: from.owned("country"),
        region: from.owned("region"),
    }
}

fn pin_block(from: Object<'_>) -> Result<PinBlock, Fault> {
    Ok(PinBlock {
        format: from.must("format")?,
        key_id: from.must("keyId")?,
        value: SecretHex::new(from.text("value").unwrap_or_default()),
    })
}

pub(super) fn trailer(from: Object<'_>) -> Result<Trailer, Fault> {
    Ok(Trailer {
        number_of_records: from.number("numberOfRecords")?,
        number_of_cards: from.number("numberOfCards")?,
        number_of_pin_only: from.number("numberOfPinOnly")?,
        number_of_pin_mailers: from.number("numberOfPinMailers")?,
        number_of_carriers: from.number("numberOfCarriers")?,
        number_of_layouts: from.number("numberOfLayouts")?,
        by_production_event: from.counts("byProductionEvent"),
        by_layout: from.counts("byLayout"),
        by_card_delivery_type: from.counts("byCardDeliveryType"),
        pan_hash_total: from.must("panHashTotal")?,
        records_sha256: from.must("recordsSha256")?,
    })
}
