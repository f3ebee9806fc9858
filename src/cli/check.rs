//! `emboss check`: configuration, database, keys and destinations, every finding at once.
//!
//! Destinations are only connected to, authenticated at and stat-ed: houses pick files up, so nothing is written.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Failure;
use super::errors::chain;
use super::import::open_jwe;
use super::open::{Home, open_vault};
use super::output::Output;
use crate::agreement::Agreement;
use crate::ambient::{Clock, Random, SystemClock};
use crate::config::{Config, ConfigError, adapters};
use crate::delivery;

/// One thing a person should know.
struct Line {
    level: &'static str,
    subject: String,
    text: String,
    action: String,
}

impl Line {
    fn error(subject: impl Into<String>, text: impl Into<String>, action: impl Into<String>) -> Self {
        Self { level: "error", subject: subject.into(), text: text.into(), action: action.into() }
    }

    fn warning(subject: impl Into<String>, text: impl Into<String>, action: impl Into<String>) -> Self {
        Self { level: "warning", subject: subject.into(), text: text.into(), action: action.into() }
    }

    fn good(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: "ok", subject: subject.into(), text: text.into(), action: String::new() }
    }
}

pub(super) async fn check(home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let now = SystemClock.now();
    let lines = match Config::load(&home.config_path(), home.surroundings.credentials_directory.as_deref()) {
        Ok(config) => check_opened(&Arc::new(config), now).await,
        Err(ConfigError::Invalid { findings, .. }) => {
            findings.into_iter().map(|finding| Line::error(finding.subject, finding.text, finding.action)).collect()
        }
        Err(error) => return Err(Failure::configuration(chain(&error))),
    };
    let exit_code = u8::from(lines.iter().any(|line| line.level == "error"));
    for line in &lines {
        output.say(format!("{:7} {}: {} {}", line.level, line.subject, line.text, line.action).trim_end());
    }
    output.say(if exit_code == 0 { "Nothing stands in the way of a night." } else { "A night would not go well." });
    let findings = lines
        .iter()
        .filter(|line| line.level != "ok")
        .map(|line| json!({ "level": line.level, "subject": line.subject, "text": line.text, "action": line.action }));
    output.object(&json!({ "findings": findings.collect::<Vec<_>>(), "exitCode": exit_code }));
    Ok(exit_code)
}

async fn check_opened(config: &Arc<Config>, now: DateTime<Utc>) -> Vec<Line> {
    let mut lines = vec![Line::good("configuration", "is valid.")];
    lines.push(match adapters::open_store(config, false, Arc::new(SystemClock), Arc::new(Random::system())).await {
        Ok(_) => Line::good("database", "opens, with the right schema and durability."),
        Err(error) => Line::error("database", chain(&error), ""),
    });
    match open_vault(config, Arc::new(Random::system())) {
        Ok(_) => {
            lines.push(Line::good("vault", "opens every key."));
            lines.extend(expiring_keys(config, now));
        }
        Err(failure) => lines.extend(failure.text.lines().map(|text| Line::error("vault", text, ""))),
    }
    if let Err(failure) = open_jwe(config) {
        lines.extend(failure.text.lines().map(|text| Line::error("intake.jwe", text, "")));
    }
    for agreement in &config.agreements {
        check_sealer(config, agreement, now, &mut lines);
    }
    check_destinations(config, &mut lines).await;
    lines
}

fn days_left(until: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (until - now).num_days()
}

/// Card keys that end soon or have ended.
fn expiring_keys(config: &Config, now: DateTime<Utc>) -> Vec<Line> {
    let ages = &config.warnings.key_expiry_days;
    let ends = config.keys.iter().filter_map(|key| key.not_after.map(|until| (&key.id, until)));
    ends.filter_map(|(id, until)| expiry_line(format!("key {id}"), until, now, ages)).collect()
}

/// R135: a warning 60, 30 and 7 days before an end, an error after it.
fn expiry_line(subject: String, until: DateTime<Utc>, now: DateTime<Utc>, ages: &[u32]) -> Option<Line> {
    let left = days_left(until, now);
    let most = ages.iter().copied().max().map_or(0, i64::from);
    let day = until.date_naive();
    if until <= now {
        Some(Line::error(subject, format!("ended on {day}."), "Put its successor into the configuration."))
    } else if left <= most {
        Some(Line::warning(subject, format!("ends on {day}, in {left} days."), "Prepare its successor."))
    } else {
        None
    }
}

fn check_sealer(config: &Config, agreement: &Agreement, now: DateTime<Utc>, lines: &mut Vec<Line>) {
    let subject = format!("agreement of {} with {}", agreement.institution, agreement.manufacturer);
    match adapters::open_sealer(config, agreement, now) {
        Ok(sealer) => {
            lines.push(Line::good(subject, "can be encrypted for and signed."));
            for expiry in sealer.expiries() {
                if let Some(until) = expiry.at {
                    let subject = format!("OpenPGP key {}", expiry.fingerprint);
                    lines.extend(expiry_line(subject, until, now, &config.warnings.key_expiry_days));
                }
            }
        }
        Err(findings) => {
            lines.extend(findings.into_iter().map(|finding| Line::error(&subject, finding.text, finding.action)));
        }
    }
}

async fn check_destinations(config: &Arc<Config>, lines: &mut Vec<Line>) {
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
            Ok(Err(error)) => Line::error(subject, chain(&error), ""),
            Err(_) => Line::error(subject, "the check ended without an answer.", ""),
        });
    }
}
