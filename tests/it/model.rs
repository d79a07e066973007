//! Layer 1 of the proof: the real protocol machine, explored exhaustively within small named bounds.
//!
//! The machine is `sync::worker::Worker`, the very code that runs at a branch; HQ's verdicts are `protocol::verdict`. Only what is outside is modelled: a
//! journal in memory, a broker as lists of messages, and faults that happen at every possible moment. Time jumps from one deadline to the next.

mod journal;

use std::collections::{BTreeMap, BTreeSet};

use branchline::domain::event::LinkTrouble;
use branchline::domain::ids::{BranchCode, LedgerId, SaleId, StoreId};
use branchline::domain::money::Money;
use branchline::domain::sale::{Sale, SaleContent};
use branchline::domain::time::{Tick, UtcMillis, parse_wall};
use branchline::protocol::Now;
use branchline::protocol::backoff::Backoff;
use branchline::protocol::message::{Answer, Downlink, HqStamp, Outcome, Receipt, Taken, Uplink as Message};
use branchline::protocol::uplink::{Event, Limits};
use branchline::protocol::verdict::{Verdict, judge};
use branchline::sync::worker::{Order, Worker};
use journal::{MemJournal, Place, runs};
use stateright::{Checker, Model, Property};

/// What may still happen, so that the space is finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Left {
    sales: u8,
    edits: u8,
    waits: u8,
    faults: u8,
}

/// The faults that a model knows, chosen by name so that each model's space stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    /// A message to HQ is lost, or comes twice, or is overtaken.
    Uplink,
    /// A message to a branch is lost, or comes twice.
    Downlink,
    /// The line breaks.
    Cut,
    /// A branch's program is killed.
    BranchCrash,
    /// HQ is killed after its commit and before its receipt.
    HqCrash,
    /// The broker loses everything.
    Wipe,
    /// HQ's database is restored from a backup.
    HqRestore,
    /// HQ's database is replaced by an empty one, on purpose.
    HqReplace,
    /// A branch's database is restored from a backup.
    BranchRestore,
}

/// One model: who sells, what may go wrong, how much of it.
#[derive(Debug, Clone)]
struct Bounds {
    branches: Vec<&'static str>,
    faults: Vec<Fault>,
    left: Left,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    tick: u64,
    nodes: Vec<Node>,
    /// What the broker holds for HQ, oldest first.
    queue: Vec<Message>,
    /// What the broker holds for each branch.
    inboxes: BTreeMap<BranchCode, Vec<Downlink>>,
    hq: Hq,
    hq_backup: Option<Hq>,
    /// Every revision that was ever written, by the sale that it is of (each is entered at a moment of its own).
    written: BTreeSet<Written>,
    /// A promise that was broken while something happened.
    broken: Option<&'static str>,
    left: Left,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Written {
    created_at: UtcMillis,
    revision: u32,
    cost: Money,
}

/// A program and its database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    disk: Option<MemJournal>,
    worker: Option<Worker<MemJournal>>,
    opening: bool,
    up: bool,
    unconfirmed: Vec<[u8; 16]>,
    backup: Option<MemJournal>,
    /// How many hellos it has said in all its lives.
    hellos: u32,
    /// How often its database was restored: what it draws after that is not what it drew before.
    restored: u8,
    number: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Hq {
    store: StoreId,
    replaces: Vec<StoreId>,
    rows: BTreeMap<(BranchCode, LedgerId, SaleId), Sale>,
    applied: BTreeMap<(BranchCode, LedgerId), u64>,
}

impl Hq {
    fn stamp(&self) -> HqStamp {
        HqStamp {
            store: self.store,
            replaces: self.replaces.clone(),
            clock: UtcMillis(0),
            trial: false,
            reads: vec![1],
        }
    }

    fn take(&mut self, message: &Message) -> Downlink {
        match message {
            Message::Hello(hello) => {
                let applied = self
                    .applied
                    .get(&(hello.branch.clone(), hello.ledger))
                    .copied()
                    .unwrap_or(0);
                Downlink::Answer(Answer {
                    hq: self.stamp(),
                    ledger: hello.ledger,
                    nonce: hello.nonce,
                    applied,
                })
            }
            Message::Batch(batch) => {
                let count = self.applied.entry((batch.branch.clone(), batch.ledger)).or_default();
                let applied_before = *count;
                let mut stored = Vec::new();
                let mut held = Vec::new();
                for sale in &batch.sales {
                    let key = (batch.branch.clone(), batch.ledger, sale.id);
                    let row = self.rows.get(&key);
                    match judge(&batch.branch, row, sale) {
                        Verdict::Apply => {
                            *count += 1;
                            stored.push((sale.id, sale.revision));
                            self.rows.insert(key, sale.clone());
                        }
                        Verdict::Duplicate => stored.push((sale.id, sale.revision)),
                        Verdict::Conflict | Verdict::Stale => held.extend(row.cloned()),
                    }
                }
                let applied_after = *count;
                let taken = Taken {
                    stored: runs(&stored),
                    refused: Vec::new(),
                    held,
                };
                Downlink::Receipt(Receipt {
                    hq: self.stamp(),
                    ledger: batch.ledger,
                    batch: batch.id,
                    applied_before,
                    applied_after,
                    outcome: Outcome::Taken(taken),
                })
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Sell(usize),
    Edit(usize, SaleId),
    Wake(usize),
    Confirm(usize),
    HqTakes(usize),
    Hear(usize),
    BackUpBranch(usize),
    BackUpHq,
    // Faults.
    LoseUplink(usize),
    RepeatUplink(usize),
    LoseDownlink(usize),
    RepeatDownlink(usize),
    Cut(usize),
    Crash(usize),
    HqCommitsAndDies,
    Wipe,
    RestoreHq,
    ReplaceHq,
    RestoreBranch(usize),
}

fn limits() -> Limits {
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

fn content(cost: i64) -> SaleContent {
    SaleContent {
        date: parse_wall("2010-12-01").unwrap(),
        product: "PENS".into(),
        region: "East".into(),
        qty: 1,
        cost: Money::from_units(cost).unwrap(),
        tax: Money::ZERO,
    }
}

impl Node {
    fn new(code: &str, number: u32) -> Self {
        let branch = BranchCode::parse(code).unwrap();
        let ledger = LedgerId::from_random(u128::from(branch.as_str().bytes().map(u64::from).sum::<u64>()));
        let disk = Some(MemJournal::new(branch, ledger));
        Self {
            disk,
            worker: None,
            opening: false,
            up: false,
            unconfirmed: Vec::new(),
            backup: None,
            hellos: 0,
            restored: 0,
            number,
        }
    }

    fn journal(&mut self) -> &mut MemJournal {
        match (&mut self.worker, &mut self.disk) {
            (Some(worker), _) => worker.journal(),
            (None, Some(disk)) => disk,
            (None, None) => unreachable!("a database is on the disk or in use"),
        }
    }

    fn peek(&self) -> &MemJournal {
        match (&self.worker, &self.disk) {
            (Some(worker), _) => worker.peek(),
            (None, Some(disk)) => disk,
            (None, None) => unreachable!("a database is on the disk or in use"),
        }
    }

    fn crash(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            self.disk = Some(worker.journal().clone());
        }
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.up = false;
        self.opening = false;
        self.unconfirmed.clear();
    }
}

impl State {
    fn start(bounds: &Bounds) -> Self {
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
            applied: BTreeMap::new(),
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
    fn now(&self, at: usize) -> Now {
        let node = &self.nodes[at];
        let ids = node.peek().batches_made() + node.hellos;
        Now {
            tick: Tick(self.tick),
            wall: UtcMillis(i64::try_from(self.tick).unwrap()),
            luck: u128::from(node.number) << 32 | u128::from(node.restored) << 24 | u128::from(ids) << 8,
        }
    }

    fn feed(&mut self, at: usize, event: Event) {
        let mut now = self.now(at);
        let Some(mut worker) = self.nodes[at].worker.take() else {
            return;
        };
        let mut clock = || {
            now.luck += 1;
            now
        };
        let orders = worker
            .step(event, &mut clock)
            .expect("the journal in memory never fails");
        if worker.machine().in_flight() > limits().window {
            self.broken = Some("more batches are out than the bound allows");
        }
        self.nodes[at].worker = Some(worker);
        self.obey(at, orders);
    }

    fn obey(&mut self, at: usize, orders: Vec<Order>) {
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

    fn restart(&mut self, at: usize) {
        let now = self.now(at);
        let Some(disk) = self.nodes[at].disk.take() else { return };
        let started = Worker::start(disk, limits(), "broker".into(), now);
        let (worker, first) = started.expect("the journal in memory never fails");
        self.nodes[at].worker = Some(worker);
        self.feed(at, first);
    }

    fn open(&mut self, at: usize) {
        if std::mem::take(&mut self.nodes[at].opening) {
            self.nodes[at].up = true;
            self.feed(at, Event::LinkUp);
        }
    }

    fn cut(&mut self, at: usize) {
        self.nodes[at].hang_up();
        self.feed(at, Event::LinkDown(LinkTrouble::Lost));
    }

    fn wake(&mut self, at: usize) {
        if let Some(wake_at) = self.nodes[at].worker.as_ref().and_then(Worker::wake_at) {
            self.tick = self.tick.max(wake_at.0);
            self.feed(at, Event::Woke);
        }
    }

    fn sell(&mut self, at: usize) {
        self.tick += 1;
        let now = UtcMillis(i64::try_from(self.tick).unwrap());
        let sale = self.nodes[at].journal().sell(content(1), now);
        self.write_down(&sale);
        self.feed(at, Event::SalesWaiting);
    }

    fn edit(&mut self, at: usize, id: SaleId) {
        self.tick += 1;
        let now = UtcMillis(i64::try_from(self.tick).unwrap());
        let cost = i64::try_from(self.tick).unwrap();
        let change = |sale: &mut Sale| sale.content = content(cost);
        let sale = self.nodes[at].journal().edit(id, change, now);
        self.write_down(&sale);
        self.feed(at, Event::SalesWaiting);
    }

    fn write_down(&mut self, sale: &Sale) {
        self.written.insert(written(sale));
    }

    fn hq_takes(&mut self, message: &Message) -> Downlink {
        let before = self.hq.rows.clone();
        let reply = self.hq.take(message);
        let lost = |(key, sale): (_, &Sale)| !is_at_hq(self.hq.rows.get(key), sale);
        if before.iter().any(lost) {
            self.broken = Some("an older revision, or another sale, took the place of what HQ held");
        }
        reply
    }

    fn hear(&mut self, at: usize) {
        let branch = self.nodes[at].peek().branch.clone();
        if let Some(inbox) = self.inboxes.get_mut(&branch)
            && !inbox.is_empty()
        {
            let message = inbox.remove(0);
            self.feed(at, Event::Heard(message));
        }
    }

    fn deliver(&mut self, message: &Message, reply: Downlink) {
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
    fn heal(mut self) -> Result<(), String> {
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

    fn confirm(&mut self, at: usize) {
        let name = self.nodes[at].unconfirmed.remove(0);
        self.feed(at, Event::Confirmed(name));
    }

    fn settled(&self) -> bool {
        self.nodes.iter().all(|node| {
            let places = &node.peek().rows;
            places
                .values()
                .all(|row| !matches!(row.place, Place::Outbox { .. } | Place::Out { .. }))
        })
    }

    fn check_converged(&self) -> Result<(), String> {
        for node in &self.nodes {
            let journal = node.peek();
            for row in journal.rows.values() {
                let key = (journal.branch.clone(), row.sale.ledger, row.sale.id);
                let held = self.hq.rows.get(&key);
                match &row.place {
                    Place::Acked { .. } if !is_at_hq(held, &row.sale) => {
                        return Err(format!("acked, but HQ holds {held:?} for {:?}", row.sale));
                    }
                    Place::Rejected => return Err(format!("refused for nothing: {:?}", row.sale)),
                    _ => {}
                }
            }
        }
        self.check_once()
    }

    fn check_once(&self) -> Result<(), String> {
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
    fn acked_is_stored(&self) -> bool {
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
fn is_at_hq(held: Option<&Sale>, sale: &Sale) -> bool {
    held.is_some_and(|held| held == sale || (held.created_at == sale.created_at && held.revision > sale.revision))
}

fn written(sale: &Sale) -> Written {
    Written {
        created_at: sale.created_at,
        revision: sale.revision.get(),
        cost: sale.content.cost,
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(self)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let has = |fault| state.left.faults > 0 && self.faults.contains(&fault);
        for (at, node) in state.nodes.iter().enumerate() {
            let journal = node.peek();
            if state.left.sales > 0 {
                steps.push(Step::Sell(at));
            }
            if state.left.edits > 0 {
                steps.extend(journal.rows.keys().map(|id| Step::Edit(at, *id)));
            }
            if state.left.waits > 0 && node.worker.as_ref().is_some_and(|worker| worker.wake_at().is_some()) {
                steps.push(Step::Wake(at));
            }
            if !node.unconfirmed.is_empty() {
                // What the program does meanwhile is the same before and after the confirm; only its loss makes a difference.
                steps.push(Step::Confirm(at));
                steps.extend([Step::Cut(at)].into_iter().filter(|_| has(Fault::Cut)));
                steps.extend([Step::Crash(at)].into_iter().filter(|_| has(Fault::BranchCrash)));
                continue;
            }
            if node.up && !state.inboxes[&journal.branch].is_empty() {
                steps.push(Step::Hear(at));
                if has(Fault::Downlink) {
                    steps.extend([Step::LoseDownlink(at), Step::RepeatDownlink(at)]);
                }
            }
            if node.up && has(Fault::Cut) {
                steps.push(Step::Cut(at));
            }
            if node.worker.is_some() && has(Fault::BranchCrash) {
                steps.push(Step::Crash(at));
            }
            if self.faults.contains(&Fault::BranchRestore) && node.backup.is_none() && !journal.rows.is_empty() {
                steps.push(Step::BackUpBranch(at));
            }
            if node.backup.is_some() && has(Fault::BranchRestore) {
                steps.push(Step::RestoreBranch(at));
            }
        }
        let takes = if self.faults.contains(&Fault::Uplink) {
            state.queue.len()
        } else {
            state.queue.len().min(1)
        };
        for at in 0..takes {
            if at == 0 || has(Fault::Uplink) {
                steps.push(Step::HqTakes(at));
            }
            if has(Fault::Uplink) {
                steps.extend([Step::LoseUplink(at), Step::RepeatUplink(at)]);
            }
        }
        if has(Fault::HqCrash) && !state.queue.is_empty() {
            steps.push(Step::HqCommitsAndDies);
        }
        if has(Fault::Wipe) && !state.queue.is_empty() {
            steps.push(Step::Wipe);
        }
        if self.faults.contains(&Fault::HqRestore) && state.hq_backup.is_none() {
            steps.push(Step::BackUpHq);
        }
        if state.hq_backup.is_some() && has(Fault::HqRestore) {
            steps.push(Step::RestoreHq);
        }
        if has(Fault::HqReplace) && state.hq.replaces.is_empty() {
            steps.push(Step::ReplaceHq);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Sell(at) => {
                state.left.sales -= 1;
                state.sell(at);
            }
            Step::Edit(at, id) => {
                state.left.edits -= 1;
                state.edit(at, id);
            }
            Step::Wake(at) => {
                state.left.waits -= 1;
                state.wake(at);
            }
            Step::Confirm(at) => state.confirm(at),
            Step::HqTakes(at) => {
                state.left.faults -= u8::from(at > 0);
                let message = state.queue.remove(at);
                let reply = state.hq_takes(&message);
                state.deliver(&message, reply);
            }
            Step::Hear(at) => state.hear(at),
            Step::BackUpBranch(at) => state.nodes[at].backup = Some(state.nodes[at].peek().clone()),
            Step::BackUpHq => state.hq_backup = Some(state.hq.clone()),
            fault => {
                state.left.faults -= 1;
                state.suffer(fault);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let forgets = [Fault::HqRestore, Fault::HqReplace]
            .iter()
            .any(|fault| self.faults.contains(fault));
        let mut properties = vec![
            Property::always("nothing is broken on the way", |_: &Self, state: &State| {
                state.broken.is_none()
            }),
            Property::always("HQ holds each sale once, and only what was sold", |_, state: &State| {
                state.check_once().is_ok()
            }),
            Property::always("when faults end, every row settles", |_, state: &State| {
                state.left != Left::default() || state.clone().heal().is_ok()
            }),
            Property::sometimes("a sale is acked", |_, state: &State| {
                state.nodes.iter().any(|node| {
                    node.peek()
                        .rows
                        .values()
                        .any(|row| matches!(row.place, Place::Acked { .. }))
                })
            }),
        ];
        if !forgets {
            properties.push(Property::always("what is acked is stored", |_, state: &State| {
                state.acked_is_stored()
            }));
        }
        properties
    }
}

impl State {
    fn suffer(&mut self, fault: Step) {
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
                    applied: BTreeMap::new(),
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

/// Explores all of a model and requires its properties; prints how large it was.
fn exhaust(name: &str, branches: &[&'static str], faults: &[Fault], [sales, edits, waits, blows]: [u8; 4]) {
    let left = Left {
        sales,
        edits,
        waits,
        faults: blows,
    };
    let bounds = Bounds {
        branches: branches.to_vec(),
        faults: faults.to_vec(),
        left,
    };
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    println!(
        "model `{name}`: {} states, depth {}",
        checker.unique_state_count(),
        checker.max_depth()
    );
    for (property, path) in checker.discoveries() {
        if let Err(why) = path.last_state().clone().heal() {
            println!("model `{name}`: {property}: {why}");
        }
    }
    checker.assert_properties();
}

#[test]
fn a_line_that_loses_repeats_and_overtakes_does_no_harm() {
    exhaust(
        "line",
        &["A"],
        &[Fault::Uplink, Fault::Downlink, Fault::Cut],
        [1, 1, 1, 1],
    );
}

#[test]
fn crashes_and_a_wiped_broker_lose_and_double_nothing() {
    exhaust(
        "crash",
        &["A"],
        &[Fault::BranchCrash, Fault::HqCrash, Fault::Wipe],
        [1, 1, 1, 1],
    );
}

#[test]
fn an_hq_that_was_restored_gets_again_what_it_forgot() {
    exhaust("hq restored", &["A"], &[Fault::HqRestore], [2, 1, 1, 1]);
}

#[test]
fn an_hq_that_was_replaced_gets_everything_again() {
    exhaust("hq replaced", &["A"], &[Fault::HqReplace, Fault::Cut], [1, 1, 1, 2]);
}

#[test]
fn a_branch_that_was_restored_loses_no_later_sale() {
    exhaust(
        "branch restored",
        &["A"],
        &[Fault::BranchRestore, Fault::Cut],
        [2, 1, 0, 2],
    );
}

#[test]
fn two_branches_do_not_meddle() {
    exhaust("two branches", &["A", "B"], &[Fault::Cut], [2, 0, 0, 1]);
}

#[test]
fn two_copies_of_a_branch_count_each_sale_once() {
    exhaust("two copies", &["A", "A"], &[], [2, 1, 0, 0]);
}
