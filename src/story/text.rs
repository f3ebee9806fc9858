//! The story for people, in lines of at most 100 columns where no single word is longer.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::json::{answered, masked};
use super::{Outlook, Prospect, Story, advice};
use crate::card::{FileId, PlasticId, RecordUid};
use crate::selection::Standing;
use crate::store::stories::{DeliveryNote, FileNote, RequestNote, StandingNote, VersionNote};
use crate::store::{EventRow, Subject};

/// Columns of a line.
const WIDTH: usize = 100;

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_card(f)?;
        self.write_plastics(f)?;
        self.write_orders(f)?;
        self.write_requests(f)?;
        self.write_files(f)?;
        self.write_audit(f)?;
        self.write_events(f)?;
        self.write_outlook(f)
    }
}

impl Story {
    fn write_card(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let card = &self.card;
        let Some(now) = card.versions.last() else { return Ok(()) };
        let number = masked(card);
        match self.subject {
            Subject::Card(id) => writeln!(f, "Card {id} of {}: {number}", card.institution)?,
            Subject::Plastic(id) => {
                writeln!(f, "Plastic {id} of card {} of {}: {number}", card.card_id, card.institution)?;
            }
        }
        let house = match (&self.house, &card.manufacturer) {
            (Some(house), Some(_)) => format!("house {house}"),
            (Some(house), None) => format!("house {house} (the default)"),
            (None, Some(_)) => "a house that is no code".to_owned(),
            (None, None) => "no house".to_owned(),
        };
        wrap(
            f,
            2,
            &format!(
                "{} {}, status {} {} since {}, pinStatus {}, {house}",
                now.scheme,
                now.product_code,
                now.status.code(),
                now.status,
                time(now.status_since),
                now.pin_status
            ),
        )?;
        let mut more = Vec::new();
        more.extend(now.physical.map(|physical| format!("physical {physical}")));
        more.extend(now.scheduled_closing.map(|at| format!("closes by schedule at {}", time(at))));
        more.extend(now.replaces.map(|id| format!("replaces card {id}")));
        more.extend(now.replaced_by.map(|id| format!("replaced by card {id}")));
        if !more.is_empty() {
            wrap(f, 2, &more.join(", "))?;
        }
        let versions: Vec<VersionNote> = card.versions.iter().map(|version| version.note).collect();
        wrap(f, 2, &format!("versions of the card: {}", dates(&versions)))?;
        wrap(f, 2, &format!("of customer {}: {}", card.customer_id, dates(&card.customer_versions)))?;
        wrap(f, 2, &format!("of account {}: {}", card.account_id, dates(&card.account_versions)))?;
        self.write_pins(f)
    }

    fn write_pins(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pins = |on_record| {
            let pins = self.card.pins.iter().filter(|pin| pin.on_record == on_record);
            pins.map(|pin| pin.note).collect::<Vec<VersionNote>>()
        };
        let (there, others) = (pins(true), pins(false));
        if there.is_empty() {
            wrap(f, 2, "no PIN on record")?;
        } else {
            wrap(f, 2, &format!("of the PIN: {}", dates(&there)))?;
        }
        if others.is_empty() {
            return Ok(());
        }
        wrap(f, 2, &format!("PINs that were made and have not gone out: {}", dates(&others)))
    }

    fn write_plastics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plastics = &self.card.plastics;
        head(f, "Plastics", plastics.len())?;
        if plastics.is_empty() {
            return Ok(());
        }
        writeln!(f, "  no  plastic             event      status     expiry   marked at             embossed")?;
        for plastic in plastics {
            let marked = plastic.marked_at.map_or("-".to_owned(), time);
            let embossed = plastic.embossing_date.map_or("-".to_owned(), |date| date.to_string());
            writeln!(
                f,
                "  {:>2}  {:<18}  {:<9}  {:<9}  {}  {marked:<20}  {embossed}",
                plastic.sequence_number, plastic.plastic_id, plastic.event, plastic.status, plastic.expiry
            )?;
        }
        Ok(())
    }

    fn write_orders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "Orders", self.card.orders.len())?;
        for order in &self.card.orders {
            let (description, warnings) = answered(order);
            wrap(f, 2, &format!("{} {} {}: {description}", time(order.at), order.op, order.order_id))?;
            for (code, text) in warnings {
                wrap(f, 6, &format!("{code}: {text}"))?;
            }
        }
        Ok(())
    }

    fn write_requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "Production requests", self.card.requests.len())?;
        for request in &self.card.requests {
            wrap(f, 2, &marked(request))?;
            writeln!(f, "      recordUid {}", request.record_uid)?;
            if let Some(file_id) = request.file_id {
                writeln!(f, "      in {}", self.file_name(file_id))?;
            }
            for note in self.card.standings.iter().filter(|note| note.record_uid == request.record_uid) {
                wrap(f, 6, &nights(note))?;
            }
        }
        for stop in &self.card.stops {
            let text = format!("the agreement stood still on {}: {}", stop.night, stop.code);
            wrap(f, 2, &text)?;
            wrap(f, 6, advice::of(stop.code).act)?;
        }
        Ok(())
    }

    /// The final name, or the id before there is one.
    fn file_name(&self, id: FileId) -> String {
        let file = self.card.files.iter().find(|file| file.file_id == id);
        file.and_then(|file| file.file_name.clone()).unwrap_or_else(|| format!("file {id}"))
    }

    fn write_files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "Files", self.card.files.len())?;
        for file in &self.card.files {
            writeln!(f, "  {}", self.file_name(file.file_id))?;
            writeln!(f, "      file {}", file.file_id)?;
            wrap(f, 6, &self.file(file))?;
            for item in &file.items {
                let plastic = item.plastic_id;
                match (item.record_number, &item.reason) {
                    (Some(number), _) => wrap(f, 6, &format!("record {number}: plastic {plastic}"))?,
                    (None, reason) => {
                        let reason = reason.as_deref().unwrap_or("no reason");
                        wrap(f, 6, &format!("plastic {plastic} was taken out again: {reason}"))?;
                    }
                }
            }
            wrap(f, 6, &dated(file))?;
            if let Some(sha256) = &file.sha256 {
                writeln!(f, "      sha256 {sha256}")?;
            }
            for delivery in &file.deliveries {
                wrap(f, 6, &delivered(delivery))?;
                if !delivery.identity.is_empty() {
                    wrap(f, 6, &format!("receipt: {}", delivery.identity))?;
                }
            }
            if let Some(trouble) = &file.trouble {
                wrap(f, 6, trouble)?;
            }
        }
        Ok(())
    }

    fn file(&self, file: &FileNote) -> String {
        let records = file.records.map_or(String::new(), |records| format!(", {records} records"));
        let abandoned = if file.abandoned { ", its cards were taken out" } else { "" };
        let repeats = file.resend_of.map_or(String::new(), |id| format!(", duplicate of {}", self.file_name(id)));
        format!(
            "{} for {}, number {}, night {}{records}{abandoned}{repeats}",
            file.state, file.manufacturer, file.sequence_number, file.night
        )
    }

    fn write_audit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "What persons did to these files", self.card.audit.len())?;
        for row in &self.card.audit {
            let file = row.subject.parse().map_or_else(|_| row.subject.clone(), |id| self.file_name(FileId(id)));
            wrap(f, 2, &format!("{} {} by {}: {} ({file})", time(row.at), row.action, row.actor, row.reason))?;
        }
        Ok(())
    }

    fn write_events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "Events", self.card.events.len())?;
        for event in &self.card.events {
            wrap(f, 2, &format!("{} {}{}", time(event.at), event.kind, told(event)))?;
        }
        Ok(())
    }

    fn write_outlook(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let night = self.night;
        writeln!(f, "\nAs things stand now, for the night of {} (marked until {})", night.date, time(night.cut_off))?;
        if self.outlook.is_empty() {
            return writeln!(f, "  Nothing of this is marked for production: nothing goes, nothing is held.");
        }
        for outlook in &self.outlook {
            wrap(f, 2, &self.expectation(outlook))?;
            if let Some(code) = outlook.code {
                wrap(f, 6, &format!("What to do: {}", advice::of(code).act))?;
            }
            if outlook.prospect == Prospect::Produce {
                for file in &self.card.unfinished {
                    wrap(f, 6, &format!("The run first goes on with {}, which is {}.", file.name, file.state))?;
                }
            }
        }
        Ok(())
    }

    fn expectation(&self, outlook: &Outlook) -> String {
        let Outlook { plastic_id, event, .. } = outlook;
        let house = outlook.house.as_ref().map_or(String::new(), |house| format!(" to {house}"));
        let because = because(outlook);
        let what = match outlook.prospect {
            Prospect::Produce => format!("would go{house}."),
            Prospect::Hold => format!("is held because of {because}."),
            Prospect::Exclude => format!("is excluded because of {because}."),
            Prospect::Close => format!("would be closed without a record because of {because}."),
            Prospect::InFile => {
                let file = outlook.file_id.map_or("a file".to_owned(), |id| self.file_name(id));
                format!("is in {file}, which is on its way.")
            }
            Prospect::NotDue => "was marked after that: it goes a night later.".to_owned(),
            Prospect::NotJudged => self.not_judged(outlook.record_uid),
        };
        format!("plastic {plastic_id} ({event}) {what}")
    }

    /// What a verdict needs stands in columns that who asks may not read.
    fn not_judged(&self, record_uid: RecordUid) -> String {
        let newest = self.card.standings.iter().rev().find(|note| note.record_uid == record_uid);
        let last = newest.map_or("no night has held it so far".to_owned(), nights);
        format!("cannot be judged here: the database role may not read names and addresses; {last}.")
    }
}

fn because(outlook: &Outlook) -> String {
    let Some(code) = outlook.code else { return String::new() };
    let rule = advice::of(code).rule;
    let rule = if rule.is_empty() { String::new() } else { format!(" ({rule})") };
    let detail = if outlook.detail.is_empty() { String::new() } else { format!(", {}", outlook.detail) };
    format!("{code}{rule}{detail}, marked {}", days(outlook.age_days))
}

fn head(f: &mut fmt::Formatter<'_>, title: &str, count: usize) -> fmt::Result {
    if count == 0 { writeln!(f, "\n{title}: none") } else { writeln!(f, "\n{title}") }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn marked(request: &RequestNote) -> String {
    let RequestNote { event, plastic_id, state, .. } = request;
    let again = if request.reproduction { ", made a second time" } else { "" };
    let reason = request.reason.as_deref().map_or(String::new(), |reason| format!(", {reason}"));
    format!("{event} of plastic {plastic_id}{again}, marked {}: {state}{reason}", time(request.marked_at))
}

/// Versions, newest first.
fn dates(versions: &[VersionNote]) -> String {
    let one = |note: &VersionNote| format!("{} of {}", note.version, time(note.made_at));
    versions.iter().rev().map(one).collect::<Vec<_>>().join(", ")
}

fn days(days: i64) -> String {
    match days {
        i64::MIN..=0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

fn nights(note: &StandingNote) -> String {
    let StandingNote { code, first_night, last_night, times, .. } = note;
    let verdict = if note.standing == Standing::Exclude { "excluded" } else { "held" };
    if *times == 1 {
        format!("{verdict} on the night of {first_night}: {code}")
    } else {
        format!("{verdict} on {times} nights from {first_night} to {last_night}: {code}")
    }
}

fn dated(file: &FileNote) -> String {
    let published = file.published_at.map_or(String::new(), |at| format!(", published {}", time(at)));
    let settled = file.settled_at.map_or(String::new(), |at| format!(", settled {}", time(at)));
    format!("T0 {}, data as of {}{published}{settled}", time(file.cut_off), time(file.data_as_of))
}

fn delivered(delivery: &DeliveryNote) -> String {
    let DeliveryNote { delivery_number, state, attempt, .. } = delivery;
    let published = delivery.published_at.map_or(String::new(), |at| format!(" {}", time(at)));
    format!("delivery {delivery_number}: {state}{published}, attempt {attempt}")
}

/// What an event says beside its kind, of what it may.
fn told(event: &EventRow) -> String {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let plastic = data["plasticId"].as_str().and_then(|id| id.parse::<PlasticId>().ok());
    let plastic = plastic.map_or(String::new(), |id| format!(" plastic {id}"));
    let moved = if data["to"].is_string() { format!(" {} -> {}", text("from"), text("to")) } else { String::new() };
    let reason = if data["reason"].is_string() { format!(" {}", text("reason")) } else { String::new() };
    format!("{plastic}{moved}{reason}")
}

/// Words in lines, each behind `indent` blanks, the further ones behind four more.
fn wrap(f: &mut fmt::Formatter<'_>, indent: usize, text: &str) -> fmt::Result {
    let mut line = " ".repeat(indent);
    let mut is_new = true;
    for word in text.split_whitespace() {
        if !is_new && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(f, "{line}")?;
            line = " ".repeat(indent + 4);
            is_new = true;
        }
        if !is_new {
            line.push(' ');
        }
        line.push_str(word);
        is_new = false;
    }
    writeln!(f, "{line}")
}
