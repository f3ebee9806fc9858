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
use crate::{Outcome, another, loaded};

/// What was measured while it was filled; also says that it is whole.
const IMPORT: &str = "import.json";
/// The database of a trial installation.
const SQLITE: &str = "emboss.db";

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
        let folder = grounds.folder.join(&database);
        if !folder.join(IMPORT).exists() {
            fill(options, cards, &folder)?;
        }
        if let Some(server) = &grounds.cluster {
            loaded::load(server, &database, &folder.join(SQLITE))?;
        }
        let import = serde_json::from_str(&fs::read_to_string(folder.join(IMPORT))?)?;
        Ok(Self { grounds, options, folder, database, import })
    }

    /// A copy to run in, with files in the format asked for.
    pub(crate) fn copy(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.grounds.folder.join(name);
        empty(&folder)?;
        fs::create_dir(&folder)?;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Where a server has the database, the file is of no use.
            if self.grounds.cluster.is_none() || entry.file_name() != SQLITE {
                run(Command::new("cp").arg("--archive").arg(entry.path()).arg(&folder))?;
            }
        }
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
fn fill(options: &Options, cards: u64, folder: &Path) -> Outcome<()> {
    empty(folder)?;
    trial::lay_out(folder, &Random::system(), Utc::now() - TimeDelta::days(3))?;
    let mut settings = Settings::read(folder)?;
    settings.set_institutions(options.institutions)?;
    settings.write(folder)?;
    let import = another(&options.of_step(Step::Fill, cards, folder))?;
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
