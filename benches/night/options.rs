//! What is asked of the benchmark.

use std::path::{Path, PathBuf};

use clap::Parser;

/// Times a night on SQLite, stage by stage.
#[derive(Debug, Parser)]
#[command(name = "night")]
pub(crate) struct Options {
    /// Plastics of the night; several numbers, separated by commas, run one after the other. Else COUNT, else 100000.
    #[arg(long, value_delimiter = ',', value_name = "N")]
    cards: Vec<u64>,
    /// The file's format: xml or json.
    #[arg(long, default_value = "xml", value_parser = ["xml", "json"])]
    pub(crate) format: String,
    /// The file's version: 1 or 2.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: u8,
    /// The database file, on the disk to be measured; it must not exist and is left there. Else a temporary one.
    #[arg(long, value_name = "PATH")]
    pub(crate) database: Option<PathBuf>,
    /// Where the installation is laid out, with spool and destination; must be empty or absent. Else a temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Only the JSON object, no table. It is the last line either way.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only leads up to a night, in this folder, and prints the import's figures: what this program asks of itself.
    #[arg(long, hide = true, value_name = "DIR")]
    pub(crate) prepare: Option<PathBuf>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The numbers of cards, in the order asked for.
    pub(crate) fn cards(&self) -> Vec<u64> {
        if !self.cards.is_empty() {
            return self.cards.clone();
        }
        let count = std::env::var("COUNT").unwrap_or_default();
        let given: Vec<u64> = count.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        if given.is_empty() { vec![100_000] } else { given }
    }

    /// The arguments of a process that leads up to a night in `folder`.
    pub(crate) fn to_prepare(&self, cards: u64, folder: &Path) -> Vec<String> {
        let mut arguments = self.kind(cards);
        arguments.push(format!("--prepare={}", folder.display()));
        arguments.extend(self.database.as_ref().map(|path| format!("--database={}", path.display())));
        arguments
    }

    /// The arguments of a process that measures one of several numbers.
    pub(crate) fn of_one(&self, cards: u64) -> Vec<String> {
        let mut arguments = self.kind(cards);
        let of_its_own = |path: &PathBuf| format!("{}-{cards}", path.display());
        arguments.extend(self.database.as_ref().map(|path| format!("--database={}", of_its_own(path))));
        arguments.extend(self.folder.as_ref().map(|path| format!("--folder={}", of_its_own(path))));
        arguments.extend(self.json.then(|| "--json".to_owned()));
        arguments
    }

    fn kind(&self, cards: u64) -> Vec<String> {
        vec![format!("--cards={cards}"), format!("--format={}", self.format), format!("--version={}", self.version)]
    }
}
