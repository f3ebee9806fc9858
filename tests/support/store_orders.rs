//! Orders in, dossiers out.

use super::night::pin;
use super::seed::*;
use emboss::card::*;
use emboss::selection::{ReasonCode, Request};
use emboss::store::*;

pub(crate) fn due(route: Route) -> Due {
    Due { institution: issuer(), route, cut_off: at("2026-11-20T03:00:00Z"), cards: Vec::new() }
}

pub(crate) fn to_house(code: &str, is_default: bool) -> Due {
    due(Route::Manufacturer { code: house(code), is_default })
}

async fn cards_of(store: &dyn Store, due: &Due) -> Vec<i64> {
    let dossiers = store.dossiers(due, None, 100).await.unwrap();
    dossiers.iter().map(|dossier| dossier.card_id.get()).collect()
}

pub(crate) async fn what_intake_writes_it_reads_back(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(7, Some("HOUSE")).await;
    let answer = StoredAnswer { content_mac: vec![1, 2, 3], answer: "{\"id\":\"7\"}".into() };
    let subject = OrderSubject { op: "createCard", at: marked(), card_id: Some(card_id(7)) };
    seed.work.save_answer(&seed.of, "o-1", &answer, &subject).await.unwrap();
    seed.commit().await;

    let mut seed = Seed::begin(store).await;
    let of = issuer();
    assert_eq!(seed.work.answer(&of, "o-1").await.unwrap(), Some(answer));
    assert_eq!(seed.work.answer(&of, "o-2").await.unwrap(), None);
    let stored = seed.work.card(&of, card_id(7)).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.card, stored.pan), (1, card(7, Some("HOUSE")), b"wrapped 7".to_vec()));
    let customer_id = CustomerId::new(7).unwrap();
    assert_eq!(seed.work.customer(&of, customer_id).await.unwrap(), Some((1, customer("Virtanen"))));
    let active = plastic(7, 7, 1, ProductionEvent::Ncrd, PlasticStatus::Active);
    let marked = plastic(8, 7, 2, ProductionEvent::Rplre, PlasticStatus::Inactive);
    assert_eq!(seed.work.plastics(&of, card_id(7)).await.unwrap(), [active.clone(), marked.clone()]);
    assert_eq!(seed.work.plastic(&of, plastic_id(8)).await.unwrap(), Some(marked));
    let live = seed.work.live_requests(&of, card_id(7)).await.unwrap();
    assert_eq!(live, [(request(8, ProductionEvent::Rplre), false)]);
    assert_eq!(seed.work.newest_pin(&of, card_id(7)).await.unwrap(), None);
    // Another institution sees none of it.
    let other = "246002".parse().unwrap();
    assert_eq!(seed.work.card(&other, card_id(7)).await.unwrap(), None);
    assert_eq!(seed.work.plastic(&other, plastic_id(8)).await.unwrap(), None);
    assert_eq!(seed.work.answer(&other, "o-1").await.unwrap(), None);
}

pub(crate) async fn a_dropped_unit_of_work_leaves_nothing(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.marked_card(1, None).await;
    drop(seed);
    let mut seed = Seed::begin(store).await;
    assert_eq!(seed.work.card(&issuer(), card_id(1)).await.unwrap(), None);
}

pub(crate) async fn versions_follow_each_other(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.card(1, None).await;
    let (of, id) = (issuer(), CustomerId::new(1).unwrap());
    seed.work.put_customer(&of, id, 2, &customer("Korhonen"), marked()).await.unwrap();
    assert_eq!(seed.work.customer(&of, id).await.unwrap(), Some((2, customer("Korhonen"))));
    let skipped = seed.work.put_customer(&of, id, 4, &customer("Nieminen"), marked()).await;
    assert!(matches!(skipped, Err(StoreError::Overtaken { .. })), "{skipped:?}");
    let skipped = seed.work.put_card(&of, card_id(1), 3, &card(1, None), marked()).await;
    assert!(matches!(skipped, Err(StoreError::Overtaken { .. })), "{skipped:?}");
}

pub(crate) async fn next_id_skips_ids_in_use(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    let of = issuer();
    assert_eq!(seed.work.next_id(&of, IdKind::Card).await.unwrap(), 1);
    for number in [2, 3, 5] {
        seed.card(number, None).await;
    }
    assert_eq!(seed.work.next_id(&of, IdKind::Card).await.unwrap(), 4);
    assert_eq!(seed.work.next_id(&of, IdKind::Card).await.unwrap(), 6);
    assert_eq!(seed.work.next_id(&of, IdKind::Plastic).await.unwrap(), 1);
    assert_eq!(seed.work.next_id(&"246002".parse().unwrap(), IdKind::Card).await.unwrap(), 1);
}

pub(crate) async fn a_card_number_exists_once_over_all_institutions(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.card(1, None).await;
    let mut pan_index = [0; 32];
    pan_index[7] = 1;
    pan_index[8..14].copy_from_slice(b"246001");
    assert!(seed.work.pan_known(&pan_index).await.unwrap());
    let other: InstitutionId = "246002".parse().unwrap();
    seed.of = other.clone();
    seed.card(1, None).await;
    let again = NewCard {
        card_id: card_id(2),
        card: card(1, None),
        pan: vec![1],
        pan_index,
        bin: "400000".into(),
        last4: "0001".into(),
    };
    pan_index[31] = 9;
    assert!(!seed.work.pan_known(&pan_index).await.unwrap());
    assert!(seed.work.new_card(&other, &again, marked()).await.is_err());
}

pub(crate) async fn r130_one_normal_request_per_plastic_and_event(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(1, None).await;
    let again = Request { record_uid: uid(77), ..request(2, ProductionEvent::Rplre) };
    let reproduction = Request { reproduction: true, ..again.clone() };
    seed.request(1, &reproduction).await;
    // PIN orders: one at a time.
    seed.request(1, &pin_order(1, 1)).await;
    seed.commit().await;
    let second = Request { record_uid: uid(78), ..pin_order(1, 1) };
    for refused in [again, second.clone()] {
        // A refusal ends the unit of work: nothing more can be done in it.
        let mut work = store.intake().await.unwrap();
        assert!(work.new_request(&issuer(), card_id(1), &refused).await.is_err());
    }
    let mut seed = Seed::begin(store).await;
    seed.work.close_request(&issuer(), uid(1_000_001), ReasonCode::NothingToPrint).await.unwrap();
    seed.request(1, &second).await;
}

pub(crate) async fn a_status_moves_only_from_where_it_was_read(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(1, None).await;
    let of = issuer();
    let read = seed.work.plastic(&of, plastic_id(2)).await.unwrap().unwrap();
    seed.work.move_plastic(&of, &read, PlasticStatus::Cancelled, marked()).await.unwrap();
    assert!(seed.work.move_plastic(&of, &read, PlasticStatus::Active, marked()).await.is_err());
    seed.commit().await;
    let events = store.events(0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].kind.as_str(), events[0].at, events[0].institution.clone()),
        ("plastic.moved", marked(), Some(of))
    );
    let data: serde_json::Value = serde_json::from_str(&events[0].data).unwrap();
    assert_eq!(data, serde_json::json!({"plasticId": "2", "cardId": "1", "from": "INACTIVE", "to": "CANCELLED"}));
    assert_eq!(store.events(events[0].number, 10).await.unwrap(), []);
}

pub(crate) async fn r116_a_lost_card_and_the_one_in_its_place_name_each_other(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.marked_card(7, Some("HOUSE")).await;
    seed.commit().await;
    let of = issuer();
    let mut work = store.intake().await.unwrap();
    let was = work.card(&of, card_id(7)).await.unwrap().unwrap();
    assert_eq!((was.card.replaces, was.card.replaced_by), (None, None));
    let lost = Card { status: CardStatus::Lost, replaced_by: Some(card_id(8)), ..was.card.clone() };
    let new = NewCard {
        card_id: card_id(8),
        card: Card { replaces: Some(card_id(7)), ..was.card.clone() },
        pan: b"wrapped 8".to_vec(),
        pan_index: [8; 32],
        bin: "400000".into(),
        last4: "0008".into(),
    };
    work.new_card(&of, &new, marked()).await.unwrap();
    work.new_plastic(&of, &plastic(8, 8, 1, ProductionEvent::Nlost, PlasticStatus::Inactive)).await.unwrap();
    work.new_request(&of, card_id(8), &request(8, ProductionEvent::Nlost)).await.unwrap();
    work.put_card(&of, card_id(7), was.version + 1, &lost, marked()).await.unwrap();
    work.commit().await.unwrap();

    let mut work = store.intake().await.unwrap();
    let read = work.card(&of, card_id(7)).await.unwrap().unwrap();
    assert_eq!((read.version, read.card, read.pan), (2, lost, was.pan));
    let read = work.card(&of, card_id(8)).await.unwrap().unwrap();
    assert_eq!((read.version, read.card, read.pan), (1, new.card, new.pan));
    assert_eq!(work.live_requests(&of, card_id(7)).await.unwrap().len(), 1, "R53: the lost card's stays");
    assert_eq!(work.live_requests(&of, card_id(8)).await.unwrap(), [(request(8, ProductionEvent::Nlost), false)]);
}

pub(crate) async fn r118_a_number_is_used_once_cancelled_plastics_included(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.marked_card(1, None).await;
    let first = plastic(1, 1, 1, ProductionEvent::Ncrd, PlasticStatus::Inactive);
    seed.work.move_plastic(&issuer(), &first, PlasticStatus::Cancelled, marked()).await.unwrap();
    seed.commit().await;
    let next = |number, sequence| plastic(number, 1, sequence, ProductionEvent::Rplre, PlasticStatus::Inactive);
    for refused in [next(2, 1), next(1, 2)] {
        let mut work = store.intake().await.unwrap();
        assert!(work.new_plastic(&issuer(), &refused).await.is_err(), "{refused:?}");
    }
    let mut work = store.intake().await.unwrap();
    work.new_plastic(&issuer(), &next(2, 2)).await.unwrap();
    let statuses: Vec<_> = work.plastics(&issuer(), card_id(1)).await.unwrap().iter().map(|p| p.status).collect();
    assert_eq!(statuses, [PlasticStatus::Cancelled, PlasticStatus::Inactive], "cancelled ones are read too");
}

pub(crate) async fn a_dossier_holds_the_whole_card(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, Some("HOUSE")).await;
    seed.plastic(&plastic(12, 10, 3, ProductionEvent::Rplre, PlasticStatus::Cancelled)).await;
    seed.request(10, &pin_order(10, 10)).await;
    let of = issuer();
    let id = CustomerId::new(10).unwrap();
    seed.work.put_customer(&of, id, 2, &customer("Korhonen"), marked()).await.unwrap();
    seed.commit().await;
    let dossiers = store.dossiers(&to_house("HOUSE", false), None, 10).await.unwrap();
    assert_eq!(dossiers.len(), 1);
    let dossier = &dossiers[0];
    assert_eq!((dossier.institution.clone(), dossier.card_id), (of, card_id(10)));
    assert_eq!((dossier.card_version, &dossier.card), (1, &card(10, Some("HOUSE"))));
    assert_eq!((dossier.customer_version, &dossier.customer), (2, &customer("Korhonen")));
    assert_eq!((dossier.account_version, dossier.account.customer_id), (1, id));
    let active = plastic(10, 10, 1, ProductionEvent::Ncrd, PlasticStatus::Active);
    let marked = plastic(11, 10, 2, ProductionEvent::Rplre, PlasticStatus::Inactive);
    assert_eq!(dossier.plastics, [active, marked]);
    assert_eq!(dossier.pin_version, None);
    assert_eq!(dossier.requests, [request(11, ProductionEvent::Rplre), pin_order(10, 10)]);
}

pub(crate) async fn r6_due_is_marked_until_the_cut_off_inclusive(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    let cut_off = at("2026-11-20T03:00:00Z");
    for (number, after_us) in [(1, -1), (2, 0), (3, 1)] {
        seed.card(number, None).await;
        seed.plastic(&plastic(number, number, 1, ProductionEvent::Ncrd, PlasticStatus::Inactive)).await;
        let marked_at = cut_off + chrono::TimeDelta::microseconds(after_us);
        let marked = Request { marked_at, ..request(number, ProductionEvent::Ncrd) };
        seed.request(number, &marked).await;
    }
    seed.commit().await;
    assert_eq!(cards_of(store, &to_house("HOUSE", true)).await, [1, 2]);
    assert_eq!(store.due_institutions(cut_off).await.unwrap(), [(issuer(), 2)]);
    assert_eq!(store.due_institutions(at("2020-01-01T00:00:00Z")).await.unwrap(), []);
}

pub(crate) async fn r8_every_card_has_one_route(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for (number, manufacturer) in
        [(1, Some("HOUSE")), (2, Some("OTHER")), (3, None), (4, Some("NOBODY")), (5, Some("not a code"))]
    {
        seed.marked_card(number, manufacturer).await;
    }
    seed.commit().await;
    assert_eq!(cards_of(store, &to_house("HOUSE", false)).await, [1]);
    assert_eq!(cards_of(store, &to_house("HOUSE", true)).await, [1, 3]);
    assert_eq!(cards_of(store, &to_house("OTHER", false)).await, [2]);
    let known = vec![house("HOUSE"), house("OTHER")];
    let with_default = due(Route::Elsewhere { known: known.clone(), has_default: true });
    assert_eq!(cards_of(store, &with_default).await, [4, 5]);
    let without = due(Route::Elsewhere { known, has_default: false });
    assert_eq!(cards_of(store, &without).await, [3, 4, 5]);
    let nobody = due(Route::Elsewhere { known: vec![], has_default: false });
    assert_eq!(cards_of(store, &nobody).await, [1, 2, 3, 4, 5]);
    let narrowed = Due { cards: vec![card_id(5), card_id(1)], ..nobody };
    assert_eq!(cards_of(store, &narrowed).await, [1, 5]);
}

pub(crate) async fn dossiers_come_in_pages_by_card(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for number in [30, 10, 20, 40] {
        seed.marked_card(number, None).await;
    }
    seed.cancel(40).await;
    seed.commit().await;
    let due = to_house("HOUSE", true);
    let page = store.dossiers(&due, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|dossier| dossier.card_id.get()).collect::<Vec<_>>(), [10, 20]);
    let page = store.dossiers(&due, Some(card_id(20)), 2).await.unwrap();
    assert_eq!(page.iter().map(|dossier| dossier.card_id.get()).collect::<Vec<_>>(), [30]);
}

pub(crate) async fn r36_a_pin_that_no_request_asked_for_is_on_record(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.marked_card(1, Some("HOUSE")).await;
    seed.marked_card(2, Some("HOUSE")).await;
    let (of, id) = (issuer(), card_id(1));
    for (version, stored) in [(1, b"first"), (2, b"later")] {
        assert_eq!(seed.work.next_pin_version(&of, id).await.unwrap(), version);
        seed.work.new_pin(&of, id, &pin(version, stored), marked()).await.unwrap();
        assert_eq!(seed.work.newest_pin(&of, id).await.unwrap(), Some(version));
    }
    seed.work.void_pins(&of, id).await.unwrap();
    assert_eq!(seed.work.newest_pin(&of, id).await.unwrap(), Some(2), "what its holder set is never void");
    assert_eq!(seed.work.newest_pin(&of, card_id(2)).await.unwrap(), None);
    assert_eq!(seed.work.newest_pin(&"246002".parse().unwrap(), id).await.unwrap(), None);
    seed.commit().await;
    let dossiers = store.dossiers(&to_house("HOUSE", false), None, 10).await.unwrap();
    assert_eq!(dossiers.iter().map(|dossier| dossier.pin_version).collect::<Vec<_>>(), [Some(2), None]);
    let mut work = store.intake().await.unwrap();
    assert!(work.new_pin(&of, id, &pin(2, b"again"), marked()).await.is_err(), "a version is written once");
}
