//! A configuration: whole, or refused with sentences that say where.

use std::path::Path;

use emboss::config::{Config, ConfigError};

use super::{is_a_sentence, is_one_line};

pub fn holds(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Config::parse(text, Path::new("/etc/emboss/emboss.toml"), Some(Path::new("/run/credentials/emboss"))) {
        Ok(config) => {
            assert!(config.validate().is_empty());
            assert!(config.agreements.iter().all(|agreement| config.destination_of(agreement).is_some()));
        }
        Err(ConfigError::Invalid { findings, .. }) => {
            assert!(!findings.is_empty());
            for finding in findings {
                assert!(!finding.subject.is_empty() && !finding.text.is_empty(), "{finding:?}");
                // It names keys and sections as they are called.
                is_one_line(&finding.to_string());
            }
        }
        Err(ConfigError::Syntax { line, column, reason, .. }) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&line) && column > 0, "{line}:{column}");
            is_a_sentence(&reason);
        }
        Err(error @ ConfigError::Unreadable { .. }) => panic!("nothing is opened: {error}"),
    }
}
