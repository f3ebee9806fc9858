//! An installation to run nights in, opened as the program opens it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use emboss::ambient::{Random, SystemClock};
use emboss::cli::open_night;
use emboss::config::Config;
use emboss::intake::{Catalogue, Importer, JweKeys};
use emboss::night::{Night, Observer};
use emboss::schedule;
use emboss::seal::{self, OpeningKey};
use emboss::trial::Installation;

use crate::Outcome;
use crate::configured::Settings;
use crate::mix::Mix;
use crate::orders::Orders;
use crate::stages::{Begun, Measured};

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

    /// What opens sealed files, as the house would.
    pub(crate) fn house(&self) -> Outcome<HouseKeys> {
        Ok(HouseKeys {
            key: OpeningKey::load(&fs::read(self.installation.house_key())?, None)?,
            signer: fs::read(self.installation.signer_certificate())?,
            delivered: Settings::read(&self.installation.folder)?.delivered(&self.installation.folder)?,
        })
    }
}

/// The house's key, our certificate, and where files arrive.
#[derive(Debug)]
pub(crate) struct HouseKeys {
    key: OpeningKey,
    signer: Vec<u8>,
    delivered: PathBuf,
}

/// What is inside of sealed files.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    pub(crate) sealed_bytes: u64,
    pub(crate) document_bytes: u64,
    /// Lines that begin a record.
    pub(crate) records: u64,
}

impl HouseKeys {
    /// Opens every file that arrived and checks its signature.
    pub(crate) fn open_all(&self) -> Outcome<Inside> {
        let mut inside = Inside::default();
        for entry in fs::read_dir(&self.delivered)? {
            let sealed = File::open(entry?.path())?;
            inside.sealed_bytes += sealed.metadata()?.len();
            let mut document = BufReader::new(seal::open(sealed, &self.key, &self.signer, Utc::now())?);
            let mut line = Vec::new();
            while document.read_until(b'\n', &mut line)? > 0 {
                inside.document_bytes += line.len() as u64;
                inside.records += u64::from(line.starts_with(b"<Card ") || line.starts_with(b"{\"recordNumber\""));
                line.clear();
            }
        }
        Ok(inside)
    }
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
