//! The real loop, on a terminal emulator and a clock that only moves when everything is idle: frames, bytes, signals, slow lines and slow disks.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ratatui::layout::Size;
use ratatui::{Frame, Terminal};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::fake::{FakeDesk, id};
use super::wall;
use crate::domain::event::LogEvent;
use crate::domain::money::Money;
use crate::domain::read::KnownProduct;
use crate::domain::sync_state::SyncState;
use crate::domain::time::{Tick, UtcMillis};
use crate::tui::ansi::Ansi;
use crate::tui::decode::{Decoder, ESC_WAIT_MS};
use crate::tui::desk::{self, Answer, Cmd};
use crate::tui::model::{Model, Moment, Settings};
use crate::tui::pace::{NEAR, Pace, REMOTE};
use crate::tui::signals::Signal;
use crate::tui::stage::Stage;
use crate::tui::terminal::Chunk;
use crate::tui::{Ending, Wires, run};

thread_local! {
    static START: Instant = Instant::now();
}

fn now() -> Moment {
    let millis = u64::try_from(START.with(Instant::elapsed).as_millis()).unwrap();
    Moment {
        tick: Tick(millis),
        wall: wall("2026-11-22 14:07:10").plus(millis),
    }
}

/// What the terminal has seen.
struct Seen {
    screen: vt100::Parser,
    frames: Vec<Vec<u8>>,
    stops: u32,
    size: Size,
}

/// A terminal that can be blocked.
struct Emulator {
    terminal: Terminal<Ansi>,
    seen: Rc<RefCell<Seen>>,
    busy: bool,
    blocked: Rc<RefCell<bool>>,
    unblocked: Rc<Notify>,
}

impl Stage for Emulator {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<bool> {
        self.terminal.draw(|frame| paint(frame))?;
        let frame = self.terminal.backend_mut().take_frame();
        let new = frame.is_some();
        if let Some(frame) = frame {
            let mut seen = self.seen.borrow_mut();
            seen.screen.process(&frame);
            seen.frames.push(frame);
            self.busy = true;
        }
        Ok(new)
    }

    fn is_free(&self) -> bool {
        !self.busy
    }

    async fn freed(&mut self) -> io::Result<()> {
        while *self.blocked.borrow() {
            self.unblocked.notified().await;
        }
        self.busy = false;
        Ok(())
    }

    fn measure(&mut self) -> Size {
        let size = self.seen.borrow().size;
        self.terminal.backend_mut().set_size(size);
        size
    }

    fn forget(&mut self) {
        let size = self.measure();
        self.terminal.backend_mut().forget();
        self.terminal
            .resize(ratatui::layout::Rect::from((ratatui::layout::Position::ORIGIN, size)))
            .unwrap();
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.seen.borrow_mut().stops += 1;
        self.forget();
        Ok(())
    }
}

/// The hands and eyes of a test.
struct Rig {
    input: Option<mpsc::Sender<Chunk>>,
    signals: mpsc::Sender<Signal>,
    answers: Option<mpsc::Sender<Answer>>,
    seen: Rc<RefCell<Seen>>,
    work: Work,
    blocked: Rc<RefCell<bool>>,
    unblocked: Rc<Notify>,
}

impl Rig {
    async fn type_bytes(&self, bytes: &[u8]) {
        let chunk = Chunk {
            at: now().tick,
            bytes: bytes.to_vec(),
        };
        self.input.as_ref().unwrap().send(chunk).await.unwrap();
    }

    async fn type_slowly(&self, text: &str) {
        for c in text.chars() {
            self.type_bytes(c.to_string().as_bytes()).await;
            self.settle(100).await;
        }
    }

    /// Lets so much time pass on the clock that moves when all is idle.
    async fn settle(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn text(&self) -> String {
        self.seen.borrow().screen.screen().contents()
    }

    /// The frames since this was asked before.
    fn frames(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.seen.borrow_mut().frames)
    }

    async fn changed(&self) {
        self.answers.as_ref().unwrap().send(Answer::Changed).await.unwrap();
    }
}

/// What the executor shares with a test.
#[derive(Clone)]
struct Work {
    desk: Rc<RefCell<FakeDesk>>,
    asked: Rc<RefCell<Vec<Cmd>>>,
    /// Whether it works, or is stuck on its disk.
    goes_on: Rc<RefCell<bool>>,
    works_again: Rc<Notify>,
}

async fn execute(mut commands: mpsc::Receiver<Cmd>, answers: mpsc::WeakSender<Answer>, work: Work) {
    while let Some(cmd) = commands.recv().await {
        while !*work.goes_on.borrow() {
            work.works_again.notified().await;
        }
        work.asked.borrow_mut().push(cmd.clone());
        let replies = work.desk.borrow_mut().execute(cmd, now().wall);
        let Some(answers) = answers.upgrade() else { continue };
        for reply in replies {
            if answers.send(reply).await.is_err() {
                break;
            }
        }
    }
}

/// Runs the loop on a terminal of this size, beside a script; gives how it ended and what is left.
fn play<F: Future<Output = Rig>>(size: (u16, u16), remote: bool, script: impl FnOnce(Rig) -> F) -> (Ending, Rig) {
    let size = Size::new(size.0, size.1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let pace: Pace = if remote { REMOTE } else { NEAR };
        let settings = Settings {
            remote,
            ..super::settings()
        };
        let (input, input_end) = mpsc::channel(64);
        let (signals, signals_end) = mpsc::channel(16);
        let (desk, clerk) = desk::desk();
        let seen = Rc::new(RefCell::new(Seen {
            screen: vt100::Parser::new(size.height, size.width, 0),
            frames: Vec::new(),
            stops: 0,
            size,
        }));
        let rig = Rig {
            input: Some(input),
            signals,
            answers: Some(clerk.answers),
            seen: Rc::clone(&seen),
            work: Work {
                desk: Rc::new(RefCell::new(FakeDesk::with_sales(60))),
                asked: Rc::default(),
                goes_on: Rc::new(RefCell::new(true)),
                works_again: Rc::default(),
            },
            blocked: Rc::default(),
            unblocked: Rc::default(),
        };
        let mut stage = Emulator {
            terminal: Terminal::new(Ansi::new(size)).unwrap(),
            seen,
            busy: false,
            blocked: Rc::clone(&rig.blocked),
            unblocked: Rc::clone(&rig.unblocked),
        };
        let wires = Wires {
            input: input_end,
            signals: signals_end,
            commands: desk.commands,
            answers: desk.answers,
        };
        let weak_answers = rig.answers.as_ref().unwrap().downgrade();
        let executor = execute(clerk.commands, weak_answers, rig.work.clone());
        let screen = async move {
            let (mut wires, mut decoder) = (wires, Decoder::new(ESC_WAIT_MS, true));
            let mut model = Model::new(settings, now(), Size::ZERO);
            run(&mut model, &mut stage, &mut wires, &mut decoder, pace, now)
                .await
                .unwrap()
        };
        let (ending, rig, ()) = tokio::join!(screen, script(rig), executor);
        (ending, rig)
    })
}

#[test]
fn the_first_frame_shows_the_branch_in_four_kilobytes() {
    let (ending, _) = play((80, 24), false, async |rig| {
        rig.settle(50).await;
        let text = rig.text();
        assert!(
            text.contains("TUNIS-01") && text.contains("AHEAD 3 sales") && text.contains("✓ acked"),
            "{text}"
        );
        let bytes: usize = rig.frames().iter().map(Vec::len).sum();
        assert!(bytes <= 4_096, "{bytes} bytes");
        rig.type_bytes(b"q").await;
        rig
    });
    assert_eq!(ending, Ending::Left);
}

#[test]
fn a_frame_is_as_small_as_its_change() {
    play((80, 24), false, async |rig| {
        rig.type_bytes(b"a").await;
        rig.settle(500).await;
        rig.frames();
        rig.type_bytes(b"p").await;
        rig.settle(100).await;
        let typed: usize = rig.frames().iter().map(Vec::len).sum();
        assert!(typed <= 300, "a typed key took {typed} bytes");
        rig.type_bytes(b"\x18\x1b").await;
        rig.settle(1_000).await;

        rig.work.desk.borrow_mut().set_sync(59, SyncState::Acked);
        rig.frames();
        rig.changed().await;
        rig.settle(100).await;
        let acked: usize = rig.frames().iter().map(Vec::len).sum();
        assert!((1..=120).contains(&acked), "a row acked took {acked} bytes");

        rig.work.desk.borrow_mut().say(UtcMillis(0), LogEvent::LinkUp);
        rig.changed().await;
        rig.settle(100).await;
        let logged: usize = rig.frames().iter().map(Vec::len).sum();
        assert!((1..=300).contains(&logged), "a log line took {logged} bytes");

        rig.changed().await;
        rig.settle(100).await;
        assert_eq!(rig.frames().len(), 0, "nothing has changed");
        rig.type_bytes(b"q").await;
        rig
    });
}

/// Products as a shop has them: many of them begin alike.
fn many_products() -> Vec<KnownProduct> {
    let colours = ["RED", "RED RETROSPOT", "RED SPOTTY", "PINK", "WHITE"];
    let things = [
        "CHILDRENS UMBRELLA",
        "CHARLOTTE BAG LARGE",
        "LUNCH BOX WITH CUTLERY",
        "WOOLLY HOTTIE WHITE HEART",
        "JUMBO SHOPPER VINTAGE",
    ];
    let named = colours
        .iter()
        .flat_map(|colour| things.map(|thing| format!("{colour} {thing}")));
    let known = |(name, cents): (String, i64)| KnownProduct {
        name,
        last_cost: Money::parse(&format!("{}.{:02}", cents / 7, cents % 100)).unwrap(),
    };
    named.zip((101..).step_by(37)).map(known).collect()
}

/// The README tells these bounds: what brings other rows costs what the rows cost.
#[test]
fn a_key_that_brings_other_completions_or_rows_costs_no_more_than_they_do() {
    play((80, 24), false, async |rig| {
        rig.work.desk.borrow_mut().more_products = many_products();
        rig.settle(500).await;
        let mut largest = Vec::new();
        for (opening, typed) in [("a", "red"), ("/", "pen")] {
            rig.type_bytes(opening.as_bytes()).await;
            rig.settle(500).await;
            for key in typed.chars() {
                rig.frames();
                rig.type_bytes(key.to_string().as_bytes()).await;
                rig.settle(200).await;
                largest.push(rig.frames().iter().map(Vec::len).sum::<usize>());
            }
            rig.type_bytes(b"\x1b").await;
            rig.settle(500).await;
        }
        assert!(
            largest[..3].iter().all(|bytes| *bytes <= 600),
            "completions: {largest:?}"
        );
        assert!(largest[3..].iter().all(|bytes| *bytes <= 1_200), "rows: {largest:?}");
        rig.type_bytes(b"q").await;
        rig
    });
}

#[test]
fn an_idle_screen_draws_once_a_minute() {
    play((80, 24), false, async |rig| {
        rig.settle(1_000).await;
        rig.frames();
        rig.settle(600_000).await;
        let frames = rig.frames();
        assert_eq!(frames.len(), 10);
        let largest = frames.iter().map(Vec::len).max().unwrap();
        assert!(largest <= 120, "{largest} bytes");
        rig.type_bytes(b"q").await;
        rig
    });
}

#[test]
fn ten_acks_a_second_over_ssh_fit_a_slow_line() {
    play((80, 24), true, async |rig| {
        {
            let mut desk = rig.work.desk.borrow_mut();
            for number in 1..=60 {
                desk.set_sync(number, SyncState::Sent { since: UtcMillis(0) });
            }
        }
        rig.changed().await;
        rig.settle(5_000).await;
        rig.frames();
        let started = now().tick;
        for number in (1..=60).rev() {
            rig.work.desk.borrow_mut().set_sync(number, SyncState::Acked);
            rig.changed().await;
            rig.settle(100).await;
        }
        rig.settle(2_000).await;
        let bytes: usize = rig.frames().iter().map(Vec::len).sum();
        let seconds = usize::try_from(now().tick.since(started) / 1_000).unwrap();
        assert!(bytes <= 300 * seconds, "{bytes} bytes in {seconds} s");
        assert!(rig.text().contains("IN STEP"));
        rig.type_bytes(b"q").await;
        rig
    });
}

#[test]
fn frames_are_capped_whatever_happens() {
    for (remote, most) in [(false, 32), (true, 6)] {
        play((80, 24), remote, async |rig| {
            rig.settle(1_000).await;
            rig.type_bytes(b"a").await;
            rig.settle(1_000).await;
            rig.frames();
            for _ in 0..200 {
                rig.type_bytes(b"x").await;
                rig.settle(5).await;
            }
            let frames = rig.frames().len();
            assert!(
                (2..=most).contains(&frames),
                "{frames} frames in a second, remote: {remote}"
            );
            rig.settle(3_000).await;
            rig.type_bytes(b"\x1b").await;
            rig.settle(1_000).await;
            rig.type_bytes(b"q").await;
            rig
        });
    }
}

#[test]
fn a_blocked_terminal_holds_nothing_up() {
    play((80, 24), false, async |rig| {
        rig.settle(500).await;
        *rig.blocked.borrow_mut() = true;
        rig.type_slowly("a").await;
        rig.frames();
        rig.type_slowly("SOAP\t2\t1,5").await;
        rig.type_bytes(b"\x13").await;
        rig.settle(100).await;
        assert_eq!(rig.work.desk.borrow().rows.len(), 61, "the sale is saved all the same");
        assert_eq!(rig.frames().len(), 0);
        *rig.blocked.borrow_mut() = false;
        rig.unblocked.notify_one();
        rig.settle(100).await;
        assert_eq!(rig.frames().len(), 1, "and one frame shows all of it");
        assert!(rig.text().contains("Sale 61 saved"));
        rig.type_bytes(b"\x1b").await;
        rig.settle(200).await;
        rig.type_bytes(b"q").await;
        rig
    });
}

#[test]
fn a_slow_disk_delays_no_key() {
    play((80, 24), false, async |rig| {
        rig.settle(500).await;
        *rig.work.goes_on.borrow_mut() = false;
        rig.type_slowly("aSOAP").await;
        assert!(rig.text().contains("SOAP"), "{}", rig.text());
        *rig.work.goes_on.borrow_mut() = true;
        rig.work.works_again.notify_one();
        rig.settle(1_000).await;
        assert_eq!(rig.work.desk.borrow().draft().unwrap().0.product, "SOAP");
        rig.type_bytes(b"\x11").await;
        rig
    });
}

#[test]
fn a_split_arrow_key_is_an_arrow_key() {
    play((80, 24), false, async |rig| {
        rig.settle(500).await;
        for (head, tail) in [(&b"\x1b"[..], &b"[B"[..]), (b"\x1b[", b"B"), (b"\x1bO", b"B")] {
            rig.type_bytes(head).await;
            rig.settle(30).await;
            rig.type_bytes(tail).await;
            rig.settle(100).await;
        }
        // The line is slower than the wait: the Esc has counted, the rest is still no text.
        rig.type_bytes(b"\x1b").await;
        rig.settle(300).await;
        rig.type_bytes(b"[B").await;
        rig.settle(100).await;
        let text = rig.text();
        let selected = text.lines().find(|line| line.starts_with('▌')).unwrap();
        assert!(selected.contains("56"), "{text}");
        rig.type_bytes(b"q").await;
        rig
    });
}

#[test]
fn a_hang_up_ends_at_once_and_keeps_what_is_typed() {
    let (ending, rig) = play((80, 24), false, async |rig| {
        rig.settle(500).await;
        rig.type_slowly("aSOAP").await;
        rig.type_bytes(b"S").await;
        rig.signals.send(Signal::HangUp).await.unwrap();
        rig
    });
    assert_eq!(ending, Ending::HungUp);
    assert_eq!(
        rig.work.desk.borrow().draft().unwrap().0.product,
        "SOAP",
        "a key behind the signal is not waited for"
    );
}

#[test]
fn a_terminal_that_is_gone_is_a_hang_up() {
    let (ending, rig) = play((80, 24), false, async |mut rig| {
        rig.settle(500).await;
        rig.type_slowly("aSOAP").await;
        rig.input = None;
        rig
    });
    assert_eq!(ending, Ending::HungUp);
    assert_eq!(rig.work.desk.borrow().draft().unwrap().0.product, "SOAP");
}

#[test]
fn a_signal_to_leave_is_obeyed() {
    let (ending, _) = play((80, 24), false, async |rig| {
        rig.settle(500).await;
        rig.signals.send(Signal::Leave).await.unwrap();
        rig
    });
    assert_eq!(ending, Ending::Told);
}

#[test]
fn the_process_stops_only_after_the_worker_has_let_go() {
    let (_, rig) = play((80, 24), false, async |rig| {
        rig.settle(500).await;
        *rig.work.goes_on.borrow_mut() = false;
        rig.signals.send(Signal::Suspend).await.unwrap();
        rig.settle(500).await;
        assert_eq!(rig.seen.borrow().stops, 0);
        rig.frames();
        *rig.work.goes_on.borrow_mut() = true;
        rig.work.works_again.notify_one();
        rig.settle(500).await;
        assert_eq!(rig.seen.borrow().stops, 1);
        let drawn: usize = rig.frames().iter().map(Vec::len).sum();
        assert!(drawn > 1_000, "everything is drawn anew: {drawn} bytes");
        rig.type_bytes(b"q").await;
        rig
    });
    let asked = rig.work.asked.borrow();
    let place = |wanted: &Cmd| asked.iter().position(|cmd| cmd == wanted).unwrap();
    assert!(place(&Cmd::Suspend) < place(&Cmd::Resume));
}

#[test]
fn a_storm_of_resizes_ends_in_the_last_size() {
    play((80, 24), false, async |rig| {
        rig.settle(500).await;
        for width in (20..=120).chain((61..120).rev()) {
            let size = Size::new(width, width / 3);
            {
                let mut seen = rig.seen.borrow_mut();
                seen.size = size;
                seen.screen.screen_mut().set_size(size.height, size.width);
            }
            rig.signals.send(Signal::Resized).await.unwrap();
            rig.settle(3).await;
        }
        rig.settle(100).await;
        let text = rig.text();
        assert!(
            text.contains("Quit") && text.lines().all(|line| line.chars().count() <= 61),
            "{text}"
        );
        rig.type_bytes(b"q").await;
        rig
    });
}

#[test]
fn an_executor_that_is_gone_ends_the_screen() {
    let (ending, _) = play((80, 24), false, async |mut rig| {
        rig.settle(500).await;
        rig.answers = None;
        rig
    });
    assert_eq!(ending, Ending::Abandoned);
}

#[test]
fn what_the_terminal_shows_is_what_was_drawn() {
    play((100, 28), false, async |rig| {
        for keys in [
            "\x1b[B\x1b[B",
            "l",
            "l",
            "/",
            "pen\r",
            "x",
            "?",
            "\x1b",
            "t",
            "\x1b",
            "\r",
            "\x1b",
        ] {
            rig.type_bytes(keys.as_bytes()).await;
            rig.settle(300).await;
        }
        rig.work.desk.borrow_mut().set_sync(id(60).get(), SyncState::Acked);
        rig.changed().await;
        rig.settle(300).await;
        let shown = rig.text();
        rig.type_bytes(b"\x0c").await;
        rig.settle(300).await;
        let lines = |text: String| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            lines(rig.text()),
            lines(shown),
            "drawing everything anew changes nothing"
        );
        rig.type_bytes(b"q").await;
        rig
    });
}
