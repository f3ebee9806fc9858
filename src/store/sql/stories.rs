//! A card's story read: one snapshot, everything by a key.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::columns::Columns;
use super::connection::{Connection, Transaction};
use super::statement::{Call, Row, Statement, failed};
use super::story_statements as sql;
use super::value::Value;
use super::{Place, SqlStore, audit, events, intake_statements};
use crate::card::{CardId, InstitutionId};
use crate::store::stories::{
    CardStory, CardVersionNote, DeliveryNote, FileNote, ItemNote, OrderNote, PinNote, RequestNote, StandingNote,
    StopNote, Stories, Subject, UnfinishedNote, VersionNote,
};
use crate::store::{EventRow, StoreError};

#[async_trait]
impl Stories for SqlStore {
    async fn bearers(&self, subject: Subject) -> Result<Vec<(InstitutionId, CardId)>, StoreError> {
        let id = match subject {
            Subject::Card(id) => id.get(),
            Subject::Plastic(id) => id.get(),
        };
        let take = |row: &Row| {
            let mut columns = Columns::of("card", row);
            Ok((columns.parse()?, columns.card_id()?))
        };
        sql::bearers(subject).call().bind(id).each(&mut self.reader().await?, take).await
    }

    async fn story(&self, of: &InstitutionId, card_id: CardId) -> Result<Option<CardStory>, StoreError> {
        let mut transaction = self.begin_look().await?;
        let look = Look { of, card_id, connection: &mut transaction };
        look.story().await
    }
}

impl SqlStore {
    /// A transaction that only reads, one state of the database; it waits for no writer. Dropped, it leaves nothing.
    pub(super) async fn begin_look(&self) -> Result<Transaction, StoreError> {
        const ON_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let begun = match &self.place {
            Place::Sqlite { pools, .. } => pools.readers.begin().await.map(Transaction::reading),
            Place::Postgres { pool, .. } => pool.begin_with(ON_POSTGRES).await.map(Transaction::postgres),
        };
        begun.map_err(|source| failed("BEGIN", source))
    }
}

/// One story being read.
struct Look<'a> {
    of: &'a InstitutionId,
    card_id: CardId,
    connection: &'a mut Connection,
}

impl Look<'_> {
    async fn story(mut self) -> Result<Option<CardStory>, StoreError> {
        let Some(mut story) = self.card().await? else { return Ok(None) };
        let uids: Vec<String> = story.requests.iter().map(|request| request.record_uid.to_string()).collect();
        story.standings =
            sql::STANDINGS.call().bind(Value::Texts(uids.clone())).each(self.connection, standing).await?;
        story.stops = sql::STOPS.call().bind(self.of.as_str()).each(self.connection, stop).await?;
        let call = sql::UNFINISHED_OF_ISSUER.call().bind(self.of.as_str());
        story.unfinished = call.each(self.connection, unfinished).await?;
        story.files = self.files(&uids).await?;
        let ids: Vec<String> = story.files.iter().map(|file| file.file_id.to_string()).collect();
        story.audit = sql::AUDIT_OF_FILES.call().bind(Value::Texts(ids)).each(self.connection, audit::row).await?;
        story.events = self.events(&story.files, &uids).await?;
        Ok(Some(story))
    }

    /// The card itself, with what is found by its id.
    async fn card(&mut self) -> Result<Option<CardStory>, StoreError> {
        let Some(row) = self.by_card(sql::CARD_ROW).row(self.connection).await? else { return Ok(None) };
        let mut columns = Columns::of("card", &row);
        let mut story = CardStory {
            institution: self.of.clone(),
            card_id: self.card_id,
            bin: columns.take()?,
            last4: columns.take()?,
            customer_id: columns.parse()?,
            account_id: columns.parse()?,
            manufacturer: columns.take()?,
            versions: self.by_card(sql::CARD_VERSIONS).each(self.connection, card_version).await?,
            customer_versions: Vec::new(),
            account_versions: Vec::new(),
            pins: self.by_card(sql::PIN_VERSIONS).each(self.connection, pin).await?,
            plastics: self.by_card(intake_statements::PLASTICS).each(self.connection, super::intake::plastic).await?,
            orders: Vec::new(),
            requests: self.by_card(sql::REQUESTS_OF_CARD).each(self.connection, request).await?,
            standings: Vec::new(),
            stops: Vec::new(),
            unfinished: Vec::new(),
            files: Vec::new(),
            audit: Vec::new(),
            events: Vec::new(),
        };
        let Some(newest) = story.versions.last() else {
            return Err(super::corrupt("card_version", "a card has no version"));
        };
        let lost = newest.replaces.unwrap_or(self.card_id).get();
        story.orders = self.by_card(sql::ORDERS_OF_CARD).bind(lost).each(self.connection, order).await?;
        let call = sql::CUSTOMER_VERSIONS.call().bind(self.of.as_str()).bind(story.customer_id.get());
        story.customer_versions = call.each(self.connection, version_row).await?;
        let call = sql::ACCOUNT_VERSIONS.call().bind(self.of.as_str()).bind(story.account_id.get());
        story.account_versions = call.each(self.connection, version_row).await?;
        Ok(Some(story))
    }

    fn by_card(&self, statement: Statement) -> Call {
        statement.call().bind(self.of.as_str()).bind(self.card_id.get())
    }

    /// The files of these requests, each with the card's places in it and its deliveries.
    async fn files(&mut self, uids: &[String]) -> Result<Vec<FileNote>, StoreError> {
        let call = sql::ITEMS_OF_REQUESTS.call().bind(Value::Texts(uids.to_vec()));
        let mut items: BTreeMap<String, Vec<ItemNote>> = BTreeMap::new();
        for (file_id, item) in call.each(self.connection, item).await? {
            items.entry(file_id).or_default().push(item);
        }
        let ids = Value::Texts(items.keys().cloned().collect());
        let mut deliveries: BTreeMap<String, Vec<DeliveryNote>> = BTreeMap::new();
        for (file_id, delivery) in sql::DELIVERIES.call().bind(ids.clone()).each(self.connection, delivery).await? {
            deliveries.entry(file_id).or_default().push(delivery);
        }
        let mut files = sql::FILES_OF_CARD.call().bind(ids).each(self.connection, file).await?;
        for file in &mut files {
            let id = file.file_id.to_string();
            file.items = items.remove(&id).unwrap_or_default();
            file.deliveries = deliveries.remove(&id).unwrap_or_default();
        }
        Ok(files)
    }

    /// Events under the card's own name, and those among the many of each settlement.
    async fn events(&mut self, files: &[FileNote], uids: &[String]) -> Result<Vec<EventRow>, StoreError> {
        let mut found = self.by_card(sql::EVENTS_OF_CARD).each(self.connection, events::row).await?;
        for file in files.iter().filter(|file| file.settled_at.is_some()) {
            let call = sql::EVENTS_OF_SETTLEMENT.call().bind(file.file_id.to_string());
            let call = call.bind(self.card_id.to_string()).bind(Value::Texts(uids.to_vec()));
            found.extend(call.each(self.connection, events::row).await?);
        }
        found.sort_by_key(|event| event.number);
        Ok(found)
    }
}

fn version(columns: &mut Columns<'_>) -> Result<VersionNote, StoreError> {
    Ok(VersionNote { version: columns.take()?, made_at: columns.instant()? })
}

fn version_row(row: &Row) -> Result<VersionNote, StoreError> {
    version(&mut Columns::of("version", row))
}

fn card_version(row: &Row) -> Result<CardVersionNote, StoreError> {
    let mut columns = Columns::of("card_history", row);
    Ok(CardVersionNote {
        note: version(&mut columns)?,
        product_code: columns.take()?,
        scheme: columns.take()?,
        status: columns.parse()?,
        status_since: columns.parse()?,
        pin_status: columns.parse()?,
        physical: columns.take::<Option<i64>>()?.map(|flag| flag != 0),
        scheduled_closing: columns.parse_optional()?,
        replaces: columns.parse_optional()?,
        replaced_by: columns.parse_optional()?,
    })
}

fn pin(row: &Row) -> Result<PinNote, StoreError> {
    let mut columns = Columns::of("pin", row);
    Ok(PinNote { note: version(&mut columns)?, record_uid: columns.parse_optional()?, on_record: columns.flag()? })
}

fn order(row: &Row) -> Result<OrderNote, StoreError> {
    let mut columns = Columns::of("order_answer", row);
    Ok(OrderNote { order_id: columns.take()?, op: columns.take()?, at: columns.instant()?, answer: columns.take()? })
}

fn request(row: &Row) -> Result<RequestNote, StoreError> {
    let mut columns = Columns::of("production_request", row);
    Ok(RequestNote {
        record_uid: columns.parse()?,
        plastic_id: columns.plastic_id()?,
        event: columns.parse()?,
        reproduction: columns.flag()?,
        marked_at: columns.instant()?,
        state: columns.take()?,
        reason: columns.take()?,
        file_id: columns.parse_optional()?,
    })
}

fn standing(row: &Row) -> Result<StandingNote, StoreError> {
    let mut columns = Columns::of("standing", row);
    Ok(StandingNote {
        record_uid: columns.parse()?,
        standing: columns.parse()?,
        code: columns.parse()?,
        first_night: columns.parse()?,
        last_night: columns.parse()?,
        times: columns.number()?,
    })
}

fn stop(row: &Row) -> Result<StopNote, StoreError> {
    let mut columns = Columns::of("agreement_night", row);
    Ok(StopNote {
        night: columns.parse()?,
        cut_off: columns.instant()?,
        manufacturer: columns.parse()?,
        code: columns.parse()?,
    })
}

fn unfinished(row: &Row) -> Result<UnfinishedNote, StoreError> {
    let mut columns = Columns::of("file", row);
    Ok(UnfinishedNote { manufacturer: columns.parse()?, name: columns.take()?, state: columns.parse()? })
}

fn item(row: &Row) -> Result<(String, ItemNote), StoreError> {
    let mut columns = Columns::of("file_item", row);
    let file_id = columns.take()?;
    let item = ItemNote {
        record_uid: columns.parse()?,
        plastic_id: columns.plastic_id()?,
        record_number: columns.number_optional()?,
        reason: columns.take()?,
    };
    Ok((file_id, item))
}

fn delivery(row: &Row) -> Result<(String, DeliveryNote), StoreError> {
    let mut columns = Columns::of("delivery", row);
    let file_id = columns.take()?;
    let delivery = DeliveryNote {
        delivery_number: columns.number()?,
        state: columns.take()?,
        attempt: columns.number()?,
        identity: columns.take()?,
        started_at: columns.instant()?,
        published_at: columns.instant_optional()?,
    };
    Ok((file_id, delivery))
}

fn file(row: &Row) -> Result<FileNote, StoreError> {
    let mut columns = Columns::of("file", row);
    Ok(FileNote {
        file_id: columns.parse()?,
        night: columns.parse()?,
        manufacturer: columns.parse()?,
        sequence_number: columns.number()?,
        file_type: columns.parse()?,
        resend_of: columns.parse_optional()?,
        state: columns.take()?,
        cut_off: columns.instant()?,
        data_as_of: columns.instant()?,
        file_name: columns.take()?,
        sha256: columns.take()?,
        records: columns.number_optional()?,
        abandoned: columns.flag()?,
        trouble: columns.take()?,
        published_at: columns.instant_optional()?,
        settled_at: columns.instant_optional()?,
        items: Vec::new(),
        deliveries: Vec::new(),
    })
}
