//! `emboss schedule`: stays, and runs each night at the configured cron expression.

use chrono::NaiveDate;

use super::Failure;
use super::open::{Home, Opened};
use super::output::Output;
use super::run::{rest, stop_on_signal, tell};
use crate::night::RunOrder;
use crate::schedule::{self, Schedule};
use crate::settlement::RunKind;

pub(super) async fn schedule(home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = home.open(output, false).await?;
    opened.require_signer()?;
    stop_on_signal(&opened.night.stop);
    let nights = Schedule::new(&opened.config.schedule).map_err(|error| Failure::configuration(error.to_string()))?;
    let mut attention = catch_up(&opened, &nights, *output).await?;
    loop {
        let now = opened.night.clock.now();
        let Some(next) = nights.next(now) else {
            return Err(Failure::configuration("schedule.cron names no time in the future"));
        };
        tracing::info!(%next, "waiting for the next night");
        if rest((next - now).to_std().unwrap_or_default(), &opened.night.stop).await.is_err() {
            return Ok(u8::from(attention));
        }
        attention |= night(&opened, schedule::due_date(next), *output).await;
    }
}

/// At the start: nights that were missed are run while they are recent enough; older ones are an alert (R134).
async fn catch_up(opened: &Opened, nights: &Schedule, output: Output) -> Result<bool, Failure> {
    let runs = opened.night.store.runs(u32::MAX).await?;
    let last = runs.iter().filter(|run| run.kind == RunKind::Night).map(|run| run.business_date).max();
    let backlog = nights.backlog(opened.night.clock.now(), last);
    let mut attention = !backlog.missed.is_empty();
    for date in backlog.missed {
        output.say(format!(
            "ALERT MISSED_RUN: the night of {date} was not run and is more than {} hours ago; its cards go with the next night.",
            opened.config.schedule.catch_up_hours
        ));
    }
    for date in backlog.due {
        attention |= night(opened, date, output).await;
    }
    Ok(attention)
}

/// One night; its failure is told and does not end the schedule. Whether a person must look.
async fn night(opened: &Opened, date: NaiveDate, output: Output) -> bool {
    match opened.night.run(&RunOrder::night("run", date, schedule::cut_off(date), &opened.holder)).await {
        Ok(report) => tell(&report, output) != 0,
        Err(error) => {
            output.fail(&Failure::from(error));
            true
        }
    }
}
