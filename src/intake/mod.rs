//! Applies orders through the store: each line is answered by one line, in order, once its transaction is durable.
//!
//! Invariants: a refused line changes nothing and stops nothing; an order is refused before its first write; a
//! taken order's id is answered the same way for ever; memory does not grow with the number of lines. Why batches: one
//! durable commit costs as much as hundreds of orders.

mod answer;
mod apply;
mod card_number;
mod catalogue;
mod change_card;
mod lines;
mod making;
mod marking;
mod new_card;
mod physical;
mod pin_letter;
mod plastics;
mod reissue;
mod replace;
mod set_pin;

use std::io::{self, BufRead, Write};

use serde::Serialize;

pub use crate::order::{JweKeyError, JweKeys};
pub use answer::{Answer, Notice, NoticeCode};
pub use catalogue::{Catalogue, Offer};

use crate::ambient::{Clock, Random};
use crate::order::envelope::too_long;
use crate::order::{
    ApiError, Envelope, ErrorCode, Operation, Order, OrderId, PlasticReference, Refusal, Unreadable, UpdatePlastic,
};
use crate::store::{IntakeWork, OrderSubject, Store, StoreError, StoredAnswer};
use crate::vault::Vault;
use answer::Numbered;
use lines::{Line, Lines};

/// Most lines of one transaction.
const BATCH_LINES: usize = 500;
/// Most bytes of one transaction's lines, so that a batch of the longest lines stays small too.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How often a batch starts over where a run writes what it reads. None of it was answered yet.
const RESTARTS: u32 = 20;

/// Why an import stopped before the end of its input. What was answered is durable; import the same input again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The input cannot be read.
    #[error("the orders cannot be read after line {line}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// What the source said.
        source: io::Error,
    },
    /// An answer cannot be written.
    #[error("the answers cannot be written")]
    Write(#[source] io::Error),
    /// The database did not do what was asked; nothing of the batch was kept.
    #[error(
        "the database did not take the orders up to line {line}; none of the last lines without an answer was kept"
    )]
    Store {
        /// The line it stopped at.
        line: u64,
        /// What the store said.
        source: StoreError,
    },
}

/// How many lines were answered how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportSummary {
    /// Carried out.
    pub taken: u64,
    /// Carried out before, answered the same again.
    pub repeated: u64,
    /// Refused.
    pub refused: u64,
}

/// Takes orders in.
#[derive(Debug, Clone, Copy)]
pub struct Importer<'a> {
    store: &'a dyn Store,
    vault: &'a Vault,
    catalogue: &'a Catalogue,
    jwe: &'a JweKeys,
    clock: &'a dyn Clock,
    random: &'a Random,
}

/// Why an order was not carried out: its own fault, or the database's.
#[derive(Debug)]
enum Failure {
    Refused(Refusal),
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'a> Importer<'a> {
    /// An importer over open adapters.
    pub fn new(
        store: &'a dyn Store,
        vault: &'a Vault,
        catalogue: &'a Catalogue,
        jwe: &'a JweKeys,
        clock: &'a dyn Clock,
        random: &'a Random,
    ) -> Self {
        Self { store, vault, catalogue, jwe, clock, random }
    }

    /// Takes every line of `reader` and writes its answer to `answers` once it is durable. `progress` is called with
    /// the number of the last line answered.
    ///
    /// # Errors
    /// [`IntakeError`]: input, output or database stopped. A refused order is an answer, not an error.
    pub async fn import(
        &self,
        reader: impl BufRead,
        answers: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ImportSummary, IntakeError> {
        let mut lines = Lines::new(reader);
        let mut summary = ImportSummary::default();
        loop {
            let batch = read_batch(&mut lines)?;
            let Some(last) = batch.last() else { return Ok(summary) };
            let last = last.number;
            let text = self.take_batch(&batch, &mut summary).await?;
            answers.write_all(text.as_bytes()).and_then(|()| answers.flush()).map_err(IntakeError::Write)?;
            progress(last);
        }
    }

    /// The answers to a batch, which starts over where somebody else wrote at the same time: an order is decided on one
    /// state of the database.
    async fn take_batch(&self, batch: &[Line], summary: &mut ImportSummary) -> Result<String, IntakeError> {
        for _ in 0..RESTARTS {
            match self.try_batch(batch, summary).await {
                Err(IntakeError::Store { line, source }) if source.is_conflict() => {
                    tracing::debug!("the orders up to line {line} start over: {source}");
                }
                done => return done,
            }
        }
        self.try_batch(batch, summary).await
    }

    /// One transaction: every line's answer, in order, after the commit.
    async fn try_batch(&self, batch: &[Line], summary: &mut ImportSummary) -> Result<String, IntakeError> {
        let first = batch.first().map_or(0, |line| line.number);
        let mut work = self.store.intake().await.map_err(|source| IntakeError::Store { line: first, source })?;
        let mut text = String::new();
        let mut counted = *summary;
        let mut at = first;
        for line in batch {
            at = line.number;
            let answered = self.take_line(work.as_mut(), line, &mut counted).await;
            text += &answered.map_err(|source| IntakeError::Store { line: at, source })?;
            text.push('\n');
        }
        work.commit().await.map_err(|source| IntakeError::Store { line: at, source })?;
        *summary = counted;
        Ok(text)
    }

    async fn take_line(
        &self,
        work: &mut dyn IntakeWork,
        line: &Line,
        summary: &mut ImportSummary,
    ) -> Result<String, StoreError> {
        let read = match &line.bytes {
            Some(bytes) => Envelope::read(bytes),
            None => Err(Unreadable::from(too_long())),
        };
        let envelope = match read {
            Ok(envelope) => envelope,
            Err(Unreadable { order_id, refusal }) => {
                summary.refused += 1;
                return Ok(self.refused(line.number, order_id.as_ref(), &refusal));
            }
        };
        let order_id = envelope.order_id.clone();
        match self.take_envelope(work, envelope).await {
            Ok((answer, false)) => {
                summary.taken += 1;
                Ok(numbered(line.number, &answer))
            }
            Ok((answer, true)) => {
                summary.repeated += 1;
                Ok(numbered(line.number, &answer))
            }
            Err(Failure::Refused(refusal)) => {
                summary.refused += 1;
                Ok(self.refused(line.number, Some(&order_id), &refusal))
            }
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// The answer, and whether it is one that was given before.
    async fn take_envelope(&self, work: &mut dyn IntakeWork, envelope: Envelope) -> Result<(Answer, bool), Failure> {
        let mac = self.vault.order_mac(envelope.canonical().as_bytes());
        let (institution, order_id) = (envelope.institution.clone(), envelope.order_id.clone());
        if let Some(stored) = work.answer(&institution, order_id.as_str()).await? {
            return Ok((repeat(&stored, &mac, &order_id)?, true));
        }
        let order = envelope.order(self.clock.now())?;
        let answer = self.apply(work, &order).await?;
        let stored = StoredAnswer { content_mac: mac.to_vec(), answer: json(&answer) };
        let subject = subject_of(work, &order, &answer).await?;
        work.save_answer(&institution, order_id.as_str(), &stored, &subject).await?;
        Ok((answer, false))
    }

    fn refused(&self, line: u64, order_id: Option<&OrderId>, refusal: &Refusal) -> String {
        numbered(line, &ApiError::new(order_id, refusal, self.random.uuid(), self.clock.now()))
    }
}

/// What the order was about, for who asks later why.
async fn subject_of(work: &mut dyn IntakeWork, order: &Order, answer: &Answer) -> Result<OrderSubject, StoreError> {
    let card_id = match &order.operation {
        Operation::UpdatePlastic(UpdatePlastic { plastic: PlasticReference::Id(id), .. }) => {
            work.plastic(&order.institution, *id).await?.map(|plastic| plastic.card_id)
        }
        operation => operation.named_card().or(answer.card_id),
    };
    Ok(OrderSubject { op: order.operation.name().as_str(), at: order.at, card_id })
}

fn read_batch<R: BufRead>(lines: &mut Lines<R>) -> Result<Vec<Line>, IntakeError> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
        let line = lines.next().map_err(|source| IntakeError::Read { line: lines.number(), source })?;
        let Some(line) = line else { break };
        bytes += line.bytes.as_ref().map_or(0, Vec::len);
        batch.push(line);
    }
    Ok(batch)
}

/// The answer that was given before; other content under the same id is refused.
fn repeat(stored: &StoredAnswer, mac: &[u8; 32], order_id: &OrderId) -> Result<Answer, Failure> {
    if stored.content_mac != mac {
        let reason = format!("order {} was taken before with other content", order_id.as_str());
        return Err(ErrorCode::OrderIdReused.because(reason).into());
    }
    serde_json::from_str(&stored.answer).map_err(|error| {
        let what = format!("order_answer {}", order_id.as_str());
        StoreError::Corrupt { what, reason: error.to_string() }.into()
    })
}

fn numbered(line: u64, answer: &impl Serialize) -> String {
    json(&Numbered { line, answer })
}

fn json(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "Safe because: answers are structs of texts and numbers with text keys")]
    serde_json::to_string(value).expect("an answer is JSON")
}
