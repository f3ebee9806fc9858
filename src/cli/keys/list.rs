//! `emboss keys list`: every key of the configuration, and what uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::Failure;
use super::super::open::Home;
use super::super::output::Output;
use super::sections::instant;
use crate::ambient::{Clock, SystemClock};
use crate::config::{Config, adapters};
use crate::store::{KeyUse, SealedKind, UsedFor};
use crate::vault::settings::KeySettings;
use crate::vault::{KeyInfo, KeyState, KeyWindow};

pub(super) async fn list(home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let config = home.config()?;
    let now = SystemClock.now();
    let store = home.open_store().await?;
    let uses = store.key_uses().await?;
    store.close().await;
    let entries = entries(&config, &uses, now);
    let faulty = entries.iter().any(|entry| !entry.faults.is_empty());
    entries.iter().for_each(|entry| output.say(entry));
    let exit_code = u8::from(faulty);
    let keys: Vec<Value> = entries.iter().map(Entry::to_json).collect();
    output.object(&json!({ "command": "keys list", "keys": keys, "exitCode": exit_code }));
    Ok(exit_code)
}

/// One key as it is shown.
struct Entry {
    id: String,
    /// What is known, where its block opens.
    info: Option<KeyInfo>,
    protected_by: String,
    window: KeyWindow,
    /// None where nobody knows the key.
    state: Option<KeyState>,
    /// Where the configuration names it.
    places: Vec<String>,
    /// Rows of the database that need it.
    rows: Vec<(UsedFor, u64)>,
    /// Why it cannot be used.
    faults: Vec<String>,
}

/// The keys in the order of the configuration, and behind them those that only the database knows.
fn entries(config: &Config, uses: &[KeyUse], now: DateTime<Utc>) -> Vec<Entry> {
    let (ring, found) = adapters::look_at_keys(config, None);
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (subject, finding) in found {
        faults.entry(subject).or_default().push(finding.text);
    }
    let rows_of = |id: Option<&str>| {
        let own = uses.iter().filter(|row| row.key_id.as_deref() == id);
        own.map(|row| (row.used_for, row.rows)).collect::<Vec<_>>()
    };
    let configured = config.keys.iter().map(|key| {
        let window = KeyWindow { not_before: key.not_before, not_after: key.not_after, retire_at: key.retire_at };
        let of_kbpk = key.kbpk.as_ref().and_then(|name| faults.get(name)).into_iter().flatten();
        let own = faults.get(&key.id).into_iter().flatten();
        Entry {
            id: key.id.clone(),
            info: ring.info(&key.id).cloned(),
            protected_by: protection(key),
            window,
            state: Some(window.state(now)),
            places: config.key_places(&key.id).iter().map(ToString::to_string).collect(),
            rows: rows_of(Some(&key.id)),
            faults: own.chain(of_kbpk).cloned().collect(),
        }
    });
    let needed = uses.iter().filter_map(|row| row.key_id.as_deref());
    let gone: BTreeSet<&str> = needed.filter(|id| config.key(id).is_none()).collect();
    let gone = gone.into_iter().map(|id| Entry::gone(id, rows_of(Some(id))));
    configured.chain(gone).collect()
}

fn protection(key: &KeySettings) -> String {
    key.kbpk.clone().unwrap_or_else(|| "LMK".to_owned())
}

impl Entry {
    /// A key that rows need and nobody has.
    fn gone(id: &str, rows: Vec<(UsedFor, u64)>) -> Self {
        Self {
            id: id.to_owned(),
            info: None,
            protected_by: String::new(),
            window: KeyWindow::default(),
            state: None,
            places: Vec::new(),
            rows,
            faults: vec!["is not in the configuration, and the database needs it: put it back".to_owned()],
        }
    }

    fn to_json(&self) -> Value {
        let rows: serde_json::Map<String, Value> =
            self.rows.iter().map(|(used_for, rows)| (used_for.as_str().to_owned(), (*rows).into())).collect();
        let info = self.info.as_ref();
        json!({
            "id": self.id,
            "usage": info.map(|info| info.usage),
            "algorithm": info.map(|info| info.algorithm),
            "kcv": info.map(KeyInfo::shown_kcv),
            "protectedBy": self.protected_by,
            "state": self.state,
            "notBefore": self.window.not_before.map(instant),
            "notAfter": self.window.not_after.map(instant),
            "retireAt": self.window.retire_at.map(instant),
            "places": self.places,
            "rows": rows,
            "faults": self.faults,
        })
    }

    /// When it may be used, in words.
    fn when(&self) -> String {
        let KeyWindow { not_before, not_after, retire_at } = self.window;
        let limits = [("from", not_before), ("until", not_after), ("reissues until", retire_at)];
        let limits = limits.into_iter().filter_map(|(word, at)| at.map(|at| format!("{word} {}", instant(at))));
        let state = match self.state {
            Some(KeyState::NotYet) => "not yet in force",
            Some(KeyState::InForce) => "in force",
            Some(KeyState::Ended) => "ended",
            Some(KeyState::Retired) => "retired",
            None => "unknown",
        };
        [state.to_owned()].into_iter().chain(limits).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.info {
            Some(info) => writeln!(
                f,
                "{}: {}, {}, check value {}, under {}; {}",
                self.id,
                info.usage,
                info.algorithm,
                info.shown_kcv(),
                self.protected_by,
                self.when()
            )?,
            None => writeln!(f, "{}: cannot be used", self.id)?,
        }
        for fault in &self.faults {
            writeln!(f, "    ERROR {fault}")?;
        }
        for place in &self.places {
            writeln!(f, "    named by {place}")?;
        }
        for (used_for, rows) in &self.rows {
            writeln!(f, "    {rows} {}", words(*used_for))?;
        }
        if self.places.is_empty() && self.rows.is_empty() {
            writeln!(f, "    nothing uses it")?;
        }
        Ok(())
    }
}

/// What rows of a kind are, after their number.
fn words(used_for: UsedFor) -> &'static str {
    match used_for {
        UsedFor::Sealed(SealedKind::Pan) => "card numbers sealed under it",
        UsedFor::Sealed(SealedKind::Pin) => "PINs sealed under it",
        UsedFor::Sealed(SealedKind::Pvv) => "PVVs sealed under it",
        UsedFor::Sealed(SealedKind::FillSeed) => "fill seeds of files sealed under it",
        UsedFor::Cvv => "plastics with their CVV1 and iCVV by it",
        UsedFor::Cvv2 => "plastics with their CVV2 by it",
        UsedFor::Pvv => "PINs with their PVV by it",
        UsedFor::Audit => "entries of the audit under it",
    }
}
