//! Those who take part: a branch's program with its database, and HQ.

use std::collections::BTreeMap;

use branchline::domain::ids::{BranchCode, LedgerId, Run, SaleId, StoreId};
use branchline::domain::sale::Sale;
use branchline::domain::time::UtcMillis;
use branchline::protocol::dictionary::Holding;
use branchline::protocol::lineage::Mark;
use branchline::protocol::message::{Answer, Downlink, HqStamp, Outcome, Receipt, Taken, Uplink as Message};
use branchline::protocol::verdict::{Verdict, judge};
use branchline::sync::worker::Worker;

use super::journal::MemJournal;

/// A program and its database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) disk: Option<MemJournal>,
    pub(super) worker: Option<Worker<MemJournal>>,
    pub(super) opening: bool,
    pub(super) up: bool,
    pub(super) unconfirmed: Vec<[u8; 16]>,
    pub(super) backup: Option<MemJournal>,
    /// How many hellos it has said in all its lives.
    pub(super) hellos: u32,
    /// How often its database was restored: what it draws after that is not what it drew before.
    pub(super) restored: u8,
    pub(super) number: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Hq {
    pub(super) store: StoreId,
    pub(super) replaces: Vec<StoreId>,
    pub(super) rows: BTreeMap<(BranchCode, LedgerId, SaleId), Sale>,
    /// Each ledger's marks, oldest first.
    pub(super) marks: BTreeMap<(BranchCode, LedgerId), Vec<Mark>>,
}

impl Hq {
    pub(super) fn stamp(&self) -> HqStamp {
        HqStamp {
            store: self.store,
            replaces: self.replaces.clone(),
            clock: UtcMillis(0),
            trial: false,
            reads: vec![1],
        }
    }

    pub(super) fn take(&mut self, message: &Message) -> Downlink {
        match message {
            Message::Hello(hello) => {
                let marks = self.marks.get(&(hello.branch.clone(), hello.ledger));
                let marks = marks.map_or(&[][..], Vec::as_slice);
                Downlink::Answer(Answer {
                    hq: self.stamp(),
                    ledger: hello.ledger,
                    nonce: hello.nonce,
                    mark: marks.last().copied().unwrap_or_default(),
                    asked: hello.marks.clone(),
                    remembers: hello.marks.iter().all(|mark| marks.contains(mark)),
                    holding: Holding::default(),
                })
            }
            Message::Batch(batch) => {
                let mut newly_applied = 0;
                let mut stored = Vec::new();
                let mut held = Vec::new();
                for sale in &batch.sales {
                    let key = (batch.branch.clone(), batch.ledger, sale.id);
                    let row = self.rows.get(&key);
                    match judge(&batch.branch, row, sale) {
                        Verdict::Apply => {
                            newly_applied += 1;
                            stored.push((sale.id, sale.revision));
                            self.rows.insert(key, sale.clone());
                        }
                        Verdict::Duplicate => stored.push((sale.id, sale.revision)),
                        Verdict::Conflict | Verdict::Stale => held.extend(row.cloned()),
                    }
                }
                let stored = Run::group(stored);
                let marks = self.marks.entry((batch.branch.clone(), batch.ledger)).or_default();
                let before = marks.last().copied().unwrap_or_default();
                let mark = before.after(batch.id, newly_applied, &stored);
                if mark != before {
                    marks.push(mark);
                }
                let taken = Taken {
                    stored,
                    refused: Vec::new(),
                    held,
                };
                Downlink::Receipt(Receipt {
                    hq: self.stamp(),
                    batch: batch.id,
                    mark,
                    newly_applied,
                    outcome: Outcome::Taken(taken),
                })
            }
        }
    }
}

impl Node {
    pub(super) fn new(code: &str, number: u32) -> Self {
        let branch = BranchCode::parse(code).unwrap();
        let ledger = LedgerId::from_random(u128::from(branch.as_str().bytes().map(u64::from).sum::<u64>()));
        let disk = Some(MemJournal::new(branch, ledger));
        Self {
            disk,
            worker: None,
            opening: false,
            up: false,
            unconfirmed: Vec::new(),
            backup: None,
            hellos: 0,
            restored: 0,
            number,
        }
    }

    pub(super) fn journal(&mut self) -> &mut MemJournal {
        match (&mut self.worker, &mut self.disk) {
            (Some(worker), _) => worker.journal(),
            (None, Some(disk)) => disk,
            (None, None) => unreachable!("a database is on the disk or in use"),
        }
    }

    pub(super) fn peek(&self) -> &MemJournal {
        match (&self.worker, &self.disk) {
            (Some(worker), _) => worker.peek(),
            (None, Some(disk)) => disk,
            (None, None) => unreachable!("a database is on the disk or in use"),
        }
    }

    pub(super) fn crash(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            self.disk = Some(worker.journal().clone());
        }
        self.hang_up();
    }

    pub(super) fn hang_up(&mut self) {
        self.up = false;
        self.opening = false;
        self.unconfirmed.clear();
    }
}
