//! Every connection to every payShield of a configuration, and which of them a command goes over.
//!
//! Invariants: nothing is connected to before the first command; every new connection has shown the configured LMK
//! before a command goes over it; no wait is without an end.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use super::command::{Class, Command, Reply};
use super::connection::Connection;
use super::device::Device;
use super::fault::{Cause, Fault};
use super::header::{self, Headers};
use super::pace::Pace;
use super::roster::Roster;
use super::tls::{Tls, TlsFiles};
use super::{asking, reply};
use crate::vault::CryptoError;
use crate::vault::settings::PayShieldSettings;

/// Before a device is tried again that just failed, where there is no other; the second time twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a command may wait for a connection that is free, and for its turn.
const QUEUE: Duration = Duration::from_secs(600);

/// The connections to all devices.
#[derive(Debug)]
pub struct Pool {
    devices: Vec<Address>,
    connections: usize,
    tls: Option<Tls>,
    lmk_check_value: String,
    attempts: u32,
    patience: Duration,
    headers: Arc<Headers>,
    pace: Pace,
    roster: Arc<Mutex<Roster<Connection>>>,
    freed: Notify,
}

impl Pool {
    /// A pool that has no connections yet.
    ///
    /// # Errors
    /// A device that is none, TLS files that do not do: every reason, as sentences.
    pub fn of(settings: &PayShieldSettings, tls: Option<&TlsFiles>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut devices: Vec<Address> = Vec::new();
        for device in &settings.devices {
            match device.parse() {
                Ok(address) => devices.push(address),
                Err(should) => faults.push(format!("payshield.devices: {device:?} {should}")),
            }
        }
        if settings.devices.is_empty() {
            faults.push("payshield.devices names none".to_owned());
        }
        if settings.tls.is_some() && tls.is_none() {
            faults.push("payshield.tls is set, and its files were not read".to_owned());
        }
        let tls = tls.map(Tls::of).transpose().map_err(|fault| faults.push(fault)).unwrap_or_default();
        if !faults.is_empty() {
            return Err(faults);
        }
        // Never more in flight than there are headers for.
        let headers = usize::try_from(header::different(settings.header_length)).unwrap_or(usize::MAX);
        let connections = (settings.connections as usize).min(headers / devices.len()).max(1);
        Ok(Self {
            connections,
            tls,
            lmk_check_value: settings.lmk_check_value.to_ascii_uppercase(),
            attempts: settings.attempts.max(1),
            patience: Duration::from_millis(u64::from(settings.timeout_ms)),
            headers: Headers::of_length(settings.header_length, 0),
            pace: Pace::of(settings.commands_per_s),
            roster: Arc::new(Mutex::new(Roster::of(devices.len(), connections))),
            devices,
            freed: Notify::new(),
        })
    }

    /// The same, its headers counted on from a number. Drawn anew for each process, it keeps two of them from asking under
    /// the same headers: what stands between them and a device may put both on one line, and lose its way among them.
    #[must_use]
    pub fn counting_from(self, number: u64) -> Self {
        Self { headers: self.headers.counting_from(number), ..self }
    }

    fn roster(&self) -> MutexGuard<'_, Roster<Connection>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries until an answer comes or the attempts are used up.
    async fn tried(&self, command: &Command) -> Result<Reply, CryptoError> {
        let mut left = self.attempts;
        // A device that was not even asked costs no attempt while there is another one.
        let mut free = self.devices.len() - 1;
        let mut faults = BTreeMap::new();
        for pause in 0_u32.. {
            let turn = self.turn().await;
            let device = turn.device;
            let fault = match self.over(turn, command).await {
                Ok(reply) => return Ok(reply),
                Err(fault) => fault,
            };
            let asked = fault.command.as_deref() == Some(command.code());
            faults.insert(device, fault);
            if !asked && free > 0 {
                free -= 1;
            } else {
                left -= 1;
            }
            let hopeless = faults.len() == self.devices.len() && faults.values().all(Fault::is_of_configuration);
            if left == 0 || hopeless {
                break;
            }
            if self.roster().all_left_alone(Instant::now()) {
                sleep(PAUSE * 2_u32.saturating_pow(pause.min(4))).await;
            }
        }
        Err(all(faults.values()))
    }

    /// Waits for a device that may be asked.
    async fn turn(&self) -> Turn<'_> {
        loop {
            // Waiting begins before the look: what is freed in between would be missed.
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some((device, idle)) = self.roster().take(Instant::now()) {
                return Turn { pool: self, device, idle };
            }
            freed.await;
        }
    }

    /// Asks one device. Where that fails, it is left alone for a while.
    async fn over(&self, mut turn: Turn<'_>, command: &Command) -> Result<Reply, Fault> {
        let device = turn.device;
        let idle = turn.idle.take();
        match self.asked(device, idle, command).await {
            Ok((connection, reply)) => {
                if self.roster().keep(device, connection, Instant::now()) {
                    self.watch_idle();
                }
                // 01 is how a question is answered with no.
                if Class::of(&reply.error) == Class::Configuration && reply.error != "01" {
                    let (device, letters, code) = (&self.devices[device], command.code(), &reply.error);
                    tracing::warn!("payment HSM {device} answers {letters} with error {code}");
                }
                Ok(reply)
            }
            Err(fault) => {
                if self.roster().leave_alone(device, Instant::now()) {
                    tracing::warn!("{fault}; it is left alone for a while where there is another one");
                }
                Err(fault)
            }
        }
    }

    /// Closes connections that nobody used for a while, until there are none: `emboss schedule` waits for a whole day.
    fn watch_idle(&self) {
        let idle_max = self.roster().idle_max;
        let roster = Arc::downgrade(&self.roster);
        tokio::spawn(async move {
            loop {
                sleep(idle_max).await;
                let Some(roster) = roster.upgrade() else { return };
                if !roster.lock().unwrap_or_else(PoisonError::into_inner).close_idle(Instant::now()) {
                    return;
                }
            }
        });
    }

    async fn asked(
        &self,
        device: usize,
        idle: Option<Connection>,
        command: &Command,
    ) -> Result<(Connection, Reply), Fault> {
        let quiet = match idle {
            Some(idle) => idle.quiet().await,
            None => None,
        };
        let connection = match quiet {
            Some(connection) => connection,
            None => self.connected(device).await?,
        };
        self.exchanged(device, connection, command).await
    }

    /// A new connection, to a device that has the configured LMK.
    async fn connected(&self, device: usize) -> Result<Connection, Fault> {
        let opened = Connection::open(&self.devices[device], self.tls.as_ref(), self.patience).await;
        let connection =
            opened.map_err(|cause| Fault { device: self.devices[device].clone(), command: None, cause })?;
        let first = self.exchanged(device, connection, &asking::diagnostics()).await;
        // With TLS 1.3 a device that does not believe our certificate says so only after its side of TLS is done.
        let (connection, _) = first.map_err(|fault| match (fault.cause, &self.tls) {
            (Cause::Lost(error), Some(_)) => Fault { cause: Cause::TurnedAway(error), ..fault },
            (cause, _) => Fault { cause, ..fault },
        })?;
        Ok(connection)
    }

    /// Asks over a connection, which comes back with an answer that says nothing against its device.
    async fn exchanged(
        &self,
        device: usize,
        connection: Connection,
        command: &Command,
    ) -> Result<(Connection, Reply), Fault> {
        self.pace.turn().await;
        let header = self.headers.next();
        let exchanged = connection.exchange(&header, command, self.patience).await;
        let exchanged = exchanged.and_then(|(connection, reply)| match self.why_unusable(command, &reply) {
            None => Ok((connection, reply)),
            Some(cause) => Err(cause),
        });
        exchanged.map_err(|cause| Fault {
            device: self.devices[device].clone(),
            command: Some(command.code().to_owned()),
            cause,
        })
    }

    /// Why a device that answers so is not to be used now.
    fn why_unusable(&self, command: &Command, reply: &Reply) -> Option<Cause> {
        if Class::of(&reply.error) == Class::Transient {
            return Some(Cause::Busy(reply.error.clone()));
        }
        if command.code() != asking::diagnostics().code() {
            return None;
        }
        match reply::diagnostics(reply) {
            Ok(told) if told.lmk_check_value.starts_with(&self.lmk_check_value) => None,
            Ok(told) => Some(Cause::OtherLmk(told.lmk_check_value)),
            Err(error) => Some(Cause::Unusable(error.to_string())),
        }
    }
}

#[async_trait]
impl Device for Pool {
    async fn ask(&self, command: &Command) -> Result<Reply, CryptoError> {
        let tries = self.attempts.saturating_add(u32::try_from(self.devices.len()).unwrap_or(u32::MAX));
        // Connection, NC and the command itself, each of them with a pause before it at most.
        let longest = QUEUE + (self.patience * 3 + PAUSE * 16).saturating_mul(tries);
        timeout(longest, self.tried(command)).await.unwrap_or_else(|_| {
            let letters = command.code();
            Err(CryptoError::Transient(format!(
                "no payment HSM had time for {letters} within {} s: raise connections or commands_per_s of [vault.payshield], or add a device",
                longest.as_secs()
            )))
        })
    }

    fn at_once(&self) -> usize {
        self.connections * self.devices.len()
    }

    async fn health(&self) -> Result<(), CryptoError> {
        self.ask(&asking::diagnostics()).await.map(drop)
    }
}

/// A place at a device, given back when it is dropped.
struct Turn<'a> {
    pool: &'a Pool,
    device: usize,
    idle: Option<Connection>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pool.roster().free(self.device);
        self.pool.freed.notify_one();
    }
}

/// What each device did, and a class that says whether another run may help.
fn all<'a>(faults: impl Iterator<Item = &'a Fault> + Clone) -> CryptoError {
    let texts: Vec<String> = faults.clone().map(ToString::to_string).collect();
    let text = texts.join("; ");
    if faults.clone().all(Fault::is_of_configuration) {
        CryptoError::Configuration(text)
    } else {
        CryptoError::Transient(text)
    }
}

#[cfg(test)]
mod tests;
