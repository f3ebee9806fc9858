//! Cards, plastics and requests put into a store through intake, for the store's contract.

use chrono::{DateTime, Utc};
use emboss::card::*;
use emboss::chain::ChainKey;
use emboss::selection::{ReasonCode, Request};
use emboss::store::{IntakeWork, NewCard, Store};
use uuid::Uuid;
use zeroize::Zeroizing;

/// An instant, for example `at("2026-11-20T03:00:00Z")`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The key of the audit's entries.
pub(crate) fn audit_key() -> ChainKey {
    ChainKey::new("audit-1", Zeroizing::new([7; 32]))
}

/// The issuer most tests use.
pub(crate) fn issuer() -> InstitutionId {
    "246001".parse().unwrap()
}

/// A house.
pub(crate) fn house(code: &str) -> ManufacturerCode {
    code.parse().unwrap()
}

/// A card id.
pub(crate) fn card_id(number: i64) -> CardId {
    CardId::new(number).unwrap()
}

/// A plastic id.
pub(crate) fn plastic_id(number: i64) -> PlasticId {
    PlasticId::new(number).unwrap()
}

/// The recordUid of a plastic's request.
pub(crate) fn uid(number: i64) -> RecordUid {
    RecordUid(Uuid::from_u128(0x4000_8000_0000_0000_0000 + u128::try_from(number).unwrap()))
}

/// When plastics were marked.
pub(crate) fn marked() -> DateTime<Utc> {
    at("2026-11-19T10:00:00Z")
}

/// A customer called by `last_name`.
pub(crate) fn customer(last_name: &str) -> Customer {
    Customer {
        customer_number: "C1".into(),
        locale: "fi_FI".into(),
        name: Recipient { salutation: None, first_name: "Aino".into(), middle_name: None, last_name: last_name.into() },
        address: Address { address1: Some("Street 1".into()), ..Address::default() },
        temporary_address: None,
        phone_number: None,
        mobile_number: None,
    }
}

/// A card of customer and account `number`.
pub(crate) fn card(number: i64, manufacturer: Option<&str>) -> Card {
    Card {
        customer_id: CustomerId::new(number).unwrap(),
        account_id: AccountId::new(number).unwrap(),
        role: CardRole::Main,
        product_code: "DEBIT".into(),
        scheme: Scheme::Mastercard,
        status: CardStatus::Ok,
        status_since: marked(),
        pin_status: PinStatus::Default,
        embossing: Embossing {
            first_name: Some("AINO".into()),
            manufacturer: manufacturer.map(Into::into),
            ..Embossing::default()
        },
        segment: None,
        additional_values: Vec::new(),
        digital_layout_code: None,
        scheduled_closing: None,
        card_address: None,
        pin_address: None,
        card_delivery_type: None,
        pin_delivery_type: None,
        replaces: None,
        replaced_by: None,
    }
}

/// A plastic as intake makes it.
pub(crate) fn plastic(
    number: i64,
    card: i64,
    sequence_number: u8,
    event: ProductionEvent,
    status: PlasticStatus,
) -> Plastic {
    Plastic {
        plastic_id: plastic_id(number),
        card_id: card_id(card),
        sequence_number,
        event,
        status,
        expiry: Expiry::new(2029, 11).unwrap(),
        marked_at: (status == PlasticStatus::Inactive).then(marked),
        cvv_key: Some("cvv-1".into()),
        cvv2_key: "cvv2-1".into(),
        embossing_date: None,
    }
}

/// A request for a plastic; its recordUid is [`uid`] of the plastic's number.
pub(crate) fn request(plastic: i64, event: ProductionEvent) -> Request {
    Request {
        record_uid: uid(plastic),
        plastic_id: plastic_id(plastic),
        event,
        reproduction: false,
        marked_at: marked(),
    }
}

/// A PIN order for the card of a plastic; its recordUid is [`uid`] of 1,000,000 + the card's number.
pub(crate) fn pin_order(card: i64, plastic: i64) -> Request {
    Request { record_uid: uid(1_000_000 + card), ..request(plastic, ProductionEvent::Ropin) }
}

/// One unit of intake on a store.
pub(crate) struct Seed {
    /// The issuer.
    pub(crate) of: InstitutionId,
    /// The open work.
    pub(crate) work: Box<dyn IntakeWork>,
}

impl Seed {
    /// Begins.
    pub(crate) async fn begin(store: &dyn Store) -> Self {
        Self { of: issuer(), work: store.intake().await.unwrap() }
    }

    /// Customer, account and card of one number.
    pub(crate) async fn card(&mut self, number: i64, manufacturer: Option<&str>) {
        let card = card(number, manufacturer);
        let account = Account { customer_id: card.customer_id, address: None };
        self.work.put_customer(&self.of, card.customer_id, 1, &customer("Virtanen"), marked()).await.unwrap();
        self.work.put_account(&self.of, card.account_id, 1, &account, marked()).await.unwrap();
        let mut pan_index = [0; 32];
        pan_index[..8].copy_from_slice(&number.to_be_bytes());
        pan_index[8..8 + self.of.as_str().len()].copy_from_slice(self.of.as_str().as_bytes());
        let new = NewCard {
            card_id: card_id(number),
            card,
            pan: format!("wrapped {number}").into_bytes(),
            pan_index,
            bin: "400000".into(),
            last4: format!("{:04}", number % 10_000),
        };
        self.work.new_card(&self.of, &new, marked()).await.unwrap();
    }

    /// A plastic without a request.
    pub(crate) async fn plastic(&mut self, plastic: &Plastic) {
        self.work.new_plastic(&self.of, plastic).await.unwrap();
    }

    /// A request.
    pub(crate) async fn request(&mut self, card: i64, request: &Request) {
        self.work.new_request(&self.of, card_id(card), request).await.unwrap();
    }

    /// A card with one marked NCRD plastic of the same number.
    pub(crate) async fn marked_card(&mut self, number: i64, manufacturer: Option<&str>) {
        self.card(number, manufacturer).await;
        self.plastic(&plastic(number, number, 1, ProductionEvent::Ncrd, PlasticStatus::Inactive)).await;
        self.request(number, &request(number, ProductionEvent::Ncrd)).await;
    }

    /// A card whose plastic `number` is in use and whose plastic `number + 1` is marked.
    pub(crate) async fn reissued_card(&mut self, number: i64, manufacturer: Option<&str>) {
        self.card(number, manufacturer).await;
        self.plastic(&plastic(number, number, 1, ProductionEvent::Ncrd, PlasticStatus::Active)).await;
        self.plastic(&plastic(number + 1, number, 2, ProductionEvent::Rplre, PlasticStatus::Inactive)).await;
        self.request(number, &request(number + 1, ProductionEvent::Rplre)).await;
    }

    /// Closes a card for good, as its version 2.
    pub(crate) async fn lose_card(&mut self, number: i64) {
        let stored = self.work.card(&self.of, card_id(number)).await.unwrap().unwrap();
        let lost = Card { status: CardStatus::Lost, ..stored.card };
        self.work.put_card(&self.of, card_id(number), stored.version + 1, &lost, marked()).await.unwrap();
    }

    /// Closes a request.
    pub(crate) async fn cancel(&mut self, plastic: i64) {
        self.work.close_request(&self.of, uid(plastic), ReasonCode::Cancelled).await.unwrap();
    }

    /// Makes it durable.
    pub(crate) async fn commit(self) {
        self.work.commit().await.unwrap();
    }
}
