//! The records of a file as they pass: counted, digested, checked one by one, handed on when sound.

use std::io::BufRead;

use sha2::{Digest, Sha256};

use super::build::{self, Fault, Object};
use super::checks::Check;
use super::lines::Lines;
use super::rules::{self, Standing};
use super::{Findings, Part, ReadError, compare, halves, parse, table};
use crate::document::model::{Header, Record, Trailer};
use crate::document::totals::Totals;
use crate::document::writer::{Frame, write_record};

/// The records as they pass.
pub(super) struct Records<'a> {
    header: &'a Header,
    findings: Findings,
    totals: Totals,
    digest: Sha256,
    number: u64,
    sound: bool,
    standing: Option<Standing>,
}

impl<'a> Records<'a> {
    pub(super) fn new(header: &'a Header, findings: Findings) -> Self {
        let totals = Totals::new(header.version);
        Self { header, findings, totals, digest: Sha256::new(), number: 0, sound: true, standing: None }
    }

    pub(super) fn read<R: BufRead>(
        &mut self,
        lines: &mut Lines<R>,
        frame: &Frame,
        visit: &mut dyn FnMut(&Header, Record),
    ) -> Result<(), ReadError> {
        let closing = halves(frame.before_trailer).0;
        let separator = halves(frame.between_records).0;
        let mut separated = true;
        loop {
            let line = lines.next()?;
            if line == closing {
                break;
            }
            self.number += 1;
            if !separated {
                self.findings.add(Part::Record(self.number - 1), "", "has no comma behind it");
            }
            let text = line.strip_suffix(separator);
            separated = text.is_some();
            self.record(text.unwrap_or(line), visit);
        }
        if self.number > 0 && separated && !separator.is_empty() {
            self.findings.add(Part::Record(self.number), "", "has a comma behind it, though it is the last");
        }
        Ok(())
    }

    /// One record; what is wrong with it stops nothing.
    fn record(&mut self, text: &str, visit: &mut dyn FnMut(&Header, Record)) {
        self.digest.update(text.as_bytes());
        let part = Part::Record(self.number);
        match self.understand(text) {
            Ok(record) => {
                let standing = Standing::of(&record);
                if self.standing.as_ref().is_some_and(|before| *before > standing) {
                    self.findings.add(part, "", "stands out of the file's order");
                }
                self.standing = Some(standing);
                self.totals.add(&record);
                visit(self.header, record);
            }
            Err(fault) => {
                self.sound = false;
                if let Some(Fault { field, fault }) = fault {
                    self.findings.add(part, field, fault);
                }
            }
        }
    }

    /// The record, if nothing is wrong with it; what is wrong may already be among the findings.
    fn understand(&mut self, text: &str) -> Result<Record, Option<Fault>> {
        let part = Part::Record(self.number);
        let (format, version) = (self.header.format, self.header.version);
        let before = self.findings.total;
        let fields = parse(text, format, "Card").map_err(|fault| Some(Fault { field: String::new(), fault }))?;
        Check { part, version, findings: &mut self.findings }.object("", &fields, table::RECORD);
        if self.findings.total > before {
            return Err(None);
        }
        let tree = Object::new(&fields);
        let record = build::record(tree).map_err(Some)?;
        self.findings.add_all(part, rules::record(&record, self.header, tree));
        if record.record_number != self.number {
            self.findings.add(part, "recordNumber", "is not the record's place in the file");
        }
        compare(part, text, &mut self.findings, before, |out| {
            write_record(&record, format, version, out);
        });
        if self.findings.total > before { Err(None) } else { Ok(record) }
    }

    /// What the records add up to, whether all were understood, and the findings.
    pub(super) fn finish(self) -> (Trailer, bool, Findings) {
        let mut trailer = self.totals.trailer(hex::encode(self.digest.finalize()));
        trailer.number_of_records = self.number;
        (trailer, self.sound, self.findings)
    }
}
