//! The model itself: lists of sales and batches, gone through row by row, beside the database that must agree with them.

use std::sync::Arc;

use super::super::fixture::{BROKER, Fixture, at, batch_id, id, lantern_on, revision, stamp};
use super::super::retries::Choice;
use super::Step;
use super::hq::Hq;
use super::names::Names;
use crate::domain::ids::{BatchId, Run, SaleId};
use crate::domain::money::{Money, MoneySum};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::protocol::Now;
use crate::protocol::journal::{Formed, Journal, Settled};
use crate::protocol::lineage::annex;
use crate::protocol::message::{Outcome, Receipt, Taken};
use crate::protocol::verdict;

/// How far apart two steps are.
const STEP_MS: u64 = 25_000;
/// What is sold, by turns.
const PRODUCTS: [&str; 5] = ["ZINC", "ACORN", "MUGS", "PENS", "LAMP"];

#[derive(Debug, Clone, PartialEq)]
enum Place {
    Outbox { cap: usize },
    Batch(usize),
    Rejected,
    Conflict(Box<Sale>),
    Acked,
}

#[derive(Debug, Clone)]
struct ModelSale {
    sale: Sale,
    place: Place,
    last_acked: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Life {
    Open,
    Parked,
    Dissolved,
    Answered,
}

#[derive(Debug, Clone)]
struct ModelBatch {
    formed: Formed,
    /// The least cap of its rows.
    cap: usize,
    life: Life,
}

impl ModelBatch {
    fn is_live(&self) -> bool {
        matches!(self.life, Life::Open | Life::Parked)
    }
}

pub(super) struct World {
    branch: Fixture,
    sales: Vec<ModelSale>,
    batches: Vec<ModelBatch>,
    hq: Hq,
    names: Names,
    receipts: Vec<(usize, Receipt)>,
    clock: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            branch: Fixture::new(),
            sales: Vec::new(),
            batches: Vec::new(),
            hq: Hq::default(),
            names: Names::default(),
            receipts: Vec::new(),
            clock: 1_000,
        }
    }

    fn now(&mut self) -> Now {
        self.clock += STEP_MS;
        at(self.clock)
    }

    fn content(&self, day: u8) -> SaleContent {
        SaleContent {
            product: self.product(0),
            cost: Money::from_units(i64::try_from(self.clock).unwrap()).unwrap(),
            ..lantern_on(&format!("2026-11-2{day} 10:00:00"))
        }
    }

    /// What is sold in this step, or a few behind it.
    fn product(&self, behind: usize) -> Arc<str> {
        let steps = usize::try_from(self.clock / STEP_MS).unwrap();
        PRODUCTS[(steps + behind) % PRODUCTS.len()].into()
    }

    pub(super) fn step(&mut self, step: &Step) {
        let now = self.now();
        match *step {
            Step::Sell { day } => self.sell(day, now),
            Step::Import { sales, day } => self.import(sales, day, now),
            Step::Edit { sale, day } => self.edit(sale, day, now),
            Step::Void { sale } => self.void(sale, now),
            Step::Form { max_rows } => self.form(max_rows, now),
            Step::Park { batch } => self.park(batch, now),
            Step::Dissolve { batch } => self.dissolve_one(batch, now),
            Step::Resume { same_broker } => self.resume(same_broker, now),
            Step::Answer { batch, luck } => self.answer(batch, luck),
            Step::Unreadable { batch } => self.unreadable(batch),
            Step::Deliver { receipt, again, room } => self.deliver(receipt, again, room, now),
            Step::Retry { sale } => self.retry(sale, now),
            Step::Resolve { sale, take_hq } => self.resolve(sale, take_hq, now),
            Step::Resend => self.resend(now),
        }
        self.compare();
    }

    fn sell(&mut self, day: u8, now: Now) {
        let sale = self.branch.db.save_sale(&self.content(day), None, now.wall).unwrap();
        assert_eq!(place_of(sale.id), self.sales.len(), "ids have no gaps");
        self.sales.push(ModelSale {
            sale,
            place: Place::Outbox { cap: usize::MAX },
            last_acked: 0,
        });
    }

    fn import(&mut self, sales: u8, day: u8, now: Now) {
        let contents: Vec<SaleContent> = (0..usize::from(sales))
            .map(|nth| SaleContent {
                product: self.product(nth * nth),
                ..self.content(day)
            })
            .collect();
        let line = contents.len() as u64;
        self.branch
            .db
            .import_chunk(&[7; 32], &contents, line, true, now.wall)
            .unwrap();
        for content in &contents {
            let id = id_at(self.sales.len());
            let sale = self.branch.db.sale(id).unwrap().expect("ids have no gaps").sale;
            assert_eq!((&sale.content, sale.updated_at), (content, now.wall));
            self.sales.push(ModelSale {
                sale,
                place: Place::Outbox { cap: usize::MAX },
                last_acked: 0,
            });
        }
    }

    fn pick_sale(&self, pick: usize) -> Option<usize> {
        (!self.sales.is_empty()).then(|| pick % self.sales.len())
    }

    fn supersede(&mut self, at: usize, new: Sale) {
        let row = &mut self.sales[at];
        if row.place == Place::Acked {
            row.last_acked = row.sale.revision.get();
        }
        row.sale = new;
        row.place = Place::Outbox { cap: usize::MAX };
    }

    fn edit(&mut self, pick: usize, day: u8, now: Now) {
        let Some(at) = self.pick_sale(pick) else { return };
        let old = self.sales[at].sale.clone();
        let content = self.content(day);
        let edited = self.branch.db.save_edit(old.id, old.revision, &content, None, now.wall);
        if old.is_void() {
            assert!(edited.is_err());
            return;
        }
        let edited = edited.unwrap();
        assert_eq!((&edited.content, edited.revision), (&content, old.revision.next()));
        self.supersede(at, edited);
    }

    fn void(&mut self, pick: usize, now: Now) {
        let Some(at) = self.pick_sale(pick) else { return };
        let old = self.sales[at].sale.clone();
        if let Ok(voided) = self.branch.db.void_sale(old.id, old.revision, now.wall) {
            self.supersede(at, voided);
        }
    }

    fn form(&mut self, max_rows: u32, now: Now) {
        let formed = self.branch.db.form_batch(self.next_batch(), max_rows, now).unwrap();
        self.formed(max_rows, formed);
    }

    fn next_batch(&self) -> BatchId {
        batch_id(self.batches.len() as u128 + 1)
    }

    /// What was made is what waits here.
    fn formed(&mut self, max_rows: u32, formed: Option<Formed>) {
        let mut waiting: Vec<(usize, usize)> = self
            .sales
            .iter()
            .enumerate()
            .filter_map(|(at, row)| match row.place {
                Place::Outbox { cap } => Some((at, cap)),
                _ => None,
            })
            .collect();
        waiting.sort_by_key(|(at, _)| (self.sales[*at].sale.content.date.date(), *at));
        waiting.truncate(max_rows as usize);
        let (mut room, mut least) = (usize::MAX, usize::MAX);
        let mut expected = Vec::new();
        for (at, cap) in waiting {
            let first = expected.first().copied().unwrap_or(at);
            if self.sales[first].sale.ledger != self.sales[at].sale.ledger {
                continue;
            }
            room = room.min(cap);
            if expected.len() >= room {
                break;
            }
            least = least.min(cap);
            expected.push(at);
        }
        let Some(formed) = formed else {
            assert!(expected.is_empty());
            return;
        };
        let sales: Vec<Sale> = expected.iter().map(|at| self.sales[*at].sale.clone()).collect();
        assert_eq!(formed.batch.sales, sales);
        self.names.check(&formed.batch);
        for at in expected {
            self.sales[at].place = Place::Batch(self.batches.len());
        }
        self.batches.push(ModelBatch {
            formed,
            cap: least,
            life: Life::Open,
        });
    }

    fn pick_batch(&self, pick: usize) -> Option<usize> {
        (!self.batches.is_empty()).then(|| pick % self.batches.len())
    }

    fn park(&mut self, pick: usize, now: Now) {
        let Some(at) = self.pick_batch(pick) else { return };
        let id = self.batches[at].formed.batch.id;
        self.branch.db.park(id, BROKER, now).unwrap();
        if self.batches[at].life == Life::Open {
            self.batches[at].life = Life::Parked;
        }
    }

    fn dissolve_one(&mut self, pick: usize, now: Now) {
        let Some(at) = self.pick_batch(pick) else { return };
        let id = self.batches[at].formed.batch.id;
        self.branch.db.dissolve(id, now).unwrap();
        self.dissolve(at);
    }

    fn dissolve(&mut self, batch: usize) {
        if self.batches[batch].is_live() {
            self.batches[batch].life = Life::Dissolved;
            let cap = self.batches[batch].cap;
            for row in &mut self.sales {
                if row.place == Place::Batch(batch) {
                    row.place = Place::Outbox { cap };
                }
            }
        }
    }

    fn resume(&mut self, same_broker: bool, now: Now) {
        let broker = if same_broker { BROKER } else { "broker-2" };
        let resumed = self.branch.db.resume(broker, now).unwrap();
        let mut parked = Vec::new();
        for at in 0..self.batches.len() {
            if same_broker && self.batches[at].life == Life::Parked {
                parked.push(self.batches[at].formed.outline);
            } else {
                self.dissolve(at);
            }
        }
        assert_eq!(resumed.parked, parked);
    }

    fn answer(&mut self, pick: usize, luck: [u8; 4]) {
        let Some(at) = self.pick_batch(pick) else { return };
        if self.receipts.iter().any(|(batch, _)| *batch == at) || self.batches[at].life == Life::Answered {
            return;
        }
        let batch = self.batches[at].formed.batch.clone();
        let before = self.hq.mark(batch.ledger);
        let mut taken = Taken::default();
        let mut stored = Vec::new();
        for (sale, luck) in batch.sales.iter().zip(luck.iter().cycle()) {
            self.hq.take(sale, *luck, &mut stored, &mut taken);
        }
        taken.stored = Run::group(stored);
        let newly_applied = self.hq.mark(batch.ledger).applied - before.applied;
        let mark = before.after(batch.id, newly_applied, &taken.stored);
        self.hq.marks.insert(batch.ledger, mark);
        let receipt = Receipt {
            hq: stamp(),
            batch: batch.id,
            mark,
            newly_applied,
            outcome: Outcome::Taken(taken),
        };
        self.receipts.push((at, receipt));
    }

    fn unreadable(&mut self, pick: usize) {
        let Some(at) = self.pick_batch(pick) else { return };
        if self.receipts.iter().any(|(batch, _)| *batch == at) || self.batches[at].life == Life::Answered {
            return;
        }
        let batch = &self.batches[at].formed.batch;
        let receipt = Receipt {
            hq: stamp(),
            batch: batch.id,
            mark: self.hq.mark(batch.ledger),
            newly_applied: 0,
            outcome: Outcome::Unreadable,
        };
        self.receipts.push((at, receipt));
    }

    /// A receipt comes; with `room`, a batch is made as soon as it is taken in.
    fn deliver(&mut self, pick: usize, again: bool, room: Option<u32>, now: Now) {
        if self.receipts.is_empty() {
            return;
        }
        let pick = pick % self.receipts.len();
        let (at, receipt) = if again {
            self.receipts[pick].clone()
        } else {
            self.receipts.remove(pick)
        };
        let (id, db) = (self.next_batch(), &mut self.branch.db);
        let (settled, formed) = match room {
            Some(max_rows) => db.settle_and_form(&receipt, id, max_rows, now).unwrap(),
            None => (db.settle(&receipt, now).unwrap(), None),
        };
        assert!(matches!(settled, Settled::Ours { .. }), "{settled:?}");
        self.settled(at, &receipt);
        if let Some(max_rows) = room {
            self.formed(max_rows, formed);
        }
    }

    fn settled(&mut self, at: usize, receipt: &Receipt) {
        if self.batches[at].life == Life::Answered {
            return;
        }
        let size = self.batches[at].formed.batch.sales.len();
        let mut moves = Vec::new();
        for carried in self.batches[at].formed.batch.sales.clone() {
            let row = place_of(carried.id);
            match &receipt.outcome {
                Outcome::Unreadable => self.unread(at, row, &carried, size),
                Outcome::Taken(taken) => {
                    if self.hear(at, row, &carried, taken) {
                        moves.push(row);
                    }
                }
                Outcome::TooNew | Outcome::UnknownProducts => {
                    unreachable!("this HQ is new enough, and no batch leans on it")
                }
            }
        }
        self.batches[at].life = Life::Answered;
        if !moves.is_empty() {
            for row in moves {
                let row = &mut self.sales[row];
                row.sale.ledger = annex(row.sale.ledger);
                row.last_acked = 0;
                row.place = Place::Outbox { cap: usize::MAX };
            }
        }
    }

    fn unread(&mut self, batch: usize, row: usize, carried: &Sale, size: usize) {
        let row = &mut self.sales[row];
        let newest = row.sale.ledger == carried.ledger && row.sale.revision == carried.revision;
        let waits = matches!(row.place, Place::Outbox { .. }) && newest;
        if row.place != Place::Batch(batch) && !waits {
            return;
        }
        row.place = if size == 1 {
            Place::Rejected
        } else {
            let half = size.div_ceil(2);
            match row.place {
                Place::Outbox { cap } => Place::Outbox { cap: cap.min(half) },
                _ => Place::Outbox { cap: half },
            }
        };
    }

    /// What a receipt says of one row; returns whether the row goes into the annex of its ledger.
    fn hear(&mut self, batch: usize, row: usize, carried: &Sale, taken: &Taken) -> bool {
        let code = self.branch.db.branch().clone();
        let row = &mut self.sales[row];
        if row.sale.ledger != carried.ledger {
            return false;
        }
        let newest = row.sale.revision == carried.revision;
        let here = row.place == Place::Batch(batch);
        let waits = matches!(row.place, Place::Outbox { .. });
        let rejected = row.place == Place::Rejected;
        let elsewhere = matches!(row.place, Place::Batch(_)) && !here;
        if taken.stored.iter().any(|run| run.names(carried.id, carried.revision)) {
            if newest && (here || waits || rejected) {
                row.place = Place::Acked;
                row.last_acked = carried.revision.get();
            } else if !newest && (waits || rejected || matches!(row.place, Place::Conflict(_))) {
                row.last_acked = row.last_acked.max(carried.revision.get());
            }
        } else if taken.refused.iter().any(|(id, ..)| *id == carried.id) {
            if newest && (here || waits) {
                row.place = Place::Rejected;
            }
        } else if let Some(held) = taken.held.iter().find(|held| held.id == carried.id) {
            if !verdict::same_sale(&row.sale, held) {
                return here || (waits && row.last_acked == 0);
            }
            if !verdict::differs(&code, &row.sale, held) {
                if newest && held.revision == row.sale.revision && (here || waits) {
                    row.place = Place::Acked;
                    row.last_acked = held.revision.get();
                }
            } else if elsewhere || matches!(row.place, Place::Conflict(_)) {
                // Another batch's receipt will tell, or has told.
            } else {
                if row.place == Place::Acked {
                    row.last_acked = row.sale.revision.get();
                }
                row.place = Place::Conflict(Box::new(held.clone()));
            }
        } else {
            unreachable!("this HQ names every row");
        }
        false
    }

    fn retry(&mut self, pick: usize, now: Now) {
        let Some(at) = self.pick_sale(pick) else { return };
        let retried = self.branch.db.retry(id_at(at), now.wall).unwrap();
        assert_eq!(retried, self.sales[at].place == Place::Rejected);
        if retried {
            self.sales[at].place = Place::Outbox { cap: usize::MAX };
        }
    }

    fn resolve(&mut self, pick: usize, take_hq: bool, now: Now) {
        let Some(at) = self.pick_sale(pick) else { return };
        let choice = if take_hq { Choice::TakeHq } else { Choice::KeepMine };
        let resolved = self.branch.db.resolve(id_at(at), choice, now.wall);
        let row = &self.sales[at];
        let Place::Conflict(held) = &row.place else {
            assert!(resolved.is_err(), "there is no conflict to end");
            return;
        };
        let resolved = resolved.unwrap();
        let expected = if take_hq {
            (**held).clone()
        } else {
            Sale {
                revision: revision(row.sale.revision.get().max(held.revision.get()) + 1),
                updated_at: now.wall,
                ..row.sale.clone()
            }
        };
        assert_eq!(resolved, expected);
        self.supersede(at, resolved);
    }

    fn resend(&mut self, now: Now) {
        let acked = self.sales.iter_mut().filter(|row| row.place == Place::Acked);
        let mut expected = 0;
        for row in acked {
            row.last_acked = row.sale.revision.get();
            row.place = Place::Outbox { cap: usize::MAX };
            expected += 1;
        }
        assert_eq!(self.branch.db.resend(None, None, now.wall).unwrap(), expected);
    }

    fn kind(&self, row: &ModelSale) -> SyncKind {
        match &row.place {
            Place::Batch(batch) if self.batches[*batch].life == Life::Open => SyncKind::Sent,
            Place::Outbox { .. } | Place::Batch(_) => SyncKind::Pending,
            Place::Rejected => SyncKind::Rejected,
            Place::Conflict(_) => SyncKind::Conflict,
            Place::Acked => SyncKind::Acked,
        }
    }

    fn compare(&mut self) {
        self.branch.check();
        let kinds: Vec<SyncKind> = self.sales.iter().map(|row| self.kind(row)).collect();
        for (row, kind) in self.sales.iter().zip(&kinds) {
            let found = self.branch.db.sale(row.sale.id).unwrap().unwrap();
            assert_eq!((&found.sale, found.sync.kind()), (&row.sale, *kind));
        }
        let count = |wanted| kinds.iter().filter(|kind| **kind == wanted).count() as u64;
        let status = self.branch.db.status().unwrap();
        assert_eq!(
            [
                status.pending,
                status.sent,
                status.acked,
                status.rejected,
                status.conflicts
            ],
            [
                SyncKind::Pending,
                SyncKind::Sent,
                SyncKind::Acked,
                SyncKind::Rejected,
                SyncKind::Conflict
            ]
            .map(count)
        );
        let ahead = || {
            self.sales
                .iter()
                .zip(&kinds)
                .filter(|(_, kind)| **kind != SyncKind::Acked)
        };
        let money: MoneySum = ahead().map(|(row, _)| row.sale.counted_total()).sum();
        let oldest: Option<UtcMillis> = ahead().map(|(row, _)| row.sale.updated_at).min();
        assert_eq!(status.ahead_amount, money);
        let told = status.oldest_ahead;
        assert_eq!(told.map(minute), oldest.map(minute), "{told:?} is told of {oldest:?}");
        assert!(told <= oldest, "{told:?} hides {oldest:?}");
    }
}

/// The minute that a moment is in.
fn minute(at: UtcMillis) -> i64 {
    at.0 / 60_000
}

/// Where the model keeps the sale with this id.
fn place_of(id: SaleId) -> usize {
    usize::try_from(id.get()).unwrap() - 1
}

/// The id of the sale at this place of the model.
fn id_at(place: usize) -> SaleId {
    id(i64::try_from(place).unwrap() + 1)
}
