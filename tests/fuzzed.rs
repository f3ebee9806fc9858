//! What fuzzing begins with and what it found, replayed through the same claims: kept by every test run, without
//! cargo-fuzz.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "whatever cannot be read fails the test")]
#![allow(clippy::print_stderr, reason = "an input that fails is told by its name")]
#![allow(unreachable_pub, reason = "shared with the fuzz targets")]

#[path = "../fuzz/claims/mod.rs"]
mod claims;

use std::fs;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs the claim of each target over every file of its folder; how many there were.
fn replay(kind: &str) -> usize {
    let mut replayed = 0;
    for (target, holds) in claims::ALL {
        let folder = fuzz().join(kind).join(target);
        for name in if folder.exists() { names(&folder) } else { Vec::new() } {
            // Shown where the test fails: which one it was.
            eprintln!("{kind}/{target}/{name}");
            holds(&fs::read(folder.join(name)).unwrap());
            replayed += 1;
        }
    }
    replayed
}

#[test]
fn every_claim_holds_for_what_fuzzing_begins_with() {
    assert!(replay("corpus") > 50);
}

#[test]
fn every_claim_holds_for_what_fuzzing_found() {
    assert!(replay("findings") > 0);
}

#[test]
fn every_claim_is_a_target_with_a_corpus_and_a_dictionary() {
    let claims: Vec<String> = claims::ALL.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), claims);
    assert_eq!(names(&fuzz().join("fuzz_targets")), claims.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    let dictionaries: Vec<String> = claims.iter().map(|name| format!("{name}.dict")).collect();
    assert_eq!(names(&fuzz().join("dictionaries")), dictionaries);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in claims {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not built");
    }
}
