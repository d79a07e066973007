//! Ways out: sales that were refused, are in conflict or are to go once more, back into the outbox.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::ages::{MINUTE, MinuteSql};
use super::filter::{Condition, in_state};
use super::kept::Kept;
use super::place::Place;
use super::statement::sql;
use super::sums::whole;
use super::till::{ChangeError, supersede};
use super::values::{self, DateRead};
use super::{BranchDb, log, place, sales};
use crate::domain::event::LogEvent;
use crate::domain::ids::SaleId;
use crate::domain::money::MoneySum;
use crate::domain::read::Filter;
use crate::domain::sale::Sale;
use crate::domain::sync_state::{SyncKind, SyncState};
use crate::domain::time::UtcMillis;
use crate::protocol::verdict;
use crate::store::StoreError;

/// How the operator ends a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// What HQ holds is right: it becomes ours.
    TakeHq,
    /// Ours is right: it goes to HQ as a revision above both.
    KeepMine,
}

/// How long a sale that was refused for its date waits before it is tried again, in milliseconds.
const REFUSED_AGAIN_MS: i64 = 24 * 3_600_000;

/// A transaction that has sales go again looks at so many ids, so that the till need not wait for it.
pub(super) const IDS_AT_ONCE: i64 = 2_000;

impl BranchDb {
    /// Has a sale that HQ refused wait once more, as it is. `false`: it is not one that HQ refused.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn retry(&mut self, id: SaleId, now: UtcMillis) -> Result<bool, StoreError> {
        let mut which = Which::all();
        which.and_int("s.id = ?", id.get());
        Ok(self.retry_refused(&which, now)? > 0)
    }

    /// Has all sales that the filter shows and HQ refused wait once more; returns how many.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn retry_all(&mut self, filter: &Filter, now: UtcMillis) -> Result<u64, StoreError> {
        self.retry_refused(&Condition::of(filter), now)
    }

    fn retry_refused(&mut self, which: &Which, now: UtcMillis) -> Result<u64, StoreError> {
        self.write(|conn, kept| {
            let sales = release(conn, kept, SyncKind::Rejected, which)?;
            if sales > 0 {
                log::write(conn, LogEvent::Resent { sales }, now)?;
            }
            Ok(sales)
        })
    }

    /// Ends a conflict.
    ///
    /// # Errors
    /// When there is no such sale, when it is in no conflict any more, or when the database can't be written.
    pub fn resolve(&mut self, id: SaleId, choice: Choice, now: UtcMillis) -> Result<Sale, ChangeError> {
        self.write(|conn, kept| {
            let (mine, place) = place::find(conn, id)?.ok_or(ChangeError::NoSuchSale(id))?;
            let Place::Held {
                state: SyncState::Conflict { held: revision },
                ..
            } = place
            else {
                // Somebody else has ended it, in one way or the other.
                return Err(ChangeError::Moved { now: Box::new(mine) });
            };
            let mut new = match choice {
                Choice::KeepMine => Sale {
                    revision: verdict::above(mine.revision, revision),
                    updated_at: now,
                    ..mine.clone()
                },
                Choice::TakeHq => at_hq(conn, &mine)?.ok_or_else(|| {
                    ChangeError::Store(StoreError::nonsense(format!(
                        "a conflict of sale {id} without HQ's sale"
                    )))
                })?,
            };
            new.ledger = mine.ledger;
            supersede(conn, kept, &mine, &place, &new)?;
            log::write(conn, LogEvent::Edited(id, new.revision), now)?;
            Ok(new)
        })
    }

    /// Has sales of these days that HQ has acknowledged go once more; it can do no harm. Returns how many. The till gets its turn in between.
    ///
    /// # Errors
    /// When the database can't be written; some of the sales may be on their way then.
    pub fn resend(
        &mut self,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        now: UtcMillis,
    ) -> Result<u64, StoreError> {
        let filter = Filter {
            from,
            to,
            state: Some(SyncKind::Acked),
            ..Filter::default()
        };
        let highest = sales::highest_id(&mut self.conn)?;
        let mut resent = 0;
        let mut first = 1;
        while first <= highest {
            let mut which = Condition::of(&filter);
            which.and_int("s.id >= ?", first);
            which.and_int("s.id < ?", first + IDS_AT_ONCE);
            let is_last = first + IDS_AT_ONCE > highest;
            resent += self.write(|conn, kept| {
                sql::<()>(format!(
                    "INSERT INTO temp.coming_back (id, last_acked) SELECT s.id, s.revision FROM sales s WHERE {}",
                    which.sql()
                ))
                .values(which.values())
                .execute(conn)?;
                let sales = bring_back(conn, kept)?;
                if is_last && resent + sales > 0 {
                    log::write(conn, LogEvent::Resent { sales: resent + sales }, now)?;
                }
                Ok::<_, StoreError>(sales)
            })?;
            first += IDS_AT_ONCE;
        }
        Ok(resent)
    }
}

/// Which held sales: a condition on `s`.
pub(super) type Which = Condition;

impl Which {
    pub(super) fn all() -> Self {
        Self::default()
    }
}

/// Moves held sales of one state to the outbox; returns how many.
pub(super) fn release(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    state: SyncKind,
    which: &Which,
) -> Result<u64, StoreError> {
    let (condition, in_state) = (which.sql(), in_state(state));
    sql::<()>(format!(
        "INSERT INTO temp.coming_back (id, last_acked) SELECT s.id, held.last_acked FROM held CROSS JOIN sales s ON s.id = held.id WHERE {in_state} AND {condition}"
    ))
    .values(which.values())
    .execute(conn)?;
    sql::<()>("DELETE FROM held WHERE id IN (SELECT id FROM temp.coming_back)").execute(conn)?;
    let (rows, money) = pour_out(conn, kept)?;
    kept.shift(state, SyncKind::Pending, rows, money);
    values::natural(rows)
}

/// Refusals that pass with time, each once a day.
pub(super) fn retry_passing(conn: &mut SqliteConnection, kept: &mut Kept, now: UtcMillis) -> Result<u64, StoreError> {
    let mut which = Which::all();
    which.and_text("held.refusal = ?", values::DATE_AHEAD.into());
    which.and_int("held.held_at <= ?", now.0.saturating_sub(REFUSED_AGAIN_MS));
    release(conn, kept, SyncKind::Rejected, &which)
}

/// Moves the gathered sales that are at HQ back to the outbox; the others of them stay where they are. Returns how many moved.
pub(super) fn bring_back(conn: &mut SqliteConnection, kept: &mut Kept) -> Result<u64, StoreError> {
    sql::<()>(format!(
        "DELETE FROM temp.coming_back WHERE id IN (SELECT s.id FROM temp.coming_back c CROSS JOIN sales s ON s.id = c.id WHERE NOT ({}))",
        in_state(SyncKind::Acked)
    ))
    .execute(conn)?;
    let (rows, money) = pour_out(conn, kept)?;
    kept.enter(SyncKind::Pending, rows, money);
    values::natural(rows)
}

/// Puts the gathered sales into the outbox as ones that were never tried; returns how many they are and what they are worth.
fn pour_out(conn: &mut SqliteConnection, kept: &mut Kept) -> Result<(i64, MoneySum), StoreError> {
    let (rows, millions, rest): (i64, i64, i64) = sql::<(BigInt, BigInt, BigInt)>(
        "SELECT count(*), coalesce(sum(s.total / 1000000), 0), coalesce(sum(s.total % 1000000), 0) FROM ( \
           SELECT CASE WHEN s.deleted_at IS NULL THEN s.total ELSE 0 END AS total FROM temp.coming_back c CROSS JOIN sales s ON s.id = c.id) s",
    )
    .get_result(conn)?;
    let minutes = sql::<MinuteSql>(format!(
        "SELECT {MINUTE} FROM temp.coming_back c CROSS JOIN sales s ON s.id = c.id GROUP BY 1"
    ));
    kept.ages.enter_all(minutes.load(conn)?);
    sql::<()>(
        "INSERT INTO outbox (day, id, revision, last_acked) \
         SELECT substr(s.date, 1, 10), s.id, s.revision, c.last_acked FROM temp.coming_back c CROSS JOIN sales s ON s.id = c.id",
    )
    .execute(conn)?;
    sql::<()>("DELETE FROM temp.coming_back").execute(conn)?;
    Ok((rows, whole(millions, rest)))
}

/// What HQ holds for a sale that is in conflict.
pub(super) fn at_hq(conn: &mut SqliteConnection, mine: &Sale) -> Result<Option<Sale>, StoreError> {
    use super::schema::held;
    type Record = (
        Option<i64>,
        Option<DateRead>,
        Option<String>,
        Option<String>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
    );
    let record: Option<Record> = held::table
        .find(mine.id.get())
        .select((
            held::hq_revision,
            held::hq_date,
            held::hq_product,
            held::hq_region,
            held::hq_qty,
            held::hq_cost,
            held::hq_tax,
            held::hq_created_at,
            held::hq_updated_at,
            held::hq_deleted_at,
        ))
        .first(conn)
        .optional()?;
    let Some((
        Some(revision),
        Some(date),
        Some(product),
        Some(region),
        Some(qty),
        Some(cost),
        Some(tax),
        Some(created_at),
        Some(updated_at),
        deleted_at,
    )) = record
    else {
        return Ok(None);
    };
    Ok(Some(Sale {
        id: mine.id,
        ledger: mine.ledger,
        revision: values::revision(revision)?,
        content: sales::content(date, product.into(), region.into(), qty, cost, tax)?,
        created_at: UtcMillis(created_at),
        updated_at: UtcMillis(updated_at),
        deleted_at: deleted_at.map(UtcMillis),
    }))
}
