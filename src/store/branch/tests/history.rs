//! Who has lost what: HQ restored, HQ replaced, this database copied.

use std::fs;

use diesel::connection::SimpleConnection;

use super::super::BranchDb;
use super::super::fixture::{Fixture, all_stored, at, batch_id, code, id, lantern, receipt, revision, stamp};
use crate::domain::event::LogEvent;
use crate::domain::ids::{LedgerId, Nonce, StoreId};
use crate::domain::sync_state::Refusal;
use crate::protocol::journal::{Journal, Settled, Weighed};
use crate::protocol::lineage::Lineage;
use crate::protocol::message::{Answer, Outcome, Taken};

fn answer(branch: &mut Fixture, applied: u64) -> (Answer, u64) {
    let (hello, floor) = branch.db.hello(Nonce::from_random(5), at(100)).unwrap();
    let answer = Answer {
        hq: stamp(),
        ledger: hello.ledger,
        nonce: hello.nonce,
        applied,
    };
    (answer, floor)
}

fn weigh(branch: &mut Fixture, applied: u64) -> Weighed {
    let (answer, floor) = answer(branch, applied);
    let weighed = branch.db.weigh(&answer, floor, at(101)).unwrap();
    branch.check();
    weighed
}

#[test]
fn hq_restored_makes_all_that_it_acknowledged_pending_again() {
    let mut branch = Fixture::new();
    branch.sell_acked(2, 1, 0);
    branch.sell_acked(3, 2, 2);
    assert_eq!(weigh(&mut branch, 5).lineage, Lineage::Same);
    // HQ's backup was made between the two batches.
    assert_eq!(weigh(&mut branch, 2).lineage, Lineage::HqForgot { answer_counts: true });
    assert_eq!([1, 2, 3, 4, 5].map(|row| branch.state(row)), ["pending"; 5]);
    let told = LogEvent::HqRestored { sales: 5 };
    assert!(branch.db.log_tail(10).unwrap().iter().any(|line| line.event == told));

    assert_eq!(weigh(&mut branch, 2).lineage, Lineage::Same);
    let again = branch.form(3);
    let mut three_are_new = receipt(&again, 2, all_stored(&again));
    three_are_new.applied_after = 5;
    branch.settle(&three_are_new);
    assert!(branch.db.status().unwrap().in_step());
    assert_eq!(weigh(&mut branch, 5).lineage, Lineage::Same);
}

#[test]
fn two_receipts_that_claim_one_step_of_the_count_show_a_restored_hq_in_any_order() {
    for newer_first in [false, true] {
        let mut branch = Fixture::new();
        branch.sell();
        let old = branch.form(1);
        branch.sell();
        let new = branch.form(2);
        // HQ took the first, was restored, and took the second: both brought its count from 0 to 1.
        let mut receipts = [receipt(&old, 0, all_stored(&old)), receipt(&new, 0, all_stored(&new))];
        if newer_first {
            receipts.reverse();
        }
        branch.settle(&receipts[0]);
        let settled = branch.settle(&receipts[1]);
        let lineage = Lineage::HqForgot { answer_counts: false };
        assert_eq!(
            settled,
            Settled::Ours {
                lineage,
                more_waiting: true
            }
        );
        // Which of the two is void nobody can tell.
        assert_eq!([1, 2].map(|row| branch.state(row)), ["pending"; 2]);
        // And a repeat of the second doesn't make it true.
        branch.settle(&receipts[1]);
        assert_eq!([1, 2].map(|row| branch.state(row)), ["pending"; 2]);
    }
}

#[test]
fn what_hq_refused_or_held_before_it_forgot_goes_again_too() {
    let mut branch = Fixture::new();
    branch.sell_acked(1, 1, 0);
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
    let mut told = receipt(&formed, 1, outcome);
    told.applied_after = 1;
    branch.settle(&told);
    assert_eq!(
        [1, 2, 3].map(|row| branch.state(row)),
        ["acked", "conflict", "rejected"]
    );
    weigh(&mut branch, 0);
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["pending"; 3]);
}

#[test]
fn hq_restored_shows_in_a_receipt_too_and_that_receipt_is_good() {
    let mut branch = Fixture::new();
    branch.sell_acked(2, 1, 0);
    branch.sell();
    let formed = branch.form(2);
    let settled = branch.settle(&receipt(&formed, 0, all_stored(&formed)));
    assert_eq!(
        settled,
        Settled::Ours {
            lineage: Lineage::HqForgot { answer_counts: true },
            more_waiting: true
        }
    );
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["pending", "pending", "acked"]);
}

#[test]
fn what_was_edited_since_is_not_brought_back_twice() {
    let mut branch = Fixture::new();
    branch.sell_acked(2, 1, 0);
    branch
        .db
        .save_edit(id(1), revision(1), &lantern(), None, at(30).wall)
        .unwrap();
    weigh(&mut branch, 0);
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
    branch.sell_acked(2, 1, 0);
    let copy_path = branch.folder.path().join("copy.db");
    branch.db.conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    fs::copy(branch.path(), &copy_path).unwrap();
    let mut copy = BranchDb::open(&copy_path, Some(&code("A"))).unwrap();
    // The one goes on, and HQ applies three sales more than the other knows of.
    branch.sell_acked(3, 2, 2);
    let unsent = copy.save_sale(&lantern(), None, at(40).wall).unwrap();
    let (hello, floor) = copy.hello(Nonce::from_random(6), at(100)).unwrap();
    let answer = Answer {
        hq: stamp(),
        ledger: hello.ledger,
        nonce: hello.nonce,
        applied: 5,
    };
    let weighed = copy.weigh(&answer, floor, at(101)).unwrap();
    assert_eq!(weighed.lineage, Lineage::ThisIsACopy);
    assert_ne!(weighed.ledger, hello.ledger);
    let next = copy.save_sale(&lantern(), None, at(102).wall).unwrap();
    assert_eq!((next.ledger, next.id), (weighed.ledger, id(4)));
    // What was never acked goes under its old key first: HQ may have it already.
    let formed = copy.form_batch(batch_id(9), 10, at(103)).unwrap().unwrap();
    assert_eq!((formed.batch.ledger, formed.batch.sales), (hello.ledger, vec![unsent]));
    assert!(copy.audit().unwrap().is_clean());
    let (again, _) = copy.hello(Nonce::from_random(7), at(104)).unwrap();
    assert_eq!((again.ledger, again.first_id), (weighed.ledger, 4));
}

#[test]
fn an_answer_about_another_ledger_says_nothing() {
    let mut branch = Fixture::new();
    branch.sell_acked(1, 1, 0);
    let (mut answer, floor) = answer(&mut branch, 0);
    answer.ledger = LedgerId::from_random(4321);
    let weighed = branch.db.weigh(&answer, floor, at(101)).unwrap();
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
    branch.check();
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["pending", "pending", "sent"]);
    assert_eq!(branch.db.status().unwrap().store, Some(StoreId::from_random(2)));

    branch.settle(&receipt(&out, 0, all_stored(&out)));
    let again = branch.form(3);
    assert_eq!(
        branch.settle(&receipt(&again, 1, all_stored(&again))),
        Settled::Ours {
            lineage: Lineage::Same,
            more_waiting: false
        }
    );
    assert!(branch.db.status().unwrap().in_step());
}

#[test]
fn sales_that_are_sent_again_by_hand_confirm_nothing_twice() {
    let mut branch = Fixture::new();
    branch.sell_acked(2, 1, 0);
    assert_eq!(branch.db.resend(None, None, at(30).wall).unwrap(), 2);
    branch.check();
    assert_eq!(branch.db.resend(None, None, at(30).wall).unwrap(), 0);
    let formed = branch.form(2);
    // HQ has them already, so its count stays.
    let mut duplicate = receipt(&formed, 2, all_stored(&formed));
    duplicate.applied_after = 2;
    branch.settle(&duplicate);
    assert!(branch.db.status().unwrap().in_step());
    assert_eq!(weigh(&mut branch, 2).lineage, Lineage::Same);
}
