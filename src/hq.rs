//! Head office's shell: deliveries in, one transaction, answers out, and only then the broker's acknowledgement.
//!
//! The promises rest on this order. An answer that went out before the commit would ack sales that a power cut can still take back; a delivery that was
//! acknowledged before its answer is out would leave a branch waiting. So whatever fails in between, the broker delivers again, and what was stored is
//! answered as stored.
//!
//! Three things go on at once, each with a part of what has come: one part is committed at the `desk`, the part behind it is read by the `reader`, and the part
//! before it is answered and acknowledged. What a delivery is, and what of it may be taken, is `intake`'s to say; when nothing must be taken, because the clock
//! can't be right, `vigil`'s. What becomes of rows is decided in [`crate::protocol::verdict`] and executed in [`crate::store::hq`]; brokers are
//! [`crate::transport`]'s. Here is the loop: it opens what it needs, and after any failure drops the session, says so once, and begins again by itself.

mod aside;
mod desk;
mod intake;
mod reader;
mod replay;
#[cfg(test)]
mod tests;
mod trouble;
mod vigil;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock;
use crate::domain::time::UtcMillis;
use crate::protocol::backoff::Backoff;
use crate::protocol::message::{Downlink, Uplink};
use crate::shutdown::Shutdown;
use crate::store::hq::{HqDb, Incoming};
use crate::transport::{Delivery, HqLink, HqTransport, HqTrouble};
use crate::wire::{EncodeError, NamesOf, Unread, decode_uplink, encode_downlink};
use aside::Aside;
use desk::{Committed, Desk, Owed};
use reader::{Part, Reader};
use trouble::{Said, Trouble};

pub use replay::{ReplayError, replay};

/// The most messages that are taken from the broker at once.
const GROUP_MESSAGES: usize = 64;
/// No more messages are taken at once when their bodies have this many bytes: about as many as one transaction takes, so that answers to the first don't wait for
/// another transaction.
const GROUP_BYTES: usize = 160 << 10;

/// What reads a message.
pub type Decode = fn(&[u8], &mut NamesOf<'_>) -> Result<Uplink, Unread>;
/// What writes an answer.
pub type Encode = fn(&Downlink) -> Result<Vec<u8>, EncodeError>;

/// How HQ runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether branches without a login of their own are taken.
    pub trial: bool,
    /// What tells the time: the wall clock, or a test.
    pub wall: fn() -> UtcMillis,
    /// What reads a message: the codec, or a test.
    pub decode: Decode,
    /// What writes an answer: the codec, or a test.
    pub encode: Encode,
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
            decode: decode_uplink,
            encode: encode_downlink,
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
    let mut office = Office::new(transport, db, options);
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
    reader: Aside<Reader>,
    /// Writes answers: a mistake in that costs one session, too.
    writer: Aside<Encode>,
    options: Options,
    /// How many sessions in a row have ended before anything was taken.
    failures: u32,
    said: Said,
}

/// What a session has in hand. In memory as sales are at most the part that is committed and the one behind it.
#[derive(Default)]
struct Hands {
    /// Has come, and is not read yet.
    waiting: VecDeque<Delivery>,
    /// Is read, and committed next.
    read: Option<Part>,
    /// Is committed.
    owed: Option<Owed>,
    /// Was committed, and is of no use any more. To free so many sales takes its time, so whoever reads does it.
    spent: Vec<Incoming>,
}

impl Hands {
    fn are_empty(&self) -> bool {
        self.waiting.is_empty() && self.read.is_none() && self.owed.is_none()
    }
}

/// Answers a committed part, and then acks it to the broker.
async fn pay(writer: &mut Aside<Encode>, link: &mut impl HqLink, owed: Option<Owed>) -> Result<(), Trouble> {
    if let Some(Owed { answers, tags }) = owed {
        let writing = writer.work(move |encode| answers.write(*encode));
        link.reply(writing.await.map_err(Trouble::Panicked)?).await?;
        link.ack(&tags).await?;
    }
    Ok(())
}

impl<T: HqTransport> Office<T> {
    fn new(transport: T, db: HqDb, options: Options) -> Self {
        let place = db.path().to_owned();
        let names = place.clone();
        Self {
            transport,
            place,
            desk: Some(Desk::at(db, options)),
            reader: Aside::new(move || Reader::new(&names, options)),
            writer: Aside::new(move || options.encode),
            options,
            failures: 0,
            said: Said::default(),
        }
    }

    /// One session; ends well when HQ is asked to stop.
    async fn serve(&mut self, shutdown: &Shutdown) -> Result<(), Trouble> {
        if shutdown.is_requested() {
            return Ok(());
        }
        let wall = self.options.wall;
        at_desk(&mut self.desk, &self.place, self.options, move |desk| {
            desk.ready(wall())
        })
        .await?;
        let mut link = tokio::select! {
            biased;
            () = shutdown.wait() => return Ok(()),
            link = self.transport.open() => link?,
        };
        tracing::info!("head office listens");
        let mut hands = Hands::default();
        loop {
            if hands.are_empty() {
                let group = tokio::select! {
                    biased;
                    () = shutdown.wait() => break,
                    group = link.next_group(GROUP_MESSAGES, GROUP_BYTES) => group?,
                };
                hands.waiting.extend(group);
            } else if hands.waiting.is_empty() && !shutdown.is_requested() {
                // What has not arrived yet must not keep a branch waiting for its answer.
                let group = link.next_group(GROUP_MESSAGES, GROUP_BYTES).now_or_never();
                hands.waiting.extend(group.transpose()?.unwrap_or_default());
            }
            let was_owed = hands.owed.is_some();
            hands = self.turn(&mut link, hands).await?;
            if was_owed {
                self.failures = 0;
                self.said.all_is_well();
            }
        }
        link.close().await;
        Ok(())
    }

    /// Pays what is owed, commits what is read, and reads some of what waits, all at once; but nothing that could end this program goes on beside a part that may be
    /// what ended it before. Whatever fails, the others are ended first, and what is committed is paid as long as there is a line.
    async fn turn(&mut self, link: &mut T::Link, hands: Hands) -> Result<Hands, Trouble> {
        let Hands {
            mut waiting,
            read,
            mut owed,
            spent,
        } = hands;
        let mut later = VecDeque::new();
        if read.as_ref().is_some_and(Part::is_suspicious) {
            pay(&mut self.writer, link, owed.take()).await?;
            std::mem::swap(&mut later, &mut waiting);
        }
        let wall = self.options.wall;
        let (desk, writer, options) = (&mut self.desk, &mut self.writer, self.options);
        let committing = async {
            let Some(part) = read else { return Ok(None) };
            let taking = at_desk(desk, &self.place, options, move |desk| desk.take(part, wall()));
            taking.await.map(Some)
        };
        let reading = read_some(&mut self.reader, waiting, spent);
        let (committed, read, paid) = tokio::join!(committing, reading, pay(writer, link, owed));
        if let Err(Trouble::Line(trouble)) = paid {
            return Err(trouble.into());
        }
        let committed = committed?.map(|Committed { owed, spent }| (owed, spent));
        let (owed, spent) = committed.unzip();
        match paid.and(read) {
            Ok((mut waiting, read)) => {
                waiting.extend(later);
                Ok(Hands {
                    waiting,
                    read,
                    owed,
                    spent: spent.unwrap_or_default(),
                })
            }
            Err(trouble) => {
                pay(&mut self.writer, link, owed).await?;
                Err(trouble)
            }
        }
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

/// Works at the desk on a thread that may block; opens the database again first if it was lost.
async fn at_desk<R: Send + 'static>(
    place_of_desk: &mut Option<Desk>,
    database: &Path,
    options: Options,
    work: impl FnOnce(&mut Desk) -> Result<R, Trouble> + Send + 'static,
) -> Result<R, Trouble> {
    let (desk, database) = (place_of_desk.take(), database.to_owned());
    let working = tokio::task::spawn_blocking(move || {
        let mut desk = match desk {
            Some(desk) => desk,
            None => Desk::at(HqDb::open(&database)?, options),
        };
        let done = work(&mut desk);
        Ok((desk, done))
    });
    let (desk, done) = working.await.map_err(Trouble::Panicked).flatten()?;
    *place_of_desk = Some(desk);
    done
}

/// Frees what is spent and has the next part of what waits read; returns what waits on, and the part.
async fn read_some(
    reader: &mut Aside<Reader>,
    mut waiting: VecDeque<Delivery>,
    spent: Vec<Incoming>,
) -> Result<(VecDeque<Delivery>, Option<Part>), Trouble> {
    if waiting.is_empty() && spent.is_empty() {
        return Ok((waiting, None));
    }
    let reading = reader.work(move |reader| {
        drop(spent);
        let part = reader.read(&mut waiting)?;
        Ok((waiting, part))
    });
    reading.await.map_err(Trouble::Panicked)?
}
