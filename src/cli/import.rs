//! `emboss import`: orders in, one answer line each.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Failure;
use super::errors::chain;
use super::open::Home;
use super::output::Output;
use crate::config::{Config, adapters};
use crate::intake::{Catalogue, ImportSummary, Importer, JweKeys};

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Files of orders, one JSON object per line; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) async fn import(arguments: &ImportArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = home.open(output, true).await?;
    let catalogue = Catalogue::new(opened.config.institutions.clone(), opened.config.products.clone());
    let jwe = open_jwe(&opened.config)?;
    let night = &opened.night;
    let importer = Importer::new(&*night.store, &night.vault, &catalogue, &jwe, &*night.clock, &night.random);
    let bar = progress(home.surroundings.terminal);
    let mut total = ImportSummary::default();
    let import_id = night.random.uuid().to_string();
    let mut answers = Digested { inner: io::BufWriter::new(io::stdout().lock()), hasher: Sha256::new() };
    for (place, path) in arguments.files.iter().enumerate() {
        let mut reader = open(path)?;
        if place == 0 {
            // Begun and ended, as a run is: an import that died has no end.
            let begun = json!({ "importId": import_id, "holder": opened.holder });
            night.store.enter("import.begun", &import_id, &begun).await?;
        }
        let summary = importer
            .import(&mut reader, &mut answers, &mut |lines| bar.set_position(lines))
            .await
            .map_err(|error| Failure::environment(format!("{}: {}", path.display(), chain(&error))))?;
        answers.flush().map_err(|error| Failure::environment(format!("the answers cannot be written: {error}")))?;
        total.taken += summary.taken;
        total.repeated += summary.repeated;
        total.refused += summary.refused;
    }
    bar.finish_and_clear();
    let ended = json!({
        "importId": import_id, "taken": total.taken, "repeated": total.repeated, "refused": total.refused,
        "answersSha256": hex::encode(answers.hasher.finalize()),
    });
    night.store.enter("import.ended", &import_id, &ended).await?;
    night.note_head().await;
    night.store.close().await;
    let mut summary = io::stderr().lock();
    // The summary is for people; a closed stderr must not turn a good import into a bad one.
    let _ = writeln!(summary, "{}", told(&total));
    Ok(u8::from(total.refused > 0))
}

/// Passes answers on and digests them.
struct Digested<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The summary for people.
pub(super) fn told(summary: &ImportSummary) -> String {
    let ImportSummary { taken, repeated, refused } = summary;
    format!("{taken} orders taken, {repeated} known already, {refused} refused")
}

/// The keys issuers encrypt card data to.
pub(super) fn open_jwe(config: &Config) -> Result<JweKeys, Failure> {
    let failure = |findings: Vec<String>| Failure::configuration(findings.join("\n"));
    let pairs =
        adapters::read_jwe(config).map_err(|findings| failure(findings.iter().map(ToString::to_string).collect()))?;
    let mut keys = JweKeys::default();
    for pair in pairs {
        keys.add(&pair.certificate, &pair.private_key).map_err(|error| failure(vec![chain(&error)]))?;
    }
    Ok(keys)
}

fn open(path: &PathBuf) -> Result<Box<dyn BufRead + Send>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)
        .map_err(|error| Failure::configuration(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

fn progress(terminal: bool) -> ProgressBar {
    let target = if terminal { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(None, target)
}
