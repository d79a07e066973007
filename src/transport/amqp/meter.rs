//! Counts what goes over the sockets, and holds it under a cap where there is one.
//!
//! It stands between the library and the socket, below encryption, so that everything counts that the line carries: handshakes, heartbeats, all of it.
//! What TCP/IP adds is not seen from here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant as Moment, Sleep};

use super::beat;
use crate::domain::line::Traffic;

/// How many pieces a second a capped stream is cut into.
const PIECES_A_SECOND: u64 = 20;

/// The reading of all sockets of one line together, and their cap.
#[derive(Debug, Default)]
pub(super) struct Meter {
    up: AtomicU64,
    down: AtomicU64,
    cap: Option<Cap>,
}

/// A bound on the bytes of a second, both ways together.
#[derive(Debug)]
struct Cap {
    bytes_per_s: u64,
    /// When what was carried so far is paid off; `None`: nothing was carried yet.
    paid_off: Mutex<Option<Moment>>,
}

impl Meter {
    /// A meter that lets at most so many bytes a second through, if a number is given.
    pub(super) fn new(cap: Option<u64>) -> Self {
        Self {
            cap: cap.map(|bytes_per_s| Cap {
                bytes_per_s: bytes_per_s.max(1),
                paid_off: Mutex::new(None),
            }),
            ..Self::default()
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            up: self.up.load(Ordering::Relaxed),
            down: self.down.load(Ordering::Relaxed),
        }
    }

    /// The most bytes to carry at once.
    fn piece(&self) -> usize {
        let piece = |cap: &Cap| usize::try_from((cap.bytes_per_s / PIECES_A_SECOND).max(1)).unwrap_or(usize::MAX);
        self.cap.as_ref().map_or(usize::MAX, piece)
    }

    /// How long to wait before anything more may be carried.
    fn wait(&self) -> Option<Duration> {
        let paid_off = (*self
            .cap
            .as_ref()?
            .paid_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner))?;
        paid_off
            .checked_duration_since(Moment::now())
            .filter(|wait| !wait.is_zero())
    }

    fn carried(&self, bytes: usize, way: &AtomicU64) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        way.fetch_add(bytes, Ordering::Relaxed);
        if let Some(cap) = &self.cap {
            let price = Duration::from_micros(bytes.saturating_mul(1_000_000) / cap.bytes_per_s);
            let (mut paid_off, now) = (
                cap.paid_off.lock().unwrap_or_else(PoisonError::into_inner),
                Moment::now(),
            );
            *paid_off = Some(paid_off.map_or(now, |before| before.max(now)) + price);
        }
    }
}

/// The library's runtime, with our sockets in it.
#[derive(Debug, Clone)]
pub(super) struct MeteredTokio {
    tokio: Tokio,
    meter: Arc<Meter>,
}

impl MeteredTokio {
    /// The tokio runtime that this is called in, with sockets that `meter` counts.
    pub(super) fn current(meter: Arc<Meter>) -> Self {
        Self {
            tokio: Tokio::current(),
            meter,
        }
    }
}

impl RuntimeKit for MeteredTokio {}

impl Executor for MeteredTokio {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, f: F) -> T {
        self.tokio.block_on(f)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.tokio.spawn(f)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.tokio.spawn_blocking(f)
    }
}

impl Reactor for MeteredTokio {
    type TcpStream = Metered;
    type Sleep = Sleep;

    fn register<H: io::Read + io::Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    /// The library sleeps between two heartbeats; whatever else it waits for has a limit of ours.
    fn sleep(&self, dur: Duration) -> Self::Sleep {
        self.tokio.sleep(beat::stretched(dur))
    }

    fn interval(&self, dur: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(dur)
    }

    fn tcp_connect_addr(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let (connecting, runtime) = (self.tokio.tcp_connect_addr(addr), self.clone());
        async move {
            Ok(Metered {
                socket: connecting.await?,
                runtime,
                reading: None,
                writing: None,
            })
        }
    }
}

/// A socket whose bytes are counted.
pub(super) struct Metered {
    socket: <Tokio as Reactor>::TcpStream,
    runtime: MeteredTokio,
    /// What reading waits for, if the cap is reached.
    reading: Option<Pin<Box<Sleep>>>,
    /// What writing waits for.
    writing: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    /// Another handle to the socket.
    pub(super) fn second_handle(&self) -> io::Result<OwnedFd> {
        self.socket.get_ref().as_fd().try_clone_to_owned()
    }
}

/// Ready when the cap lets something through again.
///
/// The library calls from a thread of its own, outside the runtime.
fn poll_cap(runtime: &MeteredTokio, pause: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        if let Some(sleep) = pause {
            ready!(sleep.as_mut().poll(cx));
            *pause = None;
        }
        let Some(wait) = runtime.meter.wait() else {
            return Poll::Ready(());
        };
        *pause = Some(Box::pin(runtime.tokio.sleep(wait)));
    }
}

impl AsyncRead for Metered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(poll_cap(&this.runtime, &mut this.reading, cx));
        let room = buf.len().min(this.runtime.meter.piece());
        let read = ready!(Pin::new(&mut this.socket).poll_read(cx, &mut buf[..room]))?;
        let meter = &this.runtime.meter;
        meter.carried(read, &meter.down);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(poll_cap(&this.runtime, &mut this.writing, cx));
        let piece = buf.len().min(this.runtime.meter.piece());
        let written = ready!(Pin::new(&mut this.socket).poll_write(cx, &buf[..piece]))?;
        let meter = &this.runtime.meter;
        meter.carried(written, &meter.up);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_close(cx)
    }
}
