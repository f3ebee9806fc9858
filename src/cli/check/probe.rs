//! `emboss check --probe`: what a destination does, found out by doing it, as sentences.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::CheckArguments;
use super::destinations::failed;
use super::line::Line;
use crate::ambient::Random;
use crate::cli::Failure;
use crate::cli::errors::chain;
use crate::config::{Config, adapters};
use crate::delivery::probe::{Answers, Probed, Reply, is_prefix, probe};
use crate::delivery::settings::{DestinationSettings, Profile};
use crate::delivery::{self, Refusal};
use crate::document::Environment;
use crate::store::{ProbeRow, Store};

/// A probe that was asked for.
pub(super) struct Trial {
    settings: DestinationSettings,
    names: String,
}

impl Trial {
    /// The one the arguments ask for, if they do.
    ///
    /// # Errors
    /// A destination that is not configured, real cards without `--yes-live`, names that would be none.
    pub(super) fn of(arguments: &CheckArguments, config: &Config) -> Result<Option<Self>, Failure> {
        let Some(name) = &arguments.probe else { return Ok(None) };
        let settings = config.destination(name).ok_or_else(|| {
            Failure::configuration(format!("--probe {name} is not in the configuration: correct the name, or add it"))
        })?;
        if settings.environment() == Environment::Live && !arguments.yes_live {
            return Err(Failure::configuration(format!(
                "destination {name} is of real cards, and its house picks files up: agree on the names of test files with the house, then probe with --names PREFIX --yes-live"
            )));
        }
        let names = arguments.names.clone().unwrap_or_else(|| format!("emboss-probe-{}", Random::system().uuid()));
        if !is_prefix(&names) {
            return Err(Failure::configuration(
                "--names must be 1 to 64 letters, digits, dots, hyphens and underscores, the first a letter or digit",
            ));
        }
        Ok(Some(Self { settings: settings.clone(), names }))
    }

    /// Probes and keeps the answers; adds what was found, and gives it as an object.
    pub(super) async fn run(self, config: &Arc<Config>, store: Option<&dyn Store>, lines: &mut Vec<Line>) -> Value {
        let subject = format!("probe of {}", self.settings.name());
        let (settings, names, config) = (self.settings.clone(), self.names.clone(), Arc::clone(config));
        let tried = tokio::task::spawn_blocking(move || {
            probe(
                &mut |view| {
                    let secrets = adapters::destination_secrets(&config, &settings)?;
                    delivery::connect(&settings.seen(view), &secrets)
                },
                &names,
            )
        });
        let Ok(probed) = tried.await else {
            lines.push(Line::error(subject, "the probe ended without an answer.", ""));
            return Value::Null;
        };
        self.tell(&subject, &probed, lines);
        let kept = match keep(self.settings.name(), &probed, store).await {
            Ok(kept) => kept,
            Err(reason) => {
                let text = format!("the answers could not be kept: {reason}.");
                lines.push(Line::error(subject, text, "Repair the database, then probe again."));
                None
            }
        };
        json!({
            "destination": self.settings.name(),
            "at": kept.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            "names": self.names,
            "identity": probed.identity.as_ref().map(ToString::to_string),
            "answers": probed.answers.ok(),
            "leftOver": probed.left_over,
        })
    }

    fn tell(&self, subject: &str, probed: &Probed, lines: &mut Vec<Line>) {
        match &probed.answers {
            Ok(answers) => lines.extend(sentences(subject, answers, &self.settings)),
            Err(error) => lines.push(failed(subject, error)),
        }
        for path in &probed.left_over {
            let text = format!("the test file {path} may be still there.");
            lines.push(Line::warning(subject, text, "Ask the house to remove it."));
        }
    }
}

/// Keeps what a probe found out; when, where there is something to keep.
async fn keep(destination: &str, probed: &Probed, store: Option<&dyn Store>) -> Result<Option<DateTime<Utc>>, String> {
    let (Ok(answers), Some(identity)) = (&probed.answers, &probed.identity) else { return Ok(None) };
    let store = store.ok_or_else(|| "the database does not open".to_owned())?;
    let at = store.now().await.map_err(|error| chain(&error))?;
    let row = ProbeRow {
        destination: destination.to_owned(),
        at,
        identity: identity.to_string(),
        answers: serde_json::to_string(answers).map_err(|error| error.to_string())?,
    };
    store.save_probe(&row).await.map_err(|error| chain(&error))?;
    Ok(Some(at))
}

/// Every answer, as a line.
fn sentences(subject: &str, answers: &Answers, settings: &DestinationSettings) -> Vec<Line> {
    let told = |text: &str| Line::told(subject, text);
    let mut lines = vec![
        looks(subject, answers, settings),
        exclusive(subject, answers),
        mode(subject, answers, settings),
        across(subject, answers),
        taken(subject, answers),
    ];
    lines.extend(answers.renames_vanished.map(|reply| vanished(subject, reply)));
    lines.extend(answers.removes_temporary.map(|reply| swept(subject, reply)));
    lines.extend(answers.removes_final.map(|reply| withdrawn(subject, reply)));
    lines.push(match answers.free_bytes {
        Some(bytes) => told(&format!("it has {} MiB free for us.", bytes / (1024 * 1024))),
        None => told("it does not tell how much space is free."),
    });
    lines.push(proof(subject, answers, settings));
    lines
}

fn looks(subject: &str, answers: &Answers, settings: &DestinationSettings) -> Line {
    let write_only = matches!(settings, DestinationSettings::Sftp(sftp) if sftp.profile == Profile::WriteOnly);
    let all = answers.sees_files && answers.sees_final_folder && answers.sees_temporary_folder;
    let seen = |is_seen: bool| if is_seen { "stat allowed" } else { "stat denied" };
    let text = format!(
        "final folder: {}; temporary folder: {}; our files: {}.",
        seen(answers.sees_final_folder),
        seen(answers.sees_temporary_folder),
        seen(answers.sees_files)
    );
    match (all, write_only) {
        (false, false) => Line::warning(subject, text, "Write profile = \"write-only\" for this destination."),
        (true, true) => Line::warning(subject, text, "Write profile = \"normal\" for this destination."),
        (true, false) | (false, true) => Line::told(subject, text),
    }
}

fn exclusive(subject: &str, answers: &Answers) -> Line {
    match answers.creates_exclusively {
        true => Line::told(subject, "a name that is there cannot be created again."),
        false => Line::error(
            subject,
            "it opens a name that is there as if it were new.",
            "Ask the house for a server that creates exclusively: two attempts could write into one file.",
        ),
    }
}

fn mode(subject: &str, answers: &Answers, settings: &DestinationSettings) -> Line {
    let wanted = settings.file_mode();
    match (&answers.mode, answers.sets_mode) {
        (Some(mode), _) if is_mode(mode, wanted) => Line::told(subject, format!("delivered files have mode {mode}.")),
        (Some(mode), _) => Line::warning(
            subject,
            format!("files get mode {mode} there and not {wanted}."),
            "Correct file_mode, or ask the house whether it can read such files.",
        ),
        (None, Reply::Done) => Line::told(subject, "it takes the mode of a file and does not show it."),
        (None, Reply::Refused(_)) => Line::told(subject, "it gives files a mode of its own and does not show it."),
    }
}

fn is_mode(shown: &str, wanted: &str) -> bool {
    u32::from_str_radix(shown, 8).ok() == u32::from_str_radix(wanted, 8).ok()
}

fn across(subject: &str, answers: &Answers) -> Line {
    match answers.renames_across {
        Reply::Done => Line::told(subject, "RENAME from the temporary folder to the final one works."),
        Reply::Refused(refusal) => Line::error(
            subject,
            format!("RENAME from the temporary folder to the final one is refused: {refusal}."),
            "Name a temporary_directory on the file system of the final folder, and ask for the permission to rename.",
        ),
    }
}

fn taken(subject: &str, answers: &Answers) -> Line {
    match answers.renames_onto_taken {
        Reply::Refused(refusal) => {
            Line::told(subject, format!("RENAME onto a name that is taken is refused: {refusal}."))
        }
        Reply::Done => Line::warning(
            subject,
            "RENAME onto a name that is taken overwrites.",
            "A name is looked at before it is used; where stat is denied, see that nobody else writes there.",
        ),
    }
}

fn vanished(subject: &str, reply: Reply) -> Line {
    match reply {
        Reply::Refused(refusal) => {
            Line::told(subject, format!("RENAME of a temporary file that is gone is refused: {refusal}."))
        }
        Reply::Done => Line::error(
            subject,
            "RENAME of a temporary file that is gone is answered with yes.",
            "Do not send there: its yes proves nothing.",
        ),
    }
}

fn swept(subject: &str, reply: Reply) -> Line {
    match reply {
        Reply::Done => Line::told(subject, "we may remove temporary files of ours."),
        Reply::Refused(Refusal::NoSuchFile) => Line::warning(
            subject,
            "somebody removed a temporary file of ours within the probe.",
            "Ask the house to leave the temporary folder alone.",
        ),
        Reply::Refused(refusal) => Line::warning(
            subject,
            format!("we may not remove temporary files of ours: {refusal}."),
            "Ask for the permission, or ask the house to clear away what ends with .part.",
        ),
    }
}

fn withdrawn(subject: &str, reply: Reply) -> Line {
    match reply {
        Reply::Done => Line::told(subject, "the final test file stayed until we removed it."),
        Reply::Refused(Refusal::NoSuchFile) => {
            Line::told(subject, "the house took the final test file within the probe; tell the house.")
        }
        Reply::Refused(refusal) => Line::told(subject, format!("we may not remove final files: {refusal}.")),
    }
}

/// What the answers mean for `rename_proves_publication`.
fn proof(subject: &str, answers: &Answers, settings: &DestinationSettings) -> Line {
    let against = answers.against_proof();
    match (against.first(), settings.rename_proves_publication()) {
        (None, true) => Line::told(subject, "nothing here speaks against rename_proves_publication = true."),
        (None, false) => Line::told(
            subject,
            "rename_proves_publication = true is possible, once the house has said that it sweeps no temporary files.",
        ),
        (Some(reason), true) => Line::warning(
            subject,
            format!("rename_proves_publication = true does not fit: {reason}."),
            "Write rename_proves_publication = false.",
        ),
        (Some(reason), false) => Line::told(subject, format!("rename_proves_publication must stay false: {reason}.")),
    }
}
