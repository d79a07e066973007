//! The benchmark of the whole: the real program with a real broker, beside what the parts can do at best and the naive way, in one run. It prints a table and writes
//! the same as JSON.
//!
//! Each room measures one thing and returns figures; what they must come to is said where they are measured. `BRANCHLINE_BENCH_ROWS=50000` makes a quick run of less worth,
//! `BRANCHLINE_BENCH_FULL=1` adds the ten million, `BRANCHLINE_BENCH_ONLY=screen,line` runs some rooms only. Micro-benchmarks of single functions are in `benches/micro.rs`.
#![expect(clippy::cast_precision_loss, reason = "figures are read by people")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock itself, finer than to the millisecond"
)]

mod drain;
mod fleet;
mod goods;
mod line;
mod machine;
mod naive;
mod place;
mod raw;
mod report;
mod screen;
mod support;
mod till;

use std::sync::OnceLock;

use goods::Goods;
use report::Report;
use support::broker::Broker;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Sales in the backlog.
    pub(crate) rows: usize,
    /// Whether the ten million are measured, too, and the cuts at length.
    pub(crate) full: bool,
}

impl Scale {
    fn read() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        Self {
            rows: number("BRANCHLINE_BENCH_ROWS").unwrap_or(1_000_000),
            full: number("BRANCHLINE_BENCH_FULL") == Some(1),
        }
    }
}

/// What every room works with.
pub(crate) struct Bench {
    pub(crate) scale: Scale,
    pub(crate) goods: Goods,
    pub(crate) broker: Broker,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// Bytes a sale the naive way takes on the same line.
    pub(crate) fn naive_bytes(&self) -> f64 {
        static BYTES: OnceLock<f64> = OnceLock::new();
        *BYTES.get_or_init(|| naive::bytes(self))
    }
}

fn main() {
    let only = std::env::var("BRANCHLINE_BENCH_ONLY").unwrap_or_default();
    let wanted = |room: &str| only.is_empty() || only.split(',').any(|one| one == room);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let bench = Bench {
        scale: Scale::read(),
        goods: Goods::load(),
        broker: Broker::start(),
        runtime,
    };
    let mut report = Report::new(machine::describe(&bench));
    if ["drain", "naive", "screen", "till"].into_iter().any(wanted) {
        let backlog = drain::measure(&bench, &mut report);
        if wanted("naive") {
            naive::measure(&bench, backlog.rows_a_second, &mut report);
        }
        if wanted("screen") {
            screen::measure(&bench, &backlog, &mut report);
        }
    }
    if wanted("till") {
        till::measure(&bench, &mut report);
    }
    if wanted("fleet") {
        fleet::measure(&bench, &mut report);
    }
    if wanted("line") {
        line::measure(&bench, &mut report);
    }
    report.finish();
}
