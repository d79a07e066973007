//! Making and opening head office's database: the file, its settings, its schema, and which database it is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::schema::{hq, replaced_stores};
use super::{HqDb, NameCache, transaction};
use crate::domain::ids::StoreId;
use crate::domain::time::UtcMillis;
use crate::store::sqlite::{self, Access};
use crate::store::{OpenError, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/hq/sqlite");

/// Two tables that only head office's database has.
const MARKS: [&str; 2] = ["hq", "sale_conflicts"];

/// So much of the database is kept in memory, in KiB: a little more than one transaction changes. With less, pages leave it in the middle of a transaction and are read again.
const CACHE: &str = "PRAGMA cache_size = -8192";

/// Twice as large as SQLite's own pages, in bytes. Branches append to the table of sales in as many places as they are; larger pages are split less often there.
const PAGE: &str = "PRAGMA page_size = 8192";

/// The most databases that one can be started to replace; every receipt names them all.
const MAX_REPLACED: usize = 32;

impl HqDb {
    /// Makes head office's database, and the folders above it. If there is one already, opens it; of several that make one at once, all open the same.
    ///
    /// # Errors
    /// When the file can't be made, or is something else.
    pub fn create(path: &Path, store_bits: u128, now: UtcMillis) -> Result<Self, OpenError> {
        if path.metadata().is_ok_and(|file| file.len() > 0) {
            return Self::open(path);
        }
        let store = StoreId::from_random(store_bits);
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".making-{store}"));
        let draft = PathBuf::from(draft);
        let made = make(&draft, store, now)
            .and_then(|()| publish(&draft, path).map_err(|source| sqlite::file_error(path, source)));
        // What is left of a draft is of no use to anybody; what can't be removed now does no harm.
        let _ = fs::remove_file(&draft);
        made?;
        Self::open(path)
    }

    /// Opens head office's database.
    ///
    /// # Errors
    /// When there is none, or it can't be opened or brought up to date.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let mut conn = sqlite::connect_existing(path, Access::Write, MARKS)?;
        sqlite::settle_in(&mut conn)?;
        if sqlite::has_pending(&mut conn, &MIGRATIONS, path)? {
            // In one transaction, so that of two newer programs one migrates and the other finds it done.
            conn.immediate_transaction(|conn| sqlite::migrate(conn, MIGRATIONS, path))?;
        }
        conn.batch_execute(CACHE).map_err(StoreError::from)?;
        Self::ready(conn, path)
    }

    /// Remembers that this database was started to replace another one: branches that know the other as HQ will take this one for it, now and later. Naming it
    /// again changes nothing.
    ///
    /// # Errors
    /// When it replaces too many already, or itself, or can't be written.
    pub fn replace(&mut self, other: StoreId, now: UtcMillis) -> Result<(), ReplaceError> {
        if other == self.store {
            return Err(ReplaceError::Itself(other));
        }
        let room = transaction::immediate(&mut self.conn, |conn| {
            let known: Vec<StoreId> = replaced(conn)?;
            if known.contains(&other) || known.len() == MAX_REPLACED {
                return Ok(known.contains(&other));
            }
            diesel::insert_into(replaced_stores::table)
                .values((
                    replaced_stores::store.eq(other.as_bytes().as_slice()),
                    replaced_stores::since.eq(now.0),
                ))
                .execute(conn)?;
            Ok(true)
        })?;
        if !room {
            return Err(ReplaceError::TooMany);
        }
        self.replaces = replaced(&mut self.conn)?;
        Ok(())
    }

    fn ready(mut conn: SqliteConnection, path: &Path) -> Result<Self, OpenError> {
        let bytes: Vec<u8> = hq::table.select(hq::store).first(&mut conn)?;
        Ok(Self {
            store: store_id(&bytes)?,
            replaces: replaced(&mut conn)?,
            conn,
            path: path.into(),
            names: NameCache::default(),
        })
    }
}

/// Opens head office's database for reading alone.
pub(super) fn to_read(path: &Path) -> Result<SqliteConnection, OpenError> {
    sqlite::connect_existing(path, Access::Read, MARKS)
}

/// Why a database could not be said to replace another.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// It is the same one.
    #[error("{0} is this database itself: --replaces names the one that is gone")]
    Itself(StoreId),
    /// There is no room for one more.
    #[error("this database replaces {MAX_REPLACED} others already, which is as many as a receipt can name")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the whole database in a file that nobody else knows, so that nobody finds one half made.
fn make(draft: &Path, store: StoreId, now: UtcMillis) -> Result<(), OpenError> {
    make_file(draft).map_err(|source| sqlite::file_error(draft, source))?;
    let mut conn = sqlite::connect(draft, Access::Write)?;
    // Before anything is written.
    conn.batch_execute(PAGE).map_err(StoreError::from)?;
    sqlite::settle_in(&mut conn)?;
    sqlite::migrate(&mut conn, MIGRATIONS, draft)?;
    transaction::immediate(&mut conn, |conn| {
        diesel::insert_into(hq::table)
            .values((
                hq::one.eq(1),
                hq::store.eq(store.as_bytes().as_slice()),
                hq::made_at.eq(now.0),
                hq::newest_received_at.eq(0),
            ))
            .execute(conn)?;
        Ok(())
    })?;
    Ok(())
}

/// Puts the finished database in its place, unless another one is there; an empty file is none.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match sqlite::name(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.metadata()?.len() == 0 => {
            fs::rename(draft, path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    File::open(sqlite::folder_of(path))?.sync_all()
}

fn replaced(conn: &mut SqliteConnection) -> Result<Vec<StoreId>, StoreError> {
    let stores: Vec<Vec<u8>> = replaced_stores::table
        .order((replaced_stores::since, replaced_stores::store))
        .select(replaced_stores::store)
        .load(conn)?;
    stores.iter().map(|bytes| store_id(bytes)).collect()
}

fn store_id(bytes: &[u8]) -> Result<StoreId, StoreError> {
    <[u8; 16]>::try_from(bytes)
        .map(StoreId::from_bytes)
        .map_err(|_| StoreError::nonsense(format!("a store id of {} bytes", bytes.len())))
}

/// Makes the file, and the folders above it; all branches' sales are nobody else's business.
fn make_file(path: &Path) -> io::Result<()> {
    sqlite::make_folders(sqlite::folder_of(path))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)
        .map(|_| ())
}
