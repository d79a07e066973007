//! The question of the first start: which branch is this? Asked once, and whether to write the answer down. Writing it is the composition root's.

use std::convert::Infallible;

use ratatui::Frame;

use super::key::{Code, Input, Press};
use super::model::field::Field;
use super::theme::Theme;
use super::{Event, Program, view};
use crate::domain::ids::BranchCode;
use crate::text::Text;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The branch.
    pub branch: BranchCode,
    /// Whether to write it into the configuration.
    pub write: bool,
}

/// Where the question is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Which branch?
    Branch {
        /// Whether what was typed is no code.
        wrong: bool,
    },
    /// Write it down?
    Write(BranchCode),
    /// Answered.
    Done(Given),
    /// Left without an answer.
    Left,
}

/// The question.
#[derive(Debug)]
pub struct FirstRun {
    /// The language.
    pub text: Text,
    /// The looks.
    pub theme: Theme,
    /// The file that would be written.
    pub file: String,
    /// What is typed.
    pub field: Field,
    /// How far it is.
    pub step: Step,
    stale: bool,
    redraw: bool,
    /// Whether the process is to be stopped for a while.
    stopping: bool,
}

impl FirstRun {
    /// Begins to ask; `file` is the configuration that would be written.
    #[must_use]
    pub fn new(text: Text, theme: Theme, file: String) -> Self {
        Self {
            text,
            theme,
            file,
            field: Field::default(),
            step: Step::Branch { wrong: false },
            stale: true,
            redraw: false,
            stopping: false,
        }
    }

    /// What was answered, if anything was.
    #[must_use]
    pub fn given(&self) -> Option<Given> {
        match &self.step {
            Step::Done(given) => Some(given.clone()),
            Step::Branch { .. } | Step::Write(_) | Step::Left => None,
        }
    }

    fn press(&mut self, press: Press) {
        if press == Press::ctrl('c') || press == Press::ctrl('q') {
            self.step = Step::Left;
            return;
        }
        if press == Press::ctrl('z') {
            self.stopping = true;
            return;
        }
        match (&self.step, press.code) {
            (Step::Branch { .. }, Code::Enter) => {
                self.step = match BranchCode::parse(self.field.text()) {
                    Ok(code) => Step::Write(code),
                    Err(_) => Step::Branch { wrong: true },
                };
            }
            (Step::Branch { .. }, Code::Esc) => self.step = Step::Left,
            (Step::Branch { .. }, _) => {
                self.field.press(press);
                self.step = Step::Branch { wrong: false };
            }
            (Step::Write(code), Code::Char(answer @ ('y' | 'Y' | 'n' | 'N'))) => {
                let (branch, write) = (code.clone(), answer.eq_ignore_ascii_case(&'y'));
                self.step = Step::Done(Given { branch, write });
            }
            (Step::Write(_), Code::Esc) => self.step = Step::Branch { wrong: false },
            (Step::Write(_) | Step::Done(_) | Step::Left, _) => {}
        }
    }
}

impl Program for FirstRun {
    type Cmd = Infallible;
    type Answer = Infallible;

    fn update(&mut self, event: Event<Infallible>) -> Vec<Infallible> {
        self.stale |= !matches!(event, Event::Clock(_));
        match event {
            Event::Input(Input::Key(press)) => self.press(press),
            Event::Input(Input::Paste(text)) => {
                if let Step::Branch { .. } = self.step {
                    self.field.paste(&text);
                }
            }
            Event::Leave => self.step = Step::Left,
            Event::Suspend => self.stopping = true,
            Event::Resumed => (self.stopping, self.redraw) = (false, true),
            // It is drawn at whatever size there is; the mouse has nothing to point at.
            Event::Resized(_)
            | Event::Input(Input::Click { .. } | Input::Wheel { .. })
            | Event::Started
            | Event::Clock(_) => {}
            Event::Answer(never) => match never {},
        }
        Vec::new()
    }

    fn view(&self, frame: &mut Frame<'_>) {
        view::first_run(self, frame);
    }

    fn wake_in(&self) -> u64 {
        u64::from(u32::MAX)
    }

    fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale)
    }

    fn take_redraw(&mut self) -> bool {
        std::mem::take(&mut self.redraw)
    }

    fn has_ended(&self) -> bool {
        matches!(self.step, Step::Done(_) | Step::Left)
    }

    fn may_stop(&self) -> bool {
        self.stopping
    }
}
