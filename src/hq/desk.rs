//! The desk at which deliveries are taken: reads them, has them committed, and writes the answers. It blocks, so it is worked at on a thread of its own.

use std::collections::HashSet;

use crate::clock;
use crate::domain::ids::BranchCode;
use crate::domain::sale::clean;
use crate::domain::time::UtcMillis;
use crate::protocol::identity::{Login, Policy};
use crate::protocol::message::{Downlink, Outcome, Uplink};
use crate::store::StoreError;
use crate::store::hq::{HqDb, Incoming, MessageDigest, Suspect};
use crate::transport::{Delivery, Reply};
use crate::wire::{READS, encode_downlink};

use super::intake::{self, Heard, MAX_TRIES};
use super::trouble::Trouble;
use super::vigil;

/// A transaction is closed once this many sales are in it: more make it hardly faster, and all of them are in memory. What is taken from the broker at once has mostly fewer.
const COMMIT_ROWS: usize = 32_000;

/// How many bytes a database that has failed must take before anything is taken from the broker again: as much as a large group needs, so that a disk with a little room
/// left doesn't have everything delivered again and again.
const PROBE_BYTES: u32 = 4 << 20;

pub(super) struct Desk {
    db: HqDb,
    trial: bool,
    /// The database has failed, and has not been seen to work since.
    doubtful: bool,
}

impl Desk {
    pub(super) const fn at(db: HqDb, trial: bool) -> Self {
        Self {
            db,
            trial,
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
        Ok(vigil::check(now, self.db.newest_received_at()?)?)
    }

    /// Takes a group of deliveries; when it returns well everything is committed, and the answers may go out.
    pub(super) fn take(&mut self, group: &[Delivery], now: UtcMillis) -> Result<Vec<Reply>, Trouble> {
        vigil::check(now, self.db.newest_received_at()?)?;
        self.take_all(group, now).map_err(|error| {
            self.doubtful = true;
            error.into()
        })
    }

    fn take_all(&mut self, group: &[Delivery], now: UtcMillis) -> Result<Vec<Reply>, StoreError> {
        let mut replies = Vec::with_capacity(group.len());
        let (mut together, mut rows) = (Vec::new(), 0);
        for delivery in group {
            if intake::is_suspicious(delivery) {
                replies.extend(self.commit(std::mem::take(&mut together), now)?);
                rows = 0;
                replies.extend(self.take_alone(delivery, now)?);
                continue;
            }
            let heard = Heard::of(delivery);
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
    fn take_alone(&mut self, delivery: &Delivery, now: UtcMillis) -> Result<Vec<Reply>, StoreError> {
        let digest = MessageDigest::of(&delivery.routing_key, delivery.user_id.as_deref(), &delivery.body);
        let unfinished = self.db.try_begins(digest, now)?;
        let replies = if unfinished < MAX_TRIES {
            self.commit(vec![Heard::of(delivery)], now)?
        } else {
            let reason =
                format!("head office ended {unfinished} times while it handled the message, and has not read it again");
            let suspect = intake::suspect(delivery, reason);
            self.commit_incoming(&[Incoming::Refused(suspect)], now)?
        };
        self.db.try_ended(digest)?;
        Ok(replies)
    }

    fn commit(&mut self, heard: Vec<Heard<'_>>, now: UtcMillis) -> Result<Vec<Reply>, StoreError> {
        if heard.is_empty() {
            return Ok(Vec::new());
        }
        let mut branches: Vec<&BranchCode> = heard.iter().filter_map(Heard::branch).collect();
        branches.sort_unstable();
        branches.dedup();
        let mut own_logins = self.db.with_own_login(&branches)?;
        let judged = heard.into_iter().map(|heard| judge(heard, self.trial, &mut own_logins));
        let group: Vec<_> = judged.collect();
        self.commit_incoming(&group, now)
    }

    fn commit_incoming(&mut self, group: &[Incoming], now: UtcMillis) -> Result<Vec<Reply>, StoreError> {
        let began = clock::tick();
        let answers = self.db.commit_group(now, &READS, group)?;
        tell(group, &answers, clock::tick().since(began));
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
