//! What the header tells of the line: closed on purpose or not, and what it has carried.

use super::*;
use crate::domain::line::{DataUsed, Hours, Traffic};
use crate::domain::read::LineState;
use crate::domain::sync_state::SyncState;
use crate::tui::desk::{Answer, WorkerPlace};

/// A branch whose three newest sales wait, or are at HQ too.
fn branch(line: LineState, in_step: bool) -> FakeDesk {
    let mut desk = FakeDesk::with_sales(20);
    desk.line = line;
    if in_step {
        for number in 18..=20 {
            desk.set_sync(number, SyncState::Acked);
        }
    }
    desk
}

fn header(counter: &Counter) -> String {
    counter.text().lines().take(2).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_resting_line_says_since_when_all_is_in_step() {
    let counter = Counter::open(branch(LineState::Resting, true), (100, 28));
    let shown = header(&counter);
    assert!(shown.contains("line closed   in step at 14:07"), "{shown}");
    assert!(shown.contains("IN STEP"), "{shown}");
}

#[test]
fn a_resting_line_never_says_in_step_while_a_sale_waits() {
    let counter = Counter::open(branch(LineState::Resting, false), (100, 28));
    let shown = header(&counter);
    assert!(shown.contains("line closed") && shown.contains("AHEAD 3"), "{shown}");
    assert!(!shown.to_lowercase().contains("in step"), "{shown}");
}

#[test]
fn outside_its_hours_the_line_says_when_it_opens() {
    let settings = Settings {
        hours: Hours::parse("06:00-07:00,22:30-23:00"),
        ..settings()
    };
    let counter = Counter::with(settings, branch(LineState::OutOfHours, false), (100, 28));
    let shown = header(&counter);
    assert!(shown.contains("line closed   opens at 22:30"), "{shown}");
}

#[test]
fn what_the_line_has_carried_is_shown_once_it_is_worth_a_word() {
    let mut counter = Counter::open(branch(LineState::Up, true), (100, 28));
    let mut used = DataUsed::default();
    used.month.up = 40_000;
    counter.tell(Msg::Answer(Answer::DataUsed(used)));
    assert!(!header(&counter).contains("MB"), "{}", header(&counter));
    used.today = Traffic {
        up: 240_000,
        down: 60_000,
    };
    used.month = Traffic {
        up: 11_000_000,
        down: 1_360_000,
    };
    counter.tell(Msg::Answer(Answer::DataUsed(used)));
    let shown = header(&counter);
    assert!(shown.contains("0.3 MB today   12.4 MB this month"), "{shown}");
}

#[test]
fn what_is_unusual_about_the_line_stands_in_the_header() {
    let settings = Settings {
        plain_line: true,
        ..settings()
    };
    let mut desk = branch(LineState::Up, false);
    desk.skew_ms = -7 * 60_000;
    let mut counter = Counter::with(settings, desk, (140, 28));
    let shown = header(&counter);
    assert!(
        shown.contains("not encrypted   HQ's clock is 7 m behind ours"),
        "{shown}"
    );
    counter.tell(Msg::Answer(Answer::Worker(WorkerPlace::Elsewhere { pid: 4711 })));
    let shown = header(&counter);
    assert!(
        shown.contains("sent by program 4711") && shown.contains("connected"),
        "{shown}"
    );
    counter.tell(Msg::Answer(Answer::Worker(WorkerPlace::Nowhere)));
    let shown = header(&counter);
    assert!(
        shown.contains("nothing is sent") && !shown.contains("connected"),
        "{shown}"
    );
}

#[test]
fn the_header_tells_when_all_will_be_at_hq_as_long_as_the_line_is_up() {
    let mut desk = FakeDesk::with_sales(1_200);
    desk.line = LineState::Up;
    for row in &mut desk.rows {
        row.sync = SyncState::Pending { tries: 0 };
    }
    let mut counter = Counter::open(desk, (120, 28));
    assert!(!header(&counter).contains("clears"), "{}", header(&counter));
    for second in 0..5 {
        for row in &mut counter.desk.rows[second * 40..][..40] {
            row.sync = SyncState::Acked;
        }
        counter.wait(1_000);
        counter.tell(Msg::Answer(Answer::Changed));
    }
    let shown = header(&counter);
    assert!(shown.contains("clears in about 25 s"), "{shown}");
    counter.desk.line = LineState::Down;
    counter.wait(1_000);
    counter.tell(Msg::Answer(Answer::Changed));
    assert!(!header(&counter).contains("clears"), "{}", header(&counter));
}
