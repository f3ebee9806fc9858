//! A whole night, timed stage by stage on SQLite: `cargo bench --bench night -- --cards 10000,100000`.
//!
//! Orders are imported as a user would, an earlier night gives a share of the cards their PINs and ACTIVE plastics,
//! and then the timed night runs with the production program's own parts, clock and durability: only the destination
//! is a folder. Nothing is asserted on time; a night that does not add up is an error.
//!
//! What leads up to the timed night is done by another process, and several numbers of cards run one after the other
//! in processes of their own, so that a peak is that of one night and of nothing before it.

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
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use clap::Parser;
use emboss::night::{Night, RunOrder, Silent};
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
    let cards = options.cards();
    if let Some(folder) = &options.prepare {
        return prepare(options, folder, cards[0]);
    }
    let nights = match cards.as_slice() {
        [only] => vec![measure(options, *only)?],
        several => {
            let nights: Outcome<Vec<Value>> = several.iter().map(|count| night_of_its_own(options, *count)).collect();
            let nights = nights?;
            if !options.json {
                print!("{}", table::comparison(&nights));
            }
            nights
        }
    };
    Ok(json!({ "bench": "night", "nights": nights }))
}

/// Another process like this one: what it prints for people, and the object that is its last line.
fn another(arguments: &[String]) -> Outcome<(String, Value)> {
    let output = Command::new(std::env::current_exe()?).args(arguments).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let (told, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    if !output.status.success() {
        return Err(format!("another process failed, of {}", arguments.join(" ")).into());
    }
    Ok((told.to_owned(), serde_json::from_str(last)?))
}

fn night_of_its_own(options: &Options, cards: u64) -> Outcome<Value> {
    let (told, figures) = another(&options.of_one(cards))?;
    if !options.json {
        println!("{told}\n");
    }
    Ok(figures["nights"][0].clone())
}

/// One number of cards, from an empty database to the settled file.
fn measure(options: &Options, cards: u64) -> Outcome<Value> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().join("night"));
    let (_, import) = another(&options.to_prepare(cards, &folder))?;
    let bench = Bench::open(&folder)?;
    let watch = Arc::new(Watch::default());
    let (report, whole) = tokio::runtime::Runtime::new()?.block_on(timed(&bench, Arc::clone(&watch)))?;
    let document_bytes = bench.document_bytes(&report)?;
    let import = serde_json::from_value(import)?;
    let mix = Mix::of(cards);
    let night = table::Night { options, mix, import, stages: watch.take(), whole, document_bytes };
    let figures = night.to_json(&report);
    if !options.json {
        print!("{}", table::of_one(&figures));
    }
    Ok(figures)
}

/// Lays out, imports every order, runs the earlier night, and writes the marks that stage 3 will have orders for.
fn prepare(options: &Options, folder: &Path, cards: u64) -> Outcome<Value> {
    installation::lay_out(options, folder)?;
    let bench = Bench::open(folder)?;
    let mix = Mix::of(cards);
    let import = tokio::runtime::Runtime::new()?.block_on(lead_up(&bench, &mix))?;
    Ok(serde_json::to_value(import)?)
}

async fn lead_up(bench: &Bench, mix: &Mix) -> Outcome<Measured> {
    let night = bench.night(Arc::new(Silent)).await?;
    let import = bench.import(&night, mix).await?;
    let earlier = RunOrder::night("bench", bench.earlier, schedule::cut_off(bench.earlier), "bench");
    expect(&night.run(&earlier).await?, mix.earlier)?;
    mix::mark(&night, mix, bench.marked_late()).await?;
    Ok(import)
}

async fn timed(bench: &Bench, watch: Arc<Watch>) -> Outcome<(Report, Measured)> {
    let observer: Arc<Watch> = Arc::clone(&watch);
    let night: Night = bench.night(observer).await?;
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
