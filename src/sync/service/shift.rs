//! One worker's shift: its session, its stamp, and what it looks for though nothing has happened.
//!
//! Who is elected for a shift, and what becomes of it when it fails, is the service's business.

use std::collections::VecDeque;

use tokio::sync::watch;

use super::super::line::seal;
use super::super::worker::{Order, Worker};
use super::{LifeError, Lookout, POLL_MS, STALE_MS, Service};
use crate::clock;
use crate::domain::event::{Level, LinkTrouble};
use crate::domain::ids::SaleId;
use crate::domain::line::Traffic;
use crate::domain::read::{LineState, WorkerStamp};
use crate::domain::time::{Tick, UtcMillis};
use crate::protocol::Now;
use crate::protocol::uplink::Event;
use crate::store::branch::{BranchDb, WorkerLock};
use crate::transport::{LinkEvent, Session, Transport};

/// How often a running worker renews its stamp, in milliseconds: each time is a transaction, and has the screen look at everything anew.
const STAMP_MS: u64 = 20_000;
/// How many lines of the log get their records at once.
const MAX_RECORDS: u32 = 1_000;

/// One worker with its session.
pub(super) struct Shift<'a, T> {
    worker: Worker<BranchDb>,
    session: Option<Session>,
    /// The last stamp, and when it was written.
    stamped: Option<(Tick, WorkerStamp)>,
    /// The database's version that was last looked at.
    seen: i64,
    /// When that was.
    looked_at: Tick,
    /// How many rows this connection had written when others were last told.
    told_of: u64,
    /// The last line of the log that has its record.
    recorded: i64,
    /// The data meter at the last stamp.
    carried: &'a mut Traffic,
    /// Whether the machine believes that the line may be used.
    in_hours: bool,
    change: &'a watch::Sender<u64>,
    service: &'a Service<T>,
    /// Not here while a worker that was stopped keeps it.
    lock: Option<WorkerLock>,
}

impl<'a, T: Transport> Shift<'a, T> {
    /// Takes over the database from whichever worker ran before.
    pub(super) fn begin(
        service: &'a Service<T>,
        mut db: BranchDb,
        lock: Option<WorkerLock>,
        change: &'a watch::Sender<u64>,
        carried: &'a mut Traffic,
    ) -> Result<Self, LifeError> {
        let recorded = db.log_tail(1)?.last().map_or(0, |line| line.seq);
        let (worker, first) = Worker::start(db, service.limits.clone(), service.transport.broker(), now())?;
        let mut shift = Self {
            worker,
            session: None,
            stamped: None,
            seen: 0,
            looked_at: Tick::default(),
            told_of: 0,
            recorded,
            carried,
            in_hours: true,
            change,
            service,
            lock,
        };
        // Before the first step, so that a line that may not be used is not opened for a moment.
        if let Some(event) = shift.clock_in() {
            shift.step(event)?;
        }
        shift.step(first)?;
        Ok(shift)
    }

    /// When the machine wants to be woken.
    pub(super) fn wake_at(&self) -> Option<Tick> {
        self.worker.wake_at()
    }

    /// Whether [`Shift::recall`] has something to do.
    pub(super) const fn recalls(&self) -> bool {
        self.worker.recalls()
    }

    pub(super) fn step(&mut self, event: Event) -> Result<(), LifeError> {
        let orders = self.worker.step(event, &mut now)?;
        self.obey(orders)
    }

    /// Takes a part of the sales back that are to go again.
    pub(super) fn recall(&mut self) -> Result<(), LifeError> {
        let orders = self.worker.recall(&mut now)?;
        self.obey(orders)
    }

    fn obey(&mut self, orders: Vec<Order>) -> Result<(), LifeError> {
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            match order {
                Order::Open => self.session = Some(self.service.transport.open()),
                Order::Close => self.session = None,
                Order::Publish {
                    message,
                    version,
                    expires_ms,
                } => {
                    let sealed = seal(&message, version, expires_ms)?;
                    let taken = self
                        .session
                        .as_ref()
                        .is_some_and(|session| session.outgoing.try_send(sealed).is_ok());
                    if !taken && self.session.take().is_some() {
                        orders.extend(self.worker.step(Event::LinkDown(LinkTrouble::Lost), &mut now)?);
                    }
                }
            }
        }
        self.record()?;
        // After our own look at the log: two connections of one process that read at the same time wait for each other.
        if self.has_written()? {
            self.say_changed();
        }
        Ok(())
    }

    /// Whether something was written here since this was asked before.
    fn has_written(&mut self) -> Result<bool, LifeError> {
        let written = self.worker.journal().rows_written()?;
        Ok(std::mem::replace(&mut self.told_of, written) != written)
    }

    /// What the session tells next. One that is down says nothing more and is put away.
    pub(super) async fn told(&mut self) -> LinkEvent {
        let Some(open) = &mut self.session else {
            return std::future::pending().await;
        };
        let told = open.events.recv().await;
        let told = told.unwrap_or(LinkEvent::Down(LinkTrouble::Lost));
        if matches!(told, LinkEvent::Down(_)) {
            self.session = None;
        }
        told
    }

    fn say_changed(&self) {
        self.change.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Gives each new line of the log its record in the log file.
    fn record(&mut self) -> Result<(), LifeError> {
        for line in self.worker.journal().log_after(self.recorded, MAX_RECORDS)? {
            self.recorded = line.seq;
            let (event, sale) = (&line.event, line.event.sale().map(SaleId::get));
            match event.level() {
                Level::Info => tracing::info!(seq = line.seq, sale, ?event, "log"),
                Level::Warning => tracing::warn!(seq = line.seq, sale, ?event, "log"),
                Level::Problem => tracing::error!(seq = line.seq, sale, ?event, "log"),
            }
        }
        Ok(())
    }

    /// When to look around though nothing has happened: others may have written, the lock may have been given up, hours have begun or are over, the stamp is old. The
    /// round of the stamp also finds what others wrote and nobody said.
    pub(super) fn round_at(&self) -> Option<Tick> {
        let polls = self.service.lookout == Lookout::Own || self.lock.is_none();
        let poll = polls.then(|| self.looked_at.plus(POLL_MS));
        let hours = self
            .service
            .hours
            .as_ref()
            .map(|_| clock::tick().plus(to_next_minute(clock::wall())));
        let stamp = self.stamped.map(|(at, _)| at.plus(STAMP_MS));
        [poll, hours, stamp].into_iter().flatten().min()
    }

    /// Looks whether another program has written sales to the database, or has given up the lock.
    pub(super) fn look(&mut self) -> Result<Option<Event>, LifeError> {
        self.looked_at = clock::tick();
        if self.lock.is_none() {
            self.lock = WorkerLock::try_take(self.worker.journal().path())?;
        }
        let version = self.worker.journal().data_version()?;
        if version == self.seen {
            return Ok(None);
        }
        self.seen = version;
        let waits = self.worker.journal().has_pending()?;
        Ok(waits.then_some(Event::SalesWaiting))
    }

    /// Looks whether the hours of the line have begun or are over.
    pub(super) fn clock_in(&mut self) -> Option<Event> {
        let in_hours = self.service.hours.as_ref()?.are_open(clock::local().time());
        let turned = in_hours != self.in_hours;
        self.in_hours = in_hours;
        turned.then_some(Event::Hours(in_hours))
    }

    /// Keeps the stamp fresh; `false`: another program has taken over meanwhile.
    pub(super) fn stamp(&mut self) -> Result<bool, LifeError> {
        let pid = std::process::id();
        let stamp = WorkerStamp {
            at: clock::wall(),
            pid,
            line: self.worker.line(),
            trial: self.worker.machine().on_trial(),
        };
        let tick = clock::tick();
        if let Some((at, last)) = self.stamped {
            if last.line == stamp.line && last.trial == stamp.trial && tick.since(at) < STAMP_MS {
                return Ok(true);
            }
            let current = self.worker.journal().worker_stamp()?;
            if current.is_some_and(|current| current.pid != pid && stamp.at.since(current.at) < STALE_MS) {
                return Ok(false);
            }
        }
        self.write_stamp(stamp)?;
        // Others are told by what it says, not because it was written.
        self.has_written()?;
        let is_news = self
            .stamped
            .replace((tick, stamp))
            .is_none_or(|(_, last)| (last.line, last.trial) != (stamp.line, stamp.trial));
        if is_news {
            self.say_changed();
        }
        Ok(true)
    }

    /// Writes a stamp, and with it what the line has carried since the last one.
    fn write_stamp(&mut self, stamp: WorkerStamp) -> Result<(), LifeError> {
        let traffic = self.service.transport.traffic();
        let today = clock::local().date();
        self.worker
            .journal()
            .stamp_worker(stamp, traffic.since(*self.carried), today)?;
        *self.carried = traffic;
        Ok(())
    }

    pub(super) fn stop(&mut self) -> Result<(), LifeError> {
        self.step(Event::Stopping)?;
        let off = WorkerStamp {
            at: clock::wall(),
            pid: std::process::id(),
            line: LineState::Off,
            trial: false,
        };
        self.write_stamp(off)
    }
}

fn now() -> Now {
    Now {
        tick: clock::tick(),
        wall: clock::wall(),
        luck: clock::random(),
    }
}

/// Hours begin and end with a whole minute, in every time zone.
const fn to_next_minute(now: UtcMillis) -> u64 {
    const MINUTE_MS: i64 = 60_000;
    (MINUTE_MS - now.0.rem_euclid(MINUTE_MS)).unsigned_abs()
}

#[cfg(test)]
mod tests;
