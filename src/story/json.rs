//! The `--json` object of `explain`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Outlook, Story, advice};
use crate::card::Plastic;
use crate::store::stories::{DeliveryNote, FileNote, ItemNote, OrderNote, RequestNote, StandingNote, VersionNote};
use crate::store::{AuditRow, CardStory, EventRow, Subject};

impl Story {
    /// The object; its keys are frozen, and lists are in the order of time.
    pub fn to_json(&self) -> Value {
        let card = &self.card;
        let plastic_id = if let Subject::Plastic(id) = self.subject { Some(id) } else { None };
        json!({
            "command": "explain",
            "institution": card.institution,
            "cardId": card.card_id,
            "plasticId": plastic_id,
            "card": self.card_json(),
            "plastics": list(&card.plastics, plastic),
            "orders": list(&card.orders, order),
            "requests": list(&card.requests, request),
            "standings": list(&card.standings, standing),
            "stops": list(&card.stops, |stop| json!({
                "night": stop.night.to_string(), "cutOff": rfc3339(stop.cut_off), "reason": stop.code,
            })),
            "files": list(&card.files, file),
            "unfinished": list(&card.unfinished, |file| json!({ "file": file.name, "state": file.state })),
            "audit": list(&card.audit, audit),
            "events": list(&card.events, event),
            "next": {
                "businessDate": self.night.date.to_string(),
                "cutOff": rfc3339(self.night.cut_off),
                "requests": list(&self.outlook, outlook),
            },
            "exitCode": 0,
        })
    }

    fn card_json(&self) -> Value {
        let card = &self.card;
        let Some(now) = card.versions.last() else { return Value::Null };
        json!({
            "cardNumber": masked(card),
            "productCode": now.product_code,
            "scheme": now.scheme,
            "status": now.status,
            "statusSince": rfc3339(now.status_since),
            "pinStatus": now.pin_status,
            "physical": now.physical,
            "scheduledClosing": now.scheduled_closing.map(rfc3339),
            "replaces": now.replaces,
            "replacedBy": now.replaced_by,
            "manufacturer": self.house,
            "customerId": card.customer_id,
            "accountId": card.account_id,
            "versions": list(&card.versions, |version| json!({
                "version": version.note.version, "at": rfc3339(version.note.made_at), "status": version.status,
                "pinStatus": version.pin_status,
            })),
            "customerVersions": list(&card.customer_versions, version),
            "accountVersions": list(&card.account_versions, version),
            "pins": list(&card.pins, |pin| json!({
                "version": pin.note.version, "at": rfc3339(pin.note.made_at), "recordUid": pin.record_uid,
                "onRecord": pin.on_record,
            })),
        })
    }
}

/// First six digits and last four; ten of sixteen digits are all that is known here.
pub(super) fn masked(card: &CardStory) -> String {
    format!("{}******{}", card.bin, card.last4)
}

/// What is shown of an answer: its description, and code and text of each warning.
pub(super) fn answered(order: &OrderNote) -> (String, Vec<(String, String)>) {
    let answer: Value = serde_json::from_str(&order.answer).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.map(|warning| (text(&warning["code"]), text(&warning["text"]))).collect();
    (text(&answer["description"]), warnings)
}

fn list<T>(all: &[T], one: impl FnMut(&T) -> Value) -> Vec<Value> {
    all.iter().map(one).collect()
}

fn version(note: &VersionNote) -> Value {
    json!({ "version": note.version, "at": rfc3339(note.made_at) })
}

fn plastic(plastic: &Plastic) -> Value {
    json!({
        "plasticId": plastic.plastic_id,
        "sequenceNumber": plastic.sequence_number,
        "productionEvent": plastic.event,
        "status": plastic.status,
        "expiry": plastic.expiry,
        "markedAt": plastic.marked_at.map(rfc3339),
        "embossingDate": plastic.embossing_date.map(|date| date.to_string()),
    })
}

fn order(order: &OrderNote) -> Value {
    let (description, warnings) = answered(order);
    json!({
        "orderId": order.order_id,
        "op": order.op,
        "at": rfc3339(order.at),
        "description": description,
        "warnings": list(&warnings, |(code, text)| json!({ "code": code, "text": text })),
    })
}

fn request(request: &RequestNote) -> Value {
    json!({
        "recordUid": request.record_uid,
        "plasticId": request.plastic_id,
        "productionEvent": request.event,
        "reproduction": request.reproduction,
        "markedAt": rfc3339(request.marked_at),
        "state": request.state,
        "reason": request.reason,
        "fileId": request.file_id,
    })
}

fn standing(standing: &StandingNote) -> Value {
    json!({
        "recordUid": standing.record_uid,
        "verdict": standing.standing,
        "reason": standing.code,
        "firstNight": standing.first_night.to_string(),
        "lastNight": standing.last_night.to_string(),
        "nights": standing.times,
    })
}

fn file(file: &FileNote) -> Value {
    json!({
        "fileId": file.file_id,
        "fileName": file.file_name,
        "manufacturer": file.manufacturer,
        "sequenceNumber": file.sequence_number,
        "fileType": file.file_type,
        "resendOfFileId": file.resend_of,
        "state": file.state,
        "night": file.night.to_string(),
        "cutOff": rfc3339(file.cut_off),
        "dataAsOf": rfc3339(file.data_as_of),
        "sha256": file.sha256,
        "records": file.records,
        "abandoned": file.abandoned,
        "trouble": file.trouble,
        "publishedAt": file.published_at.map(rfc3339),
        "settledAt": file.settled_at.map(rfc3339),
        "places": list(&file.items, place),
        "deliveries": list(&file.deliveries, delivery),
    })
}

fn place(item: &ItemNote) -> Value {
    json!({
        "recordUid": item.record_uid,
        "plasticId": item.plastic_id,
        "recordNumber": item.record_number,
        "takenOut": item.reason,
    })
}

fn delivery(delivery: &DeliveryNote) -> Value {
    json!({
        "deliveryNumber": delivery.delivery_number,
        "state": delivery.state,
        "attempt": delivery.attempt,
        "receipt": delivery.identity,
        "startedAt": rfc3339(delivery.started_at),
        "publishedAt": delivery.published_at.map(rfc3339),
    })
}

fn audit(row: &AuditRow) -> Value {
    json!({
        "number": row.number, "at": rfc3339(row.at), "by": row.actor, "action": row.action, "fileId": row.subject,
        "reason": row.reason,
    })
}

fn event(row: &EventRow) -> Value {
    let data: Value = serde_json::from_str(&row.data).unwrap_or_default();
    json!({ "number": row.number, "at": rfc3339(row.at), "kind": row.kind, "data": data })
}

fn outlook(outlook: &Outlook) -> Value {
    let advice = outlook.code.map(advice::of);
    json!({
        "recordUid": outlook.record_uid,
        "plasticId": outlook.plastic_id,
        "productionEvent": outlook.event,
        "verdict": outlook.prospect,
        "manufacturer": outlook.house,
        "reason": outlook.code,
        "rule": advice.map(|advice| advice.rule),
        "detail": outlook.detail,
        "ageDays": outlook.age_days,
        "fileId": outlook.file_id,
        "advice": advice.map(|advice| advice.act),
    })
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
