//! Cards that end soon, read month by month, and the plastics that renew them (R110-R113).
//!
//! Invariants: a page of renewals is one transaction under the run's epoch; a card is left out where it, or the number of its
//! newest plastic, is not what the ruling saw; should two make a card's next plastic at once, its number lets one of them.

use std::collections::BTreeMap;

use serde_json::json;

use super::claim::expect_count;
use super::columns::{Columns, plastic_json};
use super::connection::Transaction;
use super::many::Kind::{Integer, Text};
use super::many::ManyRows;
use super::statement::{Row, statement};
use super::value::Value;
use super::{SqlStore, events, ids, runs};
use crate::card::{Card, CardId, Expiry, InstitutionId, Plastic, PlasticId};
use crate::renewal::{Renewable, Renewal};
use crate::store::{RenewalOrder, StoreError};

/// How often a page is tried again where somebody made a plastic of the same card or id at the same moment.
const TRIES: u32 = 20;

// Along the month; of each card the newest plastic only. What was renewed before is CLOSED or has a newer one, so that it
// costs one look into an index and no more. PostgreSQL makes no join of a subquery that is compared with; and only one
// index has rows in the order of all three columns, so that old numbers of rows lead it to no other.
statement!(
    RENEWABLE = sqlite(
        "SELECT due.card_id, c.version, cv.data,
    (SELECT json_group_array(",
        plastic_json!(),
        ")
       FROM plastic AS p INDEXED BY plastic_sequence
      WHERE p.institution = c.institution AND p.card_id = c.card_id)
  FROM (SELECT ends.institution, ends.card_id, ends.plastic_id FROM plastic AS ends INDEXED BY plastic_expiry
         WHERE ends.institution = $1 AND ends.expiry = $2 AND ends.plastic_id > $3 AND ends.status IN ('ACTIVE', 'LOCKED')
           AND ends.sequence_number = (SELECT MAX(n.sequence_number) FROM plastic AS n
                WHERE n.institution = ends.institution AND n.card_id = ends.card_id AND n.status <> 'CANCELLED')
         ORDER BY ends.plastic_id LIMIT $4) AS due
  CROSS JOIN card AS c ON c.institution = due.institution AND c.card_id = due.card_id
  LEFT JOIN card_version AS cv
    ON cv.institution = c.institution AND cv.card_id = c.card_id AND cv.version = c.version
 ORDER BY due.plastic_id"
    ),
    postgres(
        "SELECT due.card_id, c.version, cv.data,
    (SELECT CONCAT('[', string_agg(",
        plastic_json!(postgres),
        ", ','), ']')
       FROM plastic AS p
      WHERE p.institution = c.institution AND p.card_id = c.card_id)
  FROM (SELECT ends.institution, ends.expiry, ends.plastic_id, ends.card_id FROM plastic AS ends
         WHERE (ends.institution, ends.expiry, ends.plastic_id) > ($1, $2, $3)
           AND (ends.institution, ends.expiry) <= ($1, $2) AND ends.status IN ('ACTIVE', 'LOCKED')
           AND ends.sequence_number = (SELECT MAX(n.sequence_number) FROM plastic AS n
                WHERE n.institution = ends.institution AND n.card_id = ends.card_id AND n.status <> 'CANCELLED')
         ORDER BY ends.institution, ends.expiry, ends.plastic_id LIMIT $4) AS due
  JOIN card AS c ON c.institution = due.institution AND c.card_id = due.card_id
  LEFT JOIN card_version AS cv
    ON cv.institution = c.institution AND cv.card_id = c.card_id AND cv.version = c.version
 ORDER BY due.institution, due.expiry, due.plastic_id"
    )
);
statement!(
    CARDS_NOW = sqlite(
        "SELECT c.card_id, c.version, (SELECT MAX(p.sequence_number) FROM plastic AS p
        WHERE p.institution = c.institution AND p.card_id = c.card_id)
    FROM card AS c WHERE c.institution = $1 AND c.card_id IN (SELECT value FROM json_each($2))"
    ),
    postgres(
        "SELECT c.card_id, c.version, (SELECT MAX(p.sequence_number) FROM plastic AS p
        WHERE p.institution = c.institution AND p.card_id = c.card_id)
    FROM card AS c WHERE c.institution = $1 AND c.card_id = ANY($2)"
    )
);
const NEW_PLASTICS: ManyRows = ManyRows {
    name: "NEW_PLASTICS",
    insert: "INSERT INTO plastic (institution, plastic_id, card_id, sequence_number, event, status, expiry, marked_at,
        cvv_key, cvv2_key)",
    kinds: &[Text, Integer, Integer, Integer, Text, Text, Integer, Integer, Text, Text],
    then: "",
};
const NEW_REQUESTS: ManyRows = ManyRows {
    name: "NEW_REQUESTS",
    insert:
        "INSERT INTO production_request (record_uid, institution, card_id, plastic_id, event, reproduction, marked_at,
        state)",
    kinds: &[Text, Text, Integer, Integer, Text, Integer, Integer, Text],
    then: "",
};
statement!(
    CLOSE_PLASTICS = sqlite(
        "UPDATE plastic SET status = 'CLOSED'
    WHERE institution = $1 AND plastic_id IN (SELECT value FROM json_each($2)) AND status IN ('ACTIVE', 'LOCKED')"
    ),
    postgres(
        "UPDATE plastic SET status = 'CLOSED'
    WHERE institution = $1 AND plastic_id = ANY($2) AND status IN ('ACTIVE', 'LOCKED')"
    )
);

/// A page of cards whose newest plastic is in use and ends in a month.
pub(super) async fn page(
    store: &SqlStore,
    of: &InstitutionId,
    expiry: Expiry,
    after: Option<PlasticId>,
    limit: u32,
) -> Result<Vec<Renewable>, StoreError> {
    let call = RENEWABLE.call().bind(of.as_str()).bind(expiry.number());
    let call = call.bind(after.map_or(0, PlasticId::get)).bind(limit);
    let take = |row: &Row| {
        let mut columns = Columns::of("card", row);
        let card_id = columns.card_id()?;
        let mut rest = || {
            let (card_version, card) = (columns.take()?, columns.json::<Card>()?.into());
            Ok(Renewable { card_id, card_version, card, plastics: columns.plastics(card_id)? })
        };
        rest().map_err(|error| match error {
            StoreError::Corrupt { what, reason } => {
                StoreError::Corrupt { what: format!("card {card_id} of {of} ({what})"), reason }
            }
            other => other,
        })
    };
    call.each(&mut store.reader().await?, take).await
}

/// Makes the plastics; the cards that got theirs.
pub(super) async fn renew(store: &SqlStore, order: &RenewalOrder<'_>) -> Result<Vec<CardId>, StoreError> {
    for _ in 0..TRIES {
        match try_to_renew(store, order).await {
            Err(error) if error.is_conflict() => {}
            done => return done,
        }
    }
    try_to_renew(store, order).await
}

async fn try_to_renew(store: &SqlStore, order: &RenewalOrder<'_>) -> Result<Vec<CardId>, StoreError> {
    let what = || format!("the renewal of institution {}", order.institution);
    let plastic_ids = ids::for_plastics(store, order.institution, order.renewals.len()).await?;
    let mut transaction = store.begin().await?;
    runs::still_ours(&mut transaction, order.epoch, what).await?;
    let now = cards_now(&mut transaction, order).await?;
    let unchanged = |renewal: &Renewal| {
        now.get(&renewal.card_id) == Some(&(renewal.card_version, i64::from(renewal.sequence_number) - 1))
    };
    let made: Vec<Made<'_>> = order
        .renewals
        .iter()
        .filter(|(_, renewal)| unchanged(renewal))
        .zip(plastic_ids)
        .map(|((record_uid, renewal), plastic_id)| Made {
            record_uid: record_uid.to_string(),
            plastic: renewal.plastic(plastic_id, order.marked_at),
            renewal,
        })
        .collect();
    write(&mut transaction, order, &made).await?;
    let at = store.time(&mut transaction).await?;
    let told = made.iter().flat_map(|made| made.told(order)).collect();
    events::write_many(&mut transaction, at, order.institution, told).await?;
    runs::ours_until_commit(&mut transaction, order.epoch, what).await?;
    transaction.commit().await?;
    Ok(made.iter().map(|made| made.plastic.card_id).collect())
}

/// Version and highest sequence number of the cards, by card.
async fn cards_now(
    transaction: &mut Transaction,
    order: &RenewalOrder<'_>,
) -> Result<BTreeMap<CardId, (i64, i64)>, StoreError> {
    let cards = order.renewals.iter().map(|(_, renewal)| renewal.card_id.get()).collect();
    let call = CARDS_NOW.call().bind(order.institution.as_str()).bind(Value::Integers(Some(cards)));
    let take = |row: &Row| {
        let mut columns = Columns::of("card", row);
        Ok((columns.card_id()?, (columns.take()?, columns.take()?)))
    };
    Ok(call.each(transaction, take).await?.into_iter().collect())
}

async fn write(transaction: &mut Transaction, order: &RenewalOrder<'_>, made: &[Made<'_>]) -> Result<(), StoreError> {
    let of = order.institution.as_str();
    let plastics: Vec<_> = made.iter().map(|made| plastic_columns(of, &made.plastic)).collect();
    let count = plastics.len() as u64;
    expect_count(NEW_PLASTICS.write(plastics, transaction).await?, count, "plastics of the renewal")?;
    let requests: Vec<_> = made.iter().filter_map(|made| made.request_columns(of)).collect();
    let count = requests.len() as u64;
    expect_count(NEW_REQUESTS.write(requests, transaction).await?, count, "requests of the renewal")?;
    let closed: Vec<i64> = made.iter().flat_map(|made| &made.renewal.closes).map(|(id, _)| id.get()).collect();
    let count = closed.len() as u64;
    let call = CLOSE_PLASTICS.call().bind(of).bind(Value::Integers(Some(closed)));
    expect_count(call.run(transaction).await?, count, "plastics the renewal closes")
}

/// The columns of [`NEW_PLASTICS`].
fn plastic_columns(of: &str, plastic: &Plastic) -> Vec<Value> {
    vec![
        of.into(),
        plastic.plastic_id.get().into(),
        plastic.card_id.get().into(),
        plastic.sequence_number.into(),
        plastic.event.as_str().into(),
        plastic.status.as_str().into(),
        plastic.expiry.number().into(),
        plastic.marked_at.map(|at| at.timestamp_micros()).into(),
        plastic.cvv_key.as_deref().into(),
        plastic.cvv2_key.as_str().into(),
    ]
}

/// A renewal with its plastic.
struct Made<'a> {
    record_uid: String,
    plastic: Plastic,
    renewal: &'a Renewal,
}

impl Made<'_> {
    /// The columns of [`NEW_REQUESTS`]: only what is marked is made by a house.
    fn request_columns(&self, of: &str) -> Option<Vec<Value>> {
        let marked_at = self.plastic.marked_at?;
        Some(vec![
            self.record_uid.as_str().into(),
            of.into(),
            self.plastic.card_id.get().into(),
            self.plastic.plastic_id.get().into(),
            self.plastic.event.as_str().into(),
            false.into(),
            marked_at.timestamp_micros().into(),
            "OPEN".into(),
        ])
    }

    /// R143: an event for the new plastic, and one for each that it closes.
    fn told(&self, order: &RenewalOrder<'_>) -> Vec<(CardId, &'static str, serde_json::Value)> {
        let Plastic { plastic_id, card_id, sequence_number, event, status, expiry, .. } = &self.plastic;
        let renewed = json!({
            "plasticId": plastic_id, "cardId": card_id, "sequenceNumber": sequence_number, "productionEvent": event,
            "status": status, "expiry": expiry, "predecessorId": self.renewal.predecessor, "runId": order.run_id,
        });
        let closed = self.renewal.closes.iter().map(|(closed, from)| {
            let data = json!({
                "plasticId": closed, "cardId": card_id, "from": from, "to": "CLOSED", "runId": order.run_id,
            });
            (*card_id, "plastic.moved", data)
        });
        std::iter::once((*card_id, "plastic.renewed", renewed)).chain(closed).collect()
    }
}
