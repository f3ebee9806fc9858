//! Help texts, frozen: `UPDATE_GOLDEN=1 cargo test --test cli` writes them anew after a change that was meant.

use std::fs;
use std::path::Path;

use crate::support::trial::{Outcome, emboss};

const COMMANDS: [&str; 16] = [
    "demo", "init", "import", "plan", "run", "schedule", "status", "resolve", "abandon", "resend", "explain", "events",
    "audit", "inspect", "keys", "check",
];

/// Commands of a command.
const PARTS: [[&str; 2]; 5] =
    [["audit", "verify"], ["audit", "export"], ["keys", "list"], ["keys", "import"], ["keys", "rotate"]];

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/help/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{}: if this was meant, run with UPDATE_GOLDEN=1", path.display());
}

fn help(arguments: &[&str]) -> String {
    let outcome = Outcome::of(emboss().args(arguments).env("COLUMNS", "100")).exits(0);
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

#[test]
fn the_help_of_the_program_is_frozen() {
    let text = help(&["--help"]);
    golden("emboss", &text);
    for command in COMMANDS {
        assert!(text.contains(&format!("\n  {command} ")), "{command} is not named");
    }
}

#[test]
fn the_help_of_every_command_is_frozen() {
    for command in COMMANDS {
        golden(command, &help(&[command, "--help"]));
    }
    for [command, part] in PARTS {
        golden(&format!("{command}-{part}"), &help(&[command, part, "--help"]));
    }
}

#[test]
fn help_is_made_of_sentences() {
    let parts = PARTS.iter().map(|part| part.to_vec());
    for command in COMMANDS.iter().map(|command| vec![*command]).chain(parts) {
        let text = help(&[&command[..], &["--help"]].concat());
        let command = command.join(" ");
        let about = text.lines().next().unwrap();
        assert!(about.starts_with(char::is_uppercase) && about.ends_with('.'), "{command}: {about}");
        let options = text.split("\n\n").skip(2).flat_map(|part| part.lines().skip(1));
        for option in options {
            let (_, says) = option.trim().split_once("  ").unwrap();
            let says = says.trim();
            assert!(says.starts_with(char::is_uppercase) && says.ends_with('.'), "{command}: {option}");
        }
    }
}

#[test]
fn no_command_asks_anything_and_the_version_is_told() {
    let version = help(&["--version"]);
    assert_eq!(version, format!("emboss {}\n", env!("CARGO_PKG_VERSION")));
    // Without a command: usage, exit 2, nothing waits for input.
    let outcome = Outcome::of(&mut emboss()).exits(2);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("Usage: emboss"), "{}", outcome.stderr);
}
