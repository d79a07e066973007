//! The leases of batches: taking over from another worker, parking what the broker has, giving up what is lost.

use diesel::prelude::*;

use super::super::ages::{MINUTE, MinuteSql};
use super::super::kept::Kept;
use super::super::schema::{batches, branch};
use super::super::statement::sql;
use super::super::values;
use super::batch::{self, BatchState, StoredBatch};
use crate::domain::ids::BatchId;
use crate::domain::sync_state::SyncKind;
use crate::protocol::Now;
use crate::protocol::journal::Resumed;
use crate::store::StoreError;

pub(super) fn resume(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    broker: &str,
    now: Now,
) -> Result<Resumed, StoreError> {
    let mut parked = Vec::new();
    for batch in batch::live(conn)? {
        if batch.state == BatchState::Parked && batch.confirmed_by.as_deref() == Some(broker) {
            parked.push(batch.outline()?);
        } else {
            dissolve(conn, kept, &batch, now)?;
        }
    }
    let store: Option<Vec<u8>> = branch::table.select(branch::store).first(conn)?;
    Ok(Resumed {
        store: store.as_deref().map(values::store_id).transpose()?,
        parked,
    })
}

/// The rows of an open batch are pending from now on, but keep their place in it. In any other state the batch is no lease, and nothing changes.
pub(super) fn park(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    id: BatchId,
    broker: &str,
    now: Now,
) -> Result<(), StoreError> {
    let Some(batch) = batch::find(conn, id)?.filter(|batch| batch.state == BatchState::Open) else {
        return Ok(());
    };
    kept.shift(SyncKind::Sent, SyncKind::Pending, batch.live, batch.live_total);
    diesel::update(batches::table.find(batch.no))
        .set((
            batches::state.eq("parked"),
            batches::confirmed_by.eq(broker),
            batches::given_up_at.eq(now.wall.0),
        ))
        .execute(conn)?;
    Ok(())
}

/// The rows that have their place in the batch go back to the outbox. They stay among the unanswered ones: the batch may still reach HQ.
pub(super) fn dissolve(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    batch: &StoredBatch,
    now: Now,
) -> Result<(), StoreError> {
    const STILL_HERE: &str = "FROM batch_runs r CROSS JOIN sales s \
         WHERE r.batch_no = ? AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.revision = r.revision";
    let Some(state) = batch.state.of_rows() else {
        return Ok(());
    };
    let minutes = sql::<MinuteSql>(format!("SELECT {MINUTE} {STILL_HERE} GROUP BY 1")).int(batch.no);
    kept.ages.enter_all(minutes.load(conn)?);
    let returned = sql::<()>(format!(
        "INSERT INTO outbox (day, id, revision, attempt, last_acked, counted, cap) \
         SELECT substr(s.date, 1, 10), s.id, s.revision, ?, r.last_acked, 1, ? {STILL_HERE}"
    ))
    .int(batch.attempt)
    .maybe(batch.cap)
    .int(batch.no)
    .execute(conn)?;
    if i64::try_from(returned) != Ok(batch.live) {
        return Err(StoreError::nonsense(format!(
            "batch {} with {} rows where {} have their place",
            batch.id, batch.live, returned
        )));
    }
    kept.shift(state, SyncKind::Pending, batch.live, batch.live_total);
    diesel::update(batches::table.find(batch.no))
        .set((
            batches::state.eq("dissolved"),
            batches::given_up_at.eq(now.wall.0),
            batches::live.eq(0),
            batches::live_total.eq(0),
            batches::counted.eq(batches::counted - batch.live),
        ))
        .execute(conn)?;
    Ok(())
}
