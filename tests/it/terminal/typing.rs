//! What is typed, pasted and scanned: letters stay letters, a slow line splits keys anywhere, and nothing is saved twice or lost.

use super::counter::{CLEAR_FIELD, Counter, ENTER, ESC, SAVE, Shop, wait_for};

const DOWN: &[u8] = b"\x1b[B";
const PAGE_DOWN: &[u8] = b"\x1b[6~";
const END: &[u8] = b"\x1bOF";
/// A lone Esc counts as one after 50 ms; what takes longer than this on a busy machine was not the split key that was meant.
const SPLIT_MS: u64 = 40;

/// Delivers bytes in two pieces to a counter that was just opened, until both came in time. Those that came too late were other keys, and may have done anything.
fn split(bytes: &[u8], at: usize, open: impl Fn() -> (Shop, Counter)) -> (Shop, Counter) {
    for _ in 0..50 {
        let (shop, mut counter) = open();
        if counter.write_split(bytes, at, SPLIT_MS) {
            return (shop, counter);
        }
    }
    panic!("this machine is too busy to write two pieces within {SPLIT_MS} ms");
}

#[test]
fn a_key_that_arrives_in_pieces_is_that_key() {
    let open = || {
        let shop = Shop::with_sales(20);
        let counter = shop.open();
        counter.see_selected(20);
        (shop, counter)
    };
    for (key, selected) in [(DOWN, 19), (PAGE_DOWN, 8), (END, 1)] {
        for at in 1..key.len() {
            let (_shop, counter) = split(key, at, open);
            counter.see_selected(selected);
        }
    }
}

#[test]
fn a_paste_that_arrives_in_pieces_is_data_and_commands_nothing() {
    let open = || {
        let shop = Shop::with_sales(1);
        let mut counter = shop.open();
        counter.key("a");
        counter.see("New sale ─");
        (shop, counter)
    };
    let paste = b"\x1b[200~d y q\r\x1b[201~";
    for at in 1..paste.len() {
        let (shop, counter) = split(paste, at, open);
        counter.see_line(&["Product", "d y q"]);
        assert_eq!(shop.rows(), 1, "nothing was sold or left");
    }
    let shop = Shop::with_sales(1);
    let mut counter = shop.open();
    counter.write(b"\x1b[200~dyq\r\x1b[201~");
    counter.see("A paste goes into a field");
    assert_eq!(shop.rows(), 1, "and nothing was sold, voided or left");
    assert!(!shop.branch().sale(id(1)).unwrap().unwrap().sale.is_void());
}

fn id(number: i64) -> branchline::domain::ids::SaleId {
    branchline::domain::ids::SaleId::new(number).unwrap()
}

#[test]
fn letters_in_a_field_are_letters_and_a_slip_is_said_beside_it() {
    let shop = Shop::with_sales(1);
    let mut counter = shop.open();
    counter.key("a");
    counter.see("New sale ─");
    counter.fill("quad seed q?");
    counter.see_line(&["Product", "quad seed q?"]);
    counter.fill("qq");
    counter.see("The quantity is a whole number from 1");
    counter.key(CLEAR_FIELD);
    counter.fill("3");
    counter.fill("1,5");
    counter.see("Amount 4.50   Tax 0.90   Total 5.40");
    counter.key(SAVE);
    counter.see("Sale 2 saved: 5.40");
    assert_eq!(shop.rows(), 2);
}

#[test]
fn a_sale_is_saved_once_however_often_the_key_is_hit() {
    let shop = Shop::with_sales(0);
    let mut counter = shop.open();
    counter.see("No sales yet");
    counter.key("a");
    counter.see("New sale ─");
    counter.fill("LAMP");
    counter.fill("2");
    counter.fill("3");
    counter.see("Total 7.20");
    counter.write(b"\x13\x13\x13\r\r\x13");
    counter.see("Sale 1 saved: 7.20");
    counter.key(ESC);
    counter.see_gone("New sale ─");
    counter.see_line(&["▌", "LAMP", "7.20"]);
    assert_eq!(shop.rows(), 1);
    counter.key("q");
    assert_eq!(counter.ended().0, 0);
    counter.see_terminal_restored();
}

#[test]
fn what_is_typed_survives_a_kill_and_is_offered_again() {
    let shop = Shop::with_sales(1);
    let mut counter = shop.open();
    counter.key("a");
    counter.see("New sale ─");
    counter.fill("HALF A LAMP");
    counter.type_text("7");
    counter.see_line(&["Qty", "7"]);
    wait_for("the last letter is in the draft", || {
        shop.drafted_qty().as_deref() == Some("7")
    });
    counter.kill();

    let mut counter = shop.open();
    counter.see("A draft of");
    counter.key("a");
    counter.see_line(&["Product", "HALF A LAMP"]);
    counter.see_line(&["Qty", "7"]);
    counter.key(ENTER);
    counter.fill("2");
    counter.key(SAVE);
    counter.see("Sale 2 saved: 16.80");
    counter.kill();
    let counter = shop.open();
    counter.see_selected(2);
    assert!(!counter.text().contains("A draft of"), "it was saved once");
    assert_eq!(shop.rows(), 2);
}

#[test]
fn three_scans_in_a_fifth_of_a_second_all_count() {
    let shop = Shop::with_sales(1);
    let codes = shop.path("products.csv");
    std::fs::write(&codes, "code,name,cost\n5012345678900,LAMP,12.50\n").unwrap();
    let mut import =
        Counter::start(shop.command("amqp://127.0.0.1:1", &["products", "import", codes.to_str().unwrap()]));
    assert_eq!(import.ended().0, 0, "{}", import.text());
    let mut counter = shop.open();
    // From the table, with nothing open, and each end of line that scanners send.
    counter.write(b"5012345678900\r5012345678900\n5012345678900\t");
    counter.see_line(&["Product", "LAMP"]);
    counter.see_line(&["Qty", "3"]);
    counter.see("Total 45.00");
    assert_eq!(shop.rows(), 1, "a scanner never saves");
    counter.key(SAVE);
    counter.see("Sale 2 saved: 45.00");
}
