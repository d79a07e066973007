//! What the screen asks of the rest of the program and what it is told: plain values over two channels.
//!
//! The screen never touches the database and never waits for it: whoever holds the other ends (the composition root) executes the commands one after the other, each
//! in its own transaction, and answers. Each answer carries what it answers, so that a stale one can be told apart.

use chrono::NaiveDate;
use tokio::sync::mpsc;

use crate::domain::draft::Draft;
use crate::domain::event::LogLine;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::line::DataUsed;
use crate::domain::read::{
    BranchStatus, Filter, KeptDraft, KnownProduct, Page, PageRequest, ProductCode, Story, Totals,
};
use crate::domain::sale::{Sale, SaleContent};

/// How many commands may wait for the executor; the screen asks each kind of thing once at a time, so this is ample.
pub const MAX_COMMANDS: usize = 256;
/// How many answers may wait for the screen.
pub const MAX_ANSWERS: usize = 256;
/// How many products a completion is given at most.
pub const MAX_PRODUCTS: u32 = 8;

/// Something for the executor to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cmd {
    /// Load how the branch stands; answered by [`Answer::Status`].
    LoadStatus,
    /// Load rows; answered by [`Answer::Page`].
    LoadPage {
        /// Names the question.
        ticket: u64,
        /// Which rows.
        request: PageRequest,
    },
    /// Load the totals of what a filter shows; answered by [`Answer::Totals`].
    LoadTotals(Filter),
    /// Load totals of what a filter shows by day; answered by [`Answer::Days`].
    LoadDays(Filter),
    /// Load totals of what a filter shows by hour of the day; answered by [`Answer::Hours`].
    LoadHours(Filter),
    /// Load one sale's story; answered by [`Answer::Story`].
    LoadStory(SaleId),
    /// Load at most [`MAX_PRODUCTS`] products that were sold before and match this text; answered by [`Answer::Products`].
    LoadProducts(String),
    /// Find the product with this code; answered by [`Answer::Code`].
    FindCode(String),
    /// Load the sale that was entered last; answered by [`Answer::LastSale`].
    LoadLastSale,
    /// Load log lines after this number, or the newest ones, at most `limit`; answered by [`Answer::Log`].
    LoadLog {
        /// The number of the last line that is known.
        after: Option<i64>,
        /// How many at most.
        limit: u32,
    },
    /// Enter a sale and drop the draft that it was typed as, in one transaction; answered by [`Answer::Saved`].
    SaveSale {
        /// The draft's number.
        no: i64,
        /// Its content.
        content: SaleContent,
    },
    /// Edit a sale and drop the draft that it was typed as, in one transaction; answered by [`Answer::Saved`].
    SaveEdit {
        /// The draft's number.
        no: i64,
        /// Which.
        id: SaleId,
        /// The revision that the edit was made from.
        from: Revision,
        /// The new content.
        content: SaleContent,
    },
    /// Void a sale; answered by [`Answer::Voided`].
    Void {
        /// Which.
        id: SaleId,
        /// The revision that was seen.
        from: Revision,
    },
    /// Put a refused sale back to pending; answered by [`Answer::Retried`].
    Retry(SaleId),
    /// Put all refused sales that a filter shows back to pending; answered by [`Answer::Retried`].
    RetryAll(Filter),
    /// Settle a conflict; answered by [`Answer::Resolved`].
    Resolve {
        /// Which sale.
        id: SaleId,
        /// How.
        choice: Choice,
    },
    /// Keep what is typed as a draft of this screen, in place of the one with the same number; answered by [`Answer::DraftKept`].
    KeepDraft {
        /// Its number.
        no: i64,
        /// What is typed.
        draft: Draft,
        /// The sale and revision that is being edited.
        editing: Option<(SaleId, Revision)>,
    },
    /// Keep what was being saved, if saving it has failed: the screen ends before it hears of that; answered by [`Answer::DraftKept`].
    KeepUnsaved {
        /// Its number.
        no: i64,
        /// What was typed.
        draft: Draft,
        /// The sale and revision that was being edited.
        editing: Option<(SaleId, Revision)>,
    },
    /// Drop a draft of this screen by its number; answered by [`Answer::DraftKept`].
    DropDraft(i64),
    /// Take over the drafts that a dead screen left; answered by [`Answer::Drafts`].
    AdoptDrafts,
    /// Let the sync worker try right now.
    SyncNow,
    /// The program is about to be stopped: end the worker's transaction, give up its rows and its lock; answered by [`Answer::Suspended`].
    Suspend,
    /// The program goes on after a stop.
    Resume,
}

impl Cmd {
    /// Whether it is carried out even when the screen has ended: it writes what a person has done. Any other is for the screen's own sake.
    #[must_use]
    pub const fn outlives_screen(&self) -> bool {
        match self {
            Self::SaveSale { .. }
            | Self::SaveEdit { .. }
            | Self::Void { .. }
            | Self::Retry(_)
            | Self::RetryAll(_)
            | Self::Resolve { .. }
            | Self::KeepDraft { .. }
            | Self::KeepUnsaved { .. }
            | Self::DropDraft(_) => true,
            Self::LoadStatus
            | Self::LoadPage { .. }
            | Self::LoadTotals(_)
            | Self::LoadDays(_)
            | Self::LoadHours(_)
            | Self::LoadStory(_)
            | Self::LoadProducts(_)
            | Self::FindCode(_)
            | Self::LoadLastSale
            | Self::LoadLog { .. }
            | Self::AdoptDrafts
            | Self::SyncNow
            | Self::Suspend
            | Self::Resume => false,
        }
    }
}

/// A way out of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// HQ's content becomes this branch's.
    TakeHq,
    /// This branch's content goes to HQ as a newer revision.
    KeepMine,
}

/// What the executor tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Somebody has written to the database: what is shown may be old.
    Changed,
    /// How the branch stands.
    Status(Box<BranchStatus>),
    /// Rows.
    Page {
        /// The question's name.
        ticket: u64,
        /// The rows.
        page: Page,
    },
    /// Totals of what a filter shows.
    Totals(Filter, Totals),
    /// Totals of what a filter shows by day; days without a sale may be missing.
    Days(Filter, Vec<(NaiveDate, Totals)>),
    /// Totals of what a filter shows by hour of the day; hours without a sale may be missing.
    Hours(Filter, Vec<(u32, Totals)>),
    /// A sale's story; `None` if there is no such sale.
    Story(SaleId, Option<Box<Story>>),
    /// Products that match a text, the best first.
    Products(String, Vec<KnownProduct>),
    /// The product with a code, if it is known.
    Code(String, Option<ProductCode>),
    /// The sale that was entered last, if there is one.
    LastSale(Option<Box<Sale>>),
    /// Log lines, oldest first.
    Log {
        /// What they come after.
        after: Option<i64>,
        /// The lines.
        lines: Vec<LogLine>,
    },
    /// A sale was entered or edited, or not.
    Saved(Result<Box<Sale>, ChangeProblem>),
    /// A sale was voided, or not.
    Voided(SaleId, Result<Box<Sale>, ChangeProblem>),
    /// So many refused sales are pending again, or the database would not have it.
    Retried(Result<u64, String>),
    /// A conflict was settled, or not.
    Resolved(SaleId, Result<Box<Sale>, ChangeProblem>),
    /// A draft is kept or dropped, or could not be.
    DraftKept(Result<(), String>),
    /// The drafts that were taken over, the newest last.
    Drafts(Vec<KeptDraft>),
    /// Where the sync worker runs now.
    Worker(WorkerPlace),
    /// What the line has carried; comes with each [`Answer::Status`].
    DataUsed(DataUsed),
    /// The worker has let go: the program may be stopped.
    Suspended,
    /// A question of the screen could not be answered; the sentence says why.
    Trouble(Question, String),
}

/// Which question could not be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// [`Cmd::LoadStatus`].
    Status,
    /// [`Cmd::LoadPage`].
    Page,
    /// [`Cmd::LoadLog`].
    Log,
    /// [`Cmd::FindCode`].
    Code,
    /// [`Cmd::LoadTotals`], [`Cmd::LoadDays`] or [`Cmd::LoadHours`].
    Totals,
    /// Anything else that was loaded.
    Other,
}

/// Why a sale was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeProblem {
    /// The sale has been changed meanwhile; this is how it is now.
    Moved(Box<Sale>),
    /// The sale is void.
    AlreadyVoid,
    /// There is no such sale.
    NoSuchSale,
    /// The database would not take it; the sentence says why.
    Database(String),
}

/// Where the sync worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerPlace {
    /// In this program.
    Here,
    /// In another program on this database.
    Elsewhere {
        /// Its process.
        pid: u32,
    },
    /// Nowhere: nothing is sent.
    Nowhere,
}

/// The screen's ends of the two channels.
#[derive(Debug)]
pub struct Desk {
    /// Takes commands.
    pub commands: mpsc::Sender<Cmd>,
    /// Gives answers.
    pub answers: mpsc::Receiver<Answer>,
}

/// The executor's ends of the two channels.
#[derive(Debug)]
pub struct Clerk {
    /// Gives commands; it ends when the screen has ended and its last command was given.
    pub commands: mpsc::Receiver<Cmd>,
    /// Takes answers; it is closed when the screen has ended, though there may be commands left.
    pub answers: mpsc::Sender<Answer>,
}

/// Makes a pair of channels.
#[must_use]
pub fn desk() -> (Desk, Clerk) {
    let (command_sender, command_receiver) = mpsc::channel(MAX_COMMANDS);
    let (answer_sender, answer_receiver) = mpsc::channel(MAX_ANSWERS);
    let desk = Desk {
        commands: command_sender,
        answers: answer_receiver,
    };
    let clerk = Clerk {
        commands: command_receiver,
        answers: answer_sender,
    };
    (desk, clerk)
}
