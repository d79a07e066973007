//! Rows of sales: what HQ holds under a key, and what it keeps beside it.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use super::bulk::Key;
use super::schema::sales;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::money::Money;
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::UtcMillis;
use crate::store::StoreError;
use crate::store::dates::DateRead;

/// Ids this far apart are looked up in one range: skipping a few rows is cheaper than another statement.
const NEIGHBOURS: i64 = 32;

type Row = (i64, i64, DateRead, String, String, i64, i64, i64, i64, i64, Option<i64>);

/// What HQ holds under the ids of these rows.
pub(super) fn held(
    conn: &mut SqliteConnection,
    key: Key<'_>,
    rows: &[Sale],
) -> Result<HashMap<SaleId, Sale>, StoreError> {
    let mut ids: Vec<i64> = rows.iter().map(|sale| sale.id.get()).collect();
    ids.sort_unstable();
    let mut held = HashMap::new();
    for ids in ids.chunk_by(|a, b| b - a <= NEIGHBOURS) {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            continue;
        };
        let found: Vec<Row> = sales::table
            .filter(sales::branch.eq(key.branch.as_str()))
            .filter(sales::ledger.eq(key.ledger.as_bytes().as_slice()))
            .filter(sales::external_id.between(*first, *last))
            .select((
                sales::external_id,
                sales::revision,
                sales::date,
                sales::product,
                sales::region,
                sales::qty,
                sales::cost,
                sales::tax,
                sales::created_at,
                sales::updated_at,
                sales::deleted_at,
            ))
            .load(conn)?;
        for row in found {
            if ids.binary_search(&row.0).is_ok() {
                let sale = read(key, row)?;
                held.insert(sale.id, sale);
            }
        }
    }
    Ok(held)
}

/// Keeps the revisions that HQ holds now under these ids, before newer ones replace them.
pub(super) fn keep_revisions(conn: &mut SqliteConnection, key: Key<'_>, ids: &[SaleId]) -> Result<(), StoreError> {
    for id in ids {
        diesel::sql_query(
            "INSERT INTO sale_revisions (branch, ledger, external_id, revision, date, product, region, qty, cost, tax, \
             created_at, updated_at, deleted_at, received_at, replaced_at) \
             SELECT branch, ledger, external_id, revision, date, product, region, qty, cost, tax, \
             created_at, updated_at, deleted_at, received_at, ? FROM sales WHERE branch = ? AND ledger = ? AND external_id = ?",
        )
        .bind::<BigInt, _>(key.now.0)
        .bind::<Text, _>(key.branch.as_str())
        .bind::<Binary, _>(key.ledger.as_bytes().as_slice())
        .bind::<BigInt, _>(id.get())
        .execute(conn)?;
    }
    Ok(())
}

fn read(key: Key<'_>, row: Row) -> Result<Sale, StoreError> {
    let (id, revision, date, product, region, qty, cost, tax, created_at, updated_at, deleted_at) = row;
    let nonsense = |what: &str| StoreError::nonsense(format!("{what} in sale {id} of {}", key.branch));
    let money = |units, what| Money::from_units(units).map_err(|_| nonsense(what));
    Ok(Sale {
        id: SaleId::new(id).ok_or_else(|| nonsense("an id below 1"))?,
        ledger: key.ledger,
        revision: u32::try_from(revision)
            .ok()
            .and_then(Revision::new)
            .ok_or_else(|| nonsense("a revision out of range"))?,
        content: SaleContent {
            date: date.0.ok_or_else(|| nonsense("a date that is none"))?,
            product: product.into(),
            region: region.into(),
            qty: u32::try_from(qty).map_err(|_| nonsense("a quantity out of range"))?,
            cost: money(cost, "a cost out of range")?,
            tax: money(tax, "a tax out of range")?,
        },
        created_at: UtcMillis(created_at),
        updated_at: UtcMillis(updated_at),
        deleted_at: deleted_at.map(UtcMillis),
    })
}
