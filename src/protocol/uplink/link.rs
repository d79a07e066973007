//! The machine's view of its session.

use super::super::Now;
use super::{Action, Stage, Uplink};
use crate::domain::event::{LinkTrouble, LogEvent};
use crate::domain::time::Tick;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Link {
    /// The worker has not started.
    Off,
    /// No session; the next try is due at `retry_at`.
    Down { retry_at: Tick, failures: u32 },
    /// A session is being opened.
    Opening { deadline: Tick, failures: u32 },
    /// A session is open; `failures` led to it and count until it has carried something.
    Up { blocked: bool, failures: u32 },
    /// Closed on purpose.
    Resting(Rest),
    /// The worker is ending.
    Stopped,
}

/// Why the line is closed on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rest {
    /// To save data: all is in step.
    InStep,
    /// It may not be used at this hour.
    OutOfHours,
}

impl Link {
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Up { .. } | Self::Opening { .. })
    }

    pub(super) const fn failures(self) -> u32 {
        match self {
            Self::Down { failures, .. } | Self::Opening { failures, .. } | Self::Up { failures, .. } => failures,
            Self::Off | Self::Resting(_) | Self::Stopped => 0,
        }
    }

    /// The session has carried something, so earlier failures say nothing about it.
    pub(super) const fn proven(&mut self) {
        if let Self::Up { failures, .. } = self {
            *failures = 0;
        }
    }

    pub(super) const fn retry_now(&mut self, tick: Tick) {
        if let Self::Down { retry_at, .. } = self {
            *retry_at = tick;
        }
    }

    pub(super) fn connect_due(self, tick: Tick) -> bool {
        matches!(self, Self::Down { retry_at, .. } if tick >= retry_at)
    }

    pub(super) fn opening_overdue(self, tick: Tick) -> bool {
        matches!(self, Self::Opening { deadline, .. } if tick >= deadline)
    }

    pub(super) const fn opening(self, deadline: Tick) -> Self {
        Self::Opening {
            deadline,
            failures: self.failures(),
        }
    }
}

impl Uplink {
    pub(super) fn on_link_up(&mut self, now: Now, out: &mut Vec<Action>) {
        let Link::Opening { failures, .. } = self.link else {
            // A session that opened after it was given up has been thrown away.
            return;
        };
        self.link = Link::Up {
            blocked: false,
            failures,
        };
        self.stranger = false;
        self.waiting = true;
        self.hello.new_session(now.tick);
        out.push(Action::Log(LogEvent::LinkUp));
    }

    pub(super) fn on_link_down(&mut self, now: Now, trouble: LinkTrouble, out: &mut Vec<Action>) {
        if !self.link.is_open() {
            return;
        }
        let failures = self.link.failures().saturating_add(1);
        let wait = self.limits.reconnect.after(failures, now.luck);
        self.link = Link::Down {
            retry_at: now.tick.plus(wait),
            failures,
        };
        self.hello.session_ended();
        self.pace.broken();
        // Whether the broker has these is unknown: they go again.
        self.dissolve_where(|flight| matches!(flight.stage, Stage::Publishing { .. }), out);
        out.push(Action::Log(LogEvent::LinkDown {
            trouble,
            retry_s: super::seconds(wait),
        }));
    }

    pub(super) fn on_blocked(&mut self, blocked: bool, out: &mut Vec<Action>) {
        let Link::Up { blocked: before, .. } = &mut self.link else {
            return;
        };
        if blocked && !*before {
            out.push(Action::Log(LogEvent::BrokerBlocked));
        }
        *before = blocked;
    }
}
