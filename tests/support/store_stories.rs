//! What is kept for the story of a card: orders by card, what was held on which nights, and everything read together.

use super::claims::marked_cards;
use super::night::*;
use super::seed::*;
use chrono::NaiveDate;
use emboss::card::*;
use emboss::selection::{ReasonCode, Request, Standing};
use emboss::settlement::FileEvent;
use emboss::store::stories::{CardStory, StandingNote};
use emboss::store::*;

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
}

async fn story(store: &dyn Store, card: i64) -> CardStory {
    store.story(&issuer(), card_id(card)).await.unwrap().unwrap()
}

fn note(number: i64, standing: Standing, code: ReasonCode, nights: (u32, u32), times: u64) -> StandingNote {
    let (first_night, last_night) = (day(nights.0), day(nights.1));
    StandingNote { record_uid: uid(number), standing, code, first_night, last_night, times }
}

fn staying(stay: &[(i64, Standing, ReasonCode)]) -> Script {
    let stay =
        stay.iter().map(|(number, standing, code)| Stay { record_uid: uid(*number), standing: *standing, code: *code });
    Script { stay: stay.collect(), ..Script::default() }
}

/// R54: a log beside the decisions; what held a request on which nights, each night once.
pub(crate) async fn r54_a_claim_writes_down_what_stays(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let (hold, exclude) = (Standing::Hold, Standing::Exclude);
    let wait = [(1, hold, ReasonCode::HeldPinWait), (2, exclude, ReasonCode::PlasticExpired)];
    for (day, script) in [
        (20, staying(&wait)),
        (21, staying(&wait)),
        (22, staying(&[(1, hold, ReasonCode::CardBlocked), wait[1]])),
        (23, staying(&wait)),
    ] {
        let run = Run::begin(store, day, 1).await;
        let mut script = script;
        assert_eq!(run.claim(store, &mut script).await.files, [], "nothing goes");
    }
    let first = story(store, 1).await;
    let waited = note(1, hold, ReasonCode::HeldPinWait, (20, 23), 3);
    assert_eq!(first.standings, [waited.clone(), note(1, hold, ReasonCode::CardBlocked, (22, 22), 1)]);
    assert_eq!(story(store, 2).await.standings, [note(2, exclude, ReasonCode::PlasticExpired, (20, 23), 4)]);
    // On demand, later the same day: the night counts once.
    let run = Run::begin(store, 23, 2).await;
    let order = ClaimOrder { night: NightKey::OnDemand(run.run_id), ..run.order("HOUSE") };
    store.claim(&order, &mut staying(&wait)).await.unwrap();
    assert_eq!(story(store, 1).await.standings[0], waited);
    // What goes leaves what was written as it is, and adds nothing.
    let run = Run::begin(store, 24, 1).await;
    assert_eq!(run.claim(store, &mut Script { first_file: 0xF100, ..Script::default() }).await.files.len(), 1);
    assert_eq!(story(store, 1).await.standings, first.standings);
}

/// A claim that is rolled back leaves nothing, and a run that was overtaken writes nothing.
pub(crate) async fn what_stays_is_written_with_its_claim_or_not_at_all(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let old = Run::begin(store, 20, 1).await;
    let stay = [(1, Standing::Hold, ReasonCode::NameMissing)];
    let mut script = Script { stop: Some(ReasonCode::TooManyBadRecords), ..staying(&stay) };
    old.claim(store, &mut script).await;
    assert_eq!(story(store, 1).await.standings, []);
    let stops = story(store, 1).await.stops;
    let told: Vec<_> = stops.iter().map(|stop| (stop.night.clone(), stop.manufacturer.clone(), stop.code)).collect();
    assert_eq!(told, [(old.night(), house("HOUSE"), ReasonCode::TooManyBadRecords)]);
    let new = Run::begin(store, 20, 2).await;
    let refused = store.note_stays(old.epoch, day(20), &script.stay).await;
    assert!(matches!(refused, Err(StoreError::Superseded { .. })), "{refused:?}");
    assert_eq!(story(store, 1).await.standings, []);
    store.note_stays(new.epoch, day(20), &script.stay).await.unwrap();
    let written = [note(1, Standing::Hold, ReasonCode::NameMissing, (20, 20), 1)];
    assert_eq!(story(store, 1).await.standings, written);
}

/// More than one INSERT and more than one page of the claim.
pub(crate) async fn every_request_that_stays_is_written(store: &dyn Store) {
    marked_cards(store, 1..=1_100).await;
    let stay: Vec<_> = (1..=1_100).map(|number| (number, Standing::Hold, ReasonCode::HeldPinWait)).collect();
    let run = Run::begin(store, 20, 1).await;
    assert_eq!(run.claim(store, &mut staying(&stay)).await.files, []);
    for card in [1, 64, 65, 1_000, 1_001, 1_100] {
        assert_eq!(story(store, card).await.standings.len(), 1, "card {card}");
    }
}

pub(crate) async fn a_story_has_the_orders_of_its_card(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.card(1, None).await;
    seed.card(2, None).await;
    let answer = |text: &str| StoredAnswer { content_mac: vec![7], answer: text.into() };
    for (order_id, op, time, card) in [
        ("o-4", "updateCard", "2026-11-19T12:00:00Z", Some(1)),
        ("o-1", "createCustomer", "2026-11-19T09:00:00Z", None),
        ("o-2", "createCard", "2026-11-19T10:00:00Z", Some(1)),
        ("o-3", "replaceCard", "2026-11-19T11:00:00Z", Some(1)),
        ("o-5", "createCard", "2026-11-19T10:00:00Z", Some(2)),
    ] {
        let subject = OrderSubject { op, at: at(time), card_id: card.map(card_id) };
        seed.work.save_answer(&seed.of, order_id, &answer(order_id), &subject).await.unwrap();
    }
    let stored = seed.work.card(&seed.of, card_id(2)).await.unwrap().unwrap();
    let replacing = Card { replaces: Some(card_id(1)), ..stored.card };
    seed.work.put_card(&seed.of, card_id(2), 2, &replacing, at("2026-11-19T11:00:00Z")).await.unwrap();
    seed.commit().await;
    let orders = |story: &CardStory| {
        let one =
            |order: &stories::OrderNote| (order.order_id.clone(), order.op.clone(), order.at, order.answer.clone());
        story.orders.iter().map(one).map(|(id, op, at, text)| format!("{id} {op} {at:?} {text}")).collect::<Vec<_>>()
    };
    let lost = "o-3 replaceCard 2026-11-19T11:00:00Z o-3";
    assert_eq!(
        orders(&story(store, 1).await),
        ["o-2 createCard 2026-11-19T10:00:00Z o-2", lost, "o-4 updateCard 2026-11-19T12:00:00Z o-4",]
    );
    // The order that made it names the lost card, and nothing else of that card's is its own.
    let new = story(store, 2).await;
    assert_eq!(orders(&new), ["o-5 createCard 2026-11-19T10:00:00Z o-5", lost]);
    assert_eq!(new.versions.iter().map(|version| version.replaces).collect::<Vec<_>>(), [None, Some(card_id(1))]);
}

pub(crate) async fn a_story_tells_what_became_of_a_card(store: &dyn Store) {
    marked_cards(store, [1, 2, 3]).await;
    let mut seed = Seed::begin(store).await;
    seed.plastic(&plastic(52, 2, 2, ProductionEvent::Rplre, PlasticStatus::Cancelled)).await;
    seed.request(2, &pin_order(2, 2)).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { hold: vec![uid(1_000_002)], ..Script::default() };
    let mut file = run.claim(store, &mut script).await.files.remove(0);
    store.release(file.file_id, run.epoch, &[(uid(1), ReasonCode::PinGenerationFailed)]).await.unwrap();
    issue_pins(store, &run, file.file_id).await;
    run.settle(store, &mut file).await;

    let second = story(store, 2).await;
    assert_eq!((&*second.bin, &*second.last4, second.manufacturer.as_deref()), ("400000", "0002", Some("HOUSE")));
    let plastics: Vec<_> = second.plastics.iter().map(|plastic| (plastic.plastic_id, plastic.status)).collect();
    assert_eq!(plastics, [(plastic_id(2), PlasticStatus::Active), (plastic_id(52), PlasticStatus::Cancelled)]);
    // The card's letter carried its PIN, so that the waiting PIN order was closed.
    let requests: Vec<_> = second.requests.iter().map(|request| (request.record_uid, &*request.state)).collect();
    assert_eq!(requests, [(uid(2), "SENT"), (uid(1_000_002), "CLOSED")]);
    assert_eq!(second.requests[1].reason.as_deref(), Some("SUPERSEDED"));
    let [only] = &second.files[..] else { panic!("{:?}", second.files) };
    assert_eq!((only.file_id, &*only.state, only.records), (file.file_id, "SETTLED", Some(2)));
    // Card 1 fell out: what was the second record is the first.
    assert_eq!((only.items.len(), only.items[0].record_number), (1, Some(1)));
    assert_eq!(only.deliveries[0].identity, "sftp host");
    let kinds: Vec<_> = second.events.iter().map(|event| &*event.kind).collect();
    assert_eq!(kinds, ["plastic.moved", "request.closed"]);
    let pins: Vec<_> = second.pins.iter().map(|pin| (pin.record_uid, pin.on_record)).collect();
    assert_eq!(pins, [(Some(uid(2)), true)]);
    assert_eq!(story(store, 3).await.files[0].items[0].record_number, Some(2));

    let fallen = story(store, 1).await;
    let item = &fallen.files[0].items[0];
    assert_eq!((item.record_number, item.reason.as_deref()), (None, Some("PIN_GENERATION_FAILED")));
    assert_eq!((&*fallen.requests[0].state, fallen.requests[0].file_id), ("OPEN", None));
    assert_eq!(fallen.events.iter().map(|event| &*event.kind).collect::<Vec<_>>(), ["item.released"]);
}

pub(crate) async fn a_story_follows_a_file_that_is_sent_again(store: &dyn Store) {
    marked_cards(store, [1, 2]).await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    issue_pins(store, &run, file.file_id).await;
    run.settle(store, &mut file).await;
    let again = ordered("they lost it");
    let settled = store.file(file.file_id).await.unwrap().unwrap();
    let file = store.advance(&settled, FileEvent::Resend, run.epoch, again).await.unwrap();
    let new = NewFile { file_id: file_id(0xD000), fill_seed: b"wrapped seed".to_vec() };
    store.duplicate(&file, &new, run.epoch, &anna("a box was stolen")).await.unwrap();
    let story = story(store, 2).await;
    let files: Vec<_> = story.files.iter().map(|file| (file.file_id, file.resend_of)).collect();
    assert_eq!(files, [(file.file_id, None), (new.file_id, Some(file.file_id))]);
    assert_eq!(story.files[0].deliveries.iter().map(|one| one.delivery_number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(story.files[1].items[0].record_number, Some(2));
    let audit: Vec<_> = story.audit.iter().map(|row| (&*row.action, &*row.subject)).collect();
    let ids = (file.file_id.to_string(), new.file_id.to_string());
    assert_eq!(audit, [("file.resend_ordered", &*ids.0), ("file.duplicated", &*ids.1)]);
    assert_eq!(story.unfinished.iter().map(|file| &*file.name).collect::<Vec<_>>(), [&*ids.1], "of those not settled");
}

/// Reproductions and PIN orders that are long done are the card's too.
pub(crate) async fn a_story_has_every_request_of_its_card(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, None).await;
    seed.request(10, &Request { record_uid: uid(500), reproduction: true, ..request(10, ProductionEvent::Ncrd) }).await;
    seed.request(10, &pin_order(10, 10)).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { prints_pin: false, ..Script::default() };
    let mut file = run.claim(store, &mut script).await.files.remove(0);
    issue_pins(store, &run, file.file_id).await;
    run.settle(store, &mut file).await;
    let story = story(store, 10).await;
    let requests: Vec<_> = story.requests.iter().map(|request| (request.record_uid, &*request.state)).collect();
    assert_eq!(requests, [(uid(11), "SENT"), (uid(500), "SENT"), (uid(1_000_010), "SENT")]);
    assert_eq!(story.files[0].items.len(), 3);
}

pub(crate) async fn ids_are_found_in_every_institution_that_has_them(store: &dyn Store) {
    let other: InstitutionId = "246002".parse().unwrap();
    for of in [issuer(), other.clone()] {
        let mut seed = Seed { of, work: store.intake().await.unwrap() };
        seed.card(1, None).await;
        seed.plastic(&plastic(1, 1, 1, ProductionEvent::Nvrt, PlasticStatus::Active)).await;
        seed.commit().await;
    }
    marked_cards(store, [2]).await;
    let both = vec![(issuer(), card_id(1)), (other, card_id(1))];
    assert_eq!(store.bearers(Subject::Card(card_id(1))).await.unwrap(), both);
    assert_eq!(store.bearers(Subject::Plastic(plastic_id(1))).await.unwrap(), both);
    assert_eq!(store.bearers(Subject::Plastic(plastic_id(2))).await.unwrap(), [(issuer(), card_id(2))]);
    assert_eq!(store.bearers(Subject::Card(card_id(3))).await.unwrap(), []);
    assert_eq!(store.story(&issuer(), card_id(3)).await.unwrap(), None);
}

/// Who looks waits for nobody who writes, and sees one state: what was there before.
pub(crate) async fn a_story_waits_for_no_writer(store: &dyn Store) {
    marked_cards(store, [1]).await;
    let mut seed = Seed::begin(store).await;
    seed.lose_card(1).await;
    assert_eq!(story(store, 1).await.versions.len(), 1);
    seed.commit().await;
    assert_eq!(story(store, 1).await.versions.last().unwrap().status, CardStatus::Lost);
}
