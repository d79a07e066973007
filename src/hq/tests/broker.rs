//! A broker in memory that hands out, takes back and writes down what HQ does, and fails on request.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::protocol::message::Downlink;
use crate::shutdown::Trigger;
use crate::store::hq::HqDb;
use crate::transport::{Delivery, HqLink, HqTransport, HqTrouble, Reply};
use crate::wire::decode_downlink;

/// What HQ did, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Opened,
    /// So many answers went out; another connection to HQ's database then saw so many sales.
    Replied {
        answers: usize,
        sales: u64,
    },
    Acked(usize),
    Closed,
    /// The session was dropped: what was not acked is delivered again.
    Dropped,
}

#[derive(Default)]
pub(super) struct State {
    waiting: VecDeque<Delivery>,
    unacked: BTreeMap<u64, Delivery>,
    next_tag: u64,
    pub(super) steps: Vec<Step>,
    pub(super) answers: Vec<Downlink>,
    pub(super) another_hq: bool,
    /// How many of the next calls fail.
    pub(super) failing_opens: u32,
    pub(super) failing_replies: u32,
    pub(super) failing_acks: u32,
    /// Asks HQ to stop while it replies.
    pub(super) stop_at_reply: Option<Trigger>,
}

/// The broker; clones are the same one.
#[derive(Clone)]
pub(super) struct Broker {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    database: PathBuf,
}

impl Broker {
    pub(super) fn beside(database: PathBuf) -> Self {
        Self {
            state: Arc::default(),
            changed: Arc::default(),
            database,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Messages that arrive at once.
    pub(super) fn deliver(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        self.state().waiting.extend(deliveries);
        self.changed.notify_waiters();
    }

    /// Waits until something is true.
    pub(super) async fn until(&self, what: &str, mut is_true: impl FnMut(&State) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if is_true(&self.state()) {
                    break;
                }
                changed.await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(done.is_ok(), "never came true: {what}; {:?}", self.state().steps);
    }

    /// Waits until so many messages have been acked.
    pub(super) async fn until_acked(&self, messages: usize) {
        self.until("messages acked", |state| state.acked() == messages).await;
    }

    fn note(&self, step: Step) {
        self.state().steps.push(step);
        self.changed.notify_waiters();
    }

    fn sales(&self) -> u64 {
        let held = HqDb::open(&self.database).unwrap().overview().unwrap();
        held.branches.iter().map(|branch| branch.sales).sum()
    }
}

impl State {
    fn acked(&self) -> usize {
        let acked = self.steps.iter().map(|step| match step {
            Step::Acked(messages) => *messages,
            _ => 0,
        });
        acked.sum()
    }

    pub(super) fn drops(&self) -> usize {
        self.steps.iter().filter(|step| **step == Step::Dropped).count()
    }
}

impl HqTransport for Broker {
    type Link = Link;

    async fn open(&self) -> Result<Link, HqTrouble> {
        if self.state().another_hq {
            return Err(HqTrouble::AnotherHq);
        }
        if take_one(&mut self.state().failing_opens) {
            return Err(broken());
        }
        self.note(Step::Opened);
        Ok(Link {
            broker: self.clone(),
            closed: false,
        })
    }
}

pub(super) struct Link {
    broker: Broker,
    closed: bool,
}

impl HqLink for Link {
    async fn next_group(&mut self, max_messages: usize, _max_bytes: usize) -> Result<Vec<Delivery>, HqTrouble> {
        loop {
            let changed = self.broker.changed.notified();
            {
                let mut state = self.broker.state();
                let count = state.waiting.len().min(max_messages);
                let mut group: Vec<_> = state.waiting.drain(..count).collect();
                for delivery in &mut group {
                    state.next_tag += 1;
                    delivery.tag = state.next_tag;
                    state.unacked.insert(delivery.tag, delivery.clone());
                }
                if !group.is_empty() {
                    return Ok(group);
                }
            }
            changed.await;
        }
    }

    async fn reply(&mut self, replies: Vec<Reply>) -> Result<(), HqTrouble> {
        if take_one(&mut self.broker.state().failing_replies) {
            return Err(broken());
        }
        let sales = self.broker.sales();
        if let Some(trigger) = self.broker.state().stop_at_reply.take() {
            trigger.request();
        }
        let read = replies.iter().map(|reply| decode_downlink(&reply.body).unwrap());
        self.broker.state().answers.extend(read);
        self.broker.note(Step::Replied {
            answers: replies.len(),
            sales,
        });
        Ok(())
    }

    async fn ack(&mut self, tags: &[u64]) -> Result<(), HqTrouble> {
        if take_one(&mut self.broker.state().failing_acks) {
            return Err(broken());
        }
        for tag in tags {
            self.broker
                .state()
                .unacked
                .remove(tag)
                .expect("only what was delivered and not acked can be acked");
        }
        self.broker.note(Step::Acked(tags.len()));
        Ok(())
    }

    async fn close(mut self) {
        self.closed = true;
        self.broker.note(Step::Closed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.broker.state();
        while let Some((_, mut delivery)) = state.unacked.pop_last() {
            delivery.redelivered += 1;
            state.waiting.push_front(delivery);
        }
        drop(state);
        if !self.closed {
            self.broker.note(Step::Dropped);
        }
    }
}

fn take_one(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

fn broken() -> HqTrouble {
    HqTrouble::Line("the line broke".to_owned())
}
