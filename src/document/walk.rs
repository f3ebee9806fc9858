//! The fields of header, record and trailer in the file's order (3.2, 3.3, 3.5), walked once for every format.
//!
//! Invariants: the order here is the order in the file; a field of version 2 is asked for only when version 2 is
//! written; what is absent or empty is left out, never written as an empty value. A format only knows how an object,
//! a list or a value looks, so that no format can have a field the other lacks.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::model::{ChipData, DeliveryBlock, EmbossingLines, Header, PinMailerBlock, Record, Trailer};
use crate::agreement::FileVersion;
use crate::card::{AdditionalValue, Address, AddressSource, Cvv, PinBlock, Recipient, Track};

/// The three parts with fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The header of a file of this version.
    Header(FileVersion),
    /// The record with this number.
    Record(u64),
    /// The trailer.
    Trailer,
}

/// What a format must be able to write. Names are given as JSON writes them.
pub(crate) trait Body {
    fn begin(&mut self, section: Section);
    fn end(&mut self, section: Section);
    fn open(&mut self, name: &'static str);
    fn close(&mut self, name: &'static str);
    fn open_list(&mut self, name: &'static str);
    fn close_list(&mut self, name: &'static str);
    fn open_item(&mut self, item: &'static str);
    fn close_item(&mut self, item: &'static str);
    /// Free text: checked and escaped.
    fn text(&mut self, name: &'static str, value: &str);
    /// Text that by its type is printable ASCII without markup: ids, words, digits.
    fn plain(&mut self, name: &'static str, value: impl Display);
    fn number(&mut self, name: &'static str, value: u64);
    fn flag(&mut self, name: &'static str, value: bool);
    /// Counts by key, in the map's order.
    fn counts(&mut self, name: &'static str, counts: &BTreeMap<String, u64>);
}

fn maybe<B: Body>(body: &mut B, name: &'static str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        body.text(name, value);
    }
}

fn maybe_plain<B: Body>(body: &mut B, name: &'static str, value: Option<impl Display>) {
    if let Some(value) = value {
        body.plain(name, value);
    }
}

pub(crate) fn header<B: Body>(body: &mut B, header: &Header) {
    const INSTANT: &str = "%Y-%m-%dT%H:%M:%SZ";
    body.begin(Section::Header(header.version));
    body.plain("environment", header.environment);
    body.plain("fileId", header.file_id);
    body.text("fileName", &header.file_name);
    body.number("sequenceNumber", header.sequence_number);
    maybe_plain(body, "previousFileId", header.previous_file_id);
    body.plain("fileType", header.file_type);
    maybe_plain(body, "resendOfFileId", header.resend_of_file_id);
    body.plain("runId", header.run_id);
    body.plain("createdAt", header.data_as_of.format(INSTANT));
    body.plain("dataAsOf", header.data_as_of.format(INSTANT));
    body.plain("cutOff", header.cut_off.format(INSTANT));
    body.open("institution");
    body.plain("id", &header.institution.id);
    maybe(body, "name", header.institution.name.as_deref());
    body.close("institution");
    body.plain("manufacturer", &header.manufacturer);
    pin_keys(body, header);
    body.open("totals");
    body.number("numberOfRecords", header.number_of_records);
    body.close("totals");
    body.end(Section::Header(header.version));
}

fn pin_keys<B: Body>(body: &mut B, header: &Header) {
    if header.pin_keys.is_empty() {
        return;
    }
    body.open_list("pinKeys");
    for key in &header.pin_keys {
        body.open_item("pinKey");
        body.text("keyId", &key.key_id);
        body.text("algorithm", &key.algorithm);
        body.text("kcv", &key.kcv);
        body.close_item("pinKey");
    }
    body.close_list("pinKeys");
}

pub(crate) fn record<B: Body>(body: &mut B, record: &Record, version: FileVersion) {
    body.begin(Section::Record(record.record_number));
    order(body, record, version);
    plastic(body, record);
    maybe(body, "externalLayoutCode", record.external_layout_code.as_deref());
    maybe_plain(body, "segment", record.segment);
    if version == FileVersion::V2 {
        additional_values(body, &record.additional_values);
    }
    if let Some(block) = &record.card_delivery {
        card_delivery(body, block, version);
    }
    body.text("locale", &record.locale);
    if version == FileVersion::V2 {
        mounting(body, record);
    }
    if let Some(block) = &record.chip_pin {
        body.open("chipPin");
        pin_block(body, block);
        body.close("chipPin");
    }
    if let Some(block) = &record.pin_mailer {
        pin_mailer(body, block, version);
    }
    body.end(Section::Record(record.record_number));
}

fn order<B: Body>(body: &mut B, record: &Record, version: FileVersion) {
    body.plain("recordUid", record.record_uid);
    body.plain("recordType", record.record_type);
    body.plain("productionEvent", record.production_event);
    if version == FileVersion::V2 {
        maybe_plain(body, "productionReason", record.production_event.reason());
    }
    body.flag("reproduction", record.reproduction);
    body.plain("cardId", record.card_id);
    body.plain("plasticId", record.plastic_id);
    maybe_plain(body, "customerId", record.customer_id);
    maybe_plain(body, "accountId", record.account_id);
    if version == FileVersion::V2 {
        maybe(body, "customerNumber", record.customer_number.as_deref());
    }
    body.plain("cardRole", record.card_role);
    maybe(body, "productCode", record.product_code.as_deref());
    body.plain("scheme", record.scheme);
}

fn plastic<B: Body>(body: &mut B, record: &Record) {
    body.text("pan", record.pan.expose());
    body.text("panMasked", &record.pan_masked);
    body.plain("sequenceNumber", format_args!("{:02}", record.sequence_number));
    body.plain("expiry", record.expiry);
    maybe_plain(body, "validFrom", record.valid_from);
    maybe(body, "serviceCode", record.service_code.as_deref());
    maybe(body, "cvv2", record.cvv2.as_ref().map(Cvv::expose));
    maybe(body, "track1", record.track1.as_ref().map(Track::expose));
    maybe(body, "track2", record.track2.as_ref().map(Track::expose));
    if let Some(data) = &record.chip {
        chip(body, data);
    }
    if let Some(lines) = &record.embossing {
        embossing(body, lines);
    }
}

fn chip<B: Body>(body: &mut B, data: &ChipData) {
    body.open("chip");
    body.text("track1", data.track1.expose());
    body.text("track2", data.track2.expose());
    body.text("name", &data.name);
    body.close("chip");
}

fn embossing<B: Body>(body: &mut B, lines: &EmbossingLines) {
    const FIELDS: [&str; 5] =
        ["additionalField1", "additionalField2", "additionalField3", "additionalField4", "additionalField5"];
    body.open("embossing");
    maybe(body, "firstName", lines.first_name.as_deref());
    maybe(body, "lastName", lines.last_name.as_deref());
    maybe(body, "nameLine", lines.name_line.as_deref());
    maybe(body, "additionalEmbossingName", lines.additional_embossing_name.as_deref());
    maybe(body, "companyName", lines.company_name.as_deref());
    for (name, line) in FIELDS.into_iter().zip(&lines.additional_fields) {
        maybe(body, name, line.as_deref());
    }
    body.plain("characterSet", lines.character_set);
    body.close("embossing");
}

fn additional_values<B: Body>(body: &mut B, pairs: &[AdditionalValue]) {
    if pairs.is_empty() {
        return;
    }
    body.open_list("additionalValues");
    for pair in pairs {
        body.open_item("additionalValue");
        body.text("key", &pair.key);
        body.text("value", &pair.value);
        body.close_item("additionalValue");
    }
    body.close_list("additionalValues");
}

fn card_delivery<B: Body>(body: &mut B, block: &DeliveryBlock, version: FileVersion) {
    body.open("cardDelivery");
    body.plain("type", block.kind);
    destination(body, block.recipient.as_ref(), &block.address, block.address_source, version);
    if version == FileVersion::V2 {
        maybe(body, "phone", block.phone.as_deref());
    }
    body.close("cardDelivery");
}

fn pin_mailer<B: Body>(body: &mut B, block: &PinMailerBlock, version: FileVersion) {
    body.open("pinMailer");
    body.plain("deliveryType", block.delivery_type);
    destination(body, block.recipient.as_ref(), &block.address, block.address_source, version);
    pin_block(body, &block.pin_block);
    body.close("pinMailer");
}

fn destination<B: Body>(
    body: &mut B,
    recipient: Option<&Recipient>,
    address: &Address,
    source: Option<AddressSource>,
    version: FileVersion,
) {
    if let Some(recipient) = recipient {
        body.open("recipient");
        maybe(body, "salutation", recipient.salutation.as_deref());
        maybe(body, "firstName", Some(&recipient.first_name));
        maybe(body, "middleName", recipient.middle_name.as_deref());
        maybe(body, "lastName", Some(&recipient.last_name));
        body.close("recipient");
    }
    body.open("address");
    for (name, line) in address.fields() {
        maybe(body, name, Some(line));
    }
    body.close("address");
    if version == FileVersion::V2 {
        maybe_plain(body, "addressSource", source);
    }
}

fn mounting<B: Body>(body: &mut B, record: &Record) {
    if let Some(code) = record.bulk_code.as_deref().filter(|code| !code.is_empty()) {
        body.open("bulk");
        body.text("code", code);
        body.close("bulk");
    }
    if let Some(carrier) = record.carrier.as_ref().filter(|carrier| carrier.kind.is_some() || carrier.logo.is_some()) {
        body.open("carrier");
        maybe(body, "type", carrier.kind.as_deref());
        maybe(body, "logo", carrier.logo.as_deref());
        body.close("carrier");
    }
}

fn pin_block<B: Body>(body: &mut B, block: &PinBlock) {
    body.open("pinBlock");
    body.plain("format", block.format);
    body.text("keyId", &block.key_id);
    body.text("value", block.value.expose());
    body.close("pinBlock");
}

pub(crate) fn trailer<B: Body>(body: &mut B, trailer: &Trailer) {
    body.begin(Section::Trailer);
    body.number("numberOfRecords", trailer.number_of_records);
    body.number("numberOfCards", trailer.number_of_cards);
    body.number("numberOfPinOnly", trailer.number_of_pin_only);
    body.number("numberOfPinMailers", trailer.number_of_pin_mailers);
    body.number("numberOfCarriers", trailer.number_of_carriers);
    body.number("numberOfLayouts", trailer.number_of_layouts);
    for (name, counts) in [
        ("byProductionEvent", &trailer.by_production_event),
        ("byLayout", &trailer.by_layout),
        ("byCardDeliveryType", &trailer.by_card_delivery_type),
    ] {
        if !counts.is_empty() {
            body.counts(name, counts);
        }
    }
    body.text("panHashTotal", &trailer.pan_hash_total);
    body.text("recordsSha256", &trailer.records_sha256);
    body.end(Section::Trailer);
}
