//! Opening an SQLite file as both databases do: settings in the right order, patience with other programs, and whose file it is.
//!
//! What is in a branch's database or head office's, and how each is made, is in their own rooms.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::{OpenError, StoreError};

/// Versions before this one could damage a database that two programs write (the WAL-reset bug).
const OLDEST_SQLITE: &str = "3.51.3";

/// How long a step waits for another program's transaction, in milliseconds.
pub(super) const BUSY_MS: u32 = 5_000;

/// How often the settings are tried, and how long is waited in between: as long as for any other step.
const SETTLE_TRIES: u32 = 500;
const SETTLE_PAUSE: Duration = Duration::from_millis(10);

/// The order matters: a switch to WAL must already know how long to wait, and a commit must be on the disk before anybody is told of it. Without automatic indexes,
/// because a join of runs with a million sales would build one over all sales each time.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
    PRAGMA temp_store = MEMORY; PRAGMA automatic_index = OFF;";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// What a file has in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// Nothing: whoever was making it has not come far, or never will.
    None,
    /// The tables that were asked for.
    Ours,
    /// Other tables.
    Foreign,
}

/// Opens a file that must be there and have these two tables.
pub(super) fn connect_existing(path: &Path, access: Access, marks: [&str; 2]) -> Result<SqliteConnection, OpenError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Err(OpenError::NoDatabase { path: path.into() }),
        Err(source) => return Err(file_error(path, source)),
    }
    let mut conn = connect(path, access)?;
    match tables(&mut conn, path, marks)? {
        Tables::Ours => Ok(conn),
        Tables::None => Err(OpenError::NoDatabase { path: path.into() }),
        Tables::Foreign => Err(OpenError::NotOurs { path: path.into() }),
    }
}

/// Opens a file. A connection that writes needs [`settle_in`] before its first transaction.
pub(super) fn connect(path: &Path, access: Access) -> Result<SqliteConnection, OpenError> {
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

/// Makes the settings of a connection that writes. SQLite doesn't wait while another program switches a new file to WAL, or mends it after a crash, so we do.
pub(super) fn settle_in(conn: &mut SqliteConnection) -> Result<(), StoreError> {
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

/// Whether the file has these two tables.
pub(super) fn tables(conn: &mut SqliteConnection, path: &Path, marks: [&str; 2]) -> Result<Tables, OpenError> {
    let counts: Counts = diesel::sql_query(
        "SELECT count(*) AS all_tables, count(*) FILTER (WHERE name IN (?, ?)) AS ours FROM sqlite_master",
    )
    .bind::<Text, _>(marks[0])
    .bind::<Text, _>(marks[1])
    .get_result(conn)
    .map_err(|error| refine(error, path))?;
    Ok(match (counts.all_tables, counts.ours) {
        (0, _) => Tables::None,
        (_, 2) => Tables::Ours,
        (_, _) => Tables::Foreign,
    })
}

/// Whether the schema is older than this program's. One that is newer is an error.
pub(super) fn has_pending(
    conn: &mut SqliteConnection,
    migrations: &EmbeddedMigrations,
    path: &Path,
) -> Result<bool, OpenError> {
    let applied: Vec<OneText> =
        diesel::sql_query("SELECT version AS text FROM __diesel_schema_migrations").load(conn)?;
    let known = MigrationSource::<Sqlite>::migrations(migrations).map_err(|source| migrate_error(path, source))?;
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

/// Brings the schema up to date.
pub(super) fn migrate(
    conn: &mut SqliteConnection,
    migrations: EmbeddedMigrations,
    path: &Path,
) -> Result<(), OpenError> {
    conn.run_pending_migrations(migrations)
        .map(|_| ())
        .map_err(|source| migrate_error(path, source))
}

/// Asks SQLite to check the file itself; returns what is wrong with it, nothing if it is sound.
pub(super) fn integrity(conn: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let lines: Vec<OneText> =
        diesel::sql_query("SELECT integrity_check AS text FROM pragma_integrity_check").load(conn)?;
    let texts = lines.into_iter().map(|line| line.text);
    Ok(texts.filter(|text| text != "ok").collect())
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives a finished file its name, unless something has it already; nobody ever sees half of it.
///
/// A rename that replaces nothing is one step, and memory sticks know it, which have no hard links. Where it is unknown a hard link comes to the same; where there is neither, of two
/// that do this at once one may replace the other's file.
///
/// # Errors
/// Of kind `AlreadyExists` when the name is taken.
pub(super) fn name(draft: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        named => return Ok(named?),
    }
    match fs::hard_link(draft, path) {
        Ok(()) => fs::remove_file(draft),
        Err(_) if path.try_exists()? => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(draft, path),
    }
}

/// Makes a folder and those above it, each on the disk before the next: a folder that a power cut takes takes the database along.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    make_folders(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(above)?.sync_all(),
    }
}

pub(super) fn file_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::File {
        path: path.into(),
        source,
    }
}

/// The file as SQLite takes it with options; whatever could mean something else in a URI is written as its code.
pub(super) fn uri(path: &Path, access: Access) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(byte);
    let coded = path.as_os_str().as_bytes().iter().map(|byte| {
        if plain(byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    });
    let mode = match access {
        Access::Write => "rw",
        Access::Read => "ro",
    };
    format!("file:{}?mode={mode}", coded.collect::<String>())
}

#[derive(QueryableByName)]
struct OneText {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Counts {
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

/// A file that is no database at all is told apart from a database that is damaged.
fn refine(error: DieselError, path: &Path) -> OpenError {
    match StoreError::from(error) {
        StoreError::Damaged(source) if source.to_string().contains("not a database") => {
            OpenError::NotOurs { path: path.into() }
        }
        error => OpenError::Store(error),
    }
}

fn migrate_error(path: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> OpenError {
    OpenError::Migrate {
        path: path.into(),
        source,
    }
}
