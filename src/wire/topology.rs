//! The names on the broker: exchanges, queues, routing keys and the arguments that queues are declared with.
//!
//! HQ declares all of it, a branch nothing. Declaring itself is [`crate::transport`]'s; here are only names and figures, so that both sides and
//! whoever sets up permissions agree. A branch `B7` needs: configure `^$`, write `^sales$`, read `^to\.B7$`, and topic permission `^B7\.` on the exchange.

use crate::domain::ids::BranchCode;

/// The durable topic exchange to which branches publish.
pub const SALES_EXCHANGE: &str = "sales";
/// The durable quorum queue that all HQ processes share.
pub const SALES_QUEUE: &str = "sales";
/// Which routing keys of [`SALES_EXCHANGE`] lead to [`SALES_QUEUE`]: all.
pub const SALES_BINDING: &str = "#";
/// The durable fanout exchange to which the broker moves a message that it gives up.
pub const DEAD_LETTER_EXCHANGE: &str = "sales.dead";
/// The durable queue behind [`DEAD_LETTER_EXCHANGE`]; HQ empties it into the quarantine, but for hellos that have expired. A classic one without arguments: it is
/// nearly always empty, and has no limit to how often it hands a message out.
pub const DEAD_LETTER_QUEUE: &str = "sales.dead";
/// The exclusive queue that an HQ with a database of its own holds while it runs, so that a second one is refused.
pub const LONE_HQ_QUEUE: &str = "hq.sqlite";

/// How often the broker hands a message out before it moves it to the dead-letter queue.
///
/// RabbitMQ 4 drops at 20 unless told otherwise, and its way to lift the limit (`-1`) destroys messages on 3.10; HQ notices a poisonous message long before
/// this many tries.
pub const DELIVERY_LIMIT: i32 = 1_000_000;
/// The most answers that wait for one branch; beyond it the oldest goes, because HQ makes them again when asked.
pub const RECEIPTS_MAX_LENGTH: i32 = 5_000;

/// A value of a queue's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A text.
    Text(&'static str),
    /// A whole number.
    Number(i32),
}

/// The arguments of [`SALES_QUEUE`]. No time to live and no maximal length: a sale waits as long as it must.
pub const SALES_QUEUE_ARGUMENTS: &[(&str, Argument)] = &[
    ("x-queue-type", Argument::Text("quorum")),
    ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
    ("x-dead-letter-exchange", Argument::Text(DEAD_LETTER_EXCHANGE)),
];

/// The arguments of [`DEAD_LETTER_QUEUE`]: what ends here must not be lost on the next try to read it, and a classic queue knows no limit to tries. A
/// quorum queue to which nothing was ever written stays without a leader when the broker is killed within a second of its first declaration (3.10).
pub const DEAD_LETTER_QUEUE_ARGUMENTS: &[(&str, Argument)] = &[("x-queue-type", Argument::Text("classic"))];

/// The arguments of a [`receipt_queue`].
pub const RECEIPT_QUEUE_ARGUMENTS: &[(&str, Argument)] = &[("x-max-length", Argument::Number(RECEIPTS_MAX_LENGTH))];

/// The durable classic queue in which HQ's answers wait for a branch.
#[must_use]
pub fn receipt_queue(branch: &BranchCode) -> String {
    format!("to.{branch}")
}

/// The routing key of a branch's hellos. One letter behind the code: each message carries it, over lines that are paid for by the byte.
#[must_use]
pub fn hello_key(branch: &BranchCode) -> String {
    format!("{branch}.h")
}

/// The routing key of a branch's batches.
#[must_use]
pub fn sales_key(branch: &BranchCode) -> String {
    format!("{branch}.s")
}

/// For whom a message was routed: the first word of its routing key, which the broker's topic permission has checked.
#[must_use]
pub fn routed_as(routing_key: &str) -> &str {
    routing_key.split_once('.').map_or(routing_key, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routing_key_begins_with_its_branch() {
        let branch = BranchCode::parse("TUNIS-01").unwrap();
        assert_eq!(routed_as(&hello_key(&branch)), "TUNIS-01");
        assert_eq!(routed_as(&sales_key(&branch)), "TUNIS-01");
        assert_eq!(routed_as("TUNIS-01"), "TUNIS-01");
        assert_eq!(routed_as(".s"), "");
    }

    #[test]
    fn no_sale_can_expire_or_be_pushed_out() {
        for (name, _) in SALES_QUEUE_ARGUMENTS {
            assert!(
                !matches!(
                    *name,
                    "x-message-ttl" | "x-expires" | "x-max-length" | "x-max-length-bytes"
                ),
                "{name}"
            );
        }
    }
}
