//! What a delivery is: decisions about bytes and who may have sent them. What they take from the database, the product names that a message leans on and
//! whether its branch has had a login of its own, is handed in.

use std::sync::Arc;

use super::Decode;
use crate::domain::ids::{BatchId, BranchCode, Nonce};
use crate::protocol::dictionary::ProductNo;
use crate::protocol::identity::{self, Claims, Login, Mismatch, Policy};
use crate::protocol::message::{Outcome, Uplink};
use crate::store::hq::{Incoming, Question, Suspect, UnreadMessage};
use crate::transport::{DeadLetter, Delivery};
use crate::wire::{Envelope, Flaw, Unread, UplinkKind, read_envelope, topology};

/// This delivery of a message, counted from 1, and all later ones are handled alone: a message among the earlier groups may be what ended the program.
pub(super) const ALONE_FROM: u32 = 5;
/// Of a message whose handling alone began this often and never ended only the envelope is read: at the tenth delivery of one that ends the program each time.
pub(super) const MAX_TRIES: u64 = 5;

/// A delivery, as far as it can be read.
#[derive(Debug)]
pub(super) struct Heard {
    delivery: Delivery,
    read: Read,
}

#[derive(Debug)]
enum Read {
    /// The broker gave it up; whoever sent it has sent it again long since.
    DeadLetter,
    Bytes(Result<Uplink, Unread>),
    /// It ended this program so often that only its envelope is read.
    Poison {
        envelope: Result<Envelope, Flaw>,
        tries: u64,
    },
}

impl Heard {
    /// Reads a delivery; `names` looks up the product names that it leans on.
    ///
    /// # Errors
    /// When the names can't be read.
    pub(super) fn of<E>(
        delivery: Delivery,
        decode: Decode,
        mut names: impl FnMut(&Envelope, &[ProductNo]) -> Result<Option<Vec<Arc<str>>>, E>,
    ) -> Result<Self, E> {
        if delivery.dead_letter.is_some() {
            let read = Read::DeadLetter;
            return Ok(Self { delivery, read });
        }
        let mut failed = None;
        let mut names = |envelope: &Envelope, numbers: &[ProductNo]| {
            names(envelope, numbers).unwrap_or_else(|error| {
                failed = Some(error);
                None
            })
        };
        let read = Read::Bytes(decode(&delivery.body, &mut names));
        match failed {
            None => Ok(Self { delivery, read }),
            Some(error) => Err(error),
        }
    }

    /// Reads the envelope of a delivery alone, because the handling of the whole never ended in so many tries.
    pub(super) fn poison(delivery: Delivery, tries: u64) -> Self {
        let envelope = read_envelope(&delivery.body);
        Self {
            delivery,
            read: Read::Poison { envelope, tries },
        }
    }

    /// The branch that the message says it is from, if so much can be read.
    pub(super) const fn branch(&self) -> Option<&BranchCode> {
        match &self.read {
            Read::Bytes(Ok(message)) => Some(spoken_by(message)),
            Read::Bytes(Err(
                Unread::Body { envelope, .. } | Unread::UnknownProducts { envelope } | Unread::TooNew { envelope },
            ))
            | Read::Poison {
                envelope: Ok(envelope), ..
            } => Some(&envelope.branch),
            Read::Bytes(Err(Unread::NotOurs(_))) | Read::Poison { envelope: Err(_), .. } | Read::DeadLetter => None,
        }
    }

    /// How many sales it brings.
    pub(super) const fn rows(&self) -> usize {
        match &self.read {
            Read::Bytes(Ok(Uplink::Batch(batch))) => batch.sales.len(),
            Read::Bytes(_) | Read::Poison { .. } | Read::DeadLetter => 0,
        }
    }

    /// What is to be done about it.
    pub(super) fn judge(self, policy: Policy) -> Incoming {
        let delivery = &self.delivery;
        match self.read {
            Read::DeadLetter => Incoming::Refused(suspect(delivery, "the broker gave the message up".to_owned())),
            Read::Bytes(Ok(message)) => match sender(delivery, spoken_by(&message), policy) {
                Ok(login) => Incoming::Message { login, message },
                Err(mismatch) => Incoming::Refused(suspect(delivery, mismatch.to_string())),
            },
            Read::Bytes(Err(unread)) => judge_unread(delivery, &unread, policy),
            Read::Poison { envelope, tries } => judge_poison(delivery, envelope.as_ref().ok(), tries, policy),
        }
    }
}

/// What is to be done about a message that can't be read.
fn judge_unread(delivery: &Delivery, unread: &Unread, policy: Policy) -> Incoming {
    let reason = unread.to_string();
    match unread {
        Unread::NotOurs(_) => Incoming::Refused(suspect(delivery, reason)),
        Unread::Body { envelope, .. } => tell(delivery, envelope, Outcome::Unreadable, Some(reason), policy),
        // The branch sends the same sales again, with all names.
        Unread::UnknownProducts { envelope } => tell(delivery, envelope, Outcome::UnknownProducts, None, policy),
        // It will be read once HQ is upgraded: the branch has it, and waits.
        Unread::TooNew { envelope } => tell(delivery, envelope, Outcome::TooNew, None, policy),
    }
}

/// What is to be done about a message that ends the program: its branch halves the batch, until the row that does it is alone.
fn judge_poison(delivery: &Delivery, envelope: Option<&Envelope>, tries: u64, policy: Policy) -> Incoming {
    let reason = format!("head office ended {tries} times while it handled the message, and has not read it again");
    match envelope {
        Some(envelope) => tell(delivery, envelope, Outcome::Unreadable, Some(reason), policy),
        None => Incoming::Refused(suspect(delivery, reason)),
    }
}

/// Has whom the envelope names told what became of the message, if it is from there; with a reason the message goes to the quarantine.
fn tell(
    delivery: &Delivery,
    envelope: &Envelope,
    outcome: Outcome,
    reason: Option<String>,
    policy: Policy,
) -> Incoming {
    match sender(delivery, &envelope.branch, policy) {
        Err(mismatch) => Incoming::Refused(suspect(delivery, mismatch.to_string())),
        Ok(login) => Incoming::Unread(UnreadMessage {
            login,
            branch: envelope.branch.clone(),
            ledger: envelope.ledger,
            suspect: reason.map(|reason| suspect(delivery, reason)),
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
    delivery.dead_letter.is_none() && delivery.redelivered.saturating_add(1) >= ALONE_FROM
}

/// Whether a delivery is a hello that nobody waits for any more: HQ was away for longer than the branch had use for an answer, and the next hello asks the same. The
/// envelope is what tells, for a sale must never end like this, whatever its sender has written beside it.
pub(super) fn is_expired_hello(delivery: &Delivery) -> bool {
    delivery.dead_letter == Some(DeadLetter::Expired)
        && read_envelope(&delivery.body).is_ok_and(|envelope| envelope.kind == UplinkKind::Hello)
}
