//! The SQL texts of a card's story: everything by a key, so that they cost a run that is at work nothing.
//!
//! They name only columns that `emboss_reader` of `deploy/postgres-roles.sql` may see.

use super::columns::pin_on_record;
use super::statement::{Statement, statement};
use crate::store::Subject;

/// The institutions that have cards, one look into the index each; those of them that know an id, and its card.
macro_rules! bearers {
    ($name:ident, $table:literal, $id:literal) => {
        statement!(
            $name = "WITH RECURSIVE issuer (institution) AS (
    SELECT MIN(institution) FROM card
    UNION ALL
    SELECT (SELECT MIN(c.institution) FROM card AS c WHERE c.institution > issuer.institution)
      FROM issuer WHERE issuer.institution IS NOT NULL)
SELECT t.institution, t.card_id FROM issuer JOIN ",
            $table,
            " AS t ON t.institution = issuer.institution AND t.",
            $id,
            " = $1 ORDER BY t.institution"
        );
    };
}
bearers!(BEARERS_OF_CARD, "card", "card_id");
bearers!(BEARERS_OF_PLASTIC, "plastic", "plastic_id");

/// The statement for what is asked.
pub(super) fn bearers(subject: Subject) -> Statement {
    match subject {
        Subject::Card(_) => BEARERS_OF_CARD,
        Subject::Plastic(_) => BEARERS_OF_PLASTIC,
    }
}

statement!(
    pub(super) CARD_ROW = "SELECT bin, last4, CAST(customer_id AS TEXT), CAST(account_id AS TEXT), manufacturer FROM card
    WHERE institution = $1 AND card_id = $2"
);
statement!(
    pub(super) CARD_VERSIONS = "SELECT version, made_at, product_code, scheme, status, status_since, pin_status, physical,
        scheduled_closing, replaces, replaced_by
    FROM card_history WHERE institution = $1 AND card_id = $2 ORDER BY version"
);
statement!(
    pub(super) CUSTOMER_VERSIONS =
        "SELECT version, made_at FROM customer_version WHERE institution = $1 AND customer_id = $2 ORDER BY version"
);
statement!(
    pub(super) ACCOUNT_VERSIONS =
        "SELECT version, made_at FROM account_version WHERE institution = $1 AND account_id = $2 ORDER BY version"
);
statement!(
    pub(super) PIN_VERSIONS =
        "SELECT pin.version, pin.made_at, pin.record_uid, CAST(CASE WHEN ", pin_on_record!(), " THEN 1 ELSE 0 END AS BIGINT) FROM pin
    WHERE pin.institution = $1 AND pin.card_id = $2 ORDER BY pin.version"
);
// `$3` is the card it replaces, or itself: a replacement is kept under the lost card. Orders of one instant are those of a
// numbered batch more often than not.
statement!(
    pub(super) ORDERS_OF_CARD = "SELECT order_id, op, at, answer FROM order_answer
    WHERE institution = $1 AND card_id IN ($2, $3) AND (card_id = $2 OR op = 'replaceCard')
    ORDER BY at, op <> 'createCard', LENGTH(order_id), order_id"
);

/// Columns of a request.
macro_rules! request {
    () => {
        "SELECT r.record_uid, r.plastic_id, r.event, r.reproduction, r.marked_at, r.state, r.reason, r.file_id, r.number"
    };
}
// Normal requests by their plastics, PIN orders and reproductions by their card: `request_live` has only those that are
// still to be answered.
statement!(
    pub(super) REQUESTS_OF_CARD = sqlite(request!(), "
      FROM plastic AS p INDEXED BY plastic_sequence CROSS JOIN production_request AS r INDEXED BY request_normal
        ON r.institution = p.institution AND r.plastic_id = p.plastic_id AND r.reproduction = 0 AND r.event <> 'ROPIN'
     WHERE p.institution = $1 AND p.card_id = $2
    UNION ALL ", request!(), "
      FROM production_request AS r INDEXED BY request_seldom
     WHERE r.institution = $1 AND r.card_id = $2 AND (r.event = 'ROPIN' OR r.reproduction = 1)
    ORDER BY 5, 9"),
    postgres(request!(), "
      FROM plastic AS p JOIN production_request AS r
        ON r.institution = p.institution AND r.plastic_id = p.plastic_id AND r.reproduction = 0 AND r.event <> 'ROPIN'
     WHERE p.institution = $1 AND p.card_id = $2
    UNION ALL ", request!(), "
      FROM production_request AS r
     WHERE r.institution = $1 AND r.card_id = $2 AND (r.event = 'ROPIN' OR r.reproduction = 1)
    ORDER BY 5, 9")
);
statement!(
    pub(super) STANDINGS = sqlite("SELECT record_uid, kind, code, first_night, last_night, times FROM standing
    WHERE record_uid IN (SELECT value FROM json_each($1)) ORDER BY first_night, last_night, code"),
    postgres("SELECT record_uid, kind, code, first_night, last_night, times FROM standing
    WHERE record_uid = ANY($1) ORDER BY first_night, last_night, code")
);
statement!(
    pub(super) STOPS = "SELECT n.night, run.cut_off, n.manufacturer, n.reason
    FROM agreement_night AS n JOIN run ON run.run_id = n.run_id
    WHERE n.institution = $1 AND n.state = 'STOPPED' ORDER BY run.cut_off, n.manufacturer"
);

// What the next run of the issuer's agreements finishes first (R136).
statement!(
    pub(super) UNFINISHED_OF_ISSUER = "SELECT manufacturer, COALESCE(file_name, file_id), state FROM file
    WHERE institution = $1 AND state <> 'SETTLED' ORDER BY manufacturer, sequence_number"
);

/// Columns of an item; its record number is its place among those that are still in the file.
macro_rules! item {
    () => {
        "SELECT i.file_id, i.record_uid, i.plastic_id,
        CASE WHEN i.live = 1 THEN (SELECT COUNT(*) FROM file_item AS b
                WHERE b.file_id = i.file_id AND b.live = 1 AND b.sort_key <= i.sort_key) END,
        i.reason, i.epoch
      FROM file_item AS i WHERE "
    };
}
statement!(
    pub(super) ITEMS_OF_REQUESTS = sqlite(item!(), "i.record_uid IN (SELECT value FROM json_each($1)) AND i.live = 1
       AND i.duplicate = 0
    UNION ALL ", item!(), "i.record_uid IN (SELECT value FROM json_each($1)) AND (i.live = 0 OR i.duplicate = 1)
    ORDER BY 6, 2"),
    postgres(item!(), "i.record_uid = ANY($1) AND i.live = 1 AND i.duplicate = 0
    UNION ALL ", item!(), "i.record_uid = ANY($1) AND (i.live = 0 OR i.duplicate = 1)
    ORDER BY 6, 2")
);

/// Columns of a file, without its seed.
macro_rules! file {
    () => {
        "SELECT file_id, night, manufacturer, sequence_number, file_type, resend_of, state, cut_off, data_as_of,
        file_name, sha256, records, abandoned, trouble, published_at, settled_at
    FROM file WHERE file_id "
    };
}
statement!(
    pub(super) FILES_OF_CARD = sqlite(file!(), "IN (SELECT value FROM json_each($1)) ORDER BY data_as_of, sequence_number"),
    postgres(file!(), "= ANY($1) ORDER BY data_as_of, sequence_number")
);

/// Columns of a delivery.
macro_rules! delivery {
    () => {
        "SELECT file_id, delivery_number, state, attempt, identity, started_at, published_at FROM delivery WHERE file_id "
    };
}
statement!(
    pub(super) DELIVERIES = sqlite(delivery!(), "IN (SELECT value FROM json_each($1)) ORDER BY file_id, delivery_number"),
    postgres(delivery!(), "= ANY($1) ORDER BY file_id, delivery_number")
);

/// What persons did.
macro_rules! audit {
    () => {
        "SELECT number, at, actor, action, subject, reason, data, key_id, mac FROM audit WHERE reason <> '' AND subject "
    };
}
statement!(
    pub(super) AUDIT_OF_FILES = sqlite(audit!(), "IN (SELECT value FROM json_each($1)) ORDER BY number"),
    postgres(audit!(), "= ANY($1) ORDER BY number")
);
statement!(
    pub(super) EVENTS_OF_CARD = "SELECT number, at, kind, institution, data FROM event
    WHERE institution = $1 AND card_id = $2 ORDER BY number"
);
// `$1` a settled file, `$2` the card, `$3` its requests. A settlement tells all at once and `file.settled` last, and says
// there how many there were.
statement!(
    pub(super) EVENTS_OF_SETTLEMENT = sqlite("SELECT e.number, e.at, e.kind, e.institution, e.data
      FROM event AS s INDEXED BY event_settled CROSS JOIN event AS e
        ON e.number < s.number AND e.number >= s.number - ((s.data ->> 'moved') + (s.data ->> 'closed')
            + (s.data ->> 'superseded')) AND e.kind IN ('plastic.moved', 'request.closed')
       AND (e.data ->> 'cardId' = $2 OR e.data ->> 'recordUid' IN (SELECT value FROM json_each($3)))
     WHERE s.kind = 'file.settled' AND s.data ->> 'fileId' = $1 ORDER BY e.number"),
    postgres("SELECT e.number, e.at, e.kind, e.institution, e.data
      FROM event AS s JOIN event AS e
        ON e.number < s.number AND e.number >= s.number - ((s.data::json ->> 'moved')::BIGINT
            + (s.data::json ->> 'closed')::BIGINT + (s.data::json ->> 'superseded')::BIGINT)
       AND e.kind IN ('plastic.moved', 'request.closed')
       AND (e.data::json ->> 'cardId' = $2 OR e.data::json ->> 'recordUid' = ANY($3))
     WHERE s.kind = 'file.settled' AND s.data::json ->> 'fileId' = $1 ORDER BY e.number")
);
