//! The totals that are kept in the transaction of the rows they count, and the one way to change them.
//!
//! Whoever changes a row says so here: contents come and go, and rows move between sync states. What the numbers are worth is checked by the audit, which
//! makes them again from the rows.

use diesel::prelude::*;

use super::ages::Ages;
use super::schema::totals;
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// The kept totals, as long as a transaction works on them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    pub(super) rows: i64,
    pub(super) sales: i64,
    pub(super) qty: i128,
    pub(super) amount: MoneySum,
    pub(super) tax: MoneySum,
    pub(super) pending: i64,
    pub(super) sent: i64,
    pub(super) rejected: i64,
    pub(super) conflicts: i64,
    /// The money of all rows that are not acked.
    pub(super) ahead: MoneySum,
    /// What the transaction changes of how long the rows of the outbox have waited.
    pub(super) ages: Ages,
}

type TotalsRow = (i64, i64, String, String, String, i64, i64, i64, i64, String);

impl Kept {
    pub(super) fn load(conn: &mut SqliteConnection) -> Result<Self, StoreError> {
        let row: TotalsRow = totals::table
            .select((
                totals::row_count,
                totals::sales,
                totals::qty,
                totals::amount,
                totals::tax,
                totals::pending,
                totals::sent,
                totals::rejected,
                totals::conflicts,
                totals::ahead,
            ))
            .get_result(conn)?;
        let (rows, sales, qty, amount, tax, pending, sent, rejected, conflicts, ahead) = row;
        Ok(Self {
            rows,
            sales,
            qty: sum(&qty)?,
            amount: MoneySum(sum(&amount)?),
            tax: MoneySum(sum(&tax)?),
            pending,
            sent,
            rejected,
            conflicts,
            ahead: MoneySum(sum(&ahead)?),
            ages: Ages::default(),
        })
    }

    pub(super) fn save(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        super::statement::sql::<()>(
            "UPDATE totals SET row_count = ?, sales = ?, qty = ?, amount = ?, tax = ?, pending = ?, sent = ?, rejected = ?, conflicts = ?, ahead = ?",
        )
        .int(self.rows)
        .int(self.sales)
        .text(&self.qty.to_string())
        .text(&self.amount.0.to_string())
        .text(&self.tax.0.to_string())
        .int(self.pending)
        .int(self.sent)
        .int(self.rejected)
        .int(self.conflicts)
        .text(&self.ahead.0.to_string())
        .execute(conn)?;
        self.ages.save(conn, self.pending == 0)
    }

    /// How many rows are in a state.
    pub(super) const fn in_state(&self, state: SyncKind) -> i64 {
        match state {
            SyncKind::Pending => self.pending,
            SyncKind::Sent => self.sent,
            SyncKind::Rejected => self.rejected,
            SyncKind::Conflict => self.conflicts,
            SyncKind::Acked => self.rows - self.pending - self.sent - self.rejected - self.conflicts,
        }
    }

    /// A row has this content now.
    pub(super) fn add(&mut self, sale: &Sale) {
        self.rows += 1;
        if !sale.is_void() {
            self.sales += 1;
            self.qty += i128::from(sale.content.qty);
            self.amount += sale.content.amount().into();
            self.tax += sale.content.tax.into();
        }
    }

    /// A row no longer has this content.
    pub(super) fn remove(&mut self, sale: &Sale) {
        self.rows -= 1;
        if !sale.is_void() {
            self.sales -= 1;
            self.qty -= i128::from(sale.content.qty);
            self.amount -= sale.content.amount().into();
            self.tax -= sale.content.tax.into();
        }
    }

    /// Rows that were last written then and are worth this much wait in the outbox now.
    pub(super) fn waits(&mut self, written_at: UtcMillis, rows: i64, money: MoneySum) {
        self.enter(SyncKind::Pending, rows, money);
        self.ages.enter(written_at, rows);
    }

    /// A row that was last written then and is worth this much waits in the outbox no longer.
    pub(super) fn waits_no_longer(&mut self, written_at: UtcMillis, money: MoneySum) {
        self.leave(SyncKind::Pending, 1, money);
        self.ages.leave(written_at);
    }

    /// Rows worth this much are in this state now.
    pub(super) fn enter(&mut self, state: SyncKind, rows: i64, money: MoneySum) {
        if let Some(count) = self.count(state) {
            *count += rows;
            self.ahead += money;
        }
    }

    /// Rows worth this much are no longer in this state.
    pub(super) fn leave(&mut self, state: SyncKind, rows: i64, money: MoneySum) {
        if let Some(count) = self.count(state) {
            *count -= rows;
            self.ahead -= money;
        }
    }

    /// Rows worth this much have gone from one state to another.
    pub(super) fn shift(&mut self, from: SyncKind, to: SyncKind, rows: i64, money: MoneySum) {
        self.leave(from, rows, money);
        self.enter(to, rows, money);
    }

    /// What is acked is not counted: it is the rest.
    const fn count(&mut self, state: SyncKind) -> Option<&mut i64> {
        match state {
            SyncKind::Pending => Some(&mut self.pending),
            SyncKind::Sent => Some(&mut self.sent),
            SyncKind::Rejected => Some(&mut self.rejected),
            SyncKind::Conflict => Some(&mut self.conflicts),
            SyncKind::Acked => None,
        }
    }
}

fn sum(text: &str) -> Result<i128, StoreError> {
    text.parse()
        .map_err(|_| StoreError::nonsense(format!("the total `{}`", text.escape_default())))
}
