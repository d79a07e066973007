//! Names screens, so that the draft of one that died can be told from the draft of one that is still open on the same database.

use std::fs;

/// The name of this process's screen: process, its start, and the machine's boot, so that it never comes twice.
pub(super) fn own() -> String {
    let pid = std::process::id();
    name_of(pid).unwrap_or_else(|| format!("{pid}.unknown"))
}

/// Whether the screen with this name is still open on this machine.
pub(super) fn is_alive(name: &str) -> bool {
    let pid = name.split('.').next().and_then(|pid| pid.parse().ok());
    pid.and_then(name_of).is_some_and(|alive| alive == name)
}

/// `None` where there is no such process, or no `/proc` to ask.
fn name_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything; the start time is the 22nd (proc(5)).
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{pid}.{started}.{}", boot.trim().get(..8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_alive_until_its_process_has_ended() {
        assert!(is_alive(&own()));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let name = name_of(child.id()).unwrap();
        assert!(is_alive(&name));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(&name));
        assert!(!is_alive("") && !is_alive("1.0.00000000"));
    }
}
