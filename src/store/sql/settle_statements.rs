//! The SQL texts of the settlement: each moves or tells of all of a file's plastics at once.
//!
//! `$1` is always the file. SQLite tells first and moves then, statement by statement; PostgreSQL does all of it in one.

use super::statement::statement;

/// SQLite: the items that move their plastic, with their number in the file: as `i`, joined with their plastic `p`.
/// CROSS JOIN walks along the file.
macro_rules! moving {
    () => {
        "(SELECT record_uid, institution, card_id, plastic_id, settles_to,
                 ROW_NUMBER() OVER (ORDER BY sort_key) AS record_number
            FROM file_item WHERE file_id = $1 AND live = 1) AS i
    CROSS JOIN plastic AS p ON p.institution = i.institution AND p.plastic_id = i.plastic_id
        AND i.settles_to IS NOT NULL AND p.status = 'INACTIVE'"
    };
}

/// R63: the older plastics `o` of a card whose new plastic becomes ACTIVE.
macro_rules! predecessors {
    () => {
        " CROSS JOIN plastic AS o ON o.institution = p.institution AND o.card_id = p.card_id
        AND o.sequence_number < p.sequence_number AND o.status IN ('ACTIVE', 'LOCKED') AND i.settles_to = 'ACTIVE'"
    };
}

statement!(
    pub(super) SETTLE_FILE = "UPDATE file SET state = 'SETTLED', settled_at = $3, trouble = NULL
    WHERE file_id = $1 AND state = 'PUBLISHED' AND epoch = $2"
);
statement!(
    pub(super) SETTLED_BEFORE = sqlite("SELECT e.data FROM event AS e CROSS JOIN file AS f ON f.file_id = $1
    WHERE f.state = 'SETTLED' AND f.epoch = $2 AND e.kind = 'file.settled' AND e.data ->> 'fileId' = $1
    ORDER BY e.number DESC LIMIT 1"),
    postgres("SELECT e.data FROM event AS e JOIN file AS f ON f.file_id = $1
    WHERE f.state = 'SETTLED' AND f.epoch = $2 AND e.kind = 'file.settled' AND e.data::json ->> 'fileId' = $1
    ORDER BY e.number DESC LIMIT 1")
);
statement!(pub(super) BUSINESS_DATE = "SELECT run.business_date FROM file JOIN run USING (run_id) WHERE file_id = $1");
statement!(
    pub(super) MISMATCHES = "SELECT i.record_uid, i.plastic_id, p.status
    FROM file_item AS i JOIN plastic AS p ON p.institution = i.institution AND p.plastic_id = i.plastic_id
    WHERE i.file_id = $1 AND i.live = 1 AND i.settles_to IS NOT NULL AND p.status <> 'INACTIVE' ORDER BY i.sort_key"
);
statement!(
    pub(super) COUNT_ITEMS = "SELECT COUNT(*), COUNT(settles_to) FROM file_item WHERE file_id = $1 AND live = 1"
);
statement!(
    pub(super) TELL_MOVED = "INSERT INTO event (at, kind, institution, data)
    SELECT $2, 'plastic.moved', i.institution, json_object('plasticId', CAST(p.plastic_id AS TEXT),
        'cardId', CAST(p.card_id AS TEXT), 'from', p.status, 'to', i.settles_to, 'fileId', $1,
        'recordNumber', i.record_number)
    FROM ", moving!(), " ORDER BY i.record_number"
);
statement!(
    pub(super) TELL_PREDECESSORS = "INSERT INTO event (at, kind, institution, data)
    SELECT $2, 'plastic.moved', i.institution, json_object('plasticId', CAST(o.plastic_id AS TEXT),
        'cardId', CAST(o.card_id AS TEXT), 'from', o.status, 'to', 'CLOSED', 'fileId', $1,
        'recordNumber', i.record_number)
    FROM ", moving!(), predecessors!(), " ORDER BY i.record_number, o.sequence_number"
);
statement!(
    pub(super) CLOSE_PREDECESSORS = "UPDATE plastic SET status = 'CLOSED'
    WHERE (institution, plastic_id) IN (SELECT o.institution, o.plastic_id FROM ", moving!(), predecessors!(), ")"
);
statement!(
    pub(super) MOVE_PLASTICS = "UPDATE plastic SET status = i.settles_to, embossing_date = $2
    FROM file_item AS i
    WHERE i.file_id = $1 AND i.live = 1 AND i.settles_to IS NOT NULL AND plastic.institution = i.institution
      AND plastic.plastic_id = i.plastic_id AND plastic.status = 'INACTIVE'"
);
statement!(
    pub(super) REQUESTS_SENT = "UPDATE production_request SET state = 'SENT', live = 0
    WHERE state = 'CLAIMED' AND file_id = $1
      AND record_uid IN (SELECT record_uid FROM file_item WHERE file_id = $1 AND live = 1)"
);

// PostgreSQL: all of the above at once, so that items and plastics are looked up once; every part sees the plastics as they
// were. `$2` is when, `$3` the date the plastics carry. Its row: plastics moved and closed, requests sent, items, items that
// move their plastic, and as JSON those that did not, which are looked for only where the numbers differ.
statement!(
    pub(super) SETTLE_ITEMS = "WITH item AS MATERIALIZED (
    SELECT record_uid, institution, plastic_id, settles_to, ROW_NUMBER() OVER (ORDER BY sort_key) AS record_number
      FROM file_item WHERE file_id = $1 AND live = 1
), moved AS (
    UPDATE plastic SET status = i.settles_to, embossing_date = $3 FROM item AS i
     WHERE i.settles_to IS NOT NULL AND plastic.institution = i.institution AND plastic.plastic_id = i.plastic_id
       AND plastic.status = 'INACTIVE'
    RETURNING i.record_number, i.institution, i.settles_to, plastic.plastic_id, plastic.card_id, plastic.sequence_number
), closed AS (
    UPDATE plastic SET status = 'CLOSED'
      FROM (SELECT m.record_number, o.institution, o.plastic_id, o.card_id, o.sequence_number, o.status AS was
              FROM moved AS m
              JOIN plastic AS o ON o.institution = m.institution AND o.card_id = m.card_id
               AND o.sequence_number < m.sequence_number AND o.status IN ('ACTIVE', 'LOCKED')
             WHERE m.settles_to = 'ACTIVE') AS older
     WHERE plastic.institution = older.institution AND plastic.plastic_id = older.plastic_id
       AND plastic.status IN ('ACTIVE', 'LOCKED')
    RETURNING older.record_number, older.institution, older.plastic_id, older.card_id, older.sequence_number, older.was
), sent AS (
    UPDATE production_request SET state = 'SENT', live = 0 FROM item AS i
     WHERE production_request.record_uid = i.record_uid AND production_request.state = 'CLAIMED'
       AND production_request.file_id = $1
    RETURNING 1
), told AS (
    INSERT INTO event (at, kind, institution, data)
    SELECT $2, 'plastic.moved', institution, CONCAT('{\"plasticId\":\"', plastic_id, '\",\"cardId\":\"', card_id,
           '\",\"from\":\"', was, '\",\"to\":\"', becomes, '\",\"fileId\":\"', $1::text, '\",\"recordNumber\":',
           record_number, '}')
      FROM (SELECT 1 AS part, institution, plastic_id, card_id, 'INACTIVE' AS was, settles_to AS becomes, record_number,
                   sequence_number FROM moved
            UNION ALL
            SELECT 2, institution, plastic_id, card_id, was, 'CLOSED', record_number, sequence_number FROM closed) AS all_moved
     ORDER BY part, record_number, sequence_number
)
SELECT (SELECT COUNT(*) FROM moved), (SELECT COUNT(*) FROM closed), (SELECT COUNT(*) FROM sent),
       (SELECT COUNT(*) FROM item), (SELECT COUNT(settles_to) FROM item),
       CASE WHEN (SELECT COUNT(*) FROM moved) < (SELECT COUNT(settles_to) FROM item) THEN
           (SELECT json_agg(json_build_array(i.record_uid, p.plastic_id::text, p.status) ORDER BY i.record_number)::text
              FROM item AS i JOIN plastic AS p ON p.institution = i.institution AND p.plastic_id = i.plastic_id
             WHERE i.settles_to IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM moved AS m WHERE m.record_number = i.record_number))
       END"
);
statement!(
    pub(super) REQUESTS_MISMATCHED = sqlite("UPDATE production_request SET reason = 'SETTLE_MISMATCH'
    WHERE state = 'SENT' AND file_id = $1 AND record_uid IN (SELECT value FROM json_each($2))"),
    postgres("UPDATE production_request SET reason = 'SETTLE_MISMATCH'
    WHERE state = 'SENT' AND file_id = $1 AND record_uid = ANY($2)")
);

/// R28: waiting PIN orders `r` whose card's letter has gone out.
macro_rules! superseded {
    () => {
        "r.live = 1 AND r.state = 'OPEN' AND r.event = 'ROPIN' AND r.marked_at <= f.cut_off
      AND r.institution = i.institution AND r.card_id = i.card_id
      AND i.file_id = $1 AND i.live = 1 AND i.prints_pin = 1 AND i.event <> 'ROPIN'"
    };
}
statement!(
    pub(super) TELL_SUPERSEDED = "INSERT INTO event (at, kind, institution, data)
    SELECT $2, 'request.closed', r.institution,
        json_object('recordUid', r.record_uid, 'reason', 'SUPERSEDED', 'fileId', $1)
    FROM file AS f CROSS JOIN file_item AS i CROSS JOIN production_request AS r INDEXED BY request_live
    WHERE f.file_id = $1 AND ", superseded!()
);
// PostgreSQL tells of them in the same statement.
statement!(
    pub(super) CLOSE_SUPERSEDED = sqlite("UPDATE production_request SET state = 'CLOSED', live = 0, reason = 'SUPERSEDED'
    WHERE number IN (SELECT r.number
        FROM file AS f CROSS JOIN file_item AS i CROSS JOIN production_request AS r INDEXED BY request_live
        WHERE f.file_id = $1 AND ", superseded!(), ")"),
    postgres("WITH closed AS (
    UPDATE production_request SET state = 'CLOSED', live = 0, reason = 'SUPERSEDED'
     WHERE state = 'OPEN' AND record_uid IN (SELECT r.record_uid
         FROM file AS f CROSS JOIN file_item AS i CROSS JOIN production_request AS r
        WHERE f.file_id = $1 AND ", superseded!(), ")
    RETURNING institution, record_uid
)
INSERT INTO event (at, kind, institution, data)
SELECT $2, 'request.closed', institution,
       CONCAT('{\"recordUid\":\"', record_uid, '\",\"reason\":\"SUPERSEDED\",\"fileId\":\"', $1::text, '\"}')
  FROM closed")
);
/// Items of file `$1` whose card has another version now, and its status is one of `$2`. R125; the words are the final
/// statuses of R52.
macro_rules! changed_cards {
    () => {
        "card AS c ON c.institution = i.institution AND c.card_id = i.card_id AND c.version <> i.card_version
    JOIN card_version AS now
      ON now.institution = c.institution AND now.card_id = c.card_id AND now.version = c.version
    JOIN card_version AS pinned
      ON pinned.institution = i.institution AND pinned.card_id = i.card_id AND pinned.version = i.card_version
    WHERE i.file_id = $1 AND i.live = 1"
    };
}
statement!(
    pub(super) CLOSED_AFTER_SEALING = sqlite("SELECT COUNT(*) FROM file_item AS i CROSS JOIN ", changed_cards!(), "
      AND now.data ->> 'status' IN (SELECT value FROM json_each($2))
      AND pinned.data ->> 'status' NOT IN (SELECT value FROM json_each($2))"),
    postgres("SELECT COUNT(*) FROM file_item AS i JOIN ", changed_cards!(), "
      AND now.data::json ->> 'status' = ANY($2) AND pinned.data::json ->> 'status' <> ALL($2)")
);
statement!(
    pub(super) NIGHT_DONE = "UPDATE agreement_night SET state = 'DONE'
    WHERE night = $2 AND institution = $3 AND manufacturer = $4 AND state = 'CLAIMED'
      AND NOT EXISTS (SELECT 1 FROM file WHERE night = $2 AND institution = $3 AND manufacturer = $4
                         AND state <> 'SETTLED')"
);
