//! The till: ids, edits, voids and sums.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::super::fixture::{Fixture, all_stored, at, id, lantern, receipt, revision};
use super::super::till::ChangeError;
use crate::domain::event::LogEvent;
use crate::domain::money::Money;
use crate::domain::sale::SaleContent;
use crate::store::StoreError;

#[test]
fn a_rollback_leaves_no_gap_in_the_ids() {
    let mut branch = Fixture::new();
    branch.sell();
    let failed = branch.db.write(|conn, kept| {
        let content = lantern();
        super::super::sales::insert(conn, 1, &content, at(2).wall)?;
        kept.rows += 1;
        Err::<(), StoreError>(StoreError::nonsense("a failure half-way"))
    });
    assert!(failed.is_err());
    assert_eq!(branch.sell().id, id(2));
    branch.check();
}

#[test]
fn sales_enter_by_plain_insert_only() {
    let sources = [
        include_str!("../sales.rs"),
        include_str!("../import.rs"),
        include_str!("../journal/history.rs"),
        include_str!("../journal/settle.rs"),
    ];
    for source in sources {
        for (at, _) in source.match_indices("INTO sales ") {
            assert!(source[..at].ends_with("INSERT "), "only INSERT INTO sales");
            let statement = source[at..].split(';').next().unwrap();
            assert!(!statement.contains("ON CONFLICT"), "{statement}");
        }
    }
}

#[test]
fn an_edit_keeps_what_it_replaces() {
    let mut branch = Fixture::new();
    let first = branch.sell();
    let content = SaleContent {
        product: "PENS".into(),
        ..lantern()
    };
    let second = branch
        .db
        .save_edit(first.id, first.revision, &content, None, at(2).wall)
        .unwrap();
    assert_eq!((second.revision, &second.content), (revision(2), &content));
    assert_eq!((second.created_at, second.updated_at), (first.created_at, at(2).wall));
    assert_eq!(
        super::super::sales::replaced(&mut branch.db.conn, first.id).unwrap(),
        [first]
    );
    branch.check();
}

#[test]
fn an_edit_from_an_old_revision_is_refused_and_shows_the_sale_as_it_is() {
    let mut branch = Fixture::new();
    let first = branch.sell();
    let second = branch
        .db
        .save_edit(first.id, first.revision, &lantern(), None, at(2).wall)
        .unwrap();
    let late = branch
        .db
        .save_edit(first.id, first.revision, &lantern(), None, at(3).wall);
    assert!(matches!(late, Err(ChangeError::Moved { now }) if *now == second));
    let late = branch.db.void_sale(first.id, first.revision, at(3).wall);
    assert!(matches!(late, Err(ChangeError::Moved { .. })));
    let missing = branch.db.void_sale(id(9), first.revision, at(3).wall);
    assert!(matches!(missing, Err(ChangeError::NoSuchSale(missing)) if missing == id(9)));
}

#[test]
fn a_void_keeps_the_row_and_leaves_the_totals() {
    let mut branch = Fixture::new();
    let first = branch.sell();
    branch.sell();
    let voided = branch.db.void_sale(first.id, first.revision, at(2).wall).unwrap();
    assert_eq!(voided.deleted_at, Some(at(2).wall));
    let status = branch.db.status().unwrap();
    assert_eq!((status.rows, status.sales, status.ahead()), (2, 1, 2));
    assert_eq!(status.ahead_amount, lantern().total());
    let again = branch.db.void_sale(first.id, voided.revision, at(3).wall);
    assert!(matches!(again, Err(ChangeError::AlreadyVoid(_))));
    branch.check();
}

#[test]
fn a_void_of_an_acked_sale_is_ahead_until_it_is_acked_too() {
    let mut branch = Fixture::new();
    branch.sell_acked(1, 1, 0);
    branch.db.void_sale(id(1), revision(1), at(30).wall).unwrap();
    let status = branch.db.status().unwrap();
    assert_eq!((status.ahead(), status.in_step()), (1, false));
    let formed = branch.form(2);
    branch.settle(&receipt(&formed, 1, all_stored(&formed)));
    assert!(branch.db.status().unwrap().in_step());
}

#[test]
fn totals_are_exact_beyond_64_bits() {
    const SALES: usize = 1_000;
    let mut branch = Fixture::new();
    let large = SaleContent {
        qty: 1,
        cost: Money::MAX,
        tax: Money::MAX,
        ..lantern()
    };
    // A thousand of the largest sales stay far below what 64 bits hold, so the kept sums start near the edge.
    branch
        .db
        .import_chunk(&[1; 32], &vec![large.clone(); SALES], 1, true, at(1).wall)
        .unwrap();
    branch.check();
    let exact = i128::from(Money::MAX.units()) * SALES as i128;
    let totals = branch.db.totals(&crate::domain::read::Filter::default()).unwrap();
    assert_eq!(
        (totals.amount.0, totals.tax.0, totals.total().0),
        (exact, exact, 2 * exact)
    );
    let of_the_day = branch.db.days(&crate::domain::read::Filter::default()).unwrap();
    assert_eq!(of_the_day, [(large.date.date(), totals)]);

    let edge = i128::from(i64::MAX);
    branch
        .db
        .write(|_, kept| {
            kept.amount.0 += edge;
            kept.ahead.0 += edge;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    branch.db.save_sale(&large, None, at(2).wall).unwrap();
    let totals = branch.db.totals(&crate::domain::read::Filter::default()).unwrap();
    assert_eq!(totals.amount.0, exact + edge + i128::from(Money::MAX.units()));
    assert!(
        !branch.db.audit().unwrap().is_clean(),
        "and the audit sees what was never sold"
    );
}

#[test]
fn a_sum_in_two_parts_is_the_sum() {
    use super::super::sums::whole;
    let (millions, rest): (i64, i64) =
        super::super::statement::sql::<(diesel::sql_types::BigInt, diesel::sql_types::BigInt)>(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) \
         SELECT sum(total / 1000000), sum(total % 1000000) FROM (SELECT 9999999999999 AS total FROM n)",
        )
        .get_result(&mut Fixture::new().db.conn)
        .unwrap();
    assert_eq!(whole(millions, rest).0, 9_999_999_999_999 * 2_000_000);
}

#[test]
fn each_change_writes_its_line_in_the_log() {
    let mut branch = Fixture::new();
    let first = branch.sell();
    let second = branch
        .db
        .save_edit(first.id, first.revision, &lantern(), None, at(2).wall)
        .unwrap();
    branch.db.void_sale(first.id, second.revision, at(3).wall).unwrap();
    let events: Vec<LogEvent> = branch
        .db
        .log_tail(10)
        .unwrap()
        .into_iter()
        .map(|line| line.event)
        .collect();
    assert_eq!(
        events,
        [
            LogEvent::Saved(first.id),
            LogEvent::Edited(first.id, revision(2)),
            LogEvent::Voided(first.id, revision(3))
        ]
    );
}

#[test]
fn a_till_gets_its_turn_beside_somebody_who_hardly_ever_pauses() {
    const SALES: u32 = 10;
    let mut branch = Fixture::new();
    let path = branch.db.path().to_owned();
    let (stop, rounds) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut busy = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            busy.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
            while !stop.load(Ordering::Relaxed) {
                busy.batch_execute("BEGIN IMMEDIATE").unwrap();
                std::thread::park_timeout(Duration::from_millis(20));
                busy.batch_execute("COMMIT").unwrap();
                rounds.fetch_add(1, Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(2));
            }
        });
        while rounds.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        for _ in 0..SALES {
            branch.sell();
        }
        stop.store(true, Ordering::Relaxed);
    });
    // With SQLite's own wait it is ten times as many.
    let rounds = rounds.load(Ordering::Relaxed);
    assert!(
        rounds < 5 * SALES,
        "{SALES} sales waited for {rounds} transactions of somebody else"
    );
}
