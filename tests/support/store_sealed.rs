//! What stands sealed: counted by key, read in pages, replaced where nobody else was there first; and a whole rotation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::night::*;
use super::seed::*;
use emboss::ambient::Random;
use emboss::card::*;
use emboss::rotation::{Rotated, Rotation, Told, sealed_under};
use emboss::store::*;
use emboss::vault::key_set::{self, KeySet, RawKey, key_set_from};
use emboss::vault::{KeyAlgorithm, KeyUsage, Owner, Pvv, StoredPin, Vault, Wrapped};

/// The data keys dek-1 and dek-2 beside the vault's other keys; the bytes of each are its number.
fn keys() -> KeySet {
    let key = |id: &str, usage, algorithm, byte: u8| RawKey {
        id: id.to_owned(),
        usage,
        algorithm,
        bytes: vec![byte; 32].into(),
    };
    let (data, mac) = (KeyUsage::DataEncryption, KeyUsage::Hmac);
    let keys = [
        key("dek-1", data, KeyAlgorithm::Aes256, 1),
        key("dek-2", data, KeyAlgorithm::Aes256, 2),
        key(key_set::PIN_STORAGE_KEY, data, KeyAlgorithm::Aes256, 3),
        key(key_set::PAN_INDEX_KEY, mac, KeyAlgorithm::Hmac, 4),
        key(key_set::AUDIT_KEY, mac, KeyAlgorithm::Hmac, 5),
    ];
    key_set_from(&keys, &Random::seeded(1)).unwrap()
}

/// A vault that seals under `data_key` and does not have the key `without`.
fn vault(data_key: &str, without: &str) -> Vault {
    let mut keys = keys().vault_keys();
    keys.data_key = data_key.to_owned();
    keys.keys.retain(|key| key.id != without);
    Vault::open(keys, Arc::new(Random::system())).unwrap()
}

fn owner(card: i64) -> Owner {
    Owner { institution: issuer(), card_id: Some(card_id(card)) }
}

/// A different PAN for each card: first the range, then the number, then the check digit that fits.
fn pan(card: i64) -> Pan {
    let digits = (0..10).find_map(|check| Pan::parse(&format!("40000012{card:07}{check}")).ok());
    digits.unwrap()
}

fn stored(card: i64) -> StoredPin {
    StoredPin { scheme: "software/iso4".to_owned(), bytes: card.to_be_bytes().repeat(2).into() }
}

fn pvv(card: i64) -> Pvv {
    Pvv { value: Cvv::new(format!("{:04}", card % 10_000)), pvki: "1".to_owned(), key_id: "pvk-1".to_owned() }
}

/// As many cards as wanted, each with a plastic, PAN, PIN and PVV, and one file; all sealed by `vault`.
async fn filled(store: &dyn Store, vault: &Vault, cards: i64) -> FileId {
    let mut seed = Seed::begin(store).await;
    for number in 1..=cards {
        seed.marked_card(number, None).await;
        let pin = ItemPin {
            stored: vault.seal_pin(&owner(number), 1, &stored(number)).0,
            pvv: Some(vault.seal_pvv(&owner(number), 1, &pvv(number)).0),
            ..pin(1, b"")
        };
        seed.work.new_pin(&issuer(), card_id(number), &pin, marked()).await.unwrap();
    }
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    run.seal(store, &mut file).await;
    let wrapped = vault.seal_fill_seed(&issuer(), file.file_id, &[7; 32]).0;
    replaced(store, SealedKind::FillSeed, |_| wrapped.clone()).await;
    let sealed_pan = |place: &SealedPlace| {
        let SealedPlace::Pan { card_id, .. } = place else { panic!("{place:?}") };
        vault.seal_pan(&owner(card_id.get()), &pan(card_id.get())).0
    };
    replaced(store, SealedKind::Pan, sealed_pan).await;
    file.file_id
}

/// Puts other bytes in the place of every value of a kind.
async fn replaced(store: &dyn Store, kind: SealedKind, anew: impl Fn(&SealedPlace) -> Vec<u8>) {
    let rows = store.sealed(kind, None, 10_000).await.unwrap();
    let changes: Vec<Resealed> = rows.into_iter().map(|row| Resealed { anew: anew(&row.place), row }).collect();
    assert_eq!(store.reseal(kind, &changes).await.unwrap(), changes.len() as u64);
}

/// Rows under each key, as `dek-1 pan 3`.
async fn uses(store: &dyn Store) -> Vec<String> {
    let uses = store.key_uses().await.unwrap();
    let shown = |it: &KeyUse| format!("{} {} {}", it.key_id.as_deref().unwrap_or("?"), it.used_for.as_str(), it.rows);
    let mut shown: Vec<String> = uses.iter().map(shown).collect();
    shown.sort();
    shown
}

pub(crate) async fn key_uses_are_counted_by_key_and_by_what_for(store: &dyn Store) {
    assert_eq!(uses(store).await, [""; 0]);
    filled(store, &vault("dek-1", ""), 3).await;
    let mut seed = Seed::begin(store).await;
    // A card whose values do not begin as sealed ones do, a PIN without PVV, and a plastic without CVV1.
    seed.card(4, None).await;
    let bare = ItemPin { pvv: None, pvki: None, pvv_key: None, ..pin(1, b"") };
    let of_another_key = ItemPin { stored: vault("dek-2", "").seal_pin(&owner(4), 1, &stored(4)).0, ..bare.clone() };
    seed.work.new_pin(&issuer(), card_id(4), &of_another_key, marked()).await.unwrap();
    seed.work.new_pin(&issuer(), card_id(4), &ItemPin { version: 2, ..bare.clone() }, marked()).await.unwrap();
    let odd: [&[u8]; 4] = [b"\x01", b"\x01\x00nothing", b"\x01\xffdek-1", b"\x02\x05dek-1"];
    for (version, stored) in (3..).zip(odd) {
        let pin = ItemPin { version, stored: stored.to_vec(), ..bare.clone() };
        seed.work.new_pin(&issuer(), card_id(4), &pin, marked()).await.unwrap();
    }
    let plastic = plastic(9, 4, 1, ProductionEvent::Ncrd, PlasticStatus::Inactive);
    seed.plastic(&Plastic { cvv_key: None, cvv2_key: "cvv2-9".into(), ..plastic }).await;
    seed.commit().await;
    let expected = [
        "? pan 1",
        "? pin 5",
        "audit-1 auditEntries 3",
        "cvv-1 cvvPinned 3",
        "cvv2-1 cvv2Pinned 3",
        "cvv2-9 cvv2Pinned 1",
        "dek-1 fillSeed 1",
        "dek-1 pan 3",
        "dek-1 pin 3",
        "dek-1 pvv 3",
        "dek-2 pin 1",
        "pvk-1 pvvMade 3",
    ];
    assert_eq!(uses(store).await, expected);
}

pub(crate) async fn sealed_values_come_in_pages_by_primary_key(store: &dyn Store) {
    filled(store, &vault("dek-1", ""), 5).await;
    for kind in SealedKind::ALL {
        let whole = store.sealed(*kind, None, 100).await.unwrap();
        assert_eq!(whole.len(), if *kind == SealedKind::FillSeed { 1 } else { 5 }, "{kind}");
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = store.sealed(*kind, after.as_ref(), 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            after = Some(last.place.clone());
            pages.extend(page);
        }
        assert_eq!(pages, whole, "{kind}");
    }
    let cards: Vec<SealedPlace> =
        store.sealed(SealedKind::Pan, None, 100).await.unwrap().into_iter().map(|row| row.place).collect();
    let expected = (1..=5).map(|card| SealedPlace::Pan { institution: issuer(), card_id: card_id(card) });
    assert_eq!(cards, expected.collect::<Vec<_>>());
}

pub(crate) async fn a_value_is_replaced_where_it_is_the_one_that_was_read(store: &dyn Store) {
    filled(store, &vault("dek-1", ""), 3).await;
    for kind in SealedKind::ALL {
        let before = store.sealed(*kind, None, 100).await.unwrap();
        let anew = |row: &SealedRow| Resealed { row: row.clone(), anew: b"\x01\x05dek-9".to_vec() };
        let mut changes: Vec<Resealed> = before.iter().map(anew).collect();
        // Of the first one somebody else was quicker.
        changes[0].row.sealed = b"what was read before".to_vec();
        assert_eq!(store.reseal(*kind, &changes).await.unwrap(), before.len() as u64 - 1, "{kind}");
        let after = store.sealed(*kind, None, 100).await.unwrap();
        assert_eq!(after[0], before[0], "{kind}");
        assert!(after[1..].iter().all(|row| row.sealed == b"\x01\x05dek-9"), "{kind}");
        let places = |rows: &[SealedRow]| rows.iter().map(|row| row.place.clone()).collect::<Vec<_>>();
        assert_eq!(places(&after), places(&before), "{kind}");
        assert_eq!(store.reseal(*kind, &changes).await.unwrap(), 0, "{kind}: once");
        assert_eq!(store.reseal(*kind, &[]).await.unwrap(), 0);
    }
}

/// Rotates to the vault's data key; what it did, and the sentences about what does not open.
async fn rotate(store: &dyn Store, vault: &Vault) -> (Rotated, Vec<String>) {
    let (stop, mut sentences) = (AtomicBool::new(false), Vec::new());
    let mut tell = |told: Told<'_>| {
        if let Told::Unreadable(error) = told {
            sentences.push(error.to_string());
        }
    };
    let rotated = Rotation { store, vault, stop: &stop }.run(&mut tell).await.unwrap();
    (rotated, sentences)
}

fn done(each: u64, seeds: u64) -> BTreeMap<SealedKind, u64> {
    use SealedKind::{FillSeed, Pan, Pin, Pvv};
    BTreeMap::from([(Pan, each), (Pin, each), (Pvv, each), (FillSeed, seeds)])
}

/// Everything opens with `vault`, for its own row, and is what was put in.
async fn opens(store: &dyn Store, vault: &Vault, cards: i64, file: FileId) {
    let mut seen = 0;
    for kind in SealedKind::ALL {
        for SealedRow { place, sealed } in store.sealed(*kind, None, 10_000).await.unwrap() {
            let sealed = Wrapped(sealed);
            match place {
                SealedPlace::Pan { card_id, .. } => {
                    assert_eq!(vault.open_pan(&owner(card_id.get()), &sealed).unwrap(), pan(card_id.get()));
                }
                SealedPlace::Pin { card_id, version, .. } => {
                    let opened = vault.open_pin(&owner(card_id.get()), version, &sealed).unwrap();
                    assert_eq!(opened, stored(card_id.get()));
                }
                SealedPlace::Pvv { card_id, version, .. } => {
                    let opened = vault.open_pvv(&owner(card_id.get()), version, &sealed).unwrap();
                    assert_eq!(opened, pvv(card_id.get()));
                }
                SealedPlace::FillSeed { file_id, .. } => {
                    assert_eq!(file_id, file);
                    assert_eq!(*vault.open_fill_seed(&issuer(), file_id, &sealed).unwrap(), [7; 32]);
                }
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3 * cards + 1);
}

pub(crate) async fn a_rotation_leaves_values_that_open_under_the_new_key_alone(store: &dyn Store) {
    // More than a page of them.
    const CARDS: i64 = 520;
    let file = filled(store, &vault("dek-1", ""), CARDS).await;
    let (rotated, unreadable) = rotate(store, &vault("dek-2", "")).await;
    let expected = Rotated { resealed: done(CARDS as u64, 1), ..Rotated::default() };
    assert_eq!((rotated, unreadable), (expected, Vec::new()));
    // The old key is gone for good.
    opens(store, &vault("dek-2", "dek-1"), CARDS, file).await;
    let uses = store.key_uses().await.unwrap();
    assert_eq!(sealed_under(&uses), BTreeMap::from([(Some("dek-2"), done(CARDS as u64, 1))]));
    let before = store.sealed(SealedKind::Pan, None, 10_000).await.unwrap();
    let (again, _) = rotate(store, &vault("dek-2", "dek-1")).await;
    assert_eq!(again, Rotated { resealed: done(0, 0), ..Rotated::default() });
    assert_eq!(store.sealed(SealedKind::Pan, None, 10_000).await.unwrap(), before, "nothing is written twice");
}

pub(crate) async fn a_value_of_another_row_or_under_an_unknown_key_is_told_and_left(store: &dyn Store) {
    filled(store, &vault("dek-1", ""), 4).await;
    let swapped = |place: &SealedPlace| match place {
        // Card 2 has the number of card 3; that of card 4 is no sealed value.
        SealedPlace::Pan { card_id, .. } if card_id.get() == 4 => b"wrapped".to_vec(),
        SealedPlace::Pan { card_id, .. } => {
            let of = if card_id.get() == 2 { 3 } else { card_id.get() };
            vault("dek-1", "").seal_pan(&owner(of), &pan(of)).0
        }
        other => panic!("{other:?}"),
    };
    replaced(store, SealedKind::Pan, swapped).await;
    let before = store.sealed(SealedKind::Pan, None, 100).await.unwrap();
    let (rotated, mut sentences) = rotate(store, &vault("dek-2", "")).await;
    let told = |key: Option<&str>| rotated.unreadable[&key.map(str::to_owned)];
    assert_eq!((told(Some("dek-1")), told(None)), (1, 1));
    assert_eq!(rotated.resealed[&SealedKind::Pan], 2);
    sentences.sort();
    assert_eq!(sentences.len(), 2, "each is told once: {sentences:?}");
    assert_eq!(
        sentences[0],
        "the card number of card 2 of institution 246001 does not open under key dek-1: \
         it was altered, belongs to another row, or that key is another"
    );
    assert!(sentences[1].starts_with("the card number of card 4 of institution 246001 is not in a form"));
    let after = store.sealed(SealedKind::Pan, None, 100).await.unwrap();
    assert_eq!((&after[1], &after[3]), (&before[1], &before[3]), "left as they are");
    let (rotated, sentences) = rotate(store, &vault("dek-1", "dek-2")).await;
    // Cards 1 and 3, four PINs, four PVVs and the seed stand under dek-2; card 2 under dek-1 all the while, and card 4 under none.
    assert_eq!(rotated.unreadable, BTreeMap::from([(Some("dek-2".to_owned()), 2 + 4 + 4 + 1), (None, 1)]));
    assert!(
        sentences.iter().filter(|told| told.contains("is sealed under key dek-2, which is not there")).count() == 11
    );
}

pub(crate) async fn two_rotations_at_once_do_no_harm(store: &dyn Store) {
    const CARDS: i64 = 520;
    let file = filled(store, &vault("dek-1", ""), CARDS).await;
    let vault = vault("dek-2", "");
    let ((first, _), (second, _)) = tokio::join!(rotate(store, &vault), rotate(store, &vault));
    for kind in SealedKind::ALL {
        let all = if *kind == SealedKind::FillSeed { 1 } else { CARDS as u64 };
        assert_eq!(first.resealed[kind] + second.resealed[kind], all, "{kind}: each by one of them");
    }
    assert!(first.unreadable.is_empty() && second.unreadable.is_empty());
    opens(store, &self::vault("dek-2", "dek-1"), CARDS, file).await;
}

pub(crate) async fn a_rotation_that_is_told_to_stop_goes_on_the_next_time(store: &dyn Store) {
    const CARDS: i64 = 520;
    let file = filled(store, &vault("dek-1", ""), CARDS).await;
    let (stop, vault) = (AtomicBool::new(false), vault("dek-2", ""));
    let mut tell = |_: Told<'_>| stop.store(true, Ordering::Relaxed);
    let stopped = Rotation { store, vault: &vault, stop: &stop }.run(&mut tell).await.unwrap();
    assert!(stopped.stopped);
    assert_eq!(stopped.resealed[&SealedKind::Pan], 500, "a page");
    let mixed = store.key_uses().await.unwrap();
    let under = |key| sealed_under(&mixed)[&Some(key)].get(&SealedKind::Pan).copied();
    assert_eq!((under("dek-1"), under("dek-2")), (Some(20), Some(500)));
    opens(store, &vault, CARDS, file).await;
    let (rest, _) = rotate(store, &vault).await;
    assert_eq!(rest.resealed[&SealedKind::Pan], 20);
    opens(store, &self::vault("dek-2", "dek-1"), CARDS, file).await;
}

pub(crate) async fn a_card_that_is_changed_during_a_rotation_keeps_both_changes(store: &dyn Store) {
    let file = filled(store, &vault("dek-1", ""), 40).await;
    let vault = vault("dek-2", "");
    let orders = async {
        // From the last to the first, in one transaction each time: the other way round than pages go.
        for _ in 0..5 {
            let mut seed = Seed::begin(store).await;
            for number in (1..=40).rev() {
                seed.lose_card(number).await;
            }
            seed.commit().await;
        }
    };
    let rotations = async {
        let mut sum = 0;
        for _ in 0..20 {
            sum += rotate(store, &vault).await.0.resealed[&SealedKind::Pan];
        }
        sum
    };
    let ((), rotated) = tokio::join!(orders, rotations);
    let (rest, _) = rotate(store, &vault).await;
    assert_eq!(rotated + rest.resealed[&SealedKind::Pan], 40, "each once");
    opens(store, &self::vault("dek-2", "dek-1"), 40, file).await;
    let mut work = store.intake().await.unwrap();
    for number in 1..=40 {
        let card = work.card(&issuer(), card_id(number)).await.unwrap().unwrap();
        assert_eq!((card.version, card.card.status), (6, CardStatus::Lost), "card {number}");
    }
}
