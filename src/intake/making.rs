//! The making of a card with its plastics: createCard and replaceCard differ in the events only (R20, R24).
//!
//! Invariant: whatever an order can be refused for is asked before [`Importer::make_card`], which only writes.

use super::apply::{assigned, in_use};
use super::marking::{Pinned, Place};
use super::{Failure, Importer, Offer};
use crate::agreement::{Product, ProductForm};
use crate::card::{
    Card, CardId, Expiry, InstitutionId, Pan, PlasticId,
    PlasticStatus::{self, Active, Inactive},
    ProductionEvent::{self, Ncrd, Nlost, Nlostvrt, Nvrt, Rallnlost, Rallre},
};
use crate::order::{ErrorCode, Order, Refusal};
use crate::store::{IdKind, IntakeWork, NewCard};
use crate::vault::{CvkUse, KeyError, Owner};

/// The plastics a card is made with: event and status each, by sequence number.
pub(super) type Plastics = &'static [(ProductionEvent, PlasticStatus)];

/// Why a card is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was ordered.
    Order,
    /// Another one was lost (R116).
    Loss,
}

/// A card that is about to be made.
pub(super) struct Making<'a> {
    pub(super) product: &'a Product,
    /// Its id; assigned where absent.
    pub(super) card_id: Option<CardId>,
    /// The id of its last plastic, which is the one that is produced; assigned where absent.
    pub(super) plastic_id: Option<PlasticId>,
    pub(super) card: Card,
    pub(super) plastics: Plastics,
    pub(super) expiry: Expiry,
    /// The card number and its index.
    pub(super) number: (Pan, [u8; 32]),
}

impl Importer<'_> {
    /// Makes a card, its plastics and the request for the one that is produced; gives back their ids.
    pub(super) async fn make_card(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        making: Making<'_>,
    ) -> Result<(CardId, Vec<PlasticId>), Failure> {
        let of = &order.institution;
        let Making { product, card_id, plastic_id, card, plastics, expiry, number: (pan, index) } = making;
        let card_id = match card_id {
            Some(id) => id,
            None => assigned(CardId::new, work.next_id(of, IdKind::Card).await?)?,
        };
        work.new_card(of, &self.new_card(of, card_id, card, &pan, index), order.at).await?;
        let plastic_ids = plastic_ids(work, of, plastics.len(), plastic_id).await?;
        let pinned = Pinned::new(product, expiry);
        for (number, (plastic_id, (event, status))) in (1..).zip(plastic_ids.iter().zip(plastics)) {
            let place = Place { plastic_id: *plastic_id, card_id, number };
            self.add_plastic(work, order, place, (*event, *status), &pinned).await?;
        }
        Ok((card_id, plastic_ids))
    }

    /// Keys whose time is over take nothing new.
    pub(super) fn check_keys(&self, product: &Product) -> Result<(), Refusal> {
        let live = self.vault.live_for_new(product, self.clock.now());
        live.map_err(|error| unusable(product, &error))
    }

    /// A CVK whose time is over takes nothing new.
    pub(super) fn check_key(&self, product: &Product, key: &str) -> Result<(), Refusal> {
        let live = self.vault.live_cvk(key, CvkUse::New, self.clock.now());
        live.map(drop).map_err(|error| unusable(product, &error))
    }

    fn new_card(&self, of: &InstitutionId, card_id: CardId, card: Card, pan: &Pan, pan_index: [u8; 32]) -> NewCard {
        let owner = Owner { institution: of.clone(), card_id: Some(card_id) };
        NewCard {
            card_id,
            card,
            pan: self.vault.seal_pan(&owner, pan).0,
            pan_index,
            bin: pan.first6().to_owned(),
            last4: pan.last4().to_owned(),
        }
    }
}

/// R20 and A23: which plastics a card is made with. A virtual product makes none that is produced, whatever `physical`
/// says: its physical form is an order of its own.
pub(super) fn plastics_of(product: &Product, physical: Option<bool>, cause: Cause) -> Plastics {
    let (virtual_only, instant, produced): (Plastics, Plastics, Plastics) = match cause {
        Cause::Order => (&[(Nvrt, Active)], &[(Nvrt, Active), (Rallre, Inactive)], &[(Ncrd, Inactive)]),
        Cause::Loss => (&[(Nlostvrt, Active)], &[(Nlostvrt, Active), (Rallnlost, Inactive)], &[(Nlost, Inactive)]),
    };
    match (product.form, physical) {
        (ProductForm::Virtual, _) | (ProductForm::Physical, Some(false)) => virtual_only,
        (ProductForm::Physical, _) if product.instant_issuing => instant,
        (ProductForm::Physical, _) => produced,
    }
}

/// A23: a virtual product is asked for no plastic.
pub(super) fn check_form(product: &Product, asked: Option<bool>) -> Result<(), Refusal> {
    if product.form == ProductForm::Virtual && asked == Some(true) {
        let reason = format!("body.embossing.physical is true, but product {} is virtual", product.code);
        return Err(ErrorCode::ProductVirtual.because(reason));
    }
    Ok(())
}

/// R117: the order's month plus the product's months, unless the order says otherwise.
pub(super) fn expiry_of(order: &Order, product: &Product, given: Option<Expiry>) -> Result<Expiry, Refusal> {
    let expiry = given.or_else(|| Expiry::after(order.at.date_naive(), product.months));
    expiry.ok_or_else(|| {
        let reason = format!("{} months after the order's month is not within 2000 to 2099", product.months);
        ErrorCode::ExpiryOutOfRange.because(reason)
    })
}

/// Card and plastic get the ids an order gives, where these are free.
pub(super) async fn check_ids(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    card: Option<CardId>,
    plastic: Option<PlasticId>,
) -> Result<(), Failure> {
    if let Some(id) = card
        && work.card(of, id).await?.is_some()
    {
        return Err(in_use("card", id).into());
    }
    match plastic {
        Some(id) if work.plastic(of, id).await?.is_some() => Err(in_use("plastic", id).into()),
        _ => Ok(()),
    }
}

/// What an order says the card's product is, now that the card is there.
pub(super) fn product_of<'a>(offer: &'a Offer, id: CardId, card: &Card) -> Result<&'a Product, Refusal> {
    offer.product(Some(&card.product_code)).map_err(|_| {
        let reason = format!("product {} of card {id} is no longer configured", card.product_code);
        ErrorCode::ProductUnknown.because(reason)
    })
}

/// Ids for `count` plastics by sequence number; the one given is the last's.
async fn plastic_ids(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    count: usize,
    given: Option<PlasticId>,
) -> Result<Vec<PlasticId>, Failure> {
    let mut ids = Vec::with_capacity(count);
    while ids.len() + usize::from(given.is_some()) < count {
        let id = assigned(PlasticId::new, work.next_id(of, IdKind::Plastic).await?)?;
        // Not written yet, so the store does not know that it is taken.
        if given != Some(id) {
            ids.push(id);
        }
    }
    ids.extend(given);
    Ok(ids)
}

fn unusable(product: &Product, error: &KeyError) -> Refusal {
    ErrorCode::KeyUnusable.because(format!("product {} cannot have new cards: {error}", product.code))
}
