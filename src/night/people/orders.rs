//! The five orders, each from its first look to the transition that carries it out.

use super::house::Looked;
use super::{ActionError, Done, Errand, Night, part_left, possible};
use crate::agreement::Terms;
use crate::card::FileId;
use crate::delivery::FinalName;
use crate::night::alerts;
use crate::night::compose::journal_line;
use crate::report::chain;
use crate::settlement::FileEvent;
use crate::spool::{JournalEntry, SpoolError};
use crate::store::{FileChange, FileRow, NewFile};
use crate::vault::Wrapped;

impl Night {
    /// UNCERTAIN -> PUBLISHED, and settled at once. A resend has nothing to settle.
    pub(super) async fn resolve_delivered(&self, errand: &mut Errand<'_>, file: FileRow) -> Result<Done, ActionError> {
        let file = self.take_over(errand, &file).await?;
        let is_resend = file.is_resend();
        self.spool.note(&journal_line(&file, JournalEntry::Published { attempt: file.attempt }))?;
        let change = FileChange::Ordered(errand.authority());
        let file = self.store.advance(&file, FileEvent::ResolveDelivered, errand.run.epoch, change).await?;
        let name = possible::name_of(&file);
        if is_resend {
            return Ok(Done { file, text: format!("{name} counts as delivered once more."), left: None });
        }
        let outcome = self.settle(&errand.run, &file).await?;
        errand.alerts.extend(alerts::of_settlement(&file, &outcome));
        let text = format!("{name} counts as delivered: {} plastics moved.", outcome.moved);
        Ok(Done { file, text, left: None })
    }

    /// UNCERTAIN -> SENDING under its id and name with its bytes, once the house shows nothing that speaks against it.
    pub(super) async fn resolve_not_delivered(
        &self,
        errand: &mut Errand<'_>,
        file: FileRow,
    ) -> Result<Done, ActionError> {
        let terms = configured(errand, &file)?;
        let name = possible::name_of(&file);
        if let Some(lost) = self.lost_bytes(&file)? {
            return Err(ActionError::refused(format!(
                "{lost}. Once renamed, a file is never sealed again: settle it with emboss resolve --file {name} \
                 --delivered, and let the house have its cards with emboss resend --file {name} --duplicate"
            )));
        }
        let file = self.take_over(errand, &file).await?;
        let Looked { path, final_name, kept, unseen } = self.look_at_house(terms, &file, true).await?;
        if !kept.is_empty() {
            return Err(ActionError::refused(format!(
                "nothing was changed: our part {} cannot be removed, and could still be published; have the house remove it",
                kept.join(", ")
            )));
        }
        if let FinalName::Present { .. } = final_name {
            return Err(ActionError::refused(format!(
                "nothing was changed: {path} is there. Where it is this file, say --delivered; where it is not, have the \
                 house take it away first"
            )));
        }
        // A drop box that shows nothing and removes nothing: a part that stays can publish the same bytes at worst, under the
        // same name, which the house can recognise.
        if !unseen.is_empty() {
            part_left(&mut errand.alerts, &file, "it lets us neither see nor remove it");
        }
        let change = FileChange::Ordered(errand.authority());
        let mut file = self.store.advance(&file, FileEvent::ResolveNotDelivered, errand.run.epoch, change).await?;
        let left = self.go_on(errand, &mut file).await?;
        Ok(Done { file, text: format!("{name} counts as not delivered: its same bytes are sent."), left })
    }

    /// The cards come out and the file goes without any; a resend is given up.
    pub(super) async fn abandon(&self, errand: &mut Errand<'_>, file: FileRow) -> Result<Done, ActionError> {
        let file = self.take_over(errand, &file).await?;
        let name = possible::name_of(&file);
        if let Some(why) = self.clear_house(errand.terms, &file).await? {
            part_left(&mut errand.alerts, &file, &why);
        }
        let change = FileChange::Ordered(errand.authority());
        if file.is_resend() {
            let file = self.store.advance(&file, FileEvent::Withdraw, errand.run.epoch, change).await?;
            return Ok(Done { file, text: format!("{name} is not sent again."), left: None });
        }
        let records = self.store.item_counts(file.file_id).await?.records;
        let mut file = self.store.advance(&file, FileEvent::Abandon, errand.run.epoch, change).await?;
        if let Err(error) = self.spool.discard(file.file_id) {
            tracing::warn!(file_id = %file.file_id, "its old bytes stay until it is sealed anew: {error}");
        }
        let left = self.go_on(errand, &mut file).await?;
        let text = format!(
            "{records} cards were taken out of {name}; they go with the next night. It keeps its number and goes empty."
        );
        Ok(Done { file, text, left })
    }

    /// A settled file's same bytes once more, under the same name.
    pub(super) async fn resend(&self, errand: &mut Errand<'_>, file: FileRow) -> Result<Done, ActionError> {
        let terms = configured(errand, &file)?;
        let name = possible::name_of(&file);
        if let Some(lost) = self.lost_bytes(&file)? {
            return Err(ActionError::refused(format!(
                "{lost}; sealed bytes are kept run.spool_retention_days after settlement. Send its records anew with \
                 emboss resend --file {name} --duplicate"
            )));
        }
        let Looked { path, final_name, .. } = self.look_at_house(terms, &file, false).await?;
        if let FinalName::Present { .. } = final_name {
            return Err(ActionError::refused(format!(
                "nothing was sent: {path} is there, the house has not taken it yet"
            )));
        }
        let file = self.take_over(errand, &file).await?;
        let change = FileChange::Ordered(errand.authority());
        let mut file = self.store.advance(&file, FileEvent::Resend, errand.run.epoch, change).await?;
        let number = file.delivery_number;
        let left = self.go_on(errand, &mut file).await?;
        Ok(Done { file, text: format!("{name} is sent again, delivery {number}."), left })
    }

    /// A new file, marked DUPLICATE, with the records of a settled one.
    pub(super) async fn duplicate(&self, errand: &mut Errand<'_>, file: &FileRow) -> Result<Done, ActionError> {
        let terms = configured(errand, file)?;
        let behind = FileRow { sequence_number: u64::MAX, settled_at: None, ..file.clone() };
        if let Some(first) = self.earlier(&behind).await? {
            return Err(ActionError::refused(format!(
                "nothing was made: {} is still on its way and goes first; run emboss run",
                possible::name_of(&first)
            )));
        }
        if let Err(reason) = self.prepare(terms).await {
            return Err(ActionError::refused(format!("nothing was made: {}: {}", reason.code, reason.detail)));
        }
        let new = self.new_duplicate(file)?;
        let original = self.take_over(errand, file).await?;
        let authority = errand.authority();
        let mut made = self.store.duplicate(&original, &new, errand.run.epoch, &authority).await?;
        let left = self.go_on(errand, &mut made).await?;
        let text = format!(
            "File {} with number {} was made, a duplicate of {}.",
            made.file_id,
            made.sequence_number,
            possible::name_of(file)
        );
        Ok(Done { file: made, text, left })
    }

    /// Its id, and the original's fill under it: the duplicate's PIN blocks are the original's.
    fn new_duplicate(&self, original: &FileRow) -> Result<NewFile, ActionError> {
        let FileRow { institution, file_id, fill_seed, .. } = original;
        let seed = self.vault.open_fill_seed(institution, *file_id, &Wrapped(fill_seed.clone())).map_err(|error| {
            ActionError::refused(format!("nothing was made: file {file_id}, its fill: {}", chain(&error)))
        })?;
        let file_id = FileId(self.random.uuid());
        Ok(NewFile { file_id, fill_seed: self.vault.seal_fill_seed(institution, file_id, &seed).0 })
    }

    /// Why the sealed bytes cannot be sent any more.
    fn lost_bytes(&self, file: &FileRow) -> Result<Option<String>, ActionError> {
        match self.load(file) {
            Ok(_) => Ok(None),
            Err(lost @ (SpoolError::Missing { .. } | SpoolError::Changed { .. })) => Ok(Some(lost.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

/// The agreement: a destination is needed.
fn configured<'a>(errand: &Errand<'a>, file: &FileRow) -> Result<&'a Terms, ActionError> {
    errand.terms.ok_or_else(|| {
        ActionError::refused(format!(
            "nothing was changed: {} with {} is no longer configured; configure it again to reach the house",
            file.institution, file.manufacturer
        ))
    })
}
