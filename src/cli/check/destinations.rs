//! Whether each destination answers.

use std::sync::Arc;

use super::line::Line;
use crate::cli::errors::chain;
use crate::config::{Config, adapters};
use crate::delivery;

pub(super) async fn check(config: &Arc<Config>, lines: &mut Vec<Line>) {
    for settings in config.destinations.clone() {
        let subject = format!("destination {}", settings.name());
        let config = Arc::clone(config);
        let checked = tokio::task::spawn_blocking(move || {
            let secrets = adapters::destination_secrets(&config, &settings)?;
            let mut remote = delivery::connect(&settings, &secrets)?;
            delivery::check(&mut *remote)
        })
        .await;
        lines.push(match checked {
            Ok(Ok(checked)) if checked.can_stat => Line::good(subject, format!("answers: {}.", checked.identity)),
            Ok(Ok(checked)) => Line::good(subject, format!("answers and lets us only write: {}.", checked.identity)),
            Ok(Err(error)) => failed(&subject, &error),
            Err(_) => Line::error(subject, "the check ended without an answer.", ""),
        });
    }
}

/// An error of a destination; it begins with the destination, which is the subject here.
pub(super) fn failed(subject: &str, error: &delivery::DeliveryError) -> Line {
    let text = chain(error);
    let rest = text.strip_prefix(subject).map(|rest| rest.trim_start_matches([':', ' ']).to_owned());
    Line::error(subject, rest.unwrap_or(text), "")
}
