//! Making and opening head office's database: the file, its settings, its schema, and which database it is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::schema::{hq, replaced_stores};
use super::{HqDb, transaction};
use crate::domain::ids::StoreId;
use crate::domain::time::UtcMillis;
use crate::store::{OpenError, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/hq/sqlite");

/// Versions before this one could damage a database that two programs write (the WAL-reset bug).
const OLDEST_SQLITE: &str = "3.51.3";

/// How long a step waits for another program's transaction, in milliseconds.
const BUSY_MS: u32 = 5_000;

/// The order matters: a switch to WAL must already know how long to wait, and a commit must be on the disk before a receipt says so.
const SETTINGS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";

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
        let made =
            make(&draft, store, now).and_then(|()| publish(&draft, path).map_err(|source| file_error(path, source)));
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
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(OpenError::NoDatabase { path: path.into() }),
            Err(source) => return Err(file_error(path, source)),
        }
        let mut conn = connect(path)?;
        match tables(&mut conn, path)? {
            Tables::Ours => {}
            // Whoever was making it has not come far, or never will.
            Tables::None => return Err(OpenError::NoDatabase { path: path.into() }),
            Tables::Foreign => return Err(OpenError::NotOurs { path: path.into() }),
        }
        if pending_migrations(&mut conn, path)? {
            // In one transaction, so that of two newer programs one migrates and the other finds it done.
            conn.immediate_transaction(|conn| migrate(conn, path))?;
        }
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
        })
    }
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
    make_file(draft).map_err(|source| file_error(draft, source))?;
    let mut conn = connect(draft)?;
    migrate(&mut conn, draft)?;
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
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.metadata()?.len() == 0 => {
            fs::rename(draft, path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    File::open(folder_of(path))?.sync_all()
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

fn connect(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut conn = SqliteConnection::establish(&uri(path)).map_err(|source| OpenError::Connect {
        path: path.into(),
        source,
    })?;
    check_sqlite(&mut conn, path)?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_MS}"))
        .and_then(|()| conn.batch_execute(SETTINGS))
        .map_err(|error| refine(error, path))?;
    Ok(conn)
}

/// The file as SQLite takes it with options; whatever could mean something else in a URI is written as its code.
fn uri(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(byte);
    let coded = path.as_os_str().as_bytes().iter().map(|byte| {
        if plain(byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    });
    format!("file:{}?mode=rw", coded.collect::<String>())
}

#[derive(QueryableByName)]
struct OneText {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct TableCounts {
    #[diesel(sql_type = BigInt)]
    all_tables: i64,
    #[diesel(sql_type = BigInt)]
    ours: i64,
}

fn check_sqlite(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found: OneText = diesel::sql_query("SELECT sqlite_version() AS text")
        .get_result(conn)
        .map_err(|error| refine(error, path))?;
    let numbers = |text: &str| {
        text.split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect::<Vec<u32>>()
    };
    if numbers(&found.text) < numbers(OLDEST_SQLITE) {
        return Err(OpenError::OldSqlite {
            found: found.text,
            wanted: OLDEST_SQLITE,
        });
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Tables {
    None,
    Ours,
    Foreign,
}

fn tables(conn: &mut SqliteConnection, path: &Path) -> Result<Tables, OpenError> {
    let counts: TableCounts = diesel::sql_query(
        "SELECT count(*) AS all_tables, count(*) FILTER (WHERE name IN ('hq', 'sale_conflicts')) AS ours FROM sqlite_master",
    )
    .get_result(conn)
    .map_err(|error| refine(error, path))?;
    Ok(match (counts.all_tables, counts.ours) {
        (0, _) => Tables::None,
        (_, 2) => Tables::Ours,
        (_, _) => Tables::Foreign,
    })
}

/// A file that is no database at all is told apart from a database that is damaged.
fn refine(error: diesel::result::Error, path: &Path) -> OpenError {
    match StoreError::from(error) {
        StoreError::Damaged(source) if source.to_string().contains("not a database") => {
            OpenError::NotOurs { path: path.into() }
        }
        error => OpenError::Store(error),
    }
}

fn pending_migrations(conn: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let applied: Vec<OneText> =
        diesel::sql_query("SELECT version AS text FROM __diesel_schema_migrations").load(conn)?;
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(|source| migrate_error(path, source))?;
    let known: Vec<String> = known
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    match applied.iter().find(|applied| !known.contains(&applied.text)) {
        Some(newer) => Err(OpenError::Newer {
            path: path.into(),
            version: newer.text.clone(),
        }),
        None => Ok(applied.len() < known.len()),
    }
}

fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    conn.run_pending_migrations(MIGRATIONS)
        .map(|_| ())
        .map_err(|source| migrate_error(path, source))
}

/// Makes the file, and the folders above it; all branches' sales are nobody else's business.
fn make_file(path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)
        .map(|_| ())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn file_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::File {
        path: path.into(),
        source,
    }
}

fn migrate_error(path: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> OpenError {
    OpenError::Migrate {
        path: path.into(),
        source,
    }
}
