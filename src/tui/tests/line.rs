//! What the header tells of the line: closed on purpose or not, and what it has carried.

use super::*;
use crate::domain::line::{DataUsed, Hours, Traffic};
use crate::domain::read::LineState;
use crate::domain::sync_state::SyncState;
use crate::tui::desk::Answer;

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
