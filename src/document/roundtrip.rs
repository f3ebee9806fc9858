//! Property: XML -> model -> JSON -> model loses nothing, in version 2 and, without the newer fields, in version 1
//! (3.6, R132).

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::model::{ChipData, DeliveryBlock, EmbossingLines, Header, PinMailerBlock, Record, RecordType, Trailer};
use super::name::FileName;
use super::reader::read;
use super::samples;
use super::writer::DocumentWriter;
use crate::agreement::{Carrier, FileFormat, FileVersion};
use crate::card::{
    AdditionalValue, Address, AddressSource, CardDeliveryType, CardRole, CharacterSet, Cvv, Expiry, Pan, PanMask,
    PinBlock, PinBlockFormat, PinDeliveryType, ProductionEvent, Recipient, RecordUid, Scheme, SecretHex, Segment,
    Track,
};

/// Letters of all lengths in UTF-8, and everything both formats must escape; composed, so that it is NFC.
fn text(most: usize) -> impl Strategy<Value = String> {
    let letters = prop_oneof![
        proptest::char::range(' ', '~'),
        proptest::sample::select(vec!['<', '>', '&', '\'', '"', '\\', '/', 'Å', 'ß', '°', 'Ọ', '€', '\u{FFFD}', '😀']),
    ];
    vec(letters, 1..=most).prop_map(String::from_iter)
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn address() -> impl Strategy<Value = Address> {
    let more = (option::of(text(40)), option::of(text(40)), option::of(text(255)), option::of(text(32)));
    (text(255), text(40), text(32), "[A-Z]{3}", more).prop_map(|(first, city, zip, country, more)| Address {
        address1: Some(first),
        address2: more.0,
        address3: more.1,
        address4: more.2,
        city: Some(city),
        zip_code: Some(zip),
        country: Some(country),
        region: more.3,
    })
}

fn recipient() -> impl Strategy<Value = Option<Recipient>> {
    option::of((option::of(text(9)), text(30), option::of(text(9)), text(30)).prop_map(
        |(salutation, first_name, middle_name, last_name)| Recipient { salutation, first_name, middle_name, last_name },
    ))
}

fn pin_block(version: FileVersion) -> impl Strategy<Value = PinBlock> {
    let formats: &[PinBlockFormat] = match version {
        FileVersion::V1 => &PinBlockFormat::ALL[..2],
        FileVersion::V2 => PinBlockFormat::ALL,
    };
    (word(formats), "[0-9A-F]{32}").prop_map(|(format, value)| {
        let length = if format == PinBlockFormat::Iso4 { 32 } else { 16 };
        PinBlock { format, key_id: "zpk-x-1".into(), value: SecretHex::new(&value[..length]) }
    })
}

fn card_delivery() -> impl Strategy<Value = DeliveryBlock> {
    (word(CardDeliveryType::ALL), recipient(), address(), word(AddressSource::ALL), option::of("\\+[0-9]{1,15}"))
        .prop_map(|(kind, recipient, address, source, phone)| DeliveryBlock {
            kind,
            recipient,
            address,
            address_source: Some(source),
            phone,
        })
}

fn pin_mailer(pin_block: PinBlock) -> impl Strategy<Value = PinMailerBlock> {
    let types: &[PinDeliveryType] = &PinDeliveryType::ALL[..7];
    (word(types), recipient(), address(), word(AddressSource::ALL)).prop_map(
        move |(kind, recipient, address, source)| PinMailerBlock {
            delivery_type: kind,
            recipient,
            address,
            address_source: Some(source),
            pin_block: pin_block.clone(),
        },
    )
}

/// A line of the set (R93), with what both formats must escape.
fn line(set: CharacterSet, most: usize) -> impl Strategy<Value = String> {
    let letters: &[char] = match set {
        CharacterSet::EmbossedDefault => &['A', 'z', '0', ' ', '&', '\'', '/', '+', 'Å', 'ð', 'Þ'],
        CharacterSet::Printed => &['A', 'z', '0', ' ', '&', '\'', '/', '+', 'ß', 'ž', 'Ọ', 'ĳ'],
    };
    vec(proptest::sample::select(letters), 1..=most).prop_map(String::from_iter)
}

fn embossing() -> impl Strategy<Value = EmbossingLines> {
    word(CharacterSet::ALL).prop_flat_map(|character_set| {
        let line = move |most| line(character_set, most);
        let names = option::of((line(13), line(13)));
        let lines = (option::of(line(26)), option::of(line(26)), vec(option::of(line(32)), 5));
        (names, lines).prop_map(move |(names, (second, company, fields))| {
            let mut fields = fields.into_iter();
            EmbossingLines {
                first_name: names.as_ref().map(|(first, _)| first.clone()),
                last_name: names.as_ref().map(|(_, last)| last.clone()),
                name_line: names.map(|(first, last)| format!("{first} {last}")),
                additional_embossing_name: second,
                company_name: company,
                additional_fields: std::array::from_fn(|_| fields.next().flatten()),
                character_set,
            }
        })
    })
}

/// What both kinds of record have.
fn base() -> impl Strategy<Value = Record> {
    let ids = (any::<u128>(), 1..1_000_000_000_000_000_000_i64, option::of(1..1_000_000_000_i64));
    let card = ("[0-9]{15}", 1..=99_u8, 2000..=2099, 1..=12_u32, any::<bool>());
    let words = (word(CardRole::ALL), word(Scheme::ALL), option::of(word(Segment::ALL)), any::<bool>());
    let texts = (option::of("[A-Z][A-Z_0-9]{1,64}"), option::of("[A-Za-z0-9]{1,32}"));
    let more = (option::of(text(32)), option::of(text(36)), option::of((option::of(text(30)), text(20))));
    let values = vec(("[a-zA-Z0-9_ -]{1,8}", "[a-zA-Z0-9|_ +.'ÀžỌ-]{1,50}"), 0..=10);
    (ids, card, words, texts, more, values).prop_map(|(ids, card, words, texts, more, values)| {
        let pan = Pan::with_check_digit(&card.0).unwrap();
        let mask = if card.4 { PanMask::SixFour } else { PanMask::EightFour };
        Record {
            record_uid: RecordUid(uuid::Uuid::from_u128(ids.0)),
            plastic_id: ids.1.to_string().parse().unwrap(),
            customer_id: ids.2.map(|id| id.to_string().parse().unwrap()),
            account_id: ids.2.map(|id| id.to_string().parse().unwrap()),
            reproduction: words.3,
            card_role: words.0,
            scheme: words.1,
            segment: words.2,
            product_code: texts.0,
            customer_number: texts.1,
            pan_masked: pan.masked(mask),
            pan,
            sequence_number: card.1,
            expiry: Expiry::new(card.2, card.3).unwrap(),
            valid_from: words.3.then(|| Expiry::new(2026, 11).unwrap()),
            external_layout_code: more.0,
            bulk_code: more.1,
            carrier: more.2.map(|(kind, logo)| Carrier { kind, logo: Some(logo) }),
            additional_values: values.into_iter().map(|(key, value)| AdditionalValue { key, value }).collect(),
            ..samples::pin_record()
        }
    })
}

fn pin_record(version: FileVersion) -> impl Strategy<Value = Record> {
    (base(), pin_block(version).prop_flat_map(pin_mailer))
        .prop_map(|(base, mailer)| Record { pin_mailer: Some(mailer), ..base })
}

fn card_record(version: FileVersion) -> impl Strategy<Value = Record> {
    const EVENTS: &[ProductionEvent] = &[
        ProductionEvent::Ncrd,
        ProductionEvent::Nlost,
        ProductionEvent::Rallnlost,
        ProductionEvent::Rallre,
        ProductionEvent::Rpl,
        ProductionEvent::Rplre,
    ];
    let pin =
        option::of(pin_block(version).prop_flat_map(|block| (Just(block.clone()), option::of(pin_mailer(block)))));
    let stripe = ("[0-9]{3}", "[0-9]{3}", "[A-Z0-9 .-]{1,12}/[A-Z]{0,12}", "[0-9]{0,13}", any::<bool>(), any::<bool>());
    (base(), word(EVENTS), embossing(), card_delivery(), stripe, pin).prop_map(
        |(base, event, lines, delivery, (service, cvv, name, data, striped, chipped), pin)| {
            let (pan, dated) = (base.pan.expose(), format!("{}{service}{data}", base.expiry.yymm()));
            let pad = if dated.len() % 2 == 0 { "F" } else { "" };
            Record {
                record_type: RecordType::Card,
                production_event: event,
                service_code: Some(service),
                cvv2: Some(Cvv::new(cvv)),
                track1: striped.then(|| Track::new(format!("B{pan}^{name}^{dated}"))),
                track2: striped.then(|| Track::new(format!("{pan}={dated}"))),
                chip: chipped.then(|| ChipData {
                    track1: Track::new(format!("B{pan}^{name}^{dated}")),
                    track2: Track::new(format!("{pan}D{dated}{pad}")),
                    name: name.clone(),
                }),
                embossing: Some(lines),
                card_delivery: Some(delivery),
                chip_pin: pin.as_ref().map(|(block, _)| block.clone()),
                pin_mailer: pin.and_then(|(_, mailer)| mailer),
                ..base
            }
        },
    )
}

/// A file's records in the file's order, numbered.
fn records(version: FileVersion) -> impl Strategy<Value = Vec<Record>> {
    vec(prop_oneof![3 => card_record(version), 1 => pin_record(version)], 0..6).prop_map(move |mut records| {
        for record in &mut records {
            if version == FileVersion::V1 {
                strip(record);
            }
        }
        records.sort_by_key(|record| {
            (
                record.record_type == RecordType::PinOnly,
                record.external_layout_code.clone(),
                record.card_delivery.as_ref().map(|delivery| delivery.kind.as_str()),
                record.bulk_code.clone(),
                record.plastic_id,
            )
        });
        for (number, record) in (1..).zip(&mut records) {
            record.record_number = number;
        }
        records
    })
}

/// Takes away what version 1 does not have.
fn strip(record: &mut Record) {
    record.customer_number = None;
    record.additional_values.clear();
    record.bulk_code = None;
    record.carrier = None;
    if let Some(delivery) = &mut record.card_delivery {
        delivery.address_source = None;
        delivery.phone = None;
    }
    if let Some(mailer) = &mut record.pin_mailer {
        mailer.address_source = None;
    }
}

fn header(format: FileFormat, version: FileVersion, records: usize) -> Header {
    let mut header = samples::header(format, version);
    header.number_of_records = records as u64;
    header.file_name = FileName::of(&header).to_string();
    header
}

/// Writes and reads again; what was read.
fn through(records: &[Record], format: FileFormat, version: FileVersion) -> (Vec<Record>, Trailer) {
    let header = header(format, version, records.len());
    let mut writer = DocumentWriter::new(Vec::new(), &header).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    let (file, written) = writer.finish().unwrap();
    let mut seen = Vec::new();
    let (read_header, trailer, findings) = read(file.as_slice(), format, &mut |_, record| seen.push(record)).unwrap();
    assert_eq!(findings, [], "{}", String::from_utf8_lossy(&file));
    assert_eq!((read_header, &trailer), (header, &written));
    (seen, trailer)
}

fn lossless(records: &[Record], version: FileVersion) {
    let (from_xml, xml) = through(records, FileFormat::Xml, version);
    assert!(from_xml == records, "XML lost something");
    let (from_json, json) = through(&from_xml, FileFormat::Json, version);
    assert!(from_json == records, "JSON lost something");
    // Only the digest knows the format.
    assert_eq!(Trailer { records_sha256: String::new(), ..xml }, Trailer { records_sha256: String::new(), ..json });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r132_version_2_is_lossless_over_both_formats(records in records(FileVersion::V2)) {
        lossless(&records, FileVersion::V2);
    }

    #[test]
    fn r132_version_1_is_lossless_over_both_formats(records in records(FileVersion::V1)) {
        lossless(&records, FileVersion::V1);
    }
}
