//! Card cryptography that misbehaves as a device does: several answers at once and out of order, cards it refuses, and
//! a device that dies, falls silent or comes back. What it answers in the end is the configured provider's.
#![allow(dead_code, reason = "every test file uses another part of this")]
#![allow(unreachable_pub, reason = "shared between test files")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use emboss::ambient::Random;
use emboss::card::{Cvv, Pan, PinBlock, PinBlockFormat, SecretHex};
use emboss::night::Night;
use emboss::vault::{CardCrypto, CryptoError, CvvSpec, IssuedPin, Pvv, PvvSpec, StoredPin};
use tokio::sync::Semaphore;

/// After this long a device that does not answer is given up, as a provider's own limits do.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is asked of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Whether it is there.
    Health,
    /// A PIN with its PVV.
    Issue,
    /// A PIN block.
    Block,
    /// A card verification value.
    Cvv,
}

/// How a device ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its connections break.
    Dies,
    /// It takes commands and answers none.
    Stalls,
    /// It answers that a key is wrong.
    LosesItsKeys,
}

/// What goes wrong, and what was seen.
#[derive(Debug, Default)]
struct State {
    /// The device ends before it answers so many of these.
    ends: Option<(Asked, usize, End)>,
    ended: Option<End>,
    /// Cards it never answers for, by the beginning of their number.
    silent_for: Option<String>,
    /// Cards it makes no PIN for, by number.
    refused: BTreeSet<String>,
    asked: BTreeMap<Asked, usize>,
    answered: BTreeMap<Asked, usize>,
    /// PINs it made, by card number.
    issued: BTreeMap<String, usize>,
    most: usize,
}

#[derive(Debug)]
struct Rig {
    at_once: usize,
    connections: Semaphore,
    at_work: AtomicUsize,
    state: Mutex<State>,
    /// Told of every question.
    watch: Mutex<Option<Watch>>,
}

/// Is told what the device is asked.
#[derive(Clone)]
struct Watch(Arc<dyn Fn(Asked, usize) + Send + Sync>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

/// The device around the configured provider.
#[derive(Debug, Clone)]
pub struct RiggedCrypto {
    inner: Arc<dyn CardCrypto>,
    rig: Arc<Rig>,
}

impl RiggedCrypto {
    /// Puts a device that answers so many at once before a night.
    pub fn into(night: &mut Night, at_once: usize) -> Self {
        let rig = Rig {
            at_once,
            connections: Semaphore::new(at_once),
            at_work: AtomicUsize::new(0),
            state: Mutex::default(),
            watch: Mutex::default(),
        };
        let rigged = Self { inner: Arc::clone(night.vault.crypto()), rig: Arc::new(rig) };
        rigged.serve(night);
        rigged
    }

    /// Puts the same device before another night.
    pub fn serve(&self, night: &mut Night) {
        night.vault = Arc::new(night.vault.with_crypto(Arc::new(self.clone())));
    }

    /// It ends before it gives its `number`th answer (1 and up) of a kind.
    pub fn ends_at(&self, asked: Asked, number: usize, end: End) {
        self.state(|state| state.ends = Some((asked, number, end)));
    }

    /// It is there again.
    pub fn comes_back(&self) {
        self.state(|state| (state.ends, state.ended) = (None, None));
    }

    /// It makes no PIN for this card number.
    pub fn refuses(&self, pan: &str) {
        self.state(|state| state.refused.insert(pan.to_owned()));
    }

    /// It answers nothing about cards whose number begins so.
    pub fn is_silent_for(&self, prefix: &str) {
        self.state(|state| state.silent_for = Some(prefix.to_owned()));
    }

    /// Calls this with every question and how many of its kind there were.
    pub fn watched_by(&self, watch: impl Fn(Asked, usize) + Send + Sync + 'static) {
        *self.rig.watch.lock().expect("not poisoned") = Some(Watch(Arc::new(watch)));
    }

    /// How many questions of a kind it was asked.
    pub fn asked(&self, asked: Asked) -> usize {
        self.state(|state| state.asked.get(&asked).copied().unwrap_or_default())
    }

    /// How many of them it answered well.
    pub fn answered(&self, asked: Asked) -> usize {
        self.state(|state| state.answered.get(&asked).copied().unwrap_or_default())
    }

    /// The PINs it made, by card number.
    pub fn issued(&self) -> BTreeMap<String, usize> {
        self.state(|state| state.issued.clone())
    }

    /// The most questions that waited for an answer at the same time.
    pub fn most_at_once(&self) -> usize {
        self.state(|state| state.most)
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.rig.state.lock().expect("not poisoned"))
    }

    /// Takes a question: waits for a connection, then for others to be quicker, unless the device ends.
    async fn take(&self, asked: Asked, pan: Option<&Pan>) -> Result<(), CryptoError> {
        let waiting = self.rig.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        let number = self.state(|state| {
            state.most = state.most.max(waiting);
            let number = state.asked.entry(asked).or_default();
            *number += 1;
            *number
        });
        let watch = self.rig.watch.lock().expect("not poisoned").clone();
        if let Some(watch) = watch {
            (watch.0)(asked, number);
        }
        let connection = self.rig.connections.acquire().await.expect("never closed");
        if self.rig.at_once > 1 {
            // Some are slow: later questions are answered before them.
            for _ in 0..(number % 3) * 5 {
                tokio::task::yield_now().await;
            }
        }
        let answered = answer(self.state(|state| state.end_at(asked, pan))).await;
        drop(connection);
        self.rig.at_work.fetch_sub(1, Ordering::SeqCst);
        answered
    }
}

impl State {
    /// Whether the device is at its end before this answer.
    fn end_at(&mut self, asked: Asked, pan: Option<&Pan>) -> Option<End> {
        let is_of = |prefix: &String| pan.is_some_and(|pan| pan.expose().starts_with(prefix));
        if self.silent_for.as_ref().is_some_and(is_of) {
            return Some(End::Stalls);
        }
        let answered = self.answered.entry(asked).or_default();
        if let Some((_, _, end)) = self.ends.filter(|(at, number, _)| *at == asked && *answered + 1 >= *number) {
            self.ended.get_or_insert(end);
        }
        if self.ended.is_none() {
            *answered += 1;
        }
        self.ended
    }
}

async fn answer(ended: Option<End>) -> Result<(), CryptoError> {
    match ended {
        None => Ok(()),
        Some(End::Dies) => Err(CryptoError::Transient("the device does not answer: connection reset".to_owned())),
        Some(End::Stalls) => {
            tokio::time::sleep(PATIENCE).await;
            Err(CryptoError::Transient("the device does not answer: no reply in time".to_owned()))
        }
        Some(End::LosesItsKeys) => Err(CryptoError::Configuration("the device says 10: key parity".to_owned())),
    }
}

#[async_trait]
impl CardCrypto for RiggedCrypto {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn with_random(&self, random: &Arc<Random>) -> Option<Arc<dyn CardCrypto>> {
        let inner = self.inner.with_random(random)?;
        Some(Arc::new(Self { inner, rig: Arc::clone(&self.rig) }))
    }

    fn at_once(&self) -> usize {
        self.rig.at_once
    }

    async fn health(&self) -> Result<(), CryptoError> {
        self.take(Asked::Health, None).await?;
        self.inner.health().await
    }

    async fn kcv(&self, key_id: &str) -> Result<String, CryptoError> {
        self.inner.kcv(key_id).await
    }

    async fn issue_pin(&self, pan: &Pan, pvv: Option<&PvvSpec>) -> Result<IssuedPin, CryptoError> {
        if self.state(|state| state.refused.contains(pan.expose())) {
            return Err(CryptoError::Card("the device says 24: the PIN is not possible".to_owned()));
        }
        self.take(Asked::Issue, Some(pan)).await?;
        let issued = self.inner.issue_pin(pan, pvv).await?;
        self.state(|state| *state.issued.entry(pan.expose().to_owned()).or_default() += 1);
        Ok(issued)
    }

    async fn pvv(&self, pan: &Pan, pin: &StoredPin, spec: &PvvSpec) -> Result<Pvv, CryptoError> {
        self.inner.pvv(pan, pin, spec).await
    }

    async fn pin_block(
        &self,
        pan: &Pan,
        pin: &StoredPin,
        zpk: &str,
        format: PinBlockFormat,
        fill: [u8; 8],
    ) -> Result<PinBlock, CryptoError> {
        self.take(Asked::Block, Some(pan)).await?;
        self.inner.pin_block(pan, pin, zpk, format, fill).await
    }

    async fn import_pin(
        &self,
        pan: &Pan,
        block: &SecretHex,
        zpk: &str,
        format: PinBlockFormat,
    ) -> Result<StoredPin, CryptoError> {
        self.inner.import_pin(pan, block, zpk, format).await
    }

    async fn cvv(&self, pan: &Pan, spec: &CvvSpec<'_>) -> Result<Cvv, CryptoError> {
        self.take(Asked::Cvv, Some(pan)).await?;
        self.inner.cvv(pan, spec).await
    }

    async fn verify_block(&self, pan: &Pan, pin: &StoredPin, block: &PinBlock) -> Result<bool, CryptoError> {
        self.inner.verify_block(pan, pin, block).await
    }
}
