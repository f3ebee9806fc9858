//! `emboss run`: the night of a date, or an on-demand run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;

use super::open::{Home, Opened};
use super::output::Output;
use super::{Failure, Filters};
use crate::card::CardId;
use crate::night::RunOrder;
use crate::report::Report;
use crate::schedule::{self, Start};

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The business date; without it the last one whose 03:00 UTC has passed.
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "now")]
    date: Option<NaiveDate>,
    #[command(flatten)]
    filters: Filters,
    /// An on-demand run: everything marked until now, under an identity of its own.
    #[arg(long)]
    now: bool,
    /// Only this card, in an on-demand run; may be given several times.
    #[arg(long, value_name = "ID", requires = "now")]
    card: Vec<CardId>,
}

pub(super) async fn run(arguments: &RunArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = home.open(output, false).await?;
    opened.require_signer()?;
    arguments.filters.check(&opened.config)?;
    stop_on_signal(&opened.night.stop);
    let now = opened.night.store.now().await?;
    let order = order(arguments, &opened, now).await?;
    let report = opened.night.run(&order).await;
    opened.night.store.close().await;
    let report = report?;
    Ok(tell(&report, *output))
}

/// Prints the report and gives its exit code.
pub(super) fn tell(report: &Report, output: Output) -> u8 {
    output.say(report);
    output.object(&report.to_json());
    u8::try_from(report.exit_code()).unwrap_or(1)
}

async fn order(arguments: &RunArguments, opened: &Opened, now: DateTime<Utc>) -> Result<RunOrder, Failure> {
    let order = if arguments.now {
        RunOrder::on_demand("run", now, &opened.holder)
    } else {
        let date = arguments.date.unwrap_or_else(|| schedule::due_date(now));
        wait_for(date, now, &opened.night.stop).await?;
        RunOrder::night("run", date, schedule::cut_off(date), &opened.holder)
    };
    Ok(RunOrder {
        institutions: arguments.filters.institution.clone(),
        manufacturers: arguments.filters.manufacturer.clone(),
        cards: arguments.card.clone(),
        ..order
    })
}

/// A run started up to five minutes before its 03:00Z waits for it; earlier it is refused (fault 24).
async fn wait_for(date: NaiveDate, now: DateTime<Utc>, stop: &AtomicBool) -> Result<(), Failure> {
    match schedule::start(now, date) {
        Start::Now => Ok(()),
        Start::Wait(pause) => rest(pause.to_std().unwrap_or_default(), stop).await,
        Start::NotDue => Err(Failure::environment(format!(
            "the night of {date} begins at {}; it is not due yet. Nothing was done: run it then, or use --now",
            schedule::cut_off(date).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        ))),
    }
}

/// Sleeps, but wakes for a signal.
pub(super) async fn rest(pause: Duration, stop: &AtomicBool) -> Result<(), Failure> {
    let until = tokio::time::Instant::now() + pause;
    while tokio::time::Instant::now() < until {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::environment("stopped by a signal while waiting; nothing was done"));
        }
        tokio::time::sleep(Duration::from_millis(200).min(until - tokio::time::Instant::now())).await;
    }
    Ok(())
}

/// First SIGTERM or SIGINT: no new transition begins. Second: stop at once (fault 30).
pub(super) fn stop_on_signal(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        loop {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(3);
            }
            tracing::warn!("stopping after the current step; a second signal stops at once");
        }
    });
}
