//! The store's part of the renewal: what is read of a month, and that its plastics are made once (R110-R113).

use super::night::{Run, status_of};
use super::seed::*;
use emboss::card::*;
use emboss::renewal::{Renewable, Renewal};
use emboss::store::*;

use PlasticStatus::{Active, Cancelled, Closed, Inactive, Locked};
use ProductionEvent::{Ncrd, Nvrt, Rpl, Rplre, Rvrt};

/// What [`plastic`] ends with.
fn ends() -> Expiry {
    Expiry::new(2029, 11).unwrap()
}

async fn month(store: &dyn Store, after: Option<i64>, limit: u32) -> Vec<Renewable> {
    store.renewable(&issuer(), ends(), after.map(plastic_id), limit).await.unwrap()
}

fn cards(page: &[Renewable]) -> Vec<i64> {
    page.iter().map(|found| found.card_id.get()).collect()
}

/// Cards with their plastics in use, one each, of the same number.
async fn in_use(store: &dyn Store, numbers: &[i64], event: ProductionEvent) {
    let mut seed = Seed::begin(store).await;
    for number in numbers {
        seed.card(*number, None).await;
        seed.plastic(&plastic(*number, *number, 1, event, Active)).await;
    }
    seed.commit().await;
}

fn renewal(card: i64, event: ProductionEvent) -> (RecordUid, Renewal) {
    let closes = if event == Rvrt { vec![(plastic_id(card), Active)] } else { Vec::new() };
    let renewal = Renewal {
        card_id: card_id(card),
        card_version: 1,
        predecessor: plastic_id(card),
        sequence_number: 2,
        event,
        expiry: Expiry::new(2032, 11).unwrap(),
        cvv_key: None,
        cvv2_key: "cvv2-2".into(),
        closes,
    };
    (uid(9_000 + card), renewal)
}

async fn renew(store: &dyn Store, run: &Run, renewals: &[(RecordUid, Renewal)]) -> Result<Vec<i64>, StoreError> {
    let institution = issuer();
    let marked_at = at("2026-11-20T03:00:00Z");
    let order = RenewalOrder { institution: &institution, run_id: run.run_id, epoch: run.epoch, marked_at, renewals };
    Ok(store.renew(&order).await?.into_iter().map(CardId::get).collect())
}

async fn plastics(store: &dyn Store, card: i64) -> Vec<Plastic> {
    let mut work = store.intake().await.unwrap();
    work.plastics(&issuer(), card_id(card)).await.unwrap()
}

pub(crate) async fn r110_a_month_is_read_by_the_newest_plastic_in_use(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    let other_month = |number, sequence, status| Plastic {
        expiry: Expiry::new(2029, 12).unwrap(),
        ..plastic(number, number / 10, sequence, Rplre, status)
    };
    for number in 1..=8 {
        seed.card(number, None).await;
    }
    for plastic in [
        plastic(10, 1, 1, Ncrd, Active),
        plastic(20, 2, 1, Ncrd, Locked),
        plastic(30, 3, 1, Ncrd, Inactive),
        plastic(40, 4, 1, Ncrd, Closed),
        plastic(50, 5, 1, Ncrd, Active),
        plastic(51, 5, 2, Rplre, Inactive),
        plastic(60, 6, 1, Ncrd, Active),
        plastic(61, 6, 2, Rplre, Cancelled),
        plastic(70, 7, 1, Ncrd, Active),
        other_month(71, 2, Locked),
        other_month(80, 1, Active),
    ] {
        seed.plastic(&plastic).await;
    }
    seed.lose_card(1).await;
    seed.commit().await;
    let found = month(store, None, 10).await;
    assert_eq!(cards(&found), [1, 2, 6]);
    assert_eq!((found[0].card_version, found[0].card.status), (2, CardStatus::Lost), "its newest version");
    let numbers = |found: &Renewable| found.plastics.iter().map(|plastic| plastic.plastic_id.get()).collect::<Vec<_>>();
    assert_eq!(numbers(&found[2]), [60, 61], "cancelled ones too: their numbers are used");
    assert_eq!(found[2].newest().unwrap().plastic_id, plastic_id(60));
    assert_eq!(found[1].plastics, [plastic(20, 2, 1, Ncrd, Locked)]);

    // Page by page.
    assert_eq!(cards(&month(store, None, 2).await), [1, 2]);
    assert_eq!(cards(&month(store, Some(20), 2).await), [6]);
    assert_eq!(cards(&month(store, Some(60), 2).await), [0_i64; 0]);
    let other: InstitutionId = "246002".parse().unwrap();
    assert_eq!(store.renewable(&other, ends(), None, 10).await.unwrap(), [], "R7");
}

pub(crate) async fn r112_a_renewal_makes_marks_closes_and_tells(store: &dyn Store) {
    in_use(store, &[1, 2], Ncrd).await;
    in_use(store, &[3], Nvrt).await;
    let run = Run::begin(store, 20, 1).await;
    let made = renew(store, &run, &[renewal(1, Rpl), renewal(3, Rvrt)]).await.unwrap();
    assert_eq!(made, [1, 3]);
    let new = &plastics(store, 1).await[1];
    assert_eq!((new.sequence_number, new.event, new.status), (2, Rpl, Inactive));
    assert_eq!((new.expiry.to_string(), new.marked_at), ("2032-11".into(), Some(at("2026-11-20T03:00:00Z"))));
    assert_eq!((new.cvv_key.clone(), new.cvv2_key.as_str(), new.embossing_date), (None, "cvv2-2", None));
    let mut work = store.intake().await.unwrap();
    let live = work.live_requests(&issuer(), card_id(1)).await.unwrap();
    drop(work);
    let [(request, false)] = &live[..] else { panic!("one OPEN request: {live:?}") };
    assert_eq!((request.record_uid, request.plastic_id, request.event), (uid(9_001), new.plastic_id, Rpl));
    assert_eq!((request.marked_at, request.reproduction), (at("2026-11-20T03:00:00Z"), false));
    assert_eq!(status_of(store, 1).await, Active, "closed by the settlement (R63)");

    let virtual_one = &plastics(store, 3).await[1];
    assert_eq!((virtual_one.event, virtual_one.status, virtual_one.marked_at), (Rvrt, Active, None));
    assert_eq!(status_of(store, 3).await, Closed);
    let events = store.events(0, 100).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(told, ["plastic.renewed", "plastic.renewed", "plastic.moved"]);
    assert_eq!(events[0].institution, Some(issuer()));
    assert_eq!(cards(&month(store, None, 10).await), [2], "the others have a newer one");
}

pub(crate) async fn r112_a_card_is_renewed_once(store: &dyn Store) {
    in_use(store, &[1, 2, 3], Ncrd).await;
    let run = Run::begin(store, 20, 1).await;
    let page = [renewal(1, Rpl), renewal(2, Rpl), renewal(3, Rpl)];
    assert_eq!(renew(store, &run, &page[..1]).await.unwrap(), [1]);
    // The same rulings again, as from a page that was read before: who has a plastic by now is left out.
    let again: Vec<_> = page.iter().map(|(uid, renewal)| (RecordUid(flipped(uid)), renewal.clone())).collect();
    assert_eq!(renew(store, &run, &again).await.unwrap(), [2, 3]);
    assert_eq!(renew(store, &run, &page).await.unwrap(), [0_i64; 0]);
    for card in 1..=3 {
        assert_eq!(plastics(store, card).await.len(), 2, "{card}");
    }
    assert_eq!(store.events(0, 100).await.unwrap().len(), 3);
}

/// Another recordUid.
fn flipped(uid: &RecordUid) -> uuid::Uuid {
    uuid::Uuid::from_u128(uid.0.as_u128() + 500_000)
}

pub(crate) async fn r111_a_card_that_changed_since_it_was_read_is_left_out(store: &dyn Store) {
    in_use(store, &[1, 2, 3], Ncrd).await;
    let run = Run::begin(store, 20, 1).await;
    let mut seed = Seed::begin(store).await;
    seed.lose_card(1).await;
    seed.plastic(&plastic(77, 2, 2, Rplre, Inactive)).await;
    seed.commit().await;
    let page = [renewal(1, Rpl), renewal(2, Rpl), renewal(3, Rpl)];
    assert_eq!(renew(store, &run, &page).await.unwrap(), [3]);
    assert_eq!((plastics(store, 1).await.len(), plastics(store, 2).await.len()), (1, 2));
}

pub(crate) async fn fault_22_a_run_that_was_superseded_renews_nothing(store: &dyn Store) {
    in_use(store, &[1], Nvrt).await;
    let asleep = Run::begin(store, 20, 1).await;
    let later = Run::begin(store, 20, 2).await;
    let error = renew(store, &asleep, &[renewal(1, Rvrt)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert_eq!((plastics(store, 1).await.len(), status_of(store, 1).await), (1, Active));
    assert!(store.events(0, 100).await.unwrap().is_empty());
    assert_eq!(renew(store, &later, &[renewal(1, Rvrt)]).await.unwrap(), [1]);
}

/// The platform's own ids stand in the way of those we count up.
pub(crate) async fn renewals_take_no_plastic_id_that_is_used(store: &dyn Store) {
    in_use(store, &[1, 2, 3, 5, 6, 9], Ncrd).await;
    let run = Run::begin(store, 20, 1).await;
    let page: Vec<_> = [1, 2, 3, 5, 6].into_iter().map(|card| renewal(card, Rpl)).collect();
    assert_eq!(renew(store, &run, &page).await.unwrap(), [1, 2, 3, 5, 6]);
    let mut ids = Vec::new();
    for card in [1, 2, 3, 5, 6] {
        ids.push(plastics(store, card).await[1].plastic_id.get());
    }
    assert_eq!(ids, [4, 7, 8, 10, 11]);
    let mut work = store.intake().await.unwrap();
    assert_eq!(work.next_id(&issuer(), IdKind::Plastic).await.unwrap(), 12);
}
