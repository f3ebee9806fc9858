//! What fields have to do with each other: within a record, between records, and with header and trailer.
//!
//! A table cannot say these, and of the schemas only some can.

use super::build::Object;
use crate::agreement::FileVersion;
use crate::card::characters::length;
use crate::card::{PanMask, PinBlock, PinBlockFormat, ProductionEvent, ProductionReason, Track};
use crate::document::model::{EmbossingLines, FileType, Header, Record, RecordType, Trailer};
use crate::document::name::FileName;

/// Field and fault.
pub(super) type Faults = Vec<(&'static str, &'static str)>;

/// Adds `fault` where the condition does not hold.
fn expect(faults: &mut Faults, holds: bool, field: &'static str, fault: &'static str) {
    if !holds {
        faults.push((field, fault));
    }
}

/// The header with itself and with its name.
pub(super) fn header(header: &Header, tree: Object<'_>) -> Faults {
    let mut faults = Faults::new();
    let named = header.file_name.parse::<FileName>().ok();
    expect(&mut faults, named.as_ref() == Some(&FileName::of(header)), "fileName", "is not the name of this content");
    let same = tree.text("createdAt") == tree.text("dataAsOf");
    expect(&mut faults, same, "createdAt", "differs from dataAsOf");
    let duplicate = header.file_type == FileType::Duplicate;
    let fault = "must stand in a file of type DUPLICATE and in no other";
    expect(&mut faults, header.resend_of_file_id.is_some() == duplicate, "resendOfFileId", fault);
    faults
}

/// A record with itself and with the header.
pub(super) fn record(record: &Record, header: &Header, tree: Object<'_>) -> Faults {
    let mut faults = Faults::new();
    let reason = record.production_event.reason().map(ProductionReason::as_str);
    let reason_fits = header.version == FileVersion::V1 || tree.text("productionReason") == reason;
    expect(&mut faults, reason_fits, "productionReason", "is not the reason of this production event");
    let masks = [PanMask::SixFour, PanMask::EightFour].map(|mask| record.pan.masked(mask));
    expect(&mut faults, masks.contains(&record.pan_masked), "panMasked", "is not this card number");
    match record.record_type {
        RecordType::Card => card(&mut faults, record),
        RecordType::PinOnly => pin_only(&mut faults, record),
    }
    stripe_and_chip(&mut faults, record);
    if let Some(lines) = &record.embossing {
        names(&mut faults, lines);
    }
    pin_blocks(&mut faults, record, header);
    faults
}

fn card(faults: &mut Faults, record: &Record) {
    const MISSING: &str = "is missing, which a record of type CARD must have";
    expect(faults, record.service_code.is_some(), "serviceCode", MISSING);
    expect(faults, record.cvv2.is_some(), "cvv2", MISSING);
    expect(faults, record.embossing.is_some(), "embossing", MISSING);
    expect(faults, record.card_delivery.is_some(), "cardDelivery", MISSING);
    let event = record.production_event != ProductionEvent::Ropin;
    expect(faults, event, "productionEvent", "is ROPIN, which makes no card");
}

fn pin_only(faults: &mut Faults, record: &Record) {
    const STRANGE: &str = "stands in a record of type PIN_ONLY";
    for (field, absent) in [
        ("serviceCode", record.service_code.is_none()),
        ("cvv2", record.cvv2.is_none()),
        ("track1", record.track1.is_none()),
        ("track2", record.track2.is_none()),
        ("chip", record.chip.is_none()),
        ("embossing", record.embossing.is_none()),
        ("cardDelivery", record.card_delivery.is_none()),
    ] {
        expect(faults, absent, field, STRANGE);
    }
    expect(faults, record.pin_mailer.is_some(), "pinMailer", "is missing in a record of type PIN_ONLY");
    let event = record.production_event == ProductionEvent::Ropin;
    expect(faults, event, "productionEvent", "must be ROPIN in a record of type PIN_ONLY");
}

/// R98: both tracks carry this PAN and expiry, and stripe and chip the same name.
fn stripe_and_chip(faults: &mut Faults, record: &Record) {
    const OTHER: &str = "is of another card number, expiry or service code";
    let pan = record.pan.expose();
    let dated = record.expiry.yymm() + record.service_code.as_deref().unwrap_or_default();
    let first = |track: &str| {
        track.get(1..17) == Some(pan) && track.rsplit('^').next().is_some_and(|rest| rest.starts_with(&dated))
    };
    let second = |track: &str| track.get(..16) == Some(pan) && track[17..].starts_with(&dated);
    let track1 = record.track1.as_ref().map(Track::expose);
    let track2 = record.track2.as_ref().map(Track::expose);
    expect(faults, track1.is_some() == track2.is_some(), "track2", "must stand where track1 stands, and only there");
    expect(faults, track1.is_none_or(first), "track1", OTHER);
    expect(faults, track2.is_none_or(second), "track2", OTHER);
    if let Some(chip) = &record.chip {
        expect(faults, first(chip.track1.expose()), "chip.track1", OTHER);
        expect(faults, second(chip.track2.expose()), "chip.track2", OTHER);
        for track in [Some(chip.track1.expose()), track1].into_iter().flatten() {
            let same = track.split('^').nth(1) == Some(chip.name.as_str());
            expect(faults, same, "chip.name", "is not the name on track 1");
        }
    }
}

/// R90, R92 and R93.
fn names(faults: &mut Faults, lines: &EmbossingLines) {
    let (first, last) = (lines.first_name.as_deref(), lines.last_name.as_deref());
    let joined = first.zip(last).map(|(first, last)| format!("{first} {last}"));
    expect(faults, first.is_some() == last.is_some(), "embossing.lastName", "must stand where firstName stands");
    let line = lines.name_line == joined;
    expect(faults, line, "embossing.nameLine", "is not first and last name joined by a space");
    let fits = joined.is_none_or(|joined| length(&joined) <= 27);
    expect(faults, fits, "embossing.lastName", "is together with firstName longer than 26 characters");
    for (field, line) in embossed(lines) {
        let known = line.is_none_or(|line| lines.character_set.first_outside(line).is_none());
        expect(faults, known, field, "holds a character that is not in its character set");
    }
}

fn embossed(lines: &EmbossingLines) -> impl Iterator<Item = (&'static str, Option<&str>)> {
    const FIELDS: [&str; 5] = [
        "embossing.additionalField1",
        "embossing.additionalField2",
        "embossing.additionalField3",
        "embossing.additionalField4",
        "embossing.additionalField5",
    ];
    let names = [
        ("embossing.firstName", lines.first_name.as_deref()),
        ("embossing.lastName", lines.last_name.as_deref()),
        ("embossing.additionalEmbossingName", lines.additional_embossing_name.as_deref()),
        ("embossing.companyName", lines.company_name.as_deref()),
    ];
    names.into_iter().chain(FIELDS.into_iter().zip(lines.additional_fields.iter().map(Option::as_deref)))
}

fn pin_blocks(faults: &mut Faults, record: &Record, header: &Header) {
    let mailed = record.pin_mailer.as_ref().map(|mailer| &mailer.pin_block);
    for (block, field) in [(record.chip_pin.as_ref(), "chipPin.pinBlock"), (mailed, "pinMailer.pinBlock")] {
        let Some(block) = block else { continue };
        let announced = header.pin_keys.iter().any(|key| key.key_id == block.key_id);
        expect(faults, announced, field, "is under a key the header does not announce");
        expect(faults, has_its_length(block), field, "has a length its format does not have");
        let allowed = header.version == FileVersion::V2 || block.format != PinBlockFormat::Iso4;
        expect(faults, allowed, field, "is of format ISO_4, which version 1 does not have");
    }
    let same = record.chip_pin.as_ref().zip(mailed).is_none_or(|(chip, mailed)| chip == mailed);
    expect(faults, same, "pinMailer.pinBlock", "is not the block of chipPin");
}

fn has_its_length(block: &PinBlock) -> bool {
    let length = if block.format == PinBlockFormat::Iso4 { 32 } else { 16 };
    block.value.expose().len() == length
}

/// Where a record stands in its file: CARD first, then layout, delivery type, bulk code (absent first, text by code
/// point) and plastic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    pin_only: bool,
    layout: Option<String>,
    delivery: Option<&'static str>,
    bulk: Option<String>,
    plastic: i64,
}

impl Standing {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            pin_only: record.record_type == RecordType::PinOnly,
            layout: record.external_layout_code.clone(),
            delivery: record.card_delivery.as_ref().map(|delivery| delivery.kind.as_str()),
            bulk: record.bulk_code.clone(),
            plastic: record.plastic_id.get(),
        }
    }
}

/// R132: the trailer against a recount. The digest first: where it is wrong, the rest may be too.
pub(super) fn trailer(found: &Trailer, counted: &Trailer) -> Faults {
    const WRONG: &str = "is not what the records add up to";
    let mut faults = Faults::new();
    let digest = found.records_sha256 == counted.records_sha256;
    expect(&mut faults, digest, "recordsSha256", "is not the digest of the records");
    for (field, same) in [
        ("numberOfRecords", found.number_of_records == counted.number_of_records),
        ("numberOfCards", found.number_of_cards == counted.number_of_cards),
        ("numberOfPinOnly", found.number_of_pin_only == counted.number_of_pin_only),
        ("numberOfPinMailers", found.number_of_pin_mailers == counted.number_of_pin_mailers),
        ("numberOfCarriers", found.number_of_carriers == counted.number_of_carriers),
        ("numberOfLayouts", found.number_of_layouts == counted.number_of_layouts),
        ("byProductionEvent", found.by_production_event == counted.by_production_event),
        ("byLayout", found.by_layout == counted.by_layout),
        ("byCardDeliveryType", found.by_card_delivery_type == counted.by_card_delivery_type),
        ("panHashTotal", found.pan_hash_total == counted.pan_hash_total),
    ] {
        expect(&mut faults, same, field, WRONG);
    }
    faults
}
