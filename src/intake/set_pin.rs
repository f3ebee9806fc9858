//! setPin: the holder's own PIN, as a PIN block under a zone key that was agreed with the issuer (S4, R32, R36, R39).
//!
//! Invariants: PIN, PVV and pinStatus S are there together or not at all; while a file holds a request of the card its
//! PIN does not change; a refusal never tells what about a block was wrong, because who may try blocks and is told more
//! than yes or no finds PINs out that way.

use super::change_card::{known_card, still_open};
use super::making::product_of;
use super::{Answer, Failure, Importer, Offer};
use crate::agreement::PinTerms;
use crate::ambient::rfc3339;
use crate::card::{Card, CardId, InstitutionId, Pan, PinStatus};
use crate::order::{ErrorCode, Order, Refusal, SetPin};
use crate::store::{IntakeWork, ItemPin, StoredCard};
use crate::vault::{CryptoError, IssuedPin, KeyUsage, Owner, PvvSpec, Wrapped};

impl Importer<'_> {
    /// Carries setPin out.
    pub(super) async fn set_pin(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        offer: &Offer,
        body: &SetPin,
    ) -> Result<Answer, Failure> {
        let (of, id) = (&order.institution, body.card_id);
        let StoredCard { version, card: was, pan } = known_card(work, of, id).await?;
        still_open(id, &was, order.at)?;
        let terms = pin_terms(offer, id, &was)?;
        self.check_pin_keys(offer, terms, body)?;
        let owner = Owner { institution: of.clone(), card_id: Some(id) };
        let pan = self.vault.open_pan(&owner, &Wrapped(pan)).map_err(|error| unusable(id, &error.to_string()))?;
        let imported = self.imported(&pan, terms, body).await.map_err(|error| refusal(id, &error))?;

        not_in_production(work, of, id).await?;
        not_superseded(work, order, id).await?;
        let pin = self.wrapped(&owner, work.next_pin_version(of, id).await?, &imported);
        work.void_pins(of, id).await?;
        work.new_pin(of, id, &pin, order.at).await?;
        if was.pin_status != PinStatus::Set {
            let new = Card { pin_status: PinStatus::Set, ..was };
            work.put_card(of, id, version + 1, &new, order.at).await?;
        }
        let mut answer = Answer::new(&order.order_id, "PIN set", id);
        answer.card_id = Some(id);
        Ok(answer)
    }

    fn check_pin_keys(&self, offer: &Offer, terms: &PinTerms, body: &SetPin) -> Result<(), Refusal> {
        if !offer.takes_pins_under(&body.key_id) {
            let reason = "body.keyId is no zone PIN key that was agreed with the institution: see its set_pin_keys";
            return Err(ErrorCode::PinKeyUnknown.because(reason));
        }
        let now = self.clock.now();
        let of_pvv = self.vault.live(&terms.pvv_key, KeyUsage::PinVerification, now);
        let live = self.vault.live_for_issuer(&body.key_id, now).and(of_pvv);
        live.map(|_| ()).map_err(|error| unusable(body.card_id, &error.to_string()))
    }

    /// The PIN in its stored form with its PVV.
    async fn imported(&self, pan: &Pan, terms: &PinTerms, body: &SetPin) -> Result<IssuedPin, CryptoError> {
        let crypto = self.vault.crypto();
        let stored = crypto.import_pin(pan, &body.block, &body.key_id, body.format).await?;
        let spec = PvvSpec { key_id: terms.pvv_key.clone(), pvki: terms.pvki.clone() };
        let pvv = crypto.pvv(pan, &stored, &spec).await?;
        Ok(IssuedPin { stored, pvv: Some(pvv) })
    }

    /// As the database keeps it: bound to its card and version.
    fn wrapped(&self, owner: &Owner, version: i64, pin: &IssuedPin) -> ItemPin {
        let pvv = pin.pvv.as_ref();
        ItemPin {
            version,
            scheme: pin.stored.scheme.clone(),
            stored: self.vault.seal_pin(owner, version, &pin.stored).0,
            pvv: pvv.map(|pvv| self.vault.seal_pvv(owner, version, pvv).0),
            pvki: pvv.map(|pvv| pvv.pvki.clone()),
            pvv_key: pvv.map(|pvv| pvv.key_id.clone()),
        }
    }
}

/// The terms of the PIN of the card's product.
fn pin_terms<'a>(offer: &'a Offer, id: CardId, card: &Card) -> Result<&'a PinTerms, Refusal> {
    let product = product_of(offer, id, card)?;
    product.pin.as_ref().ok_or_else(|| {
        let reason = format!("product {} of card {id} has no PIN, so that none can be set (R36)", product.code);
        ErrorCode::ProductWithoutPin.because(reason)
    })
}

/// R32: the chip would hold one PIN and the host another. From here to the commit no claim takes the card.
async fn not_in_production(work: &mut dyn IntakeWork, of: &InstitutionId, id: CardId) -> Result<(), Failure> {
    work.hold_requests(of, id).await?;
    let mut requests = work.live_requests(of, id).await?.into_iter();
    let Some((request, _)) = requests.find(|(_, claimed)| *claimed) else { return Ok(()) };
    let plastic = request.plastic_id;
    let reason = format!(
        "card {id} is in production, plastic {plastic} with {}: its PIN can be set again afterwards (R32)",
        request.event
    );
    Err(ErrorCode::PinInProduction.because(reason).into())
}

/// An order that was refused before may come again behind a later one: what the holder chose last stands.
async fn not_superseded(work: &mut dyn IntakeWork, order: &Order, id: CardId) -> Result<(), Failure> {
    let Some(set_at) = work.pin_set_at(&order.institution, id).await?.filter(|set_at| *set_at > order.at) else {
        return Ok(());
    };
    let reason = format!("the PIN of card {id} was set by an order of {}, later than this one (R36)", rfc3339(set_at));
    Err(ErrorCode::PinSuperseded.because(reason).into())
}

/// What a failure of card cryptography is to the order. A block that is not taken is refused in one and the same
/// sentence, whatever is wrong with it.
fn refusal(id: CardId, error: &CryptoError) -> Refusal {
    match error {
        CryptoError::Card(_) => ErrorCode::PinBlockUnreadable.because(format!(
            "body.pinBlock does not hold a PIN of four digits for card {id} in this format under this key"
        )),
        CryptoError::Configuration(why) => unusable(id, why),
        CryptoError::Transient(why) => {
            ErrorCode::CryptoUnavailable.because(format!("the PIN of card {id} cannot be set now: {why}"))
        }
    }
}

fn unusable(id: CardId, why: &str) -> Refusal {
    ErrorCode::KeyUnusable.because(format!("the PIN of card {id} cannot be set: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_card_cryptography_is_told_by_its_class_and_never_by_the_block() {
        let id = CardId::new(3001).unwrap();
        for (error, code) in [
            (CryptoError::Card("the block says 1234".into()), ErrorCode::PinBlockUnreadable),
            (CryptoError::Configuration("key zpk-1 is gone".into()), ErrorCode::KeyUnusable),
            (CryptoError::Transient("no answer in 5 s".into()), ErrorCode::CryptoUnavailable),
        ] {
            let refusal = refusal(id, &error);
            assert_eq!(refusal.code, code);
            assert!(refusal.reason.contains("3001") && !refusal.reason.contains("1234"), "{refusal}");
        }
    }
}
