//! How long what waits has waited: to the minute, never less than the truth, whichever way a sale comes and goes.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::super::fixture::{BROKER, Fixture, all_stored, at, batch_id, id, lantern, receipt, revision};
use super::super::statement::sql;
use crate::domain::ids::StoreId;
use crate::domain::read::Filter;
use crate::domain::sync_state::Refusal;
use crate::domain::time::UtcMillis;
use crate::protocol::journal::Journal;
use crate::protocol::message::{Outcome, Taken};

const MINUTE: u64 = 60_000;

fn oldest(branch: &mut Fixture) -> Option<UtcMillis> {
    branch.check();
    branch.db.status().unwrap().oldest_ahead
}

fn minutes(branch: &mut Fixture) -> i64 {
    sql::<BigInt>("SELECT count(*) FROM ages")
        .get_result(&mut branch.db.conn)
        .unwrap()
}

#[test]
fn what_was_written_first_is_the_oldest_wherever_it_waits() {
    let mut branch = Fixture::new();
    assert_eq!(oldest(&mut branch), None);
    for minute in 1..=4 {
        branch.db.save_sale(&lantern(), None, at(minute * MINUTE).wall).unwrap();
    }
    let written = |minute: u64| Some(at(minute * MINUTE).wall);
    assert_eq!(oldest(&mut branch), written(1));
    branch
        .db
        .save_edit(id(1), revision(1), &lantern(), None, at(5 * MINUTE).wall)
        .unwrap();
    assert_eq!(oldest(&mut branch), written(2), "an edit is written anew");

    let first = branch.db.form_batch(batch_id(1), 2, at(6 * MINUTE)).unwrap().unwrap();
    assert_eq!(oldest(&mut branch), written(2), "it is on its way");
    branch.db.dissolve(first.batch.id, at(7 * MINUTE)).unwrap();
    assert_eq!(oldest(&mut branch), written(2), "it waits again");
    branch.settle(&receipt(&first, 0, all_stored(&first)));
    assert_eq!(
        oldest(&mut branch),
        written(3),
        "a late receipt took it out of the outbox"
    );

    let second = branch.form(2);
    let refused = Outcome::Taken(Taken {
        refused: vec![
            (id(3), revision(1), Refusal::Storage),
            (id(4), revision(1), Refusal::Storage),
        ],
        ..Taken::default()
    });
    branch.settle(&receipt(&second, 2, refused));
    assert_eq!(oldest(&mut branch), written(3), "a refused one is ahead");
    branch.db.retry_all(&Filter::default(), at(8 * MINUTE).wall).unwrap();
    assert_eq!(oldest(&mut branch), written(3), "it waits once more");
}

#[test]
fn what_head_office_acknowledged_and_goes_again_is_as_old_as_it_is() {
    let mut branch = Fixture::new();
    branch.sell_acked(3, 1, 0);
    assert_eq!(oldest(&mut branch), None);
    branch.db.resend(None, None, at(MINUTE).wall).unwrap();
    assert_eq!(oldest(&mut branch), Some(at(1).wall));
    let again = branch.form(2);
    branch.settle(&receipt(&again, 3, all_stored(&again)));
    assert_eq!(oldest(&mut branch), None);

    for store in [1, 2] {
        branch
            .db
            .adopt_store(StoreId::from_random(store), at(2 * MINUTE))
            .unwrap();
    }
    while branch.db.recall(at(3 * MINUTE)).unwrap().more {}
    assert_eq!(
        oldest(&mut branch),
        Some(at(1).wall),
        "another head office has none of them"
    );
}

#[test]
fn sales_of_one_minute_have_one_age_and_the_last_of_them_takes_it_along() {
    let mut branch = Fixture::new();
    branch.import(500);
    for millis in [2, MINUTE / 2, 2 * MINUTE] {
        branch.db.save_sale(&lantern(), None, at(millis).wall).unwrap();
    }
    assert_eq!(minutes(&mut branch), 2);
    branch.db.form_batch(batch_id(1), 502, at(3 * MINUTE)).unwrap().unwrap();
    branch.check();
    assert_eq!(minutes(&mut branch), 1);
    branch.db.form_batch(batch_id(2), 502, at(3 * MINUTE)).unwrap().unwrap();
    branch.check();
    assert_eq!(minutes(&mut branch), 0);
}

#[test]
fn the_audit_sees_an_age_that_is_not_the_rows() {
    for wrong in [
        "UPDATE ages SET row_count = row_count + 1",
        "UPDATE ages SET oldest_at = oldest_at + 1",
        "UPDATE ages SET minute = minute - 1",
        "INSERT INTO ages VALUES (1, 1, 60000)",
        "DELETE FROM ages",
    ] {
        let mut branch = Fixture::new();
        branch.sell();
        branch.check();
        branch.db.conn.batch_execute(wrong).unwrap();
        assert!(!branch.db.audit().unwrap().is_clean(), "{wrong}");
    }
}

#[test]
fn ages_that_somebody_else_has_changed_hold_up_no_sale_and_are_counted_anew() {
    for wrong in ["UPDATE ages SET row_count = 1", "DELETE FROM ages"] {
        let mut branch = Fixture::new();
        branch.import(5);
        branch.db.save_sale(&lantern(), None, at(2 * MINUTE).wall).unwrap();
        branch.db.conn.batch_execute(wrong).unwrap();
        branch.db.form_batch(batch_id(1), 3, at(3 * MINUTE)).unwrap().unwrap();
        assert_eq!(oldest(&mut branch), Some(at(1).wall), "{wrong}");
    }
}

#[test]
fn an_age_of_nothing_is_told_of_nothing_and_goes_with_the_last_row() {
    let mut branch = Fixture::new();
    let wrong = "INSERT INTO ages VALUES (1, 1, 60000)";
    branch.db.conn.batch_execute(wrong).unwrap();
    assert_eq!(branch.db.status().unwrap().oldest_ahead, None);
    branch.sell();
    let formed = branch.form(1);
    assert_eq!(oldest(&mut branch), Some(at(1).wall));

    // What lies in the broker is pending, but not in the outbox.
    branch.db.park(formed.batch.id, BROKER, at(20)).unwrap();
    branch.db.conn.batch_execute(wrong).unwrap();
    assert_eq!(branch.db.status().unwrap().oldest_ahead, Some(at(1).wall));
    branch.db.dissolve(formed.batch.id, at(21)).unwrap();
    branch.settle(&receipt(&formed, 0, all_stored(&formed)));
    assert_eq!(oldest(&mut branch), None);
}
