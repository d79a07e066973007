//! How long what waits in the outbox has waited: its rows counted by the minute in which they were last written.
//!
//! Whoever puts a row into the outbox or takes one out says so to [`Ages`]; what it gathers is written with the kept totals, at the end of the transaction. So the oldest age is
//! never less than the truth, nor more by a minute, and costs a transaction as many writes as its sales were written in minutes, not as many as they are.
//!
//! What somebody else has changed holds up no sale: counts that are too low are noticed when a row leaves, and made again; those that are too high go with the last row.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::statement::sql;
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// A minute in milliseconds; SQL says it with the number itself.
const MINUTE_MS: i64 = 60_000;

/// The columns of a [`Minute`], over sales `s` that are grouped by the first of them.
pub(super) const MINUTE: &str = "s.updated_at / 60000, count(*), min(s.updated_at)";
pub(super) type MinuteSql = (BigInt, BigInt, BigInt);
/// Of sales that were last written in one minute: which one, how many they are, and when the first was.
pub(super) type Minute = (i64, i64, i64);

/// What a transaction changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ages {
    minutes: BTreeMap<i64, Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    entered: i64,
    left: i64,
    /// When the first of those that entered was written.
    oldest_at: i64,
}

impl Ages {
    fn change(&mut self, minute: i64) -> &mut Change {
        self.minutes.entry(minute).or_insert(Change {
            entered: 0,
            left: 0,
            oldest_at: i64::MAX,
        })
    }

    /// Rows that were written then wait now.
    pub(super) fn enter(&mut self, written_at: UtcMillis, rows: i64) {
        self.enter_all([(written_at.0 / MINUTE_MS, rows, written_at.0)]);
    }

    /// All these rows wait now.
    pub(super) fn enter_all(&mut self, minutes: impl IntoIterator<Item = Minute>) {
        for (minute, rows, oldest_at) in minutes {
            let change = self.change(minute);
            change.entered += rows;
            change.oldest_at = change.oldest_at.min(oldest_at);
        }
    }

    /// A row that was written then waits no longer.
    pub(super) fn leave(&mut self, written_at: UtcMillis) {
        self.change(written_at.0 / MINUTE_MS).left += 1;
    }

    /// Writes what was changed; with `none_waits` the outbox is known to be empty by now.
    pub(super) fn save(&self, conn: &mut SqliteConnection, none_waits: bool) -> Result<(), StoreError> {
        if none_waits && !self.minutes.is_empty() {
            sql::<()>("DELETE FROM ages").execute(conn)?;
            return Ok(());
        }
        for (minute, change) in &self.minutes {
            if change.entered > 0 {
                sql::<()>(
                    "INSERT INTO ages (minute, row_count, oldest_at) VALUES (?, ?, ?) ON CONFLICT (minute) DO UPDATE \
                     SET row_count = row_count + excluded.row_count, oldest_at = min(oldest_at, excluded.oldest_at)",
                )
                .int(*minute)
                .int(change.entered)
                .int(change.oldest_at)
                .execute(conn)?;
            }
            if change.left > 0 && !take_out(conn, *minute, change.left)? {
                return remake(conn);
            }
        }
        Ok(())
    }
}

/// Takes rows out of a minute; `false`: it has not so many.
fn take_out(conn: &mut SqliteConnection, minute: i64, rows: i64) -> Result<bool, StoreError> {
    let gone = sql::<()>("DELETE FROM ages WHERE minute = ? AND row_count = ?")
        .int(minute)
        .int(rows)
        .execute(conn)?;
    if gone == 1 {
        return Ok(true);
    }
    let taken = sql::<()>("UPDATE ages SET row_count = row_count - ? WHERE minute = ? AND row_count > ?")
        .int(rows)
        .int(minute)
        .int(rows)
        .execute(conn)?;
    Ok(taken == 1)
}

/// Counts the outbox anew. Somebody else has changed what is kept; an age is no reason to hold up a sale.
fn remake(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    sql::<()>("DELETE FROM ages").execute(conn)?;
    sql::<()>(format!(
        "INSERT INTO ages (minute, row_count, oldest_at) SELECT {MINUTE} FROM outbox o CROSS JOIN sales s ON s.id = o.id GROUP BY 1"
    ))
    .execute(conn)?;
    Ok(())
}
