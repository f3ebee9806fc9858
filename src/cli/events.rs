//! `emboss events`: what happened, as a feed that goes on where its reader was.
//!
//! Invariant: the order is that of the numbers, which never change, so that asking again after the last number read gives
//! exactly the rest.

use std::io::{self, Write};

use chrono::SecondsFormat;
use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::open::Home;
use super::output::is_wanted;
use crate::store::EventRow;

/// Events read from the database at once.
const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
pub(super) struct EventsArguments {
    /// Only events with a greater number: with the last one read, exactly the rest. Without it, from the first on.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
    /// At most so many; without it, 1000.
    #[arg(long, value_name = "N", default_value_t = 1_000, hide_default_value = true, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn events(arguments: &EventsArguments, home: &Home<'_>) -> Result<u8, Failure> {
    let store = home.open_store().await?;
    let (mut after, mut left) = (arguments.after, arguments.limit);
    let mut out = io::stdout().lock();
    while left > 0 {
        let events = store.events(after, left.min(PAGE)).await?;
        let Some(last) = events.last() else { break };
        after = last.number;
        left -= u32::try_from(events.len()).unwrap_or(left).min(left);
        for event in &events {
            if !is_wanted(writeln!(out, "{}", object(event)))? {
                return Ok(0);
            }
        }
    }
    let _ = out.flush();
    Ok(0)
}

fn object(event: &EventRow) -> Value {
    json!({
        "number": event.number,
        "at": event.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "kind": event.kind,
        "institution": event.institution,
        "data": serde_json::from_str::<Value>(&event.data).unwrap_or_default(),
    })
}
