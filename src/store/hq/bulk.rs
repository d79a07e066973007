//! Many rows of one ledger in one statement that stays prepared.
//!
//! diesel's own batch upsert has no guard on SQLite and is never cached. Here the number of rows is a constant of the type, so that each of a few sizes is built and prepared
//! once for a connection; any number of rows is cut into these.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::domain::ids::{BranchCode, LedgerId, Revision};
use crate::domain::sale::Sale;
use crate::domain::time::UtcMillis;
use crate::store::StoreError;
use crate::store::dates::DateText;

/// Under which key rows are written, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) branch: &'a BranchCode,
    pub(super) ledger: LedgerId,
    pub(super) now: UtcMillis,
}

/// Writes each sale as the newest revision of its row: new, or over an older one. Every id stands in `sales` once.
///
/// # Errors
/// Also when a row turns out to hold the same or a newer revision: whoever judged the rows before was wrong.
pub(super) fn upsert(conn: &mut SqliteConnection, key: Key<'_>, sales: &[&Sale]) -> Result<(), StoreError> {
    let mut written = 0;
    let rest = put::<250>(conn, key, sales, &mut written)?;
    let rest = put::<25>(conn, key, rest, &mut written)?;
    put::<1>(conn, key, rest, &mut written)?;
    if written != sales.len() {
        return Err(StoreError::nonsense(format!(
            "{} rows of {} that are newer than was judged",
            sales.len() - written,
            key.branch
        )));
    }
    Ok(())
}

/// Writes as many sales as statements of `N` rows can take, and counts them; returns the rest.
fn put<'a, const N: usize>(
    conn: &mut SqliteConnection,
    key: Key<'_>,
    sales: &'a [&'a Sale],
    written: &mut usize,
) -> Result<&'a [&'a Sale], StoreError> {
    let (parts, rest) = sales.as_chunks::<N>();
    for part in parts {
        let rows: Vec<Row<'_>> = part.iter().map(|sale| Row::of(sale)).collect();
        *written += if part.iter().all(|sale| is_first(sale)) {
            Upsert::<N, true> { key, rows }.execute(conn)?
        } else {
            Upsert::<N, false> { key, rows }.execute(conn)?
        };
    }
    Ok(rest)
}

/// Whether a sale is as it was entered: then two columns need no values of their own.
fn is_first(sale: &Sale) -> bool {
    sale.revision == Revision::FIRST && !sale.is_void()
}

/// A sale as its columns take it.
#[derive(Debug)]
struct Row<'a> {
    sale: &'a Sale,
    id: i64,
    revision: i64,
    date: DateText,
    qty: i64,
    cost: i64,
    tax: i64,
    deleted_at: Option<i64>,
}

impl<'a> Row<'a> {
    fn of(sale: &'a Sale) -> Self {
        let content = &sale.content;
        Self {
            sale,
            id: sale.id.get(),
            revision: sale.revision.get().into(),
            date: DateText::of(content.date),
            qty: content.qty.into(),
            cost: content.cost.units(),
            tax: content.tax.units(),
            deleted_at: sale.deleted_at.map(|at| at.0),
        }
    }

    fn push<'b>(&'b self, first: bool, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let content = &self.sale.content;
        out.push_bind_param::<BigInt, _>(&self.id)?;
        if first {
            out.push_sql(", 1, NULL, ");
        } else {
            out.push_sql(", ");
            out.push_bind_param::<BigInt, _>(&self.revision)?;
            out.push_sql(", ");
            out.push_bind_param::<Nullable<BigInt>, _>(&self.deleted_at)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Text, str>(self.date.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, str>(&content.product)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, str>(&content.region)?;
        for number in [
            &self.qty,
            &self.cost,
            &self.tax,
            &self.sale.created_at.0,
            &self.sale.updated_at.0,
        ] {
            out.push_sql(", ");
            out.push_bind_param::<BigInt, _>(number)?;
        }
        Ok(())
    }
}

/// One statement for `N` rows; all of them are first revisions, or any may be a later one. Branch, ledger and time are bound once for all of them.
#[derive(Debug)]
struct Upsert<'a, const N: usize, const FIRST: bool> {
    key: Key<'a>,
    rows: Vec<Row<'a>>,
}

const INTO: &str = "INSERT INTO sales (branch, ledger, received_at, external_id, revision, deleted_at, date, product, region, qty, cost, tax, \
                    created_at, updated_at) VALUES (";
/// Between two rows: the first three values again.
const NEXT: &str = "), (?1, ?2, ?3, ";
const GUARD: &str = ") ON CONFLICT (branch, ledger, external_id) DO UPDATE SET revision = excluded.revision, \
                     date = excluded.date, product = excluded.product, region = excluded.region, qty = excluded.qty, cost = excluded.cost, \
                     tax = excluded.tax, created_at = excluded.created_at, updated_at = excluded.updated_at, \
                     deleted_at = excluded.deleted_at, received_at = excluded.received_at WHERE excluded.revision > sales.revision";

impl<const N: usize, const FIRST: bool> QueryFragment<Sqlite> for Upsert<'_, N, FIRST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(INTO);
        out.push_bind_param::<Text, _>(self.key.branch.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Binary, [u8]>(self.key.ledger.as_bytes())?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.key.now.0)?;
        out.push_sql(", ");
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                out.push_sql(NEXT);
            }
            row.push(FIRST, &mut out)?;
        }
        out.push_sql(GUARD);
        Ok(())
    }
}

impl<const N: usize, const FIRST: bool> QueryId for Upsert<'_, N, FIRST> {
    type QueryId = Upsert<'static, N, FIRST>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const N: usize, const FIRST: bool> RunQueryDsl<SqliteConnection> for Upsert<'_, N, FIRST> {}
