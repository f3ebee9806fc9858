//! Opens the adapters a command works with, from the configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;

use super::output::Output;
use super::progress::Bar;
use super::{Arguments, Failure, Surroundings, logging};
use crate::agreement::Product;
use crate::ambient::{Clock, Random, SystemClock};
use crate::card::InstitutionId;
use crate::config::schedule::ExpressionError;
use crate::config::{Config, Finding, adapters};
use crate::night::{Configured, Night, NightSettings, Observer, Silent};
use crate::spool::Spool;
use crate::store::Store;
use crate::vault::Vault;

/// Where a command finds its configuration.
#[derive(Debug)]
pub(super) struct Home<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) surroundings: &'a Surroundings,
}

/// An opened installation.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) config: Arc<Config>,
    pub(super) night: Night,
    pub(super) holder: String,
}

impl Home<'_> {
    /// The configuration file: `--config`, `EMBOSS_CONFIG`, `./emboss.toml`.
    pub(super) fn config_path(&self) -> PathBuf {
        let named = self.arguments.config.clone().or_else(|| self.surroundings.config.clone());
        named.unwrap_or_else(|| PathBuf::from("emboss.toml"))
    }

    /// Reads and validates it.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let path = self.config_path();
        Config::load(&path, self.surroundings.credentials_directory.as_deref())
            .map_err(|error| Failure::configuration(super::errors::chain(&error)))
    }

    /// Opens the database alone, for who only reads.
    pub(super) async fn open_store(&self) -> Result<Arc<dyn Store>, Failure> {
        let config = self.config()?;
        logging::start(&config.log);
        let (clock, random) = (Arc::new(SystemClock), Arc::new(Random::system()));
        Ok(adapters::open_store(&config, false, clock, random, None).await?)
    }

    /// Opens everything a night needs; `create`: makes the database where there is none.
    pub(super) async fn open(&self, output: &Output, create: bool) -> Result<Opened, Failure> {
        let config = Arc::new(self.config()?);
        logging::start(&config.log);
        let observer: Arc<dyn Observer> =
            if self.surroundings.terminal && !output.is_json() { Arc::new(Bar::new()) } else { Arc::new(Silent) };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let night = open_night(&config, create, clock, Arc::new(Random::system()), observer).await?;
        Ok(Opened { config, night, holder: self.surroundings.holder.clone() })
    }
}

impl Opened {
    /// Refuses to start with a signing key that cannot sign: every agreement shares it.
    pub(super) fn require_signer(&self) -> Result<(), Failure> {
        match adapters::open_signer(&self.config, self.night.clock.now()) {
            Ok(_) => Ok(()),
            Err(findings) => Err(all(&findings)),
        }
    }
}

/// Every finding, as one failure.
fn all(findings: &[Finding]) -> Failure {
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Failure::configuration(findings.join("\n"))
}

/// Opens a night with a given clock and randomness: the command line, the demo and fixtures come through here.
///
/// # Errors
/// [`Failure`] with exit code 2 where configuration or shared keys are at fault, 3 where the database is.
pub async fn open_night(
    config: &Arc<Config>,
    create: bool,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    observer: Arc<dyn Observer>,
) -> Result<Night, Failure> {
    // Keys first: where they are at fault, no database is made either.
    let vault = open_vault(config, Arc::clone(&random))?;
    let audit_key = Some(vault.audit_key());
    let store = adapters::open_store(config, create, Arc::clone(&clock), Arc::clone(&random), audit_key).await?;
    let spool = open_spool(config, &store, &random).await?;
    let terms = config.agreements.iter().filter_map(|agreement| adapters::terms(config, agreement)).collect();
    let nights = config.schedule.cron.parse();
    Ok(Night {
        store,
        vault: Arc::new(vault),
        spool: Arc::new(spool),
        outbound: Arc::new(Configured { config: Arc::clone(config) }),
        terms,
        institutions: config.institutions.clone(),
        products: products(config),
        manufacturers: config.manufacturers.clone(),
        nights: nights.map_err(|error: ExpressionError| Failure::configuration(error.to_string()))?,
        settings: NightSettings {
            environment: config.environment,
            clock_skew_max: TimeDelta::seconds(i64::from(config.run.clock_skew_max_s)),
            closing_soon_days: i64::from(config.warnings.closing_soon_days),
            spool_retention_days: config.run.spool_retention_days,
            agreements_at_once: config.run.agreements_at_once as usize,
            uploads_at_once: config.run.uploads_at_once as usize,
            pin_wait_days: config.warnings.pin_wait_days.iter().copied().map(i64::from).collect(),
        },
        clock,
        random,
        observer,
        stop: Arc::new(AtomicBool::new(false)),
    })
}

/// Every product, by institution and code.
pub(super) fn products(config: &Config) -> BTreeMap<InstitutionId, BTreeMap<String, Product>> {
    let mut products: BTreeMap<InstitutionId, BTreeMap<String, Product>> = BTreeMap::new();
    for product in &config.products {
        products.entry(product.institution.clone()).or_default().insert(product.code.clone(), product.clone());
    }
    products
}

/// Opens the vault alone.
pub(super) fn open_vault(config: &Config, random: Arc<Random>) -> Result<Vault, Failure> {
    adapters::open_vault(config, random).map_err(|findings| all(&findings))
}

/// Which marker the spool has, and which one it is about to get.
const SPOOL: &str = "spool";
const SPOOL_INTENDED: &str = "spool intended";

/// The spool is married to its database by a marker: another folder is refused, an empty one too.
async fn open_spool(config: &Config, store: &Arc<dyn Store>, random: &Random) -> Result<Spool, Failure> {
    let folder = Path::new(&config.run.spool);
    match store.marker(SPOOL).await? {
        // Nothing is written: who only looks needs no turn at a database that a claim is writing to.
        Some(marker) => known_spool(folder, &marker),
        None => {
            let marker = intended_marker(store, random).await?;
            let spool = marked_spool(folder, &marker)?;
            // Only behind the folder's own: a marker in the database promises that the folder has one.
            store.set_marker(SPOOL, &marker).await?;
            Ok(spool)
        }
    }
}

/// The spool as a run would find it; `None` where the first one makes it. Nothing is made.
pub(super) async fn look_at_spool(config: &Config, store: &dyn Store) -> Result<Option<Spool>, Failure> {
    let folder = Path::new(&config.run.spool);
    match store.marker(SPOOL).await? {
        Some(marker) => known_spool(folder, &marker).map(Some),
        None if is_empty(folder) => Ok(None),
        None => {
            let intended = store.marker(SPOOL_INTENDED).await?;
            marked_spool(folder, intended.as_deref().unwrap_or("still to be made")).map(Some)
        }
    }
}

/// The spool of a database that had one before.
fn known_spool(folder: &Path, marker: &str) -> Result<Spool, Failure> {
    if is_empty(folder) {
        return Err(Failure::configuration(format!(
            "the spool folder {} is not the one this database knows: it is empty or missing. Correct run.spool, or put the folder back",
            folder.display()
        )));
    }
    marked_spool(folder, marker)
}

fn marked_spool(folder: &Path, marker: &str) -> Result<Spool, Failure> {
    Spool::open(folder, marker).map_err(|error| Failure::configuration(super::errors::chain(&error)))
}

/// The marker a new spool gets, written down before the folder has it: a crash in between makes it no stranger.
async fn intended_marker(store: &Arc<dyn Store>, random: &Random) -> Result<String, Failure> {
    if let Some(marker) = store.marker(SPOOL_INTENDED).await? {
        return Ok(marker);
    }
    let marker = random.uuid().to_string();
    let written = store.set_marker(SPOOL_INTENDED, &marker).await;
    // Another first start may have been quicker: what stands there counts.
    match store.marker(SPOOL_INTENDED).await? {
        Some(marker) => Ok(marker),
        None => written.map(|()| marker).map_err(Failure::from),
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
