//! XML to the model, to JSON, to the model and back again: nothing is lost on the way (R132).

use emboss::agreement::FileFormat;
use emboss::document::{DocumentWriter, FileName, Header, Record, Trailer, read};

/// Everything of a document.
#[derive(PartialEq)]
struct Model {
    header: Header,
    records: Vec<Record>,
    trailer: Trailer,
}

fn model(document: &[u8], format: FileFormat) -> Model {
    let mut records = Vec::new();
    let read = read(document, format, &mut |_, record| records.push(record));
    let (header, trailer, findings) = read.unwrap_or_else(|error| panic!("{error}"));
    assert!(findings.is_empty(), "{findings:?}");
    Model { header, records, trailer }
}

fn written(model: &Model, format: FileFormat) -> Vec<u8> {
    let mut header = Header { format, ..model.header.clone() };
    header.file_name = FileName::of(&header).to_string();
    let mut writer = DocumentWriter::new(Vec::new(), &header).unwrap();
    for record in &model.records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap().0
}

/// Fails where a document is not the same after a way through the other format.
pub(crate) fn check(document: &str, name: &str) {
    let own = if name.contains(".xml") { FileFormat::Xml } else { FileFormat::Json };
    let other = if own == FileFormat::Xml { FileFormat::Json } else { FileFormat::Xml };
    let first = model(document.as_bytes(), own);
    let second = model(&written(&first, other), other);
    assert!(first.records == second.records, "{name}: a record is another one as {other}");
    // Only the digest knows the format.
    let (trailer, twin) = (first.trailer.clone(), second.trailer.clone());
    let twin = Trailer { records_sha256: trailer.records_sha256.clone(), ..twin };
    assert!(trailer == twin, "{name}: the trailer is another one as {other}");
    assert!(written(&second, own) == document.as_bytes(), "{name}: not the same bytes after all");
}
