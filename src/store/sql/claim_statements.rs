//! The SQL texts of the claim.

use super::many::Kind::{Integer, Text};
use super::many::ManyRows;
use super::statement::statement;

statement!(
    pub(super) CLAIM_AGAIN = "UPDATE file SET night = $3, run_id = $4, format = $5, version = $6, cut_off = $7,
        data_as_of = $8, epoch = $9, trouble = NULL
    WHERE file_id = $1 AND epoch = $2 AND state = 'CLAIMED'"
);
statement!(
    pub(super) LAST_FILE = "SELECT sequence_number, file_id FROM file WHERE institution = $1 AND manufacturer = $2
    ORDER BY sequence_number DESC LIMIT 1"
);
statement!(
    pub(super) NEW_FILE = "INSERT INTO file (file_id, institution, night, run_id, format, version, cut_off, data_as_of,
        epoch, manufacturer, sequence_number, previous_file_id, file_type, state, fill_seed, resend_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
);
/// Bound row by row in the order of its columns.
pub(super) const WRITE_ITEMS: ManyRows = ManyRows {
    name: "WRITE_ITEMS",
    insert: "INSERT INTO file_item (file_id, epoch, institution, sort_key, record_uid, card_id, plastic_id, event,
        reproduction, card_version, product_code, customer_id, customer_version, account_id, account_version, pin_action, pin_version,
        prints_pin, settles_to)",
    kinds: &[
        Text, Integer, Text, Text, Text, Integer, Integer, Text, Integer, Integer, Text, Integer, Integer, Integer,
        Integer, Text, Integer, Integer, Text,
    ],
    then: "",
};
statement!(
    pub(super) CLOSE_REQUESTS = sqlite("UPDATE production_request SET state = 'CLOSED', live = 0, reason = $3
    WHERE record_uid IN (SELECT value FROM json_each($1)) AND state = 'OPEN' AND institution = $2"),
    postgres("UPDATE production_request SET state = 'CLOSED', live = 0, reason = $3
    WHERE record_uid = ANY($1) AND state = 'OPEN' AND institution = $2")
);
statement!(
    pub(super) TELL_CLOSED = sqlite("INSERT INTO event (at, kind, institution, data, card_id)
    SELECT $4, 'request.closed', $2, json_object('recordUid', value, 'reason', $3, 'runId', $5),
        (SELECT r.card_id FROM production_request AS r WHERE r.record_uid = value)
    FROM json_each($1)"),
    postgres("INSERT INTO event (at, kind, institution, data, card_id)
    SELECT $4, 'request.closed', $2, json_build_object('recordUid', uid, 'reason', $3, 'runId', $5)::text,
        (SELECT r.card_id FROM production_request AS r WHERE r.record_uid = uid)
    FROM UNNEST($1) AS closed (uid)")
);
// Items behind place `$3` of file `$1`: the boundary is looked up once.
statement!(
    pub(super) SHARE_OUT = "UPDATE file_item SET file_id = $2
    WHERE file_id = $1 AND live = 1 AND sort_key >= (
        SELECT edge.sort_key FROM file_item AS edge WHERE edge.file_id = $1 AND edge.live = 1
        ORDER BY edge.sort_key LIMIT 1 OFFSET $3)"
);
// In the file's order, in which the requests were made too, more or less.
statement!(
    pub(super) MARK_REQUESTS = sqlite("UPDATE production_request SET state = 'CLAIMED', file_id = $1
    WHERE state = 'OPEN' AND record_uid IN (SELECT record_uid FROM file_item WHERE file_id = $1 AND live = 1)"),
    postgres("UPDATE production_request SET state = 'CLAIMED', file_id = $1 FROM file_item AS i
    WHERE i.file_id = $1 AND i.live = 1 AND production_request.record_uid = i.record_uid
      AND production_request.state = 'OPEN'")
);
statement!(
    pub(super) CLOSE_EARLIER_NIGHTS = "UPDATE agreement_night SET state = 'DONE'
    WHERE institution = $1 AND manufacturer = $2 AND night <> $3 AND state = 'CLAIMED'
      AND NOT EXISTS (SELECT 1 FROM file WHERE file.night = agreement_night.night
                         AND file.institution = agreement_night.institution
                         AND file.manufacturer = agreement_night.manufacturer AND file.state <> 'SETTLED')"
);
