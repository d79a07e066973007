//! The real terminal: raw mode and the alternate screen, given back on every way out; a thread that reads keys and one that writes frames, so that neither a
//! silent keyboard nor a blocked line holds up the loop.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::Duration;

use ratatui::layout::{Rect, Size};
use ratatui::{Frame, Terminal};
use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use tokio::sync::mpsc;

use super::ansi::Ansi;
use super::stage::Stage;
use crate::clock;
use crate::domain::time::Tick;
use crate::text::{Key, Text};

const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[m\x1b[2J";
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// Gives everything back that was taken, whether or not it was: the end of a frame, mouse, paste, colours, cursor, screen.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[m\x1b[?25h\x1b[?1049l";
/// How many pieces of input may wait.
const MAX_CHUNKS: usize = 64;
const CHUNK_BYTES: usize = 4096;
/// How long the last frame is waited for when the terminal is given back.
const LAST_FRAME_MS: u64 = 100;
/// How long to wait where somebody has left the keyboard's file non-blocking.
const NO_INPUT_MS: u64 = 10;

/// Whether the terminal is taken, so that it is given back once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum NoScreen {
    /// Input or output is not a terminal.
    #[error(
        "the screen needs a terminal, and this is none; without one use `branchline --headless branch`, `add`, `import`, `export` or `status`"
    )]
    NotATerminal,
    /// The terminal can't place a cursor.
    #[error(
        "the terminal `{0}` can't show a screen (see TERM); without one use `branchline --headless branch`, `add`, `import`, `export` or `status`"
    )]
    Dumb(String),
    /// The terminal could not be set up.
    #[error("the terminal could not be set up")]
    Io(#[from] io::Error),
}

impl NoScreen {
    /// Says it in a language.
    #[must_use]
    pub fn in_words(&self, text: &Text) -> String {
        match self {
            Self::NotATerminal => text.word(Key::NoScreenTerminal).to_owned(),
            Self::Dumb(term) => text.say(Key::NoScreenDumb, &[("term", term.into())]),
            Self::Io(_) => text.word(Key::NoScreenFailed).to_owned(),
        }
    }
}

/// A piece of what was typed, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// When it came.
    pub at: Tick,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A terminal that is drawn on.
#[derive(Debug)]
pub struct RealStage {
    terminal: Terminal<Ansi>,
    writer: Writer,
    mouse: bool,
}

impl RealStage {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When there is none, or it can't be set up.
    pub fn open(mouse: bool) -> Result<Self, NoScreen> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(NoScreen::NotATerminal);
        }
        give_back_on_panic();
        let writer = Writer::start(stdout()?)?;
        take(mouse)?;
        let terminal = Terminal::new(Ansi::new(size())).inspect_err(|_| give_back());
        Ok(Self {
            terminal: terminal?,
            writer,
            mouse,
        })
    }
}

impl Drop for RealStage {
    fn drop(&mut self) {
        self.writer.finish(Duration::from_millis(LAST_FRAME_MS));
        give_back();
    }
}

impl Stage for RealStage {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<bool> {
        self.terminal.draw(|frame| paint(frame))?;
        match self.terminal.backend_mut().take_frame() {
            Some(frame) => self.writer.write(frame).map(|()| true),
            None => Ok(false),
        }
    }

    fn is_free(&self) -> bool {
        !self.writer.busy
    }

    async fn freed(&mut self) -> io::Result<()> {
        self.writer.freed().await
    }

    fn measure(&mut self) -> Size {
        let size = size();
        self.terminal.backend_mut().set_size(size);
        size
    }

    fn forget(&mut self) {
        let size = self.measure();
        self.terminal.backend_mut().forget();
        // Resizing clears the terminal and what ratatui believes to be on it; it fails only where writing does, and this writes into memory.
        let _ = self
            .terminal
            .resize(Rect::from((ratatui::layout::Position::ORIGIN, size)));
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.writer.finish(Duration::from_millis(LAST_FRAME_MS));
        give_back();
        // Whoever shares this job stops too, as if the terminal's driver had sent the signal; this process listens for that signal, so it stops itself.
        kill_current_process_group(Signal::TSTP)?;
        kill_process(getpid(), Signal::STOP)?;
        take(self.mouse)?;
        self.writer = Writer::start(stdout()?)?;
        self.forget();
        Ok(())
    }
}

/// The terminal's output, past the standard library's line buffer: a frame is one write.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn size() -> Size {
    let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
    Size { width, height }
}

fn take(mouse: bool) -> io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = stdout()?;
    out.write_all(ENTER)?;
    if mouse {
        out.write_all(MOUSE_ON)?;
    }
    Ok(())
}

/// Gives the terminal back, once. What fails here fails because the terminal is gone, and then nothing is owed to it.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        if let Ok(mut out) = stdout() {
            let _ = out.write_all(LEAVE);
        }
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Sees to it that a panic of the screen is read on a terminal that works. A panic elsewhere is somebody else's to show: it goes to the log, not over the screen.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    let screen = thread::current().id();
    ONCE.call_once(move || {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().id() == screen {
                give_back();
            }
            if TAKEN.load(Ordering::SeqCst) {
                tracing::error!(panic = %info, "a task panicked");
            } else {
                print(info);
            }
        }));
    });
}

/// Reads keys on a thread of its own. The channel ends when the terminal is gone.
///
/// # Errors
/// When no thread can be started.
pub(super) fn read_keys() -> io::Result<mpsc::Receiver<Chunk>> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (sender, receiver) = mpsc::channel(MAX_CHUNKS);
    thread::Builder::new().name("keys".into()).spawn(move || {
        let mut buffer = [0; CHUNK_BYTES];
        loop {
            let bytes = match input.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => buffer[..count].to_vec(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(NO_INPUT_MS));
                    continue;
                }
                Err(_) => return,
            };
            let at = clock::tick();
            if sender.blocking_send(Chunk { at, bytes }).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Writes frames on a thread of its own, one at a time.
#[derive(Debug)]
struct Writer {
    frames: Option<std_mpsc::SyncSender<Vec<u8>>>,
    written: mpsc::Receiver<io::Result<()>>,
    busy: bool,
}

impl Writer {
    fn start(mut out: File) -> io::Result<Self> {
        let (frames, frames_in) = std_mpsc::sync_channel::<Vec<u8>>(1);
        let (written_out, written) = mpsc::channel(1);
        thread::Builder::new().name("frames".into()).spawn(move || {
            for frame in frames_in {
                let result = out.write_all(&frame);
                let failed = result.is_err();
                if written_out.blocking_send(result).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self {
            frames: Some(frames),
            written,
            busy: false,
        })
    }

    fn write(&mut self, frame: Vec<u8>) -> io::Result<()> {
        let sent = self.frames.as_ref().map(|frames| frames.send(frame));
        if !matches!(sent, Some(Ok(()))) {
            return Err(gone());
        }
        self.busy = true;
        Ok(())
    }

    async fn freed(&mut self) -> io::Result<()> {
        let result = self.written.recv().await.unwrap_or_else(|| Err(gone()));
        self.busy = false;
        result
    }

    /// Ends the thread, after the frame that it is at; a terminal that takes nothing is not waited for.
    fn finish(&mut self, at_most: Duration) {
        self.frames = None;
        let started = clock::tick();
        let patience = u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX);
        while self.busy && clock::tick().since(started) < patience {
            match self.written.try_recv() {
                Err(mpsc::error::TryRecvError::Empty) => thread::sleep(Duration::from_millis(1)),
                Ok(_) | Err(mpsc::error::TryRecvError::Disconnected) => self.busy = false,
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the terminal is gone")
}
