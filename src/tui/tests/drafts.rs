//! Drafts: whatever is typed is kept, each form as a draft of its own, on every way out and while a sale is being saved.

use super::Counter;
use super::fake::FakeDesk;
use crate::domain::draft::Draft;
use crate::domain::ids::Revision;
use crate::domain::read::KeptDraft;
use crate::domain::time::UtcMillis;
use crate::tui::desk::Cmd;
use crate::tui::keymap::Context;
use crate::tui::model::Msg;

fn counter() -> Counter {
    Counter::open(FakeDesk::with_sales(20), (100, 28))
}

#[test]
fn leaving_keeps_the_draft_and_it_is_taken_up_again() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAMP");
    counter.keys("Tab");
    counter.type_text("3");
    counter.keys("Esc");
    assert!(counter.model.layers.is_empty());
    let kept = counter.desk.draft().expect("the draft is kept");
    assert_eq!((kept.0.product.as_str(), kept.0.qty.as_str()), ("LAMP", "3"));
    counter.keys("a");
    assert_eq!(counter.form().draft(), kept.0);
}

#[test]
fn the_draft_is_kept_while_one_types() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAMP");
    counter.wait(300);
    assert_eq!(counter.desk.draft().unwrap().0.product, "LAMP");
    counter.keys("Ctrl+X");
    counter.wait(300);
    assert_eq!(counter.desk.draft(), None, "an empty form has no draft");
}

/// What a dead screen has left.
fn left(product: &str, editing: Option<i64>) -> KeptDraft {
    KeptDraft {
        screen: "dead".into(),
        no: 1,
        draft: Draft {
            product: product.into(),
            ..Draft::default()
        },
        editing: editing.map(|number| (super::fake::id(number), Revision::FIRST)),
        at: super::wall("2026-11-22 13:55"),
    }
}

#[test]
fn an_edit_goes_before_a_half_typed_sale_and_neither_is_lost() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAMP");
    counter.keys("Esc Down e");
    assert_eq!(counter.form().editing().map(|(of, _)| of.get()), Some(19));
    counter.keys("Tab");
    counter.type_text("7");
    counter.keys("Esc");
    assert_eq!(counter.notice(), "The edit is kept: e on sale 19 takes it up again.");
    let products = |counter: &Counter| {
        let mut products: Vec<_> = counter
            .desk
            .drafts
            .iter()
            .map(|kept| kept.draft.product.clone())
            .collect();
        products.sort();
        products
    };
    let both = products(&counter);
    assert_eq!(both.len(), 2, "each is kept: {both:?}");
    counter.keys("Up e");
    assert_eq!(
        counter.form().editing().map(|(of, _)| of.get()),
        Some(20),
        "another edit"
    );
    counter.keys("Esc .");
    assert!(counter.form().draft().product != "LAMP", "and the last sale once more");
    counter.keys("Ctrl+X Esc");
    assert_eq!(products(&counter), both);
    counter.keys("Down e");
    assert_eq!(counter.form().draft().qty, "7", "the edit is taken up on its sale");
    counter.keys("Ctrl+S");
    assert_eq!(counter.desk.row(super::fake::id(19)).unwrap().sale.content.qty, 7);
    assert_eq!(products(&counter), ["LAMP"]);
    counter.keys("a");
    assert_eq!(counter.form().draft().product, "LAMP");
    counter.keys("1 Tab 2 Ctrl+S");
    assert_eq!(&*counter.desk.rows.last().unwrap().sale.content.product, "LAMP");
    assert!(counter.desk.drafts.is_empty());
}

#[test]
fn a_dead_screens_draft_is_offered() {
    let mut desk = FakeDesk::with_sales(3);
    desk.left = vec![left("LAMP", None)];
    let mut counter = Counter::open(desk, (100, 28));
    assert_eq!(
        counter.notice(),
        "A draft of 2026-11-22 13:55 is waiting: a takes it up."
    );
    counter.keys("a");
    assert_eq!(counter.form().draft().product, "LAMP");
    counter.keys("Esc");
    assert_eq!(counter.desk.draft().unwrap().0.product, "LAMP");
}

#[test]
fn all_drafts_of_a_dead_screen_are_offered_each_to_its_key() {
    let mut desk = FakeDesk::with_sales(3);
    desk.left = vec![left("LAMP", None), left("SOAP", Some(3))];
    let mut counter = Counter::open(desk, (100, 28));
    assert_eq!(
        counter.notice(),
        "2 drafts are waiting: a takes up the last new sale, e on its sale an edit."
    );
    counter.keys("e");
    assert_eq!(counter.form().draft().product, "SOAP");
    counter.keys("Esc a");
    assert_eq!(counter.form().draft().product, "LAMP");
    let mut desk = FakeDesk::with_sales(3);
    desk.left = vec![left("SOAP", Some(2))];
    let counter = Counter::open(desk, (100, 28));
    assert!(
        counter
            .notice()
            .starts_with("An edit of sale 2 of 2026-11-22 13:55 is waiting")
    );
}

#[test]
fn quitting_keeps_what_is_typed() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAM");
    counter.keys("Ctrl+Q");
    assert!(counter.model.quitting);
    assert_eq!(counter.desk.draft().unwrap().0.product, "LAM");
}

#[test]
fn a_hang_up_in_the_middle_of_a_word_keeps_the_word() {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("LAMP");
    counter.tell(Msg::Leave);
    assert_eq!(counter.desk.draft().unwrap().0.product, "LAMP");
}

#[test]
fn a_draft_that_arrives_while_one_types_waits_below() {
    let mut counter = Counter::open(FakeDesk::with_sales(3), (100, 28));
    counter.keys("a");
    counter.type_text("SOAP");
    counter.desk.left = vec![left("LAMP", None)];
    let answers = counter.desk.execute(Cmd::AdoptDrafts, UtcMillis(0));
    for answer in answers {
        counter.tell(Msg::Answer(answer));
    }
    counter.keys("Tab 1 Tab 2 Ctrl+S");
    assert_eq!(&*counter.desk.rows.last().unwrap().sale.content.product, "SOAP");
    assert_eq!(
        counter.desk.draft().unwrap().0.product,
        "LAMP",
        "what waits is still kept"
    );
    counter.keys("Esc a");
    assert_eq!(counter.form().draft().product, "LAMP");
}

/// A form whose sale is being saved, by a database that doesn't answer yet.
fn saving() -> Counter {
    let mut counter = counter();
    counter.keys("a");
    counter.type_text("PENS");
    counter.keys("Enter 1");
    counter.wait(300);
    counter.prompt = false;
    counter.keys("Ctrl+S");
    assert!(counter.form().saving);
    counter
}

fn kept_products(counter: &Counter) -> Vec<String> {
    counter
        .desk
        .drafts
        .iter()
        .map(|kept| kept.draft.product.clone())
        .collect()
}

#[test]
fn what_works_everywhere_works_while_a_sale_is_being_saved() {
    let mut counter = saving();
    counter.keys("F1");
    assert_eq!(counter.model.context(), Context::Help);
    counter.keys("Esc Ctrl+Z");
    assert!(counter.waiting.contains(&Cmd::Suspend));
    counter.keys("Ctrl+C");
    assert!(counter.model.quitting);
}

#[test]
fn leaving_while_a_sale_is_being_saved_keeps_it_only_if_saving_fails_and_what_was_typed_meanwhile() {
    for fails in [true, false] {
        let mut counter = saving();
        counter.type_text("SOAP");
        counter.keys("Ctrl+C");
        counter.desk.broken = fails;
        for cmd in std::mem::take(&mut counter.waiting) {
            counter.desk.execute(cmd, UtcMillis(0));
            counter.desk.broken = false;
        }
        let sales = counter.desk.rows.len();
        let kept = kept_products(&counter);
        if fails {
            assert_eq!((sales, kept), (20, vec!["PENS".to_owned(), "SOAP".to_owned()]));
        } else {
            assert_eq!((sales, kept), (21, vec!["SOAP".to_owned()]));
        }
    }
}

#[test]
fn what_is_typed_while_saving_fails_waits_as_a_draft() {
    let mut counter = saving();
    counter.type_text("SOAP");
    counter.keys("Tab 3");
    counter.desk.broken = true;
    let save = counter
        .waiting
        .iter()
        .position(|cmd| matches!(cmd, Cmd::SaveSale { .. }))
        .unwrap();
    let save = counter.waiting.remove(save);
    let answers = counter.desk.execute(save, UtcMillis(0));
    counter.desk.broken = false;
    counter.prompt = true;
    for answer in answers {
        counter.tell(Msg::Answer(answer));
    }
    let said = counter.notice();
    assert!(
        said.contains("the disk is full") && said.ends_with("What was typed meanwhile waits as a draft."),
        "{said}"
    );
    assert_eq!(counter.form().draft().product, "PENS");
    counter.keys("Ctrl+S Esc a");
    let draft = counter.form().draft();
    assert_eq!((draft.product.as_str(), draft.qty.as_str()), ("SOAP", "3"));
}

#[test]
fn what_is_typed_beyond_all_measure_while_a_sale_is_being_saved_is_refused_aloud() {
    let mut counter = saving();
    counter.type_text(&"x".repeat(256));
    assert_eq!(counter.notice(), "");
    counter.type_text("x");
    assert!(counter.notice().starts_with("Saving takes long"));
}
