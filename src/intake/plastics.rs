//! updatePlastic: CANCEL takes an order back (R122, R123), ACTIVATE unlocks what was produced locked (R64, R68).

use super::change_card::known_card;
use super::{Answer, Failure, Importer};
use crate::card::{InstitutionId, Plastic, PlasticStatus};
use crate::order::{ErrorCode, Order, PlasticAction, PlasticReference, UpdatePlastic};
use crate::selection::ReasonCode;
use crate::store::IntakeWork;

impl Importer<'_> {
    /// Carries updatePlastic out.
    pub(super) async fn update_plastic(
        &self,
        work: &mut dyn IntakeWork,
        order: &Order,
        body: UpdatePlastic,
    ) -> Result<Answer, Failure> {
        let plastic = known_plastic(work, &order.institution, body.plastic).await?;
        let description = match body.action {
            PlasticAction::Cancel => {
                cancel(work, order, &plastic).await?;
                "Plastic cancelled"
            }
            PlasticAction::Activate => {
                activate(work, order, &plastic).await?;
                "Plastic activated"
            }
        };
        Ok(Answer::new(&order.order_id, description, plastic.plastic_id))
    }
}

/// A plastic of the institution; a cancelled one has disappeared (R122).
async fn known_plastic(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    named: PlasticReference,
) -> Result<Plastic, Failure> {
    let (found, name) = match named {
        PlasticReference::Id(id) => (work.plastic(of, id).await?, format!("plastic {id}")),
        PlasticReference::Number(card, number) => {
            known_card(work, of, card).await?;
            let mut plastics = work.plastics(of, card).await?.into_iter();
            (plastics.find(|plastic| plastic.sequence_number == number), format!("plastic {number} of card {card}"))
        }
    };
    let live = found.filter(|plastic| plastic.status != PlasticStatus::Cancelled);
    live.ok_or_else(|| ErrorCode::PlasticUnknown.because(format!("{name} is not known")).into())
}

async fn cancel(work: &mut dyn IntakeWork, order: &Order, plastic: &Plastic) -> Result<(), Failure> {
    let (of, id) = (&order.institution, plastic.plastic_id);
    if plastic.status != PlasticStatus::Inactive {
        let reason = format!("plastic {id} is {}, only an INACTIVE one can be cancelled (R122)", plastic.status);
        return Err(ErrorCode::PlasticNotInactive.because(reason).into());
    }
    let mut requests = work.live_requests(of, plastic.card_id).await?;
    requests.retain(|(request, _)| request.plastic_id == id);
    if requests.iter().any(|(_, claimed)| *claimed) {
        let reason =
            format!("plastic {id} is {} and in production, a file with it is being made (R123)", plastic.status);
        return Err(ErrorCode::InProduction.because(reason).into());
    }
    for (request, _) in requests {
        work.close_request(of, request.record_uid, ReasonCode::Cancelled).await?;
    }
    Ok(work.move_plastic(of, plastic, PlasticStatus::Cancelled, order.at).await?)
}

async fn activate(work: &mut dyn IntakeWork, order: &Order, plastic: &Plastic) -> Result<(), Failure> {
    let of = &order.institution;
    if plastic.status != PlasticStatus::Locked {
        let reason =
            format!("plastic {} is {}, only a LOCKED one can be activated (R68)", plastic.plastic_id, plastic.status);
        return Err(ErrorCode::PlasticNotLocked.because(reason).into());
    }
    for older in work.plastics(of, plastic.card_id).await? {
        if older.sequence_number < plastic.sequence_number && older.status.is_in_use() {
            work.move_plastic(of, &older, PlasticStatus::Closed, order.at).await?;
        }
    }
    Ok(work.move_plastic(of, plastic, PlasticStatus::Active, order.at).await?)
}
