//! Reads the command line and the configuration, does what they say, and turns the outcome into an exit code.

use std::process::ExitCode;

use branchline::cli::Cli;
use branchline::config::{self, Task};
use branchline::domain::sale::clean;
use branchline::{commands, config::Settings};
use clap::Parser;

/// The exit code of an error; so is that of a command line that can't be read.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // A path or a name in the message must not move anybody's cursor.
            eprintln!("branchline: {}", clean(&format!("{error:#}")));
            ExitCode::from(FAILED)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let settings: Settings = config::load(cli)?;
    match &settings.task {
        Task::Errand(errand) => Ok(ExitCode::from(commands::run_here(errand, &settings)?.code())),
        Task::Screen | Task::Worker | Task::Hq => anyhow::bail!("not put together yet"),
    }
}
