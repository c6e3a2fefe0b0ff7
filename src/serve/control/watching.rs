//! Events as they happen, as server-sent events (the HTML standard's `text/event-stream`). Who is
//! too slow is told how many are missing; who does not read at all is cut off by the connection's
//! patience.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::Desk;
use super::answer::{Answer, EVENT_STREAM, streamed};
use super::problem::Problem;
use super::query::Query;
use super::reading;
use crate::ledger::happening::KINDS;
use crate::serve::wire;

/// Between two signs of life; proxies close what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events that are put into one piece.
const BURST: usize = 64;

/// How long a listener waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// The parameters of a question for events.
pub(super) const PARAMETERS: [&str; 4] = ["since", "tail", "process", "kind"];

/// What is asked for, understood.
struct Question {
    processes: Vec<String>,
    kinds: Vec<String>,
}

/// A stream of what happens from now on, or from where the listener was.
pub(super) fn answer(
    desk: &Arc<Desk>,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Answer, Problem> {
    let (named, picture) = (query.words("process"), desk.picture());
    let meant = named.iter().flat_map(|name| reading::meant(name, &picture));
    let question = Question {
        processes: meant.map(str::to_owned).collect(),
        kinds: query.words("kind").into_iter().map(str::to_owned).collect(),
    };
    if let Some(unknown) = question.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        let problem = Problem::bad_request(format!("no event is of kind {unknown:?}"));
        return Err(problem.suggest(format!("kinds: {}", KINDS.join(", "))));
    }
    let events = &desk.sources.events;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (place, lost) = match query.text("since").or(last) {
        Some(id) => events.behind(id).map_or((0, true), |place| (place, false)),
        None => {
            let tail = query.number::<u64>("tail")?.unwrap_or(0);
            // Who asks for the last ones means those that are still there.
            (events.end().saturating_sub(tail).max(events.begin()), false)
        }
    };
    let turn = desk.streams.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Problem::busy("too many answers are streamed"))?;
    let (pieces, answer) = streamed(EVENT_STREAM);
    tokio::spawn(watch(Arc::clone(desk), question, (place, lost), pieces, turn));
    Ok(answer)
}

/// Sends what is told, until the listener leaves or we do.
async fn watch(
    desk: Arc<Desk>,
    question: Question,
    (place, lost): (u64, bool),
    pieces: mpsc::Sender<Bytes>,
    _turn: OwnedSemaphorePermit,
) {
    let first = if lost { RETRY.to_owned() + &gap(None) } else { RETRY.to_owned() };
    if pieces.send(first.into()).await.is_err() {
        return;
    }
    let telling = tell(&desk, &question, place, &pieces);
    tokio::select! {
        () = telling => {}
        () = pieces.closed() => {}
        () = desk.told_to_stop() => {
            // What led to it is worth telling, where the listener still reads.
            let _ = timeout(Duration::from_millis(50), pieces.reserve()).await;
        }
    }
}

async fn tell(desk: &Desk, question: &Question, mut place: u64, pieces: &mpsc::Sender<Bytes>) {
    let mut newest = desk.sources.events.watch();
    loop {
        newest.borrow_and_update();
        let news = desk.sources.events.since(place, BURST);
        let mut text = if news.missed > 0 { gap(Some(news.missed)) } else { String::new() };
        let wanted = news.events.iter().filter(|event| question.wants(event));
        wanted.for_each(|event| text.push_str(&frame(&event.kind, Some(&event.id), event)));
        if !text.is_empty() && pieces.send(text.into()).await.is_err() {
            return;
        }
        let is_last = news.next == place;
        place = news.next;
        if is_last {
            match timeout(HEARTBEAT, newest.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) if pieces.send(":\n\n".into()).await.is_err() => return,
                Err(_) => {}
            }
        }
    }
}

impl Question {
    fn wants(&self, event: &wire::Event) -> bool {
        let process = event.process.as_ref();
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.processes.is_empty()
                || process.is_some_and(|process| self.processes.contains(process)))
    }
}

fn gap(missed: Option<u64>) -> String {
    frame("gap", None, &wire::Gap { missed })
}

/// One event; JSON has no line break of its own.
fn frame(kind: &str, id: Option<&str>, data: &impl Serialize) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("{id}event: {kind}\ndata: {data}\n\n")
}
