//! When a night begins, which date it is for, and what happens to one that was missed.
//!
//! Invariants: dates and instants are UTC, so that a day of daylight saving has one night like every other (R134);
//! the cut-off of a date is 03:00:00Z of it, whatever the cron expression says.
//!
//! The clock is an argument: a run, a plan and a test ask the same functions.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Timelike, Utc};

use crate::config::ScheduleSettings;
use crate::config::schedule::{EARLY_MINUTES, Expression, ExpressionError};

/// The hour of every cut-off, UTC (S4).
const CUT_OFF_HOUR: i64 = 3;

/// T0 of a date: 03:00:00Z.
pub fn cut_off(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::hours(CUT_OFF_HOUR)
}

/// What `run` without a date is for: the last date whose cut-off has passed or comes within five minutes.
pub fn due_date(now: DateTime<Utc>) -> NaiveDate {
    (now + TimeDelta::minutes(EARLY_MINUTES) - TimeDelta::hours(CUT_OFF_HOUR)).date_naive()
}

/// What `plan` without a date is for: the next date whose cut-off has not passed.
pub fn next_date(now: DateTime<Utc>) -> NaiveDate {
    let passed = now.hour() >= 3;
    now.date_naive() + Days::new(u64::from(passed))
}

/// How a run of `date` may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// At its cut-off, so much later, at most five minutes.
    Wait(TimeDelta),
    /// Not yet: the date is not due (exit 3).
    NotDue,
}

/// Fault 24: whether a run of `date` starts, waits or is refused.
pub fn start(now: DateTime<Utc>, date: NaiveDate) -> Start {
    let wait = cut_off(date) - now;
    if wait <= TimeDelta::zero() {
        Start::Now
    } else if wait <= TimeDelta::minutes(EARLY_MINUTES) {
        Start::Wait(wait)
    } else {
        Start::NotDue
    }
}

/// The nights that should have begun and did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backlog {
    /// To be run now, in this order.
    pub due: Vec<NaiveDate>,
    /// Too late: alert MISSED_RUN, exit 1. Their cards go with the next night (R2).
    pub missed: Vec<NaiveDate>,
}

/// The nights of an installation.
#[derive(Debug, Clone)]
pub struct Schedule {
    expression: Expression,
    catch_up: TimeDelta,
}

impl Schedule {
    /// As configured.
    ///
    /// # Errors
    /// [`ExpressionError`]; a valid configuration has none.
    pub fn new(settings: &ScheduleSettings) -> Result<Self, ExpressionError> {
        Ok(Self { expression: settings.cron.parse()?, catch_up: TimeDelta::hours(settings.catch_up_hours.into()) })
    }

    /// When the next night begins; none where the expression has come to its last year.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.expression.after(after).next()
    }

    /// R134: what a start at `now` has to do, `last` being the newest date that was run. Of an installation that never
    /// ran nothing was missed.
    pub fn backlog(&self, now: DateTime<Utc>, last: Option<NaiveDate>) -> Backlog {
        let newest = due_date(now);
        let oldest = last.map_or(newest, |last| last + Days::new(1));
        let mut backlog = Backlog::default();
        for date in oldest.iter_days().take_while(|date| *date <= newest) {
            let Some(late) =
                self.expression.begin(cut_off(date)).map(|begin| now - begin).filter(|late| *late >= TimeDelta::zero())
            else {
                continue;
            };
            if late <= self.catch_up {
                backlog.due.push(date);
            } else if last.is_some() {
                backlog.missed.push(date);
            }
        }
        backlog
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn schedule(cron: &str, catch_up_hours: u32) -> Schedule {
        Schedule::new(&ScheduleSettings { cron: cron.to_owned(), catch_up_hours }).unwrap()
    }

    fn backlog(due: &[&str], missed: &[&str]) -> Backlog {
        let dates = |texts: &[&str]| texts.iter().map(|text| date(text)).collect();
        Backlog { due: dates(due), missed: dates(missed) }
    }

    #[test]
    fn the_due_date_changes_five_minutes_before_its_cut_off() {
        for (now, expected) in [
            ("2026-06-13T02:54:59.999Z", "2026-06-12"),
            ("2026-06-13T02:55:00Z", "2026-06-13"),
            ("2026-06-13T03:00:00Z", "2026-06-13"),
            ("2026-06-13T23:59:59Z", "2026-06-13"),
            ("2026-06-14T00:00:00Z", "2026-06-13"),
            ("2027-01-01T02:00:00Z", "2026-12-31"),
        ] {
            assert_eq!(due_date(at(now)), date(expected), "{now}");
        }
        assert_eq!(cut_off(date("2026-06-13")), at("2026-06-13T03:00:00Z"));
    }

    #[test]
    fn the_next_date_changes_at_the_cut_off() {
        for (now, expected) in [
            ("2026-06-13T02:59:59.999Z", "2026-06-13"),
            ("2026-06-13T03:00:00Z", "2026-06-14"),
            ("2026-06-13T23:59:59Z", "2026-06-14"),
            ("2026-06-14T00:00:00Z", "2026-06-14"),
        ] {
            assert_eq!(next_date(at(now)), date(expected), "{now}");
        }
    }

    #[test]
    fn a_run_waits_five_minutes_and_no_longer() {
        let night = date("2026-06-13");
        for (now, expected) in [
            ("2026-06-13T02:54:59Z", Start::NotDue),
            ("2026-06-13T02:55:00Z", Start::Wait(TimeDelta::minutes(5))),
            ("2026-06-13T02:59:59.250Z", Start::Wait(TimeDelta::milliseconds(750))),
            ("2026-06-13T03:00:00Z", Start::Now),
            ("2026-09-13T03:00:00Z", Start::Now),
        ] {
            assert_eq!(start(at(now), night), expected, "{now}");
        }
    }

    #[test]
    fn r134_every_utc_day_has_one_night_also_when_clocks_change() {
        // Clocks change on 2026-03-29 and 2026-10-25 in Europe, on 2026-03-08 and 2026-11-01 in North America.
        let nightly = schedule("0 0 3 * * *", 20);
        for change in ["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"] {
            let first = date(change) - Days::new(2);
            let mut last = Some(first);
            let mut nights = Vec::new();
            for minute in 0..5 * 24 * 60 {
                let now = cut_off(first) + TimeDelta::minutes(minute);
                let found = nightly.backlog(now, last);
                assert_eq!(found.missed, [], "{now}");
                nights.extend(found.due.iter().map(|night| (*night, now)));
                last = found.due.last().copied().or(last);
            }
            let expected: Vec<_> =
                (1..5).map(|day| first + Days::new(day)).map(|night| (night, cut_off(night))).collect();
            assert_eq!(nights, expected, "{change}");
        }
    }

    #[test]
    fn r134_a_missed_night_is_caught_up_within_the_window_and_an_alert_after_it() {
        let nightly = schedule("0 3 * * *", 20);
        let last = Some(date("2026-06-12"));
        for (now, expected) in [
            ("2026-06-13T02:59:59Z", backlog(&[], &[])),
            ("2026-06-13T03:00:00Z", backlog(&["2026-06-13"], &[])),
            ("2026-06-13T23:00:00Z", backlog(&["2026-06-13"], &[])),
            ("2026-06-13T23:00:01Z", backlog(&[], &["2026-06-13"])),
            ("2026-06-16T04:00:00Z", backlog(&["2026-06-16"], &["2026-06-13", "2026-06-14", "2026-06-15"])),
        ] {
            assert_eq!(nightly.backlog(at(now), last), expected, "{now}");
        }
    }

    #[test]
    fn r134_a_night_that_was_run_is_not_run_again() {
        let nightly = schedule("0 3 * * *", 20);
        assert_eq!(nightly.backlog(at("2026-06-13T09:00:00Z"), Some(date("2026-06-13"))), Backlog::default());
        // The clock went back: still nothing.
        assert_eq!(nightly.backlog(at("2026-06-11T09:00:00Z"), Some(date("2026-06-13"))), Backlog::default());
    }

    #[test]
    fn r134_a_first_start_has_missed_nothing() {
        let nightly = schedule("0 3 * * *", 20);
        assert_eq!(nightly.backlog(at("2026-06-13T09:00:00Z"), None), backlog(&["2026-06-13"], &[]));
        assert_eq!(nightly.backlog(at("2026-06-14T01:00:00Z"), None), Backlog::default());
    }

    #[test]
    fn r134_days_without_a_night_are_not_missed() {
        // 2026-06-12 is a Friday.
        let weekdays = schedule("0 3 * * 1-5", 20);
        let last = Some(date("2026-06-12"));
        assert_eq!(weekdays.backlog(at("2026-06-14T12:00:00Z"), last), Backlog::default());
        assert_eq!(weekdays.backlog(at("2026-06-15T03:00:00Z"), last), backlog(&["2026-06-15"], &[]));
        assert_eq!(weekdays.next(at("2026-06-12T03:00:00Z")), Some(at("2026-06-15T03:00:00Z")));
    }

    #[test]
    fn r134_the_window_counts_from_when_the_night_was_to_begin() {
        let late = schedule("0 22 * * *", 20);
        let last = Some(date("2026-06-12"));
        for (now, expected) in [
            ("2026-06-13T21:59:59Z", backlog(&[], &[])),
            ("2026-06-13T22:00:00Z", backlog(&["2026-06-13"], &[])),
            ("2026-06-14T18:00:00Z", backlog(&["2026-06-13"], &[])),
            ("2026-06-14T18:00:01Z", backlog(&[], &["2026-06-13"])),
        ] {
            assert_eq!(late.backlog(at(now), last), expected, "{now}");
        }
    }
}
