//! What intake asks of the store: a unit of work, committed in batches.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{ItemPin, StoreError};
use crate::card::product::words;
use crate::card::{
    Account, AccountId, Card, CardId, Customer, CustomerId, InstitutionId, Plastic, PlasticId, PlasticStatus, RecordUid,
};
use crate::selection::{ReasonCode, Request};

words!(
    /// Ids this program assigns where an order gives none; numbered per institution.
    IdKind {
        /// `customerId`.
        Customer = "customer",
        /// `accountId`.
        Account = "account",
        /// `cardId`.
        Card = "card",
        /// `plasticId`.
        Plastic = "plastic",
    }
);

/// The answer an order got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HMAC-SHA-256 of the order's canonical JSON.
    pub content_mac: Vec<u8>,
    /// The answer line, JSON.
    pub answer: String,
}

/// What is kept of an order beside its answer: nothing of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSubject {
    /// Its operation, for example `createCard`.
    pub op: &'static str,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The card it named or made; of a replacement the lost one.
    pub card_id: Option<CardId>,
}

/// A card as intake reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Newest version.
    pub version: i64,
    /// Its content.
    pub card: Card,
    /// The PAN, wrapped.
    pub pan: Vec<u8>,
}

/// A card to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCard {
    /// Its id.
    pub card_id: CardId,
    /// Version 1.
    pub card: Card,
    /// The PAN, wrapped.
    pub pan: Vec<u8>,
    /// HMAC index of the PAN: unique over all institutions.
    pub pan_index: [u8; 32],
    /// First six digits.
    pub bin: String,
    /// Last four digits.
    pub last4: String,
}

/// One transaction of intake. Dropped without [`commit`](IntakeWork::commit), it leaves nothing.
#[async_trait]
pub trait IntakeWork: Send {
    /// The answer of an order that was taken before.
    async fn answer(&mut self, of: &InstitutionId, order_id: &str) -> Result<Option<StoredAnswer>, StoreError>;

    /// Keeps the answer of an order, and what it was about.
    async fn save_answer(
        &mut self,
        of: &InstitutionId,
        order_id: &str,
        answer: &StoredAnswer,
        subject: &OrderSubject,
    ) -> Result<(), StoreError>;

    /// The next unused id of a kind.
    async fn next_id(&mut self, of: &InstitutionId, kind: IdKind) -> Result<i64, StoreError>;

    /// A customer with its newest version.
    async fn customer(&mut self, of: &InstitutionId, id: CustomerId) -> Result<Option<(i64, Customer)>, StoreError>;

    /// Appends a version of a customer; version 1 makes the customer.
    async fn put_customer(
        &mut self,
        of: &InstitutionId,
        id: CustomerId,
        version: i64,
        customer: &Customer,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// An account with its newest version.
    async fn account(&mut self, of: &InstitutionId, id: AccountId) -> Result<Option<(i64, Account)>, StoreError>;

    /// Appends a version of an account.
    async fn put_account(
        &mut self,
        of: &InstitutionId,
        id: AccountId,
        version: i64,
        account: &Account,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// A card with its newest version.
    async fn card(&mut self, of: &InstitutionId, id: CardId) -> Result<Option<StoredCard>, StoreError>;

    /// Whether a PAN is in use.
    async fn pan_known(&mut self, pan_index: &[u8; 32]) -> Result<bool, StoreError>;

    /// Makes a card.
    async fn new_card(&mut self, of: &InstitutionId, card: &NewCard, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Appends a version of a card.
    async fn put_card(
        &mut self,
        of: &InstitutionId,
        id: CardId,
        version: i64,
        card: &Card,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Every plastic of a card by sequence number, cancelled ones too.
    async fn plastics(&mut self, of: &InstitutionId, card: CardId) -> Result<Vec<Plastic>, StoreError>;

    /// One plastic.
    async fn plastic(&mut self, of: &InstitutionId, id: PlasticId) -> Result<Option<Plastic>, StoreError>;

    /// Makes a plastic.
    async fn new_plastic(&mut self, of: &InstitutionId, plastic: &Plastic) -> Result<(), StoreError>;

    /// Moves a plastic; guarded by the status it had. Writes an event.
    async fn move_plastic(
        &mut self,
        of: &InstitutionId,
        plastic: &Plastic,
        to: PlasticStatus,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Makes an OPEN production request.
    async fn new_request(&mut self, of: &InstitutionId, card: CardId, request: &Request) -> Result<(), StoreError>;

    /// OPEN requests of a card, and whether each is CLAIMED instead (`true`).
    async fn live_requests(&mut self, of: &InstitutionId, card: CardId) -> Result<Vec<(Request, bool)>, StoreError>;

    /// Closes an OPEN request; guarded by that state.
    async fn close_request(
        &mut self,
        of: &InstitutionId,
        request: RecordUid,
        code: ReasonCode,
    ) -> Result<(), StoreError>;

    /// Keeps the card's OPEN requests from any claim until this is committed or dropped, and waits for a claim that is
    /// taking them. What is read of them afterwards stays true (R32).
    async fn hold_requests(&mut self, of: &InstitutionId, card: CardId) -> Result<(), StoreError>;

    /// Version of the newest PIN on record: that the holder set, or that was made for a request which went out.
    async fn newest_pin(&mut self, of: &InstitutionId, card: CardId) -> Result<Option<i64>, StoreError>;

    /// When the newest order that set the card's PIN was made; `None` where none did.
    async fn pin_set_at(&mut self, of: &InstitutionId, card: CardId) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// The version that a further PIN of the card gets; it is bound into the wrapping of the PIN.
    async fn next_pin_version(&mut self, of: &InstitutionId, card: CardId) -> Result<i64, StoreError>;

    /// Puts a PIN on record that no request asked for.
    async fn new_pin(
        &mut self,
        of: &InstitutionId,
        card: CardId,
        pin: &ItemPin,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Makes PINs void that were made for OPEN requests of the card: no plastic and no letter has them. A request whose
    /// PIN is void gets another where it needs one again.
    async fn void_pins(&mut self, of: &InstitutionId, card: CardId) -> Result<(), StoreError>;

    /// Makes what was written durable.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
