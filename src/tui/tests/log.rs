//! The log: what is narrowed is narrowed for one look, and every sentence can be read to its end.

use super::Counter;
use super::fake::{FakeDesk, id};
use crate::domain::event::{LinkTrouble, LogEvent};
use crate::domain::ids::SaleId;
use crate::domain::time::UtcMillis;
use crate::tui::desk::{Answer, Cmd};
use crate::tui::model::Msg;
use crate::tui::model::log::MAX_LINES;

fn trouble(retry_s: u32) -> LogEvent {
    LogEvent::LinkDown {
        trouble: LinkTrouble::NoHeadOffice,
        retry_s,
    }
}

fn counter(events: Vec<LogEvent>, size: (u16, u16)) -> Counter {
    let mut desk = FakeDesk::with_sales(40);
    for event in events {
        desk.say(UtcMillis(1), event);
    }
    Counter::open(desk, size)
}

#[test]
fn the_log_of_a_sale_has_all_levels_whatever_was_chosen_before() {
    let mut counter = counter(vec![LogEvent::Saved(id(40))], (100, 28));
    counter.keys("l v");
    assert!(counter.text().contains("Nothing here."));
    counter.keys("Esc L");
    assert!(counter.text().contains("Sale 40 saved"), "{}", counter.text());
}

#[test]
fn who_leaves_the_log_leaves_it_as_it_was() {
    for narrowing in ["L", "l v v"] {
        let mut counter = counter(vec![trouble(1), LogEvent::Saved(id(39))], (100, 28));
        counter.keys(narrowing);
        assert!(!counter.text().contains("Sale 39 saved"), "{}", counter.text());
        counter.keys("Esc");
        let text = counter.text();
        assert!(
            text.contains("No line:") && text.contains("Sale 39 saved") && text.contains("all levels"),
            "{text}"
        );
    }
}

#[test]
fn the_chosen_sentence_is_read_to_its_end_at_every_size() {
    for size in [(40, 12), (60, 20), (80, 24), (100, 28)] {
        for downs in [1, 2, 3, 4] {
            let saved = (1..=3).map(|number| LogEvent::Saved(id(number)));
            let mut events: Vec<_> = saved.collect();
            events.insert(4_usize.saturating_sub(downs), trouble(40));
            let mut counter = counter(events, size);
            counter.keys("l");
            (1..downs).for_each(|_| counter.keys("Down"));
            let shown = counter.text();
            let words: Vec<_> = shown.split_whitespace().collect();
            let said = words.join(" ");
            assert!(
                said.contains("but head office has never been started on it; next try in 40 s"),
                "{size:?}, {downs}:\n{shown}"
            );
        }
    }
}

#[test]
fn a_paused_log_goes_on_with_the_newest_lines_after_it_has_missed_some() {
    let mut counter = counter(vec![LogEvent::LinkUp], (100, 28));
    counter.keys("l p");
    let lines = i64::try_from(MAX_LINES).unwrap() + 500;
    for number in 1..=lines {
        let sale = SaleId::new(number).unwrap();
        counter.desk.say(UtcMillis(2), LogEvent::Saved(sale));
    }
    for _ in 0..3 {
        counter.tell(Msg::Answer(Answer::Changed));
        counter.wait(200);
    }
    assert!(counter.model.log.missed && counter.text().contains("Connected to the broker"));
    counter.asked.clear();
    counter.keys("p");
    assert!(
        counter
            .asked
            .iter()
            .any(|cmd| matches!(cmd, Cmd::LoadLog { after: None, .. }))
    );
    assert!(
        counter.text().contains(&format!("Sale {lines} saved")),
        "{}",
        counter.text()
    );
    assert!(!counter.model.log.missed);
}
