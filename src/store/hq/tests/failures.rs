//! What the database refuses, and when it fails.

use super::*;

#[test]
fn a_row_that_the_database_refuses_is_refused_alone() {
    let mut hq = hq();
    hq.db
        .conn
        .batch_execute(
            "CREATE TRIGGER no_poison BEFORE INSERT ON sales WHEN NEW.product = 'POISON' BEGIN SELECT RAISE(ABORT, 'no poison'); END",
        )
        .unwrap();
    let group = [
        batch(vec![sale(1)]),
        batch(vec![sale(2), revised(3, 1, "POISON"), sale(4)]),
        batch(vec![sale(5)]),
    ];
    let answers = hq.commit(&group);
    let Some(Downlink::Receipt(receipt)) = &answers[1] else {
        panic!("no receipt");
    };
    let Outcome::Taken(taken) = &receipt.outcome else {
        panic!("not taken");
    };
    assert_eq!(
        taken.refused,
        [(SaleId::new(3).unwrap(), Revision::FIRST, Refusal::Storage)]
    );
    assert_eq!(
        (receipt.mark.applied - receipt.newly_applied, receipt.mark.applied),
        (1, 3)
    );
    assert_eq!(
        hq.text("SELECT group_concat(external_id) FROM sales").as_deref(),
        Some("1,2,4,5")
    );
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 4);
}

#[test]
fn a_row_that_ends_the_transaction_takes_nothing_with_it() {
    let mut hq = hq();
    hq.db
        .conn
        .batch_execute(
            "CREATE TRIGGER no_poison BEFORE INSERT ON sales WHEN NEW.product = 'POISON' BEGIN SELECT RAISE(ROLLBACK, 'no poison'); END",
        )
        .unwrap();
    let group = [batch(vec![sale(1), revised(2, 1, "POISON"), sale(3)])];
    assert!(hq.db.commit_group(NOW, &[1], &group).is_err());
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 0);
    hq.take(vec![sale(1)]);
}

#[test]
fn a_full_disk_takes_nothing_and_blames_no_row() {
    let mut hq = hq();
    hq.take(vec![sale(1)]);
    let pages = hq.number("SELECT page_count FROM pragma_page_count");
    hq.db
        .conn
        .batch_execute(&format!("PRAGMA max_page_count = {}", pages + 2))
        .unwrap();
    let many = [batch((2..2_000).map(sale).collect())];
    assert!(matches!(hq.db.commit_group(NOW, &[1], &many), Err(StoreError::Full(_))));
    assert!(matches!(hq.db.probe(100_000), Err(StoreError::Full(_))));
    assert_eq!(hq.number("SELECT count(*) FROM sales"), 1);
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 1);
    hq.db.conn.batch_execute("PRAGMA max_page_count = 1000000").unwrap();
    hq.db.probe(100_000).unwrap();
    hq.commit(&many);
    assert_eq!(hq.number("SELECT applied FROM ledgers"), 1_999);
}

#[test]
fn another_writer_is_waited_for_and_blames_no_row() {
    let mut hq = hq();
    let mut other = SqliteConnection::establish(hq.db.path.to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    hq.db.conn.batch_execute("PRAGMA busy_timeout = 1").unwrap();
    let refused = hq.db.commit_group(NOW, &[1], &[batch(vec![sale(1)])]);
    assert!(matches!(refused, Err(StoreError::Busy(_))));
    other.batch_execute("COMMIT").unwrap();
    hq.take(vec![sale(1)]);
}
