//! setPin: what it puts on record, what it refuses, and that it never tells what was wrong with a block.

use chrono::{DateTime, Utc};
use emboss::card::{PinBlock, PinStatus, SecretHex};
use emboss::store::Store;
use emboss::vault::{Owner, PvvSpec, StoredPin, Wrapped};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Row};

use crate::desk::*;
use crate::pin_blocks::sealed;
use crate::vector_keys;

/// A format with the id of a key that fits it.
const FORMATS: [(&str, &str); 4] =
    [("ISO_0", "zpk-x-1"), ("ISO_0", "zpk-x-2"), ("ISO_3", "zpk-x-1"), ("ISO_4", "zpk-x-3")];

fn key(id: &str) -> Vec<u8> {
    vector_keys::raw_keys().into_iter().find(|key| key.id == id).unwrap().bytes.to_vec()
}

fn set_pin(card: &str, block: &str, format: &str, key_id: &str) -> Value {
    order("setPin", json!({"cardId": card, "body": {"pinBlock": block, "format": format, "keyId": key_id}}))
}

/// A desk with known keys, the customers, and card 3001 of a product with a PIN.
pub async fn with_card() -> Desk {
    with_windows(|_| None).await
}

/// The same with windows for some keys, by id.
async fn with_windows(window: impl Fn(&str) -> Option<emboss::vault::KeyWindow>) -> Desk {
    let desk = Desk::with_keys(|keys| {
        *keys = vector_keys::vault_keys();
        for key in &mut keys.keys {
            key.window = window(&key.id).unwrap_or_default();
        }
    })
    .await;
    desk.customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_PIN", "embossing": {}}))).await;
    desk
}

/// One row of `pin`.
struct PinRow {
    version: i64,
    record_uid: Option<String>,
    scheme: String,
    stored: Vec<u8>,
    pvv: Vec<u8>,
    pvki: String,
    pvv_key: String,
}

fn owner(card: &str) -> Owner {
    Owner { institution: issuer(), card_id: Some(card_id(card)) }
}

impl Desk {
    async fn pins(&self, card: &str) -> Vec<PinRow> {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.database());
        let mut connection = options.connect().await.unwrap();
        let query = "SELECT version, record_uid, scheme, stored, pvv, pvki, pvv_key FROM pin
            WHERE card_id = CAST($1 AS INTEGER) ORDER BY version";
        let rows = sqlx::query(query).bind(card.to_owned()).fetch_all(&mut connection).await.unwrap();
        let row = |row: sqlx::sqlite::SqliteRow| PinRow {
            version: row.get(0),
            record_uid: row.get(1),
            scheme: row.get(2),
            stored: row.get(3),
            pvv: row.get(4),
            pvki: row.get(5),
            pvv_key: row.get(6),
        };
        rows.into_iter().map(row).collect()
    }

    fn stored(&self, card: &str, row: &PinRow) -> StoredPin {
        self.vault.open_pin(&owner(card), row.version, &Wrapped(row.stored.clone())).unwrap()
    }

    /// Whether a row of `pin` holds this PIN.
    async fn holds(&self, card: &str, row: &PinRow, pin: &str) -> bool {
        let pan = self.pan(card).await;
        let value = SecretHex::new(sealed("ISO_0", &key("zpk-x-1"), pan.expose(), pin));
        let block = PinBlock { format: "ISO_0".parse().unwrap(), key_id: "zpk-x-1".into(), value };
        self.vault.crypto().verify_block(&pan, &self.stored(card, row), &block).await.unwrap()
    }

    /// setPin with a block that holds `pin`.
    pub async fn order_with(&self, card: &str, pin: &str) -> Value {
        let block = sealed("ISO_0", &key("zpk-x-1"), self.pan(card).await.expose(), pin);
        set_pin(card, &block, "ISO_0", "zpk-x-1")
    }

    /// That an order is refused with this code and leaves neither a PIN nor a version behind; its reason.
    async fn refuses(&self, line: &Value, code: &str, kind: &str) -> String {
        let before = (self.pins("3001").await.len(), self.card("3001").await);
        let (found, found_kind, reason) = self.refuse(line).await;
        assert_eq!((found.as_str(), found_kind.as_str()), (code, kind), "{reason}");
        assert_eq!((self.pins("3001").await.len(), self.card("3001").await), before, "{code} changed something");
        reason
    }
}

#[tokio::test]
async fn r32_r36_a_pin_in_every_format_is_on_record_with_its_pvv_and_the_card_in_s() {
    for (format, key_id) in FORMATS {
        let desk = with_card().await;
        let pan = desk.pan("3001").await;
        let line = set_pin("3001", &sealed(format, &key(key_id), pan.expose(), "4711"), format, key_id);
        let answer = desk.take(&line).await;
        let order_id = &line["orderId"];
        assert_eq!(
            answer,
            json!({"line": 1, "orderId": order_id, "description": "PIN set", "id": "3001", "cardId": "3001"})
        );
        let card = desk.card("3001").await.unwrap();
        assert_eq!((card.version, card.card.pin_status), (2, PinStatus::Set), "{format}");
        let rows = desk.pins("3001").await;
        let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
        assert_eq!((row.version, row.record_uid.as_deref(), row.scheme.as_str()), (1, None, "software/iso4"));
        assert_eq!((row.pvki.as_str(), row.pvv_key.as_str()), ("3", "pvk-1"));
        assert!(desk.holds("3001", row, "4711").await, "{format}");
        assert!(!desk.holds("3001", row, "4712").await, "{format}");
        let pvv = desk.vault.open_pvv(&owner("3001"), 1, &Wrapped(row.pvv.clone())).unwrap();
        let spec = PvvSpec { key_id: "pvk-1".into(), pvki: "3".into() };
        assert_eq!(pvv, desk.vault.crypto().pvv(&pan, &desk.stored("3001", row), &spec).await.unwrap());
    }
}

#[tokio::test]
async fn a_second_pin_is_the_next_version_and_a_card_in_s_gets_no_new_one() {
    let desk = with_card().await;
    desk.take(&desk.order_with("3001", "0000").await).await;
    desk.take(&desk.order_with("3001", "9999").await).await;
    let rows = desk.pins("3001").await;
    assert_eq!(rows.iter().map(|row| row.version).collect::<Vec<_>>(), [1, 2]);
    assert!(desk.holds("3001", &rows[0], "0000").await && desk.holds("3001", &rows[1], "9999").await);
    assert_eq!(desk.card("3001").await.unwrap().version, 2);
    let newest = desk.store.intake().await.unwrap().newest_pin(&issuer(), card_id("3001")).await.unwrap();
    assert_eq!(newest, Some(2));
}

#[tokio::test]
async fn the_same_order_sets_one_pin_and_other_content_under_its_id_is_refused() {
    let desk = with_card().await;
    let line = desk.order_with("3001", "1111").await;
    let first = desk.take(&line).await;
    assert_eq!(desk.take(&line).await, first);
    assert_eq!(desk.pins("3001").await.len(), 1);
    let other = with(desk.order_with("3001", "2222").await, "orderId", line["orderId"].clone());
    desk.refuses(&other, "ORDER_ID_REUSED", "DYNAMIC_VALIDATION_ERROR").await;
}

/// A refused order is not kept: imported again behind a later one, it must not bring an older PIN back.
#[tokio::test]
async fn r36_an_older_order_never_replaces_the_pin_of_a_later_one() {
    let desk = with_card().await;
    let at = |line: Value, at: &str| with(line, "at", json!(at));
    desk.take(&at(desk.order_with("3001", "2222").await, "2026-11-20T10:15:00Z")).await;
    let older = at(desk.order_with("3001", "1111").await, "2026-11-20T10:14:59.999999Z");
    let reason = desk.refuses(&older, "PIN_SUPERSEDED", "DYNAMIC_VALIDATION_ERROR").await;
    for named in ["3001", "2026-11-20T10:15:00", "R36"] {
        assert!(reason.contains(named), "{reason}");
    }
    desk.take(&at(desk.order_with("3001", "3333").await, "2026-11-20T10:15:00Z")).await;
    let rows = desk.pins("3001").await;
    assert!(desk.holds("3001", rows.last().unwrap(), "3333").await);
}

#[tokio::test]
async fn each_field_of_the_body_at_its_limit_and_one_more() {
    let desk = with_card().await;
    let pan = desk.pan("3001").await;
    let (tdes, aes) = (
        sealed("ISO_0", &key("zpk-x-1"), pan.expose(), "1234"),
        sealed("ISO_4", &key("zpk-x-3"), pan.expose(), "1234"),
    );
    let body = |block: &str, format: &str, key_id: &str| json!({"pinBlock": block, "format": format, "keyId": key_id});
    let without = |field: &str| {
        let mut body = body(&tdes, "ISO_0", "zpk-x-1");
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let kind = "STATIC_VALIDATION_ERROR";
    let refused = [
        (body(&tdes[..15], "ISO_0", "zpk-x-1"), "FIELD_PATTERN"),
        (body(&format!("{tdes}0"), "ISO_0", "zpk-x-1"), "FIELD_PATTERN"),
        (body(&tdes[..15], "ISO_3", "zpk-x-1"), "FIELD_PATTERN"),
        (body(&format!("{tdes}0"), "ISO_3", "zpk-x-1"), "FIELD_PATTERN"),
        (body(&aes[..31], "ISO_4", "zpk-x-3"), "FIELD_PATTERN"),
        (body(&format!("{aes}0"), "ISO_4", "zpk-x-3"), "FIELD_PATTERN"),
        (body(&tdes, "ISO_4", "zpk-x-3"), "FIELD_PATTERN"),
        (body(&aes, "ISO_0", "zpk-x-1"), "FIELD_PATTERN"),
        (body(&format!("{}G", &tdes[..15]), "ISO_0", "zpk-x-1"), "FIELD_PATTERN"),
        (body("", "ISO_0", "zpk-x-1"), "FIELD_PATTERN"),
        (body("1234", "ISO_0", "zpk-x-1"), "FIELD_PATTERN"),
        (json!({"pinBlock": 1234, "format": "ISO_0", "keyId": "zpk-x-1"}), "FIELD_TYPE"),
        (body(&tdes, "ISO_1", "zpk-x-1"), "FIELD_VALUE"),
        (body(&tdes, "ISO_0", ""), "FIELD_TOO_SHORT"),
        (body(&tdes, "ISO_0", &"k".repeat(65)), "FIELD_TOO_LONG"),
        (without("pinBlock"), "FIELD_MISSING"),
        (without("format"), "FIELD_MISSING"),
        (without("keyId"), "FIELD_MISSING"),
        (json!({"pinBlock": tdes, "format": "ISO_0", "keyId": "zpk-x-1", "pin": "1234"}), "FIELD_UNKNOWN"),
    ];
    for (body, code) in refused {
        let reason = desk.refuses(&order("setPin", json!({"cardId": "3001", "body": body})), code, kind).await;
        assert!(!reason.contains(&tdes[..8]) && !reason.contains(&aes[..8]), "a block in {reason}");
    }
    desk.refuses(&order("setPin", json!({"cardId": "3001"})), "FIELD_MISSING", kind).await;
    let unknown = set_pin("3001", &tdes, "ISO_0", &"k".repeat(64));
    desk.refuses(&unknown, "PIN_KEY_UNKNOWN", "SECURITY_ERROR").await;
    desk.take(&set_pin("3001", &tdes.to_lowercase(), "ISO_0", "zpk-x-1")).await;
    assert!(desk.holds("3001", &desk.pins("3001").await[0], "1234").await);
}

#[tokio::test]
async fn r52_r14_a_closed_card_gets_no_pin_and_a_blocked_one_does() {
    let desk = with_card().await;
    let body = json!({"productCode": "VISA_PIN", "embossing": {}});
    for (id, status) in
        [("1", "CARD_LOST"), ("2", "CARD_STOLEN"), ("3", "CARD_CLOSED_DUE_TO_FRAUD"), ("4", "CARD_CLOSED")]
    {
        desk.take(&new_card(id, body.clone())).await;
        desk.take(&order("updateCard", json!({"cardId": id, "body": {"status": status}}))).await;
        let reason =
            desk.refuses(&desk.order_with(id, "1234").await, "CARD_STATUS_FINAL", "DYNAMIC_VALIDATION_ERROR").await;
        assert_eq!(reason, format!("card {id} is {status}, nothing is made for it any more (R52)"));
    }
    for (id, status) in [("5", "CARD_BLOCKED"), ("6", "SUSPECTED_FRAUD"), ("7", "CARD_NO_RENEWAL")] {
        desk.take(&new_card(id, body.clone())).await;
        desk.take(&order("updateCard", json!({"cardId": id, "body": {"status": status}}))).await;
        desk.take(&desk.order_with(id, "1234").await).await;
    }
    let closing = json!({"type": "TIMEBASED", "time": "2026-11-20T11:00:00Z"});
    desk.take(&new_card("8", json!({"productCode": "VISA_PIN", "embossing": {}, "scheduledClosing": closing}))).await;
    let at_closing = with(desk.order_with("8", "1234").await, "at", json!("2026-11-20T11:00:00Z"));
    desk.refuses(&at_closing, "CARD_CLOSED_BY_SCHEDULE", "DYNAMIC_VALIDATION_ERROR").await;
    desk.take(&with(desk.order_with("8", "1234").await, "at", json!("2026-11-20T10:59:59.999Z"))).await;
}

#[tokio::test]
async fn cards_and_products_that_have_no_pin_are_refused() {
    let mut desk = with_card().await;
    let unknown = set_pin("9", "311D385594D0906A", "ISO_0", "zpk-x-1");
    desk.refuses(&unknown, "CARD_UNKNOWN", "DYNAMIC_VALIDATION_ERROR").await;
    let foreign = with(desk.order_with("3001", "1234").await, "institutionId", json!("246002"));
    desk.refuses(&foreign, "CARD_UNKNOWN", "DYNAMIC_VALIDATION_ERROR").await;
    desk.take(&new_card("1", json!({"embossing": {}}))).await;
    let reason =
        desk.refuses(&desk.order_with("1", "1234").await, "PRODUCT_WITHOUT_PIN", "DYNAMIC_VALIDATION_ERROR").await;
    assert_eq!(reason, "product VISA_CARD of card 1 has no PIN, so that none can be set (R36)");
    let line = desk.order_with("3001", "1234").await;
    desk.catalogue = catalogue(&CATALOGUE.replace("\"VISA_PIN\"", "\"VISA_GONE\""));
    let reason = desk.refuses(&line, "PRODUCT_UNKNOWN", "DYNAMIC_VALIDATION_ERROR").await;
    assert_eq!(reason, "product VISA_PIN of card 3001 is no longer configured");
}

/// `set_pin_keys` may name anything; only a zone key in force takes a PIN in.
#[tokio::test]
async fn a_key_that_was_not_agreed_or_does_not_fit_takes_no_pin_in() {
    let desk = with_card().await;
    let pan = desk.pan("3001").await;
    let tdes = sealed("ISO_0", &key("zpk-x-1"), pan.expose(), "1234");
    let aes = sealed("ISO_4", &key("zpk-x-3"), pan.expose(), "1234");
    for not_agreed in ["dek-1", "pvk-1", "nobody"] {
        let line = set_pin("3001", &tdes, "ISO_0", not_agreed);
        let reason = desk.refuses(&line, "PIN_KEY_UNKNOWN", "SECURITY_ERROR").await;
        assert!(!reason.contains(not_agreed), "{reason}");
    }
    for (block, format, key_id, fault) in [
        (&tdes, "ISO_0", "cvk-1", "key cvk-1 has usage C0; it must not be used as P0"),
        (&tdes, "ISO_0", "zpk-gone", "key zpk-gone does not exist in the configuration"),
        (
            &tdes,
            "ISO_0",
            "zpk-x-3",
            "key zpk-x-3 is AES_128; a TDES key, for PIN block formats 0 and 3, is needed here",
        ),
        (
            &tdes,
            "ISO_3",
            "zpk-x-3",
            "key zpk-x-3 is AES_128; a TDES key, for PIN block formats 0 and 3, is needed here",
        ),
        (&aes, "ISO_4", "zpk-x-1", "key zpk-x-1 is TDES_2KEY; an AES key, for PIN block format 4, is needed here"),
    ] {
        let reason = desk.refuses(&set_pin("3001", block, format, key_id), "KEY_UNUSABLE", "SECURITY_ERROR").await;
        assert_eq!(reason, format!("the PIN of card 3001 cannot be set: {fault}"));
    }
}

#[tokio::test]
async fn a_key_is_used_from_its_first_to_its_last_instant() {
    let now = at("2026-11-20T12:00:00Z");
    let second = chrono::TimeDelta::seconds(1);
    let window = |not_before: Option<DateTime<Utc>>, not_after: Option<DateTime<Utc>>| emboss::vault::KeyWindow {
        not_before,
        not_after,
        retire_at: None,
    };
    for (id, window, taken) in [
        ("zpk-x-1", window(None, Some(now)), true),
        ("zpk-x-1", window(None, Some(now - second)), false),
        ("zpk-x-1", window(Some(now), None), true),
        ("zpk-x-1", window(Some(now + second), None), false),
        ("pvk-1", window(None, Some(now - second)), false),
    ] {
        let desk = with_windows(|key| (key == id).then_some(window)).await;
        let line = desk.order_with("3001", "1234").await;
        if taken {
            desk.take(&line).await;
        } else {
            let reason = desk.refuses(&line, "KEY_UNUSABLE", "SECURITY_ERROR").await;
            assert!(reason.contains(id), "{reason}");
        }
    }
}

/// One sentence for all of them: whoever is told more can find a PIN out by trying.
#[tokio::test]
async fn r39_a_block_that_holds_no_pin_of_this_card_is_refused_without_saying_why() {
    let desk = with_card().await;
    desk.take(&new_card("3002", json!({"productCode": "VISA_PIN", "embossing": {}}))).await;
    let (pan, other) = (desk.pan("3001").await, desk.pan("3002").await);
    let (two, three, aes) = (key("zpk-x-1"), key("zpk-x-2"), key("zpk-x-3"));
    let mut reasons = std::collections::BTreeSet::new();
    for (what, block, format, key_id) in [
        ("wrong key", sealed("ISO_0", &three, pan.expose(), "1234"), "ISO_0", "zpk-x-1"),
        ("wrong AES key", sealed("ISO_4", &two, pan.expose(), "1234"), "ISO_4", "zpk-x-3"),
        ("another card", sealed("ISO_0", &two, other.expose(), "1234"), "ISO_0", "zpk-x-1"),
        ("another card", sealed("ISO_3", &two, other.expose(), "1234"), "ISO_3", "zpk-x-1"),
        ("another card", sealed("ISO_4", &aes, other.expose(), "1234"), "ISO_4", "zpk-x-3"),
        ("another format", sealed("ISO_3", &two, pan.expose(), "1234"), "ISO_0", "zpk-x-1"),
        ("another format", sealed("ISO_0", &two, pan.expose(), "1234"), "ISO_3", "zpk-x-1"),
        ("3 digits", sealed("ISO_0", &two, pan.expose(), "123"), "ISO_0", "zpk-x-1"),
        ("5 digits", sealed("ISO_0", &two, pan.expose(), "12345"), "ISO_0", "zpk-x-1"),
        ("6 digits", sealed("ISO_3", &two, pan.expose(), "123456"), "ISO_3", "zpk-x-1"),
        ("12 digits", sealed("ISO_4", &aes, pan.expose(), "123456789012"), "ISO_4", "zpk-x-3"),
        ("no PIN at all", "0".repeat(16), "ISO_0", "zpk-x-1"),
    ] {
        let line = set_pin("3001", &block, format, key_id);
        let reason = desk.refuses(&line, "PIN_BLOCK_UNREADABLE", "SECURITY_ERROR").await;
        reasons.insert(reason);
        assert_eq!(reasons.len(), 1, "{what}: {reasons:?}");
    }
    let expected = "body.pinBlock does not hold a PIN of four digits for card 3001 in this format under this key";
    assert!(reasons.contains(expected), "{reasons:?}");
}

#[tokio::test]
async fn r32_while_a_file_holds_the_card_its_pin_stays() {
    let desk = with_card().await;
    desk.execute("UPDATE production_request SET state = 'CLAIMED', file_id = 'f'").await;
    let line = desk.order_with("3001", "1234").await;
    let reason = desk.refuses(&line, "PIN_IN_PRODUCTION", "DYNAMIC_VALIDATION_ERROR").await;
    assert_eq!(reason, "card 3001 is in production, plastic 1 with NCRD: its PIN can be set again afterwards (R32)");
    desk.execute("UPDATE production_request SET state = 'SENT', live = 0").await;
    desk.take(&line).await;
}

/// PIN, PVV and status stand or fall together, whichever of them cannot be written.
#[tokio::test]
async fn a_pin_without_its_status_or_a_status_without_its_pin_is_never_left() {
    for stuck in [
        "CREATE TRIGGER stuck BEFORE INSERT ON card_version WHEN NEW.version = 2 BEGIN SELECT RAISE(ABORT, 'stuck'); END",
        "CREATE TRIGGER stuck BEFORE INSERT ON pin BEGIN SELECT RAISE(ABORT, 'stuck'); END",
        "CREATE TRIGGER stuck BEFORE INSERT ON order_answer WHEN NEW.answer LIKE '%PIN set%'
         BEGIN SELECT RAISE(ABORT, 'stuck'); END",
    ] {
        let desk = with_card().await;
        let line = desk.order_with("3001", "1234").await;
        desk.execute(stuck).await;
        let mut answers = Vec::new();
        let text = format!("{line}\n");
        desk.importer().import(text.as_bytes(), &mut answers, &mut |_| {}).await.unwrap_err();
        let card = desk.card("3001").await.unwrap();
        assert_eq!((card.version, card.card.pin_status, desk.pins("3001").await.len()), (1, PinStatus::Default, 0));
        desk.execute("DROP TRIGGER stuck").await;
        desk.take(&line).await;
        assert_eq!((desk.card("3001").await.unwrap().version, desk.pins("3001").await.len()), (2, 1));
    }
}

/// R35, R40: what was made at random for a request that never went out is nobody's PIN once the holder has one.
#[tokio::test]
async fn r40_a_random_pin_that_never_went_out_is_void_once_the_holder_sets_one() {
    for by_status in [false, true] {
        let desk = with_card().await;
        if by_status {
            desk.take(&desk.order_with("3001", "1234").await).await;
            desk.take(&order("updateCard", json!({"cardId": "3001", "body": {"pinStatus": "D"}}))).await;
        }
        desk.execute(
            "INSERT INTO pin (institution, card_id, version, record_uid, scheme, stored, made_at)
             SELECT institution, card_id, 7, record_uid, 'x', x'00', 0 FROM production_request",
        )
        .await;
        let newest = async || desk.store.intake().await.unwrap().newest_pin(&issuer(), card_id("3001")).await.unwrap();
        assert_eq!(newest().await, by_status.then_some(1), "a PIN of an OPEN request is not on record");
        let expected = if by_status {
            desk.take(&order("updateCard", json!({"cardId": "3001", "body": {"pinStatus": "S"}}))).await;
            1
        } else {
            desk.take(&desk.order_with("3001", "1234").await).await;
            8
        };
        desk.execute("UPDATE production_request SET state = 'SENT', live = 0, file_id = 'f'").await;
        assert_eq!(newest().await, Some(expected), "by updateCard: {by_status}");
    }
}
