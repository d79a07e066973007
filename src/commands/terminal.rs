//! The console of a person at a terminal, or of a script that stands in for one.

use std::io::{self, BufRead, IsTerminal, Write};
use std::thread;

use super::{Ask, CommandError, Console, Exit, run};
use crate::config::{Errand, Settings};
use crate::shutdown::{self, Shutdown};

/// Runs a command on this process's own terminal: standard output, questions where somebody can answer them, Ctrl-C as a request to stop.
///
/// # Errors
/// When the command could not do what it was asked; the sentence says what the person can do.
pub fn run_here(errand: &Errand, settings: &Settings) -> Result<Exit, CommandError> {
    for warning in &settings.warnings {
        eprintln!("branchline: {warning}");
    }
    let is_watched = io::stderr().is_terminal();
    let can_answer = is_watched && io::stdin().is_terminal();
    let mut console = Console {
        out: &mut io::stdout().lock(),
        ask: can_answer.then(|| Box::new(ask) as Ask<'_>),
        progress: is_watched,
        shutdown: match errand {
            // The others are over at once, or end as any program does.
            Errand::Import(_) => Some(on_signal().map_err(CommandError::Terminal)?),
            _ => None,
        },
    };
    run(errand, settings, &mut console)
}

fn ask(question: &str) -> io::Result<bool> {
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// A request that Ctrl-C or SIGTERM makes.
fn on_signal() -> io::Result<Shutdown> {
    let (trigger, shutdown) = shutdown::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        // An error means that no handler could be installed: better to stop than to be deaf.
        let _ = runtime.block_on(shutdown::signalled());
        trigger.request();
    })?;
    Ok(shutdown)
}
