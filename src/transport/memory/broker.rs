//! What the broker holds: queues, chances, and who has been cut off.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Faults;
use crate::domain::event::LinkTrouble;
use crate::domain::ids::BranchCode;
use crate::transport::Outgoing;

/// The broker: its state, and word of each change.
#[derive(Debug)]
pub(super) struct Broker {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// A message that waits for HQ.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) branch: BranchCode,
    pub(super) message: Outgoing,
    /// How often it has been handed out.
    pub(super) delivered: u32,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) faults: Faults,
    pub(super) running: bool,
    pub(super) blocked: bool,
    /// How many cuts there have been; a session that began before the last one is over.
    pub(super) cuts: u64,
    /// HQ has been here and declared what branches need.
    pub(super) declared: bool,
    /// The session that holds the lock of an HQ with a database of its own.
    pub(super) lock: Option<u64>,
    sales: VecDeque<Held>,
    unacked: BTreeMap<u64, (u64, Held)>,
    receipts: BTreeMap<BranchCode, VecDeque<Vec<u8>>>,
    next: u64,
}

impl Broker {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            state: Mutex::new(State {
                faults,
                running: true,
                blocked: false,
                cuts: 0,
                declared: false,
                lock: None,
                sales: VecDeque::new(),
                unacked: BTreeMap::new(),
                receipts: BTreeMap::new(),
                next: 1,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Looks at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state in a way that nobody waits for.
    pub(super) fn change_quietly<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state and tells everyone.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = self.change_quietly(change);
        self.changed.send_replace(());
        changed
    }

    /// Hears of changes from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl State {
    /// Why a branch can't open a session now.
    pub(super) fn refusal(&self) -> Option<LinkTrouble> {
        match (self.running, self.declared) {
            (false, _) => Some(LinkTrouble::Unreachable),
            (true, false) => Some(LinkTrouble::NoHeadOffice),
            (true, true) => None,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.sales.len() + self.unacked.len()
    }

    pub(super) fn wipe(&mut self) {
        self.sales.clear();
        self.unacked.clear();
        self.receipts.clear();
        self.declared = false;
        self.lock = None;
        self.cuts += 1;
    }

    /// A number that was never given before.
    pub(super) const fn unique(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn publish(&mut self, branch: &BranchCode, message: Outgoing) {
        let held = Held {
            branch: branch.clone(),
            message,
            delivered: 0,
        };
        for _ in 0..self.copies() {
            let place = self.place(self.sales.len());
            self.sales.insert(place, held.clone());
        }
    }

    /// Hands the next message to a session of HQ.
    pub(super) fn hand_out(&mut self, session: u64) -> Option<(u64, Held)> {
        let held = self.sales.pop_front()?;
        let tag = self.unique();
        self.unacked.insert(tag, (session, held.clone()));
        Some((tag, held))
    }

    pub(super) fn ack(&mut self, session: u64, tag: u64) {
        if self.unacked.get(&tag).is_some_and(|(holder, _)| *holder == session) {
            self.unacked.remove(&tag);
        }
    }

    /// Takes back what a session of HQ has not acked, and its lock.
    pub(super) fn take_back(&mut self, session: u64) {
        let lost: Vec<u64> = self
            .unacked
            .iter()
            .filter(|(_, (holder, _))| *holder == session)
            .map(|(tag, _)| *tag)
            .collect();
        for tag in lost.into_iter().rev() {
            if let Some((_, mut held)) = self.unacked.remove(&tag) {
                held.delivered += 1;
                self.sales.push_front(held);
            }
        }
        if self.lock == Some(session) {
            self.lock = None;
        }
    }

    pub(super) fn reply(&mut self, branch: &BranchCode, body: &[u8]) {
        let copies = self.copies();
        let length = self.receipts.entry(branch.clone()).or_default().len();
        for added in 0..copies {
            let place = self.place(length + added);
            self.receipts
                .entry(branch.clone())
                .or_default()
                .insert(place, body.to_vec());
        }
    }

    /// The receipts that wait for a branch, if its queue is there.
    pub(super) fn receipts(&mut self, branch: &BranchCode) -> Option<&mut VecDeque<Vec<u8>>> {
        self.receipts.get_mut(branch)
    }

    /// How long a message takes this time.
    pub(super) fn delay(&mut self) -> Duration {
        let longest = u64::try_from(self.faults.delay.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(if longest == 0 { 0 } else { self.random() % (longest + 1) })
    }

    /// Whether something happens that does so this often in a hundred times.
    pub(super) fn chance(&mut self, percent: u8) -> bool {
        percent > 0 && self.random() % 100 < u64::from(percent)
    }

    fn copies(&mut self) -> usize {
        if self.chance(self.faults.lose) {
            0
        } else if self.chance(self.faults.repeat) {
            2
        } else {
            1
        }
    }

    /// Where the next of `length` messages is put.
    fn place(&mut self, length: usize) -> usize {
        if length > 0 && self.chance(self.faults.reorder) {
            usize::try_from(self.random() % length as u64).unwrap_or(length)
        } else {
            length
        }
    }

    /// The next number of the seed's sequence (`SplitMix64`).
    const fn random(&mut self) -> u64 {
        self.faults.seed = self.faults.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.faults.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Held {
    /// The routing key under which the real broker would have it.
    pub(super) fn routing_key(&self) -> String {
        self.message.kind.routing_key(&self.branch)
    }
}
