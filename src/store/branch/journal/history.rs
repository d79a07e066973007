//! When one of the two databases is not what it was: HQ has forgotten, this file is a copy, or another store is HQ now.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::super::kept::Kept;
use super::super::ledgers::{self, Ledger};
use super::super::retries;
use super::super::schema::{branch, ledgers as ledgers_table, outbox};
use super::super::statement::sql;
use super::super::{log, place, sales, values};
use crate::domain::event::LogEvent;
use crate::domain::ids::{LedgerId, StoreId};
use crate::domain::sync_state::SyncKind;
use crate::protocol::Now;
use crate::protocol::lineage::{Lineage, Standing};
use crate::store::StoreError;

/// What a fresh answer means for one ledger.
pub(super) struct News<'a> {
    /// The ledger as it stood before.
    pub(super) ledger: Ledger,
    /// How it stands with the answer.
    pub(super) standing: Standing,
    pub(super) lineage: Lineage,
    /// HQ's applied count.
    pub(super) after: u64,
    /// The batch that is answered, and how many revisions its receipt confirms: it is fresh, so it stays good.
    pub(super) answered: Option<(i64, u64)>,
    /// Sales that share their key with other sales at HQ: they go into a new ledger.
    pub(super) moves: &'a [i64],
}

/// Writes the news down and acts on them; returns whether sales wait that did not wait before.
pub(super) fn act(conn: &mut SqliteConnection, kept: &mut Kept, news: &News<'_>, now: Now) -> Result<bool, StoreError> {
    let mut standing = news.standing;
    let mut returned = 0;
    if let Lineage::HqForgot { keep_through } = news.lineage {
        returned = forget_above(conn, kept, news, keep_through, &mut standing)?;
    }
    if news.lineage != Lineage::Same {
        standing.seen = news.after;
    }
    ledgers::stand(conn, news.ledger.no, standing)?;
    if returned > 0 {
        log::write(conn, LogEvent::HqRestored { sales: returned }, now.wall)?;
    }
    let is_current = ledgers::current(conn)?.no == news.ledger.no;
    let copied = news.lineage == Lineage::ThisIsACopy || !news.moves.is_empty();
    if copied && is_current {
        let ledger = LedgerId::from_random(now.luck);
        ledgers::begin(conn, ledger, now.wall)?;
        let moved = news.moves.len() as u64;
        log::write(conn, LogEvent::LedgerBegun { ledger, moved }, now.wall)?;
    }
    move_to_current(conn, kept, news.moves)?;
    Ok(returned > 0 || !news.moves.is_empty())
}

/// Takes back what receipts with a higher applied count said; `standing` loses what they confirmed.
fn forget_above(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    news: &News<'_>,
    keep_through: u64,
    standing: &mut Standing,
) -> Result<u64, StoreError> {
    let (spared, confirmed_now) = news.answered.unwrap_or((0, 0));
    let ledger = news.ledger.no;
    let above = if keep_through == 0 {
        -1
    } else {
        values::stored(keep_through)
    };
    let (mut returned, confirms) = forget(conn, kept, ledger, above, spared)?;
    standing.acked = if keep_through == 0 {
        confirmed_now
    } else {
        standing.acked.saturating_sub(confirms)
    };
    if standing.acked - confirmed_now.min(standing.acked) > keep_through {
        // The counts don't tell which receipts are good, so none is.
        let (more, confirms) = forget(conn, kept, ledger, -1, spared)?;
        standing.acked = standing.acked.saturating_sub(confirms);
        returned += more;
    }
    Ok(returned)
}

/// Forgets the receipts of a ledger whose applied count is above `above`, but not that of batch `spared`. Rows that were acked by them wait again, and count as
/// never acked where no older receipt says otherwise. Returns how many rows, and how many revisions the receipts had confirmed.
fn forget(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    ledger_no: i64,
    above: i64,
    spared: i64,
) -> Result<(u64, u64), StoreError> {
    sql::<()>(
        "INSERT INTO temp.coming_back (id, last_acked) SELECT s.id, min(r.last_acked) FROM batches b CROSS JOIN batch_runs r CROSS JOIN sales s \
         WHERE b.ledger_no = ? AND b.state = 'answered' AND b.applied_after > ? AND b.no <> ? AND r.batch_no = b.no \
         AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.ledger_no = b.ledger_no AND r.revision <= s.revision \
         GROUP BY s.id HAVING max(r.revision) = max(s.revision)",
    )
    .int(ledger_no)
    .int(above)
    .int(spared)
    .execute(conn)?;
    let confirms: i64 = sql::<BigInt>(
        "SELECT coalesce(sum(confirms), 0) FROM batches WHERE ledger_no = ? AND state = 'answered' AND applied_after > ? AND no <> ?",
    )
    .int(ledger_no)
    .int(above)
    .int(spared)
    .get_result(conn)?;
    sql::<()>("UPDATE batches SET state = 'forgotten' WHERE ledger_no = ? AND state = 'answered' AND applied_after > ? AND no <> ?")
        .int(ledger_no)
        .int(above)
        .int(spared)
        .execute(conn)?;
    let returned = retries::bring_back(conn, kept)?;
    Ok((returned, values::natural(confirms)?))
}

/// Gives sales the key of the current ledger; they keep their ids and wait like new ones.
fn move_to_current(conn: &mut SqliteConnection, kept: &mut Kept, moves: &[i64]) -> Result<(), StoreError> {
    if moves.is_empty() {
        return Ok(());
    }
    let current = ledgers::current(conn)?.no;
    for id in moves {
        sql::<()>("UPDATE sales SET ledger_no = ? WHERE id = ?")
            .int(current)
            .int(*id)
            .execute(conn)?;
        let id = values::sale_id(*id)?;
        let sale = sales::find(conn, id)?
            .ok_or_else(|| StoreError::nonsense(format!("a batch with sale {id}, which is not there")))?;
        place::enter_outbox(conn, kept, &sale, 0)?;
    }
    Ok(())
}

/// Knows this store as HQ from now on. What another one acknowledged counts for nothing any more.
pub(super) fn adopt(conn: &mut SqliteConnection, kept: &mut Kept, store: StoreId) -> Result<(), StoreError> {
    let known: Option<Vec<u8>> = branch::table.select(branch::store).first(conn)?;
    if known.as_deref() == Some(store.as_bytes().as_slice()) {
        return Ok(());
    }
    diesel::update(branch::table)
        .set(branch::store.eq(store.as_bytes().as_slice()))
        .execute(conn)?;
    if known.is_none() {
        return Ok(());
    }
    for ledger in ledgers::all(conn)? {
        forget(conn, kept, ledger.no, -1, 0)?;
    }
    diesel::update(ledgers_table::table)
        .set((ledgers_table::seen.eq(0), ledgers_table::acked.eq(0)))
        .execute(conn)?;
    // What is out may well be answered by the new store, to which none of the old bounds and acknowledgements applies.
    sql::<()>("UPDATE batch_runs SET last_acked = 0 WHERE last_acked > 0 AND batch_no IN (SELECT no FROM batches WHERE state IN ('open', 'parked'))")
        .execute(conn)?;
    sql::<()>("UPDATE batches SET floor = 0, fresh = row_count WHERE state IN ('open', 'parked', 'dissolved')")
        .execute(conn)?;
    release_held(conn, kept)?;
    diesel::update(outbox::table.filter(outbox::last_acked.gt(0)))
        .set(outbox::last_acked.eq(0))
        .execute(conn)?;
    Ok(())
}

/// Rows that were refused, or in conflict with the old store, wait again.
fn release_held(conn: &mut SqliteConnection, kept: &mut Kept) -> Result<(), StoreError> {
    for state in [SyncKind::Rejected, SyncKind::Conflict] {
        retries::release(conn, kept, state, &retries::Which::all())?;
    }
    Ok(())
}
