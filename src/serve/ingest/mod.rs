//! Where agents send what OpenTelemetry has them send: a door of its own on the loopback address,
//! apart from those where orders are given.
//!
//! gRPC is not spoken: HTTP/2 alone adds 261 kB to a static binary (hyper's `http2`, measured with our
//! profile on a server of one handler), a fiftieth of ours, and every SDK speaks HTTP as well. Spans are
//! accepted, counted and not used: they are sampled where metrics are not, frameworks nest one inside the
//! other with the same figures, and their address is set by nobody but the user.

mod body;
mod reply;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use self::reply::{Refusal, accepted, refused};
use crate::ledger::request::{Answered, Heard, Request as Asked};
use crate::serve::connections::Connections;
use crate::serve::control::{Busy, Requests};
use crate::serve::patience::Patient;
use crate::tokens::otlp::{Decoder, Encoding, Figures, Signal, Told};
use crate::units::SessionId;

/// Open connections: an agent keeps one or two.
const CONNECTIONS: usize = 256;

/// Senders whose sums are remembered; beyond that the one that was silent for longest begins anew.
const SENDERS: usize = 512;

/// For the head of a request to arrive, and for a connection to stay idle between two: exporters
/// send once a minute and open another one then.
const HEAD: Duration = Duration::from_secs(90);

/// For a piece of an answer to be taken.
const ANSWER: Duration = Duration::from_secs(10);

/// For the ledger to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// After `accept` failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What somebody says first who speaks HTTP/2 without asking, as gRPC does.
const PRIOR_KNOWLEDGE: &[u8] = b"PRI ";

/// Whose address a session and a sign are, if they are anybody's.
pub type Admit = Box<dyn Fn(&str, &str) -> Option<SessionId> + Send + Sync>;

/// What the receiver needs.
pub struct Receiver {
    /// Says who sends.
    pub admit: Admit,
    /// Asks the ledger.
    pub requests: Requests,
}

struct Desk {
    receiver: Receiver,
    senders: Mutex<Senders>,
    grpc_told: std::sync::Once,
}

/// What the ledger is going to answer.
type Waited = oneshot::Receiver<Answered>;

/// The sums of those who send, and when each was heard of last.
#[derive(Default)]
struct Senders {
    decoders: HashMap<SessionId, (u64, Decoder)>,
    turns: u64,
}

/// Answers at a listener that was bound before, until `stop` turns true.
pub async fn serve(
    listener: std::net::TcpListener,
    receiver: Receiver,
    mut stop: watch::Receiver<bool>,
) {
    let listener =
        match listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(target: "serve", "cannot receive what agents send: {error}");
                return;
            }
        };
    let grpc_told = std::sync::Once::new();
    let desk = Arc::new(Desk { receiver, senders: Mutex::default(), grpc_told });
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let desk = Arc::clone(&desk);
                    connections.admit(|_| converse(stream, from, desk), CONNECTIONS).await;
                }
                Err(error) => {
                    tracing::debug!(target: "serve", %error, "cannot accept connections for now");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = connections.one_ended() => {}
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
        }
    }
    drop(listener);
    connections.drain().await;
}

async fn converse(stream: TcpStream, from: SocketAddr, desk: Arc<Desk>) {
    let _ = stream.set_nodelay(true);
    let mut first = [0; PRIOR_KNOWLEDGE.len()];
    let peeked = timeout(HEAD, stream.peek(&mut first)).await;
    if matches!(peeked, Ok(Ok(length)) if length > 0 && PRIOR_KNOWLEDGE.starts_with(&first[..length])
        && length == first.len())
    {
        desk.grpc_told.call_once(|| {
            tracing::warn!(target: "serve", "{from} speaks gRPC, which is not received; have it \
                speak http/protobuf: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf");
        });
        return;
    }
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(&desk, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, ANSWER)), service);
    if let Err(error) = served.await {
        tracing::debug!(target: "serve", %error, "a sender was cut off");
    }
}

async fn answer(desk: &Desk, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let encoding = body::encoding(request.headers()).unwrap_or(Encoding::Json);
    match received(desk, request).await {
        Ok((signal, figures)) => accepted(signal, encoding, figures),
        Err(refusal) => {
            tracing::debug!(target: "serve", ?refusal, "what was sent is not taken");
            refused(&refusal, encoding)
        }
    }
}

/// Takes in what was sent: `/SESSION/SIGN/v1/SIGNAL`.
async fn received(desk: &Desk, request: Request<Incoming>) -> Result<(Signal, Figures), Refusal> {
    let (session, signal) = addressed(desk, request.uri().path())?;
    if request.method() != Method::POST {
        return Err(Refusal::WrongMethod);
    }
    let encoding = body::encoding(request.headers()).ok_or(Refusal::WrongType)?;
    let (reply, read) = match body::read(request, encoding).await {
        Ok(body) => desk.taken(session, signal, encoding, &body)?,
        Err(refusal) => (desk.handed(session, signal, None)?, Err(refusal)),
    };
    // Acknowledged once it is durable, so that a sender tries again what we did not keep.
    let answered = timeout(PATIENCE, reply).await.map_err(|_| Refusal::Full)?;
    answered.map_err(|_| Refusal::GoingDown)?;
    read.map(|figures| (signal, figures))
}

fn addressed(desk: &Desk, path: &str) -> Result<(SessionId, Signal), Refusal> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let [session, sign, "v1", signal] = parts[..] else { return Err(Refusal::NoSuchPath) };
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal);
    let session = (desk.receiver.admit)(session, sign);
    session.zip(signal).ok_or(Refusal::NoSuchPath)
}

impl Desk {
    /// Hands what a body tells to the ledger. Its sums count as heard only once they are handed over:
    /// what is refused is sent again, and must grow by the same then.
    fn taken(
        &self,
        session: SessionId,
        signal: Signal,
        encoding: Encoding,
        body: &[u8],
    ) -> Result<(Waited, Result<Figures, Refusal>), Refusal> {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let decoder = senders.of(session);
        match decoder.reading(signal, encoding, body) {
            Ok((told, next)) => {
                let figures = told.figures;
                let reply = self.handed(session, signal, Some(told))?;
                *decoder = next;
                Ok((reply, Ok(figures)))
            }
            Err(malformed) => {
                let reply = self.handed(session, signal, None)?;
                Ok((reply, Err(Refusal::Malformed(malformed.0))))
            }
        }
    }

    /// Hands to the ledger what was told, or that it could not be read.
    fn handed(
        &self,
        session: SessionId,
        signal: Signal,
        told: Option<Told>,
    ) -> Result<Waited, Refusal> {
        let broken = told.is_none();
        let Told { calls, figures } = told.unwrap_or_default();
        let heard = Some(Heard { signal, figures, broken });
        let asked = Asked::Count { calls, within: Some(session), heard };
        (self.receiver.requests)(asked).map_err(|busy| match busy {
            Busy::Full => Refusal::Full,
            Busy::Gone => Refusal::GoingDown,
        })
    }
}

impl Senders {
    fn of(&mut self, session: SessionId) -> &mut Decoder {
        if !self.decoders.contains_key(&session) && self.decoders.len() >= SENDERS {
            let silent = self.decoders.iter().min_by_key(|(_, (heard, _))| *heard);
            if let Some(silent) = silent.map(|(session, _)| *session) {
                self.decoders.remove(&silent);
            }
        }
        self.turns += 1;
        let (heard, decoder) = self.decoders.entry(session).or_default();
        *heard = self.turns;
        decoder
    }
}
