//! What `deploy/` gives to operators: every sample loads, the schema agrees with the program, systemd takes the units.

#![allow(clippy::unwrap_used, reason = "whatever cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use emboss::config::{Config, ConfigError};
use serde_json::{Value, json};

#[path = "support/payment_hsms.rs"]
mod payment_hsms;

use payment_hsms::with_payment_hsms;

const SAMPLES: [&str; 2] = ["emboss.minimal.toml", "emboss.full.toml"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(deploy().join(name)).unwrap()
}

/// The full sample as it is, and with payment HSMs.
fn full_samples() -> [toml::Table; 2] {
    let full = sample("emboss.full.toml");
    [full.parse().unwrap(), with_payment_hsms(&full).parse().unwrap()]
}

fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emboss.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path, None)
}

/// A TOML value as the JSON that editors check against the schema: dates as text.
fn as_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::Datetime(at) => json!(at.to_string()),
        toml::Value::Array(entries) => entries.iter().map(as_json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), as_json(value))).collect(),
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => json!(number),
        toml::Value::Boolean(flag) => json!(flag),
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../schemas/emboss.schema.json")).unwrap()
}

fn schema_errors(table: &toml::Table) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let document = as_json(&toml::Value::Table(table.clone()));
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_sample_loads() {
    for name in SAMPLES {
        Config::load(&deploy().join(name), Some(Path::new("/run/credentials/emboss.service"))).unwrap();
    }
}

#[test]
fn every_sample_is_valid_by_the_schema() {
    for name in SAMPLES {
        assert_eq!(schema_errors(&sample(name).parse().unwrap()), [""; 0], "{name}");
    }
}

#[test]
fn what_the_full_sample_says_of_payment_hsms_is_right_once_it_is_no_comment() {
    let [_, table] = full_samples();
    assert_eq!(schema_errors(&table), [""; 0]);
    let config = load(&table.to_string()).unwrap();
    let payshield = config.vault.payshield.unwrap();
    assert_eq!((payshield.devices.len(), payshield.tls.is_some()), (2, true));
    assert_eq!(config.keys.iter().filter(|key| key.lmk.is_some()).count(), 5);
}

/// Every table of a document, by the path to it.
fn tables(value: &toml::Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value {
        toml::Value::Table(table) => {
            found.push(path.clone());
            for (key, value) in table {
                path.push(key.clone());
                tables(value, path, found);
                path.pop();
            }
        }
        toml::Value::Array(entries) => {
            for (place, value) in entries.iter().enumerate() {
                path.push(place.to_string());
                tables(value, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn table_at<'a>(root: &'a mut toml::Value, path: &[String]) -> &'a mut toml::Table {
    let value = path.iter().fold(root, |value, step| match value {
        toml::Value::Array(entries) => &mut entries[step.parse::<usize>().unwrap()],
        value => &mut value[step.as_str()],
    });
    value.as_table_mut().unwrap()
}

#[test]
fn an_unknown_key_is_refused_in_every_table_by_program_and_schema() {
    full_samples().into_iter().for_each(an_unknown_key_is_refused_in_every_table);
}

fn an_unknown_key_is_refused_in_every_table(full: toml::Table) {
    let root = toml::Value::Table(full);
    let mut paths = Vec::new();
    tables(&root, &mut Vec::new(), &mut paths);
    assert!(paths.len() > 30, "the full sample has tables: {}", paths.len());
    for path in paths {
        let mut changed = root.clone();
        table_at(&mut changed, &path).insert("unknown_key".to_owned(), toml::Value::Integer(1));
        let toml::Value::Table(changed) = changed else { unreachable!() };
        assert!(!schema_errors(&changed).is_empty(), "the schema takes an unknown key in {path:?}");
        let refused = matches!(load(&changed.to_string()), Err(ConfigError::Syntax { .. }));
        assert!(refused, "the program takes an unknown key in {path:?}");
    }
}

#[test]
fn a_missing_key_is_refused_by_both_or_by_none() {
    full_samples().into_iter().for_each(a_missing_key_is_refused_by_both_or_by_none_of);
}

fn a_missing_key_is_refused_by_both_or_by_none_of(full: toml::Table) {
    let root = toml::Value::Table(full);
    let mut paths = Vec::new();
    tables(&root, &mut Vec::new(), &mut paths);
    for path in paths {
        let keys: Vec<String> = table_at(&mut root.clone(), &path).keys().cloned().collect();
        for key in keys {
            let mut changed = root.clone();
            table_at(&mut changed, &path).remove(&key);
            let toml::Value::Table(changed) = changed else { unreachable!() };
            let by_schema = !schema_errors(&changed).is_empty();
            let by_program = matches!(load(&changed.to_string()), Err(ConfigError::Syntax { .. }));
            assert_eq!(by_schema, by_program, "without {key} in {path:?} (schema, program)");
        }
    }
}

/// Names of all properties of the schema.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(named)) = object.get("properties") {
                found.extend(named.keys().cloned());
            }
            object.values().for_each(|value| properties(value, found));
        }
        Value::Array(entries) => entries.iter().for_each(|value| properties(value, found)),
        _ => {}
    }
}

#[test]
fn the_full_sample_names_every_key() {
    let mut keys = BTreeSet::new();
    properties(&schema(), &mut keys);
    let text = sample("emboss.full.toml");
    let absent: Vec<_> = keys
        .iter()
        .filter(|key| !text.contains(&format!("{key} =")) && !text.contains(&format!("[{key}")))
        .filter(|key| !text.contains(&format!(".{key}]")) && !text.contains(&format!(".{key}.")))
        .collect();
    assert!(absent.is_empty(), "the full sample lacks {absent:?}");
    assert!(keys.len() > 100, "{}", keys.len());
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let full = sample("emboss.full.toml");
    for (from, to) in [
        ("environment = \"test\" ", "environment = \"TEST\" "),
        ("sqlite:/var/lib/emboss/emboss.db", "postgres://db/emboss"),
        ("sqlite:/var/lib/emboss/emboss.db", "postgres://emboss:hunter2@db/emboss"),
        ("sqlite:/var/lib/emboss/emboss.db", "postgres://emboss@db/emboss?sslmode=disable"),
        ("busy_timeout_s = 30 ", "tls = \"require\"\nbusy_timeout_s = 30 "),
        ("provider = \"software\"", "provider = \"hardware\""),
        ("level = \"info\"", "level = \"loud\""),
        ("catch_up_hours = 20", "catch_up_hours = 25"),
        ("id = \"100001\"", "id = \"1000011\""),
        ("pan_prefixes = [\"40000012\"]", "pan_prefixes = [\"40000\"]"),
        ("code = \"VISA_DEBIT\"", "code = \"Visa\""),
        ("version = 2 ", "version = 3 "),
        ("max_bad_share = 0.20", "max_bad_share = 1.01"),
        ("card_delivery_type = \"MAIL\"", "card_delivery_type = \"EPIN\""),
        ("CUSTOM_1 = ", "CUSTOM_6 = "),
        ("file_mode = \"0640\"", "file_mode = \"0755\""),
        ("kind = \"sftp\"", "kind = \"ftp\""),
        ("1111111111111111111111111111111111111111", "11111111"),
        ("not_before = 2026-01-01T00:00:00Z", "not_before = 2026-01-01"),
        ("track1 = \"{pvki}{pvv}{cvv}\"", "track1 = \"{pin}\""),
        ("key_file = \"credential:sftp\"", "key_file = \"credential:a/b\""),
    ] {
        assert!(full.contains(from), "{from}");
        let changed = full.replacen(from, to, 1);
        assert!(!schema_errors(&changed.parse().unwrap()).is_empty(), "the schema takes {to}");
        assert!(load(&changed).is_err(), "the program takes {to}");
    }
    let full = with_payment_hsms(&full);
    for (from, to) in [
        ("lmk = \"variant\"", "lmk = \"both\""),
        ("lmk_check_value = \"9D04A00000000000\"", "lmk_check_value = \"9D04A\""),
        ("devices = [\"hsm1.bank.example:1500\"", "devices = [\"hsm1.bank.example\""),
        ("connections = 4", "connections = 65"),
        ("commands_per_s = 250", "commands_per_s = 0"),
        ("timeout_ms = 5000", "timeout_ms = 99"),
        ("attempts = 3", "attempts = 11"),
        ("header_length = 4", "header_length = 0"),
        ("usage = \"C0\"", "usage = \"D0\""),
        ("check_cvv = \"123\"", "check_cvv = \"1234\""),
        ("server_name = \"hsm.bank.example\"", "server_name = \"\""),
    ] {
        assert!(full.contains(from), "{from}");
        let changed = full.replacen(from, to, 1);
        assert!(!schema_errors(&changed.parse().unwrap()).is_empty(), "the schema takes {to}");
        assert!(load(&changed).is_err(), "the program takes {to}");
    }
}

/// Runs a systemd tool, or says which package has it.
fn systemd_analyze(arguments: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .env("SYSTEMD_COLORS", "0")
        .env("TZ", "Europe/Helsinki")
        .output()
        .unwrap_or_else(|error| panic!("systemd-analyze cannot be run ({error}): install the package systemd"))
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The units in a folder of their own, their programs replaced by one that is on every host.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["emboss.service", "emboss.timer", "emboss-failure@.service"] {
        let text = sample(name).replace("=/usr/bin/emboss ", "=/bin/true ").replace("=/usr/bin/logger ", "=/bin/true ");
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn systemd_accepts_the_units() {
    let folder = units();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let units = [path("emboss.service"), path("emboss.timer"), path("emboss-failure@.service")];
    let output = systemd_analyze(&["verify", "--man=no", &units[0], &units[1], &units[2]]);
    assert!(output.status.success(), "{}", told(&output));
    // A misspelt setting is a warning to systemd; to us it is a hole.
    assert_eq!(told(&output), "");
}

#[test]
fn systemd_would_have_told_of_a_misspelt_setting() {
    let folder = units();
    let path = folder.path().join("emboss.service");
    let text = std::fs::read_to_string(&path).unwrap().replace("NoNewPrivileges=", "NoNewPrivilege=");
    std::fs::write(&path, text).unwrap();
    assert_ne!(told(&systemd_analyze(&["verify", "--man=no", path.to_str().unwrap()])), "");
}

#[test]
fn r134_the_timer_is_03_00_utc_on_every_day() {
    let timer = sample("emboss.timer");
    let calendar = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
    // The weekend in which Helsinki's clocks go forward.
    let base = "--base-time=2026-03-28 00:00:00 UTC";
    let output = systemd_analyze(&["calendar", base, "--iterations=3", calendar]);
    let told = told(&output);
    for expected in ["Sat 2026-03-28 03:00:00 UTC", "Sun 2026-03-29 03:00:00 UTC", "Mon 2026-03-30 03:00:00 UTC"] {
        assert!(told.contains(expected), "{told}");
    }
    for line in ["Persistent=true", "AccuracySec=1s"] {
        assert!(timer.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn the_service_starts_again_only_where_that_helps() {
    let service = sample("emboss.service");
    for line in [
        "Type=oneshot",
        "Restart=on-failure",
        "RestartPreventExitStatus=1 2 4",
        "OnFailure=emboss-failure@%n.service",
        "UMask=0077",
        "LimitCORE=0",
        "NoNewPrivileges=true",
        "ProtectSystem=strict",
        "PrivateTmp=true",
        "StateDirectory=emboss",
    ] {
        assert!(service.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn the_service_is_given_exactly_the_credentials_of_the_full_sample() {
    let service = sample("emboss.service");
    let given: BTreeSet<&str> = service
        .lines()
        .filter_map(|line| line.strip_prefix("LoadCredential="))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect();
    let full = sample("emboss.full.toml");
    let settings = full.lines().filter(|line| !line.starts_with('#'));
    let asked: BTreeSet<&str> =
        settings.flat_map(|line| line.split('"').filter_map(|text| text.strip_prefix("credential:"))).collect();
    assert_eq!(given, asked);
}

#[test]
fn the_cron_line_is_03_00_utc_and_runs_as_the_same_user() {
    let cron = sample("emboss.cron");
    let zone = cron.find("\nCRON_TZ=UTC\n").unwrap();
    let (place, line) =
        cron.lines().find_map(|line| line.starts_with("0 3 * * * ").then(|| (cron.find(line), line))).unwrap();
    assert!(place > Some(zone), "the zone stands before the line it is for");
    assert!(line.contains(" emboss umask 077 && exec /usr/bin/emboss --config /etc/emboss/emboss.toml run"), "{line}");
}
