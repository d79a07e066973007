//! The lock that elects the one program which runs the sync worker of a database.
//!
//! It keeps two workers from doing the same work; nothing depends on it for being right. It is a file beside the database: opening and closing the
//! database's own file would drop SQLite's locks.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::open::group_may_write;

/// The election, won for as long as this value lives; the system gives the lock up when the process ends in whatever way.
#[derive(Debug)]
pub struct WorkerLock {
    _file: File,
}

impl WorkerLock {
    /// Where the lock of a database is.
    #[must_use]
    pub fn path_of(database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(".worker-lock");
        name.into()
    }

    /// Tries to win the election; `None` while another program has it.
    ///
    /// # Errors
    /// When the lock's file can't be made or opened.
    pub fn try_take(database: &Path) -> io::Result<Option<Self>> {
        let path = Self::path_of(database);
        let options = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).mode(0o660);
            options
        };
        let file = match options().create_new(true).open(&path) {
            Ok(file) => {
                if group_may_write(
                    path.parent()
                        .filter(|folder| !folder.as_os_str().is_empty())
                        .unwrap_or(Path::new(".")),
                )? {
                    file.set_permissions(Permissions::from_mode(0o660))?;
                }
                file
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options().open(&path)?,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
