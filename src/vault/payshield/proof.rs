//! Whether a payShield does everything that nights ask of it, found out by asking.
//!
//! Invariants: each device is asked over a connection of its own, whatever stands for it at night; what it makes is for
//! card numbers that nobody has, and is forgotten; nothing that is found holds a PIN, a PIN block, a PVV or a CVV.
//!
//! Cryptograms say nothing until a device opens them, so a wrong file, a mode of use that is not enough, or a command
//! that is not licensed would otherwise be found out by a night.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::command::Command;
use super::device::Device;
use super::field::ZoneBlock;
use super::pool::Pool;
use super::provider::PayShield;
use super::tls::TlsFiles;
use super::{asking, reply};
use crate::agreement::Cvv2Expiry;
use crate::ambient::Random;
use crate::card::{Expiry, Pan, PinBlockFormat};
use crate::vault::ring::KeyRing;
use crate::vault::settings::PayShieldSettings;
use crate::vault::{CardCrypto, CryptoError, CvvSpec, KeyUsage, PvvSpec};

/// The card number of `check_cvv`, a test number.
pub const CHECKED_PAN: &str = "4000001234567899";
/// Its expiry, YYMM: December 2029.
pub const CHECKED_EXPIRY: &str = "2912";
/// Its service code.
pub const CHECKED_SERVICE_CODE: &str = "201";

/// The card number of the PINs that are made to try a device out.
const NOBODYS_PAN: &str = "0000000000000000";

/// The longest that one device may take.
const LONGEST: Duration = Duration::from_secs(60);

/// The keys that agreements need of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProofKeys {
    /// Card verification keys, each with the CVV it must make of the checked card, where that is known.
    pub cvks: Vec<(String, Option<String>)>,
    /// PIN verification keys.
    pub pvks: Vec<PvvSpec>,
    /// Zone PIN keys of houses, with the PIN block format that each is for.
    pub zpks: Vec<(String, PinBlockFormat)>,
}

/// What one device did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// `HOST:PORT`.
    pub device: String,
    /// In the order in which they were taken.
    pub steps: Vec<Step>,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The commands and keys, for example `CW with cvv-1`.
    pub name: String,
    /// What was found.
    pub found: Found,
}

/// What a step found: sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As it must be.
    Right(String),
    /// No night needs it to be otherwise.
    Odd(String),
    /// A night would not go well.
    Wrong(String),
}

/// The devices of a configuration, with the keys they are asked to use.
#[derive(Debug)]
pub(in crate::vault) struct Devices {
    pub(in crate::vault) ring: Arc<KeyRing>,
    pub(in crate::vault) settings: PayShieldSettings,
    pub(in crate::vault) tls: Option<TlsFiles>,
    pub(in crate::vault) random: Arc<Random>,
}

impl Devices {
    /// Card cryptography by all of them, and how they are asked.
    pub(in crate::vault) fn provider(&self) -> Result<(PayShield, Arc<Pool>), Vec<String>> {
        self.provider_over(&self.settings)
    }

    fn provider_over(&self, settings: &PayShieldSettings) -> Result<(PayShield, Arc<Pool>), Vec<String>> {
        let first_header = u64::from_le_bytes(self.random.bytes());
        let pool = Arc::new(Pool::of(settings, self.tls.as_ref())?.counting_from(first_header));
        let device: Arc<dyn Device> = Arc::clone(&pool) as _;
        Ok((PayShield::new(Arc::clone(&self.ring), &settings.lmk_check_value, device), pool))
    }

    /// Proves one after another.
    pub(in crate::vault) async fn prove(&self, keys: &ProofKeys) -> Vec<Proof> {
        let mut proofs = Vec::new();
        for device in &self.settings.devices {
            let devices = vec![device.clone()];
            let alone = PayShieldSettings { devices, connections: 1, attempts: 1, ..self.settings.clone() };
            let mut steps = Vec::new();
            match self.provider_over(&alone) {
                Ok((provider, pool)) => {
                    let trial = Trial { ring: &self.ring, connections: self.settings.connections, provider, pool };
                    if timeout(LONGEST, trial.run(keys, &mut steps)).await.is_err() {
                        let text = format!("did not come to its end within {} s", LONGEST.as_secs());
                        steps.push(Step { name: "the proof".to_owned(), found: Found::Wrong(text) });
                    }
                }
                Err(faults) => {
                    let wrong = |text| Step { name: "settings".to_owned(), found: Found::Wrong(text) };
                    steps.extend(faults.into_iter().map(wrong));
                }
            }
            proofs.push(Proof { device: device.clone(), steps });
        }
        proofs
    }
}

/// One device being tried.
struct Trial<'a> {
    ring: &'a KeyRing,
    connections: u32,
    provider: PayShield,
    pool: Arc<Pool>,
}

impl Trial<'_> {
    /// Takes every step. One that a device does not answer is the last: the others would wait as long.
    async fn run(&self, keys: &ProofKeys, steps: &mut Vec<Step>) {
        // Without the right LMK nothing else can be right.
        note(steps, "NC".to_owned(), self.diagnostics().await);
        if steps.iter().any(Step::is_wrong) {
            return;
        }
        if !note(steps, "NO".to_owned(), self.status().await) {
            return;
        }
        for key in self.ring.infos().filter(|key| key.usage.is_of_cards()) {
            if !note(steps, format!("BU with {}", key.id), self.check_value(&key.id).await) {
                return;
            }
        }
        // As many pairs as every key needs to be in one.
        let pairs = if keys.pvks.is_empty() || keys.zpks.is_empty() { 0 } else { keys.pvks.len().max(keys.zpks.len()) };
        let pairs = keys.pvks.iter().cycle().zip(keys.zpks.iter().cycle()).take(pairs);
        for (pvk, (zpk, format)) in pairs {
            let name = format!("JA, DG, JG and EC with {} and {zpk}", pvk.key_id);
            if !note(steps, name, self.round_trip(pvk, zpk, *format).await) {
                return;
            }
        }
        for (cvk, expected) in &keys.cvks {
            if !note(steps, format!("CW with {cvk}"), self.cvv(cvk, expected.as_deref()).await) {
                return;
            }
        }
    }

    async fn ask(&self, command: Command) -> Result<super::command::Reply, CryptoError> {
        self.pool.ask(&command).await
    }

    async fn diagnostics(&self) -> Result<Found, CryptoError> {
        let told = reply::diagnostics(&self.ask(asking::diagnostics()).await?)?;
        let text = format!("its LMK has check value {}, its firmware is {}", told.lmk_check_value, told.firmware);
        Ok(Found::Right(text))
    }

    async fn status(&self) -> Result<Found, CryptoError> {
        let told = match reply::status(&self.ask(asking::status()).await?) {
            Ok(told) => told,
            Err(error) => return Ok(Found::Odd(error.to_string())),
        };
        Ok(room_for(self.connections, told.sockets))
    }

    async fn check_value(&self, key: &str) -> Result<Found, CryptoError> {
        let kcv = self.provider.kcv(key).await?;
        Ok(Found::Right(format!("its check value is {kcv}, as configured")))
    }

    /// A PIN, its PVV, its block for a house, and whether the one is that of the other.
    async fn round_trip(&self, spec: &PvvSpec, zpk: &str, format: PinBlockFormat) -> Result<Found, CryptoError> {
        let pan = test_pan(NOBODYS_PAN)?;
        let issued = self.provider.issue_pin(&pan, Some(spec)).await?;
        let block = self.provider.pin_block(&pan, &issued.stored, zpk, format, [0; 8]).await?;
        let block = ZoneBlock::read(block.value.expose(), format)?;
        let (Some(pvv), Some(pvki)) = (&issued.pvv, spec.pvki.chars().next()) else {
            return Ok(Found::Wrong("a PVV was asked for, and none came".to_owned()));
        };
        let pvk = self.ring.under_lmk(&spec.key_id, KeyUsage::PinVerification)?;
        let zpk = self.ring.under_lmk(zpk, KeyUsage::PinEncryption)?;
        let command = asking::has_pvv(zpk, pvk, &block, &pan, pvki, pvv.value.expose());
        Ok(if reply::has_pvv(&self.ask(command).await?)? {
            Found::Right("a PIN block made for a house holds the PIN that was made".to_owned())
        } else {
            Found::Wrong(
                "the PIN block of JG does not have the PVV of DG; compare the device's PIN settings and its firmware with those of the others".to_owned(),
            )
        })
    }

    async fn cvv(&self, key_id: &str, expected: Option<&str>) -> Result<Found, CryptoError> {
        let pan = test_pan(CHECKED_PAN)?;
        let expiry = Expiry::new(2029, 12)
            .ok_or_else(|| CryptoError::Configuration("the checked card has no expiry".to_owned()))?;
        let spec = CvvSpec { key_id, expiry, order: Cvv2Expiry::Yymm, service_code: CHECKED_SERVICE_CODE };
        let first = self.provider.cvv(&pan, &spec).await?;
        let again = self.provider.cvv(&pan, &spec).await?;
        Ok(match expected {
            _ if first != again => Found::Wrong("it made two CVVs of one card; take the device out".to_owned()),
            Some(expected) if first.expose() == expected => Found::Right("it makes check_cvv".to_owned()),
            Some(_) => Found::Wrong(
                "it does not make check_cvv; the file has another key, or the CVV was written down of another card"
                    .to_owned(),
            ),
            None => Found::Right(
                "it makes the same CVV twice; without check_cvv nobody knows whether the right one".to_owned(),
            ),
        })
    }
}

impl Step {
    fn is_wrong(&self) -> bool {
        matches!(self.found, Found::Wrong(_))
    }
}

/// Whether a device has room for our connections; others may need theirs as well.
fn room_for(connections: u32, taken: u32) -> Found {
    if taken >= connections {
        Found::Right(format!("it takes {taken} connections at once"))
    } else {
        Found::Odd(format!("it takes {taken} connections at once, connections is {connections}; lower that"))
    }
}

/// Adds a step; `false` where the device did not answer.
fn note(steps: &mut Vec<Step>, name: String, found: Result<Found, CryptoError>) -> bool {
    let answered = !matches!(found, Err(CryptoError::Transient(_)));
    let found = found.unwrap_or_else(|error| Found::Wrong(error.to_string()));
    steps.push(Step { name, found });
    answered
}

fn test_pan(digits: &str) -> Result<Pan, CryptoError> {
    Pan::parse(digits).map_err(|error| CryptoError::Configuration(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_with_fewer_connections_than_configured_is_odd() {
        assert_eq!(room_for(4, 4), Found::Right("it takes 4 connections at once".to_owned()));
        let text = "it takes 3 connections at once, connections is 4; lower that";
        assert_eq!(room_for(4, 3), Found::Odd(text.to_owned()));
    }
}
