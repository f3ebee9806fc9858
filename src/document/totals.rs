//! Control totals (3.5): counted while records pass, the same way by the writer and by the reader (R132).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::model::{Record, RecordType, Trailer};
use crate::agreement::FileVersion;

/// The hash total is kept modulo 10^12, so that it always has twelve digits.
const HASH_TOTAL_MODULUS: u64 = 1_000_000_000_000;

/// Totals of the records seen so far. Memory grows with distinct layouts and bulk codes, not with records.
#[derive(Clone, PartialEq, Eq)]
pub struct Totals {
    version: FileVersion,
    trailer: Trailer,
    bulk_codes: BTreeSet<String>,
    pan_sum: u64,
}

impl Totals {
    /// Nothing counted yet. The version matters: a version 1 file has no bulk codes, so that whoever recounts it
    /// must come to the same number of carriers.
    pub fn new(version: FileVersion) -> Self {
        Self { version, trailer: Trailer::default(), bulk_codes: BTreeSet::new(), pan_sum: 0 }
    }

    /// Counts one record.
    pub fn add(&mut self, record: &Record) {
        let totals = &mut self.trailer;
        totals.number_of_records += 1;
        totals.number_of_pin_mailers += u64::from(record.pin_mailer.is_some());
        count(&mut totals.by_production_event, record.production_event.as_str());
        if let Some(layout) = record.external_layout_code.as_deref().filter(|code| !code.is_empty()) {
            count(&mut totals.by_layout, layout);
        }
        if let Some(delivery) = &record.card_delivery {
            count(&mut totals.by_card_delivery_type, delivery.kind.as_str());
        }
        self.count_carrier(record);
        self.pan_sum = (self.pan_sum + middle_digits(record.pan.expose())) % HASH_TOTAL_MODULUS;
    }

    /// Destinations: every card by itself, but the cards of one bulk code together.
    fn count_carrier(&mut self, record: &Record) {
        let bulk = record.bulk_code.as_deref().filter(|code| self.version == FileVersion::V2 && !code.is_empty());
        if let Some(code) = bulk
            && !self.bulk_codes.contains(code)
        {
            self.bulk_codes.insert(code.to_owned());
        }
        match record.record_type {
            RecordType::Card => {
                self.trailer.number_of_cards += 1;
                self.trailer.number_of_carriers += u64::from(bulk.is_none());
            }
            RecordType::PinOnly => self.trailer.number_of_pin_only += 1,
        }
    }

    /// Records counted.
    pub fn records(&self) -> u64 {
        self.trailer.number_of_records
    }

    /// The trailer, with the records' digest in lower-case hexadecimal.
    pub fn trailer(&self, records_sha256: String) -> Trailer {
        let mut trailer = self.trailer.clone();
        trailer.number_of_carriers += self.bulk_codes.len() as u64;
        trailer.number_of_layouts = trailer.by_layout.len() as u64;
        trailer.pan_hash_total = format!("{:012}", self.pan_sum);
        trailer.records_sha256 = records_sha256;
        trailer
    }
}

impl fmt::Debug for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Totals({} records)", self.records())
    }
}

fn count(counts: &mut BTreeMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count += 1;
    } else {
        counts.insert(key.to_owned(), 1);
    }
}

/// Digits 7 to 15 of a PAN as a number.
fn middle_digits(pan: &str) -> u64 {
    pan.bytes().skip(6).take(9).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}
