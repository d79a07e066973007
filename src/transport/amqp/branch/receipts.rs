//! Receipts: consuming the branch's queue, and looking for it again while it is not there.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, Connection, Consumer};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::super::failure::{Failure, Stage, is_missing, within};
use super::{Route, abandoned};
use crate::domain::event::LinkTrouble;
use crate::transport::LinkEvent;
use crate::wire::topology;

const STEP_LIMIT: Duration = Duration::from_secs(30);

/// How many receipts the broker sends ahead.
const PREFETCH: u16 = 64;

/// Receipts are acked to the broker together, because an ack has as many bytes for one as for many: this many at the latest, so that the broker goes on sending.
const ACKED_TOGETHER: usize = 8;

/// After how long without a receipt those that came are acked. One that the broker hands out again does no harm.
const QUIET: Duration = Duration::from_secs(3);

/// The consumer's name on its channel. The broker repeats it before each receipt, and would choose a longer one.
const CONSUMER: &str = "r";

/// The wait before the queue is looked for again: doubled each time, and short again after a confirm, because HQ declares the queue when it has our message.
const LOOK_AGAIN_FIRST: Duration = Duration::from_millis(100);
const LOOK_AGAIN_CAP: Duration = Duration::from_secs(30);

/// Hands the branch's receipts to the shell.
pub(super) struct Receipts<'a> {
    connection: &'a Connection,
    queue: String,
    priority: i64,
    /// How many receipts were handed over and not acked to the broker, and the last of them.
    unacked: Option<(usize, Acker)>,
}

impl<'a> Receipts<'a> {
    pub(super) fn new(connection: &'a Connection, route: &Route) -> Self {
        Self {
            connection,
            queue: topology::receipt_queue(&route.branch),
            priority: route.next_priority.fetch_add(1, Ordering::Relaxed),
            unacked: None,
        }
    }

    /// Hands over receipts until the line breaks. `confirmed` tells of confirms.
    pub(super) async fn run(&mut self, events: &mpsc::Sender<LinkEvent>, confirmed: &Notify) -> Failure {
        let mut wait = LOOK_AGAIN_FIRST;
        loop {
            match self.consume().await {
                Ok(Some(consumer)) => return self.hand_over(consumer, events).await,
                Ok(None) => {}
                Err(failure) => return failure,
            }
            if events.send(LinkEvent::NoReceiptQueue).await.is_err() {
                return abandoned();
            }
            if timeout(wait, confirmed.notified()).await.is_ok() {
                wait = LOOK_AGAIN_FIRST;
                tokio::time::sleep(LOOK_AGAIN_FIRST).await;
            } else {
                wait = (wait * 2).min(LOOK_AGAIN_CAP);
            }
        }
    }

    /// How many programs the broker hands this branch's receipts to.
    pub(super) async fn receivers(&self) -> Result<u32, Failure> {
        let channel = within(STEP_LIMIT, "opening a channel", self.connection.create_channel()).await?;
        let look = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let what = format!("looking at the queue {}", self.queue);
        let looking = channel.queue_declare(self.queue.as_str().into(), look, FieldTable::default());
        match timeout(STEP_LIMIT, looking).await {
            Ok(Ok(queue)) => Ok(queue.consumer_count()),
            Ok(Err(error)) if is_missing(&error) => Ok(0),
            Ok(Err(error)) => Err(Failure::of(Stage::Open, &what, &error)),
            Err(_) => Err(Failure::timed_out(&what, STEP_LIMIT)),
        }
    }

    /// Begins to consume; `None` if the queue is not there. Each try has a channel of its own, because a missing queue costs the channel.
    async fn consume(&self) -> Result<Option<Consumer>, Failure> {
        let channel = within(STEP_LIMIT, "opening a channel", self.connection.create_channel()).await?;
        within(
            STEP_LIMIT,
            "limiting receipts",
            channel.basic_qos(PREFETCH, BasicQosOptions::default()),
        )
        .await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongLongInt(self.priority));
        let what = format!("reading the queue {}", self.queue);
        let consuming = channel.basic_consume(
            self.queue.as_str().into(),
            CONSUMER.into(),
            BasicConsumeOptions::default(),
            arguments,
        );
        match timeout(STEP_LIMIT, consuming).await {
            Ok(Ok(consumer)) => Ok(Some(consumer)),
            Ok(Err(error)) if is_missing(&error) => Ok(None),
            Ok(Err(error)) => Err(Failure::of(Stage::Open, &what, &error)),
            Err(_) => Err(Failure::timed_out(&what, STEP_LIMIT)),
        }
    }

    /// Hands over what comes. What is not acked when the line breaks comes again, and does no harm.
    async fn hand_over(&mut self, consumer: Consumer, events: &mpsc::Sender<LinkEvent>) -> Failure {
        let mut consumer = pin!(consumer);
        loop {
            let next = if self.unacked.is_some() {
                timeout(QUIET, consumer.next()).await
            } else {
                Ok(consumer.next().await)
            };
            let handed = match next {
                Ok(Some(Ok(delivery))) => self.hand(delivery, events).await,
                Ok(Some(Err(error))) => Err(Failure::of(Stage::Open, "waiting for receipts", &error)),
                Ok(None) => Err(self.ended()),
                Err(_) => self.settle_up().await,
            };
            if let Err(failure) = handed {
                return failure;
            }
        }
    }

    async fn hand(&mut self, delivery: Delivery, events: &mpsc::Sender<LinkEvent>) -> Result<(), Failure> {
        let Delivery { data, acker, .. } = delivery;
        events.send(LinkEvent::Arrived(data)).await.map_err(|_| abandoned())?;
        let count = self.unacked.take().map_or(0, |(count, _)| count) + 1;
        self.unacked = Some((count, acker));
        if count >= ACKED_TOGETHER {
            self.settle_up().await?;
        }
        Ok(())
    }

    /// Acks to the broker what was handed over.
    pub(super) async fn settle_up(&mut self) -> Result<(), Failure> {
        let Some((_, last)) = self.unacked.take() else {
            return Ok(());
        };
        let acking = last.ack(BasicAckOptions { multiple: true });
        within(STEP_LIMIT, "taking receipts", acking).await.map(drop)
    }

    fn ended(&self) -> Failure {
        Failure::new(
            LinkTrouble::Lost,
            format!("the broker hands out the queue {} no longer", self.queue),
        )
    }
}
