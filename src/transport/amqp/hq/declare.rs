//! Declaring at the broker what [`topology`] names. One place declares, with one set of arguments: a second set would be refused.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use tokio::time::timeout;

use super::super::failure::{Failure, Stage, is_locked, refusal, within};
use crate::domain::ids::BranchCode;
use crate::wire::topology::{self, Argument};

/// How long the broker may take for one declaration; a quorum queue elects a leader first.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// How often a lock that somebody else holds is tried.
const LOCK_PERIOD: Duration = Duration::from_millis(500);

/// Declares all that branches and HQ share.
pub(super) async fn declare(connection: &Connection) -> Result<(), Failure> {
    let channel = within(STEP_LIMIT, "opening a channel", connection.create_channel()).await?;
    exchange(&channel, topology::SALES_EXCHANGE, ExchangeKind::Topic).await?;
    exchange(&channel, topology::DEAD_LETTER_EXCHANGE, ExchangeKind::Fanout).await?;
    queue(
        &channel,
        topology::SALES_QUEUE,
        topology::SALES_EXCHANGE,
        topology::SALES_QUEUE_ARGUMENTS,
    )
    .await?;
    queue(
        &channel,
        topology::DEAD_LETTER_QUEUE,
        topology::DEAD_LETTER_EXCHANGE,
        topology::DEAD_LETTER_QUEUE_ARGUMENTS,
    )
    .await?;
    within(STEP_LIMIT, "closing a channel", channel.close(200, "OK".into())).await
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), Failure> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let what = format!("declaring the exchange {name}");
    within(
        STEP_LIMIT,
        &what,
        channel.exchange_declare(name.into(), kind, options, FieldTable::default()),
    )
    .await
}

/// A durable queue for all that reaches the exchange.
async fn queue(channel: &Channel, name: &str, exchange: &str, arguments: &[(&str, Argument)]) -> Result<(), Failure> {
    let what = format!("declaring the queue {name}");
    within(
        STEP_LIMIT,
        &what,
        channel.queue_declare(name.into(), durable(), table(arguments)),
    )
    .await?;
    let what = format!("binding the queue {name}");
    let (key, options) = (topology::SALES_BINDING.into(), QueueBindOptions::default());
    within(
        STEP_LIMIT,
        &what,
        channel.queue_bind(name.into(), exchange.into(), key, options, FieldTable::default()),
    )
    .await
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    }
}

fn table(arguments: &[(&str, Argument)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in arguments {
        let value = match *argument {
            Argument::Text(text) => AMQPValue::LongString(text.into()),
            Argument::Number(number) => AMQPValue::LongInt(number),
        };
        table.insert((*name).into(), value);
    }
    table
}

/// Takes the lock of an HQ with a database of its own, for as long as the connection lives; `false` if somebody else still holds it after `patience`.
pub(super) async fn lock(connection: &Connection, patience: Duration) -> Result<bool, Failure> {
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let taking = async {
        loop {
            // A refusal costs the channel.
            let channel = within(STEP_LIMIT, "opening a channel", connection.create_channel()).await?;
            let what = format!("taking the lock {}", topology::LONE_HQ_QUEUE);
            match channel
                .queue_declare(topology::LONE_HQ_QUEUE.into(), options, FieldTable::default())
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) if is_locked(&error) => tokio::time::sleep(LOCK_PERIOD).await,
                Err(error) => return Err(Failure::of(Stage::Open, &what, &error)),
            }
        }
    };
    match timeout(patience, taking).await {
        Ok(taken) => taken.map(|()| true),
        Err(_) => Ok(false),
    }
}

/// Declares the queue of a branch's receipts; `false` if the broker refuses, which concerns this branch alone.
pub(super) async fn declare_receipts(connection: &Connection, branch: &BranchCode) -> Result<bool, Failure> {
    let queue = topology::receipt_queue(branch);
    let channel = within(STEP_LIMIT, "opening a channel", connection.create_channel()).await?;
    let arguments = table(topology::RECEIPT_QUEUE_ARGUMENTS);
    let declared = timeout(
        STEP_LIMIT,
        channel.queue_declare(queue.as_str().into(), durable(), arguments),
    )
    .await;
    let what = format!("declaring the queue {queue}");
    match declared {
        Ok(Ok(_)) => {
            within(STEP_LIMIT, "closing a channel", channel.close(200, "OK".into())).await?;
            Ok(true)
        }
        Ok(Err(error)) if refusal(&error).is_some() => {
            tracing::warn!(%branch, %error, "the broker refuses the branch's receipt queue");
            Ok(false)
        }
        Ok(Err(error)) => Err(Failure::of(Stage::Open, &what, &error)),
        Err(_) => Err(Failure::timed_out(&what, STEP_LIMIT)),
    }
}
