//! What a worker finds by itself, when it looks around, and what it tells the others of its program.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::tests::{Nobody, Shop};
use super::*;
use crate::domain::event::LogEvent;
use crate::domain::ids::{BatchId, StoreId};
use crate::domain::sync_state::{Refusal, SyncKind};
use crate::protocol::journal::Journal;
use crate::protocol::lineage::Mark;
use crate::protocol::message::{HqStamp, Outcome, Receipt, Taken};
use crate::store::branch::fixture::lantern;

/// What a shift borrows.
struct Surroundings {
    service: Service<Nobody>,
    change: watch::Sender<u64>,
    carried: Traffic,
}

impl Surroundings {
    fn of(shop: &Shop, lookout: Lookout) -> Self {
        Self {
            service: shop.service(Nobody::default(), lookout),
            change: watch::Sender::new(0),
            carried: Traffic::default(),
        }
    }

    /// Begins a shift, with the lock or without it.
    fn begin(&mut self, locked: bool) -> Shift<'_, Nobody> {
        let path = &self.service.path;
        let db = BranchDb::open(path, None).unwrap();
        let lock = locked.then(|| WorkerLock::try_take(path).unwrap().expect("nobody has it"));
        Shift::begin(&self.service, db, lock, &self.change, &mut self.carried).unwrap()
    }
}

/// Sells something that head office refused for its date more than a day ago.
fn sell_too_early(db: &mut BranchDb) -> SaleId {
    const LONG_AGO_MS: i64 = 25 * 3_600_000;
    let then = Now {
        wall: UtcMillis(clock::wall().0 - LONG_AGO_MS),
        ..now()
    };
    let sale = db.save_sale(&lantern(), None, then.wall).unwrap();
    let formed = db.form_batch(BatchId::from_random(1), 1, then).unwrap().unwrap();
    let refused = vec![(sale.id, sale.revision, Refusal::DateAhead { days: 40 })];
    let receipt = Receipt {
        hq: HqStamp {
            store: StoreId::from_random(1),
            replaces: Vec::new(),
            clock: then.wall,
            trial: false,
            reads: vec![1],
        },
        batch: formed.batch.id,
        mark: Mark::default(),
        newly_applied: 0,
        outcome: Outcome::Taken(Taken {
            refused,
            ..Taken::default()
        }),
    };
    db.settle(&receipt, then).unwrap();
    sale.id
}

#[test]
fn what_another_program_sells_is_found_by_the_next_look_and_by_no_other() {
    let mut shop = Shop::new();
    let mut around = Surroundings::of(&shop, Lookout::Told);
    let mut shift = around.begin(true);
    assert_eq!(shift.look().unwrap(), None);
    for _ in 0..2 {
        shop.db.save_sale(&lantern(), None, clock::wall()).unwrap();
        assert_eq!(shift.look().unwrap(), Some(Event::SalesWaiting));
        assert_eq!(shift.look().unwrap(), None);
    }
    shop.db.log(LogEvent::LinkUp, clock::wall()).unwrap();
    assert_eq!(shift.look().unwrap(), Some(Event::SalesWaiting), "they still wait");
}

#[test]
fn a_worker_looks_around_with_its_stamp_unless_it_must_find_what_others_write_or_the_lock() {
    for (lookout, locked, wait_ms) in [
        (Lookout::Told, true, STAMP_MS),
        (Lookout::Told, false, POLL_MS),
        (Lookout::Own, true, POLL_MS),
        (Lookout::Own, false, POLL_MS),
    ] {
        let shop = Shop::new();
        let _other = (!locked).then(|| WorkerLock::try_take(shop.db.path()).unwrap().unwrap());
        let mut around = Surroundings::of(&shop, lookout);
        let mut shift = around.begin(locked);
        let began = clock::tick();
        assert!(shift.stamp().unwrap());
        shift.look().unwrap();
        let ended = clock::tick();
        let round_at = shift.round_at().expect("there is always a next round");
        assert!(
            (began.plus(wait_ms)..=ended.plus(wait_ms)).contains(&round_at),
            "{lookout:?} {locked}: {round_at:?} after {began:?}"
        );
    }
}

#[test]
fn hours_are_looked_at_when_a_minute_begins() {
    for (now, wait_ms) in [(0, 60_000), (1, 59_999), (59_999, 1), (60_000, 60_000), (-1, 1)] {
        assert_eq!(to_next_minute(UtcMillis(now)), wait_ms, "{now}");
    }
}

#[test]
fn what_is_written_is_told_and_recorded_though_the_line_is_only_opened_and_nothing_else_is_told() {
    let mut shop = Shop::new();
    let mut around = Surroundings::of(&shop, Lookout::Told);
    let opened = Arc::clone(&around.service.transport.opened);
    let mut shift = around.begin(true);
    let tries = || opened.load(Ordering::Relaxed);
    let told = |shift: &Shift<'_, Nobody>| *shift.change.borrow();

    assert!(shift.stamp().unwrap());
    let before = told(&shift);
    shift.step(Event::SalesWaiting).unwrap();
    assert_eq!((tries(), told(&shift)), (1, before), "nothing is written");
    shift.step(Event::LinkDown(LinkTrouble::Unreachable)).unwrap();
    assert_eq!((tries(), told(&shift)), (1, before + 1), "the log has a line");
    shift.step(Event::SyncNow).unwrap();
    assert_eq!((tries(), told(&shift)), (2, before + 1), "nothing is written");
    shift.step(Event::LinkDown(LinkTrouble::Unreachable)).unwrap();
    assert_eq!((tries(), told(&shift)), (2, before + 2), "the log has a line");

    let early = sell_too_early(&mut shop.db);
    shift.step(Event::SyncNow).unwrap();
    assert_eq!((tries(), told(&shift)), (3, before + 3), "a sale goes again");
    let sale = shop.db.sale(early).unwrap().unwrap();
    assert_eq!(sale.sync.kind(), SyncKind::Pending);
    assert_eq!(shift.recorded, shop.db.log_tail(1).unwrap()[0].seq);
}
