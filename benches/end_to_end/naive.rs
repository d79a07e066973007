//! The naive way: each sale as a JSON message of its own, an insert that commits by itself, and an echo that acks it, which commits by itself, too.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::BasicAckOptions;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::Bench;
use crate::goods::Goods;
use crate::place::{BRANCH, Place};
use crate::raw::{consume, declare, publish};
use crate::report::{Figure, Report, Target, thousands};
use crate::support::broker::Vhost;
use crate::support::proxy::Proxy;

const COLUMNS: &str =
    "id INTEGER PRIMARY KEY, branch TEXT, date TEXT, product TEXT, region TEXT, qty INTEGER, cost TEXT, tax TEXT";

/// Compares a drain with the naive way.
pub(crate) fn measure(bench: &Bench, drained: f64, report: &mut Report) {
    for (journal, name, rows, target) in [
        ("DELETE", "with a rollback journal", 1_000, 500.0),
        ("WAL", "with WAL", 3_000, 150.0),
    ] {
        let place = Place::new();
        let vhost = bench.broker.vhost();
        let took = bench
            .runtime
            .block_on(carry(&place, &vhost, vhost.port(), &bench.goods, journal, rows));
        let rate = rows as f64 / took.as_secs_f64();
        report.add(Figure {
            what: format!("the backlog against the naive way {name}"),
            value: drained / rate,
            unit: "times",
            target: Target::AtLeast(target),
            baseline: format!("{} sales/s", thousands(rate)),
            source: format!(
                "{rows} sales the naive way: a JSON message, an insert and an echoed ack each, synchronous=FULL"
            ),
        });
    }
}

/// Bytes a sale on the branch's line, both ways.
pub(crate) fn bytes(bench: &Bench) -> f64 {
    const ROWS: usize = 200;
    let (place, vhost) = (Place::new(), bench.broker.vhost());
    bench.runtime.block_on(async {
        let proxy = Proxy::start(vhost.port(), 3).await;
        carry(&place, &vhost, proxy.port(), &bench.goods, "WAL", ROWS).await;
        let (up, down) = proxy.carried();
        (up + down) as f64 / ROWS as f64
    })
}

async fn connect(vhost: &Vhost, port: u16) -> Channel {
    let url = vhost.url("guest:guest", port, "");
    let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await;
    let channel = connection.expect("the login is good").create_channel().await;
    channel.expect("a fresh connection has a channel")
}

/// Carries sales the naive way, with the branch's connections by way of this port; returns how long it took until the last ack was committed.
async fn carry(place: &Place, vhost: &Vhost, port: u16, goods: &Goods, journal: &str, rows: usize) -> Duration {
    let branch = open(&place.file("branch.db"), journal, "acked INTEGER");
    let hq = open(&place.file("hq.db"), journal, "received INTEGER");
    let (sending, receiving, serving) =
        tokio::join!(connect(vhost, port), connect(vhost, port), connect(vhost, vhost.port()));
    declare(&sending, "naive", true).await;
    declare(&sending, "acks", false).await;
    let messages: Vec<String> = (0..rows).map(|at| message(goods, at, rows)).collect();
    for text in &messages {
        insert(&branch, text);
    }
    let mut sales = consume(&serving, "naive").await;
    let mut acks = consume(&receiving, "acks").await;
    let began = Instant::now();
    let office = tokio::spawn(async move {
        while let Some(Ok(sale)) = sales.next().await {
            let text = String::from_utf8(sale.data).expect("it is JSON");
            insert(&hq, &text);
            publish(&serving, "acks", text.as_bytes()).await;
            sale.acker
                .ack(BasicAckOptions::default())
                .await
                .expect("the line holds");
        }
    });
    let sender = tokio::spawn(async move {
        for text in &messages {
            publish(&sending, "naive", text.as_bytes()).await;
        }
        // The connection must outlive what it has yet to write.
        sending
    });
    for _ in 0..rows {
        let ack = acks.next().await.expect("the line holds").expect("the line holds");
        let sale: Value = serde_json::from_slice(&ack.data).expect("it is JSON");
        branch
            .execute("UPDATE sales SET acked = 1 WHERE id = ?", params![sale["id"].as_i64()])
            .expect("the database works");
        ack.acker.ack(BasicAckOptions::default()).await.expect("the line holds");
    }
    let took = began.elapsed();
    drop(sender.await.expect("it has sent all"));
    office.abort();
    took
}

fn open(path: &Path, journal: &str, more: &str) -> Connection {
    let plain = Connection::open(path).expect("the database opens");
    plain
        .execute_batch(&format!(
            "PRAGMA journal_mode = {journal}; PRAGMA synchronous = FULL; CREATE TABLE sales ({COLUMNS}, {more})"
        ))
        .expect("the settings are good");
    plain
}

fn message(goods: &Goods, at: usize, rows: usize) -> String {
    let sale = goods.content(at, rows);
    json!({
        "id": at + 1,
        "branch": BRANCH,
        "date": sale.date.to_string(),
        "product": sale.product,
        "region": sale.region,
        "qty": sale.qty,
        "cost": sale.cost.to_string(),
        "tax": sale.tax.to_string(),
    })
    .to_string()
}

fn insert(plain: &Connection, text: &str) {
    let sale: Value = serde_json::from_str(text).expect("it is JSON");
    let word = |name: &str| sale[name].as_str().map(str::to_owned);
    plain
        .execute(
            "INSERT OR IGNORE INTO sales (id, branch, date, product, region, qty, cost, tax) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                sale["id"].as_i64(),
                word("branch"),
                word("date"),
                word("product"),
                word("region"),
                sale["qty"].as_i64(),
                word("cost"),
                word("tax")
            ],
        )
        .expect("the database works");
}
