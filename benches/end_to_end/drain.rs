//! The backlog: a file is imported while somebody sells, and then all of it goes to head office, through the broker, and comes back as receipts.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use branchline::clock;
use branchline::store::branch::BranchDb;

use crate::Bench;
use crate::goods::{Goods, TAX};
use crate::place::{BRANCH, Place, Program, Usage, is_up, look, status, till};
use crate::raw::{self, milliseconds};
use crate::report::{Figure, Report, Target, percentile, thousands};
use crate::support::broker::{PASSWORD, Vhost};
use crate::support::{wait, wait_long};

/// How long somebody at a till rests between two sales while a machine works beside them.
const REST: Duration = Duration::from_millis(20);

/// The backlog is drained and compared so many times, because a machine is not always as quick; the turn in the middle counts.
const TURNS: usize = 3;

/// One drain, and what head office's table takes at best right after it.
struct Turn {
    drained: Drain,
    /// Sales a second.
    rate: f64,
    upserts: raw::Upserts,
}

impl Turn {
    fn take(bench: &Bench, place: &Place, db: &str, sold: u64) -> Self {
        place.forget("hq.db");
        let drained = drain(bench, place, db);
        Self {
            rate: sold as f64 / drained.took.as_secs_f64(),
            upserts: raw::upserts(place, &bench.goods, bench.scale.rows),
            drained,
        }
    }
}

/// What is left when it is drained.
pub(crate) struct Backlog {
    pub(crate) place: Place,
    /// Of the branch, all acked.
    pub(crate) db: &'static str,
    pub(crate) rows: usize,
    pub(crate) rows_a_second: f64,
}

/// One drain.
struct Drain {
    took: Duration,
    /// From the worker's start to its open session: the database is looked through and the line dialled.
    start: Duration,
    /// Branch and head office, from the open session on.
    cpu: [Duration; 2],
    branch: Usage,
    hq: Usage,
}

/// Imports, drains, and compares with what head office's table takes at best.
pub(crate) fn measure(bench: &Bench, report: &mut Report) -> Backlog {
    let rows = bench.scale.rows;
    let place = Place::new();
    import_while_selling(bench, &place, rows, report);
    place.copy_db("branch.db", "again.db");
    let sold = look(&place, "branch.db").status().expect("it can be read").rows;
    let mut turns = Vec::with_capacity(TURNS);
    for _ in 1..TURNS {
        place.copy_db("again.db", "turn.db");
        turns.push(Turn::take(bench, &place, "turn.db", sold));
        place.forget("turn.db");
    }
    turns.push(Turn::take(bench, &place, "branch.db", sold));
    let ratio = |turn: &Turn| turn.rate * turn.upserts.bulk.as_secs_f64() / rows as f64;
    turns.sort_unstable_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    let ratios: Vec<f64> = turns.iter().map(ratio).collect();
    let Turn { drained, rate, upserts } = turns.swap_remove(TURNS / 2);
    say_rate(rows, rate, &upserts, &ratios, report);
    say_cpu(sold, &drained, report);
    say_memory("", rows, &drained, report);
    drain_while_selling(bench, &place, report);
    if bench.scale.full {
        ten_times(bench, &drained, report);
    }
    Backlog {
        place,
        db: "branch.db",
        rows,
        rows_a_second: rate,
    }
}

fn say_rate(rows: usize, rate: f64, upserts: &raw::Upserts, ratios: &[f64], report: &mut Report) {
    let (bulk, prepared) = (upserts.bulk.as_secs_f64(), upserts.prepared.as_secs_f64());
    report.add(Figure {
        what: "the backlog, from the open session to the last row acked, against HQ's raw bulk upsert".into(),
        value: rate * bulk / rows as f64,
        unit: "",
        target: Target::AtLeast(0.7),
        baseline: format!("{} of {} sales/s", thousands(rate), thousands(rows as f64 / bulk)),
        source: format!(
            "{rows} sales: `import`, `--headless branch`, `--headless hq`, quorum queue; raw: the same sales through commit_group; the median of {TURNS} turns, which came to {}",
            ratios.iter().copied().map(thousands).collect::<Vec<_>>().join(", ")
        ),
    });
    report.add(Figure {
        what: "HQ's raw bulk upsert against a prepared statement for each row".into(),
        value: prepared / bulk,
        unit: "",
        target: Target::AtLeast(0.8),
        baseline: format!("{} sales/s", thousands(rows as f64 / prepared)),
        source: format!(
            "{rows} sales into the same table with rusqlite, transactions of 24,000, by turns with the bulk upsert"
        ),
    });
}

fn say_cpu(sold: u64, drained: &Drain, report: &mut Report) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / sold as f64;
    let [branch, hq] = drained.cpu.map(micros);
    report.add(Figure {
        what: "CPU a sale, branch and HQ together".into(),
        value: branch + hq,
        unit: "µs",
        target: Target::AtMost(7.0),
        baseline: format!("branch {} + HQ {}", thousands(branch), thousands(hq)),
        source: format!("{sold} sales: utime and stime of both processes from the open session on"),
    });
    report.add(Figure {
        what: "a worker's start on the backlog, until its session is open".into(),
        value: drained.start.as_secs_f64(),
        unit: "s",
        target: Target::None,
        baseline: String::new(),
        source: format!("{sold} sales"),
    });
}

fn say_memory(of: &str, rows: usize, drained: &Drain, report: &mut Report) {
    for (who, usage, most) in [("branch", drained.branch, 40.0), ("HQ", drained.hq, 64.0)] {
        report.add(Figure {
            what: format!("memory of the {who} during the backlog{of}"),
            value: usage.peak_mb,
            unit: "MB",
            target: Target::AtMost(most),
            baseline: format!("{} at the end", thousands(usage.resident_mb)),
            source: format!("{rows} sales: VmHWM and VmRSS, in MB of 1,000,000 bytes"),
        });
    }
}

/// Runs the worker on a backlog until head office has all of it.
fn drain(bench: &Bench, place: &Place, db: &str) -> Drain {
    let vhost = bench.broker.vhost();
    let hq = place.head_office(&bench.runtime, &vhost, &[]);
    let began = Instant::now();
    let (branch, mut seen) = worker(place, &vhost, db);
    wait("the session is open", || is_up(&status(&mut seen)));
    let start = began.elapsed();
    let before = [branch.usage().cpu, hq.usage().cpu];
    let took = wait_long("all is at head office", || status(&mut seen).in_step());
    let (branch_usage, hq_usage) = (branch.usage(), hq.usage());
    let drained = Drain {
        took,
        start,
        cpu: [
            branch_usage.cpu.saturating_sub(before[0]),
            hq_usage.cpu.saturating_sub(before[1]),
        ],
        branch: branch_usage,
        hq: hq_usage,
    };
    branch.stop();
    hq.stop();
    drained
}

/// Starts the branch's worker under its own user.
pub(crate) fn worker(place: &Place, vhost: &Vhost, db: &str) -> (Program, BranchDb) {
    let _ = vhost.branch(BRANCH);
    let url = vhost.url(&format!("{BRANCH}:{PASSWORD}"), vhost.port(), "");
    (place.start(db, &url, &[]), look(place, db))
}

/// Sells without haste until told to stop; returns how long each sale took to be saved, in milliseconds.
fn sell(path: &Path, goods: &Goods, stop: &AtomicBool) -> Vec<f64> {
    let mut db = BranchDb::open(path, None).expect("the database is there");
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let content = goods.content(took.len(), 1_000_000);
        let began = Instant::now();
        db.save_sale(&content, None, clock::wall()).expect("the till sells");
        took.push(milliseconds(began.elapsed()));
        std::thread::sleep(REST);
    }
    took
}

/// Sells while something else is done.
fn while_selling<T>(bench: &Bench, path: &Path, work: impl FnOnce() -> T) -> (T, Vec<f64>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let selling = scope.spawn(|| sell(path, &bench.goods, &stop));
        let done = work();
        stop.store(true, Ordering::Relaxed);
        (done, selling.join().expect("the till sells"))
    })
}

pub(crate) fn import(place: &Place, goods: &Goods, db: &str, rows: usize) -> Duration {
    let file = place.file("sales.csv");
    goods.write_csv(&file, rows);
    let mut command = place.command(db, "amqp://127.0.0.1:1");
    command.args(["--tax-rate", TAX, "import"]).arg(&file);
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).status().expect("the program starts");
    assert!(status.success(), "the import ended with {status}");
    let took = began.elapsed();
    std::fs::remove_file(file).expect("it was just read");
    took
}

fn import_while_selling(bench: &Bench, place: &Place, rows: usize, report: &mut Report) {
    drop(till(place, "branch.db"));
    let work = || import(place, &bench.goods, "branch.db", rows);
    let (took, mut saved) = while_selling(bench, &place.file("branch.db"), work);
    say_saving("imported", rows, took, &mut saved, report);
}

fn drain_while_selling(bench: &Bench, place: &Place, report: &mut Report) {
    let rows = bench.scale.rows;
    place.forget("hq.db");
    let (drained, mut saved) = while_selling(bench, &place.file("again.db"), || drain(bench, place, "again.db"));
    say_saving("drained", rows, drained.took, &mut saved, report);
    std::fs::remove_file(place.file("again.db")).expect("it was just drained");
}

fn say_saving(what: &str, rows: usize, took: Duration, saved: &mut [f64], report: &mut Report) {
    let median = percentile(saved, 0.5);
    let most = percentile(saved, 1.0);
    report.add(Figure {
        what: format!("saving a sale while a million is {what}, p99"),
        value: percentile(saved, 0.99),
        unit: "ms",
        target: Target::AtMost(250.0),
        baseline: format!("p50 {} ms, longest {} ms", thousands(median), thousands(most)),
        source: format!(
            "{} sales saved in turns with a rest of 20 ms, while {rows} were {what} in {:.1} s",
            saved.len(),
            took.as_secs_f64()
        ),
    });
}

/// The same with ten times as many, to see that memory does not grow.
fn ten_times(bench: &Bench, one: &Drain, report: &mut Report) {
    let rows = bench.scale.rows * 10;
    let place = Place::new();
    drop(till(&place, "branch.db"));
    import(&place, &bench.goods, "branch.db", rows);
    let ten = drain(bench, &place, "branch.db");
    say_memory(", ten times as large", rows, &ten, report);
    for (who, one, ten) in [("branch", one.branch, ten.branch), ("HQ", one.hq, ten.hq)] {
        report.add(Figure {
            what: format!("memory of the {who}, ten times the backlog against one"),
            value: ten.peak_mb / one.peak_mb,
            unit: "",
            target: Target::AtMost(1.1),
            baseline: format!("{} MB", thousands(one.peak_mb)),
            source: format!("{rows} sales"),
        });
    }
    report.add(Figure {
        what: "ten times the backlog".into(),
        value: rows as f64 / ten.took.as_secs_f64(),
        unit: "sales/s",
        target: Target::None,
        baseline: String::new(),
        source: format!("{rows} sales"),
    });
}
