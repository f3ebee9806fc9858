//! `emboss status`: runs, files, and what is held and since when.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::open::{Home, Opened};
use super::output::Output;
use crate::ambient::rfc3339;
use crate::night::{RunOrder, file_report, ways_on};
use crate::plan::{FindingLine, Plan};
use crate::report::FileReport;
use crate::selection::{PinWait, Standing};
use crate::settlement::{FileState, RunKind};
use crate::store::{NightKey, RunRow};

/// Runs and files shown without a date.
const NEWEST: u32 = 20;

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// Only the runs and files of this business date.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
}

pub(super) async fn status(arguments: &StatusArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = home.open(output, false).await?;
    let runs = runs(&opened, arguments.date).await?;
    let files = files(&opened, arguments.date, &runs).await?;
    let plan = opened.night.plan(&as_of_now(&opened).await?).await?;
    show(*output, &runs, &files, &plan);
    output.object(&object(&runs, &files, &plan));
    Ok(0)
}

async fn runs(opened: &Opened, date: Option<NaiveDate>) -> Result<Vec<RunRow>, Failure> {
    let mut runs = opened.night.store.runs(if date.is_some() { u32::MAX } else { NEWEST }).await?;
    if let Some(date) = date {
        runs.retain(|run| run.business_date == date);
    }
    Ok(runs)
}

/// A file, and the commands that help where it stands.
struct Shown {
    file: FileReport,
    help: Vec<String>,
}

/// The newest files, or those of a date and of its runs on demand; whatever is unfinished stands first where it is older
/// than those.
async fn files(opened: &Opened, date: Option<NaiveDate>, runs: &[RunRow]) -> Result<Vec<Shown>, Failure> {
    let store = &opened.night.store;
    let rows = match date {
        Some(date) => {
            let mut rows = store.files(&NightKey::Date(date)).await?;
            for run in runs.iter().filter(|run| run.kind == RunKind::OnDemand) {
                rows.extend(store.files(&NightKey::OnDemand(run.run_id)).await?);
            }
            rows
        }
        None => {
            let newest = store.newest_files(NEWEST).await?;
            let mut rows = store.unfinished().await?;
            rows.retain(|file| newest.iter().all(|other| other.file_id != file.file_id));
            rows.extend(newest);
            rows
        }
    };
    let mut files = Vec::with_capacity(rows.len());
    for row in rows {
        let records = store.item_counts(row.file_id).await?.records;
        let help = if row.state == FileState::Settled { Vec::new() } else { ways_on(&row) };
        files.push(Shown { file: file_report(&row, records, BTreeMap::new()), help });
    }
    Ok(files)
}

/// What is held is recomputed, never remembered (R54): the verdicts on everything marked until now.
async fn as_of_now(opened: &Opened) -> Result<RunOrder, Failure> {
    let now = opened.night.store.now().await?;
    Ok(RunOrder::on_demand("status", now, &opened.holder))
}

fn show(output: Output, runs: &[RunRow], files: &[Shown], plan: &Plan) {
    output.say(if runs.is_empty() { "No runs yet." } else { "Runs:" });
    for run in runs {
        let end = match (run.ended_at, run.exit_code) {
            (Some(at), Some(code)) => format!("ended {} with exit {code}", rfc3339(at)),
            _ => format!("not ended ({})", run.holder),
        };
        output.say(format!("  {} {} for {}: {end}", run.kind, run.run_id, run.business_date));
    }
    output.say(if files.is_empty() { "No files yet." } else { "Files:" });
    for Shown { file, help } in files {
        output.say(format!("  {file}"));
        if let Some(trouble) = file.trouble.as_ref().filter(|_| !help.is_empty()) {
            output.say(format!("    {trouble}"));
        }
        for command in help {
            output.say(format!("    {command}"));
        }
    }
    let total = plan.total();
    output.say(format!(
        "Marked and due now: {} to produce, {} held, {} excluded.",
        total.producing(),
        total.holding(),
        total.excluding()
    ));
    if total.pin_wait.cards > 0 {
        output.say(waiting(&total.pin_wait));
    }
    for (code, count) in total.warnings {
        output.say(format!("  warning: {code} {count}"));
    }
    for finding in &plan.findings {
        output.say(format!("  {}", FindingLine(finding)));
    }
}

/// R31: how many cards wait for their PIN, how long, and past which warning age.
fn waiting(pin_wait: &PinWait) -> String {
    let PinWait { cards, longest_days, .. } = pin_wait;
    let cards = if *cards == 1 { "1 card".to_owned() } else { format!("{cards} cards, the longest") };
    let days = if *longest_days == 1 { "1 day".to_owned() } else { format!("{longest_days} days") };
    let past = pin_wait.highest_age().map(|age| format!(", past the warning age of {age} days"));
    format!("Waiting for a PIN: {cards} for {days}{}.", past.unwrap_or_default())
}

fn waiting_object(pin_wait: &PinWait) -> Value {
    let by_age: BTreeMap<String, u64> = pin_wait.by_age.iter().map(|(age, cards)| (age.to_string(), *cards)).collect();
    json!({
        "cards": pin_wait.cards,
        "longestDays": pin_wait.longest_days,
        "warningAgeDays": pin_wait.highest_age(),
        "cardsByWarningAge": by_age,
    })
}

fn object(runs: &[RunRow], files: &[Shown], plan: &Plan) -> Value {
    let alerts = runs.first().and_then(|run| run.report.as_deref());
    let alerts: Value = alerts.and_then(|report| serde_json::from_str(report).ok()).unwrap_or_default();
    let held = |standing: Standing| {
        plan.findings
            .iter()
            .filter(|finding| finding.standing == standing)
            .map(|finding| {
                json!({
                    "cardId": finding.card_id,
                    "plasticId": finding.plastic_id,
                    "reason": finding.code,
                    "detail": finding.detail,
                    "sinceDays": finding.age_days,
                })
            })
            .collect::<Vec<_>>()
    };
    json!({
        "runs": runs.iter().map(run_object).collect::<Vec<_>>(),
        "files": files.iter().map(file_object).collect::<Vec<_>>(),
        "held": held(Standing::Hold),
        "excluded": held(Standing::Exclude),
        "waitingForPin": waiting_object(&plan.total().pin_wait),
        "alerts": alerts.get("alerts").cloned().unwrap_or_else(|| json!([])),
    })
}

fn file_object(shown: &Shown) -> Value {
    let mut object = shown.file.to_whole_json();
    object["help"] = json!(shown.help);
    object
}

fn run_object(run: &RunRow) -> Value {
    json!({
        "runId": run.run_id,
        "kind": run.kind,
        "businessDate": run.business_date.to_string(),
        "cutOff": rfc3339(run.cut_off),
        "startedAt": rfc3339(run.started_at),
        "endedAt": run.ended_at.map(rfc3339),
        "exitCode": run.exit_code,
    })
}
