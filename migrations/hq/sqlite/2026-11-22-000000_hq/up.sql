-- Head office's database. Money is whole ten-thousandths. `date` is a branch's wall-clock time, YYYY-MM-DD HH:MM:SS; all other times are
-- milliseconds since 1970, UTC. People who come with SQL read the view `sales_report`.

-- The database itself: one row.
CREATE TABLE hq (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    store BLOB NOT NULL CHECK (length(store) = 16),
    made_at INTEGER NOT NULL,
    -- When anything was last received. While the clock is earlier than this, head office takes nothing. If the clock was wrong then, set this right by hand.
    newest_received_at INTEGER NOT NULL
) STRICT;

-- The databases that this one was started to replace.
CREATE TABLE replaced_stores (
    store BLOB NOT NULL PRIMARY KEY CHECK (length(store) = 16),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE branches (
    branch TEXT NOT NULL PRIMARY KEY,
    -- 1 once the branch has written under its own user; from then on nobody else speaks for it.
    had_own_login INTEGER NOT NULL CHECK (had_own_login IN (0, 1)),
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    -- The branch's clock less ours at its last hello; a hello that waited in the broker makes a clock look slow.
    clock_skew_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE ledgers (
    branch TEXT NOT NULL REFERENCES branches (branch),
    ledger BLOB NOT NULL CHECK (length(ledger) = 16),
    -- How many revisions were ever applied, without those in `replayed`.
    applied INTEGER NOT NULL CHECK (applied >= 0),
    -- A hash chained over the batches that they came in.
    chain BLOB NOT NULL CHECK (length(chain) = 16),
    -- The highest id that a row or a hello has named.
    highest_id INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    -- What the last hello said.
    hello_at INTEGER,
    first_id INTEGER,
    hello_sales INTEGER,
    hello_amount TEXT,
    PRIMARY KEY (branch, ledger)
) STRICT, WITHOUT ROWID;

-- What `applied` and `chain` were after each batch that applied anything; only the newest are kept. Branches ask by them whether this database still has what it acknowledged.
CREATE TABLE ledger_marks (
    branch TEXT NOT NULL,
    ledger BLOB NOT NULL,
    applied INTEGER NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 16),
    PRIMARY KEY (branch, ledger, applied)
) STRICT, WITHOUT ROWID;

-- Each sale once, at its newest revision.
CREATE TABLE sales (
    branch TEXT NOT NULL,
    ledger BLOB NOT NULL,
    external_id INTEGER NOT NULL CHECK (external_id >= 1),
    revision INTEGER NOT NULL CHECK (revision >= 1),
    date TEXT NOT NULL,
    product TEXT NOT NULL,
    region TEXT NOT NULL,
    qty INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    tax INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (branch, ledger, external_id)
) STRICT, WITHOUT ROWID;

-- What newer revisions have replaced.
CREATE TABLE sale_revisions (
    branch TEXT NOT NULL,
    ledger BLOB NOT NULL,
    external_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    date TEXT NOT NULL,
    product TEXT NOT NULL,
    region TEXT NOT NULL,
    qty INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    tax INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    received_at INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (branch, ledger, external_id, revision)
) STRICT, WITHOUT ROWID;

-- Contents that came under a key and revision that has another content. They count nowhere; each is kept once, and open until the branch has found the way out:
-- `settled_at` is when a revision above it, HQ's own content or, in another ledger, the sale itself came.
CREATE TABLE sale_conflicts (
    branch TEXT NOT NULL,
    ledger BLOB NOT NULL,
    external_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 16),
    date TEXT NOT NULL,
    product TEXT NOT NULL,
    region TEXT NOT NULL,
    qty INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    tax INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    received_at INTEGER NOT NULL,
    settled_at INTEGER,
    PRIMARY KEY (branch, ledger, external_id, revision, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX sale_conflicts_open ON sale_conflicts (branch, external_id) WHERE settled_at IS NULL;

-- The names of products as their branch has told them, each batch's new ones in one row. `numbers` are those of the branch's database, as spans: `1-600 602`; `names`
-- has a line for each. No number is kept twice, the first name under it stays: this is what a batch means that brings numbers instead of names.
CREATE TABLE product_names (
    no INTEGER NOT NULL PRIMARY KEY,
    branch TEXT NOT NULL,
    ledger BLOB NOT NULL CHECK (length(ledger) = 16),
    numbers TEXT NOT NULL,
    names TEXT NOT NULL
) STRICT;
CREATE INDEX product_names_by_ledger ON product_names (branch, ledger);

-- Messages that could not be read, or whose sender was not who the message says. Equal ones once, with a count.
CREATE TABLE quarantine (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 1),
    reason TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    user_id TEXT,
    headers TEXT NOT NULL,
    bytes BLOB NOT NULL,
    -- Of routing key, user and bytes.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 16)
) STRICT;

-- Revisions that were let in from the quarantine, and of which their branch was not told yet. They are counted as applied with the first batch that brings them again.
CREATE TABLE replayed (
    branch TEXT NOT NULL,
    ledger BLOB NOT NULL,
    external_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (branch, ledger, external_id)
) STRICT, WITHOUT ROWID;

-- Messages that are being handled alone because they were delivered suspiciously often: how often that began and never ended.
CREATE TABLE tries (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 16),
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Written and emptied to find out whether a full disk has room again.
CREATE TABLE probe (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    filler BLOB NOT NULL
) STRICT;

-- For reports: money as decimals, times as text. A voided sale has neither amount nor total.
CREATE VIEW sales_report AS
WITH counted AS (
    SELECT *, CASE WHEN deleted_at IS NULL THEN qty * cost END AS amount_units FROM sales
)
SELECT
    branch,
    lower(hex(ledger)) AS ledger,
    external_id,
    revision,
    date,
    product,
    region,
    qty,
    printf('%d.%02d', cost / 10000, cost % 10000 / 100)
        || CASE WHEN cost % 100 = 0 THEN '' ELSE rtrim(printf('%02d', cost % 100), '0') END AS cost,
    printf('%d.%02d', tax / 10000, tax % 10000 / 100)
        || CASE WHEN tax % 100 = 0 THEN '' ELSE rtrim(printf('%02d', tax % 100), '0') END AS tax,
    CASE WHEN amount_units IS NOT NULL THEN
        printf('%d.%02d', amount_units / 10000, amount_units % 10000 / 100)
            || CASE WHEN amount_units % 100 = 0 THEN '' ELSE rtrim(printf('%02d', amount_units % 100), '0') END
    END AS amount,
    CASE WHEN amount_units IS NOT NULL THEN
        printf('%d.%02d', (amount_units + tax) / 10000, (amount_units + tax) % 10000 / 100)
            || CASE WHEN (amount_units + tax) % 100 = 0 THEN '' ELSE rtrim(printf('%02d', (amount_units + tax) % 100), '0') END
    END AS total,
    strftime('%Y-%m-%d %H:%M:%S', created_at / 1000, 'unixepoch') AS created_utc,
    strftime('%Y-%m-%d %H:%M:%S', updated_at / 1000, 'unixepoch') AS updated_utc,
    strftime('%Y-%m-%d %H:%M:%S', deleted_at / 1000, 'unixepoch') AS voided_utc,
    strftime('%Y-%m-%d %H:%M:%S', received_at / 1000, 'unixepoch') AS received_utc
FROM counted;
