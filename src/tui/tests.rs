//! Tests of the screen as a person uses it: keys in, commands out, an executor in memory that answers them.

mod browse;
mod drafts;
mod entry;
mod fake;
mod french;
mod line;
mod log;
mod looks;
mod panes;
mod pointer;
mod properties;
mod scan;
mod whole;

use chrono::{DateTime, NaiveDateTime};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;

use super::desk::Cmd;
use super::key::{Input, Press};
use super::keymap::Keymap;
use super::model::layers::Layer;
use super::model::{Model, Moment, Msg, Settings};
use super::theme::{Palette, Theme, UNICODE};
use super::update::update;
use super::view::view;
use crate::domain::ids::BranchCode;
use crate::domain::money::TaxRate;
use crate::domain::time::{Tick, UtcMillis, parse_wall};
use crate::text::Text;
use fake::FakeDesk;

/// How far apart a person's keys are, in milliseconds.
const HAND_MS: u64 = 120;

fn local(at: UtcMillis) -> NaiveDateTime {
    DateTime::from_timestamp_millis(at.0).unwrap().naive_utc()
}

fn wall(text: &str) -> UtcMillis {
    UtcMillis(parse_wall(text).unwrap().and_utc().timestamp_millis())
}

fn settings() -> Settings {
    Settings {
        branch: BranchCode::parse("TUNIS-01").unwrap(),
        text: Text::english(),
        theme: Theme {
            palette: Palette::Dark,
            glyphs: &UNICODE,
        },
        keymap: Keymap::default(),
        remote: false,
        read_only: false,
        region: "East".into(),
        tax_rate: TaxRate::parse("20").unwrap(),
        knows_codes: true,
        scanner_prefix: None,
        log_file: Some("/var/log/branchline/TUNIS-01.log".into()),
        plain_line: false,
        hours: None,
        local,
    }
}

/// A screen, somebody who uses it, and an executor in memory.
struct Counter {
    model: Model,
    desk: FakeDesk,
    /// What was asked for, in its order.
    asked: Vec<Cmd>,
    /// Whether answers come at once; else they wait for [`Counter::answer`].
    prompt: bool,
    waiting: Vec<Cmd>,
}

impl Counter {
    fn open(desk: FakeDesk, size: (u16, u16)) -> Self {
        Self::with(settings(), desk, size)
    }

    fn with(settings: Settings, desk: FakeDesk, size: (u16, u16)) -> Self {
        let now = Moment {
            tick: Tick(1_000_000),
            wall: wall("2026-11-22 14:07:10"),
        };
        let mut counter = Self {
            model: Model::new(settings, now, Size::new(size.0, size.1)),
            desk,
            asked: Vec::new(),
            prompt: true,
            waiting: Vec::new(),
        };
        counter.tell(Msg::Started);
        counter
    }

    fn tell(&mut self, msg: Msg) {
        let cmds = update(&mut self.model, msg);
        self.asked.extend(cmds.iter().cloned());
        self.waiting.extend(cmds);
        if self.prompt {
            self.answer();
        }
    }

    /// Lets the executor do what waits for it.
    fn answer(&mut self) {
        while !self.waiting.is_empty() {
            for cmd in std::mem::take(&mut self.waiting) {
                for answer in self.desk.execute(cmd, self.model.now.wall) {
                    let cmds = update(&mut self.model, Msg::Answer(answer));
                    self.asked.extend(cmds.iter().cloned());
                    self.waiting.extend(cmds);
                }
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        let now = self.model.now;
        let (tick, wall) = (now.tick.plus(millis), now.wall.plus(millis));
        self.tell(Msg::Clock(Moment { tick, wall }));
    }

    fn press(&mut self, press: Press, after_ms: u64) {
        self.wait(after_ms);
        self.tell(Msg::Input(Input::Key(press)));
    }

    /// Presses keys by their names, with spaces between.
    fn keys(&mut self, names: &str) {
        for name in names.split(' ') {
            self.press(Press::parse(name).unwrap_or_else(|| panic!("{name} is a key")), HAND_MS);
        }
        self.wait(HAND_MS);
    }

    /// Types a text by hand.
    fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.press(Press::plain(super::key::Code::Char(c)), HAND_MS);
        }
    }

    /// Types a code as a scanner does, ending in Enter.
    fn scan(&mut self, code: &str) {
        self.wait(HAND_MS);
        for c in code.chars() {
            self.press(Press::plain(super::key::Code::Char(c)), 3);
        }
        self.press(Press::plain(super::key::Code::Enter), 3);
    }

    fn notice(&self) -> &str {
        self.model.notice.as_ref().map_or("", |notice| &notice.text)
    }

    fn selected(&self) -> Option<i64> {
        self.model.table.selected.map(crate::domain::ids::SaleId::get)
    }

    fn form(&self) -> &super::model::form::Form {
        match self.model.layers.last() {
            Some(Layer::Form(form)) => form,
            other => panic!("the form is open, not {other:?}"),
        }
    }

    fn draw(&self) -> Buffer {
        draw(&self.model)
    }

    fn text(&self) -> String {
        text_of(&self.draw())
    }
}

fn draw(model: &Model) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(model.size.width, model.size.height)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text_of(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(buffer.area.width.max(1).into());
    let line = |row: &[ratatui::buffer::Cell]| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    rows.map(|row| line(row).trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}
