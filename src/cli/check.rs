//! `emboss check`: configuration, database, keys and destinations, every finding at once.
//!
//! Destinations are only connected to, authenticated at and stat-ed: houses pick files up, so nothing is written.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Failure;
use super::errors::chain;
use super::import::open_jwe;
use super::open::Home;
use super::output::Output;
use crate::agreement::Agreement;
use crate::ambient::{Clock, Random, SystemClock};
use crate::config::{Config, ConfigError, Finding, adapters, database};
use crate::delivery;

/// One thing a person should know.
#[derive(PartialEq, Eq)]
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

impl From<Finding> for Line {
    fn from(finding: Finding) -> Self {
        Self::error(finding.subject, finding.text, finding.action)
    }
}

impl std::fmt::Display for Line {
    /// A text that is no whole sentence goes on from its subject, as findings of the configuration do.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { level, subject, text, action } = self;
        if action.is_empty() {
            write!(f, "{level:7} {subject}: {text}")
        } else if text.ends_with('.') {
            write!(f, "{level:7} {subject}: {text} {action}")
        } else {
            write!(f, "{level:7} {subject} {text}: {action}")
        }
    }
}

pub(super) async fn check(home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let now = SystemClock.now();
    let lines = match Config::load(&home.config_path(), home.surroundings.credentials_directory.as_deref()) {
        Ok(config) => check_opened(&Arc::new(config), now).await,
        Err(ConfigError::Invalid { findings, .. }) => findings.into_iter().map(Line::from).collect(),
        Err(error) => return Err(Failure::configuration(chain(&error))),
    };
    let exit_code = u8::from(lines.iter().any(|line| line.level == "error"));
    for line in &lines {
        output.say(line.to_string());
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
    for Finding { subject, text, action } in database::warnings(&config.database) {
        lines.push(Line::warning(subject, text, action));
    }
    check_keys(config, now, &mut lines);
    if let Err(failure) = open_jwe(config) {
        lines.extend(failure.text.lines().map(|text| Line::error("intake.jwe", text, "")));
    }
    for agreement in &config.agreements {
        check_sealer(config, agreement, now, &mut lines);
    }
    check_destinations(config, &mut lines).await;
    lines
}

fn check_keys(config: &Config, now: DateTime<Utc>, lines: &mut Vec<Line>) {
    let (vault, left_out) = match adapters::open_vault_telling(config, Arc::new(Random::system())) {
        Ok(opened) => opened,
        Err(findings) => {
            lines.extend(findings.into_iter().map(Line::from));
            return;
        }
    };
    lines.push(Line::good("vault", "opens every key that agreements share."));
    lines.extend(left_out.into_iter().map(Line::from));
    let terms = config.agreements.iter().filter_map(|agreement| adapters::terms(config, agreement));
    let mut unusable: Vec<Finding> = Vec::new();
    for finding in terms.flat_map(|terms| adapters::unusable_keys(&terms, &vault, now)) {
        // Agreements of one house share its keys.
        if !unusable.contains(&finding) {
            unusable.push(finding);
        }
    }
    lines.extend(unusable.into_iter().map(Line::from));
    lines.extend(expiring_keys(config, now));
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
                    let told = expiry_line(subject, until, now, &config.warnings.key_expiry_days);
                    told.into_iter().for_each(|line| add_once(lines, line));
                }
            }
        }
        Err(findings) => findings.into_iter().map(Line::from).for_each(|line| add_once(lines, line)),
    }
}

/// Agreements share the signer, and those of one house its recipients.
fn add_once(lines: &mut Vec<Line>, line: Line) {
    if !lines.contains(&line) {
        lines.push(line);
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
            Ok(Err(error)) => {
                // Its errors begin with the destination, which is the subject here.
                let text = chain(&error);
                let rest = text.strip_prefix(&*subject).map(|rest| rest.trim_start_matches([':', ' ']).to_owned());
                Line::error(subject, rest.unwrap_or(text), "")
            }
            Err(_) => Line::error(subject, "the check ended without an answer.", ""),
        });
    }
}
