//! A night's steps on a store, for the store's contract: runs, claims, PINs, and a file brought as far as wanted.

use std::collections::BTreeMap;

use super::seed::*;
use emboss::agreement::{FileFormat, FileVersion};
use emboss::card::*;
use emboss::selection::{Dossier, PinAction, ReasonCode, Request};
use emboss::settlement::{Authority, FileEvent};
use emboss::store::*;
use uuid::Uuid;

/// Decides as told: everything is produced as a card with a new PIN that settles to ACTIVE, unless named otherwise.
pub(crate) struct Script {
    /// Requests that are closed, and why.
    pub(crate) close: BTreeMap<RecordUid, ReasonCode>,
    /// Requests that stay OPEN.
    pub(crate) hold: Vec<RecordUid>,
    /// Requests that stay OPEN, and what is written down of them.
    pub(crate) stay: Vec<Stay>,
    /// What to do about PINs.
    pub(crate) pin: PinAction,
    /// Whether PIN letters are printed.
    pub(crate) prints_pin: bool,
    /// What plastics become.
    pub(crate) settles_to: PlasticStatus,
    /// A file even without items.
    pub(crate) even_empty: bool,
    /// Stop instead.
    pub(crate) stop: Option<ReasonCode>,
    /// The first file's id.
    pub(crate) first_file: u128,
    /// What was seen.
    pub(crate) seen: Vec<Dossier>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            close: BTreeMap::new(),
            hold: Vec::new(),
            stay: Vec::new(),
            pin: PinAction::Generate,
            prints_pin: true,
            settles_to: PlasticStatus::Active,
            even_empty: false,
            stop: None,
            first_file: 0xF000,
            seen: Vec::new(),
        }
    }
}

impl Decide for Script {
    fn restart(&mut self) {
        self.seen.clear();
    }

    fn decide(&mut self, dossier: &Dossier) -> Vec<Decision> {
        self.seen.push(dossier.clone());
        let due = dossier.requests.iter().filter(|request| !self.hold.contains(&request.record_uid));
        let stay = |request: &Request| self.stay.iter().find(|stay| stay.record_uid == request.record_uid);
        due.map(|request| match (self.close.get(&request.record_uid), stay(request)) {
            (Some(code), _) => Decision::Close(request.record_uid, *code),
            (None, Some(stay)) => Decision::Stay(*stay),
            (None, None) => {
                let ropin = request.event == ProductionEvent::Ropin;
                Decision::Produce(NewItem {
                    record_uid: request.record_uid,
                    sort_key: format!("{}{:018}", u8::from(ropin), request.plastic_id.get()),
                    pin: if ropin { PinAction::Stored } else { self.pin },
                    prints_pin: self.prints_pin,
                    settles_to: (!ropin && !request.reproduction).then_some(self.settles_to),
                })
            }
        })
        .collect()
    }

    fn conclude(&mut self) -> Conclusion {
        match self.stop {
            Some(code) => Conclusion::Stop { code, detail: "as told".into() },
            None => Conclusion::Commit { even_empty: self.even_empty },
        }
    }

    fn new_file(&mut self) -> NewFile {
        self.first_file += 1;
        NewFile { file_id: file_id(self.first_file - 1), fill_seed: b"wrapped seed".to_vec() }
    }
}

/// A file id.
pub(crate) fn file_id(number: u128) -> FileId {
    FileId(Uuid::from_u128(0x4000_8000_0000_0000_0000 + number))
}

/// The run of a day in November 2026, with its epoch.
pub(crate) struct Run {
    /// Its id.
    pub(crate) run_id: RunId,
    /// Its epoch.
    pub(crate) epoch: i64,
    /// The day.
    pub(crate) day: u32,
}

impl Run {
    /// Begins the run of a day; `number` tells two runs of a day apart.
    pub(crate) async fn begin(store: &dyn Store, day: u32, number: u128) -> Self {
        let run_id = RunId(Uuid::from_u128(0xAAAA_0000 + u128::from(day) * 100 + number));
        let row = run_row(run_id, day);
        let epoch = store.begin_run(&row).await.unwrap();
        Self { run_id, epoch, day }
    }

    /// The night.
    pub(crate) fn night(&self) -> NightKey {
        format!("2026-11-{}", self.day).parse().unwrap()
    }

    /// What to claim for a house.
    pub(crate) fn order(&self, code: &str) -> ClaimOrder {
        let cut_off = at(&format!("2026-11-{}T03:00:00Z", self.day));
        ClaimOrder {
            night: self.night(),
            run_id: self.run_id,
            epoch: self.epoch,
            manufacturer: house(code),
            due: Due {
                institution: issuer(),
                route: Route::Manufacturer { code: house(code), is_default: code == "HOUSE" },
                cut_off,
                cards: Vec::new(),
            },
            format: FileFormat::Xml,
            version: FileVersion::V2,
            max_records_per_file: 0,
        }
    }

    /// Claims for HOUSE.
    pub(crate) async fn claim(&self, store: &dyn Store, script: &mut Script) -> Claimed {
        store.claim(&self.order("HOUSE"), script).await.unwrap()
    }

    /// One step of a file.
    pub(crate) async fn step(&self, store: &dyn Store, file: &mut FileRow, event: FileEvent, change: FileChange) {
        *file = store.advance(file, event, self.epoch, change).await.unwrap();
    }

    /// CLAIMED to SEALED.
    pub(crate) async fn seal(&self, store: &dyn Store, file: &mut FileRow) {
        let records = store.item_counts(file.file_id).await.unwrap().records;
        self.step(store, file, FileEvent::Seal, sealed(records)).await;
    }

    /// CLAIMED to READY.
    pub(crate) async fn ready(&self, store: &dyn Store, file: &mut FileRow) {
        self.seal(store, file).await;
        self.step(store, file, FileEvent::Send, sending(1)).await;
        self.step(store, file, FileEvent::Complete, FileChange::Complete).await;
    }

    /// CLAIMED to RENAMING.
    pub(crate) async fn renaming(&self, store: &dyn Store, file: &mut FileRow) {
        self.ready(store, file).await;
        self.step(store, file, FileEvent::Rename, FileChange::Rename { rename_attempt: 1 }).await;
    }

    /// CLAIMED to PUBLISHED.
    pub(crate) async fn publish(&self, store: &dyn Store, file: &mut FileRow) {
        self.renaming(store, file).await;
        let at = at("2026-11-20T03:05:00Z");
        self.step(store, file, FileEvent::Publish, FileChange::Publish { at }).await;
    }

    /// CLAIMED to SETTLED.
    pub(crate) async fn settle(&self, store: &dyn Store, file: &mut FileRow) -> SettleOutcome {
        self.publish(store, file).await;
        store.settle(file, self.epoch).await.unwrap()
    }
}

/// A run's row.
pub(crate) fn run_row(run_id: RunId, day: u32) -> RunRow {
    RunRow {
        run_id,
        kind: RunKind::Night,
        business_date: format!("2026-11-{day}").parse().unwrap(),
        cut_off: at(&format!("2026-11-{day}T03:00:00Z")),
        started_at: at(&format!("2026-11-{day}T03:00:05Z")),
        ended_at: None,
        exit_code: None,
        holder: "host 1 process 42".into(),
        report: None,
    }
}

/// What sealing writes.
pub(crate) fn sealed(records: u64) -> FileChange {
    FileChange::Seal {
        file_name: "EMB_TEST.xml.pgp".into(),
        sha256: "ab".repeat(32),
        size_bytes: 1234,
        records,
        cards: records,
        pin_only: 0,
        by_production_event: "{}".into(),
        key_fingerprints: "[]".into(),
    }
}

/// What an attempt writes.
pub(crate) fn sending(attempt: u32) -> FileChange {
    FileChange::Send { attempt, temporary_name: format!("EMB_TEST.{attempt}.part"), identity: "sftp host".into() }
}

/// A person's order.
pub(crate) fn ordered(reason: &str) -> FileChange {
    FileChange::Ordered(anna(reason))
}

/// Anna, and why.
pub(crate) fn anna(reason: &str) -> Authority {
    Authority::new("anna", reason).unwrap()
}

/// A PIN as the vault would make it.
pub(crate) fn pin(version: i64, stored: &[u8]) -> ItemPin {
    ItemPin {
        version,
        scheme: "software/iso4".into(),
        stored: stored.to_vec(),
        pvv: Some(vec![0, 255]),
        pvki: Some("1".into()),
        pvv_key: Some("pvk-1".into()),
    }
}

/// Issues every PIN a file needs; how many there were.
pub(crate) async fn issue_pins(store: &dyn Store, run: &Run, file: FileId) -> usize {
    let (mut issued, mut after, mut kept) = (0, None, true);
    loop {
        let due = store.pins_to_issue(file, after.as_deref(), 2).await.unwrap();
        if due.is_empty() {
            if kept {
                return issued;
            }
            (after, kept) = (None, true);
            continue;
        }
        after = due.last().map(|need| need.sort_key.clone());
        let pins: Vec<NewPin> = due
            .iter()
            .map(|need| NewPin {
                record_uid: need.record_uid,
                card_id: need.card_id,
                pin: pin(need.version, format!("pin of {}", need.record_uid).as_bytes()),
            })
            .collect();
        let saved = store.save_pins(file, run.epoch, &pins).await.unwrap() as usize;
        issued += saved;
        kept &= saved == pins.len();
    }
}

/// A plastic's status now.
pub(crate) async fn status_of(store: &dyn Store, plastic: i64) -> PlasticStatus {
    let mut work = store.intake().await.unwrap();
    work.plastic(&issuer(), plastic_id(plastic)).await.unwrap().unwrap().status
}

/// The plastic ids of a file's items, in order.
pub(crate) async fn plastics_in(store: &dyn Store, file: FileId) -> Vec<i64> {
    let items = store.items(file, None, 10_000).await.unwrap();
    items.iter().map(|item| item.plastic.plastic_id.get()).collect()
}

/// A card's live requests as (recordUid, claimed).
pub(crate) async fn live(store: &dyn Store, card: i64) -> Vec<(RecordUid, bool)> {
    let mut work = store.intake().await.unwrap();
    let live = work.live_requests(&issuer(), card_id(card)).await.unwrap();
    live.into_iter().map(|(request, claimed)| (request.record_uid, claimed)).collect()
}
