//! Logs: to stderr, as text or JSON, through one last net that masks card numbers.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::card::masking::mask;
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
