//! HQ's line: one connection for what branches send, one for receipts, so that neither waits for the other.
//!
//! Opening and what a session is made of are here; the declarations are in `declare`, incoming messages in `deliveries`, receipts in `replies`.

mod declare;
mod deliveries;
mod replies;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use self::deliveries::Deliveries;
use self::replies::Replies;
use super::address::Address;
use super::dial::{Dialer, Line};
use super::failure::Failure;
use super::meter::Meter;
use crate::transport::{Delivery, HqLink, HqTransport, HqTrouble, Reply};

/// How long each half of opening may take: before and after the lock.
const OPEN_LIMIT: Duration = Duration::from_secs(90);

/// How long the lock may be held by somebody else before that is another HQ, and not one that has just crashed.
const STRANGER: Duration = Duration::from_secs(5);

/// The same after a session of ours that broke: the broker may take two heartbeats to notice.
const OWN_GHOST: Duration = Duration::from_secs(40);

/// Reaches the branches through a RabbitMQ broker.
#[derive(Debug)]
pub struct HqAmqp {
    dialer: Dialer,
    alone: bool,
    was_open: AtomicBool,
}

/// An open session of HQ.
#[derive(Debug)]
pub struct HqAmqpLink {
    deliveries: Deliveries,
    replies: Replies,
    consuming: Line,
}

impl HqAmqp {
    /// The way to the broker at `address`, shared with any number of other HQ processes on the same database.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            dialer: Dialer::new(address, Meter::default()),
            alone: false,
            was_open: AtomicBool::new(false),
        }
    }

    /// The same for an HQ with a database of its own: a second one of these on the same virtual host is refused.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    async fn prepare(&self) -> Result<(Line, Line), Failure> {
        let (consuming, replying) = self.dialer.dial_two(["hq sales", "hq receipts"]).await?;
        declare::declare(consuming.connection()).await?;
        Ok((consuming, replying))
    }

    async fn start(consuming: Line, replying: Line) -> Result<HqAmqpLink, Failure> {
        let replies = Replies::start(replying).await?;
        let deliveries = Deliveries::start(consuming.connection()).await?;
        Ok(HqAmqpLink {
            deliveries,
            replies,
            consuming,
        })
    }
}

impl HqTransport for HqAmqp {
    type Link = HqAmqpLink;

    async fn open(&self) -> Result<HqAmqpLink, HqTrouble> {
        let (consuming, replying) = limited("preparing the broker", Box::pin(self.prepare())).await?;
        if self.alone {
            let patience = if self.was_open.load(Ordering::Relaxed) {
                OWN_GHOST
            } else {
                STRANGER
            };
            if !declare::lock(consuming.connection(), patience).await? {
                tokio::join!(consuming.close(), replying.close());
                return Err(HqTrouble::AnotherHq);
            }
        }
        let link = limited("beginning to consume", Self::start(consuming, replying)).await?;
        self.was_open.store(true, Ordering::Relaxed);
        Ok(link)
    }
}

async fn limited<T>(what: &str, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(OPEN_LIMIT, step)
        .await
        .unwrap_or_else(|_| Err(Failure::timed_out(what, OPEN_LIMIT)))
}

impl HqLink for HqAmqpLink {
    async fn next_group(&mut self, max_messages: usize, max_bytes: usize) -> Result<Vec<Delivery>, HqTrouble> {
        Ok(self.deliveries.next_group(max_messages, max_bytes).await?)
    }

    async fn reply(&mut self, replies: Vec<Reply>) -> Result<(), HqTrouble> {
        Ok(self.replies.send(&replies).await?)
    }

    async fn ack(&mut self, tags: &[u64]) -> Result<(), HqTrouble> {
        Ok(self.deliveries.ack(tags).await?)
    }

    async fn close(self) {
        tokio::join!(self.consuming.close(), self.replies.close());
    }
}
