//! Every plastic, in a stable order: for the demo and golden files.

use super::SqlStore;
use super::columns::{Columns, plastic_json};
use super::statement::{Row, statement};
use crate::card::InstitutionId;
use crate::store::{PlasticRow, StoreError};

// The rest of a card follows the card, so a page may end in the middle of none: `after` names the last plastic.
statement!(
    PLASTICS_AFTER = sqlite(
        "SELECT p.institution, p.card_id, ",
        plastic_json!(),
        " FROM plastic AS p
    WHERE ($1 IS NULL OR (p.institution, p.card_id, p.sequence_number) > ($1,
        (SELECT card_id FROM plastic WHERE institution = $1 AND plastic_id = $2),
        (SELECT sequence_number FROM plastic WHERE institution = $1 AND plastic_id = $2)))
    ORDER BY p.institution, p.card_id, p.sequence_number LIMIT $3"
    ),
    postgres(
        "SELECT p.institution, p.card_id, ",
        plastic_json!(postgres),
        " FROM plastic AS p
    WHERE ($1 IS NULL OR (p.institution, p.card_id, p.sequence_number) > ($1,
        (SELECT card_id FROM plastic WHERE institution = $1 AND plastic_id = $2),
        (SELECT sequence_number FROM plastic WHERE institution = $1 AND plastic_id = $2)))
    ORDER BY p.institution, p.card_id, p.sequence_number LIMIT $3"
    )
);

/// A page of plastics by institution, card and sequence number; `after` is institution and plastic id of the last one.
pub(super) async fn page(
    store: &SqlStore,
    after: Option<(InstitutionId, i64)>,
    limit: u32,
) -> Result<Vec<PlasticRow>, StoreError> {
    let (institution, plastic_id) = after.unzip();
    let call = PLASTICS_AFTER.call().bind(institution.map(String::from)).bind(plastic_id).bind(limit);
    let take = |row: &Row| {
        let mut columns = Columns::of("plastic", row);
        let institution = columns.parse()?;
        let card_id = columns.card_id()?;
        Ok(PlasticRow { institution, plastic: columns.plastic(card_id)? })
    };
    call.each(&mut store.reader().await?, take).await
}
