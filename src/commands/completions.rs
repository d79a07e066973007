//! `branchline completions`: a completion script for a shell.

use clap_complete::{Shell, generate};

use super::{CommandError, Console, Exit};
use crate::cli::Cli;

pub(super) fn run(shell: Shell, console: &mut Console<'_>) -> Result<Exit, CommandError> {
    // The generator panics when it can't write, so it writes to memory.
    let mut script = Vec::new();
    generate(shell, &mut Cli::definition(), "branchline", &mut script);
    console.out.write_all(&script).map_err(CommandError::Terminal)?;
    Ok(Exit::Done)
}
