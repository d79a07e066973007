//! Head office's database: every branch's sales, each once, and what HQ must remember of branches, ledgers and messages that it could not take.
//!
//! A group of messages is taken in one transaction by [`HqDb::commit_group`]; what a row deserves is [`crate::protocol::verdict`]'s to say, and who may speak for
//! a branch was asked before. Reading bytes, answering and acknowledging to the broker are [`crate::hq`]'s.
//!
//! This is the SQLite store. One for PostgreSQL can stand beside it, with migrations of its own beside `migrations/hq/sqlite`.

mod books;
mod bulk;
mod commit;
mod conflicts;
#[cfg(test)]
pub(crate) mod fixture;
mod names;
mod open;
mod overview;
mod quarantine;
mod replayed;
mod sales;
mod schema;
#[cfg(test)]
mod tests;
mod transaction;
mod tries;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use diesel::prelude::*;

use super::{BackupError, StoreError, backup};
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, StoreId};
use crate::domain::time::UtcMillis;
use crate::protocol::identity::Login;
use crate::protocol::message::{Outcome, Uplink};
use schema::{branches, hq};

pub use names::HqNames;
use names::NameCache;
pub use overview::{BranchOverview, Overview};
pub use quarantine::{Quarantined, Suspect};
pub use tries::MessageDigest;

/// Head office's database on SQLite.
pub struct HqDb {
    conn: SqliteConnection,
    path: PathBuf,
    store: StoreId,
    replaces: Vec<StoreId>,
    names: NameCache,
}

/// One delivery, as far as it could be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message, from the branch that it says it is from.
    Message {
        /// How its sender was accepted.
        login: Login,
        /// What it says.
        message: Uplink,
    },
    /// A message whose envelope can be read and whose sender is who it says; its body can't be read.
    Unread(UnreadMessage),
    /// A message that goes to the quarantine without an answer.
    Refused(Suspect),
}

impl Incoming {
    /// The branch that speaks, and how it was accepted; `None` if nobody was.
    #[must_use]
    pub const fn speaker(&self) -> Option<(&BranchCode, Login)> {
        match self {
            Self::Message { login, message } => match message {
                Uplink::Hello(hello) => Some((&hello.branch, *login)),
                Uplink::Batch(batch) => Some((&batch.branch, *login)),
            },
            Self::Unread(unread) => Some((&unread.branch, unread.login)),
            Self::Refused(_) => None,
        }
    }
}

/// A message of which only the envelope can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadMessage {
    /// How its sender was accepted.
    pub login: Login,
    /// From whom.
    pub branch: BranchCode,
    /// About which ledger.
    pub ledger: LedgerId,
    /// What must be answered.
    pub question: Question,
    /// The message for the quarantine; `None` where the message is not at fault: it is too new, or leans on names that HQ does not hold.
    pub suspect: Option<Suspect>,
}

/// What a message whose body can't be read asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// It is a hello: the envelope is enough to answer it.
    Hello(Nonce),
    /// It is a batch: what HQ says of it.
    Batch(BatchId, Outcome),
}

impl HqDb {
    /// HQ's database as branches know it.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// The databases that this one was started to replace, oldest first.
    #[must_use]
    pub fn replaces(&self) -> &[StoreId] {
        &self.replaces
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the database, as it is now, to a new file; returns its size in bytes. Others may go on writing meanwhile.
    ///
    /// # Errors
    /// When a file of this name is there, when it can't be written, or when the copy is not sound.
    pub fn backup(&mut self, path: &Path) -> Result<u64, BackupError> {
        backup::write(&mut self.conn, path)
    }

    /// When anything was last received, by the clock of that time.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn newest_received_at(&mut self) -> Result<UtcMillis, StoreError> {
        let newest = hq::table.select(hq::newest_received_at).first(&mut self.conn)?;
        Ok(UtcMillis(newest))
    }

    /// Which of these branches have once written under their own user.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn with_own_login(&mut self, codes: &[&BranchCode]) -> Result<HashSet<BranchCode>, StoreError> {
        let asked: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        let found: Vec<String> = branches::table
            .filter(branches::branch.eq_any(asked).and(branches::had_own_login.eq(1)))
            .select(branches::branch)
            .load(&mut self.conn)?;
        Ok(codes
            .iter()
            .filter(|code| found.iter().any(|found| found == code.as_str()))
            .map(|code| (*code).clone())
            .collect())
    }
}

impl std::fmt::Debug for HqDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HqDb")
            .field("path", &self.path)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// Whether an error is about what was to be written, so that other rows may well be taken; else it is about the database itself.
fn blames_rows(error: &StoreError) -> bool {
    use diesel::result::{DatabaseErrorKind, Error};
    // SQLite's texts for what is wrong with the file, the disk or the memory, as far as they are no variant of their own.
    const DATABASE: [&str; 8] = [
        "unable to open database file",
        "out of memory",
        "interrupted",
        "locking protocol",
        "large file support is disabled",
        "schema has changed",
        "no transaction is active",
        "no such savepoint",
    ];
    match error {
        StoreError::Other(Error::DatabaseError(DatabaseErrorKind::Unknown, information)) => {
            !DATABASE.iter().any(|text| information.message().contains(text))
        }
        StoreError::Nonsense { .. }
        | StoreError::Other(Error::DatabaseError(..) | Error::SerializationError(_) | Error::DeserializationError(_)) => {
            true
        }
        StoreError::Other(_)
        | StoreError::Busy(_)
        | StoreError::Full(_)
        | StoreError::Disk(_)
        | StoreError::ReadOnly(_)
        | StoreError::Damaged(_) => false,
    }
}
