//! What the database says, against the book, and against what must hold whatever was ordered.

use std::collections::BTreeMap;

use emboss::card::CardId;

use crate::bank::Bank;
use crate::book::{Book, Card, Request};

/// A card and all that belongs to it, in words.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    card: String,
    plastics: Vec<String>,
    open: Vec<String>,
    /// How many PINs there have been, and whether one is on record.
    pins: (usize, bool),
}

/// The database is as the book.
pub(crate) fn agrees(bank: &Bank, book: &Book) {
    let found = read(bank);
    let demanded: BTreeMap<u32, Told> = book.cards.iter().map(|(id, card)| (*id, told(card))).collect();
    for (id, card) in &demanded {
        assert_eq!(found.get(id), Some(card), "card {id}, found and demanded");
    }
    assert_eq!(found.len(), demanded.len(), "cards");
}

fn told(card: &Card) -> Told {
    let id = |id: Option<u32>| id.map_or("-".to_owned(), |id| id.to_string());
    let plastics = card.plastics.iter().map(|plastic| {
        let marked = plastic.marked_at.map_or("-".to_owned(), |at| at.to_string());
        format!("{} {} {} {} {marked}", plastic.number, plastic.event, plastic.status, plastic.expiry.text())
    });
    let line = |request: &Request, claimed: bool| {
        format!("{} {} {} {claimed}", request.number, request.event, request.marked_at)
    };
    let claimed = card.claimed.iter().map(|request| line(request, true));
    let open = card.requests.iter().map(|request| line(request, false)).chain(claimed);
    let mut told = Told {
        card: format!("{} {} {} {}", card.status, card.pin_status, id(card.replaces), id(card.replaced_by)),
        plastics: plastics.collect(),
        open: open.collect(),
        pins: (card.pins, card.pin.is_some()),
    };
    told.open.sort();
    told
}

fn read(bank: &Bank) -> BTreeMap<u32, Told> {
    let store = &bank.night.store;
    bank.wait(async {
        let rows = store.plastics(None, u32::MAX).await.unwrap();
        let ids: Vec<CardId> = rows.iter().map(|row| row.plastic.card_id).collect();
        let mut work = store.intake().await.unwrap();
        let mut found = BTreeMap::new();
        for id in ids {
            let number: u32 = id.to_string().parse().unwrap();
            if found.contains_key(&number) {
                continue;
            }
            let of = Bank::issuer();
            let card = work.card(&of, id).await.unwrap().unwrap().card;
            let plastics = work.plastics(&of, id).await.unwrap();
            let sequence: BTreeMap<i64, u8> =
                plastics.iter().map(|plastic| (plastic.plastic_id.get(), plastic.sequence_number)).collect();
            let open = work.live_requests(&of, id).await.unwrap().into_iter().map(|(request, claimed)| {
                let number = sequence[&request.plastic_id.get()];
                format!("{number} {} {} {claimed}", request.event, request.marked_at)
            });
            let line = |id: Option<CardId>| id.map_or("-".to_owned(), |id| id.to_string());
            let mut told = Told {
                card: format!("{} {} {} {}", card.status, card.pin_status, line(card.replaces), line(card.replaced_by)),
                plastics: plastics.iter().map(plastic_line).collect(),
                open: open.collect(),
                pins: (
                    usize::try_from(work.next_pin_version(&of, id).await.unwrap()).unwrap() - 1,
                    work.newest_pin(&of, id).await.unwrap().is_some(),
                ),
            };
            told.open.sort();
            found.insert(number, told);
        }
        found
    })
}

fn plastic_line(plastic: &emboss::card::Plastic) -> String {
    let marked = plastic.marked_at.map_or("-".to_owned(), |at| at.to_string());
    let expiry = serde_json::to_value(plastic.expiry).unwrap();
    let expiry = expiry.as_str().unwrap();
    format!("{} {} {} {expiry} {marked}", plastic.sequence_number, plastic.event, plastic.status)
}

/// What holds of every card, told without the book.
pub(crate) fn is_sound(bank: &Bank, locked: impl Fn(u32) -> bool, activated: impl Fn(u32, u8) -> bool) {
    let rows = bank.wait(bank.night.store.plastics(None, u32::MAX)).unwrap();
    let mut cards: BTreeMap<u32, Vec<emboss::card::Plastic>> = BTreeMap::new();
    for row in rows {
        cards.entry(row.plastic.card_id.to_string().parse().unwrap()).or_default().push(row.plastic);
    }
    for (id, mut plastics) in cards {
        plastics.sort_by_key(|plastic| plastic.sequence_number);
        let numbers = plastics.iter().map(|plastic| usize::from(plastic.sequence_number));
        assert!(numbers.eq(1..=plastics.len()), "R118: the numbers of card {id} are not 1, 2, 3 ...");
        let with = |status: &str| -> Vec<u8> {
            let those = plastics.iter().filter(|it| it.status.as_str() == status && !it.event.is_virtual());
            those.map(|plastic| plastic.sequence_number).collect()
        };
        let (inactive, active, waiting) = (with("INACTIVE"), with("ACTIVE"), with("LOCKED"));
        assert!(inactive.len() <= 1, "R13: card {id} has two INACTIVE plastics: {inactive:?}");
        assert!(active.len() <= 1, "R63: card {id} has two ACTIVE plastics: {active:?}");
        if locked(id) {
            assert!(active.iter().all(|number| activated(id, *number)), "R68: nobody activated {id}/{active:?}");
            let newer = waiting.iter().all(|number| active.first().is_none_or(|active| active < number));
            assert!(newer, "R64: card {id} has {active:?} ACTIVE and an older one LOCKED: {waiting:?}");
        } else {
            assert!(waiting.is_empty(), "R62: card {id} is produced active, and {waiting:?} is LOCKED");
        }
    }
}
