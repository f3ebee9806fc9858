//! The SQL texts of intake.

use super::columns::{pin_on_record, plastic_json, request_json};
use super::statement::{Statement, statement};
use crate::store::IdKind;

statement!(pub(super) ANSWER = "SELECT content_mac, answer FROM order_answer WHERE institution = $1 AND order_id = $2");
statement!(
    pub(super) SAVE_ANSWER =
        "INSERT INTO order_answer (institution, order_id, content_mac, answer, op, at, card_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"
);

/// The end of the run of used ids that begins at `$first`, or no row where that is free.
macro_rules! last_used {
    ($table:literal, $id:literal, $first:literal) => {
        concat!(
            "SELECT used.",
            $id,
            " FROM ",
            $table,
            " AS used WHERE used.institution = $1 AND used.",
            $id,
            " >= ",
            $first,
            "
    AND EXISTS (SELECT 1 FROM ",
            $table,
            " AS wanted WHERE wanted.institution = $1 AND wanted.",
            $id,
            " = ",
            $first,
            ")
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
        )
    };
}

/// The next number, and what [`last_used`] says of it. PostgreSQL does both in one statement, for a server that is far away.
macro_rules! next_id {
    ($next:ident, $last_used:ident, $table:literal, $id:literal) => {
        statement!(
            $next = sqlite(
                "INSERT INTO id_counter (institution, kind, last) VALUES ($1, $2, 1)
    ON CONFLICT (institution, kind) DO UPDATE SET last = id_counter.last + 1 RETURNING last"
            ),
            postgres(
                "WITH next AS (INSERT INTO id_counter (institution, kind, last) VALUES ($1, $2, 1)
        ON CONFLICT (institution, kind) DO UPDATE SET last = id_counter.last + 1 RETURNING last)
    SELECT next.last, (",
                last_used!($table, $id, "next.last"),
                ") FROM next"
            )
        );
        statement!($last_used = last_used!($table, $id, "$2"));
    };
}
next_id!(NEXT_CUSTOMER_ID, LAST_USED_CUSTOMER, "customer", "customer_id");
next_id!(NEXT_ACCOUNT_ID, LAST_USED_ACCOUNT, "account", "account_id");
next_id!(NEXT_CARD_ID, LAST_USED_CARD, "card", "card_id");
next_id!(NEXT_PLASTIC_ID, LAST_USED_PLASTIC, "plastic", "plastic_id");
statement!(pub(super) SET_LAST_ID = "UPDATE id_counter SET last = $3 WHERE institution = $1 AND kind = $2");

/// The next number of a kind, and what tells whether it is used.
pub(super) fn next_id(kind: IdKind) -> (Statement, Statement) {
    match kind {
        IdKind::Customer => (NEXT_CUSTOMER_ID, LAST_USED_CUSTOMER),
        IdKind::Account => (NEXT_ACCOUNT_ID, LAST_USED_ACCOUNT),
        IdKind::Card => (NEXT_CARD_ID, LAST_USED_CARD),
        IdKind::Plastic => (NEXT_PLASTIC_ID, LAST_USED_PLASTIC),
    }
}

/// The row that knows the newest version, made and moved on, and the version itself. PostgreSQL writes both in one
/// statement, for a server that is far away: `$4` and `$5` are the version's, and where the row is not what it was to be, there
/// is no version either.
macro_rules! versioned {
    ($new:ident, $next:ident, $version:ident, $table:literal, $id:literal) => {
        statement!(pub(super) $new = sqlite("INSERT INTO ", $table, " (institution, ", $id, ", version) VALUES ($1, $2, $3)"),
            postgres("WITH made AS (INSERT INTO ", $table, " (institution, ", $id, ", version) VALUES ($1, $2, $3))
    INSERT INTO ", $table, "_version (institution, ", $id, ", version, data, made_at) VALUES ($1, $2, $3, $4, $5)"));
        statement!(pub(super) $next = sqlite("UPDATE ", $table, " SET version = $3
    WHERE institution = $1 AND ", $id, " = $2 AND version = $3 - 1"),
            postgres("WITH next AS (UPDATE ", $table, " SET version = $3
        WHERE institution = $1 AND ", $id, " = $2 AND version = $3 - 1 RETURNING version)
    INSERT INTO ", $table, "_version (institution, ", $id, ", version, data, made_at)
    SELECT $1, $2, version, $4, $5 FROM next"));
        statement!(pub(super) $version = "INSERT INTO ", $table, "_version (institution, ", $id, ", version, data, made_at)
    VALUES ($1, $2, $3, $4, $5)");
    };
}

statement!(
    pub(super) CUSTOMER = "SELECT version, data FROM customer JOIN customer_version USING (institution, customer_id, version)
    WHERE institution = $1 AND customer_id = $2"
);
versioned!(NEW_CUSTOMER, NEXT_CUSTOMER, CUSTOMER_VERSION, "customer", "customer_id");

statement!(
    pub(super) ACCOUNT = "SELECT version, data FROM account JOIN account_version USING (institution, account_id, version)
    WHERE institution = $1 AND account_id = $2"
);
versioned!(NEW_ACCOUNT, NEXT_ACCOUNT, ACCOUNT_VERSION, "account", "account_id");

statement!(
    pub(super) CARD = "SELECT version, data, pan FROM card JOIN card_version USING (institution, card_id, version)
    WHERE institution = $1 AND card_id = $2"
);
statement!(pub(super) PAN_KNOWN = "SELECT 1 FROM card WHERE pan_index = $1");
/// A card and its first version; `$10` and `$11` are the version's.
macro_rules! new_card {
    () => {
        "INSERT INTO card
        (institution, card_id, version, customer_id, account_id, manufacturer, pan, pan_index, bin, last4)
    VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)"
    };
}
statement!(
    pub(super) NEW_CARD = sqlite(new_card!()),
    postgres("WITH made AS (", new_card!(), ")
    INSERT INTO card_version (institution, card_id, version, data, made_at) VALUES ($1, $2, 1, $10, $11)")
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
    postgres("SELECT p.card_id, ", plastic_json!(postgres), " FROM plastic AS p
    WHERE p.institution = $1 AND p.card_id = $2 ORDER BY p.sequence_number")
);
statement!(
    pub(super) PLASTIC = sqlite("SELECT p.card_id, ", plastic_json!(), " FROM plastic AS p
    WHERE p.institution = $1 AND p.plastic_id = $2"),
    postgres("SELECT p.card_id, ", plastic_json!(postgres), " FROM plastic AS p
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
    pub(super) LIVE_REQUESTS = sqlite("SELECT json_group_array(", request_json!(), "), r.state
    FROM production_request AS r
    WHERE r.institution = $1 AND r.card_id = $2 AND r.live = 1 GROUP BY r.state"),
    postgres("SELECT CONCAT('[', string_agg(", request_json!(postgres), ", ','), ']'), r.state
    FROM production_request AS r
    WHERE r.institution = $1 AND r.card_id = $2 AND r.live = 1 GROUP BY r.state")
);
statement!(
    pub(super) CLOSE_REQUEST = "UPDATE production_request SET state = 'CLOSED', live = 0, reason = $3
    WHERE record_uid = $2 AND institution = $1 AND state = 'OPEN'"
);
// Written, though it changes nothing: on PostgreSQL a claim that has read these rows starts over, where a mere lock would
// let it go on with what it read.
statement!(
    pub(super) HOLD_REQUESTS = "UPDATE production_request SET state = 'OPEN'
    WHERE institution = $1 AND card_id = $2 AND live = 1 AND state = 'OPEN'"
);

statement!(
    pub(super) NEWEST_PIN = "SELECT MAX(pin.version) FROM pin
    WHERE pin.institution = $1 AND pin.card_id = $2 AND ", pin_on_record!()
);
statement!(
    pub(super) PIN_SET_AT =
        "SELECT MAX(made_at) FROM pin WHERE institution = $1 AND card_id = $2 AND record_uid IS NULL"
);
statement!(
    pub(super) NEXT_PIN_VERSION =
        "SELECT COALESCE(MAX(version), 0) + 1 FROM pin WHERE institution = $1 AND card_id = $2"
);
statement!(
    pub(super) NEW_PIN = "INSERT INTO pin
        (institution, card_id, version, scheme, stored, pvv, pvki, pvv_key, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(
    pub(super) VOID_PINS = "UPDATE pin SET void = 1
    WHERE institution = $1 AND card_id = $2 AND void = 0
      AND EXISTS (SELECT 1 FROM production_request AS own
                   WHERE own.record_uid = pin.record_uid AND own.state = 'OPEN')"
);
