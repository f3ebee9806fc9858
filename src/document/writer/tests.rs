//! The writer against the samples, byte for byte, and what it refuses.

use super::*;
use crate::document::samples;

const SAMPLES: [(FileFormat, FileVersion, &str); 4] = [
    (FileFormat::Xml, FileVersion::V1, include_str!("../../../tests/samples/v1.xml")),
    (FileFormat::Json, FileVersion::V1, include_str!("../../../tests/samples/v1.json")),
    (FileFormat::Xml, FileVersion::V2, include_str!("../../../tests/samples/v2.xml")),
    (FileFormat::Json, FileVersion::V2, include_str!("../../../tests/samples/v2.json")),
];

fn compose(header: &Header, records: &[Record]) -> Result<(String, Trailer), DocumentError> {
    let mut writer = DocumentWriter::new(Vec::new(), header)?;
    for record in records {
        writer.write(record)?;
    }
    let (bytes, trailer) = writer.finish()?;
    Ok((String::from_utf8(bytes).unwrap(), trailer))
}

#[test]
fn the_samples_come_out_byte_for_byte() {
    for (format, version, expected) in SAMPLES {
        let header = samples::header(format, version);
        let (file, trailer) = compose(&header, &[samples::card_record(), samples::pin_record()]).unwrap();
        assert_eq!(file, expected);
        assert!(expected.contains(&trailer.records_sha256));
        assert_eq!(trailer, samples::trailer(&trailer.records_sha256));
    }
}

#[test]
fn r99_version_1_holds_no_field_of_version_2_even_if_the_data_exist() {
    let mut record = samples::card_record();
    record.bulk_code = Some("BULK-7".into());
    for format in FileFormat::ALL {
        let mut header = samples::header(*format, FileVersion::V1);
        header.number_of_records = 1;
        let (file, trailer) = compose(&header, &[record.clone()]).unwrap();
        let file = file.to_ascii_lowercase();
        for newer in
            ["productionreason", "customernumber", "additionalvalue", "addresssource", "phone", "bulk", "carrier\""]
        {
            assert!(!file.contains(newer), "{newer} in {format}");
        }
        assert!(!file.contains("promo") && !file.contains("12|3") && !file.contains("a4-2up"));
        assert_eq!(trailer.number_of_carriers, 1);
    }
}

#[test]
fn an_empty_file_has_header_trailer_and_zero_totals() {
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (format, cards) in
        [(FileFormat::Xml, "\n<Cards>\n</Cards>\n<Trailer>"), (FileFormat::Json, "\n\"cards\":[\n],\n\"trailer\"")]
    {
        let mut header = samples::header(format, FileVersion::V2);
        header.number_of_records = 0;
        header.pin_keys.clear();
        let (file, trailer) = compose(&header, &[]).unwrap();
        assert!(file.contains(cards), "{file}");
        assert!(!file.to_ascii_lowercase().contains("pinkeys") && !file.contains("yLayout"));
        assert_eq!((trailer.records_sha256.as_str(), trailer.pan_hash_total.as_str()), (NOTHING, "000000000000"));
    }
}

#[test]
fn fault27_an_illegal_character_is_refused_by_field_and_code_point_and_nothing_is_written() {
    for (format, version, expected) in SAMPLES {
        for (character, code) in [('\u{1}', "U+0001"), ('\n', "U+000A"), ('\u{85}', "U+0085"), ('\u{FFFE}', "U+FFFE")] {
            let mut bad = samples::card_record();
            bad.card_delivery.as_mut().unwrap().address.city = Some(format!("Marie{character}hamn"));
            let mut writer = DocumentWriter::new(Vec::new(), &samples::header(format, version)).unwrap();
            let text = writer.write(&bad).unwrap_err().to_string();
            assert!(text.starts_with(&format!("record 1: cardDelivery.address.city holds {code},")), "{text}");
            assert!(!text.contains("hamn"));
            writer.write(&samples::card_record()).unwrap();
            writer.write(&samples::pin_record()).unwrap();
            assert_eq!(writer.finish().unwrap().0, expected.as_bytes());
        }
        let mut header = samples::header(format, version);
        header.institution.name = Some("Bank\u{7F}".into());
        let text = DocumentWriter::new(Vec::new(), &header).unwrap_err().to_string();
        assert!(text.starts_with("header: institution.name holds U+007F,"), "{text}");
    }
}

#[test]
fn letters_that_share_a_byte_with_illegal_ones_pass() {
    for format in FileFormat::ALL {
        let mut record = samples::card_record();
        record.card_delivery.as_mut().unwrap().address.city = Some("N\u{B0} \u{FFFD} \u{FF21}".into());
        let mut header = samples::header(*format, FileVersion::V2);
        header.number_of_records = 1;
        assert!(compose(&header, &[record]).unwrap().0.contains("N\u{B0} \u{FFFD} \u{FF21}"));
    }
}

#[test]
fn record_numbers_are_dense_and_the_count_is_the_headers() {
    let header = samples::header(FileFormat::Xml, FileVersion::V2);
    let mut writer = DocumentWriter::new(Vec::new(), &header).unwrap();
    let early = writer.write(&samples::pin_record()).unwrap_err();
    assert!(matches!(early, DocumentError::OutOfSequence { expected: 1, found: 2 }));
    writer.write(&samples::card_record()).unwrap();
    let short = writer.finish().unwrap_err();
    assert!(matches!(short, DocumentError::WrongCount { announced: 2, written: 1 }));
}

#[test]
fn what_the_tables_forbid_and_the_model_allows_is_refused() {
    type Spoil = fn(&mut Record);
    let cases: [(Spoil, &str); 7] = [
        (|record| record.production_event = crate::card::ProductionEvent::Nvrt, "record 1: productionEvent is of"),
        (|record| record.service_code = None, "record 1: serviceCode is missing"),
        (|record| record.cvv2 = None, "record 1: cvv2 is missing"),
        (|record| record.embossing = None, "record 1: embossing is missing"),
        (|record| record.card_delivery = None, "record 1: cardDelivery is missing"),
        (|record| record.chip_pin.as_mut().unwrap().format = PinBlockFormat::Iso4, "record 1: pinBlock.format is"),
        (
            |record| record.pin_mailer.as_mut().unwrap().delivery_type = PinDeliveryType::Epin,
            "record 1: pinMailer.deliveryType is EPIN",
        ),
    ];
    for (spoil, expected) in cases {
        let mut record = samples::card_record();
        spoil(&mut record);
        let error = compose(&samples::header(FileFormat::Json, FileVersion::V1), &[record]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn debug_shows_no_value() {
    let mut writer = DocumentWriter::new(Vec::new(), &samples::header(FileFormat::Xml, FileVersion::V2)).unwrap();
    writer.write(&samples::card_record()).unwrap();
    assert_eq!(format!("{writer:?}"), "DocumentWriter(1 of 2 records)");
    let shown = format!("{:?}{:?}", samples::card_record(), samples::trailer("00"));
    for secret in ["4000001234567899", "LIIKAMAA", "Monica", "Kings", "137\"", "311D385594D0906A", "000246913578"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn an_empty_text_is_absent_never_an_empty_field() {
    for format in FileFormat::ALL {
        let mut header = samples::header(*format, FileVersion::V2);
        header.number_of_records = 1;
        let mut record = samples::card_record();
        record.external_layout_code = Some(String::new());
        record.bulk_code = Some(String::new());
        record.embossing.as_mut().unwrap().company_name = Some(String::new());
        let (file, trailer) = compose(&header, &[record]).unwrap();
        let file = file.to_ascii_lowercase();
        for name in ["companyname", "externallayoutcode", "bulk", "bylayout"] {
            assert!(!file.contains(name), "{name} in {format}");
        }
        assert_eq!((trailer.number_of_layouts, trailer.number_of_carriers), (0, 1));
    }
}
