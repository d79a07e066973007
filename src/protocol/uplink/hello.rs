//! When to say hello: at a new session, when the line is idle, and ever more rarely while HQ is silent.

use super::Limits;
use crate::domain::ids::Nonce;
use crate::domain::time::Tick;

/// A new session says hello to a silent HQ again only after this long, in milliseconds: a line that flaps piles nothing up.
const SESSION_GAP_MS: u64 = 30 * 60_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct HelloPlan {
    /// The last hello, while it has no answer.
    said: Option<Said>,
    /// When the next one is due.
    next_at: Tick,
    /// How many went unanswered in a row.
    unanswered: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Said {
    nonce: Nonce,
    at: Tick,
    confirmed: bool,
    order: u64,
}

impl HelloPlan {
    pub(super) fn due(&self, tick: Tick) -> bool {
        tick >= self.next_at
    }

    pub(super) const fn next_at(&self) -> Tick {
        self.next_at
    }

    /// Notes that a hello goes out now; returns for how long it is of use.
    pub(super) fn said(&mut self, nonce: Nonce, order: u64, tick: Tick, limits: &Limits) -> u64 {
        let doublings = self.unanswered.min(20);
        let wait = (limits.hello_idle_ms << doublings).min(limits.hello_cap_ms);
        self.said = Some(Said {
            nonce,
            at: tick,
            confirmed: false,
            order,
        });
        self.unanswered = self.unanswered.saturating_add(1);
        self.next_at = tick.plus(wait);
        wait
    }

    pub(super) fn confirmed(&mut self, nonce: Nonce) {
        if let Some(said) = self.said.as_mut().filter(|said| said.nonce == nonce) {
            said.confirmed = true;
        }
    }

    /// The answer to this hello has come; returns the hello's position, `None` if it is not the last one.
    pub(super) fn answered(&mut self, nonce: Nonce, tick: Tick, limits: &Limits) -> Option<u64> {
        let said = self.said.take_if(|said| said.nonce == nonce)?;
        self.unanswered = 0;
        self.next_at = tick.plus(limits.hello_idle_ms);
        Some(said.order)
    }

    /// HQ has been heard in another way.
    pub(super) fn heard(&mut self, tick: Tick, limits: &Limits) {
        let idle = tick.plus(limits.hello_idle_ms);
        if self.said.is_some() {
            self.unanswered = 1;
            self.next_at = self.next_at.min(idle);
        } else {
            self.next_at = idle;
        }
    }

    pub(super) fn new_session(&mut self, tick: Tick) {
        let again = match self.said {
            Some(said) if said.confirmed => said.at.plus(SESSION_GAP_MS),
            Some(_) | None => tick,
        };
        self.next_at = self.next_at.min(again);
    }

    pub(super) fn session_ended(&mut self) {
        // An unconfirmed hello may be lost: it was not a try.
        if self.said.take_if(|said| !said.confirmed).is_some() {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
    }

    /// Somebody wants to know by then whether HQ is there; a hello that waits for its answer already asks that.
    pub(super) fn ask(&mut self, by: Tick) {
        if self.said.is_none() {
            self.next_at = self.next_at.min(by);
        }
    }

    /// The queue for our answers is not there, so no hello of ours waits in this broker either, or HQ has not come to it yet.
    pub(super) fn receipt_queue_missing(&mut self, tick: Tick) {
        if let Some(said) = self.said {
            self.next_at = self.next_at.min(said.at.plus(300_000)).max(tick);
        }
    }

    pub(super) const fn say_now(&mut self, tick: Tick) {
        self.say_at(tick);
    }

    pub(super) const fn say_at(&mut self, tick: Tick) {
        self.next_at = tick;
    }

    /// Until when the answer to the last hello is waited for before the line is closed; `None`: the hello is still on its way to the broker.
    pub(super) const fn patience_ends(&self, limits: &Limits) -> Option<Tick> {
        match self.said {
            None => Some(Tick(0)),
            Some(said) if said.confirmed => Some(said.at.plus(limits.answer_ms)),
            Some(_) => None,
        }
    }
}
