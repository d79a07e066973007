//! Batches as rows: one row for each, and one for each run of neighbouring sales in it.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::super::schema::batches;
use super::super::statement::{Value, sql};
use super::super::values;
use crate::domain::event::Sales;
use crate::domain::ids::BatchId;
use crate::domain::money::MoneySum;
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::protocol::journal::Outline;
use crate::store::StoreError;

/// The life of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum BatchState {
    /// Leased to the running worker: its rows are sent.
    Open,
    /// The broker has it and HQ is silent: its rows are pending, but do not go again.
    Parked,
    /// Given up: its rows are back in the outbox. A late receipt still counts.
    Dissolved,
    /// HQ's receipt has been taken in.
    Answered,
    /// HQ's receipt counts no longer: HQ's database has lost what it says.
    Forgotten,
}

impl BatchState {
    const WORDS: [(Self, &'static str); 5] = [
        (Self::Open, "open"),
        (Self::Parked, "parked"),
        (Self::Dissolved, "dissolved"),
        (Self::Answered, "answered"),
        (Self::Forgotten, "forgotten"),
    ];

    fn read(word: &str) -> Result<Self, StoreError> {
        let known = Self::WORDS.iter().find(|(_, known)| *known == word);
        known
            .map(|(state, _)| *state)
            .ok_or_else(|| StoreError::nonsense(format!("a batch that is `{}`", word.escape_default())))
    }

    /// The state of the rows that have their place in such a batch; `None`: no row has.
    pub(in super::super) const fn of_rows(self) -> Option<SyncKind> {
        match self {
            Self::Open => Some(SyncKind::Sent),
            Self::Parked => Some(SyncKind::Pending),
            Self::Dissolved | Self::Answered | Self::Forgotten => None,
        }
    }
}

/// One batch, as far as its steps need it.
#[derive(Debug, Clone)]
pub(in super::super) struct StoredBatch {
    pub(in super::super) no: i64,
    pub(in super::super) id: BatchId,
    pub(in super::super) ledger_no: i64,
    pub(in super::super) made_at: UtcMillis,
    pub(in super::super) attempt: i64,
    pub(in super::super) row_count: i64,
    pub(in super::super) first_id: i64,
    pub(in super::super) last_id: i64,
    /// How many rows have their place here, and what they are worth.
    pub(in super::super) live: i64,
    pub(in super::super) live_total: MoneySum,
    pub(in super::super) counted: u64,
    pub(in super::super) cap: Option<i64>,
    pub(in super::super) state: BatchState,
    pub(in super::super) confirmed_by: Option<String>,
}

impl StoredBatch {
    pub(in super::super) fn sales(&self) -> Result<Sales, StoreError> {
        Ok(Sales {
            count: values::count(self.row_count)?,
            first: values::sale_id(self.first_id)?,
            last: values::sale_id(self.last_id)?,
        })
    }

    pub(in super::super) fn outline(&self) -> Result<Outline, StoreError> {
        Ok(Outline {
            id: self.id,
            sales: self.sales()?,
            attempt: values::count(self.attempt)?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = batches)]
struct BatchRecord {
    no: i64,
    batch: Vec<u8>,
    ledger_no: i64,
    made_at: i64,
    attempt: i64,
    row_count: i64,
    first_id: i64,
    last_id: i64,
    live: i64,
    live_total: i64,
    counted: i64,
    cap: Option<i64>,
    state: String,
    confirmed_by: Option<String>,
}

impl BatchRecord {
    fn read(self) -> Result<StoredBatch, StoreError> {
        Ok(StoredBatch {
            no: self.no,
            id: BatchId::from_bytes(values::bytes(&self.batch)?),
            ledger_no: self.ledger_no,
            made_at: UtcMillis(self.made_at),
            attempt: self.attempt,
            row_count: self.row_count,
            first_id: self.first_id,
            last_id: self.last_id,
            live: self.live,
            live_total: MoneySum(self.live_total.into()),
            counted: values::natural(self.counted)?,
            cap: self.cap,
            state: BatchState::read(&self.state)?,
            confirmed_by: self.confirmed_by,
        })
    }
}

pub(in super::super) fn find(conn: &mut SqliteConnection, id: BatchId) -> Result<Option<StoredBatch>, StoreError> {
    let record: Option<BatchRecord> = batches::table
        .filter(batches::batch.eq(id.as_bytes().as_slice()))
        .select(BatchRecord::as_select())
        .get_result(conn)
        .optional()?;
    record.map(BatchRecord::read).transpose()
}

/// The batches that are out, oldest first.
pub(super) fn live(conn: &mut SqliteConnection) -> Result<Vec<StoredBatch>, StoreError> {
    // Not with the query builder, whose IN has values where the partial index wants to see the words.
    let nos: Vec<i64> =
        sql::<BigInt>("SELECT no FROM batches WHERE state IN ('open', 'parked') ORDER BY no").load(conn)?;
    let records: Vec<BatchRecord> = batches::table
        .filter(batches::no.eq_any(nos))
        .order(batches::no)
        .select(BatchRecord::as_select())
        .load(conn)?;
    records.into_iter().map(BatchRecord::read).collect()
}

/// Neighbouring rows of a batch at one revision, of which HQ is known to have had one and the same revision before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredRun {
    pub(super) first_id: i64,
    pub(super) count: i64,
    pub(super) revision: i64,
    pub(super) last_acked: i64,
}

impl StoredRun {
    /// Adds a row to the runs of a batch, as part of the last one if it goes on there.
    pub(super) fn push(runs: &mut Vec<Self>, id: i64, revision: i64, last_acked: i64) {
        match runs.last_mut() {
            Some(run) if run.first_id + run.count == id && run.revision == revision && run.last_acked == last_acked => {
                run.count += 1;
            }
            _ => runs.push(Self {
                first_id: id,
                count: 1,
                revision,
                last_acked,
            }),
        }
    }
}

pub(super) fn runs(conn: &mut SqliteConnection, no: i64) -> Result<Vec<StoredRun>, StoreError> {
    let records: Vec<(i64, i64, i64, i64)> = sql::<(BigInt, BigInt, BigInt, BigInt)>(
        "SELECT first_id, count, revision, last_acked FROM batch_runs WHERE batch_no = ? ORDER BY first_id",
    )
    .int(no)
    .load(conn)?;
    let run = |(first_id, count, revision, last_acked)| StoredRun {
        first_id,
        count,
        revision,
        last_acked,
    };
    Ok(records.into_iter().map(run).collect())
}

pub(super) fn insert_runs(conn: &mut SqliteConnection, no: i64, runs: &[StoredRun]) -> Result<(), StoreError> {
    const ROWS_A_STATEMENT: usize = 100;
    for chunk in runs.chunks(ROWS_A_STATEMENT) {
        let rows = vec!["(?, ?, ?, ?, ?)"; chunk.len()].join(", ");
        sql::<()>(format!(
            "INSERT INTO batch_runs (batch_no, first_id, count, revision, last_acked) VALUES {rows}"
        ))
        .values(chunk.iter().flat_map(|run| {
            [no, run.first_id, run.count, run.revision, run.last_acked].map(|number| Value::Int(Some(number)))
        }))
        .execute(conn)?;
    }
    Ok(())
}
