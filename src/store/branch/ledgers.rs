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
use crate::protocol::lineage::Standing;
use crate::store::StoreError;

/// One ledger of this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) no: i64,
    pub(super) id: LedgerId,
    pub(super) first_id: i64,
    pub(super) standing: Standing,
}

type LedgerRecord = (i64, Vec<u8>, i64, i64, i64, i64, i64);

fn ledger(record: LedgerRecord) -> Result<Ledger, StoreError> {
    let (no, id, first_id, _begun_at, seen, acked, unanswered) = record;
    Ok(Ledger {
        no,
        id: values::ledger_id(&id)?,
        first_id,
        standing: Standing {
            seen: values::natural(seen)?,
            acked: values::natural(acked)?,
            unanswered: values::natural(unanswered)?,
        },
    })
}

/// The ledger that new sales belong to.
pub(super) fn current(conn: &mut SqliteConnection) -> Result<Ledger, StoreError> {
    let no: i64 = branch::table.select(branch::ledger_no).first(conn)?;
    numbered(conn, no)
}

pub(super) fn numbered(conn: &mut SqliteConnection, no: i64) -> Result<Ledger, StoreError> {
    ledger(ledgers::table.find(no).first(conn)?)
}

pub(super) fn named(conn: &mut SqliteConnection, id: LedgerId) -> Result<Ledger, StoreError> {
    ledger(
        ledgers::table
            .filter(ledgers::ledger.eq(id.as_bytes().as_slice()))
            .first(conn)?,
    )
}

pub(super) fn all(conn: &mut SqliteConnection) -> Result<Vec<Ledger>, StoreError> {
    let records = ledgers::table.order(ledgers::no).load::<LedgerRecord>(conn)?;
    records.into_iter().map(ledger).collect()
}

/// Begins a new ledger: sales that are entered from now on belong to it. Returns its number.
pub(super) fn begin(conn: &mut SqliteConnection, id: LedgerId, now: UtcMillis) -> Result<i64, StoreError> {
    let first_id = sales::highest_id(conn)? + 1;
    let no: i64 = sql::<BigInt>("INSERT INTO ledgers (ledger, first_id, begun_at) VALUES (?, ?, ?) RETURNING no")
        .blob(id.as_bytes())
        .int(first_id)
        .int(now.0)
        .get_result(conn)?;
    diesel::update(branch::table)
        .set(branch::ledger_no.eq(no))
        .execute(conn)?;
    Ok(no)
}

/// Writes down how a ledger stands now.
pub(super) fn stand(conn: &mut SqliteConnection, no: i64, standing: Standing) -> Result<(), StoreError> {
    diesel::update(ledgers::table.find(no))
        .set((
            ledgers::seen.eq(values::stored(standing.seen)),
            ledgers::acked.eq(values::stored(standing.acked)),
            ledgers::unanswered.eq(values::stored(standing.unanswered)),
        ))
        .execute(conn)?;
    Ok(())
}
