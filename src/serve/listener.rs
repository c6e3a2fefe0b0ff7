//! The socket of the doors: bound however long it takes, bounded whatever clients do, and drained
//! when told to stop. What is answered is `routes`' business.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::serve::connections::Connections;
use crate::serve::packing::Packed;
use crate::serve::patience::Patient;
use crate::serve::{Sources, routes};

/// Before the second attempt to bind; each further wait is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest wait between two attempts: a port that is freed is ours soon after.
const LAST_RETRY: Duration = Duration::from_secs(10);
/// After `accept` failed. It fails for want of descriptors or memory, and at once every time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a request line and its headers may take; Prometheus sends half a kilobyte.
const LONGEST_HEAD: usize = 16 * 1024;
/// What clients may use up. An answer that waits to be read is the only memory they can hold, so
/// the most of it is `connections` times the largest answer (half a megabyte for a hundred
/// processes), for as long as `answer`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. When one more comes, the oldest makes room: a scrape takes milliseconds,
    /// so that the oldest is idle, slow, or up to no good, and nobody can keep others out by
    /// holding connections open.
    pub connections: usize,
    /// For a request to arrive whole, and for a connection to stay idle between two; longer than
    /// the usual scrape interval of 15 s.
    pub request: Duration,
    /// For an answer to be taken by the client.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, request: Duration::from_secs(20), answer: Duration::from_secs(10) }
    }
}

/// Listens at `address` and answers until `stop` turns true (or nobody is left to turn it).
///
/// An address that cannot be had is warned about once and tried again for ever. `report` is told
/// the bound address each time that we begin to listen, and `None` when we cannot or no longer do.
pub async fn serve(
    address: SocketAddr,
    sources: Arc<Sources>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    report: impl Fn(Option<SocketAddr>),
) {
    let listener = tokio::select! {
        listener = bind(address, &report) => listener,
        () = told(&mut stop) => return,
    };
    let (packed, faults) = (Packed::default(), AtomicU64::new(0));
    let desk = Arc::new(Desk { sources, packed, limits, faults });
    let mut connections = Connections::default();
    let mut accepts = true;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    accepts = true;
                    let conversation = converse(stream, Arc::clone(&desk), stop.clone());
                    connections.admit(|_| conversation, limits.connections).await;
                }
                Err(error) => {
                    if accepts {
                        tracing::warn!(target: "serve", %error, "cannot accept connections for now");
                    }
                    accepts = false;
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = connections.one_ended() => {}
            () = told(&mut stop) => break,
        }
    }
    drop(listener);
    report(None);
    connections.drain().await;
}

/// Resolves when we are to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that the one who would tell us is gone, which is as good as being told.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Tries until it works.
async fn bind(address: SocketAddr, report: &impl Fn(Option<SocketAddr>)) -> TcpListener {
    let mut wait = FIRST_RETRY;
    loop {
        match listen(address).await {
            Ok((listener, bound)) => {
                let here = reachable(bound);
                tracing::info!(
                    target: "serve",
                    "listening on {bound}: the page is at http://{here}/, metrics at http://{here}/metrics"
                );
                report(Some(bound));
                return listener;
            }
            Err(error) => {
                if wait == FIRST_RETRY {
                    report(None);
                    tracing::warn!(target: "serve", "{}", advice(address, &error));
                }
                tracing::debug!(target: "serve", %address, %error, ?wait, "cannot listen yet");
                sleep(wait).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
        }
    }
}

async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Where a person on this machine finds what listens on all of its addresses.
fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, bound.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, bound.port()).into(),
        _ => bound,
    }
}

/// What is wrong, what happens meanwhile, and what a person can do about it.
fn advice(address: SocketAddr, error: &io::Error) -> String {
    let trouble = match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses the port",
        io::ErrorKind::AddrNotAvailable => "no interface here has this address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege",
        _ => "the address cannot be had",
    };
    format!(
        "cannot listen on {address}: {error}; {trouble}: free it, or choose another (`metrics: \
         {{listen: …}}` in the file, `--listen` for one command); processes run on without metrics, and it is tried again every {} s",
        LAST_RETRY.as_secs()
    )
}

/// What every connection shares.
struct Desk {
    sources: Arc<Sources>,
    packed: Packed,
    limits: Limits,
    /// Requests whose answering panicked.
    faults: AtomicU64,
}

impl Desk {
    /// The answer to a request, whatever happens while it is made.
    fn answer<B>(&self, request: &Request<B>) -> routes::Answer {
        let made =
            catch_unwind(AssertUnwindSafe(|| routes::answer(request, &self.sources, &self.packed)));
        made.unwrap_or_else(|_| {
            let faults = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(target: "serve", path = request.uri().path(), faults, "answering a request panicked");
            routes::fault()
        })
    }
}

/// Answers one client, request after request.
async fn converse(stream: TcpStream, desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    // Without it a small answer may wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let limits = desk.limits;
    let io = TokioIo::new(Patient::new(stream, limits.answer));
    let service = service_fn(move |request| {
        let answer = desk.answer(&request);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(target: "serve", %error, "a client was cut off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_explained_with_what_to_do() {
        let address = SocketAddr::from(([0, 0, 0, 0], 9917));
        let said = advice(address, &io::Error::from(io::ErrorKind::AddrInUse));
        for part in ["cannot listen on 0.0.0.0:9917", "choose another", "10 s"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
