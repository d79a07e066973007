//! The branch's log: typed events in rows, the newest few thousand of them.
//!
//! Every program on the database reads the same log. What an event means to a person is said elsewhere.

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::events;
use super::statement::{Value, sql};
use super::{BranchDb, values};
use crate::domain::event::{LogEvent, LogLine, Sales};
use crate::domain::ids::{Revision, SaleId};
use crate::domain::time::UtcMillis;
use crate::store::{StoreError, transaction};

/// How many lines the log keeps at least; those that are older go together, so there may be some dozens more.
pub const MAX_LOG_LINES: i64 = 10_000;
/// How many lines too old to keep are dropped together, so that not every sale that is saved writes to the page of the oldest as well.
pub(super) const DROPPED_TOGETHER: i64 = 64;

/// The columns of one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct EventRow {
    kind: String,
    first_id: Option<i64>,
    last_id: Option<i64>,
    count: Option<i64>,
    number: Option<i64>,
    second_number: Option<i64>,
    word: Option<String>,
    named: Option<Vec<u8>>,
}

impl BranchDb {
    /// Writes a line of the log.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn log(&mut self, event: LogEvent, now: UtcMillis) -> Result<(), StoreError> {
        transaction::immediate(&mut self.conn, |conn| write(conn, event, now))
    }

    /// The newest lines of the log, oldest first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn log_tail(&mut self, limit: u32) -> Result<Vec<LogLine>, StoreError> {
        let mut lines = read(
            events::table
                .order(events::seq.desc())
                .limit(i64::from(limit))
                .load(&mut self.conn)?,
        )?;
        lines.reverse();
        Ok(lines)
    }

    /// The lines behind line `seq`, oldest first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn log_after(&mut self, seq: i64, limit: u32) -> Result<Vec<LogLine>, StoreError> {
        // Not with a LIMIT, whose value would have the statement prepared anew each time; a worker asks with every step.
        let behind = events::table.filter(events::seq.gt(seq)).order(events::seq);
        let lines = behind.load_iter::<StoredEvent, DefaultLoadingMode>(&mut self.conn)?;
        read(lines.take(limit as usize).collect::<QueryResult<_>>()?)
    }
}

/// Writes a line, and now and then drops those that are too old to keep.
pub(super) fn write(conn: &mut SqliteConnection, event: LogEvent, now: UtcMillis) -> Result<(), StoreError> {
    let row = columns(event);
    let seq: i64 = sql::<BigInt>(
        "INSERT INTO events (at, kind, first_id, last_id, count, number, second_number, word, named) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
    )
    .int(now.0)
    .text(&row.kind)
    .maybe(row.first_id)
    .maybe(row.last_id)
    .maybe(row.count)
    .maybe(row.number)
    .maybe(row.second_number)
    .value(row.word.as_deref().map_or(Value::Int(None), Value::Text))
    .value(row.named.as_deref().map_or(Value::Int(None), Value::Blob))
    .get_result(conn)?;
    if seq % DROPPED_TOGETHER == 0 {
        sql::<()>("DELETE FROM events WHERE seq <= ?")
            .int(seq - MAX_LOG_LINES)
            .execute(conn)?;
    }
    Ok(())
}

type StoredEvent = (
    i64,
    i64,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<Vec<u8>>,
);

fn read(rows: Vec<StoredEvent>) -> Result<Vec<LogLine>, StoreError> {
    rows.into_iter()
        .map(
            |(seq, at, kind, first_id, last_id, count, number, second_number, word, named)| {
                let row = EventRow {
                    kind,
                    first_id,
                    last_id,
                    count,
                    number,
                    second_number,
                    word,
                    named,
                };
                Ok(LogLine {
                    seq,
                    at: UtcMillis(at),
                    event: event(&row)?,
                })
            },
        )
        .collect()
}

fn columns(event: LogEvent) -> EventRow {
    let kind = |kind: &str| EventRow {
        kind: kind.into(),
        ..EventRow::default()
    };
    let about = |word: &str, sales: Sales| EventRow {
        first_id: Some(sales.first.get()),
        last_id: Some(sales.last.get()),
        count: Some(i64::from(sales.count)),
        ..kind(word)
    };
    let written = |word: &str, id: SaleId, revision: Revision| EventRow {
        first_id: Some(id.get()),
        number: Some(i64::from(revision.get())),
        ..kind(word)
    };
    let counted = |word: &str, sales: u64| EventRow {
        number: Some(values::stored(sales)),
        ..kind(word)
    };
    match event {
        LogEvent::Saved(id) => written("saved", id, Revision::FIRST),
        LogEvent::Edited(id, revision) => written("edited", id, revision),
        LogEvent::Voided(id, revision) => written("voided", id, revision),
        LogEvent::Imported { sales } => about("imported", sales),
        LogEvent::LinkUp => kind("link-up"),
        LogEvent::LineRests => kind("line-rests"),
        LogEvent::HoursOver => kind("hours-over"),
        LogEvent::LinkDown { trouble, retry_s } => EventRow {
            word: Some(values::trouble_word(trouble).into()),
            number: Some(i64::from(retry_s)),
            ..kind("link-down")
        },
        LogEvent::BrokerBlocked => kind("broker-blocked"),
        LogEvent::Stored { sales, took_ms } => EventRow {
            number: Some(i64::from(took_ms)),
            ..about("stored", sales)
        },
        LogEvent::TimedOut {
            sales,
            after_s,
            next_try,
            retry_s,
        } => EventRow {
            number: Some(i64::from(after_s)),
            second_number: Some(i64::from(next_try)),
            word: retry_s.map(|seconds| seconds.to_string()),
            ..about("timed-out", sales)
        },
        LogEvent::Refused(id, refusal) => {
            let (word, days) = values::refusal_word(&refusal);
            EventRow {
                first_id: Some(id.get()),
                word: Some(word.into()),
                number: days,
                ..kind("refused")
            }
        }
        LogEvent::Conflicted(id) => written("conflicted", id, Revision::FIRST),
        LogEvent::Unreadable { sales } => about("unreadable", sales),
        LogEvent::HqAnswered { skew_ms } => EventRow {
            number: Some(skew_ms),
            ..kind("hq-answered")
        },
        LogEvent::HqRestored { sales } => counted("hq-restored", sales),
        LogEvent::LedgerBegun { ledger, moved } => EventRow {
            named: Some(ledger.as_bytes().to_vec()),
            ..counted("ledger-begun", moved)
        },
        LogEvent::ForeignStore { store } => EventRow {
            named: Some(store.as_bytes().to_vec()),
            ..kind("foreign-store")
        },
        LogEvent::StoreReplaced { store } => EventRow {
            named: Some(store.as_bytes().to_vec()),
            ..kind("store-replaced")
        },
        LogEvent::ForeignReceipt => kind("foreign-receipt"),
        LogEvent::HqOlder => kind("hq-older"),
        LogEvent::Resent { sales } => counted("resent", sales),
        LogEvent::WorkerRestarted => kind("worker-restarted"),
        LogEvent::WorkerElected => kind("worker-elected"),
    }
}

fn event(row: &EventRow) -> Result<LogEvent, StoreError> {
    let id = || values::sale_id(row.first_id.unwrap_or_default());
    let revision = || values::revision(row.number.unwrap_or_default());
    let number = || values::count(row.number.unwrap_or_default());
    let natural = || values::natural(row.number.unwrap_or_default());
    let named = || row.named.as_deref().unwrap_or_default();
    let word = || row.word.as_deref().unwrap_or_default();
    let sales = || -> Result<Sales, StoreError> {
        Ok(Sales {
            count: values::count(row.count.unwrap_or_default())?,
            first: id()?,
            last: values::sale_id(row.last_id.unwrap_or_default())?,
        })
    };
    Ok(match row.kind.as_str() {
        "saved" => LogEvent::Saved(id()?),
        "edited" => LogEvent::Edited(id()?, revision()?),
        "voided" => LogEvent::Voided(id()?, revision()?),
        "imported" => LogEvent::Imported { sales: sales()? },
        "link-up" => LogEvent::LinkUp,
        "line-rests" => LogEvent::LineRests,
        "hours-over" => LogEvent::HoursOver,
        "link-down" => LogEvent::LinkDown {
            trouble: values::trouble(word())?,
            retry_s: number()?,
        },
        "broker-blocked" => LogEvent::BrokerBlocked,
        "stored" => LogEvent::Stored {
            sales: sales()?,
            took_ms: number()?,
        },
        "timed-out" => LogEvent::TimedOut {
            sales: sales()?,
            after_s: number()?,
            next_try: values::count(row.second_number.unwrap_or_default())?,
            retry_s: row.word.as_deref().and_then(|seconds| seconds.parse().ok()),
        },
        "refused" => LogEvent::Refused(id()?, values::refusal(word(), row.number)?),
        "conflicted" => LogEvent::Conflicted(id()?),
        "unreadable" => LogEvent::Unreadable { sales: sales()? },
        "hq-answered" => LogEvent::HqAnswered {
            skew_ms: row.number.unwrap_or_default(),
        },
        "hq-restored" => LogEvent::HqRestored { sales: natural()? },
        "ledger-begun" => LogEvent::LedgerBegun {
            ledger: values::ledger_id(named())?,
            moved: natural()?,
        },
        "foreign-store" => LogEvent::ForeignStore {
            store: values::store_id(named())?,
        },
        "store-replaced" => LogEvent::StoreReplaced {
            store: values::store_id(named())?,
        },
        "foreign-receipt" => LogEvent::ForeignReceipt,
        "hq-older" => LogEvent::HqOlder,
        "resent" => LogEvent::Resent { sales: natural()? },
        "worker-restarted" => LogEvent::WorkerRestarted,
        "worker-elected" => LogEvent::WorkerElected,
        other => return Err(StoreError::nonsense(format!("the event `{}`", other.escape_default()))),
    })
}
