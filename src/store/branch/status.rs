//! How the branch stands: one cheap question, answered from totals that are kept with the rows.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel::upsert::excluded;

use super::kept::Kept;
use super::schema::{branch, worker};
use super::statement::sql;
use super::{BranchDb, ledgers, meter, sales, values};
use crate::domain::line::Traffic;
use crate::domain::read::{BranchStatus, WorkerStamp};
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::store::{StoreError, transaction};

type HeardRecord = (Option<Vec<u8>>, Option<i64>, Option<i64>, i64);
type WorkerRecord = (i64, i64, i64, String, bool);

impl BranchDb {
    /// How the branch stands, from its rows.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn status(&mut self) -> Result<BranchStatus, StoreError> {
        let code = self.code.clone();
        self.conn.transaction(|conn| {
            let kept = Kept::load(conn)?;
            let (store, last_receipt_at, last_heard_at, skew_ms) = branch::table
                .select((
                    branch::store,
                    branch::last_receipt_at,
                    branch::last_heard_at,
                    branch::skew_ms,
                ))
                .first::<HeardRecord>(conn)?;
            Ok(BranchStatus {
                branch: code,
                ledger: ledgers::current(conn)?.id,
                rows: values::natural(kept.rows)?,
                sales: values::natural(kept.sales)?,
                acked: values::natural(kept.in_state(SyncKind::Acked))?,
                pending: values::natural(kept.pending)?,
                sent: values::natural(kept.sent)?,
                rejected: values::natural(kept.rejected)?,
                conflicts: values::natural(kept.conflicts)?,
                recalled: values::natural(recalled(conn)?)?,
                ahead_amount: kept.ahead,
                oldest_ahead: oldest_ahead(conn)?,
                highest_id: sales::highest_id(conn)?,
                store: store.as_deref().map(values::store_id).transpose()?,
                last_receipt_at: last_receipt_at.map(UtcMillis),
                last_heard_at: last_heard_at.map(UtcMillis),
                skew_ms,
                worker: stamp(conn)?,
            })
        })
    }

    /// Whether there are sales that wait to be sent.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn has_pending(&mut self) -> Result<bool, StoreError> {
        Ok(sql::<Bool>("SELECT pending > 0 FROM totals").get_result(&mut self.conn)?)
    }

    /// What the running sync worker last said of itself.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn worker_stamp(&mut self) -> Result<Option<WorkerStamp>, StoreError> {
        stamp(&mut self.conn)
    }

    /// Writes what the sync worker says of itself, for other programs to show, and counts what its line has carried since it last did, on the day it is now.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn stamp_worker(&mut self, stamp: WorkerStamp, carried: Traffic, today: NaiveDate) -> Result<(), StoreError> {
        transaction::immediate(&mut self.conn, |conn| {
            if carried.total() > 0 {
                meter::count(conn, today, carried)?;
            }
            diesel::insert_into(worker::table)
                .values((
                    worker::one.eq(1),
                    worker::at.eq(stamp.at.0),
                    worker::pid.eq(i64::from(stamp.pid)),
                    worker::line.eq(values::line_word(stamp.line)),
                    worker::trial.eq(stamp.trial),
                ))
                .on_conflict(worker::one)
                .do_update()
                .set((
                    worker::at.eq(excluded(worker::at)),
                    worker::pid.eq(excluded(worker::pid)),
                    worker::line.eq(excluded(worker::line)),
                    worker::trial.eq(excluded(worker::trial)),
                ))
                .execute(conn)?;
            Ok(())
        })
    }
}

/// How many ids have not been looked through yet of those whose sales go again.
fn recalled(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sql::<BigInt>("SELECT coalesce(sum(last_id - first_id + 1), 0) FROM recalls").get_result(conn)?)
}

fn stamp(conn: &mut SqliteConnection) -> Result<Option<WorkerStamp>, StoreError> {
    worker::table
        .first::<WorkerRecord>(conn)
        .optional()?
        .map(|(_, at, pid, line, trial)| {
            Ok(WorkerStamp {
                at: UtcMillis(at),
                pid: values::count(pid)?,
                line: values::line(&line)?,
                trial,
            })
        })
        .transpose()
}

/// When the oldest row that is not acked was last written, or at most so much before that it is in the same minute. A batch knows its oldest row; where an edit has taken rows
/// out of it, its rows are asked.
fn oldest_ahead(conn: &mut SqliteConnection) -> Result<Option<UtcMillis>, StoreError> {
    let oldest = sql::<Nullable<BigInt>>(
        "SELECT min(at) FROM ( \
           SELECT (SELECT oldest_at FROM ages WHERE EXISTS (SELECT 1 FROM outbox) ORDER BY minute LIMIT 1) AS at \
           UNION ALL SELECT min(written_at) FROM held \
           UNION ALL SELECT min(oldest_at) FROM batches WHERE state IN ('open', 'parked') AND live = row_count \
           UNION ALL SELECT min(s.updated_at) FROM batches b CROSS JOIN batch_runs r CROSS JOIN sales s \
             WHERE b.state IN ('open', 'parked') AND b.live < b.row_count AND r.batch_no = b.no \
             AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.revision = r.revision)",
    )
    .get_result::<Option<i64>>(conn)?;
    Ok(oldest.map(UtcMillis))
}
