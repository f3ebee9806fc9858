//! A trial installation to run nights in: keys made on the spot, a folder as destination, the database where asked.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use emboss::ambient::{Random, SystemClock};
use emboss::cli::open_night;
use emboss::config::Config;
use emboss::intake::{Catalogue, Importer, JweKeys};
use emboss::night::{Night, Observer};
use emboss::report::Report;
use emboss::seal::{self, OpeningKey};
use emboss::trial::{self, Installation};
use emboss::{report, schedule};

use crate::Outcome;
use crate::mix::Mix;
use crate::options::Options;
use crate::orders::Orders;
use crate::stages::{Begun, Measured};

/// The issuer of the trial configuration.
pub(crate) const INSTITUTION: &str = "246001";
/// Where its card numbers begin.
pub(crate) const PAN_PREFIX: &str = "40000012";

/// Lays a trial installation out in `folder` and configures it as asked.
pub(crate) fn lay_out(options: &Options, folder: &Path) -> Outcome<()> {
    let installation = trial::lay_out(folder, &Random::system(), Utc::now() - TimeDelta::days(3))?;
    let path = installation.config();
    let mut text = fs::read_to_string(&path)?;
    text = changed(&text, "format = \"xml\"", &format!("format = \"{}\"", options.format))?;
    text = changed(&text, "\nversion = 2", &format!("\nversion = {}", options.version))?;
    if let Some(database) = &options.database {
        let database = std::path::absolute(database)?;
        if database.exists() {
            return Err(format!("{} exists; name a database that does not", database.display()).into());
        }
        text = changed(&text, "sqlite:emboss.db", &format!("sqlite:{}", database.display()))?;
    }
    Ok(fs::write(&path, text)?)
}

/// An installation that is laid out.
#[derive(Debug)]
pub(crate) struct Bench {
    installation: Installation,
    config: Arc<Config>,
    /// The date of the timed night.
    pub(crate) date: NaiveDate,
    /// The date of the night before, which is not timed.
    pub(crate) earlier: NaiveDate,
}

impl Bench {
    /// The installation in `folder`.
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        let installation = Installation { folder: folder.to_owned() };
        let config = Arc::new(Config::load(&installation.config(), None)?);
        let date = schedule::due_date(Utc::now());
        let earlier = date.pred_opt().ok_or("no day before")?;
        Ok(Self { installation, config, date, earlier })
    }

    /// Opens it as the program does, with the system's clock and randomness.
    pub(crate) async fn night(&self, observer: Arc<dyn Observer>) -> Outcome<Night> {
        let random = Arc::new(Random::system());
        let opened = open_night(&self.config, true, Arc::new(SystemClock), random, observer).await;
        opened.map_err(|failure| failure.text.into())
    }

    /// When what the earlier night produces was marked.
    fn marked_early(&self) -> DateTime<Utc> {
        schedule::cut_off(self.earlier) - TimeDelta::hours(6)
    }

    /// When what the timed night produces was marked.
    pub(crate) fn marked_late(&self) -> DateTime<Utc> {
        schedule::cut_off(self.date) - TimeDelta::hours(6)
    }

    /// Imports customer, account and card of everybody.
    pub(crate) async fn import(&self, night: &Night, mix: &Mix) -> Outcome<Measured> {
        let catalogue = Catalogue::new(self.config.institutions.clone(), self.config.products.clone());
        let jwe = JweKeys::default();
        let importer = Importer::new(&*night.store, &night.vault, &catalogue, &jwe, &*night.clock, &night.random);
        let mut orders = Orders::new(*mix, self.marked_early(), self.marked_late());
        let mut answers = FirstRefusal::default();
        let begun = Begun::now();
        let summary = importer.import(&mut orders, &mut answers, &mut |_| {}).await?;
        let measured = begun.measured();
        if summary.taken != 3 * mix.cards {
            return Err(format!("{} orders were refused: {}", summary.refused, answers.0.unwrap_or_default()).into());
        }
        Ok(Measured { bytes: Some(orders.bytes), ..measured })
    }

    /// Opens the night's files as the house would, and counts what is inside.
    pub(crate) fn document_bytes(&self, report: &Report) -> Outcome<u64> {
        let key = OpeningKey::load(&fs::read(self.installation.house_key())?, None)?;
        let signer = fs::read(self.installation.signer_certificate())?;
        let mut bytes = 0;
        for name in names(report) {
            let sealed = File::open(self.installation.delivered().join(name))?;
            let mut document = seal::open(sealed, &key, &signer, Utc::now())?;
            bytes += io::copy(&mut document, &mut io::sink())?;
        }
        Ok(bytes)
    }
}

/// Names of a report's files.
fn names(report: &Report) -> impl Iterator<Item = &str> {
    files(report).filter_map(|file| file.file_name.as_deref())
}

/// A report's files.
pub(crate) fn files(report: &Report) -> impl Iterator<Item = &report::FileReport> {
    report.agreements.iter().flat_map(|agreement| &agreement.files)
}

/// A change of the template that must find what it changes.
fn changed(text: &str, from: &str, to: &str) -> Outcome<String> {
    if text.contains(from) {
        return Ok(text.replacen(from, to, 1));
    }
    Err(format!("the trial configuration no longer says {from:?}").into())
}

/// Takes answers and keeps the first refusal, to be shown where there should be none.
#[derive(Debug, Default)]
struct FirstRefusal(Option<String>);

impl io::Write for FirstRefusal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.is_none() {
            let text = String::from_utf8_lossy(bytes);
            self.0 = text.lines().find(|line| line.contains("\"errorCode\"")).map(str::to_owned);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
