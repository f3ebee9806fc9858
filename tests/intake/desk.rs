//! A database, a vault and a catalogue of its own for each test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::agreement::{Institution, Product};
use emboss::ambient::{FixedClock, Random};
use emboss::card::{CardId, InstitutionId, Pan, Plastic, PlasticStatus, ProductionEvent};
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
institution = "246001"
code = "VISA_EITHER"
scheme = "VISA"
form = "virtual"
pan_prefixes = ["40000066"]
months = 24
service_code = "201"
cvv2_key = "cvk2-1"
[[product]]
institution = "246001"
code = "VISA_LONG"
scheme = "VISA"
form = "physical"
pan_prefixes = ["40000044"]
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
        let store = store.with_audit_key(vault.audit_key());
        let jwe = JweKeys::default();
        Self { folder, store, vault, random, clock, catalogue: catalogue(CATALOGUE), jwe }
    }

    /// Gives it another configuration.
    pub fn configure(&mut self, catalogue: &str) {
        self.catalogue = self::catalogue(catalogue);
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

    /// One order that must be refused for a state and a rule, which its reason names, and change nothing.
    pub async fn refuse_for(&self, line: &Value, code: &str, kind: &str, named: &[&str]) {
        let before = self.dump().await;
        let (got, got_kind, reason) = self.refuse(line).await;
        assert_eq!((got.as_str(), got_kind.as_str()), (code, kind), "{line}: {reason}");
        for name in named {
            assert!(reason.contains(name), "{code} does not name {name}: {reason}");
        }
        assert_eq!(self.dump().await, before, "{line}: {code} changed something");
    }

    /// The same of the class that speaks of the state of things.
    pub async fn refuse_now(&self, line: &Value, code: &str, named: &[&str]) {
        self.refuse_for(line, code, "DYNAMIC_VALIDATION_ERROR", named).await;
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
    pub async fn execute(&self, statement: &str) {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&mut self.connect().await).await.unwrap();
    }

    /// What a night that ends does: the card's INACTIVE plastics move, and their requests are SENT.
    pub async fn produce(&self, card: &str, to: PlasticStatus) {
        self.execute(&format!("UPDATE plastic SET status = '{to}' WHERE card_id = {card} AND status = 'INACTIVE'"))
            .await;
        self.execute(&format!(
            "UPDATE production_request SET state = 'SENT', live = 0, file_id = 'f' WHERE card_id = {card} AND live = 1"
        ))
        .await;
    }

    /// A PIN on record.
    pub async fn has_pin(&self, card: &str) {
        self.execute(&format!(
            "INSERT INTO pin (institution, card_id, version, scheme, stored, made_at)
             VALUES ('246001', {card}, 1, 'x', x'00', 0)"
        ))
        .await;
    }

    /// Every row of every table.
    pub async fn dump(&self) -> Vec<String> {
        let mut connection = self.connect().await;
        let query = "SELECT t.name, group_concat('quote(\"' || c.name || '\")', ' || '' '' || ')
            FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' GROUP BY t.name";
        let tables: Vec<(String, String)> = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
        let mut rows = Vec::new();
        for (table, columns) in tables {
            let query = sqlx::AssertSqlSafe(format!("SELECT '{table} ' || {columns} FROM \"{table}\" ORDER BY 1"));
            rows.extend(sqlx::query_scalar::<_, String>(query).fetch_all(&mut connection).await.unwrap());
        }
        rows
    }

    async fn connect(&self) -> sqlx::SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.database()).foreign_keys(false);
        options.connect().await.unwrap()
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

/// An order for a card that says the rest in its envelope.
pub fn for_card(name: &str, card: &str) -> Value {
    order(name, json!({"cardId": card}))
}

/// An order for a card with a body.
pub fn for_card_with(name: &str, card: &str, body: Value) -> Value {
    order(name, json!({"cardId": card, "body": body}))
}

/// Takes the order of a card's plastic back.
pub fn cancel(card: &str, number: u8) -> Value {
    order("updatePlastic", json!({"cardId": card, "sequenceNumber": number, "body": {"action": "CANCEL"}}))
}

/// A change of a card's status.
pub fn status(card: &str, status: &str) -> Value {
    for_card_with("updateCard", card, json!({"status": status}))
}

/// Sequence number, event, status, and whether it is marked, of each plastic.
pub fn shape(plastics: &[Plastic]) -> Vec<(u8, ProductionEvent, PlasticStatus, bool)> {
    plastics.iter().map(|p| (p.sequence_number, p.event, p.status, p.marked_at.is_some())).collect()
}
