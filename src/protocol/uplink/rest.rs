//! When the line is closed on purpose: to save data while all is in step, and outside the hours in which it may be used.
//!
//! Neither loses anything: batches on their way keep their deadlines, and what is due opens the line again.

use super::super::Now;
use super::link::{Link, Rest};
use super::{Action, Stage, Uplink};
use crate::domain::event::LogEvent;
use crate::domain::time::Tick;

impl Uplink {
    /// When the line is to be closed to save data, if nothing happens until then.
    pub(super) fn rest_at(&self) -> Option<Tick> {
        let since = self.quiet_since?.plus(self.limits.linger_ms?);
        Some(since.max(self.hello.patience_ends(&self.limits)?))
    }

    /// Takes note of whether there is anything to do on the line, and closes or opens it accordingly.
    pub(super) fn rest_or_rise(&mut self, now: Now, out: &mut Vec<Action>) {
        self.quiet_since = if self.is_quiet() {
            self.quiet_since.or(Some(now.tick))
        } else {
            None
        };
        match self.link {
            Link::Off | Link::Stopped => {}
            Link::Resting(Rest::OutOfHours) => {
                if self.allowed {
                    self.rise(now);
                }
            }
            _ if !self.allowed => self.rest(Rest::OutOfHours, out),
            Link::Resting(Rest::InStep) => {
                if self.waiting || self.hello.due(now.tick) {
                    self.rise(now);
                }
            }
            Link::Up { .. } => {
                if self.rest_at().is_some_and(|at| now.tick >= at) {
                    self.hello.say_at(now.tick.plus(self.limits.hello_rest_ms));
                    self.rest(Rest::InStep, out);
                }
            }
            Link::Down { .. } | Link::Opening { .. } => {}
        }
    }

    /// Whether the line is open and there is nothing for it to carry.
    fn is_quiet(&self) -> bool {
        let idle = self.flights.is_empty() && !self.waiting && !self.forming && !self.stranger;
        idle && matches!(self.link, Link::Up { blocked: false, .. })
    }

    fn rise(&mut self, now: Now) {
        self.link = Link::Down {
            retry_at: now.tick,
            failures: 0,
        };
    }

    fn rest(&mut self, why: Rest, out: &mut Vec<Action>) {
        if self.link.is_open() {
            out.push(Action::Disconnect);
        }
        self.link = Link::Resting(why);
        self.quiet_since = None;
        self.hello.session_ended();
        // Whether the broker has these is unknown: they go again.
        self.dissolve_where(|flight| matches!(flight.stage, Stage::Publishing { .. }), out);
        out.push(Action::Log(match why {
            Rest::InStep => LogEvent::LineRests,
            Rest::OutOfHours => LogEvent::HoursOver,
        }));
    }
}
