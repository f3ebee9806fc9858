//! `emboss demo`: a whole night on the embedded default, nothing to install, told in at most fifty lines.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::errors::chain;
use super::open::open_night;
use super::output::Output;
use crate::ambient::{Clock, FixedClock, Random};
use crate::card::PlasticId;
use crate::config::Config;
use crate::document::{self, Header, Record};
use crate::intake::{Catalogue, ImportSummary, Importer, JweKeys};
use crate::night::{Night, RunOrder, Silent};
use crate::plan::Plan;
use crate::report::Report;
use crate::schedule;
use crate::seal::{self, OpeningKey};
use crate::store::PlasticRow;
use crate::trial::{self, Installation, demo};

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// The folder, empty or absent; without it, a fresh temporary one, which is kept and named.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Longest line of the record that is shown.
const LINE_WIDTH: usize = 110;

/// Everything the demo has to show.
struct Told {
    installation: Installation,
    summary: ImportSummary,
    refused: Vec<String>,
    plan: Plan,
    before: Vec<PlasticRow>,
    report: Report,
    after: Vec<PlasticRow>,
    record: Option<Record>,
}

pub(super) async fn demo(arguments: &DemoArguments, output: &Output) -> Result<u8, Failure> {
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("emboss-demo-{}", Random::system().uuid())),
    };
    let told = night(&folder).await?;
    output.say(narrate(&told));
    output.object(&object(&told));
    Ok(u8::try_from(told.report.exit_code()).unwrap_or(1))
}

async fn night(folder: &Path) -> Result<Told, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock(demo::start()));
    let random = Arc::new(Random::system());
    let installation = trial::lay_out(folder, &random, clock.now())?;
    let config = Config::load(&installation.config(), None).map_err(|error| Failure::environment(chain(&error)))?;
    let config = Arc::new(config);
    let night = open_night(&config, true, clock, random, Arc::new(Silent)).await?;
    let (summary, refused) = import(&night, &config).await?;
    let order = RunOrder::night("demo", demo::BUSINESS_DATE, schedule::cut_off(demo::BUSINESS_DATE), "the demo");
    let plan = night.plan(&order).await?;
    let before = night.store.plastics(None, u32::MAX).await?;
    let report = night.run(&order).await?;
    let after = night.store.plastics(None, u32::MAX).await?;
    let record = shown_record(&installation, &config, &report)?;
    Ok(Told { installation, summary, refused, plan, before, report, after, record })
}

async fn import(night: &Night, config: &Config) -> Result<(ImportSummary, Vec<String>), Failure> {
    let catalogue = Catalogue::new(config.institutions.clone(), config.products.clone());
    let jwe = JweKeys::default();
    let importer = Importer::new(&*night.store, &night.vault, &catalogue, &jwe, &*night.clock, &night.random);
    let mut answers = Vec::new();
    let summary = importer
        .import(Cursor::new(demo::ORDERS), &mut answers, &mut |_| {})
        .await
        .map_err(|error| Failure::environment(chain(&error)))?;
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let answers = answers.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused = answers
        .filter(|answer| !answer["errorCode"].is_null())
        .map(|answer| {
            let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}: {}", text("orderId"), text("errorCode"), text("errorReason"))
        })
        .collect();
    Ok((summary, refused))
}

/// Opens what was delivered, as the house would, and takes out one record.
fn shown_record(installation: &Installation, config: &Config, report: &Report) -> Result<Option<Record>, Failure> {
    let Some(name) = delivered(report) else { return Ok(None) };
    let path = installation.delivered().join(name);
    let failure = |text: String| Failure::environment(format!("{}: {text}", path.display()));
    let key = fs::read(installation.house_key()).map_err(|error| failure(error.to_string()))?;
    let key = OpeningKey::load(&key, None).map_err(|error| failure(chain(&error)))?;
    let signer = fs::read(installation.signer_certificate()).map_err(|error| failure(error.to_string()))?;
    let sealed = File::open(&path).map_err(|error| failure(error.to_string()))?;
    let opened = seal::open(sealed, &key, &signer, demo::start()).map_err(|error| failure(chain(&error)))?;
    let format = config.agreements[0].format;
    let mut shown = None;
    let mut keep = |_: &Header, record: Record| {
        if record.card_id.to_string() == demo::SHOWN_CARD {
            shown = Some(record);
        }
    };
    document::read(BufReader::new(opened), format, &mut keep).map_err(|error| failure(chain(&error)))?;
    Ok(shown)
}

fn delivered(report: &Report) -> Option<&str> {
    report.agreements.iter().flat_map(|agreement| &agreement.files).find_map(|file| file.file_name.as_deref())
}

fn narrate(told: &Told) -> String {
    let folder = told.installation.folder.display();
    let mut text = format!("A night of emboss, in {folder}\n\n1. Orders: {}\n", super::import::told(&told.summary));
    for refused in &told.refused {
        text.push_str(&format!("   refused {refused}\n"));
    }
    text.push_str(&format!("\n2. The plan\n{}", indent(&told.plan.to_string())));
    text.push_str(&format!("\n3. The run\n{}", indent(&told.report.to_string())));
    if let (Some(record), Some(name)) = (&told.record, delivered(&told.report)) {
        let version = crate::agreement::FileVersion::V2;
        text.push_str(&format!(
            "\n4. The house opens the file; the record of card {}, masked:\n{}",
            record.card_id,
            indent(&wrapped(&document::masked_json(record, version)))
        ));
        text.push_str(&format!(
            "   All of it: emboss --config {folder}/emboss.toml inspect {folder}/out/{name} --key {folder}/keys/factory-x.key --unmask\n"
        ));
    }
    text.push_str("\n5. The plastics\n");
    for line in plastic_lines(told) {
        text.push_str(&format!("   {line}\n"));
    }
    text
}

/// Each plastic before and after, with the reason where it did not move.
fn plastic_lines(told: &Told) -> Vec<String> {
    let reasons: BTreeMap<PlasticId, String> =
        told.plan.findings.iter().map(|finding| (finding.plastic_id, finding.code.to_string())).collect();
    let before: BTreeMap<PlasticId, _> =
        told.before.iter().map(|row| (row.plastic.plastic_id, row.plastic.status)).collect();
    told.after
        .iter()
        .map(|row| {
            let plastic = &row.plastic;
            let was = before.get(&plastic.plastic_id).copied().unwrap_or(plastic.status);
            let due = plastic.marked_at.is_none_or(|marked_at| marked_at <= told.report.cut_off);
            let why = match reasons.get(&plastic.plastic_id) {
                Some(reason) => format!(", {reason}"),
                None if !due => ", marked after the cut-off: tomorrow".to_owned(),
                None => String::new(),
            };
            format!(
                "card {} plastic {} {}: {was} -> {}{why}",
                plastic.card_id, plastic.sequence_number, plastic.event, plastic.status
            )
        })
        .collect()
}

/// A record in few lines: simple fields side by side, each object on a line of its own.
fn wrapped(record: &Value) -> String {
    let mut lines = vec![String::new()];
    for (field, value) in record.as_object().into_iter().flatten() {
        let entry = format!("\"{field}\": {value}");
        match lines.last_mut() {
            Some(line) if !value.is_object() && line.len() + entry.len() < LINE_WIDTH => {
                line.push_str(&entry);
                line.push_str(", ");
            }
            _ => lines.push(format!("{entry}, ")),
        }
    }
    let text: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    format!("{{ {} }}", text.join("\n").trim_end_matches(','))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}

/// The `--json` object: that of `run`, with the folder and the plastics.
fn object(told: &Told) -> Value {
    let mut object = told.report.to_json();
    let status = |rows: &[PlasticRow]| {
        rows.iter()
            .map(|row| {
                let plastic = &row.plastic;
                json!({
                    "cardId": plastic.card_id,
                    "plasticId": plastic.plastic_id,
                    "sequenceNumber": plastic.sequence_number,
                    "productionEvent": plastic.event,
                    "status": plastic.status,
                })
            })
            .collect::<Vec<_>>()
    };
    object["folder"] = json!(told.installation.folder.display().to_string());
    object["before"] = json!(status(&told.before));
    object["after"] = json!(status(&told.after));
    object
}
