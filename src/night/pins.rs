//! Issues the PINs a claimed file needs: persisted first, then the file is built from what was persisted (R34, R40).

use chrono::TimeDelta;

use super::error::Trouble;
use super::fallout::{Fallen, Making};
use super::observe::Stage;
use super::{Night, Run};
use crate::agreement::Terms;
use crate::fault::{self, Point};
use crate::selection::ReasonCode;
use crate::store::{FileRow, ItemPin, NewPin, PinToIssue};
use crate::vault::{CryptoError, Owner, PvvSpec, Wrapped};

/// PINs asked for at once.
const PAGE: u32 = 2_000;
/// PINs are persisted at the latest after this time: what a crash costs is what a device made since, which nobody has
/// seen.
const CHECKPOINT: TimeDelta = TimeDelta::seconds(2);

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
            let checkpoint = self.clock.now() + CHECKPOINT;
            let (mut pins, mut fallen) = (Vec::with_capacity(due.len()), Vec::new());
            for request in &due {
                match self.issue_pin(terms, request).await {
                    Ok(pin) => {
                        pins.push(pin);
                        fault::reach(Point::PinMade);
                    }
                    Err(CryptoError::Card(why)) => {
                        let (record_uid, event) = (request.record_uid, request.event.as_str());
                        fallen.push(Fallen { record_uid, event, code: ReasonCode::PinGenerationFailed, why });
                    }
                    Err(CryptoError::Configuration(why) | CryptoError::Transient(why)) => {
                        return Err(Trouble::Stopped { code: ReasonCode::CryptoUnavailable, detail: why });
                    }
                }
                done += 1;
                after = Some(request.sort_key.clone());
                // What is left of the page comes again with the next one.
                if self.clock.now() >= checkpoint {
                    break;
                }
            }
            all_kept &= self.save_pins(run, file, &pins).await? == pins.len() as u64;
            fault::reach(Point::PinsSaved);
            self.let_go(run, file, fallen, making).await?;
            self.observer.progress(&terms.subject(), Stage::Pins, done, 0);
        }
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
