//! The screen, in a terminal of its own: how soon it is there, how soon it answers a key on each of its screens, and what it costs when nothing happens.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::Bench;
use crate::drain::Backlog;
use crate::place::{BRANCH, Place, Usage, look, till};
use crate::raw::milliseconds;
use crate::report::{Figure, Report, Target, percentile, thousands};
use crate::support::broker::{PASSWORD, Vhost};

/// The end of a frame that the terminal shows at once.
const FRAME_END: &[u8] = b"\x1b[?2026l";
/// For how long nothing must come for the screen to be still: longer than it waits between two frames.
const STILL: Duration = Duration::from_millis(120);
/// How long a screen may take that is to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long after a key its last frame is waited for: where the screen only shows what it has, and where the database is asked.
const SHOWN: Duration = Duration::from_millis(300);
const ASKED: Duration = Duration::from_secs(2);
/// How often the program is started, and how often the table is gone through.
const STARTS: usize = 7;
const ROUNDS: usize = 20;
/// How long the idle screen is watched.
const IDLE: Duration = Duration::from_secs(20);

/// What a key took, in milliseconds.
#[derive(Clone, Copy)]
struct Pressed {
    key: &'static str,
    /// Until its first frame: what was typed is seen.
    frame: f64,
    /// Until the last frame that belongs to it: what was asked for is seen.
    answer: f64,
}

/// The program on a terminal of 100 columns and 28 lines.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    parser: vt100::Parser,
    began: Instant,
}

impl Terminal {
    fn start(place: &Place, db: &str, url: &str, hours: Option<&str>) -> Self {
        let size = PtySize {
            rows: 28,
            cols: 100,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_branchline"));
        command.env_clear();
        command.env("HOME", place.file(""));
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("BRANCHLINE_AMQP", url);
        if let Some(hours) = hours {
            command.env("BRANCHLINE_HOURS", hours);
        }
        command.args(["--branch", BRANCH, "--db"]);
        command.arg(place.file(db));
        let mut reader = pair.master.try_clone_reader().expect("a terminal can be read");
        let keys = pair.master.take_writer().expect("a terminal can be written to");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..read].to_vec())).is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the program starts");
        Self {
            child,
            master: pair.master,
            keys,
            output,
            parser: vt100::Parser::new(28, 100, 0),
            began,
        }
    }

    /// Waits until the screen shows a text; returns when that came.
    fn shows(&mut self, text: &str) -> Duration {
        loop {
            let (at, bytes) = self.output.recv_timeout(PATIENCE).expect("the screen comes");
            self.parser.process(&bytes);
            if self.parser.screen().contents().contains(text) {
                return at - self.began;
            }
        }
    }

    /// Waits until nothing more comes; returns how many bytes came.
    fn is_still(&mut self) -> usize {
        let mut came = 0;
        loop {
            match self.output.recv_timeout(STILL) {
                Ok((_, bytes)) => {
                    came += bytes.len();
                    self.parser.process(&bytes);
                }
                Err(RecvTimeoutError::Timeout) => return came,
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the screen is gone: {}", self.parser.screen().contents())
                }
            }
        }
    }

    /// Presses a key on a screen that is still; returns how long its frames took. `None`: there was nothing to draw.
    fn press(&mut self, key: &'static str, patience: Duration) -> Option<Pressed> {
        self.is_still();
        let began = Instant::now();
        self.keys.write_all(key.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
        let mut came = Vec::new();
        let mut pressed: Option<Pressed> = None;
        while let Some(left) = patience.checked_sub(began.elapsed())
            && let Ok((at, bytes)) = self.output.recv_timeout(left)
        {
            self.parser.process(&bytes);
            came.extend(bytes);
            if came.windows(FRAME_END.len()).any(|window| window == FRAME_END) {
                came.clear();
                let answer = milliseconds(at - began);
                let frame = pressed.map_or(answer, |pressed| pressed.frame);
                pressed = Some(Pressed { key, frame, answer });
            }
        }
        pressed
    }

    fn pid(&self) -> u32 {
        self.child.process_id().expect("the program runs")
    }

    fn quit(mut self) {
        self.is_still();
        self.keys.write_all(b"\x11").expect("the terminal takes keys");
        self.child.wait().expect("the program ends");
        drop(self.master);
    }
}

pub(crate) fn measure(bench: &Bench, backlog: &Backlog, report: &mut Report) {
    let nowhere = "amqp://127.0.0.1:1";
    first_row(backlog, nowhere, report);
    keys(backlog, nowhere, report);
    idle(bench, backlog, report);
    rest(backlog, nowhere, "nobody at the broker's address", report);
}

/// Something of the sale that was entered last, as the table shows it.
fn newest(backlog: &Backlog) -> String {
    let sale = look(&backlog.place, backlog.db).last_sale();
    let sale = sale.expect("the database can be read").expect("there are sales");
    sale.content.product.chars().take(12).collect()
}

/// Drops what the system remembers of the database's file.
fn forget(backlog: &Backlog) {
    let file = File::open(backlog.place.file(backlog.db)).expect("the database is there");
    file.sync_all().expect("the disk takes it");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("the system forgets files");
}

fn first_row(backlog: &Backlog, url: &str, report: &mut Report) {
    let text = newest(backlog);
    for (how, cold, most) in [
        ("its file in memory", false, Target::AtMost(100.0)),
        ("its file on the disk only", true, Target::AtMost(100.0)),
    ] {
        let mut took: Vec<f64> = (0..STARTS)
            .map(|_| {
                if cold {
                    forget(backlog);
                }
                let mut terminal = Terminal::start(&backlog.place, backlog.db, url, None);
                let shown = milliseconds(terminal.shows(&text));
                terminal.quit();
                shown
            })
            .collect();
        report.add(Figure {
            what: format!("first row on the screen, cold start, {how}"),
            value: percentile(&mut took, 0.5),
            unit: "ms",
            target: most,
            baseline: format!("longest {} ms", thousands(percentile(&mut took, 1.0))),
            source: format!(
                "median of {STARTS} starts in a pseudo-terminal, from spawn to the newest of {} sales",
                backlog.rows
            ),
        });
    }
}

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const LEFT: &str = "\x1b[D";
const RIGHT: &str = "\x1b[C";
const PAGE_UP: &str = "\x1b[5~";
const PAGE_DOWN: &str = "\x1b[6~";
const HOME: &str = "\x1b[H";
const END: &str = "\x1b[F";
const TAB: &str = "\t";
const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const CLEAR: &str = "\x18";

/// A screen, how long its answers are waited for, and the keys that are pressed on it; the last of them leaves it.
type Hand = (&'static str, Duration, &'static [&'static str]);

const HANDS: [Hand; 13] = [
    (
        "find",
        ASKED,
        &["/", "l", "a", "n", "t", "e", "r", "n", ENTER, PAGE_DOWN, END, "x"],
    ),
    ("sorted by date", ASKED, &["o", END, HOME, PAGE_DOWN, "O"]),
    ("sorted by product", ASKED, &["o", END, HOME, PAGE_DOWN, "O"]),
    ("sorted by total", ASKED, &["o", END, HOME, PAGE_DOWN, "O"]),
    ("sorted by state", ASKED, &["o", END, HOME, PAGE_DOWN, "O"]),
    ("sorted by number", ASKED, &["o", END, HOME, PAGE_DOWN]),
    (
        "form, with completion",
        SHOWN,
        &[
            "a", "r", "e", "d", " ", "w", DOWN, DOWN, UP, TAB, "6", ENTER, "3", "\x1f", TAB, TAB, "x", CLEAR, ESC,
        ],
    ),
    (
        "filter",
        ASKED,
        &["f", RIGHT, RIGHT, TAB, "2", "0", CLEAR, RIGHT, ENTER, PAGE_DOWN, "x"],
    ),
    ("story", SHOWN, &[ENTER, DOWN, DOWN, PAGE_DOWN, UP, ESC]),
    ("question", SHOWN, &["d", ESC]),
    (
        "log",
        SHOWN,
        &["l", DOWN, DOWN, PAGE_DOWN, "v", "v", "v", "p", END, HOME, ESC],
    ),
    ("totals", ASKED, &["t", LEFT, LEFT, RIGHT, TAB, LEFT, TAB, ESC]),
    ("help", SHOWN, &["?", "s", "a", "v", "e", DOWN, UP, ESC]),
];

/// Times at which the line may be used that are far from now, so that nothing is drawn but what the keys ask for.
fn other_hours() -> String {
    let hour = |ahead: u32| (chrono::Timelike::hour(&branchline::clock::local()) + ahead) % 24;
    format!("{:02}:00-{:02}:00", hour(11), hour(12))
}

/// Presses the keys of one screen and tells which was the slowest; returns how long the first frames took.
fn work(terminal: &mut Terminal, (screen, patience, keys): Hand, rows: usize, report: &mut Report) -> Vec<f64> {
    let pressed = keys.iter().filter_map(|key| terminal.press(key, patience));
    // An Esc waits for the rest of a sequence before it counts, so its time is that wait.
    let pressed: Vec<_> = pressed.filter(|pressed| pressed.key != ESC).collect();
    let slowest = |time: fn(&Pressed) -> f64| pressed.iter().max_by(|a, b| time(a).total_cmp(&time(b))).copied();
    let (Some(frame), Some(answer)) = (slowest(|key| key.frame), slowest(|key| key.answer)) else {
        panic!("the screen is drawn: {screen}");
    };
    let mut frames: Vec<f64> = pressed.iter().map(|key| key.frame).collect();
    report.add(Figure {
        what: format!("key to frame, the slowest key: {screen}"),
        value: frame.frame,
        unit: "ms",
        target: Target::None,
        baseline: format!(
            "{}; p50 {} ms; its answer at most {} ms, for {}",
            frame.key.escape_debug(),
            thousands(percentile(&mut frames, 0.5)),
            thousands(answer.answer),
            answer.key.escape_debug()
        ),
        source: format!(
            "{} keys that draw, of {}, on {rows} sales; frames are at least 33 ms apart",
            pressed.len(),
            keys.len()
        ),
    });
    frames
}

fn keys(backlog: &Backlog, url: &str, report: &mut Report) {
    let mut terminal = Terminal::start(&backlog.place, backlog.db, url, Some(&other_hours()));
    terminal.shows(&newest(backlog));
    let paging = [PAGE_DOWN, DOWN, END, PAGE_UP, HOME].repeat(ROUNDS).leak();
    let mut took = work(&mut terminal, ("table", SHOWN, paging), backlog.rows, report);
    for hand in HANDS {
        took.extend(work(&mut terminal, hand, backlog.rows, report));
    }
    let large = Usage::of(terminal.pid());
    terminal.quit();
    report.add(Figure {
        what: "key to frame, p99".into(),
        value: percentile(&mut took, 0.99),
        unit: "ms",
        target: Target::AtMost(16.0),
        baseline: format!(
            "p50 {} ms, longest {} ms",
            thousands(percentile(&mut took, 0.5)),
            thousands(percentile(&mut took, 1.0))
        ),
        source: format!(
            "{} keys on every screen, in a pseudo-terminal on {} sales",
            took.len(),
            backlog.rows
        ),
    });
    let place = Place::new();
    drop(till(&place, "branch.db"));
    let mut terminal = Terminal::start(&place, "branch.db", url, None);
    terminal.shows(BRANCH);
    terminal.is_still();
    let small = Usage::of(terminal.pid());
    terminal.quit();
    report.add(Figure {
        what: "memory of the screen above that on an empty database".into(),
        value: large.peak_mb - small.peak_mb,
        unit: "MB",
        target: Target::AtMost(20.0),
        baseline: format!("{} and {} MB", thousands(large.peak_mb), thousands(small.peak_mb)),
        source: format!("VmHWM with {} sales after the keys, and with none", backlog.rows),
    });
}

fn idle(bench: &Bench, backlog: &Backlog, report: &mut Report) {
    let vhost: Vhost = bench.broker.vhost();
    let hq = backlog.place.head_office(&bench.runtime, &vhost, &[]);
    let _ = vhost.branch(BRANCH);
    let url = vhost.url(&format!("{BRANCH}:{PASSWORD}"), vhost.port(), "");
    rest(backlog, &url, "in step, with an open session", report);
    hq.stop();
}

/// Watches a screen on which nobody presses a key.
fn rest(backlog: &Backlog, url: &str, how: &str, report: &mut Report) {
    let mut terminal = Terminal::start(&backlog.place, backlog.db, url, None);
    terminal.shows(&newest(backlog));
    // Until the session is open and the hello answered, or until it is known that nobody answers.
    std::thread::sleep(Duration::from_secs(5));
    terminal.is_still();
    let before = (Instant::now(), spent(terminal.pid()));
    let mut bytes = 0;
    while before.0.elapsed() < IDLE {
        bytes += terminal.is_still();
    }
    let (took, (cpu, switches)) = (before.0.elapsed().as_secs_f64(), spent(terminal.pid()));
    let (cpu, switches) = (cpu - before.1.0, switches.saturating_sub(before.1.1));
    terminal.quit();
    let source = format!(
        "{took:.0} s {how}, on {} sales, on a pseudo-terminal: {bytes} bytes drawn",
        backlog.rows
    );
    report.add(Figure {
        what: format!("CPU of an idle branch with a screen, {how}"),
        value: cpu / took * 100.0,
        unit: "% of a core",
        target: Target::AtMost(0.1),
        baseline: format!("{} ms", thousands(cpu * 1_000.0)),
        source: source.clone(),
    });
    report.add(Figure {
        what: format!("wake-ups of an idle branch with a screen, {how}"),
        value: switches as f64 / took,
        unit: "/s",
        target: Target::None,
        baseline: "the database's version each second; the worker's stamp, heartbeats or tries of the line".into(),
        source,
    });
}

/// CPU seconds and voluntary context switches of all threads that are there.
fn spent(pid: u32) -> (f64, u64) {
    let (mut nanos, mut switches) = (0_u64, 0_u64);
    for thread in fs::read_dir(format!("/proc/{pid}/task"))
        .expect("the program runs")
        .flatten()
    {
        let read = |name: &str| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let ran = read("schedstat");
        nanos += ran
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .unwrap_or(0);
        let status = read("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        switches += line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
    }
    (nanos as f64 / 1e9, switches)
}
