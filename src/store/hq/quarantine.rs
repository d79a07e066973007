//! Messages that HQ could not read, or whose sender was not who the message says: kept with their bytes and the reason, equal ones once.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::schema::quarantine;
use super::tries::MessageDigest;
use super::{HqDb, transaction};
use crate::domain::time::UtcMillis;
use crate::store::StoreError;

/// A message that goes to the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Why, as a sentence.
    pub reason: String,
    /// The routing key that it came with.
    pub routing_key: String,
    /// The user that the broker has checked, if the sender set one.
    pub user_id: Option<String>,
    /// Its headers, as text.
    pub headers: String,
    /// The message.
    pub bytes: Vec<u8>,
}

/// A message in the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its number here.
    pub id: i64,
    /// When it first came.
    pub at: UtcMillis,
    /// When it last came.
    pub last_at: UtcMillis,
    /// How often it came.
    pub count: u64,
    /// The message, and why it is here.
    pub suspect: Suspect,
}

type Row = (i64, i64, i64, i64, String, String, Option<String>, String, Vec<u8>);

const COLUMNS: (
    quarantine::id,
    quarantine::at,
    quarantine::last_at,
    quarantine::count,
    quarantine::reason,
    quarantine::routing_key,
    quarantine::user_id,
    quarantine::headers,
    quarantine::bytes,
) = (
    quarantine::id,
    quarantine::at,
    quarantine::last_at,
    quarantine::count,
    quarantine::reason,
    quarantine::routing_key,
    quarantine::user_id,
    quarantine::headers,
    quarantine::bytes,
);

impl HqDb {
    /// At most `limit` messages of the quarantine, those first whose number is the lowest above `after`.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn quarantined(&mut self, after: i64, limit: u32) -> Result<Vec<Quarantined>, StoreError> {
        let rows: Vec<Row> = quarantine::table
            .filter(quarantine::id.gt(after))
            .order(quarantine::id)
            .limit(i64::from(limit))
            .select(COLUMNS)
            .load(&mut self.conn)?;
        Ok(rows.into_iter().map(Quarantined::from).collect())
    }

    /// One message of the quarantine.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn quarantined_message(&mut self, id: i64) -> Result<Option<Quarantined>, StoreError> {
        let row: Option<Row> = quarantine::table
            .find(id)
            .select(COLUMNS)
            .first(&mut self.conn)
            .optional()?;
        Ok(row.map(Quarantined::from))
    }

    /// Throws a message of the quarantine away; `false`: there was none with this number.
    ///
    /// # Errors
    /// When the database can't be written.
    pub fn discard_quarantined(&mut self, id: i64) -> Result<bool, StoreError> {
        let gone = transaction::immediate(&mut self.conn, |conn| {
            Ok(diesel::delete(quarantine::table.find(id)).execute(conn)?)
        })?;
        Ok(gone > 0)
    }
}

impl From<Row> for Quarantined {
    fn from((id, at, last_at, count, reason, routing_key, user_id, headers, bytes): Row) -> Self {
        Self {
            id,
            at: UtcMillis(at),
            last_at: UtcMillis(last_at),
            count: count.unsigned_abs(),
            suspect: Suspect {
                reason,
                routing_key,
                user_id,
                headers,
                bytes,
            },
        }
    }
}

/// Keeps a message, or counts it if an equal one is here already.
pub(super) fn keep(conn: &mut SqliteConnection, suspect: &Suspect, now: UtcMillis) -> Result<(), StoreError> {
    let digest = MessageDigest::of(&suspect.routing_key, suspect.user_id.as_deref(), &suspect.bytes);
    diesel::sql_query(
        "INSERT INTO quarantine (at, last_at, count, reason, routing_key, user_id, headers, bytes, digest) \
         VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (digest) DO UPDATE SET last_at = excluded.last_at, count = count + 1, reason = excluded.reason",
    )
    .bind::<BigInt, _>(now.0)
    .bind::<BigInt, _>(now.0)
    .bind::<Text, _>(&suspect.reason)
    .bind::<Text, _>(&suspect.routing_key)
    .bind::<Nullable<Text>, _>(&suspect.user_id)
    .bind::<Text, _>(&suspect.headers)
    .bind::<Binary, _>(&suspect.bytes)
    .bind::<Binary, _>(digest.as_bytes().as_slice())
    .execute(conn)?;
    Ok(())
}
