//! Putting rows where a receipt wants them: gathered row by row, carried out by ranges. What a row's fate is, is [`super::super::fate`]'s to say.

use super::super::super::kept::Kept;
use super::super::super::statement::{Value, sql};
use super::super::super::values;
use super::super::batch::{StoredBatch, StoredRun};
use super::super::fate::{Carried, Fate, RowPlace};
use crate::domain::sale::Sale;
use crate::domain::sync_state::{Refusal, SyncKind};
use crate::protocol::Now;
use crate::store::StoreError;
use diesel::prelude::*;

/// What a receipt has done to the rows.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) acked: Vec<i64>,
    /// Rows of the outbox that were among the unanswered ones.
    pub(super) cleared: u64,
    pub(super) rejected: Vec<(i64, Refusal)>,
    pub(super) conflicts: Vec<i64>,
    pub(super) moves: Vec<i64>,
    /// Rows that go back to the outbox. They stay among the unanswered ones: an earlier batch that was given up may still bring them to HQ.
    pub(super) returned: u64,
    /// There are rows that wait again.
    pub(super) waiting: bool,
}

/// The rows of one answered batch, on their way to where they belong.
pub(super) struct Placement<'a> {
    batch: &'a StoredBatch,
    tally: Tally,
    out_of_outbox: Vec<(String, i64)>,
    into_outbox: Vec<StoredRun>,
    cap: Option<i64>,
    /// Rows that the receipt does not ack.
    exceptions: Vec<StoredRun>,
}

impl<'a> Placement<'a> {
    pub(super) fn new(batch: &'a StoredBatch) -> Self {
        Self {
            batch,
            tally: Tally::default(),
            out_of_outbox: Vec::new(),
            into_outbox: Vec::new(),
            cap: None,
            exceptions: Vec::new(),
        }
    }

    /// Takes one row to where its fate wants it.
    pub(super) fn take(
        &mut self,
        conn: &mut SqliteConnection,
        kept: &mut Kept,
        row: &Carried,
        fate: Fate<'_>,
        now: Now,
    ) -> Result<(), StoreError> {
        match fate {
            Fate::Acked => {
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
                kept.waits(row.written_at, 1, row.money);
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

    /// Notes a row that the receipt does not ack.
    pub(super) fn except(&mut self, row: &Carried) {
        StoredRun::push(&mut self.exceptions, row.id, 0, 0);
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
                kept.waits_no_longer(row.written_at, row.money);
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

    /// Carries out what was gathered.
    pub(super) fn finish(self, conn: &mut SqliteConnection) -> Result<Tally, StoreError> {
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
                "INSERT INTO outbox (day, id, revision, attempt, last_acked, counted, cap) \
                 SELECT substr(date, 1, 10), id, revision, ?, ?, 1, ? FROM sales WHERE id BETWEEN ? AND ?",
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
