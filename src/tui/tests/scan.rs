//! Scanners: every scan counts, none presses a button, none saves.

use super::Counter;
use super::fake::FakeDesk;
use crate::domain::draft::Field;
use crate::domain::money::Money;
use crate::domain::read::ProductCode;
use crate::tui::desk::Cmd;
use crate::tui::key::{Code, Press};
use crate::tui::keymap::Context;

fn counter() -> Counter {
    let mut desk = FakeDesk::with_sales(20);
    for (code, name, cost) in [("40063813", "LAMP", "7.5"), ("qdyqdy12", "SOAP", "1.25")] {
        desk.codes.push(ProductCode {
            code: code.into(),
            name: name.into(),
            cost: Money::parse(cost).unwrap(),
        });
    }
    Counter::open(desk, (100, 28))
}

fn changes(counter: &Counter) -> bool {
    let changes = |cmd: &Cmd| matches!(cmd, Cmd::SaveSale { .. } | Cmd::SaveEdit { .. } | Cmd::Void { .. });
    counter.asked.iter().any(changes)
}

#[test]
fn a_scan_from_the_table_opens_the_form_and_fills_the_product() {
    let mut counter = counter();
    counter.scan("40063813");
    let draft = counter.form().draft();
    assert_eq!(
        (draft.product.as_str(), draft.qty.as_str(), draft.cost.as_str()),
        ("LAMP", "1", "7.50")
    );
    assert!(!changes(&counter));
}

#[test]
fn no_letter_of_a_code_is_a_hotkey() {
    let mut counter = counter();
    counter.scan("qdyqdy12");
    counter.wait(500);
    assert!(!counter.model.quitting && !changes(&counter));
    assert_eq!(counter.form().draft().product, "SOAP");
}

#[test]
fn a_scan_into_any_field_leaves_the_field_as_it_was() {
    let mut counter = counter();
    counter.keys("a Tab");
    counter.type_text("12");
    counter.wait(200);
    counter.scan("40063813");
    let draft = counter.form().draft();
    assert_eq!((draft.product.as_str(), draft.qty.as_str()), ("LAMP", "12"));
}

#[test]
fn a_scan_over_an_offered_text_brings_the_text_back() {
    let mut counter = counter();
    counter.keys(".");
    let before = counter.form().draft();
    assert!(!before.qty.is_empty());
    counter.wait(200);
    counter.scan("40063813");
    assert_eq!(
        counter.form().draft(),
        before,
        "another product waits for the next sale"
    );
}

#[test]
fn three_scans_in_a_fifth_of_a_second_all_count() {
    let mut counter = counter();
    counter.prompt = false;
    for _ in 0..3 {
        counter.scan("40063813");
    }
    counter.prompt = true;
    counter.answer();
    assert_eq!(counter.form().draft().qty, "3");
}

#[test]
fn another_product_waits_for_the_next_sale() {
    let mut counter = counter();
    counter.scan("40063813");
    counter.scan("qdyqdy12");
    counter.scan("qdyqdy12");
    assert_eq!(counter.form().draft().product, "LAMP");
    assert_eq!(counter.notice(), "2 scans wait for the next sale.");
    assert!(!changes(&counter));
    counter.keys("Ctrl+S");
    let draft = counter.form().draft();
    assert_eq!((draft.product.as_str(), draft.qty.as_str()), ("SOAP", "2"));
}

#[test]
fn scans_that_wait_are_kept_at_once_and_offered_when_the_program_is_opened_again() {
    let mut counter = counter();
    for code in ["40063813", "qdyqdy12", "qdyqdy12"] {
        counter.scan(code);
    }
    counter.wait(300);
    let kept = |counter: &Counter| {
        let kept = counter.desk.drafts.iter();
        let mut kept: Vec<_> = kept
            .map(|kept| (kept.draft.product.clone(), kept.draft.qty.clone()))
            .collect();
        kept.sort();
        kept
    };
    let both = [("LAMP".to_owned(), "1".to_owned()), ("SOAP".to_owned(), "2".to_owned())];
    assert_eq!(kept(&counter), both, "whatever kills the screen now");
    counter.keys("Esc q");
    assert!(counter.model.quitting);
    assert_eq!(kept(&counter), both);
    let mut desk = std::mem::take(&mut counter.desk);
    desk.left = std::mem::take(&mut desk.drafts);
    let mut counter = Counter::open(desk, (100, 28));
    assert!(
        counter.notice().starts_with("2 drafts are waiting"),
        "{}",
        counter.notice()
    );
    counter.keys("a Ctrl+S Esc a Ctrl+S");
    let sold = counter.desk.rows[20..].iter().map(|row| &*row.sale.content.product);
    let mut sold: Vec<_> = sold.collect();
    sold.sort_unstable();
    assert_eq!(sold, ["LAMP", "SOAP"]);
    assert!(counter.desk.drafts.is_empty());
}

#[test]
fn a_scan_while_a_sale_is_being_saved_counts_for_the_next_one() {
    let mut counter = counter();
    counter.scan("40063813");
    counter.prompt = false;
    counter.keys("Ctrl+S");
    counter.scan("qdyqdy12");
    counter.prompt = true;
    counter.answer();
    assert_eq!(counter.desk.rows.len(), 21);
    assert_eq!(counter.form().draft().product, "SOAP");
}

#[test]
fn an_unknown_code_is_said_and_saves_nothing() {
    let mut counter = counter();
    counter.scan("99999999");
    assert_eq!(counter.notice(), "No product has the code 99999999: type its name.");
    assert!(counter.model.layers.is_empty() && !changes(&counter));
    counter.keys("a");
    counter.scan("99999999");
    assert_eq!(counter.form().draft().product, "99999999");
    assert_eq!(counter.form().focused(), Field::Product);
}

#[test]
fn without_codes_a_burst_is_text_and_its_enter_never_saves() {
    let settings = crate::tui::model::Settings {
        knows_codes: false,
        ..super::settings()
    };
    let mut counter = Counter::with(settings, FakeDesk::with_sales(20), (100, 28));
    counter.keys("a");
    counter.scan("SOAP BAR");
    assert_eq!(
        (counter.form().draft().product.as_str(), counter.form().focused()),
        ("SOAP BAR", Field::Qty)
    );
    counter.type_text("1");
    counter.keys("Tab");
    counter.type_text("2");
    counter.keys("Tab Tab Tab");
    assert_eq!(counter.form().focused(), Field::Region);
    counter.scan("NORTHWEST");
    assert!(!changes(&counter));
}

/// A screen over SSH whose scanner has no prefix.
fn remote_counter() -> Counter {
    let settings = crate::tui::model::Settings {
        remote: true,
        ..super::settings()
    };
    Counter::with(settings, counter().desk, (100, 28))
}

/// Fills a sale that could be saved at once; the focus is on the last field.
fn fill(counter: &mut Counter) {
    counter.keys("a");
    for field in ["SOAP", "2", "3"] {
        counter.type_text(field);
        counter.keys("Tab");
    }
    counter.keys("Tab Tab");
    assert_eq!(counter.form().focused(), Field::Region);
}

#[test]
fn a_scanner_over_ssh_saves_nothing_from_the_last_field_and_is_told_what_it_needs() {
    let mut counter = remote_counter();
    fill(&mut counter);
    counter.scan("5901234123457");
    assert!(!changes(&counter));
    assert!(counter.notice().contains("scanner-prefix"), "{}", counter.notice());
    assert_eq!(counter.form().focused(), Field::Region);
    // The line brings the last digit and the Enter later than the rest.
    counter.wait(400);
    counter.scan("7");
    assert!(!changes(&counter));
    counter.keys("Enter");
    assert!(changes(&counter), "a hand's Enter saves");
}

#[test]
fn an_enter_as_fast_as_a_scanners_never_saves_however_short_the_code() {
    for code in ["1", "12", "123", "1234"] {
        let settings = crate::tui::model::Settings {
            knows_codes: code.len() < 4,
            ..super::settings()
        };
        let mut counter = Counter::with(settings, FakeDesk::with_sales(20), (100, 28));
        fill(&mut counter);
        counter.scan(code);
        assert!(!changes(&counter), "{code}");
        assert!(
            counter.notice().contains("press it again"),
            "{code}: {}",
            counter.notice()
        );
        counter.keys("Enter");
        assert!(changes(&counter), "{code}");
    }
}

#[test]
fn over_ssh_a_burst_still_goes_from_field_to_field_and_finds() {
    let mut counter = remote_counter();
    counter.keys("a");
    counter.scan("LAMP");
    assert_eq!(counter.form().focused(), Field::Qty);
    counter.keys("Esc /");
    counter.scan("pape");
    assert_eq!(counter.model.context(), Context::Table);
    assert_eq!(counter.model.table.find, "pape");
}

#[test]
fn a_scan_over_the_table_of_an_ssh_session_opens_no_sale_and_says_what_it_needs() {
    let mut counter = remote_counter();
    counter.scan("5901234123457");
    assert_eq!(counter.model.context(), Context::Table);
    assert!(counter.notice().contains("scanner-prefix"), "{}", counter.notice());
}

#[test]
fn a_prefix_makes_any_code_a_scan_even_on_a_slow_line() {
    let settings = crate::tui::model::Settings {
        scanner_prefix: Press::parse("f12"),
        remote: true,
        ..super::settings()
    };
    let mut counter = Counter::with(settings, counter().desk, (100, 28));
    counter.press(Press::plain(Code::F(12)), 500);
    for c in "40063813".chars() {
        counter.press(Press::plain(Code::Char(c)), 100);
    }
    counter.press(Press::plain(Code::Enter), 100);
    assert_eq!(counter.form().draft().product, "LAMP");
}

#[test]
fn a_held_arrow_letter_still_moves() {
    let mut counter = counter();
    for _ in 0..5 {
        counter.press(Press::plain(Code::Char('j')), 20);
    }
    counter.wait(31);
    assert_eq!(counter.selected(), Some(15));
    assert_eq!(counter.model.context(), Context::Table);
}

#[test]
fn a_scan_over_a_question_answers_nothing() {
    let mut counter = counter();
    counter.keys("d");
    counter.scan("y4006381");
    assert_eq!(counter.model.context(), Context::Confirm);
    counter.scan("qdyqdy12");
    counter.wait(500);
    assert_eq!(counter.model.context(), Context::Confirm);
    assert!(!changes(&counter));
    assert_eq!(counter.notice(), "1 scan waits for the next sale.");
}

#[test]
fn what_is_scanned_over_the_table_neither_sorts_nor_sends() {
    let mut counter = counter();
    counter.desk.set_sync(20, super::fake::too_far_ahead());
    let sort = counter.model.table.sort;
    counter.scan("4rRsoOlxt");
    counter.wait(500);
    let sends = |cmd: &Cmd| matches!(cmd, Cmd::Retry(_) | Cmd::RetryAll(_) | Cmd::SyncNow);
    assert!(!counter.asked.iter().any(sends));
    assert_eq!((counter.model.table.sort, counter.model.log_focused), (sort, false));
}

/// All that a hotkey could have changed.
fn state(counter: &Counter) -> String {
    let model = &counter.model;
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {}",
        model.layers,
        model.table.selected,
        model.table.sort,
        model.table.filter,
        model.table.find,
        (model.log_focused, model.log.level, model.log.held),
        model.quitting
    )
}

#[test]
fn a_code_that_begins_with_a_hotkey_presses_it_nowhere() {
    let places = ["", "l", "d", "Enter", "t", "f Enter o"];
    for first in ('!'..='~').filter(char::is_ascii_graphic) {
        for place in places {
            let mut counter = counter();
            counter.desk.set_sync(20, super::fake::too_far_ahead());
            if !place.is_empty() {
                counter.keys(place);
            }
            counter.asked.clear();
            let before = state(&counter);
            counter.scan(&format!("{first}4006381"));
            counter.wait(500);
            assert_eq!(state(&counter), before, "{first} over {:?}", counter.model.context());
            let only_the_code = |cmd: &Cmd| matches!(cmd, Cmd::FindCode(_));
            assert!(counter.asked.iter().all(only_the_code), "{first}: {:?}", counter.asked);
        }
    }
}

#[test]
fn a_letter_by_hand_does_what_it_does_after_the_pause_of_a_scanner() {
    let mut counter = counter();
    counter.press(Press::plain(Code::Char('a')), 500);
    assert_eq!(counter.model.context(), Context::Table, "it may be a code");
    assert_eq!(crate::tui::update::wake_in(&counter.model), 31);
    counter.wait(31);
    assert_eq!(counter.model.context(), Context::Form);
    let mut counter = self::counter();
    counter.press(Press::plain(Code::Char('d')), 500);
    counter.press(Press::plain(Code::Esc), 20);
    assert_eq!(
        counter.model.context(),
        Context::Table,
        "the question was asked and left"
    );
    assert!(counter.notice().is_empty() && !changes(&counter));
}

#[test]
fn a_form_that_opens_in_the_middle_of_a_code_gets_nothing_of_it() {
    let mut counter = counter();
    counter.prompt = false;
    counter.scan("40063813");
    for c in "4006".chars() {
        counter.press(Press::plain(Code::Char(c)), 3);
    }
    counter.prompt = true;
    counter.answer();
    assert_eq!(counter.model.context(), Context::Form);
    for c in "3813".chars() {
        counter.press(Press::plain(Code::Char(c)), 3);
    }
    counter.press(Press::plain(Code::Enter), 3);
    let draft = counter.form().draft();
    assert_eq!((draft.product.as_str(), draft.qty.as_str()), ("LAMP", "2"));
}

#[test]
fn where_no_product_has_a_code_only_what_is_final_waits() {
    let settings = crate::tui::model::Settings {
        knows_codes: false,
        ..super::settings()
    };
    let mut counter = Counter::with(settings, FakeDesk::with_sales(20), (100, 28));
    counter.press(Press::plain(Code::Char('t')), 500);
    assert_eq!(counter.model.context(), Context::Totals);
    counter.keys("Esc d");
    counter.scan("yy12");
    counter.wait(500);
    assert!(!changes(&counter) && counter.model.context() == Context::Confirm);
}
