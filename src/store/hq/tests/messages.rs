//! What becomes of messages, and what HQ remembers of branches.

use super::*;

#[test]
fn the_overview_counts_each_branch_from_its_rows() {
    let mut hq = hq();
    let mut void = sale(3);
    void.deleted_at = Some(NOW);
    hq.take(vec![sale(1), sale(2), void]);
    let mut dear = sale(1);
    dear.content.cost = Money::MAX;
    dear.content.qty = 1;
    hq.commit(&[batch_of(BranchCode::parse("SFAX-02").unwrap(), vec![dear])]);
    let overview = hq.db.overview().unwrap();
    let seen = |branch: &BranchOverview| {
        (
            branch.branch.clone(),
            branch.sales,
            branch.voided,
            branch.qty,
            branch.amount.to_string(),
        )
    };
    assert_eq!(
        overview.branches.iter().map(seen).collect::<Vec<_>>(),
        [
            ("SFAX-02".into(), 1, 0, 1, "999999999.9999".into()),
            ("TUNIS-01".into(), 3, 1, 12, "40.68".into())
        ]
    );
    assert_eq!(overview.quarantined, 0);
}

#[test]
fn the_messages_of_a_group_see_one_another() {
    let mut hq = hq();
    let answers = hq.commit(&[batch(vec![sale(1)]), hello(Login::Own), batch(vec![sale(1), sale(2)])]);
    let counts: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Some(Downlink::Receipt(receipt)) => (receipt.mark.applied - receipt.newly_applied, receipt.mark.applied),
            Some(Downlink::Answer(answer)) => (answer.mark.applied, answer.mark.applied),
            None => panic!("each has an answer"),
        })
        .collect();
    assert_eq!(counts, [(0, 1), (1, 1), (1, 2)]);
}

#[test]
fn branches_and_ledgers_are_never_mixed_up() {
    let mut hq = hq();
    let mut other_ledger = revised(1, 1, "PENS");
    other_ledger.ledger = LedgerId::from_random(8);
    let sfax = BranchCode::parse("SFAX-02").unwrap();
    hq.commit(&[
        batch(vec![sale(1)]),
        batch(vec![other_ledger]),
        batch_of(sfax, vec![revised(1, 1, "INK")]),
    ]);
    assert_eq!(hq.number("SELECT count(*) FROM sales WHERE external_id = 1"), 3);
    assert_eq!(hq.number("SELECT count(*) FROM ledgers WHERE applied = 1"), 3);
    assert_eq!(hq.number("SELECT count(*) FROM sale_conflicts"), 0);
}

#[test]
fn a_hello_is_answered_and_written_down() {
    let mut hq = hq();
    hq.db.replace(StoreId::from_random(4), NOW).unwrap();
    let answers = hq.commit(&[batch(vec![sale(1)]), hello(Login::Trial)]);
    let Some(Downlink::Answer(Answer {
        hq: stamp,
        nonce,
        mark,
        ledger,
        ..
    })) = &answers[1]
    else {
        panic!("no answer");
    };
    assert_eq!((*nonce, mark.applied, *ledger), (Nonce::from_random(3), 1, LEDGER));
    assert_eq!(
        (stamp.store, stamp.clock, stamp.trial),
        (StoreId::from_random(5), NOW, true)
    );
    assert_eq!(
        (stamp.replaces.as_slice(), stamp.reads.as_slice()),
        (&[StoreId::from_random(4)][..], &[1][..])
    );
    assert_eq!(hq.number("SELECT clock_skew_ms FROM branches"), -1_500);
    assert_eq!(
        hq.text("SELECT highest_id || ' ' || hello_sales || ' ' || hello_amount FROM ledgers")
            .as_deref(),
        Some("40 39 123.45")
    );
}

#[test]
fn a_login_of_ones_own_is_never_forgotten() {
    let mut hq = hq();
    hq.commit(&[hello(Login::Trial)]);
    assert!(hq.db.with_own_login(&[&branch()]).unwrap().is_empty());
    hq.commit(&[hello(Login::Own)]);
    hq.commit(&[hello(Login::Trial)]);
    let mut hq = hq.reopened();
    let other = BranchCode::parse("SFAX-02").unwrap();
    assert_eq!(
        hq.db.with_own_login(&[&branch(), &other]).unwrap(),
        HashSet::from([branch()])
    );
}

#[test]
fn what_cannot_be_read_is_kept_once_with_a_count_and_answered() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    let unread = Incoming::Unread(UnreadMessage {
        login: Login::Own,
        branch: branch(),
        ledger: LEDGER,
        question: Question::Batch(BatchId::from_random(9), Outcome::Unreadable),
        suspect: Some(suspect(b"???")),
    });
    for _ in 0..2 {
        let receipt = hq.receipt(unread.clone());
        assert_eq!(
            (receipt.batch, &receipt.outcome),
            (BatchId::from_random(9), &Outcome::Unreadable)
        );
        assert_eq!(
            (receipt.mark.applied - receipt.newly_applied, receipt.mark.applied),
            (1, 1)
        );
    }
    assert_eq!(hq.commit(&[Incoming::Refused(suspect(b"other"))]), [None]);
    let kept = hq.db.quarantined(0, 10).unwrap();
    assert_eq!(kept.iter().map(|message| message.count).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(kept[0].suspect, suspect(b"???"));
    assert_eq!(hq.db.quarantined_message(kept[1].id).unwrap().as_ref(), Some(&kept[1]));
    assert!(hq.db.discard_quarantined(kept[0].id).unwrap());
    assert!(!hq.db.discard_quarantined(kept[0].id).unwrap());
    assert_eq!(hq.db.quarantined(0, 10).unwrap().len(), 1);
}

#[test]
fn a_try_counts_until_it_has_ended() {
    let mut hq = hq();
    let message = MessageDigest::of("TUNIS-01.s", Some("TUNIS-01"), b"poison");
    let nobody = MessageDigest::of("TUNIS-01.s", None, b"poison");
    assert_ne!(message, nobody);
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 0);
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 1);
    let mut hq = hq.reopened();
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 2);
    hq.db.try_ended(message).unwrap();
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 0);
    hq.db.forgive_tries().unwrap();
    assert_eq!(hq.db.try_begins(message, NOW).unwrap(), 0);
}

#[test]
fn a_report_shows_decimals_and_times_that_people_read() {
    let mut hq = hq();
    let mut fine = sale(1);
    fine.content.cost = Money::parse("0.1205").unwrap();
    fine.content.tax = Money::parse("0.105").unwrap();
    hq.take(vec![fine, sale(2)]);
    let line = "SELECT group_concat(concat_ws(' ', ledger, cost, tax, amount, total, date, received_utc), ';') FROM sales_report";
    let ledger = LEDGER.to_string();
    let expected = format!(
        "{ledger} 0.1205 0.105 0.723 0.828 2026-11-22 14:00:00 2026-11-22 14:07:31;\
         {ledger} 3.39 4.07 20.34 24.41 2026-11-22 14:00:00 2026-11-22 14:07:31"
    );
    assert_eq!(hq.text(line), Some(expected));
}
