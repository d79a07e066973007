//! Reads the command line and the configuration, does what they say, and turns the outcome into an exit code.

use std::process::ExitCode;

use branchline::app;
use branchline::cli::Cli;
use branchline::domain::sale::clean;
use clap::Parser;

/// The exit code of an error; so is that of a command line that can't be read.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match app::run(&Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // A path or a name in the message must not move anybody's cursor.
            eprintln!("branchline: {}", clean(&format!("{error:#}")));
            ExitCode::from(FAILED)
        }
    }
}
