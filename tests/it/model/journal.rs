//! A branch's journal in memory: the same contract as the SQLite one, in the plainest way that can be right.

use std::collections::BTreeMap;
use std::convert::Infallible;

use branchline::domain::event::{LogEvent, Sales};
use branchline::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, Revision, SaleId, StoreId};
use branchline::domain::money::MoneySum;
use branchline::domain::sale::{Sale, SaleContent};
use branchline::domain::time::UtcMillis;
use branchline::protocol::Now;
use branchline::protocol::journal::{Formed, Journal, Outline, Recalled, Resumed, Settled, Weighed};
use branchline::protocol::lineage::{Lineage, Mark, Standing, annex};
use branchline::protocol::message::{Answer, Batch, Hello, Outcome, Receipt, Taken};
use branchline::protocol::verdict::{differs, same_sale};

/// Where a sale's newest revision is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Outbox { attempt: u32, counted: bool },
    Out { batch: usize },
    Rejected,
    Conflict { held: Box<Sale> },
    Acked { batch: usize },
}

/// The place of a row that waits and was never tried.
const FRESH: Place = Place::Outbox {
    attempt: 0,
    counted: false,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub sale: Sale,
    pub place: Place,
    /// The highest revision that HQ has acknowledged; zero: none.
    pub last_acked: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum BatchState {
    Open,
    Parked,
    Dissolved,
    Answered,
    Forgotten,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Made {
    id: BatchId,
    ledger: LedgerId,
    rows: Vec<(SaleId, Revision)>,
    attempt: u32,
    counted: u64,
    state: BatchState,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MemJournal {
    pub branch: BranchCode,
    pub ledger: LedgerId,
    pub rows: BTreeMap<SaleId, Row>,
    standings: BTreeMap<LedgerId, Standing>,
    batches: Vec<Made>,
    store: Option<StoreId>,
    /// How often each ledger's count was heard in the answer to a hello.
    weighed: BTreeMap<LedgerId, u32>,
}

impl MemJournal {
    pub(crate) fn new(branch: BranchCode, ledger: LedgerId) -> Self {
        let standings = BTreeMap::from([(ledger, Standing::default())]);
        Self {
            branch,
            ledger,
            rows: BTreeMap::new(),
            standings,
            batches: Vec::new(),
            weighed: BTreeMap::new(),
            store: None,
        }
    }

    pub(crate) fn sell(&mut self, content: SaleContent, now: UtcMillis) -> Sale {
        let id = SaleId::new(i64::try_from(self.rows.len()).unwrap() + 1).unwrap();
        let sale = Sale {
            id,
            ledger: self.ledger,
            revision: Revision::FIRST,
            content,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        let row = Row {
            sale: sale.clone(),
            place: FRESH,
            last_acked: 0,
        };
        self.rows.insert(id, row);
        sale
    }

    pub(crate) fn edit(&mut self, id: SaleId, change: impl FnOnce(&mut Sale), now: UtcMillis) -> Sale {
        let row = self.rows.get_mut(&id).expect("only a sale that is there is edited");
        change(&mut row.sale);
        row.sale.revision = match &row.place {
            Place::Conflict { held } => row.sale.revision.max(held.revision).next(),
            _ => row.sale.revision.next(),
        };
        row.sale.updated_at = now;
        row.place = FRESH;
        row.sale.clone()
    }

    pub(crate) fn batches_made(&self) -> u32 {
        u32::try_from(self.batches.len()).expect("a model makes few batches")
    }

    fn standing(&mut self, ledger: LedgerId) -> &mut Standing {
        self.standings.entry(ledger).or_default()
    }

    /// Gives the rows of a batch that are still at its revision, and in it, back to the outbox.
    fn give_back(&mut self, batch: usize) {
        let attempt = self.batches[batch].attempt;
        let rows = self.batches[batch].rows.clone();
        for (id, revision) in rows {
            let row = self.rows.get_mut(&id).expect("a batch names sales that are there");
            if row.place == (Place::Out { batch }) && row.sale.revision == revision {
                row.place = Place::Outbox { attempt, counted: true };
                self.batches[batch].counted -= 1;
            }
        }
    }

    /// HQ has forgotten something of a ledger: nothing that it said of it before counts any more.
    fn forget(&mut self, ledger: LedgerId) {
        let answered = |made: &&mut Made| made.ledger == ledger && made.state == BatchState::Answered;
        for made in self.batches.iter_mut().filter(answered) {
            made.state = BatchState::Forgotten;
        }
        for row in self.rows.values_mut().filter(|row| row.sale.ledger == ledger) {
            row.last_acked = 0;
            match row.place {
                Place::Outbox { .. } | Place::Out { .. } => {}
                Place::Rejected | Place::Conflict { .. } | Place::Acked { .. } => row.place = FRESH,
            }
        }
    }

    /// Others have written to a ledger: what HQ acknowledged of it may have been replaced since.
    fn ask_again(&mut self, ledger: LedgerId) {
        for row in self.rows.values_mut().filter(|row| row.sale.ledger == ledger) {
            if matches!(row.place, Place::Acked { .. }) {
                row.last_acked = row.sale.revision.get();
                row.place = FRESH;
            }
        }
    }

    fn begin_ledger(&mut self, luck: u128) {
        self.ledger = LedgerId::from_random(luck.rotate_left(64));
        self.standings.insert(self.ledger, Standing::default());
    }

    /// Takes a receipt in row by row.
    fn take(&mut self, batch: usize, taken: &Taken, luck: u128) {
        for (id, revision) in self.batches[batch].rows.clone() {
            let was_counted = matches!(self.rows[&id].place, Place::Outbox { counted: true, .. });
            self.take_row(batch, (id, revision), taken, luck);
            if was_counted && !matches!(self.rows[&id].place, Place::Outbox { counted: true, .. }) {
                let ledger = self.batches[batch].ledger;
                self.standing(ledger).unanswered -= 1;
            }
        }
    }

    fn take_row(&mut self, batch: usize, (id, revision): (SaleId, Revision), taken: &Taken, luck: u128) {
        let branch = self.branch.clone();
        let row = self.rows.get_mut(&id).expect("a batch names sales that are there");
        if row.sale.ledger != self.batches[batch].ledger {
            return;
        }
        let here = row.place == (Place::Out { batch });
        let waits = matches!(row.place, Place::Outbox { .. });
        let newest = row.sale.revision == revision;
        if taken.stored.iter().any(|run| run.names(id, revision)) {
            if newest && (here || waits) {
                row.place = Place::Acked { batch };
            }
            row.last_acked = row.last_acked.max(revision.get());
            return;
        }
        let refused = taken.refused.iter().any(|(of, at, _)| (*of, *at) == (id, revision));
        if refused && newest && (here || waits) {
            row.place = Place::Rejected;
        }
        let Some(held) = taken.held.iter().find(|held| held.id == id) else {
            return;
        };
        if !same_sale(&row.sale, held) {
            if here || (waits && row.last_acked == 0) {
                self.move_to_annex(id, luck);
            }
            return;
        }
        if !(here || waits) {
            return;
        }
        if differs(&branch, &row.sale, held) {
            let held = Box::new(held.clone());
            row.place = Place::Conflict { held };
        } else if row.sale.revision == held.revision && (here || newest) {
            row.place = Place::Acked { batch };
            row.last_acked = held.revision.get();
        } else if here {
            row.place = FRESH;
        }
    }

    fn move_to_annex(&mut self, id: SaleId, luck: u128) {
        let ledger = self.rows[&id].sale.ledger;
        if ledger == self.ledger {
            self.begin_ledger(luck);
        }
        self.standing(annex(ledger));
        let row = self.rows.get_mut(&id).expect("it was there a moment ago");
        row.sale.ledger = annex(ledger);
        row.last_acked = 0;
        row.place = FRESH;
    }
}

impl Journal for MemJournal {
    type Error = Infallible;

    fn resume(&mut self, _broker: &str, now: Now) -> Result<Resumed, Infallible> {
        let mut parked = Vec::new();
        for at in 0..self.batches.len() {
            match self.batches[at].state {
                BatchState::Open => self.dissolve(self.batches[at].id, now)?,
                BatchState::Parked => parked.push(outline(&self.batches[at])),
                BatchState::Dissolved | BatchState::Answered | BatchState::Forgotten => {}
            }
        }
        Ok(Resumed {
            store: self.store,
            parked,
        })
    }

    fn hello(&mut self, nonce: Nonce, now: Now) -> Result<Hello, Infallible> {
        // The current ledger, or an older one that HQ has acknowledged something of and whose count was heard less often.
        let heard = |ledger: &LedgerId| self.weighed.get(ledger).copied().unwrap_or(0);
        let asked = |(ledger, standing): (&LedgerId, &Standing)| {
            (*ledger == self.ledger || !standing.marks.is_empty()).then_some(*ledger)
        };
        let ledger = self
            .standings
            .iter()
            .filter_map(asked)
            .min_by_key(|ledger| (heard(ledger), *ledger != self.ledger));
        let ledger = ledger.unwrap_or(self.ledger);
        Ok(Hello {
            branch: self.branch.clone(),
            ledger,
            nonce,
            first_id: 1,
            highest_id: i64::try_from(self.rows.len()).unwrap(),
            sales: 0,
            amount: MoneySum::ZERO,
            clock: now.wall,
            writes: vec![1],
            marks: self.standing(ledger).to_ask(),
        })
    }

    fn form_batch(&mut self, id: BatchId, max_rows: u32, _now: Now) -> Result<Option<Formed>, Infallible> {
        let at = self.batches.len();
        let waits = |row: &&mut Row| matches!(row.place, Place::Outbox { .. });
        let Some(ledger) = self.rows.values_mut().find(waits).map(|row| row.sale.ledger) else {
            return Ok(None);
        };
        let mut made = Made {
            id,
            ledger,
            rows: Vec::new(),
            attempt: 1,
            counted: 0,
            state: BatchState::Open,
        };
        let mut sales = Vec::new();
        let mut fresh = 0;
        for row in self
            .rows
            .values_mut()
            .filter(|row| row.sale.ledger == ledger)
            .filter(waits)
            .take(max_rows as usize)
        {
            let Place::Outbox { attempt, counted } = row.place else {
                continue;
            };
            made.attempt = made.attempt.max(attempt + 1);
            made.counted += 1;
            fresh += u64::from(!counted);
            made.rows.push((row.sale.id, row.sale.revision));
            sales.push(row.sale.clone());
            row.place = Place::Out { batch: at };
        }
        self.standing(ledger).unanswered += fresh;
        let outline = outline(&made);
        self.batches.push(made);
        Ok(Some(Formed {
            batch: Batch {
                branch: self.branch.clone(),
                ledger,
                id,
                sales,
                products: Vec::new(),
            },
            outline,
        }))
    }

    fn park(&mut self, batch: BatchId, _broker: &str, _now: Now) -> Result<(), Infallible> {
        if let Some(made) = self
            .batches
            .iter_mut()
            .find(|made| made.id == batch && made.state == BatchState::Open)
        {
            made.state = BatchState::Parked;
        }
        Ok(())
    }

    fn dissolve(&mut self, batch: BatchId, _now: Now) -> Result<(), Infallible> {
        let out = |made: &Made| matches!(made.state, BatchState::Open | BatchState::Parked);
        if let Some(at) = self.batches.iter().position(|made| made.id == batch && out(made)) {
            self.give_back(at);
            self.batches[at].state = BatchState::Dissolved;
        }
        Ok(())
    }

    fn settle(&mut self, receipt: &Receipt, now: Now) -> Result<Settled, Infallible> {
        let Some(at) = self.batches.iter().position(|made| made.id == receipt.batch) else {
            return Ok(Settled::NotOurs);
        };
        let ledger = self.batches[at].ledger;
        if matches!(self.batches[at].state, BatchState::Answered | BatchState::Forgotten) {
            return Ok(Settled::Ours {
                more_waiting: false,
                in_doubt: self.standing(ledger).in_doubt(),
            });
        }
        self.standing(ledger).rest_on(receipt);
        match &receipt.outcome {
            Outcome::Taken(taken) => self.take(at, taken, now.luck),
            Outcome::Unreadable | Outcome::TooNew | Outcome::UnknownProducts => {
                unreachable!("HQ reads all that this model writes")
            }
        }
        let counted = std::mem::take(&mut self.batches[at].counted);
        let standing = self.standing(ledger);
        standing.unanswered -= counted;
        let in_doubt = standing.in_doubt();
        self.batches[at].state = BatchState::Answered;
        let more_waiting = self.rows.values().any(|row| matches!(row.place, Place::Outbox { .. }));
        Ok(Settled::Ours { more_waiting, in_doubt })
    }

    fn weigh(&mut self, answer: &Answer, now: Now) -> Result<Weighed, Infallible> {
        let ledger = answer.ledger;
        let lineage = self.standing(ledger).weigh(answer);
        let in_doubt = self.standing(ledger).in_doubt();
        match lineage {
            Lineage::HqForgot => self.forget(ledger),
            Lineage::ThisIsACopy => {
                self.ask_again(ledger);
                if ledger == self.ledger {
                    self.begin_ledger(now.luck);
                }
            }
            Lineage::Same => {}
        }
        *self.weighed.entry(ledger).or_default() += 1;
        Ok(Weighed {
            lineage,
            ledger: self.ledger,
            in_doubt,
            names: answer.holding.fingerprint,
        })
    }

    /// Whatever goes again has been taken back at once.
    fn recall(&mut self, _now: Now) -> Result<Recalled, Infallible> {
        Ok(Recalled { sales: 0, more: false })
    }

    fn adopt_store(&mut self, store: StoreId, _now: Now) -> Result<(), Infallible> {
        if self.store.replace(store).is_some_and(|known| known != store) {
            for ledger in self.standings.keys().copied().collect::<Vec<_>>() {
                self.forget(ledger);
                self.standing(ledger).forget(Mark::default());
            }
        }
        Ok(())
    }

    fn retry_refusals(&mut self, _now: Now) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn log(&mut self, _event: LogEvent, _now: Now) -> Result<(), Infallible> {
        Ok(())
    }
}

fn outline(made: &Made) -> Outline {
    let ids = || made.rows.iter().map(|(id, _)| *id);
    let (first, last) = (
        ids().min().expect("a batch has rows"),
        ids().max().expect("a batch has rows"),
    );
    let count = u32::try_from(made.rows.len()).expect("a batch is small");
    Outline {
        id: made.id,
        sales: Sales { count, first, last },
        attempt: made.attempt,
    }
}
