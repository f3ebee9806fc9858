//! replaceCard: a new card, with a number of its own, in place of a lost one (R116, R117, R24).
//!
//! Invariant: plastics and requests of the lost card stay as they are; the claim leaves them out (R52, R53).

use super::answer::NoticeCode;
use super::change_card::{NO_PIN, known_card, not_closed_by_schedule};
use super::making::{Cause, Making, check_form, check_ids, expiry_of, plastics_of, product_of};
use super::{Answer, Failure, Importer, Offer};
use crate::card::{Card, CardId, CardStatus, PinStatus};
use crate::order::{ErrorCode, Order, Refusal, ReplaceCard};
use crate::store::{IntakeWork, StoredCard};

impl Importer<'_> {
    /// Carries replaceCard out.
    pub(super) async fn replace_card(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        body: &ReplaceCard,
    ) -> Result<Answer, Failure> {
        let of = &order.institution;
        let StoredCard { version, card: was, .. } = known_card(work, of, body.card_id).await?;
        check(order, body.card_id, &was)?;
        let product = product_of(offer, body.card_id, &was)?;
        check_form(product, body.embossing.as_ref().and_then(|change| change.physical()))?;
        let card = new_card(order, &was, body)?;
        self.check_keys(product)?;
        let expiry = expiry_of(order, product, body.expiration)?;
        check_ids(work, of, body.new_card_id, body.plastic_id).await?;
        let number = self.card_number(work, offer, product, None).await?;

        let plastics = plastics_of(product, card.embossing.physical, Cause::Loss);
        let (card_id, plastic_id) = (body.new_card_id, body.plastic_id);
        let making = Making { product, card_id, plastic_id, card, plastics, expiry, number };
        let (card_id, plastic_ids) = self.make_card(work, order, making).await?;
        work.put_card(of, body.card_id, version + 1, &lost(order, was, card_id), order.at).await?;
        let mut answer = Answer::new(&order.order_id, "Card replaced", card_id);
        answer.made(card_id, plastic_ids);
        if body.pin_status == PinStatus::Set {
            answer.warn(NoticeCode::PinNotAvailable, NO_PIN);
        }
        Ok(answer)
    }
}

/// R116: once, and not for a card that was closed by request; lost, stolen and fraud are what a replacement is for.
fn check(order: &Order, id: CardId, was: &Card) -> Result<(), Refusal> {
    if matches!(was.status, CardStatus::Closed | CardStatus::Invalid) {
        let reason = format!("card {id} is {}, a closed card is not replaced (R116)", was.status);
        return Err(ErrorCode::CardStatusFinal.because(reason));
    }
    if let Some(new) = was.replaced_by {
        let reason = format!("card {id} is {} and was replaced by card {new} (R116)", was.status);
        return Err(ErrorCode::AlreadyReplaced.because(reason));
    }
    not_closed_by_schedule(id, was, order.at)
}

/// The card made in place of the lost one: all of it but status, PIN status and what the order changes (R38).
fn new_card(order: &Order, was: &Card, body: &ReplaceCard) -> Result<Card, Refusal> {
    let embossing = match &body.embossing {
        Some(change) => change.apply(&was.embossing)?,
        None => was.embossing.clone(),
    };
    Ok(Card {
        status: CardStatus::Ok,
        status_since: order.at,
        pin_status: body.pin_status,
        embossing,
        replaces: Some(body.card_id),
        replaced_by: None,
        ..was.clone()
    })
}

/// S4: a replaced card is lost, whatever it was; that it was stolen or a fraud is said afterwards.
fn lost(order: &Order, was: Card, replaced_by: CardId) -> Card {
    let status_since = if was.status == CardStatus::Lost { was.status_since } else { order.at };
    Card { status: CardStatus::Lost, status_since, replaced_by: Some(replaced_by), ..was }
}
