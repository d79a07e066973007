//! Contents that came under a key that has another one: kept for good, and open until their branch has found the way out.
//!
//! There are three ways out, and HQ sees each of them come by: a revision above both contents, HQ's own content from the branch that has taken it, or the sale itself, under
//! its id and with the moment of its entry, in another ledger.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::bulk::Key;
use crate::domain::sale::{Sale, clean};
use crate::store::statement::sql;
use crate::store::{StoreError, dates};

/// Keeps a content that came under a key and revision that has another one; once, however often it comes. Nobody has judged its texts, so they are cleaned.
pub(super) fn keep(conn: &mut SqliteConnection, key: Key<'_>, sale: &Sale) -> Result<(), StoreError> {
    let content = &sale.content;
    diesel::sql_query(
        "INSERT OR IGNORE INTO sale_conflicts (branch, ledger, external_id, revision, digest, date, product, region, qty, cost, tax, \
         created_at, updated_at, deleted_at, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind::<Text, _>(key.branch.as_str())
    .bind::<Binary, _>(key.ledger.as_bytes().as_slice())
    .bind::<BigInt, _>(sale.id.get())
    .bind::<BigInt, _>(i64::from(sale.revision.get()))
    .bind::<Binary, _>(sale.digest(key.branch).0.as_slice())
    .bind::<Text, _>(dates::text(content.date))
    .bind::<Text, _>(clean(&content.product))
    .bind::<Text, _>(clean(&content.region))
    .bind::<BigInt, _>(i64::from(content.qty))
    .bind::<BigInt, _>(content.cost.units())
    .bind::<BigInt, _>(content.tax.units())
    .bind::<BigInt, _>(sale.created_at.0)
    .bind::<BigInt, _>(sale.updated_at.0)
    .bind::<Nullable<BigInt>, _>(sale.deleted_at.map(|at| at.0))
    .bind::<BigInt, _>(key.now.0)
    .execute(conn)?;
    settle_what_moved_before(conn, key, sale)
}

/// An old message may come once more after its sale has moved; then there is nothing left to settle.
fn settle_what_moved_before(conn: &mut SqliteConnection, key: Key<'_>, sale: &Sale) -> Result<(), StoreError> {
    diesel::sql_query(
        "UPDATE sale_conflicts SET settled_at = ?1 WHERE branch = ?2 AND ledger = ?3 AND external_id = ?4 AND created_at = ?5 AND settled_at IS NULL \
         AND EXISTS (SELECT 1 FROM ledgers l CROSS JOIN sales s ON s.branch = l.branch AND s.ledger = l.ledger AND s.external_id = ?4 \
         WHERE l.branch = ?2 AND l.ledger <> ?3 AND s.created_at = ?5)",
    )
    .bind::<BigInt, _>(key.now.0)
    .bind::<Text, _>(key.branch.as_str())
    .bind::<Binary, _>(key.ledger.as_bytes().as_slice())
    .bind::<BigInt, _>(sale.id.get())
    .bind::<BigInt, _>(sale.created_at.0)
    .execute(conn)?;
    Ok(())
}

/// A conflict that is open.
#[derive(Queryable)]
struct Open {
    ledger: Vec<u8>,
    external_id: i64,
    revision: i64,
    created_at: i64,
}

impl Open {
    /// Whether a sale that HQ holds as it came is the way out of this conflict.
    fn is_settled_by(&self, sale: &Sale) -> bool {
        let here = self.ledger == sale.ledger.as_bytes();
        sale.created_at.0 == self.created_at && (!here || i64::from(sale.revision.get()) >= self.revision)
    }

    fn end(&self, conn: &mut SqliteConnection, key: Key<'_>) -> Result<(), StoreError> {
        diesel::sql_query(
            "UPDATE sale_conflicts SET settled_at = ? WHERE branch = ? AND ledger = ? AND external_id = ? AND revision = ? AND created_at = ? \
             AND settled_at IS NULL",
        )
        .bind::<BigInt, _>(key.now.0)
        .bind::<Text, _>(key.branch.as_str())
        .bind::<Binary, _>(self.ledger.as_slice())
        .bind::<BigInt, _>(self.external_id)
        .bind::<BigInt, _>(self.revision)
        .bind::<BigInt, _>(self.created_at)
        .execute(conn)?;
        Ok(())
    }
}

/// Settles what these sales, of which no two have one id and which HQ holds as they came, are the way out of.
pub(super) fn settle(conn: &mut SqliteConnection, key: Key<'_>, sales: &[&Sale]) -> Result<(), StoreError> {
    let ids = sales.iter().map(|sale| sale.id.get());
    let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else {
        return Ok(());
    };
    // Asked for every batch, so it stays prepared.
    let open: Vec<Open> = sql::<(Binary, BigInt, BigInt, BigInt)>(
        "SELECT ledger, external_id, revision, created_at FROM sale_conflicts \
         WHERE branch = ? AND external_id BETWEEN ? AND ? AND settled_at IS NULL",
    )
    .text(key.branch.as_str())
    .int(first)
    .int(last)
    .load(conn)?;
    if open.is_empty() {
        return Ok(());
    }
    let sales: HashMap<i64, &Sale> = sales.iter().map(|sale| (sale.id.get(), *sale)).collect();
    for open in open {
        if sales
            .get(&open.external_id)
            .is_some_and(|sale| open.is_settled_by(sale))
        {
            open.end(conn, key)?;
        }
    }
    Ok(())
}
