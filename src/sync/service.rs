//! The sync worker as a branch runs it: one thread that owns a database connection, a session and the timers.
//!
//! Of all programs that have one branch database open, one runs the worker: the one that holds the lock file. A holder that has been stopped keeps its
//! lock; its stamp in the database grows old, and another takes over without it. Nothing is wrong if two workers overlap: leases and receipts are the
//! database's, and a repeat is harmless.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::line::{event_of, seal};
use super::worker::{Order, Worker};
use crate::clock;
use crate::domain::event::{Level, LinkTrouble, LogEvent};
use crate::domain::ids::{BranchCode, SaleId};
use crate::domain::line::{Hours, Traffic};
use crate::domain::read::{LineState, WorkerStamp};
use crate::domain::time::Tick;
use crate::protocol::Now;
use crate::protocol::backoff::Backoff;
use crate::protocol::uplink::{Event, Limits};
use crate::shutdown::Shutdown;
use crate::store::branch::{BranchDb, WorkerLock};
use crate::store::{OpenError, StoreError};
use crate::transport::{LinkEvent, Session, Transport};
use crate::wire::EncodeError;

/// How often the database is looked at for what other programs wrote, and the lock for its holder's end.
const POLL: Duration = Duration::from_secs(1);
/// How often a running worker renews its stamp, in milliseconds.
const STAMP_MS: u64 = 10_000;
/// A stamp that is older than this, in milliseconds, is of a worker that has been stopped.
pub const STALE_MS: u64 = 45_000;
/// How long a worker that was taken over from stands back, in milliseconds: the other one looks for the lock meanwhile.
const STEP_BACK_MS: u64 = 3 * 1_000;
/// The pause before each part of the sales that are taken back, for the till to write in.
const BREATH: Duration = Duration::from_millis(2);
/// How many lines of the log get their records at once.
const MAX_RECORDS: u32 = 1_000;
/// The wait before a worker that failed is started again.
const RESTART: Backoff = Backoff {
    first_ms: 1_000,
    cap_ms: 60_000,
};

/// What others ask of the worker.
#[derive(Debug)]
pub enum Nudge {
    /// A sale was saved in this process.
    SalesWaiting,
    /// The operator wants a try right now.
    SyncNow,
    /// The process is about to be stopped: give up rows and lock, then tell.
    Suspend(oneshot::Sender<()>),
    /// The process goes on.
    Resume,
}

/// What a service needs.
#[derive(Debug)]
pub struct Service<T> {
    /// The branch's database.
    pub path: PathBuf,
    /// The branch.
    pub branch: BranchCode,
    /// The line.
    pub transport: T,
    /// The machine's bounds.
    pub limits: Limits,
    /// The hours of the day in which the line may be used; `None`: all.
    pub hours: Option<Hours>,
}

/// A running service.
#[derive(Debug)]
pub struct Handle {
    /// Takes requests; when it is dropped, the service goes on.
    pub nudges: mpsc::UnboundedSender<Nudge>,
    /// Changes whenever the worker has written to the database.
    pub changed: watch::Receiver<u64>,
    thread: std::thread::JoinHandle<()>,
}

impl Handle {
    /// Waits until the service has ended, after its [`Shutdown`] was asked for.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the sync service ended by a panic");
        }
    }
}

/// Why one life of the worker ended in failure.
#[derive(Debug, thiserror::Error)]
enum LifeError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the lock beside the database can't be taken: check who may write to its folder")]
    Lock(#[from] std::io::Error),
    #[error("the branch's database failed")]
    Store(#[from] StoreError),
    #[error("a message to head office could not be written")]
    Encode(#[from] EncodeError),
}

/// How one life of the worker ended.
enum End {
    /// The program ends.
    Shutdown,
    /// The process is stopped and goes on later.
    Suspended(oneshot::Sender<()>),
    /// Another program runs the worker now.
    Superseded,
}

impl<T: Transport> Service<T> {
    /// Starts the service on a thread of its own; sessions run on the current tokio runtime.
    ///
    /// # Panics
    /// When the system has no thread left, or outside a tokio runtime.
    #[must_use]
    pub fn start(self, shutdown: Shutdown) -> Handle {
        let (nudges, requests) = mpsc::unbounded_channel();
        let (change, changed) = watch::channel(0);
        let runtime = tokio::runtime::Handle::current();
        let life = Life {
            service: self,
            requests,
            change,
            carried: Traffic::default(),
            shutdown,
        };
        let run = move || runtime.block_on(life.run());
        let thread = std::thread::Builder::new()
            .name("sync".into())
            .spawn(run)
            .expect("the system has a thread to spare");
        Handle {
            nudges,
            changed,
            thread,
        }
    }
}

/// The service's thread.
struct Life<T> {
    service: Service<T>,
    requests: mpsc::UnboundedReceiver<Nudge>,
    change: watch::Sender<u64>,
    /// The data meter at the last stamp, of whichever worker wrote it.
    carried: Traffic,
    shutdown: Shutdown,
}

impl<T: Transport> Life<T> {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            let life = AssertUnwindSafe(self.elected_life(failures > 0));
            let end = futures_util::FutureExt::catch_unwind(life).await;
            match end {
                Ok(Ok(End::Shutdown)) => return,
                Ok(Ok(End::Suspended(done))) => {
                    failures = 0;
                    // Nobody listens only when the process is ending anyway.
                    let _ = done.send(());
                    if !self.wait_for_resume().await {
                        return;
                    }
                }
                Ok(Ok(End::Superseded)) => {
                    failures = 0;
                    tracing::info!("another program has taken over the sync worker");
                    if !self.pause(STEP_BACK_MS).await {
                        return;
                    }
                }
                Ok(Err(error)) => {
                    failures += 1;
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        failures,
                        "the sync worker failed and starts again"
                    );
                }
                Err(_panic) => {
                    failures += 1;
                    tracing::error!(failures, "the sync worker panicked and starts again");
                }
            }
            if failures > 0 && !self.pause(RESTART.after(failures, clock::random())).await {
                return;
            }
        }
    }

    /// Waits; `false`: the program ends meanwhile.
    async fn pause(&mut self, millis: u64) -> bool {
        tokio::select! {
            () = self.shutdown.wait() => false,
            () = tokio::time::sleep(Duration::from_millis(millis)) => true,
        }
    }

    async fn wait_for_resume(&mut self) -> bool {
        loop {
            tokio::select! {
                () = self.shutdown.wait() => return false,
                request = self.requests.recv() => match request {
                    Some(Nudge::Resume) => return true,
                    Some(Nudge::Suspend(done)) => drop(done.send(())),
                    Some(Nudge::SalesWaiting | Nudge::SyncNow) => {}
                    None => return self.pause(u64::MAX).await,
                },
            }
        }
    }

    /// Waits until this program is elected, then runs a worker until it ends. `again`: the last one here failed.
    async fn elected_life(&mut self, again: bool) -> Result<End, LifeError> {
        let mut db = BranchDb::open(&self.service.path, Some(&self.service.branch))?;
        let mut candidate = false;
        loop {
            let lock = WorkerLock::try_take(&self.service.path)?;
            let stamp = db.status()?.worker;
            let stopped = stamp.is_some_and(|stamp| clock::wall().since(stamp.at) > STALE_MS);
            if lock.is_some() || (candidate && stopped) {
                if candidate {
                    db.log(LogEvent::WorkerElected, clock::wall())?;
                } else if again {
                    db.log(LogEvent::WorkerRestarted, clock::wall())?;
                }
                return self.work(db, lock).await;
            }
            candidate = true;
            tokio::select! {
                () = self.shutdown.wait() => return Ok(End::Shutdown),
                request = self.requests.recv() => match request {
                    Some(Nudge::Suspend(done)) => return Ok(End::Suspended(done)),
                    Some(Nudge::SalesWaiting | Nudge::SyncNow | Nudge::Resume) | None => tokio::time::sleep(POLL).await,
                },
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn work(&mut self, mut db: BranchDb, lock: Option<WorkerLock>) -> Result<End, LifeError> {
        let recorded = db.log_tail(1)?.last().map_or(0, |line| line.seq);
        let (worker, first) = Worker::start(db, self.service.limits.clone(), self.service.transport.broker(), now())?;
        let mut shift = Shift {
            worker,
            session: None,
            stamped: None,
            seen: 0,
            recorded,
            carried: &mut self.carried,
            in_hours: true,
            change: &self.change,
            service: &self.service,
            lock,
        };
        // Before the first step, so that a line that may not be used is not opened for a moment.
        if let Some(event) = shift.clock_in() {
            shift.step(event)?;
        }
        shift.step(first)?;
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if !shift.stamp()? {
                return Ok(End::Superseded);
            }
            let event = tokio::select! {
                biased;
                () = self.shutdown.wait() => {
                    shift.stop()?;
                    return Ok(End::Shutdown);
                }
                Some(request) = self.requests.recv() => match request {
                    Nudge::SalesWaiting => Some(Event::SalesWaiting),
                    Nudge::SyncNow => Some(Event::SyncNow),
                    Nudge::Suspend(done) => {
                        shift.stop()?;
                        return Ok(End::Suspended(done));
                    }
                    Nudge::Resume => None,
                },
                told = next_of(&mut shift.session) => event_of(told),
                () = until(shift.worker.wake_at()) => Some(Event::Woke),
                _ = poll.tick() => shift.poll()?,
                () = tokio::time::sleep(BREATH), if shift.worker.recalls() => {
                    shift.recall()?;
                    None
                }
            };
            for event in event.into_iter().chain(shift.clock_in()) {
                shift.step(event)?;
            }
        }
    }
}

/// One worker with its session.
struct Shift<'a, T> {
    worker: Worker<BranchDb>,
    session: Option<Session>,
    /// The last stamp, and when it was written.
    stamped: Option<(Tick, WorkerStamp)>,
    /// The database's version that was last looked at.
    seen: i64,
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

impl<T: Transport> Shift<'_, T> {
    fn step(&mut self, event: Event) -> Result<(), LifeError> {
        let orders = self.worker.step(event, &mut now)?;
        self.obey(orders)
    }

    /// Takes a part of the sales back that are to go again.
    fn recall(&mut self) -> Result<(), LifeError> {
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
        self.change.send_modify(|count| *count = count.wrapping_add(1));
        self.record()
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

    /// Looks whether another program has written sales to the database, or has given up the lock.
    fn poll(&mut self) -> Result<Option<Event>, LifeError> {
        if self.lock.is_none() {
            self.lock = WorkerLock::try_take(self.worker.journal().path())?;
        }
        let version = self.worker.journal().data_version()?;
        if version == self.seen {
            return Ok(None);
        }
        self.seen = version;
        let waits = self.worker.journal().status()?.pending > 0;
        Ok(waits.then_some(Event::SalesWaiting))
    }

    /// Looks whether the hours of the line have begun or are over.
    fn clock_in(&mut self) -> Option<Event> {
        let in_hours = self.service.hours.as_ref()?.are_open(clock::local().time());
        let turned = in_hours != self.in_hours;
        self.in_hours = in_hours;
        turned.then_some(Event::Hours(in_hours))
    }

    /// Keeps the stamp fresh; `false`: another program has taken over meanwhile.
    fn stamp(&mut self) -> Result<bool, LifeError> {
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
            let current = self.worker.journal().status()?.worker;
            if current.is_some_and(|current| current.pid != pid && stamp.at.since(current.at) < STALE_MS) {
                return Ok(false);
            }
        }
        self.write_stamp(stamp)?;
        self.stamped = Some((tick, stamp));
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

    fn stop(&mut self) -> Result<(), LifeError> {
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

/// What the session tells next. One that is down says nothing more and is put away.
async fn next_of(session: &mut Option<Session>) -> LinkEvent {
    let Some(open) = session else {
        return std::future::pending().await;
    };
    let told = open.events.recv().await;
    let told = told.unwrap_or(LinkEvent::Down(LinkTrouble::Lost));
    if matches!(told, LinkEvent::Down(_)) {
        *session = None;
    }
    told
}

async fn until(tick: Option<Tick>) {
    match tick {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.since(clock::tick()))).await,
        None => std::future::pending().await,
    }
}
