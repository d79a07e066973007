//! A line that can be made to fail: a TCP proxy in front of the broker.
//!
//! It delays, throttles, freezes, cuts in the middle of a frame, and plays those who answer in the broker's place. It counts the bytes that it carries. What
//! is random about it comes from its seed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::luck::Luck;

/// The largest piece that is carried at once.
const PIECE: usize = 4096;

/// How many pieces are on their way in one direction.
const PIECES: usize = 64;

/// Who opens when somebody knocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The broker.
    Broker,
    /// Somebody who closes at once.
    Closed,
    /// Somebody who never says a word.
    Silent,
    /// A captive portal: it answers whatever it hears with a page of its own.
    Portal,
}

/// How the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Who opens to new connections.
    pub(crate) door: Door,
    /// How long each piece takes, one way.
    pub(crate) delay: Duration,
    /// How many bytes pass in a second, each way; `None`: as many as come.
    pub(crate) bytes_per_s: Option<u32>,
    /// Nothing passes, and nobody is told.
    pub(crate) frozen: bool,
}

impl Weather {
    /// A line without faults.
    pub(crate) const FAIR: Self = Self {
        door: Door::Broker,
        delay: Duration::ZERO,
        bytes_per_s: None,
        frozen: false,
    };
}

/// A proxy; it ends when it is dropped, with all its connections.
pub(crate) struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: JoinHandle<()>,
}

struct Line {
    target: SocketAddr,
    weather: watch::Sender<Weather>,
    /// How many cuts there have been: a connection that sees it change is cut.
    cuts: watch::Sender<u64>,
    /// How many bytes may still pass before the line cuts itself.
    fuse: watch::Sender<Option<u64>>,
    up: AtomicU64,
    down: AtomicU64,
    open: AtomicUsize,
    luck: Luck,
}

impl Proxy {
    /// A proxy in front of a local port, with fair weather.
    pub(crate) async fn start(port: u16, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let line = Arc::new(Line {
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            weather: watch::Sender::new(Weather::FAIR),
            cuts: watch::Sender::new(0),
            fuse: watch::Sender::new(None),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            luck: Luck::new(seed),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&line)));
        Self {
            address,
            line,
            accepting,
        }
    }

    /// The port to connect to instead of the broker's.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the weather, for open connections as well (but for the door).
    pub(crate) fn weather(&self, change: impl FnOnce(&mut Weather)) {
        self.line.weather.send_modify(change);
    }

    /// Cuts all open connections.
    pub(crate) fn cut(&self) {
        self.line.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts all open connections after some more bytes, fewer than `bytes`; returns after how many.
    pub(crate) fn cut_within(&self, bytes: u64) -> u64 {
        let after = self.line.luck.below(bytes);
        self.line.fuse.send_replace(Some(after));
        after
    }

    /// Whether a cut that was ordered with [`Self::cut_within`] is still to come.
    pub(crate) fn cut_is_due(&self) -> bool {
        self.line.fuse.borrow().is_some()
    }

    /// Bytes carried to the broker and back from it.
    pub(crate) fn carried(&self) -> (u64, u64) {
        (
            self.line.up.load(Ordering::Relaxed),
            self.line.down.load(Ordering::Relaxed),
        )
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.line.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Line {
    /// How much of a piece passes, and whether the line is cut behind that.
    fn pass(&self, length: usize) -> (usize, bool) {
        let mut passes = length;
        let mut burnt = false;
        self.fuse.send_if_modified(|fuse| {
            let Some(left) = fuse else { return false };
            let piece = u64::try_from(length).expect("a piece is short");
            if *left > piece {
                *left -= piece;
            } else {
                passes = usize::try_from(*left).expect("it is less than a piece");
                burnt = true;
                *fuse = None;
            }
            true
        });
        if burnt {
            self.cuts.send_modify(|cuts| *cuts += 1);
        }
        (passes, burnt)
    }
}

async fn accept(listener: TcpListener, line: Arc<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        let line = Arc::clone(&line);
        tokio::spawn(async move {
            line.open.fetch_add(1, Ordering::Relaxed);
            let mut cuts = line.cuts.subscribe();
            let door = line.weather.borrow().door;
            tokio::select! {
                _ = cuts.changed() => {}
                () = open_door(&line, door, client) => {}
            }
            line.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn open_door(line: &Line, door: Door, mut client: TcpStream) {
    match door {
        Door::Closed => {}
        Door::Silent => while client.read(&mut [0; PIECE]).await.is_ok_and(|read| read > 0) {},
        Door::Portal => {
            let page = "<html>Please log in to the guest network</html>";
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
            if client.read(&mut [0; PIECE]).await.is_ok() && client.write_all(answer.as_bytes()).await.is_ok() {
                while client.read(&mut [0; PIECE]).await.is_ok_and(|read| read > 0) {}
            }
        }
        Door::Broker => {
            if let Ok(broker) = TcpStream::connect(line.target).await {
                let _ = client.set_nodelay(true);
                let _ = broker.set_nodelay(true);
                let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
                tokio::join!(
                    carry(line, &line.up, from_client, to_broker),
                    carry(line, &line.down, from_broker, to_client),
                );
            }
        }
    }
}

/// Carries one direction of a connection to its end.
async fn carry(line: &Line, count: &AtomicU64, mut from: OwnedReadHalf, to: OwnedWriteHalf) {
    let (pieces, arriving) = mpsc::channel(PIECES);
    let reading = async move {
        let mut weather = line.weather.subscribe();
        let mut piece = [0; PIECE];
        loop {
            // Frozen: what is sent stays in the sender's own buffers.
            let Ok(present) = weather
                .wait_for(|weather| !weather.frozen)
                .await
                .map(|present| *present)
            else {
                return;
            };
            let Ok(read @ 1..) = from.read(&mut piece).await else {
                return;
            };
            if pieces
                .send((Instant::now() + present.delay, piece[..read].to_vec()))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    tokio::join!(reading, deliver(line, count, arriving, to));
}

async fn deliver(
    line: &Line,
    count: &AtomicU64,
    mut arriving: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: OwnedWriteHalf,
) {
    let mut weather = line.weather.subscribe();
    while let Some((due, piece)) = arriving.recv().await {
        sleep_until(due).await;
        let Ok(present) = weather
            .wait_for(|weather| !weather.frozen)
            .await
            .map(|present| *present)
        else {
            return;
        };
        if let Some(rate) = present.bytes_per_s {
            sleep(Duration::from_secs(length(&piece)) / rate).await;
        }
        let (passes, is_cut) = line.pass(piece.len());
        count.fetch_add(length(&piece[..passes]), Ordering::Relaxed);
        // The next piece must not come through before the cut is noticed: no line has a hole in its stream.
        if to.write_all(&piece[..passes]).await.is_err() || is_cut {
            return;
        }
    }
    let _ = to.shutdown().await;
}

fn length(piece: &[u8]) -> u64 {
    u64::try_from(piece.len()).expect("a piece is short")
}
