//! What a delivery is: pure decisions about bytes and who may have sent them.

use crate::domain::ids::{BatchId, BranchCode, Nonce};
use crate::protocol::identity::{self, Claims, Login, Mismatch, Policy};
use crate::protocol::message::{Outcome, Uplink};
use crate::store::hq::{Incoming, Question, Suspect, UnreadMessage};
use crate::transport::Delivery;
use crate::wire::{Unread, UplinkKind, decode_uplink, topology};

/// This delivery of a message, counted from 1, and all later ones are handled alone: a message among the earlier groups may be what ended the program.
pub(super) const ALONE_FROM: u32 = 5;
/// A message whose handling alone began this often and never ended goes to the quarantine unread: at the tenth delivery of one that ends the program each time.
pub(super) const MAX_TRIES: u64 = 5;

/// A delivery, as far as it can be read.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    pub(super) delivery: &'a Delivery,
    read: Read,
}

#[derive(Debug)]
enum Read {
    /// The broker gave it up; whoever sent it has sent it again long since.
    DeadLetter,
    Bytes(Result<Uplink, Unread>),
}

impl<'a> Heard<'a> {
    /// Reads a delivery.
    pub(super) fn of(delivery: &'a Delivery) -> Self {
        let read = if delivery.dead_letter {
            Read::DeadLetter
        } else {
            Read::Bytes(decode_uplink(&delivery.body))
        };
        Self { delivery, read }
    }

    /// The branch that the message says it is from, if so much can be read.
    pub(super) const fn branch(&self) -> Option<&BranchCode> {
        match &self.read {
            Read::Bytes(Ok(message)) => Some(spoken_by(message)),
            Read::Bytes(Err(Unread::Body { envelope, .. } | Unread::TooNew { envelope })) => Some(&envelope.branch),
            Read::Bytes(Err(Unread::NotOurs(_))) | Read::DeadLetter => None,
        }
    }

    /// How many sales it brings.
    pub(super) const fn rows(&self) -> usize {
        match &self.read {
            Read::Bytes(Ok(Uplink::Batch(batch))) => batch.sales.len(),
            Read::Bytes(_) | Read::DeadLetter => 0,
        }
    }

    /// What is to be done about it.
    pub(super) fn judge(self, policy: Policy) -> Incoming {
        let delivery = self.delivery;
        match self.read {
            Read::DeadLetter => Incoming::Refused(suspect(delivery, "the broker gave the message up".to_owned())),
            Read::Bytes(Ok(message)) => match sender(delivery, spoken_by(&message), policy) {
                Ok(login) => Incoming::Message { login, message },
                Err(mismatch) => Incoming::Refused(suspect(delivery, mismatch.to_string())),
            },
            Read::Bytes(Err(unread)) => judge_unread(delivery, &unread, policy),
        }
    }
}

/// What is to be done about a message that can't be read: whom its envelope names, if it is from there, is told.
fn judge_unread(delivery: &Delivery, unread: &Unread, policy: Policy) -> Incoming {
    let (envelope, outcome) = match unread {
        Unread::NotOurs(_) => return Incoming::Refused(suspect(delivery, unread.to_string())),
        Unread::Body { envelope, .. } => (envelope, Outcome::Unreadable),
        Unread::TooNew { envelope } => (envelope, Outcome::TooNew),
    };
    match sender(delivery, &envelope.branch, policy) {
        Err(mismatch) => Incoming::Refused(suspect(delivery, mismatch.to_string())),
        Ok(login) => Incoming::Unread(UnreadMessage {
            login,
            branch: envelope.branch.clone(),
            ledger: envelope.ledger,
            // What is only too new will be read once HQ is upgraded: the branch has it, and waits.
            suspect: (outcome == Outcome::Unreadable).then(|| suspect(delivery, unread.to_string())),
            question: match envelope.kind {
                UplinkKind::Hello => Question::Hello(Nonce::from_bytes(envelope.id)),
                UplinkKind::Batch => Question::Batch(BatchId::from_bytes(envelope.id), outcome),
            },
        }),
    }
}

fn sender(delivery: &Delivery, branch: &BranchCode, policy: Policy) -> Result<Login, Mismatch> {
    let claims = Claims {
        user_id: delivery.user_id.as_deref(),
        routed_as: topology::routed_as(&delivery.routing_key),
        branch,
    };
    identity::check(claims, policy)
}

const fn spoken_by(message: &Uplink) -> &BranchCode {
    match message {
        Uplink::Hello(hello) => &hello.branch,
        Uplink::Batch(batch) => &batch.branch,
    }
}

/// The delivery as the quarantine keeps it.
pub(super) fn suspect(delivery: &Delivery, reason: String) -> Suspect {
    Suspect {
        reason,
        routing_key: delivery.routing_key.clone(),
        user_id: delivery.user_id.clone(),
        headers: delivery.headers.clone(),
        bytes: delivery.body.clone(),
    }
}

/// Whether a delivery has come so often that it is handled alone.
pub(super) const fn is_suspicious(delivery: &Delivery) -> bool {
    !delivery.dead_letter && delivery.redelivered.saturating_add(1) >= ALONE_FROM
}
