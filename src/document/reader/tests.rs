//! The reader against whole files: frames, order, digests, and its tables against the published schemas.

use super::table::{Field, HEADER, Kind, RECORD, TRAILER};
use super::*;
use crate::document::samples;
use crate::document::writer::DocumentWriter;

const XML: &str = include_str!("../../../tests/samples/v2.xml");
const JSON: &str = include_str!("../../../tests/samples/v2.json");
const BOTH: [(FileFormat, &str); 2] = [(FileFormat::Xml, XML), (FileFormat::Json, JSON)];

fn findings(file: &str, format: FileFormat) -> Result<Vec<String>, String> {
    match read(file.as_bytes(), format, &mut |_, _| {}) {
        Ok((_, _, findings)) => Ok(findings.iter().map(ToString::to_string).collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn compose(records: &[Record], format: FileFormat, version: FileVersion) -> String {
    let mut header = samples::header(format, version);
    header.number_of_records = records.len() as u64;
    header.file_name = crate::document::FileName::of(&header).to_string();
    let mut writer = DocumentWriter::new(Vec::new(), &header).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    String::from_utf8(writer.finish().unwrap().0).unwrap()
}

#[test]
fn the_samples_are_read_into_the_model() {
    for (format, file) in BOTH {
        let mut seen = Vec::new();
        let (header, trailer, findings) = read(file.as_bytes(), format, &mut |_, record| seen.push(record)).unwrap();
        assert_eq!(findings, []);
        assert_eq!(header, samples::header(format, FileVersion::V2));
        assert_eq!(seen, [samples::card_record(), samples::pin_record()]);
        assert_eq!(trailer, samples::trailer(&trailer.records_sha256));
        assert!(renamed(&format!("{}.pgp", header.file_name), &header).is_none());
        assert!(renamed("EMB_1.xml", &header).is_some());
    }
}

#[test]
fn a_file_cut_off_anywhere_is_never_sound() {
    for (format, file) in BOTH {
        // Every seventh byte, and all near the end.
        let near = file.len() - 50;
        for length in (0..file.len()).filter(|&length| length % 7 == 0 || length > near) {
            if !file.is_char_boundary(length) {
                continue;
            }
            let found = findings(&file[..length], format);
            assert!(found.as_ref().is_err_and(|text| text.contains("cut off")), "{format} {length}: {found:?}");
        }
    }
}

/// Outside the header, whose ids could be any others: nothing signs it but the envelope.
#[test]
fn any_changed_byte_is_seen() {
    for (format, file) in BOTH {
        let header = file.lines().find(|line| line.contains("zpk-x-1")).unwrap();
        let header = file.find(header).unwrap()..file.find(header).unwrap() + header.len();
        for place in (0..file.len()).filter(|place| place % 3 == 0 && !header.contains(place)) {
            let mut bytes = file.as_bytes().to_vec();
            bytes[place] ^= 1;
            let verdict = read(bytes.as_slice(), format, &mut |_, _| {});
            assert!(!verdict.is_ok_and(|(_, _, findings)| findings.is_empty()), "{format}: byte {place}");
        }
    }
}

#[test]
fn what_follows_the_end_or_stands_between_the_parts_is_refused() {
    for (format, file) in BOTH {
        for (changed, line) in [
            (format!("{file}\n"), file.lines().count() + 1),
            (format!("\u{FEFF}{file}"), 1),
            (format!("\n{file}"), 1),
            (file.replace('\n', "\r\n"), 1),
        ] {
            let error = findings(&changed, format).unwrap_err();
            assert!(error.starts_with(&format!("line {line} is not what an embossing file has there")), "{error}");
        }
    }
    let markup = "has elements where none should be|holds markup other than elements and text|is not well-formed XML";
    for (from, to) in [
        ("<Card recordNumber=\"2\">", "<!-- x --><Card recordNumber=\"2\">"),
        ("<Locale>sv_FI</Locale>", "<Locale><![CDATA[sv_FI]]></Locale>"),
        ("<Locale>sv_FI</Locale>", "<Locale>sv_FI</Locale><?x y?>"),
        ("<Scheme>MASTERCARD</Scheme>", "<Scheme/>"),
        ("<Locale>sv_FI</Locale>", "<Locale>sv_FI</Locale"),
    ] {
        let found = findings(&XML.replace(from, to), FileFormat::Xml).unwrap();
        assert!(markup.split('|').any(|text| found[0] == format!("record 2 {text}")), "{found:?}");
    }
    let entity = findings(&XML.replace("<Locale>sv_FI", "<Locale>&xxe;"), FileFormat::Xml).unwrap();
    assert_eq!(entity[0], "record 2 has an entity XML does not define");
}

#[test]
fn commas_between_json_records_are_exactly_where_they_belong() {
    let missing =
        findings(&JSON.replace("}},\n{\"recordNumber\":2", "}}\n{\"recordNumber\":2"), FileFormat::Json).unwrap();
    assert_eq!(missing, ["record 1 has no comma behind it"]);
    let trailing = findings(&JSON.replace("}}\n],", "}},\n],"), FileFormat::Json).unwrap();
    assert_eq!(trailing, ["record 2 has a comma behind it, though it is the last"]);
}

#[test]
fn records_out_of_order_are_found() {
    let numbered = |number: u64, change: &dyn Fn(&mut Record)| {
        let mut record = samples::card_record();
        record.record_number = number;
        change(&mut record);
        record
    };
    let plain = |_: &mut Record| {};
    let late: [&dyn Fn(&mut Record); 5] = [
        &|record| record.external_layout_code = None,
        &|record| record.external_layout_code = Some("Blue".into()),
        &|record| record.card_delivery.as_mut().unwrap().kind = crate::card::CardDeliveryType::Courier,
        &|record| record.plastic_id = "999".parse().unwrap(),
        &|record| record.external_layout_code = Some("A".into()),
    ];
    for change in late {
        for format in FileFormat::ALL {
            let file = compose(&[numbered(1, &plain), numbered(2, change)], *format, FileVersion::V2);
            assert_eq!(findings(&file, *format), Ok(vec!["record 2 stands out of the file's order".to_owned()]));
            let file = compose(&[numbered(1, change), numbered(2, &plain)], *format, FileVersion::V2);
            assert_eq!(findings(&file, *format), Ok(Vec::new()));
        }
    }
    let mut pin = samples::pin_record();
    pin.record_number = 1;
    let file = compose(&[pin, numbered(2, &plain)], FileFormat::Json, FileVersion::V1);
    assert_eq!(findings(&file, FileFormat::Json), Ok(vec!["record 2 stands out of the file's order".to_owned()]));
}

#[test]
fn r132_carriers_of_one_bulk_code_are_counted_once() {
    let bulk = |number: u64, code: Option<&str>| {
        let mut record = samples::card_record();
        record.record_number = number;
        record.bulk_code = code.map(str::to_owned);
        record
    };
    let records = [bulk(1, None), bulk(2, None), bulk(3, Some("A")), bulk(4, Some("A")), bulk(5, Some("B"))];
    for (version, carriers) in [(FileVersion::V1, 5), (FileVersion::V2, 4)] {
        for format in FileFormat::ALL {
            let file = compose(&records, *format, version);
            let (_, trailer, findings) = read(file.as_bytes(), *format, &mut |_, _| {}).unwrap();
            assert_eq!((trailer.number_of_carriers, findings), (carriers, Vec::new()));
        }
    }
}

#[test]
fn an_empty_file_is_sound() {
    for format in FileFormat::ALL {
        for version in [FileVersion::V1, FileVersion::V2] {
            assert_eq!(findings(&compose(&[], *format, version), *format), Ok(Vec::new()));
        }
    }
}

#[test]
fn findings_are_counted_beyond_a_limit_and_repeat_no_value() {
    let mut records = Vec::new();
    for number in 1..=1_500 {
        let mut record = samples::card_record();
        record.record_number = number;
        record.embossing.as_mut().unwrap().name_line = Some("SECRETNAME".into());
        records.push(record);
    }
    let found = findings(&compose(&records, FileFormat::Json, FileVersion::V2), FileFormat::Json).unwrap();
    assert_eq!(found.len(), MOST_FINDINGS + 1);
    assert_eq!(found[MOST_FINDINGS], "file has 500 more findings, which are not listed");
    assert!(!found.join("").contains("SECRETNAME"));
    let odd =
        JSON.replace("\"cardRole\":\"MAIN\"", "\"4000001234567899\":1,\"Monica Liikamaa\":2,\"cardRole\":\"MAIN\"");
    let odd = findings(&odd, FileFormat::Json).unwrap().join("");
    assert!(odd.contains("(a name not shown) is not a field of this file"), "{odd}");
    assert!(!odd.contains("4000001234567899") && !odd.contains("Monica"));
}

#[test]
fn the_tables_and_the_json_schemas_have_the_same_fields_in_the_same_order() {
    for (version, schema) in [
        (1, include_str!("../../../schemas/embossing-v1.schema.json")),
        (2, include_str!("../../../schemas/embossing-v2.schema.json")),
    ] {
        let root: Node = serde_json::from_str(schema).unwrap();
        let defs = get(&root, "$defs");
        for (name, table) in [("header", HEADER), ("card", RECORD), ("trailer", TRAILER)] {
            same_fields(defs, get(defs, name), table, version, name);
        }
    }
}

fn get<'a>(node: &'a Node, name: &str) -> &'a Node {
    let Node::Object(fields) = node else { panic!("no object holds {name}") };
    &fields.iter().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no {name}")).1
}

fn resolved<'a>(defs: &'a Node, node: &'a Node) -> &'a Node {
    let Node::Object(fields) = node else { return node };
    match fields.first() {
        Some((key, Node::Text(target))) if key == "$ref" => get(defs, target.trim_start_matches("#/$defs/")),
        _ => node,
    }
}

fn same_fields(defs: &Node, schema: &Node, table: &'static [Field], version: u8, path: &str) {
    let fields: Vec<&Field> = table.iter().filter(|field| field.since <= version).collect();
    let Node::Object(properties) = get(schema, "properties") else { panic!("{path}") };
    let names: Vec<&str> = properties.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, fields.iter().map(|field| field.name).collect::<Vec<_>>(), "{path} of version {version}");
    let Node::List(required) = get(schema, "required") else { panic!("{path}") };
    let required: Vec<&str> = required
        .iter()
        .map(|name| match name {
            Node::Text(name) => name.as_str(),
            _ => panic!("{path}"),
        })
        .collect();
    let must: Vec<&str> = fields.iter().filter(|field| field.must).map(|field| field.name).collect();
    assert_eq!(required, must, "{path} of version {version}");
    for (field, (_, property)) in fields.iter().zip(properties) {
        let path = format!("{path}.{}", field.name);
        match &field.kind {
            Kind::Object(table) => same_fields(defs, resolved(defs, property), table, version, &path),
            Kind::List(_, table) => {
                same_fields(defs, resolved(defs, get(property, "items")), table, version, &path);
            }
            _ => {}
        }
    }
}
