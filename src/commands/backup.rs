//! `branchline backup`: a copy of the database of one moment, made while it is in use, checked before it gets its name.

use std::path::Path;

use super::{CommandError, Console, Exit};
use crate::store::BackupError;
use crate::text::Text;

/// `write` makes the backup and tells its size in bytes.
pub(super) fn run(
    file: &Path,
    write: impl FnOnce(&Path) -> Result<u64, BackupError>,
    console: &mut Console<'_>,
) -> Result<Exit, CommandError> {
    let size = Text::english().megabytes(write(file)?);
    console.say(&format!("Backed up to {} ({size}), and checked.", file.display()))?;
    Ok(Exit::Done)
}
