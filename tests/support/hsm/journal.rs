//! What came in: so that a test can prove that nobody was given a second PIN, and that no connection was used after it
//! had failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::faults::{Act, Seen};

/// One command.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number on the device, from 1.
    pub order: u64,
    /// Number of its connection, from 1.
    pub connection: u64,
    /// Its header.
    pub header: Vec<u8>,
    /// Its two letters.
    pub code: String,
    /// Account number of twelve digits, where it has one.
    pub account: Option<String>,
    /// The error code of the answer; `None` where the device died over it.
    pub error: Option<String>,
    /// What went wrong on purpose.
    pub act: Option<Act>,
    /// Whether the client had sent more before its answer came.
    pub pressed: bool,
    /// When it came.
    pub at: Instant,
}

impl Entry {
    /// A command that came just now.
    pub fn of(seen: &Seen, header: &[u8], error: Option<&str>, act: Option<Act>, pressed: bool) -> Self {
        Self {
            order: seen.order,
            connection: seen.connection,
            header: header.to_vec(),
            code: seen.code.clone(),
            account: seen.account.clone(),
            error: error.map(str::to_owned),
            act,
            pressed,
            at: Instant::now(),
        }
    }

    /// Whether the client cannot have had a whole answer of its own to it in time.
    fn broke(&self) -> bool {
        use Act::{Bytes, Crossed, Late, Reset, Stall, WrongHeader, WrongLetters};
        matches!(&self.act, Some(Stall | Late | Crossed | Reset(_) | WrongHeader | WrongLetters | Bytes(_)))
    }
}

/// Everything that came in.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Mutex<Vec<Entry>>,
    orders: AtomicU64,
    connections: AtomicUsize,
    most_open: AtomicUsize,
    refused: AtomicUsize,
}

impl Journal {
    pub(super) fn next_order(&self) -> u64 {
        self.orders.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(super) fn add(&self, entry: Entry) {
        self.entries.lock().expect("not poisoned").push(entry);
    }

    pub(super) fn opened(&self, open: usize) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.most_open.fetch_max(open, Ordering::SeqCst);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }

    /// Commands so far.
    pub fn count(&self) -> u64 {
        self.orders.load(Ordering::SeqCst)
    }

    /// Every command, in the order they came.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = self.entries.lock().expect("not poisoned").clone();
        entries.sort_by_key(|entry| entry.order);
        entries
    }

    /// The commands of these letters.
    pub fn of(&self, code: &str) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.code == code).collect()
    }

    /// The letters of every command, in their order.
    pub fn codes(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.code).collect()
    }

    /// How many PINs were asked for, by account.
    pub fn pins_asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for entry in self.of("JA") {
            *asked.entry(entry.account.unwrap_or_default()).or_default() += 1;
        }
        asked
    }

    /// Connections that were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The most that were open at once.
    pub fn most_open(&self) -> usize {
        self.most_open.load(Ordering::SeqCst)
    }

    /// Clients whom TLS refused.
    pub fn refused_clients(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// The most commands in any second.
    pub fn most_in_a_second(&self) -> usize {
        let times: Vec<Instant> = self.entries().iter().map(|entry| entry.at).collect();
        let within = |first: &Instant| {
            times.iter().filter(|at| *at >= first && at.duration_since(*first) < Duration::from_secs(1)).count()
        };
        times.iter().map(within).max().unwrap_or_default()
    }

    /// What the client must never do, whatever the device does; empty is good.
    pub fn violations(&self) -> Vec<String> {
        let entries = self.entries();
        let mut found = Vec::new();
        let (mut headers, mut broken) = (BTreeSet::new(), BTreeSet::new());
        for entry in &entries {
            let Entry { order, connection, code, .. } = entry;
            if !headers.insert(entry.header.clone()) {
                found.push(format!("command {order} ({code}) has the header of an earlier one"));
            }
            if broken.contains(connection) {
                found.push(format!("command {order} ({code}) came on connection {connection}, which had failed"));
            }
            if entry.pressed {
                found.push(format!("connection {connection} had two commands in flight with {order} ({code})"));
            }
            if entry.broke() {
                broken.insert(*connection);
            }
        }
        found
    }
}
