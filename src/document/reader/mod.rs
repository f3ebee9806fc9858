//! Reads an embossing file back, strictly and streaming: what `inspect` trusts and what our own output is tested with.
//!
//! Invariants: one line is held at a time, whatever the file's size; a record reaches the visitor only when nothing
//! is wrong with it; every line is written again from the model and must come out as it was, so that white space,
//! escapes and anything the tables forget are seen too. A finding names the part and the field and never repeats a
//! value.

mod build;
mod checks;
mod json;
mod lines;
mod records;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod xml;

use std::fmt;
use std::io::{self, BufRead};

use self::build::{Fault, Object};
use self::checks::Check;
use self::lines::Lines;
use self::records::Records;
use super::model::{Header, Record, Trailer};
use super::tree::{Fields, Node};
use super::writer::{Frame, write_header, write_trailer};
use crate::agreement::{FileFormat, FileVersion};

/// More findings than this are only counted.
const MOST_FINDINGS: usize = 1_000;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The file as a whole.
    File,
    /// Its header.
    Header,
    /// The record with this place in the file, from 1.
    Record(u64),
    /// Its trailer.
    Trailer,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("file"),
            Self::Header => f.write_str("header"),
            Self::Record(number) => write!(f, "record {number}"),
            Self::Trailer => f.write_str("trailer"),
        }
    }
}

/// Something wrong with a file that could be read. `Display` is a sentence without a value of any field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub part: Part,
    /// The field's path, for example `cardDelivery.address.city`; empty for a whole part.
    pub field: String,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.field.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{} {}", self.part, self.field, self.fault)
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("the embossing file could not be read")]
    Source(#[from] io::Error),
    /// Not text.
    #[error("line {line} is not UTF-8")]
    NotUtf8 {
        /// Counted from 1.
        line: u64,
    },
    /// Not a line of ours.
    #[error("line {line} is longer than any line of an embossing file")]
    LineTooLong {
        /// Counted from 1.
        line: u64,
    },
    /// The file ends early.
    #[error("the file ends in line {line}, before its last line is complete; it was cut off")]
    Truncated {
        /// Counted from 1.
        line: u64,
    },
    /// The lines around header, records and trailer.
    #[error("line {line} is not what an embossing file has there: {expected}")]
    Frame {
        /// Counted from 1.
        line: u64,
        /// What should be there.
        expected: String,
    },
    /// Header or trailer with faults that leave no header or trailer.
    #[error("{}", sentences(.findings))]
    Unusable {
        /// What is wrong.
        findings: Vec<Finding>,
    },
}

fn sentences(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Findings, up to a limit.
#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
    more: u64,
    total: u64,
}

impl Findings {
    fn add(&mut self, part: Part, field: impl Into<String>, fault: impl Into<String>) {
        self.total += 1;
        if self.list.len() < MOST_FINDINGS {
            self.list.push(Finding { part, field: field.into(), fault: fault.into() });
        } else {
            self.more += 1;
        }
    }

    fn add_all(&mut self, part: Part, faults: rules::Faults) {
        for (field, fault) in faults {
            self.add(part, field, fault);
        }
    }

    fn into_list(mut self) -> Vec<Finding> {
        if self.more > 0 {
            let fault = format!("has {} more findings, which are not listed", self.more);
            self.list.push(Finding { part: Part::File, field: String::new(), fault });
        }
        self.list
    }
}

/// Reads a file; `visit` gets every sound record as it passes, with the header. A file without findings is sound.
///
/// # Errors
/// [`ReadError`] where the file's frame, its header or its trailer cannot be made out.
pub fn read<R: BufRead>(
    source: R,
    format: FileFormat,
    visit: &mut dyn FnMut(&Header, Record),
) -> Result<(Header, Trailer, Vec<Finding>), ReadError> {
    let mut lines = Lines::new(source);
    let mut findings = Findings::default();
    let (header, frame) = read_header(&mut lines, format, &mut findings)?;
    let mut records = Records::new(&header, findings);
    records.read(&mut lines, &frame, visit)?;
    let (counted, sound, mut findings) = records.finish();
    let trailer = read_trailer(&mut lines, &frame, &header, &mut findings)?;
    lines.end()?;
    if header.number_of_records != counted.number_of_records {
        findings.add(Part::Header, "totals.numberOfRecords", "is not the number of records in the file");
    }
    let mut faults = rules::trailer(&trailer, &counted);
    if !sound {
        // A record that could not be understood was not counted by its fields: only these two still mean something.
        faults.retain(|(field, _)| matches!(*field, "recordsSha256" | "numberOfRecords"));
    }
    findings.add_all(Part::Trailer, faults);
    Ok((header, trailer, findings.into_list()))
}

/// Whether a file of this name (with or without `.pgp`) was renamed: its header knows its own name.
pub fn renamed(name: &str, header: &Header) -> Option<Finding> {
    (name.strip_suffix(".pgp").unwrap_or(name) != header.file_name).then(|| Finding {
        part: Part::File,
        field: String::new(),
        fault: "has another name than the one in its header".to_owned(),
    })
}

fn parse(text: &str, format: FileFormat, root: &str) -> Result<Fields, &'static str> {
    let node = match format {
        FileFormat::Xml => xml::parse(text, root)?,
        FileFormat::Json => json::parse(text)?,
    };
    match node {
        Node::Object(fields) => Ok(fields),
        _ => Err("has no fields"),
    }
}

fn unusable(part: Part, fault: impl Into<String>) -> ReadError {
    ReadError::Unusable { findings: vec![Finding { part, field: String::new(), fault: fault.into() }] }
}

/// A frame's text split at its line break.
fn halves(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

fn read_header<R: BufRead>(
    lines: &mut Lines<R>,
    format: FileFormat,
    findings: &mut Findings,
) -> Result<(Header, Frame), ReadError> {
    let mut version = match format {
        FileFormat::Xml => Some(xml_version(lines)?),
        FileFormat::Json => None,
    };
    let frame = Frame::of(format, version.unwrap_or(FileVersion::V2));
    let before = frame.before_header.rsplit('\n').next().unwrap_or_default();
    let (after, opening) = halves(frame.before_records);
    let line = lines.next()?;
    let part = line.strip_prefix(before).and_then(|line| line.strip_suffix(after)).map(str::to_owned);
    let part = part.ok_or_else(|| lines.unexpected("the header"))?;
    let mut fields = parse(&part, format, "Header").map_err(|fault| unusable(Part::Header, fault))?;
    match version {
        // XML carries the version in its root element, and nowhere else.
        Some(version) => fields.insert(0, ("formatVersion".to_owned(), Node::raw(version.number().to_string()))),
        None => version = json_version(&fields),
    }
    let version = version.ok_or_else(|| unusable(Part::Header, "names no format version this program knows"))?;
    Check { part: Part::Header, version, findings }.object("", &fields, table::HEADER);
    let tree = Object::new(&fields);
    let header = build::header(tree, format, version).map_err(|fault| give_up(Part::Header, fault, findings))?;
    findings.add_all(Part::Header, rules::header(&header, tree));
    compare(Part::Header, &part, findings, 0, |out| {
        write_header(&header, out);
    });
    lines.expect(opening.trim_end_matches('\n'))?;
    Ok((header, frame))
}

fn xml_version<R: BufRead>(lines: &mut Lines<R>) -> Result<FileVersion, ReadError> {
    let first = Frame::of(FileFormat::Xml, FileVersion::V1).before_header;
    let second = Frame::of(FileFormat::Xml, FileVersion::V2).before_header;
    lines.expect(halves(&first).0)?;
    let root = lines.next()?;
    let version = match root {
        root if root == halves(&first).1.trim_end() => Some(FileVersion::V1),
        root if root == halves(&second).1.trim_end() => Some(FileVersion::V2),
        _ => None,
    };
    version.ok_or_else(|| lines.unexpected("the root element of version 1 or 2"))
}

fn json_version(fields: &Fields) -> Option<FileVersion> {
    match Object::new(fields).text("formatVersion")? {
        "1" => Some(FileVersion::V1),
        "2" => Some(FileVersion::V2),
        _ => None,
    }
}

fn give_up(part: Part, fault: Fault, findings: &mut Findings) -> ReadError {
    findings.add(part, fault.field, fault.fault);
    ReadError::Unusable { findings: std::mem::take(findings).into_list() }
}

/// Writes the part again and compares. Only where nothing was found since `before`: else the reason is already named.
fn compare(part: Part, text: &str, findings: &mut Findings, before: u64, write: impl FnOnce(&mut Vec<u8>)) {
    if findings.total > before {
        return;
    }
    let mut again = zeroize::Zeroizing::new(Vec::with_capacity(text.len() + 64));
    write(&mut again);
    if again.as_slice() != text.as_bytes() {
        findings.add(part, "", "is not written as the contract says: white space, escapes or quotes differ");
    }
}

fn read_trailer<R: BufRead>(
    lines: &mut Lines<R>,
    frame: &Frame,
    header: &Header,
    findings: &mut Findings,
) -> Result<Trailer, ReadError> {
    let before = halves(frame.before_trailer).1;
    let (after, closing) = halves(frame.after_trailer);
    let line = lines.next()?;
    let part = line.strip_prefix(before).and_then(|line| line.strip_suffix(after)).map(str::to_owned);
    let part = part.ok_or_else(|| lines.unexpected("the trailer"))?;
    let fields = parse(&part, header.format, "Trailer").map_err(|fault| unusable(Part::Trailer, fault))?;
    let before_trailer = findings.total;
    Check { part: Part::Trailer, version: header.version, findings }.object("", &fields, table::TRAILER);
    let trailer = build::trailer(Object::new(&fields)).map_err(|fault| give_up(Part::Trailer, fault, findings))?;
    compare(Part::Trailer, &part, findings, before_trailer, |out| write_trailer(&trailer, header.format, out));
    if !closing.is_empty() {
        lines.expect(closing.trim_end_matches('\n'))?;
    }
    Ok(trailer)
}
