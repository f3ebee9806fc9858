//! Rows taken apart, column by column in the order of the SELECT.
//!
//! Invariants: what this program never writes is [`StoreError::Corrupt`], never a default; an error names the table
//! and the column's place, never the value, because a value may be a name or an address.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};

use super::statement::Row;

use crate::card::{CardId, Expiry, Plastic, PlasticId, PlasticStatus, ProductionEvent, RecordUid};
use crate::selection::Request;
use crate::store::StoreError;

/// A row being read from its first column on.
pub(super) struct Columns<'r> {
    row: &'r Row,
    next: usize,
    table: &'static str,
}

impl<'r> Columns<'r> {
    pub(super) fn of(table: &'static str, row: &'r Row) -> Self {
        Self { row, next: 0, table }
    }

    /// The next column as the driver gives it.
    pub(super) fn take<T>(&mut self) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        let index = self.next;
        self.next += 1;
        let taken = match self.row {
            Row::Sqlite(row) => row.try_get(index),
            Row::Postgres(row) => row.try_get(index),
        };
        taken.map_err(|_| self.corrupt("it has another type"))
    }

    /// A word, an id, a date: anything that is parsed from text.
    pub(super) fn parse<T: FromStr>(&mut self) -> Result<T, StoreError> {
        let text: &str = self.take()?;
        text.parse().map_err(|_| self.corrupt("it is not what this program writes"))
    }

    /// The same where the column may be NULL.
    pub(super) fn parse_optional<T: FromStr>(&mut self) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.take()?;
        text.map(str::parse).transpose().map_err(|_| self.corrupt("it is not what this program writes"))
    }

    /// A number that is never negative and fits its type.
    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        let number: i64 = self.take()?;
        T::try_from(number).map_err(|_| self.corrupt("it is out of range"))
    }

    /// The same where the column may be NULL.
    pub(super) fn number_optional<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, StoreError> {
        let number: Option<i64> = self.take()?;
        number.map(T::try_from).transpose().map_err(|_| self.corrupt("it is out of range"))
    }

    /// 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.take::<i64>()? != 0)
    }

    /// Microseconds since 1970.
    pub(super) fn instant(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let micros = self.take()?;
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt("it is not an instant"))
    }

    /// The same where the column may be NULL.
    pub(super) fn instant_optional(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let micros: Option<i64> = self.take()?;
        micros.map(|micros| self.instant_of(micros)).transpose()
    }

    /// A JSON text.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text: &str = self.take()?;
        // Not serde's message: it quotes values.
        serde_json::from_str(text)
            .map_err(|error| self.corrupt(&format!("unreadable from character {}", error.column())))
    }

    /// An id from its number.
    pub(super) fn card_id(&mut self) -> Result<CardId, StoreError> {
        let number = self.take()?;
        CardId::new(number).ok_or_else(|| self.corrupt("it is out of range"))
    }

    /// An id from its number.
    pub(super) fn plastic_id(&mut self) -> Result<PlasticId, StoreError> {
        let number = self.take()?;
        self.plastic_id_of(number)
    }

    /// One plastic, written by [`plastic_json`].
    pub(super) fn plastic(&mut self, card_id: CardId) -> Result<Plastic, StoreError> {
        let packed = self.json()?;
        self.unpack_plastic(card_id, packed)
    }

    /// An array of plastics, by sequence number: sorting them here costs less than a sort per card there.
    pub(super) fn plastics(&mut self, card_id: CardId) -> Result<Vec<Plastic>, StoreError> {
        let mut packed: Vec<PackedPlastic> = self.json()?;
        packed.sort_unstable_by_key(|plastic| plastic.1);
        packed.into_iter().map(|plastic| self.unpack_plastic(card_id, plastic)).collect()
    }

    /// An array of requests, written by [`request_json`], by their number.
    pub(super) fn requests(&mut self) -> Result<Vec<Request>, StoreError> {
        let mut packed: Vec<PackedRequest> = self.json()?;
        packed.sort_unstable_by_key(|request| request.0);
        packed
            .into_iter()
            .map(|PackedRequest(_, record_uid, plastic_id, event, reproduction, marked_at)| {
                Ok(Request {
                    record_uid,
                    plastic_id: self.plastic_id_of(plastic_id)?,
                    event,
                    reproduction: reproduction != 0,
                    marked_at: self.instant_of(marked_at)?,
                })
            })
            .collect()
    }

    fn unpack_plastic(&self, card_id: CardId, packed: PackedPlastic) -> Result<Plastic, StoreError> {
        let PackedPlastic(id, sequence_number, event, status, expiry, marked_at, cvv_key, cvv2_key, embossing_date) =
            packed;
        Ok(Plastic {
            plastic_id: self.plastic_id_of(id)?,
            card_id,
            sequence_number,
            event,
            status,
            expiry: Expiry::from_number(expiry).ok_or_else(|| self.corrupt("it is not an expiry"))?,
            marked_at: marked_at.map(|micros| self.instant_of(micros)).transpose()?,
            cvv_key,
            cvv2_key,
            embossing_date,
        })
    }

    fn plastic_id_of(&self, number: i64) -> Result<PlasticId, StoreError> {
        PlasticId::new(number).ok_or_else(|| self.corrupt("it is out of range"))
    }

    fn instant_of(&self, micros: i64) -> Result<DateTime<Utc>, StoreError> {
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt("it is not an instant"))
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt { what: format!("{}, column {}", self.table, self.next), reason: reason.to_owned() }
    }
}

/// A plastic as one JSON array, so that a row stays narrow: the driver's cost is per column.
#[derive(serde::Deserialize)]
struct PackedPlastic(
    i64,
    u8,
    ProductionEvent,
    PlasticStatus,
    i64,
    Option<i64>,
    Option<String>,
    String,
    Option<NaiveDate>,
);

#[derive(serde::Deserialize)]
struct PackedRequest(i64, RecordUid, i64, ProductionEvent, i64, i64);

/// SQL of one plastic of the table or alias `p`. PostgreSQL's own functions look every argument's type up for every row,
/// which costs more than reading the row: there the text is put together, and only what people have named is quoted by it.
macro_rules! plastic_json {
    () => {
        "json_array(p.plastic_id, p.sequence_number, p.event, p.status, p.expiry, p.marked_at, p.cvv_key, p.cvv2_key, \
         p.embossing_date)"
    };
    (postgres) => {
        "CONCAT('[', p.plastic_id, ',', p.sequence_number, ',\"', p.event, '\",\"', p.status, '\",', p.expiry, ',', \
         COALESCE(p.marked_at::text, 'null'), ',', COALESCE(to_json(p.cvv_key)::text, 'null'), ',', to_json(p.cvv2_key), \
         ',', COALESCE('\"' || p.embossing_date || '\"', 'null'), ']')"
    };
}
/// SQL of one request of the table or alias `r`.
macro_rules! request_json {
    () => {
        "json_array(r.number, r.record_uid, r.plastic_id, r.event, r.reproduction, r.marked_at)"
    };
    (postgres) => {
        "CONCAT('[', r.number, ',\"', r.record_uid, '\",', r.plastic_id, ',\"', r.event, '\",', r.reproduction, ',', \
         r.marked_at, ']')"
    };
}
/// SQL of whether a row of the table or alias `pin` is on record: its holder set it, or its request went out.
macro_rules! pin_on_record {
    () => {
        "pin.void = 0 AND NOT EXISTS (SELECT 1 FROM production_request AS own
                         WHERE own.record_uid = pin.record_uid AND own.state <> 'SENT')"
    };
}
pub(super) use {pin_on_record, plastic_json, request_json};
