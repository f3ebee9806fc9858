//! Claims, PINs and what they pin.

use super::night::*;
use super::seed::*;
use emboss::card::*;
use emboss::document::FileType;
use emboss::selection::{PinAction, ReasonCode, Request};
use emboss::settlement::{FileEvent, FileState};
use emboss::store::*;

pub(crate) async fn marked_cards(store: &dyn Store, numbers: impl IntoIterator<Item = i64>) {
    let mut seed = Seed::begin(store).await;
    for number in numbers {
        seed.marked_card(number, Some("HOUSE")).await;
    }
    seed.commit().await;
}

pub(crate) async fn a_claim_freezes_what_was_decided(store: &dyn Store) {
    marked_cards(store, [3, 1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { hold: vec![uid(2)], pin: PinAction::None, ..Script::default() };
    let claimed = run.claim(store, &mut script).await;
    assert_eq!(script.seen.iter().map(|dossier| dossier.card_id.get()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(claimed.stopped, None);
    assert_eq!(claimed.data_as_of.timestamp_subsec_nanos(), 0);
    let [file] = &claimed.files[..] else { panic!("{claimed:?}") };
    assert_eq!((file.file_id, file.sequence_number, file.previous_file_id), (file_id(0xF000), 1, None));
    assert_eq!((file.state, file.epoch, file.run_id), (FileState::Claimed, run.epoch, run.run_id));
    assert_eq!((file.file_type, file.resend_of, file.data_as_of), (FileType::Normal, None, claimed.data_as_of));
    assert_eq!((file.cut_off, file.night.clone()), (at("2026-11-20T03:00:00Z"), run.night()));
    assert_eq!((file.fill_seed.as_slice(), file.attempt, file.delivery_number), (&b"wrapped seed"[..], 0, 0));
    assert_eq!(store.file(file.file_id).await.unwrap().as_ref(), Some(file));
    assert_eq!(plastics_in(store, file.file_id).await, [1, 3]);
    assert_eq!(store.item_counts(file.file_id).await.unwrap(), ItemCounts { records: 2, ..ItemCounts::default() });
    assert_eq!(live(store, 1).await, [(uid(1), true)]);
    assert_eq!(live(store, 2).await, [(uid(2), false)]);
    let night = store.night(&run.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
    assert_eq!((night.state, night.reason, night.run_id), (NightState::Claimed, None, run.run_id));
    assert_eq!(store.unfinished().await.unwrap(), claimed.files);
}

pub(crate) async fn r12_nothing_due_makes_no_file_and_takes_no_number(store: &dyn Store) {
    let run = Run::begin(store, 20, 1).await;
    assert!(run.claim(store, &mut Script::default()).await.files.is_empty());
    let night = store.night(&run.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
    assert_eq!(night.state, NightState::Done);
    let next = Run::begin(store, 21, 1).await;
    let mut script = Script { even_empty: true, ..Script::default() };
    let claimed = next.claim(store, &mut script).await;
    assert_eq!(claimed.files.iter().map(|file| file.sequence_number).collect::<Vec<_>>(), [1]);
    assert_eq!(store.item_counts(claimed.files[0].file_id).await.unwrap().records, 0);
    let night = store.night(&next.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
    assert_eq!(night.state, NightState::Claimed);
}

pub(crate) async fn r131_numbers_have_no_gaps(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let mut seed = Seed::begin(store).await;
    seed.marked_card(2, Some("OTHER")).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let first = run.claim(store, &mut Script::default()).await.files;
    // A stopped claim gives its number back.
    let next = Run::begin(store, 21, 1).await;
    marked_cards(store, [3]).await;
    let mut stop = Script { stop: Some(ReasonCode::TooManyBadRecords), first_file: 0xF100, ..Script::default() };
    assert!(next.claim(store, &mut stop).await.files.is_empty());
    let mut script = Script { first_file: 0xF200, ..Script::default() };
    let other = store.claim(&next.order("OTHER"), &mut script).await.unwrap().files;
    let mut settled = store.adopt(&first[0], next.epoch).await.unwrap();
    next.settle(store, &mut settled).await;
    let mut script = Script { first_file: 0xF300, ..Script::default() };
    let second = next.claim(store, &mut script).await.files;
    let numbers = |files: &[FileRow]| files.iter().map(|file| file.sequence_number).collect::<Vec<_>>();
    assert_eq!((numbers(&first), numbers(&other), numbers(&second)), (vec![1], vec![1], vec![2]));
    assert_eq!(second[0].previous_file_id, Some(first[0].file_id));
}

pub(crate) async fn a_stopped_claim_leaves_only_its_reason(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let close = [(uid(2), ReasonCode::NothingToPrint)].into();
    let mut script = Script { stop: Some(ReasonCode::TooManyBadRecords), close, ..Script::default() };
    let claimed = run.claim(store, &mut script).await;
    let reason = (ReasonCode::TooManyBadRecords, "as told".to_owned());
    assert_eq!((claimed.files.len(), claimed.stopped), (0, Some(reason.clone())));
    let night = store.night(&run.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
    assert_eq!((night.state, night.reason), (NightState::Stopped, Some(reason)));
    assert_eq!((live(store, 1).await, live(store, 2).await), (vec![(uid(1), false)], vec![(uid(2), false)]));
    assert_eq!(store.unfinished().await.unwrap(), []);
    // Repaired, the same date is claimed.
    let again = Run::begin(store, 20, 2).await;
    assert_eq!(again.claim(store, &mut Script::default()).await.files.len(), 1);
}

pub(crate) async fn an_agreement_is_claimed_once_a_night(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let run = Run::begin(store, 20, 1).await;
    assert_eq!(run.claim(store, &mut Script::default()).await.files.len(), 1);
    marked_cards(store, [2]).await;
    let mut script = Script::default();
    assert!(run.claim(store, &mut script).await.files.is_empty());
    assert!(script.seen.is_empty());
    let stop = AgreementNight {
        night: run.night(),
        institution: issuer(),
        manufacturer: house("HOUSE"),
        state: NightState::Stopped,
        reason: Some((ReasonCode::KeyUnusable, "expired".into())),
        run_id: run.run_id,
    };
    assert!(store.stop(&stop, run.epoch).await.is_err());
}

pub(crate) async fn an_agreement_stops_before_claiming(store: &dyn Store) {
    let run = Run::begin(store, 20, 1).await;
    let stop = AgreementNight {
        night: run.night(),
        institution: issuer(),
        manufacturer: house("HOUSE"),
        state: NightState::Stopped,
        reason: Some((ReasonCode::KeyUnusable, "expired".into())),
        run_id: run.run_id,
    };
    store.stop(&stop, run.epoch).await.unwrap();
    assert_eq!(store.night(&run.night(), &issuer(), &house("HOUSE")).await.unwrap(), Some(stop));
    assert_eq!(store.night(&run.night(), &issuer(), &house("OTHER")).await.unwrap(), None);
}

pub(crate) async fn a_claim_closes_what_needs_no_record(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let close = [(uid(2), ReasonCode::NothingToPrint)].into();
    let claimed = run.claim(store, &mut Script { close, ..Script::default() }).await;
    assert_eq!(plastics_in(store, claimed.files[0].file_id).await, [1]);
    assert_eq!(live(store, 2).await, []);
    let events = store.events(0, 10).await.unwrap();
    let closed = events.iter().find(|event| event.kind == "request.closed").unwrap();
    assert!(closed.data.contains("NOTHING_TO_PRINT"), "{}", closed.data);
}

pub(crate) async fn a_decision_on_a_request_that_is_not_due_is_refused(store: &dyn Store) {
    struct Stray(Script);
    impl Decide for Stray {
        fn restart(&mut self) {}
        fn decide(&mut self, dossier: &emboss::selection::Dossier) -> Vec<Decision> {
            let mut decisions = self.0.decide(dossier);
            if let Some(Decision::Produce(item)) = decisions.first_mut() {
                item.record_uid = uid(999);
            }
            decisions
        }
        fn conclude(&mut self) -> Conclusion {
            self.0.conclude()
        }
        fn new_file(&mut self) -> NewFile {
            self.0.new_file()
        }
    }
    marked_cards(store, [1]).await;
    let run = Run::begin(store, 20, 1).await;
    let refused = store.claim(&run.order("HOUSE"), &mut Stray(Script::default())).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(live(store, 1).await, [(uid(1), false)]);
}

pub(crate) async fn more_records_than_fit_go_into_several_files_by_sort_key(store: &dyn Store) {
    marked_cards(store, [5, 3, 1, 4, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let order = ClaimOrder { max_records_per_file: 2, ..run.order("HOUSE") };
    let files = store.claim(&order, &mut Script::default()).await.unwrap().files;
    let mut found = Vec::new();
    for file in &files {
        found.push((file.sequence_number, plastics_in(store, file.file_id).await));
    }
    assert_eq!(found, [(1, vec![1, 2]), (2, vec![3, 4]), (3, vec![5])]);
    assert_eq!(files[2].previous_file_id, Some(files[1].file_id));
    assert_eq!(live(store, 5).await, [(uid(5), true)]);
}

pub(crate) async fn a_file_holds_exactly_as_many_records_as_agreed(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let order = ClaimOrder { max_records_per_file: 2, ..run.order("HOUSE") };
    assert_eq!(store.claim(&order, &mut Script::default()).await.unwrap().files.len(), 1);
}

pub(crate) async fn a_claim_of_many_pages_misses_nothing(store: &dyn Store) {
    marked_cards(store, 1..=2_100).await;
    let run = Run::begin(store, 20, 1).await;
    let claimed = run.claim(store, &mut Script::default()).await;
    let expected: Vec<i64> = (1..=2_100).collect();
    assert_eq!(plastics_in(store, claimed.files[0].file_id).await, expected);
    let file = claimed.files[0].file_id;
    let first = store.items(file, None, 1_500).await.unwrap();
    let rest = store.items(file, Some(&first[1_499].sort_key), 1_500).await.unwrap();
    assert_eq!((first.len(), rest.len()), (1_500, 600));
    assert_eq!(rest[0].plastic.plastic_id, plastic_id(1_501));
}

pub(crate) async fn r120_an_update_after_the_claim_is_not_in_the_file(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let run = Run::begin(store, 20, 1).await;
    let file = run.claim(store, &mut Script { pin: PinAction::None, ..Script::default() }).await.files[0].file_id;
    let before = store.items(file, None, 10).await.unwrap();
    assert_eq!((&before[0].customer, &before[0].card), (&customer("Virtanen"), &card(1, Some("HOUSE"))));
    assert_eq!((before[0].pan.as_slice(), before[0].pin.clone()), (&b"wrapped 1"[..], None));
    assert_eq!((before[0].pin_action, before[0].prints_pin), (PinAction::None, true));
    assert_eq!((before[0].record_uid, before[0].event), (uid(1), ProductionEvent::Ncrd));
    let mut seed = Seed::begin(store).await;
    let id = CustomerId::new(1).unwrap();
    seed.work.put_customer(&issuer(), id, 2, &customer("Korhonen"), marked()).await.unwrap();
    let account = Account { customer_id: id, address: Some(Address::default()) };
    seed.work.put_account(&issuer(), AccountId::new(1).unwrap(), 2, &account, marked()).await.unwrap();
    seed.lose_card(1).await;
    seed.commit().await;
    assert_eq!(store.items(file, None, 10).await.unwrap(), before);
}

pub(crate) async fn a_later_cut_off_claims_the_same_file_again(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let first = Run::begin(store, 20, 1).await;
    let file = first.claim(store, &mut Script::default()).await.files.remove(0);
    assert_eq!(issue_pins(store, &first, file.file_id).await, 2);
    let mut seed = Seed::begin(store).await;
    seed.lose_card(1).await;
    seed.marked_card(3, None).await;
    seed.commit().await;

    let second = Run::begin(store, 21, 1).await;
    let mut script = Script { hold: vec![uid(1)], first_file: 0xF100, ..Script::default() };
    let again = second.claim(store, &mut script).await.files.remove(0);
    assert_eq!((again.file_id, again.sequence_number), (file.file_id, 1));
    assert_eq!((again.night.clone(), again.run_id, again.epoch), (second.night(), second.run_id, second.epoch));
    assert_eq!(again.cut_off, at("2026-11-21T03:00:00Z"));
    assert_eq!(script.seen[0].card.status, CardStatus::Lost);
    assert_eq!(plastics_in(store, file.file_id).await, [2, 3]);
    assert_eq!(live(store, 1).await, [(uid(1), false)]);
    // R40: the PIN made for the request of card 2 stays its PIN.
    let due = store.pins_to_issue(file.file_id, None, 10).await.unwrap();
    assert_eq!(due.iter().map(|need| need.record_uid).collect::<Vec<_>>(), [uid(3)]);
    let items = store.items(file.file_id, None, 10).await.unwrap();
    assert_eq!(items[0].pin, Some(pin(1, format!("pin of {}", uid(2)).as_bytes())));
    // The night it came from has nothing left to do.
    let night = store.night(&first.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
    assert_eq!(night.state, NightState::Done);
}

pub(crate) async fn a_file_taken_back_goes_out_even_empty(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let first = Run::begin(store, 20, 1).await;
    let file = first.claim(store, &mut Script::default()).await.files.remove(0);
    let second = Run::begin(store, 21, 1).await;
    let mut script = Script { hold: vec![uid(1)], first_file: 0xF100, ..Script::default() };
    let files = second.claim(store, &mut script).await.files;
    assert_eq!(files.iter().map(|again| again.file_id).collect::<Vec<_>>(), [file.file_id]);
    assert_eq!(store.item_counts(file.file_id).await.unwrap().records, 0);
    let mut again = files[0].clone();
    second.settle(store, &mut again).await;
    assert_eq!(live(store, 1).await, [(uid(1), false)]);
}

pub(crate) async fn a_run_that_was_superseded_claims_nothing(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let old = Run::begin(store, 20, 1).await;
    let new = Run::begin(store, 20, 2).await;
    let refused = store.claim(&old.order("HOUSE"), &mut Script::default()).await;
    assert!(matches!(refused, Err(StoreError::Superseded { .. })), "{refused:?}");
    let file = new.claim(store, &mut Script::default()).await.files.remove(0);
    assert!(store.adopt(&file, old.epoch).await.is_err());
    assert!(store.release(file.file_id, old.epoch, &[(uid(1), ReasonCode::PinGenerationFailed)]).await.is_err());
    assert!(store.save_pins(file.file_id, old.epoch, &[]).await.is_err());
    assert_eq!(live(store, 1).await, [(uid(1), true)]);
}

pub(crate) async fn a_released_item_is_due_again(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    let code = ReasonCode::PinGenerationFailed;
    store.release(file.file_id, run.epoch, &[(uid(1), code)]).await.unwrap();
    assert_eq!(live(store, 1).await, [(uid(1), false)]);
    assert_eq!(plastics_in(store, file.file_id).await, [2]);
    assert!(store.release(file.file_id, run.epoch, &[(uid(1), code)]).await.is_err());
    run.seal(store, &mut file).await;
    assert!(store.release(file.file_id, run.epoch, &[(uid(2), code)]).await.is_err());
    // R2: the next night takes it, under its recordUid.
    let next = Run::begin(store, 21, 1).await;
    let mut script = Script { first_file: 0xF100, ..Script::default() };
    let second = next.claim(store, &mut script).await.files.remove(0);
    assert_eq!(store.items(second.file_id, None, 10).await.unwrap()[0].record_uid, uid(1));
}

pub(crate) async fn r40_the_first_pin_of_a_request_wins(store: &dyn Store) {
    marked_cards(store, [1, 2, 3]).await;
    let run = Run::begin(store, 20, 1).await;
    let file = run.claim(store, &mut Script::default()).await.files[0].file_id;
    assert_eq!(store.item_counts(file).await.unwrap(), ItemCounts { records: 3, with_pin: 3, new_pin: 3, fell_out: 0 });
    let due = store.pins_to_issue(file, None, 2).await.unwrap();
    assert_eq!(due.len(), 2);
    assert_eq!((due[0].record_uid, due[0].card_id, due[0].version), (uid(1), card_id(1), 1));
    assert_eq!((due[0].product_code.as_str(), due[0].pan.as_slice()), ("DEBIT", &b"wrapped 1"[..]));
    assert_eq!(due[0].event, ProductionEvent::Ncrd);
    let new = |stored: &[u8]| NewPin { record_uid: uid(1), card_id: card_id(1), pin: pin(1, stored) };
    assert_eq!(store.save_pins(file, run.epoch, &[new(b"first")]).await.unwrap(), 1);
    let late = NewPin { pin: pin(2, b"second"), ..new(b"") };
    assert_eq!(store.save_pins(file, run.epoch, &[late]).await.unwrap(), 0, "it was not kept");
    assert_eq!(store.items(file, None, 10).await.unwrap()[0].pin, Some(pin(1, b"first")));
    let due = store.pins_to_issue(file, None, 10).await.unwrap();
    assert_eq!(due.iter().map(|need| need.record_uid).collect::<Vec<_>>(), [uid(2), uid(3)]);
    let mut work = store.intake().await.unwrap();
    assert_eq!(work.next_pin_version(&issuer(), card_id(1)).await.unwrap(), 2);
    assert_eq!(work.newest_pin(&issuer(), card_id(1)).await.unwrap(), None, "its request has not gone out");
}

/// Makes void what was made for OPEN requests of a card.
async fn void_pins(store: &dyn Store, card: i64) {
    let mut seed = Seed::begin(store).await;
    seed.work.void_pins(&issuer(), card_id(card)).await.unwrap();
    seed.commit().await;
}

/// The version of a card's PIN on record, outside a claim.
async fn on_record(store: &dyn Store, card: i64) -> Option<i64> {
    store.intake().await.unwrap().newest_pin(&issuer(), card_id(card)).await.unwrap()
}

/// What the card's story tells of its PINs: version, and whether it is on record.
async fn told_on_record(store: &dyn Store, card: i64) -> Vec<(i64, bool)> {
    let story = store.story(&issuer(), card_id(card)).await.unwrap().unwrap();
    story.pins.iter().map(|pin| (pin.note.version, pin.on_record)).collect()
}

pub(crate) async fn r40_a_void_pin_is_on_record_for_nobody_and_its_request_gets_another(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let file = run.claim(store, &mut Script::default()).await.files.remove(0);
    assert_eq!(issue_pins(store, &run, file.file_id).await, 2);
    void_pins(store, 1).await;
    let kept = store.items(file.file_id, None, 10).await.unwrap();
    assert_eq!(kept[0].pin.as_ref().map(|pin| pin.version), Some(1), "a CLAIMED request keeps its PIN");
    let code = ReasonCode::CryptoUnavailable;
    store.release(file.file_id, run.epoch, &[(uid(1), code), (uid(2), code)]).await.unwrap();
    void_pins(store, 1).await;
    void_pins(store, 1).await;

    let next = Run::begin(store, 21, 1).await;
    let mut script = Script { first_file: 0xF100, ..Script::default() };
    let mut again = next.claim(store, &mut script).await.files.remove(0);
    assert_eq!(script.seen.iter().map(|dossier| dossier.pin_version).collect::<Vec<_>>(), [None, None]);
    let due = store.pins_to_issue(again.file_id, None, 10).await.unwrap();
    let due: Vec<_> = due.iter().map(|need| (need.record_uid, need.version)).collect();
    assert_eq!(due, [(uid(1), 2)], "card 2 finds its PIN again");
    assert_eq!(issue_pins(store, &next, again.file_id).await, 1);
    assert_eq!((on_record(store, 1).await, on_record(store, 2).await), (None, None), "nothing went out yet");
    assert_eq!(told_on_record(store, 1).await, [(1, false), (2, false)]);
    next.settle(store, &mut again).await;
    assert_eq!((on_record(store, 1).await, on_record(store, 2).await), (Some(2), Some(1)));
    assert_eq!(told_on_record(store, 1).await, [(1, false), (2, true)], "the first is void");
    void_pins(store, 1).await;
    assert_eq!(on_record(store, 1).await, Some(2), "what went out is never void");
}

pub(crate) async fn r32_held_requests_are_claimed_afterwards(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let mut seed = Seed::begin(store).await;
    seed.work.hold_requests(&issuer(), card_id(1)).await.unwrap();
    seed.work.hold_requests(&issuer(), card_id(7)).await.unwrap();
    seed.commit().await;
    assert_eq!(live(store, 1).await, [(uid(1), false)]);
    let run = Run::begin(store, 20, 1).await;
    let file = run.claim(store, &mut Script::default()).await.files.remove(0);
    let mut seed = Seed::begin(store).await;
    seed.work.hold_requests(&issuer(), card_id(1)).await.unwrap();
    seed.commit().await;
    assert_eq!(live(store, 1).await, [(uid(1), true)], "a CLAIMED request is left as it is");
    assert_eq!(plastics_in(store, file.file_id).await, [1, 2]);
}

pub(crate) async fn r35_a_stored_pin_is_pinned_as_it_was_decided_on(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, None).await;
    let first = Request { record_uid: uid(500), reproduction: true, ..request(10, ProductionEvent::Ncrd) };
    seed.request(10, &first).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script { hold: vec![uid(11)], ..Script::default() }).await.files.remove(0);
    assert_eq!(issue_pins(store, &run, file.file_id).await, 1);
    run.settle(store, &mut file).await;
    let next = Run::begin(store, 21, 1).await;
    let mut script = Script { pin: PinAction::Stored, first_file: 0xF100, ..Script::default() };
    let second = next.claim(store, &mut script).await.files.remove(0);
    assert_eq!(script.seen[0].pin_version, Some(1));
    assert_eq!(store.pins_to_issue(second.file_id, None, 10).await.unwrap(), []);
    let items = store.items(second.file_id, None, 10).await.unwrap();
    assert_eq!(items[0].pin, Some(pin(1, format!("pin of {}", uid(500)).as_bytes())));
}

pub(crate) async fn two_pins_for_one_card_get_two_versions(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, None).await;
    let second = Request { record_uid: uid(500), reproduction: true, ..request(10, ProductionEvent::Ncrd) };
    seed.request(10, &second).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let file = run.claim(store, &mut Script::default()).await.files[0].file_id;
    issue_pins(store, &run, file).await;
    let items = store.items(file, None, 10).await.unwrap();
    let versions: Vec<i64> = items.iter().map(|item| item.pin.as_ref().unwrap().version).collect();
    assert_eq!(versions, [1, 2]);
}

pub(crate) async fn an_on_demand_run_narrows_to_cards(store: &dyn Store) {
    marked_cards(store, [1, 2, 3]).await;
    let run = Run::begin(store, 20, 1).await;
    let order = run.order("HOUSE");
    let order = ClaimOrder {
        night: NightKey::OnDemand(run.run_id),
        due: Due { cards: vec![card_id(2)], ..order.due },
        ..order
    };
    let mut file = store.claim(&order, &mut Script::default()).await.unwrap().files.remove(0);
    assert_eq!(plastics_in(store, file.file_id).await, [2]);
    assert_eq!(store.files(&order.night).await.unwrap(), [file.clone()]);
    run.settle(store, &mut file).await;
    // The night afterwards does not repeat them (R140).
    let night = Run::begin(store, 21, 1).await;
    let mut script = Script { first_file: 0xF100, ..Script::default() };
    let file = night.claim(store, &mut script).await.files.remove(0);
    assert_eq!((plastics_in(store, file.file_id).await, file.sequence_number), (vec![1, 3], 2));
    assert_eq!(file.state.next(FileEvent::Seal), Ok(FileState::Sealed));
}
