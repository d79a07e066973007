//! A branch's line: two connections, one to publish and one for receipts, so that a broker that stops taking messages still hands out receipts.
//!
//! What a session tells, and in which order, is here; publishing and confirms are in `publisher`, the receipt queue in `receipts`.

mod publisher;
mod receipts;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use self::publisher::Publisher;
use self::receipts::Receipts;
use super::address::Address;
use super::beat;
use super::dial::{Dialer, Line};
use super::failure::Failure;
use super::meter::Meter;
use crate::domain::event::LinkTrouble;
use crate::domain::ids::BranchCode;
use crate::domain::line::Traffic;
use crate::domain::time::UtcMillis;
use crate::transport::{LinkEvent, Outgoing, Session, Transport};

/// How long a session may take to open, in all.
const OPEN_LIMIT: Duration = Duration::from_secs(40);

/// How long an idle session waits at least between two looks whether its connections are still there: the library does not tell when the broker closes one that is
/// idle. How long it waits at most, [`beat`] says.
const HEALTH_PERIOD: Duration = Duration::from_secs(10);

/// How long the last receipts may take to be acked when a session is closed on this side.
const FAREWELL_LIMIT: Duration = Duration::from_secs(3);

/// How many messages a session takes before the sender must wait; more than are ever out at once.
const OUTGOING_ROOM: usize = 64;

/// How many events wait for the shell.
const EVENTS_ROOM: usize = 256;

/// Reaches HQ through a RabbitMQ broker.
#[derive(Debug, Clone)]
pub struct BranchAmqp {
    route: Arc<Route>,
}

/// What all sessions of one branch have in common.
#[derive(Debug)]
struct Route {
    dialer: Dialer,
    branch: BranchCode,
    /// The priority that the next session's consumer gets: receipts go to the newest, even while the broker believes that an older one lives.
    next_priority: AtomicI64,
}

impl BranchAmqp {
    /// The way from this branch to the broker at `address`. `started` is the present time: it makes the sessions of this process newer than those of any process
    /// before it. The line carries at most `cap` bytes a second, both ways together, if a number is given.
    #[must_use]
    pub fn new(address: Address, branch: BranchCode, started: UtcMillis, cap: Option<u64>) -> Self {
        Self {
            route: Arc::new(Route {
                dialer: Dialer::new(address, Meter::new(cap)),
                branch,
                next_priority: AtomicI64::new(started.0),
            }),
        }
    }
}

impl BranchAmqp {
    /// Looks whether the broker lets this branch in and has a place for its sales, within a bounded time; sends nothing, and takes no receipt from a worker that runs.
    /// Returns how many programs take this branch's receipts just now, as far as the broker knows: for a while it counts one whose line has broken.
    ///
    /// # Errors
    /// Why a session would fail, in a word.
    pub async fn probe(&self) -> Result<u32, LinkTrouble> {
        let (_nothing, taken) = mpsc::channel(1);
        let looking = async {
            let line = self.route.dialer.dial(&format!("{} doctor", self.route.branch)).await?;
            let found = match Publisher::start(line.connection(), &self.route, Outbox::new(taken)).await {
                Ok(_publisher) => Receipts::new(line.connection(), &self.route).receivers().await,
                Err(failure) => Err(failure),
            };
            line.close().await;
            found
        };
        match timeout(OPEN_LIMIT, looking).await {
            Ok(found) => found.map_err(|failure| failure.trouble),
            Err(_) => Err(LinkTrouble::TimedOut),
        }
    }
}

impl Transport for BranchAmqp {
    /// Must be called inside a tokio runtime.
    fn open(&self) -> Session {
        let (outgoing, taken) = mpsc::channel(OUTGOING_ROOM);
        let (told, events) = mpsc::channel(EVENTS_ROOM);
        // The task ends by itself, within a bounded time, when either end of the session is dropped; its end is the end of `events`.
        tokio::spawn(run(Arc::clone(&self.route), taken, told));
        Session { outgoing, events }
    }

    fn broker(&self) -> String {
        self.route.dialer.address().to_string()
    }

    fn traffic(&self) -> Traffic {
        self.route.dialer.traffic()
    }
}

/// One life of the line, told to `events`.
async fn run(route: Arc<Route>, outgoing: mpsc::Receiver<Outgoing>, events: mpsc::Sender<LinkEvent>) {
    let mut outbox = Outbox::new(outgoing);
    let opened = tokio::select! {
        opened = Lines::open(&route) => opened,
        failure = outbox.abandoned() => Err(failure),
        () = events.closed() => Err(abandoned()),
    };
    let failure = match opened {
        Ok(lines) => lines.serve(&route, outbox, &events).await,
        Err(failure) => failure,
    };
    // The shell hears one word; the sentence is for whoever reads the log.
    tracing::info!(trouble = ?failure.trouble, detail = %failure, "session ended");
    // If nobody listens any more, nobody needs to know.
    let _ = events.send(LinkEvent::Down(failure.trouble)).await;
}

fn abandoned() -> Failure {
    Failure::new(LinkTrouble::Closed, "the session was closed on this side")
}

/// The connections of an open session.
struct Lines {
    publishing: Line,
    receiving: Line,
}

impl Lines {
    async fn open(route: &Route) -> Result<Self, Failure> {
        let publishing = format!("{} sales", route.branch);
        let receiving = format!("{} receipts", route.branch);
        let both = route.dialer.dial_two([&publishing, &receiving]);
        match timeout(OPEN_LIMIT, both).await {
            Ok(lines) => lines.map(|(publishing, receiving)| Self { publishing, receiving }),
            Err(_) => Err(Failure::timed_out("opening a session", OPEN_LIMIT)),
        }
    }

    /// Carries messages both ways until something ends it, and says what.
    async fn serve(self, route: &Route, outbox: Outbox, events: &mpsc::Sender<LinkEvent>) -> Failure {
        let failure = self.carry(route, outbox, events).await;
        tokio::join!(self.publishing.close(), self.receiving.close());
        failure
    }

    async fn carry(&self, route: &Route, outbox: Outbox, events: &mpsc::Sender<LinkEvent>) -> Failure {
        let publisher = match Publisher::start(self.publishing.connection(), route, outbox).await {
            Ok(publisher) => publisher,
            Err(failure) => return failure,
        };
        if events.send(LinkEvent::Up).await.is_err() {
            return abandoned();
        }
        let confirmed = Notify::new();
        let mut receipts = Receipts::new(self.receiving.connection(), route);
        let failure = tokio::select! {
            // Who knows best why the line broke speaks first.
            biased;
            failure = publisher.run(events, &confirmed) => failure,
            failure = receipts.run(events, &confirmed) => failure,
            () = events.closed() => abandoned(),
            failure = self.watch() => failure,
        };
        if failure.trouble == LinkTrouble::Closed {
            // The line is whole. If it is not after all, the receipts come again.
            let _ = timeout(FAREWELL_LIMIT, receipts.settle_up()).await;
        }
        failure
    }

    async fn watch(&self) -> Failure {
        while self.publishing.is_alive() && self.receiving.is_alive() {
            tokio::time::sleep(beat::stretched(HEALTH_PERIOD)).await;
        }
        Failure::new(LinkTrouble::Lost, "the broker has closed a connection")
    }
}

/// What the shell has given to the session and the session has not published yet.
struct Outbox {
    taken: mpsc::Receiver<Outgoing>,
    waiting: VecDeque<Outgoing>,
    closed: bool,
}

impl Outbox {
    fn new(taken: mpsc::Receiver<Outgoing>) -> Self {
        Self {
            taken,
            waiting: VecDeque::new(),
            closed: false,
        }
    }

    /// Takes one message, or learns that the shell has closed its end; waits for ever when there is nothing more to learn. Can be dropped and called
    /// again without loss.
    async fn fill_once(&mut self) {
        if self.closed || self.waiting.len() >= OUTGOING_ROOM {
            std::future::pending::<()>().await;
        }
        match self.taken.recv().await {
            Some(message) => self.waiting.push_back(message),
            None => self.closed = true,
        }
    }

    async fn abandoned(&mut self) -> Failure {
        while !self.closed {
            self.fill_once().await;
        }
        abandoned()
    }
}
