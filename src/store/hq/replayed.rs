//! Revisions that somebody let in from the quarantine: stored, but counted only when their branch hears of them.
//!
//! A branch that was told that its message can't be read counts none of its rows among those that HQ may have applied. If HQ counted them all the same, the branch would see
//! more applied than it ever sent, and take its database for a copy. So they are written down here, and go into the count with the first batch that brings them again: then HQ
//! tells of them in a receipt, and the branch expects no less.

use std::collections::HashSet;

use diesel::prelude::*;

use super::bulk::Key;
use super::schema::replayed;
use crate::domain::ids::{Revision, SaleId};
use crate::store::StoreError;

/// Notes revisions that were applied and of which the branch is not told.
pub(super) fn note(
    conn: &mut SqliteConnection,
    key: Key<'_>,
    applied: &[(SaleId, Revision)],
) -> Result<(), StoreError> {
    for (id, revision) in applied {
        diesel::replace_into(replayed::table)
            .values((
                replayed::branch.eq(key.branch.as_str()),
                replayed::ledger.eq(key.ledger.as_bytes().as_slice()),
                replayed::external_id.eq(id.get()),
                replayed::revision.eq(i64::from(revision.get())),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Takes out those of these revisions, which HQ holds and tells the branch of now, that are noted here; returns their ids.
pub(super) fn take(
    conn: &mut SqliteConnection,
    key: Key<'_>,
    told: &[(SaleId, Revision)],
) -> Result<Vec<SaleId>, StoreError> {
    let ids = told.iter().map(|(id, _)| id.get());
    let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else {
        return Ok(Vec::new());
    };
    let of_ledger = replayed::table
        .filter(replayed::branch.eq(key.branch.as_str()))
        .filter(replayed::ledger.eq(key.ledger.as_bytes().as_slice()));
    let noted: Vec<(i64, i64)> = of_ledger
        .filter(replayed::external_id.between(first, last))
        .select((replayed::external_id, replayed::revision))
        .load(conn)?;
    let noted: HashSet<(i64, i64)> = noted.into_iter().collect();
    let mut taken = Vec::new();
    for (id, revision) in told {
        if noted.contains(&(id.get(), i64::from(revision.get()))) {
            let gone = diesel::delete(of_ledger.filter(replayed::external_id.eq(id.get()))).execute(conn)?;
            taken.extend((gone > 0).then_some(*id));
        }
    }
    Ok(taken)
}
