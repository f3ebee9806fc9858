//! Random weeks: orders, changes, cancellations, databases that go away and houses that misbehave, night after night.
//! Whatever happened, two good nights later the promise of the night holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use emboss::ambient::Random;
use emboss::delivery::{Refusal, Step};
use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{Delivered, Site, card, night_of, on_demand, person, sha256, update_card, update_plastic};
use crate::tripwire::{Tripwire, When};

const NIGHTS: [&str; 7] =
    ["2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"];

/// A week of one issuer with one house.
struct Week {
    site: Site,
    dice: Random,
    cards: Vec<u32>,
    cancelled: BTreeSet<u32>,
    /// What was done, for whoever has to look at a failure.
    story: Vec<String>,
}

impl Week {
    async fn begin(seed: u64) -> Self {
        let site = Site::new();
        site.take("2026-11-20T08:00:00Z", &person(1001)).await;
        let story = vec![format!("seed {seed}")];
        Self { site, dice: Random::seeded(seed), cards: Vec::new(), cancelled: BTreeSet::new(), story }
    }

    /// 0 to `below` - 1.
    fn roll(&self, below: u8) -> u8 {
        self.dice.bytes::<1>()[0] % below
    }

    fn any_card(&self) -> Option<u32> {
        let last = u8::try_from(self.cards.len()).ok().filter(|length| *length > 0)?;
        Some(self.cards[usize::from(self.roll(last))])
    }

    fn tell(&mut self, what: String) {
        self.story.push(what);
    }

    /// What comes in between two nights.
    async fn day(&mut self, at: &str) {
        for _ in 0..self.roll(4) {
            let number = 3001 + u32::try_from(self.cards.len()).unwrap();
            self.cards.push(number);
            self.tell(format!("{at} card {number}"));
            self.site.take(at, &[card(number, 1001)]).await;
        }
        for _ in 0..self.roll(4) {
            let Some(number) = self.any_card() else { continue };
            let kind = self.roll(5);
            let order = match kind {
                0 => update_card(number, json!({"pinStatus": "W"})),
                1 => update_card(number, json!({"pinStatus": "D"})),
                2 => update_card(number, json!({"status": "CARD_BLOCKED"})),
                3 => update_card(number, json!({"status": "CARD_OK"})),
                _ => update_plastic(number, 1, "CANCEL"),
            };
            let answer = self.site.import(at, &[order]).await.remove(0);
            let taken = answer["errorCode"].is_null();
            self.tell(format!("{at} change {kind} of {number}, taken: {taken}"));
            if kind == 4 && taken {
                self.cancelled.insert(number);
            }
        }
    }

    fn trick(&self) -> Trick {
        let steps = [Step::Connect, Step::Create, Step::Write, Step::Close, Step::Rename, Step::Stat];
        let step = steps[usize::from(self.roll(6))];
        match self.roll(7) {
            0 => Trick::Refuse(step, Refusal::PermissionDenied),
            1 => Trick::Refuse(step, Refusal::Failure),
            2 => Trick::Lose(step, u32::from(self.roll(4))),
            3 => Trick::LoseRenameAnswer,
            4 => Trick::StopAt(step),
            _ => Trick::None,
        }
    }

    /// A run in which something goes wrong, perhaps.
    async fn bad_run(&mut self, date: &str) {
        let now = format!("{date}T12:00:00Z");
        let demanded = self.roll(5) == 0;
        let mut night = if demanded { self.site.open(&now).await } else { self.site.open_for(date).await };
        let (trick, dies) = (self.trick(), self.roll(2) == 0);
        let step = usize::from(self.roll(12));
        let when = if self.roll(2) == 0 { When::Before } else { When::After };
        Rigged::into(&mut night, trick, None, &self.site.path("out"));
        if dies {
            night.store = Tripwire::number(Arc::clone(&night.store), step, when);
        }
        let order = if demanded { on_demand(&now, &[]) } else { night_of(date) };
        let outcome = night.run(&order).await;
        let told = match &outcome {
            Ok(report) => report.to_string(),
            Err(error) => error.to_string(),
        };
        self.tell(format!("{date} demanded {demanded}, {trick:?}, dies {dies} {when:?} step {step}:\n{told}"));
        if let Ok(report) = outcome {
            assert!(report.arithmetic().adds_up(), "{}", self.story.join("\n"));
        }
        self.check_always().await;
    }

    /// What holds at every moment: no card in two files, no plastic moved whose file the house does not have.
    async fn check_always(&self) {
        let story = || self.story.join("\n");
        let mut records: BTreeMap<i64, u32> = BTreeMap::new();
        for name in self.site.names_in("out").iter().filter(|name| name.ends_with(".pgp")) {
            let file = self.site.open_file(&self.site.path("out").join(name));
            file.cards().into_iter().for_each(|number| *records.entry(number).or_default() += 1);
        }
        assert!(records.values().all(|count| *count == 1), "a card was produced twice: {records:?}\n{}", story());
        for number in self.site.texts("SELECT CAST(card_id AS TEXT) FROM plastic WHERE status = 'ACTIVE'").await {
            assert!(records.contains_key(&number.parse().unwrap()), "card {number} moved without a file\n{}", story());
        }
    }

    /// Everything is released, two good nights pass: the promise.
    async fn end(mut self) {
        let now = "2026-11-27T20:00:00Z";
        for number in &self.cards {
            self.site.take(now, &[update_card(*number, json!({"pinStatus": "D", "status": "CARD_OK"}))]).await;
        }
        for date in ["2026-11-28", "2026-11-29"] {
            let report = self.site.run(date).await;
            self.tell(format!("good night {date}:\n{report}"));
            // A night of which every run died before it began, or that was asked for on demand only, was missed.
            let missed = report.alerts.iter().filter(|alert| alert.code == "MISSED_RUN").count();
            let expected = (i32::from(missed > 0), missed, true);
            let said = (report.exit_code(), report.alerts.len(), report.arithmetic().adds_up());
            assert_eq!(said, expected, "{}", self.story.join("\n"));
        }
        self.check_always().await;
        let story = self.story.join("\n");
        let files = self.site.delivered();
        let mut delivered: Vec<u32> =
            files.iter().flat_map(Delivered::cards).map(|number| u32::try_from(number).unwrap()).collect();
        delivered.sort_unstable();
        let expected: Vec<u32> = self.cards.iter().copied().filter(|number| !self.cancelled.contains(number)).collect();
        assert_eq!(delivered, expected, "every card in exactly one file\n{story}");
        let rows = self.site.files().await;
        assert_eq!(rows.len(), files.len(), "every file made is a file delivered\n{story}");
        for (place, (file, row)) in files.iter().zip(&rows).enumerate() {
            assert_eq!(file.header.sequence_number, place as u64 + 1, "R131\n{story}");
            assert_eq!(
                (row.state.as_str(), row.sha256.as_deref()),
                ("SETTLED", Some(&*sha256(&file.sealed))),
                "{story}"
            );
        }
        let moved = self.site.events("plastic.moved").await;
        let produced = moved.iter().filter(|event| event["to"] == "ACTIVE").count();
        assert_eq!(produced, expected.len(), "each plastic moved once\n{story}");
        let twice = "SELECT COUNT(*) FROM (SELECT card_id FROM pin GROUP BY card_id HAVING COUNT(*) > 1)";
        assert_eq!(self.site.number(twice).await, 0, "R40: one PIN a card\n{story}");
    }
}

#[tokio::test]
async fn the_promise_holds_after_random_weeks_of_faults() {
    for seed in 0..6 {
        let mut week = Week::begin(seed).await;
        for date in NIGHTS {
            let day = date.parse::<chrono::NaiveDate>().unwrap().pred_opt().unwrap();
            week.day(&format!("{day}T13:00:00Z")).await;
            for _ in 0..=week.roll(2) {
                week.bad_run(date).await;
            }
        }
        week.end().await;
    }
}
