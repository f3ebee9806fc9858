//! Which order is possible in which state, worked out by hand from the design's words.

use super::*;
use crate::night::sample::{NAME, file, sent_again};

const ORDERS: [Action; 5] =
    [Action::ResolveDelivered, Action::ResolveNotDelivered, Action::Abandon, Action::Resend, Action::Duplicate];

/// The orders of [`ORDERS`] that are possible, a letter each: `d`elivered, `n`ot delivered, `a`bandon, `r`esend, dupli`c`ate.
fn possible(file: &FileRow) -> String {
    ORDERS
        .into_iter()
        .zip("dnarc".chars())
        .filter(|(order, _)| admit(*order, file, None).is_ok())
        .map(|(_, l)| l)
        .collect()
}

#[test]
fn every_order_in_every_state() {
    use FileState as S;
    for (state, expected) in [
        (S::Claimed, "a"),
        (S::Sealed, "a"),
        (S::Sending, "a"),
        (S::Ready, "a"),
        (S::Renaming, ""),
        (S::Published, ""),
        (S::Uncertain, "dn"),
    ] {
        assert_eq!(possible(&file(state)), expected, "{state}");
    }
    let settled = sent_again(S::Settled);
    assert_eq!(possible(&settled), "rc");
    for (state, expected) in [(S::Sending, "ac"), (S::Ready, "ac"), (S::Renaming, "c"), (S::Uncertain, "dnc")] {
        assert_eq!(possible(&sent_again(state)), expected, "being sent again, {state}");
    }
}

#[test]
fn r125_after_a_rename_the_cards_stay_in_whatever_the_state() {
    for state in [FileState::Sending, FileState::Ready] {
        assert_eq!(possible(&FileRow { rename_attempted: true, ..file(state) }), "", "{state}");
    }
}

#[test]
fn an_abandoned_file_has_no_cards_to_take_out_and_is_repeated_like_any_other() {
    for state in [FileState::Claimed, FileState::Sealed, FileState::Sending, FileState::Ready] {
        assert_eq!(possible(&FileRow { abandoned: true, ..file(state) }), "", "{state}");
    }
    assert_eq!(possible(&FileRow { abandoned: true, ..sent_again(FileState::Settled) }), "rc");
}

#[test]
fn a_duplicate_is_sent_again_but_not_duplicated() {
    let duplicate = |row: FileRow| FileRow { file_type: FileType::Duplicate, ..row };
    assert_eq!(possible(&duplicate(sent_again(FileState::Settled))), "r");
    assert_eq!(possible(&duplicate(file(FileState::Claimed))), "a", "it goes empty then");
    assert_eq!(possible(&duplicate(file(FileState::Uncertain))), "dn");
}

/// What the journal says and the row does not: only a run finds out.
#[test]
fn where_a_rename_was_not_committed_a_run_comes_first() {
    for line in [JournalEntry::Rename { n: 1, attempt: 1 }, JournalEntry::Published { attempt: 1 }] {
        for order in ORDERS {
            let refusal = admit(order, &file(FileState::Ready), Some(&line)).unwrap_err();
            assert!(refusal.to_string().contains("emboss run") && refusal.exit_code() == 1, "{refusal}");
        }
    }
    let sealed = JournalEntry::Sealed { epoch: 3, facts: None };
    assert!(admit(Action::Abandon, &file(FileState::Claimed), Some(&sealed)).is_ok(), "nothing was sent");
}

#[test]
fn a_refusal_names_the_state_and_what_is_possible() {
    let told = admit(Action::Resend, &file(FileState::Uncertain), None).unwrap_err().to_string();
    for part in [NAME, "is UNCERTAIN", "emboss resolve --delivered", "emboss resolve --not-delivered"] {
        assert!(told.contains(part), "{told}");
    }
    let told = admit(Action::Abandon, &file(FileState::Published), None).unwrap_err().to_string();
    assert!(told.contains("the house has it") && told.ends_with("Possible: emboss run"), "{told}");
}

#[test]
fn help_names_commands_that_are_possible_and_an_id_before_there_is_a_name() {
    let claimed = FileRow { file_name: None, ..file(FileState::Claimed) };
    let ways = ways_on(&claimed);
    assert_eq!(ways.len(), 2);
    assert_eq!(ways[0], "emboss run");
    assert_eq!(ways[1], format!("emboss abandon --file {} --by WHO --reason WHY", claimed.file_id));
    let again: Vec<String> = ways_on(&sent_again(FileState::Ready));
    assert_eq!(again, ["emboss run".to_owned(), format!("emboss abandon --file {NAME} --by WHO --reason WHY")]);
    assert_eq!(ways_on(&file(FileState::Renaming)), ["emboss run"]);
}
