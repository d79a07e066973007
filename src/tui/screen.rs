//! The screen as the composition root uses it: opened once, it first asks what only the first start asks, and then shows the branch.

use std::convert::Infallible;
use std::io;

use ratatui::Frame;
use ratatui::layout::Size;
use tokio::sync::mpsc;

use super::decode::{Decoder, ESC_WAIT_MS, REMOTE_ESC_WAIT_MS};
use super::desk::{Answer, Cmd, Desk};
use super::first_run::{FirstRun, Given};
use super::model::{Model, Moment, Settings, Suspension};
use super::signals::{self, Signal};
use super::terminal::{Chunk, NoScreen, RealStage, read_keys};
use super::theme::{Surroundings, Theme};
use super::{Ending, Event, Program, Wires, pace, run, update, view};
use crate::clock;
use crate::text::Text;

/// The terminal, taken; dropping it gives it back.
#[derive(Debug)]
pub struct Screen {
    stage: RealStage,
    keys: mpsc::Receiver<Chunk>,
    signals: mpsc::Receiver<Signal>,
    decoder: Decoder,
    remote: bool,
}

fn now() -> Moment {
    Moment {
        tick: clock::tick(),
        wall: clock::wall(),
    }
}

impl Screen {
    /// Takes the terminal. The mouse is off over SSH unless it is asked for. Runs within a tokio runtime.
    ///
    /// # Errors
    /// When there is no terminal, or one that can't show a screen.
    pub fn open(surroundings: &Surroundings, mouse: Option<bool>) -> Result<Self, NoScreen> {
        if surroundings.is_dumb() {
            return Err(NoScreen::Dumb(surroundings.term.clone()));
        }
        let remote = surroundings.remote;
        let signals = signals::listen()?;
        let stage = RealStage::open(mouse.unwrap_or(!remote))?;
        let keys = read_keys()?;
        let wait = if remote { REMOTE_ESC_WAIT_MS } else { ESC_WAIT_MS };
        Ok(Self {
            stage,
            keys,
            signals,
            decoder: Decoder::new(wait, surroundings.utf8),
            remote,
        })
    }

    /// Shows the branch until the person leaves.
    ///
    /// # Errors
    /// When the terminal fails.
    pub async fn show(&mut self, settings: Settings, desk: Desk) -> io::Result<Ending> {
        let mut model = Model::new(settings, now(), Size::ZERO);
        self.run(&mut model, desk.commands, desk.answers).await
    }

    /// Asks for the branch's code, and whether to write it into the configuration. `None` if the person leaves without an answer.
    ///
    /// # Errors
    /// When the terminal fails.
    pub async fn ask_branch(&mut self, text: Text, theme: Theme, file: &str) -> io::Result<Option<Given>> {
        let mut question = FirstRun::new(text, theme, file.to_owned());
        let (commands, _nobody) = mpsc::channel::<Infallible>(1);
        let (_silent, answers) = mpsc::channel::<Infallible>(1);
        self.run(&mut question, commands, answers).await?;
        Ok(question.given())
    }

    async fn run<P: Program>(
        &mut self,
        program: &mut P,
        commands: mpsc::Sender<P::Cmd>,
        answers: mpsc::Receiver<P::Answer>,
    ) -> io::Result<Ending> {
        let (_, nothing) = mpsc::channel(1);
        let (_, silence) = mpsc::channel(1);
        let mut wires = Wires {
            input: std::mem::replace(&mut self.keys, nothing),
            signals: std::mem::replace(&mut self.signals, silence),
            commands,
            answers,
        };
        let pace = if self.remote { pace::REMOTE } else { pace::NEAR };
        let ending = run(program, &mut self.stage, &mut wires, &mut self.decoder, pace, now).await;
        self.keys = wires.input;
        self.signals = wires.signals;
        ending
    }
}

impl Program for Model {
    type Cmd = Cmd;
    type Answer = Answer;

    fn update(&mut self, event: Event<Answer>) -> Vec<Cmd> {
        update::update(self, event)
    }

    fn view(&self, frame: &mut Frame<'_>) {
        view::view(self, frame);
    }

    fn wake_in(&self) -> u64 {
        update::wake_in(self)
    }

    fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale)
    }

    fn take_redraw(&mut self) -> bool {
        std::mem::take(&mut self.redraw)
    }

    fn has_ended(&self) -> bool {
        self.quitting
    }

    fn may_stop(&self) -> bool {
        self.suspension == Suspension::Ready
    }
}
