//! The lives of this database, and what is written down of each to tell a restored HQ and a copied database apart.
//!
//! What the numbers mean is decided in [`crate::protocol::lineage`].

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::{branch, ledgers};
use super::statement::sql;
use super::{sales, values};
use crate::domain::ids::LedgerId;
use crate::domain::time::UtcMillis;
use crate::protocol::lineage::{self, Mark, Standing};
use crate::store::StoreError;

/// One ledger of this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) no: i64,
    pub(super) id: LedgerId,
    pub(super) first_id: i64,
    pub(super) standing: Standing,
}

type LedgerRecord = (i64, Vec<u8>, i64, i64, i64, i64, Vec<u8>, i64);

fn ledger(record: LedgerRecord) -> Result<Ledger, StoreError> {
    let (no, id, first_id, _begun_at, seen, unanswered, marks, _weighed) = record;
    Ok(Ledger {
        no,
        id: values::ledger_id(&id)?,
        first_id,
        standing: Standing {
            seen: values::natural(seen)?,
            unanswered: values::natural(unanswered)?,
            marks: read_marks(&marks)?,
        },
    })
}

/// A mark as it is kept: its count, big-endian, and its hash.
const MARK_BYTES: usize = 24;

fn read_marks(bytes: &[u8]) -> Result<Vec<Mark>, StoreError> {
    let (marks, rest) = bytes.as_chunks::<MARK_BYTES>();
    if !rest.is_empty() {
        return Err(StoreError::nonsense(format!("marks of {} bytes", bytes.len())));
    }
    let mark = |bytes: &[u8; MARK_BYTES]| Mark {
        applied: u64::from_be_bytes(std::array::from_fn(|at| bytes[at])),
        chain: std::array::from_fn(|at| bytes[8 + at]),
    };
    Ok(marks.iter().map(mark).collect())
}

fn mark_bytes(marks: &[Mark]) -> Vec<u8> {
    marks
        .iter()
        .flat_map(|mark| mark.applied.to_be_bytes().into_iter().chain(mark.chain))
        .collect()
}

/// The ledger that new sales belong to.
pub(super) fn current(conn: &mut SqliteConnection) -> Result<Ledger, StoreError> {
    let no: i64 = branch::table.select(branch::ledger_no).get_result(conn)?;
    numbered(conn, no)
}

pub(super) fn numbered(conn: &mut SqliteConnection, no: i64) -> Result<Ledger, StoreError> {
    ledger(ledgers::table.find(no).get_result(conn)?)
}

pub(super) fn find(conn: &mut SqliteConnection, id: LedgerId) -> Result<Option<Ledger>, StoreError> {
    let record: Option<LedgerRecord> = ledgers::table
        .filter(ledgers::ledger.eq(id.as_bytes().as_slice()))
        .get_result(conn)
        .optional()?;
    record.map(ledger).transpose()
}

/// The ledger that a hello asks about: of the current one and those that HQ has acknowledged something of, the one that HQ was asked about the longest ago.
pub(super) fn to_ask_about(conn: &mut SqliteConnection) -> Result<Ledger, StoreError> {
    let current: i64 = branch::table.select(branch::ledger_no).first(conn)?;
    ledger(
        ledgers::table
            .filter(ledgers::no.eq(current).or(ledgers::marks.ne(Vec::new())))
            .order((ledgers::weighed.asc(), ledgers::no.desc()))
            .first(conn)?,
    )
}

/// Writes down how a ledger stands after the answer to a hello, and that it was the last one that was asked about. No clock says so: one that ran ahead would have a ledger not
/// asked about for as long.
pub(super) fn weighed(conn: &mut SqliteConnection, ledger: &Ledger) -> Result<(), StoreError> {
    stand(conn, ledger.no, &ledger.standing)?;
    sql::<()>("UPDATE ledgers SET weighed = (SELECT max(weighed) + 1 FROM ledgers) WHERE no = ?")
        .int(ledger.no)
        .execute(conn)?;
    Ok(())
}

pub(super) fn all(conn: &mut SqliteConnection) -> Result<Vec<Ledger>, StoreError> {
    let records = ledgers::table.order(ledgers::no).load::<LedgerRecord>(conn)?;
    records.into_iter().map(ledger).collect()
}

/// The highest id that belongs to a ledger: those above it belong to the next one.
pub(super) fn highest_id(conn: &mut SqliteConnection, ledger: &Ledger) -> Result<i64, StoreError> {
    let next: Option<i64> = ledgers::table
        .filter(ledgers::first_id.gt(ledger.first_id))
        .select(diesel::dsl::min(ledgers::first_id))
        .first(conn)?;
    let highest = sales::highest_id(conn)?;
    Ok(next.map_or(highest, |next| highest.min(next - 1)))
}

/// Begins a new ledger: sales that are entered from now on belong to it. Returns its number.
pub(super) fn begin(conn: &mut SqliteConnection, id: LedgerId, now: UtcMillis) -> Result<i64, StoreError> {
    let first_id = sales::highest_id(conn)? + 1;
    let no = insert(conn, id, first_id, now)?;
    diesel::update(branch::table)
        .set(branch::ledger_no.eq(no))
        .execute(conn)?;
    Ok(no)
}

/// The number of the ledger that takes the sales of `of` which share their key with other sales; `first_id` is the lowest of them.
pub(super) fn annex(
    conn: &mut SqliteConnection,
    of: LedgerId,
    first_id: i64,
    now: UtcMillis,
) -> Result<i64, StoreError> {
    let id = lineage::annex(of);
    let known: Option<i64> = ledgers::table
        .filter(ledgers::ledger.eq(id.as_bytes().as_slice()))
        .select(ledgers::no)
        .first(conn)
        .optional()?;
    let Some(no) = known else {
        return insert(conn, id, first_id, now);
    };
    diesel::update(ledgers::table.find(no).filter(ledgers::first_id.gt(first_id)))
        .set(ledgers::first_id.eq(first_id))
        .execute(conn)?;
    Ok(no)
}

fn insert(conn: &mut SqliteConnection, id: LedgerId, first_id: i64, now: UtcMillis) -> Result<i64, StoreError> {
    let no = sql::<BigInt>("INSERT INTO ledgers (ledger, first_id, begun_at) VALUES (?, ?, ?) RETURNING no")
        .blob(id.as_bytes())
        .int(first_id)
        .int(now.0)
        .get_result(conn)?;
    Ok(no)
}

/// Writes down how a ledger stands now.
pub(super) fn stand(conn: &mut SqliteConnection, no: i64, standing: &Standing) -> Result<(), StoreError> {
    sql::<()>("UPDATE ledgers SET seen = ?, unanswered = ?, marks = ? WHERE no = ?")
        .int(values::stored(standing.seen))
        .int(values::stored(standing.unanswered))
        .blob(&mark_bytes(&standing.marks))
        .int(no)
        .execute(conn)?;
    Ok(())
}
