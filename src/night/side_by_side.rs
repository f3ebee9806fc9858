//! The agreements of a run, several at once; the report keeps the order of the configuration whatever ends first.
//!
//! Invariants: what goes wrong with one agreement alone never stops another, and delays it by nothing but the place it
//! keeps among `run.agreements_at_once` (R11, fault 29); what stops the run stops every agreement at its next transition,
//! and none is left in the middle of a write (faults 11, 30).
//!
//! Why tasks: composing is work for the processor, so waiting together on one thread would not make it faster.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::agreement::Share;
use super::{Night, NightError, Run, belongs};
use crate::agreement::Terms;
use crate::store::FileRow;

/// One agreement that is to be worked on, with a night of its own.
struct Turn {
    place: usize,
    night: Night,
    terms: Arc<Terms>,
    left_over: Vec<FileRow>,
}

impl Night {
    /// Works on every agreement the order admits, at most so many at once as configured.
    pub(super) async fn side_by_side(&self, run: &Arc<Run>, unfinished: &[FileRow]) -> Result<Vec<Share>, NightError> {
        let mut waiting = self.turns(run, unfinished).into_iter();
        let (mut at_work, mut done, mut failed) = (JoinSet::new(), BTreeMap::new(), None);
        loop {
            while failed.is_none() && at_work.len() < self.settings.agreements_at_once.max(1) {
                let Some(turn) = waiting.next() else { break };
                let run = Arc::clone(run);
                at_work
                    .spawn(async move { (turn.place, turn.night.agreement(&run, turn.terms, turn.left_over).await) });
            }
            match at_work.join_next().await {
                None => break,
                Some(ended) => match outcome_of(ended) {
                    Ok((place, share)) => drop(done.insert(place, share)),
                    Err(error) => {
                        run.halt();
                        failed = Some(weightier(failed, error));
                    }
                },
            }
        }
        failed.map_or_else(|| Ok(done.into_values().collect()), Err)
    }

    /// Each agreement in its turn. All but the first draw from a source of their own, made before any of them begins:
    /// what a seeded run gives does not depend on who is faster.
    fn turns(&self, run: &Run, unfinished: &[FileRow]) -> Vec<Turn> {
        let admitted =
            self.terms.iter().filter(|terms| run.order.admits(&terms.institution.id, &terms.manufacturer.code));
        let turn = |(place, terms): (usize, &Terms)| Turn {
            place,
            night: if place == 0 { self.clone() } else { self.with_random_of_its_own() },
            terms: Arc::new(terms.clone()),
            left_over: unfinished.iter().filter(|file| belongs(file, terms)).cloned().collect(),
        };
        admitted.enumerate().map(turn).collect()
    }

    fn with_random_of_its_own(&self) -> Self {
        let random = Arc::new(self.random.fork());
        Self { vault: Arc::new(self.vault.with_random(&random)), random, ..self.clone() }
    }
}

/// A panic in one agreement stops the run, whose files can be resumed.
fn outcome_of(ended: Result<(usize, Result<Share, NightError>), JoinError>) -> Result<(usize, Share), NightError> {
    let (place, outcome) = ended.map_err(|_| NightError::Interrupted)?;
    Ok((place, outcome?))
}

/// Of two errors the one that says why: the others were only told to stop.
pub(super) fn weightier(known: Option<NightError>, new: NightError) -> NightError {
    match known {
        Some(known) if matches!(new, NightError::Interrupted) || !matches!(known, NightError::Interrupted) => known,
        _ => new,
    }
}
