//! reorderPin: the PIN on record is mailed once more (R25-R28, R130).

use super::answer::NoticeCode;
use super::marking::OpenCard;
use super::{Answer, Failure, Importer, Offer};
use crate::card::{CardId, ProductionEvent};
use crate::order::{ErrorCode, Order};
use crate::selection::plastic_in_use;
use crate::store::IntakeWork;

const NO_PIN: &str = "no PIN is on record for this card: the letter is held until there is one";
const NO_PLASTIC: &str =
    "the card has no physical plastic that is ACTIVE or LOCKED: the letter is held until it has one";

impl Importer<'_> {
    /// Carries reorderPin out.
    pub(super) async fn reorder_pin(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        card_id: CardId,
    ) -> Result<Answer, Failure> {
        let of = &order.institution;
        let was = OpenCard::read(work, order, offer, card_id).await?;
        if was.product.pin.is_none() {
            let reason = format!("product {} of card {card_id} has no PIN (R26)", was.product.code);
            return Err(ErrorCode::ProductWithoutPin.because(reason).into());
        }
        let requests = work.live_requests(of, card_id).await?;
        if let Some((_, claimed)) = requests.iter().find(|(request, _)| request.event == ProductionEvent::Ropin) {
            let state = if *claimed { "CLAIMED" } else { "OPEN" };
            let reason = format!("a PIN order of card {card_id} is {state}, one at a time is answered (R130)");
            return Err(ErrorCode::PinOrderOpen.because(reason).into());
        }
        let in_use = plastic_in_use(&was.plastics);
        let Some(plastic) = in_use.or_else(|| was.there().next_back()) else {
            return Err(ErrorCode::PlasticUnknown.because(format!("card {card_id} has no plastic (R26)")).into());
        };

        self.mark(work, order, card_id, plastic.plastic_id, ProductionEvent::Ropin).await?;
        let mut answer = Answer::new(&order.order_id, "PIN reordered", card_id);
        answer.made(card_id, Vec::new());
        if in_use.is_none() {
            answer.warn(NoticeCode::PinNotAvailable, NO_PLASTIC);
        } else if work.newest_pin(of, card_id).await?.is_none() {
            answer.warn(NoticeCode::PinNotAvailable, NO_PIN);
        }
        Ok(answer)
    }
}
