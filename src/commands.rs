//! What the program does without a screen, one file a command. Commands open the branch's database, do one thing, say what came of it, and end.
//!
//! A command writes to the [`Console`] that it is given, so that tests read what a person would. What keeps running (the screen, the worker, head office)
//! is not here but in [`crate::app`].

mod add;
mod backup;
mod completions;
mod doctor;
mod edit;
mod export;
mod import;
mod man;
mod overview;
mod products;
mod quarantine;
mod records;
mod resend;
mod status;
mod terminal;
mod void;

use std::io::{self, Write};
use std::path::PathBuf;

pub use export::ExportFileError;
pub use import::ImportError;
pub use records::TableError;
pub use terminal::run_here;

use crate::clock;
use crate::config::{ConfigError, Errand, Settings};
use crate::domain::draft::{Defaults, FieldError};
use crate::domain::ids::{BranchCode, SaleId};
use crate::domain::sale::Sale;
use crate::domain::time::wall_text;
use crate::hq::ReplayError;
use crate::shutdown::Shutdown;
use crate::store::branch::{BranchDb, ChangeError};
use crate::store::hq::HqDb;
use crate::store::{BackupError, OpenError, StoreError};
use crate::text::Text;

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked, and all is as it should be: exit code 0.
    Done,
    /// Something wants attention: sales are ahead, something is broken, or the command was stopped: exit code 1.
    Attention,
}

impl Exit {
    /// The exit code of the process; errors are 2.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Attention => 1,
        }
    }
}

/// A question to the person at the terminal; the answer is whether they said yes.
pub type Ask<'a> = Box<dyn FnMut(&str) -> io::Result<bool> + 'a>;

/// Where a command speaks and listens.
pub struct Console<'a> {
    /// What the command has to say goes here.
    pub out: &'a mut dyn Write,
    /// Asks the person; `None` if nobody is there.
    pub ask: Option<Ask<'a>>,
    /// Whether to draw a progress bar on stderr.
    pub progress: bool,
    /// The request to stop, looked at between transactions; `None` if nobody can make one.
    pub shutdown: Option<Shutdown>,
}

impl Console<'_> {
    fn is_asked_to_stop(&self) -> bool {
        self.shutdown.as_ref().is_some_and(Shutdown::is_requested)
    }

    fn say(&mut self, sentence: &str) -> Result<(), CommandError> {
        writeln!(self.out, "{sentence}").map_err(CommandError::Terminal)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration doesn't say enough.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no database at the place where it should be.
    #[error("no database here: {} is not there; make it with --create, or name another with --db", path.display())]
    NoDatabase {
        /// The place.
        path: PathBuf,
    },
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sale could not be changed.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Fields break the rules of a sale.
    #[error("nothing is saved: {}", sentences.join(" "))]
    Fields {
        /// What is wrong with each.
        sentences: Vec<String>,
    },
    /// An edit without a change.
    #[error("nothing to change in sale {0}: give a field, e.g. --qty 3")]
    NoChange(SaleId),
    /// A command that changes something, and `--read-only`.
    #[error("nothing may be changed here: leave out --read-only")]
    ReadOnly,
    /// A file can't be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A file is no table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file of products lacks a column.
    #[error("the file has no column `{0}`: it needs the columns code, name and cost")]
    NoColumn(&'static str),
    /// No backup was made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A file can't be written.
    #[error(transparent)]
    Export(#[from] ExportFileError),
    /// A message can't be taken out of the quarantine.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// There is no such message in the quarantine.
    #[error("the quarantine has no message {0}: `branchline quarantine list` shows those it has")]
    NoMessage(i64),
    /// The folder of the database can't be looked at.
    #[error("the surroundings of {} can't be looked at", path.display())]
    Surroundings {
        /// The database.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nothing can be read from or written to the terminal, or whatever stands in for it.
    #[error("the output can't be written")]
    Terminal(#[source] io::Error),
}

/// Runs a command to its end.
///
/// # Errors
/// When the command could not do what it was asked; the sentence says what the person can do.
pub fn run(errand: &Errand, settings: &Settings, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let exit = match errand {
        Errand::Add(draft) => add::run(&mut open_to_write(settings)?, draft, settings, console),
        Errand::Edit { id, changes } => edit::run(&mut open_to_write(settings)?, *id, changes, settings, console),
        Errand::Void(id) => void::run(&mut open_to_write(settings)?, *id, console),
        Errand::Import(task) => import::run(&mut open_to_write(settings)?, task, settings, console),
        Errand::ImportProducts(file) => products::run(&mut open_to_write(settings)?, file, console),
        Errand::Export(task) => export::run(&mut open(settings)?, task, console),
        Errand::Status { json } => status::run(&mut open(settings)?, *json, console),
        Errand::Backup(file) => {
            let mut db = open(settings)?;
            backup::run(file, |file| db.backup(file), console)
        }
        Errand::BackupHq(file) => {
            let mut db = open_hq(settings)?;
            backup::run(file, |file| db.backup(file), console)
        }
        Errand::Resend(days) => resend::run(&mut open_to_write(settings)?, *days, console),
        Errand::Doctor => doctor::run(open(settings), settings, console),
        Errand::Overview { json } => overview::run(&mut open_hq(settings)?, *json, console),
        Errand::Quarantine(task) => quarantine::run(&mut open_hq(settings)?, *task, settings, console),
        Errand::Completions(shell) => completions::run(*shell, console),
        Errand::Man => man::run(console),
    };
    match exit {
        // Whoever reads has seen enough.
        Err(CommandError::Terminal(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        exit => exit,
    }
}

/// Opens the branch's database; `--create` makes it if it isn't there.
fn open(settings: &Settings) -> Result<BranchDb, CommandError> {
    let path = settings.database()?;
    let code = settings.branch.as_ref();
    let opened = if settings.read_only {
        BranchDb::open_read_only(path, code)
    } else {
        BranchDb::open(path, code)
    };
    match (opened, code) {
        (Err(OpenError::NoDatabase { .. }), Some(code)) if settings.create && !settings.read_only => {
            Ok(BranchDb::create(path, code, clock::random(), clock::wall())?)
        }
        (Err(OpenError::NoDatabase { .. }), None) if settings.create => Err(settings.no_branch().into()),
        (Err(OpenError::NoDatabase { path }), _) => Err(CommandError::NoDatabase { path }),
        (opened, _) => Ok(opened?),
    }
}

/// Opens head office's database; `--create` makes it if it isn't there.
fn open_hq(settings: &Settings) -> Result<HqDb, CommandError> {
    let path = settings.database()?;
    match HqDb::open(path) {
        Err(OpenError::NoDatabase { .. }) if settings.create && !settings.read_only => {
            Ok(HqDb::create(path, clock::random(), clock::wall())?)
        }
        Err(OpenError::NoDatabase { path }) => Err(CommandError::NoDatabase { path }),
        opened => Ok(opened?),
    }
}

fn open_to_write(settings: &Settings) -> Result<BranchDb, CommandError> {
    if settings.read_only {
        return Err(CommandError::ReadOnly);
    }
    open(settings)
}

/// What stands in for fields that are left empty.
fn defaults(settings: &Settings, branch: &BranchCode) -> Defaults {
    Defaults {
        date: clock::local(),
        region: settings.home_region(branch),
        tax_rate: settings.tax_rate,
    }
}

fn wrong_fields(errors: &[FieldError]) -> CommandError {
    CommandError::Fields {
        sentences: import::field_sentences(errors, &Text::english()),
    }
}

/// A sale in one line: `sale 42: 2026-11-22 14:07:31, 6 x PENS at 3.39, tax 4.07, total 24.41, East (revision 1)`.
fn in_one_line(sale: &Sale) -> String {
    let content = &sale.content;
    format!(
        "sale {}: {}, {} x {} at {}, tax {}, total {}, {} (revision {})",
        sale.id,
        wall_text(content.date),
        content.qty,
        content.product,
        content.cost,
        content.tax,
        content.total(),
        content.region,
        sale.revision
    )
}

#[cfg(test)]
mod tests;
