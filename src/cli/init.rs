//! `emboss init`: an installation for a first trial of one's own.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::errors::chain;
use super::output::Output;
use crate::ambient::{Clock, Random, SystemClock};
use crate::config::{Config, adapters};
use crate::trial;

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The folder, empty or absent; without it, ./emboss-trial.
    #[arg(value_name = "DIR", default_value = "emboss-trial", hide_default_value = true)]
    folder: PathBuf,
}

pub(super) async fn init(arguments: &InitArguments, output: &Output) -> Result<u8, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let installation = trial::lay_out(&arguments.folder, &Random::system(), clock.now())?;
    let config = Config::load(&installation.config(), None).map_err(|error| Failure::configuration(chain(&error)))?;
    adapters::open_store(&config, true, clock, Arc::new(Random::system()), None).await?.close().await;
    let config = installation.config().display().to_string();
    output.say(format!(
        "Made {config} with test keys, an empty database and the folder out/ as destination.\n\
         Try it:\n\
         \x20 emboss --config {config} check\n\
         \x20 emboss --config {config} import YOUR-ORDERS.jsonl\n\
         \x20 emboss --config {config} plan\n\
         \x20 emboss --config {config} run --now"
    ));
    output.object(&json!({ "command": "init", "config": config, "exitCode": 0 }));
    Ok(0)
}
