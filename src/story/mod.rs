//! The whole story of a card or of one of its plastics, masked, for who is asked about it: what `explain` tells.
//!
//! Invariants: it is read only and holds up nobody, so that it can be asked while a run is at work; it shows no name,
//! address, phone number or secret, and of the card number first six and last four; what was decided on earlier nights is
//! told as it was written down, what is to be expected is decided anew (R54).

pub mod advice;
mod json;
mod outlook;
mod text;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

pub use outlook::{Grounds, Outlook, Prospect};

use crate::card::{InstitutionId, ManufacturerCode, PlasticId};
use crate::renewal::Ruling;
use crate::store::stories::{RequestNote, StopNote};
use crate::store::{CardStory, EventRow, Store, StoreError, Subject};

/// The night that is looked forward to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextNight {
    /// Its date.
    pub date: NaiveDate,
    /// Its T0.
    pub cut_off: DateTime<Utc>,
}

/// A story, ready to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// What was asked about.
    pub subject: Subject,
    /// What the database knows, of a plastic only what concerns it.
    pub card: CardStory,
    /// The house the card goes to; `None` where what it names is no code, or nobody is named.
    pub house: Option<ManufacturerCode>,
    /// What is to be expected of its open requests.
    pub outlook: Vec<Outlook>,
    /// What the night makes of the card, or of the plastic that was asked for, before anything else; `None` where it is not
    /// due.
    pub renewal: Option<Ruling>,
    /// When.
    pub night: NextNight,
}

/// Reads the story of a card, or of the plastic of it that was asked for; `None` where the institution has no such card.
///
/// # Errors
/// [`StoreError`]: the database cannot be read.
pub async fn tell(
    store: &dyn Store,
    grounds: &Grounds<'_>,
    institution: &InstitutionId,
    subject: Subject,
    night: NextNight,
) -> Result<Option<Story>, StoreError> {
    let bearers = store.bearers(subject).await?;
    let Some((_, card_id)) = bearers.into_iter().find(|(id, _)| id == institution) else { return Ok(None) };
    let Some(mut card) = store.story(institution, card_id).await? else { return Ok(None) };
    let renewal = grounds.renewal(&card, subject, night);
    if let Subject::Plastic(plastic_id) = subject {
        narrow(&mut card, plastic_id);
    }
    let house = grounds.house(institution, card.manufacturer.as_deref());
    let requests = card.requests.clone();
    let taken = taken(&card);
    card.stops.retain(|stop| house.as_ref() == Some(&stop.manufacturer) && concerns(stop, &requests, &taken));
    card.unfinished.retain(|file| house.as_ref() == Some(&file.manufacturer));
    let outlook = grounds.outlook(store, &card, night.cut_off).await?;
    Ok(Some(Story { subject, card, house, outlook, renewal, night }))
}

/// T0 of the file that took each request, in the order of the requests; none for one that is OPEN or was closed.
fn taken(card: &CardStory) -> Vec<Option<DateTime<Utc>>> {
    let cut_off = |request: &RequestNote| {
        let file = card.files.iter().find(|file| Some(file.file_id) == request.file_id)?;
        Some(file.cut_off)
    };
    card.requests.iter().map(cut_off).collect()
}

/// Whether a request was due and not taken yet when its agreement stood still.
fn concerns(stop: &StopNote, requests: &[RequestNote], taken: &[Option<DateTime<Utc>>]) -> bool {
    requests.iter().zip(taken).any(|(request, taken)| {
        let waiting = taken.map_or(request.state == "OPEN", |taken| stop.cut_off < taken);
        request.marked_at <= stop.cut_off && waiting
    })
}

/// Leaves what concerns one plastic; orders, versions and PINs are the card's.
fn narrow(card: &mut CardStory, plastic_id: PlasticId) {
    card.plastics.retain(|plastic| plastic.plastic_id == plastic_id);
    card.requests.retain(|request| request.plastic_id == plastic_id);
    let uids: Vec<_> = card.requests.iter().map(|request| request.record_uid).collect();
    card.standings.retain(|standing| uids.contains(&standing.record_uid));
    for file in &mut card.files {
        file.items.retain(|item| uids.contains(&item.record_uid));
    }
    card.files.retain(|file| !file.items.is_empty());
    let files: Vec<String> = card.files.iter().map(|file| file.file_id.to_string()).collect();
    card.audit.retain(|row| files.contains(&row.subject));
    let uids: Vec<String> = uids.iter().map(ToString::to_string).collect();
    card.events.retain(|event| tells_of(event, plastic_id, &uids));
}

fn tells_of(event: &EventRow, plastic_id: PlasticId, uids: &[String]) -> bool {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    data["plasticId"].as_str() == Some(&plastic_id.to_string())
        || data["recordUid"].as_str().is_some_and(|uid| uids.iter().any(|known| known == uid))
}
