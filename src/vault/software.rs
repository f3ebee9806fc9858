//! Card cryptography in this process: the embedded default for trials, tests and programmes without a PIN.
//!
//! Invariants (R39): a clear PIN lives only between two cipher blocks, in wiped memory; nothing here can print it. A
//! PIN in host memory is not what PCI PIN allows, so a live environment must say that it wants it.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::cipher::Aes;
use super::keys::KeyError;
use super::pin::Pin;
use super::pin_block::{PinBlockError, ShortFormat, iso4_decrypted, iso4_encrypted, short_decrypted, short_encrypted};
use super::ring::{KeyRing, ZoneUse};
use super::{CardCrypto, CryptoError, CvvSpec, IssuedPin, OF_ANOTHER_PROVIDER, Pvv, PvvSpec, StoredPin, pvv};
use crate::ambient::Random;
use crate::card::{Cvv, Pan, PinBlock, PinBlockFormat, SecretHex};

/// The form of its stored PINs: an ISO 9564-1 format 4 block under the PIN storage key.
pub const SCHEME: &str = "software/iso4";

/// Card cryptography by this process, with the keys of a ring.
#[derive(Debug, Clone)]
pub struct Software {
    ring: Arc<KeyRing>,
    pin_storage_key: String,
    pins_allowed: bool,
    random: Arc<Random>,
}

impl From<KeyError> for CryptoError {
    fn from(error: KeyError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<PinBlockError> for CryptoError {
    fn from(error: PinBlockError) -> Self {
        Self::Card(error.to_string())
    }
}

impl Software {
    /// Over a ring that holds `pin_storage_key`. `pins_allowed` is false in a live environment that does not say
    /// `allow_software_pin = true`.
    pub(super) fn new(ring: Arc<KeyRing>, pin_storage_key: String, pins_allowed: bool, random: Arc<Random>) -> Self {
        Self { ring, pin_storage_key, pins_allowed, random }
    }

    /// The key of stored PINs: the way into every PIN operation, and so the place where they are refused.
    fn pin_storage(&self) -> Result<&Aes, CryptoError> {
        if !self.pins_allowed {
            return Err(CryptoError::Configuration(
                "PINs in software are refused in a live environment, since PCI PIN does not allow a PIN in a host's \
                 memory; use a payment HSM, or set allow_software_pin = true in [vault] to take the risk"
                    .to_owned(),
            ));
        }
        Ok(self.ring.pin_storage(&self.pin_storage_key)?)
    }

    fn stored(&self, pan: &Pan, pin: &Pin) -> Result<StoredPin, CryptoError> {
        let block = iso4_encrypted(self.pin_storage()?, pan.expose(), pin, self.random.bytes());
        Ok(StoredPin { scheme: SCHEME.to_owned(), bytes: Zeroizing::new(block.to_vec()) })
    }

    fn clear(&self, pan: &Pan, stored: &StoredPin) -> Result<Pin, CryptoError> {
        let key = self.pin_storage()?;
        if stored.scheme != SCHEME {
            return Err(CryptoError::Configuration(OF_ANOTHER_PROVIDER.to_owned()));
        }
        let unreadable = || CryptoError::Card("the stored PIN does not belong to this card or this key".to_owned());
        let block = stored.bytes.as_slice().try_into().map_err(|_| unreadable())?;
        iso4_decrypted(key, pan.expose(), block).map_err(|_| unreadable())
    }

    fn made_pvv(&self, pan: &Pan, pin: &Pin, spec: &PvvSpec) -> Result<Pvv, CryptoError> {
        let key = self.ring.pvk(&spec.key_id)?;
        let digit = spec.pvki_digit()?;
        let value = Cvv::new(pvv::value(key, pan.expose(), digit - b'0', pin));
        Ok(Pvv { value, pvki: spec.pvki.clone(), key_id: spec.key_id.clone() })
    }

    /// The PIN of a block under a zone PIN key.
    fn taken(
        &self,
        pan: &Pan,
        block: &SecretHex,
        zpk: &str,
        format: PinBlockFormat,
        wanted: ZoneUse,
    ) -> Result<Pin, CryptoError> {
        let short = |format| -> Result<Pin, CryptoError> {
            let key = self.ring.zpk_tdes(zpk, wanted)?;
            Ok(short_decrypted(key, format, pan.expose(), bytes_of(block)?)?)
        };
        match format {
            PinBlockFormat::Iso0 => short(ShortFormat::Iso0),
            PinBlockFormat::Iso3 => short(ShortFormat::Iso3),
            PinBlockFormat::Iso4 => {
                let key = self.ring.zpk_aes(zpk, wanted)?;
                Ok(iso4_decrypted(key, pan.expose(), bytes_of(block)?)?)
            }
        }
    }
}

fn bytes_of<const N: usize>(block: &SecretHex) -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(block.expose(), &mut bytes)
        .map_err(|_| CryptoError::Card(format!("a PIN block of this format has {} hexadecimal digits", 2 * N)))?;
    Ok(bytes)
}

#[async_trait]
impl CardCrypto for Software {
    fn name(&self) -> &'static str {
        "software"
    }

    fn with_random(&self, random: &Arc<Random>) -> Option<Arc<dyn CardCrypto>> {
        Some(Arc::new(Self { random: Arc::clone(random), ..self.clone() }))
    }

    async fn health(&self) -> Result<(), CryptoError> {
        self.ring.pin_storage(&self.pin_storage_key)?;
        Ok(())
    }

    async fn kcv(&self, key_id: &str) -> Result<String, CryptoError> {
        let info = self.ring.info(key_id).ok_or_else(|| KeyError::Unknown { id: key_id.to_owned() })?;
        Ok(info.shown_kcv().to_owned())
    }

    async fn issue_pin(&self, pan: &Pan, pvv: Option<&PvvSpec>) -> Result<IssuedPin, CryptoError> {
        self.pin_storage()?;
        let pin = Pin::random(&self.random);
        let pvv = pvv.map(|spec| self.made_pvv(pan, &pin, spec)).transpose()?;
        Ok(IssuedPin { stored: self.stored(pan, &pin)?, pvv })
    }

    async fn pvv(&self, pan: &Pan, pin: &StoredPin, spec: &PvvSpec) -> Result<Pvv, CryptoError> {
        self.made_pvv(pan, &self.clear(pan, pin)?, spec)
    }

    async fn pin_block(
        &self,
        pan: &Pan,
        pin: &StoredPin,
        zpk: &str,
        format: PinBlockFormat,
        fill: [u8; 8],
    ) -> Result<PinBlock, CryptoError> {
        let pin = self.clear(pan, pin)?;
        let short = |format| -> Result<String, CryptoError> {
            let key = self.ring.zpk_tdes(zpk, ZoneUse::Encrypt)?;
            Ok(hex::encode_upper(*short_encrypted(key, format, pan.expose(), &pin, fill)))
        };
        let value = match format {
            PinBlockFormat::Iso0 => short(ShortFormat::Iso0)?,
            PinBlockFormat::Iso3 => short(ShortFormat::Iso3)?,
            PinBlockFormat::Iso4 => {
                let key = self.ring.zpk_aes(zpk, ZoneUse::Encrypt)?;
                hex::encode_upper(*iso4_encrypted(key, pan.expose(), &pin, fill))
            }
        };
        Ok(PinBlock { format, key_id: zpk.to_owned(), value: SecretHex::new(value) })
    }

    async fn import_pin(
        &self,
        pan: &Pan,
        block: &SecretHex,
        zpk: &str,
        format: PinBlockFormat,
    ) -> Result<StoredPin, CryptoError> {
        self.pin_storage()?;
        let pin = self.taken(pan, block, zpk, format, ZoneUse::Decrypt)?;
        if !pin.is_issuable() {
            return Err(CryptoError::Card("the PIN in the block does not have 4 digits".to_owned()));
        }
        self.stored(pan, &pin)
    }

    async fn cvv(&self, pan: &Pan, spec: &CvvSpec<'_>) -> Result<Cvv, CryptoError> {
        let key = self.ring.cvk(spec.key_id)?;
        let (expiry, service_code) = spec.digits()?;
        Ok(Cvv::new(key.value(pan.expose(), &expiry, service_code)))
    }

    async fn verify_block(&self, pan: &Pan, pin: &StoredPin, block: &PinBlock) -> Result<bool, CryptoError> {
        let stored = self.clear(pan, pin)?;
        match self.taken(pan, &block.value, &block.key_id, block.format, ZoneUse::Compare) {
            Ok(pin) => Ok(pin.is(&stored)),
            // A block that holds no PIN for this card does not hold the stored one.
            Err(CryptoError::Card(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
