//! What happens to the screen when something happens: `update(&mut Model, Msg) -> Vec<Cmd>`, without I/O and without a clock. How it looks is in [`super::view`].

mod answers;
mod browse;
mod entry;
mod keep;
mod log;
mod panes;
mod pointer;
mod scan;
mod scanned;

use ratatui::layout::Size;

use super::desk::Cmd;
use super::key::{Input, Press};
use super::keymap::{Action, Context};
use super::model::layers::{HelpPane, Layer};
use super::model::log::MAX_LINES;
use super::model::table::Want;
use super::model::{Model, Moment, Msg, Suspension};
use crate::domain::time::{Tick, UtcMillis};
use crate::text::Key;

const MINUTE_MS: i64 = 60_000;
const SECOND_MS: i64 = 1_000;

/// Takes in what happened, and gives what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Cmd> {
    if let Msg::Clock(moment) = msg {
        model.on_clock(moment);
        return model.take_commands();
    }
    model.stale = true;
    match msg {
        Msg::Started => model.start(),
        Msg::Input(input) => model.on_input(input),
        Msg::Resized(size) => model.on_resize(size),
        Msg::Clock(_) => {}
        Msg::Answer(answer) => model.on_answer(answer),
        Msg::Leave => model.leave(),
        Msg::Suspend => model.suspend(),
        Msg::Resumed => model.resume(),
    }
    model.take_commands()
}

/// In how many milliseconds the screen wants to know what time it is, if nothing happens before.
#[must_use]
pub fn wake_in(model: &Model) -> u64 {
    let every = if model.shows_seconds() { SECOND_MS } else { MINUTE_MS };
    let turn = every - model.now.wall.0.rem_euclid(every);
    let due = [model.drafts.due_at(), model.scan_due_at(), model.refresh_due];
    let waits = due.into_iter().flatten().map(|at| at.since(model.now.tick));
    waits.chain(u64::try_from(turn)).min().unwrap_or(0)
}

impl Model {
    fn start(&mut self) {
        if !self.settings.read_only {
            self.send(Cmd::AdoptDrafts);
        }
        self.ask_status();
        self.want(Want::Top);
        self.ask_log();
    }

    fn on_clock(&mut self, now: Moment) {
        let every = if self.shows_seconds() { SECOND_MS } else { MINUTE_MS };
        let turn = |wall: UtcMillis| wall.0.div_euclid(every);
        // A clock that was set changes what is shown as well as one that went on.
        self.stale |= turn(self.now.wall) != turn(now.wall);
        self.now = now;
        let is_due = |at: Option<Tick>| at.is_some_and(|at| at <= now.tick);
        if is_due(self.drafts.due_at()) {
            self.keep_draft();
        }
        if is_due(self.refresh_due) {
            self.refresh_all();
        }
        if is_due(self.scan_due_at()) {
            // A key that waited is done now, and is to be seen.
            self.stale = true;
            self.end_burst();
        }
    }

    fn on_resize(&mut self, size: Size) {
        self.size = size;
        let height = self.table_height();
        self.table.show_selected(height);
        if let Some(want) = self.table.lacks(height) {
            self.want(want);
        }
    }

    fn on_input(&mut self, input: Input) {
        if !matches!(input, Input::Key(_)) {
            self.end_burst();
        }
        match input {
            Input::Key(press) => {
                if !self.scan(press) {
                    self.on_key(press);
                }
            }
            Input::Paste(text) => self.on_paste(&text),
            Input::Click { x, y } => self.on_click(x, y),
            Input::Wheel { up } => self.on_wheel(up),
        }
    }

    fn on_key(&mut self, press: Press) {
        // What works everywhere works while a sale is being saved.
        let everywhere = self.settings.keymap.action(Context::Global, press);
        if everywhere.is_none() && self.type_ahead(Input::Key(press)) {
            return;
        }
        self.notice = None;
        match self.settings.keymap.action(self.context(), press) {
            Some(action) => self.act(action),
            None => self.type_key(press),
        }
    }

    /// Does what an action means where the focus is.
    fn act(&mut self, action: Action) {
        if self.settings.read_only && action.writes() {
            self.object(Key::NoticeReadOnly);
            return;
        }
        match action {
            Action::Quit => self.leave(),
            Action::Suspend => self.suspend(),
            Action::Redraw => self.redraw = true,
            Action::Help => self.open_help(),
            action => match self.context() {
                Context::Table | Context::Global => self.act_in_table(action),
                Context::Log => self.act_in_log(action),
                Context::Form => self.act_in_form(action),
                Context::Find => self.act_in_find(action),
                Context::Filter => self.act_in_filter(action),
                Context::Confirm => self.act_in_confirm(action),
                Context::Story => self.act_in_story(action),
                Context::Help => self.act_in_help(action),
                Context::Totals => self.act_in_totals(action),
                Context::Conflict => self.act_in_conflict(action),
            },
        }
    }

    /// Types a key into the field with the focus, if there is one.
    fn type_key(&mut self, press: Press) {
        match self.context() {
            Context::Form => self.type_in_form(press),
            Context::Find => self.type_in_find(|field| field.type_key(press)),
            Context::Filter => self.type_in_filter(|field| field.type_key(press)),
            Context::Help => self.type_in_help(|field| field.type_key(press)),
            Context::Table
            | Context::Log
            | Context::Confirm
            | Context::Story
            | Context::Totals
            | Context::Conflict
            | Context::Global => {}
        }
    }

    fn on_paste(&mut self, text: &str) {
        if self.type_ahead(Input::Paste(text.to_owned())) {
            return;
        }
        self.notice = None;
        match self.context() {
            Context::Form => self.paste_in_form(text),
            Context::Find => self.type_in_find(|field| field.paste(text)),
            Context::Filter => self.type_in_filter(|field| field.paste(text)),
            Context::Help => self.type_in_help(|field| field.paste(text)),
            _ => self.mention(Key::NoticePaste),
        }
    }

    /// Remembers what is typed while a sale is being saved; tells whether one is.
    fn type_ahead(&mut self, input: Input) -> bool {
        let Some(form) = self.form_mut().filter(|form| form.saving) else {
            return false;
        };
        if !form.type_ahead(input) {
            self.object(Key::NoticeTypedTooMuch);
        }
        true
    }

    fn open_help(&mut self) {
        if matches!(self.layers.last(), Some(Layer::Help(_))) {
            self.layers.pop();
            return;
        }
        let pane = HelpPane {
            context: self.context(),
            field: super::model::field::Field::default(),
            chosen: 0,
        };
        self.layers.push(Layer::Help(pane));
    }

    /// Leaves the program; what is typed is kept.
    fn leave(&mut self) {
        self.keep_all();
        self.quitting = true;
    }

    fn suspend(&mut self) {
        if self.suspension == Suspension::None {
            self.suspension = Suspension::Asked;
            self.keep_draft();
            self.send(Cmd::Suspend);
        }
    }

    fn resume(&mut self) {
        self.suspension = Suspension::None;
        self.redraw = true;
        self.send(Cmd::Resume);
        self.refresh_all();
    }

    /// How many rows of the table are in sight.
    pub(super) fn table_height(&self) -> usize {
        self.layout()
            .map_or(1, |layout| usize::from(layout.table.height.max(1)))
    }

    fn want(&mut self, want: Want) {
        let height = self.table_height();
        if let Some((ticket, request)) = self.table.want(want, height) {
            self.send(Cmd::LoadPage { ticket, request });
        }
    }

    fn ask_status(&mut self) {
        if self.board.asking.want() {
            self.send(Cmd::LoadStatus);
        }
    }

    fn ask_log(&mut self) {
        if self.log.asking.want() {
            self.send_log_question();
        }
    }

    fn send_log_question(&mut self) {
        let after = self.log.last().filter(|_| !self.log.missed || self.log.held.is_some());
        let limit = u32::try_from(MAX_LINES).unwrap_or(u32::MAX);
        self.send(Cmd::LoadLog { after, limit });
    }
}
