//! The doors, over real sockets: what they answer, and what clients cannot do to them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use procession::ledger::snapshot::Snapshot;
use procession::memory::{LeakState, SelfFigures, Verdict};
use procession::output::figures::OutputFigures;
use procession::serve::listener::{Limits, serve};
use procession::serve::{Source, Sources};
use procession::supervise::lifecycle::PhaseName;
use tokio::sync::watch;

use crate::picture;

/// Longer than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener of its own on a thread of its own, which ends with the test.
struct Door {
    address: SocketAddr,
    snapshot: Arc<Mutex<Arc<Snapshot>>>,
    reports: Receiver<Option<SocketAddr>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    fn open(snapshot: Snapshot, limits: Limits) -> Self {
        Self::open_with(snapshot, limits, |sources| sources)
    }

    fn open_with(
        snapshot: Snapshot,
        limits: Limits,
        change: impl FnOnce(Sources) -> Sources,
    ) -> Self {
        let mut door = Self::knock(SocketAddr::from(([127, 0, 0, 1], 0)), snapshot, limits, change);
        door.address = door.next_report().expect("a free port can be had");
        door
    }

    /// Begins to listen, without waiting until it works.
    fn knock(
        address: SocketAddr,
        snapshot: Snapshot,
        limits: Limits,
        change: impl FnOnce(Sources) -> Sources,
    ) -> Self {
        let snapshot = Arc::new(Mutex::new(Arc::new(snapshot)));
        let shown = Arc::clone(&snapshot);
        let latest: Source<Arc<Snapshot>> = Box::new(move || Arc::clone(&shown.lock().unwrap()));
        let sources = change(Sources {
            snapshot: latest,
            own: Box::new(picture::own),
            output: Box::new(picture::output),
            store: Box::new(|| None),
            alive: Box::new(|| true),
        });
        let (stop, stopped) = watch::channel(false);
        let (send, reports) = channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let report = |bound| {
                let _ = send.send(bound);
            };
            runtime.unwrap().block_on(serve(address, Arc::new(sources), limits, stopped, report));
        });
        Self { address, snapshot, reports, stop, thread: Some(thread) }
    }

    fn next_report(&self) -> Option<SocketAddr> {
        self.reports.recv_timeout(PATIENCE).expect("the listener reports")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends the bytes on a connection of their own and reads until it is closed.
    fn send(&self, bytes: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        read_to_close(&mut stream)
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Reply {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Reply::parse(&bytes)
    }

    fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "")
    }

    fn show(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut shown = self.snapshot.lock().unwrap();
        change(Arc::make_mut(&mut shown));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What still comes until the other side closes, however it does that.
fn read_to_close(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the connection was not closed: {error}"),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn door() -> Door {
    Door::open(picture::snapshot(), Limits::default())
}

#[test]
fn a_scrape_gets_the_format_that_it_asks_for_with_the_exact_type() {
    let door = door();
    let plain = door.get("/metrics");
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.text().contains("\nprocession_process_up{process=\"web\"} 1\n"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                  text/plain;version=0.0.4;q=0.3\r\n";
    let open = door.ask("GET", "/metrics", accept);
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(expected));
    assert!(open.text().ends_with("\n# EOF\n"));
}

#[test]
fn a_scrape_that_asks_for_gzip_gets_the_same_text_packed() {
    let door = door();
    let plain = door.get("/metrics");
    let packed = door.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("Accept, Accept-Encoding"));
    assert!(packed.body.len() * 4 < plain.body.len(), "{} bytes", packed.body.len());
    assert_eq!(unpacked(&packed), plain.text());
    let open = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    let plain = door.ask("GET", "/metrics", open);
    let packed = door.ask("GET", "/metrics", &format!("{open}Accept-Encoding: gzip\r\n"));
    assert_eq!(unpacked(&packed), plain.text());
}

/// As a reader that knows of one member only has it.
fn unpacked(reply: &Reply) -> String {
    let mut bytes = reply.body.as_slice();
    let mut text = String::new();
    flate2::bufread::GzDecoder::new(&mut bytes).read_to_string(&mut text).expect("whole gzip");
    assert!(bytes.is_empty(), "there is something behind the member");
    text
}

#[test]
fn scrapes_that_share_a_picture_still_have_what_is_asked_anew_and_the_next_picture_at_once() {
    let (spent, written) = (AtomicU64::new(0), AtomicU64::new(0));
    let door = Door::open_with(picture::snapshot(), Limits::default(), |sources| Sources {
        own: Box::new(move || SelfFigures {
            cpu_seconds: Some(spent.fetch_add(1, Ordering::Relaxed) as f64),
            ..SelfFigures::default()
        }),
        output: Box::new(move || {
            let lines = written.fetch_add(1, Ordering::Relaxed);
            vec![("web".into(), OutputFigures { lines, ..OutputFigures::default() })]
        }),
        ..sources
    });
    let scrape = || unpacked(&door.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n"));
    for (number, restarts) in [(0, 2), (1, 2), (2, 7), (3, 7)] {
        if number == 2 {
            door.show(|snapshot| snapshot.processes[0].restarts = 7);
        }
        let text = scrape();
        for line in [
            format!("process_cpu_seconds_total {number}"),
            format!("procession_process_output_lines_total{{process=\"web\"}} {number}"),
            format!("procession_process_restarts_total{{process=\"web\"}} {restarts}"),
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in:\n{text}");
        }
    }
}

#[test]
fn every_answer_forbids_to_load_to_frame_to_guess_and_to_keep() {
    let door = door();
    for (method, path) in
        [("GET", "/"), ("GET", "/metrics"), ("GET", "/healthz"), ("GET", "/no"), ("POST", "/")]
    {
        let reply = door.ask(method, path, "");
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[test]
fn head_answers_like_get_without_the_body() {
    let door = door();
    for path in ["/", "/metrics", "/healthz", "/readyz", "/nothing"] {
        let (get, head) = (door.get(path), door.ask("HEAD", path, ""));
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
}

#[test]
fn nothing_but_reading_is_allowed() {
    let door = door();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let reply = door.ask(method, "/metrics", "Content-Length: 0\r\n");
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn an_unknown_address_says_which_ones_there_are_and_repeats_nothing() {
    let reply = door().get("/script-of-mine?x=1");
    assert_eq!(reply.status, 404);
    for known in ["/metrics", "/healthz", "/readyz"] {
        assert!(reply.text().contains(known), "{}", reply.text());
    }
    assert!(!reply.text().contains("script-of-mine"));
}

#[test]
fn readiness_names_each_process_that_is_not_ready() {
    let door = door();
    for path in ["/readyz", "/-/ready"] {
        let reply = door.get(path);
        assert_eq!((reply.status, reply.text()), (503, "broken: failed (last: exit code 127)\n"));
    }
    let all = door.get("/readyz?verbose");
    assert_eq!(all.status, 503);
    assert!(all.text().starts_with("[-]processes failed: broken: failed"), "{}", all.text());
    assert!(all.text().contains("\n[+]persistence ok\n"), "{}", all.text());
    door.show(|snapshot| snapshot.processes.retain(|process| process.name != "broken"));
    let reply = door.get("/readyz");
    assert_eq!((reply.status, reply.text()), (200, "ready\n"));
    door.show(|snapshot| snapshot.processes[0].phase = PhaseName::Resting);
    assert_eq!(door.get("/readyz").text(), "web: resting (last: ended by SIGKILL)\n");
}

#[test]
fn nothing_is_ready_while_everything_is_being_stopped_or_before_anything_is_known() {
    let door = door();
    door.show(|snapshot| {
        snapshot.processes.clear();
        snapshot.house.stopping = true;
    });
    let reply = door.get("/readyz");
    assert_eq!((reply.status, reply.text()), (503, "everything is being stopped\n"));
    assert_eq!(door.get("/healthz").status, 200, "being stopped is not being ill");
    door.show(|snapshot| *snapshot = Snapshot::default());
    assert_eq!(door.get("/readyz").status, 503);
}

#[test]
fn health_follows_the_loop_that_supervises() {
    let well = door();
    for path in ["/healthz", "/-/healthy"] {
        assert_eq!(well.get(path).status, 200);
    }
    let ill = Door::open_with(picture::snapshot(), Limits::default(), |sources| Sources {
        alive: Box::new(|| false),
        ..sources
    });
    assert_eq!(ill.get("/healthz").status, 503);
}

#[test]
fn the_page_shows_every_process_and_escapes_what_others_named() {
    let door = door();
    door.show(|snapshot| snapshot.processes[0].name = "<img src=x onerror=alert(1)>".to_owned());
    let reply = door.get("/");
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let page = reply.text();
    for part in [
        "&lt;img src=x onerror=alert(1)&gt;",
        ">leaky<",
        "8 of the last 9 steps rose",
        "suspected",
        "<svg class=\"spark busy\"",
        "<title>memory of the last 2 min 25 s: from 2.9 GiB to 4.3 GiB, at most 4.3 GiB</title>",
        "4.4 GiB",
        "61,500",
        "$0.1254",
        "30 tokens unpriced",
        "exit code 127",
        "never had a program: not found",
        "href=\"/metrics\"",
        "content=\"5\"",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    for absent in ["<img", "<script", "http://", "https://", "src=\""] {
        assert!(!page.contains(absent), "{absent} is in:\n{page}");
    }
}

#[test]
fn the_page_says_of_a_leak_what_the_terminal_says() {
    let door = door();
    for (state, word) in [
        (LeakState::Unknown, "too early"),
        (LeakState::None, "none"),
        (LeakState::Suspected, "suspected"),
        (LeakState::Confirmed, "confirmed"),
    ] {
        door.show(|snapshot| {
            let leaky = snapshot.processes.iter_mut().find(|process| process.name == "leaky");
            let run = leaky.and_then(|process| process.run.as_mut()).expect("it runs");
            let judged = Verdict { state, ..*run.verdict.take().expect("a verdict") };
            run.verdict = Some(Arc::new(judged));
        });
        let reply = door.get("/");
        let page = reply.text();
        let row = page.split("<tr").find(|row| row.contains(">leaky<")).expect("its row");
        assert!(row.contains(&format!(">{word}</span>")), "{word}: {row}");
    }
    door.show(|snapshot| {
        let leaky = snapshot.processes.iter_mut().find(|process| process.name == "leaky");
        let run = leaky.and_then(|process| process.run.as_mut()).expect("it runs");
        let judged = run.verdict.take().expect("a verdict");
        run.verdict = Some(Arc::new(Verdict { to_limit: Some(Duration::ZERO), ..*judged }));
    });
    let reply = door.get("/");
    assert!(reply.text().contains("<b>at</b> its critical threshold of "), "{}", reply.text());
}

#[test]
fn a_taken_port_is_waited_for_and_had_once_it_is_free() {
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = squatter.local_addr().unwrap();
    let limits = Limits::default();
    let door = Door::knock(address, picture::snapshot(), limits, |sources| sources);
    assert_eq!(door.next_report(), None, "the first attempt fails");
    drop(squatter);
    assert_eq!(door.next_report(), Some(address));
    assert_eq!(door.get("/healthz").status, 200);
}

#[test]
fn a_listener_that_waits_for_its_port_stops_at_once() {
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = squatter.local_addr().unwrap();
    let limits = Limits::default();
    let door = Door::knock(address, picture::snapshot(), limits, |sources| sources);
    assert_eq!(door.next_report(), None);
    drop(door);
    drop(squatter);
}

#[test]
fn clients_that_only_hold_connections_open_keep_nobody_out() {
    let limits = Limits { connections: 8, ..Limits::default() };
    let door = Door::open(picture::snapshot(), limits);
    let mut idle: Vec<TcpStream> = (0..8).map(|_| door.connect()).collect();
    for slow in &mut idle {
        slow.write_all(b"GET /metrics HTTP/1.1\r\nHo").unwrap();
    }
    assert_eq!(door.get("/metrics").status, 200, "one more comes in");
    assert_eq!(read_to_close(&mut idle[0]), "", "the oldest made room");
    idle[7].write_all(b"st: x\r\nConnection: close\r\n\r\n").unwrap();
    assert!(read_to_close(&mut idle[7]).starts_with("HTTP/1.1 200 OK"), "the newest was kept");
}

#[test]
fn a_request_that_does_not_arrive_in_time_is_cut_off() {
    let limits = Limits { request: Duration::from_millis(50), ..Limits::default() };
    let door = Door::open(picture::snapshot(), limits);
    let mut slow = door.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").unwrap();
    assert!(!read_to_close(&mut slow).contains("200 OK"));
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let mut snapshot = picture::snapshot();
    // Megabytes, so that no socket buffer holds the answers.
    let many = (0..4000).map(|number| picture::waiting(&format!("process-{number}")));
    snapshot.processes.extend(many);
    let limits = Limits { connections: 1, answer: Duration::from_millis(50), ..Limits::default() };
    let door = Door::open(snapshot, limits);
    let mut greedy = door.connect();
    greedy.write_all("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(8).as_bytes()).unwrap();
    // A request of its own would push the greedy one out; the deadline has to do it.
    let until = Instant::now() + PATIENCE;
    let mut buffer = [0; 1];
    while greedy.peek(&mut buffer).is_ok_and(|n| n > 0) && greedy.write_all(b"\r\n").is_ok() {
        assert!(Instant::now() < until, "the answer is kept for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn garbage_is_refused_and_the_door_stays_open() {
    let door = door();
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Header: 1\r\n".repeat(5_000));
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n",
        "GET /metrics HTTP/9.9\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        &long,
        &many,
    ] {
        // A refusal may arrive or be lost in a reset, for want of a reader of the rest.
        let said = {
            let mut stream = door.connect();
            let _ = stream.write_all(garbage.as_bytes());
            read_to_close(&mut stream)
        };
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert_eq!(door.get("/metrics").status, 200);
}

#[test]
fn a_good_request_with_garbage_behind_it_is_answered_before_the_refusal() {
    let said = door().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n\u{1}\u{2}garbage\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    assert!(said.contains("HTTP/1.1 400 Bad Request"), "{said}");
}

#[test]
fn a_connection_is_kept_for_the_next_scrape() {
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let said = door().send(&format!("{request}{request}{last}"));
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 3, "{said}");
}

#[test]
fn a_panic_costs_one_answer_and_nothing_else() {
    let door = Door::open_with(picture::snapshot(), Limits::default(), |sources| Sources {
        own: Box::new(|| panic!("on purpose")),
        ..sources
    });
    assert_eq!(door.get("/metrics").status, 500);
    assert_eq!(door.get("/metrics").status, 500);
    assert_eq!(door.get("/healthz").status, 200);
}

#[test]
fn being_told_to_stop_frees_the_port_and_ends_idle_connections() {
    let door = door();
    let mut idle = door.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).unwrap();
    door.stop.send(true).unwrap();
    assert_eq!(door.next_report(), None);
    read_to_close(&mut idle);
    assert!(TcpStream::connect(door.address).is_err(), "nobody listens any more");
}
