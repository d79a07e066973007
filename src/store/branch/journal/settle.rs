//! Taking a receipt in: one transaction in which rows move to where the receipt puts them, and the ledger's standing is written down.
//!
//! The common receipt, for a batch that nobody has touched and that HQ stored whole, is settled on the batch's row alone. Any other is taken row by row, by
//! [`super::fate`].

mod placement;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::super::kept::Kept;
use super::super::statement::sql;
use super::super::{ledgers, log, place, sales, values};
use super::batch::{self, BatchState, StoredBatch, StoredRun};
use super::fate::{Batch, Carried, Fate, RowPlace, Said, Words, decide};
use super::history;
use crate::domain::event::{LogEvent, Sales};
use crate::domain::ids::{BranchCode, Run};
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::protocol::Now;
use crate::protocol::journal::Settled;
use crate::protocol::message::{Outcome, Receipt};
use crate::store::StoreError;
use placement::{Placement, Tally};

/// A receipt names at most so many refused or conflicting sales in the log; the rows themselves show all.
const MAX_NAMED_IN_LOG: usize = 100;

pub(super) fn settle(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    code: &BranchCode,
    receipt: &Receipt,
    now: Now,
) -> Result<Settled, StoreError> {
    let Some(batch) = batch::find(conn, receipt.batch)? else {
        return Ok(Settled::NotOurs);
    };
    let mut ledger = ledgers::numbered(conn, batch.ledger_no)?;
    if matches!(batch.state, BatchState::Answered | BatchState::Forgotten) {
        return Ok(Settled::Ours {
            more_waiting: false,
            in_doubt: ledger.standing.in_doubt(),
        });
    }
    let tally = take_in(conn, kept, code, &batch, receipt, now)?;
    answered(conn, &batch, receipt, now)?;

    let standing = &mut ledger.standing;
    standing.rest_on(receipt);
    standing.unanswered = (standing.unanswered + tally.returned).saturating_sub(batch.counted + tally.cleared);
    ledgers::stand(conn, ledger.no, standing)?;
    history::part(conn, kept, &ledger, false, &tally.moves, now)?;
    tell(conn, &batch, receipt, &tally, now)?;
    Ok(Settled::Ours {
        more_waiting: tally.waiting || !tally.moves.is_empty(),
        in_doubt: ledger.standing.in_doubt(),
    })
}

/// Moves the rows.
fn take_in(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    code: &BranchCode,
    batch: &StoredBatch,
    receipt: &Receipt,
    now: Now,
) -> Result<Tally, StoreError> {
    let words = Words::of(&receipt.outcome);
    let runs = batch::runs(conn, batch.no)?;
    if batch.state.of_rows().is_some() && batch.live == batch.row_count {
        let named = runs.iter().map(named).collect::<Result<Vec<Run>, StoreError>>()?;
        if words.stores_all(named) {
            return Ok(ack_whole(kept, batch, &runs));
        }
    }
    row_by_row(conn, kept, code, batch, &words, now)
}

fn named(run: &StoredRun) -> Result<Run, StoreError> {
    Ok(Run {
        first: values::sale_id(run.first_id)?,
        count: values::count(run.count)?,
        revision: values::revision(run.revision)?,
    })
}

/// HQ has the whole batch, and all its rows are still in it.
fn ack_whole(kept: &mut Kept, batch: &StoredBatch, runs: &[StoredRun]) -> Tally {
    if let Some(state) = batch.state.of_rows() {
        kept.leave(state, batch.live, batch.live_total);
    }
    Tally {
        acked: runs
            .iter()
            .flat_map(|run| run.first_id..run.first_id + run.count)
            .collect(),
        ..Tally::default()
    }
}

fn row_by_row(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    code: &BranchCode,
    batch: &StoredBatch,
    words: &Words<'_>,
    now: Now,
) -> Result<Tally, StoreError> {
    let mut placement = Placement::new(batch);
    for row in carried(conn, batch)? {
        let said = words.about(&row);
        let mine = match said {
            Said::Holds(_) => with_other_batch(conn, &row)?,
            Said::Stored | Said::Refused(_) | Said::Nothing | Said::Unreadable => None,
        };
        let batch_size = Batch {
            row_count: batch.row_count,
        };
        let fate = decide(code, batch_size, &row, said, || mine);
        if said != Said::Stored && fate != Fate::Acked {
            placement.except(&row);
        }
        placement.take(conn, kept, &row, fate, now)?;
    }
    placement.finish(conn)
}

/// The rows of a batch that are in its ledger still, each with where its newest revision is.
fn carried(conn: &mut SqliteConnection, batch: &StoredBatch) -> Result<Vec<Carried>, StoreError> {
    type Record = (
        (i64, String, i64, i64, i64, i64, i64),
        (Option<i64>, Option<bool>, Option<String>, Option<i64>),
    );
    let here = batch.state.of_rows().is_some();
    let records: Vec<Record> = sql::<(
        (BigInt, Text, BigInt, BigInt, BigInt, BigInt, BigInt),
        (Nullable<BigInt>, Nullable<Bool>, Nullable<Text>, Nullable<BigInt>),
    )>(
        "SELECT s.id, substr(s.date, 1, 10), r.revision, s.revision, s.updated_at, CASE WHEN s.deleted_at IS NULL THEN s.total ELSE 0 END, r.last_acked, \
           o.last_acked, o.counted, h.state, h.last_acked \
         FROM batch_runs r CROSS JOIN sales s LEFT JOIN outbox o ON o.day = substr(s.date, 1, 10) AND o.id = s.id LEFT JOIN held h ON h.id = s.id \
         WHERE r.batch_no = ? AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.ledger_no = ? ORDER BY r.first_id, s.id",
    )
    .int(batch.no)
    .int(batch.ledger_no)
    .load(conn)?;
    let read = |(row, (waits_acked, counted, held, held_acked)): Record| {
        let (id, day, revision, newest, written_at, total, sent_acked) = row;
        let place = match held.as_deref() {
            _ if waits_acked.is_some() => RowPlace::Outbox,
            Some("conflict") => RowPlace::Held(SyncKind::Conflict),
            Some(_) => RowPlace::Held(SyncKind::Rejected),
            None if here && revision == newest => RowPlace::Here,
            None => RowPlace::Elsewhere,
        };
        Carried {
            id,
            day,
            revision,
            newest,
            written_at: UtcMillis(written_at),
            last_acked: waits_acked.or(held_acked).unwrap_or(sent_acked),
            counted: counted.unwrap_or(false),
            money: MoneySum(total.into()),
            place,
        }
    };
    Ok(records.into_iter().map(read).collect())
}

/// The newest revision of a row, and whether another batch is out with it.
fn with_other_batch(conn: &mut SqliteConnection, row: &Carried) -> Result<Option<(Sale, bool)>, StoreError> {
    let Some(mine) = sales::find(conn, values::sale_id(row.id)?)? else {
        return Ok(None);
    };
    let out = row.place == RowPlace::Elsewhere && place::live_batch(conn, mine.id, mine.revision)?.is_some();
    Ok(Some((mine, out)))
}

fn answered(conn: &mut SqliteConnection, batch: &StoredBatch, receipt: &Receipt, now: Now) -> Result<(), StoreError> {
    sql::<()>(
        "UPDATE batches SET state = 'answered', live = 0, live_total = 0, counted = 0, answered_at = ?, hq_clock = ? WHERE no = ?",
    )
    .int(now.wall.0)
    .int(receipt.hq.clock.0)
    .int(batch.no)
    .execute(conn)?;
    sql::<()>("UPDATE branch SET last_receipt_at = ?")
        .int(now.wall.0)
        .execute(conn)?;
    super::heard(conn, &receipt.hq, now)
}

/// Writes the log lines of a receipt.
fn tell(
    conn: &mut SqliteConnection,
    batch: &StoredBatch,
    receipt: &Receipt,
    tally: &Tally,
    now: Now,
) -> Result<(), StoreError> {
    if let (Some(first), Some(last)) = (tally.acked.iter().min(), tally.acked.iter().max()) {
        let stored = LogEvent::Stored {
            sales: Sales {
                count: u32::try_from(tally.acked.len()).unwrap_or(u32::MAX),
                first: values::sale_id(*first)?,
                last: values::sale_id(*last)?,
            },
            took_ms: u32::try_from(now.wall.since(batch.made_at)).unwrap_or(u32::MAX),
        };
        log::write(conn, stored, now.wall)?;
    }
    for (id, refusal) in tally.rejected.iter().take(MAX_NAMED_IN_LOG) {
        log::write(
            conn,
            LogEvent::Refused(values::sale_id(*id)?, refusal.clone()),
            now.wall,
        )?;
    }
    for id in tally.conflicts.iter().take(MAX_NAMED_IN_LOG) {
        log::write(conn, LogEvent::Conflicted(values::sale_id(*id)?), now.wall)?;
    }
    if receipt.outcome == Outcome::Unreadable && batch.row_count > 1 {
        log::write(conn, LogEvent::Unreadable { sales: batch.sales()? }, now.wall)?;
    }
    Ok(())
}
