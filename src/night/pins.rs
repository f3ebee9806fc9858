//! Issues the PINs a claimed file needs: persisted first, then the file is built from what was persisted (R34, R40).
//!
//! Invariants: PINs are persisted at checkpoints, and what was made before a device was lost is persisted before its
//! agreement stops, so that running again goes on behind it; at most one page is in memory. Whatever a crash loses was
//! made for nobody: no one has seen it.

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::error::Trouble;
use super::fallout::{Fallen, Making};
use super::observe::Stage;
use super::{Night, Run};
use crate::agreement::Terms;
use crate::fault::{self, Point};
use crate::selection::ReasonCode;
use crate::store::{FileRow, ItemPin, NewPin, PinToIssue, StoreError};
use crate::vault::{CryptoError, Owner, PvvSpec, Wrapped};

/// PINs asked for in one page, which ends with a checkpoint (`card-secrets.md` 3).
const PAGE: u32 = 500;
/// A page that takes longer than this ends early, at its checkpoint: what a crash costs is what a device made since.
const CHECKPOINT: TimeDelta = TimeDelta::seconds(2);

/// What was made until a checkpoint.
#[derive(Default)]
struct Checkpoint {
    pins: Vec<NewPin>,
    fallen: Vec<Fallen>,
    /// Requests of the page that were tried, from its beginning.
    tried: usize,
    /// Why no more can be made.
    lost: Option<String>,
}

impl Checkpoint {
    fn take(&mut self, request: &PinToIssue, made: Result<NewPin, CryptoError>) {
        match made {
            Ok(pin) => {
                self.pins.push(pin);
                fault::reach(Point::PinMade);
            }
            Err(CryptoError::Card(why)) => {
                let (record_uid, event) = (request.record_uid, request.event.as_str());
                self.fallen.push(Fallen { record_uid, event, code: ReasonCode::PinGenerationFailed, why });
            }
            // The first one says why; the others were under way.
            Err(CryptoError::Configuration(why) | CryptoError::Transient(why)) => {
                self.lost.get_or_insert(why);
            }
        }
    }
}

impl Night {
    pub(super) async fn issue_pins(
        &self,
        run: &Run,
        terms: &Terms,
        file: &FileRow,
        making: &mut Making<'_, '_>,
    ) -> Result<(), Trouble> {
        let mut done = 0;
        let (mut after, mut all_kept) = (None::<String>, true);
        loop {
            self.may_go_on(run)?;
            let due = self.store.pins_to_issue(file.file_id, after.as_deref(), PAGE).await?;
            if due.is_empty() {
                // A PIN that was not kept, because its version was taken meanwhile, is made anew: once more from the start.
                if !std::mem::replace(&mut all_kept, true) {
                    after = None;
                    continue;
                }
                self.observer.finished(&terms.subject(), Stage::Pins);
                return Ok(());
            }
            let Checkpoint { pins, fallen, tried, lost } = self.make_pins(run, terms, &due).await;
            all_kept &= self.save_pins(run, file, &pins).await? == pins.len() as u64;
            fault::reach(Point::PinsSaved);
            if let Some(why) = lost {
                // What a dying device says of a card is not believed: whoever falls out here is tried again.
                return Err(self.told_with_pins(file, why).await?);
            }
            self.let_go(run, file, fallen, making).await?;
            // What is left of the page comes again with the next one.
            after = tried.checked_sub(1).and_then(|last| due.get(last)).map(|last| last.sort_key.clone()).or(after);
            done += tried as u64;
            self.observer.progress(&terms.subject(), Stage::Pins, done, 0);
        }
    }

    /// Makes the PINs of a page, as many at once as the provider answers, until the next checkpoint is due. Whatever was
    /// asked for is waited for: the provider's own limits end that.
    async fn make_pins(&self, run: &Run, terms: &Terms, due: &[PinToIssue]) -> Checkpoint {
        let (until, at_once) = (self.clock.now() + CHECKPOINT, self.vault.crypto().at_once().max(1));
        let mut made = Checkpoint { pins: Vec::with_capacity(due.len()), ..Checkpoint::default() };
        let mut under_way = FuturesUnordered::new();
        loop {
            let goes_on = made.lost.is_none() && (made.tried == 0 || self.clock.now() < until);
            if goes_on && self.may_go_on(run).is_ok() {
                for request in due.iter().skip(made.tried).take(at_once - under_way.len()) {
                    under_way.push(async move { (request, self.issue_pin(terms, request).await) });
                    made.tried += 1;
                }
            }
            let Some((request, pin)) = under_way.next().await else { return made };
            made.take(request, pin);
        }
    }

    /// Why a file has not all its PINs, and how far it is.
    async fn told_with_pins(&self, file: &FileRow, why: String) -> Result<Trouble, StoreError> {
        let needed = self.store.item_counts(file.file_id).await?.new_pin;
        let (mut missing, mut after) = (0, None::<String>);
        loop {
            let page = self.store.pins_to_issue(file.file_id, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            missing += page.len() as u64;
            after = Some(last.sort_key.clone());
        }
        let kept = needed.saturating_sub(missing);
        let detail = format!("{why}. {kept} of {needed} PINs of file {} are kept; run again to go on", file.file_id);
        Ok(Trouble::Stopped { code: ReasonCode::CryptoUnavailable, detail })
    }

    async fn issue_pin(&self, terms: &Terms, request: &PinToIssue) -> Result<NewPin, CryptoError> {
        let owner = Owner { institution: terms.institution.id.clone(), card_id: Some(request.card_id) };
        let pan = self
            .vault
            .open_pan(&owner, &Wrapped(request.pan.clone()))
            .map_err(|error| CryptoError::Card(error.to_string()))?;
        let spec = terms.products.get(&request.product_code).and_then(|product| product.pin.as_ref());
        let spec = spec.map(|pin| PvvSpec { key_id: pin.pvv_key.clone(), pvki: pin.pvki.clone() });
        let issued = self.vault.crypto().issue_pin(&pan, spec.as_ref()).await?;
        let pvv = issued.pvv.as_ref();
        Ok(NewPin {
            record_uid: request.record_uid,
            card_id: request.card_id,
            pin: ItemPin {
                version: request.version,
                scheme: issued.stored.scheme.clone(),
                stored: self.vault.seal_pin(&owner, request.version, &issued.stored).0,
                pvv: pvv.map(|pvv| self.vault.seal_pvv(&owner, request.version, pvv).0),
                pvki: pvv.map(|pvv| pvv.pvki.clone()),
                pvv_key: pvv.map(|pvv| pvv.key_id.clone()),
            },
        })
    }
}
