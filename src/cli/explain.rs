//! `emboss explain`: the whole story of one card or plastic.
//!
//! It opens the database and the configuration and nothing else: no key, no spool, no lock.

use std::fmt;

use clap::Args;

use super::Failure;
use super::open::{Home, products};
use super::output::Output;
use crate::card::{CardId, InstitutionId, PlasticId};
use crate::config::{Config, adapters};
use crate::schedule;
use crate::store::{Store, Subject};
use crate::story::{self, Grounds, NextNight, Story};

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    subject: Asked,
    /// The issuer; needed where several know the id.
    #[arg(long, value_name = "ID")]
    institution: Option<InstitutionId>,
}

/// Exactly one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Asked {
    /// The card.
    #[arg(long, value_name = "ID")]
    card: Option<CardId>,
    /// The plastic.
    #[arg(long, value_name = "ID")]
    plastic: Option<PlasticId>,
}

impl Asked {
    fn subject(&self) -> Option<Subject> {
        self.card.map(Subject::Card).or(self.plastic.map(Subject::Plastic))
    }
}

pub(super) async fn explain(arguments: &ExplainArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let Some(subject) = arguments.subject.subject() else {
        return Err(Failure::configuration("say which: --card ID or --plastic ID"));
    };
    let config = home.config()?;
    let store = home.open_store().await?;
    let institution = institution(&*store, subject, arguments.institution.as_ref()).await?;
    let told = told(&config, &*store, &institution, subject).await?;
    store.close().await;
    let story = told.ok_or_else(|| unknown(subject))?;
    output.say(&story);
    output.object(&story.to_json());
    Ok(0)
}

/// Whose it is: ids are apart per institution.
async fn institution(
    store: &dyn Store,
    subject: Subject,
    named: Option<&InstitutionId>,
) -> Result<InstitutionId, Failure> {
    let mut bearers: Vec<InstitutionId> = store.bearers(subject).await?.into_iter().map(|(id, _)| id).collect();
    if let Some(named) = named {
        bearers.retain(|id| id == named);
    }
    match &bearers[..] {
        [only] => Ok(only.clone()),
        [] => Err(unknown(subject)),
        several => {
            let names: Vec<String> = several.iter().map(|id| format!("--institution {id}")).collect();
            let (name, names) = (Name(subject), names.join(" or "));
            Err(Failure::configuration(format!("several institutions have a {name}: say which, {names}")))
        }
    }
}

async fn told(
    config: &Config,
    store: &dyn Store,
    institution: &InstitutionId,
    subject: Subject,
) -> Result<Option<Story>, Failure> {
    let terms: Vec<_> = config.agreements.iter().filter_map(|agreement| adapters::terms(config, agreement)).collect();
    let products = products(config);
    let grounds = Grounds {
        terms: &terms,
        institutions: &config.institutions,
        products: &products,
        manufacturers: &config.manufacturers,
        closing_soon_days: i64::from(config.warnings.closing_soon_days),
    };
    let date = schedule::next_date(store.now().await?);
    let night = NextNight { date, cut_off: schedule::cut_off(date) };
    Ok(story::tell(store, &grounds, institution, subject, night).await?)
}

fn unknown(subject: Subject) -> Failure {
    Failure::configuration(format!("no institution that was asked has a {}: look the id up again", Name(subject)))
}

/// The subject in a sentence.
struct Name(Subject);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Card(id) => write!(f, "card {id}"),
            Subject::Plastic(id) => write!(f, "plastic {id}"),
        }
    }
}
