-- Bytes that the line has carried, by the day of the place's calendar on which they were counted.
CREATE TABLE data_used (
    day TEXT NOT NULL PRIMARY KEY,
    up INTEGER NOT NULL CHECK (up >= 0),
    down INTEGER NOT NULL CHECK (down >= 0)
) STRICT, WITHOUT ROWID;
