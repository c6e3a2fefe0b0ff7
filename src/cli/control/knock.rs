//! The near side of the control socket: requests, answers, and streams that are read line by line.

use std::fmt;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::timeout;

use super::Failure;
use crate::assembly::archive::Archive;
use crate::serve::wire::{self, rights::REASON};

/// For an answer to begin; whoever waits for longer says so.
const PATIENCE: Duration = Duration::from_secs(30);

/// What says that a body is taken as it is.
const BYTES: &str = "application/octet-stream";

/// The longest line of a stream: an output line of the largest size with every byte escaped.
const LONGEST_LINE: usize = 8 << 20;

/// Somebody who asks at one place, each time on a connection of its own.
#[derive(Clone)]
pub(super) struct Client {
    place: Place,
    reason: Option<String>,
}

/// Where somebody is asked.
#[derive(Clone)]
enum Place {
    /// At the socket of a procession that runs.
    Socket(PathBuf),
    /// In a history that nobody supervises with.
    Archive(Archive),
}

impl Place {
    async fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Socket(path) => UnixStream::connect(path).await,
            Self::Archive(archive) => archive.connect(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Archive(_) => f.write_str("the history"),
        }
    }
}

impl Client {
    /// Of the procession at this socket.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { place: Place::Socket(path), reason: None }
    }

    /// Of what is kept alone.
    pub(super) fn of_archive(archive: Archive) -> Self {
        Self { place: Place::Archive(archive), reason: None }
    }

    /// Says why it asks, for the audit trail.
    pub(super) fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Asks, and reads the whole answer as JSON text.
    pub(super) async fn get_text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.ask(Method::GET, path, None, PATIENCE).await?;
        self.text(answer).await
    }

    /// Asks, and reads the answer.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        understood(&self.get_text(path).await?)
    }

    /// Orders, and reads the answer, which may come `wait` later; its text too.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        wait: Duration,
    ) -> Result<(T, String), Failure> {
        let body = serde_json::to_string(body).unwrap_or_default();
        let answer = self.ask(Method::POST, path, Some(body), wait + PATIENCE).await?;
        let text = self.text(answer).await?;
        Ok((understood(&text)?, text))
    }

    /// Asks, and reads the answer, which may come `wait` later.
    pub(super) async fn get_later<T: DeserializeOwned>(
        &self,
        path: &str,
        wait: Duration,
    ) -> Result<T, Failure> {
        let answer = self.ask(Method::GET, path, None, wait + PATIENCE).await?;
        understood(&self.text(answer).await?)
    }

    /// Sends bytes as they are, and reads the answer; `None` where there is no room for them yet.
    pub(super) async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<Option<T>, Failure> {
        let answer = self.exchange(Method::POST, path, Some((BYTES, bytes)), PATIENCE).await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return Ok(None);
        }
        understood(&self.text(answer).await?).map(Some)
    }

    /// Asks, and hands on the answer line by line as it comes, until it ends or is broken off.
    pub(super) async fn lines(
        &self,
        path: &str,
        mut take: impl FnMut(&str) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        let answer = self.ask(Method::GET, path, None, PATIENCE).await?;
        tokio::select! {
            read = self.each_line(answer, &mut take) => read,
            () = unread() => Err(Failure::Unread),
        }
    }

    /// The same for what is ordered.
    pub(super) async fn post_lines(
        &self,
        path: &str,
        body: &impl Serialize,
        mut take: impl FnMut(&str) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        let body = serde_json::to_string(body).unwrap_or_default();
        let answer = self.ask(Method::POST, path, Some(body), PATIENCE).await?;
        self.each_line(answer, &mut take).await
    }

    /// Orders, with lines of JSON that are taken as they are.
    pub(super) async fn post_json_lines<T: DeserializeOwned>(
        &self,
        path: &str,
        lines: Vec<u8>,
    ) -> Result<(T, String), Failure> {
        let body = Some(("application/x-ndjson", lines));
        let text = self.text(self.exchange(Method::POST, path, body, PATIENCE).await?).await?;
        Ok((understood(&text)?, text))
    }

    async fn each_line(
        &self,
        answer: Response<Incoming>,
        take: &mut impl FnMut(&str) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        if !answer.status().is_success() {
            return self.text(answer).await.map(drop);
        }
        let (mut body, mut rest) = (answer.into_body(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.broken(&error))?;
            rest.extend_from_slice(frame.data_ref().map_or(&[][..], |bytes| bytes));
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in String::from_utf8_lossy(&rest[..whole]).lines() {
                if take(line)?.is_break() {
                    return Ok(());
                }
            }
            rest.drain(..whole);
            if rest.len() > LONGEST_LINE {
                return Err(Failure::Failed("a line of the answer never ends".to_owned()));
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let body = body.map(|text| ("application/json", text.into_bytes()));
        self.exchange(method, path, body, patience).await
    }

    /// Asks, with a body of some type.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder().method(method).uri(path).header(HOST, "procession");
        let request = match &body {
            Some((kind, _)) => request.header(CONTENT_TYPE, *kind),
            None => request,
        };
        let request = match &self.reason {
            Some(reason) => request.header(REASON, reason),
            None => request,
        };
        let body = Full::new(Bytes::from(body.map(|(_, bytes)| bytes).unwrap_or_default()));
        let request = request.body(body).map_err(|error| Failure::Failed(error.to_string()))?;
        let exchange = async {
            let stream = self.place.connect().await;
            let stream = stream.map_err(|error| self.unreachable(&error))?;
            let (mut sender, connection) =
                handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(&error))?;
            tokio::spawn(connection);
            sender.send_request(request).await.map_err(|error| self.broken(&error))
        };
        let silent = || format!("{} does not answer: is it stuck?", self.place);
        timeout(patience, exchange).await.map_err(|_| Failure::Unreachable(silent()))?
    }

    /// The whole answer, or why it is a refusal.
    async fn text(&self, answer: Response<Incoming>) -> Result<String, Failure> {
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| self.broken(&error))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        Err(Failure::Failed(match serde_json::from_str::<wire::Problem>(&text) {
            Ok(problem) => told(&problem),
            Err(_) => format!("{status}: {}", text.trim()),
        }))
    }

    fn broken(&self, error: &hyper::Error) -> Failure {
        Failure::Unreachable(format!("{} broke off: {error}", self.place))
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let advice = match error.kind() {
            ErrorKind::NotFound => {
                "no procession takes orders there; is it running, and with this state folder? \
                 Name its socket by --socket or PROCESSION_SOCKET, or its file by --config. Of one \
                 that has ended, `procession sessions list --store FILE` reads the history"
            }
            ErrorKind::ConnectionRefused => "the procession that was there is gone",
            ErrorKind::PermissionDenied => "ask as the user that it runs as, or as root",
            _ => "check the path",
        };
        Failure::Unreachable(format!("cannot reach {}: {error}: {advice}", self.place))
    }
}

/// An answer, read.
pub(super) fn understood<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    let other = |error| format!("the answer is not understood ({error}); is it another version?");
    serde_json::from_str(text).map_err(|error| Failure::Failed(other(error)))
}

/// Waits until nobody reads what we print any more. A pipe tells that by itself; where that cannot be
/// waited for, as with a file, the next line finds it out.
async fn unread() {
    // Unchecked, because the other way changes flags that others have in common with us.
    let out = io::stdout().as_fd().try_clone_to_owned();
    let out = out.and_then(pipe::Sender::from_owned_fd_unchecked);
    let is_told = match &out {
        Ok(out) => out.ready(Interest::ERROR).await.is_ok(),
        Err(_) => false,
    };
    if !is_told {
        pending::<()>().await;
    }
}

/// A refusal in one line, and each fault in one of its own.
fn told(problem: &wire::Problem) -> String {
    let suggestion = problem.suggestion.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
    let faults: String = problem.faults.iter().map(|fault| format!("\n{fault}")).collect();
    format!("{}{suggestion}{faults}", problem.detail)
}

/// A part of a path with everything encoded that has a meaning there.
pub(super) fn encoded(name: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_what_to_do() {
        let problem = wire::Problem {
            detail: "no process is called \"wbe\"".to_owned(),
            suggestion: Some("did you mean \"web\"?".to_owned()),
            faults: vec!["a:1:2: b".to_owned()],
            ..wire::Problem::default()
        };
        assert_eq!(told(&problem), "no process is called \"wbe\"; did you mean \"web\"?\na:1:2: b");
    }

    #[test]
    fn names_are_safe_in_paths() {
        assert_eq!(encoded("web-1.a_b"), "web-1.a_b");
        assert_eq!(encoded("a/b?c"), "a%2Fb%3Fc");
    }
}
