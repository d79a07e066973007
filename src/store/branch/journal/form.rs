//! Making a batch: the oldest waiting rows of one ledger go from the outbox into it, in one transaction.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::super::kept::Kept;
use super::super::ledgers;
use super::super::place::MAX_BATCH_ROWS;
use super::super::sales;
use super::super::statement::sql;
use super::super::values;
use super::batch::{self, StoredRun};
use crate::domain::event::Sales;
use crate::domain::ids::{BatchId, BranchCode};
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::SyncKind;
use crate::protocol::Now;
use crate::protocol::journal::{Formed, Outline};
use crate::protocol::message::Batch;
use crate::store::StoreError;

/// A row that waits.
#[derive(Debug)]
struct Waiting {
    sale: Sale,
    day: String,
    attempt: i64,
    last_acked: i64,
    counted: bool,
    cap: Option<i64>,
    /// The row before it in the outbox is not taken.
    after_gap: bool,
}

type WaitingRecord = (String, i64, i64, bool, Option<i64>, sales::SaleRecord);
type WaitingSql = (Text, BigInt, BigInt, Bool, Nullable<BigInt>, sales::SaleSql);

pub(super) fn form(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    branch: &BranchCode,
    id: BatchId,
    max_rows: u32,
    now: Now,
) -> Result<Option<Formed>, StoreError> {
    let rows = take(waiting(conn, max_rows.min(MAX_BATCH_ROWS))?);
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let ledger = first.sale.ledger;
    leave_outbox(conn, &rows)?;
    let outline = insert(conn, kept, id, &rows, now)?;
    let batch = Batch {
        branch: branch.clone(),
        ledger,
        id,
        sales: rows.into_iter().map(|row| row.sale).collect(),
    };
    Ok(Some(Formed { batch, outline }))
}

/// The first rows of the outbox.
fn waiting(conn: &mut SqliteConnection, limit: u32) -> Result<Vec<Waiting>, StoreError> {
    sql::<WaitingSql>(format!(
        "SELECT o.day, o.attempt, o.last_acked, o.counted, o.cap, {} FROM outbox o CROSS JOIN sales s ON s.id = o.id {} ORDER BY o.day, o.id LIMIT ?",
        sales::COLUMNS,
        sales::JOINED
    ))
    .int(i64::from(limit))
    .load::<WaitingRecord>(conn)?
    .into_iter()
    .map(|(day, attempt, last_acked, counted, cap, record)| {
        Ok(Waiting {
            sale: sales::sale(record)?,
            day,
            attempt,
            last_acked,
            counted,
            cap,
            after_gap: false,
        })
    })
    .collect()
}

/// Of the waiting rows those of the first one's ledger, as many as the cap of each of them allows.
fn take(waiting: Vec<Waiting>) -> Vec<Waiting> {
    let mut taken: Vec<Waiting> = Vec::with_capacity(waiting.len());
    let mut room = i64::MAX;
    let mut gap = false;
    for mut row in waiting {
        if taken.first().is_some_and(|first| first.sale.ledger != row.sale.ledger) {
            gap = true;
            continue;
        }
        room = room.min(row.cap.unwrap_or(i64::MAX));
        if taken.len() as u64 >= room.unsigned_abs() {
            break;
        }
        row.after_gap = std::mem::take(&mut gap);
        taken.push(row);
    }
    taken
}

/// Deletes rows from the outbox by ranges: within a day nothing lies between two that follow each other.
fn leave_outbox(conn: &mut SqliteConnection, rows: &[Waiting]) -> Result<(), StoreError> {
    for range in rows.chunk_by(|one, next| one.day == next.day && !next.after_gap) {
        let (Some(first), Some(last)) = (range.first(), range.last()) else {
            continue;
        };
        sql::<()>("DELETE FROM outbox WHERE day = ? AND id BETWEEN ? AND ?")
            .text(&first.day)
            .int(first.sale.id.get())
            .int(last.sale.id.get())
            .execute(conn)?;
    }
    Ok(())
}

fn insert(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    id: BatchId,
    rows: &[Waiting],
    now: Now,
) -> Result<Outline, StoreError> {
    let ledger = ledgers::named(conn, rows[0].sale.ledger)?;
    let mut standing = ledger.standing.clone();
    standing.unanswered += rows.iter().filter(|row| !row.counted).count() as u64;
    ledgers::stand(conn, ledger.no, &standing)?;

    let sums = Sums::of(rows);
    let money = i64::try_from(sums.money.0).map_err(|_| StoreError::nonsense(format!("the total {}", sums.money)))?;
    kept.shift(SyncKind::Pending, SyncKind::Sent, sums.rows, sums.money);
    let no: i64 = sql::<BigInt>(
        "INSERT INTO batches (batch, ledger_no, made_at, attempt, row_count, first_id, last_id, oldest_at, live, live_total, counted, cap, state) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open') RETURNING no",
    )
    .blob(id.as_bytes())
    .int(ledger.no)
    .int(now.wall.0)
    .int(sums.attempt)
    .int(sums.rows)
    .int(sums.first_id)
    .int(sums.last_id)
    .int(sums.oldest_at)
    .int(sums.rows)
    .int(money)
    .int(sums.rows)
    .maybe(rows.iter().filter_map(|row| row.cap).min())
    .get_result(conn)?;
    batch::insert_runs(conn, no, &runs(rows))?;
    Ok(Outline {
        id,
        sales: Sales {
            count: values::count(sums.rows)?,
            first: values::sale_id(sums.first_id)?,
            last: values::sale_id(sums.last_id)?,
        },
        attempt: values::count(sums.attempt)?,
    })
}

fn runs(rows: &[Waiting]) -> Vec<StoredRun> {
    let mut sorted: Vec<&Waiting> = rows.iter().collect();
    // Runs are kept by id, so days that lie crosswise in the file still make long ones.
    sorted.sort_unstable_by_key(|row| row.sale.id);
    let mut runs = Vec::new();
    for row in sorted {
        let revision = i64::from(row.sale.revision.get());
        StoredRun::push(&mut runs, row.sale.id.get(), revision, row.last_acked);
    }
    runs
}

/// What a batch says of its rows as a whole.
#[derive(Debug, Default)]
struct Sums {
    rows: i64,
    money: MoneySum,
    attempt: i64,
    first_id: i64,
    last_id: i64,
    oldest_at: i64,
}

impl Sums {
    fn of(rows: &[Waiting]) -> Self {
        let mut sums = Self {
            first_id: i64::MAX,
            oldest_at: i64::MAX,
            ..Self::default()
        };
        for row in rows {
            sums.rows += 1;
            sums.money += row.sale.counted_total();
            sums.attempt = sums.attempt.max(row.attempt + 1);
            sums.first_id = sums.first_id.min(row.sale.id.get());
            sums.last_id = sums.last_id.max(row.sale.id.get());
            sums.oldest_at = sums.oldest_at.min(row.sale.updated_at.0);
        }
        sums
    }
}
