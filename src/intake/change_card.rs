//! updateCard: only what is given changes (S1); late binding makes the change count until the claim (R120).

use chrono::{DateTime, Utc};

use super::answer::NoticeCode;
use super::apply::{known_account, known_customer};
use super::new_card::role_mismatch;
use super::{Answer, Failure, Importer};
use crate::card::{Card, CardId, CardRole, CardStatus, InstitutionId, PinStatus};
use crate::order::{ErrorCode, Order, Refusal, UpdateCard};
use crate::store::{IntakeWork, StoredCard};

/// What an answer says where S is set and nothing to put on the chip is there.
pub(super) const NO_PIN: &str = "no PIN is on record for this card: it is held until one is set";

impl Importer<'_> {
    /// Carries updateCard out.
    pub(super) async fn update_card(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        body: &UpdateCard,
    ) -> Result<Answer, Failure> {
        let of = &order.institution;
        let StoredCard { version, card: was, .. } = known_card(work, of, body.card_id).await?;
        let new = changed(order, body, &was)?;
        check_links(work, of, &was, &new).await?;
        if new != was {
            work.put_card(of, body.card_id, version + 1, &new, order.at).await?;
        }
        if new.pin_status == PinStatus::Set && was.pin_status != PinStatus::Set {
            // R35, R36: the plastic gets the PIN its holder chose, so a random one that never went out must not come
            // to be on record with it.
            work.void_pins(of, body.card_id).await?;
        }
        let mut answer = Answer::new(&order.order_id, "Card updated", body.card_id);
        warn_of_pin(work, of, body.card_id, body.pin_status, &mut answer).await?;
        Ok(answer)
    }
}

/// What a person may not expect of a PIN status that was set: that no PIN is there, or that it comes late.
pub(super) async fn warn_of_pin(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    card_id: CardId,
    set: Option<PinStatus>,
    answer: &mut Answer,
) -> Result<(), Failure> {
    match set {
        Some(PinStatus::Set) if work.newest_pin(of, card_id).await?.is_none() => {
            answer.warn(NoticeCode::PinNotAvailable, NO_PIN);
        }
        Some(PinStatus::Waiting) => {
            for (request, claimed) in work.live_requests(of, card_id).await? {
                if claimed {
                    let plastic = request.plastic_id;
                    let text =
                        format!("plastic {plastic} is already in production: the change counts from the next one");
                    answer.warn(NoticeCode::InProduction, text);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A card of the institution.
pub(super) async fn known_card(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    id: CardId,
) -> Result<StoredCard, Failure> {
    let found = work.card(of, id).await?;
    found.ok_or_else(|| ErrorCode::CardUnknown.because(format!("card {id} is not known")).into())
}

/// Whether anything may still be ordered for a card at an instant (R14, R52).
///
/// # Errors
/// CARD_STATUS_FINAL, CARD_CLOSED_BY_SCHEDULE.
pub(super) fn still_open(id: CardId, card: &Card, at: DateTime<Utc>) -> Result<(), Refusal> {
    if card.status.is_final() {
        let reason = format!("card {id} is {}, nothing is made for it any more (R52)", card.status);
        return Err(ErrorCode::CardStatusFinal.because(reason));
    }
    not_closed_by_schedule(id, card, at)
}

/// Whether a card's scheduledClosing is still to come at an instant (R14).
///
/// # Errors
/// CARD_CLOSED_BY_SCHEDULE.
pub(super) fn not_closed_by_schedule(id: CardId, card: &Card, at: DateTime<Utc>) -> Result<(), Refusal> {
    if card.scheduled_closing.is_some_and(|time| time <= at) {
        let reason = format!("card {id} was closed by its scheduledClosing (R14)");
        return Err(ErrorCode::CardClosedBySchedule.because(reason));
    }
    Ok(())
}

/// The card with what the order names.
fn changed(order: &Order, body: &UpdateCard, was: &Card) -> Result<Card, Refusal> {
    let mut new = was.clone();
    new.customer_id = body.customer_id.unwrap_or(was.customer_id);
    new.account_id = body.account_id.unwrap_or(was.account_id);
    new.pin_status = body.pin_status.unwrap_or(was.pin_status);
    new.segment = body.segment.or(was.segment);
    new.card_delivery_type = body.card_delivery_type.or(was.card_delivery_type);
    new.pin_delivery_type = body.pin_delivery_type.or(was.pin_delivery_type);
    new.card_address = body.card_address.clone().or(new.card_address);
    new.pin_address = body.pin_address.clone().or(new.pin_address);
    if let Some(change) = &body.embossing {
        new.embossing = change.apply(&was.embossing)?;
    }
    if let Some(status) = body.status.filter(|status| *status != was.status) {
        check_status(body.card_id, was, status)?;
        new.status = status;
        new.status_since = order.at;
    }
    Ok(new)
}

/// S4: 04, 41 and 43 are final, but a lost card that was replaced may be told to be stolen or a fraud (R116).
fn check_status(id: CardId, was: &Card, to: CardStatus) -> Result<(), Refusal> {
    match was.status {
        CardStatus::Lost
            if was.replaced_by.is_some() && matches!(to, CardStatus::Stolen | CardStatus::ClosedDueToFraud) =>
        {
            Ok(())
        }
        CardStatus::ClosedDueToFraud | CardStatus::Lost | CardStatus::Stolen => {
            Err(ErrorCode::CardStatusFinal.because(format!("card {id} is {}, which is final (R116)", was.status)))
        }
        _ => Ok(()),
    }
}

/// A card linked anew keeps the rules of a new one.
async fn check_links(work: &mut dyn IntakeWork, of: &InstitutionId, was: &Card, new: &Card) -> Result<(), Failure> {
    if (was.customer_id, was.account_id) == (new.customer_id, new.account_id) {
        return Ok(());
    }
    known_customer(work, of, new.customer_id).await?;
    let (_, account) = known_account(work, of, new.account_id).await?;
    if new.role == CardRole::Main && account.customer_id != new.customer_id {
        return Err(role_mismatch(new.account_id).into());
    }
    Ok(())
}
