//! What the figures were measured on.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::Bench;
use crate::report::load;

/// The machine, the broker and how much is measured.
pub(crate) fn describe(bench: &Bench) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str, name: &str| {
        let text = read(path);
        let found = text.lines().find(|line| line.starts_with(name));
        found
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "cpu": line("/proc/cpuinfo", "model name"),
        "memory": line("/proc/meminfo", "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_before": load(),
        "rabbitmq": broker_version(),
        "rustc": said("rustc", "--version"),
        "commit": said("git", "describe --always --dirty"),
        "sales_of_the_backlog": bench.scale.rows,
    })
}

fn said(program: &str, arguments: &str) -> Option<String> {
    let output = Command::new(program).args(arguments.split(' ')).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The version in the name of the folder that it is installed in.
fn broker_version() -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/broker/broker.sh");
    let bin = said(script, "find")?;
    let installed = std::fs::read_dir(Path::new(&bin).parent()?.join("lib")).ok()?;
    installed.flatten().find_map(|folder| {
        let name = folder.file_name().into_string().ok()?;
        name.strip_prefix("rabbitmq_server-").map(str::to_owned)
    })
}
