//! Event x pinStatus x PIN on record, as `tests/pin_matrix.txt` demands it, through orders, two nights, and the file as its
//! house opens it. A renewed plastic is marked as the first step of a night does; everything else is ordered.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::set_pins::{newest, pan, pin_status, pins, set_pin};
use crate::site::{DATE, NEXT, ORDERED, Site, card, person, with};

const TABLE: &str = include_str!("../pin_matrix.txt");
/// When everything is ordered that the night of [`NEXT`] is about.
const DAY: &str = "2026-11-21T10:00:00Z";
const SET: &str = "4711";

/// A row of the table and the card that stands for it.
struct Row {
    line: &'static str,
    card: u32,
    event: &'static str,
    status: &'static str,
    on_record: &'static str,
    pin: &'static str,
    letters: [&'static str; 4],
}

impl Row {
    /// Every row that orders can bring about: virtual plastics are never marked, and what these events make is the first
    /// plastic of its card with a PIN, so that none was made for an earlier one.
    fn all() -> Vec<Self> {
        let first = |event: &str| ["NCRD", "NLOST", "RALLRE", "RALLNLOST"].contains(&event);
        let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rows: Vec<Self> = lines.zip(4001..).map(|(line, card)| Self::read(line, card)).collect();
        rows.into_iter()
            .filter(|row| row.pin != "VIRTUAL_EVENT" && !(first(row.event) && row.on_record == "made"))
            .collect()
    }

    fn read(line: &'static str, card: u32) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [event, status, on_record, pin, letters @ ..] = &words[..] else { panic!("{line}") };
        Self { line, card, event, status, on_record, pin, letters: letters.try_into().expect("four columns") }
    }

    /// Whether the card has a plastic before [`DAY`].
    fn is_about_an_older_card(&self) -> bool {
        ["RPL", "RPLRE", "ROPIN"].contains(&self.event)
    }

    /// The order that makes what the night of [`NEXT`] is about, or the card it replaces.
    fn orders(&self) -> Vec<Value> {
        let (own, lost) = (self.card, self.card + 1000);
        let instant = |number| with(card(number, 1001), json!({"body": {"productCode": "VISA_INSTANT"}}));
        let replaced = json!({"op": "replaceCard", "cardId": lost.to_string(), "body": {"newCardId": own.to_string()}});
        let of_card = |op: &str| json!({"op": op, "cardId": own.to_string()});
        match self.event {
            "NCRD" => vec![card(own, 1001)],
            "RALLRE" => vec![instant(own)],
            "NLOST" => vec![card(lost, 1001), replaced],
            "RALLNLOST" => vec![instant(lost), replaced],
            "RPLRE" => vec![of_card("reissueCard")],
            "ROPIN" => vec![of_card("reorderPin")],
            _ => Vec::new(),
        }
    }

    /// What this row demands of a letter column: PIN or reason, and letter.
    fn demands(&self, column: usize) -> (&'static str, &'static str) {
        match self.letters[column] {
            letter @ ("yes" | "no" | ".") => (self.pin, letter),
            another_reason => (another_reason, "."),
        }
    }
}

/// Brings every row about; the PINs that were made for the older cards.
async fn bring_about(site: &Site, rows: &[Row]) -> BTreeMap<u32, String> {
    let older: Vec<Value> =
        rows.iter().filter(|row| row.is_about_an_older_card()).map(|row| card(row.card, 1001)).collect();
    site.take(ORDERED, &person(1001)).await;
    site.take(ORDERED, &older).await;
    assert_eq!(site.run(DATE).await.arithmetic().delivered, older.len() as u64);
    let mut made = BTreeMap::new();
    for record in newest(site) {
        let card = u32::try_from(record.card_id.get()).unwrap();
        made.insert(card, pins(site, &pan(site, card).await, &record).0.expect("a PIN on its chip"));
    }
    for row in rows {
        if row.is_about_an_older_card() && row.on_record == "none" {
            // As of a platform that had none when the plastic was made.
            site.sql(&format!("DELETE FROM pin WHERE card_id = {}", row.card)).await;
        }
        if row.event == "RPL" {
            site.mark_plastic(row.card, "RPL", DAY).await;
        }
    }
    site.take(DAY, &rows.iter().flat_map(Row::orders).collect::<Vec<_>>()).await;
    let mut changes = Vec::new();
    for row in rows {
        if row.on_record == "set" {
            changes.push(set_pin(site, row.card, &pan(site, row.card).await, SET));
        }
        changes.push(pin_status(row.card, row.status));
    }
    site.take(DAY, &changes).await;
    made
}

/// What the night of [`NEXT`] made of each card: PIN or reason, and letter.
async fn outcomes(site: &Site, rows: &[Row], made: &BTreeMap<u32, String>) -> BTreeMap<u32, (String, String)> {
    let told = |pin: &str, letter: &str| (pin.to_owned(), letter.to_owned());
    let mut found = BTreeMap::new();
    for finding in site.plan(NEXT).await.findings {
        found.insert(u32::try_from(finding.card_id.get()).unwrap(), told(finding.code.as_str(), "."));
    }
    let report = site.run(NEXT).await;
    assert!(report.arithmetic().adds_up(), "{report}");
    for row in rows {
        let closed = format!("SELECT reason FROM production_request WHERE card_id = {} AND state = 'CLOSED'", row.card);
        if let Some(reason) = site.texts(&closed).await.first() {
            found.insert(row.card, told(reason, "."));
        }
    }
    for record in newest(site) {
        let card = u32::try_from(record.card_id.get()).unwrap();
        let row = rows.iter().find(|row| row.card == card).unwrap_or_else(|| panic!("card {card} went"));
        assert_eq!(record.production_event.as_str(), row.event, "{}", row.line);
        let (chip, letter) = pins(site, &pan(site, card).await, &record);
        let on_record = if row.on_record == "set" { Some(SET) } else { made.get(&card).map(String::as_str) };
        let on_record = on_record.filter(|_| row.on_record != "none");
        let pin = chip.as_deref().or(letter.as_deref()).unwrap_or_else(|| panic!("no PIN: {}", row.line));
        assert!(letter.as_deref().is_none_or(|letter| letter == pin), "chip and letter differ: {}", row.line);
        assert_eq!(chip.is_none(), row.event == "ROPIN", "R25: {}", row.line);
        let kept = if on_record == Some(pin) { "kept" } else { "new" };
        let before = found.insert(card, told(kept, if letter.is_some() { "yes" } else { "no" }));
        assert_eq!(before, None, "held and made: {}", row.line);
    }
    found
}

async fn column(number: usize, configure: impl Fn(&Site)) {
    let site = Site::new();
    configure(&site);
    let rows = Row::all();
    assert_eq!(rows.len(), 7 * 9 - 4 * 3);
    let made = bring_about(&site, &rows).await;
    let found = outcomes(&site, &rows, &made).await;
    for row in &rows {
        let (pin, letter) = found.get(&row.card).unwrap_or_else(|| panic!("nothing came of {}", row.line));
        assert_eq!((pin.as_str(), letter.as_str()), row.demands(number), "column {number} of {}", row.line);
    }
    let statuses = site.texts("SELECT data ->> 'pinStatus' FROM card JOIN card_version USING (institution, card_id, version) WHERE card_id < 5000 ORDER BY card_id").await;
    let ordered: Vec<&str> = rows.iter().map(|row| row.status).collect();
    assert_eq!(statuses, ordered, "R37: no night changes a pinStatus");
}

#[tokio::test]
async fn r34_r35_r36_r37_r41_r42_the_matrix_through_a_night() {
    column(0, |_| ()).await;
}

#[tokio::test]
async fn r27_r41_the_matrix_with_electronic_pins() {
    column(1, |site| site.edit("include_phone = true", "include_phone = true\npin_delivery_type = \"EPIN\"")).await;
}

#[tokio::test]
async fn r41_the_matrix_with_letters_for_set_pins() {
    column(2, |site| site.edit("set_pin_keys =", "mailer_for_set_pin = true\nset_pin_keys =")).await;
}

#[tokio::test]
async fn r42_the_matrix_with_letters_for_reissues() {
    column(3, |site| site.edit("set_pin_keys =", "mailer_for_reissue = true\nset_pin_keys =")).await;
}
