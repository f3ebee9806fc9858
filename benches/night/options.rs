//! What is asked of the benchmark.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::Outcome;

/// Times a night, stage by stage.
#[derive(Debug, Parser)]
#[command(name = "night")]
pub(crate) struct Options {
    /// Plastics of the night; several numbers, separated by commas, run one after the other. Else COUNT, else 100000.
    #[arg(long, value_delimiter = ',', value_name = "N")]
    cards: Vec<u64>,
    /// Institutions that share the plastics; each has its own agreement, and so its own file.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) institutions: u64,
    /// The file's format: xml or json.
    #[arg(long, default_value = "xml", value_parser = ["xml", "json"])]
    pub(crate) format: String,
    /// The file's version: 1 or 2.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: u8,
    /// The database. PostgreSQL is a cluster of our own, made with initdb and with its durability left on.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    pub(crate) database: Database,
    /// Where the files go. The server is an OpenSSH of our own on 127.0.0.1.
    #[arg(long, value_enum, default_value_t = Destination::Directory)]
    pub(crate) destination: Destination,
    /// Round trip to the server, in milliseconds; 0 goes without anything in between.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub(crate) latency_ms: u64,
    /// Nights per number of plastics, each from the same filled database; the median one is shown.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=99))]
    pub(crate) rounds: u64,
    /// Beside every night the same plastics through psql, gpg and sftp; needs PostgreSQL and the server.
    #[arg(long)]
    pub(crate) versus_pipeline: bool,
    /// Instead of nights: a sealed file of so many megabytes delivered by us and by OpenSSH's sftp; needs the server.
    #[arg(long, value_name = "MB")]
    pub(crate) versus_sftp: Option<u64>,
    /// A folder for databases and files, on the disk to be measured. Filled databases stay there and are used again.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// After every night what each statement cost the PostgreSQL server a record, by pg_stat_statements.
    #[arg(long)]
    pub(crate) statements: bool,
    /// Only the JSON object, no table. It is the last line either way.
    #[arg(long)]
    pub(crate) json: bool,
    /// What this program asks of a process of its own.
    #[arg(long, hide = true, value_enum, requires = "folder")]
    pub(crate) step: Option<Step>,
    /// The installation that step works in.
    #[arg(long, hide = true, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Which destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Destination {
    Directory,
    Sshd,
}

/// What a process of its own does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Leads up to a night: imports, runs the earlier night, marks.
    Fill,
    /// Runs the timed night.
    Night,
}

impl Database {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Destination {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Sshd => "sshd",
        }
    }
}

impl Options {
    /// Refuses what does not go together.
    pub(crate) fn validate(&self) -> Outcome<()> {
        let with_server = self.latency_ms > 0 || self.versus_pipeline || self.versus_sftp.is_some();
        if with_server && self.destination != Destination::Sshd {
            return Err("--latency-ms and both --versus need --destination sshd".into());
        }
        if self.versus_pipeline && (self.database != Database::Postgres || self.format != "xml") {
            return Err("--versus-pipeline needs --database postgres and XML".into());
        }
        Ok(())
    }

    /// The numbers of cards, in the order asked for.
    pub(crate) fn cards(&self) -> Vec<u64> {
        if !self.cards.is_empty() {
            return self.cards.clone();
        }
        let count = std::env::var("COUNT").unwrap_or_default();
        let given: Vec<u64> = count.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        if given.is_empty() { vec![100_000] } else { given }
    }

    /// The arguments of a process that does one step in `folder`.
    pub(crate) fn of_step(&self, step: Step, cards: u64, folder: &Path) -> Vec<String> {
        let step = match step {
            Step::Fill => "fill",
            Step::Night => "night",
        };
        vec![
            format!("--step={step}"),
            format!("--folder={}", folder.display()),
            format!("--cards={cards}"),
            format!("--institutions={}", self.institutions),
        ]
    }
}
