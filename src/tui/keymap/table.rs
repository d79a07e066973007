//! The rows of the table of keys, the actions and the contexts.

use crate::text::Key;

/// Where the keyboard's focus is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere.
    Global,
    /// The table of sales.
    Table,
    /// The log.
    Log,
    /// The form of a sale.
    Form,
    /// A question before a sale is voided.
    Confirm,
    /// A sale's story.
    Story,
    /// The line that is searched for.
    Find,
    /// The filter.
    Filter,
    /// The help.
    Help,
    /// The totals.
    Totals,
    /// The two contents of a conflict.
    Conflict,
}

impl Context {
    /// The name by which the configuration calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "everywhere",
            Self::Table => "table",
            Self::Log => "log",
            Self::Form => "form",
            Self::Confirm => "confirm",
            Self::Story => "story",
            Self::Find => "find",
            Self::Filter => "filter",
            Self::Help => "help",
            Self::Totals => "totals",
            Self::Conflict => "conflict",
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal $label:path,)*) => {
        /// Something that a person can ask for with a key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            /// The name by which the configuration calls it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }

            /// The words for it in the footer and in the help.
            #[must_use]
            pub const fn label(self) -> Key {
                match self {
                    $(Self::$action => $label,)*
                }
            }
        }
    };
}

actions! {
    /// Go up one row.
    Up = "up" Key::ActionUp,
    /// Go down one row.
    Down = "down" Key::ActionDown,
    /// Go up a page.
    PageUp = "page_up" Key::ActionPageUp,
    /// Go down a page.
    PageDown = "page_down" Key::ActionPageDown,
    /// Go to the top.
    Home = "home" Key::ActionHome,
    /// Go to the bottom.
    End = "end" Key::ActionEnd,
    /// Go to what is before: an earlier day, the choice to the left.
    Earlier = "earlier" Key::ActionEarlier,
    /// Go to what is behind: a later day, the choice to the right.
    Later = "later" Key::ActionLater,
    /// Enter a sale.
    NewSale = "new_sale" Key::ActionNewSale,
    /// Enter the last sale again.
    RepeatSale = "repeat_sale" Key::ActionRepeatSale,
    /// Edit the selected sale.
    Edit = "edit" Key::ActionEdit,
    /// Void the selected sale.
    Void = "void" Key::ActionVoid,
    /// Open the selected sale's story.
    Open = "open" Key::ActionOpen,
    /// Find a sale.
    Find = "find" Key::ActionFind,
    /// Choose which sales are shown.
    Filter = "filter" Key::ActionFilter,
    /// Show all again.
    ShowAll = "show_all" Key::ActionShowAll,
    /// Sort by the next column.
    Sort = "sort" Key::ActionSort,
    /// Turn the order round.
    Reverse = "reverse" Key::ActionReverse,
    /// Try a refused sale again.
    Retry = "retry" Key::ActionRetry,
    /// Try all refused sales again that are shown.
    RetryAll = "retry_all" Key::ActionRetryAll,
    /// Settle a conflict.
    Resolve = "resolve" Key::ActionResolve,
    /// Let the sync worker try right now.
    SyncNow = "sync_now" Key::ActionSyncNow,
    /// Go to the log, or back.
    Log = "log" Key::ActionLog,
    /// Show what the log says about one sale.
    LogOfSale = "log_of_sale" Key::ActionLogOfSale,
    /// Show totals.
    Totals = "totals" Key::ActionTotals,
    /// Show the help.
    Help = "help" Key::ActionHelp,
    /// Leave the program.
    Quit = "quit" Key::ActionQuit,
    /// Stop the program, as a shell's job.
    Suspend = "suspend" Key::ActionSuspend,
    /// Draw everything anew.
    Redraw = "redraw" Key::ActionRedraw,
    /// Go to the next field; from the last one save.
    Next = "next" Key::ActionNext,
    /// Go to the next field; never save.
    Forward = "forward" Key::ActionForward,
    /// Go to the field before.
    Previous = "previous" Key::ActionPrevious,
    /// Save at once.
    Save = "save" Key::ActionSave,
    /// Take the last change back.
    Undo = "undo" Key::ActionUndo,
    /// Empty the form.
    Discard = "discard" Key::ActionDiscard,
    /// Fill the form from the last sale.
    FillLast = "fill_last" Key::ActionFillLast,
    /// Leave; nothing is lost.
    Leave = "leave" Key::ActionLeave,
    /// Void the sale that was asked about.
    Agree = "agree" Key::ActionAgree,
    /// Show fewer or more levels.
    Levels = "levels" Key::ActionLevels,
    /// Follow what happens, or hold the log still.
    Follow = "follow" Key::ActionFollow,
    /// Go to the sale that a line is about.
    GoToSale = "go_to_sale" Key::ActionGoToSale,
    /// Apply what was chosen.
    Apply = "apply" Key::ActionApply,
    /// Show days or hours.
    Switch = "switch" Key::ActionSwitch,
    /// Take HQ's content.
    TakeHq = "take_hq" Key::ActionTakeHq,
    /// Keep this branch's content.
    KeepMine = "keep_mine" Key::ActionKeepMine,
}

impl Action {
    /// Whether it can't be taken back.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Quit | Self::Agree | Self::TakeHq | Self::KeepMine)
    }

    /// Whether it only goes up or down, as a key does that is held down.
    #[must_use]
    pub const fn moves(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::PageUp | Self::PageDown)
    }

    /// Whether it changes or sends sales, so that a read-only screen refuses it.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::NewSale
                | Self::RepeatSale
                | Self::Edit
                | Self::Void
                | Self::Retry
                | Self::RetryAll
                | Self::Resolve
                | Self::SyncNow
                | Self::TakeHq
                | Self::KeepMine
        )
    }
}

/// One row of the table.
pub(super) struct Row {
    pub(super) context: Context,
    pub(super) action: Action,
    pub(super) keys: &'static [&'static str],
    pub(super) footer: u8,
}

const fn row(context: Context, action: Action, keys: &'static [&'static str], footer: u8) -> Row {
    Row {
        context,
        action,
        keys,
        footer,
    }
}

use Action as A;
use Context as C;

/// The table.
pub(super) const ROWS: &[Row] = &[
    row(C::Table, A::NewSale, &["a", "Ins"], 1),
    row(C::Table, A::Edit, &["e", "F4"], 2),
    row(C::Table, A::Void, &["d", "Del"], 3),
    row(C::Table, A::Find, &["/", "Ctrl+F"], 4),
    row(C::Table, A::Filter, &["f"], 5),
    row(C::Table, A::Retry, &["r"], 6),
    row(C::Table, A::SyncNow, &["s", "F5"], 7),
    row(C::Table, A::Log, &["l", "Tab"], 8),
    row(C::Table, A::Open, &["Enter"], 0),
    row(C::Table, A::RepeatSale, &[".", "F3"], 0),
    row(C::Table, A::RetryAll, &["R"], 0),
    row(C::Table, A::Resolve, &["c"], 0),
    row(C::Table, A::ShowAll, &["x"], 0),
    row(C::Table, A::Sort, &["o"], 0),
    row(C::Table, A::Reverse, &["O"], 0),
    row(C::Table, A::Totals, &["t"], 9),
    row(C::Table, A::LogOfSale, &["L"], 0),
    row(C::Table, A::Up, &["Up", "k"], 0),
    row(C::Table, A::Down, &["Down", "j"], 0),
    row(C::Table, A::PageUp, &["PgUp", "Ctrl+B"], 0),
    row(C::Table, A::PageDown, &["PgDn", "Space"], 0),
    row(C::Table, A::Home, &["Home", "g"], 0),
    row(C::Table, A::End, &["End", "G"], 0),
    row(C::Table, A::Help, &["?"], 10),
    row(C::Table, A::Quit, &["q"], 11),
    row(C::Form, A::Next, &["Enter"], 1),
    row(C::Form, A::Save, &["Ctrl+S", "F2"], 2),
    row(C::Form, A::Undo, &["Ctrl+_", "Alt+u"], 3),
    row(C::Form, A::FillLast, &["Ctrl+R", "F3"], 4),
    row(C::Form, A::Discard, &["Ctrl+X"], 5),
    row(C::Form, A::Leave, &["Esc"], 6),
    row(C::Form, A::Forward, &["Tab"], 0),
    row(C::Form, A::Previous, &["Shift+Tab"], 0),
    row(C::Form, A::Up, &["Up"], 0),
    row(C::Form, A::Down, &["Down"], 0),
    row(C::Confirm, A::Agree, &["y"], 1),
    row(C::Confirm, A::Leave, &["Esc", "n"], 2),
    row(C::Confirm, A::Help, &["?"], 3),
    row(C::Story, A::Edit, &["e", "F4"], 1),
    row(C::Story, A::Void, &["d", "Del"], 2),
    row(C::Story, A::Retry, &["r"], 3),
    row(C::Story, A::Resolve, &["c"], 4),
    row(C::Story, A::LogOfSale, &["L"], 5),
    row(C::Story, A::Leave, &["Esc", "Enter", "q"], 6),
    row(C::Story, A::Help, &["?"], 7),
    row(C::Story, A::Up, &["Up", "k"], 0),
    row(C::Story, A::Down, &["Down", "j"], 0),
    row(C::Story, A::PageUp, &["PgUp"], 0),
    row(C::Story, A::PageDown, &["PgDn", "Space"], 0),
    row(C::Log, A::GoToSale, &["Enter"], 1),
    row(C::Log, A::Follow, &["p"], 2),
    row(C::Log, A::Levels, &["v"], 3),
    row(C::Log, A::ShowAll, &["x"], 4),
    row(C::Log, A::Leave, &["Esc", "l", "Tab", "q"], 5),
    row(C::Log, A::Up, &["Up", "k"], 0),
    row(C::Log, A::Down, &["Down", "j"], 0),
    row(C::Log, A::PageUp, &["PgUp"], 0),
    row(C::Log, A::PageDown, &["PgDn", "Space"], 0),
    row(C::Log, A::Home, &["Home", "g"], 0),
    row(C::Log, A::End, &["End", "G"], 0),
    row(C::Log, A::Help, &["?"], 6),
    row(C::Find, A::Apply, &["Enter"], 1),
    row(C::Find, A::Leave, &["Esc"], 2),
    row(C::Find, A::Up, &["Up"], 0),
    row(C::Find, A::Down, &["Down"], 0),
    row(C::Filter, A::Apply, &["Enter"], 1),
    row(C::Filter, A::Next, &["Tab", "Down"], 2),
    row(C::Filter, A::Previous, &["Shift+Tab", "Up"], 0),
    row(C::Filter, A::Earlier, &["Left"], 0),
    row(C::Filter, A::Later, &["Right", "Ctrl+T"], 0),
    row(C::Filter, A::Discard, &["Ctrl+X"], 3),
    row(C::Filter, A::Leave, &["Esc"], 4),
    row(C::Help, A::Apply, &["Enter"], 1),
    row(C::Help, A::Leave, &["Esc"], 2),
    row(C::Help, A::Up, &["Up"], 0),
    row(C::Help, A::Down, &["Down"], 0),
    row(C::Totals, A::Switch, &["Tab", "h"], 1),
    row(C::Totals, A::Earlier, &["Left"], 2),
    row(C::Totals, A::Later, &["Right"], 3),
    row(C::Totals, A::Leave, &["Esc", "Enter", "t", "q"], 4),
    row(C::Totals, A::Help, &["?"], 5),
    row(C::Conflict, A::TakeHq, &["1"], 1),
    row(C::Conflict, A::KeepMine, &["2"], 2),
    row(C::Conflict, A::Leave, &["Esc"], 3),
    row(C::Conflict, A::Help, &["?"], 4),
    row(C::Conflict, A::Up, &["Up"], 0),
    row(C::Conflict, A::Down, &["Down"], 0),
    row(C::Global, A::Help, &["F1", "Ctrl+G"], 0),
    row(C::Global, A::Redraw, &["Ctrl+L"], 0),
    row(C::Global, A::Suspend, &["Ctrl+Z"], 0),
    row(C::Global, A::Quit, &["Ctrl+Q", "Ctrl+C"], 0),
];
