//! Transactions that fail with what went wrong first.
//!
//! When the disk is full or can't be read SQLite rolls the whole transaction back by itself; diesel's own rollback then fails because there is nothing left to roll
//! back, and its error hides the first one. Who decides by errors must see the first. What errors mean is [`super::StoreError`]'s to say.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;

use super::StoreError;
use super::sqlite::BUSY_MS;

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

/// Runs a transaction that writes, as soon as nobody else does.
///
/// SQLite's own wait looks ever more rarely whether the other has finished, at last ten times a second, and so misses the short pauses of a worker or an import that
/// write nearly all the time: a till waited for seconds. This one looks every millisecond, for as long.
pub(super) fn in_turn<T, E: From<StoreError>>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    let patience = format!("PRAGMA busy_timeout = {BUSY_MS}");
    let mut work = Some(work);
    let mut tries = 0;
    loop {
        conn.batch_execute("PRAGMA busy_timeout = 0")
            .map_err(StoreError::from)?;
        let result = try_immediate(conn, |conn| {
            conn.batch_execute(&patience).map_err(StoreError::from)?;
            let work = work.take().expect("once it has begun nothing is tried again");
            work(conn)
        });
        let error = match result {
            Ok(done) => return Ok(done),
            Err(Failure::Undone(cause) | Failure::Lost(cause, _)) => return Err(cause),
            Err(Failure::Itself(error)) => StoreError::from(error),
        };
        if work.is_none() || !error.is_transient() || tries >= BUSY_MS {
            conn.batch_execute(&patience).map_err(StoreError::from)?;
            return Err(error.into());
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
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
