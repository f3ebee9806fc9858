//! Whether each destination answers, and whether what is believed of it was found out there.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::line::Line;
use super::stored;
use crate::cli::errors::chain;
use crate::config::{Config, adapters};
use crate::delivery::settings::DestinationSettings;
use crate::delivery::{self, Checked, DeliveryError};
use crate::store::Store;

pub(super) async fn check(config: &Arc<Config>, store: Option<&dyn Store>, now: DateTime<Utc>, lines: &mut Vec<Line>) {
    for settings in &config.destinations {
        let subject = format!("destination {}", settings.name());
        let checked = look(config, settings.clone()).await;
        let identity = match &checked {
            Some(Ok(checked)) => Some(checked.identity.to_string()),
            Some(Err(_)) | None => None,
        };
        lines.push(match checked {
            Some(Ok(checked)) if checked.can_stat => Line::good(&subject, format!("answers: {}.", checked.identity)),
            Some(Ok(checked)) => Line::good(&subject, format!("answers and lets us only write: {}.", checked.identity)),
            Some(Err(error)) => failed(&subject, &error),
            None => Line::error(&subject, "the check ended without an answer.", ""),
        });
        if let Some(store) = store {
            lines.extend(stored::judge(&subject, settings, identity.as_deref(), store, now).await);
        }
    }
}

/// Connects and stats; `None` where that did not come to an end.
async fn look(config: &Arc<Config>, settings: DestinationSettings) -> Option<Result<Checked, DeliveryError>> {
    let config = Arc::clone(config);
    let checked = tokio::task::spawn_blocking(move || {
        let secrets = adapters::destination_secrets(&config, &settings)?;
        let mut remote = delivery::connect(&settings, &secrets)?;
        delivery::check(&mut *remote)
    });
    checked.await.ok()
}

/// An error of a destination; it begins with the destination, which is the subject here.
pub(super) fn failed(subject: &str, error: &DeliveryError) -> Line {
    let text = chain(error);
    let rest = text.strip_prefix(subject).map(|rest| rest.trim_start_matches([':', ' ']).to_owned());
    Line::error(subject, rest.unwrap_or(text), "")
}
