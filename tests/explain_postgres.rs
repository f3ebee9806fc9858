//! The plans of the statements a night spends its time in, as the server ran them on a filled database.
//!
//! The statements are the store's own, with its own parameters and sessions: `auto_explain` writes down what PostgreSQL
//! did with each. The test holds that pages walk their index. `make explain` writes `docs/EXPLAIN.md` from a larger one.
#![allow(clippy::unwrap_used, reason = "Safe because: a test that cannot go on fails here")]

#[path = "support/store_contract.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "only its nights are used here")]
mod store_contract;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emboss::ambient::{Clock, FixedClock};
use emboss::card::{Expiry, FileId};
use emboss::store::settings::{DatabaseAddress, DatabaseSettings};
use emboss::store::{NewPin, PostgresAccess, Resealed, Sealed, SealedKind, SqlStore, Store};
use store_contract::night::{Run, Script, pin};
use store_contract::seed::{at, audit_key, issuer, marked};
use support::postgres::{Cluster, Database, PASSWORD};

const SETTINGS: [&str; 8] = [
    "shared_buffers = '512MB'",
    "work_mem = '64MB'",
    "session_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_buffers = on",
    "auto_explain.log_timing = off",
    "log_line_prefix = ''",
];

/// What each statement is for, what its plan shows, and the words that must stand in it.
const STATEMENTS: [(&str, &str, &[&str]); 12] = [
    (
        "RENEWABLE",
        "The renewal reads cards whose newest plastic is in use and ends in a month. It walks `plastic_expiry` from where the \
         last page ended; whether a card has a newer plastic is one look into `plastic_sequence`.",
        &["plastic_expiry", "plastic_sequence"],
    ),
    (
        "DOSSIERS_OF_MANUFACTURER",
        "The claim reads what is due, card by card. It walks `request_live`, a partial index that holds what is OPEN or \
         CLAIMED and nothing of earlier nights, puts the requests into the order of cards, and finds everything else by its \
         key. It is a cursor: one plan and one walk for all pages.",
        &["request_live"],
    ),
    ("WRITE_ITEMS", "A page of items, one array per column. No foreign key is looked up.", &["Insert on file_item"]),
    (
        "MARK_REQUESTS",
        "The requests of all items become CLAIMED, in one statement. No index knows what is changed, and pages are less \
         than half full, so that every row stays on its page and no index is touched (HOT).",
        &["Update on production_request"],
    ),
    (
        "ITEMS_WITHOUT_PIN",
        "The next items that need a PIN and have none yet: a page goes on where the last one ended in the file's key, and \
         looks each PIN up by its recordUid.",
        &["file_item_pkey", "pin_record"],
    ),
    ("SAVE_PINS", "A page of PINs, one array per column; the first PIN of a request wins.", &["Insert on pin"]),
    (
        "ITEMS",
        "Composing reads a page: it goes on where the last one ended in the file's key, and stops after its rows. \
         Everything else is found by key, in the versions that the claim pinned.",
        &["file_item_pkey"],
    ),
    ("ITEM_COUNTS", "What stands in the file is counted in the file's part of the table.", &["file_item"]),
    (
        "ITEM_LINES",
        "The digest over a file's items, at the claim and at the sealing: a page of lines as one text, from where the last one \
         ended in the file's key.",
        &["file_item_pkey"],
    ),
    (
        "SETTLE_ITEMS",
        "All plastics of the file move, the older ones of their cards are closed, the requests are SENT, and an event tells of \
         each plastic, in the file's order: items and plastics are looked up once for all of it. No index knows `status` and \
         `embossing_date`, and pages are less than half full, so that every plastic stays on its page and no index is touched \
         (HOT). Requests leave the partial indexes, which is what keeps those small.",
        &["Update on plastic", "Update on production_request", "Insert on event"],
    ),
    ("CLOSE_SUPERSEDED", "PIN orders that waited and whose card's letter has gone out.", &["request_"]),
    (
        "CLOSED_AFTER_SEALING",
        "Cards that were closed after the claim: only where a newer version is there are two versions compared.",
        &["file_item"],
    ),
];

/// These may not read requests and items of earlier nights, of which there are more with every night; nor a page all plastics.
const PAGES: [&str; 4] = ["RENEWABLE", "DOSSIERS_OF_MANUFACTURER", "ITEMS_WITHOUT_PIN", "ITEMS"];

/// One run of a statement.
#[derive(Debug, Clone)]
struct Ran {
    ms: f64,
    plan: String,
}

/// Cards of earlier nights, and as many that are due.
fn fill(database: &Database, cards: u32) {
    let variables = [format!("cards={cards}"), format!("marked_at={}", marked().timestamp_micros())];
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    database.cluster().psql_file(database.name(), "tests/support/filled.sql", &variables).unwrap();
}

async fn open(database: &Database, create: bool) -> SqlStore {
    let settings: DatabaseSettings = toml::from_str(&format!("url = \"{}\"", database.url())).unwrap();
    let DatabaseAddress::Postgres(address) = settings.address().unwrap() else { panic!("{}", settings.url) };
    let tls = address.tls(None);
    let access = PostgresAccess { address, tls, root_certificate: None, password: Some(PASSWORD.to_owned().into()) };
    let clock: Arc<dyn Clock> = Arc::new(FixedClock(at("2026-11-20T03:00:12Z")));
    let store = SqlStore::postgres(access, Duration::from_secs(30), Some(clock), create).await.unwrap();
    store.with_audit_key(audit_key())
}

async fn issue_pins(store: &SqlStore, file: FileId, epoch: i64) {
    let mut after = None;
    loop {
        let wanted = store.pins_to_issue(file, after.as_deref(), 1_000).await.unwrap();
        let Some(last) = wanted.last() else { return };
        after = Some(last.sort_key.clone());
        let made = |need: &emboss::store::PinToIssue| NewPin {
            record_uid: need.record_uid,
            card_id: need.card_id,
            pin: pin(need.version, need.record_uid.to_string().as_bytes()),
        };
        store.save_pins(file, epoch, &wanted.iter().map(made).collect::<Vec<_>>()).await.unwrap();
    }
}

async fn read_items(store: &SqlStore, file: FileId) -> usize {
    let (mut after, mut read) = (None::<String>, 0);
    loop {
        let page = store.items(file, after.as_deref(), 1_000).await.unwrap();
        read += page.len();
        match page.last() {
            Some(last) => after = Some(last.sort_key.clone()),
            None => return read,
        }
    }
}

/// Reads a month of renewals as the first step of a night does; how many cards.
async fn read_renewable(store: &SqlStore) -> usize {
    let (institution, ends) = (issuer(), Expiry::new(2029, 11).unwrap());
    let (mut after, mut read) = (None, 0);
    loop {
        let page = store.renewable(&institution, ends, after, 1_000).await.unwrap();
        read += page.len();
        after = page.last().and_then(|found| found.newest()).map(|newest| newest.plastic_id);
        if page.is_empty() {
            return read;
        }
    }
}

/// A night on a filled database; what the server did for each statement.
async fn night(cards: u32) -> (BTreeMap<String, Vec<Ran>>, String) {
    let cluster = Cluster::start_with(&SETTINGS);
    let database = cluster.database();
    open(&database, true).await.close().await;
    fill(&database, cards);
    let store = open(&database, false).await;
    // Those of earlier nights: of the others the newest plastic is not made yet.
    assert_eq!(read_renewable(&store).await, cards as usize);
    let run = Run::begin(&store, 20, 1).await;
    let mut file = run.claim(&store, &mut Script::default()).await.files.remove(0);
    issue_pins(&store, file.file_id, run.epoch).await;
    assert_eq!(read_items(&store, file.file_id).await, cards as usize);
    let outcome = run.settle(&store, &mut file).await;
    assert_eq!((outcome.moved, outcome.closed), (u64::from(cards), u64::from(cards / 5)));
    store.close().await;
    let told = database.psql("SELECT version(), current_date");
    let hot = updates(&database, cards);
    let (version, day) = told.split_once('|').unwrap();
    let version = version.split(" on ").next().unwrap_or_default();
    (statements(&cluster.log()), format!("{version}, {day}\n{hot}"))
}

/// Rows updated, and those of them that touched no index: a claim's and all of a settlement but its requests, which leave
/// the partial indexes.
fn updates(database: &Database, cards: u32) -> String {
    let query = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
                  WHERE relname IN ('production_request', 'plastic', 'file_item') ORDER BY relname";
    let settled = cards + cards / 5;
    let expected = format!("file_item|0|0\nplastic|{settled}|{settled}\nproduction_request|{}|{cards}", 2 * cards);
    let asked = Instant::now();
    let mut found = database.psql(query);
    // A session tells what it counted when it ends, a moment after we hung up.
    while found != expected && asked.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
        found = database.psql(query);
    }
    assert_eq!(found, expected);
    found
}

/// Every plan of the log, by the name in the statement's text.
fn statements(log: &str) -> BTreeMap<String, Vec<Ran>> {
    let mut found: BTreeMap<String, Vec<Ran>> = BTreeMap::new();
    for entry in log.split("LOG:  duration: ").skip(1) {
        let Some((ms, text)) = entry.split_once(" ms  plan:\n") else { continue };
        let lines: Vec<&str> = text.lines().take_while(|line| line.starts_with('\t')).collect();
        let Some(name) = lines.iter().find_map(|line| line.split_once("-- ").map(|(_, name)| name.trim())) else {
            continue;
        };
        // The plan begins behind the text: its first line has a cost.
        let plan: Vec<&str> = lines.iter().skip_while(|line| !line.contains("(cost=")).map(|line| &line[1..]).collect();
        let ran = Ran { ms: ms.parse().unwrap(), plan: plan.join("\n") };
        found.entry(name.to_owned()).or_default().push(ran);
    }
    found
}

#[tokio::test]
async fn pages_walk_their_index_and_read_nothing_of_earlier_nights() {
    let cards = std::env::var("EMBOSS_EXPLAIN_CARDS").map_or(5_000, |number| number.parse().unwrap());
    let (found, told) = night(cards).await;
    assert!(!found.contains_key("WRITE_STANDING"), "a night without holds writes nothing of them");
    for (name, _, words) in STATEMENTS {
        let runs = found.get(name).unwrap_or_else(|| panic!("{name} did not run: {:?}", found.keys()));
        for word in words {
            assert!(runs[0].plan.contains(word), "{name} without {word}:\n{}", runs[0].plan);
        }
        if PAGES.contains(&name) {
            let whole = ["Seq Scan on production_request", "Seq Scan on file_item", "Seq Scan on plastic", "Sort Key"];
            let whole = if name == "RENEWABLE" { &whole[..] } else { &whole[..2] };
            let walked = runs.iter().find(|ran| whole.iter().any(|whole| ran.plan.contains(whole)));
            assert!(walked.is_none(), "{name} reads what earlier nights left:\n{}", walked.unwrap().plan);
        }
    }
    if let Ok(path) = std::env::var("EMBOSS_EXPLAIN") {
        std::fs::write(path, page(cards, &found, &told)).unwrap();
    }
}

/// Goes through all values of a kind as a rotation does; how many it replaced.
async fn reseal(store: &SqlStore, kind: SealedKind) -> u64 {
    let (mut after, mut replaced) = (None, 0);
    loop {
        let page = store.sealed(kind, after.as_ref(), 500).await.unwrap();
        let Some(last) = page.last() else { return replaced };
        after = Some(last.place.clone());
        let anew: Vec<Resealed> =
            page.into_iter().map(|row| Resealed { anew: [&row.sealed[..], b"+"].concat(), row }).collect();
        replaced += store.reseal(kind, &anew).await.unwrap();
    }
}

#[tokio::test]
async fn a_rotation_walks_primary_keys() {
    let cards = std::env::var("EMBOSS_EXPLAIN_CARDS").map_or(5_000, |number| number.parse().unwrap());
    let cluster = Cluster::start_with(&SETTINGS);
    let database = cluster.database();
    open(&database, true).await.close().await;
    fill(&database, cards);
    let store = open(&database, false).await;
    let run = Run::begin(&store, 20, 1).await;
    let file = run.claim(&store, &mut Script::default()).await.files.remove(0);
    issue_pins(&store, file.file_id, run.epoch).await;
    let pins: u64 = database.psql("SELECT COUNT(*) FROM pin").parse().unwrap();
    for (kind, rows) in [
        (SealedKind::Pan, 2 * u64::from(cards)),
        (SealedKind::Pin, pins),
        (SealedKind::Pvv, database.psql("SELECT COUNT(pvv) FROM pin").parse().unwrap()),
        (SealedKind::FillSeed, database.psql("SELECT COUNT(*) FROM file").parse().unwrap()),
    ] {
        assert!(rows > 0, "{kind}");
        assert_eq!(reseal(&store, kind).await, rows, "{kind}");
    }
    store.key_uses().await.unwrap();
    store.close().await;
    let found = statements(&cluster.log());
    for (page, change, key) in [
        ("SEALED_PANS", "RESEAL_PANS", "card_pkey"),
        ("SEALED_PINS", "RESEAL_PINS", "pin_pkey"),
        ("SEALED_PVVS", "RESEAL_PVVS", "pin_pkey"),
        ("SEALED_SEEDS", "RESEAL_SEEDS", "file_pkey"),
    ] {
        for name in [page, change] {
            for ran in &found[name] {
                let by_key = ran.plan.matches(&format!("using {key}")).count();
                assert_eq!(by_key, if name == page { 1 } else { 2 }, "{name}:\n{}", ran.plan);
                let whole =
                    ["Seq Scan", "Sort Key", "Hash Join", "Merge Join"].iter().any(|whole| ran.plan.contains(whole));
                assert!(!whole, "{name}:\n{}", ran.plan);
            }
        }
    }
}

const HEAD: &str = "# Plans of the hot statements

What PostgreSQL did with the statements that a night spends its time in, on a database of 2 x {cards} cards: {cards} of
earlier nights, and {cards} that are due (70 % new, 20 % reissued, 10 % after a loss), all in one file. `make explain` runs
the store's own statements, with its own parameters and sessions, and writes this page anew; a smaller run of the same is a
test (`tests/explain_postgres.rs`), which holds that pages walk their index and read nothing of earlier nights.

Of each statement the slowest run is shown. `rows` are what was really found, `Buffers` are pages of 8 KiB: `hit` were in
the server's memory. Our sessions set `enable_seqscan = off` and `join_collapse_limit = 1`: right after a claim the server
does not know yet how many items it wrote, and would choose as if there were none. Times are with `auto_explain` looking on, and only there to be compared with each other.
";

/// The page of documentation.
fn page(cards: u32, found: &BTreeMap<String, Vec<Ran>>, told: &str) -> String {
    let mut page = HEAD.replace("{cards}", &cards.to_string());
    let (version, hot) = told.split_once('\n').unwrap();
    writeln!(page, "\n{version}, on two virtual processors.\n").unwrap();
    writeln!(page, "| statement | times | ms in all | ms at most |\n|---|---|---|---|").unwrap();
    for (name, _, _) in STATEMENTS {
        let runs = &found[name];
        let (all, most) = (runs.iter().map(|ran| ran.ms).sum::<f64>(), longest(runs).ms);
        writeln!(page, "| {name} | {} | {all:.0} | {most:.1} |", runs.len()).unwrap();
    }
    writeln!(page, "\n| table | rows updated | of these HOT |\n|---|---|---|").unwrap();
    for line in hot.lines() {
        writeln!(page, "| {} |", line.replace('|', " | ")).unwrap();
    }
    for (name, shows, _) in STATEMENTS {
        writeln!(page, "\n## {name}\n\n{shows}\n\n```\n{}\n```", longest(&found[name]).plan).unwrap();
    }
    page
}

fn longest(runs: &[Ran]) -> &Ran {
    runs.iter().max_by(|a, b| a.ms.total_cmp(&b.ms)).unwrap()
}
