//! A branch's own database: its sales, what has become of each on the way to HQ, its log, its drafts.
//!
//! One [`BranchDb`] is one connection; a thread that wants to work on the database opens its own. Every change is one immediate transaction that is on the disk
//! when the call returns. The state of a sale is not a column but the place where its newest revision is (`place`); a drain of a million sales moves runs of
//! ids between places and never writes a sale. Totals are kept with the rows (`kept`) and can be made again from them ([`BranchDb::audit`]).
//!
//! What a receipt or an applied count *means* is not decided here but in [`crate::protocol`]; this module is the one that implements
//! [`Journal`](crate::protocol::journal::Journal).

mod ages;
mod audit;
mod codes;
mod dictionary;
mod drafts;
mod export;
mod filter;
#[cfg(test)]
pub(crate) mod fixture;
mod import;
mod journal;
mod kept;
mod ledgers;
mod lock;
mod log;
mod meter;
#[cfg(test)]
mod model;
mod open;
mod pages;
mod place;
mod retries;
mod sales;
mod schema;
mod status;
mod story;
mod sums;
#[cfg(test)]
mod tests;
mod till;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::domain::ids::{BranchCode, SaleId};
use crate::domain::read::SaleRow;
use crate::domain::sale::Sale;
use crate::store::{BackupError, StoreError, backup, statement, transaction};
pub use audit::{Audit, Difference};
pub use export::ExportError;
pub use import::ImportProgress;
use kept::Kept;
pub use lock::WorkerLock;
pub use log::MAX_LOG_LINES;
pub use retries::Choice;
use statement::sql;
pub use till::ChangeError;

/// One connection to the database of a branch.
pub struct BranchDb {
    conn: SqliteConnection,
    code: BranchCode,
    path: PathBuf,
    /// For the journal, which makes batch after batch of the same products.
    product_names: dictionary::ProductNames,
}

impl fmt::Debug for BranchDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BranchDb")
            .field("code", &self.code)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl BranchDb {
    /// The branch whose database this is.
    #[must_use]
    pub const fn branch(&self) -> &BranchCode {
        &self.code
    }

    /// The database's file.
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

    /// A number that changes whenever another connection has committed something; asking costs some microseconds.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn data_version(&mut self) -> Result<i64, StoreError> {
        Ok(sql::<BigInt>("PRAGMA data_version").get_result(&mut self.conn)?)
    }

    /// How many rows this connection has written since it was opened, scratch rows among them; asking costs a microsecond.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn rows_written(&mut self) -> Result<u64, StoreError> {
        values::natural(sql::<BigInt>("SELECT total_changes()").get_result(&mut self.conn)?)
    }

    /// One sale and where it stands.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn sale(&mut self, id: SaleId) -> Result<Option<SaleRow>, StoreError> {
        self.conn.transaction(|conn| place::row(conn, id))
    }

    /// The sale that was entered last.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn last_sale(&mut self) -> Result<Option<Sale>, StoreError> {
        self.conn
            .transaction(|conn| match SaleId::new(sales::highest_id(conn)?) {
                Some(id) => sales::find(conn, id),
                None => Ok(None),
            })
    }

    /// Runs one writing transaction with the kept totals at hand.
    fn write<T, E>(&mut self, work: impl FnOnce(&mut SqliteConnection, &mut Kept) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        transaction::in_turn(&mut self.conn, |conn| {
            let before = Kept::load(conn)?;
            let mut kept = before.clone();
            let result = work(conn, &mut kept)?;
            if kept != before {
                kept.save(conn)?;
            }
            Ok(result)
        })
    }
}
