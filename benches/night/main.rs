//! A whole night, timed stage by stage on SQLite: `cargo bench --bench night -- --cards 10000,100000`.
//!
//! Orders are imported as a user would, an earlier night gives a share of the cards their PINs and ACTIVE plastics,
//! and then the timed night runs with the production program's own parts, clock and durability: only the destination
//! is a folder. Nothing is asserted on time; a night that does not add up is an error.
//!
//! Several numbers of cards run one after the other, each in a process of its own, so that peak memory compares.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod installation;
mod memory;
mod mix;
mod options;
mod orders;
mod people;
mod stages;
mod table;

use std::error::Error;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use clap::Parser;
use emboss::night::{Night, RunOrder};
use emboss::report::Report;
use emboss::schedule;
use serde_json::{Value, json};

use installation::Bench;
use mix::Mix;
use options::Options;
use stages::{Begun, Measured, Watch};

/// What goes wrong in a benchmark ends it.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let options = Options::parse();
    let cards = options.cards();
    let measured: Outcome<Vec<Value>> = match cards.as_slice() {
        [only] => measure(&options, *only).map(|night| vec![night]),
        several => several.iter().map(|count| in_a_process_of_its_own(&options, *count)).collect(),
    };
    match measured {
        Ok(nights) => {
            if !options.json && cards.len() > 1 {
                print!("{}", table::comparison(&nights));
            }
            println!("{}", json!({ "bench": "night", "nights": nights }));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the benchmark stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Another process like this one; its table passes through, its last line is the figures.
fn in_a_process_of_its_own(options: &Options, cards: u64) -> Outcome<Value> {
    let output = Command::new(std::env::current_exe()?)
        .args(options.of_one(cards))
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let (told, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    if !output.status.success() {
        return Err(format!("the night of {cards} cards failed").into());
    }
    if !options.json {
        println!("{told}\n");
    }
    let figures: Value = serde_json::from_str(last)?;
    Ok(figures["nights"][0].clone())
}

/// One number of cards, from an empty database to the settled file.
fn measure(options: &Options, cards: u64) -> Outcome<Value> {
    let runtime = tokio::runtime::Runtime::new()?;
    let bench = Bench::lay_out(options)?;
    let mix = Mix::of(cards);
    let import = runtime.block_on(prepare(&bench, &mix))?;
    // Opened anew: the timed night begins as a real one does, with cold caches and the log folded into the file.
    let watch = Arc::new(Watch::default());
    let (report, whole) = runtime.block_on(timed(&bench, Arc::clone(&watch)))?;
    let document_bytes = bench.document_bytes(&report)?;
    let night = table::Night { options, cards, mix: &mix, import, stages: watch.take(), whole, document_bytes };
    let figures = night.to_json(&report);
    if !options.json {
        print!("{}", table::of_one(&figures));
    }
    Ok(figures)
}

/// Imports every order, runs the earlier night, and writes the marks that stage 3 will have orders for.
async fn prepare(bench: &Bench, mix: &Mix) -> Outcome<Measured> {
    let night = bench.open(Arc::new(emboss::night::Silent)).await?;
    let import = bench.import(&night, mix).await?;
    let earlier = RunOrder::night("bench", bench.earlier, schedule::cut_off(bench.earlier), "bench");
    expect(&night.run(&earlier).await?, mix.earlier)?;
    mix::mark(&night, mix, bench.marked_late()).await?;
    Ok(import)
}

async fn timed(bench: &Bench, watch: Arc<Watch>) -> Outcome<(Report, Measured)> {
    let observer: Arc<Watch> = Arc::clone(&watch);
    let night: Night = bench.open(observer).await?;
    let order = RunOrder::night("bench", bench.date, schedule::cut_off(bench.date), "bench");
    watch.begin();
    let begun = Begun::now();
    let report = night.run(&order).await?;
    let whole = Measured { peak_kib: None, ..begun.measured() };
    let due: u64 = report.arithmetic().selected;
    expect(&report, due)?;
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
