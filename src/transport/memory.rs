//! A broker inside the process, for tests of what stands on a [`Transport`]: it keeps the same promises as the real one, and breaks them on request.
//!
//! It loses, repeats, delays and reorders by a seed, and is cut, stopped, blocked and wiped by hand. It knows nothing of rights, bytes on a wire or time
//! limits: those are the real line's.

mod broker;
mod hq;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::broker::Broker;
pub use self::hq::{MemoryHq, MemoryHqLink};
use super::{LinkEvent, Outgoing, Session, Transport};
use crate::domain::event::LinkTrouble;
use crate::domain::ids::BranchCode;
use crate::domain::line::Traffic;

/// How many messages or events wait at either end of a session.
const ROOM: usize = 256;

/// What happens to messages in both directions, by chance. Chances are in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Where the chances begin.
    pub seed: u64,
    /// A message is confirmed and never seen again.
    pub lose: u8,
    /// A message comes twice.
    pub repeat: u8,
    /// A message overtakes others.
    pub reorder: u8,
    /// The longest time that a message takes to the broker.
    pub delay: Duration,
}

/// The broker. Clones are the same broker.
#[derive(Debug, Clone)]
pub struct MemoryBroker {
    broker: Arc<Broker>,
}

/// One branch's way to it.
#[derive(Debug, Clone)]
pub struct MemoryBranch {
    broker: Arc<Broker>,
    branch: BranchCode,
}

impl MemoryBroker {
    /// A broker that does to messages what `faults` say; by default, nothing.
    #[must_use]
    pub fn new(faults: Faults) -> Self {
        Self {
            broker: Arc::new(Broker::new(faults)),
        }
    }

    /// The way of a branch to this broker.
    #[must_use]
    pub fn branch(&self, branch: BranchCode) -> MemoryBranch {
        MemoryBranch {
            broker: Arc::clone(&self.broker),
            branch,
        }
    }

    /// The way of HQ to this broker; `alone` if it has a database of its own.
    #[must_use]
    pub fn hq(&self, alone: bool) -> MemoryHq {
        MemoryHq::new(Arc::clone(&self.broker), alone)
    }

    /// Changes what happens to messages from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.broker.change(|state| state.faults = faults);
    }

    /// Ends all sessions of branches and of HQ.
    pub fn cut(&self) {
        self.broker.change(|state| state.cuts += 1);
    }

    /// Stops the broker, or starts it again with what it has kept.
    pub fn set_running(&self, running: bool) {
        self.broker.change(|state| {
            state.running = running;
            state.cuts += 1;
        });
    }

    /// Makes the broker take no messages from branches, or take them again.
    pub fn set_blocked(&self, blocked: bool) {
        self.broker.change(|state| state.blocked = blocked);
    }

    /// Forgets all messages and queues, and ends all sessions.
    pub fn wipe(&self) {
        self.broker.change(broker::State::wipe);
    }

    /// How many messages wait for HQ or for its acks.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.broker.look(broker::State::waiting)
    }
}

impl Transport for MemoryBranch {
    /// Must be called inside a tokio runtime.
    fn open(&self) -> Session {
        let (outgoing, taken) = mpsc::channel(ROOM);
        let (told, events) = mpsc::channel(ROOM);
        let line = BranchLine {
            branch: self.branch.clone(),
            seen: self.broker.subscribe(),
            broker: Arc::clone(&self.broker),
            cuts: self.broker.look(|state| state.cuts),
            blocked: false,
            queue_missing: false,
            told,
        };
        tokio::spawn(line.run(taken));
        Session { outgoing, events }
    }

    fn broker(&self) -> String {
        "memory".to_owned()
    }

    /// Nothing has bytes here.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// A branch's session, seen from the broker.
struct BranchLine {
    branch: BranchCode,
    broker: Arc<Broker>,
    seen: watch::Receiver<()>,
    /// How many cuts there had been when it opened.
    cuts: u64,
    /// What was told last.
    blocked: bool,
    queue_missing: bool,
    told: mpsc::Sender<LinkEvent>,
}

impl BranchLine {
    async fn run(mut self, mut taken: mpsc::Receiver<Outgoing>) {
        let trouble = match self.broker.look(broker::State::refusal) {
            Some(trouble) => trouble,
            None => self.serve(&mut taken).await,
        };
        // Nobody listens any more: then nobody needs to know.
        let _ = self.told.send(LinkEvent::Down(trouble)).await;
    }

    async fn serve(&mut self, taken: &mut mpsc::Receiver<Outgoing>) -> LinkTrouble {
        if self.told.send(LinkEvent::Up).await.is_err() {
            return LinkTrouble::Closed;
        }
        loop {
            self.seen.mark_unchanged();
            if self.broker.look(|state| state.cuts) != self.cuts {
                return LinkTrouble::Lost;
            }
            if let Some(event) = self.news() {
                if self.told.send(event).await.is_err() {
                    return LinkTrouble::Closed;
                }
                continue;
            }
            tokio::select! {
                // Which of two things came first must not be chance: the seed decides about everything.
                biased;
                _ = self.seen.changed() => {}
                () = self.told.closed() => return LinkTrouble::Closed,
                message = taken.recv(), if !self.blocked => {
                    let Some(message) = message else { return LinkTrouble::Closed };
                    if self.publish(message).await.is_err() {
                        return LinkTrouble::Closed;
                    }
                }
            }
        }
    }

    /// What there is to tell that the session has not told yet.
    fn news(&mut self) -> Option<LinkEvent> {
        let blocked = self.broker.look(|state| state.blocked);
        if std::mem::replace(&mut self.blocked, blocked) != blocked {
            return Some(LinkEvent::Blocked(blocked));
        }
        self.broker.change_quietly(|state| {
            let receipts = state.receipts(&self.branch);
            let missing = receipts.is_none();
            let newly_missing = !std::mem::replace(&mut self.queue_missing, missing) && missing;
            match receipts {
                Some(receipts) => receipts.pop_front().map(LinkEvent::Arrived),
                None => newly_missing.then_some(LinkEvent::NoReceiptQueue),
            }
        })
    }

    /// Carries a message to the broker and its confirm back, unless the line is cut meanwhile.
    async fn publish(&self, message: Outgoing) -> Result<(), mpsc::error::SendError<LinkEvent>> {
        let id = message.id;
        let delay = self.broker.change_quietly(broker::State::delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let (arrived, confirmed) = self.broker.change_quietly(|state| {
            let whole = state.cuts == self.cuts;
            // Cut on its way, either it never arrived, or its confirm did not.
            (whole || state.chance(50), whole)
        });
        if arrived {
            self.broker.change(|state| state.publish(&self.branch, message));
        }
        if confirmed {
            self.told.send(LinkEvent::Confirmed(id)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HqLink, HqTransport, HqTrouble, Kind, Reply};
    use super::*;

    fn branch() -> BranchCode {
        BranchCode::parse("TUNIS-01").unwrap()
    }

    fn sales(number: u8) -> Outgoing {
        Outgoing {
            id: [number; 16],
            kind: Kind::Sales,
            body: vec![number],
            expires_ms: None,
        }
    }

    async fn up(broker: &MemoryBroker) -> Session {
        let mut session = broker.branch(branch()).open();
        assert_eq!(session.events.recv().await, Some(LinkEvent::Up));
        assert_eq!(session.events.recv().await, Some(LinkEvent::NoReceiptQueue));
        session
    }

    /// Publishes these numbers; returns what HQ has got by then.
    async fn carry(broker: &MemoryBroker, numbers: std::ops::Range<u8>) -> Vec<u8> {
        let mut hq = broker.hq(false).open().await.unwrap();
        let mut session = up(broker).await;
        for number in numbers {
            session.outgoing.send(sales(number)).await.unwrap();
            assert_eq!(session.events.recv().await, Some(LinkEvent::Confirmed([number; 16])));
        }
        let mut got = Vec::new();
        while broker.waiting() > 0 {
            for delivery in hq.next_group(100, 1_000).await.unwrap() {
                got.push(delivery.body[0]);
                hq.ack(&[delivery.tag]).await.unwrap();
            }
        }
        got
    }

    #[tokio::test]
    async fn messages_and_receipts_come_through() {
        let broker = MemoryBroker::new(Faults::default());
        let mut hq = broker.hq(true).open().await.unwrap();
        let mut session = up(&broker).await;
        session.outgoing.send(sales(1)).await.unwrap();
        assert_eq!(session.events.recv().await, Some(LinkEvent::Confirmed([1; 16])));
        let group = hq.next_group(10, 1_000).await.unwrap();
        assert_eq!(group[0].routing_key, "TUNIS-01.s");
        assert_eq!(group[0].user_id.as_deref(), Some("TUNIS-01"));
        let receipt = Reply {
            branch: branch(),
            body: vec![7],
        };
        hq.reply(vec![receipt]).await.unwrap();
        hq.ack(&[group[0].tag]).await.unwrap();
        assert_eq!(session.events.recv().await, Some(LinkEvent::Arrived(vec![7])));
        assert_eq!(broker.waiting(), 0);
        drop(session.outgoing);
        assert_eq!(session.events.recv().await, Some(LinkEvent::Down(LinkTrouble::Closed)));
        assert_eq!(session.events.recv().await, None);
    }

    #[tokio::test]
    async fn a_cut_ends_every_session_and_what_was_not_acked_comes_again() {
        let broker = MemoryBroker::new(Faults::default());
        let mut hq = broker.hq(true).open().await.unwrap();
        let mut session = up(&broker).await;
        session.outgoing.send(sales(1)).await.unwrap();
        let first = hq.next_group(10, 1_000).await.unwrap();
        assert_eq!(first[0].redelivered, 0);
        broker.cut();
        assert!(matches!(hq.ack(&[first[0].tag]).await, Err(HqTrouble::Line(_))));
        drop(hq);
        assert_eq!(session.events.recv().await, Some(LinkEvent::Confirmed([1; 16])));
        assert_eq!(session.events.recv().await, Some(LinkEvent::Down(LinkTrouble::Lost)));
        let mut hq = broker.hq(true).open().await.unwrap();
        assert_eq!(hq.next_group(10, 1_000).await.unwrap()[0].redelivered, 1);
    }

    #[tokio::test]
    async fn what_is_lost_was_confirmed_and_what_is_repeated_comes_twice() {
        let lossy = |lose, repeat| {
            MemoryBroker::new(Faults {
                seed: 3,
                lose,
                repeat,
                ..Faults::default()
            })
        };
        assert_eq!(carry(&lossy(100, 0), 0..10).await, Vec::<u8>::new());
        assert_eq!(carry(&lossy(0, 100), 0..3).await, [0, 0, 1, 1, 2, 2]);
        let some = carry(&lossy(30, 0), 0..100).await;
        assert!((50..90).contains(&some.len()), "{}", some.len());
    }

    #[tokio::test(start_paused = true)]
    async fn one_seed_is_one_fate() {
        let faults = |seed| Faults {
            seed,
            lose: 10,
            repeat: 20,
            reorder: 30,
            delay: Duration::from_secs(9),
        };
        let fate = carry(&MemoryBroker::new(faults(1)), 0..100).await;
        assert_eq!(carry(&MemoryBroker::new(faults(1)), 0..100).await, fate);
        assert_ne!(carry(&MemoryBroker::new(faults(2)), 0..100).await, fate);
        assert!(!fate.is_sorted(), "nothing was reordered");
    }

    #[tokio::test]
    async fn a_broker_that_is_stopped_wiped_or_new_says_so() {
        let broker = MemoryBroker::new(Faults::default());
        let trouble = async || broker.branch(branch()).open().events.recv().await;
        assert_eq!(trouble().await, Some(LinkEvent::Down(LinkTrouble::NoHeadOffice)));
        let hq = broker.hq(true).open().await.unwrap();
        assert!(matches!(broker.hq(true).open().await, Err(HqTrouble::AnotherHq)));
        assert!(broker.hq(false).open().await.is_ok());
        drop(hq);
        assert!(broker.hq(true).open().await.is_ok());
        broker.set_running(false);
        assert_eq!(trouble().await, Some(LinkEvent::Down(LinkTrouble::Unreachable)));
        assert!(matches!(broker.hq(true).open().await, Err(HqTrouble::Line(_))));
        broker.set_running(true);
        up(&broker).await;
        broker.wipe();
        assert_eq!(trouble().await, Some(LinkEvent::Down(LinkTrouble::NoHeadOffice)));
    }

    #[tokio::test]
    async fn a_blocked_broker_takes_nothing_until_it_is_free_again() {
        let broker = MemoryBroker::new(Faults::default());
        let _hq = broker.hq(true).open().await.unwrap();
        let mut session = up(&broker).await;
        broker.set_blocked(true);
        assert_eq!(session.events.recv().await, Some(LinkEvent::Blocked(true)));
        session.outgoing.send(sales(1)).await.unwrap();
        assert_eq!(broker.waiting(), 0);
        broker.set_blocked(false);
        assert_eq!(session.events.recv().await, Some(LinkEvent::Blocked(false)));
        assert_eq!(session.events.recv().await, Some(LinkEvent::Confirmed([1; 16])));
        assert_eq!(broker.waiting(), 1);
    }
}
