//! The composition root: puts the modules together for what this run is to do, and decides nothing else.

mod branch;
mod clerk;
mod head_office;
mod screen_name;
mod waiting;

use anyhow::Context;

use crate::cli::Cli;
use crate::commands;
use crate::config::{self, LogFormat, Settings, Task};
use crate::telemetry;

/// Does what the command line asks for, and returns the exit code: 0 done, 1 something wants attention.
///
/// # Errors
/// When it could not be done; the exit code is 2 then.
pub fn run(cli: &Cli) -> anyhow::Result<u8> {
    let settings = config::load(cli)?;
    match &settings.task {
        Task::Errand(errand) => Ok(commands::run_here(errand, &settings)?.code()),
        Task::Screen => runtime(1)?.block_on(branch::screen(settings)),
        Task::Worker => {
            log_to_stderr(&settings)?;
            runtime(1)?.block_on(branch::worker(&settings))
        }
        Task::Hq => {
            log_to_stderr(&settings)?;
            runtime(2)?.block_on(head_office::serve(&settings))
        }
    }
}

/// A branch has one connection's worth of work for its tasks, and each further worker is woken for nothing now and then; head office serves many branches.
fn runtime(workers: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(workers)
        .enable_all()
        .build()
        .context("the program's tasks can't be started")
}

fn log_to_stderr(settings: &Settings) -> anyhow::Result<()> {
    match settings.log_format {
        LogFormat::Human => telemetry::to_stderr()?,
        LogFormat::Json => telemetry::to_stderr_as_json()?,
    }
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}
