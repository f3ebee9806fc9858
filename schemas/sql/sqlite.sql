-- The database of emboss on SQLite, schema version 2.
--
-- Times are INTEGER microseconds since 1970-01-01T00:00:00Z, expiries INTEGER YYYYMM, dates TEXT YYYY-MM-DD,
-- UUIDs TEXT in lower case. Ids are apart per institution. Rows of *_version are written once and never changed.

CREATE TABLE meta (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    schema_version INTEGER NOT NULL,
    database_id    TEXT    NOT NULL,
    epoch          INTEGER NOT NULL CHECK (epoch >= 0)
) STRICT;

CREATE TABLE marker (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Orders -------------------------------------------------------------------------------------------------------

-- What an order was and which card it was about, never what it said; a customer's and an account's have no card.
CREATE TABLE order_answer (
    institution TEXT    NOT NULL,
    order_id    TEXT    NOT NULL,
    content_mac BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    op          TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    card_id     INTEGER,
    PRIMARY KEY (institution, order_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX order_of_card ON order_answer (institution, card_id) WHERE card_id IS NOT NULL;

CREATE TABLE id_counter (
    institution TEXT    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('customer', 'account', 'card', 'plastic')),
    last        INTEGER NOT NULL,
    PRIMARY KEY (institution, kind)
) STRICT, WITHOUT ROWID;

-- Customers, accounts, cards: the newest version's number, and every version's content (R120) ------------------

CREATE TABLE customer (
    institution TEXT    NOT NULL,
    customer_id INTEGER NOT NULL,
    version     INTEGER NOT NULL CHECK (version >= 1),
    PRIMARY KEY (institution, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_version (
    institution TEXT    NOT NULL,
    customer_id INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    data        TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (institution, customer_id, version),
    FOREIGN KEY (institution, customer_id) REFERENCES customer (institution, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    institution TEXT    NOT NULL,
    account_id  INTEGER NOT NULL,
    version     INTEGER NOT NULL CHECK (version >= 1),
    PRIMARY KEY (institution, account_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_version (
    institution TEXT    NOT NULL,
    account_id  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    data        TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (institution, account_id, version),
    FOREIGN KEY (institution, account_id) REFERENCES account (institution, account_id)
) STRICT, WITHOUT ROWID;

-- customer_id, account_id and manufacturer repeat the newest version's content, for joins and routes.
CREATE TABLE card (
    institution  TEXT    NOT NULL,
    card_id      INTEGER NOT NULL,
    version      INTEGER NOT NULL CHECK (version >= 1),
    customer_id  INTEGER NOT NULL,
    account_id   INTEGER NOT NULL,
    manufacturer TEXT,
    pan          BLOB    NOT NULL,
    pan_index    BLOB    NOT NULL CHECK (length(pan_index) = 32),
    bin          TEXT    NOT NULL CHECK (length(bin) = 6),
    last4        TEXT    NOT NULL CHECK (length(last4) = 4),
    PRIMARY KEY (institution, card_id),
    FOREIGN KEY (institution, customer_id) REFERENCES customer (institution, customer_id),
    FOREIGN KEY (institution, account_id) REFERENCES account (institution, account_id)
) STRICT, WITHOUT ROWID;

-- A card number exists once, whoever issued it.
CREATE UNIQUE INDEX card_pan ON card (pan_index);

CREATE TABLE card_version (
    institution TEXT    NOT NULL,
    card_id     INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    data        TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (institution, card_id, version),
    FOREIGN KEY (institution, card_id) REFERENCES card (institution, card_id)
) STRICT, WITHOUT ROWID;

-- What may be shown of a card's versions: no name, address or line.
CREATE VIEW card_history (institution, card_id, version, made_at, product_code, scheme, status, status_since, pin_status,
    physical, scheduled_closing, replaces, replaced_by) AS
SELECT institution, card_id, version, made_at, data ->> '$.productCode', data ->> '$.scheme', data ->> '$.status',
    data ->> '$.statusSince', data ->> '$.pinStatus', data ->> '$.embossing.physical', data ->> '$.scheduledClosing',
    data ->> '$.replaces', data ->> '$.replacedBy'
FROM card_version;

CREATE TABLE plastic (
    institution     TEXT    NOT NULL,
    plastic_id      INTEGER NOT NULL,
    card_id         INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL CHECK (sequence_number BETWEEN 1 AND 99),
    event           TEXT    NOT NULL CHECK (event IN ('NCRD', 'NVRT', 'NLOST', 'NLOSTVRT', 'RALLNLOST', 'RALLRE', 'RPL', 'RPLRE', 'RVRT')),
    status          TEXT    NOT NULL CHECK (status IN ('INACTIVE', 'ACTIVE', 'LOCKED', 'CLOSED', 'CANCELLED')),
    expiry          INTEGER NOT NULL CHECK (expiry BETWEEN 200001 AND 209912),
    marked_at       INTEGER,
    cvv_key         TEXT,
    cvv2_key        TEXT    NOT NULL,
    embossing_date  TEXT,
    PRIMARY KEY (institution, plastic_id),
    FOREIGN KEY (institution, card_id) REFERENCES card (institution, card_id)
) STRICT, WITHOUT ROWID;

-- R118: a number is used once, cancelled plastics included.
CREATE UNIQUE INDEX plastic_sequence ON plastic (institution, card_id, sequence_number);

-- The night's renewal walks this one, month by month (R110). It knows nothing that changes in the life of a plastic.
CREATE INDEX plastic_expiry ON plastic (institution, expiry, plastic_id);

CREATE TABLE pin (
    institution TEXT    NOT NULL,
    card_id     INTEGER NOT NULL,
    version     INTEGER NOT NULL CHECK (version >= 1),
    record_uid  TEXT,
    scheme      TEXT    NOT NULL,
    stored      BLOB    NOT NULL,
    pvv         BLOB,
    pvki        TEXT,
    pvv_key     TEXT,
    made_at     INTEGER NOT NULL,
    void        INTEGER NOT NULL DEFAULT 0 CHECK (void IN (0, 1)),
    PRIMARY KEY (institution, card_id, version),
    CHECK (void = 0 OR record_uid IS NOT NULL),
    FOREIGN KEY (institution, card_id) REFERENCES card (institution, card_id)
) STRICT, WITHOUT ROWID;

-- R40: one generated PIN per production request, for ever. A void one was generated for a request that never went out,
-- before its card got a PIN of its holder's.
CREATE UNIQUE INDEX pin_record ON pin (record_uid) WHERE record_uid IS NOT NULL AND void = 0;

-- What a night claims ------------------------------------------------------------------------------------------

CREATE TABLE production_request (
    number       INTEGER PRIMARY KEY,
    record_uid   TEXT    NOT NULL UNIQUE,
    institution  TEXT    NOT NULL,
    card_id      INTEGER NOT NULL,
    plastic_id   INTEGER NOT NULL,
    event        TEXT    NOT NULL CHECK (event IN ('NCRD', 'NVRT', 'NLOST', 'NLOSTVRT', 'ROPIN', 'RALLNLOST', 'RALLRE', 'RPL', 'RPLRE', 'RVRT')),
    reproduction INTEGER NOT NULL CHECK (reproduction IN (0, 1)),
    marked_at    INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('OPEN', 'CLAIMED', 'SENT', 'CLOSED')),
    live         INTEGER NOT NULL DEFAULT 1,
    file_id      TEXT REFERENCES file (file_id),
    reason       TEXT,
    CHECK (live = (state IN ('OPEN', 'CLAIMED'))),
    CHECK ((state IN ('CLAIMED', 'SENT')) = (file_id IS NOT NULL)),
    CHECK (state <> 'CLOSED' OR reason IS NOT NULL),
    FOREIGN KEY (institution, plastic_id) REFERENCES plastic (institution, plastic_id)
) STRICT;

-- The nightly selection walks this one, card by card. `live` says what `state` says, so that a claim, which leaves
-- it alone, leaves the index alone.
CREATE INDEX request_live ON production_request (institution, card_id) WHERE live = 1;

-- R130: one normal request per plastic and event; of PIN requests one that is still to be answered.
CREATE UNIQUE INDEX request_normal ON production_request (institution, plastic_id, event)
    WHERE reproduction = 0 AND event <> 'ROPIN';
CREATE UNIQUE INDEX request_pin ON production_request (institution, card_id)
    WHERE event = 'ROPIN' AND live = 1;

-- The few that `request_normal` does not hold, for the story of a card.
CREATE INDEX request_seldom ON production_request (institution, card_id) WHERE event = 'ROPIN' OR reproduction = 1;

-- On which nights a request was held or excluded, and why: a log for people, which no decision reads (R54). It is
-- written by the claim, for what does not go.
CREATE TABLE standing (
    record_uid  TEXT    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('HOLD', 'EXCLUDE')),
    code        TEXT    NOT NULL,
    first_night TEXT    NOT NULL,
    last_night  TEXT    NOT NULL,
    times       INTEGER NOT NULL CHECK (times >= 1),
    PRIMARY KEY (record_uid, kind, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    run_id        TEXT PRIMARY KEY,
    epoch         INTEGER NOT NULL UNIQUE,
    kind          TEXT    NOT NULL CHECK (kind IN ('NIGHT', 'ON_DEMAND')),
    business_date TEXT    NOT NULL,
    cut_off       INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    exit_code     INTEGER,
    holder        TEXT    NOT NULL,
    report        TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE agreement_night (
    night        TEXT NOT NULL,
    institution  TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('PENDING', 'CLAIMED', 'DONE', 'STOPPED')),
    reason       TEXT,
    detail       TEXT,
    run_id       TEXT NOT NULL REFERENCES run (run_id),
    PRIMARY KEY (night, institution, manufacturer),
    CHECK ((state = 'STOPPED') = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE file (
    file_id             TEXT PRIMARY KEY,
    night               TEXT    NOT NULL,
    run_id              TEXT    NOT NULL REFERENCES run (run_id),
    institution         TEXT    NOT NULL,
    manufacturer        TEXT    NOT NULL,
    sequence_number     INTEGER NOT NULL CHECK (sequence_number >= 1),
    previous_file_id    TEXT REFERENCES file (file_id),
    file_type           TEXT    NOT NULL CHECK (file_type IN ('NORMAL', 'DUPLICATE')),
    resend_of           TEXT REFERENCES file (file_id),
    format              TEXT    NOT NULL CHECK (format IN ('xml', 'json')),
    version             INTEGER NOT NULL CHECK (version >= 1),
    cut_off             INTEGER NOT NULL,
    data_as_of          INTEGER NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN ('CLAIMED', 'SEALED', 'SENDING', 'READY', 'RENAMING', 'PUBLISHED', 'SETTLED', 'UNCERTAIN')),
    epoch               INTEGER NOT NULL,
    sealed_epoch        INTEGER,
    fill_seed           BLOB    NOT NULL,
    items_sha256        TEXT,
    file_name           TEXT,
    sha256              TEXT,
    size_bytes          INTEGER,
    records             INTEGER,
    cards               INTEGER,
    pin_only            INTEGER,
    by_production_event TEXT,
    key_fingerprints    TEXT,
    delivery_number     INTEGER NOT NULL DEFAULT 0,
    rename_attempted    INTEGER NOT NULL DEFAULT 0 CHECK (rename_attempted IN (0, 1)),
    abandoned           INTEGER NOT NULL DEFAULT 0 CHECK (abandoned IN (0, 1)),
    trouble             TEXT,
    published_at        INTEGER,
    settled_at          INTEGER,
    CHECK ((file_type = 'DUPLICATE') = (resend_of IS NOT NULL)),
    CHECK (state = 'CLAIMED' OR (file_name IS NOT NULL AND sha256 IS NOT NULL AND records IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- R131: no number twice.
CREATE UNIQUE INDEX file_sequence ON file (institution, manufacturer, sequence_number);
CREATE INDEX file_night ON file (night);
CREATE INDEX file_unfinished ON file (institution, manufacturer, sequence_number) WHERE state <> 'SETTLED';

-- One per time a file is delivered: the night's own, and one more per resend. Attempts are numbered over all of them.
-- An attempt without a temporary name ('') has not begun.
CREATE TABLE delivery (
    file_id         TEXT    NOT NULL REFERENCES file (file_id),
    delivery_number INTEGER NOT NULL CHECK (delivery_number >= 1),
    state           TEXT    NOT NULL CHECK (state IN ('SENDING', 'READY', 'RENAMING', 'PUBLISHED', 'UNCERTAIN', 'WITHDRAWN')),
    attempt         INTEGER NOT NULL CHECK (attempt >= 1),
    temporary_name  TEXT    NOT NULL,
    identity        TEXT    NOT NULL,
    rename_attempt  INTEGER NOT NULL DEFAULT 0,
    started_at      INTEGER NOT NULL,
    published_at    INTEGER,
    PRIMARY KEY (file_id, delivery_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_unfinished ON delivery (file_id) WHERE state IN ('SENDING', 'READY', 'RENAMING', 'UNCERTAIN');

-- What a claim froze. A released item stays as a row that is no longer live; claimed again, it is a new row under
-- the later epoch. `pin_version` is that of a PIN which was there before; one that is made for the item's own request is
-- found by its recordUid (R40).
CREATE TABLE file_item (
    file_id          TEXT    NOT NULL REFERENCES file (file_id),
    sort_key         TEXT    NOT NULL,
    epoch            INTEGER NOT NULL,
    record_uid       TEXT    NOT NULL,
    institution      TEXT    NOT NULL,
    card_id          INTEGER NOT NULL,
    plastic_id       INTEGER NOT NULL,
    event            TEXT    NOT NULL,
    reproduction     INTEGER NOT NULL,
    card_version     INTEGER NOT NULL,
    product_code     TEXT    NOT NULL,
    customer_id      INTEGER NOT NULL,
    customer_version INTEGER NOT NULL,
    account_id       INTEGER NOT NULL,
    account_version  INTEGER NOT NULL,
    pin_action       TEXT    NOT NULL CHECK (pin_action IN ('NONE', 'GENERATE', 'STORED')),
    pin_version      INTEGER,
    prints_pin       INTEGER NOT NULL CHECK (prints_pin IN (0, 1)),
    settles_to       TEXT CHECK (settles_to IN ('ACTIVE', 'LOCKED')),
    duplicate        INTEGER NOT NULL DEFAULT 0 CHECK (duplicate IN (0, 1)),
    live             INTEGER NOT NULL DEFAULT 1 CHECK (live IN (0, 1)),
    reason           TEXT,
    PRIMARY KEY (file_id, sort_key, epoch)
) STRICT, WITHOUT ROWID;

-- R130: a request is in one file at a time; only an explicit duplicate repeats it.
CREATE UNIQUE INDEX item_record ON file_item (record_uid) WHERE live = 1 AND duplicate = 0;
-- The few that `item_record` does not hold, for the story of a card.
CREATE INDEX item_apart ON file_item (record_uid) WHERE live = 0 OR duplicate = 1;

-- What happened, for readers outside: numbers grow and are never used twice. `card_id` stands where one card alone is
-- told of; a settlement, which tells of all of a file's, leaves it out: its events lie right before `file.settled`.
CREATE TABLE event (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    institution TEXT,
    data        TEXT    NOT NULL,
    card_id     INTEGER
) STRICT;

CREATE INDEX event_settled ON event (number) WHERE kind = 'file.settled';
CREATE INDEX event_of_card ON event (institution, card_id) WHERE card_id IS NOT NULL;

-- The audit chain: who did what to what and why, written once, never changed, never deleted. Numbers have no gaps; each
-- entry's MAC, under a key that is not here, covers the one before it (docs/AUDIT.md). No person, no reason.
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY CHECK (number >= 1),
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    data    TEXT    NOT NULL,
    key_id  TEXT    NOT NULL,
    mac     BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;

CREATE INDEX audit_of_subject ON audit (subject, number);

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only: UPDATE is refused');
END;
CREATE TRIGGER audit_is_never_emptied BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only: DELETE is refused');
END;

-- What the last trial at a destination showed.
CREATE TABLE probe (
    destination TEXT    PRIMARY KEY,
    at          INTEGER NOT NULL,
    identity    TEXT    NOT NULL,
    answers     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
