//! What is left in the program's memory once it is done with it: read from outside, as only root may.
//!
//! A key in use has to be in memory. Every other secret is wiped when it was used, in whatever library it was.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};

use super::bench::{Bench, secrets, secrets_of};
use super::canaries::{Canary, Haystack};
use super::process::{Running, until};
use super::tree::Document;

/// The writable memory of a stopped process, piece by piece. Without root it is refused.
fn memory(process: u32) -> Option<Vec<(String, Haystack)>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut pieces = Vec::new();
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (from, to) = words[0].split_once('-').expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let (from, to) = (address(from), address(to));
        if words[1].starts_with("rw") {
            let mut bytes = Vec::new();
            memory.seek(SeekFrom::Start(from)).expect("there");
            // What is not there in truth (a guard, a file cut short) gives what was read before it.
            let _ = (&mut memory).take(to - from).read_to_end(&mut bytes);
            // Most pages were never written to. What is left is searched as one, for a secret may cross pages.
            let written: Vec<&[u8]> = bytes.chunks(4_096).filter(|page| page.iter().any(|byte| *byte != 0)).collect();
            pieces.push((words.get(5).copied().unwrap_or("anonymous").to_owned(), Haystack::new(&written.concat())));
        }
    }
    Some(pieces)
}

/// What is found in which piece.
fn found_in(memory: &[(String, Haystack)], canaries: &[Canary]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for canary in canaries {
        for (name, piece) in memory {
            found.extend(canary.found_in(piece).iter().map(|form| format!("{} as {form} in {name}", canary.what)));
        }
    }
    found
}

/// AES begins its key schedule with the key as it is, so that one in use cannot be told from one that was forgotten.
/// TDES keys, protection keys and components are found nowhere.
const IN_USE: [&str; 3] = ["DEK_AES_256", "ZPK_AES_128", "ZPK_AES_256"];

/// Fails where one of these is in the memory of a program that has stopped or waits. Without root there is nothing to
/// be read, which is what others may not do either.
#[track_caller]
pub(crate) fn holds_none(running: &mut Running, canaries: &[Canary]) {
    let Some(memory) = memory(running.id()) else {
        assert!(!rustix::process::getuid().is_root(), "root reads every memory");
        return;
    };
    let (in_use, canaries): (Vec<Canary>, Vec<Canary>) =
        canaries.iter().cloned().partition(|canary| IN_USE.iter().any(|name| canary.what.ends_with(name)));
    assert_eq!(found_in(&memory, &canaries), BTreeSet::new());
    let schedules = found_in(&memory, &in_use);
    assert!(schedules.iter().all(|found| found.contains(" as bytes ")), "keys in use, as text: {schedules:?}");
}

/// The PIN 1234 that an order set for the card 3001, clear: packed and digit by digit, in the formats 0, 3 and 4.
fn clear_pins() -> Vec<Canary> {
    // The twelve rightmost digits of its number without the check digit are 000123456789; 0412 34FF FFFF FFFF xor them.
    let clear = [
        ("the PIN block 0 before encryption", hex::decode("041234FEDCBA9876").expect("hexadecimal")),
        ("the PIN field of format 0", hex::decode("041234FFFFFFFFFF").expect("hexadecimal")),
        ("the PIN field of format 4", hex::decode("441234AAAAAAAAAA").expect("hexadecimal")),
        ("the PIN field digit by digit", vec![0, 4, 1, 2, 3, 4, 0xF, 0xF, 0xF, 0xF]),
        ("the PIN field of format 4 digit by digit", vec![4, 4, 1, 2, 3, 4, 0xA, 0xA, 0xA, 0xA]),
    ];
    clear.into_iter().map(|(what, bytes)| Canary::bytes(what, &bytes)).collect()
}

/// A run that stops itself at a point.
pub(crate) fn run_until(bench: &Bench, point: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emboss"));
    command.args(["run", "--now"]).current_dir(bench.folder.path()).env("EMBOSS_FAULT", format!("stop@{point}"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("emboss starts");
    let mut running = Running::of(child);
    running.wait_until_stopped();
    running
}

#[test]
fn r138_a_night_that_is_over_has_no_secret_in_memory() {
    let mut bench = Bench::new();
    bench.emboss(&["import", "orders.jsonl"], 1);
    let mut running = run_until(&bench, "run-ended");
    let delivered = bench.delivered();
    let [file] = delivered.as_slice() else { panic!("one file, not {delivered:?}") };
    let document = Document::read(&super::open(&fs::read(file).expect("the file")), "x.xml");
    assert_eq!(document.cards.len(), 2, "both cards went");
    let canaries: Vec<Canary> = secrets().into_iter().chain(secrets_of(&document)).chain(clear_pins()).collect();
    holds_none(&mut running, &canaries);
}

#[test]
fn what_is_in_use_is_found_in_memory() {
    let mut bench = Bench::new();
    bench.emboss(&["import", "orders.jsonl"], 1);
    let mut running = run_until(&bench, "composing");
    if let Some(memory) = memory(running.id()) {
        let found = found_in(&memory, &secrets());
        assert!(found.iter().any(|found| found.starts_with("the PAN 400000... as text")), "{found:?}");
        assert!(found.iter().any(|found| found.starts_with("the key DEK_AES_256 as bytes")), "{found:?}");
    }
}

#[test]
fn r138_orders_that_were_answered_leave_no_secret_in_memory() {
    let bench = Bench::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emboss"));
    command.args(["import", "-"]).current_dir(bench.folder.path()).stdin(Stdio::piped());
    let answers = bench.path("told").join("answers");
    command.stdout(File::create(&answers).expect("a file")).stderr(Stdio::null());
    let mut child = command.spawn().expect("emboss starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut running = Running::of(child);
    let lines = fs::read_to_string(bench.path("orders.jsonl")).expect("orders");
    // A batch is answered when the next one is read; behind it the program waits for more.
    stdin.write_all((lines.clone() + &"no order\n".repeat(2_000)).as_bytes()).expect("fed");
    until("they are answered", || {
        fs::read_to_string(&answers).expect("answers").lines().count() > lines.lines().count()
    });
    let canaries: Vec<Canary> = secrets().into_iter().chain(clear_pins()).collect();
    holds_none(&mut running, &canaries);
    drop(stdin);
}
