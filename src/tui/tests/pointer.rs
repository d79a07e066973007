//! The mouse: a click does what stands under it, the wheel turns what has the focus.

use super::Counter;
use super::fake::FakeDesk;
use crate::domain::draft::Field;
use crate::tui::key::Input;
use crate::tui::keymap::Context;
use crate::tui::model::Msg;

impl Counter {
    /// Clicks where a text is shown, on the lowest such place.
    fn click(&mut self, text: &str) {
        let shown = self.text();
        let (y, line) = shown
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(text))
            .last()
            .unwrap_or_else(|| panic!("{text} is shown:\n{shown}"));
        let x = line[..line.find(text).unwrap()].chars().count();
        let (x, y) = (x.try_into().unwrap(), y.try_into().unwrap());
        self.tell(Msg::Input(Input::Click { x, y }));
    }

    fn turn_wheel(&mut self, up: bool) {
        self.tell(Msg::Input(Input::Wheel { up }));
    }
}

fn counter(size: (u16, u16)) -> Counter {
    Counter::open(FakeDesk::with_sales(40), size)
}

#[test]
fn a_click_on_a_completion_takes_it() {
    let mut counter = counter((100, 28));
    counter.keys("a");
    counter.type_text("white");
    counter.click("RED WOOLLY HOTTIE");
    let draft = counter.form().draft();
    assert_eq!(
        (draft.product.as_str(), draft.cost.as_str()),
        ("RED WOOLLY HOTTIE WHITE HEART", "1200.1234")
    );
    assert_eq!(counter.form().focused(), Field::Qty);
}

#[test]
fn a_click_on_a_field_goes_to_it_at_every_size() {
    for size in [(40, 10), (40, 12), (100, 28)] {
        let mut counter = counter(size);
        counter.keys("a");
        counter.type_text("X");
        counter.keys("Tab Tab Tab Tab Tab");
        assert_eq!(counter.form().focused(), Field::Region);
        counter.click("Date");
        assert_eq!(counter.form().focused(), Field::Date, "{size:?}");
        counter.click("New sale");
        assert_eq!(counter.form().focused(), Field::Date, "its title is no field");
    }
}

#[test]
fn a_click_on_the_log_goes_there_and_one_on_the_table_back() {
    let mut counter = counter((100, 28));
    counter.desk.say(
        crate::domain::time::UtcMillis(1),
        crate::domain::event::LogEvent::LinkUp,
    );
    counter.tell(Msg::Answer(crate::tui::desk::Answer::Changed));
    counter.click("Connected to the broker");
    assert_eq!(counter.model.context(), Context::Log);
    counter.click("PENS");
    assert_eq!(counter.model.context(), Context::Table);
}

#[test]
fn the_wheel_turns_what_has_the_focus_and_changes_nothing_in_a_form() {
    let mut counter = counter((100, 20));
    counter.turn_wheel(false);
    assert_eq!(counter.selected(), Some(37));
    counter.turn_wheel(true);
    assert_eq!(counter.selected(), Some(40));
    counter.keys("?");
    let before = counter.text();
    for _ in 0..5 {
        counter.turn_wheel(false);
    }
    assert_ne!(counter.text(), before, "the help is turned");
    counter.keys("Esc f");
    let before = counter.text();
    counter.turn_wheel(false);
    assert_eq!(counter.text(), before);
    counter.keys("Esc a");
    counter.type_text("white");
    let before = counter.text();
    counter.turn_wheel(false);
    assert_eq!(counter.text(), before);
}
