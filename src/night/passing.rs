//! The files of an agreement on their way: one is made while the one before it is sent.
//!
//! Invariants: files are published in sequence order; behind one that is still on its way none is (R136), behind an
//! uncertain one they go on. Memory and spool stay flat: at most one file is being made, one waits and one is being
//! sent, and where one is stuck only a few more are sealed behind it; the others stay CLAIMED for the next run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::agreement::{Share, Usable};
use super::deliver::Goal;
use super::error::Trouble;
use super::fallout::{BadLimit, Fallouts, Making};
use super::observe::{Laps, Stage};
use super::side_by_side::weightier;
use super::{Night, NightError, Run, people};
use crate::agreement::Terms;
use crate::delivery::RetryClass;
use crate::fault::{self, Point};
use crate::report::Alert;
use crate::selection::Tally;
use crate::settlement::FileState;
use crate::spool::SealedFile;
use crate::store::FileRow;

/// Sealed files that may wait for the one before them to be sent.
const WAITING: usize = 1;
/// Sealed files that cannot go tonight, after which no further one is made.
const MOST_STUCK: usize = 2;

/// What a file is to the night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its plastics move when it is settled.
    Nights,
    /// A duplicate: a new file that moves nothing.
    Duplicate,
    /// Settled before and on its way once more: it waits for no other file, and none waits for it.
    Resend,
}

impl Kind {
    /// As it stands before anything is done with it.
    fn of(file: &FileRow) -> Self {
        match file.settled_at {
            Some(_) => Self::Resend,
            None if file.is_apart() => Self::Duplicate,
            None => Self::Nights,
        }
    }
}

/// A file between being made and being sent.
struct Passing {
    file: FileRow,
    kind: Kind,
    laps: Laps,
    fallouts: Fallouts,
    made: Made,
}

/// What making a file came to.
enum Made {
    /// Bytes to be sent.
    Sealed(SealedFile),
    /// The house has them: only the plastics are left to move.
    Published,
    /// It could not be made.
    Failed(Trouble),
    /// Left as it was, behind one that failed.
    Untouched,
}

/// A file at the end of its way tonight.
pub(super) struct Passed {
    pub(super) file: FileRow,
    pub(super) kind: Kind,
    pub(super) durations_ms: BTreeMap<&'static str, i64>,
    pub(super) fallouts: Fallouts,
    pub(super) alerts: Vec<Alert>,
    /// What went wrong.
    pub(super) why: Option<String>,
}

/// How far the next file may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To settlement.
    Open,
    /// Up to a complete temporary file: one before it is not published.
    UpToReady,
    /// Nowhere: the house cannot be talked to tonight.
    Shut,
}

impl Night {
    /// Takes files, in sequence order, as far as they go; they are in the share's report either way.
    pub(super) async fn pass(
        &self,
        run: &Arc<Run>,
        share: &mut Share,
        files: Vec<(FileRow, Laps)>,
        sealer: &Usable,
        limit: &mut BadLimit<'_>,
    ) -> Result<(), NightError> {
        let (door, waiting) = mpsc::channel(WAITING);
        let stuck = Arc::new(AtomicUsize::new(0));
        let sender = Sender {
            night: self.clone(),
            run: Arc::clone(run),
            terms: Arc::clone(&share.terms),
            way: Way::Open,
            stuck: Arc::clone(&stuck),
        };
        // A task, so that sending and settling go on while records are computed; a set, so that it ends with us.
        let mut sending = JoinSet::new();
        sending.spawn(sender.send_all(waiting));
        let made = self.make_all(run, &share.terms, files, sealer, limit, &stuck, door).await;
        if made.is_err() {
            run.halt();
        }
        let sent = match sending.join_next().await {
            Some(Ok(sent)) => sent,
            _ => Err(NightError::Interrupted),
        };
        match (made, sent) {
            (Ok(()), Ok(passed)) => self.put_all(run, share, passed).await,
            (Err(made), Err(sent)) => Err(weightier(Some(made), sent)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Makes the files one after another and hands each on. Ends early where nobody takes them any more.
    #[expect(clippy::too_many_arguments, reason = "the two ends of the queue beside what making needs")]
    async fn make_all(
        &self,
        run: &Run,
        terms: &Terms,
        files: Vec<(FileRow, Laps)>,
        sealer: &Usable,
        limit: &mut BadLimit<'_>,
        stuck: &AtomicUsize,
        door: mpsc::Sender<Passing>,
    ) -> Result<(), NightError> {
        let mut failed = false;
        for (file, laps) in files {
            let kind = Kind::of(&file);
            let waits = failed || stuck.load(Ordering::Relaxed) >= MOST_STUCK;
            let mut passing = Passing { file, kind, laps, fallouts: Fallouts::default(), made: Made::Untouched };
            if !waits || kind == Kind::Resend {
                let mut making = Making { limit: &mut *limit, fallouts: Fallouts::default() };
                let made = self.make(run, terms, &mut passing.file, sealer, &mut passing.laps, &mut making).await;
                passing.fallouts = making.fallouts;
                passing.made = match made {
                    Ok(made) => made,
                    Err(Trouble::Whole(error)) => return Err(error),
                    Err(trouble) => Made::Failed(trouble),
                };
            }
            // A doubt is about this file only.
            let fails = matches!(&passing.made, Made::Failed(trouble) if !matches!(trouble, Trouble::Uncertain(_)));
            failed |= fails && kind != Kind::Resend;
            if door.send(passing).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The bytes of a file: sealed before, or composed now.
    async fn make(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealer: &Usable,
        laps: &mut Laps,
        making: &mut Making<'_, '_>,
    ) -> Result<Made, Trouble> {
        match file.state {
            FileState::Published => return Ok(Made::Published),
            // A resend whose last journal line was caught up with is where it should be.
            FileState::Settled => return Ok(Made::Untouched),
            _ => {}
        }
        if file.state != FileState::Claimed
            && let Some(sealed) = self.sealed_before(run, file).await?
        {
            return Ok(Made::Sealed(sealed));
        }
        let sealer =
            sealer.as_ref().map_err(|reason| Trouble::Stopped { code: reason.code, detail: reason.detail.clone() })?;
        self.issue_pins(run, terms, file, making).await?;
        laps.lap(Stage::Pins);
        let sealed = self.seal(run, terms, file, sealer, making).await?;
        laps.lap(Stage::Seal);
        Ok(Made::Sealed(sealed))
    }
}

impl Night {
    /// One file by itself, as far as it goes: what a person's order does.
    pub(super) async fn finish_alone(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealer: &Usable,
        alerts: &mut Vec<Alert>,
    ) -> Result<(), Trouble> {
        let mut limit = BadLimit::after(terms, &Tally::default());
        limit.resume(self.store.item_counts(file.file_id).await?, false);
        let mut making = Making { limit: &mut limit, fallouts: Fallouts::default() };
        let mut laps = Laps::begin(&self.clock);
        let made = self.make(run, terms, file, sealer, &mut laps, &mut making).await;
        alerts.extend(making.fallouts.alerts(file.file_id));
        match made? {
            Made::Sealed(sealed) => self.send_on(run, terms, file, sealed, &mut laps, alerts).await,
            Made::Published => self.move_plastics(run, terms, file, &mut laps, alerts).await,
            Made::Failed(trouble) => Err(trouble),
            Made::Untouched => Ok(()),
        }
    }

    /// From sealed bytes to settlement. A resend settles nothing more.
    async fn send_on(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealed: SealedFile,
        laps: &mut Laps,
        alerts: &mut Vec<Alert>,
    ) -> Result<(), Trouble> {
        let kind = Kind::of(file);
        self.deliver(run, terms, file, sealed, Goal::Published).await?;
        laps.lap(Stage::Deliver);
        if kind == Kind::Resend { Ok(()) } else { self.move_plastics(run, terms, file, laps, alerts).await }
    }

    /// PUBLISHED -> SETTLED.
    async fn move_plastics(
        &self,
        run: &Run,
        terms: &Terms,
        file: &FileRow,
        laps: &mut Laps,
        alerts: &mut Vec<Alert>,
    ) -> Result<(), Trouble> {
        self.may_go_on(run)?;
        let outcome = self.settle(run, file).await?;
        fault::reach(Point::Settled);
        self.observer.finished(&terms.subject(), Stage::Settle);
        laps.lap(Stage::Settle);
        alerts.extend(super::alerts::of_settlement(file, &outcome));
        Ok(())
    }
}

/// Sends what was made, one file after another.
struct Sender {
    night: Night,
    run: Arc<Run>,
    terms: Arc<Terms>,
    way: Way,
    stuck: Arc<AtomicUsize>,
}

impl Sender {
    async fn send_all(mut self, mut waiting: mpsc::Receiver<Passing>) -> Result<Vec<Passed>, NightError> {
        let mut sent = Vec::new();
        while let Some(passing) = waiting.recv().await {
            let passed = self.send(passing).await;
            if passed.is_err() {
                self.run.halt();
            }
            sent.push(passed?);
        }
        Ok(sent)
    }

    async fn send(&mut self, passing: Passing) -> Result<Passed, NightError> {
        let Passing { mut file, kind, mut laps, fallouts, made } = passing;
        laps.skip();
        let mut alerts: Vec<Alert> = fallouts.alerts(file.file_id).collect();
        let ended = match made {
            Made::Sealed(sealed) => self.deliver(&mut file, kind, sealed, &mut laps, &mut alerts).await,
            Made::Published => {
                let Self { night, run, terms, .. } = &self;
                night.move_plastics(run, terms, &file, &mut laps, &mut alerts).await
            }
            Made::Failed(trouble) => Err(trouble),
            Made::Untouched => Ok(()),
        };
        let file = match &ended {
            Err(Trouble::Whole(_)) => file,
            _ => self.night.still_ours(&self.run, &file).await?,
        };
        let mut why = None;
        if let Err(trouble) = ended {
            self.way = self.way.behind(&file, kind, &trouble);
            if matches!(trouble, Trouble::Uncertain(_)) {
                alerts.push(people::decide(&file));
            }
            let text = trouble.local()?;
            tracing::error!(file_id = %file.file_id, "{text}");
            why = Some(text);
        }
        if kind != Kind::Resend && !is_past(file.state) && file.state != FileState::Claimed {
            self.stuck.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Passed { file, kind, durations_ms: laps.into_milliseconds(), fallouts, alerts, why })
    }

    async fn deliver(
        &self,
        file: &mut FileRow,
        kind: Kind,
        sealed: SealedFile,
        laps: &mut Laps,
        alerts: &mut Vec<Alert>,
    ) -> Result<(), Trouble> {
        let Self { night, run, terms, .. } = self;
        match self.way {
            Way::Shut => return Ok(()),
            Way::UpToReady if kind != Kind::Resend => {
                night.deliver(run, terms, file, sealed, Goal::Ready).await?;
                laps.lap(Stage::Deliver);
            }
            Way::UpToReady | Way::Open => night.send_on(run, terms, file, sealed, laps, alerts).await?,
        }
        Ok(())
    }
}

impl Way {
    /// The way of the files behind one that ended in trouble.
    fn behind(self, file: &FileRow, kind: Kind, trouble: &Trouble) -> Self {
        let next = match trouble {
            // The house does not answer, or not to us: further files would only cost time, or lock the account.
            Trouble::Delivery(error) if !goes_on_elsewhere(error.retry_class()) => Self::Shut,
            _ if kind == Kind::Resend || is_past(file.state) => return self,
            _ => Self::UpToReady,
        };
        if self == Self::Shut { self } else { next }
    }
}

/// Whether the house may be asked about another file: it answered, and its answer was about this one.
fn goes_on_elsewhere(class: RetryClass) -> bool {
    match class {
        RetryClass::PermanentTonight | RetryClass::AskOperator => true,
        RetryClass::Retry | RetryClass::StopDestination => false,
    }
}

/// Whether the files behind it may be published.
pub(super) fn is_past(state: FileState) -> bool {
    matches!(state, FileState::Published | FileState::Settled | FileState::Uncertain)
}
