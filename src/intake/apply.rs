//! Customers and accounts, and which order goes where. An order is refused before its first write.

use super::{Answer, Failure, Importer};
use crate::card::{Account, AccountId, Customer, CustomerId, InstitutionId};
use crate::order::{
    CreateAccount, CreateCustomer, ErrorCode, Operation, Order, Refusal, UpdateAccount, UpdateCustomer,
};
use crate::store::{IdKind, IntakeWork, StoreError};

impl Importer<'_> {
    /// Carries an order out.
    pub(super) async fn apply(&self, work: &mut dyn IntakeWork, order: &Order) -> Result<Answer, Failure> {
        let offer = self.catalogue.offer(&order.institution)?;
        match &order.operation {
            Operation::CreateCustomer(body) => create_customer(work, order, body).await,
            Operation::UpdateCustomer(body) => update_customer(work, order, body).await,
            Operation::CreateAccount(body) => create_account(work, order, body).await,
            Operation::UpdateAccount(body) => update_account(work, order, body).await,
            Operation::CreateCard(body) => self.create_card(work, order, offer, body).await,
            Operation::UpdateCard(body) => self.update_card(work, order, body).await,
            Operation::ReissueCard(body) => self.reissue_card(work, order, offer, *body).await,
            Operation::ReplaceCard(body) => self.replace_card(work, order, offer, body).await,
            Operation::OrderPhysical(body) => self.order_physical(work, order, offer, *body).await,
            Operation::ReorderPin(card_id) => self.reorder_pin(work, order, offer, *card_id).await,
            Operation::SetPin(body) => self.set_pin(work, order, offer, body).await,
            Operation::UpdatePlastic(body) => self.update_plastic(work, order, *body).await,
        }
    }
}

async fn create_customer(work: &mut dyn IntakeWork, order: &Order, body: &CreateCustomer) -> Result<Answer, Failure> {
    let of = &order.institution;
    let customer_id = match body.customer_id {
        Some(id) if work.customer(of, id).await?.is_some() => return Err(in_use("customer", id).into()),
        Some(id) => id,
        None => assigned(CustomerId::new, work.next_id(of, IdKind::Customer).await?)?,
    };
    work.put_customer(of, customer_id, 1, &body.customer, order.at).await?;
    Ok(Answer::new(&order.order_id, "Customer created", customer_id))
}

async fn update_customer(work: &mut dyn IntakeWork, order: &Order, body: &UpdateCustomer) -> Result<Answer, Failure> {
    let of = &order.institution;
    let (version, was) = known_customer(work, of, body.customer_id).await?;
    let new = body.change.apply(&was);
    if new != was {
        work.put_customer(of, body.customer_id, version + 1, &new, order.at).await?;
    }
    Ok(Answer::new(&order.order_id, "Customer updated", body.customer_id))
}

async fn create_account(work: &mut dyn IntakeWork, order: &Order, body: &CreateAccount) -> Result<Answer, Failure> {
    let of = &order.institution;
    known_customer(work, of, body.customer_id).await?;
    let account_id = match body.account_id {
        Some(id) if work.account(of, id).await?.is_some() => return Err(in_use("account", id).into()),
        Some(id) => id,
        None => assigned(AccountId::new, work.next_id(of, IdKind::Account).await?)?,
    };
    let account = Account { customer_id: body.customer_id, address: body.address.clone() };
    work.put_account(of, account_id, 1, &account, order.at).await?;
    Ok(Answer::new(&order.order_id, "Account created", account_id))
}

async fn update_account(work: &mut dyn IntakeWork, order: &Order, body: &UpdateAccount) -> Result<Answer, Failure> {
    let of = &order.institution;
    let (version, was) = known_account(work, of, body.account_id).await?;
    let new = Account { address: body.address.clone().or_else(|| was.address.clone()), ..was.clone() };
    if new != was {
        work.put_account(of, body.account_id, version + 1, &new, order.at).await?;
    }
    Ok(Answer::new(&order.order_id, "Account updated", body.account_id))
}

/// A customer of the institution with its newest version.
pub(super) async fn known_customer(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    id: CustomerId,
) -> Result<(i64, Customer), Failure> {
    let found = work.customer(of, id).await?;
    found.ok_or_else(|| ErrorCode::CustomerUnknown.because(format!("customer {id} is not known")).into())
}

/// An account of the institution with its newest version.
pub(super) async fn known_account(
    work: &mut dyn IntakeWork,
    of: &InstitutionId,
    id: AccountId,
) -> Result<(i64, Account), Failure> {
    let found = work.account(of, id).await?;
    found.ok_or_else(|| ErrorCode::AccountUnknown.because(format!("account {id} is not known")).into())
}

/// The refusal of an id that is taken.
pub(super) fn in_use(what: &str, id: impl std::fmt::Display) -> Refusal {
    ErrorCode::IdInUse.because(format!("{what} {id} is there already"))
}

/// An id the store assigned.
pub(super) fn assigned<T>(new: impl Fn(i64) -> Option<T>, number: i64) -> Result<T, StoreError> {
    new(number).ok_or_else(|| StoreError::Corrupt {
        what: "id_counter".to_owned(),
        reason: "it gave a number of more than 18 digits".to_owned(),
    })
}
