//! `emboss check`: configuration, database, keys and destinations, every finding at once.
//!
//! Destinations are only connected to, authenticated at and stat-ed: houses pick files up, so nothing is written. Only
//! `--probe` writes, and only files of agreed names.

mod destinations;
mod devices;
mod keys;
mod line;
mod probe;
mod sealed;
mod stored;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::errors::chain;
use super::import::open_jwe;
use super::open::{Home, look_at_spool};
use super::output::Output;
use crate::agreement::Agreement;
use crate::ambient::{Clock, Random, SystemClock};
use crate::config::{Config, ConfigError, Finding, adapters, database, payshield};
use crate::store::Store;

use line::Line;

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Also tries this destination out: uploads small test files, renames and removes them, and keeps what it learned.
    #[arg(long, value_name = "DESTINATION")]
    probe: Option<String>,
    /// What the names of the test files begin with, as agreed with the house; without it emboss-probe- and an id.
    #[arg(long, value_name = "PREFIX", requires = "probe")]
    names: Option<String>,
    /// Allows a probe of a destination of real cards.
    #[arg(long, requires = "probe")]
    yes_live: bool,
}

pub(super) async fn check(arguments: &CheckArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let now = SystemClock.now();
    let mut object = json!({});
    let lines = match Config::load(&home.config_path(), home.surroundings.credentials_directory.as_deref()) {
        Ok(config) => {
            let config = Arc::new(config);
            let trial = probe::Trial::of(arguments, &config)?;
            let mut lines = Vec::new();
            if let Some(probe) = check_opened(&config, trial, now, &mut lines).await {
                object["probe"] = probe;
            }
            lines
        }
        Err(ConfigError::Invalid { findings, .. }) => findings.into_iter().map(Line::from).collect(),
        Err(error) => return Err(Failure::configuration(chain(&error))),
    };
    let exit_code = u8::from(lines.iter().any(|line| line.level == "error"));
    for line in &lines {
        output.say(line.to_string());
    }
    output.say(if exit_code == 0 { "Nothing stands in the way of a night." } else { "A night would not go well." });
    let findings = lines.iter().filter(|line| line.level != "ok").map(Line::to_json);
    object["findings"] = findings.collect::<Vec<_>>().into();
    object["exitCode"] = exit_code.into();
    output.object(&object);
    Ok(exit_code)
}

/// Everything behind a valid configuration; the probe that was asked for, as an object.
async fn check_opened(
    config: &Arc<Config>,
    trial: Option<probe::Trial>,
    now: DateTime<Utc>,
    lines: &mut Vec<Line>,
) -> Option<Value> {
    lines.push(Line::good("configuration", "is valid."));
    let store = adapters::open_store(config, false, Arc::new(SystemClock), Arc::new(Random::system()), None).await;
    lines.push(match &store {
        Ok(_) => Line::good("database", "opens, with the right schema and durability."),
        Err(error) => Line::error("database", chain(error), ""),
    });
    let store = store.ok();
    if let Some(store) = &store {
        lines.extend(check_spool(config, &**store).await);
    }
    for Finding { subject, text, action } in
        database::warnings(&config.database).into_iter().chain(payshield::warnings(config))
    {
        lines.push(Line::warning(subject, text, action));
    }
    if let Some(vault) = keys::check(config, now, lines) {
        devices::check(config, &vault, lines).await;
        if let Some(store) = &store {
            lines.extend(sealed::judge(&vault, &**store).await);
        }
    }
    if let Err(failure) = open_jwe(config) {
        lines.extend(failure.text.lines().map(|text| Line::error("intake.jwe", text, "")));
    }
    for agreement in &config.agreements {
        check_sealer(config, agreement, now, lines);
    }
    // First the probe: what it finds out is what destinations are judged by.
    let probe = match trial {
        Some(trial) => Some(trial.run(config, store.as_deref(), lines).await),
        None => None,
    };
    destinations::check(config, store.as_deref(), now, lines).await;
    if let Some(store) = store {
        store.close().await;
    }
    probe
}

/// The folder of sealed files and its journal, as far as a run would refuse them before it begins.
async fn check_spool(config: &Config, store: &dyn Store) -> Option<Line> {
    let told = match look_at_spool(config, store).await {
        Ok(spool) => spool?.journal().err().map(|error| chain(&error)),
        Err(failure) => Some(failure.text),
    };
    Some(match told {
        Some(text) => Line::error("[run] spool", text, ""),
        None => Line::good("[run] spool", "is the one of this database."),
    })
}

/// R135: a warning 60, 30 and 7 days before an end, an error after it.
fn expiry_line(subject: String, until: DateTime<Utc>, now: DateTime<Utc>, ages: &[u32]) -> Option<Line> {
    let left = (until - now).num_days();
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

/// Agreements share the signer, those of one house its recipients, and products their keys.
fn add_once<T: PartialEq>(list: &mut Vec<T>, entry: T) {
    if !list.contains(&entry) {
        list.push(entry);
    }
}
