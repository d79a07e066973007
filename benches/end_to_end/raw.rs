//! What the parts can do at best, measured beside the whole: the disk's fsync, the broker's round trip, and rows into head office's table.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use branchline::clock;
use branchline::domain::ids::{BatchId, BranchCode, LedgerId};
use branchline::domain::sale::Sale;
use branchline::domain::time::wall_text;
use branchline::protocol::identity::Login;
use branchline::protocol::message::{Batch, Uplink};
use branchline::store::hq::{HqDb, Incoming};
use branchline::wire::READS;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use rusqlite::{Connection, params};

use crate::goods::Goods;
use crate::place::{BRANCH, Place};
use crate::support::broker::Vhost;

/// As many rows as the program puts into one batch of a backlog, and as many batches as head office commits together.
const BATCH_ROWS: usize = 8_000;
const GROUP_BATCHES: usize = 3;

/// What writing the same rows takes, both ways.
pub(crate) struct Upserts {
    /// Head office's own way: judged, with revisions and books kept, many rows a statement.
    pub(crate) bulk: Duration,
    /// A prepared statement for each row.
    pub(crate) prepared: Duration,
}

/// A file that only grows: the least that a disk can be asked to keep.
pub(crate) struct Growing(File);

impl Growing {
    pub(crate) fn new(place: &Place) -> Self {
        Self(File::create(place.file("fdatasync")).expect("a file"))
    }

    /// Appends 4 KB; returns how long they took to the disk, in milliseconds.
    pub(crate) fn append(&mut self) -> f64 {
        let began = Instant::now();
        self.0.write_all(&[7; 4_096]).expect("there is room");
        self.0.sync_data().expect("the disk takes it");
        milliseconds(began.elapsed())
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Writes the rows of an imported backlog into head office's table in its own way and row by row with a prepared statement, by turns, each in transactions of the same
/// size.
pub(crate) fn upserts(place: &Place, goods: &Goods, rows: usize) -> Upserts {
    let (bulk, prepared) = (place.file("bulk.db"), place.file("prepared.db"));
    let mut hq = HqDb::create(&bulk, clock::random(), clock::wall()).expect("a new database");
    drop(HqDb::create(&prepared, clock::random(), clock::wall()).expect("a new database"));
    let mut plain = open(&prepared);
    let code = BranchCode::parse(BRANCH).expect("a good code");
    let ledger = LedgerId::from_random(7);
    let mut took = Upserts {
        bulk: Duration::ZERO,
        prepared: Duration::ZERO,
    };
    for from in (0..rows).step_by(BATCH_ROWS * GROUP_BATCHES) {
        let to = rows.min(from + BATCH_ROWS * GROUP_BATCHES);
        let now = clock::wall();
        let imported = |at| Sale {
            created_at: now,
            updated_at: now,
            ..goods.sale(at, rows, ledger)
        };
        let sales: Vec<Sale> = (from..to).map(imported).collect();
        took.prepared += row_by_row(&mut plain, &code, &sales);
        took.bulk += in_bulk(&mut hq, &code, &sales);
    }
    drop((hq, plain));
    place.forget("bulk.db");
    place.forget("prepared.db");
    took
}

/// Takes sales as head office does with what has arrived; returns how long that took.
pub(crate) fn in_bulk(hq: &mut HqDb, code: &BranchCode, sales: &[Sale]) -> Duration {
    let incoming = |sales: &[Sale]| Incoming::Message {
        login: Login::Own,
        message: Uplink::Batch(Batch {
            branch: code.clone(),
            ledger: sales[0].ledger,
            id: BatchId::from_random(clock::random()),
            sales: sales.to_vec(),
            products: Vec::new(),
        }),
    };
    let group: Vec<Incoming> = sales.chunks(BATCH_ROWS).map(incoming).collect();
    let began = Instant::now();
    let answers = hq
        .commit_group(clock::wall(), &READS, &group)
        .expect("the database works");
    assert_eq!(answers.len(), group.len());
    began.elapsed()
}

fn row_by_row(plain: &mut Connection, code: &BranchCode, sales: &[Sale]) -> Duration {
    const UPSERT: &str = "INSERT INTO sales (branch, ledger, external_id, revision, date, product, region, qty, cost, tax, created_at, updated_at, \
        deleted_at, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (branch, ledger, external_id) DO UPDATE SET \
        revision = excluded.revision, date = excluded.date, product = excluded.product, region = excluded.region, qty = excluded.qty, \
        cost = excluded.cost, tax = excluded.tax, created_at = excluded.created_at, updated_at = excluded.updated_at, \
        deleted_at = excluded.deleted_at, received_at = excluded.received_at WHERE excluded.revision > sales.revision";
    let now = clock::wall().0;
    // Not counted: nobody would keep dates as values in a program that writes row by row.
    let dates: Vec<String> = sales.iter().map(|sale| wall_text(sale.content.date)).collect();
    let began = Instant::now();
    let transaction = plain.transaction().expect("a transaction");
    {
        let mut upsert = transaction.prepare_cached(UPSERT).expect("good SQL");
        for (sale, date) in sales.iter().zip(&dates) {
            let content = &sale.content;
            upsert
                .execute(params![
                    code.as_str(),
                    sale.ledger.as_bytes(),
                    sale.id.get(),
                    sale.revision.get(),
                    date,
                    content.product,
                    content.region,
                    content.qty,
                    content.cost.units(),
                    content.tax.units(),
                    sale.created_at.0,
                    sale.updated_at.0,
                    sale.deleted_at.map(|at| at.0),
                    now
                ])
                .expect("the database works");
        }
    }
    transaction.commit().expect("the database works");
    began.elapsed()
}

/// A plain connection with the program's own settings.
pub(crate) fn open(path: &Path) -> Connection {
    let plain = Connection::open(path).expect("the database opens");
    plain
        .execute_batch("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .expect("the settings are good");
    plain
}

/// How long a small message takes through a quorum queue to somebody who answers it, and the answer back, in milliseconds.
pub(crate) async fn ping_pong(vhost: &Vhost, rounds: usize) -> Vec<f64> {
    let (asking, answering) = (vhost.raw("guest:guest").await, vhost.raw("guest:guest").await);
    declare(&asking, "ping", true).await;
    declare(&asking, "pong", false).await;
    let answerer = tokio::spawn(async move {
        let mut pings = consume(&answering, "ping").await;
        while let Some(Ok(ping)) = pings.next().await {
            publish(&answering, "pong", &ping.data).await;
            ping.acker
                .ack(BasicAckOptions::default())
                .await
                .expect("the line holds");
        }
    });
    let mut pongs = consume(&asking, "pong").await;
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        publish(&asking, "ping", &[7; 200]).await;
        let pong = pongs.next().await.expect("the line holds").expect("the line holds");
        took.push(milliseconds(began.elapsed()));
        pong.acker
            .ack(BasicAckOptions::default())
            .await
            .expect("the line holds");
    }
    answerer.abort();
    took
}

/// Declares a durable queue; a quorum queue is what sales travel in, a classic one what receipts do.
pub(crate) async fn declare(channel: &Channel, queue: &str, quorum: bool) {
    let mut arguments = FieldTable::default();
    if quorum {
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    }
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(queue.into(), durable, arguments).await;
    declared.expect("the broker takes the queue");
    let confirming = channel.confirm_select(ConfirmSelectOptions::default()).await;
    confirming.expect("the broker confirms");
}

/// Reads a queue.
pub(crate) async fn consume(channel: &Channel, queue: &str) -> lapin::Consumer {
    let confirming = channel.confirm_select(ConfirmSelectOptions::default()).await;
    confirming.expect("the broker confirms");
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    consumer.await.expect("the queue is there")
}

/// Publishes durably to a queue, without waiting for the broker's confirm.
pub(crate) async fn publish(channel: &Channel, queue: &str, body: &[u8]) {
    let durable = BasicProperties::default().with_delivery_mode(2);
    let published = channel
        .basic_publish("".into(), queue.into(), BasicPublishOptions::default(), body, durable)
        .await;
    drop(published.expect("the line holds"));
}
