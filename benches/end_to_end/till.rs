//! One sale at a time: how long it takes to be saved, and until head office has it.

use std::time::Instant;

use branchline::clock;
use branchline::domain::ids::BranchCode;
use branchline::protocol::uplink::Limits;
use branchline::shutdown;
use branchline::store::branch::BranchDb;
use branchline::sync::service::{Handle, Lookout, Nudge, Service};
use branchline::transport::amqp::{Address, BranchAmqp};
use branchline::wire;

use crate::Bench;
use crate::place::{BRANCH, Place, is_up, look, status, till};
use crate::raw::{self, Growing, milliseconds};
use crate::report::{Figure, Report, Target, percentile, thousands};
use crate::support::wait;

/// How many sales are saved, and how many are watched until they are acked.
const SAVED: usize = 1_000;
const WATCHED: usize = 300;

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    saving(bench, report);
    acking(bench, report);
}

fn saving(bench: &Bench, report: &mut Report) {
    let place = Place::new();
    let mut db = till(&place, "branch.db");
    let mut file = Growing::new(&place);
    // By turns, so that both meet the same disk: it is not always as quick.
    let turns = (0..SAVED).map(|at| (file.append(), save(bench, &mut db, at)));
    let (mut synced, mut saved): (Vec<f64>, Vec<f64>) = turns.unzip();
    let raw = percentile(&mut synced, 0.5);
    report.add(Figure {
        what: "saving a sale, p50, against the disk's own fdatasync".into(),
        value: percentile(&mut saved, 0.5) / raw,
        unit: "times",
        target: Target::AtMost(2.0),
        baseline: format!("{} ms of {} ms", thousands(percentile(&mut saved, 0.5)), thousands(raw)),
        source: format!(
            "{SAVED} sales saved, each after 4 KB that were appended to a file on the same disk and synced"
        ),
    });
}

/// Saves a sale; returns how long that took, in milliseconds.
fn save(bench: &Bench, db: &mut BranchDb, at: usize) -> f64 {
    let content = bench.goods.content(at, SAVED);
    let began = Instant::now();
    db.save_sale(&content, None, clock::wall()).expect("the till sells");
    milliseconds(began.elapsed())
}

fn acking(bench: &Bench, report: &mut Report) {
    let place = Place::new();
    let vhost = bench.broker.vhost();
    let hq = place.head_office(&bench.runtime, &vhost, &[]);
    let mut round = bench.runtime.block_on(raw::ping_pong(&vhost, WATCHED));
    let mut db = till(&place, "branch.db");
    let (trigger, asked) = shutdown::channel();
    let mut service = service(bench, &place, vhost.branch(BRANCH), asked);
    let mut seen = look(&place, "branch.db");
    wait("the session is open", || is_up(&status(&mut seen)));
    save(bench, &mut db, 0);
    wait("the first sale is at head office", || status(&mut seen).in_step());
    let mut took: Vec<f64> = (1..=WATCHED)
        .map(|at| {
            save(bench, &mut db, at);
            let began = Instant::now();
            service.nudges.send(Nudge::SalesWaiting).expect("the service runs");
            while !status(&mut seen).in_step() {
                bench
                    .runtime
                    .block_on(service.changed.changed())
                    .expect("the service runs");
            }
            milliseconds(began.elapsed())
        })
        .collect();
    trigger.request();
    service.join();
    hq.stop();
    say(&mut took, percentile(&mut round, 0.5), report);
}

fn say(acked: &mut [f64], round: f64, report: &mut Report) {
    let (median, late) = (percentile(acked, 0.5), percentile(acked, 0.99));
    let source = format!(
        "{WATCHED} sales one after the other, a worker in the process of the till as on the screen, `--headless hq`"
    );
    report.add(Figure {
        what: "one sale, saved to acked, p50, against the broker's own publish-consume-reply".into(),
        value: median / round,
        unit: "times",
        target: Target::AtMost(4.0),
        baseline: format!("{} ms of {} ms", thousands(median), thousands(round)),
        source: source.clone(),
    });
    report.add(Figure {
        what: "one sale, saved to acked, p99".into(),
        value: late,
        unit: "ms",
        target: Target::AtMost(50.0),
        baseline: String::new(),
        source,
    });
}

/// The sync worker as the screen runs it.
pub(crate) fn service(bench: &Bench, place: &Place, address: Address, asked: shutdown::Shutdown) -> Handle {
    let _inside = bench.runtime.enter();
    let branch = BranchCode::parse(BRANCH).expect("a good code");
    let service = Service {
        path: place.file("branch.db"),
        transport: BranchAmqp::new(address, branch.clone(), clock::wall(), None),
        branch,
        limits: Limits::real(wire::WRITES.to_vec()),
        hours: None,
        lookout: Lookout::Own,
    };
    service.start(asked)
}
