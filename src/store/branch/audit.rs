//! The audit: everything that is kept for speed is made again from the rows, and each difference is told.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::BranchDb;
use super::filter::ids_in_state;
use super::kept::Kept;
use super::statement::sql;
use super::sums::{self, SumsRecord, SumsSql};
use super::{ledgers, values};
use crate::domain::money::MoneySum;
use crate::domain::sync_state::SyncKind;
use crate::store::{StoreError, sqlite};

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Where what is kept is not what the rows say.
    pub differences: Vec<Difference>,
    /// How many rows were looked at.
    pub rows: u64,
}

/// One number that should be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What the number counts.
    pub what: String,
    /// What is kept.
    pub kept: String,
    /// What the rows say.
    pub rows: String,
}

impl Audit {
    /// Whether all that is kept is what the rows say.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }

    fn compare<T: Copy + PartialEq + fmt::Display>(&mut self, what: impl Into<String>, kept: T, rows: T) {
        if kept != rows {
            self.differences.push(Difference {
                what: what.into(),
                kept: kept.to_string(),
                rows: rows.to_string(),
            });
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "{} rows, and all that is kept agrees with them", self.rows);
        }
        for (number, difference) in self.differences.iter().enumerate() {
            let line_end = if number == 0 { "" } else { "\n" };
            write!(f, "{line_end}{difference}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is kept, the rows say {}", self.what, self.kept, self.rows)
    }
}

/// Rules that no row may break, as queries that count the rows which do.
const RULES: [(&str, &str); 10] = [
    (
        "sales whose ids leave a gap",
        "SELECT coalesce(max(id), 0) - count(*) FROM sales",
    ),
    (
        "ids that were given out and are no sale",
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'sales'), 0) - coalesce((SELECT max(id) FROM sales), 0)",
    ),
    (
        "outbox rows that are not their sale's newest revision",
        "SELECT count(*) FROM outbox o LEFT JOIN sales s ON s.id = o.id \
         WHERE s.id IS NULL OR s.revision <> o.revision OR substr(s.date, 1, 10) <> o.day",
    ),
    (
        "minutes that misjudge how many sales of them wait, and since when",
        "SELECT count(*) FROM ages a FULL JOIN (SELECT s.updated_at / 60000 AS minute, count(*) AS row_count, min(s.updated_at) AS oldest_at \
           FROM outbox o CROSS JOIN sales s ON s.id = o.id GROUP BY 1) r ON a.minute = r.minute \
         WHERE a.row_count IS NOT r.row_count OR a.oldest_at > r.oldest_at OR a.oldest_at / 60000 <> a.minute",
    ),
    (
        "held rows that are not their sale's newest revision",
        "SELECT count(*) FROM held h LEFT JOIN sales s ON s.id = h.id WHERE s.id IS NULL OR s.revision <> h.revision OR s.updated_at <> h.written_at",
    ),
    (
        "sales that wait in two places",
        "SELECT count(*) - count(DISTINCT id) FROM (SELECT id FROM outbox UNION ALL SELECT id FROM held \
         UNION ALL SELECT s.id FROM batches b CROSS JOIN batch_runs r CROSS JOIN sales s WHERE b.state IN ('open', 'parked') AND r.batch_no = b.no \
         AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.revision = r.revision)",
    ),
    (
        "batches that miscount the rows that have their place in them",
        "SELECT count(*) FROM batches b WHERE b.live <> CASE WHEN b.state IN ('open', 'parked') THEN \
         (SELECT count(*) FROM batch_runs r CROSS JOIN sales s WHERE r.batch_no = b.no AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 \
         AND s.revision = r.revision) ELSE 0 END",
    ),
    (
        "batches that misjudge what their rows are worth",
        "SELECT count(*) FROM batches b WHERE b.live_total <> CASE WHEN b.state IN ('open', 'parked') THEN \
         (SELECT coalesce(sum(s.total) FILTER (WHERE s.deleted_at IS NULL), 0) FROM batch_runs r CROSS JOIN sales s WHERE r.batch_no = b.no \
         AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.revision = r.revision) ELSE 0 END",
    ),
    (
        "batches whose runs are not their rows",
        "SELECT count(*) FROM batches b WHERE b.row_count <> (SELECT sum(count) FROM batch_runs r WHERE r.batch_no = b.no)",
    ),
    (
        "sales that are shown as acked and that no receipt has acked",
        // The evidence is put in order once, not looked for sale by sale.
        "SELECT count(*) FROM sales s WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.day = substr(s.date, 1, 10) AND o.id = s.id) \
         AND NOT EXISTS (SELECT 1 FROM held h WHERE h.id = s.id) \
         AND NOT EXISTS (SELECT 1 FROM recalls c WHERE c.ledger_no = s.ledger_no AND s.id BETWEEN c.first_id AND c.last_id) \
         AND s.id NOT IN (SELECT x.id FROM batches b CROSS JOIN batch_runs r CROSS JOIN sales x WHERE b.state IN ('open', 'parked', 'answered') \
           AND b.ledger_no = x.ledger_no AND r.batch_no = b.no AND x.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND x.revision = r.revision \
           AND NOT EXISTS (SELECT 1 FROM batch_exceptions e WHERE e.batch_no = b.no AND x.id >= e.first_id AND x.id < e.first_id + e.count))",
    ),
];

impl BranchDb {
    /// Makes all that is kept again from the rows and compares. It reads the whole database: seconds for a million sales.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn audit(&mut self) -> Result<Audit, StoreError> {
        self.conn.transaction(|conn| {
            let kept = Kept::load(conn)?;
            let mut audit = Audit {
                rows: values::natural(kept.rows)?,
                ..Audit::default()
            };
            compare_totals(conn, &mut audit, &kept)?;
            compare_states(conn, &mut audit, &kept)?;
            for (what, query) in RULES {
                audit.compare(what, 0, sql::<BigInt>(query).get_result::<i64>(conn)?);
            }
            compare_ledgers(conn, &mut audit)?;
            Ok(audit)
        })
    }

    /// The version of SQLite that this program was built with.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub fn sqlite_version(&mut self) -> Result<String, StoreError> {
        Ok(sql::<Text>("SELECT sqlite_version()").get_result(&mut self.conn)?)
    }

    /// Asks SQLite to check the file itself; returns what is wrong with it, nothing if it is sound.
    ///
    /// # Errors
    /// When the database can't be read at all.
    pub fn integrity(&mut self) -> Result<Vec<String>, StoreError> {
        sqlite::integrity(&mut self.conn)
    }
}

fn compare_totals(conn: &mut SqliteConnection, audit: &mut Audit, kept: &Kept) -> Result<(), StoreError> {
    let record: SumsRecord = sql::<SumsSql>(format!("SELECT {} FROM sales s", sums::COLUMNS)).get_result(conn)?;
    let rows = sums::totals(record)?;
    audit.compare("rows", values::natural(kept.rows)?, rows.rows);
    audit.compare("sales", values::natural(kept.sales)?, rows.sales);
    audit.compare("quantity", kept.qty, i128::try_from(rows.qty).unwrap_or(i128::MAX));
    audit.compare("amount", kept.amount, rows.amount);
    audit.compare("tax", kept.tax, rows.tax);
    Ok(())
}

fn compare_states(conn: &mut SqliteConnection, audit: &mut Audit, kept: &Kept) -> Result<(), StoreError> {
    let mut ahead = MoneySum::ZERO;
    for (state, count) in [
        (SyncKind::Pending, kept.pending),
        (SyncKind::Sent, kept.sent),
        (SyncKind::Rejected, kept.rejected),
        (SyncKind::Conflict, kept.conflicts),
    ] {
        let Some(ids) = ids_in_state(state) else { continue };
        let record: SumsRecord = sql::<SumsSql>(format!(
            "SELECT {} FROM ({ids}) there CROSS JOIN sales s ON s.id = there.id",
            sums::COLUMNS
        ))
        .get_result(conn)?;
        let rows = sums::totals(record)?;
        audit.compare(state.word(), values::natural(count)?, rows.rows);
        ahead += rows.total();
    }
    audit.compare("money ahead", kept.ahead, ahead);
    Ok(())
}

fn compare_ledgers(conn: &mut SqliteConnection, audit: &mut Audit) -> Result<(), StoreError> {
    for ledger in ledgers::all(conn)? {
        let counted: i64 = sql::<BigInt>("SELECT coalesce(sum(counted), 0) FROM batches WHERE ledger_no = ?")
            .int(ledger.no)
            .get_result(conn)?;
        let waiting: i64 = sql::<BigInt>(
            "SELECT count(*) FROM outbox o CROSS JOIN sales s ON s.id = o.id WHERE o.counted = 1 AND s.ledger_no = ?",
        )
        .int(ledger.no)
        .get_result(conn)?;
        audit.compare(
            format!("unanswered revisions of ledger {}", ledger.id),
            ledger.standing.unanswered,
            values::natural(counted + waiting)?,
        );
    }
    Ok(())
}
