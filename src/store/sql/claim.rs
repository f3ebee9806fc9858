//! The claim: one transaction that freezes what goes into tonight's files of one agreement.
//!
//! Invariants: everything a claim does is in one transaction, so a crash leaves all of it or nothing (fault 1); a
//! number is given to a file and to nothing else (R131); an item names the versions that were decided on (R120).

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;

use super::claim_statements as sql;
use super::columns::Columns;
use super::connection::Connection;
use super::statement::Call;
use super::value::Value;
use super::{SqlStore, audit, dossiers, events, files, items, runs, standing};
use crate::card::{FileId, PlasticStatus, ProductionEvent};
use crate::document::FileType;
use crate::fault::{self, Point};
use crate::selection::{Dossier, PinAction, ReasonCode, plastic_of};
use crate::settlement::FileState;
use crate::store::{
    AgreementNight, ClaimOrder, Claimed, Conclusion, Decide, Decision, FileRow, NewFile, NewItem, NightState,
    StoreError,
};

/// How often a claim starts over where others write what it reads: an update of a card costs it one restart.
const RESTARTS: u32 = 20;

/// Claims what is due for one agreement.
pub(super) async fn claim(
    store: &SqlStore,
    order: &ClaimOrder,
    decide: &mut dyn Decide,
) -> Result<Claimed, StoreError> {
    for _ in 0..RESTARTS {
        match try_to_claim(store, order, decide).await {
            // Somebody wrote what this claim read: it starts over, for a claim decides on one state of the database.
            Err(error) if error.is_conflict() => decide.restart(),
            done => return done,
        }
    }
    try_to_claim(store, order, decide).await
}

async fn try_to_claim(store: &SqlStore, order: &ClaimOrder, decide: &mut dyn Decide) -> Result<Claimed, StoreError> {
    let mut transaction = store.begin_snapshot().await?;
    let data_as_of = store.time(&mut transaction).await?.trunc_subsecs(0);
    let closed = BTreeMap::new();
    let (files, items) = (Vec::new(), 0);
    let mut claim = Claim { store, order, data_as_of, connection: &mut transaction, files, items, closed };
    if claim.is_done().await? {
        return Ok(Claimed { data_as_of, files: Vec::new(), stopped: None });
    }
    claim.take_back().await?;
    claim.freeze(decide).await?;
    match decide.conclude() {
        Conclusion::Commit { even_empty } => {
            let files = claim.finish(even_empty, decide).await?;
            fault::reach(Point::ClaimUncommitted);
            transaction.commit().await?;
            fault::reach(Point::ClaimCommitted);
            Ok(Claimed { data_as_of, files, stopped: None })
        }
        Conclusion::Stop { code, detail } => {
            transaction.roll_back().await?;
            let night =
                AgreementNight { reason: Some((code, detail.clone())), ..night_row(order, NightState::Stopped) };
            runs::stop(store, &night, order.epoch).await?;
            Ok(Claimed { data_as_of, files: Vec::new(), stopped: Some((code, detail)) })
        }
    }
}

fn night_row(order: &ClaimOrder, state: NightState) -> AgreementNight {
    AgreementNight {
        night: order.night.clone(),
        institution: order.due.institution.clone(),
        manufacturer: order.manufacturer.clone(),
        state,
        reason: None,
        run_id: order.run_id,
    }
}

/// A claim under way.
struct Claim<'a> {
    store: &'a SqlStore,
    order: &'a ClaimOrder,
    data_as_of: DateTime<Utc>,
    connection: &'a mut Connection,
    /// The files it fills, by sequence number; items go to the first and are shared out at the end.
    files: Vec<FileId>,
    items: u64,
    /// Requests it closed, by reason: told at the end, so that numbers of events are held for a moment only.
    closed: BTreeMap<ReasonCode, Vec<String>>,
}

impl Claim<'_> {
    /// Whether there is nothing left to do for this night; refuses if a later run has begun.
    async fn is_done(&mut self) -> Result<bool, StoreError> {
        let ClaimOrder { night, due, manufacturer, epoch, .. } = self.order;
        let what = || format!("the claim of agreement {} with {manufacturer}", due.institution);
        runs::still_ours(self.connection, *epoch, what).await?;
        let known = runs::night(self.connection, night, &due.institution, manufacturer).await?;
        Ok(known.is_some_and(|known| matches!(known.state, NightState::Claimed | NightState::Done)))
    }

    /// Files that stand in CLAIMED since an earlier T0: their items go back, they are filled anew.
    async fn take_back(&mut self) -> Result<(), StoreError> {
        let call = files::CLAIMED_BEFORE.call().bind(self.order.due.institution.as_str());
        let call = call.bind(self.order.manufacturer.as_str()).bind(self.order.due.cut_off.timestamp_micros());
        for file in files::list(call, self.connection).await? {
            items::release_all(self.connection, &file, "claimed again").await?;
            let call = sql::CLAIM_AGAIN.call().bind(file.file_id.to_string()).bind(file.epoch);
            if self.stamp(call).run(self.connection).await? != 1 {
                let what = format!("file {}", file.file_id);
                return Err(StoreError::Superseded { what, epoch: self.order.epoch });
            }
            self.files.push(file.file_id);
        }
        Ok(())
    }

    /// What a claim writes into its files, new or taken back: `$3` to `$9`.
    fn stamp(&self, call: Call) -> Call {
        let order = self.order;
        let call = call.bind(order.night.to_string()).bind(order.run_id.to_string()).bind(order.format.as_str());
        let call = call.bind(order.version.number()).bind(order.due.cut_off.timestamp_micros());
        call.bind(self.data_as_of.timestamp_micros()).bind(order.epoch)
    }

    /// Reads what is due, card by card, and writes what is decided, page by page.
    async fn freeze(&mut self, decide: &mut dyn Decide) -> Result<(), StoreError> {
        let mut walk = dossiers::Walk::begin(&self.order.due, self.connection).await?;
        loop {
            let (mut frozen, mut closed) = (Vec::new(), BTreeMap::<ReasonCode, Vec<String>>::new());
            let mut stays = Vec::new();
            let take = |dossier: Dossier| {
                for decision in decide.decide(&dossier) {
                    match decision {
                        Decision::Produce(item) => frozen.push(FrozenItem::of(&dossier, item)?),
                        Decision::Close(record_uid, code) => {
                            closed.entry(code).or_default().push(record_uid.to_string());
                        }
                        Decision::Stay(stay) => stays.push(stay),
                    }
                }
                Ok(())
            };
            let was_last = walk.next(self.connection, take).await?;
            self.write_items(frozen, decide).await?;
            self.close(closed).await?;
            standing::write(self.connection, self.order.due.cut_off.date_naive(), &stays).await?;
            if was_last {
                return Ok(());
            }
        }
    }

    async fn write_items(&mut self, frozen: Vec<FrozenItem>, decide: &mut dyn Decide) -> Result<(), StoreError> {
        if self.files.is_empty() && !frozen.is_empty() {
            self.make_file(&decide.new_file()).await?;
        }
        let Some(file_id) = self.files.first().map(ToString::to_string) else { return Ok(()) };
        let count = frozen.len() as u64;
        let (epoch, institution) = (self.order.epoch, self.order.due.institution.as_str());
        let rows = frozen.into_iter().map(|item| item.columns(&file_id, epoch, institution)).collect();
        expect_count(sql::WRITE_ITEMS.write(rows, self.connection).await?, count, "items of the claim")?;
        self.items += count;
        Ok(())
    }

    async fn close(&mut self, closed: BTreeMap<ReasonCode, Vec<String>>) -> Result<(), StoreError> {
        for (code, uids) in closed {
            let call = sql::CLOSE_REQUESTS.call().bind(Value::Texts(uids.clone()));
            let call = call.bind(self.order.due.institution.as_str()).bind(code.as_str());
            expect_count(call.run(self.connection).await?, uids.len() as u64, "requests the claim closes")?;
            self.closed.entry(code).or_default().extend(uids);
        }
        Ok(())
    }

    async fn tell_closed(&mut self) -> Result<(), StoreError> {
        events::turn(self.connection).await?;
        for (code, uids) in std::mem::take(&mut self.closed) {
            let call = sql::TELL_CLOSED.call().bind(Value::Texts(uids)).bind(self.order.due.institution.as_str());
            let call = call.bind(code.as_str()).bind(self.data_as_of.timestamp_micros());
            call.bind(self.order.run_id.to_string()).run(self.connection).await?;
        }
        Ok(())
    }

    /// Makes a file under the next number.
    async fn make_file(&mut self, new: &NewFile) -> Result<(), StoreError> {
        let (institution, manufacturer) = (&self.order.due.institution, &self.order.manufacturer);
        let call = sql::LAST_FILE.call().bind(institution.as_str()).bind(manufacturer.as_str());
        let (number, previous) = match call.row(self.connection).await? {
            Some(row) => {
                let mut columns = Columns::of("file", &row);
                (columns.take::<i64>()? + 1, Some(columns.take::<String>()?))
            }
            None => (1, None),
        };
        let call = sql::NEW_FILE.call().bind(new.file_id.to_string()).bind(institution.as_str());
        let call = self.stamp(call).bind(manufacturer.as_str()).bind(number).bind(previous);
        let call =
            call.bind(FileType::Normal.as_str()).bind(FileState::Claimed.as_str()).bind(new.fill_seed.as_slice());
        call.bind(None::<String>).run(self.connection).await?;
        self.files.push(new.file_id);
        Ok(())
    }

    /// Shares the items out, marks their requests, and says where the agreement stands.
    async fn finish(&mut self, even_empty: bool, decide: &mut dyn Decide) -> Result<Vec<FileRow>, StoreError> {
        if self.files.is_empty() && even_empty {
            self.make_file(&decide.new_file()).await?;
        }
        self.share_out(decide).await?;
        self.mark_requests().await?;
        let state = if self.files.is_empty() { NightState::Done } else { NightState::Claimed };
        runs::put_night(self.connection, &night_row(self.order, state)).await?;
        self.close_earlier_nights().await?;
        let mut claimed = Vec::with_capacity(self.files.len());
        for file_id in &self.files {
            let count = items::keep_digest(self.connection, *file_id).await?.count;
            claimed.push((files::known(self.connection, *file_id).await?, count));
        }
        self.tell_closed().await?;
        self.tell_claimed(&claimed).await?;
        self.is_still_ours().await?;
        Ok(claimed.into_iter().map(|(file, _)| file).collect())
    }

    async fn tell_claimed(&mut self, claimed: &[(FileRow, u64)]) -> Result<(), StoreError> {
        let mut entering = Vec::with_capacity(claimed.len());
        for (file, count) in claimed {
            let mut data = files::about(file);
            data["items"] = json!(count);
            let institution = Some(&file.institution);
            events::write(self.connection, self.data_as_of, "file.claimed", institution, &data).await?;
            data["runId"] = json!(self.order.run_id);
            data["epoch"] = json!(self.order.epoch);
            let data = audit::of_file(file, data);
            entering.push(audit::Entering::of_program("file.claimed", file.file_id, data));
        }
        audit::enter_from_snapshot(self.store, self.connection, self.data_as_of, entering).await
    }

    /// Refuses if a later run has begun since, and lets none begin before this is committed.
    async fn is_still_ours(&mut self) -> Result<(), StoreError> {
        let what = || format!("the claim of agreement {} with {}", self.order.due.institution, self.order.manufacturer);
        runs::ours_until_commit(self.connection, self.order.epoch, what).await
    }

    /// `max_records_per_file`: the items behind a file's last place go to the next file, last file first.
    async fn share_out(&mut self, decide: &mut dyn Decide) -> Result<(), StoreError> {
        let most = u64::from(self.order.max_records_per_file);
        if most == 0 || self.items <= most {
            return Ok(());
        }
        while (self.files.len() as u64) < self.items.div_ceil(most) {
            self.make_file(&decide.new_file()).await?;
        }
        for place in (1..self.items.div_ceil(most)).rev() {
            let to = self.files.get(usize::try_from(place).unwrap_or(usize::MAX));
            let to = to.map(ToString::to_string).unwrap_or_default();
            let call = sql::SHARE_OUT.call().bind(self.files[0].to_string()).bind(to);
            let moved = call.bind((place * most).cast_signed()).run(self.connection).await?;
            expect_count(moved, most.min(self.items - place * most), "items of a further file")?;
        }
        Ok(())
    }

    async fn mark_requests(&mut self) -> Result<(), StoreError> {
        let mut marked = 0;
        for file_id in &self.files {
            marked += sql::MARK_REQUESTS.call().bind(file_id.to_string()).run(self.connection).await?;
        }
        expect_count(marked, self.items, "OPEN requests of the claim's items")
    }

    /// Nights whose file was taken over have nothing left to do.
    async fn close_earlier_nights(&mut self) -> Result<(), StoreError> {
        let call = sql::CLOSE_EARLIER_NIGHTS.call().bind(self.order.due.institution.as_str());
        let call = call.bind(self.order.manufacturer.as_str()).bind(self.order.night.to_string());
        call.run(self.connection).await?;
        Ok(())
    }
}

/// An item with the versions it was decided on.
struct FrozenItem {
    item: NewItem,
    card_id: i64,
    plastic_id: i64,
    event: ProductionEvent,
    reproduction: bool,
    card_version: i64,
    product_code: String,
    customer: (i64, i64),
    account: (i64, i64),
    pin_version: Option<i64>,
}

impl FrozenItem {
    fn of(dossier: &Dossier, item: NewItem) -> Result<Self, StoreError> {
        let request = dossier.requests.iter().find(|request| request.record_uid == item.record_uid);
        let request = request.ok_or_else(|| StoreError::Corrupt {
            what: format!("request {}", item.record_uid),
            reason: format!("it was decided on, but card {} has no such due request", dossier.card_id),
        })?;
        Ok(Self {
            card_id: dossier.card_id.get(),
            // R26: a reordered PIN is for the plastic in use, whichever it was ordered for.
            plastic_id: plastic_of(&dossier.plastics, request).map_or(request.plastic_id, |it| it.plastic_id).get(),
            event: request.event,
            reproduction: request.reproduction,
            card_version: dossier.card_version,
            product_code: dossier.card.product_code.clone(),
            customer: (dossier.card.customer_id.get(), dossier.customer_version),
            account: (dossier.card.account_id.get(), dossier.account_version),
            pin_version: if item.pin == PinAction::Stored { dossier.pin_version } else { None },
            item,
        })
    }

    /// The columns of [`sql::WRITE_ITEMS`].
    fn columns(self, file_id: &str, epoch: i64, institution: &str) -> Vec<Value> {
        let Self { item, card_id, plastic_id, event, reproduction, card_version, product_code, .. } = self;
        vec![
            file_id.into(),
            epoch.into(),
            institution.into(),
            item.sort_key.into(),
            item.record_uid.to_string().into(),
            card_id.into(),
            plastic_id.into(),
            event.as_str().into(),
            reproduction.into(),
            card_version.into(),
            product_code.into(),
            self.customer.0.into(),
            self.customer.1.into(),
            self.account.0.into(),
            self.account.1.into(),
            item.pin.as_str().into(),
            self.pin_version.into(),
            item.prints_pin.into(),
            item.settles_to.map(PlasticStatus::as_str).into(),
        ]
    }
}

/// A set of rows changes as a whole or not at all.
pub(super) fn expect_count(found: u64, expected: u64, what: &str) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Corrupt { what: what.to_owned(), reason: format!("{expected} were to be changed, {found} were") })
}
