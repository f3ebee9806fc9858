//! What the database says, read through the store: files, items, plastics, events, PINs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use emboss::ambient::{Random, SystemClock};
use emboss::card::{CardId, InstitutionId};
use emboss::chain::Head;
use emboss::config::{Config, adapters};
use emboss::store::{AuditVerdict, EventRow, FileRow, PinnedItem, Store};
use emboss::vault::{Owner, Vault, Wrapped};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// More of anything than a test has.
const ALL: u32 = 100_000;

/// Everything a test asks for.
#[derive(Debug)]
pub(crate) struct Books {
    /// Every file, newest first.
    pub(crate) files: Vec<FileRow>,
    /// The items still in them, by file order.
    pub(crate) items: Vec<PinnedItem>,
    /// Status by card and number of the plastic.
    pub(crate) plastics: BTreeMap<(u32, u32), String>,
    /// Every event, oldest first.
    pub(crate) events: Vec<EventRow>,
    /// How many PINs there are, whoever they are of.
    pub(crate) pins: i64,
    vault: Vault,
}

impl Books {
    pub(crate) fn read(config: &Config, pins: i64) -> Self {
        runtime().block_on(Self::gather(config, pins))
    }

    async fn gather(config: &Config, pins: i64) -> Self {
        let store = open(config).await;
        let files = store.newest_files(ALL).await.expect("files");
        let mut items = Vec::new();
        for file in &files {
            items.extend(store.items(file.file_id, None, ALL).await.expect("items"));
        }
        let count = |text: String| text.parse().expect("a number");
        let plastics = store.plastics(None, ALL).await.expect("plastics");
        let plastics = plastics.into_iter().map(|row| {
            let card = count(row.plastic.card_id.to_string());
            ((card, count(row.plastic.sequence_number.to_string())), row.plastic.status.to_string())
        });
        let books = Self {
            files,
            items,
            plastics: plastics.collect(),
            events: store.events(0, ALL).await.expect("events"),
            pins,
            vault: adapters::open_vault(config, Arc::new(Random::system())).expect("a vault"),
        };
        store.close().await;
        books
    }

    /// The audit, verified to the newest head of a journal.
    pub(crate) fn audit(config: &Config, journal: &Path) -> AuditVerdict {
        let text = std::fs::read_to_string(journal).unwrap_or_default();
        let newest = text.lines().rev().find_map(|line| line.strip_prefix("AUDIT "));
        let kept: Vec<Head> = newest.map(|head| head.parse().expect("a head")).into_iter().collect();
        let vault = adapters::open_vault(config, Arc::new(Random::system())).expect("a vault");
        runtime().block_on(async {
            let store = open(config).await;
            let verdict = store.verify_audit(&vault.audit_keys(), &kept).await.expect("it is read");
            store.close().await;
            verdict
        })
    }

    /// The only file.
    pub(crate) fn file(&self) -> &FileRow {
        assert_eq!(self.files.len(), 1, "{:?}", self.files);
        &self.files[0]
    }

    /// The plastics of every `plastic.moved`, by their id, as often as they moved.
    pub(crate) fn moves(&self) -> BTreeMap<String, usize> {
        let mut moves = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.kind == "plastic.moved") {
            let data: Value = serde_json::from_str(&event.data).expect("JSON");
            *moves.entry(data["plasticId"].as_str().expect("an id").to_owned()).or_default() += 1;
        }
        moves
    }

    /// Card number and PIN, as its provider stores it, of every item that has one.
    pub(crate) fn stored_pins(&self) -> Vec<(String, Vec<u8>)> {
        let items = self.items.iter().filter_map(|item| Some((item, item.pin.as_ref()?)));
        let opened = items.map(|(item, pin)| {
            let owner = Owner { institution: institution(), card_id: Some(item.card_id) };
            let stored = self.vault.open_pin(&owner, pin.version, &Wrapped(pin.stored.clone())).expect("it opens");
            let pan = self.vault.open_pan(&owner, &Wrapped(item.pan.clone())).expect("it opens");
            (pan.expose().to_owned(), stored.bytes.to_vec())
        });
        opened.collect()
    }

    /// Whether a PIN block of a file, under a zone key, opens to the PIN that the database has for an item.
    pub(crate) fn block_is_of(&self, item: &PinnedItem, block: &emboss::card::PinBlock) -> bool {
        let owner = Owner { institution: institution(), card_id: Some(item.card_id) };
        let pin = item.pin.as_ref().expect("a PIN");
        let stored = self.vault.open_pin(&owner, pin.version, &Wrapped(pin.stored.clone())).expect("it opens");
        let pan = self.vault.open_pan(&owner, &Wrapped(item.pan.clone())).expect("it opens");
        runtime().block_on(self.vault.crypto().verify_block(&pan, &stored, block)).expect("compared")
    }
}

async fn open(config: &Config) -> Arc<dyn Store> {
    let random = Arc::new(Random::system());
    adapters::open_store(config, false, Arc::new(SystemClock), random, None).await.expect("it opens")
}

/// The first column of what a query finds in a SQLite database, as text.
pub(crate) fn texts(database: &Path, query: &str) -> Vec<String> {
    runtime().block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(database).connect().await.expect("opened");
        let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
        let found = query.fetch_all(&mut connection).await.expect("rows");
        connection.close().await.expect("closed");
        found
    })
}

/// Asks a SQLite database for a number.
pub(crate) fn number(database: &Path, query: &'static str) -> i64 {
    runtime().block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(database).connect().await.expect("opened");
        let number = sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("a number");
        connection.close().await.expect("closed");
        number
    })
}

/// A card id of a test.
pub(crate) fn card_id(number: u32) -> CardId {
    number.to_string().parse().expect("a card id")
}

fn institution() -> InstitutionId {
    "246001".parse().expect("an institution")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
