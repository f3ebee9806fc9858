//! Where sealed files go out: a sealer and a destination for each agreement.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Night;
use crate::agreement::Terms;
use crate::config::{Config, Finding, adapters};
use crate::delivery::settings::DestinationSettings;
use crate::delivery::{self, DeliveryError, Remote};
use crate::seal::Sealer;
use crate::selection::{Reason, ReasonCode};

/// R136: the time in which a file's tries of one night begin.
const WHOLE: Duration = Duration::from_secs(2 * 60 * 60);

/// How long and how often a destination is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries per file and night.
    pub attempts: u32,
    /// Pause before the second try.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Longest time for one upload.
    pub deadline: Duration,
    /// Longest time for all tries of a file in one night; no try begins behind it.
    pub whole: Duration,
    /// A person's word that "no such file" at a repeated rename proves publication.
    pub rename_proves_publication: bool,
}

/// Gives the night its sealers and destinations.
pub trait Outbound: Send + Sync + std::fmt::Debug {
    /// The sealer of an agreement, its recipients checked at `at` (R135).
    ///
    /// # Errors
    /// The reason for which the agreement stops before it is claimed.
    fn sealer(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Arc<Sealer>, Reason>;

    /// Connects to the agreement's destination; blocking.
    ///
    /// # Errors
    /// [`DeliveryError`], by phase.
    fn connect(&self, terms: &Terms) -> Result<Box<dyn Remote>, DeliveryError>;

    /// How patient to be with it.
    fn patience(&self, terms: &Terms) -> Patience;
}

impl Night {
    /// What an agreement is sealed with, once every key it needs will do: those of its zone and cards, its recipients,
    /// our own (R135).
    pub(super) fn usable_sealer(&self, terms: &Terms) -> Result<Arc<Sealer>, Reason> {
        let now = self.clock.now();
        let unusable = adapters::unusable_keys(terms, &self.vault, now);
        if unusable.is_empty() { self.outbound.sealer(terms, now) } else { Err(key_unusable(&unusable)) }
    }
}

fn key_unusable(findings: &[Finding]) -> Reason {
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    ReasonCode::KeyUnusable.because(told.join(" "))
}

/// The outbound side as configured.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The configuration.
    pub config: Arc<Config>,
}

impl Outbound for Configured {
    fn sealer(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Arc<Sealer>, Reason> {
        adapters::open_sealer(&self.config, &terms.agreement, at).map(Arc::new).map_err(|found| key_unusable(&found))
    }

    fn connect(&self, terms: &Terms) -> Result<Box<dyn Remote>, DeliveryError> {
        let (settings, secrets) = adapters::destination(&self.config, &terms.agreement)?;
        delivery::connect(settings, &secrets)
    }

    fn patience(&self, terms: &Terms) -> Patience {
        let deadline = Duration::from_secs(terms.agreement.deadline_minutes * 60);
        match adapters::destination_settings(&self.config, &terms.agreement) {
            Some(DestinationSettings::Sftp(sftp)) => Patience {
                attempts: sftp.attempts,
                first: Duration::from_secs(sftp.backoff_s.first),
                longest: Duration::from_secs(sftp.backoff_s.max),
                deadline,
                whole: WHOLE,
                rename_proves_publication: sftp.rename_proves_publication,
            },
            other => Patience {
                attempts: 1,
                first: Duration::ZERO,
                longest: Duration::ZERO,
                deadline,
                whole: WHOLE,
                rename_proves_publication: matches!(
                    other,
                    Some(DestinationSettings::Directory(directory)) if directory.rename_proves_publication
                ),
            },
        }
    }
}
