//! Head office's shell: deliveries in, one transaction, answers out, and only then the broker's acknowledgement.
//!
//! The promises rest on this order. An answer that went out before the commit would ack sales that a power cut can still take back; a delivery that was
//! acknowledged before its answer is out would leave a branch waiting. So whatever fails in between, the broker delivers again, and what was stored is
//! answered as stored.
//!
//! What a delivery is, and what of it may be taken, is `intake`'s to say; how many are taken at once is the `desk`'s; when nothing must be taken, because the clock can't
//! be right, `vigil`'s. What becomes of rows is decided in [`crate::protocol::verdict`] and executed in [`crate::store::hq`]; brokers are
//! [`crate::transport`]'s. Here is the loop: it opens what it needs, and after any failure drops the session, says so once, and begins again by itself.

mod desk;
mod intake;
mod replay;
#[cfg(test)]
mod tests;
mod trouble;
mod vigil;

use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock;
use crate::domain::time::UtcMillis;
use crate::protocol::backoff::Backoff;
use crate::shutdown::Shutdown;
use crate::store::hq::HqDb;
use crate::transport::{HqLink, HqTransport, HqTrouble, Reply};
use desk::Desk;
use trouble::{Said, Trouble};

pub use replay::{ReplayError, replay};

/// The most messages that are taken from the broker at once.
const GROUP_MESSAGES: usize = 64;
/// No more messages are taken at once when their bodies have this many bytes: about as many as one transaction takes, so that answers to the first don't wait for
/// another transaction.
const GROUP_BYTES: usize = 160 << 10;

/// How HQ runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether branches without a login of their own are taken.
    pub trial: bool,
    /// What tells the time: the wall clock, or a test.
    pub wall: fn() -> UtcMillis,
    /// When this program was built: an earlier clock is wrong.
    pub built: UtcMillis,
    /// How long HQ waits after a failure.
    pub retry: Backoff,
}

impl Options {
    /// How a real HQ runs.
    #[must_use]
    pub const fn real(trial: bool) -> Self {
        Self {
            trial,
            wall: clock::wall,
            built: clock::BUILT,
            retry: Backoff {
                first_ms: 1_000,
                cap_ms: 30_000,
            },
        }
    }
}

/// Why HQ has ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum HqError {
    /// Another HQ with a database of its own serves this broker.
    #[error(transparent)]
    AnotherHq(HqTrouble),
}

/// Runs head office until it is asked to stop; the group in hand is finished first. Broker and database may come and go.
///
/// # Errors
/// When another HQ serves this broker.
pub async fn run<T: HqTransport>(transport: T, db: HqDb, options: Options, shutdown: Shutdown) -> Result<(), HqError> {
    tracing::info!(store = %db.store(), database = %db.path().display(), trial = options.trial, "head office begins");
    let mut office = Office {
        transport,
        place: db.path().to_owned(),
        desk: Some(Desk::at(db, options)),
        options,
        failures: 0,
        said: Said::default(),
    };
    while let Err(trouble) = office.serve(&shutdown).await {
        if let Trouble::Line(another @ HqTrouble::AnotherHq) = trouble {
            return Err(HqError::AnotherHq(another));
        }
        office.wait_after(&trouble, &shutdown).await;
    }
    tracing::info!("head office has stopped");
    Ok(())
}

struct Office<T> {
    transport: T,
    place: PathBuf,
    /// Not here while a thread works at it; lost with a thread that panicked, and then opened again.
    desk: Option<Desk>,
    options: Options,
    /// How many sessions in a row have ended before anything was taken.
    failures: u32,
    said: Said,
}

/// A group that is committed: its answers must go out before the broker hears that it is done with. The broker waits for that while the next group is committed.
struct Owed {
    replies: Vec<Reply>,
    tags: Vec<u64>,
}

/// Answers a committed group, and then acks it to the broker.
async fn pay(link: &mut impl HqLink, owed: Option<Owed>) -> Result<(), HqTrouble> {
    if let Some(Owed { replies, tags }) = owed {
        link.reply(replies).await?;
        link.ack(&tags).await?;
    }
    Ok(())
}

impl<T: HqTransport> Office<T> {
    /// One session; ends well when HQ is asked to stop.
    async fn serve(&mut self, shutdown: &Shutdown) -> Result<(), Trouble> {
        if shutdown.is_requested() {
            return Ok(());
        }
        let wall = self.options.wall;
        self.at_desk(move |desk| desk.ready(wall())).await?;
        let mut link = tokio::select! {
            biased;
            () = shutdown.wait() => return Ok(()),
            link = self.transport.open() => link?,
        };
        tracing::info!("head office listens");
        let mut owed: Option<Owed> = None;
        loop {
            let group = match owed {
                None => tokio::select! {
                    biased;
                    () = shutdown.wait() => break,
                    group = link.next_group(GROUP_MESSAGES, GROUP_BYTES) => Some(group?),
                },
                Some(_) if shutdown.is_requested() => None,
                // What has not arrived yet must not keep a branch waiting for its answer.
                Some(_) => link
                    .next_group(GROUP_MESSAGES, GROUP_BYTES)
                    .now_or_never()
                    .transpose()?,
            };
            let was_owed = owed.is_some();
            if let Some(group) = group {
                let tags = group.iter().map(|delivery| delivery.tag).collect();
                let taking = self.at_desk(move |desk| desk.take(&group, wall()));
                let (replies, paid) = tokio::join!(taking, pay(&mut link, owed.take()));
                paid?;
                owed = Some(Owed {
                    replies: replies?,
                    tags,
                });
            } else {
                pay(&mut link, owed.take()).await?;
            }
            if was_owed {
                self.failures = 0;
                self.said.all_is_well();
            }
        }
        link.close().await;
        Ok(())
    }

    /// Works at the desk on a thread that may block; opens the database again first if it was lost.
    async fn at_desk<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Desk) -> Result<R, Trouble> + Send + 'static,
    ) -> Result<R, Trouble> {
        let (desk, place, options) = (self.desk.take(), self.place.clone(), self.options);
        let working = tokio::task::spawn_blocking(move || {
            let mut desk = match desk {
                Some(desk) => desk,
                None => Desk::at(HqDb::open(&place)?, options),
            };
            let done = work(&mut desk);
            Ok((desk, done))
        });
        let (desk, done) = working.await.map_err(Trouble::Panicked).flatten()?;
        self.desk = Some(desk);
        done
    }

    async fn wait_after(&mut self, trouble: &Trouble, shutdown: &Shutdown) {
        self.failures = self.failures.saturating_add(1);
        // Whoever waits for a message that ends us waits for its last try, so they follow one another quickly.
        let failures = if matches!(trouble, Trouble::Panicked(_)) {
            1
        } else {
            self.failures
        };
        let wait_ms = self.options.retry.after(failures, clock::random());
        self.said.trouble(trouble, wait_ms);
        tokio::select! {
            () = shutdown.wait() => {}
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
        }
    }
}
