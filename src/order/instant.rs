//! Instants and days as orders write them: RFC 3339, UTC only.

use chrono::{DateTime, NaiveDate, Utc};

/// The pattern of an instant, as refusals say it.
pub const INSTANT: &str = "YYYY-MM-DDThh:mm:ss[.ffffff]Z";

/// An instant with `Z` and at most six digits of a second; `None` for anything else, also other zones.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let without_zone = text.strip_suffix('Z')?;
    let (seconds, fraction) = match without_zone.split_once('.') {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (without_zone, None),
    };
    let shape = shape(seconds) == "0000-00-00T00:00:00";
    let fraction = fraction.is_none_or(|f| (1..=6).contains(&f.len()) && f.bytes().all(|b| b.is_ascii_digit()));
    // A leap second is not a time of our clocks.
    if !shape || !fraction || seconds.ends_with("60") {
        return None;
    }
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.with_timezone(&Utc))
}

/// A day, `YYYY-MM-DD`.
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    if shape(text) == "0000-00-00" { text.parse().ok() } else { None }
}

/// The text with every digit as 0.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_end_with_z_and_have_at_most_six_digits_of_a_second() {
        for (text, expected) in [
            ("2026-11-20T10:15:00Z", "2026-11-20T10:15:00+00:00"),
            ("2026-11-20T10:15:00.5Z", "2026-11-20T10:15:00.500+00:00"),
            ("2099-12-31T03:00:00.000Z", "2099-12-31T03:00:00+00:00"),
            ("2026-11-20T10:15:00.123456Z", "2026-11-20T10:15:00.123456+00:00"),
        ] {
            assert_eq!(parse_instant(text).unwrap().to_rfc3339(), expected);
        }
        for wrong in [
            "2026-11-20T10:15:00.1234567Z",
            "2026-11-20T10:15:00.Z",
            "2026-11-20T10:15:00+00:00",
            "2026-11-20T10:15:00z",
            "2026-11-20t10:15:00Z",
            "2026-11-20 10:15:00Z",
            "2026-11-20T10:15Z",
            "2026-02-30T10:15:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T23:59:60Z",
            "26-11-20T10:15:00Z",
            "+2026-11-20T10:15:00Z",
            "",
        ] {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_of_the_calendar() {
        assert_eq!(parse_day("2024-02-29"), NaiveDate::from_ymd_opt(2024, 2, 29));
        for wrong in ["2023-02-29", "2024-2-29", "2024-02-29T00:00:00Z", "24-02-29", "+2024-02-29"] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }
}
