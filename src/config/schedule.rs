//! The `[schedule]` section: when nights begin.
//!
//! The expression says when the program looks; what it then runs is decided by the date alone, because T0 is
//! 03:00:00Z whatever stands here. UTC throughout, so that daylight saving changes nothing (R134).

use std::str::FromStr;

use chrono::{DateTime, Days, TimeDelta, Utc};
use serde::Deserialize;

use super::finding::{Finding, Findings};

/// Fault 24: a run may start so many minutes before its cut-off, and waits.
pub const EARLY_MINUTES: i64 = 5;

/// `[schedule]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleSettings {
    /// Cron expression in UTC: five fields as in crontab(5), or six or seven with seconds first (Sunday = 1).
    pub cron: String,
    /// R134: a missed night is caught up within so many hours, later it is an alert.
    pub catch_up_hours: u32,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { cron: "0 0 3 * * *".to_owned(), catch_up_hours: 20 }
    }
}

impl ScheduleSettings {
    pub(super) fn validate(&self, found: &mut Vec<Finding>) {
        let mut findings = Findings::of("[schedule]", found);
        if let Err(error) = Expression::from_str(&self.cron) {
            findings.add("cron", error.to_string(), "write for example \"0 0 3 * * *\", which is 03:00 UTC every day");
        }
        // A night more than a day late is the next night.
        findings.range("catch_up_hours", self.catch_up_hours.into(), 1, 24);
    }
}

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Not five, six or seven fields.
    #[error("has {0} fields instead of five, six or seven")]
    Fields(usize),
    /// A field that says nothing.
    #[error("is not a cron expression")]
    Syntax,
    /// Day of month and day of week both limited: some crons read "and", others "or".
    #[error("limits the day of the month and the day of the week, which crons read differently")]
    TwoDays,
    /// No instant will ever match, for example 30 February.
    #[error("never comes")]
    Never,
}

/// A cron expression that is understood, in UTC.
#[derive(Debug, Clone)]
pub struct Expression(cron::Schedule);

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (day, weekday) = match fields.len() {
            5 => (fields[2], fields[4]),
            6 | 7 => (fields[3], fields[5]),
            count => return Err(ExpressionError::Fields(count)),
        };
        if !is_any(day) && !is_any(weekday) {
            return Err(ExpressionError::TwoDays);
        }
        let written = if fields.len() == 5 {
            let weekdays = weekdays(weekday).ok_or(ExpressionError::Syntax)?;
            format!("0 {} {weekdays}", fields[..4].join(" "))
        } else {
            fields.join(" ")
        };
        let schedule = cron::Schedule::from_str(&written).map_err(|_| ExpressionError::Syntax)?;
        let never = schedule.after(&DateTime::<Utc>::UNIX_EPOCH).next().is_none();
        if never { Err(ExpressionError::Never) } else { Ok(Self(schedule)) }
    }
}

impl Expression {
    /// When the night with this cut-off begins: the first instant that is for its date; none where the date has no
    /// night.
    pub fn begin(&self, cut_off: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let from = cut_off - TimeDelta::minutes(EARLY_MINUTES);
        let first = self.after(from - TimeDelta::seconds(1)).next();
        first.filter(|begin| *begin < from + Days::new(1))
    }

    /// The instants after `after`, soonest first; none where the years of the expression are over.
    pub fn after(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.0.after(&after)
    }
}

fn is_any(field: &str) -> bool {
    matches!(field, "*" | "?")
}

/// The weekdays of crontab(5), where Sunday is 0 or 7, as the list the `cron` crate reads, where Sunday is 1.
fn weekdays(field: &str) -> Option<String> {
    if is_any(field) {
        return Some("*".to_owned());
    }
    let mut wanted = [false; 7];
    for item in field.split(',') {
        let (range, step) = item.split_once('/').map_or(Some((item, None)), |(range, step)| {
            step.parse::<usize>().ok().filter(|step| (1..=7).contains(step)).map(|step| (range, Some(step)))
        })?;
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None if range == "*" => (0, 6),
            // A step needs something to step through.
            None if step.is_some() => return None,
            None => (weekday(range)?, weekday(range)?),
        };
        if first > last {
            return None;
        }
        (first..=last).step_by(step.unwrap_or(1)).for_each(|day| wanted[day % 7] = true);
    }
    let days: Vec<String> = (0..7).filter(|day| wanted[*day]).map(|day| (day + 1).to_string()).collect();
    Some(days.join(","))
}

/// 0 to 7, or the first three letters of an English weekday.
fn weekday(text: &str) -> Option<usize> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let number = if text.len() == 1 { text.parse().ok().filter(|day| *day <= 7) } else { None };
    number.or_else(|| NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(expression: &str, after: &str, count: usize) -> Vec<String> {
        let after: DateTime<Utc> = after.parse().unwrap();
        let expression: Expression = expression.parse().unwrap();
        expression.after(after).take(count).map(|at| at.format("%a %F %T").to_string()).collect()
    }

    #[test]
    fn five_and_six_fields_say_the_same() {
        // 2026-06-12 is a Friday.
        for expression in ["0 3 * * *", "0 0 3 * * *", "0 0 3 * * * *", "0 3 * * ?", " 0  3 * * 0-6 "] {
            let expected = ["Fri 2026-06-12 03:00:00", "Sat 2026-06-13 03:00:00", "Sun 2026-06-14 03:00:00"];
            assert_eq!(firsts(expression, "2026-06-12T02:59:59Z", 3), expected, "{expression}");
        }
    }

    #[test]
    fn weekdays_of_five_fields_count_from_sunday_as_0_or_7() {
        for (field, expected) in [
            ("1-5", ["Fri", "Mon", "Tue", "Wed"]),
            ("0", ["Sun", "Sun", "Sun", "Sun"]),
            ("7", ["Sun", "Sun", "Sun", "Sun"]),
            ("5-7", ["Fri", "Sat", "Sun", "Fri"]),
            ("SUN,wed", ["Sun", "Wed", "Sun", "Wed"]),
            ("mon-fri/2", ["Fri", "Mon", "Wed", "Fri"]),
            ("*/3", ["Sat", "Sun", "Wed", "Sat"]),
        ] {
            let days: Vec<String> = firsts(&format!("0 3 * * {field}"), "2026-06-12T00:00:00Z", 4)
                .iter()
                .map(|written| written[..3].to_owned())
                .collect();
            assert_eq!(days, expected, "{field}");
        }
    }

    #[test]
    fn six_fields_count_from_sunday_as_1() {
        assert_eq!(firsts("0 0 3 * * 1", "2026-06-12T00:00:00Z", 1), ["Sun 2026-06-14 03:00:00"]);
    }

    #[test]
    fn what_cannot_be_explained_is_refused() {
        for (expression, error) in [
            ("", ExpressionError::Fields(0)),
            ("0 3 * *", ExpressionError::Fields(4)),
            ("0 0 3 * * * * *", ExpressionError::Fields(8)),
            ("@daily", ExpressionError::Fields(1)),
            ("0 25 * * *", ExpressionError::Syntax),
            ("61 0 3 * * *", ExpressionError::Syntax),
            ("0 3 * * 8", ExpressionError::Syntax),
            ("0 3 * * 5-1", ExpressionError::Syntax),
            ("0 3 * * 1/2", ExpressionError::Syntax),
            ("0 3 * * 1-5/0", ExpressionError::Syntax),
            ("0 3 * * someday", ExpressionError::Syntax),
            ("0 3 1 * 1", ExpressionError::TwoDays),
            ("0 0 3 1 * 2", ExpressionError::TwoDays),
            ("0 3 30 2 *", ExpressionError::Never),
        ] {
            assert_eq!(Expression::from_str(expression).unwrap_err(), error, "{expression}");
        }
    }
}
