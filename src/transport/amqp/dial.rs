//! One connection to the broker, from the name of the host to the broker's welcome, each step with a limit of ours.
//!
//! The library would open the socket itself, wait for ever, and leave a thread and a socket behind for each try at a silent peer. So the socket is opened
//! here, and a second handle to it stays here: [`Cut`] ends whatever the library still does with it.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use amq_protocol_tcp::RustlsConnectorConfig;
use async_rs::Runtime;
use async_rs::traits::Reactor;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::{Address, Trust};
use super::failure::{Failure, Stage};
use super::meter::{Meter, Metered, MeteredTokio};
use crate::domain::event::LinkTrouble;
use crate::domain::line::Traffic;

const RESOLVE_LIMIT: Duration = Duration::from_secs(10);
const TCP_LIMIT: Duration = Duration::from_secs(10);
const TLS_LIMIT: Duration = Duration::from_secs(15);
const WELCOME_LIMIT: Duration = Duration::from_secs(15);
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How many look-ups of a host's name may be under way. The system can't be told to stop one, and one may take minutes.
const LOOKUPS: usize = 2;

type Socket = AsyncTcpStream<Metered>;

/// Opens connections to one broker.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    address: Address,
    lookups: Arc<Semaphore>,
    meter: Arc<Meter>,
}

/// An open connection. Dropping it cuts the socket, and with it everything that the library does for the connection.
#[derive(Debug)]
pub(super) struct Line {
    connection: Connection,
    // After the connection: it is dropped last.
    _cut: Cut,
}

/// Our own handle to a connection's socket.
#[derive(Debug)]
struct Cut(std::net::TcpStream);

impl Drop for Cut {
    fn drop(&mut self) {
        // An error means that the socket is dead already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Line {
    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether neither side has closed the connection, as far as is known.
    pub(super) fn is_alive(&self) -> bool {
        self.connection.status().connected()
    }

    /// Takes leave of the broker, within a bounded time.
    pub(super) async fn close(self) {
        if self.is_alive() {
            // Whether the broker answers makes no difference: the socket is cut next.
            let _ = timeout(CLOSE_LIMIT, self.connection.close(200, "OK".into())).await;
        }
    }
}

impl Dialer {
    pub(super) fn new(address: Address, meter: Meter) -> Self {
        Self {
            address,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            meter: Arc::new(meter),
        }
    }

    /// What all connections have carried.
    pub(super) fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a connection that the broker knows by `name`.
    pub(super) async fn dial(&self, name: &str) -> Result<Line, Failure> {
        self.dial_at(&self.resolve().await?, name).await
    }

    /// Opens two connections at the same time; the host's name is looked up once for both.
    pub(super) async fn dial_two(&self, names: [&str; 2]) -> Result<(Line, Line), Failure> {
        let places = self.resolve().await?;
        tokio::try_join!(self.dial_at(&places, names[0]), self.dial_at(&places, names[1]))
    }

    async fn dial_at(&self, places: &[SocketAddr], name: &str) -> Result<Line, Failure> {
        let runtime = Runtime::new(MeteredTokio::current(Arc::clone(&self.meter)));
        let mut refusal = Failure::new(LinkTrouble::Unreachable, format!("{} has no address", self.address));
        for place in places {
            match connect(&runtime, *place).await {
                Ok((socket, cut)) => {
                    let socket = self.secure(socket).await?;
                    return self.welcome(runtime, socket, cut, name).await;
                }
                Err(failure) => refusal = failure,
            }
        }
        Err(refusal)
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Failure> {
        let authority = &self.address.uri().authority;
        let (host, port) = (authority.host.clone(), authority.port);
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let what = format!("looking up {host}");
        let lookups = Arc::clone(&self.lookups);
        let looking = async {
            let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
            // The permit goes along, so that a look-up counts for as long as it really lasts.
            let lookup = tokio::task::spawn_blocking(move || {
                let found = (host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                drop(permit);
                found
            });
            lookup.await.map_err(io::Error::other)?
        };
        match timeout(RESOLVE_LIMIT, looking).await {
            Ok(found) => found.map_err(|error| unreachable(&what, &error)),
            Err(_) => Err(Failure::timed_out(&what, RESOLVE_LIMIT)),
        }
    }

    /// Wraps the socket in TLS, if the address asks for it.
    async fn secure(&self, socket: Socket) -> Result<Socket, Failure> {
        if !self.address.is_encrypted() {
            return Ok(socket);
        }
        let what = format!("securing the line to {}", self.address);
        let connector = authorities(self.address.trust())
            .and_then(RustlsConnectorConfig::connector_with_no_client_auth)
            .map_err(|error| Failure::new(LinkTrouble::Certificate, format!("{what}: {error}")))?;
        match timeout(
            TLS_LIMIT,
            socket.into_rustls(&connector, &self.address.uri().authority.host),
        )
        .await
        {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(error)) => Err(Failure::new(tls_trouble(&error), format!("{what}: {error}"))),
            Err(_) => Err(Failure::timed_out(&what, TLS_LIMIT)),
        }
    }

    /// Logs in.
    async fn welcome(
        &self,
        runtime: Runtime<MeteredTokio>,
        socket: Socket,
        cut: Cut,
        name: &str,
    ) -> Result<Line, Failure> {
        let what = format!("logging in to {} as {}", self.address, self.address.user());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let ready = Mutex::new(Some(socket));
        let hand_over = move |_, _| {
            let socket = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The library asks once: it is not told to try again.
            std::future::ready(socket.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into()))
        };
        // Boxed, as the one above: they are large.
        let greeting = Box::pin(Connection::connector(
            self.address.uri().clone(),
            runtime,
            hand_over,
            properties,
        ));
        match timeout(WELCOME_LIMIT, greeting).await {
            Ok(Ok(connection)) => Ok(Line { connection, _cut: cut }),
            Ok(Err(error)) => Err(Failure::of(Stage::Opening, &what, &error)),
            Err(_) => Err(Failure::timed_out(&what, WELCOME_LIMIT)),
        }
    }
}

async fn connect(runtime: &Runtime<MeteredTokio>, place: SocketAddr) -> Result<(Socket, Cut), Failure> {
    let what = format!("connecting to {place}");
    let socket = match timeout(TCP_LIMIT, runtime.tcp_connect_addr(place)).await {
        Ok(connected) => connected.map_err(|error| unreachable(&what, &error))?,
        Err(_) => return Err(Failure::timed_out(&what, TCP_LIMIT)),
    };
    let handle = socket.second_handle();
    let cut = Cut(handle.map_err(|error| unreachable(&what, &error))?.into());
    Ok((Socket::Plain(socket), cut))
}

fn unreachable(what: &str, error: &io::Error) -> Failure {
    Failure::new(LinkTrouble::Unreachable, format!("{what}: {error}"))
}

fn authorities(trust: &Trust) -> io::Result<RustlsConnectorConfig> {
    match trust {
        Trust::System => RustlsConnectorConfig::new_with_native_certs(),
        Trust::Only(pem) => {
            let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(io::Error::other)?;
            Ok(RustlsConnectorConfig::default().with_parsable_certificates(certificates))
        }
    }
}

fn tls_trouble(error: &io::Error) -> LinkTrouble {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => LinkTrouble::Certificate,
        Some(_) => LinkTrouble::NotABroker,
        None => LinkTrouble::Unreachable,
    }
}
