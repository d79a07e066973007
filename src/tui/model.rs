//! What the screen knows: plain values, changed only by [`super::update`] and drawn by [`super::view`]. Nothing here reads a clock, a key or a database.

pub mod board;
pub mod drafts;
pub mod field;
pub mod form;
pub mod help;
pub mod layers;
pub mod layout;
pub mod log;
pub mod story;
pub mod table;

use std::collections::VecDeque;

use chrono::NaiveDateTime;
use ratatui::layout::Size;

use super::desk::{Answer, Cmd};
use super::key::Press;
use super::keymap::{Action, Context, Keymap};
use super::theme::Theme;
use crate::domain::ids::BranchCode;
use crate::domain::line::Hours;
use crate::domain::money::TaxRate;
use crate::domain::read::SaleRow;
use crate::domain::sync_state::SyncKind;
use crate::domain::time::{Tick, UtcMillis};
use crate::text::{Key, Text};
use board::{Asking, Board};
use drafts::Drafts;
use form::Form;
use layers::{Layer, TotalsPane};
use layout::Layout;
use log::LogPane;
use table::Table;

/// What is fixed for the life of a screen.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone)]
pub struct Settings {
    /// The branch.
    pub branch: BranchCode,
    /// The language.
    pub text: Text,
    /// The looks.
    pub theme: Theme,
    /// The keys.
    pub keymap: Keymap,
    /// Whether the terminal is at the other end of a slow line: fewer frames, whole minutes, no mouse.
    pub remote: bool,
    /// Whether the screen refuses to change sales.
    pub read_only: bool,
    /// The branch's region, for fields that are left empty.
    pub region: String,
    /// The rate that fills the tax.
    pub tax_rate: TaxRate,
    /// Whether products are known by codes, so that there is something to scan.
    pub knows_codes: bool,
    /// The key that a scanner sends before a code, if it is set up so.
    pub scanner_prefix: Option<Press>,
    /// Where the log file is, for the help.
    pub log_file: Option<String>,
    /// Whether the line to the broker is neither encrypted nor local.
    pub plain_line: bool,
    /// The hours in which the line may be used, if there are such.
    pub hours: Option<Hours>,
    /// Turns a moment into the wall-clock time of this place.
    pub local: fn(UtcMillis) -> NaiveDateTime,
}

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// The monotonic one, for waits.
    pub tick: Tick,
    /// The wall clock, for what is shown.
    pub wall: UtcMillis,
}

/// Everything that can happen to the screen.
pub type Msg = super::Event<Answer>;

/// What the person should know for a moment, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The sentence.
    pub text: String,
    /// Whether something went wrong.
    pub bad: bool,
}

/// How far the program is on its way to a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suspension {
    /// It runs.
    #[default]
    None,
    /// The worker is asked to let go.
    Asked,
    /// The worker has let go: the program may be stopped.
    Ready,
}

/// The screen.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub struct Model {
    /// What is fixed.
    pub settings: Settings,
    /// What time it is.
    pub now: Moment,
    /// The terminal's size.
    pub size: Size,
    /// How the branch stands.
    pub board: Board,
    /// The sales.
    pub table: Table,
    /// The log.
    pub log: LogPane,
    /// Whether the log has the focus where no layer is open.
    pub log_focused: bool,
    /// What is open over the table, the topmost last.
    pub layers: Vec<Layer>,
    /// What is typed and not yet saved.
    pub drafts: Drafts,
    /// When everything that is shown was last asked for.
    pub refreshed_at: Option<Tick>,
    /// When it is to be asked for again.
    pub refresh_due: Option<Tick>,
    /// Whether products are being asked for.
    pub completing: Asking,
    /// The scanner.
    pub scanner: Scanner,
    /// A passing message.
    pub notice: Option<Notice>,
    /// Whether the program is to be left now.
    pub quitting: bool,
    /// How far a stop is.
    pub suspension: Suspension,
    /// Whether everything is to be drawn anew.
    pub redraw: bool,
    /// Whether what is shown may have changed since it was drawn.
    pub stale: bool,
    pub(super) outbox: Vec<Cmd>,
}

/// What is known of a scanner: a keyboard that types faster than a hand.
#[derive(Debug, Default)]
pub struct Scanner {
    /// What has been typed that fast.
    pub burst: String,
    /// When the last of it was typed.
    pub last: Option<Tick>,
    /// Whether the burst began with the scanner's prefix.
    pub prefixed: bool,
    /// Whether the burst began where characters are text.
    pub in_text: bool,
    /// A key that is done as soon as it is known not to be the first one of a code.
    pub held: Option<Press>,
    /// Codes that are to be looked up; the first is being looked up.
    pub codes: VecDeque<String>,
}

impl Model {
    /// Makes the screen of a branch, before anything is known.
    #[must_use]
    pub fn new(settings: Settings, now: Moment, size: Size) -> Self {
        Self {
            settings,
            now,
            size,
            board: Board::default(),
            table: Table::default(),
            log: LogPane::default(),
            log_focused: false,
            layers: Vec::new(),
            drafts: Drafts::default(),
            refreshed_at: None,
            refresh_due: None,
            completing: Asking::Idle,
            scanner: Scanner::default(),
            notice: None,
            quitting: false,
            suspension: Suspension::None,
            redraw: false,
            stale: true,
            outbox: Vec::new(),
        }
    }

    /// Where the keyboard's focus is.
    #[must_use]
    pub fn context(&self) -> Context {
        match self.layers.last() {
            Some(layer) => layer.context(),
            None if self.log_focused => Context::Log,
            None => Context::Table,
        }
    }

    /// The form, if it is the topmost layer.
    #[must_use]
    pub fn form(&self) -> Option<&Form> {
        match self.layers.last() {
            Some(Layer::Form(form)) => Some(form),
            _ => None,
        }
    }

    /// The form, if it is the topmost layer, to be changed.
    pub fn form_mut(&mut self) -> Option<&mut Form> {
        match self.layers.last_mut() {
            Some(Layer::Form(form)) => Some(form),
            _ => None,
        }
    }

    /// The totals, wherever they are open, to be changed.
    pub fn totals_mut(&mut self) -> Option<&mut TotalsPane> {
        self.layers.iter_mut().find_map(|layer| match layer {
            Layer::Totals(pane) => Some(pane),
            _ => None,
        })
    }

    /// Whether an action is worth its place in the footer now; its key works all the same, and says why it can't be done.
    #[must_use]
    pub fn offers(&self, action: Action) -> bool {
        if self.settings.read_only && action.writes() {
            return false;
        }
        let row = self.row_at_hand();
        let state = row.map(|row| row.sync.kind());
        let is_void = row.is_some_and(|row| row.sale.is_void());
        match (self.context(), action) {
            (Context::Table, Action::Retry) => self.board.status.as_ref().is_some_and(|status| status.rejected > 0),
            (Context::Story, Action::Retry) => state == Some(SyncKind::Rejected),
            (Context::Story, Action::Resolve) => state == Some(SyncKind::Conflict),
            (Context::Table | Context::Story, Action::Edit | Action::Void) => state.is_some() && !is_void,
            _ => true,
        }
    }

    /// The sale that keys act on: in a story the one that it tells of, else the selected one.
    fn row_at_hand(&self) -> Option<&SaleRow> {
        match self.layers.last() {
            Some(Layer::Story(pane)) => pane.story.as_ref().map(|story| &story.row),
            _ => self.table.selected_row(),
        }
    }

    /// Where everything stands; `None` if the terminal is too small for more than one line.
    #[must_use]
    pub fn layout(&self) -> Option<Layout> {
        let form = self.layers.iter().any(|layer| matches!(layer, Layer::Form(_)));
        Layout::of(self.size, self.log_focused, form)
    }

    /// The wall-clock time of this place.
    #[must_use]
    pub fn local_now(&self) -> NaiveDateTime {
        (self.settings.local)(self.now.wall)
    }

    /// Whether shown times have seconds: only while something is in flight, and never over a slow line.
    #[must_use]
    pub fn shows_seconds(&self) -> bool {
        !self.settings.remote && self.board.status.as_ref().is_some_and(|status| status.sent > 0)
    }

    /// Takes what is to be done, in its order.
    pub fn take_commands(&mut self) -> Vec<Cmd> {
        std::mem::take(&mut self.outbox)
    }

    pub(super) fn send(&mut self, cmd: Cmd) {
        self.outbox.push(cmd);
    }

    /// Says a word or a sentence without slots.
    pub(super) fn mention(&mut self, key: Key) {
        self.notify(self.settings.text.word(key).to_owned());
    }

    /// Says that something went wrong, in a sentence without slots.
    pub(super) fn object(&mut self, key: Key) {
        self.complain(self.settings.text.word(key).to_owned());
    }

    pub(super) fn notify(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            bad: false,
        });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            bad: true,
        });
    }
}
