//! What happened at a branch, as typed events: the log pane shows them as sentences, the log file as records.

use super::ids::{LedgerId, Revision, SaleId, StoreId};
use super::sync_state::Refusal;
use super::time::UtcMillis;

/// One line of a branch's log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogLine {
    /// The line's number; later lines have higher ones.
    pub seq: i64,
    /// When it happened.
    pub at: UtcMillis,
    /// What happened.
    pub event: LogEvent,
}

/// How much a line matters to the person who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something waits; it mends itself.
    Warning,
    /// Somebody should act.
    Problem,
}

/// Which sales an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sales {
    /// How many.
    pub count: u32,
    /// The lowest id.
    pub first: SaleId,
    /// The highest id; between the two there may be others that are not meant.
    pub last: SaleId,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogEvent {
    /// A sale was entered.
    Saved(SaleId),
    /// A sale was edited to this revision.
    Edited(SaleId, Revision),
    /// A sale was voided with this revision.
    Voided(SaleId, Revision),
    /// A file was imported, or a part of it.
    Imported {
        /// The sales it became.
        sales: Sales,
    },
    /// The line to the broker is up.
    LinkUp,
    /// The line to the broker is down, or could not be opened.
    LinkDown {
        /// Why.
        trouble: LinkTrouble,
        /// When the next try is due, in seconds.
        retry_s: u32,
    },
    /// The line was closed to save data: all is in step.
    LineRests,
    /// The line was closed: its hours are over.
    HoursOver,
    /// The broker has stopped taking messages (a memory or disk alarm).
    BrokerBlocked,
    /// HQ stored sales of one batch.
    Stored {
        /// Which.
        sales: Sales,
        /// From sending to the receipt, in milliseconds.
        took_ms: u32,
    },
    /// No answer came in time; the sales wait again.
    TimedOut {
        /// Which.
        sales: Sales,
        /// How long was waited, in seconds.
        after_s: u32,
        /// The number of the try that follows.
        next_try: u32,
        /// When it is due, in seconds; `None`: as soon as HQ answers anything.
        retry_s: Option<u32>,
    },
    /// HQ refused a sale.
    Refused(SaleId, Refusal),
    /// HQ holds something else for this sale.
    Conflicted(SaleId),
    /// HQ could not read a batch; it is sent again in smaller ones.
    Unreadable {
        /// Which.
        sales: Sales,
    },
    /// HQ answered a hello.
    HqAnswered {
        /// HQ's clock less ours, in milliseconds.
        skew_ms: i64,
    },
    /// HQ has forgotten sales that it had acknowledged; they go again.
    HqRestored {
        /// How many.
        sales: u64,
    },
    /// A new ledger begins: this database is a copy or a backup of one that went on without it.
    LedgerBegun {
        /// The new ledger.
        ledger: LedgerId,
        /// How many sales moved into it.
        moved: u64,
    },
    /// An answer came from a store that this branch does not know as HQ.
    ForeignStore {
        /// The stranger.
        store: StoreId,
    },
    /// HQ's database was replaced on purpose; everything goes again.
    StoreReplaced {
        /// The new one.
        store: StoreId,
    },
    /// A receipt came for a batch that this database did not make: another program receives this branch's receipts.
    ForeignReceipt,
    /// HQ is too old to read what this branch writes.
    HqOlder,
    /// Sales were put back to pending by hand.
    Resent {
        /// How many.
        sales: u64,
    },
    /// The sync worker failed and was started again.
    WorkerRestarted,
    /// Another program on this database took over the sync worker, or this one did.
    WorkerElected,
}

impl LogEvent {
    /// How much the event matters.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Saved(_)
            | Self::Edited(..)
            | Self::Voided(..)
            | Self::Imported { .. }
            | Self::LinkUp
            | Self::LineRests
            | Self::HoursOver
            | Self::Stored { .. }
            | Self::HqAnswered { .. }
            | Self::StoreReplaced { .. }
            | Self::Resent { .. }
            | Self::WorkerElected => Level::Info,
            Self::LinkDown { .. }
            | Self::BrokerBlocked
            | Self::TimedOut { .. }
            | Self::Unreadable { .. }
            | Self::HqRestored { .. }
            | Self::LedgerBegun { .. }
            | Self::HqOlder
            | Self::WorkerRestarted => Level::Warning,
            Self::Refused(..) | Self::Conflicted(_) | Self::ForeignStore { .. } | Self::ForeignReceipt => {
                Level::Problem
            }
        }
    }

    /// The sale that the event is about, if it is about one.
    #[must_use]
    pub const fn sale(&self) -> Option<SaleId> {
        match self {
            Self::Saved(id)
            | Self::Edited(id, _)
            | Self::Voided(id, _)
            | Self::Refused(id, _)
            | Self::Conflicted(id) => Some(*id),
            Self::Stored { sales, .. }
            | Self::TimedOut { sales, .. }
            | Self::Imported { sales }
            | Self::Unreadable { sales }
                if sales.count == 1 =>
            {
                Some(sales.first)
            }
            _ => None,
        }
    }
}

/// Why the line is down, in words that a person at a counter can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkTrouble {
    /// Nobody answers at the address, or the name is unknown.
    Unreachable,
    /// Something answered that is not a RabbitMQ broker (a captive portal, say).
    NotABroker,
    /// The broker refused user or password.
    LoginRefused,
    /// The broker lets this user in, but not do what a branch must do.
    NotAllowed,
    /// The broker's certificate is not trusted.
    Certificate,
    /// A step took too long.
    TimedOut,
    /// The broker is there, but has no place for sales: head office has never been started on it.
    NoHeadOffice,
    /// An open line broke.
    Lost,
    /// We closed it.
    Closed,
}

impl LinkTrouble {
    /// All troubles, so that each can be given its word.
    pub const ALL: [Self; 9] = [
        Self::Unreachable,
        Self::NotABroker,
        Self::LoginRefused,
        Self::NotAllowed,
        Self::Certificate,
        Self::TimedOut,
        Self::NoHeadOffice,
        Self::Lost,
        Self::Closed,
    ];
}
