//! The body of what is sent: in pieces or whole, packed or not, and bounded however it comes.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{HeaderMap, Request};
use tokio::time::timeout;

use super::reply::Refusal;
use crate::tokens::otlp::Encoding;

/// The largest body, and the largest that one may become: twenty thousand points.
const LARGEST: usize = 4 * 1024 * 1024;

/// The largest body of JSON: what is read of it takes fifty times its room.
const LARGEST_JSON: usize = 1024 * 1024;

/// For a body to arrive whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a body is written, where it says so as the protocol has it.
pub(super) fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

/// The body, unpacked.
pub(super) async fn read(
    request: Request<Incoming>,
    encoding: Encoding,
) -> Result<Vec<u8>, Refusal> {
    let most = match encoding {
        Encoding::Protobuf => LARGEST,
        Encoding::Json => LARGEST_JSON,
    };
    let packed = match request.headers().get(CONTENT_ENCODING).map(|it| it.as_bytes()) {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => return Err(Refusal::WrongPacking),
    };
    let collected = timeout(PATIENCE, collect(request.into_body(), most)).await;
    let bytes = collected.map_err(|_| Refusal::TooSlow)??;
    if packed { unpack(&bytes, most) } else { Ok(bytes) }
}

async fn collect(mut body: Incoming, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Malformed("the body ended too early".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(Refusal::TooLarge(most));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// No more is unpacked than may be.
fn unpack(bytes: &[u8], most: usize) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX) + 1;
    let read = MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut unpacked);
    read.map_err(|error| Refusal::Malformed(format!("the body is not packed by gzip: {error}")))?;
    if unpacked.len() > most { Err(Refusal::TooLarge(most)) } else { Ok(unpacked) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn what_grows_a_thousand_times_is_not_unpacked_beyond_the_bound() {
        let bomb = packed(&vec![0; 64 << 20]);
        assert!(bomb.len() * 900 < 64 << 20);
        assert!(matches!(unpack(&bomb, LARGEST), Err(Refusal::TooLarge(LARGEST))));
        assert_eq!(unpack(&packed(b"hello"), LARGEST).ok().as_deref(), Some(&b"hello"[..]));
        assert!(matches!(unpack(b"hello", LARGEST), Err(Refusal::Malformed(_))));
        assert!(matches!(unpack(&bomb[..bomb.len() / 2], 1 << 30), Err(Refusal::Malformed(_))));
    }
}
