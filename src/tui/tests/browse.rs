//! Browsing: the selection stays with its sale, the window stays small, find and filter narrow together.

use super::Counter;
use super::fake::{FakeDesk, id, too_far_ahead};
use crate::domain::event::{LogEvent, Sales};
use crate::domain::read::SortKey;
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::tui::desk::{Answer, Cmd};
use crate::tui::key::Input;
use crate::tui::model::Msg;
use crate::tui::model::table::MAX_WINDOW;

fn counter(sales: i64) -> Counter {
    Counter::open(FakeDesk::with_sales(sales), (100, 28))
}

impl Counter {
    fn sell_elsewhere(&mut self) {
        let content = self.desk.rows[0].sale.content.clone();
        self.desk.insert(content, UtcMillis(1));
        self.tell(Msg::Answer(Answer::Changed));
        self.wait(200);
    }
}

#[test]
fn the_selection_stays_with_its_sale_when_others_arrive() {
    let mut counter = counter(500);
    counter.keys("Down Down Down");
    assert_eq!(counter.selected(), Some(497));
    for _ in 0..40 {
        counter.sell_elsewhere();
        assert_eq!(counter.selected(), Some(497));
        assert!(counter.text().contains("497"), "and stays in sight");
    }
}

#[test]
fn an_import_of_another_program_leaves_the_selection_and_its_line_where_they_are() {
    for downs in [0, 3] {
        let mut counter = counter(500);
        for _ in 0..downs {
            counter.keys("Down");
        }
        let line = |counter: &Counter| counter.model.table.place().unwrap() - counter.model.table.top;
        let (selected, before) = (counter.selected(), line(&counter));
        let content = counter.desk.rows[0].sale.content.clone();
        for _ in 0..390 {
            counter.desk.insert(content.clone(), UtcMillis(1));
        }
        counter.tell(Msg::Answer(Answer::Changed));
        counter.wait(200);
        assert_eq!((counter.selected(), line(&counter)), (selected, before));
        assert!(counter.text().contains("390 new sales above"), "{}", counter.text());
    }
}

#[test]
fn new_sales_are_announced_while_the_table_is_scrolled_away() {
    let mut counter = counter(500);
    counter.keys("PgDn PgDn");
    let (selected, before) = (
        counter.selected(),
        counter.model.table.rows[counter.model.table.top].sale.id,
    );
    counter.sell_elsewhere();
    counter.sell_elsewhere();
    assert_eq!(counter.selected(), selected);
    assert_eq!(
        counter.model.table.rows[counter.model.table.top].sale.id, before,
        "nothing moves"
    );
    assert!(
        counter.text().contains("2 new sales above  (Home)"),
        "{}",
        counter.text()
    );
    counter.keys("f Right Enter");
    assert!(
        !counter.text().contains("new sales above"),
        "not among those of a filter"
    );
    counter.keys("x Home");
    assert_eq!(counter.selected(), Some(502));
    assert!(!counter.text().contains("new sales above"));
}

#[test]
fn every_row_is_reached_and_the_window_stays_small() {
    let mut counter = counter(3_000);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3_000 {
        seen.insert(counter.selected().unwrap());
        counter.keys("Down");
        assert!(counter.model.table.rows.len() <= MAX_WINDOW);
    }
    assert_eq!(seen.len(), 3_000);
    assert_eq!(counter.selected(), Some(1));
    for expected in 2..=3_000 {
        counter.keys("Up");
        assert_eq!(counter.selected(), Some(expected));
    }
}

#[test]
fn home_and_end_reach_the_ends_of_the_table() {
    let mut counter = counter(1_000);
    counter.keys("End");
    assert_eq!(counter.selected(), Some(1));
    counter.keys("PgUp Home");
    assert_eq!(counter.selected(), Some(1_000));
}

#[test]
fn finding_narrows_as_one_types_and_a_filter_narrows_further() {
    let mut counter = counter(60);
    counter.keys("/");
    counter.type_text("pens");
    assert!(
        counter
            .model
            .table
            .rows
            .iter()
            .all(|row| *row.sale.content.product == *"PENS")
    );
    counter.keys("Enter f Right Enter");
    assert_eq!(counter.model.table.shown().state, Some(SyncKind::Pending));
    assert!(
        counter
            .model
            .table
            .rows
            .iter()
            .all(|row| row.sync.kind() == SyncKind::Pending)
    );
    assert!(counter.text().contains("Only \"pens\", pending  (x shows all)"));
    counter.keys("x");
    assert_eq!(counter.model.table.rows.len(), 60);
}

#[test]
fn leaving_the_search_puts_back_what_was_shown() {
    let mut counter = counter(60);
    counter.keys("Down Down /");
    counter.type_text("zzz");
    assert!(counter.model.table.rows.is_empty());
    assert!(counter.text().contains("No sale matches; x shows all."));
    counter.keys("Esc");
    assert_eq!(counter.model.table.shown(), crate::domain::read::Filter::default());
    assert!(!counter.model.table.rows.is_empty());
}

#[test]
fn leaving_the_search_selects_the_sale_from_before_on_its_line() {
    let mut counter = counter(400);
    for _ in 0..100 {
        counter.keys("Down");
    }
    counter.keys("Up Up");
    let place = |counter: &Counter| {
        let table = &counter.model.table;
        (counter.selected(), table.place().unwrap() - table.top)
    };
    let before = place(&counter);
    counter.keys("/");
    counter.type_text("pens");
    counter.keys("Down Down");
    assert_ne!(place(&counter).0, before.0);
    counter.keys("Esc");
    assert_eq!(place(&counter), before);
    counter.keys("/ Down Esc");
    assert_eq!(place(&counter), before, "and where nothing was typed");
}

#[test]
fn a_number_goes_to_its_sale() {
    let mut counter = counter(1_000);
    counter.keys("/");
    counter.type_text("17");
    counter.keys("Enter");
    assert_eq!(counter.selected(), Some(17));
    counter.keys("/");
    counter.type_text("5000");
    counter.keys("Enter");
    assert_eq!(
        (counter.selected(), counter.notice()),
        (Some(17), "There is no sale 5000 here.")
    );
}

#[test]
fn no_line_stays_empty_that_a_row_could_have() {
    let is_full = |counter: &Counter| {
        let height = usize::from(counter.model.layout().unwrap().table.height);
        counter.model.table.visible(height).len() == height
    };
    let mut counter = counter(200);
    counter.keys("/");
    counter.type_text("3");
    counter.keys("Enter");
    assert!(counter.selected() == Some(3) && is_full(&counter), "gone to by number");
    counter.tell(Msg::Resized(ratatui::layout::Size::new(100, 60)));
    assert!(
        counter.selected() == Some(3) && is_full(&counter),
        "on a larger terminal"
    );
    counter.keys("f Right Enter x");
    assert!(is_full(&counter), "shown among all again");
    counter.keys("End");
    assert!(counter.selected() == Some(1) && is_full(&counter));
}

#[test]
fn an_answer_about_another_table_changes_nothing() {
    let mut counter = counter(60);
    counter.prompt = false;
    counter.tell(Msg::Answer(Answer::Changed));
    let is_page = |cmd: &Cmd| matches!(cmd, Cmd::LoadPage { .. });
    let stale = counter.waiting.iter().position(is_page).unwrap();
    let stale = counter.waiting.remove(stale);
    counter.keys("/");
    counter.type_text("pens");
    assert!(counter.waiting.iter().any(is_page), "the new question is under way");
    let before: Vec<_> = counter.model.table.rows.iter().map(|row| row.sale.id).collect();
    counter.desk.rows.truncate(10);
    for answer in counter.desk.execute(stale, UtcMillis(0)) {
        counter.tell(Msg::Answer(answer));
    }
    let after: Vec<_> = counter.model.table.rows.iter().map(|row| row.sale.id).collect();
    assert_eq!(after, before);
    counter.answer();
    assert!(
        counter
            .model
            .table
            .rows
            .iter()
            .all(|row| *row.sale.content.product == *"PENS")
    );
}

#[test]
fn sorting_keeps_the_selected_sale() {
    let mut counter = counter(200);
    counter.keys("Down Down Down Down");
    let selected = counter.selected();
    for key in [
        SortKey::Date,
        SortKey::Product,
        SortKey::Total,
        SortKey::State,
        SortKey::Id,
    ] {
        counter.keys("o");
        assert_eq!((counter.model.table.sort.key, counter.selected()), (key, selected));
        counter.keys("O");
        assert_eq!(counter.selected(), selected);
    }
}

#[test]
fn a_sale_that_leaves_the_filter_gives_the_selection_to_its_neighbour() {
    let mut counter = counter(60);
    counter.keys("f Right Enter Down");
    assert_eq!(counter.selected(), Some(59));
    counter.desk.set_sync(59, crate::domain::sync_state::SyncState::Acked);
    counter.tell(Msg::Answer(Answer::Changed));
    assert_eq!(counter.selected(), Some(58));
}

#[test]
fn only_a_refused_sale_is_retried() {
    let mut counter = counter(10);
    counter.keys("r");
    assert_eq!(counter.notice(), "Sale 10 was not refused: nothing to retry.");
    counter.desk.set_sync(10, too_far_ahead());
    counter.tell(Msg::Answer(Answer::Changed));
    counter.keys("r");
    assert!(counter.asked.contains(&Cmd::Retry(id(10))));
    assert_eq!(counter.notice(), "1 sale goes again.");
}

#[test]
fn a_line_of_the_log_leads_to_its_sale() {
    let mut counter = counter(300);
    counter.desk.say(UtcMillis(1), LogEvent::Conflicted(id(17)));
    counter.tell(Msg::Answer(Answer::Changed));
    counter.keys("l Enter");
    assert_eq!(counter.selected(), Some(17));
    assert!(!counter.model.log_focused);
}

#[test]
fn the_log_of_a_sale_shows_what_concerns_it_and_a_paused_log_stands_still() {
    let mut counter = counter(20);
    let sales = Sales {
        count: 20,
        first: id(1),
        last: id(20),
    };
    counter.desk.say(UtcMillis(1), LogEvent::Stored { sales, took_ms: 300 });
    counter.desk.say(UtcMillis(2), LogEvent::LinkUp);
    counter.tell(Msg::Answer(Answer::Changed));
    counter.keys("L p");
    let paused = counter.text();
    assert!(
        paused.contains("sale 20 only") && !paused.contains("Connected to the broker"),
        "{paused}"
    );
    counter.desk.say(UtcMillis(3), LogEvent::Conflicted(id(20)));
    counter.tell(Msg::Answer(Answer::Changed));
    assert_eq!(counter.text(), paused);
    counter.keys("p");
    assert!(counter.text().contains("HQ holds something else"));
}

#[test]
fn a_read_only_screen_changes_nothing() {
    let settings = crate::tui::model::Settings {
        read_only: true,
        ..super::settings()
    };
    let mut counter = Counter::with(settings, FakeDesk::with_sales(5), (100, 28));
    for key in ["a", "e", "d", "r", "R", ".", "c"] {
        counter.keys(key);
        assert!(counter.notice().starts_with("This screen only reads"), "{key}");
        assert!(counter.model.layers.is_empty());
    }
    let reads = |cmd: &Cmd| matches!(cmd, Cmd::LoadStatus | Cmd::LoadPage { .. } | Cmd::LoadLog { .. });
    assert!(counter.asked.iter().all(reads), "{:?}", counter.asked);
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut counter = counter(50);
    let y = counter.model.layout().unwrap().table.y + 4;
    counter.tell(Msg::Input(Input::Click { x: 20, y }));
    assert_eq!(counter.selected(), Some(46));
    counter.tell(Msg::Input(Input::Click { x: 20, y }));
    assert!(counter.asked.contains(&Cmd::LoadStory(id(46))));
    counter.keys("Esc");
    counter.tell(Msg::Input(Input::Wheel { up: false }));
    assert_eq!(counter.selected(), Some(43));
}

#[test]
fn what_cannot_be_read_is_said_and_never_green() {
    let mut counter = counter(5);
    for number in 1..=5 {
        counter
            .desk
            .set_sync(number, crate::domain::sync_state::SyncState::Acked);
    }
    counter.tell(Msg::Answer(Answer::Changed));
    assert!(counter.text().contains("IN STEP"));
    counter.tell(Msg::Answer(Answer::Trouble(
        crate::tui::desk::Question::Status,
        "the disk is gone".into(),
    )));
    let text = counter.text();
    assert!(
        !text.contains("IN STEP") && text.contains("can't be read: the disk is gone"),
        "{text}"
    );
}

#[test]
fn a_flood_of_changes_is_looked_at_ten_times_a_second() {
    let mut counter = counter(50);
    counter.asked.clear();
    for _ in 0..1_000 {
        counter.wait(1);
        counter.tell(Msg::Answer(Answer::Changed));
    }
    counter.wait(200);
    let looks = counter
        .asked
        .iter()
        .filter(|cmd| matches!(cmd, Cmd::LoadStatus))
        .count();
    assert!((9..=12).contains(&looks), "{looks} looks in a second");
}
