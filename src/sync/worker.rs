//! The machine and its journal, in step: every action that needs the database is done before the next one.
//!
//! What needs the network comes out as an [`Order`]. So what is published was committed first.

use std::collections::VecDeque;

use crate::domain::read::LineState;
use crate::domain::time::Tick;
use crate::protocol::Now;
use crate::protocol::dictionary::Lexicon;
use crate::protocol::journal::{Formed, Journal};
use crate::protocol::message::{Batch, Hello, Uplink as Message, Version};
use crate::protocol::uplink::{Action, Event, Limits, Uplink};

/// What the line is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Open a session.
    Open,
    /// Throw the session away.
    Close,
    /// Publish a message.
    Publish {
        /// What it says.
        message: Message,
        /// How to write it.
        version: Version,
        /// After how many milliseconds the broker may drop it.
        expires_ms: Option<u64>,
    },
}

/// One life of a branch's sync worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Worker<J> {
    machine: Uplink,
    journal: J,
    broker: String,
    /// The batch that was made and is not yet published.
    formed: Option<Batch>,
    /// The product names that HQ holds.
    lexicon: Lexicon,
    /// There may be sales to take back.
    recalls: bool,
    /// What this program writes, oldest first; hellos go in the oldest, which any HQ reads.
    writes: Vec<Version>,
}

impl<J: Journal> Worker<J> {
    /// Takes over the journal from whatever worker ran before. The first step follows with [`Worker::step`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn start(mut journal: J, limits: Limits, broker: String, now: Now) -> Result<(Self, Event), J::Error> {
        let resumed = journal.resume(&broker, now)?;
        let writes = limits.writes.clone();
        let worker = Self {
            machine: Uplink::new(limits),
            journal,
            broker,
            formed: None,
            lexicon: Lexicon::default(),
            recalls: true,
            writes,
        };
        Ok((worker, Event::Resumed(resumed)))
    }

    /// When the worker wants [`Event::Woke`] at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Tick> {
        self.machine.wake_at()
    }

    /// The machine, to be looked at.
    #[must_use]
    pub const fn machine(&self) -> &Uplink {
        &self.machine
    }

    /// The state of the line.
    #[must_use]
    pub fn line(&self) -> LineState {
        self.machine.line()
    }

    /// The journal, to be looked at.
    #[must_use]
    pub const fn peek(&self) -> &J {
        &self.journal
    }

    /// The journal, for those who need it whole: a connection is moved even by reading.
    pub const fn journal(&mut self) -> &mut J {
        &mut self.journal
    }

    /// Takes in one event and all that follows from it here. `clock` is asked once for each step of the machine.
    ///
    /// # Errors
    /// When the database fails. The worker is not to be used again: whoever starts the next one gives back every lease of this one.
    pub fn step(&mut self, event: Event, clock: &mut dyn FnMut() -> Now) -> Result<Vec<Order>, J::Error> {
        let mut orders = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = clock();
            let mut actions = self.machine.handle(now, event).into_iter().peekable();
            while let Some(action) = actions.next() {
                if let (Action::Settle(receipt), Some(&Action::FormBatch { id, max_rows })) = (&action, actions.peek())
                {
                    self.lexicon.settled(receipt);
                    let (settled, formed) = self.journal.settle_and_form(receipt, id, max_rows, now)?;
                    actions.next();
                    events.push_back(Event::Settled(settled));
                    events.push_back(self.keep(formed));
                } else {
                    self.carry_out(action, now, &mut orders, &mut events)?;
                }
            }
        }
        Ok(orders)
    }

    /// Whether [`Worker::recall`] has something to do, a little at a time.
    #[must_use]
    pub const fn recalls(&self) -> bool {
        self.recalls
    }

    /// Takes a part of the sales back that HQ acknowledged and that are to go again.
    ///
    /// # Errors
    /// When the database fails, as for [`Worker::step`].
    pub fn recall(&mut self, clock: &mut dyn FnMut() -> Now) -> Result<Vec<Order>, J::Error> {
        let recalled = self.journal.recall(clock())?;
        self.recalls = recalled.more;
        if recalled.sales == 0 {
            return Ok(Vec::new());
        }
        self.step(Event::SalesWaiting, clock)
    }

    /// Keeps a batch until the machine has it published.
    fn keep(&mut self, formed: Option<Formed>) -> Event {
        let event = formed
            .as_ref()
            .map_or(Event::NothingWaiting, |formed| Event::Formed(formed.outline));
        self.formed = formed.map(|formed| formed.batch);
        event
    }

    fn carry_out(
        &mut self,
        action: Action,
        now: Now,
        orders: &mut Vec<Order>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), J::Error> {
        let journal = &mut self.journal;
        match action {
            Action::Connect => {
                self.lexicon.begin();
                orders.push(Order::Open);
            }
            Action::Disconnect => orders.push(Order::Close),
            Action::SayHello { nonce, expires_ms } => {
                let hello = journal.hello(nonce, now)?;
                let message = Message::Hello(Hello {
                    writes: self.writes.clone(),
                    ..hello
                });
                orders.push(Order::Publish {
                    message,
                    version: self.writes[0],
                    expires_ms: Some(expires_ms),
                });
            }
            Action::FormBatch { id, max_rows } => {
                let formed = journal.form_batch(id, max_rows, now)?;
                events.push_back(self.keep(formed));
            }
            Action::Publish { id, version } => {
                let batch = self.formed.take().filter(|batch| batch.id == id);
                let mut batch = batch.expect("the machine publishes the batch that was just made");
                self.lexicon.lean(&mut batch);
                orders.push(Order::Publish {
                    message: Message::Batch(batch),
                    version,
                    expires_ms: None,
                });
            }
            Action::Park(batch) => {
                self.lexicon.gave_up(batch);
                journal.park(batch, &self.broker, now)?;
            }
            Action::Dissolve(batch) => {
                self.lexicon.gave_up(batch);
                journal.dissolve(batch, now)?;
            }
            Action::Settle(receipt) => {
                self.lexicon.settled(&receipt);
                events.push_back(Event::Settled(journal.settle(&receipt, now)?));
            }
            Action::Weigh(answer) => {
                let weighed = journal.weigh(&answer, now)?;
                self.lexicon.answered(&answer, weighed.names);
                events.push_back(Event::Weighed(weighed));
                self.recalls = true;
            }
            Action::AdoptStore(store) => {
                journal.adopt_store(store, now)?;
                self.recalls = true;
            }
            Action::RetryRefusals => {
                if journal.retry_refusals(now)? > 0 {
                    events.push_back(Event::SalesWaiting);
                }
            }
            Action::Log(event) => journal.log(event, now)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
