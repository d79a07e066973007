//! Driving one session of a branch's line by hand.

use branchline::domain::event::LinkTrouble;
use branchline::domain::time::UtcMillis;
use branchline::transport::amqp::{Address, BranchAmqp, HqAmqp, HqAmqpLink};
use branchline::transport::{Delivery, HqLink, HqTransport, Kind, LinkEvent, Outgoing, Session, Transport};

use super::soon;

/// A branch's transport, as if its process had just started.
pub(crate) fn branch(address: Address, code: &str) -> BranchAmqp {
    BranchAmqp::new(address, super::broker::code(code), UtcMillis(1), None)
}

/// HQ's session on the broker at `address`.
pub(crate) async fn head_office(address: Address) -> HqAmqpLink {
    soon("HQ opens its session", HqAmqp::new(address).open())
        .await
        .expect("HQ opens its session")
}

/// What has arrived at HQ, once something has.
pub(crate) async fn receive(hq: &mut HqAmqpLink) -> Vec<Delivery> {
    soon("a message at HQ", hq.next_group(1_000, 1_000_000))
        .await
        .expect("HQ's line holds")
}

/// Sales with this number for an id.
pub(crate) fn sales(number: u8) -> Outgoing {
    Outgoing {
        id: [number; 16],
        kind: Kind::Sales,
        body: vec![number; 100],
        expires_ms: None,
    }
}

/// A hello with this number for an id.
pub(crate) fn hello(number: u8) -> Outgoing {
    Outgoing {
        kind: Kind::Hello,
        expires_ms: Some(60_000),
        ..sales(number)
    }
}

/// The next event of a session.
pub(crate) async fn next(session: &mut Session) -> LinkEvent {
    soon("an event of the session", session.events.recv())
        .await
        .expect("the session ends with Down")
}

/// The next event that is not about the receipt queue.
pub(crate) async fn next_but_queue(session: &mut Session) -> LinkEvent {
    loop {
        match next(session).await {
            LinkEvent::NoReceiptQueue => {}
            event => return event,
        }
    }
}

/// Opens a session that is expected to open.
pub(crate) async fn up(transport: &impl Transport) -> Session {
    let mut session = transport.open();
    assert_eq!(next(&mut session).await, LinkEvent::Up);
    session
}

/// What a session comes to that does nothing but open; it must not open.
pub(crate) async fn trouble(transport: &impl Transport) -> LinkTrouble {
    let mut session = transport.open();
    let event = next(&mut session).await;
    let LinkEvent::Down(trouble) = event else {
        panic!("it opened: {event:?}");
    };
    assert_eq!(soon("the end", session.events.recv()).await, None);
    trouble
}

/// All events up to the end of the session, and what ended it.
pub(crate) async fn rest(session: &mut Session) -> (Vec<LinkEvent>, LinkTrouble) {
    let mut seen = Vec::new();
    loop {
        match next(session).await {
            LinkEvent::Down(trouble) => return (seen, trouble),
            event => seen.push(event),
        }
    }
}
