//! The pairs of state and event, against the table of states worked out by hand.

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

/// The states in which the event is possible, and the state after it.
fn legal(event: FileEvent) -> Vec<(FileState, FileState)> {
    STATES.into_iter().filter_map(|state| Some((state, state.next(event).ok()?))).collect()
}

#[test]
fn r125_nothing_is_composed_again_once_a_rename_was_tried() {
    use FileState as S;
    let before = [S::Sealed, S::Sending, S::Ready].map(|state| (state, S::Claimed));
    assert_eq!(legal(FileEvent::LoseSpool), before);
    assert_eq!(legal(FileEvent::Abandon)[1..], before);
    assert_eq!(legal(FileEvent::Abandon)[0], (S::Claimed, S::Claimed));
}

#[test]
fn r60_a_file_settles_only_from_published_and_is_published_only_by_a_rename_or_a_person() {
    use FileState as S;
    assert_eq!(legal(FileEvent::Settle), [(S::Published, S::Settled)]);
    assert_eq!(legal(FileEvent::Publish), [(S::Renaming, S::Published)]);
    assert_eq!(legal(FileEvent::ResolveDelivered), [(S::Uncertain, S::Published)]);
}

#[test]
fn a_settled_file_has_no_next_state_and_the_refusal_names_both() {
    for event in [FileEvent::Seal, FileEvent::Send, FileEvent::Abandon, FileEvent::Settle, FileEvent::Doubt] {
        let refusal = FileState::Settled.next(event).unwrap_err();
        assert_eq!(refusal.to_string(), format!("a file in state SETTLED cannot {event}"));
    }
    let at_work = STATES.into_iter().filter(|state| state.is_unfinished());
    assert!(at_work.eq(STATES.into_iter().take(6)), "neither a settled nor an uncertain file is taken up by a run");
}
