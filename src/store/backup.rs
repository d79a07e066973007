//! A backup of a database while it is in use: a copy of one moment, that is on the disk and has been checked before it gets its name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::sqlite::{self, Access};
use super::{OpenError, StoreError};

/// Why no backup was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of this name, perhaps an older backup.
    #[error("{} is there already, and no backup is written over another file: name a new one, e.g. with the date in it", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// The file can't be written.
    #[error("the backup can't be written to {}: check the folder, the room on its disk and who may write there", path.display())]
    File {
        /// The name.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The copy is not sound, so the database itself may not be.
    #[error("the copy is damaged, so no backup was made; `branchline doctor` checks the database itself: {0}")]
    Damaged(String),
    /// The copy can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database can't be copied.
    #[error("the database can't be copied")]
    Store(#[from] StoreError),
}

/// A copy that has no name yet; it goes away unless it gets one.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // Best effort: what matters is that it never had the backup's name.
        let _ = fs::remove_file(&self.0);
    }
}

/// Copies the database behind a connection to a new file that only its owner reads; returns its size in bytes.
///
/// Others read and write the database meanwhile. What they commit after the copy has begun is not in it.
///
/// # Errors
/// When a file of this name is there, when it can't be written, or when the copy is not sound.
pub(super) fn write(conn: &mut SqliteConnection, path: &Path) -> Result<u64, BackupError> {
    let exists = || BackupError::Exists { path: path.into() };
    let failed = |source: io::Error| BackupError::File {
        path: path.into(),
        source,
    };
    if path.try_exists().map_err(failed)? {
        return Err(exists());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    let draft = Draft(path.with_file_name(name));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft.0)
        .map_err(failed)?;
    copy(conn, &draft.0)?;
    file.sync_all().map_err(failed)?;
    check(&draft.0)?;
    match sqlite::name(&draft.0, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists()),
        named => named.map_err(failed)?,
    }
    drop(draft);
    let synced = File::open(sqlite::folder_of(path)).and_then(|folder| folder.sync_all());
    synced.map_err(failed)?;
    Ok(file.metadata().map_err(failed)?.len())
}

fn copy(conn: &mut SqliteConnection, to: &Path) -> Result<(), StoreError> {
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(sqlite::uri(to, Access::Write))
        .execute(conn)?;
    Ok(())
}

fn check(copy: &Path) -> Result<(), BackupError> {
    let mut conn = sqlite::connect(copy, Access::Read)?;
    match sqlite::integrity(&mut conn)?.into_iter().next() {
        Some(line) => Err(BackupError::Damaged(line)),
        None => Ok(()),
    }
}
