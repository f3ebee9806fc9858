//! An installation that lives through a history: one database, one house's folder, one clock that is set.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use emboss::ambient::{Clock, Random};
use emboss::card::InstitutionId;
use emboss::cli::open_night;
use emboss::config::Config;
use emboss::intake::{Catalogue, Importer, JweKeys};
use emboss::night::{Night, RunOrder, Silent};
use emboss::report::Report;
use emboss::schedule;
use emboss::vault::kbpk::Kbpk;
use emboss::vault::{Owner, Wrapped, tr31};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::products::Terms;
use crate::support::fixtures::{copy_keys, folder, make_folder};
use crate::support::postgres;

/// The issuer.
pub(crate) const ISSUER: &str = "246001";

/// A clock that stands where it was set.
#[derive(Debug)]
struct SetClock(Mutex<DateTime<Utc>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// The installation.
#[derive(Debug)]
pub(crate) struct Bank {
    folder: tempfile::TempDir,
    runtime: Runtime,
    clock: Arc<SetClock>,
    config: Arc<Config>,
    pub(crate) night: Night,
    orders: u32,
    seen: BTreeSet<String>,
    _server: Option<postgres::Database>,
}

impl Bank {
    /// Lays it out and opens it.
    pub(crate) fn open(terms: &Terms, server: Option<postgres::Database>, now: DateTime<Utc>) -> Self {
        let folder = tempfile::Builder::new().prefix("histories").tempdir().unwrap();
        copy_keys(&folder.path().join("keys"));
        make_folder(&folder.path().join("out"));
        let path = folder.path().join("emboss.toml");
        fs::write(&path, configuration(terms, server.as_ref())).unwrap();
        let mut config = Config::load(&path, None).unwrap_or_else(|error| panic!("{error}"));
        // A server has a clock of its own, and histories go on for years; no configuration may say so.
        config.run.clock_skew_max_s = u32::MAX;
        let config = Arc::new(config);
        let clock = Arc::new(SetClock(Mutex::new(now)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let random = Arc::new(Random::seeded(20_261_120));
        let opening = open_night(&config, true, Arc::clone(&clock) as Arc<dyn Clock>, random, Arc::new(Silent));
        let night = runtime.block_on(opening).unwrap_or_else(|error| panic!("{error:?}"));
        Self { folder, runtime, clock, config, night, orders: 0, seen: BTreeSet::new(), _server: server }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for what the night's parts do.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    pub(crate) fn issuer() -> InstitutionId {
        ISSUER.parse().unwrap()
    }

    fn set_clock(&self, at: DateTime<Utc>) {
        *self.clock.0.lock().unwrap() = at;
    }

    /// Imports one order at an instant; the answer.
    pub(crate) fn import(&mut self, at: DateTime<Utc>, mut order: Value) -> Value {
        self.set_clock(at);
        self.orders += 1;
        order["orderId"] = json!(format!("o-{}", self.orders));
        order["institutionId"] = json!(ISSUER);
        order["at"] = json!(at.to_rfc3339_opts(SecondsFormat::Micros, true));
        order["auditUser"] = json!("ops");
        let catalogue = Catalogue::new(self.config.institutions.clone(), self.config.products.clone());
        let (jwe, night) = (JweKeys::default(), &self.night);
        let importer = Importer::new(&*night.store, &night.vault, &catalogue, &jwe, &*night.clock, &night.random);
        let (line, mut answer) = (format!("{order}\n"), Vec::new());
        self.wait(importer.import(line.as_bytes(), &mut answer, &mut |_| {})).unwrap();
        serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{order}: {error}"))
    }

    /// Runs the night of a date.
    pub(crate) fn run(&self, date: NaiveDate, now: DateTime<Utc>) -> Report {
        self.set_clock(now);
        let order = RunOrder::night("run", date, schedule::cut_off(date), "a history");
        self.wait(self.night.run(&order)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs on demand.
    pub(crate) fn run_now(&self, now: DateTime<Utc>) -> Report {
        self.set_clock(now);
        let order = RunOrder::on_demand("run", now, "a history");
        self.wait(self.night.run(&order)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Takes the house's folder away, or brings it back.
    pub(crate) fn house_is_away(&self, away: bool) {
        let (from, to) = if away { ("out", "away") } else { ("away", "out") };
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Names and bytes of what the house found since it last looked, by name.
    pub(crate) fn arrived(&mut self) -> Vec<(String, Vec<u8>)> {
        let out = self.path("out");
        let names = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let new: BTreeSet<String> = names.filter(|name| !self.seen.contains(name)).collect();
        self.seen.extend(new.iter().cloned());
        new.into_iter().map(|name| (name.clone(), fs::read(out.join(&name)).unwrap())).collect()
    }

    /// Forgets that the house looked.
    pub(crate) fn look_again(&mut self) {
        self.seen.clear();
    }

    /// A card's number.
    pub(crate) fn pan(&self, card: u32) -> String {
        let id = card.to_string().parse().unwrap();
        let stored = self.wait(async {
            let mut work = self.night.store.intake().await.unwrap();
            work.card(&Self::issuer(), id).await.unwrap().unwrap()
        });
        let owner = Owner { institution: Self::issuer(), card_id: Some(id) };
        self.night.vault.open_pan(&owner, &Wrapped(stored.pan)).unwrap().expose().to_owned()
    }

    /// What the database holds is what the audit tells of it, to the head that the journal keeps.
    pub(crate) fn audit_is_sound(&self) {
        let kept = self.night.spool.heads().unwrap();
        let keys = self.night.vault.audit_keys();
        let verdict = self.wait(self.night.store.verify_audit(&keys, &kept)).unwrap();
        assert!(verdict.is_sound(), "{verdict:?}");
    }

    /// A key of the installation, in clear.
    pub(crate) fn key(&self, id: &str) -> Vec<u8> {
        let read = |name: &str| fs::read_to_string(self.path("keys").join(name)).unwrap().trim().to_owned();
        let kbpk = Kbpk::join(&[read("kbpk-1.hex"), read("kbpk-2.hex")], &[], None).unwrap();
        tr31::open(&read(&format!("{id}.tr31")), &kbpk).unwrap().key.to_vec()
    }

    /// The database's file, where it is one.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("emboss.db")
    }
}

/// A fixture's keys with this bank's terms.
fn configuration(terms: &Terms, server: Option<&postgres::Database>) -> String {
    let path: &Path = &folder().join("set-pin-instead-of-waiting/emboss.toml");
    let text = fs::read_to_string(path).unwrap();
    let (keys, _) = text.split_once("[[institution]]").unwrap();
    let keys = match server {
        Some(server) => {
            let (url, password) = (server.url(), server.password_file());
            keys.replace("\"sqlite:emboss.db\"", &format!("{url:?}\npassword_file = {password:?}"))
        }
        None => keys.to_owned(),
    };
    keys + &terms.configuration()
}
