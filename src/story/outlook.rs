//! What would become of a card's requests in the next night: the claim's own verdicts, asked for one card.
//!
//! Invariant: it is decided anew from what stands in the database now; what was written down of earlier nights plays no
//! part (R54).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::NextNight;

use crate::agreement::{Institution, Manufacturer, Product, Terms};
use crate::card::product::words;
use crate::card::{CardId, FileId, InstitutionId, ManufacturerCode, PlasticId, ProductionEvent, RecordUid};
use crate::renewal::{self, CardFacts, Day, Renewable, Ruling};
use crate::selection::{self, Candidate, Reason, ReasonCode, Verdict};
use crate::store::stories::RequestNote;
use crate::store::{CardStory, Due, Route, Store, StoreError, Subject};

static NO_PRODUCTS: BTreeMap<String, Product> = BTreeMap::new();

words!(
    /// What is to be expected of a request.
    Prospect {
        /// It would go.
        Produce = "PRODUCE",
        /// It would be held.
        Hold = "HOLD",
        /// It would be excluded.
        Exclude = "EXCLUDE",
        /// It would be closed without a record.
        Close = "CLOSE",
        /// It is in a file that is on its way.
        InFile = "IN_FILE",
        /// It was marked after the cut-off of that night.
        NotDue = "NOT_DUE",
        /// Who asks may not read what a verdict needs.
        NotJudged = "NOT_JUDGED",
    }
);

/// One request that is still to be answered, and what is to be expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The request.
    pub record_uid: RecordUid,
    /// Its plastic.
    pub plastic_id: PlasticId,
    /// Why it was marked.
    pub event: ProductionEvent,
    /// What is to be expected.
    pub prospect: Prospect,
    /// Why it would not go.
    pub code: Option<ReasonCode>,
    /// The reason's detail.
    pub detail: String,
    /// The house it would go to.
    pub house: Option<ManufacturerCode>,
    /// The file it is in.
    pub file_id: Option<FileId>,
    /// Whole days since it was marked, at T0.
    pub age_days: i64,
}

/// The configuration, as far as a verdict stands on it.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// The active agreements.
    pub terms: &'a [Terms],
    /// The configured institutions.
    pub institutions: &'a [Institution],
    /// Every product.
    pub products: &'a BTreeMap<InstitutionId, BTreeMap<String, Product>>,
    /// The configured houses.
    pub manufacturers: &'a [Manufacturer],
    /// Warn of cards that close within so many days.
    pub closing_soon_days: i64,
}

/// Verdicts by request, each with its house.
type Verdicts = BTreeMap<RecordUid, (Verdict, Option<ManufacturerCode>)>;

impl Grounds<'_> {
    /// The house of a card that names `named`: that one, or the issuer's default; `None` where it is no code.
    pub fn house(&self, institution: &InstitutionId, named: Option<&str>) -> Option<ManufacturerCode> {
        match named {
            Some(text) => text.parse().ok(),
            None => self.institution(institution)?.default_manufacturer.clone(),
        }
    }

    fn institution(&self, id: &InstitutionId) -> Option<&Institution> {
        self.institutions.iter().find(|known| known.id == *id)
    }

    /// R110-R113: whether the night renews the card first. That keys take new cards is not asked: who asks has none.
    pub(super) fn renewal(&self, story: &CardStory, subject: Subject, night: NextNight) -> Option<Ruling> {
        let institution = self.institution(&story.institution).filter(|institution| institution.renewal)?;
        let newest = story.versions.last()?;
        let card = CardFacts {
            product_code: newest.product_code.clone(),
            status: newest.status,
            scheduled_closing: newest.scheduled_closing,
            physical: newest.physical,
        };
        let (card_id, card_version) = (story.card_id, newest.note.version);
        let found = Renewable { card_id, card_version, card, plastics: story.plastics.clone() };
        let is_about = match subject {
            Subject::Card(_) => true,
            Subject::Plastic(id) => found.newest().is_some_and(|plastic| plastic.plastic_id == id),
        };
        let day = Day { date: night.date, cut_off: night.cut_off, renewal_days: institution.renewal_days };
        let products = self.products.get(&story.institution).unwrap_or(&NO_PRODUCTS);
        Some(renewal::rule(&found, day, products)).filter(|ruling| is_about && *ruling != Ruling::NotDue)
    }

    /// What is to be expected of each request that is OPEN or CLAIMED.
    pub(super) async fn outlook(
        &self,
        store: &dyn Store,
        story: &CardStory,
        cut_off: DateTime<Utc>,
    ) -> Result<Vec<Outlook>, StoreError> {
        let live = story.requests.iter().filter(|request| matches!(&*request.state, "OPEN" | "CLAIMED"));
        let live: Vec<&RequestNote> = live.collect();
        if live.is_empty() {
            return Ok(Vec::new());
        }
        let verdicts = match self.verdicts(store, &story.institution, story.card_id, cut_off).await {
            Ok(verdicts) => verdicts,
            Err(error) if error.is_forbidden() => Verdicts::new(),
            Err(error) => return Err(error),
        };
        Ok(live.into_iter().map(|request| outlook_of(request, verdicts.get(&request.record_uid), cut_off)).collect())
    }

    /// Asks each agreement of the issuer, and who takes what none of them does: a card has one of these routes.
    async fn verdicts(
        &self,
        store: &dyn Store,
        institution: &InstitutionId,
        card_id: CardId,
        cut_off: DateTime<Utc>,
    ) -> Result<Verdicts, StoreError> {
        let configured = self.institution(institution);
        let ours = self.terms.iter().filter(|terms| terms.institution.id == *institution);
        let ways = ours.map(|terms| (Route::of(terms), Some(terms)));
        let ways = ways.chain([(Route::elsewhere(self.terms, configured), None)]);
        let before = CardId::new(card_id.get() - 1);
        let mut verdicts = Verdicts::new();
        for (route, terms) in ways {
            let due = Due { institution: institution.clone(), route, cut_off, cards: vec![card_id] };
            for dossier in store.dossiers(&due, before, 1).await? {
                for request in &dossier.requests {
                    let candidate = Candidate { dossier: &dossier, request };
                    let verdict = self.verdict(&candidate, configured, terms, cut_off);
                    let house = terms.map(|terms| terms.manufacturer.code.clone());
                    verdicts.insert(request.record_uid, (verdict, house));
                }
            }
        }
        Ok(verdicts)
    }

    fn verdict(
        &self,
        candidate: &Candidate<'_>,
        configured: Option<&Institution>,
        terms: Option<&Terms>,
        cut_off: DateTime<Utc>,
    ) -> Verdict {
        match (configured, terms) {
            (_, Some(terms)) => selection::select(candidate, terms, cut_off, self.closing_soon_days),
            (Some(institution), None) => {
                let products = self.products.get(&institution.id).unwrap_or(&NO_PRODUCTS);
                selection::select_unrouted(candidate, institution, products, self.manufacturers, cut_off)
            }
            (None, None) => Verdict::Hold(ReasonCode::InstitutionUnknown.into()),
        }
    }
}

fn outlook_of(
    request: &RequestNote,
    judged: Option<&(Verdict, Option<ManufacturerCode>)>,
    cut_off: DateTime<Utc>,
) -> Outlook {
    let because = |prospect, reason: &Reason| (prospect, Some(reason.code), reason.detail.clone());
    let (prospect, code, detail) = match judged {
        Some((Verdict::Produce(_), _)) => (Prospect::Produce, None, String::new()),
        Some((Verdict::Hold(reason), _)) => because(Prospect::Hold, reason),
        Some((Verdict::Exclude(reason), _)) => because(Prospect::Exclude, reason),
        Some((Verdict::Close(reason), _)) => because(Prospect::Close, reason),
        None if request.file_id.is_some() => (Prospect::InFile, None, String::new()),
        None if request.marked_at > cut_off => (Prospect::NotDue, None, String::new()),
        None => (Prospect::NotJudged, None, String::new()),
    };
    Outlook {
        record_uid: request.record_uid,
        plastic_id: request.plastic_id,
        event: request.event,
        prospect,
        code,
        detail,
        house: judged.and_then(|(_, house)| house.clone()),
        file_id: request.file_id,
        age_days: (cut_off - request.marked_at).num_days(),
    }
}
