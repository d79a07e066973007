//! Between the worker's values and the line's bytes.

use crate::protocol::message::{Uplink as Message, Version};
use crate::protocol::uplink::Event;
use crate::transport::{Kind, LinkEvent, Outgoing};
use crate::wire;

/// Seals a message for the line.
///
/// # Errors
/// When the message can't be written in this version: a mistake of ours.
pub fn seal(message: &Message, version: Version, expires_ms: Option<u64>) -> Result<Outgoing, wire::EncodeError> {
    let (id, kind) = match message {
        Message::Hello(hello) => (*hello.nonce.as_bytes(), Kind::Hello),
        Message::Batch(batch) => (*batch.id.as_bytes(), Kind::Sales),
    };
    Ok(Outgoing {
        id,
        kind,
        body: wire::encode_uplink(message, version)?,
        expires_ms,
    })
}

/// What a line tells, as the machine takes it. `None`: a message from HQ that can't be read; it is logged and left.
#[must_use]
pub fn event_of(told: LinkEvent) -> Option<Event> {
    Some(match told {
        LinkEvent::Up => Event::LinkUp,
        LinkEvent::Down(trouble) => Event::LinkDown(trouble),
        LinkEvent::Blocked(blocked) => Event::LinkBlocked(blocked),
        LinkEvent::NoReceiptQueue => Event::NoReceiptQueue,
        LinkEvent::Confirmed(name) => Event::Confirmed(name),
        LinkEvent::Arrived(bytes) => match wire::decode_downlink(&bytes) {
            Ok(message) => Event::Heard(message),
            Err(error) => {
                tracing::warn!(error = %error, bytes = bytes.len(), "a message from head office can't be read");
                return None;
            }
        },
    })
}
