//! The figures as a JSON object, and as tables made from it.

use emboss::report::Report;
use serde_json::{Map, Value, json};

use crate::installation::files;
use crate::mix::Mix;
use crate::options::Options;
use crate::stages::Measured;

/// What was measured of one night.
pub(crate) struct Night<'a> {
    pub(crate) options: &'a Options,
    pub(crate) mix: Mix,
    pub(crate) import: Measured,
    pub(crate) stages: Vec<(&'static str, Measured)>,
    pub(crate) whole: Measured,
    pub(crate) document_bytes: u64,
}

impl Night<'_> {
    /// The object of one night. Megabytes are 10^6 bytes; memory is in MiB.
    pub(crate) fn to_json(&self, report: &Report) -> Value {
        let sealed: u64 = files(report).filter_map(|file| file.size_bytes).sum();
        let mut stages = vec![row("import", self.mix.cards, self.import)];
        for (name, measured) in &self.stages {
            let bytes = match *name {
                "seal" => Some(self.document_bytes),
                "deliver" => Some(sealed),
                _ => None,
            };
            let records = if *name == "pins" { self.mix.new_pins() } else { self.mix.cards };
            stages.push(row(name, records, Measured { bytes, ..*measured }));
        }
        let seconds = self.stages.iter().map(|(_, measured)| measured.seconds).sum();
        let processor_s = self.stages.iter().map(|(_, measured)| measured.processor_s).sum();
        let peak_kib = self.stages.iter().filter_map(|(_, measured)| measured.peak_kib).max();
        stages.push(row("claim to settled", self.mix.cards, Measured { seconds, processor_s, bytes: None, peak_kib }));
        stages.push(row("whole run", self.mix.cards, self.whole));
        json!({
            "cards": self.mix.cards,
            "format": self.options.format,
            "version": self.options.version,
            "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            "bytesPerRecord": self.document_bytes.checked_div(self.mix.cards),
            "sealedBytes": sealed,
            "stages": stages,
        })
    }
}

fn row(stage: &str, records: u64, measured: Measured) -> Value {
    let per_second = |amount: f64| (measured.seconds > 0.0).then(|| amount / measured.seconds);
    let rounded = |figure: f64| (figure * 1000.0).round() / 1000.0;
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

const HEAD: &str = "stage                records    seconds  processor  records/s       MB/s   peak MiB\n";

/// The table of one night.
pub(crate) fn of_one(night: &Value) -> String {
    let mut text = format!(
        "{} cards, {} version {}, {} bytes per record, {} processors\n{HEAD}",
        night["cards"],
        night["format"].as_str().unwrap_or_default(),
        night["version"],
        night["bytesPerRecord"],
        night["processors"]
    );
    for stage in night["stages"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{:<18} {:>9} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
            stage["stage"].as_str().unwrap_or_default(),
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

/// Several nights side by side: the cost of a record and the peak should not depend on their number.
pub(crate) fn comparison(nights: &[Value]) -> String {
    let mut text = String::from("claim to settled:    cards    seconds  records/s  us/record   peak MiB\n");
    for night in nights {
        let stages = night["stages"].as_array().into_iter().flatten();
        for stage in stages.filter(|stage| stage["stage"] == "claim to settled") {
            let cards = night["cards"].as_f64().unwrap_or(1.0);
            let cost = stage["seconds"].as_f64().map(|seconds| seconds * 1e6 / cards);
            text.push_str(&format!(
                "{:>26} {:>10} {:>10} {:>10} {:>10}\n",
                night["cards"].to_string(),
                figure(&stage["seconds"], 2),
                figure(&stage["recordsPerSecond"], 0),
                figure(&json!(cost), 1),
                figure(&stage["peakMib"], 1),
            ));
        }
    }
    text
}

fn figure(value: &Value, decimals: usize) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |number| format!("{number:.decimals$}"))
}
