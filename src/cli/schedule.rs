//! `emboss schedule`: stays, and runs each night at the configured cron expression.

use chrono::{DateTime, NaiveDate, Utc};

use super::open::{Home, Opened};
use super::output::Output;
use super::run::{rest, stop_on_signal, tell};
use super::Failure;
use crate::night::RunOrder;
use crate::schedule::{self, CatchUp, Cron};
use crate::settlement::RunKind;

pub(super) async fn schedule(home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = home.open(output).await?;
    stop_on_signal(&opened.night.stop);
    let cron = Cron::parse(&opened.config.schedule.cron).map_err(|error| Failure::configuration(error.to_string()))?;
    let mut missed = catch_up(&opened, *output).await?;
    loop {
        let now = opened.night.clock.now();
        let Some(next) = cron.after(now) else {
            return Err(Failure::configuration("schedule.cron names no time in the future"));
        };
        tracing::info!(next = %next, missed, "waiting for the next night");
        if rest((next - now).to_std().unwrap_or_default(), &opened.night.stop).await.is_err() {
            return Ok(u8::from(missed));
        }
        missed |= night(&opened, schedule::due_date(next), *output).await;
    }
}

/// At the start: the last night is run if it was missed and is recent enough; an older one is an alert (R134).
async fn catch_up(opened: &Opened, output: Output) -> Result<bool, Failure> {
    let now = opened.night.clock.now();
    let date = schedule::due_date(now);
    let newest = opened.night.store.runs(1).await?;
    let last_run: Option<DateTime<Utc>> = newest.first().map(|run| run.cut_off);
    match schedule::catch_up(now, last_run, opened.config.schedule.catch_up_hours) {
        CatchUp::NothingMissed => Ok(false),
        CatchUp::Run => Ok(night(opened, date, output).await),
        CatchUp::TooLate => {
            output.say(format!(
                "ALERT MISSED_RUN: the night of {date} was not run and is more than {} hours ago; run it by hand with --date {date}.",
                opened.config.schedule.catch_up_hours
            ));
            Ok(true)
        }
    }
}

/// One night; its failure is told and does not end the schedule. Whether a person must look.
async fn night(opened: &Opened, date: NaiveDate, output: Output) -> bool {
    let order = RunOrder {
        command: "run",
        kind: RunKind::Night,
        business_date: date,
        cut_off: schedule::cut_off(date),
        institutions: Vec::new(),
        manufacturers: Vec::new(),
        cards: Vec::new(),
        holder: opened.holder.clone(),
    };
    match opened.night.run(&order).await {
        Ok(report) => tell(&report, output) != 0,
        Err(error) => {
            output.fail(&Failure::from(error));
            true
        }
    }
}
