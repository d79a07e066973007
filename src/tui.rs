//! The branch's terminal: the loop that turns keys, signals and answers into messages, and models into frames.
//!
//! Model, message, update, view: [`update::update`] is pure and returns commands, [`view::view`] draws and decides nothing. This loop owns the rest: it is generic over what
//! it draws on ([`stage::Stage`]) and where input comes from, so that tests drive the real one. It never touches the database: commands go out over one channel, answers
//! come back over another (see [`desk`]), so neither a slow disk nor a blocked terminal delays a key or a receipt.

pub mod ansi;
pub mod decode;
pub mod desk;
pub mod first_run;
pub mod key;
pub mod keymap;
pub mod model;
pub mod pace;
pub mod screen;
pub mod signals;
pub mod stage;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod wrap;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Size;
use tokio::sync::mpsc;

use decode::Decoder;
use model::Moment;
use pace::{Metronome, Pace};
use signals::Signal;
use stage::Stage;
use terminal::Chunk;

use crate::domain::time::Tick;
use key::Input;

/// For how long after a stop its own signal may still arrive, in milliseconds.
const OWN_STOP_MS: u64 = 500;
/// How long the last commands may take to be handed over when the screen ends, in milliseconds.
const HAND_OVER_MS: u64 = 150;

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person left.
    Left,
    /// A signal asked for it.
    Told,
    /// The terminal is gone.
    HungUp,
    /// Whoever executes the commands is gone.
    Abandoned,
}

/// What happens to a program on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<A> {
    /// It begins.
    Started,
    /// Something was typed, pasted or clicked.
    Input(Input),
    /// The terminal has this size.
    Resized(Size),
    /// It is this late.
    Clock(Moment),
    /// A command was answered.
    Answer(A),
    /// It must end.
    Leave,
    /// It is to be stopped for a while.
    Suspend,
    /// It goes on after a stop.
    Resumed,
}

/// Something that runs on a terminal: the branch's screen, or the question of the first start.
pub trait Program {
    /// What it wants done.
    type Cmd;
    /// What it is told of that.
    type Answer;

    /// Takes in what happened, and gives what is to be done.
    fn update(&mut self, event: Event<Self::Answer>) -> Vec<Self::Cmd>;
    /// Draws itself.
    fn view(&self, frame: &mut Frame<'_>);
    /// In how many milliseconds it wants to know what time it is.
    fn wake_in(&self) -> u64;
    /// Whether it may look different since this was asked before.
    fn take_stale(&mut self) -> bool;
    /// Whether it wants to be drawn whole since this was asked before.
    fn take_redraw(&mut self) -> bool;
    /// Whether it has ended.
    fn has_ended(&self) -> bool;
    /// Whether the process may be stopped now.
    fn may_stop(&self) -> bool;
}

/// Where the loop's events come from and where its commands go.
#[derive(Debug)]
pub struct Wires<C, A> {
    /// What is typed; it ends when the terminal is gone.
    pub input: mpsc::Receiver<Chunk>,
    /// Signals.
    pub signals: mpsc::Receiver<Signal>,
    /// Takes commands.
    pub commands: mpsc::Sender<C>,
    /// Gives answers.
    pub answers: mpsc::Receiver<A>,
}

/// What one turn of the loop has to deal with.
enum Woken<A> {
    Signal(Signal),
    Typed(Option<Chunk>),
    Answer(Option<A>),
    Written(io::Result<()>),
    Room,
    Time,
}

/// The loop's own state.
struct Loop<'a, P: Program, S> {
    program: &'a mut P,
    stage: &'a mut S,
    wires: &'a mut Wires<P::Cmd, P::Answer>,
    decoder: &'a mut Decoder,
    metronome: Metronome,
    /// When the process went on after the last stop.
    went_on_at: Option<Tick>,
    /// Commands that the channel had no room for yet.
    backlog: VecDeque<P::Cmd>,
    clock: fn() -> Moment,
}

/// Runs a program until it ends.
///
/// # Errors
/// When the terminal fails in another way than by hanging up.
pub async fn run<P: Program, S: Stage>(
    program: &mut P,
    stage: &mut S,
    wires: &mut Wires<P::Cmd, P::Answer>,
    decoder: &mut Decoder,
    pace: Pace,
    clock: fn() -> Moment,
) -> io::Result<Ending> {
    let mut this = Loop {
        program,
        stage,
        wires,
        decoder,
        metronome: Metronome::new(pace),
        went_on_at: None,
        backlog: VecDeque::new(),
        clock,
    };
    let ending = this.run().await;
    this.hand_over().await;
    ending
}

impl<P: Program, S: Stage> Loop<'_, P, S> {
    async fn run(&mut self) -> io::Result<Ending> {
        self.tell(Event::Clock((self.clock)()));
        let size = self.stage.measure();
        self.tell(Event::Resized(size));
        self.tell(Event::Started);
        loop {
            if self.program.has_ended() {
                return Ok(Ending::Left);
            }
            if self.program.may_stop() {
                self.stop()?;
            }
            self.draw()?;
            let woken = self.wait().await;
            if let Some(ending) = self.take(woken) {
                return Ok(ending);
            }
            self.drain();
        }
    }

    /// Waits for whatever happens first. Signals go before keys, keys before answers.
    async fn wait(&mut self) -> Woken<P::Answer> {
        let wait = self.wait_ms();
        let free = self.stage.is_free();
        let crowded = !self.backlog.is_empty();
        tokio::select! {
            biased;
            Some(signal) = self.wires.signals.recv() => Woken::Signal(signal),
            chunk = self.wires.input.recv() => Woken::Typed(chunk),
            answer = self.wires.answers.recv() => Woken::Answer(answer),
            written = self.stage.freed(), if !free => Woken::Written(written),
            room = self.wires.commands.reserve(), if crowded => {
                match (room, self.backlog.pop_front()) {
                    (Ok(room), Some(cmd)) => room.send(cmd),
                    _ => return Woken::Answer(None),
                }
                Woken::Room
            }
            () = tokio::time::sleep(Duration::from_millis(wait)) => Woken::Time,
        }
    }

    /// In how many milliseconds something is due.
    fn wait_ms(&self) -> u64 {
        let now = (self.clock)().tick;
        let frame = self.metronome.due_at().filter(|_| self.stage.is_free());
        let due = [self.decoder.wake_at(), frame];
        let due = due.into_iter().flatten().map(|at: Tick| at.since(now));
        due.chain([self.program.wake_in()]).min().unwrap_or(0)
    }

    fn take(&mut self, woken: Woken<P::Answer>) -> Option<Ending> {
        let now = (self.clock)();
        match woken {
            Woken::Signal(signal) => return self.take_signal(signal),
            Woken::Room | Woken::Written(Ok(())) | Woken::Time => {}
            Woken::Typed(Some(chunk)) => self.typed(now, &chunk),
            Woken::Typed(None) | Woken::Written(Err(_)) => return Some(self.leave(Ending::HungUp)),
            Woken::Answer(Some(answer)) => self.tell(Event::Answer(answer)),
            Woken::Answer(None) => return Some(Ending::Abandoned),
        }
        self.tell(Event::Clock(now));
        for input in self.decoder.wake(now.tick) {
            self.metronome.pressed(now.tick);
            self.tell(Event::Input(input));
        }
        None
    }

    fn take_signal(&mut self, signal: Signal) -> Option<Ending> {
        match signal {
            Signal::Leave => return Some(self.leave(Ending::Told)),
            Signal::HangUp => return Some(self.leave(Ending::HungUp)),
            Signal::Suspend if self.has_just_stopped() => {}
            Signal::Suspend => self.tell(Event::Suspend),
            Signal::Continued => {
                self.stage.forget();
                self.resized();
            }
            Signal::Resized => self.resized(),
        }
        None
    }

    /// Whether a signal to stop may still be the one that the last stop sent to the whole job, this process included.
    fn has_just_stopped(&self) -> bool {
        let now = (self.clock)().tick;
        self.went_on_at.is_some_and(|went_on| now.since(went_on) < OWN_STOP_MS)
    }

    fn resized(&mut self) {
        let size = self.stage.measure();
        self.metronome.pressed((self.clock)().tick);
        self.tell(Event::Resized(size));
    }

    fn leave(&mut self, ending: Ending) -> Ending {
        self.tell(Event::Clock((self.clock)()));
        self.tell(Event::Leave);
        ending
    }

    fn typed(&mut self, now: Moment, chunk: &Chunk) {
        // The program's clock is that of the key: a scanner is known by its pauses.
        self.tell(Event::Clock(Moment { tick: chunk.at, ..now }));
        self.metronome.pressed(now.tick);
        for input in self.decoder.feed(chunk.at, &chunk.bytes) {
            self.tell(Event::Input(input));
        }
    }

    /// Takes in what else is there already, so that it is drawn in one frame.
    fn drain(&mut self) {
        for _ in 0..desk::MAX_ANSWERS {
            let Ok(answer) = self.wires.answers.try_recv() else {
                return;
            };
            self.tell(Event::Answer(answer));
        }
    }

    fn tell(&mut self, event: Event<P::Answer>) {
        let cmds = self.program.update(event);
        for cmd in cmds {
            if !self.backlog.is_empty() {
                self.backlog.push_back(cmd);
                continue;
            }
            // Whether the channel is closed is noticed where answers end.
            if let Err(mpsc::error::TrySendError::Full(cmd)) = self.wires.commands.try_send(cmd) {
                self.backlog.push_back(cmd);
            }
        }
        if self.program.take_stale() {
            self.metronome.stale((self.clock)().tick);
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let now = (self.clock)().tick;
        if !self.stage.is_free() || self.metronome.due_at().is_none_or(|due| now < due) {
            return Ok(());
        }
        if self.program.take_redraw() {
            self.stage.forget();
        }
        let program = &*self.program;
        let new = self.stage.draw(&mut |frame| program.view(frame))?;
        self.metronome.drawn(now, new);
        Ok(())
    }

    fn stop(&mut self) -> io::Result<()> {
        self.stage.suspend()?;
        self.went_on_at = Some((self.clock)().tick);
        self.tell(Event::Clock((self.clock)()));
        self.tell(Event::Resumed);
        self.resized();
        Ok(())
    }

    /// Hands the last commands over: what was typed is to be kept, however the loop ends.
    async fn hand_over(&mut self) {
        let hand_over = async {
            while let Some(cmd) = self.backlog.pop_front() {
                if self.wires.commands.send(cmd).await.is_err() {
                    return;
                }
            }
        };
        // Beyond that the executor is stuck, and what it already has is all that it can do.
        let _ = tokio::time::timeout(Duration::from_millis(HAND_OVER_MS), hand_over).await;
    }
}

#[cfg(test)]
mod tests;
