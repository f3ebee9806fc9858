//! Fault 31 as a table: a file's newest line against its row.

use super::*;
use crate::night::sample::{file, sent_again};

fn word(file: &FileRow, entry: JournalEntry) -> &'static str {
    match standing(file, &entry) {
        Standing::Agreed => "agreed",
        Standing::OneAhead => "ahead",
        Standing::Behind => "behind",
    }
}

fn renaming(attempt: u32, n: u32) -> JournalEntry {
    JournalEntry::Rename { n, attempt }
}

fn published(attempt: u32) -> JournalEntry {
    JournalEntry::Published { attempt }
}

const STATES: [FileState; 8] = [
    FileState::Claimed,
    FileState::Sealed,
    FileState::Sending,
    FileState::Ready,
    FileState::Renaming,
    FileState::Published,
    FileState::Settled,
    FileState::Uncertain,
];

/// One row per line, one column per state of [`STATES`]. The row's attempt is 1, one rename of it was tried.
#[test]
fn fault_31_the_newest_line_against_every_state() {
    for (entry, expected) in [
        (renaming(1, 1), ["behind", "behind", "behind", "agreed", "agreed", "agreed", "agreed", "agreed"]),
        (renaming(1, 2), ["behind", "behind", "behind", "ahead", "ahead", "agreed", "agreed", "agreed"]),
        (renaming(1, 3), ["behind", "behind", "behind", "behind", "behind", "agreed", "agreed", "agreed"]),
        (published(1), ["behind", "behind", "behind", "behind", "ahead", "agreed", "agreed", "agreed"]),
        // An attempt that the row has never heard of: whatever its state, it is older.
        (renaming(2, 1), ["behind"; 8]),
        (published(2), ["behind"; 8]),
    ] {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let row = FileRow { rename_attempt: 1, ..file(state) };
            assert_eq!(word(&row, entry.clone()), expected, "{entry:?}, {state}");
        }
    }
}

#[test]
fn fault_31_a_line_of_an_earlier_attempt_is_long_committed() {
    for state in STATES {
        let row = FileRow { attempt: 2, ..file(state) };
        assert_eq!((word(&row, renaming(1, 4)), word(&row, published(1))), ("agreed", "agreed"), "{state}");
    }
}

/// `resolve --not-delivered`, and a resend that has only been ordered: the attempt of the newest line is over, the next
/// has not begun.
#[test]
fn fault_31_after_a_persons_word_the_next_attempt_begins_anew() {
    let resolved = FileRow { temporary_name: None, ..file(FileState::Sending) };
    assert_eq!((word(&resolved, renaming(1, 2)), word(&resolved, published(1))), ("agreed", "agreed"));
    assert_eq!(word(&resolved, renaming(2, 1)), "behind", "its upload is not known");
    let resend = FileRow { attempt: 1, temporary_name: None, ..sent_again(FileState::Sending) };
    assert_eq!(word(&resend, published(1)), "agreed");

    // Restored to before the resend, or to its beginning: what the house had since is not known.
    let settled = FileRow { attempt: 1, ..sent_again(FileState::Settled) };
    for row in [settled, resend] {
        assert_eq!((word(&row, renaming(2, 1)), word(&row, published(2))), ("behind", "behind"));
    }
    let under_way = sent_again(FileState::Sending);
    assert_eq!((word(&under_way, published(1)), word(&under_way, published(2))), ("agreed", "behind"));
    assert_eq!(word(&sent_again(FileState::Renaming), published(2)), "ahead");
}

#[test]
fn fault_31_sealed_again_under_a_later_epoch() {
    let sealed = |epoch| JournalEntry::Sealed { epoch, facts: None };
    let claimed = FileRow { sealed_epoch: None, ..file(FileState::Claimed) };
    assert_eq!(word(&claimed, sealed(3)), "ahead");
    for state in &STATES[1..] {
        let row = file(*state);
        assert_eq!(
            (word(&row, sealed(2)), word(&row, sealed(3)), word(&row, sealed(4))),
            ("agreed", "agreed", "behind")
        );
    }
}
