//! Many branches at once: what waits in the broker when head office opens in the morning.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use branchline::domain::ids::{BatchId, BranchCode, LedgerId};
use branchline::domain::sale::Sale;
use branchline::protocol::dictionary::Product;
use branchline::protocol::message::{Batch, Uplink};
use branchline::wire::{WRITES, encode_uplink, topology};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel};

use crate::Bench;
use crate::place::{Place, Usage};
use crate::raw;
use crate::report::{Figure, Report, Target, thousands};
use crate::support::broker::Vhost;
use crate::support::wait_long;

const BRANCHES: usize = 1_000;
/// Sales of a batch, whoever sends it.
const BATCH_ROWS: usize = 1_000;

/// How head office took what was waiting.
struct Taken {
    took: Duration,
    usage: Usage,
}

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let each = bench.scale.rows / BRANCHES;
    let [_, one] = take_twice(bench, 1, bench.scale.rows);
    let [first, many] = take_twice(bench, BRANCHES, each);
    let rate = |taken: &Taken| bench.scale.rows as f64 / taken.took.as_secs_f64();
    let source = format!(
        "{BRANCHES} branches of {each} sales, and one of {}, waiting in the queue before `--headless hq --trial` starts; until all are stored",
        bench.scale.rows
    );
    report.add(Figure {
        what: "HQ with 1,000 branches arriving at once, against one branch".into(),
        value: rate(&many) / rate(&one),
        unit: "",
        target: Target::AtLeast(0.7),
        baseline: format!("{} of {} sales/s", thousands(rate(&many)), thousands(rate(&one))),
        source: format!("{source}; branches that it has heard before"),
    });
    report.add(Figure {
        what: "the same for the first time ever, when each branch's queue must be made".into(),
        value: rate(&first),
        unit: "sales/s",
        target: Target::None,
        baseline: String::new(),
        source: source.clone(),
    });
    report.add(Figure {
        what: "memory of HQ with 1,000 branches".into(),
        value: many.usage.peak_mb.max(first.usage.peak_mb),
        unit: "MB",
        target: Target::AtMost(64.0),
        baseline: format!("{} with one", thousands(one.usage.peak_mb)),
        source,
    });
}

/// Has head office take what some branches have sent while it was away; and the same again the next day.
fn take_twice(bench: &Bench, branches: usize, each: usize) -> [Taken; 2] {
    let place = Place::new();
    let vhost = bench.broker.vhost();
    // It declares its queue, and goes.
    place.head_office(&bench.runtime, &vhost, &["--trial"]).stop();
    [0, 1].map(|day| take(bench, &place, &vhost, day, branches, each))
}

fn take(bench: &Bench, place: &Place, vhost: &Vhost, day: usize, branches: usize, each: usize) -> Taken {
    bench.runtime.block_on(publish(bench, vhost, day, branches, each));
    let hq = place.head_office(&bench.runtime, vhost, &["--trial"]);
    let began = listened_since(place);
    let plain = raw::open(&place.file("hq.db"));
    let wanted = i64::try_from((day + 1) * branches * each).expect("a small number");
    wait_long("all is stored", || {
        let stored = plain.query_row("SELECT coalesce(sum(applied), 0) FROM ledgers", [], |row| row.get(0));
        stored == Ok(wanted)
    });
    let taken = Taken {
        took: began.elapsed().expect("the clock goes forward"),
        usage: hq.usage(),
    };
    hq.stop();
    taken
}

/// When it wrote that it listens: its log's first lines are written before it takes anything.
fn listened_since(place: &Place) -> std::time::SystemTime {
    let log = std::fs::read_to_string(place.file("hq.log")).expect("it writes a log");
    let line = log.lines().find(|line| line.contains("head office listens"));
    let stamp = line
        .and_then(|line| line.split_whitespace().next())
        .expect("each line begins with its time");
    let moment = chrono::DateTime::parse_from_rfc3339(stamp).expect("the time is written as everywhere");
    moment.into()
}

/// Fills the queue as branches would.
async fn publish(bench: &Bench, vhost: &Vhost, day: usize, branches: usize, each: usize) {
    let channel = vhost.raw("guest:guest").await;
    let confirming = channel.confirm_select(ConfirmSelectOptions::default()).await;
    confirming.expect("the broker confirms");
    for number in 0..branches {
        let branch = BranchCode::parse(&format!("B{number:04}")).expect("a good code");
        let ledger = LedgerId::from_random(u128::try_from(number).expect("a small number") + 1);
        for from in (day * each..(day + 1) * each).step_by(BATCH_ROWS) {
            let until = (from + BATCH_ROWS).min((day + 1) * each);
            let sales: Vec<Sale> = (from..until).map(|at| bench.goods.sale(at, 2 * each, ledger)).collect();
            send(
                &channel,
                &branch,
                BatchId::from_random(branchline::clock::random()),
                ledger,
                sales,
            )
            .await;
        }
    }
    channel.wait_for_confirms().await.expect("the broker has them");
}

/// The products of sales, as a branch numbers those of its first batch.
fn numbered(sales: &[Sale]) -> Vec<Product> {
    let mut seen = HashSet::new();
    let names = sales
        .iter()
        .map(|sale| &sale.content.product)
        .filter(|name| seen.insert(*name));
    let product = |(no, name): (u16, &Arc<str>)| Product {
        no,
        name: name.clone(),
        told: true,
    };
    (1..).zip(names).map(product).collect()
}

async fn send(channel: &Channel, branch: &BranchCode, id: BatchId, ledger: LedgerId, sales: Vec<Sale>) {
    let batch = Uplink::Batch(Batch {
        branch: branch.clone(),
        ledger,
        id,
        products: numbered(&sales),
        sales,
    });
    let body = encode_uplink(&batch, WRITES[0]).expect("the batch is within its limits");
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_user_id("guest".into());
    let published = channel.basic_publish(
        topology::SALES_EXCHANGE.into(),
        topology::sales_key(branch).into(),
        BasicPublishOptions::default(),
        &body,
        properties,
    );
    drop(published.await.expect("the line holds"));
}
