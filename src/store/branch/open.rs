//! Making and opening the branch's database: the file, its permissions, its settings, its schema, and whose it is.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::schema::branch;
use super::statement::sql;
use super::{BranchDb, ledgers};
use crate::domain::ids::{BranchCode, LedgerId};
use crate::domain::time::UtcMillis;
use crate::store::{OpenError, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/branch");

/// Versions before this one could damage a database that two programs write (the WAL-reset bug).
const OLDEST_SQLITE: &str = "3.51.3";

/// How long a step waits for another program's transaction, in milliseconds.
const BUSY_MS: u32 = 5_000;

/// How often the settings are tried, and how long is waited in between: as long as for any other step.
const SETTLE_TRIES: u32 = 500;
const SETTLE_PAUSE: Duration = Duration::from_millis(10);

/// The order matters: a switch to WAL must already know how long to wait, and a commit must be on the disk before the screen says "saved".
const SETTINGS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";

/// Ids on their way back from HQ to the outbox, while one transaction gathers them.
const SCRATCH: &str =
    "CREATE TEMP TABLE coming_back (id INTEGER NOT NULL PRIMARY KEY, last_acked INTEGER NOT NULL) STRICT;";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
}

impl BranchDb {
    /// Makes the database of a branch: its file, the folders above it and its first ledger. If another program has made it meanwhile, opens that one: two that
    /// start at once make one ledger.
    ///
    /// # Errors
    /// When the file can't be made, or is there and belongs to another branch.
    pub fn create(path: &Path, code: &BranchCode, ledger_bits: u128, now: UtcMillis) -> Result<Self, OpenError> {
        make_file(path).map_err(|source| file_error(path, source))?;
        let mut conn = connect(path, Access::Write)?;
        if tables(&mut conn, path)? == Tables::Foreign {
            return Err(OpenError::NotOurs { path: path.into() });
        }
        settle_in(&mut conn)?;
        conn.immediate_transaction(|conn| {
            migrate(conn, path)?;
            if branch_code(conn)?.is_none() {
                diesel::sql_query("PRAGMA defer_foreign_keys = ON").execute(conn)?;
                diesel::insert_into(branch::table)
                    .values((
                        branch::one.eq(1),
                        branch::code.eq(code.as_str()),
                        branch::made_at.eq(now.0),
                        branch::ledger_no.eq(1),
                    ))
                    .execute(conn)?;
                ledgers::begin(conn, LedgerId::from_random(ledger_bits), now)?;
            }
            Ok::<(), OpenError>(())
        })?;
        Self::checked(conn, path, Some(code))
    }

    /// Opens a database that is there. `code` is the branch that the caller takes it for.
    ///
    /// # Errors
    /// When there is none, when it is another branch's, or when it can't be opened or brought up to date.
    pub fn open(path: &Path, code: Option<&BranchCode>) -> Result<Self, OpenError> {
        let mut conn = connect_existing(path, Access::Write)?;
        settle_in(&mut conn)?;
        if pending_migrations(&mut conn, path)? {
            conn.immediate_transaction(|conn| migrate(conn, path))?;
        }
        Self::checked(conn, path, code)
    }

    /// Opens a database that is there, only to read it.
    ///
    /// # Errors
    /// When there is none, when it is another branch's, when it can't be opened, or when it needs a newer schema first.
    pub fn open_read_only(path: &Path, code: Option<&BranchCode>) -> Result<Self, OpenError> {
        let mut conn = connect_existing(path, Access::Read)?;
        if pending_migrations(&mut conn, path)? {
            return Err(OpenError::Older { path: path.into() });
        }
        Self::checked(conn, path, code)
    }

    fn checked(mut conn: SqliteConnection, path: &Path, wanted: Option<&BranchCode>) -> Result<Self, OpenError> {
        let found = branch_code(&mut conn)?.ok_or_else(|| OpenError::NoDatabase { path: path.into() })?;
        match wanted {
            Some(wanted) if *wanted != found => Err(OpenError::OtherBranch {
                path: path.into(),
                found,
                wanted: wanted.clone(),
            }),
            Some(_) | None => {
                conn.batch_execute(SCRATCH)?;
                Ok(Self {
                    conn,
                    code: found,
                    path: path.into(),
                })
            }
        }
    }
}

fn connect_existing(path: &Path, access: Access) -> Result<SqliteConnection, OpenError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Err(OpenError::NoDatabase { path: path.into() }),
        Err(source) => return Err(file_error(path, source)),
    }
    let mut conn = connect(path, access)?;
    match tables(&mut conn, path)? {
        Tables::Ours => Ok(conn),
        // Whoever was making it has not come far, or never will.
        Tables::None => Err(OpenError::NoDatabase { path: path.into() }),
        Tables::Foreign => Err(OpenError::NotOurs { path: path.into() }),
    }
}

fn connect(path: &Path, access: Access) -> Result<SqliteConnection, OpenError> {
    let mut conn = SqliteConnection::establish(&uri(path, access)).map_err(|source| OpenError::Connect {
        path: path.into(),
        source,
    })?;
    // Before anything else: even a question about the version may find the file locked.
    conn.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_MS}"))
        .map_err(|error| refine(error, path))?;
    check_sqlite(&mut conn, path)?;
    Ok(conn)
}

/// Makes the settings of a connection that writes. SQLite doesn't wait while another program switches a new file to WAL, so we do.
fn settle_in(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match conn.batch_execute(SETTINGS).map_err(StoreError::from) {
            Err(error) if error.is_transient() && tries < SETTLE_TRIES => {
                tries += 1;
                std::thread::sleep(SETTLE_PAUSE);
            }
            done => return done,
        }
    }
}

/// The file as SQLite takes it with options; whatever could mean something else in a URI is written as its code.
fn uri(path: &Path, access: Access) -> String {
    use std::fmt::Write;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02x}").expect("a string takes all that is written to it");
        }
    }
    uri.push_str(match access {
        Access::Write => "?mode=rw",
        Access::Read => "?mode=ro",
    });
    uri
}

fn check_sqlite(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found: String = sql::<Text>("SELECT sqlite_version()")
        .get_result(conn)
        .map_err(|error| refine(error, path))?;
    let numbers = |text: &str| {
        text.split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect::<Vec<u32>>()
    };
    if numbers(&found) < numbers(OLDEST_SQLITE) {
        return Err(OpenError::OldSqlite {
            found,
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
    let (all, ours): (i64, i64) = sql::<(BigInt, BigInt)>(
        "SELECT count(*), count(*) FILTER (WHERE name IN ('branch', 'outbox')) FROM sqlite_master",
    )
    .get_result(conn)
    .map_err(|error| refine(error, path))?;
    Ok(match (all, ours) {
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
    let applied: Vec<String> = sql::<Text>("SELECT version FROM __diesel_schema_migrations").load(conn)?;
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(|source| migrate_error(path, source))?;
    let known: Vec<String> = known
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    match applied.iter().find(|version| !known.contains(version)) {
        Some(version) => Err(OpenError::Newer {
            path: path.into(),
            version: version.clone(),
        }),
        None => Ok(applied.len() < known.len()),
    }
}

fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    conn.run_pending_migrations(MIGRATIONS)
        .map_err(|source| migrate_error(path, source))?;
    pending_migrations(conn, path).map(|_| ())
}

fn branch_code(conn: &mut SqliteConnection) -> Result<Option<BranchCode>, StoreError> {
    let text: Option<String> = branch::table.select(branch::code).first(conn).optional()?;
    text.map(|text| BranchCode::parse(&text).map_err(|error| StoreError::nonsense(error.to_string())))
        .transpose()
}

/// Makes the file, and lets its group write it if the group may write its folder: SQLite gives -wal and -shm the same permissions.
fn make_file(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o660).open(path) {
        Ok(file) if group_may_write(folder)? => file.set_permissions(Permissions::from_mode(0o660)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn group_may_write(folder: &Path) -> io::Result<bool> {
    Ok(fs::metadata(folder)?.mode() & 0o020 != 0)
}

fn file_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::File {
        path: PathBuf::from(path),
        source,
    }
}

fn migrate_error(path: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> OpenError {
    OpenError::Migrate {
        path: path.into(),
        source,
    }
}
