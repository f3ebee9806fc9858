//! The SQL texts of intake.

use super::columns::{plastic_json, request_json};
use super::statement::{Statement, statement};
use crate::store::IdKind;

statement!(pub(super) ANSWER = "SELECT content_mac, answer FROM order_answer WHERE institution = $1 AND order_id = $2");
statement!(
    pub(super) SAVE_ANSWER =
        "INSERT INTO order_answer (institution, order_id, content_mac, answer, op, at, card_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"
);

statement!(
    pub(super) NEXT_ID = "INSERT INTO id_counter (institution, kind, last) VALUES ($1, $2, 1)
    ON CONFLICT (institution, kind) DO UPDATE SET last = id_counter.last + 1 RETURNING last"
);
statement!(pub(super) SET_LAST_ID = "UPDATE id_counter SET last = $3 WHERE institution = $1 AND kind = $2");

/// The end of the run of used ids that begins at `$2`, or no row where `$2` is free.
macro_rules! last_used {
    ($name:ident, $table:literal, $id:literal) => {
        statement!(
            $name = "SELECT used.",
            $id,
            " FROM ",
            $table,
            " AS used WHERE used.institution = $1 AND used.",
            $id,
            " >= $2
    AND EXISTS (SELECT 1 FROM ",
            $table,
            " AS wanted WHERE wanted.institution = $1 AND wanted.",
            $id,
            " = $2)
    AND NOT EXISTS (SELECT 1 FROM ",
            $table,
            " AS above
                     WHERE above.institution = $1 AND above.",
            $id,
            " = used.",
            $id,
            " + 1)
    ORDER BY used.",
            $id,
            " LIMIT 1"
        );
    };
}
last_used!(LAST_USED_CUSTOMER, "customer", "customer_id");
last_used!(LAST_USED_ACCOUNT, "account", "account_id");
last_used!(LAST_USED_CARD, "card", "card_id");
last_used!(LAST_USED_PLASTIC, "plastic", "plastic_id");

/// The end of the run of used ids of a kind.
pub(super) fn last_used(kind: IdKind) -> Statement {
    match kind {
        IdKind::Customer => LAST_USED_CUSTOMER,
        IdKind::Account => LAST_USED_ACCOUNT,
        IdKind::Card => LAST_USED_CARD,
        IdKind::Plastic => LAST_USED_PLASTIC,
    }
}

statement!(
    pub(super) CUSTOMER = "SELECT version, data FROM customer JOIN customer_version USING (institution, customer_id, version)
    WHERE institution = $1 AND customer_id = $2"
);
statement!(pub(super) NEW_CUSTOMER = "INSERT INTO customer (institution, customer_id, version) VALUES ($1, $2, $3)");
statement!(
    pub(super) NEXT_CUSTOMER =
        "UPDATE customer SET version = $3 WHERE institution = $1 AND customer_id = $2 AND version = $3 - 1"
);
statement!(
    pub(super) CUSTOMER_VERSION = "INSERT INTO customer_version (institution, customer_id, version, data, made_at)
    VALUES ($1, $2, $3, $4, $5)"
);

statement!(
    pub(super) ACCOUNT = "SELECT version, data FROM account JOIN account_version USING (institution, account_id, version)
    WHERE institution = $1 AND account_id = $2"
);
statement!(pub(super) NEW_ACCOUNT = "INSERT INTO account (institution, account_id, version) VALUES ($1, $2, $3)");
statement!(
    pub(super) NEXT_ACCOUNT =
        "UPDATE account SET version = $3 WHERE institution = $1 AND account_id = $2 AND version = $3 - 1"
);
statement!(
    pub(super) ACCOUNT_VERSION = "INSERT INTO account_version (institution, account_id, version, data, made_at)
    VALUES ($1, $2, $3, $4, $5)"
);

statement!(
    pub(super) CARD = "SELECT version, data, pan FROM card JOIN card_version USING (institution, card_id, version)
    WHERE institution = $1 AND card_id = $2"
);
statement!(pub(super) PAN_KNOWN = "SELECT 1 FROM card WHERE pan_index = $1");
statement!(
    pub(super) NEW_CARD = "INSERT INTO card
        (institution, card_id, version, customer_id, account_id, manufacturer, pan, pan_index, bin, last4)
    VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(
    pub(super) NEXT_CARD = "UPDATE card SET version = $3, customer_id = $4, account_id = $5, manufacturer = $6
    WHERE institution = $1 AND card_id = $2 AND version = $3 - 1"
);
statement!(
    pub(super) CARD_VERSION = "INSERT INTO card_version (institution, card_id, version, data, made_at)
    VALUES ($1, $2, $3, $4, $5)"
);

statement!(
    pub(super) PLASTICS = sqlite("SELECT p.card_id, ", plastic_json!(), " FROM plastic AS p INDEXED BY plastic_sequence
    WHERE p.institution = $1 AND p.card_id = $2 ORDER BY p.sequence_number"),
    postgres("SELECT p.card_id, ", plastic_json!(postgres), "::text FROM plastic AS p
    WHERE p.institution = $1 AND p.card_id = $2 ORDER BY p.sequence_number")
);
statement!(
    pub(super) PLASTIC = sqlite("SELECT p.card_id, ", plastic_json!(), " FROM plastic AS p
    WHERE p.institution = $1 AND p.plastic_id = $2"),
    postgres("SELECT p.card_id, ", plastic_json!(postgres), "::text FROM plastic AS p
    WHERE p.institution = $1 AND p.plastic_id = $2")
);
statement!(
    pub(super) NEW_PLASTIC = "INSERT INTO plastic (institution, plastic_id, card_id, sequence_number, event, status,
        expiry, marked_at, cvv_key, cvv2_key, embossing_date)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
);
statement!(
    pub(super) MOVE_PLASTIC =
        "UPDATE plastic SET status = $4 WHERE institution = $1 AND plastic_id = $2 AND status = $3"
);

statement!(
    pub(super) NEW_REQUEST = "INSERT INTO production_request
        (record_uid, institution, card_id, plastic_id, event, reproduction, marked_at, state)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'OPEN')"
);
statement!(
    pub(super) LIVE_REQUESTS = sqlite("SELECT json_group_array(", request_json!(), " ORDER BY r.number), r.state
    FROM production_request AS r
    WHERE r.institution = $1 AND r.card_id = $2 AND r.live = 1 GROUP BY r.state"),
    postgres("SELECT json_agg(", request_json!(postgres), " ORDER BY r.number)::text, r.state
    FROM production_request AS r
    WHERE r.institution = $1 AND r.card_id = $2 AND r.live = 1 GROUP BY r.state")
);
statement!(
    pub(super) CLOSE_REQUEST = "UPDATE production_request SET state = 'CLOSED', live = 0, reason = $3
    WHERE record_uid = $2 AND institution = $1 AND state = 'OPEN'"
);
statement!(pub(super) NEWEST_PIN = "SELECT MAX(version) FROM pin WHERE institution = $1 AND card_id = $2");
