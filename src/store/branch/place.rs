//! Where the newest revision of one sale is: in the outbox, in a live batch, held for a person, or at HQ; and how one sale moves.
//!
//! Thousands at a time move by the set-based statements of [`super::journal`]; the rules are the same, and the audit holds both to them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::kept::Kept;
use super::statement::sql;
use super::values;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::read::SaleRow;
use crate::domain::sale::Sale;
use crate::domain::sync_state::SyncState;
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// No batch has more rows, so no run is longer: what looks for the runs that name a sale need not look further back.
pub(super) use crate::protocol::message::MAX_BATCH_ROWS;

/// Where the newest revision of a sale is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Outbox {
        attempt: u32,
        last_acked: i64,
        counted: bool,
    },
    Batch(LiveBatch),
    Held {
        state: SyncState,
        last_acked: i64,
    },
    AtHq,
}

/// A batch that is out, as one of its rows sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveBatch {
    no: i64,
    open: bool,
    made_at: UtcMillis,
    attempt: u32,
    last_acked: i64,
}

impl Place {
    pub(super) fn state(&self) -> SyncState {
        match self {
            Self::Outbox { attempt, .. } => SyncState::Pending { tries: *attempt },
            Self::Batch(batch) if batch.open => SyncState::Sent { since: batch.made_at },
            Self::Batch(batch) => SyncState::Pending { tries: batch.attempt },
            Self::Held { state, .. } => state.clone(),
            Self::AtHq => SyncState::Acked,
        }
    }

    /// The newest revision that HQ is known to have had of a sale that is at `revision` here; zero if none.
    pub(super) fn last_acked(&self, revision: Revision) -> i64 {
        match self {
            Self::Outbox { last_acked, .. } | Self::Held { last_acked, .. } => *last_acked,
            Self::Batch(batch) => batch.last_acked,
            Self::AtHq => i64::from(revision.get()),
        }
    }
}

/// A sale and where it is.
pub(super) fn find(conn: &mut SqliteConnection, id: SaleId) -> Result<Option<(Sale, Place)>, StoreError> {
    let Some(sale) = super::sales::find(conn, id)? else {
        return Ok(None);
    };
    let place = of(conn, &sale)?;
    Ok(Some((sale, place)))
}

/// A sale as a table shows it.
pub(super) fn row(conn: &mut SqliteConnection, id: SaleId) -> Result<Option<SaleRow>, StoreError> {
    Ok(find(conn, id)?.map(|(sale, place)| SaleRow {
        sync: place.state(),
        sale,
    }))
}

/// The sales with these ids, in this order.
pub(super) fn rows(conn: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<SaleRow>, StoreError> {
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(row(conn, values::sale_id(*id)?)?);
    }
    Ok(rows)
}

/// Where a sale is; `sale` is its newest revision.
pub(super) fn of(conn: &mut SqliteConnection, sale: &Sale) -> Result<Place, StoreError> {
    let waiting =
        sql::<(BigInt, BigInt, Bool)>("SELECT attempt, last_acked, counted FROM outbox WHERE day = ? AND id = ?")
            .text(&day(sale))
            .int(sale.id.get())
            .get_result::<(i64, i64, bool)>(conn)
            .optional()?;
    if let Some((attempt, last_acked, counted)) = waiting {
        return Ok(Place::Outbox {
            attempt: values::count(attempt)?,
            last_acked,
            counted,
        });
    }
    let held = sql::<(Nullable<Text>, Nullable<BigInt>, Nullable<BigInt>, BigInt)>(
        "SELECT refusal, refusal_days, hq_revision, last_acked FROM held WHERE id = ?",
    )
    .int(sale.id.get())
    .get_result::<(Option<String>, Option<i64>, Option<i64>, i64)>(conn)
    .optional()?;
    if let Some((refusal, days, hq_revision, last_acked)) = held {
        let state = held_state(refusal.as_deref(), days, hq_revision)?;
        return Ok(Place::Held { state, last_acked });
    }
    Ok(live_batch(conn, sale.id, sale.revision)?.map_or(Place::AtHq, Place::Batch))
}

pub(super) fn held_state(
    refusal: Option<&str>,
    days: Option<i64>,
    hq_revision: Option<i64>,
) -> Result<SyncState, StoreError> {
    match refusal {
        Some(word) => Ok(SyncState::Rejected(values::refusal(word, days)?)),
        None => Ok(SyncState::Conflict {
            held: values::revision(hq_revision.unwrap_or_default())?,
        }),
    }
}

/// The batch that is out with this revision of this sale. In a batch runs don't overlap, so only the last one that begins at or before the id can have it.
pub(super) fn live_batch(
    conn: &mut SqliteConnection,
    id: SaleId,
    revision: Revision,
) -> Result<Option<LiveBatch>, StoreError> {
    sql::<(BigInt, Bool, BigInt, BigInt, BigInt)>(
        "SELECT b.no, b.state = 'open', b.made_at, b.attempt, r.last_acked FROM batches b CROSS JOIN batch_runs r \
         WHERE b.state IN ('open', 'parked') AND r.batch_no = b.no \
         AND r.first_id = (SELECT max(x.first_id) FROM batch_runs x WHERE x.batch_no = b.no AND x.first_id <= ?) \
         AND r.first_id + r.count > ? AND r.revision = ?",
    )
    .int(id.get())
    .int(id.get())
    .int(i64::from(revision.get()))
    .get_result::<(i64, bool, i64, i64, i64)>(conn)
    .optional()?
    .map(|(no, open, made_at, attempt, last_acked)| {
        Ok(LiveBatch {
            no,
            open,
            made_at: UtcMillis(made_at),
            attempt: values::count(attempt)?,
            last_acked,
        })
    })
    .transpose()
}

/// Takes a sale out of where it is.
pub(super) fn leave(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    sale: &Sale,
    place: &Place,
) -> Result<(), StoreError> {
    let money = sale.counted_total();
    match place {
        Place::Outbox { counted, .. } => {
            kept.waits_no_longer(sale.updated_at, money);
            if *counted {
                give_count_back(conn, sale)?;
            }
            sql::<()>("DELETE FROM outbox WHERE day = ? AND id = ?")
                .text(&day(sale))
                .int(sale.id.get())
                .execute(conn)?;
        }
        Place::Batch(batch) => {
            kept.leave(place.state().kind(), 1, money);
            let total = i64::try_from(money.0).map_err(|_| StoreError::nonsense(format!("the total {money}")))?;
            sql::<()>("UPDATE batches SET live = live - 1, live_total = live_total - ? WHERE no = ?")
                .int(total)
                .int(batch.no)
                .execute(conn)?;
        }
        Place::Held { .. } => {
            kept.leave(place.state().kind(), 1, money);
            sql::<()>("DELETE FROM held WHERE id = ?")
                .int(sale.id.get())
                .execute(conn)?;
        }
        Place::AtHq => {}
    }
    Ok(())
}

/// Puts the newest revision of a sale into the outbox, as one that was never tried.
pub(super) fn enter_outbox(
    conn: &mut SqliteConnection,
    kept: &mut Kept,
    sale: &Sale,
    last_acked: i64,
) -> Result<(), StoreError> {
    kept.waits(sale.updated_at, 1, sale.counted_total());
    sql::<()>("INSERT INTO outbox (day, id, revision, last_acked) VALUES (?, ?, ?, ?)")
        .text(&day(sale))
        .int(sale.id.get())
        .int(i64::from(sale.revision.get()))
        .int(last_acked)
        .execute(conn)?;
    Ok(())
}

/// A revision that is among the unanswered ones is about to be replaced. HQ may still get it by a batch that was given up: it stays counted there. Where no such
/// batch is, it is counted no longer.
fn give_count_back(conn: &mut SqliteConnection, sale: &Sale) -> Result<(), StoreError> {
    let id = sale.id.get();
    let given = sql::<()>(
        "UPDATE batches SET counted = counted + 1 WHERE no = (SELECT max(b.no) FROM batch_runs r CROSS JOIN batches b \
         WHERE r.first_id BETWEEN ? - ? AND ? AND r.first_id + r.count > ? AND r.revision = ? AND b.no = r.batch_no AND b.state = 'dissolved' \
         AND b.ledger_no = (SELECT no FROM ledgers WHERE ledger = ?))",
    )
    .int(id)
    .int(i64::from(MAX_BATCH_ROWS))
    .int(id)
    .int(id)
    .int(i64::from(sale.revision.get()))
    .blob(sale.ledger.as_bytes())
    .execute(conn)?;
    if given == 0 {
        sql::<()>("UPDATE ledgers SET unanswered = unanswered - 1 WHERE ledger = ?")
            .blob(sale.ledger.as_bytes())
            .execute(conn)?;
    }
    Ok(())
}

fn day(sale: &Sale) -> String {
    sale.content.date.format("%Y-%m-%d").to_string()
}
