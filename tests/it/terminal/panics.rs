//! Panics behind the screen: the sync worker's is nothing but a line of the log, the database clerk's ends the screen and gives the terminal back. The programs here are put
//! together in the test's own process, on a terminal of its own, because the real one has no fault that could be asked for.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use branchline::domain::ids::BranchCode;
use branchline::domain::line::Traffic;
use branchline::domain::money::TaxRate;
use branchline::protocol::uplink::Limits;
use branchline::store::branch::BranchDb;
use branchline::sync::service::{Lookout, Service};
use branchline::text::Text;
use branchline::transport::amqp::{Address, BranchAmqp};
use branchline::transport::{Session, Transport};
use branchline::tui::Ending;
use branchline::tui::desk::{self, Answer, Clerk, Cmd};
use branchline::tui::keymap::Keymap;
use branchline::tui::model::Settings;
use branchline::tui::screen::Screen;
use branchline::tui::theme::{Palette, Surroundings, Theme, UNICODE};
use branchline::{clock, shutdown, wire};

use super::counter::{Counter, Shop};

/// The name under which the test below runs itself again, on a terminal; its value is the database.
const PANICS_BEHIND_A_SCREEN: &str = "BRANCHLINE_TEST_PANICS_BEHIND_A_SCREEN";
/// What the program on the terminal says with its exit code: the screen ended because the clerk was gone.
const ABANDONED: i32 = 7;

/// A line that has a fault in its program the first time it is opened, and nobody at its other end.
struct Faulty {
    line: BranchAmqp,
    fault: AtomicBool,
}

impl Transport for Faulty {
    fn open(&self) -> Session {
        assert!(!self.fault.swap(false, Ordering::Relaxed), "this is the worker's fault");
        self.line.open()
    }

    fn broker(&self) -> String {
        self.line.broker()
    }

    fn traffic(&self) -> Traffic {
        self.line.traffic()
    }
}

#[test]
fn a_panic_behind_the_screen_is_drawn_over_nothing_and_the_clerks_gives_the_terminal_back() {
    let name =
        "terminal::panics::a_panic_behind_the_screen_is_drawn_over_nothing_and_the_clerks_gives_the_terminal_back";
    if let Some(db) = std::env::var_os(PANICS_BEHIND_A_SCREEN) {
        std::process::exit(screen_with_faults(db.into()));
    }
    let shop = Shop::with_sales(3);
    let mut again = portable_pty::CommandBuilder::new(std::env::current_exe().unwrap());
    again.args([name, "--exact", "--nocapture"]);
    again.env(PANICS_BEHIND_A_SCREEN, shop.db());
    again.env("TERM", "xterm-256color");
    again.env("LANG", "C.UTF-8");
    let mut counter = Counter::start(again);
    counter.see("The sync worker failed and was started again");
    counter.see("AHEAD 3 sales");
    counter.see("q Quit");
    assert!(!counter.text().contains("fault"), "{}", counter.text());
    counter.key("s");
    assert_eq!(counter.ended().0, ABANDONED.unsigned_abs());
    counter.see_terminal_restored();
    assert!(!counter.text().contains("fault"), "{}", counter.text());
}

/// Runs the real screen and the real sync service, one with a clerk and the other with a line that have a fault; gives the exit code.
fn screen_with_faults(path: PathBuf) -> i32 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let surroundings = Surroundings::read(|name| std::env::var(name).ok());
        let mut screen = Screen::open(&surroundings, Some(true)).unwrap();
        let (trigger, shutdown) = shutdown::channel();
        let service = service(path.clone()).start(shutdown);
        let (ends, clerk) = desk::desk();
        let serving = tokio::spawn(serve(clerk, path));
        let ending = screen.show(looks(), ends).await.unwrap();
        drop(screen);
        let failed = serving.await.is_err();
        trigger.request();
        tokio::task::spawn_blocking(|| service.join()).await.unwrap();
        if failed && ending == Ending::Abandoned {
            ABANDONED
        } else {
            1
        }
    })
}

fn branch() -> BranchCode {
    BranchCode::parse("TUNIS-01").unwrap()
}

fn service(path: PathBuf) -> Service<Faulty> {
    let nobody = Address::parse("amqp://127.0.0.1:1").unwrap();
    Service {
        path,
        branch: branch(),
        transport: Faulty {
            line: BranchAmqp::new(nobody, branch(), clock::wall(), None),
            fault: AtomicBool::new(true),
        },
        limits: Limits::real(wire::WRITES.to_vec()),
        hours: None,
        lookout: Lookout::Own,
    }
}

fn looks() -> Settings {
    Settings {
        branch: branch(),
        text: Text::english(),
        theme: Theme {
            palette: Palette::Dark,
            glyphs: &UNICODE,
        },
        keymap: Keymap::default(),
        remote: false,
        read_only: false,
        region: "Tunis".into(),
        tax_rate: TaxRate::parse("20").unwrap(),
        knows_codes: false,
        scanner_prefix: None,
        log_file: None,
        plain_line: false,
        hours: None,
        local: clock::local_of,
    }
}

/// Tells how the branch stands and what its log says, until it is asked to sync: that is its fault.
async fn serve(mut ends: Clerk, path: PathBuf) {
    let mut db = BranchDb::open(&path, None).unwrap();
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    loop {
        let answer = tokio::select! {
            biased;
            command = ends.commands.recv() => match command {
                Some(Cmd::LoadStatus) => Answer::Status(Box::new(db.status().unwrap())),
                Some(Cmd::LoadLog { after, limit }) => {
                    let lines = match after {
                        Some(seq) => db.log_after(seq, limit),
                        None => db.log_tail(limit),
                    };
                    Answer::Log { after, lines: lines.unwrap() }
                }
                Some(Cmd::SyncNow) => panic!("this is the clerk's fault"),
                Some(_) => continue,
                None => return,
            },
            _ = looks.tick() => Answer::Changed,
        };
        ends.answers.send(answer).await.unwrap();
    }
}
