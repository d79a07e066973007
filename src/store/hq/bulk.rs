//! Many rows of one ledger in one statement that stays prepared.
//!
//! diesel's own batch upsert has no guard on SQLite and is never cached. Here the number of rows is a constant of the type, so that each of a few sizes is built and prepared
//! once for a connection; any number of rows is cut into these.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::domain::ids::{BranchCode, LedgerId};
use crate::domain::sale::Sale;
use crate::domain::time::UtcMillis;
use crate::store::{StoreError, dates};

/// Under which key rows are written, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) branch: &'a BranchCode,
    pub(super) ledger: LedgerId,
    pub(super) now: UtcMillis,
}

/// Writes each sale as the newest revision of its row: new, or over an older one. Every id stands in `rows` once.
///
/// # Errors
/// Also when a row turns out to hold the same or a newer revision: whoever judged the rows before was wrong.
pub(super) fn upsert(conn: &mut SqliteConnection, key: Key<'_>, rows: &[&Sale]) -> Result<(), StoreError> {
    let rows: Vec<Row<'_>> = rows.iter().map(|sale| Row::of(sale)).collect();
    let (largest, rest) = rows.as_chunks::<250>();
    let (middle, rest) = rest.as_chunks::<25>();
    let mut written = 0;
    for rows in largest {
        written += Upsert { key, rows }.execute(conn)?;
    }
    for rows in middle {
        written += Upsert { key, rows }.execute(conn)?;
    }
    for row in rest {
        let rows = std::array::from_ref(row);
        written += Upsert { key, rows }.execute(conn)?;
    }
    if written != rows.len() {
        return Err(StoreError::nonsense(format!(
            "{} rows of {} that are newer than was judged",
            rows.len() - written,
            key.branch
        )));
    }
    Ok(())
}

/// A sale as its columns take it.
#[derive(Debug)]
struct Row<'a> {
    sale: &'a Sale,
    id: i64,
    revision: i64,
    date: String,
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
            date: dates::text(content.date),
            qty: content.qty.into(),
            cost: content.cost.units(),
            tax: content.tax.units(),
            deleted_at: sale.deleted_at.map(|at| at.0),
        }
    }

    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let content = &self.sale.content;
        out.push_bind_param::<BigInt, _>(&self.id)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.revision)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&self.date)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&content.product)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&content.region)?;
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
        out.push_sql(", ");
        out.push_bind_param::<Nullable<BigInt>, _>(&self.deleted_at)
    }
}

/// One statement for `N` rows. Branch, ledger and time are bound once for all of them.
#[derive(Debug)]
struct Upsert<'a, const N: usize> {
    key: Key<'a>,
    rows: &'a [Row<'a>; N],
}

const INTO: &str = "INSERT INTO sales (branch, ledger, received_at, external_id, revision, date, product, region, qty, cost, tax, \
                    created_at, updated_at, deleted_at) SELECT ";
const FROM: &str = ", v.* FROM (VALUES (";
const GUARD: &str = ")) AS v WHERE true ON CONFLICT (branch, ledger, external_id) DO UPDATE SET revision = excluded.revision, \
                     date = excluded.date, product = excluded.product, region = excluded.region, qty = excluded.qty, cost = excluded.cost, \
                     tax = excluded.tax, created_at = excluded.created_at, updated_at = excluded.updated_at, \
                     deleted_at = excluded.deleted_at, received_at = excluded.received_at WHERE excluded.revision > sales.revision";

impl<const N: usize> QueryFragment<Sqlite> for Upsert<'_, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(INTO);
        out.push_bind_param::<Text, _>(self.key.branch.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Binary, [u8]>(self.key.ledger.as_bytes())?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.key.now.0)?;
        out.push_sql(FROM);
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                out.push_sql("), (");
            }
            row.push(&mut out)?;
        }
        out.push_sql(GUARD);
        Ok(())
    }
}

impl<const N: usize> QueryId for Upsert<'_, N> {
    type QueryId = Upsert<'static, N>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const N: usize> RunQueryDsl<SqliteConnection> for Upsert<'_, N> {}
