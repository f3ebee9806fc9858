//! What the last probe of each destination showed.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;

/// A probe of a destination, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRow {
    /// The destination's name in the configuration.
    pub destination: String,
    /// Database time.
    pub at: DateTime<Utc>,
    /// Which server, user and folders it was.
    pub identity: String,
    /// What it answered, JSON of [`Answers`](crate::delivery::probe::Answers).
    pub answers: String,
}

/// Keeps the last probe of each destination.
#[async_trait]
pub trait Probes {
    /// Keeps a probe in the place of the destination's earlier one.
    async fn save_probe(&self, probe: &ProbeRow) -> Result<(), StoreError>;

    /// The last probe of a destination.
    async fn probe(&self, destination: &str) -> Result<Option<ProbeRow>, StoreError>;
}
