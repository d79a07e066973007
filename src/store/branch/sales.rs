//! Sales as rows: reading them, writing a new one, and writing a revision over an old one.
//!
//! Where a sale stands on its way to HQ is not known here; see [`super::place`].

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::dictionary::{self, Named};
use super::statement::sql;
use super::values::{self, DateRead};
use crate::domain::ids::SaleId;
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// The columns of [`SaleRecord`], for a query `FROM` [`JOINED`].
pub(super) const COLUMNS: &str = "s.id, l.ledger, s.revision, s.date, p.name, g.name, s.qty, s.cost, s.tax, s.created_at, s.updated_at, s.deleted_at";

/// What [`COLUMNS`] need to stand behind `FROM sales s`; the order of the joins is fixed, so that the order of `s` is the order of the rows.
pub(super) const JOINED: &str = "CROSS JOIN products p ON p.no = s.product_no CROSS JOIN regions g ON g.no = s.region_no CROSS JOIN ledgers l ON l.no = s.ledger_no";

pub(super) type SaleSql = (
    BigInt,
    Binary,
    BigInt,
    Text,
    Text,
    Text,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    Nullable<BigInt>,
);

pub(super) type SaleRecord = (
    i64,
    Vec<u8>,
    i64,
    DateRead,
    String,
    String,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<i64>,
);

/// A sale's content from its columns.
pub(super) fn content(
    date: DateRead,
    product: Arc<str>,
    region: Arc<str>,
    qty: i64,
    cost: i64,
    tax: i64,
) -> Result<SaleContent, StoreError> {
    Ok(SaleContent {
        date: values::date(date)?,
        product,
        region,
        qty: values::count(qty)?,
        cost: values::money(cost)?,
        tax: values::money(tax)?,
    })
}

pub(super) fn sale(record: SaleRecord) -> Result<Sale, StoreError> {
    let (id, ledger, revision, date, product, region, qty, cost, tax, created_at, updated_at, deleted_at) = record;
    Ok(Sale {
        id: values::sale_id(id)?,
        ledger: values::ledger_id(&ledger)?,
        revision: values::revision(revision)?,
        content: content(date, product.into(), region.into(), qty, cost, tax)?,
        created_at: UtcMillis(created_at),
        updated_at: UtcMillis(updated_at),
        deleted_at: deleted_at.map(UtcMillis),
    })
}

/// The sale at its newest revision.
pub(super) fn find(conn: &mut SqliteConnection, id: SaleId) -> Result<Option<Sale>, StoreError> {
    sql::<SaleSql>(format!("SELECT {COLUMNS} FROM sales s {JOINED} WHERE s.id = ?"))
        .int(id.get())
        .get_result::<SaleRecord>(conn)
        .optional()?
        .map(sale)
        .transpose()
}

/// The revisions of a sale that later ones replaced, oldest first.
pub(super) fn replaced(conn: &mut SqliteConnection, id: SaleId) -> Result<Vec<Sale>, StoreError> {
    sql::<SaleSql>(format!(
        "SELECT {COLUMNS} FROM sale_revisions s {JOINED} WHERE s.id = ? ORDER BY s.revision, s.no"
    ))
    .int(id.get())
    .load::<SaleRecord>(conn)?
    .into_iter()
    .map(sale)
    .collect()
}

/// The highest id given out; zero before the first sale.
pub(super) fn highest_id(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sql::<BigInt>("SELECT coalesce(max(id), 0) FROM sales").get_result(conn)?)
}

fn named(content: &SaleContent, sale: i64) -> Named<'_> {
    Named {
        name: &content.product,
        cost: content.cost,
        sale,
    }
}

/// Writes a new sale of a ledger; returns its id.
pub(super) fn insert(
    conn: &mut SqliteConnection,
    ledger_no: i64,
    content: &SaleContent,
    now: UtcMillis,
) -> Result<SaleId, StoreError> {
    let next = highest_id(conn)? + 1;
    let product = dictionary::product(conn, named(content, next))?;
    let region = dictionary::region(conn, &content.region, next)?;
    let id = sql::<BigInt>(
        "INSERT INTO sales (ledger_no, revision, date, product_no, region_no, qty, cost, tax, created_at, updated_at) \
         VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .int(ledger_no)
    .text(&values::date_text(content.date))
    .int(product)
    .int(region)
    .int(i64::from(content.qty))
    .int(content.cost.units())
    .int(content.tax.units())
    .int(now.0)
    .int(now.0)
    .get_result(conn)?;
    values::sale_id(id)
}

/// Writes `sale` over its older revision, which is kept in `sale_revisions`. The sale stays in its ledger.
pub(super) fn replace(conn: &mut SqliteConnection, sale: &Sale) -> Result<(), StoreError> {
    let id = sale.id.get();
    sql::<()>(
        "INSERT INTO sale_revisions (id, ledger_no, revision, date, product_no, region_no, qty, cost, tax, created_at, updated_at, deleted_at) \
         SELECT id, ledger_no, revision, date, product_no, region_no, qty, cost, tax, created_at, updated_at, deleted_at FROM sales WHERE id = ?",
    )
    .int(id)
    .execute(conn)?;
    let content = &sale.content;
    let product = dictionary::product(conn, named(content, id))?;
    let region = dictionary::region(conn, &content.region, id)?;
    sql::<()>(
        "UPDATE sales SET revision = ?, date = ?, product_no = ?, region_no = ?, qty = ?, cost = ?, tax = ?, \
         created_at = ?, updated_at = ?, deleted_at = ? WHERE id = ?",
    )
    .int(i64::from(sale.revision.get()))
    .text(&values::date_text(content.date))
    .int(product)
    .int(region)
    .int(i64::from(content.qty))
    .int(content.cost.units())
    .int(content.tax.units())
    .int(sale.created_at.0)
    .int(sale.updated_at.0)
    .maybe(sale.deleted_at.map(|at| at.0))
    .int(id)
    .execute(conn)?;
    Ok(())
}
