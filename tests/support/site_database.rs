//! The database of a site, looked at and meddled with as a person with a shell might.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::{Site, at};

/// One row of the file table, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    pub file_id: String,
    pub institution: String,
    pub manufacturer: String,
    pub sequence_number: i64,
    pub state: String,
    pub sha256: Option<String>,
    pub file_name: Option<String>,
    pub attempt: i64,
}

impl Site {
    /// Runs a statement on the database, as a person with a shell might.
    pub async fn sql(&self, statement: &str) {
        self.try_sql(statement).await.expect("executed");
    }

    /// Runs a statement that the database may refuse.
    pub async fn try_sql(&self, statement: &str) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut self.connect().await).await.map(drop)
    }

    /// Marks one more plastic of a card by hand, as no order would: the card's next number, its expiry.
    pub async fn mark_plastic(&self, card: u32, event: &str, marked_at: &str) {
        let marked_at = at(marked_at).timestamp_micros();
        self.sql(&format!(
            "INSERT INTO plastic (institution, plastic_id, card_id, sequence_number, event, status, expiry, marked_at,
                cvv_key, cvv2_key)
             SELECT institution, (SELECT MAX(plastic_id) + 1 FROM plastic), card_id, MAX(sequence_number) + 1, '{event}',
                'INACTIVE', expiry, {marked_at}, cvv_key, cvv2_key
             FROM plastic WHERE card_id = {card} GROUP BY card_id"
        ))
        .await;
        self.sql(&format!(
            "INSERT INTO production_request (record_uid, institution, card_id, plastic_id, event, reproduction, marked_at,
                state)
             SELECT '{}', institution, card_id, plastic_id, '{event}', 0, {marked_at}, 'OPEN'
             FROM plastic WHERE card_id = {card} ORDER BY sequence_number DESC LIMIT 1",
            self.random.uuid()
        ))
        .await;
    }

    /// The single number a query gives.
    pub async fn number(&self, query: &str) -> i64 {
        let row = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_one(&mut self.connect().await).await;
        row.expect("a row").get(0)
    }

    /// The first column of every row, as text.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_all(&mut self.connect().await).await;
        rows.expect("rows").iter().map(|row| row.get(0)).collect()
    }

    async fn connect(&self) -> sqlx::SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path("emboss.db"));
        options.connect().await.expect("the database opens")
    }

    /// `(sequence number, status)` of a card's plastics.
    pub async fn plastics(&self, card: u32) -> Vec<(i64, String)> {
        let query = format!("SELECT sequence_number, status FROM plastic WHERE card_id = {card} ORDER BY 1");
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut self.connect().await).await.expect("rows");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The status of a card's first plastic.
    pub async fn status(&self, card: u32) -> String {
        self.plastics(card).await[0].1.clone()
    }

    /// Every file, by agreement and number.
    pub async fn files(&self) -> Vec<FileState> {
        let query = "SELECT f.file_id, institution, manufacturer, sequence_number, f.state, sha256, file_name,
            COALESCE(d.attempt, 0) FROM file AS f LEFT JOIN delivery AS d USING (file_id, delivery_number)
            ORDER BY institution, manufacturer, sequence_number";
        let rows = sqlx::query(query).fetch_all(&mut self.connect().await).await.expect("rows");
        let file = |row: &sqlx::sqlite::SqliteRow| FileState {
            file_id: row.get(0),
            institution: row.get(1),
            manufacturer: row.get(2),
            sequence_number: row.get(3),
            state: row.get(4),
            sha256: row.get(5),
            file_name: row.get(6),
            attempt: row.get(7),
        };
        rows.iter().map(file).collect()
    }

    /// The states of every file, by agreement and number.
    pub async fn states(&self) -> Vec<String> {
        self.files().await.into_iter().map(|file| file.state).collect()
    }

    /// The data of the events of a kind, in order.
    pub async fn events(&self, kind: &str) -> Vec<Value> {
        let texts = self.texts(&format!("SELECT data FROM event WHERE kind = '{kind}' ORDER BY number")).await;
        texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
    }

    /// Rows of every table, to see whether anything was written.
    pub async fn row_counts(&self) -> BTreeMap<String, i64> {
        let tables = self.texts("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").await;
        let mut counts = BTreeMap::new();
        for table in tables {
            let count = self.number(&format!("SELECT COUNT(*) FROM \"{table}\"")).await;
            counts.insert(table, count);
        }
        counts
    }
}
