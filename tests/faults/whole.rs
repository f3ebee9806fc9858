//! The promise of a night, checked from outside: what the house has against what the database says.
//!
//! Two checks: [`Seen::always`] holds at every moment, also between a crash and the next run; [`Seen::at_rest`] holds
//! once a good run says that all is settled. What the house has is opened with the house's key, and each PIN block with
//! the PIN that the database keeps.

use std::collections::{BTreeMap, BTreeSet};

use emboss::document::{Header, Record};
use emboss::document::FileType;

/// A file that has its final name, opened.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) header: Header,
    pub(crate) records: Vec<Record>,
}

/// A row of the table `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileOf {
    pub(crate) file_id: String,
    pub(crate) manufacturer: String,
    pub(crate) sequence_number: u64,
    pub(crate) state: String,
    pub(crate) rename_attempted: bool,
    pub(crate) sha256: String,
}

/// Both sides at one moment.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Everything that ever had a final name, also what the house took.
    pub(crate) arrived: Vec<Arrived>,
    pub(crate) files: Vec<FileOf>,
    /// Status by plastic id.
    pub(crate) plastics: BTreeMap<i64, String>,
    /// How often each plastic was moved, by plastic id.
    pub(crate) moved: BTreeMap<i64, usize>,
    /// `recordUid` of every PIN that was made.
    pub(crate) pins: Vec<String>,
    /// Complaints about PIN blocks that do not open to the database's PIN.
    pub(crate) wrong_pins: Vec<String>,
}

/// States in which a file may stand at the house: its rename was announced.
const ANNOUNCED: [&str; 4] = ["RENAMING", "PUBLISHED", "SETTLED", "UNCERTAIN"];

impl Seen {
    /// What holds at every moment.
    pub(crate) fn always(&self) -> Vec<String> {
        let mut wrong = self.wrong_pins.clone();
        let mut produced: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        let mut final_files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for file in &self.arrived {
            final_files.entry(file.header.file_id.to_string()).or_default().push(&file.name);
            let known = self.files.iter().find(|row| row.file_id == file.header.file_id.to_string());
            match known {
                None => wrong.push(format!("{} is at the house and the database does not know it", file.name)),
                Some(row) if row.sha256 != file.sha256 => wrong.push(format!("{} has other bytes than its row", file.name)),
                Some(row) if !row.rename_attempted && !ANNOUNCED.contains(&&*row.state) => {
                    wrong.push(format!("{} is at the house while its row says {}", file.name, row.state));
                }
                Some(_) => {}
            }
            for record in file.records.iter().filter(|_| file.header.file_type == FileType::Normal) {
                produced.entry(record.plastic_id.get()).or_default().push(&file.name);
            }
        }
        let twice = final_files.iter().filter(|(_, names)| names.len() > 1);
        wrong.extend(twice.map(|(id, names)| format!("file {id} is at the house more than once: {names:?}")));
        let twice = produced.iter().filter(|(_, names)| names.len() > 1);
        wrong.extend(twice.map(|(plastic, names)| format!("plastic {plastic} was produced more than once: {names:?}")));
        for (plastic, status) in self.plastics.iter().filter(|(_, status)| *status != "INACTIVE") {
            if !produced.contains_key(plastic) {
                wrong.push(format!("plastic {plastic} is {status} and in no file the house has"));
            }
        }
        let moved = self.moved.iter().filter(|(_, times)| **times > 1);
        wrong.extend(moved.map(|(plastic, times)| format!("plastic {plastic} was moved {times} times")));
        let once: BTreeSet<&String> = self.pins.iter().collect();
        if once.len() < self.pins.len() {
            wrong.push(format!("two PINs for one recordUid (R40): {:?}", self.pins));
        }
        wrong
    }

    /// What holds once all is settled: every plastic but `held` is produced and moved, once; numbers are dense.
    pub(crate) fn at_rest(&self, held: &BTreeSet<i64>) -> Vec<String> {
        let mut wrong = self.always();
        let due: BTreeSet<i64> = self.plastics.keys().copied().filter(|plastic| !held.contains(plastic)).collect();
        let produced: BTreeSet<i64> =
            self.arrived.iter().flat_map(|file| &file.records).map(|record| record.plastic_id.get()).collect();
        if produced != due {
            wrong.push(format!("due were {due:?}, produced {produced:?}"));
        }
        let moved: BTreeSet<i64> = self.moved.keys().copied().collect();
        if moved != due {
            wrong.push(format!("due were {due:?}, moved {moved:?}"));
        }
        for (plastic, status) in &self.plastics {
            let expected = if held.contains(plastic) { "INACTIVE" } else { "ACTIVE" };
            if status != expected {
                wrong.push(format!("plastic {plastic} is {status}, not {expected}"));
            }
        }
        let unsettled = self.files.iter().filter(|row| row.state != "SETTLED");
        wrong.extend(unsettled.map(|row| format!("file {} is {}", row.file_id, row.state)));
        if self.files.len() != self.arrived.len() {
            wrong.push(format!("{} files were made and {} are at the house", self.files.len(), self.arrived.len()));
        }
        wrong.extend(self.gaps());
        wrong
    }

    /// R131: 1, 2, 3 ... per agreement, in the database and in the files themselves.
    fn gaps(&self) -> Vec<String> {
        let mut numbers: BTreeMap<&str, [Vec<u64>; 2]> = BTreeMap::new();
        for row in &self.files {
            numbers.entry(&row.manufacturer).or_default()[0].push(row.sequence_number);
        }
        for file in &self.arrived {
            numbers.entry(file.header.manufacturer.as_str()).or_default()[1].push(file.header.sequence_number);
        }
        let mut wrong = Vec::new();
        for (manufacturer, [rows, files]) in &mut numbers {
            rows.sort_unstable();
            files.sort_unstable();
            let dense: Vec<u64> = (1..=rows.len() as u64).collect();
            if *rows != dense || files != rows {
                wrong.push(format!("numbers of {manufacturer}: rows {rows:?}, files {files:?}"));
            }
        }
        wrong
    }
}
