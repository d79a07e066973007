//! Entering and editing sales: nothing typed is lost, nothing is saved twice, nothing half-filled is saved.

use super::Counter;
use super::fake::FakeDesk;
use crate::domain::draft::Field;
use crate::domain::ids::Revision;
use crate::domain::time::UtcMillis;
use crate::tui::desk::Cmd;
use crate::tui::key::Input;
use crate::tui::keymap::Context;
use crate::tui::model::Msg;

fn counter() -> Counter {
    Counter::open(FakeDesk::with_sales(20), (100, 28))
}

fn saves(counter: &Counter) -> usize {
    counter
        .asked
        .iter()
        .filter(|cmd| matches!(cmd, Cmd::SaveSale { .. } | Cmd::SaveEdit { .. }))
        .count()
}

#[test]
fn a_sale_is_entered_with_enter_from_field_to_field() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("pens");
    counter.keys("Enter");
    assert_eq!(
        counter.form().field(Field::Cost).text(),
        "2.19",
        "the cost of the last time"
    );
    counter.type_text("14");
    assert!(
        counter.text().contains("Amount 30.66   Tax 6.13   Total 36.79"),
        "{}",
        counter.text()
    );
    counter.keys("Enter Enter Enter Enter Enter");
    let sale = &counter.desk.rows.last().unwrap().sale;
    assert_eq!((&*sale.content.product, sale.content.qty), ("PENS", 14));
    assert_eq!(
        (sale.content.tax.to_string().as_str(), &*sale.content.region),
        ("6.13", "East")
    );
    assert_eq!(counter.notice(), "Sale 21 saved: 36.79");
    assert_eq!(
        counter.model.context(),
        Context::Form,
        "the next sale can be typed at once"
    );
    assert!(counter.form().draft().is_empty());
    assert_eq!(counter.selected(), Some(21));
}

#[test]
fn another_product_brings_its_own_cost_and_a_typed_one_stays() {
    let mut counter = counter();
    let choose = |counter: &mut Counter, product: &str| {
        counter.keys("Ctrl+U");
        counter.type_text(product);
        counter.keys("Enter");
    };
    counter.keys("a");
    choose(&mut counter, "PENS");
    assert_eq!(counter.form().draft().cost, "2.19");
    counter.keys("Shift+Tab");
    choose(&mut counter, "PAPER");
    assert_eq!(counter.form().draft().cost, "12.95");
    counter.keys("Tab");
    counter.type_text("3");
    counter.keys("Shift+Tab Shift+Tab");
    choose(&mut counter, "PENS");
    assert_eq!(counter.form().draft().cost, "3");
    counter.keys("Ctrl+X Ctrl+R Shift+Tab");
    assert_eq!(counter.form().draft().cost, "12.95");
    choose(&mut counter, "PENS");
    assert_eq!(
        counter.form().draft().cost,
        "2.19",
        "the last sale's cost was nobody's choice"
    );
}

#[test]
fn what_is_wrong_is_said_in_words_and_nothing_is_saved() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("PENS");
    counter.keys("Tab");
    counter.type_text("1.5");
    counter.keys("Enter");
    assert!(counter.text().contains("The quantity is a whole number from 1"));
    assert_eq!(
        counter.form().focused(),
        Field::Qty,
        "the focus stays where something is wrong"
    );
    counter.keys("Ctrl+S");
    assert_eq!(
        (saves(&counter), counter.notice()),
        (0, "Not saved yet: see the field.")
    );
}

#[test]
fn commas_are_decimal_points() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("SOAP");
    counter.keys("Tab");
    counter.type_text("2");
    counter.keys("Tab");
    counter.type_text("1,25");
    counter.keys("Ctrl+S");
    assert_eq!(
        counter.desk.rows.last().unwrap().sale.content.amount().to_string(),
        "2.50"
    );
}

#[test]
fn letters_are_text_in_every_field() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("qdeaslrx?/ .");
    assert_eq!(counter.form().field(Field::Product).text(), "qdeaslrx?/ .");
    assert_eq!(counter.model.layers.len(), 1);
}

#[test]
fn a_sale_is_saved_once_however_often_enter_is_pressed_and_what_is_typed_meanwhile_counts() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("PENS");
    counter.keys("Enter");
    counter.type_text("1");
    counter.prompt = false;
    counter.keys("Ctrl+S Ctrl+S");
    counter.type_text("SO");
    assert_eq!(saves(&counter), 1);
    counter.prompt = true;
    counter.answer();
    assert_eq!(counter.desk.rows.len(), 21);
    assert_eq!(saves(&counter), 1, "the second Ctrl+S met an empty form");
    assert_eq!(counter.form().field(Field::Product).text(), "SO");
}

#[test]
fn what_is_typed_while_an_edit_is_saved_does_nothing_in_the_table() {
    let mut counter = counter();
    counter.keys("e Tab");
    counter.type_text("7");
    counter.prompt = false;
    counter.keys("Ctrl+S");
    counter.type_text("dy");
    counter.prompt = true;
    counter.answer();
    assert!(
        counter.model.layers.is_empty(),
        "a letter for the form opened a question"
    );
    assert!(
        counter.notice().ends_with("What was typed meanwhile was dropped."),
        "{}",
        counter.notice()
    );
}

#[test]
fn a_failed_save_keeps_the_form_and_its_draft() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("PENS");
    counter.keys("Enter");
    counter.type_text("1");
    counter.desk.broken = true;
    counter.keys("Ctrl+S");
    assert_eq!(counter.notice(), "The database would not: the disk is full.");
    assert_eq!(counter.form().draft().product, "PENS");
    counter.desk.broken = false;
    counter.wait(300);
    assert_eq!(counter.desk.draft().unwrap().0.product, "PENS");
    counter.keys("Ctrl+S");
    assert_eq!((counter.desk.rows.len(), counter.desk.draft()), (21, None));
}

#[test]
fn an_edit_of_a_sale_that_has_moved_on_is_refused_and_shows_the_difference() {
    let mut counter = counter();
    counter.keys("e Tab");
    counter.type_text("10");
    let row = counter.desk.rows.last_mut().unwrap();
    row.sale.revision = Revision::new(5).unwrap();
    row.sale.content.qty = 99;
    counter.keys("Ctrl+S");
    assert!(counter.notice().starts_with("Sale 20 was changed meanwhile"));
    assert!(counter.text().contains("now: 99"), "{}", counter.text());
    counter.keys("Ctrl+S");
    assert_eq!(counter.desk.rows.last().unwrap().sale.revision.get(), 6);
    assert!(counter.model.layers.is_empty(), "an edit that is saved closes the form");
}

#[test]
fn a_void_is_asked_about_by_name() {
    let mut counter = counter();
    counter.keys("d");
    assert!(counter.text().contains("y Void sale 20") && counter.text().contains("y Void it"));
    counter.keys("Enter Space Esc");
    assert!(!counter.asked.iter().any(|cmd| matches!(cmd, Cmd::Void { .. })));
    counter.keys("d y");
    assert!(counter.desk.rows.last().unwrap().sale.is_void());
    counter.keys("d");
    assert_eq!(counter.notice(), "Sale 20 is void.");
}

#[test]
fn changes_are_taken_back_one_by_one() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAMP");
    counter.keys("Tab");
    counter.type_text("3");
    counter.keys("Ctrl+X");
    assert!(counter.form().draft().is_empty());
    counter.keys("Ctrl+_");
    assert_eq!(
        (counter.form().draft().product, counter.form().draft().qty),
        ("LAMP".into(), "3".into())
    );
    counter.keys("Ctrl+_ Ctrl+_");
    assert!(counter.form().draft().is_empty());
    counter.keys("Ctrl+_");
    assert_eq!(counter.notice(), "There is nothing to undo.");
}

#[test]
fn a_paste_is_data() {
    let mut counter = counter();
    counter.tell(Msg::Input(Input::Paste("q\nd\ny".into())));
    assert!(!counter.model.quitting && counter.model.layers.is_empty());
    counter.keys("a");
    counter.tell(Msg::Input(Input::Paste("RED LAMP\x1b[2J\nq\n".into())));
    assert_eq!(counter.form().field(Field::Product).text(), "RED LAMP [2J q");
    assert_eq!(counter.form().focused(), Field::Product);
}

#[test]
fn one_key_repeats_the_last_sale() {
    let mut counter = counter();
    let last = counter.desk.rows.last().unwrap().sale.content.clone();
    counter.keys(".");
    assert_eq!(counter.form().focused(), Field::Qty);
    counter.keys("Ctrl+S");
    let again = &counter.desk.rows.last().unwrap().sale.content;
    assert_eq!(
        (&again.product, again.qty, again.cost),
        (&last.product, last.qty, last.cost)
    );
    assert_ne!(again.date, last.date);
    assert_eq!(counter.desk.rows.len(), 21);
}

#[test]
fn a_suggestion_is_chosen_with_the_arrows() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("white");
    assert!(counter.text().contains("RED WOOLLY HOTTIE WHITE HEART"));
    counter.keys("Down Down Enter");
    assert_eq!(
        counter.form().field(Field::Product).text(),
        "RED WOOLLY HOTTIE WHITE HEART"
    );
    assert_eq!(counter.form().focused(), Field::Qty);
}

#[test]
fn what_stands_in_a_field_is_replaced_by_typing() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("PEN");
    counter.keys("Down Enter 3 Enter");
    assert_eq!(counter.form().draft().cost, "2.19", "the last cost is offered");
    counter.type_text("2,95");
    assert_eq!(counter.form().draft().cost, "2,95");
    counter.keys("Up");
    counter.type_text("12");
    counter.keys("Up");
    counter.type_text("!");
    assert_eq!(
        (
            counter.form().draft().product.as_str(),
            counter.form().draft().qty.as_str()
        ),
        ("!", "12")
    );
    counter.keys("Up");
    counter.type_text("!");
    assert_eq!(
        counter.form().draft().product,
        "!!",
        "the field that has the focus already is not offered again"
    );
}

#[test]
fn a_tax_by_the_rate_follows_an_edited_quantity_and_one_that_was_typed_stays() {
    let mut counter = counter();
    counter.keys("e Tab");
    counter.type_text("10");
    counter.keys("Ctrl+S");
    let content = &counter.desk.rows.last().unwrap().sale.content;
    assert_eq!(
        content.tax,
        content.amount().tax_at(counter.model.settings.tax_rate).unwrap()
    );
    counter.keys("e Tab Tab Tab");
    counter.type_text("1.25");
    counter.keys("Ctrl+S e Tab");
    counter.type_text("20");
    counter.keys("Ctrl+S");
    let content = &counter.desk.rows.last().unwrap().sale.content;
    assert_eq!(
        (content.qty, content.tax),
        (20, crate::domain::money::Money::parse("1.25").unwrap())
    );
}

#[test]
fn a_date_typed_the_french_way_is_understood() {
    let settings = crate::tui::model::Settings {
        text: crate::text::Text::named("fr").unwrap(),
        ..super::settings()
    };
    let mut counter = Counter::with(settings, FakeDesk::with_sales(1), (100, 28));
    counter.keys("e Tab Tab Tab Tab");
    assert_eq!(counter.form().focused(), Field::Date);
    assert_eq!(counter.form().field(Field::Cost).text(), "1,69");
    counter.keys("Ctrl+U");
    counter.type_text("21/11/2026 09:30");
    counter.keys("Ctrl+S");
    let date = counter.desk.rows[0].sale.content.date;
    assert_eq!(crate::domain::time::wall_text(date), "2026-11-21 09:30:00");
    assert!(counter.desk.rows[0].sale.updated_at > UtcMillis(0));
}
