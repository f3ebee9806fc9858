//! The sealing writer: document bytes in, OpenPGP out, in constant memory.

use std::fmt;
use std::io::{self, Write};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Signer as SigningStage};
use openpgp::types::{CompressionAlgorithm, CompressionLevel, SymmetricAlgorithm};
use sequoia_openpgp as openpgp;

use super::{KeyExpiry, Recipients, SealError, Signer};
use crate::agreement::{Compression, OpenPgp};

/// Everything a file of one agreement is sealed with.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// Our key.
    pub signer: Signer,
    /// Whom it is for.
    pub recipients: Recipients,
    /// Encryption container.
    pub openpgp: OpenPgp,
    /// Compression inside the encryption.
    pub compression: Compression,
}

impl Sealer {
    /// Fingerprints of the recipients and, last, of the signer: what the ledger keeps.
    pub fn fingerprints(&self) -> Vec<String> {
        let mut all = self.recipients.fingerprints();
        all.push(self.signer.fingerprint().to_owned());
        all
    }

    /// When each of those keys ends, in the same order: for warnings (R135).
    pub fn expiries(&self) -> Vec<KeyExpiry> {
        let mut all = self.recipients.expiries();
        all.push(self.signer.expiry().clone());
        all
    }

    /// Begins a message into `sink` (pass `&mut draft` to keep the draft); the signature's time is `at`.
    ///
    /// # Errors
    /// [`SealError::Write`].
    pub fn writer<'a>(
        &'a self,
        sink: impl Write + Send + Sync + 'a,
        at: DateTime<Utc>,
    ) -> Result<SealingWriter<'a>, SealError> {
        self.stack(sink, at).map(SealingWriter).map_err(|error| SealError::Write(error.into()))
    }

    fn stack<'a>(&'a self, sink: impl Write + Send + Sync + 'a, at: DateTime<Utc>) -> openpgp::Result<Message<'a>> {
        let encrypted = Encryptor::for_recipients(Message::new(sink), self.recipients.addressed(self.openpgp))
            .symmetric_algo(SymmetricAlgorithm::AES256)
            .build()?;
        let compressed = self.compressed(encrypted)?;
        let mut signed = SigningStage::new(compressed, self.signer.pair())?.creation_time(SystemTime::from(at));
        for cert in self.recipients.certs() {
            signed = signed.add_intended_recipient(cert);
        }
        LiteralWriter::new(signed.build()?).build()
    }

    fn compressed<'a>(&self, message: Message<'a>) -> openpgp::Result<Message<'a>> {
        let level = match self.compression {
            Compression::Fast => CompressionLevel::fastest(),
            Compression::Default => CompressionLevel::default(),
            Compression::None => return Ok(message),
        };
        Compressor::new(message).algo(CompressionAlgorithm::Zip).level(level).build()
    }
}

/// A message being written. Dropped without [`finish`](SealingWriter::finish) it is not a message: it has no end,
/// no signature and no integrity check.
pub struct SealingWriter<'a>(Message<'a>);

impl fmt::Debug for SealingWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingWriter")
    }
}

impl SealingWriter<'_> {
    /// Signs, closes the encryption and flushes into the sink.
    ///
    /// # Errors
    /// [`SealError::Write`].
    pub fn finish(self) -> Result<(), SealError> {
        self.0.finalize().map_err(|error| SealError::Write(error.into()))
    }
}

impl Write for SealingWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Nothing to do: flushing would cut the compression short and reveal how records lie in the ciphertext.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
