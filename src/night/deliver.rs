//! From a sealed file to a published one: every state is written before the step it announces (`night.md` 2).
//!
//! The remote side is blocking and moves through blocking threads; the database is asked between the steps. A file
//! is tried again with growing pauses while its errors say that another try may help (R136).

use std::time::Duration;

use super::compose::journal_line;
use super::error::Trouble;
use super::observe::Stage;
use super::{Night, NightError, Run};
use crate::agreement::Terms;
use crate::delivery::{self, DeliveryError, FinalName, Outcome, Remote, RenameOrder, RetryClass};
use crate::settlement::{FileEvent, FileState};
use crate::spool::{JournalEntry, SealedFile};
use crate::store::{FileChange, FileRow};

use super::outbound::Patience;

/// A step's result with the session handed back.
type Session = Box<dyn Remote>;

/// What a rename came to.
enum Renamed {
    /// The house has the file.
    Published,
    /// The temporary file is gone and nothing was published: upload again.
    SendAgain(Session),
}

impl Night {
    /// SEALED, SENDING, READY or RENAMING -> PUBLISHED; or trouble, with the file in the state it reached.
    pub(super) async fn deliver(
        &self,
        run: &Run<'_>,
        terms: &Terms,
        file: &mut FileRow,
        sealed: SealedFile,
    ) -> Result<(), Trouble> {
        let patience = self.outbound.patience(terms);
        let mut pause = patience.first;
        for attempt in 1.. {
            match self.attempt(run, terms, file, sealed.clone(), patience).await {
                Err(Trouble::Delivery(error))
                    if error.retry_class() == RetryClass::Retry && attempt < patience.attempts =>
                {
                    tracing::warn!(file_id = %file.file_id, attempt, "{error}; trying again");
                    self.rest(pause).await?;
                    pause = (pause * 2).min(patience.longest);
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// Waits for the pause and up to half of it again, so that many files do not come back at once.
    async fn rest(&self, pause: Duration) -> Result<(), NightError> {
        let [jitter] = self.random.bytes::<1>();
        let mut left = pause + pause * u32::from(jitter) / 512;
        let step = Duration::from_millis(200);
        while !left.is_zero() {
            self.may_go_on()?;
            let now = left.min(step);
            tokio::time::sleep(now).await;
            left -= now;
        }
        Ok(())
    }

    async fn attempt(
        &self,
        run: &Run<'_>,
        terms: &Terms,
        file: &mut FileRow,
        sealed: SealedFile,
        patience: Patience,
    ) -> Result<(), Trouble> {
        let mut send = matches!(file.state, FileState::Sealed | FileState::Sending);
        let mut session = self.connect(terms).await?;
        loop {
            self.may_go_on()?;
            if send {
                session = self.upload(run, terms, file, &sealed, session, patience).await?;
            }
            match self.rename(run, file, session, patience).await? {
                Renamed::Published => return Ok(()),
                Renamed::SendAgain(back) => (session, send) = (back, true),
            }
        }
    }

    async fn connect(&self, terms: &Terms) -> Result<Session, Trouble> {
        let (outbound, terms) = (std::sync::Arc::clone(&self.outbound), terms.clone());
        Ok(blocking(move || outbound.connect(&terms)).await??)
    }

    /// A new attempt under a temporary name of its own.
    async fn upload(
        &self,
        run: &Run<'_>,
        terms: &Terms,
        file: &mut FileRow,
        sealed: &SealedFile,
        session: Session,
        patience: Patience,
    ) -> Result<Session, Trouble> {
        let name = file.file_name.clone().unwrap_or_default();
        let attempt = file.attempt + 1;
        let temporary_name = delivery::temporary_name(&name, attempt);
        let older: Vec<String> = (1..attempt).map(|attempt| delivery::temporary_name(&name, attempt)).collect();
        let (mut session, identity) = blocking(move || {
            let mut session = session;
            session.identity().map(|identity| (session, identity))
        })
        .await??;
        let change = FileChange::Send { attempt, temporary_name: temporary_name.clone(), identity: identity.to_string() };
        *file = self.store.advance(file, FileEvent::Send, run.epoch, change).await?;
        let (observer, subject, sealed) = (self.observer.clone(), terms.subject(), sealed.clone());
        session = blocking(move || {
            let total = sealed.size_bytes();
            let mut progress = |done| observer.progress(&subject, Stage::Deliver, done, total);
            delivery::upload(&mut *session, &sealed, &temporary_name, &older, patience.deadline, &mut progress)
                .map(|_| session)
        })
        .await??;
        *file = self.store.advance(file, FileEvent::Complete, run.epoch, FileChange::Complete).await?;
        self.observer.finished(&terms.subject(), Stage::Deliver);
        Ok(session)
    }

    /// The rename: the remote commit record.
    async fn rename(
        &self,
        run: &Run<'_>,
        file: &mut FileRow,
        session: Session,
        patience: Patience,
    ) -> Result<Renamed, Trouble> {
        let n = file.rename_attempt + 1;
        let order = rename_order(file, n, patience);
        let final_name = order.final_name.clone();
        let (session, identity, found) = blocking(move || {
            let mut session = session;
            let identity = session.identity()?;
            let found = delivery::look(&mut *session, &final_name);
            Ok::<_, DeliveryError>((session, identity, found))
        })
        .await??;
        if n == 1 && matches!(found, FinalName::Present { .. }) {
            let why = format!("{} was there before our first rename", order.final_name);
            return self.doubt(run, file, why).await;
        }
        self.spool.note(&journal_line(file, JournalEntry::Rename { n }))?;
        let change = FileChange::Rename { rename_attempt: n };
        *file = self.store.advance(file, FileEvent::Rename, run.epoch, change).await?;
        let order = RenameOrder { same_identity: file.identity.as_deref() == Some(&identity.to_string()), ..order };
        let (session, outcome) = blocking(move || {
            let mut session = session;
            let outcome = delivery::rename(&mut *session, &order);
            (session, outcome)
        })
        .await?;
        self.judge_rename(run, file, session, outcome).await
    }

    async fn judge_rename(
        &self,
        run: &Run<'_>,
        file: &mut FileRow,
        session: Session,
        outcome: Outcome,
    ) -> Result<Renamed, Trouble> {
        match outcome {
            Outcome::Published { how } => {
                tracing::info!(file_id = %file.file_id, "published: {how}");
                self.spool.note(&journal_line(file, JournalEntry::Published))?;
                let change = FileChange::Publish { at: self.store.now().await? };
                *file = self.store.advance(file, FileEvent::Publish, run.epoch, change).await?;
                Ok(Renamed::Published)
            }
            Outcome::StaysReady(error) => {
                let change = FileChange::Because(error.to_string());
                *file = self.store.advance(file, FileEvent::Refuse, run.epoch, change).await?;
                Err(error.into())
            }
            Outcome::SendAgain(why) => {
                tracing::warn!(file_id = %file.file_id, "{why}; uploading again");
                Ok(Renamed::SendAgain(session))
            }
            Outcome::Uncertain(why) => self.doubt(run, file, why).await,
        }
    }

    async fn doubt(&self, run: &Run<'_>, file: &mut FileRow, why: String) -> Result<Renamed, Trouble> {
        let change = FileChange::Because(why.clone());
        *file = self.store.advance(file, FileEvent::Doubt, run.epoch, change).await?;
        Err(Trouble::Uncertain(why))
    }
}

fn rename_order(file: &FileRow, rename_attempt: u32, patience: Patience) -> RenameOrder {
    RenameOrder {
        temporary_name: file.temporary_name.clone().unwrap_or_default(),
        final_name: file.file_name.clone().unwrap_or_default(),
        size_bytes: file.size_bytes.unwrap_or_default(),
        rename_attempt,
        proves_publication: patience.rename_proves_publication,
        same_identity: false,
    }
}

/// Runs a blocking step; a panic in it stops the run, whose file can be resumed.
async fn blocking<T: Send + 'static>(step: impl FnOnce() -> T + Send + 'static) -> Result<T, NightError> {
    tokio::task::spawn_blocking(step).await.map_err(|_| NightError::Interrupted)
}
