-- The database of one branch. Times named *_at are UTC milliseconds; `date` is the branch's wall-clock time, 'YYYY-MM-DD HH:MM:SS'; money is in ten-thousandths.
--
-- Where a sale stands is not a column: the newest revision of a sale is in exactly one place.
--   outbox           it waits                                              pending
--   a live batch     it is on its way (batch open), or lies in the
--                    broker while HQ is silent (batch parked)              sent, pending
--   held             HQ refused it, or holds something else                rejected, conflict
--   none of these    HQ has it, and a run of an answered batch names it    acked

-- The lives of this database, and what HQ was heard to say of each: what tells a restored HQ and a copied database apart. `marks` are what the truth of all that is acked
-- rests on: 24 bytes each, HQ's applied count (big-endian) and its hash of all that led there. The ledger with the lowest `weighed` is the one that HQ was asked about the
-- longest ago.
CREATE TABLE ledgers (
    no INTEGER NOT NULL PRIMARY KEY,
    ledger BLOB NOT NULL UNIQUE CHECK (length(ledger) = 16),
    first_id INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0,
    unanswered INTEGER NOT NULL DEFAULT 0,
    marks BLOB NOT NULL DEFAULT x'' CHECK (length(marks) % 24 = 0),
    weighed INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE branch (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    code TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    ledger_no INTEGER NOT NULL REFERENCES ledgers (no),
    store BLOB CHECK (length(store) = 16),
    last_receipt_at INTEGER,
    last_heard_at INTEGER,
    skew_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Names are kept once: a search looks through some thousand products, not through a million sales. `folded` is the name in lower case.
CREATE TABLE products (
    no INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    folded TEXT NOT NULL,
    last_cost INTEGER NOT NULL,
    last_sold INTEGER NOT NULL
) STRICT;
CREATE INDEX products_by_last_sold ON products (last_sold);

CREATE TABLE regions (
    no INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_sold INTEGER NOT NULL
) STRICT;

-- Sales enter by plain INSERT only: OR IGNORE, OR REPLACE and ON CONFLICT would burn ids.
CREATE TABLE sales (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    ledger_no INTEGER NOT NULL REFERENCES ledgers (no),
    revision INTEGER NOT NULL CHECK (revision >= 1),
    date TEXT NOT NULL CHECK (length(date) = 19),
    product_no INTEGER NOT NULL REFERENCES products (no),
    region_no INTEGER NOT NULL REFERENCES regions (no),
    qty INTEGER NOT NULL CHECK (qty BETWEEN 1 AND 4294967295),
    cost INTEGER NOT NULL CHECK (cost BETWEEN 0 AND 9999999999999),
    tax INTEGER NOT NULL CHECK (tax BETWEEN 0 AND 9999999999999),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    amount INTEGER NOT NULL GENERATED ALWAYS AS (qty * cost) VIRTUAL CHECK (amount <= 9999999999999),
    total INTEGER NOT NULL GENERATED ALWAYS AS (qty * cost + tax) VIRTUAL,
    -- Rises with the total: its length and its first two digits. A page in the order of totals walks bands and sorts within them; an index on the total itself
    -- would spread the sales of each import all over the file.
    band INTEGER NOT NULL GENERATED ALWAYS AS (length(qty * cost + tax) * 100 + substr(qty * cost + tax, 1, 2)) VIRTUAL
) STRICT;
CREATE INDEX sales_by_date ON sales (date);
CREATE INDEX sales_by_product ON sales (product_no);
CREATE INDEX sales_by_region ON sales (region_no);
-- With the total, so that a band is sorted without a look at its sales; behind the id, so that each band grows at its end.
CREATE INDEX sales_by_band ON sales (band, id, total);

-- Contents that an edit or a void replaced; a sale that was never edited has none.
CREATE TABLE sale_revisions (
    no INTEGER NOT NULL PRIMARY KEY,
    id INTEGER NOT NULL REFERENCES sales (id),
    ledger_no INTEGER NOT NULL REFERENCES ledgers (no),
    revision INTEGER NOT NULL,
    date TEXT NOT NULL,
    product_no INTEGER NOT NULL REFERENCES products (no),
    region_no INTEGER NOT NULL REFERENCES regions (no),
    qty INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    tax INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX sale_revisions_by_sale ON sale_revisions (id, revision);

-- What waits to be sent, oldest business day first. `day` is the sale's, so a row is found from its sale. `last_acked` is the newest revision that HQ is known
-- to have had, zero if none; `counted` says that this very revision is among its ledger's unanswered ones; `cap` bounds the batch that the row may travel in.
CREATE TABLE outbox (
    day TEXT NOT NULL,
    id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    last_acked INTEGER NOT NULL DEFAULT 0,
    counted INTEGER NOT NULL DEFAULT 0 CHECK (counted IN (0, 1)),
    cap INTEGER CHECK (cap >= 1),
    PRIMARY KEY (day, id)
) STRICT, WITHOUT ROWID;

-- How long what waits has waited: how many sales of the outbox were last written in each minute of UTC. `oldest_at` is when the first of the sales that have waited in
-- that minute was written; it may have left since, so none that waits is older. An index on the outbox would cost every sale what this costs a minute of them.
CREATE TABLE ages (
    minute INTEGER NOT NULL PRIMARY KEY,
    row_count INTEGER NOT NULL CHECK (row_count >= 1),
    oldest_at INTEGER NOT NULL
) STRICT;

-- Every batch that was ever made. `live` of its `row_count` rows have their place in it, worth `live_total`; `counted` are among the unanswered revisions of the ledger;
-- `cap` is the least cap of its rows, which they get back with their freedom.
CREATE TABLE batches (
    no INTEGER NOT NULL PRIMARY KEY,
    batch BLOB NOT NULL UNIQUE CHECK (length(batch) = 16),
    ledger_no INTEGER NOT NULL REFERENCES ledgers (no),
    made_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    oldest_at INTEGER NOT NULL,
    live INTEGER NOT NULL,
    live_total INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    cap INTEGER CHECK (cap >= 1),
    state TEXT NOT NULL CHECK (state IN ('open', 'parked', 'dissolved', 'answered', 'forgotten')),
    confirmed_by TEXT,
    given_up_at INTEGER,
    answered_at INTEGER,
    hq_clock INTEGER
) STRICT;
CREATE INDEX batches_live ON batches (no) WHERE state IN ('open', 'parked');

-- The rows of a batch: `count` neighbouring ids from `first_id`, all at one revision.
CREATE TABLE batch_runs (
    batch_no INTEGER NOT NULL REFERENCES batches (no),
    first_id INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 1),
    revision INTEGER NOT NULL,
    last_acked INTEGER NOT NULL,
    PRIMARY KEY (batch_no, first_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_runs_by_sale ON batch_runs (first_id);

-- The rows of an answered batch that its receipt did not ack: refused, in conflict, or not taken at all.
CREATE TABLE batch_exceptions (
    batch_no INTEGER NOT NULL REFERENCES batches (no),
    first_id INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 1),
    PRIMARY KEY (batch_no, first_id)
) STRICT, WITHOUT ROWID;

-- What is on its way back to the outbox, a part at a time, because HQ has forgotten it or others write to the same ledger: the acked sales of a ledger with ids from
-- `first_id` to `last_id`. What HQ has forgotten makes receipts that came before `begun_at` no evidence any more. `sales` have gone back so far.
CREATE TABLE recalls (
    ledger_no INTEGER NOT NULL PRIMARY KEY REFERENCES ledgers (no),
    why TEXT NOT NULL CHECK (why IN ('restored', 'replaced', 'copied')),
    begun_at INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    sales INTEGER NOT NULL
) STRICT;

-- Sales that need a person: refused by HQ, or in conflict with what HQ holds (the hq_* columns).
CREATE TABLE held (
    id INTEGER NOT NULL PRIMARY KEY REFERENCES sales (id),
    revision INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('rejected', 'conflict')),
    written_at INTEGER NOT NULL,
    held_at INTEGER NOT NULL,
    last_acked INTEGER NOT NULL,
    batch_no INTEGER NOT NULL REFERENCES batches (no),
    refusal TEXT,
    refusal_days INTEGER,
    hq_revision INTEGER,
    hq_date TEXT,
    hq_product TEXT,
    hq_region TEXT,
    hq_qty INTEGER,
    hq_cost INTEGER,
    hq_tax INTEGER,
    hq_created_at INTEGER,
    hq_updated_at INTEGER,
    hq_deleted_at INTEGER,
    CHECK ((state = 'rejected') = (refusal IS NOT NULL)),
    CHECK ((state = 'conflict') = (hq_revision IS NOT NULL))
) STRICT;
CREATE INDEX held_by_state ON held (state, id);

-- Totals of the rows, kept in the transactions that change the rows. Sums that can pass 64 bits are decimal texts. `ahead` is the money of all that is not acked.
CREATE TABLE totals (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    row_count INTEGER NOT NULL,
    sales INTEGER NOT NULL,
    qty TEXT NOT NULL,
    amount TEXT NOT NULL,
    tax TEXT NOT NULL,
    pending INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    ahead TEXT NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, '0', '0', '0', 0, 0, 0, 0, '0');

-- The branch's log; the newest lines are kept, and now and then the others are dropped together.
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    first_id INTEGER,
    last_id INTEGER,
    count INTEGER,
    number INTEGER,
    second_number INTEGER,
    word TEXT,
    named BLOB
) STRICT;

-- What was being typed on each screen, and what waits there to be taken up again.
CREATE TABLE drafts (
    screen TEXT NOT NULL,
    no INTEGER NOT NULL,
    kept_at INTEGER NOT NULL,
    editing_id INTEGER,
    editing_revision INTEGER,
    product TEXT NOT NULL,
    qty TEXT NOT NULL,
    cost TEXT NOT NULL,
    tax TEXT NOT NULL,
    date TEXT NOT NULL,
    region TEXT NOT NULL,
    PRIMARY KEY (screen, no)
) STRICT;

-- How far each imported file has been taken; written with the sales it became.
CREATE TABLE imports (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    last_line INTEGER NOT NULL,
    finished INTEGER NOT NULL CHECK (finished IN (0, 1)),
    updated_at INTEGER NOT NULL
) STRICT;

-- Products by the code that a scanner reads.
CREATE TABLE product_codes (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    cost INTEGER NOT NULL
) STRICT;

-- What the running sync worker last said of itself.
CREATE TABLE worker (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    line TEXT NOT NULL,
    trial INTEGER NOT NULL CHECK (trial IN (0, 1))
) STRICT;

-- For people who come with SQL: names and readable decimals.
CREATE VIEW sales_report AS
SELECT
    s.id,
    lower(hex(l.ledger)) AS ledger,
    s.revision,
    s.date,
    p.name AS product,
    r.name AS region,
    s.qty,
    format('%d.%04d', s.cost / 10000, s.cost % 10000) AS cost,
    format('%d.%04d', s.tax / 10000, s.tax % 10000) AS tax,
    format('%d.%04d', s.amount / 10000, s.amount % 10000) AS amount,
    format('%d.%04d', s.total / 10000, s.total % 10000) AS total,
    s.created_at,
    s.updated_at,
    s.deleted_at
FROM sales s
JOIN ledgers l ON l.no = s.ledger_no
JOIN products p ON p.no = s.product_no
JOIN regions r ON r.no = s.region_no;
