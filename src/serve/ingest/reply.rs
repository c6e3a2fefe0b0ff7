//! What a sender is answered, in the encoding that it speaks: which answers it tries again after is
//! the protocol's decision, so that nothing else is told than it knows.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::tokens::otlp::{Encoding, Figures, Signal};

/// Why something was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no address of anybody's.
    NoSuchPath,
    /// It was not posted.
    WrongMethod,
    /// It is neither of both encodings.
    WrongType,
    /// It is packed in a way that is not known.
    WrongPacking,
    /// It is larger than this, or becomes so.
    TooLarge(usize),
    /// It did not arrive in time.
    TooSlow,
    /// It cannot be read.
    Malformed(String),
    /// Too much waits already.
    Full,
    /// We leave.
    GoingDown,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::WrongType | Self::WrongPacking => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Full => StatusCode::TOO_MANY_REQUESTS,
            Self::GoingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn told(&self) -> String {
        match self {
            Self::NoSuchPath => "nothing is received here: use the address that the variables of \
                this run name"
                .to_owned(),
            Self::WrongMethod => "send it by POST".to_owned(),
            Self::WrongType => "send application/x-protobuf or application/json".to_owned(),
            Self::WrongPacking => "pack it by gzip, or not at all".to_owned(),
            Self::TooLarge(most) => format!("a body may have {most} bytes, also unpacked"),
            Self::TooSlow => "the body did not arrive in time".to_owned(),
            Self::Malformed(why) => why.clone(),
            Self::Full => "too much waits already".to_owned(),
            Self::GoingDown => "everything is being stopped".to_owned(),
        }
    }

    /// As `google.rpc.Code` has it.
    fn code(&self) -> u8 {
        match self {
            Self::Full | Self::GoingDown => 14,
            _ => 3,
        }
    }
}

/// It was taken; what cannot be true was left out and is not to be sent again.
pub(super) fn accepted(
    signal: Signal,
    encoding: Encoding,
    figures: Figures,
) -> Response<Full<Bytes>> {
    const WHY: &str = "a value is no number, or less than nothing";
    let rejected = figures.rejected;
    let body = match (encoding, rejected) {
        (Encoding::Protobuf, 0) => Vec::new(),
        (Encoding::Json, 0) => b"{}".to_vec(),
        (Encoding::Protobuf, _) => {
            let mut partial = vec![0x08];
            varint(rejected, &mut partial);
            text(0x12, WHY, &mut partial);
            let mut body = vec![0x0a];
            varint(partial.len() as u64, &mut body);
            body.extend(partial);
            body
        }
        (Encoding::Json, _) => {
            let what = match signal {
                Signal::Metrics => "rejectedDataPoints",
                Signal::Logs => "rejectedLogRecords",
                Signal::Traces => "rejectedSpans",
            };
            let partial = json!({ what: rejected.to_string(), "errorMessage": WHY });
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    };
    response(StatusCode::OK, encoding, body)
}

pub(super) fn refused(refusal: &Refusal, encoding: Encoding) -> Response<Full<Bytes>> {
    let (code, said) = (refusal.code(), refusal.told());
    let body = match encoding {
        Encoding::Protobuf => {
            let mut body = vec![0x08, code];
            text(0x12, &said, &mut body);
            body
        }
        Encoding::Json => json!({ "code": code, "message": said }).to_string().into_bytes(),
    };
    let mut response = response(refusal.status(), encoding, body);
    let headers = response.headers_mut();
    match refusal {
        Refusal::Full | Refusal::GoingDown => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Refusal::WrongMethod => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    response
}

fn response(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn text(tag: u8, text: &str, into: &mut Vec<u8>) {
    into.push(tag);
    varint(text.len() as u64, into);
    into.extend(text.as_bytes());
}
