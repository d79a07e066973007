//! What branches have sent: taken from the broker in groups, and acked in groups.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt, stream};
use lapin::message::Delivery as Raw;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection};
use tokio::time::timeout;

use super::super::failure::{Failure, Stage, within};
use crate::domain::event::LinkTrouble;
use crate::transport::{DeadLetter, Delivery};
use crate::wire::topology;

const STEP_LIMIT: Duration = Duration::from_secs(30);

/// How many messages the broker sends ahead of their acks: enough for a group to be committed while the next one comes in.
const PREFETCH: u16 = 256;

/// The same for the dead-letter queue, where hardly anything ever is.
const DEAD_PREFETCH: u16 = 8;

/// A message as one of the two consumers brings it.
struct Message {
    raw: Raw,
    dead_letter: bool,
}

/// Messages from the queue of sales and from the dead-letter queue, and which of them are not acked.
pub(super) struct Deliveries {
    channel: Channel,
    messages: Pin<Box<dyn Stream<Item = Result<Message, Failure>> + Send>>,
    unacked: BTreeSet<u64>,
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("unacked", &self.unacked)
            .finish_non_exhaustive()
    }
}

impl Deliveries {
    pub(super) async fn start(connection: &Connection) -> Result<Self, Failure> {
        let channel = within(STEP_LIMIT, "opening a channel", connection.create_channel()).await?;
        let dead = consume(&channel, topology::DEAD_LETTER_QUEUE, DEAD_PREFETCH, true).await?;
        let sales = consume(&channel, topology::SALES_QUEUE, PREFETCH, false).await?;
        Ok(Self {
            channel,
            messages: Box::pin(stream::select(sales, dead)),
            unacked: BTreeSet::new(),
        })
    }

    /// See [`crate::transport::HqLink::next_group`]. Can be dropped and called again without loss.
    pub(super) async fn next_group(&mut self, max_messages: usize, max_bytes: usize) -> Result<Vec<Delivery>, Failure> {
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut next = self.messages.next().await;
        loop {
            let message = next.unwrap_or_else(|| Err(ended("the line")))?;
            self.unacked.insert(message.raw.delivery_tag);
            bytes += message.raw.data.len();
            group.push(delivery(message));
            if group.len() >= max_messages || bytes >= max_bytes {
                return Ok(group);
            }
            next = match self.messages.next().now_or_never() {
                Some(next) => next,
                None => return Ok(group),
            };
        }
    }

    /// Acks these deliveries, with as few words as possible.
    pub(super) async fn ack(&mut self, tags: &[u64]) -> Result<(), Failure> {
        let tags: BTreeSet<u64> = tags.iter().copied().filter(|tag| self.unacked.contains(tag)).collect();
        let plan = plan(&self.unacked, &tags);
        self.unacked.retain(|tag| !tags.contains(tag));
        for (tag, multiple) in plan {
            within(
                STEP_LIMIT,
                "acking",
                self.channel.basic_ack(tag, BasicAckOptions { multiple }),
            )
            .await?;
        }
        Ok(())
    }
}

/// The acks that cover `tags` and nothing else of `unacked`: one for all from the oldest on without a gap, then one each.
fn plan(unacked: &BTreeSet<u64>, tags: &BTreeSet<u64>) -> Vec<(u64, bool)> {
    let until = unacked.iter().take_while(|tag| tags.contains(tag)).last().copied();
    let first = until.map(|tag| (tag, true));
    let rest = tags.iter().filter(|tag| until.is_none_or(|until| **tag > until));
    first.into_iter().chain(rest.map(|tag| (*tag, false))).collect()
}

async fn consume(
    channel: &Channel,
    queue: &'static str,
    prefetch: u16,
    dead_letter: bool,
) -> Result<impl Stream<Item = Result<Message, Failure>> + Send + use<>, Failure> {
    // It holds for the consumer that begins next, not for the channel.
    within(
        STEP_LIMIT,
        "limiting what comes",
        channel.basic_qos(prefetch, BasicQosOptions::default()),
    )
    .await?;
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let what = format!("reading the queue {queue}");
    let consumer = match timeout(STEP_LIMIT, consuming).await {
        Ok(consumer) => consumer.map_err(|error| Failure::of(Stage::Open, &what, &error))?,
        Err(_) => return Err(mute(queue)),
    };
    let messages = consumer.map(move |raw| match raw {
        Ok(raw) => Ok(Message { raw, dead_letter }),
        Err(error) => Err(Failure::of(Stage::Open, &what, &error)),
    });
    // The end of one is an error of both.
    Ok(messages.chain(stream::once(async move { Err(ended(queue)) })))
}

/// A quorum queue without a leader. RabbitMQ leaves one behind when it is killed within about a second of the queue's first declaration.
fn mute(queue: &str) -> Failure {
    let sentence = format!(
        "the queue {queue} does not answer; if that lasts, delete it with `rabbitmqctl delete_queue {queue}`: head office \
         makes it anew, and the branches send again what was in it"
    );
    Failure::new(LinkTrouble::TimedOut, sentence)
}

fn ended(queue: &str) -> Failure {
    Failure::new(LinkTrouble::Lost, format!("the broker hands out {queue} no longer"))
}

fn delivery(Message { raw, dead_letter }: Message) -> Delivery {
    let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
    Delivery {
        tag: raw.delivery_tag,
        user_id: text(raw.properties.user_id()),
        routing_key: raw.routing_key.to_string(),
        redelivered: delivery_count(&raw),
        headers: describe(&raw.properties),
        dead_letter: dead_letter.then(|| why_dead(&raw.properties)),
        body: raw.data,
    }
}

/// How often the message has been handed out before; a quorum queue counts it, any other queue knows only whether.
fn delivery_count(raw: &Raw) -> u32 {
    let headers = raw.properties.headers().as_ref();
    let count = headers
        .and_then(|headers| headers.inner().get("x-delivery-count"))
        .and_then(AMQPValue::as_long_long_int);
    count
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(0)
        .max(u32::from(raw.redelivered))
}

/// Why the broker gave a message up, by the header that it writes when it does so for the first time.
fn why_dead(properties: &BasicProperties) -> DeadLetter {
    let headers = properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("x-first-death-reason")) {
        Some(AMQPValue::LongString(reason)) if reason.as_bytes() == b"expired" => DeadLetter::Expired,
        _ => DeadLetter::GivenUp,
    }
}

/// Properties and headers on a line each. Texts are escaped: they are a stranger's.
fn describe(properties: &BasicProperties) -> String {
    let mut text = String::new();
    let named = [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("type", properties.kind()),
        ("app_id", properties.app_id()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {}", value.as_str().escape_debug());
        }
    }
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        let name = name.as_str().escape_debug();
        let _ = match value {
            AMQPValue::LongString(value) => writeln!(text, "{name}: {}", value.to_string().escape_debug()),
            other => writeln!(text, "{name}: {other:?}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(unacked: &[u64], tags: &[u64]) -> Vec<(u64, bool)> {
        plan(&unacked.iter().copied().collect(), &tags.iter().copied().collect())
    }

    #[test]
    fn a_whole_group_is_acked_with_one_word() {
        assert_eq!(planned(&[4, 5, 7, 9], &[4, 5, 7]), [(7, true)]);
    }

    #[test]
    fn what_is_not_done_is_never_acked_along_with_the_rest() {
        assert_eq!(planned(&[1, 2, 3, 4], &[2, 4]), [(2, false), (4, false)]);
        assert_eq!(planned(&[1, 2, 3, 4], &[1, 3, 4]), [(1, true), (3, false), (4, false)]);
        assert_eq!(planned(&[1], &[]), []);
    }

    #[test]
    fn headers_of_a_stranger_are_shown_without_their_control_characters() {
        let mut headers = FieldTable::default();
        headers.insert("x".into(), AMQPValue::LongString("\u{1b}[2J".into()));
        let shown = describe(
            &BasicProperties::default()
                .with_headers(headers)
                .with_type("a\nb".into()),
        );
        assert_eq!(shown, "type: a\\nb\nx: \\u{1b}[2J\n");
    }
}
