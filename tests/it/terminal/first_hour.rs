//! The first hour of a new clerk, with a real broker and a real head office: sells, finds, corrects, voids, sees a refusal and mends it, loses the line and has it back.
//! What the screen says at each step is what the clerk goes by.

use std::process::{Child, Command, Stdio};

use branchline::clock;

use super::counter::{Counter, ENTER, ESC, SAVE, Shop};
use crate::support::broker::{Broker, PASSWORD, Vhost};
use crate::support::proxy::{Door, Proxy};

/// Head office; it is killed when the test ends.
pub(super) struct HeadOffice(Child);

impl Drop for HeadOffice {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl HeadOffice {
    pub(super) fn open(shop: &Shop, vhost: &Vhost) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_branchline"));
        command.env_clear().env("HOME", shop.path("hq-home"));
        command.env("BRANCHLINE_AMQP", vhost.url("guest:guest", vhost.port(), ""));
        command
            .arg("--db")
            .arg(shop.path("hq.db"))
            .args(["--create", "--headless", "hq"]);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }
}

/// Types a sale into the form and saves it from the last field.
fn sell(counter: &mut Counter, product: &str, qty: &str, cost: &str) {
    counter.fill(product);
    counter.fill(qty);
    counter.fill(cost);
    // Tax, date and region as they are.
    counter.keys(&[ENTER, ENTER, ENTER]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_clerks_first_hour() {
    let (shop, vhost) = (Shop::with_sales(0), Broker::shared().vhost());
    let _ = vhost.branch("TUNIS-01");
    let line = Proxy::start(vhost.port(), 7).await;
    let _hq = HeadOffice::open(&shop, &vhost);
    let broker = vhost.url(&format!("TUNIS-01:{PASSWORD}"), line.port(), "");
    let mut counter = shop.open_with(&broker, &[]);
    counter.see("No sales yet: a enters the first one.");

    sells(&mut counter);
    finds(&mut counter);
    corrects(&mut counter);
    voids(&mut counter);
    mends_a_refusal(&mut counter);
    loses_the_line(&mut counter, &line);

    counter.key("q");
    assert_eq!(counter.ended().0, 0);
    counter.see_terminal_restored();
    let status = shop.branch().status().unwrap();
    assert!(status.in_step() && status.rows == 4 && status.sales == 3, "{status:?}");
}

fn sells(counter: &mut Counter) {
    counter.key("a");
    counter.see("New sale ─");
    sell(counter, "WHITE METAL LANTERN", "6", "3,39");
    counter.see("Sale 1 saved: 24.41");
    sell(counter, "PENS", "14", "2.19");
    counter.see("Sale 2 saved: 36.79");
    counter.key(ESC);
    counter.see_line(&["▌", "2", "PENS", "36.79", "✓ acked"]);
    counter.see("IN STEP   all 2 sales at HQ");
}

fn finds(counter: &mut Counter) {
    counter.key("/");
    counter.see("Find:");
    counter.type_text("lant");
    counter.see("Only \"lant\"");
    counter.see_gone("PENS");
    counter.key(ENTER);
    counter.see_selected(1);
    counter.key("x");
    counter.see("PENS");
}

fn corrects(counter: &mut Counter) {
    counter.key("e");
    counter.see("Edit sale 1");
    counter.key(ENTER);
    // What stands in a field that one goes to is replaced by what one types.
    counter.type_text("5");
    counter.key(SAVE);
    counter.see("Sale 1 saved: 20.34");
    counter.see_line(&["1", "WHITE METAL LANTERN", "5", "20.34", "✓ acked"]);
    counter.key(ENTER);
    counter.see("Qty: 6 → 5");
    counter.key(ESC);
    counter.see_gone("Qty: 6 → 5");
}

fn voids(counter: &mut Counter) {
    counter.key("g");
    counter.see_selected(2);
    counter.key("d");
    counter.see("Void sale 2?");
    counter.key("y");
    counter.see_line(&["2", "PENS", "void", "✓ acked"]);
}

fn mends_a_refusal(counter: &mut Counter) {
    let far = clock::local().date() + chrono::Days::new(40);
    counter.key("a");
    counter.see("New sale ─");
    counter.fill("TOO EARLY");
    counter.fill("1");
    counter.fill("2");
    counter.key(ENTER);
    counter.fill(&far.to_string());
    counter.key(ENTER);
    counter.see("Sale 3 saved");
    counter.key(ESC);
    counter.see_gone("New sale ─");
    counter.see("1 refused");
    counter.key("g");
    counter.see_line(&["▌", "3", "TOO EARLY", "! rejected"]);
    counter.key(ENTER);
    counter.see("days ahead");
    counter.see("Correct the date and save");
    counter.key("e");
    counter.see("Edit sale 3");
    counter.keys(&[ENTER, ENTER, ENTER, ENTER]);
    counter.type_text(&clock::local().date().to_string());
    counter.key(SAVE);
    counter.see_line(&["3", "TOO EARLY", "✓ acked"]);
    counter.see("IN STEP   all 3 sales at HQ");
}

fn loses_the_line(counter: &mut Counter, line: &Proxy) {
    line.weather(|weather| weather.door = Door::Closed);
    line.cut();
    counter.see("○ no line");
    counter.key("a");
    counter.see("New sale ─");
    sell(counter, "SOLD IN THE DARK", "1", "10");
    counter.see("Sale 4 saved: 12.00");
    counter.key(ESC);
    counter.see("AHEAD 1 sale   12.00");
    counter.see_line(&["4", "SOLD IN THE DARK", "… pending"]);
    line.weather(|weather| weather.door = Door::Broker);
    counter.key("s");
    counter.see("● connected");
    counter.see_line(&["4", "SOLD IN THE DARK", "✓ acked"]);
    counter.see("IN STEP   all 4 sales at HQ");
}
