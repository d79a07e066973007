-- A screen may have several drafts: what is being typed, and what waits to be taken up again.
ALTER TABLE drafts RENAME TO single_drafts;
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
INSERT INTO drafts (screen, no, kept_at, editing_id, editing_revision, product, qty, cost, tax, date, region)
    SELECT screen, 1, kept_at, editing_id, editing_revision, product, qty, cost, tax, date, region FROM single_drafts;
DROP TABLE single_drafts;
