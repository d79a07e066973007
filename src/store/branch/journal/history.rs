//! When one of the two databases is not what it was: HQ has forgotten, this file is a copy, or another store is HQ now.

use diesel::prelude::*;

use super::super::kept::Kept;
use super::super::ledgers::{self, Ledger};
use super::super::retries;
use super::super::schema::{branch, recalls};
use super::super::statement::sql;
use super::super::{log, place, sales, values};
use crate::domain::event::LogEvent;
use crate::domain::ids::{LedgerId, StoreId};
use crate::domain::sync_state::SyncKind;
use crate::protocol::Now;
use crate::protocol::journal::Recalled;
use crate::protocol::lineage::Mark;
use crate::store::StoreError;

/// Why sales that HQ acknowledged go again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// HQ was restored, and has forgotten some of them.
    Restored,
    /// Another store is HQ now.
    Replaced,
    /// Others write to the same ledger: HQ may hold newer revisions of them.
    Copied,
}

impl Why {
    const WORDS: [(Self, &'static str); 3] = [
        (Self::Restored, "restored"),
        (Self::Replaced, "replaced"),
        (Self::Copied, "copied"),
    ];

    fn word(self) -> &'static str {
        values::word_of(&Self::WORDS, self)
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        values::value_of(&Self::WORDS, word)
    }
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
    if copied {
        begin_recall(conn, ledger.no, Why::Copied, 0, now)?;
    } else if moves.is_empty() {
        return Ok(());
    }
    if ledgers::current(conn)?.no == ledger.no {
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

/// Believes nothing any more of what HQ acknowledged of a ledger, or held against it. What is out may well be answered by the HQ that is there now.
pub(super) fn forget(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    ledger_no: i64,
    why: Why,
    now: Now,
) -> Result<(), StoreError> {
    let mut released = 0;
    for state in [SyncKind::Rejected, SyncKind::Conflict] {
        let mut which = retries::Which::all();
        which.and_int("s.ledger_no = ?", ledger_no);
        released += retries::release(conn, kept, state, &which)?;
    }
    for statement in [
        "UPDATE outbox SET last_acked = 0 WHERE last_acked > 0 AND (SELECT s.ledger_no FROM sales s WHERE s.id = outbox.id) = ?",
        "UPDATE batch_runs SET last_acked = 0 WHERE last_acked > 0 \
         AND batch_no IN (SELECT no FROM batches WHERE state IN ('open', 'parked') AND ledger_no = ?)",
    ] {
        sql::<()>(statement).int(ledger_no).execute(conn)?;
    }
    begin_recall(conn, ledger_no, why, released, now)
}

/// Writes down that the sales of a ledger which are acked now are to go again; `sales` of it do so already. What HQ has forgotten stays forgotten.
fn begin_recall(conn: &mut SqliteConnection, ledger_no: i64, why: Why, sales: u64, now: Now) -> Result<(), StoreError> {
    sql::<()>(
        "INSERT INTO recalls (ledger_no, why, begun_at, first_id, last_id, sales) \
         SELECT no, ?, ?, first_id, (SELECT coalesce(max(id), 0) FROM sales), ? FROM ledgers WHERE no = ? \
         ON CONFLICT (ledger_no) DO UPDATE SET why = CASE WHEN excluded.why = 'copied' THEN why ELSE excluded.why END, \
           begun_at = excluded.begun_at, first_id = excluded.first_id, last_id = excluded.last_id, sales = sales + excluded.sales",
    )
    .text(why.word())
    .int(now.wall.0)
    .int(values::stored(sales))
    .int(ledger_no)
    .execute(conn)?;
    Ok(())
}

/// Takes the next part of such sales back.
pub(super) fn recall(conn: &mut SqliteConnection, kept: &mut Kept, now: Now) -> Result<Recalled, StoreError> {
    let next: Option<(i64, String, i64, i64, i64, i64)> =
        recalls::table.order(recalls::ledger_no).first(conn).optional()?;
    let Some((ledger_no, why, begun_at, first, last, before)) = next else {
        return Ok(Recalled { sales: 0, more: false });
    };
    let why = Why::read(&why)?;
    let end = last.min(first + retries::IDS_AT_ONCE - 1);
    let last_acked = if why == Why::Copied { "s.revision" } else { "0" };
    sql::<()>(format!(
        "INSERT INTO temp.coming_back (id, last_acked) SELECT s.id, {last_acked} FROM sales s WHERE s.id BETWEEN ? AND ? AND s.ledger_no = ?"
    ))
    .int(first)
    .int(end)
    .int(ledger_no)
    .execute(conn)?;
    let sales = retries::bring_back(conn, kept)?;
    if why != Why::Copied {
        sql::<()>(
            "UPDATE batches SET state = 'forgotten' WHERE ledger_no = ? AND state = 'answered' AND answered_at <= ? \
             AND no IN (SELECT batch_no FROM batch_runs WHERE first_id BETWEEN ? AND ?)",
        )
        .int(ledger_no)
        .int(begun_at)
        .int(first)
        .int(end)
        .execute(conn)?;
    }
    let all = values::natural(before)? + sales;
    if end < last {
        diesel::update(recalls::table.find(ledger_no))
            .set((recalls::first_id.eq(end + 1), recalls::sales.eq(values::stored(all))))
            .execute(conn)?;
        return Ok(Recalled { sales, more: true });
    }
    diesel::delete(recalls::table.find(ledger_no)).execute(conn)?;
    let event = match why {
        Why::Restored => LogEvent::HqRestored { sales: all },
        Why::Replaced | Why::Copied => LogEvent::Resent { sales: all },
    };
    if all > 0 {
        log::write(conn, event, now.wall)?;
    }
    Ok(Recalled { sales, more: true })
}

/// Knows this store as HQ from now on. What another one acknowledged counts for nothing any more.
pub(super) fn adopt(conn: &mut SqliteConnection, kept: &mut Kept, store: StoreId, now: Now) -> Result<(), StoreError> {
    let known: Option<Vec<u8>> = branch::table.select(branch::store).first(conn)?;
    if known.as_deref() == Some(store.as_bytes().as_slice()) {
        return Ok(());
    }
    diesel::update(branch::table)
        .set(branch::store.eq(store.as_bytes().as_slice()))
        .execute(conn)?;
    if known.is_some() {
        for mut ledger in ledgers::all(conn)? {
            forget(conn, kept, ledger.no, Why::Replaced, now)?;
            ledger.standing.forget(Mark::default());
            ledgers::stand(conn, ledger.no, &ledger.standing)?;
        }
    }
    Ok(())
}
