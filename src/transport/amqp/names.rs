//! The names of exchanges, queues and routing keys, and the bounds that are declared with them.

use crate::domain::ids::BranchCode;
use crate::transport::Kind;

/// Where branches publish: a topic exchange.
pub(super) const SALES_EXCHANGE: &str = "sales";
/// What all HQ processes share: a quorum queue that gets everything from [`SALES_EXCHANGE`].
pub(super) const SALES_QUEUE: &str = "sales";
/// Where the broker puts what was handed out too often: a fanout exchange.
pub(super) const DEAD_EXCHANGE: &str = "sales.dead";
/// The queue behind [`DEAD_EXCHANGE`].
pub(super) const DEAD_QUEUE: &str = "sales.dead";
/// Held while an HQ with a database of its own runs.
pub(super) const HQ_LOCK: &str = "hq.sqlite";

/// How often the broker hands a message out before it gives it to [`DEAD_EXCHANGE`]. A broker of version 4 would stop at 20 and drop it; "no limit", as
/// version 4 spells it, makes 3.10 destroy a message at its first return.
pub(super) const DELIVERY_LIMIT: i32 = 1_000_000;

/// How many receipts wait for a branch that is away; the oldest give way, because they can be made again.
pub(super) const RECEIPTS_BOUND: i32 = 5_000;

/// The queue of a branch's receipts.
pub(super) fn receipts_queue(branch: &BranchCode) -> String {
    format!("to.{branch}")
}

/// The routing key of a branch's messages of this kind.
pub(super) fn routing_key(branch: &BranchCode, kind: Kind) -> String {
    format!("{branch}.{}", word(kind))
}

/// The kind as one word, in routing keys and as the message's type.
pub(super) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Hello => "hello",
        Kind::Sales => "sales",
    }
}

/// A message's id as text.
pub(super) fn message_id(id: crate::transport::MessageId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}
