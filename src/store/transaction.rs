//! Transactions that fail with what went wrong first.
//!
//! When the disk is full or can't be read SQLite rolls the whole transaction back by itself; diesel's own rollback then fails because there is nothing left to roll
//! back, and its error hides the first one. Who decides by errors must see the first. What errors mean is [`super::StoreError`]'s to say.

use diesel::prelude::*;
use diesel::result::Error;

/// Why a transaction, or a part of one, was not committed.
#[derive(Debug)]
pub(super) enum Failure<E> {
    /// The work in it failed, and it was undone.
    Undone(E),
    /// The work in it failed, and undoing it did as well: there is no transaction any more.
    Lost(E, Error),
    /// The transaction itself failed.
    Itself(Error),
}

impl<E: From<Error>> Failure<E> {
    /// What went wrong first.
    pub(super) fn first(self) -> E {
        match self {
            Self::Undone(cause) | Self::Lost(cause, _) => cause,
            Self::Itself(error) => error.into(),
        }
    }
}

/// Runs a transaction that writes: it waits for its turn at the beginning, not in the middle.
pub(super) fn immediate<T, E: From<Error>>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    try_immediate(conn, work).map_err(Failure::first)
}

/// The same for those who must know how it failed.
pub(super) fn try_immediate<T, E>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, Failure<E>> {
    let mut cause = None;
    let result = conn.immediate_transaction(|conn| work(conn).map_err(|error| set_aside(&mut cause, error)));
    result.map_err(|error| failure(cause, error))
}

/// Runs a part of a transaction that can be undone alone.
pub(super) fn savepoint<T, E>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, Failure<E>> {
    let mut cause = None;
    let result = conn.transaction(|conn| work(conn).map_err(|error| set_aside(&mut cause, error)));
    result.map_err(|error| failure(cause, error))
}

fn set_aside<E>(place: &mut Option<E>, error: E) -> Error {
    *place = Some(error);
    Error::RollbackTransaction
}

fn failure<E>(cause: Option<E>, error: Error) -> Failure<E> {
    match (cause, error) {
        (Some(cause), Error::RollbackTransaction) => Failure::Undone(cause),
        (Some(cause), rollback) => Failure::Lost(cause, rollback),
        (None, error) => Failure::Itself(error),
    }
}
