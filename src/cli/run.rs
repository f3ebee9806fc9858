//! `emboss run`: the night of a date, or an on-demand run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::NaiveDate;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::open::{Home, Opened};
use super::output::Output;
use super::{Failure, Filters};
use crate::card::CardId;
use crate::night::RunOrder;
use crate::report::Report;
use crate::schedule::{self, Start};
use crate::store::Store;

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
    let opened = open(home, output).await?;
    opened.require_signer()?;
    arguments.filters.check(&opened.config)?;
    let order = order(arguments, &opened).await?;
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

async fn order(arguments: &RunArguments, opened: &Opened) -> Result<RunOrder, Failure> {
    let store = &*opened.night.store;
    let now = store.now().await?;
    let order = if arguments.now {
        RunOrder::on_demand("run", now, &opened.holder)
    } else {
        let date = arguments.date.unwrap_or_else(|| schedule::due_date(now));
        wait_for(date, store, &opened.night.stop).await?;
        RunOrder::night("run", date, schedule::cut_off(date), &opened.holder)
    };
    Ok(RunOrder {
        institutions: arguments.filters.institution.clone(),
        manufacturers: arguments.filters.manufacturer.clone(),
        cards: arguments.card.clone(),
        ..order
    })
}

/// A run started up to five minutes before its 03:00Z waits for it, by the database's time; earlier it is refused
/// (fault 24). Asked again after the rest: this host's minutes need not be the database's.
async fn wait_for(date: NaiveDate, store: &dyn Store, stop: &AtomicBool) -> Result<(), Failure> {
    loop {
        match schedule::start(store.now().await?, date) {
            Start::Now => return Ok(()),
            Start::Wait(pause) => rest(pause.to_std().unwrap_or_default(), stop).await?,
            Start::NotDue => return Err(Failure::environment(not_due(date))),
        }
    }
}

fn not_due(date: NaiveDate) -> String {
    format!(
        "the night of {date} begins at {}; it is not due yet. Nothing was done: run it then, or use --now",
        schedule::cut_off(date).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    )
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

/// SIGTERM and SIGINT, from the first instant on (fault 30).
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::environment(format!("no signal is heard: {error}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }

    /// First one: no new transition begins. Second: stop at once.
    fn stop(mut self, stop: &Arc<AtomicBool>) {
        let stop = Arc::clone(stop);
        tokio::spawn(async move {
            loop {
                self.next().await;
                if stop.swap(true, Ordering::Relaxed) {
                    std::process::exit(3);
                }
                tracing::warn!("stopping after the current step; a second signal stops at once");
            }
        });
    }
}

/// Opens a night that hears signals. While it is opened, nothing is begun: the first one ends it.
pub(super) async fn open(home: &Home<'_>, output: &Output) -> Result<Opened, Failure> {
    let mut signals = Signals::listen()?;
    let opened = tokio::select! {
        biased;
        () = signals.next() => return Err(Failure::environment("stopped by a signal; nothing was begun, run again")),
        opened = home.open(output, false) => opened?,
    };
    signals.stop(&opened.night.stop);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::ambient::{Clock, Random};
    use crate::store::SqlStore;

    /// A database's clock that shows these instants one after another, and then the last one.
    #[derive(Debug)]
    struct Shows(Mutex<Vec<&'static str>>);

    impl Clock for Shows {
        fn now(&self) -> DateTime<Utc> {
            let mut left = self.0.lock().unwrap();
            let now = left[0];
            if left.len() > 1 {
                left.remove(0);
            }
            now.parse().unwrap()
        }
    }

    /// What waiting for the night of 2026-06-13 comes to, and the instants nobody looked at.
    async fn waited(instants: &[&'static str], stop: bool) -> (Result<(), Failure>, Vec<&'static str>) {
        let folder = tempfile::tempdir().unwrap();
        let shows = Arc::new(Shows(Mutex::new(instants.to_vec())));
        let random = Arc::new(Random::seeded(1));
        let path = folder.path().join("emboss.db");
        let clock = Arc::clone(&shows) as Arc<dyn Clock>;
        let store = SqlStore::sqlite(&path, Duration::from_secs(5), clock, random, true).await.unwrap();
        let waited = wait_for("2026-06-13".parse().unwrap(), &store, &AtomicBool::new(stop)).await;
        let left = shows.0.lock().unwrap().clone();
        (waited, left)
    }

    #[tokio::test]
    async fn fault_24_a_run_that_is_early_waits_until_the_database_says_it_is_time() {
        // The database's clock goes slower than ours: it is asked again until it agrees.
        let slow = ["2026-06-13T02:59:59.990Z", "2026-06-13T02:59:59.995Z", "2026-06-13T03:00:00Z"];
        let (waited_for, left) = waited(&slow, false).await;
        waited_for.unwrap();
        assert_eq!(left, ["2026-06-13T03:00:00Z"]);
        let (at_once, _) = waited(&["2026-06-13T03:00:00Z"], false).await;
        at_once.unwrap();
    }

    #[tokio::test]
    async fn fault_24_a_run_that_is_much_too_early_ends_with_3_and_one_that_waits_hears_a_signal() {
        let (refused, _) = waited(&["2026-06-13T02:54:59.999Z"], false).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.exit_code, 3);
        assert!(refused.text.contains("begins at 2026-06-13T03:00:00Z; it is not due yet"), "{refused:?}");
        let (stopped, _) = waited(&["2026-06-13T02:55:00Z"], true).await;
        let stopped = stopped.unwrap_err();
        assert_eq!(stopped.exit_code, 3);
        assert!(stopped.text.contains("stopped by a signal while waiting"), "{stopped:?}");
    }
}
