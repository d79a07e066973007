//! `branchline doctor`: looks at the branch's database and its surroundings, and says of each thing whether it is well and what to do if not.
//!
//! Here the facts are gathered; what they mean is said in [`findings`].

mod findings;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use findings::{Facts, Finding, SharedFile};

use super::{CommandError, Console, Exit};
use crate::clock;
use crate::config::Settings;
use crate::domain::event::LinkTrouble;
use crate::domain::ids::BranchCode;
use crate::domain::trouble::with_causes;
use crate::store::branch::{BranchDb, WorkerLock};
use crate::store::{OpenError, StoreError};
use crate::transport::amqp::BranchAmqp;

/// What the broker said when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reached {
    /// It lets this branch in and has a place for its sales.
    Yes {
        /// How many programs take this branch's receipts.
        receivers: u32,
    },
    /// It doesn't, or nobody is there.
    No(LinkTrouble),
    /// It could not be asked: the configuration is wrong.
    NotAsked(String),
}

pub(super) fn run(
    opened: Result<BranchDb, CommandError>,
    settings: &Settings,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let found = match opened {
        Ok(mut db) => examine(&mut db, settings)?,
        Err(CommandError::Open(OpenError::Store(error @ StoreError::Damaged(_)))) => {
            vec![findings::file(settings.database()?, &[with_causes(&error)])]
        }
        Err(error) => return Err(error),
    };
    for finding in &found {
        for line in finding.lines() {
            console.say(&line)?;
        }
    }
    let is_well = found.iter().all(Finding::is_well);
    Ok(if is_well { Exit::Done } else { Exit::Attention })
}

fn examine(db: &mut BranchDb, settings: &Settings) -> Result<Vec<Finding>, CommandError> {
    let path = db.path().to_owned();
    let damage = match db.integrity() {
        Ok(damage) => damage,
        // So damaged that SQLite can't even look through it.
        Err(error @ StoreError::Damaged(_)) => vec![with_causes(&error)],
        Err(error) => return Err(error.into()),
    };
    match gather(db, settings, damage.clone()) {
        Ok(facts) => Ok(findings::of(&facts)),
        // The rest can't be read because of what is found already.
        Err(CommandError::Store(_)) if !damage.is_empty() => Ok(vec![findings::file(&path, &damage)]),
        Err(error) => Err(error),
    }
}

fn gather(db: &mut BranchDb, settings: &Settings, damage: Vec<String>) -> Result<Facts, CommandError> {
    let path = db.path().to_owned();
    let looked_at = |error: io::Error| CommandError::Surroundings {
        path: path.clone(),
        source: error,
    };
    Ok(Facts {
        path: path.clone(),
        damage,
        sqlite: db.sqlite_version()?,
        audit: db.audit()?,
        status: db.status()?,
        now: clock::wall(),
        events: db.log_tail(u32::MAX)?,
        worker_holds_lock: worker_holds_lock(&path).map_err(looked_at)?,
        read_only_files: read_only_files(&path),
        shared_files: shared_files(&path).map_err(looked_at)?,
        free_bytes: room(&path)?,
        broker: settings.broker.to_string(),
        broker_is_exposed: settings.broker.is_exposed(),
        reached: reach(settings, db.branch())?,
    })
}

/// Asks the broker itself, beside whatever worker may run.
fn reach(settings: &Settings, branch: &BranchCode) -> Result<Reached, CommandError> {
    let address = match settings.broker.address(branch.as_str()) {
        Ok(address) => address,
        Err(error) => return Ok(Reached::NotAsked(error.to_string())),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(CommandError::Terminal)?;
    let asked = runtime.block_on(BranchAmqp::new(address, branch.clone(), clock::wall(), None).probe());
    // A look-up of the host's name can't be told to stop, and may take minutes.
    runtime.shutdown_background();
    Ok(asked.map_or_else(Reached::No, |receivers| Reached::Yes { receivers }))
}

/// The database's files, and its folder, where this user may not write them.
fn read_only_files(database: &Path) -> Vec<PathBuf> {
    let mut files = files_of(database);
    files.push(folder_of(database).to_owned());
    files.retain(|path| {
        let may_write = rustix::fs::access(path, rustix::fs::Access::WRITE_OK);
        may_write.is_err_and(|error| error != rustix::io::Errno::NOENT)
    });
    files
}

/// All files that a database may have.
fn files_of(database: &Path) -> Vec<PathBuf> {
    let name = |suffix: &str| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    vec![name(""), name("-wal"), name("-shm"), WorkerLock::path_of(database)]
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
    let mut files = Vec::new();
    for path in files_of(database) {
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

/// How many bytes are free on the disk of a database.
pub(super) fn room(database: &Path) -> Result<u64, CommandError> {
    let volume = rustix::fs::statvfs(folder_of(database)).map_err(|error| CommandError::Surroundings {
        path: database.to_owned(),
        source: error.into(),
    })?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
