//! What is common to both doors: conversations with clients, bounded whatever they do.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use super::answer::{Answer, Content};
use super::role::{Caller, Who};
use super::{Desk, api};
use crate::serve::connections::Engaged;
use crate::serve::patience::Patient;
use crate::serve::wire::rights::REASON;

/// Open connections. When one more comes, the oldest makes room. Enough for somebody who waits for each
/// of as many commands as may run beside the plan, twice.
pub(super) const CONNECTIONS: usize = 256;

/// For the head of a request to arrive, and for a connection to stay idle between two.
const HEAD: Duration = Duration::from_secs(10);

/// For a piece of an answer to be taken.
const ANSWER: Duration = Duration::from_secs(10);

/// What a request line and its headers may take.
const LONGEST_HEAD: usize = 16 * 1024;

/// After `accept` failed. It fails for want of descriptors or memory, and at once every time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Before the second attempt to open a door; each further wait is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// The longest wait between two attempts.
const LAST_RETRY: Duration = Duration::from_secs(10);

/// How one who was let in is answered.
pub(super) enum Pass {
    /// By what they may.
    Caller(Caller),
    /// Not at all, but for why, and who it was.
    Refused(Answer, Who),
}

/// Answers one client, request after request. Who asks is looked at with each request.
pub(super) async fn converse<S>(
    stream: S,
    desk: Arc<Desk>,
    engaged: Engaged,
    admit: impl Fn(&Request<Incoming>) -> Pass + Send + Sync + 'static,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (admit, at) = (Arc::new(admit), Arc::clone(&desk));
    let service = service_fn(move |request| {
        let (desk, admit, engaged) = (Arc::clone(&at), Arc::clone(&admit), engaged.clone());
        async move {
            let answer: Response<Content> = match admit(&request) {
                Pass::Caller(caller) => {
                    let caller = caller.because(reason(&request));
                    api::answer(&desk, &caller, request).await
                }
                Pass::Refused(answer, who) => {
                    desk.sources.trail.note_stranger(&who, answer.status().as_u16());
                    answer
                }
            };
            engaged.set(matches!(answer.body(), Content::Streamed(_)));
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, ANSWER)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = desk.told_to_stop() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(target: "control", %error, "a client was cut off");
    }
}

/// Why somebody asks, as they put it.
fn reason(request: &Request<Incoming>) -> Option<String> {
    let given = request.headers().get(REASON)?;
    let given = String::from_utf8_lossy(given.as_bytes()).trim().to_owned();
    Some(given).filter(|given| !given.is_empty())
}

/// Tries to open a door until it works; the first failure is warned about.
pub(super) async fn open<T>(what: &str, mut attempt: impl FnMut() -> io::Result<T>) -> T {
    let mut wait = FIRST_RETRY;
    loop {
        match attempt() {
            Ok(opened) => return opened,
            Err(error) if wait == FIRST_RETRY => {
                let seconds = LAST_RETRY.as_secs();
                tracing::warn!(
                    target: "control",
                    "cannot take orders at {what}: {error}; processes run on without, and it is \
                     tried again every {seconds} s"
                );
            }
            Err(error) => tracing::debug!(target: "control", %what, %error, "still no door"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LAST_RETRY);
    }
}

/// Waits out what keeps us from accepting.
pub(super) async fn pause(error: &io::Error) {
    tracing::debug!(target: "control", %error, "cannot accept connections for now");
    sleep(ACCEPT_PAUSE).await;
}
