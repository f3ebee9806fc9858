//! The doors of the houses: how many connections stand open at once, and which house is not asked any more tonight.
//!
//! Invariants: a destination that refused us, or is not who it should be, is asked once in a run, however many
//! agreements send there: houses lock accounts (faults 18, 19); one connection to a destination is made at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Trouble;
use super::{Night, NightError, Run, deliver};
use crate::agreement::Terms;
use crate::delivery::{DeliveryError, Remote, RetryClass};

/// The doors of a run, by destination.
#[derive(Debug)]
pub(super) struct Doors {
    at_once: usize,
    known: Mutex<BTreeMap<String, Door>>,
}

#[derive(Debug, Clone)]
struct Door {
    places: Arc<Semaphore>,
    /// Why nothing more is sent there.
    shut: Arc<tokio::sync::Mutex<Option<String>>>,
}

impl Doors {
    pub(super) fn new(at_once: usize) -> Self {
        Self { at_once: at_once.max(1), known: Mutex::default() }
    }

    fn of(&self, destination: &str) -> Door {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Door { places: Arc::new(Semaphore::new(self.at_once)), shut: Arc::default() };
        known.entry(destination.to_owned()).or_insert_with(new).clone()
    }
}

impl Night {
    /// Waits for a place at the agreement's destination; held for one attempt, not over the pauses between them.
    pub(super) async fn place(&self, run: &Run, terms: &Terms) -> Result<OwnedSemaphorePermit, NightError> {
        let places = run.doors.of(destination(terms)).places;
        let place = places.acquire_owned().await.map_err(|_| NightError::Interrupted)?;
        self.may_go_on(run)?;
        Ok(place)
    }

    /// Connects to the agreement's destination.
    pub(super) async fn connect(&self, run: &Run, terms: &Terms) -> Result<Box<dyn Remote>, Trouble> {
        let door = run.doors.of(destination(terms));
        let mut shut = door.shut.lock().await;
        if let Some(why) = &*shut {
            let reason = format!("nothing more is sent there in this run: {why}");
            return Err(DeliveryError::Settings { destination: destination(terms).to_owned(), reason }.into());
        }
        let (outbound, at) = (Arc::clone(&self.outbound), terms.clone());
        let connected = deliver::blocking(move || outbound.connect(&at)).await?;
        if let Err(error) = &connected
            && error.retry_class() == RetryClass::StopDestination
        {
            *shut = Some(error.to_string());
        }
        Ok(connected?)
    }
}

fn destination(terms: &Terms) -> &str {
    terms.agreement.destination.as_ref().unwrap_or(&terms.manufacturer.destination)
}
