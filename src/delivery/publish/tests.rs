//! What the probe decides, row by row.

use super::*;

const SIZE: u64 = 1000;
const ABSENT: Seen = Seen::Absent;
const HIDDEN: Seen = Seen::Hidden;
const OURS: Seen = Seen::Present { size_bytes: Some(SIZE) };
const OTHER: Seen = Seen::Present { size_bytes: Some(SIZE + 1) };
const UNSIZED: Seen = Seen::Present { size_bytes: None };

fn order(rename_attempt: u32) -> RenameOrder<'static> {
    RenameOrder {
        temporary_name: "T.1.part",
        final_name: "T",
        size_bytes: SIZE,
        rename_attempt,
        proves_publication: true,
        same_identity: true,
    }
}

/// What a row of the table must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Go,
    Published(How),
    LeftOver,
    StaysReady,
    SendAgain,
    Uncertain,
}

fn row(verdict: Verdict) -> Row {
    match verdict {
        Verdict::Undecided => Row::Go,
        Verdict::Published(how) => Row::Published(how),
        Verdict::PublishedWithLeftOver => Row::LeftOver,
        Verdict::StaysReady => Row::StaysReady,
        Verdict::SendAgain(_) => Row::SendAgain,
        Verdict::Uncertain(_) => Row::Uncertain,
    }
}

fn facts(temporary: Seen, published: Seen) -> Facts {
    Facts { temporary, published, folders_seen: true }
}

#[test]
fn r137_what_the_first_look_decides() {
    let present = |size_bytes| FinalName::Present { size_bytes };
    for (attempt, seen, expected) in [
        (1, FinalName::Absent, Row::Go),
        (1, FinalName::Unknown, Row::Go),
        (1, present(Some(SIZE)), Row::Uncertain),
        (1, present(Some(SIZE + 1)), Row::Uncertain),
        (1, present(None), Row::Uncertain),
        (2, FinalName::Absent, Row::Go),
        (2, FinalName::Unknown, Row::Go),
        (2, present(Some(SIZE)), Row::LeftOver),
        (2, present(Some(SIZE - 1)), Row::Uncertain),
        (2, present(Some(SIZE + 1)), Row::Uncertain),
        (2, present(None), Row::Uncertain),
    ] {
        assert_eq!(row(before_rename(&order(attempt), seen)), expected, "n = {attempt}, {seen:?}");
    }
}

#[test]
fn r137_no_such_file_at_the_first_rename_was_never_published() {
    for published in [ABSENT, HIDDEN, OURS, OTHER] {
        for (temporary, expected) in
            [(OURS, Row::StaysReady), (UNSIZED, Row::StaysReady), (ABSENT, Row::SendAgain), (HIDDEN, Row::SendAgain)]
        {
            let verdict = after_rename(&order(1), Answer::NoSuchFile, &facts(temporary, published));
            assert_eq!(row(verdict), expected, "{temporary:?} {published:?}");
        }
    }
}

#[test]
fn r137_no_such_file_at_a_later_rename() {
    for (temporary, published, expected) in [
        (OURS, ABSENT, Row::StaysReady),
        (OURS, HIDDEN, Row::StaysReady),
        (ABSENT, ABSENT, Row::Published(How::Proved)),
        (ABSENT, OURS, Row::Published(How::Found)),
        (HIDDEN, ABSENT, Row::Uncertain),
        (HIDDEN, HIDDEN, Row::Uncertain),
    ] {
        let verdict = after_rename(&order(2), Answer::NoSuchFile, &facts(temporary, published));
        assert_eq!(row(verdict), expected, "{temporary:?} {published:?}");
    }
}

#[test]
fn r137_a_gone_temporary_file_proves_nothing_unless_all_three_conditions_hold() {
    for (proves_publication, same_identity, folders_seen) in
        [(false, true, true), (true, false, true), (true, true, false), (false, false, false)]
    {
        let order = RenameOrder { proves_publication, same_identity, ..order(2) };
        let facts = Facts { folders_seen, ..facts(ABSENT, ABSENT) };
        for answer in [Answer::NoSuchFile, Answer::Other] {
            assert_eq!(row(after_rename(&order, answer, &facts)), Row::Uncertain, "{order:?} {facts:?}");
        }
    }
}

#[test]
fn r137_any_other_answer() {
    for (attempt, temporary, published, expected) in [
        // Temporary there and final absent: not published.
        (1, OURS, ABSENT, Row::StaysReady),
        (2, OURS, ABSENT, Row::StaysReady),
        (1, UNSIZED, ABSENT, Row::StaysReady),
        // Final there with our size, but only after an earlier rename of ours.
        (1, OURS, OURS, Row::Uncertain),
        (1, ABSENT, OURS, Row::Uncertain),
        (2, OURS, OURS, Row::LeftOver),
        (2, ABSENT, OURS, Row::Published(How::Found)),
        (2, HIDDEN, OURS, Row::Published(How::Found)),
        (2, ABSENT, OTHER, Row::Uncertain),
        (2, OURS, OTHER, Row::Uncertain),
        (2, ABSENT, UNSIZED, Row::Uncertain),
        // Both absent: as "no such file, n > 1", whatever n.
        (1, ABSENT, ABSENT, Row::Published(How::Proved)),
        (2, ABSENT, ABSENT, Row::Published(How::Proved)),
        // Stat denied.
        (1, HIDDEN, HIDDEN, Row::Uncertain),
        (2, HIDDEN, HIDDEN, Row::Uncertain),
        (2, OURS, HIDDEN, Row::Uncertain),
        (2, HIDDEN, ABSENT, Row::Uncertain),
        (2, ABSENT, HIDDEN, Row::Uncertain),
    ] {
        let verdict = after_rename(&order(attempt), Answer::Other, &facts(temporary, published));
        assert_eq!(row(verdict), expected, "n = {attempt}, {temporary:?}, {published:?}");
    }
}
