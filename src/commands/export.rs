//! `branchline export`: writes the sales out as CSV or JSON lines, with exact decimals.
//!
//! A file appears under its name only when it is complete. Rows are streamed, however many there are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::status::rfc3339;
use super::{CommandError, Console, Exit};
use crate::config::{ExportTask, Format};
use crate::domain::read::SaleRow;
use crate::domain::time::wall_text;
use crate::store::branch::{BranchDb, ExportError};

/// Why the sales can't be written to a file.
#[derive(Debug, thiserror::Error)]
#[error("the sales can't be written to {}", path.display())]
pub struct ExportFileError {
    path: PathBuf,
    source: io::Error,
}

pub(super) fn run(db: &mut BranchDb, task: &ExportTask, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let Some(path) = &task.output else {
        let mut out = BufWriter::new(&mut *console.out);
        write_all(db, task, &mut out, CommandError::Terminal)?;
        return Ok(Exit::Done);
    };
    let failed = |source| ExportFileError {
        path: path.clone(),
        source,
    };
    let part = Part::create(path).map_err(failed)?;
    let mut out = BufWriter::new(&part.file);
    let sales = write_all(db, task, &mut out, |source| failed(source).into())?;
    drop(out);
    part.finish().map_err(failed)?;
    console.say(&format!("{sales} sales written to {}.", path.display()))?;
    Ok(Exit::Done)
}

fn write_all(
    db: &mut BranchDb,
    task: &ExportTask,
    out: &mut dyn Write,
    failed: impl Fn(io::Error) -> CommandError,
) -> Result<u64, CommandError> {
    let written = match task.format {
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(&mut *out);
            writer.write_record(HEADER).map_err(|error| failed(error.into()))?;
            let written = db.export(task.days.from, task.days.to, &mut |row| {
                Ok(writer.write_record(cells(&row))?)
            });
            writer.flush().map_err(&failed)?;
            written
        }
        Format::JsonLines => db.export(task.days.from, task.days.to, &mut |row| {
            serde_json::to_writer(&mut *out, &JsonRow::of(&row))?;
            out.write_all(b"\n")
        }),
    };
    let written = written.map_err(|error| match error {
        ExportError::Store(error) => error.into(),
        ExportError::Write(error) => failed(error),
    })?;
    out.flush().map_err(failed)?;
    Ok(written)
}

/// The columns; those of a sale's content have the names that `import` looks for.
const HEADER: [&str; 15] = [
    "id",
    "revision",
    "date",
    "product",
    "region",
    "qty",
    "cost",
    "tax",
    "amount",
    "total",
    "created_at",
    "updated_at",
    "deleted_at",
    "sync",
    "ledger",
];

fn cells(row: &SaleRow) -> [String; HEADER.len()] {
    let (sale, content) = (&row.sale, &row.sale.content);
    [
        sale.id.to_string(),
        sale.revision.to_string(),
        wall_text(content.date),
        guarded(&content.product),
        guarded(&content.region),
        content.qty.to_string(),
        content.cost.to_string(),
        content.tax.to_string(),
        content.amount().to_string(),
        content.total().to_string(),
        rfc3339(sale.created_at),
        rfc3339(sale.updated_at),
        sale.deleted_at.map(rfc3339).unwrap_or_default(),
        row.sync.kind().word().to_owned(),
        sale.ledger.to_string(),
    ]
}

/// A text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it.
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// A sale as JSON has it. Money is text, so that it stays exact.
#[derive(Serialize)]
struct JsonRow<'a> {
    id: i64,
    revision: u32,
    date: String,
    product: &'a str,
    region: &'a str,
    qty: u32,
    cost: String,
    tax: String,
    amount: String,
    total: String,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
    sync: &'static str,
    ledger: String,
}

impl<'a> JsonRow<'a> {
    fn of(row: &'a SaleRow) -> Self {
        let (sale, content) = (&row.sale, &row.sale.content);
        Self {
            id: sale.id.get(),
            revision: sale.revision.get(),
            date: wall_text(content.date),
            product: &content.product,
            region: &content.region,
            qty: content.qty,
            cost: content.cost.to_string(),
            tax: content.tax.to_string(),
            amount: content.amount().to_string(),
            total: content.total().to_string(),
            created_at: rfc3339(sale.created_at),
            updated_at: rfc3339(sale.updated_at),
            deleted_at: sale.deleted_at.map(rfc3339),
            sync: row.sync.kind().word(),
            ledger: sale.ledger.to_string(),
        }
    }
}

/// A file that is not complete yet, beside the one that it will be.
struct Part {
    file: File,
    here: PathBuf,
    there: PathBuf,
    is_complete: bool,
}

impl Part {
    fn create(there: &Path) -> io::Result<Self> {
        let mut here = there.as_os_str().to_owned();
        here.push(format!(".part-{}", std::process::id()));
        let here = PathBuf::from(here);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&here)?;
        Ok(Self {
            file,
            here,
            there: there.to_owned(),
            is_complete: false,
        })
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.here, &self.there)?;
        self.is_complete = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_complete {
            // Best effort: why it isn't complete has been said.
            let _ = fs::remove_file(&self.here);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_like_a_formula_is_guarded() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        assert_eq!(guarded("PENS = 3"), "PENS = 3");
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sales.csv");
        fs::write(&path, "before").unwrap();
        drop(Part::create(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        let mut part = Part::create(&path).unwrap();
        part.file.write_all(b"after").unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
