//! A folder in which the real program runs as branches and head office, and the programs that run there.
//!
//! A program is named by its database: `hq`, `TUNIS-01`, and for a second database of the same office `hq@new` or `TUNIS-01@copy`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use branchline::store::branch::BranchDb;
use tempfile::TempDir;

use super::broker::{PASSWORD, Vhost};

/// The branch of a test that needs only one.
pub(crate) const BRANCH: &str = "TUNIS-01";

/// The broker of a command that needs none: nobody listens there.
const NOWHERE: &str = "amqp://127.0.0.1:1";

/// A folder with a configuration of its own, so that nothing of this machine's user is read or written.
pub(crate) struct Place {
    dir: TempDir,
}

/// A program that runs until it is killed or asked to stop.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // A stopped process does not hear SIGTERM, but this it does.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks it to stop, and requires that it does so in good order.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.0.wait().unwrap();
        assert!(status.success(), "it ended with {status}");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status();
        assert!(sent.unwrap().success(), "there is no process to signal");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Limits how large a file it may write, as a full disk or a quota would; `None`: no more limit. Works for programs of [`Place::start_confined`].
    pub(crate) fn confine(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let done = Command::new("prlimit")
            .args([format!("--pid={}", self.pid()), format!("--fsize={limit}:unlimited")])
            .status();
        assert!(done.unwrap().success(), "the limit could not be set");
    }

    /// How many threads and open files it has, and how much memory, in KiB.
    pub(crate) fn footprint(&self) -> Footprint {
        let root = PathBuf::from(format!("/proc/{}", self.pid()));
        let count = |folder: &str| fs::read_dir(root.join(folder)).map_or(0, Iterator::count);
        let status = fs::read_to_string(root.join("status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        Footprint {
            threads: count("task"),
            files: count("fd"),
            resident_kib: resident.unwrap_or(0),
        }
    }
}

/// What a process takes of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) threads: usize,
    pub(crate) files: usize,
    pub(crate) resident_kib: u64,
}

impl Footprint {
    /// What the client library makes once for a process, not at its first connection but at its first timer, a thread and its files; and the file of a closed connection
    /// that SQLite keeps for the next one.
    const ONCE: (usize, usize) = (1, 4 + 1);

    /// How much a process may grow by keeping what it has learnt, and by memory that is not given back at once.
    const GROWTH_KIB: u64 = 24 << 10;

    /// Whether this is, but for what is made once, no more than before.
    pub(crate) const fn is_back_at(self, before: Self) -> bool {
        self.threads <= before.threads + Self::ONCE.0
            && self.files <= before.files + Self::ONCE.1
            && self.resident_kib <= before.resident_kib + Self::GROWTH_KIB
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for file in fs::read_dir(self.dir.path()).unwrap().flatten() {
                if file.path().extension().is_some_and(|ending| ending == "log") {
                    let log = fs::read_to_string(file.path()).unwrap_or_default();
                    println!("---- {}\n{log}", file.file_name().display());
                }
            }
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn db(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.db"))
    }

    /// What a program has written to its log so far.
    pub(crate) fn log(&self, name: &str) -> String {
        let mut text = String::new();
        if let Ok(mut file) = File::open(self.path(&format!("{name}.log"))) {
            file.read_to_string(&mut text).unwrap();
        }
        text
    }

    pub(crate) fn command(&self, name: &str, url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_branchline"));
        self.dress(&mut command, name, url);
        command
    }

    /// The same, run so that a file that would grow over its limit is an error to the program and not its end.
    fn confined_command(&self, name: &str, url: &str) -> Command {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap '' XFSZ; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_branchline"),
        ]);
        self.dress(&mut command, name, url);
        command
    }

    fn dress(&self, command: &mut Command, name: &str, url: &str) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.dir.path());
        command.env("BRANCHLINE_AMQP", url).stdin(Stdio::null());
        command.arg("--db").arg(self.db(name));
        let office = name.split('@').next().expect("a text has a first part");
        if office != "hq" {
            command.args(["--branch", office]);
        }
    }

    pub(crate) fn start(&self, name: &str, url: &str) -> Running {
        self.start_with(name, url, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(&self, name: &str, url: &str, arguments: &[&str]) -> Running {
        self.launch(self.command(name, url), name, arguments)
    }

    /// The same for a program whose disk may become full; see [`Running::confine`].
    pub(crate) fn start_confined(&self, name: &str, url: &str) -> Running {
        self.launch(self.confined_command(name, url), name, &[])
    }

    fn launch(&self, mut command: Command, name: &str, arguments: &[&str]) -> Running {
        let role = if name.starts_with("hq") { "hq" } else { "branch" };
        command.args(["--create", "--headless", role]).args(arguments);
        let log = self.path(&format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.command(name, NOWHERE).args(arguments).output().unwrap()
    }

    /// Runs a command that finds its disk full once a file reaches this many bytes.
    pub(crate) fn run_confined(&self, name: &str, bytes: u64, arguments: &[&str]) -> Output {
        let inner = self.confined_command(name, NOWHERE);
        let mut outer = Command::new("prlimit");
        outer.arg(format!("--fsize={bytes}:unlimited")).arg(inner.get_program());
        outer.args(inner.get_args()).args(arguments).stdin(Stdio::null());
        outer.env_clear();
        for (key, value) in inner.get_envs() {
            outer.env(key, value.unwrap_or_default());
        }
        outer.output().unwrap()
    }

    /// Runs a command that must succeed; returns what it said.
    pub(crate) fn done(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.run(name, arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn sell(&self, name: &str, product: &str, date: Option<&str>) {
        let mut arguments = vec!["--create", "add", "--product", product, "--qty", "6"];
        arguments.extend(["--cost", "3.39", "--tax", "4.07"]);
        arguments.extend(date.into_iter().flat_map(|date| ["--date", date]));
        self.done(name, &arguments);
    }

    pub(crate) fn import_sample(&self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sample-sales.csv");
        let copy = self.path(&format!("{name}.csv"));
        fs::copy(file, &copy).unwrap();
        let map = "date=InvoiceDate,product=Description,region=Country,qty=Quantity,cost=UnitPrice";
        let file = copy.to_str().unwrap();
        self.done(name, &["--create", "--tax-rate", "20", "import", file, "--map", map]);
    }

    /// What `doctor` says, whatever it finds.
    pub(crate) fn doctor(&self, name: &str, url: &str) -> String {
        let output = self.command(name, url).arg("doctor").output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    }

    pub(crate) fn branch(&self, name: &str) -> BranchDb {
        BranchDb::open(&self.db(name), None).unwrap()
    }

    /// Whether every sale is acknowledged, as the rows say it.
    pub(crate) fn in_step(&self, name: &str) -> bool {
        // A database that is only being made is in nobody's way.
        BranchDb::open(&self.db(name), None).is_ok_and(|mut db| db.status().unwrap().in_step())
    }

    /// The line of a branch as its worker last said it, in the word that `status --json` has for it.
    pub(crate) fn line(&self, name: &str) -> String {
        let output = self.run(name, &["status", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["line"].as_str().unwrap().to_owned()
    }

    /// Copies a database that no program has open.
    pub(crate) fn copy_db(&self, from: &str, to: &str) {
        assert!(!self.path(&format!("{from}.db-wal")).exists(), "{from} is open");
        fs::copy(self.db(from), self.db(to)).unwrap();
    }
}

/// The URLs of head office and of a branch, which is made with its rights.
pub(crate) fn urls(vhost: &Vhost, branch: &str) -> (String, String) {
    // The branch's user is made with its rights; its URL is then written down as a person would.
    let _ = vhost.branch(branch);
    let port = vhost.port();
    (
        vhost.url("guest:guest", port, ""),
        vhost.url(&format!("{branch}:{PASSWORD}"), port, ""),
    )
}
