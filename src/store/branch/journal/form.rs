//! Making a batch: the oldest waiting rows of one ledger go from the outbox into it, in one transaction.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use foldhash::HashSet;

use super::super::dictionary::{self, ProductNames};
use super::super::kept::Kept;
use super::super::ledgers::{self, Ledger};
use super::super::place::MAX_BATCH_ROWS;
use super::super::sales;
use super::super::statement::sql;
use super::super::values::{self, DateRead};
use super::batch::{self, StoredRun};
use crate::domain::event::Sales;
use crate::domain::ids::{BatchId, BranchCode, LedgerId};
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::protocol::Now;
use crate::protocol::dictionary::{Product, ProductNo};
use crate::protocol::journal::{Formed, Outline};
use crate::protocol::message::Batch;
use crate::store::StoreError;

/// A row that waits.
#[derive(Debug)]
struct Waiting {
    sale: Sale,
    product_no: i64,
    attempt: i64,
    last_acked: i64,
    counted: bool,
    cap: Option<i64>,
    /// The row before it in the outbox is not taken.
    after_gap: bool,
}

/// A row that waits, as it is read: what the outbox says of it, and its sale.
type WaitingRecord = ((i64, i64, bool, Option<i64>), SaleRecord);
type WaitingSql = ((BigInt, BigInt, Bool, Nullable<BigInt>), SaleSql);

/// A sale by the numbers of its ledger, its product and its region, of which many rows share a few; see [`sales::SaleRecord`] for the columns.
type SaleRecord = (i64, i64, i64, DateRead, i64, i64, i64, i64, i64, i64, i64, Option<i64>);
type SaleSql = (
    BigInt,
    BigInt,
    BigInt,
    Text,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    Nullable<BigInt>,
);

pub(super) fn form(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    names: &mut ProductNames,
    branch: &BranchCode,
    id: BatchId,
    max_rows: u32,
    now: Now,
) -> Result<Option<Formed>, StoreError> {
    let waiting = waiting(conn, max_rows.min(MAX_BATCH_ROWS))?;
    let Some((_, (_, ledger_no, ..))) = waiting.first() else {
        return Ok(None);
    };
    let ledger = ledgers::numbered(conn, *ledger_no)?;
    let rows = take(conn, names, waiting, &ledger)?;
    leave_outbox(conn, kept, &rows)?;
    let outline = insert(conn, kept, id, &ledger, &rows, now)?;
    let batch = Batch {
        branch: branch.clone(),
        ledger: ledger.id,
        id,
        products: products(&rows),
        sales: rows.into_iter().map(|row| row.sale).collect(),
    };
    Ok(Some(Formed { batch, outline }))
}

/// The first rows of the outbox.
fn waiting(conn: &mut SqliteConnection, limit: u32) -> Result<Vec<WaitingRecord>, StoreError> {
    let rows = sql::<WaitingSql>(
        "SELECT o.attempt, o.last_acked, o.counted, o.cap, s.id, s.ledger_no, s.revision, s.date, s.product_no, s.region_no, s.qty, s.cost, s.tax, \
           s.created_at, s.updated_at, s.deleted_at \
         FROM outbox o CROSS JOIN sales s ON s.id = o.id ORDER BY o.day, o.id",
    );
    // Without a limit of the statement's own: SQLite would prepare it anew at each run.
    let rows = rows.load_iter::<WaitingRecord, DefaultLoadingMode>(conn)?;
    Ok(rows.take(limit as usize).collect::<QueryResult<_>>()?)
}

/// Of the waiting rows those of this ledger, as many as the cap of each of them allows.
fn take(
    conn: &mut SqliteConnection,
    names: &mut ProductNames,
    waiting: Vec<WaitingRecord>,
    ledger: &Ledger,
) -> Result<Vec<Waiting>, StoreError> {
    let mut taken = Vec::with_capacity(waiting.len());
    let mut regions = BTreeMap::new();
    names.read(
        conn,
        waiting.iter().map(|(_, (_, _, _, _, product_no, ..))| *product_no),
    )?;
    let mut room = i64::MAX;
    let mut gap = false;
    for ((attempt, last_acked, counted, cap), record) in waiting {
        let (_, ledger_no, _, _, product_no, region_no, ..) = record;
        if ledger_no != ledger.no {
            gap = true;
            continue;
        }
        room = room.min(cap.unwrap_or(i64::MAX));
        if taken.len() as u64 >= room.unsigned_abs() {
            break;
        }
        let region = match regions.entry(region_no) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Arc::from(dictionary::region_name(conn, region_no)?)),
        };
        taken.push(Waiting {
            sale: sale(record, ledger.id, names.name(product_no)?, region)?,
            product_no,
            attempt,
            last_acked,
            counted,
            cap,
            after_gap: std::mem::take(&mut gap),
        });
    }
    Ok(taken)
}

fn sale(record: SaleRecord, ledger: LedgerId, product: &Arc<str>, region: &Arc<str>) -> Result<Sale, StoreError> {
    let (id, _, revision, date, _, _, qty, cost, tax, created_at, updated_at, deleted_at) = record;
    Ok(Sale {
        id: values::sale_id(id)?,
        ledger,
        revision: values::revision(revision)?,
        content: sales::content(date, product.clone(), region.clone(), qty, cost, tax)?,
        created_at: UtcMillis(created_at),
        updated_at: UtcMillis(updated_at),
        deleted_at: deleted_at.map(UtcMillis),
    })
}

/// The products of rows, each once, as far as they have numbers that can travel.
fn products(rows: &[Waiting]) -> Vec<Product> {
    let mut seen = HashSet::default();
    let product = |row: &Waiting| {
        let no = ProductNo::try_from(row.product_no).ok()?;
        seen.insert(no).then(|| Product {
            no,
            name: row.sale.content.product.clone(),
            told: true,
        })
    };
    rows.iter().filter_map(product).collect()
}

/// Deletes rows from the outbox by ranges: within a day nothing lies between two that follow each other.
fn leave_outbox(conn: &mut SqliteConnection, kept: &mut Kept, rows: &[Waiting]) -> Result<(), StoreError> {
    for row in rows {
        kept.ages.leave(row.sale.updated_at);
    }
    let day = |row: &Waiting| row.sale.content.date.date();
    for range in rows.chunk_by(|one, next| day(one) == day(next) && !next.after_gap) {
        let (Some(first), Some(last)) = (range.first(), range.last()) else {
            continue;
        };
        sql::<()>("DELETE FROM outbox WHERE day = ? AND id BETWEEN ? AND ?")
            .text(&day(first).to_string())
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
    ledger: &Ledger,
    rows: &[Waiting],
    now: Now,
) -> Result<Outline, StoreError> {
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
