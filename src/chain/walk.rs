//! The walk along a chain: every entry against the one before it, and against heads that were kept elsewhere.
//!
//! Invariants: one entry at a time, so that memory does not grow with the chain; what was changed is told by its number,
//! and the sound entries behind it are not accused with it.

use std::collections::BTreeSet;

use super::{ChainKey, ChainKeys, Entry, Head, Mac, NOTHING_BEFORE};

/// More are counted, not told one by one.
const TOLD_MOST: usize = 100;
/// MACs of doubtful entries that are kept to find what followed them.
const DOUBTFUL_MOST: usize = 16;

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// Numbers are left out.
    #[error("{} removed; the entry behind cannot be checked without what was before it", entries(*.from, *.to))]
    Removed {
        /// The first one that is missing.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// An entry does not fit its MAC.
    #[error("entry {number} is not what was written there: it was changed, or another one was put in its place")]
    Changed {
        /// Its number.
        number: i64,
    },
    /// An entry that was written under another number.
    #[error("entry {number} was written as number {was}: entries were reordered, or one was inserted before it")]
    Moved {
        /// Where it stands.
        number: i64,
        /// Where it stood.
        was: i64,
    },
    /// A number stands twice.
    #[error("number {number} stands more than once: an entry was inserted")]
    Repeated {
        /// The number.
        number: i64,
    },
    /// An entry under a key that is none of ours.
    #[error(
        "entry {number} names key {key_id}, which is no audit key of the configuration: it was inserted, or the key was taken out of the configuration too early"
    )]
    UnknownKey {
        /// The first entry that names it.
        number: i64,
        /// The key it names.
        key_id: String,
    },
    /// An entry under a key that another one had replaced.
    #[error("entry {number} is under key {key_id}, which had been replaced before: it was made afterwards")]
    KeyCameBack {
        /// Its number.
        number: i64,
        /// The key.
        key_id: String,
    },
    /// The chain ends before a head that was kept.
    #[error(
        "the chain ends with entry {last}, but the head of entry {head} was kept: {} cut off, or this database is an older one",
        entries(.last + 1, *.head)
    )]
    CutOff {
        /// The newest entry; 0 where there is none.
        last: i64,
        /// The entry of the head.
        head: i64,
    },
    /// The entry of a head that was kept is another one.
    #[error(
        "entry {number} is not the one whose head was kept: the chain up to there was written anew, or a restored database was used since"
    )]
    OtherHead {
        /// Its number.
        number: i64,
    },
}

impl ChainFault {
    /// Its kind, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Removed { .. } => "REMOVED",
            Self::Changed { .. } => "CHANGED",
            Self::Moved { .. } => "MOVED",
            Self::Repeated { .. } => "REPEATED",
            Self::UnknownKey { .. } => "UNKNOWN_KEY",
            Self::KeyCameBack { .. } => "KEY_CAME_BACK",
            Self::CutOff { .. } => "CUT_OFF",
            Self::OtherHead { .. } => "OTHER_HEAD",
        }
    }

    /// The entry: of several the first.
    pub fn number(&self) -> i64 {
        match self {
            Self::Removed { from: number, .. }
            | Self::Changed { number }
            | Self::Moved { number, .. }
            | Self::Repeated { number }
            | Self::UnknownKey { number, .. }
            | Self::KeyCameBack { number, .. }
            | Self::OtherHead { number } => *number,
            Self::CutOff { last, .. } => last + 1,
        }
    }
}

fn entries(from: i64, to: i64) -> String {
    if from == to { format!("entry {from} was") } else { format!("entries {from} to {to} were") }
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walked {
    /// Entries looked at.
    pub entries: u64,
    /// Those whose MAC is right.
    pub sound: u64,
    /// The newest one.
    pub head: Option<Head>,
    /// What is wrong, in the chain's order; a hundred at most.
    pub faults: Vec<ChainFault>,
    /// How many more there are.
    pub more: u64,
}

/// A walk under way.
#[derive(Debug)]
pub struct Walk<'k> {
    keys: &'k ChainKeys,
    /// Heads that were kept, by number.
    kept: BTreeSet<(i64, Mac)>,
    /// The MAC before the next entry.
    before: Mac,
    /// What fits nowhere yet: the number of the first doubtful place, and the MAC before it.
    hole: Option<(i64, Mac)>,
    /// MACs of doubtful entries, the newest last.
    doubtful: Vec<Mac>,
    key_id: Option<String>,
    /// Keys that were replaced, and unknown ones that were told.
    left: BTreeSet<String>,
    told: BTreeSet<String>,
    walked: Walked,
}

impl<'k> Walk<'k> {
    /// At the beginning of a chain.
    pub fn new(keys: &'k ChainKeys, kept: &[Head]) -> Self {
        Self {
            keys,
            kept: kept.iter().map(|head| (head.number, head.mac)).collect(),
            before: NOTHING_BEFORE,
            hole: None,
            doubtful: Vec::new(),
            key_id: None,
            left: BTreeSet::new(),
            told: BTreeSet::new(),
            walked: Walked::default(),
        }
    }

    /// The next entry, in the order of numbers, with the id of its key and its MAC as they are stored.
    pub fn step(&mut self, entry: &Entry<'_>, key_id: &str, stored: &[u8]) {
        let last = self.walked.head.map_or(0, |head| head.number);
        let follows = entry.number == last + 1;
        if entry.number <= last {
            self.find(ChainFault::Repeated { number: entry.number });
        } else if !follows {
            self.find(ChainFault::Removed { from: last + 1, to: entry.number - 1 });
        }
        // A MAC of another length is no MAC, and fits nothing.
        let mac = Mac::try_from(stored).unwrap_or(NOTHING_BEFORE);
        self.walked.entries += 1;
        self.look_at_key(entry.number, key_id);
        match self.keys.get(key_id) {
            Some(key) if self.fits(key, entry, &mac) => self.walked.sound += 1,
            Some(key) => self.doubt(key, entry, &mac, follows),
            None => self.keep_doubtful(mac),
        }
        self.before = mac;
        if entry.number > last {
            self.walked.head = Some(Head { number: entry.number, mac });
            let mut kept = self.kept.range((entry.number, [0; 32])..=(entry.number, [255; 32]));
            if kept.any(|(_, kept)| *kept != mac) {
                self.find(ChainFault::OtherHead { number: entry.number });
            }
        }
    }

    #[cfg(test)]
    pub(super) fn names_kept(&self) -> usize {
        self.told.len()
    }

    /// At its end.
    pub fn finish(mut self) -> Walked {
        let last = self.walked.head.map_or(0, |head| head.number);
        if let Some((head, _)) = self.kept.last().copied().filter(|(head, _)| *head > last) {
            self.find(ChainFault::CutOff { last, head });
        }
        self.walked
    }

    /// Whether it is the entry that was written here: behind the one before it, or behind a doubtful one.
    fn fits(&self, key: &ChainKey, entry: &Entry<'_>, mac: &Mac) -> bool {
        let mut before = std::iter::once(&self.before).chain(&self.doubtful);
        before.any(|before| key.mac(entry, before) == *mac)
    }

    fn doubt(&mut self, key: &ChainKey, entry: &Entry<'_>, mac: &Mac, follows: bool) {
        let moved = self.hole.filter(|(was, before)| key.mac(&Entry { number: *was, ..*entry }, before) == *mac);
        if let Some((was, _)) = moved {
            self.find(ChainFault::Moved { number: entry.number, was });
            self.hole = Some((was + 1, *mac));
        } else if follows {
            self.find(ChainFault::Changed { number: entry.number });
            self.hole.get_or_insert((entry.number, self.before));
        }
        self.keep_doubtful(*mac);
    }

    fn keep_doubtful(&mut self, mac: Mac) {
        if self.doubtful.len() == DOUBTFUL_MOST {
            self.doubtful.remove(0);
        }
        self.doubtful.push(mac);
    }

    fn look_at_key(&mut self, number: i64, key_id: &str) {
        if self.keys.get(key_id).is_none() {
            if !self.told.contains(key_id) {
                // Somebody may have written another one into every row.
                if self.told.len() < TOLD_MOST {
                    self.told.insert(key_id.to_owned());
                }
                self.find(ChainFault::UnknownKey { number, key_id: key_id.to_owned() });
            }
        } else if self.key_id.as_deref() != Some(key_id) {
            if self.left.contains(key_id) {
                self.find(ChainFault::KeyCameBack { number, key_id: key_id.to_owned() });
            }
            self.left.extend(self.key_id.replace(key_id.to_owned()));
        }
    }

    fn find(&mut self, fault: ChainFault) {
        if self.walked.faults.len() < TOLD_MOST {
            self.walked.faults.push(fault);
        } else {
            self.walked.more += 1;
        }
    }
}
