//! Writes an embossing file record by record: the frame once, a format's body behind it.
//!
//! Invariants: one record is one line, composed in one buffer that is used again and wiped at the end; its bytes go
//! into `recordsSha256` as they go into the file; records are numbered 1 .. n without gaps, and n is what the header
//! promised. Nothing is written of a record that is refused.

use std::fmt;
use std::io::{self, Write};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::json::{self, Json};
use super::legal::Search;
use super::model::{Header, Record, RecordType, Trailer};
use super::totals::Totals;
use super::walk;
use super::xml::{self, Xml};
use crate::agreement::{FileFormat, FileVersion};
use crate::card::{PinBlock, PinBlockFormat, PinDeliveryType};

/// The fixed text around header, records and trailer.
pub(crate) struct Frame {
    pub(crate) before_header: String,
    pub(crate) before_records: &'static str,
    pub(crate) between_records: &'static str,
    pub(crate) before_trailer: &'static str,
    pub(crate) after_trailer: &'static str,
}

impl Frame {
    pub(crate) fn of(format: FileFormat, version: FileVersion) -> Self {
        match format {
            FileFormat::Xml => xml::frame(version),
            FileFormat::Json => json::frame(),
        }
    }
}

/// Why a file cannot be written. Never a value of a field: the field's name and the code point only.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The sink failed.
    #[error("the embossing file could not be written")]
    Sink(#[from] io::Error),
    /// Fault 27.
    #[error("{part}: {field} holds U+{code_point:04X}, which no embossing file can carry; correct it and order again")]
    IllegalCharacter {
        /// `header`, or `record` and its number.
        part: String,
        /// The field, with the objects it lies in.
        field: String,
        /// The character.
        code_point: u32,
    },
    /// Record numbers are 1 .. n, dense.
    #[error("record {found} was handed over where record {expected} was due")]
    OutOfSequence {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The header promises a number of records.
    #[error("the header announces {announced} records, but {written} were written")]
    WrongCount {
        /// In the header.
        announced: u64,
        /// In the file.
        written: u64,
    },
    /// A record the tables do not allow.
    #[error("record {record_number}: {field} {fault}")]
    NotWritable {
        /// The record.
        record_number: u64,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// Writes one embossing file into `sink`, which should be buffered or take lines of about 2 kB well.
pub struct DocumentWriter<W> {
    sink: W,
    format: FileFormat,
    version: FileVersion,
    frame: Frame,
    announced: u64,
    totals: Totals,
    digest: Sha256,
    line: Zeroizing<Vec<u8>>,
}

impl<W: Write> DocumentWriter<W> {
    /// Writes everything up to the first record.
    ///
    /// # Errors
    /// The sink's, and an illegal character in the header.
    pub fn new(mut sink: W, header: &Header) -> Result<Self, DocumentError> {
        let frame = Frame::of(header.format, header.version);
        // Large enough that records never make it grow: growing would leave unwiped copies behind.
        let mut line = Zeroizing::new(Vec::with_capacity(64 * 1024));
        line.extend_from_slice(frame.before_header.as_bytes());
        if write_header(header, &mut line) {
            let mut search = Search::default();
            walk::header(&mut search, header);
            refuse_illegal(search, || "header".to_owned())?;
        }
        line.extend_from_slice(frame.before_records.as_bytes());
        sink.write_all(&line)?;
        Ok(Self {
            sink,
            format: header.format,
            version: header.version,
            frame,
            announced: header.number_of_records,
            totals: Totals::new(header.version),
            digest: Sha256::new(),
            line,
        })
    }

    /// Writes the next record.
    ///
    /// # Errors
    /// The sink's; a number out of sequence; a character no file can carry; a record that lacks what its type needs.
    /// Nothing of a refused record is written.
    pub fn write(&mut self, record: &Record) -> Result<(), DocumentError> {
        let expected = self.totals.records() + 1;
        if record.record_number != expected {
            return Err(DocumentError::OutOfSequence { expected, found: record.record_number });
        }
        refuse_incomplete(record, self.version)?;
        self.line.clear();
        let separator = if expected == 1 { "" } else { self.frame.between_records };
        self.line.extend_from_slice(separator.as_bytes());
        if write_record(record, self.format, self.version, &mut self.line) {
            let mut search = Search::default();
            walk::record(&mut search, record, self.version);
            refuse_illegal(search, || format!("record {expected}"))?;
        }
        self.digest.update(&self.line[separator.len()..]);
        self.totals.add(record);
        self.sink.write_all(&self.line)?;
        Ok(())
    }

    /// Writes the trailer and gives back the sink.
    ///
    /// # Errors
    /// The sink's; a number of records other than the header's.
    pub fn finish(mut self) -> Result<(W, Trailer), DocumentError> {
        let written = self.totals.records();
        if written != self.announced {
            return Err(DocumentError::WrongCount { announced: self.announced, written });
        }
        let trailer = self.totals.trailer(hex::encode(self.digest.finalize()));
        self.line.clear();
        if written > 0 {
            self.line.push(b'\n');
        }
        self.line.extend_from_slice(self.frame.before_trailer.as_bytes());
        write_trailer(&trailer, self.format, &mut self.line);
        self.line.extend_from_slice(self.frame.after_trailer.as_bytes());
        self.sink.write_all(&self.line)?;
        Ok((self.sink, trailer))
    }
}

impl<W> fmt::Debug for DocumentWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentWriter({} of {} records)", self.totals.records(), self.announced)
    }
}

/// Appends the header; true if a text may hold an illegal character.
pub(crate) fn write_header(header: &Header, out: &mut Vec<u8>) -> bool {
    match header.format {
        FileFormat::Xml => {
            let mut body = Xml::new(out);
            walk::header(&mut body, header);
            body.doubtful
        }
        FileFormat::Json => {
            let mut body = Json::new(out);
            walk::header(&mut body, header);
            body.doubtful
        }
    }
}

/// Appends a record without its line break; true if a text may hold an illegal character.
pub(crate) fn write_record(record: &Record, format: FileFormat, version: FileVersion, out: &mut Vec<u8>) -> bool {
    match format {
        FileFormat::Xml => {
            let mut body = Xml::new(out);
            walk::record(&mut body, record, version);
            body.doubtful
        }
        FileFormat::Json => {
            let mut body = Json::new(out);
            walk::record(&mut body, record, version);
            body.doubtful
        }
    }
}

/// Appends the trailer.
pub(crate) fn write_trailer(trailer: &Trailer, format: FileFormat, out: &mut Vec<u8>) {
    match format {
        FileFormat::Xml => walk::trailer(&mut Xml::new(out), trailer),
        FileFormat::Json => walk::trailer(&mut Json::new(out), trailer),
    }
}

fn refuse_illegal(search: Search, part: impl FnOnce() -> String) -> Result<(), DocumentError> {
    match search.found {
        None => Ok(()),
        Some((field, character)) => {
            Err(DocumentError::IllegalCharacter { part: part(), field, code_point: u32::from(character) })
        }
    }
}

/// What the model's types allow and the tables do not.
fn refuse_incomplete(record: &Record, version: FileVersion) -> Result<(), DocumentError> {
    let refuse = |field, fault| Err(DocumentError::NotWritable { record_number: record.record_number, field, fault });
    if record.production_event.is_virtual() {
        return refuse("productionEvent", "is of a virtual plastic, which is in no file (R5)");
    }
    if record.record_type == RecordType::Card {
        for (field, missing) in [
            ("serviceCode", record.service_code.is_none()),
            ("cvv2", record.cvv2.is_none()),
            ("embossing", record.embossing.is_none()),
            ("cardDelivery", record.card_delivery.is_none()),
        ] {
            if missing {
                return refuse(field, "is missing, which a record of type CARD must have");
            }
        }
    }
    if record.pin_mailer.as_ref().is_some_and(|mailer| mailer.delivery_type == PinDeliveryType::Epin) {
        return refuse("pinMailer.deliveryType", "is EPIN, which prints no letter (R41)");
    }
    let newer = |block: &PinBlock| block.format == PinBlockFormat::Iso4;
    let newer = record.chip_pin.as_ref().is_some_and(newer)
        || record.pin_mailer.as_ref().is_some_and(|mailer| newer(&mailer.pin_block));
    if newer && version == FileVersion::V1 {
        return refuse("pinBlock.format", "is ISO_4, which needs file version 2");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
