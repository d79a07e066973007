//! The branch's line: bytes for each sale, and what a slow line that breaks again and again still carries. Bytes are counted by the proxy, AMQP and all, without TCP/IP.

use std::time::{Duration, Instant};

use branchline::shutdown;
use branchline::store::branch::BranchDb;
use branchline::sync::service::Nudge;

use crate::Bench;
use crate::drain::import;
use crate::goods::entered_at;
use crate::place::{BRANCH, Place, Program, is_up, look, status, till};
use crate::raw;
use crate::report::{Figure, Report, Target, thousands};
use crate::support::broker::{PASSWORD, Vhost};
use crate::support::proxy::{Door, Proxy, Weather};
use crate::support::wait;
use crate::till::service;

/// Sales of the backlogs whose bytes are counted: one comes from a file, one was entered one by one.
const COUNTED: usize = 20_000;
/// Sales of the backlog that goes over a slow line.
const OVER_SLOW: usize = 5_000;
/// Small batches: so many, of so many sales.
const ROUNDS: usize = 40;
const SMALL: usize = 10;
/// 64 kbit/s with a round trip of 600 ms.
const SLOW: Weather = Weather {
    delay: Duration::from_millis(300),
    bytes_per_s: Some(8_000),
    ..Weather::FAIR
};
pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    imported(bench, report);
    let place = Place::new();
    enter(bench, &mut till(&place, "slow.db"), OVER_SLOW);
    enter(bench, &mut till(&place, "branch.db"), COUNTED);
    backlog(bench, &place, "in a backlog entered one by one", COUNTED, report);
    small_batches(bench, report);
    let first = "5,000 sales over 64 kbit/s with a round trip of 600 ms, from connect to the last ack";
    slow(bench, &place, first, report);
    enter(bench, &mut till(&place, "slow.db"), OVER_SLOW);
    let next = "that shop's next 5,000 sales over the same line, when HQ holds the names of its products";
    slow(bench, &place, next, report);
    cuts(bench, report);
}

/// Enters sales one by one, each with the moment at which it was entered, as at a counter.
fn enter(bench: &Bench, db: &mut BranchDb, count: usize) {
    for at in 0..count {
        let content = bench.goods.content(at, count);
        db.save_sale(&content, None, entered_at(&content, at))
            .expect("the till sells");
    }
}

/// A worker behind a proxy, and its database to look at.
fn behind(bench: &Bench, place: &Place, vhost: &Vhost, db: &str, weather: Weather) -> (Proxy, Program, BranchDb) {
    let proxy = bench.runtime.block_on(Proxy::start(vhost.port(), 4));
    proxy.weather(|now| *now = weather);
    let _ = vhost.branch(BRANCH);
    let url = vhost.url(&format!("{BRANCH}:{PASSWORD}"), proxy.port(), "");
    let program = place.start(db, &url, &[]);
    (proxy, program, look(place, db))
}

fn bytes(proxy: &Proxy) -> f64 {
    let (up, down) = proxy.carried();
    (up + down) as f64
}

/// With TCP/IP: 52 bytes before each segment of at most 1,448, and an acknowledgement of 52 for every other one. Every message is a segment at least.
fn with_tcp(bytes: f64, messages: f64) -> f64 {
    let segments = (bytes / 1_448.0).ceil() + messages;
    bytes + segments * 52.0 * 1.5
}

/// Real sales from a file, entered at the moment of the import, all in a few moments.
fn imported(bench: &Bench, report: &mut Report) {
    let place = Place::new();
    drop(till(&place, "branch.db"));
    import(&place, &bench.goods, "branch.db", COUNTED);
    backlog(bench, &place, "in an imported backlog", COUNTED, report);
}

fn backlog(bench: &Bench, place: &Place, which: &str, count: usize, report: &mut Report) {
    let vhost = bench.broker.vhost();
    let hq = place.head_office(&bench.runtime, &vhost, &[]);
    let (proxy, worker, mut seen) = behind(bench, place, &vhost, "branch.db", Weather::FAIR);
    wait("all is at head office", || status(&mut seen).in_step());
    let carried = bytes(&proxy);
    let batches = made(place, "branch.db").0 as f64;
    worker.stop();
    hq.stop();
    let (up, down) = proxy.carried();
    let source = format!(
        "{count} sales, in {batches} batches, from connect to the last ack with log-in and hello: {up} bytes up and {down} down"
    );
    let tcp = with_tcp(carried, 4.0 * batches);
    say_bytes(
        bench,
        which,
        10.0,
        [carried, tcp].map(|bytes| bytes / count as f64),
        source,
        report,
    );
}

fn say_bytes(bench: &Bench, what: &str, most: f64, [each, with_tcp]: [f64; 2], source: String, report: &mut Report) {
    report.add(Figure {
        what: format!("bytes a sale on the branch's line, both ways, {what}"),
        value: each,
        unit: "bytes",
        target: Target::AtMost(most),
        baseline: format!(
            "the naive way: {}; with TCP/IP about {}",
            thousands(bench.naive_bytes()),
            thousands(with_tcp)
        ),
        source,
    });
}

fn small_batches(bench: &Bench, report: &mut Report) {
    let place = Place::new();
    let vhost = bench.broker.vhost();
    let hq = place.head_office(&bench.runtime, &vhost, &[]);
    let mut db = till(&place, "branch.db");
    let proxy = bench.runtime.block_on(Proxy::start(vhost.port(), 5));
    let (trigger, asked) = shutdown::channel();
    let mut service = service(bench, &place, vhost.branch_through(BRANCH, proxy.port(), ""), asked);
    let mut seen = look(&place, "branch.db");
    wait("the session is open", || is_up(&status(&mut seen)));
    enter(bench, &mut db, SMALL);
    wait("the first sales are at head office", || status(&mut seen).in_step());
    let (before, (batches_before, _)) = (bytes(&proxy), made(&place, "branch.db"));
    for _ in 0..ROUNDS {
        enter(bench, &mut db, SMALL);
        service.nudges.send(Nudge::SalesWaiting).expect("the service runs");
        while !status(&mut seen).in_step() {
            bench
                .runtime
                .block_on(service.changed.changed())
                .expect("the service runs");
        }
    }
    // What acknowledges the last receipt to the broker is on its way still.
    std::thread::sleep(Duration::from_millis(200));
    let carried = bytes(&proxy) - before;
    let batches = made(&place, "branch.db").0 - batches_before;
    trigger.request();
    service.join();
    hq.stop();
    let rows = (ROUNDS * SMALL) as f64;
    let source = format!("{rows} sales entered one by one, in {batches} batches, on an open session");
    let each = [carried, with_tcp(carried, 4.0 * batches as f64)].map(|bytes| bytes / rows);
    say_bytes(bench, "in batches of 10", 55.0, each, source, report);
}

fn slow(bench: &Bench, place: &Place, what: &str, report: &mut Report) {
    let vhost = bench.broker.vhost();
    let hq = place.head_office(&bench.runtime, &vhost, &[]);
    let made_before = made(place, "slow.db").0;
    let began = Instant::now();
    let (proxy, worker, mut seen) = behind(bench, place, &vhost, "slow.db", SLOW);
    wait("the session is open", || is_up(&status(&mut seen)));
    let connected = began.elapsed();
    wait("all is at head office", || status(&mut seen).in_step());
    let took = began.elapsed();
    let (up, down) = proxy.carried();
    report.add(Figure {
        what: what.into(),
        value: took.as_secs_f64(),
        unit: "s",
        target: Target::AtMost(15.0),
        baseline: format!("{:.1} s of it until the session was open", connected.as_secs_f64()),
        source: format!(
            "{OVER_SLOW} sales entered one by one, {up} bytes up and {down} down, in {} batches",
            made(place, "slow.db").0 - made_before
        ),
    });
    worker.stop();
    hq.stop();
}

/// Batches and rows that were ever put into one.
fn made(place: &Place, db: &str) -> (i64, i64) {
    let plain = raw::open(&place.file(db));
    let both = plain.query_row("SELECT count(*), coalesce(sum(row_count), 0) FROM batches", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    both.expect("the database can be read")
}

/// Rows that have been in a batch at least once.
fn ever_sent(place: &Place, db: &str) -> i64 {
    let plain = raw::open(&place.file(db));
    let waiting = "SELECT (SELECT row_count FROM totals) - count(*) FROM outbox WHERE attempt = 0";
    plain
        .query_row(waiting, [], |row| row.get(0))
        .expect("the database can be read")
}

/// A window, in seconds, that lasts as long as chance will have it.
fn window(bench: &Bench, at: u64) -> Duration {
    let (least, spread) = if bench.scale.full { (40, 140) } else { (16, 24) };
    let chance = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Duration::from_millis(least * 1_000 + chance % (spread * 1_000))
}

fn cuts(bench: &Bench, report: &mut Report) {
    let windows = if bench.scale.full { 12 } else { 4 };
    let place = Place::new();
    let rows = if bench.scale.full { 1_000_000 } else { 150_000 };
    let mut db = till(&place, "branch.db");
    for from in (0..rows).step_by(5_000) {
        let sales: Vec<_> = (from..from + 5_000).map(|at| bench.goods.content(at, rows)).collect();
        let now = entered_at(&sales[0], from);
        db.import_chunk(&[1; 32], &sales, from as u64, false, now)
            .expect("the till sells");
    }
    let vhost = bench.broker.vhost();
    let hq = place.head_office(&bench.runtime, &vhost, &[]);
    let (proxy, worker, mut seen) = behind(bench, &place, &vhost, "branch.db", SLOW);
    let (mut acked, mut unanswered) = (Vec::new(), Vec::new());
    for at in 0..windows {
        let before = status(&mut seen).acked;
        proxy.weather(|now| now.door = Door::Broker);
        wait("the session is open", || is_up(&status(&mut seen)));
        std::thread::sleep(window(bench, at));
        let (_, dissolved) = unanswered_batches(&place);
        proxy.weather(|now| now.door = Door::Closed);
        proxy.cut();
        wait("the cut is noticed", || !is_up(&status(&mut seen)));
        acked.push(status(&mut seen).acked - before);
        let (out, dissolved_since) = unanswered_batches(&place);
        unanswered.push(out + dissolved_since - dissolved);
    }
    let again = made(&place, "branch.db").1 - ever_sent(&place, "branch.db");
    worker.stop();
    hq.stop();
    say_cuts(&acked, again, &unanswered, report);
}

/// Batches that are out, and batches that were given up, so that their sales had to go again under another name.
fn unanswered_batches(place: &Place) -> (i64, i64) {
    let plain = raw::open(&place.file("branch.db"));
    let count = "SELECT count(*) FILTER (WHERE state IN ('parked', 'open')), count(*) FILTER (WHERE state = 'dissolved') FROM batches";
    plain
        .query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the database can be read")
}

fn say_cuts(acked: &[u64], again: i64, unanswered: &[i64], report: &mut Report) {
    let windows = acked.len();
    let each: Vec<String> = acked.iter().map(|acked| thousands(*acked as f64)).collect();
    let source = format!(
        "{windows} windows of chance lengths from a seed, counted from the open session; the door stays shut until the cut is noticed"
    );
    report.add(Figure {
        what: "the same line cut off again and again: sales acked in the poorest window".into(),
        value: acked.iter().copied().min().unwrap_or_default() as f64,
        unit: "",
        target: Target::AtLeast(1.0),
        baseline: format!("in each: {}", each.join(", ")),
        source: source.clone(),
    });
    report.add(Figure {
        what: "batches without a receipt at a cut, to be sent again or waited for".into(),
        value: unanswered.iter().sum::<i64>() as f64 / windows as f64,
        unit: "a cut",
        target: Target::AtMost(2.0),
        baseline: format!(
            "{} at most; {} sales put into a second batch in all",
            unanswered.iter().max().copied().unwrap_or_default(),
            thousands(again as f64)
        ),
        source,
    });
}
