//! The body of a request: bounded in size and time, and JSON.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// The largest body; an order has some hundred bytes, an environment some thousand.
const LARGEST: usize = 64 * 1024;

/// For a body to arrive whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read of a body that is too large, so that the one who sends it comes to read our answer.
const MOST_READ: usize = 1024 * 1024;

/// The body as what it should be.
pub(super) async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Problem> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(is_json);
    let bytes = timeout(PATIENCE, read(body, LARGEST));
    let bytes = bytes.await.map_err(|_| Problem::too_slow())??;
    if !is_json {
        return Err(Problem::wrong_type());
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!("the body is not what is expected here: {error}"))
    })
}

/// The text of a body of JSON, or of lines of it, of at most so many bytes.
pub(super) async fn json_text(request: Request<Incoming>, most: usize) -> Result<Vec<u8>, Problem> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_known = kind.is_some_and(|kind| is_json(kind) || is_json_lines(kind));
    let bytes = timeout(PATIENCE, read(body, most)).await.map_err(|_| Problem::too_slow())??;
    if is_known { Ok(bytes) } else { Err(Problem::wrong_type()) }
}

/// The body as it is, of at most so many bytes. A page cannot send it unasked: it would have to be a
/// form or plain text.
pub(super) async fn bytes(request: Request<Incoming>, most: usize) -> Result<Vec<u8>, Problem> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_raw = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/octet-stream"));
    let bytes = timeout(PATIENCE, read(body, most)).await.map_err(|_| Problem::too_slow())??;
    if is_raw || bytes.is_empty() { Ok(bytes) } else { Err(Problem::not_raw()) }
}

async fn read(mut body: Incoming, most: usize) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::bad_request("the body ended too early"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= most {
            bytes.extend_from_slice(&data);
        }
        if length > MOST_READ {
            break;
        }
    }
    if length > most { Err(Problem::too_large(most)) } else { Ok(bytes) }
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn is_json_lines(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    ["application/x-ndjson", "application/jsonl"].iter().any(|it| essence.eq_ignore_ascii_case(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_what_a_page_could_send_unasked() {
        assert!(is_json("application/json"));
        assert!(is_json("Application/JSON; charset=utf-8"));
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert!(!is_json(other), "{other}");
        }
    }
}
