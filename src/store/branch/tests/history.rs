//! Who has lost what: HQ restored, HQ replaced, this database copied.

use std::fs;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::super::BranchDb;
use super::super::fixture::{
    Fixture, all_stored, at, batch_id, code, far, id, lantern, receipt_after, revision, stamp,
};
use super::super::schema::batches;
use crate::domain::event::LogEvent;
use crate::domain::ids::{LedgerId, Nonce, Run, StoreId};
use crate::domain::sync_state::Refusal;
use crate::protocol::dictionary::Holding;
use crate::protocol::journal::{Formed, Journal, Settled, Weighed};
use crate::protocol::lineage::{Lineage, Mark};
use crate::protocol::message::{Answer, Hello, Outcome, Receipt, Taken};

/// What HQ remembers of the current ledger.
#[derive(Default)]
struct Memory {
    marks: Vec<Mark>,
}

impl Memory {
    /// HQ takes a batch and stores all of it.
    fn take(&mut self, formed: &Formed) -> Receipt {
        let before = self.marks.last().copied().unwrap_or_default();
        let receipt = receipt_after(formed, before, all_stored(formed));
        self.marks.push(receipt.mark);
        receipt
    }

    fn answer(&self, hello: &Hello) -> Answer {
        Answer {
            hq: stamp(),
            ledger: hello.ledger,
            nonce: hello.nonce,
            mark: self.marks.last().copied().unwrap_or_default(),
            asked: hello.marks.clone(),
            remembers: hello.marks.iter().all(|mark| self.marks.contains(mark)),
            holding: Holding::default(),
        }
    }
}

fn hello(branch: &mut Fixture) -> Hello {
    branch.db.hello(Nonce::from_random(5), at(100)).unwrap()
}

fn weigh(branch: &mut Fixture, hq: &Memory) -> Weighed {
    let answer = hq.answer(&hello(branch));
    let weighed = branch.db.weigh(&answer, at(101)).unwrap();
    recall(&mut branch.db);
    branch.check();
    weighed
}

/// Takes all sales back that are to go again; returns in how many parts that had sales.
fn recall(db: &mut BranchDb) -> u32 {
    let mut parts = 0;
    loop {
        let recalled = db.recall(at(102)).unwrap();
        if !recalled.more {
            return parts;
        }
        parts += u32::from(recalled.sales > 0);
        assert!(db.audit().unwrap().is_clean());
    }
}

/// A branch with two batches of two and three sales, all acked, and HQ.
fn two_batches() -> (Fixture, Memory) {
    let (mut branch, mut hq) = (Fixture::new(), Memory::default());
    for (number, sales) in [(1, 2), (2, 3)] {
        (0..sales).for_each(|_| drop(branch.sell()));
        let receipt = hq.take(&branch.form(number));
        branch.settle(&receipt);
    }
    (branch, hq)
}

#[test]
fn hq_restored_makes_all_that_it_acknowledged_pending_again() {
    let (mut branch, mut hq) = two_batches();
    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::Same);
    // HQ's backup was made between the two batches.
    hq.marks.truncate(1);
    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::HqForgot);
    assert_eq!([1, 2, 3, 4, 5].map(|row| branch.state(row)), ["pending"; 5]);
    let told = LogEvent::HqRestored { sales: 5 };
    assert!(branch.db.log_tail(10).unwrap().iter().any(|line| line.event == told));
    let still_believed = batches::table.filter(batches::state.eq("answered")).count();
    let still_believed: i64 = still_believed.get_result(&mut branch.db.conn).unwrap();
    assert_eq!(still_believed, 0, "their receipts are no evidence");

    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::Same);
    let again = branch.form(3);
    let receipt = hq.take(&again);
    branch.settle(&receipt);
    assert!(branch.db.status().unwrap().in_step());
    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::Same);
}

#[test]
fn hq_restored_is_noticed_though_its_count_has_caught_up() {
    let (mut branch, mut hq) = two_batches();
    hq.marks.truncate(1);
    // Whoever else adds to the ledger: batches of this branch whose receipts were lost, or another box with a copy of its database.
    hq.marks.push(far(5));
    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::HqForgot);
    assert_eq!([1, 3].map(|row| branch.state(row)), ["pending"; 2]);
}

#[test]
fn receipts_of_two_histories_are_in_doubt_in_any_order_until_hq_is_asked() {
    for newer_first in [false, true] {
        let mut branch = Fixture::new();
        branch.sell();
        let lost = Memory::default().take(&branch.form(1));
        branch.sell();
        let second = branch.form(2);
        // HQ took the first, was restored, and took the second: both brought its count from 0 to 1.
        let mut hq = Memory::default();
        let mut receipts = [lost, hq.take(&second)];
        if newer_first {
            receipts.reverse();
        }
        branch.settle(&receipts[0]);
        let in_doubt = Settled::Ours {
            more_waiting: false,
            in_doubt: true,
        };
        assert_eq!(branch.settle(&receipts[1]), in_doubt);
        assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::HqForgot);
        assert_eq!([1, 2].map(|row| branch.state(row)), ["pending"; 2]);
        // And a repeat of a receipt doesn't make it true.
        branch.settle(&receipts[0]);
        assert_eq!([1, 2].map(|row| branch.state(row)), ["pending"; 2]);
    }
}

#[test]
fn a_receipt_that_comes_after_hq_forgot_it_is_found_out_the_next_time() {
    let mut branch = Fixture::new();
    branch.sell();
    let late = Memory::default().take(&branch.form(1));
    let hq = Memory::default();
    branch.settle(&late);
    assert_eq!(branch.state(1), "acked");
    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::HqForgot);
    assert_eq!(branch.state(1), "pending");
}

#[test]
fn what_hq_refused_or_held_before_it_forgot_goes_again_too() {
    let mut branch = Fixture::new();
    let before = branch.sell_acked(1, 1, 0);
    let mine = branch.sell();
    branch.sell();
    let formed = branch.form(2);
    let mut theirs = mine.clone();
    theirs.content.qty += 1;
    let outcome = Outcome::Taken(Taken {
        held: vec![theirs],
        refused: vec![(id(3), revision(1), Refusal::Storage)],
        ..Taken::default()
    });
    branch.settle(&receipt_after(&formed, before, outcome));
    assert_eq!(
        [1, 2, 3].map(|row| branch.state(row)),
        ["acked", "conflict", "rejected"]
    );
    weigh(&mut branch, &Memory::default());
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["pending"; 3]);
}

#[test]
fn what_was_edited_since_is_not_brought_back_twice() {
    let mut branch = Fixture::new();
    branch.sell_acked(2, 1, 0);
    branch
        .db
        .save_edit(id(1), revision(1), &lantern(), None, at(30).wall)
        .unwrap();
    weigh(&mut branch, &Memory::default());
    assert_eq!([1, 2].map(|row| branch.state(row)), ["pending"; 2]);
    let formed = branch.form(2);
    let rows: Vec<_> = formed
        .batch
        .sales
        .iter()
        .map(|sale| (sale.id.get(), sale.revision.get()))
        .collect();
    assert_eq!(rows, [(1, 2), (2, 1)]);
}

#[test]
fn a_copied_database_begins_a_new_ledger() {
    let mut branch = Fixture::new();
    let first = branch.sell_acked(2, 1, 0);
    let copy_path = branch.folder.path().join("copy.db");
    branch.db.conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    fs::copy(branch.path(), &copy_path).unwrap();
    let mut copy = BranchDb::open(&copy_path, Some(&code("A"))).unwrap();
    // The one goes on, and HQ applies three sales more than the other knows of.
    branch.sell_acked(3, 2, 2);
    let unsent = copy.save_sale(&lantern(), None, at(40).wall).unwrap();
    let hello = copy.hello(Nonce::from_random(6), at(100)).unwrap();
    let hq = Memory {
        marks: vec![first, far(5)],
    };
    let weighed = copy.weigh(&hq.answer(&hello), at(101)).unwrap();
    assert_eq!(weighed.lineage, Lineage::ThisIsACopy);
    assert_ne!(weighed.ledger, hello.ledger);
    // Whoever wrote to the ledger may have edited what was acked: HQ is asked about all of it once more.
    assert!(!copy.status().unwrap().in_step());
    recall(&mut copy);
    assert_eq!(copy.status().unwrap().pending, 3);
    let next = copy.save_sale(&lantern(), None, at(102).wall).unwrap();
    assert_eq!((next.ledger, next.id), (weighed.ledger, id(4)));
    // What was never acked goes under its old key first: HQ may have it already.
    let formed = copy.form_batch(batch_id(9), 10, at(103)).unwrap().unwrap();
    assert_eq!((formed.batch.ledger, formed.batch.sales.len()), (hello.ledger, 3));
    assert_eq!(formed.batch.sales.last(), Some(&unsent));
    // HQ holds a newer revision of the first, from the other box: both are shown, and somebody chooses.
    let mut theirs = formed.batch.sales[0].clone();
    (theirs.revision, theirs.content.qty) = (revision(2), 9);
    let rest = formed.batch.sales[1..].iter().map(|sale| (sale.id, sale.revision));
    let outcome = Outcome::Taken(Taken {
        stored: Run::group(rest),
        held: vec![theirs],
        ..Taken::default()
    });
    copy.settle(&receipt_after(&formed, far(5), outcome), at(104)).unwrap();
    let status = copy.status().unwrap();
    assert_eq!((status.conflicts, status.in_step()), (1, false));
    assert!(copy.audit().unwrap().is_clean());
    let again = copy.hello(Nonce::from_random(7), at(105)).unwrap();
    assert_eq!((again.ledger, again.first_id, again.highest_id), (weighed.ledger, 4, 4));
    // By turns it asks about the older one, with what belongs to that.
    let marks = Memory::default().answer(&again);
    copy.weigh(&marks, at(106)).unwrap();
    let older = copy.hello(Nonce::from_random(8), at(107)).unwrap();
    assert_eq!((older.ledger, older.first_id, older.highest_id), (hello.ledger, 1, 3));
    assert_eq!((older.sales, again.sales), (0, 4));
}

#[test]
fn an_answer_about_another_ledger_says_nothing() {
    let mut branch = Fixture::new();
    branch.sell_acked(1, 1, 0);
    let mut answer = Memory::default().answer(&hello(&mut branch));
    answer.ledger = LedgerId::from_random(4321);
    let weighed = branch.db.weigh(&answer, at(101)).unwrap();
    assert_eq!(weighed.lineage, Lineage::Same);
    assert_eq!(branch.state(1), "acked");
}

#[test]
fn another_store_at_hq_has_everything_sent_again() {
    let mut branch = Fixture::new();
    branch.db.adopt_store(StoreId::from_random(1), at(5)).unwrap();
    branch.sell_acked(2, 1, 0);
    branch.sell();
    let out = branch.form(2);
    branch.db.adopt_store(StoreId::from_random(1), at(30)).unwrap();
    assert_eq!(
        branch.state(1),
        "acked",
        "the store that is known already changes nothing"
    );
    branch.db.adopt_store(StoreId::from_random(2), at(31)).unwrap();
    assert!(!branch.db.status().unwrap().in_step());
    recall(&mut branch.db);
    branch.check();
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["pending", "pending", "sent"]);
    assert_eq!(branch.db.status().unwrap().store, Some(StoreId::from_random(2)));

    let mut hq = Memory::default();
    branch.settle(&hq.take(&out));
    let again = branch.form(3);
    assert_eq!(
        branch.settle(&hq.take(&again)),
        Settled::Ours {
            more_waiting: false,
            in_doubt: false
        }
    );
    assert!(branch.db.status().unwrap().in_step());
}

#[test]
fn sales_that_are_sent_again_by_hand_change_nothing_at_hq() {
    let (mut branch, hq) = two_batches();
    assert_eq!(branch.db.resend(None, None, at(30).wall).unwrap(), 5);
    branch.check();
    assert_eq!(branch.db.resend(None, None, at(30).wall).unwrap(), 0);
    let formed = branch.form(3);
    // HQ has them already, so it is as far as it was.
    let mut duplicate = receipt_after(&formed, Mark::default(), all_stored(&formed));
    (duplicate.mark, duplicate.newly_applied) = (hq.marks[1], 0);
    let settled = Settled::Ours {
        more_waiting: false,
        in_doubt: false,
    };
    assert_eq!(branch.settle(&duplicate), settled);
    assert!(branch.db.status().unwrap().in_step());
    assert_eq!(weigh(&mut branch, &hq).lineage, Lineage::Same);
}

#[test]
fn a_large_ledger_that_hq_forgot_goes_again_part_by_part_and_is_never_in_step_meanwhile() {
    let mut branch = Fixture::new();
    branch.import(4_500);
    let formed = branch.db.form_batch(batch_id(1), 10_000, at(10)).unwrap().unwrap();
    branch.settle(&receipt_after(&formed, Mark::default(), all_stored(&formed)));
    assert!(branch.db.status().unwrap().in_step());
    let forgotten = Memory::default().answer(&hello(&mut branch));
    assert_eq!(branch.db.weigh(&forgotten, at(101)).unwrap().lineage, Lineage::HqForgot);
    let status = branch.db.status().unwrap();
    assert_eq!((status.ahead(), status.recalled, status.in_step()), (0, 4_500, false));

    assert!(branch.db.recall(at(102)).unwrap().more);
    let status = branch.db.status().unwrap();
    assert_eq!((status.ahead(), status.recalled), (2_000, 2_500));
    // What is sent and acked meanwhile is not forgotten with the rest; and whoever opens the database next goes on.
    let again = branch.db.form_batch(batch_id(2), 10_000, at(103)).unwrap().unwrap();
    branch.settle(&receipt_after(&again, Mark::default(), all_stored(&again)));
    let path = branch.path();
    branch.db = BranchDb::open(&path, Some(&code("A"))).unwrap();
    assert_eq!(recall(&mut branch.db), 2);
    let status = branch.db.status().unwrap();
    assert_eq!((status.acked, status.pending, status.recalled), (2_000, 2_500, 0));
    let told = LogEvent::HqRestored { sales: 4_500 };
    assert!(branch.db.log_tail(10).unwrap().iter().any(|line| line.event == told));
}
