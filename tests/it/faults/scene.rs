//! The scene of most faults: one branch, a line to its broker that can be made to fail, and head office.

use branchline::domain::event::LogEvent;
use branchline::store::branch::BranchDb;

use crate::support::books::assert_settled;
use crate::support::broker::{PASSWORD, Vhost};
use crate::support::place::{BRANCH, Place, Running, urls};
use crate::support::proxy::Proxy;
use crate::support::till::Till;
use crate::support::until;

/// One branch, its line, and head office, all running.
pub(super) struct Scene {
    pub(super) place: Place,
    pub(super) vhost: Vhost,
    pub(super) line: Proxy,
    pub(super) hq_url: String,
    pub(super) branch_url: String,
    // The programs end before the line and the folder.
    pub(super) branch: Option<Running>,
    pub(super) hq: Option<Running>,
}

impl Scene {
    /// Sets the scene; one sale has gone all the way.
    pub(super) async fn set(vhost: Vhost, seed: u64) -> Self {
        let mut scene = Self::prepare(vhost, seed).await;
        scene.hq = Some(scene.place.start("hq", &scene.hq_url));
        scene.branch = Some(scene.place.start(BRANCH, &scene.branch_url));
        scene.place.sell(BRANCH, "BEFORE", None);
        scene.settle("the first sale is at head office").await;
        scene
    }

    /// The same with nobody running yet.
    pub(super) async fn prepare(vhost: Vhost, seed: u64) -> Self {
        let line = Proxy::start(vhost.port(), seed).await;
        let (hq_url, _) = urls(&vhost, BRANCH);
        // A frozen line is noticed after two heartbeats; the shortest that gives no false alarm.
        let branch_url = vhost.url(&format!("{BRANCH}:{PASSWORD}"), line.port(), "?heartbeat=5");
        Self {
            place: Place::new(),
            vhost,
            line,
            hq_url,
            branch_url,
            branch: None,
            hq: None,
        }
    }

    /// A connection to the branch's database.
    pub(super) fn db(&self) -> BranchDb {
        self.place.branch(BRANCH)
    }

    /// Waits until every sale is acknowledged.
    pub(super) async fn settle(&self, what: &str) {
        until(what, || self.place.in_step(BRANCH)).await;
    }

    /// Waits until all is at head office, and compares the books.
    pub(super) async fn ends_well(&self) {
        self.settle("everything is at head office in the end").await;
        assert_settled(&self.place, "hq", BRANCH);
    }

    /// Waits until the branch's log has something that it did not have at line `after`.
    pub(super) async fn until_logged(&self, what: &str, after: i64, wanted: impl Fn(&LogEvent) -> bool) {
        let mut db = self.db();
        until(what, || {
            let lines = db.log_after(after, u32::MAX).unwrap();
            lines.iter().any(|line| wanted(&line.event))
        })
        .await;
    }

    /// The last line of the branch's log.
    pub(super) fn last_line(&self) -> i64 {
        self.db().log_tail(1).unwrap().last().map_or(0, |line| line.seq)
    }

    /// Stops head office in good order.
    pub(super) fn stop_hq(&mut self) {
        self.hq.take().expect("head office runs").stop();
    }

    /// Stops head office and sells until the branch has found it silent.
    pub(super) async fn silence_hq(&mut self, till: &mut Till) {
        self.stop_hq();
        let before = self.last_line();
        (0..30).for_each(|_| till.work());
        self.until_logged("head office is found silent", before, |event| {
            matches!(event, LogEvent::TimedOut { retry_s: None, .. })
        })
        .await;
    }

    pub(super) fn start_hq(&mut self) {
        self.hq = Some(self.place.start("hq", &self.hq_url));
    }
}
