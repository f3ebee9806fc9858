-- The database of emboss on PostgreSQL 15 or newer, schema version 2.
--
-- The same tables as on SQLite, so that one body of statements serves both: every number and every 0/1 flag is
-- BIGINT, times are BIGINT microseconds since 1970-01-01T00:00:00Z, expiries BIGINT YYYYMM, dates TEXT YYYY-MM-DD,
-- UUIDs TEXT in lower case, JSON TEXT. Ids are apart per institution. Rows of *_version are written once and never
-- changed.
--
-- Whatever is compared, sorted or indexed says COLLATE "C": order is that of the bytes, whatever the server's locale,
-- and a library that changes its locales can break no index.

CREATE TABLE meta (
    one            BIGINT PRIMARY KEY CHECK (one = 1),
    schema_version BIGINT NOT NULL,
    database_id    TEXT   NOT NULL,
    epoch          BIGINT NOT NULL CHECK (epoch >= 0)
);

CREATE TABLE marker (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- Who holds the run lock, for the refusal that a second run prints. The lock itself is a session's advisory lock.
CREATE TABLE run_lock (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    holder  TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    backend BIGINT NOT NULL
);

-- Orders -------------------------------------------------------------------------------------------------------

-- What an order was and which card it was about, never what it said; a customer's and an account's have no card.
CREATE TABLE order_answer (
    institution TEXT COLLATE "C" NOT NULL,
    order_id    TEXT COLLATE "C" NOT NULL,
    content_mac BYTEA  NOT NULL,
    answer      TEXT   NOT NULL,
    op          TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    card_id     BIGINT,
    PRIMARY KEY (institution, order_id)
);

CREATE INDEX order_of_card ON order_answer (institution, card_id) WHERE card_id IS NOT NULL;

CREATE TABLE id_counter (
    institution TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('customer', 'account', 'card', 'plastic')),
    last        BIGINT NOT NULL,
    PRIMARY KEY (institution, kind)
) WITH (fillfactor = 10);

-- Customers, accounts, cards: the newest version's number, and every version's content (R120) ------------------

CREATE TABLE customer (
    institution TEXT COLLATE "C" NOT NULL,
    customer_id BIGINT NOT NULL,
    version     BIGINT NOT NULL CHECK (version >= 1),
    PRIMARY KEY (institution, customer_id)
) WITH (fillfactor = 90);

CREATE TABLE customer_version (
    institution TEXT COLLATE "C" NOT NULL,
    customer_id BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    data        TEXT   NOT NULL,
    made_at     BIGINT NOT NULL,
    PRIMARY KEY (institution, customer_id, version),
    FOREIGN KEY (institution, customer_id) REFERENCES customer (institution, customer_id)
);

CREATE TABLE account (
    institution TEXT COLLATE "C" NOT NULL,
    account_id  BIGINT NOT NULL,
    version     BIGINT NOT NULL CHECK (version >= 1),
    PRIMARY KEY (institution, account_id)
) WITH (fillfactor = 90);

CREATE TABLE account_version (
    institution TEXT COLLATE "C" NOT NULL,
    account_id  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    data        TEXT   NOT NULL,
    made_at     BIGINT NOT NULL,
    PRIMARY KEY (institution, account_id, version),
    FOREIGN KEY (institution, account_id) REFERENCES account (institution, account_id)
);

-- customer_id, account_id and manufacturer repeat the newest version's content, for joins and routes.
CREATE TABLE card (
    institution  TEXT COLLATE "C" NOT NULL,
    card_id      BIGINT NOT NULL,
    version      BIGINT NOT NULL CHECK (version >= 1),
    customer_id  BIGINT NOT NULL,
    account_id   BIGINT NOT NULL,
    manufacturer TEXT COLLATE "C",
    pan          BYTEA  NOT NULL,
    pan_index    BYTEA  NOT NULL CHECK (octet_length(pan_index) = 32),
    bin          TEXT COLLATE "C" NOT NULL CHECK (length(bin) = 6),
    last4        TEXT COLLATE "C" NOT NULL CHECK (length(last4) = 4),
    PRIMARY KEY (institution, card_id),
    FOREIGN KEY (institution, customer_id) REFERENCES customer (institution, customer_id),
    FOREIGN KEY (institution, account_id) REFERENCES account (institution, account_id)
) WITH (fillfactor = 90);

-- A card number exists once, whoever issued it.
CREATE UNIQUE INDEX card_pan ON card (pan_index);

CREATE TABLE card_version (
    institution TEXT COLLATE "C" NOT NULL,
    card_id     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    data        TEXT   NOT NULL,
    made_at     BIGINT NOT NULL,
    PRIMARY KEY (institution, card_id, version),
    FOREIGN KEY (institution, card_id) REFERENCES card (institution, card_id)
);

-- What may be shown of a card's versions: no name, address or line. Who looks reads this, not the table below it.
CREATE VIEW card_history (institution, card_id, version, made_at, product_code, scheme, status, status_since, pin_status,
    physical, scheduled_closing, replaces, replaced_by) AS
SELECT institution, card_id, version, made_at, data::json ->> 'productCode', data::json ->> 'scheme',
    data::json ->> 'status', data::json ->> 'statusSince', data::json ->> 'pinStatus',
    CASE data::json #>> '{embossing,physical}' WHEN 'true' THEN 1::BIGINT WHEN 'false' THEN 0::BIGINT END,
    data::json ->> 'scheduledClosing', data::json ->> 'replaces', data::json ->> 'replacedBy'
FROM card_version;

-- No index knows `status` and `embossing_date`: with room on its page a settlement touches no index. Less than half full,
-- a page has that room for every row on it, for a night may change them all at once.
CREATE TABLE plastic (
    institution     TEXT COLLATE "C" NOT NULL,
    plastic_id      BIGINT NOT NULL,
    card_id         BIGINT NOT NULL,
    sequence_number BIGINT NOT NULL CHECK (sequence_number BETWEEN 1 AND 99),
    event           TEXT COLLATE "C" NOT NULL CHECK (event IN ('NCRD', 'NVRT', 'NLOST', 'NLOSTVRT', 'RALLNLOST', 'RALLRE', 'RPL', 'RPLRE', 'RVRT')),
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('INACTIVE', 'ACTIVE', 'LOCKED', 'CLOSED', 'CANCELLED')),
    expiry          BIGINT NOT NULL CHECK (expiry BETWEEN 200001 AND 209912),
    marked_at       BIGINT,
    cvv_key         TEXT,
    cvv2_key        TEXT   NOT NULL,
    embossing_date  TEXT COLLATE "C",
    PRIMARY KEY (institution, plastic_id),
    FOREIGN KEY (institution, card_id) REFERENCES card (institution, card_id)
) WITH (fillfactor = 45);

-- R118: a number is used once, cancelled plastics included.
CREATE UNIQUE INDEX plastic_sequence ON plastic (institution, card_id, sequence_number);

-- The night's renewal walks this one, month by month (R110). It knows nothing that changes in the life of a plastic.
CREATE INDEX plastic_expiry ON plastic (institution, expiry, plastic_id);

-- No foreign key: it would lock and rewrite the card's row for every PIN that a night makes. Both come from one item
-- of a file, and cards are never deleted.
CREATE TABLE pin (
    institution TEXT COLLATE "C" NOT NULL,
    card_id     BIGINT NOT NULL,
    version     BIGINT NOT NULL CHECK (version >= 1),
    record_uid  TEXT COLLATE "C",
    scheme      TEXT   NOT NULL,
    stored      BYTEA  NOT NULL,
    pvv         BYTEA,
    pvki        TEXT,
    pvv_key     TEXT,
    made_at     BIGINT NOT NULL,
    void        BIGINT NOT NULL DEFAULT 0 CHECK (void IN (0, 1)),
    PRIMARY KEY (institution, card_id, version),
    CHECK (void = 0 OR record_uid IS NOT NULL)
);

-- R40: one generated PIN per production request, for ever. A void one was generated for a request that never went out,
-- before its card got a PIN of its holder's.
CREATE UNIQUE INDEX pin_record ON pin (record_uid) WHERE record_uid IS NOT NULL AND void = 0;

-- Runs and files -----------------------------------------------------------------------------------------------

CREATE TABLE run (
    run_id        TEXT COLLATE "C" PRIMARY KEY,
    epoch         BIGINT NOT NULL UNIQUE,
    kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('NIGHT', 'ON_DEMAND')),
    business_date TEXT COLLATE "C" NOT NULL,
    cut_off       BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    ended_at      BIGINT,
    exit_code     BIGINT,
    holder        TEXT   NOT NULL,
    report        TEXT
);

CREATE TABLE agreement_night (
    night        TEXT COLLATE "C" NOT NULL,
    institution  TEXT COLLATE "C" NOT NULL,
    manufacturer TEXT COLLATE "C" NOT NULL,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'CLAIMED', 'DONE', 'STOPPED')),
    reason       TEXT,
    detail       TEXT,
    run_id       TEXT COLLATE "C" NOT NULL REFERENCES run (run_id),
    PRIMARY KEY (night, institution, manufacturer),
    CHECK ((state = 'STOPPED') = (reason IS NOT NULL))
);

CREATE TABLE file (
    file_id             TEXT COLLATE "C" PRIMARY KEY,
    night               TEXT COLLATE "C" NOT NULL,
    run_id              TEXT COLLATE "C" NOT NULL REFERENCES run (run_id),
    institution         TEXT COLLATE "C" NOT NULL,
    manufacturer        TEXT COLLATE "C" NOT NULL,
    sequence_number     BIGINT NOT NULL CHECK (sequence_number >= 1),
    previous_file_id    TEXT COLLATE "C" REFERENCES file (file_id),
    file_type           TEXT COLLATE "C" NOT NULL CHECK (file_type IN ('NORMAL', 'DUPLICATE')),
    resend_of           TEXT COLLATE "C" REFERENCES file (file_id),
    format              TEXT COLLATE "C" NOT NULL CHECK (format IN ('xml', 'json')),
    version             BIGINT NOT NULL CHECK (version >= 1),
    cut_off             BIGINT NOT NULL,
    data_as_of          BIGINT NOT NULL,
    state               TEXT COLLATE "C" NOT NULL CHECK (state IN ('CLAIMED', 'SEALED', 'SENDING', 'READY', 'RENAMING', 'PUBLISHED', 'SETTLED', 'UNCERTAIN')),
    epoch               BIGINT NOT NULL,
    sealed_epoch        BIGINT,
    fill_seed           BYTEA  NOT NULL,
    items_sha256        TEXT,
    file_name           TEXT COLLATE "C",
    sha256              TEXT,
    size_bytes          BIGINT,
    records             BIGINT,
    cards               BIGINT,
    pin_only            BIGINT,
    by_production_event TEXT,
    key_fingerprints    TEXT,
    delivery_number     BIGINT NOT NULL DEFAULT 0,
    rename_attempted    BIGINT NOT NULL DEFAULT 0 CHECK (rename_attempted IN (0, 1)),
    abandoned           BIGINT NOT NULL DEFAULT 0 CHECK (abandoned IN (0, 1)),
    trouble             TEXT,
    published_at        BIGINT,
    settled_at          BIGINT,
    CHECK ((file_type = 'DUPLICATE') = (resend_of IS NOT NULL)),
    CHECK (state = 'CLAIMED' OR (file_name IS NOT NULL AND sha256 IS NOT NULL AND records IS NOT NULL))
) WITH (fillfactor = 50);

-- R131: no number twice.
CREATE UNIQUE INDEX file_sequence ON file (institution, manufacturer, sequence_number);
CREATE INDEX file_night ON file (night);
CREATE INDEX file_unfinished ON file (institution, manufacturer, sequence_number) WHERE state <> 'SETTLED';
CREATE INDEX file_named ON file (file_name) WHERE file_name IS NOT NULL;

-- One per time a file is delivered: the night's own, and one more per resend. Attempts are numbered over all of them.
-- An attempt without a temporary name ('') has not begun.
CREATE TABLE delivery (
    file_id         TEXT COLLATE "C" NOT NULL REFERENCES file (file_id),
    delivery_number BIGINT NOT NULL CHECK (delivery_number >= 1),
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('SENDING', 'READY', 'RENAMING', 'PUBLISHED', 'UNCERTAIN', 'WITHDRAWN')),
    attempt         BIGINT NOT NULL CHECK (attempt >= 1),
    temporary_name  TEXT   NOT NULL,
    identity        TEXT   NOT NULL,
    rename_attempt  BIGINT NOT NULL DEFAULT 0,
    started_at      BIGINT NOT NULL,
    published_at    BIGINT,
    PRIMARY KEY (file_id, delivery_number)
) WITH (fillfactor = 50);

CREATE INDEX delivery_unfinished ON delivery (file_id) WHERE state IN ('SENDING', 'READY', 'RENAMING', 'UNCERTAIN');

-- What a night claims ------------------------------------------------------------------------------------------

-- `file_id` has no foreign key: it would look the file up once per request of a claim, which writes the one file it
-- has just made, and files are never deleted.
--
-- No index knows `state` and `file_id`: with room on its page, as above, a claim touches no index. A settlement changes `live`
-- and so leaves the partial indexes, which is what keeps them as small as the night.
CREATE TABLE production_request (
    number       BIGINT GENERATED BY DEFAULT AS IDENTITY,
    record_uid   TEXT COLLATE "C" PRIMARY KEY,
    institution  TEXT COLLATE "C" NOT NULL,
    card_id      BIGINT NOT NULL,
    plastic_id   BIGINT NOT NULL,
    event        TEXT COLLATE "C" NOT NULL CHECK (event IN ('NCRD', 'NVRT', 'NLOST', 'NLOSTVRT', 'ROPIN', 'RALLNLOST', 'RALLRE', 'RPL', 'RPLRE', 'RVRT')),
    reproduction BIGINT NOT NULL CHECK (reproduction IN (0, 1)),
    marked_at    BIGINT NOT NULL,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('OPEN', 'CLAIMED', 'SENT', 'CLOSED')),
    live         BIGINT NOT NULL DEFAULT 1,
    file_id      TEXT COLLATE "C",
    reason       TEXT,
    CHECK (live = CASE WHEN state IN ('OPEN', 'CLAIMED') THEN 1 ELSE 0 END),
    CHECK ((state IN ('CLAIMED', 'SENT')) = (file_id IS NOT NULL)),
    CHECK (state <> 'CLOSED' OR reason IS NOT NULL),
    FOREIGN KEY (institution, plastic_id) REFERENCES plastic (institution, plastic_id)
) WITH (fillfactor = 45, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

-- The nightly selection walks this one, card by card.
CREATE INDEX request_live ON production_request (institution, card_id) WHERE live = 1;

-- R130: one normal request per plastic and event; of PIN requests one that is still to be answered.
CREATE UNIQUE INDEX request_normal ON production_request (institution, plastic_id, event)
    WHERE reproduction = 0 AND event <> 'ROPIN';
CREATE UNIQUE INDEX request_pin ON production_request (institution, card_id)
    WHERE event = 'ROPIN' AND live = 1;

-- The few that `request_normal` does not hold, for the story of a card.
CREATE INDEX request_seldom ON production_request (institution, card_id) WHERE event = 'ROPIN' OR reproduction = 1;

-- On which nights a request was held or excluded, and why: a log for people, which no decision reads (R54). It is
-- written by the claim, for what does not go. No foreign key, for the same reason as below.
CREATE TABLE standing (
    record_uid  TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('HOLD', 'EXCLUDE')),
    code        TEXT COLLATE "C" NOT NULL,
    first_night TEXT COLLATE "C" NOT NULL,
    last_night  TEXT COLLATE "C" NOT NULL,
    times       BIGINT NOT NULL CHECK (times >= 1),
    PRIMARY KEY (record_uid, kind, code)
) WITH (fillfactor = 50);

-- What a claim froze. A released item stays as a row that is no longer live; claimed again, it is a new row under
-- the later epoch. `pin_version` is that of a PIN which was there before; one that is made for the item's own request is
-- found by its recordUid (R40). `file_id` has no foreign key for the same reason as above.
CREATE TABLE file_item (
    file_id          TEXT COLLATE "C" NOT NULL,
    sort_key         TEXT COLLATE "C" NOT NULL,
    epoch            BIGINT NOT NULL,
    record_uid       TEXT COLLATE "C" NOT NULL,
    institution      TEXT COLLATE "C" NOT NULL,
    card_id          BIGINT NOT NULL,
    plastic_id       BIGINT NOT NULL,
    event            TEXT COLLATE "C" NOT NULL,
    reproduction     BIGINT NOT NULL,
    card_version     BIGINT NOT NULL,
    product_code     TEXT   NOT NULL,
    customer_id      BIGINT NOT NULL,
    customer_version BIGINT NOT NULL,
    account_id       BIGINT NOT NULL,
    account_version  BIGINT NOT NULL,
    pin_action       TEXT COLLATE "C" NOT NULL CHECK (pin_action IN ('NONE', 'GENERATE', 'STORED')),
    pin_version      BIGINT,
    prints_pin       BIGINT NOT NULL CHECK (prints_pin IN (0, 1)),
    settles_to       TEXT COLLATE "C" CHECK (settles_to IN ('ACTIVE', 'LOCKED')),
    duplicate        BIGINT NOT NULL DEFAULT 0 CHECK (duplicate IN (0, 1)),
    live             BIGINT NOT NULL DEFAULT 1 CHECK (live IN (0, 1)),
    reason           TEXT,
    PRIMARY KEY (file_id, sort_key, epoch)
) WITH (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

-- R130: a request is in one file at a time; only an explicit duplicate repeats it.
CREATE UNIQUE INDEX item_record ON file_item (record_uid) WHERE live = 1 AND duplicate = 0;
-- The few that `item_record` does not hold, for the story of a card.
CREATE INDEX item_apart ON file_item (record_uid) WHERE live = 0 OR duplicate = 1;

-- What is told ---------------------------------------------------------------------------------------------------

-- What happened, for readers outside: numbers grow and are never used twice. Writers take turns, so that a reader who
-- saw a number has seen all before it. `card_id` stands where one card alone is told of; a settlement, which tells of all
-- of a file's, leaves it out: its events lie right before `file.settled`.
CREATE TABLE event (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          BIGINT NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    institution TEXT COLLATE "C",
    data        TEXT   NOT NULL,
    card_id     BIGINT
);
CREATE INDEX event_of_card ON event (institution, card_id) WHERE card_id IS NOT NULL;
CREATE INDEX event_settled ON event (number) WHERE kind = 'file.settled';

-- The audit chain: who did what to what and why, written once, never changed, never deleted. Numbers have no gaps; each
-- entry's MAC, under a key that is not here, covers the one before it (docs/AUDIT.md). No person, no reason.
CREATE TABLE audit (
    number  BIGINT PRIMARY KEY CHECK (number >= 1),
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    reason  TEXT   NOT NULL,
    data    TEXT COLLATE "C" NOT NULL,
    key_id  TEXT   NOT NULL,
    mac     BYTEA  NOT NULL CHECK (octet_length(mac) = 32)
);

CREATE INDEX audit_of_subject ON audit (subject, number);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- What the last trial at a destination showed.
CREATE TABLE probe (
    destination TEXT COLLATE "C" PRIMARY KEY,
    at          BIGINT NOT NULL,
    identity    TEXT   NOT NULL,
    answers     TEXT   NOT NULL
);

INSERT INTO meta (one, schema_version, database_id, epoch) VALUES (1, 2, gen_random_uuid(), 0);
