//! What records of different files of a scenario have in common, and what they have not: a PIN over a reissue, a card
//! number over a replacement.

use std::collections::BTreeMap;

use super::scenario::Across;
use super::tree::Tree;

/// Complains about every field that is not the same in all records where it must be, or the same in two where it must
/// not. A record that is not there, and a field that is in none of them, is a complaint too: nothing is compared to
/// nothing.
pub fn compare(same: &[Across], differ: &[Across], records: &BTreeMap<String, Tree>, complaints: &mut Vec<String>) {
    for across in same {
        each(across, records, complaints, |found| found.windows(2).all(|pair| pair[0] == pair[1]), "the same");
    }
    for across in differ {
        let all_differ = |found: &[Option<Tree>]| (1..found.len()).all(|at| !found[at..].contains(&found[at - 1]));
        each(across, records, complaints, all_differ, "different");
    }
}

fn each(
    across: &Across,
    records: &BTreeMap<String, Tree>,
    complaints: &mut Vec<String>,
    holds: impl Fn(&[Option<Tree>]) -> bool,
    must: &str,
) {
    let missing: Vec<&String> = across.records.iter().filter(|name| !records.contains_key(*name)).collect();
    if !missing.is_empty() || across.records.len() < 2 {
        complaints.push(format!("compares at least two records, and these are in no file: {missing:?}"));
        return;
    }
    for path in &across.of {
        let found: Vec<Option<Tree>> = across.records.iter().map(|name| records[name].find(path).cloned()).collect();
        if found.iter().all(Option::is_none) || !holds(&found) {
            complaints.push(format!("{path} must be {must} in {:?}, found {found:?}", across.records));
        }
    }
}
