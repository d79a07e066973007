//! A line that is closed on purpose.

use super::*;

const LINGER: u64 = 60_000;
const HOUR: u64 = 3_600_000;

fn resting() -> Bench {
    let mut bench = Bench::with(Limits {
        linger_ms: Some(LINGER),
        ..Limits::real(vec![1])
    });
    bench.feed(Event::LinkUp);
    bench.answer(bench.hellos[0]);
    bench.wait_until(LINGER);
    bench
}

#[test]
fn a_line_in_step_is_closed_after_its_linger_and_opened_for_the_next_sale() {
    let mut bench = resting();
    assert_eq!(bench.machine.line(), LineState::Resting);
    assert_eq!(bench.logged.last(), Some(&LogEvent::LineRests));
    bench.wait_until(2 * LINGER);
    bench.sell();
    bench.feed(Event::LinkUp);
    assert_eq!(bench.published.len(), 1, "the sale goes at once");
    assert_eq!(bench.machine.line(), LineState::Up);
}

#[test]
fn a_line_does_not_rest_while_a_sale_has_no_receipt() {
    let mut bench = resting();
    bench.sell();
    bench.feed(Event::LinkUp);
    bench.wait_until(10 * LINGER);
    assert_eq!(bench.machine.line(), LineState::Up);
    bench.receipt(bench.published[0], HQ);
    bench.wait_until(12 * LINGER);
    assert_eq!(bench.machine.line(), LineState::Resting);
}

#[test]
fn a_resting_line_is_opened_for_a_hello_once_an_hour_even_if_hq_is_silent() {
    let mut bench = resting();
    let mut sessions = 0;
    for minute in 2..=(24 * 60) {
        bench.wait_until(minute * 60_000);
        if bench.machine.line() == LineState::Down {
            bench.feed(Event::LinkUp);
            sessions += 1;
        }
    }
    assert!((22..=24).contains(&sessions), "{sessions} sessions in a day");
}

#[test]
fn a_line_that_never_lingers_stays_open() {
    let mut bench = Bench::up();
    bench.answer(bench.hellos[0]);
    bench.wait_until(12 * HOUR);
    assert_eq!(bench.machine.line(), LineState::Up);
}

#[test]
fn outside_its_hours_the_line_is_closed_and_a_batch_on_its_way_to_the_broker_goes_again_later() {
    let mut bench = Bench::up();
    bench.confirms = false;
    bench.sell();
    bench.feed(Event::Hours(false));
    assert_eq!(bench.machine.line(), LineState::OutOfHours);
    assert_eq!(bench.dissolved, bench.published);
    bench.feed(Event::SyncNow);
    bench.sell();
    bench.wait_until(12 * HOUR);
    assert_eq!(
        (bench.machine.line(), bench.published.len()),
        (LineState::OutOfHours, 1)
    );
    bench.feed(Event::Hours(true));
    bench.feed(Event::LinkUp);
    assert!(bench.published.len() > 1, "what waited goes when the hours begin");
}

#[test]
fn a_worker_that_starts_outside_the_hours_opens_nothing() {
    let mut machine = Uplink::new(Limits::real(vec![1]));
    let mut bench = Bench::up();
    let _ = machine.handle(bench.now(), Event::Hours(false));
    let resumed = Event::Resumed(Resumed {
        store: Some(HQ),
        parked: Vec::new(),
    });
    let actions = machine.handle(bench.now(), resumed);
    assert!(!actions.contains(&Action::Connect), "{actions:?}");
}

#[test]
fn a_receipt_that_comes_late_after_the_hours_is_waited_for_until_its_deadline_only() {
    let mut bench = Bench::up();
    bench.sell();
    bench.feed(Event::Hours(false));
    bench.wait_until(2 * LINGER);
    let timed_out = |event: &LogEvent| matches!(event, LogEvent::TimedOut { .. });
    assert!(bench.logged.iter().any(timed_out), "{:?}", bench.logged);
}
