//! `emboss schedule`: stays, and runs each night at the configured cron expression.

use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};

use super::Failure;
use super::open::{Home, Opened};
use super::output::Output;
use super::run::{open, rest, tell};
use crate::night::{RunOrder, is_whole_night};
use crate::schedule::{self, Schedule};

/// Pause before a night that could not start or finish is tried again.
const AGAIN: Duration = Duration::from_secs(60);

pub(super) async fn schedule(home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = open(home, output).await?;
    opened.require_signer()?;
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
    // A run that never ended, by a crash or a lost database, is one to be made up for.
    let ended = runs.iter().filter(|run| run.ended_at.is_some() && is_whole_night(run));
    let last = ended.map(|run| run.business_date).max();
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

/// One night. Where it could not start or finish, it is tried again within the catch-up window; its failure is told
/// and does not end the schedule. Whether a person must look.
async fn night(opened: &Opened, date: NaiveDate, output: Output) -> bool {
    let order = RunOrder::night("run", date, schedule::cut_off(date), &opened.holder);
    let until = order.cut_off + TimeDelta::hours(opened.config.schedule.catch_up_hours.into());
    loop {
        match opened.night.run(&order).await {
            Ok(report) => return tell(&report, output) != 0,
            Err(error) => {
                let failure = Failure::from(error);
                output.fail(&failure);
                let again = failure.exit_code > 2 && opened.night.clock.now() < until;
                if !again || rest(AGAIN, &opened.night.stop).await.is_err() {
                    return true;
                }
            }
        }
    }
}
