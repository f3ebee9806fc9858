//! `emboss keys rotate`: seals anew what stands under an earlier data key, and tells which key is needed no more.
//!
//! Invariant: a key is told to be removable only where the database, counted afterwards, has no row under it.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::open::{Home, Opened};
use crate::cli::output::Output;
use crate::cli::person::authority;
use crate::cli::run::open;
use crate::rotation::{Rotated, Rotation, Told, counted, sealed_under};
use crate::settlement::Authority;
use crate::store::{KeyUse, SealedKind};
use crate::vault::{KeyUsage, Vault};

/// In the JSON object.
const COMMAND: &str = "keys rotate";

/// Sentences about values that do not open in the JSON object; all of them are printed.
const SENTENCES: usize = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct RotateArguments {
    /// Who orders it; written down for ever.
    #[arg(long, value_name = "WHO", required_unless_present = "dry_run")]
    by: Option<String>,
    /// Why; written down for ever.
    #[arg(long, value_name = "WHY", required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only counts what stands under which key; writes nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn rotate(arguments: &RotateArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let by = match (&arguments.by, &arguments.reason) {
        (Some(by), Some(reason)) if !arguments.dry_run => Some(authority(by, reason)?),
        _ => None,
    };
    let opened = open(home, output).await?;
    let done = match by {
        Some(authority) => carried_out(&opened, &authority, home, output).await,
        None => counted_only(&opened, output).await,
    };
    opened.night.store.close().await;
    done
}

async fn counted_only(opened: &Opened, output: &Output) -> Result<u8, Failure> {
    let left = Left::of(opened, &opened.night.store.key_uses().await?);
    let to_do: u64 = left.old.values().map(total).sum();
    output.say(format!("{to_do} values stand under another key than {}.", left.data_key));
    left.say(&BTreeMap::new(), output);
    let mut object = json!({ "command": COMMAND, "dataKey": left.data_key, "dryRun": true });
    object["keys"] = left.to_json();
    object["exitCode"] = 0.into();
    output.object(&object);
    Ok(0)
}

async fn carried_out(opened: &Opened, authority: &Authority, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let store = &*opened.night.store;
    let vault = &opened.night.vault;
    vault
        .live(vault.data_key(), KeyUsage::DataEncryption, opened.night.clock.now())
        .map_err(|error| Failure::configuration(format!("[vault] data_key: {error}")))?;
    let before = Left::of(opened, &store.key_uses().await?);
    let begun = json!({ "keys": before.to_json() });
    store.note_audited("key.rotation_begun", None, vault.data_key(), authority, &begun).await?;
    let shows = home.surroundings.terminal && !output.is_json();
    let mut telling = Telling::new(*output, shows);
    let rotation = Rotation { store, vault, stop: &opened.night.stop };
    let rotated = rotation.run(&mut |told| telling.hear(&told)).await;
    telling.bar.finish_and_clear();
    let rotated = rotated?;
    let left = Left::of(opened, &store.key_uses().await?);
    let ended = json!({
        "resealed": by_kind(&rotated.resealed), "unreadable": total(&rotated.unreadable), "stopped": rotated.stopped,
        "keys": left.to_json(),
    });
    store.note_audited("key.rotation_ended", None, vault.data_key(), authority, &ended).await?;
    opened.night.note_head().await;
    output.say(format!("Sealed anew under {}: {}.", vault.data_key(), counted(&rotated.resealed)));
    left.say(&rotated.unreadable, output);
    let exit_code = exit_code(&rotated, &left);
    if rotated.stopped {
        output.say("Stopped by a signal. Nothing is lost: run it again, and it goes on.");
    }
    let mut object = json!({ "command": COMMAND, "dataKey": vault.data_key(), "dryRun": false });
    object["resealed"] = by_kind(&rotated.resealed);
    object["unreadable"] = total(&rotated.unreadable).into();
    object["findings"] = telling.sentences.into();
    object["stopped"] = rotated.stopped.into();
    object["keys"] = left.to_json();
    object["exitCode"] = exit_code.into();
    output.object(&object);
    Ok(exit_code)
}

fn exit_code(rotated: &Rotated, left: &Left) -> u8 {
    if rotated.stopped {
        3
    } else {
        // What does not open is among them.
        u8::from(left.old.values().any(|kinds| !kinds.is_empty()) || !left.none.is_empty())
    }
}

/// What is told on the way: a line of progress, and each value that does not open.
struct Telling {
    output: Output,
    bar: ProgressBar,
    sentences: Vec<String>,
}

impl Telling {
    fn new(output: Output, shows: bool) -> Self {
        let target = if shows { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = indicatif::ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Self { output, bar, sentences: Vec::new() }
    }

    fn hear(&mut self, told: &Told<'_>) {
        match told {
            Told::Looked(kind, number) => {
                self.bar.set_message(format!("looked at {}", counted(&BTreeMap::from([(*kind, *number)]))));
                self.bar.tick();
            }
            Told::Unreadable(error) => {
                let sentence = error.to_string();
                self.bar.suspend(|| self.output.say(format!("{sentence}. It stays as it is.")));
                if self.sentences.len() < SENTENCES {
                    self.sentences.push(sentence);
                }
            }
        }
    }
}

/// What stands under which key.
struct Left {
    data_key: String,
    /// Under the data key.
    present: BTreeMap<SealedKind, u64>,
    /// Under every other key that is configured for it or has rows.
    old: BTreeMap<String, BTreeMap<SealedKind, u64>>,
    /// Configured; the others are in rows only.
    configured: BTreeSet<String>,
    /// Values that do not begin as sealed ones do.
    none: BTreeMap<SealedKind, u64>,
}

impl Left {
    fn of(opened: &Opened, uses: &[KeyUse]) -> Self {
        let vault = &opened.night.vault;
        let data_key = vault.data_key().to_owned();
        let own = [Some(&data_key), opened.config.vault.pin_storage_key.as_ref()];
        let configured: BTreeSet<String> = data_keys(vault).filter(|id| !own.contains(&Some(id))).collect();
        let mut under = sealed_under(uses);
        let present = under.remove(&Some(&*data_key)).unwrap_or_default();
        let none = under.remove(&None).unwrap_or_default();
        let mut old: BTreeMap<String, BTreeMap<SealedKind, u64>> =
            configured.iter().map(|id| (id.clone(), BTreeMap::new())).collect();
        old.extend(under.into_iter().filter_map(|(id, kinds)| Some((id?.to_owned(), kinds))));
        Self { data_key, present, old, configured, none }
    }

    /// A line for each key; `unreadable`: how many values under it did not open.
    fn say(&self, unreadable: &BTreeMap<Option<String>, u64>, output: &Output) {
        output.say(format!("key {}, the data key: {}.", self.data_key, counted(&self.present)));
        for (id, kinds) in &self.old {
            let uses = total(kinds);
            let closed = unreadable.get(&Some(id.clone())).copied().unwrap_or_default();
            let why = match (self.configured.contains(id), closed) {
                _ if uses == 0 => "remove its [[key]] section and retire it, unless it is yet to come".to_owned(),
                (false, _) => format!("{}; put its [[key]] section back, or they are lost", counted(kinds)),
                (true, 0) => format!("{} still to be sealed anew", counted(kinds)),
                (true, closed) => format!("{}, {closed} of which do not open", counted(kinds)),
            };
            output.say(format!("key {id}: {uses} uses; {why}."));
        }
        if !self.none.is_empty() {
            output.say(format!("under no key that can be told: {}.", counted(&self.none)));
        }
    }

    fn to_json(&self) -> Value {
        let row = |id: Option<&str>, kinds: &BTreeMap<SealedKind, u64>, role: &str| {
            let uses = total(kinds);
            json!({ "id": id, "is": role, "uses": uses, "of": by_kind(kinds) })
        };
        let mut rows = vec![row(Some(&self.data_key), &self.present, "data_key")];
        for (id, kinds) in &self.old {
            rows.push(row(Some(id), kinds, if self.configured.contains(id) { "earlier" } else { "missing" }));
        }
        if !self.none.is_empty() {
            rows.push(row(None, &self.none, "unknown"));
        }
        rows.into()
    }
}

/// The ids of every key that could be a data key.
fn data_keys(vault: &Vault) -> impl Iterator<Item = String> + '_ {
    vault.keys().filter(|key| key.could_seal()).map(|key| key.id.clone())
}

fn total<K>(counts: &BTreeMap<K, u64>) -> u64 {
    counts.values().sum()
}

fn by_kind(kinds: &BTreeMap<SealedKind, u64>) -> Value {
    let each = SealedKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), json!(kinds.get(kind).unwrap_or(&0))));
    Value::Object(each.collect())
}
