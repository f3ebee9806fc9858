//! An installation that leads up to a night: filled once, and each night works in a copy of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{TimeDelta, Utc};
use emboss::ambient::Random;
use emboss::trial;
use serde_json::Value;

use crate::configured::Settings;
use crate::grounds::Grounds;
use crate::options::{Options, Step};
use crate::{Outcome, another};

/// What was measured while it was filled; also says that it is whole.
const IMPORT: &str = "import.json";
/// A server's database, where it is kept, beside the installation.
const DUMP: &str = "dump";

/// A filled installation. It is not run in.
#[derive(Debug)]
pub(crate) struct Filled<'a> {
    grounds: &'a Grounds,
    options: &'a Options,
    folder: PathBuf,
    /// Its database, where that is a server's.
    database: String,
    /// The import's figures.
    pub(crate) import: Value,
}

impl<'a> Filled<'a> {
    /// Fills one, unless it was kept.
    pub(crate) fn of(options: &'a Options, grounds: &'a Grounds, cards: u64) -> Outcome<Self> {
        let database = format!("filled_{cards}_{}", options.institutions);
        let folder = grounds.folder.join(format!("{}_{database}", options.database.name()));
        if !folder.join(IMPORT).exists() {
            fill(options, grounds, cards, &folder, &database)?;
        } else if let Some(server) = &grounds.cluster {
            server.restore(&database, &folder.with_extension(DUMP))?;
        }
        grounds.cluster.iter().for_each(|server| server.tidy(&database));
        let import = serde_json::from_str(&fs::read_to_string(folder.join(IMPORT))?)?;
        Ok(Self { grounds, options, folder, database, import })
    }

    /// A copy to run in, with files in the format asked for.
    pub(crate) fn copy(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.grounds.folder.join(name);
        empty(&folder)?;
        run(Command::new("cp").arg("--archive").arg("--no-target-directory").arg(&self.folder).arg(&folder))?;
        let mut settings = Settings::read(&folder)?;
        settings.set_format(&self.options.format, self.options.version);
        settings.write(&folder)?;
        if let Some(cluster) = &self.grounds.cluster {
            cluster.create(name, Some(&self.database));
        }
        self.grounds.settle_in(&folder, name)?;
        empty(&Settings::read(&folder)?.delivered(&folder)?)?;
        fs::create_dir_all(Settings::read(&folder)?.delivered(&folder)?)?;
        Ok(folder)
    }
}

/// Lays a trial installation out and lets another process lead up to the night.
fn fill(options: &Options, grounds: &Grounds, cards: u64, folder: &Path, database: &str) -> Outcome<()> {
    empty(folder)?;
    trial::lay_out(folder, &Random::system(), Utc::now() - TimeDelta::days(3))?;
    let mut settings = Settings::read(folder)?;
    settings.set_institutions(options.institutions)?;
    settings.write(folder)?;
    if let Some(cluster) = &grounds.cluster {
        cluster.create(database, None);
    }
    grounds.settle_in(folder, database)?;
    let import = another(&options.of_step(Step::Fill, cards, folder))?;
    if let (Some(server), Some(_)) = (&grounds.cluster, &options.keep) {
        server.dump(database, &folder.with_extension(DUMP))?;
    }
    Ok(fs::write(folder.join(IMPORT), import.to_string())?)
}

fn empty(folder: &Path) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Runs a program that must succeed.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
