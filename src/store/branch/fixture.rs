//! What the tests of the branch's database begin with: a database in a folder of its own, sales, and an HQ that answers as told.

use std::path::PathBuf;

use tempfile::TempDir;

use super::BranchDb;
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Revision, Run, SaleId, StoreId};
use crate::domain::money::Money;
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::time::{Tick, UtcMillis, parse_wall};
use crate::protocol::Now;
use crate::protocol::journal::{Formed, Journal, Settled};
use crate::protocol::lineage::Mark;
use crate::protocol::message::{HqStamp, Outcome, Receipt, Taken};

pub(super) const BROKER: &str = "broker-1";

pub(super) fn at(millis: u64) -> Now {
    Now {
        tick: Tick(millis),
        wall: UtcMillis(1_700_000_000_000).plus(millis),
        luck: u128::from(millis) << 64 | 0xb5,
    }
}

pub(super) fn code(text: &str) -> BranchCode {
    BranchCode::parse(text).unwrap()
}

pub(super) fn id(number: i64) -> SaleId {
    SaleId::new(number).unwrap()
}

pub(super) fn revision(number: u32) -> Revision {
    Revision::new(number).unwrap()
}

pub(super) fn batch_id(number: u128) -> BatchId {
    BatchId::from_random(number)
}

pub(crate) fn lantern() -> SaleContent {
    SaleContent {
        date: parse_wall("2026-11-22 14:07:31").unwrap(),
        product: "WHITE METAL LANTERN".into(),
        region: "East".into(),
        qty: 6,
        cost: Money::parse("3.39").unwrap(),
        tax: Money::parse("4.07").unwrap(),
    }
}

/// A lantern sold on another day.
pub(super) fn lantern_on(day: &str) -> SaleContent {
    SaleContent {
        date: parse_wall(day).unwrap(),
        ..lantern()
    }
}

pub(super) fn stamp() -> HqStamp {
    HqStamp {
        store: StoreId::from_random(1),
        replaces: Vec::new(),
        clock: UtcMillis(1_700_000_000_500),
        trial: false,
        reads: vec![1],
    }
}

/// A mark of an HQ that has applied so much, in whatever way.
pub(super) fn far(applied: u64) -> Mark {
    Mark {
        applied,
        chain: [u8::try_from(applied).unwrap(); 16],
    }
}

/// A receipt that says this of a batch, from an HQ that had applied so much before, and now what it stores.
pub(super) fn receipt(formed: &Formed, applied_before: u64, outcome: Outcome) -> Receipt {
    receipt_after(formed, far(applied_before), outcome)
}

/// A receipt that says this of a batch, from an HQ that was at this mark and has applied what it stores.
pub(super) fn receipt_after(formed: &Formed, before: Mark, outcome: Outcome) -> Receipt {
    let stored = match &outcome {
        Outcome::Taken(taken) => taken.stored.as_slice(),
        Outcome::Unreadable | Outcome::TooNew | Outcome::UnknownProducts => &[],
    };
    let newly_applied = stored.iter().map(|run| u64::from(run.count)).sum();
    Receipt {
        hq: stamp(),
        batch: formed.batch.id,
        mark: before.after(formed.batch.id, newly_applied, stored),
        newly_applied,
        outcome,
    }
}

/// HQ has stored all rows of the batch.
pub(super) fn all_stored(formed: &Formed) -> Outcome {
    Outcome::Taken(Taken {
        stored: Run::group(formed.batch.sales.iter().map(|sale| (sale.id, sale.revision))),
        ..Taken::default()
    })
}

/// A database in a folder that goes with it.
pub(super) struct Fixture {
    pub(super) db: BranchDb,
    pub(super) folder: TempDir,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = BranchDb::create(&folder.path().join("a.db"), &code("A"), 7, at(0).wall).unwrap();
        Self { db, folder }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    pub(super) fn sell(&mut self) -> Sale {
        self.db.save_sale(&lantern(), None, at(1).wall).unwrap()
    }

    /// Takes so many sales in from a file.
    pub(super) fn import(&mut self, sales: usize) {
        let contents = vec![lantern(); sales];
        self.db.import_chunk(&[1; 32], &contents, 1, true, at(1).wall).unwrap();
    }

    pub(super) fn form(&mut self, number: u128) -> Formed {
        self.db.form_batch(batch_id(number), 1_000, at(10)).unwrap().unwrap()
    }

    pub(super) fn settle(&mut self, receipt: &Receipt) -> Settled {
        let settled = self.db.settle(receipt, at(20)).unwrap();
        self.check();
        settled
    }

    /// Sells, sends and has acked this many sales; returns how far HQ is then.
    pub(super) fn sell_acked(&mut self, sales: u32, batch: u128, applied_before: u64) -> Mark {
        for _ in 0..sales {
            self.sell();
        }
        let formed = self.form(batch);
        let receipt = receipt(&formed, applied_before, all_stored(&formed));
        self.settle(&receipt);
        receipt.mark
    }

    pub(super) fn ledger(&mut self) -> LedgerId {
        self.db.status().unwrap().ledger
    }

    /// The state of a sale, in a word.
    pub(super) fn state(&mut self, number: i64) -> &'static str {
        self.db.sale(id(number)).unwrap().unwrap().sync.kind().word()
    }

    /// Nothing that is kept differs from what the rows say.
    pub(super) fn check(&mut self) {
        let audit = self.db.audit().unwrap();
        assert!(audit.is_clean(), "{audit}");
    }
}
