//! The world of a model: programs, broker, HQ, and what each step does to them. What may happen next is [`super::Bounds`]'s to say.

use std::collections::{BTreeMap, BTreeSet};

use branchline::domain::event::LinkTrouble;
use branchline::domain::ids::{BranchCode, SaleId, StoreId};
use branchline::domain::money::Money;
use branchline::domain::sale::{Sale, SaleContent};
use branchline::domain::time::{Tick, UtcMillis, parse_wall};
use branchline::protocol::Now;
use branchline::protocol::backoff::Backoff;
use branchline::protocol::message::{Downlink, Uplink as Message};
use branchline::protocol::uplink::{Event, Limits};
use branchline::sync::worker::{Order, Worker};

use super::journal::Place;
use super::parties::{Hq, Node};
use super::{Bounds, Left, Step};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) tick: u64,
    pub(super) nodes: Vec<Node>,
    /// What the broker holds for HQ, oldest first.
    pub(super) queue: Vec<Message>,
    /// What the broker holds for each branch.
    pub(super) inboxes: BTreeMap<BranchCode, Vec<Downlink>>,
    pub(super) hq: Hq,
    pub(super) hq_backup: Option<Hq>,
    /// Every revision that was ever written, by the sale that it is of (each is entered at a moment of its own).
    pub(super) written: BTreeSet<Written>,
    /// A promise that was broken while something happened.
    pub(super) broken: Option<&'static str>,
    pub(super) left: Left,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Written {
    pub(super) created_at: UtcMillis,
    pub(super) revision: u32,
    pub(super) cost: Money,
}

pub(super) fn limits() -> Limits {
    Limits {
        confirm_ms: 10,
        answer_ms: 10,
        connect_ms: 10,
        hello_idle_ms: 1_000,
        hello_cap_ms: 2_000,
        linger_ms: None,
        hello_rest_ms: 2_000,
        refusals_ms: 1_000_000_000,
        window: 2,
        batch_rows: 2,
        reconnect: Backoff { first_ms: 2, cap_ms: 4 },
        retry: Backoff { first_ms: 2, cap_ms: 4 },
        writes: vec![1],
    }
}

pub(super) fn content(cost: i64) -> SaleContent {
    SaleContent {
        date: parse_wall("2010-12-01").unwrap(),
        product: "PENS".into(),
        region: "East".into(),
        qty: 1,
        cost: Money::from_units(cost).unwrap(),
        tax: Money::ZERO,
    }
}

impl State {
    pub(super) fn start(bounds: &Bounds) -> Self {
        let nodes: Vec<Node> = bounds
            .branches
            .iter()
            .zip(1..)
            .map(|(code, number)| Node::new(code, number))
            .collect();
        let inboxes = nodes
            .iter()
            .map(|node| (node.peek().branch.clone(), Vec::new()))
            .collect();
        let hq = Hq {
            store: StoreId::from_random(1),
            replaces: Vec::new(),
            rows: BTreeMap::new(),
            marks: BTreeMap::new(),
        };
        let mut state = Self {
            tick: 0,
            nodes,
            queue: Vec::new(),
            inboxes,
            hq,
            hq_backup: None,
            written: BTreeSet::new(),
            broken: None,
            left: bounds.left,
        };
        for at in 0..state.nodes.len() {
            state.restart(at);
        }
        state
    }

    /// The luck of a node's next step: new whenever an id has been made of the last one.
    pub(super) fn now(&self, at: usize) -> Now {
        let node = &self.nodes[at];
        let ids = node.peek().batches_made() + node.hellos;
        Now {
            tick: Tick(self.tick),
            wall: UtcMillis(i64::try_from(self.tick).unwrap()),
            luck: u128::from(node.number) << 32 | u128::from(node.restored) << 24 | u128::from(ids) << 8,
        }
    }

    pub(super) fn feed(&mut self, at: usize, event: Event) {
        let mut now = self.now(at);
        let Some(mut worker) = self.nodes[at].worker.take() else {
            return;
        };
        let mut clock = || {
            now.luck += 1;
            now
        };
        let mut orders = worker
            .step(event, &mut clock)
            .expect("the journal in memory never fails");
        if worker.recalls() {
            orders.extend(worker.recall(&mut clock).expect("the journal in memory never fails"));
        }
        if worker.machine().in_flight() > limits().window {
            self.broken = Some("more batches are out than the bound allows");
        }
        self.nodes[at].worker = Some(worker);
        self.obey(at, orders);
    }

    pub(super) fn obey(&mut self, at: usize, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Open => self.nodes[at].opening = true,
                Order::Close => self.nodes[at].hang_up(),
                Order::Publish { message, .. } => {
                    let name = match &message {
                        Message::Hello(hello) => {
                            self.nodes[at].hellos += 1;
                            *hello.nonce.as_bytes()
                        }
                        Message::Batch(batch) => *batch.id.as_bytes(),
                    };
                    if self.nodes[at].up {
                        self.nodes[at].unconfirmed.push(name);
                        self.queue.push(message);
                    }
                }
            }
        }
        // A line that can't be opened is the same as one that breaks at once.
        self.open(at);
    }

    pub(super) fn restart(&mut self, at: usize) {
        let now = self.now(at);
        let Some(disk) = self.nodes[at].disk.take() else { return };
        let started = Worker::start(disk, limits(), "broker".into(), now);
        let (worker, first) = started.expect("the journal in memory never fails");
        self.nodes[at].worker = Some(worker);
        self.feed(at, first);
    }

    pub(super) fn open(&mut self, at: usize) {
        if std::mem::take(&mut self.nodes[at].opening) {
            self.nodes[at].up = true;
            self.feed(at, Event::LinkUp);
        }
    }

    pub(super) fn cut(&mut self, at: usize) {
        self.nodes[at].hang_up();
        self.feed(at, Event::LinkDown(LinkTrouble::Lost));
    }

    pub(super) fn wake(&mut self, at: usize) {
        if let Some(wake_at) = self.nodes[at].worker.as_ref().and_then(Worker::wake_at) {
            self.tick = self.tick.max(wake_at.0);
            self.feed(at, Event::Woke);
        }
    }

    pub(super) fn sell(&mut self, at: usize) {
        self.tick += 1;
        let now = UtcMillis(i64::try_from(self.tick).unwrap());
        let sale = self.nodes[at].journal().sell(content(1), now);
        self.write_down(&sale);
        self.feed(at, Event::SalesWaiting);
    }

    pub(super) fn edit(&mut self, at: usize, id: SaleId) {
        self.tick += 1;
        let now = UtcMillis(i64::try_from(self.tick).unwrap());
        let cost = i64::try_from(self.tick).unwrap();
        let change = |sale: &mut Sale| sale.content = content(cost);
        let sale = self.nodes[at].journal().edit(id, change, now);
        self.write_down(&sale);
        self.feed(at, Event::SalesWaiting);
    }

    pub(super) fn write_down(&mut self, sale: &Sale) {
        self.written.insert(written(sale));
    }

    pub(super) fn hq_takes(&mut self, message: &Message) -> Downlink {
        let before = self.hq.rows.clone();
        let reply = self.hq.take(message);
        let lost = |(key, sale): (_, &Sale)| !is_at_hq(self.hq.rows.get(key), sale);
        if before.iter().any(lost) {
            self.broken = Some("an older revision, or another sale, took the place of what HQ held");
        }
        reply
    }

    pub(super) fn hear(&mut self, at: usize) {
        let branch = self.nodes[at].peek().branch.clone();
        if let Some(inbox) = self.inboxes.get_mut(&branch)
            && !inbox.is_empty()
        {
            let message = inbox.remove(0);
            self.feed(at, Event::Heard(message));
        }
    }

    pub(super) fn deliver(&mut self, message: &Message, reply: Downlink) {
        let branch = match message {
            Message::Hello(hello) => &hello.branch,
            Message::Batch(batch) => &batch.branch,
        };
        self.inboxes
            .get_mut(branch)
            .expect("every branch has an inbox")
            .push(reply);
    }

    /// Lets everything work again, one program at a time, for as long as it takes, and says what is still wrong then.
    pub(super) fn heal(mut self) -> Result<(), String> {
        for round in 0..600 {
            let at = (round / 8) % self.nodes.len();
            for other in (0..self.nodes.len()).filter(|other| *other != at) {
                if self.nodes[other].up {
                    self.cut(other);
                }
            }
            self.restart(at);
            while !self.nodes[at].unconfirmed.is_empty() {
                self.confirm(at);
            }
            while !self.queue.is_empty() {
                let message = self.queue.remove(0);
                let reply = self.hq_takes(&message);
                self.deliver(&message, reply);
            }
            while self.nodes[at].up && !self.inboxes[&self.nodes[at].peek().branch].is_empty() {
                self.hear(at);
            }
            // Long enough for every program to have said hello and to have been answered.
            if round >= 8 * self.nodes.len() && self.settled() {
                return self.check_converged();
            }
            self.wake(at);
        }
        Err(format!(
            "not settled: {:#?}",
            self.nodes
                .iter()
                .map(|node| node.peek().rows.clone())
                .collect::<Vec<_>>()
        ))
    }

    pub(super) fn confirm(&mut self, at: usize) {
        let name = self.nodes[at].unconfirmed.remove(0);
        self.feed(at, Event::Confirmed(name));
    }

    pub(super) fn settled(&self) -> bool {
        self.nodes.iter().all(|node| {
            let places = &node.peek().rows;
            places
                .values()
                .all(|row| !matches!(row.place, Place::Outbox { .. } | Place::Out { .. }))
        })
    }

    pub(super) fn check_converged(&self) -> Result<(), String> {
        for node in &self.nodes {
            let journal = node.peek();
            for row in journal.rows.values() {
                let key = (journal.branch.clone(), row.sale.ledger, row.sale.id);
                let held = self.hq.rows.get(&key);
                match &row.place {
                    Place::Acked { .. }
                        if held != Some(&row.sale) && !(self.has_copies() && is_at_hq(held, &row.sale)) =>
                    {
                        return Err(format!("acked, but HQ holds {held:?} for {:?}", row.sale));
                    }
                    Place::Rejected => return Err(format!("refused for nothing: {:?}", row.sale)),
                    _ => {}
                }
            }
        }
        self.check_once()
    }

    /// Whether others write to a branch's ledger: HQ may hold newer revisions then, of which HQ's count tells all but as many as were sent, replaced and never answered.
    fn has_copies(&self) -> bool {
        let codes: BTreeSet<&BranchCode> = self.nodes.iter().map(|node| &node.peek().branch).collect();
        codes.len() < self.nodes.len() || self.nodes.iter().any(|node| node.restored > 0)
    }

    pub(super) fn check_once(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for sale in self.hq.rows.values() {
            if !seen.insert(sale.created_at) {
                return Err(format!("HQ counts a sale twice: {sale:?}"));
            }
            if !self.written.contains(&written(sale)) {
                return Err(format!("HQ holds what nobody sold: {sale:?}"));
            }
        }
        Ok(())
    }

    /// Whether HQ, as it is, holds every acked row at its revision. Not asked of models in which HQ forgets.
    pub(super) fn acked_is_stored(&self) -> bool {
        self.nodes.iter().all(|node| {
            let journal = node.peek();
            journal.rows.values().all(|row| {
                let key = (journal.branch.clone(), row.sale.ledger, row.sale.id);
                let stored = is_at_hq(self.hq.rows.get(&key), &row.sale);
                stored || !matches!(row.place, Place::Acked { .. })
            })
        })
    }
}

/// Whether what HQ holds under a sale's key is this very revision of it, or a newer one.
pub(super) fn is_at_hq(held: Option<&Sale>, sale: &Sale) -> bool {
    held.is_some_and(|held| held == sale || (held.created_at == sale.created_at && held.revision > sale.revision))
}

pub(super) fn written(sale: &Sale) -> Written {
    Written {
        created_at: sale.created_at,
        revision: sale.revision.get(),
        cost: sale.content.cost,
    }
}

impl State {
    pub(super) fn suffer(&mut self, fault: Step) {
        match fault {
            Step::LoseUplink(at) => drop(self.queue.remove(at)),
            Step::RepeatUplink(at) => self.queue.push(self.queue[at].clone()),
            Step::LoseDownlink(at) => {
                let branch = self.nodes[at].peek().branch.clone();
                self.inboxes.entry(branch).and_modify(|inbox| drop(inbox.remove(0)));
            }
            Step::RepeatDownlink(at) => {
                let branch = self.nodes[at].peek().branch.clone();
                self.inboxes
                    .entry(branch)
                    .and_modify(|inbox| inbox.push(inbox[0].clone()));
            }
            Step::Cut(at) => self.cut(at),
            Step::Crash(at) => {
                self.nodes[at].crash();
                self.restart(at);
            }
            Step::HqCommitsAndDies => {
                let message = self.queue[0].clone();
                self.hq_takes(&message);
            }
            Step::Wipe => {
                self.queue.clear();
                self.inboxes.values_mut().for_each(Vec::clear);
                for at in 0..self.nodes.len() {
                    self.cut(at);
                }
            }
            Step::RestoreHq => self.hq = self.hq_backup.clone().expect("a backup was made"),
            Step::ReplaceHq => {
                let old = self.hq.store;
                let store = StoreId::from_random(2);
                self.hq = Hq {
                    store,
                    replaces: vec![old],
                    rows: BTreeMap::new(),
                    marks: BTreeMap::new(),
                };
            }
            Step::RestoreBranch(at) => {
                let node = &mut self.nodes[at];
                node.crash();
                node.disk.clone_from(&node.backup);
                node.restored += 1;
                self.restart(at);
            }
            step => unreachable!("{step:?} is no fault"),
        }
    }
}
