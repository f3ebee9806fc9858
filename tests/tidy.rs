//! The rules of the house, checked on its source: who may import whom, how long a file may be, what is never written.
//!
//! `docs/ARCHITECTURE.md` says why. A file or line that must be an exception is listed below with its reason.

#![allow(clippy::unwrap_used, reason = "whatever cannot be read fails the test")]

#[path = "support/rules.rs"]
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use emboss::order::ErrorCode;

/// A module imports only modules of a lower rank.
const RANKS: &[&[&str]] = &[
    &["card", "ambient", "fault", "chain"],
    &["order", "settlement", "agreement"],
    &["selection", "document", "renewal"],
    &["plan", "report"],
    &["store", "vault", "spool"],
    &["seal", "delivery", "story", "rotation"],
    &["config"],
    &["night", "intake"],
    &["schedule", "trial"],
    &["cli"],
];

/// Most lines of a source file, its tests not counted.
const LINES_MAX: usize = 400;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] =
    &[("agreement.rs", "plain values with their defaults; whoever configures a house reads them together")];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "prelude", "manager", "misc"];

/// What reads time, randomness or the environment, and the only places that may.
const AMBIENT: &[&str] = &["Utc::now", "Local::now", "SystemTime::now", "std::env", "SysRng", "rand::rng"];
/// `fault` reads the order of a test, and only where it is built for tests.
const AMBIENT_ROOMS: &[&str] = &["ambient", "cli", "fault", "main"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One source file, with its test code cut out.
struct Source {
    /// Relative to `src/`.
    path: PathBuf,
    /// As written.
    text: String,
    /// Without comments, texts and test modules; lines are kept.
    code: String,
}

impl Source {
    /// The top-level module it belongs to.
    fn room(&self) -> String {
        let first = self.path.components().next().unwrap();
        Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
    }

    /// How many modules it lies below the crate.
    fn depth(&self) -> usize {
        let folders = self.path.components().count() - 1;
        folders + usize::from(self.path.file_name().unwrap() != "mod.rs")
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file of `src/` that is not test code as a whole.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    rust_files(&src, &mut paths);
    let texts: Vec<(PathBuf, String)> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| test_files(path, &plain(text))).collect();
    texts
        .into_iter()
        .filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test) || *path == test.with_extension("rs")))
        .map(|(path, text)| {
            let code = without_tests(&plain(&text));
            Source { path: path.strip_prefix(&src).unwrap().to_owned(), text, code }
        })
        .collect()
}

/// Blanks comments, texts and character literals, keeping the lines.
fn plain(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => end_of(bytes, at + 2, b"*/") + 2,
            b'r' if is_raw_text(bytes, at) => {
                let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
                let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
                end_of(bytes, at + 2 + hashes, &close) + close.len()
            }
            b'"' => end_of_text(bytes, at),
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => end_of(bytes, at + 3, b"'") + 1,
            b'\'' if bytes.get(at + 2) == Some(&b'\'') => at + 3,
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn end_of(bytes: &[u8], from: usize, mark: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(mark.len()).position(|window| window == mark).map_or(bytes.len(), |place| from + place)
}

fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_raw_text(bytes: &[u8], at: usize) -> bool {
    let inside_word =
        at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') && bytes[at - 1] != b'b';
    let after = bytes[at + 1..].iter().find(|byte| **byte != b'#');
    !inside_word && after == Some(&b'"')
}

const TEST_MARK: &str = "#[cfg(test)]";

/// The files of `#[cfg(test)] mod NAME;`, without their ending.
fn test_files(path: &Path, code: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap();
    let folder = path.parent().unwrap();
    let folder =
        if matches!(stem.to_str(), Some("mod" | "lib" | "main")) { folder.to_owned() } else { folder.join(stem) };
    let declared = code.split(TEST_MARK).skip(1).filter_map(|rest| {
        let item = rest.split(['{', ';']).next()?;
        let name = item.split_whitespace().skip_while(|word| *word != "mod").nth(1)?;
        rest[item.len()..].starts_with(';').then(|| folder.join(name))
    });
    declared.collect()
}

/// Cuts what stands behind `#[cfg(test)]`: to its `;`, or to the end of its braces.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(place) = rest.find(TEST_MARK) {
        kept.push_str(&rest[..place]);
        rest = after_item(&rest[place + TEST_MARK.len()..]);
    }
    kept + rest
}

fn after_item(code: &str) -> &str {
    let mut open = 0_usize;
    for (place, letter) in code.char_indices() {
        match letter {
            ';' if open == 0 => return &code[place + 1..],
            '{' => open += 1,
            '}' if open == 1 => return &code[place + 1..],
            '}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    ""
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The top-level modules that code at `depth` names, by `crate::` or by enough `super::`.
fn imports(code: &str, depth: usize) -> Vec<String> {
    let to_root = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", &*to_root, "emboss::"] {
        for (place, _) in code.match_indices(prefix) {
            let before = code[..place].bytes().next_back();
            if !before.is_some_and(|byte| is_word(byte) || byte == b':') {
                found.extend(first_segments(&code[place + prefix.len()..]));
            }
        }
    }
    found
}

/// `card::Pan` gives card; `{card::{Pan, ids}, store}` gives card and store.
fn first_segments(path: &str) -> Vec<String> {
    let word =
        |text: &str| text.trim_start().bytes().take_while(|byte| is_word(*byte)).map(char::from).collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut open = 1;
    let mut segments = vec![word(group)];
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 1 => segments.push(word(&group[place + 1..])),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

fn rank(room: &str) -> Option<usize> {
    RANKS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn every_room_has_a_rank() {
    let rooms = sources().into_iter().map(|source| source.room()).filter(|room| !matches!(&**room, "lib" | "main"));
    let unknown: Vec<String> = rooms.filter(|room| rank(room).is_none()).collect();
    assert!(unknown.is_empty(), "give these a rank in tests/tidy.rs and docs/ARCHITECTURE.md: {unknown:?}");
}

#[test]
fn a_room_imports_only_lower_ranks() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        let Some(own) = rank(&room) else { continue };
        for import in imports(&source.code, source.depth()) {
            if import != room && rank(&import).is_some_and(|other| other >= own) {
                wrong.push(format!(
                    "{} (rank {own}) imports {import} (rank {})",
                    source.name(),
                    rank(&import).unwrap()
                ));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code = plain(
        "use crate::{card::{Pan, ids}, store};\nlet x = crate::vault::open(); // crate::night\n'c'; \"crate::cli\"",
    );
    assert_eq!(imports(&code, 1), ["card", "store", "vault"]);
    assert_eq!(imports("use super::super::seal; super::other", 2), ["seal"]);
    let code =
        "use crate::card;\n#[cfg(test)]\nmod tests {\n    use crate::{night};\n    fn f() { }\n}\nuse crate::plan;";
    assert_eq!(imports(&without_tests(&plain(code)), 1), ["card", "plan"]);
    assert_eq!(
        test_files(Path::new("src/a.rs"), "#[cfg(test)]\npub(crate) mod vectors;"),
        [Path::new("src/a/vectors")]
    );
    assert_eq!(test_files(Path::new("src/a/mod.rs"), "#[cfg(test)] mod tests;"), [Path::new("src/a/tests")]);
}

#[test]
fn files_stay_short() {
    let lengths: BTreeMap<String, usize> =
        sources().iter().map(|source| (source.name(), source.code.lines().count())).collect();
    let listed = |name: &str| LONG.iter().any(|(path, _)| *path == name);
    let long: Vec<_> = lengths.iter().filter(|(name, lines)| **lines > LINES_MAX && !listed(name)).collect();
    assert!(long.is_empty(), "split by idea, or list in tests/tidy.rs with a reason: {long:?}");
    let needless: Vec<_> =
        LONG.iter().filter(|(path, _)| lengths.get(*path).is_none_or(|lines| *lines <= LINES_MAX)).collect();
    assert!(needless.is_empty(), "no longer long, take from the list: {needless:?}");
}

#[test]
fn every_file_begins_with_its_caption() {
    let silent: Vec<String> =
        sources().iter().filter(|source| !source.text.starts_with("//! ")).map(Source::name).collect();
    assert!(silent.is_empty(), "the first line says what the module is: {silent:?}");
}

#[test]
fn module_names_say_something() {
    let mut wrong = Vec::new();
    for source in sources() {
        let parts = source.path.with_extension("");
        let by_path = parts.components().map(|part| part.as_os_str().to_str().unwrap().to_owned());
        let words: Vec<&str> = source.code.split_whitespace().collect();
        let inline = words
            .windows(2)
            .filter(|pair| pair[0] == "mod")
            .map(|pair| pair[1].trim_end_matches(['{', ';']).to_owned());
        let empty = by_path.chain(inline).filter(|name| EMPTY_NAMES.contains(&&**name));
        wrong.extend(empty.map(|name| format!("{}: {name}", source.name())));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn time_chance_and_environment_are_arguments() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !AMBIENT_ROOMS.contains(&&*source.room())) {
        for (number, line) in source.code.lines().enumerate() {
            let found = AMBIENT.iter().filter(|word| line.contains(**word));
            wrong.extend(found.map(|word| format!("src/{}:{} uses {word}", source.name(), number + 1)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    // Written apart, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("unimpl", "emented!("),
    ];
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches"].map(|folder| root().join(folder)) {
        if folder.is_dir() {
            rust_files(&folder, &mut paths);
        }
    }
    let mut wrong = Vec::new();
    for path in paths {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let found = marks.iter().filter(|mark| line.contains(**mark));
            wrong.extend(found.map(|mark| format!("{}:{} has {mark}", path.display(), number + 1)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_unsafe() {
    let word = concat!("un", "safe");
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| {
            source.code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).any(|found| found == word)
        })
        .map(Source::name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let reasons = fs::read_to_string(root().join("docs/DEPENDENCIES.md")).unwrap();
    let rows = reasons.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let explained: Vec<&str> = rows.flat_map(|cell| cell.split([',', '(', ' '])).map(str::trim).collect();
    let sections = ["dependencies", "dev-dependencies"];
    let named = sections.iter().flat_map(|section| manifest[*section].as_table().unwrap().keys());
    let silent: Vec<&String> = named.filter(|name| !explained.contains(&name.as_str())).collect();
    assert!(silent.is_empty(), "docs/DEPENDENCIES.md does not say why we need {silent:?}");
}

/// Every line of code there is, tests included.
fn all_code() -> String {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches"].map(|folder| root().join(folder)) {
        rust_files(&folder, &mut paths);
    }
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What names each rule: its tests as `name`, its scenarios as golden: name.
fn proofs_by_rule(code: &str) -> BTreeMap<String, Vec<String>> {
    let mut proofs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in rules::functions(code) {
        for rule in rules::rules_of(name) {
            proofs.entry(rule).or_default().push(format!("`{name}`"));
        }
    }
    for (scenario, rules) in rules::scenarios(&root().join("fixtures")) {
        for rule in rules {
            proofs.entry(rule).or_default().push(format!("golden: {scenario}"));
        }
    }
    proofs
}

/// Rules and faults.
fn all_rows() -> Vec<rules::Row> {
    let pages = ["docs/RULES.md", "docs/FAULTS.md"];
    pages.iter().flat_map(|page| rules::table(&root().join(page))).collect()
}

#[test]
fn the_tables_of_rules_and_faults_name_only_what_there_is() {
    let code = all_code();
    let functions: Vec<&str> = rules::functions(&code).collect();
    let by_rule = proofs_by_rule(&code);
    let mut wrong = Vec::new();
    for row in all_rows() {
        for proof in &row.proofs {
            let stands = match proof.strip_prefix('`') {
                Some(name) => functions.contains(&name.trim_end_matches('`')),
                None if proof.starts_with("golden: ") => by_rule.get(&row.rule).is_some_and(|all| all.contains(proof)),
                None => ["see ", "later"].iter().any(|word| proof.starts_with(word)),
            };
            if !stands {
                wrong.push(format!("{}: {proof}", row.rule));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/RULES.md or docs/FAULTS.md names what does not exist, or not for this rule:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn whatever_names_a_rule_stands_in_its_row() {
    let rows = all_rows();
    let mut absent = Vec::new();
    for (rule, proofs) in proofs_by_rule(&all_code()) {
        let row = rows.iter().find(|row| row.rule == rule);
        let missing = proofs.into_iter().filter(|proof| !row.is_some_and(|row| row.proofs.contains(proof)));
        absent.extend(missing.map(|proof| format!("{rule}: {proof}")));
    }
    assert!(absent.is_empty(), "add to docs/RULES.md or docs/FAULTS.md:\n{}", absent.join("\n"));
}

#[test]
fn every_rule_stands_once_and_has_a_proof_or_is_for_later() {
    let rows = all_rows();
    let bare: Vec<&String> = rows.iter().filter(|row| row.proofs.is_empty()).map(|row| &row.rule).collect();
    assert!(bare.is_empty(), "the tables say of these neither what proves them nor when they come: {bare:?}");
    let mut known: Vec<&str> = rows.iter().map(|row| &*row.rule).collect();
    known.sort_unstable();
    assert!(known.windows(2).all(|pair| pair[0] != pair[1]), "a rule stands twice: {known:?}");
    let code = all_code();
    let mut unknown: Vec<&str> = rules::mentioned(&code).filter(|rule| known.binary_search(rule).is_err()).collect();
    unknown.dedup();
    assert!(unknown.is_empty(), "the code names rules that docs/RULES.md does not have: {unknown:?}");
}

#[test]
fn every_fault_has_a_row_with_a_test() {
    let rows = rules::table(&root().join("docs/FAULTS.md"));
    let faults: Vec<&str> = rows.iter().map(|row| &*row.rule).collect();
    let expected: Vec<String> = (1..=32).map(|number| format!("F{number}")).collect();
    assert_eq!(faults, expected, "docs/FAULTS.md has every fault once, in order");
    let tested = |row: &&rules::Row| row.proofs.iter().any(|proof| proof.starts_with('`'));
    let bare: Vec<&String> = rows.iter().filter(|row| !tested(row)).map(|row| &row.rule).collect();
    assert!(bare.is_empty(), "docs/FAULTS.md names no test for {bare:?}");
}

/// The threats of `docs/THREATS.md`: the words of the first cell, and the tests that the third names.
fn threats() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("docs/THREATS.md")).unwrap();
    let (first, _) = text.split_once("## What remains").unwrap();
    let rows = first.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat "));
    let read = rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let [threat, _, proofs] = cells.as_slice() else { panic!("three cells: {line}") };
        (threat.to_string(), proofs.split("; ").map(str::to_owned).collect())
    });
    read.collect()
}

#[test]
fn every_threat_has_a_test_that_exists() {
    let code = all_code();
    let functions: Vec<&str> = rules::functions(&code).collect();
    let threats = threats();
    assert!(threats.len() > 30, "the page was not read");
    let mut wrong = Vec::new();
    for (threat, proofs) in &threats {
        let tests: Vec<&str> = proofs.iter().filter_map(|proof| proof.strip_prefix('`')?.strip_suffix('`')).collect();
        if tests.is_empty() {
            wrong.push(format!("{threat}: no test"));
        }
        let known = |proof: &str| tests.contains(&proof.trim_matches('`'));
        wrong.extend(proofs.iter().filter(|proof| !known(proof)).map(|proof| format!("{threat}: {proof} is no test")));
        wrong.extend(tests.iter().filter(|name| !functions.contains(name)).map(|name| format!("{threat}: {name}")));
    }
    assert!(wrong.is_empty(), "docs/THREATS.md names what does not exist:\n{}", wrong.join("\n"));
}

/// Codes that no order can provoke here, with the test that shows what they are made of.
const UNPROVOKED: &[(&str, &str)] =
    &[("CRYPTO_UNAVAILABLE", "a_failure_of_card_cryptography_is_told_by_its_class_and_never_by_the_block")];

/// A code is provoked where an import answers with it: in a scenario, or in a test that feeds orders.
#[test]
fn every_error_code_is_provoked_by_an_order() {
    let answered = |text: &str, code: &str| text.contains(&format!("\"errorCode\":\"{code}\""));
    let asserted = |text: &str, code: &str| text.contains(&format!("\"{code}\""));
    let scenarios = texts_of(&root().join("fixtures"));
    let scenarios: Vec<_> = scenarios.iter().filter(|(name, _)| name.contains("/expected/answers-")).collect();
    let tests = [texts_of(&root().join("tests/intake")), texts_of(&root().join("tests/bad_input/orders.rs"))].concat();
    assert!(scenarios.len() > 20 && tests.len() > 10, "nothing is looked at");
    let code = all_code();
    for (unprovoked, test) in UNPROVOKED {
        assert!(rules::functions(&code).any(|name| name == *test), "{unprovoked}: there is no {test}");
    }
    let bare: Vec<&str> = ErrorCode::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !UNPROVOKED.iter().any(|(unprovoked, _)| unprovoked == code))
        .filter(|code| !scenarios.iter().any(|(_, text)| answered(text, code)))
        .filter(|code| !tests.iter().any(|(_, text)| asserted(text, code)))
        .collect();
    assert!(bare.is_empty(), "no order of a scenario or test is answered with {bare:?}");
}

/// Whoever ships this must not ship a program that an environment variable can kill.
#[test]
fn what_is_shipped_has_no_fault_points() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    assert_eq!(features.keys().collect::<Vec<_>>(), ["fault-points"], "and none that is on by default");
    assert_eq!(features["fault-points"].as_array().unwrap().len(), 0);
    let turned_on: Vec<&str> = text.lines().filter(|line| line.contains("features = [\"fault-points\"]")).collect();
    assert_eq!(turned_on, ["emboss = { path = \".\", features = [\"fault-points\"] }"]);
    assert!(manifest["dev-dependencies"].as_table().unwrap().contains_key("emboss"), "for the tests alone");
    for place in ["Makefile", ".ci", "deploy", "README.md", ".cargo"] {
        for (name, text) in texts_of(&root().join(place)) {
            let asks =
                ["--features", "--all-features", "-F ", "fault-points"].iter().find(|word| text.contains(**word));
            assert!(asks.is_none(), "{name} builds with {asks:?}");
        }
    }
}

/// A file, or every file of a folder, with its text; nothing where there is nothing.
fn texts_of(path: &Path) -> Vec<(String, String)> {
    match fs::read_dir(path) {
        Ok(entries) => entries.flat_map(|entry| texts_of(&entry.unwrap().path())).collect(),
        Err(_) => fs::read_to_string(path).map(|text| (path.display().to_string(), text)).into_iter().collect(),
    }
}
