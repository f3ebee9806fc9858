//! Reads what names a rule: the tables `docs/RULES.md` and `docs/FAULTS.md`, the names of tests, the scenarios' lists.

use std::fs;
use std::path::Path;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// For example `R30`.
    pub(crate) rule: String,
    /// The third cell: tests in backticks, `golden: scenario`, `later`, `see R2`.
    pub(crate) proofs: Vec<String>,
}

/// The rows of every table on the page whose first cell is a rule.
pub(crate) fn table(page: &Path) -> Vec<Row> {
    fs::read_to_string(page).unwrap().lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix('|')?.split(" | ").collect();
    let rule = cells.first().filter(|word| is_rule(word))?;
    // A fault's row ends with what was seen.
    let expected = if rule.starts_with('F') { 4 } else { 3 };
    assert_eq!(cells.len(), expected, "cells of a row: {line}");
    let proofs = cells[2].split("; ").map(|proof| proof.trim().to_owned()).filter(|proof| !proof.is_empty());
    Some(Row { rule: (*rule).to_owned(), proofs: proofs.collect() })
}

/// `R30`, `A6`, `T1`, `F12`.
fn is_rule(word: &str) -> bool {
    let digits = word.strip_prefix(['R', 'A', 'T', 'F']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The names of all functions.
pub(crate) fn functions(code: &str) -> impl Iterator<Item = &str> {
    code.split("fn ").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// The rules a function's name begins with: `r7_r08_no_card_crosses` proves R7 and R8, `fault_12_and_17_a_reset` meets
/// F12 and F17.
pub(crate) fn rules_of(name: &str) -> Vec<String> {
    match name.strip_prefix("faults").or_else(|| name.strip_prefix("fault")) {
        Some(rest) => faults_of(rest),
        None => {
            let words = name.split('_').map(str::to_ascii_uppercase).take_while(|word| is_rule(word));
            words.map(|rule| format!("{}{}", &rule[..1], rule[1..].trim_start_matches('0'))).collect()
        }
    }
}

fn faults_of(rest: &str) -> Vec<String> {
    let words = rest.split('_').filter(|word| !word.is_empty() && *word != "and");
    let numbers = words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.map(|number| format!("F{number}")).collect()
}

/// Rules that code and comments name, as `R30`.
pub(crate) fn mentioned(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| word.starts_with('R') && is_rule(word))
}

/// Every scenario with the rules it lists.
pub(crate) fn scenarios(fixtures: &Path) -> Vec<(String, Vec<String>)> {
    let folders = fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap());
    let mut found: Vec<(String, Vec<String>)> = folders
        .filter_map(|folder| {
            let text = fs::read_to_string(folder.path().join("scenario.toml")).ok()?;
            let scenario: toml::Table = text.parse().unwrap();
            let rules = scenario["rules"].as_array().unwrap().iter().map(|rule| rule.as_str().unwrap().to_owned());
            Some((folder.file_name().into_string().unwrap(), rules.collect()))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn rows_names_and_mentions_are_recognised() {
    let read = row("| R30 | W stays out | `r30_w_stays_out`; golden: a-first-night; see R31 |").unwrap();
    assert_eq!(read.rule, "R30");
    assert_eq!(read.proofs, ["`r30_w_stays_out`", "golden: a-first-night", "see R31"]);
    assert!(row("| R31 | nothing proves it |  |").unwrap().proofs.is_empty());
    assert!(row("| rule | what it says | proof |").is_none() && row("R30 is a rule").is_none());
    assert_eq!(rules_of("r7_r08_a12_no_card_crosses"), ["R7", "R8", "A12"]);
    assert_eq!(rules_of("faults_12_and_17_a_reset"), ["F12", "F17"]);
    assert_eq!([rules_of("fault27_a_control"), rules_of("fault_4_5_killed")].concat(), ["F27", "F4", "F5"]);
    assert_eq!([rules_of("at_noon"), rules_of("faults"), rules_of("rest_1")], [const { Vec::<String>::new() }; 3]);
    let code = "// R30, (R7): not R, R3x, XR3, T0\nasync fn r30_w() {}\nfn two<'a>() {}";
    assert_eq!(mentioned(code).collect::<Vec<_>>(), ["R30", "R7"]);
    assert_eq!(functions(code).collect::<Vec<_>>(), ["r30_w", "two"]);
}
