//! Health tests that need no command: a connection, and a request of HTTP.
//!
//! Below the line, since a network can keep anybody waiting. Each test is a task with a time of its
//! own, and what it reads is bounded: a status line, and not a byte more than it may have.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::plan::Test;
use crate::init::downward::ProbeOrder;
use crate::supervise::fact::Fact;
use crate::supervise::lifecycle::TestFailure;

/// Tests that are under way at once; each holds a descriptor.
const AT_ONCE: usize = 128;
/// A status line with a long reason; servers in use stay below a hundred bytes.
const LONGEST_STATUS_LINE: usize = 1024;

/// Makes tests for as long as somebody asks for them and listens to the answers.
pub async fn probe(mut orders: mpsc::Receiver<ProbeOrder>, answers: mpsc::Sender<Fact>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    while let Some(order) = orders.recv().await {
        let (room, answers) = (Arc::clone(&room), answers.clone());
        under_way.spawn(async move {
            let ProbeOrder { run, test, target, timeout: patience, given_up } = order;
            // Whatever is left undone takes its connection with it.
            let asked = timeout(patience, async {
                let _place = room.acquire().await;
                fails(&target).await
            });
            let failure = tokio::select! {
                failure = asked => failure.unwrap_or(Some(TestFailure::TimedOut)),
                _ = given_up => return,
            };
            let _ = answers.send(Fact::Probed { run, test, failure }).await;
        });
        while under_way.try_join_next().is_some() {}
    }
}

/// How a test fails, if it does.
async fn fails(target: &Test) -> Option<TestFailure> {
    match target {
        Test::Tcp(address) => {
            TcpStream::connect(address).await.err().map(|_| TestFailure::Unanswered)
        }
        Test::Http { address, host, path } => match get(*address, host, path).await {
            Ok(200..400) => None,
            Ok(status) => Some(TestFailure::Status(status)),
            Err(_) => Some(TestFailure::Unanswered),
        },
        // The body runs commands itself.
        Test::Exec(_) => Some(TestFailure::Unanswered),
    }
}

/// The status that a `GET` is answered with. What follows the status line is not read.
async fn get(address: SocketAddr, host: &str, path: &str) -> io::Result<u16> {
    let stream = TcpStream::connect(address).await?;
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: procession/{version}\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    );
    write(&stream, request.as_bytes()).await?;
    let answer = read_line(&stream).await?;
    status(&answer).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

async fn write(stream: &TcpStream, mut request: &[u8]) -> io::Result<()> {
    while !request.is_empty() {
        stream.writable().await?;
        match stream.try_write(request) {
            Ok(written) => request = &request[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What is said up to the end of the first line, of the connection, or of our patience with it.
async fn read_line(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = vec![0; LONGEST_STATUS_LINE];
    let mut length = 0;
    while length < answer.len() && !answer[..length].contains(&b'\n') {
        stream.readable().await?;
        match stream.try_read(&mut answer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    answer.truncate(length);
    Ok(answer)
}

/// The status of `HTTP/1.1 200 OK`, which must be a whole line.
fn status(answer: &[u8]) -> Option<u16> {
    let end = memchr::memchr(b'\n', answer)?;
    let line = std::str::from_utf8(&answer[..end]).ok()?;
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next().filter(|code| code.len() == 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    use super::*;
    use crate::units::RunId;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(60);

    async fn verdict(target: Test, patience: Duration) -> Option<TestFailure> {
        let (orders, order) = mpsc::channel(1);
        let (answers, mut answer) = mpsc::channel(1);
        let prober = tokio::spawn(probe(order, answers));
        let (_hold, given_up) = oneshot::channel();
        let order = ProbeOrder { run: RunId(4), test: 9, target, timeout: patience, given_up };
        orders.send(order).await.expect("somebody probes");
        let fact = answer.recv().await.expect("an answer");
        prober.abort();
        let Fact::Probed { run: RunId(4), test: 9, failure } = fact else { panic!("{fact:?}") };
        failure
    }

    /// A server that says this to everybody, and what it was asked.
    async fn served(says: &'static [u8], patience: Duration) -> (Option<TestFailure>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let asked = read_line(&stream).await.expect("a request");
            // Who has heard enough hangs up.
            let _ = write(&stream, says).await;
            if says.is_empty() {
                std::future::pending::<()>().await;
            }
            String::from_utf8(asked).expect("text")
        });
        let target = Test::Http { address, host: "a:1".into(), path: "/up?x=1".into() };
        let failure = verdict(target, patience).await;
        if says.is_empty() {
            server.abort();
            return (failure, String::new());
        }
        (failure, server.await.expect("it served"))
    }

    #[tokio::test]
    async fn a_status_from_200_to_399_passes_and_nothing_else_does() {
        use TestFailure::{Status, Unanswered};
        let cases: [(&'static [u8], Option<TestFailure>); 8] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None),
            (b"HTTP/1.0 302 Found\n", None),
            (b"HTTP/1.1 399\r\n", None),
            (b"HTTP/1.1 404 Not Found\r\n\r\n", Some(Status(404))),
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(Status(503))),
            (b"HTTP/1.1 2000 OK\r\n\r\n", Some(Unanswered)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Some(Unanswered)),
            (b"HTTP/1.1 200", Some(Unanswered)),
        ];
        for (says, want) in cases {
            let (failure, asked) = served(says, LONG).await;
            assert_eq!(failure, want, "{}", String::from_utf8_lossy(says));
            assert!(asked.starts_with("GET /up?x=1 HTTP/1.1\r\nHost: a:1\r\n"), "{asked}");
        }
    }

    #[tokio::test]
    async fn who_says_nothing_or_for_ever_the_same_fails_in_time() {
        assert_eq!(served(b"", SHORT).await.0, Some(TestFailure::TimedOut));
        static ENDLESS: [u8; 1 << 16] = [b'H'; 1 << 16];
        assert_eq!(served(&ENDLESS, LONG).await.0, Some(TestFailure::Unanswered));
    }

    #[tokio::test]
    async fn a_test_that_is_given_up_or_late_leaves_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let target = Test::Http { address, host: "a".into(), path: "/".into() };
        let (orders, order) = mpsc::channel(1);
        let (answers, mut answer) = mpsc::channel(1);
        let prober = tokio::spawn(probe(order, answers));
        for (test, patience) in [(1, LONG), (2, SHORT)] {
            let (hold, given_up) = oneshot::channel();
            let target = target.clone();
            let order = ProbeOrder { run: RunId(4), test, target, timeout: patience, given_up };
            orders.send(order).await.expect("somebody probes");
            let (stream, _) = listener.accept().await.expect("it asks");
            assert!(read_line(&stream).await.expect("a request").starts_with(b"GET / "));
            if patience == LONG {
                drop(hold);
            } else {
                let told = answer.recv().await.expect("an answer");
                let failure = Some(TestFailure::TimedOut);
                assert_eq!(told, Fact::Probed { run: RunId(4), test: 2, failure });
            }
            // Only the end of the connection comes now: the rest of the request, and then nothing.
            let end = timeout(LONG, async {
                while !read_line(&stream).await.is_ok_and(|rest| rest.is_empty()) {}
            });
            end.await.expect("the connection is closed");
        }
        assert!(answer.try_recv().is_err(), "nobody is told of what was given up");
        prober.abort();
    }

    #[tokio::test]
    async fn a_port_that_is_listened_to_passes_and_one_that_is_not_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        assert_eq!(verdict(Test::Tcp(address), LONG).await, None);
        drop(listener);
        assert_eq!(verdict(Test::Tcp(address), LONG).await, Some(TestFailure::Unanswered));
    }
}
