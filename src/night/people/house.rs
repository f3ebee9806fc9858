//! The house during a person's order: tried once, looked at, cleared of our parts.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::Night;
use super::super::deliver::{blocking, temporary_name};
use super::super::outbound::{Outbound, Patience};
use super::ActionError;
use crate::agreement::Terms;
use crate::delivery::{self, DeliveryError, FinalName, Place, Remote, Seen};
use crate::report::chain;
use crate::seal::Sealer;
use crate::selection::Reason;
use crate::store::FileRow;

/// The outbound side, tried once.
#[derive(Debug)]
pub(super) struct OneTry(pub(super) Arc<dyn Outbound>);

impl Outbound for OneTry {
    fn sealer(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Arc<Sealer>, Reason> {
        self.0.sealer(terms, at)
    }

    fn connect(&self, terms: &Terms) -> Result<Box<dyn Remote>, DeliveryError> {
        self.0.connect(terms)
    }

    fn patience(&self, terms: &Terms) -> Patience {
        Patience { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO, ..self.0.patience(terms) }
    }
}

/// What a look at the house showed.
pub(super) struct Looked {
    /// The path of the final name, for people.
    pub(super) path: String,
    pub(super) final_name: FinalName,
    /// Our parts that the house would not let go and that are there.
    pub(super) kept: Vec<String>,
    /// Those of which it lets nobody see whether they are.
    pub(super) unseen: Vec<String>,
}

impl Night {
    /// Connects, removes our parts where asked to, and looks at the final name: in this order, for a rename that is still
    /// under way finds its part gone and cannot publish behind the look.
    pub(super) async fn look_at_house(
        &self,
        terms: &Terms,
        file: &FileRow,
        removing: bool,
    ) -> Result<Looked, ActionError> {
        let (outbound, terms) = (Arc::clone(&self.outbound), terms.clone());
        let name = file.file_name.clone().unwrap_or_default();
        let parts = if removing { parts(file) } else { Vec::new() };
        let looked = blocking(move || {
            let mut session = outbound.connect(&terms)?;
            // Where a folder is missing, "no such file" says nothing about the file.
            delivery::check(&mut *session)?;
            let (mut kept, mut unseen) = (Vec::new(), Vec::new());
            for part in delivery::clean(&mut *session, &parts)? {
                match session.stat(Place::Temporary(&part))? {
                    Seen::Present { .. } => kept.push(part),
                    Seen::Hidden => unseen.push(part),
                    Seen::Absent => {}
                }
            }
            let final_name = delivery::look(&mut *session, &name)?;
            Ok::<_, DeliveryError>(Looked { path: session.path(Place::Final(&name)), final_name, kept, unseen })
        })
        .await?;
        looked.map_err(|error| {
            ActionError::refused(format!(
                "nothing was changed, because the house could not be asked: {}",
                chain(&error)
            ))
        })
    }

    /// Removes our parts; why some may be left.
    pub(super) async fn clear_house(
        &self,
        terms: Option<&Terms>,
        file: &FileRow,
    ) -> Result<Option<String>, ActionError> {
        let Some(terms) = terms.cloned() else { return Ok(Some("its agreement is no longer configured".to_owned())) };
        let (outbound, parts) = (Arc::clone(&self.outbound), parts(file));
        if parts.is_empty() {
            return Ok(None);
        }
        let kept = blocking(move || {
            let mut session = outbound.connect(&terms)?;
            delivery::clean(&mut *session, &parts)
        });
        Ok(match kept.await? {
            Ok(kept) if kept.is_empty() => None,
            Ok(kept) => Some(format!("the house would not remove {}", kept.join(", "))),
            Err(error) => Some(chain(&error)),
        })
    }
}

/// The temporary names of every attempt so far.
fn parts(file: &FileRow) -> Vec<String> {
    let name = file.file_name.as_deref().unwrap_or_default();
    (1..=file.attempt).map(|attempt| temporary_name(name, attempt)).collect()
}
