//! Transactions that fail with what went wrong first.
//!
//! When the disk is full or can't be read SQLite rolls the whole transaction back by itself; diesel's own rollback then fails because there is nothing left to roll
//! back, and its error hides the first one. Who decides by errors must see the first.

use diesel::prelude::*;
use diesel::result::Error;

use super::blames_rows;
use crate::store::StoreError;

/// Runs a transaction that writes: it waits for its turn at the beginning, not in the middle.
pub(super) fn immediate<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut cause = None;
    let result = conn.immediate_transaction(|conn| work(conn).map_err(|error| set_aside(&mut cause, error)));
    result.map_err(|error| first_error(cause, error))
}

/// Runs a part of a transaction that can be undone alone.
pub(super) fn savepoint<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut cause = None;
    let result = conn.transaction(|conn| work(conn).map_err(|error| set_aside(&mut cause, error)));
    result.map_err(|error| first_error(cause, error))
}

fn set_aside(place: &mut Option<StoreError>, error: StoreError) -> Error {
    *place = Some(error);
    Error::RollbackTransaction
}

fn first_error(cause: Option<StoreError>, error: Error) -> StoreError {
    match (cause, error) {
        (Some(cause), Error::RollbackTransaction) => cause,
        // The rollback failed. If that came of a row, the row is not the matter any more: there is no transaction in which to go on.
        (Some(cause), rollback) if blames_rows(&cause) => StoreError::Other(Error::RollbackErrorOnCommit {
            rollback_error: Box::new(rollback),
            commit_error: Box::new(Error::RollbackTransaction),
        }),
        (Some(cause), _) => cause,
        (None, error) => error.into(),
    }
}
