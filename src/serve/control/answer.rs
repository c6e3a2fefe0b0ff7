//! What is sent back: whole, or as it comes to be known.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc;

/// What is sent back.
pub(super) type Answer = Response<Content>;

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_LINES: &str = "application/x-ndjson";
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// The pieces of a streamed answer that may wait for its reader.
const PIECES: usize = 4;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Content {
    /// Known at once.
    Whole(Option<Bytes>),
    /// Piece by piece, until the other end is dropped.
    Streamed(mpsc::Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Streamed(pieces) => pieces.poll_recv(cx),
        };
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // What is on the wire has text for keys and no number that JSON lacks.
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    whole(status, JSON, text)
}

/// Bytes of some type.
pub(super) fn whole(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    dressed(status, kind, Content::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty())))
}

/// An answer whose pieces go into the other end.
pub(super) fn streamed(kind: &'static str) -> (mpsc::Sender<Bytes>, Answer) {
    let (pieces, body) = mpsc::channel(PIECES);
    (pieces, dressed(StatusCode::OK, kind, Content::Streamed(body)))
}

fn dressed(status: StatusCode, kind: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
