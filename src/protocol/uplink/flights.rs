//! The batches that are out: from the broker's confirm to the end of their lease, and when the next one may go.

use super::super::Now;
use super::super::journal::Outline;
use super::link::Link;
use super::{Action, Uplink, seconds};
use crate::domain::event::LogEvent;
use crate::domain::ids::{BatchId, Nonce};
use crate::domain::time::Tick;

/// A batch that is out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    pub(super) outline: Outline,
    /// Position among all that this worker has sent; zero: sent by a worker before it.
    pub(super) order: u64,
    /// HQ has answered something that was sent later.
    pub(super) overtaken: bool,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Publishing { since: Tick, deadline: Tick },
    Sent { deadline: Tick },
    Parked,
    Retrying { at: Tick },
}

impl Uplink {
    pub(super) fn on_confirmed(&mut self, now: Now, name: [u8; 16]) {
        self.link.proven();
        self.hello.confirmed(Nonce::from_bytes(name));
        let deadline = now.tick.plus(self.limits.answer_ms);
        if let Some(flight) = self
            .flights
            .iter_mut()
            .find(|flight| *flight.outline.id.as_bytes() == name)
            && let Stage::Publishing { since, .. } = flight.stage
        {
            flight.stage = Stage::Sent { deadline };
            self.pace.confirmed(flight.outline.sales.count, now.tick.since(since));
        }
    }

    pub(super) fn on_formed(&mut self, now: Now, outline: Outline, out: &mut Vec<Action>) {
        self.forming = false;
        let order = self.take_order();
        let stage = Stage::Publishing {
            since: now.tick,
            deadline: now.tick.plus(self.limits.confirm_ms),
        };
        let id = outline.id;
        self.flights.push(Flight {
            outline,
            order,
            overtaken: false,
            stage,
        });
        match (self.link, self.version()) {
            (Link::Up { .. }, Some(version)) => out.push(Action::Publish { id, version }),
            // The line broke, or HQ turned out to be older, while the batch was being made.
            _ => self.dissolve_where(|flight| flight.outline.id == id, out),
        }
    }

    /// Something that was sent at position `order` is answered: what was sent earlier and still waits for an answer has been lost on the way.
    pub(super) fn overtake(&mut self, order: u64, out: &mut Vec<Action>) {
        for flight in self.flights.iter_mut().filter(|flight| flight.order < order) {
            flight.overtaken = true;
        }
        self.dissolve_where(|flight| flight.overtaken && flight.stage == Stage::Parked, out);
    }

    /// Takes the batches whose answer is overdue back from `Sent`.
    pub(super) fn end_leases(&mut self, now: Now, out: &mut Vec<Action>) {
        for flight in &mut self.flights {
            let Stage::Sent { deadline } = flight.stage else {
                continue;
            };
            if now.tick < deadline {
                continue;
            }
            let next_try = flight.outline.attempt + 1;
            let retry_s = if flight.overtaken {
                let wait = self.limits.retry.after(flight.outline.attempt, now.luck);
                flight.stage = Stage::Retrying {
                    at: now.tick.plus(wait),
                };
                Some(seconds(wait))
            } else {
                flight.stage = Stage::Parked;
                self.hello.ask(now.tick);
                None
            };
            out.push(Action::Park(flight.outline.id));
            let after_s = seconds(self.limits.answer_ms);
            out.push(Action::Log(LogEvent::TimedOut {
                sales: flight.outline.sales,
                after_s,
                next_try,
                retry_s,
            }));
        }
    }

    pub(super) fn confirm_overdue(&self, tick: Tick) -> bool {
        let overdue = |flight: &Flight| matches!(flight.stage, Stage::Publishing { deadline, .. } if tick >= deadline);
        matches!(self.link, Link::Up { .. }) && self.flights.iter().any(overdue)
    }

    pub(super) fn dissolve_where(&mut self, lost: impl Fn(&Flight) -> bool, out: &mut Vec<Action>) {
        let before = self.flights.len();
        self.flights.retain(|flight| {
            let lost = lost(flight);
            if lost {
                out.push(Action::Dissolve(flight.outline.id));
            }
            !lost
        });
        self.waiting |= self.flights.len() < before;
    }

    /// Asks for the next batch if one may go.
    pub(super) fn pump(&mut self, now: Now, out: &mut Vec<Action>) {
        let open = matches!(self.link, Link::Up { blocked: false, .. }) && !self.stranger && self.version().is_some();
        if open && self.waiting && !self.forming && self.has_room() {
            self.forming = true;
            // The bits that named a hello in this same step must not name a batch.
            let id = BatchId::from_random(!now.luck);
            out.push(Action::FormBatch {
                id,
                max_rows: self.pace.batch_rows(),
            });
        }
    }

    /// Whether one more batch may go. What lies in a broker for a silent HQ counts among all that are out, but is not in the way of what is new: if that broker was
    /// wiped, only the answer to something new shows it.
    fn has_room(&self) -> bool {
        let count = |is: fn(&Stage) -> bool| self.flights.iter().filter(|flight| is(&flight.stage)).count();
        let publishing = count(|stage| matches!(stage, Stage::Publishing { .. }));
        let sent = count(|stage| matches!(stage, Stage::Sent { .. }));
        // A line that has failed twice in a row gets one at a time until it carries something again, so that nothing piles up before it.
        let fits = if self.link.failures() > 1 {
            publishing == 0
        } else {
            publishing + sent < self.pace.window()
        };
        fits && self.flights.len() < self.limits.window
    }
}
