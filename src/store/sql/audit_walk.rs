//! The audit verified: the chain from its first entry to its newest, then every file and every report against it.
//!
//! Invariants: all of it is one state of the database, so that who is at work meanwhile is not taken for an intruder; a page
//! at a time. Why the state of a file besides its items: where the newest entries were cut off, what they told of is there.

use std::str::FromStr;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::columns::Columns;
use super::connection::Connection;
use super::statement::{Row, Statement, statement};
use super::{SqlStore, audit, items};
use crate::card::{FileId, RunId};
use crate::chain::{ChainKeys, Head, Walk};
use crate::settlement::FileState;
use crate::store::{AuditVerdict, RowFault, StoreError};

statement!(
    STANDING_FILES = "SELECT f.file_id,
    CASE WHEN f.state = 'SETTLED' AND d.state IN ('SENDING', 'READY', 'RENAMING', 'UNCERTAIN') THEN d.state ELSE f.state END,
    f.institution, f.manufacturer, f.sequence_number, f.file_name, f.sha256, f.records
  FROM file AS f
  LEFT JOIN delivery AS d ON d.file_id = f.file_id AND d.delivery_number = f.delivery_number
 WHERE f.file_id > $1 ORDER BY f.file_id LIMIT $2"
);
statement!(
    ENTRY_OF_FILE = "SELECT number, data FROM audit WHERE subject = $1 AND data LIKE '%\"itemsSha256\":%'
    ORDER BY number DESC LIMIT 1"
);
statement!(
    FILES_GONE = "SELECT a.subject, MAX(a.number) FROM audit AS a
 WHERE a.subject > $1 AND a.data LIKE '%\"itemsSha256\":%'
   AND NOT EXISTS (SELECT 1 FROM file AS f WHERE f.file_id = a.subject)
 GROUP BY a.subject ORDER BY a.subject LIMIT $2"
);
statement!(
    RUNS_GONE = "SELECT a.subject, MAX(a.number) FROM audit AS a
 WHERE a.subject > $1 AND a.action IN ('run.begun', 'run.ended')
   AND NOT EXISTS (SELECT 1 FROM run AS r
     WHERE r.run_id = a.subject AND (a.action = 'run.begun' OR r.ended_at IS NOT NULL))
 GROUP BY a.subject ORDER BY a.subject LIMIT $2"
);
statement!(
    ENDED_RUNS = "SELECT run_id, exit_code, report FROM run WHERE run_id > $1 AND ended_at IS NOT NULL
    ORDER BY run_id LIMIT $2"
);
statement!(
    ENTRY_OF_END =
        "SELECT number, data FROM audit WHERE subject = $1 AND action = 'run.ended' ORDER BY number DESC LIMIT 1"
);

/// Rows read at once.
const PAGE: u32 = 1_000;
/// More faults are counted, not told one by one.
const TOLD_MOST: usize = 100;

/// Verifies everything.
pub(super) async fn verify(store: &SqlStore, keys: &ChainKeys, kept: &[Head]) -> Result<AuditVerdict, StoreError> {
    let mut transaction = store.begin_look().await?;
    let mut verification = Verification { connection: &mut transaction, verdict: AuditVerdict::default() };
    verification.walk(keys, kept).await?;
    verification.files().await?;
    verification.runs().await?;
    verification.gone(&FILES_GONE, |file_id, number| RowFault::FileGone { file_id, number }).await?;
    verification.gone(&RUNS_GONE, |run_id, number| RowFault::RunGone { run_id, number }).await?;
    Ok(verification.verdict)
}

struct Verification<'a> {
    connection: &'a mut Connection,
    verdict: AuditVerdict,
}

impl Verification<'_> {
    async fn walk(&mut self, keys: &ChainKeys, kept: &[Head]) -> Result<(), StoreError> {
        let mut walk = Walk::new(keys, kept);
        let mut after = i64::MIN;
        loop {
            let page = audit::page(self.connection, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            for row in &page {
                walk.step(&row.entry(), &row.key_id, &row.mac);
            }
        }
        self.verdict.chain = walk.finish();
        Ok(())
    }

    async fn files(&mut self) -> Result<(), StoreError> {
        let take = |row: &Row| {
            let mut columns = Columns::of("file", row);
            Ok((columns.parse::<FileId>()?, columns.parse::<FileState>()?, known(&mut columns)?))
        };
        let mut after = String::new();
        loop {
            let page = STANDING_FILES.call().bind(after).bind(PAGE).each(self.connection, take).await?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = last.to_string();
            for (file_id, state, known) in page {
                self.file(file_id, state, &known).await?;
            }
        }
    }

    async fn file(&mut self, file_id: FileId, found: FileState, known: &Value) -> Result<(), StoreError> {
        self.verdict.files += 1;
        let newest = ENTRY_OF_FILE.call().bind(file_id.to_string()).row(self.connection).await?;
        let Some((number, data)) = newest.as_ref().map(entry).transpose()? else {
            self.find(RowFault::FileNotEntered { file_id });
            return Ok(());
        };
        let digest = items::digest(self.connection, file_id).await?;
        self.verdict.items += digest.count;
        // One with the place of another would be passed over at the edge of a page.
        let all = items::counts(self.connection, file_id).await?.records;
        if data["itemsSha256"] != digest.sha256.as_str() || all != digest.count {
            self.find(RowFault::Items { file_id, number });
        }
        if data["state"] != found.as_str() {
            let entered = data["state"].as_str().unwrap_or("nothing").to_owned();
            self.find(RowFault::State { file_id, number, found, entered });
        }
        if known.as_object().is_some_and(|known| known.iter().any(|(name, value)| data[name] != *value)) {
            self.find(RowFault::File { file_id, number });
        }
        Ok(())
    }

    async fn runs(&mut self) -> Result<(), StoreError> {
        let take = |row: &Row| {
            let mut columns = Columns::of("run", row);
            let (run_id, exit_code): (RunId, Option<i64>) = (columns.parse()?, columns.take()?);
            Ok((run_id, exit_code, digest_of(columns.take::<Option<&str>>()?.unwrap_or_default())))
        };
        let mut after = String::new();
        loop {
            let page = ENDED_RUNS.call().bind(after).bind(PAGE).each(self.connection, take).await?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = last.to_string();
            for (run_id, exit_code, sha256) in page {
                self.verdict.runs += 1;
                let newest = ENTRY_OF_END.call().bind(run_id.to_string()).row(self.connection).await?;
                match newest.as_ref().map(entry).transpose()? {
                    None => self.find(RowFault::RunNotEntered { run_id }),
                    Some((_, data)) if data["reportSha256"] == sha256 && data["exitCode"].as_i64() == exit_code => {}
                    Some((number, _)) => self.find(RowFault::RunReport { run_id, number }),
                }
            }
        }
    }

    /// Rows that entries tell of and that are not there. A subject that is no id was changed, and the walk has told so.
    async fn gone<I: FromStr>(
        &mut self,
        gone: &'static Statement,
        fault: impl Fn(I, i64) -> RowFault,
    ) -> Result<(), StoreError> {
        let take = |row: &Row| {
            let mut columns = Columns::of("audit", row);
            Ok((columns.take::<&str>()?.to_owned(), columns.take()?))
        };
        let mut after = String::new();
        loop {
            let page = gone.call().bind(after).bind(PAGE).each(self.connection, take).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = last.clone();
            for (subject, number) in page {
                if let Ok(id) = subject.parse() {
                    self.find(fault(id, number));
                }
            }
        }
    }

    fn find(&mut self, fault: RowFault) {
        if self.verdict.faults.len() < TOLD_MOST {
            self.verdict.faults.push(fault);
        } else {
            self.verdict.more += 1;
        }
    }
}

/// What every entry about a file repeats of it, under the entry's names; of its sealed bytes once it has some, because an
/// order that takes them back tells what they were.
fn known(columns: &mut Columns<'_>) -> Result<Value, StoreError> {
    let (institution, manufacturer, number) =
        (columns.take::<&str>()?, columns.take::<&str>()?, columns.take::<i64>()?);
    let mut known = json!({ "institution": institution, "manufacturer": manufacturer, "sequenceNumber": number });
    let (name, sha256, records) =
        (columns.take::<Option<&str>>()?, columns.take::<Option<&str>>()?, columns.take::<Option<i64>>()?);
    if sha256.is_some() {
        known["fileName"] = json!(name);
        known["sha256"] = json!(sha256);
        known["records"] = json!(records);
    }
    Ok(known)
}

/// Number and content. What is no JSON was changed, and the walk has told so: it says nothing.
fn entry(row: &Row) -> Result<(i64, Value), StoreError> {
    let mut columns = Columns::of("audit", row);
    Ok((columns.take()?, serde_json::from_str(columns.take()?).unwrap_or_default()))
}

/// Of a text, in lower-case hexadecimal.
pub(super) fn digest_of(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
