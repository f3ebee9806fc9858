//! Logs: to stderr, as text or JSON, through one last net that masks card numbers.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::card::{Pan, PanMask};
use crate::config::{LogFormat, LogLevel, LogSettings};

/// Starts logging; a second call changes nothing.
pub(super) fn start(settings: &LogSettings) {
    let builder =
        tracing_subscriber::fmt().with_max_level(filter(settings.level)).with_writer(Masking).with_ansi(false);
    // A logger that is set already stays: tests and the scheduler start it once per process.
    let _ = match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[derive(Debug, Clone, Copy)]
struct Masking;

impl<'a> MakeWriter<'a> for Masking {
    type Writer = Masking;

    fn make_writer(&'a self) -> Self::Writer {
        Masking
    }
}

impl Write for Masking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(mask(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Masks every run of 13 to 19 digits whose check digit is right and that has no hexadecimal letter beside it, so
/// that digests stay readable.
pub(super) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = at + length;
        let beside = |place: Option<usize>| {
            place.and_then(|place| bytes.get(place)).is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        };
        if (13..=19).contains(&length)
            && !beside(at.checked_sub(1))
            && !beside(Some(end))
            && let Ok(pan) = Pan::parse(&text[at..end])
        {
            masked.push_str(&text[copied..at]);
            masked.push_str(&pan.masked(PanMask::SixFour));
            copied = end;
        }
        at = end.max(at + 1);
    }
    masked.push_str(&text[copied..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn card_numbers_are_masked_and_digests_stay() {
        assert_eq!(mask("card 4000001234567899 held"), "card 400000******7899 held");
        assert_eq!(mask("4000001234567899"), "400000******7899");
        assert_eq!(mask("sha256 a4000001234567899b"), "sha256 a4000001234567899b");
        assert_eq!(mask("id 4000001234567890"), "id 4000001234567890");
        assert_eq!(mask("ä4000001234567899ö"), "ä400000******7899ö");
    }
}
