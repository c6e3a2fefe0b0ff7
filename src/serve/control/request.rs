//! The body of a request: bounded in size and time, and JSON.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// The largest body; an order has some hundred bytes, an environment some thousand.
const LARGEST: usize = 64 * 1024;

/// For a body to arrive whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body as what it should be.
pub(super) async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Problem> {
    let (head, body) = request.into_parts();
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if declared.and_then(|text| text.parse::<usize>().ok()).is_some_and(|n| n > LARGEST) {
        return Err(Problem::too_large(LARGEST));
    }
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(is_json) {
        return Err(Problem::wrong_type());
    }
    let whole = timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    let bytes = match whole.map_err(|_| Problem::too_slow())? {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Problem::too_large(LARGEST)),
        Err(_) => return Err(Problem::bad_request("the body ended too early")),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!("the body is not what is expected here: {error}"))
    })
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
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
