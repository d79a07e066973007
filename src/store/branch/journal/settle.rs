//! Taking a receipt in: one transaction in which rows move to where the receipt puts them, and the ledger's standing is written down.
//!
//! The common receipt, for a batch that nobody has touched and that HQ stored whole, is settled on the batch's row alone. Any other is taken row by row, by
//! [`super::fate`].

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::super::kept::Kept;
use super::super::schema::{batches, branch};
use super::super::statement::{Value, sql};
use super::super::{ledgers, log, place, sales, values};
use super::batch::{self, BatchState, StoredBatch, StoredRun};
use super::fate::{Batch, Carried, Fate, RowPlace, Said, Words, decide};
use super::{history, lease};
use crate::domain::event::{LogEvent, Sales};
use crate::domain::ids::{BranchCode, Run};
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::{Refusal, SyncKind};
use crate::protocol::Now;
use crate::protocol::journal::Settled;
use crate::protocol::lineage::{self, Lineage, Report, Standing};
use crate::protocol::message::{Outcome, Receipt};
use crate::store::StoreError;

/// A receipt names at most so many refused or conflicting sales in the log; the rows themselves show all.
const MAX_NAMED_IN_LOG: usize = 100;

/// What a receipt has done to the rows.
#[derive(Debug, Default)]
struct Tally {
    acked: Vec<i64>,
    /// Of the acked ones, those that HQ had never acknowledged at this revision.
    confirms: u64,
    /// Rows of the outbox that were among the unanswered ones.
    cleared: u64,
    rejected: Vec<(i64, Refusal)>,
    conflicts: Vec<i64>,
    moves: Vec<i64>,
    /// Rows that go back to the outbox. They stay among the unanswered ones: an earlier batch that was given up may still bring them to HQ.
    returned: u64,
    /// There are rows that wait again.
    waiting: bool,
}

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
    let ledger = ledgers::numbered(conn, batch.ledger_no)?;
    if ledger.id != receipt.ledger {
        return Ok(Settled::NotOurs);
    }
    if matches!(batch.state, BatchState::Answered | BatchState::Forgotten) {
        return Ok(Settled::Ours {
            lineage: Lineage::Same,
            more_waiting: false,
        });
    }
    let lineage = ledger.standing.weigh(report(conn, &batch, receipt)?);
    let (ledger, batch) = match lineage {
        Lineage::Same | Lineage::ThisIsACopy => (ledger, batch),
        Lineage::HqForgot { answer_counts } => {
            history::hq_forgot(conn, kept, ledger.no, receipt.applied_after, now)?;
            if !answer_counts {
                lease::disown(conn, kept, receipt.batch, now)?;
                return Ok(Settled::Ours {
                    lineage,
                    more_waiting: true,
                });
            }
            (
                ledgers::numbered(conn, ledger.no)?,
                batch::find(conn, receipt.batch)?.unwrap_or(batch),
            )
        }
    };
    let tally = take_in(conn, kept, code, &batch, receipt, now)?;
    answered(conn, &batch, receipt, tally.confirms, now)?;

    let before = ledger.standing;
    let standing = Standing {
        seen: before.seen.max(receipt.applied_after),
        acked: before.acked + tally.confirms,
        unanswered: (before.unanswered + tally.returned).saturating_sub(batch.counted + tally.cleared),
    };
    ledgers::stand(conn, ledger.no, standing)?;
    let copied = lineage == Lineage::ThisIsACopy;
    history::part(conn, kept, ledger, copied, &tally.moves, now)?;
    tell(conn, &batch, receipt, &tally, now)?;
    let forgot = matches!(lineage, Lineage::HqForgot { .. });
    Ok(Settled::Ours {
        lineage,
        more_waiting: tally.waiting || forgot || !tally.moves.is_empty(),
    })
}

/// What a receipt reports of HQ's count. That another receipt claims a step of it is found by the index: the newest receipts are looked at first.
fn report(conn: &mut SqliteConnection, batch: &StoredBatch, receipt: &Receipt) -> Result<Report, StoreError> {
    let (before, after) = (receipt.applied_before, receipt.applied_after);
    let others: Vec<(i64, i64)> = sql::<(BigInt, BigInt)>(
        "SELECT applied_before, applied_after FROM batches WHERE ledger_no = ? AND state = 'answered' AND applied_after > ? ORDER BY applied_after",
    )
    .int(batch.ledger_no)
    .int(values::stored(before))
    .load(conn)?;
    let mut claimed = false;
    for (other_before, other_after) in others {
        let other = (values::natural(other_before)?, values::natural(other_after)?);
        claimed |= lineage::claim_the_same((before, after), other);
    }
    Ok(Report {
        before,
        after,
        floor: batch.floor,
        claimed,
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
        confirms: batch.fresh,
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
            StoredRun::push(&mut placement.exceptions, row.id, 0, 0);
        }
        if said == Said::Stored && row.revision < row.newest && !batch::is_answered_for(conn, batch, &row)? {
            // HQ has applied a revision that was replaced here meanwhile: it is in its count, so it must be in ours.
            placement.tally.confirms += 1;
        }
        placement.take(conn, kept, &row, fate, now)?;
    }
    placement.finish(conn)
}

/// The rows of a batch that are in its ledger still, each with where its newest revision is.
fn carried(conn: &mut SqliteConnection, batch: &StoredBatch) -> Result<Vec<Carried>, StoreError> {
    type Record = (
        (i64, String, i64, i64, i64, i64),
        (Option<i64>, Option<bool>, Option<String>, Option<i64>),
    );
    let here = batch.state.of_rows().is_some();
    let records: Vec<Record> = sql::<(
        (BigInt, Text, BigInt, BigInt, BigInt, BigInt),
        (Nullable<BigInt>, Nullable<Bool>, Nullable<Text>, Nullable<BigInt>),
    )>(
        "SELECT s.id, substr(s.date, 1, 10), r.revision, s.revision, CASE WHEN s.deleted_at IS NULL THEN s.total ELSE 0 END, r.last_acked, \
           o.last_acked, o.counted, h.state, h.last_acked \
         FROM batch_runs r CROSS JOIN sales s LEFT JOIN outbox o ON o.day = substr(s.date, 1, 10) AND o.id = s.id LEFT JOIN held h ON h.id = s.id \
         WHERE r.batch_no = ? AND s.id BETWEEN r.first_id AND r.first_id + r.count - 1 AND s.ledger_no = ? ORDER BY r.first_id, s.id",
    )
    .int(batch.no)
    .int(batch.ledger_no)
    .load(conn)?;
    let read = |((id, day, revision, newest, total, sent_acked), (waits_acked, counted, held, held_acked)): Record| {
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

/// Puts rows where a receipt wants them: gathered row by row, carried out by ranges.
struct Placement<'a> {
    batch: &'a StoredBatch,
    tally: Tally,
    out_of_outbox: Vec<(String, i64)>,
    into_outbox: Vec<StoredRun>,
    cap: Option<i64>,
    /// Rows that the receipt does not ack.
    exceptions: Vec<StoredRun>,
}

impl<'a> Placement<'a> {
    fn new(batch: &'a StoredBatch) -> Self {
        Self {
            batch,
            tally: Tally::default(),
            out_of_outbox: Vec::new(),
            into_outbox: Vec::new(),
            cap: None,
            exceptions: Vec::new(),
        }
    }

    fn take(
        &mut self,
        conn: &mut SqliteConnection,
        kept: &mut Kept,
        row: &Carried,
        fate: Fate<'_>,
        now: Now,
    ) -> Result<(), StoreError> {
        match fate {
            Fate::Acked => {
                self.tally.confirms += u64::from(row.last_acked < row.revision);
                self.tally.acked.push(row.id);
                self.leave(conn, kept, row)?;
            }
            Fate::Rejected(refusal) => {
                self.leave(conn, kept, row)?;
                kept.enter(SyncKind::Rejected, 1, row.money);
                hold(conn, self.batch.no, row, Reason::Refused(&refusal), now)?;
                self.tally.rejected.push((row.id, refusal));
            }
            Fate::Conflict(held) => {
                self.leave(conn, kept, row)?;
                kept.enter(SyncKind::Conflict, 1, row.money);
                hold(conn, self.batch.no, row, Reason::Holds(held), now)?;
                self.tally.conflicts.push(row.id);
            }
            Fate::Moves => {
                self.leave(conn, kept, row)?;
                self.tally.moves.push(row.id);
            }
            Fate::Waits { cap } => {
                self.leave(conn, kept, row)?;
                kept.enter(SyncKind::Pending, 1, row.money);
                StoredRun::push(&mut self.into_outbox, row.id, row.revision, row.last_acked);
                self.cap = cap.or(self.batch.cap);
                self.tally.returned += 1;
                self.tally.waiting = true;
            }
            Fate::Capped(cap) => {
                sql::<()>("UPDATE outbox SET cap = min(coalesce(cap, ?), ?) WHERE day = ? AND id = ?")
                    .int(cap)
                    .int(cap)
                    .text(&row.day)
                    .int(row.id)
                    .execute(conn)?;
                self.tally.waiting = true;
            }
            Fate::Known => note_known(conn, row)?,
            Fate::Stays => {}
        }
        Ok(())
    }

    /// Takes a row out of where it is.
    fn leave(&mut self, conn: &mut SqliteConnection, kept: &mut Kept, row: &Carried) -> Result<(), StoreError> {
        match row.place {
            RowPlace::Here => {
                if let Some(state) = self.batch.state.of_rows() {
                    kept.leave(state, 1, row.money);
                }
            }
            RowPlace::Outbox => {
                kept.leave(SyncKind::Pending, 1, row.money);
                self.tally.cleared += u64::from(row.counted);
                self.out_of_outbox.push((row.day.clone(), row.id));
            }
            RowPlace::Held(state) => {
                kept.leave(state, 1, row.money);
                sql::<()>("DELETE FROM held WHERE id = ?").int(row.id).execute(conn)?;
            }
            RowPlace::Elsewhere => {}
        }
        Ok(())
    }

    fn finish(self, conn: &mut SqliteConnection) -> Result<Tally, StoreError> {
        for range in self
            .out_of_outbox
            .chunk_by(|one, next| one.0 == next.0 && one.1 + 1 == next.1)
        {
            let (Some((day, first)), Some((_, last))) = (range.first(), range.last()) else {
                continue;
            };
            sql::<()>("DELETE FROM outbox WHERE day = ? AND id BETWEEN ? AND ?")
                .text(day)
                .int(*first)
                .int(*last)
                .execute(conn)?;
        }
        for run in &self.into_outbox {
            sql::<()>(
                "INSERT INTO outbox (day, id, revision, written_at, attempt, last_acked, counted, cap) \
                 SELECT substr(date, 1, 10), id, revision, updated_at, ?, ?, 1, ? FROM sales WHERE id BETWEEN ? AND ?",
            )
            .int(self.batch.attempt)
            .int(run.last_acked)
            .maybe(self.cap)
            .int(run.first_id)
            .int(run.first_id + run.count - 1)
            .execute(conn)?;
        }
        for run in &self.exceptions {
            sql::<()>("INSERT INTO batch_exceptions (batch_no, first_id, count) VALUES (?, ?, ?)")
                .int(self.batch.no)
                .int(run.first_id)
                .int(run.count)
                .execute(conn)?;
        }
        Ok(self.tally)
    }
}

/// Why a row is kept for a person to look at.
#[derive(Debug, Clone, Copy)]
enum Reason<'a> {
    Refused(&'a Refusal),
    Holds(&'a Sale),
}

/// Keeps a row for a person to look at.
fn hold(
    conn: &mut SqliteConnection,
    batch_no: i64,
    row: &Carried,
    reason: Reason<'_>,
    now: Now,
) -> Result<(), StoreError> {
    let base = |state: &'static str| {
        sql::<()>(
            "INSERT INTO held (id, revision, state, written_at, held_at, last_acked, batch_no, refusal, refusal_days, \
               hq_revision, hq_date, hq_product, hq_region, hq_qty, hq_cost, hq_tax, hq_created_at, hq_updated_at, hq_deleted_at) \
             VALUES (?, ?, ?, (SELECT updated_at FROM sales WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .int(row.id)
        .int(row.newest)
        .text(state)
        .int(row.id)
        .int(now.wall.0)
        .int(match row.place {
            RowPlace::Elsewhere => row.newest,
            RowPlace::Here | RowPlace::Outbox | RowPlace::Held(_) => row.last_acked,
        })
        .int(batch_no)
    };
    match reason {
        Reason::Refused(refusal) => {
            let (word, days) = values::refusal_word(refusal);
            base("rejected")
                .text(word)
                .maybe(days)
                .values([Value::Int(None); 10])
                .execute(conn)?;
        }
        Reason::Holds(held) => {
            let content = &held.content;
            base("conflict")
                .values([Value::Int(None); 2])
                .int(i64::from(held.revision.get()))
                .text(&values::date_text(content.date))
                .text(&content.product)
                .text(&content.region)
                .int(i64::from(content.qty))
                .int(content.cost.units())
                .int(content.tax.units())
                .int(held.created_at.0)
                .int(held.updated_at.0)
                .maybe(held.deleted_at.map(|at| at.0))
                .execute(conn)?;
        }
    }
    Ok(())
}

/// HQ has had the revision that the batch carried, though a newer one waits here.
fn note_known(conn: &mut SqliteConnection, row: &Carried) -> Result<(), StoreError> {
    sql::<()>("UPDATE outbox SET last_acked = max(last_acked, ?) WHERE day = ? AND id = ?")
        .int(row.revision)
        .text(&row.day)
        .int(row.id)
        .execute(conn)?;
    sql::<()>("UPDATE held SET last_acked = max(last_acked, ?) WHERE id = ?")
        .int(row.revision)
        .int(row.id)
        .execute(conn)?;
    Ok(())
}

fn answered(
    conn: &mut SqliteConnection,
    batch: &StoredBatch,
    receipt: &Receipt,
    confirms: u64,
    now: Now,
) -> Result<(), StoreError> {
    diesel::update(batches::table.find(batch.no))
        .set((
            batches::state.eq("answered"),
            batches::live.eq(0),
            batches::live_total.eq(0),
            batches::counted.eq(0),
            batches::answered_at.eq(now.wall.0),
            batches::hq_clock.eq(receipt.hq.clock.0),
            batches::applied_before.eq(values::stored(receipt.applied_before)),
            batches::applied_after.eq(values::stored(receipt.applied_after)),
            batches::confirms.eq(values::stored(confirms)),
        ))
        .execute(conn)?;
    diesel::update(branch::table)
        .set(branch::last_receipt_at.eq(now.wall.0))
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
