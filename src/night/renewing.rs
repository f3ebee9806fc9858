//! The first step of a night: cards that end soon get their next plastic (R110-R113), before anything is claimed.
//!
//! Invariants: only nights renew, and only where the institution has it switched on; a page of cards is in memory, however
//! many there are; what was made once is found the next time, so that a night that died renews the rest.
//!
//! Once a date is claimed its renewals are over: a date that is run again makes nothing new (fault 28).

use std::collections::{BTreeMap, BTreeSet};

use super::{Night, NightError, Run, RunOrder};
use crate::agreement::{Institution, Product};
use crate::card::{CardId, Expiry, PlasticId, RecordUid};
use crate::fault::{self, Point};
use crate::renewal::{self, Day, Obstacle, Renewable, Renewal, RenewalTally, Ruling};
use crate::report::{Alert, chain};
use crate::settlement::RunKind;
use crate::store::{NightKey, NightState, RenewalOrder, StoreError};

/// Cards looked at together; what is made of them is one transaction.
const PAGE: u32 = 1_000;

/// How often a page is read again where some of its cards changed while they were renewed.
const TRIES: u32 = 5;

/// One institution at its renewal.
struct Renewing<'a> {
    institution: &'a Institution,
    products: &'a BTreeMap<String, Product>,
    day: Day,
    tally: RenewalTally,
    /// What is wrong with the keys of each product that was asked for.
    keys: BTreeMap<String, Option<String>>,
    /// Why cards were not renewed, by product and obstacle, with the first such card.
    obstacles: BTreeMap<(String, Obstacle), CardId>,
}

static NO_PRODUCTS: BTreeMap<String, Product> = BTreeMap::new();

impl Night {
    /// Renews what is due on the night of a date; what an institution's data or keys keep from it is an alert.
    pub(super) async fn renew(&self, run: &Run, alerts: &mut Vec<Alert>) -> Result<Vec<RenewalTally>, NightError> {
        let mut tallies = Vec::new();
        for mut renewing in self.renewing(&run.order) {
            match self.renew_institution(&run.order, &mut renewing, Some(run)).await {
                // A row that cannot be read is this institution's; the others have theirs.
                Err(NightError::Store(error @ StoreError::Corrupt { .. })) => {
                    let text =
                        format!("The renewal of institution {} stopped: {}.", renewing.institution.id, chain(&error));
                    alerts.push(Alert::new("RENEWAL_FAILED", text));
                }
                ended => ended?,
            }
            tracing::info!("renewed for {}", renewing.tally);
            alerts.extend(renewing.alerts());
            tallies.push(renewing.tally);
        }
        fault::reach(Point::Renewing);
        Ok(tallies)
    }

    /// What [`renew`](Night::renew) would do.
    pub(super) async fn plan_renewals(&self, order: &RunOrder) -> Result<Vec<RenewalTally>, NightError> {
        let mut tallies = Vec::new();
        for mut renewing in self.renewing(order) {
            self.renew_institution(order, &mut renewing, None).await?;
            tallies.push(renewing.tally);
        }
        Ok(tallies)
    }

    /// The institutions that renew, as far as the order admits them. On demand nobody does.
    fn renewing<'a>(&'a self, order: &RunOrder) -> Vec<Renewing<'a>> {
        let renews = |institution: &&Institution| {
            let admitted = order.institutions.is_empty() || order.institutions.contains(&institution.id);
            order.kind == RunKind::Night && institution.renewal && admitted
        };
        let begun = |institution: &'a Institution| Renewing {
            institution,
            products: self.products.get(&institution.id).unwrap_or(&NO_PRODUCTS),
            day: Day { date: order.business_date, cut_off: order.cut_off, renewal_days: institution.renewal_days },
            tally: RenewalTally::new(institution.id.clone()),
            keys: BTreeMap::new(),
            obstacles: BTreeMap::new(),
        };
        self.institutions.iter().filter(renews).map(begun).collect()
    }

    /// Goes through the months that are due; without a run nothing is written.
    async fn renew_institution(
        &self,
        order: &RunOrder,
        renewing: &mut Renewing<'_>,
        run: Option<&Run>,
    ) -> Result<(), NightError> {
        if self.is_claimed(order, renewing.institution).await? {
            return Ok(());
        }
        for expiry in renewing.day.expiries() {
            self.renew_month(expiry, renewing, run).await?;
        }
        Ok(())
    }

    /// Whether the date was claimed with any house of the institution: its renewals were made before.
    async fn is_claimed(&self, order: &RunOrder, institution: &Institution) -> Result<bool, NightError> {
        let date = NightKey::Date(order.business_date);
        for terms in self.terms.iter().filter(|terms| terms.institution.id == institution.id) {
            let night = self.store.night(&date, &institution.id, &terms.manufacturer.code).await?;
            if night.is_some_and(|night| matches!(night.state, NightState::Claimed | NightState::Done)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn renew_month(
        &self,
        expiry: Expiry,
        renewing: &mut Renewing<'_>,
        run: Option<&Run>,
    ) -> Result<(), NightError> {
        let (mut after, mut tries) = (None, 0);
        loop {
            run.map_or(Ok(()), |run| self.may_go_on(run))?;
            let of = &renewing.institution.id;
            let page = self.store.renewable(of, expiry, after, PAGE).await?;
            let ruled = self.rule(&page, renewing);
            let is_whole = match run {
                Some(run) => self.make_renewals(run, expiry, after, ruled.renewals, renewing).await?,
                None => {
                    ruled.renewals.iter().for_each(|renewal| renewing.tally.add(renewal.event));
                    true
                }
            };
            tries += 1;
            if !is_whole && tries < TRIES {
                continue;
            }
            tries = 0;
            ruled.obstructed.into_iter().for_each(|(product, obstacle, card)| renewing.skip(product, obstacle, card));
            after = page.last().and_then(Renewable::newest).map(|newest| newest.plastic_id);
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Rules on every card of a page.
    fn rule(&self, page: &[Renewable], renewing: &mut Renewing<'_>) -> Ruled {
        let mut ruled = Ruled::default();
        for found in page {
            let obstacle = match renewal::rule(found, renewing.day, renewing.products) {
                Ruling::NotDue => continue,
                Ruling::Renew(renewal) if self.has_keys(&found.card.product_code, renewing) => {
                    ruled.renewals.push(renewal);
                    continue;
                }
                Ruling::Renew(_) => Obstacle::KeyUnusable,
                Ruling::Obstructed(obstacle) => obstacle,
            };
            ruled.obstructed.push((found.card.product_code.clone(), obstacle, found.card_id));
        }
        ruled
    }

    /// Whether the keys of a product take new cards; asked once for each.
    fn has_keys(&self, code: &str, renewing: &mut Renewing<'_>) -> bool {
        if let Some(known) = renewing.keys.get(code) {
            return known.is_none();
        }
        let asked = renewing.products.get(code).map(|product| self.vault.live_for_new(product, self.clock.now()));
        let wrong = asked.and_then(Result::err).map(|error| error.to_string());
        let has_keys = wrong.is_none();
        renewing.keys.insert(code.to_owned(), wrong);
        has_keys
    }

    /// Writes a page of renewals and counts what was made; whether that is all of them.
    async fn make_renewals(
        &self,
        run: &Run,
        expiry: Expiry,
        after: Option<PlasticId>,
        renewals: Vec<Renewal>,
        renewing: &mut Renewing<'_>,
    ) -> Result<bool, NightError> {
        if renewals.is_empty() {
            return Ok(true);
        }
        let institution = &renewing.institution.id;
        let renewals: Vec<(RecordUid, Renewal)> =
            renewals.into_iter().map(|renewal| (RecordUid(self.random.uuid_at(self.clock.now())), renewal)).collect();
        let (run_id, epoch, marked_at) = (run.run_id, run.epoch, run.order.cut_off);
        let order = RenewalOrder { institution, run_id, epoch, marked_at, renewals: &renewals };
        let made = match self.store.renew(&order).await {
            // Whether it happened is seen in the page: who was renewed is not in it any more.
            Err(error) if error.outcome_unknown() => {
                tracing::warn!("{error}; reading whether the renewal happened");
                let left = self.store.renewable(institution, expiry, after, PAGE).await?;
                let is_left = |card: CardId| left.iter().any(|found| found.card_id == card);
                let cards = renewals.iter().map(|(_, renewal)| renewal.card_id);
                cards.filter(|card| !is_left(*card)).collect()
            }
            made => made?,
        };
        let made: BTreeSet<CardId> = made.into_iter().collect();
        for (_, renewal) in renewals.iter().filter(|(_, renewal)| made.contains(&renewal.card_id)) {
            renewing.tally.add(renewal.event);
        }
        fault::reach(Point::Renewing);
        Ok(made.len() == renewals.len())
    }
}

/// The rulings on a page.
#[derive(Default)]
struct Ruled {
    renewals: Vec<Renewal>,
    obstructed: Vec<(String, Obstacle, CardId)>,
}

impl Renewing<'_> {
    fn skip(&mut self, product: String, obstacle: Obstacle, card: CardId) {
        *self.tally.skipped.entry(obstacle).or_default() += 1;
        self.obstacles.entry((product, obstacle)).or_insert(card);
    }

    /// One alert for each product and obstacle that a person can do something about; the same text night after night, so
    /// that only the first is new.
    fn alerts(&self) -> Vec<Alert> {
        let told = self.obstacles.iter().filter(|((_, obstacle), _)| obstacle.is_alert());
        let alert = |((product, obstacle), card): (&(String, Obstacle), &CardId)| {
            let of = &self.institution.id;
            let why = match obstacle {
                Obstacle::KeyUnusable => {
                    self.keys.get(product).cloned().flatten().unwrap_or_else(|| "its keys cannot be used".to_owned())
                }
                Obstacle::ProductUnknown => "the product is not configured".to_owned(),
                Obstacle::ExpiryOutOfRange => format!("the new expiry is past 2099, the first is card {card}"),
                Obstacle::SequenceExhausted => format!("all 99 sequence numbers are used, the first is card {card}"),
                Obstacle::PhysicalFalse => format!("no plastic is wanted, the first is card {card}"),
            };
            let text = format!(
                "Cards of product {product} of institution {of} end soon and are not renewed: {why}. Once that is mended, the next night renews those that have not expired."
            );
            Alert::new(obstacle.as_str(), text)
        };
        told.map(alert).collect()
    }
}
