//! From a sealed file to a published one: every state is written before the step it announces.
//!
//! The remote side is blocking and moves through blocking threads; the database is asked between the steps. A file
//! is tried again with growing pauses while its errors say that another try may help, so often and no longer than
//! the destination's patience (R136); every failed try is an event.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::compose::journal_line;
use super::error::Trouble;
use super::observe::Stage;
use super::{Night, NightError, Run};
use crate::agreement::Terms;
use crate::delivery::{self, DeliveryError, FinalName, Outcome, Place, Remote, RenameOrder, RetryClass};
use crate::fault::{self, Point};
use crate::settlement::{FileEvent, FileState};
use crate::spool::{JournalEntry, SealedFile};
use crate::store::{FileChange, FileRow, StoreError};

use super::outbound::Patience;

/// A step's result with the session handed back.
type Session = Box<dyn Remote>;

/// What a rename came to.
enum Renamed {
    /// The house has the file.
    Published,
    /// The temporary file is gone and nothing was published: upload again. With the answer to the rename.
    SendAgain(Session, DeliveryError),
}

/// How far a delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Only to a complete temporary file: a file before it is not published yet (R136).
    Ready,
    /// To the final name.
    Published,
}

impl Night {
    /// SEALED, SENDING, READY or RENAMING -> PUBLISHED; or trouble, with the file in the state it reached.
    pub(super) async fn deliver(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealed: SealedFile,
        goal: Goal,
    ) -> Result<(), Trouble> {
        let patience = self.outbound.patience(terms);
        let (since, mut pause) = (Instant::now(), patience.first);
        for tried in 1.. {
            let left = patience.whole.saturating_sub(since.elapsed());
            let limits = Patience { deadline: patience.deadline.min(left), ..patience };
            let error = match self.attempt(run, terms, file, sealed.clone(), goal, limits).await {
                Err(Trouble::Delivery(error)) => error,
                other => return other,
            };
            self.tell_failure(run, file, tried, &error).await?;
            let in_time = since.elapsed() + pause < patience.whole;
            if error.retry_class() != RetryClass::Retry || tried >= patience.attempts || !in_time {
                self.tidy_up(run, terms, file, &error).await;
                return Err(error.into());
            }
            tracing::warn!(file_id = %file.file_id, tried, "{error}; trying again");
            run.without_a_place(self.rest(run, pause)).await?;
            pause = (pause * 2).min(patience.longest);
        }
        Ok(())
    }

    /// A failed try is an event, also one that came no further than the connection; the house's words stay in the log.
    async fn tell_failure(&self, run: &Run, file: &FileRow, tried: u32, error: &DeliveryError) -> Result<(), Trouble> {
        self.still_ours(run, file).await?;
        let data = serde_json::json!({
            "fileId": file.file_id, "manufacturer": file.manufacturer, "sequenceNumber": file.sequence_number,
            "night": file.night.to_string(), "fileName": file.file_name, "try": tried, "attempt": file.attempt,
            "phase": error.phase(), "class": error.retry_class().as_str(),
        });
        Ok(self.store.note_event("delivery.failed", Some(&file.institution), &data).await?)
    }

    /// A part that will not be continued tonight is removed over a new connection: the one that failed was cut
    /// without a CLOSE (faults 14, 17). What cannot be removed now is removed by the next attempt.
    async fn tidy_up(&self, run: &Run, terms: &Terms, file: &FileRow, error: &DeliveryError) {
        if file.state != FileState::Sending || error.retry_class() == RetryClass::StopDestination {
            return;
        }
        let Ok(_place) = self.place(run, terms).await else { return };
        let (Ok(mut session), Some(name)) = (self.connect(run, terms).await, file.temporary_name.clone()) else {
            return;
        };
        let cleaned = blocking(move || delivery::clean(&mut *session, &[name])).await;
        if !matches!(cleaned, Ok(Ok(ref kept)) if kept.is_empty()) {
            tracing::warn!(file_id = %file.file_id, "our temporary file may be left at the destination");
        }
    }

    /// Waits for the pause and up to half of it again, so that many files do not come back at once.
    async fn rest(&self, run: &Run, pause: Duration) -> Result<(), NightError> {
        let [jitter] = self.random.bytes::<1>();
        let mut left = pause + pause * u32::from(jitter) / 512;
        let step = Duration::from_millis(200);
        while !left.is_zero() {
            self.may_go_on(run)?;
            let now = left.min(step);
            tokio::time::sleep(now).await;
            left -= now;
        }
        Ok(())
    }

    async fn attempt(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealed: SealedFile,
        goal: Goal,
        patience: Patience,
    ) -> Result<(), Trouble> {
        let mut send = matches!(file.state, FileState::Sealed | FileState::Sending);
        if !send && goal == Goal::Ready {
            return Ok(());
        }
        let _place = self.place(run, terms).await?;
        let mut session = self.connect(run, terms).await?;
        let mut sent_again = false;
        loop {
            self.may_go_on(run)?;
            if send {
                session = self.upload(run, terms, file, &sealed, session, patience).await?;
            }
            if goal == Goal::Ready {
                return Ok(());
            }
            match self.rename(run, file, session, patience).await? {
                Renamed::Published => return Ok(()),
                Renamed::SendAgain(_, error) if sent_again => return Err(self.give_up(run, file, error).await?),
                Renamed::SendAgain(back, _) => (session, send, sent_again) = (back, true, true),
            }
        }
    }

    /// Twice in a row the first rename of a new upload found no file: a folder is missing where nothing can be seen, or
    /// somebody sweeps. A third upload would end the same way, so the next attempt is begun and left to the next run:
    /// this one's rename surely did not happen, and nobody has to find that out again.
    async fn give_up(&self, run: &Run, file: &mut FileRow, error: DeliveryError) -> Result<Trouble, Trouble> {
        let attempt = file.attempt + 1;
        let temporary_name = temporary_name(file.file_name.as_deref().unwrap_or_default(), attempt);
        let identity = file.identity.clone().unwrap_or_default();
        let change = FileChange::Send { attempt, temporary_name, identity };
        self.advance(run, file, FileEvent::Send, change).await?;
        Ok(error.into())
    }

    /// A new attempt under a temporary name of its own.
    async fn upload(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealed: &SealedFile,
        session: Session,
        patience: Patience,
    ) -> Result<Session, Trouble> {
        let name = file.file_name.clone().unwrap_or_default();
        let attempt = file.attempt + 1;
        let older: Vec<String> = (1..attempt).map(|attempt| temporary_name(&name, attempt)).collect();
        let temporary_name = temporary_name(&name, attempt);

        let identity = session.identity().to_string();
        let change = FileChange::Send { attempt, temporary_name: temporary_name.clone(), identity };
        self.advance(run, file, FileEvent::Send, change).await?;
        fault::reach(Point::Sending);
        let (subject, sealed) = (terms.subject(), sealed.clone());
        let (observer, stops) = (self.observer.clone(), self.stops(run));
        let uploaded = blocking(move || {
            let mut session = session;
            let total = sealed.size_bytes();
            let mut progress = |done| {
                observer.progress(&subject, Stage::Deliver, done, total);
                if stops() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let uploaded =
                delivery::upload(&mut *session, &sealed, &temporary_name, &older, patience.deadline, &mut progress)?;
            Ok::<_, DeliveryError>((session, uploaded.left_over))
        })
        .await?;
        if matches!(uploaded, Err(DeliveryError::Stopped { .. })) {
            return Err(NightError::Interrupted.into());
        }
        let (session, left_over) = uploaded?;
        for name in left_over {
            tracing::warn!(file_id = %file.file_id, "the destination does not let us remove {name}; ask the house to");
        }
        fault::reach(Point::Uploaded);
        if let Err(error) = self.advance(run, file, FileEvent::Complete, FileChange::Complete).await {
            return Err(self.take_back(session, file, error).await);
        }
        fault::reach(Point::Ready);
        self.observer.finished(&terms.subject(), Stage::Deliver);
        Ok(session)
    }

    /// Fault 23: another run has taken the file over and sends it under a name of its own; ours is removed, for nobody
    /// else will.
    async fn take_back(&self, mut session: Session, file: &FileRow, error: StoreError) -> Trouble {
        if let (StoreError::Stale { .. } | StoreError::Superseded { .. }, Some(name)) = (&error, &file.temporary_name) {
            let name = name.clone();
            let _ = blocking(move || delivery::clean(&mut *session, &[name])).await;
        }
        error.into()
    }

    /// The rename: the remote commit record.
    async fn rename(
        &self,
        run: &Run,
        file: &mut FileRow,
        session: Session,
        patience: Patience,
    ) -> Result<Renamed, Trouble> {
        self.may_go_on(run)?;
        let n = file.rename_attempt + 1;
        let names = Names::of(file);
        let same_identity = file.identity.as_deref() == Some(&session.identity().to_string());
        let session = if n == 1 { self.look_first(run, file, session, names.clone()).await? } else { session };
        self.spool.note(&journal_line(file, JournalEntry::Rename { n, attempt: file.attempt }))?;
        fault::reach(Point::RenameNoted);
        let change = FileChange::Rename { rename_attempt: n };
        self.advance(run, file, FileEvent::Rename, change).await?;
        fault::reach(Point::Renaming);
        let (session, outcome) = blocking(move || {
            let mut session = session;
            let order = RenameOrder {
                temporary_name: &names.temporary,
                final_name: &names.published,
                size_bytes: names.size_bytes,
                rename_attempt: n,
                proves_publication: patience.rename_proves_publication,
                same_identity,
            };
            let outcome = delivery::rename(&mut *session, &order);
            (session, outcome)
        })
        .await?;
        fault::reach(Point::Renamed);
        self.judge_rename(run, file, session, outcome).await
    }

    /// A final name that is there before our first rename is somebody else's: no RENAME, a person must look.
    async fn look_first(
        &self,
        run: &Run,
        file: &mut FileRow,
        session: Session,
        names: Names,
    ) -> Result<Session, Trouble> {
        let (session, found, path) = blocking(move || {
            let mut session = session;
            let found = delivery::look(&mut *session, &names.published)?;
            let path = session.path(Place::Final(&names.published));
            Ok::<_, DeliveryError>((session, found, path))
        })
        .await??;
        match found {
            FinalName::Present { .. } => {
                Err(self.doubt(run, file, format!("{path} was there before our first rename")).await?)
            }
            FinalName::Absent | FinalName::Unknown => Ok(session),
        }
    }

    async fn judge_rename(
        &self,
        run: &Run,
        file: &mut FileRow,
        session: Session,
        outcome: Outcome,
    ) -> Result<Renamed, Trouble> {
        match outcome {
            Outcome::Published { how } => {
                tracing::info!(file_id = %file.file_id, "published: {how:?}");
                self.spool.note(&journal_line(file, JournalEntry::Published { attempt: file.attempt }))?;
                fault::reach(Point::PublishedNoted);
                let change = FileChange::Publish { at: self.store.now().await? };
                self.advance(run, file, FileEvent::Publish, change).await?;
                fault::reach(Point::Published);
                Ok(Renamed::Published)
            }
            Outcome::StaysReady(error) => {
                let change = FileChange::Because(error.to_string());
                self.advance(run, file, FileEvent::Refuse, change).await?;
                Err(error.into())
            }
            Outcome::SendAgain { why, error } => {
                tracing::warn!(file_id = %file.file_id, "{why}; it has to be uploaded again");
                Ok(Renamed::SendAgain(session, error))
            }
            // The file stays RENAMING: the next try looks what became of it, with the next number.
            Outcome::Unanswered(error) => Err(error.into()),
            Outcome::Uncertain(why) => Err(self.doubt(run, file, why).await?),
        }
    }

    /// UNCERTAIN, and the trouble that says so.
    pub(super) async fn doubt(&self, run: &Run, file: &mut FileRow, why: String) -> Result<Trouble, Trouble> {
        let change = FileChange::Because(why.clone());
        self.advance(run, file, FileEvent::Doubt, change).await?;
        Ok(Trouble::Uncertain(why))
    }
}

/// The names of a file at its destination.
#[derive(Debug, Clone)]
struct Names {
    temporary: String,
    published: String,
    size_bytes: u64,
}

impl Names {
    fn of(file: &FileRow) -> Self {
        Self {
            temporary: file.temporary_name.clone().unwrap_or_default(),
            published: file.file_name.clone().unwrap_or_default(),
            size_bytes: file.size_bytes.unwrap_or_default(),
        }
    }
}

/// Own name per attempt: a stale worker can hurt only its own (fault 23).
pub(super) fn temporary_name(name: &str, attempt: u32) -> String {
    format!("{name}.{attempt}.part")
}

/// Runs a blocking step; a panic in it stops the run, whose file can be resumed.
pub(super) async fn blocking<T: Send + 'static>(step: impl FnOnce() -> T + Send + 'static) -> Result<T, NightError> {
    tokio::task::spawn_blocking(step).await.map_err(|_| NightError::Interrupted)
}
