//! Plays one variant of a scenario through the library, in a folder of its own, with a fixed clock and a seed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use emboss::agreement::FileFormat;
use emboss::ambient::{Clock, Random};
use emboss::cli::open_night;
use emboss::config::{Config, adapters};
use emboss::intake::{Catalogue, Importer, JweKeys};
use emboss::night::{Night, RunOrder, Silent};
use emboss::schedule;
use emboss::seal::{self, OpeningKey, Verdict};
use serde_json::{Value, json};

use super::scenario::{Kind, Scenario, Step, fixtures};
use super::support::fixtures::{copy_keys, make_folder};

/// Format and version set into every agreement; `None` = as configured.
pub type Variant = Option<(FileFormat, u8)>;

/// A clock that stands where the step says.
#[derive(Debug)]
struct StepClock(Mutex<DateTime<Utc>>);

impl Clock for StepClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("the clock")
    }
}

/// What one step left behind.
#[derive(Debug, Default)]
pub struct Played {
    /// Answer lines of an import.
    pub answers: String,
    pub plan: Option<Value>,
    pub report: Option<Value>,
    /// Sealed bytes and document of each file that was delivered in this step, by name.
    pub files: BTreeMap<String, Delivered>,
    /// Every plastic.
    pub plastics: Vec<Value>,
    /// Every card that has one: `STATUS pinStatus replacedBy` by `institution:cardId`.
    pub cards: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Delivered {
    pub sealed: Vec<u8>,
    pub document: String,
    /// Fingerprint the library found the signature good for.
    pub signer: String,
    /// File name of the house's secret key.
    pub house_key: String,
}

/// An installation in a temporary folder.
#[derive(Debug)]
pub struct Stage {
    folder: tempfile::TempDir,
    scenario_folder: PathBuf,
    config: Arc<Config>,
    night: Night,
    clock: Arc<StepClock>,
    seen: Vec<String>,
}

impl Stage {
    /// Lays the scenario out and opens it.
    pub async fn open(name: &str, scenario: &Scenario, variant: Variant) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let scenario_folder = fixtures().join(name);
        copy_keys(&folder.path().join("keys"));
        make_folder(&folder.path().join("out"));
        let text = fs::read_to_string(scenario_folder.join("emboss.toml")).expect("emboss.toml");
        let path = folder.path().join("emboss.toml");
        fs::write(&path, varied(&text, variant)).expect("emboss.toml");
        let config = Config::load(&path, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        let config = Arc::new(config);
        let clock = Arc::new(StepClock(Mutex::new(scenario.step[0].now)));
        let random = Arc::new(Random::seeded(scenario.seed));
        let night = open_night(&config, true, Arc::clone(&clock) as Arc<dyn Clock>, random, Arc::new(Silent))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        Self { folder, scenario_folder, config, night, clock, seen: Vec::new() }
    }

    /// Where it plays.
    #[allow(dead_code, reason = "the canary test looks into it, the golden tests do not")]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Plays one step.
    pub async fn play(&mut self, step: &Step) -> Played {
        *self.clock.0.lock().expect("the clock") = step.now;
        if step.house_away {
            self.move_house("out", "away");
        }
        let mut played = Played::default();
        if step.kind == Kind::Import {
            played.answers = self.import(step).await;
        } else {
            let order = order(step);
            played.plan = Some(self.night.plan(&order).await.expect("a plan").to_json());
            if step.kind != Kind::Plan {
                let before = self.plastics().await;
                let again = self.night.plan(&order).await.expect("a plan").to_json();
                assert_eq!(played.plan.as_ref(), Some(&again), "a plan changes nothing (R139)");
                assert_eq!(before, self.plastics().await, "a plan changes nothing (R139)");
                played.report = Some(self.night.run(&order).await.expect("a run").to_json());
            }
        }
        if step.house_away {
            self.move_house("away", "out");
        }
        played.files = self.delivered(step.now);
        played.plastics = self.plastics().await;
        played.cards = self.cards().await;
        played
    }

    fn move_house(&self, from: &str, to: &str) {
        fs::rename(self.folder.path().join(from), self.folder.path().join(to)).expect("the house's folder");
    }

    async fn import(&self, step: &Step) -> String {
        let orders = fs::read(self.scenario_folder.join(step.orders.as_deref().expect("orders"))).expect("orders");
        let catalogue = Catalogue::new(self.config.institutions.clone(), self.config.products.clone());
        let mut jwe = JweKeys::default();
        for pair in adapters::read_jwe(&self.config).expect("JWE keys") {
            jwe.add(&pair.certificate, &pair.private_key).expect("a JWE key");
        }
        let night = &self.night;
        let importer = Importer::new(&*night.store, &night.vault, &catalogue, &jwe, &*night.clock, &night.random);
        let mut answers = Vec::new();
        importer.import(orders.as_slice(), &mut answers, &mut |_| {}).await.expect("an import");
        String::from_utf8(answers).expect("UTF-8")
    }

    async fn plastics(&self) -> Vec<Value> {
        let rows = self.night.store.plastics(None, u32::MAX).await.expect("plastics");
        rows.iter()
            .map(|row| {
                let mut value = json!({ "institution": row.institution });
                let plastic = serde_json::to_value(&row.plastic).expect("JSON");
                value.as_object_mut().expect("an object").extend(plastic.as_object().expect("an object").clone());
                value
            })
            .collect()
    }

    async fn cards(&self) -> BTreeMap<String, String> {
        let rows = self.night.store.plastics(None, u32::MAX).await.expect("plastics");
        let mut work = self.night.store.intake().await.expect("the intake");
        let mut found = BTreeMap::new();
        for row in rows {
            let (institution, id) = (row.institution, row.plastic.card_id);
            let card = work.card(&institution, id).await.expect("an answer").expect("the card of a plastic").card;
            let replaced_by = card.replaced_by.map_or_else(|| "-".to_owned(), |new| new.to_string());
            found.insert(format!("{institution}:{id}"), format!("{} {} {replaced_by}", card.status, card.pin_status));
        }
        found
    }

    /// Opens what stands in the house's folder and was not there before.
    fn delivered(&mut self, at: DateTime<Utc>) -> BTreeMap<String, Delivered> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path().join("out"))
            .expect("out")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .filter(|name| !self.seen.contains(name))
            .collect();
        names.sort();
        self.seen.extend(names.iter().cloned());
        names.into_iter().map(|name| (name.clone(), self.opened(&name, at))).collect()
    }

    fn opened(&self, name: &str, at: DateTime<Utc>) -> Delivered {
        let keys = self.folder.path().join("keys");
        let sealed = fs::read(self.folder.path().join("out").join(name)).expect("a file");
        let house_key = self.house_key(name);
        let key = OpeningKey::load(&fs::read(keys.join(&house_key)).expect("a key"), None).expect("a key");
        let signer = fs::read(keys.join("signer.asc")).expect("a certificate");
        let mut opened = seal::open(sealed.as_slice(), &key, &signer, at).expect("the house opens it");
        let mut document = String::new();
        opened.read_to_string(&mut document).expect("whole and UTF-8");
        let Verdict::Good { signer, .. } = opened.verdict() else { panic!("{name}: not well signed") };
        Delivered { sealed, document, signer, house_key }
    }

    /// The secret key beside the certificate of the house that the file is for.
    fn house_key(&self, name: &str) -> String {
        let house = self
            .config
            .manufacturers
            .iter()
            .find(|house| name.contains(&format!("_{}_2", house.code)))
            .unwrap_or_else(|| panic!("{name} is for no house"));
        let certificate = Path::new(&house.recipients[0].certificate_file);
        let stem = certificate.file_stem().expect("a name").to_str().expect("UTF-8");
        format!("{stem}.key")
    }
}

fn order(step: &Step) -> RunOrder {
    let order = match (step.kind, step.date) {
        (Kind::RunNow, _) => RunOrder::on_demand("run", step.now, "a fixture"),
        (_, Some(date)) => RunOrder::night("run", date, schedule::cut_off(date), "a fixture"),
        (_, None) => panic!("a night needs its date"),
    };
    RunOrder { institutions: step.institutions.clone(), cards: step.cards.clone(), ..order }
}

/// The configuration with format and version of every agreement set.
fn varied(text: &str, variant: Variant) -> String {
    let Some((format, version)) = variant else { return text.to_owned() };
    let line = |line: &str| match line.split_once(" = ") {
        Some(("format", _)) => format!("format = \"{format}\"\n"),
        Some(("version", _)) => format!("version = {version}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
