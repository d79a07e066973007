//! When one of the two databases is not what it was: HQ has forgotten, this file is a copy, or another store is HQ now.

use diesel::prelude::*;

use super::super::kept::Kept;
use super::super::ledgers::{self, Ledger};
use super::super::retries;
use super::super::schema::branch;
use super::super::statement::sql;
use super::super::{log, place, sales, values};
use crate::domain::event::LogEvent;
use crate::domain::ids::{LedgerId, StoreId};
use crate::domain::sync_state::SyncKind;
use crate::protocol::Now;
use crate::protocol::lineage::Mark;
use crate::store::StoreError;

/// HQ has forgotten something of a ledger: everything that it acknowledged of it waits again.
pub(super) fn hq_forgot(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    ledger_no: i64,
    now: Now,
) -> Result<(), StoreError> {
    let sales = forget(conn, kept, ledger_no)?;
    if sales > 0 {
        log::write(conn, LogEvent::HqRestored { sales }, now.wall)?;
    }
    Ok(())
}

/// Lets this database go its own way where it is a copy of another, or an earlier state of itself: new sales get a new ledger, and `moves`, whose keys HQ knows as other
/// sales, go into the annex of theirs.
pub(super) fn part(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    ledger: &Ledger,
    copied: bool,
    moves: &[i64],
    now: Now,
) -> Result<(), StoreError> {
    let is_current = ledgers::current(conn)?.no == ledger.no;
    if is_current && (copied || !moves.is_empty()) {
        let new = LedgerId::from_random(now.luck);
        ledgers::begin(conn, new, now.wall)?;
        let count = moves.len() as u64;
        log::write(
            conn,
            LogEvent::LedgerBegun {
                ledger: new,
                moved: count,
            },
            now.wall,
        )?;
    }
    let Some(first) = moves.iter().min() else {
        return Ok(());
    };
    let annex = ledgers::annex(conn, ledger.id, *first, now.wall)?;
    for id in moves {
        sql::<()>("UPDATE sales SET ledger_no = ? WHERE id = ?")
            .int(annex)
            .int(*id)
            .execute(conn)?;
        let id = values::sale_id(*id)?;
        let sale = sales::find(conn, id)?
            .ok_or_else(|| StoreError::nonsense(format!("a batch with sale {id}, which is not there")))?;
        place::enter_outbox(conn, kept, &sale, 0)?;
    }
    Ok(())
}

/// Takes everything back that HQ acknowledged of a ledger, or held against it. What is out may well be answered by the HQ that is there now. Returns how many sales wait that did not
/// wait before.
fn forget(conn: &mut SqliteConnection, kept: &mut Kept, ledger_no: i64) -> Result<u64, StoreError> {
    sql::<()>("INSERT INTO temp.coming_back (id, last_acked) SELECT s.id, 0 FROM sales s WHERE s.ledger_no = ?")
        .int(ledger_no)
        .execute(conn)?;
    let mut returned = retries::bring_back(conn, kept)?;
    for state in [SyncKind::Rejected, SyncKind::Conflict] {
        let mut which = retries::Which::all();
        which.and_int("s.ledger_no = ?", ledger_no);
        returned += retries::release(conn, kept, state, &which)?;
    }
    for statement in [
        "UPDATE outbox SET last_acked = 0 WHERE last_acked > 0 AND id IN (SELECT id FROM sales WHERE ledger_no = ?)",
        "UPDATE batches SET state = 'forgotten' WHERE ledger_no = ? AND state = 'answered'",
        "UPDATE batch_runs SET last_acked = 0 WHERE last_acked > 0 \
         AND batch_no IN (SELECT no FROM batches WHERE ledger_no = ? AND state IN ('open', 'parked', 'dissolved'))",
    ] {
        sql::<()>(statement).int(ledger_no).execute(conn)?;
    }
    Ok(returned)
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
    if known.is_some() {
        for mut ledger in ledgers::all(conn)? {
            forget(conn, kept, ledger.no)?;
            ledger.standing.forget(Mark::default());
            ledgers::stand(conn, ledger.no, &ledger.standing)?;
        }
    }
    Ok(())
}
