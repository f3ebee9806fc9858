//! What is due, card by card: one statement per page, however many plastics and requests a card has.

use super::SqlStore;
use super::columns::{Columns, pin_on_record, plastic_json, request_json};
use super::connection::{Connection, Database};
use super::statement::{Call, Row, Statement, statement};
use super::value::Value;
use crate::card::{CardId, InstitutionId};
use crate::selection::Dossier;
use crate::store::{Due, Route, StoreError};

/// The statement for one kind of route. `$1` institution, `$2` T0, `$3` after which card, `$4` how many cards or (on
/// PostgreSQL) NULL for all, `$5` the cards asked for or NULL, `$6` and `$7` the route's.
///
/// PostgreSQL looks the route up per request, not by a join: a join it would do first, and then sort what it joined.
///
/// A PIN made for a request that was never sent is not one the card has. Where the request is OPEN again (its file was
/// claimed anew), it is decided as if for the first time, so that its letter is not lost (R41), and finds its PIN
/// again by recordUid (R40); where it was cancelled, no cardholder ever learned the PIN.
macro_rules! dossiers {
    ($name:ident, sqlite($route:literal), postgres($postgres_route:literal)) => {
        statement!(
            $name = sqlite("SELECT due.card_id, c.version, cv.data, kv.version, kv.data, av.version, av.data,
    (SELECT json_group_array(", plastic_json!(), ")
       FROM plastic AS p INDEXED BY plastic_sequence
      WHERE p.institution = c.institution AND p.card_id = c.card_id AND p.status <> 'CANCELLED'),
    (SELECT MAX(pin.version) FROM pin WHERE pin.institution = c.institution AND pin.card_id = c.card_id
        AND ", pin_on_record!(), "),
    due.requests
  FROM (SELECT r.institution, r.card_id, json_group_array(", request_json!(), ") AS requests
          FROM production_request AS r CROSS JOIN card AS c ON c.institution = r.institution AND c.card_id = r.card_id
         WHERE r.institution = $1 AND r.live = 1 AND r.state = 'OPEN' AND r.marked_at <= $2
           AND r.card_id > $3 AND ($5 IS NULL OR r.card_id IN (SELECT value FROM json_each($5)))
           AND ", $route, "
         GROUP BY r.institution, r.card_id ORDER BY r.institution, r.card_id LIMIT $4) AS due
  CROSS JOIN card AS c ON c.institution = due.institution AND c.card_id = due.card_id
  LEFT JOIN card_version AS cv
    ON cv.institution = c.institution AND cv.card_id = c.card_id AND cv.version = c.version
  LEFT JOIN customer AS k ON k.institution = c.institution AND k.customer_id = c.customer_id
  LEFT JOIN customer_version AS kv
    ON kv.institution = k.institution AND kv.customer_id = k.customer_id AND kv.version = k.version
  LEFT JOIN account AS a ON a.institution = c.institution AND a.account_id = c.account_id
  LEFT JOIN account_version AS av
    ON av.institution = a.institution AND av.account_id = a.account_id AND av.version = a.version
 ORDER BY due.card_id"),
            postgres("SELECT due.card_id, c.version, cv.data, kv.version, kv.data, av.version, av.data,
    (SELECT CONCAT('[', string_agg(", plastic_json!(postgres), ", ','), ']')
       FROM plastic AS p
      WHERE p.institution = c.institution AND p.card_id = c.card_id AND p.status <> 'CANCELLED'),
    (SELECT MAX(pin.version) FROM pin WHERE pin.institution = c.institution AND pin.card_id = c.card_id
        AND ", pin_on_record!(), "),
    due.requests
  FROM (SELECT r.institution, r.card_id, CONCAT('[', string_agg(", request_json!(postgres), ", ','), ']') AS requests
          FROM production_request AS r
         WHERE r.institution = $1 AND r.live = 1 AND r.state = 'OPEN' AND r.marked_at <= $2
           AND r.card_id > $3 AND ($5 IS NULL OR r.card_id = ANY($5))
           AND ", $postgres_route, "
         GROUP BY r.institution, r.card_id ORDER BY r.institution, r.card_id LIMIT $4) AS due
  JOIN card AS c ON c.institution = due.institution AND c.card_id = due.card_id
  LEFT JOIN card_version AS cv
    ON cv.institution = c.institution AND cv.card_id = c.card_id AND cv.version = c.version
  LEFT JOIN customer AS k ON k.institution = c.institution AND k.customer_id = c.customer_id
  LEFT JOIN customer_version AS kv
    ON kv.institution = k.institution AND kv.customer_id = k.customer_id AND kv.version = k.version
  LEFT JOIN account AS a ON a.institution = c.institution AND a.account_id = c.account_id
  LEFT JOIN account_version AS av
    ON av.institution = a.institution AND av.account_id = a.account_id AND av.version = a.version
 ORDER BY due.card_id")
        );
    };
}
dossiers!(
    DOSSIERS_OF_MANUFACTURER,
    sqlite("(c.manufacturer = $6 OR (c.manufacturer IS NULL AND $7 = 1))"),
    postgres(
        "COALESCE((SELECT c.manufacturer FROM card AS c WHERE c.institution = r.institution AND c.card_id = r.card_id),
                CASE WHEN $7 = 1 THEN $6 END) = $6"
    )
);
dossiers!(
    DOSSIERS_ELSEWHERE,
    sqlite("(c.manufacturer NOT IN (SELECT value FROM json_each($6)) OR (c.manufacturer IS NULL AND $7 = 0))"),
    postgres(
        "COALESCE((SELECT c.manufacturer <> ALL($6) FROM card AS c
                WHERE c.institution = r.institution AND c.card_id = r.card_id), $7 = 0)"
    )
);

statement!(
    DUE_INSTITUTIONS = "SELECT institution, COUNT(*) FROM production_request
    WHERE live = 1 AND state = 'OPEN' AND marked_at <= $1 GROUP BY institution ORDER BY institution"
);

/// The call that reads one page of dossiers; without a limit, all that PostgreSQL has.
fn page(due: &Due, after: Option<CardId>, limit: Option<u32>) -> Call {
    let (statement, code, flag) = match &due.route {
        Route::Manufacturer { code, is_default } => (DOSSIERS_OF_MANUFACTURER, Value::from(code.as_str()), *is_default),
        Route::Elsewhere { known, has_default } => {
            let known = known.iter().map(ToString::to_string).collect();
            (DOSSIERS_ELSEWHERE, Value::Texts(known), *has_default)
        }
    };
    let cards = due.cards.iter().map(|card| card.get()).collect::<Vec<_>>();
    let cards = Value::Integers(if cards.is_empty() { None } else { Some(cards) });
    let call = statement.call().bind(due.institution.as_str()).bind(due.cut_off.timestamp_micros());
    let call = call.bind(after.map_or(0, CardId::get)).bind(limit).bind(cards);
    call.bind(code).bind(flag)
}

/// Cards of one page of a [`Walk`]: memory stays flat whatever is due.
pub(super) const CARDS_PER_PAGE: u32 = 1_000;
const FETCH: Statement = Statement {
    name: "FETCH_DOSSIERS",
    sqlite: "",
    postgres: "-- FETCH_DOSSIERS
FETCH FORWARD 1000 FROM due",
};

/// A walk over everything that is due, page by page, within one transaction. On PostgreSQL it is a cursor: one plan and
/// one walk, however many pages. SQLite walks its index, and finds its place again.
pub(super) struct Walk<'a> {
    due: &'a Due,
    after: Option<CardId>,
}

impl<'a> Walk<'a> {
    pub(super) async fn begin(due: &'a Due, on: &mut Connection) -> Result<Self, StoreError> {
        if on.database() == Database::Postgres {
            page(due, None, None).through_cursor("due").run(on).await?;
        }
        Ok(Self { due, after: None })
    }

    /// The next page; whether it was the last.
    pub(super) async fn next(
        &mut self,
        on: &mut Connection,
        mut take: impl FnMut(Dossier) -> Result<(), StoreError> + Send,
    ) -> Result<bool, StoreError> {
        let call = match on.database() {
            Database::Postgres => FETCH.call(),
            Database::Sqlite => page(self.due, self.after, Some(CARDS_PER_PAGE)),
        };
        let institution = &self.due.institution;
        let cards = call
            .each(on, |row| {
                let dossier = dossier(institution, row)?;
                let card_id = dossier.card_id;
                take(dossier).map(|()| card_id)
            })
            .await?;
        self.after = cards.last().copied();
        // A short page may still be followed by another only if cards appear meanwhile, and none can.
        Ok(cards.len() < CARDS_PER_PAGE as usize)
    }
}

/// A row of [`page`].
fn dossier(institution: &InstitutionId, row: &Row) -> Result<Dossier, StoreError> {
    let mut columns = Columns::of("dossier", row);
    let card_id = columns.card_id()?;
    // A version row that is gone is a NULL here, not a card that is silently left out.
    read_dossier(institution, card_id, &mut columns).map_err(|error| match error {
        StoreError::Corrupt { what, reason } => {
            StoreError::Corrupt { what: format!("card {card_id} of {institution} ({what})"), reason }
        }
        other => other,
    })
}

fn read_dossier(
    institution: &InstitutionId,
    card_id: CardId,
    columns: &mut Columns<'_>,
) -> Result<Dossier, StoreError> {
    Ok(Dossier {
        institution: institution.clone(),
        card_id,
        card_version: columns.take()?,
        card: columns.json()?,
        customer_version: columns.take()?,
        customer: columns.json()?,
        account_version: columns.take()?,
        account: columns.json()?,
        plastics: columns.plastics(card_id)?,
        pin_version: columns.take()?,
        requests: columns.requests()?,
    })
}

/// One page outside a claim.
pub(super) async fn read(
    store: &SqlStore,
    due: &Due,
    after: Option<CardId>,
    limit: u32,
) -> Result<Vec<Dossier>, StoreError> {
    let call = page(due, after, Some(limit));
    call.each(&mut store.reader().await?, |row| dossier(&due.institution, row)).await
}

/// Institutions with due requests.
pub(super) async fn institutions(store: &SqlStore, cut_off_us: i64) -> Result<Vec<(InstitutionId, u64)>, StoreError> {
    let call = DUE_INSTITUTIONS.call().bind(cut_off_us);
    let take = |row: &Row| {
        let mut columns = Columns::of("production_request", row);
        Ok((columns.parse()?, columns.number()?))
    };
    call.each(&mut store.reader().await?, take).await
}
