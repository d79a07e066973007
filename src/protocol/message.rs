//! What a branch and HQ say to each other. How it looks as bytes is in [`crate::wire`].

use super::dictionary::{Holding, Product};
use super::lineage::Mark;
use crate::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, Revision, Run, SaleId, StoreId};
use crate::domain::money::MoneySum;
use crate::domain::sale::Sale;
use crate::domain::sync_state::Refusal;
use crate::domain::time::UtcMillis;

/// The most rows of a batch, and so of a receipt.
pub const MAX_BATCH_ROWS: u32 = 10_000;

/// A version of the message bodies.
pub type Version = u8;

/// Branch to HQ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uplink {
    /// "Here I am; how do we stand?"
    Hello(Hello),
    /// Some sales.
    Batch(Batch),
}

/// A session's first message, repeated when the line is idle or HQ is silent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hello {
    /// Who speaks.
    pub branch: BranchCode,
    /// The ledger that it asks about: the current one, or by turns an older one.
    pub ledger: LedgerId,
    /// Makes the answer known to be fresh.
    pub nonce: Nonce,
    /// The ledger's first id.
    pub first_id: i64,
    /// The highest id given out in it; below the first one before its first sale.
    pub highest_id: i64,
    /// All sales of the branch that are not voided; zero where it asks about an older ledger.
    pub sales: u64,
    /// Their amount.
    pub amount: MoneySum,
    /// The branch's clock.
    pub clock: UtcMillis,
    /// The versions that the branch can write.
    pub writes: Vec<Version>,
    /// "Do you remember these marks of the ledger?"
    pub marks: Vec<Mark>,
}

/// The sales of one message, at most [`MAX_BATCH_ROWS`]. All rows are of one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Who speaks.
    pub branch: BranchCode,
    /// The ledger of the rows.
    pub ledger: LedgerId,
    /// The batch's name; no other content ever goes under it.
    pub id: BatchId,
    /// The rows, each at the revision that it had when the batch was made.
    pub sales: Vec<Sale>,
    /// The numbers of their products, each once and in the order in which they first appear; those that have none are not here.
    pub products: Vec<Product>,
}

/// HQ to branch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Downlink {
    /// The answer to a hello.
    Answer(Answer),
    /// The answer to a batch.
    Receipt(Receipt),
}

impl Downlink {
    /// Who answers.
    #[must_use]
    pub const fn stamp(&self) -> &HqStamp {
        match self {
            Self::Answer(answer) => &answer.hq,
            Self::Receipt(receipt) => &receipt.hq,
        }
    }
}

/// Who answers, and when by its own clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HqStamp {
    /// HQ's database.
    pub store: StoreId,
    /// The databases that this one was started to replace.
    pub replaces: Vec<StoreId>,
    /// HQ's clock.
    pub clock: UtcMillis,
    /// Whether HQ took the message without a login of the branch's own.
    pub trial: bool,
    /// The versions that HQ reads.
    pub reads: Vec<Version>,
}

#[cfg(test)]
impl HqStamp {
    /// The stamp of an ordinary HQ.
    pub(super) const fn of(store: StoreId, reads: Vec<Version>) -> Self {
        Self {
            store,
            replaces: Vec::new(),
            clock: UtcMillis(0),
            trial: false,
            reads,
        }
    }
}

/// HQ's answer to a hello.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Who answers.
    pub hq: HqStamp,
    /// The ledger that the hello named.
    pub ledger: LedgerId,
    /// The hello's nonce.
    pub nonce: Nonce,
    /// How far HQ is with this ledger.
    pub mark: Mark,
    /// The marks that the hello asked about, as far as it could be read.
    pub asked: Vec<Mark>,
    /// Whether HQ remembers them all: then its own mark vouches for them.
    pub remembers: bool,
    /// Which names of the ledger's products HQ holds.
    pub holding: Holding,
}

/// HQ's answer to one batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Who answers.
    pub hq: HqStamp,
    /// The batch; who made it knows its ledger.
    pub batch: BatchId,
    /// How far HQ is with the batch's ledger, with this batch.
    pub mark: Mark,
    /// How many revisions of this batch HQ has applied just now; it had the others, or has not taken them.
    pub newly_applied: u64,
    /// What became of the rows.
    pub outcome: Outcome,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// HQ read it, and committed what follows before it said so.
    Taken(Taken),
    /// HQ could not read the body; nothing of it is stored.
    Unreadable,
    /// The body's version is newer than HQ; nothing of it is stored.
    TooNew,
    /// The body leans on product names that HQ does not hold, or holds otherwise; nothing of it is stored.
    UnknownProducts,
}

/// What became of the rows of a batch that HQ could read. Each row is in one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Taken {
    /// HQ holds these at this very revision.
    pub stored: Vec<Run>,
    /// HQ refused these.
    pub refused: Vec<(SaleId, Revision, Refusal)>,
    /// HQ holds something else for these: what it holds. The same revision as the batch's is a conflict, a higher one means that the batch's was stale.
    pub held: Vec<Sale>,
}
