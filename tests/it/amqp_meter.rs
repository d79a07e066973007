//! The data meter and the cap of a branch's line: what they say is what the line carries.

use branchline::domain::line::Traffic;
use branchline::domain::time::UtcMillis;
use branchline::transport::amqp::BranchAmqp;
use branchline::transport::{HqLink, LinkEvent, Outgoing, Transport};
use tokio::time::{Duration, Instant};

use crate::support::broker::{Broker, code};
use crate::support::proxy::Proxy;
use crate::support::session::{branch, head_office, hello, next_but_queue, sales, up};
use crate::support::until;

const CODE: &str = "TUNIS-01";

#[tokio::test(flavor = "multi_thread")]
async fn the_meter_counts_every_byte_that_the_line_carries() {
    let vhost = Broker::shared().vhost();
    let proxy = Proxy::start(vhost.port(), 1).await;
    let hq = head_office(vhost.admin()).await;
    let transport = branch(vhost.branch_through(CODE, proxy.port(), ""), CODE);
    let mut line = up(&transport).await;
    line.outgoing.send(hello(1)).await.unwrap();
    assert_eq!(next_but_queue(&mut line).await, LinkEvent::Confirmed([1; 16]));
    until(
        "the line has carried all that the meter counted, and nothing else",
        || {
            let (up, down) = proxy.carried();
            transport.traffic() == Traffic { up, down }
        },
    )
    .await;
    assert!(transport.traffic().total() > 1_000, "a session takes some bytes");
    hq.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capped_line_carries_no_more_than_its_cap() {
    const BYTES_PER_S: u64 = 100_000;
    let vhost = Broker::shared().vhost();
    let hq = head_office(vhost.admin()).await;
    let transport = BranchAmqp::new(vhost.branch(CODE), code(CODE), UtcMillis(1), Some(BYTES_PER_S));
    let begun = Instant::now();
    let mut line = up(&transport).await;
    let large = Outgoing {
        body: vec![7; 150_000],
        ..sales(1)
    };
    line.outgoing.send(large).await.unwrap();
    assert_eq!(next_but_queue(&mut line).await, LinkEvent::Confirmed([1; 16]));
    // Never faster than the cap; how much slower depends on the machine.
    let pays_for = Duration::from_micros(transport.traffic().total() * 1_000_000 / BYTES_PER_S);
    assert!(
        begun.elapsed() + Duration::from_millis(100) >= pays_for,
        "{:?} for {pays_for:?}",
        begun.elapsed()
    );
    assert!(pays_for >= Duration::from_millis(1_500));
    hq.close().await;
}
