//! HQ's line over a real broker: groups, acks, receipts, and one HQ at a time.

use std::time::Duration;

use branchline::domain::event::LinkTrouble;
use branchline::domain::ids::{LedgerId, Nonce};
use branchline::domain::money::MoneySum;
use branchline::domain::time::UtcMillis;
use branchline::hq::{self, Options};
use branchline::protocol::message::{Hello, Uplink};
use branchline::shutdown;
use branchline::store::hq::HqDb;
use branchline::transport::amqp::HqAmqp;
use branchline::transport::{DeadLetter, Delivery, HqLink, HqTransport, HqTrouble, LinkEvent, Outgoing, Reply};
use branchline::wire::encode_uplink;
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout};

use crate::support::broker::{Broker, code};
use crate::support::session::{self, branch, head_office, next_but_queue, receive, rest, sales, up};
use crate::support::{soon, until};

fn receipt(branch: &str, number: u8) -> Reply {
    Reply {
        branch: code(branch),
        body: vec![number],
    }
}

fn tags(group: &[Delivery]) -> Vec<u64> {
    group.iter().map(|delivery| delivery.tag).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_head_office_with_a_database_of_its_own_is_refused() {
    let vhost = Broker::shared().vhost();
    let first = soon("the first", HqAmqp::new(vhost.admin()).alone().open())
        .await
        .unwrap();
    let refused = soon("the refusal", HqAmqp::new(vhost.admin()).alone().open()).await;
    assert!(matches!(refused, Err(HqTrouble::AnotherHq)), "{refused:?}");
    // Those that share one database don't mind each other.
    let shared = soon("a sharing one", HqAmqp::new(vhost.admin()).open()).await.unwrap();
    shared.close().await;
    first.close().await;
    soon("its successor", HqAmqp::new(vhost.admin()).alone().open())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_office_that_crashed_makes_way_for_its_successor() {
    let vhost = Broker::shared().vhost();
    let crashed = soon("the first", HqAmqp::new(vhost.admin()).alone().open())
        .await
        .unwrap();
    drop(crashed);
    soon("its successor", HqAmqp::new(vhost.admin()).alone().open())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acked_comes_again_and_says_how_often() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let mut session = up(&branch(vhost.branch("SOUSSE-01"), "SOUSSE-01")).await;
    for number in 1..=3 {
        session.outgoing.send(sales(number)).await.unwrap();
        assert_eq!(next_but_queue(&mut session).await, LinkEvent::Confirmed([number; 16]));
    }
    for times in 0..4 {
        let mut hq = head_office(vhost.admin()).await;
        let mut group = Vec::new();
        while group.len() < 3 {
            group.extend(receive(&mut hq).await);
        }
        assert_eq!(
            group.iter().map(|delivery| delivery.redelivered).collect::<Vec<_>>(),
            [times; 3]
        );
        // The second time in an orderly way, else as in a crash.
        if times == 1 {
            hq.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_acked_is_gone() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    let mut session = up(&branch(vhost.branch("SOUSSE-01"), "SOUSSE-01")).await;
    for number in 0..6 {
        session.outgoing.send(sales(number)).await.unwrap();
        assert!(matches!(next_but_queue(&mut session).await, LinkEvent::Confirmed(_)));
    }
    let mut group = Vec::new();
    while group.len() < 6 {
        group.extend(receive(&mut hq).await);
    }
    let done: Vec<u64> = [0, 1, 4].iter().map(|index| group[*index].tag).collect();
    hq.ack(&done).await.unwrap();
    // A tag that is done already does no harm.
    hq.ack(&done[..1]).await.unwrap();
    hq.close().await;
    let mut hq = head_office(vhost.admin()).await;
    let mut again = Vec::new();
    while again.len() < 3 {
        again.extend(receive(&mut hq).await.into_iter().map(|delivery| delivery.body[0]));
    }
    again.sort_unstable();
    assert_eq!(again, [2, 3, 5]);
    assert!(
        timeout(Duration::from_millis(200), hq.next_group(1, 1)).await.is_err(),
        "something acked came again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_bounded_in_messages_and_in_bytes() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let mut session = up(&branch(vhost.branch("SOUSSE-01"), "SOUSSE-01")).await;
    for number in 0..20 {
        session.outgoing.send(sales(number)).await.unwrap();
        assert!(matches!(next_but_queue(&mut session).await, LinkEvent::Confirmed(_)));
    }
    let mut hq = head_office(vhost.admin()).await;
    let mut seen = 0;
    while seen < 20 {
        // Each message has 100 bytes: the third reaches 250.
        let (messages, bytes) = if seen < 10 { (4, 1_000_000) } else { (100, 250) };
        let group = soon("a group", hq.next_group(messages, bytes)).await.unwrap();
        assert!(group.len() <= if seen < 10 { 4 } else { 3 }, "{}", group.len());
        seen += group.len();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_whose_queue_has_gone_is_delivered_to_a_new_one() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    hq.reply(vec![receipt("SOUSSE-01", 1), receipt("SFAX-01", 1)])
        .await
        .unwrap();
    let raw = vhost.raw("guest:guest").await;
    raw.queue_delete("to.SOUSSE-01".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    hq.reply(vec![
        receipt("SFAX-01", 2),
        receipt("SOUSSE-01", 2),
        receipt("SFAX-01", 3),
    ])
    .await
    .unwrap();
    for (name, expected) in [("SOUSSE-01", vec![2]), ("SFAX-01", vec![1, 2, 3])] {
        let mut session = up(&branch(vhost.branch(name), name)).await;
        for number in expected {
            assert_eq!(
                next_but_queue(&mut session).await,
                LinkEvent::Arrived(vec![number]),
                "{name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_the_broker_refuses_to_declare_concerns_its_branch_alone() {
    let vhost = Broker::shared().vhost();
    let raw = vhost.raw("guest:guest").await;
    // Somebody has made it by hand, otherwise than HQ would.
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    raw.queue_declare("to.SFAX-01".into(), durable, FieldTable::default())
        .await
        .unwrap();
    let mut hq = head_office(vhost.admin()).await;
    hq.reply(vec![receipt("SFAX-01", 1), receipt("SOUSSE-01", 1)])
        .await
        .unwrap();
    for name in ["SFAX-01", "SOUSSE-01"] {
        let mut session = up(&branch(vhost.branch(name), name)).await;
        assert_eq!(
            next_but_queue(&mut session).await,
            LinkEvent::Arrived(vec![1]),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_arrive_marked_and_can_be_acked() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    let raw = vhost.raw("guest:guest").await;
    let publish = |exchange: &str, key: &str| {
        let options = BasicPublishOptions::default();
        raw.basic_publish(exchange.into(), key.into(), options, b"x", BasicProperties::default())
    };
    publish("sales.dead", "TUNIS-01.s").await.unwrap();
    let dead = receive(&mut hq).await;
    assert_eq!(dead[0].dead_letter, Some(DeadLetter::GivenUp));
    assert_eq!(dead[0].routing_key, "TUNIS-01.s");
    publish("sales", "anything.else").await.unwrap();
    let stray = receive(&mut hq).await;
    // Whatever the key, HQ gets it, and sees that nobody vouches for the sender.
    assert!(stray[0].dead_letter.is_none() && stray[0].user_id.is_none());
    assert_eq!(stray[0].routing_key, "anything.else");
    assert!(stray[0].tag > dead[0].tag);
    hq.ack(&tags(&dead)).await.unwrap();
    hq.ack(&tags(&stray)).await.unwrap();
    hq.close().await;
    let mut hq = head_office(vhost.admin()).await;
    assert!(
        timeout(Duration::from_millis(200), hq.next_group(1, 1)).await.is_err(),
        "it came again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_expired_while_head_office_was_away_leaves_no_trace() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let mut session = up(&branch(vhost.branch("SOUSSE-01"), "SOUSSE-01")).await;
    let hello = Hello {
        branch: code("SOUSSE-01"),
        ledger: LedgerId::from_random(7),
        nonce: Nonce::from_random(3),
        first_id: 1,
        highest_id: 0,
        sales: 0,
        amount: MoneySum(0),
        clock: UtcMillis(0),
        writes: vec![1],
        marks: Vec::new(),
    };
    let stale = Outgoing {
        body: encode_uplink(&Uplink::Hello(hello), 1).unwrap(),
        expires_ms: Some(1),
        ..session::hello(1)
    };
    session.outgoing.send(stale).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Confirmed([1; 16]));
    vhost.until_messages("sales.dead", 1).await;
    // Behind it something that the broker was told to give up, and that is kept.
    let raw = vhost.raw("guest:guest").await;
    let options = BasicPublishOptions::default();
    let key = "SOUSSE-01.s";
    raw.basic_publish(
        "sales.dead".into(),
        key.into(),
        options,
        b"x",
        BasicProperties::default(),
    )
    .await
    .unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hq.db");
    let db = HqDb::create(&path, 5, UtcMillis(0)).unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let running = tokio::spawn(hq::run(HqAmqp::new(vhost.admin()), db, Options::real(false), shutdown));
    let mut looking = HqDb::open(&path).unwrap();
    until("what follows the hello is kept", || {
        !looking.quarantined(0, 9).unwrap().is_empty()
    })
    .await;
    trigger.request();
    running.await.unwrap().unwrap();
    let kept = looking.quarantined(0, 9).unwrap();
    let kept: Vec<_> = kept.iter().map(|message| message.suspect.bytes.as_slice()).collect();
    assert_eq!(kept, [b"x"]);
    vhost.until_messages("sales.dead", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_blocks_without_hanging_and_everything_goes_on_after_it() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let mut hq = soon("HQ opens", HqAmqp::new(vhost.admin()).alone().open())
        .await
        .unwrap();
    let mut session = up(&branch(vhost.branch("TUNIS-01"), "TUNIS-01")).await;
    let mut other = up(&branch(vhost.branch("SFAX-01"), "SFAX-01")).await;
    broker.memory_alarm(true);
    session.outgoing.send(sales(1)).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Blocked(true));
    // Closing now takes its bounded time, no longer.
    other.outgoing.send(sales(2)).await.unwrap();
    assert_eq!(next_but_queue(&mut other).await, LinkEvent::Blocked(true));
    let began = Instant::now();
    drop(other.outgoing);
    while soon("the end", other.events.recv()).await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // HQ can't send receipts either; it must not wait for the end of the alarm.
    soon("the first receipts", hq.reply(vec![receipt("TUNIS-01", 1)]))
        .await
        .unwrap();
    let began = Instant::now();
    soon("further receipts", hq.reply(vec![receipt("TUNIS-01", 2)]))
        .await
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    broker.memory_alarm(false);
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Blocked(false));
    loop {
        match next_but_queue(&mut session).await {
            LinkEvent::Arrived(_) => {}
            event => break assert_eq!(event, LinkEvent::Confirmed([1; 16])),
        }
    }
    assert!(
        receive(&mut hq)
            .await
            .iter()
            .any(|delivery| delivery.body == sales(1).body)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_has_confirmed_survives_its_death() {
    let mut broker = Broker::start();
    let vhost = broker.vhost();
    let mut hq = soon("HQ opens", HqAmqp::new(vhost.admin()).open()).await.unwrap();
    let transport = branch(vhost.branch("TUNIS-01"), "TUNIS-01");
    let mut session = up(&transport).await;
    hq.reply(vec![receipt("TUNIS-01", 1)]).await.unwrap();
    for number in 0..50 {
        session.outgoing.send(sales(number)).await.unwrap();
    }
    let mut confirmed = Vec::new();
    while confirmed.len() < 50 {
        if let LinkEvent::Confirmed(id) = next_but_queue(&mut session).await {
            confirmed.push(id[0]);
        }
    }
    broker.until_written_down(&vhost, "sales").await;
    broker.kill();
    assert_eq!(rest(&mut session).await.1, LinkTrouble::Lost);
    let lost = async { while hq.next_group(1_000, 1_000_000).await.is_ok() {} };
    soon("HQ notices", lost).await;
    drop(hq);

    broker.restart();
    let mut hq = soon("HQ opens", HqAmqp::new(vhost.admin()).open()).await.unwrap();
    let mut received = Vec::new();
    while received.len() < 50 {
        received.extend(receive(&mut hq).await.into_iter().map(|delivery| delivery.body[0]));
    }
    received.sort_unstable();
    confirmed.sort_unstable();
    assert_eq!(received, confirmed);
    up(&transport).await;

    broker.wipe();
    assert!(matches!(
        soon("no login", HqAmqp::new(vhost.admin()).open()).await,
        Err(HqTrouble::Line(_))
    ));
}
