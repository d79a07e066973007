//! The sync worker as a branch runs it: one thread that owns a database connection, a session and the timers.
//!
//! Of all programs that have one branch database open, one runs the worker: the one that holds the lock file. A holder that has been stopped keeps its
//! lock; its stamp in the database grows old, and another takes over without it. Nothing is wrong if two workers overlap: leases and receipts are the
//! database's, and a repeat is harmless. What the elected one does is in `shift`.

mod shift;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use self::shift::Shift;
use super::line::event_of;
use crate::clock;
use crate::domain::event::LogEvent;
use crate::domain::ids::BranchCode;
use crate::domain::line::{Hours, Traffic};
use crate::domain::time::Tick;
use crate::protocol::backoff::Backoff;
use crate::protocol::uplink::{Event, Limits};
use crate::shutdown::Shutdown;
use crate::store::branch::{BranchDb, WorkerLock};
use crate::store::{OpenError, StoreError};
use crate::transport::Transport;
use crate::wire::EncodeError;

/// How often the lock is tried while somebody else has it, and the database looked at by a [`Lookout::Own`], in milliseconds.
const POLL_MS: u64 = 1_000;
/// A stamp that is older than this, in milliseconds, is of a worker that has been stopped.
pub const STALE_MS: u64 = 45_000;
/// How long a worker that was taken over from stands back, in milliseconds: the other one looks for the lock meanwhile.
const STEP_BACK_MS: u64 = 3 * 1_000;
/// The pause before each part of the sales that are taken back, for the till to write in.
const BREATH: Duration = Duration::from_millis(2);
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
    /// Somebody has written to the database.
    Look,
    /// The operator wants a try right now.
    SyncNow,
    /// The process is about to be stopped: give up rows and lock, then tell.
    Suspend(oneshot::Sender<()>),
    /// The process goes on.
    Resume,
}

/// Who looks for what other programs write to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookout {
    /// The service itself.
    Own,
    /// Somebody who says [`Nudge::Look`]: one who looks is enough.
    Told,
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
    /// Who looks for what other programs write.
    pub lookout: Lookout,
}

/// A running service.
#[derive(Debug)]
pub struct Handle {
    /// Takes requests; when it is dropped, the service goes on.
    pub nudges: mpsc::UnboundedSender<Nudge>,
    /// Changes when the worker has written to the database. A stamp that says nothing new is not told.
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
            let goes_on = match end {
                Ok(Ok(End::Shutdown)) => false,
                Ok(Ok(End::Suspended(done))) => {
                    failures = 0;
                    self.suspended(done).await
                }
                Ok(Ok(End::Superseded)) => {
                    failures = 0;
                    tracing::info!("another program has taken over the sync worker");
                    self.stand_by(STEP_BACK_MS).await
                }
                Ok(Err(error)) => {
                    failures += 1;
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        failures,
                        "the sync worker failed and starts again"
                    );
                    self.stand_by(RESTART.after(failures, clock::random())).await
                }
                Err(_panic) => {
                    failures += 1;
                    tracing::error!(failures, "the sync worker panicked and starts again");
                    self.stand_by(RESTART.after(failures, clock::random())).await
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Waits while no worker runs here, so that nothing need be given up before the process is stopped; `false`: the program ends meanwhile.
    async fn stand_by(&mut self, millis: u64) -> bool {
        let mut over = pin!(tokio::time::sleep(Duration::from_millis(millis)));
        loop {
            tokio::select! {
                () = self.shutdown.wait() => return false,
                () = &mut over => return true,
                Some(request) = self.requests.recv() => match request {
                    Nudge::Suspend(done) => return self.suspended(done).await,
                    // The next worker asks for all of that when it begins.
                    Nudge::SalesWaiting | Nudge::Look | Nudge::SyncNow | Nudge::Resume => {}
                },
            }
        }
    }

    /// Lets the process be stopped and waits until it goes on; `false`: the program ends meanwhile.
    async fn suspended(&mut self, done: oneshot::Sender<()>) -> bool {
        // Nobody listens only when the process is ending anyway.
        let _ = done.send(());
        loop {
            tokio::select! {
                () = self.shutdown.wait() => return false,
                Some(request) = self.requests.recv() => match request {
                    Nudge::Resume => return true,
                    Nudge::Suspend(done) => drop(done.send(())),
                    Nudge::SalesWaiting | Nudge::Look | Nudge::SyncNow => {}
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
            let stamp = db.worker_stamp()?;
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
            if !self.stand_by(POLL_MS).await {
                return Ok(End::Shutdown);
            }
        }
    }

    async fn work(&mut self, db: BranchDb, lock: Option<WorkerLock>) -> Result<End, LifeError> {
        let mut shift = Shift::begin(&self.service, db, lock, &self.change, &mut self.carried)?;
        loop {
            if !shift.stamp()? {
                return Ok(End::Superseded);
            }
            let (wake_at, round_at, recalls) = (shift.wake_at(), shift.round_at(), shift.recalls());
            let event = tokio::select! {
                biased;
                () = self.shutdown.wait() => {
                    shift.stop()?;
                    return Ok(End::Shutdown);
                }
                Some(request) = self.requests.recv() => match request {
                    Nudge::SalesWaiting => Some(Event::SalesWaiting),
                    Nudge::Look => shift.look()?,
                    Nudge::SyncNow => Some(Event::SyncNow),
                    Nudge::Suspend(done) => {
                        shift.stop()?;
                        return Ok(End::Suspended(done));
                    }
                    Nudge::Resume => None,
                },
                told = shift.told() => event_of(told),
                () = until(wake_at) => Some(Event::Woke),
                () = until(round_at) => shift.look()?,
                () = tokio::time::sleep(BREATH), if recalls => {
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

async fn until(tick: Option<Tick>) {
    match tick {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.since(clock::tick()))).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
