//! HQ's end of the broker inside the process.

use std::sync::Arc;

use super::broker::{Broker, Held};
use crate::transport::{Delivery, HqLink, HqTransport, HqTrouble, Reply};

/// HQ's way to the broker.
#[derive(Debug, Clone)]
pub struct MemoryHq {
    broker: Arc<Broker>,
    alone: bool,
}

/// An open session of HQ. Dropping it gives back what was not acked.
#[derive(Debug)]
pub struct MemoryHqLink {
    broker: Arc<Broker>,
    session: u64,
    cuts: u64,
}

impl MemoryHq {
    pub(super) const fn new(broker: Arc<Broker>, alone: bool) -> Self {
        Self { broker, alone }
    }
}

impl HqTransport for MemoryHq {
    type Link = MemoryHqLink;

    async fn open(&self) -> Result<MemoryHqLink, HqTrouble> {
        let (session, cuts) = self.broker.change(|state| {
            if !state.running {
                return Err(HqTrouble::Line("nobody answers at the broker's address".to_owned()));
            }
            if self.alone && state.lock.is_some() {
                return Err(HqTrouble::AnotherHq);
            }
            let session = state.unique();
            if self.alone {
                state.lock = Some(session);
            }
            state.declared = true;
            Ok((session, state.cuts))
        })?;
        Ok(MemoryHqLink {
            broker: Arc::clone(&self.broker),
            session,
            cuts,
        })
    }
}

impl MemoryHqLink {
    fn check(&self) -> Result<(), HqTrouble> {
        if self.broker.look(|state| state.cuts) == self.cuts {
            Ok(())
        } else {
            Err(HqTrouble::Line("the line to the broker is cut".to_owned()))
        }
    }

    fn take(&self, max_messages: usize, max_bytes: usize) -> Vec<Delivery> {
        let mut bytes = 0;
        let mut group = Vec::new();
        self.broker.change_quietly(|state| {
            while group.len() < max_messages && bytes < max_bytes {
                let Some((tag, held)) = state.hand_out(self.session) else {
                    break;
                };
                bytes += held.message.body.len();
                group.push(delivery(tag, held));
            }
        });
        group
    }
}

impl HqLink for MemoryHqLink {
    async fn next_group(&mut self, max_messages: usize, max_bytes: usize) -> Result<Vec<Delivery>, HqTrouble> {
        let mut changes = self.broker.subscribe();
        loop {
            self.check()?;
            let group = self.take(max_messages.max(1), max_bytes.max(1));
            if !group.is_empty() {
                return Ok(group);
            }
            if changes.changed().await.is_err() {
                return Err(HqTrouble::Line("the broker is gone".to_owned()));
            }
        }
    }

    async fn reply(&mut self, replies: Vec<Reply>) -> Result<(), HqTrouble> {
        self.check()?;
        self.broker.change(|state| {
            for reply in &replies {
                state.reply(&reply.branch, &reply.body);
            }
        });
        Ok(())
    }

    async fn ack(&mut self, tags: &[u64]) -> Result<(), HqTrouble> {
        self.check()?;
        self.broker.change_quietly(|state| {
            for tag in tags {
                state.ack(self.session, *tag);
            }
        });
        Ok(())
    }

    async fn close(self) {}
}

impl Drop for MemoryHqLink {
    fn drop(&mut self) {
        self.broker.change(|state| state.take_back(self.session));
    }
}

fn delivery(tag: u64, held: Held) -> Delivery {
    Delivery {
        tag,
        user_id: Some(held.branch.to_string()),
        routing_key: held.routing_key(),
        redelivered: held.delivered,
        headers: String::new(),
        dead_letter: None,
        body: held.message.body,
    }
}
