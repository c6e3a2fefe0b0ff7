//! What each address answers. Every answer is made at once from the latest picture; no body is
//! ever read, and nothing that a client sends appears in an answer.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use crate::ledger::snapshot::Snapshot;
use crate::metrics::families::{Seen, exposition};
use crate::metrics::negotiate;
use crate::serve::packing::Packed;
use crate::serve::{Sources, page, readiness};

/// What is sent back.
pub type Answer = Response<Full<Bytes>>;

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What there is, for whoever asked for something else.
const HINT: &str = "\
There is nothing here. There is something at:
/metrics  figures for Prometheus
/healthz  whether procession itself works (also /-/healthy)
/readyz   whether every process is ready (also /-/ready; ?verbose tells of each part)
/         a page for people
";

/// On every answer: nothing is loaded, framed, guessed, sent on or kept.
const GUARDS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// The answer to a request, whose body is left alone. What can be shared with other answers is put
/// into `packed`.
pub fn answer<B>(request: &Request<B>, sources: &Sources, packed: &Packed) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer =
            reply(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "There is nothing here but to read.\n");
        set(&mut answer, ALLOW, "GET, HEAD");
        return answer;
    }
    match request.uri().path() {
        "/metrics" => metrics(request.headers(), sources, packed),
        "/healthz" | "/-/healthy" => health((sources.alive)()),
        "/readyz" | "/-/ready" => ready(&(sources.snapshot)(), request.uri().query()),
        "/" => reply(StatusCode::OK, HTML, page::render(&(sources.snapshot)())),
        _ => reply(StatusCode::NOT_FOUND, PLAIN, HINT),
    }
}

/// The answer when making another one went wrong.
pub fn fault() -> Answer {
    let advice = "procession made a mistake while answering; its log says more.\n";
    reply(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, advice)
}

fn metrics(headers: &HeaderMap, sources: &Sources, packed: &Packed) -> Answer {
    let format = negotiate::format(&joined(headers, &ACCEPT));
    let is_packed = negotiate::gzip(&joined(headers, &ACCEPT_ENCODING));
    let (snapshot, own, output) = ((sources.snapshot)(), (sources.own)(), (sources.output)());
    let store = (sources.store)();
    let seen = Seen { snapshot: &snapshot, own: &own, output: &output, store: store.as_ref() };
    let body = if is_packed { packed.gzip(format, seen) } else { exposition(format, seen).into() };
    let mut answer = reply(StatusCode::OK, format.content_type(), body);
    set(&mut answer, VARY, "Accept, Accept-Encoding");
    if is_packed {
        set(&mut answer, CONTENT_ENCODING, "gzip");
    }
    answer
}

/// All lines of a header as one; what is not ASCII says nothing that we know.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&str> =
        headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    lines.join(",")
}

fn health(alive: bool) -> Answer {
    if alive {
        reply(StatusCode::OK, PLAIN, "ok\n")
    } else {
        let stuck = "the loop that supervises has not turned for too long\n";
        reply(StatusCode::SERVICE_UNAVAILABLE, PLAIN, stuck)
    }
}

fn ready(snapshot: &Snapshot, query: Option<&str>) -> Answer {
    let status = match readiness::missing(snapshot).is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let wants_all = query.is_some_and(|query| query.split('&').any(|it| it == "verbose"));
    let text = if wants_all { readiness::verbose(snapshot) } else { readiness::brief(snapshot) };
    reply(status, PLAIN, text)
}

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    set(&mut answer, CONTENT_TYPE, content_type);
    for (name, value) in GUARDS {
        set(&mut answer, name, value);
    }
    answer
}

fn set(answer: &mut Answer, name: HeaderName, value: &'static str) {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
}
