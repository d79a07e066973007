//! The branch's side of the protocol: a machine that is told what happened and answers what to do.
//!
//! It knows sessions, deadlines and which batches are out; it does not know rows, bytes or sockets. Rows are the [journal](super::journal)'s, and every
//! rule about what a receipt may change is there or in [`super::lineage`]. What the machine decides is *when*: when to connect, to say hello, to make a
//! batch, to give one up, and when to leave a silent HQ in peace.
//!
//! A batch's life: `Publishing` (on its way to the broker) → `Sent` (the broker has it) → answered and gone. A deadline that passes in `Sent` leads to `Parked`
//! (HQ is silent: the broker still has the batch, so sending it again would only pile up) or to `Retrying` (HQ has answered later messages, so this one
//! is lost). A broken session in `Publishing` dissolves the batch. A parked batch dissolves as soon as anything that was sent after it is answered.

mod flights;
mod hello;
mod link;
mod pace;
mod rest;
#[cfg(test)]
mod tests;

use super::Now;
use super::backoff::Backoff;
use super::journal::{Outline, Resumed, Settled, Weighed};
use super::message::{Answer, Downlink, HqStamp, MAX_BATCH_ROWS, Outcome, Receipt, Version};
use crate::domain::event::{LinkTrouble, LogEvent};
use crate::domain::ids::{BatchId, Nonce, StoreId};
use crate::domain::read::LineState;
use crate::domain::time::Tick;
use flights::{Flight, Stage};
use hello::HelloPlan;
use link::{Link, Rest};
use pace::Pace;

/// The named bounds of the machine. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limits {
    /// How long the broker may take to confirm a message.
    pub confirm_ms: u64,
    /// How long HQ may take to answer a batch that the broker has confirmed.
    pub answer_ms: u64,
    /// How long a session may take to open.
    pub connect_ms: u64,
    /// After how long without a hello another one goes while HQ is heard.
    pub hello_idle_ms: u64,
    /// The longest wait between hellos to a silent HQ.
    pub hello_cap_ms: u64,
    /// After how long with nothing to do the line is closed to save data; `None`: it stays open.
    pub linger_ms: Option<u64>,
    /// After how long a line that was closed to save data is opened for a hello.
    pub hello_rest_ms: u64,
    /// How often refusals that pass with time are looked at.
    pub refusals_ms: u64,
    /// The most batches that are out at once.
    pub window: usize,
    /// The most rows of a batch; no more than [`MAX_BATCH_ROWS`].
    pub batch_rows: u32,
    /// The wait between sessions.
    pub reconnect: Backoff,
    /// The wait before a batch that HQ has overlooked goes again.
    pub retry: Backoff,
    /// The versions that this program writes, oldest first.
    pub writes: Vec<Version>,
}

impl Limits {
    /// The bounds for real lines.
    #[must_use]
    pub fn real(writes: Vec<Version>) -> Self {
        Self {
            confirm_ms: 30_000,
            answer_ms: 30_000,
            connect_ms: 45_000,
            hello_idle_ms: 300_000,
            hello_cap_ms: 4 * 3_600_000,
            linger_ms: None,
            hello_rest_ms: 3_600_000,
            refusals_ms: 3_600_000,
            window: 16,
            batch_rows: 8_000,
            reconnect: Backoff {
                first_ms: 1_000,
                cap_ms: 60_000,
            },
            retry: Backoff {
                first_ms: 5_000,
                cap_ms: 300_000,
            },
            writes,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The worker has started and taken over the journal.
    Resumed(Resumed),
    /// A session is open.
    LinkUp,
    /// The session broke, or could not be opened.
    LinkDown(LinkTrouble),
    /// The broker takes no messages for now (`true`), or takes them again.
    LinkBlocked(bool),
    /// The branch's receipt queue is not there (yet).
    NoReceiptQueue,
    /// The broker has the message of this name: a hello's nonce or a batch's id.
    Confirmed([u8; 16]),
    /// Something from HQ.
    Heard(Downlink),
    /// The batch that was asked for is made.
    Formed(Outline),
    /// There was nothing to make a batch of.
    NothingWaiting,
    /// A receipt was taken in.
    Settled(Settled),
    /// An answer was taken in.
    Weighed(Weighed),
    /// There may be sales to send: somebody wrote to the database.
    SalesWaiting,
    /// The operator asks for a try right now.
    SyncNow,
    /// The hours begin in which the line may be used (`true`), or are over.
    Hours(bool),
    /// Time has passed.
    Woke,
    /// The worker is about to end.
    Stopping,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Open a session; [`Event::LinkUp`] or [`Event::LinkDown`] follows.
    Connect,
    /// Throw the session away; nothing of it is heard any more.
    Disconnect,
    /// Write a hello and publish it.
    SayHello {
        /// Its name.
        nonce: Nonce,
        /// How long it is of use, in milliseconds.
        expires_ms: u64,
    },
    /// Make a batch; [`Event::Formed`] or [`Event::NothingWaiting`] follows.
    FormBatch {
        /// Its name.
        id: BatchId,
        /// The most rows.
        max_rows: u32,
    },
    /// Publish the batch that was just made.
    Publish {
        /// The batch.
        id: BatchId,
        /// How to write it.
        version: Version,
    },
    /// See [`super::journal::Journal::park`].
    Park(BatchId),
    /// See [`super::journal::Journal::dissolve`].
    Dissolve(BatchId),
    /// See [`super::journal::Journal::settle`]; [`Event::Settled`] follows.
    Settle(Receipt),
    /// See [`super::journal::Journal::weigh`]; [`Event::Weighed`] follows.
    Weigh(Answer),
    /// See [`super::journal::Journal::adopt_store`].
    AdoptStore(StoreId),
    /// See [`super::journal::Journal::retry_refusals`].
    RetryRefusals,
    /// Write a line of the log.
    Log(LogEvent),
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent facts, each true or not in any combination"
)]
pub struct Uplink {
    limits: Limits,
    link: Link,
    hello: HelloPlan,
    pace: Pace,
    flights: Vec<Flight>,
    /// The position that the next message gets.
    next_order: u64,
    /// The store that the journal knows as HQ.
    store: Option<StoreId>,
    /// Who answers is not the HQ that this branch knows.
    stranger: bool,
    /// HQ takes this branch without a login.
    trial: bool,
    /// The versions that HQ reads, once heard.
    hq_reads: Option<Vec<Version>>,
    /// There may be pending sales in the journal.
    waiting: bool,
    /// A batch has been asked for and is not made yet.
    forming: bool,
    /// The line may be used at this hour.
    allowed: bool,
    /// Since when the line has had nothing to do.
    quiet_since: Option<Tick>,
    refusals_at: Tick,
}

impl Uplink {
    /// A machine that has not heard [`Event::Resumed`] yet and does nothing until then.
    ///
    /// # Panics
    /// When the limits leave no way to send: no version, no window, no rows, or more than a message takes.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        assert!(
            !limits.writes.is_empty() && limits.window > 0 && (1..=MAX_BATCH_ROWS).contains(&limits.batch_rows),
            "the limits leave no way to send"
        );
        Self {
            pace: Pace::new(limits.batch_rows, limits.window),
            limits,
            link: Link::Off,
            hello: HelloPlan::default(),
            flights: Vec::new(),
            next_order: 1,
            store: None,
            stranger: false,
            trial: false,
            hq_reads: None,
            waiting: false,
            forming: false,
            allowed: true,
            quiet_since: None,
            refusals_at: Tick::default(),
        }
    }

    /// The state of the line, as a screen shows it.
    #[must_use]
    pub fn line(&self) -> LineState {
        match self.link {
            Link::Off | Link::Stopped => LineState::Off,
            Link::Resting(Rest::InStep) => LineState::Resting,
            Link::Resting(Rest::OutOfHours) => LineState::OutOfHours,
            Link::Down { .. } | Link::Opening { .. } => LineState::Down,
            Link::Up { blocked: true, .. } => LineState::Blocked,
            Link::Up { blocked: false, .. } if self.stranger => LineState::Stranger,
            Link::Up { blocked: false, .. } => LineState::Up,
        }
    }

    /// Whether HQ takes this branch without a login of its own.
    #[must_use]
    pub const fn on_trial(&self) -> bool {
        self.trial
    }

    /// How many batches are out: never more than [`Limits::window`].
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// When the machine wants [`Event::Woke`] at the latest; `None`: it waits for something else.
    #[must_use]
    pub fn wake_at(&self) -> Option<Tick> {
        let flights = self.flights.iter().filter_map(|flight| match flight.stage {
            Stage::Publishing { deadline, .. } | Stage::Sent { deadline } => Some(deadline),
            Stage::Retrying { at } => Some(at),
            Stage::Parked => None,
        });
        match self.link {
            Link::Off | Link::Stopped => None,
            Link::Down { retry_at, .. } => flights.chain([retry_at, self.refusals_at]).min(),
            Link::Opening { deadline, .. } => flights.chain([deadline, self.refusals_at]).min(),
            Link::Up { blocked: true, .. } | Link::Resting(Rest::OutOfHours) => flights.chain([self.refusals_at]).min(),
            Link::Up { blocked: false, .. } | Link::Resting(Rest::InStep) => flights
                .chain([self.hello.next_at(), self.refusals_at])
                .chain(self.rest_at())
                .min(),
        }
    }

    /// Takes in what happened and says what to do, in that order.
    #[must_use]
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Resumed(resumed) => self.on_resumed(now, resumed),
            Event::LinkUp => self.on_link_up(now, &mut out),
            Event::LinkDown(trouble) => self.on_link_down(now, trouble, &mut out),
            Event::LinkBlocked(blocked) => self.on_blocked(blocked, &mut out),
            Event::NoReceiptQueue => self.hello.receipt_queue_missing(now.tick),
            Event::Confirmed(name) => self.on_confirmed(now, name),
            Event::Heard(message) => self.on_heard(now, message, &mut out),
            Event::Formed(outline) => self.on_formed(now, outline, &mut out),
            Event::NothingWaiting => {
                self.forming = false;
                self.waiting = false;
            }
            Event::Settled(Settled::Ours { more_waiting, in_doubt }) => {
                self.waiting |= more_waiting;
                self.ask_if(in_doubt, now);
            }
            Event::Settled(Settled::NotOurs) => out.push(Action::Log(LogEvent::ForeignReceipt)),
            // A new ledger, or sales that HQ forgot: whatever it was, look at the journal again.
            Event::Weighed(weighed) => {
                self.waiting = true;
                self.ask_if(weighed.in_doubt, now);
            }
            Event::SalesWaiting => self.waiting = true,
            Event::SyncNow => self.on_sync_now(now),
            Event::Hours(allowed) => self.allowed = allowed,
            Event::Woke => {}
            Event::Stopping => self.on_stopping(&mut out),
        }
        self.on_time(now, &mut out);
        self.pump(now, &mut out);
        out
    }

    fn on_resumed(&mut self, now: Now, resumed: Resumed) {
        self.store = resumed.store;
        self.flights = resumed
            .parked
            .into_iter()
            .map(|outline| Flight {
                outline,
                order: 0,
                overtaken: false,
                stage: Stage::Parked,
            })
            .collect();
        self.link = Link::Down {
            retry_at: now.tick,
            failures: 0,
        };
        self.refusals_at = now.tick;
        self.waiting = true;
    }

    fn on_heard(&mut self, now: Now, message: Downlink, out: &mut Vec<Action>) {
        self.link.proven();
        if !self.accept_store(message.stamp(), out) {
            if let Downlink::Answer(answer) = message {
                // It does answer: as soon as it says whom it replaces, that should be heard.
                self.hello.answered(answer.nonce, now.tick, &self.limits);
            }
            return;
        }
        let stamp = message.stamp();
        self.trial = stamp.trial;
        if self.hq_reads.as_ref() != Some(&stamp.reads) {
            // Sales that HQ was too old for may go now.
            self.waiting = true;
            self.hq_reads = Some(stamp.reads.clone());
            if self.version().is_none() {
                out.push(Action::Log(LogEvent::HqOlder));
            }
        }
        match message {
            Downlink::Answer(answer) => {
                let Some(order) = self.hello.answered(answer.nonce, now.tick, &self.limits) else {
                    // An answer to an earlier session's hello is old news; one to another program's is not for us.
                    return;
                };
                self.overtake(order, out);
                out.push(Action::Log(LogEvent::HqAnswered {
                    skew_ms: answer.hq.clock.0 - now.wall.0,
                }));
                out.push(Action::Weigh(answer));
            }
            Downlink::Receipt(receipt) => {
                if receipt.outcome == Outcome::TooNew && self.version().is_some() {
                    out.push(Action::Log(LogEvent::HqOlder));
                }
                let at = self
                    .flights
                    .iter()
                    .position(|flight| flight.outline.id == receipt.batch);
                let order = at.map_or(0, |at| self.flights.remove(at).order);
                self.hello.heard(now.tick, &self.limits);
                if receipt.outcome == Outcome::UnknownProducts {
                    // Most likely HQ was restored: what else it has lost is best known soon.
                    self.hello.ask(now.tick);
                }
                self.overtake(order, out);
                out.push(Action::Settle(receipt));
            }
        }
        if self.flights.iter().any(|flight| flight.stage == Stage::Parked) {
            // They were sent after what was answered now: if they are lost too, the next answer shows it.
            self.hello.ask(now.tick.plus(self.limits.answer_ms));
        }
    }

    /// Asks HQ soon whether it still has what it acknowledged, if that is in doubt; a receipt that is only late has its time first.
    fn ask_if(&mut self, in_doubt: bool, now: Now) {
        if in_doubt {
            self.hello.ask(now.tick.plus(self.limits.answer_ms));
        }
    }

    /// Whether who answers is the HQ that this branch knows; a first one, and one that was started to replace it, becomes it.
    fn accept_store(&mut self, stamp: &HqStamp, out: &mut Vec<Action>) -> bool {
        match self.store {
            Some(known) if known == stamp.store => {}
            Some(known) if !stamp.replaces.contains(&known) => {
                if !self.stranger {
                    out.push(Action::Log(LogEvent::ForeignStore { store: stamp.store }));
                }
                self.stranger = true;
                return false;
            }
            Some(_) | None => {
                if self.store.is_some() {
                    out.push(Action::Log(LogEvent::StoreReplaced { store: stamp.store }));
                }
                out.push(Action::AdoptStore(stamp.store));
                self.store = Some(stamp.store);
                self.waiting = true;
            }
        }
        self.stranger = false;
        true
    }

    fn on_sync_now(&mut self, now: Now) {
        self.waiting = true;
        self.refusals_at = now.tick;
        self.link.retry_now(now.tick);
        self.hello.say_now(now.tick);
        for flight in &mut self.flights {
            if let Stage::Retrying { at } = &mut flight.stage {
                *at = now.tick;
            }
        }
    }

    fn on_stopping(&mut self, out: &mut Vec<Action>) {
        for flight in &self.flights {
            match flight.stage {
                Stage::Sent { .. } => out.push(Action::Park(flight.outline.id)),
                Stage::Publishing { .. } | Stage::Retrying { .. } => out.push(Action::Dissolve(flight.outline.id)),
                Stage::Parked => {}
            }
        }
        self.flights.clear();
        if self.link.is_open() {
            out.push(Action::Disconnect);
        }
        self.link = Link::Stopped;
    }

    fn on_time(&mut self, now: Now, out: &mut Vec<Action>) {
        if matches!(self.link, Link::Off | Link::Stopped) {
            return;
        }
        if now.tick >= self.refusals_at {
            self.refusals_at = now.tick.plus(self.limits.refusals_ms);
            self.waiting = true;
            out.push(Action::RetryRefusals);
        }
        if self.confirm_overdue(now.tick) || self.link.opening_overdue(now.tick) {
            out.push(Action::Disconnect);
            self.on_link_down(now, LinkTrouble::TimedOut, out);
        }
        self.end_leases(now, out);
        self.dissolve_where(
            |flight| matches!(flight.stage, Stage::Retrying { at } if now.tick >= at),
            out,
        );
        self.rest_or_rise(now, out);
        if self.link.connect_due(now.tick) {
            self.link = self.link.opening(now.tick.plus(self.limits.connect_ms));
            out.push(Action::Connect);
        }
        if matches!(self.link, Link::Up { blocked: false, .. }) && self.hello.due(now.tick) {
            let nonce = Nonce::from_random(now.luck);
            let order = self.take_order();
            let expires_ms = self.hello.said(nonce, order, now.tick, &self.limits);
            out.push(Action::SayHello { nonce, expires_ms });
        }
    }

    /// The version to write: the highest that both know, the oldest of ours until HQ has been heard; `None` if HQ is too old for us.
    fn version(&self) -> Option<Version> {
        match &self.hq_reads {
            None => self.limits.writes.first().copied(),
            Some(reads) => self
                .limits
                .writes
                .iter()
                .rev()
                .find(|version| reads.contains(version))
                .copied(),
        }
    }

    const fn take_order(&mut self) -> u64 {
        let order = self.next_order;
        self.next_order += 1;
        order
    }
}

/// Milliseconds as whole seconds, rounded up.
fn seconds(millis: u64) -> u32 {
    u32::try_from(millis.div_ceil(1_000)).unwrap_or(u32::MAX)
}
