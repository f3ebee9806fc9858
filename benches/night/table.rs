//! The figures as JSON objects, and as tables made from them.

use emboss::night::Stage;
use emboss::report::{FileReport, Report};
use serde_json::{Map, Value, json};

use crate::installation::Inside;
use crate::mix::Mix;
use crate::stages::{Measured, Watch};

const STAGES: [Stage; 5] = [Stage::Claim, Stage::Pins, Stage::Seal, Stage::Deliver, Stage::Settle];

/// What was measured of one night.
pub(crate) struct Night<'a> {
    pub(crate) mix: Mix,
    pub(crate) watch: &'a Watch,
    /// The run, with opening the database.
    pub(crate) whole: Measured,
    pub(crate) report: &'a Report,
    pub(crate) inside: Inside,
}

impl Night<'_> {
    /// The object of one night. Megabytes are 10^6 bytes; memory is in MiB.
    pub(crate) fn to_json(&self) -> Value {
        let mut stages: Vec<Value> = STAGES.iter().map(|stage| self.stage(*stage)).collect();
        let all = Measured {
            seconds: self.watch.settled_s().unwrap_or_default(),
            processor_s: None,
            bytes: Some(self.inside.document_bytes),
            peak_kib: self.watch.peak_kib(None),
        };
        stages.push(row("claim to settled", self.mix.cards, all));
        stages.push(row("whole run", self.mix.cards, self.whole));
        json!({
            "cards": self.mix.cards,
            "institutions": self.mix.institutions,
            "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            "bytesPerRecord": self.inside.document_bytes.checked_div(self.mix.cards),
            "sealedBytes": self.inside.sealed_bytes,
            "stages": stages,
        })
    }

    /// Seconds are the sum over files: with several agreements they overlap.
    fn stage(&self, stage: Stage) -> Value {
        let milliseconds: i64 = self.files().filter_map(|file| file.durations_ms.get(stage.as_str())).sum();
        let alone = self.files().count() == 1;
        let bytes = match stage {
            Stage::Seal => Some(self.inside.document_bytes),
            Stage::Deliver => Some(self.inside.sealed_bytes),
            _ => None,
        };
        let measured = Measured {
            seconds: milliseconds as f64 / 1000.0,
            processor_s: if alone { self.watch.processor_s(stage) } else { None },
            bytes,
            peak_kib: self.watch.peak_kib(Some(stage)),
        };
        row(stage.as_str(), if stage == Stage::Pins { self.mix.new_pins() } else { self.mix.cards }, measured)
    }

    fn files(&self) -> impl Iterator<Item = &FileReport> {
        self.report.agreements.iter().flat_map(|agreement| &agreement.files)
    }
}

/// The row of a stage.
pub(crate) fn row(stage: &str, records: u64, measured: Measured) -> Value {
    let per_second = |amount: f64| (measured.seconds > 0.0).then(|| amount / measured.seconds);
    let mut row = Map::new();
    row.insert("stage".to_owned(), json!(stage));
    row.insert("records".to_owned(), json!(records));
    row.insert("seconds".to_owned(), json!(rounded(measured.seconds)));
    row.insert("processorSeconds".to_owned(), json!(measured.processor_s.map(rounded)));
    row.insert("recordsPerSecond".to_owned(), json!(per_second(records as f64).map(f64::round)));
    let megabytes = measured.bytes.and_then(|bytes| per_second(bytes as f64 / 1e6));
    row.insert("megabytesPerSecond".to_owned(), json!(megabytes.map(rounded)));
    row.insert("peakMib".to_owned(), json!(measured.peak_kib.map(|kib| rounded(kib as f64 / 1024.0))));
    Value::Object(row)
}

/// To three decimals.
pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

/// A stage of a night.
pub(crate) fn stage<'a>(night: &'a Value, name: &str) -> &'a Value {
    let stages = night["stages"].as_array().into_iter().flatten();
    stages.into_iter().find(|stage| stage["stage"] == name).unwrap_or(&Value::Null)
}

const HEAD: &str = "stage                records    seconds  processor  records/s       MB/s   peak MiB\n";

/// The table of one night.
pub(crate) fn of_one(night: &Value) -> String {
    let mut text = format!(
        "{} cards of {} institutions, {} version {}, {} bytes per record; {} to {}, {} ms; {} processors\n\
         Seconds of several agreements overlap; memory and processor time are our process's: the database server took\n\
         {} s of processor time beside it, and neither its memory nor the house's server is counted.\n{HEAD}",
        night["cards"],
        night["institutions"],
        word(&night["format"]),
        night["version"],
        night["bytesPerRecord"],
        word(&night["database"]),
        word(&night["destination"]),
        night["latencyMs"],
        night["processors"],
        figure(&night["serverProcessorSeconds"], 2),
    );
    for stage in std::iter::once(&night["import"]).chain(night["stages"].as_array().into_iter().flatten()) {
        text.push_str(&format!(
            "{:<18} {:>9} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
            word(&stage["stage"]),
            stage["records"].to_string(),
            figure(&stage["seconds"], 2),
            figure(&stage["processorSeconds"], 2),
            figure(&stage["recordsPerSecond"], 0),
            figure(&stage["megabytesPerSecond"], 1),
            figure(&stage["peakMib"], 1),
        ));
    }
    text
}

/// A night beside the pipeline.
pub(crate) fn versus(night: &Value) -> String {
    let pipeline = &night["pipeline"];
    let mut text = format!("{:<26} {:>10} {:>10} {:>20}\n", "", "seconds", "records/s", "processor + server's");
    for (name, seconds, speed, own, server) in [
        (
            "emboss, whole run",
            &stage(night, "whole run")["seconds"],
            &stage(night, "whole run")["recordsPerSecond"],
            &stage(night, "whole run")["processorSeconds"],
            &night["serverProcessorSeconds"],
        ),
        (
            "psql | gpg, sftp, UPDATE",
            &pipeline["seconds"],
            &pipeline["recordsPerSecond"],
            &pipeline["processorSeconds"],
            &pipeline["serverProcessorSeconds"],
        ),
    ] {
        let processor = format!("{} + {}", figure(own, 2), figure(server, 2));
        text.push_str(&format!("{name:<26} {:>10} {:>10} {processor:>20}\n", figure(seconds, 2), figure(speed, 0)));
    }
    text.push_str(&format!("records/s, ratio: {} (rounds: {})\n", figure(&night["ratio"], 2), night["ratios"]));
    text
}

/// Several nights side by side: the cost of a record and the peak should not depend on their number.
pub(crate) fn comparison(nights: &[Value]) -> String {
    let mut text = String::from("claim to settled:    cards    seconds  records/s  us/record   peak MiB\n");
    for night in nights {
        let all = stage(night, "claim to settled");
        let cards = night["cards"].as_f64().unwrap_or(1.0);
        let cost = all["seconds"].as_f64().map(|seconds| seconds * 1e6 / cards);
        text.push_str(&format!(
            "{:>26} {:>10} {:>10} {:>10} {:>10}\n",
            night["cards"].to_string(),
            figure(&all["seconds"], 2),
            figure(&all["recordsPerSecond"], 0),
            figure(&json!(cost), 1),
            figure(&all["peakMib"], 1),
        ));
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number, or a dash.
pub(crate) fn figure(value: &Value, decimals: usize) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |number| format!("{number:.decimals$}"))
}
