//! Making and opening the branch's database: the file, its permissions, its settings, its schema, and whose it is.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::dictionary::ProductNames;
use super::schema::branch;
use super::{BranchDb, ledgers};
use crate::domain::ids::{BranchCode, LedgerId};
use crate::domain::time::UtcMillis;
use crate::store::sqlite::{self, Access, Tables};
use crate::store::{OpenError, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/branch");

/// Two tables that only a branch's database has.
const MARKS: [&str; 2] = ["branch", "outbox"];

/// Ids on their way back from HQ to the outbox, while one transaction gathers them.
const SCRATCH: &str =
    "CREATE TEMP TABLE coming_back (id INTEGER NOT NULL PRIMARY KEY, last_acked INTEGER NOT NULL) STRICT;";

impl BranchDb {
    /// Makes the database of a branch: its file, the folders above it and its first ledger. If another program has made it meanwhile, opens that one: two that
    /// start at once make one ledger.
    ///
    /// # Errors
    /// When the file can't be made, or is there and belongs to another branch.
    pub fn create(path: &Path, code: &BranchCode, ledger_bits: u128, now: UtcMillis) -> Result<Self, OpenError> {
        make_file(path).map_err(|source| sqlite::file_error(path, source))?;
        let mut conn = sqlite::connect(path, Access::Write)?;
        if sqlite::tables(&mut conn, path, MARKS)? == Tables::Foreign {
            return Err(OpenError::NotOurs { path: path.into() });
        }
        sqlite::settle_in(&mut conn)?;
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
        let mut conn = sqlite::connect_existing(path, Access::Write, MARKS)?;
        sqlite::settle_in(&mut conn)?;
        if sqlite::has_pending(&mut conn, &MIGRATIONS, path)? {
            conn.immediate_transaction(|conn| migrate(conn, path))?;
        }
        Self::checked(conn, path, code)
    }

    /// Opens a database that is there, only to read it.
    ///
    /// # Errors
    /// When there is none, when it is another branch's, when it can't be opened, or when it needs a newer schema first.
    pub fn open_read_only(path: &Path, code: Option<&BranchCode>) -> Result<Self, OpenError> {
        let mut conn = sqlite::connect_existing(path, Access::Read, MARKS)?;
        if sqlite::has_pending(&mut conn, &MIGRATIONS, path)? {
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
                    product_names: ProductNames::default(),
                })
            }
        }
    }
}

fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    sqlite::migrate(conn, MIGRATIONS, path)?;
    sqlite::has_pending(conn, &MIGRATIONS, path).map(|_| ())
}

fn branch_code(conn: &mut SqliteConnection) -> Result<Option<BranchCode>, StoreError> {
    let text: Option<String> = branch::table.select(branch::code).first(conn).optional()?;
    text.map(|text| BranchCode::parse(&text).map_err(|error| StoreError::nonsense(error.to_string())))
        .transpose()
}

/// Makes the file, and lets its group write it if the group may write its folder: SQLite gives -wal and -shm the same permissions.
fn make_file(path: &Path) -> io::Result<()> {
    let folder = sqlite::folder_of(path);
    sqlite::make_folders(folder)?;
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
