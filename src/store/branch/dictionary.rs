//! The names that sales are made of, each kept once: products with what one cost the last time, and regions.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use foldhash::HashMap;

use super::statement::{Value, sql};
use super::{BranchDb, values};
use crate::domain::money::Money;
use crate::domain::read::KnownProduct;
use crate::protocol::dictionary::{Fingerprint, ProductNo, Span, fingerprint};
use crate::store::StoreError;

impl BranchDb {
    /// Products that were sold before and match what was typed, upper or lower case: those that begin with it first, then those that have it anywhere; the most
    /// recently sold first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn products(&mut self, typed: &str, limit: u32) -> Result<Vec<KnownProduct>, StoreError> {
        let folded = folded(typed.trim());
        sql::<(Text, BigInt)>(
            "SELECT name, last_cost FROM products WHERE instr(folded, ?) > 0 ORDER BY instr(folded, ?) > 1, last_sold DESC LIMIT ?",
        )
        .text(&folded)
        .text(&folded)
        .int(i64::from(limit))
        .load::<(String, i64)>(&mut self.conn)?
        .into_iter()
        .map(|(name, cost)| {
            Ok(KnownProduct {
                name,
                last_cost: values::money(cost)?,
            })
        })
        .collect()
    }

    /// The regions of this branch's sales, the most recently used first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn regions(&mut self, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(sql::<Text>("SELECT name FROM regions ORDER BY last_sold DESC LIMIT ?")
            .int(i64::from(limit))
            .load(&mut self.conn)?)
    }
}

/// A name as it is searched for.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// A product as a sale names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) cost: Money,
    /// The id of the sale.
    pub(super) sale: i64,
}

/// The number of a product, which is noted if it is new.
pub(super) fn product(conn: &mut SqliteConnection, named: Named<'_>) -> Result<i64, StoreError> {
    let numbers = products(conn, &[named])?;
    let found = numbers.into_iter().next();
    found
        .map(|(_, no)| no)
        .ok_or_else(|| StoreError::nonsense(format!("no number for product `{}`", named.name)))
}

/// The numbers of products, each named once; those that are new are noted.
pub(super) fn products(conn: &mut SqliteConnection, named: &[Named<'_>]) -> Result<Vec<(String, i64)>, StoreError> {
    const ROWS_A_STATEMENT: usize = 64;
    let mut numbers = Vec::with_capacity(named.len());
    for chunk in named.chunks(ROWS_A_STATEMENT) {
        let folded: Vec<String> = chunk.iter().map(|product| folded(product.name)).collect();
        let rows = vec!["(?, ?, ?, ?)"; chunk.len()].join(", ");
        let statement = sql::<(Text, BigInt)>(format!(
            "INSERT INTO products (name, folded, last_cost, last_sold) VALUES {rows} \
             ON CONFLICT (name) DO UPDATE SET last_cost = excluded.last_cost, last_sold = max(last_sold, excluded.last_sold) RETURNING name, no"
        ));
        let values = chunk.iter().zip(&folded).flat_map(|(product, folded)| {
            [
                Value::Text(product.name),
                Value::Text(folded),
                Value::Int(Some(product.cost.units())),
                Value::Int(Some(product.sale)),
            ]
        });
        numbers.extend(statement.values(values).load::<(String, i64)>(conn)?);
    }
    Ok(numbers)
}

/// Names of products that were read before, by number: a number keeps its name for ever. Whoever looks names up must not have noted new ones in the same
/// transaction, which may yet be rolled back.
#[derive(Debug, Default)]
pub(super) struct ProductNames(HashMap<i64, Arc<str>>);

/// More names than this are forgotten, and read again.
const MAX_NAMES_KEPT: usize = 20_000;

impl ProductNames {
    /// Reads those of these products that are not known yet.
    pub(super) fn read(
        &mut self,
        conn: &mut SqliteConnection,
        numbers: impl Iterator<Item = i64>,
    ) -> Result<(), StoreError> {
        if self.0.len() > MAX_NAMES_KEPT {
            self.0.clear();
        }
        let unknown: BTreeSet<i64> = numbers.filter(|no| !self.0.contains_key(no)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let list = unknown.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let names: Vec<(i64, String)> =
            sql::<(BigInt, Text)>("SELECT no, name FROM products WHERE no IN (SELECT value FROM json_each(?))")
                .text(&format!("[{list}]"))
                .load(conn)?;
        self.0.extend(names.into_iter().map(|(no, name)| (no, name.into())));
        Ok(())
    }

    /// The name of a product that was read.
    pub(super) fn name(&self, no: i64) -> Result<&Arc<str>, StoreError> {
        self.0
            .get(&no)
            .ok_or_else(|| StoreError::nonsense(format!("no product {no}")))
    }
}

/// The fingerprint of the names that products have here under the numbers of these spans.
pub(super) fn fingerprint_of(conn: &mut SqliteConnection, spans: &[Span]) -> Result<Fingerprint, StoreError> {
    let mut names: Vec<(i64, String)> = Vec::new();
    for span in spans {
        let some: Vec<(i64, String)> =
            sql::<(BigInt, Text)>("SELECT no, name FROM products WHERE no BETWEEN ? AND ? ORDER BY no")
                .int(span.first.into())
                .int(span.last.into())
                .load(conn)?;
        names.extend(some);
    }
    Ok(fingerprint(names.iter().filter_map(|(no, name)| {
        Some((ProductNo::try_from(*no).ok()?, name.as_str()))
    })))
}

/// The number of a region, which is noted if it is new.
pub(super) fn region(conn: &mut SqliteConnection, name: &str, sale: i64) -> Result<i64, StoreError> {
    Ok(sql::<BigInt>(
        "INSERT INTO regions (name, last_sold) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET last_sold = max(last_sold, excluded.last_sold) RETURNING no",
    )
    .text(name)
    .int(sale)
    .get_result(conn)?)
}

/// The name of a region that has this number.
pub(super) fn region_name(conn: &mut SqliteConnection, no: i64) -> Result<String, StoreError> {
    Ok(sql::<Text>("SELECT name FROM regions WHERE no = ?")
        .int(no)
        .get_result(conn)?)
}
