//! orderPhysical: the physical form of a card that so far is virtual (RALLRE; R20, R22, A6, A23).

use super::making::check_ids;
use super::marking::OpenCard;
use super::{Answer, Failure, Importer, Offer};
use crate::agreement::ProductForm;
use crate::card::{Card, Embossing, Plastic, ProductionEvent};
use crate::order::{ErrorCode, Order, OrderPhysical, Refusal};
use crate::store::IntakeWork;

impl Importer<'_> {
    /// Carries orderPhysical out.
    pub(super) async fn order_physical(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        body: OrderPhysical,
    ) -> Result<Answer, Failure> {
        let of = &order.institution;
        let was = OpenCard::read(work, order, offer, body.card_id).await?;
        check(&was)?;
        let number = was.next_number()?;
        check_ids(work, of, None, body.plastic_id).await?;
        let pinned = self.pinned_like(was.product, virtual_in_use(&was)?)?;

        if was.card.embossing.physical != Some(true) {
            let embossing = Embossing { physical: Some(true), ..was.card.embossing.clone() };
            let card = Card { embossing, ..was.card.clone() };
            work.put_card(of, was.id, was.version + 1, &card, order.at).await?;
        }
        let new = (ProductionEvent::Rallre, &pinned);
        let plastic_id = self.mark_next(work, order, (was.id, number), body.plastic_id, new).await?;
        let mut answer = Answer::new(&order.order_id, "Physical card ordered", was.id);
        answer.made(was.id, vec![plastic_id]);
        Ok(answer)
    }
}

/// A23: the product can be made as a plastic, and the card has had none yet.
fn check(was: &OpenCard<'_>) -> Result<(), Refusal> {
    let (id, product) = (was.id, was.product);
    if product.form == ProductForm::Virtual && product.service_code.is_none() {
        let reason = format!("product {} of card {id} is virtual and has no service code (A23)", product.code);
        return Err(ErrorCode::ProductVirtual.because(reason));
    }
    if let Some(plastic) = was.there().find(|plastic| !plastic.event.is_virtual()) {
        let (plastic, status) = (plastic.plastic_id, plastic.status);
        let reason = format!("plastic {plastic} of card {id} is physical and {status} (R20)");
        return Err(ErrorCode::PhysicalPlasticExists.because(reason));
    }
    was.nothing_inactive()
}

/// A6: the virtual plastic whose expiry and CVV2 the physical one takes (R22 wants one before it).
fn virtual_in_use<'a>(was: &'a OpenCard<'_>) -> Result<&'a Plastic, Refusal> {
    let found = was.there().rfind(|plastic| plastic.event.is_virtual() && plastic.status.is_in_use());
    found.ok_or_else(|| {
        let reason = format!("card {} has no virtual plastic that is ACTIVE or LOCKED (R22)", was.id);
        ErrorCode::PlasticUnknown.because(reason)
    })
}
