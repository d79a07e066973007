//! A branch's line over a real broker: what it tells, and that it never tells more than is true.

use std::collections::BTreeSet;
use std::time::Duration;

use branchline::domain::event::LinkTrouble;
use branchline::transport::{HqLink, LinkEvent, Reply};
use lapin::options::{ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout};

use crate::support::broker::{Broker, PASSWORD, code};
use crate::support::proxy::{Door, Proxy};
use crate::support::session::{branch, head_office, hello, next, next_but_queue, receive, rest, sales, trouble, up};
use crate::support::soon;

const CODE: &str = "TUNIS-01";

fn receipt(number: u8) -> Reply {
    Reply {
        branch: code(CODE),
        body: vec![number],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_branch_publishes_is_confirmed_and_its_receipt_comes_back() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    let mut session = up(&branch(vhost.branch(CODE), CODE)).await;
    session.outgoing.send(hello(1)).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Confirmed([1; 16]));

    let group = receive(&mut hq).await;
    assert_eq!(group.len(), 1);
    let taken = &group[0];
    assert_eq!(taken.user_id.as_deref(), Some(CODE));
    assert_eq!(taken.routing_key, "TUNIS-01.h");
    assert_eq!(taken.body, hello(1).body);
    assert_eq!(taken.headers, "expiration: 60000\n");
    assert_eq!((taken.redelivered, taken.dead_letter), (0, None));

    hq.reply(vec![receipt(1)]).await.unwrap();
    hq.ack(&[taken.tag]).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Arrived(vec![1]));

    drop(session.outgoing);
    assert_eq!(session.events.recv().await, Some(LinkEvent::Down(LinkTrouble::Closed)));
    hq.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_closed_leaves_no_receipt_to_come_again() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    let transport = branch(vhost.branch(CODE), CODE);
    let mut session = up(&transport).await;
    hq.reply(vec![receipt(1), receipt(2), receipt(3)]).await.unwrap();
    for number in 1..=3 {
        assert_eq!(next_but_queue(&mut session).await, LinkEvent::Arrived(vec![number]));
    }
    drop(session.outgoing);
    assert_eq!(session.events.recv().await, Some(LinkEvent::Down(LinkTrouble::Closed)));

    let mut session = up(&transport).await;
    hq.reply(vec![receipt(4)]).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Arrived(vec![4]));
    hq.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_are_on_their_way_at_once_and_each_is_confirmed() {
    let vhost = Broker::shared().vhost();
    let proxy = Proxy::start(vhost.port(), 1).await;
    let mut hq = head_office(vhost.admin()).await;
    let mut session = up(&branch(vhost.branch_through(CODE, proxy.port(), ""), CODE)).await;
    proxy.weather(|weather| weather.delay = Duration::from_millis(300));
    let began = Instant::now();
    for number in 0..32 {
        session.outgoing.send(sales(number)).await.unwrap();
    }
    let mut confirmed = BTreeSet::new();
    while confirmed.len() < 32 {
        let LinkEvent::Confirmed(id) = next_but_queue(&mut session).await else {
            panic!("nothing else is expected");
        };
        assert!(confirmed.insert(id[0]) && id[0] < 32);
    }
    // One after the other they would take 32 round trips of 600 ms.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let mut bodies = Vec::new();
    while bodies.len() < 32 {
        bodies.extend(receive(&mut hq).await.into_iter().map(|delivery| delivery.body));
    }
    assert_eq!(bodies, (0..32).map(|number| sales(number).body).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_costs_few_bytes_beyond_its_own() {
    let vhost = Broker::shared().vhost();
    let proxy = Proxy::start(vhost.port(), 1).await;
    let mut hq = head_office(vhost.admin()).await;
    hq.reply(vec![receipt(0)]).await.unwrap();
    let mut session = up(&branch(vhost.branch_through(CODE, proxy.port(), ""), CODE)).await;
    assert_eq!(next(&mut session).await, LinkEvent::Arrived(vec![0]));
    let before = proxy.carried();
    for number in 1..=50 {
        session.outgoing.send(sales(number)).await.unwrap();
        hq.reply(vec![receipt(number)]).await.unwrap();
        let events = [next(&mut session).await, next(&mut session).await];
        assert!(events.contains(&LinkEvent::Confirmed([number; 16])), "{events:?}");
        assert!(events.contains(&LinkEvent::Arrived(vec![number])), "{events:?}");
    }
    let after = proxy.carried();
    // Publish, confirm, receipt and ack, heartbeats among them; 100 bytes of sales and one of a receipt are not counted.
    let (up, down) = ((after.0 - before.0) / 50 - 100, (after.1 - before.1) / 50 - 1);
    assert!(up <= 140 && down <= 160, "{up} bytes up and {down} down for each batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_confirmed_that_no_queue_takes() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let raw = vhost.raw("guest:guest").await;
    raw.queue_delete("sales".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let transport = branch(vhost.branch(CODE), CODE);
    // The confirm of a returned message looks like any other now and then: once is not enough.
    for _ in 0..20 {
        let mut session = up(&transport).await;
        for number in 0..60 {
            // The session may end before it has taken all of them.
            let _ = session.outgoing.send(sales(number)).await;
        }
        let (seen, trouble) = rest(&mut session).await;
        assert_eq!(trouble, LinkTrouble::NoHeadOffice);
        assert!(seen.iter().all(|event| *event == LinkEvent::NoReceiptQueue), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_unroutable_is_confirmed_among_messages_that_have_a_queue() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let raw = vhost.raw("guest:guest").await;
    let none = FieldTable::default;
    raw.queue_unbind("sales".into(), "sales".into(), "#".into(), none())
        .await
        .unwrap();
    // Hellos have a queue, and one whose confirms come quickly, so that they come between the returns of the sales.
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    raw.queue_declare("hellos".into(), durable, none()).await.unwrap();
    raw.queue_bind(
        "hellos".into(),
        "sales".into(),
        "*.h".into(),
        QueueBindOptions::default(),
        none(),
    )
    .await
    .unwrap();
    let transport = branch(vhost.branch(CODE), CODE);
    for _ in 0..12 {
        let mut session = up(&transport).await;
        for number in 0..30 {
            let message = if number % 3 == 2 { sales(number) } else { hello(number) };
            // The session may end before it has taken all of them.
            let _ = session.outgoing.send(message).await;
        }
        let (seen, trouble) = rest(&mut session).await;
        assert_eq!(trouble, LinkTrouble::NoHeadOffice);
        let sold = |event: &LinkEvent| matches!(event, LinkEvent::Confirmed(id) if id[0] % 3 == 2);
        assert!(!seen.iter().any(sold), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_disappears_ends_the_session() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let mut session = up(&branch(vhost.branch(CODE), CODE)).await;
    vhost
        .raw("guest:guest")
        .await
        .exchange_delete("sales".into(), ExchangeDeleteOptions::default())
        .await
        .unwrap();
    for number in 0..5 {
        let _ = session.outgoing.send(sales(number)).await;
    }
    let (seen, trouble) = rest(&mut session).await;
    assert_eq!(trouble, LinkTrouble::NoHeadOffice);
    assert!(
        !seen.iter().any(|event| matches!(event, LinkEvent::Confirmed(_))),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_no_head_office_has_ever_used_is_told_as_such() {
    let vhost = Broker::shared().vhost();
    assert_eq!(
        trouble(&branch(vhost.branch(CODE), CODE)).await,
        LinkTrouble::NoHeadOffice
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_as_such() {
    let vhost = Broker::shared().vhost();
    let wrong = vhost.branch(CODE).with_password("wrong");
    assert_eq!(trouble(&branch(wrong, CODE)).await, LinkTrouble::LoginRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_host_that_is_not_there_or_not_ours_is_not_allowed() {
    let (ours, theirs) = (Broker::shared().vhost(), Broker::shared().vhost());
    ours.branch("SFAX-01");
    let login = format!("SFAX-01:{PASSWORD}");
    let foreign = theirs.address(&login, theirs.port(), "");
    assert_eq!(trouble(&branch(foreign, "SFAX-01")).await, LinkTrouble::NotAllowed);
    let nowhere = ours.address(&login, ours.port(), "nowhere");
    assert_eq!(trouble(&branch(nowhere, "SFAX-01")).await, LinkTrouble::NotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_can_not_publish_as_another() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    // Logged in as one, with the code of the other.
    let mut session = up(&branch(vhost.branch("GABES-01"), "GABES-02")).await;
    let _ = session.outgoing.send(sales(1)).await;
    let (seen, trouble) = rest(&mut session).await;
    assert_eq!(trouble, LinkTrouble::NotAllowed);
    assert!(
        !seen.iter().any(|event| matches!(event, LinkEvent::Confirmed(_))),
        "{seen:?}"
    );
    assert!(
        timeout(Duration::from_millis(300), hq.next_group(1, 1)).await.is_err(),
        "HQ got something"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nobody_or_somebody_else_answers_is_told_as_such() {
    let vhost = Broker::shared().vhost();
    let proxy = Proxy::start(vhost.port(), 1).await;
    let transport = branch(vhost.branch_through(CODE, proxy.port(), ""), CODE);
    for (door, expected) in [
        (Door::Portal, LinkTrouble::NotABroker),
        (Door::Closed, LinkTrouble::Unreachable),
    ] {
        proxy.weather(|weather| weather.door = door);
        assert_eq!(trouble(&transport).await, expected, "{door:?}");
    }
    drop(proxy);
    assert_eq!(trouble(&transport).await, LinkTrouble::Unreachable);
    let unknown = branchline::transport::amqp::Address::parse("amqp://guest@broker.invalid").unwrap();
    assert_eq!(trouble(&branch(unknown, CODE)).await, LinkTrouble::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_certificate_of_the_given_authority_is_trusted() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    vhost.branch(CODE);
    let login = format!("{CODE}:{PASSWORD}");
    let (address, authority) = vhost.encrypted(&login, "localhost");
    up(&branch(address.clone().with_authorities(authority.clone()), CODE)).await;
    // Signed by an authority that this system doesn't know, and not made for this name.
    assert_eq!(trouble(&branch(address, CODE)).await, LinkTrouble::Certificate);
    let (misnamed, _) = vhost.encrypted(&login, "127.0.0.1");
    assert_eq!(
        trouble(&branch(misnamed.with_authorities(authority.clone()), CODE)).await,
        LinkTrouble::Certificate
    );
    // Something that is no TLS at all.
    let (_, plain) = (
        vhost.port(),
        vhost.url(&login, vhost.port(), "").replace("amqp:", "amqps:"),
    );
    let plain = branchline::transport::amqp::Address::parse(&plain)
        .unwrap()
        .with_authorities(authority);
    assert_eq!(trouble(&branch(plain, CODE)).await, LinkTrouble::NotABroker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_line_is_noticed_within_little_more_than_two_heartbeats() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let proxy = Proxy::start(vhost.port(), 1).await;
    let mut session = up(&branch(vhost.branch_through(CODE, proxy.port(), "?heartbeat=2"), CODE)).await;
    let began = Instant::now();
    proxy.weather(|weather| weather.frozen = true);
    let (_, trouble) = rest(&mut session).await;
    assert_eq!(trouble, LinkTrouble::Lost);
    // Two heartbeats are 4 s, the next look comes within another one, and then the session takes leave for up to 2 s.
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_receipt_queue_the_session_goes_on_and_finds_it_later() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    let mut session = up(&branch(vhost.branch(CODE), CODE)).await;
    assert_eq!(next(&mut session).await, LinkEvent::NoReceiptQueue);
    session.outgoing.send(hello(1)).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Confirmed([1; 16]));
    receive(&mut hq).await;
    hq.reply(vec![receipt(1)]).await.unwrap();
    assert_eq!(next_but_queue(&mut session).await, LinkEvent::Arrived(vec![1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_go_to_the_newest_session() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    hq.reply(vec![receipt(1)]).await.unwrap();
    let transport = branch(vhost.branch(CODE), CODE);
    let mut old = up(&transport).await;
    assert_eq!(next(&mut old).await, LinkEvent::Arrived(vec![1]));
    // The broker believes that the old session lives, as it would for a while after a line has broken.
    let mut new = up(&transport).await;
    new.outgoing.send(hello(1)).await.unwrap();
    assert_eq!(next(&mut new).await, LinkEvent::Confirmed([1; 16]));
    vhost.until_consumers("to.TUNIS-01", 2).await;
    for number in 2..30 {
        hq.reply(vec![receipt(number)]).await.unwrap();
        assert_eq!(next(&mut new).await, LinkEvent::Arrived(vec![number]));
    }
    assert!(old.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_confirmed_is_at_the_broker_wherever_the_line_was_cut() {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    let proxy = Proxy::start(vhost.port(), 7).await;
    let transport = branch(vhost.branch_through(CODE, proxy.port(), ""), CODE);
    let (mut confirmed, mut received) = (Vec::new(), Vec::new());
    for round in 0..15_u8 {
        let mut session = up(&transport).await;
        proxy.cut_within(12_000);
        for number in 0..16 {
            let _ = session.outgoing.send(sales(round * 16 + number)).await;
        }
        let mut answered = 0;
        let trouble = loop {
            // What is left of the fuse burns only if something goes on.
            while answered == 16 && proxy.cut_is_due() {
                if session.outgoing.try_send(hello(255)).is_err() {
                    tokio::task::yield_now().await;
                }
            }
            match next_but_queue(&mut session).await {
                LinkEvent::Confirmed(id) if id == [255; 16] => {}
                LinkEvent::Confirmed(id) => {
                    answered += 1;
                    confirmed.push(id[0]);
                }
                LinkEvent::Down(trouble) => break trouble,
                event => panic!("{event:?}"),
            }
        };
        assert_eq!(trouble, LinkTrouble::Lost);
        proxy.cut();
    }
    let last = up(&transport).await;
    last.outgoing.send(sales(254)).await.unwrap();
    while received.last() != Some(&254) {
        let group = receive(&mut hq).await;
        received.extend(group.iter().map(|delivery| delivery.body[0]));
        hq.ack(&group.iter().map(|delivery| delivery.tag).collect::<Vec<_>>())
            .await
            .unwrap();
    }
    assert!(
        !confirmed.is_empty() && confirmed.len() < 15 * 16,
        "the cuts came too early or too late: {confirmed:?}"
    );
    assert!(
        confirmed.iter().all(|number| received.contains(number)),
        "{confirmed:?} but only {received:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_confirms_but_not_for_long() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let proxy = Proxy::start(vhost.port(), 1).await;
    let transport = branch(vhost.branch_through(CODE, proxy.port(), ""), CODE);
    let session = up(&transport).await;
    for number in 0..10 {
        session.outgoing.send(sales(number)).await.unwrap();
    }
    let mut events = session.events;
    drop(session.outgoing);
    let mut confirmed = 0;
    loop {
        match soon("an event", events.recv()).await {
            Some(LinkEvent::Confirmed(_)) => confirmed += 1,
            Some(LinkEvent::Down(trouble)) => break assert_eq!(trouble, LinkTrouble::Closed),
            other => assert_eq!(other, Some(LinkEvent::NoReceiptQueue)),
        }
    }
    assert_eq!(confirmed, 10);

    let session = up(&transport).await;
    proxy.weather(|weather| weather.frozen = true);
    session.outgoing.send(sales(1)).await.unwrap();
    let began = Instant::now();
    let mut events = session.events;
    drop(session.outgoing);
    while soon("the end of the session", events.recv()).await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_holds_any_more_lets_go_of_its_connections() {
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    let proxy = Proxy::start(vhost.port(), 1).await;
    let transport = branch(vhost.branch_through(CODE, proxy.port(), ""), CODE);
    drop(up(&transport).await);
    crate::support::until("the connections are gone", || proxy.connections() == 0).await;
    // The same while it is still being opened, by somebody who never answers.
    proxy.weather(|weather| weather.door = Door::Silent);
    let session = branchline::transport::Transport::open(&transport);
    crate::support::until("the connections are there", || proxy.connections() == 2).await;
    drop(session);
    crate::support::until("the connections are gone", || proxy.connections() == 0).await;
}
