//! Several agreements at once, and several files of one: nobody waits for a house that does not answer, everybody for
//! a file that goes first. What happens at the same time is shown by what one side waits for, never by a clock.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::agreement::Terms;
use emboss::delivery::{DeliveryError, Identity, Place, Refusal, Remote, Seen, Step};
use emboss::night::{Night, Observer, Outbound, Patience, Stage};
use emboss::report::{Outcome, Report};
use emboss::seal::Sealer;
use emboss::selection::Reason;
use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{DATE, ISSUER, ORDERED, Site, card, night_of, of, only, sha256, with};
use crate::tripwire::{Tripwire, When};

/// Opens when the night has finished a stage so many times; a thread may wait for it.
#[derive(Debug)]
struct Gate {
    subject: &'static str,
    stage: Stage,
    left: Mutex<u32>,
    opened: Condvar,
}

impl Gate {
    fn at(subject: &'static str, stage: Stage, times: u32) -> Arc<Self> {
        Arc::new(Self { subject, stage, left: Mutex::new(times), opened: Condvar::new() })
    }

    fn is_open(&self) -> bool {
        *self.left.lock().expect("not poisoned") == 0
    }

    /// Whether it opened; not for ever, so that a night in which it never does fails its test.
    fn wait(&self) -> bool {
        let left = self.left.lock().expect("not poisoned");
        let (left, _) =
            self.opened.wait_timeout_while(left, Duration::from_secs(60), |left| *left > 0).expect("not poisoned");
        *left == 0
    }
}

impl Observer for Gate {
    fn progress(&self, _subject: &str, _stage: Stage, _done: u64, _total: u64) {}

    fn finished(&self, subject: &str, stage: Stage) {
        if stage == self.stage && subject.contains(self.subject) {
            let mut left = self.left.lock().expect("not poisoned");
            *left = left.saturating_sub(1);
            self.opened.notify_all();
        }
    }
}

/// What the house of FACTORY_X does.
#[derive(Debug, Clone)]
enum Manner {
    /// It answers a connection only when the gate opens, with this.
    Silent(Arc<Gate>),
    /// It answers no connection before the gate opens.
    Away(Arc<Gate>),
    /// It takes the first file's first byte only when the gate opens.
    Slow(Arc<Gate>),
    /// It refuses to create names with this in them.
    Refuses(&'static str),
    /// It refuses our key.
    Locked,
}

#[derive(Debug, Clone)]
struct House {
    inner: Arc<dyn Outbound>,
    manner: Manner,
    calls: Arc<Mutex<Vec<String>>>,
}

impl House {
    fn into(night: &mut Night, manner: Manner) -> Self {
        let house = Self { inner: Arc::clone(&night.outbound), manner, calls: Arc::default() };
        night.outbound = Arc::new(house.clone());
        house
    }

    fn note(&self, call: String) {
        self.calls.lock().expect("not poisoned").push(call);
    }

    fn count(&self, what: &str) -> usize {
        self.calls.lock().expect("not poisoned").iter().filter(|call| call.starts_with(what)).count()
    }
}

impl Outbound for House {
    fn sealer(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Arc<Sealer>, Reason> {
        self.inner.sealer(terms, at)
    }

    fn connect(&self, terms: &Terms) -> Result<Box<dyn Remote>, DeliveryError> {
        if terms.manufacturer.code.as_str() != "FACTORY_X" {
            return self.inner.connect(terms);
        }
        self.note("connect".to_owned());
        match &self.manner {
            Manner::Silent(gate) => {
                let text = if gate.wait() { "the gate opened" } else { "the gate stayed shut" };
                self.note(text.to_owned());
                Err(no_answer())
            }
            Manner::Away(gate) if !gate.is_open() => Err(no_answer()),
            Manner::Away(_) => self.inner.connect(terms),
            Manner::Locked => {
                let (destination, user, reason) = ("local".to_owned(), "bank".to_owned(), "no".to_owned());
                Err(DeliveryError::Authentication { destination, user, reason })
            }
            Manner::Slow(_) | Manner::Refuses(_) => {
                Ok(Box::new(HouseRemote { inner: self.inner.connect(terms)?, house: self.clone() }))
            }
        }
    }

    fn patience(&self, terms: &Terms) -> Patience {
        let pause = Duration::from_millis(1);
        Patience { attempts: 2, first: pause, longest: pause, ..self.inner.patience(terms) }
    }
}

fn no_answer() -> DeliveryError {
    let (destination, subject, reason) = ("local".to_owned(), "house:22".to_owned(), "no answer".to_owned());
    DeliveryError::Lost { destination, step: Step::Connect, subject, reason }
}

#[derive(Debug)]
struct HouseRemote {
    inner: Box<dyn Remote>,
    house: House,
}

impl Remote for HouseRemote {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn path(&self, place: Place<'_>) -> String {
        self.inner.path(place)
    }

    fn stat(&mut self, place: Place<'_>) -> Result<Seen, DeliveryError> {
        self.inner.stat(place)
    }

    fn create(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.house.note(format!("create {temporary_name}"));
        match &self.house.manner {
            Manner::Refuses(part) if temporary_name.contains(part) => {
                let place = Place::Temporary(temporary_name);
                Err(self.inner.refused(Step::Create, place, Refusal::PermissionDenied))
            }
            Manner::Slow(gate) if temporary_name.contains("_000001_") => {
                let text = if gate.wait() { "the gate opened" } else { "the gate stayed shut" };
                self.house.note(text.to_owned());
                self.inner.create(temporary_name)
            }
            _ => self.inner.create(temporary_name),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        self.inner.write(bytes)
    }

    fn close(&mut self) -> Result<(), DeliveryError> {
        self.inner.close()
    }

    fn allow(&mut self, time: Duration) {
        self.inner.allow(time);
    }

    fn mode(&mut self, temporary_name: &str) -> Result<Option<u32>, DeliveryError> {
        self.inner.mode(temporary_name)
    }

    fn free_bytes(&mut self) -> Result<Option<u64>, DeliveryError> {
        self.inner.free_bytes()
    }

    fn set_mode(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.inner.set_mode(temporary_name)
    }

    fn rename(&mut self, temporary_name: &str, final_name: &str) -> Result<(), DeliveryError> {
        self.house.note(format!("rename {final_name}"));
        self.inner.rename(temporary_name, final_name)
    }

    fn unlink(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.inner.unlink(temporary_name)
    }

    fn cut(&mut self) {
        self.inner.cut();
    }
}

/// Card 3001 for FACTORY_X, 3002 for FACTORY_Y.
async fn two_houses() -> Site {
    let mut site = Site::with_cards(&[3001]).await;
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y)]).await;
    site
}

/// Five cards in files of one.
async fn five_files() -> Site {
    let site = Site::with_cards(&[3001, 3002, 3003, 3004, 3005]).await;
    site.edit("include_phone = true", "include_phone = true\nmax_records_per_file = 1");
    site
}

async fn published(site: &Site) -> Vec<i64> {
    let events = site.events("file.published").await;
    events.iter().map(|event| event["sequenceNumber"].as_i64().expect("a number")).collect()
}

/// The first house answers nothing until the second agreement is settled: one after the other, that would never be.
#[tokio::test]
async fn fault_13_fault_29_a_house_that_does_not_answer_delays_nobody() {
    let site = two_houses().await;
    let mut night = site.open_for(DATE).await;
    let gate = Gate::at("FACTORY_Y", Stage::Settle, 1);
    night.observer = Arc::clone(&gate) as _;
    let house = House::into(&mut night, Manner::Silent(gate));
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!((house.count("the gate opened"), house.count("the gate stayed shut")), (2, 0), "{report}");
    let order: Vec<&str> = report.agreements.iter().map(|agreement| agreement.manufacturer.as_str()).collect();
    assert_eq!(order, ["FACTORY_X", "FACTORY_Y"], "the order of the configuration, whoever was first");
    assert_eq!(of(&report, ISSUER, "FACTORY_X").outcome, Outcome::Unfinished);
    assert_eq!(of(&report, ISSUER, "FACTORY_Y").outcome, Outcome::Delivered);
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
    drop(night);
    assert_eq!(site.run(DATE).await.exit_code(), 0);
    assert_eq!((site.status(3001).await, site.status(3002).await), ("ACTIVE".into(), "ACTIVE".into()));
}

/// `agreements_at_once = 1` is one after the other again.
#[tokio::test]
async fn the_number_of_agreements_at_once_is_bounded() {
    let site = two_houses().await;
    site.one_at_a_time();
    let report = site.run(DATE).await;
    assert_eq!(report.exit_code(), 0, "{report}");
    let query = "SELECT kind || ' ' || (data ->> 'manufacturer') FROM event
        WHERE kind IN ('file.claimed', 'file.settled') ORDER BY number";
    let told = site.texts(query).await;
    let expected = ["claimed FACTORY_X", "settled FACTORY_X", "claimed FACTORY_Y", "settled FACTORY_Y"];
    assert_eq!(told, expected.map(|text| format!("file.{text}")));
}

/// An agreement that rests between two tries leaves its place: the first house answers only once the second agreement is
/// settled, which with one place and no rest from it would never be.
#[tokio::test]
async fn fault_29_an_agreement_that_rests_between_tries_leaves_its_place() {
    let site = two_houses().await;
    site.one_at_a_time();
    let mut night = site.open_for(DATE).await;
    let gate = Gate::at("FACTORY_Y", Stage::Settle, 1);
    night.observer = Arc::clone(&gate) as _;
    House::into(&mut night, Manner::Away(gate));
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!(report.exit_code(), 0, "{report}");
    assert_eq!((site.status(3001).await, site.status(3002).await), ("ACTIVE".into(), "ACTIVE".into()));
}

/// Fault 19: a house that refuses our key is asked once in a run, however many agreements send there.
#[tokio::test]
async fn fault_19_a_destination_that_refused_us_is_not_asked_again_by_another_agreement() {
    let site = Site::with_cards(&[3001]).await;
    site.add_institution("246002", "40000056");
    site.add_agreement("246002", "FACTORY_X");
    let second = crate::site::person(1001).into_iter().chain([card(3003, 1001)]);
    let second: Vec<_> = second.map(|order| with(order, json!({"institutionId": "246002"}))).collect();
    site.take(ORDERED, &second).await;
    let mut night = site.open_for(DATE).await;
    let house = House::into(&mut night, Manner::Locked);
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!(house.count("connect"), 1, "{report}");
    for institution in [ISSUER, "246002"] {
        let agreement = of(&report, institution, "FACTORY_X");
        let why = agreement.reason.as_deref().unwrap();
        assert!(agreement.outcome == Outcome::Unfinished && why.contains("refused user bank"), "{why}");
    }
}

/// The first file is not begun at the house before the third is sealed: made while it is sent. And not more than
/// that: one is being sent, one waits, one was just made.
#[tokio::test]
async fn files_are_made_while_the_first_is_sent_and_no_more_than_can_wait() {
    let site = five_files().await;
    let mut night = site.open_for(DATE).await;
    let gate = Gate::at("FACTORY_X", Stage::Seal, 3);
    night.observer = Arc::clone(&gate) as _;
    let house = House::into(&mut night, Manner::Slow(gate));
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!((house.count("the gate opened"), house.count("the gate stayed shut")), (1, 0), "{report}");
    let order = "SELECT kind FROM event WHERE kind IN ('file.sealed', 'file.settled') ORDER BY number";
    let kinds = site.texts(order).await;
    let before = kinds.iter().take_while(|kind| *kind == "file.sealed").count();
    assert_eq!(before, 3, "sealed before the first was settled: {kinds:?}");
    assert_eq!((published(&site).await, report.exit_code()), (vec![1, 2, 3, 4, 5], 0), "{report}");
}

/// R136: behind a file that the house refuses the next ones are brought there and not published, and not all are made.
#[tokio::test]
async fn r136_behind_a_file_that_fails_others_are_ready_and_none_is_published() {
    let site = five_files().await;
    let mut night = site.open_for(DATE).await;
    let house = House::into(&mut night, Manner::Refuses("_000001_"));
    let report = night.run(&night_of(DATE)).await.unwrap();
    drop(night);
    assert_eq!((house.count("rename"), report.exit_code()), (0, 1), "{report}");
    let states = site.states().await;
    assert_eq!((states[0].as_str(), states[1].as_str(), states[4].as_str()), ("SENDING", "READY", "CLAIMED"));
    assert!(published(&site).await.is_empty());
    let sum = report.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.adds_up()), (5, 0, true), "{report}");
    assert!(only(&report).reason.as_deref().unwrap().contains("permission denied"), "{report}");

    let before = site.files().await;
    let report = site.run(DATE).await;
    assert_eq!((published(&site).await, report.exit_code()), (vec![1, 2, 3, 4, 5], 0), "{report}");
    let after = site.files().await;
    assert_eq!((after[1].attempt, &after[1].sha256), (1, &before[1].sha256), "renamed, not sent again");
    let sent: Vec<_> = site.delivered().iter().map(|file| sha256(&file.sealed)).collect();
    assert_eq!(sent, after.iter().filter_map(|file| file.sha256.clone()).collect::<Vec<_>>());
}

/// A file only a person can decide does not hold up the ones behind it.
#[tokio::test]
async fn r136_an_uncertain_file_does_not_block_the_next() {
    let site = five_files().await;
    let name = "TST_246001_FACTORY_X_20261121T030000Z_000001_1_V2.xml.pgp";
    std::fs::write(site.path("out").join(name), b"somebody else's").unwrap();
    let report = site.run(DATE).await;
    assert_eq!(site.states().await, ["UNCERTAIN", "SETTLED", "SETTLED", "SETTLED", "SETTLED"], "{report}");
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
}

/// Fault 11: the database goes away in the middle of both; none is left half-way, and the next run brings both home.
#[tokio::test]
async fn fault_11_a_database_that_goes_away_stops_every_agreement() {
    for step in ["claim", "save_pins", "seal", "complete", "rename", "publish", "settle"] {
        for when in [When::Before, When::After] {
            let site = two_houses().await;
            let mut night = site.open_for(DATE).await;
            night.store = Tripwire::at(night.store, step, when);
            let error = site.run_fails(&night, DATE).await;
            assert_eq!(error.exit_code(), 3, "{step} {when:?}");
            assert!(error.to_string().contains("it went away"), "the error that says why: {error}");
            drop(night);
            let report = site.run(DATE).await;
            assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (0, true), "{step} {when:?}: {report}");
            assert_eq!((site.names_in("out").len(), site.names_in("out-FACTORY_Y").len()), (1, 1), "{step} {when:?}");
            assert_eq!(site.events("plastic.moved").await.len(), 2, "{step} {when:?}");
        }
    }
}

/// Fault 30 with two agreements at work.
#[tokio::test]
async fn fault_30_sigterm_stops_every_agreement_between_two_transitions() {
    for step in [Step::Connect, Step::Close, Step::Rename] {
        let site = two_houses().await;
        let mut night = site.open_for(DATE).await;
        Rigged::into(&mut night, Trick::StopAt(step), Some("FACTORY_X"), &site.path("out"));
        assert_eq!(site.run_fails(&night, DATE).await.exit_code(), 3);
        drop(night);
        assert_eq!(site.run(DATE).await.exit_code(), 0, "{step}");
        assert_eq!((site.names_in("out").len(), site.names_in("out-FACTORY_Y").len()), (1, 1), "{step}");
        assert_eq!(site.events("plastic.moved").await.len(), 2, "{step}");
    }
}

/// A row that cannot be read stops the agreement it belongs to, by name, and no other.
#[tokio::test]
async fn fault_29_a_row_that_cannot_be_read_stops_its_agreement_only() {
    let site = two_houses().await;
    let unreadable = "UPDATE card_version SET data = json_set(data, '$.role', 'NOBODY') WHERE card_id = 3001";
    site.sql(unreadable).await;
    let report: Report = site.run(DATE).await;
    let stopped = of(&report, ISSUER, "FACTORY_X");
    let why = stopped.reason.as_deref().unwrap();
    assert!(stopped.outcome == Outcome::Stopped && why.contains("card 3001 of 246001"), "{report}");
    assert_eq!((of(&report, ISSUER, "FACTORY_Y").outcome, report.exit_code()), (Outcome::Delivered, 1));
    site.sql("UPDATE card_version SET data = json_set(data, '$.role', 'MAIN') WHERE card_id = 3001").await;
    assert_eq!(site.run(DATE).await.exit_code(), 0, "repaired, the same date takes it");
    assert_eq!(site.status(3001).await, "ACTIVE");
}
