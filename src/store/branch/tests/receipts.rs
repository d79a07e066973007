//! Receipts: on time, late, twice, in part, and for somebody else.

use diesel::connection::SimpleConnection;

use super::super::fixture::{
    BROKER, Fixture, all_stored, at, batch_id, id, lantern, lantern_on, receipt, revision, stamp,
};
use super::super::retries::Choice;
use crate::domain::event::LogEvent;
use crate::domain::ids::{Nonce, Run, SaleId};
use crate::domain::read::ChapterKind;
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::{Refusal, SyncState};
use crate::domain::time::UtcMillis;
use crate::protocol::dictionary::Holding;
use crate::protocol::journal::{Journal, Settled};
use crate::protocol::lineage::{Mark, annex};
use crate::protocol::message::{Answer, Outcome, Taken};

const SAME: Settled = Settled::Ours {
    more_waiting: false,
    in_doubt: false,
};

fn stored(ids: impl IntoIterator<Item = i64>) -> Vec<Run> {
    Run::group(ids.into_iter().map(|number| (id(number), revision(1))))
}

fn held(sale: Sale) -> Outcome {
    Outcome::Taken(Taken {
        held: vec![sale],
        ..Taken::default()
    })
}

#[test]
fn a_sale_goes_from_pending_over_sent_to_acked() {
    let mut branch = Fixture::new();
    branch.sell();
    assert_eq!(branch.state(1), "pending");
    let formed = branch.form(1);
    assert_eq!(branch.state(1), "sent");
    branch.check();
    assert_eq!(branch.settle(&receipt(&formed, 0, all_stored(&formed))), SAME);
    assert_eq!(branch.state(1), "acked");
    assert!(branch.db.status().unwrap().in_step());
    assert_eq!(branch.db.form_batch(batch_id(2), 10, at(30)).unwrap(), None);
}

#[test]
fn late_receipt_leaves_the_edit_pending() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    branch
        .db
        .save_edit(id(1), revision(1), &lantern(), None, at(11).wall)
        .unwrap();
    branch.settle(&receipt(&formed, 0, all_stored(&formed)));
    assert_eq!(branch.state(1), "pending");
    let second = branch.form(2);
    assert_eq!(second.batch.sales[0].revision, revision(2));
    branch.settle(&receipt(&second, 1, all_stored(&second)));
    assert_eq!(branch.state(1), "acked");
}

#[test]
fn a_late_receipt_of_a_batch_that_was_given_up_still_counts() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    branch.db.dissolve(formed.batch.id, at(11)).unwrap();
    assert_eq!(
        branch.db.sale(id(1)).unwrap().unwrap().sync,
        SyncState::Pending { tries: 1 }
    );
    branch.settle(&receipt(&formed, 0, all_stored(&formed)));
    assert_eq!(branch.state(1), "acked");
}

#[test]
fn an_old_timer_cannot_undo_an_ack() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    branch.settle(&receipt(&formed, 0, all_stored(&formed)));
    branch.db.dissolve(formed.batch.id, at(30)).unwrap();
    branch.db.park(formed.batch.id, BROKER, at(30)).unwrap();
    assert_eq!(branch.state(1), "acked");
    branch.check();
}

#[test]
fn a_repeated_receipt_changes_nothing() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    let answer = receipt(&formed, 0, all_stored(&formed));
    branch.settle(&answer);
    branch.db.resend(None, None, at(25).wall).unwrap();
    let (status, log) = (branch.db.status().unwrap(), branch.db.log_tail(100).unwrap());
    assert_eq!(branch.settle(&answer), SAME);
    assert_eq!(
        (branch.db.status().unwrap(), branch.db.log_tail(100).unwrap()),
        (status, log)
    );
    assert_eq!(branch.state(1), "pending");
}

#[test]
fn receipts_of_other_databases_ack_nothing() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    let mut foreign = receipt(&formed, 0, all_stored(&formed));
    foreign.batch = batch_id(99);
    assert_eq!(branch.settle(&foreign), Settled::NotOurs);
    assert_eq!(branch.state(1), "sent");
    assert_eq!(branch.db.status().unwrap().last_receipt_at, None);
}

#[test]
fn a_receipt_cannot_ack_what_its_batch_did_not_carry() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    branch.sell();
    let mut answer = receipt(&formed, 0, all_stored(&formed));
    answer.outcome = Outcome::Taken(Taken {
        stored: stored(1..=2),
        ..Taken::default()
    });
    branch.settle(&answer);
    assert_eq!((branch.state(1), branch.state(2)), ("acked", "pending"));
}

#[test]
fn a_receipt_for_another_revision_acks_nothing() {
    let mut branch = Fixture::new();
    branch.sell();
    let formed = branch.form(1);
    let newer = Run {
        first: id(1),
        count: 1,
        revision: revision(2),
    };
    let outcome = Outcome::Taken(Taken {
        stored: vec![newer],
        ..Taken::default()
    });
    branch.settle(&receipt(&formed, 0, outcome));
    assert_eq!(branch.state(1), "pending");
}

#[test]
fn a_receipt_may_name_the_rows_of_a_batch_in_any_order_and_any_runs() {
    let mut branch = Fixture::new();
    (0..6).for_each(|_| drop(branch.sell()));
    branch
        .db
        .save_edit(id(3), revision(1), &lantern(), None, at(2).wall)
        .unwrap();
    let formed = branch.form(1);
    let run = |first, count, at| Run {
        first: id(first),
        count,
        revision: revision(at),
    };
    let stored = vec![run(6, 1, 1), run(3, 1, 2), run(1, 1, 1), run(2, 1, 1), run(4, 2, 1)];
    let outcome = Outcome::Taken(Taken {
        stored,
        ..Taken::default()
    });
    assert_eq!(branch.settle(&receipt(&formed, 0, outcome)), SAME);
    assert!(branch.db.status().unwrap().in_step());
}

#[test]
fn a_line_that_breaks_does_not_undo_the_halving() {
    let mut branch = Fixture::new();
    for _ in 0..4 {
        branch.sell();
    }
    let four = branch.form(1);
    branch.settle(&receipt(&four, 0, Outcome::Unreadable));
    let two = branch.form(2);
    assert_eq!(two.batch.sales.len(), 2);
    branch.db.dissolve(two.batch.id, at(30)).unwrap();
    branch.check();
    assert_eq!(branch.form(3).batch.sales.len(), 2);
}

#[test]
fn rows_that_a_receipt_does_not_name_wait_again() {
    let mut branch = Fixture::new();
    (0..4).for_each(|_| drop(branch.sell()));
    let formed = branch.form(1);
    let part = Outcome::Taken(Taken {
        stored: stored([1, 2, 4]),
        ..Taken::default()
    });
    assert_eq!(
        branch.settle(&receipt(&formed, 0, part)),
        Settled::Ours {
            more_waiting: true,
            in_doubt: false
        }
    );
    assert_eq!(
        [1, 2, 3, 4].map(|row| branch.state(row)),
        ["acked", "acked", "pending", "acked"]
    );
}

#[test]
fn one_bad_sale_does_not_hold_up_the_others_and_flows_again_when_mended() {
    let mut branch = Fixture::new();
    (0..3).for_each(|_| drop(branch.sell()));
    let formed = branch.form(1);
    let reason = Refusal::DateAhead { days: 40 };
    let outcome = Outcome::Taken(Taken {
        stored: stored([1, 3]),
        refused: vec![(id(2), revision(1), reason.clone())],
        ..Taken::default()
    });
    branch.settle(&receipt(&formed, 0, outcome));
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["acked", "rejected", "acked"]);
    assert_eq!(
        branch.db.sale(id(2)).unwrap().unwrap().sync,
        SyncState::Rejected(reason.clone())
    );
    let refused = LogEvent::Refused(id(2), reason);
    assert!(branch.db.log_tail(10).unwrap().iter().any(|line| line.event == refused));
    assert_eq!(branch.db.form_batch(batch_id(2), 10, at(30)).unwrap(), None);

    branch
        .db
        .save_edit(id(2), revision(1), &lantern(), None, at(31).wall)
        .unwrap();
    branch.check();
    let mended = branch.form(3);
    branch.settle(&receipt(&mended, 2, all_stored(&mended)));
    assert!(branch.db.status().unwrap().in_step());
}

#[test]
fn a_refusal_for_a_date_is_tried_again_once_a_day() {
    let mut branch = Fixture::new();
    branch.sell();
    branch.sell();
    let formed = branch.form(1);
    let outcome = Outcome::Taken(Taken {
        refused: vec![
            (id(1), revision(1), Refusal::DateAhead { days: 40 }),
            (id(2), revision(1), Refusal::Storage),
        ],
        ..Taken::default()
    });
    branch.settle(&receipt(&formed, 0, outcome));
    let day = 24 * 3_600_000;
    assert_eq!(branch.db.retry_refusals(at(day)).unwrap(), 0);
    assert_eq!(branch.db.retry_refusals(at(day + 20)).unwrap(), 1);
    assert_eq!((branch.state(1), branch.state(2)), ("pending", "rejected"));
    branch.check();
    assert!(branch.db.retry(id(2), at(day).wall).unwrap());
    assert!(!branch.db.retry(id(2), at(day).wall).unwrap());
    branch.check();
}

#[test]
fn an_unreadable_batch_is_halved_down_to_the_row_that_is_rejected() {
    let mut branch = Fixture::new();
    (0..3).for_each(|_| drop(branch.sell()));
    let (mut sizes, mut applied) = (Vec::new(), 0);
    for number in 1.. {
        let Some(formed) = branch.db.form_batch(batch_id(number), 10, at(10)).unwrap() else {
            break;
        };
        let ids: Vec<SaleId> = formed.batch.sales.iter().map(|sale| sale.id).collect();
        sizes.push(ids.len());
        let outcome = if ids.contains(&id(2)) {
            Outcome::Unreadable
        } else {
            all_stored(&formed)
        };
        let receipt = receipt(&formed, applied, outcome);
        applied = receipt.mark.applied;
        branch.settle(&receipt);
    }
    assert_eq!(sizes, [3, 2, 1, 1, 1]);
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["acked", "rejected", "acked"]);
}

#[test]
fn sales_of_which_hq_has_taken_nothing_wait() {
    for outcome in [Outcome::TooNew, Outcome::UnknownProducts] {
        let mut branch = Fixture::new();
        branch.sell();
        let formed = branch.form(1);
        assert_eq!(
            branch.settle(&receipt(&formed, 0, outcome)),
            Settled::Ours {
                more_waiting: true,
                in_doubt: false
            }
        );
        assert_eq!(branch.state(1), "pending");
    }
}

#[test]
fn a_batch_numbers_its_products_and_an_answer_is_weighed_by_their_names() {
    let mut branch = Fixture::new();
    for product in ["PENS", "CUPS", "PENS", "MUGS"] {
        let content = SaleContent {
            product: product.into(),
            ..lantern()
        };
        branch.db.save_sale(&content, None, at(1).wall).unwrap();
    }
    let formed = branch.form(1);
    let products: Vec<_> = formed.batch.products.iter().map(|product| &*product.name).collect();
    assert_eq!(products, ["PENS", "CUPS", "MUGS"]);
    let held = || formed.batch.products.iter().map(|product| (product.no, &*product.name));
    let hello = branch.db.hello(Nonce::from_random(1), at(2)).unwrap();
    let mut answer = Answer {
        hq: stamp(),
        ledger: hello.ledger,
        nonce: hello.nonce,
        mark: Mark::default(),
        asked: Vec::new(),
        remembers: true,
        holding: Holding::of(held()),
    };
    assert_eq!(
        branch.db.weigh(&answer, at(3)).unwrap().names,
        answer.holding.fingerprint
    );
    answer.holding = Holding::of(held().map(|(no, name)| if no == 2 { (no, "LAMP") } else { (no, name) }));
    assert_ne!(
        branch.db.weigh(&answer, at(4)).unwrap().names,
        answer.holding.fingerprint
    );
}

#[test]
fn the_same_key_with_another_content_is_a_conflict_and_ends_as_the_operator_says() {
    for choice in [Choice::TakeHq, Choice::KeepMine] {
        let mut branch = Fixture::new();
        branch.sell_acked(1, 1, 0);
        let edit = SaleContent { qty: 7, ..lantern() };
        let mine = branch
            .db
            .save_edit(id(1), revision(1), &edit, None, at(30).wall)
            .unwrap();
        let formed = branch.form(2);
        let theirs = Sale {
            content: SaleContent { qty: 8, ..lantern() },
            ..mine.clone()
        };
        branch.settle(&receipt(&formed, 1, held(theirs.clone())));
        assert_eq!(branch.state(1), "conflict");
        assert_eq!(branch.db.story(id(1)).unwrap().unwrap().at_hq, Some(theirs.clone()));

        let resolved = branch.db.resolve(id(1), choice, at(40).wall).unwrap();
        branch.check();
        match choice {
            Choice::TakeHq => assert_eq!(resolved, theirs),
            Choice::KeepMine => assert_eq!((resolved.content, resolved.revision), (edit, revision(3))),
        }
        let formed = branch.form(3);
        branch.settle(&receipt(&formed, 1, all_stored(&formed)));
        assert!(branch.db.status().unwrap().in_step());
    }
}

#[test]
fn a_newer_revision_at_hq_is_a_conflict() {
    let mut branch = Fixture::new();
    let mine = branch.sell();
    let formed = branch.form(1);
    let newer = Sale {
        revision: revision(4),
        ..mine
    };
    branch.settle(&receipt(&formed, 0, held(newer)));
    assert_eq!(
        branch.db.sale(id(1)).unwrap().unwrap().sync,
        SyncState::Conflict { held: revision(4) }
    );
    let resolved = branch.db.resolve(id(1), Choice::KeepMine, at(30).wall).unwrap();
    assert_eq!(resolved.revision, revision(5));
}

#[test]
fn what_hq_holds_is_no_conflict_where_it_is_what_we_have() {
    let mut branch = Fixture::new();
    let mine = branch.sell();
    let formed = branch.form(1);
    branch.settle(&receipt(&formed, 0, held(mine)));
    assert_eq!(branch.state(1), "acked");
}

#[test]
fn a_sale_whose_key_hq_knows_as_another_sale_moves_to_the_annex_and_new_ones_get_a_new_ledger() {
    let mut branch = Fixture::new();
    let old = branch.ledger();
    branch.sell();
    let mine = branch.sell();
    let formed = branch.form(1);
    let theirs = Sale {
        created_at: UtcMillis(77),
        ..mine.clone()
    };
    let outcome = Outcome::Taken(Taken {
        stored: stored([1]),
        held: vec![theirs],
        ..Taken::default()
    });
    branch.settle(&receipt(&formed, 0, outcome));
    let new = branch.ledger();
    assert_ne!(new, old);
    let moved = branch.db.sale(id(2)).unwrap().unwrap();
    assert_eq!((moved.sale.ledger, moved.sync.kind().word()), (annex(old), "pending"));
    let ledger = annex(old);
    assert_eq!(moved.sale, Sale { ledger, ..mine });
    assert_ne!(
        new, ledger,
        "copies of this database have the same annex, so new sales stay out of it"
    );
    let begun = LogEvent::LedgerBegun { ledger: new, moved: 1 };
    assert!(branch.db.log_tail(10).unwrap().iter().any(|line| line.event == begun));

    // A late answer about the old key says nothing about the new one.
    let again = branch.form(2);
    assert_eq!(again.batch.ledger, ledger);
    branch.settle(&receipt(&again, 0, all_stored(&again)));
    assert!(branch.db.status().unwrap().in_step());
}

#[test]
fn two_edits_of_one_acked_sale_are_a_conflict_for_a_person() {
    let mut branch = Fixture::new();
    branch.sell_acked(1, 1, 0);
    let mine = branch
        .db
        .save_edit(id(1), revision(1), &lantern(), None, at(30).wall)
        .unwrap();
    let formed = branch.form(2);
    let mut theirs = mine;
    theirs.content.qty += 1;
    branch.settle(&receipt(&formed, 1, held(theirs)));
    assert_eq!(branch.state(1), "conflict");
}

#[test]
fn a_receipt_is_taken_in_with_the_batch_that_it_gives_room_for_or_not_at_all() {
    let mut branch = Fixture::new();
    branch.sell();
    let first = branch.form(1);
    branch.sell();
    let receipt = receipt(&first, 0, all_stored(&first));
    let both = |branch: &mut Fixture| branch.db.settle_and_form(&receipt, batch_id(2), 1_000, at(20));
    let no_room = "CREATE TEMP TRIGGER no_room BEFORE INSERT ON batches BEGIN SELECT RAISE(ABORT, 'no room'); END";
    branch.db.conn.batch_execute(no_room).unwrap();
    assert!(both(&mut branch).is_err());
    branch.check();
    assert_eq!([branch.state(1), branch.state(2)], ["sent", "pending"]);

    branch.db.conn.batch_execute("DROP TRIGGER no_room").unwrap();
    let (settled, formed) = both(&mut branch).unwrap();
    branch.check();
    assert!(matches!(settled, Settled::Ours { .. }), "{settled:?}");
    assert_eq!(formed.unwrap().outline.sales.first, id(2));
    assert_eq!([branch.state(1), branch.state(2)], ["acked", "sent"]);
}

#[test]
fn the_oldest_business_day_goes_first_and_no_batch_mixes_ledgers() {
    let mut branch = Fixture::new();
    for day in [
        "2026-11-22 08:00:00",
        "2026-11-20 23:59:59",
        "2026-11-21 00:00:00",
        "2026-11-20 00:00:00",
    ] {
        branch.db.save_sale(&lantern_on(day), None, at(1).wall).unwrap();
    }
    let formed = branch.db.form_batch(batch_id(1), 3, at(10)).unwrap().unwrap();
    let ids: Vec<i64> = formed.batch.sales.iter().map(|sale| sale.id.get()).collect();
    assert_eq!(ids, [2, 4, 3]);
    assert_eq!(formed.outline.sales.count, 3);
    assert_eq!((formed.outline.sales.first, formed.outline.sales.last), (id(2), id(4)));
    branch.check();
}

#[test]
fn a_worker_that_starts_returns_every_lease_it_did_not_make() {
    let mut branch = Fixture::new();
    (0..3).for_each(|_| drop(branch.sell()));
    let parked = branch.db.form_batch(batch_id(1), 1, at(10)).unwrap().unwrap();
    let elsewhere = branch.db.form_batch(batch_id(2), 1, at(11)).unwrap().unwrap();
    branch.db.form_batch(batch_id(3), 1, at(12)).unwrap().unwrap();
    branch.db.park(parked.batch.id, BROKER, at(13)).unwrap();
    branch.db.park(elsewhere.batch.id, "another broker", at(13)).unwrap();
    branch.check();
    let resumed = branch.db.resume(BROKER, at(14)).unwrap();
    branch.check();
    assert_eq!(resumed.parked, [parked.outline]);
    assert_eq!([1, 2, 3].map(|row| branch.state(row)), ["pending"; 3]);
    assert_eq!(branch.db.status().unwrap().sent, 0);
    let next = branch.form(4);
    let ids: Vec<i64> = next.batch.sales.iter().map(|sale| sale.id.get()).collect();
    assert_eq!(ids, [2, 3], "what the broker has confirmed does not go again");
    assert_eq!(next.outline.attempt, 2);
}

#[test]
fn a_story_tells_each_try_and_each_answer() {
    let mut branch = Fixture::new();
    branch.sell();
    let lost = branch.db.form_batch(batch_id(1), 10, at(10)).unwrap().unwrap();
    branch.db.dissolve(lost.batch.id, at(15)).unwrap();
    let refused = branch.db.form_batch(batch_id(2), 10, at(16)).unwrap().unwrap();
    let outcome = Outcome::Taken(Taken {
        refused: vec![(id(1), revision(1), Refusal::Storage)],
        ..Taken::default()
    });
    branch.settle(&receipt(&refused, 0, outcome));
    branch
        .db
        .save_edit(id(1), revision(1), &lantern(), None, at(30).wall)
        .unwrap();
    let third = branch.db.form_batch(batch_id(3), 10, at(40)).unwrap().unwrap();
    branch
        .db
        .settle(&receipt(&third, 0, all_stored(&third)), at(50))
        .unwrap();
    let story = branch.db.story(id(1)).unwrap().unwrap();
    let told: Vec<&str> = story
        .chapters
        .iter()
        .map(|chapter| match chapter.what {
            ChapterKind::Written(_) => "written",
            ChapterKind::Sent { .. } => "sent",
            ChapterKind::Acked { .. } => "acked",
            ChapterKind::GivenUp { .. } => "given up",
        })
        .collect();
    assert_eq!(
        told,
        ["written", "sent", "given up", "sent", "written", "sent", "acked"]
    );
}
