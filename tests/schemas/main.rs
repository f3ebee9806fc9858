//! Three judges of an embossing file, `xmllint` with the XSD, a JSON Schema validator and our own reader, get the same
//! good and bad files and must agree wherever a schema can say what is asked.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test says no")]

mod beyond;
mod fields;
mod forms;
mod lengths;

use std::path::PathBuf;
use std::process::Command;

use emboss::agreement::FileFormat;
use emboss::document::{Finding, read};
use sha2::{Digest, Sha256};

const SAMPLES: [[&str; 2]; 2] = [
    [include_str!("../samples/v1.xml"), include_str!("../samples/v1.json")],
    [include_str!("../samples/v2.xml"), include_str!("../samples/v2.json")],
];
const JSON_SCHEMAS: [&str; 2] =
    [include_str!("../../schemas/embossing-v1.schema.json"), include_str!("../../schemas/embossing-v2.schema.json")];

/// What the reader finds: nothing, or sentences.
fn reader(file: &str, format: FileFormat) -> Vec<String> {
    match read(file.as_bytes(), format, &mut |_, _| {}) {
        Ok((_, _, findings)) => findings.iter().map(Finding::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// Whether `xmllint` lets the file pass.
fn xmllint(file: &str, version: usize) -> bool {
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/embossing-v{version}.xsd"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.xml");
    std::fs::write(&path, file).unwrap();
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .args([&schema, &path])
        .output()
        .expect("xmllint is needed to test the schemas: install the Debian package libxml2-utils");
    match output.status.code() {
        Some(0) => true,
        // Not well-formed, or not valid.
        Some(1 | 3 | 4) => false,
        code => panic!("xmllint ended with {code:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Whether the JSON Schema lets the file pass.
fn json_schema(file: &str, version: usize) -> bool {
    let schema = serde_json::from_str(JSON_SCHEMAS[version - 1]).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
    let validator = jsonschema::draft202012::new(&schema).expect("the schema compiles");
    serde_json::from_str(file).is_ok_and(|file| validator.is_valid(&file))
}

/// Puts the digest of the records as they now stand into the trailer, so that only the case's own fault is left.
fn digested(file: &str) -> String {
    let mut digest = Sha256::new();
    for line in file.lines().filter(|line| line.starts_with("<Card ") || line.starts_with("{\"recordNumber\"")) {
        digest.update(line.strip_suffix(',').unwrap_or(line));
    }
    let (key, length) = ("ecordsSha256", 64);
    let Some(place) = file.rfind("<RecordsSha256>").or_else(|| file.rfind("\"recordsSha256\"")) else {
        return file.to_owned();
    };
    let start = place + 1 + file[place + 1..].find(key).unwrap() + key.len();
    let start = start + file[start..].find(|sign: char| sign.is_ascii_hexdigit()).unwrap();
    format!("{}{}{}", &file[..start], hex::encode(digest.finalize()), &file[start + length..])
}

fn changed(sample: &str, from: &str, to: &str) -> String {
    assert!(sample.contains(from), "the sample has no {from}");
    digested(&sample.replacen(from, to, 1))
}

/// What is replaced in a sample, and by what.
type Change<'a> = (&'a str, &'a str);

/// Which schemas can see a fault: XSD, JSON Schema.
type Seen = (bool, bool);

const BOTH: Seen = (true, true);
const XSD_ONLY: Seen = (true, false);
const JSON_ONLY: Seen = (false, true);
const NEITHER: Seen = (false, false);

/// Puts a changed sample before all three; the reader's findings must all begin with `says`, and be none where it is
/// empty.
fn judge(version: usize, xml: Change<'_>, json: Change<'_>, seen: Seen, says: &str) {
    let [xml_sample, json_sample] = SAMPLES[version - 1];
    let xml_file = changed(xml_sample, xml.0, xml.1);
    let json_file = changed(json_sample, json.0, json.1);
    assert_eq!(xmllint(&xml_file, version), !seen.0, "xmllint on {xml:?}");
    assert_eq!(json_schema(&json_file, version), !seen.1, "JSON Schema on {json:?}");
    for (file, format) in [(xml_file, FileFormat::Xml), (json_file, FileFormat::Json)] {
        let findings = reader(&file, format);
        assert_eq!(findings.is_empty(), says.is_empty(), "{format} {json:?}: {findings:?}");
        let all = findings.iter().all(|finding| finding.starts_with(says));
        assert!(all, "{format} {json:?}: {findings:?} instead of {says}");
    }
}

/// A changed sample all three let pass.
fn good(version: usize, xml: Change<'_>, json: Change<'_>) {
    judge(version, xml, json, NEITHER, "");
}

#[test]
fn the_samples_are_good_for_all_three() {
    for (version, [xml, json]) in [(1, SAMPLES[0]), (2, SAMPLES[1])] {
        assert!(xmllint(xml, version));
        assert!(json_schema(json, version));
        assert_eq!(reader(xml, FileFormat::Xml), Vec::<String>::new());
        assert_eq!(reader(json, FileFormat::Json), Vec::<String>::new());
        assert!(!xmllint(xml, 3 - version) && !json_schema(json, 3 - version), "versions are told apart");
    }
}

#[test]
fn a_wrong_digest_is_found_although_every_schema_passes() {
    for (format, sample) in FileFormat::ALL.iter().zip(SAMPLES[1]) {
        let place = sample.find("ecordsSha256").unwrap() + 20;
        let other = if sample.as_bytes()[place] == b'0' { "1" } else { "0" };
        let file = format!("{}{other}{}", &sample[..place], &sample[place + 1..]);
        assert_eq!(reader(&file, *format), ["trailer: recordsSha256 is not the digest of the records"]);
    }
}

#[test]
fn fault27_an_illegal_character_fails_everywhere() {
    let [xml, json] = SAMPLES[1];
    let expected =
        |code| format!("record 1: cardDelivery.address.city holds U+{code}, which no embossing file can carry");
    for (xml_to, json_to, code) in [("&#x85;", "\\u0085", "0085"), ("&#10;", "\\n", "000A"), ("&#9;", "\\t", "0009")] {
        let xml = changed(xml, "<City>Marie", &format!("<City>Marie{xml_to}"));
        let json = changed(json, "\"city\":\"Marie", &format!("\"city\":\"Marie{json_to}"));
        assert!(!xmllint(&xml, 2) && !json_schema(&json, 2));
        assert_eq!(reader(&xml, FileFormat::Xml), [expected(code)]);
        assert_eq!(reader(&json, FileFormat::Json), [expected(code)]);
    }
}
