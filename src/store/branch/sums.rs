//! Totals of what a filter shows, of days and of hours.
//!
//! SQLite turns a sum that passes 64 bits into an error or a float, so money is summed in two parts and put together here.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::filter::Condition;
use super::kept::Kept;
use super::statement::sql;
use super::{BranchDb, values};
use crate::domain::money::MoneySum;
use crate::domain::read::{Filter, Totals};
use crate::store::StoreError;

const PART: i128 = 1_000_000;

/// The columns of [`SumsRecord`], over rows `s`.
pub(super) const COLUMNS: &str = "count(*), count(*) FILTER (WHERE s.deleted_at IS NULL), \
    coalesce(sum(s.qty) FILTER (WHERE s.deleted_at IS NULL), 0), \
    coalesce(sum(s.amount / 1000000) FILTER (WHERE s.deleted_at IS NULL), 0), coalesce(sum(s.amount % 1000000) FILTER (WHERE s.deleted_at IS NULL), 0), \
    coalesce(sum(s.tax / 1000000) FILTER (WHERE s.deleted_at IS NULL), 0), coalesce(sum(s.tax % 1000000) FILTER (WHERE s.deleted_at IS NULL), 0)";

pub(super) type SumsSql = (BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt);
pub(super) type SumsRecord = (i64, i64, i64, i64, i64, i64, i64);

pub(super) fn totals(record: SumsRecord) -> Result<Totals, StoreError> {
    let (rows, sales, qty, amount, amount_rest, tax, tax_rest) = record;
    Ok(Totals {
        rows: values::natural(rows)?,
        sales: values::natural(sales)?,
        qty: values::natural(qty)?.into(),
        amount: whole(amount, amount_rest),
        tax: whole(tax, tax_rest),
    })
}

/// A sum from the sum of its millions and the sum of what was left over.
pub(super) fn whole(millions: i64, rest: i64) -> MoneySum {
    MoneySum(i128::from(millions) * PART + i128::from(rest))
}

impl BranchDb {
    /// Totals of what a filter shows.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn totals(&mut self, filter: &Filter) -> Result<Totals, StoreError> {
        if filter.is_empty() {
            let kept = Kept::load(&mut self.conn)?;
            return Ok(Totals {
                rows: values::natural(kept.rows)?,
                sales: values::natural(kept.sales)?,
                qty: kept.qty.unsigned_abs(),
                amount: kept.amount,
                tax: kept.tax,
            });
        }
        let condition = Condition::of(filter);
        let statement = sql::<SumsSql>(format!("SELECT {COLUMNS} FROM sales s WHERE {}", condition.sql()));
        totals(statement.values(condition.values()).get_result(&mut self.conn)?)
    }

    /// Totals of each business day on which a filter shows sales, first day first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn days(&mut self, filter: &Filter) -> Result<Vec<(NaiveDate, Totals)>, StoreError> {
        self.grouped("substr(s.date, 1, 10)", filter)?
            .into_iter()
            .map(|(day, record)| Ok((values::day(&day)?, totals(record)?)))
            .collect()
    }

    /// Totals of each hour of the day in which a filter shows sales, first hour first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn hours(&mut self, filter: &Filter) -> Result<Vec<(u32, Totals)>, StoreError> {
        self.grouped("substr(s.date, 12, 2)", filter)?
            .into_iter()
            .map(|(hour, record)| {
                let hour = hour
                    .parse()
                    .map_err(|_| StoreError::nonsense(format!("the hour `{}`", hour.escape_default())))?;
                Ok((hour, totals(record)?))
            })
            .collect()
    }

    fn grouped(&mut self, group: &str, filter: &Filter) -> Result<Vec<(String, SumsRecord)>, StoreError> {
        let condition = Condition::of(filter);
        let statement = sql::<(Text, SumsSql)>(format!(
            "SELECT {group}, {COLUMNS} FROM sales s WHERE {} GROUP BY 1 ORDER BY 1",
            condition.sql()
        ));
        Ok(statement.values(condition.values()).load(&mut self.conn)?)
    }
}
