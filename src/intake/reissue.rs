//! reissueCard: another plastic for the same card number (R114, R115).

use super::change_card::warn_of_pin;
use super::making::check_ids;
use super::marking::{OpenCard, Pinned};
use super::{Answer, Failure, Importer, Offer};
use crate::card::{Card, CardStatus, ProductionEvent};
use crate::order::{ErrorCode, Order, Refusal, ReissueCard};
use crate::selection::plastic_in_use;
use crate::store::IntakeWork;

impl Importer<'_> {
    /// Carries reissueCard out.
    pub(super) async fn reissue_card(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        body: ReissueCard,
    ) -> Result<Answer, Failure> {
        let of = &order.institution;
        let was = OpenCard::read(work, order, offer, body.card_id).await?;
        check(&was)?;
        let number = was.next_number()?;
        check_ids(work, of, None, body.plastic_id).await?;
        let pinned = self.reissued(order, &was)?;

        let card = Card { pin_status: body.pin_status.unwrap_or(was.card.pin_status), ..was.card.clone() };
        if card != was.card {
            work.put_card(of, was.id, was.version + 1, &card, order.at).await?;
        }
        let mut answer = Answer::new(&order.order_id, "Card reissued", was.id);
        warn_of_pin(work, of, was.id, body.pin_status, &mut answer).await?;
        let new = (ProductionEvent::Rplre, &pinned);
        let plastic_id = self.mark_next(work, order, (was.id, number), body.plastic_id, new).await?;
        answer.made(was.id, vec![plastic_id]);
        Ok(answer)
    }

    /// R115: expiry and CVV2 stay as they are on the newest plastic, unless less than two months are left.
    fn reissued(&self, order: &Order, was: &OpenCard<'_>) -> Result<Pinned, Refusal> {
        let newest = was.there().next_back().ok_or_else(|| no_physical(was, "has no plastic"))?;
        if !newest.expiry.has_less_than_two_months(order.at.date_naive()) {
            return self.pinned_like(was.product, newest);
        }
        let months = was.product.months;
        let later = newest.expiry.later(months).ok_or_else(|| {
            let reason = format!("{months} months after {} is not within 2000 to 2099 (R115)", newest.expiry);
            ErrorCode::ExpiryOutOfRange.because(reason)
        })?;
        self.check_keys(was.product)?;
        Ok(Pinned::new(was.product, later))
    }
}

/// R114: in status 00, with a physical plastic in use and none on its way.
fn check(was: &OpenCard<'_>) -> Result<(), Refusal> {
    let (id, card) = (was.id, &was.card);
    if card.status != CardStatus::Ok {
        let reason = format!("card {id} is {}, only a card in CARD_OK is reissued (R114)", card.status);
        return Err(ErrorCode::CardStatusNotOk.because(reason));
    }
    was.nothing_inactive()?;
    if card.embossing.physical == Some(false) {
        return Err(no_physical(was, "has embossing.physical false"));
    }
    if plastic_in_use(&was.plastics).is_none() {
        return Err(no_physical(was, "has no physical plastic that is ACTIVE or LOCKED"));
    }
    Ok(())
}

fn no_physical(was: &OpenCard<'_>, what: &str) -> Refusal {
    ErrorCode::NoPhysicalPlastic.because(format!("card {} {what}: there is none to make anew (R114)", was.id))
}
