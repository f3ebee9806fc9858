//! The command line: one file per command, exit codes, people's text and `--json`.
//!
//! A stable contract: names may gain flags, not change. There are no prompts, ever. With `--json` one
//! object stands on stdout and people's text goes to stderr.

mod abandon;
mod audit;
mod check;
mod demo;
mod errors;
mod events;
mod explain;
mod import;
mod init;
mod inspect;
mod keys;
mod logging;
mod open;
mod output;
mod person;
mod plan;
mod progress;
mod resend;
mod resolve;
mod run;
mod schedule;
mod sentences;
mod status;
mod surroundings;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use errors::Failure;
pub use open::open_night;
pub use sentences::parse;
pub use surroundings::{Surroundings, harden};

/// Turns the plastics a card issuer has marked for production into encrypted embossing files at each embossing
/// house, every night at 03:00 UTC, exactly once.
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
#[command(name = "emboss", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The configuration file. Without it, EMBOSS_CONFIG names it, else ./emboss.toml is read.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Prints one JSON object on stdout; text for people goes to stderr.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  All is settled, also where nothing was due.
  1  Something needs a person.
  2  Usage or configuration.
  3  Could not start or finish; nothing is lost, run again.
  4  Another run holds the lock.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a whole night on the embedded default: own database, throw-away keys, fixture orders, a local folder.
    Demo(demo::DemoArguments),
    /// Writes a commented emboss.toml, test keys and an empty database for a first trial of your own.
    Init(init::InitArguments),
    /// Takes orders as JSON Lines and prints one answer line for each.
    Import(import::ImportArguments),
    /// Shows what the run of a date would produce, hold and exclude, with reasons; writes nothing.
    Plan(PlanArguments),
    /// Runs the night of a date: resumes what an earlier try left, then produces what is due.
    Run(run::RunArguments),
    /// Stays, and runs at the configured cron expression.
    Schedule,
    /// Shows runs, files, and what is held and since when.
    Status(status::StatusArguments),
    /// Decides about a file of which nobody can tell whether it arrived.
    Resolve(resolve::ResolveArguments),
    /// Takes the cards out of a file that the house cannot have yet; it keeps its number and goes empty.
    Abandon(abandon::AbandonArguments),
    /// Delivers a settled file once more: the same bytes, or a new file marked DUPLICATE; moves no plastic.
    Resend(resend::ResendArguments),
    /// Tells the whole story of a card or a plastic, masked: orders, holds, files, and what to expect of the next night.
    Explain(explain::ExplainArguments),
    /// Prints what happened as JSON Lines, oldest first.
    Events(events::EventsArguments),
    /// Verifies the audit chain, or prints its entries.
    #[command(subcommand, disable_help_subcommand = true)]
    Audit(audit::AuditCommand),
    /// Opens a sealed or plain embossing file, checks schema, totals and signature, and shows it masked.
    Inspect(inspect::InspectArguments),
    /// Lists the keys of the configuration, takes new ones in, and rotates the data key.
    Keys(keys::KeysArguments),
    /// Checks configuration, database, keys and destinations, and shows every finding at once.
    Check(check::CheckArguments),
}

/// Which part of a night.
#[derive(Debug, Args)]
struct Filters {
    /// Only this institution; may be given several times.
    #[arg(long, value_name = "ID")]
    institution: Vec<crate::card::InstitutionId>,
    /// Only this embossing house; may be given several times.
    #[arg(long, value_name = "CODE")]
    manufacturer: Vec<crate::card::ManufacturerCode>,
}

impl Filters {
    /// A name nobody knows is a typing error: a night that leaves out what was meant must not end with 0.
    fn check(&self, config: &crate::config::Config) -> Result<(), Failure> {
        let unknown = |option: &str, name: &dyn std::fmt::Display| {
            Failure::configuration(format!(
                "--{option} {name} is not in the configuration: correct the name, or add it"
            ))
        };
        for id in &self.institution {
            config.institution(id).ok_or_else(|| unknown("institution", id))?;
        }
        for code in &self.manufacturer {
            config.manufacturer(code).ok_or_else(|| unknown("manufacturer", code))?;
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
struct PlanArguments {
    /// The business date; without it the next one.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<chrono::NaiveDate>,
    #[command(flatten)]
    filters: Filters,
}

/// Runs a command and gives the exit code.
pub fn run(arguments: &Arguments, surroundings: &Surroundings) -> u8 {
    let output = output::Output::new(arguments.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::environment(format!("the runtime cannot start: {error}"))),
    };
    let outcome = runtime.block_on(dispatch(arguments, surroundings, &output));
    match outcome {
        Ok(code) => code,
        Err(failure) => output.fail(&failure),
    }
}

async fn dispatch(arguments: &Arguments, surroundings: &Surroundings, output: &output::Output) -> Result<u8, Failure> {
    let home = open::Home { arguments, surroundings };
    match &arguments.command {
        Command::Demo(demo) => demo::demo(demo, output).await,
        Command::Init(init) => init::init(init, output).await,
        Command::Import(import) => import::import(import, &home, output).await,
        Command::Plan(plan) => plan::plan(plan, &home, output).await,
        Command::Run(run) => run::run(run, &home, output).await,
        Command::Schedule => schedule::schedule(&home, output).await,
        Command::Status(status) => status::status(status, &home, output).await,
        Command::Resolve(resolve) => resolve::resolve(resolve, &home, output).await,
        Command::Abandon(abandon) => abandon::abandon(abandon, &home, output).await,
        Command::Resend(resend) => resend::resend(resend, &home, output).await,
        Command::Audit(command) => audit::audit(command, &home, output).await,
        Command::Explain(explain) => explain::explain(explain, &home, output).await,
        Command::Events(events) => events::events(events, &home).await,
        Command::Inspect(inspect) => inspect::inspect(inspect, &home, output).await,
        Command::Keys(keys) => keys::keys(keys, &home, output).await,
        Command::Check(check) => check::check(check, &home, output).await,
    }
}
