//! The audit chain: what is entered when, and what a verification finds of what was done behind it.

use super::files::claimed;
use super::night::*;
use super::seed::*;
use emboss::chain::{ChainKeys, Head};
use emboss::settlement::FileEvent;
use emboss::store::*;
use serde_json::{Value, json};

/// Over the items of cards 1 and 2 as [`claimed`] claims them, of card 2 alone, and of none: made apart from this program
/// with Python's `hashlib` from the lines of `docs/AUDIT.md`.
const BOTH: &str = "86997836fa841c5428ba771aa224176b95a7f3e193ea0d0ae0cb7e856441568f";
const SECOND: &str = "d7bcf84434852f734c56948d9a354cddb514b0d0de112ee2970278d927782385";
const NONE: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(crate) fn keys() -> ChainKeys {
    [audit_key()].into_iter().collect()
}

fn data(row: &AuditRow) -> Value {
    serde_json::from_str(&row.data).unwrap()
}

pub(crate) async fn verdict(store: &dyn Store, kept: &[Head]) -> AuditVerdict {
    store.verify_audit(&keys(), kept).await.unwrap()
}

async fn entries(store: &dyn Store) -> Vec<AuditRow> {
    store.audit(0, 1_000).await.unwrap()
}

/// The kinds of the chain's faults with their numbers, then those of the rows.
pub(crate) async fn found(store: &dyn Store, kept: &[Head]) -> Vec<(&'static str, i64)> {
    let verdict = verdict(store, kept).await;
    let chain = verdict.chain.faults.iter().map(|fault| (fault.kind(), fault.number()));
    chain.chain(verdict.faults.iter().map(|fault| (fault.kind(), fault.number().unwrap_or_default()))).collect()
}

/// A whole night of two cards: nine entries.
pub(crate) async fn night(store: &dyn Store) -> Head {
    let (run, mut file) = claimed(store, 2).await;
    issue_pins(store, &run, file.file_id).await;
    run.settle(store, &mut file).await;
    store.end_run(run.run_id, at("2026-11-20T03:07:00Z"), 0, "{\"a\":1}").await.unwrap();
    store.audit_head().await.unwrap().unwrap()
}

pub(crate) async fn a_night_is_entered_step_by_step(store: &dyn Store) {
    assert_eq!(store.audit_head().await.unwrap(), None);
    assert_eq!(verdict(store, &[]).await, AuditVerdict::default(), "nothing was done yet");
    let head = night(store).await;
    let entries = entries(store).await;
    let told: Vec<(i64, &str)> = entries.iter().map(|row| (row.number, row.action.as_str())).collect();
    assert_eq!(
        told,
        [
            (1, "run.begun"),
            (2, "file.claimed"),
            (3, "file.sealed"),
            (4, "file.sending"),
            (5, "file.ready"),
            (6, "file.renaming"),
            (7, "file.published"),
            (8, "file.settled"),
            (9, "run.ended"),
        ]
    );
    assert!(entries.iter().all(|row| row.actor == "emboss" && row.reason.is_empty() && !row.is_ordered()));
    let states: Vec<Value> = entries[1..8].iter().map(|row| data(row)["state"].clone()).collect();
    assert_eq!(states, ["CLAIMED", "SEALED", "SENDING", "READY", "RENAMING", "PUBLISHED", "SETTLED"]);
    assert!(entries[1..8].iter().all(|row| data(row)["itemsSha256"] == BOTH), "{entries:?}");
    assert_eq!((&data(&entries[1])["items"], &data(&entries[7])["moved"]), (&json!(2), &json!(2)));
    let begun = data(&entries[0]);
    assert_eq!(
        (&begun["holder"], &begun["epoch"], &begun["businessDate"]),
        (&json!("host 1 process 42"), &json!(1), &json!("2026-11-20"))
    );
    // `printf '{"a":1}' | sha256sum`
    let report = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    assert_eq!((&data(&entries[8])["exitCode"], &data(&entries[8])["reportSha256"]), (&json!(0), &json!(report)));
    assert_eq!(entries[8].mac, head.mac);
    let verdict = verdict(store, &[head]).await;
    assert!(verdict.is_sound(), "{verdict:?}");
    assert_eq!((verdict.chain.sound, verdict.chain.head), (9, Some(head)));
    assert_eq!((verdict.files, verdict.items, verdict.runs), (1, 2, 1));
}

pub(crate) async fn what_persons_order_stands_in_the_same_chain(store: &dyn Store) {
    let (run, mut file) = claimed(store, 2).await;
    run.seal(store, &mut file).await;
    run.step(store, &mut file, FileEvent::Abandon, ordered("a wrong layout")).await;
    store
        .note_audited("file.inspected", Some(&issuer()), &file.file_id.to_string(), &anna("why"), &json!({}))
        .await
        .unwrap();
    let entries = entries(store).await;
    let told: Vec<_> = entries[2..].iter().map(|row| (&*row.actor, &*row.action, &*row.reason)).collect();
    assert_eq!(
        told,
        [
            ("emboss", "file.sealed", ""),
            ("anna", "file.abandoned", "a wrong layout"),
            ("anna", "file.inspected", "why")
        ]
    );
    assert_eq!((&data(&entries[3])["itemsSha256"], &data(&entries[3])["state"]), (&json!(NONE), &json!("CLAIMED")));
    assert_eq!(found(store, &[]).await, []);
    let before = entries.len();
    assert!(store.advance(&file, FileEvent::Publish, run.epoch, FileChange::Nothing).await.is_err());
    assert_eq!(self::entries(store).await.len(), before, "what is not done is not entered");
}

pub(crate) async fn items_that_leave_a_file_are_entered(store: &dyn Store) {
    let (run, file) = claimed(store, 2).await;
    let code = emboss::selection::ReasonCode::CardDataUnavailable;
    store.release(file.file_id, run.epoch, &[(uid(1), code)]).await.unwrap();
    let entries = entries(store).await;
    let last = entries.last().unwrap();
    assert_eq!((&*last.action, &last.subject), ("file.items_released", &file.file_id.to_string()));
    assert_eq!(data(last)["released"], json!({"CARD_DATA_UNAVAILABLE": 1}));
    assert_eq!(data(last)["itemsSha256"], SECOND);
    assert_eq!(found(store, &[]).await, []);
    let mut file = store.file(file.file_id).await.unwrap().unwrap();
    assert_eq!(file.items_sha256.as_deref(), Some(SECOND));
    run.settle(store, &mut file).await;
    assert_eq!(found(store, &[]).await, []);
}

pub(crate) async fn a_file_that_is_filled_again_or_repeated_has_its_own_digest(store: &dyn Store) {
    let (_, file) = claimed(store, 2).await;
    let next = Run::begin(store, 21, 1).await;
    let mut again = next.claim(store, &mut Script::default()).await.files.remove(0);
    assert_eq!(again.file_id, file.file_id);
    assert_ne!(again.items_sha256, file.items_sha256, "the epoch is another one");
    assert_eq!(found(store, &[]).await, []);
    issue_pins(store, &next, again.file_id).await;
    next.settle(store, &mut again).await;
    let epoch = store.begin_action().await.unwrap();
    let settled = store.adopt(&store.file(again.file_id).await.unwrap().unwrap(), epoch).await.unwrap();
    let new = NewFile { file_id: file_id(77), fill_seed: Vec::new() };
    store.duplicate(&settled, &new, epoch, &anna("they lost it")).await.unwrap();
    let mut resent = settled;
    let run = Run { epoch, ..next };
    run.step(store, &mut resent, FileEvent::Resend, ordered("again")).await;
    assert_eq!(found(store, &[]).await, [], "in the state of its newest delivery");
    let verdict = verdict(store, &[]).await;
    assert_eq!((verdict.files, verdict.items), (2, 4));
}

pub(crate) async fn more_files_than_one_of_a_claim_are_entered_each(store: &dyn Store) {
    super::claims::marked_cards(store, [1, 2, 3]).await;
    let run = Run::begin(store, 20, 1).await;
    let order = ClaimOrder { max_records_per_file: 2, ..run.order("HOUSE") };
    let claimed = store.claim(&order, &mut Script::default()).await.unwrap();
    assert_eq!(claimed.files.len(), 2);
    let told: Vec<Value> = entries(store).await[1..].iter().map(|row| data(row)["items"].clone()).collect();
    assert_eq!(told, [2, 1]);
    assert_eq!(found(store, &[]).await, []);
}

pub(crate) async fn what_is_entered_alone_tells_no_event(store: &dyn Store) {
    store.enter("import.begun", "an import", &json!({"holder": "host 1"})).await.unwrap();
    let entries = entries(store).await;
    assert_eq!(
        (&*entries[0].action, &*entries[0].subject, &*entries[0].data),
        ("import.begun", "an import", "{\"holder\":\"host 1\"}")
    );
    assert_eq!((store.events(0, 10).await.unwrap(), found(store, &[]).await), (vec![], vec![]));
}
