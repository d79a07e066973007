//! A counter: the program in a pseudo-terminal, with a hand that types and an eye that reads. The eye waits until it sees what is meant to come; it never guesses how
//! long that takes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use branchline::clock;
use branchline::domain::ids::BranchCode;
use branchline::domain::money::Money;
use branchline::domain::sale::SaleContent;
use branchline::domain::time::Tick;
use branchline::store::branch::BranchDb;
use diesel::prelude::*;
use diesel::sql_types::Text;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use vt100::{MouseProtocolMode, Screen};

use crate::support::PATIENCE;

/// The pause between two keys of a hand, in milliseconds: what comes faster than 30 is a scanner.
const HAND_MS: u64 = 45;
/// Where nobody answers, so that the line is down and stays so.
const NOBODY: &str = "amqp://127.0.0.1:1";

pub(super) const ENTER: &str = "\r";
pub(super) const ESC: &str = "\x1b";
pub(super) const SAVE: &str = "\x13";
pub(super) const CLEAR_FIELD: &str = "\x15";

/// A folder with a branch's database and nothing of this machine's user.
pub(super) struct Shop {
    dir: TempDir,
}

impl Shop {
    /// A branch that has sold this often: sale 1 of `PRODUCT 1`, and so on.
    pub(super) fn with_sales(count: u32) -> Self {
        Self::of("TUNIS-01", count)
    }

    /// The same for the branch with this code.
    pub(super) fn of(branch: &str, count: u32) -> Self {
        let shop = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let branch = BranchCode::parse(branch).unwrap();
        drop(BranchDb::create(&shop.db(), &branch, clock::random(), clock::wall()).unwrap());
        for number in 1..=count {
            shop.sell(&format!("PRODUCT {number}"), number);
        }
        shop
    }

    /// Sells as often as that, in one go.
    pub(super) fn sell_many(&self, count: u32) {
        let mut till = self.branch();
        for qty in 1..=count {
            till.save_sale(&content("BACKLOG", qty), None, clock::wall()).unwrap();
        }
    }

    /// Sells something, as another program on the same database does.
    pub(super) fn sell(&self, product: &str, qty: u32) {
        self.branch()
            .save_sale(&content(product, qty), None, clock::wall())
            .unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn db(&self) -> PathBuf {
        self.path("shop.db")
    }

    /// The branch's database, as another program sees it.
    pub(super) fn branch(&self) -> BranchDb {
        BranchDb::open(&self.db(), None).unwrap()
    }

    /// How many rows are saved.
    pub(super) fn rows(&self) -> u64 {
        self.branch().status().unwrap().rows
    }

    /// The quantity of the draft that is kept, if one is.
    pub(super) fn drafted_qty(&self) -> Option<String> {
        let mut db = SqliteConnection::establish(self.db().to_str()?).ok()?;
        let draft: Option<Drafted> = diesel::sql_query("SELECT qty FROM drafts")
            .get_result(&mut db)
            .optional()
            .ok()?;
        draft.map(|draft| draft.qty)
    }

    /// The program with these arguments, on a line to this broker.
    pub(super) fn command(&self, broker: &str, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_branchline"));
        command.env_clear();
        command.env("HOME", self.dir.path());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("BRANCHLINE_AMQP", broker);
        command.arg("--db");
        command.arg(self.db());
        command.args(["--tax-rate", "20", "--region", "Tunis"]);
        command.args(arguments);
        command
    }

    /// The screen on a terminal of 80 x 24, without a line.
    pub(super) fn open(&self) -> Counter {
        self.open_with(NOBODY, &[])
    }

    /// The same with a line to this broker and with these arguments.
    pub(super) fn open_with(&self, broker: &str, arguments: &[&str]) -> Counter {
        let counter = Counter::start(self.command(broker, arguments));
        counter.see("q Quit");
        counter
    }
}

fn content(product: &str, qty: u32) -> SaleContent {
    SaleContent {
        date: clock::local(),
        product: product.into(),
        region: "Tunis".into(),
        qty,
        cost: Money::parse("2.50").unwrap(),
        tax: Money::parse("0.50").unwrap(),
    }
}

#[derive(QueryableByName)]
struct Drafted {
    #[diesel(sql_type = Text)]
    qty: String,
}

/// A program on a terminal.
pub(super) struct Counter {
    child: Box<dyn Child + Send + Sync>,
    hand: Option<Box<dyn Write + Send>>,
    master: Option<Box<dyn MasterPty + Send>>,
    // Held so that the terminal's settings can still be read when the program has ended.
    _slave: Box<dyn SlavePty + Send>,
    settings_before: String,
    eye: Arc<Eye>,
    last_key: Tick,
}

/// What the terminal shows.
struct Eye {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    screen: vt100::Parser,
    /// All that was drawn.
    drawn: Vec<u8>,
    /// Whether nobody looks any more.
    closed: bool,
}

impl Eye {
    fn look(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Reads what is drawn until the terminal is gone or nobody looks any more.
    fn watch(&self, mut output: Box<dyn Read + Send>) {
        let mut buffer = [0; 4096];
        while let Ok(count) = output.read(&mut buffer) {
            let mut seen = self.look();
            if count == 0 || seen.closed {
                return;
            }
            seen.screen.process(&buffer[..count]);
            seen.drawn.extend_from_slice(&buffer[..count]);
            self.changed.notify_all();
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Counter {
    /// Starts a program on a terminal of 80 x 24.
    pub(super) fn start(command: CommandBuilder) -> Self {
        let pair = native_pty_system().openpty(size(80, 24)).unwrap();
        let eye = Arc::new(Eye {
            seen: Mutex::new(Seen {
                screen: vt100::Parser::new(24, 80, 0),
                drawn: Vec::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let output = pair.master.try_clone_reader().unwrap();
        let watching = Arc::clone(&eye);
        std::thread::spawn(move || watching.watch(output));
        let settings_before = settings(pair.master.as_ref());
        Self {
            child: pair.slave.spawn_command(command).unwrap(),
            hand: Some(pair.master.take_writer().unwrap()),
            settings_before,
            master: Some(pair.master),
            _slave: pair.slave,
            eye,
            last_key: clock::tick(),
        }
    }

    /// Writes bytes as they come from a keyboard, however fast.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let hand = self.hand.as_mut().expect("the terminal is there");
        hand.write_all(bytes).unwrap();
        hand.flush().unwrap();
        self.last_key = clock::tick();
    }

    /// Writes bytes in two pieces with a pause between, as a slow line does. Tells whether the second came within `at_most_ms` of the first.
    pub(super) fn write_split(&mut self, bytes: &[u8], at: usize, at_most_ms: u64) -> bool {
        let begun = clock::tick();
        self.write(&bytes[..at]);
        rest(8);
        self.write(&bytes[at..]);
        clock::tick().since(begun) < at_most_ms
    }

    /// Presses a key at the pace of a hand.
    pub(super) fn key(&mut self, key: &str) {
        rest(HAND_MS.saturating_sub(clock::tick().since(self.last_key)));
        self.write(key.as_bytes());
    }

    /// Presses keys one after the other.
    pub(super) fn keys(&mut self, keys: &[&str]) {
        for key in keys {
            self.key(key);
        }
    }

    /// Types a text, letter by letter.
    pub(super) fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            self.key(&letter.to_string());
        }
    }

    /// Fills the field with the focus and goes on to the next one.
    pub(super) fn fill(&mut self, text: &str) {
        self.type_text(text);
        self.key(ENTER);
    }

    /// Waits until the screen is as it is meant to be.
    pub(super) fn until(&self, what: &str, holds: impl Fn(&Screen) -> bool) {
        let seen = self.eye.look();
        let waited = self
            .eye
            .changed
            .wait_timeout_while(seen, 2 * PATIENCE, |seen| !holds(seen.screen.screen()));
        let (seen, timeout) = waited.unwrap();
        let shown = seen.screen.screen().contents();
        drop(seen);
        assert!(!timeout.timed_out(), "{what}: not seen on\n{shown}");
    }

    /// Waits until a text is on the screen.
    pub(super) fn see(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// Waits until one line of the screen has all of these texts.
    pub(super) fn see_line(&self, texts: &[&str]) {
        self.until(&texts.join(" .. "), |screen| {
            let shown = screen.contents();
            shown.lines().any(|line| texts.iter().all(|text| line.contains(text)))
        });
    }

    /// Waits until a text is not on the screen any more.
    pub(super) fn see_gone(&self, text: &str) {
        self.until(&format!("no {text}"), |screen| !screen.contents().contains(text));
    }

    /// What is on the screen.
    pub(super) fn text(&self) -> String {
        self.eye.look().screen.screen().contents()
    }

    /// Waits until this sale is selected.
    pub(super) fn see_selected(&self, id: i64) {
        self.until(&format!("sale {id} selected"), |screen| {
            selected(&screen.contents()) == Some(id)
        });
    }

    /// How many bytes have been drawn.
    pub(super) fn drawn(&self) -> usize {
        self.eye.look().drawn.len()
    }

    /// The frames since so many bytes were drawn, by their sizes.
    pub(super) fn frames_since(&self, drawn: usize) -> Vec<usize> {
        let seen = self.eye.look();
        let begins: &[u8] = b"\x1b[?2026h";
        let since = &seen.drawn[drawn..];
        let mut starts: Vec<_> = (0..since.len()).filter(|at| since[*at..].starts_with(begins)).collect();
        starts.push(since.len());
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Gives the terminal another size.
    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.eye.look().screen.screen_mut().set_size(height, width);
        let master = self.master.as_ref().expect("the terminal is there");
        master.resize(size(width, height)).unwrap();
    }

    /// Takes the terminal away, as a line that breaks does.
    pub(super) fn hang_up(&mut self) {
        // Whoever reads must let go of the terminal too: it does when it next sees something.
        self.eye.look().closed = true;
        self.key("\x0c");
        self.hand = None;
        let eye = Arc::clone(&self.eye);
        wait_for("nobody reads the terminal any more", move || {
            Arc::strong_count(&eye) == 2
        });
        self.master = None;
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// How often its threads have been woken so far.
    pub(super) fn wake_ups(&self) -> WakeUps {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let woken = threads.flatten().filter_map(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((thread.file_name(), line.trim().parse().ok()?))
        });
        WakeUps(woken.collect())
    }

    fn pid(&self) -> Pid {
        let pid = self.child.process_id().expect("it was started");
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    /// Waits until the process is in this state, by the letter that the kernel has for it.
    pub(super) fn until_process_is(&self, state: char) {
        let stat = format!("/proc/{}/stat", self.pid());
        wait_for(&format!("the process in state {state}"), || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(state))
        });
    }

    /// Kills it, as a power cut would.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended; gives its exit code and how many milliseconds that took.
    pub(super) fn ended(&mut self) -> (u32, u64) {
        let begun = clock::tick();
        let mut code = None;
        wait_for("the end of the program", || {
            code = self.child.try_wait().unwrap().map(|status| status.exit_code());
            code.is_some()
        });
        (code.expect("it has ended"), clock::tick().since(begun))
    }

    /// Requires that the terminal is as it was before the program took it.
    pub(super) fn see_terminal_restored(&self) {
        self.until("a terminal given back", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
        let master = self.master.as_ref().expect("the terminal is there");
        assert_eq!(
            settings(master.as_ref()),
            self.settings_before,
            "the terminal's settings"
        );
    }
}

/// How often each thread of a program has been woken.
pub(super) struct WakeUps(HashMap<OsString, u64>);

impl WakeUps {
    /// How often those threads were woken since then that are still there.
    pub(super) fn since(&self, before: &Self) -> u64 {
        let woken = self.0.iter().map(|(thread, woken)| {
            let before = before.0.get(thread).copied().unwrap_or_default();
            // A thread that has ended leaves its number to another.
            woken.checked_sub(before).unwrap_or(*woken)
        });
        woken.sum()
    }
}

fn selected(shown: &str) -> Option<i64> {
    let line = shown.lines().find_map(|line| line.strip_prefix('▌'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        ..PtySize::default()
    }
}

/// Echo, line mode and the like, as the kernel has them.
fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

/// Lets a moment pass: the pause of a hand, or of a line, is a part of what is typed.
fn rest(millis: u64) {
    let begun = clock::tick();
    while clock::tick().since(begun) < millis {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Waits until a condition holds that nobody announces.
pub(super) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = clock::tick();
    while !holds() {
        assert!(
            u128::from(clock::tick().since(begun)) < PATIENCE.as_millis(),
            "{what}: not within {PATIENCE:?}"
        );
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
