//! createCard: a card, its plastics and what is marked for production (S0, S2, S4).

use super::answer::NoticeCode;
use super::apply::{known_account, known_customer};
use super::making::{Cause, Making, check_form, check_ids, expiry_of, plastics_of};
use super::{Answer, Failure, Importer, Offer};
use crate::agreement::{Product, ProductForm};
use crate::card::{Card, CardRole, CardStatus, InstitutionId, PinStatus};
use crate::order::create_card::CardParties;
use crate::order::{CreateCard, ErrorCode, Order, Refusal};
use crate::store::IntakeWork;

impl Importer<'_> {
    /// Carries createCard out.
    pub(super) async fn create_card(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        body: &CreateCard,
    ) -> Result<Answer, Failure> {
        let product = offer.product(body.product_code.as_deref())?;
        check_embossing(product, body)?;
        check_scheme(product, body)?;
        self.check_keys(product)?;
        let expiry = expiry_of(order, product, body.expiration)?;
        check_parties(work, &order.institution, &body.parties).await?;
        let number = self.card_number(work, offer, product, body.encrypted_data.as_deref()).await?;

        let card = card_of(order, product, body);
        let (card_id, plastic_id) = (body.parties.card_id, body.parties.plastic_id);
        let plastics = plastics_of(product, card.embossing.physical, Cause::Order);
        let making = Making { product, card_id, plastic_id, card, plastics, expiry, number };
        let (card_id, plastic_ids) = self.make_card(work, order, making).await?;
        let mut answer = Answer::new(&order.order_id, "Card created", card_id);
        answer.made(card_id, plastic_ids);
        if body.pin_status == PinStatus::Set {
            answer.warn(NoticeCode::PinNotAvailable, super::change_card::NO_PIN);
        }
        Ok(answer)
    }
}

/// S0: a physical product needs an embossing object, a virtual one (A23) may have none that asks for a plastic.
fn check_embossing(product: &Product, body: &CreateCard) -> Result<(), Refusal> {
    if product.form == ProductForm::Physical && body.embossing.is_none() {
        return Err(ErrorCode::FieldMissing.because("body.embossing is missing"));
    }
    check_form(product, body.embossing.as_ref().and_then(|embossing| embossing.physical))
}

fn check_scheme(product: &Product, body: &CreateCard) -> Result<(), Refusal> {
    if body.parties.scheme.is_none_or(|scheme| scheme == product.scheme) {
        return Ok(());
    }
    Err(ErrorCode::SchemeMismatch
        .because(format!("scheme is not that of product {}: {}", product.code, product.scheme)))
}

async fn check_parties(work: &mut dyn IntakeWork, of: &InstitutionId, parties: &CardParties) -> Result<(), Failure> {
    known_customer(work, of, parties.customer_id).await?;
    let (_, account) = known_account(work, of, parties.account_id).await?;
    if parties.role == CardRole::Main && account.customer_id != parties.customer_id {
        return Err(role_mismatch(parties.account_id).into());
    }
    check_ids(work, of, parties.card_id, parties.plastic_id).await
}

/// S0: a MAIN card has the same account holder and cardholder.
pub(super) fn role_mismatch(account: crate::card::AccountId) -> Refusal {
    ErrorCode::RoleMismatch
        .because(format!("a MAIN card belongs to the holder of account {account}, this customer is not"))
}

fn card_of(order: &Order, product: &Product, body: &CreateCard) -> Card {
    Card {
        customer_id: body.parties.customer_id,
        account_id: body.parties.account_id,
        role: body.parties.role,
        product_code: product.code.clone(),
        scheme: product.scheme,
        status: CardStatus::Ok,
        status_since: order.at,
        pin_status: body.pin_status,
        embossing: body.embossing.clone().unwrap_or_default(),
        segment: body.segment,
        additional_values: body.additional_values.clone(),
        digital_layout_code: body.digital_layout_code.clone(),
        scheduled_closing: body.scheduled_closing,
        card_address: body.card_address.clone(),
        pin_address: body.pin_address.clone(),
        card_delivery_type: body.card_delivery_type,
        pin_delivery_type: body.pin_delivery_type,
        replaces: None,
        replaced_by: None,
    }
}
