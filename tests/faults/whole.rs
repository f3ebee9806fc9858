//! The promise of a night, checked from outside: what the houses have against what the database says.
//!
//! Two checks: [`Seen::always`] holds at every moment, also between a crash and the next run; [`Seen::at_rest`] holds
//! once a good run says that all is settled. What a house has is opened with its key, and each PIN block is compared
//! with the PIN that the database keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;

use chrono::Utc;
use emboss::document::{self, FileType, Header, Record};
use emboss::seal::{self, OpeningKey, Verdict};
use emboss::settlement::FileState;
use emboss::store::FileRow;
use sha2::{Digest, Sha256};

use crate::books::Books;
use crate::house::Arrived;
use crate::support::fixtures::folder;

/// A file that has its final name, opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) header: Header,
    pub(crate) records: Vec<Record>,
}

impl Opened {
    /// Opens it as its house would: signature, model, totals and digest must be sound.
    pub(crate) fn of(arrived: &Arrived) -> Self {
        let key = |name: &str| std::fs::read(folder().join("keys").join(name)).expect("a key");
        let house = OpeningKey::load(&key("factory-x.key"), None).expect("a key");
        let opened = seal::open(&*arrived.sealed, &house, &key("signer.asc"), Utc::now()).expect("it opens");
        let (mut reader, mut records) = (BufReader::new(opened), Vec::new());
        let mut keep = |_: &Header, record: Record| records.push(record);
        let read = document::read(&mut reader, "xml".parse().expect("a format"), &mut keep);
        let (header, _, findings) = read.unwrap_or_else(|error| panic!("{}: {error}", arrived.name));
        assert!(findings.is_empty(), "{}: {findings:?}", arrived.name);
        assert!(matches!(reader.into_inner().verdict(), Verdict::Good { .. }), "{}: not signed", arrived.name);
        Self { name: arrived.name.clone(), sha256: Self::digest(arrived), header, records }
    }

    /// SHA-256 of its bytes, as the database writes it.
    pub(crate) fn digest(arrived: &Arrived) -> String {
        hex::encode(Sha256::digest(&arrived.sealed))
    }
}

/// Both sides at one moment.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// Everything that ever had a final name, also what a house took.
    pub(crate) files: &'a [Opened],
    /// The database.
    pub(crate) books: &'a Books,
}

impl Seen<'_> {
    /// What holds at every moment: everything that is wrong.
    pub(crate) fn always(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for file in self.files {
            wrong.extend(self.against_its_row(file));
            wrong.extend(file.records.iter().filter_map(|record| self.wrong_pin(record)));
        }
        let ids = self.files.iter().map(|file| file.header.file_id.to_string());
        wrong.extend(twice(ids).map(|id| format!("file {id} is at the house more than once")));
        wrong.extend(
            twice(self.normal_records().map(|record| record.plastic_id))
                .map(|id| format!("plastic {id} is in two files")),
        );
        let moved = self.books.moves().into_iter().filter(|(_, times)| *times > 1);
        wrong.extend(moved.map(|(plastic, times)| format!("plastic {plastic} was moved {times} times")));
        wrong.extend(self.moved_without_a_file());
        let pins = self.books.items.iter().filter_map(|item| Some((item.record_uid, item.pin.as_ref()?.version)));
        let second = pins.filter(|(_, version)| *version != 1);
        wrong.extend(second.map(|(record, version)| format!("record {record} has PIN {version} of a new card (R40)")));
        wrong
    }

    /// The database knows it with these bytes, and has announced its rename: nothing is published without that.
    fn against_its_row(&self, file: &Opened) -> Option<String> {
        let row = self.books.files.iter().find(|row| row.file_id == file.header.file_id);
        match row {
            None => Some(format!("{} is at the house and the database does not know it", file.name)),
            Some(row) if row.sha256.as_ref() != Some(&file.sha256) => Some(format!("{} has other bytes", file.name)),
            Some(row) if !announced(row) => Some(format!("{} is at the house, its row is {}", file.name, row.state)),
            Some(_) => None,
        }
    }

    /// Whether a record's PIN block opens to the PIN of its item.
    fn wrong_pin(&self, record: &Record) -> Option<String> {
        let item = self.books.items.iter().find(|item| item.record_uid == record.record_uid);
        let Some(item) = item else { return Some(format!("record {} is no item", record.record_uid)) };
        let right = match (&record.chip_pin, &item.pin) {
            (Some(block), Some(_)) => self.books.block_is_of(item, block),
            (None, None) => true,
            _ => false,
        };
        (!right).then(|| format!("the PIN of record {} is not the database's", record.record_uid))
    }

    fn moved_without_a_file(&self) -> Vec<String> {
        let delivered: BTreeSet<String> = self.normal_records().map(|record| record.card_id.to_string()).collect();
        let active = self.books.plastics.iter().filter(|(_, status)| *status == "ACTIVE");
        let active =
            active.filter(|((card, number), _)| !is_virtual(*card, *number) && !delivered.contains(&card.to_string()));
        active.map(|((card, _), _)| format!("card {card} is ACTIVE and in no file the house has")).collect()
    }

    fn normal_records(&self) -> impl Iterator<Item = &Record> {
        self.files.iter().filter(|file| file.header.file_type == FileType::Normal).flat_map(|file| &file.records)
    }

    /// What holds once all is settled: every card that was due is produced and moved, once; numbers are dense.
    pub(crate) fn at_rest(&self, due: &BTreeSet<u32>) -> Vec<String> {
        let mut wrong = self.always();
        let number = |record: &Record| record.card_id.to_string().parse::<u32>().expect("a card id");
        let produced: BTreeSet<u32> = self.normal_records().map(number).collect();
        if produced != *due {
            wrong.push(format!("due were {due:?}, produced {produced:?}"));
        }
        let moves = self.books.moves();
        let still = self.normal_records().filter(|record| !moves.contains_key(&record.plastic_id.to_string()));
        wrong.extend(still.map(|record| format!("plastic {} was never moved", record.plastic_id)));
        for ((card, sequence_number), status) in &self.books.plastics {
            let expected = match (is_virtual(*card, *sequence_number), due.contains(card)) {
                (true, _) => "CLOSED",
                (false, true) => "ACTIVE",
                (false, false) => "INACTIVE",
            };
            if status != expected {
                wrong.push(format!("plastic {card}/{sequence_number} is {status}, not {expected}"));
            }
        }
        let unsettled = self.books.files.iter().filter(|row| row.state != FileState::Settled);
        wrong.extend(unsettled.map(|row| format!("file {} is {}", row.file_id, row.state)));
        wrong.extend(self.gaps());
        wrong
    }

    /// R131: 1, 2, 3 ... per agreement, in the database and in the files themselves.
    fn gaps(&self) -> Vec<String> {
        let mut numbers: BTreeMap<&str, [Vec<u64>; 2]> = BTreeMap::new();
        for row in &self.books.files {
            numbers.entry(row.manufacturer.as_str()).or_default()[0].push(row.sequence_number);
        }
        for file in self.files {
            numbers.entry(file.header.manufacturer.as_str()).or_default()[1].push(file.header.sequence_number);
        }
        let dense = |numbers: &mut Vec<u64>| {
            numbers.sort_unstable();
            numbers.iter().copied().eq(1..=numbers.len() as u64)
        };
        let mut wrong = Vec::new();
        for (house, [rows, files]) in &mut numbers {
            if !dense(rows) || !dense(files) || rows.len() != files.len() {
                wrong.push(format!("numbers of {house}: rows {rows:?}, files {files:?}"));
            }
        }
        wrong
    }
}

/// The first plastic of an instantly issued card: it never comes into a file and is closed when the second one is made.
fn is_virtual(card: u32, sequence_number: u32) -> bool {
    card == crate::orders::INSTANT && sequence_number == 1
}

/// Whether the database has said that a rename may have happened.
pub(crate) fn announced(row: &FileRow) -> bool {
    use FileState as S;
    row.rename_attempted || matches!(row.state, S::Renaming | S::Published | S::Settled | S::Uncertain)
}

/// What comes more than once.
fn twice<T: Ord>(all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(one, _)| one)
}
