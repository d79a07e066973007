//! How the service waits where no worker runs, on a clock that the tests turn: it lets the process be stopped, and a nudge makes it wait no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use super::*;
use crate::shutdown::{self, Trigger};
use crate::transport::Session;
use crate::wire;

/// Longer than any wait of the service.
const LONG: Duration = Duration::from_secs(3_600);

/// A line at whose end nobody is; one with a fault can't even be opened.
#[derive(Debug, Default)]
pub(super) struct Nobody {
    pub(super) opened: Arc<AtomicU32>,
    has_fault: bool,
}

impl Transport for Nobody {
    fn open(&self) -> Session {
        self.opened.fetch_add(1, Ordering::Relaxed);
        assert!(!self.has_fault, "this is the planted fault");
        Session {
            outgoing: mpsc::channel(1).0,
            events: mpsc::channel(1).1,
        }
    }

    fn broker(&self) -> String {
        "nobody".into()
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// A branch's database, and the connection to it that another program has.
pub(super) struct Shop {
    pub(super) db: BranchDb,
    _folder: TempDir,
}

impl Shop {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, branch) = (folder.path().join("shop.db"), BranchCode::parse("TUNIS-01").unwrap());
        Self {
            db: BranchDb::create(&path, &branch, clock::random(), clock::wall()).unwrap(),
            _folder: folder,
        }
    }

    pub(super) fn service(&self, transport: Nobody, lookout: Lookout) -> Service<Nobody> {
        Service {
            path: self.db.path().to_owned(),
            branch: self.db.branch().clone(),
            transport,
            limits: Limits::real(wire::WRITES.to_vec()),
            hours: None,
            lookout,
        }
    }
}

/// A service on the test's own thread, with all that is done to it.
struct Played {
    nudges: mpsc::UnboundedSender<Nudge>,
    opened: Arc<AtomicU32>,
    trigger: Trigger,
}

impl Played {
    fn begin(shop: &Shop, has_fault: bool) -> (Self, impl Future<Output = ()>) {
        let (nudges, requests) = mpsc::unbounded_channel();
        let (trigger, shutdown) = shutdown::channel();
        let opened = Arc::default();
        let transport = Nobody {
            opened: Arc::clone(&opened),
            has_fault,
        };
        let life = Life {
            service: shop.service(transport, Lookout::Told),
            requests,
            change: watch::Sender::new(0),
            carried: Traffic::default(),
            shutdown,
        };
        let played = Self {
            nudges,
            opened,
            trigger,
        };
        (played, life.run())
    }

    fn nudge(&self, nudge: Nudge) {
        self.nudges.send(nudge).unwrap();
    }

    /// How often a worker has begun to open the line.
    fn tries(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Has the process stopped, which takes no time.
    async fn suspend(&self) {
        let (done, released) = oneshot::channel();
        let began = Instant::now();
        self.nudge(Nudge::Suspend(done));
        assert_eq!(timeout(LONG, released).await, Ok(Ok(())), "it never lets go");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

/// Turns the clock.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_worker_failed_lets_the_process_be_stopped_at_once_and_then_waits_for_it() {
    let shop = Shop::new();
    let (service, running) = Played::begin(&shop, true);
    let script = async {
        pass(Duration::from_millis(1)).await;
        for begun in 1..=2 {
            assert_eq!(service.tries(), begun);
            service.suspend().await;
            service.nudge(Nudge::SyncNow);
            service.suspend().await;
            pass(LONG).await;
            assert_eq!(service.tries(), begun, "a process that is stopped does nothing");
            service.nudge(Nudge::Resume);
            pass(Duration::from_millis(1)).await;
        }
        pass(Duration::from_millis(RESTART.cap_ms)).await;
        assert!(service.tries() > 3, "it goes on trying");
        service.trigger.request();
    };
    tokio::join!(running, script);
}

#[tokio::test(start_paused = true)]
async fn who_waits_to_be_elected_waits_no_longer_for_being_nudged() {
    let shop = Shop::new();
    let other = WorkerLock::try_take(shop.db.path()).unwrap().expect("nobody has it");
    let (service, running) = Played::begin(&shop, false);
    let script = async {
        for _ in 0..100 {
            service.nudge(Nudge::Look);
        }
        service.suspend().await;
        service.nudge(Nudge::Resume);
        drop(other);
        let began = Instant::now();
        while service.tries() == 0 {
            service.nudge(Nudge::Look);
            pass(Duration::from_millis(POLL_MS / 4)).await;
            assert!(began.elapsed() <= Duration::from_millis(2 * POLL_MS));
        }
        service.trigger.request();
    };
    tokio::join!(running, script);
}
