//! Ids this program assigns: one after another per institution and kind, passing over what the platform has assigned itself.

use super::columns::Columns;
use super::connection::{Connection, Database};
use super::statement::{Row, statement};
use super::{SqlStore, corrupt, guarded, intake_statements as sql};
use crate::card::{InstitutionId, PlasticId};
use crate::store::{IdKind, StoreError};

statement!(ADD_IDS = "UPDATE id_counter SET last = last + $3 WHERE institution = $1 AND kind = $2 RETURNING last");
statement!(USED_PLASTICS = "SELECT plastic_id FROM plastic WHERE institution = $1 AND plastic_id BETWEEN $2 AND $3");

/// The next id of a kind that is not used.
pub(super) async fn next(connection: &mut Connection, of: &InstitutionId, kind: IdKind) -> Result<i64, StoreError> {
    let (next, last_used) = sql::next_id(kind);
    loop {
        let row = next.call().bind(of.as_str()).bind(kind.as_str()).row(connection).await?;
        let row = row.ok_or_else(|| corrupt("id_counter", "it gave no number"))?;
        let mut columns = Columns::of("id_counter", &row);
        let id: i64 = columns.take()?;
        let last = match connection.database() {
            Database::Postgres => columns.take()?,
            Database::Sqlite => {
                let used = last_used.call().bind(of.as_str()).bind(id).row(connection).await?;
                used.map(|used| Columns::of(kind.as_str(), &used).take::<i64>()).transpose()?
            }
        };
        let Some(last) = last else { return Ok(id) };
        // The platform's own ids stand here: on behind all that follow each other, in one step.
        let call = sql::SET_LAST_ID.call().bind(of.as_str()).bind(kind.as_str()).bind(last);
        guarded(call.run(connection).await?, || "id_counter".to_owned(), "its row is gone")?;
    }
}

/// Ids for so many plastics, in a transaction of their own: whoever waits for the counter waits a moment only, and what is
/// not used in the end leaves a gap that nobody fills.
pub(super) async fn for_plastics(
    store: &SqlStore,
    of: &InstitutionId,
    count: usize,
) -> Result<Vec<PlasticId>, StoreError> {
    let mut transaction = store.begin().await?;
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let first = next(&mut transaction, of, IdKind::Plastic).await?;
        let missing = (count - ids.len()).cast_signed() as i64 - 1;
        let call = ADD_IDS.call().bind(of.as_str()).bind(IdKind::Plastic.as_str()).bind(missing);
        let row = call.row(&mut transaction).await?.ok_or_else(|| corrupt("id_counter", "its row is gone"))?;
        let last: i64 = Columns::of("id_counter", &row).take()?;
        let call = USED_PLASTICS.call().bind(of.as_str()).bind(first).bind(last);
        let used = call.each(&mut transaction, |row: &Row| Columns::of("plastic", row).take::<i64>()).await?;
        let used: std::collections::BTreeSet<i64> = used.into_iter().collect();
        for id in (first..=last).filter(|id| !used.contains(id)) {
            let id = PlasticId::new(id);
            ids.push(id.ok_or_else(|| corrupt("id_counter", "it gave a number of more than 18 digits"))?);
        }
    }
    transaction.commit().await?;
    Ok(ids)
}
