//! Micro-benchmarks of what every sale passes through: codec, digest, both stores, and a frame of the screen. What the whole comes to is measured in `end_to_end`.
//!
//! Each works on 2,000 real sales, one batch: `cargo bench --bench micro`.

#[expect(dead_code, reason = "the benchmark of the whole does more with it")]
#[path = "end_to_end/goods.rs"]
mod goods;

use std::hint::black_box;
use std::sync::LazyLock;

use branchline::clock;
use branchline::domain::ids::{BatchId, BranchCode, LedgerId, Revision, Run, SaleId};
use branchline::domain::money::TaxRate;
use branchline::domain::read::SaleRow;
use branchline::domain::sale::Sale;
use branchline::domain::sync_state::SyncState;
use branchline::domain::time::Tick;
use branchline::protocol::Now;
use branchline::protocol::identity::Login;
use branchline::protocol::journal::Journal;
use branchline::protocol::lineage::Mark;
use branchline::protocol::message::{Batch, Downlink, HqStamp, Outcome, Receipt, Taken, Uplink};
use branchline::store::branch::BranchDb;
use branchline::store::hq::{HqDb, Incoming};
use branchline::text::Text;
use branchline::tui::keymap::Keymap;
use branchline::tui::model::{Model, Moment, Settings};
use branchline::tui::theme::{Palette, Theme, UNICODE};
use branchline::tui::view::view;
use branchline::wire::{READS, WRITES, decode_uplink, encode_uplink};
use divan::Bencher;
use divan::counter::ItemsCount;
use goods::Goods;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use tempfile::TempDir;

/// Sales in a batch.
const ROWS: usize = 2_000;
/// How often each is measured that needs a fresh batch of a database every time.
const SAMPLES: u32 = 40;

static GOODS: LazyLock<Goods> = LazyLock::new(Goods::load);

fn main() {
    divan::main();
}

fn branch() -> BranchCode {
    BranchCode::parse("TUNIS-01").expect("a good code")
}

fn sales() -> Vec<Sale> {
    let ledger = LedgerId::from_random(7);
    (0..ROWS).map(|at| GOODS.sale(at, ROWS, ledger)).collect()
}

fn batch(sales: Vec<Sale>) -> Batch {
    Batch {
        branch: branch(),
        ledger: sales[0].ledger,
        id: BatchId::from_random(clock::random()),
        sales,
        products: Vec::new(),
    }
}

fn now() -> Now {
    Now {
        tick: clock::tick(),
        wall: clock::wall(),
        luck: clock::random(),
    }
}

#[divan::bench]
fn encode_a_batch(bencher: Bencher<'_, '_>) {
    let message = Uplink::Batch(batch(sales()));
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| encode_uplink(black_box(&message), WRITES[0]));
}

#[divan::bench]
fn decode_a_batch(bencher: Bencher<'_, '_>) {
    let bytes = encode_uplink(&Uplink::Batch(batch(sales())), WRITES[0]).expect("the batch is within its limits");
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| decode_uplink(black_box(&bytes), &mut |_, _| None));
}

#[divan::bench]
fn digest_of_each_sale(bencher: Bencher<'_, '_>) {
    let (sales, branch) = (sales(), branch());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for sale in &sales {
            black_box(sale.digest(&branch));
        }
    });
}

/// A branch's database with as many sales as all samples need.
struct Shop {
    db: BranchDb,
    _dir: TempDir,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("branch.db");
        let mut db = BranchDb::create(&path, &branch(), 7, clock::wall()).expect("a new database");
        let total = ROWS * (SAMPLES as usize + 2);
        for from in (0..total).step_by(ROWS) {
            let sales: Vec<_> = (from..from + ROWS).map(|at| GOODS.content(at, total)).collect();
            db.import_chunk(&[1; 32], &sales, from as u64, false, clock::wall())
                .expect("the database works");
        }
        Self { db, _dir: dir }
    }

    fn form(&mut self) -> Batch {
        let id = BatchId::from_random(clock::random());
        let rows = u32::try_from(ROWS).expect("a small number");
        let formed = self.db.form_batch(id, rows, now()).expect("the database works");
        formed.expect("there are sales left").batch
    }
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn form_a_batch(bencher: Bencher<'_, '_>) {
    let mut shop = Shop::open();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| shop.form());
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn settle_a_receipt(bencher: Bencher<'_, '_>) {
    let shop = std::cell::RefCell::new(Shop::open());
    let reached = std::cell::Cell::new(Mark::default());
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            let receipt = receipt(&shop.borrow_mut().form(), reached.get());
            reached.set(receipt.mark);
            receipt
        })
        .bench_local_refs(|receipt| shop.borrow_mut().db.settle(receipt, now()));
}

/// HQ has stored the whole batch.
fn receipt(batch: &Batch, before: Mark) -> Receipt {
    let stored = Run::group(batch.sales.iter().map(|sale| (sale.id, sale.revision)));
    let newly_applied = batch.sales.len() as u64;
    let store = branchline::domain::ids::StoreId::from_random(9);
    Receipt {
        hq: HqStamp {
            store,
            replaces: Vec::new(),
            clock: clock::wall(),
            trial: false,
            reads: READS.to_vec(),
        },
        batch: batch.id,
        mark: before.after(batch.id, newly_applied, &stored),
        newly_applied,
        outcome: Outcome::Taken(Taken {
            stored,
            ..Taken::default()
        }),
    }
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn commit_ten_batches_at_hq(bencher: Bencher<'_, '_>) {
    const BATCHES: usize = 10;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut hq = HqDb::create(&dir.path().join("hq.db"), 9, clock::wall()).expect("a new database");
    let mut next = 0;
    let total = ROWS * BATCHES * (SAMPLES as usize + 2);
    let mut group = || -> Vec<Incoming> {
        (0..BATCHES)
            .map(|_| {
                let ledger = LedgerId::from_random(7);
                let sales = (next..next + ROWS).map(|at| GOODS.sale(at, total, ledger)).collect();
                next += ROWS;
                Incoming::Message {
                    login: Login::Own,
                    message: Uplink::Batch(batch(sales)),
                }
            })
            .collect()
    };
    bencher
        .counter(ItemsCount::new(ROWS * BATCHES))
        .with_inputs(&mut group)
        .bench_local_refs(|group| {
            let answers = hq
                .commit_group(clock::wall(), &READS, group)
                .expect("the database works");
            assert!(matches!(&answers[0], Some(Downlink::Receipt(_))));
        });
}

#[divan::bench]
fn draw_a_screen_of_sales(bencher: Bencher<'_, '_>) {
    let size = Size::new(100, 28);
    let settings = Settings {
        branch: branch(),
        text: Text::english(),
        theme: Theme {
            palette: Palette::Dark,
            glyphs: &UNICODE,
        },
        keymap: Keymap::default(),
        remote: false,
        read_only: false,
        region: "East".into(),
        tax_rate: TaxRate::default(),
        knows_codes: false,
        scanner_prefix: None,
        log_file: None,
        plain_line: false,
        hours: None,
        local: clock::local_of,
    };
    let moment = Moment {
        tick: Tick(0),
        wall: clock::wall(),
    };
    let mut model = Model::new(settings, moment, size);
    model.table.loaded = true;
    model.table.rows = sales().into_iter().take(60).map(pending).collect();
    model.table.selected = SaleId::new(3);
    let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).expect("a terminal in memory");
    bencher.bench_local(|| {
        let drawn = terminal.draw(|frame| view(&model, frame));
        black_box(drawn.is_ok())
    });
}

fn pending(sale: Sale) -> SaleRow {
    assert_eq!(sale.revision, Revision::FIRST);
    SaleRow {
        sale,
        sync: SyncState::Pending { tries: 0 },
    }
}
