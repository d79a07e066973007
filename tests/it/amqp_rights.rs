//! What a branch may do at the broker, and what not: the broker's own word, heard by a client that tries everything.

use std::time::Duration;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, ExchangeKind};

use crate::support::broker::{Broker, PASSWORD, Vhost};
use crate::support::session::{head_office, receive};
use crate::support::soon;
use branchline::transport::{HqLink, Reply};

const CODE: &str = "B7";

async fn as_branch(vhost: &Vhost) -> Channel {
    vhost.raw(&format!("{CODE}:{PASSWORD}")).await
}

/// Publishes and returns the broker's answer.
async fn publish(vhost: &Vhost, exchange: &str, key: &str, user_id: Option<&str>) -> Result<(), String> {
    let channel = as_branch(vhost).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut properties = BasicProperties::default();
    if let Some(user_id) = user_id {
        properties = properties.with_user_id(user_id.into());
    }
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let publishing = async {
        channel
            .basic_publish(exchange.into(), key.into(), options, b"x", properties)
            .await?
            .await
    };
    let answer = soon("an answer", publishing).await.map_err(|error| error.to_string())?;
    match answer.take_message() {
        None => Ok(()),
        Some(returned) => Err(returned.reply_text.to_string()),
    }
}

async fn prepared() -> Vhost {
    let vhost = Broker::shared().vhost();
    let mut hq = head_office(vhost.admin()).await;
    for branch in [CODE, "B8"] {
        let branch = crate::support::broker::code(branch);
        hq.reply(vec![Reply { branch, body: vec![1] }]).await.unwrap();
    }
    hq.close().await;
    vhost.branch(CODE);
    vhost
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_may_publish_its_own_and_read_its_own() {
    let vhost = prepared().await;
    for key in ["B7.s", "B7.h"] {
        publish(&vhost, "sales", key, Some(CODE)).await.unwrap();
    }
    let channel = as_branch(&vhost).await;
    let options = BasicConsumeOptions::default();
    channel
        .basic_consume("to.B7".into(), "".into(), options, FieldTable::default())
        .await
        .unwrap();
    let mut hq = head_office(vhost.admin()).await;
    assert_eq!(receive(&mut hq).await[0].user_id.as_deref(), Some(CODE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_can_not_publish_anywhere_else_or_as_anybody_else() {
    let vhost = prepared().await;
    for (exchange, key, user_id) in [
        ("sales", "B8.s", Some(CODE)),
        ("sales", "B77.s", Some(CODE)),
        ("sales", "sales", Some(CODE)),
        ("", "sales", Some(CODE)),
        ("", "to.B8", Some(CODE)),
        ("sales.dead", "B7.s", Some(CODE)),
        ("amq.topic", "B7.s", Some(CODE)),
    ] {
        let refused = publish(&vhost, exchange, key, user_id).await.unwrap_err();
        assert!(refused.contains("ACCESS_REFUSED"), "{exchange} {key}: {refused}");
    }
    let refused = publish(&vhost, "sales", "B7.s", Some("B8")).await.unwrap_err();
    assert!(refused.contains("PRECONDITION_FAILED"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_user_id_passes_the_broker_so_head_office_must_look() {
    let vhost = prepared().await;
    publish(&vhost, "sales", "B7.s", None).await.unwrap();
    let mut hq = head_office(vhost.admin()).await;
    assert_eq!(receive(&mut hq).await[0].user_id, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_can_not_read_declare_bind_or_empty_anything_else() {
    let vhost = prepared().await;
    let none = FieldTable::default;
    // Each refusal costs the channel.
    for queue in ["sales", "sales.dead", "to.B8", "to.B77"] {
        let channel = as_branch(&vhost).await;
        let consumed = channel
            .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), none())
            .await;
        let error = consumed.unwrap_err().to_string();
        // A queue that isn't there is looked for before the right to read it.
        assert!(
            error.contains("ACCESS_REFUSED") || (queue == "to.B77" && error.contains("NOT_FOUND")),
            "{error}"
        );
    }
    let channel = as_branch(&vhost).await;
    let declared = channel
        .queue_declare("to.B7.x".into(), QueueDeclareOptions::default(), none())
        .await;
    assert!(declared.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    let channel = as_branch(&vhost).await;
    let options = ExchangeDeclareOptions::default();
    let declared = channel
        .exchange_declare("mine".into(), ExchangeKind::Topic, options, none())
        .await;
    assert!(declared.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    let channel = as_branch(&vhost).await;
    let bound = channel
        .queue_bind(
            "to.B7".into(),
            "sales".into(),
            "#".into(),
            QueueBindOptions::default(),
            none(),
        )
        .await;
    assert!(bound.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    let channel = as_branch(&vhost).await;
    let deleted = channel
        .queue_delete("to.B7".into(), QueueDeleteOptions::default())
        .await;
    assert!(deleted.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    let channel = as_branch(&vhost).await;
    let purged = channel.queue_purge("sales".into(), QueuePurgeOptions::default()).await;
    assert!(purged.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    let mut hq = head_office(vhost.admin()).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(200), hq.next_group(1, 1))
            .await
            .is_err()
    );
}
