//! Running the real program under `strace`: to see each step that it takes, or to have a step fail.

use std::path::Path;
use std::process::{Command, Stdio};

/// Lets the tests that need `strace` pass without a proof, where no program may trace another.
const WITHOUT: &str = "BRANCHLINE_WITHOUT_STRACE";

/// Whether one program may trace another here.
///
/// # Panics
/// When it may not, unless somebody has said that he knows: a proof that isn't made must not look like one.
pub(crate) fn is_allowed() -> bool {
    let mut probe = Command::new("strace");
    probe.args(["-o", "/dev/null", "true"]).stderr(Stdio::null());
    let allowed = probe.status().is_ok_and(|status| status.success());
    assert!(
        allowed || std::env::var_os(WITHOUT).is_some(),
        "`strace` is not installed (`make setup` does it), or no program may trace another here, so nothing is proved; {WITHOUT}=1 goes on without the proof"
    );
    if !allowed {
        println!("{WITHOUT} is set: nothing is proved here.");
    }
    allowed
}

/// The program under `strace` with these options.
pub(crate) fn traced(options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(options).arg(env!("CARGO_BIN_EXE_branchline"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// The program with some system calls that fail each time, as `strace` writes them: `linkat:error=EPERM`. What `strace` sees goes to a file.
pub(crate) fn failing(calls: &[&str], notes: &Path) -> Command {
    let injections: Vec<String> = calls.iter().map(|call| format!("inject={call}")).collect();
    let mut options = vec!["-f", "-o", notes.to_str().expect("a path of a test is text")];
    for injection in &injections {
        options.extend(["-e", injection]);
    }
    traced(&options)
}
