//! A control door of a test's own: a made-up picture, a mind that answers as it is told, and raw
//! requests over the socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use procession::config::one_command::{Options, one_command};
use procession::config::plan::{ControlPlan, Plan, ProcessPlan, TcpControl};
use procession::ledger::beside::Roll;
use procession::ledger::fold::Ledger;
use procession::ledger::happening::Narrator;
use procession::ledger::request::Answered;
use procession::ledger::snapshot::Snapshot;
use procession::ledger::veil::Veil;
use procession::memory::leak;
use procession::secret::keyed::Salt;
use procession::serve::control::beside::{Beside, NoTapes};
use procession::serve::control::feeding::Feeds;
use procession::serve::control::logs::{Line, Logs, Page, Stream, Turn};
use procession::serve::control::trail::Trail;
use procession::serve::control::{Busy, NotRead, Requests, Sources, serve};
use procession::serve::events::Events;
use procession::store::reading::reader::Reader;
use procession::supervise::lifecycle::Lifecycle;
use procession::supervise::wish::{Reply, Wish};
use procession::units::Wall;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};

use crate::picture;

/// Longer than anything here takes; only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(30);

type Answering = Box<dyn FnMut(&Wish) -> Result<Option<Reply>, Busy> + Send>;
type Reading = Result<Arc<Plan>, NotRead>;

/// A door that closes with the test.
pub struct Door {
    pub socket: PathBuf,
    pub pictures: watch::Sender<Arc<Snapshot>>,
    pub events: Arc<Events>,
    /// What was spawned beside the plan.
    pub beside: Arc<Beside>,
    /// What was wished for.
    pub wishes: Arc<Mutex<Vec<Wish>>>,
    answering: Arc<Mutex<Answering>>,
    /// What reading the configuration anew gives.
    pub reading: Arc<Mutex<Reading>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Door {
    pub fn open() -> Self {
        Self::open_with(None)
    }

    /// With a door over TCP, too.
    pub fn open_with(tcp: Option<TcpControl>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("control.sock");
        let (pictures, shown) = watch::channel(Arc::new(picture::snapshot()));
        let events = Arc::new(Events::new(Wall(1000)));
        let wishes: Arc<Mutex<Vec<Wish>>> = Arc::default();
        let accept: Answering = Box::new(|_| Ok(Some(Reply::Accepted(Vec::new()))));
        let answering = Arc::new(Mutex::new(accept));
        let reading = Arc::new(Mutex::new(Err(NotRead::NoFile)));
        let known = one_command(vec!["web".into()], Options::new(PathBuf::new()));
        let roll = Roll::new(Arc::new(known));
        let beside = Arc::new(Beside::new(roll, Arc::new(NoTapes), Arc::new(Feeds::default())));
        let sources = Arc::new(Sources {
            pictures: shown,
            orders: orders(Arc::clone(&wishes), Arc::clone(&answering)),
            requests: requests(),
            read_plan: {
                let reading = Arc::clone(&reading);
                Arc::new(move || reading.lock().unwrap().clone())
            },
            read_command: Arc::new(|body, plan| match &body.user {
                Some(user) => Err(vec![format!("user: there is no user `{user}`")]),
                None => Ok(ProcessPlan { name: body.name.clone().unwrap_or_default(), ..plan }),
            }),
            logs: Arc::new(Written),
            beside: Arc::clone(&beside),
            events: Arc::clone(&events),
            history: Reader::in_memory(),
            trail: Trail::in_memory(),
            forget: Box::new(|_| true),
            veil: Veil::default(),
            salt: Arc::new(|| Salt([1; 32])),
            alive: Box::new(|| true),
        });
        let (stop, stopped) = watch::channel(false);
        let plan = ControlPlan { socket: Some(socket.clone()), tcp };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve(plan, sources, stopped));
        });
        let (thread, _folder) = (Some(thread), folder);
        let door = Self {
            socket,
            pictures,
            events,
            beside,
            wishes,
            answering,
            reading,
            stop,
            thread,
            _folder,
        };
        door.connect();
        door
    }

    /// Has the mind answer so from now on.
    pub fn answer(
        &self,
        answering: impl FnMut(&Wish) -> Result<Option<Reply>, Busy> + Send + 'static,
    ) {
        *self.answering.lock().unwrap() = Box::new(answering);
    }

    pub fn show(&self, change: impl FnOnce(&mut Snapshot)) {
        self.pictures.send_modify(|picture| change(Arc::make_mut(picture)));
    }

    /// Tells of so many things that happened.
    pub fn tell(&self, events: impl IntoIterator<Item = Lifecycle>) {
        let plan = one_command(vec!["web".into()], Options::new(PathBuf::new()));
        let mut narrator = Narrator::new(Arc::new(plan));
        for event in events {
            let told = narrator.tell(Wall(5), &event);
            told.into_iter().for_each(|happening| self.events.tell(happening));
        }
    }

    pub fn connect(&self) -> UnixStream {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(&self.socket) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    return stream;
                }
                Err(error) => assert!(Instant::now() < deadline, "no door: {error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends the bytes on a connection of their own and reads until it is closed.
    pub fn send(&self, bytes: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        Answer::parse(&answer)
    }

    pub fn wishes(&self) -> Vec<Wish> {
        self.wishes.lock().unwrap().clone()
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

/// A ledger that keeps nothing answers what applications ask.
fn requests() -> Requests {
    let plan = one_command(vec!["web".into()], Options::new(PathBuf::new()));
    let ledger = Ledger::new(&plan, procession::clock::now(), false, leak::detector, 1);
    let ledger = Mutex::new(ledger);
    Box::new(move |request| {
        let (reply, answer) = oneshot::channel();
        let mut ledger = ledger.lock().unwrap();
        let request = ledger.veiled_request(request);
        let (said, _) = ledger.ask(procession::clock::now(), request);
        let _ = reply.send(Answered { reply: said, durable: true });
        Ok(answer)
    })
}

fn orders(
    wishes: Arc<Mutex<Vec<Wish>>>,
    answering: Arc<Mutex<Answering>>,
) -> procession::serve::control::Orders {
    Box::new(move |wish| {
        let reply = (answering.lock().unwrap())(&wish)?;
        wishes.lock().unwrap().push(wish);
        let (send, receive) = oneshot::channel();
        match reply {
            Some(reply) => drop(send.send(reply)),
            None => drop(send),
        }
        Ok(receive)
    })
}

/// What `web` wrote: three lines, and one more for who waits. Of nobody else anything is kept.
struct Written;

impl Written {
    fn line(stream: Stream, text: &str) -> Line {
        Line { at: picture::at(1), stream, partial: false, text: text.into() }
    }
}

impl Logs for Written {
    fn keeps(&self, process: &str) -> bool {
        process == "web"
    }

    fn tail(&self, _: &str, lines: usize) -> Page {
        let mut all = vec![
            Self::line(Stream::Stdout, "one"),
            Self::line(Stream::Stderr, "two"),
            Self::line(Stream::Stdout, "six"),
        ];
        all.drain(..all.len().saturating_sub(lines));
        Page { lines: all, next: 12, missed: 0 }
    }

    fn since<'a>(&'a self, _: &'a str, cursor: u64, wait: Duration) -> Turn<'a> {
        Box::pin(async move {
            if cursor == 12 {
                let lines = vec![Self::line(Stream::Stdout, "ten")];
                return Page { lines, next: 16, missed: 0 };
            }
            tokio::time::sleep(wait).await;
            Page { lines: Vec::new(), next: cursor, missed: 0 }
        })
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let in_pieces = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if in_pieces { joined(body) } else { body.to_owned() };
        Self { status, head: head.to_owned(), body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The pieces of a chunked body in one; of one that was broken off as much as came.
fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        let Some(piece) = rest.get(..length).filter(|piece| !piece.is_empty()) else { break };
        whole.push_str(piece);
        body = rest[length..].strip_prefix("\r\n").unwrap_or_default();
    }
    whole
}
