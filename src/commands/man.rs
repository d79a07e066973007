//! `branchline man`: the manual page, with a page for each command behind it.

use clap::Command;
use clap_mangen::Man;

use super::{CommandError, Console, Exit};
use crate::cli::Cli;

pub(super) fn run(console: &mut Console<'_>) -> Result<Exit, CommandError> {
    let mut definition = Cli::definition();
    definition.build();
    write_pages(&definition, console)?;
    Ok(Exit::Done)
}

fn write_pages(command: &Command, console: &mut Console<'_>) -> Result<(), CommandError> {
    let page = Man::new(command.clone());
    page.render(&mut console.out).map_err(CommandError::Terminal)?;
    let is_ours = |sub: &&Command| sub.get_name() != "help";
    for sub in command.get_subcommands().filter(is_ours) {
        write_pages(sub, console)?;
    }
    Ok(())
}
