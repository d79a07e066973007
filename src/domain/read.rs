//! Read models: what the screens, `status` and `doctor` ask of a branch's database, and what they get.

use chrono::NaiveDate;

use super::ids::{BranchCode, LedgerId, Revision, SaleId, StoreId};
use super::money::MoneySum;
use super::sale::Sale;
use super::sync_state::{SyncKind, SyncState};
use super::time::UtcMillis;

/// A sale as a table shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleRow {
    /// The sale at its newest revision.
    pub sale: Sale,
    /// Where that revision stands.
    pub sync: SyncState,
}

/// Which sales a table shows; an empty filter shows all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only products with this text in their name, upper or lower case.
    pub product: Option<String>,
    /// Only this region, upper or lower case.
    pub region: Option<String>,
    /// Only sales of this day or later.
    pub from: Option<NaiveDate>,
    /// Only sales of this day or earlier.
    pub to: Option<NaiveDate>,
    /// Only sales in this state.
    pub state: Option<SyncKind>,
}

impl Filter {
    /// Whether the filter shows all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// In which order a table shows its sales; each order ends in the id, so that it is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortKey {
    /// By number: the order of entry.
    #[default]
    Id,
    /// By date.
    Date,
    /// By product name.
    Product,
    /// By amount and tax.
    Total,
    /// By sync state, what needs a person highest; within a state by number.
    State,
}

/// An order and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Whether the highest comes first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self {
            key: SortKey::Id,
            descending: true,
        }
    }
}

/// Where a page begins, from the top of the table downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// At the top of the table.
    Top,
    /// At the bottom: the last rows.
    Bottom,
    /// Just below this sale.
    After(SaleId),
    /// Just above this sale: the rows before it.
    Before(SaleId),
    /// With this sale as its first row.
    At(SaleId),
}

/// A request for some neighbouring rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Which sales.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// From where.
    pub anchor: Anchor,
    /// How many at most.
    pub limit: u32,
}

/// Some neighbouring rows of a table, from its top downwards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<SaleRow>,
    /// Whether the table has rows above these.
    pub more_above: bool,
    /// Whether the table has rows below these.
    pub more_below: bool,
}

/// Totals of what a filter shows. Voided sales are left out of all but `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many rows, voided ones included.
    pub rows: u64,
    /// How many sales.
    pub sales: u64,
    /// The sum of their quantities.
    pub qty: u128,
    /// The sum of quantity times cost.
    pub amount: MoneySum,
    /// The sum of the taxes.
    pub tax: MoneySum,
}

impl Totals {
    /// Amount and tax.
    #[must_use]
    pub fn total(&self) -> MoneySum {
        self.amount + self.tax
    }
}

/// How a branch stands, computed from its rows: the screen's header and `branchline status` show this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchStatus {
    /// The branch.
    pub branch: BranchCode,
    /// Its current ledger.
    pub ledger: LedgerId,
    /// Rows, voided ones included.
    pub rows: u64,
    /// Sales that are not voided.
    pub sales: u64,
    /// Rows whose newest revision HQ holds.
    pub acked: u64,
    /// Rows that wait.
    pub pending: u64,
    /// Rows that are on their way.
    pub sent: u64,
    /// Rows that HQ refused.
    pub rejected: u64,
    /// Rows for which HQ holds something else.
    pub conflicts: u64,
    /// Rows that may still be shown as acked, and that are being looked through because HQ has forgotten some, or others have written to the same ledger.
    pub recalled: u64,
    /// The money (amount and tax) of the rows that are not acked.
    pub ahead_amount: MoneySum,
    /// When the oldest row that is not acked was last written; never later, and earlier by less than a minute where another sale of that minute has left.
    pub oldest_ahead: Option<UtcMillis>,
    /// The highest id given out; zero before the first sale.
    pub highest_id: i64,
    /// HQ's database, once heard of.
    pub store: Option<StoreId>,
    /// When the last receipt came.
    pub last_receipt_at: Option<UtcMillis>,
    /// When HQ was last heard (a receipt or an answer).
    pub last_heard_at: Option<UtcMillis>,
    /// HQ's clock less ours at that moment, in milliseconds.
    pub skew_ms: i64,
    /// What the sync worker last said of itself, if one runs.
    pub worker: Option<WorkerStamp>,
}

impl BranchStatus {
    /// How many rows HQ has not acknowledged.
    #[must_use]
    pub const fn ahead(&self) -> u64 {
        self.pending + self.sent + self.rejected + self.conflicts
    }

    /// Whether HQ holds every row at its newest revision.
    #[must_use]
    pub const fn in_step(&self) -> bool {
        self.ahead() == 0 && self.acked == self.rows && self.recalled == 0
    }
}

/// What a running sync worker keeps up to date in the database, so that other programs can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerStamp {
    /// When it was written.
    pub at: UtcMillis,
    /// The process that wrote it.
    pub pid: u32,
    /// The state of its line.
    pub line: LineState,
    /// Whether HQ takes this branch without a login of its own.
    pub trial: bool,
}

/// The state of the line to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineState {
    /// No worker, or it has not tried yet.
    #[default]
    Off,
    /// Not connected; tries again by itself.
    Down,
    /// Connected to the broker.
    Up,
    /// Connected, but the broker takes nothing for now.
    Blocked,
    /// Connected, but who answers is not the HQ that this branch knows.
    Stranger,
    /// Closed to save data, because all is in step; opens for the next sale or hello.
    Resting,
    /// Closed outside the hours in which it may be used.
    OutOfHours,
}

/// A row's story: everything that happened to one sale, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The sale now.
    pub row: SaleRow,
    /// What happened.
    pub chapters: Vec<Chapter>,
    /// HQ's content where the sale is in conflict.
    pub at_hq: Option<Sale>,
}

/// One thing that happened to a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// When.
    pub at: UtcMillis,
    /// What.
    pub what: ChapterKind,
}

/// What happened to a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChapterKind {
    /// The sale was written: entered, edited or voided; the whole revision as it was.
    Written(Box<Sale>),
    /// A batch with this revision was made and sent.
    Sent {
        /// The revision.
        revision: Revision,
        /// 1 for the first try.
        attempt: u32,
    },
    /// HQ's receipt for this revision came; HQ's clock then is in `hq_clock`.
    Acked {
        /// The revision.
        revision: Revision,
        /// HQ's clock when it stored the batch.
        hq_clock: UtcMillis,
    },
    /// No answer came in time for this revision, or the line broke.
    GivenUp {
        /// The revision.
        revision: Revision,
    },
}

/// A product that was sold before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProduct {
    /// Its name.
    pub name: String,
    /// What one cost the last time.
    pub last_cost: super::money::Money,
}

/// A draft that a screen left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDraft {
    /// The screen that it belonged to.
    pub screen: String,
    /// Its number among the drafts of that screen.
    pub no: i64,
    /// What was typed.
    pub draft: super::draft::Draft,
    /// The sale and revision that was being edited; `None` for a new sale.
    pub editing: Option<(SaleId, Revision)>,
    /// When it was kept.
    pub at: UtcMillis,
}

/// A product that a scanner knows by its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductCode {
    /// What the scanner reads.
    pub code: String,
    /// The product's name.
    pub name: String,
    /// What one costs.
    pub cost: super::money::Money,
}
