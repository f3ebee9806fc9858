//! A whole installation in a temporary folder: orders in, nights run, and what came out read back as a house would.
//!
//! Time is always an argument; randomness is seeded once per site, so that no two runs make the same id.
#![allow(dead_code, reason = "every test file uses another part of this")]
#![allow(unreachable_pub, reason = "shared between test files")]

#[path = "site_database.rs"]
mod database;
#[path = "site_orders.rs"]
mod orders;

use std::fs;
use std::io::{BufReader, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, NaiveDate, Utc};
use emboss::ambient::{Clock, FixedClock, Random};
use emboss::cli::open_night;
use emboss::config::Config;
use emboss::document::{self, Header, Record, Trailer};
use emboss::intake::{Catalogue, Importer, JweKeys};
use emboss::night::{Night, NightError, RunOrder, Silent};
use emboss::plan::Plan;
use emboss::report::{AgreementReport, FileReport, Report};
use emboss::schedule;
use emboss::seal::{self, OpeningKey, Verdict, generate_key};
use emboss::trial::{Installation, lay_out};
use emboss::vault::kbpk::Kbpk;
use emboss::vault::tr31;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use orders::{card, for_card, person, update_card, update_plastic, with};

/// The issuer of the laid-out configuration.
pub const ISSUER: &str = "246001";
/// The night most tests run; its orders come the day before.
pub const DATE: &str = "2026-11-21";
/// The night after it.
pub const NEXT: &str = "2026-11-22";
/// When most orders come.
pub const ORDERED: &str = "2026-11-20T10:00:00Z";

/// An instant.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// A date.
pub fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A delivered file, opened with the house's key.
#[derive(Debug)]
pub struct Delivered {
    pub name: String,
    pub sealed: Vec<u8>,
    pub header: Header,
    pub records: Vec<Record>,
    pub trailer: Trailer,
}

impl Delivered {
    /// The card ids of its records, in file order.
    pub fn cards(&self) -> Vec<i64> {
        self.records.iter().map(|record| record.card_id.get()).collect()
    }
}

/// The installation.
#[derive(Debug)]
pub struct Site {
    folder: tempfile::TempDir,
    installation: Installation,
    random: Arc<Random>,
    orders: AtomicU64,
    house_keys: Vec<Vec<u8>>,
}

impl Site {
    /// Lays one out.
    pub fn new() -> Self {
        Self::made_at("2026-01-01T00:00:00Z")
    }

    /// Lays one out whose keys were made at an instant.
    pub fn made_at(made_at: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("night").tempdir().expect("a temporary folder");
        let random = Arc::new(Random::seeded(20_261_121));
        let installation = lay_out(&folder.path().join("emboss"), &random, at(made_at)).expect("laid out");
        let house_keys = vec![fs::read(installation.house_key()).expect("read")];
        Self { folder, installation, random, orders: AtomicU64::new(0), house_keys }
    }

    /// One with a customer, an account and the cards, all ordered the day before the first night.
    pub async fn with_cards(cards: &[u32]) -> Self {
        let site = Self::new();
        let mut orders = person(1001);
        orders.extend(cards.iter().map(|number| card(*number, 1001)));
        site.take(ORDERED, &orders).await;
        site
    }

    /// A file or folder of the installation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.installation.folder.join(name)
    }

    /// The configuration's text.
    pub fn config_text(&self) -> String {
        fs::read_to_string(self.installation.config()).expect("read")
    }

    /// Changes the configuration's text.
    pub fn edit(&self, from: &str, to: &str) {
        let text = self.config_text();
        assert!(text.contains(from), "the configuration has no {from}");
        fs::write(self.installation.config(), text.replacen(from, to, 1)).expect("written");
    }

    /// Works on one agreement after another, so that a step of the first comes before every step of the second.
    pub fn one_at_a_time(&self) {
        self.edit("spool = \"spool\"", "spool = \"spool\"\nagreements_at_once = 1");
    }

    /// A zone PIN key of the installation, in clear.
    pub fn zone_key(&self, id: &str) -> Vec<u8> {
        let read = |name: &str| fs::read_to_string(self.path("keys").join(name)).expect("read").trim().to_owned();
        let kbpk = Kbpk::join(&[read("kbpk-1.hex"), read("kbpk-2.hex")], &[], None).expect("joined");
        tr31::open(&read(&format!("{id}.tr31")), &kbpk).expect("opened").key.to_vec()
    }

    /// Adds to the configuration.
    pub fn add(&self, sections: &str) {
        fs::write(self.installation.config(), format!("{}\n{sections}", self.config_text())).expect("written");
    }

    /// Writes a key file, readable by us only.
    pub fn write_key(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
    }

    /// Another issuer with a product VISA_CARD of its own number range, whose default house is FACTORY_X.
    pub fn add_institution(&self, id: &str, prefix: &str) {
        self.add(&format!(
            "[[institution]]\nid = \"{id}\"\ndefault_product = \"VISA_CARD\"\ndefault_manufacturer = \"FACTORY_X\"\n\
             [[product]]\ninstitution = \"{id}\"\ncode = \"VISA_CARD\"\nscheme = \"VISA\"\nform = \"physical\"\n\
             pan_prefixes = [\"{prefix}\"]\nmonths = 36\nservice_code = \"201\"\ncvv_key = \"cvk-1\"\n\
             cvv2_key = \"cvk2-1\"\nstripe = {{ track1 = \"{{pvki}}{{pvv}}{{cvv}}\", track2 = \"{{pvki}}{{pvv}}{{cvv}}\" }}\n\
             pin = {{ pvv_key = \"pvk-1\", pvki = \"1\" }}\n"
        ));
    }

    /// Another house with a key and an inbox folder of its own, `out-CODE`.
    pub fn add_house(&mut self, code: &str) {
        let key = generate_key(&format!("{code} <incoming@house.example>"), at("2026-01-01T00:00:00Z")).expect("a key");
        self.write_key(&format!("keys/{code}.asc"), &key.certificate);
        self.house_keys.push(key.secret_key.to_vec());
        fs::create_dir(self.path(&format!("out-{code}"))).expect("a folder");
        self.add(&format!(
            "[[manufacturer]]\ncode = \"{code}\"\npin_keys = [\"zpk-x-1\"]\ndestination = \"to-{code}\"\n\
             recipients = [{{ certificate_file = \"keys/{code}.asc\", fingerprint = \"{}\" }}]\n\
             [[destination]]\nname = \"to-{code}\"\nkind = \"directory\"\nenvironment = \"test\"\n\
             directory = \"out-{code}\"\n",
            key.fingerprint
        ));
    }

    /// An agreement between the two.
    pub fn add_agreement(&self, institution: &str, code: &str) {
        self.add(&format!(
            "[[agreement]]\ninstitution = \"{institution}\"\nmanufacturer = \"{code}\"\nformat = \"xml\"\nversion = 2\n"
        ));
    }

    /// Opens a night whose clock stands still at `now`.
    pub async fn open(&self, now: &str) -> Night {
        let config = Config::load(&self.installation.config(), None).expect("a good configuration");
        let clock: Arc<dyn Clock> = Arc::new(FixedClock(at(now)));
        open_night(&Arc::new(config), true, clock, Arc::clone(&self.random), Arc::new(Silent)).await.expect("it opens")
    }

    /// Opens the night of a date four seconds past its cut-off.
    pub async fn open_for(&self, date: &str) -> Night {
        self.open(&format!("{date}T03:00:04Z")).await
    }

    /// Imports at `now`; what an order leaves out is filled in. One answer each.
    pub async fn import(&self, now: &str, orders: &[Value]) -> Vec<Value> {
        let night = self.open(now).await;
        self.import_into(&night, now, orders).await
    }

    /// Imports into an open night.
    pub async fn import_into(&self, night: &Night, now: &str, orders: &[Value]) -> Vec<Value> {
        let config = Config::load(&self.installation.config(), None).expect("a good configuration");
        let catalogue = Catalogue::new(config.institutions.clone(), config.products.clone());
        let jwe = JweKeys::default();
        let clock = FixedClock(at(now));
        let importer = Importer::new(&*night.store, &night.vault, &catalogue, &jwe, &clock, &self.random);
        let mut lines = String::new();
        for order in orders {
            let number = self.orders.fetch_add(1, Ordering::Relaxed);
            let envelope =
                json!({"orderId": format!("o-{number}"), "institutionId": ISSUER, "at": now, "auditUser": "ops"});
            lines.push_str(&with(envelope, order.clone()).to_string());
            lines.push('\n');
        }
        let mut answers = Vec::new();
        importer.import(Cursor::new(lines), &mut answers, &mut |_| {}).await.expect("imported");
        let answers = String::from_utf8(answers).expect("text");
        answers.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect()
    }

    /// Imports orders none of which may be refused.
    pub async fn take(&self, now: &str, orders: &[Value]) {
        for answer in self.import(now, orders).await {
            assert!(answer["errorCode"].is_null(), "{answer}");
        }
    }

    /// Reorders the PIN of a card.
    pub async fn reorder_pin(&self, card: u32, now: &str) {
        self.take(now, &[for_card("reorderPin", card)]).await;
    }

    /// Runs the night of a date.
    pub async fn run(&self, date: &str) -> Report {
        self.open_for(date).await.run(&night_of(date)).await.expect("the run ends")
    }

    /// Runs the night of a date, which must fail as a whole.
    pub async fn run_fails(&self, night: &Night, date: &str) -> NightError {
        night.run(&night_of(date)).await.expect_err("the run fails")
    }

    /// An on-demand run of some cards, of all where there are none.
    pub async fn run_now(&self, now: &str, cards: &[u32]) -> Report {
        self.open(now).await.run(&on_demand(now, cards)).await.expect("the run ends")
    }

    /// The plan of a date.
    pub async fn plan(&self, date: &str) -> Plan {
        self.open_for(date).await.plan(&night_of(date)).await.expect("planned")
    }

    /// Names in the house's folder, sorted.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("listed");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Every file in the folder of FACTORY_X, opened, in order of its name.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.delivered_in("out")
    }

    /// Every file in a folder, opened, in order of its name.
    pub fn delivered_in(&self, folder: &str) -> Vec<Delivered> {
        let names = self.names_in(folder);
        names.iter().map(|name| self.open_file(&self.path(folder).join(name))).collect()
    }

    /// Opens a sealed file as its house would: signature, model, totals and digest must be sound.
    pub fn open_file(&self, path: &Path) -> Delivered {
        let sealed = fs::read(path).expect("read");
        let signer = fs::read(self.installation.signer_certificate()).expect("read");
        let keys = self.house_keys.iter().map(|key| OpeningKey::load(key, None).expect("a key"));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let format = if name.contains(".json") { "json" } else { "xml" };
        for key in keys {
            let Ok(opened) = seal::open(&*sealed, &key, &signer, at("2026-12-31T00:00:00Z")) else { continue };
            let mut records = Vec::new();
            let mut reader = BufReader::new(opened);
            let mut keep = |_: &Header, record: Record| records.push(record);
            let (header, trailer, findings) =
                document::read(&mut reader, format.parse().expect("a format"), &mut keep).expect("readable");
            assert!(findings.is_empty(), "{name}: {findings:?}");
            assert!(matches!(reader.into_inner().verdict(), Verdict::Good { .. }), "{name}: not signed by us");
            return Delivered { name, sealed, header, records, trailer };
        }
        panic!("{name} is encrypted to none of the houses");
    }
}

/// The order for the night of a date.
pub fn night_of(day: &str) -> RunOrder {
    RunOrder::night("run", date(day), schedule::cut_off(date(day)), "host-1 process 7")
}

/// The order for an on-demand run.
pub fn on_demand(now: &str, cards: &[u32]) -> RunOrder {
    let cards = cards.iter().map(|card| card.to_string().parse().expect("a card id")).collect();
    RunOrder { cards, ..RunOrder::on_demand("run", at(now), "host-1 process 7") }
}

/// The only agreement of a report.
pub fn only(report: &Report) -> &AgreementReport {
    assert_eq!(report.agreements.len(), 1, "{report}");
    &report.agreements[0]
}

/// The agreement of a report.
pub fn of<'a>(report: &'a Report, institution: &str, manufacturer: &str) -> &'a AgreementReport {
    let found = report.agreements.iter().find(|agreement| {
        agreement.institution.as_str() == institution && agreement.manufacturer.as_str() == manufacturer
    });
    found.unwrap_or_else(|| panic!("{institution} with {manufacturer} is not in the report:\n{report}"))
}

/// The only file of a report with one agreement.
pub fn only_file(report: &Report) -> &FileReport {
    let files = &only(report).files;
    assert_eq!(files.len(), 1, "{report}");
    &files[0]
}

/// `(sequence number, status)` as [`Site::plastics`] gives them.
pub fn row(sequence_number: i64, status: &str) -> (i64, String) {
    (sequence_number, status.to_owned())
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
