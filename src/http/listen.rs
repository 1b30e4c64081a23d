//! Connections: accepted, limited, timed, and ended in good order.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::{Frame, Incoming as RequestBody, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::limit::network;
use super::request::origin::Peer;
use super::response::body::{Body, BodyError};
use super::service::Server;

/// Connections at once. Beyond it, the one that has been idle longest makes room.
const CONNECTIONS: usize = 1024;

/// Connections of one address that no proxy has; beyond it, its next one is closed at once.
const CONNECTIONS_OF_ONE: usize = 256;

/// The first request of a connection is here, with its whole head, within this time. hyper's own
/// timer starts only once the protocol is known, so a connection that sends nothing would stay for
/// ever.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(10);

/// Heads of later requests; hyper counts the pause between two requests in, and proxies keep
/// connections open for a minute.
const HEADER_TIME: Duration = Duration::from_secs(65);

/// A connection on which nothing is asked and nothing taken for this long is closed: idle HTTP/2,
/// and downloads whose client has stopped reading.
const STILL_TIME: Duration = Duration::from_secs(75);

/// An accept error (out of file descriptors) is not answered by spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A connection that has carried a long body may be emptying the kernel's buffers, megabytes of
/// them, to a slow client: nothing is seen of that here.
const SLOW_CLIENT_TIME: Duration = Duration::from_secs(15 * 60);

/// What lies in the kernel and is not taken by the client for this long breaks the connection off
/// (TCP_USER_TIMEOUT): a client that has stopped reading.
const UNREAD_TIME: Duration = Duration::from_secs(60);

/// From this size on a body is a long one; every answer that strangers get is shorter.
const LONG_BODY_BYTES: u64 = 64 * 1024;

/// Headers of a request: number and, with its target, bytes.
const HEADERS: usize = 100;
const HEAD_BYTES: usize = 48 * 1024;

/// Something connections come in by.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A socket file; removed when the listener is dropped.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on a TCP address.
    ///
    /// # Errors
    /// What the system says.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// Listens on a socket file. One that a dead process left is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody answers on it, else what the system says.
    pub fn unix(path: &Path) -> io::Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        UnixListener::bind(path).map(|listener| Self::Unix(listener, path.to_owned()))
    }

    /// Where it listens, as a browser (or `curl --unix-socket`) would say it.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| String::from("?"), |address| format!("http://{address}")),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Serves until `stop`, then lets running requests end until `deadline` after it.
pub async fn serve(
    listeners: Vec<Listener>,
    server: Server,
    stop: CancellationToken,
    grace: Duration,
) {
    let open = Arc::new(Open::new());
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, server.clone(), stop.clone(), Arc::clone(&open), grace));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(
    listener: Listener,
    server: Server,
    stop: CancellationToken,
    open: Arc<Open>,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&listener) => accepted,
            () = stop.cancelled() => break,
        };
        while connections.try_join_next().is_some() {}
        let (peer, accepted) = match accepted {
            Ok(Accepted::Tcp(stream, peer)) => {
                // Small answers should not wait for more; failing to say so costs only time.
                let _ = stream.set_nodelay(true);
                let unread = u32::try_from(UNREAD_TIME.as_millis()).unwrap_or(u32::MAX);
                // Where the system does not know it, `SLOW_CLIENT_TIME` is left.
                let _ = set_tcp_user_timeout(&stream, unread);
                (Peer::Address(peer.ip()), Accepted::Tcp(stream, peer))
            }
            Ok(Accepted::Unix(stream)) => (Peer::UnixSocket, Accepted::Unix(stream)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let seat = tokio::select! {
            seat = open.seat(peer, server.trusts(peer)) => seat,
            () = stop.cancelled() => break,
        };
        let Some(seat) = seat else { continue };
        match accepted {
            Accepted::Tcp(stream, _) => {
                connections.spawn(connection(stream, peer, seat, &server, &graceful));
            }
            Accepted::Unix(stream) => {
                connections.spawn(connection(stream, peer, seat, &server, &graceful));
            }
        }
    }
    drop(listener);
    let deadline = Instant::now() + grace;
    if timeout_at(deadline, graceful.shutdown()).await.is_err() {
        tracing::info!("ending connections that did not end by themselves");
    }
    connections.shutdown().await;
}

enum Accepted {
    Tcp(tokio::net::TcpStream, SocketAddr),
    Unix(tokio::net::UnixStream),
}

async fn accept_one(listener: &Listener) -> io::Result<Accepted> {
    match listener {
        Listener::Tcp(listener) => {
            listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer))
        }
        Listener::Unix(listener, _) => {
            listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
        }
    }
}

fn connection<S>(
    stream: S,
    peer: Peer,
    seat: Seat,
    server: &Server,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (server, activity) = (server.clone(), Arc::clone(&seat.activity));
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request: Request<RequestBody>| {
        let (server, seen) = (server.clone(), Arc::clone(&seen));
        async move {
            let handling = seen.start();
            let response = server.answer(request, peer).await;
            drop(handling);
            let length = length(response.headers());
            Ok::<_, std::convert::Infallible>(response.map(|body| seen.watch(body, length)))
        }
    });
    let watched = graceful.watcher();
    async move {
        let _seat = seat;
        let builder = builder();
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = watched.watch(connection.into_owned());
        tokio::pin!(connection);
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
            }
            () = activity.until_still() => tracing::debug!("a still connection is closed"),
            () = activity.leave.notified() => tracing::debug!("an idle connection makes room"),
        }
    }
}

/// Who is connected.
struct Open {
    seats: Arc<Semaphore>,
    taken: Mutex<HashMap<u64, (Peer, Arc<Activity>)>>,
    next: AtomicU64,
}

/// A connection's place among those that are open; given back by dropping it.
struct Seat {
    activity: Arc<Activity>,
    number: u64,
    open: Arc<Open>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new() -> Self {
        Self {
            seats: Arc::new(Semaphore::new(CONNECTIONS)),
            taken: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, (Peer, Arc<Activity>)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, if need be that of whoever has been idle longest. None for a peer that has enough:
    /// a proxy's connections are many people's.
    async fn seat(self: &Arc<Self>, peer: Peer, is_proxy: bool) -> Option<Seat> {
        if !is_proxy {
            let own = self.taken().values().filter(|(other, _)| is_of_one(*other, peer)).count();
            if own >= CONNECTIONS_OF_ONE {
                tracing::debug!(?peer, "a peer has too many connections");
                return None;
            }
        }
        if self.seats.available_permits() == 0 {
            self.make_room();
        }
        // The semaphore is never closed.
        let permit = Arc::clone(&self.seats).acquire_owned().await.ok()?;
        let activity = Arc::new(Activity::default());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.taken().insert(number, (peer, Arc::clone(&activity)));
        Some(Seat { activity, number, open: Arc::clone(self), _permit: permit })
    }

    /// Ends the connection on which nothing has happened for longest. Where every one is at work,
    /// the next has to wait.
    fn make_room(&self) {
        let taken = self.taken();
        let idle =
            taken.values().map(|(_, activity)| activity).filter(|activity| activity.is_idle());
        if let Some(stillest) = idle.min_by_key(|activity| activity.last_sign()) {
            stillest.leave.notify_one();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.taken().remove(&self.number);
    }
}

/// Whether two peers are one party.
fn is_of_one(one: Peer, other: Peer) -> bool {
    match (one, other) {
        (Peer::Address(one), Peer::Address(other)) => network(one) == network(other),
        (Peer::UnixSocket, Peer::UnixSocket) => true,
        (Peer::Address(_), Peer::UnixSocket) | (Peer::UnixSocket, Peer::Address(_)) => false,
    }
}

/// What an answer says its length is: a file that is sent in pieces has no other.
fn length(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What happens on one connection.
struct Activity {
    /// Requests whose answer is being made; their time is their handler's business.
    handling: AtomicUsize,
    /// Milliseconds from `opened` to the last sign of life; 0 before the first request.
    last_ms: AtomicU64,
    opened: Instant,
    /// Whether a long body was sent.
    has_streamed: AtomicBool,
    /// Somebody else needs the seat.
    leave: Notify,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            handling: AtomicUsize::new(0),
            last_ms: AtomicU64::new(0),
            opened: Instant::now(),
            has_streamed: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }
}

impl Activity {
    /// Whether nothing is asked and no long body is on its way, as far as can be seen.
    fn is_idle(&self) -> bool {
        let is_quiet = || self.last_sign().elapsed() > UNREAD_TIME;
        self.handling.load(Ordering::Acquire) == 0
            && (!self.has_streamed.load(Ordering::Acquire) || is_quiet())
    }

    /// When something happened last; the opening counts.
    fn last_sign(&self) -> Instant {
        self.opened + Duration::from_millis(self.last_ms.load(Ordering::Acquire))
    }

    /// A request is being handled until the guard is dropped, also by a client that hangs up.
    fn start(self: &Arc<Self>) -> Handling {
        self.handling.fetch_add(1, Ordering::AcqRel);
        self.touch();
        Handling(Arc::clone(self))
    }

    /// A body whose every piece is a sign of life.
    fn watch(self: &Arc<Self>, body: Body, length: Option<u64>) -> Watched {
        let length = length.or_else(|| hyper::body::Body::size_hint(&body).exact());
        if length.is_none_or(|bytes| bytes > LONG_BODY_BYTES) {
            self.has_streamed.store(true, Ordering::Release);
        }
        Watched { body, activity: Arc::clone(self) }
    }

    fn touch(&self) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(since.max(1), Ordering::Release);
    }

    /// Waits until the connection has kept still for too long.
    async fn until_still(&self) {
        loop {
            let last = Duration::from_millis(self.last_ms.load(Ordering::Acquire));
            let patience = match (last.is_zero(), self.has_streamed.load(Ordering::Acquire)) {
                (true, _) => FIRST_REQUEST_TIME,
                (false, false) => STILL_TIME,
                (false, true) => SLOW_CLIENT_TIME,
            };
            let is_busy = self.handling.load(Ordering::Acquire) > 0;
            let end =
                if is_busy { Instant::now() + STILL_TIME } else { self.opened + last + patience };
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

struct Watched {
    body: Body,
    activity: Arc<Activity>,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.activity.touch();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Handling(Arc<Activity>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.touch();
        self.0.handling.fetch_sub(1, Ordering::AcqRel);
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .max_header_list_size(HEAD_BYTES as u32)
        .max_concurrent_streams(100);
    builder
}
