//! What is kept beside the sales: drafts, the log, imports, codes, the worker's stamp.

use diesel::connection::SimpleConnection;

use super::super::ImportProgress;
use super::super::fixture::{Fixture, at, batch_id, id, lantern, lantern_on, receipt, revision};
use super::super::log::{DROPPED_TOGETHER, MAX_LOG_LINES};
use crate::domain::draft::Draft;
use crate::domain::event::{LinkTrouble, LogEvent, Sales};
use crate::domain::ids::{LedgerId, StoreId};
use crate::domain::line::{DataUsed, Traffic};
use crate::domain::money::Money;
use crate::domain::read::{Filter, KeptDraft, LineState, ProductCode, WorkerStamp};
use crate::domain::sale::SaleContent;
use crate::domain::sync_state::Refusal;
use crate::protocol::journal::Journal;
use crate::protocol::message::{Outcome, Taken};
use crate::store::StoreError;

fn kept(screen: &str, no: i64, product: &str, millis: u64) -> KeptDraft {
    KeptDraft {
        screen: screen.into(),
        no,
        draft: Draft {
            product: product.into(),
            cost: "2,".into(),
            ..Draft::default()
        },
        editing: Some((id(3), revision(2))),
        at: at(millis).wall,
    }
}

fn products(drafts: &[KeptDraft]) -> Vec<&str> {
    drafts.iter().map(|kept| kept.draft.product.as_str()).collect()
}

#[test]
fn saving_a_sale_and_clearing_its_draft_are_one() {
    let mut branch = Fixture::new();
    branch.db.keep_draft(&kept("one", 1, "PE", 1)).unwrap();
    branch.db.keep_draft(&kept("one", 2, "PEN", 2)).unwrap();
    branch.db.keep_draft(&kept("two", 1, "LAN", 3)).unwrap();
    branch.db.save_sale(&lantern(), Some(("one", 1)), at(3).wall).unwrap();
    let left = branch.db.adopt_drafts(&|_| false, "three").unwrap();
    assert_eq!(products(&left), ["LAN"]);
    let left = branch.db.adopt_drafts(&|screen| screen == "three", "four").unwrap();
    assert_eq!(products(&left), ["PEN"], "the screen's other draft is still there");
}

#[test]
fn the_drafts_of_a_dead_screen_are_offered_once() {
    let mut branch = Fixture::new();
    for draft in [
        kept("dead", 1, "PENS", 1),
        kept("dead", 7, "SOAP", 3),
        kept("dead", 4, "PAPER", 2),
    ] {
        branch.db.keep_draft(&draft).unwrap();
    }
    branch.db.keep_draft(&kept("alive", 1, "LANTERN", 4)).unwrap();
    let alive = |screen: &str| screen != "dead";
    let adopted = branch.db.adopt_drafts(&alive, "mine").unwrap();
    assert_eq!(
        adopted,
        [
            kept("mine", -1, "PENS", 1),
            kept("mine", -2, "PAPER", 2),
            kept("mine", -3, "SOAP", 3)
        ]
    );
    assert_eq!(branch.db.adopt_drafts(&alive, "other").unwrap(), []);
    branch.db.keep_draft(&kept("mine", 1, "LAMP", 5)).unwrap();
    for no in [-1, -2, -3] {
        branch.db.drop_draft("mine", no).unwrap();
    }
    let left = branch.db.adopt_drafts(&|screen| screen == "alive", "next").unwrap();
    assert_eq!(products(&left), ["LAMP"]);
    assert_eq!(
        branch.db.adopt_drafts(&|_| false, "alive").unwrap(),
        [],
        "a screen keeps its own drafts"
    );
}

#[test]
fn every_event_comes_back_from_the_log() {
    let mut branch = Fixture::new();
    let sales = Sales {
        count: 3,
        first: id(1),
        last: id(9),
    };
    let events = [
        LogEvent::Saved(id(1)),
        LogEvent::Edited(id(1), revision(2)),
        LogEvent::Voided(id(1), revision(3)),
        LogEvent::Imported { sales },
        LogEvent::LinkUp,
        LogEvent::LineRests,
        LogEvent::HoursOver,
        LogEvent::LinkDown {
            trouble: LinkTrouble::NotABroker,
            retry_s: 58,
        },
        LogEvent::BrokerBlocked,
        LogEvent::Stored { sales, took_ms: 300 },
        LogEvent::TimedOut {
            sales,
            after_s: 30,
            next_try: 2,
            retry_s: Some(58),
        },
        LogEvent::TimedOut {
            sales,
            after_s: 30,
            next_try: 2,
            retry_s: None,
        },
        LogEvent::Refused(id(4), Refusal::DateAhead { days: 40 }),
        LogEvent::Conflicted(id(4)),
        LogEvent::Unreadable { sales },
        LogEvent::HqAnswered { skew_ms: -77 },
        LogEvent::HqRestored { sales: 5 },
        LogEvent::LedgerBegun {
            ledger: LedgerId::from_random(9),
            moved: 2,
        },
        LogEvent::ForeignStore {
            store: StoreId::from_random(8),
        },
        LogEvent::StoreReplaced {
            store: StoreId::from_random(8),
        },
        LogEvent::ForeignReceipt,
        LogEvent::HqOlder,
        LogEvent::Resent { sales: 6 },
        LogEvent::WorkerRestarted,
        LogEvent::WorkerElected,
    ];
    for event in &events {
        branch.db.log(event.clone(), at(1).wall).unwrap();
    }
    let lines = branch.db.log_tail(100).unwrap();
    let read: Vec<LogEvent> = lines.iter().map(|line| line.event.clone()).collect();
    assert_eq!(read, events);
    let behind = branch.db.log_after(lines[2].seq, 2).unwrap();
    assert_eq!(behind, lines[3..5]);
}

#[test]
fn the_log_is_bounded_and_its_numbers_go_on() {
    let mut branch = Fixture::new();
    let written = MAX_LOG_LINES + 3 * DROPPED_TOGETHER + 5;
    branch
        .db
        .write(|conn, _| {
            for _ in 0..written {
                super::super::log::write(conn, LogEvent::LinkUp, at(1).wall)?;
            }
            Ok::<_, crate::store::StoreError>(())
        })
        .unwrap();
    let lines = branch.db.log_tail(u32::MAX).unwrap();
    let kept = i64::try_from(lines.len()).unwrap();
    assert!(
        (MAX_LOG_LINES..MAX_LOG_LINES + DROPPED_TOGETHER).contains(&kept),
        "{kept} lines"
    );
    assert_eq!((lines[0].seq, lines.last().unwrap().seq), (written - kept + 1, written));
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    let mut branch = Fixture::new();
    let digest = [7; 32];
    assert_eq!(branch.db.import_progress(&digest).unwrap(), None);
    let sales: Vec<SaleContent> = (1..=150)
        .map(|number| SaleContent {
            product: format!("PRODUCT {}", number % 7).into(),
            region: format!("REGION {}", number % 3).into(),
            ..lantern_on(&format!("2026-11-{:02} 08:00:00", number % 28 + 1))
        })
        .collect();
    branch.sell();
    branch.db.import_chunk(&digest, &sales, 153, false, at(2).wall).unwrap();
    branch.check();
    let progress = |last_line, finished| Some(ImportProgress { last_line, finished });
    assert_eq!(branch.db.import_progress(&digest).unwrap(), progress(153, false));
    for (sale, number) in sales.iter().zip(2..) {
        assert_eq!(branch.db.sale(id(number)).unwrap().unwrap().sale.content, *sale);
    }
    branch.db.import_chunk(&digest, &[], 160, true, at(3).wall).unwrap();
    assert_eq!(branch.db.import_progress(&digest).unwrap(), progress(160, true));
    branch.db.import_again(&digest).unwrap();
    assert_eq!(branch.db.import_progress(&digest).unwrap(), None);
    assert_eq!(branch.sell().id, id(152));
    let formed = branch.db.form_batch(batch_id(1), 1_000, at(4)).unwrap().unwrap();
    assert_eq!(formed.batch.sales.len(), 152);
    branch.check();
}

#[test]
fn a_scanned_code_stands_for_a_product() {
    let mut branch = Fixture::new();
    let pens = ProductCode {
        code: "4006381333931".into(),
        name: "PENS".into(),
        cost: Money::parse("2.19").unwrap(),
    };
    assert_eq!(branch.db.import_products(std::slice::from_ref(&pens)).unwrap(), 1);
    let dearer = ProductCode {
        cost: Money::parse("2.29").unwrap(),
        ..pens.clone()
    };
    branch.db.import_products(std::slice::from_ref(&dearer)).unwrap();
    assert_eq!(branch.db.product_by_code(&pens.code).unwrap(), Some(dearer));
    assert_eq!(branch.db.product_by_code("1").unwrap(), None);
}

#[test]
fn every_program_sees_what_the_worker_says_of_itself() {
    let mut branch = Fixture::new();
    assert_eq!(branch.db.status().unwrap().worker, None);
    for line in [
        LineState::Off,
        LineState::Down,
        LineState::Up,
        LineState::Blocked,
        LineState::Stranger,
        LineState::Resting,
        LineState::OutOfHours,
    ] {
        let stamp = WorkerStamp {
            at: at(5).wall,
            pid: 4_242,
            line,
            trial: true,
        };
        branch
            .db
            .stamp_worker(stamp, Traffic::default(), day("2026-11-22"))
            .unwrap();
        assert_eq!(branch.db.status().unwrap().worker, Some(stamp));
    }
}

#[test]
fn the_data_meter_counts_by_day_and_by_month() {
    let mut branch = Fixture::new();
    let stamp = WorkerStamp {
        at: at(5).wall,
        pid: 4_242,
        line: LineState::Up,
        trial: false,
    };
    for (on, up, down) in [
        ("2026-10-31", 1, 1),
        ("2026-11-01", 10, 20),
        ("2026-11-22", 100, 200),
        ("2026-11-22", 1_000, 2_000),
        ("2026-11-23", 7, 7),
    ] {
        branch.db.stamp_worker(stamp, Traffic { up, down }, day(on)).unwrap();
    }
    let used = branch.db.data_used(day("2026-11-22")).unwrap();
    assert_eq!(used.today, Traffic { up: 1_100, down: 2_200 });
    assert_eq!(used.month, Traffic { up: 1_110, down: 2_220 });
    assert_eq!(branch.db.data_used(day("2026-12-01")).unwrap(), DataUsed::default());
}

fn day(text: &str) -> chrono::NaiveDate {
    crate::domain::time::parse_day(text).unwrap()
}

#[test]
fn what_was_put_back_by_hand_is_in_the_log_once() {
    let mut branch = Fixture::new();
    branch.sell_acked(2, 1, 0);
    let resent = |branch: &mut Fixture| {
        let lines = branch.db.log_tail(100).unwrap().into_iter();
        lines
            .filter(|line| matches!(line.event, LogEvent::Resent { .. }))
            .count()
    };
    assert_eq!(branch.db.resend(None, None, at(30).wall).unwrap(), 2);
    assert_eq!(resent(&mut branch), 1);
    assert_eq!(branch.db.resend(None, None, at(31).wall).unwrap(), 0);
    assert!(!branch.db.retry(id(1), at(32).wall).unwrap());
    assert_eq!(resent(&mut branch), 1, "nothing was put back");

    let formed = branch.form(2);
    let refused = Outcome::Taken(Taken {
        refused: [1, 2]
            .map(|number| (id(number), revision(1), Refusal::Storage))
            .to_vec(),
        ..Taken::default()
    });
    branch.settle(&receipt(&formed, 0, refused));
    assert_eq!(branch.db.retry_all(&Filter::default(), at(40).wall).unwrap(), 2);
    let line = branch.db.log_tail(1).unwrap().remove(0);
    assert_eq!((line.event, line.at), (LogEvent::Resent { sales: 2 }, at(40).wall));
}

#[test]
fn a_full_disk_is_called_that_and_takes_nothing() {
    let mut branch = Fixture::new();
    branch.sell();
    branch.db.conn.batch_execute("PRAGMA max_page_count = 1").unwrap();
    let error = (0..10_000).find_map(|_| branch.db.save_sale(&lantern(), None, at(2).wall).err());
    assert!(matches!(error, Some(StoreError::Full(_))), "{error:?}");
    branch.check();
    branch.db.conn.batch_execute("PRAGMA max_page_count = 1000000").unwrap();
    branch.sell();
    branch.check();
}
