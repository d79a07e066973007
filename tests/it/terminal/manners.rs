//! How the program behaves on a terminal that is not its own: it gives back what it took on every way out, stops and goes on as a shell's job, and needs no more
//! than what is there.

use std::fs::File;

use branchline::clock;
use branchline::domain::event::LogEvent;
use rustix::process::Signal;
use vt100::MouseProtocolMode;

use super::counter::{Counter, Shop, wait_for};
use super::first_hour::HeadOffice;
use crate::support::broker::{Broker, PASSWORD};

/// What leaving may take on a busy machine; on an idle one it is some 12 ms, and 200 are promised.
const LEAVES_WITHIN_MS: u64 = 500;

#[test]
fn every_signal_to_leave_is_obeyed_and_the_terminal_given_back() {
    let shop = Shop::with_sales(3);
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut counter = shop.open();
        counter.key("a");
        counter.see("New sale ─");
        counter.signal(signal);
        let (code, took_ms) = counter.ended();
        assert_eq!(code, 0, "{signal:?}");
        assert!(took_ms < LEAVES_WITHIN_MS, "{signal:?} took {took_ms} ms");
        counter.see_terminal_restored();
    }
}

#[test]
fn a_terminal_that_hangs_up_takes_the_program_with_it_and_not_what_was_typed() {
    let shop = Shop::with_sales(1);
    let mut counter = shop.open();
    counter.key("a");
    counter.see("New sale ─");
    counter.type_text("LAM");
    counter.see_line(&["Product", "LAM"]);
    counter.hang_up();
    let (_, took_ms) = counter.ended();
    assert!(took_ms < LEAVES_WITHIN_MS, "it took {took_ms} ms");
    let mut counter = shop.open();
    counter.see("A draft of");
    counter.key("a");
    counter.see_line(&["Product", "LAM"]);
}

#[test]
fn a_screen_on_which_nothing_happens_is_woken_seldom() {
    /// A look at the database each second, a renewed stamp, and one try of the line, which is some thirty; on an idle machine it comes to less than 5 a second.
    const MOST_A_SECOND: u64 = 8;
    let shop = Shop::with_sales(3);
    let counter = shop.open();
    let mut db = shop.branch();
    let mut tries = || {
        let log = db.log_tail(u32::MAX).unwrap();
        log.iter()
            .filter(|line| matches!(line.event, LogEvent::LinkDown { .. }))
            .count()
    };
    // Between the fifth try and the next are 8 to 16 seconds.
    wait_for("five tries of the line", || tries() >= 5);
    let (before, began) = (counter.wake_ups(), clock::tick());
    wait_for("the next try", || tries() >= 6);
    let (woken, took_ms) = (counter.wake_ups().since(&before), clock::tick().since(began));
    assert!(
        woken * 1_000 < MOST_A_SECOND * took_ms,
        "{woken} wake-ups in {took_ms} ms"
    );
}

#[test]
fn what_another_program_sells_is_sent_by_the_worker_of_the_screen() {
    let (shop, vhost) = (Shop::of("NABEUL-02", 0), Broker::shared().vhost());
    let _ = vhost.branch("NABEUL-02");
    let broker = vhost.url(&format!("NABEUL-02:{PASSWORD}"), vhost.port(), "");
    let _hq = HeadOffice::open(&shop, &vhost);
    let counter = shop.open_with(&broker, &[]);
    for product in ["LAMP", "VASE"] {
        shop.sell(product, 1);
        counter.see_line(&[product, "acked"]);
    }
}

#[test]
fn a_hang_up_in_the_middle_of_sending_lets_the_worker_end_its_transaction() {
    const SALES: u32 = 2_000;
    let (shop, vhost) = (Shop::of("NABEUL-01", 0), Broker::shared().vhost());
    let _ = vhost.branch("NABEUL-01");
    let broker = vhost.url(&format!("NABEUL-01:{PASSWORD}"), vhost.port(), "");
    let _hq = HeadOffice::open(&shop, &vhost);
    shop.sell_many(SALES);
    let mut counter = shop.open_with(&broker, &[]);
    wait_for("sales are on their way", || {
        shop.branch().status().unwrap().pending < u64::from(SALES)
    });
    counter.signal(Signal::HUP);
    let (code, took_ms) = counter.ended();
    assert_eq!(code, 0);
    assert!(took_ms < LEAVES_WITHIN_MS, "it took {took_ms} ms");
    // Whoever is cut off leaves the database's log behind; whoever closes it last, in its order, clears it away.
    assert!(!shop.path("shop.db-wal").exists(), "the worker was cut off");
    let audit = shop.branch().audit().unwrap();
    assert!(audit.is_clean(), "{:?}", audit.differences);
    let mut counter = shop.open_with(&broker, &[]);
    counter.see("IN STEP   all 2,000 sales at HQ");
    counter.key("q");
    assert_eq!(counter.ended().0, 0);
}

#[test]
fn a_stopped_screen_gives_up_terminal_rows_and_lock_and_draws_anew_when_it_goes_on() {
    let shop = Shop::with_sales(3);
    let mut counter = shop.open_with("amqp://127.0.0.1:1", &["--mouse", "on"]);
    let path = shop.path("shop.db.worker-lock");
    wait_for("the worker has made its lock", || path.exists());
    let lock = File::options().write(true).open(path).unwrap();
    wait_for("the worker has the lock", || {
        lock.try_lock().is_err() || lock.unlock().is_err()
    });
    counter.key("\x1a");
    counter.until_process_is('T');
    counter.see_terminal_restored();
    lock.try_lock().expect("a stopped program holds up no other");
    shop.sell("MEANWHILE", 1);
    lock.unlock().unwrap();
    counter.signal(Signal::CONT);
    counter.see("q Quit");
    counter.see_line(&["4", "MEANWHILE", "pending"]);
    counter.key("q");
    assert_eq!(counter.ended().0, 0);
    counter.see_terminal_restored();
}

#[test]
fn a_storm_of_sizes_ends_in_a_whole_screen() {
    let shop = Shop::with_sales(40);
    let mut counter = shop.open();
    for step in 0..60_u16 {
        counter.resize(1 + step * 37 % 160, 1 + step * 23 % 60);
    }
    counter.resize(100, 28);
    counter.until("a screen of 100 x 28", |screen| {
        let shown = screen.contents();
        let lines: Vec<_> = shown.lines().collect();
        lines.len() == 28
            && lines[0].starts_with(" Branchline   TUNIS-01")
            && lines[4].starts_with("▌ 40")
            && lines[26].chars().count() == 100
            && lines[27].contains("q Quit")
    });
    counter.resize(30, 5);
    counter.until("one line", |screen| screen.contents().starts_with("… AHEAD 40 sales"));
    counter.resize(80, 24);
    counter.see("q Quit");
    counter.see_selected(40);
}

#[test]
fn a_frame_costs_no_more_than_what_changed() {
    let shop = Shop::with_sales(40);
    let mut counter = shop.open();
    counter.see_selected(40);
    let first = counter.frames_since(0);
    assert!(first.iter().all(|bytes| *bytes <= 4_096), "{first:?}");
    counter.key("a");
    counter.see("New sale ─");
    counter.type_text("Z");
    counter.see("the draft is kept");
    let before = counter.drawn();
    counter.type_text("QXJ");
    counter.see_line(&["Product", "ZQXJ"]);
    let typed = counter.frames_since(before);
    assert!(typed.iter().all(|bytes| *bytes <= 300), "{typed:?}");
    // Keys that change nothing draw nothing: what comes after them is all that is drawn.
    counter.see("the draft is kept");
    let before = counter.drawn();
    counter.keys(&["\x1b[3~", "\x05", "\x1b[3~", "\x05"]);
    counter.type_text("W");
    counter.see_line(&["Product", "ZQXJW"]);
    let last = counter.frames_since(before);
    assert!(last.iter().sum::<usize>() <= 300 && last.len() <= 2, "{last:?}");
}

#[test]
fn a_terminal_that_can_place_no_cursor_is_refused_with_a_way_out() {
    let shop = Shop::with_sales(1);
    let mut command = shop.command("amqp://127.0.0.1:1", &[]);
    command.env("TERM", "dumb");
    let mut counter = Counter::start(command);
    assert_eq!(counter.ended().0, 2);
    counter.see("can't show a screen");
    counter.see("--headless branch");
    counter.see_terminal_restored();
}

/// The name under which the test below runs itself again, on a terminal.
const PANICS_ON_A_TERMINAL: &str = "BRANCHLINE_TEST_PANICS_ON_A_TERMINAL";

#[test]
fn a_panic_is_read_on_a_terminal_that_works() {
    let name = "terminal::manners::a_panic_is_read_on_a_terminal_that_works";
    if std::env::var_os(PANICS_ON_A_TERMINAL).is_some() {
        let _stage = branchline::tui::terminal::RealStage::open(true).unwrap();
        panic!("the screen has a bug");
    }
    let mut again = portable_pty::CommandBuilder::new(std::env::current_exe().unwrap());
    again.args([name, "--exact", "--nocapture"]);
    again.env(PANICS_ON_A_TERMINAL, "yes");
    again.env("RUST_BACKTRACE", "0");
    let mut counter = Counter::start(again);
    assert_ne!(counter.ended().0, 0);
    counter.see_terminal_restored();
    // What is said while the screen is still taken would be gone with it.
    counter.see("the screen has a bug");
}

#[test]
fn the_mouse_is_the_terminals_own_over_ssh_unless_it_is_asked_for() {
    let shop = Shop::with_sales(1);
    for (remote, mouse, taken) in [(false, "auto", true), (true, "auto", false), (true, "on", true)] {
        let mut command = shop.command("amqp://127.0.0.1:1", &["--mouse", mouse]);
        if remote {
            command.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
        }
        let mut counter = Counter::start(command);
        counter.see("q Quit");
        counter.until("the mouse as it is meant", |screen| {
            (screen.mouse_protocol_mode() != MouseProtocolMode::None) == taken
        });
        counter.key("q");
        assert_eq!(counter.ended().0, 0);
    }
}
