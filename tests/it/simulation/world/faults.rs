//! What befalls the world: lines that lose, repeat and reorder, programs that are killed, databases that are not what they were.

use std::path::{Path, PathBuf};

use branchline::domain::ids::BranchCode;
use branchline::store::hq::HqDb;

use super::{CODES, Forgetful, World};

/// What befalls a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Cut,
    ReceiptLost,
    ReceiptRepeated,
    ReceiptsReordered,
    SalesRepeated,
    SalesReordered,
    BranchKilled,
    HqKilled,
    BrokerWiped,
    HqRestored,
    HqReplaced,
    BranchCopied,
    BranchRestored,
}

impl Fault {
    pub(crate) const ALL: [Self; 13] = [
        Self::Cut,
        Self::ReceiptLost,
        Self::ReceiptRepeated,
        Self::ReceiptsReordered,
        Self::SalesRepeated,
        Self::SalesReordered,
        Self::BranchKilled,
        Self::HqKilled,
        Self::BrokerWiped,
        Self::HqRestored,
        Self::HqReplaced,
        Self::BranchCopied,
        Self::BranchRestored,
    ];
}

impl World {
    pub(super) fn line_fault(&mut self, at: usize) {
        let waiting = self.broker.sales.len();
        let code = self.offices[at].code.clone();
        let receipts = self.broker.receipts.entry(code).or_default();
        let which = self.rng.index(receipts.len());
        let fault = match self.rng.index(7) {
            0 | 1 => {
                self.cut(at);
                Fault::Cut
            }
            2 if receipts.remove(which).is_some() => Fault::ReceiptLost,
            3 if !receipts.is_empty() => {
                receipts.push_back(receipts[which].clone());
                Fault::ReceiptRepeated
            }
            4 if waiting > 1 => {
                let other = self.rng.index(waiting);
                self.broker.sales.swap(0, other);
                Fault::SalesReordered
            }
            5 if waiting > 0 => {
                let again = self.broker.sales[self.rng.index(waiting)].clone();
                self.broker.sales.push_back(again);
                Fault::SalesRepeated
            }
            6 if receipts.len() > 1 => {
                receipts.swap(0, which);
                Fault::ReceiptsReordered
            }
            _ => return,
        };
        self.befell.insert(fault);
    }

    pub(super) fn crash(&mut self, at: usize) {
        let fault = match self.rng.index(6) {
            0..3 => {
                self.offices[at].crash();
                Fault::BranchKilled
            }
            3 | 4 => {
                self.hq_takes(2, true);
                Fault::HqKilled
            }
            _ => {
                // The broker is lost, and set up again.
                self.broker.sales.clear();
                self.broker.receipts.clear();
                (0..self.offices.len()).for_each(|at| self.cut(at));
                Fault::BrokerWiped
            }
        };
        self.befell.insert(fault);
    }

    /// A database is not what it was.
    pub(super) fn amnesia_strikes(&mut self, at: usize) {
        let which = self.rng.index(self.profile.forgetful.len());
        match self.profile.forgetful[which] {
            Forgetful::Hq if self.hq.backup.is_none() => self.back_up_hq(),
            Forgetful::Hq if self.hq.gone.len() < 2 && self.rng.percent(20) => self.replace_hq(),
            Forgetful::Hq => self.restore_hq(),
            Forgetful::Branches if self.offices.len() < CODES.len() && self.rng.percent(30) => self.copy_branch(),
            Forgetful::Branches => self.restore_branch(at),
        }
    }

    fn restore_hq(&mut self) {
        self.befell.insert(Fault::HqRestored);
        self.hq_forgot = true;
        self.hq.close();
        self.hq.held = None;
        let backup = self.hq.backup.clone().expect("a backup was made before");
        copy_database(&backup, &self.hq.path);
        if self.rng.percent(30) {
            self.hq.backup = None;
        }
        self.reopen_hq();
    }

    /// HQ's database is gone, and an empty one was started to replace it.
    fn replace_hq(&mut self) {
        self.befell.insert(Fault::HqReplaced);
        self.hq_forgot = true;
        let old = self.hq.db.as_ref().expect("HQ's database is open between steps");
        self.hq.gone.push(old.store());
        self.hq.close();
        self.hq.held = None;
        // A backup of the old one would be a stranger now.
        self.hq.backup = None;
        self.hq.path = self.dir.path().join(format!("hq-{}.db", self.hq.gone.len()));
        let (bits, now) = (self.rng.bits(), self.wall());
        let mut db = HqDb::create(&self.hq.path, bits, now).unwrap();
        for old in &self.hq.gone {
            db.replace(*old, now).unwrap();
        }
        self.hq.db = Some(db);
    }

    /// Somebody copies the first branch's database to another box, and both go on.
    fn copy_branch(&mut self) {
        self.befell.insert(Fault::BranchCopied);
        self.branch_forgot = true;
        let copy = self.dir.path().join("branch-copy.db");
        self.offices[0].crash();
        copy_database(&self.offices[0].path.clone(), &copy);
        self.move_in(BranchCode::parse(CODES[2]).unwrap(), copy);
        self.start(0);
    }

    fn back_up_hq(&mut self) {
        let backup = self.dir.path().join("hq-backup.db");
        self.hq.close();
        copy_database(&self.hq.path.clone(), &backup);
        self.hq.backup = Some(backup);
        self.reopen_hq();
    }

    /// The first time a backup is made; later it is what the branch goes on with.
    fn restore_branch(&mut self, at: usize) {
        let path = self.offices[at].path.clone();
        let backup = path.with_extension("backup");
        self.offices[at].crash();
        if backup.exists() {
            self.befell.insert(Fault::BranchRestored);
            self.branch_forgot = true;
            self.offices[at].saved = None;
            copy_database(&backup, &path);
        } else {
            copy_database(&path, &backup);
        }
        self.start(at);
    }
}

/// Copies a database that nobody has open.
fn copy_database(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let _ = std::fs::remove_file(with(to));
        if with(from).exists() {
            std::fs::copy(with(from), with(to)).unwrap();
        }
    }
}
