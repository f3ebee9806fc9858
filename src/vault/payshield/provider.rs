//! Card cryptography by a payment HSM: one device command, or two, for each thing that is asked.
//!
//! Invariants (R39): a PIN is never clear here, and never in an error; it is stored as it stands under the LMK, with that
//! LMK's check value beside it, so that a PIN of another LMK is told from one that is damaged. A key goes into a command
//! only for its usage, and with an algorithm that fits the PIN block format.
//!
//! Why importing takes two commands: only PINs of four digits are taken in, and a PIN under the LMK does not tell its
//! length. The device tells it where it translates a block (CC), which switches use for the same end, so the block is
//! first translated to its own key and format, for the length alone. Under a key-block LMK that key therefore needs a
//! mode of use for both directions (B or N).
//!
//! Fill is drawn by the device: composing again gives other PIN blocks of formats 3 and 4, of the same PINs.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::command::{Command, Reply};
use super::device::Device;
use super::field::{PinUnderLmk, ZoneBlock};
use super::key::LmkKey;
use super::{asking, reply};
use crate::card::{Cvv, Pan, PinBlock, PinBlockFormat, SecretHex};
use crate::vault::kbpk::same_kcv;
use crate::vault::keys::KeyError;
use crate::vault::pin::ISSUED_LENGTH;
use crate::vault::ring::KeyRing;
use crate::vault::{
    CardCrypto, CryptoError, CvvSpec, IssuedPin, KeyUsage, OF_ANOTHER_PROVIDER, Pvv, PvvSpec, StoredPin,
};

/// Before the first six digits of the LMK's check value, the form of its stored PINs.
const SCHEME_PREFIX: &str = "payshield/lmk-";

/// Card cryptography by a payShield, with the keys of a ring.
#[derive(Debug, Clone)]
pub struct PayShield {
    ring: Arc<KeyRing>,
    scheme: String,
    device: Arc<dyn Device>,
}

impl PayShield {
    /// Over a ring with keys under the LMK whose check value is given, as NC shows it.
    pub fn new(ring: Arc<KeyRing>, lmk_check_value: &str, device: Arc<dyn Device>) -> Self {
        let shown = lmk_check_value.get(..6).unwrap_or(lmk_check_value).to_ascii_uppercase();
        Self { ring, scheme: format!("{SCHEME_PREFIX}{shown}"), device }
    }

    async fn ask(&self, command: Command) -> Result<Reply, CryptoError> {
        self.device.ask(&command).await
    }

    fn stored(&self, pin: &PinUnderLmk) -> StoredPin {
        StoredPin { scheme: self.scheme.clone(), bytes: Zeroizing::new(pin.as_str().as_bytes().to_vec()) }
    }

    /// The PIN as it stands in commands.
    fn under_lmk(&self, stored: &StoredPin) -> Result<PinUnderLmk, CryptoError> {
        if stored.scheme != self.scheme {
            return Err(CryptoError::Configuration(self.of_another(&stored.scheme)));
        }
        PinUnderLmk::read(&stored.bytes)
            .ok_or_else(|| CryptoError::Card("the stored PIN is not of the form a payment HSM gives it".to_owned()))
    }

    fn of_another(&self, scheme: &str) -> String {
        let lmk = |scheme: &str| scheme.strip_prefix(SCHEME_PREFIX).map(str::to_owned);
        match (lmk(scheme), lmk(&self.scheme)) {
            (Some(other), Some(own)) if other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!(
                "the stored PIN is under an LMK with check value {other}, and the configured one has {own}; use a \
                 device with that LMK, or give the card a new PIN"
            ),
            _ => OF_ANOTHER_PROVIDER.to_owned(),
        }
    }

    fn pvk(&self, spec: &PvvSpec) -> Result<&LmkKey, CryptoError> {
        Ok(self.ring.under_lmk(&spec.key_id, KeyUsage::PinVerification)?)
    }

    /// A zone PIN key with an algorithm that fits a format.
    fn zpk(&self, id: &str, format: PinBlockFormat) -> Result<&LmkKey, CryptoError> {
        let key = self.ring.under_lmk(id, KeyUsage::PinEncryption)?;
        let algorithm = self.ring.info(id).ok_or_else(|| KeyError::Unknown { id: id.to_owned() })?.algorithm;
        let needed = match format {
            PinBlockFormat::Iso0 | PinBlockFormat::Iso3 if algorithm.is_tdes() => return Ok(key),
            PinBlockFormat::Iso4 if algorithm.is_aes() => return Ok(key),
            PinBlockFormat::Iso0 | PinBlockFormat::Iso3 => "a TDES key, for PIN block formats 0 and 3,",
            PinBlockFormat::Iso4 => "an AES key, for PIN block format 4,",
        };
        Err(KeyError::WrongAlgorithm { id: id.to_owned(), algorithm, needed }.into())
    }

    async fn made_pvv(&self, pan: &Pan, pin: &PinUnderLmk, spec: &PvvSpec) -> Result<Pvv, CryptoError> {
        let command = asking::pvv(self.pvk(spec)?, pin, pan, spec.pvki_digit()?.into());
        let value = reply::pvv(&self.ask(command).await?)?;
        Ok(Pvv { value, pvki: spec.pvki.clone(), key_id: spec.key_id.clone() })
    }
}

#[async_trait]
impl CardCrypto for PayShield {
    fn name(&self) -> &'static str {
        "payshield"
    }

    fn at_once(&self) -> usize {
        self.device.at_once()
    }

    async fn health(&self) -> Result<(), CryptoError> {
        self.device.health().await
    }

    async fn kcv(&self, key_id: &str) -> Result<String, CryptoError> {
        let info = self.ring.info(key_id).ok_or_else(|| KeyError::Unknown { id: key_id.to_owned() })?;
        let key = match self.ring.under_lmk(key_id, info.usage) {
            Ok(key) => key,
            // A key of this process was checked when its block was opened.
            Err(KeyError::NotUnderLmk { .. }) => return Ok(info.shown_kcv().to_owned()),
            Err(error) => return Err(error.into()),
        };
        let kcv = reply::check_value(&self.ask(asking::check_value(key, info.usage)).await?)?;
        if same_kcv(&info.kcv, &kcv) {
            return Ok(kcv);
        }
        Err(CryptoError::Configuration(format!(
            "key {key_id} has check value {kcv} in the payment HSM, the configuration says {}",
            info.shown_kcv()
        )))
    }

    async fn issue_pin(&self, pan: &Pan, pvv: Option<&PvvSpec>) -> Result<IssuedPin, CryptoError> {
        if let Some(spec) = pvv {
            self.pvk(spec)?;
            spec.pvki_digit()?;
        }
        let pin = reply::random_pin(&self.ask(asking::random_pin(pan)).await?)?;
        let pvv = match pvv {
            Some(spec) => Some(self.made_pvv(pan, &pin, spec).await?),
            None => None,
        };
        Ok(IssuedPin { stored: self.stored(&pin), pvv })
    }

    async fn pvv(&self, pan: &Pan, pin: &StoredPin, spec: &PvvSpec) -> Result<Pvv, CryptoError> {
        self.made_pvv(pan, &self.under_lmk(pin)?, spec).await
    }

    async fn pin_block(
        &self,
        pan: &Pan,
        pin: &StoredPin,
        zpk: &str,
        format: PinBlockFormat,
        _fill: [u8; 8],
    ) -> Result<PinBlock, CryptoError> {
        let command = asking::pin_to_zone(self.zpk(zpk, format)?, format, pan, &self.under_lmk(pin)?);
        let value = reply::pin_to_zone(&self.ask(command).await?, format)?;
        Ok(PinBlock { format, key_id: zpk.to_owned(), value })
    }

    async fn import_pin(
        &self,
        pan: &Pan,
        block: &SecretHex,
        zpk: &str,
        format: PinBlockFormat,
    ) -> Result<StoredPin, CryptoError> {
        let key = self.zpk(zpk, format)?;
        let block = ZoneBlock::read(block.expose(), format)?;
        let length = reply::pin_length(&self.ask(asking::pin_length(key, &block, pan)).await?, format)?;
        if usize::from(length) != ISSUED_LENGTH {
            return Err(CryptoError::Card("the PIN in the block does not have 4 digits".to_owned()));
        }
        let pin = reply::pin_from_zone(&self.ask(asking::pin_from_zone(key, &block, pan)).await?)?;
        Ok(self.stored(&pin))
    }

    async fn cvv(&self, pan: &Pan, spec: &CvvSpec<'_>) -> Result<Cvv, CryptoError> {
        let key = self.ring.under_lmk(spec.key_id, KeyUsage::CardVerification)?;
        let (expiry, service_code) = spec.digits()?;
        reply::cvv(&self.ask(asking::cvv(key, pan, &expiry, service_code)).await?)
    }

    async fn verify_block(&self, pan: &Pan, pin: &StoredPin, block: &PinBlock) -> Result<bool, CryptoError> {
        let (key, pin) = (self.zpk(&block.key_id, block.format)?, self.under_lmk(pin)?);
        // A block that holds no PIN does not hold the stored one.
        let Ok(block) = ZoneBlock::read(block.value.expose(), block.format) else { return Ok(false) };
        reply::holds_pin(&self.ask(asking::holds_pin(key, &block, pan, &pin)).await?)
    }
}

#[cfg(test)]
mod tests;
