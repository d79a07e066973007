//! The desk at which deliveries are taken: judges who has sent them, and has them committed. It blocks, so it is worked at on a thread of its own; what needs no
//! database is done elsewhere meanwhile: deliveries are read by the `reader`, and answers written when the next part is already here.

use std::collections::HashSet;

use crate::clock;
use crate::domain::ids::BranchCode;
use crate::domain::sale::clean;
use crate::domain::time::UtcMillis;
use crate::protocol::identity::{Login, Policy};
use crate::protocol::message::{Downlink, Outcome, Uplink};
use crate::store::hq::{HqDb, Incoming, MessageDigest, Suspect};
use crate::transport::{Delivery, Reply};
use crate::wire::READS;

use super::intake::{Heard, MAX_TRIES};
use super::reader::{Content, Part};
use super::trouble::Trouble;
use super::vigil::{self, Witnesses};
use super::{Encode, Options};

/// How many bytes a database that has failed must take before anything is taken from the broker again: as much as a large group needs, so that a disk with a
/// little room left doesn't have everything delivered again and again.
const PROBE_BYTES: u32 = 4 << 20;

pub(super) struct Desk {
    db: HqDb,
    options: Options,
    witnesses: Witnesses,
    /// The database has failed, and has not been seen to work since.
    doubtful: bool,
}

impl Desk {
    pub(super) fn at(db: HqDb, options: Options) -> Self {
        Self {
            db,
            options,
            witnesses: Witnesses::default(),
            doubtful: false,
        }
    }

    /// Makes sure that something can be taken at all, before a session delivers anything.
    pub(super) fn ready(&mut self, now: UtcMillis) -> Result<(), Trouble> {
        if self.doubtful {
            self.db.probe(PROBE_BYTES)?;
            // It was the database that kept us from ending what we had begun, no message.
            self.db.forgive_tries()?;
            self.doubtful = false;
        }
        self.check_clock(now)
    }

    fn check_clock(&mut self, now: UtcMillis) -> Result<(), Trouble> {
        vigil::check(now, self.options.built, self.db.newest_received_at()?)?;
        Ok(self.witnesses.check(now, clock::tick())?)
    }

    /// Takes a part; when it returns well everything is committed, and the answers may go out.
    pub(super) fn take(&mut self, part: Part, now: UtcMillis) -> Result<Committed, Trouble> {
        self.check_clock(now)?;
        let taken = match part.content {
            Content::Together(heard) => self.commit(heard, now),
            Content::Alone(delivery) => self.take_alone(delivery, now),
        };
        self.doubtful |= matches!(taken, Err(Trouble::Database(_)));
        let (answers, spent) = taken?;
        let owed = Owed {
            answers,
            tags: part.tags,
        };
        Ok(Committed { owed, spent })
    }

    /// Takes a delivery that may be what ended this program before: that it is tried is written down first, and that the try has ended only when nothing is left
    /// to do but to send the answer.
    fn take_alone(&mut self, delivery: Delivery, now: UtcMillis) -> Result<(Answers, Vec<Incoming>), Trouble> {
        let digest = MessageDigest::of(&delivery.routing_key, delivery.user_id.as_deref(), &delivery.body);
        let unfinished = self.db.try_begins(digest, now)?;
        let heard = if unfinished < MAX_TRIES {
            let db = &mut self.db;
            Heard::of(delivery, self.options.decode, |envelope, numbers| {
                db.product_names(&envelope.branch, envelope.ledger, numbers)
            })?
        } else {
            Heard::poison(delivery, unfinished)
        };
        let taken = self.commit(vec![heard], now);
        let taken = taken.map(|(answers, spent)| (Answers::Written(answers.write(self.options.encode)), spent));
        if !matches!(taken, Err(Trouble::Database(_))) {
            self.db.try_ended(digest)?;
        }
        taken
    }

    fn commit(&mut self, heard: Vec<Heard>, now: UtcMillis) -> Result<(Answers, Vec<Incoming>), Trouble> {
        if heard.is_empty() {
            return Ok((Answers::Written(Vec::new()), Vec::new()));
        }
        let mut branches: Vec<&BranchCode> = heard.iter().filter_map(Heard::branch).collect();
        branches.sort_unstable();
        branches.dedup();
        let mut own_logins = self.db.with_own_login(&branches)?;
        let judged = heard
            .into_iter()
            .map(|heard| judge(heard, self.options.trial, &mut own_logins));
        let group: Vec<_> = judged.collect();
        let began = clock::tick();
        for (branch, clock) in group.iter().filter_map(told_clock) {
            self.witnesses.hear(branch, clock, began);
        }
        // Before anything is judged by a clock that they contradict.
        self.witnesses.check(now, began)?;
        let answers = self.db.commit_group(now, &READS, &group)?;
        tell(&group, &answers, clock::tick().since(began));
        let addressed = group.iter().zip(answers).filter_map(|(incoming, answer)| {
            let (branch, _) = incoming.speaker()?;
            Some((branch.clone(), answer?))
        });
        Ok((Answers::Decided(addressed.collect()), group))
    }
}

/// A part that is committed.
pub(super) struct Committed {
    pub(super) owed: Owed,
    /// What was in it.
    pub(super) spent: Vec<Incoming>,
}

/// What a committed part is owed: its answers must go out before the broker hears that it is done with. The broker waits for that while the next part is committed.
pub(super) struct Owed {
    pub(super) answers: Answers,
    /// The deliveries, as the broker knows them.
    pub(super) tags: Vec<u64>,
}

/// The answers to a part.
pub(super) enum Answers {
    Decided(Vec<(BranchCode, Downlink)>),
    /// As they travel.
    Written(Vec<Reply>),
}

impl Answers {
    /// The answers as they travel.
    pub(super) fn write(self, encode: Encode) -> Vec<Reply> {
        match self {
            Self::Decided(answers) => answers
                .into_iter()
                .filter_map(|(branch, answer)| reply(branch, &answer, encode))
                .collect(),
            Self::Written(replies) => replies,
        }
    }
}

/// Judges a delivery by what is known of its branch, and learns from it for the next one.
fn judge(heard: Heard, trial: bool, own_logins: &mut HashSet<BranchCode>) -> Incoming {
    let had_own_login = heard.branch().is_some_and(|branch| own_logins.contains(branch));
    let incoming = heard.judge(Policy { trial, had_own_login });
    if let Some((branch, Login::Own)) = incoming.speaker()
        && !had_own_login
    {
        own_logins.insert(branch.clone());
    }
    incoming
}

/// What a branch's clock says, if this is a hello.
const fn told_clock(incoming: &Incoming) -> Option<(&BranchCode, UtcMillis)> {
    match incoming {
        Incoming::Message {
            message: Uplink::Hello(hello),
            ..
        } => Some((&hello.branch, hello.clock)),
        Incoming::Message { .. } | Incoming::Unread(_) | Incoming::Refused(_) => None,
    }
}

/// An answer as it travels.
fn reply(branch: BranchCode, answer: &Downlink, encode: Encode) -> Option<Reply> {
    match encode(answer) {
        Ok(body) => Some(Reply { branch, body }),
        Err(error) => {
            // Nothing that was read can need an answer that is over the limits; if it does, the others must not wait for it.
            tracing::error!(%branch, %error, "an answer can't be written; the branch will ask again");
            None
        }
    }
}

/// Tells the log what was committed.
fn tell(group: &[Incoming], answers: &[Option<Downlink>], duration_ms: u64) {
    let (mut sales, mut applied, mut refused, mut held) = (0, 0, 0, 0);
    for incoming in group {
        match incoming {
            Incoming::Message {
                message: Uplink::Batch(batch),
                ..
            } => sales += batch.sales.len(),
            Incoming::Message {
                message: Uplink::Hello(_),
                ..
            } => {}
            Incoming::Unread(unread) => unread.suspect.iter().for_each(tell_suspect),
            Incoming::Refused(suspect) => tell_suspect(suspect),
        }
    }
    for answer in answers.iter().flatten() {
        if let Downlink::Receipt(receipt) = answer
            && let Outcome::Taken(taken) = &receipt.outcome
        {
            applied += receipt.newly_applied;
            refused += taken.refused.len();
            held += taken.held.len();
        }
    }
    if sales > 0 {
        tracing::info!(
            messages = group.len(),
            sales,
            applied,
            refused,
            held,
            duration_ms,
            "sales committed"
        );
    } else {
        tracing::debug!(messages = group.len(), duration_ms, "messages committed");
    }
}

fn tell_suspect(suspect: &Suspect) {
    let routing_key = clean(&suspect.routing_key);
    let user = clean(suspect.user_id.as_deref().unwrap_or_default());
    tracing::warn!(
        routing_key,
        user,
        bytes = suspect.bytes.len(),
        reason = suspect.reason,
        "a message goes to the quarantine"
    );
}
