//! Receipts on their way to the branches. One that can't be delivered is tried once more and then left: the branch asks again, and no branch holds up
//! another.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::time::timeout;

use super::super::dial::Line;
use super::super::failure::{Failure, Stage, within};
use super::declare::declare_receipts;
use crate::domain::ids::BranchCode;
use crate::transport::Reply;
use crate::wire::topology;

const STEP_LIMIT: Duration = Duration::from_secs(30);

/// How many queues are declared at once when many branches are new to this session: one after the other, most of the time would go into waiting for the broker.
const DECLARED_AT_ONCE: usize = 32;

/// How long the broker may take to confirm a group of receipts.
const CONFIRM_LIMIT: Duration = Duration::from_secs(10);

/// Persistent.
const DURABLE: u8 = 2;

/// Publishes receipts.
pub(super) struct Replies {
    line: Line,
    channel: Channel,
    /// The branches whose queue this session has declared.
    declared: HashSet<BranchCode>,
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("declared", &self.declared)
            .finish_non_exhaustive()
    }
}

impl Replies {
    pub(super) async fn start(line: Line) -> Result<Self, Failure> {
        let channel = within(STEP_LIMIT, "opening a channel", line.connection().create_channel()).await?;
        within(
            STEP_LIMIT,
            "asking for confirms",
            channel.confirm_select(ConfirmSelectOptions::default()),
        )
        .await?;
        Ok(Self {
            line,
            channel,
            declared: HashSet::new(),
        })
    }

    pub(super) async fn close(self) {
        self.line.close().await;
    }

    /// See [`crate::transport::HqLink::reply`].
    pub(super) async fn send(&mut self, replies: &[Reply]) -> Result<(), Failure> {
        let mut due: Vec<&Reply> = replies.iter().collect();
        for _ in 0..2 {
            if due.is_empty() {
                return Ok(());
            }
            if self.line.connection().status().blocked() {
                // Waiting would keep the sales in a broker that is short of memory already.
                break;
            }
            self.declare(&due).await?;
            due = self.publish(&due).await?;
            for reply in &due {
                self.declared.remove(&reply.branch);
            }
        }
        if !due.is_empty() {
            tracing::warn!(
                receipts = due.len(),
                "receipts could not be delivered; the branches will ask again"
            );
        }
        Ok(())
    }

    async fn declare(&mut self, replies: &[&Reply]) -> Result<(), Failure> {
        let named: BTreeSet<BranchCode> = replies.iter().map(|reply| reply.branch.clone()).collect();
        let new: Vec<BranchCode> = named
            .into_iter()
            .filter(|branch| !self.declared.contains(branch))
            .collect();
        let connection = self.line.connection();
        // If one is refused, an older queue of that name may be there and do.
        let declaring = stream::iter(new).map(|branch| async move {
            declare_receipts(connection, &branch).await?;
            Ok::<_, Failure>(branch)
        });
        let declared: Vec<BranchCode> = declaring.buffer_unordered(DECLARED_AT_ONCE).try_collect().await?;
        self.declared.extend(declared);
        Ok(())
    }

    /// Publishes these and waits for the broker; returns those that it did not take.
    async fn publish<'a>(&self, replies: &[&'a Reply]) -> Result<Vec<&'a Reply>, Failure> {
        let mut taken = vec![false; replies.len()];
        let mut returned = HashSet::new();
        let publishing = async {
            let mut confirms = Vec::with_capacity(replies.len());
            for reply in replies {
                confirms.push(self.begin(reply).await?);
            }
            for (confirm, taken) in confirms.into_iter().zip(&mut taken) {
                let answer = confirm.await?;
                *taken = answer.is_ack();
                if let Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message)) = answer {
                    // The library may have hung it on another message's confirm; its routing key tells the truth.
                    returned.insert(message.delivery.routing_key.to_string());
                }
            }
            Ok::<(), lapin::Error>(())
        };
        // Being late is no error here: what is not taken by then counts as missed.
        let in_time = timeout(CONFIRM_LIMIT, publishing).await.unwrap_or(Ok(()));
        in_time.map_err(|error| Failure::of(Stage::Open, "sending receipts", &error))?;
        let missed = |(reply, taken): (&&'a Reply, bool)| {
            (!taken || returned.contains(&topology::receipt_queue(&reply.branch))).then_some(*reply)
        };
        Ok(replies.iter().zip(taken).filter_map(missed).collect())
    }

    async fn begin(&self, reply: &Reply) -> lapin::Result<PublisherConfirm> {
        // Nothing else: the line of a branch may be paid for by the byte, and what is answered stands in the envelope.
        let properties = BasicProperties::default().with_delivery_mode(DURABLE);
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let queue = topology::receipt_queue(&reply.branch);
        // Through the default exchange, which leads straight to the queue of that name.
        self.channel
            .basic_publish("".into(), queue.into(), options, &reply.body, properties)
            .await
    }
}
