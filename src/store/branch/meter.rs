//! The data meter: what the line has carried, by day.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::schema::data_used;
use super::{BranchDb, values};
use crate::domain::line::{DataUsed, Traffic};
use crate::store::StoreError;

impl BranchDb {
    /// What the line has carried on this day, and in its month up to and including it.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn data_used(&mut self, today: NaiveDate) -> Result<DataUsed, StoreError> {
        let today = values::day_text(today);
        let first = format!("{}01", &today[..today.len() - 2]);
        let days: Vec<(String, i64, i64)> = data_used::table
            .filter(data_used::day.between(first, &today))
            .load(&mut self.conn)?;
        let mut used = DataUsed::default();
        for (day, up, down) in days {
            let carried = Traffic {
                up: values::natural(up)?,
                down: values::natural(down)?,
            };
            used.month.up += carried.up;
            used.month.down += carried.down;
            if day == today {
                used.today = carried;
            }
        }
        Ok(used)
    }
}

/// Counts what the line has carried.
pub(super) fn count(conn: &mut SqliteConnection, day: NaiveDate, carried: Traffic) -> Result<(), StoreError> {
    diesel::insert_into(data_used::table)
        .values((
            data_used::day.eq(values::day_text(day)),
            data_used::up.eq(values::stored(carried.up)),
            data_used::down.eq(values::stored(carried.down)),
        ))
        .on_conflict(data_used::day)
        .do_update()
        .set((
            data_used::up.eq(data_used::up + excluded(data_used::up)),
            data_used::down.eq(data_used::down + excluded(data_used::down)),
        ))
        .execute(conn)?;
    Ok(())
}
