//! Every pair of state and event, against the table of states worked out by hand.

use super::*;

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

/// One row per event, one column per state in the order of [`STATES`]: the state after it, or `-`. The table in
/// `docs/ARCHITECTURE.md` says the same.
const TABLE: [(FileEvent, [&str; 8]); 14] = [
    //                                CLAIMED    SEALED       SENDING      READY        RENAMING     PUBLISHED  SETTLED    UNCERTAIN
    (FileEvent::Seal, ["SEALED", "-", "-", "-", "-", "-", "-", "-"]),
    (FileEvent::LoseSpool, ["-", "CLAIMED", "CLAIMED", "CLAIMED", "-", "-", "-", "-"]),
    (FileEvent::Send, ["-", "SENDING", "SENDING", "SENDING", "SENDING", "-", "-", "-"]),
    (FileEvent::Complete, ["-", "-", "READY", "-", "-", "-", "-", "-"]),
    (FileEvent::Rename, ["-", "-", "-", "RENAMING", "RENAMING", "-", "-", "-"]),
    (FileEvent::Refuse, ["-", "-", "-", "-", "READY", "-", "-", "-"]),
    (FileEvent::Publish, ["-", "-", "-", "-", "PUBLISHED", "-", "-", "-"]),
    (FileEvent::Doubt, ["-", "UNCERTAIN", "UNCERTAIN", "UNCERTAIN", "UNCERTAIN", "-", "-", "-"]),
    (FileEvent::Settle, ["-", "-", "-", "-", "-", "SETTLED", "-", "-"]),
    (FileEvent::ResolveDelivered, ["-", "-", "-", "-", "-", "-", "-", "PUBLISHED"]),
    (FileEvent::ResolveNotDelivered, ["-", "-", "-", "-", "-", "-", "-", "SENDING"]),
    (FileEvent::Abandon, ["CLAIMED", "CLAIMED", "CLAIMED", "CLAIMED", "-", "-", "-", "-"]),
    (FileEvent::Resend, ["-", "-", "-", "-", "-", "-", "SENDING", "-"]),
    (FileEvent::Withdraw, ["-", "-", "SETTLED", "SETTLED", "-", "-", "-", "-"]),
];

#[test]
fn r60_r125_every_pair_of_state_and_event() {
    for (event, row) in TABLE {
        for (state, after) in STATES.into_iter().zip(row) {
            let next = state.next(event);
            let told = next.map_or("-", FileState::as_str);
            assert_eq!(told, after, "{state}, {event}");
            if let Err(refusal) = next {
                assert_eq!(refusal.to_string(), format!("a file in state {state} cannot {event}"));
            }
        }
    }
}

#[test]
fn the_table_has_every_event_and_every_state() {
    assert_eq!(TABLE.map(|(event, _)| event), *FileEvent::ALL);
    assert_eq!(STATES, *FileState::ALL);
}

#[test]
fn neither_a_settled_nor_an_uncertain_file_is_taken_up_by_a_run() {
    let at_work = STATES.into_iter().filter(|state| state.is_unfinished());
    assert!(at_work.eq(STATES.into_iter().take(6)));
}
