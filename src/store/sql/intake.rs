//! Orders written: one IMMEDIATE transaction per unit of work, every statement prepared once.
//!
//! Invariants: a version follows the newest one or nothing is written; a status is moved only from the one it was
//! read with; what another institution owns is not seen.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::columns::Columns;
use super::connection::{Connection, Database, Transaction};
use super::statement::{Row, Statement, statement};
use super::{events, ids, intake_statements as sql, text_of};
use crate::card::{
    Account, AccountId, Card, CardId, Customer, CustomerId, InstitutionId, Plastic, PlasticId, PlasticStatus, RecordUid,
};
use crate::selection::{ReasonCode, Request};
use crate::store::{IdKind, IntakeWork, ItemPin, NewCard, OrderSubject, StoreError, StoredAnswer, StoredCard};

// The key is ours alone in the database: the letters "embo" and a number.
statement!(TURN = sqlite("SELECT 1"), postgres("SELECT pg_advisory_xact_lock(1701667439, 4)"));

/// One transaction of intake; rolled back when dropped.
pub(super) struct SqlIntake {
    transaction: Transaction,
}

impl SqlIntake {
    /// Waits for its turn, until the transaction ends. Imports give out ids from one counter and so wait for each other
    /// anyway; without turns two that take the same cards in another order end each other again and again. SQLite has one
    /// writer anyway.
    pub(super) async fn begin(mut transaction: Transaction) -> Result<Self, StoreError> {
        if transaction.database() == Database::Postgres {
            TURN.call().row(&mut transaction).await?;
        }
        Ok(Self { transaction })
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.transaction
    }

    /// Appends a version of a customer or an account.
    async fn put(&mut self, row: Versioned<'_>, data: &impl Serialize, at: DateTime<Utc>) -> Result<(), StoreError> {
        let Versioned { of, what, id, version, make, next, content } = row;
        let statement = if version == 1 { make } else { next };
        let (data, at_us) = (text_of(what, data)?, at.timestamp_micros());
        let of_version = |statement: Statement| statement.call().bind(of.as_str()).bind(id).bind(version);
        let call = match self.connection().database() {
            Database::Sqlite => of_version(statement),
            Database::Postgres => of_version(statement).bind(data.as_str()).bind(at_us),
        };
        let changed = call.run(self.connection()).await?;
        still_there(changed, || format!("{what} {id} of {of}"), "its newest version is not the one before this")?;
        if self.connection().database() == Database::Sqlite {
            of_version(content).bind(data).bind(at_us).run(self.connection()).await?;
        }
        Ok(())
    }

    /// A customer or an account with its newest version.
    async fn newest<T: serde::de::DeserializeOwned>(
        &mut self,
        statement: Statement,
        of: &InstitutionId,
        id: i64,
    ) -> Result<Option<(i64, T)>, StoreError> {
        let row = statement.call().bind(of.as_str()).bind(id).row(self.connection()).await?;
        let read = |row| {
            let mut columns = Columns::of(statement.name, &row);
            Ok((columns.take()?, columns.json()?))
        };
        row.map(read).transpose()
    }
}

/// Which versioned row, and its statements.
struct Versioned<'a> {
    of: &'a InstitutionId,
    what: &'static str,
    id: i64,
    version: i64,
    make: Statement,
    next: Statement,
    content: Statement,
}

/// Every guarded statement changes exactly one row, unless somebody else was there between its reading and its writing.
fn still_there(changed: u64, what: impl FnOnce() -> String, reason: &str) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Overtaken { what: what(), reason: reason.to_owned() }) }
}

#[async_trait]
impl IntakeWork for SqlIntake {
    async fn answer(&mut self, of: &InstitutionId, order_id: &str) -> Result<Option<StoredAnswer>, StoreError> {
        let row = sql::ANSWER.call().bind(of.as_str()).bind(order_id).row(self.connection()).await?;
        let read = |row| {
            let mut columns = Columns::of("order_answer", &row);
            Ok(StoredAnswer { content_mac: columns.take()?, answer: columns.take()? })
        };
        row.map(read).transpose()
    }

    async fn save_answer(
        &mut self,
        of: &InstitutionId,
        order_id: &str,
        answer: &StoredAnswer,
        subject: &OrderSubject,
    ) -> Result<(), StoreError> {
        let call = sql::SAVE_ANSWER.call().bind(of.as_str()).bind(order_id);
        let call = call.bind(answer.content_mac.as_slice()).bind(answer.answer.as_str()).bind(subject.op);
        let call = call.bind(subject.at.timestamp_micros()).bind(subject.card_id.map(CardId::get));
        call.run(self.connection()).await?;
        Ok(())
    }

    async fn next_id(&mut self, of: &InstitutionId, kind: IdKind) -> Result<i64, StoreError> {
        ids::next(self.connection(), of, kind).await
    }

    async fn customer(&mut self, of: &InstitutionId, id: CustomerId) -> Result<Option<(i64, Customer)>, StoreError> {
        self.newest(sql::CUSTOMER, of, id.get()).await
    }

    async fn put_customer(
        &mut self,
        of: &InstitutionId,
        id: CustomerId,
        version: i64,
        customer: &Customer,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (make, next, content) = (sql::NEW_CUSTOMER, sql::NEXT_CUSTOMER, sql::CUSTOMER_VERSION);
        let row = Versioned { of, what: "customer", id: id.get(), version, make, next, content };
        self.put(row, customer, at).await
    }

    async fn account(&mut self, of: &InstitutionId, id: AccountId) -> Result<Option<(i64, Account)>, StoreError> {
        self.newest(sql::ACCOUNT, of, id.get()).await
    }

    async fn put_account(
        &mut self,
        of: &InstitutionId,
        id: AccountId,
        version: i64,
        account: &Account,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (make, next, content) = (sql::NEW_ACCOUNT, sql::NEXT_ACCOUNT, sql::ACCOUNT_VERSION);
        let row = Versioned { of, what: "account", id: id.get(), version, make, next, content };
        self.put(row, account, at).await
    }

    async fn card(&mut self, of: &InstitutionId, id: CardId) -> Result<Option<StoredCard>, StoreError> {
        let row = sql::CARD.call().bind(of.as_str()).bind(id.get()).row(self.connection()).await?;
        let read = |row| {
            let mut columns = Columns::of("card", &row);
            Ok(StoredCard { version: columns.take()?, card: columns.json()?, pan: columns.take()? })
        };
        row.map(read).transpose()
    }

    async fn pan_known(&mut self, pan_index: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(sql::PAN_KNOWN.call().bind(pan_index.as_slice()).row(self.connection()).await?.is_some())
    }

    async fn new_card(&mut self, of: &InstitutionId, new: &NewCard, at: DateTime<Utc>) -> Result<(), StoreError> {
        let call = sql::NEW_CARD.call().bind(of.as_str()).bind(new.card_id.get());
        let call = call.bind(new.card.customer_id.get()).bind(new.card.account_id.get());
        let call = call.bind(new.card.embossing.manufacturer.as_deref()).bind(new.pan.as_slice());
        let call = call.bind(new.pan_index.as_slice()).bind(new.bin.as_str()).bind(new.last4.as_str());
        let (data, at_us) = (text_of("card", &new.card)?, at.timestamp_micros());
        if self.connection().database() == Database::Postgres {
            return call.bind(data).bind(at_us).run(self.connection()).await.map(drop);
        }
        call.run(self.connection()).await?;
        let call = sql::CARD_VERSION.call().bind(of.as_str()).bind(new.card_id.get()).bind(1_i64);
        call.bind(data).bind(at_us).run(self.connection()).await.map(drop)
    }

    async fn put_card(
        &mut self,
        of: &InstitutionId,
        id: CardId,
        version: i64,
        card: &Card,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let call = sql::NEXT_CARD.call().bind(of.as_str()).bind(id.get()).bind(version);
        let call = call.bind(card.customer_id.get()).bind(card.account_id.get());
        let changed = call.bind(card.embossing.manufacturer.as_deref()).run(self.connection()).await?;
        still_there(changed, || format!("card {id} of {of}"), "its newest version is not the one before this")?;
        let call = sql::CARD_VERSION.call().bind(of.as_str()).bind(id.get()).bind(version);
        call.bind(text_of("card", card)?).bind(at.timestamp_micros()).run(self.connection()).await?;
        Ok(())
    }

    async fn plastics(&mut self, of: &InstitutionId, card: CardId) -> Result<Vec<Plastic>, StoreError> {
        sql::PLASTICS.call().bind(of.as_str()).bind(card.get()).each(self.connection(), plastic).await
    }

    async fn plastic(&mut self, of: &InstitutionId, id: PlasticId) -> Result<Option<Plastic>, StoreError> {
        let row = sql::PLASTIC.call().bind(of.as_str()).bind(id.get()).row(self.connection()).await?;
        row.as_ref().map(plastic).transpose()
    }

    async fn new_plastic(&mut self, of: &InstitutionId, new: &Plastic) -> Result<(), StoreError> {
        let call = sql::NEW_PLASTIC.call().bind(of.as_str()).bind(new.plastic_id.get()).bind(new.card_id.get());
        let call = call.bind(new.sequence_number).bind(new.event.as_str()).bind(new.status.as_str());
        let call = call.bind(new.expiry.number()).bind(new.marked_at.map(|at| at.timestamp_micros()));
        let call = call.bind(new.cvv_key.as_deref()).bind(new.cvv2_key.as_str());
        call.bind(new.embossing_date.map(|date| date.to_string())).run(self.connection()).await?;
        Ok(())
    }

    async fn move_plastic(
        &mut self,
        of: &InstitutionId,
        plastic: &Plastic,
        to: PlasticStatus,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let call = sql::MOVE_PLASTIC.call().bind(of.as_str()).bind(plastic.plastic_id.get());
        let changed = call.bind(plastic.status.as_str()).bind(to.as_str()).run(self.connection()).await?;
        let name = || format!("plastic {} of {of}", plastic.plastic_id);
        still_there(changed, name, &format!("it is no longer {}", plastic.status))?;
        let data = json!({
            "plasticId": plastic.plastic_id, "cardId": plastic.card_id,
            "from": plastic.status, "to": to,
        });
        events::write_of_card(self.connection(), at, "plastic.moved", of, plastic.card_id, &data).await
    }

    async fn new_request(&mut self, of: &InstitutionId, card: CardId, request: &Request) -> Result<(), StoreError> {
        let call = sql::NEW_REQUEST.call().bind(request.record_uid.to_string()).bind(of.as_str()).bind(card.get());
        let call = call.bind(request.plastic_id.get()).bind(request.event.as_str());
        call.bind(request.reproduction).bind(request.marked_at.timestamp_micros()).run(self.connection()).await?;
        Ok(())
    }

    async fn live_requests(&mut self, of: &InstitutionId, card: CardId) -> Result<Vec<(Request, bool)>, StoreError> {
        let take = |row: &Row| {
            let mut columns = Columns::of("production_request", row);
            let requests = columns.requests()?;
            Ok((requests, columns.take::<&str>()? == "CLAIMED"))
        };
        let call = sql::LIVE_REQUESTS.call().bind(of.as_str()).bind(card.get());
        let by_state = call.each(self.connection(), take).await?;
        let live =
            by_state.into_iter().flat_map(|(requests, claimed)| requests.into_iter().map(move |it| (it, claimed)));
        Ok(live.collect())
    }

    async fn close_request(
        &mut self,
        of: &InstitutionId,
        request: RecordUid,
        code: ReasonCode,
    ) -> Result<(), StoreError> {
        let call = sql::CLOSE_REQUEST.call().bind(of.as_str()).bind(request.to_string()).bind(code.as_str());
        let changed = call.run(self.connection()).await?;
        still_there(changed, || format!("production_request {request}"), "it is no longer OPEN")
    }

    async fn hold_requests(&mut self, of: &InstitutionId, card: CardId) -> Result<(), StoreError> {
        sql::HOLD_REQUESTS.call().bind(of.as_str()).bind(card.get()).run(self.connection()).await?;
        Ok(())
    }

    async fn newest_pin(&mut self, of: &InstitutionId, card: CardId) -> Result<Option<i64>, StoreError> {
        let row = sql::NEWEST_PIN.call().bind(of.as_str()).bind(card.get()).row(self.connection()).await?;
        row.map_or(Ok(None), |row| Columns::of("pin", &row).take())
    }

    async fn pin_set_at(&mut self, of: &InstitutionId, card: CardId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = sql::PIN_SET_AT.call().bind(of.as_str()).bind(card.get()).row(self.connection()).await?;
        row.map_or(Ok(None), |row| Columns::of("pin", &row).instant_optional())
    }

    async fn next_pin_version(&mut self, of: &InstitutionId, card: CardId) -> Result<i64, StoreError> {
        let row = sql::NEXT_PIN_VERSION.call().bind(of.as_str()).bind(card.get()).row(self.connection()).await?;
        row.map_or(Ok(1), |row| Columns::of("pin", &row).take())
    }

    async fn new_pin(
        &mut self,
        of: &InstitutionId,
        card: CardId,
        pin: &ItemPin,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let call = sql::NEW_PIN.call().bind(of.as_str()).bind(card.get()).bind(pin.version);
        let call = call.bind(pin.scheme.as_str()).bind(pin.stored.as_slice()).bind(pin.pvv.as_deref());
        let call = call.bind(pin.pvki.as_deref()).bind(pin.pvv_key.as_deref());
        call.bind(at.timestamp_micros()).run(self.connection()).await?;
        Ok(())
    }

    async fn void_pins(&mut self, of: &InstitutionId, card: CardId) -> Result<(), StoreError> {
        sql::VOID_PINS.call().bind(of.as_str()).bind(card.get()).run(self.connection()).await?;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.transaction.commit().await
    }
}

/// A row of [`sql::PLASTICS`].
pub(super) fn plastic(row: &Row) -> Result<Plastic, StoreError> {
    let mut columns = Columns::of("plastic", row);
    let card_id = columns.card_id()?;
    columns.plastic(card_id)
}
