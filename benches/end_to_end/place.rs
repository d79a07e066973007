//! The real program in processes of its own, and what the system says they have used.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use branchline::domain::ids::BranchCode;
use branchline::domain::read::{BranchStatus, LineState};
use branchline::store::branch::BranchDb;
use tempfile::TempDir;

use crate::support::broker::Vhost;
use crate::support::wait;

/// The branch that most figures are of.
pub(crate) const BRANCH: &str = "TUNIS-01";

/// A folder with databases, and a home so that nothing of this machine's user is read.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program on a database: head office's (`hq.db`) or the branch's.
    pub(crate) fn command(&self, db: &str, url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_branchline"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("BRANCHLINE_AMQP", url)
            .arg("--db")
            .arg(self.file(db))
            .stdin(Stdio::null());
        if db != "hq.db" {
            command.args(["--branch", BRANCH]);
        }
        command
    }

    /// Starts a worker or head office.
    pub(crate) fn start(&self, db: &str, url: &str, arguments: &[&str]) -> Program {
        let role = if db == "hq.db" { "hq" } else { "branch" };
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.file(&format!("{role}.log")));
        let mut command = self.command(db, url);
        command.args(["--create", "--headless", role]).args(arguments);
        let child = command
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .spawn()
            .expect("the program starts");
        Program { child }
    }

    /// Removes a database that nobody has open; it need not be there.
    pub(crate) fn forget(&self, db: &str) {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.file(&format!("{db}{end}")));
        }
    }

    /// Starts head office and waits until it listens.
    pub(crate) fn head_office(&self, runtime: &tokio::runtime::Runtime, vhost: &Vhost, arguments: &[&str]) -> Program {
        let url = vhost.url("guest:guest", vhost.port(), "");
        let log = self.file("hq.log");
        let _ = fs::remove_file(&log);
        let hq = self.start("hq.db", &url, arguments);
        wait("head office listens", || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains("head office listens"))
        });
        runtime.block_on(vhost.until_consumers("sales", 1));
        hq
    }

    /// Copies a database that nobody has open. The copy is on the disk when this returns: what is measured next must not wait for it to get there.
    pub(crate) fn copy_db(&self, from: &str, to: &str) {
        let to = self.file(to);
        fs::copy(self.file(from), &to).expect("there is room for a copy");
        let copy = fs::File::open(to).expect("it was just made");
        copy.sync_all().expect("the disk takes it");
    }
}

/// The branch's database to look at.
pub(crate) fn look(place: &Place, db: &str) -> BranchDb {
    let path = place.file(db);
    let mut opened = None;
    wait("the branch's database is there", || {
        opened = BranchDb::open_read_only(&path, None).ok();
        opened.is_some()
    });
    opened.expect("it was just opened")
}

/// The branch's database to sell at.
pub(crate) fn till(place: &Place, db: &str) -> BranchDb {
    let code = BranchCode::parse(BRANCH).expect("a good code");
    let bits = branchline::clock::random();
    BranchDb::create(&place.file(db), &code, bits, branchline::clock::wall()).expect("a new database")
}

/// How a branch stands.
pub(crate) fn status(db: &mut BranchDb) -> BranchStatus {
    db.status().expect("the database can be read")
}

/// Whether the worker's session is open.
pub(crate) fn is_up(status: &BranchStatus) -> bool {
    status.worker.is_some_and(|worker| worker.line == LineState::Up)
}

/// A program that runs until it is stopped.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(asked.is_ok_and(|status| status.success()), "it had ended by itself");
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time of all its threads, to a hundredth of a second.
    pub(crate) cpu: Duration,
    /// Resident memory at its highest, in MB.
    pub(crate) peak_mb: f64,
    /// Resident memory now, in MB.
    pub(crate) resident_mb: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
        // Behind the name, which may hold anything, the 12th and 13th words are the times in ticks of 10 ms.
        let (_, numbers) = stat.rsplit_once(')').expect("the name is in parentheses");
        let ticks: u64 = numbers
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|word| word.parse::<u64>().ok())
            .sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            kilobytes.expect("the kernel tells") / 1_000.0 * 1.024
        };
        Self {
            cpu: Duration::from_millis(ticks * 10),
            peak_mb: megabytes("VmHWM:"),
            resident_mb: megabytes("VmRSS:"),
        }
    }
}
