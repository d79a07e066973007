//! Where a sale stands on its way to HQ, and why HQ may have refused it.

use super::ids::Revision;
use super::sale::ContentProblem;
use super::time::UtcMillis;

/// Where the newest revision of a sale stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SyncState {
    /// Not at HQ; it waits to be sent, or to be sent again.
    Pending {
        /// How many times it has been sent without an answer.
        tries: u32,
    },
    /// On its way in a batch that is not yet answered.
    Sent {
        /// When the batch was made.
        since: UtcMillis,
    },
    /// HQ holds this very revision.
    Acked,
    /// HQ refused it.
    Rejected(Refusal),
    /// HQ holds another content for the same revision, or a newer revision.
    Conflict {
        /// The revision that HQ holds.
        held: Revision,
    },
}

impl SyncState {
    /// The state without its details.
    #[must_use]
    pub const fn kind(&self) -> SyncKind {
        match self {
            Self::Pending { .. } => SyncKind::Pending,
            Self::Sent { .. } => SyncKind::Sent,
            Self::Acked => SyncKind::Acked,
            Self::Rejected(_) => SyncKind::Rejected,
            Self::Conflict { .. } => SyncKind::Conflict,
        }
    }
}

/// The five sync states, for filters, colours and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyncKind {
    /// Not at HQ, waiting.
    Pending,
    /// On its way.
    Sent,
    /// At HQ.
    Acked,
    /// Refused by HQ.
    Rejected,
    /// HQ holds something else.
    Conflict,
}

impl SyncKind {
    /// All kinds, in the order of a sale's journey.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sent, Self::Acked, Self::Rejected, Self::Conflict];

    /// The place of the state in an order in which what needs a person is the highest.
    #[must_use]
    pub const fn urgency(self) -> u8 {
        match self {
            Self::Acked => 0,
            Self::Sent => 1,
            Self::Pending => 2,
            Self::Rejected => 3,
            Self::Conflict => 4,
        }
    }

    /// The word for it in SQL, on the wire, in logs and in machine-readable output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
        }
    }
}

/// Why HQ refused one sale. The sentence for it is in [`crate::text`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The date is further ahead of HQ's clock than [`MAX_DAYS_AHEAD`].
    DateAhead {
        /// How many days ahead it is.
        days: u32,
    },
    /// The content breaks a rule.
    Content(ContentProblem),
    /// HQ could not read the sale, even alone.
    Unreadable,
    /// HQ's database would not take the sale.
    Storage,
}

/// How many days a sale's date may be ahead of HQ's clock.
pub const MAX_DAYS_AHEAD: u32 = 31;

impl Refusal {
    /// Whether waiting can mend it: tomorrow the date is one day less ahead.
    #[must_use]
    pub const fn passes_with_time(&self) -> bool {
        matches!(self, Self::DateAhead { .. })
    }
}
