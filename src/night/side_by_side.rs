//! The agreements of a run, several at once; the report keeps the order of the configuration whatever ends first.
//!
//! Invariants: what goes wrong with one agreement alone never stops another (R11, fault 29): one that rests between two
//! tries at its house leaves its place among `run.agreements_at_once` to the next; what stops the run stops every
//! agreement at its next transition, and none is left in the middle of a write (faults 11, 30).
//!
//! Why tasks: composing is work for the processor, so waiting together on one thread would not make it faster.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
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

impl Turn {
    /// The agreement's share, its place kept until the end.
    async fn worked_on(self, run: Arc<Run>, place: OwnedSemaphorePermit) -> (usize, Result<Share, NightError>) {
        let share = self.night.agreement(&run, self.terms, self.left_over).await;
        drop(place);
        (self.place, share)
    }
}

impl Run {
    /// Waits while another agreement may have the place: a house that does not answer delays nobody (fault 29).
    pub(super) async fn without_a_place<T>(&self, waits: impl Future<Output = T>) -> T {
        self.places.add_permits(1);
        let waited = waits.await;
        // Never closed, so that this only waits.
        if let Ok(place) = self.places.acquire().await {
            place.forget();
        }
        waited
    }
}

impl Night {
    /// Works on every agreement the order admits, at most so many at once as configured.
    pub(super) async fn side_by_side(&self, run: &Arc<Run>, unfinished: &[FileRow]) -> Result<Vec<Share>, NightError> {
        let mut waiting = self.turns(run, unfinished).into_iter();
        let (mut at_work, mut done, mut failed) = (JoinSet::new(), BTreeMap::new(), None);
        while !at_work.is_empty() || (failed.is_none() && waiting.len() > 0) {
            tokio::select! {
                biased;
                Ok(place) = Arc::clone(&run.places).acquire_owned(), if failed.is_none() && waiting.len() > 0 => {
                    at_work.extend(waiting.next().map(|turn| turn.worked_on(Arc::clone(run), place)));
                }
                Some(ended) = at_work.join_next() => match outcome_of(ended) {
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
