//! Runs, markers, and the transitions of files.

use super::night::*;
use super::seed::*;
use emboss::card::*;
use emboss::settlement::{FileEvent, FileState};
use emboss::store::*;
use uuid::Uuid;

pub(crate) async fn claimed(store: &dyn Store, cards: i64) -> (Run, FileRow) {
    let mut seed = Seed::begin(store).await;
    for number in 1..=cards {
        seed.marked_card(number, None).await;
    }
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let file = run.claim(store, &mut Script::default()).await.files.remove(0);
    (run, file)
}

pub(crate) async fn epochs_grow_and_runs_are_kept(store: &dyn Store) {
    let (first, second) = (RunId(Uuid::from_u128(1)), RunId(Uuid::from_u128(2)));
    let one = store.begin_run(&run_row(first, 20)).await.unwrap();
    let ended = at("2026-11-20T03:07:00Z");
    store.end_run(first, ended, 1, "{\"a\":1}").await.unwrap();
    assert!(store.end_run(first, ended, 0, "{}").await.is_err());
    let two = store.begin_run(&run_row(second, 21)).await.unwrap();
    assert!(two > one);
    let runs = store.runs(10).await.unwrap();
    assert_eq!(runs[0], run_row(second, 21));
    let report = Some("{\"a\":1}".to_owned());
    assert_eq!(runs[1], RunRow { ended_at: Some(ended), exit_code: Some(1), report, ..run_row(first, 20) });
    assert_eq!(store.runs(1).await.unwrap().len(), 1);
}

pub(crate) async fn fault_22_a_run_that_was_overtaken_cannot_write_its_end(store: &dyn Store) {
    let (stale, next) = (RunId(Uuid::from_u128(1)), RunId(Uuid::from_u128(2)));
    let epoch_of_ours = store.begin_run(&run_row(stale, 20)).await.unwrap();
    store.begin_run(&run_row(next, 20)).await.unwrap();
    let ended = at("2026-11-20T03:07:00Z");
    let events = store.events(0, 100).await.unwrap();
    let refused = store.end_run(stale, ended, 1, "{}").await;
    assert!(matches!(refused, Err(StoreError::Superseded { epoch, .. }) if epoch == epoch_of_ours), "{refused:?}");
    assert_eq!(store.runs(10).await.unwrap()[1], run_row(stale, 20), "it looks like one that died");
    assert_eq!(store.events(0, 100).await.unwrap(), events);
    store.end_run(next, ended, 0, "{}").await.unwrap();
}

pub(crate) async fn a_probe_is_kept_until_the_next_one(store: &dyn Store) {
    assert_eq!(store.probe("factory-x").await.unwrap(), None);
    let row = |destination: &str, time: &str, answers: &str| ProbeRow {
        destination: destination.to_owned(),
        at: at(time),
        identity: "SHA256:a bank /in /in".to_owned(),
        answers: answers.to_owned(),
    };
    let first = row("factory-x", "2026-11-20T03:00:12.345678Z", "{\"n\":1}");
    let other = row("factory-y", "2026-11-20T03:00:13Z", "{}");
    for probe in [&first, &other] {
        store.save_probe(probe).await.unwrap();
    }
    assert_eq!(store.probe("factory-x").await.unwrap(), Some(first));
    let second = ProbeRow {
        identity: "SHA256:b bank /in /in".to_owned(),
        ..row("factory-x", "2026-11-21T00:00:00Z", "{\"n\":2}")
    };
    store.save_probe(&second).await.unwrap();
    assert_eq!(store.probe("factory-x").await.unwrap(), Some(second));
    assert_eq!(store.probe("factory-y").await.unwrap(), Some(other));
}

pub(crate) async fn a_marker_is_written_once(store: &dyn Store) {
    assert_eq!(store.marker("spool").await.unwrap(), None);
    store.set_marker("spool", "one").await.unwrap();
    store.set_marker("spool", "one").await.unwrap();
    assert!(store.set_marker("spool", "two").await.is_err());
    assert_eq!(store.marker("spool").await.unwrap(), Some("one".into()));
}

pub(crate) async fn an_event_can_be_noted_on_its_own(store: &dyn Store) {
    store.note_event("file.opened", Some(&issuer()), &serde_json::json!({"by": "ops"})).await.unwrap();
    let events = store.events(0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind.as_str(), events[0].data.as_str()), ("file.opened", "{\"by\":\"ops\"}"));
}

pub(crate) async fn a_file_goes_its_way_and_tells_every_step(store: &dyn Store) {
    let (run, mut file) = claimed(store, 2).await;
    run.publish(store, &mut file).await;
    assert_eq!((file.state, file.file_name.as_deref()), (FileState::Published, Some("EMB_TEST.xml.pgp")));
    assert_eq!((file.records, file.cards, file.size_bytes), (Some(2), Some(2), Some(1234)));
    assert_eq!(file.sealed_epoch, Some(run.epoch));
    assert_eq!((file.delivery_number, file.attempt, file.rename_attempt), (1, 1, 1));
    assert_eq!(
        (file.temporary_name.as_deref(), file.identity.as_deref()),
        (Some("EMB_TEST.1.part"), Some("sftp host"))
    );
    assert_eq!(file.published_at, Some(at("2026-11-20T03:05:00Z")));
    assert_eq!(store.file(file.file_id).await.unwrap(), Some(file.clone()));
    let events = store.events(0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["file.claimed", "file.sealed", "file.sending", "file.ready", "file.renaming", "file.published"]);
    let data: serde_json::Value = serde_json::from_str(&events[1].data).unwrap();
    assert_eq!((&data["from"], &data["to"], &data["records"]), (&"CLAIMED".into(), &"SEALED".into(), &2.into()));
    assert_eq!(store.newest_files(1).await.unwrap(), [file.clone()]);
    assert_eq!(store.files(&run.night()).await.unwrap(), [file]);
}

pub(crate) async fn a_transition_out_of_the_table_is_illegal(store: &dyn Store) {
    let (run, file) = claimed(store, 1).await;
    let refused = store.advance(&file, FileEvent::Publish, run.epoch, FileChange::Publish { at: marked() }).await;
    assert!(matches!(refused, Err(StoreError::Illegal { .. })), "{refused:?}");
    assert!(matches!(store.settle(&file, run.epoch).await, Err(StoreError::Illegal { .. })));
}

pub(crate) async fn fault_22_a_stale_epoch_or_state_moves_nothing(store: &dyn Store) {
    let (run, file) = claimed(store, 1).await;
    let next = Run::begin(store, 20, 2).await;
    let adopted = store.adopt(&file, next.epoch).await.unwrap();
    assert_eq!(adopted, FileRow { epoch: next.epoch, ..file.clone() });
    let refused = store.advance(&file, FileEvent::Seal, run.epoch, sealed(1)).await;
    assert!(matches!(refused, Err(StoreError::Stale { .. })), "{refused:?}");
    assert!(matches!(store.adopt(&file, next.epoch).await, Err(StoreError::Superseded { .. })));
    let mut moved = adopted.clone();
    next.seal(store, &mut moved).await;
    let again = store.advance(&adopted, FileEvent::Seal, next.epoch, sealed(1)).await;
    assert!(matches!(again, Err(StoreError::Stale { .. })), "{again:?}");
    assert_eq!(store.events(0, 100).await.unwrap().len(), 2);
}

pub(crate) async fn sealing_counts_the_items(store: &dyn Store) {
    let (run, file) = claimed(store, 2).await;
    for records in [1, 3] {
        assert!(store.advance(&file, FileEvent::Seal, run.epoch, sealed(records)).await.is_err());
    }
    assert_eq!(store.file(file.file_id).await.unwrap(), Some(file.clone()));
    store.advance(&file, FileEvent::Seal, run.epoch, sealed(2)).await.unwrap();
}

pub(crate) async fn a_change_of_another_transition_is_refused(store: &dyn Store) {
    let (run, file) = claimed(store, 1).await;
    assert!(store.advance(&file, FileEvent::Seal, run.epoch, FileChange::Nothing).await.is_err());
    assert_eq!(store.file(file.file_id).await.unwrap(), Some(file));
}

pub(crate) async fn a_new_attempt_has_a_new_number_and_renames_from_one(store: &dyn Store) {
    let (run, mut file) = claimed(store, 1).await;
    run.renaming(store, &mut file).await;
    assert!(store.advance(&file, FileEvent::Send, run.epoch, sending(1)).await.is_err());
    run.step(store, &mut file, FileEvent::Send, sending(2)).await;
    assert_eq!((file.attempt, file.rename_attempt, file.delivery_number), (2, 0, 1));
    assert_eq!(file.temporary_name.as_deref(), Some("EMB_TEST.2.part"));
}

pub(crate) async fn a_lost_spool_is_sealed_again_before_any_rename(store: &dyn Store) {
    let (run, mut file) = claimed(store, 1).await;
    run.ready(store, &mut file).await;
    run.step(store, &mut file, FileEvent::LoseSpool, FileChange::Nothing).await;
    assert_eq!((file.state, file.sha256.clone(), file.records), (FileState::Claimed, None, None));
    assert_eq!((file.sealed_epoch, file.trouble.as_deref()), (None, Some("SPOOL_LOST")));
    assert_eq!(plastics_in(store, file.file_id).await, [1]);
    run.seal(store, &mut file).await;
    // Attempt numbers go on: an old temporary file may still stand there.
    assert!(store.advance(&file, FileEvent::Send, run.epoch, sending(1)).await.is_err());
    run.step(store, &mut file, FileEvent::Send, sending(2)).await;
}

pub(crate) async fn after_a_rename_nothing_is_sealed_again(store: &dyn Store) {
    let (run, mut file) = claimed(store, 1).await;
    run.renaming(store, &mut file).await;
    run.step(store, &mut file, FileEvent::Refuse, FileChange::Because("no folder".into())).await;
    assert_eq!((file.state, file.trouble.as_deref()), (FileState::Ready, Some("no folder")));
    for (event, change) in [(FileEvent::LoseSpool, FileChange::Nothing), (FileEvent::Abandon, ordered("why"))] {
        let refused = store.advance(&file, event, run.epoch, change).await;
        assert!(matches!(refused, Err(StoreError::Illegal { .. })), "{refused:?}");
    }
    run.step(store, &mut file, FileEvent::Send, sending(2)).await;
    let refused = store.advance(&file, FileEvent::LoseSpool, run.epoch, FileChange::Nothing).await;
    assert!(matches!(refused, Err(StoreError::Illegal { .. })), "{refused:?}");
    assert_eq!(store.file(file.file_id).await.unwrap(), Some(file));
}

pub(crate) async fn an_abandoned_file_goes_out_empty(store: &dyn Store) {
    let (run, mut file) = claimed(store, 2).await;
    run.seal(store, &mut file).await;
    run.step(store, &mut file, FileEvent::Abandon, ordered("its house burned down")).await;
    assert_eq!((file.state, file.abandoned), (FileState::Claimed, true));
    assert_eq!((live(store, 1).await, live(store, 2).await), (vec![(uid(1), false)], vec![(uid(2), false)]));
    let outcome = run.settle(store, &mut file).await;
    assert_eq!((outcome, file.records), (SettleOutcome::default(), Some(0)));
}

pub(crate) async fn a_doubtful_file_waits_for_a_person(store: &dyn Store) {
    let (run, mut file) = claimed(store, 1).await;
    run.renaming(store, &mut file).await;
    run.step(store, &mut file, FileEvent::Doubt, FileChange::Because("no answer".into())).await;
    assert_eq!(file.state, FileState::Uncertain);
    assert_eq!(store.unfinished().await.unwrap(), [file.clone()], "until then every run tells of it");
    let mut sent_again = file.clone();
    run.step(store, &mut sent_again, FileEvent::ResolveNotDelivered, ordered("it did not come")).await;
    assert_eq!((sent_again.state, sent_again.attempt), (FileState::Sending, 1));
    assert_eq!(sent_again.temporary_name, None, "no attempt has begun");
    run.step(store, &mut sent_again, FileEvent::Send, sending(2)).await;
    run.step(store, &mut sent_again, FileEvent::Complete, FileChange::Complete).await;
    run.step(store, &mut sent_again, FileEvent::Rename, FileChange::Rename { rename_attempt: 1 }).await;
    run.step(store, &mut sent_again, FileEvent::Doubt, FileChange::Because("no answer".into())).await;
    run.step(store, &mut sent_again, FileEvent::ResolveDelivered, ordered("it is there")).await;
    assert_eq!(sent_again.state, FileState::Published);
    assert!(sent_again.published_at.is_some());
    assert_eq!(store.settle(&sent_again, run.epoch).await.unwrap().moved, 1);
}
