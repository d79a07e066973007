//! Product names that messages lean on: while head office does not hold them, while they can't be read, and in the quarantine.

use std::path::Path;

use super::*;
use crate::hq::reader::Reader;

/// Deliveries of one sale each, as many as are taken at once.
fn plain_group() -> impl Iterator<Item = Delivery> {
    let ids = (1..).take(GROUP_MESSAGES);
    ids.map(|id: i64| delivery(&batch(id.unsigned_abs().into(), id..=id)))
}

#[tokio::test]
async fn a_batch_that_leans_on_names_is_taken_once_they_are_held_and_else_only_answered() {
    let office = Office::start(QUICK);
    for (id, told) in [(1, false), (2, true), (3, false)] {
        office.broker.deliver([delivery(&numbered(id, 1..=3, told))]);
        office
            .broker
            .until("an answer", |state| state.answers.len() as u128 == id)
            .await;
    }
    let outcomes: Vec<_> = office.receipts().into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes[0], Outcome::UnknownProducts);
    for taken in &outcomes[1..] {
        assert!(
            matches!(taken, Outcome::Taken(taken) if taken.stored.len() == 1),
            "{taken:?}"
        );
    }
    let (mut db, _folder) = office.stopped().await;
    assert!(reasons(&mut db).is_empty(), "it is no fault of the message");
}

#[tokio::test]
async fn who_leans_on_a_number_of_another_name_is_told_so_and_has_nothing_taken() {
    let office = Office::prepared(QUICK, |db, _| hold_names(db.path()));
    let mut of_a_copy = numbered(1, 1..=3, false);
    if let Uplink::Batch(batch) = &mut of_a_copy {
        batch
            .sales
            .iter_mut()
            .for_each(|sale| sale.content.product = "CUPS".into());
        batch.products[0].name = "CUPS".into();
    }
    office.broker.deliver([delivery(&of_a_copy)]);
    office.broker.until_acked(1).await;
    assert_eq!(office.receipts()[0].outcome, Outcome::UnknownProducts);
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(db.overview().unwrap().branches[0].sales, 1, "that of the name alone");
}

#[test]
fn names_that_cannot_be_read_are_no_names_that_are_not_held() {
    let mut reader = Reader::new(Path::new("/nowhere/hq.db"), QUICK);
    assert!(reader.read(&mut [delivery(&numbered(1, 1..=1, true))].into()).is_ok());
    assert!(reader.read(&mut [delivery(&numbered(1, 1..=1, false))].into()).is_err());
}

#[tokio::test]
async fn while_names_cannot_be_read_what_leans_waits_and_what_is_committed_is_answered() {
    let office = Office::prepared(QUICK, |db, broker| {
        hold_names(db.path());
        fixture::hide_names(db.path());
        broker.deliver(plain_group().chain([delivery(&numbered(100, 100..=102, false))]));
    });
    office
        .broker
        .until("given up three times", |state| state.drops() >= 3)
        .await;
    assert_eq!(office.receipts().len(), GROUP_MESSAGES);
    fixture::show_names(&office.database());
    office.broker.until_acked(GROUP_MESSAGES + 1).await;
    let receipts = office.receipts();
    let taken = receipts
        .iter()
        .filter(|receipt| matches!(receipt.outcome, Outcome::Taken(_)));
    assert_eq!(
        (receipts.len(), taken.count()),
        (GROUP_MESSAGES + 1, GROUP_MESSAGES + 1)
    );
}

#[tokio::test]
async fn names_that_cannot_be_read_for_long_make_no_message_suspicious() {
    let office = Office::prepared(QUICK, |db, broker| {
        hold_names(db.path());
        fixture::hide_names(db.path());
        let mut often = delivery(&numbered(1, 1..=3, false));
        often.redelivered = 4;
        broker.deliver([often]);
    });
    office.broker.until("given up often", |state| state.drops() >= 8).await;
    fixture::show_names(&office.database());
    office.broker.until_acked(1).await;
    let outcome = office.receipts().remove(0).outcome;
    assert!(
        matches!(&outcome, Outcome::Taken(taken) if taken.stored.len() == 1),
        "{outcome:?}"
    );
    let (mut db, _folder) = office.stopped().await;
    assert!(reasons(&mut db).is_empty());
}

/// A database with this message in its quarantine, because nobody had said yet that it serves a trial; and the message's number there.
async fn kept(message: &Uplink) -> (HqDb, TempDir, i64) {
    let office = Office::start(QUICK);
    office.broker.deliver([from_user(Some("guest"), message)]);
    office.broker.until_acked(1).await;
    let (mut db, folder) = office.stopped().await;
    let id = db.quarantined(0, 1).unwrap()[0].id;
    (db, folder, id)
}

#[tokio::test]
async fn what_leans_stays_in_the_quarantine_until_its_names_are_held() {
    let (mut db, _folder, id) = kept(&numbered(1, 1..=3, false)).await;
    let refused = replay(&mut db, id, true, NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("message {id} stays in the quarantine: it leans on product names that head office does not hold")
    );
    assert_eq!(db.quarantined(0, 9).unwrap().len(), 1);
    hold_names(db.path());
    replay(&mut db, id, true, NOW).unwrap();
    assert!(db.quarantined(0, 9).unwrap().is_empty());
    // The very same sales, with their name, are no conflict.
    let again = Incoming::Message {
        login: Login::Own,
        message: batch(2, 1..=3),
    };
    let answer = db.commit_group(NOW, &[1], &[again]).unwrap().remove(0);
    let Some(Downlink::Receipt(Receipt {
        outcome: Outcome::Taken(taken),
        ..
    })) = answer
    else {
        panic!("it was not taken: {answer:?}")
    };
    assert_eq!((taken.stored[0].count, taken.held.len()), (3, 0));
}

#[tokio::test]
async fn names_that_come_out_of_the_quarantine_are_held() {
    let (mut db, _folder, id) = kept(&numbered(1, 1..=3, true)).await;
    let held = |db: &mut HqDb| db.product_names(&branch(), LEDGER, &[4]).unwrap();
    assert_eq!(held(&mut db), None);
    replay(&mut db, id, true, NOW).unwrap();
    assert_eq!(held(&mut db), Some(vec!["PENS".into()]));
}
