//! The power is cut at every moment of a till's work: what `add`, `edit` and `void` called done is there afterwards.
//!
//! The real program runs under `strace`. Every write, sync and change of a name that it makes is played onto a simulated disk, which keeps for certain only
//! what was synced. After each of them the power is cut: once with nothing kept but that, once with any part of the rest, in any order, torn in the middle. A
//! till that starts on what is left must find every sale it has announced, and a database that agrees with itself.

mod disk;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use branchline::domain::ids::{BranchCode, SaleId};
use branchline::domain::time::UtcMillis;
use branchline::store::branch::BranchDb;
use tempfile::TempDir;

use self::disk::Disk;
use self::trace::{Step, steps};
use crate::support::luck::Luck;
use crate::support::strace;

const SEED: u64 = 1;

/// A till whose every step is written down.
struct Till {
    home: TempDir,
    disk: Disk,
    rng: Luck,
    /// What was announced: the revision that each sale has at least.
    promised: BTreeMap<i64, u32>,
    cuts: u32,
}

impl Till {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // The system's name for it, which the trace tells.
        let root = fs::canonicalize(home.path()).unwrap();
        Self {
            disk: Disk::new(&root),
            home,
            rng: Luck::new(SEED),
            promised: BTreeMap::new(),
            cuts: 0,
        }
    }

    fn db(&self) -> PathBuf {
        self.disk.root().join("shop/till/A-1.db")
    }

    /// Runs a command that writes this revision of this sale, and cuts the power at each of its steps.
    fn run(&mut self, arguments: &[&str], id: i64, revision: u32) {
        let log = self.home.path().join("trace");
        let options = [&trace::OPTIONS[..], &["-o", log.to_str().unwrap()]].concat();
        let mut command = strace::traced(&options);
        command
            .arg("--db")
            .arg(self.db())
            .args(["--branch", "A-1"])
            .args(arguments);
        let output = command.env("HOME", self.disk.root()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        for step in steps(&fs::read_to_string(&log).unwrap()) {
            match step {
                Step::Said => {
                    self.promised.insert(id, revision);
                }
                Step::Disk(change) => self.disk.change(change),
            }
            self.cut(arguments);
        }
    }

    /// Cuts the power twice: the worst that a disk may do, and anything that it may do.
    fn cut(&mut self, during: &[&str]) {
        let worst = self.disk.synced();
        let any = self.disk.anything(&self.rng);
        for files in [worst, any] {
            self.cuts += 1;
            let place = tempfile::tempdir_in(shared_memory()).unwrap();
            for (path, content) in files {
                let path = place.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            let db = place.path().join(self.db().strip_prefix(self.disk.root()).unwrap());
            self.start_again(&db, during);
        }
    }

    fn start_again(&self, db: &Path, during: &[&str]) {
        let code = BranchCode::parse("A-1").unwrap();
        let what = || format!("cut {} during {during:?}", self.cuts);
        let mut branch = match BranchDb::create(db, &code, 7, UtcMillis(1)) {
            Ok(branch) => branch,
            Err(error) => panic!("{}: {error}", what()),
        };
        for (&id, &revision) in &self.promised {
            let row = branch.sale(SaleId::new(id).unwrap()).unwrap();
            let row = row.unwrap_or_else(|| panic!("{}: sale {id} is lost", what()));
            assert!(row.sale.revision.get() >= revision, "{}: {:?}", what(), row.sale);
            assert_eq!(*row.sale.content.product, format!("PENS {id}"), "{}", what());
        }
        let audit = branch.audit().unwrap();
        assert!(audit.is_clean(), "{}: {audit}", what());
        assert_eq!(branch.integrity().unwrap(), [""; 0], "{}", what());
    }
}

/// Memory, where there is such a place: what is written there is not synced for real.
fn shared_memory() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if shm.is_dir() { shm } else { std::env::temp_dir() }
}

fn add<'a>(product: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let sale = ["add", "--product", product, "--qty", "2", "--cost", "1.5"];
    [extra, &sale].concat()
}

#[test]
fn what_was_called_saved_is_there_after_a_power_cut_at_any_moment() {
    if !strace::is_allowed() {
        return;
    }
    let mut till = Till::new();
    till.run(&add("PENS 1", &["--create"]), 1, 1);
    till.run(&add("PENS 2", &[]), 2, 1);
    till.run(&["edit", "1", "--qty", "5"], 1, 2);
    till.run(&["void", "2"], 2, 2);
    // Another program has the database open: now the log of one command is still there when the next one begins.
    let other = BranchDb::open(&till.db(), None).unwrap();
    till.run(&add("PENS 3", &[]), 3, 1);
    till.run(&add("PENS 4", &[]), 4, 1);
    till.run(&["edit", "3", "--cost", "9.99"], 3, 2);
    drop(other);
    println!("{} power cuts, {} sales announced", till.cuts, till.promised.len());
    assert!(till.cuts > 500, "{} cuts are too few to mean anything", till.cuts);
}
