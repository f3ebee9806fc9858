//! One more plastic of a card, and what is marked for production (R13, R118).
//!
//! Invariant: a plastic is INACTIVE exactly as long as it is marked and not produced, so that the one INACTIVE plastic
//! of a card is the one that has a request.

use super::apply::assigned;
use super::change_card::{known_card, still_open};
use super::making::product_of;
use super::{Failure, Importer, Offer};
use crate::agreement::Product;
use crate::card::{Card, CardId, Expiry, Plastic, PlasticId, PlasticStatus, ProductionEvent, RecordUid};
use crate::order::{ErrorCode, Order, Refusal};
use crate::selection::Request;
use crate::store::{IdKind, IntakeWork};

/// A card for which something may still be ordered, with all that is known of it.
pub(super) struct OpenCard<'a> {
    pub(super) id: CardId,
    pub(super) version: i64,
    pub(super) card: Card,
    pub(super) product: &'a Product,
    /// By sequence number, cancelled ones too.
    pub(super) plastics: Vec<Plastic>,
}

impl<'a> OpenCard<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// CARD_UNKNOWN, CARD_STATUS_FINAL, CARD_CLOSED_BY_SCHEDULE, PRODUCT_UNKNOWN.
    pub(super) async fn read(
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &'a Offer,
        id: CardId,
    ) -> Result<Self, Failure> {
        let of = &order.institution;
        let stored = known_card(work, of, id).await?;
        still_open(id, &stored.card, order.at)?;
        let product = product_of(offer, id, &stored.card)?;
        let plastics = work.plastics(of, id).await?;
        Ok(Self { id, version: stored.version, card: stored.card, product, plastics })
    }

    /// Its plastics by sequence number; cancelled ones have disappeared (R122).
    pub(super) fn there(&self) -> impl DoubleEndedIterator<Item = &Plastic> {
        self.plastics.iter().filter(|plastic| plastic.status != PlasticStatus::Cancelled)
    }

    /// R13, R114: one plastic at a time is on its way.
    pub(super) fn nothing_inactive(&self) -> Result<(), Refusal> {
        match self.there().find(|plastic| plastic.status == PlasticStatus::Inactive) {
            Some(plastic) => {
                let reason = format!(
                    "plastic {} of card {} is INACTIVE, it is still to be produced (R114)",
                    plastic.plastic_id, self.id
                );
                Err(ErrorCode::PlasticInactive.because(reason))
            }
            None => Ok(()),
        }
    }

    /// R118: the number of the card's next plastic.
    pub(super) fn next_number(&self) -> Result<u8, Refusal> {
        Plastic::next_number(&self.plastics).ok_or_else(|| {
            let reason = format!("card {} has had 99 plastics, and no number is used again (R118)", self.id);
            ErrorCode::SequenceExhausted.because(reason)
        })
    }
}

/// What a plastic is pinned to when its number and expiry are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pinned {
    pub(super) expiry: Expiry,
    pub(super) cvv_key: Option<String>,
    pub(super) cvv2_key: String,
}

impl Pinned {
    /// To the keys the product has now.
    pub(super) fn new(product: &Product, expiry: Expiry) -> Self {
        let cvv_key = product.pinned_cvv_key().map(str::to_owned);
        Self { expiry, cvv_key, cvv2_key: product.cvv2_key.clone() }
    }
}

/// Which plastic of which card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) plastic_id: PlasticId,
    pub(super) card_id: CardId,
    pub(super) number: u8,
}

impl Importer<'_> {
    /// As an earlier plastic is: the same expiry under the same key gives the same CVV2. Where that plastic has no CVV1,
    /// because the product had neither stripe nor chip, the product's present key makes the first one.
    ///
    /// # Errors
    /// KEY_UNUSABLE for that present key; those of the earlier plastic are looked at when it is produced.
    pub(super) fn pinned_like(&self, product: &Product, plastic: &Plastic) -> Result<Pinned, Refusal> {
        let mut pinned = Pinned { cvv2_key: plastic.cvv2_key.clone(), ..Pinned::new(product, plastic.expiry) };
        match (&plastic.cvv_key, &pinned.cvv_key) {
            (Some(key), _) => pinned.cvv_key = Some(key.clone()),
            (None, Some(key)) => self.check_key(product, key)?,
            (None, None) => {}
        }
        Ok(pinned)
    }

    /// Makes a card's next plastic, INACTIVE and marked. Whatever could refuse it was asked before.
    pub(super) async fn mark_next(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        (card_id, number): (CardId, u8),
        given: Option<PlasticId>,
        (event, pinned): (ProductionEvent, &Pinned),
    ) -> Result<PlasticId, Failure> {
        let plastic_id = match given {
            Some(id) => id,
            None => assigned(PlasticId::new, work.next_id(&order.institution, IdKind::Plastic).await?)?,
        };
        let place = Place { plastic_id, card_id, number };
        self.add_plastic(work, order, place, (event, PlasticStatus::Inactive), pinned).await?;
        Ok(plastic_id)
    }

    /// Makes a plastic; one that is INACTIVE is marked.
    pub(super) async fn add_plastic(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        place: Place,
        (event, status): (ProductionEvent, PlasticStatus),
        pinned: &Pinned,
    ) -> Result<(), Failure> {
        let of = &order.institution;
        let Place { plastic_id, card_id, number } = place;
        let marked = status == PlasticStatus::Inactive;
        let plastic = Plastic {
            plastic_id,
            card_id,
            sequence_number: number,
            event,
            status,
            expiry: pinned.expiry,
            marked_at: marked.then_some(order.at),
            cvv_key: pinned.cvv_key.clone(),
            cvv2_key: pinned.cvv2_key.clone(),
            embossing_date: None,
        };
        work.new_plastic(of, &plastic).await?;
        if marked {
            self.mark(work, order, card_id, plastic_id, event).await?;
        }
        Ok(())
    }

    /// Marks for production: a request, with the identity it keeps for ever.
    pub(super) async fn mark(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        card_id: CardId,
        plastic_id: PlasticId,
        event: ProductionEvent,
    ) -> Result<(), Failure> {
        let record_uid = RecordUid(self.random.uuid_at(self.clock.now()));
        let request = Request { record_uid, plastic_id, event, reproduction: false, marked_at: order.at };
        Ok(work.new_request(&order.institution, card_id, &request).await?)
    }
}
