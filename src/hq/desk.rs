//! The desk at which deliveries are taken: reads them, has them committed, and writes the answers. It blocks, so it is worked at on a thread of its own.

use std::collections::HashSet;

use crate::clock;
use crate::domain::ids::BranchCode;
use crate::domain::sale::clean;
use crate::domain::time::UtcMillis;
use crate::protocol::identity::{Login, Policy};
use crate::protocol::message::{Downlink, Outcome, Uplink};
use crate::store::hq::{HqDb, HqNames, Incoming, MessageDigest, Suspect};
use crate::transport::{Delivery, Reply};
use crate::wire::{READS, encode_downlink};

use super::Options;
use super::intake::{self, Heard, MAX_TRIES};
use super::trouble::Trouble;
use super::vigil::{self, Witnesses};

/// A transaction is closed once this many sales are in it: more make it hardly faster, and all of them are in memory. What is taken from the broker at once has mostly fewer.
const COMMIT_ROWS: usize = 32_000;

/// How many bytes a database that has failed must take before anything is taken from the broker again: as much as a large group needs, so that a disk with a little room
/// left doesn't have everything delivered again and again.
const PROBE_BYTES: u32 = 4 << 20;

pub(super) struct Desk {
    names: HqNames,
    db: HqDb,
    trial: bool,
    built: UtcMillis,
    witnesses: Witnesses,
    /// The database has failed, and has not been seen to work since.
    doubtful: bool,
}

impl Desk {
    pub(super) fn at(db: HqDb, options: Options) -> Self {
        Self {
            names: HqNames::at(db.path().to_owned()),
            db,
            trial: options.trial,
            built: options.built,
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
        vigil::check(now, self.built, self.db.newest_received_at()?)?;
        Ok(self.witnesses.check(now, clock::tick())?)
    }

    /// Takes a group of deliveries; when it returns well everything is committed, and the answers may go out.
    pub(super) fn take(&mut self, group: &[Delivery], now: UtcMillis) -> Result<Vec<Reply>, Trouble> {
        self.check_clock(now)?;
        let replies = self.take_all(group, now);
        self.doubtful |= matches!(replies, Err(Trouble::Database(_) | Trouble::Reopen(_)));
        replies
    }

    fn take_all(&mut self, group: &[Delivery], now: UtcMillis) -> Result<Vec<Reply>, Trouble> {
        let mut replies = Vec::with_capacity(group.len());
        let (mut together, mut rows) = (Vec::new(), 0);
        for delivery in group.iter().filter(|delivery| !intake::is_expired_hello(delivery)) {
            if intake::is_suspicious(delivery) {
                replies.extend(self.commit(std::mem::take(&mut together), now)?);
                rows = 0;
                replies.extend(self.take_alone(delivery, now)?);
                continue;
            }
            let heard = Heard::of(delivery, &mut self.names)?;
            rows += heard.rows();
            together.push(heard);
            if rows >= COMMIT_ROWS {
                replies.extend(self.commit(std::mem::take(&mut together), now)?);
                rows = 0;
            }
        }
        replies.extend(self.commit(together, now)?);
        Ok(replies)
    }

    /// Takes a delivery that may be what ended this program before: that it is tried is written down first.
    fn take_alone(&mut self, delivery: &Delivery, now: UtcMillis) -> Result<Vec<Reply>, Trouble> {
        let digest = MessageDigest::of(&delivery.routing_key, delivery.user_id.as_deref(), &delivery.body);
        let unfinished = self.db.try_begins(digest, now)?;
        let heard = if unfinished < MAX_TRIES {
            Heard::of(delivery, &mut self.names)?
        } else {
            Heard::poison(delivery, unfinished)
        };
        let replies = self.commit(vec![heard], now);
        if !matches!(replies, Err(Trouble::Database(_))) {
            self.db.try_ended(digest)?;
        }
        replies
    }

    fn commit(&mut self, heard: Vec<Heard<'_>>, now: UtcMillis) -> Result<Vec<Reply>, Trouble> {
        if heard.is_empty() {
            return Ok(Vec::new());
        }
        let mut branches: Vec<&BranchCode> = heard.iter().filter_map(Heard::branch).collect();
        branches.sort_unstable();
        branches.dedup();
        let mut own_logins = self.db.with_own_login(&branches)?;
        let judged = heard.into_iter().map(|heard| judge(heard, self.trial, &mut own_logins));
        let group: Vec<_> = judged.collect();
        let began = clock::tick();
        for (branch, clock) in group.iter().filter_map(told_clock) {
            self.witnesses.hear(branch, clock, began);
        }
        // Before anything is judged by a clock that they contradict.
        self.witnesses.check(now, began)?;
        let answers = self.db.commit_group(now, &READS, &group)?;
        tell(&group, &answers, clock::tick().since(began));
        let answered = group.iter().zip(&answers);
        Ok(answered
            .filter_map(|(incoming, answer)| reply(incoming, answer.as_ref()?))
            .collect())
    }
}

/// Judges a delivery by what is known of its branch, and learns from it for the next one.
fn judge(heard: Heard<'_>, trial: bool, own_logins: &mut HashSet<BranchCode>) -> Incoming {
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

/// The answer as it travels.
fn reply(incoming: &Incoming, answer: &Downlink) -> Option<Reply> {
    let (branch, _) = incoming.speaker()?;
    match encode_downlink(answer) {
        Ok(body) => Some(Reply {
            branch: branch.clone(),
            body,
        }),
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
