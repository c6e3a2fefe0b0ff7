//! Where a health test connects to: a literal address, because nothing here looks names up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::cursor::Cursor;
use super::plan::Test;
use super::problem::shortened;

/// The port of a URL that names none.
const HTTP_PORT: u16 = 80;

/// Why a name is refused.
const NO_NAMES: &str = "write an IP address or `localhost`: names are not looked up, a slow resolver would look like \
     a sick process";

/// What a port is.
const PORTS: &str = "a port is a number from 1 to 65535";

/// `http: http://127.0.0.1:8000/healthz`.
pub(super) fn http(at: &Cursor<'_>) -> Option<Test> {
    at.parsed("a URL such as `http://127.0.0.1:8000/healthz`", parse_http, http_advice)
}

/// `tcp: 127.0.0.1:5432`.
pub(super) fn tcp(at: &Cursor<'_>) -> Option<Test> {
    at.parsed(
        "an address and port such as `127.0.0.1:5432`",
        |t| parse_tcp(t).map(Test::Tcp),
        |t| {
            if t.parse::<u16>().is_ok() {
                return Some(format!("write `127.0.0.1:{t}`"));
            }
            Some(match t.rsplit_once(':') {
                Some(("", port)) => format!("write `127.0.0.1:{}`", shortened(port)),
                Some((host, _)) if host_of(host).is_some() => PORTS.to_owned(),
                Some(_) => NO_NAMES.to_owned(),
                None => "write the port behind it".to_owned(),
            })
        },
    )
}

fn parse_http(text: &str) -> Option<Test> {
    let rest = strip_scheme(text, "http://")?;
    let (authority, path) = split_authority(rest);
    let plain = |c: char| c.is_ascii_graphic() && c != '#';
    if authority.contains('@') || !path.chars().all(plain) {
        return None;
    }
    let path = match path.strip_prefix('?') {
        _ if path.is_empty() => "/".to_owned(),
        Some(query) => format!("/?{query}"),
        None => path.to_owned(),
    };
    let address = parse_tcp(authority)
        .or_else(|| host_of(authority).map(|ip| SocketAddr::new(ip, HTTP_PORT)))?;
    Some(Test::Http { address, host: authority.to_owned(), path })
}

fn http_advice(text: &str) -> Option<String> {
    if strip_scheme(text, "https://").is_some() {
        return Some("TLS is not spoken here; write `test: [CMD, curl, …]`".to_owned());
    }
    let Some(rest) = strip_scheme(text, "http://") else {
        return (!text.contains("://")).then(|| format!("write `http://{}`", shortened(text)));
    };
    let (authority, path) = split_authority(rest);
    if authority.contains('@') {
        return Some("leave out the user; write `test: [CMD, curl, …]` where one is needed".into());
    }
    if path.contains('#') {
        return Some("leave out what follows `#`: servers never see it".to_owned());
    }
    if !path.chars().all(|c| c.is_ascii_graphic()) {
        return Some("write other characters as `%20`".to_owned());
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_err() && !port.contains(']') => {
            host_of(host)?;
            return Some(PORTS.to_owned());
        }
        Some((host, _)) => host,
        None => authority,
    };
    host_of(host).is_none().then(|| NO_NAMES.to_owned())
}

fn strip_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
}

/// The part of a URL that says where, and the path with its query.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// An address to connect to, with a port.
fn parse_tcp(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    Some(SocketAddr::new(host_of(host)?, port))
}

/// A host: `localhost` is its IPv4 address, an IPv6 address stands in brackets.
fn host_of(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let check = |text: &str, address: &str, host: &str, path: &str| {
            let (address, host, path) =
                (address.parse().expect("an address"), host.into(), path.into());
            assert_eq!(parse_http(text), Some(Test::Http { address, host, path }), "{text}");
        };
        check("http://127.0.0.1:8000/a?b=c", "127.0.0.1:8000", "127.0.0.1:8000", "/a?b=c");
        check("http://localhost", "127.0.0.1:80", "localhost", "/");
        check("HTTP://[::1]:81?x", "[::1]:81", "[::1]:81", "/?x");
        check("http://[::1]/", "[::1]:80", "[::1]", "/");
    }

    #[test]
    fn what_is_no_url_for_us_is_refused() {
        for text in [
            "",
            "http://",
            "http:///x",
            "https://127.0.0.1/",
            "http://web/",
            "http://a@127.0.0.1/",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/#x",
            "http://127.0.0.1/\r\nX: y",
            "http://::1/",
            "é",
        ] {
            assert_eq!(parse_http(text), None, "{text}");
            let _ = http_advice(text);
        }
    }
}
