//! What becomes of messages that can't be read, that end the program, or whose sender is not who they say; and of what is let in later.

use super::*;

#[tokio::test]
async fn nobody_speaks_for_another_branch() {
    let office = Office::start(QUICK);
    let message = batch(1, 1..=1);
    let mut other_key = delivery(&message);
    other_key.routing_key = "SFAX-02.s".into();
    office.broker.deliver([
        from_user(Some("SFAX-02"), &message),
        from_user(None, &message),
        from_user(Some("guest"), &message),
        other_key,
    ]);
    office.broker.until_acked(4).await;
    assert!(office.receipts().is_empty());
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        [
            "the message was sent under another user than its branch",
            "the message has no user_id, so the broker has not checked who sent it",
            "the message was sent by `guest`, and head office was not started with --trial",
            "the routing key names another branch than the message",
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_and_quarantined_and_what_is_too_new_only_answered() {
    let office = Office::start(QUICK);
    let mut damaged = delivery(&batch(1, 1..=9));
    *damaged.body.last_mut().unwrap() ^= 1;
    let mut too_new = delivery(&batch(2, 1..=9));
    too_new.body[4] = 200;
    let mut nothing = delivery(&hello());
    nothing.body = b"GET / HTTP/1.1".to_vec();
    let mut damaged_by_other = damaged.clone();
    damaged_by_other.user_id = Some("SFAX-02".into());
    let mut dead = delivery(&batch(3, 1..=9));
    dead.dead_letter = Some(DeadLetter::GivenUp);
    office.broker.deliver([
        damaged,
        too_new,
        nothing,
        damaged_by_other,
        dead,
        delivery(&batch(4, 1..=9)),
    ]);
    office.broker.until_acked(6).await;
    let outcomes: Vec<_> = office.receipts().into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes[..2], [Outcome::Unreadable, Outcome::TooNew]);
    assert!(matches!(outcomes[2], Outcome::Taken(_)));
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        [
            "the message from TUNIS-01 has a body that can't be read: it was damaged on its way: its checksum is wrong",
            "the message has no envelope that can be read: it ends too early",
            "the message was sent under another user than its branch",
            "the broker gave the message up",
        ]
    );
}

#[tokio::test]
async fn a_hello_that_expired_is_gone_and_anything_else_that_did_is_kept() {
    let office = Office::start(QUICK);
    let dead = |message: &Uplink, why| Delivery {
        dead_letter: Some(why),
        ..delivery(message)
    };
    office.broker.deliver([
        dead(&hello(), DeadLetter::Expired),
        dead(&batch(1, 1..=1), DeadLetter::Expired),
        dead(&hello(), DeadLetter::GivenUp),
    ]);
    office.broker.until_acked(3).await;
    assert!(office.broker.state().answers.is_empty());
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(reasons(&mut db).len(), 2);
    assert_eq!(
        db.quarantined(0, 9).unwrap()[0].suspect.bytes,
        delivery(&batch(1, 1..=1)).body
    );
}

#[tokio::test]
async fn a_message_is_not_blamed_for_being_delivered_often() {
    let office = Office::start(QUICK);
    let mut often = delivery(&batch(1, 1..=3));
    often.redelivered = 500;
    office
        .broker
        .deliver([delivery(&batch(2, 4..=4)), often, delivery(&batch(3, 5..=5))]);
    office.broker.until_acked(3).await;
    let receipts: Vec<_> = office
        .receipts()
        .iter()
        .map(|receipt| (receipt.mark.applied - receipt.newly_applied, receipt.mark.applied))
        .collect();
    assert_eq!(receipts, [(0, 1), (1, 4), (4, 5)]);
}

#[tokio::test]
async fn a_message_that_is_taken_each_time_is_never_blamed() {
    let office = Office::start(QUICK);
    let mut often = delivery(&batch(1, 1..=3));
    often.redelivered = 500;
    for times in 1..=7 {
        office.broker.deliver([often.clone()]);
        office.broker.until_acked(times).await;
    }
    assert_eq!(office.receipts().len(), 7);
}

#[tokio::test]
async fn a_message_that_ended_head_office_five_times_is_not_read_again() {
    let mut poison = delivery(&batch(1, 1..=3));
    poison.redelivered = 9;
    let digest = MessageDigest::of(&poison.routing_key, poison.user_id.as_deref(), &poison.body);
    let office = Office::prepared(QUICK, |db, broker| {
        for _ in 0..5 {
            db.try_begins(digest, NOW).unwrap();
        }
        broker.deliver([poison, delivery(&batch(2, 4..=4))]);
    });
    office.broker.until_acked(2).await;
    let outcomes: Vec<_> = office.receipts().into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes[0], Outcome::Unreadable, "so that the branch halves the batch");
    assert!(matches!(outcomes[1], Outcome::Taken(_)));
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        ["head office ended 5 times while it handled the message, and has not read it again"]
    );
    // Somebody has looked at it, and lets it in.
    let id = db.quarantined(0, 1).unwrap()[0].id;
    replay(&mut db, id, false, NOW).unwrap();
    assert!(matches!(
        replay(&mut db, id, false, NOW),
        Err(ReplayError::NoMessage(_))
    ));
    assert!(db.quarantined(0, 1).unwrap().is_empty());
}

#[tokio::test]
async fn nobody_is_told_of_a_message_that_ended_head_office_under_another_name() {
    let mut poison = from_user(Some("SFAX-02"), &batch(1, 1..=3));
    poison.redelivered = 9;
    let mut nameless = delivery(&batch(2, 1..=3));
    nameless.redelivered = 9;
    nameless.body.truncate(20);
    let office = Office::prepared(QUICK, |db, broker| {
        for message in [&poison, &nameless] {
            let digest = MessageDigest::of(&message.routing_key, message.user_id.as_deref(), &message.body);
            for _ in 0..5 {
                db.try_begins(digest, NOW).unwrap();
            }
        }
        broker.deliver([poison, nameless]);
    });
    office.broker.until_acked(2).await;
    assert!(office.receipts().is_empty());
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(
        reasons(&mut db),
        [
            "the message was sent under another user than its branch",
            "head office ended 5 times while it handled the message, and has not read it again",
        ]
    );
}

#[tokio::test]
async fn a_row_that_ends_head_office_each_time_is_found_by_halving_and_all_others_are_stored() {
    fixture::be_poisonous();
    let folder = tempfile::Builder::new().prefix(fixture::POISON).tempdir().unwrap();
    let office = Office::inside(folder, QUICK, |_, _| {});
    let (mut waiting, mut rejected, mut name) = (vec![1..=6], Vec::new(), 0);
    while let Some(ids) = waiting.pop() {
        name += 1;
        let Uplink::Batch(mut part) = batch(name, ids.clone()) else {
            unreachable!("it is a batch")
        };
        if let Some(poison) = part.sales.iter_mut().find(|sale| sale.id.get() == 3) {
            poison.content.product = fixture::POISON.into();
        }
        let answered = office.receipts().len();
        office.broker.deliver([delivery(&Uplink::Batch(part))]);
        office
            .broker
            .until("an answer", |state| state.answers.len() > answered)
            .await;
        let (first, last) = ids.into_inner();
        match office.receipts().remove(answered).outcome {
            Outcome::Unreadable if first == last => rejected.push(first),
            Outcome::Unreadable => {
                let middle = i64::midpoint(first, last);
                waiting.extend([first..=middle, middle + 1..=last]);
            }
            outcome => assert!(matches!(outcome, Outcome::Taken(taken) if taken.refused.is_empty())),
        }
    }
    assert_eq!(rejected, [3]);
    let (mut db, _folder) = office.stopped().await;
    assert_eq!(db.overview().unwrap().branches[0].sales, 5);
}

#[tokio::test]
async fn a_message_that_ends_head_office_holds_the_others_up_for_no_longer_than_its_tries() {
    fixture::be_poisonous();
    let folder = tempfile::Builder::new().prefix(fixture::POISON).tempdir().unwrap();
    let retry = Backoff {
        first_ms: 50,
        cap_ms: 60_000,
    };
    let office = Office::inside(folder, Options { retry, ..QUICK }, |_, _| {});
    let Uplink::Batch(mut poison) = batch(1, 1..=1) else {
        unreachable!("it is a batch")
    };
    poison.sales[0].content.product = fixture::POISON.into();
    let poison = delivery(&Uplink::Batch(poison));
    office.broker.deliver([poison, delivery(&batch(2, 2..=2))]);
    // Nine waits of 50 ms; if each were twice the one before they would be 25 s.
    office.broker.until_acked(2).await;
}

#[tokio::test]
async fn a_message_let_in_late_makes_no_branch_a_copy_and_counts_once_the_branch_is_told() {
    let office = Office::start(QUICK);
    let mut unreadable = delivery(&batch(1, 1..=3));
    *unreadable.body.last_mut().unwrap() ^= 1;
    office.broker.deliver([unreadable]);
    office.broker.until_acked(1).await;
    let (mut db, _folder) = office.stopped().await;
    // Head office was upgraded, and reads it now.
    let kept = db.quarantined(0, 1).unwrap().remove(0);
    let readable = Incoming::Refused(Suspect {
        bytes: delivery(&batch(1, 1..=3)).body,
        ..kept.suspect
    });
    db.commit_group(NOW, &[1], &[readable]).unwrap();
    replay(&mut db, kept.id + 1, false, NOW).unwrap();
    assert_eq!(db.overview().unwrap().branches[0].sales, 3);

    // The branch was told that none of the three can be read, and waits for no answer.
    let mut standing = Standing::default();
    let mut answers = |group: &[Uplink]| {
        let incoming = |message: &Uplink| Incoming::Message {
            login: Login::Own,
            message: message.clone(),
        };
        let group: Vec<_> = group.iter().map(incoming).collect();
        db.commit_group(NOW, &[1], &group).unwrap()
    };
    let Some(Some(Downlink::Answer(answer))) = answers(&[hello()]).pop() else {
        panic!("no answer")
    };
    assert_eq!(standing.weigh(&answer), Lineage::Same);
    // Somebody at the branch has two of them go again, and the receipt is lost.
    standing.unanswered = 2;
    let Some(Downlink::Receipt(receipt)) = answers(&[batch(2, 1..=2), hello()]).swap_remove(0) else {
        panic!("no receipt")
    };
    assert_eq!((receipt.newly_applied, receipt.mark.applied), (2, 2));
    let Some(Some(Downlink::Answer(answer))) = answers(&[hello()]).pop() else {
        panic!("no answer")
    };
    assert_eq!(standing.weigh(&answer), Lineage::Same);
    // What was counted is not counted twice.
    let Some(Some(Downlink::Receipt(receipt))) = answers(&[batch(3, 1..=3)]).pop() else {
        panic!("no receipt")
    };
    assert_eq!((receipt.newly_applied, receipt.mark.applied), (1, 3));
}

#[tokio::test]
async fn what_is_still_wrong_stays_in_the_quarantine() {
    let office = Office::start(QUICK);
    office.broker.deliver([from_user(Some("guest"), &hello())]);
    office.broker.until_acked(1).await;
    let (mut db, _folder) = office.stopped().await;
    let id = db.quarantined(0, 1).unwrap()[0].id;
    assert!(matches!(
        replay(&mut db, id, false, NOW),
        Err(ReplayError::StillRefused { .. })
    ));
    replay(&mut db, id, true, NOW).unwrap();
}

#[tokio::test]
async fn a_database_that_fails_for_long_makes_no_message_suspicious() {
    let office = Office::start(QUICK);
    fixture::break_disk(&office.database());
    office.broker.deliver([delivery(&batch(1, 1..=3))]);
    office.broker.until("given up often", |state| state.drops() >= 15).await;
    fixture::mend_disk(&office.database());
    office.broker.until_acked(1).await;
    assert_eq!(office.receipts().len(), 1);
}
