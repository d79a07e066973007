//! Carries messages between a branch and HQ; knows brokers, not sales.
//!
//! A branch sees a line as a pair of channels: what it gives to the line, and what the line tells. One [`Session`] is one life of the line: it ends with
//! [`LinkEvent::Down`], and nothing of it is used again. [`amqp`] is the real line over RabbitMQ; [`memory`] one that drops, repeats, delays,
//! reorders and cuts on request.

pub mod amqp;
pub mod memory;

use std::future::Future;

use tokio::sync::mpsc;

use crate::domain::event::LinkTrouble;
use crate::domain::ids::BranchCode;
use crate::domain::line::Traffic;
use crate::wire::topology;

/// Names one message to whoever gives it to a line: the batch's id, the hello's nonce. The broker is not told: it answers for messages by their order, and the envelope
/// has the id.
pub type MessageId = [u8; 16];

/// What kind of message it is; the last word of its routing key tells the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A hello.
    Hello,
    /// A batch of sales.
    Sales,
}

impl Kind {
    /// The routing key of a branch's messages of this kind.
    #[must_use]
    pub fn routing_key(self, branch: &BranchCode) -> String {
        match self {
            Self::Hello => topology::hello_key(branch),
            Self::Sales => topology::sales_key(branch),
        }
    }
}

/// A message from a branch on its way to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its name.
    pub id: MessageId,
    /// Its kind.
    pub kind: Kind,
    /// The sealed envelope.
    pub body: Vec<u8>,
    /// After how many milliseconds the broker may drop it; sales never expire.
    pub expires_ms: Option<u64>,
}

/// What a branch's line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The session is open: messages may be given to it.
    Up,
    /// The session has ended, or could not be opened; it tells nothing more.
    Down(LinkTrouble),
    /// The broker takes no messages for now (`true`), or takes them again.
    Blocked(bool),
    /// The branch's receipt queue is not there; the session goes on and looks again by itself.
    NoReceiptQueue,
    /// The broker has the message; nobody has promised more than that.
    Confirmed(MessageId),
    /// A message from HQ.
    Arrived(Vec<u8>),
}

/// One life of a branch's line.
#[derive(Debug)]
pub struct Session {
    /// Messages to publish, in order. Dropping it closes the session.
    pub outgoing: mpsc::Sender<Outgoing>,
    /// What happens, in order.
    pub events: mpsc::Receiver<LinkEvent>,
}

/// How a branch reaches HQ.
pub trait Transport: Send + Sync + 'static {
    /// Begins to open a session; whether it opens is its first event. Returns at once.
    fn open(&self) -> Session;

    /// The broker's name (host, port, virtual host; no credentials), by which its confirms are remembered.
    fn broker(&self) -> String;

    /// What its sessions have carried so far, since the program started.
    fn traffic(&self) -> Traffic;
}

/// A message from a branch as the broker hands it to HQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names the delivery to [`HqLink::ack`]; later deliveries have higher tags.
    pub tag: u64,
    /// The user that the broker has checked, if the sender set one.
    pub user_id: Option<String>,
    /// The routing key.
    pub routing_key: String,
    /// How often the broker has handed this message out before.
    pub redelivered: u32,
    /// The headers, as text, for whoever must look at a message that can't be read.
    pub headers: String,
    /// Why the broker gave it up, if it comes from the dead-letter queue.
    pub dead_letter: Option<DeadLetter>,
    /// The sealed envelope, if it is one.
    pub body: Vec<u8>,
}

/// Why the broker gave a message up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetter {
    /// It lay in the queue for longer than its sender had any use for it.
    Expired,
    /// Anything else: it was handed out too often, or somebody moved it.
    GivenUp,
}

/// An answer from HQ on its way to a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// To whom.
    pub branch: BranchCode,
    /// The sealed envelope.
    pub body: Vec<u8>,
}

/// How HQ reaches its broker.
pub trait HqTransport: Send + Sync + 'static {
    /// One life of HQ's line.
    type Link: HqLink;

    /// Opens a session: declares the exchanges and the queue, and begins to consume.
    ///
    /// # Errors
    /// Why it could not be opened.
    fn open(&self) -> impl Future<Output = Result<Self::Link, HqTrouble>> + Send;
}

/// One life of HQ's line. After an error it is dropped, and nothing of it is used again: what was not acked comes again.
pub trait HqLink: Send {
    /// Waits for a message, then takes what else has already arrived: at most `max_messages`, and no more once their bodies reach `max_bytes`. Can be dropped and called
    /// again without loss.
    fn next_group(
        &mut self,
        max_messages: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Delivery>, HqTrouble>> + Send;

    /// Publishes answers and waits until the broker has them. One that can't be delivered is tried once more behind a fresh declaration of its queue, and then
    /// left: the branch asks again. Errors only when the session is lost.
    fn reply(&mut self, replies: Vec<Reply>) -> impl Future<Output = Result<(), HqTrouble>> + Send;

    /// Tells the broker that these deliveries are done.
    fn ack(&mut self, tags: &[u64]) -> impl Future<Output = Result<(), HqTrouble>> + Send;

    /// Closes the session in an orderly way, within a bounded time.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Why HQ's line could not be opened, or broke.
#[derive(Debug, thiserror::Error)]
pub enum HqTrouble {
    /// Another HQ with a database of its own serves this broker.
    #[error(
        "another head office already serves this broker; two with a database each would split the sales between them"
    )]
    AnotherHq,
    /// Anything else that a later try may mend.
    #[error("{0}")]
    Line(String),
}
