//! Publishing: one task, many messages on the way, and no confirm passed on before it is certain what it means.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, Event, ExchangeKind, PublisherConfirm};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::super::failure::{Failure, Stage, within};
use super::super::unconfirmed::Unconfirmed;
use super::{Outbox, Route, abandoned};
use crate::domain::event::LinkTrouble;
use crate::transport::{LinkEvent, MessageId, Outgoing};
use crate::wire::topology;

/// How long the broker may take for a step of opening.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// How long nothing may move while something is on its way. A batch is sized to take a few seconds, so this is a dead line, unless the broker has said
/// that it takes no messages for now.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// How long a session that was closed on this side waits for the confirms of what it has taken.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// How long to wait for the reason why the broker has closed a channel.
const REFUSAL_LIMIT: Duration = Duration::from_secs(1);

/// Persistent.
const DURABLE: u8 = 2;

type Sending = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>> + Send>>;

/// Publishes what the shell gives to a session.
pub(super) struct Publisher<'a> {
    route: &'a Route,
    channel: Channel,
    told: Pin<Box<dyn Stream<Item = Event> + Send>>,
    outbox: Outbox,
    /// The message that is being written to the socket.
    sending: Option<(MessageId, Sending)>,
    unconfirmed: Unconfirmed<MessageId, PublisherConfirm>,
    blocked: bool,
}

/// What a step of publishing has brought.
enum Step {
    Confirmed(Vec<MessageId>),
    Blocked(bool),
    Moved,
}

impl<'a> Publisher<'a> {
    /// Opens a channel with confirms, and looks whether head office has ever been here.
    pub(super) async fn start(connection: &Connection, route: &'a Route, outbox: Outbox) -> Result<Self, Failure> {
        let told = Box::pin(connection.events_listener());
        let channel = within(STEP_LIMIT, "opening a channel", connection.create_channel()).await?;
        let passive = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        // Asked in one breath: on a slow line each question by itself is a second.
        let (confirms, exchange) = tokio::join!(
            within(
                STEP_LIMIT,
                "asking for confirms",
                channel.confirm_select(ConfirmSelectOptions::default())
            ),
            within(
                STEP_LIMIT,
                "looking for the exchange of sales",
                channel.exchange_declare(
                    topology::SALES_EXCHANGE.into(),
                    ExchangeKind::Topic,
                    passive,
                    FieldTable::default()
                ),
            ),
        );
        exchange.and(confirms)?;
        Ok(Self {
            route,
            blocked: connection.status().blocked(),
            channel,
            told,
            outbox,
            sending: None,
            unconfirmed: Unconfirmed::new(),
        })
    }

    /// Publishes until the shell closes its end or the line breaks; tells `confirmed` of each confirm.
    pub(super) async fn run(mut self, events: &mpsc::Sender<LinkEvent>, confirmed: &Notify) -> Failure {
        while !self.outbox.closed {
            if let Err(failure) = self.next(events, confirmed).await {
                return failure;
            }
        }
        let drained = timeout(DRAIN_LIMIT, async {
            while self.has_work() && !self.blocked {
                self.next(events, confirmed).await?;
            }
            Ok(())
        });
        match drained.await {
            Ok(Err(failure)) => failure,
            Ok(Ok(())) | Err(_) => abandoned(),
        }
    }

    async fn next(&mut self, events: &mpsc::Sender<LinkEvent>, confirmed: &Notify) -> Result<(), Failure> {
        let overdue = self.has_work() && !self.blocked;
        let step = if overdue {
            timeout(STALL_LIMIT, self.step())
                .await
                .unwrap_or_else(|_| Err(Failure::timed_out("publishing", STALL_LIMIT)))?
        } else {
            self.step().await?
        };
        let told = match step {
            Step::Confirmed(ids) => {
                confirmed.notify_one();
                ids.into_iter().map(LinkEvent::Confirmed).collect()
            }
            Step::Blocked(blocked) => vec![LinkEvent::Blocked(blocked)],
            Step::Moved => Vec::new(),
        };
        for event in told {
            events.send(event).await.map_err(|_| abandoned())?;
        }
        Ok(())
    }

    fn has_work(&self) -> bool {
        self.sending.is_some() || !self.unconfirmed.is_empty() || !self.outbox.waiting.is_empty()
    }

    async fn step(&mut self) -> Result<Step, Failure> {
        if self.sending.is_none() {
            self.sending = self.outbox.waiting.pop_front().map(|message| self.send(message));
        }
        let sent = async {
            match &mut self.sending {
                Some((_, sending)) => sending.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.told.next() => self.on_told(event),
            accepted = self.unconfirmed.accepted() => accepted.map(Step::Confirmed),
            sent = sent => self.on_sent(sent).await,
            () = self.outbox.fill_once() => Ok(Step::Moved),
        }
    }

    fn on_told(&mut self, event: Option<Event>) -> Result<Step, Failure> {
        match event {
            Some(Event::ConnectionBlocked(_)) => {
                self.blocked = true;
                Ok(Step::Blocked(true))
            }
            Some(Event::ConnectionUnblocked) => {
                self.blocked = false;
                Ok(Step::Blocked(false))
            }
            Some(Event::Error(error)) => Err(Failure::of(Stage::Open, "keeping the line open", &error)),
            Some(_) => Ok(Step::Moved),
            None => Err(Failure::new(LinkTrouble::Lost, "the connection is gone")),
        }
    }

    async fn on_sent(&mut self, sent: lapin::Result<PublisherConfirm>) -> Result<Step, Failure> {
        let Some((id, _)) = self.sending.take() else {
            return Ok(Step::Moved);
        };
        match sent {
            Ok(confirm) => {
                self.unconfirmed.push(id, confirm);
                Ok(Step::Moved)
            }
            Err(error) => {
                // The refusal of an earlier message closes the channel for this one, too: what the broker said is with the earlier one's confirm.
                let earlier = timeout(REFUSAL_LIMIT, self.unconfirmed.failure());
                Err(earlier
                    .await
                    .unwrap_or_else(|_| Failure::of(Stage::Open, "publishing", &error)))
            }
        }
    }

    /// Begins to write a message to the socket.
    fn send(&self, message: Outgoing) -> (MessageId, Sending) {
        let id = message.id;
        let channel = self.channel.clone();
        let key = message.kind.routing_key(&self.route.branch);
        let properties = self.properties(&message);
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let sending = async move {
            let exchange = topology::SALES_EXCHANGE.into();
            channel
                .basic_publish(exchange, key.into(), options, &message.body, properties)
                .await
        };
        (id, Box::pin(sending))
    }

    /// What the broker must know and no more: the line may be paid for by the byte, and the message's id stands in its envelope.
    fn properties(&self, message: &Outgoing) -> BasicProperties {
        let properties = BasicProperties::default()
            .with_delivery_mode(DURABLE)
            .with_user_id(self.route.dialer.address().user().into());
        match message.expires_ms {
            Some(millis) => properties.with_expiration(millis.to_string().into()),
            None => properties,
        }
    }
}
