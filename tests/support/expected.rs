//! `expected/`: compared byte for byte, or written anew where UPDATE_GOLDEN is set.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The golden files of one scenario.
#[derive(Debug)]
pub struct Expected {
    folder: PathBuf,
    found: BTreeMap<String, Vec<u8>>,
}

impl Expected {
    pub fn of(scenario: &str) -> Self {
        Self { folder: super::scenario::fixtures().join(scenario).join("expected"), found: BTreeMap::new() }
    }

    /// What was found under a name. Every variant that gives the same name must give the same bytes.
    pub fn keep(&mut self, name: &str, content: Vec<u8>, complaints: &mut Vec<String>) {
        let before = self.found.entry(name.to_owned()).or_insert_with(|| content.clone());
        if *before != content {
            complaints.push(format!("expected/{name}: another variant gives {}", first_difference(before, &content)));
        }
    }

    /// Compares; rewrites where that is asked for and nothing broke a rule.
    pub fn settle(&self, complaints: &mut Vec<String>) {
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            if complaints.is_empty() {
                self.rewrite();
            } else {
                complaints.push("expected/ was left as it is: first what stands above must be right".to_owned());
            }
            return;
        }
        for (name, content) in &self.found {
            match fs::read(self.folder.join(name)) {
                Ok(golden) if golden == *content => {}
                Ok(golden) => complaints.push(format!("expected/{name}: {}", first_difference(&golden, content))),
                Err(error) => complaints.push(format!("expected/{name}: {error}; make golden writes it")),
            }
        }
        for name in files(&self.folder).iter().filter(|name| !self.found.contains_key(*name)) {
            complaints.push(format!("expected/{name} was not made"));
        }
    }

    fn rewrite(&self) {
        for name in files(&self.folder) {
            fs::remove_file(self.folder.join(name)).expect("an old file");
        }
        for (name, content) in &self.found {
            let path = self.folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("a golden file");
        }
    }
}

/// JSON as it is kept: indented, one line break at the end.
pub fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("JSON");
    text.push(b'\n');
    text
}

/// The report or plan without what differs each time (OpenPGP never gives the same bytes twice, durations) or by
/// variant (the end of names; warnings, which `scenario.toml` lists in full).
pub fn normalised(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "warnings");
            Value::Object(kept.map(|(name, value)| (name.clone(), normal_field(name, value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(normalised).collect()),
        other => other.clone(),
    }
}

fn normal_field(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("sha256" | "sizeBytes" | "durationsMs" | "auditHead", found) if !found.is_null() => Value::from("(differs)"),
        // Where a house could not be reached, its path stands there, and the name with its ending.
        ("reason", Value::String(text)) if text.contains('/') => Value::from(
            text.split(' ').map(|word| if word.contains('/') { "(path)" } else { word }).collect::<Vec<_>>().join(" "),
        ),
        ("fileName", Value::String(text)) => {
            Value::from(text.rsplit_once("_V").map_or(text.clone(), |(stem, _)| format!("{stem}_V*")))
        }
        (_, other) => normalised(other),
    }
}

/// Files below a folder, by relative name.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn first_difference(expected: &[u8], found: &[u8]) -> String {
    let (expected, found) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(found));
    let differs = |(a, b): &(char, char)| a != b;
    let at = expected.chars().zip(found.chars()).position(|pair| differs(&pair));
    let at = at.unwrap_or(expected.chars().count().min(found.chars().count()));
    let around = |text: &str| text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
    format!("from character {at}\n  expected ...{}\n  found    ...{}", around(&expected), around(&found))
}
