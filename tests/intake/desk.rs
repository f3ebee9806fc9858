//! A database, a vault and a catalogue of its own for each test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::agreement::{Institution, Product};
use emboss::ambient::{FixedClock, Random};
use emboss::card::{CardId, InstitutionId, Pan, Plastic};
use emboss::intake::{Catalogue, ImportSummary, Importer, JweKeys};
use emboss::selection::Request;

use emboss::store::{SqlStore, Store, StoredCard};
use emboss::vault::key_set::make_test_keys;
use emboss::vault::{Owner, Vault, VaultKeys, Wrapped};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use tempfile::TempDir;

pub const CATALOGUE: &str = r#"
[[institution]]
id = "246001"
default_product = "VISA_CARD"
set_pin_keys = ["zpk-x-1", "zpk-x-2", "zpk-x-3", "cvk-1", "zpk-gone"]
[[institution]]
id = "246002"

[[product]]
institution = "246001"
code = "VISA_CARD"
scheme = "VISA"
form = "physical"
pan_prefixes = ["40000012", "4000002345"]
months = 36
service_code = "201"
cvv_key = "cvk-1"
cvv2_key = "cvk2-1"
stripe = { track1 = "{cvv}", track2 = "{cvv}" }
[[product]]
institution = "246001"
code = "VISA_PIN"
scheme = "VISA"
form = "physical"
pan_prefixes = ["40000055"]
months = 36
cvv2_key = "cvk2-1"
pin = { pvv_key = "pvk-1", pvki = "3" }
[[product]]
institution = "246001"
code = "MC_INSTANT"
scheme = "MASTERCARD"
form = "physical"
instant_issuing = true
pan_prefixes = ["222300"]
months = 24
service_code = "201"
cvv_key = "cvk-1"
cvv2_key = "cvk2-1"
chip = { track1 = "{cvv}", track2 = "{cvv}" }
[[product]]
institution = "246001"
code = "VISA_VIRTUAL"
scheme = "VISA"
form = "virtual"
pan_prefixes = ["40000099"]
months = 24
cvv2_key = "cvk2-1"
[[product]]
institution = "246001"
code = "VISA_TINY"
scheme = "VISA"
form = "virtual"
pan_prefixes = ["40000011111111"]
months = 24
cvv2_key = "cvk2-1"
[[product]]
institution = "246001"
code = "VISA_FOREVER"
scheme = "VISA"
form = "virtual"
pan_prefixes = ["40000088"]
months = 1200
cvv2_key = "cvk2-1"
[[product]]
institution = "246002"
code = "VISA_CARD"
scheme = "VISA"
form = "physical"
pan_prefixes = ["40000077"]
months = 36
cvv2_key = "cvk2-1"
"#;

#[derive(serde::Deserialize)]
struct Configured {
    institution: Vec<Institution>,
    product: Vec<Product>,
}

pub struct Desk {
    pub folder: TempDir,
    pub store: SqlStore,
    pub vault: Vault,
    pub random: Arc<Random>,
    pub clock: FixedClock,
    pub catalogue: Catalogue,
    pub jwe: JweKeys,
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn issuer() -> InstitutionId {
    "246001".parse().unwrap()
}

pub fn card_id(text: &str) -> CardId {
    text.parse().unwrap()
}

pub fn catalogue(text: &str) -> Catalogue {
    let configured: Configured = toml::from_str(text).unwrap();
    Catalogue::new(configured.institution, configured.product)
}

impl Desk {
    pub async fn open() -> Self {
        Self::with_keys(|_| {}).await
    }

    pub async fn with_keys(change: impl FnOnce(&mut VaultKeys)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FixedClock(at("2026-11-20T12:00:00Z"));
        let random = Arc::new(Random::seeded(17));
        let mut keys = make_test_keys(&random, &[]).unwrap().vault_keys();
        change(&mut keys);
        let vault = Vault::open(keys, Arc::clone(&random)).unwrap();
        let path = folder.path().join("emboss.db");
        let patience = Duration::from_secs(5);
        let store = SqlStore::sqlite(&path, patience, Arc::new(clock), Arc::clone(&random), true).await.unwrap();
        Self { folder, store, vault, random, clock, catalogue: catalogue(CATALOGUE), jwe: JweKeys::default() }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("emboss.db")
    }

    pub fn importer(&self) -> Importer<'_> {
        Importer::new(&self.store, &self.vault, &self.catalogue, &self.jwe, &self.clock, &self.random)
    }

    /// Imports bytes; gives back the answers and the summary.
    pub async fn bytes(&self, input: &[u8]) -> (Vec<Value>, ImportSummary) {
        let mut output = Vec::new();
        let summary = self.importer().import(input, &mut output, &mut |_| {}).await.unwrap();
        let text = String::from_utf8(output).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), summary)
    }

    pub async fn import(&self, lines: &[Value]) -> Vec<Value> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.bytes(text.as_bytes()).await.0
    }

    /// One order that must be taken.
    pub async fn take(&self, line: &Value) -> Value {
        let answer = self.import(std::slice::from_ref(line)).await.remove(0);
        assert!(answer.get("errorCode").is_none(), "{line}: {answer}");
        answer
    }

    /// One order that must be refused: its code, its type, its reason.
    pub async fn refuse(&self, line: &Value) -> (String, String, String) {
        let answer = self.import(std::slice::from_ref(line)).await.remove(0);
        let text = |field: &str| answer[field].as_str().unwrap_or_else(|| panic!("{line}: {answer}")).to_owned();
        (text("errorCode"), text("errorType"), text("errorReason"))
    }

    /// Customer 1001 with account 2001, customer 1002 with none.
    pub async fn with_customers() -> Self {
        let desk = Self::open().await;
        desk.customers().await;
        desk
    }

    pub async fn customers(&self) {
        for line in [customer("1001"), customer("1002"), account("2001", "1001")] {
            self.take(&line).await;
        }
    }

    pub async fn card(&self, id: &str) -> Option<StoredCard> {
        self.store.intake().await.unwrap().card(&issuer(), card_id(id)).await.unwrap()
    }

    pub async fn pan(&self, id: &str) -> Pan {
        let stored = self.card(id).await.unwrap();
        let owner = Owner { institution: issuer(), card_id: Some(card_id(id)) };
        self.vault.open_pan(&owner, &Wrapped(stored.pan)).unwrap()
    }

    pub async fn plastics(&self, card: &str) -> Vec<Plastic> {
        self.store.intake().await.unwrap().plastics(&issuer(), card_id(card)).await.unwrap()
    }

    pub async fn requests(&self, card: &str) -> Vec<(Request, bool)> {
        self.store.intake().await.unwrap().live_requests(&issuer(), card_id(card)).await.unwrap()
    }

    /// Does to the database what other rooms do to it.
    pub async fn execute(&self, statement: &'static str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.database()).foreign_keys(false);
        let mut connection = options.connect().await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
}

/// An order with an id of its own.
pub fn order(name: &str, fields: Value) -> Value {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut line = json!({"orderId": format!("o-{number}"), "op": name, "institutionId": "246001", "auditUser": "ops",
        "at": "2026-11-20T10:15:00Z"});
    line.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    line
}

pub fn customer(id: &str) -> Value {
    order(
        "createCustomer",
        json!({"customerId": id, "body": {"customerNumber": "C1", "locale": "fi_FI", "regNo": "1", "firstName": "Monica",
            "lastName": "Liikamaa",
            "address": {"address1": "Kings street 12", "address2": "B 5", "city": "Mariehamn", "zipCode": 22100, "country": "FIN"}}}),
    )
}

pub fn account(id: &str, customer: &str) -> Value {
    order("createAccount", json!({"accountId": id, "customerId": customer}))
}

pub fn new_card(id: &str, body: Value) -> Value {
    let fields = json!({"cardId": id, "customerId": "1001", "accountId": "2001", "cardRole": "MAIN", "body": body});
    order("createCard", fields)
}

/// A line with one of its fields replaced; null takes it away.
pub fn with(mut line: Value, field: &str, value: Value) -> Value {
    line[field] = value;
    line
}
