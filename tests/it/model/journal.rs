//! A branch's journal in memory: the same contract as the SQLite one, in the plainest way that can be right.

use std::collections::BTreeMap;
use std::convert::Infallible;

use branchline::domain::event::{LogEvent, Sales};
use branchline::domain::ids::{BatchId, BranchCode, LedgerId, Nonce, Revision, Run, SaleId, StoreId};
use branchline::domain::money::MoneySum;
use branchline::domain::sale::{Sale, SaleContent};
use branchline::domain::time::UtcMillis;
use branchline::protocol::Now;
use branchline::protocol::journal::{Formed, Journal, Outline, Resumed, Settled, Weighed};
use branchline::protocol::lineage::{Lineage, Report, Standing};
use branchline::protocol::message::{Answer, Batch, Hello, Outcome, Receipt, Taken};
use branchline::protocol::verdict::differs;

/// Where a sale's newest revision is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Outbox { attempt: u32, counted: bool },
    Out { batch: usize },
    Rejected,
    Conflict { held: Box<Sale> },
    Acked { batch: usize },
}

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
    Answered { applied_after: u64, confirms: u64 },
    Forgotten,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Made {
    id: BatchId,
    ledger: LedgerId,
    rows: Vec<(SaleId, Revision)>,
    attempt: u32,
    floor: u64,
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
        let place = Place::Outbox {
            attempt: 0,
            counted: false,
        };
        self.rows.insert(
            id,
            Row {
                sale: sale.clone(),
                place,
                last_acked: 0,
            },
        );
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
        row.place = Place::Outbox {
            attempt: 0,
            counted: false,
        };
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

    /// Makes the acknowledged rows of the batches that `lost` names pending again.
    fn forget(&mut self, lost: impl Fn(&LedgerId, u64) -> bool) {
        for at in 0..self.batches.len() {
            let BatchState::Answered {
                applied_after,
                confirms,
            } = self.batches[at].state
            else {
                continue;
            };
            let ledger = self.batches[at].ledger;
            if !lost(&ledger, applied_after) {
                continue;
            }
            self.batches[at].state = BatchState::Forgotten;
            let standing = self.standing(ledger);
            standing.acked = standing.acked.saturating_sub(confirms);
            for row in self.rows.values_mut() {
                if row.place == (Place::Acked { batch: at }) {
                    row.place = Place::Outbox {
                        attempt: 0,
                        counted: false,
                    };
                }
            }
        }
    }

    fn begin_ledger(&mut self, luck: u128) {
        self.ledger = LedgerId::from_random(luck.rotate_left(64));
        self.standings.insert(self.ledger, Standing::default());
    }

    /// Acts on what a fresh answer tells, and writes down its count.
    fn act_on(&mut self, ledger: LedgerId, lineage: Lineage, after: u64, answers_hello: bool, luck: u128) {
        let standing = self.standing(ledger);
        standing.doubted = standing.doubted_after(lineage, answers_hello);
        match lineage {
            Lineage::Same => {
                let standing = self.standing(ledger);
                standing.seen = standing.seen.max(after);
            }
            Lineage::HqForgot { keep_through } => {
                self.forget(|of, applied_after| *of == ledger && applied_after > keep_through);
                if self.standing(ledger).acked > keep_through {
                    self.forget(|of, _| *of == ledger);
                }
                self.standing(ledger).seen = after;
            }
            Lineage::ThisIsACopy => {
                self.standing(ledger).seen = after;
                if ledger == self.ledger {
                    self.begin_ledger(luck);
                }
            }
        }
    }

    fn take(&mut self, batch: usize, taken: &Taken, luck: u128) -> u64 {
        let mut confirms = 0;
        for (id, revision) in self.batches[batch].rows.clone() {
            let late = self.batches[batch].state == BatchState::Dissolved;
            let branch = self.branch.clone();
            let row = self.rows.get_mut(&id).expect("a batch names sales that are there");
            let here = row.place == (Place::Out { batch }) || (late && matches!(row.place, Place::Outbox { .. }));
            let current = row.sale.revision == revision && here;
            let was_counted = matches!(row.place, Place::Outbox { counted: true, .. });
            if taken.stored.iter().any(|run| run.names(id, revision)) {
                if current {
                    row.place = Place::Acked { batch };
                }
                // A revision that was replaced meanwhile counts too: HQ has applied it. One that an earlier receipt named does not count again.
                if row.last_acked < revision.get() {
                    row.last_acked = revision.get();
                    confirms += 1;
                }
            } else if taken
                .refused
                .iter()
                .any(|(refused, at, _)| (*refused, *at) == (id, revision))
            {
                if current {
                    row.place = Place::Rejected;
                }
            } else if let Some(held) = taken.held.iter().find(|held| held.id == id) {
                if !here {
                    continue;
                }
                if !differs(&branch, &row.sale, held) {
                    if row.sale.revision == held.revision {
                        row.place = Place::Acked { batch };
                        confirms += u64::from(row.last_acked < held.revision.get());
                        row.last_acked = held.revision.get();
                    } else if current {
                        row.place = Place::Outbox {
                            attempt: 0,
                            counted: false,
                        };
                    }
                } else if row.last_acked == 0 && held.created_at != row.sale.created_at {
                    let ledger = row.sale.ledger;
                    if ledger == self.ledger {
                        self.begin_ledger(luck);
                    }
                    let row = self.rows.get_mut(&id).expect("it was there a moment ago");
                    row.sale.ledger = self.ledger;
                    row.place = Place::Outbox {
                        attempt: 0,
                        counted: false,
                    };
                } else {
                    row.place = Place::Conflict {
                        held: Box::new(held.clone()),
                    };
                }
            } else if current && !late {
                row.place = Place::Outbox {
                    attempt: 0,
                    counted: false,
                };
            }
            let row = &self.rows[&id];
            if was_counted && !matches!(row.place, Place::Outbox { counted: true, .. }) {
                let ledger = self.batches[batch].ledger;
                self.standing(ledger).unanswered -= 1;
            }
        }
        confirms
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
                BatchState::Dissolved | BatchState::Answered { .. } | BatchState::Forgotten => {}
            }
        }
        Ok(Resumed {
            store: self.store,
            parked,
        })
    }

    fn hello(&mut self, nonce: Nonce, now: Now) -> Result<(Hello, u64), Infallible> {
        // The current ledger, or an older one that HQ has acknowledged something of and whose count was heard less often.
        let heard = |ledger: &LedgerId| self.weighed.get(ledger).copied().unwrap_or(0);
        let asked = |(ledger, standing): (&LedgerId, &Standing)| {
            (*ledger == self.ledger || standing.acked > 0).then_some(*ledger)
        };
        let ledger = self
            .standings
            .iter()
            .filter_map(asked)
            .min_by_key(|ledger| (heard(ledger), *ledger != self.ledger));
        let ledger = ledger.unwrap_or(self.ledger);
        let hello = Hello {
            branch: self.branch.clone(),
            ledger,
            nonce,
            first_id: 1,
            highest_id: i64::try_from(self.rows.len()).unwrap(),
            sales: 0,
            amount: MoneySum::ZERO,
            clock: now.wall,
            writes: vec![1],
        };
        Ok((hello, self.standing(ledger).floor()))
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
            floor: self.standing(ledger).floor(),
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
        if matches!(
            self.batches[at].state,
            BatchState::Answered { .. } | BatchState::Forgotten
        ) {
            return Ok(Settled::Ours {
                lineage: Lineage::Same,
                more_waiting: false,
            });
        }
        let ledger = self.batches[at].ledger;
        let before = *self.standing(ledger);
        let confirms = match &receipt.outcome {
            Outcome::Taken(taken) => self.take(at, taken, now.luck),
            Outcome::Unreadable | Outcome::TooNew => unreachable!("HQ reads all that this model writes"),
        };
        let report = Report {
            before: receipt.applied_before,
            after: receipt.applied_after,
            floor: self.batches[at].floor,
        };
        let lineage = before.weigh(report, confirms);
        let counted = std::mem::take(&mut self.batches[at].counted);
        let standing = self.standing(ledger);
        standing.acked += confirms;
        standing.unanswered -= counted;
        self.act_on(ledger, lineage, receipt.applied_after, false, !now.luck);
        // Its own receipt is fresh: what it names is there.
        self.batches[at].state = BatchState::Answered {
            applied_after: receipt.applied_after,
            confirms,
        };
        let more_waiting = self.rows.values().any(|row| matches!(row.place, Place::Outbox { .. }));
        Ok(Settled::Ours { lineage, more_waiting })
    }

    fn weigh(&mut self, answer: &Answer, floor: u64, now: Now) -> Result<Weighed, Infallible> {
        let ledger = answer.ledger;
        let report = Report {
            before: answer.applied,
            after: answer.applied,
            floor,
        };
        let lineage = self.standing(ledger).weigh(report, 0);
        self.act_on(ledger, lineage, answer.applied, true, now.luck);
        *self.weighed.entry(ledger).or_default() += 1;
        Ok(Weighed {
            lineage,
            ledger: self.ledger,
        })
    }

    fn adopt_store(&mut self, store: StoreId, _now: Now) -> Result<(), Infallible> {
        if self.store.replace(store).is_some_and(|known| known != store) {
            self.forget(|_, _| true);
            for standing in self.standings.values_mut() {
                (standing.seen, standing.acked) = (0, 0);
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

/// Groups rows into the runs of a receipt.
pub(crate) fn runs(rows: &[(SaleId, Revision)]) -> Vec<Run> {
    Run::group(rows.iter().copied())
}
