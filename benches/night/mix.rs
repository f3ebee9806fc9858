//! The night's mix: 70 % first issues, 20 % reissues (RPLRE), 10 % replacements of lost cards (NLOST).
//!
//! First issues come as orders. Reissues and replacements have no orders yet: their plastics and requests are written
//! through the store, as intake will write them, once an earlier night has produced the cards they follow.

use chrono::{DateTime, Utc};
use emboss::card::{
    Card, CardId, CardStatus, InstitutionId, Pan, Plastic, PlasticId, PlasticStatus, ProductionEvent, RecordUid,
};
use emboss::night::Night;
use emboss::selection::Request;
use emboss::store::{IdKind, IntakeWork, NewCard, StoredCard};
use emboss::vault::{Owner, Wrapped};

use crate::Outcome;
use crate::configured::{institution_of, pan_prefix};
use crate::people::card_id;

/// Requests written in one transaction.
const TOGETHER: u64 = 2_000;

/// How many cards of which kind; cards are numbered from 0, the reissued ones first, then the lost ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    /// All.
    pub(crate) cards: u64,
    /// Reissued: RPLRE.
    pub(crate) reissued: u64,
    /// Cards of the earlier night: reissued and lost ones.
    pub(crate) earlier: u64,
    /// Institutions that share them.
    pub(crate) institutions: u64,
}

impl Mix {
    pub(crate) fn of(cards: u64, institutions: u64) -> Self {
        let (reissued, lost) = (cards / 5, cards / 10);
        Self { cards, reissued, earlier: reissued + lost, institutions }
    }

    /// Records that get a new PIN: first issues and replacements.
    pub(crate) fn new_pins(&self) -> u64 {
        self.cards - self.reissued
    }
}

/// Marks the reissues and replacements.
pub(crate) async fn mark(night: &Night, mix: &Mix, marked_at: DateTime<Utc>) -> Outcome<()> {
    let mut next = 0;
    while next < mix.earlier {
        let end = (next + TOGETHER).min(mix.earlier);
        let mut work = night.store.intake().await?;
        for number in next..end {
            let of = institution_of(number, mix.institutions).parse()?;
            let writer = Marks { night, of, pan_prefix: pan_prefix(number, mix.institutions), marked_at };
            let card = card_id(number)?;
            if number < mix.reissued {
                writer.reissue(work.as_mut(), card).await?;
            } else {
                writer.replace(work.as_mut(), card, card_id(mix.cards + number)?).await?;
            }
        }
        work.commit().await?;
        next = end;
    }
    Ok(())
}

struct Marks<'a> {
    night: &'a Night,
    of: InstitutionId,
    pan_prefix: String,
    marked_at: DateTime<Utc>,
}

impl Marks<'_> {
    /// The same card, expiry and PIN on a new plastic.
    async fn reissue(&self, work: &mut dyn IntakeWork, card: CardId) -> Outcome<()> {
        let last = last_plastic(work, &self.of, card).await?;
        self.order(work, &last, card, last.sequence_number + 1, ProductionEvent::Rplre).await
    }

    /// The old card is lost; a new one of the same holder takes its place.
    async fn replace(&self, work: &mut dyn IntakeWork, lost: CardId, new: CardId) -> Outcome<()> {
        let StoredCard { version, card, .. } = work.card(&self.of, lost).await?.ok_or("a card is gone")?;
        let closed = Card { status: CardStatus::Lost, status_since: self.marked_at, ..card.clone() };
        work.put_card(&self.of, lost, version + 1, &closed, self.marked_at).await?;
        let last = last_plastic(work, &self.of, lost).await?;
        let card = Card { status_since: self.marked_at, replaces: Some(lost), ..card };
        let card = self.numbered(work, new, card).await?;
        work.new_card(&self.of, &card, self.marked_at).await?;
        self.order(work, &last, new, 1, ProductionEvent::Nlost).await
    }

    /// A number of its own for a card.
    async fn numbered(&self, work: &mut dyn IntakeWork, card_id: CardId, card: Card) -> Outcome<NewCard> {
        let vault = &self.night.vault;
        loop {
            let mut digits = self.pan_prefix.clone();
            while digits.len() < 15 {
                digits.push(char::from(b'0' + self.night.random.digit()));
            }
            let pan = Pan::with_check_digit(&digits)?;
            let pan_index = vault.pan_index(&pan);
            if work.pan_known(&pan_index).await? {
                continue;
            }
            let owner = Owner { institution: self.of.clone(), card_id: Some(card_id) };
            let Wrapped(sealed) = vault.seal_pan(&owner, &pan);
            let (bin, last4) = (pan.first6().to_owned(), pan.last4().to_owned());
            return Ok(NewCard { card_id, card, pan: sealed, pan_index, bin, last4 });
        }
    }

    /// A marked plastic and its request.
    async fn order(
        &self,
        work: &mut dyn IntakeWork,
        like: &Plastic,
        card_id: CardId,
        sequence_number: u8,
        event: ProductionEvent,
    ) -> Outcome<()> {
        let number = work.next_id(&self.of, IdKind::Plastic).await?;
        let plastic = Plastic {
            plastic_id: PlasticId::new(number).ok_or("no plastic id is left")?,
            card_id,
            sequence_number,
            event,
            status: PlasticStatus::Inactive,
            marked_at: Some(self.marked_at),
            embossing_date: None,
            ..like.clone()
        };
        work.new_plastic(&self.of, &plastic).await?;
        let request = Request {
            record_uid: RecordUid(self.night.random.uuid_at(self.night.clock.now())),
            plastic_id: plastic.plastic_id,
            event,
            reproduction: false,
            marked_at: self.marked_at,
        };
        Ok(work.new_request(&self.of, card_id, &request).await?)
    }
}

async fn last_plastic(work: &mut dyn IntakeWork, of: &InstitutionId, card: CardId) -> Outcome<Plastic> {
    Ok(work.plastics(of, card).await?.pop().ok_or("a card without a plastic")?)
}
