//! What a person orders about a file: in each state, at each step of it, with wrong answers, and twice at once.

use std::sync::Arc;

use emboss::delivery::{Refusal, Step};
use emboss::document::FileType;
use emboss::night::{Action, ActionError, Night, PersonsOrder};
use emboss::report::{ActionReport, Outcome};
use emboss::settlement::{Authority, FileState};
use emboss::store::Store;
use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{DATE, Delivered, NEXT, Site, card, night_of, only, only_file, sha256};
use crate::tripwire::{Tripwire, When};

const NAME: &str = "TST_246001_FACTORY_X_20261121T030000Z_000001_2_V2.xml.pgp";
const EMPTY: &str = "TST_246001_FACTORY_X_20261121T030000Z_000001_0_V2.xml.pgp";
/// When persons are at work.
const NOON: &str = "2026-11-21T12:00:00Z";
const ORDERS: [Action; 5] =
    [Action::ResolveDelivered, Action::ResolveNotDelivered, Action::Abandon, Action::Resend, Action::Duplicate];

fn order_of(action: Action, file: &str) -> PersonsOrder {
    let authority = Authority::new("anna", "the house telephoned").unwrap();
    PersonsOrder { action, file: file.to_owned(), authority, holder: "anna's shell".to_owned() }
}

/// Anna's order on an open night.
async fn order_on(night: &Night, action: Action, file: &str) -> Result<ActionReport, ActionError> {
    night.carry_out(&order_of(action, file)).await
}

/// Anna's order at noon.
pub(crate) async fn order(site: &Site, action: Action, file: &str) -> Result<ActionReport, ActionError> {
    order_on(&site.open(NOON).await, action, file).await
}

/// An order that is carried out and settled.
pub(crate) async fn settles(site: &Site, action: Action, file: &str) -> ActionReport {
    let report = order(site, action, file).await.unwrap_or_else(|error| panic!("{action:?}: {error}"));
    assert_eq!((report.exit_code(), report.file.state), (0, FileState::Settled), "{report}");
    report
}

/// An order that is refused with exit 1: the sentence.
pub(crate) async fn refused(site: &Site, action: Action, file: &str) -> String {
    let error = order(site, action, file).await.unwrap_err();
    assert_eq!(error.exit_code(), 1, "{error}");
    error.to_string()
}

/// The night of [`DATE`] with its database gone behind a step.
async fn die(site: &Site, step: &str, when: When) {
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, step, when);
    site.run_fails(&night, DATE).await;
}

/// The night of [`DATE`] with a house that plays a trick.
async fn tricked(site: &Site, trick: Trick) {
    let mut night = site.open_for(DATE).await;
    Rigged::into(&mut night, trick, None, &site.path("out"));
    night.run(&night_of(DATE)).await.unwrap();
}

/// A site with two cards whose file stands in a state.
async fn site_in(state: FileState) -> Site {
    let site = Site::with_cards(&[3001, 3002]).await;
    match state {
        FileState::Claimed => die(&site, "claim", When::After).await,
        FileState::Sealed => die(&site, "seal", When::After).await,
        FileState::Sending => die(&site, "send", When::After).await,
        FileState::Ready => die(&site, "complete", When::After).await,
        FileState::Renaming => die(&site, "rename", When::After).await,
        FileState::Published => die(&site, "publish", When::After).await,
        FileState::Uncertain => tricked(&site, Trick::GreedyAndLost).await,
        FileState::Settled => tricked(&site, Trick::Greedy).await,
    }
    assert_eq!(site.states().await, [state.as_str()]);
    site
}

async fn audit(site: &Site) -> Vec<String> {
    site.texts("SELECT actor || ' ' || action || ' ' || reason FROM audit WHERE reason <> '' ORDER BY number").await
}

async fn moved(site: &Site) -> usize {
    site.events("plastic.moved").await.len()
}

/// The house takes what is there.
fn take_away(site: &Site) -> Vec<(String, Vec<u8>)> {
    let names = site.names_in("out");
    let take = |name: String| {
        let path = site.path("out").join(&name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        (name, bytes)
    };
    names.into_iter().map(take).collect()
}

/// Each order in each state: carried out where the design says so, else refused with nothing changed.
#[tokio::test]
async fn each_order_in_each_state() {
    use FileState as S;
    for (state, possible) in [
        (S::Claimed, &[Action::Abandon][..]),
        (S::Sealed, &[Action::Abandon]),
        (S::Sending, &[Action::Abandon]),
        (S::Ready, &[Action::Abandon]),
        (S::Renaming, &[]),
        (S::Published, &[]),
        (S::Settled, &[Action::Resend, Action::Duplicate]),
        (S::Uncertain, &[Action::ResolveDelivered, Action::ResolveNotDelivered]),
    ] {
        let site = site_in(state).await;
        let file_id = site.files().await[0].file_id.clone();
        let (files, rows, names) = (site.files().await, site.row_counts().await, site.names_in("out"));
        let journal = std::fs::read(site.path("spool/journal")).unwrap_or_default();
        for action in ORDERS.into_iter().filter(|action| !possible.contains(action)) {
            let told = refused(&site, action, &file_id).await;
            assert!(told.contains(&format!("is {state}")) && told.contains("Possible: "), "{told}");
            assert_eq!(
                (site.files().await, site.row_counts().await),
                (files.clone(), rows.clone()),
                "{state} {action:?}"
            );
            assert_eq!(site.names_in("out"), names, "{state} {action:?}");
            assert_eq!(std::fs::read(site.path("spool/journal")).unwrap_or_default(), journal, "{state} {action:?}");
        }
        for action in possible {
            let site = site_in(state).await;
            let report = settles(&site, *action, &site.files().await[0].file_id.clone()).await;
            assert_eq!((report.from, audit(&site).await.len()), (state, 1), "{action:?}");
            let again = site.run(DATE).await;
            assert_eq!((again.exit_code(), site.states().await.last().unwrap().as_str()), (0, "SETTLED"), "{again}");
            let moved_once = if *action == Action::Abandon { 0 } else { 2 };
            assert_eq!(moved(&site).await, moved_once, "{state} {action:?}");
        }
    }
}

#[tokio::test]
async fn a_file_is_named_by_its_name_with_or_without_the_ending_or_by_its_id() {
    let site = site_in(FileState::Uncertain).await;
    let error = order(&site, Action::ResolveDelivered, "TST_1_X.xml").await.unwrap_err();
    assert_eq!(error.exit_code(), 2, "usage: {error}");
    let plain = NAME.trim_end_matches(".pgp");
    for name in [NAME, plain, &site.files().await[0].file_id] {
        assert!(refused(&site, Action::Resend, name).await.contains("is UNCERTAIN"), "{name}");
    }
    settles(&site, Action::ResolveDelivered, plain).await;
}

#[tokio::test]
async fn resolved_as_delivered_the_file_is_settled_at_once() {
    let site = site_in(FileState::Uncertain).await;
    let report = settles(&site, Action::ResolveDelivered, NAME).await;
    assert_eq!((site.status(3001).await, moved(&site).await), ("ACTIVE".to_owned(), 2));
    assert_eq!(audit(&site).await, ["anna file.resolved_delivered the house telephoned"]);
    assert!(report.done.contains("2 plastics moved"), "{report}");
    assert!(site.names_in("out").is_empty(), "the house was not even asked");
    let again = site.run(DATE).await;
    assert_eq!((again.exit_code(), only(&again).outcome), (0, Outcome::AlreadyDelivered), "{again}");
    assert!(refused(&site, Action::ResolveDelivered, NAME).await.contains("nothing to decide"));
}

#[tokio::test]
async fn resolved_as_not_delivered_the_same_bytes_go_under_the_same_name() {
    let site = site_in(FileState::Uncertain).await;
    let sealed = site.files().await[0].sha256.clone();
    let report = settles(&site, Action::ResolveNotDelivered, NAME).await;
    assert_eq!(site.names_in("out"), [NAME], "{report}");
    assert_eq!((Some(sha256(&site.delivered()[0].sealed)), moved(&site).await), (sealed, 2));
    assert_eq!(site.files().await[0].attempt, 2, "under a temporary name of its own");
    assert_eq!(audit(&site).await, ["anna file.resolved_not_delivered the house telephoned"]);
    assert_eq!(site.run(DATE).await.exit_code(), 0, "and the journal fits");
}

/// A wrong answer is met where it can be seen: a file of that name is never overwritten, nor sent beside it.
#[tokio::test]
async fn not_delivered_is_refused_while_the_final_name_is_there() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let there = site.path("out").join(NAME);
    std::fs::write(&there, b"somebody else's").unwrap();
    site.run(DATE).await;
    assert_eq!(site.states().await, ["UNCERTAIN"]);
    assert_eq!(site.names_in("out").len(), 2, "and our part");
    for _ in 0..2 {
        let told = refused(&site, Action::ResolveNotDelivered, NAME).await;
        assert!(told.contains(NAME) && told.contains("is there") && told.contains("--delivered"), "{told}");
        assert_eq!((site.states().await, audit(&site).await.len()), (vec!["UNCERTAIN".to_owned()], 0));
        assert_eq!(std::fs::read(&there).unwrap(), b"somebody else's");
        assert_eq!(site.names_in("out"), [NAME], "nothing of ours can be renamed behind the look any more");
    }
    std::fs::remove_file(&there).unwrap();
    settles(&site, Action::ResolveNotDelivered, NAME).await;
    assert_eq!(site.delivered()[0].cards(), [3001, 3002]);
}

#[tokio::test]
async fn not_delivered_changes_nothing_while_the_house_cannot_be_asked() {
    let site = site_in(FileState::Uncertain).await;
    for step in [Step::Connect, Step::Unlink, Step::Stat] {
        let mut night = site.open(NOON).await;
        Rigged::into(&mut night, Trick::Lose(step, 9), None, &site.path("out"));
        let error = order_on(&night, Action::ResolveNotDelivered, NAME).await.unwrap_err();
        assert!(error.exit_code() == 1 && error.to_string().contains("nothing was changed"), "{step}: {error}");
    }
    // A part that is there and cannot be removed could still be published by a run that is asleep.
    std::fs::write(site.path("out").join(format!("{NAME}.1.part")), b"ours").unwrap();
    let mut night = site.open(NOON).await;
    Rigged::into(&mut night, Trick::Refuse(Step::Unlink, Refusal::PermissionDenied), None, &site.path("out"));
    let told = order_on(&night, Action::ResolveNotDelivered, NAME).await.unwrap_err().to_string();
    assert!(told.contains(&format!("{NAME}.1.part")) && told.contains("could still be published"), "{told}");
    assert_eq!((site.states().await, audit(&site).await.len()), (vec!["UNCERTAIN".to_owned()], 0));
    // One that the house took away does not stand in the way, although we still may not remove anything.
    std::fs::remove_file(site.path("out").join(format!("{NAME}.1.part"))).unwrap();
    let mut night = site.open(NOON).await;
    Rigged::into(&mut night, Trick::Refuse(Step::Unlink, Refusal::PermissionDenied), None, &site.path("out"));
    order_on(&night, Action::ResolveNotDelivered, NAME).await.unwrap();
    assert_eq!(audit(&site).await.len(), 1);
}

/// R125: renamed once, a file is never sealed again, so without its bytes there is only the other way.
#[tokio::test]
async fn r125_not_delivered_without_the_sealed_bytes_leads_to_a_duplicate() {
    let site = site_in(FileState::Uncertain).await;
    remove_sealed(&site);
    let told = refused(&site, Action::ResolveNotDelivered, NAME).await;
    assert!(told.contains("missing") && told.contains("--delivered") && told.contains("--duplicate"), "{told}");
    settles(&site, Action::ResolveDelivered, NAME).await;
    let report = settles(&site, Action::Duplicate, NAME).await;
    let files = site.delivered();
    assert_eq!((files.len(), files[0].header.file_id, files[0].cards()), (1, report.file.file_id, vec![3001, 3002]));
}

fn remove_sealed(site: &Site) {
    for name in site.names_in("spool").iter().filter(|name| name.ends_with(".pgp")) {
        std::fs::remove_file(site.path("spool").join(name)).unwrap();
    }
}

/// R131: the number is used, by a file without records; the cards go with the next night under the next number.
#[tokio::test]
async fn r131_an_abandoned_file_goes_empty_and_its_cards_with_the_next_night() {
    for state in [FileState::Claimed, FileState::Sealed, FileState::Sending, FileState::Ready] {
        let site = site_in(state).await;
        let file_id = site.files().await[0].file_id.clone();
        let report = settles(&site, Action::Abandon, &file_id).await;
        assert!(report.done.contains("2 cards"), "{report}");
        assert_eq!(site.names_in("out"), [EMPTY], "{state}: our part is gone too");
        assert_eq!((site.status(3001).await, moved(&site).await), ("INACTIVE".to_owned(), 0));
        let requests = site.texts("SELECT state FROM production_request").await;
        assert_eq!(requests, ["OPEN", "OPEN"], "{state}");
        assert_eq!(audit(&site).await, ["anna file.abandoned the house telephoned"]);
        let same = site.run(DATE).await;
        assert_eq!((same.exit_code(), only(&same).outcome), (0, Outcome::AlreadyDelivered), "{state}: {same}");
        let next = site.run(NEXT).await;
        let sum = next.arithmetic();
        assert_eq!((next.exit_code(), sum.selected, sum.delivered), (0, 2, 2), "{state}: {next}");
        let files = site.delivered();
        let told: Vec<_> = files.iter().map(|file| (file.header.sequence_number, file.cards())).collect();
        assert_eq!(told, [(1, vec![]), (2, vec![3001, 3002])], "{state}");
        assert_eq!(files[0].header.file_id.to_string(), file_id, "under its id");
        assert_eq!(files[1].header.previous_file_id, Some(files[0].header.file_id));
        assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 2, "PINs stay with their requests (R40)");
    }
}

/// An abandoned file that could not be made empty at once is not filled again by the claim of a later night, which takes
/// back other files that stand in CLAIMED.
#[tokio::test]
async fn an_abandoned_file_that_waits_is_not_filled_again() {
    let site = site_in(FileState::Sealed).await;
    let right = std::fs::read(site.path("keys/factory-x.asc")).unwrap();
    site.write_key("keys/factory-x.asc", b"no key at all");
    let report = order(&site, Action::Abandon, NAME).await.unwrap();
    assert_eq!((report.exit_code(), report.file.state), (1, FileState::Claimed), "{report}");
    assert!(report.left.as_deref().unwrap().contains("the next emboss run goes on"), "{report}");
    assert!(site.names_in("spool").iter().all(|name| !name.ends_with(".pgp")), "the old bytes are gone");
    site.write_key("keys/factory-x.asc", &right);
    let next = site.run(NEXT).await;
    let sum = next.arithmetic();
    assert_eq!((next.exit_code(), sum.selected, sum.delivered), (0, 2, 2), "{next}");
    let told: Vec<_> = site.delivered().iter().map(|file| (file.header.sequence_number, file.cards())).collect();
    assert_eq!(told, [(1, vec![]), (2, vec![3001, 3002])]);
    assert!(next.resumed[0].abandoned && next.to_string().contains("abandoned"), "{next}");
    assert_eq!(site.run(DATE).await.exit_code(), 0, "nothing is left of the earlier date");
}

#[tokio::test]
async fn a_part_that_may_be_left_at_the_house_is_told() {
    let site = site_in(FileState::Ready).await;
    let mut night = site.open(NOON).await;
    Rigged::into(&mut night, Trick::Lose(Step::Connect, 9), None, &site.path("out"));
    let report = order_on(&night, Action::Abandon, NAME).await.unwrap();
    assert_eq!((report.exit_code(), report.file.state), (1, FileState::Sealed), "its cards are out all the same");
    assert_eq!(report.alerts[0].code, "PART_LEFT");
    assert!(report.alerts[0].text.contains(&format!("{NAME}.*.part")), "{report}");
    drop(night);
    assert_eq!(site.run(DATE).await.exit_code(), 0);
}

/// Abandoned at every step, with the step done or not: the cards are in exactly one file in the end, and none is lost.
#[tokio::test]
async fn an_abandonment_that_dies_at_any_step_is_finished_by_the_next_run() {
    let steps = steps_of(FileState::Ready, Action::Abandon).await;
    assert_eq!(steps[..4], ["begin_action", "adopt", "abandon", "seal"], "{steps:?}");
    for (number, step) in steps.iter().enumerate() {
        for when in [When::Before, When::After] {
            let site = site_in(FileState::Ready).await;
            dies(&site, Action::Abandon, number, when).await;
            let what = format!("{step} {when:?}");
            let report = site.run(NEXT).await;
            assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (0, true), "{what}: {report}");
            let cards: Vec<i64> = site.delivered().iter().flat_map(Delivered::cards).collect();
            assert_eq!((cards, moved(&site).await), (vec![3001, 3002], 2), "{what}");
            let numbers: Vec<u64> = site.delivered().iter().map(|file| file.header.sequence_number).collect();
            assert!(numbers == [1] || numbers == [1, 2], "{what}: {numbers:?}");
        }
    }
}

/// The writing steps of an order.
async fn steps_of(state: FileState, action: Action) -> Vec<String> {
    let site = site_in(state).await;
    let mut night = site.open(NOON).await;
    let listing = Tripwire::listing(Arc::clone(&night.store));
    night.store = Arc::clone(&listing) as Arc<dyn Store>;
    order_on(&night, action, &site.files().await[0].file_id).await.unwrap();
    listing.steps()
}

/// An order whose database goes away at a step.
async fn dies(site: &Site, action: Action, number: usize, when: When) {
    let mut night = site.open(NOON).await;
    night.store = Tripwire::number(night.store, number, when);
    let error = order_on(&night, action, &site.files().await[0].file_id).await.unwrap_err();
    assert_eq!(error.exit_code(), 3, "{number} {when:?}: {error}");
}

#[tokio::test]
async fn a_resend_brings_the_same_bytes_under_the_same_name_and_moves_nothing() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.run(DATE).await;
    let told = refused(&site, Action::Resend, NAME).await;
    assert!(told.contains(NAME) && told.contains("has not taken it yet"), "{told}");
    let first = take_away(&site);
    for number in [2, 3] {
        let report = settles(&site, Action::Resend, NAME).await;
        assert_eq!((report.file.delivery_number, report.from), (number, FileState::Settled), "{report}");
        assert_eq!(take_away(&site), first);
    }
    assert_eq!((moved(&site).await, site.number("SELECT COUNT(*) FROM file").await), (2, 1));
    let attempts =
        site.texts("SELECT delivery_number || ' ' || state || ' ' || attempt FROM delivery ORDER BY 1").await;
    assert_eq!(attempts, ["1 PUBLISHED 1", "2 PUBLISHED 2", "3 PUBLISHED 3"], "attempts count on over deliveries");
    assert_eq!(audit(&site).await, ["anna file.resend_ordered the house telephoned"; 2]);
    let again = site.run(DATE).await;
    assert_eq!((again.exit_code(), only(&again).outcome), (0, Outcome::AlreadyDelivered), "{again}");
    assert!(site.names_in("out").is_empty());
}

#[tokio::test]
async fn a_resend_without_its_bytes_is_refused_and_told_of_the_duplicate() {
    let site = site_in(FileState::Settled).await;
    remove_sealed(&site);
    let told = refused(&site, Action::Resend, NAME).await;
    assert!(told.contains("spool_retention_days") && told.contains("--duplicate"), "{told}");
    assert_eq!((audit(&site).await.len(), site.names_in("out").len()), (0, 0));
}

/// A resend dies at every step, with the step done or not: the next run brings it to its end, and counts it nowhere.
#[tokio::test]
async fn a_resend_that_dies_at_any_step_is_finished_by_the_next_run() {
    let steps = steps_of(FileState::Settled, Action::Resend).await;
    assert_eq!(steps, ["begin_action", "adopt", "resend", "send", "complete", "rename", "publish"]);
    for (number, step) in steps.iter().enumerate() {
        for when in [When::Before, When::After] {
            let what = format!("{step} {when:?}");
            let site = site_in(FileState::Settled).await;
            dies(&site, Action::Resend, number, when).await;
            site.take(NOON, &[card(3003, 1001)]).await;
            let report = site.run(NEXT).await;
            assert_eq!(report.exit_code(), 0, "{what}: {report}");
            let sum = report.arithmetic();
            assert_eq!((sum.selected, sum.delivered, sum.adds_up()), (1, 1, true), "{what}: {report}");
            // Ordered, it goes; the row of the order is written or not, and nothing between.
            let ordered = number > 2 || (number == 2 && when == When::After);
            let names = site.names_in("out");
            assert_eq!(names.len(), 1 + usize::from(ordered), "{what}: {names:?}");
            assert_eq!((audit(&site).await.len(), moved(&site).await), (usize::from(ordered), 3), "{what}");
            assert!(names.iter().all(|name| name.ends_with(".pgp")), "{what}: no part stays");
            assert!(report.resumed.iter().all(|file| file.state == FileState::Settled), "{what}");
        }
    }
}

/// The plastics of tonight do not wait for a file that was delivered before.
#[tokio::test]
async fn r136_a_resend_that_fails_holds_up_nothing_and_is_tried_by_the_next_run() {
    let site = site_in(FileState::Settled).await;
    let mut night = site.open(NOON).await;
    Rigged::into(&mut night, Trick::Refuse(Step::Create, Refusal::PermissionDenied), None, &site.path("out"));
    let report = order_on(&night, Action::Resend, NAME).await.unwrap();
    drop(night);
    assert_eq!((report.exit_code(), report.file.state), (1, FileState::Sending), "{report}");
    assert!(report.left.as_deref().unwrap().contains("permission denied"), "{report}");
    assert!(report.left.as_deref().unwrap().contains("emboss run goes on"), "{report}");
    assert!(refused(&site, Action::Resend, NAME).await.contains("being sent again already"));

    site.take(NOON, &[card(3003, 1001)]).await;
    let mut night = site.open_for(NEXT).await;
    Rigged::into(&mut night, Trick::RefuseFile(1), None, &site.path("out"));
    let report = night.run(&night_of(NEXT)).await.unwrap();
    drop(night);
    assert_eq!((report.exit_code(), report.resumed[0].state), (1, FileState::Sending), "{report}");
    assert_eq!(
        (report.arithmetic().delivered, site.status(3003).await),
        (0, "INACTIVE".to_owned()),
        "the house refuses both"
    );

    let report = site.run(NEXT).await;
    assert_eq!((report.exit_code(), report.resumed[0].state), (0, FileState::Settled), "{report}");
    assert_eq!((report.arithmetic().delivered, site.names_in("out").len()), (1, 2), "{report}");
}

#[tokio::test]
async fn a_resend_can_be_given_up() {
    let site = site_in(FileState::Settled).await;
    let mut night = site.open(NOON).await;
    Rigged::into(&mut night, Trick::Refuse(Step::Close, Refusal::Failure), None, &site.path("out"));
    let report = order_on(&night, Action::Resend, NAME).await.unwrap();
    drop(night);
    assert_eq!(report.exit_code(), 1, "{report}");
    let report = settles(&site, Action::Abandon, NAME).await;
    assert!(report.done.contains("is not sent again"), "{report}");
    assert!(site.names_in("out").is_empty(), "{:?}", site.names_in("out"));
    let actions = ["anna file.resend_ordered the house telephoned", "anna file.resend_withdrawn the house telephoned"];
    assert_eq!(audit(&site).await, actions);
    assert_eq!((site.run(DATE).await.exit_code(), moved(&site).await), (0, 2));
    settles(&site, Action::Resend, NAME).await;
    assert_eq!(site.names_in("out"), [NAME]);
}

/// The spool lost the bytes of a resend that is under way: given up, for the house has the file already.
#[tokio::test]
async fn a_resend_whose_bytes_are_lost_is_given_up_by_the_run() {
    let site = site_in(FileState::Settled).await;
    dies(&site, Action::Resend, 3, When::After).await;
    remove_sealed(&site);
    let report = site.run(NEXT).await;
    assert_eq!((report.exit_code(), site.states().await), (1, vec!["SETTLED".to_owned()]), "{report}");
    assert!(only(&report).reason.as_deref().unwrap().contains("missing"), "{report}");
    assert_eq!(site.run(NEXT).await.exit_code(), 0, "and that was all");
    assert_eq!(moved(&site).await, 2);
}

/// A resend whose rename got no answer waits for a person like any other file, and moves nothing then either.
#[tokio::test]
async fn a_resend_may_become_uncertain_and_is_decided_like_any_other() {
    for (action, names) in [(Action::ResolveDelivered, 0), (Action::ResolveNotDelivered, 1)] {
        let site = site_in(FileState::Settled).await;
        let mut night = site.open(NOON).await;
        // A directory is tried once: the answer is lost, and the run behind it finds nothing there.
        Rigged::into(&mut night, Trick::GreedyAndLost, None, &site.path("out"));
        let report = order_on(&night, Action::Resend, NAME).await.unwrap();
        drop(night);
        assert_eq!((report.exit_code(), report.file.state), (1, FileState::Renaming), "{report}");
        let report = site.run(NEXT).await;
        assert_eq!((report.exit_code(), report.resumed[0].state), (1, FileState::Uncertain), "{report}");
        assert_eq!(report.arithmetic().selected, 0, "{report}");
        assert_eq!(site.run(NEXT).await.alerts[0].code, "UNCERTAIN");
        settles(&site, action, NAME).await;
        assert_eq!((site.names_in("out").len(), moved(&site).await), (names, 2), "{action:?}");
        assert_eq!(site.run(NEXT).await.exit_code(), 0);
    }
}

/// A duplicate: an id and a number of its own, marked, and the very records, PIN blocks included.
#[tokio::test]
async fn r67_r130_r120_a_duplicate_has_the_records_of_its_original() {
    for (format, version) in [("xml", 1), ("xml", 2), ("json", 1), ("json", 2)] {
        let site = Site::with_cards(&[3001, 3002]).await;
        site.edit("format = \"xml\"\nversion = 2", &format!("format = \"{format}\"\nversion = {version}"));
        // A format whose blocks have random fill.
        site.edit("pin_block_format = \"ISO_0\"", "pin_block_format = \"ISO_3\"");
        site.run(DATE).await;
        let change = json!({"embossing": {"lastName": "Changed"}, "pinStatus": "S"});
        site.take(NOON, &[crate::site::update_card(3001, change)]).await;
        let name = site.names_in("out")[0].clone();
        let report = settles(&site, Action::Duplicate, &name).await;
        assert_eq!((report.file.file_type, report.file.delivery_number), (FileType::Duplicate, 1), "{report}");
        let files = site.delivered();
        let (first, second) = (&files[0], &files[1]);
        assert_eq!(report.file.resend_of, Some(first.header.file_id));
        assert_eq!(
            (second.header.file_type, second.header.resend_of_file_id),
            (FileType::Duplicate, report.file.resend_of)
        );
        assert_eq!((second.header.sequence_number, second.header.previous_file_id), (2, Some(first.header.file_id)));
        assert_eq!((second.header.run_id, second.header.cut_off), (first.header.run_id, first.header.cut_off));
        assert_eq!(second.header.data_as_of, crate::site::at(NOON), "made now, from what was pinned then");
        assert_eq!(first.records, second.records, "{format} {version}: letter by letter");
        assert_eq!(first.trailer.records_sha256, second.trailer.records_sha256, "fill of the PIN blocks included");
        assert!(first.records[0].pin_mailer.is_some(), "with PIN blocks in them");
        assert_eq!(
            (moved(&site).await, site.number("SELECT COUNT(*) FROM pin").await),
            (2, 2),
            "nothing moves, no new PIN"
        );
        assert_eq!(site.texts("SELECT DISTINCT state FROM production_request").await, ["SENT"]);
        let again = site.run(DATE).await;
        assert_eq!((again.exit_code(), only(&again).outcome), (0, Outcome::AlreadyDelivered), "{again}");
        assert!(refused(&site, Action::Duplicate, &second.name).await.contains("a duplicate itself"));
    }
}

#[tokio::test]
async fn a_duplicate_that_dies_at_any_step_is_finished_by_the_next_run() {
    let steps = steps_of(FileState::Settled, Action::Duplicate).await;
    assert_eq!(
        steps,
        ["begin_action", "adopt", "duplicate", "seal", "send", "complete", "rename", "publish", "settle"]
    );
    for (number, step) in steps.iter().enumerate() {
        for when in [When::Before, When::After] {
            let what = format!("{step} {when:?}");
            let site = site_in(FileState::Settled).await;
            dies(&site, Action::Duplicate, number, when).await;
            site.take(NOON, &[card(3003, 1001)]).await;
            let report = site.run(NEXT).await;
            assert_eq!(report.exit_code(), 0, "{what}: {report}");
            let sum = report.arithmetic();
            assert_eq!((sum.selected, sum.delivered, sum.adds_up()), (1, 1, true), "{what}: {report}");
            let made = number > 2 || (number == 2 && when == When::After);
            let files: Vec<_> =
                site.delivered().into_iter().map(|file| (file.header.file_type, file.cards())).collect();
            let duplicate = made.then(|| (FileType::Duplicate, vec![3001, 3002]));
            let expected: Vec<_> = duplicate.into_iter().chain([(FileType::Normal, vec![3003])]).collect();
            assert_eq!((files, moved(&site).await), (expected, 3), "{what}");
        }
    }
}

/// R11: a card that cannot be made again falls out of the duplicate, and only of that; nobody counts it twice.
#[tokio::test]
async fn r11_a_card_that_falls_out_of_a_duplicate_stays_sent() {
    let site = site_in(FileState::Settled).await;
    site.sql("UPDATE pin SET stored = x'00' WHERE card_id = 3001").await;
    let report = order(&site, Action::Duplicate, NAME).await.unwrap();
    assert_eq!((report.exit_code(), report.file.records, report.file.state), (1, 1, FileState::Settled), "{report}");
    assert_eq!(report.alerts[0].code, "PIN_NOT_AVAILABLE", "{report}");
    assert_eq!(site.delivered()[0].cards(), [3002]);
    assert_eq!(site.texts("SELECT DISTINCT state FROM production_request").await, ["SENT"]);
    let next = site.run(NEXT).await;
    assert_eq!((next.exit_code(), next.arithmetic().selected), (0, 0), "{next}");
}

/// R136: a duplicate takes the next number, so it is not made while an earlier one is on its way.
#[tokio::test]
async fn r136_a_duplicate_waits_for_the_files_before_it() {
    let site = site_in(FileState::Settled).await;
    site.take(NOON, &[card(3003, 1001)]).await;
    let mut night = site.open_for(NEXT).await;
    Rigged::into(&mut night, Trick::RefuseFile(1), None, &site.path("out"));
    night.run(&night_of(NEXT)).await.unwrap();
    drop(night);
    assert_eq!(site.states().await, ["SETTLED", "SENDING"]);
    let told = refused(&site, Action::Duplicate, NAME).await;
    assert!(told.contains("_000002_1_V2") && told.contains("goes first"), "{told}");
    assert_eq!(site.number("SELECT COUNT(*) FROM file").await, 2);
    // So does the empty file of an abandoned one, but its cards are out at once.
    let second = site.files().await[1].file_name.clone().unwrap();
    settles(&site, Action::Abandon, &second).await;
    settles(&site, Action::Duplicate, NAME).await;
}

/// One key that will not do: nothing is made that could not be delivered.
#[tokio::test]
async fn r135_no_duplicate_is_made_with_a_key_that_will_not_do() {
    let site = site_in(FileState::Settled).await;
    site.write_key("keys/factory-x.asc", b"no key at all");
    assert!(refused(&site, Action::Duplicate, NAME).await.contains("KEY_UNUSABLE"));
    assert_eq!((site.number("SELECT COUNT(*) FROM file").await, audit(&site).await.len()), (1, 0));
    settles(&site, Action::Resend, NAME).await;
}

/// Two persons decide the same file: one is heard, the other is told that there is nothing left to decide, or to wait.
#[tokio::test]
async fn r133_two_orders_at_once_are_carried_out_one_after_the_other() {
    let site = site_in(FileState::Uncertain).await;
    let (one, two) = (site.open(NOON).await, site.open(NOON).await);
    let (first, second) = (order_of(Action::ResolveDelivered, NAME), order_of(Action::ResolveNotDelivered, NAME));
    let (first, second) = tokio::join!(one.carry_out(&first), two.carry_out(&second));
    let refusals: Vec<ActionError> = [first.err(), second.err()].into_iter().flatten().collect();
    let [refusal] = &refusals[..] else { panic!("exactly one is heard: {refusals:?}") };
    assert!([1, 4].contains(&refusal.exit_code()), "{refusal}");
    assert_eq!((audit(&site).await.len(), moved(&site).await), (1, 2));

    let lock = one.store.lock("the night's run").await.unwrap();
    let error = order_on(&two, Action::Resend, NAME).await.unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains("the night's run"), "{error}");
    drop(lock);
}

/// Fault 22: a run that was asleep while a person decided can commit nothing any more.
#[tokio::test]
async fn fault_22_a_run_that_was_asleep_commits_nothing_behind_an_order() {
    let site = site_in(FileState::Ready).await;
    let night = site.open(NOON).await;
    let asleep = night.store.unfinished().await.unwrap().remove(0);
    settles(&site, Action::Abandon, NAME).await;
    let change = emboss::store::FileChange::Rename { rename_attempt: 1 };
    let late = night.store.advance(&asleep, emboss::settlement::FileEvent::Rename, asleep.epoch, change).await;
    assert!(late.is_err(), "{late:?}");
    assert_eq!(site.names_in("out"), [EMPTY], "and its part is gone");
}

/// Fault 31: neither an order works on an older database, nor does a database from before a resend go unnoticed.
#[tokio::test]
async fn fault_31_an_order_is_not_carried_out_on_an_older_database() {
    let site = site_in(FileState::Settled).await;
    let before = crate::kept::back_up(&site).await;
    settles(&site, Action::Resend, NAME).await;
    take_away(&site);
    crate::kept::restore(&site, &before);
    for action in [Action::Resend, Action::Duplicate] {
        let error = order(&site, action, NAME).await.unwrap_err();
        assert!(error.exit_code() == 1 && error.to_string().contains("older than the spool"), "{error}");
    }
    let night = site.open_for(NEXT).await;
    assert!(site.run_fails(&night, NEXT).await.to_string().contains("older than the spool"));
    assert!(site.names_in("out").is_empty());
}

/// An UNCERTAIN file is an alert that says what to do, in every run, and is new only once.
#[tokio::test]
async fn r143_an_uncertain_file_is_an_alert_that_names_the_command() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let mut night = site.open_for(DATE).await;
    Rigged::into(&mut night, Trick::GreedyAndLost, None, &site.path("out"));
    let first = night.run(&night_of(DATE)).await.unwrap();
    drop(night);
    assert_eq!(only_file(&first).state, FileState::Uncertain);
    let command = format!("emboss resolve --file {NAME} --delivered or --not-delivered");
    let second = site.run(DATE).await;
    for report in [&first, &second] {
        assert_eq!(report.alerts.len(), 1, "{report}");
        assert_eq!(report.alerts[0].code, "UNCERTAIN");
        assert!(report.alerts[0].text.contains(&command), "{report}");
        assert_eq!(report.exit_code(), 1);
    }
    assert_eq!((first.alerts[0].is_new, second.alerts[0].is_new), (true, false));
}

/// The agreement was taken out of the configuration: what needs no house is done, the rest says what is missing.
#[tokio::test]
async fn an_order_without_its_agreement() {
    let site = site_in(FileState::Uncertain).await;
    let active = site.config_text();
    let agreement = active[active.find("[[agreement]]").unwrap()..].to_owned();
    let end = agreement[3..].find("\n[").map_or(agreement.len(), |end| end + 3);
    site.edit(&agreement[..end], "");
    let told = refused(&site, Action::ResolveNotDelivered, NAME).await;
    assert!(told.contains("no longer configured"), "{told}");
    settles(&site, Action::ResolveDelivered, NAME).await;
    assert!(refused(&site, Action::Resend, NAME).await.contains("no longer configured"));
    assert!(refused(&site, Action::Duplicate, NAME).await.contains("no longer configured"));
}
