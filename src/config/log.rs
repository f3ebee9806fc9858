//! The `[log]` section: how the log on stderr is written.

use serde::Deserialize;
use tracing::level_filters::LevelFilter;

use crate::card::product::words;

words!(
    /// How a log line looks.
    #[derive(Default)]
    LogFormat {
        /// For people.
        #[default]
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
);

words!(
    /// The least important lines that are still written.
    #[derive(Default)]
    LogLevel {
        /// Failures.
        Error = "error",
        /// And what may want a person.
        Warn = "warn",
        /// And what happened.
        #[default]
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
);

impl LogLevel {
    /// The same for the log's writer.
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// `[log]`. Its words are closed lists, so that there is nothing left to validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// From which level on.
    pub level: LogLevel,
}
