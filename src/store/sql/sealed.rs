//! Sealed values: counted by key, read in pages by primary key, replaced by compare-and-set.
//!
//! Invariant: of a sealed value only its head is known here: a 1, the length of the key's id, and the id; the vault's
//! tests and the contract of the store hold both sides to it.

use async_trait::async_trait;

use super::SqlStore;
use super::columns::Columns;
use super::connection::Database;
use super::many::Kind::{self, Bytes, Integer, Text};
use super::many::transposed;
use super::statement::{Call, Row, Statement, statement};
use super::value::Value;
use crate::fault::{self, Point};
use crate::store::{KeyUse, Resealed, Sealed, SealedKind, SealedPlace, SealedRow, StoreError, UsedFor};

/// SQL of the head of a sealed column; NULL where it does not begin like one.
macro_rules! head {
    ($column:literal) => {
        concat!(
            "CASE WHEN substr(",
            $column,
            ", 1, 1) = x'01' AND unicode(CAST(substr(",
            $column,
            ", 2, 1) AS TEXT)) BETWEEN 1 AND 64 THEN substr(",
            $column,
            ", 1, 2 + unicode(CAST(substr(",
            $column,
            ", 2, 1) AS TEXT))) END"
        )
    };
    (postgres $column:literal) => {
        concat!(
            "CASE WHEN octet_length(",
            $column,
            ") < 2 THEN NULL WHEN get_byte(",
            $column,
            ", 0) = 1 AND get_byte(",
            $column,
            ", 1) BETWEEN 1 AND 64 THEN substring(",
            $column,
            " FROM 1 FOR 2 + get_byte(",
            $column,
            ", 1)) END"
        )
    };
}

statement!(
    SEALED_UNDER = sqlite(
        "SELECT 'pan', ",
        head!("pan"),
        ", COUNT(*) FROM card GROUP BY 2
UNION ALL SELECT 'pin', ",
        head!("stored"),
        ", COUNT(*) FROM pin GROUP BY 2
UNION ALL SELECT 'pvv', ",
        head!("pvv"),
        ", COUNT(*) FROM pin WHERE pvv IS NOT NULL GROUP BY 2
UNION ALL SELECT 'fillSeed', ",
        head!("fill_seed"),
        ", COUNT(*) FROM file GROUP BY 2 ORDER BY 1, 2"
    ),
    postgres(
        "SELECT 'pan', ",
        head!(postgres "pan"),
        ", COUNT(*) FROM card GROUP BY 2
UNION ALL SELECT 'pin', ",
        head!(postgres "stored"),
        ", COUNT(*) FROM pin GROUP BY 2
UNION ALL SELECT 'pvv', ",
        head!(postgres "pvv"),
        ", COUNT(*) FROM pin WHERE pvv IS NOT NULL GROUP BY 2
UNION ALL SELECT 'fillSeed', ",
        head!(postgres "fill_seed"),
        ", COUNT(*) FROM file GROUP BY 2 ORDER BY 1, 2"
    )
);
statement!(
    PINNED_TO = "SELECT 'cvv', cvv_key, COUNT(*) FROM plastic WHERE cvv_key IS NOT NULL GROUP BY cvv_key
UNION ALL SELECT 'cvv2', cvv2_key, COUNT(*) FROM plastic GROUP BY cvv2_key
UNION ALL SELECT 'pvv', pvv_key, COUNT(*) FROM pin WHERE pvv_key IS NOT NULL GROUP BY pvv_key
UNION ALL SELECT 'audit', key_id, COUNT(*) FROM audit GROUP BY key_id ORDER BY 1, 2"
);

statement!(
    SEALED_PANS = "SELECT institution, card_id, pan FROM card WHERE (institution, card_id) > ($1, $2)
    ORDER BY institution, card_id LIMIT $3"
);
statement!(
    SEALED_PINS = "SELECT institution, card_id, version, stored FROM pin
    WHERE (institution, card_id, version) > ($1, $2, $3) ORDER BY institution, card_id, version LIMIT $4"
);
statement!(
    SEALED_PVVS = "SELECT institution, card_id, version, pvv FROM pin
    WHERE (institution, card_id, version) > ($1, $2, $3) AND pvv IS NOT NULL
    ORDER BY institution, card_id, version LIMIT $4"
);
statement!(
    SEALED_SEEDS = "SELECT institution, file_id, fill_seed FROM file WHERE file_id > $1 ORDER BY file_id LIMIT $2"
);

// Until the transaction ends: a page is looked up row by row, else each would read the table's key from its beginning.
statement!(
    BY_KEY = sqlite("SELECT 1"),
    postgres("SELECT set_config('enable_mergejoin', 'off', true), set_config('enable_hashjoin', 'off', true)")
);

// A page is locked as far as nobody else holds its rows. Whoever waits for us holds nothing that we want, so no two
// transactions can end each other, whatever the order in which the other one takes its rows.
statement!(
    RESEAL_PANS = sqlite("UPDATE card SET pan = $4 WHERE institution = $1 AND card_id = $2 AND pan = $3"),
    postgres(
        "UPDATE card SET pan = free.anew
  FROM (SELECT c.institution, c.card_id, new.anew
          FROM UNNEST($1::text[], $2::bigint[], $3::bytea[], $4::bytea[]) AS new (institution, card_id, old, anew)
          JOIN card AS c ON c.institution = new.institution AND c.card_id = new.card_id AND c.pan = new.old
           FOR NO KEY UPDATE OF c SKIP LOCKED) AS free
 WHERE card.institution = free.institution AND card.card_id = free.card_id"
    )
);
statement!(
    RESEAL_PINS =
        sqlite("UPDATE pin SET stored = $5 WHERE institution = $1 AND card_id = $2 AND version = $3 AND stored = $4"),
    postgres(
        "UPDATE pin SET stored = free.anew
  FROM (SELECT p.institution, p.card_id, p.version, new.anew
          FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
            AS new (institution, card_id, version, old, anew)
          JOIN pin AS p ON p.institution = new.institution AND p.card_id = new.card_id AND p.version = new.version
               AND p.stored = new.old
           FOR NO KEY UPDATE OF p SKIP LOCKED) AS free
 WHERE pin.institution = free.institution AND pin.card_id = free.card_id AND pin.version = free.version"
    )
);
statement!(
    RESEAL_PVVS =
        sqlite("UPDATE pin SET pvv = $5 WHERE institution = $1 AND card_id = $2 AND version = $3 AND pvv = $4"),
    postgres(
        "UPDATE pin SET pvv = free.anew
  FROM (SELECT p.institution, p.card_id, p.version, new.anew
          FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
            AS new (institution, card_id, version, old, anew)
          JOIN pin AS p ON p.institution = new.institution AND p.card_id = new.card_id AND p.version = new.version
               AND p.pvv = new.old
           FOR NO KEY UPDATE OF p SKIP LOCKED) AS free
 WHERE pin.institution = free.institution AND pin.card_id = free.card_id AND pin.version = free.version"
    )
);
statement!(
    RESEAL_SEEDS = sqlite("UPDATE file SET fill_seed = $3 WHERE file_id = $1 AND fill_seed = $2"),
    postgres(
        "UPDATE file SET fill_seed = free.anew
  FROM (SELECT f.file_id, new.anew
          FROM UNNEST($1::text[], $2::bytea[], $3::bytea[]) AS new (file_id, old, anew)
          JOIN file AS f ON f.file_id = new.file_id AND f.fill_seed = new.old
           FOR NO KEY UPDATE OF f SKIP LOCKED) AS free
 WHERE file.file_id = free.file_id"
    )
);

#[async_trait]
impl Sealed for SqlStore {
    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        let mut snapshot = self.begin_look().await?;
        let mut uses = SEALED_UNDER.call().each(&mut snapshot, sealed_under).await?;
        uses.extend(PINNED_TO.call().each(&mut snapshot, pinned_to).await?);
        snapshot.roll_back().await?;
        Ok(uses)
    }

    async fn sealed(
        &self,
        kind: SealedKind,
        after: Option<&SealedPlace>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let mut call = page_of(kind).call();
        let after = after.map_or_else(|| first_key(kind), key_of);
        for value in after {
            call = call.bind(value);
        }
        call.bind(limit).each(&mut self.reader().await?, |row| sealed_row(kind, row)).await
    }

    async fn reseal(&self, kind: SealedKind, rows: &[Resealed]) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let (statement, kinds) = change_of(kind);
        let rows = rows.iter().map(|Resealed { row, anew }| {
            let mut values = key_of(&row.place);
            values.extend([row.sealed.as_slice().into(), anew.as_slice().into()]);
            values
        });
        let mut transaction = self.begin().await?;
        let changed = match transaction.database() {
            Database::Postgres => {
                BY_KEY.call().row(&mut transaction).await?;
                bound(statement, transposed(kinds, rows.collect())).run(&mut transaction).await?
            }
            Database::Sqlite => {
                let mut changed = 0;
                for values in rows {
                    changed += bound(statement, values).run(&mut transaction).await?;
                }
                changed
            }
        };
        fault::reach(Point::ResealUncommitted);
        transaction.commit().await?;
        fault::reach(Point::ResealCommitted);
        Ok(changed)
    }
}

fn bound(statement: Statement, values: Vec<Value>) -> Call {
    values.into_iter().fold(statement.call(), Call::bind)
}

fn page_of(kind: SealedKind) -> Statement {
    match kind {
        SealedKind::Pan => SEALED_PANS,
        SealedKind::Pin => SEALED_PINS,
        SealedKind::Pvv => SEALED_PVVS,
        SealedKind::FillSeed => SEALED_SEEDS,
    }
}

/// The statement that replaces, and what it takes: the key, the old value, the new one.
fn change_of(kind: SealedKind) -> (Statement, &'static [Kind]) {
    match kind {
        SealedKind::Pan => (RESEAL_PANS, &[Text, Integer, Bytes, Bytes]),
        SealedKind::Pin => (RESEAL_PINS, &[Text, Integer, Integer, Bytes, Bytes]),
        SealedKind::Pvv => (RESEAL_PVVS, &[Text, Integer, Integer, Bytes, Bytes]),
        SealedKind::FillSeed => (RESEAL_SEEDS, &[Text, Bytes, Bytes]),
    }
}

/// What stands before every primary key.
fn first_key(kind: SealedKind) -> Vec<Value> {
    match kind {
        SealedKind::Pan => vec!["".into(), 0_i64.into()],
        SealedKind::Pin | SealedKind::Pvv => vec!["".into(), 0_i64.into(), 0_i64.into()],
        SealedKind::FillSeed => vec!["".into()],
    }
}

/// The primary key of a place.
fn key_of(place: &SealedPlace) -> Vec<Value> {
    match place {
        SealedPlace::Pan { institution, card_id } => vec![institution.as_str().into(), card_id.get().into()],
        SealedPlace::Pin { institution, card_id, version } | SealedPlace::Pvv { institution, card_id, version } => {
            vec![institution.as_str().into(), card_id.get().into(), (*version).into()]
        }
        SealedPlace::FillSeed { file_id, .. } => vec![file_id.to_string().into()],
    }
}

fn sealed_row(kind: SealedKind, row: &Row) -> Result<SealedRow, StoreError> {
    let mut columns = Columns::of(page_of(kind).name, row);
    let institution = columns.parse()?;
    let place = match kind {
        SealedKind::Pan => SealedPlace::Pan { institution, card_id: columns.card_id()? },
        SealedKind::Pin => SealedPlace::Pin { institution, card_id: columns.card_id()?, version: columns.take()? },
        SealedKind::Pvv => SealedPlace::Pvv { institution, card_id: columns.card_id()?, version: columns.take()? },
        SealedKind::FillSeed => SealedPlace::FillSeed { institution, file_id: columns.parse()? },
    };
    Ok(SealedRow { place, sealed: columns.take()? })
}

fn sealed_under(row: &Row) -> Result<KeyUse, StoreError> {
    let mut columns = Columns::of(SEALED_UNDER.name, row);
    let used_for = UsedFor::Sealed(columns.parse()?);
    let head: Option<Vec<u8>> = columns.take()?;
    let key_id = head.and_then(|head| String::from_utf8(head.get(2..)?.to_vec()).ok());
    Ok(KeyUse { key_id, used_for, rows: columns.number()? })
}

fn pinned_to(row: &Row) -> Result<KeyUse, StoreError> {
    let mut columns = Columns::of(PINNED_TO.name, row);
    let used_for = match columns.take::<&str>()? {
        "cvv" => UsedFor::Cvv,
        "cvv2" => UsedFor::Cvv2,
        "pvv" => UsedFor::Pvv,
        _ => UsedFor::Audit,
    };
    Ok(KeyUse { key_id: columns.take()?, used_for, rows: columns.number()? })
}
