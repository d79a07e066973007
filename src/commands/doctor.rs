//! `branchline doctor`: looks at the branch's database and its surroundings, and says of each thing whether it is well and what to do if not.
//!
//! Here the facts are gathered; what they mean is said in [`findings`].

mod findings;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use findings::{Facts, SharedFile};

use super::{CommandError, Console, Exit};
use crate::clock;
use crate::config::Settings;
use crate::store::branch::{BranchDb, WorkerLock};

pub(super) fn run(db: &mut BranchDb, settings: &Settings, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let facts = gather(db, settings)?;
    let found = findings::of(&facts);
    for finding in &found {
        for line in finding.lines() {
            console.say(&line)?;
        }
    }
    let is_well = found.iter().all(findings::Finding::is_well);
    Ok(if is_well { Exit::Done } else { Exit::Attention })
}

fn gather(db: &mut BranchDb, settings: &Settings) -> Result<Facts, CommandError> {
    let path = db.path().to_owned();
    let looked_at = |error: io::Error| CommandError::Surroundings {
        path: path.clone(),
        source: error,
    };
    Ok(Facts {
        path: path.clone(),
        damage: db.integrity()?,
        audit: db.audit()?,
        status: db.status()?,
        now: clock::wall(),
        events: db.log_tail(u32::MAX)?,
        worker_holds_lock: worker_holds_lock(&path).map_err(looked_at)?,
        shared_files: shared_files(&path).map_err(looked_at)?,
        free_bytes: free_bytes(&path).map_err(looked_at)?,
        broker: settings.broker.to_string(),
        broker_is_exposed: settings.broker.is_exposed(),
    })
}

/// Whether some program holds the worker's lock. Without a lock file nobody ever has.
fn worker_holds_lock(database: &Path) -> io::Result<bool> {
    if !WorkerLock::path_of(database).try_exists()? {
        return Ok(false);
    }
    Ok(WorkerLock::try_take(database)?.is_none())
}

/// The database's files, if they are in a folder whose group shares them.
fn shared_files(database: &Path) -> io::Result<Vec<SharedFile>> {
    const GROUP_WRITES: u32 = 0o020;
    let folder = folder_of(database);
    if folder.metadata()?.mode() & GROUP_WRITES == 0 {
        return Ok(Vec::new());
    }
    let name = |suffix: &str| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut files = Vec::new();
    for path in [name(""), name("-wal"), name("-shm"), WorkerLock::path_of(database)] {
        match path.metadata() {
            Ok(metadata) => files.push(SharedFile {
                path,
                group_writes: metadata.mode() & GROUP_WRITES != 0,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

fn free_bytes(database: &Path) -> io::Result<u64> {
    let volume = rustix::fs::statvfs(folder_of(database))?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
