//! createCard: a card, its plastics and what is marked for production (S0, S2, S4).

use super::answer::NoticeCode;
use super::apply::{assigned, in_use, known_account, known_customer};
use super::{Answer, Failure, Importer, Offer};
use crate::agreement::{Product, ProductForm};
use crate::card::{
    Card, CardId, CardRole, CardStatus, Expiry, InstitutionId, Pan, PinStatus, Plastic, PlasticId, PlasticStatus,
    ProductionEvent, RecordUid,
};
use crate::order::create_card::CardParties;
use crate::order::{CreateCard, ErrorCode, Order, Refusal};
use crate::selection::Request;
use crate::store::{IdKind, IntakeWork, NewCard};
use crate::vault::{CvkUse, Owner};

/// The plastics a new card gets: event and status each, by sequence number.
type Plastics = &'static [(ProductionEvent, PlasticStatus)];

impl Importer<'_> {
    /// Carries createCard out.
    pub(super) async fn create_card(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        body: &CreateCard,
    ) -> Result<Answer, Failure> {
        let of = &order.institution;
        let product = offer.product(body.product_code.as_deref())?;
        let plastics = plastics_of(product, body)?;
        check_scheme(product, body)?;
        self.check_keys(product)?;
        let expiry = expiry_of(order, product, body)?;
        check_parties(work, of, &body.parties).await?;
        let (pan, index) = self.card_number(work, offer, product, body.encrypted_data.as_deref()).await?;

        let card_id = match body.parties.card_id {
            Some(id) => id,
            None => assigned(CardId::new, work.next_id(of, IdKind::Card).await?)?,
        };
        let card = card_of(order, product, body);
        work.new_card(of, &self.new_card(of, card_id, card, &pan, index), order.at).await?;
        let plastic_ids = plastic_ids(work, of, plastics.len(), body.parties.plastic_id).await?;
        for (sequence_number, (plastic_id, kind)) in (1..).zip(plastic_ids.iter().zip(plastics)) {
            let plastic = plastic_of(order, product, card_id, *plastic_id, sequence_number, *kind, expiry);
            work.new_plastic(of, &plastic).await?;
            self.mark(work, of, &plastic).await?;
        }
        Ok(answer(order, body, card_id, plastic_ids))
    }

    /// A CVK whose time is over takes no new cards.
    fn check_keys(&self, product: &Product) -> Result<(), Refusal> {
        let now = self.clock.now();
        for key in pinned_cvv_key(product).into_iter().chain([product.cvv2_key.as_str()]) {
            self.vault.live_cvk(key, CvkUse::New, now).map_err(|error| {
                ErrorCode::KeyUnusable.because(format!("product {} cannot have new cards: {error}", product.code))
            })?;
        }
        Ok(())
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

    /// Marks a plastic for production: its request, with the identity it keeps for ever.
    async fn mark(&self, work: &mut dyn IntakeWork, of: &InstitutionId, plastic: &Plastic) -> Result<(), Failure> {
        let Some(marked_at) = plastic.marked_at else { return Ok(()) };
        let request = Request {
            record_uid: RecordUid(self.random.uuid_at(self.clock.now())),
            plastic_id: plastic.plastic_id,
            event: plastic.event,
            reproduction: false,
            marked_at,
        };
        Ok(work.new_request(of, plastic.card_id, &request).await?)
    }
}

/// R20 and A23: which plastics a new card gets.
fn plastics_of(product: &Product, body: &CreateCard) -> Result<Plastics, Refusal> {
    use PlasticStatus::{Active, Inactive};
    use ProductionEvent::{Ncrd, Nvrt, Rallre};
    const VIRTUAL: Plastics = &[(Nvrt, Active)];
    const PHYSICAL: Plastics = &[(Ncrd, Inactive)];
    const INSTANT: Plastics = &[(Nvrt, Active), (Rallre, Inactive)];
    let wanted = body.embossing.as_ref().and_then(|embossing| embossing.physical);
    match (product.form, wanted) {
        (ProductForm::Virtual, Some(true)) => Err(ErrorCode::ProductVirtual
            .because(format!("body.embossing.physical is true, but product {} is virtual", product.code))),
        (ProductForm::Physical, _) if body.embossing.is_none() => {
            Err(ErrorCode::FieldMissing.because("body.embossing is missing"))
        }
        (ProductForm::Virtual, _) | (ProductForm::Physical, Some(false)) => Ok(VIRTUAL),
        (ProductForm::Physical, _) if product.instant_issuing => Ok(INSTANT),
        (ProductForm::Physical, _) => Ok(PHYSICAL),
    }
}

fn check_scheme(product: &Product, body: &CreateCard) -> Result<(), Refusal> {
    if body.parties.scheme.is_none_or(|scheme| scheme == product.scheme) {
        return Ok(());
    }
    Err(ErrorCode::SchemeMismatch
        .because(format!("scheme is not that of product {}: {}", product.code, product.scheme)))
}

/// R117: the order's month plus the product's months, unless the order says otherwise.
fn expiry_of(order: &Order, product: &Product, body: &CreateCard) -> Result<Expiry, Refusal> {
    let expiry = body.expiration.or_else(|| Expiry::after(order.at.date_naive(), product.months));
    expiry.ok_or_else(|| {
        let reason = format!("{} months after the order's month is not within 2000 to 2099", product.months);
        ErrorCode::ExpiryOutOfRange.because(reason)
    })
}

async fn check_parties(work: &mut dyn IntakeWork, of: &InstitutionId, parties: &CardParties) -> Result<(), Failure> {
    known_customer(work, of, parties.customer_id).await?;
    let (_, account) = known_account(work, of, parties.account_id).await?;
    if parties.role == CardRole::Main && account.customer_id != parties.customer_id {
        return Err(role_mismatch(parties.account_id).into());
    }
    if let Some(id) = parties.card_id
        && work.card(of, id).await?.is_some()
    {
        return Err(in_use("card", id).into());
    }
    match parties.plastic_id {
        Some(id) if work.plastic(of, id).await?.is_some() => Err(in_use("plastic", id).into()),
        _ => Ok(()),
    }
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
    }
}

fn plastic_of(
    order: &Order,
    product: &Product,
    card_id: CardId,
    plastic_id: PlasticId,
    sequence_number: u8,
    (event, status): (ProductionEvent, PlasticStatus),
    expiry: Expiry,
) -> Plastic {
    Plastic {
        plastic_id,
        card_id,
        sequence_number,
        event,
        status,
        expiry,
        marked_at: (status == PlasticStatus::Inactive).then_some(order.at),
        cvv_key: pinned_cvv_key(product).map(str::to_owned),
        cvv2_key: product.cvv2_key.clone(),
        embossing_date: None,
    }
}

/// CVV1 and iCVV stand on stripe and chip only.
fn pinned_cvv_key(product: &Product) -> Option<&str> {
    let carried = product.stripe.is_some() || product.chip.is_some();
    product.cvv_key.as_deref().filter(|_| carried)
}

/// Ids for `count` plastics by sequence number; the one given is the last's, which is the one that is produced.
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

fn answer(order: &Order, body: &CreateCard, card_id: CardId, plastic_ids: Vec<PlasticId>) -> Answer {
    let mut answer = Answer::new(&order.order_id, "Card created", card_id);
    answer.card_id = Some(card_id);
    answer.plastic_ids = plastic_ids;
    if body.pin_status == PinStatus::Set {
        answer.warn(NoticeCode::PinNotAvailable, super::change_card::NO_PIN);
    }
    answer
}
