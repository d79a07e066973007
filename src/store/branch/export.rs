//! All sales, or those of some days, handed out one by one.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::filter::Condition;
use super::statement::sql;
use super::{BranchDb, place};
use crate::domain::read::{Filter, SaleRow};
use crate::store::StoreError;

/// So many sales are read in one transaction; none stays open while they are written.
const ROWS_A_PAGE: i64 = 1_000;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The sales could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sales could not be written to where they go.
    #[error("the sales could not be written out")]
    Write(#[from] std::io::Error),
}

impl BranchDb {
    /// Hands each sale of these days to `each`, by number; returns how many. Each sale is handed out once, as it is when its turn comes.
    ///
    /// # Errors
    /// When the database can't be read, or `each` fails.
    pub fn export(
        &mut self,
        from: Option<chrono::NaiveDate>,
        to: Option<chrono::NaiveDate>,
        each: &mut dyn FnMut(SaleRow) -> std::io::Result<()>,
    ) -> Result<u64, ExportError> {
        let filter = Filter {
            from,
            to,
            ..Filter::default()
        };
        let (mut last, mut exported) = (0, 0);
        loop {
            let rows = self.conn.transaction(|conn| rows_after(conn, &filter, last))?;
            let Some(end) = rows.last() else {
                return Ok(exported);
            };
            last = end.sale.id.get();
            exported += rows.len() as u64;
            rows.into_iter().try_for_each(&mut *each)?;
        }
    }
}

fn rows_after(conn: &mut SqliteConnection, filter: &Filter, last: i64) -> Result<Vec<SaleRow>, StoreError> {
    let condition = Condition::on_walk(filter, false);
    let ids: Vec<i64> = sql::<BigInt>(format!(
        "SELECT s.id FROM sales s WHERE s.id > ? AND {} ORDER BY s.id LIMIT ?",
        condition.sql()
    ))
    .int(last)
    .values(condition.values())
    .int(ROWS_A_PAGE)
    .load(conn)?;
    place::rows(conn, &ids)
}
