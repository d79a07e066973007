//! Products by the code that a scanner reads.

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::schema::product_codes;
use super::{BranchDb, values};
use crate::domain::read::ProductCode;
use crate::store::{StoreError, transaction};

impl BranchDb {
    /// Notes products by their codes, each in place of what its code stood for before; returns how many.
    ///
    /// # Errors
    /// When the database can't be written; then none is noted.
    pub fn import_products(&mut self, rows: &[ProductCode]) -> Result<u64, StoreError> {
        transaction::immediate(&mut self.conn, |conn| {
            for row in rows {
                diesel::insert_into(product_codes::table)
                    .values((
                        product_codes::code.eq(&row.code),
                        product_codes::name.eq(&row.name),
                        product_codes::cost.eq(row.cost.units()),
                    ))
                    .on_conflict(product_codes::code)
                    .do_update()
                    .set((
                        product_codes::name.eq(excluded(product_codes::name)),
                        product_codes::cost.eq(excluded(product_codes::cost)),
                    ))
                    .execute(conn)?;
            }
            Ok(rows.len() as u64)
        })
    }

    /// What a code stands for.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn product_by_code(&mut self, code: &str) -> Result<Option<ProductCode>, StoreError> {
        let record: Option<(String, String, i64)> = product_codes::table.find(code).first(&mut self.conn).optional()?;
        record
            .map(|(code, name, cost)| {
                Ok(ProductCode {
                    code,
                    name,
                    cost: values::money(cost)?,
                })
            })
            .transpose()
    }

    /// Whether any product is known by a code, so that there is something to scan.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn knows_products(&mut self) -> Result<bool, StoreError> {
        let any: Option<String> = product_codes::table
            .select(product_codes::code)
            .first(&mut self.conn)
            .optional()?;
        Ok(any.is_some())
    }
}
