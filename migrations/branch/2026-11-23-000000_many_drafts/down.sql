ALTER TABLE drafts RENAME TO many_drafts;
CREATE TABLE drafts (
    screen TEXT NOT NULL PRIMARY KEY,
    kept_at INTEGER NOT NULL,
    editing_id INTEGER,
    editing_revision INTEGER,
    product TEXT NOT NULL,
    qty TEXT NOT NULL,
    cost TEXT NOT NULL,
    tax TEXT NOT NULL,
    date TEXT NOT NULL,
    region TEXT NOT NULL
) STRICT;
INSERT OR REPLACE INTO drafts (screen, kept_at, editing_id, editing_revision, product, qty, cost, tax, date, region)
    SELECT screen, kept_at, editing_id, editing_revision, product, qty, cost, tax, date, region FROM many_drafts ORDER BY kept_at;
DROP TABLE many_drafts;
