//! From a claimed file to a sealed one: records are read in pages, personalised, written and encrypted as they come.
//!
//! Composing and sealing overlap on two threads with a bounded queue between them; memory stays flat whatever the
//! number of records, and only ciphertext reaches the disk (R138).

use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeroize::Zeroize;

use super::error::Trouble;
use super::fallout::{Fallen, Making};
use super::observe::Stage;
use super::personalise::{Fallout, Personaliser};
use super::sealed::seal_of;
use super::{Night, Run};
use crate::agreement::Terms;
use crate::document::{DocumentWriter, FileName, FileType, Header, InstitutionRef, PinKeyRef, Trailer};
use crate::fault::{self, Point};
use crate::seal::{SealError, Sealer};
use crate::selection::ReasonCode;
use crate::settlement::FileEvent;
use crate::spool::{JournalEntry, JournalLine, SealedFacts, SealedFile};
use crate::store::{FileRow, PinnedItem};
use crate::vault::{KeyInfo, Wrapped};

/// Records read at once.
const PAGE: u32 = 1_000;
/// Document bytes handed to the sealing thread at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that may wait for the sealing thread.
const WAITING_CHUNKS: usize = 8;

/// How one attempt at composing ended.
enum Composed {
    /// All records are in.
    Whole(SealedFile, Box<Trailer>),
    /// Cards fell out: the header's count is wrong, composing starts over without them.
    Without(Vec<Fallen>),
}

/// What goes to the sealing thread.
enum Piece {
    Bytes(Vec<u8>),
    End,
}

impl Night {
    /// CLAIMED -> SEALED.
    pub(super) async fn seal(
        &self,
        run: &Run,
        terms: &Terms,
        file: &mut FileRow,
        sealer: &Arc<Sealer>,
        making: &mut Making<'_, '_>,
    ) -> Result<SealedFile, Trouble> {
        // Sealed bytes that no SEALED row knows are an earlier try's orphan.
        self.spool.discard(file.file_id)?;
        loop {
            self.may_go_on(run)?;
            let header = self.header(terms, file).await?;
            match self.compose(run, terms, file, &header, sealer).await? {
                Composed::Whole(sealed, trailer) => {
                    self.observer.finished(&terms.subject(), Stage::Seal);
                    self.record_seal(run, file, &header, sealer, &sealed, &trailer).await?;
                    fault::reach(Point::Sealed);
                    return Ok(sealed);
                }
                Composed::Without(fallen) => self.let_go(run, file, fallen, making).await?,
            }
        }
    }

    async fn record_seal(
        &self,
        run: &Run,
        file: &mut FileRow,
        header: &Header,
        sealer: &Sealer,
        sealed: &SealedFile,
        trailer: &Trailer,
    ) -> Result<(), Trouble> {
        fault::reach(Point::SpoolRenamed);
        let facts = SealedFacts {
            run_id: file.run_id,
            file_name: format!("{}.pgp", header.file_name),
            sha256: sealed.sha256().to_owned(),
            size_bytes: sealed.size_bytes(),
            records: trailer.number_of_records,
            cards: trailer.number_of_cards,
            pin_only: trailer.number_of_pin_only,
            by_production_event: trailer.by_production_event.clone(),
            key_fingerprints: sealer.fingerprints(),
        };
        let change = seal_of(&facts);
        let entry = JournalEntry::Sealed { epoch: run.epoch, facts: Some(Box::new(facts)) };
        self.spool.note(&journal_line(file, entry))?;
        fault::reach(Point::SealedNoted);
        Ok(self.advance(run, file, FileEvent::Seal, change).await?)
    }

    /// Everything the header says, fixed before the first record is written.
    async fn header(&self, terms: &Terms, file: &FileRow) -> Result<Header, Trouble> {
        let counts = self.store.item_counts(file.file_id).await?;
        let in_force = || self.vault.zone_keys(&terms.manufacturer.pin_keys, file.data_as_of);
        let pin_keys = if counts.with_pin > 0 { in_force().into_iter().map(pin_key).collect() } else { Vec::new() };
        let mut header = Header {
            format: file.format,
            version: file.version,
            environment: self.settings.environment,
            file_id: file.file_id,
            file_name: String::new(),
            sequence_number: file.sequence_number,
            previous_file_id: file.previous_file_id,
            file_type: file.file_type,
            resend_of_file_id: file.resend_of,
            run_id: file.run_id,
            data_as_of: file.data_as_of,
            cut_off: file.cut_off,
            institution: InstitutionRef { id: terms.institution.id.clone(), name: terms.institution.name.clone() },
            manufacturer: terms.manufacturer.code.clone(),
            pin_keys,
            number_of_records: counts.records,
        };
        header.file_name = FileName::of(&header).to_string();
        Ok(header)
    }

    async fn compose(
        &self,
        run: &Run,
        terms: &Terms,
        file: &FileRow,
        header: &Header,
        sealer: &Arc<Sealer>,
    ) -> Result<Composed, Trouble> {
        let (pieces, waiting) = mpsc::channel(WAITING_CHUNKS);
        let sealing = self.start_sealing(run, file, sealer, waiting);
        let fell_out = self.write_records(run, terms, file, header, &pieces).await;
        fault::reach(Point::Composing);
        if matches!(fell_out, Ok(Written::Whole(_))) {
            // A closed queue means that sealing failed: its own error is the one to report.
            let _ = pieces.send(Piece::End).await;
        }
        drop(pieces);
        let sealed = sealing.await.map_err(|_| Trouble::Stopped {
            code: ReasonCode::CryptoUnavailable,
            detail: "the sealing thread ended without an answer".to_owned(),
        })?;
        match fell_out? {
            Written::Without(fallen) => Ok(Composed::Without(fallen)),
            Written::Whole(trailer) => {
                let sealed = sealed?.ok_or_else(|| Trouble::Stopped {
                    code: ReasonCode::CryptoUnavailable,
                    detail: "sealing ended before the document did".to_owned(),
                })?;
                Ok(Composed::Whole(sealed, trailer))
            }
        }
    }

    /// The sealing thread: takes pieces until the end; without one it leaves nothing behind.
    fn start_sealing(
        &self,
        run: &Run,
        file: &FileRow,
        sealer: &Arc<Sealer>,
        mut waiting: mpsc::Receiver<Piece>,
    ) -> JoinHandle<Result<Option<SealedFile>, Trouble>> {
        let (spool, sealer) = (Arc::clone(&self.spool), Arc::clone(sealer));
        let (file_id, epoch, at) = (file.file_id, run.epoch, file.data_as_of);
        tokio::task::spawn_blocking(move || {
            let mut draft = spool.create(file_id, epoch)?;
            let mut writer = sealer.writer(&mut draft, at)?;
            loop {
                match waiting.blocking_recv() {
                    Some(Piece::Bytes(mut bytes)) => {
                        let written = writer.write_all(&bytes);
                        bytes.zeroize();
                        written.map_err(|source| SealError::Write(source.into()))?;
                    }
                    Some(Piece::End) => break,
                    None => return Ok(None),
                }
            }
            writer.finish()?;
            Ok(Some(draft.commit()?))
        })
    }

    async fn write_records(
        &self,
        run: &Run,
        terms: &Terms,
        file: &FileRow,
        header: &Header,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<Written, Trouble> {
        let terms = &as_claimed(terms, file);
        let maker = self.personaliser(terms, file)?;
        let buffer = Buffer::default();
        let mut writer = DocumentWriter::new(buffer.clone(), header)?;
        let mut number = 0;
        let mut fallen = Vec::new();
        let mut page = self.read_page(file, None);
        loop {
            let items = page.await.map_err(|_| Trouble::Whole(super::NightError::Interrupted))??;
            let Some(last) = items.last() else { break };
            page = self.read_page(file, Some(last.sort_key.clone()));
            let mut records = pin!(maker.records(number + 1, &items));
            while let Some((item, made)) = records.next().await {
                self.may_go_on(run)?;
                match made {
                    Ok(record) if fallen.is_empty() => writer.write(&record)?,
                    // This attempt is lost; going on finds every card that falls out, so that one more will do.
                    Ok(_) => {}
                    Err(Fallout::Card(code, why)) => {
                        let (record_uid, event) = (item.record_uid, item.event.as_str());
                        fallen.push(Fallen { record_uid, event, code, why });
                    }
                    Err(Fallout::Stop(trouble)) => return Err(trouble),
                }
                buffer.hand_over(CHUNK_BYTES, pieces).await;
            }
            number += items.len() as u64;
            self.observer.progress(&terms.subject(), Stage::Seal, number, header.number_of_records);
        }
        if !fallen.is_empty() {
            return Ok(Written::Without(fallen));
        }
        let (_, trailer) = writer.finish()?;
        buffer.hand_over(0, pieces).await;
        Ok(Written::Whole(Box::new(trailer)))
    }

    fn personaliser<'a>(&'a self, terms: &'a Terms, file: &FileRow) -> Result<Personaliser<'a>, Trouble> {
        let fill_seed = self
            .vault
            .open_fill_seed(&file.institution, file.file_id, &Wrapped(file.fill_seed.clone()))
            .map_err(|error| Trouble::Stopped { code: ReasonCode::KeyUnusable, detail: error.to_string() })?;
        let is_duplicate = file.file_type == FileType::Duplicate;
        Ok(Personaliser {
            vault: &self.vault,
            terms,
            cut_off: file.cut_off,
            at: file.data_as_of,
            fill_seed,
            is_duplicate,
        })
    }

    /// Reads the next page while the one before is being written.
    fn read_page(
        &self,
        file: &FileRow,
        after: Option<String>,
    ) -> JoinHandle<Result<Vec<PinnedItem>, crate::store::StoreError>> {
        let (store, file_id) = (Arc::clone(&self.store), file.file_id);
        tokio::spawn(async move { store.items(file_id, after.as_deref(), PAGE).await })
    }
}

/// A zone PIN key as the header announces it.
fn pin_key(key: &KeyInfo) -> PinKeyRef {
    PinKeyRef { key_id: key.id.clone(), algorithm: key.algorithm.to_string(), kcv: key.shown_kcv().to_owned() }
}

enum Written {
    Whole(Box<Trailer>),
    Without(Vec<Fallen>),
}

/// Document bytes on their way from the writer to the queue; wiped once sealed.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// Hands the bytes over once there are more than `least`.
    async fn hand_over(&self, least: usize, pieces: &mpsc::Sender<Piece>) {
        let bytes = {
            let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if buffer.len() <= least {
                return;
            }
            std::mem::replace(&mut *buffer, Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8))
        };
        // A closed queue means that sealing failed: its own error is reported when the document ends.
        let _ = pieces.send(Piece::Bytes(bytes)).await;
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line of the spool's journal, written before the transition it names.
pub(super) fn journal_line(file: &FileRow, entry: JournalEntry) -> JournalLine {
    JournalLine {
        file_id: file.file_id,
        institution: file.institution.clone(),
        manufacturer: file.manufacturer.clone(),
        sequence_number: file.sequence_number,
        entry,
    }
}

/// The agreement in the format and version the claim fixed: the configuration may have changed since.
fn as_claimed(terms: &Terms, file: &FileRow) -> Terms {
    let mut terms = terms.clone();
    (terms.agreement.format, terms.agreement.version) = (file.format, file.version);
    terms
}
