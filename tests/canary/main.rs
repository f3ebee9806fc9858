//! R138: a whole night with known secrets, and a search for them in everything it leaves behind.
//!
//! Known are card numbers (they come as JWE), tracks and PIN blocks (read from the delivered document), every key, and a
//! name and address that occur nowhere else. Names and addresses may stand in the database, secrets nowhere in clear.
//! CVVs and PINs are too short to be told from chance; the tracks and PIN blocks that contain them are searched.

#![allow(clippy::expect_used, reason = "whatever the harness cannot do fails the test")]
#![allow(dead_code, reason = "the player is shared with the golden tests")]
#![allow(unreachable_pub, reason = "the harness's parts are modules of this test")]

mod bench;
#[path = "../support/canaries.rs"]
mod canaries;
mod memory;
#[path = "../support/player.rs"]
mod player;
#[path = "../faults/process.rs"]
mod process;
#[path = "../support/scenario.rs"]
mod scenario;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tree.rs"]
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::{AFTER_ALL, Bench, PANS, people, secrets, secrets_of};
use canaries::{Canary, Haystack, files};
use support::gpg::Gpg;
use tree::Document;

/// What is found where; nothing is good.
fn search(canaries: &[Canary], paths: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for path in paths {
        let content = Haystack::new(&fs::read(path).expect("a file"));
        for canary in canaries {
            for form in canary.found_in(&content) {
                found.push(format!("{}: {} as {form}", path.display(), canary.what));
            }
        }
    }
    found
}

/// Every file that the program made, and what it said.
fn left_behind(bench: &Bench) -> Vec<PathBuf> {
    let ours = ["keys", "orders.jsonl", "emboss.toml", "snapshots"].map(|name| bench.path(name));
    files(bench.folder.path(), &|path| ours.iter().any(|own| own == path))
}

fn open(sealed: &[u8]) -> String {
    let gpg = Gpg::new();
    for name in ["signer.asc", "factory-x.key"] {
        gpg.import(&fs::read(scenario::fixtures().join("keys").join(name)).expect("a key"));
    }
    String::from_utf8(gpg.decrypt_at(sealed, AFTER_ALL).content).expect("UTF-8")
}

/// What persons order, and what they should not have typed.
fn orders_of_persons(bench: &mut Bench, file: &Path) {
    let file_name = file.file_name().expect("a name").to_str().expect("UTF-8");
    let who = ["--by", "ops", "--reason", "they lost it"];
    for (named, by, reason) in [(PANS[0], "ops", "why"), (file_name, PANS[0], "why"), (file_name, "ops", PANS[1])] {
        bench.emboss(&["--json", "resend", "--file", named, "--by", by, "--reason", reason], 2);
        bench.emboss(&["resolve", "--delivered", "--file", named, "--by", by, "--reason", reason], 2);
    }
    let order = |command: &[&'static str]| [command, &["--file", file_name], &who[..]].concat();
    bench.emboss(&order(&["abandon"]), 1);
    bench.emboss(&order(&["resend"]), 1);
    fs::remove_file(file).expect("taken by the house");
    bench.emboss(&order(&["--json", "resend"]), 0);
    bench.emboss(&order(&["resend", "--duplicate"]), 0);
}

#[test]
fn r138_the_program_leaves_no_secret_behind_after_success_and_failure() {
    let mut bench = Bench::new();
    bench.emboss(&["import", "orders.jsonl"], 1);
    bench.emboss(&["--json", "plan"], 0);
    bench.emboss(&["plan"], 0);
    // The house's folder is gone: the file is claimed and sealed, but not delivered.
    fs::rename(bench.path("out"), bench.path("elsewhere")).expect("renamed");
    bench.emboss(&["--json", "run", "--now"], 1);
    bench.emboss(&["status"], 0);
    fs::rename(bench.path("elsewhere"), bench.path("out")).expect("renamed");
    bench.emboss(&["--json", "run", "--now"], 0);
    bench.emboss(&["run", "--now"], 0);
    bench.emboss(&["--json", "status"], 0);
    bench.emboss(&["--json", "check"], 0);
    let delivered = bench.delivered();
    let [file] = delivered.as_slice() else { panic!("one file, not {delivered:?}") };
    let name = file.strip_prefix(bench.folder.path()).expect("inside").to_str().expect("UTF-8").to_owned();
    bench.emboss(&["inspect", &name, "--key", "keys/factory-x.key"], 0);
    bench.emboss(&["--json", "inspect", &name, "--key", "keys/factory-x.key"], 0);

    let sealed = fs::read(file).expect("the file");
    let text = open(&sealed);
    let document = Document::read(&text, &name);
    assert_eq!(document.cards.len(), 2, "both cards went");
    let secrets: Vec<Canary> = secrets().into_iter().chain(secrets_of(&document)).collect();
    let chip = |card: &str| {
        let card = document.cards.iter().find(|found| found.get("cardId") == Some(card)).expect("the card");
        card.get("chipPin.pinBlock.value").expect("a PIN block").to_owned()
    };
    assert_eq!(chip("3001"), "311D385594D0906A", "PIN 1234 as the order set it, under the house's key");

    // A cut file, and orders and keys in places where the program will stumble over them.
    fs::write(bench.path("cut.xml.pgp"), &sealed[..sealed.len() / 2]).expect("written");
    fs::write(bench.path("plain.xml"), text.replace("<Cvv2>", "<Cvv3>")).expect("written");
    for path in ["cut.xml.pgp", "plain.xml"] {
        let output =
            bench.emboss(&["inspect", path, "--key", "keys/factory-x.key"], if path == "plain.xml" { 1 } else { 2 });
        assert!(!output.stderr.is_empty() || !output.stdout.is_empty());
    }
    bench.emboss(&["import", "plain.xml"], 1);
    fs::remove_file(bench.path("plain.xml")).expect("removed");

    orders_of_persons(&mut bench, file);
    bench.emboss(&["--json", "status"], 0);
    for card in ["3001", "3002", "3003"] {
        bench.emboss(&["explain", "--card", card], 0);
        bench.emboss(&["--json", "explain", "--card", card], 0);
    }
    assert!(!bench.emboss(&["events"], 0).stdout.is_empty());

    let left = left_behind(&bench);
    assert!(left.iter().any(|path| path.ends_with("emboss.db")), "the database was searched");
    assert!(left.iter().any(|path| path.starts_with(bench.path("spool"))), "the spool was searched");
    assert_eq!(search(&secrets, &left), Vec::<String>::new());
    // Names and addresses belong in the database, and before the eyes of whoever asks to inspect a file.
    let may_name = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("emboss.db") || (name.contains("inspect") && name.ends_with(".stdout"))
    };
    let told: Vec<PathBuf> = left.iter().filter(|path| !may_name(path)).cloned().collect();
    assert_eq!(search(&people(), &told), Vec::<String>::new());

    // Nor any card number that is not known here: the log was as talkative as it can be.
    for path in told.iter().filter(|path| path.starts_with(bench.path("told"))) {
        let text = fs::read_to_string(path).expect("UTF-8");
        assert_eq!(emboss::card::masking::mask(&text), text, "{}", path.display());
    }

    // The search itself works: on a TEST file a person may ask for everything, and then it is there.
    let shown = bench.emboss(&["--json", "inspect", &name, "--key", "keys/factory-x.key", "--unmask"], 0).stdout;
    for pan in &PANS[..2] {
        assert!(!Canary::text("a PAN", pan).found_in(&Haystack::new(&shown)).is_empty(), "--unmask shows the PAN");
    }
    let shown = String::from_utf8(shown).expect("UTF-8");
    assert_ne!(emboss::card::masking::mask(&shown), shown);
}

#[test]
fn r138_a_killed_run_leaves_no_secret_behind() {
    let mut bench = Bench::new();
    bench.emboss(&["import", "orders.jsonl"], 1);
    support::fixtures::make_folder(&bench.path("snapshots"));
    let mut killed = 0;
    for delay_ms in [10, 20, 40, 80, 160] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_emboss"))
            .args(["--json", "run", "--now"])
            .current_dir(bench.folder.path())
            .stdout(fs::File::create(bench.path("told").join(format!("killed-{delay_ms}.stdout"))).expect("kept"))
            .stderr(fs::File::create(bench.path("told").join(format!("killed-{delay_ms}.stderr"))).expect("kept"))
            .spawn()
            .expect("emboss starts");
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        run.kill().expect("killed");
        killed += u32::from(!run.wait().expect("it ends").success());
        let to = bench.path("snapshots").join(delay_ms.to_string());
        support::fixtures::make_folder(&to);
        for (number, file) in left_behind(&bench).iter().enumerate() {
            let name = file.file_name().expect("a name").to_string_lossy();
            fs::copy(file, to.join(format!("{number}-{name}"))).expect("a copy");
        }
    }
    assert!(killed > 0, "at least one run was still at work when it was killed");
    bench.emboss(&["--json", "run", "--now"], 0);

    let documents: Vec<Document> = bench
        .delivered()
        .iter()
        .map(|path| Document::read(&open(&fs::read(path).expect("a file")), &path.to_string_lossy()))
        .collect();
    let cards: usize = documents.iter().map(|document| document.cards.len()).sum();
    assert_eq!(cards, 2, "both cards went, each once");
    let secrets: Vec<Canary> = secrets().into_iter().chain(documents.iter().flat_map(secrets_of)).collect();
    let snapshots = files(&bench.path("snapshots"), &|_| false);
    assert!(snapshots.iter().any(|path| path.to_string_lossy().ends_with("emboss.db")), "the database was kept");
    assert_eq!(search(&secrets, &snapshots), Vec::<String>::new());
    assert_eq!(search(&secrets, &left_behind(&bench)), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r138_the_write_ahead_log_holds_no_secret_while_a_run_is_at_work() {
    let scenario = scenario::Scenario::read("pan-from-encrypted-data");
    let mut stage = player::Stage::open("pan-from-encrypted-data", &scenario, None).await;
    let mut documents = Vec::new();
    for step in &scenario.step {
        documents
            .extend(stage.play(step).await.files.into_iter().map(|(name, file)| Document::read(&file.document, &name)));
    }
    let folder = stage.folder();
    let left = files(folder, &|path| path == folder.join("keys") || path == folder.join("emboss.toml"));
    assert!(left.iter().any(|path| path.ends_with("emboss.db-wal")), "the write-ahead log is there: {left:?}");
    let secrets: Vec<Canary> = secrets().into_iter().chain(documents.iter().flat_map(secrets_of)).collect();
    assert_eq!(search(&secrets, &left), Vec::<String>::new());
}

#[test]
fn the_search_finds_every_form_wherever_it_begins() {
    let canaries =
        [Canary::text("a PAN", PANS[0]), Canary::bytes("a key", &[0xC6, 0x23, 0x2F, 0x9E, 0x1D, 0xFB, 0x6C, 0xE2])];
    for canary in &canaries {
        for (name, form) in canary.forms() {
            let content = [b"before".as_slice(), form, b"after"].concat();
            assert!(canary.found_in(&Haystack::new(&content)).contains(name), "{name}");
        }
        assert!(canary.found_in(&Haystack::new(b"nothing of it 40000012345678 99")).is_empty());
    }
    // As `printf 'xx4000001234567899yy' | base64` writes it.
    assert_eq!(canaries[0].found_in(&Haystack::new(b"eHg0MDAwMDAxMjM0NTY3ODk5eXk=")), ["base64"]);
}
