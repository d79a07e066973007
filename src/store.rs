//! The two databases: a branch's own ([`branch`]) and head office's ([`hq`]), on diesel.
//!
//! All SQL of the program is in here, and nothing else is: what a receipt means is decided in [`crate::protocol`], who may read what in the commands.
//! Rows and SQL types never leave; what comes out are values of [`crate::domain`] and [`crate::protocol`].

mod backup;
pub mod branch;
mod dates;
pub mod hq;
mod sqlite;
mod statement;
mod transaction;

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::domain::ids::BranchCode;
use crate::domain::trouble::DatabaseTrouble;
pub use backup::BackupError;

/// Why a step on a database failed. Its transaction was rolled back: nothing is half done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another program was writing all the time that we were ready to wait.
    #[error("another program holds the database: try again in a moment")]
    Busy(#[source] DieselError),
    /// There is no room left to write.
    #[error("the disk is full: make room, then try again")]
    Full(#[source] DieselError),
    /// The disk took or gave only a part: a quota or a limit that is used up, a device that fails, a share that is gone.
    #[error(
        "the disk failed in the middle: check that the disk has room, that no quota is used up, and that it is sound"
    )]
    Disk(#[source] DieselError),
    /// The file may be read but not written.
    #[error("the database may only be read: check who owns it and its folder")]
    ReadOnly(#[source] DieselError),
    /// The file is damaged.
    #[error("the database file is damaged: run `branchline doctor`, and keep a copy before you mend anything")]
    Damaged(#[source] DieselError),
    /// The database holds something that no version of this program writes.
    #[error("the database holds {what}, which this program never writes: run `branchline doctor`")]
    Nonsense {
        /// What was found, and where.
        what: String,
    },
    /// Anything else.
    #[error("the database could not do it")]
    Other(#[source] DieselError),
}

impl StoreError {
    /// Whether the same step may well succeed later without anybody mending anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    /// What a person is told of it.
    #[must_use]
    pub const fn trouble(&self) -> DatabaseTrouble {
        match self {
            Self::Busy(_) => DatabaseTrouble::Busy,
            Self::Full(_) => DatabaseTrouble::Full,
            Self::Disk(_) => DatabaseTrouble::Disk,
            Self::ReadOnly(_) => DatabaseTrouble::ReadOnly,
            Self::Damaged(_) => DatabaseTrouble::Damaged,
            Self::Nonsense { .. } => DatabaseTrouble::Nonsense,
            Self::Other(_) => DatabaseTrouble::Other,
        }
    }

    /// Says what was found that this program never writes.
    pub(crate) fn nonsense(what: impl Into<String>) -> Self {
        Self::Nonsense { what: what.into() }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        // SQLite's own codes don't reach us through diesel; its texts do, and they never change.
        let text = match &error {
            DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => return Self::ReadOnly(error),
            DieselError::DatabaseError(_, information) => information.message(),
            _ => return Self::Other(error),
        };
        let says = |needle| text.contains(needle);
        if says("is locked") {
            Self::Busy(error)
        } else if says("is full") {
            Self::Full(error)
        } else if says("disk I/O error") {
            Self::Disk(error)
        } else if says("readonly") {
            Self::ReadOnly(error)
        } else if says("malformed") || says("not a database") {
            Self::Damaged(error)
        } else {
            Self::Other(error)
        }
    }
}

/// Why a database could not be opened or made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no database at this place.
    #[error("no database at {}: make one with --create, or name another with --db", path.display())]
    NoDatabase {
        /// The place.
        path: PathBuf,
    },
    /// The database is another branch's.
    #[error("{} belongs to branch {found}, not to {wanted}: name the right database with --db, or the right branch with --branch", path.display())]
    OtherBranch {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: BranchCode,
        /// Whose it should be.
        wanted: BranchCode,
    },
    /// The file is a database of something else.
    #[error("{} is not the kind of database that is wanted here: name another file with --db", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this program has written the database.
    #[error("{} was written by a newer version of branchline (schema {version}): install that version here too", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that this program does not know.
        version: String,
    },
    /// An older version has written the database, and it was opened only for reading.
    #[error("{} was written by an older version of branchline: open it once for writing, then it can be read", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// This program was built with an SQLite that can damage databases.
    #[error("SQLite {found} can damage a database that two programs write: build with {wanted} or newer")]
    OldSqlite {
        /// Its version.
        found: String,
        /// The oldest version that is safe.
        wanted: &'static str,
    },
    /// The file or its folder could not be made or read.
    #[error("{} cannot be opened: check its folder and who may write there", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// SQLite could not open the file.
    #[error("{} cannot be opened as a database", path.display())]
    Connect {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: diesel::ConnectionError,
    },
    /// The schema could not be brought up to date.
    #[error("the tables of {} could not be made", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The first steps on the open database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DieselError> for OpenError {
    fn from(error: DieselError) -> Self {
        Self::Store(error.into())
    }
}
