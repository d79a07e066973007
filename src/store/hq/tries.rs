//! How often the handling of a suspicious message began and never ended.
//!
//! Deliveries alone prove nothing against a message: each session that breaks delivers all that it had not acked once more. A message that ends the program leaves
//! a try that never ended. Beside it the probe, by which HQ finds out whether a database that has failed takes something again.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

use super::schema::tries;
use super::{HqDb, transaction};
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// What tells two messages apart: a hash over routing key, user and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageDigest([u8; 16]);

impl MessageDigest {
    /// The digest of a message: BLAKE3, cut to 16 bytes, over routing key and user, each behind its length (8 bytes, big-endian; all ones: no user), and the bytes.
    #[must_use]
    pub fn of(routing_key: &str, user_id: Option<&str>, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        let length = |text: &str| (text.len() as u64).to_be_bytes();
        hasher.update(&length(routing_key)).update(routing_key.as_bytes());
        hasher.update(&user_id.map_or(u64::MAX.to_be_bytes(), length));
        hasher.update(user_id.unwrap_or_default().as_bytes()).update(bytes);
        let hash = hasher.finalize();
        Self(std::array::from_fn(|at| hash.as_bytes()[at]))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl HqDb {
    /// Notes that a message is about to be handled alone; returns how many earlier tries never ended.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn try_begins(&mut self, message: MessageDigest, now: UtcMillis) -> Result<u64, StoreError> {
        let digest = message.as_bytes().as_slice();
        let before = transaction::immediate(&mut self.conn, |conn| {
            let before: Option<i64> = tries::table.find(digest).select(tries::count).first(conn).optional()?;
            diesel::sql_query(
                "INSERT INTO tries (digest, count, last_at) VALUES (?, 1, ?) \
                 ON CONFLICT (digest) DO UPDATE SET count = count + 1, last_at = excluded.last_at",
            )
            .bind::<Binary, _>(digest)
            .bind::<BigInt, _>(now.0)
            .execute(conn)?;
            Ok(before.unwrap_or(0))
        })?;
        Ok(before.unsigned_abs())
    }

    /// Forgets a message's tries: its handling has ended, in whatever way.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn try_ended(&mut self, message: MessageDigest) -> Result<(), StoreError> {
        let digest = message.as_bytes().as_slice();
        transaction::immediate(&mut self.conn, |conn| {
            diesel::delete(tries::table.find(digest)).execute(conn)?;
            Ok(())
        })
    }

    /// Forgets all tries: this program outlived what it was doing, so no message has ended it.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn forgive_tries(&mut self) -> Result<(), StoreError> {
        transaction::immediate(&mut self.conn, |conn| {
            diesel::delete(tries::table).execute(conn)?;
            Ok(())
        })
    }

    /// Finds out whether the database takes about this many bytes: commits them, and removes them again.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn probe(&mut self, bytes: u32) -> Result<(), StoreError> {
        transaction::immediate(&mut self.conn, |conn| {
            diesel::sql_query("INSERT OR REPLACE INTO probe (one, filler) VALUES (1, zeroblob(?))")
                .bind::<BigInt, _>(i64::from(bytes))
                .execute(conn)?;
            Ok(())
        })?;
        transaction::immediate(&mut self.conn, |conn| {
            diesel::sql_query("DELETE FROM probe").execute(conn)?;
            Ok(())
        })
    }
}
