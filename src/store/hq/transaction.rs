//! Transactions as head office needs them: a row that took the whole transaction with it is not blamed.

use diesel::prelude::*;
use diesel::result::Error;

use super::blames_rows;
use crate::store::StoreError;
use crate::store::transaction::{self, Failure};

/// Runs a transaction that writes.
pub(super) fn immediate<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    transaction::try_immediate(conn, work).map_err(cause)
}

/// Runs a part of a transaction that can be undone alone.
pub(super) fn savepoint<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    transaction::savepoint(conn, work).map_err(cause)
}

fn cause(failure: Failure<StoreError>) -> StoreError {
    match failure {
        // If it came of a row, the row is not the matter any more: there is no transaction in which to go on.
        Failure::Lost(cause, rollback) if blames_rows(&cause) => StoreError::Other(Error::RollbackErrorOnCommit {
            rollback_error: Box::new(rollback),
            commit_error: Box::new(Error::RollbackTransaction),
        }),
        failure => failure.first(),
    }
}
