//! What the machine does in named situations, and what it does in none.

mod rest;

use proptest::prelude::*;

use super::*;
use crate::domain::event::Sales;
use crate::domain::ids::{LedgerId, SaleId};
use crate::domain::time::UtcMillis;
use crate::protocol::dictionary::Holding;
use crate::protocol::lineage::{Lineage, Mark};
use crate::protocol::message::Taken;

const HQ: StoreId = StoreId::from_random(77);

/// A machine with a clock of its own, a broker that confirms at once if told to, and a journal that never runs out.
struct Bench {
    machine: Uplink,
    tick: u64,
    luck: u128,
    backlog: usize,
    confirms: bool,
    published: Vec<BatchId>,
    dissolved: Vec<BatchId>,
    hellos: Vec<Nonce>,
    /// The batches whose receipts were taken in.
    settled: Vec<BatchId>,
    /// A session is to be opened.
    connecting: bool,
    logged: Vec<LogEvent>,
    /// Whether what HQ acknowledged rests on receipts of which one does not follow another.
    in_doubt: bool,
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::real(vec![1]))
    }

    fn with(limits: Limits) -> Self {
        let mut bench = Self {
            machine: Uplink::new(limits),
            tick: 0,
            luck: 0,
            backlog: 0,
            confirms: true,
            published: Vec::new(),
            dissolved: Vec::new(),
            hellos: Vec::new(),
            settled: Vec::new(),
            connecting: false,
            logged: Vec::new(),
            in_doubt: false,
        };
        bench.feed(Event::Resumed(Resumed {
            store: Some(HQ),
            parked: Vec::new(),
        }));
        bench
    }

    fn up() -> Self {
        let mut bench = Self::new();
        bench.feed(Event::LinkUp);
        bench
    }

    fn now(&mut self) -> Now {
        self.luck += 1;
        Now {
            tick: Tick(self.tick),
            wall: UtcMillis(0),
            luck: self.luck << 16,
        }
    }

    fn feed(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = self.now();
            for action in self.machine.handle(now, event) {
                match action {
                    Action::FormBatch { id, max_rows } => events.push(self.form(id, max_rows)),
                    Action::Publish { id, .. } => {
                        self.published.push(id);
                        events.extend(self.confirms.then_some(Event::Confirmed(*id.as_bytes())));
                    }
                    Action::SayHello { nonce, .. } => {
                        self.hellos.push(nonce);
                        events.extend(self.confirms.then_some(Event::Confirmed(*nonce.as_bytes())));
                    }
                    Action::Dissolve(id) => {
                        self.dissolved.push(id);
                        self.backlog += 1;
                    }
                    Action::Log(event) => self.logged.push(event),
                    Action::Settle(receipt) => {
                        self.settled.push(receipt.batch);
                        events.push(Event::Settled(Settled::Ours {
                            more_waiting: true,
                            in_doubt: self.in_doubt,
                        }));
                    }
                    Action::Weigh(answer) => events.push(Event::Weighed(Weighed {
                        lineage: Lineage::Same,
                        ledger: answer.ledger,
                        in_doubt: self.in_doubt,
                        names: answer.holding.fingerprint,
                    })),
                    Action::Connect => self.connecting = true,
                    Action::Disconnect | Action::Park(_) | Action::AdoptStore(_) | Action::RetryRefusals => {}
                }
            }
        }
    }

    fn form(&mut self, id: BatchId, max_rows: u32) -> Event {
        if self.backlog == 0 {
            return Event::NothingWaiting;
        }
        self.backlog -= 1;
        let first = SaleId::new(1).unwrap();
        Event::Formed(Outline {
            id,
            sales: Sales {
                count: max_rows,
                first,
                last: first,
            },
            attempt: 1,
        })
    }

    /// Lets time pass until this moment, waking the machine whenever it asks for it.
    fn wait_until(&mut self, tick: u64) {
        while let Some(at) = self.machine.wake_at().filter(|at| at.0 <= tick) {
            self.tick = self.tick.max(at.0);
            self.feed(Event::Woke);
            assert!(
                self.machine.wake_at().is_none_or(|next| next.0 > self.tick),
                "the machine would spin"
            );
        }
        self.tick = tick;
    }

    fn sell(&mut self) {
        self.backlog += 1;
        self.feed(Event::SalesWaiting);
    }

    fn answer(&mut self, nonce: Nonce) {
        self.answer_from(nonce, HQ);
    }

    fn answer_from(&mut self, nonce: Nonce, store: StoreId) {
        let ledger = LedgerId::from_random(1);
        self.feed(Event::Heard(Downlink::Answer(Answer {
            hq: HqStamp::of(store, vec![1]),
            ledger,
            nonce,
            mark: Mark::default(),
            asked: Vec::new(),
            remembers: true,
            holding: Holding::default(),
        })));
    }

    fn receipt(&mut self, batch: BatchId, store: StoreId) {
        self.feed(Event::Heard(Downlink::Receipt(Receipt {
            hq: HqStamp::of(store, vec![1]),
            batch,
            mark: Mark::default(),
            newly_applied: 0,
            outcome: Outcome::Taken(Taken::default()),
        })));
    }
}

#[test]
fn an_hq_that_has_lost_product_names_is_asked_at_once_what_else_it_lost() {
    let mut bench = Bench::up();
    bench.answer(bench.hellos[0]);
    bench.sell();
    bench.feed(Event::Heard(Downlink::Receipt(Receipt {
        hq: HqStamp::of(HQ, vec![1]),
        batch: bench.published[0],
        mark: Mark::default(),
        newly_applied: 0,
        outcome: Outcome::UnknownProducts,
    })));
    assert_eq!(bench.hellos.len(), 2);
}

#[test]
fn a_receipt_that_does_not_follow_the_one_before_is_asked_about_soon() {
    for in_doubt in [false, true] {
        let mut bench = Bench::up();
        bench.answer(bench.hellos[0]);
        bench.sell();
        bench.in_doubt = in_doubt;
        bench.receipt(bench.published[0], HQ);
        bench.wait_until(31_000);
        assert_eq!(bench.hellos.len(), 1 + usize::from(in_doubt));
    }
}

const DAY: u64 = 24 * 3_600_000;

#[test]
fn what_three_days_of_a_silent_hq_leave_in_the_broker_is_bounded() {
    let mut bench = Bench::up();
    for minute in 1..(3 * 24 * 60) {
        bench.sell();
        bench.wait_until(minute * 60_000);
    }
    let window = Limits::real(vec![1]).window;
    println!(
        "HQ silent for three days: {} batches, {} hellos",
        bench.published.len(),
        bench.hellos.len()
    );
    assert!(bench.published.len() <= window, "{} batches", bench.published.len());
    assert!(bench.hellos.len() <= 30, "{} hellos", bench.hellos.len());
    assert_eq!(bench.dissolved, [], "nothing that the broker has goes again");
}

#[test]
fn a_line_that_flaps_for_three_days_before_a_silent_hq_piles_nothing_up() {
    let mut bench = Bench::new();
    let mut at = 0;
    while at < 3 * DAY {
        bench.sell();
        bench.feed(Event::LinkUp);
        at += 20_000;
        bench.wait_until(at);
        bench.feed(Event::LinkDown(LinkTrouble::Lost));
        at += 5_000;
        bench.wait_until(at);
    }
    let window = Limits::real(vec![1]).window;
    println!(
        "and a line that flaps: {} batches, {} hellos",
        bench.published.len(),
        bench.hellos.len()
    );
    assert!(bench.published.len() <= window, "{} batches", bench.published.len());
    assert!(bench.hellos.len() <= 3 * 48 + 2, "{} hellos", bench.hellos.len());
}

/// HQ answers every batch that is in the broker, and those that follow, without any time passing.
fn hq_answers_all(bench: &mut Bench, answered: &mut usize) {
    while *answered < bench.published.len() {
        bench.receipt(bench.published[*answered], HQ);
        *answered += 1;
    }
}

#[test]
fn when_a_silent_hq_returns_after_three_days_everything_flows_at_once() {
    let mut bench = Bench::up();
    for minute in 1..(3 * 24 * 60) {
        bench.sell();
        bench.wait_until(minute * 60_000);
    }
    let waiting = bench.backlog;
    assert!(waiting > 4_000, "{waiting} batches' worth");
    hq_answers_all(&mut bench, &mut 0);
    assert_eq!(bench.backlog, 0);
}

#[test]
fn a_line_that_flaps_every_twenty_seconds_still_drains() {
    let mut bench = Bench::new();
    bench.confirms = false;
    bench.backlog = 200;
    let (mut at, mut sessions) = (0, 0);
    while bench.backlog > 0 || bench.machine.in_flight() > 0 {
        assert!(at < 2 * 3_600_000, "{} batches are left after two hours", bench.backlog);
        // The line comes back whenever the machine tries; three seconds later the broker confirms one batch a second, and HQ answers it.
        bench.wait_until(at);
        if std::mem::take(&mut bench.connecting) {
            bench.feed(Event::LinkUp);
            sessions += 1;
            let mut confirmed = bench.published.len() - bench.machine.in_flight();
            for _ in 3..20 {
                at += 1_000;
                bench.wait_until(at);
                if let Some(batch) = bench.published.get(confirmed).copied() {
                    confirmed += 1;
                    bench.feed(Event::Confirmed(*batch.as_bytes()));
                    bench.receipt(batch, HQ);
                }
            }
            bench.feed(Event::LinkDown(LinkTrouble::Lost));
        }
        at += 1_000;
    }
    println!(
        "200 batches over a line that breaks every 20 s: {sessions} sessions, {} published",
        bench.published.len()
    );
    assert!(bench.published.len() < 300, "{} batches for 200", bench.published.len());
}

#[test]
fn an_hours_window_a_day_is_never_slept_through() {
    let mut bench = Bench::new();
    let hour = 3_600_000;
    let mut answered = 0;
    for day in 0..3 {
        let opens = day * DAY + 23 * hour;
        while bench.tick < opens {
            bench.wait_until(bench.tick + 1_000);
            if std::mem::take(&mut bench.connecting) {
                bench.feed(Event::LinkDown(LinkTrouble::Unreachable));
            }
            if bench.tick.is_multiple_of(600_000) {
                bench.sell();
            }
        }
        // The line is there, and HQ as well on the last day only.
        while !std::mem::take(&mut bench.connecting) {
            bench.wait_until(bench.tick + 1_000);
        }
        let late_ms = bench.tick - opens;
        assert!(
            late_ms <= 60_000,
            "the line was there for {late_ms} ms before it was used"
        );
        bench.feed(Event::LinkUp);
        if day == 2 {
            bench.answer(*bench.hellos.last().unwrap());
            hq_answers_all(&mut bench, &mut answered);
            println!("window of an hour: used after {late_ms} ms, drained at once");
            assert_eq!(bench.backlog, 0);
        }
        bench.wait_until(opens + hour);
        bench.feed(Event::LinkDown(LinkTrouble::Lost));
    }
    assert!(bench.machine.in_flight() == 0);
}

#[test]
fn an_answer_ends_the_silence_and_what_was_lost_goes_again_at_once() {
    let mut bench = Bench::up();
    bench.sell();
    let lost = bench.published.clone();
    bench.wait_until(40_000);
    assert!(
        bench
            .logged
            .iter()
            .any(|event| matches!(event, LogEvent::TimedOut { retry_s: None, .. }))
    );
    assert_eq!(bench.dissolved, []);
    bench.wait_until(700_000);
    let asked_later = *bench.hellos.last().unwrap();
    bench.answer(asked_later);
    assert_eq!(bench.dissolved, lost);
    assert_eq!(bench.published.len(), 2, "the same sales travel again, in a new batch");
}

#[test]
fn what_lies_in_a_broker_for_a_silent_hq_is_not_in_the_way_of_what_is_new() {
    let mut bench = Bench::up();
    // As many as the line is trusted with at first.
    (0..4).for_each(|_| bench.sell());
    let lost = bench.published.clone();
    bench.wait_until(31_000);
    // The broker is wiped, and takes a while to come back.
    for _ in 0..4 {
        bench.feed(Event::LinkDown(LinkTrouble::Lost));
        let at = bench.machine.wake_at().unwrap();
        bench.wait_until(at.0);
    }
    bench.feed(Event::LinkUp);
    bench.sell();
    assert_eq!(bench.published.len(), 5, "what is new waits behind what is lost");
    let new = bench.published[4];
    bench.receipt(new, HQ);
    assert_eq!(bench.dissolved, lost);
}

#[test]
fn a_batch_that_later_ones_overtook_is_tried_again_with_a_wait() {
    let mut bench = Bench::up();
    bench.sell();
    bench.sell();
    let (first, second) = (bench.published[0], bench.published[1]);
    bench.receipt(second, HQ);
    assert_eq!(bench.dissolved, [], "its time is not yet over");
    bench.wait_until(30_000);
    assert!(bench.logged.iter().any(|event| matches!(
        event,
        LogEvent::TimedOut {
            retry_s: Some(3..=5),
            next_try: 2,
            ..
        }
    )));
    bench.wait_until(36_000);
    assert_eq!(bench.dissolved, [first]);
    assert_eq!(bench.published.len(), 3);
}

#[test]
fn what_was_not_confirmed_goes_again_when_the_line_breaks_and_what_was_confirmed_does_not() {
    let mut bench = Bench::up();
    bench.sell();
    bench.confirms = false;
    bench.sell();
    let unconfirmed = bench.published[1];
    bench.feed(Event::LinkDown(LinkTrouble::Lost));
    assert_eq!(bench.dissolved, [unconfirmed]);
}

#[test]
fn a_broker_that_never_confirms_costs_the_session_not_the_machine() {
    let mut bench = Bench::up();
    bench.confirms = false;
    bench.sell();
    bench.wait_until(29_999);
    assert_eq!(bench.machine.line(), LineState::Up);
    bench.wait_until(31_000);
    assert_eq!(bench.machine.line(), LineState::Down);
    assert_eq!(bench.dissolved.len(), 1);
}

#[test]
fn a_stranger_is_told_nothing_more() {
    let mut bench = Bench::up();
    bench.sell();
    let batch = bench.published[0];
    bench.receipt(batch, StoreId::from_random(666));
    assert_eq!(bench.machine.line(), LineState::Stranger);
    assert_eq!(bench.settled, [], "what it stores is not at HQ");
    assert!(
        bench
            .logged
            .iter()
            .any(|event| matches!(event, LogEvent::ForeignStore { .. }))
    );
    bench.sell();
    assert_eq!(bench.published.len(), 1);
    let nonce = bench.hellos[0];
    bench.answer(nonce);
    assert_eq!(bench.machine.line(), LineState::Up);
    assert_eq!(bench.published.len(), 2);
    bench.receipt(batch, HQ);
    assert_eq!(bench.settled, [batch]);
}

#[test]
fn a_stranger_that_answers_is_asked_again_every_five_minutes_however_long_it_takes() {
    let mut bench = Bench::up();
    for _ in 0..40 {
        let nonce = *bench.hellos.last().unwrap();
        bench.answer_from(nonce, StoreId::from_random(78));
        let before = (bench.hellos.len(), bench.tick);
        while bench.hellos.len() == before.0 {
            let due = bench.machine.wake_at().unwrap();
            bench.wait_until(due.0);
        }
        assert!(
            bench.tick - before.1 <= 300_000,
            "{} s",
            (bench.tick - before.1) / 1_000
        );
    }
}

#[test]
fn sales_that_hq_is_too_old_for_wait_until_it_is_not() {
    let mut bench = Bench::up();
    bench.machine.limits.writes = vec![2];
    let nonce = bench.hellos[0];
    bench.answer(nonce);
    bench.sell();
    assert_eq!(bench.published, []);
    bench.machine.limits.writes = vec![1, 2];
    bench.feed(Event::SyncNow);
    assert_eq!(bench.published.len(), 1);
}

#[test]
fn a_program_that_ends_leaves_confirmed_batches_parked_and_gives_back_the_rest() {
    let mut bench = Bench::up();
    bench.sell();
    bench.confirms = false;
    bench.sell();
    let now = bench.now();
    let actions = bench.machine.handle(now, Event::Stopping);
    let expected = [
        Action::Park(bench.published[0]),
        Action::Dissolve(bench.published[1]),
        Action::Disconnect,
    ];
    assert_eq!(actions, expected);
    assert_eq!(bench.machine.wake_at(), None);
}

#[test]
fn a_batch_of_an_earlier_life_goes_again_once_anything_new_is_answered() {
    let mut bench = Bench::new();
    let first = SaleId::new(1).unwrap();
    let id = BatchId::from_random(5);
    let outline = Outline {
        id,
        sales: Sales {
            count: 1,
            first,
            last: first,
        },
        attempt: 1,
    };
    bench.feed(Event::Resumed(Resumed {
        store: Some(HQ),
        parked: vec![outline],
    }));
    bench.feed(Event::LinkUp);
    let nonce = bench.hellos[0];
    bench.answer(nonce);
    assert_eq!(bench.dissolved, [id]);
}

fn any_event() -> impl Strategy<Value = (u64, u8, u8)> {
    (0..400_000_u64, 0..12_u8, any::<u8>())
}

proptest! {
    /// Whatever happens, the machine keeps its bound, and never asks to be woken at once for ever.
    #[test]
    fn any_order_of_events_keeps_the_bounds(events in prop::collection::vec(any_event(), 1..120)) {
        let mut bench = Bench::new();
        for (wait, kind, which) in events {
            bench.wait_until(bench.tick + wait);
            let batch = bench.published.get(usize::from(which) % bench.published.len().max(1)).copied();
            let hello = bench.hellos.get(usize::from(which) % bench.hellos.len().max(1)).copied();
            match (kind, batch, hello) {
                (0, ..) => bench.feed(Event::LinkUp),
                (1, ..) => bench.feed(Event::LinkDown(LinkTrouble::Lost)),
                (2, ..) => bench.feed(Event::LinkBlocked(which % 2 == 0)),
                (3, ..) => bench.feed(Event::NoReceiptQueue),
                (4, ..) => bench.confirms = !bench.confirms,
                (5, Some(batch), _) => bench.feed(Event::Confirmed(*batch.as_bytes())),
                (6, Some(batch), _) => bench.receipt(batch, HQ),
                (7, Some(batch), _) => bench.receipt(batch, StoreId::from_random(666)),
                (8, _, Some(nonce)) => bench.answer(nonce),
                (9, ..) => bench.feed(Event::SyncNow),
                _ => bench.sell(),
            }
            prop_assert!(bench.machine.in_flight() <= Limits::real(vec![1]).window);
        }
    }
}

#[test]
#[should_panic(expected = "the limits leave no way to send")]
fn a_machine_that_would_make_batches_beyond_the_limit_of_a_message_does_not_begin() {
    let mut limits = Limits::real(vec![1]);
    limits.batch_rows = MAX_BATCH_ROWS + 1;
    let _ = Uplink::new(limits);
}
