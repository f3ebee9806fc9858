//! What persons order: audited, sent again without moving anything, repeated as a duplicate.

use super::files::claimed;
use super::night::*;
use super::seed::*;
use emboss::card::PlasticStatus;
use emboss::document::FileType;
use emboss::selection::ReasonCode;
use emboss::settlement::{FileEvent, FileState};
use emboss::store::*;
use serde_json::{Value, json};

fn data(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn kinds(store: &dyn Store) -> Vec<String> {
    store.events(0, 1_000).await.unwrap().into_iter().map(|event| event.kind).collect()
}

/// The entries of what persons ordered.
async fn audited(store: &dyn Store) -> Vec<AuditRow> {
    let mut rows = store.audit(0, 1_000).await.unwrap();
    rows.retain(AuditRow::is_ordered);
    rows
}

/// A settled file of two cards, taken into the epoch of a person's order.
async fn settled(store: &dyn Store) -> (Run, FileRow) {
    let (mut run, mut file) = claimed(store, 2).await;
    issue_pins(store, &run, file.file_id).await;
    run.settle(store, &mut file).await;
    run.epoch = store.begin_action().await.unwrap();
    let file = store.file(file.file_id).await.unwrap().unwrap();
    let file = store.adopt(&file, run.epoch).await.unwrap();
    (run, file)
}

pub(crate) async fn an_order_is_audited_with_its_transition(store: &dyn Store) {
    let (run, mut file) = claimed(store, 2).await;
    run.renaming(store, &mut file).await;
    run.step(store, &mut file, FileEvent::Doubt, FileChange::Because("no answer".into())).await;
    assert_eq!(audited(store).await, [], "a run's own steps are none of a person");
    run.step(store, &mut file, FileEvent::ResolveDelivered, ordered("they telephoned")).await;
    let rows = audited(store).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.actor.as_str(), row.reason.as_str()), ("anna", "they telephoned"));
    assert_eq!((row.action.as_str(), &row.subject), ("file.resolved_delivered", &file.file_id.to_string()));
    let told = data(&row.data);
    assert_eq!((&told["from"], &told["to"]), (&json!("UNCERTAIN"), &json!("PUBLISHED")));
    assert_eq!((&told["sha256"], &told["institution"]), (&json!("ab".repeat(32)), &json!("246001")));
    let events = store.events(0, 100).await.unwrap();
    let event = events.last().unwrap();
    assert_eq!((event.kind.as_str(), event.at), ("file.resolved_delivered", row.at));
    assert_eq!((&data(&event.data)["by"], &data(&event.data)["reason"]), (&json!("anna"), &json!("they telephoned")));
    assert_eq!(store.audit(row.number, 10).await.unwrap(), []);

    // Refused, it leaves no row.
    let refused = store.advance(&file, FileEvent::Abandon, run.epoch, ordered("too late")).await;
    assert!(matches!(refused, Err(StoreError::Illegal { .. })), "{refused:?}");
    assert_eq!(audited(store).await.len(), 1);
}

pub(crate) async fn what_no_transition_brings_along_is_audited_too(store: &dyn Store) {
    let authority = anna("complaint 17");
    store.note_audited("file.inspected", Some(&issuer()), "f-1", &authority, &json!({"fileName": "n"})).await.unwrap();
    let rows = audited(store).await;
    assert_eq!((rows[0].action.as_str(), rows[0].subject.as_str()), ("file.inspected", "f-1"));
    assert_eq!(data(&rows[0].data), json!({"fileName": "n", "institution": "246001"}));
    let events = store.events(0, 10).await.unwrap();
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "file.inspected"));
    assert_eq!(data(&events[0].data)["by"], "anna");
}

/// An earlier T0's file is claimed again, but not one whose cards a person took out: it goes as it is, and what is due
/// goes in the next.
pub(crate) async fn an_abandoned_file_is_never_filled_again(store: &dyn Store) {
    let (run, mut file) = claimed(store, 2).await;
    run.seal(store, &mut file).await;
    run.step(store, &mut file, FileEvent::Abandon, ordered("a wrong layout")).await;
    assert_eq!((file.state, file.abandoned, file.file_name.clone()), (FileState::Claimed, true, None));
    let told = data(&audited(store).await[0].data);
    assert_eq!((&told["fileName"], &told["from"]), (&json!("EMB_TEST.xml.pgp"), &json!("SEALED")), "what it was");

    let next = Run::begin(store, 21, 1).await;
    let mut script = Script { first_file: 10, ..Script::default() };
    let files = next.claim(store, &mut script).await.files;
    assert_eq!(files.len(), 1);
    assert_eq!((files[0].sequence_number, files[0].file_id), (2, file_id(10)));
    assert_eq!(plastics_in(store, files[0].file_id).await, [1, 2]);
    let abandoned = store.file(file.file_id).await.unwrap().unwrap();
    assert_eq!((abandoned.state, plastics_in(store, file.file_id).await), (FileState::Claimed, vec![]));
    let mut abandoned = store.adopt(&abandoned, next.epoch).await.unwrap();
    assert_eq!(next.settle(store, &mut abandoned).await, SettleOutcome::default());
}

pub(crate) async fn a_resend_leaves_the_file_settled(store: &dyn Store) {
    let (run, mut file) = settled(store).await;
    let before = file.clone();
    run.step(store, &mut file, FileEvent::Resend, ordered("they lost it")).await;
    assert_eq!((file.state, file.is_resend(), file.delivery_number), (FileState::Sending, true, 2));
    assert_eq!((file.attempt, file.temporary_name.clone(), file.rename_attempt), (1, None, 0));
    assert_eq!(store.unfinished().await.unwrap(), [file.clone()], "a run goes on with it");
    assert!(store.advance(&file, FileEvent::Send, run.epoch, sending(1)).await.is_err(), "no attempt is made twice");
    run.step(store, &mut file, FileEvent::Send, sending(2)).await;
    assert_eq!((file.attempt, file.temporary_name.as_deref()), (2, Some("EMB_TEST.2.part")));
    run.step(store, &mut file, FileEvent::Complete, FileChange::Complete).await;
    run.step(store, &mut file, FileEvent::Rename, FileChange::Rename { rename_attempt: 1 }).await;
    run.step(store, &mut file, FileEvent::Refuse, FileChange::Because("no folder".into())).await;
    assert_eq!((file.state, file.trouble.as_deref()), (FileState::Ready, Some("no folder")));
    run.step(store, &mut file, FileEvent::Rename, FileChange::Rename { rename_attempt: 2 }).await;
    let at = at("2026-11-25T10:00:00Z");
    run.step(store, &mut file, FileEvent::Publish, FileChange::Publish { at }).await;
    assert_eq!((file.state, file.is_resend(), file.trouble.clone()), (FileState::Settled, false, None));
    assert_eq!((file.published_at, file.settled_at), (before.published_at, before.settled_at));
    assert_eq!(store.unfinished().await.unwrap(), []);
    let kinds = kinds(store).await;
    let moved = kinds.iter().filter(|kind| *kind == "plastic.moved").count();
    assert_eq!(
        (moved, kinds.last().map(String::as_str)),
        (2, Some("file.published")),
        "by the night, not by the resend"
    );
    assert!(matches!(store.settle(&file, run.epoch).await, Err(StoreError::Illegal { .. })));
}

pub(crate) async fn a_resend_waits_for_a_person_too(store: &dyn Store) {
    let (run, mut file) = settled(store).await;
    run.step(store, &mut file, FileEvent::Resend, ordered("they lost it")).await;
    for (attempt, word) in [(2, FileEvent::ResolveNotDelivered), (3, FileEvent::ResolveDelivered)] {
        run.step(store, &mut file, FileEvent::Send, sending(attempt)).await;
        run.step(store, &mut file, FileEvent::Complete, FileChange::Complete).await;
        run.step(store, &mut file, FileEvent::Rename, FileChange::Rename { rename_attempt: 1 }).await;
        run.step(store, &mut file, FileEvent::Doubt, FileChange::Because("no answer".into())).await;
        assert_eq!((file.state, file.is_resend()), (FileState::Uncertain, true));
        assert_eq!(store.unfinished().await.unwrap(), [file.clone()]);
        run.step(store, &mut file, word, ordered("their word")).await;
        assert_eq!(file.temporary_name.is_none(), word == FileEvent::ResolveNotDelivered);
    }
    assert_eq!((file.state, store.unfinished().await.unwrap().len()), (FileState::Settled, 0));
    assert_eq!(audited(store).await.len(), 3);
}

pub(crate) async fn a_resend_is_withdrawn_and_ordered_again(store: &dyn Store) {
    let (run, mut file) = settled(store).await;
    for (number, change) in [(2, ordered("never mind")), (3, FileChange::Because("its bytes are gone".into()))] {
        run.step(store, &mut file, FileEvent::Resend, ordered("again")).await;
        run.step(store, &mut file, FileEvent::Send, sending(number)).await;
        assert_eq!((file.delivery_number, file.attempt), (number, number));
        run.step(store, &mut file, FileEvent::Withdraw, change).await;
        assert_eq!((file.state, file.is_resend()), (FileState::Settled, false));
    }
    assert_eq!(file.trouble.as_deref(), Some("its bytes are gone"));
    assert_eq!(store.unfinished().await.unwrap(), []);
    assert_eq!(audited(store).await.len(), 3, "two orders and one withdrawal; the other was nobody's");
}

pub(crate) async fn fault_22_a_stale_epoch_moves_no_resend(store: &dyn Store) {
    let (run, mut file) = settled(store).await;
    run.step(store, &mut file, FileEvent::Resend, ordered("again")).await;
    let next = Run::begin(store, 21, 1).await;
    let mut adopted = store.adopt(&file, next.epoch).await.unwrap();
    assert_eq!(adopted, FileRow { epoch: next.epoch, ..file.clone() });
    let refused = store.advance(&file, FileEvent::Send, run.epoch, sending(2)).await;
    assert!(matches!(refused, Err(StoreError::Stale { .. })), "{refused:?}");
    let before = adopted.clone();
    next.step(store, &mut adopted, FileEvent::Withdraw, ordered("never mind")).await;
    assert!(store.advance(&before, FileEvent::Send, next.epoch, sending(2)).await.is_err(), "another state");
    assert_eq!(store.file(file.file_id).await.unwrap(), Some(adopted), "and nothing of it is written");
}

async fn duplicated(store: &dyn Store) -> (Run, FileRow, FileRow) {
    let (run, original) = settled(store).await;
    let new = NewFile { file_id: file_id(7), fill_seed: b"the same seed".to_vec() };
    let made = store.duplicate(&original, &new, run.epoch, &anna("burned")).await.unwrap();
    (run, original, made)
}

pub(crate) async fn r67_r130_a_duplicate_repeats_the_items_and_moves_nothing(store: &dyn Store) {
    let (run, original, mut made) = duplicated(store).await;
    assert_eq!(
        (made.state, made.file_type, made.resend_of),
        (FileState::Claimed, FileType::Duplicate, Some(original.file_id))
    );
    assert_eq!((made.sequence_number, made.previous_file_id), (2, Some(original.file_id)));
    assert_eq!((made.cut_off, &made.night, made.run_id), (original.cut_off, &original.night, original.run_id));
    let (items, repeated) = (store.items(original.file_id, None, 10), store.items(made.file_id, None, 10));
    let (items, repeated) = (items.await.unwrap(), repeated.await.unwrap());
    assert_eq!(items.len(), 2);
    assert_eq!(items, repeated, "the same requests, versions and PINs");
    assert_eq!(store.pins_to_issue(made.file_id, None, 10).await.unwrap(), [], "no PIN is made twice (R40)");
    let row = &audited(store).await[0];
    assert_eq!((row.action.as_str(), &row.subject), ("file.duplicated", &made.file_id.to_string()));
    assert_eq!(data(&row.data)["resendOfFileId"], json!(original.file_id));

    let before = kinds(store).await.len();
    assert_eq!(run.settle(store, &mut made).await, SettleOutcome::default());
    let after = kinds(store).await;
    assert!(!after[before..].iter().any(|kind| kind == "plastic.moved" || kind == "request.closed"), "{after:?}");
    assert_eq!(status_of(store, 1).await, PlasticStatus::Active);
    let next = Run::begin(store, 22, 1).await;
    assert_eq!(next.claim(store, &mut Script::default()).await.files, [], "nothing is due again");
}

pub(crate) async fn a_duplicate_lets_items_go_and_their_requests_stay_sent(store: &dyn Store) {
    let (run, original, mut made) = duplicated(store).await;
    let code = ReasonCode::CardDataUnavailable;
    store.release(made.file_id, run.epoch, &[(uid(1), code)]).await.unwrap();
    assert_eq!(plastics_in(store, made.file_id).await, [2]);
    run.step(store, &mut made, FileEvent::Abandon, ordered("never mind")).await;
    assert_eq!(plastics_in(store, made.file_id).await, [0_i64; 0]);
    assert_eq!((live(store, 1).await, live(store, 2).await), (vec![], vec![]), "neither is OPEN or CLAIMED again");
    assert_eq!(plastics_in(store, original.file_id).await, [1, 2], "the original keeps its items");
    run.settle(store, &mut made).await;
}

pub(crate) async fn only_a_settled_file_is_duplicated(store: &dyn Store) {
    let (run, file) = claimed(store, 1).await;
    let new = NewFile { file_id: file_id(7), fill_seed: Vec::new() };
    let refused = store.duplicate(&file, &new, run.epoch, &anna("too early")).await;
    assert!(matches!(refused, Err(StoreError::Stale { .. })), "{refused:?}");
    assert_eq!((audited(store).await, store.file(new.file_id).await.unwrap()), (vec![], None));
}
