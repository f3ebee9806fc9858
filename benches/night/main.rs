//! A whole night, timed stage by stage: `cargo bench --bench night -- --cards 10000,100000`.
//!
//! Orders are imported as a user would (three for each card, always into SQLite; a server gets the same rows from there), an earlier night gives a share of the cards their PINs and ACTIVE plastics,
//! and then the timed night runs with the production program's own parts, clock and durability, on SQLite or
//! PostgreSQL, into a folder or through OpenSSH. Nothing is asserted on time; a night that does not add up is an error.
//!
//! What leads up to the timed night is done by another process, and each night runs in a process of its own, so that a
//! peak is that of one night and of nothing before it. The servers are ours, started by the first process.
//!
//! Two comparisons stand beside it: with psql, gpg and sftp on the same plastics (`--versus-pipeline`), and of one
//! delivery with OpenSSH's `sftp` (`--versus-sftp`).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod cluster;
mod configured;
mod filled;
mod grounds;
mod installation;
mod loaded;
mod memory;
mod mix;
mod options;
mod orders;
mod people;
mod pipeline;
mod stages;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod uploads;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use clap::Parser;
use emboss::night::{RunOrder, Silent};
use emboss::report::Report;
use emboss::schedule;
use serde_json::{Value, json};

use filled::Filled;
use grounds::Grounds;
use installation::Bench;
use mix::Mix;
use options::{Options, Step};
use stages::{Begun, Measured, Watch};

/// What goes wrong in a benchmark ends it.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let options = Options::parse();
    match figures(&options) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the benchmark stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints tables, and gives the JSON object that is the last line.
fn figures(options: &Options) -> Outcome<Value> {
    options.validate()?;
    let cards = options.cards();
    if let (Some(step), Some(folder)) = (options.step, &options.folder) {
        let mix = Mix::of(cards[0], options.institutions);
        return match step {
            Step::Fill => fill(folder, &mix),
            Step::Night => night(folder, mix),
        };
    }
    let grounds = Grounds::open(options)?;
    if let Some(megabytes) = options.versus_sftp {
        return uploads::compare(options, &grounds, megabytes);
    }
    let nights: Outcome<Vec<Value>> = cards.iter().map(|count| measure(options, &grounds, *count)).collect();
    let nights = nights?;
    if !options.json && nights.len() > 1 {
        print!("{}", table::comparison(&nights));
    }
    let server = grounds.cluster.as_ref().map(cluster::Server::told);
    Ok(json!({ "bench": "night", "databaseServer": server, "nights": nights }))
}

/// Another process like this one: the object that is its last line.
fn another(arguments: &[String]) -> Outcome<Value> {
    let output = Command::new(std::env::current_exe()?).args(arguments).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("another process failed, of {}", arguments.join(" ")).into());
    }
    Ok(serde_json::from_str(text.lines().next_back().unwrap_or_default())?)
}

/// One number of cards: as many nights as asked for, the pipeline in turns with them, and the median night is told.
fn measure(options: &Options, grounds: &Grounds, cards: u64) -> Outcome<Value> {
    let filled = Filled::of(options, grounds, cards)?;
    let (mut nights, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let mut night = one_night(options, grounds, &filled, cards)?;
        if options.versus_pipeline {
            let pipeline = pipeline::measure(options, grounds, cards, &filled.copy("pipeline")?)?;
            let ratio = pipeline["seconds"].as_f64().zip(seconds(&night)).map(|(theirs, ours)| theirs / ours);
            ratios.push(table::rounded(ratio.unwrap_or_default()));
            night["pipeline"] = pipeline;
        }
        nights.push(night);
    }
    nights.sort_by(|one, other| seconds(one).partial_cmp(&seconds(other)).unwrap_or(std::cmp::Ordering::Equal));
    let mut night = nights.swap_remove(nights.len() / 2);
    night["rounds"] = json!(options.rounds);
    if options.versus_pipeline {
        night["ratios"] = json!(ratios);
        night["ratio"] = json!(uploads::median(&mut ratios));
    }
    if !options.json {
        println!("{}", table::of_one(&night));
        if options.versus_pipeline {
            println!("{}", table::versus(&night));
        }
    }
    Ok(night)
}

/// Seconds of a whole run.
fn seconds(night: &Value) -> Option<f64> {
    table::stage(night, "whole run")["seconds"].as_f64()
}

fn one_night(options: &Options, grounds: &Grounds, filled: &Filled<'_>, cards: u64) -> Outcome<Value> {
    let folder = filled.copy("night")?;
    let counted = grounds.cluster.as_ref().filter(|_| options.statements);
    counted.inspect(|server| server.forget_statements());
    let before = grounds.database_processor_s();
    let mut night = another(&options.of_step(Step::Night, cards, &folder))?;
    let server = grounds.database_processor_s().zip(before).map(|(now, then)| table::rounded(now - then));
    night["serverProcessorSeconds"] = json!(server);
    counted.inspect(|server| println!("{}", server.statements(cards)));
    night["import"] = filled.import.clone();
    night["format"] = json!(options.format);
    night["version"] = json!(options.version);
    night["database"] = json!(options.database.name());
    night["destination"] = json!(options.destination.name());
    night["latencyMs"] = json!(options.latency_ms);
    Ok(night)
}

/// Imports every order, runs the earlier night, and writes the marks that intake has no orders for.
fn fill(folder: &Path, mix: &Mix) -> Outcome<Value> {
    let bench = Bench::open(folder)?;
    let import = tokio::runtime::Runtime::new()?.block_on(lead_up(&bench, mix))?;
    Ok(table::row("import into SQLite", mix.cards, import))
}

async fn lead_up(bench: &Bench, mix: &Mix) -> Outcome<Measured> {
    let night = bench.night(Arc::new(Silent)).await?;
    let import = bench.import(&night, mix).await?;
    let earlier = RunOrder::night("bench", bench.earlier, schedule::cut_off(bench.earlier), "bench");
    expect(&night.run(&earlier).await?, mix.earlier)?;
    mix::mark(&night, mix, bench.marked_late()).await?;
    night.store.close().await;
    Ok(import)
}

/// The timed night.
fn night(folder: &Path, mix: Mix) -> Outcome<Value> {
    let bench = Bench::open(folder)?;
    let watch = Arc::new(Watch::default());
    let (report, whole) = tokio::runtime::Runtime::new()?.block_on(timed(&bench, Arc::clone(&watch)))?;
    expect(&report, mix.cards)?;
    let inside = bench.house()?.open_all()?;
    if inside.records != mix.cards {
        return Err(format!("{} of {} records arrived", inside.records, mix.cards).into());
    }
    Ok(table::Night { mix, watch: &watch, whole, report: &report, inside }.to_json())
}

async fn timed(bench: &Bench, watch: Arc<Watch>) -> Outcome<(Report, Measured)> {
    let observer: Arc<Watch> = Arc::clone(&watch);
    let begun = Begun::now();
    let night = bench.night(observer).await?;
    let order = RunOrder::night("bench", bench.date, schedule::cut_off(bench.date), "bench");
    watch.begin();
    let report = night.run(&order).await?;
    // The stages have set the peak back since.
    let whole = Measured { peak_kib: watch.peak_kib(None), ..begun.measured() };
    night.store.close().await;
    Ok((report, whole))
}

/// A night that loses something must not be quoted.
fn expect(report: &Report, records: u64) -> Outcome<()> {
    let sum = report.arithmetic();
    if report.exit_code() == 0 && sum.delivered == records && sum.adds_up() {
        return Ok(());
    }
    Err(format!("{records} records were to be delivered:\n{report}").into())
}
