//! The last probe of each destination.

use async_trait::async_trait;

use super::SqlStore;
use super::columns::Columns;
use super::statement::statement;
use crate::store::{ProbeRow, Probes, StoreError};

statement!(
    SAVE_PROBE = "INSERT INTO probe (destination, at, identity, answers) VALUES ($1, $2, $3, $4)
    ON CONFLICT (destination)
    DO UPDATE SET at = excluded.at, identity = excluded.identity, answers = excluded.answers"
);
statement!(PROBE = "SELECT at, identity, answers FROM probe WHERE destination = $1");

#[async_trait]
impl Probes for SqlStore {
    async fn save_probe(&self, probe: &ProbeRow) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let call = SAVE_PROBE.call().bind(probe.destination.as_str()).bind(probe.at.timestamp_micros());
        call.bind(probe.identity.as_str()).bind(probe.answers.as_str()).run(&mut transaction).await?;
        transaction.commit().await
    }

    async fn probe(&self, destination: &str) -> Result<Option<ProbeRow>, StoreError> {
        let row = PROBE.call().bind(destination).row(&mut self.reader().await?).await?;
        row.map(|row| {
            let mut columns = Columns::of("probe", &row);
            Ok(ProbeRow {
                destination: destination.to_owned(),
                at: columns.instant()?,
                identity: columns.take()?,
                answers: columns.take()?,
            })
        })
        .transpose()
    }
}
