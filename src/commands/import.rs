//! `branchline import`: takes in the sales of a CSV file, in bounded memory, and goes on where it was interrupted.
//!
//! The file is known by its digest, so that it may be renamed or moved between two runs. Each transaction takes some sales and records the last line
//! that it has dealt with; refused lines are on the disk before that. What a line means is in [`columns`], how a file is cut into records in
//! [`super::records`].

mod columns;
mod pace;
mod refused;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

pub(super) use columns::field_sentences;
use columns::{Columns, LineProblem};
use pace::Pace;
use refused::{RefusedFile, RefusedLine};

use super::records::{Content, Piece, Records, TableError, shown};
use super::{CommandError, Console, Exit, defaults};
use crate::clock;
use crate::config::{ImportTask, Settings};
use crate::domain::draft::Defaults;
use crate::domain::sale::SaleContent;
use crate::store::StoreError;
use crate::store::branch::BranchDb;
use crate::text::Text;

/// After how many refused lines a transaction is made even if it takes few sales.
const MAX_REFUSED_AT_ONCE: usize = 1_000;
/// How often a transaction is tried while other programs write all the time; each try waits some seconds.
const MAX_TRIES: u32 = 12;
/// Why a file can't be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file of refused lines can't be written.
    #[error("the refused lines can't be written to {}: make room there, then run the same command again; it goes on", path.display())]
    Refused {
        /// Where they should go.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A field has no column, or several.
    #[error(
        "the file has {} `{column}` for {field}; its columns are {columns}: use --map FIELD=COLUMN,...",
        if *found == 0 { "no column".to_owned() } else { format!("{found} columns") }
    )]
    Column {
        /// The field.
        field: &'static str,
        /// The column that was looked for.
        column: String,
        /// How many there are.
        found: usize,
        /// The columns of the file.
        columns: String,
    },
    /// The file was imported before.
    #[error("{} was imported before, and its sales would be there twice; use --again if that is right", path.display())]
    Finished {
        /// Which.
        path: PathBuf,
    },
}

/// One import under way.
struct Import<'a> {
    db: &'a mut BranchDb,
    digest: [u8; 32],
    columns: Columns,
    defaults: Defaults,
    text: Text,
    refused_file: RefusedFile,
    pace: Pace,
    /// What the next transaction takes.
    sales: Vec<SaleContent>,
    /// What the file of refused lines gets before it.
    refused: Vec<RefusedLine>,
    last_line: u64,
    taken: u64,
}

/// Takes in a file.
pub(super) fn run(
    db: &mut BranchDb,
    task: &ImportTask,
    settings: &Settings,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let unreadable = TableError::unreadable(&task.file);
    let mut file = File::open(&task.file).map_err(&unreadable)?;
    let length = file.metadata().map_err(&unreadable)?.len();
    let digest = digest(&mut file, length).map_err(&unreadable)?;
    file.rewind().map_err(&unreadable)?;
    let Some(after_line) = where_to_begin(db, &digest, task, console)? else {
        return Ok(Exit::Attention);
    };
    // What is added to the file while it is being read has no part in the digest, and so none in the import.
    let mut records = Records::new(BufReader::with_capacity(1 << 16, file.take(length))).map_err(&unreadable)?;
    let header = records.header(&task.file)?;
    let columns = Columns::find(&header, &task.map)?;
    let refused_file = refused_file(&task.file, header, after_line)?;
    let mut import = Import {
        defaults: defaults(settings, db.branch()),
        db,
        digest,
        columns,
        text: Text::english(),
        refused_file,
        pace: Pace::start(),
        sales: Vec::new(),
        refused: Vec::new(),
        last_line: after_line,
        taken: 0,
    };
    let bar = progress_bar(console, length);
    while let Some(piece) = records.next().map_err(&unreadable)? {
        if piece.line <= after_line {
            continue;
        }
        import.take(piece);
        if import.is_full() {
            import.commit(false)?;
            bar.set_position(records.bytes_read());
            if console.is_asked_to_stop() {
                drop(bar);
                return import.say_stopped(console);
            }
        }
    }
    import.commit(true)?;
    drop(bar);
    import.say_done(console, after_line)
}

impl Import<'_> {
    fn take(&mut self, piece: Piece) {
        self.last_line = piece.line;
        let refused = match piece.content {
            Content::Record(record) => match self.columns.sale(&record, &self.defaults) {
                Ok(sale) => return self.sales.push(sale),
                Err(problem) => (problem, record),
            },
            Content::Unclosed(line) => (LineProblem::Unclosed, shown(&line)),
            Content::TooLong(line) => (LineProblem::TooLong, shown(&line)),
        };
        self.refused.push(RefusedLine {
            line: piece.line,
            reason: refused.0.sentence(&self.text),
            fields: refused.1,
        });
    }

    fn is_full(&self) -> bool {
        self.sales.len() >= self.pace.rows() || self.refused.len() >= MAX_REFUSED_AT_ONCE
    }

    /// Writes down what has been read: the refused lines first, so that none is lost, then the sales.
    fn commit(&mut self, finished: bool) -> Result<(), CommandError> {
        self.refused_file
            .append(&self.refused)
            .map_err(|source| ImportError::Refused {
                path: self.refused_file.path().to_owned(),
                source,
            })?;
        let began = clock::tick();
        self.write(finished)?;
        let pause = self.pace.took(self.sales.len(), clock::tick().since(began));
        self.taken += self.sales.len() as u64;
        self.sales.clear();
        self.refused.clear();
        if !finished {
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Takes the sales into the database. A till that is never still may keep us waiting, but not for ever.
    fn write(&mut self, finished: bool) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            let written = self
                .db
                .import_chunk(&self.digest, &self.sales, self.last_line, finished, clock::wall());
            match written {
                Err(error) if error.is_transient() && tries < MAX_TRIES => tries += 1,
                written => return written,
            }
        }
    }

    fn say_stopped(&self, console: &mut Console<'_>) -> Result<Exit, CommandError> {
        let (taken, line) = (
            self.text.count(self.taken.into()),
            self.text.count(self.last_line.into()),
        );
        console.say(&format!(
            "Stopped after line {line}; {taken} sales taken so far. The same command goes on from there."
        ))?;
        Ok(Exit::Attention)
    }

    fn say_done(&self, console: &mut Console<'_>, after_line: u64) -> Result<Exit, CommandError> {
        let count = |count: u64| self.text.count(count.into());
        if after_line > 0 {
            console.say(&format!("Went on after line {}.", count(after_line)))?;
        }
        let refused = self.refused_file.lines();
        let summary = format!("{} sales taken, {} lines refused", count(self.taken), count(refused));
        console.say(&match refused {
            0 => format!("{summary}."),
            _ => format!("{summary}; see {}.", self.refused_file.path().display()),
        })?;
        Ok(Exit::Done)
    }
}

/// The line after which to begin: 0 for a new file. `None` if the file was imported before and shall not be again.
fn where_to_begin(
    db: &mut BranchDb,
    digest: &[u8; 32],
    task: &ImportTask,
    console: &mut Console<'_>,
) -> Result<Option<u64>, CommandError> {
    let Some(progress) = db.import_progress(digest)? else {
        return Ok(Some(0));
    };
    if !progress.finished {
        return Ok(Some(progress.last_line));
    }
    let question = format!(
        "{} was imported before, and its sales would be there twice. Import it again?",
        task.file.display()
    );
    let wanted = match (&mut console.ask, task.again) {
        (_, true) => true,
        (Some(ask), false) => ask(&question).map_err(CommandError::Terminal)?,
        (None, false) => {
            return Err(ImportError::Finished {
                path: task.file.clone(),
            }
            .into());
        }
    };
    if wanted {
        db.import_again(digest)?;
    }
    Ok(wanted.then_some(0))
}

fn refused_file(path: &Path, header: ByteRecord, after_line: u64) -> Result<RefusedFile, ImportError> {
    let path = RefusedFile::path_for(path);
    let opened = match after_line {
        0 => RefusedFile::begin(path.clone(), header),
        _ => RefusedFile::resume(path.clone(), header, after_line),
    };
    opened.map_err(|source| ImportError::Refused { path, source })
}

fn digest(file: &mut File, length: u64) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let mut file = file.take(length);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            read => {
                hasher.update(&buffer[..read]);
            }
        }
    }
}

fn progress_bar(console: &Console<'_>, length: u64) -> ProgressBar {
    if !console.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes}/{total_bytes}  {eta} left")
        .expect("the template is a constant")
        .progress_chars("#>-");
    ProgressBar::new(length)
        .with_style(style)
        .with_finish(ProgressFinish::AndClear)
}
