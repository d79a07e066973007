//! What opens over the table: stories, conflicts, help, totals.

use super::Counter;
use super::fake::{FakeDesk, id, too_far_ahead};
use crate::domain::ids::Revision;
use crate::domain::sync_state::SyncState;
use crate::tui::desk::{Choice, Cmd};
use crate::tui::keymap::Context;

fn counter() -> Counter {
    Counter::open(FakeDesk::with_sales(40), (100, 28))
}

#[test]
fn a_story_tells_an_edit_with_its_differences() {
    let mut counter = counter();
    counter.keys("e Tab Ctrl+U");
    counter.type_text("8");
    counter.keys("Ctrl+S Enter");
    let text = counter.text();
    for said in [
        "Entered",
        "Edited (revision 2)",
        "Qty: 1 → 8",
        "HQ has revision 1; its clock said",
    ] {
        assert!(text.contains(said), "{said} is missing:\n{text}");
    }
}

#[test]
fn a_refusal_is_read_on_the_row_with_what_to_do() {
    let mut desk = FakeDesk::with_sales(40);
    desk.set_sync(40, too_far_ahead());
    let mut counter = Counter::open(desk, (100, 28));
    counter.keys("Enter");
    let text = counter.text();
    for said in [
        "the date is 40 days ahead",
        "Correct the date and save",
        "e edits it, r tries it again",
    ] {
        assert!(text.contains(said), "{said} is missing:\n{text}");
    }
    counter.keys("r");
    assert!(counter.asked.contains(&Cmd::Retry(id(40))));
}

#[test]
fn the_keys_of_a_story_act_on_its_own_sale_wherever_the_selection_has_gone() {
    let story_of_the_refused = || {
        let mut desk = FakeDesk::with_sales(40);
        for number in [38, 39, 40] {
            desk.set_sync(number, too_far_ahead());
        }
        let mut counter = Counter::open(desk, (100, 28));
        // Among the refused ones; the second one goes again, so that it leaves them.
        counter.keys("f Right Right Right Right Enter Down Enter r");
        counter.wait(1_000);
        assert_ne!(counter.selected(), Some(39));
        assert!(
            !counter.text().contains("r Retry"),
            "the footer is of the story: {}",
            counter.text()
        );
        counter
    };
    let mut counter = story_of_the_refused();
    counter.keys("d");
    assert!(counter.text().contains("Void sale 39?"), "{}", counter.text());
    counter.keys("y");
    assert!(counter.desk.row(id(39)).unwrap().sale.is_void());
    let mut counter = story_of_the_refused();
    counter.keys("e");
    assert_eq!(counter.form().editing().map(|(of, _)| of), Some(id(39)));
    let mut counter = story_of_the_refused();
    counter.keys("r");
    assert_eq!(counter.notice(), "Sale 39 was not refused: nothing to retry.");
    counter.keys("L");
    assert_eq!(counter.model.log.of_sale, Some(id(39)));
}

#[test]
fn a_conflict_is_settled_by_choosing_a_side() {
    let mut desk = FakeDesk::with_sales(40);
    let held = Revision::new(2).unwrap();
    desk.set_sync(40, SyncState::Conflict { held });
    let mut theirs = desk.rows[39].sale.clone();
    theirs.revision = held;
    theirs.content.qty = 9;
    desk.at_hq = Some(theirs);
    for (key, choice) in [("1", Choice::TakeHq), ("2", Choice::KeepMine)] {
        desk.set_sync(40, SyncState::Conflict { held });
        let mut counter = Counter::open(std::mem::take(&mut desk), (100, 28));
        counter.keys("c");
        assert!(counter.text().contains("Qty: 1 → 9"), "{}", counter.text());
        counter.keys(key);
        assert!(counter.asked.contains(&Cmd::Resolve { id: id(40), choice }));
        desk = counter.desk;
    }
}

#[test]
fn the_help_is_searched_and_runs_what_is_chosen() {
    let mut counter = counter();
    counter.keys("?");
    counter.type_text("totals");
    counter.keys("Enter");
    assert_eq!(counter.model.context(), Context::Totals);
    assert!(counter.text().contains("Totals of all sales"));
}

#[test]
fn the_help_of_the_form_leaves_the_form_as_it_is() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAMP");
    counter.keys("F1");
    counter.type_text("q");
    counter.keys("Esc");
    assert_eq!(counter.form().draft().product, "LAMP");
}

#[test]
fn totals_are_of_what_is_shown() {
    let mut counter = counter();
    counter.keys("/");
    counter.type_text("pens");
    counter.keys("Enter t");
    let pens = counter
        .desk
        .rows
        .iter()
        .filter(|row| *row.sale.content.product == *"PENS")
        .count();
    let text = counter.text();
    assert!(text.contains("Totals of what is shown"));
    let sales = text.lines().find(|line| line.contains("Sales  ")).unwrap();
    assert!(sales.contains(&pens.to_string()), "{text}");
    counter.keys("Tab");
    assert!(counter.text().contains("Money by hour on 2026-11-22"));
    counter.keys("Left");
    assert!(counter.text().contains("Money by hour on 2026-11-21"));
}

#[test]
fn a_screen_that_is_to_stop_waits_until_the_worker_has_let_go() {
    let mut counter = counter();
    counter.prompt = false;
    counter.keys("Ctrl+Z");
    assert_eq!(counter.waiting, [Cmd::Suspend]);
    assert!(!crate::tui::Program::may_stop(&counter.model));
    counter.answer();
    assert!(crate::tui::Program::may_stop(&counter.model));
    counter.tell(crate::tui::Event::Resumed);
    assert!(!crate::tui::Program::may_stop(&counter.model) && counter.model.redraw);
}

#[test]
fn question_mark_shows_the_keys_wherever_it_is_no_text() {
    let mut desk = FakeDesk::with_sales(40);
    let held = Revision::new(2).unwrap();
    desk.set_sync(40, SyncState::Conflict { held });
    let mut counter = Counter::open(desk, (100, 28));
    for (opening, context) in [
        ("Enter", Context::Story),
        ("d", Context::Confirm),
        ("t", Context::Totals),
        ("c", Context::Conflict),
    ] {
        counter.keys(opening);
        assert_eq!(counter.model.context(), context);
        assert!(counter.text().contains("? Help"), "in the footer of {context:?}");
        counter.keys("?");
        assert_eq!(counter.model.context(), Context::Help);
        counter.keys("Esc Esc");
    }
}

#[test]
fn the_help_finds_the_log_file_and_what_the_states_look_like_at_every_size() {
    for size in [(40, 10), (40, 12), (60, 20), (100, 28)] {
        let mut counter = Counter::open(FakeDesk::with_sales(5), size);
        counter.keys("?");
        counter.type_text("log file");
        let words = counter.text().split_whitespace().collect::<String>();
        assert!(words.contains("/TUNIS-01.log"), "{size:?}:\n{}", counter.text());
        counter.keys("Ctrl+U");
        counter.type_text("conflict");
        assert!(counter.text().contains("≠ conflict"), "{size:?}:\n{}", counter.text());
        counter.keys("Ctrl+U");
        counter.type_text("≠");
        counter.keys("Enter");
        assert_eq!(counter.model.context(), Context::Help, "there is nothing to be done");
    }
}

#[test]
fn the_help_of_a_screen_that_only_reads_offers_no_writing() {
    let settings = crate::tui::model::Settings {
        read_only: true,
        ..super::settings()
    };
    let mut counter = Counter::with(settings, FakeDesk::with_sales(5), (100, 40));
    counter.keys("?");
    let text = counter.text();
    assert!(text.contains("Story of the sale"), "{text}");
    for writing in ["New sale", "Void", "Edit", "Retry"] {
        assert!(!text.contains(writing), "{text}");
    }
}

#[test]
fn the_line_of_the_filter_that_is_typed_into_is_in_sight_on_the_lowest_terminal() {
    let mut counter = Counter::open(FakeDesk::with_sales(40), (40, 10));
    counter.keys("f Tab");
    counter.type_text("2026-11-23");
    counter.keys("Tab");
    counter.type_text("2026-11-22");
    assert!(counter.text().contains("To day    2026-11-22"), "{}", counter.text());
    counter.keys("Enter");
    let text = counter.text();
    assert!(
        text.contains("The first day is after the last") && text.contains("2026-11-22"),
        "{text}"
    );
    counter.keys("Ctrl+U Tab");
    counter.type_text("Sousse");
    assert!(counter.text().contains("Region    Sousse"), "{}", counter.text());
    counter.keys("Shift+Tab Shift+Tab Ctrl+U Enter");
    assert_eq!(counter.model.table.shown().region.as_deref(), Some("Sousse"));
}

#[test]
fn all_sums_are_shown_on_a_small_terminal() {
    let mut counter = Counter::open(FakeDesk::with_sales(40), (40, 12));
    counter.keys("t");
    let text = counter.text();
    for sum in ["Sales", "Qty", "Amount", "Tax", "Total"] {
        assert!(text.contains(&format!("{sum}\u{a0}")), "{sum} is missing:\n{text}");
    }
}

#[test]
fn the_question_of_the_first_start_stops_and_goes_on_as_a_shells_job() {
    use crate::tui::first_run::FirstRun;
    use crate::tui::key::{Input, Press};
    use crate::tui::{Event, Program};
    let settings = super::settings();
    for stop in [Event::Suspend, Event::Input(Input::Key(Press::ctrl('z')))] {
        let mut question = FirstRun::new(settings.text.clone(), settings.theme, "branchline.toml".into());
        question.update(Event::Input(Input::Paste("TUNIS".into())));
        assert!(!question.may_stop());
        question.update(stop);
        assert!(question.may_stop());
        question.update(Event::Resumed);
        assert!(!question.may_stop() && question.take_redraw() && !question.has_ended());
        assert_eq!(question.field.text(), "TUNIS");
    }
}
