//! Head office: its database, its line, and the way to stop.

use anyhow::Context;

use crate::clock;
use crate::config::Settings;
use crate::hq::{self, Options};
use crate::shutdown;
use crate::store::OpenError;
use crate::store::hq::HqDb;
use crate::transport::amqp::HqAmqp;

/// The broker user of head office, where a password file names none.
const USER: &str = "hq";

/// Serves until the program is asked to stop.
pub(super) async fn serve(settings: &Settings) -> anyhow::Result<u8> {
    let mut db = open(settings)?;
    if let Some(replaced) = settings.replaces {
        db.replace(replaced, clock::wall())?;
    }
    let transport = HqAmqp::new(settings.broker.address(USER)?).alone();
    let (trigger, shutdown) = shutdown::channel();
    let signal = tokio::spawn(async move {
        let signal = shutdown::signalled().await;
        trigger.request();
        signal
    });
    hq::run(transport, db, Options::real(settings.trial), shutdown).await?;
    let signal = signal.await.context("signals can't be waited for")?;
    tracing::info!(
        signal = signal.context("signals can't be waited for")?,
        "head office has stopped"
    );
    Ok(0)
}

fn open(settings: &Settings) -> anyhow::Result<HqDb> {
    let path = settings.database()?;
    match HqDb::open(path) {
        Err(OpenError::NoDatabase { .. }) if settings.create => Ok(HqDb::create(path, clock::random(), clock::wall())?),
        opened => Ok(opened?),
    }
}
