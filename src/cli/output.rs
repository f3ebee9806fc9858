//! Where text goes: people's text to stdout, or to stderr beside a JSON object on stdout.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Failure;

/// Whether a reader of many lines wants more: one that has enough closes the pipe. What is printed into a file and does
/// not fit is a failure, or half of it would pass for the whole.
pub(super) fn is_wanted(printed: io::Result<()>) -> Result<bool, Failure> {
    match printed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::environment(format!("not everything could be printed: {error}"))),
    }
}

/// The two outputs of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether `--json` was given.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Text for people. A closed pipe is not an error of ours.
    pub(super) fn say(self, text: impl std::fmt::Display) {
        let text = text.to_string();
        let text = text.trim_end_matches('\n');
        let _ = if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") };
    }

    /// The JSON object, where it was asked for.
    pub(super) fn object(self, object: &Value) {
        if self.json {
            let _ = writeln!(io::stdout(), "{object}");
        }
    }

    /// A failure: the sentence on stderr, and as JSON where that was asked for.
    pub(super) fn fail(self, failure: &Failure) -> u8 {
        let _ = writeln!(io::stderr(), "emboss: {}", failure.text);
        self.refusal(failure);
        failure.exit_code
    }

    /// A failure as JSON alone, where that was asked for.
    pub(super) fn refusal(self, failure: &Failure) {
        self.object(&json!({ "error": failure.text, "exitCode": failure.exit_code }));
    }
}
