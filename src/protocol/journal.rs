//! What the uplink asks of a branch's database: the port that [`crate::store`] implements and that the model checker implements in memory.
//!
//! Each method is one transaction: when it has returned `Ok`, what it did survives a power cut.

use super::Now;
use super::dictionary::Fingerprint;
use super::lineage::Lineage;
use super::message::{Answer, Batch, Hello, Receipt};
use crate::domain::event::{LogEvent, Sales};
use crate::domain::ids::{BatchId, LedgerId, Nonce, StoreId};

/// The durable side of one branch, as its sync worker uses it.
#[expect(
    clippy::missing_errors_doc,
    reason = "every method fails for the one reason that `Error` names"
)]
pub trait Journal {
    /// Why a step failed. The worker gives up its session and tries again later; nothing is half done.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes over from whatever worker ran before: batches that `broker` is not known to have confirmed are dissolved, those that it has confirmed stay
    /// parked, and all their sales are pending.
    fn resume(&mut self, broker: &str, now: Now) -> Result<Resumed, Self::Error>;

    /// Writes a hello: about the current ledger, and by turns about older ones that HQ has acknowledged something of. What this program writes is for the worker to
    /// fill in.
    fn hello(&mut self, nonce: Nonce, now: Now) -> Result<Hello, Self::Error>;

    /// Makes a batch of at most `max_rows` pending sales, oldest business day first, all of one ledger, and commits it with its rows. It tells all names of its
    /// products. `None`: nothing is pending.
    fn form_batch(&mut self, id: BatchId, max_rows: u32, now: Now) -> Result<Option<Formed>, Self::Error>;

    /// Ends the lease of a batch that `broker` has confirmed: its sales are pending again, but the batch stays out, waiting for a sign of HQ.
    fn park(&mut self, batch: BatchId, broker: &str, now: Now) -> Result<(), Self::Error>;

    /// Ends the lease of a batch and gives its sales back, each that is still at the batch's revision: pending, with one more try behind them.
    /// A receipt that comes later all the same still counts.
    fn dissolve(&mut self, batch: BatchId, now: Now) -> Result<(), Self::Error>;

    /// Takes in the receipt of a batch, from the store that this branch knows as HQ.
    fn settle(&mut self, receipt: &Receipt, now: Now) -> Result<Settled, Self::Error>;

    /// Takes in a receipt, then makes the batch for which it gives room, as [`Journal::settle`] and [`Journal::form_batch`] do; a database does both in one transaction,
    /// because each one costs a wait for the disk.
    fn settle_and_form(
        &mut self,
        receipt: &Receipt,
        id: BatchId,
        max_rows: u32,
        now: Now,
    ) -> Result<(Settled, Option<Formed>), Self::Error> {
        Ok((self.settle(receipt, now)?, self.form_batch(id, max_rows, now)?))
    }

    /// Takes in the answer to a hello that this worker said, from the store that this branch knows as HQ.
    fn weigh(&mut self, answer: &Answer, now: Now) -> Result<Weighed, Self::Error>;

    /// Takes a part of the sales back that HQ acknowledged and that are to go again since an answer was weighed or a store adopted: all at once would keep the till
    /// waiting.
    fn recall(&mut self, now: Now) -> Result<Recalled, Self::Error>;

    /// Knows this store as HQ from now on. If another one was known before, everything that it acknowledged is pending again.
    fn adopt_store(&mut self, store: StoreId, now: Now) -> Result<(), Self::Error>;

    /// Puts sales that HQ refused for a reason that passes with time back to pending, once a day each.
    fn retry_refusals(&mut self, now: Now) -> Result<u64, Self::Error>;

    /// Writes a line of the log.
    fn log(&mut self, event: LogEvent, now: Now) -> Result<(), Self::Error>;
}

/// What a worker finds when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Resumed {
    /// The store that this branch knows as HQ.
    pub store: Option<StoreId>,
    /// The batches that the broker has confirmed and HQ has not answered, oldest first.
    pub parked: Vec<Outline>,
}

/// A batch's outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outline {
    /// The batch.
    pub id: BatchId,
    /// Which sales are in it.
    pub sales: Sales,
    /// 1 for their first try.
    pub attempt: u32,
}

/// A batch that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Formed {
    /// What to publish.
    pub batch: Batch,
    /// Its outline.
    pub outline: Outline,
}

/// What became of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// This database made the batch; the receipt has been taken in.
    Ours {
        /// Whether there may be sales to send that were not there before.
        more_waiting: bool,
        /// Whether HQ should be asked soon if it still has all that it acknowledged.
        in_doubt: bool,
    },
    /// This database made no such batch; nothing has changed.
    NotOurs,
}

/// What became of the sales that are to go again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recalled {
    /// How many are pending now that were not.
    pub sales: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weighed {
    /// What the answer tells of both databases; already acted upon.
    pub lineage: Lineage,
    /// The ledger that is current now.
    pub ledger: LedgerId,
    /// Whether HQ should be asked again soon if it still has all that it acknowledged.
    pub in_doubt: bool,
    /// The fingerprint of this branch's product names under the numbers that the answer says HQ holds.
    pub names: Fingerprint,
}
